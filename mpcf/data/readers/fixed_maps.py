"""Read maps that do not change (cell area, land, ice); check that all files share a grid."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import xarray as xr

from mpcf.data.readers.fields import Piece, clean
from mpcf.data.readers.grids import LATITUDE, LONGITUDE, Grid
from mpcf.data.readers.units import conversion
from mpcf.data.variables import MAX_AREA_ERROR
from mpcf.errors import DataError
from mpcf.ground.geography import grid_cell_area


def whole_map(piece: Piece, name: str, units: str, *, absent: str | None = None) -> xr.DataArray:
    """
    Return a map that does not change, of the whole grid, in memory.

    Parameters
    ----------
    piece : Piece
        The file.
    name : str
        Variable in it; if it has several times, the first is taken.
    units : str
        The wanted unit.
    absent : str, optional
        What a missing unit means.

    Returns
    -------
    DataArray (lat, lon)
        float64, NaN where there is a fill value; without coordinates, since those of two files can
        differ in the last digits.

    Raises
    ------
    DataError
        If its unit or dimensions are not recognised.
    """
    where = piece.where(name)
    variable = piece.raw.variables[name]
    to = conversion(variable.attrs.get("units"), units, where, absent=absent)
    grid = piece.grid
    variable = variable.isel({d: 0 for d in variable.dims if d not in grid.dims})
    if set(variable.dims) != set(grid.dims) or variable.dtype.kind not in "fiu":
        raise DataError(f"{where} is not a map of numbers on the grid of its file")
    values = np.array(variable.transpose(*grid.dims).values, dtype="float64")
    values = clean(values[np.ix_(grid.rows, grid.columns)], to, dtype="float64")
    return xr.DataArray(values, dims=("lat", "lon"), attrs={"original": name})


def cell_areas(found: xr.DataArray | None, grid: Grid, notes: list[str]) -> xr.DataArray:
    """
    Return the area of the cells, computed from the grid if the source's is missing or wrong.

    Parameters
    ----------
    found : DataArray (lat, lon) or None
        Area in the source, m2.
    grid : Grid
        Its grid.
    notes : list of str
        Gets a line if the area is rebuilt.

    Returns
    -------
    DataArray (lat, lon)
        m2, in every cell.
    """
    lat, lon = (xr.DataArray(v, dims=d) for d, v in (("lat", grid.lat), ("lon", grid.lon)))
    sphere = grid_cell_area(lat, lon)
    if found is None:
        notes.append("the source has no cell area: it was computed from the grid")
        return sphere
    known = found.notnull()
    share = float(found.sum()) / max(float(sphere.where(known).sum()), 1.0)
    if abs(share - 1) > MAX_AREA_ERROR:
        notes.append(
            f"the source's cell area adds up to {100 * share:.1f} % of its grid's area on the "
            "sphere: it was replaced by the area computed from the grid"
        )
        return sphere
    return xr.where(known, found, sphere).assign_attrs(found.attrs)


def check_grids(files: Mapping[str, Sequence[Piece]], grid: Grid) -> None:
    """
    Check that all variables on a map share one grid.

    Parameters
    ----------
    files : mapping of str to sequence of Piece
        Variable → the files that hold it.
    grid : Grid
        Grid of the soil temperature.

    Raises
    ------
    DataError
        If a variable is on a different grid.
    """
    for name, pieces in files.items():
        for piece in pieces:
            dims = set(piece.raw.variables[name].dims)
            if dims & {*LATITUDE, *LONGITUDE} and not piece.grid.is_like(grid):
                raise DataError(
                    f"{piece.where(name)} is on a different grid from soil temperature; regrid "
                    "all to one grid first"
                )


def check_land(land: xr.DataArray, where: str) -> None:
    """
    Check that a land fraction is in %.

    Parameters
    ----------
    land : DataArray (lat, lon)
        %.
    where : str
        The variable, for the message.

    Raises
    ------
    DataError
        If it is negative, above 100, or nowhere above 1 (a fraction).
    """
    low, high = float(land.min()), float(land.max())
    if not (low >= 0 and 1.0 < high <= 100.01):
        raise DataError(
            f"{where} runs from {low:.4g} to {high:.4g} % as its units say; look at its units: "
            "land reaches up to 100 %"
        )
