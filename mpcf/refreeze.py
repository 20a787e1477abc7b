"""Refreezing: hysteresis against warming, time to return, zero curtain, heat of the autumn."""

from __future__ import annotations

import numpy as np
import xarray as xr

from mpcf.thaw import lasting

SMOOTHING_YEARS = 21
"""Window of the running mean that defines the way up and the way down, years."""

LEAST_COOLING = 0.5
"""K by which smoothed warming must fall before an equal-warming lag is defined."""


def frozen_volume(frozen_depth: xr.DataArray, region: xr.DataArray) -> xr.DataArray:
    """Volume of soil in the top 3 m of the region that stays frozen all year.

    Parameters
    ----------
    frozen_depth : DataArray (..., lat, lon)
        m.
    region : DataArray (lat, lon)
        m2.

    Returns
    -------
    DataArray (...)
        Thousand km3.
    """
    volume = (frozen_depth * region).sum(("lat", "lon")) / 1e12
    return volume.assign_attrs(long_name="frozen volume", units="1e3 km3").rename("frozen_volume")


def smooth(series: xr.DataArray) -> xr.DataArray:
    """Centred running mean over 21 years, shorter at the ends.

    Parameters
    ----------
    series : DataArray (year, ...)
        Any unit.

    Returns
    -------
    DataArray (year, ...)
        Same unit.
    """
    return series.rolling(year=SMOOTHING_YEARS, center=True, min_periods=1).mean()


def equal_warming_lag(volume: xr.DataArray, warming: xr.DataArray) -> float:
    """Years by which frozen volume trails warming once it falls again.

    For each year of the way down, the volume at the same warming on the way up is looked up; the
    lag is the time until the volume is back there.

    Parameters
    ----------
    volume : DataArray (year)
        Frozen volume, ensemble mean.
    warming : DataArray (year)
        Warming of the region, K.

    Returns
    -------
    float
        Median, years. NaN where smoothed warming falls by less than 0.5 K after its peak, and where
        half of the levels or more are not reached again within the record.
    """
    w, v = smooth(warming).values, smooth(volume).values
    peak = int(np.argmax(w))
    if w[peak] - w[peak:].min() < LEAST_COOLING:
        return float("nan")
    down = np.arange(peak, peak + int(np.argmin(w[peak:])) + 1)
    way_up = np.maximum.accumulate(w[: peak + 1])
    level = np.interp(w[down], way_up, v[: peak + 1])
    lags = np.full(down.size, np.inf)
    for i, (year, wanted) in enumerate(zip(down, level, strict=True)):
        later = np.flatnonzero(v[year:] >= wanted)
        if later.size:
            lags[i] = later[0]
    median = float(np.median(lags))
    return median if np.isfinite(median) else float("nan")


def return_times(mask: xr.DataArray, first_year: int, years: int = 10) -> xr.Dataset:
    """Time from the first net-zero year to the lasting return of permafrost.

    Cells that had permafrost and have lacked it for `years` years are followed, from the first
    net-zero year or from the year in which that became true: the latter *enter late*. Those that
    do not get permafrost back while a return could still be seen to last are right-censored, and
    are never dropped.

    Parameters
    ----------
    mask : DataArray (member, year, lat, lon)
        1 with permafrost, 0 without, NaN where unknown.
    first_year : int
        First year of the net-zero phase.
    years : int
        Years for which loss and return must last to count.

    Returns
    -------
    Dataset (member, lat, lon)
        ``entry`` and ``time`` in years since `first_year`; ``returned`` (1 or 0); NaN for cells
        that are not followed. The attribute ``horizon`` is the time of censoring.
    """
    state = lasting(mask.sel(year=slice(mask["year"][1], None)), years)
    had = (state == 1).cumsum("year") > 0
    lost = (state == 0) & had
    confirmed = lost.rolling(year=years + 1, min_periods=years + 1).sum() == years + 1
    since = (state["year"] - first_year).astype("float64")
    at_risk = confirmed & (since >= 0)
    entry = since.where(at_risk).min("year")
    back = since.where((state == 1) & (since > entry)).min("year")
    end = float(since[-1]) - years + 2  # from here on a return could not be seen to last
    followed = at_risk.any("year") & (entry < end)
    return xr.Dataset(
        {
            "entry": entry.where(followed),
            "time": back.fillna(end).where(followed),
            "returned": back.notnull().astype("float64").where(followed),
        },
        attrs={"horizon": end},
    )


def share_refrozen(times: xr.Dataset) -> xr.DataArray:
    """Kaplan–Meier share of cells whose permafrost has returned, with late entry.

    Parameters
    ----------
    times : Dataset (...)
        From `return_times`, any dims.

    Returns
    -------
    DataArray (since)
        Share, 0 to 1, by years since the first net-zero year; a step function that holds from each
        year on. Empty where no cell is followed.

    References
    ----------
    Kaplan and Meier 1958, doi 10.1080/01621459.1958.10501452.
    """
    from statsmodels.duration.survfunc import SurvfuncRight

    flat = {v: times[v].values.ravel() for v in ("entry", "time", "returned")}
    followed = np.isfinite(flat["time"]) & (flat["time"] > flat["entry"])
    entry, time, returned = (flat[v][followed] for v in ("entry", "time", "returned"))
    if not returned.any():
        share = np.zeros(min(1, time.size))
        return xr.DataArray(share, {"since": np.zeros(share.size)}, "since", name="share")
    curve = SurvfuncRight(time, returned, entry=entry)
    since = np.concatenate([[0.0], curve.surv_times])
    share = np.concatenate([[0.0], 1 - curve.surv_prob])
    return xr.DataArray(share, {"since": since}, "since", name="share")


def restricted_mean(share: xr.DataArray, horizon: float) -> float:
    """Restricted mean of the time to return: the area above the curve of returns up to `horizon`.

    Parameters
    ----------
    share : DataArray (since)
        From `share_refrozen`.
    horizon : float
        Years.

    Returns
    -------
    float
        Years.

    Examples
    --------
    >>> half_back_after_ten = xr.DataArray([0.0, 0.5], {"since": [0.0, 10.0]}, "since")
    >>> restricted_mean(half_back_after_ten, 30.0)
    20.0
    """
    edges = np.append(np.clip(share["since"].values, 0, horizon), horizon)
    return float(((1 - share.values) * np.diff(edges)).sum())
