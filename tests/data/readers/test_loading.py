"""An error of lazily read files is the same whichever thread is faster."""

import time

import numpy as np
import pytest
import xarray as xr

from mpcf.data.checks import examine
from mpcf.data.readers import cesm, fields
from mpcf.data.readers.fields import Piece, series
from mpcf.data.readers.loading import load
from mpcf.errors import DataError


@pytest.fixture
def slow(monkeypatch):
    """Return a function that makes the files whose path holds a text slow to read."""

    def make(text):
        read = fields._Stored._read

        def delayed(self, key):
            if text in self.where:
                time.sleep(0.2)
            return read(self, key)

        monkeypatch.setattr(fields._Stored, "_read", delayed)

    return make


def damaged(stored, *names):
    """Return the pieces with a fourth month of fill values in each of a variable's files."""
    members = {m: [Piece(path, m, raw) for path, raw in own.items()] for m, own in stored.items()}
    return {
        m: [
            Piece(p.path, m, p.raw.assign({n: _without_april(p.raw[n]) for n in names if n in p}))
            for p in pieces
        ]
        for m, pieces in members.items()
    }


def _without_april(values):
    return values.where(values["time"] != values["time"][3], 1e36).assign_attrs(values.attrs)


def holding(pieces, name):
    return [piece for piece in pieces if name in piece]


@pytest.mark.parametrize("path", ["HR.200001", "HR.200301"])
def test_of_several_files_the_first_in_time_is_named(stored_cesm, slow, path):
    slow(path)
    values, _ = series(holding(damaged(stored_cesm, "HR")["001"], "HR"), "HR", "kg m-2 s-1")
    assert values.data.npartitions > 1
    with pytest.raises(DataError, match=r"HR\.200001-200212\.nc\) has no values in 2000-04"):
        load(values)


@pytest.mark.parametrize("path", ["HR.200001", "HR.200301"])
def test_the_checks_name_the_first_in_time(stored_cesm, slow, path):
    slow(path)
    errors = [f for f in examine(cesm.read(damaged(stored_cesm, "HR"))) if f.status == "error"]
    assert len(errors) == 1
    assert "001.clm2.h0.HR.200001-200212.nc) has no values in 2000-04" in errors[0].found


@pytest.mark.parametrize("path", ["RAIN", "SNOW"])
def test_of_two_variables_of_a_block_the_first_by_name_is_named(stored_cesm, slow, path):
    """Precipitation is a sum of two files, which are read for the same block."""
    slow(path)
    pieces = damaged(stored_cesm, "RAIN", "SNOW")["001"]
    for _ in range(5):  # dask names arrays at random and works in the order of names
        rain, snow = (series(holding(pieces, n), n, "kg m-2 s-1")[0] for n in ("RAIN", "SNOW"))
        with pytest.raises(DataError, match=r"^RAIN of member 001 \(.*RAIN.200001.* in 2000-04"):
            load(rain + snow)


def test_an_error_of_a_block_does_not_linger(stored_cesm):
    """Errors collected while searching for the first one do not affect later reads."""
    good, bad = damaged(stored_cesm), damaged(stored_cesm, "HR")
    values, _ = series(holding(bad["001"], "HR"), "HR", "kg m-2 s-1")
    with pytest.raises(DataError):
        load(values)
    with pytest.raises(DataError):
        values.compute()
    values, _ = series(holding(good["001"], "HR"), "HR", "kg m-2 s-1")
    np.testing.assert_array_equal(load(values), values.compute())


def test_an_error_that_goes_away_is_still_raised():
    """A network that failed once may have failed unseen elsewhere."""

    class Once:
        shape, ndim, dtype, is_lost = (4,), 1, np.dtype("float32"), False

        def __getitem__(self, key):
            if self.is_lost:
                self.is_lost = False
                raise OSError("connection lost")
            return np.zeros(4, "float32")[key]

    import dask.array

    network = Once()
    stored = dask.array.from_array(network, chunks=2, name=False, asarray=False)
    network.is_lost = True
    with pytest.raises(OSError, match="connection lost"):
        load(xr.DataArray(stored, dims="time"))


def test_other_values_are_loaded_as_they_are():
    expected = xr.DataArray(np.arange(24.0).reshape(4, 6), dims=("time", "lat"))
    for values in (expected, expected.chunk(time=2), expected.chunk()):
        xr.testing.assert_identical(load(values), expected)


def test_opening_a_variable_reads_none_of_it(monkeypatch):
    """A run of a file for each month has more files than are kept open at a time."""
    dims, shape = ("time", "lat", "lon"), (1, 2, 2)
    tas = (dims, np.full(shape, 280.0), {"units": "K"})
    raw = xr.Dataset({"TSA": tas}, {"lat": [50.0, 60.0], "lon": [0.0, 90.0]})
    read = []
    monkeypatch.setattr(fields._Stored, "_read", lambda self, key: read.append(key))
    lazy = fields.field(Piece("a.nc", "001", raw), "TSA", "K")
    assert lazy.dtype == np.float32 and lazy.shape == shape
    assert read == []
