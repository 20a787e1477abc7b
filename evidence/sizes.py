"""How often the book's tests raise false alarms, and how often its intervals contain the truth.

Ensembles with a known answer are simulated and passed to the book's own functions, more than a
thousand at a time, since `mpcf.method.regression.fit` treats a trial like a cell.

A predictor is a forced trend that all predictors and members share in shape, its member's weather,
and a *common signal*, which all members share as well. The response is moisture times its effect,
its own weather and its own common signal. All common signals are independent of each other, so any
resemblance is due to chance, but it is the same in every member.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
import xarray as xr
from scipy import signal, special

from mpcf.book.evidence import path
from mpcf.data.phases import BASE_YEARS
from mpcf.folders import write_atomic
from mpcf.method.design import Design, summed_change
from mpcf.method.intervals import add_shared_error
from mpcf.method.member_draws import resample_members
from mpcf.method.panel import Panel
from mpcf.method.periods import Period, base_mean, late_years, since_base
from mpcf.method.regression import (
    ESTIMATORS,
    fit,
    long_run_error,
    possible_estimators,
    transform,
)
from mpcf.method.resampling import (
    block_length,
    bootstrap_interval,
    draw_members,
    draw_years,
    jackknife,
    resampled_slopes,
)
from mpcf.method.statistics import member_interval, t_factor

TRIALS = 1_500
"""Simulated ensembles in each case: a standard error of at most 1.3 percentage points."""

NOMINAL = 0.05
"""Nominal share of false alarms of each test; one minus the nominal coverage of intervals."""

DRAWS = 400
"""Number of resampled ensembles in each bootstrap."""

FORCED = {"moisture": 6.5, "temperature": 6.5, "precipitation": 4.0}
"""Rise of each predictor over the years, in standard deviations of its weather; in the warming of
the demonstration's region it is 6.5, 6.3 and 3.8."""

LIKENESS = 0.5
"""Correlation of the predictors' weather with each other, within a member."""

TESTS = (
    ("raw trend", "ols"),
    ("raw trend", "newey-west"),
    ("raw trend", "effective sample size"),
    ("raw trend", "cluster"),
    ("raw trend", "cosine"),
    ("first differences", "ols"),
    ("first differences", "cosine"),
    ("year effects", "ols"),
    ("year effects", "cluster"),
    ("decadal band", "ols"),
    ("decadal band", "cosine"),
    ("decadal band", "cluster"),
)
"""Estimators and errors whose tests are simulated."""


@dataclass(frozen=True)
class Case:
    """One kind of ensemble.

    Attributes
    ----------
    members : int
        Number of members.
    years : int
        Length of the series.
    phi : float
        Autocorrelation at one year of weather and common signals.
    common : float
        Standard deviation of each common signal; that of the weather is 1.
    effect : float
        Effect of moisture on the response; 0 for tests.
    """

    members: int
    years: int
    phi: float
    common: float
    effect: float = 0.0


DEMONSTRATION = (
    Case(8, 51, 0.15, 0.0),
    Case(8, 117, 0.3, 0.6),
    Case(8, 184, 0.15, 0.2),
    Case(8, 301, 0.4, 0.7),
)
"""The demonstration's eight members over its warming, its years until net zero, the years after
and all years, as the raw trend of its region leaves them: residuals with an autocorrelation of
0.14, 0.31, 0.13 and 0.39 and a common signal of 0, 0.59, 0.19 and 0.70."""

YEARS = (51, 117, 184)
PHI = (0.0, 0.3, 0.7, 0.9)

SIZE_CASES = tuple(
    Case(*values)
    for values in (
        *itertools.product((4, 8, 10, 28), YEARS, PHI, (0.0, 1.0, 2.0)),
        *itertools.product((1,), YEARS, PHI, (0.0,)),
    )
)
"""Cases in which tests are simulated; with one member, a common signal is its own."""

COVERAGE_CASES = tuple(
    Case(*values, effect=1.0)
    for values in itertools.product((4, 8, 10, 28), (51,), (0.0, 0.7), (0.0, 1.0))
)
"""Cases in which intervals are simulated."""

