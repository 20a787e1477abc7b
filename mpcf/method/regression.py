"""Gridded multiple regression of carbon fluxes on moisture, temperature and precipitation.

Estimators answer different questions. *Raw trend* (member effects) explains everything that moves
together, the forced change included. *Year effects* (member and year effects) and *first
differences* explain internal variability only. The *decadal band* lies between them.

This is one module because its public functions are short fronts of one private fit of all cells.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import numba
import numpy as np
import xarray as xr
from scipy import special

from mpcf.errors import DataError, InvalidChoice
from mpcf.ground.years import refuse_gaps, year_gap
from mpcf.method.band import band_pass
from mpcf.method.dependence import vif_beside_dependent
from mpcf.method.least_squares import fit_cells
from mpcf.method.moisture import MEANINGS, moisture_index
from mpcf.method.panel import EFFECTS, ERRORS, Panel
from mpcf.method.score_sums import bandwidth, cosine_basis, cosine_terms

RESPONSES = {
    "nep": "GPP − AR − HR",
    "gpp-rh": "GPP − HR",
    "gpp": "GPP",
    "ra": "AR",
    "rh": "HR",
}
"""Carbon fluxes that can be explained, gC m-2 yr-1; a net flux is positive into the land."""

SYNONYMS = {"npp-rh": "nep"}
"""Other names of these fluxes: NPP is GPP − AR, so NPP − HR is NEP."""

ESTIMATORS = EFFECTS
"""Raw trend, year effects and first differences: what is taken out before the fit."""

DECADAL_BAND = "decadal band"
"""A fourth estimator: the raw trend of series that `mpcf.method.band.band_pass` has filtered."""

ALL_ESTIMATORS = (*ESTIMATORS, DECADAL_BAND)
"""Estimators that a fit may use."""

DEFAULT_ERRORS = {
    "raw trend": "cosine",
    "year effects": "cluster",
    "first differences": "cosine",
    DECADAL_BAND: "cluster",
}
"""Kind of errors that stays valid under a signal which all members share; none does on the decadal
band, whose errors by member are too small then."""

TABLE = (
    *("b", "b_std", "se", "t", "p", "freedom", "vif", "r_squared", "n"),
    *("condition_number", "autocorrelation", "reason"),
)
"""Variables of a fit."""

ERRORS_OVER_YEARS = ("newey-west", "cosine", "effective sample size")
"""Kinds of errors that depend on the order of the years, which must then be consecutive."""

MIN_MEMBERS = 4
"""Fewest members for which errors and intervals over members are given."""

VIF_LIMIT = 10
"""Variance inflation factor above which the shares of predictors cannot be separated."""


def response(yearly: xr.Dataset, kind: str = "nep") -> xr.DataArray:
    """Return the carbon uptake capacity, or one of the fluxes that it consists of.

    Parameters
    ----------
    yearly : Dataset
        The yearly dataset.
    kind : {"nep", "npp-rh", "gpp-rh", "gpp", "ra", "rh"}
        Net flux GPP − AR − HR, or NPP − HR, which is the same; the study's wording GPP − HR; or
        one gross flux.

    Returns
    -------
    DataArray (member, year, lat, lon)
        gC m-2 yr-1.

    Raises
    ------
    InvalidChoice
        If `kind` is none of these.

    Examples
    --------
    >>> yearly = xr.Dataset({"gpp": 500.0, "ra": 250.0, "rh": 240.0})
    >>> [float(response(yearly, kind)) for kind in ("nep", "npp-rh", "gpp-rh")]
    [10.0, 10.0, 260.0]
    """
    gpp, ra, rh = (yearly[v].astype("float64") for v in ("gpp", "ra", "rh"))
    fluxes = {"nep": gpp - ra - rh, "gpp-rh": gpp - rh, "gpp": gpp, "ra": ra, "rh": rh}
    kind = SYNONYMS.get(kind, kind)
    if kind not in fluxes:
        known = ", ".join((*fluxes, *SYNONYMS))
        raise InvalidChoice(f"uptake '{kind}' is unknown; choose one of {known}")
    return fluxes[kind].rename(kind).assign_attrs(long_name=RESPONSES[kind], units="gC m-2 yr-1")


def predictors(
    yearly: xr.Dataset,
    *,
    moisture: str = "liquid",
    depth: float = 1.0,
    season: str = "year",
    co2: bool = False,
) -> xr.DataArray:
    """Return moisture, temperature and precipitation of the same season, and CO2 if asked for.

    Parameters
    ----------
    yearly : Dataset
        The yearly dataset.
    moisture : str
        Meaning of moisture, see `mpcf.method.moisture.moisture_index`.
    depth : float
        m.
    season : {"year", "thaw"}
        Season of every predictor; with ``thaw_wetness``, which exists in the thaw season only, it
        is that.
    co2 : bool
        Whether CO2 is added.

    Returns
    -------
    DataArray (predictor, member, year, lat, lon)
        kg m-2 (m3 m-3 for ``thaw_wetness``), °C, mm, ppm.
    """
    if moisture in MEANINGS:
        season = MEANINGS[moisture].season or season
    parts = {
        "moisture": moisture_index(yearly, moisture, depth=depth, season=season),
        "temperature": yearly["temperature"].sel(season=season, drop=True),
        "precipitation": yearly["precipitation"].sel(season=season, drop=True),
    }
    if co2:
        parts["co2"] = yearly["co2"].broadcast_like(parts["moisture"])
    return stack_predictors(parts)


def stack_predictors(parts: dict[str, xr.DataArray]) -> xr.DataArray:
    """Return predictors stacked by name, in float64.

    Parameters
    ----------
    parts : dict of str to DataArray (...)
        Predictors by name, each in its own unit.

    Returns
    -------
    DataArray (predictor, ...)
        The same values.

    Examples
    --------
    >>> parts = {"moisture": xr.DataArray([30.0, 31.0]), "snow": xr.DataArray([0.2, 0.3])}
    >>> stack_predictors(parts).sel(predictor="snow").values
    array([0.2, 0.3])
    """
    arrays = [part.astype("float64").drop_attrs() for part in parts.values()]
    names = xr.Variable("predictor", list(parts))
    stacked = xr.concat(arrays, names, coords="minimal", compat="override")
    return stacked.reset_coords(drop=True)


def possible_estimators(members: int) -> tuple[str, ...]:
    """Return the estimators that can be used with this many members.

    Parameters
    ----------
    members : int
        Number of members.

    Returns
    -------
    tuple of str
        `ESTIMATORS`; for a single member without year effects.

    Examples
    --------
    >>> possible_estimators(1)
    ('raw trend', 'first differences')
    """
    return tuple(e for e in ESTIMATORS if e != "year effects" or members > 1)


def refuse_one_member(estimator: str, members: int) -> None:
    """Raise if an estimator leaves nothing of a single member.

    Parameters
    ----------
    estimator : str
        See `transform`.
    members : int
        Number of members.

    Raises
    ------
    DataError
        If year effects are asked of fewer than two members.
    """
    if estimator == "year effects" and members < 2:
        raise DataError("year effects need two members or more; with one, nothing is left")


def refuse_differences_over_gaps(estimator: str, *data: xr.DataArray) -> None:
    """Raise if an estimator takes differences from year to year and years are not consecutive.

    Parameters
    ----------
    estimator : str
        See `transform`.
    *data : DataArray (year, ...)
        What it is applied to.

    Raises
    ------
    DataError
        If *first differences* are asked of years that are not consecutive.
    """
    if estimator == "first differences":
        refuse_gaps(
            estimator,
            *data,
            instead="select consecutive years or another estimator: raw trend, year effects",
        )


def transform(values: xr.DataArray, estimator: str) -> xr.DataArray:
    """Return values without the effects that an estimator absorbs.

    Parameters
    ----------
    values : DataArray (member, year, ...)
        Any unit.
    estimator : {"raw trend", "year effects", "first differences", "decadal band"}
        Subtract each member's mean; also each year's mean over members; take differences from
        year to year, less their mean; or keep the decadal band, less each member's mean.

    Returns
    -------
    DataArray (member, year, ...)
        Same unit.

    Raises
    ------
    ValueError
        If the estimator is unknown.
    DataError
        If year effects are asked of a single member, or first differences or the decadal band of
        years that are not consecutive.
    """
    if estimator == DECADAL_BAND:
        values, estimator = band_pass(values), "raw trend"
    if estimator == "raw trend":
        return values - values.mean("year", skipna=False)
    if estimator == "year effects":
        refuse_one_member(estimator, values.sizes["member"])
        values = values - values.mean("member", skipna=False)
        return values - values.mean("year", skipna=False)
    if estimator == "first differences":
        refuse_differences_over_gaps(estimator, values)
        change = values.diff("year")
        return change - change.mean(("member", "year"), skipna=False)
    known = ", ".join(ALL_ESTIMATORS)
    raise ValueError(f"estimator '{estimator}' is unknown; choose one of {known}")


def fit(
    y: xr.DataArray,
    x: xr.DataArray,
    estimator: str = "raw trend",
    *,
    errors: str | None = None,
    lags: int | None = None,
    weights: xr.DataArray | None = None,
    min_rows: int | None = None,
    pool: Sequence[str] = (),
) -> xr.Dataset:
    r"""Return the fit y = a + Σ b·x + e of every cell, over members and years, with robust errors.

    By default the errors of *year effects* are clustered by member (CR1), with t(M − 1). Those of
    *raw trend* and *first differences* are not, since members share the forced signal: their scores
    are summed over members in each year, and the long-run variance is the equal-weighted cosine
    estimate with ν = ⌊0.4 T^{2/3}⌋ terms and t(ν). The filtered series of the *decadal band* are
    too smooth for those, so that its errors are by member, and too small where members share a
    signal within the band.

    Parameters
    ----------
    y : DataArray (member, year, ...)
        What is explained; ``member`` may be missing. NumPy or Dask, then with all members and
        years in one chunk; the fit is lazy then.
    x : DataArray (predictor, member, year, ...)
        Predictors.
    estimator : {"raw trend", "year effects", "first differences", "decadal band"}
        See `transform`.
    errors : {"ols", "newey-west", "cosine", "cluster", "effective sample size"}, optional
        Kind of standard errors. ``ols``: rows are independent. ``newey-west``: Bartlett weights
        over `lags` years within each member, independent members, times n/(n − p), with t(n − p).
        ``effective sample size``: the variance of OLS times (1 + r)/(1 − r), with r the product of
        the lag-1 autocorrelations of the residual and of the predictor after the others have been
        taken out; the degrees of freedom shrink in proportion.
    lags : int, optional
        Of ``newey-west``; by default `mpcf.method.score_sums.bandwidth`.
    weights : DataArray (member, year, ...), optional
        Weights of the rows, such as areas. A weight of 0 or NaN leaves a row out, but keeps its
        year's place in the series.
    min_rows : int, optional
        Fit cells with gaps too, if they have at least this many rows without one. By default a
        cell with a gap is not fitted.
    pool : sequence of str
        Dims that are fitted together, each place with its own level; scores of places are summed
        within member and year.

    Returns
    -------
    Dataset (predictor, ...)
        ``b`` in units of y per unit of x; ``b_std``, per standard deviation of what is fitted, in
        units of y; ``se``, ``t``, ``p`` of b and ``freedom``, the degrees of freedom of t;
        ``vif``; and (...) ``r_squared``, ``n``, ``condition_number`` of the standardised
        predictors, ``autocorrelation`` of the residual at one year (NaN if years are not
        consecutive), and ``reason``, a position in `mpcf.method.panel.REASONS`: 0 where a cell was
        fitted; elsewhere n is 0 and all others are NaN. Clustered errors are NaN with fewer than
        `MIN_MEMBERS` members. The attribute ``degrees_of_freedom`` is that of cosine and clustered
        errors.

    Raises
    ------
    ValueError
        If a name is unknown or coordinates differ.
    DataError
        If year effects are asked of a single member, or first differences or `ERRORS_OVER_YEARS`
        of years that are not consecutive. Year effects, and the raw trend with errors ``ols`` or
        ``cluster``, need no consecutive years.

    References
    ----------
    Newey and West 1987, doi 10.2307/1913610. Lazarus et al. 2018, doi
    10.1080/07350015.2018.1506926 (equal-weighted cosine estimate, number of lags).

    Examples
    --------
    >>> year = np.arange(40)
    >>> x = xr.DataArray([[np.sin(year), year % 5.0]], dims=("member", "predictor", "year"),
    ...     coords={"predictor": ["moisture", "temperature"], "year": year})
    >>> y = 3 - 2 * x.sel(predictor="moisture", drop=True)
    >>> fit(y, x, errors="ols")["b"].round(9).values + 0.0
    array([-2.,  0.])
    """
    if "member" not in y.dims:
        y, x = y.expand_dims("member"), x if "member" in x.dims else x.expand_dims("member")
    kind = errors or DEFAULT_ERRORS.get(estimator, "ols")
    found = _in_cells(y, x, estimator, kind, lags, weights, min_rows, pool)
    years = y.sizes["year"] - (estimator == "first differences")
    known = {"cosine": cosine_terms(years), "cluster": y.sizes["member"] - 1}
    found.attrs = {"estimator": estimator, "errors": kind}
    if kind in known:
        found.attrs["degrees_of_freedom"] = known[kind]
    return found


def coefficients(y: xr.DataArray, x: xr.DataArray, estimator: str = "raw trend") -> xr.DataArray:
    """Return only the coefficients of several responses to the same predictors, in every cell.

    Parameters
    ----------
    y : DataArray (flux, member, year, ...)
        What is explained, response by response.
    x : DataArray (predictor, member, year, ...)
        Predictors.
    estimator : {"raw trend", "year effects", "first differences", "decadal band"}
        See `transform`.

    Returns
    -------
    DataArray (flux, predictor, ...)
        The ``b`` of `fit`, in units of y per unit of x; NaN where it cannot be fitted.

    Raises
    ------
    DataError
        If year effects are asked of a single member, or first differences of years that are not
        consecutive.
    """
    return _in_cells(y, x, estimator, "none", wanted=("b",))["b"]


def influence(y: xr.DataArray, x: xr.DataArray, estimator: str = "raw trend") -> xr.DataArray:
    r"""Return the influence of each year on the coefficients of several responses.

    .. math:: \psi_t = (X^\top X)^{-1} \sum_m x_{mt} \, e_{mt} ,

    whose sum over the years is zero and whose long-run variance, times the number of years, is the
    variance of the coefficients. Members are added up, since they share the forced signal. The
    influences are linear, so those of cells may be weighted and summed before the variance is
    taken.

    Parameters
    ----------
    y : DataArray (flux, member, year, ...)
        What is explained, response by response.
    x : DataArray (predictor, member, year, ...)
        Predictors.
    estimator : {"raw trend", "year effects", "first differences", "decadal band"}
        See `transform`.

    Returns
    -------
    DataArray (flux, predictor, ..., year)
        Units of y per unit of x; NaN where it cannot be fitted.

    Raises
    ------
    DataError
        If years are not consecutive, or year effects are asked of a single member.
    """
    psi = _in_cells(y, x, estimator, "cosine", wanted=("psi",))["psi"]
    years = y["year"][1:] if estimator == "first differences" else y["year"]
    return psi.rename(change="year").assign_coords(year=years)


def long_run_error(psi: np.ndarray) -> tuple[np.ndarray, int]:
    """Return the standard error of a sum of yearly influences, by the cosine estimate.

    Parameters
    ----------
    psi : ndarray (..., year)
        Influences, of consecutive years.

    Returns
    -------
    tuple
        Standard error (...), and the degrees of freedom of its t.

    References
    ----------
    Lazarus et al. 2018, doi 10.1080/07350015.2018.1506926.
    """
    cosines = cosine_basis(psi.shape[-1])
    terms, years = cosines.shape
    return np.sqrt(years / terms * ((psi @ cosines.T) ** 2).sum(-1)), terms


def shapley_shares(
    y: xr.DataArray,
    x: xr.DataArray,
    estimator: str = "raw trend",
    *,
    weights: xr.DataArray | None = None,
    min_rows: int | None = None,
    pool: Sequence[str] = (),
) -> xr.DataArray:
    r"""Return the share of R² of each predictor, averaged over all orders of entry (LMG).

    .. math:: s_j = \sum_{S \not\ni j} \frac{|S|! \, (k - |S| - 1)!}{k!}
                    \left[ R^2(S \cup j) - R^2(S) \right] .

    Parameters
    ----------
    y : DataArray (member, year, ...)
        What is explained.
    x : DataArray (predictor, member, year, ...)
        Predictors, at most 12.
    estimator : {"raw trend", "year effects", "first differences"}
        See `transform`; R² refers to what it leaves.
    weights : DataArray (member, year, ...), optional
        See `fit`.
    min_rows : int, optional
        See `fit`.
    pool : sequence of str
        See `fit`.

    Returns
    -------
    DataArray (predictor, ...)
        1; their sum is R². NaN where it cannot be fitted.

    Raises
    ------
    ValueError
        If there are more than 12 predictors, whose 4,096 subsets are each fitted.

    References
    ----------
    Grömping 2006, doi 10.18637/jss.v017.i01 (the measure of Lindeman, Merenda and Gold).
    """
    if x.sizes["predictor"] > 12:
        raise ValueError(f"shares of {x.sizes['predictor']} predictors; 12 is the most")
    found = _in_cells(y, x, estimator, "none", None, weights, min_rows, pool, wanted=("share",))
    return found["share"]


def collinearity(x: xr.DataArray, estimator: str = "raw trend") -> xr.Dataset:
    r"""Return variance inflation factors and the condition number of the predictors.

    .. math:: \mathrm{VIF}_j = (R^{-1})_{jj},

    with R the predictors' correlation matrix; the condition number is that of the standardised
    design, the square root of the ratio of R's extreme eigenvalues.

    Parameters
    ----------
    x : DataArray (predictor, member, year, ...)
        Predictors.
    estimator : str
        See `transform`.

    Returns
    -------
    Dataset (...)
        ``vif`` (predictor, ...) and ``condition_number``, both 1 at best. NaN where predictors
        depend on each other: ``vif`` of those alone, ``condition_number`` of all.
    """
    nothing = x.isel(predictor=slice(0, 0)).rename(predictor="flux").drop_vars("flux")
    near = _in_cells(nothing, x, estimator, "none", wanted=("vif", "condition_number"))
    if near["vif"].chunks is None and near["vif"].isnull().any():
        rows = transform(x, estimator).stack(row=("member", "year"), create_index=False)
        near["vif"] = near["vif"].fillna(
            xr.apply_ufunc(
                vif_beside_dependent,
                rows,
                input_core_dims=[["predictor", "row"]],
                output_core_dims=[["predictor"]],
                vectorize=True,
            )
        )
    return near


def _in_cells(
    y: xr.DataArray,
    x: xr.DataArray,
    estimator: str,
    errors: str,
    lags: int | None = None,
    weights: xr.DataArray | None = None,
    min_rows: int | None = None,
    pool: Sequence[str] = (),
    wanted: Sequence[str] = TABLE,
) -> xr.Dataset:
    """Fit all cells, response by response if `y` has the dim ``flux``."""
    if estimator not in ALL_ESTIMATORS:
        known = ", ".join(ALL_ESTIMATORS)
        raise ValueError(f"estimator '{estimator}' is unknown; choose one of {known}")
    if errors not in ERRORS:
        raise ValueError(f"errors '{errors}' are unknown; choose one of {', '.join(ERRORS[1:])}")
    members, years = y.sizes["member"], y.sizes["year"]
    refuse_one_member(estimator, members)
    refuse_differences_over_gaps(estimator, y, x)
    if errors in ERRORS_OVER_YEARS:
        refuse_gaps(
            f"errors '{errors}'",
            *(y, x),
            instead="select consecutive years or other errors: ols, cluster",
        )
    if estimator == DECADAL_BAND:
        y, x, estimator = band_pass(y), band_pass(x), "raw trend"
    has_gap = any(year_gap(one) for one in (y, x))
    lags = bandwidth(years) if lags is None else lags
    if not 0 <= lags < years:
        raise ValueError(f"{lags} lags in {years} years; give 0 to {years - 1}")
    if min_rows is not None and min_rows < 1:
        raise ValueError(f"min_rows is {min_rows}; at least one row is needed")
    rows = ["member", *pool, "year"]
    flux = ["flux"] if "flux" in y.dims else []
    panel = Panel(
        members,
        math.prod(y.sizes[d] for d in pool),
        years,
        ESTIMATORS.index(estimator),
        ERRORS.index(errors),
        lags,
        min_rows or 0,
    )
    y, x = xr.broadcast(*xr.align(y, x, join="exact", copy=False), exclude=["flux", "predictor"])
    sources, cores = [y, x], [[*flux, *rows], ["predictor", *rows]]
    if weights is not None:
        one = y.isel(flux=0, drop=True) if flux else y
        weights, one = xr.align(weights, one, join="exact", copy=False)
        sources.append(weights.broadcast_like(one))
        cores.append(rows)
    shapes = {
        **dict.fromkeys(("b", "b_std", "se", "t", "p", "freedom", "share"), (*flux, "predictor")),
        **dict.fromkeys(("r_squared", "autocorrelation"), tuple(flux)),
        **dict.fromkeys(("condition_number", "n", "reason"), ()),
        "vif": ["predictor"],
        "psi": [*flux, "predictor", "change"],
    }
    lazy = any(source.chunks is not None for source in sources)
    threads = 1 if lazy else None  # Dask's own threads work on blocks side by side
    kinds = {"n": np.int64, "reason": np.int8}
    changes = years - (estimator == "first differences")
    arrays = xr.apply_ufunc(
        partial(
            _block, panel=panel, wanted=wanted, inner=len(rows), several=bool(flux), threads=threads
        ),
        *sources,
        input_core_dims=cores,
        output_core_dims=[shapes[name] for name in wanted],
        join="exact",
        dask="parallelized",
        output_dtypes=[kinds.get(name, np.float64) for name in wanted],
        dask_gufunc_kwargs={"output_sizes": {"change": changes}} if "psi" in wanted else None,
    )
    arrays = arrays if isinstance(arrays, tuple) else (arrays,)
    first = [d for d in ("flux", "predictor") if d in {*y.dims, *x.dims}]
    found = xr.Dataset({n: a for n, a in zip(wanted, arrays, strict=True)})
    if has_gap and "autocorrelation" in found:
        found["autocorrelation"] = xr.full_like(found["autocorrelation"], np.nan)
    return found.transpose(*[d for d in first if d in found.dims], ...)


def _block(
    y: np.ndarray,
    x: np.ndarray,
    weights: np.ndarray | None = None,
    *,
    panel: Panel,
    wanted: Sequence[str],
    inner: int,
    several: bool,
    threads: int | None,
) -> np.ndarray | tuple[np.ndarray, ...]:
    """Fit a block (..., response or predictor, and `inner` dims of rows)."""
    if not several:
        y = np.expand_dims(y, y.ndim - inner)
    places = x.shape[: x.ndim - inner - 1]
    if weights is not None:
        weights = _columns(np.expand_dims(weights, weights.ndim - inner), inner)
    fits = fit_cells(
        _columns(y, inner),
        _columns(x, inner),
        panel,
        weights=weights,
        shares="share" in wanted,
        influence="psi" in wanted,
        threads=threads,
    )
    se = fits.se
    if ERRORS[panel.errors] == "cluster" and panel.members < MIN_MEMBERS:
        se = np.full_like(se, np.nan)
    with np.errstate(invalid="ignore", divide="ignore"):
        t = fits.b / se
    made = {
        "b": lambda: fits.b,
        "b_std": lambda: fits.b * fits.spread[:, None],
        "se": lambda: se,
        "t": lambda: t,
        "p": lambda: _two_sided(t, fits.freedom, threads or numba.get_num_threads()),
        "freedom": lambda: fits.freedom,
        "share": lambda: fits.shares,
        "psi": lambda: fits.psi,
        "r_squared": lambda: fits.r_squared,
        "autocorrelation": lambda: fits.r1,
        "vif": lambda: fits.vif,
        "condition_number": lambda: fits.condition,
        "n": lambda: fits.n,
        "reason": lambda: fits.reason,
    }
    by_cell = {"vif", "condition_number", "n", "reason"}
    out = []
    for name in wanted:
        values = made[name]()
        if name not in by_cell and not several:
            values = values[:, 0]
        out.append(values.reshape((*places, *values.shape[1:])))
    return tuple(out) if len(out) > 1 else out[0]


def _two_sided(t: np.ndarray, freedom: np.ndarray, threads: int) -> np.ndarray:
    """Return p of t, by threads, since it costs a tenth of a fit of 500 years."""
    p = np.empty(t.shape)

    def lane(first: int) -> None:
        part = slice(first, None, threads)
        p[part] = 2 * special.stdtr(freedom[part], -np.abs(t[part]))

    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(lane, range(threads)))
    return p


def _columns(values: np.ndarray, inner: int) -> np.ndarray:
    """View (..., column, rows) as (column, row, cell), without a copy where strides allow it."""
    loop = values.ndim - inner - 1
    columns, cells = values.shape[loop], math.prod(values.shape[:loop])
    rows = math.prod(values.shape[loop + 1 :])
    cells_last = np.moveaxis(values, range(loop), range(inner + 1, values.ndim))
    for view, shape, order in (
        (cells_last, (columns, rows, cells), (0, 1, 2)),
        (values, (cells, columns, rows), (1, 2, 0)),
    ):
        try:
            return view.reshape(shape, copy=False).transpose(order)
        except ValueError:  # it would have to be copied
            continue
    return cells_last.reshape(columns, rows, cells)
