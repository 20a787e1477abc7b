"""Twins: the same members in worlds where some of what changed had not.

A twin sees one thing as it is in the *rest* world, the same member's run without emissions but
with the same noise, so that the difference between the member and its twin is the effect of
that thing's change, to rounding. *Direct* twins change what the carbon equations see; *column*
twins change the water that conducts and stores the column's heat.

Moisture has two meanings. As *liquid*, layers that thaw stay as dry as frozen layers are: thaw
itself counts as moisture. As *total* water, the amount is held and temperature sets its phase:
thaw counts as temperature.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from itertools import chain, combinations
from math import factorial
from typing import NamedTuple

import numpy as np
import xarray as xr

from mpcf.demo import carbon as carbon_pools
from mpcf.demo import column
from mpcf.demo.column import MONTH_DAYS, Columns, Held, Monthly
from mpcf.demo.experiment import APART, FIRST_YEAR, REFERENCE, START, ZERO, Experiment, Member
from mpcf.demo.weather import Weather
from mpcf.yearly.reduction import to_yearly

__all__ = ["CAUSES", "HELD", "MEANINGS", "THERMAL", "Twins", "shapley"]

MEANINGS = ("liquid", "total")
"""Meanings of moisture."""

CAUSES = ("photosynthesis", "decomposition", "temperature", "co2")
"""What the carbon equations see: moisture in photosynthesis, moisture in decomposition,
temperature in both, and CO2."""

MOISTURE = frozenset(CAUSES[:2])

HELD = {
    "photosynthesis": frozenset({"photosynthesis"}),
    "decomposition": frozenset({"decomposition"}),
    "moisture": MOISTURE,
    "temperature": frozenset({"temperature"}),
    "co2": frozenset({"co2"}),
    "everything": frozenset(CAUSES),
}
"""Direct twins that are kept, and what each holds."""

THERMAL = ("latent", "conduction", "thermal")
"""Column twins: water's heat capacity and latent heat held, its conductivity held, both."""

FLUXES = ("gpp", "ra", "rh", "cSoil")
COLUMN_VARIABLES = (
    *("gpp", "ra", "rh", "permafrost", "frozen_depth", "thaw_depth", "alt"),
    *("zero_curtain", "latent_heat", "sensible_heat", "soil_liquid", "soil_water", "temperature"),
)


class World(NamedTuple):
    """Whose temperature, water and CO2 the carbon equations see.

    Water is a pair: whose amount, in whose phase; the same twice is that run's liquid water.
    """

    temperature: str = "full"
    plants: tuple[str, str] = ("full", "full")
    microbes: tuple[str, str] = ("full", "full")
    co2: str = "full"


def direct(meaning: str, held: frozenset[str]) -> World:
    """World in which the carbon equations see some causes at rest.

    Examples
    --------
    >>> direct("total", MOISTURE).plants
    ('rest', 'full')
    """
    temperature = "rest" if "temperature" in held else "full"

    def water(side: str) -> tuple[str, str]:
        amount = "rest" if side in held else "full"
        return amount, (amount if meaning == "liquid" else temperature)

    co2 = "rest" if "co2" in held else "full"
    return World(temperature, water("photosynthesis"), water("decomposition"), co2)


def null(meaning: str) -> World:
    """World in which moisture has no effect: its mean year at rest, for ever."""
    water = ("mean", "mean" if meaning == "liquid" else "full")
    return World(plants=water, microbes=water)


def thermal(name: str) -> World:
    """World of a column twin: its own temperature and liquid water."""
    return World(name, (name, name), (name, name))


def everywhere(meaning: str) -> World:
    """World in which moisture is held in the carbon equations and in the column's heat."""
    water = ("rest", "rest" if meaning == "liquid" else "thermal")
    return World("thermal", water, water)


def subsets(causes: tuple[str, ...] = CAUSES) -> Iterator[frozenset[str]]:
    """Return all subsets of the causes."""
    sizes = range(len(causes) + 1)
    return map(frozenset, chain.from_iterable(combinations(causes, size) for size in sizes))


