"""The one place where a regression becomes a contribution: coefficient times change, summed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import xarray as xr

from mpcf.method.periods import Period, base_mean
from mpcf.method.regression import coefficients, influence

GRAMS_PER_PETAGRAM = 1e15


@dataclass(frozen=True)
class Design:
    r"""A regression fitted at each place, and the contributions of its predictors.

    For a period with the years t, all years up to its end are fitted. The contribution of a
    predictor is

    .. math:: C_x = b_x \, \sum_t (\bar x_t - \bar x_\mathrm{reference}) ,

    with the mean of the members :math:`\bar x`.

    Attributes
    ----------
    response : DataArray (flux, member, year, ...)
        Response. Only its years are fitted.
    predictors : DataArray (predictor, member, year, ...)
        Predictors.
    estimator : str
        See `mpcf.method.regression.transform`.
    reference : DataArray (predictor, member, ...), optional
        Predictors from which changes are counted, with or without ``year``; by default their mean
        over the base period.
    fit : callable
        How coefficients are fitted, by default `mpcf.method.regression.coefficients`.

    Examples
    --------
    >>> year = np.arange(2000, 2040)
    >>> coords = {"predictor": ["moisture"], "member": [1], "year": year}
    >>> x = xr.DataArray((year % 7.0 + (year >= 2015))[None, None], coords, tuple(coords))
    >>> y = -2 * x.isel(predictor=0, drop=True).expand_dims(flux=["nep"])
    >>> design = Design(y, x, "raw trend")
    >>> whole = Period(2000, 2039)
    >>> bool(np.isclose(design.contributions(whole), design.response_change(whole)).all())
    True
    """

    response: xr.DataArray
    predictors: xr.DataArray
    estimator: str
    reference: xr.DataArray | None = None
    fit: Callable[[xr.DataArray, xr.DataArray, str], xr.DataArray] = coefficients

    def fitted(self, period: Period) -> tuple[xr.DataArray, xr.DataArray, str]:
        """Return what is fitted for a period: response, predictors and estimator.

        Parameters
        ----------
        period : Period
            Years up to whose end are fitted.

        Returns
        -------
        tuple
            Arguments of `mpcf.method.regression.coefficients`.
        """
        y = self.response.sel(year=period.so_far)
        return y, self.predictors.sel(year=y["year"]), self.estimator

    def coefficients(self, period: Period) -> xr.DataArray:
        """Return the coefficients of a period.

        Parameters
        ----------
        period : Period
            Years up to whose end are fitted.

        Returns
        -------
        DataArray (flux, predictor, ...)
            Units of the response per unit of the predictor; NaN where it cannot be fitted.
        """
        return self.fit(*self.fitted(period))

    def change(self, period: Period) -> xr.DataArray:
        """Return the departures of the members' mean, summed over the period.

        Parameters
        ----------
        period : Period
            Years that are added up.

        Returns
        -------
        DataArray (predictor, ...)
            Units of the predictors, times years.
        """
        return summed_change(self.predictors, period, self.reference)

    def contributions(self, period: Period) -> xr.DataArray:
        """Return what each predictor contributes over the period.

        Parameters
        ----------
        period : Period
            Years that are added up; all years up to its end are fitted.

        Returns
        -------
        DataArray (flux, predictor, ...)
            Units of the response, times years; NaN where it cannot be fitted.
        """
        return self.coefficients(period) * self.change(period)

    def yearly_contributions(self, period: Period) -> xr.DataArray:
        """Return what each predictor contributes in each year of the period, member by member.

        Parameters
        ----------
        period : Period
            As for `contributions`.

        Returns
        -------
        DataArray (flux, predictor, member, year, ...)
            Units of the response; NaN where it cannot be fitted.
        """
        reference = base_mean(self.predictors) if self.reference is None else self.reference
        departures = self.predictors.sel(year=period.years) - reference
        return self.coefficients(period) * departures

    def influence(self, period: Period) -> xr.DataArray:
        """Return how much each fitted year contributes to the error of the contributions.

        Parameters
        ----------
        period : Period
            As for `contributions`.

        Returns
        -------
        DataArray (flux, predictor, ..., year)
            As `contributions`; see `mpcf.method.regression.influence`.
        """
        return influence(*self.fitted(period)) * self.change(period)

    def response_change(self, period: Period) -> xr.DataArray:
        """Return the change of the response since the base period, summed over the period.

        Parameters
        ----------
        period : Period
            Years that are added up.

        Returns
        -------
        DataArray (flux, ...)
            Units of the response, times years, mean of the members.
        """
        return summed_change(self.response, period)


def summed_change(
    values: xr.DataArray, period: Period, reference: xr.DataArray | None = None
) -> xr.DataArray:
    """Return the departures of the members' mean from a reference, summed over a period.

    Parameters
    ----------
    values : DataArray (member, year, ...)
        Any unit.
    period : Period
        Years that are added up.
    reference : DataArray (member, ...), optional
        Values from which departures are counted, with or without ``year``; by default the mean
        over the base period.

    Returns
    -------
    DataArray (...)
        Unit of the values, times years.

    Examples
    --------
    >>> warm = xr.DataArray([np.arange(20.0)], {"year": np.arange(2000, 2020)}, ("member", "year"))
    >>> float(summed_change(warm, Period(2018, 2019)))
    23.0
    """
    reference = base_mean(values) if reference is None else reference
    mean = values.sel(year=period.years).mean("member")
    return (mean - reference.mean("member")).sum("year")


def region_cells(
    region: xr.DataArray, *fields: xr.DataArray | xr.Dataset
) -> tuple[xr.DataArray, *tuple[xr.DataArray | xr.Dataset, ...]]:
    """Return the cells of a region, stacked in one dimension.

    Parameters
    ----------
    region : DataArray (lat, lon)
        m2; 0 outside.
    *fields : DataArray or Dataset (..., lat, lon)
        On the same grid.

    Returns
    -------
    tuple
        Area (cell), m2, and the fields (..., cell).

    Raises
    ------
    ValueError
        If the grids differ.

    Examples
    --------
    >>> region = xr.DataArray([[0.0, 2.0], [3.0, 0.0]], dims=("lat", "lon"))
    >>> area, twice = region_cells(region, 2 * region)
    >>> area.values, twice.values
    (array([2., 3.]), array([4., 6.]))
    """
    aligned = xr.align(region, *fields, join="exact", exclude=["member", "year"], copy=False)
    inside = np.flatnonzero((aligned[0] > 0).transpose("lat", "lon"))
    return tuple(
        one.stack(cell=("lat", "lon"), create_index=False)
        .isel(cell=inside)
        .drop_vars(("lat", "lon"), errors="ignore")
        for one in aligned
    )


def petagrams(density: xr.DataArray, area: xr.DataArray) -> xr.DataArray:
    """Return carbon summed over the cells of a region.

    Parameters
    ----------
    density : DataArray (..., cell)
        gC m-2; cells with NaN are left out.
    area : DataArray (cell)
        m2.

    Returns
    -------
    DataArray (...)
        PgC; NaN where no cell has a value.

    Examples
    --------
    >>> density = xr.DataArray([1.0, np.nan], dims="cell")
    >>> float(petagrams(density, xr.DataArray([1e15, 1e15], dims="cell")))
    1.0
    """
    return (density * area).sum("cell", min_count=1) / GRAMS_PER_PETAGRAM
