"""Records of the runs that twins are made of, and their reduction to years."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import xarray as xr

from mpcf.demo import carbon as carbon_pools
from mpcf.demo.calendar import DAYS_PER_YEAR, MONTH_DAYS
from mpcf.demo.column import Monthly
from mpcf.demo.experiment import BRANCH_YEAR, FIRST_YEAR
from mpcf.demo.parameters import Physics
from mpcf.demo.soil import LAYER_EDGES, node_depth, soil_layers
from mpcf.demo.worlds import World
from mpcf.ground.constants import FREEZING_POINT, SECONDS_PER_DAY
from mpcf.yearly.reduction import SEASONS, WETNESS_DEPTH

__all__ = [
    "FLUXES",
    "YEARS_BEFORE_OUTPUT",
    "MeanYear",
    "Records",
    "mean_year",
    "monthly_dataset",
    "thaw_season_liquid",
    "yearly_fluxes",
]

FLUXES = ("gpp", "ra", "rh")
"""The carbon fluxes: photosynthesis, and respiration by plants and by microbes."""

YEARS_BEFORE_OUTPUT = FIRST_YEAR - BRANCH_YEAR
"""Years of a member's own weather before the first stored year."""

GRAMS_PER_KG = 1000.0


class MeanYear(NamedTuple):
    """What the carbon equations see of a run, the same in every year.

    Attributes
    ----------
    air : ndarray (cell, month)
        Air temperature, °C.
    temperature : ndarray (cell, month, layer)
        Soil temperature, °C.
    liquid, ice : ndarray (cell, month, layer)
        kg m-2.
    """

    air: np.ndarray
    temperature: np.ndarray
    liquid: np.ndarray
    ice: np.ndarray


@dataclass
class Records:
    """Columns of some years and their CO2, by run.

    Attributes
    ----------
    columns : dict
        Run → its monthly means.
    co2 : dict
        Run → CO2 (year,), ppm.
    """

    columns: dict[str, Monthly | MeanYear]
    co2: dict[str, np.ndarray]

    def __post_init__(self) -> None:
        """Create the empty cache of combined water."""
        self._combined: dict[tuple[str, str], np.ndarray] = {}

    def liquid(self, amount: str, phase: str) -> np.ndarray:
        """Return liquid water, kg m-2, with the amount of one run in the phase of another."""
        if amount == phase:
            return self.columns[amount].liquid
        if (amount, phase) not in self._combined:
            of, by = self.columns[amount], self.columns[phase]
            share = by.liquid / (by.liquid + by.ice)
            self._combined[amount, phase] = (of.liquid + of.ice) * share
        return self._combined[amount, phase]

    def thaw_season_liquid(self, amount: str, phase: str) -> np.ndarray:
        """Return the liquid water of the top metre, May to September, of each year from 2000 on.

        It is (year, cell), kg m-2, with the amount of one run in the phase of another.
        """
        return thaw_season_liquid(self.liquid(amount, phase))

    def drivers(self, world: World) -> carbon_pools.Drivers:
        """Return the inputs of the carbon equations in a world."""
        climate = self.columns[world.temperature]
        return carbon_pools.Drivers(
            climate.air,
            climate.temperature,
            self.liquid(*world.plants),
            self.liquid(*world.microbes),
            self.co2[world.co2],
        )


def mean_year(record: Monthly | MeanYear, years: int) -> MeanYear:
    """Return the mean year of a record, repeated.

    Parameters
    ----------
    record : Monthly or MeanYear
        Whole years.
    years : int
        Number of times the mean year is repeated.

    Returns
    -------
    MeanYear
        Of 12 months for each of these years.

    Examples
    --------
    >>> two = np.arange(24.0).reshape(1, 24, 1)
    >>> mean_year(MeanYear(two[..., 0], two, two, 0 * two), 3).liquid[0, ::12, 0]
    array([6., 6., 6.])
    """

    def repeat(values: np.ndarray) -> np.ndarray:
        by_year = values.reshape(values.shape[0], -1, 12, *values.shape[2:])
        return np.tile(by_year.mean(axis=1), (1, years, *[1] * (values.ndim - 2)))

    return MeanYear(*(repeat(getattr(record, name)) for name in MeanYear._fields))


def thaw_season_liquid(liquid: np.ndarray) -> np.ndarray:
    """Return the liquid water of the top metre from May to September, from 2000 on.

    Parameters
    ----------
    liquid : ndarray (cell, month, layer)
        Liquid water of whole years from 1985 on, kg m-2.

    Returns
    -------
    ndarray (year, cell)
        kg m-2.
    """
    top, bottom = LAYER_EDGES[:-1], LAYER_EDGES[1:]
    share = np.clip((WETNESS_DEPTH - top) / (bottom - top), 0.0, 1.0)
    days = np.where(np.isin(np.arange(1, 13), SEASONS["thaw"]), MONTH_DAYS, 0.0)
    stored = liquid[:, 12 * YEARS_BEFORE_OUTPUT :] @ share
    return (stored.reshape(stored.shape[0], -1, 12) @ (days / days.sum())).T


def yearly_fluxes(fluxes: carbon_pools.Fluxes) -> dict[str, np.ndarray]:
    """Return yearly sums of fluxes and yearly means of soil carbon, from 2000 on.

    Parameters
    ----------
    fluxes : Fluxes
        Whole years from 1985 on.

    Returns
    -------
    dict
        ``gpp``, ``ra`` and ``rh`` (year, cell), gC m-2 yr-1; ``cSoil`` (year, cell), kg m-2.
    """

    def by_year(values, weight):
        stored = values[:, 12 * YEARS_BEFORE_OUTPUT :]
        return (stored.reshape(stored.shape[0], -1, 12) @ weight).T

    days = MONTH_DAYS.astype(float)
    grams_per_month = days * SECONDS_PER_DAY * GRAMS_PER_KG
    grams = {name: by_year(getattr(fluxes, name), grams_per_month) for name in FLUXES}
    return grams | {"cSoil": by_year(fluxes.soil, days / DAYS_PER_YEAR)}


def monthly_dataset(record: Monthly, fluxes: carbon_pools.Fluxes, physics: Physics) -> xr.Dataset:
    """Return columns as a standard monthly dataset.

    Parameters
    ----------
    record : Monthly
        Whole years from 2000 on.
    fluxes : Fluxes
        Of the same months.
    physics : Physics
        Parameters of soil and carbon.

    Returns
    -------
    Dataset
        One member, with cells along ``lat``.
    """
    import cftime

    months = record.air.shape[1]
    edges = np.concatenate([[0], np.cumsum(np.tile(MONTH_DAYS, months // 12))])
    unit = f"days since {FIRST_YEAR}-01-01"
    dates = cftime.num2date(edges, unit, "noleap")
    middle = cftime.num2date(0.5 * (edges[1:] + edges[:-1]), unit, "noleap")
    flat = {
        "gpp": fluxes.gpp,
        "ra": fluxes.ra,
        "rh": fluxes.rh,
        "tas": record.air + np.float32(FREEZING_POINT),
        "pr": record.precipitation,
        "snd": record.snow_depth,
    }
    deep = {
        "tsl": record.temperature + np.float32(FREEZING_POINT),
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
    data["depth_bnds"] = (("depth", "bnds"), np.column_stack([LAYER_EDGES[:-1], LAYER_EDGES[1:]]))
    depth = node_depth(soil_layers(physics.soil))
    return xr.Dataset(data, {"member": [0], "time": middle, "depth": depth})
