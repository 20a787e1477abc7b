"""Figures of the ground: temperature, water, thaw and refreezing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from mpcf.figures.style import COLOURS, ensemble, legend_below, shade_phases

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def soil_section(temperature: xr.DataArray, *, limit: float, title: str, xlabel: str) -> Figure:
    """Draw soil temperature by time and depth, with the 0 °C line.

    Parameters
    ----------
    temperature : DataArray (depth, time or month)
        °C, with depth in m.
    limit : float
        The colours cover −`limit` to `limit`, °C.
    title : str
        Title of the figure.
    xlabel : str
        Name of the time axis.

    Returns
    -------
    Figure
        One panel, with depth increasing downwards to 3 m at most.
    """
    import matplotlib.pyplot as plt

    (time,) = (d for d in temperature.dims if d != "depth")
    section = temperature[time], temperature["depth"], temperature.transpose("depth", time)
    levels = np.arange(-limit, limit + 1, 2.5)
    fig, ax = plt.subplots(figsize=(8.5, 3.7))
    filled = ax.contourf(*section, levels, cmap="RdBu_r", extend="both")
    line = ax.contour(*section, [0], colors="black", linewidths=0.8)
    fig.colorbar(filled, label="°C").add_lines(line)
    ax.set(xlabel=xlabel, ylabel="depth (m)", title=title)
    ax.set_ylim(min(float(temperature["depth"].max()), 3.0), 0)
    if time == "month":
        ax.set_xticks(temperature["month"])
    return fig


def trumpet(edges: Mapping[str, tuple[xr.DataArray, xr.DataArray]]) -> Figure:
    """Draw the coldest and the warmest month at each depth, for two periods.

    Parameters
    ----------
    edges : mapping of str to (DataArray (depth), DataArray (depth))
        Name of the period → temperatures of the coldest and of the warmest month, °C.

    Returns
    -------
    Figure
        One panel, with depth increasing downwards; the second period is dashed.
    """
    import matplotlib.pyplot as plt

    looks = (COLOURS["permafrost"], "-", "solid"), (COLOURS["temperature"], "--", "dashed")
    fig, ax = plt.subplots(figsize=(5.2, 4.6))
    for (name, pair), (colour, line, word) in zip(edges.items(), looks, strict=True):
        depth = pair[0]["depth"]
        for edge in pair:
            ax.plot(edge, depth, color=colour, ls=line)
        shade = {"color": colour, "alpha": 0.15, "lw": 0}
        ax.fill_betweenx(depth, *pair, label=f"{name} ({word})", **shade)
    ax.axvline(0, color="black", lw=0.8)
    ax.set(ylim=(3, 0), xlabel="soil temperature (°C)", ylabel="depth (m)")
    ax.set_title("Coldest and warmest month")
    legend_below(fig, ax)
    return fig


def depth_bands(water: pd.DataFrame) -> Figure:
    """Draw the change in liquid water, ice and their sum by depth band.

    Parameters
    ----------
    water : DataFrame
        ``liquid``, ``ice`` and ``total`` by depth band from the top down, kg m-2.

    Returns
    -------
    Figure
        One panel, with depth increasing downwards.
    """
    import matplotlib.pyplot as plt

    fig, ax = plt.subplots(figsize=(7, 3))
    colours = [COLOURS["moisture"], COLOURS["precipitation"]]
    water[["liquid", "ice"]].plot.barh(ax=ax, color=colours, width=0.7)
    ax.plot(water["total"], range(len(water)), "D", color="black", label="total")
    ax.axvline(0, color="black", lw=0.8)
    ax.invert_yaxis()
    ax.set(xlabel="change by the end of warming (kg m⁻²)", ylabel="depth")
    ax.set_title("Change of soil water by depth")
    ax.legend()
    return fig


def liquid_parts(parts: xr.Dataset, phases: Mapping[str, tuple[int, int]]) -> Figure:
    """Draw the change of liquid water and the parts that add up to it.

    Parameters
    ----------
    parts : Dataset (member, year)
        ``thaw``, ``wetness``, ``cross`` and their sum ``liquid``, kg m-2.
    phases : mapping
        Inclusive first and last year of each phase.

    Returns
    -------
    Figure
        One panel. Means of the members are stacked, gains above zero and losses below; thin lines
        are the sums of single members.
    """
    import matplotlib.pyplot as plt

    looks = {
        "thaw": ("deeper or shallower thaw", COLOURS["temperature"]),
        "wetness": ("change of wetness", COLOURS["moisture"]),
        "cross": ("both together", COLOURS["residual"]),
    }
    fig, ax = plt.subplots(figsize=(8, 4))
    shade_phases(ax, phases)
    mean = parts.mean("member")
    for sign in (-1, 1):
        edge = np.zeros(mean.sizes["year"])
        for name, (label, colour) in looks.items():
            beyond = edge + np.where(sign * mean[name] > 0, mean[name], 0.0)
            label = label if sign > 0 else None
            ax.fill_between(mean["year"], edge, beyond, color=colour, lw=0, label=label)
            edge = beyond
    ensemble(ax, parts["liquid"], colour=COLOURS["total"], label="liquid water")
    ax.axhline(0, color="black", lw=0.8)
    ax.set(xlabel="year", ylabel="change since base period (kg m⁻²)")
    ax.set_title("Liquid water of the top metre: thaw or wetness?")
    legend_below(fig, ax)
    return fig


def returns(by_member: Sequence[xr.DataArray], together: xr.DataArray, horizon: float) -> Figure:
    """Draw the share of cells that have regained permafrost, by member and for all members.

    Parameters
    ----------
    by_member : sequence of DataArray (since)
        `mpcf.method.returns.share_refrozen` of each member.
    together : DataArray (since)
        The same of all members together.
    horizon : float
        End of the time axis, years since net zero.

    Returns
    -------
    Figure
        One panel.
    """
    import matplotlib.pyplot as plt

    look = {"color": COLOURS["moisture"]}
    fig, ax = plt.subplots(figsize=(7, 3.6))
    for share in by_member:
        share_curve(ax, share, horizon, lw=0.6, alpha=0.5, **look)
    share_curve(ax, together, horizon, lw=2.4, label="all members together", **look)
    ax.set(xlim=(0, horizon), ylim=(0, 100), title="Permafrost that has come back")
    ax.set(xlabel="years since emissions reached zero", ylabel="% of the lost cells")
    if together.size:
        ax.legend(loc="upper left")
    return fig


def thaw_by_year(daily: xr.DataArray, monthly: xr.DataArray) -> Figure:
    """Draw the maximum thaw depth of each year, from daily and from monthly temperatures.

    Parameters
    ----------
    daily, monthly : DataArray (year)
        Maximum thaw depth from each, m.

    Returns
    -------
    Figure
        One panel, with depth increasing downwards.
    """
    import matplotlib.pyplot as plt

    fig, ax = plt.subplots(figsize=(9, 3.6))
    ax.plot(daily["year"], daily, "o-", color=COLOURS["permafrost"], label="daily")
    ax.plot(monthly["year"], monthly, "s--", color=COLOURS["co2"], label="monthly means")
    for year, depth in daily.to_series().items():
        place = {"xytext": (0, -16), "textcoords": "offset points", "ha": "center"}
        ax.annotate(f"{depth:.2f}", (year, depth), **place)
    ax.set(xlabel="year", ylabel="deepest thaw (m)", ylim=(1.0, 0.6))
    ax.set_title("Monthly means make thaw shallower")
    ax.legend(loc="lower left")
    return fig


def autumns(temperature: xr.DataArray, curtain: xr.DataArray) -> Figure:
    """Draw soil temperature in the autumns with the longest and the shortest zero curtain.

    Parameters
    ----------
    temperature : DataArray (time)
        Daily soil temperature, °C, with a scalar coordinate ``depth``, m.
    curtain : DataArray (year)
        Duration of the zero curtain, days.

    Returns
    -------
    Figure
        One panel.
    """
    import matplotlib.pyplot as plt

    fig, ax = plt.subplots(figsize=(9, 3.4))
    extremes = {"moisture": int(curtain.idxmax()), "temperature": int(curtain.idxmin())}
    for colour, year in extremes.items():
        autumn = temperature.sel(time=slice(f"{year}-08-15", f"{year}-12-31"))
        label = f"{year}: {curtain.sel(year=year):.0f} days"
        ax.plot(autumn["time"].dt.dayofyear, autumn, color=COLOURS[colour], label=label)
    ax.axhspan(-0.5, 0.5, color="0.9")
    ax.set(ylim=(-6, 4), ylabel=f"°C at {float(temperature['depth']):g} m")
    ax.set_title("The longest and the shortest zero curtain")
    ax.set_xticks([244, 274, 305, 335], ["1 Sep", "1 Oct", "1 Nov", "1 Dec"])
    ax.legend()
    return fig


def impossible_water(highest: xr.DataArray) -> Figure:
    """Draw the highest water content of each year, and the physical maximum.

    Parameters
    ----------
    highest : DataArray (year, probe)
        Highest volumetric water content, m3 m-3.

    Returns
    -------
    Figure
        One panel with a logarithmic axis.
    """
    import matplotlib.pyplot as plt

    fig, ax = plt.subplots(figsize=(9, 3.6))
    values = highest.transpose("year", "probe")
    ax.semilogy(values["year"], values, "o", ms=5, color=COLOURS["moisture"])
    ax.axhline(1, color=COLOURS["temperature"])
    first = int(values["year"][0])
    ax.annotate("nothing can be above 1", (first, 1.15), color=COLOURS["temperature"])
    ax.set(xlabel="year", ylabel="highest value of the year (m³ m⁻³)")
    ax.set_title("Columns called volumetric water content")
    return fig


def curtain_and_rain(curtain: xr.DataArray, summers: pd.DataFrame, line: pd.DataFrame) -> Figure:
    """Draw the zero curtain's duration by autumn, and against the preceding summer's rain.

    Parameters
    ----------
    curtain : DataArray (year)
        Duration of the zero curtain, days.
    summers : DataFrame
        ``rain`` (mm) and ``curtain`` (days) by year.
    line : DataFrame
        Regression line (``mean``) and confidence band (``low``, ``high``), days, by rain, mm.

    Returns
    -------
    Figure
        Two panels with a common vertical axis.
    """
    import matplotlib.pyplot as plt

    fig, (left, right) = plt.subplots(1, 2, figsize=(9, 4), sharey=True)
    bars = left.bar(curtain["year"], curtain, color=COLOURS["permafrost"])
    left.bar_label(bars, fmt="%.0f")
    left.set(xlabel="year", ylabel="zero curtain (days)", title="Zero curtain by autumn")
    right.fill_between(line.index, line["low"], line["high"], color="0.9")
    right.plot(line.index, line["mean"], color="0.4")
    right.scatter(summers["rain"], summers["curtain"], color=COLOURS["precipitation"], zorder=3)
    place = {"xytext": (0, 5), "textcoords": "offset points", "ha": "center", "fontsize": 8}
    for year, row in summers.iterrows():
        right.annotate(f"’{year % 100:02d}", (row["rain"], row["curtain"]), **place)
    right.set(xlabel="rain, June to September (mm)", title="Zero curtain by summer rain")
    right.set_ylim(0, 110)
    return fig


def share_curve(ax: Axes, share: xr.DataArray, horizon: float, **look) -> None:
    """Draw the percentage of cells that have refrozen, as a step curve up to the horizon.

    Parameters
    ----------
    ax : Axes
        Where to draw.
    share : DataArray (since)
        `mpcf.method.returns.share_refrozen`; nothing is drawn if it is empty.
    horizon : float
        End of the curve, years since net zero.
    **look
        Look of the line, as in `matplotlib.axes.Axes.step`.
    """
    if share.size:
        since = [*share["since"].values, horizon]
        ax.step(since, 100 * np.append(share, share[-1]), where="post", **look)


def there_and_back(
    warming: xr.DataArray, volume: xr.DataArray, phases: Mapping[str, tuple[int, int]]
) -> Figure:
    """Draw frozen volume against warming: members, and their mean coloured by phase.

    Parameters
    ----------
    warming : DataArray (member, year)
        Smoothed warming of the region's air relative to the base period, K.
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

    tones = {
        "warming": COLOURS["temperature"],
        "mitigation": "#E69F00",
        "net-zero": COLOURS["moisture"],
        "net removal": COLOURS["gpp"],
    }
    fig, ax = plt.subplots(figsize=(6.5, 4.4))
    members = (a.transpose("year", "member") for a in (warming, volume))
    ax.plot(*members, color=COLOURS["permafrost"], lw=0.5, alpha=0.4)
    for name, (first, last) in phases.items():
        path = (a.mean("member").sel(year=slice(first, last + 1)) for a in (warming, volume))
        tone = tones.get(name, COLOURS["co2"])
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
"""Look of the lines with and without moisture's thermal effect."""


