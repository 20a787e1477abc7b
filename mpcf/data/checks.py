"""What must hold of a standard monthly dataset; errors say what, where and what to do."""

from __future__ import annotations

import difflib
import hashlib
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import xarray as xr

from mpcf.data.catalog import Source
from mpcf.data.phases import BASE_YEARS, PHASES
from mpcf.data.variables import MAX_AREA_ERROR, MIN_DEPTH, MONTHLY
from mpcf.errors import DataError
from mpcf.ground.geography import grid_cell_area

PLAUSIBLE = {
    "tas": (180.0, 340.0),
    "tsl": (180.0, 340.0),
    "pr": (-1e-9, 0.02),
    "gpp": (-1e-9, 1e-5),
    "ra": (-1e-9, 1e-5),
    "rh": (-1e-9, 1e-5),
    "snd": (-1e-9, 100.0),
    "mrsll": (-1e-6, 1e4),
    "mrsfl": (-1e-6, 1e4),
    "cSoil": (-1e-6, 1e4),
    "co2": (100.0, 1e4),
    "warming": (-5.0, 30.0),
    "sftlf": (-1e-6, 100.001),
    "sftgif": (-1e-6, 100.001),
}
"""Monthly means outside these bounds have a wrong unit, a wrong sign or fill values."""

PLAUSIBLE_MEAN = {
    "tas": (220.0, 310.0),
    "tsl": (220.0, 310.0),
    "pr": (1e-6, 3e-4),
    "gpp": (1e-10, 1e-6),
    "ra": (1e-10, 1e-6),
    "rh": (1e-10, 1e-6),
    "snd": (1e-3, 20.0),
    "mrsll": (1.0, 3000.0),
    "mrsfl": (0.05, 3000.0),
}
"""Means over land north of 45° N and a year outside these have a unit wrong by 1000 or so."""

NEIGHBOURS = 5
"""Years on either side of a year that it is held against."""

MAX_YEARLY_FACTOR = 5.0
"""Largest factor between the means of a year and of its neighbours over all land. The wettest and
the most productive years of the whole region differ from the others by less than a half."""

MAX_YEARLY_DIFFERENCE = 15.0
"""The same for temperatures, as a difference, K."""


@dataclass(frozen=True)
class _Yearly:
    """A variable of the yearly dataset, and what is plausible of it.

    ``source`` is its name in the monthly dataset, ``cell`` the bounds in any cell and year,
    ``mean`` those of a year's mean over all cells.
    """

    source: str
    unit: str
    cell: tuple[float, float]
    mean: tuple[float, float]
    is_temperature: bool = False

    def differs(self, year: np.ndarray, others: np.ndarray) -> np.ndarray:
        """Return where a year's mean can't stand beside its neighbours'."""
        if self.is_temperature:
            return np.abs(year - others) > MAX_YEARLY_DIFFERENCE
        return (year > MAX_YEARLY_FACTOR * others) | (year * MAX_YEARLY_FACTOR < others)


_FLUX = ("gC m-2 yr-1", (-1.0, 2e4), (10.0, 5e3))
_SOIL = ("degC", (-95.0, 65.0), (-50.0, 40.0))

PLAUSIBLE_YEAR = {
    "gpp": _Yearly("gpp", *_FLUX),
    "ra": _Yearly("ra", *_FLUX),
    "rh": _Yearly("rh", *_FLUX),
    "temperature": _Yearly("tas", *_SOIL, is_temperature=True),
    "precipitation": _Yearly("pr", "mm", (-1.0, 3e4), (50.0, 5e3)),
    "snow": _Yearly("snd", "m", (-1e-6, 100.0), (1e-3, 20.0)),
    "tsl_max": _Yearly("tsl", *_SOIL, is_temperature=True),
    "tsl_min": _Yearly("tsl", *_SOIL, is_temperature=True),
    "soil_liquid": _Yearly("mrsll", "kg m-2", (-1e-3, 1e4), (1.0, 4e3)),
    "soil_ice": _Yearly("mrsfl", "kg m-2", (-1.0, 1e4), (0.05, 4e3)),
    "cSoil": _Yearly("cSoil", "kg m-2", (-1e-6, 1e4), (0.1, 1e3)),
    "co2": _Yearly("co2", "ppm", (100.0, 1e4), (100.0, 1e4)),
    "warming": _Yearly("warming", "K", (-5.0, 30.0), (-5.0, 30.0), is_temperature=True),
}
"""What is plausible in a year, by variable of the yearly dataset; ``soil_ice`` is water less liquid
water. Liquid water and ice are those of the top 3 m."""


