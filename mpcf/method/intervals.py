"""Intervals of a contribution to the carbon balance."""

from __future__ import annotations

import numpy as np
import xarray as xr
from scipy import stats

from mpcf.method.attribution import (
    GRAMS_PER_PETAGRAM,
    _inside_data,
    _petagrams,
    _region_cells,
    moisture_lead,
    phase_carbon,
)
from mpcf.method.least_squares import EFFECTS, Panel
from mpcf.method.member_draws import resample_members
from mpcf.method.periods import base_period
from mpcf.method.regression import (
    coefficients,
    influence,
    long_run_error,
    refuse_one_member,
    transform,
)
from mpcf.method.resampling import block_length, draw_years, resampled_slopes


def shared_signal_error(
    y: xr.DataArray,
    x: xr.DataArray,
    region: xr.DataArray,
    phases: dict[str, tuple[int, int]],
    estimator: str,
) -> xr.Dataset:
    r"""Error of `phase_carbon` that leaving out members can't show: that of the shared signal.

    Members share the forced signal and so its chance resemblance to a predictor. The influences
    of each year on the coefficients, times the changes of the predictors, are added up over the
    region; their long-run variance is the equal-weighted cosine estimate.

    Parameters
    ----------
    y : DataArray (flux, member, year, lat, lon)
        Carbon fluxes, gC m-2 yr-1.
    x : DataArray (predictor, member, year, lat, lon)
        Predictors.
    region : DataArray (lat, lon)
        m2.
    phases : dict
        Inclusive first and last year of each phase.
    estimator : str
        See `mpcf.method.regression.transform`.

    Returns
    -------
    Dataset (phase, flux, predictor)
        ``se``, PgC, and ``degrees_of_freedom`` (phase). ``predictor`` ends with what
        `moisture_lead` gives.
    """
    y, x, inside = _region_cells(y, x, region)
    x_base = x.sel(year=base_period(x)).mean(("member", "year"))
    errors, freedom = [], []
    for first, last in phases.values():
        so_far = slice(None, last)
        x_sum = (x.sel(year=slice(first, last)).mean("member") - x_base).sum("year")
        now = y.sel(year=so_far), x.sel(year=so_far), estimator
        part = _petagrams(coefficients(*now) * x_sum, inside)
        psi = _petagrams(influence(*now) * x_sum, inside)
        psi = xr.concat([psi, moisture_lead(psi, ranked_by=part)], "predictor")
        error, terms = long_run_error(psi.transpose("flux", "predictor", "year").values)
        errors.append(psi.isel(year=0, drop=True).transpose("flux", "predictor").copy(data=error))
        freedom.append(terms)
    phase = xr.DataArray(list(phases), dims="phase", name="phase")
    return xr.Dataset(
        {"se": xr.concat(errors, phase), "degrees_of_freedom": ("phase", freedom)},
        coords={"phase": phase},
    )


