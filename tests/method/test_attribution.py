"""Attribution: sums that close, planted contributions, honest intervals."""

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

from mpcf.book.numbers import interval
from mpcf.errors import DataError
from mpcf.method.attribution import contributions, moisture_lead, period_carbon
from mpcf.method.intervals import (
    add_shared_error,
    block_bootstrap,
    resampled_members,
    resampled_years,
    shared_signal_error,
)
from mpcf.method.regression import fit, transform
from mpcf.method.resampling import (
    block_length,
    bootstrap_interval,
    draw_members,
    draw_years,
    jackknife,
)
from mpcf.method.verdicts import CONTRADICTED, INCONCLUSIVE, SUPPORTED, joint_verdict, verdict

PHASES = {"warming": (2000, 2039), "net-zero": (2040, 2059)}


def planted(seed=0, noise=0.0):
    rng = np.random.default_rng(seed)
    shape = (6, 60, 2, 3)
    coords = {
        "member": range(6),
        "year": range(2000, 2060),
        "lat": [60.0, 70.0],
        "lon": [0.0, 90.0, 180.0],
    }
    ramp = np.linspace(0, 2, 60)[:, None, None]
    x = rng.normal(size=(2, *shape)) + np.stack([ramp, -0.5 * ramp])[:, None]
    x = xr.DataArray(x, coords | {"predictor": ["moisture", "temperature"]}, ("predictor", *coords))
    b = xr.DataArray([-3.0, 2.0], {"predictor": ["moisture", "temperature"]})
    y = (b * x).sum("predictor") + noise * rng.normal(size=shape)
    region = xr.DataArray(
        np.array([[1e12, 2e12, 0.0], [1e12, 0.0, 3e12]]),
        {k: coords[k] for k in ("lat", "lon")},
        ("lat", "lon"),
    )
    return y, x, b, region


def test_contributions_and_residual_add_up_to_the_change():
    y, x, _, _ = planted(noise=1.0)
    parts = contributions(fit(y, x)["b"], x, y)
    change = y - y.sel(year=slice(2000, 2014)).mean("year")
    np.testing.assert_allclose(parts.sum("predictor"), change, atol=1e-12)
    assert parts["predictor"].values.tolist() == ["moisture", "temperature", "residual"]


@pytest.mark.parametrize("estimator", ["raw trend", "year effects", "first differences"])
def test_period_carbon_gives_the_planted_carbon_and_no_residual(estimator):
    y, x, b, region = planted()
    carbon = period_carbon(y.expand_dims(flux=["nep"]), x, region, PHASES, estimator).isel(flux=0)
    base = slice(2000, 2014)
    for name, (first, last) in PHASES.items():
        shift = (
            (x.sel(year=slice(first, last)) - x.sel(year=base).mean("year"))
            .mean("member")
            .sum("year")
        )
        planted_carbon = (b * shift * region).sum(("lat", "lon")) / 1e15
        np.testing.assert_allclose(
            carbon.sel(period=name, predictor=b["predictor"]), planted_carbon, rtol=1e-9
        )
        assert abs(float(carbon.sel(period=name, predictor="residual"))) < 1e-12


def test_cells_that_cannot_be_fitted_count_in_the_residual():
    y, x, _, region = planted()
    x = x.copy()
    x[0, 2, 5, 0, 0] = np.nan
    carbon = period_carbon(y.expand_dims(flux=["nep"]), x, region, PHASES, "raw trend").sel(
        period="warming", flux="nep"
    )
    parts = carbon.sel(predictor=["moisture", "temperature", "residual"]).sum("predictor")
    assert float(parts) == pytest.approx(float(carbon.sel(predictor="total")))
    assert abs(float(carbon.sel(predictor="residual"))) > 1e-6


def test_nothing_fitted_is_unknown_and_not_zero():
    y, x, _, region = planted()
    x = x.copy()
    x[0, 2, 5] = np.nan  # one year of one member, in every cell
    carbon = period_carbon(y.expand_dims(flux=["nep"]), x, region, PHASES, "raw trend")
    assert carbon.sel(predictor=["moisture", "temperature", "residual"]).isnull().all()
    assert carbon.sel(predictor="total").notnull().all()
    assert moisture_lead(carbon).isnull().all()


