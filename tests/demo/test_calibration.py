"""Calibration: known answers, the quick ensemble, and the records behind the ranges."""

import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from mpcf.demo import calibration as cal
from mpcf.demo.calibration_targets import TARGETS
from mpcf.demo.parameters import CARBON
from mpcf.demo.soil import LAYER_EDGES, SOIL_LAYERS, THICKNESS, WET_LAYERS
from mpcf.ground.thaw import land_area
from mpcf.yearly.reduction import to_yearly

NEED_MONTHS = {"frozen_2m", "air_spread", "air_lag_1"} | {
    name for name in TARGETS if name.startswith("toolik")
}


@pytest.fixture(scope="module")
def monthly(quick_demo):
    times = xr.coders.CFDatetimeCoder(use_cftime=True)
    with xr.open_dataset(quick_demo, engine="zarr", decode_times=times) as dataset:
        yield dataset


@pytest.fixture(scope="module")
def yearly(monthly):
    return to_yearly(monthly.load())


@pytest.fixture(scope="module")
def table(yearly, monthly):
    return cal.calibration(yearly, monthly).set_index("name")


# ------------------------------------------------------------------------------- known answers

YEARS = np.arange(2000, 2301)


@pytest.fixture
def made_up():
    """Return two cells of 1 and 3 million km2 that warm by 0.02 K a year until 2100.

    The large one loses its permafrost in 2060, the small one never.
    """
    warming = np.minimum(0.02 * (YEARS - 2000.0), 2.0)
    shape = (1, YEARS.size, 1, 2)
    large = (YEARS < 2060).astype(float)
    mask = np.stack([np.ones_like(large), large], axis=-1).reshape(shape)
    deep = np.stack([np.full(YEARS.size, 2.0), 2.0 - warming], axis=-1).reshape(shape)
    layer = 0.5 + 0.004 * (YEARS - 2000.0)
    alt = np.stack([layer, layer + 0.3], axis=-1).reshape(shape)
    soil = np.full((1, YEARS.size, SOIL_LAYERS, 1, 2), -10.0)
    soil[:, :, WET_LAYERS:] = 10.0  # holds no carbon, so that its temperature does not count
    rain = (300.0 * 1.05 ** (2 * warming))[None, :, None, None, None] * np.ones((1, 1, 1, 1, 2))
    air = (2 * warming - 8.0)[None, :, None, None, None] * np.ones((1, 1, 1, 1, 2))
    dims = ("member", "year", "lat", "lon")
    seasons = ("member", "year", "season", "lat", "lon")
    edges = LAYER_EDGES
    return xr.Dataset(
        {
            "permafrost": (dims, mask),
            "frozen_depth": (dims, deep),
            "alt": (dims, np.where(mask == 1, alt, np.nan)),
            "tsl_max": (("member", "year", "depth", "lat", "lon"), soil + 1.0),
            "tsl_min": (("member", "year", "depth", "lat", "lon"), soil - 1.0),
            "cSoil": (dims, np.full(shape, 60.0)),
            "gpp": (dims, np.full(shape, 500.0)),
            "temperature": (seasons, air),
            "precipitation": (seasons, rain),
            "warming": (("member", "year"), warming[None]),
            "areacella": (("lat", "lon"), [[1e12, 3e12]]),
            "sftlf": (("lat", "lon"), [[100.0, 100.0]]),
            "depth_bnds": (("depth", "bnds"), np.column_stack([edges[:-1], edges[1:]])),
        },
        {"member": [1], "year": YEARS, "season": ["year"], "lat": [60.0], "lon": [0.0, 5.0]},
    )


