"""When permafrost returns: times with late entry and censoring, shares, and hazards."""

from __future__ import annotations

import numpy as np
import xarray as xr

from mpcf.ground.thaw import lasting
from mpcf.method.regression import MIN_MEMBERS
from mpcf.method.resampling import jackknife

MIN_RETURNS = 10
"""Fewest returns of permafrost for which a hazard is estimated."""

MIN_AT_RISK = 10
"""Fewest cells that have to be followed at a time before a share refrozen is estimated from it."""


def return_times(mask: xr.DataArray, first_year: int, years: int = 10) -> xr.Dataset:
    """Return the time from the first net-zero year to the lasting return of permafrost.

    Cells that had permafrost and have lacked it for `years` years are followed, from the first
    net-zero year or, if later, from the last of those years: they *enter late*, and can return from
    the next year on. Cells to which permafrost does not return while a return could still be seen
    to last are right-censored, and are never dropped.

    Parameters
    ----------
    mask : DataArray (member, year, lat, lon)
        1 with permafrost, 0 without, NaN where unknown; years must be consecutive.
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
    confirmed = lost.rolling(year=years, min_periods=years).sum() == years
    since = (state["year"] - first_year).astype("float64")
    at_risk = confirmed & (since >= 0)
    entry = since.where(at_risk).min("year")
    back = since.where((state == 1) & (since > entry)).min("year")
    end = float(since[-1]) - years + 2  # a return from here on could not be seen to last
    followed = at_risk.any("year") & (entry < end)
    return xr.Dataset(
        {
            "entry": entry.where(followed),
            "time": back.fillna(end).where(followed),
            "returned": back.notnull().astype("float64").where(followed),
        },
        attrs={"horizon": end},
    )


def share_refrozen(times: xr.Dataset, min_at_risk: int = MIN_AT_RISK) -> xr.DataArray:
    r"""Return the Kaplan–Meier share of cells to which permafrost has returned, with late entry.

    .. math:: F(t) = 1 - \prod_{t_i \le t} \left( 1 - d_i / n_i \right) ,

    with :math:`d_i` returns among the :math:`n_i` cells that are at risk. Where cells enter late,
    few may be at risk at first, and a single return among them would count as much as all cells.
    The product therefore begins in the first year in which enough cells are at risk.

    Parameters
    ----------
    times : Dataset (...)
        From `return_times`, any dims.
    min_at_risk : int
        Number of cells that are enough.

    Returns
    -------
    DataArray (since)
        Share, 0 to 1, by years since the first net-zero year; a step function that holds from each
        year on. Its coordinate ``at_risk`` is the number of cells at risk in that year. Empty where
        there are never enough cells at risk.

    References
    ----------
    Kaplan and Meier 1958, doi 10.1080/01621459.1958.10501452.
    """
    from statsmodels.duration.survfunc import SurvfuncRight

    flat = {v: times[v].values.ravel() for v in ("entry", "time", "returned")}
    followed = np.isfinite(flat["time"]) & (flat["time"] > flat["entry"])
    entry, time, returned = (flat[v][followed] for v in ("entry", "time", "returned"))
    possible = np.unique(np.concatenate([entry + 1.0, time]))
    enough = possible[[_at_risk(entry, time, t) >= min_at_risk for t in possible]]
    since, share = np.zeros(min(1, enough.size)), np.zeros(min(1, enough.size))
    late = time >= enough[0] if enough.size else np.zeros(time.size, bool)
    if returned[late].any():
        curve = SurvfuncRight(time[late], returned[late], entry=entry[late])
        since = np.concatenate([since, curve.surv_times])
        share = np.concatenate([share, 1 - curve.surv_prob])
    at_risk = ("since", [_at_risk(entry, time, t) for t in since])
    coords = {"since": since, "at_risk": at_risk}
    return xr.DataArray(share, coords, "since", name="share")


def _at_risk(entry: np.ndarray, time: np.ndarray, since: float) -> int:
    """Return how many cells have entered before a year and have not left; at 0, those there."""
    return int(((entry < max(since, 0.5)) & (time >= since)).sum())


def restricted_mean(share: xr.DataArray, horizon: float) -> float:
    """Return the restricted mean time to return: the area above the curve up to `horizon`.

    Parameters
    ----------
    share : DataArray (since)
        From `share_refrozen`.
    horizon : float
        Years.

    Returns
    -------
    float
        Years; NaN where the share is not known.

    Examples
    --------
    >>> half_back_after_ten = xr.DataArray([0.0, 0.5], {"since": [0.0, 10.0]}, "since")
    >>> restricted_mean(half_back_after_ten, 30.0)
    20.0
    """
    if not share.size:
        return float("nan")
    edges = np.append(np.clip(share["since"].values, 0, horizon), horizon)
    return float(((1 - share.values) * np.diff(edges)).sum())


def before_entry(
    x: xr.DataArray, times: xr.Dataset, first_year: int, years: int = 10
) -> xr.DataArray:
    """Return the mean of predictors over the years up to the entry of each cell.

    Parameters
    ----------
    x : DataArray (predictor, member, year, lat, lon)
        Predictors.
    times : Dataset (member, lat, lon)
        From `return_times`.
    first_year : int
        First year of the net-zero phase.
    years : int
        Number of years; the last is that of the entry.

    Returns
    -------
    DataArray (predictor, member, lat, lon)
        Units of x; NaN for cells that are not followed.
    """
    since = x["year"] - first_year
    entry = times["entry"]
    return x.where((since > entry - years) & (since <= entry)).mean("year")


def log_hazard(times: xr.Dataset, x: xr.DataArray) -> xr.DataArray:
    r"""Return the log hazards of permafrost's return in Cox's model, with late entry.

    .. math:: h(t) = h_0(t) \, \exp \sum_j \beta_j x_j / s_j .

    A negative β means that cells with more of x return later.

    Parameters
    ----------
    times : Dataset (member, lat, lon)
        From `return_times`.
    x : DataArray (predictor, member, lat, lon)
        From `before_entry`; s is the spread over the cells and members that are followed.

    Returns
    -------
    DataArray (predictor)
        β, per standard deviation; ties by Efron's method.

    References
    ----------
    Cox 1972, doi 10.1111/j.2517-6161.1972.tb00899.x.

    Examples
    --------
    The wetter of four cells return later, with one exception:

    >>> dims = ("member", "lat", "lon")
    >>> values = {"entry": [0, 0, 0, 0], "time": [9, 20, 14, 60], "returned": [1, 1, 1, 0]}
    >>> times = xr.Dataset({v: (dims, np.array([[a]], float)) for v, a in values.items()})
    >>> wet = xr.DataArray([[[[1.0, 2.0, 3.0, 4.0]]]], {"predictor": ["moisture"]},
    ...     ("predictor", *dims))
    >>> bool(log_hazard(times, wet).sel(predictor="moisture") < 0)
    True
    """
    from statsmodels.duration.hazard_regression import PHReg

    dims = times["time"].dims
    time, entry, returned = (times[v].values.ravel() for v in ("time", "entry", "returned"))
    design = x.transpose("predictor", *dims).values.reshape(x.sizes["predictor"], -1).T
    followed = (time > entry) & np.isfinite(design).all(axis=1)
    spread = design[followed].std(axis=0)
    design = (design[followed] - design[followed].mean(axis=0)) / spread
    # statsmodels counts a cell as at risk in the year of its entry too; Kaplan and Meier do not
    after = np.nextafter(entry[followed], np.inf)
    model = PHReg(time[followed], design, returned[followed], entry=after, ties="efron")
    beta = model.fit(disp=False).params
    return xr.DataArray(beta, {"predictor": x["predictor"].values}, "predictor", name="log_hazard")


def return_hazard(times: xr.Dataset, x: xr.DataArray) -> xr.Dataset:
    """Return `log_hazard` with the members' jackknife, if there are enough returns.

    Parameters
    ----------
    times : Dataset (member, lat, lon)
        From `return_times`.
    x : DataArray (predictor, member, lat, lon)
        From `before_entry`.

    Returns
    -------
    Dataset (predictor)
        ``estimate``, ``se``, ``low`` and ``high`` of β. All NaN with fewer than 10 returns, or
        with fewer when any one member is left out; the last three also with fewer than
        `MIN_MEMBERS` members. The attribute ``returns`` is the number of returns.
    """
    seen = (times["returned"] == 1) & x.notnull().all("predictor")
    by_member = seen.sum(("lat", "lon"))
    members, returns = by_member.size, int(by_member.sum())
    left = returns - (int(by_member.max()) if members >= MIN_MEMBERS else 0)
    if left < MIN_RETURNS:
        unknown = xr.full_like(x["predictor"], np.nan, dtype=float)
        found = xr.Dataset(dict.fromkeys(("estimate", "se", "low", "high"), unknown))
    else:
        found = jackknife(
            lambda kept: log_hazard(times.isel(member=kept), x.isel(member=kept)), members
        )
    return found.assign_attrs(returns=returns)
