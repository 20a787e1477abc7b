"""Thaw and wetness apart: an identity, and planted effects of each part."""

import numpy as np
import pytest
import xarray as xr

from mpcf.method.parts import PARTS, change_of_parts, depth_and_wetness, score_parts


@pytest.fixture
def world(yearly_stub):
    """Soil that thaws deeper and dries, and uptake that thaw lowers and wetness raises."""
    rng = np.random.default_rng(8)
    yearly = yearly_stub
    shape = yearly["soil_liquid"].shape
    rise = xr.DataArray(np.linspace(0.0, 1.0, 40), {"year": yearly["year"]}, "year")
    noise = yearly["soil_liquid"].copy(data=rng.random(shape))
    total = 400.0 - 60.0 * rise + 20.0 * noise
    share = 0.5 + 0.3 * rise + 0.05 * yearly["soil_liquid"].copy(data=rng.random(shape))
    yearly["soil_water"] = total.transpose(*yearly["soil_water"].dims)
    yearly["soil_liquid"] = (total * share).transpose(*yearly["soil_liquid"].dims)
    factors = depth_and_wetness(yearly)
    y = -100.0 * factors["thawed depth"] + 300.0 * factors["wetness"]
    parts = [-100.0 * factors["thawed depth"], 300.0 * factors["wetness"]]
    truth = xr.concat(parts, xr.Variable("part", list(PARTS)))
    region = xr.ones_like(y.isel(member=0, year=0, drop=True)) * 1e12
    return yearly, y, truth, region


def test_the_parts_of_liquid_water_add_up_to_its_change(world):
    yearly = world[0]
    parts = change_of_parts(yearly)
    summed = parts["thaw"] + parts["wetness"] + parts["cross"]
    xr.testing.assert_allclose(parts["liquid"].transpose(*summed.dims), summed, atol=1e-9)
    liquid = yearly["soil_liquid"].sel(season="thaw", top=1.0)
    late = {"year": slice(2030, None)}
    assert (parts["thaw"].sel(late) > 0).all() and float(parts["wetness"].sel(late).mean()) < 0
    # the base is the product of the factors' means, the same in all years
    assert float((parts["liquid"] - liquid).std("year").max()) < 1e-9


def test_a_regression_on_both_factors_finds_the_planted_effect_of_each(world):
    yearly, y, truth, region = world
    rows = score_parts(yearly, y, truth, region, {"all": (2000, 2039)})
    assert {row["part"] for row in rows} == set(PARTS)
    for row in rows:
        assert row["estimate"] == pytest.approx(row["truth"], rel=1e-6), row
        assert row["truth"] < 0
