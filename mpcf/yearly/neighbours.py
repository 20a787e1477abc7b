"""What a year needs of the years beside it: permafrost, active layer, taliks, zero curtain."""

from __future__ import annotations

import threading

import numpy as np
import xarray as xr

from mpcf.data.variables import YEARLY
from mpcf.ground.thaw import permafrost, permafrost_at
from mpcf.ground.thaw_kernels import curtain_length

CURTAIN_BOUNDS = (0.5, -0.5)
"""°C between which the zero curtain is measured."""


CURTAIN_MONTHS = np.array([1, 2, 3, 4, 5, 8, 9, 10, 11, 12])
"""Months in which the zero curtain is looked for, in the order of the calendar."""

NEEDS_NEIGHBOUR_YEARS = ("tsl_max", "crossing", "open_layer", "curtain_node")
"""Results of `reduce_months` from which `join_years` makes others."""


_DIM_ORDER = ("member", "year", "season", "top", "depth", "curtain", "lat", "lon", "bnds")

# the curtain's kernel is parallel, and not every numba threading layer supports concurrent
# parallel regions
_PARALLEL_KERNEL = threading.Lock()


def join_years(reduced: xr.Dataset) -> xr.Dataset:
    """Add what needs the years beside a year: permafrost, active layer, taliks, zero curtain.

    Parameters
    ----------
    reduced : Dataset (member, year, ...)
        What `reduce_months` gives, for all years of the record.

    Returns
    -------
    Dataset (member, year, ...)
        What of the yearly dataset can be made from them: without the members' series and the
        grid, and without those results of `reduce_months`, `NEEDS_NEIGHBOUR_YEARS` apart, that
        are not there.
    """
    out = reduced.drop_vars(["crossing", "open_layer", "curtain_node"])
    out["permafrost"] = permafrost(out["tsl_max"])
    out["permafrost_at"] = permafrost_at(out["tsl_max"])
    has_permafrost = out["permafrost"] == 1
    crossing = reduced["crossing"]
    out["alt"] = crossing.where(has_permafrost & np.isfinite(crossing))
    talik = ((reduced["open_layer"] == 1) & has_permafrost).astype("float32")
    out["talik"] = talik.where(out["permafrost"].notnull())
    out["zero_curtain"] = zero_curtain(reduced["curtain_node"]).astype("float32")
    for name in ("permafrost", "permafrost_at", "alt", "talik", "zero_curtain"):
        out[name].attrs = YEARLY[name].attrs
    return out.drop_dims("curtain", errors="ignore").transpose(*_DIM_ORDER, missing_dims="ignore")


def zero_curtain(node: xr.DataArray) -> xr.DataArray:
    """Days from +0.5 to −0.5 °C in the autumn and winter that begin in a year's September."""
    months = node.transpose("year", ..., "curtain")
    autumn = np.full(months.shape, np.nan, months.dtype)
    autumn[..., :5] = months.values[..., 5:]
    autumn[:-1, ..., 5:] = months.values[1:, ..., :5]
    # middles of the months from August on, days after 1 August in a 365-day year
    day = np.array([15.5, 46.0, 76.5, 107.0, 137.5, 168.5, 198.0, 227.5, 258.0, 288.5])
    upper, lower = CURTAIN_BOUNDS
    with _PARALLEL_KERNEL:
        length = curtain_length(autumn.reshape(-1, day.size), day, 31.0, upper, lower)
    curtain = months.isel(curtain=0, drop=True).copy(data=length.reshape(autumn.shape[:-1]))
    # the last autumn has no spring after it: only short curtains would be seen
    return curtain.where(curtain["year"] < curtain["year"][-1])
