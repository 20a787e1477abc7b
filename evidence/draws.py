"""Score candidates on drawn physics (draws.csv), and compare their soil moisture."""

from __future__ import annotations

import pandas as pd
import xarray as xr
from tqdm import tqdm

from mpcf.book import evidence
from mpcf.demo import experiment
from mpcf.demo.perturbed import RANGES, draw
from mpcf.demo.twins import Twins
from mpcf.demo.worlds import MEANINGS, World, null_world
from mpcf.ground.geography import grid
from mpcf.method.candidates import score_candidates
from mpcf.method.models import moisture_spread
from mpcf.method.moisture import permafrost_region
from mpcf.method.periods import UNTIL_NET_ZERO, periods
from mpcf.method.regression import response
from mpcf.method.truth import moisture_effect

SETS = 16
SIZE = experiment.Size(4, 10.0, 15.0)
PERIODS = periods(experiment.PHASES)


def ensemble(physics) -> xr.Dataset:
    """Run one set of parameters; return the data for scores (member, year, lat, lon)."""
    run = experiment.Experiment(grid(SIZE.dlat, SIZE.dlon), SIZE.members, physics=physics)
    worlds = (World(), *map(null_world, MEANINGS))
    twins = Twins(run, worlds=worlds, thermal_twins=())
    members = [
        twins.for_scoring(index, run.member(index).at(twins.cells)) for index in range(SIZE.members)
    ]
    number = xr.DataArray(range(1, SIZE.members + 1), dims="member", name="member")
    varying = [name for name in members[0].data_vars if "year" in members[0][name].dims]
    return xr.concat([m[varying] for m in members], number).merge(members[0].drop_vars(varying))


def scored(yearly: xr.Dataset) -> list[dict]:
    """Score all candidates on one ensemble."""
    region = permafrost_region(yearly, yearly["areacella"])
    without = yearly[["null_gpp", "null_ra", "null_rh"]]
    without = without.rename({name: name.removeprefix("null_") for name in without})
    truth = moisture_effect(yearly, lasting=False)
    return score_candidates(yearly, response(yearly), response(without), truth, region, PERIODS)


def moisture(yearly: xr.Dataset) -> list[dict]:
    """Return how the soil moisture of one ensemble changes."""
    region = permafrost_region(yearly, yearly["areacella"])
    return moisture_spread(yearly, region, PERIODS[UNTIL_NET_ZERO]).to_dict("records")


def write() -> None:
    """Run all sets; write the tables, and the parameters next to them."""
    rows, waters, sets = [], [], []
    for number, physics in enumerate(tqdm(draw(SETS), desc="drawn physics"), start=1):
        yearly = ensemble(physics)
        chosen = {
            name: getattr(physics.soil if hasattr(physics.soil, name) else physics.carbon, name)
            for name in RANGES
        }
        area = float(permafrost_region(yearly, yearly["areacella"]).sum()) / 1e12
        sets.append({"set": number, **chosen, "permafrost": area})
        rows += [{"set": number, **row} for row in scored(yearly)]
        waters += [{"set": number, **row} for row in moisture(yearly)]
    tables = {"draws": rows, "draws-moisture": waters, "draws-parameters": sets}
    for name, table in tables.items():
        pd.DataFrame(table).to_csv(evidence.path(name), index=False, float_format="%.5g")
