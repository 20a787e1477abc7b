"""Carbon by month: photosynthesis, plant respiration, and litter and soil carbon by layer.

The carbon equations depend on the world only through `Drivers` (air and soil temperature, liquid
water, CO2), so that any of these can be taken from another run.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mpcf.demo.calendar import DAYS_PER_YEAR, MONTH_DAYS
from mpcf.demo.carbon_kernels import (
    KernelParameters,
    advance_cells,
    kernel_parameters,
    maintenance_scalar,
    mean_scalar,
)
from mpcf.demo.column import Monthly
from mpcf.demo.parameters import CARBON, PHYSICS, SOIL, Physics
from mpcf.demo.soil import (
    LAYER_EDGES,
    WET_LAYERS,
    SoilLayers,
    max_water,
    node_depth,
    soil_layers,
)
from mpcf.demo.weather import daily_insolation
from mpcf.ground.constants import SECONDS_PER_DAY

__all__ = [
    "Carbon",
    "Drivers",
    "Fluxes",
    "advance",
    "equilibrium",
    "monthly_light",
    "slow_stock",
]

MIN_DECAY = 1e-3
"""Decay of slow carbon summed over the layers, kg m-2 yr-1 at the rate 1 yr-1, below which a cell
counts as never thawing and has no plants."""


@dataclass
class Carbon:
    """Carbon of all cells, kg m-2, and the quantities that set its turnover.

    Attributes
    ----------
    plants : ndarray (cell,)
        Carbon in plants.
    fast, slow : ndarray (cell, layer)
        Litter, and slow soil carbon.
    degree_days : ndarray (cell,)
        Running mean of the yearly thawing degree-days, K d.
    litter_profile : ndarray (cell, layer)
        Share of the litter that enters each layer.
    slow_rate : ndarray (cell,)
        Decay rate of slow carbon in moist soil at 10 °C, yr-1.
    upkeep : ndarray (cell,)
        Maintenance respiration of plants at 10 °C per carbon in plants, s-1.
    """

    plants: np.ndarray
    fast: np.ndarray
    slow: np.ndarray
    degree_days: np.ndarray
    litter_profile: np.ndarray
    slow_rate: np.ndarray
    upkeep: np.ndarray

    def copy(self) -> Carbon:
        """Return an independent copy."""
        return Carbon(*(getattr(self, name).copy() for name in self.__dataclass_fields__))

    def at(self, cells: np.ndarray) -> Carbon:
        """Return an independent copy of some cells."""
        return Carbon(*(getattr(self, name)[cells] for name in self.__dataclass_fields__))


@dataclass(frozen=True)
class Drivers:
    """All inputs of the carbon equations, by month.

    Attributes
    ----------
    air : ndarray (cell, month)
        Air temperature, °C.
    temperature : ndarray (cell, month, layer)
        Soil temperature, °C.
    plants_liquid, microbes_liquid : ndarray (cell, month, layer)
        Liquid water for photosynthesis and for decomposition, kg m-2.
    co2 : ndarray (year,)
        Mole fraction of CO2 in dry air, ppm.
    """

    air: np.ndarray
    temperature: np.ndarray
    plants_liquid: np.ndarray
    microbes_liquid: np.ndarray
    co2: np.ndarray

    @classmethod
    def of(cls, monthly: Monthly, co2: np.ndarray) -> Drivers:
        """Return the drivers from a run's own columns."""
        return cls(monthly.air, monthly.temperature, monthly.liquid, monthly.liquid, co2)

    def arrays(self, co2_reference: float) -> tuple[np.ndarray, ...]:
        """Return the arrays that kernels read; CO2 by month, relative to its reference."""
        co2 = np.repeat(self.co2 / co2_reference, 12)
        fields = (self.air, self.temperature, self.plants_liquid, self.microbes_liquid)
        return (*(np.ascontiguousarray(values, np.float32) for values in fields), co2)


