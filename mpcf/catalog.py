"""Open the book's data by name: monthly ensembles and small real records.

``catalog.yml`` says where each source's data are; Intake and intake-xarray open them. Intake
renders templates with plain Jinja and imports any driver that an entry names, so the file is
checked against short lists of what may stand in it before Intake sees it.
"""

from __future__ import annotations

import difflib
import hashlib
import os
import re
import warnings
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from mpcf.build import build_dir, project_root

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr

PHASES = ("warming", "mitigation", "net-zero")

DRIVERS = ("zarr", "netcdf", "opendap", "csv")

CESM_LAYOUT = "a folder per member, in it CESM history files CASE.clm2.h0.VARIABLE.YYYYMM-YYYYMM.nc"

_BUILD, _RECORDS = "{{ BUILD }}/", "{{ RECORDS }}/"
_TEMPLATE = re.compile(
    r"\{\{ ?(BUILD|RECORDS|CATALOG_DIR|env\((?P<variable>[A-Z][A-Z0-9_]*)\)) ?\}\}"
)
_CONNECT_AND_READ_SECONDS = (5, 30)


class CatalogError(ValueError):
    """``catalog.yml`` holds something that is wrong or not allowed."""


class UnknownSource(LookupError):
    """No entry of the catalogue has this name."""


class SourceUnavailable(OSError):
    """A source is in the catalogue, but its data can't be opened here."""


class RecordUnavailable(SourceUnavailable):
    """A real record is neither on this machine nor within reach of its network."""


class RecordChanged(ValueError):
    """A record's file is not the one that the catalogue describes."""


@dataclass(frozen=True)
class Source:
    """An entry of the catalogue.

    Attributes
    ----------
    name : str
        Its name.
    description : str
        What the data are, in a sentence.
    convention : str
        ``"standard"``, ``"cesm"`` or ``"record"``: how the stored data are named and counted.
    phases : dict of str to (int, int)
        First and last year of each phase, both inclusive; empty where they are not set.
    citation, licence : str
        Whom to name, and what the data may be used for.
    is_synthetic : bool
        Whether the entry declares the data to be synthetic.
    truth : str or None
        Folder of the twins, from which moisture's true effect is known.
    url, sha256, quirks : str
        Of a record: its public address, the checksum of its file, what a reader must know.
    """

    name: str
    description: str
    convention: str
    phases: dict[str, tuple[int, int]]
    citation: str
    licence: str
    is_synthetic: bool
    truth: str | None = None
    url: str = ""
    sha256: str = ""
    quirks: str = ""


def sources() -> list[str]:
    """Give the names that :func:`open_source` knows."""
    return _names(records=False)


def records() -> list[str]:
    """Give the names that :func:`open_record` knows."""
    return _names(records=True)


def entry(name: str) -> Source:
    """Give an entry of the catalogue, without opening its data.

    Parameters
    ----------
    name : str
        Name of a source or of a record.

    Returns
    -------
    Source
        What the catalogue says of it.

    Raises
    ------
    UnknownSource
        If there is no such entry; the message names the nearest ones.
    CatalogError
        If the catalogue is malformed or holds what is not allowed.
    """
    catalogue = _read_catalogue()
    if name not in catalogue:
        raise UnknownSource(_unknown(name, list(catalogue)))
    return _parse(name, catalogue[name])


def open_source(name: str, *, quick: bool = False) -> xr.Dataset:
    """Open a source as the standard monthly dataset, lazily.

    Parameters
    ----------
    name : str
        Entry of the catalogue, such as ``"demo"``.
    quick : bool, optional
        Whether the small demonstration ensemble is meant.

    Returns
    -------
    Dataset
        Dims ``member, time, depth, lat, lon``, dask-backed. Its attributes ``mpcf_source`` and
        ``is_synthetic`` (``"true"`` or ``"false"``) say what it is. It is synthetic if the entry
        or the stored attribute ``mpcf_synthetic`` says so.

    Raises
    ------
    UnknownSource
        If the catalogue has no such source.
    SourceUnavailable
        If the data are not there or can't be read; the message says what to do.
    """
    source = entry(name)
    if source.convention == "record":
        raise UnknownSource(f"'{name}' is a record, no monthly source: use open_record('{name}')")
    if source.convention == "cesm":
        raise SourceUnavailable(_why_no_cesm(source))
    if quick and not _urlpath(name).startswith(_BUILD):
        raise ValueError(f"'{name}' has no quick version: only data made by this book do")
    import xarray as xr

    # time is always cftime, also where it would fit numpy's datetime64
    coder = xr.coders.CFDatetimeCoder(use_cftime=True)
    reader = _intake_source(name, quick=quick).reader
    try:
        dataset = reader.read(chunks={}, decode_times=coder)
    except FileNotFoundError as error:
        raise SourceUnavailable(_why_missing(name, quick, error)) from error
    except (OSError, ValueError, KeyError) as error:
        raise SourceUnavailable(f"the data of '{name}' can't be read: {error}") from error
    synthetic = source.is_synthetic or dataset.attrs.get("mpcf_synthetic") == "true"
    return dataset.assign_attrs(mpcf_source=name, is_synthetic=str(synthetic).lower())


