"""Faults that only a look across variables, layers, columns and members finds, and harmless data.

The soil below has porosity, an unfrozen share and depths like those of land models.
"""

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

from mpcf.data.checks import check_monthly, examine
from mpcf.data.physical_checks import check_carbon, check_soil_water
from mpcf.data.readers.months import Months, time_axis
from mpcf.data.samples import Sample
from mpcf.data.variables import MONTHLY
from mpcf.errors import DataError
from mpcf.ground.geography import grid_cell_area

CLM5 = np.r_[0, np.cumsum([0.02, 0.04, 0.06, 0.08, 0.12, 0.16, 0.2, 0.24, 0.28, 0.32, 0.36, 0.4,
                           0.44, 0.54, 0.64, 0.74, 0.84, 0.94, 1.04, 1.14])]  # fmt: skip
EDGES = {
    "CLM5": CLM5,
    "five layers": np.array([0.0, 0.065, 0.319, 1.232, 4.134, 9.834]),
    "four layers": np.array([0.0, 0.1, 0.35, 1.0, 3.0]),
    "equal layers": np.linspace(0.0, 4.0, 17),
}
few = settings(deadline=None, max_examples=6)
models = st.sampled_from(sorted(EDGES))
columns = st.sets(st.tuples(st.integers(0, 3), st.integers(0, 5)), min_size=1, max_size=12)


def land(edges=CLM5, seed=0, unfrozen=None, members=1):
    """Two years on 4 x 6 cells of land, from steppe to ice-rich permafrost under peat.

    `unfrozen` is the water that stays liquid at -10 °C, m3 m-3, as freezing-point depression leaves
    it; by default it differs between columns, from sand to clay.
    """
    rng = np.random.default_rng(seed)
    shape = (members, 24, edges.size - 1, 4, 6)
    thickness, node = np.diff(edges), (edges[:-1] + edges[1:]) / 2
    month = np.arange(24)[:, None, None, None]
    depth = node[:, None, None]
    lat = np.array([49.0, 57.0, 65.0, 73.0])
    wave = np.cos((month % 12 - 6.5) * np.pi / 6 - depth / 2) * np.exp(-depth / 2)
    celsius = (6 - (lat[:, None] - 45) * 0.7) + 16 * wave + rng.normal(0, 0.3, shape)
    peat = rng.random((4, 6)) < 0.4
    full = np.where(peat & (depth < 0.5), 0.85, rng.uniform(0.38, 0.5, (4, 6)))
    wet = full * np.where(peat, 1.0, rng.uniform(0.4, 1.0, (4, 6)))
    clay = rng.uniform(0.0, 0.26, (4, 6)) if unfrozen is None else unfrozen
    kept = np.minimum(wet, clay * (10 / np.maximum(-celsius, 0.1)) ** 0.1)
    liquid = np.where(celsius > 0, wet, kept)
    water = 1000 * thickness[:, None, None]
    time, bounds = time_axis(Months(2000 * 12, 24, "noleap"))
    coords = {"member": np.arange(1, members + 1), "time": time, "depth": node, "lat": lat,
              "lon": np.arange(-150.0, 180.0, 60.0)}  # fmt: skip
    season = 1.0 + 0.9 * wave[:, 0] / np.abs(wave[:, 0]).max()
    noise = rng.uniform(0.9, 1.1, (members, 24, 4, 6))
    data = {
        "gpp": 3e-8 * season * noise, "ra": 1.6e-8 * season * noise[::-1],
        "rh": 1.3e-8 * noise, "tas": celsius[:, :, 0] + 272.0, "pr": 2e-5 * noise,
        "snd": 0.3 * np.maximum(1 - season, 0) * noise, "tsl": celsius + 273.15,
        "mrsll": liquid * water, "mrsfl": (wet - liquid) * water,
    }  # fmt: skip
    out = xr.Dataset(coords=coords)
    for name, values in data.items():
        dims = MONTHLY[name].dims
        out[name] = dims, values.astype("float32"), {"units": MONTHLY[name].units}
    out["time_bnds"] = bounds
    out["depth_bnds"] = ("depth", "bnds"), np.column_stack([edges[:-1], edges[1:]])
    out["areacella"] = grid_cell_area(out["lat"], out["lon"]).assign_attrs(units="m2")
    for name, value in (("sftlf", 100.0), ("sftgif", 0.0)):
        out[name] = ("lat", "lon"), np.full((4, 6), value), {"units": "%"}
    return out


def mask(cells):
    """Return whether each cell is among some."""
    out = np.zeros((4, 6), dtype=bool)
    out[tuple(np.array(sorted(cells)).T)] = True
    return xr.DataArray(out, dims=("lat", "lon"))


