"""CESM history files: read right where there is one right reading, refused by name otherwise."""

import re

import numpy as np
import pytest
import xarray as xr
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mpcf.data.checks import examine
from mpcf.data.export import export
from mpcf.data.readers import cesm
from mpcf.data.readers import files as places
from mpcf.data.readers.fields import Piece
from mpcf.data.readers.soil_layers import LIQUID_FORMULA, clm_thickness
from mpcf.data.yearly_checks import check_yearly
from mpcf.errors import DataError
from mpcf.yearly.stream import write_yearly

from .helpers import PHASES, assert_same, make_ensemble


def read(stored):
    """Read members whose files are held in memory."""
    return cesm.read(
        {m: [Piece(path, m, raw) for path, raw in files.items()] for m, files in stored.items()}
    )


@pytest.fixture
def files(stored_cesm):
    """Return each member's files, to be changed."""
    return {m: {p: raw.copy(deep=True) for p, raw in f.items()} for m, f in stored_cesm.items()}


def of(files, name, member="002"):
    """Return the paths of a variable's files of a member."""
    return [path for path in files[member] if f".{name}." in path]


def change(files, name, function, members=("001", "002")):
    """Apply a function to every file of a variable."""
    for member in members:
        for path in of(files, name, member):
            files[member][path] = function(files[member][path])


def on(variable, function, **attrs):
    def spoil(raw):
        values = function(raw[variable]).transpose(*raw[variable].dims)
        return raw.assign({variable: values.assign_attrs(raw[variable].attrs | attrs)})

    return spoil


# ------------------------------------------------------------------------------- read right


def test_what_was_exported_is_read_back_exactly(ensemble, stored_cesm):
    found = read(stored_cesm)
    assert_same(found, ensemble)
    assert found["gpp"].chunks is not None
    assert found.attrs["mpcf_synthetic"] == "true"
    assert found.attrs["mpcf_members"] == "1 = 001, 2 = 002"
    assert "mpcf_notes" not in found.attrs


@pytest.mark.parametrize("years", [1, 2, 4])
def test_how_years_are_split_among_files_changes_nothing(ensemble, tmp_path, years):
    export(ensemble, tmp_path / "x", "cesm", PHASES, years=years)
    assert_same(cesm.read(places.open_members(str(tmp_path / "x"), cesm.is_wanted)), ensemble)


@pytest.mark.parametrize("calendar", ["standard", "360_day"])
def test_the_calendar_of_the_source_is_kept(tmp_path, calendar):
    expected = make_ensemble(members=1, years=1, calendar=calendar)
    export(expected, tmp_path / "x", "cesm", PHASES)
    found = cesm.read(places.open_members(str(tmp_path / "x"), cesm.is_wanted))
    assert_same(found, expected)
    assert found.indexes["time"].calendar == calendar


def monthly_files(files):
    """Turn time series into one file per month with all variables, as CLM writes them."""
    out = {}
    for member, own in files.items():
        joined = {}
        for raw in own.values():
            name = next(n for n in raw.data_vars if n in cesm.WANTED and n not in cesm.FIXED[:2]
                        and n != "DZSOI")  # fmt: skip
            joined.setdefault(name, []).append(raw)
        whole = [xr.concat(parts, "time", data_vars="minimal") for parts in joined.values()]
        everything = xr.merge(whole, compat="override", combine_attrs="override")
        case = f"CASE.{member}.clm2.h0"
        out[member] = {
            f"{case}.{2000 + i // 12:04d}-{i % 12 + 1:02d}.nc": everything.isel(time=[i])
            for i in range(everything.sizes["time"])
        }
    return out


def test_files_of_one_month_with_all_variables(ensemble, stored_cesm):
    assert_same(read(monthly_files(stored_cesm)), ensemble)


def test_mid_month_stamps_of_newer_models(ensemble, files):
    for own in files.values():
        for path, raw in own.items():
            bounds = raw["time_bnds" if "time_bnds" in raw else "time_bounds"]
            middle = bounds.mean(bounds.dims[1]).values
            own[path] = raw.assign_coords(time=("time", middle, raw["time"].attrs))
    assert_same(read(files), ensemble)


