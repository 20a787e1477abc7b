"""The same yearly data and numbers, by whichever way the same ensemble comes in."""

import copy
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
import yaml

from .data.readers.helpers import http_server, opendap_server

pytestmark = pytest.mark.round_trip

ROOT = Path(__file__).parents[1]
LAST = "03-moisture-trends"
"""The chapter up to which sources are run. What comes after works on the yearly data alone, and
those are compared variable by variable."""

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


def results(book, source, **variables):
    """Run chapters on a source; return its numbers except its own, and its yearly data."""
    mpcf(book, "run", LAST, "--source", source, **variables)
    folder = book / "_build" / f"{source}-quick"
    records = json.loads((folder / "results" / "numbers.json").read_text(encoding="utf-8"))
    numbers = {k: r for k, r in records.items() if not k.partition("/")[2].startswith(OWN)}
    return numbers, xr.open_zarr(folder / "yearly.zarr", chunks=None).load()


@pytest.fixture(scope="module")
def expected(book):
    return results(book, "demo")


@pytest.fixture(scope="module")
def history_files(book, expected):
    mpcf(book, "export", "--layout", "cesm", "cesm")
    return book / "cesm"


def assert_same(found, expected):
    """The same names: counts, texts and gaps exactly, measures to 1e-5 of their size."""
    (found, years), (expected, wanted_years) = found, expected
    assert set(years) == set(wanted_years)
    for name, wanted in wanted_years.items():
        one = years[name].transpose(*wanted.dims)
        size = float(np.nanmax(np.abs(wanted.values))) if wanted.dtype.kind == "f" else 0.0
        np.testing.assert_allclose(one, wanted, rtol=1e-5, atol=1e-5 * size, err_msg=name)
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
    assert_same(results(book, "ircc", IRCC_DATA=str(history_files)), expected)


@pytest.mark.slow
def test_history_files_by_opendap(book, expected, history_files):
    with opendap_server(history_files) as address:
        lines = ["member,variable,url"]
        for path in sorted(history_files.glob("*/*.nc")):
            variable = path.name.split(".")[-3]
            place = path.relative_to(history_files).as_posix()
            lines.append(f"{path.parent.name},{variable},{address}{place}")
        manifest = book / "manifest.csv"
        manifest.write_text("\n".join(lines), encoding="utf-8")
        assert_same(results(book, "ircc", IRCC_DATA=str(manifest)), expected)


@pytest.mark.slow
def test_stores_of_cmip6_over_http(book, expected):
    mpcf(book, "export", "--layout", "cmip6", "cmip6")
    with http_server(book / "cmip6") as address:
        found = results(book, "cmip6", CMIP6_CATALOG=f"{address}catalog.json")
    assert_same(found, expected)
