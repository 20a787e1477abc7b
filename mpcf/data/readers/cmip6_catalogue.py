"""Find the complete runs in an intake-esm catalogue, and open their stores."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mpcf.data.readers.cmip6 import OPTIONAL, REQUIRED, TABLES, WATER, lacking
from mpcf.data.readers.cmip6_table import KINDS, read_table
from mpcf.data.readers.esm_tables import table_file
from mpcf.data.readers.fields import Piece
from mpcf.data.readers.files import is_remote, natural_order, open_piece
from mpcf.data.readers.zarr_stores import open_store
from mpcf.data.variables import MAPS
from mpcf.errors import DataError, suggestion

if TYPE_CHECKING:
    import pandas as pd


ANY_GRID = ("co2mass", "warming", "co2")
"""Series without a map, which may have a grid label of their own."""

OTHER_COASTS = ("lgm", "midPliocene-eoi400")
"""Experiments of CMIP6 with the coasts and ice sheets of another age; their maps are not used."""

_HISTORY = ("historical", "esm-hist")
_CONTROL = ("piControl", "esm-piControl")
_DATASET = ("source_id", "experiment_id", "member_id", "table_id", "variable_id", "grid_label")
_PHYSICS = re.compile(r"p\d+f\d+")
_MODELS_SHOWN = 8


def open_runs(
    place: str, model: str | None, experiments: Sequence[str], members: Sequence[str]
) -> tuple[dict[str, list[Piece]], list[Piece], list[str]]:
    """
    Open the runs of a model through intake-esm.

    Of several versions of a dataset, the newest is opened. Maps that do not change are those of the
    runs themselves; without them, those of their parent, of the historical or of the control
    experiment, in this order.

    Parameters
    ----------
    place : str
        Path or address of the catalogue (json).
    model : str or None
        Its ``source_id``; None takes the first, by name, that has what all chapters need. A
        model that is named may lack some of it.
    experiments : sequence of str
        ``experiment_id``, in chronological order; each ends where the next begins.
    members : sequence of str
        ``member_id``; if empty, all complete members with the same physics and forcing.

    Returns
    -------
    members : dict of str to list of Piece
        Member → its open stores, in the order of the experiments.
    fixed : list of Piece
        Open stores of cell area, land and ice fraction, the preferred ones first.
    notes : list of str
        What had to be decided.

    Raises
    ------
    DataError
        If no run has all that the book needs; the message says what is missing.
    Unreachable
        If the catalogue or a store can't be reached.
    """
    chosen = _select(place, model, experiments, members)
    notes = [*chosen.notes]
    opened = {member: _open_all(rows, notes) for member, rows in chosen.members.items()}
    parents = [p.raw.attrs.get("parent_experiment_id", "") for p in next(iter(opened.values()))]
    parent = next((str(name) for name in parents if name), "")
    maps = _nearest(chosen.maps, experiments, list(chosen.members), parent)
    return opened, _open_all(maps, notes), notes


def open_one(
    place: str, model: str | None, experiments: Sequence[str], members: Sequence[str]
) -> Piece:
    """
    Open one of the stores that `open_runs` would open, to read its attributes.

    Parameters
    ----------
    place : str
        Path or address of the catalogue (json).
    model : str or None
        See `open_runs`.
    experiments : sequence of str
        See `open_runs`.
    members : sequence of str
        See `open_runs`.

    Returns
    -------
    Piece
        The open store.
    """
    chosen = _select(place, model, experiments, members)
    return _open(next(next(iter(chosen.members.values())).itertuples()))


def input_places(
    place: str, model: str | None, experiments: Sequence[str], members: Sequence[str]
) -> list[str]:
    """
    Return what `open_runs` would read, without using the network.

    Parameters
    ----------
    place : str
        Path or address of the catalogue (json).
    model : str or None
        See `open_runs`.
    experiments : sequence of str
        See `open_runs`.
    members : sequence of str
        See `open_runs`.

    Returns
    -------
    list of str
        The catalogue, its table, the stores and files of the chosen runs, and the model's maps; for
        a catalogue or table on the network, only its address.

    Raises
    ------
    DataError
        If no run has all that the book needs; the message says what is missing.
    FileNotFoundError
        If there is no such catalogue.
    """
    if is_remote(place):
        return [place]
    if "://" in (table := table_file(place)):
        return [place, table]
    chosen = _select(place, model, experiments, members)
    stores = [path for rows in chosen.members.values() for path in rows["path"]]
    return [place, *([table] if table else []), *stores, *chosen.maps["path"]]


@dataclass(frozen=True)
class _Selection:
    """Rows of the chosen runs, and of all maps of their model."""

    members: dict[str, pd.DataFrame]
    maps: pd.DataFrame
    notes: list[str]


def _select(
    place: str, model: str | None, experiments: Sequence[str], members: Sequence[str]
) -> _Selection:
    table = read_table(place)
    chosen, complete, notes = _choose(table, model, experiments, members)
    own = table[table["source_id"] == chosen]
    found = {
        member: _rows(own, complete[member], experiments, member)
        for member in sorted(complete, key=natural_order)
    }
    maps = own[(own["table_id"] == "fx") & own["variable_id"].isin(MAPS)]
    kept = _newest(maps)
    dropped = [rows.drop(_newest(rows).index) for rows in found.values()]
    used = kept[kept["experiment_id"].isin(experiments)]
    dropped.append(maps.drop(kept.index).merge(used[list(_DATASET)], on=list(_DATASET)))
    found = {member: _newest(rows) for member, rows in found.items()}
    notes += _older([*found.values(), used], dropped)
    on_grid = kept["grid_label"].isin(set(complete.values()))
    elsewhere = ~kept["variable_id"].isin(kept.loc[on_grid, "variable_id"])
    return _Selection(found, kept[on_grid | elsewhere], notes)


def _newest(rows: pd.DataFrame) -> pd.DataFrame:
    """Keep the newest version of each dataset."""
    newest = rows.groupby(list(_DATASET))["age"].transform("max")
    return rows[rows["age"] == newest]


def _older(kept: Sequence[pd.DataFrame], dropped: Sequence[pd.DataFrame]) -> list[str]:
    """Say which versions were not read."""
    import pandas as pd

    new, old = pd.concat(kept), pd.concat(dropped)
    texts = []
    for name in dict.fromkeys(old["variable_id"]):
        now = sorted(set(new.loc[new["variable_id"] == name, "version"]))
        before = sorted(set(old.loc[old["variable_id"] == name, "version"]))
        texts.append(
            f"{name} ({' and '.join(now)}, not {' or '.join(v or 'none' for v in before)})"
        )
    return [f"of several versions the newest was read: {', '.join(texts)}"] if texts else []


def _nearest(
    maps: pd.DataFrame, experiments: Sequence[str], members: Sequence[str], parent: str
) -> pd.DataFrame:
    """Keep what is closest to the runs of each map and grid; several rows if equally close."""
    chain = dict.fromkeys(_CONTROL, 3) | dict.fromkeys(_HISTORY, 2) | {parent: 1}
    chain |= dict.fromkeys(experiments, 0)
    physics = {_physics(member) for member in members}
    maps = maps[~maps["experiment_id"].isin(set(OTHER_COASTS) - set(experiments))]
    maps = maps.assign(
        rank=maps["experiment_id"].map(chain).fillna(len(chain)),
        is_other=~maps["member_id"].isin(members),
        differs=~maps["member_id"].map(_physics).isin(physics),
    )
    far = ["rank", "is_other", "differs"]
    maps = maps.assign(far=maps.groupby(far).ngroup())
    nearest = maps.groupby(["variable_id", "grid_label"])["far"].transform("min")
    maps = maps[maps["far"] == nearest]
    return maps.sort_values("member_id", key=lambda column: column.map(natural_order))


def _choose(
    table: pd.DataFrame, model: str | None, experiments: Sequence[str], members: Sequence[str]
) -> tuple[str, dict[str, str], list[str]]:
    """Find the model, and its complete members with the grid of each; say what was decided."""
    wanted = table[table["experiment_id"].isin(experiments)]
    wanted = wanted[wanted["table_id"] == wanted["variable_id"].map(TABLES)]
    models = sorted(wanted["source_id"].unique()) if model is None else [model]
    text = " and ".join(experiments)
    faults = []
    for name in models:
        own = wanted[wanted["source_id"] == name]
        complete: dict[str, str] = {}
        fault = f"nothing for {text}"
        for member in members or sorted(own["member_id"].unique(), key=natural_order):
            grid, absent = _best_grid(own[own["member_id"] == member], experiments)
            if grid is not None:
                complete[member] = grid
            else:
                fault = f"{member} lacks {', '.join(absent)}"
                if members:
                    complete = {}
                    break
        if complete or (model and (complete := _partial(own, experiments, members))):
            return name, *_one_ensemble(complete, named=bool(members))
        faults.append(f"{name}: {fault}")
    more = f" and {len(faults) - _MODELS_SHOWN} more" if len(faults) > _MODELS_SHOWN else ""
    raise DataError(
        f"no model of the catalogue has a run of {text} with all that all chapters need. "
        + ("; ".join(faults[:_MODELS_SHOWN]) + more + ". " if faults else "")
        + _alternatives(table, model, experiments)
        + "Set model, experiments and members of the entry in catalog.yml: a model that is named "
        "there is read with what it has"
    )


def _alternatives(table: pd.DataFrame, model: str | None, experiments: Sequence[str]) -> str:
    """Say which model or experiment there is, where one that was asked for is not there."""
    if model is not None:
        if model not in set(table["source_id"]):
            return f"It has no model {model}; {suggestion(model, _names(table['source_id']))}. "
        table = table[table["source_id"] == model]
    known = _names(table["experiment_id"])
    absent = [name for name in experiments if name not in known]
    whose = "It" if model is None else model
    return "".join(f"{whose} has no experiment {n}; {suggestion(n, known)}. " for n in absent)


def _names(column: Iterable) -> list[str]:
    return sorted({str(name) for name in column})


def _physics(member: str) -> str:
    """Return the physics and forcing of a member, such as p1f1; empty if its name has none."""
    found = _PHYSICS.search(member)
    return found[0] if found else ""


def _one_ensemble(complete: dict[str, str], *, named: bool) -> tuple[dict[str, str], list[str]]:
    """Keep the members of one physics and forcing, unless they were named one by one."""
    groups: dict[str, list[str]] = {}
    for member in complete:
        groups.setdefault(_physics(member), []).append(member)
    if len(groups) == 1:
        return complete, []
    if named:
        return complete, [
            f"the members that were named differ in physics or forcing ({', '.join(groups)}): "
            "their spread is not that of internal variability alone"
        ]
    # the most members; of equally many, the first
    taken = max(groups, key=lambda group: len(groups[group]))
    others = [member for group, own in groups.items() if group != taken for member in own]
    note = (
        f"only members of {taken} were read; {', '.join(others)} have other physics or forcing "
        "and are no members of the same ensemble: name the members in catalog.yml to choose"
    )
    return {member: complete[member] for member in groups[taken]}, [note]


def _partial(
    own: pd.DataFrame, experiments: Sequence[str], members: Sequence[str]
) -> dict[str, str]:
    """Find the members that have most of what chapters need, with the grid of each."""
    found: dict[str, tuple[int, str]] = {}
    for member in members or sorted(own["member_id"].unique(), key=natural_order):
        of_member = own[own["member_id"] == member]
        for grid in sorted(of_member["grid_label"].unique(), key=lambda g: (g != "gn", g)):
            on_grid = of_member[of_member["grid_label"] == grid]
            count = int(on_grid["variable_id"].isin(_in_all(on_grid, experiments)).sum())
            if count > found.get(member, (0, ""))[0]:
                found[member] = count, grid
    if members and len(found) < len(members):
        return {}
    most = max((count for count, _ in found.values()), default=0)
    return {m: grid for m, (count, grid) in found.items() if members or count == most}


def _in_all(own: pd.DataFrame, experiments: Sequence[str]) -> set[str]:
    """Return the variables that chapters need and that every experiment has."""
    needed = own[own["variable_id"].isin([*REQUIRED, *WATER])]
    count = needed.groupby("variable_id")["experiment_id"].nunique()
    return set(count.index[count == len(experiments)])


def _best_grid(own: pd.DataFrame, experiments: Sequence[str]) -> tuple[str | None, list[str]]:
    """Return the grid on which every experiment has every variable, or what is missing."""
    absent = ["everything"]
    for grid in sorted(own["grid_label"].unique(), key=lambda label: (label != "gn", label)):
        on_grid = own[own["grid_label"] == grid]
        found = [
            lacking(list(on_grid.loc[on_grid["experiment_id"] == e, "variable_id"]))
            for e in experiments
        ]
        if not any(found):
            return grid, []
        absent = [
            f"{what} ({e})" for e, some in zip(experiments, found, strict=True) for what in some
        ]
    return None, absent


def _rows(own: pd.DataFrame, grid: str, experiments: Sequence[str], member: str) -> pd.DataFrame:
    """Return a member's rows in the order of the experiments, of each variable on one grid."""
    rows = own[(own["member_id"] == member) & own["experiment_id"].isin(experiments)]
    rows = rows[rows["table_id"] == rows["variable_id"].map(TABLES)]
    label = {name: grid for name in rows["variable_id"]}
    for name in ANY_GRID:
        labels = _names(rows.loc[rows["variable_id"] == name, "grid_label"])
        label[name] = grid if grid in labels or not labels else labels[0]
    rows = rows[rows["grid_label"] == rows["variable_id"].map(label)]
    whole = _in_all(rows, experiments)
    rows = rows[~rows["variable_id"].isin([*REQUIRED, *WATER]) | rows["variable_id"].isin(whole)]
    order = rows["experiment_id"].map({e: i for i, e in enumerate(experiments)})
    return rows.assign(order=order).sort_values("order", kind="stable")


def _open_all(rows: pd.DataFrame, notes: list[str]) -> list[Piece]:
    """Open stores; of an optional variable that can't be opened, none."""
    pieces: list[Piece] = []
    absent: set[str] = set()
    for row in rows.itertuples():
        try:
            pieces.append(_open(row))
        except DataError as error:
            if row.variable_id not in (*OPTIONAL, "sftgif"):
                raise
            notes.append(f"{row.variable_id} is left out: {error}")
            absent.add(row.variable_id)
    return [piece for piece in pieces if not any(name in piece for name in absent)]


def _open(row) -> Piece:
    if row.kind not in KINDS:
        raise DataError(
            f"{row.path} has the format '{row.kind}' in the catalogue; {', '.join(KINDS)} are read"
        )
    if row.kind.startswith("zarr"):
        raw = open_store(row.path, row.member_id, row.variable_id)
    else:
        raw = open_piece(row.path, row.member_id).raw
    return Piece(row.path, row.member_id, raw, row.experiment_id)
