"""Read the table of an intake-esm catalogue of CMIP6 or CMIP7 in one form."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urljoin

from mpcf.data.readers.cmip6 import TABLES
from mpcf.data.readers.esm_tables import open_catalogue
from mpcf.data.readers.files import is_remote, natural_order
from mpcf.data.variables import MAPS, MONTHLY
from mpcf.errors import DataError

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = ("source_id", "experiment_id", "member_id", "table_id", "variable_id", "grid_label")
"""Columns that a catalogue must have, beside the one with the paths."""

KINDS = ("netcdf", "opendap", "zarr", "zarr2", "zarr3")
"""Formats of a catalogue that can be opened."""

BRANDS = {
    **dict.fromkeys(("gpp", "ra", "rh", "snd", "cSoil", "cVeg"), "tavg-u-hxy-lnd"),
    **dict.fromkeys(("tsl", "mrsll", "mrsfl", "mrsol"), "tavg-sl-hxy-lnd"),
    "tas": "tavg-h2m-hxy-u",
    "pr": "tavg-u-hxy-u",
    "co2mass": "tavg-u-hm-u",
    **dict.fromkeys(MAPS, "ti-u-hxy-u"),
}
"""Variable → branding suffix of CMIP7 with which it is read (doi 10.5281/zenodo.17250297): monthly
means over the land or the whole cell, maps independent of time."""

_SUFFIX = r"\w+-\w+-\w+-\w+"
_REALMS = ("aerosol", "atmos", "atmosChem", "land", "landIce", "ocean", "ocnBgchem", "seaIce")


ADDRESS = "address"
"""Column of an exported catalogue from which intake-esm opens stores. Paths from the catalogue are
beside it, in ``zstore``, and still lead there when the folder has been moved."""


def read_table(place: str) -> pd.DataFrame:
    """
    Read a catalogue.

    CMIP7 has no tables such as Lmon: a variable is identified by its branding suffix, frequency and
    region. Rows of CMIP7 get the table that CMIP6 has for the same variable.

    Parameters
    ----------
    place : str
        Path or address of the catalogue (json).

    Returns
    -------
    DataFrame
        A row for each store or file, with `COLUMNS`, ``path`` (absolute, or an address), ``kind``
        (of `KINDS`), ``version`` (as written; empty where there is none) and ``age`` (a larger
        number for a newer version).

    Raises
    ------
    DataError
        If it is not such a catalogue, or lacks a column; the message says which.
    FileNotFoundError
        If there is no such catalogue.
    Unreachable
        If its address gives no answer.
    """
    catalogue = open_catalogue(place)
    table, assets = catalogue.df, catalogue.esmcat.assets
    table = _with_tables(table.rename(columns=_aliases(table.columns)), place)
    paths = assets.column_name
    if paths == ADDRESS and "zstore" in table.columns:
        paths = "zstore"
    needed = [*COLUMNS, paths]
    if assets.format_column_name:
        needed.append(assets.format_column_name)
    if absent := [name for name in needed if name not in table.columns]:
        raise DataError(
            f"the catalogue {place} has no column {', '.join(absent)}; it needs "
            f"{', '.join(needed)}, and 'version' where there are several"
        )
    table = table.dropna(subset=needed)
    kinds = table[assets.format_column_name] if assets.format_column_name else assets.format.value
    versions = table["version"] if "version" in table.columns else ""
    table = table[list(COLUMNS)].assign(
        path=[_absolute(str(path), place) for path in table[paths]],
        kind=kinds,
        version=versions,
    )
    table["version"] = table["version"].fillna("").astype(str).str.removesuffix(".0")
    ages = {version: age for age, version in enumerate(sorted(set(table["version"]), key=_age))}
    table["kind"] = table["kind"].astype(str).str.lower()
    table = table.assign(age=table["version"].map(ages)).sort_values(["path", "age"])
    return table.drop_duplicates([*COLUMNS, "path"], keep="last", ignore_index=True)


def _age(version: str) -> list[tuple[int, str]]:
    """Return the key that sorts versions: none is the oldest, 'v20191108' is 20191108."""
    return natural_order(version.removeprefix("v")) if version else []


def _aliases(columns: Iterable[str]) -> dict[str, str]:
    return {} if "member_id" in columns else {"variant_label": "member_id"}


def _with_tables(table: pd.DataFrame, place: str) -> pd.DataFrame:
    """Give rows of CMIP7 the table of CMIP6 that holds the same variable."""
    if "variable_id" not in table.columns:
        return table
    parts = table["variable_id"].astype(str).str.partition("_")
    brand = parts[2].where(parts[2].str.fullmatch(_SUFFIX), "")
    if "branding_suffix" in table.columns:
        brand = brand.where(brand != "", table["branding_suffix"].fillna("").astype(str))
    branded = brand != ""
    if not branded.any():
        if "table_id" in table.columns and set(table["table_id"].dropna()) & set(_REALMS):
            raise DataError(
                f"the tables of the catalogue {place} ("
                f"{', '.join(sorted(set(table['table_id'].dropna().astype(str))))}) are those of "
                "CMIP7, where a variable is identified by its branding suffix: add the columns "
                "branding_suffix (such as tavg-h2m-hxy-u) and frequency"
            )
        return table
    if "frequency" not in table.columns:
        raise DataError(
            f"the catalogue {place} has variables of CMIP7 such as "
            f"{parts[0][branded].iloc[0]}_{brand[branded].iloc[0]}, but no column 'frequency': "
            "monthly and daily means can't be distinguished without it"
        )
    tables = TABLES | {name: MONTHLY[name].table for name in MAPS}
    wanted = parts[0].map(BRANDS) == brand
    wanted &= table["frequency"] == parts[0].isin(MAPS).map({True: "fx", False: "mon"})
    if "region" in table.columns:
        wanted &= table["region"].astype(str).str.lower() == "glb"
    table = table.assign(
        variable_id=table["variable_id"].mask(branded, parts[0]),
        table_id=parts[0].map(tables).where(branded, table.get("table_id")),
    )
    return table[wanted | ~branded]


def _absolute(path: str, place: str) -> str:
    """Return a store's address; a relative path starts at the catalogue."""
    local = os.path.expanduser(path.removeprefix("file://"))
    if local.startswith("/"):
        if is_remote(place):
            raise DataError(f"the catalogue {place} leads to '{path}', which is not on its network")
        return local
    if "://" in path:
        if is_remote(place) and not path.startswith(("http://", "https://", "gs://", "s3://")):
            raise DataError(f"the catalogue {place} leads to '{path}', which is not on its network")
        return path
    if ".." in re.split(r"[/\\]", path):
        raise DataError(f"the catalogue {place} contains a path with '..': {path}")
    return urljoin(place, path) if is_remote(place) else str(Path(place).absolute().parent / path)
