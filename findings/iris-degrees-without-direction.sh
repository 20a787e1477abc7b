#!/usr/bin/env bash
# Iris 3.14.1: a coordinate read in 'degrees_north' has the units 'degrees' in memory.
#
# Expected from memory: units are kept as the file has them; a cube's latitude is in 'degrees_north',
# as the CF conventions recommend, so a comparison with the units of the CMIP6 table succeeds.
# Seen: 'degrees_north' and 'degrees_east' become 'degrees' on loading, without a note, and are put
# back on saving. A check of a loaded cube against the table, such as ESMValCore's cmor_check without
# its fixes, therefore reports 'units should be degrees_north, not degrees' for every valid file.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/python" -m pip install --quiet --disable-pip-version-check \
  scitools-iris==3.14.1 netcdf4 numpy
cd "$work"
"$work/venv/bin/python" - <<'PYTHON' || { echo "the behaviour has changed" >&2; exit 1; }
import warnings
from importlib.metadata import version

import netCDF4
import numpy as np

warnings.simplefilter("ignore")
import iris

print("scitools-iris", version("scitools-iris"))


def units(path):
    with netCDF4.Dataset(path) as file:
        return [file[name].units for name in ("lat", "lon")]


with netCDF4.Dataset("cVeg.nc", "w") as file:
    file.Conventions = "CF-1.8"
    for name, long_name, unit, values in (
        ("lat", "latitude", "degrees_north", [50.0, 60.0]),
        ("lon", "longitude", "degrees_east", [0.0, 90.0, 180.0]),
    ):
        file.createDimension(name, len(values))
        axis = file.createVariable(name, "f8", (name,))
        axis.setncatts({"standard_name": long_name, "units": unit})
        axis[:] = values
    carbon = file.createVariable("cVeg", "f4", ("lat", "lon"))
    carbon.setncatts({"standard_name": "vegetation_carbon_content", "units": "kg m-2"})
    carbon[:] = np.ones((2, 3))
cube = iris.load_cube("cVeg.nc")
found = [str(cube.coord(name).units) for name in ("latitude", "longitude")]
iris.save(cube, "again.nc")
print("in the file:", units("cVeg.nc"), "in memory:", found, "saved again:", units("again.nc"))
assert units("cVeg.nc") == units("again.nc") == ["degrees_north", "degrees_east"]
assert found == ["degrees", "degrees"]
PYTHON
