#!/usr/bin/env bash
# VirtualiZarr 2.5.1: files of a series can't be joined if the last is shorter than its chunk.
#
# Expected from memory: Zarr arrays end with a partial chunk wherever chunks do not divide their
# length, so files of 24, 24 and 12 months with chunks of 24 months join into one array of 60 months
# with the regular chunks 24, 24 and 12 (HDF5 stores the last chunk whole and pads it).
# Seen: refused, although only the last file is partial: 'Cannot concatenate arrays with partial
# chunks'. Series such as CAM's co2vmr along the unlimited time, whose last file holds the rest of
# the years, need chunks that divide the length of every file; with chunks of 12 months they join.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/python" -m pip install --quiet --disable-pip-version-check \
  virtualizarr==2.5.1 xarray==2026.9.0 netcdf4 h5py obstore
cd "$work"
"$work/venv/bin/python" - <<'PYTHON' || { echo "the behaviour has changed" >&2; exit 1; }
import warnings
from importlib.metadata import version
from pathlib import Path

import netCDF4
import numpy as np
import xarray as xr

warnings.simplefilter("ignore")
from obstore.store import LocalStore
from virtualizarr import open_virtual_dataset
from virtualizarr.parsers import HDFParser

try:
    from obspec_utils.registry import ObjectStoreRegistry
except ImportError:
    from virtualizarr.registry import ObjectStoreRegistry

print("virtualizarr", version("virtualizarr"), "xarray", version("xarray"))
registry = ObjectStoreRegistry({"file://": LocalStore()})


def joined(chunk):
    """Return three files, the last of 12 months, joined by references."""
    parts = []
    for first, months in ((0, 24), (24, 24), (48, 12)):
        path = Path(f"series-{chunk}-{first}.nc").absolute()
        with netCDF4.Dataset(path, "w") as file:
            file.createDimension("time", None)
            for name in ("time", "co2vmr"):
                file.createVariable(name, "f8", ("time",), chunksizes=(chunk,))
                file[name][:] = np.arange(first, first + months)
        parts.append(
            open_virtual_dataset(
                path.as_uri(),
                registry=registry,
                parser=HDFParser(),
                loadable_variables=["time"],
                decode_times=False,
            )
        )
    return xr.concat(parts, "time", data_vars="minimal", coords="minimal", compat="override")


print("chunks of 12 months:", dict(joined(12).sizes))
try:
    joined(24)
except ValueError as error:
    print("chunks of 24 months:", error)
    assert "partial chunks" in str(error) and "length 12" in str(error)
else:
    raise AssertionError("a last partial chunk is accepted now")
PYTHON
