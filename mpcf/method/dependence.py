"""Which predictors depend on each other, where the normal fit has no solution."""

from __future__ import annotations

import numpy as np

from mpcf.method.least_squares import DEPENDENT


def vif_beside_dependent(columns: np.ndarray) -> np.ndarray:
    r"""Return variance inflation factors where some of the predictors are linearly dependent.

    A predictor that has no part in any dependence is explained by the others with a share of
    :math:`R_j^2 < 1`, whichever of the dependent ones are kept:

    .. math:: \mathrm{VIF}_j = (R^+)_{jj} = \frac{1}{1 - R_j^2},

    with R the correlation matrix and :math:`R^+` its pseudoinverse.

    Parameters
    ----------
    columns : ndarray (predictor, row)
        Predictors, without the effects that the estimator absorbs.

    Returns
    -------
    ndarray (predictor)
        NaN for those that others determine or that do not vary; all NaN where a value is missing.

    Examples
    --------
    >>> a, b = np.random.default_rng(0).normal(size=(2, 50))
    >>> a, b = a - a.mean(), b - b.mean()
    >>> np.isfinite(vif_beside_dependent(np.stack([a, b, 2 * a])))
    array([False,  True, False])
    """
    vif = np.full(len(columns), np.nan)
    length = np.linalg.norm(columns, axis=1)
    varies = length > DEPENDENT * max(length.max(), np.finfo(float).tiny)
    if not np.isfinite(columns).all() or not varies.any():
        return vif
    standard = columns[varies] / length[varies, None]
    combinations, singular, _ = np.linalg.svd(standard, full_matrices=False)
    solvable = singular > DEPENDENT**0.5 * singular[0]
    free = ~(np.abs(combinations[:, ~solvable]) > DEPENDENT**0.5).any(axis=1)
    inverse = (combinations[:, solvable] ** 2 / singular[solvable] ** 2).sum(axis=1)
    vif[varies] = np.where(free, inverse, np.nan)
    return vif
