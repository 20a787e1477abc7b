"""Refreezing: hysteresis, paired measures, zero curtain and the heat of autumn."""

from __future__ import annotations

import numpy as np
import xarray as xr

from mpcf.ground.years import refuse_gaps
from mpcf.method.attribution import regional_carbon
from mpcf.method.design import Design
from mpcf.method.moisture import moisture_index
from mpcf.method.periods import Period, early_years, late_years, since_base
from mpcf.method.regression import fit, response, stack_predictors
from mpcf.method.resampling import jackknife
from mpcf.method.returns import restricted_mean, return_times, share_refrozen
from mpcf.method.statistics import detectable_difference, member_interval, regional_mean

SMOOTHING_YEARS = 21
"""Window of the running mean that defines the way up and the way down, years."""

MIN_COOLING = 0.5
"""K by which smoothed warming must fall before an equal-warming lag is defined."""


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
