"""Files with mangled bytes: a clear error or the right answer, never a crash or a silent number.

Each lot of files is read in a process of its own, since the netCDF library is not Python.
"""

import os
import subprocess
import sys

import numpy as np
import pytest
import xarray as xr

from mpcf.data.readers.fields import series
from mpcf.data.readers.files import open_piece

READER = """
import sys
import numpy as np
from mpcf.errors import DataError
from mpcf.data.readers.fields import series
from mpcf.data.readers.files import open_piece

right = np.load(sys.argv[1])
for path in sys.argv[2:]:
    try:
        piece = open_piece(path, "001")
        if "GPP" not in piece:  # the reader says that the member lacks it
            print("refused", flush=True)
            continue
        values, months = series([piece], "GPP", "kg m-2 s-1")
        found = values.compute().values
    except DataError as error:
        assert path in str(error), error
        print("refused", flush=True)
        continue
    same = found.shape == right.shape and np.array_equal(found, right, equal_nan=True)
    print("right" if same and str(months) == "2000-01 to 2000-12" else f"WRONG {path}", flush=True)
"""


def classic_file(path, form):
    rng = np.random.default_rng(0)
    edges = np.concatenate([[0], np.cumsum([31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31])])
    values = rng.uniform(1e-6, 1e-5, (12, 3, 4))
    values[:, 0, 0] = 1e36
    time = {"units": "days since 2000-01-01", "calendar": "noleap", "bounds": "time_bounds"}
    data = xr.Dataset(
        {
            "GPP": (("time", "lat", "lon"), values, {"units": "gC/m^2/s"}),
            "time_bounds": (("time", "two"), np.column_stack([edges[:-1], edges[1:]]) * 1.0),
        },
        {
            "time": ("time", edges[1:] * 1.0, time),
            "lat": ("lat", [50.0, 60.0, 70.0], {"units": "degrees_north"}),
            "lon": ("lon", [0.0, 90.0, 180.0, 270.0], {"units": "degrees_east"}),
        },
    )
    encoding = {name: {"_FillValue": None} for name in data.variables}
    encoding["GPP"] = {"_FillValue": 1e36, "missing_value": 1e36}
    data.to_netcdf(path, format=form, engine="netcdf4", encoding=encoding)


def header_bytes(path):
    """Positions of all bytes except values, whose bits cannot be checked."""
    data = path.read_bytes()
    is_header = np.ones(len(data), bool)
    with xr.open_dataset(path, decode_times=False, mask_and_scale=False) as raw:
        for variable in raw.variables.values():
            for order in "<>":
                stored = variable.values.astype(f"{order}f8").tobytes()
                if (start := data.find(stored)) >= 0:
                    is_header[start : start + len(stored)] = False
    return np.flatnonzero(is_header)


def mangle(data, places, rng, kind):
    data = bytearray(data)
    if kind == "cut":
        return bytes(data[: rng.integers(1, len(data) - 8)])
    for at in rng.choice(places, rng.integers(1, 4)):
        for place in np.intersect1d(np.arange(at, at + (8 if kind == "block" else 1)), places):
            new = data[place] ^ (1 << rng.integers(8)) if kind == "bit" else rng.integers(256)
            data[place] = int(new)
    return bytes(data)


@pytest.mark.parametrize("form", ["NETCDF3_64BIT", "NETCDF3_CLASSIC", "NETCDF4"])
@pytest.mark.parametrize("kind", ["cut", "bit", "byte", "block"])
def test_mangled_files(tmp_path, form, kind):
    good = tmp_path / "CASE.clm2.h0.GPP.200001-200012.nc"
    classic_file(good, form)
    rng = np.random.default_rng([len(form), len(kind)])
    data, places, paths = good.read_bytes(), header_bytes(good), [good]
    for i in range(25):
        folder = tmp_path / str(i)
        folder.mkdir()
        paths.append(folder / good.name)
        paths[-1].write_bytes(mangle(data, places, rng, kind))
    values, _ = series([open_piece(str(good), "001")], "GPP", "kg m-2 s-1")
    np.save(tmp_path / "right.npy", values.values)
    done = subprocess.run(
        [sys.executable, "-c", READER, str(tmp_path / "right.npy"), *map(str, paths)],
        capture_output=True,
        text=True,
        timeout=300,
        env=os.environ,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    answers = done.stdout.splitlines()
    assert answers[0] == "right"
    assert len(answers) == len(paths)
    assert set(answers) <= {"right", "refused"}, answers
    if kind == "cut":
        assert set(answers[1:]) == {"refused"}
