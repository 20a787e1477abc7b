"""Active layer and permafrost mask."""

from __future__ import annotations

import numpy as np
import xarray as xr

from benchmarks.measure import read_once, row, seconds
from mpcf.thaw import permafrost, thaw_depth

DEPTH = np.array([0.01, 0.04, 0.09, 0.16, 0.26, 0.4, 0.58, 0.8, 1.06, 1.36, 1.7, 2.08, 2.5, 2.99])


def soil(cells, steps, seed=0):
    """Soil temperature (step, cell, depth), °C, that freezes somewhere in most columns."""
    rng = np.random.default_rng(seed)
    top = rng.normal(3, 4, size=(steps, cells, 1))
    values = (top * np.exp(-DEPTH) - 2 * (1 - np.exp(-DEPTH))).astype("float32")
    return xr.DataArray(values, {"depth": DEPTH}, ("step", "cell", "depth"))


def loop_crossing(profile):
    for k, t in enumerate(profile):
        if t <= 0:
            if k == 0:
                return 0.0
            above = profile[k - 1]
            return DEPTH[k - 1] + (DEPTH[k] - DEPTH[k - 1]) * above / (above - t)
    return np.inf


def crossing_by_xarray(tsl):
    frozen = tsl <= 0
    first = frozen.argmax("depth")
    above = tsl.isel(depth=(first - 1).clip(0))
    below = tsl.isel(depth=first)
    z0, z1 = tsl["depth"][(first - 1).clip(0)], tsl["depth"][first]
    z = z0 + (z1 - z0) * above / (above - below)
    return z.where(first > 0, 0.0).where(frozen.any("depth"), np.inf)


def thaw(cells=2000, years=20):
    size = {"cells": cells, "years": years, "predictors": 0}
    monthly = soil(cells, 12 * years)
    bound = read_once(monthly.values)
    thaw_depth(monthly)
    task = "active layer"
    yield row(task, "mpcf", size, seconds(lambda: thaw_depth(monthly)), bound)
    yield row(task, "xarray", size, seconds(lambda: crossing_by_xarray(monthly), 3), bound)
    few = 10
    some = monthly.values[:, :few].reshape(-1, DEPTH.size)
    took = seconds(lambda: [loop_crossing(p) for p in some], 3)
    yield row(task, "Python loop", size, took, bound, measured=few)

    task = "permafrost mask"
    warmest = soil(cells, 5 * years, seed=1).rename(step="year").transpose("year", "depth", "cell")
    warmest = warmest.copy().assign_coords(year=np.arange(5 * years))
    size = size | {"years": 5 * years}
    bound = read_once(warmest.values)
    permafrost(warmest)
    yield row(task, "mpcf", size, seconds(lambda: permafrost(warmest)), bound)

    def by_rolling():
        return (warmest.rolling(year=2).max() <= 0).any("depth")

    def by_numbagg():
        import numbagg

        last = np.moveaxis(warmest.values, 0, -1)
        both = -numbagg.move_sum((last > 0).astype("float32"), window=2, min_count=2)
        return (both == 0).any(axis=0)

    for method, work in (("xarray rolling", by_rolling), ("numbagg", by_numbagg)):
        work()
        yield row(task, method, size, seconds(work, 3), bound)
