"""Put the faults of a catalogue entry into words, and show what a whole one looks like."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel

from mpcf.errors import suggestion

ESM_DRIVER = "intake_esm.core.esm_datastore"
"""Intake's driver of tables of runs and stores."""

BESIDE = ("driver", "description", "args", "metadata")
"""Keys of an entry; what else it has is in its metadata."""

INCOMPLETE = ("missing", "union_tag_not_found")
"""Kinds of faults of entries that lack a key."""

_EXAMPLES: dict[str, tuple[str, dict, dict]] = {
    "standard": ("zarr", {"urlpath": "/data/my-ensemble.zarr"}, {}),
    "cesm": ("netcdf", {"urlpath": "/data/my-ensemble"}, {}),
    "cmip6": (ESM_DRIVER, {"obj": "/data/catalog.json"}, {"experiments": ["esm-bell-1000PgC"]}),
    "cesm-stores": (
        ESM_DRIVER,
        {"obj": "/data/catalog.json"},
        {"experiments": ["historical", "ssp370"], "forcing": "cmip6", "maps": "/data/maps.nc"},
    ),
    "record": (
        "csv",
        {"urlpath": "/data/table.csv"},
        {"phases": {}, "url": "https://example.org/table.csv", "sha256": "of the file"},
    ),
}
"""Convention → driver, arguments and further metadata of an example."""


def whole_entry(convention: object) -> str:
    """
    Return a whole entry as one line of YAML, which can be copied into the catalogue.

    Parameters
    ----------
    convention : object
        Convention of the entry; CESM is shown if there is none of that name.

    Returns
    -------
    str
        The example, after ``a whole entry:``.

    Examples
    --------
    >>> whole_entry("cmip6").split(", args")[0]
    'a whole entry: mine: {driver: intake_esm.core.esm_datastore, description: my data'
    """
    import yaml

    known = convention if convention in _EXAMPLES else "cesm"
    driver, arguments, own = _EXAMPLES[str(known)]
    metadata = {
        "convention": known,
        "phases": {"warming": [2000, 2050], "mitigation": [2051, 2116], "net-zero": [2117, 2300]},
        "citation": "whom to cite",
        "licence": "what is allowed",
        "is_synthetic": False,
    } | own
    entry = {
        "driver": driver,
        "description": "my data",
        "args": arguments,
        "metadata": metadata,
    }
    text = yaml.safe_dump({"mine": entry}, sort_keys=False, default_flow_style=True, width=10_000)
    return f"a whole entry: {text.strip()[1:-1]}"


_IN_WORDS = {
    "bool_type": "must be true or false, without quotes",
    "dict_type": "must be a mapping",
    "model_type": "must be a mapping",
    "string_too_short": "must not be empty",
    "string_type": "must be a text",
    "too_short": "needs at least one name",
    "tuple_type": "must be a list of names",
}


def in_words(fault: Any, metadata: dict, kinds: Mapping[str, type[BaseModel]]) -> str:
    """
    Return one fault that pydantic found as a clause in plain words.

    Parameters
    ----------
    fault : dict
        One of a validation's errors.
    metadata : dict
        The entry's metadata.
    kinds : mapping of str to type
        Convention → model of its entries.

    Returns
    -------
    str
        Such as ``"it lacks 'citation'"``.

    Examples
    --------
    >>> fault = {"type": "missing", "input": {}, "loc": ("cesm", "citation")}
    >>> in_words(fault, {}, {})
    "it lacks 'citation'"
    """
    kind, found = fault["type"], fault["input"]
    key = next((part for part in reversed(fault["loc"][1:]) if isinstance(part, str)), "")
    if kind == "union_tag_not_found":
        known = {name for source in kinds.values() for name in source.model_fields}
        for name in (name for name in metadata if name not in known):
            return f"metadata can't hold {name!r}; {suggestion(name, ['convention'])}"
        return f"it lacks 'convention'; {suggestion('', list(kinds))}"
    if kind == "union_tag_invalid":
        valid = ", ".join(kinds)
        return f"'convention' is {metadata['convention']!r}; valid names: {valid}"
    if kind == "extra_forbidden":
        known = [k for k in kinds[fault["loc"][0]].model_fields if k not in ("name", *BESIDE)]
        return f"metadata can't hold {key!r}; {suggestion(key, known)}"
    if kind == "invalid_key":
        return f"a key must be a text, not {found!r}"
    if kind == "missing":
        return f"it lacks '{key}'"
    if kind == "value_error":
        return f"'{key}': {fault['ctx']['error']}"
    if kind == "literal_error":
        return f"'{key}' is {found!r}; allowed: {fault['ctx']['expected']}"
    return f"'{key}' {_IN_WORDS.get(kind, fault['msg'])}, not {found!r}"
