"""Least squares in many cells at once: compiled kernels, numpy in, numpy out.

Cells are gathered, `CELLS_PER_SLAB` at a time, into a buffer in which the rows of one cell lie side
by side, so that a cell stays in the cache from its effects to its errors. Each cell goes through the same
compiled code whatever its neighbours, the chunks or the number of threads, and so gives the same
bits.

The columns [X y] are factored by modified Gram-Schmidt into orthogonal columns v and a unit upper
triangle U. Normal equations would square the condition number; this does not. With d_j = v_j·v_j,

    b = U⁻¹ c,   c_j = v_j·y / d_j,   cov(b) = (U⁻¹ D⁻¹) S (U⁻¹ D⁻¹)ᵀ,

where S is the variance of the sum of the scores v e, which is what the kinds of errors differ in.
"""

from __future__ import annotations

from collections import namedtuple
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numba
import numpy as np

CELLS_PER_SLAB = 64
"""Cells that are gathered at a time: rows of 512 bytes, and a slab that fits the second cache."""

ROWS_PER_BLOCK = 32
"""Rows that are turned at a time; a constant, since the compiler unrolls only what it knows."""

FITTED, TOO_FEW, CONSTANT, SINGULAR, UNRESOLVED = range(5)
"""Reasons: fitted; gaps or too few rows; a predictor that does not vary; predictors that depend on
each other; member and year effects that can't be told apart."""

EFFECTS = ("raw trend", "year effects", "first differences")
"""What is taken out before the fit, in the kernels' numbering."""

ERRORS = ("none", "ols", "newey-west", "cosine", "cluster", "effective sample size")
"""Kinds of standard errors, in the kernels' numbering."""

CONSTANT_TOLERANCE = 1e-12
"""Share of a predictor's length below which what effects leave of it is rounding."""

DEPENDENT = 1e-10
"""Share of a predictor's spread below which the others explain it wholly."""

Panel = namedtuple("Panel", "members units years effects errors lags min_rows")
"""Meaning of the rows (member, unit, year), and what is asked of a fit."""

Fits = namedtuple("Fits", "b se freedom r_squared r1 shares psi spread vif condition n reason")
"""Results by cell: (cell, response, predictor) for b, se, freedom and shares; (cell, response) for
r_squared and r1; (cell, response, predictor, year) for psi; (cell, predictor) for spread and vif;
(cell) for condition, n and reason."""

_EXACT = {"nogil": True, "cache": True, "error_model": "numpy"}
_FAST = _EXACT | {"fastmath": {"contract", "reassoc", "nsz"}}


@numba.njit(**_FAST)
def _dot(a, b):
    total = 0.0
    for i in range(a.size):
        total += a[i] * b[i]
    return total


@numba.njit(**_FAST)
def _total(a):
    total = 0.0
    for i in range(a.size):
        total += a[i]
    return total


@numba.njit(**_EXACT)
def _subtract(a, factor, b):
    for i in range(a.size):
        a[i] -= factor * b[i]


@numba.njit(**_EXACT)
def _multiply(a, b, product):
    for i in range(a.size):
        product[i] = a[i] * b[i]


@numba.njit(**_EXACT)
def _gather_rows(source, start, slab, column):
    """Copy cells that lie side by side (column, row, cell), `ROWS_PER_BLOCK` rows at a time."""
    columns, rows, cells = source.shape
    width = min(CELLS_PER_SLAB, cells - start)
    stage = np.empty((ROWS_PER_BLOCK, width))
    for j in range(columns):
        for first in range(0, rows - ROWS_PER_BLOCK + 1, ROWS_PER_BLOCK):
            for r in range(ROWS_PER_BLOCK):
                row = source[j, first + r, start : start + width]  # a slice's index has no sign
                for c in range(width):
                    stage[r, c] = row[c]
            for c in range(width):
                to = slab[c, column + j, first : first + ROWS_PER_BLOCK]
                for r in range(ROWS_PER_BLOCK):
                    to[r] = stage[r, c]
        for r in range(rows - rows % ROWS_PER_BLOCK, rows):
            slab[:width, column + j, r] = source[j, r, start : start + width]


