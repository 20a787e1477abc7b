"""North-polar maps, with coastlines shipped with the package."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.axes import Axes
    from matplotlib.collections import QuadMesh
    from matplotlib.figure import Figure


SOUTHERN_EDGE = 44.0
"""Latitude, °N, at which a map ends."""


def projection():
    """Return the projection of every map: the North Pole in the middle, 0° E at the bottom.

    Returns
    -------
    cartopy.crs.NorthPolarStereo
        For ``subplot_kw={"projection": projection()}``.
    """
    import cartopy.crs as ccrs

    return ccrs.NorthPolarStereo()


def polar_maps(
    panels: Mapping[str, xr.DataArray],
    *,
    label: str | Sequence[str],
    dots: Mapping[str, xr.DataArray] | None = None,
    extend: str = "both",
    looks: Sequence[Mapping] = (),
    **look,
) -> Figure:
    """Draw fields side by side on round polar maps.

    Parameters
    ----------
    panels : mapping of str to DataArray (lat, lon)
        Fields by title; NaN stays blank.
    label : str or sequence of str
        What the colours show: one text for a colour bar that all maps share, or one for each map.
    dots : mapping of str to DataArray (lat, lon), optional
        Cells to mark with a dot, by title.
    extend : str
        Pointed ends of the colour bars, as in `matplotlib.figure.Figure.colorbar`.
    looks : sequence of mapping, optional
        ``cmap``, ``vmin`` and ``vmax`` of each map.
    **look
        The same, for all maps.

    Returns
    -------
    Figure
        A panel for each field.
    """
    import matplotlib.pyplot as plt

    count = len(panels)
    width = 3.6 if count > 2 else 4.2
    fig, axes = plt.subplots(
        1,
        count,
        figsize=(width * count, width + 0.6),
        squeeze=False,
        subplot_kw={"projection": projection()},
    )
    meshes = []
    for i, (title, field) in enumerate(panels.items()):
        style = dict(look) | dict(looks[i] if looks else {})
        meshes.append(_draw(axes[0, i], field, title, (dots or {}).get(title), style))
    bar = {"orientation": "horizontal", "extend": extend}
    if isinstance(label, str):
        fig.colorbar(meshes[0], ax=axes[0], label=label, shrink=0.4, **bar)
    else:
        for ax, mesh, text in zip(axes[0], meshes, label, strict=True):
            fig.colorbar(mesh, ax=ax, label=text, shrink=0.8, **bar)
    return fig


def symmetric(field: xr.DataArray, quantile: float = 0.95) -> dict[str, float]:
    """Return colour limits symmetric about zero that include most of a field.

    Parameters
    ----------
    field : DataArray
        Any unit.
    quantile : float
        Fraction of the values that lie within the limits.

    Returns
    -------
    dict
        ``vmin`` and ``vmax``; −1 and 1 for a field that is all NaN.
    """
    size = np.abs(field.values[np.isfinite(field.values)])
    bound = float(np.quantile(size, quantile)) if size.size else 1.0
    return {"vmin": -bound, "vmax": bound}


def _draw(
    ax: Axes, field: xr.DataArray, title: str, dots: xr.DataArray | None, style: Mapping
) -> QuadMesh:
    import cartopy.crs as ccrs
    from matplotlib.path import Path

    from mpcf.ground.geography import land

    plate = ccrs.PlateCarree()
    ax.set_extent([-180, 180, SOUTHERN_EDGE, 90], plate)
    angle = np.linspace(0, 2 * np.pi, 181)
    rim = Path(0.5 + 0.5 * np.column_stack([np.sin(angle), np.cos(angle)]))
    ax.set_boundary(rim, transform=ax.transAxes)
    coast = list(land().geoms)
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
