"""The figure of the regression's costs: each panel varies one size and keeps the others."""

import matplotlib as mpl
import pandas as pd

mpl.use("Agg")

from mpcf.figures.benchmarks import time_against_size


def test_each_panel_shows_one_size_at_the_usual_values_of_the_others():
    sizes = [(5_000, 500, 4), (20_000, 500, 4), (5_000, 100, 4), (5_000, 500, 8), (20_000, 100, 8)]
    times = pd.DataFrame(sizes, columns=["cells", "years", "predictors"])
    times["seconds"] = times.prod(axis=1) / 1e7
    times = times.assign(bound_seconds=times["seconds"] / 3, method="mpcf")
    fig = time_against_size(times)
    drawn = [
        {line.get_label(): list(line.get_xdata()) for line in ax.lines if len(line.get_xdata())}
        for ax in fig.axes
    ]
    expected = [5_000, 20_000], [100, 500], [4, 8]
    labels = "mpcf, cells side by side", "reading the input once"
    assert drawn == [dict.fromkeys(labels, values) for values in expected]
