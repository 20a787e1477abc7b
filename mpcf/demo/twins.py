"""Twins: the same members in worlds where some of the changes did not happen.

A twin takes one quantity from the *rest* run, the same member's run without emissions but with the
same noise, so that the difference between the member and its twin is the effect of that quantity's
change, to rounding. *Direct* twins change the inputs of the carbon equations; *column* twins change
the water that conducts and stores the column's heat. `mpcf.demo.worlds` lists them.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property

import numpy as np
import xarray as xr

from mpcf.demo import carbon as carbon_pools
from mpcf.demo.calendar import STEPS
from mpcf.demo.column import Columns, HeldWater, Monthly
from mpcf.demo.experiment import (
    BRANCH_YEAR,
    CO2_REFERENCE,
    FIRST_YEAR,
    NET_ZERO_YEAR,
    START_YEAR,
    Experiment,
    Member,
)
from mpcf.demo.records import (
    FLUXES,
    YEARS_BEFORE_OUTPUT,
    Records,
    mean_year,
    monthly_dataset,
    yearly_fluxes,
)
from mpcf.demo.soil import WET_LAYERS, node_depth, soil_layers
from mpcf.demo.weather import Weather
from mpcf.demo.worlds import (
    CAUSES,
    HELD,
    MEANINGS,
    NULL_WORLDS,
    PARTS,
    THERMAL,
    WORLDS,
    World,
    direct_world,
    moisture_held_world,
    parted_world,
    shapley,
    subsets,
    thermal_world,
)
from mpcf.yearly.reduction import to_yearly

__all__ = ["Twins"]

YEARS_TO_NET_ZERO = NET_ZERO_YEAR - BRANCH_YEAR
"""Years of a member's own weather before emissions reach zero."""

PERMAFROST_DEPTH = 3.0
"""Depth to which frozen ground is searched for, m."""

CARBON_VARIABLES = (*FLUXES, "cSoil")
COLUMN_VARIABLES = (
    *("gpp", "ra", "rh", "permafrost", "frozen_depth", "thaw_depth", "alt"),
    *("zero_curtain", "latent_heat", "sensible_heat", "soil_liquid", "soil_water", "temperature"),
)


