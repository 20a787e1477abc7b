"""Fixtures that several tests share."""

from itertools import pairwise

import numpy as np
import pytest
import xarray as xr
from hypothesis import settings

settings.register_profile("mpcf", deadline=None, derandomize=True)
settings.load_profile("mpcf")


@pytest.fixture
def monthly():
    """Three years, two members, two cells and a sea cell, with values that are easy to check.

    Fluxes are constant, the air is 10 °C warmer in the thaw season, and the soil warms from −5 °C
    in winter to 2 °C (upper two layers) or −2 °C (lower two) in summer.
    """
    import cftime

    years = range(2000, 2003)
    edges = [cftime.DatetimeNoLeap(y + m // 12, m % 12 + 1, 1) for y in years for m in range(12)]
    edges.append(cftime.DatetimeNoLeap(2003, 1, 1))
    bounds = np.array(list(pairwise(edges)))
    time = [a + (b - a) / 2 for a, b in bounds]
    summer = np.array([5 <= t.month <= 9 for t in time])
    full = (2, 36, 4, 1, 3)
    land = np.array([1.0, 1.0, np.nan])

    def series(values):
        return np.broadcast_to(values[None, :, None, None], (2, 36, 1, 3)) * land

    def layers(values):
        return np.broadcast_to(values[None, :, :, None, None], full) * land

    constant = np.ones(36)
    soil = np.where(summer[:, None], [2.0, 2.0, -2.0, -2.0], -5.0) + 273.15
    wet = np.where(summer[:, None], [30.0, 90.0, 10.0, 10.0], [3.0, 9.0, 10.0, 10.0])
    ice = np.where(summer[:, None], [0.0, 0.0, 300.0, 600.0], [27.0, 81.0, 300.0, 600.0])
    flux = {"gpp": 3e-8, "ra": 1e-8, "rh": 5e-9}
    dims = ("member", "time", "lat", "lon")
    profile = ("member", "time", "depth", "lat", "lon")
    data = {v: (dims, series(constant * f), {"units": "kg m-2 s-1"}) for v, f in flux.items()}
    air = np.where(summer, 283.15, 273.15)
    data |= {
        "tas": (dims, series(air) + np.array([0.0, 1.0])[:, None, None, None], {"units": "K"}),
        "pr": (dims, series(constant * 2e-5), {"units": "kg m-2 s-1"}),
        "tsl": (profile, layers(soil), {"units": "K"}),
        "mrsll": (profile, layers(wet), {"units": "kg m-2"}),
        "mrsfl": (profile, layers(ice), {"units": "kg m-2"}),
        "snd": (dims, series(np.where(summer, 0.0, 0.4)), {"units": "m"}),
        "sftlf": (("lat", "lon"), np.array([[100.0, 50.0, 0.0]]), {"units": "%"}),
        "areacella": (("lat", "lon"), np.full((1, 3), 1e11), {"units": "m2"}),
        "time_bnds": (("time", "bnds"), bounds),
        "depth_bnds": (("depth", "bnds"), [[0.0, 0.2], [0.2, 0.8], [0.8, 1.8], [1.8, 3.8]]),
    }
    coords = {
        "member": [1, 2],
        "time": time,
        "depth": [0.1, 0.5, 1.3, 2.8],
        "lat": [60.0],
        "lon": [-5.0, 0.0, 5.0],
    }
    return xr.Dataset(data, coords)


@pytest.fixture
def yearly_stub():
    """A small yearly dataset of random numbers with the dims of the real one."""
    rng = np.random.default_rng(0)
    coords = {
        "member": [1, 2, 3, 4],
        "year": range(2000, 2040),
        "season": ["year", "thaw"],
        "top": [0.1, 1.0, 3.0],
        "lat": [60.0, 64.0],
        "lon": [-10.0, -5.0, 0.0],
    }
    dims = {
        "temperature": ("member", "year", "season", "lat", "lon"),
        "precipitation": ("member", "year", "season", "lat", "lon"),
        "soil_liquid": ("member", "year", "season", "top", "lat", "lon"),
        "soil_water": ("member", "year", "season", "top", "lat", "lon"),
        "thaw_wetness": ("member", "year", "lat", "lon"),
        "co2": ("member", "year"),
    }
    values = {v: (d, rng.normal(size=[len(coords[k]) for k in d])) for v, d in dims.items()}
    return xr.Dataset(values, coords)


@pytest.fixture(scope="session")
def quick_demo(tmp_path_factory):
    """Path of the small demonstration ensemble without its twins, made once in a session."""
    from dataclasses import replace

    from mpcf.demo import experiment, store

    folder = tmp_path_factory.mktemp("demo") / "data"
    store.write(folder, replace(experiment.QUICK, twins=0), seed=experiment.SEED)
    return folder / "monthly.zarr"
