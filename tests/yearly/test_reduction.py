"""Months to years, on a dataset whose yearly values can be worked out by hand."""

import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st

from mpcf.data.variables import YEARLY
from mpcf.errors import DataError
from mpcf.folders import build_dir
from mpcf.ground.constants import HEAT_CAPACITY_ICE, HEAT_CAPACITY_WATER, LATENT_HEAT_OF_FUSION
from mpcf.ground.thaw import thaw_depth
from mpcf.yearly.kernels import soil_temperature
from mpcf.yearly.neighbours import join_years, zero_curtain
from mpcf.yearly.reduction import SOLID_HEAT_CAPACITY, reduce_months, to_yearly
from mpcf.yearly.stream import write_yearly

SUMMER_DAYS = 31 + 30 + 31 + 31 + 30


@pytest.fixture
def yearly(monthly):
    return to_yearly(monthly)


def cell(yearly):
    return yearly.isel(member=0, year=1, lat=0, lon=0)


def test_every_yearly_variable_has_the_texts_of_the_table(yearly):
    made = set(yearly.data_vars) - {"areacella", "sftlf", "time_bnds", "depth_bnds"}
    assert made == set(YEARLY) - {"co2", "warming", "cSoil"}, "the source has not these three"
    for name in made:
        assert yearly[name].attrs == YEARLY[name].attrs, name


def test_fluxes_add_up_over_the_seconds_of_the_year(yearly):
    assert float(cell(yearly)["gpp"]) == pytest.approx(3e-5 * 365 * 86400, rel=1e-6)
    assert yearly["gpp"].attrs["units"] == "gC m-2 yr-1"


def test_seasons_weight_months_by_their_length(yearly):
    temperature = cell(yearly)["temperature"]
    assert float(temperature.sel(season="thaw")) == pytest.approx(10.0, abs=1e-4)
    assert float(temperature.sel(season="year")) == pytest.approx(10 * SUMMER_DAYS / 365, abs=1e-4)
    rain = cell(yearly)["precipitation"]
    assert float(rain.sel(season="thaw")) == pytest.approx(2e-5 * 86400 * SUMMER_DAYS, rel=1e-5)


def test_water_is_summed_to_depth_with_partial_layers(yearly):
    thaw = cell(yearly).sel(season="thaw")
    liquid = [30 / 2, 30 + 90 + 10 * 0.2, 30 + 90 + 10 + 10 * 0.6]
    np.testing.assert_allclose(thaw["soil_liquid"], liquid, rtol=1e-6)
    ice = [0, 300 * 0.2, 300 + 600 * 0.6]
    np.testing.assert_allclose(thaw["soil_water"], np.add(liquid, ice), rtol=1e-6)


def test_thaw_and_permafrost(yearly):
    one = cell(yearly)
    crossing = 0.5 + 0.8 * 0.5
    assert float(one["alt"]) == pytest.approx(crossing)
    assert float(one["thaw_depth"]) == pytest.approx(crossing)
    assert float(one["frozen_depth"]) == pytest.approx(3.0 - 0.8)
    assert float(one["permafrost"]) == 1 and float(one["talik"]) == 0
    np.testing.assert_allclose(one["tsl_max"], [2, 2, -2, -2], atol=1e-4)
    assert yearly["permafrost"].isel(year=0).isnull().all()


WINTERS = (-9.0, -3.0, 5.0, -55 / 19)
SUMMERS = (8.0, 6.0, 5.0, -55 / 19)
"""°C by layer: seasonal frost to 0.8 m, a talik from there to 2.25 m, permafrost below."""


def with_soil(monthly, winter, summer):
    """Return the months with soil that is cold from October to April and warm otherwise."""
    warm = monthly["time"].dt.month.isin(range(5, 10))
    by_layer = [xr.DataArray(list(values), dims="depth") for values in (winter, summer)]
    soil = (by_layer[0].where(~warm, by_layer[1]) + 273.15).where(monthly["tas"].notnull())
    return monthly.assign(tsl=soil.transpose(*monthly["tsl"].dims))


