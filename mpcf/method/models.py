"""Compare models: changes of soil water over permafrost, and their effect on uptake."""

from __future__ import annotations

from itertools import product

import numpy as np
import pandas as pd
import xarray as xr

from mpcf.errors import DataError
from mpcf.method.attribution import period_carbon
from mpcf.method.moisture import MEANINGS
from mpcf.method.periods import UNTIL_NET_ZERO, base_period, late_years
from mpcf.method.regression import possible_estimators, predictors, response
from mpcf.method.statistics import decadal_trend, regional_mean

MOISTURE_MEANINGS = {name: MEANINGS[name].words for name in ("liquid", "total")}
"""Meanings of moisture that are compared, and their names in the text."""

DEPTHS = (0.1, 1.0)
"""Depths to which soil water is summed, m: near the surface, and the root zone."""

ESTIMATORS = ("raw trend", "year effects")
"""Estimators of moisture's contribution, as in chapter 5."""

THIS_SOURCE = "this source"
"""Name of the chapter's own source among the models."""


def moisture_spread(
    yearly: xr.Dataset, region: xr.DataArray, years: tuple[int, int]
) -> pd.DataFrame:
    r"""Return how one model's soil water changes, and what moisture contributes to NEP.

    With w the mean water of members and region, :math:`\Delta w` is the mean of the last 15 of the
    years less that of the base period; the contribution is that of
    `mpcf.method.attribution.period_carbon`.

    Parameters
    ----------
    yearly : Dataset (member, year, season, top, lat, lon)
        The yearly dataset.
    region : DataArray (lat, lon)
        m2.
    years : tuple of int
        Inclusive first and last year: from the start of warming until net zero.

    Returns
    -------
    DataFrame
        A row for each ``moisture`` and ``depth`` (m), with water in the ``base`` period and its
        ``change`` (kg m-2), its ``trend`` (kg m-2 per decade), moisture's contribution by each
        estimator (PgC; NaN for year effects of one member), and the number of ``members``.

    Raises
    ------
    CatalogError
        If the data do not hold all of the years.
    DataError
        If the region has no cell.
    """
    if not (region > 0).any():
        raise DataError("no cell of the region has permafrost; there is nothing to compare")
    first, last = years
    members = yearly.sizes["member"]
    y = response(yearly).expand_dims(flux=["nep"])
    rows = []
    for meaning, depth in product(MOISTURE_MEANINGS, DEPTHS):
        x = predictors(yearly, moisture=meaning, depth=depth)
        water = regional_mean(x.sel(predictor="moisture"), region).mean("member")
        base = water.sel(year=base_period(water)).mean()
        row = {
            "moisture": meaning,
            "depth": depth,
            "base": float(base),
            "change": float(water.sel(year=late_years(last)).mean() - base),
            "trend": float(decadal_trend(water.sel(year=slice(first, last)))),
        }
        for name in ESTIMATORS:
            possible = name in possible_estimators(members)
            row[name] = _contribution(y, x, region, years, name) if possible else np.nan
        rows.append(row | {"members": members})
    return pd.DataFrame(rows)


def _contribution(
    y: xr.DataArray, x: xr.DataArray, region: xr.DataArray, years: tuple[int, int], estimator: str
) -> float:
    carbon = period_carbon(y, x, region, {UNTIL_NET_ZERO: years}, estimator)
    return float(carbon.sel(predictor="moisture").squeeze())


def disagreement(table: pd.DataFrame, column: str) -> pd.DataFrame:
    """Return how far models disagree on one column, for each meaning and depth of moisture.

    Parameters
    ----------
    table : DataFrame
        Rows of `moisture_spread` of several models.
    column : str
        Such as ``"change"``.

    Returns
    -------
    DataFrame
        Rows such as ``"liquid, 0.1 m"``: the number of ``models`` that have it, in how many it is
        ``positive``, and its ``least``, ``median`` and ``most`` value, in its own unit.

    Examples
    --------
    >>> row = {"moisture": "liquid", "depth": 1.0, "change": 4.0}
    >>> found = disagreement(pd.DataFrame([row, row | {"change": -1.0}]), "change")
    >>> found.loc["liquid, 1 m"].tolist()
    [2.0, 1.0, -1.0, 1.5, 4.0]
    """
    labels = table["moisture"] + table["depth"].map(", {:g} m".format)
    values = table[column].groupby(labels, sort=False)
    return pd.DataFrame(
        {
            "models": values.count(),
            "positive": (table[column] > 0).groupby(labels, sort=False).sum(),
            "least": values.min(),
            "median": values.median(),
            "most": values.max(),
        }
    )
