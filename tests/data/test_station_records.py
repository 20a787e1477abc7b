"""Known answers of the real records, and the station methods on constructed series."""

import ast
import json
import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st

from mpcf.book import missing_records
from mpcf.data import records
from mpcf.ground.station import yearly_thaw_depth, zero_curtain_daily
from mpcf.method.statistics import correlation_interval, detectable_correlation

ROOT = Path(__file__).parents[2]
YEARS = list(range(1999, 2012))
THAW_DEPTH = [
    *(0.764, 0.742, 0.777, 0.799, 0.836, 0.919, 0.751),
    *(0.794, 0.901, 0.870, 0.927, 0.913, 0.926),
]
ZERO_CURTAIN = [70, 80, 43, 72, 71, 72, 69, 65, 27, 76, 76, 52, 32]


# ----------------------------------------------------------------------- the global-mean record


@pytest.fixture
def clm(record):
    return record("clm_cn")


def standardised(clm):
    x = clm[["TSA", "D_PREC", "D_TOTSOILLIQ"]].to_dataframe()
    return sm.add_constant((x - x.mean()) / x.std(ddof=1))


def test_the_regression_has_its_known_answer(clm):
    fit = sm.OLS((clm.GPP - clm.AR - clm.HR).values, standardised(clm)).fit()
    assert fit.params["TSA"] == pytest.approx(-0.132957, abs=5e-7)
    assert fit.params["D_PREC"] == pytest.approx(0.227342, abs=5e-7)
    assert fit.params["D_TOTSOILLIQ"] == pytest.approx(0.040940, abs=5e-7)
    assert fit.rsquared == pytest.approx(0.433617, abs=5e-7)
    assert fit.pvalues["D_TOTSOILLIQ"] == pytest.approx(0.354, abs=5e-4)


def test_the_robust_error_has_its_known_answer(clm):
    fit = sm.OLS((clm.GPP - clm.AR - clm.HR).values, standardised(clm)).fit(
        cov_type="HAC", cov_kwds={"maxlags": 10, "use_correction": True}, use_t=True
    )
    assert fit.pvalues["D_TOTSOILLIQ"] == pytest.approx(0.362, abs=5e-4)


def test_the_coefficients_of_the_fluxes_add_up(clm):
    fluxes = {name: clm[name].values for name in ("GPP", "AR", "HR")}
    fluxes["NEP"] = fluxes["GPP"] - fluxes["AR"] - fluxes["HR"]
    b = {name: sm.OLS(y, standardised(clm)).fit().params for name, y in fluxes.items()}
    np.testing.assert_allclose(b["GPP"] - b["AR"] - b["HR"], b["NEP"], atol=1e-10)


def test_the_flux_of_the_file_is_the_difference_of_its_parts(clm, record):
    raw = records.open_record("clm_cn")
    parts = clm.GPP - clm.AR - clm.HR
    np.testing.assert_allclose(parts, raw.NEP, atol=1e-3)
    assert clm.sizes["year"] == 83


# --------------------------------------------------------------------------------- the station


@pytest.fixture
def toolik(record):
    return record("toolik")


def test_thaw_depth_has_its_known_answers(toolik):
    thaw = yearly_thaw_depth(toolik.tsl).sel(year=YEARS)
    np.testing.assert_allclose(thaw, THAW_DEPTH, atol=5e-4)


def test_thaw_depth_of_monthly_means_has_its_known_answers(toolik):
    thaw = yearly_thaw_depth(toolik.tsl.resample(time="MS").mean())
    assert float(thaw.sel(year=1999)) == pytest.approx(0.744, abs=5e-4)
    assert float(thaw.sel(year=2011)) == pytest.approx(0.882, abs=5e-4)


def test_the_zero_curtain_has_its_known_answers(toolik):
    curtain = zero_curtain_daily(toolik.tsl.sel(depth=0.463))
    assert curtain.year.values.tolist() == YEARS
    assert curtain.values.tolist() == ZERO_CURTAIN


