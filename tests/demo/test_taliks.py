"""Taliks of the demonstration: where they form, and when in the loss of permafrost."""

import numpy as np
import pytest
import xarray as xr

from mpcf.ground.thaw import lasting
from mpcf.yearly.reduction import to_yearly


@pytest.fixture(scope="module")
def yearly(quick_demo):
    times = xr.coders.CFDatetimeCoder(use_cftime=True)
    with xr.open_dataset(quick_demo, engine="zarr", decode_times=times) as dataset:
        return to_yearly(dataset.load())[["tsl_max", "permafrost", "talik"]]


def losses(frozen):
    """Return the years (1 or 0) in which ground that was frozen for decades thaws for decades."""
    state = lasting(frozen)
    return (state.shift(year=1) == 1) & (state == 0)


def test_taliks_form_in_every_member(yearly):
    with_talik = (yearly["talik"] == 1).any("year").sum(("lat", "lon"))
    assert (with_talik >= 10).all()


def test_the_last_frozen_ground_thaws_below_a_talik(yearly):
    """Found: 61 of 76 cells have a talik in the year before the last layer of the soil thaws."""
    two_years = np.maximum(yearly["tsl_max"], yearly["tsl_max"].shift(year=1))
    frozen = (two_years <= 0).any("depth").astype(float).where(yearly["permafrost"].notnull())
    lost = losses(frozen)
    assert int(lost.sum()) > 40
    talik_before = (yearly["talik"] == 1).shift(year=1, fill_value=False)
    assert int((lost & talik_before).sum()) > 0.7 * int(lost.sum())


def test_taliks_come_after_the_loss_of_permafrost_in_the_top_three_metres(yearly):
    """Soil to 3 m thaws in a warm summer long before it stops freezing in winter.

    Found: the first talik 6 to 30 years later, 13 in the median.
    """
    year = yearly["year"]
    lost = year.where(losses(yearly["permafrost"])).max("year")
    first_talik = year.where(yearly["talik"] == 1).min("year")
    wait = (first_talik - lost).values
    wait = wait[np.isfinite(wait)]
    assert wait.size > 40
    assert wait.min() > 0 and 5 <= np.median(wait) <= 25
