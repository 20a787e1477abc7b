"""Permafrost diagnostics against profiles whose answer is known."""

import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st

from mpcf.errors import DataError
from mpcf.ground.thaw import (
    land_area,
    lasting,
    layer_overlap,
    permafrost,
    permafrost_area,
    talik,
    talik_at_loss,
    thaw_depth,
)

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


# Few values, so that nodes at 0 °C and gaps are met often.
TEMPERATURES = st.sampled_from([-3.0, -1e-7, 0.0, 1e-7, 0.1, 2.0, 7.0, np.nan])
ORDERS = st.permutations(("year", "depth", "lat", "lon"))
SIZES = {"year": 4, "depth": 5, "lat": 2, "lon": 300}
"""More cells than a kernel takes at a time."""


@st.composite
def soils(draw):
    """Soil temperature whose dims, and whose order in memory, are any."""
    stored, dims = draw(ORDERS), draw(ORDERS)
    sizes = SIZES | {"lon": draw(st.sampled_from([0, 1, 3, 256, 300]))}
    few = draw(st.lists(TEMPERATURES, min_size=3, max_size=8))
    kind = draw(st.sampled_from(["float32", "float64"]))
    shape = [sizes[dim] for dim in stored]
    values = np.random.default_rng(draw(st.integers(0, 99))).choice(few, shape).astype(kind)
    coords = {"depth": DEPTH * 2, "year": [2000, 2001, 2002, 2003], "region": "Arctic"}
    soil = xr.DataArray(values, coords, stored, attrs={"units": "degC"}, name="tsl")
    return soil.transpose(*dims)


def thaw_depth_by_xarray(tsl):
    """Return the same by whole arrays: the first node that is not thawed and the one above it."""
    tsl = tsl.astype("float64")
    stopped = ~(tsl > 0)
    first = stopped.argmax("depth")
    below, above = tsl.isel(depth=first), tsl.isel(depth=(first - 1).clip(0))
    upper, lower = above["depth"], below["depth"]
    crossing = (upper + above / (above - below) * (lower - upper)).where(below <= 0, np.inf)
    crossing = crossing.where(stopped.any("depth"), np.inf)
    surface = tsl.isel(depth=0)
    return crossing.where(surface > 0, 0.0).where(surface.notnull())


def permafrost_by_xarray(tsl_max):
    """Return the same by whole arrays, shifted by a year."""
    frozen = tsl_max.sel(depth=slice(None, 3.0)) <= 0
    lasts = (frozen & frozen.shift(year=1, fill_value=False)).any("depth")
    known = tsl_max.isel(depth=0, drop=True).notnull()
    return lasts.astype("float32").where(known & known.shift(year=1, fill_value=False))


@given(soils())
def test_thaw_depth_is_that_of_whole_arrays_in_any_layout(tsl):
    found, expected = thaw_depth(tsl), thaw_depth_by_xarray(tsl)
    assert found.dims == tuple(dim for dim in tsl.dims if dim != "depth")
    assert found.dtype == "float64"
    np.testing.assert_array_equal(found, expected.transpose(*found.dims))


@given(soils())
def test_permafrost_is_that_of_whole_arrays_in_any_layout(tsl):
    found, expected = permafrost(tsl), permafrost_by_xarray(tsl)
    assert found.dims == tuple(dim for dim in tsl.dims if dim != "depth")
    assert found.dtype == "float32"
    np.testing.assert_array_equal(found, expected.transpose(*found.dims))


@given(soils())
def test_lazy_data_give_the_same_and_permafrost_stays_lazy(tsl):
    lazy = tsl.chunk({"year": 3, "lat": 1})
    assert permafrost(lazy).chunks
    xr.testing.assert_identical(permafrost(lazy).compute(), permafrost(tsl))
    xr.testing.assert_identical(thaw_depth(lazy), thaw_depth(tsl))


def test_permafrost_needs_one_node_frozen_in_both_years_within_three_metres():
    years = [
        [1.0, -1.0, 1.0, -1.0],
        [1.0, 1.0, -1.0, -1.0],  # another node than the year before, and one below 3 m
        [1.0, 1.0, 0.0, -1.0],
        [1.0, 1.0, np.nan, -1.0],
        [np.nan] * 4,
        [-1.0, -1.0, -1.0, -1.0],  # frozen, but what was the year before?
        [-1.0, 1.0, 1.0, 1.0],
    ]
    coords = {"year": range(7), "depth": [0.1, 1.0, 3.0, 3.1]}
    mask = permafrost(xr.DataArray(years, coords, ("year", "depth")))
    np.testing.assert_array_equal(mask, [np.nan, 0, 1, 0, np.nan, np.nan, 1])