@dataclass(frozen=True)
class Finding:
    """What a check found.

    Attributes
    ----------
    check : str
        Name of the check.
    status : str
        ``"ok"``, ``"error"``, ``"note"`` (a reader had to decide something) or ``"skipped"``
        (an error above leaves nothing to check).
    found : str
        What was found, in a sentence.
    """

    check: str
    status: str
    found: str


def examine(monthly: xr.Dataset, source: Source | None = None) -> list[Finding]:
    """Run every check of a standard monthly dataset, whatever the others find.

    Values are read of the first, the middle and the last year.

    Parameters
    ----------
    monthly : Dataset
        What `mpcf.data.sources.open_source` gave.
    source : Source, optional
        Entry of the catalogue, whose phases are checked too.

    Returns
    -------
    list of Finding
        One for each check, then one for each note of the reader.
    """
    findings: list[Finding] = []
    for name, check in _checks(source).items():
        try:
            findings.append(Finding(name, "ok", check(monthly)))
        except DataError as error:
            findings.append(Finding(name, "error", str(error)))
        except Exception as error:
            if not any(finding.status == "error" for finding in findings):
                raise
            text = f"not possible after the errors above ({type(error).__name__})"
            findings.append(Finding(name, "skipped", text))
    notes = monthly.attrs.get("mpcf_notes", "").splitlines()
    return findings + [Finding("note", "note", note) for note in notes]


def check_monthly(monthly: xr.Dataset, source: Source | None = None) -> list[str]:
    """Check a standard monthly dataset; its first, middle and last year are read.

    Parameters
    ----------
    monthly : Dataset
        What `mpcf.data.sources.open_source` gave.
    source : Source, optional
        Entry of the catalogue, whose phases are checked too.

    Returns
    -------
    list of str
        What was checked and found, one line each; at the end what its reader had to decide.

    Raises
    ------
    DataError
        If something does not hold; the message names the variable, what was found and what to do.
    """
    found = [check(monthly) for check in _checks(source).values()]
    return found + [f"note: {n}" for n in monthly.attrs.get("mpcf_notes", "").splitlines()]


def _variables(monthly: xr.Dataset) -> str:
    for v in MONTHLY.values():
        if v.name not in monthly:
            if not v.required:
                continue
            near = difflib.get_close_matches(v.name, list(monthly.data_vars), 1, 0.6)
            hint = f"; did you mean the variable '{near[0]}' of this dataset?" if near else ""
            raise DataError(f"variable '{v.name}' ({v.long_name}, {v.units}) is missing{hint}")
        missing = set(v.dims) - set(monthly[v.name].dims)
        if missing:
            raise DataError(f"variable '{v.name}' lacks the dimensions {sorted(missing)}")
    count = sum(v.name in monthly for v in MONTHLY.values())
    return f"{count} of {len(MONTHLY)} variables are there, with every one that is required"


def _units(monthly: xr.Dataset) -> str:
    for v in MONTHLY.values():
        if v.name in monthly and monthly[v.name].attrs.get("units") != v.units:
            found = monthly[v.name].attrs.get("units", "none")
            raise DataError(f"variable '{v.name}' has units '{found}'; convert it to '{v.units}'")
    return "every unit is that of the standard dataset"


def _time(monthly: xr.Dataset) -> str:
    if "time_bnds" not in monthly or monthly["time_bnds"].dims != ("time", "bnds"):
        raise DataError("'time_bnds' (time, bnds) is missing: months can't be weighted by length")
    index = monthly.indexes["time"]
    if not isinstance(index, xr.CFTimeIndex) or not index.size:
        raise DataError("'time' is not decoded to dates of a calendar; look at its units")
    serial = np.asarray(index.year) * 12 + np.asarray(index.month)
    wrong = np.flatnonzero(np.diff(serial) != 1)
    if wrong.size:
        at = index[int(wrong[0])]
        raise DataError(
            f"the month after {at.year}-{at.month:02d} is missing, repeated or out of order"
        )
    if index[0].month != 1 or index[-1].month != 12:
        raise DataError(
            f"time runs from {index[0].year}-{index[0].month:02d} to {index[-1].year}-"
            f"{index[-1].month:02d}; give whole years, January to December"
        )
    for stamp, (start, end) in zip(index, monthly["time_bnds"].values, strict=True):
        if not (start < stamp < end and (start.month, start.day, end.day) == (stamp.month, 1, 1)):
            raise DataError(
                f"the month stamped {stamp} has the bounds {start} and {end}; 'time' has to be the "
                "middle of a month and 'time_bnds' its first instant and that of the next"
            )
    return (
        f"{len(index)} months follow each other, {index[0].year} to {index[-1].year} (calendar "
        f"{index.calendar})"
    )


