"""The line of chapters, on three small notebooks that only write a file."""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import nbformat
import pytest
import yaml
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from mpcf import __main__
from mpcf.errors import ChapterFailed, UnknownName
from mpcf.pipeline import chapters, contents, execution, runs
from mpcf.pipeline.runs import Run
from mpcf.yearly import progress

CATALOGUE = Path(__file__).parents[2] / "catalog.yml"
NAMES = ["01-data", "02-thaw", "07-reality-check"]
PARAMETERS = 'source = "demo"\nquick = False\ndepth = 1.0\nuptake = "nep"'
WORK = """
import json, os, pathlib
folder = pathlib.Path(os.environ["MPCF_BUILD"], "demo", "results", "{name}")
folder.mkdir(parents=True, exist_ok=True)
(folder / "numbers.json").write_text(json.dumps([source, quick, depth, uptake]))
with open(pathlib.Path(os.environ["MPCF_BUILD"], "log"), "a") as log:
    log.write("{name}\\n")
"""
IMPORTS = """
def draw():
    from mpcf.figures.maps import polar_maps
"""
RUN = Run()


def write_notebook(path, *sources, parameters=PARAMETERS):
    cells = [new_markdown_cell("# Title"), *map(new_code_cell, sources)]
    if parameters:
        cells.insert(1, new_code_cell(parameters, metadata={"tags": ["parameters"]}))
    for number, cell in enumerate(cells):
        cell["id"] = f"cell-{number}"
    path.parent.mkdir(parents=True, exist_ok=True)
    kernel = {"name": "python3", "display_name": "Python 3 (ipykernel)", "language": "python"}
    nbformat.write(new_notebook(cells=cells, metadata={"kernelspec": kernel}), path)


def make_book(root):
    shutil.copy(CATALOGUE, root)
    for name in NAMES:
        uses = IMPORTS if name == "02-thaw" else ""
        write_notebook(root / "notebooks" / f"{name}.ipynb", WORK.format(name=name) + uses)
    return root


@pytest.fixture(scope="session")
def finished(tmp_path_factory):
    """A book whose chapters have run, kept for copies."""
    root = make_book(tmp_path_factory.mktemp("finished"))
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(root)
        patch.setenv("MPCF_BUILD", str(root / "built"))
        patch.delenv("REALDATA_ROOT", raising=False)
        assert chapters.run_chapters(RUN) == NAMES
    return root


def enter(monkeypatch, root):
    monkeypatch.chdir(root)
    monkeypatch.setenv("MPCF_BUILD", str(root / "built"))
    monkeypatch.delenv("REALDATA_ROOT", raising=False)
    return root


@pytest.fixture
def book(finished, tmp_path, monkeypatch):
    root = tmp_path / "book"
    shutil.copytree(finished, root)
    return enter(monkeypatch, root)


@pytest.fixture
def new_book(tmp_path, monkeypatch):
    return enter(monkeypatch, make_book(tmp_path))


# ------------------------------------------------------------------------------------- running


def test_chapters_run_in_order_and_leave_their_sources_alone(finished):
    assert (finished / "built" / "log").read_text().split() == NAMES
    for name in NAMES:
        source = nbformat.read(finished / "notebooks" / f"{name}.ipynb", as_version=4)
        assert all(not cell.get("outputs") for cell in source.cells)
        assert (finished / "built" / "demo" / "notebooks" / f"{name}.ipynb").is_file()


def test_no_path_of_this_machine_is_kept(finished):
    path = finished / "built" / "demo" / "notebooks" / "01-data.ipynb"
    assert str(finished) not in path.read_text()


def test_settings_reach_the_chapters_and_their_pages(book):
    run = Run(settings=runs.read_settings(["depth=3", "uptake=gpp-hr"]))
    assert chapters.run_chapters(run, last="01-data") == ["01-data"]
    written = json.loads((book / "built/demo/results/01-data/numbers.json").read_text())
    assert written == ["demo", False, 3.0, "gpp-hr"]
    path = book / "built/demo/notebooks/01-data.ipynb"
    shown = [c.source for c in nbformat.read(path, as_version=4).cells if c.cell_type == "code"]
    assert [source for source in shown if "depth = " in source] == [
        'source = "demo"\nquick = False\ndepth = 3.0\nuptake = "gpp-hr"'
    ]
    assert "injected-parameters" not in path.read_text()


