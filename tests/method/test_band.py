"""The decadal band: straight lines and weather are removed, decades are kept."""

import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st

from mpcf.errors import DataError
from mpcf.method.band import band_filter, band_pass
from mpcf.method.regression import DECADAL_BAND, fit, influence, transform


def series(values, first=2000):
    year = np.arange(first, first + np.shape(values)[-1])
    return xr.DataArray(values, {"year": year}, "year")


@given(st.integers(3, 200), st.floats(-5, 5), st.floats(-50, 50))
def test_straight_lines_are_removed_whatever_the_length(years, slope, level):
    line = series(level + slope * np.arange(years))
    np.testing.assert_allclose(band_pass(line), 0.0, atol=1e-8)


@pytest.mark.parametrize(
    ("period", "least", "most"), [(3, 0.0, 0.1), (24, 0.6, 1.1), (400, 0.0, 0.1)]
)
def test_decades_pass_and_weather_and_centuries_do_not(period, least, most):
    wave = np.sin(2 * np.pi * np.arange(400) / period)
    kept = (band_filter(400) @ wave)[50:350]
    assert least <= np.abs(kept).max() <= most


def test_the_band_finds_a_planted_effect_that_trends_hide():
    """Uptake follows the moisture of decades; an unknown trend is opposite to moisture's."""
    rng = np.random.default_rng(2)
    year = np.arange(120)
    wave = np.sin(2 * np.pi * year / 25 + rng.uniform(0, 6, (6, 1)))
    moisture = xr.DataArray(wave + 0.05 * year, dims=("member", "year"))
    y = 3.0 * xr.DataArray(wave, dims=("member", "year")) - 0.2 * year
    x = moisture.expand_dims(predictor=["moisture"])
    slopes = {e: float(fit(y, x, e)["b"].squeeze()) for e in ("raw trend", DECADAL_BAND)}
    assert slopes[DECADAL_BAND] == pytest.approx(3.0, rel=0.02)
    assert slopes["raw trend"] < 0


def test_the_band_is_the_raw_trend_of_filtered_series():
    rng = np.random.default_rng(3)
    y = xr.DataArray(rng.normal(size=(5, 60)), {"year": range(60)}, ("member", "year"))
    x = xr.DataArray(
        rng.normal(size=(2, 5, 60)), {"year": range(60)}, ("predictor", "member", "year")
    )
    direct = fit(y, x, DECADAL_BAND)
    by_hand = fit(band_pass(y), band_pass(x), "raw trend", errors="cluster")
    np.testing.assert_allclose(direct["b"], by_hand["b"], rtol=1e-12)
    np.testing.assert_allclose(direct["se"], by_hand["se"], rtol=1e-12)
    np.testing.assert_allclose(transform(y, DECADAL_BAND).mean("year"), 0.0, atol=1e-12)
    psi = influence(y.expand_dims(flux=["y"]), x, DECADAL_BAND)
    assert psi.sizes["year"] == 60


def test_a_gap_of_years_is_refused():
    broken = series(np.zeros(30)).sel(year=[*range(2000, 2010), *range(2015, 2030)])
    with pytest.raises(DataError, match="decadal band"):
        band_pass(broken)
