"""Means over a region, trends, intervals over members, correlations and false discovery."""

from __future__ import annotations

import numpy as np
import xarray as xr


def regional_mean(values: xr.DataArray | xr.Dataset, region: xr.DataArray):
    """Return the area-weighted mean over the region.

    Parameters
    ----------
    values : DataArray or Dataset (..., lat, lon)
        Any unit.
    region : DataArray (lat, lon)
        m2.

    Returns
    -------
    DataArray or Dataset (...)
        Same unit.
    """
    return values.weighted(region).mean(("lat", "lon"))


def known_mean(values: xr.DataArray, dim: str | tuple[str, ...]) -> xr.DataArray:
    r"""Return the mean of the known values.

    .. math:: \sum_{i\,\mathrm{known}} x_i / n_\mathrm{known}

    Where none is known, as in every cell at sea, the mean is NaN. (``.mean`` returns the same, but
    warns of 0 / 0 in single precision.)

    Parameters
    ----------
    values : DataArray
        Any unit; NaN where unknown.
    dim : str or tuple of str
        Dimensions to average over.

    Returns
    -------
    DataArray
        Same unit and type.

    Examples
    --------
    >>> cells = xr.DataArray([[1.0, np.nan, 3.0], [np.nan] * 3], dims=("cell", "year"))
    >>> known_mean(cells, "year").values
    array([ 2., nan])
    """
    mean = values.sum(dim, dtype="float64") / values.count(dim)
    return mean.astype(values.dtype)


def decadal_trend(values: xr.DataArray) -> xr.DataArray:
    """Return the least-squares slope over `year`, per decade.

    Parameters
    ----------
    values : DataArray (year, ...)
        Any unit.

    Returns
    -------
    DataArray (...)
        Unit per decade.

    Examples
    --------
    >>> steady = xr.DataArray([1.0, 1.5, 2.0], {"year": [2000, 2001, 2002]}, "year")
    >>> float(decadal_trend(steady))
    5.0
    """
    year = values["year"] - values["year"].mean()
    centred = values - values.mean("year", skipna=False)
    slope = (centred * year).sum("year", skipna=False) / (year**2).sum()
    return (10.0 * slope).rename("trend")


def t_factor(freedom, level: float = 0.95):
    """Return the half-width of an interval in standard errors, by Student's t.

    Parameters
    ----------
    freedom : array_like
        Degrees of freedom.
    level : float
        Coverage.

    Returns
    -------
    float or ndarray
        Of the shape of `freedom`.

    Examples
    --------
    >>> round(float(t_factor(10)), 3)
    2.228
    """
    from scipy.stats import t

    return t.ppf((1 + level) / 2, freedom)


def member_interval(values: xr.DataArray, level: float = 0.95) -> tuple[float, float, float]:
    """Return the mean over members with its Student t interval.

    Parameters
    ----------
    values : DataArray (member)
        One value per member.
    level : float
        Coverage.

    Returns
    -------
    tuple of float
        Mean, lower and upper bound; the bounds are NaN with fewer than two members.

    Examples
    --------
    >>> mean, low, high = member_interval(xr.DataArray([1.0, 2.0, 3.0], dims="member"))
    >>> round(mean, 2), round(low, 2), round(high, 2)
    (2.0, -0.48, 4.48)
    """
    x = np.asarray(values, dtype=float)
    if x.size < 2:
        return float(x.mean()), float("nan"), float("nan")
    half = t_factor(x.size - 1, level) * x.std(ddof=1) / np.sqrt(x.size)
    return float(x.mean()), float(x.mean() - half), float(x.mean() + half)


def detectable_difference(values: xr.DataArray, *, power: float = 0.8) -> float:
    r"""Return the smallest true mean that Student's t test of the members detects.

    .. math:: \delta = d_M \, s ,

    with s the standard deviation of the members and :math:`d_M` the standardised effect that the
    two-sided test at 5 % with M members finds with the given power (noncentral t).

    Parameters
    ----------
    values : DataArray (member)
        One value per member, such as a difference of pairs.
    power : float
        Probability of detecting it.

    Returns
    -------
    float
        Unit of the values; NaN with fewer than two members or without spread.

    Examples
    --------
    >>> round(detectable_difference(xr.DataArray([1.0, 2.0, 3.0, 4.0], dims="member")), 2)
    2.75
    """
    from statsmodels.stats.power import TTestPower

    x = np.asarray(values, dtype=float)
    if x.size < 2 or not x.std() > 0:
        return float("nan")
    standardised = TTestPower().solve_power(nobs=x.size, alpha=0.05, power=power)
    return float(standardised * x.std(ddof=1))


