"""Public archives by name, each on a copy of its layout made small from the demonstration."""

import re
import shutil
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
import yaml

from mpcf import __main__ as command
from mpcf.data import catalog, local_catalogue, sources
from mpcf.data.checks import chapters, check_monthly
from mpcf.data.needs import CHAPTERS, missing
from mpcf.data.variables import MONTHLY
from mpcf.errors import CatalogError, DataError, SourceUnavailable
from mpcf.yearly.reduction import to_yearly

from . import archive_layouts as layouts

ROOT = Path(__file__).parents[2]
ARCHIVES = {
    "koven": ("KOVEN_DATA", "portal.nersc.gov"),
    "noresm_bell": ("NORESM_BELL_CATALOG", "experiment_id esm-bell-1000PgC"),
    "flat10_zec": ("FLAT10_ZEC_CATALOG", "experiment_id esm-flat10 and esm-flat10-zec"),
    "flat10_cdr": ("FLAT10_CDR_CATALOG", "experiment_id esm-flat10 and esm-flat10-cdr"),
    "cesm2_le": ("CESM2_LE_CATALOG", "aws-cesm2-le.json"),
    "ssp534over": ("SSP534OVER_CATALOG", "experiment_id ssp534-over"),
}
YEARS = 3


@pytest.fixture(scope="module")
def part(quick_demo):
    """Return three years of two members of the small demonstration ensemble."""
    times = xr.coders.CFDatetimeCoder(use_cftime=True)
    with xr.open_dataset(quick_demo, engine="zarr", decode_times=times, chunks={}) as demo:
        demo = demo.drop_vars(["lat_bnds", "lon_bnds"])
        return demo.isel(member=[0, 2], time=slice(0, 12 * YEARS)).load()


@pytest.fixture(scope="module")
def expected(part):
    """Return the demonstration's own yearly data."""
    return to_yearly(part)


@pytest.fixture
def book(tmp_path, monkeypatch):
    shutil.copy(ROOT / "catalog.yml", tmp_path)
    monkeypatch.chdir(tmp_path)
    for variable in ("MPCF_BUILD", "CESM2_LE_MAPS", *(name for name, _ in ARCHIVES.values())):
        monkeypatch.delenv(variable, raising=False)
    return tmp_path


def set_phases(book, name, phases):
    """Set the phases of an entry to the few years of a copy."""
    document = yaml.safe_load((book / "catalog.yml").read_text())
    document["sources"][name]["metadata"]["phases"] = phases
    (book / "catalog.yml").write_text(yaml.safe_dump(document))


def assert_same_years(found, expected, absent=()):
    """The same yearly variables, apart from what the years are called."""
    assert set(expected.data_vars) - set(found.data_vars) <= set(absent)
    assert found.sizes["year"] == expected.sizes["year"] == YEARS
    for name in set(found.data_vars) - set(absent):
        wanted = expected[name]
        values = found[name].transpose(*wanted.dims).values
        size = float(np.nanmax(np.abs(wanted.values))) if wanted.dtype.kind == "f" else 0.0
        np.testing.assert_allclose(values, wanted, rtol=1e-5, atol=1e-5 * size, err_msg=name)


def opened(name):
    """Open a source and check it; return its months and the chapters that it can't feed."""
    monthly = sources.open_source(name)
    source = catalog.entry(name)
    check_monthly(monthly, source)
    return monthly, chapters(monthly, source)


# ------------------------------------------------------------------------------- the entries


@pytest.mark.parametrize("name", ARCHIVES)
def test_a_variable_that_is_not_set_says_what_the_archive_is_and_where(book, capsys, name):
    variable, published = ARCHIVES[name]
    assert command.main(["check", name]) == 1
    shown = " ".join(capsys.readouterr().out.split())
    assert f"{variable} is not set. To use '{name}', set {variable} to " in shown
    assert f"What it is: {catalog.entry(name).description[:40]}" in shown
    assert published in shown
    assert "not tried by this book" in shown


@pytest.mark.parametrize("name", ARCHIVES)
def test_only_published_identifiers_are_cited(book, name):
    known = {
        "10.1088/1748-9326/acab1a", "10.5194/gmd-12-4375-2019", "10.5194/gmd-18-5699-2025",
        "10.5194/esd-12-1393-2021",
    }  # fmt: skip
    source = catalog.entry(name)
    assert set(re.findall(r"10\.\d{4,}/[^\s;,]+", source.citation)) <= known
    assert not source.is_synthetic and source.licence


def test_a_variable_that_a_source_lacks_must_be_one(book):
    text = (book / "catalog.yml").read_text().replace("lacks: [gpp,", "lacks: [GPP,")
    (book / "catalog.yml").write_text(text)
    with pytest.raises(CatalogError, match=r"'lacks': 'GPP' is no monthly variable; "):
        catalog.entry("cesm2_le")


# --------------------------------------------------------------------------------- their layouts


def test_koven(book, part, expected, monkeypatch):
    layouts.write_koven(part, book / "koven")
    monkeypatch.setenv("KOVEN_DATA", str(book / "koven"))
    set_phases(book, "koven", {"warming": [1, 2], "net removal": [YEARS, YEARS]})
    monthly, findings = opened("koven")
    assert monthly.indexes["time"][0].year == 1
    left_out = [f.found for f in findings if f.status != "ok"]
    assert len(left_out) == 1 and "'mitigation'" in left_out[0]
    # co2vmr is what the namelist prescribes, not what emissions make of it
    assert_same_years(to_yearly(monthly.load()), expected.isel(member=[0]), ["co2", "warming"])