class Twins:
    """The twins of an experiment's members, in the cells that have permafrost before 1985.

    Parameters
    ----------
    experiment : Experiment
        Experiment whose shared years are run here in all worlds.
    worlds : tuple of World
        Worlds in which carbon is run.
    thermal_twins : tuple of str
        Column twins to run, from `THERMAL`.

    Attributes
    ----------
    cells : ndarray of int
        Cells that have twins, as indices of the cells with soil.
    """

    def __init__(
        self,
        experiment: Experiment,
        *,
        worlds: tuple[World, ...] = WORLDS,
        thermal_twins: tuple[str, ...] = THERMAL,
    ) -> None:
        self.experiment = experiment
        self.cells = np.flatnonzero(frozen_ground(experiment.shared))
        e, cells = experiment, self.cells
        self._light = e.light[cells]
        self._columns = dict.fromkeys(("rest", *THERMAL), e.rest.at(cells))
        self._columns = {name: state.copy() for name, state in self._columns.items()}
        begin = e.year_mask(START_YEAR, BRANCH_YEAR)
        forced = e.shared_weather(e.forced.warming[0], cells)
        still = e.shared_weather(np.zeros_like(e.forced.warming[0]), cells)
        first = forced.temperature.shape[1] - 12 * begin.sum()
        forced, still = forced.months(first), still.months(first)
        rest, water = self._run_rest(self._columns["rest"], still)
        self._mean = mean_year(rest, 1)
        records = self._records(e.shared.at(cells), rest, e.forced.co2[0, begin])
        for name in thermal_twins:
            held = held_water(name, water)
            records.columns[name] = e.advance(self._columns[name], forced, cells, held=held)
        self._carbon = {}
        for world in worlds:
            state = e.rest_carbon.at(cells)
            self._advance_carbon(state, records.drivers(world))
            self._carbon[world] = state

    def _run_rest(self, columns: Columns, still: Weather) -> tuple[Monthly, np.ndarray]:
        """Advance the rest run, in place; return its record and its water at each step."""
        steps = still.temperature.shape[1] // 12 * STEPS
        water = np.empty((self.cells.size, steps, WET_LAYERS), np.float32)
        record = self.experiment.advance(columns, still, self.cells, water_steps=water)
        return record, water

    def _records(self, full: Monthly, rest: Monthly, co2: np.ndarray) -> Records:
        years = co2.size
        mean = mean_year(self._mean, years)
        still = np.full(years, self._co2_at_rest)
        return Records({"full": full, "rest": rest, "mean": mean}, {"full": co2, "rest": still})

    @cached_property
    def _co2_at_rest(self) -> float:
        e = self.experiment
        return float(e.forced.co2[0, e.year_mask(START_YEAR)][0])

    def _advance_carbon(
        self,
        carbon: carbon_pools.Carbon,
        drivers: carbon_pools.Drivers,
        instant: carbon_pools.Drivers | None = None,
    ) -> carbon_pools.Fluxes:
        return carbon_pools.advance(
            carbon,
            drivers,
            self._light,
            physics=self.experiment.physics,
            instant=instant,
            co2_reference=CO2_REFERENCE,
        )

    def member(
        self, index: int, member: Member, *, carbon: bool = True
    ) -> dict[str, dict[str, np.ndarray]]:
        """Return the twins of a member.

        Parameters
        ----------
        index : int
            Number of the member.
        member : Member
            The member in the twins' own cells, see `Member.at`.
        carbon : bool
            Whether to run all twins; otherwise those that the claims about refreezing need: with
            and without moisture's thermal effect, in both scenarios.

        Returns
        -------
        dict
            Store → variable → array, whose last dims are (year, cell); see `mpcf.demo.store`.
        """
        e, cells = self.experiment, self.cells
        forced = e.own_weather(index, e.scenario.warming[index], cells)
        still = e.own_weather(index, e.variability[index], cells)
        rest, water = self._run_rest(self._columns["rest"].copy(), still)
        records = self._records(member.monthly, rest, member.co2)
        at_zero = {"full": member.at_zero.copy()}
        # Years are summed in a second thread while kernels run; each record is then dropped.
        with ThreadPoolExecutor(1) as summing:
            columns = {}
            for name in THERMAL if carbon else ("thermal",):
                state, snapshot = self._columns[name].copy(), self._columns[name].copy()
                held = held_water(name, water)
                record = e.advance(
                    state, forced, cells, held=held, snapshot=(YEARS_TO_NET_ZERO, snapshot)
                )
                records.columns[name] = record
                fluxes = self._world(records, thermal_world(name))
                columns[name] = summing.submit(self._column_years, record, fluxes)
                if name != "thermal":
                    del records.columns[name]
                else:
                    at_zero[name] = snapshot
            out = self._carbon_twins(records) if carbon else {}
            recovery = []
            zero = 12 * YEARS_TO_NET_ZERO
            until_zero = {name: records.columns[name].months(0, zero) for name in at_zero}
            after = np.ascontiguousarray(water[:, YEARS_TO_NET_ZERO * STEPS :])
            del water, rest, records
            removal = e.own_weather(index, e.removal.warming[index], cells)
            co2 = {"full": e.removal.co2[index, e.year_mask(BRANCH_YEAR)]}
            for name, state in at_zero.items():
                held = held_water(name, after) if name != "full" else None
                later = e.advance(state, removal.months(zero), cells, held=held)
                record = until_zero.pop(name).then(later)
                fluxes = self._world(Records({name: record}, co2), thermal_world(name))
                recovery.append(summing.submit(self._column_years, record, fluxes))
            out["thermal"] = columns.pop("thermal").result()
            if columns:
                out["columns"] = _stack([years.result() for years in columns.values()])
            out["recovery"] = _stack([years.result() for years in recovery]) | {
                "co2": co2["full"][YEARS_BEFORE_OUTPUT:],
                "warming": e.removal.warming[index, e.year_mask(FIRST_YEAR)],
            }
        return out

    def for_scoring(self, index: int, member: Member) -> xr.Dataset:
        """Return a member with only what is needed to score regressions on it.

        Parameters
        ----------
        index : int
            Number of the member.
        member : Member
            The member in the twins' own cells, see `Member.at`.

        Returns
        -------
        Dataset (year, lat, lon)
            The yearly dataset of these cells, which lie along ``lat``, with their land area as
            ``areacella``; ``null_gpp`` and so on (without, ...), fluxes on which one input has no
            effect; ``gpp_instant`` and so on (meaning, cause, ...), instantaneous effects;
            ``gpp_part`` and so on (part, ...), those of the parts of liquid water.
        """
        e, cells = self.experiment, self.cells
        still = e.own_weather(index, e.variability[index], cells)
        rest, _ = self._run_rest(self._columns["rest"].copy(), still)
        records = self._records(member.monthly, rest, member.co2)
        own = self._world(records, World())
        first = 12 * YEARS_BEFORE_OUTPUT
        monthly = monthly_dataset(
            records.columns["full"].months(first), own.months(first), e.physics
        )
        yearly = to_yearly(monthly).isel(member=0, drop=True)
        full = yearly_fluxes(own)
        yearly["cSoil"] = (("year", "lat", "lon"), full["cSoil"][..., None])
        yearly["co2"] = ("year", member.co2[YEARS_BEFORE_OUTPUT:])
        yearly["areacella"] = (("lat", "lon"), e.where.cell_land_area[cells][:, None])
        nulls = _stack([yearly_fluxes(self._world(records, w)) for w in NULL_WORLDS.values()])
        effects, parts = self._instant(records, full)
        at = ("year", "lat", "lon")
        for name in FLUXES:
            yearly[f"null_{name}"] = (("without", *at), nulls[name][..., None])
            effect, part = (found[f"{name}_instant"][..., None] for found in (effects, parts))
            yearly[f"{name}_instant"] = (("meaning", "cause", *at), effect)
            yearly[f"{name}_part"] = (("part", *at), part)
        names = {"without": list(NULL_WORLDS), "part": list(PARTS)}
        return yearly.assign_coords(meaning=list(MEANINGS), cause=list(CAUSES), **names)

    def _world(self, records: Records, world: World) -> carbon_pools.Fluxes:
        return self._advance_carbon(self._carbon[world].copy(), records.drivers(world))

    def _carbon_twins(self, records: Records) -> dict[str, dict[str, np.ndarray]]:
        """Return the direct twins, the effects of the causes, and the null twins."""
        chosen = [world for world in WORLDS if world not in map(thermal_world, THERMAL)]
        years = {world: yearly_fluxes(self._world(records, world)) for world in chosen}
        direct = [
            [
                *(years[direct_world(meaning, held)] for held in HELD.values()),
                years[moisture_held_world(meaning)],
            ]
            for meaning in MEANINGS
        ]
        effects = _stack([self._effects(years, meaning) for meaning in MEANINGS])
        instant, parts = self._instant(records, years[World()])
        return {
            "direct": _stack([_stack(of_meaning) for of_meaning in direct]),
            "effects": effects | instant,
            "parts": parts | {"soil_liquid": np.stack(_parts(records.thaw_season_liquid))},
            "null": _stack([years[world] for world in NULL_WORLDS.values()]),
        }

    def _effects(self, years: dict[World, dict], meaning: str) -> dict[str, np.ndarray]:
        """Return the Shapley values of the causes, for each flux (cause, year, cell)."""
        everything = frozenset(CAUSES)
        out = {}
        for flux in CARBON_VARIABLES:
            acting = {s: years[direct_world(meaning, everything - s)][flux] for s in subsets()}
            out[flux] = np.stack(shapley(acting, CAUSES))
        return out

    def _instant(self, records: Records, full: dict) -> tuple[dict, dict]:
        """Return the instantaneous effects of the causes and of the parts of liquid water.

        The first are (meaning, cause, year, cell), the second (part, year, cell).
        """

        def seen(world: World) -> dict[str, np.ndarray]:
            """Return the fluxes from the full run's stocks under another world's drivers."""
            state, drivers = self._carbon[World()].copy(), records.drivers(World())
            return yearly_fluxes(self._advance_carbon(state, drivers, records.drivers(world)))

        water = {("full", "full"): full}
        for pair in (("rest", "rest"), ("rest", "full"), ("full", "rest")):
            water[pair] = seen(parted_world(*pair))
        effects, co2 = {}, seen(direct_world("total", HELD["co2"]))
        for meaning, held in zip(MEANINGS, (("rest", "rest"), ("rest", "full")), strict=True):
            temperature = seen(direct_world(meaning, HELD["temperature"]))
            for flux in FLUXES:
                moist = full[flux] - water[held][flux]
                none = np.zeros_like(moist)
                sides = (none, moist) if flux == "rh" else (moist, none)
                rest = (full[flux] - held[flux] for held in (temperature, co2))
                effects.setdefault(f"{flux}_instant", []).append(np.stack([*sides, *rest]))
        parts = {
            f"{flux}_instant": np.stack(_parts(lambda *pair, f=flux: water[pair][f]))
            for flux in FLUXES
        }
        return {name: np.stack(values) for name, values in effects.items()}, parts

    def _column_years(self, record: Monthly, fluxes: carbon_pools.Fluxes) -> dict[str, np.ndarray]:
        """Return the variables (year, cell) that the chapters use, from 2000 on."""
        first = 12 * YEARS_BEFORE_OUTPUT
        record, fluxes = record.months(first), fluxes.months(first)
        yearly = to_yearly(monthly_dataset(record, fluxes, self.experiment.physics))
        yearly = yearly.sel(season="year", top=1.0)[list(COLUMN_VARIABLES)]
        flat = yearly.isel(member=0, lon=0).transpose("year", "lat")
        return {name: flat[name].values for name in COLUMN_VARIABLES}


