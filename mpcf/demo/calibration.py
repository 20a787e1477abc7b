"""Calibration: what the ensemble gives beside published figures, misses included.

Like is compared with like: permafrost counts to 3 m, north of 45° N, without ice sheets; soil
carbon counts to 3 m, partial layers by overlap; trends are taken over the years of the figure.
Nothing here looks at net carbon uptake, at carbon lost or at a response to moisture.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import xarray as xr

from mpcf.demo import carbon, climate, column
from mpcf.ground.constants import FREEZING_POINT
from mpcf.ground.thaw import land_area, layer_overlap, permafrost_area
from mpcf.yearly.reduction import CURTAIN_DEPTH

if TYPE_CHECKING:
    import pandas as pd


__all__ = [
    "FIGURES",
    "Figure",
    "calibration",
    "carbon_share",
    "control_variability",
    "monthly_variability",
    "warming_after_emissions",
    "yearly_variability",
]

BASE = slice(2000, 2014)
"""Years that stand for today."""

WARMING_UP = slice(2000, 2100)
"""Years over which transient sensitivities are fitted."""

STABLE = slice(2280, 2300)
"""Years in which temperature is nearly steady."""

TREND_YEARS = slice(2001, 2018)
"""Years of the active layer's trend: those of Strand et al., from the first with a value."""

CARBON_DEPTH = 3.0
"""Depth, m, to which published soil carbon is counted."""

BURKE_DEPTH = 2.0
"""Depth, m, of Burke et al.'s frozen volume."""

TOOLIK = {"lat": 68.63, "lon": -149.6}
"""Degrees."""

TOOLIK_YEARS = slice(2000, 2012)
"""Thirteen years, as many as the record has."""

WINDOW = 100
"""Years of the windows in which global variability is measured."""


class Figure(NamedTuple):
    """A quantity and its published range.

    Attributes
    ----------
    quantity, unit : str
    low, high : float
        Range, in the unit.
    source : str
        Where it stands, with DOI; or that the range is our own.
    adjusted : bool
        Whether parameters were adjusted for it.
    """

    quantity: str
    unit: str
    low: float
    high: float
    source: str
    adjusted: bool = False


ACCESS = "ACCESS-ESM1-5 2000-2014 (CMIP6), {}, and Toolik (USDA NRCS), {}"
BURKE = "Burke et al. 2020, doi 10.5194/tc-14-3155-2020"
CESM2 = "95 % of 100-year windows of CESM2's control run (CMIP6)"
CHADBURN = "Chadburn et al. 2017, doi 10.1038/nclimate3262"
FLAT10 = "{} ± 0.1 in CESM2: Sanderson et al. 2025, doi 10.5194/gmd-18-5699-2025"
NRCS = "Toolik 1999-2011 (USDA NRCS), 95 % interval from years drawn with replacement"
REGION = "north of 45° N"

