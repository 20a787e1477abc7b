"""Read and check ``catalog.yml``.

Intake renders templates with plain Jinja and imports any driver that an entry names. So the file is
checked against short lists of what it may contain, and Intake gets entries whose templates
`mpcf.data.places` has interpreted.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    TypeAdapter,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)

from mpcf.data.catalog_faults import BESIDE, INCOMPLETE, in_words, whole_entry
from mpcf.data.phases import read_phases
from mpcf.data.places import check_place, check_text, fill, resolve, variable
from mpcf.data.variables import MONTHLY
from mpcf.errors import CatalogError, UnknownSource, suggestion
from mpcf.folders import project_root

# A template that YAML takes for a mapping, since it is not quoted.
_BARE_TEMPLATE = re.compile(r"(?m)^[ -]*(?P<key>\w+:) +(?P<text>\{\{[^#\n]*[^#\s])")

Place = Annotated[str, Field(min_length=1), AfterValidator(check_place)]
"""A path or address, which may begin with a template; see `mpcf.data.places.resolve`."""

Names = Annotated[
    tuple[str, ...],
    BeforeValidator(lambda names: () if names is None else names),
    Field(strict=False),
]
"""A list of names; ``null`` is an empty one."""


def _as_years(raw: Any) -> Any:
    match raw:
        case None:
            return None
        case [int(first), int(last)] if first <= last:
            return (first, last)
    raise ValueError(f"{raw!r} are no years; write the first and the last, such as [2015, 2100]")


def _as_variables(names: tuple[str, ...]) -> tuple[str, ...]:
    for name in (name for name in names if name not in MONTHLY):
        raise ValueError(f"{name!r} is no monthly variable; {suggestion(name, MONTHLY)}")
    return names


# --------------------------------------------------------------------------------- what an entry is


class Arguments(BaseModel):
    """Arguments that an entry passes to its driver, as written in the catalogue."""

    model_config = ConfigDict(extra="allow", strict=True, frozen=True)

    @model_validator(mode="after")
    def _lead_nowhere_else(self) -> Arguments:
        for text in _texts(self.model_dump(exclude={"urlpath", "obj"})):
            check_place(text)
        return self


class FileArguments(Arguments):
    """Arguments of a driver that opens files.

    Attributes
    ----------
    urlpath : str
        Where the data are.
    xarray_kwargs : dict
        Options with which xarray opens them.
    """

    urlpath: Place
    xarray_kwargs: dict[str, Any] = Field(default_factory=dict)


class CatalogueArguments(Arguments):
    """Arguments of intake-esm.

    Attributes
    ----------
    obj : str
        Where the catalogue is.
    """

    obj: Place


class Source(BaseModel):
    """An entry of the catalogue, of any convention.

    Attributes
    ----------
    name : str
        Its name.
    description : str
        What the data are, in a sentence.
    driver : str
        The Intake driver that opens them.
    args : Arguments
        Arguments of the driver.
    convention : str
        Naming convention and layout of the stored data.
    phases : dict of str to (int, int)
        First and last year of each phase, both inclusive; empty where they are not set.
    citation, licence : str
        Whom to cite, and what the data may be used for.
    is_synthetic : bool
        Whether the entry declares the data to be synthetic.
    published : str
        Where public pages say that the data are; empty if the description says it.
    truth : str or None
        Folder of the twins, from which moisture's true effect is known; it may begin with a
        template.
    """

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    name: str
    description: str
    driver: Literal["zarr", "netcdf", "opendap", "csv"]
    args: FileArguments
    phases: dict[str, tuple[int, int]] = Field(default_factory=dict)
    citation: str
    licence: str
    published: str = ""
    is_synthetic: bool
    truth: Place | None = None

    @field_validator("phases", mode="before")
    @classmethod
    def _follow_on_each_other(cls, raw: Any, info: ValidationInfo) -> dict[str, tuple[int, int]]:
        return read_phases(info.data.get("name", ""), raw)


class EnsembleSource(Source):
    """A source of the chapters, of any convention but a record's.

    Attributes
    ----------
    members : tuple of str
        The members to read; all of them if empty.
    years : (int, int) or None
        Inclusive first and last year to read, in which members of unequal length are alike; None
        for all.
    lacks : tuple of str
        Monthly variables that it is known not to have.
    """

    members: Names = ()
    lacks: Annotated[Names, AfterValidator(_as_variables)] = ()
    years: Annotated[tuple[int, int] | None, BeforeValidator(_as_years)] = None


class StandardSource(EnsembleSource):
    """A source that is already the book's standard monthly dataset."""

    convention: Literal["standard"]


