"""Go on without a real record that can't be had: the cells that need it are skipped."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mpcf.data.records import TIDY

if TYPE_CHECKING:
    import xarray as xr


@dataclass(frozen=True)
class MissingRecord:
    """Stands where a record, or what was computed from it, would be.

    Attributes
    ----------
    name : str
        The record.
    reason : str
        Why it can't be had, and what to do.
    """

    name: str
    reason: str


def load_record(name: str) -> xr.Dataset | MissingRecord:
    """Open a real record as a tidy dataset; if it can't be had, say so and go on.

    In a notebook, a record that can't be had is announced on the page, and later cells that use
    it, or use what such a cell would have made, are left out.

    Parameters
    ----------
    name : str
        ``"clm_cn"`` or ``"toolik"``.

    Returns
    -------
    Dataset or MissingRecord
        The record; see `mpcf.data.records.tidy_clm_cn` and `mpcf.data.records.tidy_toolik`.

    Raises
    ------
    mpcf.errors.RecordChanged
        If the file is there but is not the one that the catalogue describes.
    """
    from mpcf.data.records import open_record
    from mpcf.errors import RecordUnavailable

    try:
        return TIDY[name](open_record(name))
    except RecordUnavailable as error:
        missing = MissingRecord(name, str(error))
    _announce(missing)
    return missing


def _announce(missing: MissingRecord) -> None:
    from IPython import get_ipython
    from IPython.display import Markdown, display

    display(
        Markdown(
            f"> **The record `{missing.name}` could not be reached**, so this page leaves out "
            f"every result that needs it. In detail: {missing.reason}."
        )
    )
    shell = get_ipython()
    if shell and not any(isinstance(t, SkipDependentCells) for t in shell.ast_transformers):
        shell.ast_transformers.append(SkipDependentCells(shell.user_ns))


class SkipDependentCells(ast.NodeTransformer):
    """Empty the cells that use a name bound to `MissingRecord`; it spreads to their results.

    Parameters
    ----------
    names : dict
        The notebook's names and their values.
    """

    def __init__(self, names: dict[str, object]) -> None:
        self.names = names

    def visit(self, node: ast.Module) -> ast.Module:
        """Return a cell as it is, or empty if it needs a missing record."""
        needed, made = _needed_and_made(node)
        values = [self.names.get(name) for name in sorted(needed)]
        missing = next((value for value in values if isinstance(value, MissingRecord)), None)
        if missing is None:
            return node
        self.names.update(dict.fromkeys(made, missing))
        return ast.Module(body=[], type_ignores=[])


def _needed_and_made(cell: ast.Module) -> tuple[set[str], set[str]]:
    """Names that a cell takes from the cells before it, and names that it binds."""
    needed: set[str] = set()
    made: set[str] = set()
    for statement in cell.body:
        parts = list(ast.walk(statement))
        loaded = {p.id for p in parts if isinstance(p, ast.Name) and isinstance(p.ctx, ast.Load)}
        stored = {p.id for p in parts if isinstance(p, ast.Name) and isinstance(p.ctx, ast.Store)}
        # An assignment's value is read before its target is bound; a loop's target before its body.
        plain = isinstance(statement, (ast.Assign, ast.AnnAssign)) and statement.value
        inside = ast.walk(statement.value) if plain else parts
        bound = {p.id for p in inside if isinstance(p, ast.Name) and isinstance(p.ctx, ast.Store)}
        bound |= {p.arg for p in parts if isinstance(p, ast.arg)}
        needed |= loaded - bound - made
        made |= stored | {p.name for p in parts if isinstance(p, ast.FunctionDef)}
    return needed, made
