"""Calibration: compare the ensemble's values with published ranges, misses included.

Like is compared with like: permafrost is counted to 3 m, north of 45° N, without ice sheets; soil
carbon is counted to 3 m, partial layers by overlap; trends are taken over the years of the target.
Nothing here uses net carbon uptake, carbon lost or a response to moisture.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from mpcf.demo import carbon, climate
from mpcf.demo.calibration_targets import TARGETS
from mpcf.demo.soil import LAYER_EDGES, WET_LAYERS
from mpcf.ground.constants import FREEZING_POINT
from mpcf.ground.thaw import land_area, layer_overlap, permafrost_area
from mpcf.yearly.reduction import CURTAIN_DEPTH

if TYPE_CHECKING:
    import pandas as pd


__all__ = [
    "calibration",
    "carbon_share",
    "control_variability",
    "monthly_variability",
    "warming_after_emissions",
    "yearly_variability",
]

BASE = slice(2000, 2014)
"""Years that stand for the present."""

WARMING_UP = slice(2000, 2100)
"""Years over which transient sensitivities are fitted."""

STABLE = slice(2280, 2300)
"""Years in which temperature is nearly steady."""

TREND_YEARS = slice(2001, 2018)
"""Years of the active-layer trend: those of Strand et al., from the first that has a value."""

CARBON_DEPTH = 3.0
"""Depth to which published soil carbon is counted, m."""

BURKE_DEPTH = 2.0
"""Depth to which Burke et al. count frozen soil, m."""

TOOLIK = {"lat": 68.63, "lon": -149.6}
"""The station Toolik in Alaska, degrees."""

TOOLIK_YEARS = slice(2000, 2012)
"""As many years as the station's record has."""

WINDOW = 100
"""Length of the windows in which global variability is measured, years."""

MIN_PERMAFROST_SHARE = 0.5
"""Share of present years and members with permafrost from which a cell belongs to the region."""

CONTROL_SEEDS = (7, 8, 9)
CONTROL_YEARS = 1200
"""Members and years of the run without emissions in which variability is measured."""

PULSE_RATE = 10.0
"""Emissions of the pulse experiment (flat10), PgC yr-1."""

PULSE_YEARS = 100
"""Years for which they last."""

KG_PER_PG = 1e12
G_PER_PG = 1e15
CM_PER_M = 100.0
YEARS_PER_DECADE = 10.0


def calibration(yearly: xr.Dataset, monthly: xr.Dataset | None = None) -> pd.DataFrame:
    """Return the calibration table: the ensemble's values and published ranges.

    Parameters
    ----------
    yearly : Dataset (member, year, ...)
        From `mpcf.yearly.reduction.to_yearly`, with ``warming`` and ``cSoil``, 2000-2300.
    monthly : Dataset (member, time, ...), optional
        Standard monthly dataset. Without it, quantities that need monthly data are left out.

    Returns
    -------
    pandas.DataFrame
        One row for each quantity; columns: name, quantity, value, unit, low, high, verdict
        (``inside`` or ``missed``), group (``adjusted for`` or ``checked``), source.

    Raises
    ------
    ValueError
        If ``warming``, ``cSoil`` or a year is missing, or if a quantity has no value because the
        ensemble has no permafrost or no soil at Toolik.
    """
    import pandas as pd

    _check(yearly)
    values = dict(_permafrost(yearly)) | dict(_carbon(yearly)) | dict(_climate(yearly))
    if monthly is not None:
        values |= dict(_months(yearly, monthly))
    rows = []
    for name, target in TARGETS.items():
        if name not in values:
            continue
        value = float(values[name])
        if not np.isfinite(value):
            raise ValueError(f"the ensemble has no value for {target.quantity!r}")
        inside = target.low <= value <= target.high
        rows.append(
            {
                "name": name,
                "quantity": target.quantity,
                "value": value,
                "unit": target.unit,
                "low": target.low,
                "high": target.high,
                "verdict": "inside" if inside else "missed",
                "group": "adjusted for" if target.adjusted else "checked",
                "source": target.source,
            }
        )
    return pd.DataFrame(rows)


