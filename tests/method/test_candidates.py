"""Candidates: a planted truth comes back, and the null stays zero."""

import numpy as np
import pytest
import xarray as xr

from mpcf.errors import DataError
from mpcf.method import candidates
from mpcf.method.intervals import period_intervals
from mpcf.method.regression import predictors
from mpcf.method.statistics import weighted_correlation
from mpcf.method.truth import score_against_truth

PERIOD = {"all": (2000, 2039)}


@pytest.fixture
def world(yearly_stub):
    """Uptake that follows liquid water alone, and one that follows temperature alone."""
    rng = np.random.default_rng(3)
    yearly = yearly_stub
    trend = xr.DataArray(np.linspace(0.0, 3.0, 40), dims="year")
    yearly["soil_liquid"] = yearly["soil_liquid"] + trend
    yearly["soil_water"] = yearly["soil_water"] + trend
    for name in ("thaw_depth", "snow", "cSoil"):
        yearly[name] = yearly["thaw_wetness"].copy(data=1.0 + rng.random((4, 40, 2, 3)))
    yearly["permafrost"] = yearly["thaw_depth"] > 1.5
    yearly["thaw_depth"] = yearly["thaw_depth"] - 0.9  # within the top metre for most years
    moisture = yearly["soil_liquid"].sel(season="year", top=1.0, drop=True)
    temperature = yearly["temperature"].sel(season="year", drop=True)
    noise = 0.01 * moisture.copy(data=rng.normal(size=moisture.shape))
    y = -2.0 * moisture + temperature + noise
    null = (temperature + noise).expand_dims(without=["liquid", "total"])
    base = moisture.sel(year=slice(2000, 2014)).mean("year")
    truth = (-2.0 * (moisture - base)).expand_dims(meaning=["liquid", "total"])
    return yearly, y, null, truth, xr.ones_like(moisture.isel(member=0, year=0, drop=True)) * 1e12


def test_every_candidate_finds_what_was_planted(world):
    rows = [r for r in candidates.score_candidates(*world, PERIOD) if r["moisture"] == "liquid"]
    wanted = {(c, e) for c in candidates.CANDIDATES for e in candidates.estimators_of(c)}
    assert {(row["candidate"], row["estimator"]) for row in rows} == wanted
    for row in rows:
        assert row["estimate"] == pytest.approx(row["truth"], rel=0.05), row
        assert abs(row["null"]) < 0.05 * abs(row["truth"]), row
        assert row["pattern"] > 0.9, row


def test_the_plain_candidate_is_the_plain_regression(world):
    yearly, y, null, truth, region = world
    rows = candidates.score_candidates(*world, PERIOD)
    (row,) = (
        r for r in rows
        if (r["moisture"], r["candidate"], r["estimator"]) == ("liquid", "plain", "raw trend")
    )  # fmt: skip
    moisture = yearly["soil_liquid"].sel(season="year", top=1.0, drop=True)
    x = candidates.candidate_predictors(yearly, moisture, "plain")
    one = score_against_truth(y, null[0], x, truth[0], region, PERIOD["all"], "raw trend")
    for name in ("estimate", "null", "truth", "pattern"):
        assert row[name] == pytest.approx(one[name], rel=1e-9), name


@pytest.mark.parametrize("estimator", ["raw trend", "year effects"])
def test_intervals_of_the_plain_candidate_are_those_of_the_claims(world, estimator):
    yearly, y, _, _, region = world
    x = predictors(yearly)
    flux = y.expand_dims(flux=["nep"])
    own = candidates.contribution_intervals(yearly, flux, region, PERIOD, "plain", estimator)
    claimed = period_intervals(flux, x, region, PERIOD, estimator).sel(predictor="moisture")
    for bound in ("estimate", "low", "high"):
        np.testing.assert_allclose(own[bound], claimed[bound], rtol=1e-9, err_msg=bound)


def test_the_forced_part_holds_nothing_of_the_members_own():
    rng = np.random.default_rng(6)
    x = xr.DataArray(rng.normal(size=(5, 7)), dims=("member", "year"))
    other = x.copy()
    other[2] = 9.0
    one, two = (candidates.split_terms({"x": a}) for a in (x, other))
    np.testing.assert_allclose(one["x, forced"][2], two["x, forced"][2], atol=1e-12)
    np.testing.assert_allclose(one["x, forced"] + one["x, internal"], x)
    np.testing.assert_allclose(one["x, internal"].mean("member"), 0.0, atol=1e-12)


def test_a_summary_knows_the_naive_guess_and_the_rank():
    key = {"moisture": "total", "candidate": "plain", "estimator": "raw trend"}
    key |= {"stretch": "warming", "null": 0.0, "pattern": 0.1}
    pairs = [(-1.0, -4.0), (-2.0, -5.0), (0.5, 3.0), (-0.5, 1.0)]
    rows = [key | {"estimate": found, "truth": true} for found, true in pairs]
    found = candidates.summary(rows).iloc[0]
    assert found["right sign"] == 75.0 and found["naive"] == 50.0
    assert found["rank"] == pytest.approx(1.0)


def test_pattern_is_weighted_and_leaves_gaps_out():
    a, b = np.array([1.0, 2.0, 3.0, np.nan]), np.array([2.0, 4.0, 6.0, -9.0])
    assert weighted_correlation(a, b, np.ones(4)) == pytest.approx(1.0)
    assert np.isnan(weighted_correlation(a[:2], b[:2], np.ones(2)))
    tilted = np.array([2.0, 4.0, -6.0, 0.0])
    heavy = weighted_correlation(a, tilted, np.array([1.0, 1.0, 1e-9, 1.0]))
    assert heavy == pytest.approx(1.0, abs=1e-6)


def test_moisture_of_a_year_ago_is_not_taken_over_a_gap(world):
    yearly, y, null, truth, region = world
    kept = {"year": [*range(20), *range(30, 40)]}
    moisture = yearly["thaw_wetness"].isel(kept)
    with pytest.raises(DataError, match="years 2019 and 2030 are not consecutive"):
        candidates.candidate_predictors(yearly.isel(kept), moisture, "lagged")
    x = candidates.candidate_predictors(yearly.isel(kept), moisture, "plain")
    assert x.sizes["year"] == 30
    with pytest.raises(DataError, match="years 2019 and 2030 are not consecutive"):
        candidates.score_candidates(
            *(a.isel(kept) for a in (yearly, y, null, truth)), region, {"late": (2030, 2039)}
        )
