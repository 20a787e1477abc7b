"""Least squares in many cells at once: compiled kernels, numpy in, numpy out.

The columns [X y] of a cell are factored by modified Gram-Schmidt into orthogonal columns v and a
unit upper triangle U. Normal equations would square the condition number; this does not. With
d_j = v_j·v_j,

    b = U⁻¹ c,   c_j = v_j·y / d_j,   cov(b) = (U⁻¹ D⁻¹) S (U⁻¹ D⁻¹)ᵀ,

where S is the variance of the sum of the scores v e, which depends on the kind of errors.
"""

from __future__ import annotations

from collections import namedtuple

import numba
import numpy as np

from mpcf.method.effects import prepare_cell
from mpcf.method.panel import (
    CLUSTER,
    COSINE,
    EFFECTIVE_SAMPLE_SIZE,
    FIRST_DIFFERENCES,
    FITTED,
    NEWEY_WEST,
    NO_ERRORS,
    OLS,
    SINGULAR,
    Panel,
)
from mpcf.method.score_sums import (
    clustered_sum,
    cosine_basis,
    cosine_sum,
    fold_units,
    lag_one_products,
    newey_west_sum,
)
from mpcf.method.slabs import gather, over_slabs
from mpcf.method.vectors import EXACT, dot, multiply_into, subtract_scaled

DEPENDENT = 1e-10
"""Share of a predictor's spread below which the others count as explaining it fully."""

Fits = namedtuple("Fits", "b se freedom r_squared r1 shares psi spread vif condition n reason")
"""Results by cell: (cell, response, predictor) for b, se, freedom and shares; (cell, response) for
r_squared and r1; (cell, response, predictor, year) for psi; (cell, predictor) for spread and vif;
(cell) for condition, n and reason."""


@numba.njit(**EXACT)
def factor_columns(z, k, upper, d, norm):
    """Factor [X y] in place: orthogonal columns and, after k columns, the residuals."""
    for p in range(k):
        v = z[p]
        d[p] = dot(v, v)
        if not d[p] > (DEPENDENT * norm[p]) ** 2:
            return False
        for j in range(p + 1, z.shape[0]):
            upper[p, j] = dot(v, z[j]) / d[p]
            subtract_scaled(z[j], upper[p, j], v)
    return True


@numba.njit(**EXACT)
def invert_triangle(upper, k, inverse):
    """Invert a unit upper triangle."""
    inverse[:] = 0.0
    for j in range(k):
        inverse[j, j] = 1.0
        for i in range(j - 1, -1, -1):
            total = 0.0
            for m in range(i + 1, j + 1):
                total += upper[i, m] * inverse[m, j]
            inverse[i, j] = -total


@numba.njit(**EXACT)
def _condition(a):
    """Return the ratio of a small square matrix's extreme singular values, by one-sided Jacobi."""
    k = a.shape[0]
    for _ in range(30):
        turned = False
        for p in range(k - 1):
            for q in range(p + 1, k):
                pp = qq = pq = 0.0
                for i in range(k):
                    pp += a[i, p] * a[i, p]
                    qq += a[i, q] * a[i, q]
                    pq += a[i, p] * a[i, q]
                skew = abs(pq) / np.sqrt(pp * qq)
                if skew <= 1e-15:
                    continue
                turned |= skew > 1e-8  # which a turn squares
                zeta = (qq - pp) / (2.0 * pq)
                tangent = np.copysign(1.0, zeta) / (abs(zeta) + np.sqrt(1.0 + zeta * zeta))
                cosine = 1.0 / np.sqrt(1.0 + tangent * tangent)
                sine = cosine * tangent
                for i in range(k):
                    left, right = a[i, p], a[i, q]
                    a[i, p] = cosine * left - sine * right
                    a[i, q] = sine * left + cosine * right
        if not turned:
            break
    largest, smallest = 0.0, np.inf
    for p in range(k):
        length = 0.0
        for i in range(k):
            length += a[i, p] * a[i, p]
        largest, smallest = max(largest, length), min(smallest, length)
    return np.sqrt(largest / smallest)


