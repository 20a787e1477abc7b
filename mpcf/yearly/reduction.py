"""Monthly to yearly: what the chapters need of each year, from the standard monthly dataset.

Two steps, each a pure function of a block, so that blocks of any size give the same numbers:
`reduce_months` needs the months of a year only, `join_years` adds what needs the years beside it.
`mpcf.yearly.stream` maps them over an ensemble that is larger than memory.
"""

from __future__ import annotations

import threading
from math import prod

import numpy as np
import xarray as xr

from mpcf.data.readers.loading import load
from mpcf.ground.constants import (
    FREEZING_POINT,
    HEAT_CAPACITY_ICE,
    HEAT_CAPACITY_WATER,
    LATENT_HEAT_OF_FUSION,
    SECONDS_PER_DAY,
)
from mpcf.ground.thaw import PERMAFROST_DEPTH, layer_overlap, permafrost, permafrost_at
from mpcf.ground.thaw_kernels import curtain_length
from mpcf.yearly.kernels import monthly_sums, soil_heat, soil_temperature, soil_water

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

FLUXES = ("gpp", "ra", "rh")
LAYERED = ("tsl", "mrsll", "mrsfl")
SURFACE = (*FLUXES, "tas", "pr", "snd", "cSoil")
"""Variables that are read, with and without layers; ``cSoil`` where the source has it."""

SERIES = ("co2", "warming")
"""Variables of a member as a whole, where the source has them."""

GRID = ("areacella", "sftlf", "sftgif", "depth_bnds")
"""What is taken over from the source as it is."""

NEEDS_NEIGHBOUR_YEARS = ("tsl_max", "crossing", "open_layer", "curtain_node")
"""Results of `reduce_months` from which `join_years` makes others."""

_RESULTS = {
    "tsl_max": ("depth",),
    "tsl_min": ("depth",),
    "thaw_depth": (),
    "frozen_depth": (),
    "crossing": (),
    "open_layer": (),
    "curtain_node": ("curtain",),
    "soil_liquid": ("season", "top"),
    "soil_water": ("season", "top"),
    "thaw_wetness": (),
    "latent_heat": (),
    "sensible_heat": (),
    "gpp": (),
    "ra": (),
    "rh": (),
    "temperature": ("season",),
    "precipitation": ("season",),
    "snow": (),
    "cSoil": (),
}
_DIM_ORDER = ("member", "year", "season", "top", "depth", "curtain", "lat", "lon", "bnds")
_CURTAIN_MONTHS = np.array([1, 2, 3, 4, 5, 8, 9, 10, 11, 12])

_ATTRIBUTES = {
    "temperature": ("air temperature", "degC"),
    "precipitation": ("precipitation", "mm"),
    "soil_liquid": ("liquid soil water", "kg m-2"),
    "soil_water": ("liquid and frozen soil water", "kg m-2"),
    "tsl_max": ("warmest month", "degC"),
    "tsl_min": ("coldest month", "degC"),
    "thaw_depth": ("deepest seasonal thaw", "m"),
    "frozen_depth": ("soil of the top 3 m frozen all year", "m"),
    "thaw_wetness": ("wetness of the thawed layer, May to September", "m3 m-3"),
    "latent_heat": ("latent heat of the top 3 m in September, above ice at 0 °C", "J m-2"),
    "sensible_heat": ("sensible heat of the top 3 m in September, above ice at 0 °C", "J m-2"),
    "snow": ("mean snow depth, January to March", "m"),
    "permafrost": ("permafrost: a node frozen for 24 months", "1"),
    "permafrost_at": ("permafrost: layer nearest 2 m frozen all year", "1"),
    "alt": ("active layer thickness", "m"),
    "talik": ("talik above or within permafrost", "1"),
    "zero_curtain": ("zero curtain near 0.3 m, from monthly means", "days"),
}

