"""Write a standard monthly dataset as CESM history files or as CMIP6 Zarr with a catalogue.

The readers return exactly what was written. This proves that they interpret such files correctly,
and the files are a worked example of the layout that they expect.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import xarray as xr

from mpcf.data.cmip6_attributes import cmip6_attributes
from mpcf.data.readers import cesm, cmip6
from mpcf.data.readers.cmip6_table import ADDRESS
from mpcf.data.variables import MAPS, MONTHLY
from mpcf.errors import InvalidChoice, faults_at
from mpcf.folders import replace_dir, write_atomic
from mpcf.ground.constants import FREEZING_POINT, GRAMS_PER_KG
from mpcf.ground.geography import cell_bounds

FILL_VALUE = 1e36
"""Fill value of CESM's history files."""

YEARS_PER_FILE = 100

M2_PER_KM2 = 1e6
MOL_FRACTION_PER_PPM = 1e-6

CESM_UNITS = {
    "gpp": "gC/m^2/s",
    "ra": "gC/m^2/s",
    "rh": "gC/m^2/s",
    "cSoil": "gC/m^2",
    "cVeg": "gC/m^2",
    "tas": "K",
    "pr": "mm/s",
    "snd": "m",
    "tsl": "K",
    "mrsll": "kg/m2",
    "mrsfl": "kg/m2",
    "co2": "mol/mol",
    "warming": "K",
}
"""Units of CESM's history files, by standard name."""

CLM_LEVELS = {"tsl": "levgrnd", "mrsll": "levsoi", "mrsfl": "levsoi"}
"""CLM's name of the vertical dimension, by standard name."""

CASE = "b.mpcf.demo"

LAND_UNITS = ("vegetated_or_bare_soil", "crop", "landice", "landice_multiple_elevation_classes")
"""The first four of CLM's land units, in CLM's order."""
_CMIP6 = {
    "activity_id": "MPCF",
    "institution_id": "MPCF",
    "source_id": "MPCF-demo",
    "experiment_id": "demo",
}
_GRID = "gn"

_DEPTH = {"standard_name": "depth", "units": "m", "positive": "down", "axis": "Z"}
_HEIGHT = {"standard_name": "height", "units": "m", "positive": "up", "axis": "Z"}
TAS_HEIGHT = 2.0
"""m, height of the air temperature, which CMIP6 requires with it."""


def export(
    monthly: xr.Dataset,
    folder: Path,
    layout: str,
    phases: Mapping[str, tuple[int, int]],
    *,
    years: int = YEARS_PER_FILE,
) -> None:
    """
    Write a dataset in the layout of raw model output.

    Parameters
    ----------
    monthly : Dataset
        The standard monthly dataset.
    folder : Path
        Folder to write; must be new or empty. ``catalog-entry.yml`` in it holds its entry for
        catalog.yml.
    layout : str
        ``"cesm"``: one folder per member, one file per variable and span of `years` years, time
        stamps at the end of the month. ``"cmip6"``: one Zarr store per member and variable, and an
        intake-esm catalogue, ``catalog.json``.
    phases : mapping of str to (int, int)
        First and last year of each phase, for the entry.
    years : int
        Years per file (``"cesm"``).

    Raises
    ------
    InvalidChoice
        If the layout is unknown, or the folder is not empty.
    SystemFault
        If the files can't be written.
    """
    if layout not in ("cesm", "cmip6"):
        raise InvalidChoice(f"layout '{layout}' is neither 'cesm' nor 'cmip6'")
    folder = Path(folder).absolute()
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise InvalidChoice(f"{folder} is not empty; name a new folder")
    aside = folder.with_name(f".{folder.name}.part")
    shutil.rmtree(aside, ignore_errors=True)
    with faults_at(folder):
        aside.mkdir(parents=True)
        if layout == "cesm":
            _write_cesm(monthly, aside, years)
        else:
            _write_cmip6(monthly, aside, folder)
        write_atomic(aside / "catalog-entry.yml", _entry(monthly, folder, layout, phases))
    replace_dir(aside, folder)


