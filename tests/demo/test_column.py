"""The soil column: analytic solutions, and its budgets of energy and water."""

import numpy as np
import pytest
from scipy.optimize import brentq
from scipy.special import erf, erfc

from mpcf.demo import column, column_kernels, conduction
from mpcf.demo.calendar import MONTH_DAYS, STEPS, step_calendar
from mpcf.demo.column_kernels import WORK_ROWS
from mpcf.demo.soil import LAYERS, THICKNESS, soil_layers

P = conduction.kernel_parameters()
DAY = 86400.0


def chain(thickness, conductivity):
    """Return the conductance between the layers and from the surface, W m-2 K-1."""
    half = 0.5 * thickness / conductivity
    return 1.0 / (half[:-1] + half[1:]), 1.0 / half[0]


def conduct(enthalpy, water, capacity, between, top, air, seconds, parameters=P):
    work = np.zeros((12, enthalpy.size))
    return conduction.conduct(
        enthalpy, water, capacity, between, top, air, 0.0, seconds, parameters, work
    )


def test_periodic_surface_temperature_decays_and_lags_with_depth():
    conductivity, heat = 2.0, 2.0e6
    thickness = np.full(400, 0.05)
    depth = np.cumsum(thickness) - 0.5 * thickness
    between, top = chain(thickness, np.full(400, conductivity))
    capacity, dry = heat * thickness, np.zeros(400)
    state = np.zeros(400)
    period, steps = 365 * DAY, 1460
    seconds = period / steps
    record = np.empty((steps, 400))
    for step in range(3 * steps):
        air = 10.0 * np.cos(2 * np.pi * (step + 1) / steps)
        conduct(state, dry, capacity, between, top, air, seconds)
        if step >= 2 * steps:
            record[step - 2 * steps] = state / capacity
    phase = np.exp(-2j * np.pi * (np.arange(steps) + 1) / steps)
    wave = 2.0 * (record * phase[:, None]).mean(axis=0) / 10.0
    damping = np.sqrt(period * conductivity / heat / np.pi)
    shallow = depth < 3.0 * damping
    expected = np.exp(-(1.0 + 1.0j) * depth / damping)
    np.testing.assert_allclose(wave[shallow], expected[shallow], atol=0.004)


def test_step_change_follows_the_error_function():
    thickness = np.full(300, 0.02)
    depth = np.cumsum(thickness) - 0.5 * thickness
    between, top = chain(thickness, np.full(300, 1.5))
    capacity = 2.5e6 * thickness
    state = np.zeros(300)
    for _ in range(600):
        conduct(state, np.zeros(300), capacity, between, top, 1.0, 0.05 * DAY)
    spread = 2.0 * np.sqrt(1.5 / 2.5e6 * 30 * DAY)
    np.testing.assert_allclose(state / capacity, erfc(depth / spread), atol=0.004)


def test_freezing_front_follows_neumann():
    """In saturated soil at 1 °C whose surface is held at -5 °C, the front is at 2 λ sqrt(α t)."""
    thickness = np.full(300, 0.01)
    depth = np.cumsum(thickness)
    conductivity, solids, wetness = 2.0, 1.2e6, 400.0
    between, top = chain(thickness, np.full(300, conductivity))
    water = wetness * thickness
    capacity = solids * thickness
    sharp = P._replace(freezing_range=0.002, tolerance=1e-6)
    warm, cold = 1.0, -5.0
    state = (capacity + P.capacity_water * water) * warm
    days = 40
    for _ in range(days * 24):
        conduct(state, water, capacity, between, top, cold, DAY / 24, sharp)

    frozen = solids + wetness * P.capacity_ice
    thawed = solids + wetness * P.capacity_water
    ratio = np.sqrt(thawed / frozen)  # sqrt of the ratio of diffusivities

    def front(x):
        ice = np.exp(-(x**2)) / erf(x) * -cold
        liquid = warm * ratio * np.exp(-((x * ratio) ** 2)) / erfc(x * ratio)
        return ice - liquid - x * np.sqrt(np.pi) * P.latent_heat * wetness / frozen

    expected = 2.0 * brentq(front, 1e-3, 3.0) * np.sqrt(conductivity / frozen * days * DAY)
    ice = sum(
        (1.0 - conduction.temperature_of(h, w, c, sharp)[1]) * 0.01
        for h, w, c in zip(state, water, capacity, strict=True)
    )
    assert depth[-1] > 2 * expected
    assert ice == pytest.approx(expected, rel=0.01)


