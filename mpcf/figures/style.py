"""The look of the book's figures, and the figures that several chapters draw."""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from mpcf.folders import write_atomic

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd
    import xarray as xr
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.image import AxesImage


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
    "nep": "#222222",
    "total": "#222222",
}
"""Colour of each quantity throughout the book, distinguishable to colour-blind readers too."""

PHASE_COLOURS = {
    "warming": "#FBE3D6",
    "mitigation": "#FFF6D5",
    "net-zero": "#DDEBF4",
    "net removal": "#DFF0E3",
}
"""Background of each phase; one with a name of its own is grey."""


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
    """Draw the phases of the experiment as shading behind a time series.

    Parameters
    ----------
    ax : Axes
        Axes with years along the x axis.
    phases : dict
        Inclusive first and last year of each phase.
    label : bool
        Whether to write the name of each phase at the top.
    """
    for name, (first, last) in phases.items():
        ax.axvspan(
            first - 0.5, last + 0.5, color=PHASE_COLOURS.get(name, "#F0F0F0"), zorder=0, lw=0
        )
        if label:
            ax.text(
                (first + last) / 2,
                0.985,
                name,
                transform=ax.get_xaxis_transform(),
                ha="center",
                va="top",
                fontsize=9,
                color="#555555",
            )


def ensemble(ax: Axes, series: xr.DataArray, *, colour: str, label: str) -> None:
    """Draw every member as a thin line and their mean as a thick one.

    Parameters
    ----------
    ax : Axes
        Where to draw.
    series : DataArray (member, year)
        Any unit.
    colour : str
        Colour of the quantity.
    label : str
        Name of the mean in the legend.
    """
    year = series["year"]
    ax.plot(year, series.transpose("year", "member"), color=colour, lw=0.6, alpha=0.35)
    ax.plot(year, series.mean("member"), color=colour, lw=2, label=label)
    ax.margins(x=0)


def grouped_bars(
    ax: Axes,
    values: xr.Dataset,
    *,
    groups: str,
    bars: str,
    names: Mapping[str, str],
) -> None:
    """Draw groups of bars with 95 % intervals, in one colour for each quantity.

    Parameters
    ----------
    ax : Axes
        Where to draw.
    values : Dataset (groups, bars)
        ``estimate``, ``low`` and ``high``; NaN bounds draw no interval.
    groups, bars : str
        Dimension along the x axis, and dimension within a group.
    names : mapping of str to str
        Bar → its name in the legend, for the bars to draw; the bar also names its colour.
    """
    width = 0.8 / len(names)
    for j, (bar, name) in enumerate(names.items()):
        one = values.sel({bars: bar})
        at = np.arange(one.sizes[groups]) + width * (j - (len(names) - 1) / 2)
        middle = one["estimate"].values
        error = np.stack([middle - one["low"].values, one["high"].values - middle])
        ax.bar(
            at,
            middle,
            0.94 * width,
            color=COLOURS[bar],
            label=name,
            yerr=error,
            error_kw={"lw": 1, "capsize": 2},
        )
    ax.axhline(0, color="black", lw=0.8)
    ax.set_xticks(range(values.sizes[groups]), values[groups].values)


def over_years(
    series: Mapping[str, tuple[xr.DataArray, str]],
    phases: Mapping[str, tuple[int, int]],
    *,
    ylabel: str,
    title: str,
) -> Figure:
    """Draw members and their mean over the years, with a line at zero and the phases shaded.

    Parameters
    ----------
    series : mapping of str to (DataArray (member, year), str)
        Name in the legend → values and colour.
    phases : mapping
        Inclusive first and last year of each phase.
    ylabel : str
        Quantity with its unit.
    title : str
        Title of the figure.

    Returns
    -------
    Figure
        One panel.

    Examples
    --------
    >>> import xarray as xr
    >>> area = xr.DataArray([[14.0, 12.0]], {"year": [2015, 2016]}, ("member", "year"))
    >>> fig = over_years({"area": (area, COLOURS["permafrost"])}, {"warming": (2015, 2016)},
    ...     ylabel="million km²", title="Permafrost area")
    >>> fig.axes[0].get_ylabel()
    'million km²'
    """
    import matplotlib.pyplot as plt

    fig, ax = plt.subplots(figsize=(8, 3.8))
    shade_phases(ax, phases)
    for label, (values, colour) in series.items():
        ensemble(ax, values, colour=colour, label=label)
    ax.axhline(0, color="black", lw=0.8)
    if all(float(values.min()) >= 0 for values, _ in series.values()):
        ax.set_ylim(0, None)
    ax.set(xlabel="year", ylabel=ylabel, title=title)
    legend_below(fig, ax)
    return fig


