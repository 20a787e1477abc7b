"""Regression over the rows of a table that has no years, such as an ensemble of parameters."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
import xarray as xr

from mpcf.errors import DataError
from mpcf.method.panel import REASONS
from mpcf.method.regression import fit, shapley_shares
from mpcf.method.statistics import t_factor


def cross_section(
    table: pd.DataFrame, response: str, predictors: Sequence[str], *, level: float = 0.95
) -> xr.Dataset:
    r"""Return the fit y = a + Σ b·x + e over the rows of a table, with HC3 errors.

    .. math:: V = (X^\top X)^{-1} \left[ \sum_i \frac{e_i^2}{(1 - h_i)^2} x_i x_i^\top \right]
              (X^\top X)^{-1},

    with h the leverages: errors that allow rows of unequal variance and remain reliable in small
    samples. Rows are taken as independent; several runs of one configuration are not.

    Parameters
    ----------
    table : DataFrame
        A row for each run or site. Rows that lack the response or a predictor are left out.
    response : str
        Column that is explained.
    predictors : sequence of str
        Columns that explain it, at most 12.
    level : float
        Coverage of the intervals.

    Returns
    -------
    Dataset (predictor)
        ``b`` in units of y per unit of x; ``b_std``, per standard deviation of the predictor, in
        units of y; ``se``, ``t``, ``p``, ``low``, ``high`` of b, by t(n − p − 1); ``vif``;
        ``share``, its part of R² averaged over all orders of entry (LMG); and ``r_squared`` and
        ``n``, the number of rows used.

    Raises
    ------
    DataError
        If a column is missing or holds text, or the rows cannot be fitted.

    References
    ----------
    MacKinnon and White 1985, doi 10.1016/0304-4076(85)90158-7 (HC3). Long and Ervin 2000, doi
    10.1080/00031305.2000.10474549 (small samples). Grömping 2006, doi 10.18637/jss.v017.i01 (LMG).

    Examples
    --------
    >>> runs = pd.DataFrame({"loss": [1.0, 3.1, 4.9, 7.2, 8.8], "q10": [1, 2, 3, 4, 5]})
    >>> cross_section(runs, "loss", ["q10"])["b"].values.round(2)
    array([1.97])
    """
    import statsmodels.api as sm

    names = [response, *predictors]
    for name in names:
        if name not in table:
            raise DataError(f"no column '{name}'; there are {', '.join(map(str, table))}")
        if not pd.api.types.is_numeric_dtype(table[name]):
            raise DataError(f"column '{name}' holds text; convert it with pandas.to_numeric")
    rows = table[names].dropna().astype(float)
    # One member whose years are the rows: without its mean, as the raw trend takes it out.
    y = xr.DataArray(rows[[response]].to_numpy().T, dims=("member", "year"))
    x = xr.DataArray(
        rows[list(predictors)].to_numpy().T[:, None],
        {"predictor": list(predictors)},
        ("predictor", "member", "year"),
    )
    fitted = fit(y, x, errors="ols")
    if reason := int(fitted["reason"]):
        raise DataError(f"{len(rows)} complete rows cannot be fitted: {REASONS[reason]}")
    one = x.isel(member=0)
    spread = one.std("year")
    standard = ((one - one.mean("year")) / spread).T.values
    ols = sm.OLS(y.values[0], sm.add_constant(standard)).fit(cov_type="HC3", use_t=True)
    alone = ols.get_influence().hat_matrix_diag > 1 - 1e-9
    if alone.any():
        raise DataError(
            f"row {rows.index[alone][0]} alone decides a coefficient, which then has no error; "
            "leave out the row or the predictor"
        )
    se = spread.copy(data=ols.bse[1:]) / spread
    half = t_factor(ols.df_resid, level) * se
    found = fitted[["b", "b_std", "vif", "r_squared", "n"]].assign(
        se=se, t=fitted["b"] / se, low=fitted["b"] - half, high=fitted["b"] + half
    )
    found["p"] = spread.copy(data=ols.pvalues[1:])
    found["share"] = shapley_shares(y, x)
    found.attrs = {"errors": "HC3", "degrees_of_freedom": int(ols.df_resid)}
    return found
