"""The monthly carbon equations; numba kernels.

    GPP = ε · PAR · cover · f(T) · (1 + β ln(C/C0)) · g(liquid)
    RA  = r · GPP + m · C_plants · Q10_m^((T - 10 °C)/10)
    RH  = (1 - a) · Σ k_fast s F + Σ k_slow s S
    s   = Q10^((T - 10 °C)/10) · W(liquid) · O(liquid) · exp(-z/z0)

W falls with the logarithm of water potential from saturation to -10 MPa, and O accounts for the
lack of air near saturation: decay is fastest in moist soil. Frozen soil holds little liquid water,
so its carbon is preserved.
"""

from __future__ import annotations

from collections import namedtuple
from dataclasses import asdict

import numba
import numpy as np

from mpcf.demo.calendar import DAYS_PER_YEAR
from mpcf.demo.parameters import PHYSICS, CarbonParameters, Physics
from mpcf.demo.soil import WET_LAYERS
from mpcf.ground.constants import SECONDS_PER_DAY

__all__ = [
    "KernelParameters",
    "advance_cells",
    "decay_scalar",
    "kernel_parameters",
    "maintenance_scalar",
    "mean_scalar",
    "moisture_stress",
]

REFERENCE_TEMPERATURE = 10.0
"""Temperature at which rates of decay and of maintenance are given, °C."""

KernelParameters = namedtuple(
    "KernelParameters", [*CarbonParameters.__dataclass_fields__, "wilting", "stress_free"]
)


def kernel_parameters(physics: Physics = PHYSICS) -> KernelParameters:
    """Return the parameters as a named tuple, which kernels can read.

    Parameters
    ----------
    physics : Physics
        Parameters of soil and carbon.

    Returns
    -------
    KernelParameters
        The carbon parameters, and the saturations between which plants lack water.

    Examples
    --------
    >>> kernel_parameters().q10
    2.0
    """
    soil = physics.soil
    return KernelParameters(
        **asdict(physics.carbon), wilting=soil.wilting, stress_free=soil.stress_free
    )


@numba.njit(cache=True, error_model="numpy")
def decay_scalar(temperature, saturation, p):
    """Return the decay rate relative to moist soil at 10 °C, before attenuation with depth.

    Parameters
    ----------
    temperature : float
        °C.
    saturation : float
        Liquid water per pore space.
    p : KernelParameters
        From `kernel_parameters`.

    Returns
    -------
    float
        1 in moist soil at 10 °C.

    Examples
    --------
    >>> decay_scalar(20.0, 0.2, kernel_parameters()) < decay_scalar(20.0, 0.7, kernel_parameters())
    True
    """
    if saturation <= 0.0:
        return 0.0
    span = np.log(p.min_water_potential / p.max_water_potential)
    moist = 1.0 + p.retention * np.log(saturation) / span
    if moist <= 0.0:
        return 0.0
    full = min(max((saturation - p.waterlogged) / (1.0 - p.waterlogged), 0.0), 1.0)
    return (
        np.exp(np.log(p.q10) * (temperature - REFERENCE_TEMPERATURE) / 10.0)
        * min(moist, 1.0)
        * (1.0 - p.microbe_waterlogging * full)
    )


@numba.njit(cache=True, error_model="numpy")
def maintenance_scalar(air, p):
    """Return the maintenance respiration of plants relative to that at 10 °C.

    Parameters
    ----------
    air : float
        Air temperature, °C.
    p : KernelParameters
        From `kernel_parameters`.

    Returns
    -------
    float
        1 at 10 °C.

    Examples
    --------
    >>> maintenance_scalar(20.0, kernel_parameters())
    2.0
    """
    return np.exp(np.log(p.maintenance_q10) * (air - REFERENCE_TEMPERATURE) / 10.0)


@numba.njit(cache=True, error_model="numpy")
def moisture_stress(liquid, month, saturated, roots, p):
    """Return the limit that soil moisture sets on photosynthesis: dry, frozen or waterlogged.

    Parameters
    ----------
    liquid : ndarray (month, layer)
        Liquid water, kg m-2.
    month : int
        Row of `liquid`.
    saturated : ndarray (layer,)
        Water that fills the pores, kg m-2.
    roots : ndarray (layer,)
        Share of all roots.
    p : KernelParameters
        From `kernel_parameters`.

    Returns
    -------
    float
        From 0, no photosynthesis, to 1, no limit.

    Examples
    --------
    >>> half_full = np.full((1, 12), 5.0)
    >>> moisture_stress(half_full, 0, np.full(12, 10.0), np.full(12, 1 / 12), kernel_parameters())
    1.0
    """
    total = 0.0
    for i in range(roots.size):
        wet = liquid[month, i] / saturated[i]
        ease = min(max((wet - p.wilting) / (p.stress_free - p.wilting), 0.0), 1.0)
        full = min(max((wet - p.waterlogged) / (1.0 - p.waterlogged), 0.0), 1.0)
        total += roots[i] * ease * (1.0 - p.plant_waterlogging * full)
    return total


@numba.njit(cache=True, error_model="numpy")
def _photosynthesis(month, air, liquid, co2, light, cover, saturated, roots, p):
    """Return the GPP of a month, kg m-2 s-1."""
    return (
        p.light_use
        * light
        * cover
        * min(max(air[month] / p.unlimited_temperature, 0.0), 1.0)
        * (1.0 + p.co2_response * np.log(co2[month]))
        * moisture_stress(liquid, month, saturated, roots, p)
    )


