"""Figures and maps: what is drawn is what was given, without a network."""

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pytest
import xarray as xr

mpl.use("Agg")

from mpcf.figures import COLOURS, grouped_bars, shade_phases
from mpcf.maps import polar_maps, symmetric


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
