"""A small ensemble in standard form, a comparison, and servers on this machine."""

import contextlib
import functools
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from wsgiref.simple_server import WSGIRequestHandler, make_server

import numpy as np
import xarray as xr

from mpcf.data.readers.months import Months, time_axis
from mpcf.data.variables import MONTHLY
from mpcf.ground.geography import grid_cell_area

PHASES = {"warming": (2000, 2001), "mitigation": (2002, 2002), "net-zero": (2003, 2003)}


def make_ensemble(members=2, years=4, calendar="noleap"):
    """Random values of plausible size on 4 x 6 cells: two are sea, one is ice sheet."""
    rng = np.random.default_rng(1)
    time, bounds = time_axis(Months(2000 * 12, 12 * years, calendar))
    edges = np.array([0.0, 0.05, 0.12, 0.36, 1.02, 3.47])
    coords = {
        "member": np.arange(1, members + 1),
        "time": time,
        "depth": (edges[:-1] + edges[1:]) / 2,
        "lat": [49.0, 59.0, 69.0, 79.0],
        "lon": np.arange(-150.0, 180.0, 60.0),
    }
    land = np.full((4, 6), 62.5)
    land[0, :2], land[3, 5] = 0.0, 40.0
    ice = np.zeros((4, 6))
    ice[3, 5] = 40.0
    has_soil = (land > 0) & (ice == 0)
    ranges = {
        "gpp": (0, 5e-8), "ra": (0, 3e-8), "rh": (0, 2e-8), "tas": (240, 300), "pr": (0, 5e-5),
        "tsl": (250, 290), "mrsll": (1, 90), "mrsfl": (0, 90), "snd": (0, 1), "co2": (380, 500),
        "warming": (1, 2), "cSoil": (5, 50), "cVeg": (1, 9),
    }  # fmt: skip
    data = {}
    for name, (low, high) in ranges.items():
        dims = MONTHLY[name].dims
        values = rng.uniform(low, high, [len(coords[d]) for d in dims]).astype("float32")
        values = np.where(has_soil, values, np.float32(np.nan)) if "lat" in dims else values
        data[name] = (dims, values, {"units": MONTHLY[name].units})
    _put_water_into_layers(data, np.diff(edges))
    out = xr.Dataset(data, coords, {"title": "a test", "mpcf_synthetic": "true"})
    out["time_bnds"] = bounds
    out["depth_bnds"] = (("depth", "bnds"), np.column_stack([edges[:-1], edges[1:]]))
    out["areacella"] = grid_cell_area(out["lat"], out["lon"]).astype("float32")
    out["areacella"].attrs["units"] = "m2"
    for name, values in (("sftlf", land), ("sftgif", ice)):
        out[name] = (("lat", "lon"), values.astype("float32"), {"units": "%"})
    return out


def _put_water_into_layers(data, thickness):
    """Scale soil water to what fits into its layers, liquid where it thaws and ice where not."""
    thawed = np.where(data["tsl"][1] > 273.15, 0.98, 0.03).astype("float32")
    filled = (data["mrsll"][1] / 200 + 0.05) * 1e3 * thickness[:, None, None].astype("float32")
    data["mrsll"] = (data["mrsll"][0], filled * thawed, data["mrsll"][2])
    data["mrsfl"] = (data["mrsfl"][0], filled * (1 - thawed), data["mrsfl"][2])


def assert_same(found, expected):
    """Every variable is there, in the same dims and unit, with exactly the same values."""
    for name in (*expected.data_vars, "time", "depth", "lat", "lon", "member"):
        assert found[name].dims == expected[name].dims, name
        if name in MONTHLY:
            assert found[name].dtype == np.float32, name
            assert found[name].attrs["units"] == MONTHLY[name].units, name
        np.testing.assert_array_equal(found[name].values, expected[name].values, err_msg=name)


class _Quiet(SimpleHTTPRequestHandler):
    """Serves a folder with listings, and parts of files."""

    def log_message(self, *_):
        pass

    def do_GET(self):
        part = self.headers.get("Range")
        if part is None or self.path.endswith("/"):
            return super().do_GET()
        with open(self.translate_path(self.path), "rb") as file:
            data = file.read()
        first, last = part.removeprefix("bytes=").split("-")
        first = int(first) if first else len(data) - int(last)
        last = min(int(last), len(data) - 1) if last and part[6] != "-" else len(data) - 1
        self.send_response(206)
        self.send_header("Content-Range", f"bytes {first}-{last}/{len(data)}")
        self.send_header("Content-Length", str(last - first + 1))
        self.send_header("Accept-Ranges", "bytes")
        self.end_headers()
        self.wfile.write(data[first : last + 1])

    def end_headers(self):
        self.send_header("Accept-Ranges", "bytes")
        super().end_headers()


class _WholeFiles(SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


@contextlib.contextmanager
def http_server(folder, parts=True):
    """Serve a folder on this machine; yields its address."""
    handler = partial(_Quiet if parts else _WholeFiles, directory=str(folder))
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/"
    finally:
        server.shutdown()
        server.server_close()


class _Silent(WSGIRequestHandler):
    def log_message(self, *_):
        pass


@functools.cache
def _dap_handler(path):
    """Return a WSGI application for one file; pydap's own handler of files can't cut them."""
    import netCDF4
    from pydap.handlers.lib import BaseHandler
    from pydap.model import BaseType, DatasetType

    dataset = DatasetType(path.name)
    with netCDF4.Dataset(path) as file:
        file.set_auto_maskandscale(False)
        dataset.attributes["NC_GLOBAL"] = {k: file.getncattr(k) for k in file.ncattrs()}
        for name, variable in file.variables.items():
            attrs = {k: variable.getncattr(k) for k in variable.ncattrs()}
            dataset[name] = BaseType(
                name, variable[...], dims=variable.dimensions, attributes=attrs
            )
    handler = BaseHandler(dataset)
    handler.additional_headers = []
    return handler


@contextlib.contextmanager
def opendap_server(folder):
    """Serve the netCDF files of a folder by OPeNDAP (DAP2); yields the address."""

    def application(environ, start_response):
        path = folder / environ["PATH_INFO"].lstrip("/").rpartition(".")[0]
        if not path.is_file():
            start_response("404 Not Found", [])
            return [b""]
        return _dap_handler(path)(environ, start_response)

    server = make_server("127.0.0.1", 0, application, handler_class=_Silent)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/"
    finally:
        server.shutdown()
        server.server_close()
