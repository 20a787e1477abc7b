"""Every defensible choice at once: the specification curve of moisture's contribution.

A regression of uptake on moisture requires a dozen choices, none of which can be proved right. Here
all their combinations are fitted, to show which results depend on a choice and which do not.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import product

import numpy as np
import pandas as pd
import xarray as xr

from mpcf.data.phases import BASE_YEARS
from mpcf.errors import DataError
from mpcf.method.design import GRAMS_PER_PETAGRAM, Design, region_cells, summed_change
from mpcf.method.moisture import MEANINGS, permafrost_region, thawed_depth
from mpcf.method.periods import Period, periods
from mpcf.method.regression import ESTIMATORS, possible_estimators, predictors, response
from mpcf.method.statistics import regional_mean
from mpcf.method.truth import TRUE_MEANING, moisture_effect, period_effect

SHIFTS = (-10, 0, 10)
"""Years by which the end of a period is moved."""

OWN_DEPTH = "its own"
"""Depth of ``thaw_wetness``: the thaw depth."""

CHOICES: dict[str, dict[object, str]] = {
    "uptake": {"gpp-rh": "GPP − HR", "nep": "NEP"},
    "moisture": {name: meaning.label for name, meaning in MEANINGS.items()},
    "depth": {"0.1 m": "0.1 m", "1 m": "1 m", "3 m": "3 m", OWN_DEPTH: "of the thaw"},
    "season": {"year": "year", "thaw": "thaw season"},
    "predictors": {
        "T, P": "T, P",
        "T, P, CO2": "T, P, CO₂",
        "T": "T",
        "T, CO2": "T, CO₂",
        "T, CO2, thaw": "T, CO₂, thaw",
    },
    "estimator": {name: name for name in ESTIMATORS},
    "fit": {"cell by cell": "cell by cell", "regional mean": "regional mean"},
    "region": {"24 months": "24 months ≤ 0 °C", "2 m": "2 m ≤ 0 °C"},
    "shift": {-10: "10 yr earlier", 0: "as given", 10: "10 yr later"},
}
"""Columns of the table that hold choices, and the labels of their options."""

STUDY_SPECIFICATION: dict[str, object] = {
    "uptake": "gpp-rh",
    "moisture": "liquid",
    "depth": "1 m",
    "season": "year",
    "predictors": "T, P",
    "estimator": "raw trend",
    "fit": "cell by cell",
    "region": "24 months",
    "shift": 0,
}
"""The specification closest to the study's wording: GPP − HR, moisture, temperature and
precipitation. What that leaves open is set to the book's defaults."""

BESIDE_MOISTURE = {
    "T, P": ["temperature", "precipitation"],
    "T, P, CO2": ["temperature", "precipitation", "co2"],
    "T": ["temperature"],
    "T, CO2": ["temperature", "co2"],
    "T, CO2, thaw": ["temperature", "co2", "thawed depth"],
}
"""Predictors beside moisture by option of the choice ``predictors``: the study's, with CO2, sets
without precipitation, which acts on uptake through water and snow alone, and the set that the
causal diagram implies, see `mpcf.method.diagram`."""

OTHERS = tuple(dict.fromkeys(name for others in BESIDE_MOISTURE.values() for name in others))
"""All predictors beside moisture."""

TALLY_COLUMNS = ["specifications", "negative", "lowest", "largest"]
"""Columns of a tally."""

RANKS = {"lowest": "the lowest", "largest": "largest in size"}
"""Ranks of moisture's contribution that are marked along the curve, and their labels."""

_FIELDS = (
    *("gpp", "ra", "rh", "temperature", "precipitation", "thaw_depth"),
    *(meaning.variable for meaning in MEANINGS.values()),
)


