"""Gridded multiple regression of carbon fluxes on moisture, temperature and precipitation.

Three estimators answer three questions. *Raw trend* (member effects) explains everything that
moves together, the forced change included. *Year effects* (member and year effects) and *first
differences* explain internal variability only.
"""

from __future__ import annotations

import numpy as np
import xarray as xr
from scipy import stats

from mpcf.moisture import moisture_index

RESPONSES = {
    "nep": "GPP − AR − HR",
    "gpp-rh": "GPP − HR",
    "gpp": "GPP",
    "ra": "AR",
    "rh": "HR",
}
"""Carbon fluxes that can be explained, gC m-2 yr-1; a net flux is positive into the land."""

ESTIMATORS = ("raw trend", "year effects", "first differences")

FEWEST_MEMBERS = 4
"""Fewest members from which errors clustered by member are given."""


def response(yearly: xr.Dataset, kind: str = "nep") -> xr.DataArray:
    """Carbon uptake capacity, or one of its sides.

    Parameters
    ----------
    yearly : Dataset
        The yearly dataset.
    kind : {"nep", "gpp-rh", "gpp", "ra", "rh"}
        Net flux GPP − AR − HR, the study's wording GPP − HR, or one gross flux.

    Returns
    -------
    DataArray (member, year, lat, lon)
        gC m-2 yr-1.

    Raises
    ------
    ValueError
        If `kind` is none of these.
    """
    gpp, ra, rh = (yearly[v].astype("float64") for v in ("gpp", "ra", "rh"))
    fluxes = {"nep": gpp - ra - rh, "gpp-rh": gpp - rh, "gpp": gpp, "ra": ra, "rh": rh}
    if kind not in fluxes:
        raise ValueError(f"uptake '{kind}' is unknown; choose one of {', '.join(fluxes)}")
    return fluxes[kind].rename(kind).assign_attrs(long_name=RESPONSES[kind], units="gC m-2 yr-1")


def predictors(
    yearly: xr.Dataset,
    *,
    moisture: str = "liquid",
    depth: float = 1.0,
    season: str = "year",
    co2: bool = False,
) -> xr.DataArray:
    """Moisture, temperature and precipitation of the same season, and CO2 if asked for.

    Parameters
    ----------
    yearly : Dataset
        The yearly dataset.
    moisture : str
        Meaning of moisture, see `mpcf.moisture.moisture_index`.
    depth : float
        m.
    season : {"year", "thaw"}
        Season of every predictor; ``thaw_wetness`` is a matter of the thaw season, and takes the
        others with it.
    co2 : bool
        Whether CO2 stands beside them.

    Returns
    -------
    DataArray (predictor, member, year, lat, lon)
        kg m-2 (m3 m-3 for ``thaw_wetness``), °C, mm, ppm.
    """
    season = "thaw" if moisture == "thaw_wetness" else season
    parts = {
        "moisture": moisture_index(yearly, moisture, depth=depth, season=season),
        "temperature": yearly["temperature"].sel(season=season, drop=True),
        "precipitation": yearly["precipitation"].sel(season=season, drop=True),
    }
    if co2:
        parts["co2"] = yearly["co2"].broadcast_like(parts["moisture"])
    stacked = [part.astype("float64").drop_attrs() for part in parts.values()]
    return xr.concat(stacked, xr.DataArray(list(parts), dims="predictor", name="predictor"))


def transform(values: xr.DataArray, estimator: str) -> xr.DataArray:
    """Take out the effects that an estimator absorbs.

    Parameters
    ----------
    values : DataArray (member, year, ...)
        Any unit.
    estimator : {"raw trend", "year effects", "first differences"}
        Subtract each member's mean; also each year's mean over members; or take differences from
        year to year, less their mean.

    Returns
    -------
    DataArray (member, year, ...)
        Same unit.

    Raises
    ------
    ValueError
        If the estimator is unknown, or year effects are asked of a single member.
    """
    if estimator == "raw trend":
        return values - values.mean("year", skipna=False)
    if estimator == "year effects":
        if values.sizes["member"] < 2:
            raise ValueError("year effects need two members or more; with one, nothing is left")
        values = values - values.mean("member", skipna=False)
        return values - values.mean("year", skipna=False)
    if estimator == "first differences":
        change = values.diff("year")
        return change - change.mean(("member", "year"), skipna=False)
    raise ValueError(f"estimator '{estimator}' is unknown; choose one of {', '.join(ESTIMATORS)}")


