"""Permafrost diagnostics against profiles whose answer is known."""

import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st

from mpcf.thaw import lasting, layer_overlap, permafrost_area, thaw_depth

DEPTH = np.array([0.05, 0.2, 0.5, 1.0, 2.0])


def profile(values):
    return xr.DataArray(values, {"depth": DEPTH}, "depth")


@given(st.floats(0.06, 1.99), st.floats(0.5, 20.0))
def test_linear_profile_crosses_where_it_was_put(depth, gradient):
    temperature = profile(gradient * (depth - DEPTH))
    assert float(thaw_depth(temperature)) == pytest.approx(depth, rel=1e-12)


def test_first_crossing_counts_and_a_talik_below_does_not():
    assert float(thaw_depth(profile([4.0, 1.0, -1.0, 2.0, 3.0]))) == pytest.approx(0.35)


def test_edges_of_a_column():
    assert float(thaw_depth(profile([-1.0, 2.0, 2.0, 2.0, 2.0]))) == 0
    assert np.isinf(thaw_depth(profile([1.0, 1.0, 1.0, 1.0, 1.0])))
    assert np.isinf(thaw_depth(profile([1.0, 1.0, np.nan, np.nan, np.nan])))
    assert np.isnan(thaw_depth(profile([np.nan] * 5)))


def test_dims_may_stand_in_any_order():
    values = np.random.default_rng(0).normal(0, 5, (3, 5, 4))
    temperature = xr.DataArray(values, {"depth": DEPTH}, ("lat", "depth", "lon"))
    whole = thaw_depth(temperature)
    assert whole.dims == ("lat", "lon")
    for i in range(3):
        for j in range(4):
            one = thaw_depth(temperature.isel(lat=i, lon=j))
            np.testing.assert_array_equal(whole.isel(lat=i, lon=j), one)


def test_kelvin_and_upward_depth_are_refused():
    with pytest.raises(ValueError, match="°C, not in K"):
        thaw_depth(profile([280.0] * 5))
    with pytest.raises(ValueError, match="positive down"):
        thaw_depth(profile([1.0] * 5).assign_coords(depth=-DEPTH))


@given(st.lists(st.integers(0, 1), min_size=12, max_size=40))
def test_lasting_states_have_no_short_spells_but_the_last(values):
    mask = xr.DataArray(values, {"year": range(len(values))}, "year")
    state = lasting(mask, years=4).values
    known = state[~np.isnan(state)]
    turns = np.flatnonzero(np.diff(known)) + 1
    assert (np.diff(turns) >= 4).all()


@given(st.floats(0.0, 5.0))
def test_layers_overlap_adds_up_to_the_depth(bottom):
    bounds = xr.DataArray([[0.0, 0.3], [0.3, 1.1], [1.1, 3.0]], dims=("depth", "bnds"))
    assert float(layer_overlap(bounds, bottom).sum()) == pytest.approx(min(bottom, 3.0))


def test_area_leaves_out_ice_sheets_sea_and_the_south():
    grid = xr.Dataset(
        {
            "areacella": (("lat", "lon"), np.full((2, 3), 1e12)),
            "sftlf": (("lat", "lon"), np.array([[100.0, 100.0, 100.0], [100.0, 50.0, 100.0]])),
            "sftgif": (("lat", "lon"), np.array([[0.0, 0.0, 0.0], [0.0, 0.0, 100.0]])),
        },
        {"lat": [40.0, 60.0], "lon": [0.0, 5.0, 10.0]},
    )
    mask = xr.ones_like(grid["sftlf"])
    assert float(permafrost_area(mask, grid)) == pytest.approx(1.5)