def test_jackknife_interval_of_a_mean_covers_as_promised():
    rng = np.random.default_rng(1)
    hits = 0
    for _ in range(400):
        x = xr.DataArray(rng.normal(size=8), dims="member")
        out = jackknife(lambda kept, x=x: x.isel(member=kept).mean(), 8)
        hits += bool(out["low"] < 0 < out["high"])
    assert 0.92 < hits / 400 < 0.98


def test_few_members_get_no_interval():
    x = xr.DataArray([1.0, 2.0, 4.0], dims="member")
    out = jackknife(lambda kept: x.isel(member=kept).mean(), 3)
    assert float(out["estimate"]) == pytest.approx(7 / 3) and bool(out["low"].isnull())
    assert verdict(float(out["low"]), float(out["high"]), sign=1) == INCONCLUSIVE


@pytest.mark.parametrize("members", [1, 2, 3])
def test_fewer_than_four_members_give_an_estimate_and_no_bound(members):
    x = xr.DataArray(np.arange(1.0, 4.0)[:members], dims="member")
    alone = jackknife(lambda kept: x.isel(member=kept).mean(), members)
    drawn = xr.DataArray(np.linspace(1.0, 2.0, 20), dims="draw")
    resampled = bootstrap_interval(x.mean(), drawn, members)
    shared = xr.Dataset({"se": ("predictor", [0.5]), "degrees_of_freedom": 5})
    name = {"predictor": ["moisture"]}
    wide = add_shared_error(alone.expand_dims(name), shared.assign_coords(name))
    for found in (alone, resampled, wide):
        assert found["estimate"].values == pytest.approx(float(x.mean()))
        assert all(bool(found[v].isnull().all()) for v in ("se", "low", "high"))
    words = "{b:.1f} ({b_low:.1f} to {b_high:.1f})".format(
        **interval("b", [float(alone[v]) for v in ("estimate", "low", "high")], "PgC", "a part")
    )
    assert words.endswith("(unknown to unknown)")
    assert verdict(float(alone["low"]), float(alone["high"]), sign=-1) == INCONCLUSIVE
    assert joint_verdict(SUPPORTED, INCONCLUSIVE) == INCONCLUSIVE


def test_year_effects_of_one_member_are_refused_by_name_everywhere():
    y, x, _, region = planted(noise=1.0)
    y, x = y.expand_dims(flux=["nep"]).isel(member=[0]), x.isel(member=[0])
    ask = (y, x, region, PHASES, "year effects")
    for refused in (
        lambda: period_carbon(*ask),
        lambda: shared_signal_error(*ask),
        lambda: resampled_members(*ask, counts=np.array([[1]])),
        lambda: resampled_years(*ask),
        lambda: block_bootstrap(*ask),
        lambda: jackknife(lambda kept: period_carbon(*ask), 1),
    ):
        with pytest.raises(ValueError, match="year effects need two members or more"):
            refused()
    with pytest.raises(ValueError, match="one member can't be resampled"):
        draw_members(1)


def test_one_member_keeps_the_error_of_its_own_years():
    y, x, _, region = planted(noise=1.0)
    y, x = y.expand_dims(flux=["nep"]).isel(member=[0]), x.isel(member=[0])
    found = shared_signal_error(y, x, region, PHASES, "raw trend")
    assert (found["se"].sel(predictor=["moisture", "temperature"]) > 0).all()


def test_a_period_outside_the_data_is_an_error():
    y, x, _, region = planted()
    beyond = {"warming": (2000, 2039), "net-zero": (2040, 2070)}
    with pytest.raises(ValueError, match="period 'net-zero' is 2040–2070"):
        period_carbon(y.expand_dims(flux=["nep"]), x, region, beyond, "raw trend")


