"""Read what does not change in a CESM run: cell area, land, ice sheets, and the soil's layers."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import PurePosixPath

import numpy as np
import xarray as xr

from mpcf.data.readers.fields import Piece
from mpcf.data.readers.fixed_maps import cell_areas, check_land, whole_map
from mpcf.data.readers.grids import Grid
from mpcf.data.readers.soil_layers import clm_thickness
from mpcf.data.readers.units import conversion
from mpcf.errors import DataError

LAND_UNITS = 9
"""Number of CLM's land units; the third and the fourth are ice."""
ICE_UNITS = (2, 3)

MAX_LAND_DIFFERENCE = 1e-2
"""%; files of one grid hold the same land to this precision."""

_OF_LAND = re.compile(r"\.(?:clm\d?|ctsm|elm)(?:_\d{4})?\.")
_DATES = re.compile(r"\.\d{4}-?\d{2}(?:-\d{4}-?\d{2})?\.nc$")


def read_maps(pieces: Sequence[Piece], grid: Grid, notes: list[str]) -> dict[str, xr.DataArray]:
    """
    Return cell area, land fraction and ice-sheet fraction, from files on the land's grid.

    Rivers and the atmosphere have an ``area`` too, on other grids and in other units: files of the
    land model come first, then others on its grid.

    Parameters
    ----------
    pieces : sequence of Piece
        Files of a member.
    grid : Grid
        Grid of the soil temperature.
    notes : list of str
        Gets a line for what had to be decided.

    Returns
    -------
    dict of str to DataArray (lat, lon)
        ``areacella``, ``sftlf`` and, where the files tell it, ``sftgif``.

    Raises
    ------
    DataError
        If no file on the land's grid has a land fraction, or files disagree about it.
    """
    land = read_land(pieces, grid)
    kinds = {_DATES.sub("", p.path): p for p in reversed(_on_grid(pieces, "landfrac", grid))}
    for piece in kinds.values():
        check_same_land(piece, land)
    area = None
    for piece in _on_grid(pieces, "area", grid):
        try:
            area = whole_map(piece, "area", "m2")
        except DataError as error:
            notes.append(f"an area is passed over: {error}")
        else:
            break
    maps = {"sftlf": land, "areacella": cell_areas(area, grid, notes)}
    if (ice := _ice(pieces, grid, notes)) is not None:
        maps["sftgif"] = (ice.fillna(0.0) * land / 100.0).assign_attrs(ice.attrs)
    return maps


def read_land(pieces: Sequence[Piece], grid: Grid) -> xr.DataArray:
    """
    Return the land fraction of a member.

    Parameters
    ----------
    pieces : sequence of Piece
        Its files.
    grid : Grid
        Grid of the soil temperature.

    Returns
    -------
    DataArray (lat, lon)
        %, zero where the model has no land.

    Raises
    ------
    DataError
        If no file on this grid has it, or its units are wrong.
    """
    piece = land_piece(pieces, grid)
    land = whole_map(piece, "landfrac", "%", absent="1").fillna(0.0)
    check_land(land, piece.where("landfrac"))
    return land


def land_piece(pieces: Sequence[Piece], grid: Grid) -> Piece:
    """
    Return the file that a member's land fraction is read from.

    Parameters
    ----------
    pieces : sequence of Piece
        Its files.
    grid : Grid
        Grid of the soil temperature.

    Returns
    -------
    Piece
        A file of the land model, if one has it.

    Raises
    ------
    DataError
        If no file on this grid has it; the message says which file to add.
    """
    if found := _on_grid(pieces, "landfrac", grid):
        return found[0]
    elsewhere = [piece.path for piece in pieces if "landfrac" in piece]
    raise DataError(
        f"'landfrac' is in no file of member {pieces[0].member} on the grid of its soil "
        f"temperature{f' (but in {elsewhere[0]})' if elsewhere else ''}; put a file with 'area' "
        "and 'landfrac' into the member's folder: any CASE.clm2.h0.YYYY-MM.nc as CLM wrote it, or "
        "what 'ncks -v area,landfrac CASE.clm2.h0.YYYY-MM.nc fixed.nc' takes from it"
    )


def check_same_land(piece: Piece, land: xr.DataArray) -> None:
    """
    Check that a file has the land of the others.

    Parameters
    ----------
    piece : Piece
        A file that holds ``landfrac`` on the same grid.
    land : DataArray (lat, lon)
        %, of another file.

    Raises
    ------
    DataError
        If it differs.
    """
    own = whole_map(piece, "landfrac", "%", absent="1").fillna(0.0)
    if not np.allclose(own.values, land.values, rtol=0, atol=MAX_LAND_DIFFERENCE):
        raise DataError(
            f"'landfrac' of member {piece.member} ({piece.path}) differs from that of the others "
            f"by up to {float(abs(own - land).max()):.3g} %; keep the files of one run"
        )


