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
from collections.abc import Callable
from dataclasses import dataclass, fields
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from mpcf.build import build_dir, project_root

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr

    from mpcf.conventions.fields import Piece

CONVENTIONS = ("standard", "cesm", "cmip6", "record")
PHASES = ("warming", "mitigation", "net-zero")

ESM_DRIVER = "intake_esm.core.esm_datastore"
DRIVERS = ("zarr", "netcdf", "opendap", "csv", ESM_DRIVER)

QUICK_MEMBERS, QUICK_ROW, QUICK_COLUMN = 4, 8.0, 10.0
"""Members, and degrees between rows and columns, that a quick look at a source keeps."""

_BUILD, _RECORDS = "{{ BUILD }}/", "{{ RECORDS }}/"
_TEMPLATE = re.compile(
    r"\{\{ ?(BUILD|RECORDS|CATALOG_DIR|env\((?P<variable>[A-Z][A-Z0-9_]*)\)) ?\}\}"
)
# One that YAML takes for a mapping, since it stands without quotes.
_BARE_TEMPLATE = re.compile(r"(?m)^[ -]*(?P<key>\w+:) +(?P<text>\{\{[^#\n]*[^#\s])")
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
        ``"standard"``, ``"cesm"``, ``"cmip6"`` or ``"record"``: how the stored data are named and
        counted.
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
    model : str or None
        Of CMIP6: its ``source_id``; None takes the first that has what the book needs.
    experiments, members : tuple of str
        Of CMIP6: its experiments in their order in time; its members, all if there are none.
    catalogue : str
        Of CMIP6: the environment variable, as a template, that names another catalogue.
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
    model: str | None = None
    experiments: tuple[str, ...] = ()
    members: tuple[str, ...] = ()
    catalogue: str = ""


_METADATA = [part.name for part in fields(Source) if part.name not in ("name", "description")]


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
        For a first look. Of data that this book makes, the small ensemble; of any other source
        its first four members, on rows and columns thinned to no finer than 8° by 10°.

    Returns
    -------
    Dataset
        Dims ``member, time, depth, lat, lon``, dask-backed. Its attributes ``mpcf_source`` and
        ``is_synthetic`` (``"true"`` or ``"false"``) say what it is. It is synthetic if the entry
        or the stored attribute ``mpcf_synthetic`` says so. What a reader had to decide stands in
        ``mpcf_notes``, a line each.

    Raises
    ------
    UnknownSource
        If the catalogue has no such source.
    SourceUnavailable
        If the data are not there or can't be read; the message says what to do.
    mpcf.checks.DataError
        If raw model output can't be read in one right way; the message names the file, the
        variable and the member.
    """
    source = entry(name)
    match source.convention:
        case "record":
            raise UnknownSource(
                f"'{name}' is a record, no monthly source: use open_record('{name}')"
            )
        case "standard":
            dataset = _open_standard(name, quick)
        case "cesm":
            dataset = _open_raw(name, lambda: _open_cesm(source))
        case "cmip6":
            dataset = _open_raw(name, lambda: _open_cmip6(source))
        case other:
            raise CatalogError(
                f"entry '{name}' has the convention '{other}'; known are {', '.join(CONVENTIONS)}"
            )
    if quick and not _is_made_here(name):
        dataset = _thin(dataset)
    synthetic = source.is_synthetic or dataset.attrs.get("mpcf_synthetic") == "true"
    return dataset.assign_attrs(mpcf_source=name, is_synthetic=str(synthetic).lower())


def _open_standard(name: str, quick: bool) -> xr.Dataset:
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
    return dataset


def _open_raw(name: str, read: Callable[[], Any]) -> Any:
    from mpcf.conventions.places import Unreachable

    try:
        return read()
    except SourceUnavailable:
        raise
    except FileNotFoundError as error:
        raise SourceUnavailable(
            f"the data of '{name}' are not there: {error}; correct its place in catalog.yml, or "
            "the environment variable that names it"
        ) from error
    except Unreachable as error:
        raise SourceUnavailable(_why_unreachable(name, error)) from error
    except OSError as error:
        raise SourceUnavailable(f"the data of '{name}' can't be read: {error}") from error


def _why_unreachable(name: str, error: OSError) -> str:
    """Word why a place on the network gave nothing, by the first cause, and what may help."""
    text, cause = f"the data of '{name}' can't be read: {error}", error.__cause__
    if cause is None:
        return text
    if text.endswith(f": {cause}"):
        text = text.removesuffix(f"{cause}")
        while cause.__cause__:
            cause = cause.__cause__
        text += getattr(cause, "strerror", None) or str(cause)
    advice = "see whether this machine reaches that address"
    if template := _TEMPLATE.fullmatch(entry(name).catalogue):
        advice += f", or let {template['variable']} name a catalogue that it reaches"
    return f"{text}; {advice}"


def _open_cesm(source: Source) -> xr.Dataset:
    from mpcf.conventions import cesm, places

    place, kwargs = _cesm_place(source)
    return cesm.read(places.open_members(place, cesm.is_wanted, kwargs))


def _first_cesm(source: Source) -> Piece:
    from mpcf.conventions import cesm, places

    place, kwargs = _cesm_place(source)
    member, paths = next(iter(places.member_files(place, cesm.is_wanted).items()))
    return places.open_piece(paths[0], member, kwargs)


def _cesm_place(source: Source) -> tuple[str, dict[str, str]]:
    """Where a source's history files are, and how its entry says that they are opened."""
    from mpcf.conventions.places import LAYOUT

    template = _TEMPLATE.match(_urlpath(source.name))
    variable = template and template["variable"]
    if variable and not os.environ.get(variable):
        raise SourceUnavailable(
            f"{variable} is not set. To use '{source.name}', set {variable} to the folder of its "
            f"data ({LAYOUT}), to the address of an http listing of such a folder, or to a "
            "manifest (CSV: member, variable, url); and set the phases of "
            f"'{source.name}' in catalog.yml: the first and last year of {', '.join(PHASES)}"
        )
    reader = _intake_source(source.name).reader
    kwargs = {key: value for key, value in reader.kwargs.items() if key == "engine"}
    return reader.kwargs["args"][0].url, kwargs


