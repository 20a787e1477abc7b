"""Every fault that the checks know is put into a good dataset and must be named."""

import numpy as np
import pytest

from mpcf.checks import DataError, check_monthly, grid_cell_area


@pytest.fixture
def good(monthly):
    wide = monthly.isel(lon=[0, 1]).isel(lat=[0, 0]).assign_coords(lat=[60.0, 64.0])
    area = grid_cell_area(wide["lat"], wide["lon"]).assign_attrs(units="m2")
    return wide.assign(areacella=area)


def test_a_good_dataset_passes(good):
    assert len(check_monthly(good)) == 6


def spoil(dataset, name, change, **attrs):
    broken = dataset.copy(deep=True)
    broken[name] = change(broken[name]).assign_attrs(broken[name].attrs | attrs)
    return broken


FAULTS = {
    "flux out of land": (lambda d: spoil(d, "gpp", lambda v: -v), "'gpp' runs from -3e-08"),
    "°C for K": (lambda d: spoil(d, "tas", lambda v: v - 273.15), "look at its unit"),
    "fill values": (lambda d: spoil(d, "pr", lambda v: v.fillna(0) + 1e36), "fill value"),
    "unit": (lambda d: spoil(d, "tsl", lambda v: v, units="degC"), "'tsl' has units 'degC'"),
    "empty": (lambda d: spoil(d, "rh", lambda v: v * np.nan), "'rh' has no values"),
    "missing": (lambda d: d.drop_vars("mrsll"), "'mrsll' .*is missing.*mrsfl"),
    "dims": (lambda d: d.assign(snd=d["snd"].isel(member=0)), "lacks the dimensions .'member'"),
    "gap": (lambda d: d.isel(time=np.delete(np.arange(36), 13)), "month after 2001-01"),
    "double": (lambda d: d.isel(time=[*range(13), *range(12, 35)]), "month after 2001-01"),
    "part of a year": (lambda d: d.isel(time=slice(0, 35)), "give whole years"),
    "km2": (lambda d: spoil(d, "areacella", lambda v: v / 1e6), "0.0 % of the area"),
    "read twice": (lambda d: d.isel(member=[0, 0]).assign_coords(member=[1, 2]), "members 1 and 2"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_named(good, fault):
    change, message = FAULTS[fault]
    with pytest.raises(DataError, match=message):
        check_monthly(change(good))


def test_one_member_is_enough(good):
    assert check_monthly(good.isel(member=[0]))[-1] == "there is one member"
