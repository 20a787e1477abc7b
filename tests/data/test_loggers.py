"""Loggers to days and months: known answers, completeness, what is refused, a real station."""

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

from mpcf.data.loggers import FAULT_VALUES, daily_means, monthly_means
from mpcf.errors import DataError, InvalidChoice
from mpcf.ground.station import yearly_thaw_depth, zero_curtain_daily


def logger(days=3, step="30min", start="2010-06-01"):
    """Return two sensors whose first counts the days."""
    time = pd.date_range(start, pd.Timestamp(start) + pd.Timedelta(days=days), freq=step)[:-1]
    count = (time.normalize() - time[0].normalize()).days.to_numpy(dtype=float)
    return pd.DataFrame({0.1: count, 0.5: -count}, time).rename_axis(columns="depth")


@pytest.mark.parametrize("step", ["10min", "30min", "1h", "3h"])
def test_the_mean_of_a_whole_day_is_that_of_its_steps(step):
    daily = daily_means(logger(step=step))
    assert daily["value"].dims == ("time", "depth")
    assert daily["value"].values.tolist() == [[0, 0], [1, -1], [2, -2]]
    assert set(daily["n"].values.ravel()) == {pd.Timedelta("1D") / pd.Timedelta(step)}
    assert daily["failed"].values.tolist() == [0, 0]


@given(st.permutations(range(48)), st.lists(st.floats(-40, 40), min_size=48, max_size=48))
@settings(max_examples=30)
def test_the_order_of_values_within_a_day_does_not_matter(order, values):
    table = logger(days=1)
    one = daily_means(table.assign(**{"a": values})[["a"]])
    other = daily_means(table.assign(**{"a": np.array(values)[list(order)]})[["a"]])
    np.testing.assert_allclose(one["value"], other["value"], atol=1e-12)
    np.testing.assert_allclose(one["value"], np.mean(values), atol=1e-12)


@given(st.lists(st.booleans(), min_size=96, max_size=96), st.floats(0.1, 1), st.integers(0, 5))
@settings(max_examples=50)
def test_a_day_is_kept_as_a_plain_count_says(lost, share, hours):
    table = logger(days=2)[[0.1]]
    table[lost] = np.nan
    daily = daily_means(table, min_share=share, max_gap=f"{hours}h")
    for day in range(2):
        gone = lost[48 * day : 48 * (day + 1)]
        longest = max(map(len, "".join("x" if g else " " for g in gone).split()), default=0)
        kept = 48 - sum(gone) >= share * 48 - 1e-6 and longest <= 2 * hours
        assert bool(daily["value"][day, 0].notnull()) == kept
    stricter = daily_means(table, min_share=min(1.0, share + 0.1), max_gap=f"{hours}h")
    assert int(stricter["failed"][0]) >= int(daily["failed"][0])


def test_rows_that_are_absent_count_as_missing():
    table = logger(days=4)
    absent = table.drop(table.index[[*range(50, 60), *range(96, 144)]])
    daily = daily_means(absent)
    assert daily["n"].values[:, 0].tolist() == [48, 38, 0, 48]
    assert daily["failed"].values.tolist() == [2, 2]
    assert daily["value"].isel(depth=0).isnull().values.tolist() == [False, True, True, False]


def test_a_long_gap_fails_a_day_that_has_enough_steps():
    table = logger(days=2)
    table.iloc[10:17, 0] = np.nan
    assert daily_means(table, min_share=0.8)["failed"].values.tolist() == [1, 0]
    assert daily_means(table, min_share=0.8, max_gap="4h")["failed"].values.tolist() == [0, 0]


