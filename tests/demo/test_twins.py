"""Twins: with nothing held nothing changes, effects add up, and each hold does what it says."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mpcf.demo import carbon_kernels, column, records, twins, worlds
from mpcf.demo.calendar import STEPS
from mpcf.demo.experiment import CO2_REFERENCE, Experiment
from mpcf.demo.soil import WET_LAYERS
from mpcf.ground.geography import grid


@pytest.fixture(scope="module")
def world():
    """Return a coarse experiment, its one member, the twins, and their results."""
    experiment = Experiment(grid(20.0, 60.0), 1, seed=7)
    member = experiment.member(0)
    made = twins.Twins(experiment)
    return experiment, member, made, made.member(0, member.at(made.cells))


def total(values):
    """Return net uptake."""
    return values["gpp"] - values["ra"] - values["rh"]


def test_a_twin_with_nothing_held_is_the_member_itself(world):
    experiment, member, made, _ = world
    begin = experiment.year_mask(1850, 1985)
    own = records.Records(
        {"full": experiment.shared.at(made.cells)}, {"full": experiment.forced.co2[0, begin]}
    )
    state = experiment.rest_carbon.at(made.cells)
    made._advance_carbon(state, own.drivers(worlds.World()))
    later = records.Records({"full": member.monthly.at(made.cells)}, {"full": member.co2})
    fluxes = made._advance_carbon(state, later.drivers(worlds.World()))
    for name in ("gpp", "ra", "rh", "soil"):
        ours, theirs = getattr(fluxes, name), getattr(member.fluxes, name)[made.cells]
        np.testing.assert_array_equal(ours, theirs)


def test_a_column_held_at_its_own_water_is_the_column_itself(world):
    experiment, _, made, _ = world
    weather = experiment.own_weather(0, experiment.scenario.warming[0], made.cells).months(0, 480)
    steps = weather.temperature.shape[1] // 12 * STEPS
    water = np.empty((made.cells.size, steps, WET_LAYERS), np.float32)
    start = experiment.rest.at(made.cells)
    own = experiment.advance(start.copy(), weather, made.cells, water_steps=water)
    for held in (
        column.HeldWater(water),
        column.HeldWater(conduction=water),
        column.HeldWater(water, water),
    ):
        twin = experiment.advance(start.copy(), weather, made.cells, held=held)
        # the recorded water is rounded to float32
        np.testing.assert_allclose(twin.temperature, own.temperature, atol=2e-3)
        np.testing.assert_allclose(twin.liquid, own.liquid, atol=2e-2)


def test_a_wetter_column_freezes_later_and_thaws_less(world):
    """Latent heat alone damps the seasonal cycle, as in Stefan's solution."""
    experiment, _, made, _ = world
    weather = experiment.own_weather(0, experiment.scenario.warming[0], made.cells).months(0, 240)
    steps = weather.temperature.shape[1] // 12 * STEPS
    start = experiment.rest.at(made.cells)
    water = np.empty((made.cells.size, steps, WET_LAYERS), np.float32)
    own = experiment.advance(start.copy(), weather, made.cells, water_steps=water)
    wet = experiment.advance(start.copy(), weather, made.cells, held=column.HeldWater(1.5 * water))
    swing = [
        np.ptp(run.temperature[:, :, 3].reshape(-1, 20, 12), axis=2).mean() for run in (own, wet)
    ]
    assert swing[1] < swing[0] - 0.2


def test_effects_add_up_to_the_whole_change(world):
    _, member, made, found = world
    full = records.yearly_fluxes(member.fluxes)
    for i, meaning in enumerate(worlds.MEANINGS):
        everything = {
            v: found["direct"][v][i, list(worlds.HELD).index("everything")]
            for v in ("gpp", "ra", "rh")
        }
        whole = total(full)[:, made.cells] - total(everything)
        effects = total({v: found["effects"][v][i] for v in ("gpp", "ra", "rh")})
        np.testing.assert_allclose(effects.sum(axis=0), whole, atol=1e-9, err_msg=meaning)
        assert np.abs(whole[-50:]).mean() > 1.0