FEW_MEMBERS_CASES = tuple(
    Case(members, *values, effect=1.0)
    for members in (1, 2, 3)
    for values in (
        *itertools.product((51,), (0.0, 0.7), (0.0, 1.0)),
        *((c.years, c.phi, c.common) for c in DEMONSTRATION),
    )
)
"""Cases in which intervals from blocks of years are simulated; with one member, a common signal is
its own."""


def _series(rng: np.random.Generator, shape: tuple[int, ...], phi: float) -> np.ndarray:
    """Draw stationary AR(1) series of unit variance along the last axis."""
    shocks = rng.standard_normal(shape)
    shocks[..., 1:] *= np.sqrt(1 - phi**2)
    return signal.lfilter([1.0], [1.0, -phi], shocks)


def simulate(case: Case, trials: int = TRIALS) -> tuple[xr.DataArray, xr.DataArray, xr.DataArray]:
    """Draw ensembles; the same case always gives the same ones.

    Parameters
    ----------
    case : Case
        Kind of ensembles.
    trials : int
        Number of ensembles.

    Returns
    -------
    tuple of DataArray
        Response (trial, member, year), predictors (trial, predictor, member, year), and what the
        predictors share (trial, predictor, year), in standard deviations of weather.
    """
    code = [case.members, case.years, round(100 * case.phi), round(100 * case.common)]
    rng = np.random.default_rng(code)
    k, shape = len(FORCED), (case.members, case.years)
    rise = np.linspace(0, 1, case.years) * np.array(list(FORCED.values()))[:, None]
    shared = rise + case.common * _series(rng, (trials, k, case.years), case.phi)
    x = np.sqrt(1 - LIKENESS) * _series(rng, (trials, k, *shape), case.phi)
    x += np.sqrt(LIKENESS) * _series(rng, (trials, 1, *shape), case.phi)
    x += shared[:, :, None]
    y = _series(rng, (trials, *shape), case.phi)
    y += case.common * _series(rng, (trials, 1, case.years), case.phi)
    y += case.effect * x[:, 0]
    coords = {"predictor": list(FORCED), "year": np.arange(case.years)}
    return (
        xr.DataArray(y, {"year": coords["year"]}, ("trial", "member", "year")),
        xr.DataArray(x, coords, ("trial", "predictor", "member", "year")),
        xr.DataArray(shared, coords, ("trial", "predictor", "year")),
    )


def sizes(case: Case, trials: int = TRIALS) -> Iterator[dict]:
    """Yield each test's share of false alarms, where moisture has no effect.

    Parameters
    ----------
    case : Case
        Kind of ensemble, with no effect.
    trials : int
        Number of ensembles.

    Yields
    ------
    dict
        A row of the table.
    """
    y, x, _ = simulate(case, trials)
    for estimator, errors in TESTS:
        if case.members == 1 and (errors == "cluster" or estimator == "year effects"):
            continue
        found = fit(y, x, estimator, errors=errors).sel(predictor="moisture")
        yield _row("size", case, estimator, errors, found["p"] < NOMINAL)
        if (estimator, errors) == ("year effects", "cluster"):
            p = linearmodels_p(found["t"], case.members, case.years, len(FORCED))
            yield _row("size", case, estimator, "cluster, linearmodels' default", p < NOMINAL)


def linearmodels_p(t: xr.DataArray, members: int, years: int, predictors: int) -> xr.DataArray:
    r"""Return the p value that linearmodels gives by default for a clustered t of year effects.

    Its ``PanelOLS`` with entity and time effects and errors clustered by entity leaves out the
    factor :math:`M/(M-1)` of the variance and uses the degrees of freedom of the rows.

    Parameters
    ----------
    t : DataArray
        From `mpcf.method.regression.fit`.
    members, years, predictors : int
        Size of the panel.

    Returns
    -------
    DataArray
        The p values.
    """
    rows = members * years
    freedom = rows - members - years + 1 - predictors
    return _p(t * np.sqrt(members / (members - 1) * (rows - 1) / rows), freedom)


def _p(t: xr.DataArray, freedom: float) -> xr.DataArray:
    return 2 * t.copy(data=special.stdtr(freedom, -np.abs(t.values)))


