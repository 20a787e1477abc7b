"""Field tables: known answers, what is refused, and real records."""

import io
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import statsmodels.formula.api as smf
from hypothesis import given, settings
from hypothesis import strategies as st

from mpcf.data.field import end_of_season_thaw, thaw_of_table, tower_years
from mpcf.errors import DataError, InvalidChoice
from mpcf.method.regression import fit, response

# ------------------------------------------------------------------------------- thaw probes


def probes(*rows):
    return pd.DataFrame(rows, columns=["site", "date", "point", "depth"])


def test_the_latest_visit_in_the_window_counts():
    table = probes(
        ("A", "2010-08-20", 1, 30),
        ("A", "2010-09-10", 1, 40),
        ("A", "2010-09-10", 2, 44),
        ("A", "2010-09-10", 3, 48),
        ("A", "2010-09-16", 1, 99),
        ("A", "2012-08-15", 1, 50),
        ("B", "2012-07-01", 1, 20),
    )
    thaw = end_of_season_thaw(table, units="cm")
    assert thaw.year.values.tolist() == [2010, 2011, 2012]
    assert thaw.site.values.tolist() == ["A", "B"]
    np.testing.assert_allclose(thaw.thaw_depth, [[0.44, np.nan, 0.5], [np.nan] * 3])
    assert thaw.n.values.tolist() == [[3, 0, 1], [0, 0, 0]]
    # 40, 44, 48 have the standard deviation 4
    np.testing.assert_allclose(thaw.se[0], [0.04 / np.sqrt(3), np.nan, np.nan])
    assert thaw.date.values[0, 0] == np.datetime64("2010-09-10")
    assert thaw.thaw_depth.attrs["units"] == "m"


def test_metres_and_centimetres_are_the_same():
    table = probes(("A", "2010-08-30", 1, 0.4), ("A", "2010-08-30", 2, 0.5))
    cm = table.assign(depth=table.depth * 100)
    in_m, in_cm = end_of_season_thaw(table, units="m"), end_of_season_thaw(cm, units="cm")
    np.testing.assert_allclose(in_m.thaw_depth, in_cm.thaw_depth)


@pytest.mark.parametrize("beyond", ["> 120", ">120", "≥ 120", 120])
def test_a_censored_probe_leaves_the_mean_unknown(beyond):
    table = probes(("A", "2010-08-30", 1, 60), ("A", "2010-08-30", 2, beyond))
    thaw = end_of_season_thaw(table, units="cm", rod=120).squeeze()
    assert np.isnan(thaw.thaw_depth) and np.isnan(thaw.se)
    assert float(thaw.at_least) == pytest.approx(0.9)
    assert (int(thaw.n), int(thaw.n_censored)) == (2, 1)


def test_rods_may_differ_by_site():
    table = probes(("A", "2010-08-30", 1, 120), ("B", "2010-08-30", 1, 120))
    thaw = end_of_season_thaw(table, units="cm", rod={"A": 120})
    assert thaw.n_censored.values.ravel().tolist() == [1, 0]


@given(st.lists(st.floats(5, 300), min_size=1, max_size=20), st.randoms())
@settings(max_examples=25)
def test_the_order_of_rows_does_not_matter(depths, random):
    table = probes(*(("A", "2010-08-30", point, depth) for point, depth in enumerate(depths)))
    order = list(range(len(depths)))
    random.shuffle(order)
    mixed = table.iloc[order].set_axis([0] * len(order))
    thaw, same = (end_of_season_thaw(t, units="cm").squeeze() for t in (table, mixed))
    assert float(thaw.thaw_depth) == pytest.approx(np.mean(depths) / 100)
    assert float(same.thaw_depth) == pytest.approx(float(thaw.thaw_depth))


@given(st.lists(st.floats(5, 119), min_size=2, max_size=20), st.data())
@settings(max_examples=25)
def test_censoring_more_never_gives_a_number_back(depths, data):
    stopped = data.draw(st.lists(st.sampled_from(range(len(depths))), unique=True))
    text = [f"> {d}" if i in stopped else d for i, d in enumerate(depths)]
    table = probes(*(("A", "2010-08-30", i, d) for i, d in enumerate(text)))
    thaw = end_of_season_thaw(table, units="cm").squeeze()
    assert int(thaw.n_censored) == len(stopped)
    assert bool(np.isnan(thaw.thaw_depth)) == bool(stopped)
    assert float(thaw.at_least) == pytest.approx(np.mean(depths) / 100)


