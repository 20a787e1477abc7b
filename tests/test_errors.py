"""What a user sees of an error: one line with path and remedy, or the traceback of a bug."""

import errno
import os
import resource
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import nbformat
import numpy as np
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from mpcf import __main__, errors, folders
from mpcf.data.export import export
from mpcf.errors import BookError, SystemFault, faults_at, system_fault
from mpcf.pipeline import chapters, measurements
from mpcf.pipeline.runs import Run

ROOT = Path(__file__).parents[1]
WORK = """
import os, pathlib
results = pathlib.Path(os.environ["MPCF_BUILD"], "demo", "results")
(results / "01-data").mkdir(parents=True, exist_ok=True)
for folder in (results, results / "01-data"):
    (folder / "numbers.json").write_text("{}")
"""
CHAPTER = """
import numpy as np, xarray as xr
from mpcf.book.chapter import Chapter
from mpcf.book.source_build import SourceBuild
build = SourceBuild(source, quick=quick)
chapter = Chapter("01-data", build)
"""
SIMULATE = chapters.simulate


def write_chapter(root, *sources):
    """Write the book's only chapter."""
    parameters = new_code_cell('source = "demo"\nquick = False', metadata={"tags": ["parameters"]})
    cells = [new_markdown_cell("# Data"), parameters, *map(new_code_cell, sources)]
    for number, cell in enumerate(cells):
        cell["id"] = f"cell-{number}"
    kernel = {"name": "python3", "display_name": "Python 3 (ipykernel)", "language": "python"}
    path = root / "notebooks" / "01-data.ipynb"
    path.parent.mkdir(exist_ok=True)
    nbformat.write(new_notebook(cells=cells, metadata={"kernelspec": kernel}), path)


@pytest.fixture
def book(tmp_path, monkeypatch):
    """Return the folder of a book with one chapter and one page, whose data need not be made."""
    root = tmp_path / "book"
    (root / "book").mkdir(parents=True)
    for name in ("catalog.yml", "_config.yml"):
        shutil.copy(ROOT / name, root)
    (root / "_toc.yml").write_text(
        "format: jb-book\nroot: book/index\nchapters:\n  - file: notebooks/01-data\n"
    )
    (root / "book" / "index.md").write_text("# Title\n\nText.\n")
    write_chapter(root, WORK)
    monkeypatch.chdir(root)
    monkeypatch.setenv("MPCF_BUILD", str(tmp_path / "built"))
    monkeypatch.setattr(chapters, "simulate", lambda run: False)
    monkeypatch.setattr(measurements, "entries", lambda results, figures: {})
    return root


def give_disk(folder, size):
    """Mount a disk of some bytes; where that is not allowed, return False."""
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)]
    try:
        return subprocess.run(command, capture_output=True, check=False).returncode == 0
    except FileNotFoundError:
        return False


@pytest.fixture
def small_disk(tmp_path, monkeypatch):
    """
    Build on a disk that holds 400 kB.

    Where no disk can be mounted, files longer than 40 kB are refused, to child processes too.
    """
    folder, limit = tmp_path / "disk", resource.getrlimit(resource.RLIMIT_FSIZE)
    monkeypatch.setenv("MPCF_BUILD", str(folder))
    mounted = give_disk(folder, 400_000)
    if not mounted:
        resource.setrlimit(resource.RLIMIT_FSIZE, (40_000, limit[1]))
    yield folder
    if mounted:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)
    resource.setrlimit(resource.RLIMIT_FSIZE, limit)


def fail(capsys, *command):
    """Run a command that fails, and return its one line on the standard error."""
    capsys.readouterr()
    assert __main__.main(command) == 1
    lines = capsys.readouterr().err.splitlines()
    (line,) = [line for line in lines if line.startswith("error: ")]
    assert line == lines[-1]
    assert not any("Traceback" in line for line in lines)
    return line.removeprefix("error: ")


