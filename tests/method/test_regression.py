"""Regression against planted truths, statsmodels, and the size that its tests promise."""

from itertools import combinations

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
import statsmodels.formula.api as smf
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

from mpcf.book.wording import collinearity_note, few_members_note
from mpcf.errors import DataError
from mpcf.method.panel import ERRORS
from mpcf.method.regression import (
    coefficients,
    collinearity,
    fit,
    influence,
    possible_estimators,
    predictors,
    response,
    shapley_shares,
    transform,
)
from mpcf.method.statistics import false_discovery_mask

NAMES = ["moisture", "temperature", "precipitation"]


def panel(seed=1, members=8, years=60, cells=1, noise=1.0):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(3, members, years, cells)) + np.linspace(0, 3, years)[:, None]
    x[2] *= 1e-5  # precipitation in kg m-2 s-1 beside temperature in K
    x[1] += 270
    b = np.array([-2.0, 0.7, 3e4])[:, None, None, None]
    y = (b * x).sum(0) + rng.normal(size=(members, 1, cells)) * 5
    y = y + noise * rng.normal(size=y.shape)
    coords = {"member": range(1, members + 1), "year": range(2000, 2000 + years)}
    y = xr.DataArray(y, coords, ("member", "year", "cell"))
    x = xr.DataArray(x, coords | {"predictor": NAMES}, ("predictor", "member", "year", "cell"))
    return y, x


@pytest.mark.parametrize("estimator", ["raw trend", "year effects", "first differences"])
def test_a_planted_truth_comes_back(estimator):
    y, x = panel(noise=0.0)
    b = fit(y, x, estimator)["b"].isel(cell=0)
    np.testing.assert_allclose(b, [-2.0, 0.7, 3e4], rtol=1e-9)


def test_year_effects_equal_statsmodels_with_clustered_errors():
    y, x = panel()
    rows = x.isel(cell=0).to_dataset("predictor").assign(y=y.isel(cell=0))
    rows = rows.to_dataframe().reset_index()
    rows["precipitation"] *= 1e5
    model = smf.ols("y ~ moisture + temperature + precipitation + C(member) + C(year)", rows)
    reference = model.fit(cov_type="cluster", cov_kwds={"groups": rows["member"]}, use_t=True)
    ours = fit(y, x.where(x["predictor"] != "precipitation", x * 1e5), "year effects").isel(cell=0)
    np.testing.assert_allclose(ours["b"], reference.params[NAMES], rtol=1e-9)
    np.testing.assert_allclose(ours["se"], reference.bse[NAMES], rtol=1e-9)
    np.testing.assert_allclose(ours["p"], reference.pvalues[NAMES], rtol=1e-7)


def test_raw_trend_and_r_squared_equal_statsmodels():
    y, x = panel(seed=2)
    rows = transform(x, "raw trend").isel(cell=0).stack(row=("member", "year")).T.values
    left = transform(y, "raw trend").isel(cell=0).stack(row=("member", "year")).values
    reference = sm.OLS(left, rows).fit()
    ours = fit(y, x, "raw trend").isel(cell=0)
    np.testing.assert_allclose(ours["b"], reference.params, rtol=1e-9)
    assert float(ours["r_squared"]) == pytest.approx(reference.rsquared, rel=1e-9)


def test_cosine_errors_equal_a_plain_loop():
    y, x = panel(seed=3, years=50)
    ours = fit(y, x, "raw trend").isel(cell=0)
    design = transform(x, "raw trend").isel(cell=0).transpose("member", "year", "predictor").values
    left = transform(y, "raw trend").isel(cell=0).values
    flat = design.reshape(-1, 3)
    bread = np.linalg.inv(flat.T @ flat)
    residual = left - design @ (bread @ flat.T @ left.ravel())
    years, terms = 50, int(0.4 * 50 ** (2 / 3))
    meat = np.zeros((3, 3))
    for j in range(1, terms + 1):
        projected = np.zeros(3)
        for t in range(years):
            score = sum(design[m, t] * residual[m, t] for m in range(len(left)))
            projected += np.sqrt(2 / years) * np.cos(np.pi * j * (t + 0.5) / years) * score
        meat += years / terms * np.outer(projected, projected)
    np.testing.assert_allclose(ours["se"], np.sqrt(np.diag(bread @ meat @ bread)), rtol=1e-6)


