"""One look for every figure of the book."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

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
    "nep": "#222222",
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


def grouped_bars(
    ax: Axes,
    values: xr.Dataset,
    *,
    groups: str,
    bars: str,
    names: Mapping[str, str],
) -> None:
    """Draw groups of bars with their 95 % intervals, one colour for each quantity.

    Parameters
    ----------
    ax : Axes
        Where to draw.
    values : Dataset (groups, bars)
        ``estimate``, ``low`` and ``high``; NaN bounds draw no interval.
    groups, bars : str
        Dimensions along x and within a group.
    names : mapping of str to str
        Bars to draw, each with its name in the legend; its key names its colour.
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


def share_curve(ax: Axes, share: xr.DataArray, horizon: float, **look) -> None:
    """Draw the share of cells that have refrozen, in percent, as steps up to the horizon.

    Parameters
    ----------
    ax : Axes
        Where to draw.
    share : DataArray (since)
        From `mpcf.refreeze.share_refrozen`; nothing is drawn where no cell is followed.
    horizon : float
        Years.
    **look
        Colour and width of the line.
    """
    if share.size:
        since = [*share["since"].values, horizon]
        ax.step(since, 100 * np.append(share, share[-1]), where="post", **look)


def there_and_back(
    warming: xr.DataArray, volume: xr.DataArray, phases: Mapping[str, tuple[int, int]]
) -> Figure:
    """Draw frozen volume against warming, members thin and their mean coloured by phase.

    Parameters
    ----------
    warming : DataArray (member, year)
        Smoothed warming of the region's air since the base period, K.
    volume : DataArray (member, year)
        Smoothed frozen volume, 1e3 km3.
    phases : mapping
        Inclusive first and last year of each phase.

    Returns
    -------
    Figure
        One panel.
    """
    import matplotlib.pyplot as plt

    tones = (COLOURS["temperature"], "#E69F00", COLOURS["moisture"])
    fig, ax = plt.subplots(figsize=(6.5, 4.4))
    members = (a.transpose("year", "member") for a in (warming, volume))
    ax.plot(*members, color=COLOURS["permafrost"], lw=0.5, alpha=0.4)
    for (name, (first, last)), tone in zip(phases.items(), tones, strict=True):
        path = (a.mean("member").sel(year=slice(first, last + 1)) for a in (warming, volume))
        ax.plot(*path, color=tone, lw=3, label=f"{name}, {first}–{last}")
    ax.set(
        xlabel="warming of the region's air since the base period (K)",
        ylabel="frozen all year (thousand km³)",
        ylim=(0, None),
        title="Frozen volume against warming",
    )
    ax.legend()
    return fig


WITH_AND_WITHOUT = {
    "with": {"color": COLOURS["moisture"]},
    "without": {"color": "black", "ls": "--"},
}
"""Look of the runs with and without moisture's change."""


def refreezing(found: Mapping[str, Mapping[str, Mapping]], first_year: int) -> Figure:
    """Draw frozen volume and the share refrozen, with and without moisture's change.

    Parameters
    ----------
    found : mapping of str to mapping
        By scenario, then ``"with"`` and ``"without"``: what `mpcf.refreeze.judge_run` gives.
    first_year : int
        First year of the net-zero phase.

    Returns
    -------
    Figure
        A column of two panels for each scenario.
    """
    import matplotlib.pyplot as plt

    from mpcf.refreeze import smooth

    fig, axes = plt.subplots(2, len(found), figsize=(8.5, 6.4), sharey="row", squeeze=False)
    for (scenario, both), (upper, lower) in zip(found.items(), axes.T, strict=True):
        for name, run in both.items():
            look = {"lw": 2, **WITH_AND_WITHOUT[name]}
            volume = smooth(run["volume"].sel(year=slice(first_year - 40, None)).mean("member"))
            upper.plot(volume["year"], volume, label=f"{name} moisture's change", **look)
            share_curve(lower, run["share"], run["times"].attrs["horizon"], **look)
        upper.axvline(first_year, color="0.6", lw=1)
        upper.set(title=f"After net zero: {scenario}", xlabel="year")
        lower.set(xlabel="years since emissions reached zero", xlim=(0, None), ylim=(0, 100))
    axes[0, 0].set_ylabel("frozen all year (thousand km³)")
    axes[1, 0].set_ylabel("% of the lost cells back")
    legend_below(fig, axes[0, 0])
    return fig


def loops(both: Mapping[str, Mapping]) -> Figure:
    """Draw frozen volume against warming, with and without moisture's change.

    Parameters
    ----------
    both : mapping of str to mapping
        ``"with"`` and ``"without"``: what `mpcf.refreeze.judge_run` gives.

    Returns
    -------
    Figure
        One panel.
    """
    import matplotlib.pyplot as plt

    from mpcf.moisture import base_period
    from mpcf.refreeze import smooth

    fig, ax = plt.subplots(figsize=(6.5, 4.2))
    for name, run in both.items():
        air, volume = (run[v].mean("member") for v in ("air", "volume"))
        warming = smooth(air - air.sel(year=base_period(air)).mean("year"))
        label = f"{name} moisture's change"
        ax.plot(warming, smooth(volume), lw=2, label=label, **WITH_AND_WITHOUT[name])
    ax.set(
        xlabel="warming of the region's air since the base period (K)",
        ylabel="frozen all year (thousand km³)",
        ylim=(0, None),
        title="Second scenario: the way up and the way down",
    )
    ax.legend()
    return fig


def legend_below(fig: Figure, ax: Axes) -> None:
    """Put one legend for all panels below the figure.

    Parameters
    ----------
    fig : Figure
        The figure.
    ax : Axes
        A panel that holds every label.
    """
    handles, labels = ax.get_legend_handles_labels()
    fig.legend(handles, labels, loc="outside lower center", ncols=len(labels))
