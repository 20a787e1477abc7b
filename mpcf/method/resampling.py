"""Jackknife and bootstrap over members, block bootstrap over years."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import xarray as xr

from mpcf.errors import DataError
from mpcf.method.regression import MIN_MEMBERS
from mpcf.method.score_sums import bandwidth
from mpcf.method.statistics import t_factor


def jackknife(statistic: Callable[[list[int]], xr.DataArray], members: int) -> xr.Dataset:
    r"""Return an estimate with the error and 95 % interval of the delete-one-member jackknife.

    .. math:: s^2 = \frac{M-1}{M} \sum_m (\hat\theta_{(-m)} - \bar\theta_{(\cdot)})^2,
              \qquad \hat\theta \pm t_{M-1} \, s .

    Everything that `statistic` does (fit, change, sum) is repeated without each member in turn, so
    that coefficients and changes vary together. The interval covers what differs between members,
    not what they share.

    Parameters
    ----------
    statistic : callable
        Takes positions of members, returns a DataArray.
    members : int
        Number of members M.

    Returns
    -------
    Dataset
        ``estimate``, ``se``, ``low``, ``high``; with fewer than `MIN_MEMBERS` members
        the last three are NaN. The attribute ``degrees_of_freedom`` is M − 1.

    References
    ----------
    Efron and Stein 1981, doi 10.1214/aos/1176345462.

    Examples
    --------
    >>> x = xr.DataArray([1.0, 2.0, 3.0, 6.0], dims="member")
    >>> out = jackknife(lambda kept: x.isel(member=kept).mean(), 4)
    >>> bool(np.isclose(out["se"], x.std(ddof=1) / 2))
    True
    """
    whole = statistic(list(range(members)))
    if members < MIN_MEMBERS:
        unknown = xr.full_like(whole, np.nan)
        gap = {"estimate": whole, "se": unknown, "low": unknown, "high": unknown}
        return xr.Dataset(gap, attrs={"degrees_of_freedom": members - 1})
    without = [statistic([m for m in range(members) if m != out]) for out in range(members)]
    drawn = xr.concat(without, "left_out")
    se = np.sqrt((members - 1) * drawn.var("left_out"))
    half = t_factor(members - 1) * se
    found = {"estimate": whole, "se": se, "low": whole - half, "high": whole + half}
    return xr.Dataset(found, attrs={"degrees_of_freedom": members - 1})


def draw_members(members: int, draws: int = 1000, seed: int = 0) -> np.ndarray:
    """Draw members with replacement, again where a draw holds one member only.

    Parameters
    ----------
    members : int
        Number of members, at least 2.
    draws : int
        Number of draws.
    seed : int
        Of the random numbers.

    Returns
    -------
    ndarray (draw, member)
        How often each member was drawn; each row adds up to `members`.

    Raises
    ------
    DataError
        If there is one member alone.

    Examples
    --------
    >>> draw_members(5, draws=3).sum(axis=1)
    array([5, 5, 5])
    """
    if members < 2:
        raise DataError("one member can't be resampled; two or more are needed")
    rng = np.random.default_rng(seed)
    counts = rng.multinomial(members, np.full(members, 1 / members), draws)
    while (alone := counts.max(axis=1) == members).any():
        counts[alone] = rng.multinomial(members, np.full(members, 1 / members), alone.sum())
    return counts


def bootstrap_interval(whole: xr.DataArray, drawn: xr.DataArray, members: int) -> xr.Dataset:
    r"""Return an interval from resampled members that keeps its coverage with few members.

    .. math:: s^2 = \frac{M}{M-1} \, \mathrm{var}(\theta^*), \qquad \hat\theta \pm t_{M-1} \, s .

    Resampling M members makes the variance too small by (M − 1)/M, and percentiles ignore Student's
    t: with few members they are too narrow.

    Parameters
    ----------
    whole : DataArray (...)
        Estimate from all members.
    drawn : DataArray (draw, ...)
        Estimates from resampled members.
    members : int
        Number of members M.

    Returns
    -------
    Dataset (...)
        ``estimate``, ``se``, ``low``, ``high``, as from `jackknife`; the last three are NaN with
        fewer than `MIN_MEMBERS` members. The attribute ``degrees_of_freedom`` is M − 1.
    """
    se = np.sqrt(members / max(members - 1, 1)) * drawn.std("draw", ddof=1)
    se = se if members >= MIN_MEMBERS else se * np.nan
    half = t_factor(max(members - 1, 1)) * se
    found = {"estimate": whole, "se": se, "low": whole - half, "high": whole + half}
    return xr.Dataset(found, attrs={"degrees_of_freedom": members - 1})


def block_length(years: int) -> int:
    r"""Return the length of the blocks in which years are drawn.

    Parameters
    ----------
    years : int
        Number of years T of a fit.

    Returns
    -------
    int
        Years, as many as Newey and West's window has lags, see
        `mpcf.method.score_sums.bandwidth`.

    Examples
    --------
    >>> block_length(51), block_length(301)
    (10, 23)
    """
    return bandwidth(years)


def draw_years(years: int, draws: int = 400, seed: int = 0) -> np.ndarray:
    """Draw years with replacement, in blocks; the first year follows the last.

    Parameters
    ----------
    years : int
        Number of years.
    draws : int
        Number of draws.
    seed : int
        Of the random numbers.

    Returns
    -------
    ndarray (draw, year)
        How often each year was drawn; each row adds up to `years`.

    References
    ----------
    Politis and Romano 1992, A circular block-resampling procedure for stationary data.

    Examples
    --------
    >>> draw_years(30, draws=3).sum(axis=1)
    array([30, 30, 30])
    """
    length = block_length(years)
    starts = np.random.default_rng(seed).integers(0, years, (draws, math.ceil(years / length), 1))
    drawn = ((starts + np.arange(length)) % years).reshape(draws, -1)[:, :years]
    return np.stack([np.bincount(one, minlength=years) for one in drawn])


def resampled_slopes(
    rows: np.ndarray, known: int, counts: np.ndarray, *, pooled: bool = False
) -> np.ndarray:
    """Return the slopes of every cell in every draw of years.

    Parameters
    ----------
    rows : ndarray (predictors and then fluxes, member, year, cell)
        As `mpcf.method.regression.transform` returns them.
    known : int
        Number of predictors.
    counts : ndarray (draw, year)
        How often each year was drawn, see `draw_years`.
    pooled : bool
        Whether all members have one level, as differences have, instead of one each.

    Returns
    -------
    ndarray (draw, cell, predictor, flux)
        Slopes, units of the flux per unit of the predictor; NaN where a draw leaves predictors
        dependent.

    Examples
    --------
    >>> x = np.arange(30.0).reshape(1, 1, 30, 1)
    >>> b = resampled_slopes(np.concatenate([x, 2 * x]), 1, draw_years(30, draws=3))
    >>> b[:, 0, 0, 0].round(9)
    array([2., 2., 2.])
    """
    sums = np.einsum("dt,cmtk->dkcm", counts, rows, optimize=True)
    if pooled:  # one level for all members
        sums = np.repeat(sums.mean(-1, keepdims=True), sums.shape[-1], -1)
    products = np.einsum("imtk,jmtk->tkij", rows[:known], rows, optimize=True)
    gram = np.tensordot(counts, products, 1)
    gram -= sums[:, :, :known] @ sums.swapaxes(-1, -2) / counts.shape[1]
    with np.errstate(invalid="ignore", divide="ignore"):
        spread = np.sqrt(np.diagonal(gram, axis1=-2, axis2=-1))[..., None]
        likeness = gram[..., :known] / spread / spread.swapaxes(-1, -2)
        sound = np.linalg.det(likeness) > 1e-10
    b = np.full((*sound.shape, known, gram.shape[-1] - known), np.nan)
    right = gram[sound][..., known:] / spread[sound]
    b[sound] = np.linalg.solve(likeness[sound], right) / spread[sound]
    return b
