"""Permafrost: thaw depth, active layer, permafrost masks, taliks, area and frozen volume."""

from __future__ import annotations

from math import prod

import numpy as np
import xarray as xr

from mpcf.ground.thaw_kernels import crossing_of_layers, crossing_of_profiles, frozen_two_years
from mpcf.ground.years import refuse_gaps

PERMAFROST_DEPTH = 3.0
"""Depth, m, down to which permafrost is looked for."""

MAX_SOIL_TEMPERATURE = 150.0
"""°C, more than any soil reaches; higher values must be in K."""

MIN_LATITUDE = 45.0
"""°N, the southern limit of the permafrost area."""

M2_PER_MILLION_KM2 = 1e12


def thaw_depth(temperature: xr.DataArray) -> xr.DataArray:
    r"""Return the depth of the first 0 °C crossing below the surface.

    .. math:: z = z_{k-1} + (z_k - z_{k-1}) \frac{T_{k-1}}{T_{k-1} - T_k},

    where k is the uppermost node at or below 0 °C.

    Parameters
    ----------
    temperature : DataArray (..., depth)
        Soil temperature, °C. ``depth`` in m, positive down. Nodes that are NaN end the column.

    Returns
    -------
    DataArray (...)
        m; 0 where the uppermost node is frozen, infinity where the whole column is thawed, NaN
        where there are no data.

    Raises
    ------
    ValueError
        If `depth` does not increase downwards from the surface, or the values are impossible in °C.

    Examples
    --------
    >>> profile = xr.DataArray([6.0, 2.0, -2.0], {"depth": [0.1, 0.5, 0.9]}, "depth")
    >>> float(thaw_depth(profile))
    0.7
    """
    depth = temperature["depth"].values.astype(float)
    if depth.size < 2 or (np.diff(depth) <= 0).any() or depth[0] < 0:
        raise ValueError(
            f"depth must be at least two increasing values in m, positive down; it is {depth}"
        )
    stored, dims = _as_stored(temperature.values, temperature.dims)
    at, limit = dims.index("depth"), stored.dtype.type(MAX_SOIL_TEMPERATURE)
    before, after = stored.shape[:at], stored.shape[at + 1 :]
    if after:
        layers = stored.reshape(prod(before), depth.size, prod(after))
        crossing, beyond = crossing_of_layers(layers, depth, limit)
    else:
        profiles = stored.reshape(prod(before), depth.size)
        crossing, beyond = crossing_of_profiles(profiles, depth, limit)
    if beyond:
        raise ValueError("soil temperature above 150: give it in °C, not in K")
    flat = temperature.isel(depth=0, drop=True)
    result = flat.transpose(*dims[:at], *dims[at + 1 :]).copy(data=crossing.reshape(before + after))
    result = result.transpose(*flat.dims)
    return result.assign_attrs(long_name="thaw depth", units="m").rename("thaw_depth")


def _as_stored(values: np.ndarray, dims: tuple[str, ...]) -> tuple[np.ndarray, tuple[str, ...]]:
    """Return an array and its dimensions in the order of memory; copy it if not contiguous."""
    axes = sorted(range(values.ndim), key=lambda axis: -values.strides[axis])
    return np.ascontiguousarray(values.transpose(axes)), tuple(dims[axis] for axis in axes)


def permafrost(tsl_max: xr.DataArray) -> xr.DataArray:
    """Return in which years a cell has permafrost.

    A cell has permafrost if some node within the top 3 m stays at or below 0 °C in all 24 months of
    the year and the previous one. The first year has no previous one and is NaN.

    Parameters
    ----------
    tsl_max : DataArray (year, depth, ...)
        Temperature of the warmest month of the year, °C.

    Returns
    -------
    DataArray (year, ...)
        1 with permafrost, 0 without, NaN in the first year and where the year or the previous one
        has no data.

    Raises
    ------
    DataError
        If years are not consecutive.

    References
    ----------
    Two consecutive years at or below 0 °C: the definition of the International Permafrost
    Association.

    Examples
    --------
    >>> warmest = xr.DataArray([[2.0, -1.0], [1.0, -0.5], [3.0, 0.2]],
    ...     {"year": [2000, 2001, 2002], "depth": [0.5, 2.0]}, ("year", "depth"))
    >>> permafrost(warmest).values
    array([nan,  1.,  0.], dtype=float32)
    """
    refuse_gaps("permafrost masks", tsl_max)
    nodes = tsl_max.sel(depth=slice(None, PERMAFROST_DEPTH)).sizes["depth"]
    frozen = xr.apply_ufunc(
        _frozen_two_years,
        tsl_max,
        kwargs={"nodes": nodes},
        input_core_dims=[["year", "depth"]],
        output_core_dims=[["year"]],
        dask="parallelized",
        output_dtypes=["float32"],
        dask_gufunc_kwargs={"allow_rechunk": True},
    )
    frozen = frozen.transpose(*(dim for dim in tsl_max.dims if dim != "depth"))
    return frozen.rename("permafrost").assign_attrs(long_name="permafrost", units="1")


