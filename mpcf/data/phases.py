"""The phases of an experiment by its emissions, as stated in a catalogue entry."""

from __future__ import annotations

import re
from difflib import get_close_matches
from itertools import pairwise
from typing import Any

from mpcf.errors import CatalogError

PHASES = {
    "warming": "CO2 emissions rise",
    "mitigation": "emissions fall, and are still above zero",
    "net-zero": "there are none",
    "net removal": "they are below zero: more is taken from the air than emitted",
}
"""Phases that chapters know by name, and what emissions do in them. Others may be named freely."""

UNTIL_NET_ZERO = "until net zero"
"""The period from the first year of warming to the last year of mitigation."""

BASE_YEARS = 15
"""Length of the base period, the first years of a run."""

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9 -]*")
# Likeness of two names above which one is taken for a misspelling of the other.
_ALIKE = 0.9


def read_phases(name: str, raw: Any) -> dict[str, tuple[int, int]]:
    """Return the phases of a catalogue entry in the order of their years.

    Parameters
    ----------
    name : str
        Name of the entry, for the message.
    raw : object
        Value in the entry: phase → its first and last year.

    Returns
    -------
    dict of str to (int, int)
        First and last year of each phase, both inclusive; empty where none is set.

    Raises
    ------
    CatalogError
        If there is no ``warming`` among them, they overlap or leave a gap, or a name is misspelt;
        the message says what to set.

    Examples
    --------
    >>> read_phases("mine", {"warming": [1, 100], "net removal": [101, 250]})
    {'warming': (1, 100), 'net removal': (101, 250)}
    """
    if raw is None or (isinstance(raw, dict) and not any(raw.values())):
        return {}
    advice = (
        "give in catalog.yml the first and last year of 'warming' and, where the run has them, of "
        f"{', '.join(list(PHASES)[1:])} and periods of your own, each beginning in the year after "
        "the one before"
    )
    if not isinstance(raw, dict) or not all(_are_years(years) for years in raw.values()):
        raise CatalogError(f"phases of '{name}' are {raw}; {advice}")
    for phase in raw:
        _check_name(name, phase)
    found = dict(sorted(((p, (a, b)) for p, (a, b) in raw.items()), key=lambda pair: pair[1]))
    if "warming" not in found or any(b[0] != a[1] + 1 for a, b in pairwise(found.values())):
        raise CatalogError(f"phases of '{name}' are {raw}; {advice}")
    return found


def _are_years(years: Any) -> bool:
    match years:
        case [int(first), int(last)] if first <= last:
            return True
    return False


def _check_name(entry: str, phase: Any) -> None:
    if not isinstance(phase, str) or not _NAME.fullmatch(phase) or phase == UNTIL_NET_ZERO:
        raise CatalogError(
            f"phases of '{entry}': {phase!r} can't name a phase; use letters, digits, spaces and "
            f"hyphens, and not '{UNTIL_NET_ZERO}'"
        )
    plain = {re.sub("[ -]", "", known): known for known in PHASES}
    alike = get_close_matches(re.sub("[ -]", "", phase.lower()), plain, n=1, cutoff=_ALIKE)
    if alike and plain[alike[0]] != phase:
        raise CatalogError(f"phases of '{entry}': did you mean {plain[alike[0]]!r} by {phase!r}?")
