"""The soil column: heat with freezing and thaw, snow, and water; numba kernels.

The state of a layer is its enthalpy H (J m-2; zero is soil and liquid water at 0 °C) and its
water w (kg m-2, liquid and ice), so that phase change needs no bookkeeping:

    T > 0:  H = (c_soil + c_water w) T
    T ≤ 0:  H = (c_soil + c_ice w) T - L w (1 - f),   f = 1 / (1 - T/T*)

f is the liquid share. Heat conduction is implicit and solved by Newton's method on enthalpy.
Water that moves carries its heat, c_water · max(T, 0) per kg; liquid water at 0 °C carries none.
Energy and water are conserved to rounding at each step.

In a counterfactual run, conduction sees the water of another run: as heat capacity and latent
heat, as conductivity, or as both. Layers change over to that water, and back to their own, at
the temperature that they have.
"""

from __future__ import annotations

from collections import namedtuple
from dataclasses import asdict, dataclass

import numba
import numpy as np

from mpcf.demo.parameters import SOIL, SoilParameters

__all__ = [
    "LAYERS",
    "STEPS",
    "THICKNESS",
    "WET_LAYERS",
    "Columns",
    "Held",
    "Monthly",
    "Soil",
    "advance",
    "column_step",
    "conduct",
    "new_columns",
    "refresh",
    "soil",
    "temperature_of",
]

THICKNESS = np.array(
    [0.05, 0.07, 0.10, 0.14, 0.18, 0.22, 0.26, 0.30, 0.36, 0.44, 0.55, 0.80, 1.30, 2.20, 3.50]
)
"""Thickness of the layers, m: 10.47 m in all."""
LAYERS = THICKNESS.size
WET_LAYERS = 12
"""Layers of soil, to 3.47 m; the rest is rock without water."""
STEPS = 73
"""Steps of 5 days in a year of 365 days."""
MONTH_DAYS = np.array([31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31])
# Rows of `work`. They are read in place: a row taken out as an array of its own makes numba count
# its references, which took more than a tenth of the time of a step.
GUESS, TRIAL, SLOPE, FACTOR, CHANGE, THAWED, HALF_FROZEN, BEND = range(8)
TEMP, SHARE, ROOM, CONDUCTANCE = range(8, 12)

Values = namedtuple("Values", list(SoilParameters.__dataclass_fields__))


def values(parameters: SoilParameters = SOIL) -> Values:
    """Return the parameters as a named tuple, which kernels can read."""
    return Values(**asdict(parameters))


@dataclass(frozen=True)
class Soil:
    """Constants of the layers (layer,)."""

    thickness: np.ndarray
    porosity: np.ndarray
    capacity: np.ndarray
    log_frozen: np.ndarray
    log_thawed: np.ndarray
    dry: np.ndarray
    roots: np.ndarray


def soil(parameters: SoilParameters = SOIL) -> Soil:
    """Build the layers: organic at the top, mineral below, rock from 3.47 m on.

    Returns
    -------
    Soil
        Thickness (m), porosity, heat capacity of the solids (J m-2 K-1), logarithms of the
        conductivity (W m-1 K-1) when saturated with ice and with liquid water, dry conductivity
        (W m-1 K-1) and share of roots.
    """
    p = parameters
    middle = np.cumsum(THICKNESS) - 0.5 * THICKNESS
    organic = np.exp(-middle / p.organic_scale)
    is_soil = np.arange(LAYERS) < WET_LAYERS

    def mix(mineral, peat):
        return mineral + (peat - mineral) * organic

    porosity = np.where(is_soil, mix(p.porosity_mineral, p.porosity_organic), 0.0)
    solid = np.where(
        is_soil,
        (1.0 - porosity) * mix(p.capacity_mineral, p.capacity_organic),
        p.capacity_rock,
    )
    log_solid = np.where(
        is_soil,
        mix(np.log(p.conductivity_mineral), np.log(p.conductivity_organic)),
        np.log(p.conductivity_rock),
    )
    dry = np.exp(mix(np.log(p.dry_mineral), np.log(p.dry_organic)))
    roots = np.where(is_soil, np.exp(-middle / p.root_scale) * THICKNESS, 0.0)
    # Geometric mean of solids and of what fills the pores (Johansen 1975, as in CLM).
    log_frozen = (1.0 - porosity) * log_solid + porosity * np.log(p.conductivity_ice)
    log_thawed = (1.0 - porosity) * log_solid + porosity * np.log(p.conductivity_water)
    return Soil(
        THICKNESS,
        porosity,
        solid * THICKNESS,
        log_frozen,
        log_thawed,
        dry,
        roots / roots.sum(),
    )


