"""Copies of public archives' layouts, made small from the standard monthly dataset.

Names, dims, stamps and attributes are those of the archives' own files, as public pages and scripts
describe them; values are the demonstration's.
"""

import json
import tempfile
from itertools import pairwise
from pathlib import Path

import cftime
import netCDF4
import numpy as np
import pandas as pd
import xarray as xr

from mpcf.data.export import export

FILL = np.float32(1e36)
MONTH_DAYS = (31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)


def shifted(monthly, first_year):
    """Return a dataset in noleap dated from another year."""
    move = first_year - monthly.indexes["time"][0].year

    def date(t):
        return cftime.DatetimeNoLeap(t.year + move, t.month, t.day, t.hour)

    bounds = np.vectorize(date)(monthly["time_bnds"].values)
    time = [date(t) for t in monthly.indexes["time"]]
    return monthly.assign_coords(time=time).assign(time_bnds=(("time", "bnds"), bounds))


def _edges(first_year, months):
    """Return the days since year 1 at which the months begin, and the end of the last."""
    lengths = np.resize(MONTH_DAYS, months)
    return (first_year - 1) * 365.0 + np.concatenate([[0], np.cumsum(lengths)])


def _exported(monthly, layout):
    """Return the exported variables: name → dataset, undecoded, of all members' files."""
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "out"
        export(monthly, target, layout, {"warming": (1, 2)}, years=1000)
        raw = {"decode_times": False, "mask_and_scale": False}
        if layout == "cesm":
            paths = sorted(target.glob("*/*.nc"))
            return [(p.name.split(".")[-3], xr.load_dataset(p, **raw)) for p in paths]
        table = pd.read_csv(target / "catalog.csv").drop_duplicates(["variable_id", "member_id"])
        rows = table[["table_id", "variable_id", "member_id", "zstore"]].itertuples(index=False)
        found = []
        for *facets, store in rows:
            with xr.open_zarr(target / store, chunks=None, **raw) as data:
                found.append((*facets, data.load()))
        return found


# ------------------------------------------------------------------------------------- koven


KOVEN_CASE = "cesm_edriven_idealizedcdr_feb2022_v3"


