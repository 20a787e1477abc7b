"""The experiment: its spin-up, the years that all members share, and the members."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from mpcf.demo import carbon as carbon_pools
from mpcf.demo import column, weather
from mpcf.demo.calendar import STEP_MIDDLES
from mpcf.demo.climate import global_climate, internal_variability
from mpcf.demo.parameters import CLIMATE, PHYSICS, SCENARIO, Physics
from mpcf.ground.geography import Grid

__all__ = ["FULL", "PHASES", "QUICK", "Experiment", "Member", "Size"]

SEED = 20480
"""Seed of the weather of the book's ensemble."""

START_YEAR = 1850
"""First year with emissions."""

BRANCH_YEAR = 1985
"""First year in which members have their own weather."""

FIRST_YEAR = 2000
"""First year that is stored."""

PHASES = {"warming": (2000, 2050), "mitigation": (2051, 2116), "net-zero": (2117, 2300)}
"""Phases by emissions: rise, fall, none (first and last year of each)."""

NET_ZERO_YEAR = PHASES["net-zero"][0]
"""First year without emissions; in the second scenario, with net removal."""

SPIN_UP_YEARS = 300
"""Years of unforced climate before 1850; the last half of them sets the initial carbon."""

NORMALS_YEARS = (1981, 2010)
"""First and last year of the station normals."""

CO2_REFERENCE = CLIMATE.co2_preindustrial
"""CO2 without a fertilisation effect, ppm."""


@dataclass(frozen=True)
class Size:
    """Size of an ensemble.

    Attributes
    ----------
    members : int
        Number of members.
    dlat, dlon : float
        Spacing of the grid, degrees.
    twins : int
        Number of members that have all twins, the first ones.
    paired : int
        Number of members that have at least the twins that the claims about refreezing need.
    """

    members: int
    dlat: float
    dlon: float
    twins: int = 4
    paired: int = 6


FULL = Size(8, 4.0, 5.0)
QUICK = Size(4, 8.0, 10.0)


@dataclass(frozen=True)
class Member:
    """One member from 1985 on.

    Attributes
    ----------
    monthly : column.Monthly
        Its columns.
    fluxes : carbon.Fluxes
        Its carbon.
    co2 : ndarray (year,)
        Mole fraction of CO2 in dry air, ppm.
    warming : ndarray (year,)
        Global-mean temperature above the 1850-1900 mean, K.
    at_zero : column.Columns
        State of the columns when emissions reach zero.
    """

    monthly: column.Monthly
    fluxes: carbon_pools.Fluxes
    co2: np.ndarray
    warming: np.ndarray
    at_zero: column.Columns

    def at(self, cells: np.ndarray) -> Member:
        """Return an independent copy of some cells."""
        parts = {name: getattr(self, name).at(cells) for name in ("monthly", "fluxes", "at_zero")}
        return replace(self, **parts)


