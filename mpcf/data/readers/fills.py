"""Turn declared fill values into missing ones, whatever type they were declared in."""

from __future__ import annotations

import warnings

import numpy as np
import xarray as xr

from mpcf.errors import DataError


def decode(raw: xr.Dataset, name: str | None, where: str) -> xr.Dataset:
    """
    Return a file with its fill values missing and its packed numbers unpacked.

    A fill value marks the numbers that equal it in the type in which they are stored. Servers and
    some files declare it in another: -999.9 as a double differs from the same number as a float.

    Parameters
    ----------
    raw : Dataset
        The file as it is stored (``mask_and_scale=False``).
    name : str or None
        The variable that is needed from it, if that is known.
    where : str
        Member and file, for the message.

    Returns
    -------
    Dataset
        The same file, lazy; times are not decoded.

    Raises
    ------
    DataError
        If the needed variable is packed and its type can't hold its ``_FillValue``, so that nothing
        stored could be missing.

    Examples
    --------
    >>> stored = xr.Variable("x", np.float32([1.0, -999.9]), {"missing_value": -999.9})
    >>> decode(xr.Dataset({"gpp": stored}), "gpp", "a file")["gpp"].values
    array([ 1., nan], dtype=float32)
    """
    variables = {}
    for own, variable in raw.variables.items():
        attrs = dict(variable.attrs)
        for key in ("_FillValue", "missing_value"):
            if key not in attrs or variable.dtype.kind not in "fiu" or "_Unsigned" in attrs:
                continue
            fills = np.atleast_1d(attrs[key])
            held = [f for f in fills if fills.dtype.kind in "fiu" and _holds(variable.dtype, f)]
            if not held and key == "_FillValue" and own == name:
                raise DataError(
                    f"{name} of {where} is stored as {variable.dtype} and has the _FillValue "
                    f"{attrs[key]}, which that type can't hold, so nothing in it could be missing; "
                    "write it again with a _FillValue of its own type"
                )
            # xarray masks with one _FillValue, but with any number of missing values
            attrs[key] = np.array(held, variable.dtype)
            attrs[key] = attrs[key].item() if key == "_FillValue" and held else attrs[key]
            if not held:
                del attrs[key]
        variables[own] = variable.copy(deep=False)
        variables[own].attrs = attrs
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*has multiple fill values")
        decoded = xr.decode_cf(raw.assign(variables), decode_times=False, decode_coords=False)
    decoded.set_close(raw.close)
    return decoded


def _holds(dtype: np.dtype, fill: float) -> bool:
    if dtype.kind == "f":
        return True
    limits = np.iinfo(dtype)
    return bool(np.isfinite(fill) and limits.min <= fill <= limits.max and int(fill) == fill)
