"""Yearly variables that depend on adjacent years: permafrost, active layer, talik, zero curtain."""

from __future__ import annotations

import threading

import numpy as np
import xarray as xr

from mpcf.data.variables import YEARLY
from mpcf.ground.thaw import permafrost, permafrost_at, talik
from mpcf.ground.thaw_kernels import curtain_length
from mpcf.ground.years import refuse_gaps

CURTAIN_UPPER, CURTAIN_LOWER = 0.5, -0.5
"""°C: the zero curtain opens at or below the first and closes at or below the second."""

CURTAIN_START = 31.0
"""Day from which the zero curtain is looked for, 1 September, counted from 1 August."""

MONTH_MIDDLES = np.array([15.5, 46.0, 76.5, 107.0, 137.5, 168.5, 198.0, 227.5, 258.0, 288.5])
"""Middles of the months from August to May, days from 1 August in a year of 365 days."""

CURTAIN_MONTHS = np.array([1, 2, 3, 4, 5, 8, 9, 10, 11, 12])
"""Months in which the zero curtain is looked for, in calendar order."""

NEEDS_NEIGHBOUR_YEARS = ("tsl_max", "tsl_min", "active_depth", "curtain_node")
"""Results of `mpcf.yearly.reduction.reduce_months` from which `join_years` derives others."""

_DIM_ORDER = ("member", "year", "season", "top", "depth", "curtain", "lat", "lon", "bnds")

# the curtain's kernel is parallel, and not every numba threading layer supports concurrent
# parallel regions
_PARALLEL_KERNEL = threading.Lock()


def join_years(reduced: xr.Dataset) -> xr.Dataset:
    """Return yearly variables, with those that depend on adjacent years added.

    Parameters
    ----------
    reduced : Dataset (member, year, ...)
        Results of `mpcf.yearly.reduction.reduce_months` for all years of the record.

    Returns
    -------
    Dataset (member, year, ...)
        `reduced` with ``permafrost, permafrost_at, talik`` (1, 0 or NaN), ``alt`` (m) and
        ``zero_curtain`` (days) in place of ``active_depth`` and ``curtain_node``, where there are
        results of the soil temperature. Other results may be missing.

    Raises
    ------
    DataError
        If years are not consecutive.
    """
    if "tsl_max" not in reduced:
        return reduced.transpose(*_DIM_ORDER, missing_dims="ignore")
    out = reduced.drop_vars(["active_depth", "curtain_node"])
    out["permafrost"] = permafrost(out["tsl_max"])
    out["permafrost_at"] = permafrost_at(out["tsl_max"])
    has_permafrost = out["permafrost"] == 1
    active = reduced["active_depth"]
    out["alt"] = active.where(has_permafrost & np.isfinite(active))
    out["talik"] = talik(out["tsl_min"], out["tsl_max"])
    out["zero_curtain"] = zero_curtain(reduced["curtain_node"]).astype("float32")
    for name in ("permafrost", "permafrost_at", "alt", "talik", "zero_curtain"):
        out[name].attrs = YEARLY[name].attrs
    return out.drop_dims("curtain", errors="ignore").transpose(*_DIM_ORDER, missing_dims="ignore")


def zero_curtain(node: xr.DataArray) -> xr.DataArray:
    """Return how long the soil takes from +0.5 to −0.5 °C after 1 September of each year.

    Parameters
    ----------
    node : DataArray (year, ..., curtain)
        Monthly soil temperature near 0.3 m, °C, in the months `CURTAIN_MONTHS`.

    Returns
    -------
    DataArray (year, ...)
        Days, from the autumn and winter that begin in that year; NaN where the soil does not pass
        both bounds by May, and in the last year.

    Raises
    ------
    DataError
        If years are not consecutive.
    """
    refuse_gaps("zero curtains", node)
    months = node.transpose("year", ..., "curtain")
    autumn = np.full(months.shape, np.nan, months.dtype)
    autumn[..., :5] = months.values[..., 5:]
    autumn[:-1, ..., 5:] = months.values[1:, ..., :5]
    with _PARALLEL_KERNEL:
        length = curtain_length(
            autumn.reshape(-1, MONTH_MIDDLES.size),
            MONTH_MIDDLES,
            CURTAIN_START,
            CURTAIN_UPPER,
            CURTAIN_LOWER,
        )
    curtain = months.isel(curtain=0, drop=True).copy(data=length.reshape(autumn.shape[:-1]))
    # the record ends before the spring after the last autumn: only short curtains would be seen
    return curtain.where(curtain["year"] < curtain["year"][-1])
