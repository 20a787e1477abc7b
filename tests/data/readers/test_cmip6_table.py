"""The table of a CMIP6 or CMIP7 catalogue, in whatever form it comes."""

import re
from pathlib import Path

import pandas as pd
import pytest

from mpcf.data.readers import cmip6, cmip6_catalogue
from mpcf.data.readers.cmip6_table import BRANDS, COLUMNS, read_table
from mpcf.data.readers.fields import Piece
from mpcf.data.variables import MAPS, MONTHLY
from mpcf.errors import DataError

from .helpers import assert_same

FACTS = {
    # variable: table, units, positive, standard name; CMIP6_<table>.json of the public CMOR tables
    "gpp": ("Lmon", "kg m-2 s-1", "", "gross_primary_productivity_of_biomass_expressed_as_carbon"),
    "ra": (
        "Lmon",
        "kg m-2 s-1",
        "up",
        "surface_upward_mass_flux_of_carbon_dioxide_expressed_as_carbon_due_to_plant_respiration",
    ),
    "rh": (
        "Lmon",
        "kg m-2 s-1",
        "up",
        "surface_upward_mass_flux_of_carbon_dioxide_expressed_as_carbon_due_to_"
        "heterotrophic_respiration",
    ),
    "tas": ("Amon", "K", "", "air_temperature"),
    "pr": ("Amon", "kg m-2 s-1", "", "precipitation_flux"),
    "tsl": ("Lmon", "K", "", "soil_temperature"),
    "mrsll": ("Emon", "kg m-2", "", "liquid_water_content_of_soil_layer"),
    "mrsfl": ("Emon", "kg m-2", "", "frozen_water_content_of_soil_layer"),
    "mrsol": ("Emon", "kg m-2", "", "mass_content_of_water_in_soil_layer"),
    "snd": ("LImon", "m", "", "surface_snow_thickness"),
    "cSoil": ("Emon", "kg m-2", "", "soil_mass_content_of_carbon"),
    "cVeg": ("Lmon", "kg m-2", "", "vegetation_carbon_content"),
    "co2mass": ("Amon", "kg", "", "atmosphere_mass_of_carbon_dioxide"),
    "sftlf": ("fx", "%", "", "land_area_fraction"),
    "sftgif": ("fx", "%", "", "land_ice_area_fraction"),
    "areacella": ("fx", "m2", "", "cell_area"),
}
DIRECTION = {"up": ("out of land",), "": ("", "into land", "onto land")}


def test_our_table_agrees_with_the_public_tables_of_cmip6():
    """Units, tables and directions: where the public tables say `up`, a flux leaves the land."""
    tables = cmip6.TABLES | {name: MONTHLY[name].table for name in MAPS}
    assert {n for n, table in tables.items() if table != "mpcf"} == set(FACTS)
    for name, (table, units, positive, standard_name) in FACTS.items():
        assert tables[name] == table, name
        if name not in MONTHLY:
            continue
        assert MONTHLY[name].units == units, name
        assert MONTHLY[name].positive in DIRECTION[positive], name
        assert MONTHLY[name].standard_name in ("", standard_name), name


BRANDED = {
    # variable: CMIP7 table, branded variable; of the public CMOR tables of CMIP7
    "gpp": ("land", "gpp_tavg-u-hxy-lnd"),
    "ra": ("land", "ra_tavg-u-hxy-lnd"),
    "rh": ("land", "rh_tavg-u-hxy-lnd"),
    "tas": ("atmos", "tas_tavg-h2m-hxy-u"),
    "pr": ("atmos", "pr_tavg-u-hxy-u"),
    "tsl": ("land", "tsl_tavg-sl-hxy-lnd"),
    "mrsll": ("land", "mrsll_tavg-sl-hxy-lnd"),
    "mrsfl": ("land", "mrsfl_tavg-sl-hxy-lnd"),
    "mrsol": ("land", "mrsol_tavg-sl-hxy-lnd"),
    "snd": ("landIce", "snd_tavg-u-hxy-lnd"),
    "cSoil": ("land", "cSoil_tavg-u-hxy-lnd"),
    "cVeg": ("land", "cVeg_tavg-u-hxy-lnd"),
    "co2mass": ("atmos", "co2mass_tavg-u-hm-u"),
    "sftlf": ("atmos", "sftlf_ti-u-hxy-u"),
    "sftgif": ("land", "sftgif_ti-u-hxy-u"),
    "areacella": ("atmos", "areacella_ti-u-hxy-u"),
}


