"""Identify the month of each value from the bounds of its interval, not by a fixed shift."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from datetime import timedelta
from functools import lru_cache
from pathlib import PurePosixPath

import numpy as np
import xarray as xr

from mpcf.errors import DataError

MONTH_EDGE_TOLERANCE = timedelta(hours=6)
"""How far the bounds of an interval may lie from the edges of its month: some models' first step
is missing in them, but a wrong calendar is a day off after its first leap day."""

_NAME_RANGE = re.compile(r"[._](\d{4})-?(\d{2})-(\d{4})-?(\d{2})\.nc")
_NAME_MONTH = re.compile(r"\.(\d{4})-(\d{2})\.nc")
_MONTHS_SINCE = re.compile(
    r"months?\s+since\s+(\d{1,4})-(\d{1,2})(?:-0?1)?(?:[ T]0{1,2}(?::0{1,2}){1,2}(?:\.0*)?)?"
    r"\s*(?:Z|UTC)?",
    re.IGNORECASE,
)
_BOUNDS = ("time_bnds", "time_bounds")
_LAST_YEAR = 9998
_SAME_CALENDAR = {"gregorian": "standard", "365_day": "noleap", "366_day": "all_leap"}
_GREGORIAN_SINCE = 1582 * 12 + 10
BEGINS_BY_NAME = (
    "some files have no time bounds, and stamps between two months: these were taken as the "
    "beginning of their month, as the names of the files say; if they end it, every value is a "
    "month late: compare the seasons with another source"
)
"""Note for stamps whose meaning only the name of their file says."""

_CURE = (
    "if they end their month, as CESM's do, run 'cdo settbounds,month -shifttime,-1day IN OUT', "
    "and if they begin it, 'cdo settbounds,month IN OUT'"
)


@dataclass(frozen=True, eq=False)
class Months:
    """
    The consecutive months of a file; equal if they are the same months of the same calendar.

    Attributes
    ----------
    first : int
        Year · 12 + month − 1 of the first.
    count : int
        Number of months.
    calendar : str
        Calendar of the source, by the name that it uses.
    note : str
        What had to be assumed to identify the months; empty if nothing.
    """

    first: int
    count: int
    calendar: str
    note: str = ""

    @property
    def kind(self) -> str:
        """The calendar by its meaning: ``365_day`` is ``noleap``, for instance."""
        if self.calendar == "proleptic_gregorian" and self.first >= _GREGORIAN_SINCE:
            return "standard"
        return _SAME_CALENDAR.get(self.calendar, self.calendar)

    def __eq__(self, other: object) -> bool:
        """Check whether both are the same months of the same calendar, whatever it is called."""
        if not isinstance(other, Months):
            return NotImplemented
        return (self.first, self.count, self.kind) == (other.first, other.count, other.kind)

    def __hash__(self) -> int:
        """Return the same for months that are equal."""
        return hash((self.first, self.count, self.kind))

    @property
    def stop(self) -> int:
        """First month after the last, as `first`."""
        return self.first + self.count

    def __str__(self) -> str:
        """First and last month, such as ``2000-01 to 2010-12``."""
        return f"{_text(self.first)} to {_text(self.stop - 1)}"


def read_months(raw: xr.Dataset, where: str) -> Months:
    """
    Return the months of a file, from the bounds of its time intervals.

    CESM stamps a monthly mean with the *end* of its interval, CMIP6 with the middle. Where a file
    has bounds, they decide, and stamps only have to agree. Without bounds, a stamp within a month
    means that month; a stamp at the edge of two months is accepted only if the name of the file
    states its months: as the end of the month if the name says so, as its beginning only if the
    months of the name begin with a January, and with a note. A name from February to January is
    what a tool makes of stamps that end their month.

    Parameters
    ----------
    raw : Dataset
        The file, times not decoded.
    where : str
        Its name, for messages.

    Returns
    -------
    Months
        The file's months.

    Raises
    ------
    DataError
        If times can't be decoded, months are missing, repeated or out of order, or the name of
        the file states others.

    Examples
    --------
    >>> time = xr.Variable("time", [31.0, 59.0], {"units": "days since 2000-01-01",
    ...     "calendar": "noleap", "bounds": "time_bounds"})
    >>> bounds = xr.Variable(("time", "hist_interval"), [[0.0, 31.0], [31.0, 59.0]])
    >>> print(read_months(xr.Dataset({"time_bounds": bounds}, {"time": time}), "a file"))
    2000-01 to 2000-02
    """
    if "time" not in raw.variables or raw["time"].dims != ("time",) or not raw["time"].size:
        raise DataError(f"{where} has no dimension 'time' with values in it")
    time = raw["time"]
    calendar = str(time.attrs.get("calendar", "standard")).lower()
    named = name_months(where)
    units = _units(time.attrs.get("units"), calendar, f"time of {where}")
    values = _numbers(time.values, f"time of {where}")
    bounds = _bounds(raw)
    note = ""
    if bounds is None:
        stamps = _dates(values, units, calendar, f"time of {where}")
        serial, note = _from_stamps(stamps, named, where)
    else:
        what = f"{bounds.name} of {where}"
        own_units = _units(bounds.attrs.get("units", units), calendar, what)
        edges = _numbers(bounds.values, what)
        try:
            serial, begins = _between(values.tobytes(), units, edges.tobytes(), own_units, calendar)
        except DataError as error:
            raise DataError(f"{bounds.name} and time of {where}: {error}") from None
        if begins and serial[0] % 12 == 1 and serial.size % 12 == 0:
            raise DataError(
                f"{where} runs from February to January and every stamp begins its interval in "
                f"{bounds.name}: these may be bounds that a tool made from the stamps; {_CURE}"
            )
    step = np.diff(serial)
    if (step != 1).any():
        at = int(np.argmax(step != 1))
        raise DataError(
            f"{where} goes from {_text(serial[at])} to {_text(serial[at + 1])}: a month is missing,"
            " repeated or out of order; repair or replace the file"
        )
    found = Months(int(serial[0]), serial.size, calendar, note)
    if named is not None and (named[0] + 1, named[1] + 1) == (found.first, found.stop - 1):
        raise DataError(
            f"{where} holds {found} by its bounds, one month later than its name says; bounds that "
            "a tool makes from stamps that end their month are a month late: run 'cdo "
            "settbounds,month -shifttime,-1day IN OUT', or correct the name"
        )
    if named is not None and named != (found.first, found.stop - 1):
        raise DataError(
            f"{where} holds {found}, but its name says {_text(named[0])} to {_text(named[1])}; it "
            "may be cut short: get it again, or rename it to match its months"
        )
    return found


def name_months(where: str) -> tuple[int, int] | None:
    """
    Return the first and last month that a file's name states.

    Parameters
    ----------
    where : str
        Path or address, such as ``CASE.clm2.h0.GPP.200001-201412.nc`` or
        ``CASE.clm2.h0.2000-01.nc``.

    Returns
    -------
    (int, int) or None
        Year · 12 + month − 1 of both; None if the name states none.

    Examples
    --------
    >>> name_months("b.e21.clm2.h0.GPP.200001-200012.nc")
    (24000, 24011)
    """
    name = PurePosixPath(where).name
    if found := _NAME_RANGE.search(name):
        year, month, last_year, last_month = map(int, found.groups())
    elif found := _NAME_MONTH.search(name):
        year, month = last_year, last_month = tuple(map(int, found.groups()))
    else:
        return None
    if not (1 <= month <= 12 and 1 <= last_month <= 12):
        return None
    return year * 12 + month - 1, last_year * 12 + last_month - 1


def time_axis(months: Months) -> tuple[xr.DataArray, xr.DataArray]:
    """
    Return the standard time axis: middles of the months, and their edges.

    Parameters
    ----------
    months : Months
        Months of the dataset.

    Returns
    -------
    time : DataArray (time)
        Middle of each month, cftime, in the source's calendar.
    time_bnds : DataArray (time, bnds)
        Its first instant and that of the next month.
    """
    edges = xr.date_range(
        f"{months.first // 12:04d}-{months.first % 12 + 1:02d}-01",
        periods=months.count + 1,
        freq="MS",
        calendar=months.calendar,
        use_cftime=True,
    ).values
    middle = edges[:-1] + (edges[1:] - edges[:-1]) / 2
    attrs = {"long_name": "middle of the month", "standard_name": "time", "bounds": "time_bnds"}
    time = xr.DataArray(middle, dims="time", attrs={**attrs, "axis": "T"})
    return time, xr.DataArray(np.column_stack([edges[:-1], edges[1:]]), dims=("time", "bnds"))


def _text(serial: int) -> str:
    return f"{int(serial) // 12:04d}-{int(serial) % 12 + 1:02d}"


def _bounds(raw: xr.Dataset) -> xr.DataArray | None:
    for name in (raw["time"].attrs.get("bounds"), *_BOUNDS):
        if isinstance(name, str) and name in raw.variables:
            found = raw[name]
            if found.ndim == 2 and found.dims[0] == "time" and found.shape[1] == 2:
                return found
    return None


def _numbers(values: np.ndarray, what: str) -> np.ndarray:
    if values.dtype.kind not in "fiu" or not np.isfinite(values.astype(float)).all():
        raise DataError(f"{what} has missing values or no numbers; repair or replace the file")
    return values.astype(float)


def _units(units: object, calendar: str, what: str) -> str:
    if not isinstance(units, str):
        raise DataError(f"{what} has no units such as 'days since 2000-01-01'")
    if calendar == "none" or " since " not in units:
        raise DataError(
            f"{what} has units '{units}' and calendar '{calendar}', which give no dates"
        )
    return units


def _dates(values: np.ndarray, units: str, calendar: str, what: str) -> np.ndarray:
    """Decode numbers to dates; an error says in one sentence what is wrong with them."""
    import cftime

    try:
        if found := _MONTHS_SINCE.fullmatch(units.strip()):
            dates = _month_dates(values, int(found[1]) * 12 + int(found[2]) - 1, calendar)
        else:
            dates = np.asarray(cftime.num2date(values, units, calendar))
        years = [int(date.year) for date in dates.ravel()]
    except (ValueError, OverflowError, TypeError, KeyError, IndexError, AttributeError) as error:
        raise DataError(
            f"{what} can't be decoded with units '{units}' and calendar '{calendar}': {error}"
        ) from error
    if min(years) < 0 or max(years) > _LAST_YEAR:
        raise DataError(f"{what} runs from year {min(years)} to {max(years)}; look at its units")
    return dates


def _month_dates(values: np.ndarray, first: int, calendar: str) -> np.ndarray:
    """Return dates from a count of months, whose fraction is a share of its month's length."""
    import cftime

    def begin(serial: int) -> object:
        year, month = divmod(serial, 12)
        return cftime.datetime(year, month + 1, 1, calendar=calendar)

    dates = []
    for value in values.ravel():
        whole = first + math.floor(value)
        start, end = begin(whole), begin(whole + 1)
        dates.append(start + (end - start) * float(value - math.floor(value)))
    return np.array(dates, dtype=object).reshape(values.shape)


