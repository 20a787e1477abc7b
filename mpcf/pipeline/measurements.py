"""How fast the book's kernels are: what ``make bench`` measured last, and the page made from it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from mpcf.folders import project_root

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure


SIZE = ["task", "cells", "years", "predictors"]
"""What two methods must share to be compared."""

GOALS = (
    ("regression with Newey-West errors", "statsmodels loop, HAC", 50.0),
    ("regression with Newey-West errors", "", 4.0),
    ("active layer", "", 1.5),
    ("permafrost mask", "", 3.0),
    ("1000 draws of members, raw trend", "mpcf, refits", 3000.0),
    ("1000 draws of members, year effects", "mpcf, refits", 3000.0),
)
"""Task, method to beat, and how many times faster; without a method, how many times the bound."""

LIMITS = {
    "regression with Newey-West errors": (
        "The bound reads each value once, in the order of the memory. About half of the time goes "
        "into gathering cells: the years of one cell lie a whole grid apart, which reads more "
        "slowly, and are laid side by side in the cache. The rest is passes through the cache: the "
        "columns are centred, made orthogonal to every predictor before them, multiplied into "
        "scores and summed in windows."
    ),
    "active layer": (
        "The bound is a sum without a branch on one core. The search compares each value with "
        "0 °C and with the most that soil can have, divides once for each profile, and writes its "
        "result in double precision."
    ),
    "permafrost mask": (
        "One core reads each value once from memory and once more, a year later, from the cache."
    ),
    "1000 draws of members": (
        "A large part of a call is over before the first draw: the cells of the region are picked "
        "and their Gram matrices made. A draw then costs a small solution in every cell, and with "
        "year effects a sum over all pairs of members. And the refits beside it are compiled too."
    ),
}
"""What the time of each task is spent on."""

LINES = {
    "mpcf": ("#0072B2", "o-", "mpcf, cells side by side"),
    "mpcf, years side by side in memory": ("#D55E00", "s-", "mpcf, years side by side"),
}
"""Colour, marker and name of each method in the figure."""


def results_file() -> Path:
    """Return the file that keeps the last run of ``python -m benchmarks``.

    Returns
    -------
    Path
        ``benchmarks/results.json`` of the book's folder.
    """
    return project_root() / "benchmarks" / "results.json"


def times(path: Path) -> pd.DataFrame:
    """All times that were measured.

    Parameters
    ----------
    path : Path
        A file of ``python -m benchmarks``.

    Returns
    -------
    DataFrame
        A row for each task, method and size: ``seconds``, ``bound_seconds``, ``times_bound``,
        ``cells_timed``, ``note``, and ``times_faster``, the seconds of the method over ours.
    """
    import pandas as pd

    found = pd.DataFrame(json.loads(path.read_text(encoding="utf-8"))["rows"])
    found = found.dropna(subset=["seconds"])
    ours = found[found["method"].isin(["mpcf", "mpcf, Gram matrices"])]
    seconds = ours.set_index(SIZE)["seconds"].reindex(pd.MultiIndex.from_frame(found[SIZE]))
    return found.assign(times_faster=found["seconds"] / seconds.to_numpy())


def compared(path: Path) -> pd.DataFrame:
    """Methods side by side, for each task that others were measured at too.

    Parameters
    ----------
    path : Path
        A file of ``python -m benchmarks``.

    Returns
    -------
    DataFrame
        Rows of `times`.
    """
    found = times(path)
    others = found.groupby(SIZE)["method"].transform(lambda m: (~m.str.startswith("mpcf")).any())
    return found[others]


def reached(path: Path) -> pd.DataFrame:
    """Goals and what was reached of them, at the size where methods are side by side.

    Parameters
    ----------
    path : Path
        A file of ``python -m benchmarks``.

    Returns
    -------
    DataFrame
        ``task``, ``rival`` (empty for a goal against the bound), ``goal``, ``value``, ``met``.
    """
    import pandas as pd

    found = compared(path).set_index(["task", "method"])
    rows = []
    for task, rival, goal in GOALS:
        if rival:
            value = found.loc[(task, rival), "times_faster"]
        else:
            value = found.loc[(task, "mpcf"), "times_bound"]
        met = value >= goal if rival else value <= goal
        rows.append({"task": task, "rival": rival, "goal": goal, "value": value, "met": bool(met)})
    return pd.DataFrame(rows)


def figure(path: Path) -> Figure:
    """Time of the regression against cells, years and predictors, with the bound drawn in.

    Parameters
    ----------
    path : Path
        A file of ``python -m benchmarks``.

    Returns
    -------
    Figure
        Three panels with logarithmic axes.
    """
    import matplotlib.pyplot as plt

    from mpcf.figures.style import legend_below, style

    style()
    found = times(path)
    found = found[found["task"].eq(GOALS[0][0])]
    small = found[found["cells"].eq(5_000)]
    panels = {
        "cells": found[found["years"].eq(500) & found["predictors"].eq(4)],
        "years": small[small["predictors"].eq(4)],
        "predictors": small[small["years"].eq(500)],
    }
    fig, axes = plt.subplots(1, 3, figsize=(10, 3.8), sharey=True)
    for ax, (name, part) in zip(axes, panels.items(), strict=True):
        for method, (colour, marker, label) in LINES.items():
            line = part[part["method"].eq(method)].sort_values(name)
            ax.loglog(line[name], line["seconds"], marker, color=colour, label=label)
        bound = part.groupby(name)["bound_seconds"].min()
        ax.loglog(bound.index, bound, "k--", label="reading the input once")
        ticks = sorted(set(part[name]))
        ax.set_xticks(ticks, [f"{tick:,}" for tick in ticks], minor=False)
        ax.minorticks_off()
        ax.set(xlabel=f"number of {name}")
    axes[0].set_ylabel("time, s")
    legend_below(fig, axes[0])
    fig.suptitle("Regression with Newey-West errors: time against size", x=0.01, ha="left")
    return fig


def records(path: Path, folder: Path) -> dict[str, dict[str, object]]:
    """Sentences and the figure that the page on speed takes at staging.

    Parameters
    ----------
    path : Path
        A file of ``python -m benchmarks``.
    folder : Path
        Where the figure is written.

    Returns
    -------
    dict
        ``"sentences"`` and ``"figures"``, each from key to record, as a run's.
    """
    import matplotlib.pyplot as plt

    drawn = figure(path)
    file = folder / "benchmarks" / "sizes.png"
    file.parent.mkdir(parents=True, exist_ok=True)
    drawn.savefig(file, dpi=150)
    plt.close(drawn)
    known = json.loads(path.read_text(encoding="utf-8"))
    return {
        "sentences": {
            "benchmarks/machine": _machine(known["machine"]),
            "benchmarks/verdict": _verdict(reached(path)),
            "benchmarks/goals": _goals(reached(path)),
            "benchmarks/limits": _limits(reached(path)),
            "benchmarks/methods": _methods(compared(path)),
            "benchmarks/memory": _memory(known["rows"]),
        },
        "figures": {
            "benchmarks/sizes": {
                "file": "benchmarks/sizes.png",
                "caption": "Time of one call of `mpcf.method.regression.fit`, input in double "
                "precision. "
                "The dashed line is the time that one core takes to read the input once. Both axes "
                "are logarithmic.",
                "alt": _alt(times(path)),
                "wide": True,
            }
        },
    }


def costs(path: Path) -> str:
    """Tables of what ``python -m benchmarks.yearly`` measured last.

    Parameters
    ----------
    path : Path
        Its file; it may be missing.

    Returns
    -------
    str
        Markdown: the machine, rates and memory beside their goals, and the estimate of what a
        large ensemble would cost.
    """
    if not path.is_file():
        return "No measurement is kept: `python -m benchmarks.yearly` makes one."
    from mpcf.book.wording import typeset_unit

    kept = json.loads(path.read_text(encoding="utf-8"))
    rows = [["measured", "value", "goal"]]
    for row in kept["measured"]:
        unit = typeset_unit(row["unit"])
        goal = f"{row['goal'].replace('>=', '≥')} {unit}" if "goal" in row else ""
        rows.append([row["what"], f"{row['value']:.3g} {unit}", goal])
    estimate = [[f"{value:.3g}" for value in row.values()] for row in kept["costs"]]
    machine = kept["machine"]
    return "\n\n".join(
        [
            f"Measured on {machine['processor']}, of which {machine['cores']} cores were there.",
            _table(rows),
            "What the large ensemble would cost, by the number of processors at work:",
            _table([list(kept["costs"][0]), *estimate]),
        ]
    )


def _machine(machine: Mapping) -> str:
    versions = ", ".join(f"{name} {number}" for name, number in machine["versions"].items())
    return (
        f"{machine['processor']}, model {machine['processor_model']}, {machine['cores']} cores, "
        f"{machine['threads']} threads; Python {machine['python']}, {versions}"
    )


def _goal(row: Mapping) -> str:
    if row["rival"]:
        return f"≥ {row['goal']:,g} × faster than {row['rival'].removeprefix('mpcf, ')}"
    return f"≤ {row['goal']:g} × the bound"


def _times(value: float) -> str:
    return f"{value:,.0f} ×" if value >= 100 else f"{value:.2g} ×"


def _verdict(goals: pd.DataFrame) -> str:
    met = int(goals["met"].sum())
    return f"{'All' if met == len(goals) else met or 'None'} of the {len(goals)} goals are met."


def _table(rows: list[list[str]]) -> str:
    lines = [rows[0], [":--"] * len(rows[0]), *rows[1:]]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _goals(goals: pd.DataFrame) -> str:
    rows = [["task", "goal", "reached", "met"]]
    for row in goals.to_dict("records"):
        verdict = "yes" if row["met"] else "**no**"
        rows.append([row["task"], _goal(row), _times(row["value"]), verdict])
    return _table(rows)


def _limits(goals: pd.DataFrame) -> str:
    missed = goals.loc[~goals["met"], "task"]
    items = [
        f"- **{task[0].upper()}{task[1:]}.** {text}"
        for task, text in LIMITS.items()
        if missed.str.startswith(task).any()
    ]
    return "\n".join(items) or "No goal was missed."


def _methods(found: pd.DataFrame) -> str:
    rows = [["method", "time, s", "× the bound", "× our time", "cells timed", "note"]]
    tables = []
    for (task, cells, years, predictors), part in found.groupby(SIZE, sort=False):
        of = f" × {predictors} predictors" if predictors else ""
        body = [
            [
                row["method"],
                f"{row['seconds']:.3g}",
                _times(row["times_bound"]).removesuffix(" ×"),
                _times(row["times_faster"]).removesuffix(" ×"),
                f"{row['cells_timed']:,.0f}",
                row["note"],
            ]
            for row in part.to_dict("records")
        ]
        title = f"**{task[0].upper()}{task[1:]}**, {cells:,} cells × {years:,} years{of}"
        tables.append(f"{title}\n\n{_table(rows + body)}")
    return "\n\n".join(tables)


def _memory(rows: list[dict]) -> str:
    shares = [row["bytes"] / row["input_bytes"] for row in rows if "bytes" in row]
    return (
        f"Beyond its input the regression holds {min(shares):.2g} to {max(shares):.2g} times the "
        "input's size at most."
    )


def _alt(found: pd.DataFrame) -> str:
    part = found[found["task"].eq(GOALS[0][0]) & found["method"].eq("mpcf")]
    low, high = part["times_bound"].min(), part["times_bound"].max()
    return (
        "Three panels: time in seconds against the number of cells, of years and of predictors. "
        "Two lines are mpcf, one for each order of the input in memory. With cells side by side "
        f"it takes {low:.2g} to {high:.2g} times as long as the dashed line, reading the input "
        "once."
    )