def test_an_empty_reading_is_left_out():
    table = probes(
        ("A", "2010-08-30", 1, 60), ("A", "2010-08-30", 2, np.nan), ("B", "2010-08-30", 1, "")
    )
    thaw = end_of_season_thaw(table, units="cm").squeeze()
    assert thaw.n.values.tolist() == [1, 0]
    np.testing.assert_allclose(thaw.thaw_depth, [0.6, np.nan])


@pytest.mark.parametrize(
    ("row", "units", "says"),
    [
        (
            ("A", "2010-08-30", 2, "rock"),
            "cm",
            "site A on 2010-08-30: depth 'rock' is not a number",
        ),
        (("A", "2010-08-30", 2, -9999), "cm", "negative"),
        (("A", "2010-08-30", 2, 40), "m", "over 20 m; check the unit"),
        (("A", "2010-08-30", 2, 0.5), "K", "can't be converted to m"),
        (("A", "2010-08-30", 2, 121), "cm", "more than the length of the rod"),
        (("A", "2010-08-30", 1, 40), "cm", "point 1 of site A was probed twice on 2010-08-30"),
        (("A", "30.8.2010", 2, 40), "cm", "not written as 2011-08-30"),
        (("A", None, 2, 40), "cm", "row 1 has no date"),
        ((None, "2010-08-30", 2, 40), "cm", "row 1 has no site"),
    ],
)
def test_a_wrong_row_is_named(row, units, says):
    with pytest.raises(DataError, match=says):
        end_of_season_thaw(probes(("A", "2010-08-30", 1, 0.5), row), units=units, rod=120)


def test_a_table_in_another_unit_a_missing_column_and_an_empty_window_are_refused():
    table = probes(("A", "2010-08-30", 1, 0.5), ("A", "2010-08-30", 2, 0.6))
    with pytest.raises(DataError, match=r"deepest reading is 0\.6 cm"):
        end_of_season_thaw(table, units="cm")
    with pytest.raises(DataError, match="no column 'depth'; there are site, date, point"):
        end_of_season_thaw(table.drop(columns="depth"), units="m")
    with pytest.raises(DataError, match="no probing between 10-01 and 10-31"):
        end_of_season_thaw(table, units="m", window=("10-01", "10-31"))
    with pytest.raises(InvalidChoice, match="ends before it begins"):
        end_of_season_thaw(table, units="m", window=("10-01", "09-01"))


def test_a_wide_table_without_years_or_with_a_site_twice_is_refused():
    table = pd.DataFrame({"LAT": [70.0, 71.0], "2010": [40, 41]}, index=["U1", "U1"])
    with pytest.raises(DataError, match="site U1 has two rows"):
        thaw_of_table(table, units="cm")
    with pytest.raises(DataError, match="no column is named by a year"):
        thaw_of_table(table[["LAT"]], units="cm")
    with pytest.raises(DataError, match="site U1 in 2010: depth '-1'"):
        thaw_of_table(pd.DataFrame({2010: [-1]}, index=["U1"]), units="cm")


def test_the_active_layer_network_has_its_known_answers(real_records):
    path = real_records / "calm-alt" / "CALM_Summary_table_simplified.csv"
    if not path.is_file():
        pytest.skip(f"no copy of the table of the monitoring network at {path.name}")
    table = pd.read_csv(path, index_col="ID")
    thaw = thaw_of_table(table, units="cm", rod={"U30": 120})
    assert dict(thaw.sizes) == {"site": 124, "year": 32}
    assert float(thaw.thaw_depth.sel(site="U1", year=2019)) == pytest.approx(0.47)
    assert float(thaw.thaw_depth.max()) == pytest.approx(5.49)
    numbers = table.drop(columns=["LAT", "LON"]).to_numpy()
    np.testing.assert_allclose(thaw.at_least, numbers / 100)
    # U30 has 120 cm in all but three of its years, which can only be the length of the rod
    censored = thaw.at_least.notnull() & thaw.thaw_depth.isnull()
    assert int(censored.sum()) == int(censored.sel(site="U30").sum()) == 15
    assert int(thaw.thaw_depth.sel(site="U30").count()) == 3


