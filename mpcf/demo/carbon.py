"""Carbon: photosynthesis, plant respiration, litter and soil carbon by layer, by month.

The carbon equations see the world only through `Drivers` (air and soil temperature, liquid
water, CO2), so that any of them can be replaced by that of another run.

    GPP = ε · PAR · cover · f(T) · (1 + β ln(C/C0)) · g(liquid)
    RA  = r · GPP
    RH  = (1 - a) · Σ k_fast s F + Σ k_slow s S
    s   = Q10^((T - 10 °C)/10) · W(liquid) · O(liquid) · exp(-z/z0)

W falls with the logarithm of water potential from saturation to -10 MPa and O is the lack of
air near saturation: decay is largest in moist soil. Soil that is frozen holds little liquid
water, so its carbon rests.
"""

from __future__ import annotations

from collections import namedtuple
from dataclasses import asdict, dataclass

import numba
import numpy as np

from mpcf.demo.column import MONTH_DAYS, WET_LAYERS, Monthly, Soil, soil
from mpcf.demo.parameters import CARBON, PHYSICS, SOIL, CarbonParameters, Physics
from mpcf.demo.weather import daily_insolation

__all__ = [
    "Carbon",
    "Drivers",
    "Fluxes",
    "decay_scalar",
    "equilibrium",
    "growth_scalar",
    "live",
    "monthly_light",
    "slow_stock",
]

Values = namedtuple("Values", [*CarbonParameters.__dataclass_fields__, "wilting", "stress_free"])


def values(physics: Physics = PHYSICS) -> Values:
    """Return the parameters as a named tuple, which kernels can read."""
    soil = physics.soil
    return Values(**asdict(physics.carbon), wilting=soil.wilting, stress_free=soil.stress_free)


@dataclass
class Carbon:
    """Carbon of all cells, kg m-2, and what sets its turnover.

    Attributes
    ----------
    plants : ndarray (cell,)
    fast, slow : ndarray (cell, layer)
    degree_days : ndarray (cell,)
        Memory of thawing degree-days, K d.
    litter_profile : ndarray (cell, layer)
        Share of litter that enters each layer.
    slow_rate : ndarray (cell,)
        Decay of slow carbon at 10 °C, moist, yr-1.
    """

    plants: np.ndarray
    fast: np.ndarray
    slow: np.ndarray
    degree_days: np.ndarray
    litter_profile: np.ndarray
    slow_rate: np.ndarray

    def copy(self) -> Carbon:
        """Return a copy that can be advanced apart."""
        return Carbon(*(getattr(self, name).copy() for name in self.__dataclass_fields__))

    def at(self, cells: np.ndarray) -> Carbon:
        """Return a copy of some cells, which can be advanced apart."""
        return Carbon(*(getattr(self, name)[cells] for name in self.__dataclass_fields__))


@dataclass(frozen=True)
class Drivers:
    """All that the carbon equations see of the world, by month.

    Attributes
    ----------
    air : ndarray (cell, month)
        Air temperature, °C.
    temperature : ndarray (cell, month, layer)
        Soil temperature, °C.
    plants_liquid, microbes_liquid : ndarray (cell, month, layer)
        Liquid water as photosynthesis and as decomposition see it, kg m-2.
    co2 : ndarray (year,)
        ppm.
    """

    air: np.ndarray
    temperature: np.ndarray
    plants_liquid: np.ndarray
    microbes_liquid: np.ndarray
    co2: np.ndarray

    @classmethod
    def of(cls, monthly: Monthly, co2: np.ndarray) -> Drivers:
        """Return those of a run's own columns."""
        return cls(monthly.air, monthly.temperature, monthly.liquid, monthly.liquid, co2)

    def arrays(self, co2_reference: float) -> tuple[np.ndarray, ...]:
        """Return them as kernels read them: CO2 by month, relative to its reference."""
        co2 = np.repeat(self.co2 / co2_reference, 12)
        fields = (self.air, self.temperature, self.plants_liquid, self.microbes_liquid)
        return (*(np.ascontiguousarray(values, np.float32) for values in fields), co2)


