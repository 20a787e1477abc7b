"""Errors by cluster and in space: references by long hand, invariances, and the kept evidence."""

import itertools
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
import statsmodels.formula.api as smf
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from evidence import clusters as evidence_of_clusters
from evidence.sizes import Case, simulate
from mpcf.book.evidence import read
from mpcf.errors import DataError, InvalidChoice, UnknownName
from mpcf.method.clusters import conley, cr2, sign_patterns, wild_cluster_bootstrap

PLAIN = "uptake ~ moisture + temperature"
BOTH_EFFECTS = f"{PLAIN} + C(site) + C(year)"
SLOPES = ["moisture", "temperature"]


def towers(seed=0, sites=6, years=9):
    """A panel in which each site has its own stretch of years."""
    rng = np.random.default_rng(seed)
    rows = [
        (f"site {s}", 2000 + year)
        for s in range(sites)
        for year in range(rng.integers(0, 4), rng.integers(6, years + 1))
    ]
    table = pd.DataFrame(rows, columns=["site", "year"])
    numbers = table["site"].str[-1].astype(int)
    level = rng.normal(size=(3, sites))[:, numbers]
    values = rng.normal(size=(3, len(table))) + level
    table["moisture"], table["temperature"] = values[:2]
    table["uptake"] = values[2] + 0.4 * table["moisture"]
    table["lat"], table["lon"] = 55.0 + 3 * numbers, 20.0 * numbers
    return table


def cr2_by_definition(fitted, groups):
    """CR2 and Satterthwaite's freedom from the whole matrix I − H."""
    x, e = fitted.model.exog, fitted.resid.to_numpy()
    m = np.linalg.inv(x.T @ x)
    rest = np.eye(len(x)) - x @ m @ x.T
    meat, ends = np.zeros_like(m), []
    for g in pd.unique(groups):
        here = np.flatnonzero(groups == g)
        values, vectors = np.linalg.eigh(rest[np.ix_(here, here)])
        root = [value**-0.5 if value > 1e-9 else 0 for value in values]
        root = vectors @ np.diag(root) @ vectors.T
        score = x[here].T @ root @ e[here]
        meat += np.outer(score, score)
        ends.append(rest[:, here] @ root @ x[here] @ m)
    ends = np.array(ends)
    products = np.einsum("gnc,hnc->cgh", ends, ends)
    freedom = np.einsum("cgg->c", products) ** 2 / (products**2).sum((1, 2))
    return np.sqrt(np.diag(m @ meat @ m)), freedom


@pytest.mark.parametrize("formula", [PLAIN, f"{PLAIN} + C(site)", BOTH_EFFECTS])
def test_cr2_is_its_definition(formula):
    table = towers()
    fitted = smf.ols(formula, table).fit()
    se, freedom = cr2_by_definition(fitted, table["site"].to_numpy())
    at = [fitted.model.exog_names.index(name) for name in SLOPES]
    found = cr2(fitted, table["site"]).loc[SLOPES]
    np.testing.assert_allclose(found["se"], se[at], rtol=1e-7)
    np.testing.assert_allclose(found["freedom"], freedom[at], rtol=1e-7)
    np.testing.assert_allclose(found["b"], fitted.params[SLOPES])
    p = 2 * stats.t.sf(abs(found["b"] / found["se"]), found["freedom"])
    np.testing.assert_allclose(found["p"], p)
    half = stats.t.ppf(0.975, found["freedom"]) * found["se"]
    np.testing.assert_allclose(found[["low", "high"]].T, [found["b"] - half, found["b"] + half])


def test_cr2_of_a_mean_of_equal_groups_is_that_of_the_group_means():
    table = pd.DataFrame({"site": np.repeat(range(5), 4), "uptake": np.arange(20.0) ** 1.5})
    found = cr2(smf.ols("uptake ~ 1", table).fit(), table["site"]).loc["Intercept"]
    known = stats.ttest_1samp(table.groupby("site")["uptake"].mean(), 0)
    assert found["t"] == pytest.approx(known.statistic)
    assert found["p"] == pytest.approx(known.pvalue)
    assert found["freedom"] == pytest.approx(4)


