"""What makes data and chapters stale: real files that change, and code that is imported."""

import json
import os
import shutil
from pathlib import Path

import pandas as pd
import pytest
import yaml

from mpcf import __main__, closure
from mpcf.data import sources
from mpcf.pipeline import chapters, freshness, stamps
from mpcf.pipeline.runs import Run

CATALOGUE = Path(__file__).parents[2] / "catalog.yml"
DEFAULTS = {"01-data": {}, "02-thaw": {}}
NAMES = list(DEFAULTS)
HISTORY = "CASE.clm2.h0.GPP.200001-200012.nc"


@pytest.fixture
def book(tmp_path, monkeypatch):
    """A book of two small chapters, and a function that writes the entry of its source."""
    root = tmp_path / "book"
    (root / "notebooks").mkdir(parents=True)
    shutil.copy(CATALOGUE, root)
    for name in NAMES:
        cell = {"cell_type": "code", "source": ["from mpcf.ground.thaw import permafrost"]}
        (root / "notebooks" / f"{name}.ipynb").write_text(json.dumps({"cells": [cell]}))
    monkeypatch.chdir(root)
    monkeypatch.setenv("MPCF_BUILD", str(root / "built"))
    monkeypatch.setattr(chapters, "parameters", lambda: DEFAULTS)
    for variable in ("IRCC_DATA", "CMIP6_CATALOG", "REALDATA_ROOT"):
        monkeypatch.delenv(variable, raising=False)
    return root


def finish(run):
    """Mark all chapters as run with what is there now."""
    for chapter, inputs in freshness.chapter_inputs(run, DEFAULTS):
        outputs = freshness.outputs_hash(run, chapter)
        stamps.write(freshness.stamp_path(run, chapter), inputs=inputs, outputs=outputs)
    assert chapters.stale_chapters(run) == []


def add_history(folder, *, member="001"):
    path = folder / member / HISTORY
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"netCDF")
    return path


def change(path):
    """Write as many bytes at another time."""
    path.write_bytes(b"x" * path.stat().st_size)
    os.utime(path, ns=(0, path.stat().st_mtime_ns + 1))


def set_entry(book, name, changes, args=None):
    path = book / "catalog.yml"
    document = yaml.safe_load(path.read_text())
    document["sources"][name]["metadata"] |= changes
    document["sources"][name]["args"] |= args or {}
    path.write_text(yaml.safe_dump(document))


# --------------------------------------------------------------------------------- what is read

IRCC = Run("ircc")


def test_files_of_a_folder_are_watched(book, tmp_path, monkeypatch):
    path = add_history(tmp_path / "data")
    monkeypatch.setenv("IRCC_DATA", str(tmp_path / "data"))
    finish(IRCC)
    change(path)
    assert chapters.stale_chapters(IRCC) == NAMES
    finish(IRCC)
    added = add_history(tmp_path / "data", member="002")
    assert chapters.stale_chapters(IRCC) == NAMES
    finish(IRCC)
    added.with_name("CASE.clm2.h1.GPP.200001-200012.nc").touch()
    assert chapters.stale_chapters(IRCC) == [], "the reader passes other streams over"


def test_files_that_a_manifest_lists_are_watched(book, tmp_path, monkeypatch):
    path = add_history(tmp_path / "data")
    manifest = tmp_path / "list.csv"
    manifest.write_text(f"member,variable,url\n001,GPP,data/001/{HISTORY}\n")
    monkeypatch.setenv("IRCC_DATA", str(manifest))
    finish(IRCC)
    change(path)
    assert chapters.stale_chapters(IRCC) == NAMES
    finish(IRCC)
    manifest.write_text(manifest.read_text() + f"002,GPP,data/001/{HISTORY}\n")
    assert chapters.stale_chapters(IRCC) == NAMES


@pytest.mark.parametrize("inner", ["", "lnd/hist"])
def test_files_behind_a_linked_folder_are_watched(book, tmp_path, monkeypatch, inner):
    path = add_history(tmp_path / "archive")
    link = tmp_path / "data" / "001" / inner
    link.parent.mkdir(parents=True)
    link.symlink_to(path.parent, target_is_directory=True)
    monkeypatch.setenv("IRCC_DATA", str(tmp_path / "data"))
    assert sources.input_files("ircc") == [str(link / HISTORY)]
    finish(IRCC)
    change(path)
    assert chapters.stale_chapters(IRCC) == NAMES