def autocorrelated(rng, shape, phi=0.7):
    e = rng.normal(size=shape)
    for t in range(1, shape[1]):
        e[:, t] = phi * e[:, t - 1] + np.sqrt(1 - phi**2) * e[:, t]
    return e


def test_tests_keep_their_size_under_a_common_signal():
    """2,000 cells without any effect: near 5 % may look significant, where OLS calls 25 %."""
    rng = np.random.default_rng(4)
    members, years, cells = 8, 100, 2000
    shared_y, shared_x = (autocorrelated(rng, (1, years, cells)) for _ in range(2))
    coords = {"member": range(members), "year": range(years)}
    y = shared_y + 0.5 * autocorrelated(rng, (members, years, cells), 0.3)
    x = shared_x + 0.5 * autocorrelated(rng, (members, years, cells), 0.3)
    y = xr.DataArray(y, coords, ("member", "year", "cell"))
    x = xr.DataArray(
        x[None], coords | {"predictor": ["x"]}, ("predictor", "member", "year", "cell")
    )
    for estimator, most in (("raw trend", 0.12), ("year effects", 0.075)):
        size = float((fit(y, x, estimator)["p"] < 0.05).mean())
        assert 0.03 < size < most, (estimator, size)


def test_gaps_and_flat_predictors_give_nan_and_leave_other_cells_alone():
    y, x = panel(cells=4)
    whole = fit(y, x)
    y[2, 5, 1] = np.nan
    x[0, :, :, 2] = 7.0
    broken = fit(y, x)
    assert broken["b"].isel(cell=[1, 2]).isnull().all()
    assert broken["n"].values.tolist() == [480, 0, 0, 480]
    xr.testing.assert_allclose(broken.isel(cell=[0, 3]), whole.isel(cell=[0, 3]), rtol=1e-12)


def test_a_singular_design_is_nan():
    y, x = panel(cells=2)
    x[2, :, :, 1] = 2 * x[0, :, :, 1] - 3
    out = fit(y, x)
    assert out["b"].isel(cell=1).isnull().all() and out["b"].isel(cell=0).notnull().all()


def test_too_few_members_are_refused_by_name():
    y, x = panel(members=3)
    assert fit(y, x, "year effects")["se"].isnull().all()
    with pytest.raises(ValueError, match="two members or more"):
        fit(*[a.isel(member=[0]) for a in panel()], "year effects")
    with pytest.raises(ValueError, match="raw trend, year effects, first differences"):
        fit(y, x, "fixed effects")


@pytest.mark.parametrize("members", [1, 2, 3, 4])
def test_clustered_errors_begin_with_four_members(members):
    y, x = panel(members=members)
    out = fit(y, x, "raw trend", errors="cluster")
    assert out["b"].notnull().all()
    known = members >= 4
    for name in ("se", "t", "p"):
        assert bool(out[name].notnull().all()) == known and bool(out[name].isnull().all()) != known


@pytest.mark.parametrize("errors", ["ols", "newey-west", "cosine", "effective sample size"])
@pytest.mark.parametrize("estimator", ["raw trend", "first differences"])
def test_one_member_has_errors_from_its_years(estimator, errors):
    out = fit(*[a.isel(member=[0]) for a in panel()], estimator, errors=errors)
    assert (out["se"] > 0).all() and (out["freedom"] >= 1).all()


def test_year_effects_of_one_member_are_refused_by_name():
    y, x = (a.isel(member=[0]) for a in panel())
    for refused in (
        lambda: transform(y, "year effects"),
        lambda: coefficients(y.expand_dims(flux=["y"]), x, "year effects"),
        lambda: influence(y.expand_dims(flux=["y"]), x, "year effects"),
        lambda: collinearity(x, "year effects"),
        lambda: shapley_shares(y, x, "year effects"),
    ):
        with pytest.raises(ValueError, match="year effects need two members or more"):
            refused()