def _edge(serial: int, like: object) -> object:
    return like.replace(
        year=serial // 12, month=serial % 12 + 1, day=1, hour=0, minute=0, second=0, microsecond=0
    )


def _serial(date: object) -> int:
    return date.year * 12 + date.month - 1


@lru_cache(maxsize=64)
def _between(
    time: bytes, units: str, bounds: bytes, bounds_units: str, calendar: str
) -> tuple[np.ndarray, bool]:
    """Return months from bounds, and whether every stamp begins its interval.

    Files of an ensemble share their times, which are decoded once.
    """
    stamps = _dates(np.frombuffer(time), units, calendar, "time")
    edges = _dates(np.frombuffer(bounds).reshape(-1, 2), bounds_units, calendar, "the interval")
    serial = []
    for stamp, (start, end) in zip(stamps, edges, strict=True):
        month = _serial(start + (end - start) / 2) if start < end else None
        if (
            month is None
            or abs(start - _edge(month, start)) > MONTH_EDGE_TOLERANCE
            or abs(end - _edge(month + 1, start)) > MONTH_EDGE_TOLERANCE
        ):
            raise DataError(f"the interval from {start} to {end} is not one month")
        if start - stamp > MONTH_EDGE_TOLERANCE or stamp - end > MONTH_EDGE_TOLERANCE:
            raise DataError(f"the interval from {start} to {end} has the time {stamp}")
        serial.append(month)
    begins = all(
        abs(a - b) < MONTH_EDGE_TOLERANCE for a, b in zip(stamps, edges[:, 0], strict=True)
    )
    return np.array(serial), begins


def _from_stamps(
    stamps: np.ndarray, named: tuple[int, int] | None, where: str
) -> tuple[np.ndarray, str]:
    """Return months from stamps alone, and what was assumed."""
    serial = np.array([_serial(stamp) for stamp in stamps])
    at_edge = [abs(stamp - _edge(_serial(stamp), stamp)) < MONTH_EDGE_TOLERANCE for stamp in stamps]
    if not any(at_edge):
        return serial, ""
    if named is not None and all(at_edge):
        if (serial[0] - 1, serial[-1] - 1) == named:
            return serial - 1, ""
        if (serial[0], serial[-1]) == named and named[0] % 12 == 0:
            return serial, BEGINS_BY_NAME
    raise DataError(
        f"{where} has no time bounds and stamps such as {stamps[0]}, which may end a month or "
        f"begin one; {_CURE}; or put the months that it holds into its name (.200001-200012.nc)"
    )
