"""Errors of a least-squares fit by statsmodels: few or unequal clusters, and correlation in space.

`mpcf.method.regression.fit` gives the errors of ensembles, whose members are equally long. The
functions here start from ``statsmodels.formula.api.ols(...).fit()`` of one table of rows, such as
towers × years with gaps.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy import special
from statsmodels.regression.linear_model import OLS

from mpcf.errors import DataError, InvalidChoice, UnknownName
from mpcf.ground.geography import distance as great_circle
from mpcf.method.statistics import t_factor

MIN_EIGENVALUE = 1e-10
"""Eigenvalue of I − H, which lie between 0 and 1, below which it counts as zero."""

KERNELS = ("bartlett", "uniform")
"""How the weight of a pair of rows falls with their distance."""


def cr2(results, groups: ArrayLike) -> pd.DataFrame:
    r"""Return coefficients with bias-reduced clustered errors (CR2) and Satterthwaite's freedom.

    With :math:`H = X M X^\top`, :math:`M = (X^\top X)^{-1}` and the residuals e of each group g,

    .. math:: V = M \Bigl( \sum_g X_g^\top A_g e_g e_g^\top A_g X_g \Bigr) M, \quad
              A_g = (I - H_{gg})^{+1/2},

    where +1/2 is the symmetric root of the generalised inverse, which allows dummies of groups. V
    is unbiased if rows are independent and equally variable. Under the same assumption the freedom
    of coefficient c is

    .. math:: \nu_c = \frac{\bigl(\sum_g p_g^\top p_g\bigr)^2}{\sum_{gh} (p_g^\top p_h)^2}, \quad
              p_g = (I - H)_{\cdot g} A_g X_g M_{\cdot c} .

    Give the model its dummies of groups and of years (``+ C(site) + C(year)``). Taking out the
    means of groups beforehand changes nothing; taking out the means of years does, since the fit
    then no longer knows that each year's mean was estimated from all groups.

    Parameters
    ----------
    results : RegressionResults
        A fit by ordinary least squares; of its errors nothing is used.
    groups : array_like
        Group of each row, such as the member or the site: one for each row of the fit, or a Series
        with the index of the table that was fitted, whose rows with gaps the fit left out.

    Returns
    -------
    DataFrame
        For each coefficient ``b``, ``se``, ``freedom``, ``t``, ``p``, and ``low`` and ``high``, the
        95 % interval. All but b are NaN if part of the coefficient is known from one group only, as
        that of a group's dummy. With a freedom below about 4, p is rough.

    Raises
    ------
    DataError
        If there are fewer than two groups, a row has none, or the fit is not an unweighted one of
        full rank without gaps.

    References
    ----------
    Bell and McCaffrey 2002, Survey Methodology 28, 169–181. Pustejovsky and Tipton 2018, doi
    10.1080/07350015.2016.1247004.

    Examples
    --------
    >>> import statsmodels.formula.api as smf
    >>> rows = pd.DataFrame({"site": list("aabbcc"), "uptake": [1.0, 3.0, 2.0, 4.0, 6.0, 8.0]})
    >>> found = cr2(smf.ols("uptake ~ 1", rows).fit(), rows["site"]).loc["Intercept"]
    >>> bool(np.isclose(found["se"], np.std([2.0, 3.0, 7.0], ddof=1) / np.sqrt(3)))
    True
    >>> round(float(found["freedom"]), 6)
    2.0
    """
    q, inverse, e = _parts(results)
    rows = _rows_of_groups(results, groups)
    own = np.zeros((len(rows), len(inverse)))
    scores, crossed = np.zeros_like(own), np.zeros((len(rows), *inverse.shape))
    for g, here in enumerate(rows):
        u, s, v = np.linalg.svd(q[here], full_matrices=False)
        left = 1 - s**2  # eigenvalues of I − H in the span of the group's predictors
        seen = left > MIN_EIGENVALUE
        u, s, left, turned = u[:, seen], s[seen, None], left[seen, None], v[seen] @ inverse.T
        adjusted = s / np.sqrt(left) * turned
        scores[g] = e[here] @ u @ adjusted
        own[g] = (adjusted**2).sum(0)
        crossed[g] = v[seen].T @ (s * adjusted)
    products = -np.einsum("gic,hic->cgh", crossed, crossed)
    np.einsum("cgg->cg", products)[...] += own.T
    expected = np.einsum("cgg->c", products)
    unbiased = np.isclose(expected, (inverse**2).sum(1), rtol=1e-6)
    se = np.where(unbiased, np.sqrt((scores**2).sum(0)), np.nan)
    return _table(results, se, expected**2 / (products**2).sum((1, 2)))


def wild_cluster_bootstrap(
    results, groups: ArrayLike, name: str, *, draws: int = 9999, seed: int = 0
) -> pd.Series:
    r"""Return the test of one coefficient by the wild cluster bootstrap with the null imposed.

    The fit is repeated without the coefficient. Each draw turns the residuals of whole groups
    around or leaves them (Rademacher weights ±1), and the full fit to such a response gives one
    :math:`t^*` with clustered errors (CR1). Then

    .. math:: p = \text{share of patterns of signs with } |t^*| \ge |t|,

    ties and the pattern that changes nothing included, so p is never 0. If all :math:`2^G` patterns
    of G groups are at most `draws`, each is taken once; p is then a multiple of :math:`2 / 2^G`, so
    with five groups or fewer it can't be below 0.05.

    Parameters
    ----------
    results : RegressionResults
        A fit by ordinary least squares; of its errors nothing is used.
    groups : array_like
        See `cr2`.
    name : str
        The coefficient whose being zero is tested.
    draws : int
        Number of patterns.
    seed : int
        Of the random patterns.

    Returns
    -------
    Series
        ``b``, ``se`` and ``t`` by CR1, ``p``, ``groups``, and ``patterns``, how many p rests on.

    Raises
    ------
    DataError
        See `cr2`; also if t is not defined, as of a coefficient that fits its response exactly.
    UnknownName
        If the fit has no such coefficient.

    References
    ----------
    Cameron, Gelbach and Miller 2008, doi 10.1162/rest.90.3.414. Roodman et al. 2019, doi
    10.1177/1536867X19830877.

    Examples
    --------
    >>> import statsmodels.formula.api as smf
    >>> rows = pd.DataFrame({"site": list("abcdef"), "uptake": [1.0, 3.0, 2.0, 4.0, 6.0, 8.0]})
    >>> wild_cluster_bootstrap(smf.ols("uptake ~ 1", rows).fit(), rows["site"], "Intercept")["p"]
    0.03125
    """
    q, inverse, e = _parts(results)
    rows = _rows_of_groups(results, groups)
    names = list(results.model.exog_names)
    if name not in names:
        raise UnknownName("coefficient", name, names)
    z = q @ inverse[names.index(name)]  # b is z @ y
    b = z @ results.model.endog
    under_null = e + b * z / (z @ z)
    parts = np.array([z[here] @ under_null[here] for here in rows])
    towards = np.array([q[here].T @ z[here] for here in rows])
    spread = np.array([q[here].T @ under_null[here] for here in rows])
    scores = np.diag(parts) - towards @ spread.T
    count, (n, k) = len(rows), q.shape
    se = np.sqrt(count / (count - 1) * (n - 1) / (n - k) * (scores.sum(1) ** 2).sum())
    if not se > MIN_EIGENVALUE * np.sqrt(z @ z * (under_null @ under_null)):
        raise DataError(
            f"'{name}' has no clustered error: its residuals add up to nothing in every group; "
            "name a coefficient that several groups determine, or check the response"
        )
    patterns = sign_patterns(count, draws, seed)
    return pd.Series(
        {
            "b": b,
            "se": se,
            "t": b / se,
            "p": share_as_extreme(parts, scores, patterns),
            "groups": count,
            "patterns": len(patterns),
        },
        name=name,
        dtype=object,
    )


def sign_patterns(groups: int, draws: int, seed: int = 0) -> np.ndarray:
    """Return patterns of signs of the wild bootstrap, the first of which changes nothing.

    A pattern and its reverse give the same ``|t|``, so where all are enumerated, the first group
    keeps its sign.

    Parameters
    ----------
    groups : int
        Number of groups.
    draws : int
        Number of patterns, unless all 2^groups are no more than this.
    seed : int
        Of the random patterns.

    Returns
    -------
    ndarray (pattern, group)
        1 or −1.

    Raises
    ------
    InvalidChoice
        If no pattern is asked for.

    Examples
    --------
    >>> sign_patterns(2, 99)
    array([[ 1.,  1.],
           [ 1., -1.]])
    """
    if draws < 1:
        raise InvalidChoice(f"draws is {draws}; at least one pattern is needed")
    if groups < 64 and 2**groups <= draws:
        bits = np.arange(2 ** (groups - 1))[:, None] >> np.arange(groups - 1)[::-1] & 1
        return 1.0 - 2.0 * np.pad(bits, ((0, 0), (1, 0)))
    signs = np.random.default_rng(seed).choice((-1.0, 1.0), (draws, groups))
    signs[0] = 1
    return signs


def share_as_extreme(parts: np.ndarray, scores: np.ndarray, patterns: np.ndarray) -> float:
    r"""Return the share of patterns whose ``|t|`` is at least that of the first one.

    .. math:: t(w) \propto \sum_g a_g w_g \Big/ \sqrt{\sum_h \bigl(\sum_g S_{hg} w_g\bigr)^2} .

    Parameters
    ----------
    parts : ndarray (group,)
        a: what each group's residuals under the null hypothesis add to the coefficient.
    scores : ndarray (group, group)
        S: what the residuals of group g add to the score of group h.
    patterns : ndarray (pattern, group)
        w, from `sign_patterns`.

    Returns
    -------
    float
        Between 1 / patterns and 1. A tie counts, and so does a pattern without a t.

    Examples
    --------
    >>> share_as_extreme(np.array([3.0, 1.0]), np.eye(2), sign_patterns(2, 4))
    0.5
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        t = np.abs(patterns @ parts) / np.sqrt(((patterns @ scores.T) ** 2).sum(1))
    return float(np.mean(~(t < t[0] * (1 - 1e-10))))