def test_sides_add_up_to_the_net_flux():
    rng = np.random.default_rng(5)
    shape = (4, 30, 3)
    yearly = xr.Dataset(
        {v: (("member", "year", "lat"), rng.normal(size=shape)) for v in ("gpp", "ra", "rh")},
        {"year": range(30)},
    )
    x = xr.DataArray(rng.normal(size=(2, *shape)), dims=("predictor", "member", "year", "lat"))
    x = x.assign_coords(predictor=["a", "b"], year=range(30))
    b = {k: fit(response(yearly, k), x)["b"] for k in ("gpp", "ra", "rh", "nep", "gpp-rh")}
    np.testing.assert_allclose(b["gpp"] - b["ra"] - b["rh"], b["nep"], atol=1e-12)
    np.testing.assert_allclose(b["gpp"] - b["rh"], b["gpp-rh"], atol=1e-12)
    with pytest.raises(ValueError, match="nep, gpp-rh"):
        response(yearly, "nee")


def test_predictors_share_their_season(yearly_stub):
    x = predictors(yearly_stub, season="thaw", depth=0.1, co2=True)
    assert x["predictor"].values.tolist() == [*NAMES, "co2"]
    np.testing.assert_allclose(
        x.sel(predictor="temperature"),
        yearly_stub["temperature"].sel(season="thaw").transpose(*x.dims[1:]),
    )
    with pytest.raises(ValueError, match=r"0\.1, 1\.0, 3\.0"):
        predictors(yearly_stub, depth=2.0)
    with pytest.raises(ValueError, match="liquid, total, thaw_wetness"):
        predictors(yearly_stub, moisture="ice")


@settings(deadline=None, max_examples=30)
@given(st.floats(-0.95, 0.95))
def test_vif_of_two_predictors_is_known(r):
    rng = np.random.default_rng(6)
    a = rng.normal(size=400)
    b = r * a + np.sqrt(1 - r**2) * rng.normal(size=400)
    x = xr.DataArray(np.stack([a, b]).reshape(2, 1, 400), dims=("predictor", "member", "year"))
    x = x.assign_coords(predictor=["a", "b"])
    found = np.corrcoef(a, b)[0, 1]
    near = collinearity(x)
    np.testing.assert_allclose(near["vif"], 1 / (1 - found**2), rtol=1e-9)
    condition = np.sqrt((1 + abs(found)) / (1 - abs(found)))
    assert float(near["condition_number"]) == pytest.approx(condition)


def test_false_discovery_mask_without_any_value():
    assert not false_discovery_mask(xr.DataArray([np.nan, np.nan], dims="lat")).any()


def test_table_is_readable_by_pandas():
    y, x = panel()
    assert isinstance(fit(y, x)["b"].to_dataframe(), pd.DataFrame)


def test_coefficients_of_several_responses_are_those_of_fit():
    y, x = panel(cells=5)
    x[0, :, :, 2] = 7.0
    several = xr.concat([y, -2 * y + x[1].drop_vars("predictor")], "flux").assign_coords(
        flux=["a", "b"]
    )
    several, x = several.assign_coords(cell=range(5)), x.assign_coords(cell=range(5))
    for estimator in ("raw trend", "year effects", "first differences"):
        b = coefficients(several, x, estimator)
        for flux in ("a", "b"):
            alone = fit(several.sel(flux=flux, drop=True), x, estimator)["b"]
            xr.testing.assert_allclose(b.sel(flux=flux, drop=True), alone, rtol=1e-12)


def test_dask_gives_the_same_whatever_the_chunks():
    y, x = panel(cells=90)
    y[2, 5, 40] = np.nan
    y = y.assign_coords(cell=range(90))
    x = x.assign_coords(cell=range(90)).astype("float32")
    for estimator in ("raw trend", "year effects", "first differences"):
        whole = fit(y, x, estimator)
        for size in (7, 90):
            lazy = fit(y.chunk(cell=size), x.chunk(cell=size), estimator)
            assert lazy["b"].chunks is not None
            xr.testing.assert_identical(lazy.compute(), whole)
    with pytest.raises(ValueError, match="year"):
        fit(y.chunk(year=10), x)


def test_order_of_dims_does_not_matter():
    y, x = panel(cells=3)
    turned = fit(y.transpose("cell", "year", "member"), x.transpose("year", "cell", ...))
    xr.testing.assert_identical(turned, fit(y, x))


