"""Figures of coefficients and contributions, and of the truth where it is known."""

from __future__ import annotations

from collections.abc import Container, Mapping
from typing import TYPE_CHECKING

import numpy as np

from mpcf.figures.style import COLOURS, grouped_bars, heat_table, legend_below
from mpcf.method.moisture import MEANINGS

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr
    from matplotlib.figure import Figure


def coefficients(
    found: Mapping[str, tuple[xr.DataArray, xr.DataArray]], *, ylabel: str, title: str
) -> Figure:
    """Draw coefficients with their intervals, one mark for each estimator.

    Parameters
    ----------
    found : mapping of str to (DataArray (predictor), DataArray (predictor))
        Estimator → coefficients, and half the widths of their intervals; NaN draws no interval.
    ylabel : str
        Unit of the coefficients.
    title : str
        Title of the figure.

    Returns
    -------
    Figure
        One panel, a group of marks for each predictor.
    """
    import matplotlib.pyplot as plt

    fig, ax = plt.subplots(figsize=(7.5, 3.6))
    for i, ((estimator, (b, half)), mark) in enumerate(zip(found.items(), "os^", strict=False)):
        shift = 0.22 * (i - (len(found) - 1) / 2)
        names = b["predictor"].values
        for j, name in enumerate(names):
            look = {"fmt": mark, "color": COLOURS[name], "ms": 7, "capsize": 3}
            error = half.sel(predictor=name)
            ax.errorbar(j + shift, b.sel(predictor=name), yerr=error, **look)
        ax.plot([], [], mark, color="black", label=estimator)
    ax.axhline(0, color="black", lw=0.8)
    ax.set_xticks(range(len(names)), names)
    ax.set(ylabel=ylabel, title=title)
    ax.legend(title="estimator")
    return fig


def coefficients_by_flux(intervals: xr.Dataset) -> Figure:
    """Draw the coefficients of several fluxes, with two intervals each.

    Parameters
    ----------
    intervals : Dataset (errors, flux, predictor)
        ``low`` and ``high`` bounds, PgC yr-1 per standard deviation, for two kinds of errors.

    Returns
    -------
    Figure
        A panel for each predictor; the first kind of errors open, the second filled.
    """
    import matplotlib.pyplot as plt

    names, fluxes = intervals["predictor"].values, intervals["flux"].values
    fig, axes = plt.subplots(1, len(names), figsize=(9, 3.6), sharex=True, sharey=True)
    for ax, name in zip(axes, names, strict=True):
        colour = COLOURS[name]
        kinds = zip(intervals["errors"].values, (-0.15, 0.15), ("white", colour), strict=True)
        for label, shift, fill in kinds:
            low, high = (intervals[v].sel(errors=label, predictor=name) for v in ("low", "high"))
            at, middle = np.arange(len(fluxes)) + shift, (low + high) / 2
            look = {"fmt": "o", "color": colour, "mfc": fill, "label": label}
            ax.errorbar(middle, at, xerr=high - middle, **look)
        ax.axvline(0, color="0.6", lw=1)
        ax.set(title=name, xlabel="PgC yr⁻¹ per s.d.", yticks=range(len(fluxes)))
        ax.set_yticklabels(fluxes)
    axes[0].invert_yaxis()
    axes[-1].legend(loc="lower right")
    return fig


def shares(found: xr.Dataset, *, names: Mapping[str, str], title: str) -> Figure:
    """Draw shares of R² in groups of bars, a group for each estimator.

    Parameters
    ----------
    found : Dataset (estimator, predictor)
        ``estimate``, ``low`` and ``high``; NaN bounds draw no interval.
    names : mapping of str to str
        Predictors to draw, each with its name in the legend; its key names its colour.
    title : str
        Title of the figure.

    Returns
    -------
    Figure
        One panel.
    """
    import matplotlib.pyplot as plt

    fig, ax = plt.subplots(figsize=(7.5, 3.8))
    grouped_bars(ax, found, groups="estimator", bars="predictor", names=names)
    ax.set(xlabel="estimator", ylabel="share of R²", title=title)
    legend_below(fig, ax)
    return fig


