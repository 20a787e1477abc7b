"""Gridded regression with Newey-West errors, and the bootstrap over members."""

from __future__ import annotations

import numpy as np
import statsmodels.api as sm
import xarray as xr

from benchmarks.measure import extra_memory, read_once, row, seconds
from mpcf.method.attribution import period_carbon
from mpcf.method.intervals import resampled_members
from mpcf.method.regression import fit, transform
from mpcf.method.resampling import draw_members

LAGS = 10
TASK = "regression with Newey-West errors"


def grid(cells, years, predictors):
    """Return response and predictors of one member, cells contiguous in memory as in the store."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(predictors, 1, years, cells))
    y = x.sum(0) + rng.normal(size=(1, years, cells))
    coords = {"member": [1], "year": np.arange(years), "cell": np.arange(cells)}
    names = {"predictor": [f"x{i}" for i in range(predictors)]}
    return xr.DataArray(y, coords, tuple(coords)), xr.DataArray(
        x, names | coords, ("predictor", *coords)
    )


def loop(y, x, solve):
    """Call `solve(y, X)` with a design of columns and a constant, cell by cell."""
    ys, xs = y.values[0], x.values[:, 0]
    for c in range(ys.shape[1]):
        solve(ys[:, c], np.column_stack([np.ones(len(ys)), xs[:, :, c].T]))


def by_statsmodels(y, x):
    loop(y, x, lambda a, b: sm.OLS(a, b).fit().bse)


def by_statsmodels_newey_west(y, x):
    options = {"cov_type": "HAC", "cov_kwds": {"maxlags": LAGS}, "use_t": True}
    loop(y, x, lambda a, b: sm.OLS(a, b).fit(**options).bse)


def by_scikit_learn(y, x):
    from sklearn.linear_model import LinearRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    model = make_pipeline(StandardScaler(), LinearRegression())
    loop(y, x, lambda a, b: model.fit(b[:, 1:], a)[-1].coef_)


def by_lstsq(y, x):
    def solve(a, b):
        return np.linalg.lstsq(np.column_stack([np.ones(len(a)), b.T]), a, rcond=None)[0]

    return xr.apply_ufunc(
        solve,
        y.isel(member=0),
        x.isel(member=0),
        input_core_dims=[["year"], ["predictor", "year"]],
        output_core_dims=[["b"]],
        vectorize=True,
    )


def by_einstats(y, x):
    from xarray_einstats import linalg

    x = x.isel(member=0).drop_vars("predictor")
    design = xr.concat([xr.ones_like(x[:1]), x], "predictor")
    q, r = linalg.qr(design, dims=["year", "predictor"])
    projected = xr.dot(q, y.isel(member=0), dim="year")
    return linalg.solve(r, projected, dims=["predictor", "predictor2"])


def regression(cells, years, predictors, *, references=True, repeats=5):
    y, x = grid(cells, years, predictors)
    size = {"cells": cells, "years": years, "predictors": predictors}
    bound = read_once(y.values, x.values, repeats=repeats)

    def ours():
        return fit(y, x, errors="newey-west", lags=LAGS)

    ours()
    yield row(TASK, "mpcf", size, seconds(ours, repeats), bound)
    by_cell = [a.transpose("cell", ...).copy().transpose(*a.dims) for a in (y, x)]
    took = seconds(lambda: fit(*by_cell, errors="newey-west", lags=LAGS), repeats)
    yield row(TASK, "mpcf, years side by side in memory", size, took, bound)
    yield {
        "task": "memory beyond the input",
        "method": "mpcf",
        **size,
        "bytes": extra_memory(ours),
        "input_bytes": y.nbytes + x.nbytes,
    }
    if not references:
        return
    for method, work, few, note in (
        ("statsmodels loop, HAC", by_statsmodels_newey_west, 200, ""),
        ("statsmodels loop, OLS", by_statsmodels, 200, "OLS errors only"),
        ("scikit-learn loop, standardised", by_scikit_learn, 200, "no errors"),
        ("apply_ufunc and lstsq", by_lstsq, 400, "no errors"),
        ("xarray-einstats, QR", by_einstats, 400, "no errors"),
    ):
        some = [a.isel(cell=slice(few)).copy() for a in (y, x)]
        work(*some)
        took = seconds(lambda work=work, some=some: work(*some), 3)
        yield row(TASK, method, size, took, bound, measured=few, note=note)


def bootstrap(members=10, years=150, cells=200, draws=1000):
    """Measure the member bootstrap of contributions, against fitting each draw again."""
    rng = np.random.default_rng(0)
    coords = {
        "member": np.arange(members),
        "year": np.arange(2000, 2000 + years),
        "lat": [60.0],
        "lon": np.arange(float(cells)),
    }
    shape = [len(v) for v in coords.values()]
    x = xr.DataArray(
        rng.normal(size=(3, *shape)), {"predictor": list("abc")} | coords, ("predictor", *coords)
    )
    y = (x.sum("predictor") + rng.normal(size=shape)).expand_dims(flux=["nep"])
    region = xr.ones_like(y.isel(flux=0, member=0, year=0, drop=True))
    periods = {"warming": (2000, 1999 + years)}
    counts = draw_members(members, draws)
    size = {"cells": cells, "years": years, "predictors": 3, "members": members, "draws": draws}
    bound = read_once(y.values, x.values)
    few = 20
    groups = [np.repeat(np.arange(members), c) for c in counts]

    def resampled(estimator):
        return resampled_members(y, x, region, periods, estimator, counts)

    def again(estimator, kept):
        sample = {"member": kept}
        return period_carbon(y.isel(sample), x.isel(sample), region, periods, estimator)

    def by_lstsq_again(estimator, kept):
        sample = {"member": kept, "lon": slice(few)}
        left, design = (transform(a.isel(sample), estimator) for a in (y[0], x))
        left = left.transpose("lon", ...).values.reshape(few, -1)
        design = design.transpose("lon", "member", "year", "lat", ...).values
        design = design.reshape(few, left.shape[1], -1)
        return [np.linalg.lstsq(d, e, rcond=None)[0] for d, e in zip(design, left, strict=True)]

    for estimator in ("raw trend", "year effects"):
        task = f"{draws} draws of members, {estimator}"
        resampled(estimator)
        yield row(
            task, "mpcf, Gram matrices", size, seconds(lambda e=estimator: resampled(e), 3), bound
        )
        took = seconds(lambda e=estimator: again(e, groups[0]), 3) * draws
        yield row(task, "mpcf, refits", size, took, bound, note="one refit, times the draws")

        took = seconds(lambda e=estimator: by_lstsq_again(e, groups[0]), 3) * draws
        yield row(
            *(task, "lstsq loop, refits", size, took, bound),
            measured=few,
            note="one refit, times the draws; coefficients only",
        )