def fit(y: xr.DataArray, x: xr.DataArray, estimator: str = "raw trend") -> xr.Dataset:
    r"""Fit y = a + Σ b·x + e in every cell, over members and years, with honest errors.

    Errors of *year effects* are clustered by member (CR1), with t(M − 1). Members share the
    forced signal, so those of *raw trend* and *first differences* are not: scores are summed over
    members in each year, and their long-run variance is the equal-weighted cosine estimate with
    ν = ⌊0.4 T^{2/3}⌋ terms and t(ν).

    Parameters
    ----------
    y : DataArray (member, year, ...)
        What is explained.
    x : DataArray (predictor, member, year, ...)
        Predictors.
    estimator : {"raw trend", "year effects", "first differences"}
        See `transform`.

    Returns
    -------
    Dataset (predictor, ...)
        ``b`` in units of y per unit of x; ``b_std``, per standard deviation of what is fitted, in
        units of y; ``se``, ``t``, ``p`` of b, with the degrees of freedom of t in the attribute
        ``degrees_of_freedom``; ``r_squared`` and ``n`` (...). A cell with a gap, a
        predictor that does not vary, or a singular design is NaN. ``se``, ``t`` and ``p`` of year
        effects are NaN with fewer than four members.

    References
    ----------
    Lazarus et al. 2018, doi 10.1080/07350015.2018.1506926 (equal-weighted cosine estimate).
    """
    rest = [d for d in y.dims if d not in ("member", "year")]
    y_in = transform(y, estimator).transpose(*rest, "member", "year")
    x_in = transform(x, estimator).transpose(*rest, "member", "year", "predictor")
    shape, (members, years) = y_in.shape[:-2], y_in.shape[-2:]
    k, rows = x_in.sizes["predictor"], members * years
    yy, xx = y_in.values.reshape(-1, rows), x_in.values.reshape(-1, rows, k)
    fitted = np.flatnonzero(np.isfinite(yy).all(1) & _usable(xx, _size(x, rest)))
    yy = yy[fitted]
    q, inverse, spread = _factor(xx[fitted])
    projected = q.swapaxes(1, 2) @ yy[..., None]
    beta = (inverse @ projected)[..., 0]
    residual = yy - (q @ projected)[..., 0]
    scores = (q * residual[..., None]).reshape(-1, members, years, k)
    if estimator == "year effects":
        freedom, meat = members - 1, _clustered(scores, k + members + years - 1)
    else:
        freedom, meat = _cosine_terms(years), _cosine(scores.sum(axis=1))
    se = np.sqrt(np.einsum("cij,cjk,cik->ci", inverse, meat, inverse))
    with np.errstate(invalid="ignore", divide="ignore"):
        t = beta / se
        r_squared = 1 - (residual**2).sum(1) / (yy**2).sum(1)
    p = 2 * stats.t.sf(np.abs(t), freedom)

    coords = {d: y[d] for d in rest if d in y.coords} | {"predictor": x["predictor"]}
    out = xr.Dataset(coords=coords, attrs={"estimator": estimator, "degrees_of_freedom": freedom})
    columns = {"b": beta / spread, "b_std": beta, "se": se / spread, "t": t, "p": p}
    for name, values in columns.items():
        full = np.full((int(np.prod(shape)), k), np.nan)
        full[fitted] = values
        out[name] = (("predictor", *rest), np.moveaxis(full.reshape(*shape, k), -1, 0))
    known = np.isfinite(beta).all(1)
    for name, values in (("r_squared", np.where(known, r_squared, np.nan)), ("n", rows * known)):
        full = np.full(int(np.prod(shape)), 0 if name == "n" else np.nan)
        full[fitted] = values
        out[name] = (tuple(rest), full.reshape(shape))
    return out


