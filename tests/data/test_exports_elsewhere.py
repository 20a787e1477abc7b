"""What other tools of the field find in the exported files."""

import shutil
from pathlib import Path

import intake_esm
import netCDF4
import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

from mpcf.data.cmip6_attributes import cmip6_attributes
from mpcf.data.export import _on_grid, export
from mpcf.data.readers import cmip6, cmip6_catalogue
from mpcf.data.variables import MONTHLY

from .readers.helpers import PHASES, assert_same, make_ensemble

MEMBERS = ["r1i1p1f1", "r2i1p1f1"]


@pytest.fixture(scope="module")
def ensemble():
    return make_ensemble()


@pytest.fixture(scope="module")
def cesm_folder(ensemble, tmp_path_factory):
    folder = tmp_path_factory.mktemp("exported") / "cesm"
    export(ensemble, folder, "cesm", PHASES)
    return folder


@pytest.fixture(scope="module")
def cmip6_folder(ensemble, tmp_path_factory):
    folder = tmp_path_factory.mktemp("exported") / "cmip6"
    export(ensemble, folder, "cmip6", PHASES)
    return folder


def stores(folder):
    """Return the exported stores, undecoded, by variable."""
    found = {}
    for path in sorted(folder.glob("CMIP6/*/*/*/*/r1i1p1f1/*/*/*/*")):
        raw = xr.open_zarr(path, decode_times=False, decode_coords=False, mask_and_scale=False)
        found[raw.attrs["variable_id"]] = raw
    return found


def history_files(folder):
    """Return the files of the first member, undecoded, by variable."""
    return {
        path.name.split(".")[-3]: xr.open_dataset(
            path, decode_times=False, decode_coords=False, mask_and_scale=False
        )
        for path in sorted((folder / "001").glob("*.nc"), reverse=True)
    }


# ---------------------------------------------------------------------------- the catalogue


@pytest.fixture
def catalogue(cmip6_folder, tmp_path, monkeypatch):
    """Return the exported catalogue as intake-esm opens it from another folder."""
    monkeypatch.chdir(tmp_path)
    return intake_esm.esm_datastore(str(cmip6_folder / "catalog.json"))


@pytest.mark.filterwarnings("ignore:In a future version of xarray:FutureWarning")
def test_intake_esm_opens_every_store_of_the_catalogue(catalogue, ensemble):
    found = catalogue.to_dataset_dict(progressbar=False)
    assert sum(len(part.data_vars) for part in found.values()) == catalogue.df.variable_id.nunique()
    wanted = ensemble["tsl"].sortby(ensemble["lon"] % 360).values
    land = found["MPCF.MPCF.MPCF-demo.demo.Lmon.gn"].sel(member_id=MEMBERS)
    np.testing.assert_array_equal(land["tsl"], wanted)
    one = catalogue.search(variable_id="tsl").to_dask()
    np.testing.assert_array_equal(one["tsl"], wanted)
    tree = catalogue.search(table_id=["Lmon", "fx"]).to_datatree(progressbar=False)
    assert {node.name for node in tree.leaves} == {"gn"}
    assert {name for node in tree.leaves for name in node.data_vars} >= {"tsl", "areacella"}


def test_a_folder_that_was_moved_is_still_read(tmp_path):
    ensemble = make_ensemble(members=1, years=1)
    export(ensemble, tmp_path / "first", "cmip6", PHASES)
    shutil.move(tmp_path / "first", tmp_path / "second")
    place = str(tmp_path / "second" / "catalog.json")
    assert_same(cmip6.read(*cmip6_catalogue.open_runs(place, None, ["demo"], [])), ensemble)
    watched = cmip6_catalogue.input_places(place, None, ["demo"], [])
    assert all(Path(path).exists() for path in watched)
    assert len(watched) > len(MONTHLY)


# ---------------------------------------------------------------------------- attributes


def check_axes(raw):
    """Axes have names, units and bounds that hold them, and no missing values."""
    kinds = {"time": "T", "lat": "Y", "lon": "X", "depth": "Z", "levgrnd": "Z", "levsoi": "Z"}
    for name in set(kinds) & set(raw.variables):
        axis = raw[name]
        assert axis.attrs["axis"] == kinds[name]
        assert axis.attrs["standard_name"] and axis.attrs["long_name"] and axis.attrs["units"]
        assert "_FillValue" not in axis.attrs | axis.encoding
        if name in ("levgrnd", "levsoi"):  # CLM writes their thickness, DZSOI
            continue
        bounds = raw[axis.attrs["bounds"]]
        assert "_FillValue" not in bounds.attrs | bounds.encoding
        low, high = bounds.values.T
        assert ((low <= axis.values) & (axis.values <= high) & (low < high)).all(), name


