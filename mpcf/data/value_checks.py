"""Check each variable of a member by itself: bounds, gaps, and whether it varies at all."""

from __future__ import annotations

import numpy as np

from mpcf.data.samples import Sample, first_cell, name_in_source
from mpcf.data.variables import MONTHLY
from mpcf.errors import DataError

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
    "cSoil": (-1e-6, 1e4),
    "co2": (100.0, 1e4),
    "warming": (-5.0, 30.0),
    "sftlf": (-1e-6, 100.001),
    "sftgif": (-1e-6, 100.001),
}
"""Monthly means outside these bounds have a wrong unit, a wrong sign or fill values."""

PLAUSIBLE_MEAN = {
    "tas": (220.0, 310.0),
    "tsl": (220.0, 310.0),
    "pr": (1e-6, 3e-4),
    "gpp": (1e-10, 1e-6),
    "ra": (1e-10, 1e-6),
    "rh": (1e-10, 1e-6),
    "snd": (1e-3, 20.0),
    "mrsll": (1.0, 3000.0),
    "mrsfl": (0.05, 3000.0),
}
"""Bounds of the mean over land north of 45° N without ice sheets; outside them, a unit is wrong by
a factor of about 1000."""

VARIES = ("tas", "tsl", "pr", "gpp", "ra", "rh")
"""Variables that no cell holds constant from month to month. Snow on ice sheets, whose depth models
limit, and frozen water in ground that never thaws may be constant."""

MAX_CONSTANT = 1.0
"""Per cent of the land that may hold a constant other than 0."""


def check_values(sample: Sample) -> None:
    """Check that each variable lies within plausible bounds, has no gaps, and varies.

    Parameters
    ----------
    sample : Sample
        The sampled years of a member; variables in which a fault is found are added to its
        ``faulty``.

    Raises
    ------
    DataError
        For the first variable with a fault.
    """
    first: DataError | None = None
    for name in PLAUSIBLE:
        if name not in sample.monthly:
            continue
        try:
            _check_variable(sample, name)
        except DataError as error:
            sample.faulty.add(name)
            first = first or error
    if first is not None:
        raise first


def _check_variable(sample: Sample, name: str) -> None:
    values, variable = sample.values(name), MONTHLY[name]
    has_time, is_map = "time" in variable.dims, "lat" in variable.dims
    if "member" in variable.dims:
        what = sample.what(name)
    else:
        what = name_in_source(sample.monthly, name)
    when = f" in the years {sample.years}" if has_time else ""
    if has_time and is_map:
        values = np.where(sample.is_ice, np.nan, values)
    known = ~np.isnan(values)
    if not known.any():
        raise DataError(f"{what} has no values{when}")
    _check_bounds(values[known], name, f"{what}{{}}{when}")
    if not has_time:
        return
    if (known.any(axis=0) & ~known.all(axis=0)).any():
        months = int((known.any(axis=0) & ~known).reshape(len(values), -1).any(axis=1).sum())
        raise DataError(
            f"{what} has cells without values in {months} of the months{when}, "
            "but with values in others; a file may be cut short or damaged"
        )
    if is_map:
        _check_mean(sample, values, name, what)
        _check_variation(sample, values, name, what)


def _check_bounds(values: np.ndarray, name: str, text: str) -> None:
    (low, high), unit = PLAUSIBLE[name], MONTHLY[name].units
    lowest, highest = float(values.min()), float(values.max())
    if lowest < low or highest > high:
        raise DataError(
            text.format(f" runs from {lowest:.4g} to {highest:.4g} {unit}")
            + f"; {low:g} to {high:g} is plausible: look at its unit, its sign and its fill value"
        )


def _check_mean(sample: Sample, values: np.ndarray, name: str, what: str) -> None:
    weight = np.where(np.isnan(values), 0.0, sample.area)
    if name not in PLAUSIBLE_MEAN or not weight.any():
        return
    low, high = PLAUSIBLE_MEAN[name]
    mean = float((np.nan_to_num(values) * weight).sum() / weight.sum())
    if not low <= mean <= high:
        raise DataError(
            f"{what} has the mean {mean:.3g} {MONTHLY[name].units} in the years {sample.years}; "
            f"{low:g} to {high:g} is plausible north of 45° N: look at its unit, its sign and its "
            "fill value"
        )


def _check_variation(sample: Sample, values: np.ndarray, name: str, what: str) -> None:
    """Check that a variable does not hold one number, in all or in some of the cells."""
    land = values[..., sample.is_land]
    known = ~np.isnan(land)
    if not known.any():
        return
    unit = MONTHLY[name].units
    advice = (
        "a store that was never written, or a part of it, reads as its fill value or offset: "
        "get the file or store again"
    )
    if np.ptp(land[known]) == 0:
        raise DataError(
            f"{what} is {land[known][0]:.6g} {unit} in every cell and month of the years "
            f"{sample.years}; {advice}"
        )
    if name not in VARIES:
        return
    top = values[:, 0] if values.ndim == 4 else values
    is_known = ~np.isnan(top).any(axis=0) & sample.is_land
    if is_known.sum() > 1 and (np.ptp(top[:, is_known], axis=1) == 0).all():
        raise DataError(
            f"{what} has the same value in all cells, though not in all months, of the years "
            f"{sample.years}; give a value for each cell"
        )
    same = is_known & (top == top[0]).all(axis=0)
    same &= (top[0] != 0) | (name == "pr")
    if (share := sample.share(same)) > MAX_CONSTANT:
        cell = first_cell(same)
        raise DataError(
            f"{what} does not change in the years {sample.years} in {share:.1f} % of the land, "
            f"such as at {sample.place(cell)} ({top[0][cell]:.6g} {unit}); {advice}"
        )