def test_quantities_of_a_known_ensemble(made_up):
    values = cal.calibration(made_up).set_index("name")["value"]
    assert values["area"] == pytest.approx(4.0)
    assert values["area_stable"] == pytest.approx(3.0 / (2.0 - 0.14))
    # 3 million km2 lost in one step: the slope of a straight line through it
    step = np.where(YEARS[:101] < 2060, 4.0, 1.0)
    expected = -np.polyfit(0.02 * (YEARS[:101] - 2000), step, 1)[0]
    assert values["area_transient"] == pytest.approx(expected)
    today = 1.0 * 2.0 + 3.0 * (2.0 - 0.14)
    assert values["frozen_3m"] == pytest.approx(-100 * 3.0 / today)
    assert values["active_layer"] == pytest.approx(0.5 + 0.004 * 7 + 0.3)  # by area, not by cell
    assert values["active_layer_trend"] == pytest.approx(4.0)
    assert values["gpp"] == pytest.approx(4e12 * 500.0 / 1e15)
    assert values["precipitation"] == pytest.approx(5.0)
    assert values["carbon"] == pytest.approx(4.0 * 60.0 * frozen_share())


def frozen_share():
    """Return the share above 3 m where all ground is frozen; the profile is integrated by hand."""
    p, bottom = CARBON, THICKNESS[:12].sum()
    edges = np.concatenate([[0.0], np.cumsum(THICKNESS[:12])])
    surface = p.slow_surface * p.slow_scale * -np.diff(np.exp(-edges / p.slow_scale))
    last = (3.0 - edges[11]) / (edges[12] - edges[11])
    above = surface[:11].sum() + last * surface[11] + p.slow_frozen * 3.0
    return above / (surface.sum() + p.slow_frozen * bottom)


def test_carbon_above_three_metres_counts_the_last_layer_by_overlap():
    found = cal.carbon_share(np.array([-5.0, 5.0]))
    assert found[0] == pytest.approx(frozen_share())
    assert 0.99 < found[1] < 1.0


def test_active_layer_trend_leaves_out_cells_that_thaw(made_up):
    made_up["alt"][0, 10, 0, 1] = np.nan
    made_up["alt"][0, 1:19, 0, 0] += 0.01 * np.arange(18)
    values = cal.calibration(made_up).set_index("name")["value"]
    assert values["active_layer_trend"] == pytest.approx(4.0 + 10.0)


def test_annual_mean_frozen_soil_counts_months_to_two_metres(made_up):
    """The layer at 0-1 m is frozen half the year, then never; that at 1-3 m is always frozen."""
    import cftime

    edges = [cftime.DatetimeNoLeap(y, m, 1) for y in range(2000, 2101) for m in range(1, 13)]
    month = np.tile(np.arange(12), 101)
    thawed = (month < 6) | np.repeat(np.arange(2000, 2101) >= 2060, 12)
    tsl = np.stack([np.where(thawed, 275.0, 270.0), np.full(1212, 270.0)], axis=1)
    monthly = xr.Dataset(
        {
            "tsl": (
                ("member", "time", "depth", "lat", "lon"),
                tsl[None, :, :, None, None] + [0, 0],
            ),
            "depth_bnds": (("depth", "bnds"), [[0.0, 1.0], [1.0, 3.0]]),
        },
        {"member": [1], "time": edges, "lat": [60.0], "lon": [0.0, 5.0]},
    )
    volume = np.where(YEARS[:101] < 2060, 1.5, 1.0)
    expected = 100.0 * np.polyfit(0.02 * (YEARS[:101] - 2000), volume, 1)[0] / 1.5
    assert cal._annual_mean_frozen(made_up, monthly) == pytest.approx(expected)


def test_variability_is_that_of_red_noise():
    rng = np.random.default_rng(3)
    noise = rng.normal(size=60000)
    for i in range(1, noise.size):
        noise[i] = 0.5 * noise[i - 1] + np.sqrt(0.75) * noise[i]
    months = noise.reshape(-1, 12)
    ramp = np.linspace(0.0, 30.0, len(months))[:, None] * np.linspace(-1, 1, 12)
    cycle = 20.0 * np.cos(2 * np.pi * np.arange(12) / 12)
    spread, lag = cal.monthly_variability(2.0 * months + ramp + cycle)
    assert spread == pytest.approx(2.0, rel=0.02)
    assert lag == pytest.approx(0.5, abs=0.02)


