"""Find the complete runs in an intake-esm catalogue, and open their stores."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urljoin

import xarray as xr

from mpcf.data.readers.cmip6 import REQUIRED, TABLES, WATER, lacking
from mpcf.data.readers.fields import Piece
from mpcf.data.readers.files import is_remote, natural_order
from mpcf.data.variables import MAPS
from mpcf.errors import DataError, Unreachable

if TYPE_CHECKING:
    import pandas as pd


_COLUMNS = (*("source_id", "experiment_id", "member_id", "table_id", "variable_id", "grid_label"),)
_MODELS_SHOWN = 8


def open_runs(
    place: str, model: str | None, experiments: Sequence[str], members: Sequence[str]
) -> tuple[dict[str, list[Piece]], list[Piece]]:
    """
    Open the runs of a model through intake-esm.

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
        ``member_id``; if empty, all complete members.

    Returns
    -------
    members : dict of str to list of Piece
        Member → its open stores, in the order of the experiments.
    fixed : list of Piece
        Open stores of cell area, land and ice fraction.

    Raises
    ------
    DataError
        If no run has all that the book needs; the message says what is missing.
    Unreachable
        If the catalogue or a store can't be reached.
    """
    chosen = _select(place, model, experiments, members)
    opened = {
        member: [_open(path, member, chosen.is_zarr) for path in paths]
        for member, paths in chosen.members.items()
    }
    return opened, [_open(path, "fx", chosen.is_zarr) for path in chosen.fixed]


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
    member, paths = next(iter(chosen.members.items()))
    return _open(paths[0], member, chosen.is_zarr)


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
        The catalogue, its table, and the stores and files of the chosen runs; for a catalogue or
        table on the network, only its address.

    Raises
    ------
    DataError
        If no run has all that the book needs; the message says what is missing.
    FileNotFoundError
        If there is no such catalogue.
    """
    if is_remote(place):
        return [place]
    if "://" in (table := _table_file(place)):
        return [place, table]
    chosen = _select(place, model, experiments, members)
    stores = [path for paths in chosen.members.values() for path in paths]
    return [place, *([table] if table else []), *stores, *chosen.fixed]


def _table_file(place: str) -> str:
    """Return the path of a catalogue's table on disk; empty if the catalogue contains it."""
    path = Path(place)
    if not path.is_file():
        raise FileNotFoundError(f"there is no catalogue {place}")
    try:
        name = json.loads(path.read_text(encoding="utf-8")).get("catalog_file") or ""
    except (ValueError, AttributeError) as error:
        raise DataError(f"{place} is not an intake-esm catalogue: {error}") from error
    if not name or "://" in name:
        return name
    return str(Path(name).absolute() if Path(name).exists() else path.absolute().parent / name)


@dataclass(frozen=True)
class _Selection:
    """Paths of the chosen runs."""

    members: dict[str, list[str]]
    fixed: list[str]
    is_zarr: bool


def _select(
    place: str, model: str | None, experiments: Sequence[str], members: Sequence[str]
) -> _Selection:
    table, column, is_zarr = _table(place)
    chosen, complete = _choose(table, model, experiments, members)
    own = table[(table["source_id"] == chosen)]
    found: dict[str, list[str]] = {}
    for member in sorted(complete, key=natural_order):
        rows = _rows(own, complete[member], experiments, member)
        found[member] = [_absolute(path, place) for path in rows[column]]
    maps = own[(own["table_id"] == "fx") & own["variable_id"].isin(MAPS)]
    near = maps.assign(far=~maps["experiment_id"].isin(experiments)).sort_values("far")
    first = near.drop_duplicates(["variable_id", "grid_label"])
    return _Selection(found, [_absolute(path, place) for path in first[column]], is_zarr)


