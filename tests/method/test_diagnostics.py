"""The kept evidence is what the code gives, and the book's own tests keep their bounds."""

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from evidence import sizes
from mpcf.book.evidence import read
from mpcf.method.attribution import period_carbon
from mpcf.method.diagnostics import common_signal, nearest_harsher_case
from mpcf.method.intervals import block_bootstrap, shared_signal_error
from mpcf.method.regression import DECADAL_BAND, DEFAULT_ERRORS, ESTIMATORS, fit

KEY = ["what", "estimator", "error", "members", "years", "phi", "common signal"]


@pytest.fixture(scope="module")
def kept():
    return read("sizes")


@pytest.mark.parametrize(
    ("measure", "case"),
    [
        (sizes.sizes, sizes.Case(8, 51, 0.7, 1.0)),
        (sizes.sizes, sizes.Case(1, 51, 0.7, 0.0)),
        (sizes.sizes, sizes.DEMONSTRATION[0]),
        (sizes.coverage, sizes.Case(4, 51, 0.0, 1.0, effect=1.0)),
        (sizes.block_coverage, sizes.Case(2, 51, 0.7, 1.0, effect=1.0)),
    ],
    ids=["tests", "one member", "demonstration", "intervals", "blocks of years"],
)
def test_kept_numbers_are_those_of_the_code(kept, measure, case):
    """One trial may differ where another processor rounds the last digit the other way."""
    again = pd.DataFrame(measure(case)).set_index(KEY)
    before = kept.set_index(KEY).loc[again.index]
    assert (before[["nominal", "trials"]] == again[["nominal", "trials"]]).all(axis=None)
    np.testing.assert_allclose(before["measured"], again["measured"], atol=1.1 / sizes.TRIALS)


def test_all_cases_are_kept_with_enough_trials(kept):
    cases = kept[KEY[3:]].drop_duplicates().apply(tuple, axis=1)
    wanted = {
        (c.members, c.years, c.phi, c.common)
        for c in (
            *(*sizes.SIZE_CASES, *sizes.COVERAGE_CASES),
            *(*sizes.DEMONSTRATION, *sizes.FEW_MEMBERS_CASES),
        )
    }
    assert set(cases) == wanted and not kept.duplicated(KEY).any()
    assert (0.5 / np.sqrt(kept["trials"]) <= 0.015).all()


@pytest.mark.parametrize("estimator", ["raw trend", "year effects"])
def test_trials_are_regions_of_one_cell(estimator):
    """What is simulated is what chapter 5 computes."""
    y, x, _ = sizes.simulate(sizes.Case(4, 51, 0.7, 1.0, effect=1.0), trials=3)
    part, error = sizes.contribution(y, x, estimator), sizes.shared_error(y, x, estimator)["se"]
    drawn = sizes._resampled(y, x, estimator)[0]
    region = xr.DataArray([[1e15]], {"lat": [60.0], "lon": [0.0]}, ("lat", "lon"))
    for trial in range(3):
        cell = [a.isel(trial=trial).expand_dims(lat=[60.0], lon=[0.0]) for a in (y, x)]
        ask = (cell[0].expand_dims(flux=["y"]), cell[1], region, {"all": (0, 50)}, estimator)
        book = period_carbon(*ask).squeeze().sel(predictor=x["predictor"])
        np.testing.assert_allclose(part.isel(trial=trial), book, rtol=1e-9)
        np.testing.assert_allclose(drawn[trial], book.sel(predictor="moisture"), rtol=1e-9)
        book = shared_signal_error(*ask)["se"].squeeze().sel(predictor=x["predictor"])
        np.testing.assert_allclose(error.isel(trial=trial), book, rtol=1e-9)


@pytest.mark.parametrize(
    ("members", "estimator"), [(1, "raw trend"), (3, "raw trend"), (3, "year effects")]
)
def test_blocks_are_tried_as_chapter_5_draws_them(members, estimator):
    y, x, _ = sizes.simulate(sizes.Case(members, 51, 0.7, 1.0, effect=1.0), trials=130)
    found = sizes.block_interval(y, x, estimator)
    region = xr.DataArray([[1e15]], {"lat": [60.0], "lon": [0.0]}, ("lat", "lon"))
    for trial in (0, 129):  # of the first and of the second batch
        cell = [a.isel(trial=trial).expand_dims(lat=[60.0], lon=[0.0]) for a in (y, x)]
        ask = (cell[0].expand_dims(flux=["y"]), cell[1], region, {"all": (0, 50)}, estimator)
        book = block_bootstrap(*ask).squeeze().sel(predictor=x["predictor"])
        for end in ("low", "high"):
            np.testing.assert_allclose(found[end].isel(trial=trial), book[end], rtol=1e-9)


def test_linearmodels_default_is_linearmodels():
    panels = pytest.importorskip("linearmodels.panel")
    y, x, _ = (a.isel(trial=0) for a in sizes.simulate(sizes.Case(4, 51, 0.3, 1.0), trials=1))
    rows = x.to_dataset("predictor").assign(y=y).to_dataframe()[["y", *sizes.FORCED]]
    rows = rows.reorder_levels(["member", "year"])
    reference = panels.PanelOLS(
        rows["y"], rows[list(sizes.FORCED)], entity_effects=True, time_effects=True
    ).fit(cov_type="clustered", cluster_entity=True)
    t = fit(y, x, "year effects")["t"]
    ours = sizes.linearmodels_p(t, 4, 51, 3)
    np.testing.assert_allclose(ours, reference.pvalues[list(sizes.FORCED)], rtol=1e-6)


