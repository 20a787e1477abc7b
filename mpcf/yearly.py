"""Monthly to yearly: what the chapters need of each year, from the standard monthly dataset."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import xarray as xr

from mpcf.build import replace_dir
from mpcf.kernels import curtain_length
from mpcf.thaw import PERMAFROST_DEPTH, layer_overlap, permafrost, permafrost_at, thaw_depth
from mpcf.variables import (
    FREEZING_POINT,
    HEAT_CAPACITY_ICE,
    HEAT_CAPACITY_WATER,
    LATENT_HEAT_OF_FUSION,
    SECONDS_PER_DAY,
)

TOPS = (0.1, 1.0, 3.0)
"""Depths, m, to which soil water is summed."""

SEASONS = {"year": tuple(range(1, 13)), "thaw": (5, 6, 7, 8, 9)}
"""Months of each season; the thaw season is May to September."""

CURTAIN_DEPTH = 0.3
"""Depth, m, near which the zero curtain is measured."""

CURTAIN_BOUNDS = (0.5, -0.5)
"""°C between which the zero curtain is measured."""

WETNESS_DEPTH = 1.0
"""Depth, m, at which the thawed layer of the wetness index is capped."""

SOLID_HEAT_CAPACITY = 1.16e6
"""J m-3 K-1, of the solids of a mineral soil with a porosity of 0.45 (2.1e6 · 0.55); output of
climate models does not hold the soil's own."""


def to_yearly(monthly: xr.Dataset) -> xr.Dataset:
    """Give what the chapters need of each year.

    A pure function of a block: any members and any cells, all months of whole years.

    Parameters
    ----------
    monthly : Dataset (member, time, depth, lat, lon)
        The standard monthly dataset.

    Returns
    -------
    Dataset (member, year, ...)
        ``gpp, ra, rh`` (gC m-2 yr-1); ``temperature`` (°C) and ``precipitation`` (mm) by season;
        ``soil_liquid, soil_water`` (kg m-2) by season and top depth; ``thaw_wetness`` (m3 m-3);
        ``tsl_max, tsl_min`` (°C) by layer; ``alt, thaw_depth, frozen_depth`` (m); ``permafrost,
        permafrost_at, talik`` (1, 0 or NaN); ``zero_curtain`` (days); ``latent_heat,
        sensible_heat`` of September (J m-2); ``snow`` (m); ``co2`` (ppm), ``warming`` (K) and
        ``cSoil`` (kg m-2) where the source has them.

    Raises
    ------
    ValueError
        If the months are not those of whole years, one after the other.
    """
    months = _by_month(monthly)
    days = months["days"]
    weight = {s: days.where(days["month"].isin(m), 0.0) for s, m in SEASONS.items()}

    out = xr.Dataset(coords={"season": list(SEASONS), "top": list(TOPS)})
    for name in ("gpp", "ra", "rh"):
        flux = xr.dot(months[name], days * SECONDS_PER_DAY * 1000.0, dim="month")
        out[name] = flux.assign_attrs(
            long_name=monthly[name].attrs.get("long_name", name), units="gC m-2 yr-1"
        )

    out["temperature"] = _by_season(months["tas"] - FREEZING_POINT, weight).assign_attrs(
        long_name="air temperature", units="degC"
    )
    rain = {s: w * SECONDS_PER_DAY for s, w in weight.items()}
    out["precipitation"] = _by_season(months["pr"], rain, total=True).assign_attrs(
        long_name="precipitation", units="mm"
    )

    bounds = monthly["depth_bnds"]
    thickness = bounds.isel(bnds=1) - bounds.isel(bnds=0)
    share = xr.concat([layer_overlap(bounds, t) / thickness for t in TOPS], out["top"])
    liquid = _by_season(months["mrsll"], weight)
    water = _by_season(months["mrsll"] + months["mrsfl"], weight)
    for name, layers, text in (
        ("soil_liquid", liquid, "liquid soil water"),
        ("soil_water", water, "liquid and frozen soil water"),
    ):
        total = xr.dot(layers.fillna(0), share, dim="depth").where(_has_soil(layers))
        out[name] = total.assign_attrs(long_name=text, units="kg m-2")

    out.update(_soil_temperature(months["tsl"] - FREEZING_POINT, bounds))
    out["thaw_wetness"] = _thaw_wetness(liquid.sel(season="thaw", drop=True), out, bounds)
    out["zero_curtain"] = _zero_curtain(months["tsl"] - FREEZING_POINT)
    out.update(_autumn_heat(months.sel(month=9, drop=True), bounds))
    winter = days.where(days["month"] <= 3, 0.0)
    out["snow"] = (xr.dot(months["snd"], winter, dim="month") / winter.sum("month")).assign_attrs(
        long_name="mean snow depth, January to March", units="m"
    )
    for name in ("co2", "warming", "cSoil"):
        if name in months:
            out[name] = _mean(months[name], days).assign_attrs(monthly[name].attrs)
    for name in ("areacella", "sftlf", "sftgif", "depth_bnds"):
        if name in monthly:
            out[name] = monthly[name]
    data = {v: out[v].astype("float32") for v in out.data_vars if "year" in out[v].dims}
    out = out.assign(data)
    order = ("member", "year", "season", "top", "depth", "lat", "lon", "bnds")
    return out.transpose(*order, missing_dims="ignore").assign_attrs(monthly.attrs)