def test_cr2_of_a_difference_between_sites_is_welchs():
    """Bell and McCaffrey's closed form, for groups of one row in two classes."""
    rng = np.random.default_rng(2)
    table = pd.DataFrame({"wet": [0.0] * 5 + [1.0] * 9, "uptake": rng.normal(size=14)})
    found = cr2(smf.ols("uptake ~ wet", table).fit(), table.index).loc["wet"]
    dry, wet = (part["uptake"] for _, part in table.groupby("wet"))
    assert found["se"] == pytest.approx(np.sqrt(dry.var() / 5 + wet.var() / 9))
    # Welch's freedom at equal variances
    freedom = (1 / 5 + 1 / 9) ** 2 / (1 / 5**2 / 4 + 1 / 9**2 / 8)
    assert found["freedom"] == pytest.approx(freedom)


def test_groups_of_one_row_give_hc2():
    table = towers()
    fitted = smf.ols(PLAIN, table).fit()
    np.testing.assert_allclose(cr2(fitted, np.arange(len(table)))["se"], fitted.HC2_se)


def test_means_of_groups_may_be_taken_out_before_but_not_means_of_years():
    table = towers()
    names = ["uptake", *SLOPES]
    dummies = cr2(smf.ols(f"{PLAIN} + C(site)", table).fit(), table["site"]).loc[SLOPES]
    less_means = table[names] - table.groupby("site")[names].transform("mean")
    absorbed = cr2(smf.ols(f"{PLAIN} - 1", less_means).fit(), table["site"])
    np.testing.assert_allclose(absorbed, dummies, rtol=1e-9)
    years = sm.OLS(
        table[names], sm.add_constant(pd.get_dummies(table["year"], drop_first=True, dtype=float))
    ).fit()
    within = cr2(
        smf.ols(f"{PLAIN} - 1", table[names] - years.fittedvalues.to_numpy()).fit(), table["site"]
    )
    whole = cr2(smf.ols(f"{PLAIN} + C(year)", table).fit(), table["site"]).loc[SLOPES]
    np.testing.assert_allclose(within["b"], whole["b"])
    assert (abs(within["se"] / whole["se"] - 1) > 1e-3).all()


def test_a_coefficient_that_one_group_alone_determines_has_no_error():
    table = towers()
    table["burnt"] = (table["site"] == "site 2").astype(float)
    found = cr2(smf.ols(f"{PLAIN} + burnt", table).fit(), table["site"])
    assert found.loc["burnt", ["se", "freedom", "t", "p", "low", "high"]].isna().all()
    assert np.isfinite(found.loc["burnt", "b"]) and found.loc[SLOPES].notna().all(axis=None)


def bootstrap_by_loop(table, name, signs):
    """Fit the restricted and then, for each pattern of signs, the full model."""
    full = BOTH_EFFECTS
    restricted = smf.ols(full.replace(f"{name} + ", ""), table).fit()
    order = {site: i for i, site in enumerate(table["site"].unique())}
    at = table["site"].map(order).to_numpy()
    found = []
    for w in signs:
        y = restricted.fittedvalues + restricted.resid * np.asarray(w)[at]
        fitted = smf.ols(full, table.assign(uptake=y)).fit(
            cov_type="cluster", cov_kwds={"groups": table["site"]}, use_t=True
        )
        found.append(fitted.tvalues[name])
    return np.abs(found)


def test_wild_bootstrap_is_the_slow_loop_over_all_patterns():
    table = towers()
    turned = list(itertools.product((1, -1), repeat=5))  # all reversed give the same |t|
    t = bootstrap_by_loop(table, "moisture", [(1, *w) for w in turned])
    found = wild_cluster_bootstrap(smf.ols(BOTH_EFFECTS, table).fit(), table["site"], "moisture")
    assert abs(found["t"]) == pytest.approx(t[0])
    assert found["p"] == pytest.approx(np.mean(t >= t[0] * (1 - 1e-10)))
    assert (found["groups"], found["patterns"]) == (6, 32)


