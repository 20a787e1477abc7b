"""What real CESM archives hold: each is read right, or refused with what to do about it."""

import gzip
import shutil

import numpy as np
import pytest
import xarray as xr
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mpcf.data.readers import cesm
from mpcf.data.readers import files as places
from mpcf.errors import DataError

from .cesm_files import change, copies, everywhere, noted, read, rename, with_values
from .helpers import assert_same, http_server

FEW = settings(max_examples=4, suppress_health_check=list(HealthCheck))


@pytest.fixture
def files(cesm_files):
    return cesm_files


# ---------------------------------------------------------------------------- one thing, two names


def test_snow_of_the_covered_part_is_read_with_a_note(one, files):
    rename(files, "SNOWDP", "SNOW_DEPTH")
    found = read(files)
    assert_same(found, one)
    assert "snd is SNOW_DEPTH, the depth of the part of a cell that snow covers" in noted(found)


def test_mean_snow_is_preferred(one, files):
    for path in [p for p in files["001"] if ".SNOWDP." in p]:
        raw = files["001"][path].rename(SNOWDP="SNOW_DEPTH")
        files["001"][path.replace("SNOWDP", "SNOW_DEPTH")] = with_values(
            raw, "SNOW_DEPTH", raw["SNOW_DEPTH"].values * 3
        )
    found = read(files)
    assert_same(found, one)
    assert noted(found) == ""


def test_carbon_of_fates(one, files):
    rename(files, "GPP", "FATES_GPP", 1e-3, units="kg m-2 s-1")
    rename(files, "AR", "FATES_AUTORESP", 1e-3, units="kg m-2 s-1")
    rename(files, "TOTVEGC", "FATES_VEGC", 1e-3, units="kg m-2")
    found = read(files)
    for name in ("gpp", "ra", "cVeg"):
        np.testing.assert_allclose(found[name], one[name], rtol=1e-6)
    assert found["gpp"].attrs["original"] == "FATES_GPP (kg m-2 s-1)"


# -------------------------------------------------------------------------- twice the same months


def again(files, name, factor):
    """A second file that repeats the last year of the first, as after a restart."""
    path = next(p for p in files["001"] if f".{name}.200001" in p)
    part = files["001"][path].isel(time=slice(24, None))
    files["001"][path.replace("200001-", "200201-")] = with_values(
        part, name, part[name].values * factor
    )


@pytest.mark.parametrize("name", ["GPP", "RAIN", "SOILLIQ"])
def test_months_written_twice_alike_are_noted(one, files, name):
    again(files, name, 1.0)
    found = read(files)
    assert_same(found, one)
    assert "hold some months twice, with the same values" in noted(found)


@pytest.mark.parametrize("name", ["GPP", "RAIN", "SOILLIQ"])
def test_months_written_twice_with_other_values_are_refused(files, name):
    again(files, name, 1.01)
    with pytest.raises(DataError, match=f"{name} of member 001 occurs twice: .*200201-200212"):
        read(files)


# --------------------------------------------------------------------------------------- the grid


@settings(FEW)
@given(data=st.data())
def test_the_last_digits_of_coordinates_change_nothing(ensemble, stored_cesm, data):
    """Streams and members differ in them, and so do maps that were saved by other tools."""
    files = copies(stored_cesm)
    size = data.draw(st.sampled_from([1e-7, 1e-6, 4e-6]))
    for own in files.values():
        for path in data.draw(st.lists(st.sampled_from(sorted(own)), unique=True, max_size=20)):
            if "lat" in own[path].dims:
                noise = data.draw(st.lists(st.floats(-1, 1), min_size=4, max_size=4))
                lat = own[path]["lat"].values + size * np.array(noise)
                own[path] = own[path].assign_coords(lat=("lat", lat, own[path]["lat"].attrs))
    found = read(files)
    np.testing.assert_allclose(found["lat"], ensemble["lat"], atol=1e-5)
    assert_same(found.assign_coords(lat=ensemble["lat"].values), ensemble)


def test_members_on_different_grids_are_refused(stored_cesm):
    files = copies(stored_cesm)
    files["002"] = {
        p: r.isel(lon=slice(None, None, 2)) if "lon" in r.dims else r
        for p, r in files["002"].items()
    }
    with pytest.raises(
        DataError, match="member 002 is on a different grid from member 001: 4 by 3"
    ):
        read(files)