@dataclass(frozen=True)
class Fluxes:
    """Monthly carbon.

    Attributes
    ----------
    gpp, ra, rh : ndarray (cell, month)
        Gross primary production, autotrophic and heterotrophic respiration, kg m-2 s-1.
    soil, plants : ndarray (cell, month)
        Stocks at the end of the month, kg m-2.
    """

    gpp: np.ndarray
    ra: np.ndarray
    rh: np.ndarray
    soil: np.ndarray
    plants: np.ndarray

    def at(self, cells: np.ndarray) -> Fluxes:
        """Return the fluxes of some cells."""
        return Fluxes(*(getattr(self, name)[cells] for name in self.__dataclass_fields__))

    def months(self, first: int) -> Fluxes:
        """Return the months from `first` on."""
        return Fluxes(*(getattr(self, name)[:, first:] for name in self.__dataclass_fields__))


def monthly_light(lat: np.ndarray) -> np.ndarray:
    """Return the photosynthetically active light at the surface.

    Parameters
    ----------
    lat : ndarray (cell,)
        Degrees.

    Returns
    -------
    ndarray (cell, 12)
        Monthly means, W m-2.

    Examples
    --------
    >>> monthly_light(np.array([75.0])).round()[0, [0, 5]]
    array([  0., 116.])
    """
    daily = daily_insolation(lat, np.arange(DAYS_PER_YEAR) + 0.5)
    ends = np.cumsum(MONTH_DAYS)
    parts = [
        daily[:, end - length : end].mean(axis=1)
        for end, length in zip(ends, MONTH_DAYS, strict=True)
    ]
    return CARBON.light_share * SOIL.transmissivity * np.stack(parts, axis=1)


def advance(
    carbon: Carbon,
    drivers: Drivers,
    light: np.ndarray,
    *,
    co2_reference: float,
    physics: Physics = PHYSICS,
    instant: Drivers | None = None,
) -> Fluxes:
    """Advance carbon through whole years.

    Parameters
    ----------
    carbon : Carbon
        Changed in place.
    drivers : Drivers
        Inputs of the carbon equations.
    light : ndarray (cell, 12)
        From `monthly_light`, W m-2.
    co2_reference : float
        CO2 without a fertilisation effect, ppm.
    physics : Physics
        Parameters of soil and carbon.
    instant : Drivers, optional
        Drivers of the fluxes that are returned, if these differ from those of the stocks: in each
        month they act on the stocks that `drivers` produced, which gives instantaneous effects.

    Returns
    -------
    Fluxes
        Of all months.
    """
    layers = soil_layers(physics.soil)
    p = kernel_parameters(physics)
    arrays = drivers.arrays(co2_reference)
    soil = (
        max_water(layers),
        layers.roots[:WET_LAYERS],
        depth_attenuation(layers, p),
        MONTH_DAYS.astype(float),
    )
    out = tuple(np.empty(drivers.air.shape) for _ in range(5))
    advance_cells(
        carbon.plants,
        carbon.fast,
        carbon.slow,
        carbon.degree_days,
        carbon.litter_profile,
        carbon.slow_rate,
        carbon.upkeep,
        arrays,
        arrays if instant is None else instant.arrays(co2_reference),
        instant is not None,
        light,
        soil,
        p,
        out,
    )
    return Fluxes(*out)


def depth_attenuation(layers: SoilLayers, p: KernelParameters) -> np.ndarray:
    """Return the attenuation of decay with depth.

    Parameters
    ----------
    layers : SoilLayers
        From `mpcf.demo.soil.soil_layers`.
    p : KernelParameters
        From `kernel_parameters`.

    Returns
    -------
    ndarray (layer,)
        1 at the surface.

    Examples
    --------
    >>> depth_attenuation(soil_layers(), kernel_parameters())[[0, 11]].round(2)
    array([0.98, 0.13])
    """
    return np.exp(-node_depth(layers)[:WET_LAYERS] / p.depth_scale)


