"""Members and years that an entry names, and sources that lack a variable."""

import shutil

import numpy as np
import pandas as pd
import pytest
import xarray as xr
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from mpcf.data import catalog
from mpcf.data.checks import chapters, examine
from mpcf.data.needs import CHAPTERS, missing
from mpcf.data.readers import cesm, cmip6, cmip6_catalogue
from mpcf.data.readers import files as places
from mpcf.data.readers.choice import check_years, only_members, only_years
from mpcf.data.readers.fields import Piece
from mpcf.data.sources import open_source
from mpcf.data.variables import MONTHLY
from mpcf.errors import CatalogError, DataError

from .helpers import assert_same

CESM_NAMES = {"gpp": ["GPP"], "rh": ["HR"], "tsl": ["TSOI"], "mrsfl": ["SOILICE"], "pr": ["SNOW"],
              "snd": ["SNOWDP", "SNOW_DEPTH"], "mrsll": ["SOILLIQ"]}  # fmt: skip


@pytest.fixture
def book(tmp_path, monkeypatch, ensemble, cesm_folder, cmip6_folder):
    """Entries of the exported ensemble in each layout; returns a function that changes one."""
    ensemble.to_zarr(tmp_path / "monthly.zarr", zarr_format=2)
    document = {"metadata": {"version": 1}, "sources": {}}
    for name, folder in (("cesm", cesm_folder), ("cmip6", cmip6_folder)):
        document["sources"] |= {
            name: next(iter(yaml.safe_load((folder / "catalog-entry.yml").read_text()).values()))
        }
    document["sources"]["standard"] = {
        "description": "The same.",
        "driver": "zarr",
        "args": {"urlpath": str(tmp_path / "monthly.zarr")},
        "metadata": document["sources"]["cesm"]["metadata"] | {"convention": "standard"},
    }
    monkeypatch.chdir(tmp_path)

    def change(name, **metadata):
        document["sources"][name]["metadata"] |= metadata
        (tmp_path / "catalog.yml").write_text(yaml.safe_dump(document))

    change("cesm")
    return change


def pieces(stored, wanted=lambda path: True):
    return {
        m: [Piece(path, m, raw) for path, raw in files.items() if wanted(path)]
        for m, files in stored.items()
    }


def without(stored, wanted):
    """Members whose files hold only variables whose names are wanted, besides what is fixed."""
    names = [*cesm.SINGLE.values(), *cesm.RAIN, *cesm.WATER]
    return {
        m: [
            Piece(path, m, raw.drop_vars([n for n in names if n in raw and not wanted(n)]))
            for path, raw in files.items()
        ]
        for m, files in stored.items()
    }


# ----------------------------------------------------------------------------- members and years


NAMED = {"cesm": ["002"], "cmip6": ["r2i1p1f1"], "standard": ["2"]}


@pytest.mark.parametrize("layout", NAMED)
def test_an_entry_names_members_and_years(book, ensemble, layout):
    book(layout, members=NAMED[layout], years=[2001, 2002])
    found = open_source(layout)
    part = ensemble.isel(member=[1], time=slice(12, 36))
    if layout != "standard":
        part = part.assign_coords(member=found["member"])
    assert_same(found, part)


@pytest.mark.parametrize("layout", NAMED)
def test_years_that_the_data_do_not_hold_are_refused(book, layout):
    book(layout, years=[2002, 2005])
    with pytest.raises(DataError, match=r"2002 to 2005, but .* 2002 to 2003; correct 'years'"):
        open_source(layout)


@pytest.mark.parametrize("layout", ["cesm", "standard"])
def test_a_member_that_is_not_there_is_answered_with_those_that_are(book, layout):
    book(layout, members=["7"])
    with pytest.raises(DataError, match=r"there is no member 7; there are .*2: correct 'members'"):
        open_source(layout)


def test_a_member_written_as_a_number_is_refused(book):
    book("cesm", members=[2])  # 010 would be eight
    with pytest.raises(CatalogError, match="'members' must be a text, not 2"):
        catalog.entry("cesm")