def _check(yearly: xr.Dataset) -> None:
    """Raise if variables or years are missing."""
    missing = [name for name in ("warming", "cSoil") if name not in yearly]
    if missing:
        lacking = ", ".join(missing)
        raise ValueError(f"the yearly dataset lacks {lacking}: make the demonstration again")
    first, last = int(yearly["year"].min()), int(yearly["year"].max())
    if first > BASE.start or last < STABLE.stop:
        raise ValueError(
            f"the yearly dataset has {first}-{last}; calibration needs {BASE.start}-{STABLE.stop}"
        )


def _region(yearly: xr.Dataset) -> xr.DataArray:
    """Return the cells that have permafrost in at least half of the present years and members."""
    return (_today(yearly["permafrost"]) >= MIN_PERMAFROST_SHARE).load()


def _today(values: xr.DataArray) -> xr.DataArray:
    """Return the mean over members and present years; gaps are left out, the sea is NaN."""
    # Not mean(), which warns about the sea.
    base = values.sel(year=BASE)
    count = base.notnull().sum(("member", "year"))
    return base.sum(("member", "year")) / count.where(count > 0)


def _slope(values: xr.DataArray, warming: xr.DataArray) -> float:
    """Return the slope of a yearly series against warming, means of all members, 2000-2100."""
    y = values.sel(year=WARMING_UP).mean("member")
    x = warming.sel(year=WARMING_UP).mean("member").where(y.notnull())
    return float(xr.cov(x, y, dim="year", ddof=0) / x.var("year"))


def _permafrost(yearly: xr.Dataset) -> Iterator[tuple[str, float]]:
    """Yield permafrost area, frozen soil and the active layer."""
    land, warming = land_area(yearly), yearly["warming"].load()
    area = permafrost_area(yearly["permafrost"], yearly).load()

    def mean(values: xr.DataArray, years: slice) -> float:
        return float(values.sel(year=years).mean())

    yield "area", mean(area, BASE)
    yield "area_transient", -_slope(area, warming)
    lost = mean(area, BASE) - mean(area, STABLE)
    yield "area_stable", lost / (mean(warming, STABLE) - mean(warming, BASE))
    frozen = (yearly["frozen_depth"] * land).sum(("lat", "lon")).load()
    yield "frozen_3m", 100.0 * _slope(frozen, warming) / mean(frozen, BASE)

    region = _region(yearly)
    layer = _today(yearly["alt"]).where(region).load()
    yield "active_layer", _median(layer, land)
    years = yearly["alt"].sel(year=TREND_YEARS).where(region).load()
    # Only cells with a value in every year, since others would drop out of the mean as they thaw.
    trend = years.polyfit("year", 1, skipna=False)["polyfit_coefficients"].sel(degree=1)
    per_year = float(trend.weighted(land).mean())
    yield "active_layer_trend", CM_PER_M * YEARS_PER_DECADE * per_year


def _median(values: xr.DataArray, weight: xr.DataArray) -> float:
    """Return the weighted median of all values but NaN."""
    known = values.notnull().values
    if not known.any():
        return np.nan
    x, w = values.values[known], weight.values[known]
    order = np.argsort(x)
    half = np.cumsum(w[order])
    return float(x[order][np.searchsorted(half, 0.5 * half[-1])])


def carbon_share(soil_temperature: np.ndarray) -> np.ndarray:
    """Return the share of a cell's soil carbon that lies above 3 m.

    Stored soil carbon is that of the whole column. Its profile is taken to be that of the initial
    slow stock, `mpcf.demo.carbon.slow_stock`, to which litter is proportional in
    equilibrium; the layer that crosses 3 m counts by overlap.

    Parameters
    ----------
    soil_temperature : ndarray (cell,)
        Mean of the column, °C.

    Returns
    -------
    ndarray (cell,)
        From 0 to 1.

    Examples
    --------
    >>> carbon_share(np.array([-10.0, 10.0])).round(3)
    array([0.905, 0.998])
    """
    stock = carbon.slow_stock(soil_temperature)
    edges = LAYER_EDGES[: WET_LAYERS + 1]
    above = np.clip((CARBON_DEPTH - edges[:-1]) / np.diff(edges), 0.0, 1.0)
    return (stock * above).sum(axis=1) / stock.sum(axis=1)


