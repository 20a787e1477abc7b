"""Intervals of a contribution to the carbon balance."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import xarray as xr

from mpcf.errors import InvalidChoice
from mpcf.ground.years import refuse_gaps
from mpcf.method.attribution import period_carbon, with_lead
from mpcf.method.design import GRAMS_PER_PETAGRAM, Design, petagrams, region_cells, summed_change
from mpcf.method.member_draws import resample_members
from mpcf.method.panel import Panel
from mpcf.method.periods import base_period, periods_within
from mpcf.method.regression import (
    ESTIMATORS,
    MIN_MEMBERS,
    long_run_error,
    refuse_differences_over_gaps,
    refuse_one_member,
    transform,
)
from mpcf.method.resampling import block_length, draw_years, jackknife, resampled_slopes
from mpcf.method.statistics import t_factor


def shared_signal_error(
    y: xr.DataArray,
    x: xr.DataArray,
    region: xr.DataArray,
    periods: Mapping[str, tuple[int, int]],
    estimator: str,
) -> xr.Dataset:
    r"""Return the error of `period_carbon` due to the signal that all members share.

    Members share the forced signal and hence its chance resemblance to a predictor, which leaving
    out members cannot reveal. The influences of each year on the coefficients, times the changes of
    the predictors, are summed over the region; their long-run variance is the equal-weighted
    cosine estimate.

    Parameters
    ----------
    y : DataArray (flux, member, year, lat, lon)
        Carbon fluxes, gC m-2 yr-1.
    x : DataArray (predictor, member, year, lat, lon)
        Predictors.
    region : DataArray (lat, lon)
        m2.
    periods : mapping of str to (int, int)
        Inclusive first and last year of each period.
    estimator : str
        See `mpcf.method.regression.transform`.

    Returns
    -------
    Dataset (period, flux, predictor)
        ``se``, PgC, and ``degrees_of_freedom`` (period). ``predictor`` ends with what
        `moisture_lead` returns.

    Raises
    ------
    ValueError
        If a period has years that the data lack, or year effects are requested for one member.
    DataError
        If years are not consecutive.
    """
    checked = periods_within(periods, y)
    area, y, x = region_cells(region, y, x)
    design = Design(y, x, estimator)
    errors, freedom = [], []
    for period in checked.values():
        part = petagrams(design.contributions(period), area)
        psi = petagrams(design.influence(period), area)
        psi = with_lead(psi, ranked_by=part)
        error, terms = long_run_error(psi.transpose("flux", "predictor", "year").values)
        errors.append(psi.isel(year=0, drop=True).transpose("flux", "predictor").copy(data=error))
        freedom.append(terms)
    names = xr.Variable("period", list(checked))
    return xr.Dataset(
        {"se": xr.concat(errors, names), "degrees_of_freedom": ("period", freedom)},
        coords={"period": names},
    )


def add_shared_error(members: xr.Dataset, shared: xr.Dataset) -> xr.Dataset:
    """Return the intervals of the jackknife, widened by the error of the shared signal.

    The variances are added. This counts the members' own noise twice and is therefore
    conservative. Student's t uses the smaller of the two degrees of freedom.

    Parameters
    ----------
    members : Dataset
        From `jackknife`, with the attribute ``degrees_of_freedom``.
    shared : Dataset
        From `shared_signal_error`.

    Returns
    -------
    Dataset
        As `members`. Predictors without a shared error, the residual and the total, keep the
        jackknife's interval, which covers the members' weather alone.
    """
    extra = shared["se"].reindex(predictor=members["predictor"].values, fill_value=0.0)
    freedom = np.minimum(shared["degrees_of_freedom"], members.attrs["degrees_of_freedom"])
    t = freedom.copy(data=t_factor(freedom))
    se = np.hypot(members["se"], extra)
    middle = members["estimate"]
    return members.assign(se=se, low=middle - t * se, high=middle + t * se)


def resampled_members(
    y: xr.DataArray,
    x: xr.DataArray,
    region: xr.DataArray,
    periods: Mapping[str, tuple[int, int]],
    estimator: str,
    counts: np.ndarray,
) -> xr.DataArray:
    """Return `period_carbon` of resampled members, whose coefficients and changes vary together.

    It equals, to rounding, `period_carbon` of each draw's members, but is computed from the
    members' Gram matrices, thousands of times faster.

    Parameters
    ----------
    y : DataArray (flux, member, year, lat, lon)
        Carbon fluxes, gC m-2 yr-1.
    x : DataArray (predictor, member, year, lat, lon)
        Predictors.
    region : DataArray (lat, lon)
        m2.
    periods : mapping of str to (int, int)
        Inclusive first and last year of each period.
    estimator : str
        See `mpcf.method.regression.transform`.
    counts : ndarray (draw, member)
        How often each member was drawn, see `draw_members`.

    Returns
    -------
    DataArray (draw, period, flux, predictor)
        PgC, as `period_carbon`.

    Raises
    ------
    InvalidChoice
        If the estimator filters the years, which sums of products over members do not know.
    CatalogError
        If a period has years that the data lack.
    DataError
        If year effects are requested for one member, or first differences of years that are not
        consecutive.
    """
    if estimator not in ESTIMATORS:
        known = ", ".join(ESTIMATORS)
        raise InvalidChoice(f"members can't be resampled for '{estimator}'; choose one of {known}")
    checked = periods_within(periods, y)
    refuse_one_member(estimator, y.sizes["member"])
    area, y, x = region_cells(region, y, x)
    rows = ("member", "year", "cell")
    base = len(y.sel(year=base_period(y))["year"])
    parts = []
    for period in checked.values():
        now = [a.sel(year=period.so_far) for a in (y, x)]
        refuse_differences_over_gaps(estimator, *now)
        summed = y.indexes["year"].slice_indexer(period.first, period.last)
        left, design = (
            a.transpose(name, *rows).values.reshape(a.sizes[name], -1, a.sizes["cell"])
            for name, a in zip(("flux", "predictor"), now, strict=True)
        )
        panel = Panel(len(counts[0]), 1, now[0].sizes["year"], ESTIMATORS.index(estimator), 0, 0, 0)
        drawn = resample_members(
            left,
            design,
            area.values / GRAMS_PER_PETAGRAM,
            panel,
            base=(0, base),
            summed=(summed.start, summed.stop),
            counts=counts,
        )
        part, total = drawn[..., :-1], drawn[..., -1:]
        parts.append(np.concatenate([part, total - part.sum(-1, keepdims=True), total], -1))
    names = [*x["predictor"].values, "residual", "total"]
    coords = {"period": list(checked), "flux": y["flux"].values, "predictor": names}
    return xr.DataArray(np.stack(parts, 1), coords, ("draw", *coords))


def resampled_years(
    y: xr.DataArray,
    x: xr.DataArray,
    region: xr.DataArray,
    periods: Mapping[str, tuple[int, int]],
    estimator: str,
    draws: int = 400,
    seed: int = 0,
) -> xr.DataArray:
    """Return `period_carbon` with coefficients from resampled blocks of years.

    The same years are drawn for all cells and members. The changes of the predictors are not
    resampled: they are given, and the question is what they are associated with. The result equals,
    to rounding, that of fitting the drawn years again, but is computed from sums of products over
    the years.

    Parameters
    ----------
    y : DataArray (flux, member, year, lat, lon)
        Carbon fluxes, gC m-2 yr-1.
    x : DataArray (predictor, member, year, lat, lon)
        Predictors.
    region : DataArray (lat, lon)
        m2.
    periods : mapping of str to (int, int)
        Inclusive first and last year of each period.
    estimator : str
        See `mpcf.method.regression.transform`; of *first differences*, differences are drawn.
    draws : int
        Number of draws.
    seed : int
        Seed of the random numbers.

    Returns
    -------
    DataArray (draw, period, flux, predictor)
        PgC, as `period_carbon`; the total is the same in every draw.

    Raises
    ------
    ValueError
        If a period has years that the data lack, or year effects are requested for one member.
    DataError
        If years are not consecutive.
    """
    total = period_carbon(y, x, region, periods, estimator).sel(predictor=["total"])
    checked = periods_within(periods, y)
    area, y, x = region_cells(region, y, x)
    parts = []
    for period in checked.values():
        change = summed_change(x, period)
        fitted = [a.sel(year=period.so_far) for a in (y, x)]
        refuse_gaps("blocks of years", *fitted)
        left, design = (
            transform(a, estimator).transpose(name, "member", "year", "cell")
            for name, a in zip(("flux", "predictor"), fitted, strict=True)
        )
        parts.append(
            _resampled_carbon(
                np.concatenate([design.values, left.values]),
                (change * area / GRAMS_PER_PETAGRAM).transpose("predictor", "cell").values,
                draw_years(design.sizes["year"], draws, seed),
                pooled=estimator == "first differences",
            )
        )
    coords = {"period": list(checked), "flux": y["flux"].values, "predictor": x["predictor"].values}
    part = xr.DataArray(np.stack(parts, 1), coords, ("draw", *coords))
    rest = (total.squeeze("predictor", drop=True) - part.sum("predictor")).expand_dims(
        predictor=["residual"]
    )
    total = total.expand_dims(draw=draws)
    return xr.concat([part, rest, total], "predictor").transpose("draw", *coords)


def _resampled_carbon(
    rows: np.ndarray, change: np.ndarray, counts: np.ndarray, *, pooled: bool
) -> np.ndarray:
    """Return PgC (draw, flux, predictor) from rows (predictors and fluxes, member, year, cell)."""
    known, cells = change.shape
    carbon = np.zeros((len(counts), len(rows) - known, known))
    for start in range(0, cells, 128):  # so that the products of all draws fit in memory
        here = slice(start, start + 128)
        b = resampled_slopes(rows[..., here], known, counts, pooled=pooled)
        carbon += np.einsum("dkpf,pk->dfp", np.nan_to_num(b), np.nan_to_num(change[:, here]))
    return carbon


def block_bootstrap(
    y: xr.DataArray,
    x: xr.DataArray,
    region: xr.DataArray,
    periods: Mapping[str, tuple[int, int]],
    estimator: str,
) -> xr.Dataset:
    r"""Return intervals of `period_carbon` from blocks of years, for a source with few members.

    .. math:: \hat\theta \pm t_{T/L - 1} \, \mathrm{sd}(\theta^*),

    with T years in the fit and L in a block. The intervals reflect the sampling of these years, not
    how other members would differ; where residuals are correlated for longer than a block, they are
    too narrow.

    Parameters
    ----------
    y : DataArray (flux, member, year, lat, lon)
        Carbon fluxes, gC m-2 yr-1.
    x : DataArray (predictor, member, year, lat, lon)
        Predictors.
    region : DataArray (lat, lon)
        m2.
    periods : mapping of str to (int, int)
        Inclusive first and last year of each period.
    estimator : str
        See `mpcf.method.regression.transform`.

    Returns
    -------
    Dataset (period, flux, predictor)
        ``estimate``, ``se``, ``low``, ``high``, PgC. ``predictor`` ends with what
        `moisture_lead` returns. The total has no error: it was not estimated.

    Raises
    ------
    DataError
        If years are not consecutive.
    """
    whole = period_carbon(y, x, region, periods, estimator)
    drawn = resampled_years(y, x, region, periods, estimator)
    whole, drawn = (with_lead(parts) for parts in (whole, drawn))
    years = [y.sel(year=slice(None, last)).sizes["year"] for _, last in periods.values()]
    t = [t_factor(n / block_length(n) - 1) for n in years]
    se = drawn.std("draw", ddof=1)
    half = xr.DataArray(t, {"period": list(periods)}, "period") * se
    return xr.Dataset({"estimate": whole, "se": se, "low": whole - half, "high": whole + half})


def _one_column(region: xr.DataArray, *fields: xr.DataArray) -> tuple[xr.DataArray, ...]:
    """Return the cells of a region along ``lat``, with one ``lon``."""
    cells = region_cells(region, *fields)
    return tuple(one.rename(cell="lat").expand_dims("lon", axis=one.ndim) for one in cells)


def period_intervals(
    y: xr.DataArray,
    x: xr.DataArray,
    region: xr.DataArray,
    periods: Mapping[str, tuple[int, int]],
    estimator: str,
) -> xr.Dataset:
    """Return `period_carbon` with the intervals that the number of members allows.

    With `mpcf.method.regression.MIN_MEMBERS` members or more they come from the jackknife over
    members, widened by `shared_signal_error` except under year effects, which remove the shared
    signal; with fewer members from `block_bootstrap`.

    Parameters
    ----------
    y : DataArray (flux, member, year, lat, lon)
        Carbon fluxes, gC m-2 yr-1.
    x : DataArray (predictor, member, year, lat, lon)
        Predictors.
    region : DataArray (lat, lon)
        m2.
    periods : mapping of str to (int, int)
        Inclusive first and last year of each period.
    estimator : str
        See `mpcf.method.regression.transform`.

    Returns
    -------
    Dataset (period, flux, predictor)
        ``estimate``, ``se``, ``low``, ``high``, PgC. ``predictor`` ends with what
        `mpcf.method.attribution.with_lead` adds.

    Raises
    ------
    CatalogError
        If a period has years that the data do not have.
    DataError
        If years are not consecutive, unless year effects of enough members are asked for.
    """
    members = y.sizes["member"]
    region, y, x = _one_column(region, y, x)  # once, instead of for every member left out
    if members < MIN_MEMBERS:
        return block_bootstrap(y, x, region, periods, estimator)

    def carbon(kept: list[int]) -> xr.DataArray:
        some = (a.isel(member=kept) for a in (y, x))
        return with_lead(period_carbon(*some, region, periods, estimator))

    found = jackknife(carbon, members)
    if estimator == "year effects":
        return found
    return add_shared_error(found, shared_signal_error(y, x, region, periods, estimator))
