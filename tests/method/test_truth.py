"""Regressions beside the truth: planted effects, null runs, and synonyms of uptake."""

import numpy as np
import pytest
import xarray as xr

from mpcf.method import regression, truth
from mpcf.method.periods import since_base
from mpcf.method.regression import predictors, response

YEARS = (2000, 2039)
SLOPES = {"moisture": -2.0, "temperature": 3.0, "precipitation": 0.0, "co2": 0.5}


@pytest.fixture
def world(yearly_stub):
    """GPP that follows moisture, temperature and CO2, and HR that follows moisture."""
    rng = np.random.default_rng(5)
    yearly = yearly_stub
    trend = xr.DataArray(np.linspace(0, 9, 40), dims="year")
    yearly["co2"] = yearly["co2"].isel(member=0, drop=True) + trend
    x = predictors(yearly, co2=True)
    noise = 0.01 * x[0].copy(data=rng.normal(size=x[0].shape)).drop_vars("predictor")
    part = {name: slope * x.sel(predictor=name, drop=True) for name, slope in SLOPES.items()}
    respired = part["moisture"] / 2  # NEP has the whole slope: 1.5 less 0.5 of it is lost
    yearly["gpp"] = sum(part.values()) + respired + noise
    yearly["ra"] = xr.zeros_like(noise)
    yearly["rh"] = respired
    gone = {
        "liquid": ("moisture",),
        "total": ("moisture",),
        "thaw": (),
        "temperature": ("temperature",),
        "co2": ("co2",),
    }
    worlds = []
    for names in gone.values():
        less = sum((part[name] for name in names), xr.zeros_like(noise))
        moist = respired if "moisture" in names else 0 * respired
        one = yearly[["gpp", "ra", "rh"]].copy()
        one["gpp"] = one["gpp"] - less - moist
        one["rh"] = one["rh"] - moist
        worlds.append(one)
    null = xr.concat(worlds, xr.Variable("without", list(gone)))
    causes = ["photosynthesis", "decomposition", "temperature", "co2"]
    zero = xr.zeros_like(noise)
    of = {
        "gpp": [part["moisture"] + respired, zero, part["temperature"], part["co2"]],
        "ra": [zero] * 4,
        "rh": [zero, respired, zero, zero],
    }
    effects = {
        f"{flux}_instant": xr.concat(each, xr.Variable("cause", causes)).expand_dims(
            meaning=["liquid", "total"]
        )
        for flux, each in of.items()
    }
    region = xr.ones_like(noise.isel(member=0, year=0, drop=True)) * 1e12
    return yearly, null, xr.Dataset(effects), x, region


@pytest.mark.parametrize("estimator", regression.ALL_ESTIMATORS)
@pytest.mark.parametrize("kind", ["nep", "gpp-rh"])
def test_every_predictor_finds_its_effect_and_nothing_in_its_null_run(world, estimator, kind):
    yearly, null, effects, x, region = world
    if estimator == "year effects":
        x = x.sel(predictor=["moisture", "temperature", "precipitation"])  # CO2 is everyone's
    found = truth.null_tests(
        yearly, null, effects, x, region, YEARS, estimator, meaning="liquid", kind=kind
    )
    scale = abs(found["truth"].sel(predictor="temperature")).item()
    for name in x["predictor"].values:
        planted = SLOPES[name] * since_base(x.sel(predictor=name)).mean("member").sum("year")
        one = found.sel(predictor=name)
        expected = (planted * region).sum().item() / 1e15
        assert one["truth"].item() == pytest.approx(expected, abs=1e-12 * scale), name
        assert one["estimate"].item() == pytest.approx(expected, abs=0.03 * scale), name
        assert abs(one["null"].item()) < 0.03 * scale, name


def test_precipitations_null_run_is_the_full_run(world):
    """What a regression hands to precipitation is all spurious."""
    yearly, null, effects, x, region = world
    short = x.sel(predictor=["moisture", "precipitation"])
    found = truth.null_tests(
        yearly, null, effects, short, region, YEARS, "raw trend", meaning="liquid"
    ).sel(predictor="precipitation")
    assert found["estimate"].item() == found["null"].item() != 0
    assert found["truth"].item() == 0 and np.isnan(found["pattern"].item())


def test_temperature_with_the_phase_of_water_has_no_null_run(world):
    yearly, null, effects, x, region = world
    found = truth.null_tests(yearly, null, effects, x, region, YEARS, "raw trend", meaning="total")
    unknown = found["null"].isnull()
    assert list(found["predictor"].values[unknown]) == ["temperature"]
    assert found[["estimate", "truth"]].notnull().to_array().all()


def test_controls_without_a_truth_are_fitted_and_left_out(world):
    yearly, null, effects, x, region = world
    more = xr.concat([x, (x[:1] ** 2).assign_coords(predictor=["squared"])], "predictor")
    arguments = (region, YEARS, "raw trend")
    found = truth.null_tests(yearly, null, effects, more, *arguments, meaning="liquid")
    assert list(found["predictor"].values) == list(SLOPES)
    fewer = truth.null_tests(yearly, null, effects, x, *arguments, meaning="liquid")
    assert not np.allclose(found["estimate"], fewer["estimate"], rtol=1e-9, atol=0)


def test_moistures_row_is_that_of_its_own_score(world):
    yearly, null, effects, x, region = world
    rows = truth.null_tests(yearly, null, effects, x, region, YEARS, "raw trend", meaning="liquid")
    effect = truth.moisture_effect(effects, lasting=False).sel(meaning="liquid", drop=True)
    unmoved = response(null.sel(without="liquid", drop=True))
    one = truth.score_against_truth(
        response(yearly), unmoved, x, effect, region, YEARS, "raw trend"
    )
    for name, value in one.items():
        assert rows[name].sel(predictor="moisture").item() == pytest.approx(value, rel=1e-12), name


def test_effects_of_causes_add_up(world):
    effects = world[2]
    sides = [truth.effect_of([cause], effects, lasting=False) for cause in truth.MOISTURE]
    xr.testing.assert_allclose(sum(sides), truth.moisture_effect(effects, lasting=False))


def test_npp_less_hr_is_nep(world):
    yearly = world[0]
    xr.testing.assert_identical(response(yearly, "npp-rh"), response(yearly, "nep"))
