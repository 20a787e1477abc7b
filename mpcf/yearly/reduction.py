"""Monthly to yearly: the yearly variables of the chapters, from the standard monthly dataset.

Two steps, each a pure function of a block, so that blocks of any size give the same numbers:
`reduce_months` needs the months of one year only, and `mpcf.yearly.neighbours.join_years` adds the
variables that depend on adjacent years. `mpcf.yearly.stream` maps both over an ensemble that is
larger than memory.
"""

from __future__ import annotations

from math import prod

import numpy as np
import xarray as xr

from mpcf.data.readers.loading import load
from mpcf.data.variables import YEARLY, can_be_made
from mpcf.errors import DataError
from mpcf.ground.constants import (
    FREEZING_POINT,
    GRAMS_PER_KG,
    HEAT_CAPACITY_ICE,
    HEAT_CAPACITY_WATER,
    LATENT_HEAT_OF_FUSION,
    SECONDS_PER_DAY,
)
from mpcf.ground.thaw import MAX_SOIL_TEMPERATURE, PERMAFROST_DEPTH, layer_overlap
from mpcf.yearly.kernels import monthly_sums, soil_heat, soil_temperature, soil_water
from mpcf.yearly.neighbours import CURTAIN_MONTHS, join_years

TOPS = (0.1, 1.0, 3.0)
"""Depths, m, to which soil water is summed."""

SEASONS = {"year": tuple(range(1, 13)), "thaw": (5, 6, 7, 8, 9)}
"""Months of each season; the thaw season is May to September."""

CURTAIN_DEPTH = 0.3
"""Depth, m, near which the zero curtain is measured."""

WETNESS_DEPTH = 1.0
"""Depth, m, at which the thawed layer of the wetness index is capped."""

SOLID_HEAT_CAPACITY = 1.16e6
"""J m-3 K-1, heat capacity of the solids of a mineral soil with a porosity of 0.45 (2.1e6 · 0.55),
since climate models do not write their own."""

MIN_WARMEST_SOIL = -150.0
"""°C, exceeded by the warmest soil of any block; if it is not, the source is in °C, not in K."""

SEPTEMBER = 8
"""Index of September among the months of a year."""

FLUXES = ("gpp", "ra", "rh")
LAYERED = ("tsl", "mrsll", "mrsfl")
SURFACE = (*FLUXES, "tas", "pr", "snd", "cSoil")
"""Variables that are read, with and without layers, where the source has them."""

SERIES = ("co2", "warming")
"""Variables with one value per member and time, where the source has them."""

GRID = ("areacella", "sftlf", "sftgif", "depth_bnds")
"""Variables copied from the source unchanged."""

# Results that are no yearly variables yet, each with the one that is derived from it.
_BEFORE_JOINING = {"active_depth": "alt", "curtain_node": "zero_curtain"}