def test_members_of_unequal_length_are_told_what_to_set(book, cesm_folder, tmp_path, ensemble):
    folder = tmp_path / "short"
    shutil.copytree(cesm_folder, folder)
    for path in (folder / "002").rglob("*.200301-*.nc"):
        path.unlink()
    document = yaml.safe_load((tmp_path / "catalog.yml").read_text())
    document["sources"]["cesm"]["args"]["urlpath"] = str(folder)
    (tmp_path / "catalog.yml").write_text(yaml.safe_dump(document))
    with pytest.raises(DataError, match=r"member 002 .*'years: \[2000, 2002\]'.*'members'"):
        open_source("cesm")
    for metadata, part in (
        ({"years": [2000, 2002]}, ensemble.isel(time=slice(0, 36))),
        ({"members": ["001"]}, ensemble.isel(member=[0])),
    ):
        document = yaml.safe_load((tmp_path / "catalog.yml").read_text())
        document["sources"]["cesm"]["metadata"] |= {"years": None, "members": []} | metadata
        (tmp_path / "catalog.yml").write_text(yaml.safe_dump(document))
        assert_same(open_source("cesm"), part)


@settings(max_examples=10)
@given(data=st.data())
def test_any_years_are_those_of_the_whole(ensemble, stored_cesm, data):
    first = data.draw(st.integers(2000, 2003))
    last = data.draw(st.integers(first, 2003))
    found = cesm.read(only_years(pieces(stored_cesm), (first, last)))
    check_years(found, (first, last))
    part = ensemble.isel(time=slice(12 * (first - 2000), 12 * (last - 1999)))
    assert_same(found, part)


def test_a_variable_without_a_month_in_the_years_is_named(stored_cesm):
    late = pieces(stored_cesm, lambda path: ".HR." not in path or ".200301-" in path)
    with pytest.raises(DataError, match=r"'rh', in the source HR .* holds 2003-01 to 2003-12"):
        cesm.read(only_years(late, (2000, 2001)))


def test_members_keep_their_order():
    assert list(only_members({"a": 1, "b": 2, "c": 3}, ["c", "a"])) == ["a", "c"]


# --------------------------------------------------------------------------- missing variables


@pytest.mark.parametrize("name", CESM_NAMES)
def test_cesm_files_without_a_variable_give_the_others(ensemble, stored_cesm, name):
    absent = CESM_NAMES[name]
    found = cesm.read(without(stored_cesm, lambda raw: raw not in absent))
    assert name not in found
    assert f"not in the files: {absent[0]}; chapters that need it" in found.attrs["mpcf_notes"]
    for other in set(MONTHLY) - {name}:
        if other in ("mrsll", "mrsfl", "tsl"):  # where there is no ice, all that is known is soil
            np.testing.assert_array_equal(found[other].where(ensemble[other].notnull()),
                                          ensemble[other])  # fmt: skip
        else:
            np.testing.assert_array_equal(found[other], ensemble[other])
    assert not any(f.status == "error" for f in examine(found))


def test_liquid_water_without_soil_temperature_keeps_its_layers(ensemble, stored_cesm):
    wanted = ("SOILLIQ", "TSA", "RAIN", "SNOW", "SNOW_DEPTH")
    found = cesm.read(without(stored_cesm, wanted.__contains__))
    np.testing.assert_array_equal(found["mrsll"], ensemble["mrsll"])
    np.testing.assert_allclose(found["depth_bnds"], ensemble["depth_bnds"], rtol=1e-6)
    able = [c for c in CHAPTERS if not missing(c, found.data_vars, ["warming"], 2)]
    assert able == ["01-data", "07-reality-check"]


def test_files_without_layers_have_no_depth(ensemble, stored_cesm):
    found = cesm.read(without(stored_cesm, ("GPP", "TSA").__contains__))
    assert "depth" not in found.dims
    np.testing.assert_array_equal(found["gpp"], ensemble["gpp"])


