"""The soil columns of all cells: their state, its advance through the years, and monthly means.

`mpcf.demo.column_kernels` advances one column by one step; this module drives it with monthly
weather and averages the results over the months.
"""

from __future__ import annotations

from dataclasses import dataclass

import numba
import numpy as np

from mpcf.demo.calendar import MONTH_DAYS, STEPS, step_calendar
from mpcf.demo.column_kernels import SHARE, TEMP, WORK_ROWS, column_step, refresh
from mpcf.demo.conduction import kernel_parameters
from mpcf.demo.parameters import SOIL, SoilParameters
from mpcf.demo.soil import LAYERS, SOIL_LAYERS, WATER_DENSITY, WET_LAYERS, soil_layers

__all__ = ["Columns", "HeldWater", "Monthly", "advance", "new_columns"]

START_WARMTH = 2.0
"""Excess of soil over mean air temperature at the start of the spin-up, K, due to snow."""


@dataclass
class Columns:
    """State of all columns.

    Attributes
    ----------
    enthalpy : ndarray (cell, layer)
        J m-2; zero is soil and liquid water at 0 °C.
    water : ndarray (cell, layer)
        Liquid and ice, kg m-2.
    snow : ndarray (cell,)
        Snow on the ground, kg m-2.
    """

    enthalpy: np.ndarray
    water: np.ndarray
    snow: np.ndarray

    def copy(self) -> Columns:
        """Return an independent copy."""
        return Columns(self.enthalpy.copy(), self.water.copy(), self.snow.copy())

    def at(self, cells: np.ndarray) -> Columns:
        """Return an independent copy of some cells."""
        return Columns(self.enthalpy[cells], self.water[cells], self.snow[cells])


@dataclass(frozen=True)
class Monthly:
    """Monthly means, float32.

    Attributes
    ----------
    air : ndarray (cell, month)
        Air temperature, °C.
    precipitation : ndarray (cell, month)
        kg m-2 s-1.
    snow_depth : ndarray (cell, month)
        m.
    temperature : ndarray (cell, month, layer)
        Soil temperature, °C.
    liquid, ice : ndarray (cell, month, layer)
        Liquid water and ice, kg m-2.
    """

    air: np.ndarray
    precipitation: np.ndarray
    snow_depth: np.ndarray
    temperature: np.ndarray
    liquid: np.ndarray
    ice: np.ndarray

    def at(self, cells: np.ndarray) -> Monthly:
        """Return the months of some cells."""
        return Monthly(*(getattr(self, name)[cells] for name in self.__dataclass_fields__))

    def months(self, first: int, last: int | None = None) -> Monthly:
        """Return the months from `first` to before `last`."""
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
class HeldWater:
    """Water of another run used in heat conduction; None: the column's own.

    Attributes
    ----------
    storage : ndarray (cell, step, layer), optional
        Water that stores heat, as heat capacity and latent heat, kg m-2.
    conduction : ndarray (cell, step, layer), optional
        Water that sets the conductivity, kg m-2.
    """

    storage: np.ndarray | None = None
    conduction: np.ndarray | None = None


def new_columns(mean_air: np.ndarray, parameters: SoilParameters = SOIL) -> Columns:
    """Return columns near equilibrium, 2 K above the mean air temperature.

    Thawed ground is at field capacity; frozen ground is rich in ice; the pores of the soil in which
    no water moves are full.

    Parameters
    ----------
    mean_air : ndarray (cell,)
        Annual mean air temperature, °C.
    parameters : SoilParameters
        Heat and water of the column.

    Returns
    -------
    Columns
        Without snow.

    Examples
    --------
    >>> new_columns(np.array([-2.0, 1.0])).enthalpy.shape
    (2, 15)
    """
    p, layers = parameters, soil_layers(parameters)
    full = WATER_DENSITY * layers.porosity * layers.thickness
    t = mean_air[:, None] + START_WARMTH
    water = np.where(t > 0.0, p.field_capacity, p.ice_content) * full
    water[:, WET_LAYERS:] = full[WET_LAYERS:]
    share = 1.0 / (1.0 - np.minimum(t, 0.0) / p.freezing_range)
    warm = (layers.capacity + p.capacity_water * water) * t
    cold = (layers.capacity + p.capacity_ice * water) * t - p.latent_heat * water * (1.0 - share)
    return Columns(np.where(t > 0.0, warm, cold), water, np.zeros(mean_air.size))