# the curtain's kernel is parallel, and not every numba threading layer supports concurrent
# parallel regions
_PARALLEL_KERNEL = threading.Lock()


def to_yearly(monthly: xr.Dataset) -> xr.Dataset:
    """Return what the chapters need of each year.

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
        If the months are not those of whole years, one after the other, depth does not increase
        downwards, or the soil temperature can't be in K.
    """
    out = join_years(reduce_months(monthly)).merge(member_series(monthly))
    out = out.assign({name: monthly[name] for name in GRID if name in monthly})
    return out.assign_attrs(monthly.attrs)


def reduce_months(monthly: xr.Dataset, *, years_at_once: int | None = None) -> xr.Dataset:
    """Reduce the months of each year, by that year alone.

    Parameters
    ----------
    monthly : Dataset (member, time, depth, lat, lon)
        A block of the standard monthly dataset: all months of whole years. May be lazy.
    years_at_once : int, optional
        How many years of the layered variables are read at a time; by default all. The result is
        the same.

    Returns
    -------
    Dataset (member, year, ...)
        float32: what `to_yearly` gives, but for what needs other years; in its place ``crossing``
        (m), ``open_layer`` (1 or 0) and ``curtain_node`` (°C), from which `join_years` makes it.

    Raises
    ------
    ValueError
        As `to_yearly`.
    """
    return _reduce(monthly, years_at_once).dataset()


def reduce_to_planes(monthly: xr.Dataset, *, years_at_once: int | None = None) -> np.ndarray:
    """Reduce the months of each year and give all results in one array.

    Parameters
    ----------
    monthly : Dataset (member, time, depth, lat, lon)
        As for `reduce_months`.
    years_at_once : int, optional
        As for `reduce_months`.

    Returns
    -------
    ndarray (member, year, plane, lat, lon)
        float32: the results of `reduce_months`, one on another, as `result_shapes` names them.

    Raises
    ------
    ValueError
        As `to_yearly`.
    """
    planes = _reduce(monthly, years_at_once).planes
    return planes.reshape(*planes.shape[:-1], monthly.sizes["lat"], monthly.sizes["lon"])


def result_shapes(monthly: xr.Dataset) -> dict[str, dict[str, int]]:
    """Name what `reduce_months` gives, in its order.

    Parameters
    ----------
    monthly : Dataset (member, time, depth, lat, lon)
        The standard monthly dataset.

    Returns
    -------
    dict
        By name, the lengths of the dimensions beside member, year, lat and lon.
    """
    length = {
        "season": len(SEASONS),
        "top": len(TOPS),
        "depth": monthly.sizes["depth"],
        "curtain": len(_CURTAIN_MONTHS),
    }
    return {
        name: {dim: length[dim] for dim in dims}
        for name, dims in _RESULTS.items()
        if name != "cSoil" or name in monthly
    }


def _reduce(monthly: xr.Dataset, years_at_once: int | None) -> _Block:
    year, days = year_lengths(monthly)
    depth = monthly["depth"].values.astype(float)
    if depth.size < 2 or (np.diff(depth) <= 0).any() or depth[0] < 0:
        raise ValueError(
            f"depth must be at least two increasing values in m, positive down; it is {depth}"
        )
    block = _Block(monthly, year)
    month = np.arange(1, 13)
    seasons = np.stack([np.where(np.isin(month, m), days, 0.0) for m in SEASONS.values()], axis=1)
    block.reduce_layers(seasons, years_at_once or len(year))

    for name in FLUXES:
        weight = days[:, None] * SECONDS_PER_DAY * 1000.0
        block.sum_months(name, name, weight)
        attrs = {"long_name": monthly[name].attrs.get("long_name", name), "units": "gC m-2 yr-1"}
        block.attrs[name] = attrs
    block.sum_months("temperature", "tas", seasons, mean=True, minus=FREEZING_POINT)
    block.sum_months("precipitation", "pr", seasons * SECONDS_PER_DAY)
    winter = np.where(month <= 3, days, 0.0)[:, None]
    block.sum_months("snow", "snd", winter, mean=True)
    if "cSoil" in monthly:
        block.sum_months("cSoil", "cSoil", days[:, None], mean=True)
        block.attrs["cSoil"] = dict(monthly["cSoil"].attrs)
    return block


