"""The figure of the causal diagram: every node and arrow, none of them behind another's label."""

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch

mpl.use("Agg")

from mpcf.figures.diagram import LOOKS, PLACES, causal_diagram
from mpcf.figures.style import style
from mpcf.method.diagram import EDGES, NODES, OUTCOME

HELD = {"temperature", "co2", "thaw"}


@pytest.fixture
def drawn():
    style()
    fig = causal_diagram("moisture", HELD)
    fig.canvas.draw()
    yield fig
    plt.close(fig)


def patches(fig, kind):
    return [patch for patch in fig.axes[0].patches if isinstance(patch, kind)]


def test_every_node_has_its_label_within_its_box(drawn):
    (ax,) = drawn.axes
    assert [text.get_text() for text in ax.texts] == [node.label for node in NODES.values()]
    for text, box in zip(ax.texts, patches(drawn, FancyBboxPatch), strict=True):
        inner, outer = text.get_window_extent(), box.get_window_extent()
        assert outer.x0 < inner.x0 < inner.x1 < outer.x1, text.get_text()
        assert outer.y0 < inner.y0 < inner.y1 < outer.y1, text.get_text()
        assert ax.bbox.x0 <= outer.x0 and outer.x1 <= ax.bbox.x1, text.get_text()


def test_no_arrow_passes_behind_a_box_and_no_boxes_overlap(drawn):
    extents = [box.get_window_extent() for box in patches(drawn, FancyBboxPatch)]
    boxes = dict(zip(NODES, extents, strict=True))
    to_screen = drawn.axes[0].transData.transform
    for cause, effect, _ in EDGES:
        start, end = (np.array(to_screen(PLACES[name])) for name in (cause, effect))
        way = start + np.linspace(0, 1, 200)[:, None] * (end - start)
        for name, box in boxes.items():
            if name not in (cause, effect):
                assert not any(box.padded(3).contains(*point) for point in way), (cause, effect)
    for one, a in boxes.items():
        assert not [other for other, b in boxes.items() if other != one and a.overlaps(b)], one


def test_arrows_of_the_exposure_are_thick(drawn):
    arrows = patches(drawn, FancyArrowPatch)
    assert len(arrows) == len(EDGES)
    thick = sum(arrow.get_linewidth() > 2 for arrow in arrows)
    assert thick == 2  # total water to liquid water to uptake


def test_kinds_of_nodes_look_different(drawn):
    boxes = dict(zip(NODES, patches(drawn, FancyBboxPatch), strict=True))
    face = {name: mpl.colors.to_hex(box.get_facecolor()) for name, box in boxes.items()}
    assert len({face[name] for name in ("moisture", "co2", OUTCOME, "liquid")}) == 4
    assert {face[name] for name in HELD} == {LOOKS["held"]["facecolor"].lower()}
    dashed = {name for name, box in boxes.items() if box.get_linestyle() != "solid"}
    assert {name for name, node in NODES.items() if not node.measured} <= dashed
    legend = [text.get_text() for text in drawn.legends[0].get_texts()]
    assert legend == list(LOOKS)