def test_links_in_a_circle_end(book, tmp_path, monkeypatch):
    path = add_history(tmp_path / "data")
    (path.parent / "again").symlink_to(tmp_path / "data", target_is_directory=True)
    monkeypatch.setenv("IRCC_DATA", str(tmp_path / "data"))
    assert sources.input_files("ircc") == [str(path)]
    finish(IRCC)


def test_files_below_the_home_folder_are_watched(book, tmp_path, monkeypatch):
    path = add_history(tmp_path / "home" / "data")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("IRCC_DATA", "~/data")
    finish(IRCC)
    change(path)
    assert chapters.stale_chapters(IRCC) == NAMES


@pytest.mark.parametrize("template", ["{{CATALOG_DIR}}/data.zarr", "data.zarr", "*.zarr"])
def test_a_store_and_its_twins_are_watched(book, template):
    chunk, twin = book / "data.zarr" / "tas" / "0.0", book / "twins" / "effects.zarr" / "0"
    for path in (chunk, twin):
        path.parent.mkdir(parents=True)
        path.write_bytes(b"values")
    set_entry(book, "ircc", {"convention": "standard", "truth": "twins"}, {"urlpath": template})
    finish(IRCC)
    change(chunk)
    assert chapters.stale_chapters(IRCC) == NAMES
    finish(IRCC)
    change(twin)
    assert chapters.stale_chapters(IRCC) == NAMES


# ---------------------------------------------------------------------------- a catalogue of CMIP6

CMIP6 = Run("cmip6")


@pytest.fixture
def stores(book, tmp_path, monkeypatch):
    """Write a catalogue of two models, whose stores hold a file each; return its folder."""
    from mpcf.data.readers.cmip6 import TABLES

    rows = []
    for model in ("A", "B"):
        for name, table in {**TABLES, "sftlf": "fx"}.items():
            path = tmp_path / "stores" / model / table / name / "chunk"
            path.parent.mkdir(parents=True)
            path.write_bytes(b"values")
            rows.append([model, "demo", "r1i1p1f1", table, name, "gn", str(path.parent)])
    keys = "source_id experiment_id member_id table_id variable_id grid_label zstore".split()
    pd.DataFrame(rows, columns=keys).to_csv(tmp_path / "stores" / "table.csv", index=False)
    document = {
        "esmcat_version": "0.1.0",
        "id": "test",
        "catalog_file": "table.csv",
        "attributes": [{"column_name": key} for key in keys[:-1]],
        "assets": {"column_name": "zstore", "format": "zarr"},
    }
    (tmp_path / "stores" / "catalog.json").write_text(json.dumps(document))
    monkeypatch.setenv("CMIP6_CATALOG", str(tmp_path / "stores" / "catalog.json"))
    set_entry(book, "cmip6", {"experiments": ["demo"]})
    return tmp_path / "stores"


@pytest.mark.parametrize(
    "name", ["catalog.json", "table.csv", "A/Amon/tas/chunk", "A/fx/sftlf/chunk"]
)
def test_a_catalogue_its_table_and_its_stores_are_watched(stores, name):
    finish(CMIP6)
    path = stores / name
    path.write_bytes(path.read_bytes())
    os.utime(path, ns=(0, path.stat().st_mtime_ns + 1))
    assert chapters.stale_chapters(CMIP6) == NAMES


def test_a_model_that_is_not_chosen_is_not_watched(stores):
    finish(CMIP6)
    change(stores / "B" / "Amon" / "tas" / "chunk")
    assert chapters.stale_chapters(CMIP6) == []


# ---------------------------------------------------------------------------- what can't be watched


def test_an_address_is_not_contacted_and_is_named_once(book, monkeypatch, capsys):
    address = "http://127.0.0.1:9/catalog.json"
    monkeypatch.setenv("CMIP6_CATALOG", address)
    finish(CMIP6)
    assert freshness.unwatched(CMIP6) == [address]
    monkeypatch.setattr(chapters, "execute_chapter", lambda run, chapter, values: None)
    __main__._bring_up_to_date(CMIP6)
    again = ".venv/bin/python -m mpcf run 01 --source cmip6"
    assert capsys.readouterr().out.splitlines() == [
        f"not watched for changes: {address}; to read it again: {again}",
        "chapters: all up to date",
    ]