_RESULTS = {
    "tsl_max": ("depth",),
    "tsl_min": ("depth",),
    "thaw_depth": (),
    "frozen_depth": (),
    "active_depth": (),
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


def to_yearly(monthly: xr.Dataset) -> xr.Dataset:
    """Return the yearly variables that the chapters use.

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
        ``cSoil`` (kg m-2). Those are left out of whose monthly variables
        (`mpcf.data.variables.YEARLY`) the source lacks one.

    Raises
    ------
    DataError
        If the months are not those of consecutive whole years, depth does not increase downwards,
        the soil temperature is impossible in K, or there is nothing to reduce.
    """
    out = join_years(reduce_months(monthly)).merge(member_series(monthly))
    out = out.assign({name: monthly[name] for name in GRID if name in monthly})
    return out.assign_attrs(monthly.attrs)


def reduce_months(monthly: xr.Dataset, *, years_at_once: int | None = None) -> xr.Dataset:
    """Return the reduced months of each year, from that year alone.

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
        float32: the variables of `to_yearly` except those that depend on other years. In their
        place ``active_depth`` (m) and ``curtain_node`` (°C), from which
        `mpcf.yearly.neighbours.join_years` derives them.

    Raises
    ------
    DataError
        As `to_yearly`.
    """
    return _reduce(monthly, years_at_once).dataset()


def reduce_to_planes(monthly: xr.Dataset, *, years_at_once: int | None = None) -> np.ndarray:
    """Return the reduced months of each year as one array.

    Parameters
    ----------
    monthly : Dataset (member, time, depth, lat, lon)
        As for `reduce_months`.
    years_at_once : int, optional
        As for `reduce_months`.

    Returns
    -------
    ndarray (member, year, plane, lat, lon)
        float32: the results of `reduce_months`, stacked in the order of `result_shapes`.

    Raises
    ------
    DataError
        As `to_yearly`.
    """
    planes = _reduce(monthly, years_at_once).planes
    return planes.reshape(*planes.shape[:-1], monthly.sizes["lat"], monthly.sizes["lon"])


def result_shapes(monthly: xr.Dataset) -> dict[str, dict[str, int]]:
    """Return the names and shapes of the results of `reduce_months`, in order.

    Parameters
    ----------
    monthly : Dataset (member, time, depth, lat, lon)
        The standard monthly dataset.

    Returns
    -------
    dict
        By name, the lengths of the dimensions other than member, year, lat and lon.
    """
    length = {
        "season": len(SEASONS),
        "top": len(TOPS),
        "depth": monthly.sizes.get("depth", 0),
        "curtain": len(CURTAIN_MONTHS),
    }
    return {
        name: {dim: length[dim] for dim in dims}
        for name, dims in _RESULTS.items()
        if can_be_made(_BEFORE_JOINING.get(name, name), monthly)
    }


def _reduce(monthly: xr.Dataset, years_at_once: int | None) -> _Block:
    year, days = year_lengths(monthly)
    block = _Block(monthly, year)
    month = np.arange(1, 13)
    seasons = np.stack([np.where(np.isin(month, m), days, 0.0) for m in SEASONS.values()], axis=1)
    if "depth" in monthly.dims:
        block.reduce_layers(seasons, years_at_once or len(year))

    for name in FLUXES:
        weight = days[:, None] * SECONDS_PER_DAY * GRAMS_PER_KG
        block.sum_months(name, name, weight)
    block.sum_months("temperature", "tas", seasons, mean=True, minus=FREEZING_POINT)
    block.sum_months("precipitation", "pr", seasons * SECONDS_PER_DAY)
    winter = np.where(month <= 3, days, 0.0)[:, None]
    block.sum_months("snow", "snd", winter, mean=True)
    block.sum_months("cSoil", "cSoil", days[:, None], mean=True)
    if "cSoil" in monthly:
        block.attrs["cSoil"] = dict(monthly["cSoil"].attrs)
    return block


def member_series(monthly: xr.Dataset) -> xr.Dataset:
    """Return yearly means of the variables that have one value per member and time.

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
    DataError
        If the months are not those of consecutive whole years.
    """
    time = monthly.indexes["time"]
    month, year = np.asarray(time.month), np.asarray(time.year)
    if len(time) % 12 or not np.array_equal(month, np.resize(np.arange(1, 13), len(time))):
        raise DataError("the months must be those of whole years, January to December")
    years = year[::12]
    if not np.array_equal(year, np.repeat(np.arange(years[0], years[0] + len(years)), 12)):
        raise DataError(f"the years from {years[0]} to {years[-1]} are not consecutive")
    bounds = monthly["time_bnds"].transpose("time", "bnds").values
    length = (bounds[:, 1] - bounds[:, 0]).astype("timedelta64[ns]")
    days = length / np.timedelta64(1, "s") / SECONDS_PER_DAY
    return years, days.reshape(-1, 12)


class _Block:
    """The results of a block, its cells in one dimension."""

    def __init__(self, monthly: xr.Dataset, year: np.ndarray) -> None:
        self.monthly, self.year, self.years = monthly, year, len(year)
        self.members = monthly.sizes["member"]
        self.cells = monthly.sizes["lat"] * monthly.sizes["lon"]
        if "depth" in monthly.dims:
            self._set_layers(monthly["depth"].values.astype(float), monthly["depth_bnds"].compute())
        self.shapes = result_shapes(monthly)
        if not self.shapes:
            raise DataError(
                "there is no monthly variable on a map from which a yearly one could be computed"
            )
        self.attrs = {name: YEARLY[name].attrs for name in self.shapes if name in YEARLY}
        heights = [prod(shape.values()) for shape in self.shapes.values()]
        size = (self.members, self.years, sum(heights), self.cells)
        self.planes = np.empty(size, "float32")
        parts = np.split(self.planes, np.cumsum(heights)[:-1], axis=2)
        self.out = {
            name: part.reshape(*size[:2], *shape.values(), self.cells)
            for (name, shape), part in zip(self.shapes.items(), parts, strict=True)
        }

    def _set_layers(self, depth: np.ndarray, depth_bnds: xr.DataArray) -> None:
        if depth.size < 2 or (np.diff(depth) <= 0).any() or depth[0] < 0:
            raise DataError(
                f"depth must be at least two increasing values in m, positive down; it is {depth}"
            )
        self.depth = depth
        self.bounds = depth_bnds.transpose("depth", "bnds").values.astype(float)
        self.thickness = self.bounds[:, 1] - self.bounds[:, 0]
        self.shallow = layer_overlap(depth_bnds, PERMAFROST_DEPTH).values
        self.tops = np.stack([layer_overlap(depth_bnds, top) / self.thickness for top in TOPS])

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
        """Store a result, (member · year, ..., cell), as float32, if the source can give it."""
        if name in self.out:
            out = self.out[name][:, years]
            out[...] = values.reshape(out.shape)

    def reduce_layers(self, seasons: np.ndarray, years_at_once: int) -> None:
        """Reduce soil temperature and water, some years at a time."""
        for start in range(0, self.years, years_at_once):
            years = slice(start, min(start + years_at_once, self.years))
            wet_depth = np.zeros((self.members * (years.stop - years.start), self.cells))
            if "tsl" in self.monthly:
                tsl = self.read("tsl", years)
                wet_depth = self._temperature(tsl, years)
                september = tsl[:, SEPTEMBER].copy()
                del tsl
            if "mrsll" not in self.monthly:
                continue
            liquid = self.read("mrsll", years)
            has_ice = "mrsfl" in self.monthly
            ice = self.read("mrsfl", years) if has_ice else np.zeros_like(liquid)
            weight = np.tile(seasons[years], (self.members, 1, 1))
            self._water(liquid, ice, weight, wet_depth, years)
            if "latent_heat" in self.out:
                self._heat(september, liquid[:, SEPTEMBER], ice[:, SEPTEMBER], years)

    def _temperature(self, tsl: np.ndarray, years: slice) -> np.ndarray:
        depth = self.depth
        zero = tsl.dtype.type(FREEZING_POINT)
        warmest, coldest, active, thawed, frozen = soil_temperature(
            tsl, zero, depth, self.bounds[:, 1], self.shallow
        )
        highest = np.fmax.reduce(warmest, axis=None)
        if highest > MAX_SOIL_TEMPERATURE:
            raise DataError("soil temperature above 423 K: give it in K")
        if highest < MIN_WARMEST_SOIL:
            raise DataError("soil temperature below 123 K: give it in K, not in °C")
        near = int(np.abs(depth - CURTAIN_DEPTH).argmin())
        node = tsl[:, CURTAIN_MONTHS - 1, near] - zero
        for name, values in (
            ("tsl_max", warmest),
            ("tsl_min", coldest),
            ("thaw_depth", thawed),
            ("frozen_depth", frozen),
            ("active_depth", active),
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
        """Store the heat that the top 3 m must lose after September to become ice at 0 °C."""
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
        if name not in self.out:
            return
        values = self.read(source)
        if minus:
            values = values - values.dtype.type(minus)
        total = monthly_sums(values, np.tile(weight, (self.members, 1, 1)))
        if mean:
            total /= np.tile(weight.sum(axis=-1), (self.members, 1))[..., None]
        self.keep(name, total, slice(None))

    def dataset(self) -> xr.Dataset:
        """Return the results as a dataset."""
        lat, lon = self.monthly["lat"], self.monthly["lon"]
        coords = {
            "member": self.monthly["member"],
            "year": self.year,
            "season": list(SEASONS),
            "top": list(TOPS),
            "lat": lat,
            "lon": lon,
        }
        if "depth" in self.monthly.dims:
            coords["depth"] = self.monthly["depth"]
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
    """Return the values, loaded in this thread, since blocks already run in parallel."""
    try:
        return load(values, scheduler="synchronous").values
    except Exception as error:
        error.add_note(f"(while reading {values.name})")
        raise
