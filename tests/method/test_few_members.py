"""The chapters on planted data: one member, and an effect of moisture of either sign."""

import json
import shutil
from pathlib import Path

import nbformat
import numpy as np
import papermill
import pytest
import xarray as xr
import yaml

from ..data.readers.helpers import make_ensemble

BOOK = Path(__file__).parents[2]
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


def planted_months():
    """One member of random months; its soil is frozen below and thaws as it warms."""
    data = make_ensemble(members=1, years=80)
    month = xr.DataArray(np.arange(960), dims="time")
    swing = -np.cos(2 * np.pi * (month + 0.5) / 12)
    colder = (data["lat"] - 49) / 10
    soil = 270 - colder + 4 * month / 960 + 14 * np.exp(-data["depth"]) * swing
    air = 268 - 3 * colder + 4 * month / 960 + 20 * swing
    for name, values in {"tsl": soil, "tas": air}.items():
        planted = data[name] * 0.05 + values * 0.95
        data[name] = planted.transpose(*data[name].dims).assign_attrs(units="K")
    water, is_thawed = data["mrsll"] + data["mrsfl"], data["tsl"] > 273.15
    for name, share in {"mrsll": (1.0, 0.1), "mrsfl": (0.0, 0.9)}.items():
        planted = water * xr.where(is_thawed, *share)
        data[name] = planted.transpose(*data[name].dims).assign_attrs(data[name].attrs)
    return data


def make_book(root):
    """Write a copy of the book without notebooks, whose one source is planted."""
    shutil.copytree(BOOK / "evidence", root / "evidence")
    (root / "notebooks").mkdir()
    catalogue = {"metadata": {"version": 1}, "sources": {"planted": SOURCE}}
    (root / "catalog.yml").write_text(yaml.safe_dump(catalogue))


