"""The only interpreter of the templates of ``catalog.yml``: from a text to a path or address."""

from __future__ import annotations

import os
import re
from pathlib import Path

from mpcf.errors import CatalogError, SourceUnavailable
from mpcf.folders import build_dir, project_root

RECORDS_VARIABLE = "REALDATA_ROOT"
"""Environment variable that names the folder of the real records."""

_TEMPLATE = re.compile(
    r"\{\{\s*(?:(?P<folder>BUILD|RECORDS|CATALOG_DIR)|env\(\s*(?P<variable>[A-Za-z_]\w*)\s*\))"
    r"\s*\}\}"
)
_ALLOWED = "{{ BUILD }}, {{ RECORDS }}, {{ CATALOG_DIR }} or {{ env(NAME) }}"


def check_text(text: str) -> str:
    """Check that a text contains no template other than an allowed one at its start.

    Parameters
    ----------
    text : str
        Any text of the catalogue.

    Returns
    -------
    str
        The same text.

    Raises
    ------
    CatalogError
        If it contains any other template.

    Examples
    --------
    >>> check_text("{{BUILD}}/data")
    '{{BUILD}}/data'
    """
    begin = _TEMPLATE.match(text)
    rest = text[begin.end() :] if begin else text
    if any(mark in rest for mark in ("{{", "}}", "{%", "{#")):
        raise CatalogError(
            f"the template in {text!r} is not allowed; a text may only begin with {_ALLOWED}"
        )
    return text


def check_place(text: str) -> str:
    """Check that a text is allowed as a location of data: as any text, and without ``..``.

    Parameters
    ----------
    text : str
        A path or address of the catalogue.

    Returns
    -------
    str
        The same text.

    Raises
    ------
    CatalogError
        If it is not allowed.
    """
    check_text(text)
    if ".." in re.split(r"[/\\]", text):
        raise CatalogError(f"{text!r} contains '..'; give the path itself")
    return text


def variable(text: str) -> str | None:
    """Return the environment variable that a text begins with, if it begins with one.

    Parameters
    ----------
    text : str
        A text of the catalogue.

    Returns
    -------
    str or None
        The variable's name.

    Examples
    --------
    >>> variable("{{env(MY_DATA)}}/monthly.zarr")
    'MY_DATA'
    """
    begin = _TEMPLATE.match(text)
    return begin["variable"] if begin else None


def is_built(text: str) -> bool:
    """Check whether a place is in a build folder, whose contents the book itself makes.

    Parameters
    ----------
    text : str
        A place of the catalogue.

    Returns
    -------
    bool
        Whether it begins with ``{{ BUILD }}``.

    Examples
    --------
    >>> is_built("{{BUILD}}/data"), is_built("/data")
    (True, False)
    """
    begin = _TEMPLATE.match(text)
    return begin is not None and begin["folder"] == "BUILD"


def fill(text: str, source: str, *, quick: bool = False, meaning: str = "") -> str:
    """Return a text with the template at its beginning replaced.

    Parameters
    ----------
    text : str
        A text of the catalogue.
    source : str
        Name of its entry.
    quick : bool, optional
        Whether the build folder of the small ensemble is meant.
    meaning : str, optional
        What an environment variable that is not set should be set to.

    Returns
    -------
    str
        The text; ``~`` in the value of an environment variable is expanded.

    Raises
    ------
    SourceUnavailable
        If it begins with an environment variable that is not set; the message says what to set.
    """
    begin = _TEMPLATE.match(text)
    if begin is None:
        return text
    if name := begin["variable"]:
        if not (value := os.path.expanduser(os.environ.get(name, ""))):
            meaning = meaning or f"what {text!r} of its entry in catalog.yml should begin with"
            raise SourceUnavailable(
                f"{name} is not set. To use '{source}', set {name} to {meaning}"
            )
    elif begin["folder"] == "BUILD":
        value = str(build_dir(source, quick))
    else:
        value = str(records_root() if begin["folder"] == "RECORDS" else project_root())
    return value + text[begin.end() :]


def resolve(text: str, source: str, *, quick: bool = False, meaning: str = "") -> str:
    """Return the path or address that a text of the catalogue stands for.

    Parameters
    ----------
    text : str
        A path or address; a path may begin with a template or with ``~``. A relative path starts at
        the folder of ``catalog.yml``, or at the working directory if it is the value of an
        environment variable.
    source : str
        Name of its entry.
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
    CatalogError
        If the text is not allowed.
    SourceUnavailable
        If it begins with an environment variable that is not set; the message says what to set.
    """
    place = fill(check_place(text), source, quick=quick, meaning=meaning)
    place = os.path.expanduser(place.removeprefix("file://"))
    if is_address(place):
        return place
    return os.path.abspath(place if variable(text) else project_root() / place)


def is_address(place: str) -> bool:
    """Check whether a place is on a network, where changes cannot be detected.

    Parameters
    ----------
    place : str
        A path or address.

    Returns
    -------
    bool
        Whether it is an address.

    Examples
    --------
    >>> is_address("gs://bucket/data.zarr"), is_address("/data.zarr")
    (True, False)
    """
    return "://" in place


def records_root() -> Path:
    """Return the folder of the real records.

    Returns
    -------
    Path
        ``$REALDATA_ROOT``; without that variable, ``records`` among the build folders.
    """
    root = os.environ.get(RECORDS_VARIABLE)
    return Path(root).expanduser().absolute() if root else build_dir("records")
