"""Periods of an experiment: named pairs of inclusive years, and the base period."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import xarray as xr

from mpcf.data.phases import BASE_YEARS, UNTIL_NET_ZERO
from mpcf.errors import CatalogError

__all__ = [
    "UNTIL_NET_ZERO",
    "Period",
    "after_net_zero",
    "base_mean",
    "base_period",
    "early_years",
    "late_years",
    "periods",
    "periods_within",
    "since_base",
]


class Period(NamedTuple):
    """Inclusive first and last year of a period.

    Attributes
    ----------
    first : int
        First year.
    last : int
        Last year.

    Examples
    --------
    >>> warming = Period(2000, 2050)
    >>> warming.years, warming.so_far
    (slice(2000, 2050, None), slice(None, 2050, None))
    """

    first: int
    last: int

    @property
    def years(self) -> slice:
        """Years of the period, for ``.sel(year=...)``."""
        return slice(self.first, self.last)

    @property
    def so_far(self) -> slice:
        """All years up to the end of the period, for ``.sel(year=...)``."""
        return slice(None, self.last)


def periods(phases: Mapping[str, tuple[int, int]]) -> dict[str, Period]:
    """Return the periods for which the claims are judged.

    Parameters
    ----------
    phases : mapping of str to (int, int)
        Inclusive first and last year of each phase.

    Returns
    -------
    dict of str to Period
        The warming phase and, if a mitigation phase leads there, all years until net zero.

    Examples
    --------
    >>> found = periods({"warming": (2000, 2050), "mitigation": (2051, 2116)})
    >>> {name: tuple(period) for name, period in found.items()}
    {'warming': (2000, 2050), 'until net zero': (2000, 2116)}
    """
    found = {"warming": Period(*phases["warming"])}
    if "mitigation" in phases:
        found[UNTIL_NET_ZERO] = Period(found["warming"].first, phases["mitigation"][1])
    return found


def after_net_zero(phases: Mapping[str, tuple[int, int]]) -> Period:
    """Return the years in which emissions are zero or below.

    Parameters
    ----------
    phases : mapping of str to (int, int)
        Inclusive first and last year of each phase; ``net-zero``, ``net removal`` or both are
        among them.

    Returns
    -------
    Period
        From the first to the last year of these two.

    Examples
    --------
    >>> tuple(after_net_zero({"net removal": (151, 300), "net-zero": (301, 310)}))
    (151, 310)
    """
    years = [phases[name] for name in ("net-zero", "net removal") if name in phases]
    return Period(min(first for first, _ in years), max(last for _, last in years))


def periods_within(named: Mapping[str, tuple[int, int]], data: xr.DataArray) -> dict[str, Period]:
    """Return periods after checking that the data hold all of their years.

    Parameters
    ----------
    named : mapping of str to (int, int)
        Inclusive first and last year of each period.
    data : DataArray (year, ...)
        The data to be used.

    Returns
    -------
    dict of str to Period
        The same periods.

    Raises
    ------
    CatalogError
        If a period has years that the data do not have.

    Examples
    --------
    >>> data = xr.DataArray([0.0] * 51, {"year": range(2000, 2051)}, "year")
    >>> periods_within({"warming": (2000, 2050)}, data)["warming"].last
    2050
    """
    for name, (first, last) in named.items():
        if not np.isin(np.arange(first, last + 1), data["year"]).all():
            raise CatalogError(
                f"period '{name}' is {first}–{last}, but the data do not hold all of it"
            )
    return {name: Period(*years) for name, years in named.items()}


def early_years(first: int) -> slice:
    """Return the first 15 years of a period.

    Parameters
    ----------
    first : int
        First year of the period.

    Returns
    -------
    slice
        Inclusive, for ``.sel(year=...)``.

    Examples
    --------
    >>> early_years(2000)
    slice(2000, 2014, None)
    """
    return slice(first, first + BASE_YEARS - 1)


def late_years(last: int) -> slice:
    """Return the last 15 years of a period.

    Parameters
    ----------
    last : int
        Last year of the period.

    Returns
    -------
    slice
        Inclusive, for ``.sel(year=...)``.

    Examples
    --------
    >>> late_years(2050)
    slice(2036, 2050, None)
    """
    return slice(last - BASE_YEARS + 1, last)


def base_period(yearly: xr.Dataset | xr.DataArray) -> slice:
    """Return the years of the base period: the first 15 of the run.

    Parameters
    ----------
    yearly : Dataset or DataArray (year, ...)
        Any yearly data of the run.

    Returns
    -------
    slice
        Inclusive, for ``.sel(year=...)``.
    """
    return early_years(int(yearly["year"][0]))


def base_mean(series: xr.DataArray) -> xr.DataArray:
    """Return the mean over the base period, member by member.

    Parameters
    ----------
    series : DataArray (year, ...)
        Any unit.

    Returns
    -------
    DataArray (...)
        Same unit.
    """
    return series.sel(year=base_period(series)).mean("year")


def since_base(series: xr.DataArray) -> xr.DataArray:
    """Return the departure from the mean of the base period, member by member.

    Parameters
    ----------
    series : DataArray (year, ...)
        Any unit.

    Returns
    -------
    DataArray (year, ...)
        Same unit.

    Examples
    --------
    >>> warming = xr.DataArray([8.0 * year for year in range(16)], {"year": range(2000, 2016)})
    >>> float(since_base(warming).sel(year=2015))
    64.0
    """
    return series - base_mean(series)
