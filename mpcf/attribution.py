"""From coefficients to carbon: what each variable contributed to the change of uptake."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import xarray as xr
from scipy import stats

from mpcf.moisture import base_period
from mpcf.regression import coefficients

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
        the whole change.
    """
    base = base_period(y)
    parts = b * (x - x.sel(year=base).mean("year"))
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
        PgC yr-1. Cells without a value add nothing; their share of the area is in the attribute
        ``missing_area_share``.
    """
    known = flux.notnull()
    outer = [d for d in flux.dims if d not in ("lat", "lon")]
    missing = 1 - float((known.all(outer) * region).sum() / region.sum())
    total = (flux.fillna(0) * region).sum(("lat", "lon")) / GRAMS_PER_PETAGRAM
    return total.assign_attrs(units="PgC yr-1", missing_area_share=missing)


def by_phase(yearly: xr.DataArray, phases: dict[str, tuple[int, int]]) -> xr.DataArray:
    """Add up a yearly series over each phase.

    Parameters
    ----------
    yearly : DataArray (year, ...)
        PgC yr-1.
    phases : dict
        Inclusive first and last year of each phase.

    Returns
    -------
    DataArray (phase, ...)
        PgC.

    Raises
    ------
    ValueError
        If a phase has years that the series does not have.

    Examples
    --------
    >>> flux = xr.DataArray([1.0, 1.0, 2.0], {"year": [2000, 2001, 2002]}, "year")
    >>> by_phase(flux, {"warming": (2000, 2001), "net-zero": (2002, 2002)}).values
    array([2., 2.])
    """
    sums = []
    for name, (first, last) in phases.items():
        years = yearly.sel(year=slice(first, last))
        if years.sizes["year"] != last - first + 1:
            raise ValueError(
                f"phase '{name}' is {first}–{last}, but the data do not hold all of it"
            )
        sums.append(years.sum("year", skipna=False))
    return xr.concat(sums, xr.DataArray(list(phases), dims="phase", name="phase"))


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
        parts add up to the last. Cells that could not be fitted count in the residual.
    """
    inside = region.stack(cell=("lat", "lon"))
    inside = inside[inside > 0]
    y = y.stack(cell=("lat", "lon")).sel(cell=inside["cell"])
    x = x.stack(cell=("lat", "lon")).sel(cell=inside["cell"])
    y_base = y.sel(year=base_period(y)).mean(("member", "year"))
    x_base = x.sel(year=base_period(x)).mean(("member", "year"))
    parts = []
    for first, last in phases.values():
        so_far, years = slice(None, last), slice(first, last)
        b = coefficients(y.sel(year=so_far), x.sel(year=so_far), estimator)
        x_sum = (x.sel(year=years).mean("member") - x_base).sum("year")
        total = _petagrams((y.sel(year=years).mean("member") - y_base).sum("year"), inside)
        part = _petagrams(b * x_sum, inside)
        rest = (total - part.sum("predictor")).expand_dims(predictor=["residual"])
        parts.append(xr.concat([part, rest, total.expand_dims(predictor=["total"])], "predictor"))
    return xr.concat(parts, xr.DataArray(list(phases), dims="phase", name="phase"))


def _petagrams(density: xr.DataArray, area: xr.DataArray) -> xr.DataArray:
    return (density * area).sum("cell") / GRAMS_PER_PETAGRAM


def jackknife(statistic: Callable[[list[int]], xr.DataArray], members: int) -> xr.Dataset:
    r"""Delete-one-member jackknife: estimate, standard error and 95 % interval.

    .. math:: s^2 = \frac{M-1}{M} \sum_m (\hat\theta_{(-m)} - \bar\theta_{(\cdot)})^2,
              \qquad \hat\theta \pm t_{M-1} \, s .

    Everything that `statistic` does (fit, change, sum) is done again without each member, so that
    coefficients and changes vary together.

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
        are NaN.

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
        return xr.Dataset({"estimate": whole, "se": unknown, "low": unknown, "high": unknown})
    without = [statistic([m for m in range(members) if m != out]) for out in range(members)]
    drawn = xr.concat(without, "left_out")
    se = np.sqrt((members - 1) * drawn.var("left_out"))
    half = stats.t.ppf(0.975, members - 1) * se
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
