"""Every defensible choice at once: the specification curve of moisture's contribution.

A regression of uptake on moisture takes a dozen choices that nobody can prove right. Here all of
their combinations are fitted, so that what hangs on a choice can be told from what does not.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import product

import numpy as np
import pandas as pd
import xarray as xr

from mpcf.data.phases import BASE_YEARS
from mpcf.errors import DataError
from mpcf.method.attribution import GRAMS_PER_PETAGRAM
from mpcf.method.moisture import permafrost_region
from mpcf.method.periods import base_period, stretch_years
from mpcf.method.regression import ESTIMATORS, coefficients, predictors, response
from mpcf.method.statistics import regional_mean
from mpcf.method.truth import TRUE_MEANING, moisture_effect, phase_effect

SHIFTS = (-10, 0, 10)
"""Years by which the end of a stretch is moved."""

OWN = "its own"
"""Depth of ``thaw_wetness``: that of the thaw."""

CHOICES: dict[str, dict[object, str]] = {
    "uptake": {"gpp-rh": "GPP − HR", "nep": "NEP"},
    "moisture": {"liquid": "liquid", "total": "total", "thaw_wetness": "thaw wetness"},
    "depth": {"0.1 m": "0.1 m", "1 m": "1 m", "3 m": "3 m", OWN: "of the thaw"},
    "season": {"year": "year", "thaw": "thaw season"},
    "predictors": {"without CO2": "without CO₂", "with CO2": "with CO₂"},
    "estimator": {name: name for name in ESTIMATORS},
    "fit": {"cell by cell": "cell by cell", "regional mean": "regional mean"},
    "region": {"24 months": "24 months ≤ 0 °C", "2 m": "2 m ≤ 0 °C"},
    "shift": {-10: "10 yr earlier", 0: "as given", 10: "10 yr later"},
}
"""Columns of choices of the table, and their options in words."""

STUDY_SPECIFICATION: dict[str, object] = {
    "uptake": "gpp-rh",
    "moisture": "liquid",
    "depth": "1 m",
    "season": "year",
    "predictors": "without CO2",
    "estimator": "raw trend",
    "fit": "cell by cell",
    "region": "24 months",
    "shift": 0,
}
"""The specification nearest to the study's words, which are GPP − HR, moisture, temperature and
precipitation; what they leave open is filled with the book's defaults."""

COUNTED = ["specifications", "negative", "lowest", "largest"]
"""Columns of a tally."""

RESULTS = {"lowest": "the lowest", "largest": "largest in size"}
"""What is marked along the curve about moisture's contribution."""

_FIELDS = (
    *("gpp", "ra", "rh", "temperature", "precipitation"),
    *("soil_liquid", "soil_water", "thaw_wetness"),
)


def region_definitions(yearly: xr.Dataset) -> xr.DataArray:
    """Land area of the region by either definition of permafrost.

    Parameters
    ----------
    yearly : Dataset
        The yearly dataset.

    Returns
    -------
    DataArray (region, lat, lon)
        m2, 0 outside: permafrost throughout the base period, in most members, by 24 months at or
        below 0 °C, and by the warmest month of the layer nearest 2 m.
    """
    by_definition = (yearly["permafrost"], yearly["permafrost_at"])
    areas = [permafrost_region(yearly.assign(permafrost=known)) for known in by_definition]
    return xr.concat(areas, xr.Variable("region", list(CHOICES["region"])))


