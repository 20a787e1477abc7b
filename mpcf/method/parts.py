"""Thaw and wetness apart: the two parts of a change of liquid water, and of its effect on uptake.

Liquid water of the top metre is the thawed depth of its water times its wetness, so that its change
has two parts which may have opposite effects on carbon. A regression on liquid water mixes them.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import xarray as xr

from mpcf.ground.constants import WATER_DENSITY
from mpcf.method.design import Design, petagrams, region_cells
from mpcf.method.moisture import moisture_index
from mpcf.method.periods import base_mean, periods_within
from mpcf.method.regression import ALL_ESTIMATORS, stack_predictors
from mpcf.method.statistics import weighted_correlation
from mpcf.yearly.reduction import WETNESS_DEPTH

PARTS = {"thaw": "thawed depth", "wetness": "wetness"}
"""Parts of liquid water, and the predictor that stands for each."""


def depth_and_wetness(yearly: xr.Dataset) -> xr.Dataset:
    r"""Return the two factors of the top metre's liquid water in the thaw season.

    .. math:: L = \rho \, d \, w , \qquad d = z \, L / W , \qquad w = W / (\rho z) ,

    with the liquid water L and the total water W of the top metre, z = 1 m, from May to September,
    and the density of water ρ. If the water lay evenly, d would be the depth to which it is thawed.
    The factors are those that the twins hold: the phase of the water, and its amount.

    Parameters
    ----------
    yearly : Dataset (member, year, season, top, lat, lon)
        The yearly dataset.

    Returns
    -------
    Dataset (member, year, lat, lon)
        ``thawed depth``, m, and ``wetness``, m3 m-3.
    """
    liquid, total = (
        moisture_index(yearly, meaning, depth=WETNESS_DEPTH, season="thaw").astype("float64")
        for meaning in ("liquid", "total")
    )
    return xr.Dataset(
        {
            "thawed depth": WETNESS_DEPTH * liquid / total,
            "wetness": total / (WATER_DENSITY * WETNESS_DEPTH),
        }
    ).drop_attrs()


def change_of_parts(yearly: xr.Dataset) -> xr.Dataset:
    r"""Return the change of the top metre's liquid water since the base period, by its parts.

    .. math:: \Delta(\rho d w) = \rho w_0 \, \Delta d + \rho d_0 \, \Delta w
              + \rho \, \Delta d \, \Delta w ,

    with the factors of `depth_and_wetness` and their means in the base period, :math:`d_0` and
    :math:`w_0`.

    Parameters
    ----------
    yearly : Dataset (member, year, season, top, lat, lon)
        The yearly dataset.

    Returns
    -------
    Dataset (member, year, lat, lon)
        ``thaw``, ``wetness``, ``cross`` and their sum ``liquid``, kg m-2.
    """
    factors = depth_and_wetness(yearly)
    depth, wet = factors["thawed depth"], factors["wetness"]
    depth0, wet0 = base_mean(depth), base_mean(wet)
    parts = xr.Dataset(
        {
            "thaw": WATER_DENSITY * wet0 * (depth - depth0),
            "wetness": WATER_DENSITY * depth0 * (wet - wet0),
            "cross": WATER_DENSITY * (depth - depth0) * (wet - wet0),
        }
    )
    whole = WATER_DENSITY * (depth * wet - depth0 * wet0)
    return parts.assign(liquid=whole).map(lambda v: v.assign_attrs(units="kg m-2"))


def part_predictors(yearly: xr.Dataset, *controls: str) -> xr.DataArray:
    """Return thawed depth and wetness as two predictors, with temperature and others beside them.

    Parameters
    ----------
    yearly : Dataset
        The yearly dataset.
    *controls : {"precipitation", "co2"}
        Predictors beside the temperature of the thaw season.

    Returns
    -------
    DataArray (predictor, member, year, lat, lon)
        ``thawed depth`` (m), ``wetness`` (m3 m-3), ``temperature`` (°C), and the others.
    """
    factors = depth_and_wetness(yearly)
    parts = {name: factors[name] for name in PARTS.values()}
    parts["temperature"] = yearly["temperature"].sel(season="thaw", drop=True)
    for name in controls:
        values = yearly[name]
        values = values.sel(season="thaw", drop=True) if "season" in values.dims else values
        parts[name] = values.broadcast_like(factors["wetness"])
    return stack_predictors(parts)


def score_parts(
    yearly: xr.Dataset,
    y: xr.DataArray,
    truth: xr.DataArray,
    region: xr.DataArray,
    periods: Mapping[str, tuple[int, int]],
) -> list[dict[str, float | str]]:
    """Return what regressions find for thaw and for wetness, beside the truth.

    Parameters
    ----------
    yearly : Dataset (member, year, lat, lon)
        The yearly dataset.
    y : DataArray (member, year, lat, lon)
        Uptake, gC m-2 yr-1.
    truth : DataArray (part, member, year, lat, lon)
        Instantaneous effect of each part of liquid water, gC m-2 yr-1.
    region : DataArray (lat, lon)
        m2.
    periods : mapping of str to (int, int)
        Inclusive first and last year of each period; each is fitted over all years to its end.

    Returns
    -------
    list of dict
        ``part``, ``controls`` (those beside temperature), ``estimator`` and ``stretch`` (the
        period); PgC over period and region: ``estimate`` and ``truth``, counted from the base
        period; and ``pattern``, the correlation of their maps.

    Raises
    ------
    CatalogError
        If a period has years that the data do not have.
    """
    checked = periods_within(periods, y)
    truth = truth - base_mean(truth)
    names = ["temperature", "precipitation", "co2", "soil_liquid", "soil_water"]
    area, some, y, truth = region_cells(region, yearly[names], y, truth)
    y, rows = y.expand_dims(flux=["uptake"]), []
    for controls in (("precipitation",), ("co2",)):
        x = part_predictors(some, *controls)
        for estimator in ALL_ESTIMATORS:
            design = Design(y, x, estimator)
            for name, period in checked.items():
                found = design.contributions(period).isel(flux=0)
                whole = truth.sel(year=period.years).mean("member").sum("year")
                for part, predictor in PARTS.items():
                    local, true = found.sel(predictor=predictor), whole.sel(part=part)
                    pattern = weighted_correlation(*(np.asarray(a) for a in (local, true, area)))
                    rows.append(
                        {
                            "part": part,
                            "controls": ", ".join(controls),
                            "estimator": estimator,
                            "stretch": name,
                            "estimate": float(petagrams(local, area)),
                            "truth": float(petagrams(true, area)),
                            "pattern": pattern,
                        }
                    )
    return rows
