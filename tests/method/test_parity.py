"""Agreement to 1e-9 with the references: statsmodels, linearmodels, pingouin, and 50 digits."""

import mpmath
import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
import xarray as xr

from mpcf.method.regression import collinearity, fit, shapley_shares

NAMES = ["moisture", "temperature", "precipitation"]
COORDS = {"member": range(6), "year": range(2000, 2060)}


def panel(kind, members=6, years=60, seed=0):
    """Data that are good, in raw units (condition 5e8), or nearly dependent (condition 1e6)."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(3, members, years)).cumsum(-1) / 3
    y = 2 * x[0] - x[1] + 0.5 * x[2] + rng.normal(size=(members, years)).cumsum(-1) / 4
    y += 5 * rng.normal(size=(members, 1))
    if kind == "raw units":
        x *= np.array([50.0, 3.0, 2e-6])[:, None, None]
        x += np.array([300.0, 270.0, 3e-5])[:, None, None]
    if kind == "nearly dependent":
        x[2] = x[0] + x[1] + 1e-6 * x[2]
    coords = {"member": range(members), "year": range(2000, 2000 + years)}
    x = xr.DataArray(x, coords | {"predictor": NAMES}, ("predictor", "member", "year"))
    return xr.DataArray(y, coords, ("member", "year")), x


def dummies(y, x, effects):
    """Response, and design of predictors, member dummies and, if asked for, year dummies."""
    members, years = y.shape
    columns = [x.values.reshape(3, -1).T, np.kron(np.eye(members), np.ones((years, 1)))]
    if effects == "year effects":
        columns.append(np.kron(np.ones((members, 1)), np.eye(years))[:, 1:])
    return y.values.ravel(), np.hstack(columns)


def centred(y, x):
    """Response and standardised predictors less their means by member, and the spread."""
    y, x = (a - a.mean("year") for a in (y, x))
    x = x.values.reshape(3, -1).T
    return y.values.ravel(), x / x.std(0), x.std(0)


def same(ours, reference, rtol=1e-9):
    np.testing.assert_allclose(np.asarray(ours), np.asarray(reference), rtol=rtol)


@pytest.mark.parametrize("kind", ["good", "raw units"])
@pytest.mark.parametrize("weighted", [False, True])
def test_ols_equals_statsmodels(kind, weighted):
    y, x = panel(kind)
    weights = y.copy(data=np.random.default_rng(1).uniform(0.2, 3.0, y.shape))
    if not weighted:
        weights = xr.ones_like(weights)
    left, design = dummies(y, x, "raw trend")
    scale = np.abs(design).max(0)
    reference = sm.WLS(left, design / scale, weights=weights.values.ravel()).fit()
    ours = fit(y, x, errors="ols", weights=weights if weighted else None)
    same(ours["b"], reference.params[:3] / scale[:3])
    same(ours["se"], reference.bse[:3] / scale[:3])
    same(ours["t"], reference.tvalues[:3])
    same(ours["p"], reference.pvalues[:3], 1e-8)
    same(ours["freedom"], reference.df_resid)


@pytest.mark.parametrize("kind", ["good", "raw units"])
@pytest.mark.parametrize("lags", [0, 1, 7, 59])
def test_newey_west_equals_statsmodels_for_one_member(kind, lags):
    y, x = (a.isel(member=[2]) for a in panel(kind))
    left, design, spread = y.values.ravel(), x.values.reshape(3, -1).T, x.values.std((1, 2))
    centre = x.values.mean((1, 2))
    reference = sm.OLS(left, sm.add_constant((design - centre) / spread)).fit(
        cov_type="HAC", cov_kwds={"maxlags": lags, "use_correction": True}, use_t=True
    )
    ours = fit(y, x, errors="newey-west", lags=lags)
    same(ours["b"], reference.params[1:] / spread)
    same(ours["se"], reference.bse[1:] / spread)
    same(ours["p"], reference.pvalues[1:], 1e-8)
    same(ours["r_squared"], reference.rsquared)


def test_newey_west_windows_do_not_cross_members():
    y, x = panel("good")
    left, design = dummies(y, x, "raw trend")
    groups = np.repeat(np.arange(6), 60)
    reference = sm.OLS(left, design).fit(
        cov_type="hac-panel",
        cov_kwds={"groups": groups, "maxlags": 5, "use_correction": "hac", "df_correction": False},
        use_t=True,
    )
    same(fit(y, x, errors="newey-west", lags=5)["se"], reference.bse[:3])


@pytest.mark.parametrize("kind", ["good", "raw units"])
@pytest.mark.parametrize("estimator", ["raw trend", "year effects"])
def test_clusters_equal_statsmodels(kind, estimator):
    y, x = panel(kind)
    left, design = dummies(y, x, estimator)
    scale = np.abs(design).max(0)
    design = design / scale
    design[:, :3] -= design[:, :3].mean(0)
    groups = np.repeat(np.arange(6), 60)
    reference = sm.OLS(left, design).fit(
        cov_type="cluster", cov_kwds={"groups": groups}, use_t=True
    )
    ours = fit(y, x, estimator, errors="cluster")
    same(ours["b"], reference.params[:3] / scale[:3])
    same(ours["se"], reference.bse[:3] / scale[:3])
    same(ours["p"], reference.pvalues[:3], 1e-8)


@pytest.mark.parametrize("estimator", ["raw trend", "year effects"])
@pytest.mark.parametrize("kind", ["good", "raw units"])
def test_clusters_equal_linearmodels(kind, estimator):
    from linearmodels import PanelOLS

    y, x = panel(kind)
    _, _, spread = centred(y, x)
    frame = x.to_dataset("predictor").assign(y=y).to_dataframe()
    frame[NAMES] = (frame[NAMES] - frame[NAMES].mean()) / spread
    reference = PanelOLS(
        frame["y"], frame[NAMES], entity_effects=True, time_effects=estimator == "year effects"
    ).fit(cov_type="clustered", cluster_entity=True, group_debias=True, count_effects=True)
    ours = fit(y, x, estimator, errors="cluster")
    # it does not count member effects that are nested in the clusters; Stata's areg and we do
    counted = np.sqrt((360 - 3) / (360 - 3 - 6)) if estimator == "raw trend" else 1.0
    same(ours["b"], reference.params / spread)
    same(ours["se"], reference.std_errors / spread * counted)


@pytest.mark.parametrize("kind", ["good", "raw units"])
def test_shares_equal_pingouin(kind):
    import pingouin

    y, x = panel(kind)
    left, design, _ = centred(y, x)
    reference = pingouin.linear_regression(
        pd.DataFrame(design, columns=NAMES), left, relimp=True, add_intercept=True
    )
    shares = shapley_shares(y, x)
    same(shares, reference["relimp"][1:].astype(float))
    same(shares.sum("predictor"), fit(y, x)["r_squared"])


@pytest.mark.parametrize("kind", ["good", "raw units", "nearly dependent"])
def test_vif_and_condition_number_equal_a_solution_in_50_digits(kind):
    _, x = panel(kind)
    with mpmath.workdps(50):
        design = digits(x)[1]
        gram = design.T * design
        norm = [mpmath.sqrt(gram[i, i]) for i in range(3)]
        correlation = mpmath.matrix(3, 3)
        for i in range(3):
            for j in range(3):
                correlation[i, j] = gram[i, j] / norm[i] / norm[j]
        inverse = correlation**-1
        values = mpmath.eigsy(correlation, eigvals_only=True)
        vif = [float(inverse[i, i]) for i in range(3)]
        condition = float(mpmath.sqrt(max(values) / min(values)))
    near = collinearity(x)
    same(near["vif"], vif)
    same(near["condition_number"], condition)


def digits(x, y=None):
    """Predictors and response less their means by member, in mpmath's precision."""

    def less_means(values):
        rows = []
        for member in values:
            exact = [mpmath.mpf(float(v)) for v in member]
            mean = mpmath.fsum(exact) / len(exact)
            rows += [v - mean for v in exact]
        return rows

    design = mpmath.matrix([less_means(v) for v in x.values]).T
    return (None if y is None else mpmath.matrix(less_means(y.values))), design


