"""The figure of the causal diagram."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING

import networkx as nx

from mpcf.figures.style import COLOURS
from mpcf.method.diagram import NODES, OUTCOME, diagram

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PLACES = {
    "emissions": (0.15, 6.0),
    "weather": (8.35, 6.0),
    "co2": (0.15, 3.7),
    "temperature": (3.7, 5.2),
    "precipitation": (8.35, 3.7),
    "snow": (6.2, 3.55),
    "thaw": (4.05, 2.4),
    "moisture": (7.4, 1.3),
    "liquid": (5.1, 0.3),
    OUTCOME: (0.7, 0.3),
}
"""Middle of each node."""

LETTER = 0.152
"""Mean width of a letter."""

LINE = 0.42
"""Height of a line of text."""

LOOKS = {
    "exposure": {"facecolor": COLOURS["moisture"], "edgecolor": COLOURS["moisture"]},
    "held": {"facecolor": "#FBE3D6", "edgecolor": COLOURS["temperature"]},
    "outcome": {"facecolor": "#CDEBDF", "edgecolor": COLOURS["gpp"]},
    "in the data, not held": {"facecolor": "white", "edgecolor": "#555555"},
    "not in the data": {"facecolor": "white", "edgecolor": "#777777", "linestyle": (0, (3, 2))},
}
"""Kinds of nodes, in the order of the legend."""


def causal_diagram(exposure: str = "moisture", held: Collection[str] = ()) -> Figure:
    """Draw the causal diagram: exposure, outcome, nodes that are held, and all others.

    Parameters
    ----------
    exposure : str
        Node whose effect is asked for.
    held : collection of str
        Nodes that the regression holds.

    Returns
    -------
    Figure
        Boxes by name, and arrows from cause to effect. Those along which the exposure acts are
        thick; what is not in the data has a dashed frame.

    Examples
    --------
    >>> fig = causal_diagram("moisture", {"temperature", "co2", "thaw"})
    >>> [text.get_text() for text in fig.legends[0].get_texts()][:3]
    ['exposure', 'held', 'outcome']
    """
    import matplotlib.pyplot as plt
    from matplotlib.patches import FancyArrowPatch, FancyBboxPatch, Patch

    graph = diagram()
    acting = ({exposure} | nx.descendants(graph, exposure)) & (
        {OUTCOME} | nx.ancestors(graph, OUTCOME)
    )
    kinds = {name: _kind(name, exposure, held) for name in NODES}
    fig, ax = plt.subplots(figsize=(6.8, 5.6))
    ax.set(xlim=(-1.15, 9.6), ylim=(-0.15, 6.45))
    ax.axis("off")
    boxes = {}
    for name, node in NODES.items():
        lines = node.label.split("\n")
        x, y = PLACES[name]
        width, height = LETTER * max(map(len, lines)) + 0.36, LINE * len(lines) + 0.2
        boxes[name] = FancyBboxPatch(
            (x - width / 2, y - height / 2),
            width,
            height,
            boxstyle="round,pad=0,rounding_size=0.14",
            linewidth=1.8,
            zorder=3,
            **LOOKS[kinds[name]],
        )
        ax.add_patch(boxes[name])
        colour = "white" if kinds[name] == "exposure" else "black"
        ax.text(x, y, node.label, ha="center", va="center", fontsize=12, color=colour, zorder=4)
    for cause, effect in graph.edges:
        along = {cause, effect} <= acting
        arrow = FancyArrowPatch(
            PLACES[cause],
            PLACES[effect],
            patchA=boxes[cause],
            patchB=boxes[effect],
            shrinkA=0,
            shrinkB=1.5,
            arrowstyle="-|>,head_length=6,head_width=3",
            linewidth=3 if along else 1.3,
            color=COLOURS["moisture"] if along else "#666666",
            mutation_scale=1,
            zorder=2 if along else 1,
        )
        ax.add_patch(arrow)
    used = [kind for kind in LOOKS if kind in kinds.values()]
    handles = [Patch(label=kind, linewidth=1.8, **LOOKS[kind]) for kind in used]
    fig.legend(handles=handles, loc="outside lower center", ncols=3, fontsize=11)
    return fig


def _kind(name: str, exposure: str, held: Collection[str]) -> str:
    if name == exposure:
        return "exposure"
    if name == OUTCOME:
        return "outcome"
    if name in held:
        return "held"
    return "in the data, not held" if NODES[name].measured else "not in the data"
