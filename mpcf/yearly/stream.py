"""Monthly to yearly for an ensemble that is larger than memory, and for runs that are cut short.

The ensemble is cut into blocks: a member, some years, a band of latitudes. A block is reduced by
`mpcf.yearly.reduction.reduce_months` and its result, an eighth of it or less, kept as one file.
When a member has all its blocks, `mpcf.yearly.reduction.join_years` joins them, a band of cells
with all years at a time, into chunks of the yearly store. Blocks and bands depend on the data and
the memory allowed, chunks on the data alone; so memory does not grow with years or members, and the
store is the same whatever the blocks and the number of workers.

Every file is written aside, then renamed; so is the whole store. What a run has finished when it
ends by whatever cause, the next one finds and goes on from.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import threading
import uuid
from collections import defaultdict, deque
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, CancelledError, Executor, ThreadPoolExecutor, wait
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from mpcf import closure
from mpcf.errors import BookError, DataError, YearlyStopped, system_fault
from mpcf.folders import SCHEDULER_VARIABLE, replace_dir, restore_dir, write_atomic
from mpcf.ground.constants import FREEZING_POINT
from mpcf.yearly import reduction
from mpcf.yearly.reduction import (
    GRID,
    LAYERED,
    NEEDS_NEIGHBOUR_YEARS,
    SERIES,
    SURFACE,
    join_years,
    member_series,
    reduce_to_planes,
    result_shapes,
)

if TYPE_CHECKING:
    from distributed import Client


BLOCK_MEMORY = 512 * 2**20
"""Memory, bytes, that a block may take while it is worked on."""

CHUNK = 16 * 2**20
"""Largest size, bytes, of a chunk of the yearly store, before compression."""

READ_AT_ONCE = 16 * 2**20
"""Size, bytes, from which one variable's months are read at a time, where chunks are smaller."""

SECONDS_BETWEEN_LOOKS = 2.0
"""How often the progress of another process is looked at."""

CONNECT_SECONDS = 15
"""How long a Dask scheduler is waited for."""

_FINISHED = ".finished"
# What no disk, network or worker raises.
_BUGS = (
    *(ArithmeticError, AssertionError, AttributeError),
    *(LookupError, NameError, TypeError, ValueError),
)


def write_yearly(
    monthly: xr.Dataset,
    path: Path,
    *,
    progress: bool = True,
    scheduler: str | Client | None = None,
    memory: int = BLOCK_MEMORY,
) -> None:
    """Write the yearly dataset, going on from where an earlier call stopped.

    Parameters
    ----------
    monthly : Dataset
        The standard monthly dataset, lazy.
    path : Path
        Zarr store to write. Until it is whole, its parts are in ``<path>.part`` beside it. If it
        was written from the same data by the same code already, nothing is done.
    progress : bool
        Whether to show a progress bar.
    scheduler : str or distributed.Client, optional
        Address or client of a Dask scheduler whose workers share this file system; by default the
        address in ``DASK_SCHEDULER_ADDRESS``, and without one as many threads of this process as
        its processors and memory allow.
    memory : int
        Bytes that a block may take.

    Raises
    ------
    YearlyStopped
        If a disk, a network, the cluster or a worker failed.
    DataError
        If the data can't be right; the message names the member and the years.
    """
    path = Path(path).absolute()
    job = _Job(monthly, path.with_name(path.name + ".part"), memory)
    restore_dir(path)
    if _read_text(path / _FINISHED) == job.key:
        shutil.rmtree(job.folder, ignore_errors=True)
        return
    with _errors(job):
        job.prepare()
    scheduler = scheduler or os.environ.get(SCHEDULER_VARIABLE)
    with _errors(job), _pool(scheduler, memory) as (pool, workers), _bar(job, progress) as bar:
        _work(job, pool, workers, bar)
    with _errors(job):
        for stray in job.store.rglob("*.partial"):  # of a chunk that a kill cut short
            stray.unlink()
        write_atomic(job.store / _FINISHED, job.key)
        replace_dir(job.store, path)
        shutil.rmtree(job.folder, ignore_errors=True)