def test_shown_parameters_keep_their_comments_and_the_text_of_what_is_default():
    source = """# choose
source = "demo"  # an entry
depth = 1.0  # m; or 0.1, 3.0
season = 'year'
models = [
    "a",
]  # none"""
    values = {"source": "ircc", "depth": 3.0, "season": "year", "models": [], "other": 1}
    assert (
        execution._with_values(source, values)
        == """# choose
source = "ircc"  # an entry
depth = 3.0  # m; or 0.1, 3.0
season = 'year'
models = []  # none"""
    )


def test_bar_of_the_yearly_data_ends_before_the_next_chapter(book, monkeypatch):
    said = []

    @contextlib.contextmanager
    def shown(path):
        said.append(path.name)
        yield
        said.append("end")

    monkeypatch.setattr(progress, "shown", shown)
    monkeypatch.setattr(chapters, "execute_chapter", lambda run, name, values: said.append(name))
    chapters.run_chapters(Run(settings={"depth": 3.0}))
    assert said == ["yearly.zarr", "01-data", "end", *NAMES[1:]]


def test_chapter_that_is_requested_runs_even_if_nothing_has_changed(book):
    assert chapters.run_chapters(RUN, last="02-thaw") == ["02-thaw"]
    assert chapters.stale_chapters(RUN) == []


def test_provenance_is_kept(book):
    stamp = chapters.provenance(RUN)["01-data"]
    assert stamp["parameters"] == {
        "source": "demo",
        "quick": False,
        "depth": 1.0,
        "uptake": "nep",
    }
    assert stamp["versions"]["numpy"]


# ------------------------------------------------------------------------------------- staleness


def test_nothing_is_stale_after_a_run(book):
    assert chapters.stale_chapters(RUN) == []
    assert chapters.run_chapters(RUN) == []
    assert (book / "built" / "log").read_text().split() == NAMES


def test_edited_chapter_makes_it_and_those_below_stale(book):
    write_notebook(book / "notebooks/02-thaw.ipynb", WORK.format(name="02-thaw"), "1 + 1")
    assert chapters.stale_chapters(RUN) == NAMES[1:]


def test_results_changed_by_hand_make_their_chapter_stale(book):
    (book / "built/demo/results/02-thaw/numbers.json").write_text("{}")
    assert chapters.stale_chapters(RUN) == ["02-thaw"]
    assert chapters.run_chapters(RUN) == ["02-thaw"]
    assert chapters.stale_chapters(RUN) == []


def test_missing_executed_notebook_makes_its_chapter_stale(book):
    (book / "built/demo/notebooks/01-data.ipynb").unlink()
    assert chapters.stale_chapters(RUN) == ["01-data"]


def test_changed_yearly_data_make_the_first_chapter_stale(book):
    (book / "built/demo/yearly.zarr").mkdir()
    (book / "built/demo/yearly.zarr/c.0").write_bytes(b"0")
    assert chapters.stale_chapters(RUN) == ["01-data"]


def test_changed_models_make_the_chapter_that_compares_them_stale(book):
    work = WORK.format(name="02-thaw")
    comparing = PARAMETERS + "\nmodels = []"
    write_notebook(book / "notebooks/02-thaw.ipynb", work, parameters=comparing)
    run = Run(settings=runs.read_settings(["models=['other']"]))
    assert chapters.run_chapters(run) == NAMES[1:]
    (book / "built/other/yearly.zarr").mkdir(parents=True)
    (book / "built/other/yearly.zarr/c.0").write_bytes(b"0")
    assert chapters.stale_chapters(run) == NAMES[1:]
    assert chapters.stale_chapters(Run()) == NAMES[1:], "they were run with other models"


def test_changed_parameter_makes_all_stale(book):
    assert chapters.stale_chapters(Run(settings={"depth": 3.0})) == NAMES