def test_a_turned_sign_turns_the_verdict():
    y, x, _, region = planted(noise=0.2)

    def moisture(sign):
        def statistic(kept):
            carbon = period_carbon(
                (sign * y.isel(member=kept)).expand_dims(flux=["nep"]),
                x.isel(member=kept),
                region,
                PHASES,
                "raw trend",
            )
            return carbon.sel(period="warming", predictor="moisture", flux="nep")

        out = jackknife(statistic, 6)
        return verdict(float(out["low"]), float(out["high"]), sign=-1)

    assert moisture(1) == SUPPORTED and moisture(-1) == CONTRADICTED


def test_lead_is_moisture_less_each_other_and_in_size():
    parts = xr.DataArray(
        [-3.0, 2.0, -1.0, -9.0], {"predictor": ["moisture", "temperature", "snow", "residual"]}
    )
    names = ["less temperature", "less snow", "size less temperature", "size less snow"]
    assert moisture_lead(parts)["predictor"].values.tolist() == names
    assert moisture_lead(parts).values.tolist() == [-5.0, -2.0, 1.0, 2.0]
    assert moisture_lead(-parts).values.tolist() == [5.0, 2.0, 1.0, 2.0]
    influence = xr.DataArray([0.1, 0.4, 0.2], {"predictor": ["moisture", "temperature", "snow"]})
    # moisture and snow are negative, so more of them is less in size
    found = moisture_lead(influence, ranked_by=parts)
    np.testing.assert_allclose(found, [-0.3, -0.1, -0.1 - 0.4, -0.1 + 0.2])


@settings(max_examples=50, deadline=None)
@given(st.lists(st.floats(-5, 5), min_size=3, max_size=5))
def test_moisture_is_ahead_of_all_where_it_is_ahead_of_each(values):
    names = ["moisture", "temperature", "precipitation", "co2", "snow"][: len(values)]
    lead = moisture_lead(xr.DataArray(values, {"predictor": names}))
    ahead, size = (lead[: len(values) - 1], lead[len(values) - 1 :])
    assert (ahead < 0).all() == (values[0] < min(values[1:]))
    assert (size > 0).all() == (abs(values[0]) > max(map(abs, values[1:])))


def test_shared_error_of_one_cell_is_that_of_its_fit():
    """One cell, one period: the error of b times the summed change of its predictor."""
    y, x, _, region = planted(noise=1.0)
    one = region.where((region["lat"] == 60) & (region["lon"] == 0), 0.0)
    periods = {"all": (2000, 2059)}
    found = shared_signal_error(y.expand_dims(flux=["nep"]), x, one, periods, "raw trend")
    cell = {"lat": 60.0, "lon": 0.0}
    se = fit(y, x)["se"].sel(cell)
    base = x.sel(year=slice(2000, 2014)).mean(("member", "year"))
    shift = (x.mean("member") - base).sum("year").sel(cell)
    expected = abs(se * shift) * 1e12 / 1e15
    names = ["moisture", "temperature"]
    np.testing.assert_allclose(
        found["se"].sel(predictor=names).squeeze(), expected.sel(predictor=names), rtol=1e-9
    )


def test_widened_intervals_hold_under_a_common_signal():
    """No effect, but one signal for all members: the jackknife alone raises false alarms."""
    rng = np.random.default_rng(3)
    alarms = {"jackknife": 0, "widened": 0}
    coords = {"member": range(6), "year": range(2000, 2060), "lat": [60.0], "lon": [0.0]}
    region = xr.DataArray([[1e12]], {"lat": [60.0], "lon": [0.0]}, ("lat", "lon"))
    periods = {"all": (2000, 2059)}
    for _ in range(100):
        shared = rng.normal(size=(2, 1, 60, 1, 1))
        own = 0.3 * rng.normal(size=(2, 6, 60, 1, 1))
        trend = np.linspace(0, 2, 60)[:, None, None]
        y = xr.DataArray(shared[0] + own[0], coords, tuple(coords)).expand_dims(flux=["nep"])
        names = coords | {"predictor": ["moisture"]}
        x = xr.DataArray((shared[1] + own[1] + trend)[None], names, ("predictor", *coords))
        other = rng.normal(size=(1, 6, 60, 1, 1))
        other = xr.DataArray(other, names | {"predictor": ["snow"]}, ("predictor", *coords))
        x = xr.concat([x, other], "predictor")
        out = jackknife(
            lambda kept, y=y, x=x: period_carbon(
                y.isel(member=kept), x.isel(member=kept), region, periods, "raw trend"
            ),
            6,
        )
        wide = add_shared_error(out, shared_signal_error(y, x, region, periods, "raw trend"))
        for name, result in (("jackknife", out), ("widened", wide)):
            one = result.sel(predictor="moisture").squeeze()
            alarms[name] += verdict(float(one["low"]), float(one["high"]), sign=1) != INCONCLUSIVE
    assert alarms["jackknife"] > 25
    assert alarms["widened"] < 10


