"""Zarr stores of both formats: zeros, packed numbers, fill values, chunks that are not there."""

import json
import shutil

import numpy as np
import pytest
import xarray as xr

from mpcf.data.readers.fills import decode
from mpcf.data.readers.zarr_stores import open_store
from mpcf.errors import DataError

from .helpers import http_server

VALUES = np.float32([[0.0, 1.0, np.nan], [2.0, 0.0, np.nan]])


@pytest.fixture
def stored(tmp_path):
    """Return a function that writes a store with a chunk for each month, and opens it."""

    def write(zarr_format=2, consolidated=False, change=lambda path: None, **encoding):
        path = tmp_path / "snd.zarr"
        raw = xr.Dataset({"snd": (("time", "lat"), VALUES)}, {"lat": [0.0, 50.0, 80.0]})
        raw["time"] = ("time", [0.0, 1.0], {"units": "days since 2000-01-01"})
        raw.to_zarr(
            path,
            zarr_format=zarr_format,
            consolidated=consolidated,
            encoding={"snd": {"chunks": (1, 3)} | encoding},
        )
        change(path)
        return open_store(str(path), "r1i1p1f1", "snd")

    return write


def set_fill(value, name="snd"):
    """Return a change of a format 2 array's fill value."""

    def change(path):
        for file in (path / name / ".zarray", path / name / ".zmetadata"):
            if file.exists():
                file.write_text(json.dumps(json.loads(file.read_text()) | {"fill_value": value}))

    return change


@pytest.mark.parametrize("zarr_format", [2, 3])
@pytest.mark.parametrize("consolidated", [False, True])
@pytest.mark.filterwarnings("ignore:Consolidated metadata is currently not part")
def test_every_format_with_and_without_consolidated_metadata(stored, zarr_format, consolidated):
    found = stored(zarr_format, consolidated)
    np.testing.assert_array_equal(found["snd"], VALUES)
    np.testing.assert_array_equal(found["lat"], [0.0, 50.0, 80.0])


@pytest.mark.filterwarnings("ignore:Consolidated metadata is currently not part")
@pytest.mark.parametrize("zarr_format", [2, 3])
def test_a_store_without_its_variable_says_what_it_may_need(stored, tmp_path, zarr_format):
    """A server without listings shows no arrays unless their metadata are consolidated."""
    stored(zarr_format)
    (tmp_path / "snd.zarr" / "index.html").write_text("no listing")
    with http_server(tmp_path) as address:
        with pytest.raises(DataError, match="has no variable snd; over a network it needs cons"):
            open_store(f"{address}snd.zarr", "r1i1p1f1", "snd")
        shutil.rmtree(tmp_path / "snd.zarr")
        stored(zarr_format, consolidated=True)
        found = open_store(f"{address}snd.zarr", "r1i1p1f1", "snd")
        np.testing.assert_array_equal(found["snd"], VALUES)


def test_zeros_are_values_where_zarrs_default_fill_value_is_zero(stored):
    np.testing.assert_array_equal(stored(change=set_fill(0.0))["snd"], VALUES)


def test_a_coordinate_of_zero_is_not_missing(stored):
    found = stored(change=set_fill(0.0, "lat"))
    np.testing.assert_array_equal(found["lat"], [0.0, 50.0, 80.0])


def test_a_declared_fill_value_holds_beside_the_default_of_zarr(stored):
    def change(path):
        set_fill(0.0)(path)
        file = path / "snd" / ".zattrs"
        file.write_text(json.dumps(json.loads(file.read_text()) | {"_FillValue": 2.0}))

    found = stored(change=change)["snd"].values
    np.testing.assert_array_equal(found, np.where(VALUES == 2.0, np.nan, VALUES))


def test_chunks_in_place_of_which_zeros_would_be_read_are_refused(stored):
    def change(path):
        set_fill(0.0)(path)
        (path / "snd" / "1.0").unlink()

    with pytest.raises(DataError, match=r"snd of member r1i1p1f1 .* lacks 1 of the 2 chunks"):
        stored(change=change)


def test_chunks_that_read_as_missing_are_left_to_the_checks(stored):
    found = stored(change=lambda path: (path / "snd" / "1.0").unlink())
    assert np.isnan(found["snd"].values[1]).all()


PACKED = {"dtype": "int16", "scale_factor": 0.01, "add_offset": 270.0}


@pytest.mark.parametrize("zarr_format", [2, 3])
def test_packed_numbers_are_unpacked(stored, zarr_format):
    found = stored(zarr_format, _FillValue=np.int16(-32768), **PACKED)
    np.testing.assert_allclose(found["snd"], VALUES, atol=0.006)


def test_a_packed_store_that_was_never_written_is_refused(stored):
    """It would be 270 everywhere, over the sea too."""

    def empty(path):
        shutil.rmtree(path / "snd" / "c")

    with pytest.raises(DataError, match=r"lacks 2 of the 2 chunks .* fill_value 0 would be read"):
        stored(3, change=empty, _FillValue=np.int16(-32768), **PACKED)


@pytest.mark.parametrize("fill", [1e20, np.nan, -40000, 0.5])
def test_a_fill_value_that_the_stored_type_cannot_hold_is_refused(fill):
    packed = xr.Variable("x", np.int16([1, 2]), {"_FillValue": fill, "add_offset": 270.0})
    with pytest.raises(DataError, match=r"tas of a file is stored as int16 .* can't hold"):
        decode(xr.Dataset({"tas": packed}), "tas", "a file")
    # beside the variable that is needed it does no harm
    assert decode(xr.Dataset({"other": packed}), "tas", "a file")["other"].values[0] == 271.0


@pytest.mark.parametrize("fill", [-999.9, 1e15, 1e36, 1e20, -9999.0, [-999.9, 1e15]])
@pytest.mark.parametrize("key", ["_FillValue", "missing_value"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_fill_value_is_found_whatever_type_declares_it(fill, key, dtype):
    if isinstance(fill, list) and key == "_FillValue":
        fill = fill[0]
    bad = np.atleast_1d(fill).astype(dtype)
    values = np.concatenate([np.array([0.25], dtype), bad])
    attrs = {key: np.array(fill) if isinstance(fill, list) else fill}
    found = decode(xr.Dataset({"gpp": ("x", values, attrs)}), "gpp", "a file")["gpp"]
    assert found.dtype == dtype
    np.testing.assert_array_equal(found, [0.25] + [np.nan] * bad.size)