def false_alarms(alarms: pd.DataFrame, ours: Container[str]) -> Figure:
    """Draw the false alarms of tests, by common signal and autocorrelation.

    Parameters
    ----------
    alarms : DataFrame
        Tests by columns (common signal, autocorrelation), %.
    ours : container of str
        Tests to mark.

    Returns
    -------
    Figure
        A table of colours for each common signal.
    """
    import matplotlib.pyplot as plt

    signals = alarms.columns.unique(0)
    rows = {test: f"▸ {test}" for test in alarms.index if test in ours}
    fig, axes = plt.subplots(1, len(signals), figsize=(10.5, 4.6), sharey=True)
    for ax, signal in zip(axes, signals, strict=True):
        part = alarms[signal].rename(index=rows, columns="{:g}".format)
        heat_table(ax, part, part.map("{:.0f}".format), cmap="Oranges", vmin=5, vmax=60)
        ax.set(xlabel="autocorrelation", title=f"common signal {signal:g}")
    return fig


def over_time(parts: xr.DataArray, *, total: str) -> Figure:
    """Draw contributions to the change of uptake by year, and their sum.

    Parameters
    ----------
    parts : DataArray (predictor, year)
        PgC yr-1.
    total : str
        Name of the sum.

    Returns
    -------
    Figure
        One panel.
    """
    import matplotlib.pyplot as plt

    fig, ax = plt.subplots(figsize=(8, 3.8))
    for name in parts["predictor"].values:
        one = parts.sel(predictor=name)
        ax.plot(parts["year"], one, color=COLOURS[name], label=name, lw=1.6)
    whole = parts.sum("predictor")
    ax.plot(parts["year"], whole, color=COLOURS["total"], lw=2.2, label=total)
    ax.axhline(0, color="black", lw=0.8)
    ax.margins(x=0)
    ax.set(xlabel="year", ylabel="PgC yr⁻¹")
    ax.set_title("What the raw trend ascribes the change of uptake to")
    legend_below(fig, ax)
    return fig


def by_period(
    carbon: xr.Dataset,
    periods: Mapping[str, tuple[int, int]],
    *,
    bars: str,
    names: Mapping[str, str],
    total: str = "",
) -> Figure:
    """Draw carbon in groups of bars with 95 % intervals, a group for each estimator.

    Parameters
    ----------
    carbon : Dataset (period, estimator, bars)
        ``estimate``, ``low`` and ``high``, PgC over the period; NaN bounds draw no interval.
    periods : mapping
        Inclusive first and last year of each period.
    bars : str
        Dimension within a group.
    names : mapping of str to str
        Bars to draw, each with its name in the legend; its key names its colour.
    total : str
        Name of the black line at the value of ``"total"``; empty for no line.

    Returns
    -------
    Figure
        A panel for each period.
    """
    import matplotlib.pyplot as plt

    fig, axes = plt.subplots(1, len(periods), figsize=(10.5, 4.4), squeeze=False)
    for ax, (name, (first, last)) in zip(axes[0], periods.items(), strict=True):
        here = carbon.sel(period=name)
        grouped_bars(ax, here, groups="estimator", bars=bars, names=names)
        if total:
            at = np.arange(here.sizes["estimator"])
            whole = here["estimate"].sel({bars: "total"})
            look = {"color": COLOURS["total"], "lw": 2.5, "label": total}
            ax.hlines(whole, at - 0.42, at + 0.42, **look)
        ax.set_title(f"{name.capitalize()}, {first}–{last}")
    axes[0, 0].set_ylabel("PgC over the period")
    legend_below(fig, axes[0, 0])
    return fig


def estimates_and_truth(scored: pd.DataFrame) -> Figure:
    """Draw regression estimates and their null tests next to the truth.

    Parameters
    ----------
    scored : DataFrame
        By choice: ``period``; ``estimate``, ``null`` and ``truth``, PgC.

    Returns
    -------
    Figure
        A panel for each period, a row for each choice, the first on top.
    """
    import matplotlib.pyplot as plt

    truth = {"color": "black", "lw": 3}
    found = {"marker": "o", "ls": "", "color": COLOURS["moisture"], "ms": 8}
    null = {"marker": "o", "ls": "", "mfc": "white", "mec": COLOURS["residual"], "ms": 7}
    periods = scored["period"].unique()
    fig, axes = plt.subplots(1, len(periods), figsize=(8.5, 4.4), sharey=True, squeeze=False)
    for ax, period in zip(axes[0], periods, strict=True):
        here = scored[scored["period"] == period].iloc[::-1]
        row = np.arange(len(here))
        ax.vlines(here["truth"], row - 0.4, row + 0.4, label="truth", **truth)
        ax.hlines(row, here["null"], here["estimate"], color="0.75", lw=1, zorder=0)
        ax.plot(here["estimate"], row, label="regression", **found)
        ax.plot(here["null"], row, label="null test", **null)
        ax.axvline(0, color="black", lw=0.6)
        ax.set(xlabel="PgC", title=period.capitalize())
        ax.set_yticks(row, here.index)
    legend_below(fig, axes[0, 0])
    return fig