@pytest.mark.parametrize("estimator", ["raw trend", "year effects", "first differences"])
@pytest.mark.parametrize("collinear", [False, True])
def test_resampled_members_equal_refits(estimator, collinear):
    """Gram matrices give what `period_carbon` gives for the drawn members."""
    y, x, _, region = planted(noise=1.0)
    signal = xr.DataArray(np.sin(np.arange(60)) * 20, {"year": y["year"]}, "year")
    y, x = y + signal, x + signal  # common to all members
    if collinear:
        x[1] = x[0] + 1e-3 * x[1].values
    y = xr.concat([y, x[0].drop_vars("predictor") ** 2], "flux").assign_coords(flux=["a", "b"])
    x[0, :, 5, 0, 0] = np.nan  # a cell that is never fitted
    counts = draw_members(6, draws=5, seed=1)
    fast = resampled_members(y, x, region, PHASES, estimator, counts)
    for draw, count in zip(fast, counts, strict=True):
        kept = {"member": np.repeat(np.arange(6), count)}
        again = period_carbon(y.isel(kept), x.isel(kept), region, PHASES, estimator)
        scale = float(abs(again).max())
        np.testing.assert_allclose(draw.transpose(*again.dims), again, atol=1e-9 * scale)


@pytest.mark.parametrize("members", [5, 9])
def test_bootstrap_interval_covers_as_promised_where_percentiles_do_not(members):
    """Contributions of one cell to one period, whose true value a large ensemble gives."""
    rng = np.random.default_rng(9)
    coords = {"year": range(2000, 2040), "lat": [60.0], "lon": [0.0]}
    region = xr.DataArray([[1e15]], {k: coords[k] for k in ("lat", "lon")}, ("lat", "lon"))
    periods = {"all": (2015, 2039)}

    def ensemble(number):
        """Members that differ in their change and their response."""
        warming = np.linspace(0, 2, 40)[:, None, None] * rng.normal(1, 0.3, (number, 1, 1, 1))
        x = warming + rng.normal(size=(number, 40, 1, 1))
        y = -3 * x + rng.normal(0, 0.5, (number, 1, 1, 1)) * x + rng.normal(size=x.shape)
        y = xr.DataArray(y[None], {"flux": ["nep"]} | coords, ("flux", "member", *coords))
        names = {"predictor": ["moisture"]}
        return y, xr.DataArray(x[None], names | coords, ("predictor", "member", *coords))

    def moisture(parts):
        return parts.sel(predictor="moisture").squeeze(drop=True)

    truth = float(moisture(period_carbon(*ensemble(20_000), region, periods, "raw trend")))
    hits = {"percentile": 0, "interval": 0}
    for trial in range(400):
        y, x = ensemble(members)
        counts = np.vstack([np.ones(members, int), draw_members(members, 300, trial)])
        drawn = resampled_members(y, x, region, periods, "raw trend", counts)
        drawn = moisture(drawn)
        out = bootstrap_interval(drawn[0], drawn[1:], members)
        hits["interval"] += bool(out["low"] < truth < out["high"])
        low, high = np.percentile(drawn[1:], [2.5, 97.5])
        hits["percentile"] += bool(low < truth < high)
    assert 0.92 < hits["interval"] / 400 < 0.98
    assert hits["percentile"] / 400 < 0.91


