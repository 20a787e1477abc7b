"""Read variables from the files of a member: lazy, clean, in standard units and order."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import xarray as xr

from mpcf.data.readers.cell_methods import check_is_mean
from mpcf.data.readers.grids import LATITUDE, LONGITUDE, Grid, off_grid, read_grid
from mpcf.data.readers.loading import is_collected, load
from mpcf.data.readers.months import Months, read_months
from mpcf.data.readers.units import Conversion, conversion
from mpcf.errors import DataError
from mpcf.folders import files_below

LARGEST_VALUE = 1e19
"""Larger numbers are fill values (CESM 1e36, CMIP6 1e20)."""
FILL_VALUES = (-9999.0, -999.0)
"""Fill values that some files contain without declaring them."""

CHUNK_BYTES = 48 * 2**20


@dataclass(frozen=True)
class Piece:
    """
    An open file of a member: lazy, with times not decoded.

    Attributes
    ----------
    path : str
        Its path or address.
    member : str
        The member it belongs to.
    raw : Dataset
        Its contents.
    experiment : str, optional
        The experiment it belongs to; empty where a member is one experiment.
    """

    path: str
    member: str
    raw: xr.Dataset
    experiment: str = ""

    @cached_property
    def months(self) -> Months:
        """The months that it holds."""
        return read_months(self.raw, self.path)

    @cached_property
    def grid(self) -> Grid:
        """Its grid."""
        return read_grid(self.raw, self.path)

    def __contains__(self, name: str) -> bool:
        """Check whether it has a variable."""
        return name in self.raw.variables

    def where(self, name: str) -> str:
        """
        Return the name of a variable for a message.

        Parameters
        ----------
        name : str
            Name in the file.

        Returns
        -------
        str
            Variable, member and file.
        """
        return f"{name} of member {self.member} ({self.path})"


def _graph_name(path: str, name: str, to: Conversion, months: Months | None) -> str | bool:
    """Return a name that is the same in every process as long as the file is: a run can resume.

    What is held in memory alone has no such name, and False asks Dask for a random one.
    """
    from dask.base import tokenize

    if os.path.isdir(path):
        files = list(files_below(path))
    elif os.path.isfile(path):
        files = [path]
    elif "://" in path:
        files = []
    else:
        return False
    known = [(file, (state := os.stat(file)).st_size, state.st_mtime_ns) for file in files]
    return f"{name}-{tokenize(path, known, name, to, months)}"


class _Stored:
    """A variable of one file as an array: read in pieces, clean, and in the wanted unit."""

    def __init__(
        self, variable: xr.Variable, to: Conversion, where: str, months: Months | None
    ) -> None:
        self.variable, self.to, self.where, self.months = variable, to, where, months
        self.shape, self.ndim = variable.shape, variable.ndim
        self.dtype = np.dtype("float32")

    def __getitem__(self, key) -> np.ndarray:
        try:
            return self._read(key)
        except DataError as error:
            if not is_collected(error):
                raise
            return np.broadcast_to(np.float32(np.nan), self.shape)[key]

    def _read(self, key) -> np.ndarray:
        try:
            values = np.array(self.variable[key].values)
        except Exception as error:
            raise DataError(f"{self.where} can't be read: {error}; get the file again") from error
        if values.dtype.kind != "f":
            values = values.astype("float64")
        values = clean(values, self.to)
        if (
            self.months
            and "time" in self.variable.dims
            and all(isinstance(part, slice) for part in key)
        ):
            self._check_months(values, key)
        return values

    def _check_months(self, values: np.ndarray, key: tuple[slice, ...]) -> None:
        """Raise if some months have no value and others do, as in damaged files."""
        axis = self.variable.dims.index("time")
        others = tuple(i for i in range(values.ndim) if i != axis)
        empty = np.isnan(values).all(axis=others)
        if not empty.any() or empty.all():  # all: no land here, or for the yearly check to find
            return
        stored = np.arange(self.months.count)[key[axis]][empty]
        more = f" and {stored.size - 1} more months" if stored.size > 1 else ""
        first = Months(self.months.first + int(stored[0]), 1, self.months.calendar)
        raise DataError(
            f"{self.where} has no values in {str(first)[:7]}{more}, but in others; the file is "
            "damaged or holds fill values: get it again"
        )


def clean(values: np.ndarray, to: Conversion, dtype: str = "float32") -> np.ndarray:
    """
    Return values in the wanted unit, with NaN for fill values.

    Parameters
    ----------
    values : ndarray
        As they were stored; changed in place.
    to : Conversion
        The wanted unit.
    dtype : str
        Type of the result.

    Returns
    -------
    ndarray
        NaN where there was a fill value.

    Examples
    --------
    >>> clean(np.array([1e36, -9999.0, 2.0]), Conversion(10.0))
    array([nan, nan, 20.], dtype=float32)
    """
    bad = ~(np.abs(values) < LARGEST_VALUE)
    for fill in FILL_VALUES:
        bad |= values == fill
    values[bad] = np.nan
    if to.factor != 1:
        values *= to.factor
    if to.offset:
        values += to.offset
    return values.astype(dtype, copy=False)


def field(
    piece: Piece,
    name: str,
    units: str,
    *,
    scale: float = 1.0,
    absent: str | None = None,
    months: Months | None = None,
) -> xr.DataArray:
    """
    Return a variable of a file: lazy, in standard order, north of 45° N, without coordinates.

    Parameters
    ----------
    piece : Piece
        The file.
    name : str
        Variable in it.
    units : str
        The wanted unit.
    scale : float
        What values in that unit are multiplied by.
    absent : str, optional
        What a missing unit means; by default it is an error.
    months : Months, optional
        Its months. If given, reading raises an error where some months have values and others
        have none.

    Returns
    -------
    DataArray ([time], [depth], lat, lon) or (time)
        float32, dask-backed; a vertical dimension is called ``depth``.

    Raises
    ------
    DataError
        If its unit or dimensions are not recognised.
    """
    import dask.array

    where = piece.where(name)
    variable = piece.raw.variables[name]
    if variable.dtype.kind not in "fiu":
        raise DataError(f"{where} holds no numbers")
    to = conversion(variable.attrs.get("units"), units, where, absent=absent)
    to = Conversion(to.factor * scale, to.offset * scale)
    renamed = {}
    if set(variable.dims) & {*LATITUDE, *LONGITUDE}:
        grid = piece.grid
        if not set(grid.dims) <= set(variable.dims):
            raise DataError(f"{where} has the dimensions {variable.dims}, not a whole map")
        variable = variable.isel({grid.dims[0]: grid.rows[grid.north], grid.dims[1]: grid.columns})
        renamed = dict(zip(grid.dims, ("lat", "lon"), strict=True))
    variable = variable.isel(
        {d: 0 for d, n in variable.sizes.items() if n == 1 and d not in ("time", *renamed)}
    )
    rest = [d for d in variable.dims if d not in ("time", *renamed)]
    if rest and not renamed:
        raise off_grid(variable.dims, where)
    if len(rest) > 1:
        raise DataError(f"{where} has the dimensions {variable.dims}, one too many")
    if rest and rest[0] not in piece.raw.variables:
        raise DataError(f"{where} has the dimension '{rest[0]}', which has no depths")
    if rest:
        renamed[rest[0]] = "depth"
    stored = dask.array.from_array(
        _Stored(variable, to, where, months),
        chunks=_chunks(variable),
        name=_graph_name(piece.path, f"{piece.member}-{name}", to, months),  # a store may hold many
        asarray=False,
        # without it dask reads from each file, of which xarray keeps only some open
        meta=np.empty((0,) * variable.ndim, "float32"),
    )
    dims = [renamed.get(d, d) for d in variable.dims]
    order = ("time", "depth", "lat", "lon")
    return xr.DataArray(stored, dims=dims).transpose(*order, missing_dims="ignore")


def _chunks(variable: xr.Variable) -> dict[int, int]:
    month = 4 * max(int(np.prod([n for d, n in variable.sizes.items() if d != "time"])), 1)
    years = max(CHUNK_BYTES // (12 * month), 1)
    return {i: 12 * years if d == "time" else -1 for i, d in enumerate(variable.dims)}


def series(
    pieces: Iterable[Piece],
    name: str,
    units: str,
    *,
    scale: float = 1.0,
    absent: str | None = None,
    notes: list[str] | None = None,
    repeats: bool = False,
) -> tuple[xr.DataArray, Months]:
    """
    Return a variable of a member, its files concatenated in time.

    Parameters
    ----------
    pieces : iterable of Piece
        Files that hold it. Experiments follow each other in the order in which they first occur,
        and each ends where the next begins; files of one experiment may be in any order.
    name : str
        Variable in the files.
    units : str
        The wanted unit.
    scale : float
        What values in that unit are multiplied by.
    absent : str, optional
        What a missing unit means; by default it is an error.
    notes : list of str, optional
        Gets a line for what had to be assumed.
    repeats : bool
        Whether files may hold the same months if they hold the same values, as after a restart;
        a note says so.

    Returns
    -------
    values : DataArray (time, ...)
        Lazy, without coordinates.
    months : Months
        Their months.

    Raises
    ------
    DataError
        If months are missing between files or occur in two files of one experiment, or a file does
        not hold means over its months.
    """
    pieces = list(pieces)
    order = list(dict.fromkeys(piece.experiment for piece in pieces))
    pieces.sort(key=lambda piece: (order.index(piece.experiment), piece.months.first))
    parts: list[xr.DataArray] = []
    months: Months | None = None
    before = None
    for piece in pieces:
        own = piece.months
        if notes is not None and own.note:
            notes.append(own.note)
        methods = piece.raw.variables[name].attrs.get("cell_methods")
        check_is_mean(methods, piece.where(name), name)
        part = field(piece, name, units, scale=scale, absent=absent, months=own)
        if "time" not in part.dims:
            raise DataError(f"{piece.where(name)} has no dimension 'time'")
        if before is not None:
            if "lat" in part.dims and not piece.grid.is_like(before.grid):
                raise DataError(f"{piece.where(name)} is on a different grid from {before.path}")
            if {*part.dims} != {*parts[0].dims} or part.sizes.get("depth") != parts[0].sizes.get(
                "depth"
            ):
                raise DataError(f"{piece.where(name)} has different layers from {before.path}")
            keep = own.first - months.first
            is_repeated = (
                repeats
                and own.kind == months.kind
                and own.first < months.stop
                and _same_values(xr.concat(parts, "time").isel(time=slice(keep, None)), part)
            )
            if is_repeated and notes is not None:
                notes.append(
                    f"{before.where(name)} and {piece.path} hold some months twice, with the same "
                    "values"
                )
            elif not is_repeated:
                _check_next(before, piece, months, name)
            if own.stop <= months.stop and is_repeated:
                continue
            if own.first < months.stop:
                joined = xr.concat(parts, "time").isel(time=slice(0, keep))
                parts, months = [joined], Months(months.first, keep, months.calendar)
            months = Months(months.first, months.count + own.count, months.calendar)
        else:
            months = own
        parts.append(part)
        before = piece
    return xr.concat(parts, "time") if len(parts) > 1 else parts[0], months


def _same_values(stored: xr.DataArray, part: xr.DataArray) -> bool:
    """Check whether two files hold the same values in the months that both have."""
    count = min(stored.sizes["time"], part.sizes["time"])
    first, second = (load(values.isel(time=slice(0, count))) for values in (stored, part))
    return np.array_equal(first.values, second.transpose(*first.dims).values, equal_nan=True)


def _check_next(before: Piece, piece: Piece, months: Months, name: str) -> None:
    own = piece.months
    if own.kind != months.kind:
        raise DataError(
            f"{piece.where(name)} has the calendar '{own.calendar}', but {before.path} has "
            f"'{months.calendar}'"
        )
    if own.first > months.stop:
        raise DataError(
            f"{name} of member {piece.member} has no months between {months} ({before.path}) and "
            f"{own} ({piece.path}); a file is missing"
        )
    follows = piece.experiment != before.experiment and months.first < own.first
    if own.first < months.stop and not follows:
        raise DataError(
            f"{name} of member {piece.member} occurs twice: {before.path} reaches to "
            f"{str(months)[-7:]} and {piece.path} holds {own}; remove one of the two"
            + (" from the catalogue" if piece.experiment else "")
        )


def layer_edges(piece: Piece, name: str) -> tuple[np.ndarray, np.ndarray | None]:
    """
    Return the vertical axis of a variable.

    Parameters
    ----------
    piece : Piece
        The file.
    name : str
        Variable in it.

    Returns
    -------
    nodes : ndarray (depth,)
        Depths, m, positive down.
    edges : ndarray (depth + 1,) or None
        Edges of the layers by the file's own bounds; None if it has none.

    Raises
    ------
    DataError
        If the axis has no depths, does not increase downwards, or its bounds leave gaps.
    """
    where = piece.where(name)
    known = {"time", *LATITUDE, *LONGITUDE}
    variable = piece.raw.variables[name]
    levels = [d for d in variable.dims if d not in known and variable.sizes[d] > 1]
    if len(levels) != 1 or levels[0] not in piece.raw.variables:
        raise DataError(f"{where} needs exactly one vertical dimension with depths")
    axis = piece.raw.variables[levels[0]]
    factor = conversion(axis.attrs.get("units"), "m", f"{levels[0]} of {where}").factor
    nodes = np.asarray(axis.values, dtype=float) * factor
    if not (np.isfinite(nodes).all() and (np.diff(nodes) > 0).all() and nodes[0] >= 0):
        raise DataError(
            f"{where}: the depths of {levels[0]} do not increase downwards from the surface"
        )
    bounds = next(
        (
            piece.raw.variables[b]
            for b in (axis.attrs.get("bounds"), f"{levels[0]}_bnds", f"{levels[0]}_bounds")
            if isinstance(b, str) and b in piece.raw.variables
        ),
        None,
    )
    if bounds is None:
        return nodes, None
    pairs = np.asarray(bounds.values, dtype=float) * factor
    if (
        pairs.shape != (nodes.size, 2)
        or not np.allclose(pairs[1:, 0], pairs[:-1, 1], rtol=1e-4, atol=1e-4)
        or not ((pairs[:, 0] <= nodes) & (nodes <= pairs[:, 1])).all()
    ):
        raise DataError(
            f"{where}: the bounds of {levels[0]} leave gaps or do not contain its depths"
        )
    return nodes, np.concatenate([pairs[:1, 0], pairs[:, 1]])


def check_layers(found: np.ndarray, nodes: np.ndarray, where: str) -> None:
    """
    Check that a variable's layers are the first ones of the soil temperature.

    Parameters
    ----------
    found : ndarray (depth,)
        Nodes of the variable, m.
    nodes : ndarray (depth,)
        Nodes of the soil temperature, m.
    where : str
        The variable, for the message.

    Raises
    ------
    DataError
        If they are not.
    """
    known = nodes[: found.size]
    if found.shape != known.shape or not np.allclose(found, known, rtol=2e-3, atol=1e-4):
        raise DataError(
            f"{where} has layers at {_depths(found)} m, but soil temperature at {_depths(nodes)} m;"
            " its layers must be the first of those"
        )


def _depths(nodes: np.ndarray) -> str:
    return ", ".join(f"{z:.3g}" for z in nodes)


def own_attributes(pieces: Iterable[Piece]) -> dict[str, str]:
    """
    Return the attributes of the files that the dataset keeps.

    Parameters
    ----------
    pieces : iterable of Piece
        All files.

    Returns
    -------
    dict of str to str
        Title, source and institution of the first; ``mpcf_synthetic`` if any file has it.
    """
    raws = [piece.raw.attrs for piece in pieces]
    kept = ("title", "source", "institution")
    attrs = {name: str(raws[0][name]) for name in kept if name in raws[0]}
    if any(str(raw.get("mpcf_synthetic")).lower() == "true" for raw in raws):
        attrs["mpcf_synthetic"] = "true"
    return attrs
