"""Specification curve: planted effects turn every count, verdict and sentence."""

import json
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
import xarray as xr

from mpcf.data import catalog, sources
from mpcf.figures.specification import curve
from mpcf.figures.style import COLOURS
from mpcf.method.attribution import period_carbon
from mpcf.method.moisture import MEANINGS, permafrost_region
from mpcf.method.regression import predictors, response
from mpcf.method.specification import (
    CHOICES,
    STUDY_SPECIFICATION,
    makes_choices,
    matching_truth,
    one_step_away,
    sensitivity_by_choice,
    specifications,
    tally,
)

PHASES = {"warming": (2000, 2039), "mitigation": (2040, 2064), "net-zero": (2065, 2074)}
EACH = 13 * 2 * 5 * 3 * 2 * 2 * 3  # moistures, uptakes, predictors, estimators, fits, regions, ends
NOTEBOOK = Path(__file__).parents[2] / "notebooks" / "08-robustness.ipynb"


def test_every_meaning_of_moisture_is_among_the_specifications():
    frame = specifications(planted(), PHASES)
    assert set(frame["moisture"]) == set(MEANINGS) == set(CHOICES["moisture"])


def planted(moisture=-3.0, temperature=1.0, *, respired=0.0, members=4, noise=0.0):
    """Yearly data in which GPP and RA respond to moisture, whatever its meaning, depth or season.

    All meanings of moisture are the same series, times a factor, so that every specification
    should find the planted effect. CO2 and precipitation have none.
    """
    rng = np.random.default_rng(3)
    years = np.arange(2000, 2075)
    shape = (members, years.size, 2, 2)
    rise = np.linspace(0, 1, years.size)
    wet = 20 + (4 * rise + 0.5 * rng.normal(size=years.size))[:, None, None]
    wet = wet + rng.normal(size=shape)
    warm = -8 + (3 * rise)[:, None, None] + rng.normal(size=shape)
    rain = 300 + rng.normal(size=shape)
    cells = {"member": range(members), "year": years, "lat": [60.0, 70.0], "lon": [0.0, 90.0]}
    dims = tuple(cells)

    def field(values):
        return xr.DataArray(values, cells, dims)

    season = xr.DataArray([0.0, 12.0], {"season": ["year", "thaw"]})
    top = xr.DataArray([0.1, 1.0, 3.0], {"top": [0.1, 1.0, 3.0]})
    frozen = field(np.ones(shape))
    # by the second definition, one cell less
    second = frozen.where((frozen["lat"] < 65) | (frozen["lon"] > 0), 0.0)
    ra = 50 + respired * wet
    data = {
        "gpp": field(500 + moisture * wet + temperature * warm + noise * rng.normal(size=shape)),
        "ra": field(ra),
        "rh": field(np.full(shape, 100.0)),
        "temperature": field(warm) + season,
        "precipitation": field(rain) * (1 + season),
        "soil_liquid": field(wet) * top * (1 + season),
        "soil_water": field(wet) * top * (2 + season),
        "thaw_wetness": field(wet) / 50,
        "thaw_depth": field(0.9 + 0.05 * warm + 0.02 * rng.normal(size=shape)).clip(0.1, 3),
        "co2": field(
            400
            + (300 * rise[:, None, None] + rng.normal(size=(members, years.size, 1, 1)))
            * np.ones(shape)
        ).isel(lat=0, lon=0, drop=True),
        "permafrost": frozen,
        "permafrost_at": second,
        "areacella": (("lat", "lon"), np.array([[1e12, 2e12], [1e12, 3e12]])),
        "sftlf": (("lat", "lon"), np.full((2, 2), 100.0)),
    }
    return xr.Dataset(data)


@pytest.mark.parametrize(
    ("moisture", "temperature", "negative", "lowest", "largest"),
    [(-3.0, 1.0, 1, 1, 1), (3.0, 1.0, 0, 0, 1), (-1.0, -9.0, 1, 0, 0), (1.0, -9.0, 0, 0, 0)],
)
def test_planted_effect_decides_every_specification(
    moisture, temperature, negative, lowest, largest
):
    frame = specifications(planted(moisture, temperature), PHASES)
    for _, part in frame.groupby("period"):
        assert tally(part).loc["all"].tolist() == [
            EACH,
            *(EACH * counted for counted in (negative, lowest, largest)),
        ]
    assert sensitivity_by_choice(frame).max() == 0