def test_the_rest_null_is_the_same_in_both_meanings_and_does_not_drift(world):
    _, _, _, found = world
    at_rest = list(worlds.HELD).index("everything")
    both = found["direct"]["rh"][:, at_rest]
    np.testing.assert_array_equal(both[0], both[1])
    nep = total({v: found["direct"][v][0, at_rest] for v in ("gpp", "ra", "rh")})
    assert abs(nep.mean()) < 2.0  # gC m-2 yr-1; plants take up about 200


def test_moisture_of_each_side_acts_on_its_own_flux_first(world):
    _, member, made, found = world
    full = records.yearly_fluxes(member.fluxes)
    names = list(worlds.HELD)
    only_plants = {v: found["direct"][v][:, names.index("photosynthesis")] for v in ("gpp", "rh")}
    only_microbes = {v: found["direct"][v][:, names.index("decomposition")] for v in ("gpp", "rh")}
    np.testing.assert_array_equal(only_microbes["gpp"][0], full["gpp"][:, made.cells])
    assert np.abs(only_plants["gpp"][0] - full["gpp"][:, made.cells]).max() > 1.0
    # litter links the two: plants affect microbes through it, late and damped
    assert np.abs(only_plants["rh"][0] - full["rh"][:, made.cells]).max() > 0.1


def test_instantaneous_effects_are_those_of_the_stocks_as_they_are(world):
    _, member, made, found = world
    gpp = found["effects"]["gpp_instant"]
    sides = {cause: i for i, cause in enumerate(worlds.CAUSES)}
    assert (gpp[:, sides["decomposition"]] == 0.0).all()
    assert (found["effects"]["rh_instant"][:, sides["photosynthesis"]] == 0.0).all()
    # CO2 acts on photosynthesis immediately and in proportion
    p = carbon_kernels.kernel_parameters()
    growth = 1.0 + p.co2_response * np.log(member.co2[15:] / CO2_REFERENCE)
    rest = 1.0 + p.co2_response * np.log(made._co2_at_rest / CO2_REFERENCE)
    full = records.yearly_fluxes(member.fluxes)["gpp"][:, made.cells]
    expected = full * (1.0 - rest / growth[:, None])
    np.testing.assert_allclose(gpp[0, sides["co2"]], expected, rtol=1e-9, atol=1e-9)


def test_null_twins_do_not_respond_to_moisture(world):
    """Their carbon is the same whatever the weather does to soil moisture."""
    experiment, _, made, _ = world
    years = 3
    mean = records.mean_year(made._mean, years)
    fields = ("air", "precipitation", "snow_depth", "temperature")
    one = experiment.shared.at(made.cells).months(0, 12 * years)
    calm = column.Monthly(*(getattr(one, v) for v in fields), mean.liquid, mean.ice)
    for meaning in worlds.MEANINGS:
        null = worlds.NULL_WORLDS[meaning]
        # drier, in the same phase
        wild = replace(calm, liquid=0.7 * calm.liquid, ice=0.7 * calm.ice)
        runs = []
        for full in (calm, wild):
            seen = made._records(full, calm, np.full(years, 400.0))
            runs.append(made._advance_carbon(made._carbon[null].copy(), seen.drivers(null)))
        # to float32 rounding of liquid water; fluxes are about 1e-8
        np.testing.assert_allclose(runs[0].rh, runs[1].rh, rtol=1e-6, atol=1e-15)
        np.testing.assert_allclose(runs[0].gpp, runs[1].gpp, rtol=1e-6, atol=1e-15)


def test_nulls_of_thaw_and_temperature_do_not_respond_to_them(world):
    """A warmer run, or one that thaws deeper, has the same carbon if the null holds that input."""
    experiment, _, made, _ = world
    years = 3
    calm = experiment.shared.at(made.cells).months(0, 12 * years)
    water = calm.liquid + calm.ice
    thawed = replace(calm, liquid=water, ice=0.0 * water)
    warm = replace(calm, air=calm.air + 3.0, temperature=calm.temperature + 3.0)
    for null, other in (("thaw", thawed), ("temperature", warm)):
        world_of_null = worlds.NULL_WORLDS[null]
        runs = []
        for full in (calm, other):
            seen = made._records(full, calm, np.full(years, 400.0))
            state = made._carbon[world_of_null].copy()
            runs.append(made._advance_carbon(state, seen.drivers(world_of_null)))
        np.testing.assert_allclose(runs[0].rh, runs[1].rh, rtol=1e-5, atol=1e-15, err_msg=null)
        np.testing.assert_allclose(runs[0].gpp, runs[1].gpp, rtol=1e-5, atol=1e-15)