def _open_cmip6(source: Source) -> xr.Dataset:
    from mpcf.conventions import cmip6, esm

    return cmip6.read(*esm.open_runs(*_cmip6_runs(source)))


def _first_cmip6(source: Source) -> Piece:
    from mpcf.conventions import esm

    return esm.open_one(*_cmip6_runs(source))


def _cmip6_runs(source: Source) -> tuple[str, str | None, tuple[str, ...], tuple[str, ...]]:
    """Address of a source's catalogue, and which runs of it are meant."""
    if not source.experiments:
        raise CatalogError(f"entry '{source.name}' needs 'experiments' in its metadata")
    place = _read_catalogue()[source.name]["args"]["obj"]
    if template := _TEMPLATE.fullmatch(source.catalogue):
        place = os.environ.get(template["variable"] or "") or place
    place = place.replace("{{ CATALOG_DIR }}", str(project_root()))
    if template := _TEMPLATE.match(place):
        place = os.environ.get(template["variable"] or "", "") + place[template.end() :]
    return place, source.model, source.experiments, source.members


def _is_marked(piece: Piece) -> bool:
    from mpcf.conventions.fields import own_attributes

    return "mpcf_synthetic" in own_attributes([piece])


def _is_made_here(name: str) -> bool:
    arguments = _read_catalogue()[name]["args"]
    return arguments.get("urlpath", "").startswith(_BUILD)