@dataclass(frozen=True)
class Fluxes:
    """Monthly carbon (cell, month): fluxes kg m-2 s-1, stocks at month's end kg m-2."""

    gpp: np.ndarray
    ra: np.ndarray
    rh: np.ndarray
    soil: np.ndarray
    plants: np.ndarray

    def at(self, cells: np.ndarray) -> Fluxes:
        """Return some cells."""
        return Fluxes(*(getattr(self, name)[cells] for name in self.__dataclass_fields__))

    def months(self, first: int) -> Fluxes:
        """Return the months from `first` on."""
        return Fluxes(*(getattr(self, name)[:, first:] for name in self.__dataclass_fields__))


def monthly_light(lat: np.ndarray) -> np.ndarray:
    """Photosynthetic light at the surface by month (cell, month), W m-2."""
    daily = daily_insolation(lat, np.arange(365) + 0.5)
    ends = np.cumsum(MONTH_DAYS)
    parts = [
        daily[:, end - length : end].mean(axis=1)
        for end, length in zip(ends, MONTH_DAYS, strict=True)
    ]
    return CARBON.light_share * SOIL.transmissivity * np.stack(parts, axis=1)


@numba.njit(cache=True, error_model="numpy")
def decay_scalar(temperature, saturation, p):
    """Speed of decay relative to moist soil at 10 °C, without its fading with depth.

    Parameters
    ----------
    temperature : float, °C
    saturation : float
        Liquid water per pore space.
    p : Values
    """
    if saturation <= 0.0:
        return 0.0
    moist = 1.0 + p.retention * np.log(saturation) / np.log(p.driest / p.wettest)
    if moist <= 0.0:
        return 0.0
    full = min(max((saturation - p.waterlogged) / (1.0 - p.waterlogged), 0.0), 1.0)
    return (
        np.exp(np.log(p.q10) * (temperature - 10.0) / 10.0)
        * min(moist, 1.0)
        * (1.0 - p.microbe_waterlogging * full)
    )


@numba.njit(cache=True, error_model="numpy")
def growth_scalar(liquid, month, room, roots, p):
    """Limit that liquid water sets on photosynthesis: too dry or frozen, or waterlogged.

    Parameters
    ----------
    liquid : ndarray (month, layer), kg m-2
    month : int
    room : ndarray (layer,)
        Water that fills the pores, kg m-2.
    roots : ndarray (layer,)
        Share of roots.
    p : Values
    """
    total = 0.0
    for i in range(liquid.shape[1]):
        wet = liquid[month, i] / room[i]
        ease = min(max((wet - p.wilting) / (p.stress_free - p.wilting), 0.0), 1.0)
        full = min(max((wet - p.waterlogged) / (1.0 - p.waterlogged), 0.0), 1.0)
        total += roots[i] * ease * (1.0 - p.plant_waterlogging * full)
    return total


@numba.njit(cache=True, error_model="numpy")
def _photosynthesis(month, air, liquid, co2, light, cover, room, roots, p):
    """GPP of a month, kg m-2 s-1."""
    return (
        p.light_use
        * light
        * cover
        * min(max(air[month] / p.warm_enough, 0.0), 1.0)
        * (1.0 + p.co2_response * np.log(co2[month]))
        * growth_scalar(liquid, month, room, roots, p)
    )