def region_definitions(yearly: xr.Dataset) -> xr.DataArray:
    """Return the land area of the region by each definition of permafrost.

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
    r"""Return the fits of every combination of choices, for both periods.

    All years up to the end of the period are fitted. The contribution of a predictor is

    .. math:: \sum_i A_i \, b_{x,i} \sum_{t} (\bar x_{it} - \bar x_{i,\mathrm{base}}),

    over the years t of the period, the mean of the members, and the region's cells i with area
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
        A row for each period and specification: ``period``, ``last`` (its last year), the
        columns of `CHOICES`; ``coefficient``, moisture's, gC m-2 yr-1 per unit of moisture, the
        area's mean where cells are fitted; ``contribution``, moisture's, and those of `OTHERS`,
        PgC; and whether moisture's contribution is ``negative``, the ``lowest`` of all predictors'
        (the most carbon lost), the ``largest`` in size. What cannot be fitted, such as CO2 under
        year effects where it is the same in all members, has NaN for numbers and False otherwise.
        Periods that would end outside the data or within the base period are left out.

    Raises
    ------
    DataError
        If no cell has permafrost throughout the base period by one of the definitions, or years
        are not consecutive.
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
    estimators = possible_estimators(yearly.sizes["member"])
    sets = {
        name: ["moisture", *others]
        for name, others in BESIDE_MOISTURE.items()
        if "co2" in yearly or "co2" not in others
    }
    moistures = _moistures(places)
    x = xr.concat([_predictors(places, **chosen) for chosen in moistures], "moisture")
    parts = []
    for when, period in _ends(yearly, phases):
        change = summed_change(x, period)
        for (name, chosen_set), estimator in product(sets.items(), estimators):
            b = Design(y, x.sel(predictor=chosen_set), estimator).coefficients(period)
            for k, chosen in enumerate(moistures):
                labels = when | chosen | {"predictors": name, "estimator": estimator}
                parts += _rows(labels, b.isel(moisture=k), change.isel(moisture=k), weights)
    frame = pd.DataFrame(parts)
    others = frame[list(OTHERS)]
    moisture = frame["contribution"]
    frame["negative"] = moisture < 0
    frame["lowest"] = moisture < others.min(axis=1)
    frame["largest"] = moisture.abs() > others.abs().max(axis=1)
    numbers = ["coefficient", "contribution", *OTHERS]
    order = ["period", "last", *CHOICES, *numbers, "negative", "lowest", "largest"]
    return frame[order]


def tally(frame: pd.DataFrame, by: str | None = None) -> pd.DataFrame:
    """Return counts of specifications, by sign and rank of moisture's contribution.

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
    counted = tally_flags(known)[TALLY_COLUMNS]
    if by is None:
        return counted.sum().to_frame("all").T
    there = [option for option in CHOICES[by] if (known[by] == option).any()]
    return counted.groupby(known[by]).sum().loc[there].rename(index=CHOICES[by])


def tally_flags(known: pd.DataFrame) -> pd.DataFrame:
    """Return 1 or 0 for each column that `tally` adds up.

    Parameters
    ----------
    known : DataFrame
        Rows of `specifications` that could be fitted.

    Returns
    -------
    DataFrame
        A row for each specification.
    """
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
        Choice → highest minus lowest share among its options, 0 to 1, the largest first.
    """
    spread = {}
    for choice in CHOICES:
        counts = tally(frame, choice)
        share = counts["negative"] / counts["specifications"]
        spread[choice] = float(share.max() - share.min())
    return pd.Series(spread).sort_values(ascending=False, kind="stable")


def one_step_away(frame: pd.DataFrame, choices: Mapping[str, object]) -> pd.DataFrame:
    """Return the specifications that differ from given choices in at most one of them.

    Parameters
    ----------
    frame : DataFrame
        From `specifications`.
    choices : mapping of str to object
        An option for each choice. Thaw wetness has its own depth and season, and counts as one
        choice of moisture.

    Returns
    -------
    DataFrame
        Rows of `frame`.
    """
    own = frame["depth"] == OWN_DEPTH
    ours = {name: frame[name] == option for name, option in choices.items()}
    ours["depth"] |= own
    ours["season"] |= own
    return frame[sum((~same).astype(int) for same in ours.values()) <= 1]


def makes_choices(frame: pd.DataFrame, choices: Mapping[str, object]) -> pd.Series:
    """Return which specifications make given choices.

    Parameters
    ----------
    frame : DataFrame
        From `specifications`.
    choices : mapping of str to object
        Options by choice, such as `STUDY_SPECIFICATION`.

    Returns
    -------
    Series
        True in the rows that make all of them.
    """
    return (frame[list(choices)] == pd.Series(choices)).all(axis=1)


