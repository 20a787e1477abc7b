"""The known effect of moisture's change, from a source's twins, and how close a regression gets.

A source with twins has run the same members in worlds where moisture did not change. The difference
is the effect itself: *lasting*, including the changed stocks that it leaves behind, or
*instantaneous*, on the stocks as they are. A regression's b · Δx is an estimate of the latter.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import xarray as xr

from mpcf.method.attribution import regional_carbon
from mpcf.method.design import Design, petagrams, region_cells
from mpcf.method.moisture import MEANINGS
from mpcf.method.periods import Period, since_base
from mpcf.method.regression import response
from mpcf.method.statistics import weighted_correlation

MOISTURE = ("photosynthesis", "decomposition")
"""Causes, among the twins' effects, through which moisture acts."""

TRUE_MEANING = {name: meaning.true_meaning for name, meaning in MEANINGS.items()}
"""Meaning of the truth next to which each meaning of a predictor stands."""


def effect_of(
    causes: Sequence[str], effects: xr.Dataset, kind: str = "nep", *, lasting: bool = True
) -> xr.DataArray:
    """Return the effect of the change of some inputs on a carbon flux since the base period.

    Parameters
    ----------
    causes : sequence of str
        Causes of the twins whose effects are added up.
    effects : Dataset (meaning, cause, member, year, lat, lon)
        Of the twins.
    kind : str
        Carbon flux, see `mpcf.method.regression.response`.
    lasting : bool
        Whether the effect includes the stocks that it leaves behind, averaged over the orders in
        which causes may come (Shapley values), or is that on the stocks as they are.

    Returns
    -------
    DataArray (meaning, member, year, lat, lon)
        gC m-2 yr-1, zero in the mean of the base period.
    """
    names = ("gpp", "ra", "rh")
    chosen = {v: effects[v if lasting else f"{v}_instant"] for v in names}
    together = xr.Dataset(chosen).sel(cause=list(causes)).sum("cause", min_count=len(causes))
    return since_base(response(together, kind))


def moisture_effect(effects: xr.Dataset, kind: str = "nep", *, lasting: bool = True):
    """Return the effect of moisture's change on a carbon flux since the base period.

    Parameters
    ----------
    effects : Dataset (meaning, cause, member, year, lat, lon)
        Of the twins.
    kind : str
        Carbon flux, see `mpcf.method.regression.response`.
    lasting : bool
        See `effect_of`.

    Returns
    -------
    DataArray (meaning, member, year, lat, lon)
        gC m-2 yr-1, zero in the mean of the base period.
    """
    return effect_of(MOISTURE, effects, kind, lasting=lasting)


def period_effect(
    effect: xr.DataArray, region: xr.DataArray, periods: Mapping[str, tuple[int, int]]
) -> xr.DataArray:
    """Return an effect summed over the region and the years of each period.

    Parameters
    ----------
    effect : DataArray (..., year, lat, lon)
        gC m-2 yr-1.
    region : DataArray (lat, lon)
        m2.
    periods : mapping of str to (int, int)
        Inclusive first and last year of each period.

    Returns
    -------
    DataArray (period, ...)
        PgC.
    """
    yearly = regional_carbon(effect, region)
    parts = [yearly.sel(year=slice(*years)).sum("year") for years in periods.values()]
    return xr.concat(parts, xr.Variable("period", list(periods)))


def score_against_truth(
    y: xr.DataArray,
    null: xr.DataArray,
    x: xr.DataArray,
    truth: xr.DataArray,
    region: xr.DataArray,
    years: tuple[int, int],
    estimator: str,
) -> dict[str, float]:
    r"""Return moisture's contribution by a regression, and the truth.

    Every cell is fitted over all years up to the end of the period. The *null test* fits the same
    predictors to fluxes on which moisture has no effect: its contribution should be zero.

    Parameters
    ----------
    y : DataArray (member, year, lat, lon)
        Uptake, gC m-2 yr-1.
    null : DataArray (member, year, lat, lon)
        Uptake of the twins on which moisture has no effect, gC m-2 yr-1.
    x : DataArray (predictor, member, year, lat, lon)
        Predictors, among them ``moisture``.
    truth : DataArray (member, year, lat, lon)
        Moisture's effect since the base period, gC m-2 yr-1.
    region : DataArray (lat, lon)
        m2.
    years : tuple of int
        Inclusive first and last year of the period.
    estimator : str
        See `mpcf.method.regression.transform`.

    Returns
    -------
    dict
        ``estimate``, ``null`` and ``truth``: PgC over the period and the region, mean of the
        members, the first two NaN where no cell can be fitted; ``pattern``: correlation of the
        maps of estimate and truth, weighted by area.
    """
    found = _beside_truth(y, {"moisture": (null, truth)}, x, region, years, estimator)
    return {name: float(values.item()) for name, values in found.items()}


