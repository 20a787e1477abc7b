"""Figures and maps: they draw what they are given, without a network."""

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
import xarray as xr

mpl.use("Agg")

from mpcf.figures import style
from mpcf.figures.maps import polar_maps, symmetric
from mpcf.figures.style import COLOURS, grouped_bars, shade_phases


@pytest.fixture
def field():
    lat, lon = np.arange(47.0, 85, 4), np.arange(-177.5, 180, 5)
    values = np.add.outer(lat, lon / 10)
    return xr.DataArray(values, {"lat": lat, "lon": lon}, ("lat", "lon"))


def mesh(ax):
    return next(c for c in ax.collections if isinstance(c, mpl.collections.QuadMesh))


def test_maps_have_titles_one_bar_and_the_fields_values(field):
    hole = field.where(field["lat"] > 50)
    fig = polar_maps({"a": field, "b": hole}, label="K", cmap="viridis", vmin=0, vmax=100)
    fig.canvas.draw()
    maps, bars = fig.axes[:2], fig.axes[2:]
    where = plt.rcParams["axes.titlelocation"]
    assert [ax.get_title(where) for ax in maps] == ["a", "b"]
    assert len(bars) == 1 and bars[0].get_xlabel() == "K"
    drawn = mesh(maps[1]).get_array()
    np.testing.assert_array_equal(np.ma.getmaskarray(drawn).reshape(hole.shape), hole.isnull())


def test_maps_can_each_have_a_bar_and_dots(field):
    looks = [{"vmin": 0, "vmax": 1}, {"vmin": -5, "vmax": 5}]
    labels = {"a": "K", "b": "mm"}
    dots = {"b": field > field.mean()}
    fig = polar_maps({"a": field, "b": field}, label=list(labels.values()), dots=dots, looks=looks)
    assert [ax.get_xlabel() for ax in fig.axes[2:]] == ["K", "mm"]
    assert [mesh(ax).get_clim() for ax in fig.axes[:2]] == [(0, 1), (-5, 5)]
    marks = [c for c in fig.axes[1].collections if isinstance(c, mpl.collections.PathCollection)]
    assert len(marks[0].get_offsets()) == int(dots["b"].sum())


def test_symmetric_bounds_hold_most_of_a_field():
    values = xr.DataArray(np.arange(-50.0, 101))
    bounds = symmetric(values, 0.9)
    assert bounds["vmin"] == -bounds["vmax"]
    assert float((abs(values) <= bounds["vmax"]).mean()) == pytest.approx(0.9, abs=0.02)
    assert symmetric(xr.DataArray([np.nan])) == {"vmin": -1.0, "vmax": 1.0}


def test_bars_stand_where_their_values_are():
    dims = ("estimator", "predictor")
    middle = xr.DataArray([[1.0, -2.0], [3.0, 4.0]], dims=dims)
    values = xr.Dataset({"estimate": middle, "low": middle - 1, "high": middle + np.nan})
    values = values.assign_coords(estimator=["a", "b"], predictor=["moisture", "temperature"])
    ax = mpl.figure.Figure().subplots()
    names = {"moisture": "M", "temperature": "T"}
    grouped_bars(ax, values, groups="estimator", bars="predictor", names=names)
    assert [bar.get_height() for bar in ax.patches] == [1.0, 3.0, -2.0, 4.0]
    assert mpl.colors.to_hex(ax.patches[0].get_facecolor()) == COLOURS["moisture"].lower()
    assert [t.get_text() for t in ax.get_xticklabels()] == ["a", "b"]
    bars = next(c for c in ax.containers if isinstance(c, mpl.container.BarContainer))
    low, high = (cap.get_ydata() for cap in bars.errorbar.lines[1])
    np.testing.assert_array_equal(low, [0.0, 2.0])
    assert np.isnan(high.astype(float)).all()  # an unknown bound is not a bound of no width


def test_phases_are_shaded_over_whole_years():
    ax = mpl.figure.Figure().subplots()
    shade_phases(ax, {"warming": (2000, 2050)})
    assert ax.patches[0].get_x() == 1999.5 and ax.patches[0].get_width() == 51.0
    assert ax.texts[0].get_text() == "warming"


def test_colours_are_the_books():
    assert len({c.lower() for name, c in COLOURS.items() if name != "nep"}) == len(COLOURS) - 1


def two_members(*values):
    mean = np.array(values, dtype=float)
    years = {"year": 2000 + np.arange(mean.size)}
    return xr.DataArray(np.stack([mean - 1, mean + 1]), years, ("member", "year"))