@numba.njit(cache=True, error_model="numpy")
def _live_cell(
    plants, fast, slow, degree_days, profile, slow_rate, seen, shown, apart, light, soil, p, out
):
    """Advance the carbon of one cell; return plant carbon (kg m-2) and degree-days (K d)."""
    room, roots, fade, days = soil
    air, temperature, plants_liquid, microbes_liquid, co2 = seen
    air_2, temperature_2, plants_liquid_2, microbes_liquid_2, co2_2 = shown
    gpp, ra, rh, stock, growth = out
    warm = 0.0
    for month in range(air.size):
        m = month % 12
        year_share = days[m] / 365.0
        seconds = days[m] * 86400.0
        warm += max(air[month], 0.0) * days[m]
        cover = p.most_cover * degree_days / (degree_days + p.half_cover)
        if slow_rate == 0.0:  # ground that never thaws
            cover = 0.0
        fixed = _photosynthesis(month, air, plants_liquid, co2, light[m], cover, room, roots, p)
        plants += (1.0 - p.respired) * fixed * seconds
        litter = plants * (1.0 - np.exp(-year_share / p.plant_time))
        plants -= litter
        released = 0.0
        released_2 = 0.0
        total = 0.0
        for i in range(WET_LAYERS):
            if apart:  # what other drivers would make of the same stocks
                s = fade[i] * decay_scalar(
                    temperature_2[month, i], microbes_liquid_2[month, i] / room[i], p
                )
                if s > 0.0:
                    lost = fast[i] * (1.0 - np.exp(-p.fast_rate * s * year_share))
                    old = slow[i] * (1.0 - np.exp(-slow_rate * s * year_share))
                    released_2 += (1.0 - p.to_slow) * lost + old
            s = fade[i] * decay_scalar(
                temperature[month, i], microbes_liquid[month, i] / room[i], p
            )
            if s > 0.0:
                lost = fast[i] * (1.0 - np.exp(-p.fast_rate * s * year_share))
                old = slow[i] * (1.0 - np.exp(-slow_rate * s * year_share))
                fast[i] -= lost
                slow[i] += p.to_slow * lost - old
                released += (1.0 - p.to_slow) * lost + old
            fast[i] += litter * profile[i]
            total += fast[i] + slow[i]
        if apart:
            fixed = _photosynthesis(
                month, air_2, plants_liquid_2, co2_2, light[m], cover, room, roots, p
            )
            released = released_2
        gpp[month] = fixed
        ra[month] = p.respired * fixed
        rh[month] = released / seconds
        stock[month] = total
        growth[month] = plants
        if m == 11:
            degree_days += (warm - degree_days) * (1.0 - np.exp(-1.0 / p.cover_memory))
            warm = 0.0
    return plants, degree_days


@numba.njit(parallel=True, cache=True, nogil=True, error_model="numpy")
def _live(
    plants, fast, slow, degree_days, profile, slow_rate, seen, shown, apart, light, soil, p, out
):
    """Advance the carbon of all cells, in parallel; each is independent of the others."""
    air, temperature, plants_liquid, microbes_liquid, co2 = seen
    air_2, temperature_2, plants_liquid_2, microbes_liquid_2, co2_2 = shown
    gpp, ra, rh, stock, growth = out
    for cell in numba.prange(plants.size):
        plants[cell], degree_days[cell] = _live_cell(
            plants[cell],
            fast[cell],
            slow[cell],
            degree_days[cell],
            profile[cell],
            slow_rate[cell],
            (air[cell], temperature[cell], plants_liquid[cell], microbes_liquid[cell], co2),
            (
                air_2[cell],
                temperature_2[cell],
                plants_liquid_2[cell],
                microbes_liquid_2[cell],
                co2_2,
            ),
            apart,
            light[cell],
            soil,
            p,
            (gpp[cell], ra[cell], rh[cell], stock[cell], growth[cell]),
        )


def live(
    carbon: Carbon,
    drivers: Drivers,
    light: np.ndarray,
    *,
    co2_reference: float,
    physics: Physics = PHYSICS,
    shown: Drivers | None = None,
) -> Fluxes:
    """Advance carbon through whole years.

    Parameters
    ----------
    carbon : Carbon
        Changed in place.
    drivers : Drivers
        What the carbon equations see.
    light : ndarray (cell, 12)
        From `monthly_light`.
    co2_reference : float
        CO2 at which plants are not fertilised, ppm.
    physics : Physics
    shown : Drivers, optional
        If given, the fluxes returned are those that these drivers would make of the same stocks
        in each month, while the stocks go on with `drivers`: instantaneous effects.

    Returns
    -------
    Fluxes
    """
    layers = soil(physics.soil)
    seen = drivers.arrays(co2_reference)
    out = [np.empty(drivers.air.shape) for _ in range(5)]
    p = values(physics)
    _live(
        carbon.plants,
        carbon.fast,
        carbon.slow,
        carbon.degree_days,
        carbon.litter_profile,
        carbon.slow_rate,
        seen,
        seen if shown is None else shown.arrays(co2_reference),
        shown is not None,
        light,
        (pore_room(layers), layers.roots[:WET_LAYERS], fading(layers, p), MONTH_DAYS.astype(float)),
        p,
        tuple(out),
    )
    return Fluxes(*out)


def pore_room(layers: Soil) -> np.ndarray:
    """Water that fills the pores of the wet layers (layer,), kg m-2."""
    return 1000.0 * (layers.porosity * layers.thickness)[:WET_LAYERS]