def test_yearly_variability_is_that_of_red_noise_in_its_windows():
    """Detrending also removes some of the noise; how much is known exactly."""
    rng = np.random.default_rng(4)
    together = 0.5 ** np.abs(np.subtract.outer(np.arange(100), np.arange(100)))
    noise = rng.normal(size=(3000, 100)) @ np.linalg.cholesky(together).T
    spread, lag = cal.yearly_variability(2.0 * noise + np.linspace(0.0, 20.0, 100) + 280.0)
    assert len(spread) == 3000
    line = np.column_stack([np.ones(100), np.arange(100.0)])
    rest = np.eye(100) - line @ np.linalg.pinv(line)
    left = rest @ together @ rest
    assert np.mean(spread**2) == pytest.approx(4.0 * np.trace(left) / 98, rel=0.01)
    found = np.sum(lag * spread**2) / np.sum(spread**2)
    assert found == pytest.approx(np.trace(left, offset=1) / np.trace(left), abs=0.005)


@pytest.mark.parametrize("name", ["warming", "cSoil"])
def test_a_missing_variable_is_named(made_up, name):
    with pytest.raises(ValueError, match=name):
        cal.calibration(made_up.drop_vars(name))


def test_missing_years_are_named(made_up):
    with pytest.raises(ValueError, match="2000-2200"):
        cal.calibration(made_up.sel(year=slice(2000, 2200)))


def test_an_ensemble_without_permafrost_is_an_error(made_up):
    made_up["alt"][:] = np.nan
    with pytest.raises(ValueError, match="active layer"):
        cal.calibration(made_up)


# --------------------------------------------------------------------------- the quick ensemble


def test_table_is_complete(table):
    assert list(table.index) == list(TARGETS)
    inside = (table.value >= table.low) & (table.value <= table.high)
    assert (table.verdict == np.where(inside, "inside", "missed")).all()
    assert set(table.group) == {"adjusted for", "checked"}
    assert np.isfinite(table.value).all() and (table.low < table.high).all()
    assert (table[["quantity", "unit", "source"]] != "").all().all()


def test_table_without_months_leaves_out_only_what_needs_them(yearly, table):
    short = cal.calibration(yearly).set_index("name")
    assert set(table.index) - set(short.index) == NEED_MONTHS
    pd.testing.assert_series_equal(short.value, table.value[short.index])


def test_quantities_adjusted_for_are_inside_their_ranges(table):
    adjusted = table[table.group == "adjusted for"]
    assert len(adjusted) >= 8
    assert (adjusted.verdict == "inside").all(), adjusted[["value", "low", "high"]]


def test_physics_that_was_not_adjusted_is_inside_the_published_ranges(table):
    names = ["area_transient", "frozen_3m", "frozen_2m", "active_layer_trend"]
    names += ["warming_100", "warming_200", "warming_300"]
    assert (table.verdict[names] == "inside").all(), table.loc[names, ["value", "low", "high"]]


# ------------------------------------------------------------------------------------- records


@pytest.fixture(scope="module")
def records():
    """Return the folder of the real records; without it, the tests that need it are skipped."""
    root = os.environ.get("REALDATA_ROOT")
    if not root:
        pytest.skip("REALDATA_ROOT does not name the folder of the records")
    return Path(root)


def limits(name):
    return TARGETS[name].low, TARGETS[name].high


def test_range_of_global_variability_is_that_of_cesm2(records):
    with xr.open_dataset(records / "cesm2-global-tas" / "tas_CESM2_piControl.nc") as control:
        spread, lag = cal.yearly_variability(control["tas"].values.astype(float).ravel())
    assert len(spread) == 12
    np.testing.assert_allclose(
        np.percentile(spread, [2.5, 97.5]), limits("global_spread"), atol=6e-4
    )
    np.testing.assert_allclose(np.percentile(lag, [2.5, 97.5]), limits("global_lag_1"), atol=6e-3)


