#!/usr/bin/env bash
# xarray 2026.9.0 with pydap 3.5.9: a float32 _FillValue read by OPeNDAP masks nothing.
#
# Expected from memory: xarray masks numbers that equal a declared _FillValue, by engine="pydap" as by
# engine="netcdf4", since both decode the same attributes in the same way.
# Seen: OPeNDAP sends attributes as text ("1e+36"), which pydap turns into Python floats, in double
# precision. xarray compares them with the float32 values, which differ (float32 holds no 1e36, 1e20
# or -999.9 exactly), so that fill values come through as data, without an error or a warning. In
# float64, or where float32 holds the number exactly (-9999), the same fill value is masked.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/python" -m pip install --quiet --disable-pip-version-check \
  xarray==2026.9.0 pydap==3.5.9 netCDF4==1.7.5.1.post1 numpy
cd "$work"
"$work/venv/bin/python" - <<'PYTHON' || { echo "the behaviour has changed" >&2; exit 1; }
import threading
import warnings
from importlib.metadata import version
from wsgiref.simple_server import WSGIRequestHandler, make_server

import numpy as np
import xarray as xr
from pydap.handlers.lib import BaseHandler
from pydap.model import BaseType, DatasetType

print("xarray", version("xarray"), "pydap", version("pydap"))
FILLS = {"f36": 1e36, "f20": 1e20, "f999": -999.9, "f9999": -9999.0}

served, local = DatasetType("fills"), {}
for dtype in ("float32", "float64"):
    for name, fill in FILLS.items():
        values = np.array([0.5, fill], dtype)
        attrs = {"_FillValue": values[1]}
        served[f"{name}_{dtype}"] = BaseType(
            f"{name}_{dtype}", values, dims=("x",), attributes=attrs
        )
        local[f"{name}_{dtype}"] = ("x", values, attrs)
handler = BaseHandler(served)
handler.additional_headers = []


class Quiet(WSGIRequestHandler):
    def log_message(self, *_):
        pass


server = make_server("127.0.0.1", 0, handler, handler_class=Quiet)
threading.Thread(target=server.serve_forever, daemon=True).start()
address = f"http://127.0.0.1:{server.server_port}/fills"
with warnings.catch_warnings():
    warnings.filterwarnings("ignore", message="PyDAP was unable to determine")
    by_dap = xr.open_dataset(address, engine="pydap").load()
server.shutdown()
xr.Dataset(local).to_netcdf("fills.nc")
by_netcdf = xr.open_dataset("fills.nc", engine="netcdf4").load()
masked = {}
for name in local:
    masked[name] = bool(np.isnan(by_dap[name].values[1]))
    print(f"{name:14} netcdf4: {by_netcdf[name].values[1]}  pydap: {by_dap[name].values[1]}")
    assert np.isnan(by_netcdf[name].values[1]), name
assert masked == {
    name: name.endswith("float64") or name.startswith("f9999") for name in local
}, masked
PYTHON