@numba.njit(**EXACT)
def _shares(r, c, whole, out):
    """Write Shapley shares of R² (LMG): mean gain of R² by each predictor over all orders of entry.

    The columns of `r` and `c` are predictors and response in the orthonormal basis.
    """
    k = c.size
    explained = np.zeros(1 << k)
    basis, left = np.empty((k, k)), np.empty(k)
    for subset in range(1, 1 << k):
        found = 0
        for j in range(k):
            if not subset >> j & 1:
                continue
            left[:] = r[:, j]
            for q in range(found):
                subtract_scaled(left, dot(basis[q], left), basis[q])
            length = np.sqrt(dot(left, left))
            for i in range(k):
                basis[found, i] = left[i] / length
            explained[subset] += dot(basis[found], c) ** 2
            found += 1
    weight = np.empty(k)
    for size in range(k):  # size! (k − size − 1)! / k!
        weight[size] = 1.0 / k
        for i in range(1, size + 1):
            weight[size] *= i / (k - i)
    out[:] = 0.0
    for subset in range(1 << k):
        size = 0
        for j in range(k):
            size += subset >> j & 1
        for j in range(k):
            if not subset >> j & 1:
                out[j] += weight[size] * (explained[subset | 1 << j] - explained[subset]) / whole


@numba.njit(**EXACT)
def _fit_slab(slab, start, width, weights, panel, cosines, out):
    """Fit the cells of a slab (cell, predictors and responses, row)."""
    responses, k = out.b.shape[1:]
    rows = slab.shape[2]
    weighted = weights.size > 0
    weight = np.empty(rows)
    upper, inverse = np.empty((k, k + responses)), np.empty((k, k))
    d, norm, spread, gain = np.empty(k), np.empty(k), np.empty(k), np.empty(k)
    scaled, meat, lag_one = np.empty((k, k)), np.empty((k, k)), np.empty((k, k))
    years = panel.years - (panel.effects == FIRST_DIFFERENCES)
    stride = panel.units * years
    now = panel.members * stride
    window = np.empty((k, years + panel.lags))
    change = np.empty((k + responses, now if panel.effects == FIRST_DIFFERENCES else 0))
    scores = np.empty((k, now))
    total = np.empty(responses)
    for c in range(width):
        cell = start + c
        if weighted:
            weight[:] = weights[c, 0]
        z = change if panel.effects == FIRST_DIFFERENCES else slab[c]
        reason, used, absorbed = prepare_cell(slab[c], z, k, weight, weighted, panel, norm, spread)
        for f in range(responses):
            total[f] = dot(z[k + f], z[k + f])
        if reason == FITTED and not factor_columns(z, k, upper, d, norm):
            reason = SINGULAR
        out.reason[cell] = reason
        if reason != FITTED:
            continue
        out.n[cell] = used
        rest = used - absorbed - k
        invert_triangle(upper, k, inverse)
        scaled[:] = 0.0
        for i in range(k):
            out.spread[cell, i] = spread[i]
            out.vif[cell, i] = 0.0
            for j in range(i, k):
                out.vif[cell, i] += (inverse[i, j] * norm[i]) ** 2 / d[j]
                scaled[i, j] = (upper[i, j] if j > i else 1.0) * np.sqrt(d[i]) / norm[j]
        if out.shares.size:
            for f in range(responses):
                for i in range(k):
                    gain[i] = upper[i, k + f] * np.sqrt(d[i])
                _shares(scaled, gain, total[f], out.shares[cell, f])
        out.condition[cell] = _condition(scaled)
        if panel.errors == EFFECTIVE_SAMPLE_SIZE:
            for j in range(k):
                for i in range(j + 1):
                    lag_one[i, j] = lag_one[j, i] = lag_one_products(z[i], z[j], years)
        for f in range(responses):
            e = z[k + f]
            squares = dot(e, e)
            for i in range(k):
                out.b[cell, f, i] = 0.0
                for j in range(i, k):
                    out.b[cell, f, i] += inverse[i, j] * upper[j, k + f]
            out.r_squared[cell, f] = 1.0 - squares / total[f] if total[f] > 0.0 else np.nan
            out.r1[cell, f] = lag_one_products(e, e, years) / squares if squares > 0.0 else np.nan
            if panel.errors == NO_ERRORS and out.psi.size == 0:
                continue
            freedom = float(rest)
            meat[:] = 0.0
            if panel.errors in (OLS, EFFECTIVE_SAMPLE_SIZE):
                for i in range(k):
                    meat[i, i] = squares / rest * d[i]
            else:
                for j in range(k):
                    multiply_into(z[j], e, scores[j])
                fold_units(scores, panel.members, panel.units, years)
                if panel.errors == NEWEY_WEST:
                    newey_west_sum(scores, panel.members, stride, years, panel.lags, window, meat)
                    meat *= used / rest
                elif panel.errors == CLUSTER:
                    clustered_sum(scores, panel.members, stride, years, meat)
                    members = float(panel.members)
                    meat *= members / (members - 1.0) * (used - 1.0) / rest  # NaN for one member
                    freedom = members - 1.0
                elif panel.errors == COSINE:
                    for m in range(1, panel.members):
                        for j in range(k):
                            for t in range(years):
                                scores[j, t] += scores[j, m * stride + t]
                    cosine_sum(scores, years, cosines, meat)
                    freedom = float(cosines.shape[0])
                    for i in range(k if out.psi.size else 0):
                        for t in range(years):
                            psi = 0.0
                            for j in range(i, k):
                                psi += inverse[i, j] / d[j] * scores[j, t]
                            out.psi[cell, f, i, t] = psi
                else:
                    meat[:] = np.nan
            for i in range(k):
                variance = 0.0
                for j in range(i, k):
                    for m in range(i, k):
                        share = meat[j, m] if j <= m else meat[m, j]
                        variance += inverse[i, j] / d[j] * share * inverse[i, m] / d[m]
                out.freedom[cell, f, i] = freedom
                if panel.errors == EFFECTIVE_SAMPLE_SIZE:
                    lagged = length = 0.0
                    for j in range(i, k):
                        length += inverse[i, j] ** 2 / d[j]
                        for m in range(i, k):
                            lagged += inverse[i, j] / d[j] * lag_one[j, m] * inverse[i, m] / d[m]
                    product = max(0.0, lagged / length * out.r1[cell, f])
                    variance *= (1.0 + product) / (1.0 - product)
                    effective = used * (1.0 - product) / (1.0 + product)
                    out.freedom[cell, f, i] = max(1.0, effective - absorbed - k)
                out.se[cell, f, i] = np.sqrt(variance)