FIGURES = {
    "area": Figure(
        f"permafrost area, 2000-2014, {REGION}",
        "1e6 km2",
        12.0,
        17.0,
        "own range; 13.6-19.0 with Tibet: Ran et al. 2022, doi 10.5194/essd-14-865-2022",
        adjusted=True,
    ),
    "area_transient": Figure(
        "permafrost area lost per global warming, 2000-2100",
        "1e6 km2 K-1",
        2.0,
        6.0,
        f"own range about {CHADBURN}",
    ),
    "area_stable": Figure(
        "permafrost area lost per global warming, by 2280-2300",
        "1e6 km2 K-1",
        2.9,
        5.0,
        f"{CHADBURN}, at stabilisation",
    ),
    "frozen_3m": Figure(
        "soil frozen all year, top 3 m, per global warming, 2000-2100",
        "% K-1",
        -40.0,
        -10.0,
        f"{BURKE}, for the next row; CESM2 itself -22.5 (IPCC AR6 WGI, figure 9.22)",
    ),
    "frozen_2m": Figure(
        "annual mean frozen soil, top 2 m, per global warming, 2000-2100",
        "% K-1",
        -40.0,
        -10.0,
        BURKE,
    ),
    "active_layer": Figure(
        "active layer, 2000-2014, median by area",
        "m",
        0.5,
        1.5,
        "own range; regional means 0.48-1.64: Luo et al. 2016, doi 10.1007/s12665-015-5229-2",
        adjusted=True,
    ),
    "active_layer_trend": Figure(
        "active layer, trend 2001-2018",
        "cm decade-1",
        2.8,
        10.4,
        "Alaska: Nyland et al. 2021, doi 10.1080/1088937X.2021.1988000; "
        "mean of the Arctic 8: Strand et al. 2021, doi 10.1002/ppp.2088",
    ),
    "carbon": Figure(
        "soil carbon, top 3 m of permafrost cells, 2000-2014",
        "PgC",
        885.0,
        1185.0,
        "1035 ± 150, sporadic permafrost included: Hugelius et al. 2014, "
        "doi 10.5194/bg-11-6573-2014",
        adjusted=True,
    ),
    "gpp": Figure(
        f"photosynthesis, 2000-2014, {REGION}", "PgC yr-1", 20.0, 30.0, "own range", adjusted=True
    ),
    "precipitation": Figure(
        f"precipitation per local warming, 2000-2100, {REGION}",
        "% K-1",
        3.0,
        6.0,
        "own range about 4.5: Bintanja and Selten 2014, doi 10.1038/nature13259",
        adjusted=True,
    ),
    "warming_100": Figure(
        "warming at year 100 of 10 PgC yr-1", "K", 1.80, 2.00, FLAT10.format(1.9)
    ),
    "warming_200": Figure(
        "warming 100 years after these emissions end", "K", 1.75, 1.95, FLAT10.format(1.85)
    ),
    "warming_300": Figure(
        "warming 200 years after these emissions end", "K", 1.95, 2.15, FLAT10.format(2.05)
    ),
    "global_spread": Figure(
        "global temperature of unforced years, standard deviation", "K", 0.09, 0.139, CESM2, True
    ),
    "global_lag_1": Figure(
        "global temperature of unforced years, lag-1 correlation", "1", 0.27, 0.65, CESM2, True
    ),
    "air_spread": Figure(
        f"monthly air temperature, standard deviation in 2000-2014, {REGION}",
        "K",
        2.2,
        3.1,
        ACCESS.format(2.2, 3.1),
        adjusted=True,
    ),
    "air_lag_1": Figure(
        f"monthly air temperature, lag-1 correlation in 2000-2014, {REGION}",
        "1",
        0.05,
        0.21,
        ACCESS.format(0.21, 0.05),
        adjusted=True,
    ),
    "toolik_air_spread": Figure(
        "monthly air temperature at Toolik, standard deviation", "K", 2.9, 3.5, NRCS
    ),
    "toolik_air_lag_1": Figure(
        "monthly air temperature at Toolik, lag-1 correlation", "1", -0.15, 0.22, NRCS
    ),
    "toolik_soil_spread": Figure(
        "monthly soil temperature at Toolik, 0.3 m, standard deviation", "K", 1.5, 2.1, NRCS
    ),
    "toolik_soil_lag_1": Figure(
        "monthly soil temperature at Toolik, 0.3 m, lag-1 correlation", "1", 0.48, 0.66, NRCS
    ),
    "toolik_zero_curtain": Figure(
        "zero curtain at Toolik, 0.3 m, mean, by monthly means", "d", 19.0, 31.0, NRCS
    ),
}
"""What the ensemble is held against. The test-suite computes the ranges of CESM2 and of Toolik
anew from the records."""


