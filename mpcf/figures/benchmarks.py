"""Figure of the cost of the book's regression."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mpcf.figures.style import COLOURS, legend_below

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure


LINES = {
    "mpcf": ("moisture", "o-", "mpcf, cells side by side"),
    "mpcf, years side by side in memory": ("temperature", "s-", "mpcf, years side by side"),
}
"""Method → its colour's name, marker and label."""


def time_against_size(times: pd.DataFrame) -> Figure:
    """Draw the regression's time against cells, years and predictors, with its lower bound.

    Parameters
    ----------
    times : DataFrame
        ``method``, ``cells``, ``years`` and ``predictors`` of each measurement, and its
        ``seconds`` and ``bound_seconds``. Each panel varies one size around 5,000 cells,
        500 years and 4 predictors.

    Returns
    -------
    Figure
        Three panels with logarithmic axes.
    """
    import matplotlib.pyplot as plt

    small = times[times["cells"].eq(5_000)]
    panels = {
        "cells": times[times["years"].eq(500) & times["predictors"].eq(4)],
        "years": small[small["predictors"].eq(4)],
        "predictors": small[small["years"].eq(500)],
    }
    fig, axes = plt.subplots(1, 3, figsize=(10, 3.8), sharey=True)
    for ax, (name, part) in zip(axes, panels.items(), strict=True):
        for method, (colour, marker, label) in LINES.items():
            line = part[part["method"].eq(method)].sort_values(name)
            ax.loglog(line[name], line["seconds"], marker, color=COLOURS[colour], label=label)
        bound = part.groupby(name)["bound_seconds"].min()
        ax.loglog(bound.index, bound, "k--", label="reading the input once")
        ticks = sorted(set(part[name]))
        ax.set_xticks(ticks, [f"{tick:,}" for tick in ticks], minor=False)
        ax.minorticks_off()
        ax.set(xlabel=f"number of {name}")
    axes[0].set_ylabel("time, s")
    legend_below(fig, axes[0])
    fig.suptitle("Regression with Newey-West errors: time against size", x=0.01, ha="left")
    return fig