def _grid(monthly: xr.Dataset) -> str:
    for name, limit in (("lat", 90.0), ("lon", 180.0)):
        values = monthly[name].values
        if (
            values.size < 2
            or not (np.abs(values) <= limit).all()
            or not (np.diff(values) > 0).all()
        ):
            raise DataError(
                f"'{name}' has to ascend between {-limit:g} and {limit:g}; it runs from "
                f"{values[0]:g} to {values[-1]:g} with {values.size} values"
            )
    rows, columns = monthly.sizes["lat"], monthly.sizes["lon"]
    return f"{rows} rows and {columns} columns ascend, longitude from −180 to 180"


def _depth(monthly: xr.Dataset) -> str:
    if "depth_bnds" not in monthly:
        raise DataError("'depth_bnds' is missing: layers can't be weighted by their thickness")
    nodes, bounds = monthly["depth"].values, monthly["depth_bnds"].transpose("depth", "bnds").values
    if not ((np.diff(nodes) > 0).all() and (bounds[:, 0] < bounds[:, 1]).all()):
        raise DataError("'depth' has to be positive downwards and to ascend, with its bounds")
    if not ((bounds[:, 0] <= nodes) & (nodes <= bounds[:, 1])).all():
        raise DataError("'depth_bnds' do not hold the depths of their layers")
    if bounds[0, 0] > 0.001 or not np.allclose(bounds[1:, 0], bounds[:-1, 1], atol=1e-3):
        raise DataError("'depth_bnds' leave gaps between layers, or above the first")
    if bounds[-1, 1] < MIN_DEPTH:
        raise DataError(f"soil reaches {bounds[-1, 1]:.2f} m down; {MIN_DEPTH:g} m are needed")
    return f"{nodes.size} soil layers reach {bounds[-1, 1]:.2f} m down"


def _area(monthly: xr.Dataset) -> str:
    expected = float(grid_cell_area(monthly["lat"], monthly["lon"]).sum())
    ratio = float(monthly["areacella"].sum()) / expected
    if abs(ratio - 1) > MAX_AREA_ERROR:
        raise DataError(
            f"'areacella' adds up to {100 * ratio:.1f} % of the area of its own grid on the "
            "sphere; a unit (km2?) or an interpolation is wrong: rebuild it from lat and lon"
        )
    return f"'areacella' adds up to {100 * ratio:.2f} % of its grid's area on the sphere"


