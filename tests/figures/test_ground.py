"""Figures of the ground: they draw what they are given, on labelled axes."""

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
import xarray as xr

mpl.use("Agg")

from mpcf.figures import ground as ground_figures
from mpcf.figures.style import COLOURS

PHASES = {"warming": (2000, 2002), "mitigation": (2003, 2004), "net-zero": (2005, 2006)}
YEARS = np.arange(2000, 2007)


@pytest.fixture(autouse=True)
def closed():
    yield
    plt.close("all")


def members(values):
    """Two members whose mean is given, by year."""
    values = np.asarray(values, dtype=float)
    both = np.stack([values - 1, values + 1])
    return xr.DataArray(both, {"year": YEARS}, ("member", "year"))


def lines(ax, colour):
    """Lines of a colour, the thickest last."""
    found = [line for line in ax.lines if mpl.colors.same_color(line.get_color(), colour)]
    return sorted(found, key=lambda line: line.get_linewidth())


def steps(values):
    since = np.arange(len(values), dtype=float)
    return xr.DataArray(np.asarray(values, dtype=float), {"since": since}, ("since",))


# --------------------------------------------------------------------- temperature and water


@pytest.fixture
def column():
    """Soil that is 4 °C at the surface and −4 °C at 2 m, so 0 °C at 1 m, all year."""
    depth, month = np.array([0.0, 2.0]), np.arange(1, 13)
    values = np.broadcast_to([[4.0], [-4.0]], (2, 12))
    return xr.DataArray(values, {"depth": depth, "month": month}, ("depth", "month"))


def test_parts_of_liquid_water_are_stacked_above_and_below_zero():
    parts = xr.Dataset(
        {
            "thaw": members(np.full(7, 5.0)),
            "wetness": members(np.full(7, -2.0)),
            "cross": members([-1.0, -1.0, -1.0, 1.0, 1.0, 1.0, 1.0]),
        }
    )
    parts["liquid"] = parts["thaw"] + parts["wetness"] + parts["cross"]
    (ax,) = ground_figures.liquid_parts(parts, PHASES).axes
    areas = [c for c in ax.collections if isinstance(c, mpl.collections.PolyCollection)]
    heights = [area.get_datalim(ax.transData).intervaly.tolist() for area in areas]
    assert heights == [[0, 0], [-2, 0], [-3, -2], [0, 5], [5, 5], [5, 6]]
    *thin, mean = lines(ax, COLOURS["total"])
    np.testing.assert_allclose(mean.get_ydata(), parts["liquid"].mean("member"))
    assert len(thin) == 2


def test_section_draws_the_line_of_0_degrees_at_its_depth(column):
    fig = ground_figures.soil_section(column, limit=5, title="a place", xlabel="month")
    ax, bar = fig.axes
    contours = [c for c in ax.collections if isinstance(c, mpl.contour.QuadContourSet)]
    zero = next(c for c in contours if list(c.levels) == [0])
    (path,) = zero.get_paths()
    np.testing.assert_allclose(path.vertices[:, 1], 1.0)
    assert ax.get_ylim() == (2.0, 0.0)  # downwards
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("month", "depth (m)")
    assert list(ax.get_xticks()) == list(range(1, 13))
    assert bar.get_ylabel() == "°C"


def test_section_goes_by_date_whatever_the_order_of_dims(column):
    dates = pd.date_range("2001-01-01", periods=12, name="time")
    daily = column.rename(month="time").assign_coords(time=dates).transpose("time", "depth")
    ax = ground_figures.soil_section(daily, limit=5, title="a station", xlabel="year").axes[0]
    assert mpl.dates.num2date(ax.get_xlim()[0]).date() == dates[0].date()


