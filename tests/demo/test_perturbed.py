"""Drawn parameters: they lie within their ranges, which the model card shows."""

import re
from pathlib import Path

import pytest

from mpcf.book.wording import typeset_unit
from mpcf.demo import parameters
from mpcf.demo.perturbed import RANGES, draw

CARD = Path(__file__).parents[2] / "book" / "model-card.md"


def test_model_card_shows_the_ranges():
    section = CARD.read_text(encoding="utf-8").split("### Drawn parameters")[1].split("\n## ")[0]
    rows = re.findall(r"^\| (\w+) \| ([\d.]+)–([\d.]+) ?(.*) \|$", section, re.MULTILINE)
    units = parameters.table().set_index("parameter")["unit"].map(typeset_unit).replace("1", "")
    shown = {name: (unit, float(low), float(high)) for name, low, high, unit in rows}
    assert shown == {name: (units[name], *bounds) for name, bounds in RANGES.items()}


def test_sets_cover_each_range_evenly():
    """Of 16 sets, one lies in each sixteenth of each range."""
    sets = draw(16)
    for name, (low, high) in RANGES.items():
        values = [getattr(s.soil, name, None) or getattr(s.carbon, name, None) for s in sets]
        places = sorted(int(16 * (value - low) / (high - low)) for value in values)
        assert places == list(range(16)), name


def test_conductivity_of_snow_follows_the_square_of_its_density():
    for one in draw(4):
        dense = one.soil.snow_density / parameters.SOIL.snow_density
        expected = parameters.SOIL.snow_conductivity * dense**2
        assert one.soil.snow_conductivity == pytest.approx(expected)
