"""Execute a chapter with papermill, and tidy the executed notebook."""

from __future__ import annotations

import ast
import contextlib
import json
import os
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from mpcf import errors
from mpcf.data import catalog
from mpcf.data.places import RECORDS_VARIABLE
from mpcf.errors import ChapterFailed, SystemFault, faults_at, system_fault
from mpcf.folders import write_atomic
from mpcf.pipeline.runs import Run, notebooks_folder


def execute_chapter(run: Run, chapter: str, values: Mapping[str, object]) -> None:
    """Execute a chapter with papermill, and keep its notebook if it succeeds.

    Parameters
    ----------
    run : Run
        Source and size.
    chapter : str
        Name of the chapter.
    values : mapping of str to object
        Parameters that replace the notebook's defaults.

    Raises
    ------
    ChapterFailed
        If a cell raises, or the kernel dies; the message names the cell.
    SystemFault
        If the executed notebook can't be written.
    """
    import nbclient.exceptions
    import nbformat
    import papermill

    source = notebooks_folder() / f"{chapter}.ipynb"
    final = run.folder / "notebooks" / f"{chapter}.ipynb"
    aside = final.with_name(f".{chapter}.part.ipynb")
    log = run.folder / "logs" / f"{chapter}.txt"
    log.unlink(missing_ok=True)
    final.parent.mkdir(parents=True, exist_ok=True)
    try:
        with faults_at(aside), _environment(run):
            papermill.execute_notebook(
                str(source),
                str(aside),
                parameters=dict(values),
                kernel_name="python3",
                cwd=str(source.parent),
                progress_bar={"desc": chapter, "mininterval": 0.2 if sys.stderr.isatty() else 20},
                extra_arguments=["--log-level=CRITICAL"],  # of the kernel, which Ctrl+C interrupts
            )
        notebook = nbformat.read(aside, as_version=4)
        _tidy(notebook, values)
        write_atomic(final, nbformat.writes(notebook))
    except papermill.PapermillExecutionError as error:
        cell = _source_cell(source, error.cell_index)
        kept = _keep_traceback(log, error.traceback)
        text = _error_text(error.ename, error.evalue, run.folder)
        raise ChapterFailed(chapter, cell, text, kept) from None
    except SystemFault:
        print(file=sys.stderr)  # papermill leaves its bar open
        raise
    except nbclient.exceptions.DeadKernelError:
        cell = _source_cell(source, _running_cell(aside))
        raise ChapterFailed(
            chapter, cell, "its Python process died, perhaps for lack of memory"
        ) from None
    finally:
        aside.unlink(missing_ok=True)


def _keep_traceback(log: Path, lines: Sequence[str]) -> Path | None:
    """Write a traceback without its colours; return None if the disk is full."""
    plain = re.sub(r"\x1b\[[0-9;]*m", "", "\n".join(lines))
    try:
        write_atomic(log, f"{plain}\n")
    except SystemFault:
        return None
    return log


def _error_text(kind: str, message: str, folder: Path) -> str:
    """Return the text of a cell's error; only the message if the user can fix it."""
    known = getattr(errors, kind, None)
    if isinstance(known, type) and issubclass(known, errors.BookError):
        return message
    if fault := system_fault(message, folder):
        return str(fault)
    return f"{kind}: {message}".removesuffix(": ")


def _tidy(notebook, values: Mapping[str, object]) -> None:
    """Show the run's parameters in place of the defaults; drop this machine's paths and times."""
    notebook.metadata.pop("papermill", None)
    notebook.cells = [cell for cell in notebook.cells if "injected-parameters" not in _tags(cell)]
    for cell in notebook.cells:
        cell.metadata.pop("papermill", None)
        cell.metadata.pop("execution", None)
        if "parameters" in _tags(cell):
            cell.source = _with_values(cell.source, values)


def _tags(cell) -> list[str]:
    return cell.metadata.get("tags", [])


def _with_values(source: str, values: Mapping[str, object]) -> str:
    """Replace the values in a cell of parameters, but not its comments."""
    lines = source.splitlines()
    for statement in reversed(ast.parse(source).body):
        name, old = statement.targets[0].id, statement.value
        if values.get(name, ast.literal_eval(old)) != ast.literal_eval(old):
            first, last = old.lineno - 1, old.end_lineno - 1
            head, tail = lines[first][: old.col_offset], lines[last][old.end_col_offset :]
            new = values[name]
            text = json.dumps(new, ensure_ascii=False) if isinstance(new, str) else repr(new)
            lines[first : last + 1] = [head + text + tail]
    return "\n".join(lines)


def _source_cell(source: Path, index: int) -> int:
    """Return a cell's number in the source notebook, which has no injected cell."""
    import nbformat

    tags = [_tags(cell) for cell in nbformat.read(source, as_version=4).cells]
    injected = 1 + next(i for i, known in enumerate(tags) if "parameters" in known)
    return index + 1 - (index >= injected)


def _running_cell(aside: Path) -> int:
    import nbformat

    cells = nbformat.read(aside, as_version=4).cells
    states = [cell.metadata.get("papermill", {}).get("status") for cell in cells]
    return next((i for i, state in enumerate(states) if state == "running"), len(cells) - 1)


@contextlib.contextmanager
def _environment(run: Run) -> Iterator[None]:
    """Point the kernels to this build folder and the same data, whatever folder they run in."""
    values = {
        "MPCF_BUILD": str(run.folder.parent),
        "PYDEVD_DISABLE_FILE_VALIDATION": "1",
    }
    for name in {RECORDS_VARIABLE, *catalog.variables()}:
        path = os.path.expanduser(os.environ.get(name, ""))
        if path and os.path.exists(path):
            values[name] = os.path.abspath(path)
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
