"""Tables in Markdown: alignment, and cells that would break a row."""

import pandas as pd

from mpcf.book.tables import markdown_table


def test_words_lie_to_the_left_and_numbers_to_the_right():
    frame = pd.DataFrame(
        {"p": ["1e−05", "unknown"], "b": ["−1.50", "+2"], "claim": ["supported", ""]}
    )
    assert markdown_table(frame).splitlines()[1] == "|:--|--:|--:|:--|"


def test_a_bar_inside_a_cell_or_a_heading_does_not_end_it():
    frame = pd.DataFrame({"|t|": ["a|b"]}, index=["x|y"]).rename_axis("row")
    assert markdown_table(frame).splitlines() == [
        r"| row | \|t\| |",
        "|:--|:--|",
        r"| x\|y | a\|b |",
    ]


def test_rows_with_the_same_label_stay_apart():
    frame = pd.DataFrame({"n": [1, 2]}, index=["a", "a"])
    assert markdown_table(frame).splitlines()[2:] == ["| a | 1 |", "| a | 2 |"]
