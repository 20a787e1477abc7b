"""What chapters record: numbers, sentences, tables, figures."""

import json

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from mpcf.book.chapter import Chapter
from mpcf.book.numbers import Number
from mpcf.book.source_build import SourceBuild
from mpcf.book.wording import change_word
from mpcf.folders import build_dir


def read_numbers():
    path = build_dir("demo") / "results" / "numbers.json"
    return json.loads(path.read_text(encoding="utf-8"))


@pytest.fixture
def chapter(tmp_path, monkeypatch):
    monkeypatch.setenv("MPCF_BUILD", str(tmp_path))
    return Chapter("04-regression", SourceBuild("demo"))


def test_numbers_are_rounded_and_scalars_become_plain():
    assert Number(np.float32(1.5), "K", "x").as_entry()["value"] == 1.5
    assert Number(np.int64(3), "1", "x").as_entry()["value"] == 3
    assert Number(xr.DataArray(1 / 3), "1", "x").as_entry()["value"] == 0.33333333


def test_a_gap_needs_a_reason_and_reads_as_unknown():
    with pytest.raises(ValueError, match="NaN with a reason"):
        Number(float("nan"), "K", "the lag")
    with pytest.raises(ValueError, match="inf"):
        Number(float("inf"), "K", "the lag", reason="too long")
    gap = Number(float("nan"), "years", "the lag", reason="no cooling")
    assert gap.as_entry() == {
        "value": None,
        "unit": "years",
        "meaning": "the lag",
        "reason": "no cooling",
    }
    assert f"{gap:.1f}" == "unknown" and f"{Number(-1.0, 'K', 'x'):+.1f}" == "−1.0"


def test_sentences_record_their_numbers(chapter, capsys):
    chapter.say(
        "It {word} by {loss:.1f}.", key="finding", word="falls", loss=Number(-2.04, "K", "loss")
    )
    chapter.finish()
    assert read_numbers()["04-regression/loss"] == {"value": -2.04, "unit": "K", "meaning": "loss"}
    sentences = json.loads((chapter.build.folder / "results/sentences.json").read_text("utf-8"))
    assert sentences == {"04-regression/finding": "It falls by −2.0."}


def test_one_key_holds_one_number(chapter):
    chapter.number("b", Number(1.0, "1", "b"))
    chapter.number("b", Number(1.0, "1", "b"))
    with pytest.raises(ValueError, match="04-regression/b"):
        chapter.number("b", Number(2.0, "1", "b"))


def test_tables_record_every_number(chapter, capsys):
    frame = pd.DataFrame(
        {"b": [1.5, np.nan], "claim": ["supported", "inconclusive"]},
        index=["raw trend", "year effects"],
    )
    chapter.table(frame, name="fit", units={"b": "K"}, meaning="coefficient")
    chapter.finish()
    numbers = read_numbers()
    assert numbers["04-regression/fit_raw_trend_b"]["value"] == 1.5
    assert numbers["04-regression/fit_year_effects_b"]["value"] is None


def test_finish_merges_chapters_and_forgets_old_numbers(chapter):
    chapter.number("old", Number(1.0, "1", "old"))
    chapter.finish()
    other = Chapter("05-feedback-attribution", chapter.build)
    other.number("c", Number(2.0, "1", "c"))
    other.finish()
    again = Chapter("04-regression", chapter.build)
    again.number("new", Number(3.0, "1", "new"))
    again.finish()
    assert sorted(read_numbers()) == ["04-regression/new", "05-feedback-attribution/c"]


def test_a_figure_needs_words(chapter):
    import matplotlib.pyplot as plt

    fig, _ = plt.subplots()
    with pytest.raises(ValueError, match="alternative text"):
        chapter.figure(fig, "map", caption="A map.", alt=" ")


def test_words_follow_the_interval():
    assert [change_word(1, 2), change_word(-2, -1)] == ["rises", "falls"]
    assert change_word(-1, 1) == "shows no change distinguishable from zero"
    assert change_word(float("nan"), float("nan")) == "changes, by chance or not"
