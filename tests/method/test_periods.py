"""Periods: their years, their names, and the check that the data hold them."""

import numpy as np
import pytest
import xarray as xr

from mpcf.method.periods import (
    Period,
    after_net_zero,
    base_mean,
    base_period,
    early_years,
    late_years,
    periods,
    periods_within,
    since_base,
)

PHASES = {"warming": (2000, 2039), "mitigation": (2040, 2064), "net-zero": (2065, 2074)}
YEARS = xr.DataArray(np.arange(2000.0, 2075), {"year": np.arange(2000, 2075)}, "year")


def test_claims_are_about_the_warming_and_the_whole_way_to_net_zero():
    assert periods(PHASES) == {"warming": (2000, 2039), "until net zero": (2000, 2064)}


def test_years_of_a_period_are_inclusive():
    period = Period(2040, 2064)
    assert YEARS.sel(year=period.years).size == 25
    assert YEARS.sel(year=period.so_far).size == 65


def test_ends_of_a_period_have_as_many_years_as_the_base_period():
    for years in (early_years(2000), late_years(2074), base_period(YEARS)):
        assert YEARS.sel(year=years).size == 15
    assert early_years(2000) == base_period(YEARS)
    assert float(since_base(YEARS)[0]) == 2000 - float(base_mean(YEARS)) == -7


@pytest.mark.parametrize("years", [(1999, 2010), (2065, 2075)])
def test_a_period_that_the_data_lack_is_named(years):
    with pytest.raises(ValueError, match=f"period 'late' is {years[0]}–{years[1]}"):
        periods_within(PHASES | {"late": years}, YEARS)
    assert periods_within(PHASES, YEARS) == PHASES


def test_a_period_with_a_gap_is_named():
    apart = YEARS.sel(year=[*range(2000, 2010), *range(2020, 2075)])
    with pytest.raises(ValueError, match="period 'warming' is 2000–2039"):
        periods_within(PHASES, apart)
    assert periods_within({"late": (2020, 2039)}, apart) == {"late": (2020, 2039)}


def test_without_mitigation_there_is_no_way_to_net_zero():
    assert periods({"warming": (1, 100), "net-zero": (101, 200)}) == {"warming": (1, 100)}


@pytest.mark.parametrize(
    ("phases", "years"),
    [
        ({"net-zero": (101, 200)}, (101, 200)),
        ({"net removal": (151, 300), "net-zero": (301, 310)}, (151, 310)),
        ({"net-zero": (101, 120), "net removal": (121, 200)}, (101, 200)),
    ],
)
def test_after_net_zero_emissions_are_zero_or_below(phases, years):
    assert after_net_zero({"warming": (1, 100), **phases}) == years