COLD = (-8.0, 6.0)
FROZEN = (-2.0, -0.5)
THAWED = (0.5, 1.5)
"""°C: coldest and warmest month of a layer that freezes each winter, of one that never thaws, and
of one that never freezes."""


def extremes(*years, start=2000):
    """Return coldest and warmest month (year, depth) of soils given layer by layer."""
    values = np.array(years)
    coords = {"year": start + np.arange(len(years)), "depth": [0.3, 1.0, 2.0, 4.0, 6.0]}
    return tuple(xr.DataArray(values[..., i], coords, ("year", "depth")) for i in (0, 1))


TALIKS = {
    "open to the active layer": ([COLD, THAWED, FROZEN, FROZEN, FROZEN], 1),
    "from the surface down": ([THAWED, THAWED, FROZEN, FROZEN, FROZEN], 1),
    "closed, below a layer that stays frozen": ([COLD, FROZEN, THAWED, FROZEN, FROZEN], 1),
    "above ground that is frozen below 3 m only": ([COLD, THAWED, THAWED, THAWED, FROZEN], 1),
    "with a layer between that only freezes in winter": ([COLD, THAWED, COLD, FROZEN, FROZEN], 1),
    "none: permafrost to the active layer": ([COLD, FROZEN, FROZEN, FROZEN, FROZEN], 0),
    "none: thawed to the bottom, permafrost above": ([COLD, FROZEN, FROZEN, THAWED, THAWED], 0),
    "none: nothing frozen all year": ([COLD, COLD, THAWED, THAWED, THAWED], 0),
}


@pytest.mark.parametrize("case", TALIKS)
def test_a_talik_is_thawed_all_year_above_ground_frozen_for_two(case):
    layers, expected = TALIKS[case]
    np.testing.assert_array_equal(
        talik(*extremes(layers, layers, layers)), [np.nan] + 2 * [expected]
    )


def test_ground_frozen_for_one_year_only_is_no_permafrost_below_a_talik():
    """The layer at 4 m is frozen in 2001 alone, then for good."""
    thawed = [COLD, THAWED, THAWED, THAWED, THAWED]
    frozen = [COLD, THAWED, THAWED, FROZEN, THAWED]
    found = talik(*extremes(thawed, frozen, thawed, frozen, frozen))
    np.testing.assert_array_equal(found, [np.nan, 0, 0, 0, 1])


def test_a_talik_has_to_last_for_one_year_only():
    """The definition asks two years of the ground below, not of the talik."""
    closed = [COLD, FROZEN, FROZEN, FROZEN, FROZEN]
    opened = [COLD, (0.01, 1.0), FROZEN, FROZEN, FROZEN]
    found = talik(*extremes(closed, opened, closed))
    np.testing.assert_array_equal(found, [np.nan, 1, 0])


def test_zero_degrees_is_frozen_for_the_ground_and_for_the_talik():
    at_zero = [COLD, (0.0, 1.0), FROZEN, FROZEN, FROZEN]
    assert talik(*extremes(at_zero, at_zero))[1] == 0
    below = [COLD, THAWED, (-1.0, 0.0), THAWED, THAWED]
    assert talik(*extremes(below, below))[1] == 1


def test_taliks_are_unknown_without_the_year_before_or_without_soil():
    open_one, sea = TALIKS["open to the active layer"][0], 5 * [(np.nan, np.nan)]
    found = talik(*extremes(open_one, sea, open_one, open_one))
    np.testing.assert_array_equal(found, [np.nan, np.nan, np.nan, 1])
    rock = [COLD, THAWED, FROZEN, (np.nan, np.nan), (np.nan, np.nan)]
    assert talik(*extremes(rock, rock))[1] == 1, "bedrock without temperature below"


def test_a_gap_of_years_is_refused_for_taliks():
    layers = TALIKS["open to the active layer"][0]
    coldest, warmest = (part.assign_coords(year=[2000, 2002]) for part in extremes(layers, layers))
    with pytest.raises(DataError, match="years 2000 and 2002 are not consecutive, as taliks"):
        talik(coldest, warmest)


