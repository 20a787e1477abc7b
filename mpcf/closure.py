"""Find the files that an import reaches; changing them makes results and kernels stale.

An import counts wherever it appears, even inside a function, but not under ``TYPE_CHECKING``. A
package's ``__init__.py`` counts if a name is imported from it, not if a path merely passes through
it.
"""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Iterable
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parent
_FOR_TYPES_ALONE = ("TYPE_CHECKING", "typing.TYPE_CHECKING")


def reached(sources: Iterable[str], root: Path = ROOT) -> list[Path]:
    """Return the package's files that code depends on through its imports.

    Parameters
    ----------
    sources : iterable of str
        Python code, such as ``"from mpcf.demo.store import simulate"``.
    root : Path, optional
        Folder of the package.

    Returns
    -------
    list of Path
        Modules that are imported, directly or indirectly, and the data files next to them; sorted.

    Raises
    ------
    SyntaxError
        If a source or a module is not valid Python.

    Examples
    --------
    >>> names = [path.name for path in reached(["from mpcf.ground.thaw import permafrost"])]
    >>> "thaw_kernels.py" in names, "site.py" in names
    (True, False)
    """
    found: set[Path] = set()
    todo = [path for text in sources for path in _imported(ast.parse(text), root)]
    while todo:
        path = todo.pop()
        if path not in found:
            found.add(path)
            todo += imported_files(path, root)
    folders = {path.parent for path in found} - {root}
    data = {file for folder in folders for file in folder.iterdir() if _is_data(file)}
    return sorted(found | data)


def imported_files(path: Path, root: Path = ROOT) -> tuple[Path, ...]:
    """Return the package's files that a module imports directly.

    Parameters
    ----------
    path : Path
        The module.
    root : Path, optional
        Folder of the package.

    Returns
    -------
    tuple of Path
        Excludes modules that are imported only for type checking.

    Raises
    ------
    SyntaxError
        If the module is not valid Python.
    """
    state = path.stat()
    return _imported_files(path, root, state.st_mtime_ns, state.st_size)


def digest(paths: Iterable[Path], root: Path = ROOT) -> str:
    """Return a hash of files, from their paths in the package and their contents.

    Parameters
    ----------
    paths : iterable of Path
        Files of the package.
    root : Path, optional
        Folder of the package.

    Returns
    -------
    str
        The sha256, in hexadecimal digits.
    """
    whole = hashlib.sha256()
    for path in paths:
        whole.update(path.relative_to(root).as_posix().encode() + b"\0")
        whole.update(hashlib.sha256(path.read_bytes()).digest())
    return whole.hexdigest()


@cache
def _imported_files(path: Path, root: Path, _time: int, _size: int) -> tuple[Path, ...]:
    return tuple(_imported(ast.parse(path.read_text(encoding="utf-8")), root))


def _imported(tree: ast.Module, root: Path) -> list[Path]:
    found = []
    for node in _run_time_nodes(tree):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            # the name is either a submodule or defined in the module itself
            names = []
            for alias in node.names:
                inner = f"{node.module}.{alias.name}"
                names.append(inner if _file_of(inner, root) else node.module)
        else:
            continue
        found += [file for name in dict.fromkeys(names) if (file := _file_of(name, root))]
    return found


def _run_time_nodes(node: ast.AST) -> Iterable[ast.AST]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.If) and ast.unparse(child.test) in _FOR_TYPES_ALONE:
            yield from _run_time_nodes(ast.Module(child.orelse, []))
        else:
            yield child
            yield from _run_time_nodes(child)


def _file_of(module: str, root: Path) -> Path | None:
    first, *rest = module.split(".")
    if first != root.name:
        return None
    base = root.joinpath(*rest)
    for path in (base.with_suffix(".py") if rest else base, base / "__init__.py"):
        if path.is_file():
            return path
    return None


def _is_data(file: Path) -> bool:
    return file.is_file() and file.suffix not in (".py", ".pyc") and not file.name.startswith(".")
