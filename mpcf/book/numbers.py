"""Numbers with a unit and a meaning, as a chapter's sentences show them."""

from __future__ import annotations

import math
from dataclasses import dataclass

SIGNIFICANT_DIGITS = 8


@dataclass(frozen=True)
class Number:
    """A number with its unit and meaning.

    Attributes
    ----------
    value : float or int
        The value. NaN means that it is unknown, and needs a `reason`.
    unit : str
        Its unit; ``"1"`` for a pure number.
    meaning : str
        What it is, in words that can be understood without the sentence.
    reason : str, optional
        Why the value is unknown.

    Raises
    ------
    ValueError
        If the value is infinite, or NaN without a reason.

    Examples
    --------
    >>> Number(14.77, "1e6 km2", "permafrost area").as_entry()
    {'value': 14.77, 'unit': '1e6 km2', 'meaning': 'permafrost area'}
    """

    value: float
    unit: str
    meaning: str
    reason: str = ""

    def __post_init__(self) -> None:
        """Convert array scalars to plain numbers, and reject unexplained NaN."""
        value = self.value
        value = value.item() if hasattr(value, "item") else value
        object.__setattr__(self, "value", value)
        if math.isinf(value) or (math.isnan(value) and not self.reason):
            raise ValueError(
                f"the number '{self.meaning}' is {value}; give a finite value, or NaN with a reason"
            )

    def as_entry(self) -> dict:
        """Return the number in the form of ``numbers.json``, rounded to 8 significant digits.

        Returns
        -------
        dict
            ``value`` (None if unknown), ``unit`` and ``meaning``; also ``reason`` if unknown.
        """
        value: float | int | None = self.value
        if isinstance(value, float):
            value = None if math.isnan(value) else float(f"{value:.{SIGNIFICANT_DIGITS}g}")
        entry = {"value": value, "unit": self.unit, "meaning": self.meaning}
        return entry | ({"reason": self.reason} if value is None else {})

    def __format__(self, spec: str) -> str:
        """Format the value with a true minus sign; NaN becomes "unknown"."""
        if isinstance(self.value, float) and math.isnan(self.value):
            return "unknown"
        return format(self.value, spec).replace("-", "−")


def interval(
    name: str,
    values: tuple[float, float, float],
    unit: str,
    meaning: str,
    reason: str = "there are too few members for an interval",
) -> dict[str, Number]:
    """Return an estimate and the bounds of its 95 % interval, for `Chapter.say`.

    Parameters
    ----------
    name : str
        Key of the estimate; its bounds are ``<name>_low`` and ``<name>_high``.
    values : tuple of float
        Estimate, lower bound and upper bound; NaN where one is unknown.
    unit : str
        Their unit.
    meaning : str
        What the estimate is.
    reason : str
        Why a value is unknown.

    Returns
    -------
    dict of str to Number
        Key → number, for each of the three.

    Examples
    --------
    >>> numbers = interval("slope", (2.0, 1.0, 3.0), "K", "slope")
    >>> "{slope:.1f} ({slope_low:.1f} to {slope_high:.1f})".format(**numbers)
    '2.0 (1.0 to 3.0)'
    """
    bound = "{} bound of the 95 % interval: " + meaning
    return {
        name: Number(values[0], unit, meaning, reason),
        f"{name}_low": Number(values[1], unit, bound.format("lower"), reason),
        f"{name}_high": Number(values[2], unit, bound.format("upper"), reason),
    }
