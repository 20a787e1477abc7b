"""Soil moisture: its meanings, its trend, and the region in which it is looked at."""

from __future__ import annotations

import numpy as np
import xarray as xr

from mpcf.thaw import land_area

BASE_YEARS = 15
"""Length of the base period, the first years of a run."""

MEANINGS = {
    "liquid": ("soil_liquid", "liquid water"),
    "total": ("soil_water", "liquid and frozen water"),
    "thaw_wetness": ("thaw_wetness", "wetness of the thawed layer"),
}
"""What 'soil moisture' can mean: variable of the yearly dataset, and words."""


def base_period(yearly: xr.Dataset) -> slice:
    """Years of the base period: the first 15 of the run.

    Parameters
    ----------
    yearly : Dataset (year, ...)
        The yearly dataset.

    Returns
    -------
    slice
        Inclusive, for ``.sel(year=...)``.
    """
    first = int(yearly["year"][0])
    return slice(first, first + BASE_YEARS - 1)


def since_base(series: xr.DataArray) -> xr.DataArray:
    """Departure from the mean of the base period, member by member.

    Parameters
    ----------
    series : DataArray (year, ...)
        Any unit.

    Returns
    -------
    DataArray (year, ...)
        Same unit.

    Examples
    --------
    >>> warming = since_base(xr.DataArray(np.arange(16.0), {"year": np.arange(2000, 2016)}, "year"))
    >>> float(warming.sel(year=2015))
    8.0
    """
    return series - series.sel(year=base_period(series)).mean("year")


def moisture_index(
    yearly: xr.Dataset, meaning: str = "liquid", *, depth: float = 1.0, season: str = "year"
) -> xr.DataArray:
    """Soil moisture in one of its meanings.

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
    ValueError
        If meaning, depth or season is none of these.
    """
    if meaning not in MEANINGS:
        raise ValueError(f"moisture '{meaning}' is unknown; choose one of {', '.join(MEANINGS)}")
    values = yearly[MEANINGS[meaning][0]]
    if meaning == "thaw_wetness":
        return values.rename("moisture")
    for name, choice in (("top", depth), ("season", season)):
        if choice not in values[name].values:
            known = ", ".join(map(str, values[name].values))
            raise ValueError(f"{name} {choice!r} is not there; choose one of {known}")
    return values.sel(top=depth, season=season, drop=True).rename("moisture")


def permafrost_region(yearly: xr.Dataset, land: xr.DataArray | None = None) -> xr.DataArray:
    """Land area of the cells with permafrost throughout the base period, in most members.

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
    known = base.notnull()  # nowhere at sea, nor in the first year
    always = (((base == 1) == known).all("year") & known.any("year")).mean("member") > 0.5
    land = land_area(yearly) if land is None else land
    return land.where(always, 0.0).rename("region")


def regional_mean(values: xr.DataArray | xr.Dataset, region: xr.DataArray):
    """Area-weighted mean over the region.

    Parameters
    ----------
    values : DataArray or Dataset (..., lat, lon)
        Any unit.
    region : DataArray (lat, lon)
        m2.

    Returns
    -------
    DataArray or Dataset (...)
        Same unit.
    """
    return values.weighted(region).mean(("lat", "lon"))


def known_mean(values: xr.DataArray, dim: str | tuple[str, ...]) -> xr.DataArray:
    r"""Mean of the values that are known: :math:`\sum_{i\,\mathrm{known}} x_i / n_\mathrm{known}`.

    Where none is, as in every cell at sea, the mean is NaN. (``.mean`` says so too, but with a
    warning where it divides nothing by nothing in single precision.)

    Parameters
    ----------
    values : DataArray
        Any unit; NaN where unknown.
    dim : str or tuple of str
        Dimensions to average over.

    Returns
    -------
    DataArray
        Same unit and type.

    Examples
    --------
    >>> cells = xr.DataArray([[1.0, np.nan, 3.0], [np.nan] * 3], dims=("cell", "year"))
    >>> known_mean(cells, "year").values
    array([ 2., nan])
    """
    mean = values.sum(dim, dtype="float64") / values.count(dim)
    return mean.astype(values.dtype)


def decadal_trend(values: xr.DataArray) -> xr.DataArray:
    """Least-squares slope over `year`, per decade.

    Parameters
    ----------
    values : DataArray (year, ...)
        Any unit.

    Returns
    -------
    DataArray (...)
        Unit per decade.

    Examples
    --------
    >>> steady = xr.DataArray([1.0, 1.5, 2.0], {"year": [2000, 2001, 2002]}, "year")
    >>> float(decadal_trend(steady))
    5.0
    """
    year = values["year"] - values["year"].mean()
    centred = values - values.mean("year", skipna=False)
    slope = (centred * year).sum("year", skipna=False) / (year**2).sum()
    return (10.0 * slope).rename("trend")


def member_interval(values: xr.DataArray, level: float = 0.95) -> tuple[float, float, float]:
    """Mean over members with its Student t interval.

    Parameters
    ----------
    values : DataArray (member)
        One value a member.
    level : float
        Coverage.

    Returns
    -------
    tuple of float
        Mean, lower and upper bound; the bounds are NaN with fewer than two members.

    Examples
    --------
    >>> mean, low, high = member_interval(xr.DataArray([1.0, 2.0, 3.0], dims="member"))
    >>> round(mean, 2), round(low, 2), round(high, 2)
    (2.0, -0.48, 4.48)
    """
    from scipy.stats import t

    x = np.asarray(values, dtype=float)
    if x.size < 2:
        return float(x.mean()), float("nan"), float("nan")
    half = t.ppf((1 + level) / 2, x.size - 1) * x.std(ddof=1) / np.sqrt(x.size)
    return float(x.mean()), float(x.mean() - half), float(x.mean() + half)


def member_test(values: xr.DataArray) -> xr.DataArray:
    """Student's t test of the members' mean against zero.

    Parameters
    ----------
    values : DataArray (member, ...)
        One value a member.

    Returns
    -------
    DataArray (...)
        Two-sided p; NaN with fewer than two members.

    Examples
    --------
    >>> float(member_test(xr.DataArray([1.0, 2.0, 3.0], dims="member")).round(3))
    0.074
    """
    from scipy.stats import ttest_1samp

    mean = values.mean("member")
    if values.sizes["member"] < 2:
        return xr.full_like(mean, np.nan)
    return mean.copy(data=ttest_1samp(values, 0, axis=values.get_axis_num("member")).pvalue)
