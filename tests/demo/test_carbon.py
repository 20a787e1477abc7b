"""Carbon: its budget, the shape of its responses, and equilibrium without warming."""

import numpy as np
import pytest

from mpcf.demo import carbon, carbon_kernels, column
from mpcf.demo.calendar import MONTH_DAYS
from mpcf.demo.soil import WET_LAYERS, max_water, node_depth, soil_layers

P = carbon_kernels.kernel_parameters()
LAT = np.array([55.0, 68.0])
SECONDS = MONTH_DAYS * 86400.0


def record(years=20):
    """Return two synthetic columns: one thawed, one with permafrost."""
    months = np.arange(12 * years)
    cycle = -np.cos(2 * np.pi * (months + 0.5) / 12)
    air = np.array([4.0, -9.0])[:, None] + 18.0 * cycle
    depth = node_depth(soil_layers())[:WET_LAYERS]
    soil = np.array([5.0, -5.0])[:, None, None] + 12.0 * cycle[None, :, None] * np.exp(-depth / 0.8)
    room = max_water(soil_layers())
    liquid = np.where(soil > 0, 0.6, 0.6 / (1 - 4 * np.minimum(soil, 0))) * room
    zero = np.zeros_like(air, np.float32)
    return column.Monthly(
        air.astype(np.float32), zero, zero, soil.astype(np.float32), liquid.astype(np.float32), zero
    )


def at_rest(monthly):
    light = carbon.monthly_light(LAT)
    return carbon.equilibrium(monthly, 284.0, light, co2_reference=278.3), light


def test_carbon_is_conserved_each_month():
    monthly = record()
    state, light = at_rest(monthly)
    before = state.plants + state.fast.sum(axis=1) + state.slow.sum(axis=1)
    fluxes = carbon.advance(
        state, carbon.Drivers.of(monthly, np.full(20, 500.0)), light, co2_reference=278.3
    )
    stock = np.column_stack([before, fluxes.soil + fluxes.plants])
    net = (fluxes.gpp - fluxes.ra - fluxes.rh) * np.tile(SECONDS, 20)
    np.testing.assert_allclose(np.diff(stock, axis=1), net, atol=1e-12)


def test_carbon_stays_in_equilibrium_in_its_own_climate():
    monthly = record()
    state, light = at_rest(monthly)
    fluxes = carbon.advance(
        state, carbon.Drivers.of(monthly, np.full(20, 284.0)), light, co2_reference=278.3
    )
    total = fluxes.soil + fluxes.plants
    growth = (fluxes.gpp * np.tile(SECONDS, 20)).sum(axis=1) / 20
    assert (growth > 0.05).all()
    assert (np.abs(total[:, -1] - total[:, 11]) / 19 < 0.01 * growth).all()


def test_decay_is_largest_in_moist_soil_and_doubles_in_ten_kelvin():
    wetness = np.linspace(0.2, 1.0, 81)
    speed = np.array([carbon_kernels.decay_scalar(10.0, wet, P) for wet in wetness])
    best = wetness[speed.argmax()]
    assert best == pytest.approx(P.waterlogged, abs=0.02)
    assert speed[-1] == pytest.approx(1.0 - P.microbe_waterlogging)
    assert speed[0] == 0.0
    ratio = carbon_kernels.decay_scalar(15.0, 0.6, P) / carbon_kernels.decay_scalar(5.0, 0.6, P)
    assert ratio == pytest.approx(P.q10)


def test_photosynthesis_needs_liquid_water_and_air():
    layers = soil_layers()
    room, roots = max_water(layers), layers.roots[:WET_LAYERS]
    dry, good, full = (
        carbon_kernels.moisture_stress((wet * room)[None], 0, room, roots, P)
        for wet in (0.1, 0.6, 1.0)
    )
    assert (dry, good) == (0.0, pytest.approx(1.0))
    assert full == pytest.approx(1.0 - P.plant_waterlogging)


def test_ground_that_never_thaws_has_no_plants():
    monthly = record()
    monthly.temperature[1] = -12.0
    monthly.liquid[1] = 0.0
    state, light = at_rest(monthly)
    assert state.plants[1] == 0.0 and state.slow_rate[1] == 0.0
    fluxes = carbon.advance(
        state, carbon.Drivers.of(monthly, np.full(20, 400.0)), light, co2_reference=278.3
    )
    assert (fluxes.gpp[1] == 0.0).all() and (fluxes.rh[1] == 0.0).all()
