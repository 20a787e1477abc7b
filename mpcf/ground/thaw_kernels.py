"""Compiled kernels of thaw and permafrost: numpy in, numpy out, no xarray and no files.

A step that would otherwise read the profiles several times, with temporaries as large as the data,
is one pass here.
"""

from __future__ import annotations

import numba
import numpy as np

CELLS_PER_STRIP = 256
"""Cells processed together, so that their state stays in the processor's cache."""


@numba.njit(cache=True, error_model="numpy")
def _crossing(count, above, below, upper, lower):
    """Return the depth of 0 °C between two nodes, the upper the last of `count` thawed ones."""
    above, below = np.float64(above), np.float64(below)
    between = upper + above / (above - below) * (lower - upper)
    if below <= 0.0:
        return between if count > 0 else 0.0
    return np.inf if count > 0 else np.nan


@numba.njit(cache=True)
def _beyond(values, limit):
    """Check whether any value exceeds a limit, without branches so that the loop vectorises."""
    found = np.int32(0)
    for i in range(values.size):
        found |= np.int32(values[i] > limit)
    return found


@numba.njit(cache=True)
def _thaw_node(layer, k, count, limit):
    """Count node `k` where it and all above are thawed; check if any value exceeds a limit."""
    beyond = np.int32(0)
    for c in range(count.size):
        count[c] = k + np.int32(1) if (count[c] == k) & (layer[c] > 0) else count[c]
        beyond |= np.int32(layer[c] > limit)
    return beyond


