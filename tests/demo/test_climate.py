"""Global climate: the scenario, and FaIR against CESM2's zero-emission run."""

import numpy as np
import pytest

from mpcf.demo import climate
from mpcf.demo.experiment import PHASES


def test_phases_follow_emissions():
    years, pgc = climate.emissions()
    assert (np.diff(years) == 1).all() and years[0] == 1750 and years[-1] == 2300
    change = np.diff(pgc, prepend=pgc[0])
    rising = (years > 2015) & (years <= PHASES["warming"][1])
    falling = (years >= PHASES["mitigation"][0]) & (years <= PHASES["mitigation"][1])
    none = years >= PHASES["net-zero"][0]
    assert (change[rising] > 0).all() and (change[falling] < 0).all()
    assert (pgc[none] == 0).all() and (pgc[falling] > 0).all()


def test_history_is_the_published_one():
    years, pgc = climate.emissions()
    assert pgc[years == 2014][0] == pytest.approx(39630.94805 * 12.011 / 44.009 / 1000, abs=1e-5)


def test_fair_follows_cesm2_after_a_thousand_petagrams():
    """For 10 PgC yr-1 over 100 years, then none, CESM2 gives 1.9, 1.85 and 2.05 K."""
    years = np.arange(1850, 2151)
    pulse = np.where(years < 1950, 10.0, 0.0)
    co2, warming = climate.run_fair(years, pulse)
    np.testing.assert_allclose(warming[0, [100, 200, 300]], [1.88, 1.88, 2.01], atol=0.05)
    np.testing.assert_allclose(co2[0, [99, 199, 299]], [508.0, 450.0, 434.0], atol=6.0)


def test_members_differ_only_by_their_seed():
    a = climate.global_climate((1, 2))
    b = climate.global_climate((2,))
    np.testing.assert_array_equal(a.warming[1], b.warming[0])
    assert np.abs(a.warming[0] - a.warming[1]).max() > 0.05
    assert 0.0 < np.abs(a.co2[0] - a.co2[1]).max() < 5.0


def test_variability_is_as_large_as_in_cesm2():
    """In CESM2's control run it is 0.115 K within windows of 50 years."""
    years = np.arange(1000, 1500)
    _, noise = climate.run_fair(years, np.zeros(500), [7, 8, 9])
    windows = noise.reshape(3, -1, 50)
    spread = (windows - windows.mean(axis=2, keepdims=True)).std()
    assert 0.09 < spread < 0.15