def _frozen_two_years(warmest: np.ndarray, nodes: int) -> np.ndarray:
    """Call the kernel on an array (..., year, depth) in whatever order it is in memory."""
    year, depth = warmest.ndim - 2, warmest.ndim - 1
    stored, axes = _as_stored(warmest, tuple(range(warmest.ndim)))
    if axes.index(depth) < axes.index(year):
        stored, axes = np.ascontiguousarray(warmest), tuple(range(warmest.ndim))
    y, d, shape = axes.index(year), axes.index(depth), stored.shape
    groups, rows, cells = prod(shape[:y]), prod(shape[y + 1 : d]), prod(shape[d + 1 :])
    layers = stored.reshape(groups, shape[y], rows, shape[d], cells)
    frozen = frozen_two_years(layers if cells > 1 else layers.swapaxes(2, 4), nodes)
    kept = [axis for axis in axes if axis != depth]
    return frozen.reshape(shape[:d] + shape[d + 1 :]).transpose(np.argsort(kept))


def talik(tsl_min: xr.DataArray, tsl_max: xr.DataArray) -> xr.DataArray:
    """Return in which years a cell has a talik.

    A talik is a layer whose coldest month of the year is above 0 °C, with ground below it that
    stays at or below 0 °C in all 24 months of the year and the previous one, at any depth of the
    soil. The first year has no previous one and is NaN.

    Parameters
    ----------
    tsl_min, tsl_max : DataArray (year, depth, ...)
        Temperature of the coldest and of the warmest month of the year, °C.

    Returns
    -------
    DataArray (year, ...)
        1 with a talik, 0 without, NaN in the first year and where the year or the previous one has
        no data.

    Raises
    ------
    DataError
        If years are not consecutive.

    Examples
    --------
    >>> at = {"year": [2000, 2001], "depth": [0.5, 2.0, 4.0]}
    >>> coldest = xr.DataArray([[-3.0, -0.2, -1.0], [-2.0, 0.1, -1.0]], at, ("year", "depth"))
    >>> talik(coldest, coldest + 0.9).values
    array([nan,  1.], dtype=float32)
    """
    refuse_gaps("taliks", tsl_max)
    two_years = np.maximum(tsl_max, tsl_max.shift(year=1))
    thawed_above = (tsl_min > 0).shift(depth=1, fill_value=False).cumsum("depth") > 0
    found = (thawed_above & (two_years <= 0)).any("depth").astype("float32")
    return found.where(two_years.isel(depth=0, drop=True).notnull()).rename("talik")


def permafrost_at(tsl_max: xr.DataArray, depth: float = 2.0) -> xr.DataArray:
    """Return permafrost by another definition: the layer nearest `depth` is never above 0 °C.

    Parameters
    ----------
    tsl_max : DataArray (year, depth, ...)
        Temperature of the warmest month of the year, °C.
    depth : float
        m.

    Returns
    -------
    DataArray (year, ...)
        1 or 0; NaN where there are no data.

    Examples
    --------
    >>> warmest = xr.DataArray([[2.0, -1.0], [3.0, 0.2]],
    ...     {"year": [2000, 2001], "depth": [0.5, 2.0]}, ("year", "depth"))
    >>> permafrost_at(warmest).values
    array([1., 0.], dtype=float32)
    """
    layer = tsl_max.sel(depth=depth, method="nearest", drop=True)
    return (layer <= 0).astype("float32").where(layer.notnull()).rename("permafrost_at")


def lasting(mask: xr.DataArray, years: int = 10) -> xr.DataArray:
    """Return a yearly mask with only the changes that last.

    A state begins in a year if it holds for at least `years` years from then on, and continues
    until another lasting state begins. Spells shorter than `years` at the end of the record do not
    count as changes, since their full length is unknown.

    Parameters
    ----------
    mask : DataArray (year, ...)
        1, 0 or NaN.
    years : int
        Length of a lasting spell.

    Returns
    -------
    DataArray (year, ...)
        1 or 0; NaN before the first lasting state.

    Raises
    ------
    DataError
        If years are not consecutive.

    Examples
    --------
    >>> mask = xr.DataArray([1, 1, 1, 0, 1, 0, 0, 0], {"year": range(8)}, "year")
    >>> lasting(mask, years=3).values
    array([1., 1., 1., 1., 1., 0., 0., 0.])
    """
    refuse_gaps("lasting states", mask)
    ahead = mask.astype("float64").rolling(year=years).mean().shift(year=1 - years)
    state = ahead.where((ahead == 0) | (ahead == 1))
    return state.ffill("year").rename(mask.name)


