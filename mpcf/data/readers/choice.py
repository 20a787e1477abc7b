"""Read only the members and the years that an entry of the catalogue names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeVar

import xarray as xr

from mpcf.data.readers.fields import Piece
from mpcf.data.readers.months import Months
from mpcf.errors import DataError

Of = TypeVar("Of")


def only_members(found: Mapping[str, Of], wanted: Sequence[str]) -> dict[str, Of]:
    """
    Return the members that an entry names.

    Parameters
    ----------
    found : mapping of str
        Members by name.
    wanted : sequence of str
        Names; if empty, all.

    Returns
    -------
    dict
        The wanted ones in the order in which they were found.

    Raises
    ------
    DataError
        If there is no such member; the message names those that there are.

    Examples
    --------
    >>> only_members({"001": 1, "002": 2}, ["002"])
    {'002': 2}
    """
    if unknown := [name for name in wanted if name not in found]:
        raise DataError(
            f"there is no member {', '.join(unknown)}; there are {', '.join(found)}: correct "
            "'members' in the entry of catalog.yml"
        )
    return {name: kept for name, kept in found.items() if not wanted or name in wanted}


def only_years(
    members: Mapping[str, Sequence[Piece]], years: tuple[int, int] | None
) -> dict[str, list[Piece]]:
    """
    Return the files of members, cut to the years that an entry names.

    Parameters
    ----------
    members : mapping of str to sequence of Piece
        Each member's files.
    years : (int, int) or None
        Inclusive first and last year; None for all.

    Returns
    -------
    dict of str to list of Piece
        Files without a month in these years are left out if another file has their variables.
    """
    if years is None:
        return {member: list(pieces) for member, pieces in members.items()}
    return {member: _cut_all(pieces, years) for member, pieces in members.items()}


def check_years(dataset: xr.Dataset, years: tuple[int, int] | None) -> None:
    """
    Check that data hold all years that an entry names.

    Parameters
    ----------
    dataset : Dataset (time, ...)
        The standard monthly dataset, cut to these years.
    years : (int, int) or None
        Inclusive first and last year; None for all.

    Raises
    ------
    DataError
        If they do not.
    """
    if years is None:
        return
    index = dataset.indexes["time"]
    held = (index[0].year, index[-1].year) if index.size else "none of them"
    if held != years:
        said = held if isinstance(held, str) else "{} to {}".format(*held)
        raise DataError(
            f"the entry's years are {years[0]} to {years[1]}, but of these the data hold {said}; "
            "correct 'years' in catalog.yml"
        )


def _cut_all(pieces: Sequence[Piece], years: tuple[int, int]) -> list[Piece]:
    cut = [_cut(piece, years) for piece in pieces]
    within = {name for part in cut if part is not None for name in _variables(part)}
    # of a variable that has no month in these years, the message about its months says so
    return [
        piece if part is None else part
        for piece, part in zip(pieces, cut, strict=True)
        if part is not None or not _variables(piece) <= within
    ]


def _variables(piece: Piece) -> set[str]:
    return {str(name) for name, values in piece.raw.variables.items() if "time" in values.dims}


def _cut(piece: Piece, years: tuple[int, int]) -> Piece | None:
    """Return the part of a file in the given years; None if there is none."""
    if "time" not in piece.raw.dims:
        return piece
    try:
        own = piece.months
    except DataError:  # raised where the file is read, if it is
        return piece
    first, stop = max(own.first, 12 * years[0]), min(own.stop, 12 * (years[1] + 1))
    if first >= stop:
        return None
    if (first, stop) == (own.first, own.stop):
        return piece
    raw = piece.raw.isel(time=slice(first - own.first, stop - own.first))
    part = Piece(piece.path, piece.member, raw)
    part.__dict__["months"] = Months(first, stop - first, own.calendar)  # not by the file's name
    return part