def middle(layers: Soil) -> np.ndarray:
    """Depth of the middle of the wet layers (layer,), m."""
    return (np.cumsum(layers.thickness) - 0.5 * layers.thickness)[:WET_LAYERS]


def fading(layers: Soil, p: Values) -> np.ndarray:
    """Fading of decay with depth in the wet layers (layer,)."""
    return np.exp(-middle(layers) / p.depth_scale)


def slow_stock(soil_temperature: np.ndarray, physics: Physics = PHYSICS) -> np.ndarray:
    """Slow carbon of the layers before warming.

    A surface part everywhere, and a part throughout ground that is frozen all year.

    Parameters
    ----------
    soil_temperature : ndarray (cell,)
        Mean of the column, °C: the frozen part grows from none at +1 °C to all at -1 °C.

    Returns
    -------
    ndarray (cell, layer)
        kg m-2.
    """
    p, layers = physics.carbon, soil(physics.soil)
    edges = np.concatenate([[0.0], np.cumsum(layers.thickness[:WET_LAYERS])])
    surface = p.slow_surface * p.slow_scale * -np.diff(np.exp(-edges / p.slow_scale))
    frozen = np.clip(0.5 - 0.5 * soil_temperature, 0.0, 1.0)
    return surface + frozen[:, None] * p.slow_frozen * layers.thickness[:WET_LAYERS]


@numba.njit(parallel=True, cache=True, error_model="numpy")
def _mean_scalar(temperature, liquid, room, fade, days, p):
    cells, months = temperature.shape[0], temperature.shape[1]
    out = np.zeros((cells, WET_LAYERS))
    for cell in numba.prange(cells):
        for month in range(months):
            for i in range(WET_LAYERS):
                out[cell, i] += days[month % 12] * decay_scalar(
                    temperature[cell, month, i], liquid[cell, month, i] / room[i], p
                )
        for i in range(WET_LAYERS):
            out[cell, i] *= fade[i] / (365.0 * (months // 12))
    return out


def equilibrium(
    monthly: Monthly,
    co2: float,
    light: np.ndarray,
    *,
    co2_reference: float,
    physics: Physics = PHYSICS,
) -> Carbon:
    """Carbon at rest with an unforced climate.

    The slow stock is given; the decay of slow carbon of each cell and the depth at which litter
    enters follow from the demand that nothing drifts: input into a layer is proportional to its
    mean decay scalar times its slow stock. Ground that never thaws gets no litter, and cells
    that never thaw have no plants.

    Parameters
    ----------
    monthly : Monthly
        Whole years of the unforced column.
    co2 : float
        ppm.
    light : ndarray (cell, 12)
    co2_reference : float
        ppm.
    physics : Physics

    Returns
    -------
    Carbon
    """
    p, layers = physics.carbon, soil(physics.soil)
    cells, months = monthly.air.shape
    length = np.tile(MONTH_DAYS, months // 12).astype(float)
    stock = slow_stock(
        np.einsum("cml,m->c", monthly.temperature, length / length.sum()) / WET_LAYERS, physics
    )
    scalar = _mean_scalar(
        monthly.temperature,
        monthly.liquid,
        pore_room(layers),
        fading(layers, values(physics)),
        MONTH_DAYS.astype(float),
        values(physics),
    )
    speed = scalar * stock
    total = speed.sum(axis=1)
    alive = total > 1e-3
    safe = np.where(alive, total, 1.0)
    warm = (np.maximum(monthly.air, 0.0) * length).sum(axis=1) / (months // 12)
    carbon = Carbon(
        plants=np.zeros(cells),
        fast=np.zeros((cells, WET_LAYERS)),
        slow=stock,
        degree_days=warm,
        litter_profile=np.where(alive[:, None], speed / safe[:, None], 0.0),
        slow_rate=alive.astype(float),
    )
    trial = live(
        carbon.copy(),
        Drivers.of(monthly, np.full(months // 12, co2)),
        light,
        co2_reference=co2_reference,
        physics=physics,
    )
    growth = (1.0 - p.respired) * (trial.gpp * length * 86400.0).sum(axis=1) / (months // 12)
    carbon.plants = growth * p.plant_time
    carbon.fast = np.where(alive[:, None], growth[:, None] * stock / safe[:, None], 0.0) / (
        p.fast_rate
    )
    carbon.slow_rate = np.where(alive, p.to_slow * growth / safe, 0.0)
    return carbon
