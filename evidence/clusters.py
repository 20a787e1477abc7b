"""How often errors by cluster and in space raise false alarms: few members, towers, and maps.

Ensembles are those of `evidence.sizes`, with a common signal of 1. Towers are the same with gaps:
each site is observed for a stretch of consecutive years, 3 at the shortest site and all at the
longest. A map is one value of each field in each cell, and of several years there are independent
maps. The fields of a map are independent of each other, except that predictors resemble each other
as they do in an ensemble, and their correlation falls exponentially with distance.

Trials are computed together; that they are what `mpcf.method.clusters` gives is tested.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import numpy as np
import pandas as pd
import xarray as xr
from scipy import special

from evidence.sizes import FORCED, LIKENESS, NOMINAL, TRIALS, Case, simulate
from mpcf.book.evidence import path
from mpcf.folders import write_atomic
from mpcf.ground.geography import distance
from mpcf.method.clusters import MIN_EIGENVALUE, share_as_extreme, sign_patterns
from mpcf.method.regression import fit

BATCH = 100
"""Trials computed together; those of towers have the same gaps."""

DRAWS = 1_999
"""Patterns of the wild bootstrap."""

COMMON = 1.0
"""Standard deviation of the common signal, in standard deviations of weather."""

TOWER_YEARS = (3, 25)
"""Years of the shortest and of the longest record of a tower."""

DISTANCES = (500, 1500, 3000)
"""km, beyond which Conley's errors take cells as unrelated."""

LAT, LON = (a.ravel() for a in np.meshgrid(np.arange(52.5, 76, 2.5), np.arange(60.0, 151, 10.0)))
"""Centres of the 100 cells of a map, degrees: about 280 km by 290 to 680 km apart."""

APART = distance(LAT, LON, LAT, LON) / 1000
"""Distance of each cell from each, km."""

PANELS = tuple(
    (kind, Case(*case, COMMON))
    for kind, cases in {
        "ensemble": itertools.product((4, 8, 28), (51, 117), (0.0, 0.3, 0.7, 0.9)),
        "towers": itertools.product((10, 20), TOWER_YEARS[1:], (0.3, 0.7)),
    }.items()
    for case in cases
)
"""Kind of panel, and what is simulated."""

MAPS = tuple(itertools.product((0, 500, 1500), (1, 20)))
"""Correlation length of a map's fields, km, and number of years."""


def observed(kind: str, case: Case, rng: np.random.Generator) -> np.ndarray:
    """Draw which years of each member or site are known.

    Parameters
    ----------
    kind : str
        Of `PANELS`.
    case : Case
        Members or sites, and years.
    rng : Generator
        Source of the first years.

    Returns
    -------
    ndarray of bool (member, year)
        All of an ensemble; of towers a stretch, whose lengths are evenly spaced.
    """
    shortest = TOWER_YEARS[0] if kind == "towers" else case.years
    lengths = np.linspace(shortest, case.years, case.members).round().astype(int)
    first = rng.integers(0, case.years - lengths, endpoint=True)[:, None]
    year = np.arange(case.years)
    return (first <= year) & (year < first + lengths[:, None])


def panel_p(y: xr.DataArray, x: xr.DataArray, known: np.ndarray, seed: int = 0) -> dict:
    """Return the p values of moisture with member and year effects, by each kind of errors.

    Parameters
    ----------
    y : DataArray (trial, member, year)
        Response.
    x : DataArray (trial, predictor, member, year)
        Predictors, moisture first.
    known : ndarray of bool (member, year)
        Rows that exist.
    seed : int
        Of the first trial's wild bootstrap; others count on.

    Returns
    -------
    dict of str to ndarray (trial,)
        By the name of the errors.
    """
    rows = xr.DataArray(known, dims=("member", "year"))
    kinds = {"OLS": "ols", "Newey-West": "newey-west", "clustered (CR1)": "cluster"}
    y_gaps, x_gaps = y.where(rows), x.where(rows)
    found = {
        name: fit(y_gaps, x_gaps, "year effects", errors=errors, min_rows=1)["p"]
        .sel(predictor="moisture")
        .values
        for name, errors in kinds.items()
    }
    groups = np.nonzero(known)[0]
    effects = _effects(known)
    values = np.concatenate([x.values[:, ::-1], y.values[:, None]], 1)[..., known]
    values -= (values @ effects) @ effects.T
    q, y = np.linalg.qr(values[:, :-1].swapaxes(1, 2))[0], values[:, -1]
    z = q[..., -1]  # what no other column explains of moisture
    b = (z * y).sum(1)
    e = y - (q @ (q.swapaxes(1, 2) @ y[..., None]))[..., 0]
    found["CR2"] = _cr2_p(b, e, q, effects, groups, balanced=bool(known.all()))
    under_null = e + z * b[:, None]
    parts = _sums(z * under_null, groups)
    turned = _products(z, under_null, q, effects, groups)
    found["wild bootstrap"] = np.array(
        [
            share_as_extreme(*trial, sign_patterns(len(known), DRAWS, seed + i))
            for i, trial in enumerate(zip(parts, turned, strict=True))
        ]
    )
    return found