def specifications(yearly: xr.Dataset, phases: Mapping[str, tuple[int, int]]) -> pd.DataFrame:
    r"""Fit every combination of choices, for both stretches.

    All years up to the end of the stretch are fitted. The contribution of a predictor is

    .. math:: \sum_i A_i \, b_{x,i} \sum_{t} (\bar x_{it} - \bar x_{i,\mathrm{base}}),

    over the years t of the stretch, the mean of the members, and the region's cells i with area
    A; or with one coefficient and one x, those of the regional mean, and the region's area.

    Parameters
    ----------
    yearly : Dataset
        The yearly dataset. Without ``co2`` there are no specifications with it; with one member
        there are none with year effects.
    phases : mapping of str to (int, int)
        Inclusive first and last year of each phase.

    Returns
    -------
    DataFrame
        A row for each stretch and specification: ``stretch``, ``last`` (its last year), the
        columns of `CHOICES`; ``coefficient``, moisture's, gC m-2 yr-1 per unit of moisture, the
        area's mean where cells are fitted; ``contribution``, moisture's, and those of
        ``temperature``, ``precipitation`` and ``co2``, PgC; and whether moisture's contribution is
        ``negative``, the ``lowest`` of all predictors' (the most carbon lost), the ``largest`` in
        size. What can't be fitted, such as CO2 under year effects where it is the same in all
        members, has NaN for numbers and False otherwise. Stretches that would end outside the
        data or within the base period are left out.

    Raises
    ------
    DataError
        If no cell has permafrost throughout the base period by one of the definitions.
    """
    regions = region_definitions(yearly)
    for region in regions:
        if not (region > 0).any():
            raise DataError(
                f"no cell has permafrost ('{region['region'].item()}') throughout the base "
                "period; there is no region to fit"
            )
    places, weights = _places(yearly, regions)
    fluxes = list(CHOICES["uptake"])
    y = xr.concat([response(places, f).drop_attrs() for f in fluxes], xr.Variable("flux", fluxes))
    alone = yearly.sizes["member"] < 2
    estimators = [e for e in ESTIMATORS if not (alone and e == "year effects")]
    sets = {"without CO2": 3, "with CO2": 4} if "co2" in yearly else {"without CO2": 3}
    moistures = _moistures(places)
    x = xr.concat([_design(places, **chosen) for chosen in moistures], "moisture")
    x_base = x.sel(year=base_period(x)).mean(("member", "year"))
    parts = []
    for when in _ends(yearly, phases):
        so_far, years = slice(None, when["last"]), slice(when.pop("first"), when["last"])
        x_sum = (x.sel(year=years).mean("member") - x_base).sum("year")
        y_now, x_now = y.sel(year=so_far), x.sel(year=so_far)
        for (name, count), estimator in product(sets.items(), estimators):
            b = coefficients(y_now, x_now.isel(predictor=slice(count)), estimator)
            for k, chosen in enumerate(moistures):
                labels = when | chosen | {"predictors": name, "estimator": estimator}
                parts += _rows(labels, b.isel(moisture=k), x_sum.isel(moisture=k), weights)
    frame = pd.DataFrame(parts)
    others = frame[["temperature", "precipitation", "co2"]]
    moisture = frame["contribution"]
    frame["negative"] = moisture < 0
    frame["lowest"] = moisture < others.min(axis=1)
    frame["largest"] = moisture.abs() > others.abs().max(axis=1)
    numbers = ["coefficient", "contribution", *others]
    order = ["stretch", "last", *CHOICES, *numbers, "negative", "lowest", "largest"]
    return frame[order]


def tally(frame: pd.DataFrame, by: str | None = None) -> pd.DataFrame:
    """Count specifications, and those in which moisture is negative, the lowest, the largest.

    Parameters
    ----------
    frame : DataFrame
        From `specifications`; rows that could not be fitted do not count.
    by : str, optional
        Column of choices; one row for each of its options.

    Returns
    -------
    DataFrame
        ``specifications``; ``negative``; ``lowest``, negative and lower than any other; and
        ``largest`` in size, of either sign.

    Examples
    --------
    >>> frame = pd.DataFrame({"contribution": [-2.0, 1.0, np.nan], "negative": [True, False, False],
    ...     "lowest": [True, True, False], "largest": [True, False, False]})
    >>> tally(frame).loc["all"].to_dict()
    {'specifications': 2, 'negative': 1, 'lowest': 1, 'largest': 1}
    """
    known = frame[frame["contribution"].notna()]
    counted = _counted(known)[COUNTED]
    if by is None:
        return counted.sum().to_frame("all").T
    there = [option for option in CHOICES[by] if (known[by] == option).any()]
    return counted.groupby(known[by]).sum().loc[there].rename(index=CHOICES[by])