def join_years(reduced: xr.Dataset) -> xr.Dataset:
    """Add what needs the years beside a year: permafrost, active layer, taliks, zero curtain.

    Parameters
    ----------
    reduced : Dataset (member, year, ...)
        What `reduce_months` gives, for all years of the record.

    Returns
    -------
    Dataset (member, year, ...)
        What of the yearly dataset can be made from them: without the members' series and the
        grid, and without those results of `reduce_months`, `NEEDS_NEIGHBOUR_YEARS` apart, that
        are not there.
    """
    out = reduced.drop_vars(["crossing", "open_layer", "curtain_node"])
    out["permafrost"] = permafrost(out["tsl_max"])
    out["permafrost_at"] = permafrost_at(out["tsl_max"])
    has_permafrost = out["permafrost"] == 1
    crossing = reduced["crossing"]
    out["alt"] = crossing.where(has_permafrost & np.isfinite(crossing))
    talik = ((reduced["open_layer"] == 1) & has_permafrost).astype("float32")
    out["talik"] = talik.where(out["permafrost"].notnull())
    out["zero_curtain"] = _zero_curtain(reduced["curtain_node"]).astype("float32")
    for name in ("permafrost", "permafrost_at", "alt", "talik", "zero_curtain"):
        out[name].attrs = _attributes(name)
    return out.drop_dims("curtain", errors="ignore").transpose(*_DIM_ORDER, missing_dims="ignore")


def member_series(monthly: xr.Dataset) -> xr.Dataset:
    """Return the yearly means of what a member has as a whole.

    Parameters
    ----------
    monthly : Dataset
        The standard monthly dataset.

    Returns
    -------
    Dataset (member, year)
        ``co2`` (ppm) and ``warming`` (K), float32, where the source has them.
    """
    year, days = year_lengths(monthly)
    out = xr.Dataset(coords={"member": monthly["member"], "year": year})
    for name in SERIES:
        if name in monthly:
            values = _load(monthly[name].transpose("member", "time")).reshape(-1, len(year), 12)
            mean = (values * days).sum(axis=-1) / days.sum(axis=-1)
            out[name] = ("member", "year"), mean.astype("float32"), monthly[name].attrs
    return out


def year_lengths(monthly: xr.Dataset) -> tuple[np.ndarray, np.ndarray]:
    """Return the years of a dataset and the length of their months.

    Parameters
    ----------
    monthly : Dataset (time)
        The standard monthly dataset.

    Returns
    -------
    year : ndarray (year)
        The years.
    days : ndarray (year, month)
        Length of each month in the source's calendar, days.

    Raises
    ------
    ValueError
        If the months are not those of whole years, one after the other.
    """
    time = monthly.indexes["time"]
    month, year = np.asarray(time.month), np.asarray(time.year)
    if len(time) % 12 or not np.array_equal(month, np.resize(np.arange(1, 13), len(time))):
        raise ValueError("the months must be those of whole years, January to December")
    years = year[::12]
    if not np.array_equal(year, np.repeat(np.arange(years[0], years[0] + len(years)), 12)):
        raise ValueError(f"the years from {years[0]} to {years[-1]} are not one after the other")
    bounds = monthly["time_bnds"].transpose("time", "bnds").values
    length = (bounds[:, 1] - bounds[:, 0]).astype("timedelta64[ns]")
    days = length / np.timedelta64(1, "s") / SECONDS_PER_DAY
    return years, days.reshape(-1, 12)


