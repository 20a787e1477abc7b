"""Fits over rows: statsmodels and pingouin, symmetries, and what is refused."""

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from hypothesis import given, settings
from hypothesis import strategies as st
from statsmodels.stats.outliers_influence import variance_inflation_factor

from mpcf.errors import DataError
from mpcf.method.cross_section import cross_section

NAMES = ["q10", "depth", "water"]


def runs(rows=25, seed=0):
    rng = np.random.default_rng(seed)
    table = pd.DataFrame(rng.normal(size=(rows, 3)), columns=NAMES) * [1.0, 20.0, 3e-3] + 1.0
    table["water"] += 2e-3 * table["q10"]
    table["loss"] = 3 * table.q10 - 0.2 * table.depth + rng.normal(size=rows) * abs(table.q10)
    return table


def test_it_equals_statsmodels():
    import pingouin

    table = runs()
    x = sm.add_constant(table[NAMES])
    reference = sm.OLS(table["loss"], x).fit(cov_type="HC3", use_t=True)
    ours = cross_section(table, "loss", NAMES)
    for name, expected in (
        ("b", reference.params),
        ("se", reference.bse),
        ("t", reference.tvalues),
        ("p", reference.pvalues),
        ("low", reference.conf_int()[0]),
        ("high", reference.conf_int()[1]),
    ):
        np.testing.assert_allclose(ours[name], expected[NAMES], rtol=1e-7)
    np.testing.assert_allclose(ours["b_std"], reference.params[NAMES] * table[NAMES].std(ddof=0))
    vif = [variance_inflation_factor(x.to_numpy(), i) for i in (1, 2, 3)]
    np.testing.assert_allclose(ours["vif"], vif, rtol=1e-7)
    shares = pingouin.linear_regression(table[NAMES], table["loss"], relimp=True)["relimp"][1:]
    np.testing.assert_allclose(ours["share"], shares, rtol=1e-7)
    assert float(ours["share"].sum()) == pytest.approx(reference.rsquared)
    assert ours.attrs == {"errors": "HC3", "degrees_of_freedom": 21}


@given(order=st.permutations(range(25)), factor=st.floats(1e-3, 1e3))
@settings(max_examples=20)
def test_neither_order_nor_units_of_a_predictor_matter(order, factor):
    table = runs()
    ours = cross_section(table, "loss", NAMES)
    other = cross_section(
        table.iloc[list(order)].assign(q10=lambda t: t.q10 * factor), "loss", NAMES
    )
    for name in ("t", "p", "b_std", "vif", "share"):
        np.testing.assert_allclose(other[name], ours[name], rtol=1e-6)
    assert float(other["b"][0]) == pytest.approx(float(ours["b"][0]) / factor, rel=1e-6)


def test_incomplete_rows_are_left_out():
    table = runs()
    gaps = pd.concat([table, table.assign(depth=np.nan), table.assign(loss=np.nan)])
    assert cross_section(gaps, "loss", NAMES).equals(cross_section(table, "loss", NAMES))


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda t: t.drop(columns="q10"), "no column 'q10'; there are depth, water, loss"),
        (lambda t: t.assign(q10="high"), "column 'q10' holds text"),
        (lambda t: t.assign(q10=2.0), "25 complete rows cannot be fitted: a predictor does not"),
        (lambda t: t.assign(q10=t.depth * 2), "predictors depend on each other"),
        (lambda t: t.iloc[:4], "4 complete rows cannot be fitted: a gap, or too few rows"),
        (lambda t: t.assign(q10=[1.0] + [0.0] * 24), "row 0 alone decides a coefficient"),
    ],
)
def test_a_table_that_cannot_be_fitted_is_refused(change, says):
    with pytest.raises(DataError, match=says):
        cross_section(change(runs()), "loss", NAMES)
