"""Land and sea of the Arctic: coastlines, land fraction and cell areas on the sphere."""

from __future__ import annotations

import gzip
import json
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

import numpy as np
import shapely
import xarray as xr

from mpcf.ground.constants import EARTH_RADIUS

MIN_SOIL_FRACTION = 0.3
"""A cell with less soil counts as sea, as in the land mask of a coarse model."""


def grid_cell_area(lat: xr.DataArray, lon: xr.DataArray) -> xr.DataArray:
    """Return the area of the cells of an evenly spaced grid on the sphere.

    Parameters
    ----------
    lat, lon : DataArray (lat), (lon)
        Cell centres, degrees. Cells that would extend past a pole end there.

    Returns
    -------
    DataArray (lat, lon)
        m2.

    Examples
    --------
    >>> lat = xr.DataArray(np.arange(-89.5, 90), dims="lat")
    >>> lon = xr.DataArray(np.arange(-179.5, 180), dims="lon")
    >>> bool(np.isclose(grid_cell_area(lat, lon).sum(), 4 * np.pi * EARTH_RADIUS**2))
    True
    """
    area = cell_area(cell_bounds(lat.values).clip(-90, 90), cell_bounds(lon.values))
    return xr.DataArray(area, {"lat": lat, "lon": lon}, ("lat", "lon"), name="areacella")


def cell_bounds(centres: np.ndarray) -> np.ndarray:
    """Return the edges of cells, halfway between their centres; the outer cells are symmetric.

    Parameters
    ----------
    centres : ndarray (n,)
        Latitudes or longitudes, degrees, in order; at least two.

    Returns
    -------
    ndarray (n, 2)
        Lower and upper edge of each cell, degrees.

    Examples
    --------
    >>> cell_bounds(np.array([50.0, 60.0]))
    array([[45., 55.],
           [55., 65.]])
    """
    values = np.asarray(centres, dtype=float)
    edges = (values[:-1] + values[1:]) / 2
    outer = [2 * values[0] - edges[0]], [2 * values[-1] - edges[-1]]
    edges = np.concatenate([outer[0], edges, outer[1]])
    return np.sort(np.column_stack([edges[:-1], edges[1:]]), axis=1)


@cache
def _shapes() -> dict[str, shapely.MultiPolygon]:
    raw = files("mpcf.ground").joinpath("land-110m.geojson.gz").read_bytes()
    features = json.loads(gzip.decompress(raw))["features"]
    return {
        feature["properties"]["name"]: shapely.from_geojson(json.dumps(feature["geometry"]))
        for feature in features
    }


def land() -> shapely.MultiPolygon:
    """Return the land polygons of the Earth, longitude and latitude in degrees.

    Natural Earth 1:110m (public domain), the union of its countries; lakes are land.

    Examples
    --------
    >>> bool(land().contains(shapely.Point(129.7, 62.0)))  # Yakutsk
    True
    """
    return _shapes()["land"]


def greenland() -> shapely.MultiPolygon:
    """Return the polygons of Greenland, longitude and latitude in degrees."""
    return _shapes()["Greenland"]


def cell_area(lat_bounds: np.ndarray, lon_bounds: np.ndarray) -> np.ndarray:
    r"""Return the area of the cells of a regular grid on the sphere.

    .. math:: A = R^2 (\sin\varphi_2 - \sin\varphi_1)(\lambda_2 - \lambda_1)

    Parameters
    ----------
    lat_bounds : ndarray (lat, 2)
        Southern and northern edges, degrees.
    lon_bounds : ndarray (lon, 2)
        Western and eastern edges, degrees.

    Returns
    -------
    ndarray (lat, lon)
        Area, m2.

    Examples
    --------
    >>> whole = cell_area(np.array([[-90.0, 90.0]]), np.array([[-180.0, 180.0]]))
    >>> bool(np.isclose(whole[0, 0], 4 * np.pi * EARTH_RADIUS**2))
    True
    """
    height = np.diff(np.sin(np.radians(lat_bounds)), axis=1)
    width = np.diff(np.radians(lon_bounds), axis=1)
    return EARTH_RADIUS**2 * height * width.T


