"""Small real records: opened, checked, downloaded once, and made tidy."""

from __future__ import annotations

import hashlib
import os
import warnings
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

import numpy as np

from mpcf.data.catalog import (
    RecordSource,
    data_place,
    entry,
    intake_source,
    records,
    unknown_entry,
)
from mpcf.data.places import RECORDS_VARIABLE
from mpcf.errors import RecordChanged, RecordUnavailable

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr


_CONNECT_AND_READ_SECONDS = (5, 30)


def open_record(name: str) -> pd.DataFrame | xr.Dataset:
    """Open a real record as it was published, whole.

    The file is taken from ``$REALDATA_ROOT/<record folder>/<file>`` where that variable is set,
    otherwise from the build folder, into which it is downloaded once. Its checksum is verified each
    time.

    Parameters
    ----------
    name : str
        Entry of the catalogue: ``"clm_cn"`` or ``"toolik"``.

    Returns
    -------
    DataFrame or Dataset
        The file's own columns or variables, names and units.

    Raises
    ------
    UnknownSource
        If the catalogue has no such record.
    RecordUnavailable
        If the file is not on this machine and cannot be downloaded.
    RecordChanged
        If the file's checksum is not the catalogue's.
    """
    source = entry(name)
    if not isinstance(source, RecordSource):
        raise unknown_entry(name, records())
    path = Path(data_place(source))
    if os.environ.get(RECORDS_VARIABLE):
        _check_copy(path, source)
    else:
        _fetch(path, source)
    return intake_source(source).read()


def _check_copy(path: Path, source: RecordSource) -> None:
    if not path.is_file():
        raise RecordUnavailable(
            f"the record '{source.name}' is not at {path}; put the file there, set REALDATA_ROOT "
            "to the folder that holds the records' folders, or unset it to download them"
        )
    with path.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != source.sha256:
        raise RecordChanged(
            f"{path} has sha256 {found}, but the record '{source.name}' has {source.sha256}; get "
            f"the file again from {source.url}"
        )


def _fetch(path: Path, source: RecordSource) -> None:
    import requests

    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="IProgress not found")  # no bar is shown
        import pooch

    pooch.get_logger().setLevel("WARNING")
    try:
        pooch.retrieve(
            source.url,
            known_hash=f"sha256:{source.sha256}",
            path=path.parent,
            fname=path.name,
            downloader=pooch.HTTPDownloader(timeout=_CONNECT_AND_READ_SECONDS),
        )
    except ValueError as error:
        raise RecordChanged(f"the file at {source.url} is not '{source.name}': {error}") from error
    except (requests.RequestException, OSError) as error:
        raise RecordUnavailable(
            f"the record '{source.name}' can't be downloaded from {source.url} "
            f"({type(error).__name__}); set REALDATA_ROOT to a folder that holds "
            f"{PurePosixPath(path.parent.name) / path.name}"
        ) from error


TOOLIK_DEPTHS = {
    "temp.soil.6mm.C": 0.006,
    "temp.soil.80mm.C": 0.087,  # the file's own header gives 8.7 cm
    "temp.soil.160mm.C": 0.16,
    "temp.soil.236mm.C": 0.236,
    "temp.soil.312mm.C": 0.312,
    "temp.soil.387mm.C": 0.387,
    "temp.soil.463mm.C": 0.463,
    "temp.soil.616mm.C": 0.616,
    "temp.soil.768mm.C": 0.768,
    "temp.soil.978mm.C": 0.978,
}
"""Depth, m, of each temperature sensor, by column name."""

TOOLIK_PROBES = ("120mm", "90mm", "280mm.r1", "280mm.r2", "390mm", "680mm")
"""Moisture probes, by the end of their columns' names, in the order of the file."""

MM_PER_INCH = 25.4

CLM_CN_UNITS = {
    "GPP": "PgC yr-1",
    "AR": "PgC yr-1",
    "HR": "PgC yr-1",
    "TSA": "K",
    "D_PREC": "mm day-1",
    "D_TOTSOILLIQ": "mm",
}
"""Units inferred from the size of the values: the file gives none."""


def tidy_clm_cn(raw: xr.Dataset) -> xr.Dataset:
    """Return the six variables of the CLM-CN record that a regression of uptake needs.

    Parameters
    ----------
    raw : Dataset (time)
        As `mpcf.data.records.open_record` returns it.

    Returns
    -------
    Dataset (year)
        ``GPP, AR, HR`` PgC yr-1, ``TSA`` K, ``D_PREC`` mm day-1, ``D_TOTSOILLIQ`` mm, in double
        precision; ``year`` counts from the start of the run.
    """
    tidy = raw[list(CLM_CN_UNITS)].astype(np.float64)
    for name, units in CLM_CN_UNITS.items():
        tidy[name].attrs["units"] = units
    return tidy.assign_coords(time=tidy["time"].dt.year.values).rename(time="year")


def tidy_toolik(raw: pd.DataFrame) -> xr.Dataset:
    """Return the Toolik record's temperature, precipitation and probes by day.

    Parameters
    ----------
    raw : DataFrame
        As `mpcf.data.records.open_record` returns it.

    Returns
    -------
    Dataset (time, depth, probe)
        ``tsl`` (time, depth) °C; ``pr`` (time) mm day-1, the sum of the hours that were measured;
        ``vwc`` (time, probe), what the column called volumetric water content holds, and
        ``permittivity`` (time, probe), the real dielectric permittivity next to it: both as they
        are in the file, errors included.
    """
    import pandas as pd
    import xarray as xr

    time = pd.to_datetime(raw["date"], format="%m/%d/%Y").to_numpy()
    return xr.Dataset(
        {
            "tsl": (("time", "depth"), raw[list(TOOLIK_DEPTHS)].to_numpy(), {"units": "degC"}),
            "pr": (
                "time",
                (raw["precip.in"] * raw["n.avg"] * MM_PER_INCH).to_numpy(),
                {"units": "mm day-1"},
            ),
            "vwc": (("time", "probe"), raw[[f"VWC.{p}" for p in TOOLIK_PROBES]].to_numpy()),
            "permittivity": (("time", "probe"), raw[[f"ER.{p}" for p in TOOLIK_PROBES]].to_numpy()),
        },
        {"time": time, "depth": list(TOOLIK_DEPTHS.values()), "probe": list(TOOLIK_PROBES)},
    )


TIDY = {"clm_cn": tidy_clm_cn, "toolik": tidy_toolik}
