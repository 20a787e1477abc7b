"""Periods of an experiment: its phases, the base period and what is built from them."""

from __future__ import annotations

from collections.abc import Mapping

import xarray as xr

from mpcf.data.phases import BASE_YEARS


def base_period(yearly: xr.Dataset) -> slice:
    """Years of the base period: the first 15 of the run.

    Parameters
    ----------
    yearly : Dataset (year, ...)
        The yearly dataset.

    Returns
    -------
    slice
        Inclusive, for ``.sel(year=...)``.
    """
    first = int(yearly["year"][0])
    return slice(first, first + BASE_YEARS - 1)


def since_base(series: xr.DataArray) -> xr.DataArray:
    """Departure from the mean of the base period, member by member.

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
    >>> warming = since_base(xr.DataArray(np.arange(16.0), {"year": np.arange(2000, 2016)}, "year"))
    >>> float(warming.sel(year=2015))
    8.0
    """
    return series - series.sel(year=base_period(series)).mean("year")


STRETCHES = ("warming", "until net zero")
"""Stretches of years, each from the first year of warming."""


def stretch_years(phases: Mapping[str, tuple[int, int]]) -> dict[str, tuple[int, int]]:
    """First and last year of each stretch.

    Parameters
    ----------
    phases : mapping of str to (int, int)
        Inclusive first and last year of each phase.

    Returns
    -------
    dict
        The warming phase, and the whole way until net zero.

    Examples
    --------
    >>> stretch_years({"warming": (2000, 2050), "mitigation": (2051, 2116)})
    {'warming': (2000, 2050), 'until net zero': (2000, 2116)}
    """
    first, last = phases["warming"]
    return dict(zip(STRETCHES, ((first, last), (first, phases["mitigation"][1])), strict=True))