def fit_cells(
    y: np.ndarray,
    x: np.ndarray,
    panel: Panel,
    *,
    weights: np.ndarray | None = None,
    shares: bool = False,
    influence: bool = False,
    threads: int | None = None,
) -> Fits:
    """Return the fit y = effects + Σ b·x + e of every cell.

    Parameters
    ----------
    y : ndarray (response, row, cell)
        Responses, any float; computed in float64.
    x : ndarray (predictor, row, cell)
        Predictors.
    panel : Panel
        ``members`` × ``units`` × ``years`` rows, in this order; ``effects`` and ``errors``,
        positions in `EFFECTS` and `ERRORS`; ``lags`` of Newey-West; ``min_rows`` rows without a gap
        that a cell must have, or 0 if it must have no gap at all.
    weights : ndarray (1, row, cell), optional
        Weight of each row; 0 and NaN leave it out.
    shares : bool
        Whether to compute Shapley shares of R².
    influence : bool
        Whether to compute the influence of each year; it requires the cosine errors.
    threads : int, optional
        Number of threads; by default numba's.

    Returns
    -------
    Fits
        Results by cell; NaN, and a reason, in cells that cannot be fitted.

    References
    ----------
    Newey and West 1987, doi 10.2307/1913610. Lazarus et al. 2018, doi
    10.1080/07350015.2018.1506926. Björck 1967, doi 10.1007/BF01934122 (least squares by modified
    Gram-Schmidt).

    Examples
    --------
    >>> x = np.array([0.0, 1.0, 2.0, 3.0, 4.0]).reshape(1, 5, 1)
    >>> y = 1 + 2 * x + np.array([0.1, -0.1, 0.0, -0.1, 0.1]).reshape(1, 5, 1)
    >>> fits = fit_cells(y, x, Panel(1, 1, 5, 0, 1, 0, 0), threads=1)
    >>> fits.b.ravel(), fits.freedom.ravel()
    (array([2.]), array([3.]))
    """
    responses, rows, cells = y.shape
    k = x.shape[0]
    years = panel.years - (panel.effects == FIRST_DIFFERENCES)

    def blank(*shape: int) -> np.ndarray:
        return np.full(shape, np.nan)

    out = Fits(
        b=blank(cells, responses, k),
        se=blank(cells, responses, k),
        freedom=blank(cells, responses, k),
        r_squared=blank(cells, responses),
        r1=blank(cells, responses),
        shares=blank(cells, responses, k) if shares else blank(0, responses, k),
        psi=blank(cells, responses, k, years) if influence else blank(0, responses, k, years),
        spread=blank(cells, k),
        vif=blank(cells, k),
        condition=blank(cells),
        n=np.zeros(cells, dtype=np.int64),
        reason=np.empty(cells, dtype=np.int8),
    )
    cosines = cosine_basis(years)
    nothing = np.empty((0, 0, 0))

    def work(slab: np.ndarray, start: int, width: int) -> None:
        heavy = nothing
        if weights is not None:
            heavy = np.empty((width, 1, rows))
            gather(weights, start, heavy, 0)
        _fit_slab(slab, start, width, heavy, panel, cosines, out)

    over_slabs(work, (x, y), threads or numba.get_num_threads())
    return out
