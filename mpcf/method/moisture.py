"""Soil moisture in its several meanings, and the region of permafrost."""

from __future__ import annotations

from dataclasses import dataclass

import xarray as xr

from mpcf.errors import InvalidChoice
from mpcf.ground.thaw import land_area
from mpcf.method.periods import base_period
from mpcf.yearly.reduction import WETNESS_DEPTH


@dataclass(frozen=True)
class Meaning:
    """One of the things that 'soil moisture' can mean.

    Attributes
    ----------
    variable : str
        Its variable in the yearly dataset.
    words : str
        What it is called in a sentence.
    label : str
        What it is called in a table of choices.
    units : str
        Its units.
    true_meaning : str
        The meaning of water that the twins held, and so the truth next to which it stands.
    season : str
        The one season that it is defined for; empty if it has both seasons and several depths.
    decimals : int
        Decimals with which a change of it is shown.
    """

    variable: str
    words: str
    label: str
    units: str
    true_meaning: str
    season: str = ""
    decimals: int = 1


MEANINGS = {
    "liquid": Meaning("soil_liquid", "liquid water", "liquid", "kg m-2", "liquid"),
    "total": Meaning("soil_water", "liquid and frozen water", "total", "kg m-2", "total"),
    # how wet the thawed layer is does not depend on its depth: its effect is that of the amount
    "thaw_wetness": Meaning(
        "thaw_wetness", "wetness of the thawed layer", "thaw wetness", "m3 m-3", "total", "thaw", 4
    ),
}
"""What 'soil moisture' can mean, by the name that the parameter ``moisture`` takes."""


def moisture_index(
    yearly: xr.Dataset, meaning: str = "liquid", *, depth: float = 1.0, season: str = "year"
) -> xr.DataArray:
    """Return soil moisture in one of its meanings.

    Parameters
    ----------
    yearly : Dataset
        The yearly dataset.
    meaning : {"liquid", "total", "thaw_wetness"}
        Liquid water, liquid and frozen water, or thaw-season liquid water per volume of the
        thawed layer (which has its own depth and season).
    depth : float
        0.1, 1 or 3 m.
    season : {"year", "thaw"}
        All months, or May to September.

    Returns
    -------
    DataArray (member, year, lat, lon)
        kg m-2; m3 m-3 for ``thaw_wetness``.

    Raises
    ------
    InvalidChoice
        If meaning, depth or season is none of these.
    """
    if meaning not in MEANINGS:
        raise InvalidChoice(f"moisture '{meaning}' is unknown; choose one of {', '.join(MEANINGS)}")
    chosen = MEANINGS[meaning]
    values = yearly[chosen.variable]
    if chosen.season:
        return values.rename("moisture")
    for name, choice in (("top", depth), ("season", season)):
        if choice not in values[name].values:
            known = ", ".join(map(str, values[name].values))
            raise InvalidChoice(f"{name} {choice!r} is not there; choose one of {known}")
    return values.sel(top=depth, season=season, drop=True).rename("moisture")


def permafrost_region(yearly: xr.Dataset, land: xr.DataArray | None = None) -> xr.DataArray:
    """Return the land area of cells with permafrost throughout the base period, in most members.

    Parameters
    ----------
    yearly : Dataset
        The yearly dataset.
    land : DataArray (lat, lon), optional
        Land area, m2; by default that north of 45° N without ice sheets.

    Returns
    -------
    DataArray (lat, lon)
        m2 in the region, 0 outside: the fixed domain of every regional figure, and its weights.
    """
    base = yearly["permafrost"].sel(year=base_period(yearly))
    known = base.notnull()  # not at sea, nor in the first year
    always = (((base == 1) == known).all("year") & known.any("year")).mean("member") > 0.5
    land = land_area(yearly) if land is None else land
    return land.where(always, 0.0).rename("region")


def thawed_depth(yearly: xr.Dataset) -> xr.DataArray:
    """Return the depth of the season's thaw within the top metre, to which wetness refers.

    Parameters
    ----------
    yearly : Dataset
        The yearly dataset.

    Returns
    -------
    DataArray (member, year, lat, lon)
        m.
    """
    return yearly["thaw_depth"].clip(max=WETNESS_DEPTH).rename("thawed_depth")