def test_coordinates_that_differ_are_an_error():
    y, x = panel()
    with pytest.raises(ValueError, match="align"):
        fit(y, x.assign_coords(year=x["year"] + 1))


def test_a_pooled_fit_equals_one_with_a_level_for_each_place_and_clusters_of_members():
    y, x = panel(cells=4)
    x[2] *= 1e5
    weights = xr.DataArray([1.0, 2.0, 0.5, 0.0], dims="cell")
    ours = fit(y, x, "raw trend", errors="cluster", weights=weights, pool=["cell"])
    rows = x.to_dataset("predictor").assign(y=y, w=weights).isel(cell=slice(3)).to_dataframe()
    rows = rows.reset_index()
    rows["place"] = rows["member"] * 10 + rows["cell"]
    model = smf.wls(
        "y ~ moisture + temperature + precipitation + C(place)", rows, weights=rows["w"]
    )
    reference = model.fit(cov_type="cluster", cov_kwds={"groups": rows["member"]}, use_t=True)
    np.testing.assert_allclose(ours["b"], reference.params[NAMES], rtol=1e-9)
    np.testing.assert_allclose(ours["se"], reference.bse[NAMES], rtol=1e-9)
    assert int(ours["n"]) == 3 * 8 * 60


def test_one_series_without_members():
    y, x = (a.isel(member=0, cell=0, drop=True) for a in panel())
    out = fit(y, x, errors="newey-west")
    assert out["b"].dims == ("predictor",) and int(out["reason"]) == 0


def test_each_kind_of_errors_has_a_computation_of_its_own():
    y, x = panel()
    found = [fit(y, x, errors=kind)["se"].values for kind in ERRORS[1:]]
    assert np.isfinite(found).all()
    for one, other in combinations(found, 2):
        assert not np.allclose(one, other, rtol=1e-6)


def test_unknown_errors_and_lags_are_refused():
    y, x = panel()
    with pytest.raises(ValueError, match="ols, newey-west"):
        fit(y, x, errors="white")
    with pytest.raises(ValueError, match="give 0 to 59"):
        fit(y, x, errors="newey-west", lags=60)


@pytest.mark.parametrize(
    ("errors", "least", "most"),
    [
        ("ols", 0.20, 0.30),
        ("newey-west", 0.08, 0.20),
        ("cosine", 0.06, 0.12),
        ("effective sample size", 0.04, 0.10),
    ],
)
def test_size_under_autocorrelation(errors, least, most):
    """One series of 100 years, φ = 0.7: false alarms at a nominal 5 %."""
    rng = np.random.default_rng(8)
    coords = {"member": [0], "year": range(100)}
    y, x = (
        xr.DataArray(autocorrelated(rng, (1, 100, 4000)), coords, ("member", "year", "cell"))
        for _ in range(2)
    )
    size = float((fit(y, x.expand_dims(predictor=["x"]), errors=errors)["p"] < 0.05).mean())
    assert least < size < most


def test_one_member_loses_year_effects_and_words_say_so():
    assert possible_estimators(2) == ("raw trend", "year effects", "first differences")
    assert "year effects" not in possible_estimators(1)
    assert "*Year effects* **cannot be estimated**" in few_members_note(1)
    for members in (1, 2, 3):
        assert "Errors clustered by member" in few_members_note(members)
    assert "Year effects" not in few_members_note(2)
    assert few_members_note(4) == ""


def test_shares_of_predictors_that_resemble_each_other_are_said_to_be_one():
    names = ["moisture", "temperature", "precipitation"]

    def words(*vif):
        return collinearity_note(xr.DataArray(list(vif), {"predictor": names}))

    assert words(1.0, 10.0, 2.0) == "No VIF is above 10."
    assert words(10.1, 30.0, 2.0).startswith(
        "The share of moisture and temperature cannot be separated"
    )
    assert words(np.nan, 1.0, 1.0).startswith("The share of moisture cannot be separated")
    x = xr.DataArray(
        np.random.default_rng(0).normal(size=(3, 4, 50)),
        {"predictor": names},
        ("predictor", "member", "year"),
    )
    x[1] = x[0] + 0.1 * x[1].values
    assert "moisture and temperature" in collinearity_note(collinearity(x)["vif"])


