"""Real records as tidy datasets, and a way to go on without them.

:func:`reach` gives a record, or says why it can't be had. In a notebook, the cells that need a
record which can't be had are then left out, and the others run.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr

TOOLIK_DEPTHS = {
    "temp.soil.6mm.C": 0.006,
    "temp.soil.80mm.C": 0.087,  # the file's own header gives 8.7 cm
    "temp.soil.160mm.C": 0.16,
    "temp.soil.236mm.C": 0.236,
    "temp.soil.312mm.C": 0.312,
    "temp.soil.387mm.C": 0.387,
    "temp.soil.463mm.C": 0.463,
    "temp.soil.616mm.C": 0.616,
    "temp.soil.768mm.C": 0.768,
    "temp.soil.978mm.C": 0.978,
}
"""Depth, m, of each temperature sensor by the name of its column."""

TOOLIK_PROBES = ("120mm", "90mm", "280mm.r1", "280mm.r2", "390mm", "680mm")
"""Moisture probes, by the end of their columns' names, in the order of the file."""

MM_PER_INCH = 25.4

CLM_CN_UNITS = {
    "GPP": "PgC yr-1",
    "AR": "PgC yr-1",
    "HR": "PgC yr-1",
    "TSA": "K",
    "D_PREC": "mm day-1",
    "D_TOTSOILLIQ": "mm",
}
"""Units inferred from the size of the values: the file gives none."""


def tidy_clm_cn(raw: xr.Dataset) -> xr.Dataset:
    """Give the six variables of the CLM-CN record that a regression of uptake needs.

    Parameters
    ----------
    raw : Dataset (time)
        As :func:`mpcf.catalog.open_record` gives it.

    Returns
    -------
    Dataset (year)
        ``GPP, AR, HR`` PgC yr-1, ``TSA`` K, ``D_PREC`` mm day-1, ``D_TOTSOILLIQ`` mm, in double
        precision; ``year`` counts from the start of the run.
    """
    tidy = raw[list(CLM_CN_UNITS)].astype(np.float64)
    for name, units in CLM_CN_UNITS.items():
        tidy[name].attrs["units"] = units
    return tidy.assign_coords(time=tidy["time"].dt.year.values).rename(time="year")


def tidy_toolik(raw: pd.DataFrame) -> xr.Dataset:
    """Give the Toolik record's temperature, precipitation and probes by day.

    Parameters
    ----------
    raw : DataFrame
        As :func:`mpcf.catalog.open_record` gives it.

    Returns
    -------
    Dataset (time, depth, probe)
        ``tsl`` (time, depth) °C; ``pr`` (time) mm day-1, the sum of the hours that were measured;
        ``vwc`` (time, probe), what the column called volumetric water content holds, and
        ``permittivity`` (time, probe), the real dielectric permittivity beside it: both as they
        stand in the file, faults and all.
    """
    import pandas as pd
    import xarray as xr

    time = pd.to_datetime(raw["date"], format="%m/%d/%Y").to_numpy()
    return xr.Dataset(
        {
            "tsl": (("time", "depth"), raw[list(TOOLIK_DEPTHS)].to_numpy(), {"units": "degC"}),
            "pr": (
                "time",
                (raw["precip.in"] * raw["n.avg"] * MM_PER_INCH).to_numpy(),
                {"units": "mm day-1"},
            ),
            "vwc": (("time", "probe"), raw[[f"VWC.{p}" for p in TOOLIK_PROBES]].to_numpy()),
            "permittivity": (("time", "probe"), raw[[f"ER.{p}" for p in TOOLIK_PROBES]].to_numpy()),
        },
        {"time": time, "depth": list(TOOLIK_DEPTHS.values()), "probe": list(TOOLIK_PROBES)},
    )


TIDY = {"clm_cn": tidy_clm_cn, "toolik": tidy_toolik}


@dataclass(frozen=True)
class OutOfReach:
    """Stands where a record, or what was computed from it, would be.

    Attributes
    ----------
    name : str
        The record.
    reason : str
        Why it can't be had, and what to do.
    """

    name: str
    reason: str


def reach(name: str) -> xr.Dataset | OutOfReach:
    """Open a real record as a tidy dataset; if it can't be had, say so and go on.

    In a notebook, a record that can't be had is announced on the page, and later cells that use
    it, or use what such a cell would have made, are left out.

    Parameters
    ----------
    name : str
        ``"clm_cn"`` or ``"toolik"``.

    Returns
    -------
    Dataset or OutOfReach
        The record; see :func:`tidy_clm_cn` and :func:`tidy_toolik`.

    Raises
    ------
    mpcf.catalog.RecordChanged
        If the file is there but is not the one that the catalogue describes.
    """
    from mpcf.catalog import RecordUnavailable, open_record

    try:
        return TIDY[name](open_record(name))
    except RecordUnavailable as error:
        missing = OutOfReach(name, str(error))
    _announce(missing)
    return missing


def _announce(missing: OutOfReach) -> None:
    from IPython import get_ipython
    from IPython.display import Markdown, display

    display(
        Markdown(
            f"> **The record `{missing.name}` could not be reached**, so this page leaves out "
            f"every result that needs it. In detail: {missing.reason}."
        )
    )
    shell = get_ipython()
    if shell and not any(isinstance(t, LeaveOut) for t in shell.ast_transformers):
        shell.ast_transformers.append(LeaveOut(shell.user_ns))


class LeaveOut(ast.NodeTransformer):
    """Empty the cells that use a name bound to :class:`OutOfReach`; it spreads to their results.

    Parameters
    ----------
    names : dict
        The notebook's names and their values.
    """

    def __init__(self, names: dict[str, object]) -> None:
        self.names = names

    def visit(self, node: ast.Module) -> ast.Module:
        """Give a cell back as it is, or empty if it needs what can't be had."""
        needed, made = _needed_and_made(node)
        values = [self.names.get(name) for name in sorted(needed)]
        missing = next((value for value in values if isinstance(value, OutOfReach)), None)
        if missing is None:
            return node
        self.names.update(dict.fromkeys(made, missing))
        return ast.Module(body=[], type_ignores=[])


def _needed_and_made(cell: ast.Module) -> tuple[set[str], set[str]]:
    """Names that a cell takes from the cells before it, and names that it binds."""
    needed: set[str] = set()
    made: set[str] = set()
    for statement in cell.body:
        parts = list(ast.walk(statement))
        loaded = {p.id for p in parts if isinstance(p, ast.Name) and isinstance(p.ctx, ast.Load)}
        stored = {p.id for p in parts if isinstance(p, ast.Name) and isinstance(p.ctx, ast.Store)}
        # An assignment's value is read before its target is bound; a loop's target before its body.
        plain = isinstance(statement, (ast.Assign, ast.AnnAssign)) and statement.value
        inside = ast.walk(statement.value) if plain else parts
        bound = {p.id for p in inside if isinstance(p, ast.Name) and isinstance(p.ctx, ast.Store)}
        bound |= {p.arg for p in parts if isinstance(p, ast.arg)}
        needed |= loaded - bound - made
        made |= stored | {p.name for p in parts if isinstance(p, ast.FunctionDef)}
    return needed, made
