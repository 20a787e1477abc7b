"""The experiment: spin-up, the years that members share, and the members."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from mpcf.demo import carbon as carbon_pools
from mpcf.demo import column, weather
from mpcf.demo.climate import global_climate, internal_variability
from mpcf.demo.parameters import CLIMATE, PHYSICS, SCENARIO, Physics
from mpcf.ground.geography import Grid

__all__ = ["FULL", "PHASES", "QUICK", "Experiment", "Member", "Size"]

SEED = 20480
FIRST_YEAR = 2000
PHASES = {"warming": (2000, 2050), "mitigation": (2051, 2116), "net-zero": (2117, 2300)}
"""Phases by emissions: rise, fall, none (inclusive years)."""
SPIN_UP = 100
"""Years of unforced climate before 1850; the last 50 set the carbon at rest."""
START = 1850
APART = 1985
"""First year in which members have their own weather."""
ZERO = PHASES["net-zero"][0]
"""First year without emissions; in the second scenario, of net removal."""
REFERENCE = {"co2_reference": CLIMATE.co2_preindustrial}


@dataclass(frozen=True)
class Size:
    """Members, grid, and how many of the members have twins."""

    members: int
    dlat: float
    dlon: float
    twins: int = 4


FULL = Size(8, 4.0, 5.0)
QUICK = Size(4, 8.0, 10.0)


@dataclass(frozen=True)
class Member:
    """One member from 1985 on.

    Attributes
    ----------
    monthly : column.Monthly
    fluxes : carbon.Fluxes
    co2, warming : ndarray (year,)
        ppm, K.
    at_zero : column.Columns
        State of the columns when emissions reach zero.
    """

    monthly: column.Monthly
    fluxes: carbon_pools.Fluxes
    co2: np.ndarray
    warming: np.ndarray
    at_zero: column.Columns

    def at(self, cells: np.ndarray) -> Member:
        """Return a copy of some cells."""
        parts = {name: getattr(self, name).at(cells) for name in ("monthly", "fluxes", "at_zero")}
        return replace(self, **parts)


class Experiment:
    """The planet of all members, and the columns and the carbon that they share until 1985.

    Parameters
    ----------
    where : Grid
        The grid; its cells with soil are run.
    members : int
        Number of members.
    seed : int
        Of all weather.
    physics : Physics
        Parameters of soil and carbon.

    Attributes
    ----------
    planet, removal : GlobalClimate
        The scenario, and the one with net removal of CO2 after emissions reach zero.
    variability : ndarray (member, year)
        Global temperature without any emissions, K.
    rest : column.Columns
        The columns in 1850, after a spin-up without forcing.
    rest_carbon : carbon.Carbon
        The carbon in 1850, at rest.
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
        self.planet = global_climate(seeds)
        self.removal = global_climate(seeds, least=-SCENARIO.most_removal)
        self.variability = internal_variability(seeds)
        self.calm = global_climate()
        self.normals = weather.climate_at(self.lat, self.lon)
        today = (self.calm.years >= 1981) & (self.calm.years <= 2010)
        self._normals_warming = float(self.calm.warming[0, today].mean())
        self.sunshine = weather.daily_insolation(self.lat, np.arange(column.STEPS) * 5.0 + 2.5)
        self.light = carbon_pools.monthly_light(self.lat)

        air = self.shared_weather(self.calm.warming[0])
        early = 12 * SPIN_UP
        columns = column.new_columns(air.temperature[:, :early].mean(axis=1), physics.soil)
        before = self.advance(columns, air.months(0, early))
        self.rest = columns.copy()
        co2 = self.calm.co2[0, self.years(START, APART)]
        self.rest_carbon = carbon_pools.equilibrium(
            before.months(early // 2), co2[0], self.light, physics=physics, **REFERENCE
        )
        self.shared = self.advance(columns, air.months(early))
        carbon = self.rest_carbon.copy()
        carbon_pools.live(
            carbon,
            carbon_pools.Drivers.of(self.shared, co2),
            self.light,
            physics=physics,
            **REFERENCE,
        )
        self._columns, self._carbon = columns, carbon

    def years(self, first: int, end: int | None = None) -> np.ndarray:
        """Return the years of the planet from `first` up to `end`, which is left out."""
        years = self.planet.years
        return (years >= first) & (years < (end or years[-1] + 1))

    def shared_weather(
        self, warming: np.ndarray, cells: np.ndarray | slice = slice(None)
    ) -> weather.Weather:
        """Weather of the spin-up and of 1850-1984, for a global path of warming (year,), K."""
        path = np.concatenate([np.zeros(SPIN_UP), warming[self.years(START, APART)]])
        return self._weather(0, path, cells)

    def own_weather(
        self, member: int, warming: np.ndarray, cells: np.ndarray | slice = slice(None)
    ) -> weather.Weather:
        """Weather of a member from 1985 on, for a global path of warming (year,), K.

        The noise is the member's own whatever the path: runs can be compared year by year.
        """
        return self._weather(1 + member, warming[self.years(APART)], cells)

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
        """Advance columns, in place, through the weather of some cells."""
        return column.advance(
            columns,
            air.nodes,
            air.precipitation,
            self.sunshine[cells],
            parameters=self.physics.soil,
            **options,
        )

    def member(self, index: int) -> Member:
        """Run a member from 1985 to the end."""
        air = self.own_weather(index, self.planet.warming[index])
        columns = self._columns.copy()
        at_zero = columns.copy()
        monthly = self.advance(columns, air, then=(ZERO - APART, at_zero))
        co2 = self.planet.co2[index, self.years(APART)]
        fluxes = carbon_pools.live(
            self._carbon.copy(),
            carbon_pools.Drivers.of(monthly, co2),
            self.light,
            physics=self.physics,
            **REFERENCE,
        )
        return Member(monthly, fluxes, co2, self.planet.warming[index, self.years(APART)], at_zero)
