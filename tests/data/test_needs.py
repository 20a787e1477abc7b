"""What chapters need: the table, the notebooks that it speaks of, and what a source lacks."""

import ast
import json
import re
from pathlib import Path

import pytest

from mpcf.data import needs
from mpcf.data.needs import CHAPTERS, missing, needs_of
from mpcf.data.variables import MONTHLY, YEARLY

NOTEBOOKS = Path(__file__).parents[2] / "notebooks"
OPTIONAL = {"co2", "warming", "cSoil"}
ALL = list(MONTHLY)
PHASES = ["warming", "mitigation", "net-zero"]


def code_of(chapter):
    cells = json.loads((NOTEBOOKS / f"{chapter}.ipynb").read_text())["cells"]
    return "\n\n".join("".join(c["source"]) for c in cells if c["cell_type"] == "code")


def looked_up(chapter):
    """Return the constant names by which a notebook indexes `yearly`, and `phases`."""
    found = {"yearly": set(), "phases": set()}
    for node in ast.walk(ast.parse(code_of(chapter))):
        if isinstance(node, ast.Subscript) and isinstance(node.value, ast.Name):
            names = [n.value for n in ast.walk(node.slice) if isinstance(n, ast.Constant)]
            found.get(node.value.id, set()).update(n for n in names if isinstance(n, str))
    return found


def test_every_chapter_is_declared_in_order():
    assert list(CHAPTERS) == sorted(path.stem for path in NOTEBOOKS.glob("[0-9]*.ipynb"))


@pytest.mark.parametrize("chapter", [name for name in CHAPTERS if name != "01-data"])
def test_a_chapter_declares_what_it_looks_up(chapter):
    known, code = needs_of(chapter), code_of(chapter)
    found = looked_up(chapter)
    variables = found["yearly"] & set(YEARLY) - OPTIONAL
    guarded = {name for name in variables if f'"{name}" in yearly' in code}
    assert variables - guarded <= set(known.yearly)
    phases = {name for name in found["phases"] if f'"{name}" in phases' not in code}
    assert phases <= set(known.phases)


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_what_a_chapter_reads_of_others_is_declared(chapter):
    read = set(re.findall(r'build\.read\("(\d\d-[\w-]+)/', code_of(chapter)))
    assert read == set(CHAPTERS[chapter].chapters)


def test_required_variables_are_those_that_some_chapter_needs():
    needed = {name for chapter in CHAPTERS for name in needs_of(chapter).monthly}
    assert needed | {"sftlf", "areacella"} == {v.name for v in MONTHLY.values() if v.required}


def test_everything_declared_is_in_the_tables():
    for known in CHAPTERS.values():
        assert set(known.yearly) <= set(YEARLY)
        assert set(known.chapters) <= set(CHAPTERS)
    for variable in YEARLY.values():
        assert variable.needs and set(variable.needs) <= set(MONTHLY)


def test_a_whole_source_feeds_every_chapter():
    assert not any(missing(chapter, ALL, PHASES, 1) for chapter in CHAPTERS)


@pytest.mark.parametrize(
    ("variables", "phases", "able"),
    [
        (ALL, ["warming"], "1 2 3 4 5 7 8"),
        (ALL, ["warming", "net-zero"], "1 2 3 4 5 6 7 8"),
        (ALL, ["warming", "mitigation", "net removal"], "1 2 3 4 5 6 7 8 9"),
        (ALL, [], "1 7"),
        (["mrsll", "tas", "pr", "snd"], PHASES, "1 7"),
        (["tsl", "gpp"], PHASES, "1 2 7"),
        (["tsl", "mrsll", "mrsfl"], PHASES, "1 2 3 7"),
        ([name for name in ALL if name != "snd"], PHASES, "1 2 3 4 5 7 8 9"),
    ],
)
def test_which_chapters_a_source_feeds(variables, phases, able):
    found = [int(c[:2]) for c in CHAPTERS if not missing(c, variables, phases, 1)]
    assert " ".join(map(str, found)) == able


def test_what_is_missing_is_said_in_words():
    lacks = missing("06-refreeze-delay", ["tas"], ["warming"], 1)
    said = str(lacks)
    assert said.startswith("soil temperature (tsl; without it there is no permafrost mask")
    assert said.endswith(" and the phase 'net-zero' or 'net removal'")
    assert not missing("00-unknown", [], [], 1)


def test_too_few_members_are_missing_members(monkeypatch):
    monkeypatch.setitem(CHAPTERS, "05-feedback-attribution", needs.Needs(members=4))
    lacks = missing("05-feedback-attribution", ALL, PHASES, 3)
    assert lacks.members == 4 and str(lacks) == "4 members"
    assert not missing("05-feedback-attribution", ALL, PHASES, 4)


@pytest.mark.parametrize("name", [v.name for v in MONTHLY.values() if v.required])
def test_every_needed_variable_can_be_looked_for(name):
    assert "CESM2: " in needs.where_from(name) and "CMIP6: " in needs.where_from(name)
