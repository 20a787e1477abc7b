"""Judge candidates, verdicts and the parts of liquid water on drawn physics.

For each set of parameters: what every candidate finds beside the truth (draws.csv), 95 % intervals
and the truth they should contain (draws-verdicts.csv), the parts of liquid water
(draws-parts.csv), soil moisture (draws-moisture.csv), and the parameters (draws-parameters.csv).
"""

from __future__ import annotations

from concurrent.futures import ProcessPoolExecutor
from itertools import product

import pandas as pd
import xarray as xr
from tqdm import tqdm

from mpcf.book import evidence
from mpcf.demo import experiment
from mpcf.demo.perturbed import RANGES, draw
from mpcf.demo.twins import Twins
from mpcf.demo.worlds import NULL_WORLDS, World
from mpcf.ground.geography import grid
from mpcf.method.candidates import contribution_intervals, score_candidates
from mpcf.method.models import moisture_spread
from mpcf.method.moisture import MEANINGS, permafrost_region
from mpcf.method.parts import score_parts
from mpcf.method.periods import UNTIL_NET_ZERO, periods
from mpcf.method.regression import response
from mpcf.method.truth import TRUE_MEANING, moisture_effect, period_effect

SETS = 32
SIZE = experiment.Size(4, 10.0, 15.0)
PERIODS = periods(experiment.PHASES)

UPTAKES = ("nep", "gpp-rh")
JUDGED = ("plain", "temperature, CO2, thawed depth", "by regime")
"""Candidates whose verdicts are counted."""

ESTIMATORS = ("raw trend", "year effects")
"""Estimators whose verdicts are counted: those of the claims."""

PROCESSES = 2


def ensemble(physics) -> xr.Dataset:
    """Run one set of parameters; return the data for scores (member, year, lat, lon)."""
    run = experiment.Experiment(grid(SIZE.dlat, SIZE.dlon), SIZE.members, physics=physics)
    twins = Twins(run, worlds=(World(), *NULL_WORLDS.values()), thermal_twins=())
    members = [
        twins.for_scoring(index, run.member(index).at(twins.cells)) for index in range(SIZE.members)
    ]
    number = xr.DataArray(range(1, SIZE.members + 1), dims="member", name="member")
    varying = [name for name in members[0].data_vars if "year" in members[0][name].dims]
    return xr.concat([m[varying] for m in members], number).merge(members[0].drop_vars(varying))


def fluxes_of(yearly: xr.Dataset, mark: str) -> xr.Dataset:
    """Return the three fluxes whose names have a mark before or after them, without it."""
    names = {name: name.replace(mark, "") for name in yearly.data_vars if mark in name}
    return yearly[list(names)].rename(names)


def scored(yearly: xr.Dataset, region: xr.DataArray) -> list[dict]:
    """Score all candidates on one ensemble."""
    null = response(fluxes_of(yearly, "null_"))
    truth = moisture_effect(yearly, lasting=False)
    return score_candidates(yearly, response(yearly), null, truth, region, PERIODS)


def verdicts(yearly: xr.Dataset, region: xr.DataArray) -> list[dict]:
    """Return intervals of moisture's contribution, and the truth that they should contain."""
    names = xr.Variable("flux", list(UPTAKES))
    y = xr.concat([response(yearly, kind).drop_attrs() for kind in UPTAKES], names)
    truths = [moisture_effect(yearly, kind, lasting=False) for kind in UPTAKES]
    truth = period_effect(xr.concat(truths, names).mean("member"), region, PERIODS)
    rows = []
    for meaning, candidate, estimator in product(MEANINGS, JUDGED, ESTIMATORS):
        found = contribution_intervals(yearly, y, region, PERIODS, candidate, estimator, meaning)
        for period, kind in product(PERIODS, UPTAKES):
            one = found.sel(period=period, flux=kind)
            of = {"moisture": meaning, "candidate": candidate, "estimator": estimator}
            of |= {"uptake": kind, "stretch": period}
            of |= {name: float(one[name]) for name in ("estimate", "low", "high")}
            true = truth.sel(period=period, flux=kind, meaning=TRUE_MEANING[meaning])
            rows.append(of | {"truth": float(true)})
    return rows


def judge(numbered: tuple[int, object]) -> dict[str, list[dict]]:
    """Run one set of parameters; return its rows of each table."""
    number, physics = numbered
    yearly = ensemble(physics).load()
    region = permafrost_region(yearly, yearly["areacella"])
    chosen = {
        name: getattr(physics.soil if hasattr(physics.soil, name) else physics.carbon, name)
        for name in RANGES
    }
    spread = moisture_spread(yearly, region, PERIODS[UNTIL_NET_ZERO]).to_dict("records")
    truth = response(fluxes_of(yearly, "_part"))
    tables = {
        "draws": scored(yearly, region),
        "draws-verdicts": verdicts(yearly, region),
        "draws-parts": score_parts(yearly, response(yearly), truth, region, PERIODS),
        "draws-moisture": spread,
        "draws-parameters": [{**chosen, "permafrost": float(region.sum()) / 1e12}],
    }
    return {name: [{"set": number, **row} for row in rows] for name, rows in tables.items()}


def write() -> None:
    """Run all sets; write the tables."""
    sets = list(enumerate(draw(SETS), start=1))
    with ProcessPoolExecutor(PROCESSES) as pool:
        done = list(tqdm(pool.map(judge, sets), total=SETS, desc="drawn physics"))
    for name in done[0]:
        table = pd.DataFrame([row for one in done for row in one[name]])
        table.to_csv(evidence.path(name), index=False, float_format="%.5g")