def null_tests(
    yearly: xr.Dataset,
    null: xr.Dataset,
    effects: xr.Dataset,
    x: xr.DataArray,
    region: xr.DataArray,
    years: tuple[int, int],
    estimator: str,
    *,
    meaning: str,
    kind: str = "nep",
) -> xr.Dataset:
    r"""Return every predictor's contribution, what its null test finds, and its true effect.

    The null test of a predictor fits the same predictors to fluxes on which that one has no effect,
    so that its own contribution should be zero. Precipitation has no effect on carbon at given
    moisture: its null run is the full run, its true effect zero. Temperature includes the phase of
    water where moisture is total water; no twin takes both away, and its null test is unknown.

    Parameters
    ----------
    yearly : Dataset (member, year, lat, lon)
        Fluxes of the members.
    null : Dataset (without, member, year, lat, lon)
        Fluxes of the twins on which one input has no effect.
    effects : Dataset (meaning, cause, member, year, lat, lon)
        Instantaneous effects of the twins.
    x : DataArray (predictor, member, year, lat, lon)
        Predictors; those without a known truth are fitted, but not returned.
    region : DataArray (lat, lon)
        m2.
    years : tuple of int
        Inclusive first and last year of the period; all years up to its end are fitted.
    estimator : str
        See `mpcf.method.regression.transform`.
    meaning : str
        Meaning of water that the twins held, one of `TRUE_MEANING`'s values.
    kind : str
        Carbon flux, see `mpcf.method.regression.response`.

    Returns
    -------
    Dataset (predictor)
        ``estimate``, ``null``, ``truth`` and ``pattern``, as in `score_against_truth`.
    """
    y = response(yearly, kind)
    unmoved = response(null, kind)

    def true(*causes: str) -> xr.DataArray:
        return effect_of(causes, effects, kind, lasting=False).sel(meaning=meaning, drop=True)

    known = {
        "moisture": (unmoved.sel(without=meaning, drop=True), true(*MOISTURE)),
        "temperature": (unmoved.sel(without="temperature", drop=True), true("temperature")),
        "precipitation": (y, xr.zeros_like(y)),
        "co2": (unmoved.sel(without="co2", drop=True), true("co2")),
    }
    chosen = {name: known[name] for name in x["predictor"].values if name in known}
    found = _beside_truth(y, chosen, x, region, years, estimator)
    if meaning == "total":
        found["null"] = found["null"].where(found["predictor"] != "temperature")
    return found


def _beside_truth(
    y: xr.DataArray,
    known: Mapping[str, tuple[xr.DataArray, xr.DataArray]],
    x: xr.DataArray,
    region: xr.DataArray,
    years: tuple[int, int],
    estimator: str,
) -> xr.Dataset:
    """Return the scores of predictors, each with its null run and its true effect (predictor)."""
    period, names = Period(*years), list(known)
    runs = [null for null, _ in known.values()]
    fluxes = xr.concat([y, *runs], xr.Variable("flux", ["full", *names]))
    area, fluxes, x = region_cells(region, fluxes, x)
    part = Design(fluxes, x, estimator).contributions(period)
    found = []
    for name, (_, truth) in known.items():
        own = part.sel(predictor=name, drop=True)
        _, effect = region_cells(region, truth)
        whole = effect.sel(year=period.years).mean("member").sum("year")
        full, null = (own.sel(flux=run, drop=True) for run in ("full", name))
        maps = {"estimate": full, "null": null, "truth": whole}
        one = xr.Dataset({kind: petagrams(density, area) for kind, density in maps.items()})
        pattern = weighted_correlation(full.values, whole.values, area.values)
        found.append(one.assign(pattern=pattern))
    return xr.concat(found, xr.Variable("predictor", names))
