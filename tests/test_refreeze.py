"""Refreezing against curves and return times that were made to be known."""

import numpy as np
import pytest
import xarray as xr

from mpcf.kernels import curtain_length
from mpcf.refreeze import equal_warming_lag, restricted_mean, return_times, share_refrozen


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
    state[:60, 3], state[80:, 3] = 1, 1
    mask = xr.DataArray(state[None], {"year": range(2000, 2100)}, ("member", "year", "cell"))
    return mask.where(mask["year"] > 2000)


def test_return_times_enter_late_and_keep_the_censored():
    times = return_times(masks(), first_year=2050).isel(member=0)
    np.testing.assert_array_equal(times["entry"], [np.nan, 0, 0, 20, np.nan])
    np.testing.assert_array_equal(times["time"], [np.nan, 20, 41, 30, np.nan])
    np.testing.assert_array_equal(times["returned"], [np.nan, 1, 0, 1, np.nan])
    assert times.attrs["horizon"] == 41


def test_share_refrozen_by_hand():
    """At 20 years one of 2 at risk returns (a third enters then), at 30 one of 2."""
    share = share_refrozen(return_times(masks(), first_year=2050))
    np.testing.assert_allclose(share.sel(since=[0, 20, 30]), [0, 1 / 2, 3 / 4])
    assert restricted_mean(share, 40.0) == pytest.approx(20 + 10 / 2 + 10 / 4)


def test_nothing_lost_gives_an_empty_curve():
    mask = xr.ones_like(masks())
    assert share_refrozen(return_times(mask, 2050)).size == 0


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
