"""Read the grid of a file and bring it into standard order."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import xarray as xr

from mpcf.errors import DataError

SOUTH = 45.0
"""°N; the book is about the land north of it, and only its rows are read."""

SAME_PLACE = 1e-3
"""Degrees by which grids may differ and still count as the same: files hold float32 and float64."""

REGRID = (
    "regrid the files conservatively to a regular latitude-longitude grid first: CLM's, with its "
    "land fractions, by 'ncremap -P ctsm -m MAP.nc IN.nc OUT.nc' of NCO, where MAP.nc holds "
    "conservative weights (ESMF_RegridWeightGen -m conserve, or ncremap itself, makes it from the "
    "corners of both grids, which history files do not hold)"
)
"""What to do with cells that are not rows and columns."""

SUBGRID = ("pft", "column", "landunit", "cohort", "patch")
"""Dimensions of output by parts of cells."""

LATITUDE = ("lat", "latitude")
LONGITUDE = ("lon", "longitude")


@dataclass(frozen=True)
class Grid:
    """
    Rows and columns of a file's grid in standard order, whole.

    Attributes
    ----------
    lat, lon : ndarray
        Degrees; ascending, longitude from −180 to 180.
    rows, columns : ndarray of int
        Position of each in the file.
    dims : (str, str)
        The file's names of latitude and longitude.
    """

    lat: np.ndarray
    lon: np.ndarray
    rows: np.ndarray
    columns: np.ndarray
    dims: tuple[str, str]

    @property
    def north(self) -> slice:
        """Rows that the book reads."""
        return slice(int(np.searchsorted(self.lat, SOUTH)), None)

    def is_like(self, other: Grid) -> bool:
        """
        Return whether both grids have the same cells.

        Parameters
        ----------
        other : Grid
            Another file's grid.

        Returns
        -------
        bool
            Whether all centres agree.
        """
        return all(
            a.shape == b.shape and np.allclose(a, b, rtol=0, atol=SAME_PLACE)
            for a, b in ((self.lat, other.lat), (self.lon, other.lon))
        )


def _why(raw: xr.Dataset, name: str) -> str:
    """Return why a latitude or longitude makes no rows or columns."""
    dims = raw[name].dims if name in raw.variables else ()
    if len(dims) == 2:
        return f"'{name}' has the two dimensions {' and '.join(map(str, dims))}"
    if len(dims) == 1:
        return f"its cells are a list ('{dims[0]}')"
    return f"'{name}' is not a dimension with values"


def off_grid(dims: tuple, where: str) -> DataError:
    """
    Return the error for a variable without latitude and longitude among its dimensions.

    Parameters
    ----------
    dims : tuple of str
        Its dimensions.
    where : str
        The variable, for the message.

    Returns
    -------
    DataError
        The message names the dimensions, and says what to do.

    Examples
    --------
    >>> print(off_grid(("time", "pft"), "GPP"))
    GPP is not on rows and columns: its dimensions are time, pft; 'pft' is a part of cells: ...
    """
    listed = ", ".join(map(str, dims))
    sub = next((d for d in dims if d in SUBGRID), None)
    advice = REGRID
    if sub:
        advice = f"'{sub}' is a part of cells: read the output of cell means (hist_dov2xy = .true.)"
    return DataError(f"{where} is not on rows and columns: its dimensions are {listed}; {advice}")


def read_grid(raw: xr.Dataset, where: str) -> Grid:
    """
    Return a file's grid in standard order.

    Parameters
    ----------
    raw : Dataset
        The file.
    where : str
        Its name, for messages.

    Returns
    -------
    Grid
        Latitude and longitude ascending, longitude from −180 to 180.

    Raises
    ------
    DataError
        If latitude or longitude is not a vector of distinct degrees.

    Examples
    --------
    >>> grid = read_grid(xr.Dataset(coords={"lat": [80.0, 50.0], "lon": [0.0, 90.0, 270.0]}), "a")
    >>> grid.lat, grid.lon
    (array([50., 80.]), array([-90.,   0.,  90.]))
    """
    names, found = [], []
    for known in (LATITUDE, LONGITUDE):
        name = next((n for n in known if n in raw.variables), known[0])
        if name not in raw.variables or raw[name].dims != (name,):
            raise DataError(f"{where} has no grid of rows and columns: {_why(raw, name)}; {REGRID}")
        values = raw[name].values
        unit = raw[name].attrs.get("units", "degrees")
        if values.dtype.kind not in "fiu" or values.size < 2:
            raise DataError(f"{where}: '{name}' needs two numbers or more")
        values = values.astype(float)
        if not np.isfinite(values).all():
            raise DataError(
                f"{where}: '{name}' has missing values; get the file again, or {REGRID}"
            )
        limit = 90.001 if known is LATITUDE else 540.0
        if not (np.abs(values) <= limit).all() or not str(unit).lower().startswith("deg"):
            raise DataError(f"{where}: '{name}' is not in degrees (units '{unit}'); correct it")
        names.append(name)
        found.append(values)
    lat, lon = found
    # rounded, since float32 puts 180 on either side of the seam
    lon = (np.round(lon, 4) + 180.0) % 360.0 - 180.0
    rows, columns = np.argsort(lat, kind="stable"), np.argsort(lon, kind="stable")
    for name, ordered in ((names[0], lat[rows]), (names[1], lon[columns])):
        if (np.diff(ordered) < SAME_PLACE).any():
            raise DataError(f"{where}: '{name}' has the same value twice; remove one of the two")
    return Grid(lat[rows], lon[columns], rows, columns, (names[0], names[1]))