def held_water(name: str, water: np.ndarray) -> HeldWater:
    """Return the water that a column twin uses in place of its own.

    Parameters
    ----------
    name : str
        One of `THERMAL`.
    water : ndarray (cell, step, layer)
        Water of the rest run, kg m-2.

    Returns
    -------
    HeldWater
        That water, where the twin holds it.
    """
    return HeldWater(
        storage=water if name in ("latent", "thermal") else None,
        conduction=water if name in ("conduction", "thermal") else None,
    )


def frozen_ground(record: Monthly, years: int = 15) -> np.ndarray:
    """Return the cells where some layer of the top 3 m stays frozen throughout a late year.

    Parameters
    ----------
    record : Monthly
        Whole years.
    years : int
        Number of years at the end that count.

    Returns
    -------
    ndarray of bool (cell,)
        Whether there is such a layer.
    """
    shallow = node_depth(soil_layers()) <= PERMAFROST_DEPTH
    late = record.temperature[:, -12 * years :, shallow]
    warmest = late.reshape(late.shape[0], years, 12, -1).max(axis=2)
    return (warmest <= 0.0).any(axis=(1, 2))


def _parts(value: Callable[[str, str], np.ndarray]) -> list[np.ndarray]:
    """Return the effects of `PARTS`, averaged over both orders, of a value by amount and phase."""
    acting = {
        frozenset(): value("rest", "rest"),
        frozenset({"thaw"}): value("rest", "full"),
        frozenset({"wetness"}): value("full", "rest"),
        frozenset(PARTS): value("full", "full"),
    }
    return shapley(acting, PARTS)


def _stack(parts: list[dict[str, np.ndarray]]) -> dict[str, np.ndarray]:
    return {name: np.stack([part[name] for part in parts]) for name in parts[0]}