def test_branding_suffixes_are_those_of_the_public_tables_of_cmip7():
    assert {name: f"{name}_{brand}" for name, brand in BRANDS.items()} == {
        name: brand for name, (_, brand) in BRANDED.items()
    }


def as_cmip7(table, style):
    """Write the catalogue with the attributes of CMIP7; daily means and other areas lie beside."""
    table = table[table.table_id != "mpcf"].reset_index(drop=True)
    suffix = table["variable_id"].map(BRANDS)
    table = table.assign(
        region="glb", frequency=["fx" if t == "fx" else "mon" for t in table["table_id"]]
    )
    table = table.rename(columns={"member_id": "variant_label"}).drop(columns="table_id")
    if style == "column":
        table["branding_suffix"] = suffix
        other = {"branding_suffix": "tavg-u-hxy-crp"}
    else:
        table["variable_id"] += "_" + suffix
        other = {"variable_id": "pr_tavg-u-hxy-crp"}
    beside = [
        table.assign(frequency="day", zstore="/daily"),
        table.assign(region="grl", zstore="/greenland"),
        table.assign(**other, zstore="/crops"),
    ]
    return pd.concat([*beside, table])


@pytest.mark.parametrize("style", ["column", "branded name"])
def test_catalogues_of_cmip7_are_read(catalogue, ensemble, style):
    place = catalogue(lambda table: as_cmip7(table, style))
    runs = cmip6_catalogue.open_runs(place, None, ["demo"], [])
    assert_same(cmip6.read(*runs), ensemble.drop_vars("warming"))


def test_catalogues_of_cmip7_without_branding_or_frequency_say_so(catalogue):
    def realm(table):
        return table.assign(table_id="land")

    with pytest.raises(DataError, match=r"\(land\) are those of CMIP7.* add the columns branding_"):
        read_table(catalogue(realm))
    with pytest.raises(DataError, match=r"CMIP7 such as gpp_tavg-u-hxy-lnd, but no column 'freq"):
        read_table(catalogue(lambda table: as_cmip7(table, "column").drop(columns="frequency")))


# ------------------------------------------------------------------------ formats and places


def test_each_row_may_have_its_own_format(catalogue):
    def change(table):
        kinds = ["zarr" if i % 2 else "NetCDF" for i in range(len(table))]
        return table.assign(suffix=kinds)

    assets = {"column_name": "zstore", "format_column_name": "suffix"}
    assert set(read_table(catalogue(change, assets=assets))["kind"]) == {"zarr", "netcdf"}


def test_a_format_that_is_not_read_is_named(catalogue):
    place = catalogue(assets={"column_name": "zstore", "format": "reference"})
    with pytest.raises(DataError, match=r"has the format 'reference' .*; netcdf, opendap, zarr"):
        cmip6_catalogue.open_runs(place, None, ["demo"], [])


@pytest.mark.parametrize("start", ["~/", "file://", ""])
def test_paths_may_begin_in_the_home_folder_or_as_an_address(catalogue, monkeypatch, start):
    monkeypatch.setenv("HOME", "/home/somebody")

    def change(table):
        place = {"~/": "~/data/x", "file://": "file:///data/x", "": "data/x"}[start]
        return table.assign(zstore=[f"{place}{i}" for i in range(len(table))])

    table = read_table(catalogue(change))
    folder = {"~/": "/home/somebody/data", "file://": "/data", "": f"{catalogue.folder}/data"}
    assert table["path"].iloc[0] == f"{folder[start]}/x0"
    assert all(Path(path).is_absolute() for path in table["path"])


def test_the_table_of_a_catalogue_may_be_named_by_an_address(catalogue):
    place = catalogue(catalog_file=f"file://{catalogue.folder}/catalog.csv")
    found = cmip6_catalogue.input_places(place, None, ["demo"], [])
    assert found[:2] == [place, f"{catalogue.folder}/catalog.csv"]


@pytest.mark.parametrize("absent", COLUMNS)
def test_a_missing_column_is_answered_with_those_that_are_needed(catalogue, absent):
    place = catalogue(lambda table: table.drop(columns=absent))
    with pytest.raises(
        DataError, match=rf"no column {absent}; it needs source_id, .*, zstore, and"
    ):
        read_table(place)


