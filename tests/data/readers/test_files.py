"""Folders, listings, manifests, OPeNDAP: each leads to the same ensemble, or says why not."""

import shutil
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from mpcf import errors
from mpcf.data.readers import cesm, cmip6, cmip6_catalogue, files
from mpcf.errors import DataError

from .helpers import assert_same, http_server, opendap_server


def read(place):
    return cesm.read(files.open_members(str(place), cesm.is_wanted))


def write_manifest(folder, path, address):
    rows = [
        f"{file.parent.name},{file.name.split('.')[-3]},{address(file)}"
        for file in sorted(folder.rglob("*.nc"))
    ]
    path.write_text("member,variable,url\n" + "\n".join(rows) + "\n")
    return path


def test_a_folder(ensemble, cesm_folder):
    assert_same(read(cesm_folder), ensemble)


def test_linked_folders_are_followed(ensemble, cesm_folder, tmp_path):
    first, second = sorted(path for path in cesm_folder.iterdir() if path.is_dir())
    (tmp_path / first.name).symlink_to(first, target_is_directory=True)
    (tmp_path / second.name).mkdir()
    (tmp_path / second.name / "hist").symlink_to(second, target_is_directory=True)
    (tmp_path / second.name / "again").symlink_to(second, target_is_directory=True)
    assert_same(read(tmp_path), ensemble)


def test_an_http_listing(ensemble, cesm_folder):
    with http_server(cesm_folder) as address:
        assert_same(read(address), ensemble)


def test_opendap_by_a_manifest(ensemble, cesm_folder, tmp_path):
    with opendap_server(cesm_folder) as address:
        manifest = write_manifest(
            cesm_folder, tmp_path / "m.csv", lambda f: address + str(f.relative_to(cesm_folder))
        )
        assert_same(read(manifest), ensemble)


def test_fill_values_come_through_opendap_whatever_their_type(tmp_path):
    """A server declares those of float32 as texts, which are read in double precision."""
    expected, variables = {}, {}
    for dtype in ("float32", "float64"):
        for fill in (1e36, 1e20, -999.9, 1e15, -9999.0):
            for key in ("_FillValue", "missing_value"):
                name = f"v{len(variables)}"
                values = np.array([0.1, fill, 0.3], dtype)
                variables[name] = ("time", values, {key: values[1]})
                expected[name] = np.array([0.1, np.nan, 0.3], dtype)
    xr.Dataset(variables).drop_encoding().to_netcdf(
        tmp_path / "fills.nc",
        encoding={
            n: {"_FillValue": None} for n, v in variables.items() if "_FillValue" not in v[2]
        },
    )
    with opendap_server(tmp_path) as address:
        found = files.open_piece(f"{address}fills.nc", "001").raw.load()
    for name, values in expected.items():
        np.testing.assert_array_equal(found[name], values, err_msg=str(variables[name]))


def test_a_manifest_of_paths_beside_it(ensemble, cesm_folder, tmp_path):
    shutil.copytree(cesm_folder, tmp_path / "data")
    manifest = write_manifest(
        tmp_path / "data", tmp_path / "m.csv", lambda f: f.relative_to(tmp_path)
    )
    assert_same(read(manifest), ensemble)


def test_zarr_behind_http_through_intake_esm(ensemble, cmip6_folder):
    with http_server(cmip6_folder) as address:
        runs = cmip6_catalogue.open_runs(f"{address}catalog.json", None, ["demo"], [])
        assert_same(cmip6.read(*runs), ensemble)


def test_a_server_of_whole_files_only_says_what_to_do(cesm_folder):
    with (
        http_server(cesm_folder, parts=False) as address,
        pytest.raises(errors.Unreachable, match="serves only whole files; download them"),
    ):
        read(address)