@pytest.mark.parametrize(
    ("entry", "stale"), [("demo", NAMES), ("toolik", NAMES[2:]), ("ircc", []), (None, [])]
)
def test_changed_entry_makes_stale_what_reads_it(book, entry, stale):
    change_entry(book, entry)
    assert chapters.stale_chapters(RUN) == stale


def test_changed_entry_of_a_model_makes_its_comparison_stale(book):
    comparing = PARAMETERS + "\nmodels = []"
    write_notebook(book / "notebooks/02-thaw.ipynb", "1", parameters=comparing)
    run = Run(settings={"models": ["ircc"]})
    assert chapters.run_chapters(run) == NAMES[1:]
    change_entry(book, "cmip6")
    assert chapters.stale_chapters(run) == []
    change_entry(book, "ircc")
    assert chapters.stale_chapters(run) == NAMES[1:]


def change_entry(book, name):
    """Change an entry's description; without a name, write the same entry in another way."""
    path = book / "catalog.yml"
    catalogue = yaml.safe_load(path.read_text())
    if name:
        catalogue["sources"][name]["description"] = "Another."
    path.write_text(yaml.safe_dump(catalogue))


def test_records_concern_the_reality_check_alone(book, tmp_path, monkeypatch):
    record = tmp_path / "records" / "toolik-nrcs" / "Toolik_AllYears.csv"
    record.parent.mkdir(parents=True)
    record.write_text("1")
    monkeypatch.setenv("REALDATA_ROOT", str(tmp_path / "records"))
    assert chapters.run_chapters(RUN) == ["07-reality-check"]
    assert chapters.run_chapters(RUN) == []
    record.write_text("2")
    assert chapters.stale_chapters(RUN) == ["07-reality-check"]


# ------------------------------------------------------------------------------------- failures


def test_run_stops_at_a_failure_and_says_where(new_book):
    write_notebook(
        new_book / "notebooks/02-thaw.ipynb", "depth = depth", "1 / 0", WORK.format(name="02-thaw")
    )
    with pytest.raises(ChapterFailed) as failed:
        chapters.run_chapters(RUN)
    assert failed.value.chapter == "02-thaw"
    assert failed.value.cell == 4
    assert failed.value.error == "ZeroDivisionError: division by zero"
    assert str(failed.value).startswith("chapter 02-thaw failed in cell 4: ZeroDivisionError")
    built = new_book / "built"
    assert (built / "log").read_text().split() == ["01-data"]
    assert os.listdir(built / "demo/notebooks") == ["01-data.ipynb"]
    write_notebook(new_book / "notebooks/02-thaw.ipynb", WORK.format(name="02-thaw"))
    assert chapters.run_chapters(RUN) == NAMES[1:]


def test_failure_is_one_line_and_exit_status_1(new_book, monkeypatch, capsys):
    write_notebook(new_book / "notebooks/01-data.ipynb", "raise ValueError('no GPP')")
    monkeypatch.setattr(chapters, "simulate", lambda run: False)
    monkeypatch.setattr(contents, "check_contents", lambda: None)
    assert __main__.main(["book"]) == 1
    said = capsys.readouterr().err
    log = new_book / "built/demo/logs/01-data.txt"
    assert "Traceback" not in said
    assert said.strip().splitlines()[-1] == (
        f"error: chapter 01-data failed in cell 3: ValueError: no GPP (traceback: {log})"
    )
    assert "raise ValueError('no GPP')" in log.read_text()
    assert not (new_book / "built/demo/html").exists()


def test_log_of_a_failure_goes_once_the_chapter_runs(book):
    log = book / "built/demo/logs/02-thaw.txt"
    log.parent.mkdir()
    log.touch()
    chapters.run_chapters(RUN, last="02-thaw")
    assert not log.exists()