def _counted(known: pd.DataFrame) -> pd.DataFrame:
    """Write 1 or 0 for what `tally` counts."""
    results = {
        "negative": known["negative"],
        "lowest": known["negative"] & known["lowest"],
        "largest": known["largest"],
    }
    return pd.DataFrame(results, known.index).astype(int).assign(specifications=1)


def sensitivity_by_choice(frame: pd.DataFrame) -> pd.Series:
    """Return how far each choice moves the share of specifications with a negative contribution.

    Parameters
    ----------
    frame : DataFrame
        From `specifications`.

    Returns
    -------
    Series
        Choice → highest less lowest share among its options, 0 to 1, the largest first.
    """
    spread = {}
    for choice in CHOICES:
        counts = tally(frame, choice)
        share = counts["negative"] / counts["specifications"]
        spread[choice] = float(share.max() - share.min())
    return pd.Series(spread).sort_values(ascending=False, kind="stable")


def one_step_away(frame: pd.DataFrame, reading: Mapping[str, object]) -> pd.DataFrame:
    """Take the specifications that differ from a reading in one choice at most.

    Parameters
    ----------
    frame : DataFrame
        From `specifications`.
    reading : mapping of str to object
        An option for each choice. Thaw wetness has its own depth and season, and counts as one
        choice of moisture.

    Returns
    -------
    DataFrame
        Rows of `frame`.
    """
    own = frame["depth"] == OWN
    ours = {name: frame[name] == option for name, option in reading.items()}
    ours["depth"] |= own
    ours["season"] |= own
    return frame[sum((~same).astype(int) for same in ours.values()) <= 1]


def is_reading(frame: pd.DataFrame, reading: Mapping[str, object]) -> pd.Series:
    """Mark the specification that makes the choices of a reading.

    Parameters
    ----------
    frame : DataFrame
        From `specifications`.
    reading : mapping of str to object
        An option for each choice, such as `STUDY_SPECIFICATION`.

    Returns
    -------
    Series
        True in the rows that agree with it.
    """
    return (frame[list(reading)] == pd.Series(reading)).all(axis=1)


def matching_truth(
    known: pd.DataFrame,
    effects: xr.Dataset,
    yearly: xr.Dataset,
    phases: Mapping[str, tuple[int, int]],
) -> list[float]:
    """Return the truth for each specification: for its uptake, moisture, region and end.

    Parameters
    ----------
    known : DataFrame
        From `specifications`.
    effects : Dataset
        Of the twins.
    yearly : Dataset
        The yearly dataset.
    phases : mapping of str to (int, int)
        Inclusive first and last year of each phase.

    Returns
    -------
    list of float
        Instantaneous effect of moisture's change since the base period, mean of the members, PgC.
    """
    regions = region_definitions(yearly)
    begin = {name: first for name, (first, _) in stretch_years(phases).items()}
    ends = known[["stretch", "last"]].drop_duplicates().itertuples(index=False)
    years = {f"{name} {last}": (begin[name], last) for name, last in ends}
    instant = {u: moisture_effect(effects, u, lasting=False) for u in CHOICES["uptake"]}
    truth = {u: phase_effect(e.mean("member"), regions, years) for u, e in instant.items()}
    at = [
        {"meaning": TRUE_MEANING[r.moisture], "region": r.region, "phase": f"{r.stretch} {r.last}"}
        for r in known.itertuples()
    ]
    return [float(truth[u].sel(where)) for u, where in zip(known["uptake"], at, strict=True)]


