"""Compiled kernels of months to years: numpy in, numpy out, one pass over the values read.

They run in the calling thread and release Python's global lock, so that blocks can be processed in
parallel. Sums are in float64, in the order of months and layers, so that results do not depend on
how the data were divided.
"""

from __future__ import annotations

import numba
import numpy as np

from mpcf.ground.constants import WATER_DENSITY

CELLS_AT_ONCE = 1024
"""Cells processed together, so that their sums stay in the processor's cache."""


@numba.njit(cache=True, nogil=True)
def monthly_sums(values: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Return weighted sums over the months of each year.

    Parameters
    ----------
    values : ndarray (year, month, cell)
        The values. A NaN makes the year's sum NaN, whatever its weight.
    weight : ndarray (year, season, month)
        The weights, float64.

    Returns
    -------
    ndarray (year, season, cell)
        The sums, float64.
    """
    years, months, cells = values.shape
    seasons = weight.shape[1]
    out = np.zeros((years, seasons, cells))
    for y in range(years):
        for m in range(months):
            for s in range(seasons):
                w = weight[y, s, m]
                for c in range(cells):
                    out[y, s, c] += values[y, m, c] * w
    return out


@numba.njit(cache=True, nogil=True)
def frost_depth(warmest: np.ndarray, coldest: np.ndarray, depth: np.ndarray) -> float:
    r"""Return the depth of seasonal frost above soil that is thawed all year, the top of a talik.

    .. math:: z = z_{k-1} + (z_k - z_{k-1}) \frac{T_{k-1}}{T_{k-1} - T_k},

    where T is the temperature of each node's coldest month and k the uppermost node at which it is
    above 0 °C.

    Parameters
    ----------
    warmest, coldest : ndarray (layer)
        Temperature of the warmest and of the coldest month of a year, °C; NaN where there is no
        soil.
    depth : ndarray (layer)
        Depth of the nodes, m.

    Returns
    -------
    float
        m; 0 where the uppermost node does not freeze, infinity where no soil is thawed all year or
        soil that is frozen all year, or not there, lies above it.

    Examples
    --------
    >>> node = np.array([0.1, 0.5, 0.9, 1.5])
    >>> warmest, coldest = np.array([9.0, 4.0, 2.0, -1.0]), np.array([-9.0, -3.0, 1.0, -2.0])
    >>> frost_depth(warmest, coldest, node)
    0.8
    """
    for k in range(depth.size):
        if not warmest[k] > 0.0:
            return np.inf
        if coldest[k] > 0.0:
            if k == 0:
                return 0.0
            above, below = np.float64(coldest[k - 1]), np.float64(coldest[k])
            return depth[k - 1] + above / (above - below) * (depth[k] - depth[k - 1])
    return np.inf


@numba.njit(cache=True, nogil=True)
def soil_temperature(
    tsl: np.ndarray, zero: float, depth: np.ndarray, lower: np.ndarray, shallow: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return the yearly statistics of soil temperature.

    Parameters
    ----------
    tsl : ndarray (year, month, layer, cell)
        K; NaN where there is no soil.
    zero : float
        Freezing point, K, with the type of `tsl`.
    depth, lower : ndarray (layer)
        Depth of the nodes and of the layers' lower bounds, m.
    shallow : ndarray (layer)
        Thickness of each layer, m, in which frozen soil is counted.

    Returns
    -------
    warmest, coldest : ndarray (year, layer, cell)
        Warmest and coldest month, °C, with the type of `tsl`; NaN where no month has a value.
    active : ndarray (year, cell)
        Depth of the soil that thaws and freezes in the year, m: the deepest of the months' first
        0 °C crossings below the surface, linear between nodes, or `frost_depth` where that is
        less. 0 where the surface is frozen all year, infinity where a month has no crossing and
        no soil is thawed all year, NaN without soil.
    thawed : ndarray (year, cell)
        The deepest crossing itself, limited to the depth of the soil: below seasonal frost, it is
        the bottom of the talik.
    frozen : ndarray (year, cell)
        Thickness of the soil frozen all year, m; NaN without soil.
    """
    years, months, layers, cells = tsl.shape
    warmest = np.empty((years, layers, cells), tsl.dtype)
    coldest = np.empty((years, layers, cells), tsl.dtype)
    crossing = np.empty((years, cells))
    active = np.empty((years, cells))
    thawed = np.empty((years, cells))
    frozen = np.empty((years, cells))
    for y in range(years):
        for k in range(layers):
            for c in range(cells):
                warmest[y, k, c] = -np.inf
                coldest[y, k, c] = np.inf
            for m in range(months):
                for c in range(cells):
                    t = tsl[y, m, k, c] - zero
                    warmest[y, k, c] = t if t > warmest[y, k, c] else warmest[y, k, c]
                    coldest[y, k, c] = t if t < coldest[y, k, c] else coldest[y, k, c]
            for c in range(cells):
                if warmest[y, k, c] < coldest[y, k, c]:
                    warmest[y, k, c] = np.nan
                    coldest[y, k, c] = np.nan
        for c in range(cells):
            crossing[y, c] = np.nan
        for m in range(months):
            for c in range(cells):
                above = np.float64(tsl[y, m, 0, c] - zero)
                if np.isnan(above):
                    continue
                first = 0.0
                if above > 0.0:
                    first = np.inf
                    for k in range(1, layers):
                        below = np.float64(tsl[y, m, k, c] - zero)
                        if np.isnan(below):
                            break
                        if below <= 0.0:
                            share = above / (above - below)
                            first = depth[k - 1] + share * (depth[k] - depth[k - 1])
                            break
                        above = below
                if not first <= crossing[y, c]:
                    crossing[y, c] = first
        for c in range(cells):
            thawed[y, c] = np.nan
            frozen[y, c] = np.nan
            bottom = np.nan
            sum_frozen = 0.0
            for k in range(layers):
                if warmest[y, k, c] <= 0.0:
                    sum_frozen += shallow[k]
                if not np.isnan(warmest[y, k, c]):
                    bottom = lower[k] if not lower[k] <= bottom else bottom
            if not np.isnan(crossing[y, c]):
                thawed[y, c] = min(crossing[y, c], bottom)
                frozen[y, c] = sum_frozen
            frost = frost_depth(warmest[y, :, c], coldest[y, :, c], depth)
            active[y, c] = frost if frost < crossing[y, c] else crossing[y, c]
    return warmest, coldest, active, thawed, frozen


@numba.njit(cache=True, nogil=True)
def soil_water(
    liquid: np.ndarray,
    ice: np.ndarray,
    weight: np.ndarray,
    share: np.ndarray,
    bounds: np.ndarray,
    wet_depth: np.ndarray,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the soil water of each year by season and depth.

    Parameters
    ----------
    liquid, ice : ndarray (year, month, layer, cell)
        kg m-2 per layer; NaN where there is no soil.
    weight : ndarray (year, 2, month)
        Length of the months, days, in the whole year and in the thaw season; 0 outside the season.
    share : ndarray (top, layer)
        Share of each layer that lies above each of the depths.
    bounds : ndarray (layer, 2)
        Upper and lower bounds of the layers, m.
    wet_depth : ndarray (year, cell)
        Depth, m, over which the wetness of the thaw season is taken.

    Returns
    -------
    liquid_tops, water_tops : ndarray (year, 2, top, cell)
        Mean liquid water, and mean liquid and frozen water, above each depth, kg m-2. A layer with
        a gap in the year counts as empty; a gap in the uppermost layer makes the result NaN.
    wetness : ndarray (year, cell)
        Mean liquid water above `wet_depth` in the thaw season, m3 m-3; NaN where that depth is 0
        or NaN.
    """
    years, months, layers, cells = liquid.shape
    tops = share.shape[0]
    liquid_tops = np.zeros((years, 2, tops, cells), np.float32)
    water_tops = np.zeros((years, 2, tops, cells), np.float32)
    wetness = np.empty((years, cells))
    year_liquid, thaw_liquid = np.empty(CELLS_AT_ONCE), np.empty(CELLS_AT_ONCE)
    year_water, thaw_water = np.empty(CELLS_AT_ONCE), np.empty(CELLS_AT_ONCE)
    above = np.empty((4, tops, CELLS_AT_ONCE))
    wet = np.empty(CELLS_AT_ONCE)
    for y in range(years):
        year_length, thaw_length = weight[y, 0].sum(), weight[y, 1].sum()
        for start in range(0, cells, CELLS_AT_ONCE):
            n = min(CELLS_AT_ONCE, cells - start)
            above[:] = 0.0
            wet[:] = 0.0
            for k in range(layers):
                year_liquid[:] = 0.0
                thaw_liquid[:] = 0.0
                year_water[:] = 0.0
                thaw_water[:] = 0.0
                for m in range(months):
                    in_year, in_thaw = weight[y, 0, m], weight[y, 1, m]
                    row_liquid = liquid[y, m, k, start : start + n]
                    row_ice = ice[y, m, k, start : start + n]
                    for i in range(n):
                        a = row_liquid[i]
                        b = np.float64(a + row_ice[i])
                        year_liquid[i] += a * in_year
                        thaw_liquid[i] += a * in_thaw
                        year_water[i] += b * in_year
                        thaw_water[i] += b * in_thaw
                upper, lower = bounds[k, 0], bounds[k, 1]
                for i in range(n):
                    year_liquid[i] /= year_length
                    thaw_liquid[i] /= thaw_length
                    year_water[i] /= year_length
                    thaw_water[i] /= thaw_length
                    part = (wet_depth[y, start + i] - upper) / (lower - upper)
                    part = min(max(part, 0.0), 1.0)
                    wet[i] += 0.0 if np.isnan(thaw_liquid[i]) else thaw_liquid[i] * part
                for j in range(tops):
                    part = share[j, k]
                    add_layer(above[0, j], year_liquid, part, n, k)
                    add_layer(above[1, j], thaw_liquid, part, n, k)
                    add_layer(above[2, j], year_water, part, n, k)
                    add_layer(above[3, j], thaw_water, part, n, k)
            for j in range(tops):
                for i in range(n):
                    liquid_tops[y, 0, j, start + i] = above[0, j, i]
                    liquid_tops[y, 1, j, start + i] = above[1, j, i]
                    water_tops[y, 0, j, start + i] = above[2, j, i]
                    water_tops[y, 1, j, start + i] = above[3, j, i]
            for i in range(n):
                d = wet_depth[y, start + i]
                wetness[y, start + i] = wet[i] / (WATER_DENSITY * d) if d > 0.0 else np.nan
    return liquid_tops, water_tops, wetness


@numba.njit(cache=True, nogil=True)
def add_layer(total: np.ndarray, layer: np.ndarray, share: float, count: int, k: int) -> None:
    """Add a share of a layer to a sum; a gap below the uppermost layer counts as empty.

    Parameters
    ----------
    total : ndarray (cell)
        The sum, changed in place.
    layer : ndarray (cell)
        The layer's values.
    share : float
        Share of the layer that is added.
    count : int
        Number of cells.
    k : int
        Number of the layer, 0 at the surface.
    """
    for i in range(count):
        total[i] += 0.0 if k > 0 and np.isnan(layer[i]) else layer[i] * share


@numba.njit(cache=True, nogil=True)
def soil_heat(
    celsius: np.ndarray,
    liquid: np.ndarray,
    ice: np.ndarray,
    solid: np.ndarray,
    share: np.ndarray,
    constants: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """Return the latent and the sensible heat of soil columns, relative to ice at 0 °C.

    Parameters
    ----------
    celsius, liquid, ice : ndarray (year, layer, cell)
        Temperature, °C, and water, kg m-2; NaN where there is no soil.
    solid : ndarray (layer)
        Heat capacity of the solids, J m-2 K-1.
    share : ndarray (layer)
        Share of each layer that is counted.
    constants : ndarray (3)
        Latent heat, J kg-1, and heat capacities of water and of ice, J kg-1 K-1, with the type of
        `liquid`.

    Returns
    -------
    latent : ndarray (year, cell)
        J m-2; NaN without soil.
    sensible : ndarray (year, cell)
        J m-2; NaN without soil.
    """
    years, layers, cells = liquid.shape
    latent, sensible = np.zeros((years, cells)), np.zeros((years, cells))
    fusion, water, frozen = constants[0], constants[1], constants[2]
    for y in range(years):
        for k in range(layers):
            for c in range(cells):
                heat = fusion * liquid[y, k, c]
                capacity = solid[k] + water * liquid[y, k, c] + frozen * ice[y, k, c]
                warmth = capacity * celsius[y, k, c]
                latent[y, c] += 0.0 if np.isnan(heat) else heat * share[k]
                sensible[y, c] += 0.0 if np.isnan(warmth) else warmth * share[k]
        for c in range(cells):
            if np.isnan(liquid[y, 0, c]):
                latent[y, c] = np.nan
                sensible[y, c] = np.nan
    return latent, sensible