@numba.njit(**_EXACT)
def _gather_cells(source, start, slab, column):
    """Copy cells whose rows lie side by side (column, row, cell)."""
    columns, rows, cells = source.shape
    for c in range(min(CELLS_PER_SLAB, cells - start)):
        for j in range(columns):
            to = slab[c, column + j]
            for r in range(rows):
                to[r] = source[j, r, start + c]


def _gather(source: np.ndarray, start: int, slab: np.ndarray, column: int) -> None:
    _, by_row, by_cell = np.abs(source.strides)
    (_gather_cells if by_row < by_cell else _gather_rows)(source, start, slab, column)


@numba.njit(**_EXACT)
def _weigh(z, weight, panel):
    """Leave out rows with a gap; tell if there was one, and if the rows are plain.

    Rows are plain if the weights of a unit are the same in all years, so that one pass takes out
    member and year effects.
    """
    columns, rows = z.shape
    gap, plain = False, True
    for r in range(rows):
        if not weight[r] > 0.0:
            weight[r] = 0.0
        for j in range(columns):
            if weight[r] > 0.0 and not np.isfinite(z[j, r]):
                weight[r] = 0.0
                gap = True
        if weight[r] == 0.0:
            for j in range(columns):
                z[j, r] = 0.0
        if r % panel.years and weight[r] != weight[r - 1]:
            plain = False
    return gap, plain


@numba.njit(**_EXACT)
def _differences(z, weight, panel, change):
    """Return each unit's changes from year to year, with the lesser weight of both years."""
    columns, years = z.shape[0], panel.years
    for u in range(panel.members * panel.units):
        for t in range(1, years):
            now, to = u * years + t, u * (years - 1) + t - 1
            lesser = min(weight[now], weight[now - 1])
            for j in range(columns):
                change[j, to] = z[j, now] - z[j, now - 1] if lesser > 0.0 else 0.0
            weight[to] = lesser


@numba.njit(**_EXACT)
def _take_means(column, weight, means, outer, inner, outer_step, inner_step):
    """Subtract weighted means over the inner index; give the largest mean."""
    largest = 0.0
    for a in range(outer):
        mass = total = 0.0
        for i in range(inner):
            r = a * outer_step + i * inner_step
            mass += weight[r]
            total += weight[r] * column[r]
        means[a] = total / mass if mass > 0.0 else 0.0
        largest = max(largest, abs(means[a]))
    for a in range(outer):
        for i in range(inner):
            r = a * outer_step + i * inner_step
            if weight[r] > 0.0:
                column[r] -= means[a]
    return largest


@numba.njit(**_FAST)
def _take_plain_means(column, years):
    for first in range(0, column.size, years):
        unit = column[first : first + years]
        mean = _total(unit) / years
        for t in range(years):
            unit[t] -= mean


@numba.njit(**_EXACT)
def _take_year_means(column, units, years, means):
    means[:years] = 0.0
    for u in range(units):
        for t in range(years):
            means[t] += column[u * years + t]
    for u in range(units):
        for t in range(years):
            column[u * years + t] -= means[t] / units