@numba.njit(cache=True, parallel=True, error_model="numpy")
def crossing_of_profiles(
    temperature: np.ndarray, depth: np.ndarray, limit: float
) -> tuple[np.ndarray, bool]:
    """Return the first 0 °C crossing below the surface; nodes are contiguous in memory.

    Linear between nodes. Nodes that are NaN end a profile (bedrock).

    Parameters
    ----------
    temperature : ndarray (profile, depth)
        °C.
    depth : ndarray (depth)
        Depth of the nodes, m, increasing.
    limit : float
        °C; more than any temperature can be.

    Returns
    -------
    crossing : ndarray (profile)
        m; 0 where the uppermost node is at or below 0 °C, infinity where no node is, and NaN where
        the uppermost node is NaN.
    beyond : bool
        Whether any value exceeds `limit`.
    """
    profiles, nodes = temperature.shape
    crossing = np.empty(profiles)
    strips = -(-profiles // CELLS_PER_STRIP)
    beyond = 0
    for strip in numba.prange(strips):
        start, stop = strip * CELLS_PER_STRIP, min((strip + 1) * CELLS_PER_STRIP, profiles)
        beyond += _beyond(temperature[start:stop].reshape(-1), limit)
        for i in range(start, stop):
            k = 0
            while k < nodes and temperature[i, k] > 0:
                k += 1
            upper, lower = max(k - 1, 0), min(k, nodes - 1)
            crossing[i] = _crossing(
                k, temperature[i, upper], temperature[i, lower], depth[upper], depth[lower]
            )
    return crossing, beyond > 0


@numba.njit(cache=True, parallel=True, error_model="numpy")
def crossing_of_layers(
    temperature: np.ndarray, depth: np.ndarray, limit: float
) -> tuple[np.ndarray, bool]:
    """Return the first 0 °C crossing below the surface; cells are contiguous in memory.

    Parameters
    ----------
    temperature : ndarray (step, depth, cell)
        °C.
    depth : ndarray (depth)
        Depth of the nodes, m, increasing.
    limit : float
        °C; more than any temperature can be.

    Returns
    -------
    crossing : ndarray (step, cell)
        As of `crossing_of_profiles`.
    beyond : bool
        Whether any value exceeds `limit`.
    """
    steps, nodes, cells = temperature.shape
    crossing = np.empty((steps, cells))
    strips = -(-cells // CELLS_PER_STRIP)
    beyond = 0
    for strip in numba.prange(steps * strips):
        step, start = strip // strips, strip % strips * CELLS_PER_STRIP
        stop = min(start + CELLS_PER_STRIP, cells)
        count = np.zeros(stop - start, np.int32)
        for k in range(nodes):
            beyond += _thaw_node(temperature[step, k, start:stop], np.int32(k), count, limit)
        for c in range(start, stop):
            k = count[c - start]
            upper, lower = max(k - 1, 0), min(k, nodes - 1)
            above, below = temperature[step, upper, c], temperature[step, lower, c]
            crossing[step, c] = _crossing(k, above, below, depth[upper], depth[lower])
    return crossing, beyond > 0


@numba.njit(cache=True)
def _add_frozen(now, before, hit):
    for c in range(hit.size):
        hit[c] |= np.int32((now[c] <= 0) & (before[c] <= 0))


@numba.njit(cache=True, nogil=True)
def frozen_two_years(warmest: np.ndarray, nodes: int) -> np.ndarray:
    """Return where some node is at or below 0 °C in a year and in the previous one.

    Parameters
    ----------
    warmest : ndarray (group, year, row, depth, cell)
        Temperature of the warmest month of the year, °C.
    nodes : int
        Number of nodes to examine, counted from the surface.

    Returns
    -------
    ndarray (group, year, row, cell)
        float32: 1 or 0; NaN in the first year, and where the uppermost node is NaN in the year or
        the previous one.
    """
    groups, years, rows, _, cells = warmest.shape
    out = np.full((groups, years, rows, cells), np.nan, np.float32)
    state = np.empty(min(CELLS_PER_STRIP, cells), np.int32)
    for g, r in np.ndindex(groups, rows):
        for start in range(0, cells, CELLS_PER_STRIP):
            stop = min(start + CELLS_PER_STRIP, cells)
            hit = state[: stop - start]
            for y in range(1, years):
                hit[:] = 0
                for k in range(nodes):
                    now = warmest[g, y, r, k, start:stop]
                    _add_frozen(now, warmest[g, y - 1, r, k, start:stop], hit)
                for c in range(start, stop):
                    known = warmest[g, y, r, 0, c] + warmest[g, y - 1, r, 0, c]
                    if not np.isnan(known):
                        out[g, y, r, c] = hit[c - start]
    return out


@numba.njit(cache=True, parallel=True)
def curtain_length(
    temperature: np.ndarray, day: np.ndarray, start: float, upper: float, lower: float
) -> np.ndarray:
    """Return how long each series, linear between its days, takes to fall through zero.

    Parameters
    ----------
    temperature : ndarray (series, time)
        °C.
    day : ndarray (time)
        Days, increasing; the first is at or before `start`.
    start : float
        Day on which the search begins.
    upper, lower : float
        °C; the curtain opens at the first time at or below `upper` and closes at the first later
        time at or below `lower`.

    Returns
    -------
    ndarray (series)
        Days; NaN where the series has a gap, does not pass both bounds, or is already at or below
        `lower` at `start`. Counted from `start` where it is between the bounds then.
    """
    n, steps = temperature.shape
    length = np.full(n, np.nan)
    for i in numba.prange(n):
        opened = np.nan
        for k in range(1, steps):
            a, b = np.float64(temperature[i, k - 1]), np.float64(temperature[i, k])
            t0, t1 = day[k - 1], day[k]
            if np.isnan(a) or np.isnan(b):
                break
            if t1 <= start:
                continue
            if t0 < start:
                a += (b - a) * (start - t0) / (t1 - t0)
                t0 = start
            if t0 == start and a <= lower:
                break
            if np.isnan(opened):
                if a <= upper:
                    opened = t0
                elif b <= upper:
                    opened = t0 + (t1 - t0) * (a - upper) / (a - b)
            if not np.isnan(opened):
                if a <= lower:
                    length[i] = t0 - opened
                    break
                if b <= lower:
                    length[i] = t0 + (t1 - t0) * (a - lower) / (a - b) - opened
                    break
    return length
