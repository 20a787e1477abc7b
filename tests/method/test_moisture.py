"""Moisture's region, means and trends, by hand."""

import numpy as np
import pytest
import xarray as xr

from mpcf.method.moisture import moisture_index, permafrost_region
from mpcf.method.periods import base_period
from mpcf.method.statistics import decadal_trend, known_mean, member_interval, regional_mean


def yearly_with(mask):
    """Two members, 20 years, one row of four cells; the first year is unknown."""
    mask = xr.DataArray(
        np.broadcast_to(mask, (2, 20, 1, 4)).astype(float),
        {"member": [1, 2], "year": range(2000, 2020), "lat": [60.0], "lon": [0.0, 5.0, 10.0, 15.0]},
        ("member", "year", "lat", "lon"),
    )
    grid = {"areacella": 2e11, "sftlf": 50.0}
    maps = {k: (("lat", "lon"), np.full((1, 4), v)) for k, v in grid.items()}
    return xr.Dataset(maps).assign(permafrost=mask.where(mask["year"] > 2000))


def test_region_holds_cells_with_permafrost_all_through_the_base_period():
    mask = np.ones((2, 20, 1, 4))
    mask[:, 18, :, 1] = 0  # lost after the base period
    mask[:, 5, :, 2] = 0  # lost for a year within it
    mask[:, :, :, 3] = 0
    region = permafrost_region(yearly_with(mask))
    np.testing.assert_array_equal(region, [[1e11, 1e11, 0, 0]])


def test_region_requires_most_members():
    mask = np.ones((2, 20, 1, 4))
    mask[0, 5] = 0
    assert float(permafrost_region(yearly_with(mask)).sum()) == 0


@pytest.fixture
def half_sea():
    """Permafrost on land, nothing at sea, in single precision as the yearly data have it."""
    shape = {"member": 4, "year": 20, "lat": 10, "lon": 72}
    mask = xr.DataArray(np.ones(tuple(shape.values()), "float32"), dims=tuple(shape))
    mask = mask.assign_coords(year=range(2000, 2020), lat=range(60, 70), lon=range(72))
    return mask.where(mask["lon"] < 36)


@pytest.mark.filterwarnings("error")
def test_sea_has_no_permafrost_and_gives_no_warning(half_sea):
    grid = xr.ones_like(half_sea.isel(member=0, year=0, drop=True), "float64")
    yearly = xr.Dataset({"permafrost": half_sea, "areacella": 2e11 * grid, "sftlf": 50 * grid})
    region = permafrost_region(yearly)
    np.testing.assert_array_equal(region, np.where(region["lon"] < 36, 1e11, 0) * np.ones((10, 1)))


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("kind", ["float32", "float64"])
def test_mean_of_what_is_known_is_nan_where_nothing_is_and_gives_no_warning(half_sea, kind):
    values = (2 * half_sea.where(half_sea["year"] > 2000)).astype(kind)
    values[0] = 6 * half_sea[0]
    mean = known_mean(values, ("member", "year"))
    # one member has 20 years of 6, three have 19 of 2
    known = (20 * 6 + 3 * 19 * 2) / (20 + 3 * 19)
    np.testing.assert_allclose(
        mean, np.where(mean["lon"] < 36, known, np.nan) * np.ones((10, 1)), rtol=1e-6
    )
    assert mean.dtype == kind


def test_regional_mean_weights_by_area_and_skips_what_is_outside():
    values = xr.DataArray([[1.0, 4.0, np.nan]], dims=("lat", "lon"))
    region = xr.DataArray([[3.0, 1.0, 0.0]], dims=("lat", "lon"))
    assert float(regional_mean(values, region)) == pytest.approx((3 * 1 + 1 * 4) / 4)


def test_base_period_is_the_first_fifteen_years(yearly_stub):
    assert base_period(yearly_stub) == slice(2000, 2014)


def test_index_picks_depth_and_season(yearly_stub):
    picked = moisture_index(yearly_stub, "total", depth=3.0, season="thaw")
    np.testing.assert_array_equal(picked, yearly_stub["soil_water"].sel(top=3.0, season="thaw"))
    wetness = moisture_index(yearly_stub, "thaw_wetness", depth=3.0, season="year")
    np.testing.assert_array_equal(wetness, yearly_stub["thaw_wetness"])


def test_a_gap_makes_a_trend_unknown():
    series = xr.DataArray([1.0, np.nan, 3.0], {"year": [0, 1, 2]}, "year")
    assert np.isnan(decadal_trend(series))


def test_one_member_has_no_interval():
    mean, low, high = member_interval(xr.DataArray([2.0], dims="member"))
    assert mean == 2.0 and np.isnan(low) and np.isnan(high)