def execute(root, page):
    """Run a page; return all that it shows as text."""
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("MPCF_BUILD", raising=False)
        page = papermill.execute_notebook(
            root / "notebooks" / page,
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
    return "\n".join(shown)


def records(root, kind, chapter=""):
    """What the chapters, or one of them, recorded."""
    return json.loads((root / "_build/planted/results" / chapter / f"{kind}.json").read_text())


@pytest.fixture(scope="module")
def read_page(tmp_path_factory):
    """Run a chapter on planted data; return what it recorded."""

    def run(chapter, members, effect):
        root = tmp_path_factory.mktemp("book")
        make_book(root)
        shutil.copy(BOOK / "notebooks" / f"{chapter}.ipynb", root / "notebooks")
        built = root / "_build" / "planted"
        planted(members, effect).to_zarr(built / "yearly.zarr")
        region = xr.DataArray(np.full((2, 3), 1e12), {k: COORDS[k] for k in CELL[2:]}, CELL[2:])
        (built / "results" / "02-permafrost-thaw").mkdir(parents=True)
        region.to_dataset(name="region").to_netcdf(
            built / "results" / "02-permafrost-thaw" / "region.nc"
        )
        shown = execute(root, f"{chapter}.ipynb")
        return shown, records(root, "numbers"), records(root, "sentences")

    return run


def in_one_page(chapters):
    """Join chapters into one page, so that what they import is loaded once."""
    lines = []
    for chapter in chapters:
        page = nbformat.read(BOOK / "notebooks" / f"{chapter}.ipynb", 4)
        parameters, *code = (c.source for c in page.cells if c.cell_type == "code")
        lines += ["%reset -f", parameters, 'source = "planted"', *code]
    page.cells = [nbformat.v4.new_code_cell(text) for text in lines]
    return page


def test_every_chapter_reads_one_member_and_says_what_it_cannot_estimate(tmp_path):
    """The chapters of one source that `read_page` doesn't run, one after the other from months."""
    make_book(tmp_path)
    monthly = planted_months()
    monthly.to_zarr(tmp_path / "_build/planted/monthly.zarr")
    chapters = ["01-data", "02-permafrost-thaw", "03-moisture-trends"]
    chapters += ["06-refreeze-delay", "08-robustness", "09-across-models"]
    nbformat.write(in_one_page(chapters), tmp_path / "notebooks" / "all.ipynb")
    shown = execute(tmp_path, "all.ipynb")
    assert "unknown to unknown" not in shown
    assert "no change distinguishable from zero" not in shown
    assert "significant in" not in shown
    assert "The source holds 1 member and 80 years" in shown
    numbers = records(tmp_path, "numbers", "02-permafrost-thaw")
    assert numbers["02-permafrost-thaw/area_base"]["value"] > 1
    assert numbers["02-permafrost-thaw/area_warming_low"]["value"] is None
    thaw = records(tmp_path, "sentences", "02-permafrost-thaw")["02-permafrost-thaw/finding"]
    assert "its area changes, by chance or not: " in thaw
    assert "(too few members for an interval)" in thaw
    moisture = records(tmp_path, "sentences", "03-moisture-trends")["03-moisture-trends/finding"]
    assert moisture.count("**inconclusive**") == 3
    numbers = records(tmp_path, "numbers", "03-moisture-trends")
    assert numbers["03-moisture-trends/liquid_significant"]["value"] is None
    stands = records(tmp_path, "sentences", "03-moisture-trends")["03-moisture-trends/stands"]
    assert stands.count("inconclusive") == 2 * 2 * 3
    for phase in ("warming", "net_zero"):
        bands = [
            f"03-moisture-trends/stands_{band}_m_end_of_{phase}" for band in ("0_0_1", "0_1_1")
        ]
        for name in ("liquid", "total"):
            top_metre = numbers[f"03-moisture-trends/{name}_{phase}"]["value"]
            parts = [numbers[f"{band}_{name}"]["value"] for band in bands]
            assert sum(parts) == pytest.approx(top_metre, rel=1e-3, abs=1e-3)
    assert "No talik forms in this run." in shown
    assert "*First differences* stand in for them" in shown
    assert "year effects cannot be fitted and are left out" in shown
    assert "their counts and ranges are without this source." in shown
    assert "one member allows no test" in shown


def test_regression_of_one_member_says_what_it_cannot_estimate(read_page):
    shown, numbers, sentences = read_page("04-regression", 1, -2.0)
    assert "*Year effects* **cannot be estimated**" in shown
    assert "Errors clustered by member" in shown and "**not available**" in shown
    finding = sentences["04-regression/finding"]
    assert "is associated with **less** uptake, by the raw trend" in finding
    assert "year effects can't be estimated from one member" in finding
    assert numbers["04-regression/b_moisture"]["value"] == pytest.approx(-1.0, rel=0.1)
    own = [key for key in numbers if "/evidence." not in key]
    assert not any("year_effects" in key or key.endswith("p_effects") for key in own)
    assert numbers["04-regression/share_raw"]["value"] > 0.5
    assert numbers["04-regression/share_raw_low"]["value"] is None


def test_regression_of_two_members_says_what_it_cannot_estimate(read_page):
    shown, numbers, sentences = read_page("04-regression", 2, 2.0)
    finding = sentences["04-regression/finding"]
    assert "is associated with **more** uptake, by the raw trend" in finding
    assert "by year effects it is associated with **more** uptake, by chance or not." in finding
    assert numbers["04-regression/p_effects"]["value"] is None
    assert shown.count("where that is significant is **unknown**") == 1
    assert "unknown to unknown" not in shown


@pytest.mark.parametrize(
    ("members", "effect", "claim"),
    [(1, -2.0, "**supported**"), (4, 2.0, "**contradicted**")],
)
def test_a_turned_effect_turns_the_claims(read_page, members, effect, claim):
    shown, numbers, sentences = read_page("05-feedback-attribution", members, effect)
    finding = sentences["05-feedback-attribution/finding"]
    assert f"lowers uptake while the climate warms, is {claim}" in finding
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
    assert ("**cannot be estimated**" in shown) == (members == 1)
    assert ("**blocks of years**" in shown) == (members < 4)