def shapley(value: dict[frozenset[str], np.ndarray], causes: tuple[str, ...]) -> list[np.ndarray]:
    r"""Effect of each cause, averaged over the orders in which causes may come.

    .. math:: \phi_i = \sum_{S \not\ni i} \frac{|S|!\,(n-|S|-1)!}{n!}\,(v(S \cup i) - v(S))

    Parameters
    ----------
    value : dict
        What is measured, by the set of the causes that *act*.
    causes : tuple of str
        All of them.

    Returns
    -------
    list of ndarray
        Effects, which add up to v(all) − v(none).

    References
    ----------
    Shapley 1953, doi 10.1515/9781400881970-018.

    Examples
    --------
    >>> v = {frozenset(): 0.0, frozenset("a"): 1.0, frozenset("b"): 2.0, frozenset("ab"): 5.0}
    >>> shapley(v, ("a", "b"))
    [2.0, 3.0]
    """
    n = len(causes)
    effects = []
    for cause in causes:
        others = tuple(c for c in causes if c != cause)
        effects.append(
            sum(
                factorial(len(s)) * factorial(n - len(s) - 1) / factorial(n)
                * (value[s | {cause}] - value[s])
                for s in subsets(others)
            )
        )  # fmt: skip
    return effects


WORLDS = tuple(
    dict.fromkeys(
        [
            *(direct(meaning, held) for meaning in MEANINGS for held in subsets()),
            *map(null, MEANINGS),
            *map(thermal, THERMAL),
            *map(everywhere, MEANINGS),
        ]
    )
)
"""Every world in which carbon is run, once each."""


@dataclass
class Records:
    """Columns of one stretch of years, by whose they are, and their CO2 (ppm)."""

    columns: dict[str, Monthly | Water]
    co2: dict[str, np.ndarray]

    def __post_init__(self) -> None:
        """Start without mixed water."""
        self._mixed: dict[tuple[str, str], np.ndarray] = {}

    def liquid(self, amount: str, phase: str) -> np.ndarray:
        """Liquid water with the amount of one run in the phase of another, kg m-2."""
        if amount == phase:
            return self.columns[amount].liquid
        if (amount, phase) not in self._mixed:
            of, by = self.columns[amount], self.columns[phase]
            share = by.liquid / (by.liquid + by.ice)
            self._mixed[amount, phase] = (of.liquid + of.ice) * share
        return self._mixed[amount, phase]

    def drivers(self, world: World) -> carbon_pools.Drivers:
        """Return what the carbon equations see in a world."""
        climate = self.columns[world.temperature]
        return carbon_pools.Drivers(
            climate.air,
            climate.temperature,
            self.liquid(*world.plants),
            self.liquid(*world.microbes),
            self.co2[world.co2],
        )


class Water(NamedTuple):
    """Water of the layers by month, kg m-2 (cell, month, layer)."""

    liquid: np.ndarray
    ice: np.ndarray


def mean_year(record: Monthly | Water, years: int) -> Water:
    """Repeat the mean year of a record's water."""

    def repeat(values: np.ndarray) -> np.ndarray:
        by_year = values.reshape(values.shape[0], -1, 12, values.shape[2])
        return np.tile(by_year.mean(axis=1), (1, years, 1))

    return Water(repeat(record.liquid), repeat(record.ice))


def yearly_fluxes(fluxes: carbon_pools.Fluxes) -> dict[str, np.ndarray]:
    """Sum fluxes (gC m-2 yr-1) and average soil carbon (kg m-2), from 2000 on: (year, cell)."""

    def by_year(values, weight):
        kept = values[:, -12 * _years_kept(values.shape[1]) :]
        return (kept.reshape(kept.shape[0], -1, 12) @ weight).T

    days = MONTH_DAYS.astype(float)
    grams = {v: by_year(getattr(fluxes, v), days * 86400.0 * 1000.0) for v in ("gpp", "ra", "rh")}
    return grams | {"cSoil": by_year(fluxes.soil, days / 365.0)}


