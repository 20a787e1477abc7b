"""Variance of the sum of scores for each kind of standard errors: compiled kernels."""

from __future__ import annotations

import math

import numba
import numpy as np

from mpcf.method.vectors import EXACT, add_up, dot


@numba.njit(**EXACT)
def fold_units(scores, blocks, units, years):
    """Add up the scores of the units of each block, in the block's first unit."""
    for j in range(scores.shape[0]):
        for m in range(blocks):
            first = m * units * years
            for u in range(1, units):
                for t in range(years):
                    scores[j, first + t] += scores[j, first + u * years + t]


@numba.njit(**EXACT)
def newey_west_sum(scores, members, stride, years, lags, window, meat):
    r"""Add the Bartlett long-run variance, by running sums whose cost does not grow with lags.

    .. math:: \sum_l (1 - |l|/(L+1)) \Gamma_l = \frac{1}{L+1} \sum_s W_s W_s^\top ,

    with W the sums over L + 1 years of scores padded with zeros, member by member.
    """
    k, span = scores.shape[0], lags + 1
    for m in range(members):
        for j in range(k):
            s, w = scores[j, m * stride : m * stride + years], window[j]
            running = 0.0
            for t in range(min(span, years)):
                running += s[t]
                w[t] = running
            enter, through = s[span:], w[span:years]
            for t in range(enter.size):
                running += enter[t] - s[t]
                through[t] = running
            leave, out = s[years - span :], w[years:]
            for t in range(out.size):
                running -= leave[t]
                out[t] = running
            for i in range(j + 1):
                meat[i, j] += dot(window[i], w) / span


@numba.njit(**EXACT)
def cosine_sum(scores, years, cosines, meat):
    """Write the equal-weighted cosine estimate of the long-run variance, times the years."""
    k, terms = scores.shape[0], cosines.shape[0]
    projected = np.empty((k, terms))
    for j in range(k):
        for v in range(terms):
            projected[j, v] = dot(cosines[v], scores[j, :years])
        for i in range(j + 1):
            meat[i, j] = years / terms * dot(projected[i], projected[j])


@numba.njit(**EXACT)
def clustered_sum(scores, members, stride, years, meat):
    """Add the sum over members of the products of their summed scores."""
    k = scores.shape[0]
    sums = np.empty(k)
    for m in range(members):
        for j in range(k):
            sums[j] = add_up(scores[j, m * stride : m * stride + years])
            for i in range(j + 1):
                meat[i, j] += sums[i] * sums[j]


@numba.njit(**EXACT)
def lag_one_products(a, b, years):
    """Return the sum of products one year apart, unit by unit, both ways averaged."""
    total = 0.0
    for first in range(0, a.size, years):
        one, two = a[first : first + years], b[first : first + years]
        total += dot(one[1:], two[:-1]) + dot(one[:-1], two[1:])
    return total / 2.0


def bandwidth(years: int) -> int:
    r"""Return the number of years over which dependence is taken into account.

    .. math:: \lceil 1.3 \sqrt T \rceil

    Parameters
    ----------
    years : int
        Number of years T of a fit.

    Returns
    -------
    int
        Lags of Newey and West's errors, and length of the blocks of a bootstrap.

    References
    ----------
    Lazarus et al. 2018, doi 10.1080/07350015.2018.1506926.

    Examples
    --------
    >>> bandwidth(51)
    10
    """
    return math.ceil(1.3 * math.sqrt(years))


def cosine_terms(years: int) -> int:
    """Return the number of cosines, ⌊0.4 T^{2/3}⌋, which is the degrees of freedom of their t.

    Parameters
    ----------
    years : int
        Length T of the series.

    Returns
    -------
    int
        At least 1.

    References
    ----------
    Lazarus et al. 2018, doi 10.1080/07350015.2018.1506926.

    Examples
    --------
    >>> cosine_terms(100)
    8
    """
    return max(1, int(0.4 * years ** (2 / 3)))


def cosine_basis(years: int) -> np.ndarray:
    r"""Return the type-II cosines of the long-run variance.

    .. math:: \sqrt{2/T} \cos(\pi j (t + 1/2) / T)

    Parameters
    ----------
    years : int
        Length T of the series.

    Returns
    -------
    ndarray (term, year)
        Orthonormal rows that sum to zero.
    """
    order, step = np.arange(1, cosine_terms(years) + 1)[:, None], np.arange(years) + 0.5
    return np.sqrt(2 / years) * np.cos(np.pi * order * step / years)