class CesmSource(EnsembleSource):
    """CESM history files, a folder per member."""

    convention: Literal["cesm"]


class Cmip6Source(EnsembleSource):
    """Runs of an intake-esm catalogue.

    Attributes
    ----------
    catalogue : str or None
        Another catalogue, used instead unless it begins with an environment variable that is not
        set.
    model : str or None
        Its ``source_id``; None takes the first that has what the book needs.
    experiments : tuple of str
        Its experiments in chronological order.
    """

    convention: Literal["cmip6"]
    driver: Literal["intake_esm.core.esm_datastore"]
    args: CatalogueArguments
    catalogue: Place | None = None
    model: str | None = None
    experiments: Annotated[Names, Field(min_length=1)]


class CesmStoresSource(EnsembleSource):
    """CESM output as Zarr stores of all members, found through an intake-esm catalogue.

    Attributes
    ----------
    experiments, forcing : tuple of str, str
        Its experiments in chronological order; the ``forcing_variant`` to read.
    maps : str
        A history file of the same grid with ``area`` and ``landfrac``, which the stores lack.
    """

    convention: Literal["cesm-stores"]
    driver: Literal["intake_esm.core.esm_datastore"]
    args: CatalogueArguments
    experiments: Annotated[Names, Field(min_length=1)]
    forcing: str
    maps: Place


class RecordSource(Source):
    """A small real record.

    Attributes
    ----------
    url, sha256 : str
        Its public address, and the checksum of its file.
    quirks : str
        What users of the record must know.
    """

    convention: Literal["record"]
    url: str
    sha256: str
    quirks: str = ""


_KINDS: dict[str, type[Source]] = {
    "standard": StandardSource,
    "cesm": CesmSource,
    "cmip6": Cmip6Source,
    "cesm-stores": CesmStoresSource,
    "record": RecordSource,
}
CONVENTIONS = tuple(_KINDS)

_Entry = StandardSource | CesmSource | Cmip6Source | CesmStoresSource | RecordSource
_ENTRY: TypeAdapter[_Entry] = TypeAdapter(Annotated[_Entry, Field(discriminator="convention")])


# ------------------------------------------------------------------------------- reading the file


def sources() -> list[str]:
    """Return the names that `mpcf.data.sources.open_source` accepts."""
    return [s.name for s in read_catalogue().values() if s.convention != "record"]


def records() -> list[str]:
    """Return the names that `mpcf.data.records.open_record` accepts."""
    return [s.name for s in read_catalogue().values() if s.convention == "record"]


def entry(name: str) -> Source:
    """Return an entry of the catalogue, without opening its data.

    Parameters
    ----------
    name : str
        Name of a source or of a record.

    Returns
    -------
    Source
        The entry, as the class for its convention.

    Raises
    ------
    UnknownSource
        If there is no such entry; the message suggests the closest names.
    CatalogError
        If the catalogue is malformed or contains anything not allowed.
    """
    catalogue = read_catalogue()
    if name not in catalogue:
        raise unknown_entry(name, list(catalogue))
    return catalogue[name]


def unknown_entry(name: str, names: list[str]) -> UnknownSource:
    """Return the error for a name that the catalogue lacks.

    Parameters
    ----------
    name : str
        The name that was given.
    names : list of str
        The valid names.

    Returns
    -------
    UnknownSource
        The error, whose message suggests the closest names.
    """
    return UnknownSource(f"the catalogue has no entry {name!r}; {suggestion(name, names)}")


def read_catalogue() -> dict[str, Source]:
    """Read and check ``catalog.yml``.

    Returns
    -------
    dict of str to Source
        Its entries by name, in order.

    Raises
    ------
    CatalogError
        If it is malformed or contains anything not allowed; the message names file, entry and key.
    """
    path = project_root() / "catalog.yml"
    document = _load(path)
    if not isinstance(document, dict) or not isinstance(document.get("sources"), dict):
        raise CatalogError(f"{path} has no 'sources:' with named entries")
    _only(document, ("metadata", "sources"), str(path))
    if document.get("metadata", {}) != {"version": 1}:
        raise CatalogError(f"{path}: 'metadata' must be {{version: 1}} and nothing else")
    return {
        name: _parse(f"entry '{name}' of {path}", name, raw)
        for name, raw in document["sources"].items()
    }