def _table(place: str) -> tuple[pd.DataFrame, str, bool]:
    """Read a catalogue: its rows, the column of the paths, and whether they are Zarr."""
    import intake_esm

    if not is_remote(place) and not Path(place).is_file():
        raise FileNotFoundError(f"there is no catalogue {place}")
    try:
        catalogue = intake_esm.esm_datastore(place)
        table = catalogue.df
        assets = catalogue.esmcat.assets
        column, kind = assets.column_name, str(getattr(assets.format, "value", assets.format))
    except Exception as error:
        if is_remote(place):
            raise Unreachable(f"the catalogue {place} can't be read: {error}") from error
        raise DataError(f"{place} is not an intake-esm catalogue: {error}") from error
    if absent := [name for name in (*_COLUMNS, column) if name not in table.columns]:
        raise DataError(f"the catalogue {place} has no column {', '.join(absent)}")
    table = table.dropna(subset=[*_COLUMNS, column])
    if "version" in table.columns:
        table = table.sort_values("version", kind="stable")
        if kind == "zarr":
            table = table.drop_duplicates(list(_COLUMNS), keep="last")
    return table, column, kind == "zarr"


def _choose(
    table: pd.DataFrame, model: str | None, experiments: Sequence[str], members: Sequence[str]
) -> tuple[str, dict[str, str]]:
    """Find the model, and its complete members with the grid of each."""
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
            return name, complete
        faults.append(f"{name}: {fault}")
    more = f" and {len(faults) - _MODELS_SHOWN} more" if len(faults) > _MODELS_SHOWN else ""
    raise DataError(
        f"no model of the catalogue has a run of {text} with all that all chapters need. "
        + ("; ".join(faults[:_MODELS_SHOWN]) + more if faults else "It has no such experiment")
        + ". Set model, experiments and members of the entry in catalog.yml: a model that is named "
        "there is read with what it has"
    )


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
    rows = own[(own["member_id"] == member) & own["experiment_id"].isin(experiments)]
    rows = rows[rows["table_id"] == rows["variable_id"].map(TABLES)]
    rows = rows[
        (rows["grid_label"] == grid)
        | (rows["table_id"] == "mpcf")
        | (rows["variable_id"] == "co2mass")
    ]
    whole = _in_all(rows, experiments)
    rows = rows[~rows["variable_id"].isin([*REQUIRED, *WATER]) | rows["variable_id"].isin(whole)]
    order = rows["experiment_id"].map({e: i for i, e in enumerate(experiments)})
    return rows.assign(order=order).sort_values("order", kind="stable")


def _absolute(path: str, place: str) -> str:
    """Return a store's address; a relative path starts at the catalogue."""
    if "://" in path or path.startswith("/"):
        if is_remote(place) and not path.startswith(("http://", "https://", "gs://", "s3://")):
            raise DataError(f"the catalogue {place} leads to '{path}', which is not on its network")
        return path
    if ".." in path.split("/"):
        raise DataError(f"the catalogue {place} contains a path with '..': {path}")
    return urljoin(place, path) if is_remote(place) else str(Path(place).absolute().parent / path)


def _open(path: str, member: str, is_zarr: bool) -> Piece:
    if not is_zarr:
        from mpcf.data.readers.files import open_piece

        return open_piece(path, member)
    return Piece(path, member, open_store(path, member))


def open_store(path: str, member: str) -> xr.Dataset:
    """
    Return a Zarr store with consolidated metadata: lazy, with times not decoded.

    Parameters
    ----------
    path : str
        Path or address of the store.
    member : str
        Member that it belongs to, for messages.

    Returns
    -------
    Dataset
        Its contents.

    Raises
    ------
    DataError
        If it is damaged.
    Unreachable
        If its address gives no answer.
    """
    options = {"token": "anon"} if path.startswith("gs://") else {}
    options = {"anon": True} if path.startswith("s3://") else options
    try:
        return xr.open_dataset(
            path,
            engine="zarr",
            chunks=None,
            cache=False,
            decode_times=False,
            decode_coords=False,
            consolidated=True,
            storage_options=options or None,
        )
    except Exception as error:
        text = f"the store {path} (member {member}) can't be opened: {error}"
        raise (Unreachable(text) if "://" in path else DataError(text)) from error
