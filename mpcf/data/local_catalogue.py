"""Write the intake-esm catalogue of a folder with files of CMIP6 or CMIP7."""

from __future__ import annotations

import json
import re
from pathlib import Path

from mpcf.errors import DataError
from mpcf.folders import files_below, write_atomic

FACETS = ("source_id", "experiment_id", "member_id", "table_id", "variable_id", "grid_label")
"""Columns that a catalogue of CMIP6 needs, beside the path."""

BRANDED = ("branding_suffix", "frequency", "region")
"""Columns by which variables of CMIP7 are distinguished as well."""

_VERSION = re.compile(r"/(v\d{8})/")
_ASSETS = "path"


def write_catalogue(folder: Path) -> tuple[Path, int]:
    """
    Write ``catalog.json`` and ``catalog.csv`` into a folder, with a row for each file below it.

    The rows come from the files' global attributes, whose names are the columns, except that
    ``member_id`` is the ``variant_label``, behind the ``sub_experiment_id`` if there is one, and
    ``version`` a folder such as ``v20191108`` in the path. Paths are absolute: write the catalogue
    again if the folder moves.

    Parameters
    ----------
    folder : Path
        Folder of netCDF files of CMIP6 or CMIP7, at any depth.

    Returns
    -------
    path : Path
        The catalogue, as ``args: obj`` of an entry or an environment variable names it.
    count : int
        Number of its files.

    Raises
    ------
    DataError
        If a file lacks an attribute, or there is no file; the message names it.
    FileNotFoundError
        If there is no such folder.
    """
    import pandas as pd

    folder = Path(folder).expanduser().absolute()
    if not folder.is_dir():
        raise FileNotFoundError(f"there is no folder {folder}")
    paths = sorted(path for path in files_below(folder) if path.endswith(".nc"))
    if not paths:
        raise DataError(f"{folder} holds no netCDF files (.nc)")
    table = pd.DataFrame([_row(path) for path in paths])
    columns = [name for name in table.columns if name != _ASSETS]
    catalogue = {
        "esmcat_version": "0.1.0",
        "id": folder.name,
        "description": f"Files of CMIP below {folder}",
        "catalog_file": "catalog.csv",
        "attributes": [{"column_name": name, "vocabulary": ""} for name in columns],
        "assets": {"column_name": _ASSETS, "format": "netcdf"},
        "aggregation_control": {
            "variable_column_name": "variable_id",
            "groupby_attrs": ["source_id", "experiment_id", "table_id", "grid_label"],
            "aggregations": [
                {"type": "union", "attribute_name": "variable_id"},
                {"type": "join_new", "attribute_name": "member_id"},
            ],
        },
    }
    write_atomic(folder / "catalog.csv", table.to_csv(index=False))
    write_atomic(folder / "catalog.json", json.dumps(catalogue, indent=1))
    return folder / "catalog.json", len(table)


def _row(path: str) -> dict[str, str]:
    import netCDF4

    try:
        with netCDF4.Dataset(path) as file:
            attrs = {name: str(file.getncattr(name)) for name in file.ncattrs()}
    except OSError as error:
        raise DataError(f"{path} can't be opened: {error}; get it again") from error
    sub = attrs.get("sub_experiment_id", "none")
    if label := attrs.get("variant_label"):
        attrs["member_id"] = label if sub == "none" else f"{sub}-{label}"
    wanted = (*FACETS, *(BRANDED if "branding_suffix" in attrs else ()))
    if absent := [name for name in wanted if name not in attrs]:
        absent = ["variant_label" if name == "member_id" else name for name in absent]
        raise DataError(
            f"{path} has no global attribute {', '.join(absent)}, as files of CMIP6 and CMIP7 "
            "have; move it elsewhere"
        )
    version = _VERSION.search(path)
    row = {name: attrs[name] for name in wanted}
    return row | {"version": version[1] if version else "", _ASSETS: path}