def test_wild_bootstrap_draws_patterns_where_there_are_too_many():
    table = towers(1)
    fitted = smf.ols(BOTH_EFFECTS, table).fit()
    found = wild_cluster_bootstrap(fitted, table["site"], "moisture", draws=25, seed=3)
    t = bootstrap_by_loop(table, "moisture", sign_patterns(6, 25, 3))
    assert found["p"] == pytest.approx(np.mean(t >= t[0] * (1 - 1e-10)))
    assert found["patterns"] == 25
    again = wild_cluster_bootstrap(fitted, table["site"], "moisture", draws=25, seed=3)
    assert again.equals(found)


@pytest.mark.parametrize("groups", [2, 3, 5])
def test_p_of_few_groups_is_never_below_what_their_signs_allow(groups):
    table = pd.DataFrame({"site": range(groups), "uptake": 100 + np.arange(groups)})
    found = wild_cluster_bootstrap(smf.ols("uptake ~ 1", table).fit(), table["site"], "Intercept")
    assert found["p"] == 2 / 2**groups


def test_patterns_begin_with_the_data_and_are_all_there():
    patterns = sign_patterns(4, 16)
    assert (patterns[0] == 1).all() and patterns.shape == (8, 4)
    assert len({tuple(w) for w in np.vstack([patterns, -patterns])}) == 16
    drawn = sign_patterns(4, 15)
    assert (drawn[0] == 1).all() and drawn.shape == (15, 4) and set(drawn.ravel()) == {-1, 1}
    assert sign_patterns(70, 20).shape == (20, 70)


def conley_by_loop(table, fitted, distance, lags, kernel):
    """The double sum over rows, with distances by the law of cosines."""
    x, e = fitted.model.exog, fitted.resid.to_numpy()
    lat, lon = np.radians(table["lat"].to_numpy()), np.radians(table["lon"].to_numpy())
    meat = np.zeros((x.shape[1],) * 2)
    for i, j in itertools.product(range(len(x)), repeat=2):
        cosine = np.sin(lat[i]) * np.sin(lat[j])
        cosine += np.cos(lat[i]) * np.cos(lat[j]) * np.cos(lon[i] - lon[j])
        apart = 6371.22 * np.arccos(min(cosine, 1.0))
        years = abs(table["year"].iloc[i] - table["year"].iloc[j])
        if years == 0:
            inside = apart <= distance
            weight = inside * (1 - apart / distance if kernel == "bartlett" else 1.0)
        elif table["site"].iloc[i] == table["site"].iloc[j]:
            weight = max(1 - years / (lags + 1), 0)
        else:
            weight = 0
        meat += weight * e[i] * e[j] * np.outer(x[i], x[j])
    m = np.linalg.inv(x.T @ x)
    return np.sqrt(np.diag(m @ meat @ m))


@pytest.mark.parametrize("lags", [0, 2])
@pytest.mark.parametrize("kernel", ["bartlett", "uniform"])
def test_conley_is_the_double_sum(kernel, lags):
    table = towers()
    fitted = smf.ols(PLAIN, table).fit()
    place = (table["lat"], table["lon"], table["year"])
    found = conley(fitted, *place, distance=1500, lags=lags, kernel=kernel)
    np.testing.assert_allclose(
        found["se"], conley_by_loop(table, fitted, 1500, lags, kernel), rtol=1e-6
    )
    assert (found["freedom"] == fitted.df_resid).all()


def test_conley_at_no_distance_is_hc0_and_at_any_distance_clusters_by_year():
    table = towers()
    fitted = smf.ols(PLAIN, table).fit()
    place = (table["lat"], table["lon"], table["year"])
    np.testing.assert_allclose(conley(fitted, *place, distance=0)["se"], fitted.HC0_se)
    whole = conley(fitted, *place, distance=30_000, kernel="uniform")["se"]
    by_year = fitted.get_robustcov_results(
        "cluster", groups=table["year"].to_numpy(), use_correction=False
    )
    np.testing.assert_allclose(whole, by_year.bse)
    long = conley(fitted, *place, distance=0, lags=10_000)["se"]  # almost cluster by site
    by_site = fitted.get_robustcov_results(
        "cluster", groups=table["site"].to_numpy(), use_correction=False
    )
    np.testing.assert_allclose(long, by_site.bse, rtol=1e-2)