def stacked_years(
    series: Mapping[str, tuple[xr.DataArray, str]],
    phases: Mapping[str, tuple[int, int]],
    *,
    title: str,
) -> Figure:
    """Draw quantities in different units over the same years, one panel above the other.

    Parameters
    ----------
    series : mapping of str to (DataArray (member, year), str)
        Quantity with its unit → values and colour, from the bottom panel up.
    phases : mapping
        Inclusive first and last year of each phase.
    title : str
        Title of the figure.

    Returns
    -------
    Figure
        A panel for each quantity.
    """
    import matplotlib.pyplot as plt

    count = len(series)
    fig, axes = plt.subplots(count, 1, figsize=(8, 2.3 * count), sharex=True, squeeze=False)
    for ax, (label, (values, colour)) in zip(axes[::-1, 0], series.items(), strict=True):
        shade_phases(ax, phases, label=ax is axes[0, 0])
        ensemble(ax, values, colour=colour, label="mean of the members")
        ax.set_ylabel(label)
    axes[0, 0].set_title(title)
    axes[-1, 0].set_xlabel("year")
    return fig


def small_panels(series: Mapping[str, tuple[pd.Series, str]], *, xlabel: str) -> Figure:
    """Draw single series in different units, in two columns of panels.

    Parameters
    ----------
    series : mapping of str to (Series, str)
        Quantity with its unit → values and colour.
    xlabel : str
        Name of the series' index.

    Returns
    -------
    Figure
        A panel for each series.
    """
    import matplotlib.pyplot as plt

    fig, axes = plt.subplots(-(-len(series) // 2), 2, figsize=(9, 5), sharex=True, squeeze=False)
    for ax, (label, (values, colour)) in zip(axes.flat, series.items(), strict=False):
        ax.plot(values.index, values, color=colour)
        ax.set_title(label)
    for ax in axes[-1]:
        ax.set_xlabel(xlabel)
    for ax in axes.flat[len(series) :]:
        ax.remove()
    return fig


def heat_table(ax: Axes, table: pd.DataFrame, texts: pd.DataFrame, **look: object) -> AxesImage:
    """Draw a table as coloured squares with text, black or white for contrast.

    Parameters
    ----------
    ax : Axes
        Where to draw.
    table : DataFrame
        Values for the colours; its labels name the rows and columns.
    texts : DataFrame of str
        Text of each square, in the shape of `table`.
    **look : object
        ``cmap``, ``vmin`` and ``vmax``.

    Returns
    -------
    AxesImage
        The squares, for use with a colour bar.
    """
    image = ax.imshow(table, aspect="auto", **look)
    for (row, column), value in np.ndenumerate(table.to_numpy(dtype=float)):
        red, green, blue, _ = image.cmap(image.norm(value))
        light = 0.299 * red + 0.587 * green + 0.114 * blue
        shade = {"color": "black" if light > 0.5 else "white", "fontsize": 10}
        ax.text(column, row, texts.iloc[row, column], ha="center", va="center", **shade)
    ax.set_xticks(range(table.shape[1]), table.columns)
    ax.set_yticks(range(table.shape[0]), table.index)
    ax.tick_params(length=0)
    return image


def legend_below(fig: Figure, ax: Axes) -> None:
    """Draw one legend for all panels, below the figure.

    Parameters
    ----------
    fig : Figure
        The figure.
    ax : Axes
        A panel that has every label.
    """
    handles, labels = ax.get_legend_handles_labels()
    fig.legend(handles, labels, loc="outside lower center", ncols=len(labels))


def save(fig: Figure, path: Path) -> None:
    """Write a figure as PNG and close it.

    Parameters
    ----------
    fig : Figure
        The figure.
    path : Path
        File to write; its folder is created if missing.

    Raises
    ------
    SystemFault
        If the file can't be written.
    """
    import matplotlib.pyplot as plt

    drawn = io.BytesIO()
    # without matplotlib's version in the file, identical figures give identical files
    fig.savefig(drawn, format="png", dpi=160, bbox_inches="tight", metadata={"Software": None})
    plt.close(fig)
    write_atomic(path, drawn.getvalue())
