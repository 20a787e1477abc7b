"""The kernels: known answers, the same bits whatever the layout, and reasons instead of crashes."""

import numpy as np
import pytest

from mpcf.method.least_squares import fit_cells
from mpcf.method.member_draws import resample_members
from mpcf.method.panel import CONSTANT, ERRORS, FITTED, SINGULAR, TOO_FEW, Panel
from mpcf.method.score_sums import cosine_basis


def cells(number=150, members=3, years=40, seed=0):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(3, members * years, number)) + 5
    y = x[:2] + rng.normal(size=(2, members * years, number))
    return y, x


def same_bits(one, two):
    for name, a, b in zip(one._fields, one, two, strict=True):
        np.testing.assert_array_equal(a, b, err_msg=name)


@pytest.mark.parametrize("effects", [0, 1, 2])
@pytest.mark.parametrize("errors", range(len(ERRORS)))
def test_same_bits_whatever_layout_threads_and_neighbours(effects, errors):
    y, x = cells()
    panel = Panel(3, 1, 40, effects, errors, 4, 0)
    whole = fit_cells(y, x, panel, shares=True, threads=1)
    same_bits(whole, fit_cells(y, x, panel, shares=True, threads=3))
    by_cell = [a.transpose(2, 0, 1).copy().transpose(1, 2, 0) for a in (y, x)]
    same_bits(whole, fit_cells(*by_cell, panel, shares=True, threads=1))
    order = np.random.default_rng(1).permutation(150)[:77]
    part = fit_cells(y[..., order], x[..., order], panel, shares=True, threads=2)
    for name, a, b in zip(whole._fields, whole, part, strict=True):
        if name != "psi":
            np.testing.assert_array_equal(a[order], b, err_msg=name)


def test_single_precision_is_converted_first():
    y, x = (a.astype("float32") for a in cells())
    panel = Panel(3, 1, 40, 0, 2, 4, 0)
    same_bits(fit_cells(y, x, panel), fit_cells(y.astype(float), x.astype(float), panel))


def test_reasons_instead_of_crashes():
    y, x = cells(8)
    y[0, 3, 1] = np.nan
    x[1, :, 2] = 270.15
    x[2, :, 3] = 2 * x[0, :, 3] - 3 * x[1, :, 3] + 7
    y[:, :, 4] = np.nan
    x[0, 5, 5] = np.inf
    y[:, :, 6] = 3.0
    fits = fit_cells(y, x, Panel(3, 1, 40, 0, 2, 4, 0))
    expected = [FITTED, TOO_FEW, CONSTANT, SINGULAR, TOO_FEW, TOO_FEW, FITTED, FITTED]
    assert fits.reason.tolist() == expected
    assert np.isnan(fits.b[1:6]).all() and (fits.n[1:6] == 0).all()
    assert np.abs(fits.b[6]).max() < 1e-15  # a response that does not vary has no slope
    few = fit_cells(y[:, :4], x[:, :4], Panel(1, 1, 4, 0, 1, 0, 0))
    assert (few.reason == TOO_FEW).all()
    same = fit_cells(y, np.tile(x[:, :40], (1, 3, 1)), Panel(3, 1, 40, 1, 1, 0, 0))
    assert (same.reason[[0, 3, 6, 7]] == CONSTANT).all()  # what members share, year effects take


