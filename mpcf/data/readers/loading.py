"""Load lazy values so that the error raised does not depend on the order of threads."""

from __future__ import annotations

from contextvars import ContextVar

import xarray as xr

from mpcf.errors import DataError

_collected: ContextVar[list[DataError] | None] = ContextVar("collected", default=None)


def load(values: xr.DataArray, *, scheduler: str | None = None) -> xr.DataArray:
    """
    Return an array in memory; if several of its parts cannot be read, report the first.

    Parts are read in parallel, so Dask raises the error of whichever thread was fastest. After an
    error the blocks are therefore read again, one at a time and in order, up to the first that
    fails. If several files fail in that block, the error whose message sorts first is raised:
    messages begin with the variable, the member and the file.

    Parameters
    ----------
    values : DataArray
        Lazy or in memory. Blocks are ordered along its first dimension, then the second, and so on.
    scheduler : str, optional
        Dask's scheduler; by default threads.

    Returns
    -------
    DataArray
        The same array in memory.

    Raises
    ------
    Exception
        What the first block that can't be read raises, such as a `DataError`.

    Examples
    --------
    >>> load(xr.DataArray([1.0, 2.0], dims="time").chunk(time=1)).values
    array([1., 2.])
    """
    if values.chunks is None:
        return values.load()
    blocks = values.data.to_delayed()
    # a single block is computed directly: dask would copy an array
    whole = blocks.item() if blocks.size == 1 else values.data
    try:
        return values.copy(data=whole.compute(scheduler=scheduler))
    except Exception:
        for block in blocks.flat:
            _raise_first(block)
        raise


def _raise_first(block) -> None:
    """Read a block in this thread; raise the first error of its files, if there is one."""
    errors: list[DataError] = []
    token = _collected.set(errors)
    try:
        block.compute(scheduler="synchronous")
    finally:
        _collected.reset(token)
    if errors:
        raise min(errors, key=str)


def is_collected(error: DataError) -> bool:
    """
    Return whether `load` collects the errors of a block; if so, keep this one.

    Parameters
    ----------
    error : DataError
        Why a part of a file can't be read.

    Returns
    -------
    bool
        True if the reader must continue with missing values, False if it must raise the error.

    Examples
    --------
    >>> is_collected(DataError("GPP of member 001 (a.nc) can't be read"))
    False
    """
    errors = _collected.get()
    if errors is None:
        return False
    errors.append(error)
    return True
