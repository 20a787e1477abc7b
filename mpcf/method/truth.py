"""Known truth: what moisture's change did, from a source's twins, and how near a regression comes.

A source with twins has run the same members in worlds where moisture did not change. The
difference is the effect itself: *lasting*, with the stocks that it leaves behind, or
*instantaneous*, on the stocks as they are. A regression's b · Δx is an estimate of the latter.
"""

from __future__ import annotations

import xarray as xr

from mpcf.method.attribution import GRAMS_PER_PETAGRAM
from mpcf.method.periods import since_base
from mpcf.method.regression import coefficients, response
from mpcf.method.statistics import weighted_correlation

MOISTURE = ("photosynthesis", "decomposition")
"""Causes in the twins' effects by which moisture acts."""

TRUE_MEANING = {"liquid": "liquid", "total": "total", "thaw_wetness": "total"}
"""Meaning of the truth beside which each meaning of a predictor stands. How wet the thawed layer
is has nothing to do with how deep it is, so its effect is that of the amount of water."""


def moisture_effect(effects: xr.Dataset, kind: str = "nep", *, lasting: bool = True):
    """Effect of moisture's change on a carbon flux, since the base period.

    Parameters
    ----------
    effects : Dataset (meaning, cause, member, year, lat, lon)
        Of the twins.
    kind : str
        Carbon flux, see `mpcf.method.regression.response`.
    lasting : bool
        With the stocks that the effect leaves behind, averaged over the orders in which causes
        may come (Shapley values); otherwise on the stocks as they are.

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


def phase_effect(
    effect: xr.DataArray, region: xr.DataArray, phases: dict[str, tuple[int, int]]
) -> xr.DataArray:
    """Sum an effect over the region and the years of each phase.

    Parameters
    ----------
    effect : DataArray (..., year, lat, lon)
        gC m-2 yr-1.
    region : DataArray (lat, lon)
        m2.
    phases : dict
        Inclusive first and last year of each phase.

    Returns
    -------
    DataArray (phase, ...)
        PgC.
    """
    yearly = (effect * region).sum(("lat", "lon")) / GRAMS_PER_PETAGRAM
    parts = [yearly.sel(year=slice(*years)).sum("year") for years in phases.values()]
    return xr.concat(parts, xr.DataArray(list(phases), dims="phase", name="phase"))


def score_against_truth(
    y: xr.DataArray,
    null: xr.DataArray,
    x: xr.DataArray,
    truth: xr.DataArray,
    region: xr.DataArray,
    years: tuple[int, int],
    estimator: str,
) -> dict[str, float]:
    r"""Hold moisture's contribution by a regression against the truth.

    Every cell is fitted over all years up to the end of the phase. The *null test* fits the same
    predictors to fluxes on which moisture has no effect: its contribution should be zero.

    Parameters
    ----------
    y : DataArray (member, year, lat, lon)
        Uptake, gC m-2 yr-1.
    null : DataArray (member, year, lat, lon)
        Uptake of the twins on which moisture has no effect, gC m-2 yr-1.
    x : DataArray (predictor, member, year, lat, lon)
        Predictors, with ``moisture`` first.
    truth : DataArray (member, year, lat, lon)
        Moisture's effect since the base period, gC m-2 yr-1.
    region : DataArray (lat, lon)
        m2.
    years : tuple of int
        Inclusive first and last year of the phase.
    estimator : str
        See `mpcf.method.regression.transform`.

    Returns
    -------
    dict
        ``estimate``, ``null`` and ``truth``: PgC over the phase and the region, mean of the
        members, the first two NaN where no cell can be fitted; ``pattern``: correlation of the
        maps of estimate and truth, weighted by area.
    """
    inside = region.stack(cell=("lat", "lon"))
    inside = inside[inside > 0]
    cells = {"cell": inside["cell"]}
    y, null, x, truth = (a.stack(cell=("lat", "lon")).sel(cells) for a in (y, null, x, truth))
    last = slice(None, years[1])
    fluxes = xr.concat([y, null], xr.Variable("flux", ["full", "null"])).sel(year=last)
    moisture = x.sel(predictor="moisture")
    change = since_base(moisture)
    b = coefficients(fluxes, x.sel(year=last), estimator).sel(predictor="moisture")
    during = slice(*years)
    part = b * change.sel(year=during).mean("member").sum("year")
    whole = truth.sel(year=during).mean("member").sum("year")
    grams = (part * inside).sum("cell", min_count=1) / GRAMS_PER_PETAGRAM
    return {
        "estimate": float(grams.sel(flux="full")),
        "null": float(grams.sel(flux="null")),
        "truth": float((whole * inside).sum("cell") / GRAMS_PER_PETAGRAM),
        "pattern": weighted_correlation(part.sel(flux="full").values, whole.values, inside.values),
    }
