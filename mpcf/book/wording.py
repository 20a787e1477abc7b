"""Markdown of the chapters: notes, units, bounds and tables, worded by the result."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING

import xarray as xr

from mpcf.book.numbers import Number
from mpcf.method.regression import MIN_MEMBERS, VIF_LIMIT

if TYPE_CHECKING:
    import pandas as pd


def few_members_note(members: int) -> str:
    """Markdown note on what few members cannot show.

    Parameters
    ----------
    members : int
        Number of members.

    Returns
    -------
    str
        Markdown; empty from `MIN_MEMBERS` members on.

    Examples
    --------
    >>> few_members_note(3)[:60]
    'This source has **3 members**. Errors clustered by member, a'
    """
    if members >= MIN_MEMBERS:
        return ""
    missing = (
        "Errors clustered by member, and intervals that leave out members in turn, **can't be "
        f"given**: they need {MIN_MEMBERS} members."
    )
    if members > 1:
        return f"This source has **{members} members**. {missing}"
    return (
        "This source has **one member**. *Year effects* **can't be estimated**: they are how "
        f"members differ in the same year. {missing}"
    )


def collinearity_note(vif: xr.DataArray) -> str:
    """Format a note on whether the shares of predictors can be separated.

    Parameters
    ----------
    vif : DataArray (predictor)
        Variance inflation factors; NaN where predictors depend on each other.

    Returns
    -------
    str
        A sentence that names the predictors above `VIF_LIMIT`.

    Examples
    --------
    >>> collinearity_note(xr.DataArray([12.0, 3.0], {"predictor": ["moisture", "temperature"]}))
    "The share of moisture can't be told apart from the others': its VIF is above 10."
    """
    alike = [str(p) for p in vif["predictor"].values if not vif.sel(predictor=p) <= VIF_LIMIT]
    if not alike:
        return f"No VIF is above {VIF_LIMIT}."
    whose, verb = ("their", "are") if len(alike) > 1 else ("its", "is")
    number = "VIFs" if len(alike) > 1 else "VIF"
    return (
        f"The share of {' and '.join(alike)} can't be told apart from the others': "
        f"{whose} {number} {verb} above {VIF_LIMIT}."
    )


def with_bounds(
    name: str,
    values: tuple[float, float, float],
    spec: str,
    unit: str = "",
    reason: str = "too few members for an interval",
) -> str:
    """Format an estimate with its interval, or say that there is none, for `Chapter.say`.

    Parameters
    ----------
    name : str
        Key of the estimate, as for `interval`.
    values : tuple of float
        Estimate, lower and upper bound; NaN where a bound can't be given.
    spec : str
        Format of the numbers.
    unit : str
        Their unit, in words; none for a pure number.
    reason : str
        Why a bound is NaN.

    Returns
    -------
    str
        Part of a template.

    Examples
    --------
    >>> with_bounds("wait", (4.2, 1.0, 7.4), ".1f", "years")
    '{wait:.1f} years (95 % interval {wait_low:.1f} to {wait_high:.1f})'
    >>> with_bounds("wait", (4.2, float("nan"), float("nan")), ".1f", "years")
    '{wait:.1f} years (too few members for an interval)'
    """
    bounds = f"95 % interval {{{name}_low:{spec}}} to {{{name}_high:{spec}}}"
    bounds = bounds if math.isfinite(values[1]) else reason
    return " ".join(filter(None, (f"{{{name}:{spec}}}", unit, f"({bounds})")))


def change_word(low: float, high: float) -> str:
    """Describe a change by its interval.

    Parameters
    ----------
    low, high : float
        Bounds of the interval; NaN where it can't be given.

    Returns
    -------
    str
        ``"rises"``, ``"falls"`` or ``"shows no change that can be told from zero"``; without an
        interval ``"changes, by chance or not"``.

    Examples
    --------
    >>> change_word(-2.0, -1.0), change_word(float("nan"), float("nan"))
    ('falls', 'changes, by chance or not')
    """
    if math.isnan(low):
        return "changes, by chance or not"
    if low > 0:
        return "rises"
    return "falls" if high < 0 else "shows no change that can be told from zero"


def typeset_unit(unit: str) -> str:
    """Write a unit as readers expect it.

    Parameters
    ----------
    unit : str
        Such as ``"gC m-2 yr-1"``.

    Returns
    -------
    str
        With raised exponents.

    Examples
    --------
    >>> typeset_unit("gC m-2 yr-1 per kg m-2"), typeset_unit("1e6 km2")
    ('gC m⁻² yr⁻¹ per kg m⁻²', '10⁶ km²')
    """
    unit = re.sub(r"\b1e(\d+)", r"10\1", unit)
    raised = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
    return re.sub(
        r"(?<=[A-Za-z])-?\d+|(?<=\b10)\d+", lambda power: power[0].translate(raised), unit
    )


def _table_cell(number: Number, decimals: int) -> str:
    """Write a number for a table; one that would read as zero keeps its first digit."""
    if isinstance(number.value, int):
        return f"{number:d}"
    text = f"{number:.{decimals}f}"
    return f"{number:.1g}" if number.value and not text.strip("−0.") else text


_READS_AS_NUMBER = re.compile(r"[+−-]?[\d.]+(e[+−-]?\d+)?|unknown|")


def _markdown_table(frame: pd.DataFrame) -> str:
    head = [str(frame.index.name or ""), *map(str, frame.columns)]
    # words to the left, numbers to the right
    words = frame.map(lambda cell: not _READS_AS_NUMBER.fullmatch(str(cell).strip("*"))).any()
    marks = "".join("|:--" if wordy else "|--:" for wordy in words)
    lines = ["| " + " | ".join(head) + " |", f"|:--{marks}|"]
    lines += [f"| {row} | " + " | ".join(map(str, frame.loc[row])) + " |" for row in frame.index]
    return "\n".join(lines)