def calibration(yearly: xr.Dataset, monthly: xr.Dataset | None = None) -> pd.DataFrame:
    """Hold the ensemble against published figures.

    Parameters
    ----------
    yearly : Dataset (member, year, ...)
        From :func:`mpcf.yearly.reduction.to_yearly`, with ``warming`` and ``cSoil``; from 2000 on.
    monthly : Dataset (member, time, ...), optional
        The standard monthly dataset. Without it, the quantities that need months are left out.

    Returns
    -------
    pandas.DataFrame
        One row a quantity, columns: name, quantity, value, unit, low, high, verdict
        (``inside`` or ``missed``), group (``adjusted for`` or ``checked``), source.

    Raises
    ------
    ValueError
        If a year that is needed, ``warming`` or ``cSoil`` is missing, or if a quantity can't be
        computed because the ensemble has no permafrost or no soil at Toolik.
    """
    import pandas as pd

    _check(yearly)
    values = dict(_permafrost(yearly)) | dict(_carbon(yearly)) | dict(_climate(yearly))
    if monthly is not None:
        values |= dict(_months(yearly, monthly))
    rows = []
    for name, figure in FIGURES.items():
        if name not in values:
            continue
        value = float(values[name])
        if not np.isfinite(value):
            raise ValueError(f"the ensemble gives no value of {figure.quantity!r}")
        inside = figure.low <= value <= figure.high
        rows.append(
            {
                "name": name,
                "quantity": figure.quantity,
                "value": value,
                "unit": figure.unit,
                "low": figure.low,
                "high": figure.high,
                "verdict": "inside" if inside else "missed",
                "group": "adjusted for" if figure.adjusted else "checked",
                "source": figure.source,
            }
        )
    return pd.DataFrame(rows)


def _check(yearly: xr.Dataset) -> None:
    missing = [name for name in ("warming", "cSoil") if name not in yearly]
    if missing:
        raise ValueError(f"the yearly dataset lacks {', '.join(missing)}: make the demonstration")
    first, last = int(yearly["year"].min()), int(yearly["year"].max())
    if first > BASE.start or last < STABLE.stop:
        raise ValueError(
            f"the yearly dataset has {first}-{last}; calibration needs {BASE.start}-{STABLE.stop}"
        )


def _region(yearly: xr.Dataset) -> xr.DataArray:
    """Cells with permafrost in half of the base years and members or more."""
    return (_today(yearly["permafrost"]) >= 0.5).load()


def _today(values: xr.DataArray) -> xr.DataArray:
    """Mean over members and base years of what there is; NaN, without a warning, in the sea."""
    base = values.sel(year=BASE)
    count = base.notnull().sum(("member", "year"))
    return base.sum(("member", "year")) / count.where(count > 0)


def _slope(values: xr.DataArray, warming: xr.DataArray) -> float:
    """Change of a yearly series per warming, both averaged over members, 2000-2100."""
    y = values.sel(year=WARMING_UP).mean("member")
    x = warming.sel(year=WARMING_UP).mean("member").where(y.notnull())
    return float(xr.cov(x, y, dim="year", ddof=0) / x.var("year"))


def _permafrost(yearly: xr.Dataset) -> Iterator[tuple[str, float]]:
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
    # Only where there is a value in each year: else cells that thaw would leave the mean.
    trend = years.polyfit("year", 1, skipna=False)["polyfit_coefficients"].sel(degree=1)
    yield "active_layer_trend", 1000.0 * float(trend.weighted(land).mean())


def _median(values: xr.DataArray, weight: xr.DataArray) -> float:
    known = values.notnull().values
    if not known.any():
        return np.nan
    x, w = values.values[known], weight.values[known]
    order = np.argsort(x)
    half = np.cumsum(w[order])
    return float(x[order][np.searchsorted(half, 0.5 * half[-1])])


def carbon_share(soil_temperature: np.ndarray) -> np.ndarray:
    """Return the share of a cell's soil carbon that lies above 3 m.

    The stored soil carbon is that of the whole column. The profile is that of the slow stock by
    which the ensemble starts, :func:`mpcf.demo.carbon.slow_stock`, to which litter is
    proportional at rest; the layer across 3 m counts by overlap.

    Parameters
    ----------
    soil_temperature : ndarray (cell,)
        Mean of the column, °C.

    Returns
    -------
    ndarray (cell,)

    Examples
    --------
    >>> carbon_share(np.array([-10.0, 10.0])).round(3)
    array([0.905, 0.998])
    """
    stock = carbon.slow_stock(soil_temperature)
    edges = np.concatenate([[0.0], np.cumsum(column.THICKNESS[: column.WET_LAYERS])])
    above = np.clip((CARBON_DEPTH - edges[:-1]) / np.diff(edges), 0.0, 1.0)
    return (stock * above).sum(axis=1) / stock.sum(axis=1)