def test_every_specification_finds_the_planted_carbon():
    yearly = planted(-3.0)
    frame = specifications(yearly, PHASES)
    wet = yearly["thaw_wetness"] * 50
    area = {
        "24 months": yearly["areacella"],
        "2 m": yearly["areacella"].where(yearly["permafrost_at"][0, 0] > 0, 0),
    }
    change = wet.mean("member") - wet.sel(year=slice(2000, 2014)).mean(("member", "year"))
    for (last, region), part in frame.groupby(["last", "region"]):
        whole = (change.sel(year=slice(2000, last)).sum("year") * area[region]).sum() * -3 / 1e15
        np.testing.assert_allclose(part["contribution"], float(whole), rtol=1e-6)
    coefficient = frame.set_index(["moisture", "depth", "season"])["coefficient"]
    np.testing.assert_allclose(coefficient["liquid", "3 m", "thaw"], -3 / 3 / 13, rtol=1e-6)
    np.testing.assert_allclose(coefficient["thaw_wetness"], -150, rtol=1e-6)


def test_contributions_are_those_of_the_attribution_and_of_a_pooled_fit():
    yearly = planted(noise=30.0)
    frame = specifications(yearly, PHASES)
    region = permafrost_region(yearly)
    x = predictors(yearly)
    y = response(yearly, "gpp-rh")
    cells = period_carbon(
        y.expand_dims(flux=["gpp-rh"]), x, region, {"warming": PHASES["warming"]}, "raw trend"
    ).sel(period="warming", flux="gpp-rh")
    row = frame[makes_choices(frame, STUDY_SPECIFICATION) & (frame["period"] == "warming")].iloc[0]
    assert row["contribution"] == pytest.approx(float(cells.sel(predictor="moisture")))
    assert row["temperature"] == pytest.approx(float(cells.sel(predictor="temperature")))

    share = region / region.sum()
    left, design = ((a * share).sum(("lat", "lon")).sel(year=slice(2000, 2039)) for a in (y, x))
    left, design = (a - a.mean("year") for a in (left, design))
    b, *_ = np.linalg.lstsq(
        design.transpose(..., "predictor").values.reshape(-1, 3), left.values.ravel(), rcond=None
    )
    pooled = STUDY_SPECIFICATION | {"fit": "regional mean"}
    row = frame[makes_choices(frame, pooled) & (frame["period"] == "warming")].iloc[0]
    assert row["coefficient"] == pytest.approx(b[0])


def test_the_choice_that_turns_the_sign_sways_most():
    frame = specifications(planted(3.0, respired=6.0), PHASES)
    assert tally(frame, "uptake")["negative"].tolist() == [0, EACH]
    assert sensitivity_by_choice(frame).index[0] == "uptake"
    assert sensitivity_by_choice(frame).tolist() == [1.0] + [0.0] * 8


def test_co2_that_all_members_share_leaves_out_year_effects_with_it():
    yearly = planted()
    yearly["co2"] = yearly["co2"].isel(member=0, drop=True).expand_dims(member=yearly["member"])
    frame = specifications(yearly, PHASES)
    gone = frame["contribution"].isna()
    wanted = (frame["estimator"] == "year effects") & (frame["predictors"].str.contains("CO2"))
    assert (gone == wanted).all()
    assert not frame.loc[gone, ["negative", "lowest", "largest"]].any().any()
    assert tally(frame).loc["all", "specifications"] == 2 * EACH * 12 // 15