@numba.njit(cache=True, error_model="numpy")
def _advance_cell(
    enthalpy, water, pack, air_nodes, rates, insolation, calendar, soil, p,
    held_storage, held_conduction, out, snapshot_year,
    snapshot_enthalpy, snapshot_water, snapshot_snow,
):  # fmt: skip
    """Advance one column through whole years; return its snow, kg m-2."""
    month, here, left, weight, days = calendar
    thickness, porosity, capacity, log_frozen, log_thawed, dry, roots = soil
    out_air, out_precipitation, out_snow, out_temperature, out_liquid, out_ice, out_water = out
    months = rates.size
    swapped, other_conduction = held_storage.shape[0] > 0, held_conduction.shape[0] > 0
    storage_water, conduction_water = water.copy(), water.copy()
    work = np.zeros((WORK_ROWS, LAYERS))
    # Sums over this month and over the next, weighted by days.
    sums = np.zeros((2, 3 + 3 * SOIL_LAYERS))
    refresh(enthalpy, water, capacity, p, work)
    for year in range(months // 12):
        if year == snapshot_year:
            snapshot_enthalpy[:] = enthalpy
            snapshot_water[:] = water
            snapshot_snow[0] = pack
        for step in range(STEPS):
            now = 12 * year + month[step]
            node = 12 * year + left[step] + 1
            air = (1.0 - weight[step]) * air_nodes[node] + weight[step] * air_nodes[node + 1]
            later = min(now + 1, months - 1)
            rate = here[step] * rates[now] + (1.0 - here[step]) * rates[later]
            count = STEPS * year + step
            for i in range(WET_LAYERS):
                storage_water[i] = held_storage[count, i] if swapped else water[i]
                conduction_water[i] = held_conduction[count, i] if other_conduction else water[i]
                if out_water.shape[0] > 0:
                    out_water[count, i] = water[i]
            pack, _heat, _carried, _evaporation, _runoff = column_step(
                enthalpy,
                water,
                pack,
                air,
                rate,
                insolation[step],
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
            )
            for part in range(2):
                d = p.step * (here[step] if part == 0 else 1.0 - here[step])
                if d > 0.0:
                    sums[part, 0] += d * air
                    sums[part, 1] += d * rate
                    sums[part, 2] += d * pack / p.snow_density
                    for i in range(SOIL_LAYERS):
                        liquid = work[SHARE, i] * water[i]
                        sums[part, 3 + i] += d * work[TEMP, i]
                        sums[part, 3 + SOIL_LAYERS + i] += d * liquid
                        sums[part, 3 + 2 * SOIL_LAYERS + i] += d * (water[i] - liquid)
            if step == STEPS - 1 or month[step + 1] != month[step]:
                length = days[month[step]]
                out_air[now] = sums[0, 0] / length
                out_precipitation[now] = sums[0, 1] / length
                out_snow[now] = sums[0, 2] / length
                for i in range(SOIL_LAYERS):
                    out_temperature[now, i] = sums[0, 3 + i] / length
                    out_liquid[now, i] = sums[0, 3 + SOIL_LAYERS + i] / length
                    out_ice[now, i] = sums[0, 3 + 2 * SOIL_LAYERS + i] / length
                for k in range(sums.shape[1]):
                    sums[0, k] = sums[1, k]
                    sums[1, k] = 0.0
    return pack


@numba.njit(parallel=True, cache=True, nogil=True, error_model="numpy")
def _advance(
    enthalpy, water, snow, air_nodes, precipitation, insolation, calendar, soil, p,
    held_storage, held_conduction, out, snapshot_year,
    snapshot_enthalpy, snapshot_water, snapshot_snow,
):  # fmt: skip
    """Advance all columns, in parallel; each is independent of the others."""
    air, rain, depth, temperature, liquid, ice, stepwise_water = out
    for cell in numba.prange(enthalpy.shape[0]):
        snow[cell] = _advance_cell(
            enthalpy[cell],
            water[cell],
            snow[cell],
            air_nodes[cell],
            precipitation[cell],
            insolation[cell],
            calendar,
            soil,
            p,
            held_storage[cell],
            held_conduction[cell],
            (
                air[cell],
                rain[cell],
                depth[cell],
                temperature[cell],
                liquid[cell],
                ice[cell],
                stepwise_water[cell],
            ),
            snapshot_year,
            snapshot_enthalpy[cell],
            snapshot_water[cell],
            snapshot_snow[cell : cell + 1],
        )


def advance(
    columns: Columns,
    air_nodes: np.ndarray,
    precipitation: np.ndarray,
    insolation: np.ndarray,
    *,
    parameters: SoilParameters = SOIL,
    held: HeldWater | None = None,
    water_steps: np.ndarray | None = None,
    snapshot: tuple[int, Columns] | None = None,
) -> Monthly:
    """Advance all columns through whole years.

    Parameters
    ----------
    columns : Columns
        Changed in place.
    air_nodes : ndarray (cell, month + 2)
        Air temperature at mid-month, including one month before and one after, °C.
    precipitation : ndarray (cell, month)
        kg m-2 s-1.
    insolation : ndarray (cell, step)
        At the top of the atmosphere, W m-2, the same each year.
    parameters : SoilParameters
        Heat and water of the column.
    held : HeldWater, optional
        Water of another run used in heat conduction.
    water_steps : ndarray (cell, step, layer), optional
        Filled with the water at the start of each step, kg m-2, to be held in another run.
    snapshot : tuple of int and Columns, optional
        Index of a year, and columns that are filled with the state at its start.

    Returns
    -------
    Monthly
        Means of all months.
    """
    cells, months = precipitation.shape
    layers = soil_layers(parameters)
    flat = [np.empty((cells, months), np.float32) for _ in range(3)]
    deep = [np.empty((cells, months, SOIL_LAYERS), np.float32) for _ in range(3)]
    none = np.empty((cells, 0, WET_LAYERS), np.float32)
    held = held or HeldWater()
    year, state = snapshot or (-1, columns.copy())
    _advance(
        columns.enthalpy,
        columns.water,
        columns.snow,
        np.ascontiguousarray(air_nodes),
        np.ascontiguousarray(precipitation),
        insolation,
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
        kernel_parameters(parameters),
        none if held.storage is None else held.storage,
        none if held.conduction is None else held.conduction,
        (*flat, *deep, none if water_steps is None else water_steps),
        year,
        state.enthalpy,
        state.water,
        state.snow,
    )
    return Monthly(*flat, *deep)