def test_thaw_and_wetness_add_up_to_liquid_water_and_to_its_effect(world):
    _, member, made, found = world
    parts, effects = found["parts"], found["effects"]
    for flux in ("gpp", "ra", "rh"):
        whole = effects[f"{flux}_instant"][worlds.MEANINGS.index("liquid"), :2].sum(axis=0)
        # fluxes of hundreds, whose differences are taken
        np.testing.assert_allclose(parts[f"{flux}_instant"].sum(axis=0), whole, atol=1e-9)
    own = records.thaw_season_liquid(member.monthly.at(made.cells).liquid)
    change = parts["soil_liquid"].sum(axis=0)
    deeper = parts["soil_liquid"][worlds.PARTS.index("thaw"), -20:].mean(axis=0)
    assert np.median(deeper) > 10.0  # kg m-2: by the end the ground thaws deeper almost everywhere
    assert (np.abs(change) <= own + np.abs(own - change) + 1e-3).all()


def test_maintenance_respiration_follows_temperature_and_growth_follows_photosynthesis():
    p = carbon_kernels.kernel_parameters()
    fixed, plants, upkeep = 3e-8, 2.0, 4e-9
    cold, warm = (
        carbon_kernels._plant_respiration(fixed, plants, air, upkeep, p) for air in (0.0, 10.0)
    )
    assert warm == pytest.approx(p.growth_share * fixed + upkeep * plants)
    growth = p.growth_share * fixed
    assert (warm - growth) / (cold - growth) == pytest.approx(p.maintenance_q10)


def test_plants_respire_their_share_of_photosynthesis_before_warming(world):
    """The rest run keeps the share that equilibrium was set to, within its weather."""
    experiment, _, _, found = world
    at_rest = list(worlds.HELD).index("everything")
    ra, gpp = (found["direct"][v][0, at_rest] for v in ("ra", "gpp"))
    alive = gpp.mean(axis=0) > 20.0
    share = ra.sum(axis=0)[alive] / gpp.sum(axis=0)[alive]
    np.testing.assert_allclose(share, experiment.physics.carbon.respired_share, atol=0.03)


def test_only_the_first_members_have_carbon_twins(world):
    _, member, made, found = world
    few = made.member(0, member.at(made.cells), carbon=False)
    assert set(few) == {"thermal", "recovery"}
    for store in few:
        for name, values in few[store].items():
            np.testing.assert_array_equal(values, found[store][name])


def test_both_scenarios_are_identical_until_emissions_end(world):
    _, member, _, found = world
    zero = 2117 - 2000
    frozen = found["recovery"]["frozen_depth"]
    held = found["thermal"]["frozen_depth"]
    np.testing.assert_array_equal(frozen[1, 1:zero], held[1:zero])
    assert np.abs(frozen[1, zero + 50 :] - held[zero + 50 :]).max() > 0.0
    assert found["recovery"]["warming"][-1] < member.warming[-1] - 0.5


@given(st.lists(st.floats(-10, 10), min_size=8, max_size=8))
def test_shapley_values_of_an_additive_game_are_its_parts(parts):
    value = {
        s: sum(parts["abc".index(c)] for c in s) + parts[3] for s in worlds.subsets(tuple("abc"))
    }
    effects = worlds.shapley(value, tuple("abc"))
    np.testing.assert_allclose(effects, parts[:3], atol=1e-9)


@given(st.lists(st.floats(-10, 10), min_size=8, max_size=8))
def test_shapley_values_add_up(values):
    value = dict(zip(worlds.subsets(tuple("abc")), values, strict=True))
    effects = worlds.shapley(value, tuple("abc"))
    whole = value[frozenset("abc")] - value[frozenset()]
    assert sum(effects) == pytest.approx(whole, abs=1e-9)