def talik_at_loss(mask: xr.DataArray, taliks: xr.DataArray, within: int = 5) -> xr.DataArray:
    """Return whether there is a talik around the year in which a cell loses its permafrost.

    The loss is the first one that lasts, see `lasting`.

    Parameters
    ----------
    mask : DataArray (year, ...)
        From `permafrost`.
    taliks : DataArray (year, ...)
        From `talik`.
    within : int
        Years before and after the loss in which a talik counts.

    Returns
    -------
    DataArray (...)
        1 with a talik, 0 without, NaN where permafrost is not lost.

    Raises
    ------
    DataError
        If years are not consecutive.

    Examples
    --------
    >>> year = {"year": range(2000, 2030)}
    >>> mask = xr.DataArray([1.0] * 15 + [0.0] * 15, year, "year")
    >>> early, late = (mask.copy(data=mask["year"] == y) for y in (2009, 2020))
    >>> float(talik_at_loss(mask, early)), float(talik_at_loss(mask, late))
    (0.0, 1.0)
    """
    state = lasting(mask)
    lost = (state == 0) & (state.shift(year=1) == 1)
    first = lost & (lost.cumsum("year") == 1)
    near = (taliks == 1).rolling(year=2 * within + 1, center=True, min_periods=1).max() == 1
    found = (near & first).any("year").astype("float64")
    return found.where(first.any("year")).rename("talik_at_loss")


def permafrost_area(mask: xr.DataArray, grid: xr.Dataset) -> xr.DataArray:
    """Return the area of land with permafrost north of 45° N, excluding ice sheets.

    Parameters
    ----------
    mask : DataArray (..., lat, lon)
        1 with permafrost, 0 without.
    grid : Dataset
        ``areacella`` (m2), ``sftlf`` (%), and ``sftgif`` (%) where there is one.

    Returns
    -------
    DataArray (...)
        Million km2; NaN where the mask is NaN everywhere.
    """
    area = (mask * land_area(grid)).sum(("lat", "lon"), min_count=1) / M2_PER_MILLION_KM2
    return area.rename("permafrost_area").assign_attrs(long_name="permafrost area", units="1e6 km2")


def land_area(grid: xr.Dataset) -> xr.DataArray:
    r"""Return the area of land north of 45° N in each cell, excluding ice sheets.

    .. math:: A \, \max(f_\mathrm{land} - f_\mathrm{ice}, 0)

    Both shares are of the whole cell, as in CMIP6.

    Parameters
    ----------
    grid : Dataset
        ``areacella`` (m2), ``sftlf`` (%), and ``sftgif`` (%) where there is one.

    Returns
    -------
    DataArray (lat, lon)
        m2.

    Examples
    --------
    >>> grid = xr.Dataset({"areacella": ("lat", [1e6]), "sftlf": ("lat", [80.0])}, {"lat": [70.0]})
    >>> land_area(grid.assign(sftgif=("lat", [20.0]))).values
    array([600000.])
    """
    share = grid["sftlf"].fillna(0)
    if "sftgif" in grid:
        share = (share - grid["sftgif"].fillna(0)).clip(min=0)
    land = grid["areacella"] * share / 100
    return land.where(grid["lat"] >= MIN_LATITUDE, 0).astype("float64").rename("land_area")


def layer_overlap(depth_bnds: xr.DataArray, bottom: float) -> xr.DataArray:
    """Return the thickness of the part of each layer that lies above `bottom`.

    Parameters
    ----------
    depth_bnds : DataArray (depth, bnds)
        Upper and lower bounds of the layers, m.
    bottom : float
        m.

    Returns
    -------
    DataArray (depth)
        m.

    Examples
    --------
    >>> bounds = xr.DataArray([[0.0, 0.4], [0.4, 1.6]], dims=("depth", "bnds"))
    >>> layer_overlap(bounds, 1.0).values
    array([0.4, 0.6])
    """
    below = depth_bnds.isel(bnds=1).clip(max=bottom)
    return (below - depth_bnds.isel(bnds=0)).clip(min=0)