class _Block:
    """The years of a block as they come, cells in one dimension."""

    def __init__(self, monthly: xr.Dataset, year: np.ndarray) -> None:
        self.monthly, self.year, self.years = monthly, year, len(year)
        self.members = monthly.sizes["member"]
        self.cells = monthly.sizes["lat"] * monthly.sizes["lon"]
        depth_bnds = monthly["depth_bnds"].compute()
        self.bounds = depth_bnds.transpose("depth", "bnds").values.astype(float)
        self.thickness = self.bounds[:, 1] - self.bounds[:, 0]
        self.shallow = layer_overlap(depth_bnds, PERMAFROST_DEPTH).values
        self.tops = np.stack([layer_overlap(depth_bnds, top) / self.thickness for top in TOPS])
        self.attrs = {name: _attributes(name) for name in _ATTRIBUTES}
        self.shapes = result_shapes(monthly)
        heights = [prod(shape.values()) for shape in self.shapes.values()]
        size = (self.members, self.years, sum(heights), self.cells)
        self.planes = np.empty(size, "float32")
        parts = np.split(self.planes, np.cumsum(heights)[:-1], axis=2)
        self.out = {
            name: part.reshape(*size[:2], *shape.values(), self.cells)
            for (name, shape), part in zip(self.shapes.items(), parts, strict=True)
        }

    def read(self, name: str, years: slice = slice(None)) -> np.ndarray:
        """Read a variable's years, (member · year, month, ..., cell), float32 or float64."""
        start, stop, _ = years.indices(self.years)
        part = self.monthly[name].isel(time=slice(12 * start, 12 * stop))
        part = part.transpose("member", "time", "depth", "lat", "lon", missing_dims="ignore")
        values = _load(part)
        kind = "float64" if part.dtype.itemsize > 4 else "float32"
        values = np.ascontiguousarray(values, dtype=kind)
        return values.reshape(self.members * (stop - start), 12, *part.shape[2:-2], self.cells)

    def keep(self, name: str, values: np.ndarray, years: slice) -> None:
        """Keep a result, (member · year, ..., cell), as float32."""
        out = self.out[name][:, years]
        out[...] = values.reshape(out.shape)

    def reduce_layers(self, seasons: np.ndarray, years_at_once: int) -> None:
        """Reduce soil temperature and water, some years at a time."""
        for start in range(0, self.years, years_at_once):
            years = slice(start, min(start + years_at_once, self.years))
            tsl = self.read("tsl", years)
            wet_depth = self._temperature(tsl, years)
            september = tsl[:, 8].copy()
            del tsl
            liquid, ice = self.read("mrsll", years), self.read("mrsfl", years)
            weight = np.tile(seasons[years], (self.members, 1, 1))
            self._water(liquid, ice, weight, wet_depth, years)
            self._heat(september, liquid[:, 8], ice[:, 8], years)

    def _temperature(self, tsl: np.ndarray, years: slice) -> np.ndarray:
        depth = self.monthly["depth"].values.astype(float)
        zero = tsl.dtype.type(FREEZING_POINT)
        warmest, coldest, crossing, thawed, frozen, open_layer = soil_temperature(
            tsl, zero, depth, self.bounds[:, 1], self.shallow
        )
        highest = np.fmax.reduce(warmest, axis=None)
        if highest > 150:
            raise ValueError("soil temperature above 423 K: give it in K")
        if highest < -150:
            raise ValueError("soil temperature below 123 K: give it in K, not in °C")
        near = int(np.abs(depth - CURTAIN_DEPTH).argmin())
        node = tsl[:, _CURTAIN_MONTHS - 1, near] - zero
        for name, values in (
            ("tsl_max", warmest),
            ("tsl_min", coldest),
            ("thaw_depth", thawed),
            ("frozen_depth", frozen),
            ("crossing", crossing),
            ("open_layer", open_layer),
            ("curtain_node", node),
        ):
            self.keep(name, values, years)
        return np.minimum(thawed, WETNESS_DEPTH)

    def _water(
        self,
        liquid: np.ndarray,
        ice: np.ndarray,
        weight: np.ndarray,
        wet_depth: np.ndarray,
        years: slice,
    ) -> None:
        tops, water, wetness = soil_water(liquid, ice, weight, self.tops, self.bounds, wet_depth)
        self.keep("soil_liquid", tops, years)
        self.keep("soil_water", water, years)
        self.keep("thaw_wetness", wetness, years)

    def _heat(self, tsl: np.ndarray, liquid: np.ndarray, ice: np.ndarray, years: slice) -> None:
        """Heat that must leave the top 3 m to bring it from September to ice at 0 °C."""
        constants = np.array(
            [LATENT_HEAT_OF_FUSION, HEAT_CAPACITY_WATER, HEAT_CAPACITY_ICE], liquid.dtype
        )
        celsius = tsl - tsl.dtype.type(FREEZING_POINT)
        solid = SOLID_HEAT_CAPACITY * self.thickness
        share = self.shallow / self.thickness
        latent, sensible = soil_heat(celsius, liquid, ice, solid, share, constants)
        self.keep("latent_heat", latent, years)
        self.keep("sensible_heat", sensible, years)

    def sum_months(
        self, name: str, source: str, weight: np.ndarray, *, mean: bool = False, minus: float = 0.0
    ) -> None:
        """Sum a variable's months; `weight` is (year, month) or (year, season, month)."""
        values = self.read(source)
        if minus:
            values = values - values.dtype.type(minus)
        total = monthly_sums(values, np.tile(weight, (self.members, 1, 1)))
        if mean:
            total /= np.tile(weight.sum(axis=-1), (self.members, 1))[..., None]
        self.keep(name, total, slice(None))

    def dataset(self) -> xr.Dataset:
        """Return what was kept."""
        lat, lon = self.monthly["lat"], self.monthly["lon"]
        coords = {
            "member": self.monthly["member"],
            "year": self.year,
            "season": list(SEASONS),
            "top": list(TOPS),
            "depth": self.monthly["depth"],
            "lat": lat,
            "lon": lon,
        }
        data = {
            name: (
                ("member", "year", *self.shapes[name], "lat", "lon"),
                values.reshape(*values.shape[:-1], lat.size, lon.size),
                self.attrs.get(name, {}),
            )
            for name, values in self.out.items()
        }
        return xr.Dataset(data, coords)