@pytest.mark.parametrize("estimator", ["raw trend", "year effects", "first differences"])
def test_only_predictors_that_depend_on_each_other_are_named(estimator):
    rng = np.random.default_rng(3)
    x = xr.DataArray(
        rng.normal(size=(4, 4, 60)),
        {"predictor": ["a", "b", "c", "d"]},
        ("predictor", "member", "year"),
    )
    x[3] = x[1] + 0.5 * x[3].values
    expected = collinearity(x.isel(predictor=[0, 1, 3]), estimator)["vif"]
    x[2] = 3 * x[0].values + 5
    near = collinearity(x, estimator)
    np.testing.assert_allclose(near["vif"], [np.nan, expected[1], np.nan, expected[2]], rtol=1e-6)
    assert np.isnan(near["condition_number"])
    assert collinearity_note(near["vif"]).startswith("The share of a and c cannot be separated")
    x[2] = 7.0
    found = collinearity_note(collinearity(x, estimator)["vif"])
    assert found.startswith("The share of c cannot be separated")


def with_a_gap(values):
    """Return values without the years 2020 to 2059 of 2000 to 2099."""
    return values.isel(year=[*range(20), *range(60, 100)])


@pytest.fixture
def planted_two():
    """Uptake that is twice the predictor, beside a level that moves over the years."""
    rng = np.random.default_rng(4)
    coords = {"member": range(4), "year": range(2000, 2100)}
    x = xr.DataArray(rng.normal(size=(4, 100)), coords, ("member", "year"))
    level = 0.01 * (x["year"] - 2000.0)
    y, x = with_a_gap(2.0 * x + level), with_a_gap(x.expand_dims(predictor=["moisture"]))
    return y, x


def test_first_differences_over_a_gap_are_refused(planted_two):
    y, x = planted_two
    for call in (
        lambda: fit(y, x, "first differences", errors="cluster"),
        lambda: coefficients(y.expand_dims(flux=["y"]), x, "first differences"),
        lambda: influence(y.expand_dims(flux=["y"]), x, "first differences"),
        lambda: shapley_shares(y, x, "first differences"),
        lambda: collinearity(x, "first differences"),
        lambda: transform(y, "first differences"),
    ):
        with pytest.raises(DataError, match=r"years 2019 and 2060 are not consecutive.*raw trend"):
            call()


def test_each_side_of_a_gap_has_first_differences(planted_two):
    y, x = planted_two
    for side in (slice(None, 2019), slice(2060, None)):
        b = fit(y.sel(year=side), x.sel(year=side), "first differences")["b"]
        assert b.item() == pytest.approx(2.0, abs=0.02)


@pytest.mark.parametrize("errors", ["newey-west", "cosine", "effective sample size", None])
def test_errors_that_depend_on_the_order_of_years_are_refused_over_a_gap(planted_two, errors):
    y, x = planted_two
    with pytest.raises(DataError, match=r"years 2019 and 2060 are not consecutive.*ols, cluster"):
        fit(y, x, "raw trend", errors=errors)
    with pytest.raises(DataError, match="years 2019 and 2060"):
        influence(y.expand_dims(flux=["y"]), x)


@pytest.mark.parametrize(
    ("estimator", "errors"),
    [("raw trend", "ols"), ("raw trend", "cluster"), ("year effects", None)],
)
def test_what_does_not_depend_on_the_order_of_years_accepts_a_gap(planted_two, estimator, errors):
    y, x = planted_two
    found = fit(y, x, estimator, errors=errors)
    numbered = [a.assign_coords(year=range(60)) for a in (y, x)]
    same = fit(*numbered, estimator, errors=errors)
    for name in ("b", "se", "t", "p", "r_squared", "n"):
        np.testing.assert_array_equal(found[name], same[name], err_msg=name)
    assert found["b"].item() == pytest.approx(2.0, abs=0.1)
    assert np.isnan(found["autocorrelation"]) and np.isfinite(same["autocorrelation"])
    several = y.expand_dims(flux=["y"])
    np.testing.assert_array_equal(coefficients(several, x, estimator)[0], found["b"])
