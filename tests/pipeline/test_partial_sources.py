"""The chapters themselves on parts of the demonstration: a phase or a variable is missing."""

import json
import shutil
from pathlib import Path

import pytest
import xarray as xr
import yaml

from mpcf.data.needs import CHAPTERS, missing
from mpcf.data.variables import MONTHLY
from mpcf.pipeline import absent, chapters
from mpcf.pipeline.runs import Run

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
FIXED = ("time_bnds", "depth_bnds", "areacella", "sftlf", "sftgif")
RISES = {"warming": [2000, 2050]}
REMOVAL = RISES | {
    "mitigation": [2051, 2116],
    "net removal": [2117, 2240],
    "net-zero": [2241, 2300],
}
PARTS = {
    "upward": ((*MONTHLY,), RISES),
    "removal": ((*MONTHLY,), REMOVAL),
    "frozen": (("tsl",), RISES),
    "water": (("tsl", "mrsll", "mrsfl", "tas"), RISES),
    "le": (("mrsll", "tas", "pr", "snd"), RISES),
}
"""Source → its variables, and its phases."""


@pytest.fixture(scope="module")
def book(tmp_path_factory, quick_demo):
    """A copy of the book whose sources are parts of the small demonstration."""
    folder = tmp_path_factory.mktemp("book")
    for name in ("notebooks", "evidence"):
        shutil.copytree(ROOT / name, folder / name)
    coder = xr.coders.CFDatetimeCoder(use_cftime=True)
    whole = xr.open_zarr(quick_demo, chunks={}, decode_times=coder).drop_encoding()
    demo = yaml.safe_load((ROOT / "catalog.yml").read_text())["sources"]["demo"]
    document = {"metadata": {"version": 1}, "sources": {}}
    for name, (variables, phases) in PARTS.items():
        wanted = {*variables, *FIXED}
        last = max(year for years in phases.values() for year in years)
        part = whole[[v for v in whole.data_vars if v in wanted]]
        part.isel(time=slice(0, 12 * (last - 1999))).to_zarr(folder / f"{name}.zarr", zarr_format=2)
        metadata = demo["metadata"] | {"phases": phases, "truth": None}
        args = {"urlpath": str(folder / f"{name}.zarr")}
        document["sources"][name] = demo | {"args": args, "metadata": metadata}
    records = yaml.safe_load((ROOT / "catalog.yml").read_text())["sources"]
    document["sources"] |= {name: records[name] for name in ("clm_cn", "toolik")}
    (folder / "catalog.yml").write_text(yaml.safe_dump(document, sort_keys=False))
    return folder


@pytest.fixture(scope="module")
def numbers(book):
    """Return a function that runs the chapters on a source, once, and returns its numbers."""
    known = {}

    def of(source):
        if source not in known:
            run = Run(source)
            variables, phases = PARTS[source]
            able = [c for c in CHAPTERS if not missing(c, variables, phases, 4)]
            assert chapters.run_chapters(run) == able
            assert [*absent.left_out(run)] == [c for c in CHAPTERS if c not in able]
            text = (run.folder / "results" / "numbers.json").read_text(encoding="utf-8")
            known[source] = {key: entry["value"] for key, entry in json.loads(text).items()}
        return known[source]

    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(book)
        patch.setenv("MPCF_BUILD", str(book / "_build"))
        yield of


def of_chapters(numbers, *chosen):
    return {key: value for key, value in numbers.items() if key[:2] in chosen and value is not None}


@pytest.mark.parametrize("source", PARTS)
def test_every_chapter_that_can_run_does(numbers, source):
    assert numbers(source)


@pytest.mark.parametrize(("source", "chosen"), [("frozen", ["02"]), ("water", ["02", "03"])])
def test_what_is_missing_changes_no_number_of_the_rest(numbers, source, chosen):
    part, whole = (of_chapters(numbers(name), *chosen) for name in (source, "upward"))
    assert len(part) > 15
    local = "02-permafrost-thaw/sensitivity"  # against warming of the land or of the globe
    for key, value in part.items():
        if not key.startswith(local):
            assert value == pytest.approx(whole[key], rel=1e-12), key


def test_the_warming_is_the_same_whatever_follows(numbers):
    part, whole = (of_chapters(numbers(name), "04") for name in ("upward", "removal"))
    assert part.keys() == whole.keys()
    for key, value in part.items():
        assert value == pytest.approx(whole[key], rel=1e-6), key
