"""Meaning of the rows of a fit, and the codes that kernels use for effects, errors and reasons.

The kernels are compiled by numba, which takes module constants but no strings.
"""

from __future__ import annotations

from collections import namedtuple

RAW_TREND, YEAR_EFFECTS, FIRST_DIFFERENCES = range(3)
"""Codes of the effects removed before the fit."""

EFFECTS = ("raw trend", "year effects", "first differences")
"""Effects removed before the fit, by code."""

NO_ERRORS, OLS, NEWEY_WEST, COSINE, CLUSTER, EFFECTIVE_SAMPLE_SIZE = range(6)
"""Codes of the kinds of standard errors."""

ERRORS = ("none", "ols", "newey-west", "cosine", "cluster", "effective sample size")
"""Kinds of standard errors, by code."""

FITTED, TOO_FEW, CONSTANT, SINGULAR, UNRESOLVED = range(5)
"""Codes of the reasons why a cell was fitted or not."""

REASONS = (
    "fitted",
    "a gap, or too few rows",
    "a predictor does not vary",
    "predictors depend on each other",
    "member and year effects cannot be separated",
)
"""Why a cell was fitted or not, by code."""

Panel = namedtuple("Panel", "members units years effects errors lags min_rows")
"""Meaning of the rows (member, unit, year), and the options of a fit."""
