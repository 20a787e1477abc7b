"""The whole line on the quick ensemble: numbers, kills, and runs with nothing to do."""

import json
from pathlib import Path

import pytest

from mpcf.pipeline import stamps

from .conftest import CHAPTERS

GOLDEN = Path(__file__).parents[1] / "golden" / "numbers.json"
# Whether the real records can be reached differs between machines; they have tests of their own.
LEFT_OUT = "07-reality-check/"


def numbers(path):
    records = json.loads(path.read_text(encoding="utf-8"))
    return {key: known for key, known in records.items() if not key.startswith(LEFT_OUT)}


def size(key, known):
    """Return the size of an estimate: its largest bound, if it has an interval.

    An estimate near zero is the small difference of large sums, and has their rounding error.
    """
    stem = key.removesuffix("_low").removesuffix("_high")
    values = (known.get(stem + end, {}).get("value") for end in ("", "_low", "_high"))
    return max(abs(value) for value in (known[key]["value"], *values) if value is not None)


def test_numbers_are_those_of_the_golden_run(book):
    """If the change is intended: python -m mpcf golden, and say why in the commit.

    One machine gives the same bytes each time; two kinds of processors round differently, which
    moved estimates by up to 5e-6 of their size.
    """
    made, golden = numbers(book.folder / "results" / "numbers.json"), numbers(GOLDEN)
    assert sorted(made) == sorted(golden)
    for key, expected in golden.items():
        value, wanted = made[key]["value"], expected["value"]
        if wanted is not None:
            wanted = pytest.approx(wanted, rel=0, abs=1e-5 * size(key, golden) + 1e-12)
        assert value == wanted, key
        assert made[key] | {"value": None} == expected | {"value": None}, key


def test_numbers_follow_their_schema(book):
    for key, known in json.loads((book.folder / "results/numbers.json").read_text()).items():
        assert key.split("/")[0] in CHAPTERS, key
        assert {"value", "unit", "meaning"} <= set(known), key
        assert known["value"] is not None or known["reason"], key


def test_killed_build_resumes_where_it_was(book):
    said = book.said["after the kill"]
    executed = next(line for line in said.splitlines() if line.startswith("chapters executed:"))
    assert executed.removeprefix("chapters executed: ").split(", ") == CHAPTERS[2:]
    assert "data:" not in said


def test_run_ends_by_saying_where_its_result_is(book):
    last = book.said["after the kill"].splitlines()[-1]
    assert last == f"site: {book.folder / 'html' / 'index.html'}"


def test_second_run_does_nothing(book):
    assert "chapters: all up to date" in book.said["again"]
    assert book.said["again"].splitlines()[-1].startswith("site, unchanged: ")


def test_last_good_site_stays_when_a_rendering_is_killed(book):
    before = stamps.fingerprint(book.folder / "html")
    (book.folder / "stamps" / "site.json").unlink()
    book.kill_when(lambda: any((book.folder / "render").glob("*/_build")))
    assert stamps.fingerprint(book.folder / "html") == before
    assert book.make().splitlines()[-1].startswith("site: ")


def test_site_holds_the_numbers_of_its_run(book):
    made = (book.folder / "results" / "numbers.json").read_bytes()
    assert (book.folder / "html" / "results" / "numbers.json").read_bytes() == made