def write_yearly(monthly: xr.Dataset, path: Path, *, progress: bool = True) -> None:
    """Write the yearly dataset, member by member, aside first, then renamed.

    Parameters
    ----------
    monthly : Dataset
        The standard monthly dataset, lazy.
    path : Path
        Zarr store to write.
    progress : bool
        Whether to show a progress bar.
    """
    from tqdm import tqdm

    aside = path.with_name(path.name + ".part")
    members = range(monthly.sizes["member"])
    for i in tqdm(members, desc="monthly to yearly", unit="member", disable=not progress):
        block = to_yearly(monthly.isel(member=[i]).load())
        if i == 0:
            block.to_zarr(aside, mode="w", zarr_format=2, consolidated=True)
        else:
            fixed = [v for v in block.variables if "member" not in block[v].dims]
            block.drop_vars(fixed).to_zarr(
                aside, append_dim="member", zarr_format=2, consolidated=True
            )
    replace_dir(aside, path)


def _by_month(monthly: xr.Dataset) -> xr.Dataset:
    """Split `time` into `year` and `month`, with the length of each month in days."""
    time = monthly.indexes["time"]
    month = np.asarray(time.month)
    year = np.asarray(time.year)
    if len(time) % 12 or not np.array_equal(month, np.resize(np.arange(1, 13), len(time))):
        raise ValueError("the months must be those of whole years, January to December")
    years = year[::12]
    if not np.array_equal(year, np.repeat(np.arange(years[0], years[0] + len(years)), 12)):
        raise ValueError(f"the years from {years[0]} to {years[-1]} are not one after the other")
    length = monthly["time_bnds"].isel(bnds=1) - monthly["time_bnds"].isel(bnds=0)
    days = xr.DataArray(
        [float(d / np.timedelta64(1, "s")) / SECONDS_PER_DAY for d in length.values], dims="time"
    )
    over_time = [v for v in monthly.data_vars if "time" in monthly[v].dims and v != "time_bnds"]
    split = monthly[over_time].assign(days=days).drop_vars("time")
    split = split.coarsen(time=12).construct(time=("year", "month"))
    return split.assign_coords(year=years, month=np.arange(1, 13))


def _mean(values: xr.DataArray, weight: xr.DataArray) -> xr.DataArray:
    return xr.dot(values, weight, dim="month") / weight.sum("month")


def _by_season(
    values: xr.DataArray, weight: dict[str, xr.DataArray], *, total: bool = False
) -> xr.DataArray:
    parts = [xr.dot(values, w, dim="month") if total else _mean(values, w) for w in weight.values()]
    return xr.concat(parts, xr.DataArray(list(weight), dims="season", name="season"))


def _has_soil(layers: xr.DataArray) -> xr.DataArray:
    return layers.isel(depth=0, drop=True).notnull()


