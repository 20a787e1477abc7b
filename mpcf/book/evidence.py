"""Read the stored results of the long simulations in ``evidence/``."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from mpcf.errors import MissingFile
from mpcf.folders import project_root


def path(name: str) -> Path:
    """Return the path of a table of evidence.

    Parameters
    ----------
    name : str
        Such as ``"sizes"``.

    Returns
    -------
    Path
        ``evidence/<name>.csv`` in the book's folder; the file need not exist.
    """
    return project_root() / "evidence" / f"{name}.csv"


def read(name: str) -> pd.DataFrame:
    """Read a table of evidence.

    Parameters
    ----------
    name : str
        Such as ``"sizes"``: false-alarm rates of tests and coverage of intervals.

    Returns
    -------
    DataFrame
        The table.

    Raises
    ------
    MissingFile
        If it is missing; the message names the command that creates it.
    """
    file = path(name)
    if not file.is_file():
        raise MissingFile(
            f"{file} is not there; make it with: python -m evidence {name.partition('-')[0]}"
        )
    return pd.read_csv(file)
