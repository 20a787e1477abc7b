"""Measure time and memory, and describe the machine."""

from __future__ import annotations

import os
import platform
import time
import tracemalloc
from collections.abc import Callable
from importlib.metadata import version

import numba
import numpy as np

LIBRARIES = (
    *("numpy", "numba", "xarray", "dask", "statsmodels", "scikit-learn"),
    *("xarray-einstats", "numbagg", "bottleneck"),
)


def seconds(work: Callable[[], object], repeats: int = 5) -> float:
    """Return the shortest time of several runs, the one least disturbed by other work."""
    best = np.inf
    for _ in range(repeats):
        start = time.perf_counter()
        work()
        best = min(best, time.perf_counter() - start)
    return best


def read_once(*arrays: np.ndarray, repeats: int = 5) -> float:
    """Return the seconds that numpy takes to read the input once, on one core: the bound."""
    return seconds(lambda: [a.sum() for a in arrays], repeats)


def extra_memory(work: Callable[[], object]) -> int:
    """Return the most bytes that numpy held during the work, beyond what it held before."""
    tracemalloc.start()
    work()
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return peak


def row(task, method, size, took, bound, *, measured=None, note=""):
    """Return one measurement; `measured` is the number of cells if only some were timed."""
    scale = size["cells"] / measured if measured else 1.0
    return {
        "task": task,
        "method": method,
        **size,
        "seconds": took * scale,
        "bound_seconds": bound,
        "times_bound": took * scale / bound,
        "cells_timed": measured or size["cells"],
        "note": note,
    }


def machine() -> dict:
    """Return processor, cores, threads and versions, but no host name."""
    try:
        with open("/proc/cpuinfo") as file:
            lines = [line.split(":", 1) for line in file if ":" in line]
        info = {key.strip(): value.strip() for key, value in lines}
    except OSError:
        info = {}
    return {
        "processor": info.get("model name", platform.processor() or "unknown"),
        "processor_model": info.get("model", "unknown"),
        "cores": len(os.sched_getaffinity(0)),
        "threads": numba.get_num_threads(),
        "python": platform.python_version(),
        "versions": {name: version(name) for name in LIBRARIES},
    }
