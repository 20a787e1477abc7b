"""From coefficients to carbon: the contribution of each variable to the change of uptake."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import xarray as xr

from mpcf.method.design import GRAMS_PER_PETAGRAM, Design, petagrams, region_cells
from mpcf.method.periods import periods_within, since_base


def contributions(b: xr.DataArray, x: xr.DataArray, y: xr.DataArray) -> xr.DataArray:
    r"""Return the contribution of each predictor to the change of y since the base period.

    .. math:: C_x(t) = b_x \, (x_t - \bar x_\mathrm{base}), \qquad
              C_\mathrm{residual} = (y_t - \bar y_\mathrm{base}) - \sum_x C_x .

    Parameters
    ----------
    b : DataArray (predictor, ...)
        Coefficients, units of y per unit of x.
    x : DataArray (predictor, member, year, ...)
        Predictors.
    y : DataArray (member, year, ...)
        Response.

    Returns
    -------
    DataArray (predictor, member, year, ...)
        Units of y, with ``residual`` as the last predictor, so that the sum over `predictor` is
        the whole change. What cannot be fitted is part of the residual.
    """
    parts = (b * since_base(x)).fillna(0.0)
    rest = (since_base(y) - parts.sum("predictor", skipna=False)).expand_dims(
        predictor=["residual"]
    )
    whole = xr.concat([parts, rest], "predictor").rename("contribution")
    return whole.transpose("predictor", *y.dims)


def regional_carbon(flux: xr.DataArray, region: xr.DataArray) -> xr.DataArray:
    """Return a flux summed over the region.

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


def period_carbon(
    y: xr.DataArray,
    x: xr.DataArray,
    region: xr.DataArray,
    periods: Mapping[str, tuple[int, int]],
    estimator: str,
) -> xr.DataArray:
    """Return how much carbon each predictor's change added to the region in each period.

    Every cell is fitted, and contributions are summed as in `mpcf.method.design.Design`.

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
    DataArray (period, flux, predictor)
        PgC, mean of the members. ``predictor`` ends with ``residual`` and ``total``: the other
        parts add up to the last. Cells that could not be fitted are part of the residual; if none
        could be, the contributions and the residual are NaN.

    Raises
    ------
    CatalogError
        If a period has years that the data do not have.
    """
    checked = periods_within(periods, y)
    area, y, x = region_cells(region, y, x)
    design = Design(y, x, estimator)
    parts = []
    for period in checked.values():
        part = petagrams(design.contributions(period), area)
        total = petagrams(design.response_change(period), area)
        rest = (total - part.sum("predictor", skipna=False)).expand_dims(predictor=["residual"])
        parts.append(xr.concat([part, rest, total.expand_dims(predictor=["total"])], "predictor"))
    return xr.concat(parts, xr.Variable("period", list(checked)))


def moisture_lead(parts: xr.DataArray, ranked_by: xr.DataArray | None = None) -> xr.DataArray:
    r"""Return how far moisture's contribution is ahead of the others, by sign and by size.

    .. math:: C_M - \min_{x \ne M} C_x \quad \text{and} \quad |C_M| - \max_{x \ne M} |C_x| .

    Parameters
    ----------
    parts : DataArray (predictor, ...)
        Contributions; ``residual`` and ``total`` do not compete.
    ranked_by : DataArray (predictor, ...), optional
        Contributions that decide which other predictor is the lowest and which the largest, and
        which sign each has; by default `parts`.

    Returns
    -------
    DataArray (predictor, ...)
        ``lead``, below zero where moisture's contribution is the lowest, and ``lead by size``,
        above zero where it is the largest in size.
    """
    ranked_by = parts if ranked_by is None else ranked_by
    known = ranked_by["predictor"].values
    others = [p for p in known if p not in ("moisture", "residual", "total")]
    rivals, sizes = ranked_by.sel(predictor=others), parts * np.sign(ranked_by)
    # idxmin needs a value everywhere; where nothing was fitted, the lead is NaN anyway
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


def with_lead(parts: xr.DataArray, ranked_by: xr.DataArray | None = None) -> xr.DataArray:
    """Return contributions, followed by `moisture_lead` if moisture is among the predictors.

    Parameters
    ----------
    parts : DataArray (predictor, ...)
        Contributions.
    ranked_by : DataArray (predictor, ...), optional
        See `moisture_lead`.

    Returns
    -------
    DataArray (predictor, ...)
        Units of the contributions.
    """
    if "moisture" not in parts["predictor"]:
        return parts
    return xr.concat([parts, moisture_lead(parts, ranked_by)], "predictor")
