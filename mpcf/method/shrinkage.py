"""Ridge regression of every cell: coefficients that collinear predictors cannot blow up."""

from __future__ import annotations

import numpy as np
import xarray as xr

from mpcf.method.regression import transform

PENALTIES = (0.0, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0)
"""Penalties tried, in units of the predictors' variance."""

MIN_SPREAD = 1e-12
"""Share of the largest variance below which a predictor counts as constant."""


def ridge_coefficients(
    y: xr.DataArray, x: xr.DataArray, estimator: str = "raw trend"
) -> xr.DataArray:
    r"""Return ridge coefficients of several responses to the same predictors, in every cell.

    .. math:: b = \arg\min \lVert y - X b \rVert^2 + \lambda n \sum_j s_j^2 b_j^2 ,

    with s the standard deviation of each predictor. One penalty :math:`\lambda` serves the whole
    region: that of `PENALTIES` with the smallest squared error when each member in turn is
    predicted from the others.

    Parameters
    ----------
    y : DataArray (flux, member, year, ...)
        What is explained, response by response.
    x : DataArray (predictor, member, year, ...)
        Predictors.
    estimator : str
        See `mpcf.method.regression.transform`.

    Returns
    -------
    DataArray (flux, predictor, ...)
        Units of y per unit of x; NaN where a predictor does not vary or a series has a gap. The
        attribute ``penalty`` is the one chosen; with one member it is 0, since nothing can be left
        out.

    References
    ----------
    Hoerl and Kennard 1970, doi 10.1080/00401706.1970.10488634.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> dims = ("member", "year")
    >>> x = xr.DataArray(rng.normal(size=(1, 4, 30)), dims=("predictor", *dims))
    >>> y = 2 * x.rename(predictor="flux")
    >>> float(ridge_coefficients(y, x).squeeze().round(6))
    2.0
    """
    fluxes, columns = (
        transform(a, estimator).transpose(first, "member", "year", ...)
        for a, first in ((y, "flux"), (x, "predictor"))
    )
    columns, fluxes = xr.broadcast(columns, fluxes, exclude=["flux", "predictor"])
    places = [d for d in columns.dims if d not in ("predictor", "member", "year")]
    shape = [columns.sizes[d] for d in places]
    design, left = (
        np.moveaxis(a.transpose(first, "member", "year", *places).values, 0, -1).reshape(
            *(a.sizes[d] for d in ("member", "year")), -1, a.sizes[first]
        )
        for a, first in ((columns, "predictor"), (fluxes, "flux"))
    )
    gram = np.einsum("mtci,mtcj->mcij", design, design)
    cross = np.einsum("mtci,mtcf->mcif", design, left)
    power = np.einsum("mtcf,mtcf->mcf", left, left)
    rows = design.shape[0] * design.shape[1]
    whole = gram.sum(axis=0)
    spread = np.sqrt(np.diagonal(whole, axis1=-2, axis2=-1) / rows)
    sound = np.isfinite(whole).all((-2, -1)) & np.isfinite(cross.sum(axis=0)).all((-2, -1))
    sound &= (spread > MIN_SPREAD * spread.max(axis=-1, keepdims=True)).all(axis=-1)
    scale = np.where(sound[:, None], spread, 1.0)
    gram = np.where(sound[:, None, None], gram, 0.0) / (
        scale[:, :, None] * scale[:, None, :] * rows
    )
    cross = np.where(sound[:, None, None], cross, 0.0) / (scale[:, :, None] * rows)
    power = np.where(sound[:, None], power, 0.0) / rows
    errors = [_left_out_error(gram, cross, power, penalty) for penalty in PENALTIES]
    penalty = PENALTIES[int(np.argmin(errors))] if gram.shape[0] > 1 else 0.0
    b = _solve(gram.sum(axis=0), cross.sum(axis=0), penalty) / scale[:, :, None]
    b = np.where(sound[:, None, None], b, np.nan)
    names = {"flux": y["flux"].values, "predictor": x["predictor"].values}
    out = xr.DataArray(
        np.moveaxis(b, 0, -1).swapaxes(0, 1).reshape(*map(len, names.values()), *shape),
        names | {d: columns[d] for d in places if d in columns.coords},
        (*names, *places),
    )
    return out.assign_attrs(penalty=penalty)


def _solve(gram: np.ndarray, cross: np.ndarray, penalty: float) -> np.ndarray:
    """Return standardised coefficients (cell, predictor, flux); the smallest where singular."""
    k = gram.shape[-1]
    return np.linalg.pinv(gram + penalty * np.eye(k), hermitian=True) @ cross


def _left_out_error(
    gram: np.ndarray, cross: np.ndarray, power: np.ndarray, penalty: float
) -> float:
    """Return the squared error of members predicted from the others, summed over cells."""
    error = 0.0
    for m in range(gram.shape[0]):
        b = _solve(gram.sum(axis=0) - gram[m], cross.sum(axis=0) - cross[m], penalty)
        fit = np.einsum("cif,cij,cjf->cf", b, gram[m], b) - 2 * np.einsum(
            "cif,cif->cf", b, cross[m]
        )
        error += float((power[m] + fit).sum())
    return error