def is_synthetic(name: str, *, quick: bool = False) -> bool:
    """Tell whether a source is synthetic: its entry says so, or its data do.

    Exported demonstration data keep their mark, whatever an entry claims.

    Parameters
    ----------
    name : str
        Entry of the catalogue.
    quick : bool, optional
        Whether the small demonstration ensemble is meant.

    Returns
    -------
    bool
        Whether its results must be marked as synthetic.
    """
    if entry(name).is_synthetic:
        return True
    return open_source(name, quick=quick).attrs["is_synthetic"] == "true"


def open_record(name: str) -> pd.DataFrame | xr.Dataset:
    """Open a real record as it was published, whole.

    The file is taken from ``$REALDATA_ROOT/<record folder>/<file>`` where that variable is set,
    otherwise from the build folder, into which it is downloaded once. Its checksum is compared
    each time.

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
        If the file is not here and can't be downloaded.
    RecordChanged
        If the file's checksum is not the catalogue's.
    """
    source = entry(name)
    if source.convention != "record":
        raise UnknownSource(_unknown(name, records()))
    root = _records_root()
    path = root / _urlpath(name).removeprefix(_RECORDS)
    if os.environ.get("REALDATA_ROOT"):
        _check_copy(path, source)
    else:
        _fetch(path, source)
    return _intake_source(name).read()


def _names(*, records: bool) -> list[str]:
    catalogue = _read_catalogue()
    return [n for n in catalogue if (_parse(n, catalogue[n]).convention == "record") == records]


def _unknown(name: str, names: list[str]) -> str:
    near = difflib.get_close_matches(name, names, n=3, cutoff=0.5)
    return f"the catalogue has no entry {name!r}; " + (
        f"did you mean {' or '.join(near)}?" if near else f"it has {', '.join(names)}"
    )


def _read_catalogue() -> dict[str, dict]:
    """Read and check catalog.yml; give its entries by name."""
    import yaml
    from intake.catalog.exceptions import DuplicateKeyError
    from intake.utils import yaml_load

    path = project_root() / "catalog.yml"
    try:
        document = yaml_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, DuplicateKeyError) as error:
        raise CatalogError(f"{path} is not plain YAML: {error}") from error
    if not isinstance(document, dict) or not isinstance(document.get("sources"), dict):
        raise CatalogError(f"{path} has no 'sources:' with named entries")
    _only(document, ("metadata", "sources"), str(path))
    if document.get("metadata", {}) != {"version": 1}:
        raise CatalogError(f"{path}: 'metadata' must be {{version: 1}} and nothing else")
    for name, raw in document["sources"].items():
        _check(f"entry '{name}' of {path}", raw)
    return document["sources"]


def _only(mapping: dict, allowed: tuple[str, ...], where: str) -> None:
    if extra := [str(key) for key in mapping if key not in allowed]:
        raise CatalogError(f"{where} has {', '.join(extra)}; allowed are {', '.join(allowed)}")


def _check(where: str, raw: Any) -> None:
    """Refuse an entry that asks Intake for more than opening a file."""
    if not isinstance(raw, dict) or not isinstance(raw.get("args"), dict):
        raise CatalogError(f"{where} must have driver, description, args and metadata")
    _only(raw, ("driver", "description", "args", "metadata"), where)
    if raw.get("driver") not in DRIVERS:
        raise CatalogError(
            f"{where} has driver {raw.get('driver')!r}; allowed are {', '.join(DRIVERS)}"
        )
    if not isinstance(raw["args"].get("urlpath"), str):
        raise CatalogError(f"{where} needs one 'urlpath'")
    for text in _texts(raw):
        template = _TEMPLATE.match(text)
        rest = text[template.end() :] if template else text
        if any(mark in rest for mark in ("{{", "}}", "{%", "{#")):
            raise CatalogError(
                f"{where} holds the template {text!r}; a text may only begin with {{{{ BUILD }}}}, "
                "{{ RECORDS }}, {{ CATALOG_DIR }} or {{ env(NAME) }}"
            )
    for text in _texts(raw["args"]):
        if ".." in re.split(r"[/\\]", text):
            raise CatalogError(f"{where} leads upwards by '..': {text!r}; give the path itself")


