"""What must hold of a standard monthly dataset; errors say what, where and what to do."""

from __future__ import annotations

import difflib

import numpy as np
import xarray as xr

from mpcf.geography import cell_area
from mpcf.variables import MONTHLY

AREA_TOLERANCE = 0.05
"""Largest relative error of the summed cell area."""

PLAUSIBLE = {
    "tas": (180.0, 340.0),
    "tsl": (180.0, 340.0),
    "pr": (-1e-9, 0.02),
    "gpp": (-1e-9, 1e-5),
    "ra": (-1e-9, 1e-5),
    "rh": (-1e-9, 1e-5),
    "snd": (-1e-9, 100.0),
    "mrsll": (-1e-6, 1e4),
    "mrsfl": (-1e-6, 1e4),
    "sftlf": (-1e-6, 100.001),
}
"""Monthly means outside these bounds have a wrong unit, a wrong sign or fill values."""


class DataError(ValueError):
    """A dataset is not what the book needs."""


def grid_cell_area(lat: xr.DataArray, lon: xr.DataArray) -> xr.DataArray:
    """Area of the cells of an evenly spaced grid on the sphere.

    Parameters
    ----------
    lat, lon : DataArray (lat), (lon)
        Centres, degrees. Cells that would reach over a pole end there.

    Returns
    -------
    DataArray (lat, lon)
        m2.

    Examples
    --------
    >>> from mpcf.variables import EARTH_RADIUS
    >>> lat = xr.DataArray(np.arange(-89.5, 90), dims="lat")
    >>> lon = xr.DataArray(np.arange(-179.5, 180), dims="lon")
    >>> bool(np.isclose(grid_cell_area(lat, lon).sum(), 4 * np.pi * EARTH_RADIUS**2))
    True
    """
    area = cell_area(_bounds(lat).clip(-90, 90), _bounds(lon))
    return xr.DataArray(area, {"lat": lat, "lon": lon}, ("lat", "lon"), name="areacella")


def _bounds(centres: xr.DataArray) -> np.ndarray:
    values = centres.values.astype(float)
    half = abs(values[1] - values[0]) / 2
    return np.column_stack([values - half, values + half])


def check_monthly(monthly: xr.Dataset) -> list[str]:
    """Check a standard monthly dataset; the first month and year of it are read.

    Parameters
    ----------
    monthly : Dataset
        What `mpcf.catalog.open_source` gave.

    Returns
    -------
    list of str
        What was checked and found, one line each.

    Raises
    ------
    DataError
        If something does not hold; the message names the variable, what was found and what to do.
    """
    return [
        _variables(monthly),
        _units(monthly),
        _time(monthly),
        _area(monthly),
        _values(monthly),
        _members(monthly),
    ]


def _variables(monthly: xr.Dataset) -> str:
    for v in MONTHLY.values():
        if v.name not in monthly:
            if not v.required:
                continue
            near = difflib.get_close_matches(v.name, list(monthly.data_vars), 1, 0.6)
            hint = f"; did you mean the variable '{near[0]}' of this dataset?" if near else ""
            raise DataError(f"variable '{v.name}' ({v.long_name}, {v.units}) is missing{hint}")
        missing = set(v.dims) - set(monthly[v.name].dims)
        if missing:
            raise DataError(f"variable '{v.name}' lacks the dimensions {sorted(missing)}")
    count = sum(v.name in monthly for v in MONTHLY.values())
    return f"{count} of {len(MONTHLY)} variables are there, with every one that is required"


def _units(monthly: xr.Dataset) -> str:
    for v in MONTHLY.values():
        if v.name in monthly and monthly[v.name].attrs.get("units") != v.units:
            found = monthly[v.name].attrs.get("units", "none")
            raise DataError(f"variable '{v.name}' has units '{found}'; convert it to '{v.units}'")
    return "every unit is that of the standard dataset"


def _time(monthly: xr.Dataset) -> str:
    index = monthly.indexes["time"]
    serial = np.asarray(index.year) * 12 + np.asarray(index.month)
    wrong = np.flatnonzero(np.diff(serial) != 1)
    if wrong.size:
        at = index[int(wrong[0])]
        raise DataError(
            f"the month after {at.year}-{at.month:02d} is missing, repeated or out of order"
        )
    if index[0].month != 1 or index[-1].month != 12:
        raise DataError(
            f"time runs from {index[0].year}-{index[0].month:02d} to {index[-1].year}-"
            f"{index[-1].month:02d}; give whole years, January to December"
        )
    return f"{len(index)} months follow each other, {index[0].year} to {index[-1].year}"


def _area(monthly: xr.Dataset) -> str:
    expected = float(grid_cell_area(monthly["lat"], monthly["lon"]).sum())
    ratio = float(monthly["areacella"].sum()) / expected
    if abs(ratio - 1) > AREA_TOLERANCE:
        raise DataError(
            f"'areacella' adds up to {100 * ratio:.1f} % of the area of its own grid on the "
            "sphere; a unit (km2?) or an interpolation is wrong: rebuild it from lat and lon"
        )
    return f"'areacella' adds up to {100 * ratio:.2f} % of its grid's area on the sphere"


def _values(monthly: xr.Dataset) -> str:
    first = monthly.isel(time=slice(0, 12))
    for name, (low, high) in PLAUSIBLE.items():
        if name not in first:
            continue
        values = first[name].load()
        known = values.notnull()
        if not bool(known.any()):
            raise DataError(f"variable '{name}' has no values in its first year")
        found = float(values.min()), float(values.max())
        if found[0] < low or found[1] > high:
            raise DataError(
                f"variable '{name}' runs from {found[0]:.4g} to {found[1]:.4g} "
                f"{MONTHLY[name].units} in its first year; {low:g} to {high:g} is plausible: look "
                "at its unit, its sign and its fill value"
            )
    return "first-year values lie within plausible bounds"


def _members(monthly: xr.Dataset) -> str:
    if monthly.sizes["member"] == 1:
        return "there is one member"
    first = monthly["tas"].isel(time=slice(0, 12)).load()
    for i in range(1, first.sizes["member"]):
        for j in range(i):
            if (
                first.isel(member=i)
                .drop_vars("member")
                .equals(first.isel(member=j).drop_vars("member"))
            ):
                a, b = first["member"].values[[j, i]]
                raise DataError(f"members {a} and {b} hold the same 'tas': one was read twice")
    return f"{monthly.sizes['member']} members are there, all different"
