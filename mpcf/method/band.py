"""The decadal band: variability slower than weather and faster than the forced change."""

from __future__ import annotations

import numpy as np
import xarray as xr

from mpcf.ground.years import refuse_gaps

HALF_FAST, HALF_SLOW = 5, 20
"""Years on each side of the two running means, 11 and 41 years, whose difference is the band."""


def band_filter(years: int) -> np.ndarray:
    """Return the weights of the band, a running mean over 11 years less one over 41.

    Near the ends both windows shrink to what lies on both sides of the year, so that a straight
    line is always removed exactly; the first and the last years are zero.

    Parameters
    ----------
    years : int
        Number of years.

    Returns
    -------
    ndarray (year, year)
        Weights of the years, the last dimension, in each filtered year.

    Examples
    --------
    >>> bool(abs(band_filter(60) @ np.arange(60.0)).max() < 1e-12)
    True
    """
    year = np.arange(years)
    room = np.minimum(year, years - 1 - year)[:, None]
    apart = np.abs(year[:, None] - year)
    fast, slow = (apart <= np.minimum(half, room) for half in (HALF_FAST, HALF_SLOW))
    return fast / fast.sum(axis=1, keepdims=True) - slow / slow.sum(axis=1, keepdims=True)


def band_pass(values: xr.DataArray) -> xr.DataArray:
    """Return the decadal band of each series, see `band_filter`.

    Parameters
    ----------
    values : DataArray (year, ...)
        Any unit.

    Returns
    -------
    DataArray (year, ...)
        Same unit; NaN throughout a series with a gap.

    Raises
    ------
    DataError
        If years are not consecutive.
    """
    refuse_gaps("the decadal band", values, instead="select consecutive years or another estimator")
    weights = xr.DataArray(band_filter(values.sizes["year"]), dims=("filtered", "year"))
    kept = xr.dot(values.drop_vars("year", errors="ignore"), weights, dim="year")
    kept = kept.rename(filtered="year").transpose(*values.dims)
    return kept.assign_coords(year=values["year"]) if "year" in values.coords else kept
