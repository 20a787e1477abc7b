"""Soil moisture in its several meanings, and the region of permafrost."""

from __future__ import annotations

import xarray as xr

from mpcf.errors import InvalidChoice
from mpcf.ground.thaw import land_area
from mpcf.method.periods import base_period

MEANINGS = {
    "liquid": ("soil_liquid", "liquid water"),
    "total": ("soil_water", "liquid and frozen water"),
    "thaw_wetness": ("thaw_wetness", "wetness of the thawed layer"),
}
"""What 'soil moisture' can mean: variable of the yearly dataset, and its name in the text."""


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
    values = yearly[MEANINGS[meaning][0]]
    if meaning == "thaw_wetness":
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