def conley(
    results,
    lat: ArrayLike,
    lon: ArrayLike,
    years: ArrayLike,
    *,
    distance: float,
    lags: int = 0,
    kernel: str = "bartlett",
) -> pd.DataFrame:
    r"""Return coefficients with errors that allow for correlation in space, and over years.

    With rows x, residuals e, and :math:`M = (X^\top X)^{-1}`,

    .. math:: V = M \Bigl( \sum_{ij} w_{ij} \, e_i e_j \, x_i x_j^\top \Bigr) M .

    Two rows of the same year have the weight :math:`\max(1 - d/D, 0)` (Bartlett) or 1 up to D
    (uniform) at a great-circle distance d; two years of the same place
    :math:`\max(1 - l/(L + 1), 0)` at a lag of l years; all others 0. There is no correction for
    small samples: with few distances D across the map the errors are too small.

    Parameters
    ----------
    results : RegressionResults
        A fit by ordinary least squares; of its errors nothing is used. Take means of places out
        beforehand instead of giving the model a dummy for each: their scores make the sum above
        more often indefinite.
    lat, lon : array_like
        Degrees; see `cr2` for how rows are matched.
    years : array_like
        Year of each row; the same throughout for one map.
    distance : float
        D, km: beyond it rows count as unrelated.
    lags : int
        L, years.
    kernel : {"bartlett", "uniform"}
        Weight by distance.

    Returns
    -------
    DataFrame
        As `cr2`, with Student's t of n − k degrees of freedom.

    Raises
    ------
    InvalidChoice
        If the kernel is unknown, or the distance or lags are negative.
    DataError
        See `cr2`. Also if the sum above is not positive semi-definite, which neither kernel rules
        out on a sphere, or is zero, as it is where one map lies within `distance`.

    References
    ----------
    Conley 1999, doi 10.1016/S0304-4076(98)00084-0.

    Examples
    --------
    >>> import statsmodels.formula.api as smf
    >>> rng = np.random.default_rng(0)
    >>> rows = pd.DataFrame(rng.normal(size=(40, 2)), columns=["uptake", "moisture"])
    >>> rows["lat"], rows["lon"] = rng.uniform(55, 70, 40), rng.uniform(-180, 180, 40)
    >>> rows["year"] = 2010
    >>> fitted = smf.ols("uptake ~ moisture", rows).fit()
    >>> found = conley(fitted, rows["lat"], rows["lon"], rows["year"], distance=0)
    >>> bool(np.isclose(found["se"], fitted.HC0_se).all())
    True
    """
    if kernel not in KERNELS:
        raise InvalidChoice(f"kernel '{kernel}' is unknown; choose one of {', '.join(KERNELS)}")
    if not (distance >= 0 and lags >= 0):
        raise InvalidChoice(f"distance is {distance} km and lags {lags}; neither may be negative")
    q, inverse, e = _parts(results)
    places = {"lat": lat, "lon": lon, "year": years}
    places = pd.DataFrame({k: _of_rows(results, v, k).astype(float) for k, v in places.items()})
    if not (places["lat"].abs() <= 90).all():
        raise DataError("latitudes must lie between −90 and 90 degrees; are lat and lon exchanged?")
    scores = q * e[:, None]
    total = np.zeros_like(inverse)
    for here in places.groupby("year").indices.values():
        at = places["lat"].to_numpy()[here], places["lon"].to_numpy()[here]
        apart = great_circle(*at, *at) / 1000  # km
        near = (apart <= distance).astype(float)
        if kernel == "bartlett" and distance > 0:
            near *= 1 - apart / distance
        total += scores[here].T @ near @ scores[here]
    if lags:
        for here in places.groupby(["lat", "lon"]).indices.values():
            year = places["year"].to_numpy()[here]
            apart = np.abs(year[:, None] - year)
            near = np.where(apart > 0, np.clip(1 - apart / (lags + 1), 0, None), 0.0)
            total += scores[here].T @ near @ scores[here]
    variance = np.einsum("ci,ij,cj->c", inverse, total, inverse)
    alone = ((scores @ inverse.T) ** 2).sum(0)
    if np.linalg.eigvalsh(total)[0] < -1e-8 * (scores**2).sum() or (variance <= 1e-8 * alone).any():
        raise DataError(
            f"a distance of {distance:g} km and the {kernel} kernel give no valid variance (it is "
            "zero or negative in some direction); choose a shorter distance or another kernel, "
            "or take the means of places and years out of the table instead of fitting dummies"
        )
    return _table(results, np.sqrt(variance), results.df_resid)