def _entry(
    monthly: xr.Dataset, folder: Path, layout: str, phases: Mapping[str, tuple[int, int]]
) -> str:
    import yaml

    arguments: dict = {"urlpath": str(folder), "xarray_kwargs": {"engine": "netcdf4"}}
    more: dict = {"convention": "cesm"}
    if layout == "cmip6":
        arguments = {"obj": str(folder / "catalog.json")}
        names = [f"r{int(m)}i1p1f1" for m in monthly["member"].values]
        more = {
            "convention": "cmip6",
            "model": _CMIP6["source_id"],
            "experiments": [_CMIP6["experiment_id"]],
            "members": names,
        }
    synthetic = str(monthly.attrs.get("mpcf_synthetic")) == "true"
    entry = {
        "description": f"Data exported by this book in the layout of {layout.upper()}.",
        "driver": "netcdf" if layout == "cesm" else "intake_esm.core.esm_datastore",
        "args": arguments,
        "metadata": {
            **more,
            "phases": {name: list(years) for name, years in phases.items()},
            "citation": str(monthly.attrs.get("title", "unknown")),
            "licence": "as the exported data",
            "is_synthetic": synthetic,
            "truth": None,
        },
    }
    text = yaml.safe_dump({"exported": entry}, sort_keys=False, allow_unicode=True)
    return "# Copy this below 'sources:' in catalog.yml, indented by two spaces.\n" + text


def _own_attributes(monthly: xr.Dataset, layout: str) -> dict[str, str]:
    kept = ("source", "institution", "references", "mpcf_synthetic")
    attrs = {name: str(monthly.attrs[name]) for name in kept if name in monthly.attrs}
    history = [str(monthly.attrs["history"])] if "history" in monthly.attrs else []
    return {
        "Conventions": "CF-1.8",
        "title": f"{monthly.attrs.get('title', 'Dataset')}, in the layout of {layout}",
        "history": "\n".join([f"written by mpcf.data.export in the layout of {layout}", *history]),
        **attrs,
    }


def _on_grid(dataset: xr.Dataset, monthly: xr.Dataset) -> xr.Dataset:
    """Return maps with their latitudes and longitudes, the latter from 0 to 360°, and bounds."""
    lat, lon = monthly["lat"].values, monthly["lon"].values
    turn = lon % 360.0 - lon
    axes = {
        "lat": (lat, cell_bounds(lat).clip(-90, 90), "latitude", "degrees_north", "Y"),
        "lon": (lon + turn, cell_bounds(lon) + turn[:, None], "longitude", "degrees_east", "X"),
    }
    out = dataset
    for name, (values, bounds, long_name, units, axis) in axes.items():
        attrs = {"standard_name": long_name, "long_name": long_name, "units": units, "axis": axis}
        out = out.assign_coords({name: (name, values, attrs | {"bounds": f"{name}_bnds"})})
        out[f"{name}_bnds"] = ((name, "bnds"), bounds)
    return out.sortby("lon")


def _days(monthly: xr.Dataset) -> tuple[np.ndarray, dict[str, str]]:
    """Return the months' bounds (time, 2), days, and the attributes that define the count."""
    import cftime

    bounds = monthly["time_bnds"].values
    attrs = {
        "standard_name": "time",
        "axis": "T",
        "units": f"days since {bounds[0, 0].year:04d}-01-01 00:00:00",
        "calendar": monthly["time"].dt.calendar,
    }
    return cftime.date2num(bounds, attrs["units"], attrs["calendar"]).astype(float), attrs


# ------------------------------------------------------------------------------------------ CESM


def _write_cesm(monthly: xr.Dataset, folder: Path, years: int) -> None:
    days, calendar = _days(monthly)
    first = int(monthly.indexes["time"][0].year)
    common = _common_cesm(monthly)
    attrs = _own_attributes(monthly, "CLM history files")
    attrs |= {f"ltype_{kind}": np.int32(i) for i, kind in enumerate(LAND_UNITS, 1)}
    steps = range(0, monthly.sizes["time"], 12 * years)
    for index, member in enumerate(monthly["member"].values):
        case = f"{CASE}.{int(member):03d}"
        target = folder / f"{int(member):03d}"
        target.mkdir()
        for start in steps:
            months = slice(start, min(start + 12 * years, monthly.sizes["time"]))
            span = f"{first + start // 12:04d}01-{first + months.stop // 12 - 1:04d}12"
            part = monthly.isel(member=index, time=months)
            for name, stream, values in _cesm_variables(part):
                time, bounds = days[months, 1], days[months]
                names = (
                    ("time_bnds", "nbnd") if stream == "cam" else ("time_bounds", "hist_interval")
                )
                data = xr.Dataset({name: values.drop_vars(list(values.coords))})
                if "lat" in values.dims:
                    levels = _levels(monthly, values.dims)
                    data = _on_grid(data.merge(common).merge(levels), monthly)
                data["time"] = ("time", time, {"long_name": "time", "bounds": names[0], **calendar})
                data[names[0]] = (("time", names[1]), bounds)
                data.attrs = attrs
                # via memory, since netCDF does not say why it cannot write a file
                content = data.to_netcdf(
                    engine="netcdf4", encoding=_encoding(data), unlimited_dims="time"
                )
                write_atomic(target / f"{case}.{stream}.h0.{name}.{span}.nc", content)