@pytest.mark.parametrize("temperature", [-30.0, -1.0, -0.01, 0.0, 0.5, 20.0])
@pytest.mark.parametrize("water", [0.0, 3.0, 80.0])
def test_temperature_inverts_enthalpy(temperature, water):
    capacity = 1.0e5
    if temperature > 0:
        enthalpy = (capacity + P.capacity_water * water) * temperature
    else:
        liquid = 1.0 / (1.0 - temperature / P.freezing_range)
        enthalpy = (capacity + P.capacity_ice * water) * temperature - P.latent_heat * water * (
            1.0 - liquid
        )
    found, share, slope = conduction.temperature_of(enthalpy, water, capacity, P)
    assert found == pytest.approx(temperature, abs=1e-9)
    assert 0.0 < share <= 1.0
    nudge = 1.0
    after = conduction.temperature_of(enthalpy + nudge, water, capacity, P)[0]
    if temperature != 0.0:
        assert after - found == pytest.approx(slope * nudge, rel=1e-3, abs=1e-12)


def year_of_steps(mean, swing, rain, years=3):
    """Drive one column; yield its budget at each step."""
    layers = soil_layers()
    columns = column.new_columns(np.array([mean]))
    enthalpy, water, snow = columns.enthalpy[0], columns.water[0], 0.0
    work = np.zeros((WORK_ROWS, LAYERS))
    column_kernels.refresh(enthalpy, water, layers.capacity, P, work)
    for step in range(years * STEPS):
        angle = 2 * np.pi * step / STEPS
        before = enthalpy.sum(), water.sum() + snow
        snow, heat, carried, evaporation, runoff = column_kernels.column_step(
            enthalpy,
            water,
            snow,
            mean - swing * np.cos(angle),
            rain,
            max(200.0 - 250.0 * np.cos(angle), 0.0),
            layers.thickness,
            layers.porosity,
            layers.capacity,
            layers.log_frozen,
            layers.log_thawed,
            layers.dry,
            layers.roots,
            P,
            work,
            water,
            water,
            False,
        )
        yield before, enthalpy, water, snow, heat, carried, evaporation, runoff


@pytest.mark.parametrize("mean, swing, rain", [(-12, 22, 8e-6), (-3, 18, 1.5e-5), (5, 12, 3e-5)])
def test_energy_and_water_are_conserved_at_each_step(mean, swing, rain):
    room = 1000.0 * soil_layers().porosity * THICKNESS
    for before, enthalpy, water, snow, heat, carried, evaporation, runoff in year_of_steps(
        mean, swing, rain
    ):
        assert enthalpy.sum() - before[0] == pytest.approx(heat + carried, abs=1e-2)
        gained = rain * P.step * DAY - evaporation - runoff
        assert water.sum() + snow - before[1] == pytest.approx(gained, abs=1e-9)
        assert (water >= 0.0).all() and (water <= room + 1e-9).all()
        assert evaporation >= 0.0 and runoff >= -1e-12


def test_interpolated_air_temperature_keeps_monthly_means():
    from mpcf.demo.weather import mid_month_values

    months = np.arange(48)
    mean = -20.0 * np.cos(2 * np.pi * (months + 0.5) / 12)[None, :]
    columns = column.new_columns(np.array([-8.0]))
    record = column.advance(
        columns, mid_month_values(mean), np.full((1, 48), 1e-5), np.zeros((1, STEPS))
    )
    np.testing.assert_allclose(record.air[0, 12:36], mean[0, 12:36], atol=0.25)
    np.testing.assert_allclose(record.precipitation, 1e-5, rtol=1e-5)


def test_calendar_gives_each_day_to_one_month():
    month, here, left, weight = step_calendar()
    days = np.zeros(13)
    np.add.at(days, month, 5.0 * here)
    np.add.at(days, month + 1, 5.0 * (1.0 - here))
    np.testing.assert_allclose(days[:12], MONTH_DAYS)
    assert (np.diff(left) >= 0).all() and ((weight >= 0) & (weight <= 1)).all()
