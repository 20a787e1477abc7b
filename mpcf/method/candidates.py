"""Candidate specifications: a list that was fixed before any of them was scored.

A candidate is a set of terms that are fitted together. Moisture's contribution is what the fitted
terms give with moisture as it was, less what they give with moisture held as in the base period,
so that terms which are not linear in moisture are attributed too.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import xarray as xr

from mpcf.ground.thaw import PERMAFROST_DEPTH
from mpcf.ground.years import refuse_gaps
from mpcf.method.design import Design, petagrams, region_cells
from mpcf.method.intervals import add_shared_error
from mpcf.method.moisture import MEANINGS, moisture_index, thawed_depth
from mpcf.method.periods import base_mean, periods_within
from mpcf.method.regression import (
    ALL_ESTIMATORS,
    coefficients,
    long_run_error,
    stack_predictors,
)
from mpcf.method.resampling import jackknife
from mpcf.method.shrinkage import ridge_coefficients
from mpcf.method.statistics import weighted_correlation
from mpcf.method.truth import TRUE_MEANING

Terms = dict[str, xr.DataArray]


def _plain(m: xr.DataArray, _yearly: xr.Dataset) -> Terms:
    return {"moisture": m}


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


def _thawed_carbon(yearly: xr.Dataset) -> xr.DataArray:
    share = yearly["thaw_depth"].clip(max=PERMAFROST_DEPTH) / PERMAFROST_DEPTH
    return yearly["cSoil"] * share


CONTROLS: dict[str, Callable[[xr.Dataset, str], xr.DataArray]] = {
    "temperature": lambda yearly, season: yearly["temperature"].sel(season=season, drop=True),
    "precipitation": lambda yearly, season: yearly["precipitation"].sel(season=season, drop=True),
    "co2": lambda yearly, season: yearly["co2"],
    "snow": lambda yearly, season: yearly["snow"],
    "thawed depth": lambda yearly, season: thawed_depth(yearly),
    "thawed carbon": lambda yearly, season: _thawed_carbon(yearly),
}
"""Terms beside moisture, from the yearly dataset and the season of the predictors."""


@dataclass(frozen=True)
class Candidate:
    """A specification that is scored against the truth.

    Attributes
    ----------
    terms : callable
        Terms of moisture.
    controls : tuple of str
        Terms beside them, of `CONTROLS`.
    split : bool
        Whether each term is split into its forced and its internal part, see `split_terms`.
    fit : callable
        How coefficients are fitted.
    """

    terms: Callable[[xr.DataArray, xr.Dataset], Terms] = _plain
    controls: tuple[str, ...] = ("temperature", "precipitation")
    split: bool = False
    fit: Callable[[xr.DataArray, xr.DataArray, str], xr.DataArray] = coefficients


STUDY = ("temperature", "precipitation")
"""Predictors beside moisture in the study's wording."""

DIAGRAM = ("temperature", "co2", "thawed depth")
"""Predictors that the causal diagram implies: see `mpcf.method.diagram`."""

CANDIDATES = {
    "plain": Candidate(),
    "and CO2": Candidate(controls=(*STUDY, "co2")),
    "and thawed carbon": Candidate(controls=(*STUDY, "thawed carbon")),
    "and snow": Candidate(controls=(*STUDY, "snow")),
    "and thawed depth": Candidate(controls=(*STUDY, "thawed depth")),
    "without precipitation": Candidate(controls=("temperature",)),
    "temperature and CO2": Candidate(controls=("temperature", "co2")),
    "temperature, CO2, thawed depth": Candidate(controls=DIAGRAM),
    "squared": Candidate(_squared),
    "times temperature": Candidate(_times_temperature),
    "lagged": Candidate(_lagged),
    "by regime": Candidate(_by_regime),
    "by regime, temperature and CO2": Candidate(_by_regime, ("temperature", "co2")),
    "forced and internal": Candidate(split=True),
    "ridge": Candidate(fit=ridge_coefficients),
}
"""Candidates by name: the study's predictors, sets that the causal diagram implies, terms that are
not linear, and other ways to fit."""


