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
    r"""Return how far moisture's contribution is ahead of each other one, by sign and by size.

    .. math:: C_M - C_x \quad \text{and} \quad |C_M| - |C_x| , \qquad x \ne M .

    Moisture is ahead of all if it is ahead of each: every difference is judged on its own (an
    intersection-union test). The difference from the lowest contribution would have an error that
    depends on which one that is, in a resample as well, where two are close.

    Parameters
    ----------
    parts : DataArray (predictor, ...)
        Contributions; ``residual`` and ``total`` do not compete.
    ranked_by : DataArray (predictor, ...), optional
        Contributions that decide which sign each has; by default `parts`.

    Returns
    -------
    DataArray (predictor, ...)
        ``less <x>``, below zero where moisture's contribution is lower than that of predictor x,
        and ``size less <x>``, above zero where it is larger in size.

    References
    ----------
    Berger 1982, doi 10.1080/00401706.1982.10487790.

    Examples
    --------
    >>> parts = xr.DataArray([-3.0, 1.0, -2.0], {"predictor": ["moisture", "temperature", "snow"]})
    >>> moisture_lead(parts)["predictor"].values.tolist()[1:3]
    ['less snow', 'size less temperature']
    >>> moisture_lead(parts).values
    array([-4., -1.,  2.,  1.])
    """
    sizes = parts * np.sign(parts if ranked_by is None else ranked_by)
    others = [p for p in parts["predictor"].values if p not in ("moisture", "residual", "total")]
    found = {}
    for prefix, values in (("less", parts), ("size less", sizes)):
        own = values.sel(predictor="moisture", drop=True)
        for name in others:
            found[f"{prefix} {name}"] = own - values.sel(predictor=name, drop=True)
    return xr.concat(found.values(), xr.Variable("predictor", list(found)))


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
