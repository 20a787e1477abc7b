"""What CESM means by its soil water, where there is soil, and what a month's value stands for."""

import numpy as np
import pytest
import xarray as xr
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mpcf.data.readers import cesm, cmip6
from mpcf.data.readers.cell_methods import check_is_mean
from mpcf.data.readers.fields import Piece
from mpcf.data.readers.soil_layers import CLM5_NODES, CLM5_THICKNESS
from mpcf.errors import DataError

from .cesm_files import EDGES, change, copies, noted, read, with_values
from .helpers import assert_same

FEW = settings(max_examples=4, suppress_health_check=list(HealthCheck))


@pytest.fixture
def files(cesm_files):
    return cesm_files


# ---------------------------------------------------------------------------------- soil water


def with_volume(files, drop, more=0):
    """Write H2OSOI by CLM's formula, and leave out some of its parts."""
    thickness = xr.DataArray(np.diff(EDGES), dims="levsoi")
    for own in files.values():
        for path in [p for p in own if ".SOILICE." in p]:
            liquid = own[path.replace("SOILICE", "SOILLIQ")]["SOILLIQ"]
            volume = liquid / (1000 * thickness) + own[path]["SOILICE"] / (917 * thickness)
            volume = volume.transpose(*liquid.dims).assign_attrs(units="mm3/mm3")
            raw = own[path].drop_vars("SOILICE").assign(H2OSOI=volume.astype("float64"))
            own[path.replace("SOILICE", "H2OSOI")] = raw
    for own in files.values():
        for path in [p for p in own if any(f".{name}." in p for name in drop)]:
            del own[path]


@pytest.mark.parametrize("lacking", ["SOILLIQ", "SOILICE"])
def test_the_part_that_h2osoi_stands_in_for_is_exact(one, files, lacking):
    """With 1000 for ice's 917, liquid would be too high by 9 % of the ice."""
    with_volume(files, [lacking])
    found = read(files)
    for name in ("mrsll", "mrsfl"):
        np.testing.assert_allclose(found[name], one[name], rtol=1e-4, atol=2e-3)


def test_h2osoi_alone_keeps_its_volume_and_melts_in_the_warmth(one, files):
    with_volume(files, ["SOILLIQ", "SOILICE"])
    found = read(files)
    volume, parts = (d["mrsll"] / 1000 + d["mrsfl"] / 917 for d in (one, found))
    np.testing.assert_allclose(parts, volume, rtol=1e-4)
    assert float(found["mrsfl"].where(one["tsl"] >= 273.15).max()) == pytest.approx(0, abs=1e-3)


def clm5(files, name, level, count):
    """Put a variable on CLM5's layers."""

    def rebuild(raw):
        taken = raw.isel({level: np.arange(count) % 5}).drop_vars("DZSOI", errors="ignore")
        return taken.assign_coords({level: (level, list(CLM5_NODES[:count]), raw[level].attrs)})

    change(files, name, rebuild)


@pytest.mark.parametrize("drop", [["SOILLIQ"], ["SOILICE"], ["SOILLIQ", "SOILICE"]])
@pytest.mark.parametrize("layers", [20, 25])
def test_water_on_fewer_layers_than_temperature(files, drop, layers):
    with_volume(files, drop)
    clm5(files, "TSOI", "levgrnd", 25)
    for name in ("SOILLIQ", "SOILICE"):
        clm5(files, name, "levsoi", 20)
    clm5(files, "H2OSOI", "levsoi", layers)
    assert read(files).sizes["depth"] == (25 if layers == 25 and len(drop) == 2 else 20)


@pytest.mark.parametrize("is_map", [False, True])
def test_dzsoi_of_the_soil_beside_temperature_of_the_ground(files, is_map):
    clm5(files, "TSOI", "levgrnd", 25)
    for name in ("SOILLIQ", "SOILICE"):
        clm5(files, name, "levsoi", 20)

    def add(raw):
        values = np.array(CLM5_THICKNESS[:20])
        if is_map:
            values = values[:, None, None] * np.ones((1, 4, 6))
            values[:, 0, 0] = 1e36
        dims = ("levsoi", "lat", "lon")[: values.ndim]
        return raw.assign(DZSOI=(dims, values, {"units": "m"}))

    change(files, "TSOI", add)
    np.testing.assert_allclose(read(files)["depth_bnds"][-1].values, [7.46, 8.60], atol=1e-3)


def test_unknown_layers_end_where_dzsoi_does(files):
    change(files, "TSOI", lambda r: r.isel(levgrnd=[*range(5), 4]).assign_coords(
        levgrnd=("levgrnd", [0.025, 0.085, 0.24, 0.69, 2.245, 9.0], {"units": "m"})
    ).drop_vars("DZSOI").assign(DZSOI=("levsoi", np.diff(EDGES), {"units": "m"})))  # fmt: skip
    np.testing.assert_allclose(read(files)["depth_bnds"][:, 1], EDGES[1:])