def member_test(values: xr.DataArray) -> xr.DataArray:
    """Return the p value of Student's t test of the members' mean against zero.

    Parameters
    ----------
    values : DataArray (member, ...)
        One value per member.

    Returns
    -------
    DataArray (...)
        Two-sided p value; NaN with fewer than two members.

    Examples
    --------
    >>> float(member_test(xr.DataArray([1.0, 2.0, 3.0], dims="member")).round(3))
    0.074
    """
    from scipy.stats import ttest_1samp

    mean = values.mean("member")
    if values.sizes["member"] < 2:
        return xr.full_like(mean, np.nan)
    return mean.copy(data=ttest_1samp(values, 0, axis=values.get_axis_num("member")).pvalue)


def false_discovery_mask(p: xr.DataArray, alpha: float = 0.10) -> xr.DataArray:
    """Return the cells whose p value passes the Benjamini–Hochberg threshold over a whole map.

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


def detectable_correlation(n: int, *, power: float = 0.8, alpha: float = 0.05) -> float:
    r"""Return the smallest correlation that is detected as significant with a given probability.

    .. math:: \operatorname{artanh}\rho + \frac{\rho}{2(n-1)} =
              \operatorname{artanh} r_c + \frac{z_\text{power}}{\sqrt{n-3}}, \quad
              r_c = \frac{t}{\sqrt{n-2+t^2}},\ t = t_{1-\alpha/2,\,n-2}

    by Fisher's transformation with its bias, for independent pairs and a two-sided test.

    Parameters
    ----------
    n : int
        Number of independent pairs, at least 4.
    power : float, optional
        Probability of detecting it.
    alpha : float, optional
        Level of the two-sided test.

    Returns
    -------
    float
        Correlation, between 0 and 1. The test misses a smaller one with a probability above
        1 − `power`. Below ten pairs the result is a few hundredths too large.

    Raises
    ------
    ValueError
        If `n` is less than 4.

    References
    ----------
    Fisher, R. A. (1915), Biometrika 10, 507–521, doi:10.2307/2331838.

    Examples
    --------
    >>> round(detectable_correlation(12), 2)
    0.72
    >>> round(detectable_correlation(100), 2)
    0.28
    """
    from scipy.optimize import brentq
    from scipy.stats import norm, t

    if n < 4:
        raise ValueError(f"{n} pairs are too few; a correlation can be judged from 4 on")
    critical = t.isf(alpha / 2, n - 2)
    critical /= np.sqrt(n - 2 + critical**2)
    needed = np.arctanh(critical) + norm.ppf(power) / np.sqrt(n - 3)
    return float(brentq(lambda rho: np.arctanh(rho) + rho / (2 * (n - 1)) - needed, 0, 1 - 1e-12))


def correlation_interval(r: float, n: int, *, level: float = 0.95) -> tuple[float, float]:
    r"""Return the interval of a correlation of `n` pairs by Fisher's transformation.

    .. math:: \tanh\left(\operatorname{artanh} r \pm z / \sqrt{n-3}\right)

    Parameters
    ----------
    r : float
        Correlation found.
    n : int
        Number of independent pairs, at least 4.
    level : float, optional
        Coverage.

    Returns
    -------
    tuple of float
        Lower and upper end.

    Examples
    --------
    >>> low, high = correlation_interval(0.0, 12)
    >>> round(low, 2), round(high, 2)
    (-0.57, 0.57)
    """
    from scipy.stats import norm

    half = norm.isf((1 - level) / 2) / np.sqrt(n - 3)
    return float(np.tanh(np.arctanh(r) - half)), float(np.tanh(np.arctanh(r) + half))


def weighted_correlation(a: np.ndarray, b: np.ndarray, weight: np.ndarray) -> float:
    """Return the area-weighted correlation over the cells where both have values."""
    known = np.isfinite(a) & np.isfinite(b)
    if known.sum() < 3:
        return float("nan")
    covariance = np.cov(a[known], b[known], aweights=weight[known])
    spread = np.sqrt(np.diag(covariance).prod())
    return float(covariance[0, 1] / spread) if spread > 0 else float("nan")