def read_edges(nodes: np.ndarray, pieces: Sequence[Piece]) -> np.ndarray:
    """
    Return the edges of the soil's layers: from ``DZSOI``, or as known for CLM.

    Parameters
    ----------
    nodes : ndarray (depth,)
        Nodes of the soil temperature, m.
    pieces : sequence of Piece
        Files of the member.

    Returns
    -------
    ndarray (depth + 1,)
        m; fewer than for all nodes if ``DZSOI`` has only the upper layers and the rest is not
        known.

    Raises
    ------
    DataError
        If the thickness is neither in a file nor known, or does not fit the nodes.
    """
    known = clm_thickness(nodes)
    piece = next((p for p in pieces if "DZSOI" in p), None)
    if piece is None:
        thickness = known
    else:
        thickness = _thickness(piece)
        part = thickness.size
        if part < nodes.size and known is not None and np.allclose(known[:part], thickness, 1e-3):
            thickness = known
    if thickness is None or thickness.size > nodes.size or not (thickness > 0).all():
        raise DataError(
            f"the soil layers with nodes at {', '.join(f'{z:.3g}' for z in nodes)} m are neither "
            "CLM5's nor CLM4.5's; put a history file that holds DZSOI next to the others"
        )
    edges = np.concatenate([[0.0], np.cumsum(thickness)])
    inside = nodes[: thickness.size]
    if not ((edges[:-1] <= inside) & (inside <= edges[1:])).all():
        raise DataError(
            f"{piece.where('DZSOI')}: with these thicknesses, the nodes of the soil temperature at "
            f"{', '.join(f'{z:.3g}' for z in nodes)} m do not lie in their layers; look at its "
            "units"
        )
    return edges


def _thickness(piece: Piece) -> np.ndarray:
    """Return the thickness of each layer, m: the median of all cells if it is a map."""
    variable = piece.raw.variables["DZSOI"]
    level = next((d for d in variable.dims if d.startswith("lev")), variable.dims[0])
    rest = [d for d in variable.dims if d != level]
    values = np.asarray(variable.transpose(level, *rest).values, dtype=float)
    values = np.where(np.abs(values) < 1e3, values, np.nan).reshape(values.shape[0], -1)
    to = conversion(variable.attrs.get("units"), "m", piece.where("DZSOI"), absent="m")
    return np.nanmedian(values, axis=1) * to.factor


def _on_grid(pieces: Sequence[Piece], name: str, grid: Grid) -> list[Piece]:
    """Return the files that have a map on a grid, those of the land model first."""

    def is_there(piece: Piece) -> bool:
        if name not in piece:
            return False
        try:
            own = piece.grid
        except DataError:
            return False
        return set(own.dims) <= set(piece.raw.variables[name].dims) and own.is_like(grid)

    found = [piece for piece in pieces if is_there(piece)]
    return sorted(found, key=lambda p: not _OF_LAND.search(PurePosixPath(p.path).name))


def _ice(pieces: Sequence[Piece], grid: Grid, notes: list[str]) -> xr.DataArray | None:
    """Return the share of the land that is ice; attributes of the file number the land units."""
    name, otherwise = "PCT_LANDUNIT", "ice sheets are left out only where the model has no soil"
    piece = next(iter(_on_grid(pieces, name, grid)), None)
    if piece is None:
        notes.append(f"there is no {name} in the files: {otherwise}")
        return None
    shares = piece.raw[name]
    kinds = [int(v) - 1 for k, v in piece.raw.attrs.items() if k.startswith("ltype_landice")]
    if not kinds and shares.sizes.get("ltype") == LAND_UNITS:
        kinds = list(ICE_UNITS)
        notes.append(
            f"{piece.where(name)} does not number its land units (attributes ltype_...): the third "
            "and the fourth of nine were taken as ice, as in CLM"
        )
    if "ltype" not in shares.dims or not kinds or max(kinds) >= shares.sizes["ltype"]:
        notes.append(
            f"{piece.where(name)} does not say which land units are ice (attributes "
            f"ltype_landice...): {otherwise}"
        )
        return None
    maps = [
        whole_map(
            Piece(piece.path, piece.member, piece.raw.assign({name: shares.isel(ltype=kind)})),
            name,
            "%",
        )
        for kind in kinds
    ]
    return sum(maps[1:], maps[0]).assign_attrs(original=name)