@settings(max_examples=25, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_order_of_dims_rows_and_columns_changes_nothing(ensemble, stored_cesm, data):
    reverse, roll = data.draw(st.booleans()), data.draw(st.integers(0, 5))
    west, single = data.draw(st.booleans()), data.draw(st.booleans())
    shuffled = {}
    for member, own in stored_cesm.items():
        shuffled[member] = {}
        for path, raw in own.items():
            if "lat" in raw.dims:
                raw = raw.isel(lat=slice(None, None, -1 if reverse else 1)).roll(
                    lon=roll, roll_coords=True
                )
                if west:
                    lon = (raw["lon"] + 180) % 360 - 180
                    raw = raw.assign_coords(lon=lon.assign_attrs(raw["lon"].attrs))
                if single:
                    lon = raw["lon"].astype("float32")
                    raw = raw.assign_coords(lon=lon.assign_attrs(raw["lon"].attrs))
                dims = data.draw(st.permutations(sorted(raw.dims)))
                raw = raw.transpose(*dims)
                for name in ("time_bnds", "time_bounds"):
                    if name in raw:
                        raw[name] = raw[name].transpose("time", ...)
            shuffled[member][path] = raw
    found = read(shuffled)
    lon = found["lon"].values
    np.testing.assert_allclose(lon, ensemble["lon"], atol=1e-4)
    assert_same(found.assign_coords(lon=ensemble["lon"].values), ensemble)


UNITS = {
    "GPP": [("kg m-2 s-1", 1e-3), ("gC m-2 s-1", 1.0), ("g/m2/day", 86400.0)],
    "RAIN": [("kg m-2 s-1", 1.0), ("m/s", 1e-3), ("mm/day", 86400.0)],
    "SOILLIQ": [("kg m-2", 1.0), ("mm", 1.0)],
    "SNOW_DEPTH": [("cm", 100.0), ("mm", 1000.0)],
    "co2vmr": [("ppm", 1e6), ("1", 1.0)],
    "landfrac": [("%", 100.0)],
    "area": [("m2", 1e6), ("m^2", 1e6)],
}


@pytest.mark.parametrize(
    ("name", "unit", "factor"), [(n, u, f) for n, some in UNITS.items() for u, f in some]
)
def test_other_units_are_converted(ensemble, files, name, unit, factor):
    for own in files.values():
        for path, raw in own.items():
            for part in {"RAIN": ("RAIN", "SNOW")}.get(name, (name,)):
                if part in raw:
                    raw = on(part, lambda v: v.astype("float64") * factor, units=unit)(raw)
            own[path] = raw
    found = read(files)
    for variable in ("gpp", "pr", "mrsll", "snd", "co2", "sftlf", "areacella"):
        np.testing.assert_allclose(found[variable], ensemble[variable], rtol=1e-6)


def test_celsius_is_converted(ensemble, files):
    change(files, "TSA", on("TSA", lambda v: v - 273.15, units="degC"))
    np.testing.assert_allclose(read(files)["tas"], ensemble["tas"], rtol=1e-6)


@pytest.mark.parametrize("fill", [1e36, -9999.0, -999.0, 1e20, -1e30, np.inf])
def test_fill_values_that_nobody_declared_are_missing(ensemble, files, fill):
    change(files, "TSOI", on("TSOI", lambda v: v.fillna(fill)))
    change(files, "landfrac", on("landfrac", lambda v: v.fillna(fill)))
    assert_same(read(files), ensemble)


def test_liquid_and_ice_from_whichever_two_there_are(ensemble, files):
    thickness = xr.DataArray(np.diff([0.0, 0.05, 0.12, 0.36, 1.02, 3.47]), dims="levsoi")
    for own in files.values():
        for path in [p for p in own if ".SOILICE." in p]:
            ice = own.pop(path)
            liquid = own[path.replace("SOILICE", "SOILLIQ")]["SOILLIQ"]
            share = ((ice["SOILICE"] + liquid) / thickness / 1000).transpose(*liquid.dims)
            share = share.assign_attrs(units="mm3/mm3")
            own[path.replace("SOILICE", "H2OSOI")] = ice.drop_vars("SOILICE").assign(H2OSOI=share)
    found = read(files)
    np.testing.assert_allclose(found["mrsfl"], ensemble["mrsfl"], rtol=1e-4, atol=1e-3)
    assert found["mrsfl"].attrs["original"] == "SOILLIQ and H2OSOI"
    for own in files.values():
        for path in [p for p in own if ".SOILLIQ." in p]:
            del own[path]
    separated = read(files)
    assert LIQUID_FORMULA in separated.attrs["mpcf_notes"]
    assert LIQUID_FORMULA in [f.found for f in examine(separated)]
    total = ensemble["mrsll"] + ensemble["mrsfl"]
    np.testing.assert_allclose(separated["mrsll"] + separated["mrsfl"], total, rtol=1e-4)
    warm = (ensemble["tsl"] >= 273.15).values
    np.testing.assert_allclose(separated["mrsll"].values[warm], total.values[warm], rtol=1e-4)
    assert (separated["mrsll"] < total).where(ensemble["tsl"] < 270).mean() > 0.5


def test_layers_of_clm5_and_clm4_5():
    thickness = clm_thickness(np.array([0.01, 0.04, 0.09, 0.16, 0.26, 0.40]))
    np.testing.assert_array_equal(thickness, [0.02, 0.04, 0.06, 0.08, 0.12, 0.16])
    old = 0.025 * (np.exp(0.5 * (np.arange(1, 16) - 0.5)) - 1)
    assert clm_thickness(old)[:10].sum() == pytest.approx(3.8019, abs=1e-4)
    assert clm_thickness(np.array([0.1, 0.5])) is None


def test_clm5_layers_without_dzsoi(files):
    """TSOI on 25 layers, water on 20: the first 20 are kept, with CLM5's thickness."""
    from mpcf.data.readers.soil_layers import CLM5_NODES as NODES

    def deepen(name, level, count):
        def rebuild(raw):
            attrs = raw[level].attrs
            taken = raw.isel({level: np.arange(count) % 5})
            return taken.assign_coords({level: (level, list(NODES[:count]), attrs)}).drop_vars(
                "DZSOI", errors="ignore"
            )

        change(files, name, rebuild)

    deepen("TSOI", "levgrnd", 25)
    deepen("SOILLIQ", "levsoi", 20)
    deepen("SOILICE", "levsoi", 20)
    found = read(files)
    assert found.sizes["depth"] == 20
    np.testing.assert_allclose(found["depth_bnds"][13].values, [2.72, 3.26])
    assert float(found["depth_bnds"][-1, 1]) == pytest.approx(8.60)


def test_rock_within_the_soil_is_missing(ensemble, files):
    def rock(raw):
        name = "SOILLIQ" if "SOILLIQ" in raw else "SOILICE"
        dry = raw[name].where((raw["levsoi"] < 1) | (raw["lat"] < 55) | raw[name].isnull(), 0.0)
        return raw.assign({name: dry.transpose(*raw[name].dims).assign_attrs(raw[name].attrs)})

    change(files, "SOILLIQ", rock)
    change(files, "SOILICE", rock)
    found = read(files)
    deep = dict(depth=4, lat=2)
    for name in ("tsl", "mrsll", "mrsfl"):
        assert found[name].isel(deep).isnull().all()
        np.testing.assert_array_equal(found[name].isel(depth=3), ensemble[name].isel(depth=3))


def test_months_outside_whole_years_are_left_out_and_noted(ensemble, files):
    files = monthly_files(files)
    for own in files.values():
        del own[max(own)]
    found = read(files)
    assert_same(found, ensemble.isel(time=slice(0, 36)))
    assert "2000-01 to 2003-11 became 2000-01 to 2002-12" in found.attrs["mpcf_notes"]


def test_only_land_north_of_45_is_read(ensemble, files):
    for own in files.values():
        for path, raw in own.items():
            if "lat" in raw.dims:
                lat = raw["lat"].copy(data=[29.0, 39.0, 49.0, 59.0])
                own[path] = raw.assign_coords(lat=lat.assign_attrs(raw["lat"].attrs))
    found = read(files)
    assert found["lat"].values.tolist() == [49.0, 59.0]
    np.testing.assert_array_equal(found["tas"], ensemble["tas"].isel(lat=[2, 3]))


def test_a_cell_area_that_is_off_is_rebuilt_and_noted(ensemble, files):
    for own in files.values():
        for path, raw in own.items():
            if "area" in raw:
                own[path] = on("area", lambda v: v * 0.023)(raw)
    found = read(files)
    np.testing.assert_allclose(found["areacella"], ensemble["areacella"], rtol=1e-6)
    assert "adds up to 2.3 % of its grid's area" in found.attrs["mpcf_notes"]


def test_an_optional_variable_of_some_members_is_left_out_and_noted(files):
    for path in of(files, "TOTSOMC"):
        del files["002"][path]
    found = read(files)
    assert "cSoil" not in found
    assert "cSoil is left out: member 002" in found.attrs["mpcf_notes"]


# ------------------------------------------------------------------------------- refused


SERIES = ("co2vmr", "warming")


def drop(files, name, index=None):
    for path in of(files, name)[slice(index, None if index is None else index + 1)]:
        del files["002"][path]


def rename(files, name, old, new):
    for path in of(files, name):
        files["002"][path.replace(old, new)] = files["002"].pop(path)


def twice(files):
    path = of(files, "GPP")[0]
    files["002"][path.replace("200001-200212", "200101-200212")] = files["002"][path].isel(
        time=slice(12, None)
    )


def shorter(files):
    for own in files.values():
        for path in [p for p in own if "002" in p and "200301" in p]:
            del own[path]


def other_grid(raw):
    lat = raw["lat"] + 0.5
    return raw.assign_coords(lat=lat.assign_attrs(raw["lat"].attrs))


def other_calendar(raw):
    attrs = raw["time"].attrs | {"calendar": "standard"}
    return raw.assign_coords(time=("time", raw["time"].values, attrs))


def bare(name):
    def strip(raw):
        del raw[name].attrs["units"]
        return raw

    return strip


REFUSED = {
    "variable missing in a member": (
        lambda f: drop(f, "GPP"),
        "member 002 lacks GPP, which other members have; put its files .*'members'",
    ),
    "water missing": (
        lambda f: (drop(f, "SOILLIQ"), drop(f, "SOILICE")),
        "member 002 lacks SOILLIQ, SOILICE, which other",
    ),
    "ice missing": (lambda f: drop(f, "SOILICE"), "member 002 lacks SOILICE, which other"),
    "file missing at the start": (
        lambda f: drop(f, "GPP", 0),
        "'gpp', in the source GPP .*, of member 002 holds 2003-01 to 2003-12 .* files of 2000-01 "
        "to 2002-12 are missing",
    ),
    "last file missing": (
        lambda f: drop(f, "TSOI", 1),
        "'tsl', in the source TSOI .*, of member 002 .* files of 2003-01 to 2003-12 are missing",
    ),
    "unit of rain alone": (
        lambda f: change(f, "RAIN", on("RAIN", lambda v: v, units="mm/day")),
        r"RAIN of member 001 \(.*RAIN.*\) has 'mm/day', SNOW .* has 'mm/s'; correct",
    ),
    "rain of nil": (
        lambda f: change(f, "RAIN", on("RAIN", lambda v: v / 86400), ("002",)),
        r"RAIN of member 002 \(.*RAIN.*\) is at most .* look at its units",
    ),
    "overlapping files": (twice, r"GPP of member 002 occurs twice: .*remove one"),
    "name of other months": (
        lambda f: rename(f, "GPP", "200301-200312", "200301-200412"),
        "200301-200412.nc holds 2003-01 to 2003-12, but its name says 2003-01 to 2004-12",
    ),
    "shorter member": (shorter, "member 002 holds 2000-01 to 2002-12"),
    "mixed grids": (
        lambda f: change(f, "GPP", other_grid, ["002"]),
        "GPP of member 002 .* is on a different grid",
    ),
    "member on another grid": (
        lambda f: [change(f, n, other_grid, ["002"]) for n in cesm.WANTED if n not in SERIES],
        "member 002 is on a different grid from member 001",
    ),
    "other calendar": (
        lambda f: change(f, "GPP", other_calendar, ["002"]),
        "time_bounds and time of .*GPP.* is not one month",
    ),
    "unknown unit": (
        lambda f: change(f, "GPP", on("GPP", lambda v: v, units="umol m-2 s-1"), ["002"]),
        "GPP of member 002 .* has the units 'umol m-2 s-1'",
    ),
    "no unit": (lambda f: change(f, "TSA", bare("TSA")), "TSA of member 001 .* has no units"),
    "words": (
        lambda f: change(f, "GPP", on("GPP", lambda v: v.astype(str)), ["002"]),
        "GPP of member 002 .* holds no numbers",
    ),
    "land in the wrong unit": (
        lambda f: [change(f, n, lambda r: on("landfrac", lambda v: v, units="%")(r)
                          if "landfrac" in r else r) for n in cesm.WANTED],
        "landfrac of member 001 .* look at its units",
    ),
    "other land": (
        lambda f: [change(f, n, lambda r: on("landfrac", lambda v: v / 2)(r)
                          if "landfrac" in r else r, ["002"]) for n in cesm.WANTED],
        "'landfrac' of member 002 .* differs from that of the others",
    ),
    "other layers": (
        lambda f: change(
            f, "SOILLIQ", lambda r: r.assign_coords(levsoi=r["levsoi"] * 2), ["002"]
        ),
        "SOILLIQ of member 002",
    ),
    "unknown layers": (
        lambda f: change(f, "TSOI", lambda r: r.drop_vars("DZSOI")),
        "neither CLM5's nor CLM4.5's",
    ),
    "depth upwards": (
        lambda f: change(f, "TSOI", lambda r: r.isel(levgrnd=slice(None, None, -1)), ["002"]),
        "TSOI of member 002 .* do not increase downwards",
    ),
    "too shallow": (
        lambda f: [change(f, n, lambda r: r.isel(levsoi=[0, 1, 2])) for n in cesm.WATER],
        "reaches down to 0.36 m",
    ),
    "no grid": (
        lambda f: change(f, "GPP", lambda r: r.rename(lat="lndgrid"), ["002"]),
        "has no grid of rows and columns",
    ),
    "radians": (
        lambda f: change(
            f, "GPP", lambda r: r.assign_coords(lat=r["lat"].assign_attrs(units="radian"))
        ),
        "is not in degrees",
    ),
    "a column twice": (
        lambda f: change(f, "GPP", lambda r: r.isel(lon=[0, 1, 2, 3, 4, 0]), ["002"]),
        "'lon' has the same value twice",
    ),
    "one dimension too many": (
        lambda f: change(f, "GPP", lambda r: r.assign(GPP=r["GPP"].expand_dims(pft=2, level=2)),
                         ["002"]),
        "one too many",
    ),
}  # fmt: skip


@pytest.mark.parametrize("fault", REFUSED)
def test_a_fault_is_refused_by_name(files, fault):
    spoil, message = REFUSED[fault]
    spoil(files)
    with pytest.raises(DataError, match=message):
        read(files)


FOUND_BY_CHECKS = {
    "flipped sign": (
        "GPP",
        lambda v: -v,
        r"'gpp', in the source GPP \(gC/m\^2/s\), of member 001 runs from",
    ),
    "°C called K": (
        "TSA",
        lambda v: v - 273.15,
        "'tas', in the source TSA .*, of member 001 runs from",
    ),
    "g called kg": ("GPP", lambda v: v * 1000, "'gpp', in the source GPP .*, of member 001 "),
    "month without values": (
        "HR",
        lambda v: v.where(v["time"] != v["time"][3]),
        r"HR of member 001 \(.*HR.*\) has no values in 2000-04",
    ),
}


@pytest.mark.parametrize("fault", FOUND_BY_CHECKS)
def test_what_only_values_reveal_is_found_by_the_checks(files, fault):
    name, spoil, message = FOUND_BY_CHECKS[fault]
    change(files, name, on(name, spoil))
    errors = [f.found for f in examine(read(files)) if f.status == "error"]
    assert len(errors) == 1
    assert re.search(message, errors[0])


IN_YEARS = {
    "a month of fill values": (
        "GPP",
        on("GPP", lambda v: v.where(v["time"] != v["time"][6], 1e36)),
        r"GPP of member 002 \(.*GPP.*\) has no values in 2003-07",
    ),
    "years of fill values": (
        "TSOI",
        on("TSOI", lambda v: v * 0 + 1e36),
        "'tsl', in the source TSOI .*, of member 002 has cells without values in 2003, but",
    ),
    "too large by a thousand": (
        "HR",
        on("HR", lambda v: v * 1000),
        "'rh', in the source HR .*, of member 002 .* in 2003; .* plausible",
    ),
    "too small by a thousand": (
        "HR",
        on("HR", lambda v: v / 1000),
        "'rh', in the source HR .*, of member 002 .* in 2003; .* plausible",
    ),
    "too small by ten": (
        "HR",
        on("HR", lambda v: v / 10),
        "'rh', in the source HR .*, of member 002 jumps in 2003",
    ),
}


def make_years(monthly, path, **how):
    """Take chapter 1's step to years."""
    write_yearly(monthly, path, progress=False, **how)
    return check_yearly(xr.open_zarr(path), monthly)


@pytest.mark.parametrize("fault", IN_YEARS)
def test_a_fault_of_some_years_stops_the_step_to_years(files, tmp_path, fault):
    name, spoil, message = IN_YEARS[fault]
    path = of(files, name)[-1]  # 2003 of member 002
    files["002"][path] = spoil(files["002"][path])
    with pytest.raises(ValueError, match=message):
        make_years(read(files), tmp_path / "yearly.zarr")


@settings(max_examples=3, suppress_health_check=list(HealthCheck))
@given(memory=st.sampled_from([20_000, 60_000, 2**29]), years=st.integers(1, 4))
def test_good_data_pass_however_they_are_cut(ensemble, tmp_path_factory, memory, years):
    folder = tmp_path_factory.mktemp("good")
    export(ensemble, folder / "x", "cesm", PHASES, years=years)
    monthly = cesm.read(places.open_members(str(folder / "x"), cesm.is_wanted))
    found = make_years(monthly, folder / "yearly.zarr", memory=memory)
    assert "all 4 years of every member, 2000 to 2003" in found


def test_years_that_are_apart_are_not_compared(files, tmp_path):
    monthly = read(files)
    make_years(monthly, tmp_path / "yearly.zarr")
    apart = xr.open_zarr(tmp_path / "yearly.zarr").isel(year=[0, 1, 3])
    with pytest.raises(DataError, match="years 2001 and 2003 are not consecutive"):
        check_yearly(apart, monthly)


def test_a_member_that_was_copied_is_found_by_the_checks(files):
    files["002"] = files["001"]
    errors = [f.found for f in examine(read(files)) if f.status == "error"]
    assert errors == ["members 1 and 2 hold the same 'tas': one was read twice"]


def test_a_block_that_cannot_be_read_names_its_file(cesm_folder, tmp_path):
    """A file may be damaged in its values: opening it goes well, reading does not."""
    import shutil

    folder = tmp_path / "x"
    shutil.copytree(cesm_folder, folder)
    path = next((folder / "002").glob("*.TSOI.200001*"))
    soil = cesm.read(places.open_members(str(folder), cesm.is_wanted))["tsl"]
    with path.open("r+b") as file:
        file.write(bytes(path.stat().st_size))
    with pytest.raises(DataError, match=r"TSOI of member 002 \(.*TSOI.*can't be read"):
        soil.load()
