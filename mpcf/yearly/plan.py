"""Divide an ensemble into blocks that fit into memory and bands of cells to be joined."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

import xarray as xr

from mpcf.yearly.reduction import LAYERED, SURFACE, result_shapes

BLOCK_MEMORY = 512 * 2**20
"""Memory, bytes, that a block may take while it is processed."""

MAX_CHUNK = 16 * 2**20
"""Largest size, bytes, of a chunk of the yearly store, before compression."""

MIN_READ = 16 * 2**20
"""Size, bytes, of one read of a layered variable, where the source's chunks are smaller."""

FLOAT_BYTES = 4
"""Bytes of a float32 value."""

SURFACE_COPIES = 3
"""Arrays of monthly values that exist at once while a variable without layers is reduced."""

LAYERED_COPIES = 3.5
"""The same for layers: the three layered variables and what is derived from them."""

SHARE_FOR_READING = 4
"""One over the share of a block's memory that holds the layered variables as read."""

SHARE_FOR_RESULTS = 2
"""One over the share of a block's memory that holds the results."""


@dataclass(frozen=True)
class Plan:
    """How an ensemble is divided.

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
    """Divide an ensemble into blocks that fit into memory and follow the source's chunks.

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
        that needs part of it, and then takes its full size in memory.
    """
    years, lat, lon = monthly.sizes["time"] // 12, monthly.sizes["lat"], monthly.sizes["lon"]
    layers = monthly.sizes.get("depth", 1)
    # bytes per cell and year
    planes = sum(prod(shape.values()) for shape in result_shapes(monthly).values())
    kept = FLOAT_BYTES * (planes + 12 * SURFACE_COPIES)
    read = FLOAT_BYTES * 12 * layers * LAYERED_COPIES

    def years_read(rows: int) -> int:
        return int(memory // SHARE_FOR_READING // (read * rows * lon))

    def years_kept(rows: int) -> int:
        fitting = int(memory // SHARE_FOR_RESULTS // (kept * rows * lon))
        return fitting if years_read(rows) >= 1 else 0

    chunk_years = {
        name: -(-_chunk_length(monthly[name], "time") // 12) for name in variables_read(monthly)
    }
    largest = [name for name in chunk_years if name in LAYERED] or list(chunk_years)
    layered_years = max((chunk_years[name] for name in largest), default=1)
    chunk_rows = max((_chunk_length(monthly[name], "lat") for name in largest), default=1)
    rows = lat
    while rows > chunk_rows and years_kept(rows) < min(years, layered_years):
        rows = chunk_rows * -(-rows // (2 * chunk_rows))
    while rows > 1 and years_kept(rows) < 1:
        rows = -(-rows // 2)
    block_years = min(years, max(1, years_kept(rows)))
    if block_years < years:
        fitting = [length for length in chunk_years.values() if length <= block_years]
        block_years -= block_years % max(fitting, default=1)

    year_bytes = FLOAT_BYTES * 12 * layers * rows * lon  # of one layered variable
    years_at_once = layered_years * max(1, MIN_READ // (layered_years * year_bytes))
    years_at_once = max(1, min(years_at_once, block_years, years_read(rows)))
    return Plan(
        monthly.sizes["member"],
        _ranges(years, block_years),
        _ranges(lat, rows),
        years_at_once,
        _bands(years * layers, lat, lon),
    )


def _bands(cell_values: int, lat: int, lon: int) -> tuple[tuple[int, int, int, int], ...]:
    """Return rows and columns of chunks of at most `MAX_CHUNK`, whole rows where they fit."""
    cells = max(1, MAX_CHUNK // (FLOAT_BYTES * cell_values))
    height, width = (min(lat, cells // lon), lon) if cells >= lon else (1, cells)
    return tuple((*r, *c) for r in _ranges(lat, height) for c in _ranges(lon, width))


def step_name(step: tuple) -> str:
    """Return the name of a step, unique within a job.

    Parameters
    ----------
    step : tuple
        A block or a band: kind, member and ranges.

    Returns
    -------
    str
        Name of its files.

    Examples
    --------
    >>> step_name(("block", 3, (0, 43), (0, 10)))
    'block-3-0-43-0-10'
    """
    kind, member, *ranges = step
    return "-".join([kind, str(member), *(str(edge) for pair in ranges for edge in pair)])


def variables_read(monthly: xr.Dataset) -> list[str]:
    """Return the names of the variables that a block reads."""
    return [name for name in (*LAYERED, *SURFACE) if name in monthly]


def _chunk_length(values: xr.DataArray, dim: str) -> int:
    """Return the length of the source's chunks; 1 if it is not chunked."""
    return max(values.chunksizes[dim]) if values.chunks is not None else 1


def _ranges(size: int, step: int) -> tuple[tuple[int, int], ...]:
    return tuple((first, min(first + step, size)) for first in range(0, size, step))