def _carbon(yearly: xr.Dataset) -> Iterator[tuple[str, float]]:
    land = land_area(yearly)
    middle = 0.5 * _today(yearly["tsl_max"] + yearly["tsl_min"])
    soil = middle.mean("depth").load()
    share = soil.copy(data=carbon_share(soil.values.ravel()).reshape(soil.shape))
    stock = _today(yearly["cSoil"]).where(_region(yearly))
    yield "carbon", float((stock * share * land).sum()) / 1e12
    yield "gpp", float((_today(yearly["gpp"]) * land).sum()) / 1e15


def _climate(yearly: xr.Dataset) -> Iterator[tuple[str, float]]:
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


def _by_year(months: xr.DataArray, years: slice) -> xr.DataArray:
    """Months of some years as (..., year, month), in double precision."""
    inside = (months["time"].dt.year >= years.start) & (months["time"].dt.year <= years.stop)
    values = months.isel(time=inside.values).drop_vars("time").astype("float64")
    return values.coarsen(time=12).construct(time=("year", "month")).load()


def _annual_mean_frozen(yearly: xr.Dataset, monthly: xr.Dataset) -> float:
    """Change per warming of the annual mean of frozen soil in the top 2 m, % of today's, K-1.

    Burke et al. count the soil at or below 0 °C in the permafrost region in each month.
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
    """Return the warming by 10 PgC a year for 100 years, then none.

    Returns
    -------
    ndarray (3,)
        At years 100, 200 and 300, K.
    """
    years = np.arange(1850, 2151)
    _, warming = climate.run_fair(years, np.where(years < 1950, 10.0, 0.0))
    return warming[0, [100, 200, 300]]


def control_variability() -> tuple[float, float]:
    """Return the variability of yearly global temperature without emissions.

    Returns
    -------
    spread : float
        Standard deviation, K: the mean over 36 windows of 100 years.
    lag_1 : float
        Correlation of a year and the next, likewise.
    """
    _, temperature = climate.run_fair(np.arange(1000, 2200), np.zeros(1200), [7, 8, 9])
    spread, lag = yearly_variability(temperature)
    return float(spread.mean()), float(lag.mean())


def yearly_variability(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Measure a yearly series in windows of 100 years, each without its trend.

    Parameters
    ----------
    values : ndarray (..., year)
        A multiple of 100 years.

    Returns
    -------
    spread : ndarray (window,)
        Standard deviation, in the unit of the values.
    lag_1 : ndarray (window,)
        Correlation of a year and the next.

    Examples
    --------
    >>> wave = np.sin(np.pi * np.arange(200) / 2)
    >>> [part.round(1).tolist() for part in yearly_variability(wave)]
    [[0.7, 0.7], [-0.0, -0.0]]
    """
    parts = _without_trend(np.reshape(values, (-1, WINDOW)).T).T
    power = (parts**2).sum(axis=1)
    return np.sqrt(power / (WINDOW - 2)), (parts[:, 1:] * parts[:, :-1]).sum(axis=1) / power


def monthly_variability(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Measure monthly anomalies, each about its calendar month's mean and trend.

    Parameters
    ----------
    values : ndarray (year, 12, ...)

    Returns
    -------
    spread : ndarray (...)
        Standard deviation over all calendar months together, in the unit of the values; NaN
        where the series has a gap.
    lag_1 : ndarray (...)
        Correlation of a month and the next.

    Examples
    --------
    >>> noise = np.random.default_rng(0).normal(size=(2000, 12))
    >>> round(float(monthly_variability(3.0 * noise)[0]), 1)
    3.0
    """
    years = values.shape[0]
    months = _without_trend(values).reshape(12 * years, *values.shape[2:])
    power = (months**2).sum(axis=0)
    spread = np.sqrt(power / (12 * (years - 2)))
    return spread, (months[1:] * months[:-1]).sum(axis=0) / power


def _without_trend(values: np.ndarray) -> np.ndarray:
    """Take mean and straight line out of the first axis; series with a gap become NaN."""
    line = np.arange(values.shape[0]) - 0.5 * (values.shape[0] - 1)
    centred = values - values.mean(axis=0)
    slope = np.tensordot(line, centred, axes=1) / (line**2).sum()
    return centred - line.reshape(-1, *[1] * (values.ndim - 1)) * slope
