"""Across models: a planted change and effect come back, and the page's words change with them."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from mpcf.book import evidence
from mpcf.book.models import compare
from mpcf.data import catalog
from mpcf.data import sources as data_sources
from mpcf.errors import UnknownSource
from mpcf.figures.models import change_figure
from mpcf.method.models import THIS_SOURCE, disagreement, moisture_spread

NOTEBOOK = Path(__file__).parents[2] / "notebooks" / "09-across-models.ipynb"
PHASES = {"warming": (2000, 2019), "mitigation": (2020, 2039), "net-zero": (2040, 2044)}
UNTIL_ZERO = (2000, 2039)
EFFECT = -2.0
"""Of liquid water of the top 1 m on NEP, gC m-2 yr-1 per kg m-2."""


def planted(effect=EFFECT, rise=0.5, members=4):
    """Liquid water of the top 1 m rises and acts on NEP; total water falls as fast."""
    rng = np.random.default_rng(7)
    coords = {
        "member": range(1, members + 1),
        "year": range(2000, 2045),
        "season": ["year", "thaw"],
        "top": [0.1, 1.0, 3.0],
        "lat": [60.0, 64.0],
        "lon": [0.0, 5.0],
    }

    def noise(*dims):
        return xr.DataArray(
            rng.normal(size=[len(coords[d]) for d in dims]), coords=[(d, coords[d]) for d in dims]
        )

    cells = ("member", "year", "lat", "lon")
    layered = ("member", "year", "season", "top", "lat", "lon")
    years = xr.DataArray(np.arange(45.0), {"year": coords["year"]}, "year")
    liquid = 100.0 + rise * years + noise(*layered)
    acting = liquid.sel(season="year", top=1.0, drop=True)
    return xr.Dataset(
        {
            "temperature": noise(*cells).expand_dims(season=coords["season"]),
            "precipitation": noise(*cells).expand_dims(season=coords["season"]),
            "soil_liquid": liquid,
            "soil_water": 300.0 - rise * years + noise(*layered),
            "gpp": 500.0 + effect * acting,
            "ra": 0.0 * acting,
            "rh": 0.0 * acting,
            "permafrost": xr.ones_like(acting),
            "areacella": (("lat", "lon"), [[1e12, 2e12], [3e12, 4e12]]),
            "sftlf": (("lat", "lon"), np.full((2, 2), 100.0)),
        }
    )


@pytest.fixture
def region():
    return xr.DataArray(
        [[1e12, 0.0], [3e12, 4e12]], {"lat": [60.0, 64.0], "lon": [0.0, 5.0]}, ("lat", "lon")
    )


def test_planted_change_and_contribution_come_back(region):
    yearly = planted()
    found = moisture_spread(yearly, region, UNTIL_ZERO).set_index(["moisture", "depth"])
    water = yearly["soil_liquid"].sel(season="year", top=1.0).mean("member").values
    mean = (water * region.values).sum((1, 2)) / region.values.sum()
    row = found.loc["liquid", 1.0]
    assert row["base"] == pytest.approx(mean[:15].mean())
    assert row["change"] == pytest.approx(mean[25:40].mean() - mean[:15].mean())
    assert row["trend"] == pytest.approx(10 * np.polyfit(range(40), mean[:40], 1)[0])
    shift = (water[:40] - water[:15].mean(0)).sum(0)
    truth = EFFECT * (shift * region.values).sum() / 1e15
    assert row[["raw trend", "year effects"]].tolist() == pytest.approx([truth, truth])
    assert found.loc["total", 0.1]["trend"] == pytest.approx(-5.0, abs=0.3)
    assert len(found) == 4 and (found["members"] == 4).all()


def test_one_member_has_no_year_effects(region):
    found = moisture_spread(planted(members=1), region, UNTIL_ZERO)
    assert found["year effects"].isna().all()
    assert (found["raw trend"].notna()).all()


def test_years_outside_the_data_are_refused(region):
    with pytest.raises(ValueError, match="do not hold all of it"):
        moisture_spread(planted(), region, (2000, 2050))


def test_a_region_without_cells_is_refused(region):
    with pytest.raises(ValueError, match="no cell of the region has permafrost"):
        moisture_spread(planted(), 0 * region, UNTIL_ZERO)


def test_an_unknown_contribution_is_drawn_neither_as_a_gain_nor_as_a_loss():
    rows = [
        {"model": name, "moisture": water, "depth": depth, "change": 1.0, "raw trend": part}
        for name, part in (("gains", 2.0), ("unknown", np.nan))
        for water in ("liquid", "total")
        for depth in (0.1, 1.0)
    ]
    ax = change_figure(pd.DataFrame(rows)).axes[0]
    drawn = {dots.get_label(): len(dots.get_offsets()) for dots in ax.collections}
    drawn = {label: count for label, count in drawn.items() if not label.startswith("_")}
    assert drawn == {"liquid water's contribution is a gain of carbon": 1, "unknown": 1}


def test_disagreement_counts_what_is_known():
    rows = pd.DataFrame({"moisture": "liquid", "depth": 0.1, "change": [1.0, -3.0, np.nan, 0.0]})
    found = disagreement(rows, "change").loc["liquid, 0.1 m"]
    assert found[["models", "positive"]].tolist() == [3, 1]
    assert found[["least", "median", "most"]].tolist() == [-3.0, 0.0, 1.0]


# ------------------------------------------------------------------ sources of the catalogue


@pytest.fixture
def sources(monkeypatch, tmp_path):
    """Phases for two entries of the catalogue, and a build folder for their yearly data."""
    real = catalog.entry

    def entry(name):
        update = {"phases": PHASES} if name in ("ircc", "cmip6") else {}
        return real(name).model_copy(update=update)

    monkeypatch.setattr(catalog, "entry", entry)
    monkeypatch.setattr(data_sources, "is_synthetic", lambda name, quick=False: name == "cmip6")
    monkeypatch.setenv("MPCF_BUILD", str(tmp_path))

    def build(**yearly):
        for name, dataset in yearly.items():
            dataset.to_zarr(tmp_path / name / "yearly.zarr", mode="w", zarr_format=2)
        return tmp_path

    return build


def test_models_are_compared_by_name_and_synthetic_ones_are_marked(sources):
    sources(ircc=planted(), cmip6=planted(rise=-0.5))
    table = compare("ircc", ["cmip6", "ircc"])
    change = table[table["moisture"] == "liquid"].groupby("model")["change"].min()
    assert change[THIS_SOURCE] > 0 > change["cmip6 (synthetic)"]
    assert len(table) == 8


def test_unknown_model_suggests_the_closest(sources):
    sources(ircc=planted())
    with pytest.raises(UnknownSource, match="did you mean cmip6"):
        compare("ircc", ["cmpi6"])


def test_model_that_is_not_built_says_what_builds_it(sources):
    sources(ircc=planted())
    with pytest.raises(FileNotFoundError, match=r"python -m mpcf run 01 --source cmip6$"):
        compare("ircc", ["cmip6"])


def test_entry_without_phases_is_refused(sources):
    sources(ircc=planted())
    with pytest.raises(ValueError, match="source 'toolik' has no phases"):
        compare("ircc", ["toolik"])


def test_model_that_lacks_a_variable_is_named(sources):
    sources(ircc=planted(), cmip6=planted().drop_vars("soil_water"))
    with pytest.raises(ValueError, match="source 'cmip6' lacks soil_water; leave it out"):
        compare("ircc", ["cmip6"])


# --------------------------------------------------------------------------- the page


@pytest.fixture
def page(sources, monkeypatch):
    """Run the chapter on planted sources, and return what it recorded."""
    monkeypatch.setattr("IPython.display.display", lambda *shown, **options: None)

    def run(models=(), **yearly):
        folder = sources(**yearly) / "ircc" / "results"
        cells = json.loads(NOTEBOOK.read_text(encoding="utf-8"))["cells"]
        code = "\n".join("".join(c["source"]) for c in cells if c["cell_type"] == "code")
        code = code.replace('source = "demo"', 'source = "ircc"')
        exec(code.replace("models = []", f"models = {list(models)}"), {})
        return [json.loads((folder / f"{k}.json").read_text()) for k in ("sentences", "numbers")]

    return run


@pytest.mark.parametrize(
    ("effect", "rise", "signs", "answer"),
    [
        (EFFECT, 0.5, "they agree on both signs", "its sign is the same in all."),
        (-EFFECT, 0.5, "they agree on both signs", "its sign depends on the model."),
        (
            -EFFECT,
            -0.5,
            "they disagree on the sign of liquid water and of liquid and frozen water",
            "its sign is the same in all.",
        ),
    ],
)
def test_words_turn_with_what_models_do(page, effect, rise, signs, answer):
    sentences, numbers = page(["cmip6"], ircc=planted(), cmip6=planted(effect, rise))
    sentence = sentences["09-across-models/finding"]
    assert sentence.startswith("Models compared: 2, this source and models of the catalogue.")
    assert signs in sentence
    assert sentence.endswith(answer)
    assert not any("variant" in key for key in numbers)


def test_without_models_the_synthetic_variants_stand_in(page):
    sentences, numbers = page(ircc=planted())
    count = evidence.read("draws-moisture")["set"].nunique()
    assert numbers["09-across-models/evidence.n"]["value"] == count + 1
    assert "this source and synthetic variants" in sentences["09-across-models/finding"]


# --------------------------------------------------------------------------- kept evidence


def test_kept_variants_are_those_that_candidates_are_judged_on():
    kept = evidence.read("draws-moisture")
    assert (kept["set"].value_counts() == 4).all()
    kept = kept[kept["depth"] == 1.0].set_index(["set", "moisture"])[["raw trend", "year effects"]]
    drawn = evidence.read("draws")
    drawn = drawn[(drawn["candidate"] == "plain") & (drawn["stretch"] == "until net zero")]
    drawn = drawn[drawn["moisture"].isin(["liquid", "total"])]
    drawn = drawn.pivot(index=["set", "moisture"], columns="estimator", values="estimate")
    pd.testing.assert_frame_equal(kept, drawn[kept.columns], rtol=1e-3, check_names=False)


def test_missing_table_names_the_command_that_writes_it():
    with pytest.raises(FileNotFoundError, match=r"python -m evidence draws$"):
        evidence.read("draws-nothing")
