"""The model's calendar: years of 365 days, in 12 months and in 73 steps."""

from __future__ import annotations

import numpy as np

__all__ = [
    "DAYS_PER_YEAR",
    "MONTH_DAYS",
    "STEPS",
    "STEP_DAYS",
    "STEP_MIDDLES",
    "step_calendar",
]

DAYS_PER_YEAR = 365

MONTH_DAYS = np.array([31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31])

STEPS = 73
"""Steps in a year."""

STEP_DAYS = 5.0
"""Length of a step, days."""

STEP_MIDDLES = np.arange(STEPS) * STEP_DAYS + 0.5 * STEP_DAYS
"""Middle of each step, days since the start of the year."""


def step_calendar() -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return how the steps of a year relate to its months.

    Returns
    -------
    month : ndarray (step,) of int
        Month in which the step starts.
    here : ndarray (step,)
        Share of the step in that month; the rest is in the next.
    left : ndarray (step,) of int
        Last mid-month before the middle of the step (-1: December of the year before).
    weight : ndarray (step,)
        Weight of the mid-month after it, in a linear interpolation.

    Examples
    --------
    >>> month, here, left, weight = step_calendar()
    >>> int(month[6]), float(here[6]), int(left[0])
    (0, 0.2, -1)
    """
    ends = np.cumsum(MONTH_DAYS)
    start = np.arange(STEPS) * STEP_DAYS
    month = np.searchsorted(ends, start, side="right")
    here = np.minimum(ends[month] - start, STEP_DAYS) / STEP_DAYS
    middle = ends - 0.5 * MONTH_DAYS
    nodes = np.concatenate([[middle[-1] - DAYS_PER_YEAR], middle, [middle[0] + DAYS_PER_YEAR]])
    left = np.searchsorted(nodes, STEP_MIDDLES, side="right") - 1
    weight = (STEP_MIDDLES - nodes[left]) / (nodes[left + 1] - nodes[left])
    return month, here, left - 1, weight
