"""Figures of coefficients and carbon: the values given, units on the axes, no invented interval."""

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
import xarray as xr

mpl.use("Agg")

from mpcf.figures import carbon as carbon_figures
from mpcf.figures.style import COLOURS
from mpcf.method.moisture import MEANINGS

PHASES = {"warming": (2000, 2050), "net-zero": (2051, 2100)}
PREDICTORS = ["moisture", "temperature"]


@pytest.fixture(autouse=True)
def closed():
    yield
    plt.close("all")


def title(ax):
    return ax.get_title(plt.rcParams["axes.titlelocation"])


def by_predictor(*values):
    return xr.DataArray(list(values), {"predictor": PREDICTORS}, ("predictor",))


def ends(container):
    """Both ends of each error bar along y; an unknown one has none."""
    (bars,) = container.lines[2]
    return [segment[:, 1].tolist() for segment in bars.get_segments() if len(segment)]


def test_coefficients_have_their_intervals_and_none_where_it_is_unknown():
    found = {
        "raw trend": (by_predictor(2.0, -1.0), by_predictor(0.5, np.nan)),
        "year effects": (by_predictor(1.0, 0.0), by_predictor(0.25, 0.25)),
    }
    fig = carbon_figures.coefficients(found, ylabel="gC m⁻² yr⁻¹", title="a title")
    (ax,) = fig.axes
    drawn = [(c.lines[0].get_ydata().item(), ends(c)) for c in ax.containers]
    assert drawn[0] == (2.0, [[1.5, 2.5]]) and drawn[2] == (1.0, [[0.75, 1.25]])
    assert drawn[1] == (-1.0, [])
    colours = [c.lines[0].get_color() for c in ax.containers]
    assert colours == [COLOURS[name] for name in PREDICTORS] * 2
    assert [c.lines[0].get_marker() for c in ax.containers] == ["o", "o", "s", "s"]
    assert ax.get_ylabel() == "gC m⁻² yr⁻¹" and title(ax) == "a title"
    assert [t.get_text() for t in ax.get_legend().get_texts()] == list(found)


def test_coefficients_by_flux_span_both_kinds_of_errors():
    low = np.arange(8.0).reshape(2, 2, 2)
    coords = {"errors": ["plain", "robust"], "flux": ["NEP", "GPP"], "predictor": PREDICTORS}
    low = xr.DataArray(low, coords, tuple(coords))
    fig = carbon_figures.coefficients_by_flux(xr.Dataset({"low": low, "high": low + 2}))
    assert [title(ax) for ax in fig.axes] == PREDICTORS
    plain, robust = fig.axes[0].containers
    assert plain.lines[0].get_xdata().tolist() == [1.0, 3.0]  # middles of 0 to 2 and 2 to 4
    assert robust.lines[0].get_xdata().tolist() == [5.0, 7.0]
    (bars,) = robust.lines[2]
    assert [segment[:, 0].tolist() for segment in bars.get_segments()] == [[4, 6], [6, 8]]
    assert plain.lines[0].get_markerfacecolor() == "white"
    assert [t.get_text() for t in fig.axes[0].get_yticklabels()] == ["NEP", "GPP"]
    assert fig.axes[0].yaxis_inverted() and "PgC yr⁻¹" in fig.axes[0].get_xlabel()


def test_shares_are_bars_by_estimator():
    values = [[0.5, 0.25], [0.125, 0.75]]
    coords = {"estimator": ["raw trend", "year effects"], "predictor": PREDICTORS}
    middle = xr.DataArray(values, coords, tuple(coords))
    found = xr.Dataset({"estimate": middle, "low": middle + np.nan, "high": middle + np.nan})
    names = {name: name for name in PREDICTORS}
    (ax,) = carbon_figures.shares(found, names=names, title="Shares").axes
    assert [bar.get_height() for bar in ax.patches] == [0.5, 0.125, 0.25, 0.75]
    assert ax.get_ylabel() == "share of R²" and title(ax) == "Shares"


def test_false_alarms_have_a_table_for_each_signal_and_mark_the_books_tests():
    columns = pd.MultiIndex.from_product([[0.0, 1.0], [0.3, 0.7]], names=["common signal", "phi"])
    alarms = pd.DataFrame([[5.0, 6.0, 50.0, 60.0]] * 2, ["a, ols", "a, cosine"], columns)
    first, second = carbon_figures.false_alarms(alarms, ["a, cosine"]).axes
    assert [title(ax) for ax in (first, second)] == ["common signal 0", "common signal 1"]
    assert [t.get_text() for t in second.texts] == ["50", "60", "50", "60"]
    assert [t.get_text() for t in first.get_yticklabels()] == ["a, ols", "▸ a, cosine"]
    assert [t.get_text() for t in first.get_xticklabels()] == ["0.3", "0.7"]
    assert first.get_xlabel() == "autocorrelation"


