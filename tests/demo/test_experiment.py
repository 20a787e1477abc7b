"""The ensemble as a whole: its dataset, plausible magnitudes, and determinism."""

import filecmp

import numba
import numpy as np
import pytest
import xarray as xr
from hypothesis import example, given
from hypothesis import strategies as st

from mpcf.data.variables import MAPS, MONTHLY
from mpcf.demo import experiment, parameters, store

YEAR = np.array([31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]) * 86400.0


@pytest.fixture(scope="module")
def demo(quick_demo):
    times = xr.coders.CFDatetimeCoder(use_cftime=True)
    with xr.open_dataset(quick_demo, engine="zarr", decode_times=times) as dataset:
        yield dataset


def test_dataset_is_standard(demo):
    assert dict(demo.sizes) == {
        "member": 4, "time": 3612, "depth": 14, "lat": 5, "lon": 36, "bnds": 2
    }  # fmt: skip
    assert demo.attrs["mpcf_synthetic"] == "true"
    assert demo.time.dt.calendar == "noleap"
    assert (demo.time.dt.year.values[[0, -1]] == [2000, 2300]).all()
    assert (demo.time_bnds[1:, 0].values == demo.time_bnds[:-1, 1].values).all()
    assert demo.depth_bnds[-1, 1] > 3.0 and demo.depth.attrs["positive"] == "down"
    assert (np.diff(demo.lat) > 0).all() and (np.diff(demo.lon) > 0).all()
    for name in ("gpp", "ra", "rh", "pr"):
        assert demo[name].attrs["units"] == "kg m-2 s-1"
        assert demo[name].dtype == np.float32
    for name in ("tas", "tsl"):
        assert demo[name].attrs["units"] == "K"
    for name in ("mrsll", "mrsfl"):
        assert demo[name].dims == ("member", "time", "depth", "lat", "lon")
    assert demo.co2.dims == ("member", "time")


def test_there_are_values_on_soil_only(demo):
    soil = (demo.sftlf > 0) & (demo.sftgif == 0)
    for name in ("gpp", "tsl", "mrsll", "snd"):
        last = demo[name].isel(time=-1, member=-1)
        there = last.notnull() if "depth" not in last.dims else last.notnull().all("depth")
        assert (there == soil).all(), name


def test_members_differ(demo):
    first, second = demo.tas.isel(member=0), demo.tas.isel(member=1)
    assert float(np.abs(first - second).mean()) > 0.5
    assert float(np.abs(demo.warming.diff("member")).max()) > 0.05


def test_permafrost_area_and_carbon_are_plausible(demo):
    area = demo.areacella * demo.sftlf / 100
    base = demo.isel(member=0, time=slice(0, 180))
    frozen = (base.tsl.coarsen(time=12).max() <= 273.15).isel(depth=demo.depth.values <= 3.0)
    both = frozen & frozen.shift(time=1, fill_value=False)
    permafrost = float((area * both.any("depth").isel(time=slice(1, None)).mean("time")).sum())
    assert 10e12 < permafrost < 17e12  # the coarse grid is not the calibrated one
    gpp = (base.gpp * area).sum(("lat", "lon")).values.reshape(-1, 12) @ YEAR / 1e12
    assert 15 < gpp.mean() < 35  # PgC yr-1
    assert 800 < float((base.cSoil[0] * area).sum()) / 1e12 < 1700


def test_carbon_stocks_follow_the_fluxes(demo):
    """Over the whole run, apart from the rounding of stored values."""
    one = demo.isel(member=0)
    net = (one.gpp - one.ra - one.rh).astype(float).values.reshape(301, 12, 5, 36)
    gain = np.einsum("ymij,m->yij", net, YEAR)[1:].sum(axis=0)
    stock = (one.cSoil + one.cVeg).astype(float)
    change = (stock.isel(time=-1) - stock.isel(time=11)).values
    assert np.nanmax(np.abs(gain - change)) < 0.01  # kg m-2


def test_same_seed_gives_the_same_bytes_whatever_the_threads(tmp_path):
    size = experiment.Size(2, 20.0, 30.0, twins=1)
    threads = numba.get_num_threads()
    try:
        for count in (1, min(2, numba.config.NUMBA_NUM_THREADS)):
            numba.set_num_threads(count)
            store.write(tmp_path / f"{count}", size, seed=3)
    finally:
        numba.set_num_threads(threads)
    store.write(tmp_path / "other", size, seed=4)
    stores = sorted(tmp_path.glob("[12]"))
    names = [p.relative_to(stores[0]) for p in stores[0].rglob("*") if p.is_file()]
    same, different, missing = filecmp.cmpfiles(stores[0], stores[-1], names, shallow=False)
    assert len(same) > 30 and not different and not missing
    changed = filecmp.cmpfiles(stores[0], tmp_path / "other", names, shallow=False)[1]
    assert any("tsl" in str(name) for name in changed)


def nearest_even(value, keepbits):
    """Round a float32 value as the sum of powers of two that it is, in float64 arithmetic."""
    if not np.isfinite(value):
        return np.float32(value)
    exponent = max(np.frexp(np.float64(value))[1] - 1, -126)  # subnormal numbers share the lowest
    unit = 2.0 ** float(exponent - keepbits)
    with np.errstate(over="ignore"):
        return np.float32(np.rint(np.float64(value) / unit) * unit)


@given(st.floats(width=32), st.integers(1, 23))
@example(-0.0, 14)
@example(float(np.finfo(np.float32).max), 10)  # rounds to infinity
@example(float(np.finfo(np.float32).smallest_subnormal), 14)
@example(1.0 + 2.0**-15, 14)  # a tie: down to the even neighbour
@example(-(1.0 + 3 * 2.0**-15), 14)  # a tie: away from zero to the even neighbour
@example(2.0 - 2.0**-23, 11)  # carries into the exponent
def test_rounding_is_to_the_nearest_and_to_even_at_ties(value, keepbits):
    values = np.array([value], np.float32)
    rounded = store.round_bits(values, keepbits)
    expected = np.array([nearest_even(value, keepbits)])
    np.testing.assert_array_equal(rounded, expected)
    assert np.isnan(value) or np.signbit(rounded[0]) == np.signbit(values[0])
    np.testing.assert_array_equal(values, np.float32([value]), "the argument is left alone")


def test_the_ensemble_holds_every_monthly_variable():
    assert {*store.ENCODINGS, *MAPS} == set(MONTHLY)


def test_table_of_parameters_is_complete():
    table = parameters.table()
    assert len(table) > 80
    assert (table[["unit", "meaning", "source"]] != "").all().all()
    assert table.parameter.is_unique