def test_conley_counts_distance_across_the_date_line():
    table = towers().assign(lat=65.0, lon=lambda t: np.where(t["site"] < "site 3", 179.9, -179.9))
    fitted = smf.ols(PLAIN, table).fit()
    close = conley(fitted, table["lat"], table["lon"], table["year"], distance=20, kernel="uniform")
    same = conley(
        fitted, table["lat"], 0 * table["lon"], table["year"], distance=20, kernel="uniform"
    )
    pd.testing.assert_frame_equal(close, same)


def test_conley_gives_no_number_where_there_is_none():
    table = towers()
    fitted = smf.ols(PLAIN, table).fit()
    one_map = (table["lat"], table["lon"], np.full(len(table), 2000))
    with pytest.raises(DataError, match="no valid variance"):  # all scores add up to zero
        conley(fitted, *one_map, distance=30_000, kernel="uniform")
    # residuals of alternating sign along a line make the uniform kernel's sum negative
    line = pd.DataFrame(
        {"lat": 60.0, "lon": np.arange(30) / 10, "uptake": np.resize([1.0, -1], 30)}
    )
    fitted = smf.ols("uptake ~ 1", line).fit()
    with pytest.raises(DataError, match="no valid variance"):
        conley(fitted, line["lat"], line["lon"], 0 * line["lat"], distance=6, kernel="uniform")


RENAMED = {f"site {i}": name for i, name in enumerate("zyxwvu")}


@settings(max_examples=20, deadline=None)
@given(
    seed=st.integers(0, 1000),
    of_y=st.floats(-1e3, 1e3).filter(lambda v: abs(v) > 1e-3),
    of_x=st.floats(1e-3, 1e3),
)
def test_units_order_and_names_do_not_matter(seed, of_y, of_x):
    table = towers(seed)
    other = table.assign(
        uptake=of_y * table["uptake"],
        moisture=of_x * table["moisture"] + 7,
        site=table["site"].map(RENAMED),
    ).sample(frac=1, random_state=seed)
    one, two = (smf.ols(PLAIN, t).fit() for t in (table, other))
    pairs = [
        (cr2(one, table["site"]), cr2(two, other["site"])),
        tuple(
            conley(f, t["lat"], t["lon"], t["year"], distance=900, lags=1)
            for f, t in ((one, table), (two, other))
        ),
    ]
    for before, after in pairs:
        before, after = before.loc["moisture"], after.loc["moisture"]
        for name in ("freedom", "p"):
            assert after[name] == pytest.approx(before[name], rel=1e-6)
        assert after["se"] == pytest.approx(before["se"] * abs(of_y) / of_x, rel=1e-6)
    p = [
        wild_cluster_bootstrap(f, t["site"], "moisture")["p"]
        for f, t in ((one, table), (two, other))
    ]
    assert p[0] == p[1]


def test_rows_with_gaps_are_left_out_with_their_groups():
    table = towers()
    gaps = table.copy()
    gaps.loc[[3, 8], "moisture"] = np.nan
    fitted, short = smf.ols(PLAIN, gaps).fit(), gaps.dropna()
    known = smf.ols(PLAIN, short).fit()
    for call in (cr2, lambda f, g: wild_cluster_bootstrap(f, g, "moisture")):
        pd.testing.assert_frame_equal(
            pd.DataFrame(call(fitted, gaps["site"])), pd.DataFrame(call(known, short["site"]))
        )
    pd.testing.assert_frame_equal(
        conley(fitted, gaps["lat"], gaps["lon"], gaps["year"], distance=500),
        conley(known, short["lat"], short["lon"], short["year"], distance=500),
    )


