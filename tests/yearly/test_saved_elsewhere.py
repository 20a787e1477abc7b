"""The yearly store, saved anew by a reader in another format."""

import json

import pytest
import xarray as xr

from mpcf.demo.experiment import PHASES
from mpcf.yearly.stream import write_yearly

from .test_stream import ensemble

ATTRIBUTES = {"title": "a test", "seed": 7, "mpcf_synthetic": "true", "years": [2000, 2005]}


@pytest.fixture
def yearly(tmp_path):
    monthly = ensemble(members=1, years=3).chunk(time=12)
    monthly.attrs = {**ATTRIBUTES, "phases": {"warming": [2000, 2002]}, "is_open": True}
    write_yearly(monthly, tmp_path / "yearly.zarr", progress=False)
    return xr.open_zarr(tmp_path / "yearly.zarr")


def test_it_is_saved_as_netcdf(yearly, tmp_path):
    assert json.loads(yearly.attrs["phases"]) == {"warming": [2000, 2002]}
    assert {name: yearly.attrs[name] for name in ATTRIBUTES} == ATTRIBUTES
    yearly.to_netcdf(tmp_path / "yearly.nc")
    with xr.open_dataset(tmp_path / "yearly.nc") as again:
        xr.testing.assert_equal(again, yearly)
        assert again.attrs["phases"] == yearly.attrs["phases"]


@pytest.mark.parametrize("zarr_format", [2, 3])
def test_it_is_saved_as_zarr_as_the_data_card_says(yearly, tmp_path, zarr_format):
    yearly.drop_encoding().to_zarr(tmp_path / "again.zarr", zarr_format=zarr_format)
    xr.testing.assert_equal(xr.open_zarr(tmp_path / "again.zarr"), yearly)


def test_the_demonstration_has_no_attribute_that_only_zarr_holds(quick_demo, tmp_path):
    with xr.open_zarr(quick_demo) as demo:
        few = demo[["areacella"]].load().drop_encoding()
    assert json.loads(few.attrs["phases"]) == {name: list(years) for name, years in PHASES.items()}
    few.to_netcdf(tmp_path / "few.nc")
