"""Refreezing against curves and return times with known answers."""

import numpy as np
import pytest
import xarray as xr
from scipy.stats import ttest_1samp

from mpcf.errors import DataError
from mpcf.ground.thaw_kernels import curtain_length
from mpcf.method.refreeze import (
    before_freezing,
    change_by_moisture,
    equal_warming_lag,
    mean_effect,
    member_lags,
    paired_effect,
    refreeze_metrics,
    smooth,
)
from mpcf.method.returns import (
    before_entry,
    log_hazard,
    restricted_mean,
    return_hazard,
    return_times,
    share_refrozen,
)
from mpcf.method.statistics import detectable_difference


def triangle(fall):
    year = np.arange(2000, 2300)
    warming = np.minimum((year - 2000) / 100, 1.0) * 4
    warming = np.where(year > 2100, 4 - fall * (year - 2100) / 199, warming)
    return xr.DataArray(warming, {"year": year}, "year")


def test_a_volume_that_follows_at_once_has_no_lag():
    warming = triangle(fall=3.0)
    assert equal_warming_lag(20 - 4 * warming, warming) == pytest.approx(0, abs=2)


def test_a_volume_that_follows_later_has_that_lag():
    warming = triangle(fall=3.0)
    late = (20 - 4 * warming).shift(year=30).fillna(20.0)
    rising = warming["year"] <= 2100
    volume = xr.where(rising, 20 - 4 * warming, np.minimum(late, 20 - 4 * warming))
    assert equal_warming_lag(volume, warming) == pytest.approx(30, abs=3)


def test_no_lag_without_cooling_or_without_return():
    assert np.isnan(equal_warming_lag(20 - 4 * triangle(0.3), triangle(0.3)))
    warming = triangle(fall=3.0)
    stuck = xr.where(warming["year"] > 2100, 4.0, 20 - 4 * warming)
    assert np.isnan(equal_warming_lag(stuck, warming))


def masks():
    """Year by year, 2000–2099: kept, back after 20 years, never back, lost late, never had."""
    state = np.zeros((100, 5))
    state[:, 0] = 1
    state[:30, 1], state[70:, 1] = 1, 1
    state[:30, 2] = 1
    state[:61, 3], state[80:, 3] = 1, 1
    mask = xr.DataArray(state[None], {"year": range(2000, 2100)}, ("member", "year", "cell"))
    return mask.where(mask["year"] > 2000)


def test_return_times_enter_late_and_keep_the_censored():
    times = return_times(masks(), first_year=2050).isel(member=0)
    np.testing.assert_array_equal(times["entry"], [np.nan, 0, 0, 20, np.nan])
    np.testing.assert_array_equal(times["time"], [np.nan, 20, 41, 30, np.nan])
    np.testing.assert_array_equal(times["returned"], [np.nan, 1, 0, 1, np.nan])
    assert times.attrs["horizon"] == 41


def test_a_cell_that_returns_after_just_ten_years_is_followed():
    state = np.zeros((1, 100, 2))
    state[:, :60] = 1
    state[:, 70:, 0] = 1  # without permafrost from 2060 to 2069
    state[:, 69:, 1] = 1  # one year less: a loss that does not last
    mask = xr.DataArray(state, {"year": range(2000, 2100)}, ("member", "year", "cell"))
    times = return_times(mask, first_year=2050).isel(member=0)
    np.testing.assert_array_equal(times["entry"], [19, np.nan])
    np.testing.assert_array_equal(times["time"], [20, np.nan])
    assert share_refrozen(times, min_at_risk=1).values.tolist() == [0, 1]


def test_share_refrozen_by_hand():
    """At 20 years one of 2 at risk returns (a third enters then), at 30 one of 2."""
    share = share_refrozen(return_times(masks(), first_year=2050), min_at_risk=1)
    np.testing.assert_allclose(share.sel(since=[0, 20, 30]), [0, 1 / 2, 3 / 4])
    np.testing.assert_array_equal(share["at_risk"].sel(since=[0, 20, 30]), [2, 2, 2])
    assert restricted_mean(share, 40.0) == pytest.approx(20 + 10 / 2 + 10 / 4)


def test_nothing_lost_gives_an_empty_curve():
    mask = xr.ones_like(masks())
    share = share_refrozen(return_times(mask, 2050))
    assert share.size == 0
    assert np.isnan(restricted_mean(share, 40.0))


