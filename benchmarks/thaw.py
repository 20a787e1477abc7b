"""Active layer and permafrost mask."""

from __future__ import annotations

import numpy as np
import xarray as xr

from benchmarks.measure import read_once, row, seconds
from mpcf.ground.thaw import permafrost, thaw_depth

DEPTH = np.array([0.01, 0.04, 0.09, 0.16, 0.26, 0.4, 0.58, 0.8, 1.06, 1.36, 1.7, 2.08, 2.5, 2.99])

REPEATS = 10


def soil(cells, steps, seed=0):
    """Return soil temperature (step, cell, depth), °C, that freezes somewhere in most columns."""
    rng = np.random.default_rng(seed)
    top = rng.normal(3, 4, size=(steps, cells, 1))
    values = (top * np.exp(-DEPTH) - 2 * (1 - np.exp(-DEPTH))).astype("float32")
    return xr.DataArray(values, {"depth": DEPTH}, ("step", "cell", "depth"))


def layers(profiles):
    """Return profiles with cells contiguous in memory, as files have them."""
    stored = profiles.transpose(..., "depth", "cell")
    return stored.copy(data=np.ascontiguousarray(stored.values))


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


def active_layer(cells, years):
    size = {"cells": cells, "years": years, "predictors": 0}
    profiles = soil(cells, 12 * years)
    monthly = layers(profiles)
    bound = read_once(monthly.values, repeats=REPEATS)
    task = "active layer"
    for method, values in (("mpcf", monthly), ("mpcf, depths side by side in memory", profiles)):
        thaw_depth(values)
        took = seconds(lambda values=values: thaw_depth(values), REPEATS)
        yield row(task, method, size, took, bound)
    yield row(task, "xarray", size, seconds(lambda: crossing_by_xarray(monthly), 3), bound)
    few = 10
    some = profiles.values[:, :few].reshape(-1, DEPTH.size)
    took = seconds(lambda: [loop_crossing(p) for p in some], 3)
    yield row(task, "Python loop", size, took, bound, measured=few)


def mask(cells, years):
    size = {"cells": cells, "years": years, "predictors": 0}
    profiles = soil(cells, years, seed=1).rename(step="year").assign_coords(year=np.arange(years))
    warmest = layers(profiles)
    bound = read_once(warmest.values, repeats=REPEATS)
    task = "permafrost mask"
    for method, values in (("mpcf", warmest), ("mpcf, depths side by side in memory", profiles)):
        permafrost(values)
        took = seconds(lambda values=values: permafrost(values), REPEATS)
        yield row(task, method, size, took, bound)

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


def thaw(cells=10_000, years=20):
    yield from active_layer(cells, years)
    yield from mask(cells, 5 * years)