def coefficients(y: xr.DataArray, x: xr.DataArray, estimator: str = "raw trend") -> xr.DataArray:
    """Coefficients alone, of several responses with the same predictors in every cell.

    Parameters
    ----------
    y : DataArray (flux, member, year, cell)
        What is explained, response by response.
    x : DataArray (predictor, member, year, cell)
        Predictors.
    estimator : {"raw trend", "year effects", "first differences"}
        See `transform`.

    Returns
    -------
    DataArray (flux, predictor, cell)
        The ``b`` of `fit`, in units of y per unit of x; NaN where it can't be fitted.
    """
    b, _ = _several(y, x, estimator, with_influence=False)
    return b


def influence(y: xr.DataArray, x: xr.DataArray, estimator: str = "raw trend") -> xr.DataArray:
    r"""Influence of each year on the coefficients of several responses.

    .. math:: \psi_t = (X^\top X)^{-1} \sum_m x_{mt} \, e_{mt} ,

    whose sum over the years is zero and whose long-run variance, times the number of years, is the
    variance of the coefficients. Members are added up, since they share the forced signal. Being
    linear, influences of cells may be weighted and summed before the variance is taken.

    Parameters
    ----------
    y : DataArray (flux, member, year, cell)
        What is explained, response by response.
    x : DataArray (predictor, member, year, cell)
        Predictors.
    estimator : {"raw trend", "year effects", "first differences"}
        See `transform`.

    Returns
    -------
    DataArray (flux, predictor, cell, year)
        Units of y per unit of x; NaN where it can't be fitted.
    """
    _, psi = _several(y, x, estimator, with_influence=True)
    return psi


def long_run_error(psi: np.ndarray) -> tuple[np.ndarray, int]:
    """Give the standard error of a sum of yearly influences, by the cosine estimate.

    Parameters
    ----------
    psi : ndarray (..., year)
        Influences.

    Returns
    -------
    tuple
        Standard error (...), and the degrees of freedom of its t.

    References
    ----------
    Lazarus et al. 2018, doi 10.1080/07350015.2018.1506926.
    """
    flat = psi.reshape(-1, psi.shape[-1], 1)
    error = np.sqrt(_cosine(flat)[:, 0, 0]).reshape(psi.shape[:-1])
    return error, _cosine_terms(psi.shape[-1])


def _several(
    y: xr.DataArray, x: xr.DataArray, estimator: str, *, with_influence: bool
) -> tuple[xr.DataArray, xr.DataArray | None]:
    y_in = transform(y, estimator).transpose("cell", "member", "year", "flux")
    x_in = transform(x, estimator).transpose("cell", "member", "year", "predictor")
    cells, members, years = y_in.shape[:3]
    yy, xx = y_in.values.reshape(cells, members * years, -1), x_in.values
    xx = xx.reshape(cells, members * years, -1)
    fitted = np.isfinite(yy).all((1, 2)) & _usable(xx, _size(x, ["cell"]))
    q, inverse, spread = _factor(xx[fitted])
    projected = q.swapaxes(1, 2) @ yy[fitted]
    beta = np.full((cells, xx.shape[2], yy.shape[2]), np.nan)
    beta[fitted] = inverse @ projected / spread[..., None]
    coords = {"flux": y["flux"], "predictor": x["predictor"], "cell": y["cell"]}
    b = xr.DataArray(beta, coords, ("cell", "predictor", "flux")).transpose(*coords)
    if not with_influence:
        return b, None
    residual = yy[fitted] - q @ projected
    scores = np.einsum(
        "cmtk,cmtf->cftk",
        q.reshape(-1, members, years, q.shape[-1]),
        residual.reshape(-1, members, years, yy.shape[2]),
    )
    psi = np.full((cells, yy.shape[2], years, xx.shape[2]), np.nan)
    psi[fitted] = np.einsum("cij,cftj->cfti", inverse / spread[..., None], scores)
    over = coords | {"year": y_in["year"]}
    return b, xr.DataArray(psi, over, ("cell", "flux", "year", "predictor")).transpose(*over)


def _size(x: xr.DataArray, rest: list[str]) -> np.ndarray:
    """Largest value of each predictor before any effect is taken out (cell, k)."""
    largest = abs(x).max(("member", "year")).transpose(*rest, "predictor")
    return largest.values.reshape(-1, x.sizes["predictor"])