def refreezing(found: Mapping[str, Mapping[str, Mapping]], first_year: int) -> Figure:
    """Draw frozen volume and the share refrozen, with and without moisture's thermal effect.

    Parameters
    ----------
    found : mapping of str to mapping
        Scenario → ``"with"`` and ``"without"`` → `mpcf.method.refreeze.refreeze_metrics`.
    first_year : int
        First year of the net-zero phase.

    Returns
    -------
    Figure
        A column of two panels for each scenario.
    """
    import matplotlib.pyplot as plt

    from mpcf.method.refreeze import smooth

    fig, axes = plt.subplots(2, len(found), figsize=(8.5, 6.4), sharey="row", squeeze=False)
    for (scenario, both), (upper, lower) in zip(found.items(), axes.T, strict=True):
        for name, run in both.items():
            look = {"lw": 2, **WITH_AND_WITHOUT[name]}
            volume = smooth(run["volume"].sel(year=slice(first_year - 40, None)).mean("member"))
            upper.plot(volume["year"], volume, label=f"{name} moisture's thermal effect", **look)
            share_curve(lower, run["share"], run["times"].attrs["horizon"], **look)
        upper.axvline(first_year, color="0.6", lw=1)
        upper.set(title=f"After net zero: {scenario}", xlabel="year")
        lower.set(xlabel="years since emissions reached zero", xlim=(0, None), ylim=(0, 100))
    axes[0, 0].set_ylabel("frozen all year (thousand km³)")
    axes[1, 0].set_ylabel("% of the lost cells back")
    legend_below(fig, axes[0, 0])
    return fig