# ------------------------------------------------------------------------------------- one line


def kinds(base=BookError):
    for kind in base.__subclasses__():
        yield kind
        yield from kinds(kind)


@pytest.mark.parametrize("kind", sorted(set(kinds()), key=lambda kind: kind.__name__))
def test_each_kind_is_one_line(kind, monkeypatch, capsys):
    arguments = {
        "ChapterFailed": ("01-data", 3, "no GPP; get the file again"),
        "UnknownName": ("chapter", "dta", ["data"]),
    }.get(kind.__name__, ("no 'GPP'; get the file again",))

    def refuse(options):
        raise kind(*arguments)

    monkeypatch.setattr(__main__, "_sources", refuse)
    assert __main__.main(["sources"]) == 1
    text = {
        "ChapterFailed": "chapter 01-data failed in cell 3: no GPP; get the file again",
        "UnknownName": "unknown chapter 'dta'; did you mean data?",
    }.get(kind.__name__, *arguments[:1])
    assert capsys.readouterr().err == f"error: {text}\n"


def test_every_kind_is_defined_in_one_place():
    assert {kind.__module__ for kind in kinds()} == {errors.__name__}


@pytest.mark.parametrize(
    ("command", "text"),
    [
        ("book --source nowhere", "the catalogue has no entry 'nowhere'"),
        ("book --set depth", "write it as name=value"),
        ("book --set dpth=1", "unknown parameter 'dpth'"),
        ("run 99", "unknown chapter '99'"),
        ("serve --port 0", "there is no site in"),
        ("export --layout cesm .", "is not empty; name a new folder"),
    ],
)
def test_what_a_user_asks_for_wrongly_is_one_line(book, capsys, monkeypatch, command, text):
    monkeypatch.setattr(__main__.sources, "open_source", lambda name, quick: None)
    assert text in fail(capsys, *command.split())


@pytest.mark.parametrize(
    ("name", "content", "text"),
    [
        ("_toc.yml", None, "there is no"),
        ("_toc.yml", "root: [", "is not YAML"),
        ("_toc.yml", "- a", "names no root"),
        ("catalog.yml", None, "no catalog.yml in"),
        ("catalog.yml", "a: [", "is not plain YAML"),
        ("notebooks/01-data.ipynb", None, "no chapter such as 01-data.ipynb"),
        ("notebooks/01-data.ipynb", "", "is not a notebook"),
        ("notebooks/01-data.ipynb", "{}", "is not a notebook"),
        ("notebooks/01-data.ipynb", '{"cells": []}', "has no cell tagged 'parameters'"),
    ],
)
def test_a_broken_file_of_the_book_is_named(book, capsys, name, content, text):
    (book / name).unlink()
    if content is not None:
        (book / name).write_text(content)
    assert text in fail(capsys, "book")


@pytest.mark.parametrize("default", ["(1", "unknown", "1 if"])
def test_a_default_that_is_no_plain_value_is_named(book, capsys, default):
    path = book / "notebooks" / "01-data.ipynb"
    path.write_text(path.read_text().replace("quick = False", f"quick = {default}"))
    assert "01-data.ipynb has no plain value as default" in fail(capsys, "run", "01")


# ---------------------------------------------------------------------------------------- bugs


@pytest.mark.parametrize(
    "bug",
    [
        KeyError("no such key"),
        ValueError("no such value"),
        FileNotFoundError(errno.ENOENT, "No such file or directory", "lost"),
        OSError("of a library"),
    ],
    ids=repr,
)
def test_a_bug_is_no_line_but_what_was_raised(book, monkeypatch, bug):
    def planted(run):
        raise bug

    monkeypatch.setattr(chapters, "simulate", planted)
    with pytest.raises(type(bug)) as raised:
        __main__.main(["simulate"])
    assert raised.value is bug


