"""Open CESM output in Zarr stores that hold all members, as the CESM2 Large Ensemble in the cloud.

A store holds one variable of one experiment, with the dimension ``member_id``; an intake-esm
catalogue names the stores. They have no cell area and no land fraction.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from mpcf.data.readers import cesm
from mpcf.data.readers.choice import only_members
from mpcf.data.readers.esm_tables import open_catalogue
from mpcf.data.readers.fields import Piece
from mpcf.data.readers.files import is_remote, open_piece
from mpcf.data.readers.zarr_stores import open_store
from mpcf.errors import DataError

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = ("component", "frequency", "experiment", "forcing_variant", "variable")
"""Columns that the catalogue must have, beside that of the paths."""

STAND_INS = {"TREFHT": "TSA"}
"""Variable of the atmosphere → that of the land model in whose place it is read."""

MEMBER = "member_id"


def open_members(
    place: str,
    maps: str,
    experiments: Sequence[str],
    forcing: str,
    members: Sequence[str] = (),
) -> dict[str, list[Piece]]:
    """
    Return the stores of each member, opened.

    Parameters
    ----------
    place : str
        Path or address of the catalogue (json).
    maps : str
        Path of a history file of the same grid with ``area`` and ``landfrac``.
    experiments : sequence of str
        In chronological order.
    forcing : str
        The ``forcing_variant`` to read.
    members : sequence of str, optional
        The ``member_id`` to read; by default all.

    Returns
    -------
    dict of str to list of Piece
        Member → its part of each store, and the maps, as `mpcf.data.readers.cesm.read` takes them.

    Raises
    ------
    DataError
        If the catalogue has no such stores, or stores differ in their members; the message says
        what there is.
    FileNotFoundError
        If there is no such catalogue or file.
    Unreachable
        If an address gives no answer.
    """
    fixed = open_piece(maps, "maps")
    names = [name for name in cesm.FIXED if name in fixed.raw.variables]
    if "landfrac" not in names:
        raise DataError(
            f"{maps} has no 'landfrac'; name a CLM history file of the same grid, which has it"
        )
    found: dict[str, list[Piece]] = {}
    for path, variable in _stores(place, experiments, forcing):
        raw = open_store(path, "all", variable).rename(
            {variable: STAND_INS.get(variable, variable)}
        )
        if MEMBER not in raw.coords:
            raise DataError(f"{variable} ({path}) has no dimension '{MEMBER}' with names")
        for index, member in enumerate(map(str, raw[MEMBER].values)):
            part = raw.isel({MEMBER: index}, drop=True)
            found.setdefault(member, []).append(Piece(path, member, part))
    most = max(map(len, found.values()))
    if lacking := [member for member, pieces in found.items() if len(pieces) < most]:
        raise DataError(
            f"the stores of {place} do not hold the same members: {lacking[0]} is only in "
            f"{', '.join(piece.path for piece in found[lacking[0]])}; name in the entry's "
            "'members' those that all hold"
        )
    return {
        member: [*pieces, Piece(maps, member, fixed.raw[names])]
        for member, pieces in only_members(found, members).items()
    }


def input_places(place: str, maps: str, experiments: Sequence[str], forcing: str) -> list[str]:
    """
    Return what `open_members` would read, without using the network.

    Parameters
    ----------
    place : str
        See `open_members`.
    maps : str
        See `open_members`.
    experiments : sequence of str
        See `open_members`.
    forcing : str
        See `open_members`.

    Returns
    -------
    list of str
        The catalogue, the maps and the stores; for a catalogue on the network, only its address.

    Raises
    ------
    DataError
        If the catalogue has no such stores.
    FileNotFoundError
        If there is no such catalogue.
    """
    if is_remote(place):
        return [place, maps]
    stores = [path for path, _ in _stores(place, experiments, forcing)]
    return [place, maps, *stores]


def _stores(place: str, experiments: Sequence[str], forcing: str) -> list[tuple[str, str]]:
    """Return the path and the variable of each store that the book can use."""
    table, column = _table(place)
    wanted = {*cesm.WANTED, *STAND_INS}
    own = table[
        (table["frequency"] == "monthly")
        & table["component"].isin(["lnd", "atm"])
        & table["forcing_variant"].eq(forcing)
        & table["experiment"].isin(experiments)
        & table["variable"].isin(wanted)
    ]
    has_own = own["variable"].map(STAND_INS).isin(own["variable"])
    own = own[~has_own].drop_duplicates(column)
    for experiment in experiments:
        here = set(own.loc[own["experiment"] == experiment, "variable"])
        if absent := sorted(set(own["variable"]) - here) or ([] if here else ["everything"]):
            there = ", ".join(sorted(map(str, table["experiment"].dropna().unique())))
            variants = ", ".join(sorted(map(str, table["forcing_variant"].dropna().unique())))
            raise DataError(
                f"the catalogue {place} lacks {', '.join(absent)} of {experiment} ({forcing}), "
                f"monthly; it has the experiments {there} and the forcings {variants}: correct "
                "'experiments' and 'forcing' of the entry, or complete the catalogue"
            )
    order = own["experiment"].map({name: i for i, name in enumerate(experiments)})
    own = own.assign(order=order).sort_values(["variable", "order"], kind="stable")
    root = place.rpartition("/")[0]
    paths = [p if "://" in p or p.startswith("/") else f"{root}/{p}" for p in own[column]]
    return list(zip(paths, own["variable"], strict=True))


def _table(place: str) -> tuple[pd.DataFrame, str]:
    catalogue = open_catalogue(place)
    table, column = catalogue.df, catalogue.esmcat.assets.column_name
    if absent := [name for name in (*COLUMNS, column) if name not in table.columns]:
        raise DataError(
            f"the catalogue {place} has no column {', '.join(absent)}; is it one of CMIP6? Then "
            "its entry needs 'convention: cmip6'"
        )
    return table, column
