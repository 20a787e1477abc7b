"""Monthly to yearly: its rate beside a plain read, xarray and flox; its memory; what it costs.

``python -m benchmarks.yearly [STORE]`` measures on a monthly store, by default that of the
demonstration, and writes benchmarks/results/yearly.json, which the book's page shows.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path

import numpy as np
import xarray as xr

from benchmarks.measure import machine
from mpcf.folders import build_dir
from mpcf.yearly import job, plan, reduction, stream

RESULTS = Path(__file__).parent / "results" / "yearly.json"
REPEATS = 3
"""Runs of a plain read and of `write_yearly`, the best of which counts; groupby is slow: one."""
MEMBERS = 2
"""Members of the store on which rates are measured."""
TIMES = (1, 2, 4, 8)
WORKERS = (1, 2, 8, 32)
"""Processors for which the cost of a large ensemble is estimated."""
READ = (*reduction.LAYERED, *reduction.SURFACE)
MEMORY_OF_A_BLOCK = 64 * 2**20
"""Bytes; small, so that the shortest ensemble measured has several blocks already."""


def rows(store: Path | None = None) -> list[dict[str, object]]:
    """Measure.

    Parameters
    ----------
    store : Path, optional
        A standard monthly store; by default the demonstration's.

    Returns
    -------
    list of dict
        ``what``, ``value``, ``unit`` and, where there is one, ``goal``. Rates are by processor
        time, which does not depend on what else the machine does, and by wall time.
    """
    store = store or build_dir("demo") / "data" / "monthly.zarr"
    monthly = _open(store).isel(member=slice(0, MEMBERS))
    volume = sum(monthly[name].nbytes for name in READ if name in monthly)
    reduction.to_yearly(job.made_up_sample(monthly))  # compiles
    one = monthly.isel(member=slice(0, 1))
    part = volume // monthly.sizes["member"]
    with tempfile.TemporaryDirectory(dir=store.parent) as scratch:
        ways: dict[str, tuple[Callable[[], None], int, int]] = {
            "plain read": (lambda: _read(monthly), volume, REPEATS),
            "write_yearly": (lambda: _write(monthly, Path(scratch)), volume, REPEATS),
            "xarray groupby, mean and max only": (lambda: _groupby(one, flox=False), part, 1),
            "xarray groupby with flox, mean and max only": (
                lambda: _groupby(one, flox=True),
                part,
                1,
            ),
        }
        best = {name: _spent(work, repeats, size) for name, (work, size, repeats) in ways.items()}
    out = []
    for name, (wall, processor) in best.items():
        out.append({"what": f"{name}, wall", "value": 1e-9 / wall, "unit": "GB s-1"})
        out.append({"what": f"{name}, processor", "value": 1e-9 / processor, "unit": "GB s-1"})
    for k, kind in enumerate(("wall", "processor")):
        share = 100 * best["plain read"][k] / best["write_yearly"][k]
        what = f"rate of write_yearly against a plain read, {kind}"
        out.append({"what": what, "value": share, "unit": "%", "goal": ">= 70"})
    for dim in ("members", "years"):
        for times in TIMES:
            what = f"peak memory above that of the imports, {times} x the {dim}"
            value = peak_memory(store, **{dim: times})
            out.append({"what": what, "value": value / 2**20, "unit": "MiB", "goal": "< 4096"})
    return out


def _spent(work: Callable[[], None], repeats: int, size: int) -> tuple[float, float]:
    """Give the least wall and processor time of some runs, s per byte."""
    least = (np.inf, np.inf)
    for _ in range(repeats):
        wall, processor = time.perf_counter(), time.process_time()
        work()
        spent = (time.perf_counter() - wall) / size, (time.process_time() - processor) / size
        least = min(least[0], spent[0]), min(least[1], spent[1])
    return least


def cost(
    measured: list[dict],
    *,
    members: int = 30,
    years: int = 300,
    lat: int = 192,
    lon: int = 288,
    layers: int = 20,
    workers: int = 1,
) -> dict[str, float]:
    """Estimate what an ensemble costs from the rate that was measured on one processor.

    Parameters
    ----------
    measured : list of dict
        What `rows` gave.
    members, years, lat, lon, layers : int
        Size of the ensemble; by default 30 members of 300 years on CESM's grid of 1 degree.
    workers : int
        Processors that work at a time; reading is taken to keep up with them.

    Returns
    -------
    dict
        By column of the table: what is read as float32, the hours, the memory of all workers
        together, the disk for members in work, and the result before compression.
    """
    rate = next(row["value"] for row in measured if row["what"] == "write_yearly, processor")
    read = 4 * 12 * years * members * lat * lon * (3 * layers + len(reduction.SURFACE))
    planes = 4 * years * lat * lon * (2 * layers + 38)  # tsl_max, tsl_min by layer, and the others
    return {
        "processors": workers,
        "read (TB)": read / 1e12,
        "time (h)": read / 1e9 / rate / workers / 3600,
        "memory (GiB)": workers * (plan.BLOCK_MEMORY / 2**30 + 0.4),
        "disk while at work (GB)": planes * min(members, 2 * workers) / 1e9,
        "yearly dataset (GB)": planes * members / 1e9,
    }


def peak_memory(store: Path, *, members: int = 1, years: int = 1) -> int:
    """Measure in a process of its own how much memory two threads of work add to the imports.

    Parameters
    ----------
    store : Path
        A monthly store.
    members, years : int
        How many times its first member, and its years, are worked on.

    Returns
    -------
    int
        Bytes.
    """
    arguments = [
        sys.executable,
        "-m",
        "benchmarks.yearly",
        "--peak",
        str(store),
        str(members),
        str(years),
    ]
    done = subprocess.run(arguments, check=True, capture_output=True, text=True)
    return int(done.stdout.split()[-1])


def _open(store: Path) -> xr.Dataset:
    coder = xr.coders.CFDatetimeCoder(use_cftime=True)
    return xr.open_zarr(store, chunks={}, decode_times=coder)


def _workers() -> int:
    return os.cpu_count() or 1


def _read(monthly: xr.Dataset) -> None:
    """Read every chunk once, as many at a time as `write_yearly` works on blocks."""

    def one(job: tuple[str, int, int, int]) -> None:
        name, member, first, last = job
        part = monthly[name].isel(member=slice(member, member + 1), time=slice(first, last))
        part.compute(scheduler="synchronous")

    jobs = []
    for name in READ:
        if name in monthly:
            edges = np.cumsum([0, *monthly[name].chunksizes["time"]])
            for member in range(monthly.sizes["member"]):
                jobs += [(name, member, a, b) for a, b in pairwise(edges)]
    with ThreadPoolExecutor(_workers()) as pool:
        list(pool.map(one, jobs))


def _write(monthly: xr.Dataset, folder: Path, memory: int = plan.BLOCK_MEMORY) -> None:
    import shutil

    stream.write_yearly(monthly, folder / "yearly.zarr", progress=False, memory=memory)
    shutil.rmtree(folder / "yearly.zarr")


def _groupby(monthly: xr.Dataset, *, flox: bool) -> None:
    """Take the plain mean of every variable and the warmest month: a part of what is needed."""
    with xr.set_options(use_flox=flox, use_bottleneck=False):
        for name in READ:
            if name in monthly:
                grouped = monthly[name].groupby("time.year")
                grouped.mean().compute()
                if name == "tsl":
                    grouped.max().compute()


def _repeated(monthly: xr.Dataset, members: int, years: int) -> xr.Dataset:
    """Repeat the first member and the years of a store, lazily, under one calendar."""
    import cftime

    names = [*(name for name in READ if name in monthly), "depth_bnds"]
    out = monthly[names].isel(member=slice(0, 1)).drop_vars("time")
    out = xr.concat([out] * years, "time", data_vars="minimal")
    out = xr.concat([out] * members, "member", data_vars="minimal")
    count = out.sizes["time"]
    edges = [cftime.DatetimeNoLeap(2000 + m // 12, m % 12 + 1, 1) for m in range(count + 1)]
    bounds = np.stack([edges[:-1], edges[1:]], axis=1)
    out = out.assign_coords(time=bounds[:, 0], member=np.arange(out.sizes["member"]))
    return out.assign(time_bnds=(("time", "bnds"), bounds))


def _peak(store: Path, members: int, years: int) -> int:
    monthly = _repeated(_open(store), members, years)
    monthly[READ[0]].isel(member=0, time=slice(0, 12)).compute(scheduler="synchronous")
    before = _high_water()
    with tempfile.TemporaryDirectory(dir=store.parent) as scratch:
        _write(monthly, Path(scratch), MEMORY_OF_A_BLOCK)
    return _high_water() - before


def _high_water() -> int:
    """Give this process's largest memory so far; getrusage would give its parent's, if larger."""
    status = Path("/proc/self/status").read_text()
    return 1024 * int(status.split("VmHWM:")[1].split()[0])


def main() -> None:
    """Measure, print and keep."""
    store = Path(sys.argv[1]) if len(sys.argv) > 1 else None
    found = rows(store)
    costs = [cost(found, workers=workers) for workers in WORKERS]
    for row in found:
        print(f"{row['what']:<70}{row['value']:10.3g} {row['unit']}")
    for row in costs:
        print(row)
    RESULTS.parent.mkdir(exist_ok=True)
    kept = {"machine": machine(), "measured": found, "costs": costs}
    RESULTS.write_text(json.dumps(kept, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    if sys.argv[1:2] == ["--peak"]:
        print(_peak(Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])))
    else:
        main()
