"""Verdicts: signs of intervals, and counts over worlds with a known truth."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mpcf.book import evidence
from mpcf.method.verdicts import (
    CONTRADICTED,
    INCONCLUSIVE,
    SUPPORTED,
    calibration,
    contains,
    joint_verdict,
    verdict,
)

numbers = st.floats(-5, 5, allow_nan=False)


@given(numbers, st.floats(0, 5), st.sampled_from([1, -1]))
def test_the_opposite_claim_gets_the_opposite_verdict(middle, half, sign):
    opposite = {SUPPORTED: CONTRADICTED, CONTRADICTED: SUPPORTED, INCONCLUSIVE: INCONCLUSIVE}
    said = verdict(middle - half, middle + half, sign=sign)
    assert verdict(middle - half, middle + half, sign=-sign) == opposite[said]
    if contains(middle - half, middle + half, 0.0):
        assert said == INCONCLUSIVE


def test_an_unknown_interval_decides_nothing():
    assert verdict(np.nan, np.nan, sign=1) == INCONCLUSIVE
    assert contains(np.nan, 1.0, 0.0) is None
    assert joint_verdict(SUPPORTED, INCONCLUSIVE) == INCONCLUSIVE


def test_counts_over_worlds_by_hand():
    """Of five worlds three say supported, two of them rightly; one says contradicted, rightly."""
    rows = pd.DataFrame(
        [
            *(("raw", -3, -1, truth) for truth in (-2.0, -9.0, 1.0)),
            ("raw", 1, 3, 2.0),
            ("raw", -1, 1, -0.5),
            ("other", -1, 1, 5.0),
        ],
        columns=["fit", "low", "high", "truth"],
    )
    found = calibration(rows, ["fit"], sign=-1)
    raw = found.loc["raw"]
    counts = ["worlds", "true", SUPPORTED, "supported right", CONTRADICTED, "contradicted right"]
    assert raw[counts].tolist() == [5, 3, 3, 2, 1, 1]
    assert raw["contain"] == 3 and raw["share"] == pytest.approx(2 / 3)
    # Wilson's interval of 2 in 3
    assert raw["low"] == pytest.approx(0.2077, abs=1e-4)
    assert raw["high"] == pytest.approx(0.9385, abs=1e-4)
    assert np.isnan(found.loc["other", ["share", "low", "high"]].astype(float)).all()


def test_the_kept_verdicts_have_enough_worlds_and_every_choice():
    kept = evidence.read("draws-verdicts")
    assert kept["set"].nunique() >= 32
    choices = kept.groupby("set")[["moisture", "estimator", "uptake", "stretch"]].nunique()
    assert (choices == [3, 2, 2, 2]).all(axis=None)
    assert (kept["low"] <= kept["estimate"]).all() and (kept["estimate"] <= kept["high"]).all()
