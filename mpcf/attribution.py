"""From coefficients to carbon: what each variable contributed to the change of uptake."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import xarray as xr
from scipy import stats

from mpcf.least_squares import EFFECTS, Panel, resample_members
from mpcf.moisture import base_period
from mpcf.regression import (
    coefficients,
    influence,
    long_run_error,
    refuse_one_member,
    transform,
)

GRAMS_PER_PETAGRAM = 1e15


def contributions(b: xr.DataArray, x: xr.DataArray, y: xr.DataArray) -> xr.DataArray:
    r"""Contribution of each predictor to the change of y since the base period.

    .. math:: C_x(t) = b_x \, (x_t - \bar x_\mathrm{base}), \qquad
              C_\mathrm{residual} = (y_t - \bar y_\mathrm{base}) - \sum_x C_x .

    Parameters
    ----------
    b : DataArray (predictor, ...)
        Coefficients, units of y per unit of x.
    x : DataArray (predictor, member, year, ...)
        Predictors.
    y : DataArray (member, year, ...)
        What was explained.

    Returns
    -------
    DataArray (predictor, member, year, ...)
        Units of y, with ``residual`` as the last predictor, so that the sum over `predictor` is
        the whole change. What can't be fitted counts in the residual.
    """
    base = base_period(y)
    parts = (b * (x - x.sel(year=base).mean("year"))).fillna(0.0)
    change = y - y.sel(year=base).mean("year")
    rest = (change - parts.sum("predictor", skipna=False)).expand_dims(predictor=["residual"])
    whole = xr.concat([parts, rest], "predictor").rename("contribution")
    return whole.transpose("predictor", *y.dims)


def regional_carbon(flux: xr.DataArray, region: xr.DataArray) -> xr.DataArray:
    """Sum a flux over the region.

    Parameters
    ----------
    flux : DataArray (..., lat, lon)
        gC m-2 yr-1.
    region : DataArray (lat, lon)
        m2.

    Returns
    -------
    DataArray (...)
        PgC yr-1.
    """
    total = (flux * region).sum(("lat", "lon")) / GRAMS_PER_PETAGRAM
    return total.assign_attrs(units="PgC yr-1")


def phase_carbon(
    y: xr.DataArray,
    x: xr.DataArray,
    region: xr.DataArray,
    phases: dict[str, tuple[int, int]],
    estimator: str,
) -> xr.DataArray:
    """Carbon that each predictor's change brought to the region in each phase.

    Every cell is fitted over all years up to the end of the phase; its coefficients times the
    predictors' departures from the base period, added up over the phase and the region, are the
    contributions.

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
        See `mpcf.regression.transform`.

    Returns
    -------
    DataArray (phase, flux, predictor)
        PgC, mean of the members. ``predictor`` ends with ``residual`` and ``total``: the other
        parts add up to the last. Cells that could not be fitted count in the residual; where none
        could, the contributions and the residual are NaN.

    Raises
    ------
    ValueError
        If a phase has years that the data do not have.
    """
    _inside_data(phases, y)
    y, x, inside = _region_cells(y, x, region)
    y_base = y.sel(year=base_period(y)).mean(("member", "year"))
    x_base = x.sel(year=base_period(x)).mean(("member", "year"))
    parts = []
    for first, last in phases.values():
        so_far, years = slice(None, last), slice(first, last)
        b = coefficients(y.sel(year=so_far), x.sel(year=so_far), estimator)
        x_sum = (x.sel(year=years).mean("member") - x_base).sum("year")
        total = _petagrams((y.sel(year=years).mean("member") - y_base).sum("year"), inside)
        part = _petagrams(b * x_sum, inside).where(b.notnull().any("cell"))
        rest = (total - part.sum("predictor", skipna=False)).expand_dims(predictor=["residual"])
        parts.append(xr.concat([part, rest, total.expand_dims(predictor=["total"])], "predictor"))
    return xr.concat(parts, xr.DataArray(list(phases), dims="phase", name="phase"))


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
        See `mpcf.regression.transform`.

    Returns
    -------
    Dataset (phase, flux, predictor)
        ``se``, PgC, and ``degrees_of_freedom`` (phase). ``predictor`` ends with what
        `lead` gives.
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
        psi = xr.concat([psi, lead(psi, ranked_by=part)], "predictor")
        error, terms = long_run_error(psi.transpose("flux", "predictor", "year").values)
        errors.append(psi.isel(year=0, drop=True).transpose("flux", "predictor").copy(data=error))
        freedom.append(terms)
    phase = xr.DataArray(list(phases), dims="phase", name="phase")
    return xr.Dataset(
        {"se": xr.concat(errors, phase), "degrees_of_freedom": ("phase", freedom)},
        coords={"phase": phase},
    )


def lead(parts: xr.DataArray, ranked_by: xr.DataArray | None = None) -> xr.DataArray:
    r"""How far moisture's part is ahead of the other predictors' parts, by sign and by size.

    .. math:: C_M - \min_{x \ne M} C_x \quad \text{and} \quad |C_M| - \max_{x \ne M} |C_x| .

    Parameters
    ----------
    parts : DataArray (predictor, ...)
        Contributions; ``residual`` and ``total`` do not compete.
    ranked_by : DataArray (predictor, ...), optional
        Contributions that say which other predictor is the lowest and the largest, and which sign
        each has; by default `parts`.

    Returns
    -------
    DataArray (predictor, ...)
        ``lead``, below zero where moisture's part is the lowest, and ``lead by size``, above zero
        where it is the largest in size.
    """
    ranked_by = parts if ranked_by is None else ranked_by
    known = ranked_by["predictor"].values
    others = [p for p in known if p not in ("moisture", "residual", "total")]
    rivals, sizes = ranked_by.sel(predictor=others), parts * np.sign(ranked_by)
    # where nothing was fitted no other part is ahead, and the lead is NaN whichever is named
    lowest = rivals.fillna(np.inf).idxmin("predictor")
    largest = abs(rivals).fillna(0.0).idxmax("predictor")
    ahead = {
        name: part.sel(predictor="moisture", drop=True)
        - part.sel(predictor=rival).drop_vars("predictor")
        for name, part, rival in (
            ("lead", parts, lowest),
            ("lead by size", sizes, largest),
        )
    }
    return xr.concat(ahead.values(), xr.Variable("predictor", list(ahead)))


def widen(members: xr.Dataset, shared: xr.Dataset) -> xr.Dataset:
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


def _inside_data(phases: dict[str, tuple[int, int]], y: xr.DataArray) -> None:
    for name, (first, last) in phases.items():
        if first < int(y["year"][0]) or last > int(y["year"][-1]):
            raise ValueError(
                f"phase '{name}' is {first}–{last}, but the data do not hold all of it"
            )


def _region_cells(
    y: xr.DataArray, x: xr.DataArray, region: xr.DataArray
) -> tuple[xr.DataArray, xr.DataArray, xr.DataArray]:
    """Stack lat and lon, and keep the cells of the region."""
    y, x, region = xr.align(y, x, region, join="exact", exclude=["member", "year"], copy=False)
    inside = np.flatnonzero((region > 0).transpose("lat", "lon"))
    y, x, region = (a.stack(cell=("lat", "lon"))[..., inside] for a in (y, x, region))
    return y, x, region


def _petagrams(density: xr.DataArray, area: xr.DataArray) -> xr.DataArray:
    return (density * area).sum("cell") / GRAMS_PER_PETAGRAM


def jackknife(statistic: Callable[[list[int]], xr.DataArray], members: int) -> xr.Dataset:
    r"""Delete-one-member jackknife: estimate, standard error and 95 % interval.

    .. math:: s^2 = \frac{M-1}{M} \sum_m (\hat\theta_{(-m)} - \bar\theta_{(\cdot)})^2,
              \qquad \hat\theta \pm t_{M-1} \, s .

    Everything that `statistic` does (fit, change, sum) is done again without each member, so that
    coefficients and changes vary together. The interval covers what differs between members, and
    nothing that they share.

    Parameters
    ----------
    statistic : callable
        Takes positions of members, gives a DataArray.
    members : int
        Number of members M.

    Returns
    -------
    Dataset
        ``estimate``, ``se``, ``low``, ``high``; with fewer than four members the last three
        are NaN. The attribute ``degrees_of_freedom`` is M − 1.

    References
    ----------
    Efron and Stein 1981, doi 10.1214/aos/1176345462.

    Examples
    --------
    >>> x = xr.DataArray([1.0, 2.0, 3.0, 6.0], dims="member")
    >>> out = jackknife(lambda kept: x.isel(member=kept).mean(), 4)
    >>> bool(np.isclose(out["se"], x.std(ddof=1) / 2))
    True
    """
    whole = statistic(list(range(members)))
    if members < 4:
        unknown = xr.full_like(whole, np.nan)
        gap = {"estimate": whole, "se": unknown, "low": unknown, "high": unknown}
        return xr.Dataset(gap, attrs={"degrees_of_freedom": members - 1})
    without = [statistic([m for m in range(members) if m != out]) for out in range(members)]
    drawn = xr.concat(without, "left_out")
    se = np.sqrt((members - 1) * drawn.var("left_out"))
    half = stats.t.ppf(0.975, members - 1) * se
    found = {"estimate": whole, "se": se, "low": whole - half, "high": whole + half}
    return xr.Dataset(found, attrs={"degrees_of_freedom": members - 1})


def draw_members(members: int, draws: int = 1000, seed: int = 0) -> np.ndarray:
    """Draw members with replacement; a draw of one member alone is drawn again.

    Parameters
    ----------
    members : int
        Number of members, at least 2.
    draws : int
        Number of draws.
    seed : int
        Of the random numbers.

    Returns
    -------
    ndarray (draw, member)
        How often each member was drawn; each row adds up to `members`.

    Examples
    --------
    >>> draw_members(5, draws=3).sum(axis=1)
    array([5, 5, 5])
    """
    if members < 2:
        raise ValueError("one member can't be resampled; two or more are needed")
    rng = np.random.default_rng(seed)
    counts = rng.multinomial(members, np.full(members, 1 / members), draws)
    while (alone := counts.max(axis=1) == members).any():
        counts[alone] = rng.multinomial(members, np.full(members, 1 / members), alone.sum())
    return counts


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
        See `mpcf.regression.transform`.
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


def bootstrap_interval(whole: xr.DataArray, drawn: xr.DataArray, members: int) -> xr.Dataset:
    r"""Interval from resampled members that covers as promised with few of them.

    .. math:: s^2 = \frac{M}{M-1} \, \mathrm{var}(\theta^*), \qquad \hat\theta \pm t_{M-1} \, s .

    Resampling M members makes the variance too small by (M − 1)/M, and percentiles know nothing of
    Student's t: with few members they are too narrow.

    Parameters
    ----------
    whole : DataArray (...)
        Estimate from all members.
    drawn : DataArray (draw, ...)
        Estimates from resampled members.
    members : int
        Number of members M.

    Returns
    -------
    Dataset (...)
        ``estimate``, ``se``, ``low``, ``high``, as from `jackknife`; the last three are NaN with
        fewer than four members. The attribute ``degrees_of_freedom`` is M − 1.
    """
    se = np.sqrt(members / max(members - 1, 1)) * drawn.std("draw", ddof=1)
    se = se if members >= 4 else se * np.nan
    half = stats.t.ppf(0.975, max(members - 1, 1)) * se
    found = {"estimate": whole, "se": se, "low": whole - half, "high": whole + half}
    return xr.Dataset(found, attrs={"degrees_of_freedom": members - 1})


def block_length(years: int) -> int:
    r"""Length of the blocks in which years are drawn, :math:`\lceil 1.3 \sqrt T \rceil`.

    Parameters
    ----------
    years : int
        Number of years T of a fit.

    Returns
    -------
    int
        Years; as many as Newey and West's window spans by default, see `mpcf.regression.fit`.

    Examples
    --------
    >>> block_length(51), block_length(301)
    (10, 23)
    """
    return math.ceil(1.3 * math.sqrt(years))


def draw_years(years: int, draws: int = 400, seed: int = 0) -> np.ndarray:
    """Draw years with replacement, in blocks that stay together; the first follows the last.

    Parameters
    ----------
    years : int
        Number of years.
    draws : int
        Number of draws.
    seed : int
        Of the random numbers.

    Returns
    -------
    ndarray (draw, year)
        How often each year was drawn; each row adds up to `years`.

    References
    ----------
    Politis and Romano 1992, A circular block-resampling procedure for stationary data.

    Examples
    --------
    >>> draw_years(30, draws=3).sum(axis=1)
    array([30, 30, 30])
    """
    length = block_length(years)
    starts = np.random.default_rng(seed).integers(0, years, (draws, math.ceil(years / length), 1))
    drawn = ((starts + np.arange(length)) % years).reshape(draws, -1)[:, :years]
    return np.stack([np.bincount(one, minlength=years) for one in drawn])


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
        See `mpcf.regression.transform`; of *first differences*, differences are drawn.
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


def resampled_slopes(
    rows: np.ndarray, known: int, counts: np.ndarray, *, pooled: bool = False
) -> np.ndarray:
    """Fit every cell to every draw of years.

    Parameters
    ----------
    rows : ndarray (predictors and then fluxes, member, year, cell)
        As `mpcf.regression.transform` leaves them.
    known : int
        Number of predictors.
    counts : ndarray (draw, year)
        How often each year was drawn, see `draw_years`.
    pooled : bool
        Whether all members have one level, as differences have, instead of one each.

    Returns
    -------
    ndarray (draw, cell, predictor, flux)
        Slopes, units of the flux per unit of the predictor; NaN where a draw leaves predictors
        dependent.

    Examples
    --------
    >>> x = np.arange(30.0).reshape(1, 1, 30, 1)
    >>> b = resampled_slopes(np.concatenate([x, 2 * x]), 1, draw_years(30, draws=3))
    >>> b[:, 0, 0, 0].round(9)
    array([2., 2., 2.])
    """
    sums = np.einsum("dt,cmtk->dkcm", counts, rows, optimize=True)
    if pooled:  # one level for all members
        sums = np.repeat(sums.mean(-1, keepdims=True), sums.shape[-1], -1)
    products = np.einsum("imtk,jmtk->tkij", rows[:known], rows, optimize=True)
    gram = np.tensordot(counts, products, 1)
    gram -= sums[:, :, :known] @ sums.swapaxes(-1, -2) / counts.shape[1]
    with np.errstate(invalid="ignore", divide="ignore"):
        spread = np.sqrt(np.diagonal(gram, axis1=-2, axis2=-1))[..., None]
        likeness = gram[..., :known] / spread / spread.swapaxes(-1, -2)
        sound = np.linalg.det(likeness) > 1e-10
    b = np.full((*sound.shape, known, gram.shape[-1] - known), np.nan)
    right = gram[sound][..., known:] / spread[sound]
    b[sound] = np.linalg.solve(likeness[sound], right) / spread[sound]
    return b


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
        See `mpcf.regression.transform`.

    Returns
    -------
    Dataset (phase, flux, predictor)
        ``estimate``, ``se``, ``low``, ``high``, PgC. ``predictor`` ends with what
        `lead` gives. The total has no error: it was not estimated.
    """
    whole = phase_carbon(y, x, region, phases, estimator)
    drawn = resampled_years(y, x, region, phases, estimator)
    whole, drawn = (xr.concat([parts, lead(parts)], "predictor") for parts in (whole, drawn))
    years = [y.sel(year=slice(None, last)).sizes["year"] for _, last in phases.values()]
    t = [stats.t.ppf(0.975, n / block_length(n) - 1) for n in years]
    se = drawn.std("draw", ddof=1)
    half = xr.DataArray(t, {"phase": list(phases)}, "phase") * se
    return xr.Dataset({"estimate": whole, "se": se, "low": whole - half, "high": whole + half})


