"""Every fault that the checks cover is planted in a good dataset and must be named."""

import numpy as np
import pytest
import xarray as xr

from mpcf.data.checks import check_monthly, examine
from mpcf.errors import DataError
from mpcf.ground.constants import EARTH_RADIUS
from mpcf.ground.geography import grid_cell_area


@pytest.fixture
def good(monthly):
    wide = monthly.isel(lon=[0, 1]).isel(lat=[0, 0]).assign_coords(lat=[60.0, 64.0])
    area = grid_cell_area(wide["lat"], wide["lon"]).assign_attrs(units="m2")
    co2 = xr.full_like(wide["tas"].isel(lat=0, lon=0, drop=True), 400.0).assign_attrs(units="ppm")
    return wide.assign(areacella=area, co2=co2)


def test_a_good_dataset_passes(good):
    assert len(check_monthly(good)) == 8
    assert {finding.status for finding in examine(good)} == {"ok"}


def test_decisions_of_a_reader_are_reported(good):
    noted = good.assign_attrs(mpcf_notes="one thing\nanother")
    assert check_monthly(noted)[-2:] == ["note: one thing", "note: another"]
    assert [f.found for f in examine(noted) if f.status == "note"] == ["one thing", "another"]


def test_all_faults_are_found_at_once(good):
    broken = good.drop_vars("sftlf").isel(time=slice(0, 35))
    found = {finding.check: finding.status for finding in examine(broken)}
    assert found["variables"] == found["time"] == "error"
    assert found["depth"] == found["cell area"] == "ok"


@pytest.mark.parametrize("name", ["gpp", "tsl", "mrsll", "mrsfl", "pr", "snd"])
def test_a_missing_variable_is_told_and_no_error(good, name):
    found = {f.check: f for f in examine(good.rename({name: f"{name}x"}))}
    assert {f.status for f in found.values()} == {"ok"}
    assert f"variables are there; missing: '{name}' (" in found["variables"].found
    assert f"did you mean the variable '{name}x'" in found["variables"].found


def test_a_dataset_without_layers_passes(good):
    flat = good.drop_dims("depth")
    assert "no variable by soil layer" in check_monthly(flat)[4]


def test_the_area_of_rows_that_are_not_evenly_spaced():
    lat = xr.DataArray([-87.9, -60.0, -31.0, 2.0, 33.0, 61.0, 86.0], dims="lat")
    lon = xr.DataArray(np.arange(0.0, 360.0, 20.0), dims="lon")
    assert float(grid_cell_area(lat, lon).sum()) == pytest.approx(
        4 * np.pi * EARTH_RADIUS**2, rel=2e-3
    )


def spoil(dataset, name, change, **attrs):
    broken = dataset.copy(deep=True)
    broken[name] = change(broken[name]).assign_attrs(broken[name].attrs | attrs)
    return broken


FAULTS = {
    "flux out of land": (
        lambda d: spoil(d, "gpp", lambda v: -v),
        "'gpp' of member 1 runs from -3e-08",
    ),
    "°C for K": (lambda d: spoil(d, "tas", lambda v: v - 273.15), "look at its unit"),
    "fill values": (lambda d: spoil(d, "pr", lambda v: v.fillna(0) + 1e36), "fill value"),
    "unit": (lambda d: spoil(d, "tsl", lambda v: v, units="degC"), "'tsl' has units 'degC'"),
    "empty": (lambda d: spoil(d, "rh", lambda v: v * np.nan), "'rh' of member 1 has no values"),
    "missing": (lambda d: d.rename(sftlf="sftl"), "'sftlf' .*did you mean.*'sftl'.* is missing"),
    "nothing": (lambda d: d[["sftlf", "areacella", "co2"]], "no monthly variable on a map"),
    "dims": (lambda d: d.assign(snd=d["snd"].isel(member=0)), "lacks the dimensions .'member'"),
    "gap": (lambda d: d.isel(time=np.delete(np.arange(36), 13)), "month after 2001-01"),
    "double": (lambda d: d.isel(time=[*range(13), *range(12, 35)]), "month after 2001-01"),
    "part of a year": (lambda d: d.isel(time=slice(0, 35)), "give whole years"),
    "km2": (lambda d: spoil(d, "areacella", lambda v: v / 1e6), "0.0 % of the area"),
    "thousandth": (
        lambda d: spoil(d, "pr", lambda v: v / 1000),
        "'pr' of member 1 has the mean 2e-08",
    ),
    "fraction as %": (lambda d: spoil(d, "co2", lambda v: v / 1e6), "'co2' .*look at its unit"),
    "a month without values": (
        lambda d: spoil(d, "rh", lambda v: v.where(d["time"].dt.month != 7)),
        "'rh' of member 1 has cells without values in 3 of the months",
    ),
    "fill in the last year": (
        lambda d: spoil(d, "snd", lambda v: xr.where(d["time"].dt.year == 2002, -9999.0, v)),
        "'snd' of member 1 runs from -9999",
    ),
    "latitude reversed": (lambda d: d.isel(lat=[1, 0]), "'lat' has to ascend"),
    "longitude 0 to 360": (lambda d: d.assign_coords(lon=[175.0, 185.0]), "'lon' has to ascend"),
    "shallow": (lambda d: d.isel(depth=[0, 1, 2]), "soil reaches 1.80 m down; 3 m are needed"),
    "depth upwards": (lambda d: d.assign_coords(depth=-d["depth"]), "positive downwards"),
    "layer lost": (lambda d: d.isel(depth=[0, 2, 3]), "leave gaps"),
    "bounds lost": (lambda d: d.drop_vars("time_bnds"), "'time_bnds' .* is missing"),
    "stamps at the end": (
        lambda d: d.assign_coords(time=[b for _, b in d["time_bnds"].values]).isel(
            time=slice(11, 35)
        ),
        "has the bounds",
    ),
    "read twice": (lambda d: d.isel(member=[0, 0]).assign_coords(member=[1, 2]), "members 1 and 2"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_named(good, fault):
    change, message = FAULTS[fault]
    with pytest.raises(DataError, match=message):
        check_monthly(change(good))


def test_one_member_is_enough(good):
    assert check_monthly(good.isel(member=[0]))[-1] == "there is one member"
