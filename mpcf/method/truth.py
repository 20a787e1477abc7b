"""The known effect of moisture's change, from a source's twins, and how close a regression gets.

A source with twins has run the same members in worlds where moisture did not change. The difference
is the effect itself: *lasting*, including the changed stocks that it leaves behind, or
*instantaneous*, on the stocks as they are. A regression's b · Δx is an estimate of the latter.
"""

from __future__ import annotations

from collections.abc import Mapping

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


def moisture_effect(effects: xr.Dataset, kind: str = "nep", *, lasting: bool = True):
    """Return the effect of moisture's change on a carbon flux since the base period.

    Parameters
    ----------
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
    both = xr.Dataset(chosen).sel(cause=list(MOISTURE)).sum("cause", min_count=2)
    effect = response(both, kind)
    return since_base(effect)


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
    period = Period(*years)
    area, y, null, x, truth = region_cells(region, y, null, x, truth)
    fluxes = xr.concat([y, null], xr.Variable("flux", ["full", "null"]))
    part = Design(fluxes, x, estimator).contributions(period).sel(predictor="moisture")
    whole = truth.sel(year=period.years).mean("member").sum("year")
    carbon = petagrams(part, area)
    return {
        "estimate": float(carbon.sel(flux="full")),
        "null": float(carbon.sel(flux="null")),
        "truth": float(petagrams(whole, area)),
        "pattern": weighted_correlation(part.sel(flux="full").values, whole.values, area.values),
    }