def matching_truth(
    known: pd.DataFrame,
    effects: xr.Dataset,
    yearly: xr.Dataset,
    phases: Mapping[str, tuple[int, int]],
) -> list[float]:
    """Return the truth for each specification, given its uptake, moisture, region and end.

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
    named = periods(phases)
    ends = known[["period", "last"]].drop_duplicates().itertuples(index=False)
    shifted = {f"{name} {last}": (named[name].first, last) for name, last in ends}
    instant = {u: moisture_effect(effects, u, lasting=False) for u in CHOICES["uptake"]}
    truth = {u: period_effect(e.mean("member"), regions, shifted) for u, e in instant.items()}
    at = [
        {"meaning": TRUE_MEANING[r.moisture], "region": r.region, "period": f"{r.period} {r.last}"}
        for r in known.itertuples()
    ]
    return [float(truth[u].sel(where)) for u, where in zip(known["uptake"], at, strict=True)]


def _places(yearly: xr.Dataset, regions: xr.DataArray) -> tuple[xr.Dataset, xr.DataArray]:
    """Return the regions' cells, then each region's mean, as places; and the area of each.

    The weights have the dims fit, region and place: a sum over places is one over the cells of a
    region, or its mean times its area.
    """
    fields = yearly[list(_FIELDS)].drop_attrs()
    inside = (regions > 0).any("region")
    _, cells, areas = region_cells(inside, fields, regions)
    means = [regional_mean(fields, region.drop_vars("region")) for region in regions]
    places = xr.concat([cells.rename(cell="place"), xr.concat(means, "place")], "place")
    if "co2" in yearly:
        places["co2"] = yearly["co2"]
    count, size = areas.sizes["region"], areas.sizes["cell"]
    area = np.zeros((2, count, size + count))
    area[0, :, :size] = areas.transpose("region", "cell")
    area[1, :, size:] = np.diag(regions.sum(("lat", "lon")))
    coords = {"fit": list(CHOICES["fit"]), "region": regions["region"].values}
    return places, xr.DataArray(area, coords, ("fit", "region", "place"))


def _moistures(places: xr.Dataset) -> list[dict[str, str]]:
    """Return every meaning, depth and season of moisture."""
    names = ("moisture", "depth", "season")
    depths = [f"{d:g} m" for d in places["top"].values]
    chosen = [
        option
        for name, meaning in MEANINGS.items()
        for option in (
            [(name, OWN_DEPTH, meaning.season)]
            if meaning.season
            else product([name], depths, CHOICES["season"])
        )
    ]
    return [dict(zip(names, option, strict=True)) for option in chosen]


def _predictors(places: xr.Dataset, moisture: str, depth: str, season: str) -> xr.DataArray:
    top = 1.0 if depth == OWN_DEPTH else float(depth.removesuffix(" m"))
    x = predictors(places, moisture=moisture, depth=top, season=season, co2="co2" in places)
    thawed = thawed_depth(places).astype("float64").expand_dims(predictor=["thawed depth"])
    return xr.concat([x, thawed], "predictor", coords="minimal", compat="override")


def _ends(
    yearly: xr.Dataset, phases: Mapping[str, tuple[int, int]]
) -> list[tuple[dict[str, object], Period]]:
    """Return labels and years of every period, with each of its ends within the data."""
    begin, end = int(yearly["year"][0]), int(yearly["year"][-1])
    return [
        ({"period": name, "last": last + shift, "shift": shift}, Period(first, last + shift))
        for name, (first, last) in periods(phases).items()
        for shift in SHIFTS
        if begin + BASE_YEARS <= last + shift <= end
    ]


def _rows(
    labels: dict, b: xr.DataArray, change: xr.DataArray, weights: xr.DataArray
) -> list[dict[str, object]]:
    """Sum over places; return a row for each uptake, fit and region."""
    names = b["predictor"].values
    slopes = b.transpose("flux", "place", "predictor").values
    summed = change.sel(predictor=names).transpose("place", "predictor").values
    area = weights.values  # fit, region, place
    known = np.isfinite(slopes)
    slopes = np.where(known, slopes, 0.0)
    with np.errstate(invalid="ignore", divide="ignore"):  # nothing fitted: 0 / 0 is NaN
        fitted = np.einsum("grp,fpx->fgrx", area, known)
        mean = np.einsum("grp,fpx->fgrx", area, slopes) / fitted
    part = np.einsum("grp,fpx,px->fgrx", area, slopes, np.nan_to_num(summed))
    part = np.where(fitted > 0, part / GRAMS_PER_PETAGRAM, np.nan)
    options = product(b["flux"].values, weights["fit"].values, weights["region"].values)
    count = len(names)
    return [
        labels
        | dict(zip(("uptake", "fit", "region"), chosen, strict=True))
        | {"coefficient": first, "contribution": every[0]}
        | dict.fromkeys(OTHERS, np.nan)
        | dict(zip(names[1:], every[1:], strict=True))
        for chosen, first, every in zip(
            options, mean[..., 0].ravel(), part.reshape(-1, count), strict=True
        )
    ]