def write_koven(monthly, folder, first_year=1):
    """Write one member as CLM and CAM history files of a month each, all variables in a file.

    Stamps are at the end of the month; layers that do not change and rock below the soil are in the
    first file alone; ``co2vmr`` is what the namelist prescribes, although emissions drive the run.
    """
    data = dict(_exported(monthly.isel(member=[0]), "cesm"))
    soil = data["TSOI"]
    one = {name: own[name] for name, own in data.items() if "lat" in own[name].dims}
    thick = soil["DZSOI"].values
    rock = np.array([2.39, 4.676])
    nodes = np.append(soil["levgrnd"].values, np.cumsum([thick.sum(), 2.39]) + rock / 2)
    lat, lon = soil["lat"].values, soil["lon"].values
    land = soil["landfrac"].values
    land = np.where(np.isfinite(land) & (np.abs(land) < 1e30), land, FILL).astype("float32")
    edges = _edges(first_year, soil.sizes["time"])
    attrs = {k: v for k, v in soil.attrs.items() if not k.startswith("ltype_")}
    attrs |= {
        "Conventions": "CF-1.0",
        "source": "Community Land Model CLM5.0",
        "case_id": KOVEN_CASE,
    }
    attrs |= {"title": "CLM History file information", "time_period_freq": "month_1"}
    units = {name: str(values.attrs["units"]) for name, values in one.items()}
    co2 = data["CO2_vmr" if "CO2_vmr" in data else "co2vmr"]
    co2 = co2[next(n for n in co2.data_vars if "bnds" not in n)].values
    air = one["TSA"].values
    lands, airs = folder / KOVEN_CASE / "lnd" / "hist", folder / KOVEN_CASE / "atm" / "hist"
    lands.mkdir(parents=True)
    airs.mkdir(parents=True)

    def put(file, name, dims, values, **own):
        filled = {"fill_value": FILL} if {"lat", "lon"} <= set(dims) else {}
        kind = "f8" if name in ("time_bounds", "time_bnds", "time_cam") else "f4"
        variable = file.createVariable(name.removesuffix("_cam"), kind, dims, **filled)
        variable.setncatts(own | ({"missing_value": FILL} if filled else {}))
        variable[:] = values

    surface, fixed = ("time", "lat", "lon"), ("lat", "lon")
    for month, (start, end) in enumerate(pairwise(edges)):
        stamp = f"{first_year + month // 12:04d}-{month % 12 + 1:02d}"
        days = {"units": "days since 0001-01-01 00:00:00", "calendar": "noleap"}
        with netCDF4.Dataset(lands / f"{KOVEN_CASE}.clm2.h0.{stamp}.nc", "w") as file:
            for name, size in [("time", None), ("lat", lat.size), ("lon", lon.size),
                               ("levgrnd", nodes.size), ("levsoi", thick.size), ("ltype", 9),
                               ("hist_interval", 2)]:  # fmt: skip
                file.createDimension(name, size)
            file.setncatts(attrs)
            for kind, name in enumerate(("vegetated_or_bare_soil", "crop", "UNUSED", "landice"), 1):
                file.setncattr(f"ltype_{name}", np.int32(kind))
            put(file, "levgrnd", ("levgrnd",), nodes, units="m", long_name="coordinate soil levels")
            put(file, "levsoi", ("levsoi",), nodes[: thick.size], units="m")
            put(file, "lat", ("lat",), lat, units="degrees_north")
            put(file, "lon", ("lon",), lon, units="degrees_east")
            put(file, "time", ("time",), [end], bounds="time_bounds", **days)
            put(file, "time_bounds", ("time", "hist_interval"), [[start, end]])
            put(file, "area", fixed, soil["area"].values, units="km^2")
            put(file, "landfrac", fixed, land)
            put(file, "nbedrock", fixed, np.where(land < 1e30, thick.size, FILL), units="unitless")
            if month == 0:
                layers = np.append(thick, rock)[:, None, None]
                layers = np.where(land < 1e30, layers, FILL)
                put(file, "DZSOI", ("levgrnd", "lat", "lon"), layers, units="m")
            mean = {"cell_methods": "time: mean"}
            for name, values in one.items():
                own = values.isel(time=[month]).values
                dims = values.dims
                if name == "TSOI":
                    own = np.concatenate([own, own[:, -1:], own[:, -1:]], axis=1)
                if name == "PCT_LANDUNIT":
                    whole = np.zeros((1, 9, lat.size, lon.size))
                    whole[:, [0, 3]] = own[:, [0, 3]]
                    own = np.where(land < 1e30, whole, FILL)
                put(file, name, dims, own, units=units[name], **mean)
            liquid, ice = (one[n].isel(time=[month]).values for n in ("SOILLIQ", "SOILICE"))
            dz = thick[:, None, None]
            volume = np.where(liquid < 1e30, liquid / (1000 * dz) + ice / (917 * dz), FILL)
            put(file, "H2OSOI", ("time", "levsoi", "lat", "lon"), volume, units="mm3/mm3", **mean)
            if "SNOWDP" not in one:
                snow = one["SNOW_DEPTH"].isel(time=[month]).values
                put(file, "SNOWDP", surface, snow, units="m", **mean)
            pressure = np.where(land < 1e30, 1e5, FILL)[None]
            put(file, "PBOT", surface, pressure, units="Pa", **mean)
            partial = np.where(land < 1e30, 1e5 * co2[month], FILL)[None]
            put(file, "PCO2", surface, partial, units="Pa", **mean)
        with netCDF4.Dataset(airs / f"{KOVEN_CASE}.cam.h0.{stamp}.nc", "w") as file:
            for name, size in [("time", None), ("lat", lat.size), ("lon", lon.size), ("nbnd", 2)]:
                file.createDimension(name, size)
            file.setncatts({"Conventions": "CF-1.0", "source": "CAM", "case": KOVEN_CASE})
            put(file, "lat", ("lat",), lat, units="degrees_north")
            put(file, "lon", ("lon",), lon, units="degrees_east")
            put(file, "time_cam", ("time",), [end], bounds="time_bnds", **days)
            put(file, "time_bnds", ("time", "nbnd"), [[start, end]])
            put(file, "gw", ("lat",), np.cos(np.radians(lat)))
            put(
                file,
                "TREFHT",
                surface,
                np.where(air[[month]] < 1e30, air[[month]], 271.0),
                units="K",
            )
            put(file, "co2vmr", ("time",), [284.7e-6], units="mol/mol")