@numba.njit(cache=True, error_model="numpy")
def _plant_respiration(fixed, plants, air, upkeep, p):
    """Return autotrophic respiration, kg m-2 s-1: growth, and maintenance at `upkeep`, s-1."""
    return p.growth_share * fixed + upkeep * plants * maintenance_scalar(air, p)


@numba.njit(cache=True, error_model="numpy")
def _advance_cell(
    plants, fast, slow, degree_days, profile, slow_rate, upkeep, drivers, instant,
    has_instant, light, soil, p, out,
):  # fmt: skip
    """Advance the carbon of one cell; return plant carbon (kg m-2) and degree-days (K d)."""
    saturated, roots, attenuation, days = soil
    air, temperature, plants_liquid, microbes_liquid, co2 = drivers
    instant_air, instant_temperature, instant_plants, instant_microbes, instant_co2 = instant
    gpp, ra, rh, stock, growth = out
    warm = 0.0
    for month in range(air.size):
        m = month % 12
        year_share = days[m] / DAYS_PER_YEAR
        seconds = days[m] * SECONDS_PER_DAY
        warm += max(air[month], 0.0) * days[m]
        cover = p.max_cover * degree_days / (degree_days + p.half_cover)
        if slow_rate == 0.0:  # ground that never thaws
            cover = 0.0
        fixed = _photosynthesis(
            month, air, plants_liquid, co2, light[m], cover, saturated, roots, p
        )
        respired = _plant_respiration(fixed, plants, air[month], upkeep, p)
        if has_instant:  # what the other drivers would do with the same stocks
            instant_fixed = _photosynthesis(
                month,
                instant_air,
                instant_plants,
                instant_co2,
                light[m],
                cover,
                saturated,
                roots,
                p,
            )
            instant_respired = _plant_respiration(
                instant_fixed, plants, instant_air[month], upkeep, p
            )
        plants += (fixed - respired) * seconds
        litter = plants * (1.0 - np.exp(-year_share / p.plant_time))
        plants -= litter
        released = 0.0
        instant_released = 0.0
        total = 0.0
        for i in range(WET_LAYERS):
            if has_instant:
                s = attenuation[i] * decay_scalar(
                    instant_temperature[month, i], instant_microbes[month, i] / saturated[i], p
                )
                if s > 0.0:
                    lost = fast[i] * (1.0 - np.exp(-p.fast_rate * s * year_share))
                    old = slow[i] * (1.0 - np.exp(-slow_rate * s * year_share))
                    instant_released += (1.0 - p.to_slow) * lost + old
            s = attenuation[i] * decay_scalar(
                temperature[month, i], microbes_liquid[month, i] / saturated[i], p
            )
            if s > 0.0:
                lost = fast[i] * (1.0 - np.exp(-p.fast_rate * s * year_share))
                old = slow[i] * (1.0 - np.exp(-slow_rate * s * year_share))
                fast[i] -= lost
                slow[i] += p.to_slow * lost - old
                released += (1.0 - p.to_slow) * lost + old
            fast[i] += litter * profile[i]
            total += fast[i] + slow[i]
        if has_instant:
            fixed, respired, released = instant_fixed, instant_respired, instant_released
        gpp[month] = fixed
        ra[month] = respired
        rh[month] = released / seconds
        stock[month] = total
        growth[month] = plants
        if m == 11:
            degree_days += (warm - degree_days) * (1.0 - np.exp(-1.0 / p.cover_memory))
            warm = 0.0
    return plants, degree_days


@numba.njit(parallel=True, cache=True, nogil=True, error_model="numpy")
def advance_cells(
    plants, fast, slow, degree_days, profile, slow_rate, upkeep, drivers, instant,
    has_instant, light, soil, p, out,
):  # fmt: skip
    """Advance the carbon of all cells, in parallel; each is independent of the others."""
    air, temperature, plants_liquid, microbes_liquid, co2 = drivers
    instant_air, instant_temperature, instant_plants, instant_microbes, instant_co2 = instant
    gpp, ra, rh, stock, growth = out
    for cell in numba.prange(plants.size):
        plants[cell], degree_days[cell] = _advance_cell(
            plants[cell],
            fast[cell],
            slow[cell],
            degree_days[cell],
            profile[cell],
            slow_rate[cell],
            upkeep[cell],
            (air[cell], temperature[cell], plants_liquid[cell], microbes_liquid[cell], co2),
            (
                instant_air[cell],
                instant_temperature[cell],
                instant_plants[cell],
                instant_microbes[cell],
                instant_co2,
            ),
            has_instant,
            light[cell],
            soil,
            p,
            (gpp[cell], ra[cell], rh[cell], stock[cell], growth[cell]),
        )


@numba.njit(parallel=True, cache=True, error_model="numpy")
def mean_scalar(temperature, liquid, saturated, attenuation, days, p):
    """Return the mean decay scalar (cell, layer) of whole years, attenuated with depth."""
    cells, months = temperature.shape[0], temperature.shape[1]
    out = np.zeros((cells, WET_LAYERS))
    for cell in numba.prange(cells):
        for month in range(months):
            for i in range(WET_LAYERS):
                out[cell, i] += days[month % 12] * decay_scalar(
                    temperature[cell, month, i], liquid[cell, month, i] / saturated[i], p
                )
        for i in range(WET_LAYERS):
            out[cell, i] *= attenuation[i] / (DAYS_PER_YEAR * (months // 12))
    return out
