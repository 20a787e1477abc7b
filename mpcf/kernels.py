"""Compiled kernels: numpy in, numpy out. They know nothing of xarray or of files."""

from __future__ import annotations

import numba
import numpy as np


@numba.njit(cache=True, parallel=True)
def first_crossing(temperature: np.ndarray, depth: np.ndarray) -> np.ndarray:
    """Find the first 0 °C crossing from the surface of each temperature profile.

    Linear between nodes. Nodes that are NaN end a profile (bedrock).

    Parameters
    ----------
    temperature : ndarray (profile, depth)
        °C.
    depth : ndarray (depth)
        Depth of the nodes, m, increasing.

    Returns
    -------
    ndarray (profile)
        m; 0 where the uppermost node is at or below 0 °C, infinity where no node is, and NaN where
        the uppermost node is NaN.
    """
    n, nodes = temperature.shape
    crossing = np.empty(n, dtype=np.float64)
    for i in numba.prange(n):
        above = np.float64(temperature[i, 0])
        if np.isnan(above):
            crossing[i] = np.nan
        elif above <= 0.0:
            crossing[i] = 0.0
        else:
            crossing[i] = np.inf
            for k in range(1, nodes):
                below = np.float64(temperature[i, k])
                if np.isnan(below):
                    break
                if below <= 0.0:
                    share = above / (above - below)
                    crossing[i] = depth[k - 1] + share * (depth[k] - depth[k - 1])
                    break
                above = below
    return crossing


@numba.njit(cache=True, parallel=True)
def curtain_length(
    temperature: np.ndarray, day: np.ndarray, start: float, upper: float, lower: float
) -> np.ndarray:
    """Measure how long each series, linear between its days, takes to fall through zero.

    Parameters
    ----------
    temperature : ndarray (series, time)
        °C.
    day : ndarray (time)
        Days, increasing; the first is at or before `start`.
    start : float
        Day from which the search begins.
    upper, lower : float
        °C; the curtain opens at the first time at or below `upper` and closes at the first later
        time at or below `lower`.

    Returns
    -------
    ndarray (series)
        Days; NaN where the series has a gap, does not pass both bounds, or is at or below `lower`
        at `start` already. Counted from `start` where it is between the bounds then.
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
