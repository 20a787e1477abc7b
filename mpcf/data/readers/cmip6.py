"""Read CMIP6, one store or file per variable, experiment and member, as the standard dataset."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

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

DRY_AIR = 5.1352e18
"""kg of dry air (Trenberth and Smith 2005, doi 10.1175/JCLI-3299.1)."""
MOLAR_MASS_CO2, MOLAR_MASS_AIR = 44.0095, 28.9647
PPM_PER_KG = 1e6 / DRY_AIR * MOLAR_MASS_AIR / MOLAR_MASS_CO2
"""ppm of CO2 for each kilogram of it in the air."""


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


def read(members: Mapping[str, Sequence[Piece]], fixed: Sequence[Piece]) -> xr.Dataset:
    """
    Read an ensemble of CMIP6 runs.

    Parameters
    ----------
    members : mapping of str to sequence of Piece
        Each member's stores or files. If a variable comes from several experiments, they are in
        the order of the experiments: each ends where the next begins.
    fixed : sequence of Piece
        Stores or files of ``areacella``, ``sftlf`` and ``sftgif``.

    Returns
    -------
    Dataset
        The standard monthly dataset, lazy.

    Raises
    ------
    DataError
        If a variable is missing or something is ambiguous; the message names
        the variable, the member and the file.
    """
    notes: list[str] = []
    check_absent({member: _absent(pieces) for member, pieces in members.items()}, notes)
    runs = [_run(member, pieces, notes) for member, pieces in members.items()]
    maps = _maps(fixed, runs[0], notes)
    every = [piece for pieces in members.values() for piece in pieces]
    return assemble(runs, maps, notes, own_attributes([*every, *fixed]))


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
    if not any(name in (*REQUIRED, *WATER) for name in present):
        raise DataError(
            f"member {member} has no variable that the book can use; it lacks "
            f"{', '.join(lacking(present))}"
        )
    values, months, origin = {}, {}, {}
    for name in present:
        if name in (*WATER, "co2mass"):
            continue
        files = _having(pieces, name)
        values[name], months[name] = series(files, name, MONTHLY[name].units, overlap=True)
    if "co2mass" in present and "co2" not in present:
        files = _having(pieces, "co2mass")
        values["co2"], months["co2"] = series(
            files, "co2mass", "kg", overlap=True, scale=PPM_PER_KG
        )
        origin["co2"] = "co2mass"
    layered = [(name, file) for name in ("tsl", *WATER) for file in _having(pieces, name)]
    soil = layered[0][1] if layered else _having(pieces, next(iter(values)))[0]
    nodes, edges = layer_edges(soil, layered[0][0]) if layered else (np.array([]), np.array([]))
    run = Run(member, soil.grid, values, months, nodes, edges, origin)
    water: dict[str, xr.DataArray] = {}
    for name in WATER:
        if name not in present or (name == "mrsol" and {"mrsll", "mrsfl"} <= set(water)):
            continue
        files = _having(pieces, name)
        water[name], months[name] = series(files, name, "kg m-2", overlap=True)
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
            origin[name] = " and ".join(water)
    check_grids({name: _having(pieces, name) for name in present}, run.grid)
    return run


def _maps(fixed: Sequence[Piece], run: Run, notes: list[str]) -> dict[str, xr.DataArray]:
    found = {}
    for name in MAPS:
        piece = next((p for p in fixed if name in p and p.grid.is_like(run.grid)), None)
        if piece is not None:
            found[name] = whole_map(piece, name, MONTHLY[name].units)
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