def verdict(low: float, high: float, *, sign: int) -> str:
    """Word a claim by its interval.

    Parameters
    ----------
    low, high : float
        95 % interval; NaN where it can't be given.
    sign : {1, -1}
        Sign that the claim asks for.

    Returns
    -------
    str
        ``"holds"``, ``"does not hold"`` or ``"can't be told"``.

    Examples
    --------
    >>> verdict(-3.0, -1.0, sign=-1), verdict(-1.0, 2.0, sign=-1), verdict(1.0, 2.0, sign=-1)
    ('holds', "can't be told", 'does not hold')
    """
    if sign * low > 0 and sign * high > 0:
        return "holds"
    if sign * low < 0 and sign * high < 0:
        return "does not hold"
    return "can't be told"


def both(*verdicts: str) -> str:
    """Word a claim that needs all of several to hold.

    Parameters
    ----------
    *verdicts : str
        From `verdict`.

    Returns
    -------
    str
        ``"does not hold"`` if one does not hold, ``"holds"`` if all do, else ``"can't be told"``.

    Examples
    --------
    >>> both("holds", "does not hold"), both("holds", "can't be told"), both("holds", "holds")
    ('does not hold', "can't be told", 'holds')
    """
    if "does not hold" in verdicts:
        return "does not hold"
    return "holds" if set(verdicts) == {"holds"} else "can't be told"
