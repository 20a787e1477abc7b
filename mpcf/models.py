"""Models side by side: how the soil water over permafrost changes, and what that does to uptake."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import product
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import xarray as xr

from mpcf.attribution import phase_carbon
from mpcf.moisture import BASE_YEARS, base_period, decadal_trend, permafrost_region, regional_mean
from mpcf.regression import predictors, response

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

WATERS = {"liquid": "liquid water", "total": "liquid and frozen water"}
"""Meanings of moisture that are compared, and words."""

DEPTHS = (0.1, 1.0)
"""Near the surface and root zone: depth of the top of the soil, m."""

ESTIMATORS = ("raw trend", "year effects")
"""Estimators of moisture's contribution, as in chapter 5."""

OWN = "this source"
"""Name of the chapter's own source among the models."""


def moisture_spread(
    yearly: xr.Dataset, region: xr.DataArray, years: tuple[int, int]
) -> pd.DataFrame:
    r"""Change of one model's soil water over permafrost, and moisture's contribution to NEP.

    With w the mean water of members and region, :math:`\Delta w` is the mean of the last 15 of the
    years less that of the base period; the contribution is that of `mpcf.attribution.phase_carbon`.

    Parameters
    ----------
    yearly : Dataset (member, year, season, top, lat, lon)
        The yearly dataset.
    region : DataArray (lat, lon)
        m2.
    years : tuple of int
        Inclusive first and last year: from the begin of warming until net zero.

    Returns
    -------
    DataFrame
        A row for each ``moisture`` and ``depth`` (m), with water in the ``base`` period and its
        ``change`` (kg m-2), its ``trend`` (kg m-2 per decade), moisture's contribution by each
        estimator (PgC; NaN for year effects of one member), and the number of ``members``.

    Raises
    ------
    ValueError
        If the data do not hold all of the years, or the region has no cell.
    """
    if not (region > 0).any():
        raise ValueError("no cell of the region has permafrost; there is nothing to compare")
    first, last = years
    members = yearly.sizes["member"]
    y = response(yearly).expand_dims(flux=["nep"])
    rows = []
    for meaning, depth in product(WATERS, DEPTHS):
        x = predictors(yearly, moisture=meaning, depth=depth)
        water = regional_mean(x.sel(predictor="moisture"), region).mean("member")
        base = water.sel(year=base_period(water)).mean()
        row = {
            "moisture": meaning,
            "depth": depth,
            "base": float(base),
            "change": float(water.sel(year=slice(last - BASE_YEARS + 1, last)).mean() - base),
            "trend": float(decadal_trend(water.sel(year=slice(first, last)))),
        }
        for name in ESTIMATORS:
            known = name == "raw trend" or members > 1
            row[name] = _contribution(y, x, region, years, name) if known else np.nan
        rows.append(row | {"members": members})
    return pd.DataFrame(rows)


def _contribution(
    y: xr.DataArray, x: xr.DataArray, region: xr.DataArray, years: tuple[int, int], estimator: str
) -> float:
    carbon = phase_carbon(y, x, region, {"until net zero": years}, estimator)
    return float(carbon.sel(predictor="moisture").squeeze())


def compare(source: str, models: Iterable[str], *, quick: bool = False) -> pd.DataFrame:
    """`moisture_spread` of a source and of other models, each over its own permafrost and years.

    Parameters
    ----------
    source : str
        Entry of the catalogue; its ``model`` is called ``"this source"``.
    models : iterable of str
        Further entries, each of which has its yearly dataset in the build folder.
    quick : bool
        Whether the small builds are meant.

    Returns
    -------
    DataFrame
        Rows of `moisture_spread`, with a column ``model``; synthetic models are marked as such.

    Raises
    ------
    UnknownSource
        If the catalogue has no such entry; the message names the nearest ones.
    FileNotFoundError
        If a model has no yearly dataset; the message says which command makes it.
    ValueError
        If an entry has no phases.
    """
    from mpcf.catalog import entry
    from mpcf.results import Chapter

    parts = []
    for name in dict.fromkeys([source, *models]):
        phases = entry(name).phases
        if not phases:
            raise ValueError(f"source '{name}' has no phases; set them in catalog.yml")
        chapter = Chapter("", source=name, quick=quick)
        yearly = chapter.read("yearly").load()
        years = phases["warming"][0], phases["mitigation"][1]
        mark = " (synthetic)" if chapter.is_synthetic else ""
        part = moisture_spread(yearly, permafrost_region(yearly), years)
        parts.append(part.assign(model=OWN if name == source else name + mark))
    return pd.concat(parts, ignore_index=True)