@given(st.integers(0, 2**32 - 1))
def test_taliks_of_random_soils_are_those_found_layer_by_layer(seed):
    rng = np.random.default_rng(seed)
    warmest = rng.normal(0.0, 2.0, (4, 5))
    coldest = warmest - rng.exponential(1.0, (4, 5))
    coords = {"year": range(4), "depth": [0.3, 1.0, 2.0, 4.0, 6.0]}
    found = talik(*(xr.DataArray(part, coords, ("year", "depth")) for part in (coldest, warmest)))
    for y in range(1, 4):
        expected = any(
            coldest[y, above] > 0 and warmest[y, below] <= 0 and warmest[y - 1, below] <= 0
            for below in range(5)
            for above in range(below)
        )
        assert found[y] == expected


def test_coordinates_stay_and_attributes_stay():
    values = np.ones((2, 5, 3), "float32")
    coords = {"year": [0, 1], "depth": DEPTH, "lat": ("cell", [1.0, 2.0, 3.0]), "member": 1}
    tsl = xr.DataArray(values, coords, ("year", "depth", "cell"), "tsl", {"cell_methods": "x"})
    for result in (thaw_depth(tsl), permafrost(tsl)):
        assert set(result.coords) == {"year", "lat", "member"}
        assert result.attrs["units"] in ("m", "1")


@pytest.mark.parametrize("dims", [("depth",), ("cell", "depth"), ("depth", "cell")])
def test_one_value_in_kelvin_is_refused_wherever_it_is(dims):
    sizes = {"cell": 600, "depth": 5}
    tsl = xr.DataArray(np.full([sizes[dim] for dim in dims], -1.0), {"depth": DEPTH}, dims)
    thaw_depth(tsl.where(False, 150.0))
    for place in (0, -1):
        tsl.values.flat[:] = -1.0
        tsl.values.flat[place] = 150.1
        with pytest.raises(ValueError, match="°C, not in K"):
            thaw_depth(tsl)


def test_upward_depth_is_refused():
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


@pytest.mark.parametrize(
    ("land", "ice", "expected"),
    [
        (50.0, 0.0, 0.50),
        (80.0, 20.0, 0.60),
        (100.0, 100.0, 0.0),
        (50.0, 50.0, 0.0),  # all land of a coastal cell is ice
        (30.0, 40.0, 0.0),  # rounding in a source, or shares of different grids
        (80.0, np.nan, 0.80),
        (np.nan, 0.0, 0.0),
    ],
)
def test_land_is_what_ice_leaves_of_it_as_a_share_of_the_cell(land, ice, expected):
    grid = xr.Dataset(
        {"areacella": ("lat", [2e6]), "sftlf": ("lat", [land]), "sftgif": ("lat", [ice])},
        {"lat": [70.0]},
    )
    assert float(land_area(grid)[0]) == pytest.approx(2e6 * expected)


def test_without_an_ice_fraction_all_land_counts():
    grid = xr.Dataset({"areacella": ("lat", [2e6, 2e6]), "sftlf": ("lat", [50.0, 50.0])})
    area = land_area(grid.assign_coords(lat=[44.0, 45.0]))
    np.testing.assert_array_equal(area, [0.0, 1e6])


def test_a_talik_counts_only_within_five_years_of_the_first_lasting_loss():
    year = np.arange(2000, 2060)
    cells = {  # years with permafrost, years with a talik
        "five years before": (year < 2020, year == 2015),
        "six years before": (year < 2020, year == 2014),
        "five years after": (year < 2020, year == 2025),
        "six years after": (year < 2020, year == 2026),
        "at a loss of nine years only": ((year < 2020) | (year > 2028), year == 2020),
        "at the second loss": ((year < 2010) | ((year > 2025) & (year < 2045)), year == 2045),
        "never frozen": (year < 0, year == 2020),
        "unknown in the first year": (year < 2020, year == 2021),
    }
    frozen, thawed = (
        xr.DataArray(np.array(values, float), {"year": year}, ("cell", "year")).copy()
        for values in zip(*cells.values(), strict=True)
    )
    frozen[-1, 0] = thawed[-1, 0] = np.nan
    found = talik_at_loss(frozen, thawed)
    np.testing.assert_array_equal(found, [1, 0, 1, 0, np.nan, 0, np.nan, 1])