def exact_newey_west(y, x, lags):
    """Coefficients and Newey-West errors of one member by normal equations in 50 digits."""
    with mpmath.workdps(50):
        left, design = digits(x, y)
        bread = (design.T * design) ** -1
        b = bread * (design.T * left)
        e = left - design * b
        n, k = design.rows, design.cols
        scores = [[design[t, i] * e[t] for i in range(k)] for t in range(n)]
        meat = mpmath.matrix(k, k)
        for lag in range(lags + 1):
            weight = 1 - mpmath.mpf(lag) / (lags + 1)
            for i in range(k):
                for j in range(k):
                    gamma = mpmath.fsum(scores[t][i] * scores[t - lag][j] for t in range(lag, n))
                    meat[i, j] += weight * gamma
                    if lag:
                        meat[j, i] += weight * gamma
        covariance = bread * meat * bread * n / (n - k - 1)
        se = [float(mpmath.sqrt(covariance[i, i])) for i in range(k)]
        return [float(v) for v in b], se


@pytest.mark.parametrize("kind", ["good", "raw units", "nearly dependent"])
def test_newey_west_equals_a_solution_in_50_digits(kind):
    y, x = (a.isel(member=[1]) for a in panel(kind))
    b, se = exact_newey_west(y, x, 6)
    ours = fit(y, x, errors="newey-west", lags=6)
    same(ours["b"], b)
    same(ours["se"], se)
