"""Check every year of every member in the yearly dataset, before it is used."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import xarray as xr

from mpcf.data.physical_checks import MAX_PONDED, MAX_WATER, refuse_disproportion
from mpcf.data.samples import mostly_ice, name_in_source
from mpcf.data.variables import SOIL_WATER
from mpcf.errors import DataError
from mpcf.ground.constants import WATER_DENSITY
from mpcf.ground.thaw import land_area
from mpcf.ground.years import refuse_gaps

NEIGHBOURS = 5
"""Years on either side with which a year is compared."""

MAX_YEARLY_FACTOR = 5.0
"""Largest factor between the means of a year and of its neighbours over all land. The wettest and
the most productive years of the whole region differ from the others by less than a half."""

MAX_YEARLY_DIFFERENCE = 15.0
"""The same for temperatures, as a difference, K."""


@dataclass(frozen=True)
class _Yearly:
    """A variable of the yearly dataset, and its plausible values.

    ``source`` is its name in the monthly dataset, ``cell`` the bounds in any cell and year,
    ``mean`` those of a year's mean over land without ice sheets. ``may_lack`` says whether a cell
    may have values in some years only.
    """

    source: str
    unit: str
    cell: tuple[float, float]
    mean: tuple[float, float]
    is_temperature: bool = False
    may_lack: bool = False

    def differs(self, year: np.ndarray, others: np.ndarray) -> np.ndarray:
        """Return in which years the mean is implausible compared with the neighbouring years."""
        if self.is_temperature:
            return np.abs(year - others) > MAX_YEARLY_DIFFERENCE
        return (year > MAX_YEARLY_FACTOR * others) | (year * MAX_YEARLY_FACTOR < others)


_FLUX = ("gC m-2 yr-1", (-1.0, 2e4), (10.0, 5e3))
_SOIL = ("degC", (-95.0, 65.0), (-50.0, 40.0))

PLAUSIBLE_YEAR = {
    "gpp": _Yearly("gpp", *_FLUX),
    "ra": _Yearly("ra", *_FLUX),
    "rh": _Yearly("rh", *_FLUX),
    "temperature": _Yearly("tas", *_SOIL, is_temperature=True),
    "precipitation": _Yearly("pr", "mm", (-1.0, 3e4), (50.0, 5e3)),
    "snow": _Yearly("snd", "m", (-1e-6, 100.0), (1e-3, 20.0)),
    "tsl_max": _Yearly("tsl", *_SOIL, is_temperature=True),
    "tsl_min": _Yearly("tsl", *_SOIL, is_temperature=True),
    "soil_liquid": _Yearly("mrsll", "kg m-2", (-1e-3, 1e4), (1.0, 4e3)),
    "soil_ice": _Yearly("mrsfl", "kg m-2", (-1.0, 1e4), (0.05, 4e3)),
    "thaw_wetness": _Yearly(
        " and ".join(SOIL_WATER), "m3 m-3", (-1e-3, MAX_WATER), (0.05, 0.8), may_lack=True
    ),
    "cSoil": _Yearly("cSoil", "kg m-2", (-1e-6, 1e4), (0.1, 1e3)),
    "co2": _Yearly("co2", "ppm", (100.0, 1e4), (100.0, 1e4)),
    "warming": _Yearly("warming", "K", (-5.0, 30.0), (-5.0, 30.0), is_temperature=True),
}
"""Plausible values of a year, by variable of the yearly dataset; ``soil_ice`` is total minus liquid
water. Liquid water and ice are those of the top 3 m."""


def check_yearly(yearly: xr.Dataset, monthly: xr.Dataset) -> str:
    """Check every year of every member in the yearly dataset, which takes little time.

    A cell with a value in any year must have one in every year. Values must lie within bounds in
    every cell that is not mostly ice sheet, and so must their mean over land without ice sheets.
    This mean must not differ from the median of the neighbouring years, :math:`y - 5` to
    :math:`y + 5`, by more than a factor of five (temperatures: 15 K). Soil water must fit into the
    soil, and respiration over all years be in proportion to uptake.

    Parameters
    ----------
    yearly : Dataset (member, year, ...)
        Written by `mpcf.yearly.stream.write_yearly`.
    monthly : Dataset
        What it was made from; only its attributes are used, to name variables and members as the
        source does.

    Returns
    -------
    str
        What was checked and found.

    Raises
    ------
    DataError
        If a check fails; the message names the variable, the member, the years and what
        to do. Years that are not consecutive fail too.
    """
    refuse_gaps("comparisons with neighbouring years", yearly)
    is_ice, area = mostly_ice(yearly), land_area(yearly)
    years = yearly["year"].values
    for name, plausible in PLAUSIBLE_YEAR.items():
        values = _of_year(yearly, name)
        if values is None:
            continue
        weight = xr.ones_like(values.isel(year=0, member=0), dtype=float)
        if "lat" in values.dims:
            values, weight = values.where(~is_ice), (area * weight).transpose(..., *area.dims)
        for member in yearly["member"].values:
            one = values.sel(member=member).transpose("year", ..., *weight.dims).values
            what = name_in_source(monthly, plausible.source, member)
            flat = one.reshape(len(years), -1)
            _check_years(flat, weight.values.ravel(), years, plausible, what)
    for member in yearly["member"].values:
        one = yearly.sel(member=member)
        _check_water(one.where(~is_ice), years, monthly)
        _check_carbon(one.where(~is_ice), area, monthly)
    return (
        f"all {len(years)} years of every member, {years[0]} to {years[-1]}, lie within plausible "
        "bounds, without gaps or jumps"
    )


def _of_year(yearly: xr.Dataset, name: str) -> xr.DataArray | None:
    """Return a variable's values for whole years; of soil water, those of the top 3 m."""
    if name == "soil_ice":
        liquid, water = (_of_year(yearly, v) for v in ("soil_liquid", "soil_water"))
        return None if water is None or liquid is None else water - liquid
    if name not in yearly:
        return None
    values = yearly[name]
    values = values.sel(season="year") if "season" in values.dims else values
    return values.isel(top=-1) if "top" in values.dims else values


