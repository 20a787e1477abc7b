"""The causal diagram: adjustment sets by d-separation, and what the candidates hold."""

from itertools import combinations

import networkx as nx
import numpy as np
import pytest

from mpcf.errors import InvalidChoice
from mpcf.method.candidates import CONTROLS, DIAGRAM, STUDY
from mpcf.method.diagram import (
    EARLIER_YEARS,
    EDGES,
    adjustment_sets,
    diagram,
    efficient_set,
    is_sufficient,
)

NODE_OF = {"thawed depth": "thaw"}
"""Controls of the candidates that have another name in the diagram."""


def small(*edges, unmeasured=()):
    graph = nx.DiGraph(edges)
    nx.set_node_attributes(graph, {n: n not in unmeasured for n in graph}, "measured")
    return graph


def test_the_diagram_has_no_circle_and_a_reason_for_each_arrow():
    graph = diagram()
    assert nx.is_directed_acyclic_graph(graph)
    assert len(EDGES) == len({(e.cause, e.effect) for e in EDGES}) == graph.number_of_edges()
    assert all(reason for _, _, reason in graph.edges.data("reason"))


def test_precipitation_acts_only_through_water():
    """As in the demonstration, where the carbon equations see temperature, water and CO2."""
    graph = diagram()
    assert not graph.has_edge("precipitation", "uptake")
    graph.remove_nodes_from(["liquid", "thaw"])
    assert not nx.has_path(graph, "precipitation", "uptake")


@pytest.mark.parametrize("exposure", ["moisture", "liquid"])
def test_the_effect_of_water_needs_temperature_thaw_and_co2(exposure):
    best = efficient_set(exposure)
    assert best == {"temperature", "co2", "thaw"}
    assert best in adjustment_sets(exposure)
    assert all(is_sufficient(held, exposure) for held in adjustment_sets(exposure))


def test_every_set_for_total_water_holds_temperature_and_thaw():
    sets = adjustment_sets("moisture")
    assert all({"temperature", "thaw"} <= held for held in sets)
    assert [set(held) for held in sets if "precipitation" not in held] == [
        {"temperature", "co2", "thaw"}
    ]


def test_precipitation_may_be_held_and_is_not_needed():
    assert is_sufficient({"temperature", "co2", "thaw", "precipitation"}, "moisture")
    assert not is_sufficient(STUDY, "moisture")


def test_the_candidates_called_by_the_diagram_hold_its_efficient_set():
    """The thawed depth stands for the node of thaw."""
    assert set(DIAGRAM) <= set(CONTROLS)
    nodes = {NODE_OF.get(name, name) for name in DIAGRAM}
    assert efficient_set("moisture") == nodes and is_sufficient(nodes, "moisture")
    assert not is_sufficient(nodes - {"thaw"}, "moisture")


def test_snow_instead_of_thaw_is_not_enough():
    assert not is_sufficient({"temperature", "co2", "snow"}, "moisture")
    unblocked = diagram()
    unblocked.remove_edge("thaw", "moisture")  # if ice did not change where water goes
    assert is_sufficient({"temperature", "co2", "snow"}, "moisture", graph=unblocked)


def test_precipitation_has_no_direct_effect_once_water_is_right():
    found = adjustment_sets("precipitation", effect="direct")
    assert {"temperature", "co2", "thaw", "moisture"} in found
    assert not is_sufficient({"temperature", "moisture"}, "precipitation", effect="direct")


def test_nothing_measured_stands_for_what_earlier_years_left():
    graph = diagram(earlier_years=True)
    assert nx.is_directed_acyclic_graph(graph)
    assert not graph.nodes[EARLIER_YEARS]["measured"]
    assert adjustment_sets("moisture", graph=graph) == []
    with pytest.raises(InvalidChoice, match="do not identify the total effect of 'moisture'"):
        efficient_set("moisture", graph=graph)