def test_a_bug_keeps_its_traceback(book):
    code = """
import sys
from mpcf import __main__
from mpcf.pipeline import chapters
chapters.simulate = lambda run: {}["no such key"]
sys.exit(__main__.main(["simulate"]))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith("Traceback")
    assert done.stderr.endswith("KeyError: 'no such key'\n")
    assert "error: no such key" not in done.stderr


def test_a_bug_in_a_chapter_is_named_by_its_kind(book, capsys):
    write_chapter(book, "1", '{}["no such key"]')
    line = fail(capsys, "run", "01")
    log = Run().folder / "logs" / "01-data.txt"
    where = f"(traceback: {log})"
    assert line == f"chapter 01-data failed in cell 4: KeyError: 'no such key' {where}"
    assert "Traceback" in log.read_text()


def test_what_a_user_can_fix_in_a_chapter_is_its_message_alone(book, capsys):
    write_chapter(book, CHAPTER, 'build.read("yearly")')
    line = fail(capsys, "run", "01")
    assert "failed in cell 4: there is no yearly.zarr of source 'demo' yet; make it with: " in line


# ---------------------------------------------------------------------------------------- full disk

NO_SPACE = "free some space, or build on another disk with MPCF_BUILD=<folder>"


def test_a_disk_that_is_full_for_the_demonstration(book, small_disk, capsys, monkeypatch):
    monkeypatch.setattr(chapters, "simulate", SIMULATE)
    for number in range(11):
        (small_disk / f"filler-{number}").write_bytes(bytes(32_000))
    line = fail(capsys, "simulate", "--quick")
    assert line.startswith(f"{small_disk / 'demo-quick' / 'data'}")
    assert NO_SPACE in line


def test_a_disk_that_is_full_for_a_result(book, small_disk, capsys):
    save = 'build.save(xr.Dataset({"a": ("x", np.random.rand(100_000))}), "01-data/big")'
    write_chapter(book, CHAPTER, save)
    line = fail(capsys, "run", "01")
    path = small_disk / "demo" / "results" / "01-data" / "big.nc"
    assert line.startswith(f"chapter 01-data failed in cell 4: {path}: ")
    assert NO_SPACE in line


def test_a_disk_that_is_full_for_a_figure(book, small_disk, capsys):
    write_chapter(
        book,
        CHAPTER,
        "import matplotlib.pyplot as plt; fig, axes = plt.subplots(figsize=(9, 9))\n"
        "axes.imshow(np.random.rand(2000, 2000), interpolation='none')\n"
        'chapter.figure(fig, "noise", caption="Noise.", alt="Noise")',
    )
    line = fail(capsys, "run", "01")
    path = small_disk / "demo" / "results" / "01-data" / "noise.png"
    assert line.startswith(f"chapter 01-data failed in cell 4: {path}: ")
    assert NO_SPACE in line


def test_a_disk_that_is_full_for_the_executed_notebook(book, small_disk, capsys):
    write_chapter(book, 'print("0" * 600_000)')
    line = fail(capsys, "run", "01")
    assert line.startswith(f"{small_disk / 'demo' / 'notebooks' / '.01-data.part.ipynb'}: ")
    assert NO_SPACE in line


def test_a_disk_that_is_full_for_the_pages(book, small_disk, capsys):
    (book / "book" / "picture.png").write_bytes(os.urandom(500_000))
    line = fail(capsys, "book")
    assert line.startswith(f"{small_disk / 'demo' / 'stage'}")
    assert NO_SPACE in line


def test_a_disk_that_is_full_for_the_site(book, small_disk, capsys):
    line = fail(capsys, "book")
    assert line.startswith(f"{small_disk / 'demo' / 'render'}")
    assert NO_SPACE in line
    assert not (small_disk / "demo" / "html").exists()


@pytest.mark.parametrize("layout", __main__.LAYOUTS)
def test_a_disk_that_is_full_for_exported_data(small_disk, monthly, layout):
    rng = np.random.default_rng(0)
    wide = monthly.isel(lat=[0, 0], lon=np.resize([0, 1], 1000))
    wide = wide.assign_coords(lat=[60.0, 64.0], lon=np.linspace(-9, 9, 1000))
    wide["gpp"] = wide["gpp"] * rng.random(wide["gpp"].shape)
    with pytest.raises(SystemFault, match=NO_SPACE) as fault:
        export(wide, small_disk / "out", layout, {})
    assert str(small_disk) in str(fault.value)
    assert not (small_disk / "out").exists()


def test_a_disk_that_is_full_for_a_text(small_disk):
    path = small_disk / "numbers.json"
    folders.write_atomic(path, "old")
    with pytest.raises(SystemFault, match=NO_SPACE) as fault:
        folders.write_atomic(path, "0" * 600_000)
    assert str(fault.value).startswith(f"{path}: ")
    assert path.read_text() == "old"
    assert os.listdir(small_disk) == ["numbers.json"]


# --------------------------------------------------------------------------- in the way, forbidden

IN_THE_WAY = "move what is there out of the way, or build elsewhere with MPCF_BUILD=<folder>"
NO_PERMISSION = "make it readable and writable for you, or build elsewhere: MPCF_BUILD=<folder>"
COMMANDS = ["book", "run 01", "simulate", "site", "golden", "export --layout cesm out"]


@pytest.mark.parametrize("command", COMMANDS)
def test_a_file_in_the_place_of_the_build_folder(book, tmp_path, capsys, command):
    (tmp_path / "built").touch()
    line = fail(capsys, *command.split())
    assert line == f"{tmp_path / 'built'}: Not a directory; {IN_THE_WAY}"


@pytest.mark.parametrize("name", ["stamps", "notebooks", "previous", "logs", "stamps/01-data.json"])
def test_something_in_the_place_of_what_a_chapter_writes(book, capsys, name):
    place = Run().folder / name
    if name.endswith(".json"):
        place.mkdir(parents=True)
    else:
        place.parent.mkdir(parents=True)
        place.touch()
    line = fail(capsys, "run", "01")
    assert line.startswith(f"{place}: ")
    assert line.endswith(IN_THE_WAY)


@pytest.mark.parametrize("name", ["results/numbers.json", "results/01-data/big.nc"])
def test_a_folder_in_the_place_of_a_result(book, capsys, name):
    # the second folder is made by the chapter: what an earlier run left is put aside
    make = f"(build.folder / '{name}').mkdir(parents=True)"
    write_chapter(book, CHAPTER, make, "build.save(xr.Dataset(), '01-data/big'); chapter.finish()")
    line = fail(capsys, "run", "01")
    place = Run().folder / name
    assert line.startswith(f"chapter 01-data failed in cell 5: {place}: Is a directory; ")
    assert IN_THE_WAY in line


@pytest.mark.parametrize("name", ["stage", "render"])
def test_a_file_in_the_place_of_what_the_site_is_made_in(book, capsys, name):
    (Run().folder / name).parent.mkdir(parents=True)
    (Run().folder / name).touch()
    line = fail(capsys, "book")
    assert line.startswith(f"{Run().folder / name}: ")
    assert line.endswith(IN_THE_WAY)


def test_a_file_in_the_place_where_data_are_made(book, capsys, monkeypatch):
    monkeypatch.setattr(chapters, "simulate", SIMULATE)
    place = Run(quick=True).folder / "data.part"
    place.parent.mkdir(parents=True)
    place.touch()
    line = fail(capsys, "simulate", "--quick")
    assert line == f"{place}: File exists; {IN_THE_WAY}"


@pytest.mark.parametrize("number", [errno.EACCES, errno.EROFS])
@pytest.mark.parametrize("command", COMMANDS)
def test_a_build_folder_that_may_not_be_made(book, tmp_path, capsys, monkeypatch, number, command):
    def refuse(path, *arguments, **options):
        raise OSError(number, os.strerror(number), path)

    monkeypatch.setattr(os, "mkdir", refuse)  # root may write everywhere
    line = fail(capsys, *command.split())
    assert line == f"{tmp_path}: {os.strerror(number)}; {NO_PERMISSION}"


@pytest.mark.parametrize("name", ["stamps", "notebooks"])
def test_a_folder_that_may_not_be_written(book, capsys, monkeypatch, name):
    place, write = Run().folder / name, open
    place.mkdir(parents=True)

    def guarded(path, mode="r", *arguments, **options):
        if "w" in mode and Path(path).parent == place:
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
        return write(path, mode, *arguments, **options)

    monkeypatch.setattr("builtins.open", guarded)
    line = fail(capsys, "run", "01")
    assert line == f"{place}: Permission denied; {NO_PERMISSION}"


def test_golden_numbers_in_a_checkout_that_may_not_be_written(book, capsys, monkeypatch):
    monkeypatch.setattr(chapters, "run_chapters", lambda run, last=None: [])
    numbers = Run(quick=True).folder / "results" / "numbers.json"
    numbers.parent.mkdir(parents=True)
    numbers.write_text("{}")
    (book / "tests").touch()
    assert fail(capsys, "golden") == f"{book / 'tests'}: Not a directory; {IN_THE_WAY}"


# ------------------------------------------------------------------- errors of the operating system


@pytest.mark.parametrize(
    ("error", "place"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), "here"),
        (OSError(errno.ENOSPC, "No space left on device", "named"), "named"),
        (OSError(errno.ENOSPC, "No space left on device", "from", None, "to"), "to"),
        (shutil.Error([("a", "b", "[Errno 28] No space left on device: 'a' -> 'b'")]), "b"),
        (shutil.Error([("a", "b", "[Errno 28] No space left on device")]), "here"),
        ("OSError: [Errno 28] No space left on device: 'page.html'", "page.html"),
        (OSError("1000 requested and 24 written"), "here"),
    ],
)
def test_a_fault_names_the_place(error, place):
    line = str(system_fault(error, "here"))
    assert line.startswith(f"{place}: No space left on device; {NO_SPACE}")


@pytest.mark.parametrize(
    "error", [OSError("of a library"), FileNotFoundError(errno.ENOENT, "lost", "a"), "KeyError: 28"]
)
def test_what_no_user_can_fix_is_no_fault(error):
    assert system_fault(error, "here") is None


def test_the_inner_place_is_named(tmp_path):
    with pytest.raises(SystemFault, match=r"^inner: "), faults_at("outer"), faults_at("inner"):
        raise OSError(errno.ENOSPC, "No space left on device")


# -------------------------------------------------------------------------------------- Ctrl+C


def test_ctrl_c_is_a_short_line_and_exit_status_130(book):
    write_chapter(
        book,
        "import os, pathlib, time\n"
        "pathlib.Path('../running.part').write_text(str(os.getpid()))\n"
        "pathlib.Path('../running.part').rename('../running'); time.sleep(300)",
    )
    code = "import sys; from mpcf import __main__; from mpcf.pipeline import chapters\n"
    code += "chapters.simulate = lambda run: False; sys.exit(__main__.main(['run', '01']))"
    run = subprocess.Popen(
        [sys.executable, "-c", code], stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    try:
        while not (book / "running").exists():
            assert run.poll() is None, run.communicate()
            time.sleep(0.05)
        os.killpg(run.pid, signal.SIGINT)
        error = run.communicate(timeout=120)[1]
    finally:
        run.kill()
    assert run.returncode == 130
    assert error.endswith("\nstopped\n")
    assert "Traceback" not in error
    with pytest.raises(ProcessLookupError):
        os.kill(int((book / "running").read_text()), 0)
    with folders.lock(Run().folder):
        pass
