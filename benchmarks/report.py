"""Table and figure of what was measured."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd

RESULTS = Path(__file__).with_name("results.json")


def rows(path: Path = RESULTS) -> pd.DataFrame:
    """All measurements, one a row."""
    return pd.DataFrame(json.loads(Path(path).read_text())["rows"])


def table(path: Path = RESULTS) -> pd.DataFrame:
    """Methods side by side for each task that was measured with more than one.

    ``times faster`` is mpcf against the method.
    """
    found = rows(path).dropna(subset=["seconds"])
    by = ["task", "cells", "years", "predictors"]
    ours = found[found["method"].isin(["mpcf", "mpcf, Gram matrices"])].set_index(by)["seconds"]
    several = found.groupby(by)["method"].transform("count") > 2
    shown = found[several].set_index(by)
    shown = shown.assign(**{"times faster": shown["seconds"] / ours.reindex(shown.index)})
    names = {"seconds": "s", "times_bound": "× reading the input", "cells_timed": "cells timed"}
    columns = ["method", "s", "× reading the input", "times faster", "cells timed", "note"]
    return shown.rename(columns=names).reset_index()[[*by, *columns]]


def figure(path: Path = RESULTS):
    """Time of the regression against cells, years and predictors, with the bound drawn in."""
    import matplotlib.pyplot as plt

    found = rows(path).dropna(subset=["seconds"])
    found = found[
        found["task"].str.startswith("regression") & found["method"].str.startswith("mpcf")
    ]
    panels = {"cells": found[found["years"].eq(500) & found["predictors"].eq(4)]}
    small = found[found["cells"].eq(5_000)]
    panels["years"] = small[small["predictors"].eq(4)]
    panels["predictors"] = small[small["years"].eq(500)]
    fig, axes = plt.subplots(1, 3, figsize=(10, 3.4))
    for ax, (name, part) in zip(axes, panels.items(), strict=True):
        for method, line in part.sort_values(name).groupby("method"):
            ax.loglog(line[name], line["seconds"], "o-", label=method)
        bound = part.groupby(name)["bound_seconds"].min()
        ax.loglog(bound.index, bound, "k--", label="reading the input once")
        ax.set(xlabel=name, ylabel="s")
    axes[0].legend(fontsize=8)
    fig.suptitle("Regression with Newey-West errors: time against size")
    fig.tight_layout()
    return fig