def test_the_sensors_stand_where_the_file_says(toolik):
    assert toolik.depth.values.tolist() == [
        *(0.006, 0.087, 0.16, 0.236, 0.312, 0.387, 0.463, 0.616, 0.768, 0.978)
    ]


def test_rain_is_the_sum_of_its_hours(toolik):
    raw = records.open_record("toolik")
    day = raw.index[raw["precip.in"] > 0][0]
    expected = raw["precip.in"][day] * raw["n.avg"][day] * 25.4
    assert float(toolik.pr[day]) == pytest.approx(expected)
    summers = toolik.pr.where(toolik.time.dt.month.isin([6, 7, 8, 9])).groupby("time.year").sum()
    assert float(summers.sel(year=1999)) == 0  # the gauge was not yet at work


def test_the_moisture_columns_change_their_meaning_in_one_year(toolik):
    impossible = (toolik.vwc > 1).any("probe")
    assert set(toolik.time.dt.year.values[impossible]) == {2004}
    eve, day = toolik.sel(time="2003-12-31"), toolik.sel(time="2004-01-01")
    np.testing.assert_allclose(day.vwc[:-1], eve.permittivity[1:], rtol=0.01)


# ---------------------------------------------------------------------- thaw depth, made series


def daily(values, start="2000-01-01"):
    values = np.asarray(values, dtype=float)
    return xr.DataArray(values, {"time": pd.date_range(start, periods=len(values))}, ("time",))


def test_thaw_reaches_where_the_line_through_the_nodes_is_zero():
    tsl = daily([1.0, 3.0, 2.0]).expand_dims(depth=[0.0, 0.4, 0.8], axis=1).copy()
    tsl[:, 1], tsl[:, 2] = 0.5, -0.5
    assert float(yearly_thaw_depth(tsl)[0]) == pytest.approx(0.6)


def test_a_column_thawed_to_its_end_has_no_thaw_depth():
    tsl = daily([1.0, 1.0]).expand_dims(depth=[0.0, 0.4], axis=1)
    assert np.isnan(yearly_thaw_depth(tsl)[0])


def test_frozen_ground_thaws_to_depth_zero():
    tsl = daily([-1.0, -2.0]).expand_dims(depth=[0.0, 0.4], axis=1)
    assert float(yearly_thaw_depth(tsl)[0]) == 0


@given(surface=st.floats(0.1, 20), gradient=st.floats(1, 60))
def test_thaw_in_a_straight_profile_is_surface_over_gradient(surface, gradient):
    depth = np.linspace(0, 25, 60)
    tsl = daily([surface]).expand_dims(depth=depth, axis=1) - gradient * xr.DataArray(
        depth, dims="depth"
    )
    assert float(yearly_thaw_depth(tsl)[0]) == pytest.approx(surface / gradient, rel=1e-6)


# -------------------------------------------------------------------- zero curtain, made series


def autumn(warm, zero, cold=60, start="2000-08-15"):
    """Build `warm` days at 5 °C, `zero` days at 0 °C, then `cold` days at −5 °C."""
    return daily([5.0] * warm + [0.0] * zero + [-5.0] * cold, start)


@given(warm=st.integers(17, 60), zero=st.integers(0, 150))
def test_the_curtain_lasts_as_long_as_the_soil_stays_near_zero(warm, zero):
    curtain = zero_curtain_daily(autumn(warm, zero))
    assert curtain.year.values.tolist() == [2000]
    assert float(curtain[0]) == zero


@given(warm=st.integers(0, 16), zero=st.integers(20, 150))
def test_the_curtain_is_counted_from_the_first_of_september(warm, zero):
    assert float(zero_curtain_daily(autumn(warm, zero))[0]) == warm + zero - 17


@given(st.lists(st.floats(-30, 20), min_size=60, max_size=250))
def test_the_curtain_is_what_a_plain_count_gives(values):
    series = daily(values, start="2000-09-01")
    opened = next((i for i, v in enumerate(values) if v <= 0.5), None)
    closed = next((i for i, v in enumerate(values) if v < -0.5), None)
    found = float(zero_curtain_daily(series)[0])
    assert np.isnan(found) if closed is None else found == closed - opened