def test_a_listing_is_followed_downwards_only(tmp_path):
    for name in ("data/001/lnd/hist", "secret"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "data/001/lnd/hist/CASE.clm2.h0.GPP.200001-200012.nc").touch()
    (tmp_path / "data/001/lnd/hist/CASE.clm2.h1.GPP.200001-200012.nc").touch()
    (tmp_path / "secret/CASE.clm2.h0.GPP.200001-200012.nc").touch()
    page = (
        '<a href="../../secret/">x</a><a href="http://example.invalid/">y</a><a href="lnd/">z</a>'
    )
    (tmp_path / "data/001/index.html").write_text(page + '<a href="%2e%2e/secret/">')
    with http_server(tmp_path) as address:
        found = files.member_files(f"{address}data", cesm.is_wanted)
    assert list(found) == ["001"]
    assert [Path(url).name for url in found["001"]] == ["CASE.clm2.h0.GPP.200001-200012.nc"]


def test_members_are_sorted_by_their_numbers(tmp_path):
    for name in ("r10", "r9", "r1"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "CASE.clm2.h0.2000-01.nc").touch()
    assert list(files.member_files(str(tmp_path), cesm.is_wanted)) == ["r1", "r9", "r10"]


def test_files_outside_a_members_folder_are_refused(tmp_path):
    (tmp_path / "CASE.clm2.h0.GPP.200001-200012.nc").touch()
    with pytest.raises(DataError, match="outside a member's folder; expected"):
        read(tmp_path)


@pytest.mark.parametrize("is_served", [False, True])
def test_a_member_without_files_is_not_skipped(tmp_path, is_served):
    for name in ("001", "002"):
        (tmp_path / name).mkdir()
    (tmp_path / "001" / "CASE.clm2.h0.2000-01.nc").touch()
    with (
        http_server(tmp_path) as address,
        pytest.raises(DataError, match=r"'002' in .* holds no history files"),
    ):
        files.member_files(address if is_served else str(tmp_path), cesm.is_wanted)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "needs a first line"),
        ("member,url\n1,a.nc\n", "needs a first line"),
        ("member,variable,url\n,GPP,a.nc\n", "line 2: member or url is empty"),
        ("member,variable,url\n1,GPP\n", "line 2: member or url is empty"),
        ("member,variable,url\n1,GPP,../a.nc\n", "not a place to read from"),
        ("member,variable,url\n1,GPP,file:///etc/passwd\n", "not a place to read from"),
        ("member,variable,url\n", "holds no history files"),
    ],
)
def test_a_manifest_that_is_wrong_is_refused(tmp_path, text, message):
    (tmp_path / "m.csv").write_text(text)
    with pytest.raises(DataError, match=message):
        files.member_files(str(tmp_path / "m.csv"), cesm.is_wanted)


def test_what_is_not_there_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="no folder"):
        read(tmp_path / "nowhere")
    with pytest.raises(FileNotFoundError, match="no manifest"):
        read(tmp_path / "nowhere.csv")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with pytest.raises(errors.Unreachable, match="can't be reached"):
        read(f"http://127.0.0.1:{port}/")


@pytest.mark.slow  # the netCDF library tries again and again
def test_a_server_that_is_lost_while_data_are_read_names_the_file(cesm_folder):
    with http_server(cesm_folder) as address:
        found = read(address)
    with pytest.raises(DataError, match=r"GPP of member 00\d \(http.* can't be read"):
        found["gpp"].isel(member=0, time=0).load()


@pytest.mark.parametrize("layout", ["cesm", "cmip6"])
def test_the_same_files_have_the_same_graph_in_every_process(layout, request, tmp_path):
    """Otherwise a stopped run of months to years would not find what it has finished."""
    folder = request.getfixturevalue(f"{layout}_folder")
    code = {
        "cesm": "cesm.read(files.open_members(folder, cesm.is_wanted))",
        "cmip6": "cmip6.read(*cmip6_catalogue.open_runs(folder + '/catalog.json', None, "
        "['demo'], []))",
    }[layout]
    lines = (
        "from mpcf.data.readers import cesm, cmip6, cmip6_catalogue, files",
        "from dask.base import tokenize",
        f"folder = {str(folder)!r}",
        f"print(tokenize({code}.drop_vars(['time', 'time_bnds'])))",
    )
    command = [sys.executable, "-c", "\n".join(lines)]
    found = [subprocess.run(command, capture_output=True, text=True, check=True) for _ in range(2)]
    assert found[0].stdout == found[1].stdout != ""