def test_contributions_and_their_sum_stand_over_the_years():
    coords = {"predictor": PREDICTORS, "year": [2000, 2001]}
    parts = xr.DataArray([[1.0, 2.0], [-3.0, 4.0]], coords, tuple(coords))
    (ax,) = carbon_figures.over_time(parts, total="change of NEP").axes
    drawn = {line.get_label(): list(line.get_ydata()) for line in ax.lines}
    assert drawn["moisture"] == [1.0, 2.0] and drawn["change of NEP"] == [-2.0, 6.0]
    assert ax.get_ylabel() == "PgC yr⁻¹" and ax.get_xlabel() == "year"


def carbon():
    """Two phases, one estimator; the interval of temperature is unknown."""
    values = [[[1.0, -2.0, -1.0]], [[4.0, 5.0, 9.0]]]
    names = [*PREDICTORS, "total"]
    coords = {"period": list(PHASES), "estimator": ["raw trend"], "predictor": names}
    middle = xr.DataArray(values, coords, tuple(coords))
    known = middle.where(middle["predictor"] != "temperature")
    return xr.Dataset({"estimate": middle, "low": known - 0.5, "high": known + 0.5})


def test_phases_have_panels_with_the_whole_change_as_a_line():
    names = {name: name for name in PREDICTORS}
    fig = carbon_figures.by_period(carbon(), PHASES, bars="predictor", names=names, total="change")
    assert [title(ax) for ax in fig.axes] == ["Warming, 2000–2050", "Net-zero, 2051–2100"]
    for ax, heights, whole in zip(fig.axes, ([1.0, -2.0], [4.0, 5.0]), (-1.0, 9.0), strict=True):
        assert [bar.get_height() for bar in ax.patches] == heights
        (line,) = (c for c in ax.collections if c.get_label() == "change")
        assert {y for segment in line.get_segments() for y in segment[:, 1]} == {whole}
    bars = [c for c in fig.axes[0].containers if isinstance(c, mpl.container.BarContainer)]
    known, unknown = (ends(c.errorbar) for c in bars)
    assert known == [[0.5, 1.5]] and unknown == []
    assert fig.axes[0].get_ylabel() == "PgC over the period"
    assert [t.get_text() for t in fig.legends[0].get_texts()] == ["change", *PREDICTORS]


def test_without_a_total_there_is_no_line():
    names = {name: name for name in PREDICTORS}
    fig = carbon_figures.by_period(carbon(), PHASES, bars="predictor", names=names)
    assert [t.get_text() for t in fig.legends[0].get_texts()] == PREDICTORS


def test_regression_and_null_test_stand_on_the_row_of_their_truth():
    rows = [
        ("liquid", "warming", 3.0, 1.0, 2.0),
        ("total", "warming", -3.0, 0.0, -1.0),
        ("liquid", "until net zero", 30.0, 10.0, 20.0),
        ("total", "until net zero", -30.0, 0.0, -10.0),
    ]
    columns = ["choice", "period", "estimate", "null", "truth"]
    scored = pd.DataFrame(rows, columns=columns).set_index("choice")
    fig = carbon_figures.estimates_and_truth(scored)
    ax = fig.axes[0]
    assert [title(a) for a in fig.axes] == ["Warming", "Until net zero"]
    assert [t.get_text() for t in ax.get_yticklabels()] == ["total", "liquid"]
    drawn = {line.get_label(): line.get_xydata().tolist() for line in ax.lines}
    assert drawn["regression"] == [[-3.0, 0], [3.0, 1]]
    assert drawn["null test"] == [[0.0, 0], [1.0, 1]]
    (truth,) = (c for c in ax.collections if c.get_label() == "truth")
    assert [segment[0, 0] for segment in truth.get_segments()] == [-1.0, 2.0]
    assert ax.get_xlabel() == "PgC"


def test_right_signs_are_written_with_their_error_in_brackets():
    index = pd.MultiIndex.from_product(
        [list(MEANINGS), ["plain", "lagged"], ["raw trend", "year effects"]],
        names=["moisture", "candidate", "estimator"],
    )
    score = pd.DataFrame({"right sign": 75.0, "error": 0.5}, index).sort_index()
    score.loc[("total", "lagged", "year effects")] = 100.0, 2.0
    fig = carbon_figures.right_signs(score, ["year effects", "raw trend"])
    *tables, bar = fig.axes
    assert [title(ax) for ax in tables] == [
        meaning.words.capitalize() for meaning in MEANINGS.values()
    ]
    texts = [[t.get_text() for t in ax.texts] for ax in tables]
    assert set(texts[0]) == {"75\n(0.5)"} and texts[1].count("100\n(2.0)") == 1
    rows = [t.get_text() for t in tables[0].get_yticklabels()]
    at = next(t for t in tables[1].texts if t.get_text() == "100\n(2.0)")
    assert at.get_position() == (0, rows.index("lagged"))
    assert bar.get_ylabel() == "% of the sets with the right sign"
