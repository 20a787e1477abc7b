"""The yearly store comes out the same whatever the blocks, the workers and the interruptions."""

import contextlib
import errno
import functools
import http.server
import itertools
import json
import multiprocessing
import os
import pickle
import signal
import socket
import subprocess
import sys
import textwrap
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from mpcf import __main__ as command
from mpcf.errors import DataError
from mpcf.folders import SCHEDULER_VARIABLE
from mpcf.yearly import job as jobs
from mpcf.yearly import plan as planning
from mpcf.yearly import progress, stream
from mpcf.yearly import steps as step_kinds
from mpcf.yearly.neighbours import join_years
from mpcf.yearly.plan import plan
from mpcf.yearly.progress import remaining
from mpcf.yearly.reduction import reduce_months, to_yearly
from mpcf.yearly.stream import YearlyStopped, write_yearly

SMALL = 30_000
"""Memory, bytes, that cuts the ensemble of these tests into many blocks."""


def ensemble(members=2, years=6, lat=3, lon=4, layers=3):
    """Random months with soil that freezes and thaws, a sea cell and a column with bedrock."""
    import cftime

    rng = np.random.default_rng(7)
    edges = [cftime.DatetimeNoLeap(2000 + m // 12, m % 12 + 1, 1) for m in range(12 * years + 1)]
    bounds = np.array(list(pairwise(edges)))
    flat, layered = (members, 12 * years, lat, lon), (members, 12 * years, layers, lat, lon)
    season = -np.cos(2 * np.pi * np.arange(12 * years) / 12)[None, :, None, None, None]
    values = {
        "tsl": 271.5 + season * np.array([9, 2, 0.5])[:, None, None] + rng.normal(0, 1, layered),
        "mrsll": rng.uniform(1, 50, layered),
        "mrsfl": rng.uniform(0, 50, layered),
    }
    for name in values:
        values[name][..., 0, 0] = np.nan
        values[name][:, :, -1, :, 1] = np.nan
    ranges = {"gpp": 1e-8, "ra": 1e-8, "rh": 1e-8, "tas": 280.0, "pr": 1e-5, "snd": 1.0}
    values |= {name: scale * rng.uniform(0.9, 1.1, flat) for name, scale in ranges.items()}
    values |= {"co2": rng.uniform(300, 500, flat[:2]), "cSoil": rng.uniform(1, 9, flat)}
    profile = ("member", "time", "depth", "lat", "lon")
    dims = {4: ("member", "time", "lat", "lon"), 5: profile, 2: ("member", "time")}
    data = {v: (dims[x.ndim], x.astype("float32"), {"units": "1"}) for v, x in values.items()}
    thickness = np.array([0.3, 1.2, 2.5])
    data["time_bnds"] = (("time", "bnds"), bounds)
    data["depth_bnds"] = (
        ("depth", "bnds"),
        np.stack([thickness.cumsum() - thickness, thickness.cumsum()], axis=1),
    )
    data["areacella"] = (("lat", "lon"), np.full((lat, lon), 1e10))
    coords = {
        "member": np.arange(1, members + 1),
        "time": [a + (b - a) / 2 for a, b in bounds],
        "depth": [0.15, 0.9, 2.75],
        "lat": np.linspace(50, 70, lat),
        "lon": np.linspace(0, 30, lon),
    }
    return xr.Dataset(data, coords, {"title": "a test"})


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    """A monthly store on disk, chunked by two years."""
    path = tmp_path_factory.mktemp("source") / "monthly.zarr"
    ensemble().chunk(member=1, time=24).to_zarr(path, zarr_format=2, consolidated=True)
    return path


@pytest.fixture
def lazy(source):
    return xr.open_zarr(source)


@pytest.fixture(scope="module")
def undisturbed(source, tmp_path_factory):
    """What an undisturbed run writes."""
    path = tmp_path_factory.mktemp("undisturbed") / "yearly.zarr"
    write_yearly(xr.open_zarr(source), path, progress=False, memory=SMALL)
    return files(path)


def files(path):
    """Return the content of all files of a store, but for the note of what it was made from."""
    paths = (p for p in Path(path).rglob("*") if p.is_file() and p.name != ".finished")
    return {p.relative_to(path).as_posix(): p.read_bytes() for p in paths}


def steps(lazy, memory=SMALL):
    cut = plan(lazy, memory)
    return cut.members * (len(cut.blocks(0)) + len(cut.joins(0)))


# ------------------------------------------------------------------------------------ same numbers


def test_years_read_in_pieces_and_joined_give_the_whole(lazy):
    whole = to_yearly(lazy.load())
    parts = [
        reduce_months(lazy.isel(time=slice(12 * a, 12 * b)), years_at_once=1)
        for a, b in ((0, 1), (1, 4), (4, 6))
    ]
    joined = join_years(xr.concat(parts, "year"))
    for name in joined.data_vars:
        xr.testing.assert_identical(joined[name], whole[name])
    for name in ("permafrost", "zero_curtain", "alt"):
        assert whole[name].notnull().any(), name


def test_the_store_does_not_depend_on_the_format_of_the_source(lazy, tmp_path, undisturbed):
    lazy.load().drop_encoding().to_zarr(tmp_path / "monthly.zarr", zarr_format=3)
    monthly = xr.open_zarr(tmp_path / "monthly.zarr")
    write_yearly(monthly, tmp_path / "yearly.zarr", progress=False, memory=SMALL)
    assert files(tmp_path / "yearly.zarr") == undisturbed


@pytest.mark.parametrize("memory", [10_000, SMALL, 100_000, 10_000_000])
def test_the_store_does_not_depend_on_the_blocks(memory, lazy, tmp_path, undisturbed):
    path = tmp_path / "yearly.zarr"
    write_yearly(lazy, path, progress=False, memory=memory)
    assert files(path) == undisturbed
    written = xr.open_zarr(path, chunks=None).load()
    expected = to_yearly(lazy.load())
    assert set(written.variables) == set(expected.variables)
    for name in expected.variables:
        xr.testing.assert_identical(written[name], expected[name])
    assert [p.name for p in tmp_path.iterdir()] == ["yearly.zarr"]


def test_nor_on_the_number_of_workers(lazy, tmp_path, undisturbed, monkeypatch):
    monkeypatch.setattr(stream, "_pool", lambda scheduler, memory: _threads(5))
    write_yearly(lazy, tmp_path / "yearly.zarr", progress=False, memory=10_000)
    assert files(tmp_path / "yearly.zarr") == undisturbed


def test_blocks_that_end_together_have_their_bands_joined_once(lazy, tmp_path, monkeypatch):
    both, joined = threading.Barrier(2), []
    mark, take = step_kinds._mark_done, step_kinds.take_band

    def together(folder, name):
        mark(folder, name)
        if name.startswith("block"):
            both.wait(timeout=30)

    def counted(*arguments):
        joined.append(arguments[2])
        take(*arguments)

    monkeypatch.setattr(step_kinds, "_mark_done", together)
    monkeypatch.setattr(jobs, "take_band", counted)
    monkeypatch.setattr(stream, "_pool", lambda scheduler, memory: _threads(2))
    single = lazy.isel(member=[0], time=slice(0, 48))
    assert len(plan(single, SMALL).blocks(0)) == 2
    write_yearly(single, tmp_path / "yearly.zarr", progress=False, memory=SMALL)
    assert len(joined) == 1


@contextlib.contextmanager
def _threads(workers):
    with ThreadPoolExecutor(workers) as pool:
        yield pool, workers


@pytest.mark.parametrize("slow", [1, 3])
@pytest.mark.parametrize("workers", [1, 2, 4])
def test_of_several_failures_the_first_is_reported(lazy, tmp_path, monkeypatch, slow, workers):
    blocks, take = plan(lazy, SMALL).blocks(0) + plan(lazy, SMALL).blocks(1), jobs.take_block
    assert len(blocks) == 6

    def failing(data, folder, step, at_once):
        index = blocks.index(step)
        if index == slow:
            time.sleep(0.3)
        if index in (1, 3):
            raise DataError(f"block {index} is damaged")
        take(data, folder, step, at_once)

    monkeypatch.setattr(jobs, "take_block", failing)
    monkeypatch.setattr(stream, "_pool", lambda scheduler, memory: _threads(workers))
    with pytest.raises(DataError, match=r"member 1, years 2002 to 2003: block 1 is damaged"):
        write_yearly(lazy, tmp_path / "yearly.zarr", progress=False, memory=SMALL)


@pytest.mark.parametrize("slow", ["block", "band"])
def test_a_band_that_fails_precedes_the_next_members_blocks(lazy, tmp_path, monkeypatch, slow):
    take = jobs.take_block

    def take_block(data, folder, step, at_once):
        if step[1] == 1:
            raise OSError("a block of the second member")
        if slow == "band":
            time.sleep(0.2)
        take(data, folder, step, at_once)

    def take_band(*arguments):
        raise OSError("a band of the first member")

    monkeypatch.setattr(jobs, "take_block", take_block)
    monkeypatch.setattr(jobs, "take_band", take_band)
    monkeypatch.setattr(stream, "_pool", lambda scheduler, memory: _threads(4))
    with pytest.raises(YearlyStopped, match=r"member 1: .* a band of the first member"):
        write_yearly(lazy, tmp_path / "yearly.zarr", progress=False, memory=SMALL)


def test_chunks_smaller_than_a_row_are_written_too(lazy, tmp_path, monkeypatch):
    monkeypatch.setattr(planning, "MAX_CHUNK", 4 * 6 * 3 * 3)  # three cells of six years
    assert len(plan(lazy).bands) == 3 * 2
    write_yearly(lazy, tmp_path / "yearly.zarr", progress=False)
    written = xr.open_zarr(tmp_path / "yearly.zarr", chunks=None).load()
    xr.testing.assert_identical(written["alt"], to_yearly(lazy.load())["alt"])


def test_chunks_hold_all_years(lazy, tmp_path):
    write_yearly(lazy, tmp_path / "yearly.zarr", progress=False, memory=SMALL)
    metadata = json.loads((tmp_path / "yearly.zarr" / "tsl_max" / ".zarray").read_text())
    assert metadata["chunks"] == [1, 6, 3, 3, 4]


# ---------------------------------------------------------------------------------------- planning


def long(lazy, members=1, years=1):
    """Repeat the ensemble along members and time, lazily, with a continuing calendar."""
    import cftime

    out = xr.concat([lazy.drop_vars(["time_bnds"])] * years, "time", data_vars="minimal")
    out = xr.concat([out] * members, "member", data_vars="minimal")
    edges = [cftime.DatetimeNoLeap(2000 + m // 12, m % 12 + 1, 1) for m in range(out.time.size + 1)]
    bounds = np.array(list(pairwise(edges)))
    return out.assign_coords(time=bounds[:, 0]).assign(time_bnds=(("time", "bnds"), bounds))


def test_blocks_do_not_grow_with_years_or_members(lazy):
    one = plan(lazy, SMALL)
    size = max(b - a for a, b in one.years)
    assert size < 6 and size % 2 == 0, "blocks follow the source's chunks of two years"
    for members, years in ((8, 1), (1, 8)):
        cut = plan(long(lazy, members, years), SMALL)
        assert max(b - a for a, b in cut.years) == size
        assert (cut.rows, cut.years_at_once) == (one.rows, one.years_at_once)
        assert cut.years[-1][1] == 6 * years and cut.members == 2 * members


def test_blocks_cover_every_cell_and_year_once(lazy):
    for memory in (5_000, SMALL, 10_000_000):
        cut = plan(lazy, memory)
        count = np.zeros((6, 3, 4), int)
        for _, _, (first, last), (upper, lower) in cut.blocks(0):
            count[first:last, upper:lower] += 1
        bands = np.zeros((3, 4), int)
        for _, _, (top, bottom, left, right) in cut.joins(0):
            bands[top:bottom, left:right] += 1
        assert (count == 1).all() and (bands == 1).all()
    assert len(plan(lazy, 5_000).rows) > 1, "little memory asks for latitude bands"


# ---------------------------------------------------------------------------------------- going on


def test_a_finished_store_is_left_alone(lazy, tmp_path):
    path = tmp_path / "yearly.zarr"
    write_yearly(lazy, path, progress=False)
    before = {p: p.stat().st_mtime_ns for p in path.rglob("*")}
    write_yearly(lazy, path, progress=False)
    assert {p: p.stat().st_mtime_ns for p in path.rglob("*")} == before


def test_other_data_are_written_again(lazy, tmp_path):
    path = tmp_path / "yearly.zarr"
    write_yearly(lazy, path, progress=False)
    other = lazy.load().assign(gpp=lazy["gpp"] * 2)
    write_yearly(other, path, progress=False)
    xr.testing.assert_equal(xr.open_zarr(path)["gpp"].load(), to_yearly(other)["gpp"])


def test_parts_of_other_data_are_discarded(lazy, tmp_path, monkeypatch):
    path = tmp_path / "yearly.zarr"
    with monkeypatch.context() as patch, pytest.raises(YearlyStopped):
        fail_after(patch, 3)
        write_yearly(lazy, path, progress=False, memory=SMALL)
    other = lazy.load().assign(gpp=lazy["gpp"] * 2)
    write_yearly(other, path, progress=False, memory=SMALL)
    xr.testing.assert_equal(xr.open_zarr(path)["gpp"].load(), to_yearly(other)["gpp"])


def fail_after(patch, count, error=None):
    """Let the writing of a block's file fail from a number of files on, half written."""
    save, calls = np.save, []

    def failing(file, values):
        calls.append(1)
        if len(calls) <= count:
            return save(file, values)
        file.write(b"half")
        raise error or OSError(errno.ENOSPC, "No space left on device")

    patch.setattr(np, "save", failing)


def test_a_full_disk_stops_with_an_error_and_the_next_run_resumes(
    lazy, tmp_path, undisturbed, monkeypatch
):
    path = tmp_path / "yearly.zarr"
    with monkeypatch.context() as patch, pytest.raises(YearlyStopped) as stopped:
        fail_after(patch, 3)
        write_yearly(lazy, path, progress=False, memory=SMALL)
    text = str(stopped.value)
    assert "No space left on device; free some space" in text and "resumes from there" in text
    assert "member 1" in text or "member 2" in text
    assert not path.exists()
    done, all_steps = remaining(path)
    assert 3 <= done < all_steps == steps(lazy)
    taken = []
    take = jobs.take_block

    def counted(*arguments):
        taken.append(arguments[2])
        return take(*arguments)

    monkeypatch.setattr(jobs, "take_block", counted)
    write_yearly(lazy, path, progress=False, memory=SMALL)
    assert files(path) == undisturbed
    assert len(taken) == len(set(taken)) == 2 * len(plan(lazy, SMALL).blocks(0)) - 3


def test_a_full_disk_while_chunks_are_written(lazy, tmp_path, undisturbed, monkeypatch):
    from zarr.storage import LocalStore

    path, put = tmp_path / "yearly.zarr", LocalStore.set

    async def failing(self, key, value):
        if key.endswith("alt/1.0.0.0"):
            raise OSError(errno.ENOSPC, "No space left on device")
        await put(self, key, value)

    with monkeypatch.context() as patch, pytest.raises(YearlyStopped, match="No space left"):
        patch.setattr(LocalStore, "set", failing)
        write_yearly(lazy, path, progress=False, memory=SMALL)
    assert not path.exists()
    write_yearly(lazy, path, progress=False, memory=SMALL)
    assert files(path) == undisturbed


def test_the_last_good_store_stays_until_the_new_one_is_whole(lazy, tmp_path, monkeypatch):
    path = tmp_path / "yearly.zarr"
    write_yearly(lazy.assign(gpp=lazy["gpp"] * 2), path, progress=False)
    before = files(path)
    fail_after(monkeypatch, 0)
    with pytest.raises(YearlyStopped):
        write_yearly(lazy, path, progress=False)
    assert files(path) == before


def test_wrong_data_are_named(lazy, tmp_path):
    celsius = lazy.load().copy(deep=True)
    celsius["tsl"][1] -= 273.15
    with pytest.raises(ValueError, match=r"member 2, years 2000 to 2005: .*give it in K"):
        write_yearly(celsius, tmp_path / "yearly.zarr", progress=False)


# ------------------------------------------------------------------------------------ lost network


class Shaky(http.server.SimpleHTTPRequestHandler):
    """A file server that drops the connection in the middle of its answers after a while."""

    left = None

    def do_GET(self):
        if type(self).left is not None:
            type(self).left -= 1
            if type(self).left < 0:
                self.send_response(200)
                self.send_header("Content-Length", "100000")
                self.end_headers()
                self.wfile.write(b"half")
                self.connection.shutdown(socket.SHUT_RDWR)
                return
        super().do_GET()

    def log_message(self, *arguments):
        pass


def test_a_lost_network_stops_with_an_error_and_the_next_run_resumes(source, tmp_path, undisturbed):
    pytest.importorskip("aiohttp")
    handler = type("Handler", (Shaky,), {})
    serve = functools.partial(handler, directory=str(source.parent))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), serve) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}/monthly.zarr"
        path = tmp_path / "yearly.zarr"
        remote = xr.open_zarr(url)
        handler.left = 60
        with pytest.raises(YearlyStopped, match=r"while reading \w+.*resumes from there"):
            write_yearly(remote, path, progress=False, memory=SMALL)
        assert not path.exists() and remaining(path)[0] > 0
        handler.left = None
        write_yearly(xr.open_zarr(url), path, progress=False, memory=SMALL)
        server.shutdown()
    assert files(path) == undisturbed


# ------------------------------------------------------------------------------------------- kills

DRIVER = textwrap.dedent(
    """
    import json, os, re, sys
    from pathlib import Path

    import numpy as np
    import xarray as xr

    from mpcf.yearly import reduction, stream

    source, folder, memory = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])

    def points(act):
        'Call act with the kind of each write before it is done.'
        def kind(path):
            name = Path(path).name
            if ".tmp" in str(path) and name != "yearly.zarr.tmp":
                name = "template"
            return re.sub(r"[0-9][0-9.-]*", "N", name)
        for where, name in ((os, "replace"), (os, "rename")):
            def wrapped(a, b, *rest, _call=getattr(where, name), **more):
                act("rename " + kind(b))
                return _call(a, b, *rest, **more)
            setattr(where, name, wrapped)
        save, touch = np.save, Path.touch
        def half(file, values):
            if act("write part"):
                file.write(values.tobytes()[: values.nbytes // 2])
                file.flush()
                os._exit(9)
            save(file, values)
        def marked(path, *rest, **more):
            act("mark " + kind(path))
            touch(path, *rest, **more)
        np.save, Path.touch = half, marked

    def child(work):
        pid = os.fork()
        if pid == 0:
            status = 1
            try:
                work()
                status = 0
            finally:
                os._exit(status)
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])

    # what is slow is done once; threads, zarr's and the parallel kernel's, must not start before
    # a fork
    import pickle
    import dask.array, dask.system, distributed.system, tqdm, zarr.storage
    reduction.reduce_months(pickle.loads((folder / "sample.pickle").read_bytes()))

    def write(path):
        stream.write_yearly(xr.open_zarr(source), path, progress=False, memory=memory)

    def dry():
        kinds = []
        points(kinds.append)
        write(folder / "dry" / "yearly.zarr")
        (folder / "kinds.json").write_text(json.dumps(kinds))

    assert child(dry) == 0
    kinds = json.loads((folder / "kinds.json").read_text())
    chosen = {}
    for number, kind in enumerate(kinds):
        chosen.setdefault(kind, [number, number])[1] = number
    report = []
    for number in sorted({n for pair in chosen.values() for n in pair}):
        path = folder / str(number) / "yearly.zarr"
        def crash():
            seen = []
            def act(kind):
                seen.append(kind)
                if len(seen) == number + 1:
                    if kind == "write part":
                        return True
                    os._exit(9)
            points(act)
            write(path)
        status = child(crash)
        whole = path.exists()
        report.append([kinds[number], status, whole, child(lambda: write(path)), str(path)])
    print(json.dumps(report))
    """
)


def test_a_kill_at_each_write_leaves_nothing_half_written(source, tmp_path, undisturbed):
    sample = xr.open_zarr(source).isel(time=slice(0, 12)).load()
    (tmp_path / "sample.pickle").write_bytes(pickle.dumps(sample))
    done = subprocess.run(
        [sys.executable, "-c", DRIVER, str(source), str(tmp_path), str(SMALL)],
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    kinds = {kind for kind, *_ in report}
    assert {"write part", "rename plan.json", "rename yearly.zarr", "rename .finished"} <= kinds
    assert len(kinds) >= 8
    for kind, crashed, whole, went_on, path in report:
        assert crashed == 9, kind
        assert not whole, f"{kind}: the store was there before it was whole"
        assert went_on == 0, kind
        assert files(path) == undisturbed, kind
        assert [p.name for p in Path(path).parent.iterdir()] == ["yearly.zarr"], kind


@pytest.mark.slow
def test_fifty_random_kills(lazy, tmp_path, undisturbed):
    """Each run is killed at a moment drawn from the time that an undisturbed one takes here."""
    processes = multiprocessing.get_context("forkserver")
    slow_imports = [
        "mpcf.yearly.stream",
        "dask.array",
        "dask.system",
        "distributed.system",
        "zarr.storage",
    ]
    processes.set_forkserver_preload(slow_imports)

    def start(path):
        options = {"progress": False, "memory": SMALL}
        process = processes.Process(target=write_yearly, args=(lazy, path), kwargs=options)
        process.start()
        return process

    for name in ("first", "second"):  # the first waits for the imports
        began = time.monotonic()
        start(tmp_path / name / "yearly.zarr").join()
        whole = time.monotonic() - began
    assert files(tmp_path / "second" / "yearly.zarr") == undisturbed
    rng = np.random.default_rng(1)
    kills, midway = 0, 0
    for run in itertools.count():
        path = tmp_path / str(run) / "yearly.zarr"
        for _ in range(200):
            process = start(path)
            process.join(timeout=rng.uniform(0.0, whole))
            if process.exitcode is not None:
                break
            process.kill()
            process.join()
            kills += 1
            done, steps = remaining(path) or (0, 0)
            midway += 0 < done < steps
        assert process.exitcode == 0, "two hundred runs did not end, or one failed"
        assert files(path) == undisturbed
        if kills >= 50:
            break
    assert midway >= 10, "kills have to come while there is something to lose"


# ----------------------------------------------------------------------------------- Dask clusters


@pytest.fixture
def cluster(tmp_path):
    """A Dask scheduler and two workers, each a process of its own."""
    pytest.importorskip("distributed")
    address = tmp_path / "scheduler.json"
    environment = os.environ | {"DASK_DISTRIBUTED__WORKER__DAEMON": "False"}
    dask = [sys.executable, "-m", "distributed.cli.dask_scheduler"]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "env": environment}
    options = ["--host", "127.0.0.1", "--port", "0", "--no-dashboard"]
    processes = [subprocess.Popen([*dask, *options, "--scheduler-file", str(address)], **quiet)]
    worker = [sys.executable, "-m", "distributed.cli.dask_worker", "--no-nanny", "--no-dashboard"]
    for _ in range(2):
        more = ["--nthreads", "1", "--scheduler-file", str(address)]
        more += ["--local-directory", str(tmp_path / "scratch")]
        processes.append(subprocess.Popen([*worker, *more], **quiet))
    try:
        deadline = time.monotonic() + 60
        while not address.exists() and time.monotonic() < deadline:
            time.sleep(0.1)
        yield json.loads(address.read_text())["address"], processes
    finally:
        for process in processes:
            process.kill()
            process.wait()


def test_a_cluster_gives_the_same_numbers_when_a_worker_dies(
    cluster, source, tmp_path, undisturbed, monkeypatch
):
    address, (_, first, _) = cluster
    monkeypatch.setenv(SCHEDULER_VARIABLE, address)
    from distributed import Client

    with Client(address, set_as_default=False) as client:
        client.wait_for_workers(2, timeout=60)
    path = tmp_path / "out" / "yearly.zarr"
    killed_at = []

    def kill():
        while not killed_at:
            known = remaining(path)
            if known and known[0] >= 2:
                first.kill()
                killed_at.append(known)
            time.sleep(0.005)

    thread = threading.Thread(target=kill, daemon=True)
    thread.start()
    write_yearly(xr.open_zarr(source), path, progress=False, memory=10_000)
    thread.join(timeout=10)
    done, all_steps = killed_at[0]
    assert done < all_steps, "the worker was killed while there was work to do"
    assert first.wait(timeout=10) == -signal.SIGKILL
    assert files(path) == undisturbed


def test_a_scheduler_that_does_not_answer_is_an_error(lazy, tmp_path, monkeypatch):
    monkeypatch.setattr(stream, "CONNECT_SECONDS", 1)
    with pytest.raises(YearlyStopped, match=r"no Dask scheduler answers at tcp://127\.0\.0\.1:9 "):
        write_yearly(lazy, tmp_path / "y.zarr", progress=False, scheduler="tcp://127.0.0.1:9")


def test_a_worker_that_can_not_see_the_folder_says_so(lazy, tmp_path):
    job = jobs.Job(lazy, tmp_path / "elsewhere", SMALL)
    function, *arguments = job.call(("block", 0, (0, 2), (0, 3)))
    with pytest.raises(FileNotFoundError, match="file system that all workers share"):
        function(*arguments)


def test_the_command_line_hands_the_address_on(monkeypatch):
    monkeypatch.setenv(SCHEDULER_VARIABLE, "tcp://old:1")
    seen = []
    monkeypatch.setattr(command, "_chosen", lambda options: seen.append(os.environ.copy()) or 1 / 0)
    with pytest.raises(ZeroDivisionError):
        command.main(["book", "--scheduler", "tcp://127.0.0.1:8786"])
    assert seen[0]["DASK_SCHEDULER_ADDRESS"] == "tcp://127.0.0.1:8786"


# ---------------------------------------------------------------------------------------- progress


def test_progress_is_shown_with_the_time_left(lazy, tmp_path, capsys):
    write_yearly(lazy, tmp_path / "yearly.zarr", memory=SMALL)
    shown = capsys.readouterr().err
    assert f"{steps(lazy)}/{steps(lazy)}" in shown and "<00:00" in shown


def test_progress_can_be_followed_from_another_process(lazy, tmp_path, capsys, monkeypatch):
    path = tmp_path / "yearly.zarr"
    assert remaining(path) is None
    monkeypatch.setattr(progress, "SECONDS_BETWEEN_LOOKS", 0.01)
    with progress.shown(path):
        with monkeypatch.context() as patch, pytest.raises(YearlyStopped):
            fail_after(patch, 3)
            write_yearly(lazy, path, progress=False, memory=SMALL)
        done, all_steps = remaining(path)
        time.sleep(0.3)
    assert f"{done}/{all_steps}" in capsys.readouterr().err
