"""Counterfactual worlds of the twins, and the attribution of effects to interacting causes.

Moisture has two meanings. As *liquid* water, layers that thaw stay as dry as frozen ones: thaw
itself counts as moisture. As *total* water, the amount is held and temperature sets its phase: thaw
counts as temperature. Liquid water therefore has two *parts*: how deep the soil thaws, which is the
phase of the water, and how wet it is, which is its amount.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain, combinations
from math import factorial
from typing import NamedTuple

import numpy as np

__all__ = [
    "CAUSES",
    "HELD",
    "MEANINGS",
    "NULL_WORLDS",
    "PARTS",
    "THERMAL",
    "WORLDS",
    "World",
    "direct_world",
    "moisture_held_world",
    "parted_world",
    "shapley",
    "subsets",
    "thermal_world",
]

MEANINGS = ("liquid", "total")
"""Meanings of moisture."""

PARTS = ("thaw", "wetness")
"""Parts of liquid water: the phase of the soil's water, and its amount."""

CAUSES = ("photosynthesis", "decomposition", "temperature", "co2")
"""Inputs of the carbon equations: moisture in photosynthesis, moisture in decomposition,
temperature in both, and CO2."""

MOISTURE = frozenset(CAUSES[:2])
"""The causes that are moisture."""

HELD = {
    "photosynthesis": frozenset({"photosynthesis"}),
    "decomposition": frozenset({"decomposition"}),
    "moisture": MOISTURE,
    "temperature": frozenset({"temperature"}),
    "co2": frozenset({"co2"}),
    "everything": frozenset(CAUSES),
}
"""Direct twins that are stored, and the causes that each holds at rest."""

THERMAL = ("latent", "conduction", "thermal")
"""Column twins: the water that stores heat is held, the water that conducts it, or both."""


class World(NamedTuple):
    """Runs from which the carbon equations take temperature, water and CO2.

    Attributes
    ----------
    temperature : str
        Run that gives air and soil temperature.
    plants, microbes : tuple of str
        Run that gives the amount of water and run that gives its phase, for photosynthesis and for
        decomposition; the same run twice means its liquid water.
    co2 : str
        Run that gives CO2.
    """

    temperature: str = "full"
    plants: tuple[str, str] = ("full", "full")
    microbes: tuple[str, str] = ("full", "full")
    co2: str = "full"


def direct_world(meaning: str, held: frozenset[str]) -> World:
    """Return the world in which some causes are held at rest in the carbon equations.

    Parameters
    ----------
    meaning : str
        One of `MEANINGS`.
    held : frozenset of str
        Those of `CAUSES` that are held at rest.

    Returns
    -------
    World
        The runs from which each input is taken.

    Examples
    --------
    >>> direct_world("total", MOISTURE).plants
    ('rest', 'full')
    """
    temperature = "rest" if "temperature" in held else "full"

    def water(side: str) -> tuple[str, str]:
        amount = "rest" if side in held else "full"
        return amount, (amount if meaning == "liquid" else temperature)

    co2 = "rest" if "co2" in held else "full"
    return World(temperature, water("photosynthesis"), water("decomposition"), co2)


NULL_WORLDS = {
    "liquid": World(plants=("mean", "mean"), microbes=("mean", "mean")),
    "total": World(plants=("mean", "full"), microbes=("mean", "full")),
    "thaw": World(plants=("full", "mean"), microbes=("full", "mean")),
    "temperature": World(temperature="mean"),
    "co2": World(co2="rest"),
}
"""Worlds in which one input has no effect on carbon: its mean year at rest, repeated. In the
equations precipitation has none in any world."""


def parted_world(amount: str, phase: str) -> World:
    """Return the world in which photosynthesis and decomposition see one run's water in a phase.

    Parameters
    ----------
    amount : {"full", "rest"}
        Run that gives the amount of water.
    phase : {"full", "rest"}
        Run that gives the liquid share of it.

    Returns
    -------
    World
        With full temperature and CO2.

    Examples
    --------
    >>> parted_world("full", "rest").plants
    ('full', 'rest')
    """
    return World(plants=(amount, phase), microbes=(amount, phase))


def thermal_world(name: str) -> World:
    """Return the world of a column twin: its own temperature and liquid water.

    Parameters
    ----------
    name : str
        One of `THERMAL`.

    Returns
    -------
    World
        With full CO2.

    Examples
    --------
    >>> thermal_world("latent").temperature
    'latent'
    """
    return World(name, (name, name), (name, name))


def moisture_held_world(meaning: str) -> World:
    """Return the world in which moisture is held in the carbon equations and in the soil's heat.

    Parameters
    ----------
    meaning : str
        One of `MEANINGS`.

    Returns
    -------
    World
        With full CO2.

    Examples
    --------
    >>> moisture_held_world("total").plants
    ('rest', 'thermal')
    """
    water = ("rest", "rest" if meaning == "liquid" else "thermal")
    return World("thermal", water, water)


def subsets(causes: tuple[str, ...] = CAUSES) -> Iterator[frozenset[str]]:
    """Return all subsets of the causes, from none to all.

    Parameters
    ----------
    causes : tuple of str
        Names, without duplicates.

    Returns
    -------
    iterator of frozenset
        2 to the power of their number.

    Examples
    --------
    >>> len(list(subsets()))
    16
    """
    sizes = range(len(causes) + 1)
    return map(frozenset, chain.from_iterable(combinations(causes, size) for size in sizes))


def shapley(value: dict[frozenset[str], np.ndarray], causes: tuple[str, ...]) -> list[np.ndarray]:
    r"""Return the effect of each cause, averaged over all orders in which causes may be added.

    .. math:: \phi_i = \sum_{S \not\ni i} \frac{|S|!\,(n-|S|-1)!}{n!}\,(v(S \cup i) - v(S))

    Parameters
    ----------
    value : dict
        What is measured, for each set of causes that *act*.
    causes : tuple of str
        All of them.

    Returns
    -------
    list of ndarray
        Effects in the order of the causes, which add up to v(all) - v(none).

    References
    ----------
    Shapley 1953, doi 10.1515/9781400881970-018.

    Examples
    --------
    >>> v = {frozenset(): 0.0, frozenset("a"): 1.0, frozenset("b"): 2.0, frozenset("ab"): 5.0}
    >>> shapley(v, ("a", "b"))
    [2.0, 3.0]
    """
    n = len(causes)
    effects = []
    for cause in causes:
        others = tuple(c for c in causes if c != cause)
        effects.append(
            sum(
                factorial(len(s)) * factorial(n - len(s) - 1) / factorial(n)
                * (value[s | {cause}] - value[s])
                for s in subsets(others)
            )
        )  # fmt: skip
    return effects


WORLDS = tuple(
    dict.fromkeys(
        [
            *(direct_world(meaning, held) for meaning in MEANINGS for held in subsets()),
            *NULL_WORLDS.values(),
            *map(thermal_world, THERMAL),
            *map(moisture_held_world, MEANINGS),
        ]
    )
)
"""All worlds in which carbon is run, without duplicates."""
