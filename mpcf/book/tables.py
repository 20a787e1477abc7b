"""Tables in Markdown."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

    from mpcf.book.numbers import Number

_NUMBER = re.compile(r"[+−-]?[\d.,]+(e[+−-]?\d+)?|unknown|")


def markdown_table(frame: pd.DataFrame) -> str:
    """Format a table in Markdown, with its index as the first column.

    Parameters
    ----------
    frame : DataFrame
        Cells as they are to be shown. Columns of numbers are aligned to the right, columns with
        words to the left.

    Returns
    -------
    str
        Markdown without a final line break; a ``|`` inside a cell is escaped.

    Examples
    --------
    >>> import pandas as pd
    >>> rows = pd.DataFrame({"slope": ["−1.50"], "sign": ["negative"]}, index=["raw trend"])
    >>> print(markdown_table(rows.rename_axis("estimator")))
    | estimator | slope | sign |
    |:--|--:|:--|
    | raw trend | −1.50 | negative |
    """
    head = [frame.index.name or "", *frame.columns]
    has_words = frame.map(lambda cell: not _NUMBER.fullmatch(str(cell).strip("*"))).any()
    marks = "".join("|:--" if wordy else "|--:" for wordy in has_words)
    rows = [
        [label, *cells]
        for label, cells in zip(frame.index, frame.astype(object).to_numpy(), strict=True)
    ]
    return "\n".join([_line(head), f"|:--{marks}|", *map(_line, rows)])


def table_cell(number: Number, decimals: int) -> str:
    """Format a number for a table.

    Parameters
    ----------
    number : Number
        The number.
    decimals : int
        Digits after the decimal point.

    Returns
    -------
    str
        The value; one that would round to zero keeps its first significant digit instead.

    Examples
    --------
    >>> from mpcf.book.numbers import Number
    >>> [table_cell(Number(value, "K", "trend"), 2) for value in (-1.5, 0.0001, 3)]
    ['−1.50', '0.0001', '3']
    """
    if isinstance(number.value, int):
        return f"{number:d}"
    text = f"{number:.{decimals}f}"
    return f"{number:.1g}" if number.value and not text.strip("−0.") else text


def _line(cells: Iterable[object]) -> str:
    escaped = (str(cell).replace("|", "\\|") for cell in cells)
    return f"| {' | '.join(escaped)} |"