def test_trumpet_fills_between_the_coldest_and_the_warmest_month():
    depth = {"depth": [0.1, 1.0]}
    cold, warm = (xr.DataArray(v, depth, ("depth",)) for v in ([-20.0, -5.0], [10.0, -1.0]))
    ax = ground_figures.trumpet({"before": (cold, warm), "after": (cold + 2, warm + 2)}).axes[0]
    drawn = [line.get_xdata().tolist() for line in ax.lines[:4]]
    assert drawn == [[-20.0, -5.0], [10.0, -1.0], [-18.0, -3.0], [12.0, 1.0]]
    assert [line.get_linestyle() for line in ax.lines[:4]] == ["-", "-", "--", "--"]
    assert [c.get_label() for c in ax.collections] == ["before (solid)", "after (dashed)"]
    assert ax.get_xlabel() == "soil temperature (°C)" and ax.yaxis_inverted()


def test_depth_bands_mark_the_sum_beside_its_parts():
    water = pd.DataFrame({"liquid": [2.0, 3.0], "ice": [-1.0, -5.0]}, index=["top", "below"])
    water["total"] = water["liquid"] + water["ice"]
    ax = ground_figures.depth_bands(water).axes[0]
    assert [bar.get_width() for bar in ax.patches] == [2.0, 3.0, -1.0, -5.0]
    (total,) = (line for line in ax.lines if line.get_label() == "total")
    assert list(total.get_xdata()) == [1.0, -2.0]
    assert "kg m⁻²" in ax.get_xlabel() and ax.yaxis_inverted()


# --------------------------------------------------------------------- refreezing


def test_share_is_drawn_in_percent_as_steps_up_to_the_horizon():
    ax = mpl.figure.Figure().subplots()
    ground_figures.share_curve(ax, steps([0.0, 0.25]), 10.0, color="red")
    (line,) = ax.lines
    assert line.get_drawstyle() == "steps-post"
    assert line.get_xydata().tolist() == [[0, 0], [1, 25], [10, 25]]


def test_no_cell_followed_draws_no_share():
    ax = mpl.figure.Figure().subplots()
    ground_figures.share_curve(ax, steps([]), 10.0, color="red")
    assert not ax.lines
    ax = ground_figures.returns([], steps([]), 10.0).axes[0]
    assert not ax.lines and ax.get_legend() is None


def test_returns_draw_every_member_thin_and_all_together_thick():
    fig = ground_figures.returns([steps([0, 0.5]), steps([0, 0.1])], steps([0, 0.3]), 20.0)
    (ax,) = fig.axes
    assert [line.get_ydata()[-1] for line in lines(ax, COLOURS["moisture"])] == [50, 10, 30]
    assert (ax.get_xlim(), ax.get_ylim()) == ((0, 20), (0, 100))
    assert ax.get_ylabel() == "% of the lost cells"


def test_way_there_and_back_is_coloured_by_phase_without_a_gap():
    warming, volume = members([1, 2, 3, 4, 5, 4, 3]), members([9, 8, 7, 6, 5, 6, 7])
    ax = ground_figures.there_and_back(warming, volume, PHASES).axes[0]
    labels = [line for line in ax.lines if not line.get_label().startswith("_")]
    assert [line.get_label().split(",")[0] for line in labels] == list(PHASES)
    ways = [line.get_xydata().tolist() for line in labels]
    assert ways[0] == [[1, 9], [2, 8], [3, 7], [4, 6]]
    assert ways[1][0] == ways[0][-1] and ways[2][0] == ways[1][-1]
    assert "(K)" in ax.get_xlabel() and "km³" in ax.get_ylabel()


def run(volume, share):
    """Draw what `mpcf.method.refreeze.refreeze_metrics` would give for 100 years."""
    years = {"year": np.arange(1950, 2050)}
    flat = xr.DataArray(np.ones((2, 100)), years, ("member", "year"))
    rising = xr.DataArray(np.arange(100.0), years, ("year",))
    return {
        "volume": volume * flat,
        "air": flat + rising,
        "share": steps(share),
        "times": xr.Dataset(attrs={"horizon": 30.0}),
    }


