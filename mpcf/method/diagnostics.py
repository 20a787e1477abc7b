"""Common signal of an ensemble, and the simulated case in ``evidence`` that is closest to it."""

from __future__ import annotations

import numpy as np
import pandas as pd
import xarray as xr

from mpcf.method.regression import coefficients, transform


def common_signal(y: xr.DataArray, x: xr.DataArray) -> xr.DataArray:
    r"""Return the size of the signal that the raw trend's residuals share in each year.

    With e the residuals of M members, their variance within years :math:`s^2` and that of their
    mean :math:`v`,

    .. math:: c = \sqrt{\max(v - s^2 / M, \, 0) / s^2} .

    Parameters
    ----------
    y : DataArray (member, year, ...)
        Response.
    x : DataArray (predictor, member, year, ...)
        Predictors.

    Returns
    -------
    DataArray (...)
        Standard deviation of the common signal, in standard deviations of the members' own; NaN
        for one member.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> shared = xr.DataArray(2 * rng.normal(size=400), dims="year")
    >>> own = xr.DataArray(rng.normal(size=(9, 400)), dims=("member", "year"))
    >>> x = xr.DataArray(rng.normal(size=(1, 9, 400)), dims=("predictor", "member", "year"))
    >>> bool(1.8 < common_signal(shared + own, x) < 2.2)
    True
    """
    members = y.sizes["member"]
    if members < 2:
        return xr.full_like(y.isel(member=0, year=0, drop=True), np.nan, dtype=float)
    b = coefficients(y.expand_dims(flux=["y"]), x, "raw trend").isel(flux=0, drop=True)
    e = transform(y, "raw trend") - (b * transform(x, "raw trend")).sum("predictor", skipna=False)
    mean = e.mean("member")
    own = ((e - mean) ** 2).mean(("member", "year")) * members / (members - 1)
    shared = ((mean**2).mean("year") - own / members).clip(min=0.0)
    return np.sqrt(shared / own)


def nearest_harsher_case(frame: pd.DataFrame, **values: float) -> pd.DataFrame:
    """Return the rows of the closest simulated case that is at least as harsh as this one.

    Parameters
    ----------
    frame : DataFrame
        Evidence with a column for each name.
    **values : float
        ``members`` and ``years``, for which lower values are harsher; ``phi`` and ``common
        signal``, for which higher ones are.

    Returns
    -------
    DataFrame
        The rows. Beyond the harshest simulated value, that value is used.

    Examples
    --------
    >>> frame = pd.DataFrame({"years": [51, 117, 184], "measured": [0.09, 0.07, 0.06]})
    >>> nearest_harsher_case(frame, years=150)["measured"].item()
    0.07
    """
    for name, value in values.items():
        known = frame[name]
        fewer = name in ("members", "years")
        harsher = known[known <= value] if fewer else known[known >= value]
        if harsher.empty:
            nearest = known.min() if fewer else known.max()
        else:
            nearest = harsher.max() if fewer else harsher.min()
        frame = frame[known == nearest]
    return frame
