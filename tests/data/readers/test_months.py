"""A value's month follows from the bounds of its interval, whatever the stamp and the calendar."""

import cftime
import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st

from mpcf.data.readers.months import (
    BEGINS_BY_NAME,
    Months,
    name_months,
    read_months,
    time_axis,
)
from mpcf.errors import DataError

CALENDARS = ("noleap", "standard", "gregorian", "proleptic_gregorian", "360_day", "all_leap")


def a_file(first=24000, count=14, calendar="noleap", stamp="end", bounds="time_bounds", since=None):
    months = [divmod(first + i, 12) for i in range(count + 1)]
    dates = [cftime.datetime(y, m + 1, 1, calendar=calendar) for y, m in months]
    units = f"days since {since or f'{first // 12:04d}-01-01'}"
    edges = cftime.date2num(dates, units, calendar).astype(float)
    share = {"start": 0.0, "middle": 0.5, "end": 1.0}[stamp]
    time = edges[:-1] + share * np.diff(edges)
    attrs = {"units": units, "calendar": calendar}
    if bounds is None:
        return xr.Dataset(coords={"time": ("time", time, attrs)})
    pairs = np.column_stack([edges[:-1], edges[1:]])
    return xr.Dataset(
        {bounds: (("time", "two"), pairs)}, {"time": ("time", time, attrs | {"bounds": bounds})}
    )


@given(
    first=st.integers(12, 40000),
    count=st.integers(1, 30),
    calendar=st.sampled_from(CALENDARS),
    stamp=st.sampled_from(["start", "middle", "end"]),
    bounds=st.sampled_from(["time_bounds", "time_bnds", "mine"]),
)
def test_bounds_decide_whatever_the_stamps(first, count, calendar, stamp, bounds):
    found = read_months(a_file(first, count, calendar, stamp, bounds), "x.nc")
    assert (found.first, found.count, found.calendar) == (first, count, calendar)


def test_bounds_with_units_of_their_own_are_read_by_them():
    raw = a_file(count=2)
    raw["time_bounds"] = (raw["time_bounds"] * 24).assign_attrs(units="hours since 2000-01-01")
    assert str(read_months(raw, "x.nc")) == "2000-01 to 2000-02"


def test_without_bounds_a_stamp_within_the_month_means_it():
    found = read_months(a_file(stamp="middle", bounds=None), "x.nc")
    assert str(found) == "2000-01 to 2001-02"


@pytest.mark.parametrize("stamp", ["start", "end"])
def test_without_bounds_the_name_of_the_file_decides_at_the_edge(stamp):
    raw = a_file(stamp=stamp, bounds=None)
    found = read_months(raw, "CASE.clm2.h0.GPP.200001-200102.nc")
    assert found.first == 24000
    assert found.note == (BEGINS_BY_NAME if stamp == "start" else "")
    with pytest.raises(DataError, match="may end a month or begin one"):
        read_months(raw, "GPP.nc")


@given(
    first=st.integers(12, 40000),
    years=st.integers(1, 3),
    calendar=st.sampled_from(CALENDARS),
    bounds=st.sampled_from([None, "time_bounds"]),
)
def test_a_name_by_stamps_never_moves_a_month(first, years, calendar, bounds):
    """A tool names files by stamps that end their month, or makes their bounds from these."""
    raw = a_file(first, 12 * years, calendar, "end", None)
    if bounds:
        raw = a_file(first + 1, 12 * years, calendar, "start", bounds)
    names = [(first + i, first + 12 * years - 1 + i) for i in (0, 1)]
    held, moved = (
        f"CASE.clm2.h0.GPP.{a // 12:04d}{a % 12 + 1:02d}-{b // 12:04d}{b % 12 + 1:02d}.nc"
        for a, b in names
    )
    if bounds is None:
        assert read_months(raw, held).first == first
    else:
        with pytest.raises(DataError, match="settbounds"):
            read_months(raw, held)
    if first % 12 == 0:
        with pytest.raises(DataError, match="cdo settbounds,month -shifttime,-1day"):
            read_months(raw, moved)


@given(
    first=st.integers(12, 40000),
    count=st.integers(1, 30),
    calendar=st.sampled_from(CALENDARS),
    stamp=st.sampled_from([0.0, 0.5, 1.0]),
    since=st.sampled_from(["-01", "-1", "-01 00:00:00", "", "-01T00:00:00Z"]),
)
def test_months_since_a_month_are_months(first, count, calendar, stamp, since):
    serial = np.arange(count) + float(first - 120)
    attrs = {
        "units": f"months since {10:04d}-01{since}", "calendar": calendar, "bounds": "time_bounds"
    }  # fmt: skip
    raw = xr.Dataset(
        {"time_bounds": (("time", "two"), np.column_stack([serial, serial + 1]))},
        {"time": ("time", serial + stamp, attrs)},
    )
    found = read_months(raw, "x.nc")
    assert (found.first, found.count, found.calendar) == (first, count, calendar)
    if stamp == 0.5:
        assert read_months(raw.drop_vars("time_bounds"), "x.nc") == found


