"""The three emission phases of an experiment, as stated in a catalogue entry."""

from __future__ import annotations

from typing import Any

from mpcf.errors import CatalogError

PHASES = ("warming", "mitigation", "net-zero")


def read_phases(name: str, raw: Any) -> dict[str, tuple[int, int]]:
    """Return the phases of a catalogue entry, after checking that they are consecutive.

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
        If they are not three phases without a gap; the message says what to set.

    Examples
    --------
    >>> read_phases("mine", {"warming": [1, 2], "mitigation": [3, 3], "net-zero": [4, 9]})
    {'warming': (1, 2), 'mitigation': (3, 3), 'net-zero': (4, 9)}
    """
    match raw:
        case None:
            return {}
        case dict() if not any(raw.values()) and set(raw) <= set(PHASES):
            return {}
        case {
            "warming": [int(a), int(b)],
            "mitigation": [int(c), int(d)],
            "net-zero": [int(e), int(f)],
        } if a <= b and b + 1 == c <= d and d + 1 == e <= f:
            return {"warming": (a, b), "mitigation": (c, d), "net-zero": (e, f)}
    raise CatalogError(
        f"phases of '{name}' are {raw}; give in catalog.yml the first and last year of "
        f"{', '.join(PHASES)}, by these names, each beginning in the year after the one before. "
        "The chapters compare all three: a run that lacks one can't be their source"
    )


BASE_YEARS = 15
"""Length of the base period, the first years of a run."""
