"""The specification curve."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from mpcf.method.specification import CHOICES, RANKS, makes_choices, tally_flags

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def curve(
    frame: pd.DataFrame, marked: Mapping[str, Mapping[str, object]], *, bins: int = 60
) -> Figure:
    """Draw the specification curve: sorted contributions, and below them the choices made.

    Parameters
    ----------
    frame : DataFrame
        From `specifications`; each period becomes a panel.
    marked : mapping of str to mapping
        Name in the legend → choices of the specification that is marked, two at most; the choices
        of the first have a ring around them.
    bins : int
        Steps along the curve for which dots are drawn; the area of a dot is the share of the
        step's specifications that make the choice, or in which moisture is the lowest or largest.

    Returns
    -------
    Figure
        The figure.
    """
    import matplotlib.pyplot as plt

    from mpcf.figures.style import COLOURS, legend_below

    known = frame[frame["contribution"].notna()]
    lines = _lines(known)
    periods = known["period"].unique()
    fig, axes = plt.subplots(
        *(2, len(periods)),
        figsize=(5.2 * len(periods), 8.4),
        sharex="col",
        squeeze=False,
        height_ratios=[1, 1.7],
    )
    for (top, below), period in zip(axes.T, periods, strict=True):
        part = known[known["period"] == period].sort_values("contribution", kind="stable")
        value = part["contribution"].to_numpy()
        top.plot(value, "o", ms=2.4, mew=0, color=COLOURS["moisture"])
        top.axhline(0, color="black", lw=0.8)
        _draw_choices(below, part, lines, bins)
        _draw_marks(top, below, part, lines, marked)
        top.set_title(period.capitalize())
        below.set_xlabel("specifications, sorted")
    for below in axes[1, 1:]:
        below.tick_params(labelleft=False)
    axes[0, 0].set_ylabel("moisture's contribution (PgC)")
    _name_choices(axes[1, 0], lines)
    legend_below(fig, axes[0, 0])
    return fig


def _lines(known: pd.DataFrame) -> dict[tuple[str, object], float]:
    """Place every option on a line, with a gap between choices."""
    lines = {("moisture is", rank): at for at, rank in enumerate(RANKS)}
    at = len(lines) + 0.6
    for choice, options in CHOICES.items():
        for option in options:
            if (known[choice] == option).any():
                lines[choice, option] = at
                at += 1.0
        at += 0.6
    return lines


def _draw_choices(ax: Axes, part: pd.DataFrame, lines: dict, bins: int) -> None:
    from mpcf.figures.style import COLOURS

    steps = list(pairwise(np.linspace(0, len(part), min(bins, len(part)) + 1).astype(int)))
    middle = [(first + last - 1) / 2 for first, last in steps]
    names = []
    for (choice, option), at in lines.items():
        is_rank = choice not in CHOICES
        made = (tally_flags(part)[option] > 0 if is_rank else part[choice] == option).to_numpy()
        share = np.array([made[first:last].mean() for first, last in steps])
        colour = COLOURS["moisture"] if is_rank else "0.3"
        ax.scatter(middle, np.full(len(steps), at), s=22 * share, lw=0, color=colour)
        names.append(RANKS[option] if is_rank else CHOICES[choice][option])
    ax.set_yticks(list(lines.values()), names, fontsize=9)
    ax.set_ylim(max(lines.values()) + 0.8, -0.8)
    ax.margins(x=0.02)


def _draw_marks(top: Axes, below: Axes, part: pd.DataFrame, lines: dict, marked: Mapping) -> None:
    from mpcf.figures.style import COLOURS

    colours = COLOURS["temperature"], COLOURS["gpp"]
    for (label, choices), colour, shape in zip(marked.items(), colours, "Ds", strict=False):
        place = np.flatnonzero(makes_choices(part, choices))
        value = part["contribution"].to_numpy()[place]
        top.plot(place, value, shape, mec="black", color=colour, ms=8, label=label)
        for ax in (top, below):
            ax.vlines(place, *(0, 1), colour, lw=0.9, transform=ax.get_xaxis_transform(), zorder=0)
        if shape == "D":
            for at in (
                at for (choice, option), at in lines.items() if choices.get(choice) == option
            ):
                below.plot(place, [at] * len(place), "o", mfc="none", mec=colour, mew=1.6, ms=8)


def _name_choices(ax: Axes, lines: dict) -> None:
    """Write the name of each choice to the left of its options."""
    for choice in dict.fromkeys(choice for choice, _ in lines):
        ax.text(
            *(-0.38, np.mean([at for (c, _), at in lines.items() if c == choice])),
            "end" if choice == "shift" else choice,
            transform=ax.get_yaxis_transform(),
            ha="right",
            va="center",
            fontsize=9,
            weight="bold",
        )