def test_years_are_drawn_in_blocks_that_stay_together():
    counts = draw_years(51, draws=200, seed=2)
    assert counts.shape == (200, 51) and (counts.sum(axis=1) == 51).all()
    assert block_length(51) == 10
    edges = (counts != np.roll(counts, 1, axis=1)).sum(axis=1)
    assert edges.max() <= 2 * 6  # six blocks have two ends each
    assert abs(counts.mean(axis=0) - 1).max() < 0.3  # no year is favoured


def slopes_by_lstsq(left, design, count, pooled):
    """Slopes of one cell from rows that are repeated as often as they were drawn."""
    members, years = left.shape
    level = np.ones((members, 1)) if pooled else np.eye(members)
    rows = np.hstack([design.reshape(len(design), -1).T, np.kron(level, np.ones((years, 1)))])
    again = np.repeat(np.arange(members * years), np.tile(count, members))
    return np.linalg.lstsq(rows[again], left.reshape(-1)[again], rcond=None)[0][: len(design)]


@pytest.mark.parametrize(
    ("estimator", "members"),
    [("raw trend", 1), ("first differences", 1)]
    + [(e, 3) for e in ("raw trend", "year effects", "first differences")],
)
def test_resampled_years_equal_refits(estimator, members):
    """Sums of products give what the drawn years give when they are fitted again."""
    y, x, _, region = planted(noise=1.0)
    kept = {"member": range(members)}
    y, x = y.isel(kept), x.isel(kept)
    x = 1e3 + 50 * x  # units in which rounding shows
    x[0, 0, 5, 0, 0] = np.nan  # a cell that is never fitted
    y = xr.concat([y, x[0].drop_vars("predictor") ** 2], "flux").assign_coords(flux=["a", "b"])
    fast = resampled_years(y, x, region, PHASES, estimator, draws=4, seed=1)
    whole = period_carbon(y, x, region, PHASES, estimator)
    base = x.sel(year=slice(2000, 2014)).mean(("member", "year"))
    for name, (first, last) in PHASES.items():
        so_far = {"year": slice(None, last)}
        left, design = (transform(a.sel(so_far), estimator) for a in (y, x))
        counts = draw_years(left.sizes["year"], draws=4, seed=1)
        change = (x.sel(year=slice(first, last)).mean("member") - base).sum("year")
        expected = np.zeros((4, 2, 2))
        for (i, j), area in np.ndenumerate(region.values):
            if area == 0 or np.isnan(design[:, :, :, i, j]).any():
                continue
            for draw, flux in np.ndindex(4, 2):
                one = left[flux, :, :, i, j].values, design[:, :, :, i, j].values
                b = slopes_by_lstsq(*one, counts[draw], estimator == "first differences")
                expected[draw, flux] += b * change[:, i, j].values * area / 1e15
        found = fast.sel(period=name, predictor=["moisture", "temperature"])
        scale = abs(expected).max(axis=(0, 2), keepdims=True)
        np.testing.assert_allclose(found / scale, expected / scale, atol=1e-9)
        total = fast.sel(period=name, predictor="total")
        np.testing.assert_allclose(total - whole.sel(period=name, predictor="total"), 0, atol=1e-9)
        parts = fast.sel(period=name, predictor=["moisture", "temperature", "residual"])
        np.testing.assert_allclose(parts.sum("predictor"), total)


def wandering(rng, shape, phi):
    """Autocorrelated noise of unit variance, years last."""
    values = rng.normal(size=(*shape[:-1], shape[-1] + 50))
    for year in range(1, values.shape[-1]):
        values[..., year] += phi * values[..., year - 1]
    return values[..., 50:] * np.sqrt(1 - phi**2)