def spoil(dataset, change, *names, where=True):
    """Change variables in some cells."""
    where = where if isinstance(where, xr.DataArray) else xr.ones_like(dataset["sftlf"], bool)
    for name in names:
        new = xr.where(where, change(dataset[name]), dataset[name])
        dataset[name] = new.transpose(*MONTHLY[name].dims).assign_attrs(dataset[name].attrs)
    return dataset


def errors(dataset):
    return [f.found for f in examine(dataset) if f.status == "error"]


def notes(dataset):
    return [f.found for f in examine(dataset) if f.status == "note"]


def refused(check, dataset, message):
    with pytest.raises(DataError, match=message):
        check(Sample(dataset, 0))


def passes(check, dataset):
    sample = Sample(dataset, 0)
    check(sample)
    return sample.notes


@few
@given(models, st.integers(0, 10_000))
def test_soil_of_any_depths_passes(model, seed):
    assert passes(check_soil_water, land(EDGES[model], seed)) == {}


def test_all_checks_pass():
    assert {f.status for f in examine(land(members=2))} == {"ok"}


@few
@given(st.integers(0, 10_000), st.floats(0.2, 0.26))
def test_dry_clay_that_stays_liquid_passes(seed, unfrozen):
    dry = spoil(land(seed=seed, unfrozen=unfrozen), lambda v: v / 2, "mrsll", "mrsfl")
    assert passes(check_soil_water, dry) == {}


@few
@given(columns, st.floats(0.01, 0.1))
def test_deserts_pass(cells, wetness):
    where = mask(cells)
    dry = spoil(land(), lambda v: 5e-6 + 0 * v, "pr", where=where)
    assert passes(check_soil_water, spoil(dry, lambda v: wetness * v, "mrsll", where=where)) == {}


@few
@given(columns, st.floats(1.0, 1.05))
def test_frozen_peat_with_ice_lenses_passes(cells, wetness):
    where = mask(cells)
    ice = land()
    thickness = xr.DataArray(np.diff(CLM5), dims="depth")
    frozen = where & (ice["tsl"] < 272)
    ice["mrsfl"] = ice["mrsfl"].where(~frozen, 1000 * wetness * thickness - ice["mrsll"])
    assert passes(check_soil_water, ice) == {}


def test_remnants_of_ice_in_months_of_thaw_pass():
    ice = land()
    thaw = (ice["time"].dt.month.isin([5, 6])) & (ice["tsl"] > 275.15)
    remnant = (0.3 * ice["mrsll"]).where(thaw, 0)
    ice["mrsll"], ice["mrsfl"] = ice["mrsll"] - remnant, ice["mrsfl"] + remnant
    assert passes(check_soil_water, ice) == {}


def test_rock_without_water_passes():
    rock = land(EDGES["CLM5"])
    deep = (rock["depth"] > 1.5) & mask({(0, 0), (1, 1), (3, 4)})
    for name in ("mrsll", "mrsfl"):
        rock[name] = rock[name].where(~deep, 0)
    assert passes(check_soil_water, rock) == {}
    for name in ("tsl", "mrsll", "mrsfl"):
        rock[name] = rock[name].where(~deep)
    assert passes(check_soil_water, rock) == {}
    assert notes(rock) == []


@few
@given(models, st.floats(4.0, 100.0), st.none() | columns)
def test_too_much_water_is_refused_in_any_column(model, factor, cells):
    where = None if cells is None else mask(cells)
    wet = spoil(land(EDGES[model]), lambda v: factor * v, "mrsll", "mrsfl", where=where)
    refused(check_soil_water, wet, "'mrsll' and .*'mrsfl' of member 1: the layer from .* kg m-2 .*"
            "° N, .*° [EW].*look at the units")  # fmt: skip


@few
@given(models, st.floats(0.001, 0.12))
def test_too_little_water_is_refused(model, factor):
    dry = spoil(land(EDGES[model]), lambda v: factor * v, "mrsll", "mrsfl")
    refused(check_soil_water, dry, "half of the land has less than .* plausible: look at the units")


@few
@given(columns, st.floats(0.0, 0.1))
def test_too_little_water_in_some_columns_is_refused(cells, factor):
    dry = spoil(land(), lambda v: factor * v, "mrsll", "mrsfl", where=mask(cells))
    refused(check_soil_water, dry, "of the land has less than")


@pytest.mark.parametrize("model", EDGES)
def test_water_of_all_layers_down_to_each_is_refused(model):
    down = spoil(land(EDGES[model]), lambda v: v.cumsum("depth"), "mrsll", "mrsfl")
    refused(check_soil_water, down, "not of all layers down to it")