def test_failed_chapter_keeps_the_numbers_of_its_last_good_run(book):
    results = book / "built/demo/results/02-thaw"
    (results / "map.png").touch()
    work = WORK.format(name="02-thaw")
    write_notebook(book / "notebooks/02-thaw.ipynb", work.replace("depth", "99"), "1 / 0")
    for _ in range(2):
        with pytest.raises(ChapterFailed):
            chapters.run_chapters(RUN)
        assert json.loads((results / "numbers.json").read_text()) == ["demo", False, 1.0, "nep"]
        assert (results / "map.png").exists()
    assert chapters.stale_chapters(RUN) == NAMES[1:]
    write_notebook(book / "notebooks/02-thaw.ipynb", work.replace("depth", "99"))
    assert chapters.run_chapters(RUN) == NAMES[1:]
    assert json.loads((results / "numbers.json").read_text()) == ["demo", False, 99, "nep"]
    assert not (results / "map.png").exists()
    assert os.listdir(book / "built/demo/previous") == []


def test_dead_process_is_a_failure(new_book):
    write_notebook(new_book / "notebooks/01-data.ipynb", "1", "import os; os._exit(1)")
    with pytest.raises(ChapterFailed, match=r"01-data failed in cell 4: its Python process died"):
        chapters.run_chapters(RUN)


def test_build_that_was_killed_resumes_where_it_was(new_book):
    waiting = WORK.format(name="02-thaw") + "import time\nif not wait.exists(): time.sleep(60)"
    write_notebook(
        new_book / "notebooks/02-thaw.ipynb",
        'import pathlib; wait = pathlib.Path("../go-on")',
        waiting,
    )
    code = "from mpcf.pipeline import chapters, runs; chapters.run_chapters(runs.Run())"
    killed = subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.DEVNULL)
    log = new_book / "built" / "log"
    end = time.monotonic() + 300
    while not (log.exists() and "02-thaw" in log.read_text()):
        assert time.monotonic() < end
        assert killed.poll() is None
        time.sleep(0.1)
    killed.send_signal(signal.SIGKILL)
    killed.wait()
    (new_book / "go-on").touch()
    assert chapters.run_chapters(RUN) == NAMES[1:]


# ------------------------------------------------------------------------------------- names


@pytest.mark.parametrize("text", ["02", "2", "thaw", "02-thaw"])
def test_chapter_is_found_by_number_or_name(book, text):
    assert runs.find_chapter(text) == "02-thaw"


def test_unknown_chapter_suggests_the_closest(book):
    with pytest.raises(UnknownName, match="unknown chapter '02-thw'; did you mean 02-thaw"):
        runs.find_chapter("02-thw")
    with pytest.raises(UnknownName, match="valid names: 01-data, 02-thaw, 07-reality-check"):
        runs.find_chapter("99")


def test_unknown_parameter_suggests_the_closest(book):
    with pytest.raises(UnknownName, match="unknown parameter 'dept'; did you mean depth"):
        runs.read_settings(["dept=1"])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("depth", "write it as name=value"),
        ("depth=deep", "expected a float such as 1.0"),
        ("source=ircc", "its own option: --source"),
    ],
)
def test_wrong_settings_say_what_is_wrong(book, text, message):
    with pytest.raises(ValueError, match=message):
        runs.read_settings([text])


def test_notebook_without_parameters_is_named(book):
    write_notebook(book / "notebooks/02-thaw.ipynb", "1", parameters=None)
    with pytest.raises(ValueError, match=r"02-thaw\.ipynb has no cell tagged 'parameters'"):
        runs.parameters()


def test_unknown_source_is_one_line_and_exit_status_1(book, capsys):
    assert __main__.main(["book", "--source", "irc"]) == 1
    error = capsys.readouterr().err
    assert error.startswith("error: ")
    assert "ircc" in error
    assert len(error.splitlines()) == 1


def test_unknown_model_is_refused_before_anything_is_run(book, monkeypatch, capsys):
    comparing = PARAMETERS + "\nmodels = []"
    write_notebook(book / "notebooks/02-thaw.ipynb", "1", parameters=comparing)
    monkeypatch.setattr(chapters, "simulate", lambda run: pytest.fail("it ran"))
    assert __main__.main(["run", "02", "--set", "models=['irc']"]) == 1
    error = capsys.readouterr().err
    assert error == "error: the catalogue has no entry 'irc'; did you mean ircc?\n"