def test_stores_have_the_attributes_of_cmip6(cmip6_folder, ensemble):
    found = stores(cmip6_folder)
    assert set(found) == set(MONTHLY) - {"co2"} | {"co2mass"}
    for name, raw in found.items():
        check_axes(raw)
        assert raw.attrs["Conventions"] == "CF-1.8"
        is_map = MONTHLY[name].dims == ("lat", "lon") if name in MONTHLY else False
        assert raw.attrs["frequency"] == ("fx" if is_map else "mon")
        attrs = raw[name].attrs
        assert attrs["long_name"] and attrs["units"]
        if name != "warming":
            assert attrs["standard_name"]
        if "lat" in raw.dims and name != "areacella":
            assert attrs["cell_measures"] == "area: areacella"
            assert raw.attrs["external_variables"] == "areacella"
        assert "point" not in attrs["cell_methods"]
    assert found["cSoil"]["cSoil"].attrs["cell_methods"] == "area: mean where land time: mean"
    assert found["tas"]["tas"].attrs["cell_methods"] == "area: time: mean"
    assert found["areacella"]["areacella"].attrs["cell_methods"] == "area: sum"
    assert found["ra"]["ra"].attrs["positive"] == found["rh"]["rh"].attrs["positive"] == "up"
    tas = xr.decode_cf(found["tas"], decode_times=False)["tas"]
    assert float(tas["height"]) == 2 and tas["height"].attrs["positive"] == "up"


def test_what_a_source_says_beyond_the_tables_is_kept():
    own = {"long_name": "carbon in litter and soil", "cell_methods": "time: point"}
    attrs = cmip6_attributes("cSoil", ("time", "lat", "lon"), own)
    assert attrs["long_name"] == "Carbon Mass in Model Soil Pool"
    assert attrs["comment"] == "carbon in litter and soil; values at the end of the month"
    assert "comment" not in cmip6_attributes("cSoil", ("time", "lat", "lon"), {})


def test_history_files_have_the_attributes_of_the_conventions(cesm_folder):
    for name, raw in history_files(cesm_folder).items():
        check_axes(raw)
        assert raw.attrs["Conventions"] == "CF-1.8"
        if "lat" in raw.dims and name != "PCT_LANDUNIT":
            assert raw[name].attrs["cell_methods"] == "time: mean"
            assert raw[name].attrs["cell_measures"] == "area: area"
            assert raw["area"].attrs["standard_name"] == "cell_area"


def test_land_units_are_numbered_in_32_bits_as_clm_writes_them(cesm_folder):
    path = next((cesm_folder / "001").glob("*.PCT_LANDUNIT.*"))
    with netCDF4.Dataset(path) as raw:
        numbers = {name: raw.getncattr(name) for name in raw.ncattrs() if name.startswith("ltype_")}
    assert numbers["ltype_landice"] == 3 and len(numbers) == 4
    assert {number.dtype for number in numbers.values()} == {np.dtype("int32")}


@pytest.mark.parametrize("years", [1, 3, 100])
def test_chunks_of_a_series_divide_its_length(tmp_path, years):
    export(make_ensemble(members=1), tmp_path / "out", "cesm", PHASES, years=years)
    paths = sorted((tmp_path / "out").glob("*/*.co2vmr.*"))
    assert len(paths) == -(-4 // years)
    for path in paths:
        with netCDF4.Dataset(path) as raw:
            for name in ("co2vmr", "time"):
                (chunk,) = raw[name].chunking()
                assert raw[name].size % chunk == 0 and chunk == 12


@settings(max_examples=15, deadline=None)
@given(
    west=st.integers(-180, 359),
    step=st.sampled_from([2.5, 7.5, 60.0]),
    south=st.sampled_from([-90.0, -45.0, 46.0]),
)
def test_bounds_hold_any_grid(west, step, south):
    lat = np.arange(south, 90.1, 2.0 if south > -90 else 10.0)
    lon = west + step * np.arange(min(6, int(360 // step)))
    grid = xr.Dataset(coords={"lat": lat, "lon": lon})
    found = _on_grid(xr.Dataset({"values": ("lon", lon)}), grid)
    check_axes(found)
    assert np.abs(found["lat_bnds"]).max() <= 90
    np.testing.assert_allclose(np.diff(found["lon_bnds"]), step)
    np.testing.assert_allclose(found["values"] % 360, found["lon"])