@pytest.mark.parametrize("model", EDGES)
@pytest.mark.parametrize("cells", [None, {(1, 2), (2, 2)}])
def test_water_per_cubic_metre_is_refused(model, cells):
    dense = land(EDGES[model])
    thickness = xr.DataArray(np.diff(EDGES[model]), dims="depth")
    where = None if cells is None else mask(cells)
    dense = spoil(dense, lambda v: v / thickness, "mrsll", "mrsfl", where=where)
    refused(check_soil_water, dense, "look at the units")


@few
@given(models, st.sampled_from([0.2, 100.0]))
def test_bounds_of_layers_in_another_unit_are_refused(model, factor):
    found = errors(land(EDGES[model]).assign(depth_bnds=lambda d: d["depth_bnds"] * factor))
    assert any("'mrsll' and variable 'mrsfl' of member 1" in text for text in found)


@pytest.mark.parametrize("model", ["CLM5", "five layers"])
def test_numbers_of_layers_called_metres_are_refused_and_asked_about(model):
    number = land(EDGES[model])
    edges = np.arange(EDGES[model].size, dtype=float)
    number["depth_bnds"] = ("depth", "bnds"), np.column_stack([edges[:-1], edges[1:]])
    number["depth"] = edges[1:] - 0.5
    assert len(errors(number)) == 1
    assert "the first soil layer reaches 1 m down" in notes(number)[0]


@few
@given(st.integers(1, 4))
def test_water_of_lower_layers_is_refused(layers):
    low = spoil(land(), lambda v: v.roll(depth=-layers, roll_coords=False), "mrsll", "mrsfl")
    refused(check_soil_water, low, "too much in .* look at the units")


@few
@given(models, st.integers(0, 10_000))
def test_exchanged_phases_are_refused(model, seed):
    found = land(EDGES[model], seed, unfrozen=0.05)
    exchanged = found.assign(mrsll=found["mrsfl"], mrsfl=found["mrsll"])
    refused(check_soil_water, exchanged, "% of the water is ice in soil warmer than .2 °C")


@few
@given(st.sets(st.tuples(st.integers(0, 2), st.integers(0, 5)), min_size=1, max_size=12))
def test_exchanged_phases_in_some_columns_are_refused(cells):
    """In rows that thaw; a dry column that never does may be clay that stays liquid."""
    found, where = land(unfrozen=0.05), mask(cells)
    liquid = xr.where(where, found["mrsfl"], found["mrsll"])
    ice = xr.where(where, found["mrsll"], found["mrsfl"])
    dims = MONTHLY["mrsll"].dims
    exchanged = found.assign(mrsll=liquid.transpose(*dims), mrsfl=ice.transpose(*dims))
    refused(check_soil_water, exchanged, "too much in .* % of the land, such as .* at .*° N")


def test_liquid_water_in_deeply_frozen_soil_is_refused():
    found = land(unfrozen=0.05)
    cold = found["tsl"] < 273.15
    found["mrsll"], found["mrsfl"] = (
        xr.where(cold, found["mrsfl"], found["mrsll"]),
        xr.where(cold, found["mrsll"], found["mrsfl"]),
    )
    refused(check_soil_water, found.transpose(*MONTHLY["tsl"].dims, ...), "colder than -10 °C")


def test_months_without_water_are_refused():
    empty = land()
    first = (empty["time"] == empty["time"][0]) & (empty["lat"] > 60) & (empty["depth"] < 0.06)
    for name in ("mrsll", "mrsfl"):
        empty[name] = empty[name].where(~first, 0)
    refused(check_soil_water, empty, "no water in 1 of the months .*2000-01 at 65.0° N, .*37.3 %")


def test_no_soil_above_soil_is_refused():
    hole = land(members=2)
    lost = (hole["member"] == 1) & (hole["lat"] > 60) & (hole["depth"] < 0.06)
    for name in ("tsl", "mrsll", "mrsfl"):
        hole[name] = hole[name].where(~lost)
    assert "has no values from 0.02 to 0.06 m down" in errors(hole)[0]


@few
@given(
    st.sampled_from(
        [(name, factor) for name in ("gpp", "ra") for factor in (12 / 44, 0.1, 44 / 12, 1000.0)]
        + [("rh", 44 / 12), ("rh", 1000.0)]
    ),
    st.integers(0, 100),
)
def test_a_flux_in_another_unit_is_refused(fault, seed):
    name, factor = fault
    refused(check_carbon, spoil(land(seed=seed), lambda v: factor * v, name), "44/12")


@few
@given(st.floats(0.4, 0.75), st.floats(0.75, 1.3))
def test_fluxes_of_models_pass(plants, total):
    flux = land()
    flux["ra"], flux["rh"] = plants * flux["gpp"], (total - plants) * flux["gpp"]
    assert passes(check_carbon, flux) == {}


