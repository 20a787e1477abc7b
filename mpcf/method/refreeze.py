"""Refreezing: hysteresis, time to return, zero curtain and the heat of autumn."""

from __future__ import annotations

import numpy as np
import xarray as xr

from mpcf.ground.thaw import lasting
from mpcf.ground.years import refuse_gaps
from mpcf.method.attribution import regional_carbon
from mpcf.method.design import Design
from mpcf.method.moisture import moisture_index
from mpcf.method.periods import Period, early_years, late_years, since_base
from mpcf.method.regression import MIN_MEMBERS, fit, response
from mpcf.method.resampling import jackknife
from mpcf.method.statistics import detectable_difference, member_interval, regional_mean

SMOOTHING_YEARS = 21
"""Window of the running mean that defines the way up and the way down, years."""

MIN_COOLING = 0.5
"""K by which smoothed warming must fall before an equal-warming lag is defined."""

MIN_RETURNS = 10
"""Fewest returns of permafrost for which a hazard is estimated."""

MIN_AT_RISK = 10
"""Fewest cells that have to be followed at a time before a share refrozen is estimated from it."""


def frozen_volume(frozen_depth: xr.DataArray, region: xr.DataArray) -> xr.DataArray:
    """Return the volume of soil in the top 3 m of the region that stays frozen all year.

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
    """Return the centred running mean over 21 years, shorter at the ends.

    Parameters
    ----------
    series : DataArray (year, ...)
        Any unit.

    Returns
    -------
    DataArray (year, ...)
        Same unit.

    Raises
    ------
    DataError
        If years are not consecutive.
    """
    refuse_gaps("running means", series)
    return series.rolling(year=SMOOTHING_YEARS, center=True, min_periods=1).mean()


def equal_warming_lag(volume: xr.DataArray, warming: xr.DataArray) -> float:
    """Return the years until the way down has the volume of the way up at the same warming.

    For each year of the way down, the volume at the same warming on the way up is looked up; the
    lag is the time until the volume is back there. It is the width of the loop in years: a volume
    that lags warming by τ on both ways has a lag of 2 τ.

    Parameters
    ----------
    volume : DataArray (year)
        Frozen volume, ensemble mean; years must be consecutive.
    warming : DataArray (year)
        Warming of the region, K.

    Returns
    -------
    float
        Median, years. NaN if smoothed warming falls by less than 0.5 K after its peak, or if half
        of the levels or more are not reached again within the record.
    """
    w, v = smooth(warming).values, smooth(volume).values
    peak = int(np.argmax(w))
    if w[peak] - w[peak:].min() < MIN_COOLING:
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


def member_lags(volume: xr.DataArray, warming: xr.DataArray) -> xr.DataArray:
    """Return the equal-warming lag of each member.

    Parameters
    ----------
    volume : DataArray (member, year)
        Frozen volume.
    warming : DataArray (member, year)
        Warming of the region, K.

    Returns
    -------
    DataArray (member)
        Years; NaN where `equal_warming_lag` is.
    """
    pairs = ((volume.isel(member=m), warming.isel(member=m)) for m in range(volume.sizes["member"]))
    lags = [equal_warming_lag(*pair) for pair in pairs]
    return volume.isel(year=0, drop=True).copy(data=lags).rename("lag").assign_attrs(units="years")


def paired_effect(with_change: xr.DataArray, without: xr.DataArray) -> dict[str, float]:
    r"""Return what moisture's thermal change does to a measure, member by member.

    .. math:: \bar d \pm t_{M-1} \, s_d / \sqrt M , \qquad d_m = y_m - y_m^\mathrm{held} .

    A member and its twin have the same weather, so that it cancels in the difference.

    Parameters
    ----------
    with_change : DataArray (member)
        A measure of each member.
    without : DataArray (member)
        That of its twin, in which moisture did not change for the soil's heat.

    Returns
    -------
    dict
        ``estimate``, ``low``, ``high``, units of the measure; ``detectable``, the smallest effect
        that would be found with a power of 80 %; and ``pairs``, the number of members in which both
        are defined. All but the last are NaN without a pair; bounds need two.
    """
    difference = (with_change - without).dropna("member")
    pairs = difference.size
    estimate, low, high = member_interval(difference) if pairs else [float("nan")] * 3
    detectable = detectable_difference(difference)
    found = {"estimate": estimate, "low": low, "high": high, "detectable": detectable}
    return found | {"pairs": pairs}


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


def stack_predictors(parts: dict[str, xr.DataArray]) -> xr.DataArray:
    """Return predictors stacked by name, in float64.

    Parameters
    ----------
    parts : dict of str to DataArray (...)
        Predictors by name, each in its own unit.

    Returns
    -------
    DataArray (predictor, ...)
        The same values.

    Examples
    --------
    >>> parts = {"moisture": xr.DataArray([30.0, 31.0]), "snow": xr.DataArray([0.2, 0.3])}
    >>> stack_predictors(parts).sel(predictor="snow").values
    array([0.2, 0.3])
    """
    arrays = [part.astype("float64").drop_attrs() for part in parts.values()]
    return xr.concat(arrays, xr.Variable("predictor", list(parts)), coords="minimal")


def before_freezing(
    yearly: xr.Dataset, measure: str, *, moisture: str = "liquid", depth: float = 1.0
) -> xr.DataArray:
    """Return thaw-season moisture and temperature, and snow, that precede a measure of autumn.

    Moisture of the whole year would contain the autumn itself, where a long curtain *is* liquid
    water.

    Parameters
    ----------
    yearly : Dataset
        The yearly dataset.
    measure : {"zero_curtain", "latent_heat", "sensible_heat"}
        The curtain, dated by its September, lies under the snow of the winter that follows; the
        heats of September come after the snow of the winter before.
    moisture : str
        Meaning of moisture, see `mpcf.method.moisture.moisture_index`.
    depth : float
        m.

    Returns
    -------
    DataArray (predictor, member, year, lat, lon)
        kg m-2 (m3 m-3 for ``thaw_wetness``), °C, m.

    Raises
    ------
    DataError
        If the measure is the curtain and years are not consecutive.
    """
    snow = yearly["snow"]
    if measure == "zero_curtain":
        refuse_gaps("autumns and the snow that follows them", snow)
    return stack_predictors(
        {
            "moisture": moisture_index(yearly, moisture, depth=depth, season="thaw"),
            "temperature": yearly["temperature"].sel(season="thaw", drop=True),
            "snow": snow.shift(year=-1) if measure == "zero_curtain" else snow,
        }
    )


def mean_effect(y: xr.DataArray, x: xr.DataArray, area: xr.DataArray, estimator: str) -> xr.Dataset:
    r"""Return the area mean of coefficients per standard deviation, with the members' jackknife.

    .. math:: \bar b_j = \sum_c a_c \, b_{jc} s_{jc} \Big/ \sum_c a_c

    Neighbouring cells share their weather, so the interval comes from leaving out members, not
    from the errors of the cells.

    Parameters
    ----------
    y : DataArray (member, year, lat, lon)
        What is explained.
    x : DataArray (predictor, member, year, lat, lon)
        Predictors.
    area : DataArray (lat, lon)
        m2; cells without area are left out, and so are those that cannot be fitted.
    estimator : str
        See `mpcf.method.regression.transform`.

    Returns
    -------
    Dataset (predictor)
        ``estimate``, ``se``, ``low`` and ``high``, units of y per standard deviation; the last
        three are NaN with fewer than `MIN_MEMBERS` members.
    """

    def effect(kept: list[int]) -> xr.DataArray:
        drawn = (a.isel(member=kept) for a in (y.where(area > 0), x))
        b = fit(*drawn, estimator, errors="ols")["b_std"]  # the same with any errors
        return (b * area).sum(("lat", "lon")) / area.where(b.notnull(), 0).sum(("lat", "lon"))

    return jackknife(effect, y.sizes["member"])


def change_by_moisture(
    y: xr.DataArray,
    held: xr.DataArray,
    x: xr.DataArray,
    area: xr.DataArray,
    years: tuple[int, int],
    estimators: tuple[str, ...],
) -> xr.DataArray:
    r"""Return how moisture's change alters a measure: from regressions, and from the twins.

    .. math:: \hat\Delta = b_M \, (M - \bar M_\mathrm{base}), \qquad
              \Delta = d - \bar d_\mathrm{base}, \quad d = y - y_\mathrm{held} ,

    in the same cells, members and years: those in which both runs have the measure. The twins
    branch off before the base period, so their difference is counted from that base too.

    Parameters
    ----------
    y : DataArray (member, year, lat, lon)
        A measure, over all years.
    held : DataArray (member, year, lat, lon)
        The same of the twins in which moisture did not change.
    x : DataArray (predictor, member, year, lat, lon)
        Predictors, with ``moisture`` among them.
    area : DataArray (lat, lon)
        m2.
    years : tuple of int
        Inclusive first and last year in which the cells are fitted and compared.
    estimators : tuple of str
        See `mpcf.method.regression.transform`.

    Returns
    -------
    DataArray (by, member)
        Units of y, mean over area and years; ``by`` holds the estimators and ``truth``.
    """
    period = Period(*years)
    known = y.sel(year=period.years).where(area > 0).reset_coords(drop=True).expand_dims("flux")
    effects = {}
    for estimator in estimators:  # fitted to all members, though twins may be of some only
        parts = Design(known, x, estimator).yearly_contributions(period)
        effects[estimator] = parts.isel(flux=0).sel(predictor="moisture", drop=True)
    effects["truth"] = since_base(y - held).sel(year=period.years)
    every = xr.concat(list(effects.values()), xr.Variable("by", list(effects)), join="inner")
    weight = area.where(every.notnull().all("by"), 0.0)
    over = ("year", "lat", "lon")
    return (every.fillna(0.0) * weight).sum(over) / weight.sum(over)


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


def refreeze_metrics(
    run: xr.Dataset, region: xr.DataArray, zero: tuple[int, int]
) -> dict[str, xr.DataArray | xr.Dataset]:
    """Return how a run refreezes and how much carbon its land takes up.

    Parameters
    ----------
    run : Dataset (member, year, lat, lon)
        ``permafrost``, ``frozen_depth`` (m), ``temperature`` (°C), with or without seasons, and
        ``gpp, ra, rh`` (gC m-2 yr-1).
    region : DataArray (lat, lon)
        m2.
    zero : tuple of int
        Inclusive first and last year of the net-zero phase.

    Returns
    -------
    dict
        ``times`` from `return_times`; ``share`` refrozen; ``wait`` (member), the restricted mean,
        years, NaN for a member in which too few cells are followed; ``volume`` (member, year),
        1e3 km3; ``regained`` (member), its last fifteen years of the phase less its first, and
        ``frozen at start``, the latter; ``air`` (member, year), °C; ``lag`` (member), years, NaN
        where none is defined; ``carbon`` (member), NEP over the phase beyond that of the base
        period, PgC.
    """
    times = return_times(run["permafrost"].where(region > 0), zero[0])
    horizon = times.attrs["horizon"]
    each = [times.isel(member=m) for m in range(times.sizes["member"])]
    air = run["temperature"]
    air = air.sel(season="year", drop=True) if "season" in air.dims else air
    carbon = since_base(regional_carbon(response(run), region))
    volume, air = frozen_volume(run["frozen_depth"], region), regional_mean(air, region)
    first, last = (
        volume.sel(year=y).mean("year") for y in (early_years(zero[0]), late_years(zero[1]))
    )
    return {
        "times": times,
        "share": share_refrozen(times),
        "wait": xr.DataArray(
            [restricted_mean(share_refrozen(t), horizon) for t in each], dims="member"
        ),
        "volume": volume,
        "regained": last - first,
        "frozen at start": first,
        "air": air,
        "lag": member_lags(volume, air),
        "carbon": carbon.sel(year=slice(*zero)).sum("year"),
    }