def _places(yearly: xr.Dataset, regions: xr.DataArray) -> tuple[xr.Dataset, xr.DataArray]:
    """Take the regions' cells, then each region's mean, as places; and the area that each has.

    The weights have the dims fit, region and place: a sum over places is one over the cells of a
    region, or its mean times its area.
    """
    flat = regions.stack(place=("lat", "lon"))
    inside = np.flatnonzero((flat > 0).any("region"))
    fields = yearly[list(_FIELDS)].drop_attrs()
    cells = fields.stack(place=("lat", "lon")).isel(place=inside)
    cells = cells.reset_index("place", drop=True).drop_vars(("lat", "lon"), errors="ignore")
    means = [regional_mean(fields, region.drop_vars("region")) for region in regions]
    places = xr.concat([cells, xr.concat(means, "place")], "place")
    if "co2" in yearly:
        places["co2"] = yearly["co2"]
    count = len(regions)
    area = np.zeros((2, count, inside.size + count))
    area[0, :, : inside.size] = flat.isel(place=inside).transpose("region", "place")
    area[1, :, inside.size :] = np.diag(regions.sum(("lat", "lon")))
    coords = {"fit": list(CHOICES["fit"]), "region": regions["region"].values}
    return places, xr.DataArray(area, coords, ("fit", "region", "place"))


def _moistures(places: xr.Dataset) -> list[dict[str, str]]:
    """Return every meaning, depth and season of moisture."""
    names = ("moisture", "depth", "season")
    amounts = product(
        ("liquid", "total"), (f"{d:g} m" for d in places["top"].values), CHOICES["season"]
    )
    return [dict(zip(names, chosen, strict=True)) for chosen in amounts] + [
        {"moisture": "thaw_wetness", "depth": OWN, "season": "thaw"}
    ]


def _design(places: xr.Dataset, moisture: str, depth: str, season: str) -> xr.DataArray:
    top = 1.0 if depth == OWN else float(depth.removesuffix(" m"))
    return predictors(places, moisture=moisture, depth=top, season=season, co2="co2" in places)


def _ends(yearly: xr.Dataset, phases: Mapping[str, tuple[int, int]]) -> list[dict]:
    """Return every stretch with each of its ends that the data hold."""
    begin, end = int(yearly["year"][0]), int(yearly["year"][-1])
    return [
        {"stretch": name, "first": first, "last": last + shift, "shift": shift}
        for name, (first, last) in stretch_years(phases).items()
        for shift in SHIFTS
        if begin + BASE_YEARS <= last + shift <= end
    ]


def _rows(
    labels: dict, b: xr.DataArray, x_sum: xr.DataArray, weights: xr.DataArray
) -> list[dict[str, object]]:
    """Add up places, and give a row for each uptake, fit and region."""
    names = b["predictor"].values
    slopes = b.transpose("flux", "place", "predictor").values
    change = x_sum.transpose("place", "predictor").values[:, : len(names)]
    area = weights.values  # fit, region, place
    known = np.isfinite(slopes)
    slopes = np.where(known, slopes, 0.0)
    with np.errstate(invalid="ignore", divide="ignore"):  # nothing fitted: 0 / 0 is NaN
        fitted = np.einsum("grp,fpx->fgrx", area, known)
        mean = np.einsum("grp,fpx->fgrx", area, slopes) / fitted
    part = np.einsum("grp,fpx,px->fgrx", area, slopes, np.nan_to_num(change))
    part = np.where(fitted > 0, part / GRAMS_PER_PETAGRAM, np.nan)
    options = product(b["flux"].values, weights["fit"].values, weights["region"].values)
    count = len(names)
    return [
        labels
        | dict(zip(("uptake", "fit", "region"), chosen, strict=True))
        | {"coefficient": first, "co2": np.nan, "contribution": every[0]}
        | dict(zip(names[1:], every[1:], strict=True))
        for chosen, first, every in zip(
            options, mean[..., 0].ravel(), part.reshape(-1, count), strict=True
        )
    ]
