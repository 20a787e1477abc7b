"""Read CMIP6, one store or file per variable, experiment and member, as the standard dataset."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import numpy as np
import xarray as xr

from mpcf.data.readers.assembly import Run, assemble, check_absent, soil_water
from mpcf.data.readers.fields import Piece, check_layers, layer_edges, own_attributes, series
from mpcf.data.readers.fixed_maps import cell_areas, check_grids, check_land, whole_map
from mpcf.data.readers.soil_layers import clm_thickness
from mpcf.data.variables import MAPS, MONTHLY, SOIL_WATER
from mpcf.errors import DataError

TABLES = {
    **{v.name: v.table for v in MONTHLY.values() if v.name not in MAPS},
    "mrsol": "Emon",
    "co2mass": "Amon",
}
"""Variable → table of CMIP6 that it is read from. ``mrsol`` is total water by layer and
``co2mass`` the mass of CO2 in the air, from which variables of the standard dataset are derived."""

WATER = (*SOIL_WATER, "mrsol")
REQUIRED = tuple(
    v.name for v in MONTHLY.values() if v.required and v.name not in (*MAPS, *SOIL_WATER)
)
OPTIONAL = tuple(name for name in TABLES if name not in (*REQUIRED, *WATER))
"""Variables of `TABLES` without which a run can be read."""

DRY_AIR = 5.1352e18
"""kg of dry air (Trenberth and Smith 2005, doi 10.1175/JCLI-3299.1)."""
MOLAR_MASS_CO2, MOLAR_MASS_AIR = 44.0095, 28.9647
PPM_PER_KG = 1e6 / DRY_AIR * MOLAR_MASS_AIR / MOLAR_MASS_CO2
"""ppm of CO2 for each kilogram of it in the air."""


MAX_MAP_DIFFERENCE = 0.01
"""Largest difference, as a share of a whole cell, between maps that count as the same."""


def lacking(variables: Sequence[str]) -> list[str]:
    """
    Return the variables that some chapter needs and a run lacks.

    Parameters
    ----------
    variables : sequence of str
        Variables that a run has.

    Returns
    -------
    list of str
        Variables that are missing; empty if the run is complete.

    Examples
    --------
    >>> lacking([*REQUIRED, "mrsol"])
    []
    >>> lacking(["gpp", "ra", "rh", "tas", "pr", "snd", "tsl", "mrsos"])
    ['mrsll and mrsfl (or mrsol)']
    """
    absent = [name for name in REQUIRED if name not in variables]
    water = [name for name in SOIL_WATER if name not in variables]
    if water and "mrsol" not in variables:
        absent.append(f"{' and '.join(water)} (or mrsol)")
    return absent


def read(
    members: Mapping[str, Sequence[Piece]], fixed: Sequence[Piece], decided: Sequence[str] = ()
) -> xr.Dataset:
    """
    Read an ensemble of CMIP6 runs.

    Parameters
    ----------
    members : mapping of str to sequence of Piece
        Each member's stores or files. Experiments follow each other in the order in which they
        first occur: each ends where the next begins.
    fixed : sequence of Piece
        Stores or files of ``areacella``, ``sftlf`` and ``sftgif``, the preferred ones first.
    decided : sequence of str
        What had to be decided when the files were chosen.

    Returns
    -------
    Dataset
        The standard monthly dataset, lazy. What cannot be read of an optional variable leaves it
        out, with a note.

    Raises
    ------
    DataError
        If a variable is missing or something is ambiguous; the message names
        the variable, the member and the file.
    """
    notes = [*decided]
    check_absent({member: _absent(pieces) for member, pieces in members.items()}, notes)
    every = [piece for pieces in members.values() for piece in pieces]
    runs = [_run(member, pieces, notes) for member, pieces in members.items()]
    maps = _maps(fixed, runs[0], {(p.experiment, p.member) for p in every}, notes)
    for v in MONTHLY.values():
        if not v.required and v.name not in maps and not any(v.name in run.values for run in runs):
            notes.append(f"there is no {v.name} ({v.long_name}): what needs it is left out")
    try:
        return assemble(runs, maps, notes, own_attributes([*every, *fixed]))
    except DataError as error:
        # such as a new version that holds a part of the years only
        if decided:
            raise DataError(f"{error} (note: {'; '.join(decided)})") from error
        raise


def _having(pieces: Sequence[Piece], name: str) -> list[Piece]:
    return [piece for piece in pieces if name in piece]


def _absent(pieces: Sequence[Piece]) -> list[str]:
    """Return what a member lacks of the variables that some chapter needs."""
    absent = lacking([name for name in TABLES if _having(pieces, name)])
    if absent and any("mrsos" in piece or "mrso" in piece for piece in pieces):
        absent[-1] += " (mrso, the column, and mrsos, the top 10 cm, do not resolve layers)"
    return absent


def _run(member: str, pieces: Sequence[Piece], notes: list[str]) -> Run:
    present = [name for name in TABLES if _having(pieces, name)]
    on_map = [name for name in REQUIRED if name in present]
    layered = [(name, file) for name in ("tsl", *WATER) for file in _having(pieces, name)]
    if not on_map and not layered:
        raise DataError(
            f"member {member} has no variable that the book can use; it lacks "
            f"{', '.join(lacking(present))}"
        )
    soil = layered[0][1] if layered else _having(pieces, on_map[0])[0]
    nodes, edges = layer_edges(soil, layered[0][0]) if layered else (np.array([]), np.array([]))
    run = Run(member, soil.grid, {}, {}, nodes, edges, {})
    for name in present:
        files = _having(pieces, name)
        if name in REQUIRED:
            check_grids({name: files}, run.grid)
            run.values[name], run.months[name] = series(
                files, name, MONTHLY[name].units, notes=notes
            )
        elif name in OPTIONAL and not (name == "co2mass" and "co2" in run.values):
            _optional(run, files, name, notes)
    water: dict[str, xr.DataArray] = {}
    for name in WATER:
        if name not in present or (name == "mrsol" and {"mrsll", "mrsfl"} <= set(water)):
            continue
        files = _having(pieces, name)
        check_grids({name: files}, run.grid)
        water[name], run.months[name] = series(files, name, "kg m-2", notes=notes)
        found, own_edges = layer_edges(files[0], name)
        check_layers(found, nodes, files[0].where(name))
        if run.depth_edges is None and own_edges is not None and found.size == nodes.size:
            run.depth_edges = own_edges
    if run.depth_edges is None:
        thickness = clm_thickness(nodes)
        if thickness is None:
            raise DataError(f"{soil.where(layered[0][0])} has no bounds of its layers (depth_bnds)")
        run.depth_edges = np.concatenate([[0.0], np.cumsum(thickness)])
    soil_water(run, *(water.get(name) for name in WATER), notes)
    for name in SOIL_WATER:
        if name in run.values:
            run.origin[name] = " and ".join(water)
    return run


def _optional(run: Run, files: Sequence[Piece], name: str, notes: list[str]) -> None:
    """Add an optional variable to a run, or a note that says why it cannot be read."""
    try:
        check_grids({name: files}, run.grid)
        if name == "co2mass":
            run.values["co2"], run.months["co2"] = series(
                files, name, "kg", scale=PPM_PER_KG, notes=notes
            )
            run.origin["co2"] = name
        else:
            run.values[name], run.months[name] = series(
                files, name, MONTHLY[name].units, notes=notes
            )
    except DataError as error:
        notes.append(f"{name} is left out: {error}")


def _maps(
    fixed: Sequence[Piece], run: Run, own: Collection[tuple[str, str]], notes: list[str]
) -> dict[str, xr.DataArray]:
    """Return the maps that do not change; note where they come from another run than those read."""
    found, others = {}, {}
    for name in MAPS:
        pieces = [p for p in fixed if name in p and p.grid.is_like(run.grid)]
        if not pieces:
            continue
        found[name] = whole_map(pieces[0], name, MONTHLY[name].units)
        for piece in pieces[1:]:
            _check_alike(found[name], pieces[0], piece, name)
        source = (pieces[0].experiment, pieces[0].member)
        if pieces[0].experiment and source not in own:
            others.setdefault(" of member ".join(source), []).append(name)
    for source, names in others.items():
        notes.append(f"{', '.join(names)} come from {source}: the runs that are read have none")
    if "sftlf" not in found:
        raise DataError("'sftlf' (table fx) is missing on the grid of the land variables")
    land = found["sftlf"].fillna(0.0)
    check_land(land, "'sftlf'")
    maps = {"sftlf": land, "areacella": cell_areas(found.get("areacella"), run.grid, notes)}
    if "sftgif" in found:
        maps["sftgif"] = found["sftgif"].fillna(0.0)
    else:
        notes.append("there is no sftgif: ice sheets are left out only where there is no soil")
    return maps


def _check_alike(first: xr.DataArray, chosen: Piece, piece: Piece, name: str) -> None:
    """Raise if another map with an equal claim to be the right one differs visibly."""
    other = whole_map(piece, name, MONTHLY[name].units)
    size = 100.0 if MONTHLY[name].units == "%" else float(first.max())
    apart = abs(other.fillna(0.0) - first.fillna(0.0)).isel(lat=chosen.grid.north).max().item()
    if apart > MAX_MAP_DIFFERENCE * size:
        raise DataError(
            f"{name} of {chosen.experiment}, member {chosen.member} ({chosen.path}) and of "
            f"{piece.experiment}, member {piece.member} ({piece.path}) differ by up to {apart:.3g} "
            f"{MONTHLY[name].units} in a cell; remove the wrong one from the catalogue"
        )