def test_global_temperature_rises_after_quadrupled_co2_as_in_cesm2(records):
    """The first heat capacity determines the first ten years."""
    from mpcf.demo.parameters import CLIMATE

    folder = records / "cesm2-global-tas"
    with (
        xr.open_dataset(folder / "tas_CESM2_piControl.nc") as control,
        xr.open_dataset(folder / "tas_CESM2_abrupt-4xCO2.nc") as run,
    ):
        cesm2 = (run["tas"].values - control["tas"].values.mean()).ravel()[:10]
    capacity, p = np.array(CLIMATE.heat_capacity), CLIMATE
    transfer = np.array(p.heat_transfer)
    boxes, steps = np.zeros(3), 200
    ours = []
    for _ in range(10):
        total = 0.0
        for _ in range(steps):
            down = transfer[1:] * -np.diff(boxes)
            heat = 2 * p.forcing_2co2 - transfer[0] * boxes[0] - down[0]
            flow = np.array([heat, down[0] - p.efficacy * down[1], down[1]])
            boxes += flow / capacity / steps
            total += boxes[0] / steps
        ours.append(total)
    assert np.sqrt(np.mean((ours - cesm2) ** 2)) < 0.4


@pytest.fixture(scope="module")
def toolik(records):
    """Return monthly means of 1999-2011 (year, 12), °C: air, and soil at 0.312 m."""
    path = records / "toolik-nrcs" / "Toolik_AllYears.csv"
    raw = pd.read_csv(path, header=3, encoding="utf-8-sig", low_memory=False)
    day = pd.to_datetime(raw["date"], format="%m/%d/%Y")

    def months(name):
        daily = pd.Series(pd.to_numeric(raw[name]).values, day)
        return daily.resample("MS").mean()["1999":"2011"].to_numpy().reshape(13, 12)

    return {"air": months("temp.air.C"), "soil": months("temp.soil.312mm.C")}


def test_range_of_wetness_is_that_of_the_means_of_the_probes(records):
    """In 2004 the columns hold other quantities; in winter the probes see liquid water only."""
    path = records / "toolik-nrcs" / "Toolik_AllYears.csv"
    raw = pd.read_csv(path, header=3, encoding="utf-8-sig", low_memory=False)
    day = pd.to_datetime(raw["date"], format="%m/%d/%Y").dt
    summer = day.month.isin(range(5, 10)) & day.year.between(1999, 2011) & (day.year != 2004)
    means = []
    for probe in ("90mm", "120mm", "280mm", "280mm", "390mm", "680mm"):
        repeat = f".r{len(means) - 1}" if probe == "280mm" else ""
        water = pd.to_numeric(raw[f"VWC.{probe}{repeat}"])
        thawed = pd.to_numeric(raw[f"temp.soil.{probe}.C{repeat}"]) > 0.0
        assert water[summer & thawed].between(0.0, 1.0).all()
        by_year = water[summer & thawed].groupby(day.year).mean()
        assert len(by_year) == 12
        means.append(by_year.mean())
    np.testing.assert_allclose([min(means), max(means)], limits("toolik_wetness"), atol=0.006)


@pytest.mark.parametrize("name", ["air", "soil"])
def test_range_of_toolik_variability_is_that_of_the_record(toolik, name):
    """Years are drawn with replacement, each with the anomalies of its months."""
    months = toolik[name]
    spread, lag = cal.monthly_variability(months)
    anomaly = cal._detrended(months).ravel()
    power = (anomaly**2).reshape(13, 12).sum(axis=1)
    pair = np.append(anomaly[1:] * anomaly[:-1], 0.0).reshape(13, 12).sum(axis=1)
    assert spread == pytest.approx(np.sqrt(power.sum() / 132))
    assert lag == pytest.approx(pair.sum() / power.sum())
    drawn = np.random.default_rng(0).integers(0, 13, (10000, 13))
    spreads = np.sqrt(power[drawn].sum(axis=1) / 132)
    lags = pair[drawn].sum(axis=1) / power[drawn].sum(axis=1)
    found = np.percentile(spreads, [2.5, 97.5])
    np.testing.assert_allclose(found, limits(f"toolik_{name}_spread"), atol=0.06)
    found = np.percentile(lags, [2.5, 97.5])
    np.testing.assert_allclose(found, limits(f"toolik_{name}_lag_1"), atol=0.015)