def test_refreezing_sets_both_runs_beside_each_other_for_each_scenario():
    both = {"with": run(5, [0, 0.2]), "without": run(4, [0, 0.4])}
    fig = ground_figures.refreezing({"no emissions": both, "net removal": both}, 2000)
    upper, lower = fig.axes[:2], fig.axes[2:]
    where = plt.rcParams["axes.titlelocation"]
    titles = [ax.get_title(where) for ax in upper]
    assert titles == ["After net zero: no emissions", "After net zero: net removal"]
    for ax in upper:
        assert [set(line.get_ydata()) for line in ax.lines[:2]] == [{5.0}, {4.0}]
    assert [line.get_ydata()[-1] for line in lower[1].lines] == [20, 40]
    texts = [text.get_text() for text in fig.legends[0].get_texts()]
    assert texts == ["with moisture's thermal effect", "without moisture's thermal effect"]
    assert "km³" in upper[0].get_ylabel() and "%" in lower[0].get_ylabel()


def test_loops_start_at_no_warming_in_the_base_period():
    fig = ground_figures.loops({"with": run(5, [0]), "without": run(4, [0])})
    (ax,) = fig.axes
    first, second = ax.lines
    assert set(first.get_ydata()) == {5.0} and set(second.get_ydata()) == {4.0}
    # air rises by 1 K a year: in the 11th it is, by running means, 3 K above that of the first 15
    assert first.get_xdata()[10] == pytest.approx(3.0)
    assert second.get_linestyle() == "--" and "(K)" in ax.get_xlabel()


# --------------------------------------------------------------------- the station


def test_thaw_is_written_below_each_year_and_depth_goes_down():
    daily = xr.DataArray([0.8, 0.91], {"year": [2000, 2001]}, ("year",))
    ax = ground_figures.thaw_by_year(daily, daily - 0.1).axes[0]
    assert [text.get_text() for text in ax.texts] == ["0.80", "0.91"]
    np.testing.assert_allclose(ax.lines[1].get_ydata(), [0.7, 0.81])
    assert ax.get_ylabel() == "deepest thaw (m)" and ax.yaxis_inverted()


def test_autumns_are_those_of_the_longest_and_the_shortest_curtain():
    time = pd.date_range("2000-01-01", "2002-12-31", name="time")
    temperature = xr.DataArray(np.zeros(time.size), {"time": time}, ("time",))
    temperature = temperature.assign_coords(depth=0.463)
    curtain = xr.DataArray([20.0, 50.0, 30.0], {"year": [2000, 2001, 2002]}, ("year",))
    ax = ground_figures.autumns(temperature, curtain).axes[0]
    assert [text.get_text() for text in ax.get_legend().get_texts()] == [
        "2001: 50 days",
        "2000: 20 days",
    ]
    assert ax.lines[0].get_xdata()[0] == 227  # 15 August, not a leap year
    assert ax.get_ylabel() == "°C at 0.463 m"


def test_impossible_water_stands_above_a_line_at_one():
    values = [[0.4, 0.5], [70.0, 0.5]]
    highest = xr.DataArray(values, {"year": [2003, 2004], "probe": ["a", "b"]}, ("year", "probe"))
    ax = ground_figures.impossible_water(highest.transpose("probe", "year")).axes[0]
    points = [line.get_ydata().tolist() for line in ax.lines if line.get_marker() == "o"]
    assert points == [[0.4, 70.0], [0.5, 0.5]]
    assert [1, 1] in [list(line.get_ydata()) for line in ax.lines]
    assert ax.get_yscale() == "log" and "m³ m⁻³" in ax.get_ylabel()


def test_curtain_and_rain_names_each_summer_at_its_point():
    curtain = xr.DataArray([70.0, 32.0], {"year": [1999, 2011]}, ("year",))
    summers = pd.DataFrame({"rain": [40.0], "curtain": [32.0]}, index=[2011])
    index = pd.Index([0.0, 300.0], name="rain")
    line = pd.DataFrame({"mean": [36.0, 80.0], "low": [5.0, 57.0], "high": [66.0, 104.0]}, index)
    left, right = ground_figures.curtain_and_rain(curtain, summers, line).axes
    assert [bar.get_height() for bar in left.patches] == [70.0, 32.0]
    assert right.lines[0].get_ydata().tolist() == [36.0, 80.0]
    (mark,) = right.texts
    assert mark.get_text() == "’11" and mark.xy == (40.0, 32.0)
    assert left.get_ylabel() == "zero curtain (days)" and "(mm)" in right.get_xlabel()