def _thin(dataset: xr.Dataset) -> xr.Dataset:
    """Keep the first members, and rows and columns that are not closer than those of a quick run.

    A cell that is kept stands for its block of neighbours and has the area of all of them.
    """
    import numpy as np

    members = dataset.isel(member=slice(0, QUICK_MEMBERS))
    step = {
        dim: max(round(apart / abs(float(np.median(np.diff(members[dim].values))))), 1)
        for dim, apart in (("lat", QUICK_ROW), ("lon", QUICK_COLUMN))
    }
    if max(step.values()) == 1:
        return members
    middle = {d: slice(n // 2, members.sizes[d] // n * n, n) for d, n in step.items()}
    thin = members.isel(middle)
    whole = members["areacella"].transpose("lat", "lon").values
    rows, columns = (thin.sizes[d] * n for d, n in step.items())
    blocks = whole[:rows, :columns].reshape(thin.sizes["lat"], step["lat"], -1, step["lon"])
    area = thin["areacella"].transpose("lat", "lon").copy(data=blocks.sum(axis=(1, 3)))
    note = f"a quick look: every {step['lat']}. row and {step['lon']}. column"
    notes = [*dataset.attrs.get("mpcf_notes", "").splitlines(), note]
    return thin.assign(areacella=area).assign_attrs(mpcf_notes="\n".join(notes))


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
    source = entry(name)
    if source.is_synthetic:
        return True
    # of raw output one file tells, and opening all of them would take long
    if source.convention == "cesm":
        return _open_raw(name, lambda: _is_marked(_first_cesm(source)))
    if source.convention == "cmip6":
        return _open_raw(name, lambda: _is_marked(_first_cmip6(source)))
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
    return f"the catalogue has no entry {name!r}; {_nearest(name, names)}"


def _nearest(name: object, names: list[str]) -> str:
    near = difflib.get_close_matches(str(name), names, n=3, cutoff=0.5)
    return f"did you mean {' or '.join(near)}?" if near else f"known are {', '.join(names)}"


def _read_catalogue() -> dict[str, dict]:
    """Read and check catalog.yml; give its entries by name."""
    import yaml
    from intake.catalog.exceptions import DuplicateKeyError
    from intake.utils import yaml_load

    path = project_root() / "catalog.yml"
    text = path.read_text(encoding="utf-8")
    try:
        document = yaml_load(text)
    except (yaml.YAMLError, DuplicateKeyError, TypeError) as error:
        if bare := _BARE_TEMPLATE.search(text):
            line = 1 + text.count("\n", 0, bare.start())
            raise CatalogError(
                f"{path}, line {line}: a text that begins with a template must stand in quotes: "
                f'{bare["key"]} "{bare["text"]}"'
            ) from error
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
    place = "obj" if raw["driver"] == ESM_DRIVER else "urlpath"
    if not isinstance(raw["args"].get(place), str):
        raise CatalogError(f"{where} needs one '{place}'")
    for text in _texts(raw):
        template = _TEMPLATE.match(text)
        rest = text[template.end() :] if template else text
        if any(mark in rest for mark in ("{{", "}}", "{%", "{#")):
            raise CatalogError(
                f"{where} holds the template {text!r}; a text may only begin with {{{{ BUILD }}}}, "
                "{{ RECORDS }}, {{ CATALOG_DIR }} or {{ env(NAME) }}"
            )
    for text in _texts(raw["args"]) + _texts((raw.get("metadata") or {}).get("catalogue")):
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
    for key in ("experiments", "members"):
        names = meta.pop(key, None) or []
        if not isinstance(names, list) or not all(isinstance(n, str) for n in names):
            raise CatalogError(f"'{key}' of entry '{name}' must be a list of names")
        meta[key] = tuple(names)
    for key in meta:
        if key not in _METADATA:
            near = _nearest(key, _METADATA)
            raise CatalogError(f"metadata of '{name}' can't hold {key!r}; {near}")
    try:
        return Source(name=name, description=raw["description"], phases=phases, **meta)
    except (KeyError, TypeError) as error:
        raise CatalogError(f"entry '{name}' lacks metadata: {error}") from error


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
        f"phases of '{name}' are {raw}; give in catalog.yml the first and last year of "
        f"{', '.join(PHASES)}, by these names, each beginning in the year after the one before. "
        "The chapters compare all three: a run that lacks one can't be their source"
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
    if _is_made_here(name):
        command = ".venv/bin/python -m mpcf simulate" + (" --quick" if quick else "")
        return f"{reason}; make them with: {command} (make book does it too)"
    return f"{reason}; correct its urlpath in catalog.yml"


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