def _load(values: xr.DataArray) -> np.ndarray:
    """Load in this thread, since blocks are what runs side by side, not their reading."""
    try:
        return load(values, scheduler="synchronous").values
    except Exception as error:
        error.add_note(f"(while reading {values.name})")
        raise


def _attributes(name: str) -> dict[str, str]:
    text, unit = _ATTRIBUTES[name]
    return {"long_name": text, "units": unit}


def _zero_curtain(node: xr.DataArray) -> xr.DataArray:
    """Days from +0.5 to −0.5 °C in the autumn and winter that begin in a year's September."""
    months = node.transpose("year", ..., "curtain")
    autumn = np.full(months.shape, np.nan, months.dtype)
    autumn[..., :5] = months.values[..., 5:]
    autumn[:-1, ..., 5:] = months.values[1:, ..., :5]
    # middles of the months from August on, days after 1 August in a 365-day year
    day = np.array([15.5, 46.0, 76.5, 107.0, 137.5, 168.5, 198.0, 227.5, 258.0, 288.5])
    upper, lower = CURTAIN_BOUNDS
    with _PARALLEL_KERNEL:
        length = curtain_length(autumn.reshape(-1, day.size), day, 31.0, upper, lower)
    curtain = months.isel(curtain=0, drop=True).copy(data=length.reshape(autumn.shape[:-1]))
    # the last autumn has no spring after it: only short curtains would be seen
    return curtain.where(curtain["year"] < curtain["year"][-1])