def test_zero_curtain_of_a_straight_fall():
    day = np.array([0.0, 30.0, 60.0, 90.0])
    series = np.array(
        [
            [3.0, 1.0, -1.0, -3.0],  # falls 1 °C in 15 days: 0.5 to -0.5 in 15
            [3.0, 0.0, 0.0, -3.0],  # open at the start of the search, day 31; closes on day 65
            [3.0, 2.0, 1.0, 0.9],  # never opens
            [3.0, 0.2, 0.1, 0.0],  # never closes
            [3.0, 1.0, np.nan, -3.0],
            [0.2, 0.2, -1.0, -3.0],  # open from the start of the search, day 31
            [0.2, -0.8, -1.0, -3.0],  # over before the search starts
        ]
    )
    length = curtain_length(series, day, 31.0, 0.5, -0.5)
    np.testing.assert_allclose(length[0], 15.0)
    np.testing.assert_allclose(length[1], 60 + 30 * 0.5 / 3 - 31)
    assert np.isnan(length[2:5]).all()
    assert np.isnan(length[6])
    np.testing.assert_allclose(length[5], 30 + 30 * 0.7 / 1.2 - 31)


def ensemble_of(b, members=5, seed=0):
    """A measure with known coefficients on moisture and temperature, in two cells."""
    rng = np.random.default_rng(seed)
    dims = ("predictor", "member", "year", "lat", "lon")
    coords = {"predictor": ["moisture", "temperature"], "year": np.arange(2000, 2060)}
    x = xr.DataArray(rng.normal(size=(2, members, 60, 1, 2)), coords, dims)
    x = x.assign_coords(member=range(members), lat=[60.0], lon=[0.0, 5.0])
    y = (x * xr.DataArray(b, {"predictor": coords["predictor"]}, "predictor")).sum("predictor")
    return y + 0.1 * rng.normal(size=y.shape), x


AREA = xr.DataArray([[1.0, 3.0]], {"lat": [60.0], "lon": [0.0, 5.0]}, ("lat", "lon"))


def test_mean_effect_finds_a_planted_one_and_needs_four_members_for_its_interval():
    y, x = ensemble_of([2.0, -1.0])
    found = mean_effect(y, x, AREA, "year effects").sel(predictor="moisture")
    spread = float(x.sel(predictor="moisture").std())
    assert found["estimate"] == pytest.approx(2 * spread * np.sqrt(4 / 5), rel=0.05)  # year effects
    assert found["low"] < found["estimate"] < found["high"]
    three = slice(0, 3)
    few = mean_effect(y.isel(member=three), x.isel(member=three), AREA, "year effects")
    assert few["estimate"].notnull().all()
    assert few["low"].isnull().all()
    one = mean_effect(y.isel(member=[0]), x.isel(member=[0]), AREA, "first differences")
    assert one["estimate"].notnull().all()
    assert one["high"].isnull().all()


def test_a_change_that_is_only_moistures_is_found_by_twins_and_regression():
    """Moisture rises by 1.5 after the base period, 3 days for each unit: 4.5 days.

    The twins diverge from the run before the base period: 2 days that are no change since then.
    """
    y, x = ensemble_of([3.0, -1.0])
    risen = 1.5 * (x["year"] >= 2030) * (x["predictor"] == "moisture")
    both = change_by_moisture(
        *(y + 3 * risen.sel(predictor="moisture"), y.isel(member=[1, 3]) - 2.0, x + risen),
        *(AREA, (2030, 2059), ("year effects",)),
    )
    assert list(both["member"]) == [1, 3]
    np.testing.assert_allclose(both.sel(by="truth"), 4.5)
    assert both.sel(by="year effects").mean() == pytest.approx(4.5, rel=0.1)


def test_predictors_before_entry_are_those_of_the_ten_years_up_to_it():
    times = return_times(masks(), first_year=2050)
    year = xr.DataArray(np.arange(2000.0, 2100), {"year": range(2000, 2100)}, "year")
    x = year.expand_dims(predictor=["year"])
    found = before_entry(x, times, 2050).isel(predictor=0, member=0)
    np.testing.assert_allclose(found, [np.nan, 2045.5, 2045.5, 2065.5, np.nan])