def test_missing_evidence_says_what_makes_it(tmp_path, monkeypatch):
    (tmp_path / "catalog.yml").touch()
    monkeypatch.chdir(tmp_path)
    with pytest.raises(FileNotFoundError, match=r"sizes\.csv is not there.*-m evidence sizes"):
        read("sizes")


def test_the_closest_case_is_at_least_as_harsh(kept):
    tests = kept[kept["what"] == "size"]
    found = nearest_harsher_case(tests, members=9, years=120, phi=0.15, **{"common signal": 0.1})
    assert found[KEY[3:]].drop_duplicates().values.tolist() == [[8, 117, 0.3, 1.0]]
    found = nearest_harsher_case(tests, members=40, years=20, phi=0.99, **{"common signal": 9.0})
    assert found[KEY[3:]].drop_duplicates().values.tolist() == [[28, 51, 0.9, 2.0]]


@pytest.mark.parametrize("common", [0.0, 1.0])
def test_a_planted_common_signal_is_found(common):
    y, x, _ = sizes.simulate(sizes.Case(8, 184, 0.3, common), trials=200)
    assert float(common_signal(y, x).mean()) == pytest.approx(common, abs=0.1)
    assert common_signal(y.isel(member=[0]), x.isel(member=[0])).isnull().all()


def worst(rows, estimator, error):
    """Largest share of false alarms."""
    return rows.loc[(rows["estimator"] == estimator) & (rows["error"] == error), "measured"].max()


def test_the_books_own_tests_keep_their_size_as_in_the_demonstration(kept):
    like = kept[kept["what"] == "size as in the demonstration"]
    for estimator in ESTIMATORS:
        assert worst(like, estimator, DEFAULT_ERRORS[estimator]) <= 0.075, estimator


def test_errors_by_member_suit_the_decadal_band_of_independent_members(kept):
    sizes_of_band = kept[kept["what"].str.startswith("size") & (kept["estimator"] == DECADAL_BAND)]
    alone = sizes_of_band[sizes_of_band["common signal"] == 0]
    many = alone[alone["members"] >= 8]
    assert worst(many, DECADAL_BAND, DEFAULT_ERRORS[DECADAL_BAND]) <= 0.09
    assert worst(alone, DECADAL_BAND, "cosine") > 0.2, "what the method page warns of"
    shared = sizes_of_band[sizes_of_band["common signal"] > 0]
    assert worst(shared, DECADAL_BAND, DEFAULT_ERRORS[DECADAL_BAND]) > 0.1, "the method page warns"


@pytest.mark.parametrize(
    ("estimator", "phi", "most"),
    [
        ("year effects", 0.7, 0.075),
        ("year effects", 0.9, 0.10),
        ("first differences", 0.9, 0.09),
        ("raw trend", 0.3, 0.09),
        ("raw trend", 0.7, 0.14),
    ],
)
def test_the_books_own_tests_keep_their_bounds_up_to_an_autocorrelation(kept, estimator, phi, most):
    """Whatever the members, years and common signal."""
    rows = kept[(kept["what"] == "size") & (kept["phi"] <= phi)]
    assert worst(rows, estimator, DEFAULT_ERRORS[estimator]) <= most


def test_what_the_book_warns_of_does_fail(kept):
    rows = kept[kept["what"] == "size"]
    shared = rows[(rows["common signal"] == 2) & (rows["members"] == 28)]
    clustered = shared[(shared["estimator"] == "raw trend") & (shared["error"] == "cluster")]
    assert clustered["measured"].min() > 0.75
    few = rows[rows["members"] == 4]
    assert few.loc[few["error"] == "cluster, linearmodels' default", "measured"].min() > 0.15
    long_memory = rows[(rows["phi"] == 0.9) & (rows["years"] == 51)]
    assert worst(long_memory, "raw trend", "cosine") > 0.15, "what chapter 4 says no row mends"


def test_intervals_that_the_book_uses_cover_as_promised(kept):
    rows = kept[kept["what"].str.startswith("coverage")]
    held = rows.set_index(["estimator", "error"])["measured"]
    assert held["raw trend", "jackknife, widened"].min() >= 0.93
    assert held["year effects", "jackknife"].between(0.93, 0.975).all()
    alone = rows[rows["common signal"] == 0].set_index("error")["measured"]
    assert held["raw trend", "blocks of years"].between(0.925, 0.98).all()
    assert held["year effects", "blocks of years"].between(0.925, 0.98).all()
    for error in ("member interval", "bootstrap, Student's t"):
        assert alone[error].min() >= 0.93
    percentiles = rows[(rows["error"] == "bootstrap, percentiles") & (rows["members"] <= 10)]
    assert percentiles["measured"].max() < 0.93
    shared = rows[(rows["common signal"] == 1) & (rows["members"] == 28)]
    assert shared.loc[shared["error"] == "jackknife", "measured"].min() < 0.65