def thaw_and_wetness(
    split: xr.Dataset,
    truth: xr.DataArray | None,
    periods: Mapping[str, tuple[int, int]],
    parts: Mapping[str, str],
) -> Figure:
    """Draw the effects of thaw and of wetness: the truth over time, and regressions beside it.

    Parameters
    ----------
    split : Dataset (estimator, period, predictor)
        ``estimate``, ``low`` and ``high``, PgC.
    truth : DataArray (part, year), optional
        True effect of each part, PgC yr-1; without it the first panel is left out.
    periods : mapping of str to (int, int)
        Inclusive first and last year of each period; a panel for each.
    parts : mapping of str to str
        Part → predictor that stands for it.

    Returns
    -------
    Figure
        A row of panels.
    """
    import matplotlib.pyplot as plt

    tones = dict(zip(parts, (COLOURS["temperature"], COLOURS["moisture"]), strict=True))
    first = int(truth is not None)
    fig, axes = plt.subplots(1, first + len(periods), figsize=(10.5, 4.2), squeeze=False)
    if truth is not None:
        ax, last = axes[0, 0], max(end for _, end in periods.values())
        summed = truth.sel(year=slice(None, last)).cumsum("year")
        year = truth["year"].sel(year=slice(None, last))
        for part, tone in tones.items():
            ax.plot(year, summed.sel(part=part), color=tone, lw=2, label=part)
        whole = summed.sum("part")
        ax.plot(year, whole, color="black", lw=1.5, ls="--", label="both: liquid water")
        ax.legend(loc="best", fontsize=9)
        ax.axhline(0, color="black", lw=0.6)
        ax.set(title="The truth, added up", xlabel="year", ylabel="PgC")
        ax.margins(x=0)
    marks = "os^"
    for ax, (period, (begin, end)) in zip(axes[0, first:], periods.items(), strict=True):
        for i, (part, predictor) in enumerate(parts.items()):
            if truth is not None:
                whole = truth.sel(part=part, year=slice(begin, end)).sum()
                label = "truth" if i == 0 else None
                ax.bar(i, whole, 0.7, color="0.85", edgecolor="0.3", label=label)
            for j, estimator in enumerate(split["estimator"].values):
                one = split.sel(estimator=estimator, period=period, predictor=predictor)
                middle, at = one["estimate"], i + 0.2 * (j - (split.sizes["estimator"] - 1) / 2)
                half = [[middle - one["low"]], [one["high"] - middle]]
                look = {"fmt": marks[j], "color": tones[part], "capsize": 3, "ms": 7}
                ax.errorbar(at, middle, yerr=half, **look)
                if i == 0:
                    ax.plot([], [], marks[j], color="black", label=estimator)
        ax.axhline(0, color="black", lw=0.6)
        ax.set_xticks(range(len(parts)), parts)
        ax.set_title(f"{period.capitalize()}, {begin}–{end}")
    axes[0, first].set_ylabel("PgC over the period")
    legend_below(fig, axes[0, -1])
    return fig


def right_signs(score: pd.DataFrame, estimators: list[str]) -> Figure:
    """Draw the share of right signs of candidates, with their median error in brackets.

    Parameters
    ----------
    score : DataFrame
        By moisture, candidate and estimator: ``right sign``, %, and ``error``, in units of the
        truth.
    estimators : list of str
        Columns, from left to right.

    Returns
    -------
    Figure
        A table of colours for each meaning of moisture.
    """
    import matplotlib.pyplot as plt

    fig, axes = plt.subplots(1, len(MEANINGS), figsize=(10.5, 9), sharey=True)
    for ax, (meaning, known) in zip(axes, MEANINGS.items(), strict=True):
        of_meaning = score.loc[meaning]
        order = of_meaning.index.unique("candidate")
        signs, errors = (
            of_meaning[column].unstack("estimator").loc[order, estimators]
            for column in ("right sign", "error")
        )
        texts = signs.map("{:.0f}\n".format) + errors.map("({:.1f})".format)
        texts = texts.where(signs.notna(), "–")
        signs = signs.rename(columns=lambda name: name.replace(" ", "\n"))
        image = heat_table(ax, signs, texts, cmap="PuOr_r", vmin=0, vmax=100)
        ax.set_title(known.words.capitalize(), fontsize=10)
        ax.tick_params(axis="x", labelsize=8)
    fig.colorbar(image, ax=axes, label="% of the sets with the right sign", shrink=0.8)
    return fig