@pytest.mark.filterwarnings("ignore:The design matrix is rank-deficient")
def test_what_cannot_be_given_is_an_error_that_says_what_to_do():
    table = towers()
    fitted = smf.ols(PLAIN, table).fit()
    site, place = table["site"], (table["lat"], table["lon"], table["year"])
    weighted = smf.wls(PLAIN, table, weights=np.full(len(table), 2.0)).fit()
    gap = sm.OLS(table["uptake"].where(site != "site 1"), table[SLOPES]).fit()
    twice = smf.ols(f"{PLAIN} + again", table.assign(again=table["moisture"])).fit()
    few = smf.ols(PLAIN, table[:3]).fit()
    exact = smf.ols("moisture ~ moisture2", table.assign(moisture2=2 * table["moisture"])).fit()
    duplicated = smf.ols(PLAIN, table.set_index("year")).fit()
    unnamed = pd.Series(site.to_numpy()[::-1], index=table["year"].to_numpy()[::-1])
    for message, call in {
        "all rows are of one group": lambda: cr2(fitted, np.zeros(len(table))),
        r"values for \d+ rows of the fit": lambda: cr2(fitted, site.to_numpy()[1:]),
        "'groups' is missing in 1 rows": lambda: cr2(fitted, site.where(site.index > 0)),
        "reset_index": lambda: cr2(duplicated, unnamed),
        "a fit by WLS": lambda: cr2(weighted, site),
        r"gap \(NaN\)": lambda: wild_cluster_bootstrap(gap, site, "moisture"),
        "depend on each other": lambda: cr2(twice, site),
        "more rows are needed": lambda: cr2(few, table["year"][:3]),
        "no clustered error": lambda: wild_cluster_bootstrap(exact, site, "moisture2"),
        "are lat and lon exchanged": lambda: conley(fitted, place[1], *place[1:], distance=1),
    }.items():
        with pytest.raises(DataError, match=message):
            call()
    with pytest.raises(UnknownName, match="did you mean moisture"):
        wild_cluster_bootstrap(fitted, site, "moistur")
    with pytest.raises(InvalidChoice, match="draws is 0"):
        wild_cluster_bootstrap(fitted, site, "moisture", draws=0)
    with pytest.raises(InvalidChoice, match="kernel 'round'"):
        conley(fitted, *place, distance=1, kernel="round")
    for wrong in ({"distance": -1}, {"distance": np.nan}, {"distance": 1, "lags": -1}):
        with pytest.raises(InvalidChoice, match="neither may be negative"):
            conley(fitted, *place, **wrong)


# --------------------------------------------------------------------------- kept evidence


@pytest.fixture(scope="module")
def kept():
    return read("clusters")


@pytest.mark.parametrize(
    ("kind", "case"),
    [("ensemble", Case(5, 12, 0.3, 1.0)), ("towers", Case(7, 25, 0.7, 1.0))],
)
def test_trials_of_the_evidence_are_what_a_reader_computes(kind, case):
    y, x, _ = simulate(case, 2)
    known = evidence_of_clusters.observed(kind, case, np.random.default_rng(1))
    assert known.sum(1).max() == case.years
    counted = evidence_of_clusters.panel_p(y, x, known, seed=5)
    for trial in range(2):
        table = x[trial].to_dataset("predictor").assign(y=y[trial])
        table = table.assign_coords(member=range(case.members)).to_dataframe().reset_index()
        table = table.sort_values(["member", "year"])[known.ravel()]
        formula = "y ~ moisture + temperature + precipitation + C(member) + C(year)"
        fitted = smf.ols(formula, table).fit()
        wild = wild_cluster_bootstrap(
            fitted,
            table["member"],
            "moisture",
            draws=evidence_of_clusters.DRAWS,
            seed=5 + trial,
        )
        reader = {
            "OLS": fitted.pvalues["moisture"],
            "CR2": cr2(fitted, table["member"]).loc["moisture", "p"],
            "wild bootstrap": wild["p"],
        }
        for name, p in reader.items():
            assert counted[name][trial] == pytest.approx(p, rel=1e-7), name


