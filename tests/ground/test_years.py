"""Gaps between years are named, and whatever looks at neighbouring years refuses them."""

import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st

from mpcf.errors import DataError
from mpcf.ground.thaw import lasting, permafrost
from mpcf.ground.years import refuse_gaps, year_gap


def series(years):
    return xr.DataArray(np.zeros(len(years)), {"year": list(years)}, "year")


@given(st.sets(st.integers(1850, 2300), min_size=1, max_size=60))
def test_a_gap_is_found_if_there_is_one(years):
    years = sorted(years)
    gap = year_gap(series(years))
    assert (gap is None) == (years[-1] - years[0] + 1 == len(years))
    if gap:
        at = years.index(gap[0])
        assert years[at + 1] == gap[1] > gap[0] + 1
        assert year_gap(series(years[: at + 1])) is None


@pytest.mark.parametrize("years", [[2001, 2000], [2000, 2000]])
def test_years_that_run_back_or_repeat_are_not_consecutive(years):
    assert year_gap(series(years)) == tuple(years)


def test_years_without_a_coordinate_are_consecutive():
    assert year_gap(xr.DataArray([0.0, 1.0], dims="year")) is None
    assert year_gap(xr.DataArray(0.0, {"year": 2000})) is None


def test_the_message_names_the_gap_and_a_way_out():
    with pytest.raises(DataError, match=r"years 2000 and 2050 are not consecutive.*select"):
        refuse_gaps("trends", series([1999, 2000]), series([1999, 2000, 2050, 2090]))


def test_permafrost_does_not_join_years_that_are_apart():
    coords = {"year": [2000, 2050], "depth": [0.5, 2.0]}
    warmest = xr.DataArray([[2.0, -1.0], [1.0, -0.5]], coords, ("year", "depth"))
    with pytest.raises(DataError, match="years 2000 and 2050 are not consecutive"):
        permafrost(warmest)


def test_states_do_not_last_over_a_gap():
    with pytest.raises(DataError, match="years 2002 and 2010 are not consecutive"):
        lasting(series([2000, 2001, 2002, 2010, 2011]), years=3)