def _parts(results) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return Q and the inverse of R, with X = QR, and the residuals."""
    model = results.model
    if type(model) is not OLS:
        raise DataError(
            f"a fit by {type(model).__name__}; these errors are those of ordinary least squares: "
            "fit it with statsmodels' OLS"
        )
    x, y = model.exog, model.endog
    if not (np.isfinite(x).all() and np.isfinite(y).all()):
        raise DataError("the fit has rows with a gap (NaN); leave them out before fitting")
    if np.linalg.matrix_rank(x / np.linalg.norm(x, axis=0).clip(1e-300)) < x.shape[1]:
        raise DataError(
            "columns of the fit depend on each other, as a dummy too many or a predictor that does "
            "not vary does; leave out what the others determine"
        )
    if len(x) <= x.shape[1]:
        raise DataError(f"{len(x)} rows for {x.shape[1]} coefficients; more rows are needed")
    q, r = np.linalg.qr(x)
    return q, np.linalg.inv(r), np.asarray(results.resid)


def _of_rows(results, values: ArrayLike, what: str) -> np.ndarray:
    """Return the values of those rows that were fitted."""
    labels = results.model.data.row_labels
    if isinstance(values, pd.Series) and labels is not None and not values.index.equals(labels):
        if values.index.has_duplicates:
            raise DataError(
                f"the rows of '{what}' have no labels of their own; call reset_index() on the "
                "table before fitting it"
            )
        values = values.reindex(labels)
    values = np.asarray(values)
    if values.shape != (int(results.nobs),):
        raise DataError(
            f"'{what}' has {values.size} values for {int(results.nobs)} rows of the fit; give one "
            "for each, or a column of the table that was fitted"
        )
    if pd.isna(values).any():
        raise DataError(f"'{what}' is missing in {int(pd.isna(values).sum())} rows of the fit")
    return values


def _rows_of_groups(results, groups: ArrayLike) -> list[np.ndarray]:
    """Return the rows of each group."""
    values = pd.Series(_of_rows(results, groups, "groups"))
    found = list(values.groupby(values.to_numpy(), sort=False, observed=True).indices.values())
    if len(found) < 2:
        raise DataError("all rows are of one group; errors by group need two groups or more")
    return found


def _table(results, se: np.ndarray, freedom: ArrayLike) -> pd.DataFrame:
    """Return coefficients with errors, tests and 95 % intervals."""
    b = np.asarray(results.params)
    freedom = np.where(np.isnan(se), np.nan, freedom)
    t = b / se
    half = t_factor(freedom) * se
    return pd.DataFrame(
        {
            "b": b,
            "se": se,
            "freedom": freedom,
            "t": t,
            "p": 2 * special.stdtr(freedom, -np.abs(t)),
            "low": b - half,
            "high": b + half,
        },
        index=pd.Index(results.model.exog_names, name="coefficient"),
    )