VARIES = ("tas", "tsl", "pr", "gpp", "ra", "rh", "snd", "mrsll", "mrsfl")


@few
@given(st.sampled_from(VARIES), st.integers(1, 2))
def test_a_member_that_holds_one_number_is_refused(name, member):
    ensemble = land(members=2)
    typical = float(ensemble[name].mean())
    ensemble[name] = ensemble[name].where(ensemble["member"] != member, typical)
    (found,) = errors(ensemble)
    assert found.startswith(f"variable '{name}' of member {member} is {typical:.6g} ")


@few
@given(st.sampled_from(["tas", "tsl", "pr", "gpp", "ra", "rh"]), columns)
def test_a_part_that_holds_one_number_is_refused(name, cells):
    part = land()
    typical = float(part[name].mean())
    part = spoil(part, lambda v: 0 * v + typical, name, where=mask(cells))
    assert f"'{name}' of member 1 does not change" in errors(part)[0]


def test_one_value_for_all_cells_is_refused():
    mean = land()
    mean["tas"] = mean["tas"].mean(("lat", "lon")).broadcast_like(mean["tas"])
    mean["tas"] = mean["tas"].transpose(*MONTHLY["tas"].dims).assign_attrs(units="K")
    assert "'tas' of member 1 has the same value in all cells" in errors(mean)[0]


@few
@given(st.sampled_from(VARIES), st.booleans())
def test_a_part_of_the_map_that_is_missing_is_refused(name, of_all):
    part = land(members=2)
    lost = (part["lon"] < 0) & ((part["member"] == 1) | of_all)
    part[name] = part[name].where(~lost)
    found = errors(part)
    assert f"'{name}' of member 1 has no values in 12 cells" in found[0]
    assert "50.0 % of the land" in found[0]


def test_a_coast_that_is_missing_is_noted():
    coast = land()
    coast["sftlf"][0, 0] = 40.0
    coast["rh"] = coast["rh"].where(coast["sftlf"] > 50)
    assert errors(coast) == []
    assert notes(coast)[0].startswith("variable 'rh' of member 1 has no values in 1 cells, 2.4 %")


def test_zero_over_the_sea_is_noted():
    sea = land()
    sea["sftlf"][:, 0] = 0.0
    for name in ("ra", "rh", "tsl", "mrsll", "mrsfl", "snd"):
        sea[name] = sea[name].where(sea["sftlf"] > 0)
    sea["gpp"] = sea["gpp"].where(sea["sftlf"] > 0, 0)
    assert errors(sea) == []
    assert notes(sea)[0].startswith("gpp of the source have values in up to 4 cells without land")


def test_members_in_different_cells_are_refused_or_noted():
    ensemble = land(members=2)
    ensemble["sftlf"][:, 0] = 0.0
    for name in VARIES:
        ensemble[name] = ensemble[name].where(ensemble["sftlf"] > 0)
    sea = ensemble["tas"].where(ensemble["member"] == 1, 269.99)
    ensemble["tas"] = ensemble["tas"].where(ensemble["sftlf"] > 0, sea)
    assert "'tas' of member 2 and of member 1 have values in different cells" in errors(ensemble)[0]


@few
@given(st.sets(st.sampled_from(VARIES), min_size=1))
def test_a_copy_of_any_variable_is_found(names):
    ensemble = land(members=3)
    for name in names:
        ensemble[name][2] = ensemble[name][0]
    ensemble = ensemble.assign_attrs(mpcf_members="1 = r1i1p1f1, 2 = r2i1p1f1, 3 = r3i1p1f1")
    found = errors(ensemble)[-1]  # water of another member may not suit the temperature
    assert found.startswith("members r1i1p1f1 and r3i1p1f1 hold the same values of ")
    assert all(f"'{name}'" in found for name in names)


def test_cells_of_ice_sheets_are_those_without_other_land():
    """Half of a coast cell is land, and all of that ice: whatever is there, no book uses it."""
    coast = land()
    coast["sftlf"][3], coast["sftgif"][3] = 50.0, 49.9
    coast["snd"] = coast["snd"].where(coast["lat"] < 70, 500.0)
    assert errors(coast) == []
    coast["sftgif"][3] = 20.0
    assert "'snd' of member 1 runs from" in errors(coast)[0]


@pytest.mark.parametrize("absent", ["mrsll", "tsl", "pr", "gpp", "rh", "sftgif"])
def test_what_is_absent_is_not_compared(absent):
    found = examine(land().drop_vars(absent))
    assert {f.status for f in found if f.check not in ("variables", "depth")} == {"ok"}


def test_check_monthly_passes_notes_on():
    coarse = land(np.array([0.0, 0.6, 1.5, 3.0]))
    assert "the first soil layer reaches 0.6 m down" in check_monthly(coarse)[-1]