def paired_differences(found: Mapping[str, Mapping[str, Mapping]], first_year: int) -> Figure:
    """Draw frozen volume with less without moisture's thermal effect, member by member.

    Parameters
    ----------
    found : mapping of str to mapping
        Scenario → ``"with"`` and ``"without"`` → `mpcf.method.refreeze.refreeze_metrics`.
    first_year : int
        First year of the net-zero phase.

    Returns
    -------
    Figure
        A panel for each scenario: members, their mean, and its 95 % interval by Student's t.
    """
    import matplotlib.pyplot as plt

    from mpcf.method.refreeze import smooth
    from mpcf.method.statistics import t_factor

    fig, axes = plt.subplots(1, len(found), figsize=(8.5, 3.8), sharey=True, squeeze=False)
    for ax, (scenario, both) in zip(axes[0], found.items(), strict=True):
        difference = smooth(both["with"]["volume"] - both["without"]["volume"])
        year, members = difference["year"], difference.sizes["member"]
        mean = difference.mean("member")
        ax.plot(year, difference.transpose("year", "member"), color="0.7", lw=0.6)
        if members > 1:
            half = t_factor(members - 1) * difference.std("member", ddof=1) / np.sqrt(members)
            ax.fill_between(year, mean - half, mean + half, color=COLOURS["moisture"], alpha=0.25)
        ax.plot(year, mean, color=COLOURS["moisture"], lw=2.5)
        ax.axhline(0, color="black", lw=0.8)
        ax.axvline(first_year, color="0.6", lw=1)
        ax.set(title=f"After net zero: {scenario}", xlabel="year")
        ax.margins(x=0)
    axes[0, 0].set_ylabel("difference of frozen volume\n(thousand km³)")
    return fig


def loops(both: Mapping[str, Mapping]) -> Figure:
    """Draw frozen volume against warming, with and without moisture's thermal effect.

    Parameters
    ----------
    both : mapping of str to mapping
        ``"with"`` and ``"without"`` → `mpcf.method.refreeze.refreeze_metrics`.

    Returns
    -------
    Figure
        One panel.
    """
    import matplotlib.pyplot as plt

    from mpcf.method.periods import base_period
    from mpcf.method.refreeze import smooth

    fig, ax = plt.subplots(figsize=(6.5, 4.2))
    for name, run in both.items():
        air, volume = (run[v].mean("member") for v in ("air", "volume"))
        warming = smooth(air - air.sel(year=base_period(air)).mean("year"))
        label = f"{name} moisture's thermal effect"
        ax.plot(warming, smooth(volume), lw=2, label=label, **WITH_AND_WITHOUT[name])
    ax.set(
        xlabel="warming of the region's air since the base period (K)",
        ylabel="frozen all year (thousand km³)",
        ylim=(0, None),
        title="Second scenario: the way up and the way down",
    )
    ax.legend()
    return fig