@numba.njit(cache=True, error_model="numpy")
def temperature_of(enthalpy, water, capacity, p):
    """Temperature (°C), liquid share and dT/dH of a layer from enthalpy and water."""
    if enthalpy >= 0.0:
        slope = 1.0 / (capacity + p.capacity_water * water)
        return enthalpy * slope, 1.0, slope
    frozen = capacity + p.capacity_ice * water
    # With x = -T the definition is frozen x² + b x + H T* = 0, and dx/d(-H) = (x + T*)/root.
    b = frozen * p.freezing_range + p.latent_heat * water + enthalpy
    root = np.sqrt(b * b - 4.0 * frozen * enthalpy * p.freezing_range)
    x = 0.5 * (root - b) / frozen
    return -x, p.freezing_range / (p.freezing_range + x), (x + p.freezing_range) / root


@numba.njit(cache=True, error_model="numpy")
def enthalpy_of(temperature, water, capacity, p):
    """Enthalpy (J m-2) of a layer from temperature (°C) and water: inverts `temperature_of`."""
    if temperature >= 0.0:
        return (capacity + p.capacity_water * water) * temperature
    ice = water * temperature / (temperature - p.freezing_range)
    return (capacity + p.capacity_ice * water) * temperature - p.latent_heat * ice


@numba.njit(cache=True, error_model="numpy")
def _conductivity(saturation, liquid_share, log_frozen, log_thawed, dry):
    """Thermal conductivity, W m-1 K-1 (Johansen 1975 as in CLM); saturation by liquid and ice."""
    saturated = np.exp(log_frozen + liquid_share * (log_thawed - log_frozen))
    wet = min(max(saturation, 1e-6), 1.0)
    thawed = max(0.4342944819032518 * np.log(wet) + 1.0, 0.0)
    kersten = liquid_share * thawed + (1.0 - liquid_share) * wet
    return kersten * saturated + (1.0 - kersten) * dry


@numba.njit(cache=True, error_model="numpy")
def _impedance(ice, p):
    """Share of flow that ice in the pores lets through: 10^(-6 · ice per pore space)."""
    if ice <= 0.0:
        return 1.0
    return np.exp(-2.302585092994046 * p.ice_impedance * ice)


