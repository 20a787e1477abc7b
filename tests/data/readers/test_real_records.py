"""Two real records, with the faults that they have."""

import os
from pathlib import Path

import numpy as np
import pytest

from mpcf.data import variables
from mpcf.data.readers import cmip6
from mpcf.data.readers.fields import field, series
from mpcf.data.readers.files import open_piece
from mpcf.data.readers.fixed_maps import cell_areas, check_land, whole_map
from mpcf.data.readers.netcdf_classic import check_whole
from mpcf.errors import DataError
from mpcf.ground.constants import EARTH_RADIUS

ROOT = os.environ.get("REALDATA_ROOT", "")
CLM = Path(ROOT) / "clm-h0-cprnc" / "clm2.h0.subset.control.nc"
ACCESS = Path(ROOT) / "cmip6-access-esm1-5"

pytestmark = pytest.mark.skipif(
    not (ROOT and CLM.is_file()), reason="REALDATA_ROOT does not name the folder of the records"
)


@pytest.fixture(scope="module")
def clm():
    return open_piece(str(CLM), "001")


@pytest.fixture(scope="module")
def access():
    return {p.name.split("_")[0]: open_piece(str(p), "r1i1p1f1") for p in ACCESS.glob("*.nc")}


def test_december_of_year_5_is_stamped_in_january_of_year_6(clm):
    assert clm.raw["time"].values == 1825.0  # 0006-01-01
    assert str(clm.months) == "0005-12 to 0005-12"
    assert clm.months.calendar == "noleap"


def test_carbon_of_clm_is_converted_turned_and_cut(clm):
    found = field(clm, "AR", "kg m-2 s-1").compute()
    raw = clm.raw["AR"].isel(time=0)
    assert dict(found.sizes) == {"time": 1, "lat": 5, "lon": 24}
    grid = clm.grid
    np.testing.assert_allclose(grid.lat[grid.north], [50.0, 60.0, 70.0, 80.0, 90.0])
    assert (np.diff(grid.lon) > 0).all() and grid.lon[0] == -180.0
    at = raw.sel(lat=60.0, lon=300.0, method="nearest")  # 60° W
    column = int(np.flatnonzero(grid.lon == -60.0)[0])
    row = int(np.argmin(np.abs(grid.lat[grid.north] - 60.0)))
    assert float(found[0, row, column]) == pytest.approx(float(at) / 1000, rel=1e-6)


def test_fill_values_of_clm_are_missing(clm):
    found = field(clm, "ALT", "m").compute()
    assert bool(found.isnull().any())
    assert float(found.max()) < 36.0  # 35.18 m: thawed to the bottom


def test_cell_area_of_clm_in_km2_with_rows_at_the_poles_covers_the_sphere(clm):
    notes = []
    area = cell_areas(whole_map(clm, "area", "m2"), clm.grid, notes)
    assert notes == []
    assert float(area.sum()) == pytest.approx(4 * np.pi * EARTH_RADIUS**2, rel=1e-3)


def test_the_stream_by_column_and_plant_type_has_no_map():
    h1 = open_piece(str(CLM.with_name("clm2.h1.subset.control.nc")), "001")
    with pytest.raises(DataError, match="is not one month"):
        _ = h1.months
    with pytest.raises(DataError, match="'pft' is a part of cells"):
        field(h1, "A10TMIN", "K")


def test_a_record_cut_short_is_refused_and_not_read_as_zeros(tmp_path):
    data = CLM.read_bytes()
    for size in (len(data) - 8, len(data) // 2, 5000):
        path = tmp_path / f"{size}.nc"
        path.write_bytes(data[:size])
        with pytest.raises(DataError, match=r"cut short|damaged header"):
            open_piece(str(path), "001")
    check_whole(CLM)


def test_months_of_access_are_those_of_its_bounds(access):
    for name in ("gpp", "pr", "tas"):
        _, months = series([access[name]], name, variables.MONTHLY[name].units)
        assert str(months) == "2000-01 to 2014-12"
        assert months.calendar == "proleptic_gregorian"


def test_values_of_access_are_its_own(access):
    found = series([access["tas"]], "tas", "K")[0].compute()
    raw = access["tas"].raw["tas"]
    grid = access["tas"].grid
    column = int(np.flatnonzero(grid.lon == -60.0)[0])
    row = int(np.argmin(np.abs(grid.lat[grid.north] - 60.0)))
    np.testing.assert_array_equal(found[:, row, column], raw.sel(lat=60.0, lon=300.0))


def test_the_cell_area_of_access_is_not_trusted(access):
    notes = []
    area = cell_areas(whole_map(access["areacella"], "areacella", "m2"), access["tas"].grid, notes)
    assert "adds up to 2.3 % of its grid's area on the sphere" in notes[0]
    assert float(area.sum()) == pytest.approx(4 * np.pi * EARTH_RADIUS**2, rel=1e-3)
    check_land(whole_map(access["sftlf"], "sftlf", "%"), "sftlf")


def test_what_access_lacks_here_is_named(access):
    found = cmip6.read({"r1i1p1f1": list(access.values())}, list(access.values()))
    assert "not in the files: ra, rh, tsl, snd, mrsll and mrsfl" in found.attrs["mpcf_notes"]
