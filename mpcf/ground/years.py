"""Whether years follow on each other, for what compares a year with its neighbours."""

from __future__ import annotations

import numpy as np
import xarray as xr

from mpcf.errors import DataError


def year_gap(data: xr.DataArray | xr.Dataset) -> tuple[int, int] | None:
    """Return the first two neighbouring years that are not consecutive.

    Parameters
    ----------
    data : DataArray or Dataset
        With or without a dim ``year``, which counts as consecutive if it has no coordinate.

    Returns
    -------
    tuple of int or None
        The years on either side of the gap; None if there is no gap.

    Examples
    --------
    >>> year_gap(xr.DataArray([0.0, 1.0, 2.0], {"year": [1999, 2000, 2050]}, "year"))
    (2000, 2050)
    """
    if "year" not in data.dims or "year" not in data.coords:
        return None
    years = data["year"].values
    apart = np.flatnonzero(np.diff(years) != 1)
    return (int(years[apart[0]]), int(years[apart[0] + 1])) if apart.size else None


def refuse_gaps(
    what: str, *data: xr.DataArray | xr.Dataset, instead: str = "select consecutive years"
) -> None:
    """Raise if years are not consecutive.

    Parameters
    ----------
    what : str
        What needs consecutive years, in the plural, for the message.
    *data : DataArray or Dataset
        See `year_gap`.
    instead : str
        What to do about it, for the message.

    Raises
    ------
    DataError
        If years are not consecutive; the message names the first two.

    Examples
    --------
    >>> refuse_gaps("trends", xr.DataArray([0.0, 1.0], {"year": [2000, 2001]}, "year"))
    """
    for one in data:
        if gap := year_gap(one):
            raise DataError(
                f"years {gap[0]} and {gap[1]} are not consecutive, as {what} need them to be; "
                f"{instead}"
            )