# ------------------------------------------------------------------------------------ towers


def towers(seed=0, sites=7, years=9):
    rng = np.random.default_rng(seed)
    index = pd.MultiIndex.from_product([[f"S{i}" for i in range(sites)], range(2001, 2001 + years)])
    table = pd.DataFrame(rng.normal(size=(len(index), 3)), index, ["moisture", "temperature", "e"])
    site = np.repeat(rng.normal(size=sites), years)
    table["nep"] = 2 * table.moisture - table.temperature + 5 * site + table.e
    table = table.rename_axis(["site", "year"]).reset_index()
    table.loc[rng.choice(len(table), 4), "moisture"] = np.nan
    kept = table.drop(index=rng.choice(len(table), 15, replace=False))
    return kept.sample(frac=1, random_state=1)


NAMES = ["moisture", "temperature"]


def fitted(table, estimator):
    panel = tower_years(table, ["nep", *NAMES])
    x = panel[NAMES].to_array("predictor")
    return fit(panel["nep"], x, estimator, errors="cluster", min_rows=10)


@pytest.mark.parametrize("estimator", ["raw trend", "year effects"])
def test_an_unbalanced_panel_equals_dummies_of_statsmodels(estimator):
    table = towers()
    rows = table.dropna()
    years = " + C(year)" if estimator == "year effects" else ""
    model = smf.ols(f"nep ~ moisture + temperature + C(site){years}", rows)
    groups = rows["site"].astype("category").cat.codes
    reference = model.fit(cov_type="cluster", cov_kwds={"groups": groups}, use_t=True)
    ours = fitted(table, estimator)
    assert int(ours["n"]) == len(rows) < 7 * 9
    np.testing.assert_allclose(ours["b"], reference.params[NAMES], rtol=1e-9)
    np.testing.assert_allclose(ours["se"], reference.bse[NAMES], rtol=1e-9)
    np.testing.assert_allclose(ours["p"], reference.pvalues[NAMES], rtol=1e-7)


def test_an_unbalanced_panel_equals_linearmodels():
    from linearmodels import PanelOLS

    table = towers(seed=3)
    rows = table.dropna().set_index(["site", "year"])
    reference = PanelOLS(rows["nep"], rows[NAMES], entity_effects=True, time_effects=True).fit(
        cov_type="clustered", cluster_entity=True, group_debias=True, count_effects=True
    )
    ours = fitted(table, "year effects")
    np.testing.assert_allclose(ours["b"], reference.params, rtol=1e-9)
    np.testing.assert_allclose(ours["se"], reference.std_errors, rtol=1e-9)


def test_years_that_no_tower_measured_are_filled_in():
    table = pd.DataFrame({"site": list("AABB"), "year": [2001, 2004, 2001, 2002], "nep": 1.0})
    panel = tower_years(table, ["nep"])
    assert panel.year.values.tolist() == [2001, 2002, 2003, 2004]
    assert int(panel.nep.count()) == 4


def test_net_uptake_follows_from_gross_fluxes():
    table = pd.DataFrame({"site": "A", "year": [2001, 2002], "gpp": 500.0, "ra": 250, "rh": 230})
    assert response(tower_years(table, ["gpp", "ra", "rh"]), "nep").values.tolist() == [[20.0, 20]]


def test_a_site_with_one_complete_year_is_left_out_and_named():
    table = pd.DataFrame(
        {"site": list("AABB"), "year": [1, 2, 1, 2], "nep": 1.0, "moisture": [1, 2, 3, np.nan]}
    )
    with pytest.warns(UserWarning, match="fewer than two years: B"):
        panel = tower_years(table, ["nep", "moisture"])
    assert panel.member.values.tolist() == ["A"]
    assert panel.attrs["left_out"] == "B"
    assert tower_years(table, ["nep"]).attrs["left_out"] == ""


