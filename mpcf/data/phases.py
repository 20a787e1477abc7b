"""The three phases of an experiment by its emissions, as a catalogue entry states them."""

from __future__ import annotations

from typing import Any

from mpcf.errors import CatalogError

PHASES = ("warming", "mitigation", "net-zero")


def _phases(name: str, raw: Any) -> dict[str, tuple[int, int]]:
    match raw:
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