def add_shared_error(members: xr.Dataset, shared: xr.Dataset) -> xr.Dataset:
    """Widen the intervals of the jackknife by the error of the shared signal.

    The variances are added, which counts the members' own noise twice and so errs on the safe
    side; Student's t takes the smaller of the two degrees of freedom.

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
    t = freedom.copy(data=stats.t.ppf(0.975, freedom))
    se = np.hypot(members["se"], extra)
    middle = members["estimate"]
    return members.assign(se=se, low=middle - t * se, high=middle + t * se)


def resampled_phase_carbon(
    y: xr.DataArray,
    x: xr.DataArray,
    region: xr.DataArray,
    phases: dict[str, tuple[int, int]],
    estimator: str,
    counts: np.ndarray,
) -> xr.DataArray:
    """`phase_carbon` of resampled members: coefficients and changes are drawn together.

    Equal to doing `phase_carbon` again with each draw's members, to rounding, but from the
    members' Gram matrices, thousands of times faster.

    Parameters
    ----------
    y : DataArray (flux, member, year, lat, lon)
        Carbon fluxes, gC m-2 yr-1.
    x : DataArray (predictor, member, year, lat, lon)
        Predictors.
    region : DataArray (lat, lon)
        m2.
    phases : dict
        Inclusive first and last year of each phase.
    estimator : str
        See `mpcf.method.regression.transform`.
    counts : ndarray (draw, member)
        How often each member was drawn, see `draw_members`.

    Returns
    -------
    DataArray (draw, phase, flux, predictor)
        PgC, as `phase_carbon`.

    Raises
    ------
    ValueError
        If a phase has years that the data do not have, or year effects are asked of one member.
    """
    _inside_data(phases, y)
    refuse_one_member(estimator, y.sizes["member"])
    y, x, inside = _region_cells(y, x, region)
    rows = ("member", "year", "cell")
    base = len(y.sel(year=base_period(y))["year"])
    first_year = int(y["year"][0])
    parts = []
    for first, last in phases.values():
        now = [a.sel(year=slice(None, last)) for a in (y, x)]
        left, design = (
            a.transpose(name, *rows).values.reshape(a.sizes[name], -1, a.sizes["cell"])
            for name, a in zip(("flux", "predictor"), now, strict=True)
        )
        panel = Panel(len(counts[0]), 1, now[0].sizes["year"], EFFECTS.index(estimator), 0, 0, 0)
        phase = first - first_year, last + 1 - first_year
        drawn = resample_members(
            left,
            design,
            inside.values / GRAMS_PER_PETAGRAM,
            panel,
            base=(0, base),
            phase=phase,
            counts=counts,
        )
        part, total = drawn[..., :-1], drawn[..., -1:]
        parts.append(np.concatenate([part, total - part.sum(-1, keepdims=True), total], -1))
    names = [*x["predictor"].values, "residual", "total"]
    coords = {"phase": list(phases), "flux": y["flux"].values, "predictor": names}
    return xr.DataArray(np.stack(parts, 1), coords, ("draw", *coords))


def resampled_years(
    y: xr.DataArray,
    x: xr.DataArray,
    region: xr.DataArray,
    phases: dict[str, tuple[int, int]],
    estimator: str,
    draws: int = 400,
    seed: int = 0,
) -> xr.DataArray:
    """`phase_carbon` with coefficients from resampled blocks of years.

    All cells and members see the same years. The changes of the predictors are the data's own:
    they happened, and the question is what goes with them. Equal to fitting the drawn years again,
    to rounding, but from sums of products over the years.

    Parameters
    ----------
    y : DataArray (flux, member, year, lat, lon)
        Carbon fluxes, gC m-2 yr-1.
    x : DataArray (predictor, member, year, lat, lon)
        Predictors.
    region : DataArray (lat, lon)
        m2.
    phases : dict
        Inclusive first and last year of each phase.
    estimator : str
        See `mpcf.method.regression.transform`; of *first differences*, differences are drawn.
    draws : int
        Number of draws.
    seed : int
        Of the random numbers.

    Returns
    -------
    DataArray (draw, phase, flux, predictor)
        PgC, as `phase_carbon`; the total is the same in every draw.

    Raises
    ------
    ValueError
        If a phase has years that the data do not have, or year effects are asked of one member.
    """
    total = phase_carbon(y, x, region, phases, estimator).sel(predictor=["total"])
    y, x, inside = _region_cells(y, x, region)
    x_base = x.sel(year=base_period(x)).mean(("member", "year"))
    parts = []
    for first, last in phases.values():
        so_far = slice(None, last)
        change = x.sel(year=slice(first, last)).mean("member").sum("year") - x_base * (
            last + 1 - first
        )
        left, design = (
            transform(a.sel(year=so_far), estimator).transpose(name, "member", "year", "cell")
            for name, a in (("flux", y), ("predictor", x))
        )
        parts.append(
            _resampled_carbon(
                np.concatenate([design.values, left.values]),
                (change * inside / GRAMS_PER_PETAGRAM).transpose("predictor", "cell").values,
                draw_years(design.sizes["year"], draws, seed),
                pooled=estimator == "first differences",
            )
        )
    coords = {"phase": list(phases), "flux": y["flux"].values, "predictor": x["predictor"].values}
    part = xr.DataArray(np.stack(parts, 1), coords, ("draw", *coords))
    rest = (total.squeeze("predictor", drop=True) - part.sum("predictor")).expand_dims(
        predictor=["residual"]
    )
    total = total.expand_dims(draw=draws)
    return xr.concat([part, rest, total], "predictor").transpose("draw", *coords)


def _resampled_carbon(
    rows: np.ndarray, change: np.ndarray, counts: np.ndarray, *, pooled: bool
) -> np.ndarray:
    """PgC (draw, flux, predictor) from rows (predictors and fluxes, member, year, cell)."""
    known, cells = change.shape
    carbon = np.zeros((len(counts), len(rows) - known, known))
    for start in range(0, cells, 128):  # so that the products of all draws fit into memory
        here = slice(start, start + 128)
        b = resampled_slopes(rows[..., here], known, counts, pooled=pooled)
        carbon += np.einsum("dkpf,pk->dfp", np.nan_to_num(b), np.nan_to_num(change[:, here]))
    return carbon


def block_bootstrap(
    y: xr.DataArray,
    x: xr.DataArray,
    region: xr.DataArray,
    phases: dict[str, tuple[int, int]],
    estimator: str,
) -> xr.Dataset:
    r"""Intervals of `phase_carbon` from blocks of years, for a source with few members.

    .. math:: \hat\theta \pm t_{T/L - 1} \, \mathrm{sd}(\theta^*),

    with T years in the fit and L in a block. It covers the chance of these years, not what other
    members would have done; where residuals wander for longer than a block it is too narrow.

    Parameters
    ----------
    y : DataArray (flux, member, year, lat, lon)
        Carbon fluxes, gC m-2 yr-1.
    x : DataArray (predictor, member, year, lat, lon)
        Predictors.
    region : DataArray (lat, lon)
        m2.
    phases : dict
        Inclusive first and last year of each phase.
    estimator : str
        See `mpcf.method.regression.transform`.

    Returns
    -------
    Dataset (phase, flux, predictor)
        ``estimate``, ``se``, ``low``, ``high``, PgC. ``predictor`` ends with what
        `moisture_lead` gives. The total has no error: it was not estimated.
    """
    whole = phase_carbon(y, x, region, phases, estimator)
    drawn = resampled_years(y, x, region, phases, estimator)
    whole, drawn = (
        xr.concat([parts, moisture_lead(parts)], "predictor") for parts in (whole, drawn)
    )
    years = [y.sel(year=slice(None, last)).sizes["year"] for _, last in phases.values()]
    t = [stats.t.ppf(0.975, n / block_length(n) - 1) for n in years]
    se = drawn.std("draw", ddof=1)
    half = xr.DataArray(t, {"phase": list(phases)}, "phase") * se
    return xr.Dataset({"estimate": whole, "se": se, "low": whole - half, "high": whole + half})