def _usable(x: np.ndarray, size: np.ndarray) -> np.ndarray:
    """Tell the cells (cell, row, k) without a gap in which every predictor varies.

    What is left of a predictor must exceed the rounding of its values before effects were taken
    out, as it does not for CO2 that all members share under year effects.
    """
    return np.isfinite(x).all((1, 2)) & (x.std(axis=1) > 1e-12 * size).all(1)


def _factor(x: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """QR of the standardised design: Q, the inverse of R (NaN where singular), and the spread."""
    spread = x.std(axis=1)
    q, r = np.linalg.qr(x / spread[:, None, :])
    diagonal = np.abs(np.diagonal(r, axis1=1, axis2=2))
    r[diagonal.min(1, initial=np.inf) <= 1e-10 * diagonal.max(1, initial=0.0)] = np.nan
    inverse = np.linalg.solve(r, np.broadcast_to(np.eye(r.shape[-1]), r.shape))
    return q, inverse, spread


def _clustered(scores: np.ndarray, parameters: int) -> np.ndarray:
    """CR1: variance of the members' sums of scores (cell, member, year, k)."""
    cells, members, years, k = scores.shape
    if members < FEWEST_MEMBERS:
        return np.full((cells, k, k), np.nan)
    rows = members * years
    sums = scores.sum(axis=2)
    correction = members / (members - 1) * (rows - 1) / (rows - parameters)
    return correction * np.einsum("cmi,cmj->cij", sums, sums)


def _cosine_terms(years: int) -> int:
    return max(1, int(0.4 * years ** (2 / 3)))


def _cosine(scores: np.ndarray) -> np.ndarray:
    """Equal-weighted cosine estimate of the long-run variance of scores (cell, year, k)."""
    years = scores.shape[1]
    terms = _cosine_terms(years)
    order, step = np.arange(1, terms + 1)[:, None], np.arange(years) + 0.5
    cosines = np.sqrt(2 / years) * np.cos(np.pi * order * step / years)
    projected = np.einsum("vt,ctk->cvk", cosines, scores)
    return years / terms * np.einsum("cvi,cvj->cij", projected, projected)


def collinearity(x: xr.DataArray, estimator: str = "raw trend") -> xr.Dataset:
    r"""Variance inflation factors and condition number of the standardised predictors.

    .. math:: \mathrm{VIF}_j = (R^{-1})_{jj},

    with R the predictors' correlation matrix; the condition number is that of the standardised
    design, the square root of the ratio of R's extreme eigenvalues.

    Parameters
    ----------
    x : DataArray (predictor, member, year)
        Predictors of one place.
    estimator : str
        See `transform`.

    Returns
    -------
    Dataset (predictor)
        ``vif`` (predictor) and ``condition_number``, both 1 at best.
    """
    rows = transform(x, estimator).transpose("predictor", "member", "year")
    correlation = np.corrcoef(rows.values.reshape(x.sizes["predictor"], -1))
    eigenvalues = np.linalg.eigvalsh(correlation)
    return xr.Dataset(
        {
            "vif": ("predictor", np.diag(np.linalg.inv(correlation))),
            "condition_number": float(np.sqrt(eigenvalues[-1] / eigenvalues[0])),
        },
        coords={"predictor": x["predictor"]},
    )


def false_discovery_mask(p: xr.DataArray, alpha: float = 0.10) -> xr.DataArray:
    """Cells whose p passes the Benjamini–Hochberg threshold over all cells of a map.

    Parameters
    ----------
    p : DataArray (lat, lon)
        p values; NaN outside the domain, which is fixed beforehand.
    alpha : float
        False discovery rate; 0.10 for fields that are correlated in space.

    Returns
    -------
    DataArray (lat, lon)
        True where the map is significant.

    References
    ----------
    Wilks 2016, doi 10.1175/BAMS-D-15-00267.1.

    Examples
    --------
    >>> false_discovery_mask(xr.DataArray([0.001, 0.04, 0.5, np.nan], dims="lat")).values
    array([ True,  True, False, False])
    """
    from statsmodels.stats.multitest import multipletests

    known = p.notnull().values
    mask = np.zeros(p.shape, dtype=bool)
    if known.any():
        mask[known] = multipletests(p.values[known], alpha=alpha, method="fdr_bh")[0]
    return p.copy(data=mask)
