"""Read and check ``catalog.yml``.

Intake renders templates with plain Jinja and imports any driver that an entry names, so the file is
checked against short lists of what may stand in it before Intake sees it.
"""

from __future__ import annotations

import os
import re
import warnings
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from mpcf.data.phases import _phases
from mpcf.errors import CatalogError, UnknownSource, suggestion
from mpcf.folders import build_dir, project_root

CONVENTIONS = ("standard", "cesm", "cmip6", "record")

ESM_DRIVER = "intake_esm.core.esm_datastore"
DRIVERS = ("zarr", "netcdf", "opendap", "csv", ESM_DRIVER)

_BUILD, _RECORDS = "{{ BUILD }}/", "{{ RECORDS }}/"
_TEMPLATE = re.compile(
    r"\{\{ ?(BUILD|RECORDS|CATALOG_DIR|env\((?P<variable>[A-Z][A-Z0-9_]*)\)) ?\}\}"
)
# One that YAML takes for a mapping, since it stands without quotes.
_BARE_TEMPLATE = re.compile(r"(?m)^[ -]*(?P<key>\w+:) +(?P<text>\{\{[^#\n]*[^#\s])")


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
    """Return the names that `mpcf.data.sources.open_source` knows."""
    return _names(records=False)


def records() -> list[str]:
    """Return the names that `mpcf.data.records.open_record` knows."""
    return _names(records=True)


def entry(name: str) -> Source:
    """Return an entry of the catalogue, without opening its data.

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


def _names(*, records: bool) -> list[str]:
    catalogue = _read_catalogue()
    return [n for n in catalogue if (_parse(n, catalogue[n]).convention == "record") == records]


def _unknown(name: str, names: list[str]) -> str:
    return f"the catalogue has no entry {name!r}; {suggestion(name, names)}"


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
            near = suggestion(key, _METADATA)
            raise CatalogError(f"metadata of '{name}' can't hold {key!r}; {near}")
    try:
        return Source(name=name, description=raw["description"], phases=phases, **meta)
    except (KeyError, TypeError) as error:
        raise CatalogError(f"entry '{name}' lacks metadata: {error}") from error


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


RECORDS_VARIABLE = "REALDATA_ROOT"