def test_a_collider_is_refused():
    """Rain and heat are unrelated until fire, which both change, is held."""
    graph = small(("rain", "uptake"), ("rain", "fire"), ("heat", "fire"), ("heat", "uptake"))
    assert adjustment_sets("rain", graph=graph) == [frozenset()]
    assert not is_sufficient({"fire"}, "rain", graph=graph)
    graph.remove_edge("rain", "uptake")
    assert not is_sufficient({"fire"}, "rain", effect="direct", graph=graph)
    assert is_sufficient({"fire", "heat"}, "rain", effect="direct", graph=graph)


def test_an_m_shaped_path_is_opened_by_its_middle():
    """A node before the exposure may be a collider as well."""
    edges = ("a", "x"), ("a", "m"), ("b", "m"), ("b", "uptake"), ("x", "uptake")
    graph = small(*edges, unmeasured=("a", "b"))
    assert adjustment_sets("x", graph=graph) == [frozenset()]
    assert not is_sufficient({"m"}, "x", graph=graph)


def test_a_mediator_is_held_for_the_direct_effect_only():
    graph = small(("x", "m"), ("m", "uptake"), ("x", "uptake"), ("c", "m"), ("c", "uptake"))
    assert adjustment_sets("x", graph=graph) == [frozenset()]
    assert not is_sufficient({"m"}, "x", graph=graph)
    assert adjustment_sets("x", effect="direct", graph=graph) == [{"m", "c"}]
    assert efficient_set("x", effect="direct", graph=graph) == {"m", "c"}


def test_an_effect_of_the_outcome_is_never_held():
    graph = small(("x", "uptake"), ("uptake", "stock"))
    for effect in ("total", "direct"):
        assert not is_sufficient({"stock"}, "x", effect=effect, graph=graph)


def test_minimal_sets_agree_with_networkx():
    """Its own search, in the graph without the exposure's arrows, finds one of them."""
    graph = diagram()
    for exposure in ("moisture", "liquid", "snow", "thaw"):
        cut = graph.copy()
        cut.remove_edges_from(list(graph.out_edges(exposure)))
        allowed = {n for n, measured in graph.nodes.data("measured") if measured}
        allowed -= {exposure, "uptake"} | nx.descendants(graph, exposure)
        one = nx.find_minimal_d_separator(cut, exposure, "uptake", restricted=allowed)
        assert one in adjustment_sets(exposure), exposure


@pytest.mark.parametrize("seed", range(3))
def test_sufficient_sets_recover_a_planted_effect_and_others_do_not(seed):
    """Linear worlds drawn from the diagram, by their exact covariance, in units of the noise."""
    rng = np.random.default_rng(seed)
    graph, names = diagram(), list(diagram())
    at = {name: number for number, name in enumerate(names)}
    arrows = np.zeros((len(names), len(names)))
    for cause, effect in graph.edges:
        arrows[at[effect], at[cause]] = rng.uniform(0.3, 1.5)
    spread = np.linalg.inv(np.eye(len(names)) - arrows)
    covariance = spread @ spread.T
    true = arrows[at["liquid"], at["moisture"]] * arrows[at["uptake"], at["liquid"]]
    others = ("temperature", "precipitation", "snow", "thaw", "co2")
    for size in range(len(others) + 1):
        for held in combinations(others, size):
            x = [at[name] for name in ("moisture", *held)]
            b = np.linalg.solve(covariance[np.ix_(x, x)], covariance[x, at["uptake"]])[0]
            assert np.isclose(b, true) == is_sufficient(held, "moisture"), held


def test_unknown_names_are_refused():
    with pytest.raises(InvalidChoice, match="node 'rain' is unknown; choose one of emissions"):
        adjustment_sets("rain")
    with pytest.raises(InvalidChoice, match="effect 'all' is unknown; choose one of total, direct"):
        adjustment_sets("moisture", effect="all")
    with pytest.raises(InvalidChoice, match="cannot be held"):
        is_sufficient({"moisture"}, "moisture")
