"""A member's first, middle and last year, read once for all checks of values."""

from __future__ import annotations

from functools import cached_property

import numpy as np
import xarray as xr

from mpcf.data.readers.loading import load
from mpcf.errors import DataError
from mpcf.ground.thaw import land_area


class Sample:
    """The months of the first, the middle and the last year of one member.

    A variable is read when it is first asked for, and kept as long as the sample.

    Parameters
    ----------
    monthly : Dataset
        The standard monthly dataset.
    index : int
        Position of the member.
    """

    def __init__(self, monthly: xr.Dataset, index: int) -> None:
        self.monthly, self.index = monthly, index
        self.member = monthly["member"].values[index]
        chosen = sampled_years(monthly)
        self.months = np.concatenate([np.arange(12 * y, 12 * y + 12) for y in chosen])
        self.time = monthly.indexes["time"][self.months]
        self.years = ", ".join(str(year) for year in dict.fromkeys(self.time.year))
        self.faulty: set[str] = set()
        """Variables that a check of values has refused, so that no other check uses them."""
        self.notes: dict[str, str] = {}
        """What is unusual, but possible, by subject: of members, the first is reported."""
        self._read: dict[str, np.ndarray | DataError] = {}

    def has(self, *names: str) -> bool:
        """Return whether the dataset has all these variables, without a fault found in them.

        Parameters
        ----------
        *names : str
            Standard names.

        Returns
        -------
        bool
            True if they can be compared with each other.
        """
        return all(name in self.monthly and name not in self.faulty for name in names)

    def values(self, name: str) -> np.ndarray:
        """Return a variable's values in the sampled months, or its map or series.

        Parameters
        ----------
        name : str
            Standard name.

        Returns
        -------
        ndarray (time, depth, lat, lon)
            Those of its dimensions that it has, in this order.

        Raises
        ------
        DataError
            If they cannot be read.
        """
        if name not in self._read:
            values = self.monthly[name]
            if "member" in values.dims:
                values = values.isel(member=self.index)
            if "time" in values.dims:
                values = values.isel(time=self.months)
            order = ("time", "depth", "lat", "lon")
            try:
                self._read[name] = load(values.transpose(*order, missing_dims="ignore")).values
            except DataError as error:
                self._read[name] = error
                self.faulty.add(name)
        found = self._read[name]
        if isinstance(found, DataError):
            raise found
        return found

    def what(self, *names: str) -> str:
        """Return variables' names for a message, as `name_in_source` does.

        Parameters
        ----------
        *names : str
            Standard names.

        Returns
        -------
        str
            With the names of variables and member in the source.
        """
        *others, last = names
        texts = [name_in_source(self.monthly, name).rstrip(",") for name in others]
        return " and ".join([*texts, name_in_source(self.monthly, last, self.member)])

    @cached_property
    def area(self) -> np.ndarray:
        """Land without ice in each cell (lat, lon), m2."""
        return load(land_area(self.monthly).transpose("lat", "lon")).values

    @cached_property
    def is_ice(self) -> np.ndarray:
        """Whether most of a cell's land is ice sheet (lat, lon)."""
        return load(mostly_ice(self.monthly).transpose("lat", "lon")).values

    @cached_property
    def is_land(self) -> np.ndarray:
        """Whether a cell has land, most of it without ice sheet (lat, lon)."""
        return (self.area > 0) & ~self.is_ice

    @cached_property
    def layers(self) -> np.ndarray:
        """Upper and lower bounds of the soil layers (depth, 2), m."""
        return self.monthly["depth_bnds"].transpose("depth", "bnds").values.astype(float)

    def share(self, cells: np.ndarray) -> float:
        """Return the share of the land, in per cent, that lies in some cells.

        Parameters
        ----------
        cells : ndarray (lat, lon)
            True in these cells.

        Returns
        -------
        float
            Per cent of the area of land without ice sheets.
        """
        land = float(self.area[self.is_land].sum())
        return 100.0 * float(self.area[cells & self.is_land].sum()) / land if land else 0.0

    def place(self, cell: tuple[int, int]) -> str:
        """Return the latitude and longitude of a cell, for a message.

        Parameters
        ----------
        cell : tuple of int
            Row and column.

        Returns
        -------
        str
            Such as ``"61.5° N, 20.0° W"``.
        """
        lat = float(self.monthly["lat"].values[cell[0]])
        lon = float(self.monthly["lon"].values[cell[1]])
        return f"{abs(lat):.1f}° {'NS'[lat < 0]}, {abs(lon):.1f}° {'EW'[lon < 0]}"

    def month(self, index: int) -> str:
        """Return the name of a sampled month, for a message.

        Parameters
        ----------
        index : int
            Position among the sampled months.

        Returns
        -------
        str
            Such as ``"2000-01"``.
        """
        return f"{self.time[index].year}-{self.time[index].month:02d}"


def sampled_years(monthly: xr.Dataset) -> list[int]:
    """Return the positions of the first, the middle and the last year.

    Parameters
    ----------
    monthly : Dataset
        The standard monthly dataset, of whole years.

    Returns
    -------
    list of int
        One to three positions, ascending.

    Examples
    --------
    >>> sampled_years(xr.Dataset(coords={"time": range(60)}))
    [0, 2, 4]
    """
    years = monthly.sizes["time"] // 12
    return sorted({0, years // 2, years - 1})


def mostly_ice(grid: xr.Dataset) -> xr.DataArray:
    r"""Return whether most of a cell's land is ice sheet.

    .. math:: f_\mathrm{ice} > \max(f_\mathrm{land} - f_\mathrm{ice}, 0)

    Parameters
    ----------
    grid : Dataset
        ``sftlf`` (%), and ``sftgif`` (%) where there is one; both are shares of the whole cell.

    Returns
    -------
    DataArray (lat, lon)
        Boolean; False everywhere without ``sftgif``.

    Examples
    --------
    >>> coast = xr.Dataset({"sftlf": ("lat", [50.0, 50.0]), "sftgif": ("lat", [49.0, 20.0])})
    >>> mostly_ice(coast).values
    array([ True, False])
    """
    land = grid["sftlf"].fillna(0)
    ice = grid["sftgif"].fillna(0) if "sftgif" in grid else xr.zeros_like(land)
    return ice > (land - ice).clip(min=0)


def first_cell(cells: np.ndarray) -> tuple[int, int]:
    """Return the row and column of the first cell that is True.

    Parameters
    ----------
    cells : ndarray (lat, lon)
        At least one is True.

    Returns
    -------
    tuple of int
        Row and column.

    Examples
    --------
    >>> first_cell(np.array([[False, False], [False, True]]))
    (1, 1)
    """
    row, column = np.unravel_index(int(np.argmax(cells)), cells.shape)
    return int(row), int(column)


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
    return text if member is None else f"{text} of member {member_in_source(monthly, member)}"


def member_in_source(monthly: xr.Dataset, member: object) -> str:
    """Return a member's name in the source.

    Parameters
    ----------
    monthly : Dataset
        The standard monthly dataset, whose reader noted names of the source in its attributes.
    member : object
        Value of the coordinate ``member``.

    Returns
    -------
    str
        The name, or `member` as text where the source has no other.

    Examples
    --------
    >>> member_in_source(xr.Dataset(attrs={"mpcf_members": "1 = 001, 2 = 002"}), 2)
    '002'
    """
    pairs = (pair.split(" = ", 1) for pair in monthly.attrs.get("mpcf_members", "").split(", "))
    return dict(p for p in pairs if len(p) == 2).get(str(member), str(member))