# -------------------------------------------------------------------------------------- CMIP


BRANDS = {
    **dict.fromkeys(("gpp", "ra", "rh", "snd", "cSoil", "cVeg"), ("land", "tavg-u-hxy-lnd")),
    **dict.fromkeys(("tsl", "mrsll", "mrsfl"), ("land", "tavg-sl-hxy-lnd")),
    "tas": ("atmos", "tavg-h2m-hxy-u"),
    "pr": ("atmos", "tavg-u-hxy-u"),
    "co2mass": ("atmos", "tavg-u-hm-u"),
    **dict.fromkeys(("areacella", "sftlf"), ("atmos", "ti-u-hxy-u")),
    "sftgif": ("land", "ti-u-hxy-u"),
}
"""Variable → realm and branding suffix, by the public tables of CMIP7."""


def write_cmip(monthly, folder, model, experiments, *, era="CMIP6", years_per_file=10, only=()):
    """Write files of CMIP6 or CMIP7, a variable each, in the archive's folders.

    `experiments` is name → (first year, last year, change of the values).
    """
    start = monthly.indexes["time"][0].year
    for table, name, member, raw in _exported(monthly, "cmip6"):
        if table == "mpcf" or (only and name not in only):
            continue
        realm, brand = BRANDS[name]
        fixed = "time" not in raw.dims
        frequency = "fx" if fixed else "mon"
        for experiment, (first, last, change) in experiments.items():
            if fixed and experiment != next(iter(experiments)):
                continue
            attrs = {k: v for k, v in raw.attrs.items() if k.startswith("mpcf")} | {
                "mip_era": era, "activity_id": "C4MIP", "institution_id": "NCC",
                "source_id": model, "experiment_id": experiment, "variant_label": member,
                "variable_id": name, "table_id": table, "grid_label": "gn",
                "frequency": frequency, "license": "CC BY 4.0", "sub_experiment_id": "none",
            }  # fmt: skip
            if era == "CMIP6":
                place = [era, "C4MIP", "NCC", model, experiment, member, table, name, "gn"]
                stem = [name, table, model, experiment, member, "gn"]
            else:
                attrs |= {"branding_suffix": brand, "branded_variable": f"{name}_{brand}"}
                attrs |= {"region": "glb", "drs_specs": "MIP-DRS7", "table_id": realm}
                attrs |= {"grid_label": "g13s"}
                del attrs["sub_experiment_id"]
                place = ["MIP-DRS7", era, "C4MIP", "NCC", model, experiment, member, "glb"]
                place += [frequency, name, brand, "g13s"]
                stem = [name, brand, frequency, "glb", "g13s", model, experiment, member]
            target = folder.joinpath(*place, "v20191108")
            target.mkdir(parents=True)
            spans = [None] if fixed else range(first, last + 1, years_per_file)
            for year in spans:
                part, end = raw, ""
                if not fixed:
                    to = min(year + years_per_file - 1, last)
                    part = raw.isel(time=slice(12 * (year - start), 12 * (to - start + 1)))
                    part = part.assign({name: part[name] + change}) if change else part
                    part[name].attrs = raw[name].attrs | {"cell_methods": "time: mean"}
                    end = f"_{year:04d}01-{to:04d}12"
                part = part.assign_attrs(attrs)
                part[name] = part[name].astype("float32" if part[name].ndim > 1 else "float64")
                filled = {} if part[name].ndim < 2 else {"_FillValue": np.float32(1e20)}
                part[name] = part[name].fillna(1e20) if filled else part[name]
                for variable in part.variables.values():
                    variable.encoding = {"_FillValue": None}
                part[name].encoding = filled
                part[name].attrs.pop("_FillValue", None)
                part.to_netcdf(target / f"{'_'.join(stem)}{end}.nc", unlimited_dims=[])


# ---------------------------------------------------------------------------------- CESM2-LE