def variables() -> set[str]:
    """Return the environment variables that the catalogue's texts begin with."""
    texts = [text for source in read_catalogue().values() for text in _texts(source.model_dump())]
    return {name for text in texts if (name := variable(text))}


def _load(path: Path) -> Any:
    import yaml
    from intake.catalog.exceptions import DuplicateKeyError
    from intake.utils import yaml_load

    text = path.read_text(encoding="utf-8")
    try:
        return yaml_load(text)
    except (yaml.YAMLError, DuplicateKeyError, TypeError) as error:
        if bare := _BARE_TEMPLATE.search(text):
            line = 1 + text.count("\n", 0, bare.start())
            raise CatalogError(
                f"{path}, line {line}: a text that begins with a template must be quoted: "
                f'{bare["key"]} "{bare["text"]}"'
            ) from error
        why = " ".join(str(error).split())
        raise CatalogError(f"{path} is not plain YAML: {why}") from error


def _only(mapping: dict, allowed: tuple[str, ...], where: str) -> None:
    if extra := [str(key) for key in mapping if key not in allowed]:
        raise CatalogError(f"{where} has {', '.join(extra)}; allowed are {', '.join(allowed)}")


def _parse(where: str, name: str, raw: Any) -> Source:
    if not isinstance(raw, dict) or not isinstance(raw.get("metadata"), dict):
        raise CatalogError(f"{where} must have {', '.join(BESIDE)}; {whole_entry('cesm')}")
    _only(raw, BESIDE, where)
    beside = {"name": name} | {key: value for key, value in raw.items() if key != "metadata"}
    metadata = raw["metadata"]
    if taken := [key for key in metadata if key in ("name", *BESIDE)]:
        raise CatalogError(f"{where}: metadata can't hold {taken[0]!r}")
    try:
        for text in _texts(raw):
            check_text(text)
        return _ENTRY.validate_python(beside | metadata)
    except CatalogError as error:
        raise CatalogError(f"{where}: {error}") from error
    except ValidationError as error:
        faults = error.errors(include_url=False)
        # a misspelt key is also missing under its correct name; report only the misspelling
        misspelt = [fault for fault in faults if fault["type"] == "extra_forbidden"]
        text = "; ".join(in_words(fault, metadata, _KINDS) for fault in misspelt or faults)
        if not misspelt and any(fault["type"] in INCOMPLETE for fault in faults):
            text += f"; {whole_entry(metadata.get('convention'))}"
        raise CatalogError(f"{where}: {text}") from error


def _texts(node: Any) -> list[str]:
    if isinstance(node, dict):
        return [text for pair in node.items() for part in pair for text in _texts(part)]
    if isinstance(node, (list, tuple)):
        return [text for part in node for text in _texts(part)]
    return [node] if isinstance(node, str) else []


# ----------------------------------------------------------------------------------- Intake's part


def data_place(source: Source, *, quick: bool = False, meaning: str = "") -> str:
    """Return where the files of a source or record are.

    Parameters
    ----------
    source : Source
        Its entry, which has a ``urlpath``.
    quick : bool, optional
        Whether the build folder of the small ensemble is meant.
    meaning : str, optional
        What an environment variable that is not set should be set to.

    Returns
    -------
    str
        An absolute path or an address.

    Raises
    ------
    SourceUnavailable
        If the place begins with an environment variable that is not set.
    """
    return resolve(source.args.urlpath, source.name, quick=quick, meaning=meaning)


def intake_source(source: Source, *, quick: bool = False) -> Any:
    """Return Intake's source for an entry, made from literal arguments.

    Parameters
    ----------
    source : Source
        The entry, which has a ``urlpath``.
    quick : bool, optional
        Whether the build folder of the small ensemble is meant.

    Returns
    -------
    intake.source.DataSource
        The source made by the entry's driver; nothing is opened yet.

    Raises
    ------
    SourceUnavailable
        If a text begins with an environment variable that is not set.
    """
    from intake.source import registry

    given = source.args.model_dump(exclude_unset=True)
    arguments = _filled(given, source.name, quick)
    return registry[source.driver](**arguments | {"urlpath": data_place(source, quick=quick)})


def _filled(node: Any, name: str, quick: bool) -> Any:
    if isinstance(node, dict):
        return {key: _filled(value, name, quick) for key, value in node.items()}
    if isinstance(node, list):
        return [_filled(value, name, quick) for value in node]
    return fill(node, name, quick=quick) if isinstance(node, str) else node
