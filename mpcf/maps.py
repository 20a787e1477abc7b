"""North-polar maps with coastlines that are shipped with the package."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.axes import Axes

SOUTHERN_EDGE = 44.0
"""Latitude, °N, at which a map ends."""


def projection():
    """Projection of every map: the North Pole in the middle, 0° E downwards.

    Returns
    -------
    cartopy.crs.NorthPolarStereo
        For ``subplot_kw={"projection": projection()}``.
    """
    import cartopy.crs as ccrs

    return ccrs.NorthPolarStereo()


def polar_map(
    ax: Axes, field: xr.DataArray, *, title: str, dots: xr.DataArray | None = None, **style
):
    """Draw a field on a round polar map.

    Parameters
    ----------
    ax : GeoAxes
        Axes with `projection`.
    field : DataArray (lat, lon)
        What is shown; NaN stays blank.
    title : str
        Title above the map.
    dots : DataArray (lat, lon), optional
        Cells that get a dot.
    **style
        ``cmap``, ``vmin``, ``vmax``, ``norm`` of `matplotlib.pyplot.pcolormesh`.

    Returns
    -------
    QuadMesh
        For a colour bar.
    """
    import cartopy.crs as ccrs
    from matplotlib.path import Path

    from mpcf.geography import land

    plate = ccrs.PlateCarree()
    ax.set_extent([-180, 180, SOUTHERN_EDGE, 90], plate)
    angle = np.linspace(0, 2 * np.pi, 181)
    rim = Path(0.5 + 0.5 * np.column_stack([np.sin(angle), np.cos(angle)]))
    ax.set_boundary(rim, transform=ax.transAxes)
    coast = list(getattr(land(), "geoms", [land()]))
    ax.add_geometries(coast, plate, facecolor="#EFEFEF", edgecolor="none", zorder=0)
    mesh = ax.pcolormesh(
        _edges(field["lon"].values),
        _edges(field["lat"].values).clip(-90, 90),
        np.ma.masked_invalid(field.transpose("lat", "lon").values),
        transform=plate,
        rasterized=True,
        zorder=1,
        **style,
    )
    ax.add_geometries(coast, plate, facecolor="none", edgecolor="#555555", linewidth=0.5, zorder=2)
    ax.gridlines(draw_labels=False, linewidth=0.3, color="#999999", ylocs=[50, 60, 70, 80])
    if dots is not None:
        lat, lon = np.meshgrid(dots["lat"], dots["lon"], indexing="ij")
        where = dots.transpose("lat", "lon").values.astype(bool)
        ax.scatter(
            lon[where], lat[where], s=4.0, c="black", linewidths=0, transform=plate, zorder=3
        )
    ax.set_title(title)
    return mesh


def _edges(centres: np.ndarray) -> np.ndarray:
    step = np.diff(centres)
    inner = centres[:-1] + step / 2
    return np.concatenate([[centres[0] - step[0] / 2], inner, [centres[-1] + step[-1] / 2]])