def _levels(monthly: xr.Dataset, dims: tuple[str, ...]) -> xr.Dataset:
    level = next((d for d in dims if d.startswith("lev")), None)
    if level is None:
        return xr.Dataset()
    attrs = {"long_name": "coordinate soil levels", **_DEPTH}
    out = xr.Dataset(coords={level: (level, monthly["depth"].values, attrs)})
    if level == "levgrnd":
        thickness = np.diff(monthly["depth_bnds"].values, axis=1)[:, 0]
        out["DZSOI"] = (level, thickness, {"long_name": "soil thickness", "units": "m"})
    return out


def _common_cesm(monthly: xr.Dataset) -> xr.Dataset:
    area, land = (monthly[n].load().astype("float64") for n in ("areacella", "sftlf"))
    fraction = (land / 100.0).where(land > 0)
    dims = ("lat", "lon")
    return xr.Dataset(
        {
            "area": (
                dims,
                area.values / M2_PER_KM2,
                {"long_name": "grid cell areas", "standard_name": "cell_area", "units": "km^2"},
            ),
            # CLM writes no units here
            "landfrac": (dims, fraction.values, {"long_name": "land fraction"}),
        }
    )


def _cesm_variables(part: xr.Dataset) -> Iterator[tuple[str, str, xr.DataArray]]:
    """Yield the CESM name, stream and values (time, ...) of each variable of a member."""

    def carbon(values: xr.DataArray) -> xr.DataArray:
        # in double precision, as CLM can write it, so that reading restores the exact values
        return values.astype("float64") * GRAMS_PER_KG

    for name in ("gpp", "ra", "rh", "cSoil", "cVeg"):
        if name in part:
            yield cesm.SINGLE[name], "clm2", _named(carbon(part[name].load()), part, name)
    rain, air = part["pr"].load(), part["tas"].load()
    is_warm = air > FREEZING_POINT
    parts = (rain.where(is_warm, 0), rain.where(~is_warm, 0))
    for name, values in zip(cesm.RAIN, parts, strict=True):
        yield name, "clm2", _named(values.where(rain.notnull()), part, "pr")
    for name in ("tas", "snd"):
        yield cesm.SINGLE[name], "clm2", _named(part[name].load(), part, name)
    for name, level in CLM_LEVELS.items():
        values = part[name].load().drop_vars("depth").rename(depth=level)
        yield MONTHLY[name].cesm[0], "clm2", _named(values, part, name)
    if "sftgif" in part:
        yield "PCT_LANDUNIT", "clm2", _land_units(part)
    if "co2" in part:
        values = part["co2"].load().astype("float64") * MOL_FRACTION_PER_PPM
        yield cesm.SINGLE["co2"], "cam", _named(values, part, "co2")
    if "warming" in part:
        yield cesm.SINGLE["warming"], "mpcf", _named(part["warming"].load(), part, "warming")


def _named(values: xr.DataArray, part: xr.Dataset, name: str) -> xr.DataArray:
    attrs = {"long_name": part[name].attrs.get("long_name", ""), "units": CESM_UNITS[name]}
    attrs["cell_methods"] = "time: mean"
    if "lat" in values.dims:
        attrs["cell_measures"] = "area: area"
    return values.drop_attrs(deep=False).assign_attrs(attrs)


def _land_units(part: xr.Dataset) -> xr.DataArray:
    land = part["sftlf"].load().astype("float64")
    ice = 100.0 * part["sftgif"].load().astype("float64") / land.where(land > 0)
    shares = [100.0 - ice, 0 * ice, 0 * ice, ice]
    values = xr.concat(shares, "ltype", coords="minimal").drop_vars(("lat", "lon"))
    values = values.expand_dims(time=part.sizes["time"]).transpose("time", "ltype", "lat", "lon")
    return values.assign_attrs(long_name="% of each landunit on grid cell", units="%")


