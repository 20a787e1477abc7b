"""From coefficients to carbon: what each variable contributed to the change of uptake."""

from __future__ import annotations

import numpy as np
import xarray as xr

from mpcf.errors import CatalogError
from mpcf.method.periods import base_period
from mpcf.method.regression import coefficients

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
        See `mpcf.method.regression.transform`.

    Returns
    -------
    DataArray (phase, flux, predictor)
        PgC, mean of the members. ``predictor`` ends with ``residual`` and ``total``: the other
        parts add up to the last. Cells that could not be fitted count in the residual; where none
        could, the contributions and the residual are NaN.

    Raises
    ------
    CatalogError
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


def moisture_lead(parts: xr.DataArray, ranked_by: xr.DataArray | None = None) -> xr.DataArray:
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


def _inside_data(phases: dict[str, tuple[int, int]], y: xr.DataArray) -> None:
    for name, (first, last) in phases.items():
        if first < int(y["year"][0]) or last > int(y["year"][-1]):
            raise CatalogError(
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


def verdict(low: float, high: float, *, sign: int) -> str:
    """Return the verdict on a claim by its interval.

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


def all_hold(*verdicts: str) -> str:
    """Return the verdict on a claim that needs several to hold.

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
    >>> all_hold("holds", "does not hold"), all_hold("holds", "holds")
    ('does not hold', 'holds')
    """
    if "does not hold" in verdicts:
        return "does not hold"
    return "holds" if set(verdicts) == {"holds"} else "can't be told"
