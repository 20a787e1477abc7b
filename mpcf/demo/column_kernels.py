"""One time step of a soil column: snow, heat, and water; numba kernels.

Water that moves carries its heat, c_water · max(T, 0) per kg; liquid water at 0 °C carries none.
Each step conserves energy and water to rounding.

In a counterfactual run, conduction uses the water of another run: as heat capacity and latent heat,
as conductivity, or as both. A layer is given that water, and then its own again, at constant
temperature.
"""

from __future__ import annotations

import numba
import numpy as np

from mpcf.demo.conduction import conduct, conductivity, enthalpy_of, temperature_of
from mpcf.demo.soil import SOIL_LAYERS, WATER_DENSITY, WET_LAYERS
from mpcf.ground.constants import SECONDS_PER_DAY

__all__ = ["SHARE", "TEMP", "WORK_ROWS", "column_step", "refresh"]

# Rows of `work`, after those of `mpcf.demo.conduction`.
TEMP, SHARE, MAX_WATER, CONDUCTANCE = range(8, 12)
WORK_ROWS = 12
"""Number of rows of `work`."""

LN_10 = 2.302585092994046

MIN_SNOW_COVER = 10.0
"""Snow, kg m-2, above which the surface stays at or below 0 °C."""

MAX_SNOW_EVAPORATING = 1.0
"""Snow, kg m-2, at or above which nothing evaporates."""

# Slope of saturation vapour pressure, Pa K-1, is
# SLOPE_FACTOR · PRESSURE_AT_0 · exp(TETENS_A T/(T + TETENS_B)) / (T + TETENS_B)²
# (Allen et al. 1998, FAO Irrigation and Drainage Paper 56, equation 13).
TETENS_A = 17.27
TETENS_B = 237.3
"""°C."""
SLOPE_FACTOR = 4098.0
"""TETENS_A · TETENS_B as rounded in the source, °C."""
PRESSURE_AT_0 = 610.8
"""Saturation vapour pressure at 0 °C, Pa."""
PSYCHROMETRIC = 66.0
"""Psychrometric constant near sea level, Pa K-1 (same source, table 2.2)."""


@numba.njit(cache=True, error_model="numpy")
def _impedance(ice, p):
    """Return the share of the flow that passes ice in the pores: 10^(-6 · ice per pore space)."""
    if ice <= 0.0:
        return 1.0
    return np.exp(-LN_10 * p.ice_impedance * ice)


@numba.njit(cache=True, error_model="numpy")
def _move(enthalpy, water, source, target, amount, temp, p):
    """Move liquid water, with its heat, from one layer to another."""
    heat = amount * p.capacity_water * max(temp, 0.0)
    water[source] -= amount
    enthalpy[source] -= heat
    water[target] += amount
    enthalpy[target] += heat


@numba.njit(cache=True, error_model="numpy")
def refresh(enthalpy, water, capacity, p, work):
    """Write the temperature (°C) and liquid share of the soil layers into their rows of `work`.

    Parameters
    ----------
    enthalpy, water, capacity : ndarray (layer,)
        J m-2, kg m-2, J m-2 K-1.
    p : KernelParameters
        From `mpcf.demo.conduction.kernel_parameters`.
    work : ndarray (12, layer)
        Changed in place.
    """
    for i in range(SOIL_LAYERS):
        work[TEMP, i], work[SHARE, i], _ = temperature_of(enthalpy[i], water[i], capacity[i], p)