def _texts(node: Any) -> list[str]:
    if isinstance(node, dict):
        return [text for pair in node.items() for part in pair for text in _texts(part)]
    if isinstance(node, list):
        return [text for part in node for text in _texts(part)]
    return [node] if isinstance(node, str) else []


def _parse(name: str, raw: dict) -> Source:
    meta = dict(raw.get("metadata") or {})
    phases = _phases(name, meta.pop("phases", None) or {})
    try:
        return Source(name=name, description=raw["description"], phases=phases, **meta)
    except (KeyError, TypeError) as error:
        raise CatalogError(f"entry '{name}' lacks or misnames metadata: {error}") from error


def _phases(name: str, raw: Any) -> dict[str, tuple[int, int]]:
    match raw:
        case dict() if not any(raw.values()) and set(raw) <= set(PHASES):
            return {}
        case {
            "warming": [int(a), int(b)],
            "mitigation": [int(c), int(d)],
            "net-zero": [int(e), int(f)],
        } if a <= b and b + 1 == c <= d and d + 1 == e <= f:
            return {"warming": (a, b), "mitigation": (c, d), "net-zero": (e, f)}
    raise CatalogError(
        f"phases of '{name}' are {raw}; give first and last year of {', '.join(PHASES)}, each "
        "beginning in the year after the one before"
    )


def _urlpath(name: str) -> str:
    return _read_catalogue()[name]["args"]["urlpath"]


def _records_root() -> Path:
    root = os.environ.get("REALDATA_ROOT")
    return Path(root).expanduser().absolute() if root else build_dir("records")


def _intake_source(name: str, *, quick: bool = False) -> Any:
    """Let Intake make the entry's source.

    The catalogue is opened anew each time, since Intake keeps a source with the environment
    variables that it saw first.
    """
    import intake

    places = {"BUILD": build_dir(name, quick), "RECORDS": _records_root()}
    parameters = {
        key: {"description": "a folder", "type": "str", "default": str(place)}
        for key, place in places.items()
    }
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Shell command not executed")
        catalogue = intake.open_catalog(
            str(project_root() / "catalog.yml"), user_parameters=parameters, getshell=False
        )
        return catalogue[name]


def _why_missing(name: str, quick: bool, error: FileNotFoundError) -> str:
    reason = f"the data of '{name}' are not there ({error})"
    if _urlpath(name).startswith(_BUILD):
        command = "python -m mpcf simulate" + (" --quick" if quick else "")
        return f"{reason}; make them with: {command} (make book does it too)"
    return f"{reason}; correct its urlpath in catalog.yml"


def _why_no_cesm(source: Source) -> str:
    variable = _TEMPLATE.match(_urlpath(source.name))["variable"]
    if not os.environ.get(variable):
        return (
            f"{variable} is not set. To use '{source.name}', set {variable} to the folder of its "
            f"data ({CESM_LAYOUT}), and set the phases of '{source.name}' in catalog.yml: the "
            f"first and last year of {', '.join(PHASES)}"
        )
    return (
        f"{variable} is set to {os.environ[variable]}, but this version of mpcf can't read CESM "
        f"history files yet; it reads sources of convention 'standard', such as 'demo'"
    )


def _check_copy(path: Path, source: Source) -> None:
    if not path.is_file():
        raise RecordUnavailable(
            f"the record '{source.name}' is not at {path}; put the file there, let REALDATA_ROOT "
            "name the folder that holds the records' folders, or unset it to download them"
        )
    with path.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != source.sha256:
        raise RecordChanged(
            f"{path} has sha256 {found}, but the record '{source.name}' has {source.sha256}; get "
            f"the file again from {source.url}"
        )


def _fetch(path: Path, source: Source) -> None:
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
        raise RecordChanged(f"what {source.url} gave is not '{source.name}': {error}") from error
    except (requests.RequestException, OSError) as error:
        raise RecordUnavailable(
            f"the record '{source.name}' can't be downloaded from {source.url} "
            f"({type(error).__name__}); set REALDATA_ROOT to a folder that holds "
            f"{PurePosixPath(path.parent.name) / path.name}"
        ) from error