def coverage(case: Case, trials: int = TRIALS) -> Iterator[dict]:
    """Yield the share of intervals that contain moisture's true contribution since the base period.

    The truth is moisture's effect times the change of what its members share, summed over the
    years. For `member_interval`, it is the forced change of the response.

    Parameters
    ----------
    case : Case
        Kind of ensemble, with an effect.
    trials : int
        Number of ensembles.

    Yields
    ------
    dict
        A row of the table.
    """
    y, x, shared = simulate(case, trials)
    shared = shared.sel(predictor="moisture")
    truth = case.effect * since_base(shared).sum("year")

    def held(found: xr.Dataset) -> xr.DataArray:
        return (found["low"] < truth) & (truth < found["high"])

    for estimator in ("raw trend", "year effects"):

        def moisture(kept: list[int], estimator: str = estimator) -> xr.DataArray:
            part = contribution(y.isel(member=kept), x.isel(member=kept), estimator)
            return part.sel(predictor=["moisture"])

        alone = jackknife(moisture, case.members)
        yield _row("coverage", case, estimator, "jackknife", held(alone))
        if estimator == "raw trend":
            wide = add_shared_error(alone, shared_error(y, x, estimator))
            yield _row("coverage", case, estimator, "jackknife, widened", held(wide))
        drawn = _resampled(y, x, estimator)
        wide = bootstrap_interval(drawn[0], drawn[1:], case.members)
        low, high = np.percentile(drawn[1:], [2.5, 97.5], axis=0)
        ends = xr.Dataset({"low": ("trial", low), "high": ("trial", high)})
        yield _row("coverage", case, estimator, "bootstrap, percentiles", held(ends))
        yield _row("coverage", case, estimator, "bootstrap, Student's t", held(wide))
    late = late_years(case.years - 1)
    change = y.sel(year=late).mean("year") - base_mean(y)
    ends = np.array([member_interval(values) for values in change])
    truth = case.effect * (shared.sel(year=late).mean("year") - base_mean(shared))
    inside = (ends[:, 1] < truth.values) & (truth.values < ends[:, 2])
    yield _row("coverage", case, "change", "member interval", inside)


def block_coverage(case: Case, trials: int = TRIALS) -> Iterator[dict]:
    """Yield the share of intervals from blocks of years that contain the true contribution.

    They take the predictors' changes in these members as given, so the truth is moisture's effect
    times the change of the members' mean. The rows *forced change* use the truth of `coverage`, the
    change of what members share, which these intervals are not designed to contain.

    Parameters
    ----------
    case : Case
        Kind of ensemble, with an effect.
    trials : int
        Number of ensembles.

    Yields
    ------
    dict
        A row of the table.
    """
    y, x, shared = simulate(case, trials)
    truths = {
        "blocks of years": case.effect * summed_change(x, _all_years(x)),
        "blocks of years, forced change": case.effect * since_base(shared).sum("year"),
    }
    for estimator in possible_estimators(case.members):
        if estimator == "first differences":
            continue
        found = block_interval(y, x, estimator).sel(predictor="moisture")
        for errors, truth in truths.items():
            true = truth.sel(predictor="moisture")
            held = (found["low"] < true) & (true < found["high"])
            yield _row("coverage", case, estimator, errors, held)


def block_interval(y: xr.DataArray, x: xr.DataArray, estimator: str) -> xr.Dataset:
    """Return `mpcf.method.intervals.block_bootstrap` of all years, for each trial.

    Parameters
    ----------
    y : DataArray (trial, member, year)
        Response.
    x : DataArray (trial, predictor, member, year)
        Predictors.
    estimator : str
        See `mpcf.method.regression.transform`.

    Returns
    -------
    Dataset (predictor, trial)
        ``low`` and ``high``.
    """
    order = ("predictor", "member", "year", "trial")
    rows = [transform(a, estimator).transpose(*order) for a in (x, y.expand_dims("predictor"))]
    rows = np.concatenate(rows)
    years = y.sizes["year"]
    counts = draw_years(years, DRAWS)
    at_once = 128  # so that the products of all draws fit in memory
    slopes = [
        resampled_slopes(rows[..., i : i + at_once], len(FORCED), counts)[..., 0]
        for i in range(0, len(y), at_once)
    ]
    middle = contribution(y, x, estimator)
    error = middle.copy(data=np.nan_to_num(np.concatenate(slopes, 1)).std(0, ddof=1).T)
    half = t_factor(years / block_length(years) - 1) * error * abs(summed_change(x, _all_years(x)))
    return xr.Dataset({"low": middle - half, "high": middle + half})