def test_clocks_that_drift_by_seconds_are_read():
    table = logger(days=20)
    drifted = table.set_axis(table.index + pd.to_timedelta(np.arange(len(table)) // 48, unit="s"))
    expected = daily_means(table)
    xr.testing.assert_equal(daily_means(drifted), expected)
    early = table.set_axis(table.index - pd.to_timedelta(np.arange(len(table)) // 48, unit="s"))
    xr.testing.assert_equal(daily_means(early), expected)


def test_a_stamp_at_the_end_of_its_step_belongs_to_the_day_before():
    table = logger()
    at_end = table.set_axis(table.index + pd.Timedelta("30min"))
    xr.testing.assert_equal(daily_means(at_end, stamps="end"), daily_means(table))
    with pytest.raises(InvalidChoice, match="choose start or end"):
        daily_means(table, stamps="middle")


@pytest.mark.parametrize("zone", ["UTC", "America/Anchorage"])
def test_days_are_those_of_local_standard_time(zone):
    table = logger()
    utc = table.set_axis((table.index + pd.Timedelta("9h")).tz_localize("UTC").tz_convert(zone))
    xr.testing.assert_equal(daily_means(utc, utc_offset=-9), daily_means(table))
    with pytest.raises(DataError, match=rf"stamps are in {zone}; give local standard time"):
        daily_means(utc)
    with pytest.raises(DataError, match="leave out utc_offset"):
        daily_means(table, utc_offset=-9)


@pytest.mark.parametrize("code", sorted(FAULT_VALUES))
def test_a_fault_is_refused_by_name_unless_it_is_called_missing(code):
    table = logger()
    table.iloc[60, 1] = code
    with pytest.raises(DataError) as refused:
        daily_means(table)
    assert all(text in str(refused.value) for text in ("'0.5'", FAULT_VALUES[code], "2010-06-02"))
    daily = daily_means(table, missing=[code])
    assert daily["n"].values.tolist() == [[48, 48], [48, 47], [48, 48]]
    others = {value: name for value, name in FAULT_VALUES.items() if value != code}
    value = daily_means(table, faults=others)["value"][1, 1]
    assert float(value) == pytest.approx((code - 47) / 48)


def repeated(table):
    return pd.concat([table, table.iloc[[5]]])


def reversed_pair(table):
    return table.iloc[[0, 2, 1, *range(3, len(table))]]


def without_a_stamp(table):
    return table.set_axis(table.index.where(table.index != table.index[3]))


def changed_step(table):
    return pd.concat([table, logger(2, "1h", "2010-06-04")])


def finer_step(table):
    return pd.concat([table, logger(0.5, "10min", "2010-06-04")])


def extra_stamp(table):
    more = table.iloc[[7]].set_axis([table.index[7] + pd.Timedelta("5min")])
    return pd.concat([table, more]).sort_index()


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (repeated, "2010-06-01 02:30:00 is there twice"),
        (reversed_pair, "2010-06-01 00:30:00 is earlier than the one before it"),
        (without_a_stamp, "stamp 4 of 144 is missing"),
        (changed_step, "the step is 0 days 00:30:00, but 0 days 01:00:00 on 2010-06-05"),
        (finer_step, "but 0 days 00:10:00 on 2010-06-04|two stamps within one step"),
        (extra_stamp, "two stamps within one step of 0 days 00:30:00 at 2010-06-01 03:35:00"),
        (lambda table: table.iloc[::48], "most stamps are 1 days 00:00:00 apart"),
        (lambda table: table.iloc[:1], "apart; daily means need"),
        (lambda table: table.iloc[:0].reset_index(drop=True), "holds no time stamps"),
        (lambda table: table.reset_index(drop=True), "holds no time stamps"),
        (lambda table: table.astype(str), "column '0.1' holds text"),
        (lambda table: table.replace(1.0, np.inf), "'0.1' has an infinite value at 2010-06-02"),
    ],
)
def test_a_wrong_table_is_refused(change, says):
    with pytest.raises(DataError, match=says):
        daily_means(change(logger()))


# ------------------------------------------------------------------------------------ months


def days_of(values, start="2010-01-01"):
    time = pd.date_range(start, periods=len(values))
    column = np.array(values, dtype=float)[:, None]
    return xr.DataArray(column, {"time": time, "depth": [0.1]}, ("time", "depth"))


def test_months_are_means_of_their_days():
    monthly = monthly_means(days_of([1.0] * 31 + [2.0] * 28))
    assert monthly["value"].values.ravel().tolist() == [1, 2]
    assert monthly["time"].dt.day.values.tolist() == [1, 1]


@pytest.mark.parametrize(
    ("lost", "kept"),
    [
        (range(0, 20, 2), True),
        (range(0, 22, 2), False),  # eleven days
        (range(3, 7), True),
        (range(3, 8), False),  # five in a row
    ],
)
def test_a_month_needs_enough_days(lost, kept):
    daily = days_of([1.0] * 31)
    daily[list(lost)] = np.nan
    assert bool(monthly_means(daily)["value"].notnull()[0, 0]) == kept
    assert monthly_means(daily).equals(monthly_means(daily.dropna("time")))


@given(st.sets(st.integers(0, 30)), st.sets(st.integers(0, 30)))
@settings(max_examples=40)
def test_losing_more_days_never_completes_a_month(lost, more):
    daily = days_of(np.arange(31.0))
    first, second = (
        monthly_means(daily.where(~np.isin(np.arange(31), list(gone))[:, None]))
        for gone in (lost, lost | more)
    )
    assert int(second["failed"][0]) >= int(first["failed"][0])


def test_two_values_on_a_day_are_no_daily_values():
    daily = days_of([1.0] * 4)
    twice = daily.assign_coords(time=pd.date_range("2010-01-01", periods=4, freq="12h"))
    with pytest.raises(DataError, match="two values on 2010-01-01"):
        monthly_means(twice)


# --------------------------------------------------------------------------- a real station


def test_a_real_station_from_hours_to_months(record):
    """The record is daily: each day is written as 24 equal hours, and read back."""
    toolik = record("toolik")
    days = toolik.tsl.to_pandas()
    hours = days.loc[days.index.repeat(24)]
    hours = hours.set_axis(hours.index + pd.to_timedelta(np.tile(np.arange(24), len(days)), "h"))
    daily = daily_means(hours)["value"]
    np.testing.assert_allclose(daily.sel(time=toolik.time), toolik.tsl, rtol=1e-12)

    curtain = zero_curtain_daily(daily.sel(depth=0.463))
    assert curtain.sel(year=[1999, 2000, 2011]).values.tolist() == [70, 80, 32]

    monthly = monthly_means(daily)
    # the record begins on 16 September 1998, and one day of 4,855 is absent
    assert monthly["failed"].values.tolist() == [1] * 10
    assert int(monthly["n"].isel(depth=0).sum()) == 4854
    thaw = yearly_thaw_depth(monthly["value"])
    np.testing.assert_allclose(thaw.sel(year=[1999, 2011]), [0.744, 0.882], atol=5e-4)
