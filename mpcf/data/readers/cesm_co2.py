"""Find the CO2 of the air in a CESM run: prescribed, or the one that the model computed."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import xarray as xr

from mpcf.data.readers.fields import Piece, series
from mpcf.data.readers.fixed_maps import check_grids
from mpcf.data.readers.grids import Grid
from mpcf.data.readers.loading import load
from mpcf.data.readers.months import Months
from mpcf.errors import DataError

PPM = 1e6
MOLAR_MASS_RATIO = 28.9647 / 44.0095
"""Mass mixing ratio of CO2 in dry air → mole fraction."""

MIN_CO2_RANGE = 1e-4
"""Smallest range, as a share of the mean, of a CO2 that varies: about 0.03 ppm."""

PRESCRIBED, PRESSURES, TRACER = "co2vmr", ("PCO2", "PBOT"), "CO2"
NAMES = (PRESCRIBED, *PRESSURES, TRACER)
"""CAM's prescribed mole fraction; partial and total pressure above CLM's ground; CAM's tracer."""


def read_co2(
    find: Callable[[str], Sequence[Piece]], grid: Grid, member: str, notes: list[str]
) -> tuple[xr.DataArray, Months, str] | None:
    """
    Return the CO2 of the air that a run's plants and radiation met, if it varies.

    CAM writes ``co2vmr``, the value that its namelist prescribes. In a run driven by emissions it
    stays as it was in the namelist; the modelled CO2 is then that of the land's lowest air,
    ``PCO2 / PBOT``, or CAM's tracer ``CO2`` in its lowest layer, both as the mean over the cells
    north of 45° N that have it.

    Parameters
    ----------
    find : callable
        Name of a variable → the member's files that hold it.
    grid : Grid
        Grid of the soil temperature.
    member : str
        The member, for messages.
    notes : list of str
        Gets a line for what was found but not used, and why.

    Returns
    -------
    (DataArray (time), Months, str) or None
        ppm, their months, and the variables in the source; None if there is none that varies.
    """
    readers = (
        ((PRESCRIBED,), lambda: _prescribed(find, notes)),
        (PRESSURES, lambda: _from_pressures(find, grid, notes)),
        ((TRACER,), lambda: _from_tracer(find, grid, notes)),
    )
    for names, read in readers:
        if not all(map(find, names)):
            continue
        what = " / ".join(names)
        try:
            values, months = read()
            if not _varies(values):
                notes.append(
                    f"{what} of member {member} is not taken for CO2, since it stays the same: in "
                    "a run driven by emissions, co2vmr is only what the namelist prescribes"
                )
                continue
        except DataError as error:
            notes.append(f"{what} is not taken for CO2: {error}")
            continue
        if names != (PRESCRIBED,):
            notes.append(f"CO2 is the mean of {what} over the cells with values north of 45° N")
        return values, months, what
    return None


def _prescribed(
    find: Callable[[str], Sequence[Piece]], notes: list[str]
) -> tuple[xr.DataArray, Months]:
    # CAM writes no units
    return series(find(PRESCRIBED), PRESCRIBED, "ppm", absent="mol/mol", notes=notes, repeats=True)


def _from_pressures(
    find: Callable[[str], Sequence[Piece]], grid: Grid, notes: list[str]
) -> tuple[xr.DataArray, Months]:
    parts = []
    for name in PRESSURES:
        check_grids({name: find(name)}, grid)
        parts.append(series(find(name), name, "Pa", notes=notes, repeats=True))
    (partial, months), (total, others) = parts
    if months != others:
        raise DataError(f"PCO2 holds {months}, but PBOT {others}")
    return _mean(PPM * partial / total, grid), months


def _from_tracer(
    find: Callable[[str], Sequence[Piece]], grid: Grid, notes: list[str]
) -> tuple[xr.DataArray, Months]:
    pieces = [
        Piece(p.path, p.member, p.raw.isel(lev=-1) if "lev" in p.raw.dims else p.raw)
        for p in find(TRACER)
    ]
    check_grids({TRACER: pieces}, grid)
    values, months = series(
        pieces, TRACER, "1", scale=PPM * MOLAR_MASS_RATIO, notes=notes, repeats=True
    )
    return _mean(values, grid), months


def _mean(values: xr.DataArray, grid: Grid) -> xr.DataArray:
    weight = xr.DataArray(np.cos(np.deg2rad(grid.lat[grid.north])).clip(min=0), dims="lat")
    return values.weighted(weight).mean(("lat", "lon")).astype("float32")


def _varies(values: xr.DataArray) -> bool:
    """Look at the first and the last year."""
    ends = [load(values.isel(time=part)) for part in (slice(0, 12), slice(-12, None))]
    low, high = (float(f([f(end) for end in ends])) for f in (np.nanmin, np.nanmax))
    return high - low > MIN_CO2_RANGE * abs(high)
