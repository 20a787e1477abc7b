"""Meaning of the rows of a fit, and the numbers by which kernels know effects, errors and reasons.

The kernels are compiled by numba, which takes module constants but no strings.
"""

from __future__ import annotations

from collections import namedtuple

RAW_TREND, YEAR_EFFECTS, FIRST_DIFFERENCES = range(3)
"""Numbers of what is taken out before the fit."""

EFFECTS = ("raw trend", "year effects", "first differences")
"""What is taken out before the fit, by number."""

NO_ERRORS, OLS, NEWEY_WEST, COSINE, CLUSTER, EFFECTIVE_SAMPLE_SIZE = range(6)
"""Numbers of the kinds of standard errors."""

ERRORS = ("none", "ols", "newey-west", "cosine", "cluster", "effective sample size")
"""Kinds of standard errors, by number."""

FITTED, TOO_FEW, CONSTANT, SINGULAR, UNRESOLVED = range(5)
"""Numbers of the reasons why a cell was fitted or not."""

REASONS = (
    "fitted",
    "a gap, or too few rows",
    "a predictor does not vary",
    "predictors depend on each other",
    "member and year effects cannot be separated",
)
"""Why a cell was fitted or not, by number."""

Panel = namedtuple("Panel", "members units years effects errors lags min_rows")
"""Meaning of the rows (member, unit, year), and what is asked of a fit."""