def _carbon(yearly: xr.Dataset) -> Iterator[tuple[str, float]]:
    """Yield soil carbon and photosynthesis."""
    land = land_area(yearly)
    middle = 0.5 * _today(yearly["tsl_max"] + yearly["tsl_min"])
    soil = middle.isel(depth=slice(WET_LAYERS)).mean("depth").load()
    share = soil.copy(data=carbon_share(soil.values.ravel()).reshape(soil.shape))
    stock = _today(yearly["cSoil"]).where(_region(yearly))
    yield "carbon", float((stock * share * land).sum()) / KG_PER_PG
    yield "gpp", float((_today(yearly["gpp"]) * land).sum()) / G_PER_PG


def _climate(yearly: xr.Dataset) -> Iterator[tuple[str, float]]:
    """Yield precipitation, warming after emissions, and global variability."""
    weights = land_area(yearly)

    def mean(name: str) -> xr.DataArray:
        values = yearly[name].sel(season="year", year=WARMING_UP)
        return values.weighted(weights).mean(("lat", "lon")).load()

    growth = _slope(np.log(mean("precipitation")), mean("temperature"))
    yield "precipitation", 100.0 * np.expm1(growth)
    after = warming_after_emissions()
    yield from zip(("warming_100", "warming_200", "warming_300"), after, strict=True)
    yield from zip(("global_spread", "global_lag_1"), control_variability(), strict=True)


def _months(yearly: xr.Dataset, monthly: xr.Dataset) -> Iterator[tuple[str, float]]:
    """Yield the quantities that need monthly data."""
    land = land_area(yearly)
    yield "frozen_2m", _annual_mean_frozen(yearly, monthly)

    air = _by_year(monthly["tas"], BASE)
    spread, lag = monthly_variability(air.transpose("year", "month", ...).values)
    template = air.isel(year=0, month=0, drop=True)
    variance = template.copy(data=spread**2).weighted(land).mean()
    yield "air_spread", float(np.sqrt(variance))
    yield "air_lag_1", float(template.copy(data=lag).weighted(land).mean())

    site = {"lat": TOOLIK["lat"], "lon": TOOLIK["lon"], "method": "nearest"}
    soil = monthly["tsl"].sel(depth=CURTAIN_DEPTH, method="nearest")
    for name, series in (("air", monthly["tas"]), ("soil", soil)):
        months = _by_year(series.sel(**site), TOOLIK_YEARS)
        spread, lag = monthly_variability(months.transpose("year", "month", "member").values)
        yield f"toolik_{name}_spread", float(np.sqrt((spread**2).mean()))
        yield f"toolik_{name}_lag_1", float(lag.mean())
    curtain = yearly["zero_curtain"].sel(**site).sel(year=TOOLIK_YEARS)
    yield "toolik_zero_curtain", float(curtain.mean())
    wetness = yearly["thaw_wetness"].sel(**site).sel(year=TOOLIK_YEARS)
    yield "toolik_wetness", float(wetness.mean())


def _by_year(months: xr.DataArray, years: slice) -> xr.DataArray:
    """Return the months of some years as (..., year, month), in double precision."""
    inside = (months["time"].dt.year >= years.start) & (months["time"].dt.year <= years.stop)
    values = months.isel(time=inside.values).drop_vars("time").astype("float64")
    return values.coarsen(time=12).construct(time=("year", "month")).load()