def _effects(known: np.ndarray) -> np.ndarray:
    """Return orthonormal columns that span member and year effects."""
    member, year = np.nonzero(known)
    dummies = np.hstack([np.eye(known.shape[0])[member], np.eye(known.shape[1])[year]])
    u, s, _ = np.linalg.svd(dummies, full_matrices=False)
    return u[:, s > 1e-9 * s[0]]


def _sums(values: np.ndarray, groups: np.ndarray) -> np.ndarray:
    """Return the sums (trial, group) of values whose rows are sorted by group."""
    return np.add.reduceat(values, np.flatnonzero(np.diff(groups, prepend=-1)), axis=1)


def _products(
    a: np.ndarray, b: np.ndarray, q: np.ndarray, effects: np.ndarray, groups: np.ndarray
) -> np.ndarray:
    """Return a_g' (I − H)_gh b_h (trial, g, h) of rows by group."""
    spans = [groups == g for g in np.unique(groups)]
    seen = [
        np.stack(
            [
                np.concatenate([v[:, g] @ effects[g], (v[:, None, g] @ q[:, g])[:, 0]], axis=1)
                for g in spans
            ],
            axis=1,
        )
        for v in (a, b)
    ]
    products = -seen[0] @ seen[1].swapaxes(1, 2)
    np.einsum("tgg->tg", products)[...] += _sums(a * b, groups)
    return products


def _adjusted(
    q: np.ndarray, effects: np.ndarray, groups: np.ndarray, *, balanced: bool
) -> np.ndarray:
    """Return A_g z_g of all rows (trial, row), for z the last column of q."""
    adjusted = np.empty(q.shape[:2])
    members = len(np.unique(groups))
    for g in np.unique(groups):
        here = groups == g
        own = q[:, here]
        if balanced:  # I − H is (1 − 1/M) of the deviations from the mean, less the predictors'
            left, turn = np.linalg.eigh(
                (1 - 1 / members) * np.eye(own.shape[2]) - own.swapaxes(1, 2) @ own
            )
            weights = _root(left) * turn[:, -1]
            adjusted[:, here] = (own @ (turn @ weights[..., None]))[..., 0]
        else:
            both = np.concatenate(
                [np.broadcast_to(effects[here], (len(q), *effects[here].shape)), own], 2
            )
            u, s, v = np.linalg.svd(both, full_matrices=False)
            weights = _root(1 - s**2) * s * v[..., -1]
            adjusted[:, here] = (u @ weights[..., None])[..., 0]
    return adjusted


def _root(left: np.ndarray) -> np.ndarray:
    """Return the root of the generalised inverse of eigenvalues."""
    seen = left > MIN_EIGENVALUE
    return np.where(seen, 1 / np.sqrt(np.where(seen, left, 1)), 0)


def simulate_maps(length: float, years: int, trials: int) -> tuple[np.ndarray, np.ndarray]:
    """Draw maps on which moisture has no effect.

    Parameters
    ----------
    length : float
        Distance at which the correlation of a field has fallen to 1/e, km.
    years : int
        Number of independent maps in a trial.
    trials : int
        Number of trials.

    Returns
    -------
    tuple of ndarray
        Response (trial, year, cell) and predictors (trial, predictor, year, cell).
    """
    rng = np.random.default_rng([int(length), years])
    root = np.linalg.cholesky(np.exp(-APART / length)) if length else np.eye(len(LAT))
    fields = rng.standard_normal((trials, len(FORCED) + 2, years, len(LAT))) @ root.T
    x = np.sqrt(1 - LIKENESS) * fields[:, 2:] + np.sqrt(LIKENESS) * fields[:, 1:2]
    return fields[:, 0], x