def test_an_autumn_that_does_not_freeze_through_has_no_curtain():
    assert np.isnan(zero_curtain_daily(autumn(30, 300, cold=0))[0])


def test_a_missing_day_before_the_end_leaves_the_curtain_unknown():
    series = autumn(30, 40)
    assert np.isnan(zero_curtain_daily(series.drop_isel(time=40))[0])
    assert np.isnan(zero_curtain_daily(series.where(series.time != series.time[40]))[0])
    assert float(zero_curtain_daily(series.drop_isel(time=100))[0]) == 40


def test_a_record_that_begins_in_autumn_does_not_count_that_autumn():
    assert zero_curtain_daily(autumn(30, 40, start="2000-09-16")).sizes["year"] == 0


def test_the_curtain_may_end_in_the_next_year():
    assert float(zero_curtain_daily(autumn(40, 120))[0]) == 120


def test_two_values_a_day_and_two_depths_are_refused():
    series = autumn(30, 40)
    with pytest.raises(ValueError, match="two values on 2000-08-15"):
        zero_curtain_daily(xr.concat([series[:1], series], "time"))
    with pytest.raises(ValueError, match="choose one depth"):
        zero_curtain_daily(series.expand_dims(depth=[0.1, 0.2]))


# ------------------------------------------------------------------------------------- power


@pytest.mark.parametrize("n", [12, 30])
def test_the_detectable_correlation_is_found_as_often_as_promised(n):
    from scipy.stats import t

    rng = np.random.default_rng(20)
    rho = detectable_correlation(n)
    x = rng.standard_normal((n, 20_000))
    y = rho * x + np.sqrt(1 - rho**2) * rng.standard_normal(x.shape)
    x, y = x - x.mean(0), y - y.mean(0)
    r = (x * y).sum(0) / np.sqrt((x**2).sum(0) * (y**2).sum(0))
    significant = np.abs(r) * np.sqrt((n - 2) / (1 - r**2)) > t.isf(0.025, n - 2)
    assert significant.mean() == pytest.approx(0.8, abs=0.015)


def test_the_interval_of_a_correlation_is_fishers():
    # Artanh 0.5 = 0.549306; 1.959964 / sqrt(25) = 0.391993.
    low, high = correlation_interval(0.5, 28)
    assert (low, high) == pytest.approx((np.tanh(0.157313), np.tanh(0.941299)), abs=1e-5)


def test_three_pairs_are_too_few():
    with pytest.raises(ValueError, match="too few"):
        detectable_correlation(3)


# --------------------------------------------------------------------- pages without a record


@pytest.fixture
def missing(monkeypatch, tmp_path):
    monkeypatch.chdir(ROOT)
    monkeypatch.setenv("REALDATA_ROOT", str(tmp_path))
    return missing_records.load_record("toolik")


def test_a_record_out_of_reach_says_why(missing, capsys):
    assert isinstance(missing, missing_records.MissingRecord)
    assert "REALDATA_ROOT" in missing.reason


def run(cells, names):
    guard = missing_records.SkipDependentCells(names)
    for cell in cells:
        exec(compile(guard.visit(ast.parse(cell)), "cell", "exec"), names)
    return names


def test_cells_that_need_the_record_are_left_out_and_the_others_run(missing):
    names = run(
        [
            "a = 1",
            "mean, b = toolik.mean(), 2",
            "def scaled(x):\n    return x * mean",
            "c = scaled(3)",
            "for year in mean:\n    d = year",
            "e = a + 1",
            "f'{d}'; e = 100",
        ],
        {"toolik": missing},
    )
    assert names["a"] == 1
    assert all(names[name] is missing for name in ("mean", "b", "scaled", "c", "d", "year", "e"))