def _sample(monthly: xr.Dataset) -> tuple[np.ndarray, str]:
    """Months of the first, the middle and the last year, and how to say which they are."""
    years = monthly.sizes["time"] // 12
    chosen = sorted({0, years // 2, years - 1})
    first = monthly.indexes["time"][0].year
    text = ", ".join(str(first + year) for year in chosen)
    return np.concatenate([np.arange(12 * y, 12 * y + 12) for y in chosen]), text


def _values(monthly: xr.Dataset) -> str:
    months, years = _sample(monthly)
    bare = monthly["sftgif"] < 50 if "sftgif" in monthly else None
    for name, bounds in PLAUSIBLE.items():
        if name not in monthly:
            continue
        members = range(monthly.sizes["member"]) if "member" in monthly[name].dims else [None]
        for member in members:
            values = monthly[name] if member is None else monthly[name].isel(member=member)
            where = "" if member is None else _of_member(monthly, monthly["member"].values[member])
            if "time" in values.dims:
                values = values.isel(time=months).transpose("time", ...)
            if bare is not None and "lat" in values.dims and "time" in values.dims:
                values = values.where(bare)
            what = f"{_named(monthly, name)}{where}"
            _check_values(values.values, name, what, years, bounds)
    return f"values of the years {years} lie within plausible bounds, without gaps"


def _check_values(
    values: np.ndarray, name: str, what: str, years: str, bounds: tuple[float, float]
) -> None:
    known = ~np.isnan(values)
    when = (
        f"in the years {years}" if MONTHLY[name].dims[-1:] and "time" in MONTHLY[name].dims else ""
    )
    if not known.any():
        raise DataError(f"{what} has no values {when}")
    found, unit = (float(values[known].min()), float(values[known].max())), MONTHLY[name].units
    advice = "look at its unit, its sign and its fill value"
    if found[0] < bounds[0] or found[1] > bounds[1]:
        raise DataError(
            f"{what} runs from {found[0]:.4g} to {found[1]:.4g} {unit} {when}; "
            f"{bounds[0]:g} to {bounds[1]:g} is plausible: {advice}"
        )
    if "time" not in MONTHLY[name].dims:
        return
    if (known.any(axis=0) & ~known.all(axis=0)).any():
        months = int((known.any(axis=0) & ~known).reshape(len(values), -1).any(axis=1).sum())
        raise DataError(
            f"{what} has cells without values in {months} of the months {when}, "
            "but with values in others; a file may be cut short or damaged"
        )
    low, high = PLAUSIBLE_MEAN.get(name, (-np.inf, np.inf))
    mean = float(values[known].mean(dtype="float64"))
    if not low <= mean <= high:
        raise DataError(
            f"{what} has the mean {mean:.3g} {unit} {when}; {low:g} to {high:g} "
            f"is plausible north of 45° N: {advice}"
        )


def _members(monthly: xr.Dataset) -> str:
    if monthly.sizes["member"] == 1:
        return "there is one member"
    seen: dict[str, object] = {}
    for i, member in enumerate(monthly["member"].values):
        last = monthly["tas"].isel(member=i, time=slice(-12, None)).values
        digest = hashlib.sha256(np.ascontiguousarray(last).tobytes()).hexdigest()
        if digest in seen:
            raise DataError(
                f"members {seen[digest]} and {member} hold the same 'tas': one was read twice"
            )
        seen[digest] = member
    return f"{len(seen)} members are there, all different"


def check_yearly(yearly: xr.Dataset, monthly: xr.Dataset) -> str:
    """Check every year of every member, cheaply: on the yearly dataset, before it is used.

    A variable must be known in all years in the cells in which it is known at all; lie within
    bounds in every cell, and as a mean over all cells but ice sheets; and this mean must not differ
    from the median of the neighbouring years, :math:`y - 5` to :math:`y + 5`, by more than a factor
    of five (temperatures: 15 K).

    Parameters
    ----------
    yearly : Dataset (member, year, ...)
        What `mpcf.yearly.stream.write_yearly` made.
    monthly : Dataset
        What it was made of; its attributes alone are used, to name variables and members as the
        source does.

    Returns
    -------
    str
        What was checked and found.

    Raises
    ------
    DataError
        If something does not hold; the message names the variable, the member, the years and what
        to do.
    """
    bare = yearly["sftgif"] < 50 if "sftgif" in yearly else None
    years = yearly["year"].values
    for name, plausible in PLAUSIBLE_YEAR.items():
        values = _of_year(yearly, name)
        if values is None:
            continue
        if bare is not None and "lat" in values.dims:
            values = values.where(bare)
        for member in yearly["member"].values:
            one = values.sel(member=member).transpose("year", ...).values
            what = f"{_named(monthly, plausible.source)}{_of_member(monthly, member)}"
            _check_years(one.reshape(len(years), -1), years, plausible, what)
    return (
        f"all {len(years)} years of every member, {years[0]} to {years[-1]}, lie within plausible "
        "bounds, without gaps or jumps"
    )


def _of_year(yearly: xr.Dataset, name: str) -> xr.DataArray | None:
    """Return a variable of whole years and, of soil water, of the deepest top."""
    if name == "soil_ice":
        liquid, water = (_of_year(yearly, v) for v in ("soil_liquid", "soil_water"))
        return None if water is None else water - liquid
    if name not in yearly:
        return None
    values = yearly[name]
    values = values.sel(season="year") if "season" in values.dims else values
    return values.isel(top=-1) if "top" in values.dims else values


def _check_years(values: np.ndarray, years: np.ndarray, plausible: _Yearly, what: str) -> None:
    """Check a variable of a member, (year, cell)."""
    known = ~np.isnan(values)
    if not known.any():
        raise DataError(f"{what} has no values in any year; look at its fill value")
    gaps = (known.any(axis=0) & ~known).any(axis=1)
    if gaps.any():
        raise DataError(
            f"{what} has cells without values in {_ranges(years[gaps])}, but with values in other "
            "years; a file may be damaged or hold fill values: get the files of these years again"
        )
    (low, high), unit = plausible.cell, plausible.unit
    outside = ((values < low) | (values > high)).any(axis=1)
    advice = "look at the unit, the sign and the fill value in the files of these years"
    if outside.any():
        found = values[outside][known[outside]]
        raise DataError(
            f"{what} runs from {found.min():.4g} to {found.max():.4g} {unit} in "
            f"{_ranges(years[outside])}; {low:g} to {high:g} is plausible: {advice}"
        )
    mean = np.nanmean(values[:, known.any(axis=0)], axis=1, dtype="float64")
    (low, high), outside = plausible.mean, (mean < plausible.mean[0]) | (mean > plausible.mean[1])
    if outside.any():
        worst = mean[outside]
        raise DataError(
            f"{what} has the mean {worst.min():.3g} to {worst.max():.3g} {unit} over land in "
            f"{_ranges(years[outside])}; {low:g} to {high:g} is plausible: {advice}"
        )
    others = _neighbours(mean)
    jumps = plausible.differs(mean, others)
    if jumps.any():
        at = int(np.argmax(jumps))
        raise DataError(
            f"{what} jumps in {_ranges(years[jumps])}: its mean over land is {mean[at]:.3g} {unit} "
            f"in {years[at]}, but {others[at]:.3g} {unit} in the years around; {advice}"
        )


def _neighbours(mean: np.ndarray) -> np.ndarray:
    """Median of the years around each year, without itself; itself where there is no other."""
    if mean.size == 1:
        return mean
    around = [
        np.concatenate([mean[max(i - NEIGHBOURS, 0) : i], mean[i + 1 : i + 1 + NEIGHBOURS]])
        for i in range(mean.size)
    ]
    return np.array([np.median(years) for years in around])


def _ranges(years: np.ndarray) -> str:
    """Write years as ranges.

    Examples
    --------
    >>> _ranges(np.array([2030, 2100, 2101, 2102]))
    '2030, 2100 to 2102'
    """
    runs = np.split(years, np.flatnonzero(np.diff(years) != 1) + 1)
    return ", ".join(f"{r[0]}" if r.size == 1 else f"{r[0]} to {r[-1]}" for r in runs)


def _named(monthly: xr.Dataset, name: str) -> str:
    """Name a variable, also as its source does where the reader kept that."""
    original = monthly[name].attrs.get("original") if name in monthly else None
    return f"variable '{name}'" + (f", in the source {original}," if original else "")


def _of_member(monthly: xr.Dataset, member: object) -> str:
    """Name a member as its source does."""
    pairs = (pair.split(" = ", 1) for pair in monthly.attrs.get("mpcf_members", "").split(", "))
    return f" of member {dict(p for p in pairs if len(p) == 2).get(str(member), member)}"


CHECKS: dict[str, Callable[[xr.Dataset], str]] = {
    "variables": _variables,
    "units": _units,
    "time": _time,
    "grid": _grid,
    "depth": _depth,
    "cell area": _area,
    "values": _values,
    "members": _members,
}
"""Every check by its name, in the order in which they are run."""


def _checks(source: Source | None) -> dict[str, Callable[[xr.Dataset], str]]:
    return CHECKS if source is None else CHECKS | {"phases": lambda m: _phases(m, source)}


def _phases(monthly: xr.Dataset, source: Source) -> str:
    if not source.phases:
        raise DataError(
            f"source '{source.name}' has no phases; set the first and last year of "
            f"{', '.join(PHASES)} in its entry of catalog.yml"
        )
    first, last = monthly.indexes["time"][[0, -1]].year
    begin, end = source.phases["warming"][0], source.phases["net-zero"][1]
    if begin < first or end > last:
        raise DataError(
            f"phases of '{source.name}' run from {begin} to {end}, but its data from {first} to "
            f"{last}; correct them in its entry of catalog.yml"
        )
    short = [name for name, (a, b) in source.phases.items() if b - a + 1 < BASE_YEARS]
    warning = (
        f"; {' and '.join(short)} is shorter than {BASE_YEARS} years, so that means over its last "
        f"{BASE_YEARS} years reach into what came before"
    )
    return f"the phases, {begin} to {end}, lie within the data{warning if short else ''}"
