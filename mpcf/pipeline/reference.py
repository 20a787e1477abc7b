"""The API reference: which modules its pages show, and which functions a chapter uses.

The pages are filled by autodoc from the docstrings; this module decides only what they cover.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator

from mpcf import closure
from mpcf.errors import SiteError

USED = "Functions used in this chapter"


def modules(part: str) -> list[str]:
    """Return the public modules of a part of the package.

    Parameters
    ----------
    part : str
        A package or module directly below ``mpcf``, such as ``"method"``.

    Returns
    -------
    list of str
        Dotted names, sorted; an ``__init__`` is left out, since it only re-exports names.

    Raises
    ------
    SiteError
        If there is no such part.

    Examples
    --------
    >>> modules("ground")[:2]
    ['mpcf.ground.constants', 'mpcf.ground.geography']
    """
    place = closure.ROOT / part
    files = sorted(place.rglob("*.py")) if place.is_dir() else [place.with_suffix(".py")]
    if not files or not files[0].is_file():
        raise SiteError(f"the API reference asks for mpcf.{part}, but there is no such module")
    paths = [file.relative_to(closure.ROOT.parent).with_suffix("") for file in files]
    return [".".join(path.parts) for path in paths if not path.name.startswith("_")]


def sections(part: str) -> str:
    """Write the sections of a page of the API reference, one for each module.

    Parameters
    ----------
    part : str
        A package or module directly below ``mpcf``.

    Returns
    -------
    str
        MyST Markdown, whose directives autodoc fills.

    Raises
    ------
    SiteError
        If there is no such part.
    """
    options = "   :members:\n   :ignore-module-all:"
    return "\n\n".join(
        f"## {name}\n\n```{{eval-rst}}\n.. automodule:: {name}\n{options}\n```"
        for name in modules(part)
    )


def used_functions(sources: Iterable[str]) -> list[str]:
    """Return the functions and classes of ``mpcf`` that code uses.

    Parameters
    ----------
    sources : iterable of str
        Python code, such as the cells of a chapter, in their order.

    Returns
    -------
    list of str
        Dotted names of where each is defined, sorted.

    Examples
    --------
    >>> used_functions(["from mpcf.ground import thaw", "thaw.permafrost_area(mask, grid)"])
    ['mpcf.ground.thaw.permafrost_area']
    """
    trees = [ast.parse(text) for text in sources]
    imported = dict(pair for tree in trees for pair in _imported(tree))
    attributes = {
        f"{imported[node.value.id]}.{node.attr}"
        for tree in trees
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute)
        and isinstance(node.value, ast.Name)
        and node.value.id in imported
    }
    return sorted(filter(None, map(_definition, {*imported.values(), *attributes})))


def used_section(sources: Iterable[str]) -> str:
    """Write the section of a chapter's page that links to the functions it uses.

    Parameters
    ----------
    sources : iterable of str
        The chapter's code.

    Returns
    -------
    str
        MyST Markdown, a line for each module; empty if the code uses nothing of ``mpcf``.
    """
    lines: dict[str, list[str]] = {}
    for name in used_functions(sources):
        module, _, function = name.rpartition(".")
        lines.setdefault(module, []).append(f"{{py:obj}}`{function} <{name}>`")
    rows = [f"{{py:mod}}`{module}`\n: {', '.join(links)}" for module, links in lines.items()]
    return "\n\n".join([f"## {USED}", *rows]) if rows else ""


def _imported(tree: ast.Module) -> Iterator[tuple[str, str]]:
    """Yield the names that code imports from ``mpcf``, each with its full dotted name."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "mpcf":
            for alias in node.names:
                yield alias.asname or alias.name, f"{node.module}.{alias.name}"


def _definition(name: str) -> str:
    """Return where a function or class is defined; empty for a module, a constant or a method."""
    module, _, wanted = name.rpartition(".")
    place = closure.ROOT.parent.joinpath(*module.split("."))
    file = place / "__init__.py" if place.is_dir() else place.with_suffix(".py")
    if not file.is_file():
        return ""
    tree = ast.parse(file.read_text(encoding="utf-8"))
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and node.name == wanted:
            return name
    passed_on = dict(_imported(tree))
    return _definition(passed_on[wanted]) if wanted in passed_on else ""