def test_names_that_a_cell_binds_itself_do_not_need_the_record(missing):
    names = run(
        [
            "fig, ax = toolik, toolik\nfor name in toolik: low = name\nx = toolik",
            "fig, ax = 'figure', 'axes'\nax += '!'\nseen = (fig, ax)",
            "words = [name for name in 'ab']",
            "for name in 'ab':\n    low = name",
            "twice = (lambda x: 2 * x)(4)",
            "def half(x):\n    return x / 2",
            "ten = half(20)",
            "x = x + 1",
        ],
        {"toolik": missing},
    )
    assert names["seen"] == ("figure", "axes!")
    assert (names["words"], names["low"], names["twice"], names["ten"]) == (["a", "b"], "b", 8, 10)
    assert names["x"] is missing


def test_a_record_that_came_back_into_reach_is_used_again(missing):
    names = run(["x = toolik + 1", "toolik = 1", "x = toolik + 1"], {"toolik": missing})
    assert names["x"] == 2


# --------------------------------------------------------------------------- the whole chapter


@pytest.fixture
def run_chapter(monkeypatch, tmp_path):
    """Return a function that runs the notebook and returns what it shows and what it records."""
    papermill = pytest.importorskip("papermill")
    monkeypatch.chdir(ROOT)
    monkeypatch.setenv("MPCF_BUILD", str(tmp_path / "build"))

    def execute(root):
        monkeypatch.setenv("REALDATA_ROOT", str(root))
        done = papermill.execute_notebook(
            "notebooks/07-reality-check.ipynb",
            str(tmp_path / "done.ipynb"),
            kernel_name="python3",
            progress_bar=False,
        )
        outputs = [output for cell in done.cells for output in cell.get("outputs", [])]
        shown = [output.get("data", {}).get("text/markdown", "") for output in outputs]
        numbers = tmp_path / "build" / "demo" / "results" / "numbers.json"
        return "\n".join(shown), outputs, json.loads(numbers.read_text())

    return execute


def value(numbers, key):
    return numbers[f"07-reality-check/{key}"]["value"]


def test_the_page_records_the_known_answers(record, run_chapter):
    record("toolik"), record("clm_cn")
    shown, outputs, numbers = run_chapter(os.environ["REALDATA_ROOT"])
    assert "could not be reached" not in shown
    assert value(numbers, "clm_cn_b_temperature") == pytest.approx(-0.132957, abs=5e-7)
    assert value(numbers, "clm_cn_b_precipitation") == pytest.approx(0.227342, abs=5e-7)
    assert value(numbers, "clm_cn_b_moisture") == pytest.approx(0.040940, abs=5e-7)
    assert value(numbers, "clm_cn_r_squared") == pytest.approx(0.433617, abs=5e-7)
    thaw = [value(numbers, f"toolik_thaw_depth_{year}") for year in YEARS]
    np.testing.assert_allclose(thaw, THAW_DEPTH, atol=5e-4)
    assert [value(numbers, f"toolik_zero_curtain_{year}") for year in YEARS] == ZERO_CURTAIN
    figures = [o for o in outputs if "<figure" in o.get("data", {}).get("text/html", "")]
    assert len(figures) >= 4
    assert not [o for o in outputs if o.output_type == "stream" or "image/png" in o.get("data", {})]


def test_one_record_out_of_reach_leaves_the_other_one_whole(record, run_chapter, tmp_path):
    record("toolik")
    shared = Path(os.environ["REALDATA_ROOT"]).absolute()
    (tmp_path / "records").mkdir()
    (tmp_path / "records" / "toolik-nrcs").symlink_to(shared / "toolik-nrcs")
    shown, _, numbers = run_chapter(tmp_path / "records")
    assert shown.count("could not be reached") == 1
    assert value(numbers, "toolik_zero_curtain_2011") == 32
    assert value(numbers, "exercise_summers") > 0
    assert not [key for key in numbers if "clm_cn" in key]


def test_without_records_the_page_says_so_and_ends_well(run_chapter, tmp_path):
    shown, _, numbers = run_chapter(tmp_path)
    assert shown.count("could not be reached") == 2
    assert numbers == {}
