"""Soil loggers: daily means of what is recorded through the day, and monthly means of days."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import xarray as xr

from mpcf.errors import DataError, InvalidChoice

MAX_STEP = pd.Timedelta("3h")
"""Longest step of a logger of which daily means are made."""

FAULT_VALUES = {
    **dict.fromkeys((-999.0, -9999.0, -99999.0), "fill value"),
    **dict.fromkeys((6999.0, -6999.0, 7999.0, -7999.0), "Campbell logger: out of range"),
    85.0: "DS18B20 thermometer: reset",
    -127.0: "DS18B20 thermometer: not connected",
}
"""Values that loggers and archives write instead of a measurement, and what they stand for."""


def daily_means(
    sensors: pd.DataFrame,
    *,
    stamps: str = "start",
    utc_offset: float | None = None,
    min_share: float = 0.9,
    max_gap: str = "3h",
    missing: Sequence[float] = (),
    faults: Mapping[float, str] = FAULT_VALUES,
) -> xr.Dataset:
    """Return daily means of loggers that write every few minutes to hours.

    The step is the commonest difference between stamps. A day is kept if it has enough of its steps
    and no long gap. Days are those of local standard time.

    Parameters
    ----------
    sensors : DataFrame
        A column for each sensor; the index holds the time stamps, in local standard time if they
        carry no time zone. ``columns.name`` becomes the name of the second dim.
    stamps : {"start", "end"}
        Whether a stamp is the start of its step (or the moment of an instantaneous reading), or its
        end, as loggers of averages write it: midnight then belongs to the day before.
    utc_offset : float, optional
        Local standard time less UTC, hours; needed if the stamps carry a time zone.
    min_share : float
        Smallest share of a day's steps that a mean is made of.
    max_gap : str
        Longest time without a value within a day.
    missing : sequence of float
        Values that stand for a missing measurement, such as -9999.
    faults : mapping of float to str
        Other values that are refused, and what they stand for.

    Returns
    -------
    Dataset (time, sensor)
        ``value``, in the unit of the sensors, NaN on days that fail; ``n``, the number of
        measurements; and ``failed`` (sensor), the number of days that fail. Days are consecutive.

    Raises
    ------
    DataError
        If stamps are missing, repeated or out of order, their step does not divide a day, is longer
        than `MAX_STEP` or changes, their time zone is not stated, or a column holds text, an
        infinite value or a value of `faults`.
    InvalidChoice
        If `stamps` is neither "start" nor "end".

    Examples
    --------
    >>> hours = pd.date_range("2010-01-01", periods=48, freq="h")
    >>> sensors = pd.DataFrame({0.1: 1.0}, hours).rename_axis(columns="depth")
    >>> sensors.iloc[30:36] = np.nan
    >>> daily_means(sensors)["value"].sel(depth=0.1).values
    array([ 1., nan])
    """
    if stamps not in ("start", "end"):
        raise InvalidChoice(f"stamps '{stamps}' are unknown; choose start or end")
    time = _local_time(sensors.index, utc_offset)
    values = sensors.mask(sensors.isin(list(missing)))
    refuse_faults(values, faults)
    step = _step(time)
    if stamps == "end":
        time = time - step
    steps = int(pd.Timedelta("1D") / step)
    origin = time[0].normalize()
    phase = ((time - time.normalize()) % step).value_counts().index[0]
    slot = np.floor((time - origin - phase) / step + 0.5).astype(int)  # clocks drift by seconds
    if slot.has_duplicates:
        raise DataError(
            f"two stamps within one step of {step} at {time[slot.duplicated()][0]}; remove one"
        )
    first, last = slot[0] // steps, slot[-1] // steps
    regular = values.set_axis(slot).reindex(range(first * steps, (last + 1) * steps))
    days = origin + pd.to_timedelta(regular.index // steps, unit="D")
    max_missing = int(steps * (1 - min_share) + 1e-9)
    return _means(regular, days, max_missing, pd.Timedelta(max_gap) / step)


def monthly_means(daily: xr.DataArray, *, max_missing: int = 10, max_gap: int = 4) -> xr.Dataset:
    """Return monthly means of daily values, where enough days are known.

    Parameters
    ----------
    daily : DataArray (time, sensor)
        Daily values, such as ``value`` of `daily_means`; days without a value may be absent.
    max_missing : int
        Largest number of days of a month that may be missing.
    max_gap : int
        Longest run of missing days within a month.

    Returns
    -------
    Dataset (time, sensor)
        ``value``, NaN in months that fail, stamped with the first day of the month; ``n``, the
        number of days; and ``failed`` (sensor), the number of months that fail. Months are
        consecutive.

    Raises
    ------
    DataError
        If days are repeated or out of order.

    References
    ----------
    The defaults are those of the World Meteorological Organization's guidelines on climate
    normals, WMO-No. 1203 (2017).

    Examples
    --------
    >>> days = pd.date_range("2010-01-01", "2010-02-20")
    >>> daily = xr.DataArray(np.ones((51, 1)), {"time": days, "depth": [0.1]}, ("time", "depth"))
    >>> monthly_means(daily)["value"].values.ravel(), monthly_means(daily)["n"].values.ravel()
    (array([ 1., nan]), array([31, 20]))
    """
    frame = daily.transpose("time", ...).to_pandas()
    days = _local_time(frame.index, None).normalize()
    if days.has_duplicates:
        raise DataError(f"two values on {days[days.duplicated()][0]:%Y-%m-%d}; use daily_means")
    months = days.to_period("M")
    whole = pd.date_range(months[0].start_time, months[-1].end_time.normalize())
    regular = frame.set_axis(days).reindex(whole)
    return _means(regular, whole.to_period("M").to_timestamp(), max_missing, max_gap)


def _local_time(index: pd.Index, utc_offset: float | None) -> pd.DatetimeIndex:
    if not isinstance(index, pd.DatetimeIndex) or not len(index):
        raise DataError("the index holds no time stamps; set it with pandas.to_datetime")
    if index.hasnans:
        raise DataError(f"stamp {int(index.isna().argmax()) + 1} of {len(index)} is missing")
    if index.has_duplicates:
        raise DataError(f"the stamp {index[index.duplicated()][0]} is there twice; remove one")
    if not index.is_monotonic_increasing:
        back = index[1:][np.diff(index.asi8) < 0][0]
        raise DataError(f"the stamp {back} is earlier than the one before it; sort the rows")
    if (index.tz is None) != (utc_offset is None):
        raise DataError(
            "stamps without a time zone are taken as local standard time: leave out utc_offset, "
            "or name their zone with tz_localize"
            if index.tz is None
            else f"the stamps are in {index.tz}; give local standard time as utc_offset, in hours"
        )
    if index.tz is None:
        return index
    return index.tz_convert("UTC").tz_localize(None) + pd.Timedelta(hours=utc_offset)


def _step(time: pd.DatetimeIndex) -> pd.Timedelta:
    apart = time.to_series().diff()
    step = apart.mode().get(0, pd.Timedelta(0))
    if not pd.Timedelta(0) < step <= MAX_STEP or pd.Timedelta("1D") % step:
        raise DataError(
            f"most stamps are {step} apart; daily means need steps that divide a day, of "
            f"{MAX_STEP / pd.Timedelta('1h'):g} h at most"
        )
    by_day = apart.groupby(time.normalize())
    shortest, longest = by_day.min(), by_day.max()
    # six equal differences do not come about by missing rows
    other = (by_day.count() >= 6) & (shortest == longest) & (shortest != step)
    if other.any():
        raise DataError(
            f"the step is {step}, but {shortest[other].iloc[0]} on {other.idxmax():%Y-%m-%d}; "
            "give parts with one step each"
        )
    return step


def refuse_faults(values: pd.DataFrame, faults: Mapping[float, str]) -> None:
    """Raise if a table holds text, infinite values, or values that stand for a fault.

    Parameters
    ----------
    values : DataFrame
        Measurements, one column for each sensor or variable.
    faults : mapping of float to str
        Values that are no measurements, and what they stand for.

    Raises
    ------
    DataError
        The message names the column, the value and its first row.

    Examples
    --------
    >>> refuse_faults(pd.DataFrame({"moisture": [0.3, 0.4]}), FAULT_VALUES)
    """
    for name, column in values.items():
        if not pd.api.types.is_numeric_dtype(column):
            raise DataError(f"column '{name}' holds text; convert it with pandas.to_numeric")
        if np.isinf(column).any():
            raise DataError(f"column '{name}' has an infinite value at {np.isinf(column).idxmax()}")
        found = column[column.isin(list(faults))]
        if found.size:
            value, row = found.iloc[0], found.index[0]
            where = " ".join(map(str, row)) if isinstance(row, tuple) else row
            raise DataError(
                f"column '{name}' has the value {value:g} ({faults[value]}) at {where}, "
                f"rows in all: {(found == value).sum()}; make it NaN if it is not a measurement"
            )


def _means(
    regular: pd.DataFrame, periods: pd.DatetimeIndex, max_missing: int, max_gap: float
) -> xr.Dataset:
    """Average the rows of each period; NaN with too many missing, or too many in a row."""
    missing = regular.isna()
    row = np.arange(len(regular))[:, None]
    first = np.searchsorted(periods, periods)[:, None]  # of the row's period
    known = np.maximum.accumulate(np.where(missing, first - 1, row))
    run = pd.DataFrame(row - np.maximum(known, first - 1))
    longest = run.groupby(periods).max().set_axis(regular.columns, axis=1)
    failed = (missing.groupby(periods).sum() > max_missing) | (longest > max_gap)
    mean = regular.groupby(periods).mean().mask(failed)
    dims = ("time", regular.columns.name or "sensor")
    return xr.Dataset(
        {
            "value": (dims, mean.to_numpy(dtype=float)),
            "n": (dims, (~missing).groupby(periods).sum().to_numpy()),
            "failed": (dims[1], failed.sum().to_numpy()),
        },
        {"time": mean.index.to_numpy(), dims[1]: regular.columns.to_numpy()},
    )