def _check_water(one: xr.Dataset, years: np.ndarray, monthly: xr.Dataset) -> None:
    """Check that soil holds no more water than fits into it, to each depth."""
    if "soil_water" not in one:
        return
    water = one["soil_water"].sel(season="year")
    over = water > WATER_DENSITY * MAX_WATER * water["top"] + MAX_PONDED
    if over.any():
        years = years[over.any(("top", "lat", "lon")).values]
        worst = float((water / (WATER_DENSITY * water["top"])).where(over).max())
        names = " and ".join(SOIL_WATER)
        raise DataError(
            f"{name_in_source(monthly, names, one['member'].item())}: soil holds up to {worst:.2g} "
            f"m3 of water in each m3 of soil in {_ranges(years)}; look at the units and at the "
            "bounds of the layers"
        )


def _check_carbon(one: xr.Dataset, area: xr.DataArray, monthly: xr.Dataset) -> None:
    """Check that respiration over land and years is in proportion to uptake."""
    names = [name for name in ("gpp", "ra", "rh") if name in one]
    if {"gpp", "ra"} <= set(names):
        known = one[names].to_dataarray().notnull().all("variable")
        sums = {name: float((one[name] * area).where(known).sum()) for name in names}
        what = name_in_source(monthly, ", ".join(names), one["member"].item())
        refuse_disproportion(sums, what, f"in {_ranges(one['year'].values)}")


def _check_years(
    values: np.ndarray, weight: np.ndarray, years: np.ndarray, plausible: _Yearly, what: str
) -> None:
    """Check the values (year, cell) of one variable of one member, and their weighted mean."""
    known = ~np.isnan(values)
    if not known.any():
        raise DataError(f"{what} has no values in any year; look at its fill value")
    gaps = (known.any(axis=0) & ~known).any(axis=1)
    if gaps.any() and not plausible.may_lack:
        raise DataError(
            f"{what} has cells without values in {_ranges(years[gaps])}, but with values in other "
            "years; a file may be damaged or hold fill values: get the files of these years again"
        )
    (low, high), unit = plausible.cell, plausible.unit
    outside = ((values < low) | (values > high)).any(axis=1)
    advice = "look at the unit, the sign and the fill value in the files of these years"
    if outside.any():
        found = values[outside][known[outside]]
        raise DataError(
            f"{what} runs from {found.min():.4g} to {found.max():.4g} {unit} in "
            f"{_ranges(years[outside])}; {low:g} to {high:g} is plausible: {advice}"
        )
    weights = np.where(known, weight, 0.0)
    if not weights.any(axis=1).all():
        return
    mean = (np.nan_to_num(values) * weights).sum(axis=1) / weights.sum(axis=1)
    (low, high), outside = plausible.mean, (mean < plausible.mean[0]) | (mean > plausible.mean[1])
    if outside.any():
        worst = mean[outside]
        raise DataError(
            f"{what} has the mean {worst.min():.3g} to {worst.max():.3g} {unit} over land in "
            f"{_ranges(years[outside])}; {low:g} to {high:g} is plausible: {advice}"
        )
    others = _neighbours(mean)
    jumps = plausible.differs(mean, others)
    if jumps.any():
        at = int(np.argmax(jumps))
        raise DataError(
            f"{what} jumps in {_ranges(years[jumps])}: its mean over land is {mean[at]:.3g} {unit} "
            f"in {years[at]}, but {others[at]:.3g} {unit} in the neighbouring years; {advice}"
        )


def _neighbours(mean: np.ndarray) -> np.ndarray:
    """Return the median of the years around each year, excluding it; a single year is its own."""
    if mean.size == 1:
        return mean
    around = [
        np.concatenate([mean[max(i - NEIGHBOURS, 0) : i], mean[i + 1 : i + 1 + NEIGHBOURS]])
        for i in range(mean.size)
    ]
    return np.array([np.median(years) for years in around])


def _ranges(years: np.ndarray) -> str:
    """Write years as ranges.

    Examples
    --------
    >>> _ranges(np.array([2030, 2100, 2101, 2102]))
    '2030, 2100 to 2102'
    """
    runs = np.split(years, np.flatnonzero(np.diff(years) != 1) + 1)
    return ", ".join(f"{r[0]}" if r.size == 1 else f"{r[0]} to {r[-1]}" for r in runs)