def test_noresm_bell(book, part, expected, monkeypatch, capsys):
    run = {"esm-bell-1000PgC": (1850, 1849 + YEARS, 0)}
    layouts.write_cmip(layouts.shifted(part, 1850), book / "noresm", "NorESM2-LM", run,
                       years_per_file=2)  # fmt: skip
    assert command.main(["catalogue", "noresm"]) == 0
    assert "catalogue of" in capsys.readouterr().out
    monkeypatch.setenv("NORESM_BELL_CATALOG", str(book / "noresm" / "catalog.json"))
    phases = {"warming": [1850, 1850], "mitigation": [1851, 1851], "net-zero": [1852, 1852]}
    set_phases(book, "noresm_bell", phases)
    monthly, findings = opened("noresm_bell")
    assert all(finding.status == "ok" for finding in findings)
    assert_same_years(to_yearly(monthly.load()), expected, ["warming"])


def test_ssp534over_is_chained(book, part, expected, monkeypatch):
    """Each experiment ends where the next begins, although ssp585 itself runs on."""
    runs = {
        "historical": (2000, 2000, 0),
        "ssp585": (2001, 2002, 0),
        "ssp534-over": (2002, 2002, 0),
    }
    layouts.write_cmip(part.isel(member=[0]), book / "over", "CanESM5", runs)
    late = [path for path in (book / "over").rglob("tas_Amon_*_ssp585_*.nc")]
    for path in late:
        with xr.open_dataset(path, decode_times=False, mask_and_scale=False) as raw:
            wrong = raw.load()
        wrong["tas"][12:] = wrong["tas"][12:] + 5.0
        wrong.to_netcdf(path)
    place, count = local_catalogue.write_catalogue(book / "over")
    assert count == len(list((book / "over").rglob("*.nc")))
    monkeypatch.setenv("SSP534OVER_CATALOG", str(place))
    phases = {"warming": [2000, 2000], "mitigation": [2001, 2001], "net removal": [2002, 2002]}
    set_phases(book, "ssp534over", phases)
    monthly, findings = opened("ssp534over")
    assert all(finding.status == "ok" for finding in findings)
    assert_same_years(to_yearly(monthly.load()), expected.isel(member=[0]), ["warming"])


def test_cesm2_le(book, part, expected, monkeypatch):
    """Liquid water, temperature and precipitation come back; chapters that need more are named."""
    layouts.write_cesm2_le(part, book / "le", last_historical=2000)
    monkeypatch.setenv("CESM2_LE_CATALOG", str(book / "le" / "aws-cesm2-le.json"))
    with pytest.raises(SourceUnavailable, match="CESM2_LE_MAPS to a CLM history file of the same"):
        sources.open_source("cesm2_le")
    monkeypatch.setenv("CESM2_LE_MAPS", str(book / "le" / "maps.clm2.h0.2000-01.nc"))
    set_phases(book, "cesm2_le", {"warming": [2000, 2002]})
    monthly, findings = opened("cesm2_le")
    assert monthly.attrs["mpcf_members"] == "1 = r1i1001p1f1, 2 = r3i1021p1f1"
    assert set(monthly.data_vars) & {"gpp", "tsl", "mrsfl"} == set()
    yearly = to_yearly(monthly.load())
    assert {"temperature", "precipitation", "soil_liquid"} <= set(yearly.data_vars)
    held = ["temperature", "precipitation", "soil_liquid"]
    # the atmosphere's temperature is known over the sea as well
    yearly = yearly.assign(
        temperature=yearly["temperature"].where(expected["temperature"].notnull().values)
    )
    assert_same_years(yearly[held], expected[held])
    assert len(findings) >= 1
    declared = [v for v in MONTHLY if v not in catalog.entry("cesm2_le").lacks]
    for chapter in CHAPTERS:
        by_entry = missing(chapter, declared, ["warming"], 2)
        by_data = missing(chapter, list(map(str, monthly.data_vars)), ["warming"], 2)
        assert by_entry.monthly == by_data.monthly, chapter


def test_stores_that_are_not_there_are_answered_with_those_that_are(book, part, monkeypatch):
    layouts.write_cesm2_le(part.isel(time=slice(0, 24)), book / "le", last_historical=2000)
    monkeypatch.setenv("CESM2_LE_CATALOG", str(book / "le" / "aws-cesm2-le.json"))
    monkeypatch.setenv("CESM2_LE_MAPS", str(book / "le" / "maps.clm2.h0.2000-01.nc"))
    text = (book / "catalog.yml").read_text()
    (book / "catalog.yml").write_text(text.replace("forcing: cmip6", "forcing: cmip5"))
    with pytest.raises(DataError, match=r"lacks everything of historical \(cmip5\).* cmip6, smbb"):
        sources.open_source("cesm2_le")


# ------------------------------------------------------------------------- catalogues of files


def test_a_file_that_is_not_cmips_is_named(tmp_path):
    with pytest.raises(DataError, match="holds no netCDF files"):
        local_catalogue.write_catalogue(tmp_path)
    xr.Dataset({"tas": ("time", [1.0])}).to_netcdf(tmp_path / "mine.nc")
    with pytest.raises(DataError, match=r"mine\.nc has no global attribute source_id, .*variant_l"):
        local_catalogue.write_catalogue(tmp_path)
    (tmp_path / "mine.nc").write_bytes(b"nothing")
    with pytest.raises(DataError, match=r"mine\.nc can't be opened: .*get it again"):
        local_catalogue.write_catalogue(tmp_path)
    assert command.main(["catalogue", str(tmp_path / "nowhere")]) == 1
