"""What chapters read and write in a source's build folder."""

import pytest
import xarray as xr

from mpcf.book.source_build import SourceBuild


@pytest.fixture
def build(tmp_path, monkeypatch):
    monkeypatch.setenv("MPCF_BUILD", str(tmp_path))
    return SourceBuild("demo", quick=True)


def test_missing_inputs_say_how_to_make_them(build):
    with pytest.raises(FileNotFoundError, match=r"python -m mpcf run 01 --quick$"):
        build.read("yearly")
    with pytest.raises(FileNotFoundError, match=r"python -m mpcf run 02 --quick$"):
        build.read("02-permafrost-thaw/region")
    with pytest.raises(FileNotFoundError, match=r"python -m mpcf run 01 --source ircc$"):
        SourceBuild("ircc").read("yearly")


def test_a_dataset_comes_back_as_it_was_saved_and_names_its_source(build):
    region = xr.Dataset({"region": ("lat", [1.5, 2.5])}, {"lat": [60.0, 64.0]})
    build.save(region, "02-permafrost-thaw/region")
    back = build.read("02-permafrost-thaw/region")
    xr.testing.assert_equal(back, region)
    assert back.attrs["mpcf_source"] == "demo"
    assert back.attrs["mpcf_synthetic"] == "true"
    folder = build.folder / "results" / "02-permafrost-thaw"
    assert [file.name for file in folder.iterdir()] == ["region.nc"]


def test_truth_is_in_the_build_folder_and_only_where_there_are_twins(build):
    effects = xr.Dataset({"nep": ("year", [1.0, 2.0])})
    effects.to_zarr(build.folder / "data" / "twins" / "effects.zarr", mode="w", zarr_format=2)
    xr.testing.assert_equal(build.truth("effects"), effects)
    assert SourceBuild("ircc").truth("effects") is None