def test_what_was_read_again_from_an_address_makes_the_chapters_below_stale(book, monkeypatch):
    monkeypatch.setenv("CMIP6_CATALOG", "http://127.0.0.1:9/catalog.json")
    served = ["first"]

    def execute(run, chapter, values):
        path = run.folder / "results" / chapter / "numbers.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(served[0])

    monkeypatch.setattr(chapters, "execute_chapter", execute)
    assert chapters.run_chapters(CMIP6) == NAMES
    assert chapters.run_chapters(CMIP6, last="01-data") == ["01-data"]
    assert chapters.stale_chapters(CMIP6) == []
    served[0] = "second"
    assert chapters.stale_chapters(CMIP6) == []
    chapters.run_chapters(CMIP6, last="01-data")
    assert chapters.run_chapters(CMIP6) == NAMES[1:]


def test_addresses_among_files_are_distinguished(book, tmp_path, monkeypatch):
    path = add_history(tmp_path / "data")
    address = f"https://example.org/{HISTORY}"
    (tmp_path / "list.csv").write_text(
        f"member,variable,url\n001,GPP,{address}\n002,GPP,data/001/{HISTORY}\n"
    )
    monkeypatch.setenv("IRCC_DATA", str(tmp_path / "list.csv"))
    assert freshness.unwatched(IRCC) == [address]
    finish(IRCC)
    change(path)
    assert chapters.stale_chapters(IRCC) == NAMES


def test_a_source_that_is_not_there_stops_no_stamp_and_is_seen_once_it_is(
    book, tmp_path, monkeypatch
):
    finish(IRCC)
    monkeypatch.setenv("IRCC_DATA", str(tmp_path / "data"))
    assert chapters.stale_chapters(IRCC) == NAMES
    finish(IRCC)
    assert freshness.unwatched(IRCC) == []
    add_history(tmp_path / "data")
    assert chapters.stale_chapters(IRCC) == NAMES


# -------------------------------------------------------------------------------------- the code


@pytest.fixture
def package(tmp_path):
    root = tmp_path / "mpcf"
    shutil.copytree(closure.ROOT, root, ignore=shutil.ignore_patterns("__pycache__"))
    return root


def append(path):
    with open(path, "a", encoding="utf-8") as source:
        source.write("# a word\n")


def test_the_ensemble_follows_a_module_that_moves(package):
    known = [freshness.data_inputs(Run(), package)]
    old, new = package / "demo" / "weather.py", package / "ground" / "weather.py"
    old.rename(new)
    together = "from mpcf.demo import column, weather"
    apart = "from mpcf.demo import column\nfrom mpcf.ground import weather"
    for path in package.rglob("*.py"):
        text = path.read_text(encoding="utf-8").replace(together, apart)
        path.write_text(text.replace("mpcf.demo.weather", "mpcf.ground.weather"), encoding="utf-8")
    reached = closure.reached(["from mpcf.demo.store import simulate"], package)
    assert new in reached
    assert old not in reached
    known.append(freshness.data_inputs(Run(), package))
    append(new)
    known.append(freshness.data_inputs(Run(), package))
    assert len(set(known)) == 3


@pytest.mark.parametrize(
    ("name", "is_stale"),
    [
        ("demo/column.py", True),
        ("demo/stations.csv", True),
        ("ground/constants.py", True),
        ("pipeline/site.py", False),
        ("pipeline/freshness.py", False),
        ("figures/maps.py", False),
        ("demo/__pycache__/column.pyc", False),
    ],
)
def test_the_ensemble_is_stale_after_edits_of_what_makes_it_alone(package, name, is_stale):
    before = freshness.data_inputs(Run(), package)
    (package / name).parent.mkdir(exist_ok=True)
    append(package / name)
    assert (freshness.data_inputs(Run(), package) != before) is is_stale


@pytest.mark.parametrize(
    ("name", "stale"),
    [("ground/thaw.py", NAMES), ("demo/column.py", NAMES), ("pipeline/site.py", [])],
)
def test_chapters_are_stale_after_edits_of_what_they_or_their_data_import(
    book, package, name, stale
):
    before = dict(freshness.chapter_inputs(Run(), DEFAULTS, package))
    append(package / name)
    after = dict(freshness.chapter_inputs(Run(), DEFAULTS, package))
    assert [chapter for chapter in NAMES if before[chapter] != after[chapter]] == stale