def contribution(y: xr.DataArray, x: xr.DataArray, estimator: str) -> xr.DataArray:
    """Return the contributions that `mpcf.method.attribution.period_carbon` sums, for each trial.

    Parameters
    ----------
    y : DataArray (trial, member, year)
        Response.
    x : DataArray (trial, predictor, member, year)
        Predictors.
    estimator : str
        See `mpcf.method.regression.transform`.

    Returns
    -------
    DataArray (predictor, trial)
        Sums over the years.
    """
    design = Design(y.expand_dims(flux=["y"]), x, estimator)
    return design.contributions(_all_years(x)).isel(flux=0, drop=True)


def shared_error(y: xr.DataArray, x: xr.DataArray, estimator: str) -> xr.Dataset:
    """Return `mpcf.method.intervals.shared_signal_error` of all years, for each trial.

    Parameters
    ----------
    y : DataArray (trial, member, year)
        Response.
    x : DataArray (trial, predictor, member, year)
        Predictors.
    estimator : str
        See `mpcf.method.regression.transform`.

    Returns
    -------
    Dataset
        ``se`` (trial, predictor) and ``degrees_of_freedom``.
    """
    psi = Design(y.expand_dims(flux=["y"]), x, estimator).influence(_all_years(x)).isel(flux=0)
    error, terms = long_run_error(psi.transpose("trial", "predictor", "year").values)
    error = xr.DataArray(error, {"predictor": x["predictor"]}, ("trial", "predictor"))
    return xr.Dataset({"se": error, "degrees_of_freedom": terms})


def _all_years(x: xr.DataArray) -> Period:
    return Period(int(x["year"][0]), int(x["year"][-1]))


def _resampled(y: xr.DataArray, x: xr.DataArray, estimator: str) -> xr.DataArray:
    """Return moisture's contribution by all members and by each draw of them (draw, trial)."""
    members, years = y.sizes["member"], y.sizes["year"]
    panel = Panel(members, 1, years, ESTIMATORS.index(estimator), 0, 0, 0)
    counts = np.vstack([np.ones(members, int), draw_members(members, DRAWS, seed=1)])
    rows = y.values.reshape(len(y), 1, -1, 1), x.values.reshape(len(x), len(FORCED), -1, 1)
    drawn = [
        resample_members(
            *trial, np.ones(1), panel, base=(0, BASE_YEARS), summed=(0, years), counts=counts
        )[:, 0, 0]
        for trial in zip(*rows, strict=True)
    ]
    return xr.DataArray(np.stack(drawn, 1), dims=("draw", "trial"))


def _row(what: str, case: Case, estimator: str, errors: str, hits: xr.DataArray) -> dict:
    known = np.asarray(hits).ravel()
    alike = replace(case, members=8, effect=0.0)
    like = " as in the demonstration" if alike in DEMONSTRATION else ""
    return {
        "what": what + like,
        "estimator": estimator,
        "error": errors,
        "members": case.members,
        "years": case.years,
        "phi": case.phi,
        "common signal": case.common,
        "nominal": NOMINAL if what == "size" else 1 - NOMINAL,
        "measured": round(float(known.mean()), 4),
        "trials": known.size,
    }


def table(trials: int = TRIALS) -> pd.DataFrame:
    """Return all cases.

    Parameters
    ----------
    trials : int
        Number of ensembles in each.

    Returns
    -------
    DataFrame
        One row for each case, estimator and kind of errors.
    """
    found = []
    for case in (*SIZE_CASES, *DEMONSTRATION):
        found += sizes(case, trials)
    for case in (*COVERAGE_CASES, *(replace(c, effect=1.0) for c in DEMONSTRATION)):
        found += coverage(case, trials)
    for case in FEW_MEMBERS_CASES:
        found += block_coverage(case, trials)
    return pd.DataFrame(found)


def write() -> None:
    """Write ``evidence/sizes.csv``."""
    found = table()
    write_atomic(path("sizes"), found.to_csv(index=False))
    print(f"{len(found)} rows: {path('sizes')}")