def test_the_active_layer_ends_where_a_talik_begins(monthly):
    one = cell(to_yearly(with_soil(monthly, WINTERS, SUMMERS)))
    assert float(one["talik"]) == 1 and float(one["permafrost"]) == 1
    assert float(one["alt"]) == pytest.approx(0.8, abs=1e-4)
    assert float(one["thaw_depth"]) == pytest.approx(2.25, abs=1e-4), "the deepest crossing"


def test_soil_that_never_freezes_above_permafrost_has_no_active_layer(monthly):
    one = cell(to_yearly(with_soil(monthly, (1.0, 1.0, 1.0, -1.0), (9.0, 5.0, 2.0, -1.0))))
    assert float(one["talik"]) == 1
    assert float(one["alt"]) == 0


def test_a_talik_below_a_layer_that_stays_frozen_leaves_the_active_layer_as_it_is(monthly):
    one = cell(to_yearly(with_soil(monthly, (-9.0, -2.0, 1.0, -1.0), (6.0, -2.0, 1.0, -1.0))))
    assert float(one["talik"]) == 1
    assert float(one["alt"]) == pytest.approx(0.1 + 0.4 * 6 / 8, abs=1e-4)


def test_a_talik_without_permafrost_below_has_no_active_layer(monthly):
    one = cell(to_yearly(with_soil(monthly, (-9.0, -3.0, 5.0, 5.0), (8.0, 6.0, 5.0, 5.0))))
    assert float(one["permafrost"]) == 0 and np.isnan(one["alt"])


def test_a_talik_counts_above_permafrost_that_lies_below_three_metres(monthly):
    deep = monthly.assign_coords(depth=[0.1, 0.5, 1.3, 4.0])
    deep["depth_bnds"] = ("depth", "bnds"), [[0.0, 0.2], [0.2, 0.8], [0.8, 2.6], [2.6, 5.4]]
    one = cell(to_yearly(with_soil(deep, (-9.0, -3.0, 1.0, -1.0), (8.0, 6.0, 2.0, -1.0))))
    assert float(one["permafrost"]) == 0 and float(one["talik"]) == 1
    assert np.isnan(one["alt"]), "no active layer without permafrost in the top 3 m"
    assert float(one["thaw_depth"]) == pytest.approx(1.3 + 2.7 * 2 / 3, abs=1e-4)


def test_a_talik_needs_ground_that_was_frozen_in_the_year_before_too(monthly):
    thawed = with_soil(monthly, WINTERS, (8.0, 6.0, 5.0, 1.0))
    below_frozen = with_soil(monthly, WINTERS, SUMMERS)
    late = monthly["time"].dt.year >= 2001
    later = to_yearly(thawed.assign(tsl=below_frozen["tsl"].where(late, thawed["tsl"])))
    np.testing.assert_array_equal(later["talik"].isel(member=0, lat=0, lon=0), [np.nan, 0, 1])


@given(st.integers(0, 2**32 - 1), st.sampled_from(["float32", "float64"]))
def test_the_active_layer_is_the_deepest_crossing_down_to_the_first_talik(seed, kind):
    """Without an open talik the two are equal bit for bit, whatever the soil."""
    rng = np.random.default_rng(seed)
    depth = np.array([0.1, 0.3, 0.7, 1.5, 2.9])
    soil = rng.normal(rng.normal(0, 3, (1, 1, 5, 40)), 3, (2, 12, 5, 40)).astype(kind)
    soil[:, :, 3:, ::7] = np.nan  # bedrock
    warmest, coldest, active, *_ = soil_temperature(
        soil, soil.dtype.type(0), depth, depth + 0.1, depth
    )
    by_month = thaw_depth(
        xr.DataArray(soil, {"depth": depth}, ("year", "month", "depth", "cell"))
    ).max("month")
    thawed_all_year = coldest > 0
    frozen_above = np.logical_or.accumulate(~(warmest > 0), axis=1)
    talik = (thawed_all_year & ~frozen_above).any(axis=1)
    assert talik.any() and not talik.all()
    np.testing.assert_array_equal(active[~talik], by_month.values[~talik])
    top = np.argmax(thawed_all_year, axis=1)
    assert (active[talik] <= depth[top][talik]).all()
    known = talik & (top > 0) & (by_month.values > depth[top])
    assert (active[known] >= depth[top - 1][known]).all()


