"""Figures that compare sources."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import pandas as pd

from mpcf.method.models import DEPTHS, ESTIMATORS, MOISTURE_MEANINGS, THIS_SOURCE

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def change_figure(table: pd.DataFrame) -> Figure:
    """Draw the change of liquid against that of total water, one point per model.

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

    from mpcf.figures.style import COLOURS, legend_below

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
    """Draw moisture's contribution against the change of moisture, one point per model.

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

    from mpcf.figures.style import COLOURS, legend_below

    fig, axes = plt.subplots(1, len(MOISTURE_MEANINGS), figsize=(9, 4.6), sharey=True)
    for ax, (meaning, words) in zip(axes, MOISTURE_MEANINGS.items(), strict=True):
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
    own = x.index == THIS_SOURCE
    ax.scatter(x[~own], y[~own], 40, colour, label=label)
    ax.scatter(x[own], y[own], 220, colour, marker="*", edgecolor="black", zorder=3)


def _names(ax: Axes, x: pd.Series, y: pd.Series) -> None:
    for name, a, b in zip(x.index, x, y, strict=True):
        words = "" if name == THIS_SOURCE else name.removeprefix("variant ")
        ax.annotate(words, (a, b), (4, 3), textcoords="offset points", fontsize=8, color="0.3")


def _zero_lines(axes: Iterable[Axes]) -> None:
    """Mark zero where it lies within the data."""
    for ax in axes:
        limits = ax.axis()
        ax.axhline(0, color="black", lw=0.6, zorder=0)
        ax.axvline(0, color="black", lw=0.6, zorder=0)
        ax.axis(limits)