@numba.njit(cache=True, error_model="numpy")
def conduct(enthalpy, water, capacity, conductance, surface, air, below, seconds, p, work):
    """Conduct heat for one step, implicit, by Newton's method on enthalpy.

    Parameters
    ----------
    enthalpy : ndarray (layer,), J m-2
        Changed in place; three layers or more.
    water : ndarray (layer,), kg m-2
    capacity : ndarray (layer,), J m-2 K-1
    conductance : ndarray (layer - 1,), W m-2 K-1
        Between neighbours.
    surface : float
        Conductance from the air to the middle of the first layer, W m-2 K-1.
    air : float
        Temperature of the air, or of melting snow, °C.
    below : float
        Heat from below, W m-2.
    seconds : float
    p : Values
    work : ndarray (8, layer)

    Returns
    -------
    heat : float
        Heat that entered through the surface and from below, J m-2.
    iterations : int
    """
    n = enthalpy.size
    middle = n // 2
    for i in range(n):
        work[GUESS, i] = enthalpy[i]
        work[THAWED, i] = 1.0 / (capacity[i] + p.capacity_water * water[i])
        frozen = capacity[i] + p.capacity_ice * water[i]
        work[HALF_FROZEN, i] = 0.5 / frozen
        work[BEND, i] = frozen * p.freezing_range + p.latent_heat * water[i]
    iterations = 0
    for _ in range(30):
        # As in `temperature_of`, with what does not change taken out of the loop.
        for i in range(n):
            if work[GUESS, i] >= 0.0 or water[i] == 0.0:
                work[SLOPE, i] = work[THAWED, i]
                work[TRIAL, i] = work[GUESS, i] * work[THAWED, i]
            else:
                b = work[BEND, i] + work[GUESS, i]
                root = np.sqrt(
                    b * b - 2.0 * work[GUESS, i] * p.freezing_range / work[HALF_FROZEN, i]
                )
                x = (root - b) * work[HALF_FROZEN, i]
                work[TRIAL, i] = -x
                work[SLOPE, i] = (x + p.freezing_range) / root
        # Newton correction of a tridiagonal system, eliminated from both ends to the middle, so
        # that the processor need not finish one half before it begins the other.
        g_up = surface
        from_above = surface * (air - work[TRIAL, 0])
        factor = 0.0
        above = 0.0
        for i in range(middle):
            g_down = conductance[i]
            down = g_down * (work[TRIAL, i] - work[TRIAL, i + 1])
            r = enthalpy[i] + seconds * (from_above - down) - work[GUESS, i]
            diagonal = 1.0 + seconds * (g_up + g_down) * work[SLOPE, i]
            if i > 0:
                lower = seconds * g_up * work[SLOPE, i - 1]
                diagonal -= lower * factor
                r += lower * above
            factor = seconds * g_down * work[SLOPE, i + 1] / diagonal
            above = r / diagonal
            work[FACTOR, i] = factor
            work[CHANGE, i] = above
            from_above, g_up = down, g_down
        g_down = 0.0
        from_below = below
        factor_below = 0.0
        beneath = 0.0
        for i in range(n - 1, middle, -1):
            g = conductance[i - 1]
            up = g * (work[TRIAL, i] - work[TRIAL, i - 1])
            r = enthalpy[i] + seconds * (from_below - up) - work[GUESS, i]
            diagonal = 1.0 + seconds * (g + g_down) * work[SLOPE, i]
            if i < n - 1:
                upper = seconds * g_down * work[SLOPE, i + 1]
                diagonal -= upper * factor_below
                r += upper * beneath
            factor_below = seconds * g * work[SLOPE, i - 1] / diagonal
            beneath = r / diagonal
            work[FACTOR, i] = factor_below
            work[CHANGE, i] = beneath
            from_below, g_down = up, g
        lower = seconds * g_up * work[SLOPE, middle - 1]
        upper = seconds * g_down * work[SLOPE, middle + 1]
        r = enthalpy[middle] + seconds * (from_above + from_below) - work[GUESS, middle]
        diagonal = 1.0 + seconds * (g_up + g_down) * work[SLOPE, middle]
        diagonal -= lower * factor + upper * factor_below
        work[CHANGE, middle] = (r + lower * above + upper * beneath) / diagonal
        for i in range(middle - 1, -1, -1):
            work[CHANGE, i] += work[FACTOR, i] * work[CHANGE, i + 1]
        for i in range(middle + 1, n):
            work[CHANGE, i] += work[FACTOR, i] * work[CHANGE, i - 1]
        largest = 0.0
        for i in range(n):
            work[GUESS, i] += work[CHANGE, i]
            largest = max(largest, abs(work[CHANGE, i]) * work[SLOPE, i])
        iterations += 1
        if largest < p.tolerance:
            break
    # Each Newton step conserves energy with its own linearised fluxes, so this is exact.
    heat = seconds * (surface * (air - work[TRIAL, 0] - work[SLOPE, 0] * work[CHANGE, 0]) + below)
    for i in range(n):
        enthalpy[i] = work[GUESS, i]
    return heat, iterations


@numba.njit(cache=True, error_model="numpy")
def _move(enthalpy, water, source, target, amount, temp, p):
    """Move liquid water with its heat between layers."""
    heat = amount * p.capacity_water * max(temp, 0.0)
    water[source] -= amount
    enthalpy[source] -= heat
    water[target] += amount
    enthalpy[target] += heat


@numba.njit(cache=True, error_model="numpy")
def refresh(enthalpy, water, capacity, p, work):
    """Put temperature (°C) and liquid share of the wet layers in their rows of `work`."""
    for i in range(WET_LAYERS):
        work[TEMP, i], work[SHARE, i], _ = temperature_of(enthalpy[i], water[i], capacity[i], p)


