"""Words that depend on the results: notes, units, and intervals in sentences."""

from __future__ import annotations

import math
import re

import xarray as xr

from mpcf.method.regression import MIN_MEMBERS, VIF_LIMIT


def few_members_note(members: int) -> str:
    """Return a note on what cannot be estimated from few members.

    Parameters
    ----------
    members : int
        Number of members.

    Returns
    -------
    str
        Markdown; empty for `MIN_MEMBERS` members or more.

    Examples
    --------
    >>> few_members_note(3)[:60]
    'This source has **3 members**. Errors clustered by member, a'
    """
    if members >= MIN_MEMBERS:
        return ""
    missing = (
        "Errors clustered by member, and intervals that leave out members in turn, are **not "
        f"available**: they need {MIN_MEMBERS} members."
    )
    if members > 1:
        return f"This source has **{members} members**. {missing}"
    return (
        "This source has **one member**. *Year effects* **cannot be estimated**: they are how "
        f"members differ in the same year. {missing}"
    )


def collinearity_note(vif: xr.DataArray) -> str:
    """Return a note on whether the predictors' shares can be separated.

    Parameters
    ----------
    vif : DataArray (predictor)
        Variance inflation factors; NaN where predictors are linearly dependent.

    Returns
    -------
    str
        A sentence that names the predictors whose VIF exceeds `VIF_LIMIT`.

    Examples
    --------
    >>> collinearity_note(xr.DataArray([12.0, 3.0], {"predictor": ["moisture", "temperature"]}))
    "The share of moisture cannot be separated from the others': its VIF is above 10."
    """
    alike = [str(p) for p in vif["predictor"].values if not vif.sel(predictor=p) <= VIF_LIMIT]
    if not alike:
        return f"No VIF is above {VIF_LIMIT}."
    whose, verb = ("their", "are") if len(alike) > 1 else ("its", "is")
    number = "VIFs" if len(alike) > 1 else "VIF"
    return (
        f"The share of {' and '.join(alike)} cannot be separated from the others': "
        f"{whose} {number} {verb} above {VIF_LIMIT}."
    )


def with_bounds(
    name: str,
    values: tuple[float, float, float],
    spec: str,
    unit: str = "",
    reason: str = "too few members for an interval",
) -> str:
    """Return a template for `Chapter.say` of an estimate with its interval, if it has one.

    Parameters
    ----------
    name : str
        Key of the estimate, as in `mpcf.book.numbers.interval`.
    values : tuple of float
        Estimate, lower bound and upper bound; NaN where a bound is unknown.
    spec : str
        Format of the numbers.
    unit : str
        Their unit in words; empty for a pure number.
    reason : str
        Why there is no interval, in case the bounds are NaN.

    Returns
    -------
    str
        Template with the keys of `mpcf.book.numbers.interval`.

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
    """Return the verb for a change, according to its interval.

    Parameters
    ----------
    low, high : float
        Bounds of the interval; NaN if it is unknown.

    Returns
    -------
    str
        ``"rises"`` or ``"falls"`` if the interval excludes zero; other words if it includes zero
        or is unknown.

    Examples
    --------
    >>> change_word(-2.0, -1.0), change_word(float("nan"), float("nan"))
    ('falls', 'changes, by chance or not')
    """
    if math.isnan(low):
        return "changes, by chance or not"
    if low > 0:
        return "rises"
    return "falls" if high < 0 else "shows no change distinguishable from zero"


def typeset_unit(unit: str) -> str:
    """Format a unit with raised exponents.

    Parameters
    ----------
    unit : str
        Such as ``"gC m-2 yr-1"``.

    Returns
    -------
    str
        Such as ``"gC m⁻² yr⁻¹"``.

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
