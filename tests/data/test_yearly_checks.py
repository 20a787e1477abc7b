"""Faults of whole years: water that soil cannot hold, and carbon out of proportion."""

import pytest

from mpcf.data.yearly_checks import check_yearly
from mpcf.errors import DataError
from mpcf.yearly.reduction import to_yearly

from .test_physical_checks import land, spoil


@pytest.fixture(scope="module")
def monthly():
    return land(members=2).assign_attrs(mpcf_members="1 = 001, 2 = 002")


@pytest.fixture(scope="module")
def good(monthly):
    return to_yearly(monthly)


def test_good_years_pass(good, monthly):
    assert check_yearly(good, monthly).startswith("all 2 years of every member")


def in_cells(yearly, name, change):
    """Change a variable in the southern rows of the second member."""
    new = change(yearly[name])
    here = (yearly["member"] == 2) & (yearly["lat"] < 60)
    return yearly.assign({name: yearly[name].where(~here, new)})


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        (
            "thaw_wetness",
            lambda v: 0 * v + 1.2,
            "member 002 runs from .* to 1.2 m3",
        ),
        ("soil_water", lambda v: 4 * v, "member 002: soil holds up to .* m3 of water"),
        ("rh", lambda v: 12 * v, "of member 002: over the land, .ra . rh. / gpp is"),
    ],
)
def test_a_fault_in_some_cells_is_named(good, monthly, name, change, message):
    with pytest.raises(DataError, match=message):
        check_yearly(in_cells(good, name, change), monthly)


def test_a_tenth_of_the_water_is_refused():
    dry = spoil(land(), lambda v: 0.1 * v, "mrsll", "mrsfl")
    with pytest.raises(DataError, match=r"'mrsll and mrsfl' of member 1 has the mean 0\.0"):
        check_yearly(to_yearly(dry), dry)


def test_cells_of_ice_sheets_are_those_without_other_land(good, monthly):
    coast = good.copy(deep=True)
    coast["sftlf"][3], coast["sftgif"][3] = 50.0, 49.9
    coast["snow"] = coast["snow"].where(coast["lat"] < 70, 500.0)
    check_yearly(coast, monthly)
    coast["sftgif"][3] = 20.0
    with pytest.raises(DataError, match="'snd' of member 001 runs from"):
        check_yearly(coast, monthly)