def test_thickness_that_does_not_fit_the_nodes_is_refused(files):
    change(files, "TSOI", lambda r: with_values(r, "DZSOI", r["DZSOI"].values * 100))
    with pytest.raises(DataError, match=r"DZSOI of member 001 .*do not lie in their layers; look"):
        read(files)


@pytest.mark.parametrize("share", ["some", "all"])
def test_a_first_month_without_water_hides_no_soil(one, files, share):
    """A cold start writes zeros first; permafrost must not vanish from those cells."""

    def dry(raw):
        name = "SOILLIQ" if "SOILLIQ" in raw else "SOILICE"
        values = raw[name].transpose("time", "levsoi", "lat", "lon").values.copy()
        rows = slice(2, None) if share == "some" else slice(None)
        values[0, :2, rows] = np.where(np.isnan(values[0, :2, rows]), np.nan, 0.0)
        return raw.assign({name: (("time", "levsoi", "lat", "lon"), values, raw[name].attrs)})

    for name in ("SOILLIQ", "SOILICE"):
        for path in [p for p in files["001"] if f".{name}.2000" in p]:
            files["001"][path] = dry(files["001"][path])
    found = read(files)
    np.testing.assert_array_equal(found["tsl"], one["tsl"])
    assert "have no water in 2000-01 in member 001" in noted(found)


# ------------------------------------------------------------------------------------- the sea


@settings(FEW)
@given(names=st.sets(st.sampled_from(["gpp", "ra", "rh", "snd", "cVeg"]), min_size=1))
def test_zero_over_the_sea_is_no_flux(one, stored_cesm, names):
    files = {"001": copies(stored_cesm)["001"]}
    for name in names:
        raw_name = cesm.SINGLE[name]
        change(files, raw_name, lambda r, n=raw_name: with_values(r, n, r[n].fillna(0.0).values))
    found = read(files)
    assert_same(found, one)
    told = [line for line in noted(found).splitlines() if "where the model has no soil" in line]
    assert len(told) == len(names)
    assert all("3 cells" in line and "changes the mean" in line for line in told)


def test_zero_over_the_sea_in_cmip6(ensemble, stored_cmip6):
    members, fixed = stored_cmip6
    changed = {
        m: {p: r.assign(gpp=r["gpp"].fillna(0.0)) if "gpp" in r else r for p, r in own.items()}
        for m, own in members.items()
    }
    found = cmip6.read(
        {m: [Piece(p, m, raw) for p, raw in own.items()] for m, own in changed.items()},
        [Piece(p, "fx", raw) for p, raw in fixed.items()],
    )
    assert_same(found, ensemble)
    assert "gpp has values in 3 cells where the model has no soil" in noted(found)


# -------------------------------------------------------------------------- which mean it is


METHODS = ("maximum", "minimum", "point", "sum", "instantaneous", "median", "range")


@settings(FEW)
@given(
    method=st.sampled_from(METHODS),
    form=st.sampled_from(["time: {}", "area: mean time: {}", "area: time: {}", "time: {} (1 h)"]),
)
def test_anything_but_a_mean_is_refused(method, form):
    with pytest.raises(DataError, match=f"GPP holds 'time: {method}'"):
        check_is_mean(form.format(method), "GPP")


@pytest.mark.parametrize(
    "methods",
    [None, "", "area: mean", "time: mean", "area: time: mean", "area: mean where land time: mean",
     "time: mean (interval: 30 minutes)", "time:mean", 1],
)  # fmt: skip
def test_a_mean_or_nothing_about_time_passes(methods):
    check_is_mean(methods, "GPP")


def test_one_instant_of_a_carbon_store_passes():
    check_is_mean("time: point", "cSoil of member 1", "cSoil")
    with pytest.raises(DataError, match="time: maximum"):
        check_is_mean("time: maximum", "cSoil of member 1", "cSoil")


@pytest.mark.parametrize("name", ["TSA", "TSOI", "SOILICE", "RAIN"])
def test_a_maximum_on_the_stream_of_means_is_refused_by_name(files, name):
    change(
        files, name, lambda r: with_values(r, name, r[name].values, cell_methods="time: maximum")
    )
    with pytest.raises(DataError, match=rf"{name} of member 001 \(.*\) holds 'time: maximum'"):
        read(files)


def test_a_point_in_time_is_refused_in_cmip6_too(stored_cmip6):
    members, fixed = stored_cmip6
    own = {
        p: r.assign(tas=r["tas"].assign_attrs(cell_methods="area: mean time: point"))
        if "tas" in r else r
        for p, r in members["r1i1p1f1"].items()
    }  # fmt: skip
    with pytest.raises(DataError, match=r"tas of member r .*holds 'time: point'"):
        cmip6.read({"r": [Piece(p, "r", raw) for p, raw in own.items()]},
                   [Piece(p, "fx", raw) for p, raw in fixed.items()])  # fmt: skip
