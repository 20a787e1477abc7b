"""The causal diagram: what causes what in the demonstration, and which predictors follow from it.

The diagram is of one year in one cell, given the water, heat and carbon that earlier years have
left in the soil. `diagram` can add them as a common cause. Nature has more arrows than the
demonstration: CO2 closes stomata, plants shade and dry the soil, clouds change light and warmth
together, soil water changes the weather, fire and nutrients change uptake.
"""

from __future__ import annotations

from collections.abc import Collection
from itertools import combinations
from typing import NamedTuple

import networkx as nx

from mpcf.errors import InvalidChoice

OUTCOME = "uptake"
"""What is explained."""

EFFECTS = ("total", "direct")
"""Effects that can be asked for: along all arrows from exposure to outcome, or along one."""


class Node(NamedTuple):
    """A quantity of the diagram.

    Attributes
    ----------
    label : str
        Words for figures.
    measured : bool
        Whether the yearly dataset holds it.
    """

    label: str
    measured: bool = True


class Edge(NamedTuple):
    """An arrow of the diagram.

    Attributes
    ----------
    cause, effect : str
        Nodes.
    reason : str
        Why there is an arrow.
    """

    cause: str
    effect: str
    reason: str


NODES = {
    "emissions": Node("CO₂ emissions", measured=False),
    "weather": Node("weather", measured=False),
    "co2": Node("CO₂ in the air"),
    "temperature": Node("air temperature"),
    "precipitation": Node("precipitation"),
    "snow": Node("snow"),
    "thaw": Node("thaw and\nsoil temperature"),
    "moisture": Node("total water"),
    "liquid": Node("liquid water"),
    OUTCOME: Node("carbon uptake"),
}
"""Quantities by name. *Thaw* stands for the heat of the soil: its temperature sets its phase."""

EDGES = (
    Edge("emissions", "co2", "what is emitted stays in the air in part"),
    Edge("emissions", "temperature", "warming also follows the CO2 of earlier years"),
    Edge("co2", "temperature", "CO2 traps heat"),
    Edge("weather", "temperature", "internal variability"),
    Edge("weather", "precipitation", "internal variability"),
    Edge("weather", "snow", "what falls in winter is not in the yearly sum"),
    Edge("temperature", "precipitation", "warmer air holds more water"),
    Edge("temperature", "snow", "rain instead of snow, and melt"),
    Edge("precipitation", "snow", "snowfall"),
    Edge("temperature", "thaw", "heat is conducted into the soil"),
    Edge("snow", "thaw", "snow insulates"),
    Edge("precipitation", "moisture", "rain infiltrates"),
    Edge("snow", "moisture", "melt infiltrates"),
    Edge("temperature", "moisture", "evaporation"),
    Edge("thaw", "moisture", "ice blocks infiltration, drainage and evaporation"),
    Edge("thaw", "liquid", "the phase of the water"),
    Edge("moisture", "liquid", "the amount of water"),
    Edge("liquid", OUTCOME, "plants and microbes see liquid water"),
    Edge("thaw", OUTCOME, "decay is faster in warmer soil"),
    Edge("temperature", OUTCOME, "photosynthesis and maintenance of plants"),
    Edge("co2", OUTCOME, "fertilisation"),
)
"""Arrows. There is none from precipitation to uptake, nor from CO2 to water: the demonstration has
no stomata. Water changes the heat of the soil too, in the years after, which are not in here."""

EARLIER_YEARS = "earlier years"
"""Node that stands for the water, heat and carbon which earlier years have left in the soil."""


def diagram(*, earlier_years: bool = False) -> nx.DiGraph:
    """Return the causal diagram.

    Parameters
    ----------
    earlier_years : bool
        Whether what earlier years have left in the soil is a cause of water, thaw and uptake, not
        measured and driven by the same emissions, instead of given.

    Returns
    -------
    DiGraph
        Nodes have ``label`` and ``measured``, edges ``reason``.

    Examples
    --------
    >>> sorted(diagram().predecessors("uptake"))
    ['co2', 'liquid', 'temperature', 'thaw']
    >>> sorted(diagram(earlier_years=True).successors("earlier years"))
    ['moisture', 'thaw', 'uptake']
    """
    graph = nx.DiGraph()
    for name, node in NODES.items():
        graph.add_node(name, **node._asdict())
    for cause, effect, reason in EDGES:
        graph.add_edge(cause, effect, reason=reason)
    if earlier_years:
        graph.add_node(EARLIER_YEARS, label=EARLIER_YEARS, measured=False)
        graph.add_edge("emissions", EARLIER_YEARS, reason="the years before had emissions too")
        for effect in ("moisture", "thaw", OUTCOME):
            graph.add_edge(EARLIER_YEARS, effect, reason="water, heat and carbon stay in the soil")
    return graph