def test_one_member_and_no_co2_leave_what_can_be_fitted():
    frame = specifications(planted(members=1).drop_vars("co2"), PHASES)
    assert set(frame["estimator"]) == {"raw trend", "first differences"}
    assert set(frame["predictors"]) == {"T, P", "T"}
    assert tally(frame).loc["all"].tolist() == [2 * EACH * 4 // 15] * 4


def test_ends_outside_the_data_are_left_out():
    frame = specifications(planted().sel(year=slice(2000, 2064)), PHASES)
    ends = frame.groupby("period")["last"].unique()
    assert sorted(ends["warming"]) == [2029, 2039, 2049]
    assert sorted(ends["until net zero"]) == [2054, 2064]


def test_a_source_without_permafrost_is_refused():
    yearly = planted()
    yearly["permafrost_at"] = yearly["permafrost_at"] * 0
    with pytest.raises(ValueError, match=r"no cell has permafrost \('2 m'\)"):
        specifications(yearly, PHASES)


def test_single_steps_change_one_choice_each():
    frame = specifications(planted(), PHASES)
    near = one_step_away(frame[frame["period"] == "warming"], STUDY_SPECIFICATION)
    options = {name: sorted(map(str, near[name].unique())) for name in CHOICES}
    assert options == {name: sorted(map(str, known)) for name, known in CHOICES.items()}
    assert len(near) == 1 + sum(len(known) - 1 for known in CHOICES.values()) - 1


def test_curve_is_sorted_and_marks_the_choices():
    frame = specifications(planted(noise=30.0), PHASES)
    fig = curve(
        frame, {"ours": STUDY_SPECIFICATION, "NEP": STUDY_SPECIFICATION | {"uptake": "nep"}}
    )
    tops = fig.axes[:2]
    for ax, (_, part) in zip(tops, frame.groupby("period", sort=False), strict=True):
        points, _, mark, other = ax.lines
        assert (np.diff(points.get_ydata()) >= 0).all() and points.get_xdata().size == EACH
        ours = part[makes_choices(part, STUDY_SPECIFICATION)]["contribution"].item()
        assert mark.get_ydata().tolist() == [ours]
        assert points.get_ydata()[int(mark.get_xdata()[0])] == ours
        assert mark.get_color() == COLOURS["temperature"] != other.get_color()
    plt.close(fig)


def test_each_specification_is_compared_with_the_truth_of_its_own_kind():
    yearly = planted()
    years = yearly["year"]
    gram = xr.zeros_like(yearly["gpp"]) + (years >= 2015)  # g m-2 yr-1, since the base period
    meaning = xr.DataArray([1.0, 10.0], {"meaning": ["liquid", "total"]})
    cause = xr.DataArray([1.0, 0.0, 0.0], {"cause": ["photosynthesis", "decomposition", "other"]})
    plants = gram * meaning * cause
    effects = xr.Dataset(
        {"gpp_instant": plants, "ra_instant": plants / 2, "rh_instant": 0 * plants}
    )
    rows = [
        ("nep", "liquid", "24 months", "warming", 2039),
        ("gpp-rh", "liquid", "24 months", "warming", 2039),
        ("nep", "thaw_wetness", "24 months", "warming", 2039),
        ("nep", "liquid", "2 m", "warming", 2039),
        ("nep", "liquid", "24 months", "until net zero", 2064),
    ]
    columns = ["uptake", "moisture", "region", "period", "last"]
    truth = matching_truth(pd.DataFrame(rows, columns=columns), effects, yearly, PHASES)
    # 0.5 g of 1 over 25 years and 7e12 m2, of which the second definition leaves 6e12
    first = 0.5 * 25 * 7e12 / 1e15
    expected = [first, 2 * first, 10 * first, first * 6 / 7, 2 * first]
    np.testing.assert_allclose(truth, expected)


@pytest.fixture
def page(monkeypatch, tmp_path):
    """Run the chapter on a planted source without twins, and return what it recorded."""
    source = catalog.entry("ircc").model_copy(update={"phases": PHASES})
    monkeypatch.setattr(catalog, "entry", lambda name: source)
    monkeypatch.setattr(sources, "is_synthetic", lambda name, quick=False: True)
    monkeypatch.setattr("IPython.display.display", lambda *shown, **options: None)
    monkeypatch.setenv("MPCF_BUILD", str(tmp_path))

    def run(yearly):
        yearly.to_zarr(tmp_path / "ircc" / "yearly.zarr", mode="w", zarr_format=2)
        cells = json.loads(NOTEBOOK.read_text(encoding="utf-8"))["cells"]
        code = "\n".join("".join(c["source"]) for c in cells if c["cell_type"] == "code")
        exec(code.replace('source = "demo"', 'source = "ircc"'), {})
        folder = tmp_path / "ircc" / "results"
        return [json.loads((folder / f"{k}.json").read_text()) for k in ("sentences", "numbers")]

    return run


@pytest.mark.parametrize(("effect", "counted"), [(-3.0, EACH), (3.0, 0)])
def test_sentences_turn_with_the_planted_sign(page, effect, counted):
    sentences, numbers = page(planted(effect))
    for key, start in (("finding", "In the warming phase"), ("finding_zero", "Until net zero")):
        sentence = sentences[f"08-robustness/{key}"]
        assert sentence.startswith(
            f"{start}, moisture's contribution is negative in {counted} of {EACH} specifications, "
            f"negative and the lowest of all predictors' in {counted}, and the largest in size, of "
            f"either sign, in {EACH}. Its sign is the same in all."
        )
        sign = "−" if effect < 0 else "+"
        assert f"the study's words gives {sign}" in sentence
        assert f"the same with NEP {sign}" in sentence
    assert numbers["08-robustness/turned"]["value"] == 0
    assert not any(key.startswith("08-robustness/truth.") for key in numbers)


def test_sentence_says_that_the_sign_depends_on_a_choice(page):
    sentences, numbers = page(planted(3.0, respired=6.0))
    assert f"negative in {EACH // 2} of {EACH}" in sentences["08-robustness/finding"]
    assert "Its sign depends on the choices." in sentences["08-robustness/finding"]
    assert numbers["08-robustness/low_warming"]["value"] == 0
    assert numbers["08-robustness/high_warming"]["value"] == 100
    assert numbers["08-robustness/turned"]["value"] == 1
    assert numbers["08-robustness/members"]["value"] == 4


def test_one_member_has_its_page(page):
    _, numbers = page(planted(members=1))
    assert numbers["08-robustness/members"]["value"] == 1
    assert numbers["08-robustness/fitted"]["value"] == 2 * EACH * 2 // 3