def _annual_mean_frozen(yearly: xr.Dataset, monthly: xr.Dataset) -> float:
    """Return the change of annual mean frozen soil in the top 2 m, % of the present, K-1.

    Burke et al. count, in each month, the soil of the permafrost region at or below 0 °C.
    """
    bounds = monthly["depth_bnds"].load()
    share = layer_overlap(bounds, BURKE_DEPTH)
    land = land_area(yearly).where(_region(yearly), 0.0)
    series = []
    for member in range(monthly.sizes["member"]):
        soil = monthly["tsl"].isel(member=[member], depth=(share > 0).values)
        frozen = _by_year(soil, WARMING_UP) <= FREEZING_POINT
        depth = xr.dot(frozen.mean("month"), share, dim="depth")
        series.append((depth * land).sum(("lat", "lon")))
    years = np.arange(WARMING_UP.start, WARMING_UP.stop + 1)
    volume = xr.concat(series, "member").assign_coords(year=years)
    today = float(volume.sel(year=BASE).mean())
    return 100.0 * _slope(volume, yearly["warming"].load()) / today


def warming_after_emissions() -> np.ndarray:
    """Return the warming from 10 PgC a year over 100 years, and none afterwards.

    Returns
    -------
    ndarray (3,)
        At years 100, 200 and 300, K.
    """
    years = np.arange(1850, 2151)
    _, warming = climate.run_fair(years, np.where(years < years[PULSE_YEARS], PULSE_RATE, 0.0))
    return warming[0, [100, 200, 300]]


def control_variability() -> tuple[float, float]:
    """Return the variability of yearly global temperature without emissions.

    Returns
    -------
    spread : float
        Standard deviation, K: the mean over 36 windows of 100 years.
    lag_1 : float
        Correlation of consecutive years, likewise.
    """
    _, temperature = climate.run_fair(
        np.arange(1000, 1000 + CONTROL_YEARS), np.zeros(CONTROL_YEARS), CONTROL_SEEDS
    )
    spread, lag = yearly_variability(temperature)
    return float(spread.mean()), float(lag.mean())


def yearly_variability(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the variability of a yearly series in windows of 100 years, each detrended.

    Parameters
    ----------
    values : ndarray (..., year)
        A multiple of 100 years, any unit.

    Returns
    -------
    spread : ndarray (window,)
        Standard deviation, in the unit of the values.
    lag_1 : ndarray (window,)
        Correlation of consecutive years.

    Examples
    --------
    >>> wave = np.sin(np.pi * np.arange(200) / 2)
    >>> [part.round(1).tolist() for part in yearly_variability(wave)]
    [[0.7, 0.7], [-0.0, -0.0]]
    """
    parts = _detrended(np.reshape(values, (-1, WINDOW)).T).T
    power = (parts**2).sum(axis=1)
    return np.sqrt(power / (WINDOW - 2)), (parts[:, 1:] * parts[:, :-1]).sum(axis=1) / power


def monthly_variability(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the variability of monthly anomalies from their calendar month's mean and trend.

    Parameters
    ----------
    values : ndarray (year, 12, ...)
        Monthly means, any unit.

    Returns
    -------
    spread : ndarray (...)
        Standard deviation of all months together, in the unit of the values; NaN where the
        series has a gap.
    lag_1 : ndarray (...)
        Correlation of consecutive months.

    Examples
    --------
    >>> noise = np.random.default_rng(0).normal(size=(2000, 12))
    >>> round(float(monthly_variability(3.0 * noise)[0]), 1)
    3.0
    """
    years = values.shape[0]
    months = _detrended(values).reshape(12 * years, *values.shape[2:])
    power = (months**2).sum(axis=0)
    spread = np.sqrt(power / (12 * (years - 2)))
    return spread, (months[1:] * months[:-1]).sum(axis=0) / power


def _detrended(values: np.ndarray) -> np.ndarray:
    """Return values without mean and linear trend over the first axis; NaN for series with gaps."""
    line = np.arange(values.shape[0]) - 0.5 * (values.shape[0] - 1)
    centred = values - values.mean(axis=0)
    slope = np.tensordot(line, centred, axes=1) / (line**2).sum()
    return centred - line.reshape(-1, *[1] * (values.ndim - 1)) * slope