def _years_kept(months: int) -> int:
    return months // 12 - (FIRST_YEAR - APART)


class Twins:
    """The twins of an experiment's members, in the cells that have permafrost before 1985.

    Parameters
    ----------
    experiment : Experiment
        The experiment, whose shared years are run here in all worlds.
    worlds : tuple of World
        Worlds in which carbon is run.
    thermal_twins : tuple of str
        Column twins that are run.

    Attributes
    ----------
    cells : ndarray of int
        Cells that have twins, of those that have soil.
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
        begin = e.years(START, APART)
        forced = e.shared_weather(e.calm.warming[0], cells)
        still = e.shared_weather(np.zeros_like(e.calm.warming[0]), cells)
        first = forced.temperature.shape[1] - 12 * begin.sum()
        forced, still = forced.months(first), still.months(first)
        rest, water = self._rest(self._columns["rest"], still)
        self._mean = mean_year(rest, 1)
        records = self._records(e.shared.at(cells), rest, e.calm.co2[0, begin])
        for name in thermal_twins:
            held = held_water(name, water)
            records.columns[name] = e.advance(self._columns[name], forced, cells, held=held)
        self._carbon = {}
        for world in worlds:
            state = e.rest_carbon.at(cells)
            self._live(state, records.drivers(world))
            self._carbon[world] = state

    def _rest(self, columns: Columns, still: Weather) -> tuple[Monthly, np.ndarray]:
        """Advance the rest run, in place; give its record and its water at each step."""
        steps = still.temperature.shape[1] // 12 * column.STEPS
        water = np.empty((self.cells.size, steps, column.WET_LAYERS), np.float32)
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
        return float(e.calm.co2[0, e.years(START)][0])

    def _live(
        self,
        carbon: carbon_pools.Carbon,
        drivers: carbon_pools.Drivers,
        shown: carbon_pools.Drivers | None = None,
    ) -> carbon_pools.Fluxes:
        return carbon_pools.live(
            carbon,
            drivers,
            self._light,
            physics=self.experiment.physics,
            shown=shown,
            **REFERENCE,
        )

    def member(self, index: int, member: Member) -> dict[str, dict[str, np.ndarray]]:
        """Run the twins of a member.

        Parameters
        ----------
        index : int
            Number of the member.
        member : Member
            The member in the twins' own cells, see `Member.at`.

        Returns
        -------
        dict
            Store → variable → array, whose last dims are (year, cell); see `mpcf.demo.store`.
        """
        e, cells = self.experiment, self.cells
        forced = e.own_weather(index, e.planet.warming[index], cells)
        still = e.own_weather(index, e.variability[index], cells)
        rest, water = self._rest(self._columns["rest"].copy(), still)
        records = self._records(member.monthly, rest, member.co2)
        at_zero = {"full": member.at_zero.copy()}
        # Years are summed up beside the kernels; a record is dropped as soon as that is done.
        with ThreadPoolExecutor(1) as summing:
            columns = []
            for name in THERMAL:
                state, then = self._columns[name].copy(), self._columns[name].copy()
                held = held_water(name, water)
                record = e.advance(state, forced, cells, held=held, then=(ZERO - APART, then))
                records.columns[name] = record
                fluxes = self._world(records, thermal(name))
                columns.append(summing.submit(self._column_years, record, fluxes))
                if name != "thermal":
                    del records.columns[name]
                else:
                    at_zero[name] = then
            out = self._carbon_twins(records)
            recovery = []
            zero = 12 * (ZERO - APART)
            until_zero = {name: records.columns[name].months(0, zero) for name in at_zero}
            after = np.ascontiguousarray(water[:, (ZERO - APART) * column.STEPS :])
            del water, rest, records
            removal = e.own_weather(index, e.removal.warming[index], cells)
            co2 = {"full": e.removal.co2[index, e.years(APART)]}
            for name, state in at_zero.items():
                held = held_water(name, after) if name != "full" else None
                later = e.advance(state, removal.months(zero), cells, held=held)
                record = until_zero.pop(name).then(later)
                fluxes = self._world(Records({name: record}, co2), thermal(name))
                recovery.append(summing.submit(self._column_years, record, fluxes))
            out["columns"] = _stack([years.result() for years in columns])
            out["recovery"] = _stack([years.result() for years in recovery]) | {
                "co2": co2["full"][FIRST_YEAR - APART :],
                "warming": e.removal.warming[index, e.years(FIRST_YEAR)],
            }
        return out

    def judged(self, index: int, member: Member) -> xr.Dataset:
        """Run only what a regression is judged by: see `member` for its arguments.

        Returns
        -------
        Dataset (year, lat, lon)
            The yearly dataset of the member's own cells, with cells along `lat` and their land
            area as ``areacella``; ``null_gpp`` and so on (meaning, ...), fluxes on which moisture
            has no effect; ``gpp_instant`` and so on (meaning, cause, ...), instantaneous effects.
        """
        e, cells = self.experiment, self.cells
        still = e.own_weather(index, e.variability[index], cells)
        rest, _ = self._rest(self._columns["rest"].copy(), still)
        records = self._records(member.monthly, rest, member.co2)
        own = self._world(records, World())
        first = 12 * (FIRST_YEAR - APART)
        monthly = _monthly_dataset(records.columns["full"].months(first), own.months(first), e)
        yearly = to_yearly(monthly).isel(member=0, drop=True)
        full = yearly_fluxes(own)
        yearly["cSoil"] = (("year", "lat", "lon"), full["cSoil"][..., None])
        yearly["co2"] = ("year", member.co2[FIRST_YEAR - APART :])
        yearly["areacella"] = (("lat", "lon"), e.where.cell_land_area[cells][:, None])
        nulls = _stack([yearly_fluxes(self._world(records, null(m))) for m in MEANINGS])
        instant = _stack([self._instant(records, full, m) for m in MEANINGS])
        for name in FLUXES[:3]:
            at = ("meaning", "year", "lat", "lon")
            yearly[f"null_{name}"] = (at, nulls[name][..., None])
            effect = instant[f"{name}_instant"][..., None]
            yearly[f"{name}_instant"] = (("meaning", "cause", *at[1:]), effect)
        return yearly.assign_coords(meaning=list(MEANINGS), cause=list(CAUSES))

    def _world(self, records: Records, world: World) -> carbon_pools.Fluxes:
        return self._live(self._carbon[world].copy(), records.drivers(world))

    def _carbon_twins(self, records: Records) -> dict[str, dict[str, np.ndarray]]:
        """Fluxes of the direct twins, their effects, and the twins without any effect."""
        chosen = [world for world in WORLDS if world not in map(thermal, THERMAL)]
        years = {world: yearly_fluxes(self._world(records, world)) for world in chosen}
        kept = [
            [*(years[direct(meaning, held)] for held in HELD.values()), years[everywhere(meaning)]]
            for meaning in MEANINGS
        ]
        effects = [self._effects(years, meaning) for meaning in MEANINGS]
        instant = [self._instant(records, years[World()], meaning) for meaning in MEANINGS]
        return {
            "direct": _stack([_stack(of_meaning) for of_meaning in kept]),
            "effects": _stack([e | i for e, i in zip(effects, instant, strict=True)]),
            "null": _stack([years[null(meaning)] for meaning in MEANINGS]),
        }

    def _effects(self, years: dict[World, dict], meaning: str) -> dict[str, np.ndarray]:
        """Shapley values of the causes, for each flux (cause, year, cell)."""
        everything = frozenset(CAUSES)
        out = {}
        for flux in FLUXES:
            acting = {s: years[direct(meaning, everything - s)][flux] for s in subsets()}
            out[flux] = np.stack(shapley(acting, CAUSES))
        return out

    def _instant(self, records: Records, full: dict, meaning: str) -> dict[str, np.ndarray]:
        """Effect of each cause on the fluxes of the stocks as they are (cause, year, cell)."""
        held = {}
        for name in ("moisture", "temperature", "co2"):
            shown = records.drivers(direct(meaning, HELD[name]))
            state = self._carbon[World()].copy()
            held[name] = yearly_fluxes(self._live(state, records.drivers(World()), shown))
        out = {}
        for flux in FLUXES[:3]:
            moist = full[flux] - held["moisture"][flux]
            none = np.zeros_like(moist)
            sides = (none, moist) if flux == "rh" else (moist, none)
            rest = (full[flux] - held[name][flux] for name in ("temperature", "co2"))
            out[f"{flux}_instant"] = np.stack([*sides, *rest])
        return out

    def _column_years(self, record: Monthly, fluxes: carbon_pools.Fluxes) -> dict[str, np.ndarray]:
        """Return what the chapters need of each year from 2000 on: (year, cell)."""
        first = 12 * (FIRST_YEAR - APART)
        record, fluxes = record.months(first), fluxes.months(first)
        yearly = to_yearly(_monthly_dataset(record, fluxes, self.experiment))
        yearly = yearly.sel(season="year", top=1.0)[list(COLUMN_VARIABLES)]
        flat = yearly.isel(member=0, lon=0).transpose("year", "lat")
        return {name: flat[name].values for name in COLUMN_VARIABLES}


def held_water(name: str, water: np.ndarray) -> Held:
    """Return where a column twin sees other water."""
    return Held(
        heat=water if name in ("latent", "thermal") else None,
        path=water if name in ("conduction", "thermal") else None,
    )


def frozen_ground(record: Monthly, years: int = 15) -> np.ndarray:
    """Return the cells (cell,) where a layer of the top 3 m is frozen through some late year."""
    shallow = carbon_pools.middle(column.soil()) <= 3.0
    late = record.temperature[:, -12 * years :, shallow]
    warmest = late.reshape(late.shape[0], years, 12, -1).max(axis=2)
    return (warmest <= 0.0).any(axis=(1, 2))


def _stack(parts: list[dict[str, np.ndarray]]) -> dict[str, np.ndarray]:
    return {name: np.stack([part[name] for part in parts]) for name in parts[0]}


def _monthly_dataset(
    record: Monthly, fluxes: carbon_pools.Fluxes, experiment: Experiment
) -> xr.Dataset:
    """Columns as a standard monthly dataset from 2000 on, with cells along `lat`."""
    import cftime

    months = record.air.shape[1]
    edges = np.concatenate([[0], np.cumsum(np.tile(MONTH_DAYS, months // 12))])
    unit = f"days since {FIRST_YEAR}-01-01"
    dates = cftime.num2date(edges, unit, "noleap")
    middle = cftime.num2date(0.5 * (edges[1:] + edges[:-1]), unit, "noleap")
    layers = np.cumsum(column.THICKNESS[: column.WET_LAYERS])
    flat = {
        "gpp": fluxes.gpp,
        "ra": fluxes.ra,
        "rh": fluxes.rh,
        "tas": record.air + np.float32(273.15),
        "pr": record.precipitation,
        "snd": record.snow_depth,
    }
    deep = {
        "tsl": record.temperature + np.float32(273.15),
        "mrsll": record.liquid,
        "mrsfl": record.ice,
    }
    dims = ("member", "time", "lat", "lon")
    data = {name: (dims, v.T[None, :, :, None]) for name, v in flat.items()}
    data |= {
        name: (
            ("member", "time", "depth", "lat", "lon"),
            np.moveaxis(v, 0, -1)[None, ..., None],
        )
        for name, v in deep.items()
    }
    data["time_bnds"] = (("time", "bnds"), np.column_stack([dates[:-1], dates[1:]]))
    data["depth_bnds"] = (("depth", "bnds"), np.column_stack([[0.0, *layers[:-1]], layers]))
    depth = carbon_pools.middle(column.soil(experiment.physics.soil))
    return xr.Dataset(data, {"member": [0], "time": middle, "depth": depth})