class Experiment:
    """The climate of all members, and the columns and carbon that they share until 1985.

    Parameters
    ----------
    where : Grid
        The grid; its cells with soil are run.
    members : int
        Number of members.
    seed : int
        Seed of all weather.
    physics : Physics
        Parameters of soil and carbon.

    Attributes
    ----------
    scenario, removal : GlobalClimate
        The scenario, and the one with net removal of CO2 after emissions reach zero.
    forced : GlobalClimate
        The scenario without internal variability.
    variability : ndarray (member, year)
        Global temperature without emissions, K.
    rest : column.Columns
        The columns in 1850, after a spin-up without forcing.
    rest_carbon : carbon.Carbon
        The carbon in 1850, in equilibrium.
    shared : column.Monthly
        The columns from 1850 to 1984.
    """

    def __init__(
        self, where: Grid, members: int, *, seed: int = SEED, physics: Physics = PHYSICS
    ) -> None:
        self.where, self.physics = where, physics
        self.lat, self.lon = where.cell_lat, where.cell_lon
        self._streams = np.random.SeedSequence(seed).spawn(members + 1)
        seeds = tuple(int(stream.generate_state(1)[0]) for stream in self._streams[1:])
        self.scenario = global_climate(seeds)
        self.removal = global_climate(seeds, minimum=-SCENARIO.max_removal)
        self.variability = internal_variability(seeds)
        self.forced = global_climate()
        self.normals = weather.climate_at(self.lat, self.lon)
        first, last = NORMALS_YEARS
        today = (self.forced.years >= first) & (self.forced.years <= last)
        self._normals_warming = float(self.forced.warming[0, today].mean())
        self.insolation = weather.daily_insolation(self.lat, STEP_MIDDLES)
        self.light = carbon_pools.monthly_light(self.lat)

        air = self.shared_weather(self.forced.warming[0])
        early = 12 * SPIN_UP_YEARS
        columns = column.new_columns(air.temperature[:, :early].mean(axis=1), physics.soil)
        before = self.advance(columns, air.months(0, early))
        self.rest = columns.copy()
        co2 = self.forced.co2[0, self.year_mask(START_YEAR, BRANCH_YEAR)]
        self.rest_carbon = carbon_pools.equilibrium(
            before.months(early // 2),
            co2[0],
            self.light,
            physics=physics,
            co2_reference=CO2_REFERENCE,
        )
        self.shared = self.advance(columns, air.months(early))
        carbon = self.rest_carbon.copy()
        carbon_pools.advance(
            carbon,
            carbon_pools.Drivers.of(self.shared, co2),
            self.light,
            physics=physics,
            co2_reference=CO2_REFERENCE,
        )
        self._columns, self._carbon = columns, carbon

    def year_mask(self, first: int, end: int | None = None) -> np.ndarray:
        """Return which years of the scenario lie from `first` to before `end`."""
        years = self.scenario.years
        return (years >= first) & (years < (end or years[-1] + 1))

    def shared_weather(
        self, warming: np.ndarray, cells: np.ndarray | slice = slice(None)
    ) -> weather.Weather:
        """Return the weather of the spin-up and of 1850-1984 under a global warming (year,), K."""
        shared = warming[self.year_mask(START_YEAR, BRANCH_YEAR)]
        path = np.concatenate([np.zeros(SPIN_UP_YEARS), shared])
        return self._weather(0, path, cells)

    def own_weather(
        self, member: int, warming: np.ndarray, cells: np.ndarray | slice = slice(None)
    ) -> weather.Weather:
        """Return a member's weather from 1985 on under a global warming (year,), K.

        The noise does not depend on the warming, so that runs can be compared year by year.
        """
        return self._weather(1 + member, warming[self.year_mask(BRANCH_YEAR)], cells)

    def _weather(self, stream: int, path: np.ndarray, cells: np.ndarray | slice) -> weather.Weather:
        rng = np.random.default_rng(self._streams[stream])
        normals = self.normals.at(cells)
        return weather.forcing(
            self.lat[cells], self.lon[cells], normals, path, self._normals_warming, rng
        )

    def advance(
        self,
        columns: column.Columns,
        air: weather.Weather,
        cells: np.ndarray | slice = slice(None),
        **options,
    ) -> column.Monthly:
        """Advance columns, in place, through the weather of some cells; return their months."""
        return column.advance(
            columns,
            air.nodes,
            air.precipitation,
            self.insolation[cells],
            parameters=self.physics.soil,
            **options,
        )

    def member(self, index: int) -> Member:
        """Return a member from 1985 to the end."""
        air = self.own_weather(index, self.scenario.warming[index])
        columns = self._columns.copy()
        at_zero = columns.copy()
        monthly = self.advance(columns, air, snapshot=(NET_ZERO_YEAR - BRANCH_YEAR, at_zero))
        co2 = self.scenario.co2[index, self.year_mask(BRANCH_YEAR)]
        fluxes = carbon_pools.advance(
            self._carbon.copy(),
            carbon_pools.Drivers.of(monthly, co2),
            self.light,
            physics=self.physics,
            co2_reference=CO2_REFERENCE,
        )
        warming = self.scenario.warming[index, self.year_mask(BRANCH_YEAR)]
        return Member(monthly, fluxes, co2, warming, at_zero)