@pytest.mark.parametrize(("years", "phi"), [(51, 0.0), (51, 0.7), (117, 0.7)])
def test_blocks_of_years_cover_nearly_as_promised_with_one_member(years, phi):
    """Residuals and predictors wander alike, two predictors rise, and moisture has no effect."""
    rng = np.random.default_rng(12)
    coords = {"member": [1], "year": range(2000, 2000 + years), "lat": [60.0], "lon": [0.0]}
    region = xr.DataArray([[1e15]], {k: coords[k] for k in ("lat", "lon")}, ("lat", "lon"))
    names = ["moisture", "temperature", "precipitation"]
    held, plain, trials = 0, 0, 0
    for _ in range(25):
        x = wandering(rng, (3, years), phi) + np.outer([1, 1, 0], np.linspace(0, 2, years))
        y = wandering(rng, (30, years), phi) + x[1]
        y, x = (a[:, None, :, None, None] for a in (y, x))
        y = xr.DataArray(y, {"flux": range(30)} | coords, ("flux", *coords))
        x = xr.DataArray(x, {"predictor": names} | coords, ("predictor", *coords))
        periods = {"all": (2000, 1999 + years)}
        out = block_bootstrap(y, x, region, periods, "raw trend").sel(predictor="moisture")
        held += int(((out["low"] < 0) & (out["high"] > 0)).sum())
        plain += int((abs(out["estimate"]) < 1.96 * out["se"]).sum())
        trials += out["estimate"].size
    assert 0.90 < held / trials < 0.99
    assert plain < held  # Student's t is needed


def test_blocks_of_years_judge_the_lead_and_leave_the_total_alone():
    y, x, _, region = planted(noise=0.2)
    y, x = y.expand_dims(flux=["nep"]).isel(member=[0]), x.isel(member=[0])
    for sign, claim in ((1, SUPPORTED), (-1, CONTRADICTED)):
        out = block_bootstrap(sign * y, x, region, PHASES, "raw trend")
        one = out.sel(period="warming", flux="nep", predictor="moisture")
        assert verdict(float(one["low"]), float(one["high"]), sign=-1) == claim
        assert float(abs(out["se"].sel(predictor="total")).max()) < 1e-12
        drawn = out["estimate"].sel(predictor=["moisture", "temperature"])
        ahead = drawn.sel(predictor="moisture") - drawn.sel(predictor="temperature")
        np.testing.assert_allclose(out["estimate"].sel(predictor="less temperature"), ahead)
        assert (out["se"].sel(predictor="less temperature") > 0).all()


def test_a_draw_that_leaves_a_predictor_constant_is_not_fitted():
    """A predictor that moves in one year alone: draws without that year count in the residual."""
    y, x, _, region = planted(noise=1.0)
    y, x = y.expand_dims(flux=["nep"]).isel(member=[0]), x.isel(member=[0]).copy()
    x[0] = 0.0
    x[0, :, 50] = 1.0
    out = resampled_years(y, x, region, {"all": (2000, 2059)}, "raw trend", draws=100)
    assert out.notnull().all()
    none = (out.sel(predictor="moisture") == 0).squeeze()
    assert 10 < int(none.sum()) < 60
    left = out.sel(predictor="residual").squeeze()[none]
    np.testing.assert_allclose(left, out.sel(predictor="total").squeeze()[none])


def test_intervals_over_a_gap_are_right_or_refused():
    y, x, _, region = planted(noise=1.0)
    years = y["year"].values
    kept = [*range(15), *range(25, years.size)]
    y, x = y.isel(year=kept).expand_dims(flux=["nep"]), x.isel(year=kept)
    periods = {"late": (int(years[30]), int(years[-1]))}
    gap = f"years {years[14]} and {years[25]} are not consecutive"
    for call in (
        lambda: shared_signal_error(y, x, region, periods, "raw trend"),
        lambda: resampled_years(y, x, region, periods, "raw trend", draws=2),
        lambda: block_bootstrap(y, x, region, periods, "raw trend"),
        lambda: resampled_members(
            y, x, region, periods, "first differences", np.ones((1, y.sizes["member"]), int)
        ),
        lambda: period_carbon(y, x, region, periods, "first differences"),
    ):
        with pytest.raises(DataError, match=gap):
            call()
    whole = np.ones((1, y.sizes["member"]), int)
    for estimator in ("raw trend", "year effects"):
        drawn = resampled_members(y, x, region, periods, estimator, whole).isel(draw=0)
        np.testing.assert_allclose(drawn, period_carbon(y, x, region, periods, estimator))
