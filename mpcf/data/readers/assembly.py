"""Combine members in standard variables into the standard monthly dataset."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import xarray as xr

from mpcf.data.readers.grids import Grid
from mpcf.data.readers.loading import load
from mpcf.data.readers.months import Months, time_axis
from mpcf.data.readers.soil_layers import LIQUID_FORMULA, liquid_from_total
from mpcf.data.variables import MIN_DEPTH, MONTHLY, Variable
from mpcf.errors import DataError


@dataclass
class Run:
    """
    A member in standard variables, before it is combined with the others.

    Attributes
    ----------
    member : str
        Name of the member in the source.
    grid : mpcf.data.readers.grids.Grid
        Its grid.
    values : dict of str to DataArray
        Standard name → lazy values (time, ...).
    months : dict of str to Months
        Standard name → its months.
    nodes : ndarray (depth,)
        Depths of the nodes of the soil layers, m; empty if it has no variable by layer.
    depth_edges : ndarray (depth + 1,)
        Edges of these layers, m; empty as well.
    origin : dict of str to str
        Standard name → variables of the source, for the attribute ``original``.
    """

    member: str
    grid: Grid
    values: dict[str, xr.DataArray]
    months: dict[str, Months]
    nodes: np.ndarray
    depth_edges: np.ndarray
    origin: dict[str, str]


def soil_water(
    run: Run,
    liquid: xr.DataArray | None,
    ice: xr.DataArray | None,
    total: xr.DataArray | None,
    notes: list[str],
) -> None:
    """
    Set the liquid water and ice of a run, as far as its source has them.

    Two of the three give the third. If there is only total water, it is separated by temperature
    (`mpcf.data.readers.soil_layers`) and a note says so. Layers below the last one with water are
    dropped; where liquid water and ice are known, rock becomes missing in all profiles.

    Parameters
    ----------
    run : Run
        Completed in place. The first layers of its ``tsl``, if there is one, are those of the
        water.
    liquid, ice, total : DataArray (time, depth, lat, lon) or None
        kg m-2 per layer.
    notes : list of str
        Gets a line if total water had to be separated or one of the two can't be had.

    Raises
    ------
    DataError
        If no layer has water, or soil is shallower than 3 m.
    """
    if liquid is None and ice is None and total is not None and "tsl" in run.values:
        thickness = xr.DataArray(np.diff(run.depth_edges).astype("float32"), dims="depth")
        temperature = run.values["tsl"].isel(depth=slice(0, total.sizes["depth"]))
        liquid = liquid_from_total(total, temperature, thickness)
        notes.append(LIQUID_FORMULA)
    if total is not None and liquid is None and ice is not None:
        liquid = (total - ice).clip(min=0)
    elif total is not None and ice is None and liquid is not None:
        ice = (total - liquid).clip(min=0)
    elif total is not None and liquid is None and ice is None:
        notes.append("total soil water can't be separated without soil temperature: left out")
    water = {n: v for n, v in (("mrsll", liquid), ("mrsfl", ice)) if v is not None}
    profiles = {name: run.values[name] for name in ("tsl",) if name in run.values} | water
    if not profiles:
        run.nodes = run.depth_edges = np.array([])
    if not water:  # what is soil and what is rock is then unknown
        _check_depth(run)
        return
    first = load(sum(values.isel(time=0) for values in water.values()))
    # one of the two alone may be nothing in soil that is frozen, or thawed
    is_soil = first > 0 if len(water) == 2 else first.notnull()
    wet = np.flatnonzero(is_soil.any(("lat", "lon")).values)
    if not wet.size:
        raise DataError(f"member {run.member} has no soil water in its first month")
    count = int(wet[-1]) + 1
    layers = slice(0, count)
    is_soil = is_soil.isel(depth=layers)
    for name, values in profiles.items():
        run.values[name] = values.isel(depth=layers).where(is_soil)
    run.nodes, run.depth_edges = run.nodes[:count], run.depth_edges[: count + 1]
    _check_depth(run)


def _check_depth(run: Run) -> None:
    if run.nodes.size and run.depth_edges[-1] < MIN_DEPTH:
        raise DataError(
            f"soil with water reaches down to {run.depth_edges[-1]:.2f} m in member {run.member}; "
            f"the book needs {MIN_DEPTH:g} m"
        )


def check_absent(absent: Mapping[str, Sequence[str]], notes: list[str]) -> None:
    """
    Note variables that no member has; raise an error for those that only some have.

    Parameters
    ----------
    absent : mapping of str to sequence of str
        Member → variables that it lacks, as the source calls them.
    notes : list of str
        Gets a line for the variables that all members lack.

    Raises
    ------
    DataError
        If a member lacks a variable that another has; the message names both.

    Examples
    --------
    >>> notes = []
    >>> check_absent({"001": ["AR"], "002": ["AR"]}, notes)
    >>> notes
    ['not in the files: AR; chapters that need it are left out']
    """
    in_none = [
        name for name in next(iter(absent.values())) if all(name in a for a in absent.values())
    ]
    for member, names in absent.items():
        if some := [name for name in names if name not in in_none]:
            raise DataError(
                f"member {member} lacks {', '.join(some)}, which other members have; put its files "
                "next to the others, or name the members that have everything in the entry's "
                "'members'"
            )
    if in_none:
        them = "it" if len(in_none) == 1 else "them"
        notes.append(
            f"not in the files: {', '.join(in_none)}; chapters that need {them} are left out"
        )


def assemble(
    runs: Sequence[Run], maps: Mapping[str, xr.DataArray], notes: list[str], attrs: Mapping
) -> xr.Dataset:
    """
    Return members combined into the standard monthly dataset.

    Parameters
    ----------
    runs : sequence of Run
        The members.
    maps : mapping of str to DataArray (lat, lon)
        ``areacella``, ``sftlf`` and, where there is one, ``sftgif``, whole grid.
    notes : list of str
        Decisions of the reader; kept in the attribute ``mpcf_notes``, one per line.
    attrs : mapping
        Other attributes of the dataset.

    Returns
    -------
    Dataset
        Dims ``member, time, depth, lat, lon``; lazy.

    Raises
    ------
    DataError
        If members differ in grid, layers, calendar or length, or a variable is missing in one.
    """
    first = runs[0]
    for run in runs[1:]:
        if not run.grid.is_like(first.grid):
            raise DataError(
                f"member {run.member} is on a different grid from member {first.member}"
            )
        if run.nodes.shape != first.nodes.shape or not np.allclose(run.nodes, first.nodes):
            raise DataError(
                f"member {run.member} has different soil layers from member {first.member}"
            )
    months = _common_months(runs, notes)
    kept = _whole_years(months, notes)
    names, labels = _labels([run.member for run in runs])
    out = xr.Dataset(coords={"member": ("member", labels, {"long_name": "ensemble member"})})
    for variable in MONTHLY.values():
        present = [run for run in runs if variable.name in run.values]
        if variable.name in maps or not present:
            continue
        if len(present) < len(runs):
            lacking = ", ".join(r.member for r in runs if variable.name not in r.values)
            if variable.required:
                raise DataError(f"'{variable.name}' is missing in member {lacking}")
            notes.append(f"{variable.name} is left out: member {lacking} does not have it")
            continue
        window = slice(kept.first - months.first, kept.stop - months.first)
        parts = [run.values[variable.name].isel(time=window) for run in runs]
        out[variable.name] = xr.concat(parts, "member").assign_attrs(
            _attributes(variable, first.origin.get(variable.name))
        )
    out = _with_axes(out, first, kept)
    north = first.grid.north
    for name, values in maps.items():
        values = values.isel(lat=north).drop_vars(("lat", "lon"), errors="ignore")
        out[name] = values.astype("float32")
        out[name].attrs = _attributes(MONTHLY[name], values.attrs.get("original"))
    order = ("member", "time", "depth", "lat", "lon", "bnds")
    attrs = {**attrs, "mpcf_members": names}
    if notes:
        attrs["mpcf_notes"] = "\n".join(dict.fromkeys(notes))
    return out.transpose(*order, missing_dims="ignore").assign_attrs(attrs)


def _attributes(variable: Variable, origin: str | None) -> dict[str, str]:
    attrs = {"long_name": variable.long_name, "units": variable.units}
    if variable.positive:
        attrs["positive_direction"] = variable.positive
    return attrs | ({"original": origin} if origin else {})


def _first_variable(run: Run) -> str:
    return "tas" if "tas" in run.months else next(iter(run.months))


def _shared_years(runs: Sequence[Run]) -> str:
    """Return what to set where the lengths of members differ."""
    needed = [own for run in runs for own in run.months.values()]
    first = max(-(-own.first // 12) for own in needed)
    last = min(own.stop // 12 for own in needed) - 1
    if first > last:
        return "or name in its entry the members to read: 'members'"
    return (
        f"or set in its entry the years to read, 'years: [{first}, {last}]' for those that all "
        "hold, or the members to read, 'members'"
    )


def _common_months(runs: Sequence[Run], notes: list[str]) -> Months:
    first_name = _first_variable(runs[0])
    wanted = runs[0].months[first_name]
    for run in runs:
        for name, own in list(run.months.items()):
            if own == wanted:
                continue
            if name in MONTHLY and not MONTHLY[name].required:
                run.values.pop(name, None)
                notes.append(f"{name} is left out: member {run.member} has it for {own} only")
                continue
            raise DataError(
                f"{_source_name(run, name)} of member {run.member} holds {own} (calendar "
                f"{own.calendar}), but {_source_name(runs[0], first_name)} of member "
                f"{runs[0].member} holds {wanted} (calendar {wanted.calendar})"
                f"{_missing(own, wanted)}; give all members and variables the same months, "
                f"{_shared_years(runs)}"
            )
    return wanted


def _source_name(run: Run, name: str) -> str:
    return f"'{name}'" + (f", in the source {run.origin[name]}," if name in run.origin else "")


def _missing(own: Months, wanted: Months) -> str:
    """Return which of the wanted months are missing at either end."""
    before, after = own.first - wanted.first, wanted.stop - own.stop
    gaps = [Months(wanted.first, before, own.calendar)] if before > 0 else []
    gaps += [Months(own.stop, after, own.calendar)] if after > 0 else []
    return f"; the files of {' and '.join(map(str, gaps))} are missing" if gaps else ""


def _whole_years(months: Months, notes: list[str]) -> Months:
    first, stop = -(-months.first // 12) * 12, months.stop // 12 * 12
    if stop <= first:
        raise DataError(f"the data hold {months}: no whole year from January to December")
    kept = Months(first, stop - first, months.calendar)
    if kept != months:
        notes.append(f"months outside whole years are left out: {months} became {kept}")
    return kept


def _labels(members: Sequence[str]) -> tuple[str, list[int]]:
    """Return numbers for the members; their names in the source become an attribute."""
    numbers = [int(m) if m.isascii() and m.isdigit() else None for m in members]
    if None in numbers or len(set(numbers)) < len(numbers):
        numbers = list(range(1, len(members) + 1))
    return ", ".join(f"{n} = {m}" for n, m in zip(numbers, members, strict=True)), numbers


def _with_axes(out: xr.Dataset, run: Run, months: Months) -> xr.Dataset:
    time, time_bnds = time_axis(months)
    grid = run.grid
    axes = {
        "time": time,
        "lat": xr.DataArray(
            grid.lat[grid.north],
            dims="lat",
            attrs={"standard_name": "latitude", "units": "degrees_north", "axis": "Y"},
        ),
        "lon": xr.DataArray(
            grid.lon,
            dims="lon",
            attrs={"standard_name": "longitude", "units": "degrees_east", "axis": "X"},
        ),
    }
    out = out.assign_coords(axes)
    out["time_bnds"] = time_bnds
    if not run.nodes.size:
        return out
    attrs = {
        "long_name": "depth of the node of the layer",
        "standard_name": "depth",
        "units": "m",
        "positive": "down",
        "axis": "Z",
        "bounds": "depth_bnds",
    }
    edges = np.column_stack([run.depth_edges[:-1], run.depth_edges[1:]])
    out["depth_bnds"] = xr.DataArray(edges, dims=("depth", "bnds"), attrs={"units": "m"})
    return out.assign_coords(depth=xr.DataArray(run.nodes, dims="depth", attrs=attrs))
