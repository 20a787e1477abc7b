"""Station records: yearly thaw depth and autumn zero curtain from daily soil temperature."""

from __future__ import annotations

import numpy as np
import xarray as xr

from mpcf.ground.thaw import thaw_depth

CURTAIN_START = "09-01"
"""Month and day on which the search for the zero curtain begins."""

CURTAIN_END = "05-31"
"""Month and day of the following year on which the search ends."""

CURTAIN_UPPER, CURTAIN_LOWER = 0.5, -0.5
"""°C: the curtain opens at or below the first, and closes below the second."""


def yearly_thaw_depth(temperature: xr.DataArray) -> xr.DataArray:
    r"""Return the deepest thaw of each year, from the first 0 °C crossing at each time.

    .. math:: z_y = \max_{t \in y} z(t),

    where :math:`z(t)` is the depth of `mpcf.ground.thaw.thaw_depth`.

    Parameters
    ----------
    temperature : DataArray (time, depth)
        Soil temperature, °C; daily or monthly. ``depth`` in m, positive down.

    Returns
    -------
    DataArray (year)
        m; NaN in a year in which the whole column thawed, since thaw then reached below the
        deepest sensor.

    Examples
    --------
    >>> import pandas as pd
    >>> days = pd.date_range("2000-01-01", "2001-12-31")
    >>> summer = 6 * np.sin(2 * np.pi * (days.dayofyear.values - 105) / 365)
    >>> profile = summer[:, None] - np.array([0.0, 4.0, 8.0])
    >>> tsl = xr.DataArray(profile, {"time": days, "depth": [0.0, 0.4, 0.8]}, ("time", "depth"))
    >>> yearly_thaw_depth(tsl).round(2).values
    array([0.6, 0.6])
    """
    deepest = thaw_depth(temperature).groupby("time.year").max()
    result = deepest.where(np.isfinite(deepest))
    return result.assign_attrs(long_name="deepest thaw of the year", units="m")


def zero_curtain_daily(temperature: xr.DataArray) -> xr.DataArray:
    r"""Return the length of each autumn's zero curtain, in days that freezing soil stays near 0 °C.

    .. math:: n_y = \min\{t \ge t_1 : T(t) < -0.5\} - t_1, \quad
              t_1 = \min\{t \ge \text{1 September} : T(t) \le 0.5\}

    Freezing water releases latent heat, which holds the temperature near zero. The autumn ends on
    31 May and is labelled with the year of its September.

    Parameters
    ----------
    temperature : DataArray (time)
        Daily soil temperature at one depth, °C.

    Returns
    -------
    DataArray (year)
        Days; NaN where the soil did not cross both thresholds, or an earlier day is missing.

    Raises
    ------
    ValueError
        If there are dimensions other than time, or two values on one day.

    Examples
    --------
    >>> import pandas as pd
    >>> days = pd.date_range("2000-08-01", "2001-05-31")
    >>> values = np.interp(np.arange(days.size), [0, 50, 60, 120, 130], [5, 5, 0.0, 0.0, -5])
    >>> zero_curtain_daily(xr.DataArray(values, {"time": days}, ("time",))).values
    array([63.])
    """
    if temperature.dims != ("time",):
        raise ValueError(
            f"zero_curtain_daily takes one series in time, not dimensions {temperature.dims}; "
            "choose one depth with .sel(depth=…)"
        )
    series = temperature.to_series()
    series.index = series.index.normalize()
    if series.index.has_duplicates:
        raise ValueError(
            f"two values on {series.index[series.index.duplicated()][0]:%Y-%m-%d}; give daily means"
        )
    series = series.asfreq("D")
    years = [y for y in series.index.year.unique() if f"{y}-{CURTAIN_START}" in series.index]
    days = [
        _curtain(series[f"{year}-{CURTAIN_START}" : f"{year + 1}-{CURTAIN_END}"].to_numpy())
        for year in years
    ]
    return xr.DataArray(
        np.array(days, dtype=float),
        {"year": np.array(years, dtype=int)},
        ("year",),
        name="zero_curtain",
        attrs={"long_name": "zero curtain in autumn", "units": "days"},
    )


def _curtain(autumn: np.ndarray) -> float:
    opened, closed = autumn <= CURTAIN_UPPER, autumn < CURTAIN_LOWER
    if not closed.any() or np.isnan(autumn[: closed.argmax()]).any():
        return np.nan
    return float(closed.argmax() - opened.argmax())