def split_terms(terms: Terms) -> Terms:
    r"""Return each term split into its forced and its internal part.

    .. math:: f_m = \frac{1}{M-1} \sum_{m' \ne m} x_{m'} , \qquad i_m = x_m - f_m .

    The mean of the *other* members is the forced change plus a remnant of their weather, but holds
    nothing of the member's own.

    Parameters
    ----------
    terms : dict of str to DataArray (member, year, ...)
        Terms by name.

    Returns
    -------
    dict of str to DataArray (member, year, ...)
        ``<name>, forced`` and ``<name>, internal``.

    Examples
    --------
    >>> m = xr.DataArray([[1.0], [2.0], [6.0]], dims=("member", "year"))
    >>> split_terms({"moisture": m})["moisture, forced"].values.ravel()
    array([4. , 3.5, 1.5])
    """
    out = {}
    for name, x in terms.items():
        others = ((x.sum("member", skipna=False) - x) / (x.sizes["member"] - 1)).transpose(*x.dims)
        out |= {f"{name}, forced": others, f"{name}, internal": x - others}
    return out


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
    chosen = CANDIDATES[candidate]
    terms = chosen.terms(moisture, yearly)
    for name in chosen.controls:
        terms[name] = CONTROLS[name](yearly, season).broadcast_like(moisture)
    if chosen.split:
        terms = split_terms(terms)
    return stack_predictors(terms)


def estimators_of(candidate: str) -> tuple[str, ...]:
    """Return the estimators by which a candidate can be fitted.

    Parameters
    ----------
    candidate : str
        One of `CANDIDATES`.

    Returns
    -------
    tuple of str
        All of them; a candidate whose terms are split has no year effects, which would leave the
        same variability in both parts.

    Examples
    --------
    >>> estimators_of("forced and internal")
    ('raw trend', 'first differences', 'decadal band')
    """
    split = CANDIDATES[candidate].split
    return tuple(e for e in ALL_ESTIMATORS if not (split and e == "year effects"))


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
    null : DataArray (without, member, year, lat, lon)
        Uptake on which one input has no effect, gC m-2 yr-1.
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
    area, yearly, y, null, truth = region_cells(
        region, yearly[[name for name in _FIELDS if name in yearly]], y, null, truth
    )
    yearly = yearly.load()
    rows: list[dict[str, float | str]] = []
    for meaning, true_meaning in TRUE_MEANING.items():
        season = MEANINGS[meaning].season or "year"
        moisture = moisture_index(yearly, meaning, season=season).astype("float64")
        base = base_mean(moisture).broadcast_like(moisture)
        unmoved = null.sel(without=true_meaning, drop=True)
        effect = truth.sel(meaning=true_meaning, drop=True)
        fluxes = xr.concat([y, unmoved], xr.Variable("flux", ["full", "null"]))
        for candidate in CANDIDATES:
            x, held = (candidate_predictors(yearly, m, candidate, season) for m in (moisture, base))
            for estimator in estimators_of(candidate):
                design = Design(fluxes, x, estimator, held, CANDIDATES[candidate].fit)
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