def test_adding_a_site_of_one_year_changes_nothing():
    table = towers()
    more = pd.concat([table, table.iloc[:1].assign(site="alone")])
    with pytest.warns(UserWarning, match="alone"):
        ours = fitted(more, "year effects")
    assert ours.equals(fitted(table, "year effects"))


@pytest.mark.parametrize(
    ("change", "columns", "says"),
    [
        ({"year": [2001, 2001]}, ["nep"], "site A has the year 2001 twice"),
        ({"year": [2001, 2002.5]}, ["nep"], "'year' must be a whole number"),
        ({"year": [2001, None]}, ["nep"], "row 1 has no year"),
        (
            {"nep": [1.0, -9999]},
            ["nep"],
            r"'nep' has the value -9999 \(fill value\) at A 2002, rows in all: 1",
        ),
        ({"nep": ["1", "2"]}, ["nep"], "'nep' holds text"),
        ({"NEE_VUT_REF": [1.0, 2]}, ["NEE_VUT_REF"], "give nep, which is its negative"),
        ({}, ["nep", "moisture"], "no column 'moisture'"),
        ({"site": ["A", "B"]}, ["nep"], "no site has two years"),
    ],
)
def test_a_wrong_table_of_towers_is_refused(change, columns, says):
    table = pd.DataFrame({"site": "A", "year": [2001, 2002], "nep": [1.0, 2.0]})
    with pytest.raises(DataError, match=says):
        tower_years(table.assign(**change), columns)


# ---------------------------------------------------------------------- the page for readers

PAGE = Path(__file__).parents[2] / "book" / "use-your-own-data.md"


def test_what_the_page_shows_runs(tmp_path, monkeypatch, capsys):
    section = PAGE.read_text(encoding="utf-8").split("## Field data")[1].split("\n## ")[0]
    parts = dict(part.split("\n", 1) for part in section.split("\n### ")[1:])
    text = "".join(parts[p] for p in ("Probe depths", "Loggers", "Towers", "A cross-section"))
    tables = re.findall(r"```text\n(.*?)```", text, re.S)
    snippets = re.findall(r"```python\n(.*?)```", text, re.S)
    assert len(snippets) == len(tables) == 4
    rng = np.random.default_rng(0)
    heads = [table.splitlines()[0].split(",") for table in tables]
    time = pd.date_range("2010-01-01 00:30", "2012-01-01", freq="30min")
    warm = 12 * np.sin(2 * np.pi * (time.dayofyear - 110) / 365) - 2
    soil = pd.DataFrame(
        {name: warm * f for name, f in zip(heads[1][1:], (1, 0.5, -0.1), strict=True)}
    )
    panel = pd.MultiIndex.from_product([list("ABCDEF"), range(2004, 2014)], names=heads[2][:2])
    values = pd.DataFrame(rng.normal(size=(60, 4)), panel, heads[2][2:]).reset_index()
    files = {
        "soil": soil.set_axis(time).rename_axis(heads[1][0]).reset_index(),
        "towers": values.drop(index=[3, 17, 40]),
        "runs": pd.DataFrame(rng.normal(size=(30, len(heads[3]))), columns=heads[3]),
    }
    monkeypatch.chdir(tmp_path)
    Path("probes.csv").write_text(tables[0])
    for (name, file), shown in zip(files.items(), tables[1:], strict=True):
        more = pd.read_csv(io.StringIO(shown))
        assert list(more.columns) == list(file.columns)
        file.to_csv(f"{name}.csv", index=False)
    names = {}
    for snippet in snippets:
        exec(snippet, names)
    assert np.isnan(names["thaw"].sel(site="A", year=2010)["thaw_depth"])
    assert float(names["thaw"].sel(site="A", year=2011)["thaw_depth"]) == pytest.approx(0.495)
    assert names["daily"]["failed"].values.tolist() == [0, 0, 0]
    assert names["whole"].values.tolist() == [True, True]
    assert names["panel"]["nep"].count() == 57
    assert int(names["found"]["n"]) == 30
    assert "zero_curtain" in capsys.readouterr().out