def test_style_is_the_books():
    with mpl.rc_context():
        style.style()
        assert plt.rcParams["axes.titlelocation"] == "left"
        assert not plt.rcParams["axes.spines.top"]
        assert plt.rcParams["figure.constrained_layout.use"]


def test_ensemble_draws_members_thin_and_their_mean_thick():
    ax = mpl.figure.Figure().subplots()
    style.ensemble(ax, two_members(3, 4).transpose("year", "member"), colour="red", label="x")
    *thin, mean = ax.lines
    assert [line.get_ydata().tolist() for line in thin] == [[2, 3], [4, 5]]
    assert mean.get_ydata().tolist() == [3, 4] and mean.get_label() == "x"
    assert mean.get_linewidth() > max(line.get_linewidth() for line in thin)


@pytest.mark.parametrize(("lowest", "at_zero"), [(1, True), (-5, False)])
def test_years_keep_zero_in_view(lowest, at_zero):
    series = {"area": (two_members(lowest, 14), "blue")}
    phases = {"warming": (2000, 2001)}
    fig = style.over_years(series, phases, ylabel="million km²", title="Area")
    (ax,) = fig.axes
    bottom, top = ax.get_ylim()
    assert bottom == 0 if at_zero else bottom < lowest - 1
    assert top > 15 and (ax.get_xlabel(), ax.get_ylabel()) == ("year", "million km²")
    assert [text.get_text() for text in fig.legends[0].get_texts()] == ["area"]
    assert [text.get_text() for text in ax.texts] == ["warming"]
    plt.close(fig)


def test_stacked_years_put_the_last_quantity_on_top():
    series = {"air (°C)": (two_members(1, 2), "red"), "CO₂ (ppm)": (two_members(400, 410), "grey")}
    fig = style.stacked_years(series, {"warming": (2000, 2001)}, title="Climate")
    top, bottom = fig.axes
    assert (top.get_ylabel(), bottom.get_ylabel()) == ("CO₂ (ppm)", "air (°C)")
    assert top.lines[-1].get_ydata().tolist() == [400, 410]
    assert top.get_title(plt.rcParams["axes.titlelocation"]) == "Climate"
    assert bottom.get_xlabel() == "year" and [len(ax.texts) for ax in fig.axes] == [1, 0]
    plt.close(fig)


def test_small_panels_draw_each_series_under_its_name():
    one, two, three = (pd.Series([k, 2.0 * k], index=[5, 6]) for k in (1.0, 2.0, 3.0))
    names = {"a (K)": (one, "red"), "b (mm)": (two, "blue"), "c (1)": (three, "grey")}
    fig = style.small_panels(names, xlabel="year of the run")
    where = plt.rcParams["axes.titlelocation"]
    assert [ax.get_title(where) for ax in fig.axes] == list(names)
    assert [ax.lines[0].get_xydata().tolist() for ax in fig.axes] == [
        [[5, 1], [6, 2]],
        [[5, 2], [6, 4]],
        [[5, 3], [6, 6]],
    ]
    assert [ax.get_xlabel() for ax in fig.axes] == ["", "", "year of the run"]
    plt.close(fig)


def test_heat_table_writes_dark_on_light_and_light_on_dark():
    ax = mpl.figure.Figure().subplots()
    table = pd.DataFrame([[0.0, 100.0]], index=["row"], columns=["low", "high"])
    image = style.heat_table(
        ax, table, table.map("{:.0f} %".format), cmap="Greys", vmin=0, vmax=100
    )
    assert image.get_array().tolist() == [[0.0, 100.0]]
    assert [(t.get_text(), t.get_position(), t.get_color()) for t in ax.texts] == [
        ("0 %", (0, 0), "black"),
        ("100 %", (1, 0), "white"),
    ]
    assert [t.get_text() for t in ax.get_xticklabels()] == ["low", "high"]


def test_one_legend_below_holds_every_label():
    fig = mpl.figure.Figure(layout="constrained")
    ax = fig.subplots()
    ax.plot([0], [0], label="a")
    ax.plot([0], [0], label="b")
    style.legend_below(fig, ax)
    (legend,) = fig.legends
    assert [text.get_text() for text in legend.get_texts()] == ["a", "b"]
    fig.canvas.draw()
    assert legend.get_window_extent().y1 <= ax.get_window_extent().y0


def test_equal_figures_are_equal_files(tmp_path):
    for name in ("a", "b"):
        fig, ax = plt.subplots()
        ax.plot([0, 1])
        style.save(fig, tmp_path / "new" / f"{name}.png")
        assert not plt.fignum_exists(fig.number)
    first, second = ((tmp_path / "new" / f"{name}.png").read_bytes() for name in ("a", "b"))
    assert first == second