@numba.njit(cache=True, error_model="numpy")
def column_step(
    enthalpy,
    water,
    snow,
    air,
    rain_or_snow,
    sunshine,
    thickness,
    porosity,
    capacity,
    log_frozen,
    log_thawed,
    dry,
    roots,
    p,
    work,
    heat_water,
    path_water,
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
    rain_or_snow : float
        Precipitation, kg m-2 s-1.
    sunshine : float
        Insolation at the top of the atmosphere, W m-2.
    thickness, porosity, capacity, log_frozen, log_thawed, dry, roots : ndarray (layer,)
        See `Soil`.
    p : Values
    work : ndarray (12, layer)
        Holds temperature and liquid share of the state before: see `refresh`.
    heat_water, path_water : ndarray (layer,)
        Water that stores heat and water that conducts it, kg m-2: `water` itself, but for
        counterfactual runs.
    swapped : bool
        Whether `heat_water` is not `water`.

    Returns
    -------
    tuple of float
        Snow (kg m-2); heat into the column by conduction and by water (J m-2); evaporation and
        runoff (kg m-2), runoff including snow lost.
    """
    seconds = p.step * 86400.0
    conductance = work[CONDUCTANCE]
    n = enthalpy.size
    wet = WET_LAYERS

    # Snow.
    falling = rain_or_snow * seconds
    frozen = min(max((1.0 + 0.5 * p.snow_range - air) / p.snow_range, 0.0), 1.0)
    rain = falling * (1.0 - frozen)
    snow += falling * frozen
    melt = min(p.melt * max(air, 0.0) * p.step, snow)
    snow -= melt
    runoff = max(snow - p.max_snow, 0.0)
    snow -= runoff

    # Heat.
    half = 0.0
    for i in range(n):
        work[ROOM, i] = 1000.0 * porosity[i] * thickness[i]
        if i < wet:
            saturation = path_water[i] / work[ROOM, i]
            k = _conductivity(saturation, work[SHARE, i], log_frozen[i], log_thawed[i], dry[i])
        else:
            k = p.conductivity_rock
        resistance = 0.5 * thickness[i] / k
        if i > 0:
            conductance[i - 1] = 1.0 / (half + resistance)
        else:
            cover = snow / p.snow_density / p.snow_conductivity
            surface = 1.0 / (p.surface_resistance + cover + resistance)
        half = resistance
    skin = min(air, 0.0) if snow > 10.0 else air
    if swapped:
        for i in range(wet):
            enthalpy[i] = enthalpy_of(work[TEMP, i], heat_water[i], capacity[i], p)
    heat, _iterations = conduct(
        enthalpy, heat_water, capacity, conductance, surface, skin, p.geothermal, seconds, p, work
    )
    refresh(enthalpy, heat_water, capacity, p, work)
    if swapped:
        for i in range(wet):
            enthalpy[i] = enthalpy_of(work[TEMP, i], water[i], capacity[i], p)
    carried = 0.0

    # Water into the soil, as fast as ice lets it and as far as there is room.
    ice = (1.0 - work[SHARE, 0]) * water[0] / work[ROOM, 0]
    supply = rain + melt
    entering = min(supply, p.infiltration * seconds * _impedance(ice, p))
    left = entering
    rain_heat = p.capacity_water * max(air, 0.0) * (rain / supply if supply > 0.0 else 0.0)
    for i in range(wet):
        if left <= 0.0:
            break
        if i > 0:
            ice = (1.0 - work[SHARE, i]) * water[i] / work[ROOM, i]
            left = min(left, p.infiltration * seconds * _impedance(ice, p))
        take = min(left, max(work[ROOM, i] - water[i], 0.0))
        water[i] += take
        enthalpy[i] += take * rain_heat
        carried += take * rain_heat
        entering -= take
        supply -= take
        left -= take
    runoff += supply

    # Evaporation and transpiration (Priestley and Taylor 1972), none from snow.
    evaporation = 0.0
    if air > 0.0 and snow < 1.0:
        steep = 4098.0 * 610.8 * np.exp(17.27 * air / (air + 237.3)) / (air + 237.3) ** 2
        energy = max((1.0 - p.albedo) * p.transmissivity * sunshine - p.longwave, 0.0)
        demand = p.priestley_taylor * steep / (steep + 66.0) * energy / p.vaporisation * seconds
        for i in range(wet):
            liquid = work[SHARE, i] * water[i]
            wetness = liquid / work[ROOM, i]
            ease = min(max((wetness - p.wilting) / (p.stress_free - p.wilting), 0.0), 1.0)
            take = min(demand * roots[i] * ease, max(liquid - p.wilting * work[ROOM, i], 0.0))
            gone = take * p.capacity_water * max(work[TEMP, i], 0.0)
            water[i] -= take
            enthalpy[i] -= gone
            carried -= gone
            evaporation += take

    to_side = 1.0 - np.exp(-p.step / p.lateral_time)
    to_bottom = 1.0 - np.exp(-p.step / p.bottom_time)
    to_below = 1.0 - np.exp(-p.step / p.percolation_time)
    to_above = 1.0 - np.exp(-p.step / p.capillary_time)
    # Drainage, from below upwards so that each layer's room is known.
    for i in range(wet - 1, -1, -1):
        liquid = work[SHARE, i] * water[i]
        solid = water[i] - liquid
        over = min(max(water[i] - p.field_capacity * work[ROOM, i], 0.0), liquid)
        if over <= 0.0:
            continue
        impede = _impedance(solid / work[ROOM, i], p)
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
            solid_below = (1.0 - work[SHARE, i + 1]) * water[i + 1] / work[ROOM, i + 1]
            impede = min(impede, _impedance(solid_below, p))
            down = over * to_below * impede
            down = min(down, max(work[ROOM, i + 1] - water[i + 1], 0.0))
            _move(enthalpy, water, i, i + 1, down, work[TEMP, i], p)

    # Capillary rise into drier layers.
    for i in range(wet - 1):
        drier = (work[SHARE, i + 1] * water[i + 1]) / work[ROOM, i + 1] - water[i] / work[ROOM, i]
        if drier > 0.0:
            solid = max(
                (1.0 - work[SHARE, i]) * water[i] / work[ROOM, i],
                (1.0 - work[SHARE, i + 1]) * water[i + 1] / work[ROOM, i + 1],
            )
            up = 0.5 * drier * min(work[ROOM, i], work[ROOM, i + 1]) * to_above
            up = min(up * _impedance(solid, p), max(work[ROOM, i] - water[i], 0.0))
            _move(enthalpy, water, i + 1, i, up, work[TEMP, i + 1], p)

    refresh(enthalpy, water, capacity, p, work)
    return snow, heat, carried, evaporation, runoff


@dataclass
class Columns:
    """State of all columns: enthalpy and water (cell, layer), snow (cell,)."""

    enthalpy: np.ndarray
    water: np.ndarray
    snow: np.ndarray

    def copy(self) -> Columns:
        """Return a copy that can be advanced apart."""
        return Columns(self.enthalpy.copy(), self.water.copy(), self.snow.copy())

    def at(self, cells: np.ndarray) -> Columns:
        """Return a copy of some cells, which can be advanced apart."""
        return Columns(self.enthalpy[cells], self.water[cells], self.snow[cells])


@dataclass(frozen=True)
class Monthly:
    """Monthly means: (cell, month) and (cell, month, layer), float32.

    Attributes
    ----------
    air : °C; precipitation : kg m-2 s-1; snow_depth : m
    temperature : °C; liquid, ice : kg m-2
    """

    air: np.ndarray
    precipitation: np.ndarray
    snow_depth: np.ndarray
    temperature: np.ndarray
    liquid: np.ndarray
    ice: np.ndarray

    def at(self, cells: np.ndarray) -> Monthly:
        """Return some cells."""
        return Monthly(*(getattr(self, name)[cells] for name in self.__dataclass_fields__))

    def months(self, first: int, last: int | None = None) -> Monthly:
        """Return the months from `first` up to `last`, which is left out."""
        return Monthly(*(getattr(self, name)[:, first:last] for name in self.__dataclass_fields__))

    def then(self, later: Monthly) -> Monthly:
        """Return these months, followed by later ones."""
        return Monthly(
            *(
                np.concatenate([getattr(self, name), getattr(later, name)], axis=1)
                for name in self.__dataclass_fields__
            )
        )


@dataclass(frozen=True)
class Held:
    """Water of another run that conduction sees, kg m-2 (cell, step, layer); None: its own.

    Attributes
    ----------
    heat : as heat capacity and latent heat
    path : as conductivity
    """

    heat: np.ndarray | None = None
    path: np.ndarray | None = None


def new_columns(mean_air: np.ndarray, parameters: SoilParameters = SOIL) -> Columns:
    """Start columns near rest: 2 K above the mean air temperature, at field capacity.

    Parameters
    ----------
    mean_air : ndarray (cell,)
        Annual mean air temperature, °C.
    """
    p, layers = parameters, soil(parameters)
    water = np.broadcast_to(
        p.field_capacity * 1000.0 * layers.porosity * layers.thickness, (mean_air.size, LAYERS)
    ).copy()
    t = mean_air[:, None] + 2.0
    share = 1.0 / (1.0 - np.minimum(t, 0.0) / p.freezing_range)
    warm = (layers.capacity + p.capacity_water * water) * t
    cold = (layers.capacity + p.capacity_ice * water) * t - p.latent_heat * water * (1.0 - share)
    return Columns(np.where(t > 0.0, warm, cold), water, np.zeros(mean_air.size))


def step_calendar() -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Relate the 73 steps of a year to its months.

    Returns
    -------
    month : ndarray (step,) of int
        Month in which the step starts.
    here : ndarray (step,)
        Share of the step in that month; the rest is in the next.
    left : ndarray (step,) of int
        Last mid-month before the middle of the step (-1: December of the year before).
    weight : ndarray (step,)
        Weight of the mid-month after it.
    """
    ends = np.cumsum(MONTH_DAYS)
    start = np.arange(STEPS) * 5.0
    month = np.searchsorted(ends, start, side="right")
    here = np.minimum(ends[month] - start, 5.0) / 5.0
    middle = ends - 0.5 * MONTH_DAYS
    nodes = np.concatenate([[middle[-1] - 365.0], middle, [middle[0] + 365.0]])
    centre = start + 2.5
    left = np.searchsorted(nodes, centre, side="right") - 1
    weight = (centre - nodes[left]) / (nodes[left + 1] - nodes[left])
    return month, here, left - 1, weight


@numba.njit(cache=True, error_model="numpy")
def _advance_cell(
    enthalpy, water, pack, air_nodes, rates, sunshine, calendar, soil, p, held_heat, held_path, out,
    then, enthalpy_then, water_then, snow_then,
):  # fmt: skip
    """Advance one column through whole years; return its snow (kg m-2)."""
    month, here, left, weight, days = calendar
    thickness, porosity, capacity, log_frozen, log_thawed, dry, roots = soil
    out_air, out_precipitation, out_snow, out_temperature, out_liquid, out_ice, out_water = out
    months = rates.size
    swapped, other_path = held_heat.shape[0] > 0, held_path.shape[0] > 0
    heat_water, path_water = water.copy(), water.copy()
    work = np.zeros((12, LAYERS))
    # Sums over this month and over the next, in days.
    sums = np.zeros((2, 3 + 3 * WET_LAYERS))
    refresh(enthalpy, water, capacity, p, work)
    for year in range(months // 12):
        if year == then:
            enthalpy_then[:] = enthalpy
            water_then[:] = water
            snow_then[0] = pack
        for step in range(STEPS):
            now = 12 * year + month[step]
            node = 12 * year + left[step] + 1
            air = (1.0 - weight[step]) * air_nodes[node] + weight[step] * air_nodes[node + 1]
            later = min(now + 1, months - 1)
            rate = here[step] * rates[now] + (1.0 - here[step]) * rates[later]
            count = STEPS * year + step
            for i in range(WET_LAYERS):
                heat_water[i] = held_heat[count, i] if swapped else water[i]
                path_water[i] = held_path[count, i] if other_path else water[i]
                if out_water.shape[0] > 0:
                    out_water[count, i] = water[i]
            pack, _heat, _carried, _evaporation, _runoff = column_step(
                enthalpy,
                water,
                pack,
                air,
                rate,
                sunshine[step],
                thickness,
                porosity,
                capacity,
                log_frozen,
                log_thawed,
                dry,
                roots,
                p,
                work,
                heat_water,
                path_water,
                swapped,
            )
            for part in range(2):
                d = p.step * (here[step] if part == 0 else 1.0 - here[step])
                if d > 0.0:
                    sums[part, 0] += d * air
                    sums[part, 1] += d * rate
                    sums[part, 2] += d * pack / p.snow_density
                    for i in range(WET_LAYERS):
                        liquid = work[SHARE, i] * water[i]
                        sums[part, 3 + i] += d * work[TEMP, i]
                        sums[part, 3 + WET_LAYERS + i] += d * liquid
                        sums[part, 3 + 2 * WET_LAYERS + i] += d * (water[i] - liquid)
            if step == STEPS - 1 or month[step + 1] != month[step]:
                length = days[month[step]]
                out_air[now] = sums[0, 0] / length
                out_precipitation[now] = sums[0, 1] / length
                out_snow[now] = sums[0, 2] / length
                for i in range(WET_LAYERS):
                    out_temperature[now, i] = sums[0, 3 + i] / length
                    out_liquid[now, i] = sums[0, 3 + WET_LAYERS + i] / length
                    out_ice[now, i] = sums[0, 3 + 2 * WET_LAYERS + i] / length
                for k in range(sums.shape[1]):
                    sums[0, k] = sums[1, k]
                    sums[1, k] = 0.0
    return pack


@numba.njit(parallel=True, cache=True, nogil=True, error_model="numpy")
def _advance(
    enthalpy, water, snow, air_nodes, precipitation, sunshine, calendar, soil, p, heat, path, out,
    then, enthalpy_then, water_then, snow_then,
):  # fmt: skip
    """Advance all columns, in parallel; each is independent of the others."""
    air, rain, depth, temperature, liquid, ice, kept = out
    for cell in numba.prange(enthalpy.shape[0]):
        snow[cell] = _advance_cell(
            enthalpy[cell],
            water[cell],
            snow[cell],
            air_nodes[cell],
            precipitation[cell],
            sunshine[cell],
            calendar,
            soil,
            p,
            heat[cell],
            path[cell],
            (
                air[cell],
                rain[cell],
                depth[cell],
                temperature[cell],
                liquid[cell],
                ice[cell],
                kept[cell],
            ),
            then,
            enthalpy_then[cell],
            water_then[cell],
            snow_then[cell : cell + 1],
        )


def advance(
    columns: Columns,
    air_nodes: np.ndarray,
    precipitation: np.ndarray,
    sunshine: np.ndarray,
    *,
    parameters: SoilParameters = SOIL,
    held: Held | None = None,
    water_steps: np.ndarray | None = None,
    then: tuple[int, Columns] | None = None,
) -> Monthly:
    """Advance all columns through whole years.

    Parameters
    ----------
    columns : Columns
        Changed in place.
    air_nodes : ndarray (cell, month + 2)
        Air temperature at mid-month, with one month before and one after, °C.
    precipitation : ndarray (cell, month)
        kg m-2 s-1.
    sunshine : ndarray (cell, step)
        Insolation at the top of the atmosphere, W m-2, the same each year.
    parameters : SoilParameters
    held : Held, optional
        Water of another run that conduction sees.
    water_steps : ndarray (cell, step, layer), optional
        Filled with the water at the start of each step, kg m-2: what another run may be held at.
    then : tuple of int and Columns, optional
        Number of a year, and columns that are filled with the state at its start.

    Returns
    -------
    Monthly
    """
    cells, months = precipitation.shape
    layers = soil(parameters)
    flat = [np.empty((cells, months), np.float32) for _ in range(3)]
    deep = [np.empty((cells, months, WET_LAYERS), np.float32) for _ in range(3)]
    none = np.empty((cells, 0, WET_LAYERS), np.float32)
    held = held or Held()
    year, state = then or (-1, columns.copy())
    _advance(
        columns.enthalpy,
        columns.water,
        columns.snow,
        np.ascontiguousarray(air_nodes),
        np.ascontiguousarray(precipitation),
        sunshine,
        (*step_calendar(), MONTH_DAYS.astype(float)),
        (
            layers.thickness,
            layers.porosity,
            layers.capacity,
            layers.log_frozen,
            layers.log_thawed,
            layers.dry,
            layers.roots,
        ),
        values(parameters),
        none if held.heat is None else held.heat,
        none if held.path is None else held.path,
        (*flat, *deep, none if water_steps is None else water_steps),
        year,
        state.enthalpy,
        state.water,
        state.snow,
    )
    return Monthly(*flat, *deep)