def distance(
    lat: np.ndarray, lon: np.ndarray, to_lat: np.ndarray, to_lon: np.ndarray
) -> np.ndarray:
    """Return great-circle distances, by the haversine formula.

    Parameters
    ----------
    lat, lon : ndarray (n,)
        Latitude and longitude of the points from which to measure, degrees.
    to_lat, to_lon : ndarray (m,)
        Latitude and longitude of the points to which to measure, degrees.

    Returns
    -------
    ndarray (n, m)
        m.

    Examples
    --------
    >>> pole, equator = np.array([90.0]), np.array([0.0])
    >>> bool(np.isclose(distance(pole, equator, equator, equator), EARTH_RADIUS * np.pi / 2))
    True
    """
    lat, lon, to_lat, to_lon = (np.radians(x) for x in (lat, lon, to_lat, to_lon))
    half = (
        np.sin((lat[:, None] - to_lat) / 2) ** 2
        + np.cos(lat[:, None]) * np.cos(to_lat) * np.sin((lon[:, None] - to_lon) / 2) ** 2
    )
    return 2 * EARTH_RADIUS * np.arcsin(np.sqrt(np.clip(half, 0.0, 1.0)))


def _fraction(shape: shapely.Geometry, lat_bounds: np.ndarray, lon_bounds: np.ndarray):
    """Return the share of each cell (lat, lon) that lies in `shape`, by area on the sphere."""

    def flat(xy):
        return np.column_stack([xy[:, 0], np.sin(np.radians(xy[:, 1])) * 90.0])

    # longitude and the sine of latitude form an equal-area map
    shape = shapely.make_valid(shapely.transform(shape, flat))
    shapely.prepare(shape)
    edges = np.sin(np.radians(lat_bounds)) * 90.0
    boxes = shapely.box(
        lon_bounds[None, :, 0], edges[:, None, 0], lon_bounds[None, :, 1], edges[:, None, 1]
    )
    return shapely.area(shapely.intersection(boxes, shape)) / shapely.area(boxes)


@dataclass(frozen=True)
class Grid:
    """A regular grid and its land.

    Attributes
    ----------
    lat, lon : ndarray (lat,), (lon,)
        Cell centres, degrees.
    lat_bounds, lon_bounds : ndarray (lat, 2), (lon, 2)
        Cell edges, degrees.
    area : ndarray (lat, lon)
        Cell area, m2.
    land_fraction, ice_fraction : ndarray (lat, lon)
        Share of the cell that is land, and that is the Greenland ice sheet.
    soil : ndarray (lat, lon) of bool
        Cells that have a soil column.
    """

    lat: np.ndarray
    lon: np.ndarray
    lat_bounds: np.ndarray
    lon_bounds: np.ndarray
    area: np.ndarray
    land_fraction: np.ndarray
    ice_fraction: np.ndarray
    soil: np.ndarray

    @property
    def cell_lat(self) -> np.ndarray:
        """Latitude of the cells that have soil (cell,), degrees."""
        return np.broadcast_to(self.lat[:, None], self.soil.shape)[self.soil]

    @property
    def cell_lon(self) -> np.ndarray:
        """Longitude of the cells that have soil (cell,), degrees."""
        return np.broadcast_to(self.lon[None, :], self.soil.shape)[self.soil]

    @property
    def cell_land_area(self) -> np.ndarray:
        """Land area of the cells that have soil (cell,), m2."""
        return (self.area * self.land_fraction)[self.soil]


@cache
def grid(dlat: float, dlon: float, south: float = 45.0, north: float = 85.0) -> Grid:
    """Return a regular grid with its land.

    All of Greenland counts as ice sheet. A cell is ice sheet where Greenland is most of its land,
    soil where its other land covers at least 30 % of it, and sea otherwise. The land of a cell is
    thus either all soil or all ice sheet.

    Parameters
    ----------
    dlat, dlon : float
        Size of the cells, degrees.
    south, north : float
        Edges of the grid, degrees.

    Returns
    -------
    Grid
        The grid.
    """
    rows, columns = round((north - south) / dlat), round(360 / dlon)
    edge_lat = south + dlat * np.arange(rows + 1)
    edge_lon = -180.0 + dlon * np.arange(columns + 1)
    lat_bounds = np.column_stack([edge_lat[:-1], edge_lat[1:]])
    lon_bounds = np.column_stack([edge_lon[:-1], edge_lon[1:]])
    all_land = _fraction(land(), lat_bounds, lon_bounds)
    ice = _fraction(greenland(), lat_bounds, lon_bounds)
    bare = np.clip(all_land - ice, 0.0, 1.0)
    soil = (bare >= MIN_SOIL_FRACTION) & (bare > ice)
    glaciated = ~soil & (ice >= MIN_SOIL_FRACTION)
    return Grid(
        lat=lat_bounds.mean(axis=1),
        lon=lon_bounds.mean(axis=1),
        lat_bounds=lat_bounds,
        lon_bounds=lon_bounds,
        area=cell_area(lat_bounds, lon_bounds),
        land_fraction=np.where(soil, bare, np.where(glaciated, ice, 0.0)),
        ice_fraction=np.where(glaciated, ice, 0.0),
        soil=soil,
    )
