"""Remove the effects that an estimator absorbs, and weight the rows of a cell: kernels."""

from __future__ import annotations

import numba
import numpy as np

from mpcf.method.panel import (
    CONSTANT,
    FIRST_DIFFERENCES,
    FITTED,
    RAW_TREND,
    TOO_FEW,
    UNRESOLVED,
    YEAR_EFFECTS,
)
from mpcf.method.vectors import EXACT, FAST, add_up, dot

CONSTANT_TOLERANCE = 1e-12
"""Share of a predictor's length below which what remains without effects is rounding error."""

RELATIVE_TOLERANCE = 1e-15
"""Share of a column's size below which effects left by alternating means are rounding error."""

MAX_ROUNDS = 2000
"""Rounds of alternating means after which effects count as unresolved."""


@numba.njit(**EXACT)
def _weigh(z, weight, panel):
    """Leave out rows with a gap; return whether there was one, and whether the rows are plain.

    Rows are plain if the weights of a unit are the same in all years, so that one pass removes
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


@numba.njit(**EXACT)
def _differences(z, weight, panel, change):
    """Return each unit's changes from year to year, with the smaller weight of the two years."""
    columns, years = z.shape[0], panel.years
    for u in range(panel.members * panel.units):
        for t in range(1, years):
            now, to = u * years + t, u * (years - 1) + t - 1
            lesser = min(weight[now], weight[now - 1])
            for j in range(columns):
                change[j, to] = z[j, now] - z[j, now - 1] if lesser > 0.0 else 0.0
            weight[to] = lesser


@numba.njit(**EXACT)
def _take_means(column, weight, means, outer, inner, outer_step, inner_step):
    """Subtract weighted means over the inner index; return the largest mean."""
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


@numba.njit(**FAST)
def _take_plain_means(column, years):
    for first in range(0, column.size, years):
        unit = column[first : first + years]
        mean = add_up(unit) / years
        for t in range(years):
            unit[t] -= mean


@numba.njit(**EXACT)
def _take_year_means(column, units, years, means):
    means[:years] = 0.0
    for u in range(units):
        for t in range(years):
            means[t] += column[u * years + t]
    for u in range(units):
        for t in range(years):
            column[u * years + t] -= means[t] / units


@numba.njit(**EXACT)
def _absorb(z, weight, panel, whole, plain):
    """Remove the estimator's effects; return their number, or −1 if they cannot be resolved.

    Without gaps, and with weights that do not change in time, one pass over the units and one over
    the years are exact. Otherwise the two alternate until nothing is left to subtract.
    """
    columns, rows = z.shape
    units, years = panel.members * panel.units, panel.years
    means = np.empty(max(units, rows // units))
    if panel.effects == FIRST_DIFFERENCES:
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
            if panel.effects == YEAR_EFFECTS:
                _take_year_means(column, units, years, means)
            continue
        start = _take_means(column, weight, means, units, years, years, 1)
        if panel.effects == RAW_TREND:
            continue
        size = np.sqrt(dot(column, column) / rows)
        left = _take_means(column, weight, means, years, units, 1, years)
        rounds = 0
        while not plain and left > RELATIVE_TOLERANCE * max(size, 1e-3 * start):
            left = _take_means(column, weight, means, units, years, years, 1)
            left = max(left, _take_means(column, weight, means, years, units, 1, years))
            rounds += 1
            if rounds > MAX_ROUNDS:
                return -1
    if whole:
        return units + (years - 1 if panel.effects == YEAR_EFFECTS else 0)
    absorbed = 0
    for u in range(units):
        absorbed += add_up(weight[u * years : (u + 1) * years]) > 0.0
    if panel.effects == YEAR_EFFECTS:
        for t in range(years):
            absorbed += add_up(weight[t:rows:years]) > 0.0
        absorbed -= 1
    return absorbed


@numba.njit(**EXACT)
def prepare_cell(raw, z, k, weight, weighted, panel, norm, spread):
    """Remove effects and weight the rows of one cell; return reason, rows used and effects.

    `z` becomes what is fitted: `raw` itself, or its differences. `norm` becomes the length of each
    predictor, `spread` its standard deviation.
    """
    columns, rows = z.shape
    gap, plain, whole = False, True, not weighted
    size = np.empty(columns)
    for j in range(columns):
        size[j] = dot(raw[j], raw[j])
        whole &= np.isfinite(size[j])
    if not whole or panel.effects == FIRST_DIFFERENCES:
        if not weighted:
            weight[:] = 1.0
        gap, plain = _weigh(raw, weight, panel)
        for j in range(columns):
            size[j] = dot(raw[j], raw[j])
    if panel.effects == FIRST_DIFFERENCES:
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
        norm[j] = np.sqrt(dot(z[j], z[j]))
        spread[j] = norm[j] / np.sqrt(mass)
        if not norm[j] > CONSTANT_TOLERANCE * np.sqrt(size[j]):
            reason = CONSTANT
    return reason, used, absorbed