def test_the_catalogue_of_the_page_is_read(tmp_path):
    page = (Path(__file__).parents[3] / "book" / "use-your-own-data.md").read_text()
    _, _, section = page.partition("### A local catalogue")
    for language, name in (("text", "catalog.csv"), ("json", "catalog.json")):
        (tmp_path / name).write_text(re.search(rf"```{language}\n(.*?)```", section, re.S)[1])
    table = read_table(str(tmp_path / "catalog.json"))
    assert sorted(table["variable_id"]) == ["gpp", "gpp", "sftlf", "tas"]
    assert set(table["kind"]) == {"netcdf"}
    assert Path(table["path"].iloc[0]).parent == tmp_path


# ------------------------------------------------------------------------ optional variables


def faulty(stored, name, change):
    """Return the pieces with a changed store of an optional variable in the second member."""
    members = {
        member: [
            Piece(path, member, change(raw) if name in raw and member == "r2i1p1f1" else raw)
            for path, raw in own.items()
        ]
        for member, own in stored[0].items()
    }
    return members, [Piece(path, "fx", raw) for path, raw in stored[1].items()]


def with_calendar(raw):
    return raw.assign_coords(time=raw["time"].assign_attrs(calendar="julian"))


def with_unit(raw):
    name = next(n for n in raw.data_vars if not n.endswith("_bnds"))
    return raw.assign({name: raw[name].assign_attrs(units="furlong")})


FAULTS = {
    "gap": lambda raw: raw.isel(time=[*range(12), *range(24, 48)]),
    "short": lambda raw: raw.isel(time=slice(0, 24)),
    "calendar": with_calendar,
    "unit": with_unit,
    "times": lambda raw: raw.drop_vars("time"),
}


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("name", ["co2mass", "cSoil"])
def test_an_optional_variable_never_stops_a_run(stored_cmip6, ensemble, name, fault):
    found = cmip6.read(*faulty(stored_cmip6, name, FAULTS[fault]))
    standard = {"co2mass": "co2"}.get(name, name)
    assert_same(found, ensemble.drop_vars(standard))
    assert "is left out" in found.attrs["mpcf_notes"]


@pytest.mark.parametrize("label", ["gm", "gr"])
def test_a_series_on_two_grid_labels_is_read_once(catalogue, ensemble, label):
    def add(table):
        mass = table[table.variable_id == "co2mass"]
        return pd.concat([mass.assign(grid_label=label, zstore="/nowhere"), table])

    place = catalogue(add)
    runs, fixed, _ = cmip6_catalogue.open_runs(place, None, ["demo"], [])
    assert_same(cmip6.read(runs, fixed), ensemble)


@pytest.mark.parametrize("name", ["cVeg", "sftgif"])
def test_an_optional_store_that_cannot_be_opened_is_left_out(catalogue, ensemble, name):
    def break_store(table):
        bad = (table.variable_id == name) & (table.member_id == "r1i1p1f1")
        return table.assign(zstore=table["zstore"].mask(bad, "/nowhere"))

    found = cmip6.read(*cmip6_catalogue.open_runs(catalogue(break_store), None, ["demo"], []))
    assert_same(found, ensemble.drop_vars(name))
    assert f"{name} is left out: the store /nowhere" in found.attrs["mpcf_notes"]
    assert name not in found


def test_a_table_of_the_same_name_in_the_working_directory_is_not_read(
    catalogue, tmp_path, monkeypatch
):
    place = catalogue()
    (tmp_path / "desk").mkdir()
    other = pd.read_csv(tmp_path / "catalog.csv").assign(member_id="r9i1p1f1")
    other.to_csv(tmp_path / "desk" / "catalog.csv", index=False)
    expected = read_table(place)
    monkeypatch.chdir(tmp_path / "desk")
    pd.testing.assert_frame_equal(read_table(place), expected)
    assert "r9i1p1f1" not in set(expected["member_id"])


def test_a_catalogue_without_its_table_says_where_that_should_be(catalogue, tmp_path):
    place = catalogue()
    (tmp_path / "catalog.csv").unlink()
    with pytest.raises(DataError, match=r"names the table .*catalog\.csv, which is not there"):
        read_table(place)
