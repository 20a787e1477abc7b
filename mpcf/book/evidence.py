"""Read the kept results of the long simulations in ``evidence/``."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from mpcf.errors import MissingFile
from mpcf.folders import project_root


def path(name: str) -> Path:
    """Return the file that keeps a piece of evidence.

    Parameters
    ----------
    name : str
        Such as ``"sizes"``.

    Returns
    -------
    Path
        ``evidence/<name>.csv`` of the book's folder; this call does not make it.
    """
    return project_root() / "evidence" / f"{name}.csv"


def read(name: str) -> pd.DataFrame:
    """Read a piece of evidence.

    Parameters
    ----------
    name : str
        Such as ``"sizes"``, the false alarms of tests and the coverage of intervals.

    Returns
    -------
    DataFrame
        As it was written.

    Raises
    ------
    MissingFile
        If it is not kept; the message says what makes it.
    """
    file = path(name)
    if not file.is_file():
        raise MissingFile(
            f"{file} is not there; make it with: python -m evidence {name.partition('-')[0]}"
        )
    return pd.read_csv(file)
