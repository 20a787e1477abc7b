"""Check a standard monthly dataset; errors say what is wrong, where, and what to do."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import xarray as xr

from mpcf.data.catalog import Source
from mpcf.data.needs import CHAPTERS, missing
from mpcf.data.phases import BASE_YEARS
from mpcf.data.readers.loading import load
from mpcf.data.variables import MAPS, MAX_AREA_ERROR, MIN_DEPTH, MONTHLY
from mpcf.errors import DataError, closest
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
"""Bounds of the mean over land north of 45° N and a year; outside them, a unit is wrong by a factor
of about 1000."""


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
    """Check a standard monthly dataset in every respect, even if some checks fail.

    Values of the first, the middle and the last year are read.

    Parameters
    ----------
    monthly : Dataset
        Opened by `mpcf.data.sources.open_source`.
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
        Opened by `mpcf.data.sources.open_source`.
    source : Source, optional
        Entry of the catalogue, whose phases are checked too.

    Returns
    -------
    list of str
        What was checked and found, one line each, followed by the decisions of its reader.

    Raises
    ------
    DataError
        If a check fails; the message names the variable, what was found and what to do.
    """
    found = [check(monthly) for check in _checks(source).values()]
    return found + [f"note: {n}" for n in monthly.attrs.get("mpcf_notes", "").splitlines()]


def _variables(monthly: xr.Dataset) -> str:
    there = [v for v in MONTHLY.values() if v.name in monthly]
    absent = [v for v in MONTHLY.values() if v.required and v.name not in monthly]
    unknown = set(monthly.data_vars) - set(MONTHLY)
    said = []
    for v in absent:
        near = closest(v.name, unknown)
        hint = f"; did you mean the variable '{near[0]}' of this dataset?" if near else ""
        said.append(f"'{v.name}' ({v.long_name}, {v.units}){hint}")
        if v.name in MAPS:
            raise DataError(f"variable {said[-1]} is missing")
    if not any("lat" in v.dims and v.name not in MAPS for v in there):
        raise DataError(f"there is no monthly variable on a map; missing are {', '.join(said)}")
    for v in there:
        if lost := set(v.dims) - set(monthly[v.name].dims):
            raise DataError(f"variable '{v.name}' lacks the dimensions {sorted(lost)}")
    count = f"{len(there)} of {len(MONTHLY)} variables are there"
    told = f"; missing: {', '.join(said)}" if said else ", with every one that a chapter needs"
    return count + told


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
    if "depth" not in monthly.dims:
        return "there is no variable by soil layer"
    if "depth_bnds" not in monthly:
        raise DataError("'depth_bnds' is missing: layers can't be weighted by their thickness")
    nodes, bounds = monthly["depth"].values, monthly["depth_bnds"].transpose("depth", "bnds").values
    if not ((np.diff(nodes) > 0).all() and (bounds[:, 0] < bounds[:, 1]).all()):
        raise DataError("'depth' has to be positive downwards and to ascend, with its bounds")
    if not ((bounds[:, 0] <= nodes) & (nodes <= bounds[:, 1])).all():
        raise DataError("'depth_bnds' do not contain the depths of their layers")
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
    """Return the months of the first, middle and last year, and a text that names them."""
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
        for index, member in enumerate(_members_of(monthly[name])):
            values = monthly[name] if member is None else monthly[name].isel(member=index)
            if "time" in values.dims:
                values = values.isel(time=months).transpose("time", ...)
            if bare is not None and "lat" in values.dims and "time" in values.dims:
                values = values.where(bare)
            what = name_in_source(monthly, name, member)
            _check_values(load(values).values, name, what, years, bounds)
    return f"values of the years {years} lie within plausible bounds, without gaps"


def _members_of(values: xr.DataArray) -> list:
    return list(values["member"].values) if "member" in values.dims else [None]


def _check_values(
    values: np.ndarray, name: str, what: str, years: str, bounds: tuple[float, float]
) -> None:
    known = ~np.isnan(values)
    has_time = "time" in MONTHLY[name].dims
    when = f" in the years {years}" if has_time else ""
    if not known.any():
        raise DataError(f"{what} has no values{when}")
    found, unit = (float(values[known].min()), float(values[known].max())), MONTHLY[name].units
    advice = "look at its unit, its sign and its fill value"
    if found[0] < bounds[0] or found[1] > bounds[1]:
        raise DataError(
            f"{what} runs from {found[0]:.4g} to {found[1]:.4g} {unit}{when}; "
            f"{bounds[0]:g} to {bounds[1]:g} is plausible: {advice}"
        )
    if not has_time:
        return
    if (known.any(axis=0) & ~known.all(axis=0)).any():
        months = int((known.any(axis=0) & ~known).reshape(len(values), -1).any(axis=1).sum())
        raise DataError(
            f"{what} has cells without values in {months} of the months{when}, "
            "but with values in others; a file may be cut short or damaged"
        )
    low, high = PLAUSIBLE_MEAN.get(name, (-np.inf, np.inf))
    mean = float(values[known].mean(dtype="float64"))
    if not low <= mean <= high:
        raise DataError(
            f"{what} has the mean {mean:.3g} {unit}{when}; {low:g} to {high:g} "
            f"is plausible north of 45° N: {advice}"
        )


def _members(monthly: xr.Dataset) -> str:
    if monthly.sizes["member"] == 1:
        return "there is one member"
    seen: dict[str, object] = {}
    name = next(name for name in ("tas", *MONTHLY) if name in monthly and name not in MAPS)
    for i, member in enumerate(monthly["member"].values):
        last = load(monthly[name].isel(member=i, time=slice(-12, None))).values
        digest = hashlib.sha256(np.ascontiguousarray(last).tobytes()).hexdigest()
        if digest in seen:
            raise DataError(
                f"members {seen[digest]} and {member} hold the same '{name}': one was read twice"
            )
        seen[digest] = member
    return f"{len(seen)} members are there, all different"


def name_in_source(monthly: xr.Dataset, name: str, member: object = None) -> str:
    """Return a variable's name for a message, with its own and its member's name in the source.

    Parameters
    ----------
    monthly : Dataset
        The standard monthly dataset, whose reader noted names of the source in its attributes.
    name : str
        Standard name of the variable.
    member : object, optional
        Value of the coordinate ``member``.

    Returns
    -------
    str
        Such as ``"variable 'gpp', in the source GPP (gC/m^2/s), of member 001"``.

    Examples
    --------
    >>> name_in_source(xr.Dataset(attrs={"mpcf_members": "1 = 001, 2 = 002"}), "gpp", 2)
    "variable 'gpp' of member 002"
    """
    original = monthly[name].attrs.get("original") if name in monthly else None
    text = f"variable '{name}'" + (f", in the source {original}," if original else "")
    if member is None:
        return text
    pairs = (pair.split(" = ", 1) for pair in monthly.attrs.get("mpcf_members", "").split(", "))
    return f"{text} of member {dict(p for p in pairs if len(p) == 2).get(str(member), member)}"


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
"""Checks by name, in the order in which they are run."""


def _checks(source: Source | None) -> dict[str, Callable[[xr.Dataset], str]]:
    return CHECKS if source is None else CHECKS | {"phases": lambda m: _phases(m, source)}


def _phases(monthly: xr.Dataset, source: Source) -> str:
    if not source.phases:
        raise DataError(
            f"source '{source.name}' has no phases; set in its entry of catalog.yml the first and "
            "last year of warming, and of mitigation, net-zero and net removal where it has them"
        )
    first, last = monthly.indexes["time"][[0, -1]].year
    years = list(source.phases.values())
    begin, end = years[0][0], years[-1][1]
    if begin < first or end > last:
        raise DataError(
            f"phases of '{source.name}' run from {begin} to {end}, but its data from {first} to "
            f"{last}; correct them in its entry of catalog.yml"
        )
    short = [name for name, (a, b) in source.phases.items() if b - a + 1 < BASE_YEARS]
    named = ", ".join(f"{name} {a} to {b}" for name, (a, b) in source.phases.items())
    warning = (
        f"; {' and '.join(short)} is shorter than {BASE_YEARS} years, so means over its last "
        f"{BASE_YEARS} years include years before it"
    )
    return f"the phases lie within the data: {named}{warning if short else ''}"


def chapters(monthly: xr.Dataset, source: Source) -> list[Finding]:
    """Return which chapters can run on a source, and what the others lack.

    Parameters
    ----------
    monthly : Dataset
        Opened by `mpcf.data.sources.open_source`.
    source : Source
        Its entry of the catalogue, which has the phases.

    Returns
    -------
    list of Finding
        The chapters that can run, then one for each that cannot.
    """
    members = monthly.sizes.get("member", 0)
    absent = {c: missing(c, monthly.data_vars, source.phases, members) for c in CHAPTERS}
    able = [chapter for chapter, lacks in absent.items() if not lacks]
    every = "all chapters" if len(able) == len(absent) else "these chapters"
    found = [Finding("chapters", "ok", f"{every} can run: {', '.join(able)}")]
    return found + [
        Finding("chapters", "note", f"{chapter} is left out: it needs {lacks}")
        for chapter, lacks in absent.items()
        if lacks
    ]
