"""The chapters give the same numbers by whichever way the same ensemble comes in."""

import copy
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from .data.readers.helpers import http_server, opendap_server

pytestmark = pytest.mark.round_trip

ROOT = Path(__file__).parents[1]
CHAPTERS = sorted(path.stem for path in (ROOT / "notebooks").glob("*.ipynb"))
LAST, OF_THE_DATA = CHAPTERS[5], CHAPTERS[2]
"""The last chapter on the ensemble alone, and the one up to which all its water is used. What comes
after either works on the yearly data that those before have compared."""

OWN = ("truth.", "source.")
"""Keys of what only the twins know, and of what is said of the demonstration as such."""


@pytest.fixture(scope="module")
def book(tmp_path_factory):
    """A copy of the book; its entries for others' data have the demonstration's years."""
    folder = tmp_path_factory.mktemp("book")
    for name in ("notebooks", "evidence"):
        shutil.copytree(ROOT / name, folder / name)
    catalogue = yaml.safe_load((ROOT / "catalog.yml").read_text(encoding="utf-8"))
    phases = catalogue["sources"]["demo"]["metadata"]["phases"]
    for name in ("ircc", "cmip6"):
        catalogue["sources"][name]["metadata"]["phases"] = copy.deepcopy(phases)
    catalogue["sources"]["cmip6"]["metadata"]["experiments"] = ["demo"]
    (folder / "catalog.yml").write_text(yaml.safe_dump(catalogue), encoding="utf-8")
    return folder


def mpcf(book, *arguments, **variables):
    """Run the command line at quick size in the copy of the book."""
    done = subprocess.run(
        [sys.executable, "-m", "mpcf", *arguments, "--quick"],
        cwd=book,
        env=os.environ | {"MPCF_BUILD": str(book / "_build")} | variables,
        capture_output=True,
        text=True,
        timeout=900,
    )
    assert done.returncode == 0, done.stdout + done.stderr[done.stderr.rfind("error: ") :]


def numbers(book, source, last=LAST, **variables):
    """Run chapters on a source; return their numbers except the source's own."""
    mpcf(book, "run", last, "--source", source, **variables)
    path = book / "_build" / f"{source}-quick" / "results" / "numbers.json"
    records = json.loads(path.read_text(encoding="utf-8"))
    return {k: r for k, r in records.items() if not k.partition("/")[2].startswith(OWN)}


@pytest.fixture(scope="module")
def expected(book):
    return numbers(book, "demo")


@pytest.fixture(scope="module")
def history_files(book, expected):
    mpcf(book, "export", "--layout", "cesm", "cesm")
    return book / "cesm"


def up_to(last, expected):
    """Return the numbers of the chapters up to one of them."""
    return {key: known for key, known in expected.items() if key.partition("/")[0] <= last}


def assert_same(found, expected):
    """Numbers of the same names: counts, texts and gaps exactly, measures to 1e-5 of their size."""
    assert sorted(found) == sorted(expected)
    wanted = {
        key: {**known, "value": pytest.approx(known["value"], rel=1e-5, abs=0)}
        if isinstance(known["value"], float)
        else known
        for key, known in expected.items()
    }
    apart = {key: (found[key], expected[key]) for key in found if found[key] != wanted[key]}
    assert not apart


def test_history_files_of_cesm(book, expected, history_files):
    assert_same(numbers(book, "ircc", IRCC_DATA=str(history_files)), expected)


def test_history_files_by_opendap(book, expected, history_files):
    with opendap_server(history_files) as address:
        lines = ["member,variable,url"]
        for path in sorted(history_files.glob("*/*.nc")):
            variable = path.name.split(".")[-3]
            place = path.relative_to(history_files).as_posix()
            lines.append(f"{path.parent.name},{variable},{address}{place}")
        manifest = book / "manifest.csv"
        manifest.write_text("\n".join(lines), encoding="utf-8")
        found = numbers(book, "ircc", OF_THE_DATA, IRCC_DATA=str(manifest))
    # the chapters after it were run on the files themselves, whose numbers stay in the folder
    assert_same(up_to(OF_THE_DATA, found), up_to(OF_THE_DATA, expected))


def test_stores_of_cmip6_over_http(book, expected):
    mpcf(book, "export", "--layout", "cmip6", "cmip6")
    with http_server(book / "cmip6") as address:
        found = numbers(book, "cmip6", OF_THE_DATA, CMIP6_CATALOG=f"{address}catalog.json")
    assert_same(found, up_to(OF_THE_DATA, expected))
