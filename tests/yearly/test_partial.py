"""Months to years of a source that lacks some variables: the rest is as if it did not."""

import numpy as np
import pytest
import xarray as xr
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mpcf.data.variables import YEARLY, can_be_made
from mpcf.data.yearly_checks import check_yearly
from mpcf.errors import DataError
from mpcf.yearly.reduction import to_yearly
from mpcf.yearly.stream import write_yearly

FIXED = ("sftlf", "areacella", "time_bnds", "depth_bnds")
LAYERED = {"tsl", "mrsll", "mrsfl"}
PARTS = ("gpp", "ra", "rh", "tas", "pr", "tsl", "mrsll", "mrsfl", "snd", "co2")


def part_of(monthly, names):
    """Return a source with some variables, without layers if none of them has any."""
    co2 = xr.full_like(monthly["tas"].isel(lat=0, lon=0, drop=True), 400.0)
    some = monthly.assign(co2=co2.assign_attrs(units="ppm"))[[*names, *FIXED]]
    return some if LAYERED & set(names) else some.drop_dims("depth")


def variables(yearly):
    return {str(name) for name in yearly.data_vars if name in YEARLY}


@pytest.mark.parametrize("absent", PARTS)
def test_without_one_variable_the_others_are_as_they_were(monthly, absent):
    names = [name for name in PARTS if name != absent]
    full, part = (to_yearly(part_of(monthly, some)) for some in (PARTS, names))
    assert variables(part) == {name for name in variables(full) if can_be_made(name, names)}
    for name in variables(part):
        xr.testing.assert_identical(part[name], full[name])


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(names=st.sets(st.sampled_from([name for name in PARTS if name != "co2"]), min_size=1))
def test_any_part_gives_what_can_be_made_of_it(monthly, names):
    if names == {"mrsfl"}:  # ice alone gives no yearly variable
        return
    found = to_yearly(part_of(monthly, sorted(names)))
    assert variables(found) == {name for name in YEARLY if can_be_made(name, names)}
    assert ("depth" in found.dims) == bool(LAYERED & names)


@pytest.mark.parametrize("names", [["mrsll", "tas"], ["tsl"], ["gpp", "pr", "co2"]])
def test_the_store_of_a_part_is_what_it_is_in_memory(monthly, tmp_path, names):
    some = part_of(monthly, names)
    write_yearly(some.chunk(time=12), tmp_path / "yearly.zarr", progress=False)
    with xr.open_zarr(tmp_path / "yearly.zarr", chunks=None) as stored:
        expected = to_yearly(some)
        assert variables(stored) == variables(expected)
        for name in variables(expected):
            np.testing.assert_array_equal(stored[name], expected[name])


def test_liquid_water_alone_is_checked_by_year(monthly):
    some = part_of(monthly, ["mrsll", "tas"])
    assert "lie within plausible bounds" in check_yearly(to_yearly(some), some)


def test_nothing_on_a_map_is_nothing_to_reduce(monthly):
    with pytest.raises(DataError, match="no monthly variable on a map"):
        to_yearly(part_of(monthly, ["co2"]))