@pytest.mark.parametrize("units", ["months since 2000-01-15", "common_years since 2000-01-01"])
def test_counts_whose_month_is_not_plain_are_refused(units):
    raw = a_file(calendar="standard")
    raw["time"].attrs["units"] = units
    with pytest.raises(DataError, match="time of x can't be decoded"):
        read_months(raw.drop_vars("time_bounds"), "x")


@pytest.mark.parametrize(
    ("one", "other", "first", "expected"),
    [
        ("gregorian", "standard", 24000, True),
        ("365_day", "noleap", 12, True),
        ("366_day", "all_leap", 12, True),
        ("proleptic_gregorian", "standard", 24000, True),
        ("proleptic_gregorian", "standard", 1500 * 12, False),
        ("noleap", "standard", 24000, False),
        ("360_day", "365_day", 24000, False),
    ],
)
def test_calendars_are_compared_by_meaning(one, other, first, expected):
    assert (Months(first, 12, one) == Months(first, 12, other)) is expected


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("CASE.clm2.h0.GPP.200001-201412.nc", (24000, 24179)),
        ("gpp_Lmon_X_historical_r1i1p1f1_gn_185001-185112.nc", (22200, 22223)),
        ("/a.b/CASE.clm2.h0.0005-12.nc", (71, 71)),
        ("CASE.clm2.h0.2000-13.nc", None),
        ("CASE.clm2.h0.2000-01-01-00000.nc", None),
        ("gpp.nc", None),
    ],
)
def test_months_in_names(name, expected):
    assert name_months(name) == expected


def changed(**changes):
    raw = a_file()
    for name, change in changes.items():
        raw[name] = (raw[name].dims, change(raw[name].values.copy()), raw[name].attrs)
    return raw


def without(raw, *names):
    for name in names:
        del raw["time"].attrs[name]
    return raw


def put(values, index, value):
    values[index] = value
    return values


FAULTS = {
    "month missing": (a_file().isel(time=[*range(5), *range(6, 14)]), "from 2000-05 to 2000-07"),
    "month doubled": (a_file().isel(time=[0, 1, 1, 2]), "from 2000-02 to 2000-02"),
    "out of order": (a_file().isel(time=[1, 0]), "from 2000-02 to 2000-01"),
    "no time": (xr.Dataset({"GPP": ("x", [1.0])}), "no dimension 'time'"),
    "empty": (a_file().isel(time=[]), "no dimension 'time' with values"),
    "stamps elsewhere": (changed(time=lambda t: t + 40), "has the time"),
    "bounds reversed": (changed(time_bounds=lambda b: b[:, ::-1]), "is not one month"),
    "bounds of zero length": (changed(time_bounds=lambda b: b[:, [0, 0]]), "is not one month"),
    "bounds of a season": (
        changed(time_bounds=lambda b: b + np.array([-31.0, 31.0])), "is not one month"
    ),
    "fill value": (changed(time_bounds=lambda b: put(b, (3, 1), np.nan)), "missing values"),
    "fill value in time": (changed(time=lambda t: put(t, 3, np.inf)), "missing values"),
    "1e36": (changed(time=lambda t: put(t, 3, 1e36)), "time of x: time can't be decoded"),
    "no units": (without(a_file(), "units"), "has no units"),
    "unknown calendar": (a_file(), "can't be decoded"),
    "wrong calendar": (a_file(first=24000, count=120), "is not one month"),
    "other units": (a_file(), "which give no dates"),
}  # fmt: skip
FAULTS["unknown calendar"][0]["time"].attrs["calendar"] = "julia"
FAULTS["wrong calendar"][0]["time"].attrs["calendar"] = "standard"
FAULTS["other units"][0]["time"].attrs["units"] = "days"


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_named(fault):
    raw, message = FAULTS[fault]
    with pytest.raises(DataError, match=message):
        read_months(raw, "x")


def test_a_file_that_is_cut_short_is_noticed_by_its_name():
    with pytest.raises(DataError, match="cut short"):
        read_months(a_file(count=11), "CASE.clm2.h0.GPP.200001-200012.nc")


@pytest.mark.parametrize("calendar", CALENDARS)
def test_the_axis_is_made_of_middles_and_edges(calendar):
    months = read_months(a_file(calendar=calendar), "x")
    time, bounds = time_axis(months)
    assert time.dt.calendar == ("standard" if calendar == "gregorian" else calendar)
    start, end = bounds.values[1]
    assert (start.month, start.day, end.month, end.day) == (2, 1, 3, 1)
    assert time.values[1] - start == end - time.values[1]