def map_p(y: np.ndarray, x: np.ndarray) -> dict:
    """Return the p values of moisture by OLS and by Conley's errors; of several years by CR2 too.

    Parameters
    ----------
    y : ndarray (trial, year, cell)
        Response.
    x : ndarray (trial, predictor, year, cell)
        Predictors, moisture first.

    Returns
    -------
    dict of str to ndarray (trial,)
        By the name of the errors; NaN where they are refused. The groups of CR2 are the years.
    """
    trials, years, cells = y.shape
    columns = np.concatenate([np.ones_like(y)[:, None], x[:, ::-1]], 1).reshape(
        trials, -1, y[0].size
    )
    q, y = np.linalg.qr(columns.swapaxes(1, 2))[0], y.reshape(trials, -1)
    b = (q[..., -1] * y).sum(1)
    e = y - (q @ (q.swapaxes(1, 2) @ y[..., None]))[..., 0]
    freedom = y.shape[1] - q.shape[2]
    errors = {"OLS": np.sqrt((e**2).sum(1) / freedom)}
    scores = (q * e[..., None]).reshape(trials, years, cells, -1)
    for far in DISTANCES:
        near = np.clip(1 - APART / far, 0, None)
        total = (scores.swapaxes(2, 3) @ near @ scores).sum(1)
        fine = np.linalg.eigvalsh(total)[:, 0] >= -1e-8 * (scores**2).sum((1, 2, 3))
        variance = np.where(fine & (total[:, -1, -1] > 0), total[:, -1, -1], np.nan)
        errors[f"Conley, {far} km"] = np.sqrt(variance)
    found = {name: _p(b / se, freedom) for name, se in errors.items()}
    if years > 1:
        found["CR2"] = _cr2_p(b, e, q, np.empty((len(q[0]), 0)), np.repeat(np.arange(years), cells))
    return found


def _p(t: np.ndarray, freedom: float | np.ndarray) -> np.ndarray:
    return 2 * special.stdtr(freedom, -np.abs(t))


def _cr2_p(
    b: np.ndarray,
    e: np.ndarray,
    q: np.ndarray,
    effects: np.ndarray,
    groups: np.ndarray,
    *,
    balanced: bool = False,
) -> np.ndarray:
    """Return p (trial,) by CR2 of the coefficient b = z'y, with z the last column of q."""
    v = _adjusted(q, effects, groups, balanced=balanced)
    products = _products(v, v, q, effects, groups)
    freedom = np.einsum("tgg->t", products) ** 2 / (products**2).sum((1, 2))
    return _p(b / np.sqrt((_sums(v * e, groups) ** 2).sum(1)), freedom)


def panel_rows(kind: str, case: Case, trials: int = TRIALS) -> Iterator[dict]:
    """Yield the share of false alarms of each kind of errors in one panel.

    Parameters
    ----------
    kind : str
        Of `PANELS`.
    case : Case
        Members or sites, years and autocorrelation.
    trials : int
        Number of panels.

    Yields
    ------
    dict
        A row of the table.
    """
    y, x, _ = simulate(case, trials)
    rng = np.random.default_rng(case.members)
    batches = []
    for i in range(0, trials, BATCH):
        some = {"trial": slice(i, i + BATCH)}
        batches.append(panel_p(y[some], x[some], observed(kind, case, rng), seed=i))
    for name in batches[0]:
        p = np.concatenate([batch[name] for batch in batches])
        yield _row(kind, case.members, case.years, case.phi, 0, name, p)


def map_rows(length: float, years: int, trials: int = TRIALS) -> Iterator[dict]:
    """Yield the share of false alarms of each kind of errors on maps.

    Parameters
    ----------
    length : float
        Correlation length, km.
    years : int
        Number of independent maps in a trial.
    trials : int
        Number of trials.

    Yields
    ------
    dict
        A row of the table.
    """
    y, x = simulate_maps(length, years, trials)
    batches = [map_p(y[i : i + BATCH], x[i : i + BATCH]) for i in range(0, trials, BATCH)]
    for name in batches[0]:
        p = np.concatenate([batch[name] for batch in batches])
        yield _row("map", len(LAT), years, 0.0, length, name, p)


def _row(
    kind: str, units: int, years: int, phi: float, length: float, test: str, p: np.ndarray
) -> dict:
    given = p[np.isfinite(p)]
    rate = np.mean(given < NOMINAL)
    return {
        "kind": kind,
        "units": units,
        "years": years,
        "phi": phi,
        "length": length,
        "test": test,
        "rate": round(float(rate), 4),
        "se": round(float(np.sqrt(rate * (1 - rate) / len(given))), 4),
        "trials": len(given),
        "refused": len(p) - len(given),
    }


def table(trials: int = TRIALS) -> pd.DataFrame:
    """Return all cases.

    Parameters
    ----------
    trials : int
        Number of panels or maps in each.

    Returns
    -------
    DataFrame
        One row for each case and kind of errors: members, sites or cells (``units``), ``years`` (of
        towers the longest record), ``phi``, correlation ``length`` in km, share of false alarms
        (``rate``) with its standard error ``se``, and how many trials gave a test or ``refused``.
    """
    panels = (panel_rows(kind, case, trials) for kind, case in PANELS)
    maps = (map_rows(length, years, trials) for length, years in MAPS)
    return pd.DataFrame(itertools.chain(*panels, *maps))


def write() -> None:
    """Write ``evidence/clusters.csv``."""
    found = table()
    write_atomic(path("clusters"), found.to_csv(index=False))
    print(f"{len(found)} rows: {path('clusters')}")
