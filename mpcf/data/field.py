"""Field tables by site and year: manual thaw probing, and yearly values of flux towers."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence

import pandas as pd
import xarray as xr

from mpcf.data.loggers import FAULT_VALUES, refuse_faults
from mpcf.data.readers.units import conversion
from mpcf.errors import DataError, InvalidChoice

MAX_THAW_DEPTH = 20.0
"""m, deeper than any active layer; a deeper reading is in another unit."""

MIN_DEEPEST = 0.03
"""m, below which the deepest reading of a whole table must be in another unit."""


def end_of_season_thaw(
    probes: pd.DataFrame,
    *,
    units: str,
    window: tuple[str, str] = ("08-15", "09-15"),
    rod: float | Mapping[str, float] | None = None,
) -> xr.Dataset:
    r"""Return the thaw depth at the end of each season from manual probing, by site and year.

    .. math:: \bar z = \frac{1}{n} \sum_i z_i, \quad s = \sqrt{\frac{\sum_i (z_i - \bar z)^2}
              {n (n - 1)}}

    over the points that were probed on the latest date of the year within the window. A probe that
    stopped at a stone or at the end of the rod shows only that thaw reached at least that far. Such
    a reading is censored: the mean of its visit is unknown, and only a lower bound is given.

    Parameters
    ----------
    probes : DataFrame
        Columns ``site``, ``date`` (dates, or text such as 2011-08-30), ``depth`` and, where there
        is one, ``point``. Depths are numbers, or text such as ``"> 120"`` for a censored reading;
        empty ones are left out.
    units : str
        Unit of the depths, such as ``"cm"``.
    window : tuple of str
        First and last month and day of the end of the season.
    rod : float or mapping of str to float, optional
        Length of the rod, in `units`, at all sites or by site; readings of that depth are censored.

    Returns
    -------
    Dataset (site, year)
        ``thaw_depth`` and its standard error ``se`` over the points, taken as independent, m;
        ``at_least``, the mean with censored readings where they stopped, m; ``n`` and
        ``n_censored``, numbers of points; ``date`` of the visit. Years are consecutive.

    Raises
    ------
    DataError
        If a column, site or date is missing, a depth is negative, too deep or not a number, a point
        was probed twice on one date, or no visit is within the window.
    InvalidChoice
        If the window does not end after it begins.

    Examples
    --------
    >>> probes = pd.DataFrame({"site": "A", "date": ["2010-07-01", "2010-08-30", "2010-08-30"],
    ...     "point": [1, 1, 2], "depth": [20, 40, 44]})
    >>> thaw = end_of_season_thaw(probes, units="cm")
    >>> thaw["thaw_depth"].sel(site="A").values, thaw["n"].sel(site="A").values
    (array([0.42]), array([2]))
    """
    first, last = window
    if not first <= last:
        raise InvalidChoice(f"the window {first} to {last} ends before it begins")
    _need_columns(probes, ("site", "date", "depth"))
    probes = probes.reset_index(drop=True)
    sites, dates = probes["site"], _dates(probes["date"])
    read = _depths(probes["depth"], sites, dates.dt.strftime(" on %Y-%m-%d"), units, rod)
    key = ["site", "date", *(["point"] if "point" in probes else [])]
    every = probes.assign(date=dates)[key].assign(year=dates.dt.year)
    visits = every.join(read).dropna(subset="depth")
    if "point" in visits and visits.duplicated(key).any():
        site, date, point = visits.loc[visits.duplicated(key), key].iloc[0]
        raise DataError(f"point {point} of site {site} was probed twice on {date:%Y-%m-%d}")
    inside = visits[visits["date"].dt.strftime("%m-%d").between(first, last)]
    if inside.empty:
        raise DataError(f"no probing between {first} and {last} of any year; choose another window")
    latest = inside.groupby(["site", "year"])["date"].transform("max")
    return _thaw(inside[inside["date"] == latest], every)


def thaw_of_table(
    table: pd.DataFrame, *, units: str, rod: float | Mapping[str, float] | None = None
) -> xr.Dataset:
    """Return the thaw depth at the end of each season from a table of sites by years.

    This is the layout of the summary tables of the Circumpolar Active Layer Monitoring network.

    Parameters
    ----------
    table : DataFrame
        A row for each site, named by the index; the columns that are named by a year are read, and
        the others are not. Depths as in `end_of_season_thaw`.
    units : str
        Unit of the depths, such as ``"cm"``.
    rod : float or mapping of str to float, optional
        See `end_of_season_thaw`.

    Returns
    -------
    Dataset (site, year)
        ``thaw_depth`` and ``at_least``, m, as in `end_of_season_thaw`. Years are consecutive.

    Raises
    ------
    DataError
        If there is no year, a site has two rows, or a depth is refused as in `end_of_season_thaw`.

    Examples
    --------
    >>> table = pd.DataFrame({"LAT": [71.3], "2010": [41], "2011": ["> 120"]}, index=["U1"])
    >>> thaw_of_table(table, units="cm")["thaw_depth"].values
    array([[0.41,  nan]])
    """
    years = [column for column in table if str(column).isdecimal() and len(str(column)) == 4]
    if not years:
        raise DataError("no column is named by a year, such as 2011")
    if table.index.has_duplicates:
        raise DataError(f"site {table.index[table.index.duplicated()][0]} has two rows")
    cells = table[years].rename_axis(index="site", columns="year").stack(future_stack=True)
    cells = cells.rename("depth").reset_index()
    cells["site"], cells["year"] = cells["site"].astype(str), cells["year"].astype(int)
    years = " in " + cells["year"].astype(str)
    read = _depths(cells["depth"], cells["site"], years, units, rod)
    visits = cells[["site", "year"]].join(read).assign(date=pd.NaT)
    return _thaw(visits.dropna(subset="depth"), visits)[["thaw_depth", "at_least"]]


def _thaw(rows: pd.DataFrame, known: pd.DataFrame) -> xr.Dataset:
    by = rows.groupby(["site", "year"])
    summary = pd.DataFrame({"at_least": by["depth"].mean(), "n": by.size()})
    summary["n_censored"], summary["date"] = by["censored"].sum(), by["date"].max()
    whole = summary["n_censored"] == 0
    summary["thaw_depth"] = summary["at_least"].where(whole)
    summary["se"] = by["depth"].sem().where(whole)
    found = _fill_years(summary, "site", known, {"n": 0, "n_censored": 0})
    for name, long_name in (
        ("thaw_depth", "thaw depth at the end of the season"),
        ("at_least", "lower bound of the thaw depth at the end of the season"),
        ("se", "standard error of the thaw depth"),
    ):
        found[name].attrs = {"long_name": long_name, "units": "m"}
    return found


def _dates(column: pd.Series) -> pd.Series:
    try:
        dates = pd.to_datetime(column, format="ISO8601")
    except (ValueError, TypeError) as error:
        raise DataError(
            f"'date' is not written as 2011-08-30 ({error}); convert it with "
            "pandas.to_datetime(…, format=…)"
        ) from error
    if dates.isna().any():
        raise DataError(f"row {dates.index[dates.isna()][0]} has no date")
    return dates.dt.normalize()


def _depths(
    column: pd.Series,
    sites: pd.Series,
    times: pd.Series,
    units: str,
    rod: float | Mapping[str, float] | None,
) -> pd.DataFrame:
    """Return depths in m, NaN where there was no reading, and which of them are censored."""
    factor = conversion(units, "m", "depth").factor
    text = column.astype("string").str.strip().replace("", pd.NA)
    depth = pd.to_numeric(text.str.lstrip(">≥= "), errors="coerce").astype(float)
    length = sites.map(rod if isinstance(rod, Mapping) else lambda _: rod).astype(float)
    for wrong, why in (
        (text.notna() & depth.isna(), "is not a number; write '> 45' for a probe stopped at 45"),
        (depth < 0, "is negative; leave a missing reading empty"),
        (depth * factor > MAX_THAW_DEPTH, f"is over {MAX_THAW_DEPTH:g} m; check the unit"),
        (depth > length, "is more than the length of the rod"),
    ):
        if wrong.any():
            first = wrong.idxmax()
            raise DataError(f"site {sites[first]}{times[first]}: depth '{text[first]}' {why}")
    censored = text.str.startswith((">", "≥")).fillna(False).astype(bool) | (depth == length)
    metres = depth * factor
    if metres.max() < MIN_DEEPEST:
        raise DataError(f"the deepest reading is {depth.max():g} {units}; check the unit")
    return pd.DataFrame({"depth": metres, "censored": censored})


def tower_years(table: pd.DataFrame, columns: Sequence[str]) -> xr.Dataset:
    """Return yearly values of flux towers as a panel with gaps, for a regression.

    Parameters
    ----------
    table : DataFrame
        A row for each ``site`` and ``year``, and the columns of values.
    columns : sequence of str
        Columns that the regression will use, such as nep, moisture, temperature, precipitation.
        A net flux is positive into the land.

    Returns
    -------
    Dataset (member, year)
        One variable for each column; ``member`` holds the sites, and years are consecutive. Values
        that the table lacks are NaN. Sites with fewer than two years in which all columns are known
        cannot contribute to a fit with member effects: they are left out with a warning, and named
        in the attribute ``left_out``.

    Raises
    ------
    DataError
        If a column, site or year is missing, a site has a year twice, a column holds text or one of
        `mpcf.data.loggers.FAULT_VALUES`, a column is net ecosystem exchange, or no site has two
        complete years.

    Examples
    --------
    >>> table = pd.DataFrame({"site": ["A", "A", "B", "B"], "year": [2001, 2003, 2001, 2002],
    ...     "nep": [10.0, 30.0, 5.0, 8.0]})
    >>> tower_years(table, ["nep"])["nep"].values
    array([[10., nan, 30.],
           [ 5.,  8., nan]])
    """
    _need_columns(table, ("site", "year", *columns))
    for name in columns:
        if name.lower().startswith("nee"):
            raise DataError(f"'{name}' is positive into the air; give nep, which is its negative")
    if not (pd.to_numeric(table["year"], errors="coerce") % 1 == 0).all():
        raise DataError("'year' must be a whole number in every row")
    rows = table.astype({"year": int}).set_index(["site", "year"])[list(columns)]
    if rows.index.has_duplicates:
        site, year = rows.index[rows.index.duplicated()][0]
        raise DataError(f"site {site} has the year {year} twice")
    refuse_faults(rows, FAULT_VALUES)
    complete = rows.notna().all(axis=1).groupby(level="site").sum()
    short = [str(site) for site in complete.index[complete < 2]]
    if len(short) == len(complete):
        raise DataError("no site has two years in which all columns are known")
    if short:
        warnings.warn(f"left out, with fewer than two years: {', '.join(short)}", stacklevel=2)
    kept = rows[~rows.index.get_level_values("site").isin(complete.index[complete < 2])]
    panel = _fill_years(kept, "member", kept.reset_index())
    return panel.assign_attrs(left_out=", ".join(short))


def _need_columns(table: pd.DataFrame, names: Sequence[str]) -> None:
    if absent := [name for name in names if name not in table]:
        raise DataError(f"no column '{absent[0]}'; there are {', '.join(map(str, table))}")
    for name in ("site", "year"):
        if name in names and table[name].isna().any():
            raise DataError(f"row {table.index[table[name].isna()][0]} has no {name}")


def _fill_years(
    rows: pd.DataFrame, dim: str, known: pd.DataFrame, fill: Mapping[str, int] | None = None
) -> xr.Dataset:
    """Return rows by (site, year) with every site and, between the first and last, every year."""
    sites = known["site"].drop_duplicates().to_list()
    years = range(known["year"].min(), known["year"].max() + 1)
    full = rows.reindex(pd.MultiIndex.from_product([sites, years]))
    for name, value in (fill or {}).items():
        full[name] = full[name].fillna(value).astype(int)
    shape = len(sites), len(years)
    return xr.Dataset(
        {name: ((dim, "year"), full[name].to_numpy().reshape(shape)) for name in full},
        {dim: sites, "year": list(years)},
    )
