"""One look for every figure of the book."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLOURS = {
    "moisture": "#0072B2",
    "temperature": "#D55E00",
    "precipitation": "#56B4E9",
    "co2": "#7F7F7F",
    "residual": "#BBBBBB",
    "gpp": "#009E73",
    "ra": "#CC79A7",
    "rh": "#8C510A",
    "permafrost": "#6A51A3",
    "total": "#222222",
}
"""Colour of each quantity, the same all through the book; told apart by colour-blind readers."""

PHASE_COLOURS = {"warming": "#FBE3D6", "mitigation": "#FFF6D5", "net-zero": "#DDEBF4"}
"""Background of each phase."""


def style() -> None:
    """Set matplotlib's defaults for the book."""
    import matplotlib as mpl
    import seaborn as sns

    sns.set_theme(context="notebook", style="ticks", font="DejaVu Sans")
    mpl.rcParams.update(
        {
            "axes.spines.top": False,
            "axes.spines.right": False,
            "axes.titlelocation": "left",
            "axes.titlesize": 12,
            "axes.labelsize": 11,
            "figure.constrained_layout.use": True,
            "figure.dpi": 110,
            "legend.frameon": False,
            "legend.fontsize": 10,
            "xtick.labelsize": 10,
            "ytick.labelsize": 10,
            "svg.hashsalt": "mpcf",
        }
    )


def shade_phases(ax: Axes, phases: dict[str, tuple[int, int]], *, label: bool = True) -> None:
    """Shade the phases of the experiment behind a time series.

    Parameters
    ----------
    ax : Axes
        Axes with years along x.
    phases : dict
        Inclusive first and last year of each phase.
    label : bool
        Whether to write each phase's name at the top.
    """
    for name, (first, last) in phases.items():
        ax.axvspan(
            first - 0.5, last + 0.5, color=PHASE_COLOURS.get(name, "#F0F0F0"), zorder=0, lw=0
        )
        if label:
            ax.text(
                (first + last) / 2,
                1.0,
                name,
                transform=ax.get_xaxis_transform(),
                ha="center",
                va="top",
                fontsize=9,
                color="#555555",
            )


def ensemble(ax: Axes, series: xr.DataArray, *, colour: str, label: str) -> None:
    """Draw every member thin and their mean thick.

    Parameters
    ----------
    ax : Axes
        Where to draw.
    series : DataArray (member, year)
        Any unit.
    colour : str
        Colour of the quantity.
    label : str
        Name in the legend.
    """
    year = series["year"]
    ax.plot(year, series.transpose("year", "member"), color=colour, lw=0.6, alpha=0.35)
    ax.plot(year, series.mean("member"), color=colour, lw=2, label=label)
    ax.margins(x=0)


def map_row(count: int, *, width: float = 3.6, height: float = 4.2) -> tuple[Figure, list[Axes]]:
    """Make a row of polar maps.

    Parameters
    ----------
    count : int
        Number of maps.
    width, height : float
        Size of one map, inches.

    Returns
    -------
    tuple
        Figure and its list of axes.
    """
    import matplotlib.pyplot as plt

    from mpcf.maps import projection

    fig, axes = plt.subplots(
        1, count, figsize=(width * count, height), subplot_kw={"projection": projection()}
    )
    return fig, list(axes) if count > 1 else [axes]