def test_wetness_counts_water_and_soil_to_the_same_depth(yearly):
    thawed = 0.9
    water = 30 + 90 + 10 * 0.1
    assert float(cell(yearly)["thaw_wetness"]) == pytest.approx(water / (1000 * thawed), rel=1e-5)


def test_autumn_heat_is_counted_to_three_metres(yearly):
    liquid, ice = np.array([30, 90, 10, 6.0]), np.array([0, 0, 300, 360.0])
    thickness, above_zero = np.array([0.2, 0.6, 1.0, 1.2]), np.array([2, 2, -2, -2.0])
    capacity = SOLID_HEAT_CAPACITY * thickness + HEAT_CAPACITY_WATER * liquid
    capacity += HEAT_CAPACITY_ICE * ice
    one = cell(yearly)
    assert float(one["latent_heat"]) == pytest.approx(
        LATENT_HEAT_OF_FUSION * liquid.sum(), rel=1e-6
    )
    assert float(one["sensible_heat"]) == pytest.approx((capacity * above_zero).sum(), rel=1e-3)


def test_zero_curtain_is_dated_by_its_september(yearly):
    # 2 °C in mid-September (day 46), −5 °C in mid-October (day 76.5), at the node nearest 0.3 m
    days = 30.5 * 1.0 / 7.0
    assert float(cell(yearly)["zero_curtain"]) == pytest.approx(days, rel=1e-5)
    assert yearly["zero_curtain"].isel(year=-1).isnull().all()


def test_snow_is_that_of_january_to_march(yearly):
    assert float(cell(yearly)["snow"]) == pytest.approx(0.4)


def test_sea_stays_empty(yearly):
    for name in yearly.data_vars:
        if {"year", "lon"} <= set(yearly[name].dims):
            assert yearly[name].isel(lon=2).isnull().all(), name


def test_months_that_are_not_whole_years_are_refused(monthly):
    with pytest.raises(ValueError, match="whole years"):
        to_yearly(monthly.isel(time=slice(1, 35)))
    with pytest.raises(ValueError, match="are not consecutive"):
        to_yearly(
            xr.concat(
                [monthly.isel(time=slice(0, 12)), monthly.isel(time=slice(24, 36))],
                "time",
                data_vars="minimal",
            )
        )


def test_a_block_gives_what_the_whole_gives(monthly):
    whole = to_yearly(monthly)
    block = to_yearly(monthly.isel(member=[1], lon=[0, 1]))
    xr.testing.assert_identical(block, whole.isel(member=[1], lon=[0, 1]))


def test_written_member_by_member(monthly, tmp_path, monkeypatch):
    monkeypatch.setenv("MPCF_BUILD", str(tmp_path))
    path = build_dir("demo") / "yearly.zarr"
    write_yearly(monthly, path, progress=False)
    write_yearly(monthly, path, progress=False)
    written = xr.open_zarr(path, chunks=None).load()
    expected = to_yearly(monthly)
    assert set(written.variables) == set(expected.variables)
    for name in expected.data_vars:
        xr.testing.assert_equal(written[name], expected[name])
    assert [p.name for p in path.parent.iterdir()] == ["yearly.zarr"]


def test_years_that_are_apart_are_not_joined(monthly):
    reduced = reduce_months(monthly).assign_coords(year=[2000, 2001, 2050])
    for call in (lambda: join_years(reduced), lambda: zero_curtain(reduced["curtain_node"])):
        with pytest.raises(DataError, match="years 2001 and 2050 are not consecutive"):
            call()
