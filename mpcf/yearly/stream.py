"""Monthly to yearly for an ensemble that is larger than memory, in runs that may be interrupted.

The ensemble is divided into blocks: a member, some years, a band of latitudes. A block is reduced
by `mpcf.yearly.reduction.reduce_to_planes`, and its result, at most an eighth of its size, is kept
as one file. When all blocks of a member are done, `mpcf.yearly.neighbours.join_years` joins them, a
band of cells with all years at a time, into chunks of the yearly store. Blocks and bands depend on
the data and the memory allowed, chunks on the data alone. Memory therefore does not grow with years
or members, and the store is the same whatever the blocks and the number of workers.

Every file, and the store as a whole, is written under another name and then renamed. Whatever ends
a run, the next one resumes after the last finished step.
"""

from __future__ import annotations

import contextlib
import os
import shutil
from collections import deque
from collections.abc import Iterator
from concurrent.futures import (
    FIRST_COMPLETED,
    CancelledError,
    Executor,
    Future,
    ThreadPoolExecutor,
    wait,
)
from pathlib import Path
from typing import TYPE_CHECKING

import xarray as xr

from mpcf.errors import BookError, DataError, YearlyStopped, system_fault
from mpcf.folders import SCHEDULER_VARIABLE, replace_dir, restore_dir, write_atomic
from mpcf.yearly.job import Job, read_text
from mpcf.yearly.plan import BLOCK_MEMORY
from mpcf.yearly.progress import progress_bar, remaining

if TYPE_CHECKING:
    from distributed import Client

CONNECT_SECONDS = 15
"""s, how long to wait for a Dask scheduler to answer."""

_FINISHED = ".finished"
# Errors that no disk, network or worker raises.
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
    """Write the yearly dataset, resuming where an earlier call stopped.

    Parameters
    ----------
    monthly : Dataset
        The standard monthly dataset, lazy.
    path : Path
        Zarr store to write. Until it is complete, its parts are in ``<path>.part`` beside it. If
        the same code already wrote it from the same data, nothing is done.
    progress : bool
        Whether to show a progress bar.
    scheduler : str or distributed.Client, optional
        Address or client of a Dask scheduler whose workers share this file system. Defaults to the
        address in ``DASK_SCHEDULER_ADDRESS``; without one, to as many threads of this process as
        processors and memory allow.
    memory : int
        Bytes that a block may take.

    Raises
    ------
    YearlyStopped
        If a disk, a network, the cluster or a worker failed.
    DataError
        If the data are impossible; the message names the member and the years.
    """
    path = Path(path).absolute()
    job = Job(monthly, path.with_name(path.name + ".part"), memory)
    restore_dir(path)
    if read_text(path / _FINISHED) == job.key:
        shutil.rmtree(job.folder, ignore_errors=True)
        return
    with _errors(job):
        job.prepare()
    scheduler = scheduler or os.environ.get(SCHEDULER_VARIABLE)
    with (
        _errors(job),
        _pool(scheduler, memory) as (pool, workers),
        progress_bar(job, progress) as bar,
    ):
        _work(job, pool, workers, bar)
    with _errors(job):
        for stray in job.store.rglob("*.partial"):  # chunk being written at a kill
            stray.unlink()
        write_atomic(job.store / _FINISHED, job.key)
        replace_dir(job.store, path)
        shutil.rmtree(job.folder, ignore_errors=True)


def _work(job: Job, pool: Executor, workers: int, bar) -> None:
    """Run all steps, with a few more submitted at a time than there are workers.

    After a failure, earlier steps are still run, so that the first failure in the order of the
    steps is reported, whichever worker was fastest.
    """
    import dask

    waiting, running, failed = deque(job.todo()), {}, {}
    planned = set(waiting)
    try:
        while waiting or running:
            while waiting and len(running) < 2 * workers:
                step = waiting.popleft()
                if failed and _order(step) > min(map(_order, failed)):
                    continue
                function, data, *arguments = job.call(step)
                if not isinstance(pool, ThreadPoolExecutor) and data is not None:
                    # sent over the network: without other blocks' graphs
                    (data,) = dask.optimize(data)
                running[pool.submit(function, data, *arguments)] = step
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                step = running.pop(future)
                if error := _failure(future):
                    failed[step] = error
                    continue
                # bands come first, since a member's parts stay on disk until they are joined;
                # two blocks that finish together both find that they are the last
                following = [join for join in job.following(step) if join not in planned]
                planned.update(following)
                waiting.extendleft(following)
                bar.update()
    finally:
        for future in running:
            future.cancel()
    if failed:
        first = min(failed, key=_order)
        with _where(job, first):
            raise failed[first]


def _failure(future: Future) -> Exception | None:
    """Return the error that made a step fail; a cluster that lost the step cancels it."""
    try:
        future.result()
    except Exception as error:
        return error
    return None


def _order(step: tuple) -> tuple:
    """Return the sort key of a step: a member's blocks by years and rows, then its bands."""
    kind, member, *ranges = step
    return member, kind == "band", *ranges


@contextlib.contextmanager
def _pool(scheduler: str | Client | None, memory: int) -> Iterator[tuple[Executor, int]]:
    """Yield the executor that runs the steps, and how many it runs at a time.

    Threads suffice: reading and the kernels release Python's global lock.
    """
    if not scheduler:
        import zarr
        from dask.system import CPU_COUNT
        from distributed.system import MEMORY_LIMIT

        workers = max(1, min(CPU_COUNT, MEMORY_LIMIT // 2 // memory))
        # each of zarr's threads holds on to the memory of the chunks that it decompressed
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
def _errors(job: Job) -> Iterator[None]:
    """Add to an error which steps were kept and how to resume."""
    try:
        yield
    except (OSError, CancelledError) as error:
        raise YearlyStopped(f"{_text(error, job)}; {_how_to_resume(job)}") from error


@contextlib.contextmanager
def _where(job: Job, step: tuple) -> Iterator[None]:
    """Add the member and the years to an error."""
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
        raise YearlyStopped(f"{where}: {_text(error, job)}; {_how_to_resume(job)}") from error


def _text(error: BaseException, job: Job) -> str:
    fault = system_fault(error, job.folder) if isinstance(error, OSError) else None
    if fault or isinstance(error, BookError):
        text = str(fault or error)
    else:
        text = f"{type(error).__name__}: {error}".removesuffix(": ")
    return " ".join([text, *getattr(error, "__notes__", ())])


def _how_to_resume(job: Job) -> str:
    done = remaining(job.path) or (0, job.steps)
    return (
        f"{done[0]} of {done[1]} steps are done and kept in {job.folder}. Once the cause "
        "is fixed (disk space, network, damaged file, cluster), run the same command again: it "
        "resumes from there"
    )