def contribution_intervals(
    yearly: xr.Dataset,
    y: xr.DataArray,
    region: xr.DataArray,
    periods: Mapping[str, tuple[int, int]],
    candidate: str = "plain",
    estimator: str = "raw trend",
    meaning: str = "liquid",
) -> xr.Dataset:
    """Return moisture's contribution by a candidate, with its interval over members.

    The jackknife leaves out members in turn; all estimators but year effects also have the error of
    the signal that members share, as in `mpcf.method.intervals`.

    Parameters
    ----------
    yearly : Dataset (member, year, lat, lon)
        The yearly dataset.
    y : DataArray (flux, member, year, lat, lon)
        Carbon fluxes, gC m-2 yr-1.
    region : DataArray (lat, lon)
        m2.
    periods : mapping of str to (int, int)
        Inclusive first and last year of each period; each is fitted over all years to its end.
    candidate : str
        One of `CANDIDATES`.
    estimator : str
        One of `estimators_of`.
    meaning : str
        Meaning of moisture, see `mpcf.method.moisture.MEANINGS`.

    Returns
    -------
    Dataset (period, flux)
        ``estimate``, ``low`` and ``high``, PgC over period and region; the bounds are NaN with
        fewer than `mpcf.method.regression.MIN_MEMBERS` members.

    Raises
    ------
    CatalogError
        If a period has years that the data do not have.
    """
    checked = periods_within(periods, y)
    area, yearly, y = region_cells(region, yearly[[name for name in _FIELDS if name in yearly]], y)
    season = MEANINGS[meaning].season or "year"

    def terms(some: xr.Dataset) -> tuple[xr.DataArray, ...]:
        moisture = moisture_index(some, meaning, season=season).astype("float64")
        base = base_mean(moisture).broadcast_like(moisture)
        return tuple(candidate_predictors(some, m, candidate, season) for m in (moisture, base))

    chosen, of_all = CANDIDATES[candidate], terms(yearly)

    def design(kept: list[int]) -> Design:
        # the parts of split terms depend on which members there are
        again = terms(yearly.isel(member=kept)) if chosen.split else None
        x, held = again or (part.isel(member=kept) for part in of_all)
        return Design(y.isel(member=kept), x, estimator, held, chosen.fit)

    def carbon(kept: list[int]) -> xr.DataArray:
        fitted = design(kept)
        parts = [
            petagrams(fitted.contributions(period).sum("predictor", skipna=False), area)
            for period in checked.values()
        ]
        whole = xr.concat(parts, xr.Variable("period", list(checked)))
        return whole.expand_dims(predictor=["moisture"])

    members = y.sizes["member"]
    found = jackknife(carbon, members)
    if estimator != "year effects":
        errors, freedom = [], []
        for period in checked.values():
            psi = petagrams(design(list(range(members))).influence(period).sum("predictor"), area)
            error, terms = long_run_error(psi.transpose("flux", "year").values)
            errors.append(error[:, None])
            freedom.append(terms)
        se = found["se"].transpose("period", "flux", "predictor").copy(data=errors)
        shared = xr.Dataset({"se": se, "degrees_of_freedom": ("period", freedom)})
        found = add_shared_error(found, shared)
    return found.isel(predictor=0, drop=True)


def summary(rows: list[dict[str, float | str]]):
    """Return how well the candidates do over many sets of parameters.

    Parameters
    ----------
    rows : list of dict
        From `score_candidates`, of many sets of parameters.

    Returns
    -------
    pandas.DataFrame
        By moisture, candidate, estimator and stretch (the period): ``right sign`` (% of the sets);
        ``naive``, what a guess that always names the more frequent true sign would reach (%);
        ``rank``, the rank correlation of estimate and truth over the sets; ``error`` (median of
        ``|estimate − truth| / |truth|``), ``null`` (median of ``|null| / |truth|``) and ``pattern``
        (median).

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
    frame["gain"] = 100.0 * (frame["truth"] > 0)
    frame["error"] = (frame["estimate"] - frame["truth"]).abs() / size
    frame["null"] = frame["null"].abs() / size
    by = ["moisture", "candidate", "estimator", "stretch"]
    ranked = frame[by].join(frame.groupby(by, sort=False)[["estimate", "truth"]].rank())
    rank = ranked.groupby(by, sort=False)[["estimate", "truth"]].corr().xs("truth", level=-1)
    groups = frame.groupby(by, sort=False)
    gain, middle = groups["gain"].mean(), groups[["error", "null", "pattern"]].median()
    naive = np.maximum(gain, 100.0 - gain).rename("naive")
    rank = rank["estimate"].rename("rank")
    return pd.concat([groups["right sign"].mean(), naive, rank, middle], axis=1)