def write_cesm2_le(monthly, folder, last_historical):
    """Write Zarr stores of all members, their catalogue, and a history file with the maps."""
    names = [f"r{i}i{1001 + 20 * k}p1f1" for k, i in enumerate(monthly["member"].values)]
    data = _exported(monthly, "cesm")
    by_name = {}
    for name, own in data:
        by_name.setdefault(name, []).append(own)
    maps = by_name["TSOI"][0][["area", "landfrac", "lat", "lon", "DZSOI"]]
    maps["landfrac"] = maps["landfrac"].where(maps["landfrac"] < 1e30)
    maps.encoding = {}
    folder.mkdir(parents=True)
    maps.to_netcdf(folder / "maps.clm2.h0.2000-01.nc")
    first_year = monthly.indexes["time"][0].year
    edges = _edges(first_year, monthly.sizes["time"])
    middles = (edges[:-1] + edges[1:]) / 2
    found = {n: xr.concat([own[n] for own in by_name[n]], "member_id") for n in
             ("SOILLIQ", "RAIN", "SNOW")}  # fmt: skip
    air = xr.concat([own["TSA"] for own in by_name["TSA"]], "member_id")
    land = air.where(air < 1e30)
    found["TREFHT"] = land.fillna(land.mean(["lat", "lon"]))
    liquid = found["SOILLIQ"]
    found["SOILWATER_10CM"] = liquid.isel(levsoi=0, drop=True)
    found["FSNO"] = (found["SNOW"] * 0).where(found["SNOW"] < 1e30, FILL)
    rows = []
    split = 12 * (last_historical - first_year + 1)
    parts = {"historical": slice(0, split), "ssp370": slice(split, None)}
    for name, values in found.items():
        component, bounds = ("atm", "time_bnds") if name == "TREFHT" else ("lnd", "time_bounds")
        interval = "nbnd" if component == "atm" else "hist_interval"
        for experiment, months in parts.items():
            for forcing in ("cmip6", "smbb"):
                own = values.isel(time=months).astype("float32")
                own = own + 5.0 if forcing == "smbb" else own
                raw = xr.Dataset({name: own.assign_attrs(values.attrs)})
                raw = raw.assign_coords(member_id=names, time=middles[months])
                raw["time"].attrs = {"units": "days since 0001-01-01", "calendar": "noleap",
                                     "bounds": bounds}  # fmt: skip
                pairs = np.column_stack([edges[:-1], edges[1:]])[months]
                raw[bounds] = (("time", interval), pairs)
                raw.attrs = {k: v for k, v in data[0][1].attrs.items() if k.startswith("mpcf")}
                raw[name].attrs["cell_methods"] = "time: mean"
                for variable in raw.variables.values():
                    variable.encoding = {}
                    variable.attrs.pop("_FillValue", None)
                store = f"{component}/monthly/cesm2LE-{experiment}-{forcing}-{name}.zarr"
                raw.to_zarr(
                    folder / store, zarr_format=2, consolidated=True,
                    encoding={name: {"_FillValue": FILL}},
                )  # fmt: skip
                rows.append([name, "", component, experiment, forcing, "monthly", 1.0, "global",
                             "", "", "", str(folder / store)])  # fmt: skip
    rows.append(["NPP", "", "lnd", "historical", "cmip6", "daily", 1.0, "global_land", "", "", "",
                 "s3://ncar-cesm2-lens/lnd/daily/cesm2LE-historical-cmip6-NPP.zarr"])  # fmt: skip
    rows.append([None, None, "atm", "ssp370", "cmip6", "static", None, "global", None, None, None,
                 "s3://ncar-cesm2-lens/atm/static/grid.zarr"])  # fmt: skip
    columns = [
        "variable",
        "long_name",
        "component",
        "experiment",
        "forcing_variant",
        "frequency",
        "vertical_levels",
        "spatial_domain",
        "units",
        "start_time",
        "end_time",
        "path",
    ]
    pd.DataFrame(rows, columns=columns).to_csv(folder / "aws-cesm2-le.csv", index=False)
    catalogue = {
        "esmcat_version": "0.1.0",
        "id": "aws-cesm2-le",
        "description": "the layout of the CESM2 Large Ensemble in the cloud",
        "catalog_file": "aws-cesm2-le.csv",
        "attributes": [{"column_name": name, "vocabulary": ""} for name in columns[:-1]],
        "assets": {"column_name": "path", "format": "zarr"},
        "aggregation_control": {
            "variable_column_name": "variable",
            "groupby_attrs": ["component", "experiment", "frequency", "forcing_variant"],
            "aggregations": [{"type": "union", "attribute_name": "variable"}],
        },
    }
    (folder / "aws-cesm2-le.json").write_text(json.dumps(catalogue))
