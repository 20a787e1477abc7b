"""How an ensemble is cut: blocks that fit into memory, and bands of cells that are joined."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

import xarray as xr

from mpcf.yearly.reduction import LAYERED, SURFACE, result_shapes

BLOCK_MEMORY = 512 * 2**20
"""Memory, bytes, that a block may take while it is worked on."""

CHUNK = 16 * 2**20
"""Largest size, bytes, of a chunk of the yearly store, before compression."""

READ_AT_ONCE = 16 * 2**20
"""Size, bytes, from which one variable's months are read at a time, where chunks are smaller."""


@dataclass(frozen=True)
class Plan:
    """How an ensemble is cut.

    Attributes
    ----------
    members : int
        Number of members.
    years, rows : tuple of (int, int)
        First and last (exclusive) year and row of latitude of the blocks.
    years_at_once : int
        Years of a layered variable that are read at a time.
    bands : tuple of (int, int, int, int)
        First and last (exclusive) row and column of the yearly store's chunks.
    """

    members: int
    years: tuple[tuple[int, int], ...]
    rows: tuple[tuple[int, int], ...]
    years_at_once: int
    bands: tuple[tuple[int, int, int, int], ...]

    def blocks(self, member: int) -> list[tuple]:
        """Return the blocks of a member: ``("block", member, years, rows)``."""
        return [("block", member, y, r) for y in self.years for r in self.rows]

    def joins(self, member: int) -> list[tuple]:
        """Return the bands of a member: ``("band", member, rows and columns)``."""
        return [("band", member, band) for band in self.bands]


def plan(monthly: xr.Dataset, memory: int = BLOCK_MEMORY) -> Plan:
    """Cut an ensemble into blocks that fit into memory and follow the source's chunks.

    Parameters
    ----------
    monthly : Dataset (member, time, depth, lat, lon)
        The standard monthly dataset.
    memory : int
        Bytes that a block may take.

    Returns
    -------
    Plan
        The blocks. A source chunk that is larger than `memory` allows is read once for each block
        that needs a piece of it, and the memory is then that of the chunk.
    """
    years, lat, lon = monthly.sizes["time"] // 12, monthly.sizes["lat"], monthly.sizes["lon"]
    layers = monthly.sizes["depth"]
    # bytes a cell and year: results, a flat variable and its copies;
    # three layered variables and what is made from them
    planes = sum(prod(shape.values()) for shape in result_shapes(monthly).values())
    kept = 4 * (planes + 36)
    read = 4 * 12 * layers * 3.5

    def fitting(rows: int) -> int:
        by_read = memory // 4 // (read * rows * lon)
        return int(memory // 2 // (kept * rows * lon)) if by_read >= 1 else 0

    in_time = sorted({-(-_chunk(monthly[v], "time") // 12) for v in _used(monthly)})
    layered = max(-(-_chunk(monthly[v], "time") // 12) for v in LAYERED)
    lat_chunk = max(_chunk(monthly[v], "lat") for v in LAYERED)
    rows = lat
    while rows > lat_chunk and fitting(rows) < min(years, layered):
        rows = lat_chunk * -(-rows // (2 * lat_chunk))
    while rows > 1 and fitting(rows) < 1:
        rows = -(-rows // 2)
    together = min(years, max(1, fitting(rows)))
    if together < years:
        step = max((n for n in in_time if n <= together), default=1)
        together -= together % step

    size = 4 * 12 * layers * rows * lon  # bytes of a year of a layered variable
    at_once = layered * max(1, READ_AT_ONCE // (layered * size))
    at_once = max(1, min(at_once, together, int(memory // 4 // (read * rows * lon))))

    cells = max(1, CHUNK // (4 * years * layers))
    high, wide = (min(lat, cells // lon), lon) if cells >= lon else (1, cells)
    bands = tuple((*r, *c) for r in _steps(lat, high) for c in _steps(lon, wide))
    return Plan(monthly.sizes["member"], _steps(years, together), _steps(lat, rows), at_once, bands)


def step_name(step: tuple) -> str:
    """Name a step by what it takes.

    Parameters
    ----------
    step : tuple
        A block or a band.

    Returns
    -------
    str
        Name of its file.

    Examples
    --------
    >>> step_name(("block", 3, (0, 43), (0, 10)))
    'block-3-0-43-0-10'
    """
    kind, member, *ranges = step
    return "-".join([kind, str(member), *(str(edge) for pair in ranges for edge in pair)])


def _used(monthly: xr.Dataset) -> list[str]:
    """Return the names of the variables that blocks read."""
    return [*LAYERED, *(name for name in SURFACE if name in monthly or name != "cSoil")]


def _chunk(values: xr.DataArray, dim: str) -> int:
    """Return the length of the source's chunks; 1 where it has none that must be read whole."""
    return max(values.chunksizes[dim]) if values.chunks is not None else 1


def _steps(size: int, step: int) -> tuple[tuple[int, int], ...]:
    return tuple((first, min(first + step, size)) for first in range(0, size, step))