def listed(raw):
    """Put the cells into a list, as CLM writes them on ne30."""
    if "lat" not in raw.dims:
        return raw
    stacked = raw.stack(lndgrid=("lat", "lon"))
    lat, lon = stacked["lat"].values.copy(), stacked["lon"].values.copy()
    return stacked.drop_vars(["lndgrid", "lat", "lon"]).assign_coords(
        lat=("lndgrid", lat, {"units": "degrees_north"}),
        lon=("lndgrid", lon, {"units": "degrees_east"}),
    )


@pytest.mark.parametrize("name", ["TSA", "GPP", "TSOI", "SOILLIQ", "RAIN", "all"])
def test_cells_in_a_list_are_refused_with_the_command_that_regrids(files, name):
    if name == "all":
        everywhere(files, listed)
    else:
        change(files, name, listed)
    with pytest.raises(DataError, match=r"rows and columns: .*lndgrid.*ncremap -P ctsm") as error:
        read(files)
    assert name == "all" or f".{name}." in str(error.value)


@pytest.mark.parametrize("part", ["pft", "column"])
def test_parts_of_cells_are_not_layers(files, part):
    def flatten(raw):
        values = raw["GPP"].transpose("time", ...).values.reshape(raw.sizes["time"], -1)
        return raw.drop_vars("GPP").assign(GPP=(("time", part), values, raw["GPP"].attrs))

    change(files, "GPP", flatten)
    with pytest.raises(DataError, match=rf"GPP of member 001 .*'{part}' is a part of cells"):
        read(files)


def test_a_dimension_without_depths_is_no_layer(files):
    change(files, "GPP", lambda r: r.assign(GPP=r["GPP"].expand_dims(natpft=3)))
    with pytest.raises(DataError, match=r"GPP of member 001 .* 'natpft', which has no depths"):
        read(files)


@pytest.mark.parametrize("name", ["TSA", "TSOI"])
def test_coordinates_of_two_dimensions_are_explained(files, name):
    def curve(raw):
        lat, lon = np.meshgrid(raw["lat"], raw["lon"], indexing="ij")
        plain = raw.drop_vars(["lat", "lon"]).rename(lat="y", lon="x")
        return plain.assign(lat=(("y", "x"), lat), lon=(("y", "x"), lon))

    change(files, name, curve)
    with pytest.raises(DataError, match=r"(rows and columns: .*y.*x).*regrid the files"):
        read(files)


def test_longitudes_that_are_missing_are_explained(files):
    change(files, "TSOI", lambda r: r.assign_coords(
        lon=("lon", np.where(np.arange(6) == 2, np.nan, r["lon"]), r["lon"].attrs)))  # fmt: skip
    with pytest.raises(DataError, match="'lon' has missing values"):
        read(files)


# --------------------------------------------------------------------------------------- the maps


def test_rivers_and_air_have_areas_of_their_own(one, files):
    """They sort before the land's files, with other cells or in other units."""
    lat, lon = np.arange(-89.75, 90, 0.5), np.arange(0.25, 360, 0.5)
    rivers = xr.Dataset({"area": (("lat", "lon"), np.full((360, 720), 3e9), {"units": "m2"})},
                        {"lat": ("lat", lat, {"units": "degrees"}),
                         "lon": ("lon", lon, {"units": "degrees"})})  # fmt: skip
    land = next(r for r in files["001"].values() if "lat" in r.dims)
    air = xr.Dataset({"area": (("lat", "lon"), np.full((4, 6), 0.1), {"units": "m2"})},
                     {"lat": land["lat"], "lon": land["lon"]})  # fmt: skip
    cells = xr.Dataset({"area": ("ncol", np.ones(9)), "landfrac": ("ncol", np.ones(9))})
    more = {"A.cam.h0.x.nc": air, "B.cam.h0.y.nc": cells, "a.mosart.h0.2000-01.nc": rivers}
    files["001"] = more | files["001"]
    found = read(files)
    assert_same(found, one)
    assert noted(found) == ""


def test_without_area_and_landfrac_the_file_to_add_is_named(one, files):
    fixed = next(r for r in files["001"].values() if "area" in r)[["area", "landfrac"]]
    everywhere(files, lambda r: r.drop_vars(["area", "landfrac"], errors="ignore"))
    with pytest.raises(DataError, match=r"'landfrac' is in no file of member 001 .*ncks -v area"):
        read(files)
    files["001"]["fixed.nc"] = fixed
    assert_same(read(files), one)


