"""Open Zarr stores of either format, with missing values where the store has none."""

from __future__ import annotations

import warnings

import numpy as np
import xarray as xr

from mpcf.data.readers.fields import FILL_VALUES, LARGEST_VALUE
from mpcf.data.readers.fills import decode
from mpcf.errors import DataError, Unreachable


def open_store(path: str, member: str, name: str) -> xr.Dataset:
    """
    Return a Zarr store of format 2 or 3, with or without consolidated metadata: lazy.

    What Zarr calls the fill value of an array stands in for chunks that are not there. xarray takes
    that of format 2 as missing data too, where it is 0 by default, so that true zeros would be
    lost. A floating-point array with the fill value 0 is therefore read as it is, if all its chunks
    are there.

    Parameters
    ----------
    path : str
        Path or address of the store.
    member : str
        Member that it belongs to.
    name : str
        The variable that is needed from it.

    Returns
    -------
    Dataset
        The open store, times not decoded.

    Raises
    ------
    DataError
        If it is damaged, or chunks are missing in place of which numbers would be read.
    Unreachable
        If its address gives no answer.
    """
    options = {"token": "anon"} if path.startswith("gs://") else {}
    options = {"anon": True} if path.startswith("s3://") else options
    where = f"member {member} ({path})"
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="Failed to open Zarr store with consolidated")
            store = xr.backends.ZarrStore.open_group(
                path, mode="r", consolidated=None, storage_options=options or None
            )
        raw = xr.open_dataset(
            store,
            chunks=None,
            cache=False,
            decode_times=False,
            decode_coords=False,
            mask_and_scale=False,
        )
    except Exception as error:
        text = f"the store {path} (member {member}) can't be opened: {error}"
        raise (Unreachable(text) if "://" in path else DataError(text)) from error
    if name not in raw.variables:
        hint = "; over a network it needs consolidated metadata" if "://" in path else ""
        raise DataError(f"the store {path} (member {member}) has no variable {name}{hint}")
    for own, variable in raw.variables.items():
        array = store.members[own]
        is_default = array.metadata.zarr_format == 2 and array.fill_value == 0
        if is_default and "scale_factor" not in variable.attrs:
            variable.attrs.pop("_FillValue", None)
            if (declared := array.attrs.get("_FillValue")) is not None and _is_number(declared):
                variable.attrs["_FillValue"] = declared
    _check_chunks(store.members[name], raw.variables[name].attrs, name, where)
    return decode(raw, name, where)


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _check_chunks(array, attrs: dict, name: str, where: str) -> None:
    """Raise if chunks that are not there would be read as numbers."""
    fill = array.fill_value
    marks = [*FILL_VALUES, *np.ravel(attrs.get("_FillValue", [])).tolist()]
    marks += np.ravel(attrs.get("missing_value", [])).tolist()
    if fill is None or array.shards is not None:
        return
    if not abs(fill) < LARGEST_VALUE or any(np.dtype(array.dtype).type(m) == fill for m in marks):
        return
    try:
        known, total = array.nchunks_initialized, array.nchunks
    except Exception:  # a server without listings
        known, total = 0, array.nchunks
    if known < total:
        raise DataError(
            f"{name} of {where} lacks {total - known} of the {total} chunks of its Zarr array, in "
            f"place of which the array's fill_value {fill} would be read as data; upload the store "
            "again, or, if these chunks hold nothing but that value, write it with the "
            "_FillValue nan"
        )
