"""Candidate specifications: a list that was fixed before any of them was scored.

A candidate is a set of terms that are fitted together. Moisture's contribution is what the fitted
terms give with moisture as it was, less what they give with moisture held as in the base period,
so that terms which are not linear in moisture are attributed too.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import xarray as xr

from mpcf.ground.thaw import PERMAFROST_DEPTH
from mpcf.ground.years import refuse_gaps
from mpcf.method.design import Design, petagrams, region_cells
from mpcf.method.moisture import MEANINGS, moisture_index
from mpcf.method.periods import base_mean, periods_within
from mpcf.method.regression import ESTIMATORS
from mpcf.method.statistics import weighted_correlation
from mpcf.method.truth import TRUE_MEANING

Terms = dict[str, xr.DataArray]


def _plain(m: xr.DataArray, _yearly: xr.Dataset) -> Terms:
    return {"moisture": m}


def _with_co2(m: xr.DataArray, yearly: xr.Dataset) -> Terms:
    return {"moisture": m, "co2": yearly["co2"].broadcast_like(m)}


def _with_thawed_carbon(m: xr.DataArray, yearly: xr.Dataset) -> Terms:
    share = yearly["thaw_depth"].clip(max=PERMAFROST_DEPTH) / PERMAFROST_DEPTH
    return {"moisture": m, "thawed carbon": yearly["cSoil"] * share}


def _with_snow(m: xr.DataArray, yearly: xr.Dataset) -> Terms:
    return {"moisture": m, "snow": yearly["snow"]}


def _squared(m: xr.DataArray, _yearly: xr.Dataset) -> Terms:
    return {"moisture": m, "moisture squared": m**2}


def _times_temperature(m: xr.DataArray, yearly: xr.Dataset) -> Terms:
    temperature = yearly["temperature"].sel(season="thaw", drop=True)
    return {"moisture": m, "moisture × temperature": m * temperature}


def _lagged(m: xr.DataArray, _yearly: xr.Dataset) -> Terms:
    refuse_gaps("lagged predictors", m, instead="select consecutive years or another candidate")
    before = m.shift(year=1)
    first = m["year"] == m["year"][0]
    return {"moisture": m, "moisture a year ago": xr.where(first, m, before)}


def _by_regime(m: xr.DataArray, yearly: xr.Dataset) -> Terms:
    frozen = yearly["permafrost"].astype("float64").bfill("year").fillna(0.0)
    return {"moisture, permafrost": m * frozen, "moisture, none": m * (1.0 - frozen)}


CANDIDATES: dict[str, Callable[[xr.DataArray, xr.Dataset], Terms]] = {
    "plain": _plain,
    "and CO2": _with_co2,
    "and thawed carbon": _with_thawed_carbon,
    "and snow": _with_snow,
    "squared": _squared,
    "times temperature": _times_temperature,
    "lagged": _lagged,
    "by regime": _by_regime,
}
"""Terms of each candidate; temperature and precipitation of the same season are added to them."""

_FIELDS = [
    *("temperature", "precipitation", *(meaning.variable for meaning in MEANINGS.values())),
    *("co2", "thaw_depth", "cSoil", "snow", "permafrost"),
]


def candidate_predictors(
    yearly: xr.Dataset, moisture: xr.DataArray, candidate: str, season: str = "year"
) -> xr.DataArray:
    """Return the terms of a candidate for one course of moisture.

    Parameters
    ----------
    yearly : Dataset
        The yearly dataset.
    moisture : DataArray (member, year, lat, lon)
        Moisture as it was, or as in the base period.
    candidate : str
        One of `CANDIDATES`.
    season : {"year", "thaw"}
        Season of temperature and precipitation.

    Returns
    -------
    DataArray (predictor, member, year, lat, lon)
        Terms, each in its own unit.

    Raises
    ------
    DataError
        If the candidate is ``lagged`` and years are not consecutive.
    """
    terms = CANDIDATES[candidate](moisture, yearly)
    for name in ("temperature", "precipitation"):
        terms[name] = yearly[name].sel(season=season, drop=True)
    parts = [part.astype("float64").drop_attrs() for part in terms.values()]
    names = xr.DataArray(list(terms), dims="predictor", name="predictor")
    return xr.concat(parts, names, coords="minimal", compat="override").reset_coords(drop=True)


def score_candidates(
    yearly: xr.Dataset,
    y: xr.DataArray,
    null: xr.DataArray,
    truth: xr.DataArray,
    region: xr.DataArray,
    periods: Mapping[str, tuple[int, int]],
) -> list[dict[str, float | str]]:
    """Return what every candidate finds beside the truth.

    Parameters
    ----------
    yearly : Dataset (member, year, lat, lon)
        The yearly dataset.
    y : DataArray (member, year, lat, lon)
        Uptake, gC m-2 yr-1.
    null : DataArray (meaning, member, year, lat, lon)
        Uptake on which moisture has no effect, gC m-2 yr-1.
    truth : DataArray (meaning, member, year, lat, lon)
        Moisture's instantaneous effect since the base period, gC m-2 yr-1.
    region : DataArray (lat, lon)
        m2.
    periods : mapping of str to (int, int)
        Inclusive first and last year of each period; each is fitted over all years to its end.

    Returns
    -------
    list of dict
        ``moisture, candidate, estimator, stretch`` (the period, by the name that
        ``evidence/draws.csv`` gives its column) and, PgC over period and region, ``estimate``,
        ``null``, ``truth``, with ``pattern``, the correlation of the maps of estimate and truth.
        The first two are NaN where no cell can be fitted.

    Raises
    ------
    ValueError
        If a period has years that the data do not have.
    DataError
        If years are not consecutive.
    """
    checked = periods_within(periods, y)
    area, yearly, y, null, truth = region_cells(region, yearly[_FIELDS], y, null, truth)
    yearly = yearly.load()
    rows: list[dict[str, float | str]] = []
    for meaning, true_meaning in TRUE_MEANING.items():
        season = MEANINGS[meaning].season or "year"
        moisture = moisture_index(yearly, meaning, season=season).astype("float64")
        base = base_mean(moisture).broadcast_like(moisture)
        unmoved, effect = (a.sel(meaning=true_meaning, drop=True) for a in (null, truth))
        fluxes = xr.concat([y, unmoved], xr.Variable("flux", ["full", "null"]))
        for candidate in CANDIDATES:
            x, held = (candidate_predictors(yearly, m, candidate, season) for m in (moisture, base))
            for estimator in ESTIMATORS:
                design = Design(fluxes, x, estimator, reference=held)
                for name, period in checked.items():
                    part = design.contributions(period).sum("predictor", skipna=False)
                    whole = effect.sel(year=period.years).mean("member").sum("year")
                    carbon, map_found = petagrams(part, area), part.sel(flux="full")
                    rows.append(
                        {
                            "moisture": meaning,
                            "candidate": candidate,
                            "estimator": estimator,
                            "stretch": name,
                            "estimate": float(carbon.sel(flux="full")),
                            "null": float(carbon.sel(flux="null")),
                            "truth": float(petagrams(whole, area)),
                            "pattern": weighted_correlation(
                                map_found.values, whole.values, area.values
                            ),
                        }
                    )
    return rows


def summary(rows: list[dict[str, float | str]]):
    """Return how well the candidates do over many sets of parameters.

    Parameters
    ----------
    rows : list of dict
        From `score_candidates`, of many sets of parameters.

    Returns
    -------
    pandas.DataFrame
        By moisture, candidate, estimator and stretch (the period): ``right sign`` (% of the sets),
        ``error`` (median of ``|estimate − truth| / |truth|``), ``null`` (median of
        ``|null| / |truth|``),
        ``pattern`` (median).

    Examples
    --------
    >>> key = {"moisture": "liquid", "candidate": "plain", "estimator": "raw trend"}
    >>> row = key | {"stretch": "warming", "null": 0.5, "truth": -2.0, "pattern": 0.3}
    >>> summary([row | {"estimate": -1.0}, row | {"estimate": 1.0}])["right sign"].item()
    50.0
    """
    import pandas as pd

    frame = pd.DataFrame(rows)
    size = frame["truth"].abs()
    frame["right sign"] = 100.0 * (np.sign(frame["estimate"]) == np.sign(frame["truth"]))
    frame["error"] = (frame["estimate"] - frame["truth"]).abs() / size
    frame["null"] = frame["null"].abs() / size
    groups = frame.groupby(["moisture", "candidate", "estimator", "stretch"], sort=False)
    middle = groups[["error", "null", "pattern"]].median()
    return pd.concat([groups["right sign"].mean(), middle], axis=1)
