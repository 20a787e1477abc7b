"""Open an intake-esm catalogue together with the table beside it."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mpcf.data.readers.files import is_remote
from mpcf.errors import DataError, Unreachable

if TYPE_CHECKING:
    import intake_esm


def open_catalogue(place: str) -> intake_esm.esm_datastore:
    """
    Return a catalogue with its table.

    A relative path of the table starts at the catalogue. intake-esm 2025.12.12 first looks in the
    working directory, and reads another catalogue's table there without a word.

    Parameters
    ----------
    place : str
        Path or address of the catalogue (json).

    Returns
    -------
    intake_esm.esm_datastore
        The catalogue.

    Raises
    ------
    DataError
        If it is not such a catalogue.
    FileNotFoundError
        If there is no such catalogue.
    Unreachable
        If its address gives no answer.
    """
    import intake_esm

    table = "" if is_remote(place) else table_file(place)
    try:
        if not table or "://" in table:
            return intake_esm.esm_datastore(place)
        document = _document(place) | {"catalog_file": table}
        return intake_esm.esm_datastore({"esmcat": document, "df": _frame(table)})
    except Exception as error:
        if is_remote(place):
            raise Unreachable(f"the catalogue {place} can't be read: {error}") from error
        raise DataError(f"{place} is not an intake-esm catalogue: {error}") from error


def table_file(place: str) -> str:
    """
    Return where the table of a catalogue on disk is.

    Parameters
    ----------
    place : str
        Path of the catalogue.

    Returns
    -------
    str
        An absolute path or an address; empty if the catalogue contains the table.

    Raises
    ------
    DataError
        If it is not a catalogue, or its table is not there.
    FileNotFoundError
        If there is no such catalogue.
    """
    name = _document(place).get("catalog_file") or ""
    name = os.path.expanduser(name.removeprefix("file://"))
    if not name or "://" in name:
        return name
    path = Path(place).absolute().parent / name
    if not path.is_file():
        raise DataError(f"the catalogue {place} names the table {path}, which is not there")
    return str(path)


def _document(place: str) -> dict[str, Any]:
    path = Path(place)
    if not path.is_file():
        raise FileNotFoundError(f"there is no catalogue {place}")
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise DataError(f"{place} is not an intake-esm catalogue: {error}") from error
    if not isinstance(document, dict):
        raise DataError(f"{place} is not an intake-esm catalogue: it holds no mapping")
    return document


def _frame(table: str) -> Any:
    import pandas as pd

    return pd.read_parquet(table) if table.endswith(".parquet") else pd.read_csv(table)
