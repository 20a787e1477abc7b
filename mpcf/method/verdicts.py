"""Verdicts on claims: from an interval, beside the truth, and calibrated on many worlds."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

SUPPORTED, CONTRADICTED, INCONCLUSIVE = "supported", "contradicted", "inconclusive"
"""What a fit can say of a claim."""


def verdict(low: float, high: float, *, sign: int) -> str:
    """Return the verdict on a claim, from its interval.

    Parameters
    ----------
    low, high : float
        95 % interval; NaN where there is none.
    sign : {1, -1}
        Sign that the claim predicts.

    Returns
    -------
    str
        `SUPPORTED` or `CONTRADICTED` if the whole interval has that sign or the opposite one, else
        `INCONCLUSIVE`.

    Examples
    --------
    >>> verdict(-3.0, -1.0, sign=-1), verdict(-1.0, 2.0, sign=-1), verdict(1.0, 2.0, sign=-1)
    ('supported', 'inconclusive', 'contradicted')
    """
    if sign * low > 0 and sign * high > 0:
        return SUPPORTED
    if sign * low < 0 and sign * high < 0:
        return CONTRADICTED
    return INCONCLUSIVE


def joint_verdict(*verdicts: str) -> str:
    """Return the verdict on a claim that needs several statements to be true.

    Parameters
    ----------
    *verdicts : str
        From `verdict`.

    Returns
    -------
    str
        `CONTRADICTED` if one of them is, `SUPPORTED` if all are, else `INCONCLUSIVE`.

    Examples
    --------
    >>> joint_verdict("supported", "contradicted"), joint_verdict("supported", "supported")
    ('contradicted', 'supported')
    """
    if CONTRADICTED in verdicts:
        return CONTRADICTED
    return SUPPORTED if set(verdicts) == {SUPPORTED} else INCONCLUSIVE


def contains(low: float, high: float, value: float) -> bool | None:
    """Check whether an interval contains a value.

    Parameters
    ----------
    low, high : float
        Bounds; NaN where there is no interval.
    value : float
        The value, such as the truth.

    Returns
    -------
    bool or None
        None where there is no interval or no value.

    Examples
    --------
    >>> contains(-1.0, 2.0, 0.5), contains(-1.0, 2.0, 3.0), contains(float("nan"), 2.0, 0.0)
    (True, False, None)
    """
    if any(map(math.isnan, (low, high, value))):
        return None
    return low <= value <= high


def calibration(rows: pd.DataFrame, by: list[str], *, sign: int) -> pd.DataFrame:
    r"""Return how often the verdicts of fits are right, over worlds in which the truth is known.

    A verdict `SUPPORTED` is right where the true effect has the sign that the claim predicts, one
    of `CONTRADICTED` where it has the opposite sign. The interval of the share is Wilson's.

    Parameters
    ----------
    rows : DataFrame
        A row for each world and fit: ``low`` and ``high`` of the 95 % interval, ``truth``, and the
        columns `by`.
    by : list of str
        Columns that name a fit.
    sign : {1, -1}
        Sign that the claim predicts.

    Returns
    -------
    DataFrame
        Indexed by `by`: number of ``worlds``; in how many the claim is ``true``; how many fits say
        ``supported`` and ``contradicted``, and how many of them are right (``supported right``,
        ``contradicted right``); the share of right ones among those that say supported, with its
        95 % interval (``share``, ``low``, ``high``; NaN where none says so); and how many intervals
        contain the truth (``contain``).

    References
    ----------
    Wilson 1927, doi 10.1080/01621459.1927.10502953.

    Examples
    --------
    >>> import pandas as pd
    >>> rows = pd.DataFrame({"fit": ["raw"] * 3, "low": [-3.0, -3.0, -1.0],
    ...     "high": [-1.0, -1.0, 1.0], "truth": [-2.0, 1.0, 0.5]})
    >>> calibration(rows, ["fit"], sign=-1).loc["raw", ["supported", "supported right"]].tolist()
    [2, 1]
    """
    import numpy as np
    import pandas as pd
    from statsmodels.stats.proportion import proportion_confint

    said = [
        verdict(low, high, sign=sign) for low, high in zip(rows["low"], rows["high"], strict=True)
    ]
    said = pd.Series(said, rows.index)
    is_true = np.sign(rows["truth"]) == sign
    flags = pd.DataFrame(
        {
            "worlds": 1,
            "true": is_true,
            SUPPORTED: said == SUPPORTED,
            f"{SUPPORTED} right": (said == SUPPORTED) & is_true,
            CONTRADICTED: said == CONTRADICTED,
            f"{CONTRADICTED} right": (said == CONTRADICTED) & ~is_true,
            "contain": (rows["low"] <= rows["truth"]) & (rows["truth"] <= rows["high"]),
        }
    ).astype(int)
    table = flags.groupby([rows[name] for name in by], sort=False).sum()
    asked, right = table[SUPPORTED], table[f"{SUPPORTED} right"]
    low, high = proportion_confint(right, asked.where(asked > 0, 1), method="wilson")
    known = asked > 0
    return table.assign(
        share=(right / asked.where(known)),
        low=pd.Series(low, table.index).where(known),
        high=pd.Series(high, table.index).where(known),
    )