def test_files_that_disagree_about_the_land_are_refused(files):
    change(files, "GPP", lambda r: with_values(r, "landfrac", r["landfrac"].values * 0.7))
    with pytest.raises(DataError, match=r"'landfrac' of member 001 .* differs .*up to 1"):
        read(files)


@pytest.mark.parametrize("units", [9, 7])
def test_land_units_without_numbers(one, files, units):
    """Some tools drop the attributes that number them."""

    def strip(raw):
        raw.attrs = {k: v for k, v in raw.attrs.items() if not k.startswith("ltype")}
        if "PCT_LANDUNIT" not in raw:
            return raw
        return raw.pad(ltype=(0, units - 4), mode="constant", constant_values=0.0)

    everywhere(files, strip)
    found = read(files)
    assert ("sftgif" in found) == (units == 9)
    assert "there is no PCT_LANDUNIT" not in noted(found)
    if units == 9:
        np.testing.assert_array_equal(found["sftgif"], one["sftgif"])
        assert "the third and the fourth of nine were taken as ice" in noted(found)


# ------------------------------------------------------------------------------------- optional


def gap(raw):
    return raw.isel(time=[*range(5), *range(6, raw.sizes["time"])])


def other_calendar(raw):
    attrs = raw["time"].attrs | {"calendar": "360_day"}
    return raw.assign_coords(time=("time", raw["time"].values, attrs))


def shifted(raw):
    if "lat" not in raw.dims:
        return gap(raw)
    return raw.assign_coords(lat=("lat", raw["lat"].values + 0.5, raw["lat"].attrs))


def stating(**attrs):
    def state(raw):
        for name in set(raw.data_vars) & set(cesm.WANTED) - set(cesm.FIXED):
            raw = with_values(raw, name, raw[name].values, **attrs)
        return raw

    return state


ODD = {
    "a gap": gap,
    "another calendar": other_calendar,
    "an unknown unit": stating(units="furlong"),
    "another grid": shifted,
    "a maximum": stating(cell_methods="time: maximum"),
    "cells in a list": lambda r: listed(r) if "lat" in r.dims else gap(r),
}


@pytest.mark.parametrize("fault", ODD)
@pytest.mark.parametrize("name", ["cSoil", "co2", "warming"])
def test_an_optional_variable_never_stops_a_run(one, files, name, fault):
    change(files, cesm.SINGLE[name], ODD[fault])
    found = read(files)
    assert name not in found
    assert f"{name} is left out: " in noted(found) or "co2vmr is not taken for CO2: " in noted(
        found
    )
    assert_same(found, one.drop_vars(name))


def test_co2_without_units_is_a_mole_fraction(one, files):
    def strip(raw):
        del raw["co2vmr"].attrs["units"]
        return raw

    change(files, "co2vmr", strip)
    assert_same(read(files), one)


def prescribed(files):
    """CO2 as in the namelist of a run that is driven by emissions."""
    change(files, "co2vmr", lambda r: with_values(r, "co2vmr", np.full(r.sizes["time"], 284.7e-6)))


def test_co2_that_is_only_prescribed_is_left_out(files):
    prescribed(files)
    found = read(files)
    assert "co2" not in found
    assert "co2vmr of member 001 is not taken for CO2, since it stays the same" in noted(found)


def modelled(files, one, kind):
    for path in [p for p in files["001"] if ".TSA." in p]:
        raw = files["001"][path]
        first = 0 if ".200001-" in path else 36
        co2 = one["co2"].isel(member=0, time=slice(first, first + raw.sizes["time"]))
        mole = xr.zeros_like(raw["TSA"]) + 1e-6 * xr.DataArray(co2.values, dims="time")
        mole = mole.transpose("time", ...)
        bare = raw.drop_vars("TSA")
        if kind == "land":
            pressure = 9e4 + 0 * mole
            parts = {"PCO2": mole * pressure, "PBOT": pressure}
            parts = {n: v.assign_attrs(units="Pa") for n, v in parts.items()}
        else:
            mass = (mole * 44.0095 / 28.9647).fillna(5e-4)
            parts = {"CO2": xr.concat([0 * mass, mass], "lev").assign_attrs(units="kg/kg")}
        for name, values in parts.items():
            files["001"][path.replace(".TSA.", f".{name}.")] = bare.assign({name: values})


