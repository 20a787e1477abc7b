"""A run: one source at one size, with the parameters of its chapters."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from mpcf.errors import InvalidChoice, MissingFile, NotebookError, UnknownName
from mpcf.folders import build_dir, project_root

DEMO = "demo"

_NAME = re.compile(r"[^\s,'\"()\[\]]+")


@dataclass(frozen=True)
class Run:
    """
    One source at one size, with the parameters of its chapters.

    Attributes
    ----------
    source : str, optional
        Entry of the catalogue.
    quick : bool, optional
        Whether the small ensemble is used.
    settings : mapping of str to object, optional
        Parameters of the notebooks that differ from their defaults.
    """

    source: str = DEMO
    quick: bool = False
    settings: Mapping[str, object] = field(default_factory=dict)

    @property
    def folder(self) -> Path:
        """The run's build folder."""
        return build_dir(self.source, self.quick)


# --------------------------------------------------------------------------- names and parameters


def chapter_names() -> list[str]:
    """
    Return the names of the chapters in order.

    Returns
    -------
    list of str
        Such as ``"01-data"``.

    Raises
    ------
    MissingFile
        If there are no chapters.
    """
    names = sorted(path.stem for path in notebooks_folder().glob("[0-9][0-9]-*.ipynb"))
    if not names:
        raise MissingFile(f"no chapter such as 01-data.ipynb in {notebooks_folder()}")
    return names


def find_chapter(text: str) -> str:
    """
    Return the full name of a chapter from its number or name.

    Parameters
    ----------
    text : str
        Such as ``"04"``, ``"4"`` or ``"04-regression"``.

    Returns
    -------
    str
        Such as ``"04-regression"``.

    Raises
    ------
    UnknownName
        If there is no such chapter.
    """
    names = chapter_names()
    for name in names:
        if text in (name, name[:2], name[:2].lstrip("0"), name[3:]):
            return name
    raise UnknownName("chapter", text, names)


def parameters() -> dict[str, dict[str, object]]:
    """
    Read the parameters of each chapter and their defaults, as papermill finds them.

    Returns
    -------
    dict
        Chapter name → parameter name → default.

    Raises
    ------
    NotebookError
        If a notebook can't be read, has no cell tagged ``parameters``, or a default is not a
        plain value.
    """
    import papermill
    from nbformat import ValidationError
    from nbformat.reader import NotJSONError

    found = {}
    for chapter in chapter_names():
        try:
            inspected = papermill.inspect_notebook(str(notebooks_folder() / f"{chapter}.ipynb"))
        except (NotJSONError, ValidationError) as error:
            why = str(error).partition("\n")[0]
            raise NotebookError(f"notebooks/{chapter}.ipynb is not a notebook: {why}") from error
        if not inspected:
            raise NotebookError(f"notebooks/{chapter}.ipynb has no cell tagged 'parameters'")
        try:
            found[chapter] = {
                name: ast.literal_eval(known["default"]) for name, known in inspected.items()
            }
        except (ValueError, SyntaxError) as error:
            raise NotebookError(
                f"a parameter of notebooks/{chapter}.ipynb has no plain value as default: {error}"
            ) from None
    return found


def read_settings(texts: Iterable[str]) -> dict[str, object]:
    """
    Read ``name=value`` settings and check them against the chapters' parameters.

    Parameters
    ----------
    texts : iterable of str
        Such as ``"uptake=nep"`` or ``"depth=1"``.

    Returns
    -------
    dict
        Parameter → value, of the same type as its default.

    Raises
    ------
    UnknownName
        If no chapter has such a parameter.
    InvalidChoice
        If a text is not ``name=value``, or the value's type differs from the default's.
    """
    known: dict[str, object] = {}
    for defaults in parameters().values():
        known |= defaults
    settings = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals:
            raise InvalidChoice(f"'{text}' is not a setting; write it as name=value")
        if name in ("source", "quick"):
            raise InvalidChoice(f"'{name}' has its own option: --{name}")
        if name not in known:
            raise UnknownName("parameter", name, sorted(set(known) - {"source", "quick"}))
        settings[name] = _as_type_of(known[name], value, name)
    return settings


def _as_type_of(default: object, text: str, name: str) -> object:
    if isinstance(default, str):
        return text
    try:
        value = ast.literal_eval(text)
    except (ValueError, SyntaxError):
        value = text
    if isinstance(default, float) and type(value) is int:
        value = float(value)
    if type(value) is not type(default):
        advice = f"; write {spelling(name, text, default)}" if isinstance(default, list) else ""
        raise InvalidChoice(
            f"{name}={text}: expected a {type(default).__name__} such as {default!r}{advice}"
        )
    return value


def spelling(name: str, text: str, default: object) -> str:
    """
    Return a setting as it is written on the command line, in quotes where the shell needs them.

    Parameters
    ----------
    name : str
        A parameter.
    text : str
        Its value as it was given, such as the names of a list without quotes.
    default : object
        The parameter's default.

    Returns
    -------
    str
        The option.

    Examples
    --------
    >>> print(spelling("models", "[a, b]", []))
    --set "models=['a', 'b']"
    >>> print(spelling("depth", "1.0", 3.0))
    --set depth=1.0
    """
    if isinstance(default, list):
        return f'--set "{name}={_NAME.findall(text)}"'
    return f"--set {name}={text}"


def notebooks_folder() -> Path:
    """Return the folder of the source notebooks."""
    return project_root() / "notebooks"