def returns(members=5, cells=60, seed=0):
    """Cells that return the later the wetter they are, β = −1, some entering late."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(1, members, 1, cells))
    time = rng.exponential(40 * np.exp(x[0]))
    entry = np.where(rng.random(time.shape) < 0.3, 15.0, 0.0)
    seen = (time > entry) & (time < 100)
    time = np.where(time > 100, 100.0, time)
    known = time > entry
    dims = ("member", "lat", "lon")
    values = {"entry": entry, "time": time, "returned": seen.astype(float)}
    times = xr.Dataset({v: (dims, np.where(known, a, np.nan)) for v, a in values.items()})
    return times, xr.DataArray(x, {"predictor": ["moisture"]}, ("predictor", *dims))


def test_hazard_of_return_finds_a_planted_delay():
    times, x = returns()
    found = return_hazard(times, x).sel(predictor="moisture")
    assert found["estimate"] == pytest.approx(-1.0, abs=0.2)
    assert found["high"] < 0
    assert found.attrs["returns"] == int(times["returned"].sum())
    opposite = return_hazard(times, -x).sel(predictor="moisture")
    assert opposite["low"] > 0


@pytest.mark.parametrize("third", [2, 3])
def test_hazard_counts_only_those_that_have_entered(third):
    """At 2 the cell with x = 1 returns of those with 1 and 0, at 5 that with 0 of 0 and 2.

    The third cell enters at 2 or 3, so the score is (1 − e^β/(1 + e^β)) + (0 − 2 e^2β/(1 + e^2β)).
    """
    dims = ("member", "lat", "lon")
    values = {"entry": [0, 0, third], "time": [2, 5, 9], "returned": [1, 1, 0]}
    times = xr.Dataset(
        {v: (dims, np.reshape(a, (1, 1, 3)).astype(float)) for v, a in values.items()}
    )
    raw = np.array([1.0, 0.0, 2.0])
    x = xr.DataArray(raw.reshape(1, 1, 1, 3), {"predictor": ["moisture"]}, ("predictor", *dims))
    b = float(log_hazard(times, x)[0]) / raw.std()
    score = 1 / (1 + np.exp(b)) - 2 * np.exp(2 * b) / (1 + np.exp(2 * b))
    assert score == pytest.approx(0, abs=1e-6)


def test_few_returns_and_few_members_are_refused():
    times, x = returns(cells=4, members=4)
    few = times.assign(returned=times["returned"].where(times["time"] < 10, 0.0))
    found = return_hazard(few, x)
    assert found["estimate"].isnull().all()
    assert found.attrs["returns"] < 10
    times, x = returns(members=1)
    one = return_hazard(times, x)
    assert one["estimate"].notnull().all()
    assert one["low"].isnull().all()


def test_a_run_is_judged_by_its_own_cells():
    """One cell keeps its permafrost, ten get it back after 20 years of 41 that can be seen."""
    state = masks().isel(cell=[0] + [1] * 10).rename(cell="lon").expand_dims(lat=[60.0])
    state = state.transpose("member", "year", "lat", "lon").assign_coords(lon=np.arange(11.0))
    constant = xr.ones_like(state)
    run = xr.Dataset(
        {"permafrost": state, "frozen_depth": 2 * constant, "temperature": -3 * constant}
        | {"gpp": constant.where(state["year"] < 2050, 0.0), "ra": 0 * constant, "rh": 4 * constant}
    )
    region = xr.DataArray([[1e12] + [3e11] * 10], state[0, 0].coords, ("lat", "lon")).drop_vars(
        "year"
    )
    found = refreeze_metrics(run.assign_coords(member=[1]), region, (2050, 2099))
    assert float(found["wait"][0]) == 20.0
    np.testing.assert_allclose(found["volume"], 2 * 4e12 / 1e12)
    np.testing.assert_allclose(found["carbon"], 50 * -1 * 4e12 / 1e15)
    np.testing.assert_allclose(found["air"], -3.0)
    np.testing.assert_allclose(found["regained"], 0.0)
    assert np.isnan(found["lag"]).all()  # nothing cools


def test_one_early_return_among_few_does_not_stand_for_the_cells_that_enter_later():
    """One cell returns after 5 years; 29 enter in year 10 and never return."""
    entry, time = np.r_[0.0, np.full(29, 10.0)], np.r_[5.0, np.full(29, 40.0)]
    returned = np.r_[1.0, np.zeros(29)]
    values = {"entry": entry, "time": time, "returned": returned}
    times = xr.Dataset({name: ("cell", of_cells) for name, of_cells in values.items()})
    share = share_refrozen(times)
    assert float(share.max()) == 0.0
    assert restricted_mean(share, 40.0) == 40.0
    assert share_refrozen(times.isel(cell=slice(9))).size == 0


def test_paired_effects_cancel_the_weather_and_know_their_power():
    """The members differ by far more than moisture's effect, which is 2 in each, ± 0.1."""
    rng = np.random.default_rng(4)
    weather = 50.0 * rng.normal(size=8)
    y = xr.DataArray(weather + 2.0 + 0.1 * rng.normal(size=8), dims="member")
    held = xr.DataArray(weather, dims="member")
    found = paired_effect(y, held)
    assert found["low"] < 2.0 < found["high"] and found["high"] - found["low"] < 0.5
    assert 0.0 < found["detectable"] < 0.3
    gone = paired_effect(y.where(y > np.inf), held)
    assert gone["pairs"] == 0 and np.isnan(gone["estimate"])