def test_files_with_nothing_to_use_are_refused(stored_cesm):
    with pytest.raises(DataError, match="no variable that the book can use"):
        cesm.read(without(stored_cesm, lambda name: False))


def test_a_named_model_is_read_with_what_it_has(cmip6_folder, tmp_path, ensemble):
    table = pd.read_csv(cmip6_folder / "catalog.csv")
    table["zstore"] = [f"{cmip6_folder}/{path}" for path in table["zstore"]]
    poor = table[~table["variable_id"].isin(["mrsll", "mrsfl", "snd"])]
    poor.to_csv(tmp_path / "catalog.csv", index=False)
    (tmp_path / "catalog.json").write_text((cmip6_folder / "catalog.json").read_text())
    place = str(tmp_path / "catalog.json")
    with pytest.raises(
        DataError, match=r"lacks snd.*a model that is named there is read with what"
    ):
        cmip6_catalogue.open_runs(place, None, ["demo"], [])
    members, fixed, _ = cmip6_catalogue.open_runs(place, "MPCF-demo", ["demo"], [])
    found = cmip6.read(members, fixed)
    assert list(members) == ["r1i1p1f1", "r2i1p1f1"]
    assert not {"mrsll", "mrsfl", "snd"} & set(found)
    known = ensemble["tsl"].notnull()
    np.testing.assert_array_equal(found["tsl"].where(known), ensemble["tsl"])
    assert "not in the files: snd, mrsll and mrsfl" in found.attrs["mpcf_notes"]


@pytest.mark.parametrize("name", ["mrsll", "mrsfl", "tsl"])
def test_cmip6_without_one_variable_gives_the_others(ensemble, stored_cmip6, name):
    runs, fixed = stored_cmip6
    some = pieces(runs, lambda path: f"/{name}/" not in path)
    found = cmip6.read(some, [Piece(path, "fx", raw) for path, raw in fixed.items()])
    assert name not in found
    said = {"tsl": "tsl"}.get(name, f"{name} (or mrsol)")
    assert f"not in the files: {said}; chapters that need it" in found.attrs["mpcf_notes"]
    for other in {"gpp", "tas", "tsl", "mrsll", "mrsfl"} - {name}:
        known = ensemble[other].notnull()
        np.testing.assert_array_equal(found[other].where(known), ensemble[other])


def test_cmip6_without_anything_to_use_is_refused(stored_cmip6):
    runs, fixed = stored_cmip6
    some = pieces(runs, lambda path: "/cVeg/" in path or "/co2/" in path)
    with pytest.raises(DataError, match="member r1i1p1f1 has no variable that the book can use"):
        cmip6.read(some, [Piece(path, "fx", raw) for path, raw in fixed.items()])


# ------------------------------------------------------------------------------ what check says


@pytest.mark.parametrize("layout", ["cesm", "cmip6", "standard"])
def test_check_says_which_chapters_can_run(book, layout):
    book(layout, phases={"warming": [2000, 2003]})
    found = chapters(open_source(layout), catalog.entry(layout))
    assert found[0].found.startswith("these chapters can run: 01-data, 02-permafrost-thaw, ")
    assert [f.found for f in found[1:]] == [
        "06-refreeze-delay is left out: it needs the phase 'net-zero' or 'net removal'",
        "09-across-models is left out: it needs the phase 'mitigation'",
    ]


def test_check_says_so_if_all_chapters_can_run(book):
    assert chapters(open_source("cesm"), catalog.entry("cesm"))[0].found.startswith("all chapters")


def test_a_quick_look_takes_the_years_that_are_named(book):
    book("standard", years=[2002, 2003])
    assert isinstance(open_source("standard", quick=True), xr.Dataset)
    assert open_source("standard", quick=True).sizes["time"] == 24


def test_folders_that_are_no_members_are_passed_over_by_name(cesm_folder):
    opened = places.open_members(str(cesm_folder), cesm.is_wanted, members=["001"])
    assert list(opened) == ["001"]
