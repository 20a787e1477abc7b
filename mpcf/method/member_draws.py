"""Regress resampled ensembles: all draws of members in one pass over the data."""

from __future__ import annotations

import numba
import numpy as np

from mpcf.method.effects import prepare_cell
from mpcf.method.least_squares import factor_columns, invert_triangle
from mpcf.method.panel import FIRST_DIFFERENCES, FITTED, RAW_TREND, Panel
from mpcf.method.slabs import CELLS_PER_SLAB, over_slabs
from mpcf.method.vectors import EXACT, add_up, dot, subtract_scaled

PIVOT_TOLERANCE = 1e-12
"""Share of a pivot below which what remains after elimination is rounding error."""


@numba.njit(**EXACT)
def _member_grams(z, k, panel, years, grams):
    """Write Gram matrices of members (row, i, j ≥ i), and what effects subtract from their sum.

    They hold v_i·v_j and v_i·e_f. The first M rows are those within members. Then come, for
    estimators whose effects couple the members, the pairs m ≤ m′: of years in common (year effects)
    or of sums over years (one common mean).
    """
    members, columns = panel.members, z.shape[0]
    sums = np.empty((members, columns))
    for m in range(members):
        for j in range(columns):
            sums[m, j] = add_up(z[j, m * years : (m + 1) * years])
    row = 0
    for part in range(1 if panel.effects == RAW_TREND else 2):
        for m in range(members):
            for other in range(m, members if part else m + 1):
                for i in range(k):
                    one = z[i, m * years : (m + 1) * years]
                    two = z[i, other * years : (other + 1) * years]
                    for j in range(i, columns):
                        if part and panel.effects == FIRST_DIFFERENCES:
                            product = sums[m, i] * sums[other, j]
                            product += sums[other, i] * sums[m, j]
                            product /= years
                        else:
                            product = dot(one, z[j, other * years : (other + 1) * years])
                            product += dot(two, z[j, m * years : (m + 1) * years])
                        grams[row, i, j] = product / 2.0 if m == other else product
                row += 1


@numba.njit(**EXACT)
def _weighted_sum(weights, values, total):
    """Write the sum over rows of weights (row, draw) times one value of each row."""
    total[:] = 0.0
    for row in range(values.size):
        subtract_scaled(total, -values[row], weights[row])


@numba.njit(**EXACT)
def _subtract_product(a, b, c):
    for i in range(a.size):
        a[i] -= b[i] * c[i]


@numba.njit(**EXACT)
def _divide(a, b):
    for i in range(a.size):
        a[i] /= b[i]


@numba.njit(**EXACT)
def _root(a, whole):
    """Take the root of a pivot, in place; NaN where only rounding error is left of the whole."""
    for i in range(a.size):
        a[i] = np.sqrt(a[i]) if a[i] > PIVOT_TOLERANCE * whole[i] else np.nan


@numba.njit(**EXACT)
def _solve(products, whole):
    """Solve the normal equations of all draws by Cholesky, in place.

    `products` (i, j ≥ i, draw) become the triangle and, in the columns after it, the solutions;
    they are NaN in draws that cannot be fitted.
    """
    k, columns = products.shape[:2]
    for i in range(k):
        whole[:] = products[i, i]
        for j in range(i, columns):
            for m in range(i):
                _subtract_product(products[i, j], products[m, i], products[m, j])
            if j == i:
                _root(products[i, i], whole)
            else:
                _divide(products[i, j], products[i, i])
    for j in range(k, columns):
        for i in range(k - 1, -1, -1):
            for m in range(i + 1, k):
                _subtract_product(products[i, j], products[i, m], products[m, j])
            _divide(products[i, j], products[i, i])