def test_the_smallest_detectable_difference_is_found_with_its_power():
    rng = np.random.default_rng(5)
    effect = detectable_difference(xr.DataArray([-1.0, 1.0] * 4, dims="member"))
    drawn = rng.normal(effect, np.sqrt(8 / 7), (4000, 8))
    found = ttest_1samp(drawn, 0, axis=1).pvalue < 0.05
    assert found.mean() == pytest.approx(0.8, abs=0.025)


def test_a_member_that_lags_has_its_own_lag():
    warming = triangle(fall=3.0)
    late = (20 - 4 * warming).shift(year=30).fillna(20.0)
    lagging = xr.where(
        warming["year"] <= 2100, 20 - 4 * warming, np.minimum(late, 20 - 4 * warming)
    )
    volume = xr.concat([20 - 4 * warming, lagging], "member")
    lags = member_lags(volume, warming.expand_dims(member=2))
    np.testing.assert_allclose(lags, [0, 30], atol=3)


def test_running_means_and_lags_over_a_gap_are_refused():
    warming = triangle(fall=3.0)
    apart = warming.sel(year=[*range(2000, 2050), *range(2090, 2200)])
    for call in (
        lambda: smooth(apart),
        lambda: equal_warming_lag(20 - 4 * warming, apart),
        lambda: equal_warming_lag(20 - 4 * apart, warming),
    ):
        with pytest.raises(DataError, match="years 2049 and 2090 are not consecutive"):
            call()


def test_returns_are_not_timed_over_a_gap():
    with pytest.raises(DataError, match="years 2019 and 2060 are not consecutive"):
        return_times(masks().isel(year=[*range(20), *range(60, 100)]), first_year=2050)


def test_snow_of_the_next_winter_is_not_taken_over_a_gap(yearly_stub):
    yearly = yearly_stub.assign(snow=yearly_stub["thaw_wetness"])
    apart = yearly.isel(year=[*range(20), *range(30, 40)])
    with pytest.raises(DataError, match="years 2019 and 2030 are not consecutive"):
        before_freezing(apart, "zero_curtain")
    assert before_freezing(apart, "latent_heat").sizes["year"] == 30


def test_mean_effects_of_the_raw_trend_accept_a_gap():
    rng = np.random.default_rng(2)
    coords = {"member": range(5), "year": [*range(2000, 2020), *range(2060, 2080)]}
    coords |= {"lat": [60.0], "lon": [0.0]}
    x = xr.DataArray(
        rng.normal(size=(1, 5, 40, 1, 1)), {"predictor": ["m"]} | coords, ("predictor", *coords)
    )
    y, area = 2.0 * x.isel(predictor=0, drop=True), xr.DataArray([[1.0]], dims=("lat", "lon"))
    found = mean_effect(y, x, area, "raw trend")
    assert float(found["estimate"].squeeze()) == pytest.approx(2.0, rel=0.1)
    with pytest.raises(DataError, match="years 2019 and 2060"):
        mean_effect(y, x, area, "first differences")