def is_sufficient(
    held: Collection[str],
    exposure: str,
    outcome: str = OUTCOME,
    effect: str = "total",
    graph: nx.DiGraph | None = None,
) -> bool:
    """Return whether a regression that holds these nodes estimates an effect without bias.

    That is so for the *total* effect if no held node is an effect of the exposure, and exposure and
    outcome are d-separated by them once the exposure's own arrows are taken away (back-door
    criterion). For the *direct* effect no held node may be an effect of the outcome, and they must
    be d-separated once the arrow from exposure to outcome is taken away (single-door criterion). If
    there is no such arrow, the direct effect is zero, and its coefficient should be. Both need
    linear effects and everything in the right place of the diagram.

    Parameters
    ----------
    held : collection of str
        Nodes that are predictors beside the exposure.
    exposure, outcome : str
        Nodes.
    effect : {"total", "direct"}
        Whether the effect is along all arrows or along the one from exposure to outcome.
    graph : DiGraph, optional
        A diagram, by default that of `diagram`.

    Returns
    -------
    bool
        Whether the set is sufficient; a set with a node that is not measured is not.

    Raises
    ------
    InvalidChoice
        If a node or an effect is unknown, or exposure or outcome are held.

    References
    ----------
    Pearl 1995, doi 10.1093/biomet/82.4.669.

    Examples
    --------
    >>> is_sufficient({"temperature", "co2", "thaw"}, "moisture")
    True
    >>> is_sufficient({"temperature", "co2"}, "moisture")
    False
    """
    graph = diagram() if graph is None else graph
    _refuse_unknown(graph, effect, exposure, outcome, *held)
    if {exposure, outcome} & set(held):
        raise InvalidChoice(f"'{exposure}' and '{outcome}' cannot be held as well; leave them out")
    if not all(graph.nodes[node]["measured"] for node in held):
        return False
    cut = graph.copy()
    if effect == "total":
        forbidden = nx.descendants(graph, exposure)
        cut.remove_edges_from(list(graph.out_edges(exposure)))
    else:
        forbidden = nx.descendants(graph, outcome)
        cut.remove_edges_from([(exposure, outcome)])
    return not forbidden & set(held) and nx.is_d_separator(cut, exposure, outcome, set(held))


def adjustment_sets(
    exposure: str,
    outcome: str = OUTCOME,
    effect: str = "total",
    graph: nx.DiGraph | None = None,
) -> list[frozenset[str]]:
    """Return all minimal adjustment sets: those that stop being sufficient if one node is left out.

    Parameters
    ----------
    exposure, outcome : str
        Nodes.
    effect : {"total", "direct"}
        See `is_sufficient`.
    graph : DiGraph, optional
        A diagram, by default that of `diagram`.

    Returns
    -------
    list of frozenset of str
        The smallest first; empty if no set of measured nodes is sufficient.

    Raises
    ------
    InvalidChoice
        If a node or an effect is unknown.

    Examples
    --------
    >>> [sorted(held) for held in adjustment_sets("thaw")]
    [['snow', 'temperature']]
    >>> adjustment_sets("moisture", graph=diagram(earlier_years=True))
    []
    """
    graph = diagram() if graph is None else graph
    _refuse_unknown(graph, effect, exposure, outcome)
    others = [n for n in graph if graph.nodes[n]["measured"] and n not in (exposure, outcome)]
    found: list[frozenset[str]] = []
    for size in range(len(others) + 1):
        for held in map(frozenset, combinations(others, size)):
            if any(smaller <= held for smaller in found):
                continue
            if is_sufficient(held, exposure, outcome, effect, graph):
                found.append(held)
    return found


def efficient_set(
    exposure: str,
    outcome: str = OUTCOME,
    effect: str = "total",
    graph: nx.DiGraph | None = None,
) -> frozenset[str]:
    r"""Return the adjustment set whose coefficient scatters least.

    It consists of the causes of the outcome, and of all nodes between, that are not between
    themselves:

    .. math:: O = \mathrm{pa}(\mathrm{cn}) \setminus (\mathrm{cn} \cup \{x\}) ,

    with cn the nodes on the way from exposure x to outcome, or the outcome alone for the direct
    effect. Causes of the exposure alone are not in it: to hold them takes away variation that
    identifies the effect.

    Parameters
    ----------
    exposure, outcome : str
        Nodes.
    effect : {"total", "direct"}
        See `is_sufficient`.
    graph : DiGraph, optional
        A diagram, by default that of `diagram`.

    Returns
    -------
    frozenset of str
        Predictors beside the exposure.

    Raises
    ------
    InvalidChoice
        If a node or an effect is unknown, or the set is not sufficient, as when it needs a node
        that is not measured.

    References
    ----------
    Henckel, Perković and Maathuis 2022, doi 10.1111/rssb.12451.

    Examples
    --------
    >>> sorted(efficient_set("moisture"))
    ['co2', 'temperature', 'thaw']
    """
    graph = diagram() if graph is None else graph
    _refuse_unknown(graph, effect, exposure, outcome)
    between = {outcome}
    if effect == "total":
        between |= nx.descendants(graph, exposure) & nx.ancestors(graph, outcome)
    causes = {cause for node in between for cause in graph.predecessors(node)}
    held = frozenset(causes - between - {exposure})
    if not is_sufficient(held, exposure, outcome, effect, graph):
        raise InvalidChoice(
            f"{sorted(held)} do not identify the {effect} effect of '{exposure}' on '{outcome}'; "
            "adjustment_sets lists the sets that do"
        )
    return held


def _refuse_unknown(graph: nx.DiGraph, effect: str, *nodes: str) -> None:
    if effect not in EFFECTS:
        raise InvalidChoice(f"effect '{effect}' is unknown; choose one of {', '.join(EFFECTS)}")
    for node in nodes:
        if node not in graph:
            raise InvalidChoice(f"node '{node}' is unknown; choose one of {', '.join(graph)}")
