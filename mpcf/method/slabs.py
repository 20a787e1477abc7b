"""Gather cells in slabs: buffers in which the rows of one cell are contiguous.

A cell then stays in the cache from its effects to its errors, and each goes through the same
compiled code whatever its neighbours, the chunks or the number of threads, so results are
bit-identical.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numba
import numpy as np

from mpcf.method.vectors import EXACT

CELLS_PER_SLAB = 64
"""Cells gathered at a time: rows of 512 bytes, and a slab that fits the second-level cache."""

ROWS_PER_BLOCK = 32
"""Rows transposed at a time; a constant, since the compiler unrolls only loops of known length."""


@numba.njit(**EXACT)
def _gather_rows(source, start, slab, column):
    """Copy cells that are contiguous (column, row, cell), `ROWS_PER_BLOCK` rows at a time."""
    columns, rows, cells = source.shape
    width = min(CELLS_PER_SLAB, cells - start)
    stage = np.empty((ROWS_PER_BLOCK, width))
    for j in range(columns):
        for first in range(0, rows - ROWS_PER_BLOCK + 1, ROWS_PER_BLOCK):
            for r in range(ROWS_PER_BLOCK):
                row = source[j, first + r, start : start + width]  # a slice's index has no sign
                for c in range(width):
                    stage[r, c] = row[c]
            for c in range(width):
                to = slab[c, column + j, first : first + ROWS_PER_BLOCK]
                for r in range(ROWS_PER_BLOCK):
                    to[r] = stage[r, c]
        for r in range(rows - rows % ROWS_PER_BLOCK, rows):
            slab[:width, column + j, r] = source[j, r, start : start + width]


@numba.njit(**EXACT)
def _gather_cells(source, start, slab, column):
    """Copy cells whose rows are contiguous (column, row, cell)."""
    columns, rows, cells = source.shape
    for c in range(min(CELLS_PER_SLAB, cells - start)):
        for j in range(columns):
            to = slab[c, column + j]
            for r in range(rows):
                to[r] = source[j, r, start + c]


def gather(source: np.ndarray, start: int, slab: np.ndarray, column: int) -> None:
    """Copy cells into a slab, by the kernel that suits the order in memory.

    Parameters
    ----------
    source : ndarray (column, row, cell)
        Where the cells are.
    start : int
        First cell.
    slab : ndarray (cell, column, row)
        Filled in place.
    column : int
        First column of the slab that is filled.
    """
    _, by_row, by_cell = np.abs(source.strides)
    kernel = _gather_cells if by_row < by_cell else _gather_rows
    kernel(source, start, slab, column)


def over_slabs(
    work: Callable[[np.ndarray, int, int], None],
    sources: tuple[np.ndarray, ...],
    threads: int,
) -> None:
    """Gather cells slab by slab and hand each slab to `work`.

    Parameters
    ----------
    work : callable
        Takes the slab (cell, column, row), its first cell and its number of cells.
    sources : tuple of ndarray (column, row, cell)
        Stacked one after the other along the columns of the slab, as float64.
    threads : int
        Number of slabs that are processed at the same time.
    """
    columns = sum(source.shape[0] for source in sources)
    _, rows, cells = sources[0].shape
    starts = range(0, cells, CELLS_PER_SLAB)

    def lane(first: int) -> None:
        slab = np.empty((min(CELLS_PER_SLAB, cells), columns, rows))
        for start in starts[first::threads]:
            column = 0
            for source in sources:
                gather(source, start, slab, column)
                column += source.shape[0]
            work(slab, start, min(CELLS_PER_SLAB, cells - start))

    threads = max(1, min(threads, len(starts)))
    if threads == 1:
        lane(0)
        return
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(lane, range(threads)))