def test_range_of_the_zero_curtain_is_that_of_the_record(toolik):
    """From monthly means, as in the ensemble; daily values give 43-80 days in most years."""
    from mpcf.yearly.neighbours import zero_curtain

    coords = {"year": range(1999, 2012), "month": range(1, 13), "depth": [0.312]}
    soil = xr.DataArray(toolik["soil"][..., None], coords, ("year", "month", "depth"))
    months = soil.squeeze(drop=True).sel(month=[1, 2, 3, 4, 5, 8, 9, 10, 11, 12])
    node = months.drop_vars("month").rename(month="curtain")
    days = zero_curtain(node).dropna("year").values
    assert len(days) == 12
    drawn = np.random.default_rng(0).integers(0, 12, (10000, 12))
    found = np.percentile(days[drawn].mean(axis=1), [2.5, 97.5])
    np.testing.assert_allclose(found, limits("toolik_zero_curtain"), atol=0.6)


def test_range_of_air_variability_is_that_of_access_and_toolik(records, toolik):
    folder = records / "cmip6-access-esm1-5"
    with (
        xr.open_dataset(next(folder.glob("tas_*.nc"))) as run,
        xr.open_dataset(next(folder.glob("sftlf_*.nc"))) as fraction,
    ):
        area = np.cos(np.radians(run["lat"])) * (fraction["sftlf"] > 70)
        area = area.where((run["lat"] > 45) & (run["lat"] < 85), 0.0)
        months = run["tas"].transpose("time", "lat", "lon").values.astype(float)
    assert int((area > 0).sum()) > 50
    spread, lag = cal.monthly_variability(months.reshape(15, 12, *months.shape[1:]))
    weight = area.values / float(area.sum())
    low, high = limits("air_spread")
    assert np.sqrt((spread**2 * weight).sum()) == pytest.approx(low, abs=0.05)
    assert cal.monthly_variability(toolik["air"])[0] == pytest.approx(high, abs=0.15)
    low, high = limits("air_lag_1")
    assert cal.monthly_variability(toolik["air"])[1] == pytest.approx(low, abs=0.05)
    assert (lag * weight).sum() == pytest.approx(high, abs=0.02)


def zones(records):
    """Return latitude, longitude and code of the permafrost map's pixels (Brown et al. 2002)."""
    code = np.fromfile(records / "brown-permafrost-map" / "nhipa.byte", np.uint8)
    line = 12533.7625 * (np.arange(1441) - 720)
    x, y = (part.ravel() for part in np.meshgrid(line, -line))
    north = np.hypot(x, y) / (2 * 6371228.0)  # EASE-Grid North: equal area about the pole
    lat = 90.0 - 2.0 * np.degrees(np.arcsin(np.minimum(north, 1.0)))
    lon = np.degrees(np.arctan2(x, -y))
    for place, known in {
        (62.0, 129.7): 17,
        (68.6, -149.6): 5,
        (48.8, 2.3): 25,
        (50, -30): 24,
    }.items():
        nearest = np.argmin(np.abs(lat - place[0]) + np.abs(lon - place[1]))
        assert code[nearest] == known, place
    return lat, lon, code