def slow_stock(soil_temperature: np.ndarray, physics: Physics = PHYSICS) -> np.ndarray:
    """Return the slow carbon of the layers before warming.

    It has a part near the surface everywhere, and a part throughout perennially frozen ground.

    Parameters
    ----------
    soil_temperature : ndarray (cell,)
        Mean of the column, °C: the frozen part grows from none at +1 °C to all at -1 °C.
    physics : Physics
        Parameters of soil and carbon.

    Returns
    -------
    ndarray (cell, layer)
        kg m-2.

    Examples
    --------
    >>> frozen, thawed = slow_stock(np.array([-5.0, 5.0])).sum(axis=1).round()
    >>> float(frozen), float(thawed)
    (65.0, 20.0)
    """
    p, layers = physics.carbon, soil_layers(physics.soil)
    surface = (
        p.slow_surface
        * p.slow_scale
        * -np.diff(np.exp(-LAYER_EDGES[: WET_LAYERS + 1] / p.slow_scale))
    )
    frozen = np.clip(0.5 - 0.5 * soil_temperature, 0.0, 1.0)
    return surface + frozen[:, None] * p.slow_frozen * layers.thickness[:WET_LAYERS]


def equilibrium(
    monthly: Monthly,
    co2: float,
    light: np.ndarray,
    *,
    co2_reference: float,
    physics: Physics = PHYSICS,
) -> Carbon:
    """Return carbon in equilibrium with an unforced climate.

    The slow stock is prescribed, and the share of photosynthesis that plants respire. The decay
    rate of slow carbon in each cell, the maintenance rate of its plants and the depths at which
    litter enters follow from the condition that nothing drifts: the input into a layer is
    proportional to its mean decay scalar times its slow stock. Layers that never thaw receive no
    litter, and cells that never thaw have no plants.

    Parameters
    ----------
    monthly : Monthly
        Whole years of the unforced column.
    co2 : float
        CO2 of the unforced climate, ppm.
    light : ndarray (cell, 12)
        From `monthly_light`, W m-2.
    co2_reference : float
        CO2 without a fertilisation effect, ppm.
    physics : Physics
        Parameters of soil and carbon.

    Returns
    -------
    Carbon
        Stocks that neither grow nor shrink in that climate.
    """
    p, layers = physics.carbon, soil_layers(physics.soil)
    scales = kernel_parameters(physics)
    cells, months = monthly.air.shape
    length = np.tile(MONTH_DAYS, months // 12).astype(float)
    stock = slow_stock(
        np.einsum("cml,m->c", monthly.temperature[..., :WET_LAYERS], length / length.sum())
        / WET_LAYERS,
        physics,
    )
    scalar = mean_scalar(
        monthly.temperature,
        monthly.liquid,
        max_water(layers),
        depth_attenuation(layers, scales),
        MONTH_DAYS.astype(float),
        scales,
    )
    speed = scalar * stock
    total = speed.sum(axis=1)
    alive = total > MIN_DECAY
    safe = np.where(alive, total, 1.0)
    warm = (np.maximum(monthly.air, 0.0) * length).sum(axis=1) / (months // 12)
    carbon = Carbon(
        plants=np.zeros(cells),
        fast=np.zeros((cells, WET_LAYERS)),
        slow=stock,
        degree_days=warm,
        litter_profile=np.where(alive[:, None], speed / safe[:, None], 0.0),
        slow_rate=alive.astype(float),
        upkeep=np.zeros(cells),
    )
    trial = advance(
        carbon.copy(),
        Drivers.of(monthly, np.full(months // 12, co2)),
        light,
        co2_reference=co2_reference,
        physics=physics,
    )
    fixed = (trial.gpp * length * SECONDS_PER_DAY).sum(axis=1)
    growth = (1.0 - p.respired_share) * fixed / (months // 12)
    carbon.plants = growth * p.plant_time
    upkeep = (p.respired_share - p.growth_share) * fixed
    warmth = (maintenance_scalar(monthly.air, scales) * length * SECONDS_PER_DAY).sum(axis=1)
    carbon.upkeep = np.where(alive, upkeep / (warmth * np.where(alive, carbon.plants, 1.0)), 0.0)
    fast = np.where(alive[:, None], growth[:, None] * stock / safe[:, None], 0.0)
    carbon.fast = fast / p.fast_rate
    carbon.slow_rate = np.where(alive, p.to_slow * growth / safe, 0.0)
    return carbon
