"""The demonstration, written as raw model output and read back through the catalogue."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
import yaml

from mpcf import __main__ as command
from mpcf.data import catalog, sources
from mpcf.data.checks import check_monthly
from mpcf.data.export import export
from mpcf.errors import InvalidChoice
from mpcf.yearly.reduction import to_yearly

from .readers.helpers import assert_same, http_server, make_ensemble

ROOT = Path(__file__).parents[2]
PHASES = {"warming": (2000, 2001), "mitigation": (2002, 2002), "net-zero": (2003, 2003)}


@pytest.fixture(scope="module")
def part(quick_demo):
    """Return four years of two members of the small demonstration ensemble."""
    times = xr.coders.CFDatetimeCoder(use_cftime=True)
    with xr.open_dataset(quick_demo, engine="zarr", decode_times=times, chunks={}) as demo:
        yield demo.isel(member=[0, 2], time=slice(0, 48)).drop_vars(["lat_bnds", "lon_bnds"])


@pytest.fixture
def book(tmp_path, monkeypatch):
    shutil.copy(ROOT / "catalog.yml", tmp_path)
    monkeypatch.chdir(tmp_path)
    for variable in ("MPCF_BUILD", "IRCC_DATA", "CMIP6_CATALOG"):
        monkeypatch.delenv(variable, raising=False)
    return tmp_path


def add_entry(book, folder):
    """Follow the instructions in the exported folder."""
    document = yaml.safe_load((book / "catalog.yml").read_text())
    document["sources"] |= yaml.safe_load((folder / "catalog-entry.yml").read_text())
    (book / "catalog.yml").write_text(yaml.safe_dump(document))


@pytest.mark.parametrize("layout", ["cesm", "cmip6"])
def test_the_demonstration_comes_back_exactly_through_the_catalogue(book, part, layout):
    export(part, book / "out", layout, PHASES, years=2)
    add_entry(book, book / "out")
    assert catalog.entry("exported").phases == PHASES
    found = sources.open_source("exported")
    expected = part
    if layout == "cmip6":  # CMIP6 members have names, and are renumbered
        assert found.attrs["mpcf_members"] == "1 = r1i1p1f1, 2 = r3i1p1f1"
        expected = part.assign_coords(member=[1, 2])
    assert_same(found, expected)
    assert found.attrs["is_synthetic"] == "true"
    assert len(check_monthly(found)) == len(check_monthly(part))
    assert_same(sources.open_source("exported", quick=True), expected)
    xr.testing.assert_equal(
        to_yearly(found.load()).drop_attrs(), to_yearly(expected.load()).drop_attrs()
    )


def test_the_mark_of_synthetic_data_outlives_the_entry(book):
    export(make_ensemble(), book / "out", "cesm", PHASES)
    assert "is_synthetic: true" in (book / "out" / "catalog-entry.yml").read_text()
    document = yaml.safe_load((book / "catalog.yml").read_text())
    assert document["sources"]["ircc"]["metadata"]["is_synthetic"] is False
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("IRCC_DATA", str(book / "out"))
        assert sources.is_synthetic("ircc")
        assert sources.open_source("ircc").attrs["is_synthetic"] == "true"


def test_the_public_catalogue_can_be_overridden(book, monkeypatch):
    export(make_ensemble(), book / "out", "cmip6", PHASES)
    with http_server(book / "out") as address:
        monkeypatch.setenv("CMIP6_CATALOG", f"{address}catalog.json")
        text = (book / "catalog.yml").read_text().replace("[esm-bell-1000PgC]", "[demo]")
        (book / "catalog.yml").write_text(text)
        assert_same(sources.open_source("cmip6"), make_ensemble())
        assert sources.is_synthetic("cmip6")


@pytest.mark.parametrize("layout", ["cesm", "cmip6"])
def test_files_look_like_those_of_the_model(tmp_path, layout):
    export(make_ensemble(), tmp_path / "out", layout, PHASES, years=3)
    if layout == "cmip6":
        place = "CMIP6/MPCF/MPCF/MPCF-demo/demo/r2i1p1f1/Lmon/gpp/gn/v20000101"
        raw = xr.open_zarr(tmp_path / "out" / place, decode_times=False)
        assert raw["gpp"].attrs["units"] == "kg m-2 s-1"
        assert raw.attrs["mpcf_synthetic"] == "true"
        assert float(raw["lon"].min()) >= 0
        return
    names = sorted(p.name for p in (tmp_path / "out" / "002").glob("*.GPP.*"))
    assert names == [f"b.mpcf.demo.002.clm2.h0.GPP.{span}.nc" for span in
                     ("200001-200212", "200301-200312")]  # fmt: skip
    path = tmp_path / "out" / "002" / names[0]
    raw = xr.open_dataset(path, decode_times=False, mask_and_scale=False)
    assert raw["GPP"].attrs["units"] == "gC/m^2/s"
    assert float(raw["GPP"].max()) == 1e36 == raw["GPP"].attrs["missing_value"]
    assert raw["time"].attrs["bounds"] == "time_bounds"
    assert raw["time"].values[0] == raw["time_bounds"].values[0, 1] == 31.0
    assert raw["area"].attrs["units"] == "km^2"
    assert float(raw["lon"].min()) >= 0 and (np.diff(raw["lon"]) > 0).all()
    assert raw.attrs["mpcf_synthetic"] == "true"


def test_nothing_is_written_over(tmp_path):
    (tmp_path / "mine").write_text("precious")
    with pytest.raises(InvalidChoice, match="is not empty"):
        export(make_ensemble(), tmp_path, "cesm", PHASES)
    assert [p.name for p in tmp_path.iterdir()] == ["mine"]
    with pytest.raises(InvalidChoice, match="neither 'cesm' nor 'cmip6'"):
        export(make_ensemble(), tmp_path / "new", "cmip7", PHASES)


# ---------------------------------------------------------------------------- the commands


@pytest.fixture
def exported(book):
    export(make_ensemble(), book / "out", "cesm", PHASES)
    add_entry(book, book / "out")
    return book


def test_check_shows_every_check_and_succeeds(exported, capsys):
    assert command.main(["check", "exported"]) == 0
    shown = capsys.readouterr().out
    checks = ("variables", "units", "time", "grid", "depth", "cell area", "values", "members")
    for name in (*checks, "phases", "chapters"):
        assert f"ok      {name}" in shown
    assert shown.endswith("exported: nothing wrong was found\n")


def test_check_of_faulty_data_fails_and_tells_programs_why(exported, capsys):
    for path in (exported / "out").glob("*/*.GPP.*"):
        with xr.open_dataset(path, decode_times=False) as raw:
            wrong = raw.load().assign(GPP=(-raw["GPP"]).assign_attrs(units="gC/m^2/s"))
        wrong.to_netcdf(path)
    assert command.main(["check", "exported", "--json"]) == 1
    report = json.loads(capsys.readouterr().out)
    assert report["errors"] == 1
    wrong = [row for row in report["checks"] if row["status"] == "error"]
    assert wrong[0]["check"] == "values"
    assert "'gpp', in the source GPP (gC/m^2/s), of member 001 runs from" in wrong[0]["found"]


@pytest.mark.parametrize(
    ("phases", "found"),
    [
        ({"warming": [2000, 2001], "net-zero": [2003, 2003]}, "phases of 'exported' are"),
        ({"up": [2000, 2001], "down": [2002, 2002]}, "first and last year of 'warming'"),
        (None, "source 'exported' has no phases; set in its entry of catalog.yml the first and"),
        (
            {"warming": [1999, 2001], "mitigation": [2002, 2002], "net-zero": [2003, 2003]},
            "phases of 'exported' run from 1999 to 2003, but its data from 2000 to 2003",
        ),
    ],
    ids=["gap", "other names", "none", "beyond the data"],
)
def test_check_of_phases_that_no_chapter_could_use_says_what_to_do(exported, capsys, phases, found):
    document = yaml.safe_load((exported / "catalog.yml").read_text())
    document["sources"]["exported"]["metadata"]["phases"] = phases
    (exported / "catalog.yml").write_text(yaml.safe_dump(document))
    assert command.main(["check", "exported"]) == 1
    shown = capsys.readouterr()
    assert found in " ".join((shown.out + shown.err).split())
    assert "catalog.yml" in shown.out + shown.err


def test_check_of_data_that_cannot_be_read_fails_with_the_reason(exported, capsys):
    path = next((exported / "out" / "002").glob("*.TSOI.*"))
    path.write_bytes(path.read_bytes()[:4000])
    assert command.main(["check", "exported"]) == 1
    shown = " ".join(capsys.readouterr().out.split())
    assert "error reading" in shown
    assert path.name in shown and "member 002" in shown
    assert command.main(["check", "ircc"]) == 1
    assert "IRCC_DATA is not set" in " ".join(capsys.readouterr().out.split())
    assert command.main(["check", "irc"]) == 1
    assert "did you mean ircc" in capsys.readouterr().err


def test_export_writes_the_demonstration(book, monkeypatch, capsys):
    """The ensemble itself is put in its place, as `simulate` would have."""
    from mpcf.folders import build_dir

    store = build_dir("demo", quick=True) / "data" / "monthly.zarr"
    make_ensemble().to_zarr(store, zarr_format=2)
    monkeypatch.setattr(command.chapters, "simulate", lambda run: False)
    assert command.main(["export", "--quick", "--layout", "cesm", "out"]) == 0
    assert "its entry for catalog.yml: out/catalog-entry.yml" in capsys.readouterr().out
    add_entry(book, book / "out")
    assert catalog.entry("exported").phases == catalog.entry("demo").phases
    assert_same(sources.open_source("exported"), make_ensemble())
    assert command.main(["export", "--quick", "--layout", "cesm", "out"]) == 1
    assert "is not empty" in capsys.readouterr().err
