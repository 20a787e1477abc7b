"""Figures of runs with any phases."""

import matplotlib.pyplot as plt
import numpy as np
import pytest
import xarray as xr

from mpcf.figures import ground, style

YEARS = np.arange(2000, 2060)


@pytest.mark.parametrize(
    "phases",
    [
        {"warming": (2000, 2059)},
        {"warming": (2000, 2029), "net-zero": (2030, 2059)},
        {"before": (2000, 2009), "warming": (2010, 2029), "mitigation": (2030, 2039),
         "net removal": (2040, 2049), "net-zero": (2050, 2059)},
    ],
)  # fmt: skip
def test_every_phase_is_drawn_whatever_its_name(phases):
    ramp = xr.DataArray([np.linspace(0, 3, 60)], {"year": YEARS}, ("member", "year"))
    fig = ground.there_and_back(ramp, 5 - ramp, phases)
    labels = [text.get_text() for text in fig.axes[0].get_legend().get_texts()]
    assert labels == [f"{name}, {a}–{b}" for name, (a, b) in phases.items()]
    fig = style.over_years({"area": (ramp, "black")}, phases, ylabel="km²", title="Area")
    assert [text.get_text() for text in fig.axes[0].texts] == list(phases)
    plt.close("all")