@dataclass(frozen=True)
class Plan:
    """How an ensemble is cut.

    Attributes
    ----------
    members : int
        Number of members.
    years, rows : tuple of (int, int)
        First and last (exclusive) year and row of latitude of the blocks.
    years_at_once : int
        Years of a layered variable that are read at a time.
    bands : tuple of (int, int, int, int)
        First and last (exclusive) row and column of the yearly store's chunks.
    """

    members: int
    years: tuple[tuple[int, int], ...]
    rows: tuple[tuple[int, int], ...]
    years_at_once: int
    bands: tuple[tuple[int, int, int, int], ...]

    def blocks(self, member: int) -> list[tuple]:
        """Return the blocks of a member: ``("block", member, years, rows)``."""
        return [("block", member, y, r) for y in self.years for r in self.rows]

    def joins(self, member: int) -> list[tuple]:
        """Return the bands of a member: ``("band", member, rows and columns)``."""
        return [("band", member, band) for band in self.bands]


def plan(monthly: xr.Dataset, memory: int = BLOCK_MEMORY) -> Plan:
    """Cut an ensemble into blocks that fit into memory and follow the source's chunks.

    Parameters
    ----------
    monthly : Dataset (member, time, depth, lat, lon)
        The standard monthly dataset.
    memory : int
        Bytes that a block may take.

    Returns
    -------
    Plan
        The blocks. A source chunk that is larger than `memory` allows is read once for each block
        that needs a piece of it, and the memory is then that of the chunk.
    """
    years, lat, lon = monthly.sizes["time"] // 12, monthly.sizes["lat"], monthly.sizes["lon"]
    layers = monthly.sizes["depth"]
    # bytes a cell and year: results, a flat variable and its copies;
    # three layered variables and what is made from them
    planes = sum(prod(shape.values()) for shape in result_shapes(monthly).values())
    kept = 4 * (planes + 36)
    read = 4 * 12 * layers * 3.5

    def fitting(rows: int) -> int:
        by_read = memory // 4 // (read * rows * lon)
        return int(memory // 2 // (kept * rows * lon)) if by_read >= 1 else 0

    in_time = sorted({-(-_chunk(monthly[v], "time") // 12) for v in _used(monthly)})
    layered = max(-(-_chunk(monthly[v], "time") // 12) for v in LAYERED)
    lat_chunk = max(_chunk(monthly[v], "lat") for v in LAYERED)
    rows = lat
    while rows > lat_chunk and fitting(rows) < min(years, layered):
        rows = lat_chunk * -(-rows // (2 * lat_chunk))
    while rows > 1 and fitting(rows) < 1:
        rows = -(-rows // 2)
    together = min(years, max(1, fitting(rows)))
    if together < years:
        step = max((n for n in in_time if n <= together), default=1)
        together -= together % step

    size = 4 * 12 * layers * rows * lon  # bytes of a year of a layered variable
    at_once = layered * max(1, READ_AT_ONCE // (layered * size))
    at_once = max(1, min(at_once, together, int(memory // 4 // (read * rows * lon))))

    cells = max(1, CHUNK // (4 * years * layers))
    high, wide = (min(lat, cells // lon), lon) if cells >= lon else (1, cells)
    bands = tuple((*r, *c) for r in _steps(lat, high) for c in _steps(lon, wide))
    return Plan(monthly.sizes["member"], _steps(years, together), _steps(lat, rows), at_once, bands)


def remaining(path: Path) -> tuple[int, int] | None:
    """Return how far the writing of a yearly store has come, from any process.

    Parameters
    ----------
    path : Path
        The store that `write_yearly` is writing.

    Returns
    -------
    (int, int) or None
        Steps done and all steps; None if it is not being written.
    """
    folder = path.with_name(path.name + ".part")
    try:
        steps = json.loads((folder / "plan.json").read_text(encoding="utf-8"))["steps"]
    except (FileNotFoundError, ValueError):
        return None
    return len(list((folder / "done").glob("[!.]*"))), steps


@contextlib.contextmanager
def shown(path: Path) -> Iterator[None]:
    """Show how far the writing of a yearly store has come while another process writes it.

    Parameters
    ----------
    path : Path
        The store that `write_yearly` is writing, or will be.

    Yields
    ------
    None
        While a progress bar with the time left follows the writing.
    """
    stop = threading.Event()

    def follow() -> None:
        from tqdm import tqdm

        bar = None
        while not stop.wait(SECONDS_BETWEEN_LOOKS):
            done = remaining(path)
            if done and bar is None:
                bar = tqdm(total=done[1], initial=done[0], desc="monthly to yearly", unit="step")
            if bar is not None:
                bar.update((done[0] if done else bar.total) - bar.n)
        if bar is not None:
            bar.close()

    thread = threading.Thread(target=follow, daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


class _Job:
    """A yearly store in the making, as it is on disk."""

    def __init__(self, monthly: xr.Dataset, folder: Path, memory: int) -> None:
        bounds = {name: monthly[name].compute() for name in ("time_bnds", "depth_bnds")}
        self.monthly, self.folder = monthly.assign(bounds), folder
        self.plan = plan(self.monthly, memory)
        self.store = folder / "yearly.zarr"
        self.year, self.days = reduction.year_lengths(self.monthly)
        self.layout = _Layout(
            result_shapes(self.monthly),
            {"depth": self.monthly["depth"].values, "year": self.year},
        )

    @cached_property
    def key(self) -> str:
        """Hash of all that decides what is written: data, code, blocks."""
        from dask.base import tokenize

        # the calendar by numbers: its objects take long to hash
        data = self.monthly.drop_vars(["time", "time_bnds"])
        whole = hashlib.sha256(tokenize(data, self.year, self.days).encode())
        whole.update(repr(self.plan).encode())
        whole.update(
            closure.digest(closure.reached([f"from {__name__} import write_yearly"])).encode()
        )
        return whole.hexdigest()

    @cached_property
    def steps(self) -> int:
        """Number of blocks and bands."""
        plan = self.plan
        return plan.members * (len(plan.years) * len(plan.rows) + len(plan.bands))

    def prepare(self) -> None:
        """Keep the folder if it is this job's, otherwise make it anew."""
        plan = self.folder / "plan.json"
        mine = json.dumps({"key": self.key, "steps": self.steps})
        if _read_text(plan) != mine:
            shutil.rmtree(self.folder, ignore_errors=True)
            for name in ("parts", "done"):
                (self.folder / name).mkdir(parents=True)
            write_atomic(plan, mine)
        for stray in self.folder.glob("*/.*.tmp"):
            stray.unlink()
        if not self.store.exists():
            aside = self.folder / "yearly.zarr.tmp"
            shutil.rmtree(aside, ignore_errors=True)
            self._template().to_zarr(
                aside, mode="w", zarr_format=2, consolidated=True, compute=False
            )
            aside.rename(self.store)

    def _template(self) -> xr.Dataset:
        """Return the yearly dataset without its values: names, sizes, chunks, attributes."""
        import dask.array

        sample = reduction.to_yearly(_sample(self.monthly))
        grid = [name for name in GRID if name in self.monthly]
        out = self.monthly[grid].reset_coords(drop=True).load(scheduler="synchronous")
        out = out.assign_coords(
            {name: self.monthly[name] for name in ("member", "depth", "lat", "lon")}
            | {"year": self.year, "season": sample["season"], "top": sample["top"]}
        ).drop_encoding()  # that of a source in another format of Zarr can't be written
        high, wide = self.plan.bands[0][1], self.plan.bands[0][3]
        sizes = dict(out.sizes)
        chunk = sizes | {"member": 1, "lat": high, "lon": wide}
        yearly_values = {}
        for name, values in sample.data_vars.items():
            if "year" in values.dims:
                shape = [sizes[dim] for dim in values.dims]
                chunks = tuple(chunk[dim] for dim in values.dims)
                empty = dask.array.zeros(shape, dtype="float32", chunks=chunks)
                yearly_values[name] = values.dims, empty, values.attrs, {"chunks": chunks}
        return out.assign(yearly_values).assign_attrs(self.monthly.attrs)

    def todo(self) -> list[tuple]:
        """Return the steps that can be taken now: blocks, or bands whose blocks are all there."""
        steps = []
        for member in range(self.plan.members):
            missing = [step for step in self.plan.blocks(member) if not self.is_done(step)]
            steps += missing or self.following(("block", member))
        return steps

    def following(self, step: tuple) -> list[tuple]:
        """Return the steps that can be taken once this one is done; drop parts no longer needed."""
        member = step[1]
        bands = [join for join in self.plan.joins(member) if not self.is_done(join)]
        if step[0] == "band":
            if not bands:
                for block in self.plan.blocks(member):
                    (self.folder / "parts" / f"{step_name(block)}.npy").unlink(missing_ok=True)
            return []
        if all(self.is_done(block) for block in self.plan.blocks(member)):
            return bands
        return []

    def is_done(self, step: tuple) -> bool:
        """Check whether a step was taken."""
        return (self.folder / "done" / step_name(step)).exists()

    def call(self, step: tuple) -> tuple:
        """Return the function that takes a step, and its arguments."""
        # a slice, since dask copies what a list picks
        member = slice(step[1], step[1] + 1)
        if step[0] == "block":
            _, _, (first, last), (upper, lower) = step
            block = self.monthly[[*_used(self.monthly), "time_bnds", "depth_bnds"]].isel(
                member=member, time=slice(12 * first, 12 * last), lat=slice(upper, lower)
            )
            return take_block, block, self.folder, step, self.plan.years_at_once
        series, names = None, [name for name in SERIES if name in self.monthly]
        if names and step[2] == self.plan.bands[0]:
            series = self.monthly[[*names, "time_bnds"]].isel(member=member)
        return take_band, series, self.folder, step, self.plan, self.layout


@dataclass(frozen=True)
class _Layout:
    """How the results of a block lie in its file: (year, plane, lat, lon)."""

    shapes: dict[str, dict[str, int]]
    coords: dict[str, np.ndarray]

    @property
    def planes(self) -> dict[str, slice]:
        """Planes of each result."""
        ends = np.cumsum([0, *(prod(shape.values()) for shape in self.shapes.values())])
        return {name: slice(*pair) for name, pair in zip(self.shapes, pairwise(ends), strict=True)}

    def pieces(self) -> list[list[str]]:
        """Return the names that are read at a time: a part of the results needs less memory."""
        pieces = defaultdict(list)
        for name, shape in self.shapes.items():
            pieces["joined" if name in NEEDS_NEIGHBOUR_YEARS else tuple(shape)].append(name)
        return list(pieces.values())

    def read(self, names: list[str], folder: Path, step: tuple, plan: Plan) -> xr.Dataset:
        """Put some results of a band together."""
        _, member, (top, bottom, left, right) = step
        years, cells = plan.years[-1][1], (bottom - top, right - left)
        data = {
            name: np.empty((years, *self.shapes[name].values(), *cells), "float32")
            for name in names
        }
        for block in plan.blocks(member):
            _, _, (first, last), (upper, lower) = block
            a, b = max(upper, top), min(lower, bottom)
            if a < b:
                path = folder / "parts" / f"{step_name(block)}.npy"
                part = np.load(path, mmap_mode="r")[:, :, a - upper : b - upper, left:right]
                for name, values in data.items():
                    out = values[first:last, ..., a - top : b - top, :]
                    out[...] = part[:, self.planes[name]].reshape(out.shape)
        variables = {
            name: (("year", *self.shapes[name], "lat", "lon"), values)
            for name, values in data.items()
        }
        return xr.Dataset(variables, self.coords).expand_dims("member")


def take_block(monthly: xr.Dataset, folder: Path, step: tuple, years_at_once: int) -> None:
    """Reduce a block and keep the result as one file.

    Parameters
    ----------
    monthly : Dataset
        The block.
    folder : Path
        Folder of the store's parts.
    step : tuple
        Which block it is.
    years_at_once : int
        Years of a layered variable that are read at a time.
    """
    _check_shared(folder)
    (planes,) = reduce_to_planes(monthly, years_at_once=years_at_once)
    name = step_name(step)
    aside = folder / "parts" / f".{name}.{uuid.uuid4().hex}.tmp"
    try:
        with open(aside, "wb") as file:
            np.save(file, planes)
        aside.replace(folder / "parts" / f"{name}.npy")
    finally:
        aside.unlink(missing_ok=True)
    _mark(folder, name)


def take_band(
    series: xr.Dataset | None, folder: Path, step: tuple, plan: Plan, layout: _Layout
) -> None:
    """Join a member's blocks in a band of cells and write them into the store.

    Parameters
    ----------
    series : Dataset or None
        What the member has as a whole, to be written along with this band.
    folder : Path
        Folder of the store's parts.
    step : tuple
        Which band it is.
    plan : Plan
        How the ensemble is cut.
    layout : _Layout
        How the results of a block lie in its file.
    """
    import zarr

    _check_shared(folder)
    _, member, (top, bottom, left, right) = step
    group = zarr.open_group(folder / "yearly.zarr", mode="r+", zarr_format=2)
    for names in layout.pieces():
        for name, values in _finished(layout.read(names, folder, step, plan)).items():
            group[name][member : member + 1, ..., top:bottom, left:right] = values.values
    if series is not None:
        for name, values in member_series(series).data_vars.items():
            group[name][member : member + 1] = values.values
    _mark(folder, step_name(step))


def _finished(results: xr.Dataset) -> xr.Dataset:
    """Return yearly values from results: joined, if they are those that need the years beside."""
    return join_years(results) if "tsl_max" in results else results


def step_name(step: tuple) -> str:
    """Name a step by what it takes.

    Parameters
    ----------
    step : tuple
        A block or a band.

    Returns
    -------
    str
        Name of its file.

    Examples
    --------
    >>> step_name(("block", 3, (0, 43), (0, 10)))
    'block-3-0-43-0-10'
    """
    kind, member, *ranges = step
    return "-".join([kind, str(member), *(str(edge) for pair in ranges for edge in pair)])


def _work(job: _Job, pool: Executor, workers: int, bar) -> None:
    """Take all steps, a few more at a time than there are workers."""
    import dask

    waiting, running = deque(job.todo()), {}
    planned = set(waiting)
    try:
        while waiting or running:
            while waiting and len(running) < 2 * workers:
                step = waiting.popleft()
                function, data, *arguments = job.call(step)
                if not isinstance(pool, ThreadPoolExecutor) and data is not None:
                    (data,) = dask.optimize(data)  # its graph without the other blocks': it travels
                running[pool.submit(function, data, *arguments)] = step
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                step = running.pop(future)
                with _where(job, step):
                    future.result()
                # a member's parts are on disk until its bands are joined, so those come first
                # (two blocks that end together both see that they are the last)
                following = [join for join in job.following(step) if join not in planned]
                planned.update(following)
                waiting.extendleft(following)
                bar.update()
    finally:
        for future in running:
            future.cancel()


@contextlib.contextmanager
def _pool(scheduler: str | Client | None, memory: int) -> Iterator[tuple[Executor, int]]:
    """Return what runs the steps, and how many at a time.

    Threads serve as well as processes here: reading and the kernels run without Python's lock.
    """
    if not scheduler:
        import zarr
        from dask.system import CPU_COUNT
        from distributed.system import MEMORY_LIMIT

        workers = max(1, min(CPU_COUNT, MEMORY_LIMIT // 2 // memory))
        # each thread of zarr's keeps the memory of the chunks that it unpacked
        few = zarr.config.set({"threading.max_workers": workers})
        with few, ThreadPoolExecutor(workers, thread_name_prefix="yearly") as pool:
            yield pool, workers
        return
    from distributed import Client

    if isinstance(scheduler, Client):
        with scheduler.get_executor(retries=2) as pool:
            yield pool, max(4, sum(scheduler.nthreads().values()))
        return
    try:
        client = Client(scheduler, timeout=CONNECT_SECONDS, set_as_default=False)
    except (OSError, ValueError) as error:
        raise YearlyStopped(
            f"no Dask scheduler answers at {scheduler} ({error}); start one, correct the address, "
            "or leave it out to run on this machine alone"
        ) from error
    with client, _pool(client, memory) as known:
        yield known


@contextlib.contextmanager
def _bar(job: _Job, shown: bool):
    from tqdm import tqdm

    done, steps = remaining(job.folder.with_name(job.folder.name.removesuffix(".part")))
    with tqdm(
        total=steps, initial=done, desc="monthly to yearly", unit="step", disable=not shown
    ) as bar:
        yield bar


@contextlib.contextmanager
def _errors(job: _Job) -> Iterator[None]:
    """Append to an error what was kept and how to resume."""
    try:
        yield
    except (OSError, CancelledError) as error:
        raise YearlyStopped(f"{_text(error, job)}; {_how_to_go_on(job)}") from error


@contextlib.contextmanager
def _where(job: _Job, step: tuple) -> Iterator[None]:
    """Name the member and the years of a failure."""
    try:
        yield
    except Exception as error:
        where = f"member {job.monthly['member'].values[step[1]]}"
        if step[0] == "block":
            first, last = step[2]
            where += f", years {job.year[first]} to {job.year[last - 1]}"
        if isinstance(error, DataError):
            raise DataError(f"{where}: {_text(error, job)}") from error
        if isinstance(error, _BUGS):
            error.add_note(where)
            raise
        raise YearlyStopped(f"{where}: {_text(error, job)}; {_how_to_go_on(job)}") from error


def _text(error: BaseException, job: _Job) -> str:
    fault = system_fault(error, job.folder) if isinstance(error, OSError) else None
    if fault or isinstance(error, BookError):
        text = str(fault or error)
    else:
        text = f"{type(error).__name__}: {error}".removesuffix(": ")
    return " ".join([text, *getattr(error, "__notes__", ())])


def _how_to_go_on(job: _Job) -> str:
    done = remaining(job.folder.with_name(job.folder.name.removesuffix(".part"))) or (0, job.steps)
    return (
        f"{done[0]} of {done[1]} steps are done and kept in {job.folder}. Once the cause "
        "is mended (disk space, network, damaged file, cluster), run the same again: it goes on "
        "from there"
    )


def _mark(folder: Path, name: str) -> None:
    """Mark a step as done."""
    (folder / "done" / name).touch()


def _check_shared(folder: Path) -> None:
    if not (folder / "plan.json").is_file():
        raise FileNotFoundError(
            f"{folder} can't be seen by this worker; the build folder must be on a file system "
            "that all workers share, under the same path"
        )


def _read_text(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return None


def _used(monthly: xr.Dataset) -> list[str]:
    """Return the names of the variables that blocks read."""
    return [*LAYERED, *(name for name in SURFACE if name in monthly or name != "cSoil")]


def _chunk(values: xr.DataArray, dim: str) -> int:
    """Return the length of the source's chunks; 1 where it has none that must be read whole."""
    return max(values.chunksizes[dim]) if values.chunks is not None else 1


def _steps(size: int, step: int) -> tuple[tuple[int, int], ...]:
    return tuple((first, min(first + step, size)) for first in range(0, size, step))


def _sample(monthly: xr.Dataset) -> xr.Dataset:
    """Return two years of a cell with the names and attributes of the source and values made up."""
    small = monthly.isel(member=[0], time=slice(0, 24), lat=[0], lon=[0])
    known = ("time_bnds", "depth_bnds", *GRID)
    made_up = {
        name: (values.dims, np.full(values.shape, FREEZING_POINT, "float32"), values.attrs)
        for name, values in small.data_vars.items()
        if name not in known
    }
    return small[[name for name in known if name in small]].assign(made_up)
