"""Chapters 4 and 5 on planted data: one member, and an effect of moisture of either sign."""

import json
import shutil
from pathlib import Path

import numpy as np
import papermill
import pytest
import xarray as xr
import yaml

BOOK = Path(__file__).parents[1]
SOURCE = {
    "description": "Planted data.",
    "driver": "zarr",
    "args": {"urlpath": "{{ BUILD }}/monthly.zarr"},
    "metadata": {
        "convention": "standard",
        "phases": {"warming": [2000, 2039], "mitigation": [2040, 2059], "net-zero": [2060, 2079]},
        "citation": "none",
        "licence": "CC0-1.0",
        "is_synthetic": True,
        "truth": None,
    },
}
COORDS = {
    "season": np.array(["year", "thaw"], dtype=object),
    "top": [0.1, 1.0, 3.0],
    "lat": [62.0, 66.0],
    "lon": [-100.0, 0.0, 100.0],
}
CELL = ("member", "year", "lat", "lon")


def planted(members, effect):
    """Yearly data in which each kilogram of soil water changes photosynthesis by `effect` gC."""
    rng = np.random.default_rng(4)
    noise = rng.normal(size=(4, members, 80, 2, 3))
    ramp = np.linspace(0, 2, 80)[:, None, None]
    water, air, rain = 8 * ramp + 3 * noise[0], ramp + noise[1], 20 * (ramp + noise[2])
    gpp = 200 + effect * water + 2 * noise[3]
    fluxes = {"gpp": gpp, "ra": gpp / 2, "rh": 90 + 0.1 * air, "thaw_wetness": water / 1000}
    data = xr.Dataset(
        {name: (CELL, values) for name, values in fluxes.items()},
        COORDS | {"member": range(1, members + 1), "year": range(2000, 2080)},
    )
    seasons, tops = data["season"], data["top"]
    for name, values in {"temperature": air, "precipitation": rain}.items():
        data[name] = xr.DataArray(values, dims=CELL).expand_dims(season=seasons)
    for name, values in {"soil_liquid": water, "soil_water": water + 300}.items():
        data[name] = xr.DataArray(values, dims=CELL).expand_dims(season=seasons, top=tops)
    return data


@pytest.fixture(scope="module")
def read_page(tmp_path_factory):
    """Run a chapter on planted data; give what it recorded."""

    def run(chapter, members, effect):
        root = tmp_path_factory.mktemp("book")
        shutil.copytree(BOOK / "evidence", root / "evidence")
        (root / "notebooks").mkdir()
        shutil.copy(BOOK / "notebooks" / f"{chapter}.ipynb", root / "notebooks")
        catalogue = {"metadata": {"version": 1}, "sources": {"planted": SOURCE}}
        (root / "catalog.yml").write_text(yaml.safe_dump(catalogue))
        built = root / "_build" / "planted"
        planted(members, effect).to_zarr(built / "yearly.zarr")
        region = xr.DataArray(np.full((2, 3), 1e12), {k: COORDS[k] for k in CELL[2:]}, CELL[2:])
        results = built / "results"
        (results / "02-permafrost-thaw").mkdir(parents=True)
        region.to_dataset(name="region").to_netcdf(results / "02-permafrost-thaw" / "region.nc")
        with pytest.MonkeyPatch.context() as patch:
            patch.delenv("MPCF_BUILD", raising=False)
            page = papermill.execute_notebook(
                root / "notebooks" / f"{chapter}.ipynb",
                root / "out.ipynb",
                parameters={"source": "planted"},
                kernel_name="python3",
                cwd=root / "notebooks",
                progress_bar=False,
            )
        shown = [
            o["data"].get("text/markdown", "")
            for c in page.cells
            for o in c.get("outputs", [])
            if "data" in o
        ]
        records = {
            kind: json.loads((results / f"{kind}.json").read_text())
            for kind in ("numbers", "sentences")
        }
        return "\n".join(shown), records["numbers"], records["sentences"]

    return run


@pytest.mark.parametrize(("effect", "way"), [(-2.0, "less"), (2.0, "more")])
def test_regression_of_one_member_says_what_it_cannot_tell(read_page, effect, way):
    shown, numbers, sentences = read_page("04-regression", 1, effect)
    assert "*Year effects* **can't be estimated**" in shown
    assert "Errors clustered by member" in shown and "**can't be given**" in shown
    finding = sentences["04-regression/finding"]
    assert f"goes with **{way}** uptake, by the raw trend" in finding
    assert "year effects can't be estimated from one member" in finding
    assert numbers["04-regression/b_moisture"]["value"] == pytest.approx(effect / 2, rel=0.1)
    own = [key for key in numbers if "/evidence." not in key]
    assert not any("year_effects" in key or key.endswith("p_effects") for key in own)
    assert numbers["04-regression/share_raw"]["value"] > 0.5
    assert numbers["04-regression/share_raw_low"]["value"] is None


@pytest.mark.parametrize(
    ("members", "effect", "claim"),
    [(1, -2.0, "**holds**"), (4, 2.0, "**does not hold**")],
)
def test_a_turned_effect_turns_the_claims(read_page, members, effect, claim):
    shown, numbers, sentences = read_page("05-feedback-attribution", members, effect)
    finding = sentences["05-feedback-attribution/finding"]
    assert f"lowers uptake while it warms, {claim}" in finding
    assert f"most of all, {claim}" in finding
    part = {
        k: numbers[f"05-feedback-attribution/moisture_raw{k}"]["value"]
        for k in ("", "_low", "_high")
    }
    assert part["_low"] < part[""] < part["_high"]
    assert np.sign(list(part.values())).tolist() == [np.sign(effect)] * 3
    estimators = ["raw trend", "year effects"][: 1 + (members > 1)]
    choices = numbers["05-feedback-attribution/choices"]["value"]
    assert choices == 3 * len(estimators)
    for uptake in ("nep", "gpp"):
        held = numbers[f"05-feedback-attribution/b_{uptake}"]["value"]
        assert held == (choices if effect < 0 else 0)
    assert ("**can't be estimated**" in shown) == (members == 1)
    assert ("**blocks of years**" in shown) == (members < 4)