def _soil_temperature(tsl: xr.DataArray, bounds: xr.DataArray) -> xr.Dataset:
    """Warmest and coldest month by layer, thaw depth, permafrost and taliks."""
    out = xr.Dataset()
    out["tsl_max"] = tsl.max("month").assign_attrs(long_name="warmest month", units="degC")
    out["tsl_min"] = tsl.min("month").assign_attrs(long_name="coldest month", units="degC")
    deepest = thaw_depth(tsl).max("month")
    soil = _has_soil(tsl).any("month")
    bottom = bounds.isel(bnds=1).where(out["tsl_max"].notnull().any("year")).max("depth")
    out["thaw_depth"] = np.minimum(deepest, bottom).where(soil)
    out["permafrost"] = permafrost(out["tsl_max"])
    out["permafrost_at"] = permafrost_at(out["tsl_max"])
    out["alt"] = deepest.where((out["permafrost"] == 1) & np.isfinite(deepest))
    thickness = layer_overlap(bounds, PERMAFROST_DEPTH)
    frozen = out["tsl_max"] <= 0
    out["frozen_depth"] = xr.dot(frozen.astype("float64"), thickness, dim="depth").where(soil)
    below = frozen.isel(depth=slice(None, None, -1)).cumsum("depth") > 0
    thawed_above = (out["tsl_min"] > 0) & below.isel(depth=slice(None, None, -1))
    talik = thawed_above.any("depth") & (out["permafrost"] == 1)
    out["talik"] = talik.astype("float32").where(out["permafrost"].notnull())
    texts = {
        "thaw_depth": ("deepest seasonal thaw", "m"),
        "alt": ("active layer thickness", "m"),
        "frozen_depth": ("soil of the top 3 m frozen all year", "m"),
        "permafrost": ("permafrost: a node frozen for 24 months", "1"),
        "permafrost_at": ("permafrost: layer nearest 2 m frozen all year", "1"),
        "talik": ("talik above or within permafrost", "1"),
    }
    for name, (text, unit) in texts.items():
        out[name].attrs = {"long_name": text, "units": unit}
    return out


def _thaw_wetness(liquid: xr.DataArray, yearly: xr.Dataset, bounds: xr.DataArray) -> xr.DataArray:
    """Liquid water of the thawed layer in the thaw season, per volume of that layer."""
    depth = yearly["thaw_depth"].clip(max=WETNESS_DEPTH)
    upper, lower = bounds.isel(bnds=0), bounds.isel(bnds=1)
    share = ((depth - upper) / (lower - upper)).clip(0, 1)
    water = xr.dot(liquid.fillna(0), share, dim="depth")
    return (water / (1000.0 * depth.where(depth > 0))).assign_attrs(
        long_name="wetness of the thawed layer, May to September", units="m3 m-3"
    )


def _zero_curtain(tsl: xr.DataArray) -> xr.DataArray:
    """Days from +0.5 to −0.5 °C in the autumn and winter that begin in a year's September."""
    node = tsl.sel(depth=CURTAIN_DEPTH, method="nearest", drop=True)
    this = node.sel(month=slice(8, 12))
    following = node.shift(year=-1).sel(month=slice(1, 5))
    following = following.assign_coords(month=following["month"] + 12)
    autumn = xr.concat([this, following], "month").transpose(..., "month")
    # middles of the months from August on, days after 1 August in a 365-day year
    day = np.array([15.5, 46.0, 76.5, 107.0, 137.5, 168.5, 198.0, 227.5, 258.0, 288.5])
    upper, lower = CURTAIN_BOUNDS
    values = np.ascontiguousarray(autumn.values).reshape(-1, day.size)
    length = curtain_length(values, day, 31.0, upper, lower).reshape(autumn.shape[:-1])
    curtain = autumn.isel(month=0, drop=True).copy(data=length)
    # the last autumn has no spring after it: only short curtains would be seen
    return curtain.where(curtain["year"] < curtain["year"][-1]).assign_attrs(
        long_name="zero curtain near 0.3 m, from monthly means", units="days"
    )


def _autumn_heat(september: xr.Dataset, bounds: xr.DataArray) -> xr.Dataset:
    """Heat that must leave the top 3 m to bring it from its September state to ice at 0 °C."""
    upper, lower = bounds.isel(bnds=0), bounds.isel(bnds=1)
    thickness = lower - upper
    share = layer_overlap(bounds, PERMAFROST_DEPTH) / thickness
    latent = LATENT_HEAT_OF_FUSION * september["mrsll"]
    capacity = (
        SOLID_HEAT_CAPACITY * thickness
        + HEAT_CAPACITY_WATER * september["mrsll"]
        + HEAT_CAPACITY_ICE * september["mrsfl"]
    )
    sensible = capacity * (september["tsl"] - FREEZING_POINT)
    soil = _has_soil(september["mrsll"])
    out = xr.Dataset()
    for name, heat in (("latent_heat", latent), ("sensible_heat", sensible)):
        total = xr.dot(heat.fillna(0), share, dim="depth").where(soil)
        text = f"{name.replace('_', ' ')} of the top 3 m in September, above ice at 0 °C"
        out[name] = total.assign_attrs(long_name=text, units="J m-2")
    return out