@pytest.mark.parametrize("years", [1, 3])
def test_maps_of_the_evidence_are_what_a_reader_computes(years):
    y, x = evidence_of_clusters.simulate_maps(500, years, 2)
    counted = evidence_of_clusters.map_p(y, x)
    places = np.tile([evidence_of_clusters.LAT, evidence_of_clusters.LON], years)
    year = np.repeat(range(years), 100)
    for trial in range(2):
        table = pd.DataFrame(x[trial].reshape(3, -1).T, columns=list("abc")).assign(
            y=y[trial].ravel()
        )
        fitted = smf.ols("y ~ a + b + c", table).fit()
        reader = {
            f"Conley, {far} km": conley(fitted, *places, year, distance=far).loc["a", "p"]
            for far in evidence_of_clusters.DISTANCES
        }
        if years > 1:
            reader["CR2"] = cr2(fitted, year).loc["a", "p"]
        assert set(reader) | {"OLS"} == set(counted)
        for name, p in reader.items():
            assert counted[name][trial] == pytest.approx(p, rel=1e-7), name


def test_kept_rows_are_those_of_the_code(kept):
    again = pd.DataFrame(evidence_of_clusters.panel_rows("ensemble", Case(4, 51, 0.7, 1.0)))
    again = pd.concat([again, pd.DataFrame(evidence_of_clusters.map_rows(500, 1))])
    key = ["kind", "units", "years", "phi", "length", "test"]
    before, again = kept.set_index(key), again.set_index(key)
    before = before.loc[again.index]
    assert (before["trials"] + before["refused"] == evidence_of_clusters.TRIALS).all()
    np.testing.assert_allclose(
        before["rate"], again["rate"], atol=1.1 / evidence_of_clusters.TRIALS
    )


def test_clustered_rows_are_those_of_the_other_table(kept):
    """Both tables count the same ensembles."""
    other = read("sizes").rename(columns={"members": "units"})
    other = other[(other["what"] == "size") & (other["common signal"] == 1)]
    other = other[(other["estimator"] == "year effects") & (other["error"] == "cluster")]
    ours = kept[(kept["kind"] == "ensemble") & (kept["test"] == "clustered (CR1)")]
    both = ours.merge(other, on=["units", "years", "phi"])
    assert len(both) == 24
    np.testing.assert_allclose(
        both["rate"], both["measured"], atol=1.1 / evidence_of_clusters.TRIALS
    )


def test_cr2_keeps_its_promise_where_others_do_not(kept):
    rate = kept.set_index("test")["rate"]
    panels = kept[kept["kind"] != "map"].set_index("test")["rate"]
    assert panels["CR2"].max() < 0.08 and panels["wild bootstrap"].max() < 0.08
    assert panels["OLS"].max() > 0.4 and panels["Newey-West"].max() > 0.2
    one_map = kept[(kept["kind"] == "map") & (kept["years"] == 1) & (kept["length"] > 0)]
    assert one_map["rate"].min() > 0.15  # no error mends one map
    assert rate["CR2"].max() < 0.08


def test_the_example_for_towers_runs_and_its_two_fits_agree(tmp_path, monkeypatch):
    page = (Path(__file__).parents[2] / "book/use-your-own-data.md").read_text(encoding="utf-8")
    (code,) = re.findall(r"\(errors-for-towers\)=.*?```python\n(.*?)```", page, re.DOTALL)
    table = towers()
    table["precipitation"] = np.random.default_rng(5).normal(size=len(table))
    table.to_csv(tmp_path / "towers.csv", index=False)
    monkeypatch.chdir(tmp_path)
    names = {}
    exec(code, names)
    by_page = names["fit"](
        names["panel"]["uptake"], names["x"], "year effects", errors="cluster", min_rows=30
    )
    wild = wild_cluster_bootstrap(names["fitted"], table["site"], "moisture")
    for name in ("b", "se", "t"):
        value = float(by_page[name].sel(predictor="moisture"))
        assert value == pytest.approx(wild[name]), name