@pytest.mark.parametrize("kind", ["land", "air"])
def test_co2_that_the_model_computed_is_preferred_to_a_constant(one, files, kind):
    prescribed(files)
    modelled(files, one, kind)
    if kind == "air":
        change(files, "CO2", lambda r: r.assign(CO2=r["CO2"].where(r["CO2"] != 5e-4)))
    found = read(files)
    np.testing.assert_allclose(found["co2"], one["co2"], rtol=1e-5)
    assert "CO2 is the mean of " in noted(found)


# ---------------------------------------------------------------------------- names and folders


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("b.e21.BSSP585.f09_g17.r001.clm2.h0.GPP.200001-200512.nc", True),
        ("b.e21.h2.clm2.h0.GPP.200001-200512.nc", True),
        ("b.e21.f09.LE2-1001.001.clm2.h0.GPP.200001-200512.nc", True),
        ("CASE.clm2_0001.h0a.2000-01.nc", True),
        ("CASE.cam.h0.2000-01.nc", True),
        ("CASE.clm2.h0i.TSA.200001-200512.nc", False),
        ("CASE.clm2.rh0a.2006-01-01-00000.nc", False),
        ("CASE.clm2.rh0.2006-01-01-00000.nc", False),
        ("CASE.clm2.r.2006-01-01-00000.nc", False),
        ("CASE.r001.clm2.r.2006-01-01-00000.nc", False),
        ("CASE.clm2.h1.GPP.200001-200512.nc", False),
        ("CASE.mosart.h0.2000-01.nc", False),
        ("CASE.pop.h.2000-01.nc", False),
        ("fixed_area_landfrac.nc", True),
        ("CASE.h1.GPP.nc", False),
    ],
)
def test_streams_by_their_names(name, expected):
    assert cesm.is_wanted(f"/a/{name}") is expected


def test_a_compressed_file_names_its_command(cesm_folder, tmp_path):
    shutil.copytree(cesm_folder, tmp_path / "x")
    path = next((tmp_path / "x" / "001").glob("*.GPP.200001*"))
    with gzip.open(f"{path}.gz", "wb") as packed:
        packed.write(path.read_bytes())
    assert len(places.member_files(str(tmp_path / "x"), cesm.is_wanted)) == 2  # both are there
    path.unlink()
    with pytest.raises(DataError, match=r"GPP.*\.nc\.gz is compressed as a whole; .*gunzip"):
        places.member_files(str(tmp_path / "x"), cesm.is_wanted)


def test_a_compressed_file_behind_http_names_its_command(tmp_path):
    (tmp_path / "001").mkdir()
    (tmp_path / "001" / "CASE.clm2.h0.GPP.200001-200012.nc.gz").touch()
    with http_server(tmp_path) as address, pytest.raises(DataError, match="gunzip"):
        places.member_files(address, cesm.is_wanted)


def test_a_manifest_may_name_the_home_folder(one, cesm_folder, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(cesm_folder.parent))
    rows = [f"001,x,~/cesm/001/{p.name}" for p in (cesm_folder / "001").glob("*.nc")]
    (tmp_path / "m.csv").write_text("member,variable,url\n" + "\n".join(rows) + "\n")
    assert_same(cesm.read(places.open_members(str(tmp_path / "m.csv"), cesm.is_wanted)), one)


@pytest.mark.parametrize("is_served", [False, True])
def test_the_archive_of_a_run_is_one_member(one, cesm_folder, tmp_path, is_served):
    run = tmp_path / "b.mycase.001"
    for name in ("lnd/hist", "atm/hist", "rest/2004-01-01-00000", "logs"):
        (run / name).mkdir(parents=True)
    for path in sorted((cesm_folder / "001").glob("*.nc")):
        shutil.copy(path, run / ("atm/hist" if ".cam." in path.name else "lnd/hist"))
    last = sorted((run / "lnd/hist").glob("*.GPP.*"))[-1]
    shutil.copy(last, run / "rest/2004-01-01-00000")  # as CESM does with its last history file
    with http_server(tmp_path) as address:
        place = f"{address}{run.name}" if is_served else str(run)
        members = places.member_files(place, cesm.is_wanted)
    assert list(members) == [run.name]
    assert not any("/rest/" in path for path in members[run.name])
    if not is_served:
        assert_same(cesm.read(places.open_members(place, cesm.is_wanted)), one)


def test_calendars_are_compared_by_meaning(one, files):
    change(files, "RAIN", lambda r: r.assign_coords(
        time=("time", r["time"].values, r["time"].attrs | {"calendar": "365_day"})))  # fmt: skip
    assert_same(read(files), one)
