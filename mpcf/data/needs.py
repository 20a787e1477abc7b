"""What each chapter needs of a source: variables, phases and members.

The one place for it: the checks, the pipeline and the pages read this table.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from mpcf.data.phases import PHASES
from mpcf.data.variables import MONTHLY, YEARLY


@dataclass(frozen=True)
class Needs:
    """
    What a chapter needs; without it the chapter is left out.

    Attributes
    ----------
    yearly : tuple of str
        Variables of the yearly dataset, which are there if the monthly ones are that they are
        computed from (`mpcf.data.variables.YEARLY`).
    phases : tuple of str
        Phases of the experiment.
    one_of : tuple of str
        Phases of which there must be at least one.
    members : int
        Least number of members.
    chapters : tuple of str
        Chapters whose results it reads, and so also needs what they need.
    """

    yearly: tuple[str, ...] = ()
    phases: tuple[str, ...] = ()
    one_of: tuple[str, ...] = ()
    members: int = 1
    chapters: tuple[str, ...] = ()

    @property
    def monthly(self) -> tuple[str, ...]:
        """Monthly variables from which the yearly ones are computed, in the order of the table."""
        wanted = {part for name in self.yearly for part in YEARLY[name].needs}
        return tuple(name for name in MONTHLY if name in wanted)


_REGION = ("02-permafrost-thaw",)
_FLUXES = ("gpp", "ra", "rh")
_WATER = ("soil_liquid", "soil_water", "thaw_wetness", "thaw_depth")
_CLIMATE = ("temperature", "precipitation")

CHAPTERS: dict[str, Needs] = {
    "01-data": Needs(),
    "02-permafrost-thaw": Needs(
        yearly=("permafrost", "permafrost_at", "alt", "talik", "tsl_max", "tsl_min"),
        phases=("warming",),
    ),
    "03-moisture-trends": Needs(yearly=_WATER, phases=("warming",), chapters=_REGION),
    "04-regression": Needs(
        yearly=(*_FLUXES, *_CLIMATE, *_WATER), phases=("warming",), chapters=_REGION
    ),
    "05-feedback-attribution": Needs(
        yearly=(*_FLUXES, *_CLIMATE, *_WATER), phases=("warming",), chapters=_REGION
    ),
    "06-refreeze-delay": Needs(
        yearly=(
            *("frozen_depth", "permafrost", "zero_curtain", "latent_heat", "sensible_heat"),
            *("temperature", "snow", "soil_liquid", "soil_water", "thaw_wetness"),
        ),
        one_of=("net-zero", "net removal"),
        chapters=_REGION,
    ),
    "07-reality-check": Needs(),
    "08-robustness": Needs(
        yearly=(*_FLUXES, *_CLIMATE, *_WATER, "permafrost", "permafrost_at"), phases=("warming",)
    ),
    "09-across-models": Needs(
        yearly=(*_FLUXES, *_CLIMATE, "soil_liquid", "soil_water", "permafrost"),
        phases=("warming", "mitigation"),
    ),
}
"""Chapter → what it needs of a source. Chapter 1 shows what there is, chapter 7 reads records."""


WHY = {"tsl": "without it there is no permafrost mask, and so no region"}
"""Monthly variable → what its absence means, where that is not plain."""


@dataclass(frozen=True)
class Missing:
    """
    What a chapter needs and a source lacks.

    Attributes
    ----------
    chapter : str
        The chapter.
    monthly : tuple of str
        Monthly variables that the source lacks.
    phases : tuple of str
        Phases that its entry does not have; those of which one is needed are joined by *or*.
    members : int
        Number of members that are needed, 0 if there are enough.
    """

    chapter: str
    monthly: tuple[str, ...] = ()
    phases: tuple[str, ...] = ()
    members: int = 0

    def __bool__(self) -> bool:
        """Return whether anything is missing."""
        return bool(self.monthly or self.phases or self.members)

    def __str__(self) -> str:
        """Return what is missing as the end of a sentence."""
        parts = [
            f"{MONTHLY[name].long_name} ({'; '.join(filter(None, (name, WHY.get(name))))})"
            for name in self.monthly
        ]
        parts += [f"the phase {' or '.join(map(repr, p.split(' or ')))}" for p in self.phases]
        parts += [f"{self.members} members"] if self.members else []
        return " and ".join(filter(None, (", ".join(parts[:-1]), *parts[-1:])))


def needs_of(chapter: str) -> Needs:
    """
    Return what a chapter needs, with what the chapters need whose results it reads.

    Parameters
    ----------
    chapter : str
        Its name; one that is not in `CHAPTERS` needs nothing.

    Returns
    -------
    Needs
        Without ``chapters``.

    Examples
    --------
    >>> needs_of("03-moisture-trends").monthly
    ('tsl', 'mrsll', 'mrsfl')
    """
    own = CHAPTERS.get(chapter, Needs())
    parts = [own, *map(needs_of, own.chapters)]

    def joined(field: str) -> tuple[str, ...]:
        return tuple(dict.fromkeys(name for part in parts for name in getattr(part, field)))

    return Needs(
        joined("yearly"), joined("phases"), joined("one_of"), max(part.members for part in parts)
    )


def missing(
    chapter: str, monthly: Collection[str], phases: Collection[str], members: int
) -> Missing:
    """
    Return what a chapter needs and a source lacks.

    Parameters
    ----------
    chapter : str
        Its name.
    monthly : collection of str
        Monthly variables of the source.
    phases : collection of str
        Phases of its entry.
    members : int
        Number of its members.

    Returns
    -------
    Missing
        False in a condition if the chapter can run.

    Examples
    --------
    >>> print(missing("03-moisture-trends", ["tsl", "mrsll"], ["warming"], 1))
    ice in the soil layer (mrsfl)
    """
    needs = needs_of(chapter)
    absent = [name for name in needs.phases if name not in phases]
    if needs.one_of and not set(needs.one_of) & set(phases):
        absent.append(" or ".join(needs.one_of))
    return Missing(
        chapter,
        tuple(name for name in needs.monthly if name not in monthly),
        tuple(absent),
        needs.members if members < needs.members else 0,
    )


def where_from(name: str) -> str:
    """
    Return where a monthly variable could come from.

    Parameters
    ----------
    name : str
        Standard name.

    Returns
    -------
    str
        Its names in CESM2 history files and in CMIP6.

    Examples
    --------
    >>> where_from("tsl")
    'CESM2: TSOI; CMIP6: tsl (table Lmon)'
    """
    known = MONTHLY[name]
    total = {"mrsll": ("H2OSOI", "mrsol"), "mrsfl": ("H2OSOI", "mrsol")}.get(name)
    cesm = " and ".join(known.cesm) + (f", or {total[0]} for all water" if total else "")
    cmip6 = f"{name} (table {known.table})" + (f", or {total[1]} for all water" if total else "")
    places = [f"CESM2: {cesm}"] if known.cesm else []
    return "; ".join(places + ([f"CMIP6: {cmip6}"] if known.table != "mpcf" else []))


def how_to_set(phase: str) -> str:
    """
    Return what a phase is, and how a source gets it.

    Parameters
    ----------
    phase : str
        Name, or names joined by *or*, as in `Missing`.

    Returns
    -------
    str
        A sentence without its full stop.

    Examples
    --------
    >>> how_to_set("net-zero")
    "years in which there are none: set 'net-zero' in the entry's phases, if the run has such years"
    """
    names = phase.split(" or ")
    what = ", or ".join(PHASES[name] for name in names)
    said = " or ".join(map(repr, names))
    return f"years in which {what}: set {said} in the entry's phases, if the run has such years"
