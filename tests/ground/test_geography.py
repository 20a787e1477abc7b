"""Land, ice sheet and cell areas."""

import numpy as np
import pytest

from mpcf.ground.constants import EARTH_RADIUS
from mpcf.ground.geography import cell_area, distance, grid, land


def test_cells_cover_the_cap():
    where = grid(4.0, 5.0)
    cap = 2 * np.pi * EARTH_RADIUS**2 * (np.sin(np.radians(85)) - np.sin(np.radians(45)))
    assert where.area.sum() == pytest.approx(cap)


def test_sphere():
    whole = cell_area(np.array([[-90.0, 0.0], [0.0, 90.0]]), np.array([[-180.0, 180.0]]))
    assert whole.sum() == pytest.approx(4 * np.pi * EARTH_RADIUS**2)


def test_a_degree_of_latitude_is_111_km():
    one = distance(np.array([60.0]), np.array([0.0]), np.array([61.0]), np.array([0.0]))
    assert one[0, 0] == pytest.approx(111195, rel=1e-3)


@pytest.mark.parametrize("size", [(4.0, 5.0), (8.0, 10.0)])
def test_land_of_the_north(size):
    where = grid(*size)
    assert 34e12 < where.cell_land_area.sum() < 42e12
    assert 1.5e12 < (where.area * where.ice_fraction).sum() < 2.6e12
    assert not (where.soil & (where.ice_fraction > 0)).any()
    assert (where.land_fraction[~where.soil] == where.ice_fraction[~where.soil]).all()


def test_coastline_is_small_and_valid():
    assert land().is_valid
    assert 0.28 < land_share() < 0.31


def land_share():
    where = grid(10.0, 10.0, -90.0, 90.0)
    from mpcf.ground.geography import _fraction

    share = _fraction(land(), where.lat_bounds, where.lon_bounds)
    return (share * where.area).sum() / where.area.sum()
