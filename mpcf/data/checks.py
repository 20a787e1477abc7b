"""Check a standard monthly dataset; errors say what is wrong, where, and what to do."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import xarray as xr

from mpcf.data.catalog import Source
from mpcf.data.cell_checks import (
    Traces,
    check_cells,
    compare_cells,
    compare_members,
    note_first_layer,
)
from mpcf.data.needs import CHAPTERS, missing
from mpcf.data.phases import BASE_YEARS
from mpcf.data.physical_checks import check_carbon, check_soil_water
from mpcf.data.samples import Sample
from mpcf.data.value_checks import check_values
from mpcf.data.variables import MAPS, MAX_AREA_ERROR, MIN_DEPTH, MONTHLY, SOIL_WATER
from mpcf.errors import DataError, closest
from mpcf.ground.geography import grid_cell_area


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
        One for each check, then one for each note of the reader or of a check.
    """
    findings: list[Finding] = []
    survey = _Survey(monthly)
    for name, check in _checks(survey, source).items():
        try:
            findings.append(Finding(name, "ok", check(monthly)))
        except DataError as error:
            findings.append(Finding(name, "error", str(error)))
        except Exception as error:
            if not any(finding.status == "error" for finding in findings):
                raise
            text = f"not possible after the errors above ({type(error).__name__})"
            findings.append(Finding(name, "skipped", text))
    return findings + [Finding("note", "note", note) for note in _notes(monthly, survey)]


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
        What was checked and found, one line each, followed by notes: decisions of
        its reader, and what is unusual but possible.

    Raises
    ------
    DataError
        If a check fails; the message names the variable, what was found and what to do.
    """
    survey = _Survey(monthly)
    found = [check(monthly) for check in _checks(survey, source).values()]
    return found + [f"note: {note}" for note in _notes(monthly, survey)]


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


class _Survey:
    """Outcomes of the checks of values, for which the sampled years of each member are read once.

    Members are read one after the other, since an ensemble may be larger than memory.
    """

    def __init__(self, monthly: xr.Dataset) -> None:
        self.monthly = monthly
        self.notes: dict[str, str] = {}
        self._outcomes: dict[str, str | Exception] = {}

    def outcome(self, check: str) -> str:
        """Return what a check of `SAMPLE_CHECKS` or between members found, or raise its error."""
        if not self._outcomes:
            self._read()
        found = self._outcomes[check]
        if isinstance(found, Exception):
            raise found
        return found

    def _read(self) -> None:
        traces = Traces()
        for index in range(self.monthly.sizes["member"]):
            sample = Sample(self.monthly, index)
            for name, (check, _, _) in SAMPLE_CHECKS.items():
                self._keep(name, lambda check=check, one=sample: check(one))
            self._keep("members", lambda one=sample: traces.add(one))
            self.notes = sample.notes | self.notes
        for name, (_, needed, text) in SAMPLE_CHECKS.items():
            if absent := [v for v in needed if v not in self.monthly]:
                text = f"not checked without {', '.join(absent)}"
            self._outcomes.setdefault(name, text.format(years=sample.years))
        self._keep("cells", lambda: self.notes.update(compare_cells(self.monthly, traces)))
        self._keep("members", lambda: compare_members(self.monthly, traces))

    def _keep(self, name: str, run: Callable[[], str | None]) -> None:
        """Run a part of a check; keep what it returns, or its first error."""
        try:
            found = run()
        except Exception as error:
            found = error
        if found is not None and not isinstance(self._outcomes.get(name), Exception):
            self._outcomes[name] = found


SAMPLE_CHECKS: dict[str, tuple[Callable[[Sample], None], tuple[str, ...], str]] = {
    "values": (
        check_values,
        (),
        "values of the years {years} lie within plausible bounds, vary, and have no gaps",
    ),
    "cells": (check_cells, (), "variables and members have values in the same cells"),
    "soil water": (
        check_soil_water,
        SOIL_WATER,
        "soil water and ice fit into their layers and agree with the temperature",
    ),
    "carbon": (check_carbon, ("gpp", "ra"), "respiration is in proportion to uptake"),
}
"""Checks of a member's sampled years by name, the variables without which they check nothing,
and what they have found if they raise no error."""

CHECKS: dict[str, Callable[[xr.Dataset], str]] = {
    "variables": _variables,
    "units": _units,
    "time": _time,
    "grid": _grid,
    "depth": _depth,
    "cell area": _area,
}
"""Checks of names, units and axes by name, in the order in which they are run."""


def _checks(survey: _Survey, source: Source | None) -> dict[str, Callable[[xr.Dataset], str]]:
    of_values = {n: lambda _, n=n: survey.outcome(n) for n in (*SAMPLE_CHECKS, "members")}
    of_phases = {} if source is None else {"phases": lambda m: _phases(m, source)}
    return CHECKS | of_values | of_phases


def _notes(monthly: xr.Dataset, survey: _Survey) -> list[str]:
    """Return the decisions of a dataset's reader, then what is unusual in its data."""
    of_reader = monthly.attrs.get("mpcf_notes", "").splitlines()
    return list(dict.fromkeys([*of_reader, *note_first_layer(monthly), *survey.notes.values()]))


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