@pytest.fixture(scope="module")
def mapped(yearly, records):
    """Return shares of land (lat, lon): with any permafrost; with at least discontinuous one."""
    lat, lon, code = zones(records)
    kind = (code.astype(int) - 1) % 4
    some = (code >= 1) & (code <= 20)
    land = some | np.isin(code, [22, 25])
    step_lat, step_lon = float(yearly.lat.diff("lat")[0]), float(yearly.lon.diff("lon")[0])
    row = np.floor((lat - 45.0) / step_lat).astype(int)
    col = np.floor((lon + 180.0) / step_lon).astype(int) % yearly.sizes["lon"]
    inside = (row >= 0) & (row < yearly.sizes["lat"])
    counts = np.zeros((3, yearly.sizes["lat"], yearly.sizes["lon"]))
    for count, what in zip(counts, (land, some, some & (kind < 2)), strict=True):
        np.add.at(count, (row[inside], col[inside]), what[inside])
    assert (counts[0][land_area(yearly).values > 0] > 0).all()
    return counts[1:] / np.maximum(counts[0], 1)


def test_permafrost_is_where_the_map_has_it(yearly, mapped):
    """A cell counts if continuous and discontinuous permafrost cover at least half of its land."""
    observed, modelled = mapped[1] >= 0.5, cal._region(yearly).values
    area = land_area(yearly).values
    hit = (area * (observed & modelled)).sum()
    missed = (area * (observed & ~modelled)).sum()
    false = (area * (~observed & modelled)).sum()
    assert 11e12 < hit + missed < 15e12  # the map at the grid of the ensemble
    assert hit / (hit + missed) > 0.9
    assert hit / (hit + missed + false) > 0.75


def test_soil_carbon_of_the_whole_mapped_region(yearly, mapped):
    """The published mass includes sporadic and isolated permafrost."""
    middle = 0.5 * cal._today(yearly["tsl_max"] + yearly["tsl_min"]).mean("depth").values
    share = cal.carbon_share(middle.ravel()).reshape(middle.shape)
    stock = cal._today(yearly["cSoil"]).values * share * land_area(yearly).values
    low, high = limits("carbon")
    assert low < np.nansum(stock * mapped[0]) / 1e12 < high


@pytest.fixture(scope="module")
def calm(records):
    """Return the positions and yearly active layers (m) of the CALM sites north of 45° N."""
    path = records / "calm-alt" / "CALM_Summary_table_simplified.csv"
    sites = pd.read_csv(path).set_index("ID")
    sites = sites.drop(index="R36")  # its latitude is wrong
    sites = sites[(sites.LAT >= 45) & (sites.LAT < 85)]
    years = sites.drop(columns=["LAT", "LON"]).apply(pd.to_numeric, errors="coerce") / 100.0
    years.columns = years.columns.astype(int)
    return sites[["LAT", "LON"]], years


def test_active_layer_is_of_the_size_of_the_sites(yearly, calm):
    """Medians, because single sites reach 5 m and a cell does not represent a site's soil."""
    places, years = calm
    base = years.loc[:, 2000:2014]
    mean = base.mean(axis=1)[base.count(axis=1) >= 5]
    assert len(mean) > 100
    at = {
        "lat": xr.DataArray(places.LAT[mean.index], dims="site"),
        "lon": xr.DataArray(places.LON[mean.index], dims="site"),
    }
    layer = cal._today(yearly["alt"])
    cells = layer.sel(**at, method="nearest")
    pairs = pd.DataFrame(
        {"site": mean.values, "cell": cells.values, "lat": cells.lat, "lon": cells.lon}
    ).dropna()
    by_cell = pairs.groupby(["lat", "lon"]).mean()
    assert len(by_cell) > 12
    assert 0.75 < by_cell["cell"].median() / by_cell["site"].median() < 1.5


def test_active_layer_deepens_as_fast_as_at_the_sites(table, calm):
    trend = [
        100.0 * 10.0 * np.polyfit(row.index.astype(float), row.values, 1)[0]
        for _, row in ((name, row.dropna()) for name, row in calm[1].loc[:, 2000:2018].iterrows())
        if len(row) >= 12
    ]
    assert len(trend) > 80
    low, middle, high = np.percentile(trend, [10, 50, 90])
    target = TARGETS["active_layer_trend"]
    assert target.low < middle < target.high
    assert low < table.value["active_layer_trend"] < high