@numba.njit(**_EXACT)
def _absorb(z, weight, panel, whole, plain):
    """Take out the estimator's effects; give their number, or −1 if they can't be resolved.

    Without gaps, and with weights that do not change in time, one pass over the units and one over
    the years are exact. Otherwise both alternate until nothing is left to subtract.
    """
    columns, rows = z.shape
    units, years = panel.members * panel.units, panel.years
    means = np.empty(max(units, rows // units))
    if panel.effects == 2:
        for j in range(columns):
            if whole:
                _take_plain_means(z[j], rows)
            else:
                _take_means(z[j], weight, means, 1, rows, rows, 1)
        return 1
    for j in range(columns):
        column = z[j]
        if whole:
            _take_plain_means(column, years)
            if panel.effects == 1:
                _take_year_means(column, units, years, means)
            continue
        start = _take_means(column, weight, means, units, years, years, 1)
        if panel.effects == 0:
            continue
        size = np.sqrt(_dot(column, column) / rows)
        left = _take_means(column, weight, means, years, units, 1, years)
        rounds = 0
        while not plain and left > 1e-15 * max(size, 1e-3 * start):
            left = _take_means(column, weight, means, units, years, years, 1)
            left = max(left, _take_means(column, weight, means, years, units, 1, years))
            rounds += 1
            if rounds > 2000:
                return -1
    if whole:
        return units + (years - 1 if panel.effects == 1 else 0)
    absorbed = 0
    for u in range(units):
        absorbed += _total(weight[u * years : (u + 1) * years]) > 0.0
    if panel.effects == 1:
        for t in range(years):
            absorbed += _total(weight[t:rows:years]) > 0.0
        absorbed -= 1
    return absorbed


@numba.njit(**_EXACT)
def _factor(z, k, upper, d, norm):
    """Factor [X y] in place: orthogonal columns and, after k columns, the residuals."""
    for p in range(k):
        v = z[p]
        d[p] = _dot(v, v)
        if not d[p] > (DEPENDENT * norm[p]) ** 2:
            return False
        for j in range(p + 1, z.shape[0]):
            upper[p, j] = _dot(v, z[j]) / d[p]
            _subtract(z[j], upper[p, j], v)
    return True


@numba.njit(**_EXACT)
def _invert(upper, k, inverse):
    """Invert a unit upper triangle."""
    inverse[:] = 0.0
    for j in range(k):
        inverse[j, j] = 1.0
        for i in range(j - 1, -1, -1):
            total = 0.0
            for m in range(i + 1, j + 1):
                total += upper[i, m] * inverse[m, j]
            inverse[i, j] = -total


@numba.njit(**_EXACT)
def _condition(a):
    """Ratio of the extreme singular values of a small square matrix, by one-sided Jacobi."""
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


@numba.njit(**_EXACT)
def _fold(scores, blocks, units, years):
    """Add up the scores of the units of each block, in the block's first unit."""
    for j in range(scores.shape[0]):
        for m in range(blocks):
            first = m * units * years
            for u in range(1, units):
                for t in range(years):
                    scores[j, first + t] += scores[j, first + u * years + t]


@numba.njit(**_EXACT)
def _newey_west(scores, members, stride, years, lags, window, meat):
    r"""Bartlett long-run variance from running sums, at a cost that lags don't change.

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
                meat[i, j] += _dot(window[i], w) / span


@numba.njit(**_EXACT)
def _cosine(scores, years, cosines, meat):
    """Equal-weighted cosine estimate of the long-run variance, times the number of years."""
    k, terms = scores.shape[0], cosines.shape[0]
    projected = np.empty((k, terms))
    for j in range(k):
        for v in range(terms):
            projected[j, v] = _dot(cosines[v], scores[j, :years])
        for i in range(j + 1):
            meat[i, j] = years / terms * _dot(projected[i], projected[j])


@numba.njit(**_EXACT)
def _clustered(scores, members, stride, years, meat):
    """Sum over members of the products of their summed scores."""
    k = scores.shape[0]
    sums = np.empty(k)
    for m in range(members):
        for j in range(k):
            sums[j] = _total(scores[j, m * stride : m * stride + years])
            for i in range(j + 1):
                meat[i, j] += sums[i] * sums[j]


@numba.njit(**_EXACT)
def _lagged(a, b, years):
    """Sum of products one year apart, unit by unit, both ways averaged."""
    total = 0.0
    for first in range(0, a.size, years):
        one, two = a[first : first + years], b[first : first + years]
        total += _dot(one[1:], two[:-1]) + _dot(one[:-1], two[1:])
    return total / 2.0


@numba.njit(**_EXACT)
def _shares(r, c, whole, out):
    """Shapley shares of R² (LMG): mean gain of R² by each predictor over all orders of entry.

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
                _subtract(left, _dot(basis[q], left), basis[q])
            length = np.sqrt(_dot(left, left))
            for i in range(k):
                basis[found, i] = left[i] / length
            explained[subset] += _dot(basis[found], c) ** 2
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


@numba.njit(**_EXACT)
def _prepare(raw, z, k, weight, weighted, panel, norm, spread):
    """Take out effects and weigh the rows of one cell; give reason, rows used, number of effects.

    `z` becomes what is fitted: `raw` itself, or its differences. `norm` becomes the length of each
    predictor, `spread` its standard deviation.
    """
    columns, rows = z.shape
    gap, plain, whole = False, True, not weighted
    size = np.empty(columns)
    for j in range(columns):
        size[j] = _dot(raw[j], raw[j])
        whole &= np.isfinite(size[j])
    if not whole or panel.effects == 2:
        if not weighted:
            weight[:] = 1.0
        gap, plain = _weigh(raw, weight, panel)
        for j in range(columns):
            size[j] = _dot(raw[j], raw[j])
    if panel.effects == 2:
        _differences(raw, weight, panel, z)
    used = rows
    if not whole:
        used = 0
        for r in range(rows):
            used += weight[r] > 0.0
    if used < panel.min_rows or (gap and panel.min_rows == 0):
        return TOO_FEW, 0, 0
    absorbed = _absorb(z, weight[:rows], panel, whole, plain)
    if absorbed < 0:
        return UNRESOLVED, 0, 0
    if used - absorbed - k < 1:
        return TOO_FEW, 0, 0
    mass = float(rows)
    if not whole:
        mass = 0.0
        for r in range(rows):
            mass += weight[r]
            weight[r] = np.sqrt(weight[r])
            for j in range(columns):
                z[j, r] *= weight[r]
    reason = FITTED
    for j in range(k):
        norm[j] = np.sqrt(_dot(z[j], z[j]))
        spread[j] = norm[j] / np.sqrt(mass)
        if not norm[j] > CONSTANT_TOLERANCE * np.sqrt(size[j]):
            reason = CONSTANT
    return reason, used, absorbed


@numba.njit(**_EXACT)
def _fit_slab(slab, start, width, weights, panel, cosines, out):
    """Fit the cells of a slab (cell, predictors and responses, row)."""
    responses, k = out.b.shape[1:]
    rows = slab.shape[2]
    weighted = weights.size > 0
    weight = np.empty(rows)
    upper, inverse = np.empty((k, k + responses)), np.empty((k, k))
    d, norm, spread, gain = np.empty(k), np.empty(k), np.empty(k), np.empty(k)
    scaled, meat, lag_one = np.empty((k, k)), np.empty((k, k)), np.empty((k, k))
    years = panel.years - (panel.effects == 2)
    stride = panel.units * years
    now = panel.members * stride
    window = np.empty((k, years + panel.lags))
    change = np.empty((k + responses, now if panel.effects == 2 else 0))
    scores = np.empty((k, now))
    total = np.empty(responses)
    for c in range(width):
        cell = start + c
        if weighted:
            weight[:] = weights[c, 0]
        z = change if panel.effects == 2 else slab[c]
        reason, used, absorbed = _prepare(slab[c], z, k, weight, weighted, panel, norm, spread)
        for f in range(responses):
            total[f] = _dot(z[k + f], z[k + f])
        if reason == FITTED and not _factor(z, k, upper, d, norm):
            reason = SINGULAR
        out.reason[cell] = reason
        if reason != FITTED:
            continue
        out.n[cell] = used
        rest = used - absorbed - k
        _invert(upper, k, inverse)
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
        if panel.errors == 5:
            for j in range(k):
                for i in range(j + 1):
                    lag_one[i, j] = lag_one[j, i] = _lagged(z[i], z[j], years)
        for f in range(responses):
            e = z[k + f]
            squares = _dot(e, e)
            for i in range(k):
                out.b[cell, f, i] = 0.0
                for j in range(i, k):
                    out.b[cell, f, i] += inverse[i, j] * upper[j, k + f]
            out.r_squared[cell, f] = 1.0 - squares / total[f] if total[f] > 0.0 else np.nan
            out.r1[cell, f] = _lagged(e, e, years) / squares if squares > 0.0 else np.nan
            if panel.errors == 0 and out.psi.size == 0:
                continue
            freedom = float(rest)
            meat[:] = 0.0
            if panel.errors in (1, 5):
                for i in range(k):
                    meat[i, i] = squares / rest * d[i]
            else:
                for j in range(k):
                    _multiply(z[j], e, scores[j])
                _fold(scores, panel.members, panel.units, years)
                if panel.errors == 2:
                    _newey_west(scores, panel.members, stride, years, panel.lags, window, meat)
                    meat *= used / rest
                elif panel.errors == 4:
                    _clustered(scores, panel.members, stride, years, meat)
                    members = float(panel.members)
                    meat *= members / (members - 1.0) * (used - 1.0) / rest  # NaN for one member
                    freedom = members - 1.0
                else:
                    for m in range(1, panel.members):
                        for j in range(k):
                            for t in range(years):
                                scores[j, t] += scores[j, m * stride + t]
                    _cosine(scores, years, cosines, meat)
                    freedom = float(cosines.shape[0])
                    for i in range(k if out.psi.size else 0):
                        for t in range(years):
                            psi = 0.0
                            for j in range(i, k):
                                psi += inverse[i, j] / d[j] * scores[j, t]
                            out.psi[cell, f, i, t] = psi
            for i in range(k):
                variance = 0.0
                for j in range(i, k):
                    for m in range(i, k):
                        share = meat[j, m] if j <= m else meat[m, j]
                        variance += inverse[i, j] / d[j] * share * inverse[i, m] / d[m]
                out.freedom[cell, f, i] = freedom
                if panel.errors == 5:
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
    r"""Type-II cosines :math:`\sqrt{2/T} \cos(\pi j (t + 1/2) / T)` of the long-run variance.

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


def over_slabs(
    work: Callable[[np.ndarray, int, int], None],
    sources: tuple[np.ndarray, ...],
    threads: int,
) -> None:
    """Gather cells slab by slab and hand each slab to `work`.

    Parameters
    ----------
    work : callable
        Takes the slab (cell, column, row), its first cell and its number of cells.
    sources : tuple of ndarray (column, row, cell)
        Stacked one after the other along the columns of the slab, as float64.
    threads : int
        Slabs that are worked on at the same time.
    """
    columns = sum(source.shape[0] for source in sources)
    _, rows, cells = sources[0].shape
    starts = range(0, cells, CELLS_PER_SLAB)

    def lane(first: int) -> None:
        slab = np.empty((min(CELLS_PER_SLAB, cells), columns, rows))
        for start in starts[first::threads]:
            column = 0
            for source in sources:
                _gather(source, start, slab, column)
                column += source.shape[0]
            work(slab, start, min(CELLS_PER_SLAB, cells - start))

    threads = max(1, min(threads, len(starts)))
    if threads == 1:
        lane(0)
        return
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(lane, range(threads)))


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
    """Fit y = effects + Σ b·x + e in every cell.

    Parameters
    ----------
    y : ndarray (response, row, cell)
        Any float; computed in float64.
    x : ndarray (predictor, row, cell)
        Predictors.
    panel : Panel
        ``members`` × ``units`` × ``years`` rows, in this order; ``effects`` and ``errors``,
        positions in `EFFECTS` and `ERRORS`; ``lags`` of Newey-West; ``min_rows`` rows without a gap
        that a cell must have, or 0 if it must have no gap at all.
    weights : ndarray (1, row, cell), optional
        Weight of each row; 0 and NaN leave it out.
    shares : bool
        Whether Shapley shares of R² are wanted.
    influence : bool
        Whether the influence of each year is wanted; it takes the cosine errors.
    threads : int, optional
        By default numba's number of threads.

    Returns
    -------
    Fits
        NaN, and a reason, in cells that can't be fitted.

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
    years = panel.years - (panel.effects == 2)

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
            _gather(weights, start, heavy, 0)
        _fit_slab(slab, start, width, heavy, panel, cosines, out)

    over_slabs(work, (x, y), threads or numba.get_num_threads())
    return out