@numba.njit(cache=True, error_model="numpy")
def column_step(
    enthalpy,
    water,
    snow,
    air,
    precipitation,
    insolation,
    thickness,
    porosity,
    capacity,
    log_frozen,
    log_thawed,
    dry,
    roots,
    p,
    work,
    storage_water,
    conduction_water,
    swapped,
):
    """Advance one column by one step: snow, heat, then water.

    Parameters
    ----------
    enthalpy, water : ndarray (layer,)
        J m-2, kg m-2; changed in place.
    snow : float
        Snow on the ground, kg m-2.
    air : float
        Air temperature, °C.
    precipitation : float
        Rain and snow, kg m-2 s-1.
    insolation : float
        At the top of the atmosphere, W m-2.
    thickness, porosity, capacity, log_frozen, log_thawed, dry, roots : ndarray (layer,)
        See `mpcf.demo.soil.SoilLayers`.
    p : KernelParameters
        From `mpcf.demo.conduction.kernel_parameters`.
    work : ndarray (12, layer)
        Scratch space that holds the temperature and liquid share before the step: see `refresh`.
    storage_water, conduction_water : ndarray (layer,)
        Water that stores heat and water that conducts it, kg m-2: `water` itself, except in
        counterfactual runs.
    swapped : bool
        Whether `storage_water` differs from `water`.

    Returns
    -------
    tuple of float
        Snow (kg m-2); heat that entered by conduction and with water (J m-2); evaporation and
        runoff (kg m-2), where runoff includes snow above the limit.
    """
    seconds = p.step * SECONDS_PER_DAY
    conductance = work[CONDUCTANCE]
    n = enthalpy.size
    wet = WET_LAYERS

    # Snow.
    falling = precipitation * seconds
    frozen = min(max((1.0 + 0.5 * p.snow_range - air) / p.snow_range, 0.0), 1.0)
    rain = falling * (1.0 - frozen)
    snow += falling * frozen
    melt = min(p.degree_day_factor * max(air, 0.0) * p.step, snow)
    snow -= melt
    runoff = max(snow - p.max_snow, 0.0)
    snow -= runoff

    # Heat.
    half = 0.0
    for i in range(n):
        work[MAX_WATER, i] = WATER_DENSITY * porosity[i] * thickness[i]
        if i < SOIL_LAYERS:
            saturation = conduction_water[i] / work[MAX_WATER, i]
            k = conductivity(saturation, work[SHARE, i], log_frozen[i], log_thawed[i], dry[i])
        else:
            k = p.conductivity_rock
        resistance = 0.5 * thickness[i] / k
        if i > 0:
            conductance[i - 1] = 1.0 / (half + resistance)
        else:
            cover = snow / p.snow_density / p.snow_conductivity
            surface = 1.0 / (p.surface_resistance + cover + resistance)
        half = resistance
    skin = min(air, 0.0) if snow > MIN_SNOW_COVER else air
    if swapped:
        for i in range(wet):
            enthalpy[i] = enthalpy_of(work[TEMP, i], storage_water[i], capacity[i], p)
    below = p.geothermal
    heat, _iterations = conduct(
        enthalpy, storage_water, capacity, conductance, surface, skin, below, seconds, p, work
    )
    refresh(enthalpy, storage_water, capacity, p, work)
    if swapped:
        for i in range(wet):
            enthalpy[i] = enthalpy_of(work[TEMP, i], water[i], capacity[i], p)
    carried = 0.0

    # Infiltration, as fast as ice allows and as far as the pores have room.
    ice = (1.0 - work[SHARE, 0]) * water[0] / work[MAX_WATER, 0]
    supply = rain + melt
    left = min(supply, p.infiltration * seconds * _impedance(ice, p))
    rain_heat = p.capacity_water * max(air, 0.0) * (rain / supply if supply > 0.0 else 0.0)
    for i in range(wet):
        if left <= 0.0:
            break
        if i > 0:
            ice = (1.0 - work[SHARE, i]) * water[i] / work[MAX_WATER, i]
            left = min(left, p.infiltration * seconds * _impedance(ice, p))
        take = min(left, max(work[MAX_WATER, i] - water[i], 0.0))
        water[i] += take
        enthalpy[i] += take * rain_heat
        carried += take * rain_heat
        supply -= take
        left -= take
    runoff += supply

    # Evapotranspiration (Priestley and Taylor 1972); none from snow.
    evaporation = 0.0
    if air > 0.0 and snow < MAX_SNOW_EVAPORATING:
        growth = np.exp(TETENS_A * air / (air + TETENS_B))
        steep = SLOPE_FACTOR * PRESSURE_AT_0 * growth / (air + TETENS_B) ** 2
        energy = max((1.0 - p.albedo) * p.transmissivity * insolation - p.longwave, 0.0)
        share = p.priestley_taylor * steep / (steep + PSYCHROMETRIC)
        demand = share * energy / p.vaporisation * seconds
        for i in range(wet):
            liquid = work[SHARE, i] * water[i]
            wetness = liquid / work[MAX_WATER, i]
            ease = min(max((wetness - p.wilting) / (p.stress_free - p.wilting), 0.0), 1.0)
            take = min(demand * roots[i] * ease, max(liquid - p.wilting * work[MAX_WATER, i], 0.0))
            gone = take * p.capacity_water * max(work[TEMP, i], 0.0)
            water[i] -= take
            enthalpy[i] -= gone
            carried -= gone
            evaporation += take

    to_side = 1.0 - np.exp(-p.step / p.lateral_time)
    to_bottom = 1.0 - np.exp(-p.step / p.bottom_time)
    to_below = 1.0 - np.exp(-p.step / p.percolation_time)
    to_above = 1.0 - np.exp(-p.step / p.capillary_time)
    # Drainage, from the bottom up, so that the free pore space below each layer is up to date.
    for i in range(wet - 1, -1, -1):
        liquid = work[SHARE, i] * water[i]
        solid = water[i] - liquid
        over = min(max(water[i] - p.field_capacity * work[MAX_WATER, i], 0.0), liquid)
        if over <= 0.0:
            continue
        impede = _impedance(solid / work[MAX_WATER, i], p)
        side = over * to_side * impede
        gone = side * p.capacity_water * max(work[TEMP, i], 0.0)
        water[i] -= side
        enthalpy[i] -= gone
        carried -= gone
        runoff += side
        over -= side
        if i == wet - 1:
            out = over * to_bottom * impede
            gone = out * p.capacity_water * max(work[TEMP, i], 0.0)
            water[i] -= out
            enthalpy[i] -= gone
            carried -= gone
            runoff += out
        else:
            solid_below = (1.0 - work[SHARE, i + 1]) * water[i + 1] / work[MAX_WATER, i + 1]
            impede = min(impede, _impedance(solid_below, p))
            down = over * to_below * impede
            down = min(down, max(work[MAX_WATER, i + 1] - water[i + 1], 0.0))
            _move(enthalpy, water, i, i + 1, down, work[TEMP, i], p)

    # Capillary rise into drier layers.
    for i in range(wet - 1):
        wet_below = (work[SHARE, i + 1] * water[i + 1]) / work[MAX_WATER, i + 1]
        drier = wet_below - water[i] / work[MAX_WATER, i]
        if drier > 0.0:
            solid = max(
                (1.0 - work[SHARE, i]) * water[i] / work[MAX_WATER, i],
                (1.0 - work[SHARE, i + 1]) * water[i + 1] / work[MAX_WATER, i + 1],
            )
            up = 0.5 * drier * min(work[MAX_WATER, i], work[MAX_WATER, i + 1]) * to_above
            up = min(up * _impedance(solid, p), max(work[MAX_WATER, i] - water[i], 0.0))
            _move(enthalpy, water, i + 1, i, up, work[TEMP, i + 1], p)

    refresh(enthalpy, water, capacity, p, work)
    return snow, heat, carried, evaporation, runoff