def disagreement(table: pd.DataFrame, column: str) -> pd.DataFrame:
    """How far models disagree on one column, for each meaning and depth of moisture.

    Parameters
    ----------
    table : DataFrame
        Rows of `moisture_spread` of several models.
    column : str
        Such as ``"change"``.

    Returns
    -------
    DataFrame
        Rows such as ``"liquid, 0.1 m"``: the number of ``models`` that know it, in how many it is
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


def change_figure(table: pd.DataFrame) -> Figure:
    """Draw the change of liquid against that of total water, one point a model.

    Parameters
    ----------
    table : DataFrame
        Rows of `moisture_spread` of several models, with ``model``.

    Returns
    -------
    Figure
        A panel for each depth; colour is the sign of the contribution of liquid water.
    """
    import matplotlib.pyplot as plt

    from mpcf.figures import COLOURS, legend_below

    fig, axes = plt.subplots(1, len(DEPTHS), figsize=(9, 4.6))
    for ax, depth in zip(axes, DEPTHS, strict=True):
        here = table[table["depth"] == depth].pivot(index="model", columns="moisture")
        x, y = here["change", "liquid"], here["change", "total"]
        part = here["raw trend", "liquid"]
        for some, colour, words in (
            (part > 0, COLOURS["gpp"], "liquid water's contribution is a gain of carbon"),
            (part <= 0, COLOURS["rh"], "a loss of carbon"),
            (part.isna(), COLOURS["residual"], "unknown"),
        ):
            if not some.any():
                continue
            _points(ax, x[some], y[some], colour, words)
            _names(ax, x[some], y[some])
        ax.set(title=f"Top {depth:g} m", xlabel="change of liquid water (kg m⁻²)")
    _zero_lines(axes)
    axes[0].set_ylabel("change of liquid and frozen water (kg m⁻²)")
    legend_below(fig, axes[0])
    return fig


def contribution_figure(table: pd.DataFrame, depth: float = 1.0) -> Figure:
    """Draw moisture's contribution against the change of moisture, one point a model.

    Parameters
    ----------
    table : DataFrame
        Rows of `moisture_spread` of several models, with ``model``.
    depth : float
        m.

    Returns
    -------
    Figure
        A panel for each meaning of moisture; a line joins the two estimators of a model.
    """
    import matplotlib.pyplot as plt

    from mpcf.figures import COLOURS, legend_below

    fig, axes = plt.subplots(1, len(WATERS), figsize=(9, 4.6), sharey=True)
    for ax, (meaning, words) in zip(axes, WATERS.items(), strict=True):
        here = table[(table["moisture"] == meaning) & (table["depth"] == depth)]
        here = here.set_index("model")
        ax.vlines(here["change"], here["raw trend"], here["year effects"], color="0.8", zorder=0)
        colours = COLOURS["moisture"], COLOURS["residual"]
        for name, colour in zip(ESTIMATORS, colours, strict=True):
            _points(ax, here["change"], here[name], colour, name)
        _names(ax, here["change"], here["raw trend"])
        ax.set(title=words.capitalize(), xlabel=f"change of water, top {depth:g} m (kg m⁻²)")
    _zero_lines(axes)
    axes[0].set_ylabel("moisture's contribution to NEP (PgC)")
    legend_below(fig, axes[0])
    return fig


def _points(ax: Axes, x: pd.Series, y: pd.Series, colour: str, label: str) -> None:
    """Draw models as dots, the chapter's own source as a star."""
    own = x.index == OWN
    ax.scatter(x[~own], y[~own], 40, colour, label=label)
    ax.scatter(x[own], y[own], 220, colour, marker="*", edgecolor="black", zorder=3)


def _names(ax: Axes, x: pd.Series, y: pd.Series) -> None:
    for name, a, b in zip(x.index, x, y, strict=True):
        words = "" if name == OWN else name.removeprefix("variant ")
        ax.annotate(words, (a, b), (4, 3), textcoords="offset points", fontsize=8, color="0.3")


def _zero_lines(axes: Iterable[Axes]) -> None:
    """Mark zero where it lies within the data."""
    for ax in axes:
        limits = ax.axis()
        ax.axhline(0, color="black", lw=0.6, zorder=0)
        ax.axvline(0, color="black", lw=0.6, zorder=0)
        ax.axis(limits)