@pytest.mark.parametrize("effects", [0, 1])
def test_gaps_and_weights_equal_a_fit_with_dummies(effects):
    y, x = cells(5)
    rng = np.random.default_rng(2)
    weights = rng.uniform(0.5, 2.0, size=(1, 120, 5))
    weights[0, 7] = 0.0
    y[0, 11] = np.nan
    x[1, 90] = np.nan
    fits = fit_cells(y, x, Panel(3, 1, 40, effects, 1, 0, 100), weights=weights)
    dummies = np.kron(np.eye(3), np.ones((40, 1)))
    if effects:
        dummies = np.hstack([dummies, np.kron(np.ones((3, 1)), np.eye(40))[:, 1:]])
    kept = np.setdiff1d(np.arange(120), [7, 11, 90])
    assert (fits.n == 117).all()
    for c in range(5):
        root = np.sqrt(weights[0, kept, c])
        design = np.column_stack([x[:, :, c].T, dummies])[kept] * root[:, None]
        left = y[1, kept, c] * root
        b, squares, rank, _ = np.linalg.lstsq(design, left, rcond=None)
        covariance = np.linalg.inv(design.T @ design) * squares / (len(kept) - rank)
        np.testing.assert_allclose(fits.b[c, 1], b[:3], rtol=1e-9)
        np.testing.assert_allclose(fits.se[c, 1], np.sqrt(np.diag(covariance))[:3], rtol=1e-9)


def test_a_gap_keeps_its_year_in_newey_west():
    """Scores of a missing year are zero; years on both sides are two apart, not neighbours."""
    y, x = cells(1, members=1)
    y[:, 20] = np.nan
    fits = fit_cells(y, x, Panel(1, 1, 40, 0, 2, 3, 30))
    kept = np.delete(np.arange(40), 20)
    design = x[:, kept, 0].T - x[:, kept, 0].mean(1)
    left = y[0, kept, 0] - y[0, kept, 0].mean()
    bread = np.linalg.inv(design.T @ design)
    scores = np.zeros((40, 3))
    scores[kept] = design * (left - design @ (bread @ design.T @ left))[:, None]
    meat = scores.T @ scores
    for lag in (1, 2, 3):
        gamma = scores[lag:].T @ scores[:-lag]
        meat += (1 - lag / 4) * (gamma + gamma.T)
    se = np.sqrt(np.diag(bread @ meat @ bread) * 39 / 35)
    np.testing.assert_allclose(fits.se[0, 0], se, rtol=1e-10)


def test_effective_sample_size_by_hand():
    y, x = cells(1, members=2, years=60, seed=3)
    y, x = np.cumsum(y, 1), np.cumsum(x[:1] - 5, 1)
    fits = fit_cells(y, x, Panel(2, 1, 60, 0, 5, 0, 0))
    v, e = (a.reshape(2, 60) - a.reshape(2, 60).mean(1, keepdims=True) for a in (x[0], y[0]))
    b = (v * e).sum() / (v**2).sum()
    e = e - b * v
    r = np.prod([(a[:, 1:] * a[:, :-1]).sum() / (a**2).sum() for a in (v, e)])
    variance = (e**2).sum() / (120 - 3) / (v**2).sum() * (1 + r) / (1 - r)
    assert 0.3 < r < 1
    np.testing.assert_allclose(fits.se[0, 0, 0], np.sqrt(variance), rtol=1e-10)
    np.testing.assert_allclose(fits.freedom[0, 0, 0], max(1, 120 * (1 - r) / (1 + r) - 3))


def test_cosines_are_orthonormal_and_sum_to_zero():
    basis = cosine_basis(50)
    np.testing.assert_allclose(basis @ basis.T, np.eye(len(basis)), atol=1e-13)
    np.testing.assert_allclose(basis.sum(1), 0, atol=1e-13)


def test_no_cells_at_all():
    y, x = cells(1)
    assert fit_cells(y[..., :0], x[..., :0], Panel(3, 1, 40, 0, 2, 4, 0)).b.shape == (0, 2, 3)


def test_resampling_gives_the_same_bits_whatever_the_threads():
    y, x = cells(200)
    counts = np.array([[1, 1, 1], [2, 0, 1], [0, 1, 2]])
    wanted = {"base": (0, 10), "summed": (20, 40), "counts": counts}
    one, two = (
        resample_members(y, x, np.ones(200), Panel(3, 1, 40, 1, 0, 0, 0), **wanted, threads=n)
        for n in (1, 2)
    )
    np.testing.assert_array_equal(one, two)
