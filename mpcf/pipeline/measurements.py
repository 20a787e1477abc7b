"""The page on speed: its tables, sentences and figure, from the last run of ``make bench``."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from mpcf.book.tables import markdown_table
from mpcf.folders import project_root

if TYPE_CHECKING:
    import pandas as pd


SIZE = ["task", "cells", "years", "predictors"]
"""What two measurements must have in common for their methods to be compared."""

REGRESSION = "regression with Newey-West errors"
"""Name of the task whose time is drawn against size."""

GOALS = (
    (REGRESSION, "statsmodels loop, HAC", 50.0),
    (REGRESSION, "", 4.0),
    ("active layer", "", 1.5),
    ("permafrost mask", "", 3.0),
    ("1000 draws of members, raw trend", "mpcf, refits", 3000.0),
    ("1000 draws of members, year effects", "mpcf, refits", 3000.0),
)
"""Task, method to beat and by what factor; without a method, the maximum multiple of the bound."""

LIMITS = {
    REGRESSION: (
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
"""Where the time of each task goes."""


def results_file() -> Path:
    """Return the path of the results of ``python -m benchmarks``.

    Returns
    -------
    Path
        ``benchmarks/results.json`` in the book's folder.
    """
    return project_root() / "benchmarks" / "results.json"


def times(path: Path) -> pd.DataFrame:
    """Read all times that were measured.

    Parameters
    ----------
    path : Path
        Results of ``python -m benchmarks``.

    Returns
    -------
    DataFrame
        A row for each task, method and size: ``seconds``, ``bound_seconds``, ``times_bound``,
        ``cells_timed``, ``note``, and ``times_faster``, the method's time divided by mpcf's.
    """
    import pandas as pd

    found = pd.DataFrame(json.loads(path.read_text(encoding="utf-8"))["rows"])
    found = found.dropna(subset=["seconds"])
    ours = found[found["method"].isin(["mpcf", "mpcf, Gram matrices"])]
    seconds = ours.set_index(SIZE)["seconds"].reindex(pd.MultiIndex.from_frame(found[SIZE]))
    return found.assign(times_faster=found["seconds"] / seconds.to_numpy())


def compared(path: Path) -> pd.DataFrame:
    """Read the times of those tasks and sizes at which other methods were measured too.

    Parameters
    ----------
    path : Path
        Results of ``python -m benchmarks``.

    Returns
    -------
    DataFrame
        Rows of `times`.
    """
    found = times(path)
    others = found.groupby(SIZE)["method"].transform(lambda m: (~m.str.startswith("mpcf")).any())
    return found[others]


def reached(path: Path) -> pd.DataFrame:
    """Compare the goals with what was measured, at the size at which methods are compared.

    Parameters
    ----------
    path : Path
        Results of ``python -m benchmarks``.

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


def entries(path: Path, folder: Path) -> dict[str, dict[str, object]]:
    """Return the sentences of the page on speed, and draw its figure.

    Parameters
    ----------
    path : Path
        Results of ``python -m benchmarks``.
    folder : Path
        Folder for the figure's file.

    Returns
    -------
    dict
        ``"sentences"`` and ``"figures"``, each key → entry, like those of a run.
    """
    from mpcf.figures import benchmarks, style

    style.style()
    found = times(path)
    drawn = benchmarks.time_against_size(found[found["task"].eq(REGRESSION)])
    style.save(drawn, folder / "benchmarks" / "sizes.png")
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
                "alt": _alt(found),
                "wide": True,
            }
        },
    }


def costs(path: Path) -> str:
    """Format the last results of ``python -m benchmarks.yearly``.

    Parameters
    ----------
    path : Path
        Path of the results; the file may be missing.

    Returns
    -------
    str
        Markdown: the machine, rates and memory with their goals, and an estimate of what a large
        ensemble would cost.
    """
    if not path.is_file():
        return "Nothing has been measured yet; run `python -m benchmarks.yearly`."
    from mpcf.book.wording import typeset_unit

    kept = json.loads(path.read_text(encoding="utf-8"))
    rows = []
    for row in kept["measured"]:
        unit = typeset_unit(row["unit"])
        goal = f"{row['goal'].replace('>=', '≥')} {unit}" if "goal" in row else ""
        rows.append({"measured": row["what"], "value": f"{row['value']:.3g} {unit}", "goal": goal})
    estimate = [{name: f"{value:.3g}" for name, value in row.items()} for row in kept["costs"]]
    machine = kept["machine"]
    return "\n\n".join(
        [
            f"Measured on {machine['processor']}, with {machine['cores']} cores available.",
            _table(rows),
            "What the large ensemble would cost, by the number of processors used:",
            _table(estimate),
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


def _table(rows: list[dict[str, str]]) -> str:
    import pandas as pd

    frame = pd.DataFrame(rows)
    return markdown_table(frame.set_index(frame.columns[0]))


def _goals(goals: pd.DataFrame) -> str:
    return _table(
        [
            {
                "task": row["task"],
                "goal": _goal(row),
                "reached": _times(row["value"]),
                "met": "yes" if row["met"] else "**no**",
            }
            for row in goals.to_dict("records")
        ]
    )


def _limits(goals: pd.DataFrame) -> str:
    missed = goals.loc[~goals["met"], "task"]
    items = [
        f"- **{task[0].upper()}{task[1:]}.** {text}"
        for task, text in LIMITS.items()
        if missed.str.startswith(task).any()
    ]
    return "\n".join(items) or "No goal was missed."


def _methods(found: pd.DataFrame) -> str:
    tables = []
    for (task, cells, years, predictors), part in found.groupby(SIZE, sort=False):
        of = f" × {predictors} predictors" if predictors else ""
        rows = [
            {
                "method": row["method"],
                "time, s": f"{row['seconds']:.3g}",
                "× the bound": _times(row["times_bound"]).removesuffix(" ×"),
                "× our time": _times(row["times_faster"]).removesuffix(" ×"),
                "cells timed": f"{row['cells_timed']:,.0f}",
                "note": row["note"],
            }
            for row in part.to_dict("records")
        ]
        title = f"**{task[0].upper()}{task[1:]}**, {cells:,} cells × {years:,} years{of}"
        tables.append(f"{title}\n\n{_table(rows)}")
    return "\n\n".join(tables)


def _memory(rows: list[dict]) -> str:
    shares = [row["bytes"] / row["input_bytes"] for row in rows if "bytes" in row]
    return (
        f"Beyond its input the regression holds {min(shares):.2g} to {max(shares):.2g} times the "
        "input's size at most."
    )


def _alt(found: pd.DataFrame) -> str:
    part = found[found["task"].eq(REGRESSION) & found["method"].eq("mpcf")]
    low, high = part["times_bound"].min(), part["times_bound"].max()
    return (
        "Three panels: time in seconds against the number of cells, of years and of predictors. "
        "Two lines are mpcf, one for each order of the input in memory. With cells side by side "
        f"it takes {low:.2g} to {high:.2g} times as long as the dashed line, reading the input "
        "once."
    )