@numba.njit(**EXACT)
def _resample_slab(slab, start, width, k, area, panel, base, summed, counts, pairs, parts):
    """Add the cells of a slab to `parts` (response, predictor and total, draw).

    Draws are the innermost dimension, so that many are processed at once.
    """
    columns, rows = slab.shape[1:]
    members, draws = counts.shape
    years = panel.years - (panel.effects == FIRST_DIFFERENCES)
    now = members * years
    change = np.empty((columns, now if panel.effects == FIRST_DIFFERENCES else 0))
    weight, upper, inverse = np.empty(rows), np.empty((k, columns)), np.empty((k, k))
    d, norm, spread = np.empty(k), np.empty(k), np.empty(k)
    grams = np.empty((len(pairs), k, columns))
    products, moved = np.empty((k, columns, draws)), np.empty((columns, draws))
    shift, draw = np.empty((columns, members)), np.empty(draws)
    first, last = summed
    for c in range(width):
        for j in range(columns):
            for m in range(members):
                one = slab[c, j, m * panel.years : (m + 1) * panel.years]
                mean = add_up(one[base[0] : base[1]]) / (base[1] - base[0])
                departure = add_up(one[first:last]) - (last - first) * mean
                shift[j, m] = departure * area[start + c] / members
            _weighted_sum(counts, shift[j], moved[j])
            if j >= k and np.isfinite(add_up(shift[j])):
                subtract_scaled(parts[j - k, k], -1.0, moved[j])
        z = change if panel.effects == FIRST_DIFFERENCES else slab[c]
        reason, _, _ = prepare_cell(slab[c], z, k, weight, False, panel, norm, spread)
        if reason != FITTED or not factor_columns(z, k, upper, d, norm):
            continue
        invert_triangle(upper, k, inverse)
        _member_grams(z, k, panel, years, grams)
        for i in range(k):
            for j in range(i, columns):
                _weighted_sum(pairs, grams[:, i, j], products[i, j])
        _solve(products, draw)
        for j in range(k, columns):
            for i in range(k):  # b = U⁻¹ (c + what the draw adds to it)
                draw[:] = 0.0
                for m in range(i, k):
                    for n in range(draws):
                        draw[n] -= inverse[i, m] * (upper[m, j] + products[m, j, n])
                _subtract_product(parts[j - k, i], draw, moved[i])


def resample_members(
    y: np.ndarray,
    x: np.ndarray,
    area: np.ndarray,
    panel: Panel,
    *,
    base: tuple[int, int],
    summed: tuple[int, int],
    counts: np.ndarray,
    threads: int | None = None,
) -> np.ndarray:
    r"""Return sums over cells of what predictors contribute, for resampled members.

    Draws weight the members' Gram matrices instead of fitting again. With year effects, the mean of
    the drawn members is removed from each year, which couples members:

    .. math:: G^* = \sum_m w_m G_{mm} - \frac1M \sum_m \sum_{m'} w_m w_{m'} G_{mm'} .

    The Gram matrices are of the orthogonal columns and the residuals of the whole sample, so that
    the normal equations lose no precision where predictors are collinear.

    Parameters
    ----------
    y : ndarray (response, row, cell)
        Rows are member by year.
    x : ndarray (predictor, row, cell)
        Predictors.
    area : ndarray (cell)
        Weight of each cell in the sum.
    panel : Panel
        With one unit; gaps are not fitted.
    base : tuple of int
        First year of the base period and the year after its last, as positions.
    summed : tuple of int
        The same for the years whose departures from the base period are summed.
    counts : ndarray (draw, member)
        How often each member was drawn.
    threads : int, optional
        Number of threads; by default numba's.

    Returns
    -------
    ndarray (draw, response, predictor)
        Sums over cells, with the change of the response last. NaN where a draw cannot be fitted.
    """
    k, _, cells = x.shape
    counts = np.ascontiguousarray(counts.T, float)
    pairs = counts
    if panel.effects != RAW_TREND:
        m, other = np.triu_indices(panel.members)
        pairs = np.vstack([counts, -counts[m] * counts[other] / panel.members])
    slabs = np.zeros((-(-cells // CELLS_PER_SLAB), y.shape[0], k + 1, counts.shape[1]))

    def work(slab: np.ndarray, start: int, width: int) -> None:
        parts = slabs[start // CELLS_PER_SLAB]
        _resample_slab(slab, start, width, k, area, panel, base, summed, counts, pairs, parts)

    over_slabs(work, (x, y), threads or numba.get_num_threads())
    return np.moveaxis(slabs.sum(axis=0), -1, 0)