def _encoding(data: xr.Dataset) -> dict[str, dict]:
    encoding: dict[str, dict] = {}
    for name, values in data.variables.items():
        fill = (
            FILL_VALUE if values.dtype.kind == "f" and {"lat", "lon"} <= set(values.dims) else None
        )
        encoding[name] = {"_FillValue": fill}
        if fill is not None:
            encoding[name] |= {"missing_value": fill, "zlib": True, "complevel": 1}
        if values.dims == ("time",):
            # VirtualiZarr joins files only where whole chunks follow one another
            encoding[name]["chunksizes"] = (12,)
    return encoding


# ----------------------------------------------------------------------------------------- CMIP6


def _write_cmip6(monthly: xr.Dataset, folder: Path, final: Path) -> None:
    import pandas as pd

    days, calendar = _days(monthly)
    rows = []
    middle = ("time", days.mean(axis=1), {"long_name": "time", "bounds": "time_bnds", **calendar})

    def write(values: xr.DataArray, name: str, table: str, member: str) -> None:
        place = "/".join(("CMIP6", *_CMIP6.values(), member, table, name, _GRID, "v20000101"))
        data = xr.Dataset({name: values.drop_vars(list(values.coords))})
        data[name].attrs = cmip6_attributes(name, values.dims, values.attrs)
        if "depth" in values.dims:
            attrs_z = {"long_name": "depth", "bounds": "depth_bnds", **_DEPTH}
            data["depth"] = ("depth", monthly["depth"].values, attrs_z)
            data["depth_bnds"] = (("depth", "bnds"), monthly["depth_bnds"].values)
        if "lat" in values.dims:
            data = _on_grid(data, monthly)
        if "time" in values.dims:
            data["time"] = middle
            data["time_bnds"] = (("time", "bnds"), days)
        if name == "tas":
            data = data.assign_coords(height=((), TAS_HEIGHT, {"long_name": "height", **_HEIGHT}))
        data.attrs = _own_attributes(monthly, "CMIP6") | _CMIP6
        data.attrs |= {"variable_id": name, "table_id": table, "variant_label": member}
        data.attrs |= {"grid_label": _GRID, "frequency": "fx" if table == "fx" else "mon"}
        if "cell_measures" in data[name].attrs:
            data.attrs["external_variables"] = "areacella"
        for variable in data.variables.values():
            variable.encoding = {"_FillValue": None}  # axes have no missing values
        data[name].encoding = {}
        chunks = {name: {"chunks": values.shape}} if values.ndim < 4 else {}
        data.to_zarr(folder / place, mode="w", zarr_format=2, consolidated=True, encoding=chunks)
        rows.append(
            {**_CMIP6, "member_id": member, "table_id": table, "variable_id": name}
            | {"grid_label": _GRID, "zstore": place, ADDRESS: (final / place).as_uri()}
            | {"dcpp_init_year": None, "version": 20000101}
        )

    for index, number in enumerate(monthly["member"].values):
        member = f"r{int(number)}i1p1f1"
        for name, values in _cmip6_variables(monthly.isel(member=index)):
            write(values, name, cmip6.TABLES[name], member)
    for name in MAPS:
        if name in monthly:
            write(
                monthly[name].load(),
                name,
                MONTHLY[name].table,
                f"r{int(monthly['member'][0])}i1p1f1",
            )
    pd.DataFrame(rows).to_csv(folder / "catalog.csv", index=False)
    (folder / "catalog.json").write_text(json.dumps(_esm_catalogue(), indent=1), encoding="utf-8")


def _cmip6_variables(part: xr.Dataset) -> Iterator[tuple[str, xr.DataArray]]:
    for name in cmip6.TABLES:
        if name in part and name != "co2":
            yield name, part[name].load()
    if "co2" in part:
        yield "co2mass", part["co2"].load().astype("float64") / cmip6.PPM_PER_KG


def _esm_catalogue() -> dict:
    columns = (*_CMIP6, "member_id", "table_id", "variable_id", "grid_label", "version")
    return {
        "esmcat_version": "0.1.0",
        "id": "mpcf",
        "description": "Data exported by this book in the layout of CMIP6",
        "catalog_file": "catalog.csv",
        "attributes": [{"column_name": name, "vocabulary": ""} for name in columns],
        "assets": {"column_name": ADDRESS, "format": "zarr"},
        "aggregation_control": {
            "variable_column_name": "variable_id",
            "groupby_attrs": [*_CMIP6, "table_id", "grid_label"],
            "aggregations": [
                {"type": "union", "attribute_name": "variable_id"},
                {"type": "join_new", "attribute_name": "member_id"},
            ],
        },
    }
