"""Run the book's chapters in order through papermill, and only those that are stale.

A chapter's stamp holds the hash of all that went in (the package, the source's entry of the
catalogue, the notebook, its parameters and the stamp of the chapter above) and the hash of what
came out. A chapter whose two hashes still hold is not run again; one that was edited, or run by
hand with another result, is.
"""

from __future__ import annotations

import ast
import contextlib
import difflib
import json
import os
import re
import shutil
import sys
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from mpcf import stamps
from mpcf.build import build_dir, project_root, write_atomic

PACKAGE = Path(__file__).parent
DEMO = "demo"
# The line itself: an edit of these changes no result.
LINE_MODULES = ("__main__.py", "chapters.py", "site.py", "speed.py", "stamps.py")
# What the demonstration ensemble is made from.
DATA_MODULES = (
    *("demo", "geography.py", "kernels.py", "thaw.py", "variables.py", "yearly.py"),
    *("yearly_kernels.py", "data"),
)
DATA_PACKAGES = ("fair", "numba", "numpy", "scipy", "xarray", "zarr")
MAIN_PACKAGES = (
    *(
        "cartopy",
        "dask",
        "fair",
        "intake",
        "jupyter-book",
        "matplotlib",
        "numba",
        "numpy",
    ),
    *("pandas", "papermill", "scipy", "statsmodels", "xarray", "zarr"),
)
# Outputs that a chapter writes beside its own folder in results/.
SHARED_OUTPUTS = {"01-data": ("yearly.zarr", "yearly.zarr.part")}
# The chapter whose results depend on the records too, and the variable that names their folder.
RECORDS_CHAPTER = "07-reality-check"
RECORDS_VARIABLE = "REALDATA_ROOT"


class ChapterFailed(RuntimeError):
    """
    A chapter stopped with an error; nothing below it was run.

    Parameters
    ----------
    chapter : str
        Name of the chapter.
    cell : int
        Number of the cell in the source notebook, counted from 1 over cells of every kind.
    error : str
        Kind and message of the error.
    log : Path, optional
        File that holds the whole traceback.
    """

    def __init__(self, chapter: str, cell: int, error: str, log: Path | None = None) -> None:
        self.chapter, self.cell, self.error, self.log = chapter, cell, error, log
        where = f" (traceback: {log})" if log else ""
        super().__init__(f"chapter {chapter} failed in cell {cell}: {error}{where}")


class UnknownName(LookupError):
    """
    A name that nothing goes by; the message gives the nearest valid ones.

    Parameters
    ----------
    kind : str
        What is named: "chapter", "parameter".
    name : str
        The name that was given.
    valid : iterable of str
        The names that there are.
    """

    def __init__(self, kind: str, name: str, valid: Iterable[str]) -> None:
        valid = sorted(valid)
        near = difflib.get_close_matches(name, valid, n=3, cutoff=0.5)
        hint = f"did you mean {' or '.join(near)}?" if near else f"there are: {', '.join(valid)}"
        super().__init__(f"unknown {kind} '{name}'; {hint}")


def nearest(name: str, valid: Iterable[str]) -> str:
    """
    Say which valid names are nearest to a name, or all of them if none is near.

    Parameters
    ----------
    name : str
        The name that was given.
    valid : iterable of str
        The names that there are.

    Returns
    -------
    str
        The end of an error message.

    Examples
    --------
    >>> nearest("uptke", ["uptake", "depth"])
    'did you mean uptake?'
    """
    valid = sorted(valid)
    near = difflib.get_close_matches(name, valid, n=3, cutoff=0.5)
    return f"did you mean {' or '.join(near)}?" if near else f"there are: {', '.join(valid)}"


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
    Names of the chapters in their order.

    Returns
    -------
    list of str
        Such as ``"01-data"``.

    Raises
    ------
    FileNotFoundError
        If there is none.
    """
    names = sorted(path.stem for path in _notebooks().glob("[0-9][0-9]-*.ipynb"))
    if not names:
        raise FileNotFoundError(f"no chapter such as 01-data.ipynb in {_notebooks()}")
    return names


def find_chapter(text: str) -> str:
    """
    Find a chapter by its number or name.

    Parameters
    ----------
    text : str
        Such as ``"04"``, ``"4"`` or ``"04-regression"``.

    Returns
    -------
    str
        The chapter's full name.

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
    Parameters of each chapter with their defaults, as papermill reads them.

    Returns
    -------
    dict
        Chapter name → parameter name → default.

    Raises
    ------
    ValueError
        If a notebook has no cell tagged ``parameters``, or a default is not a plain value.
    """
    import papermill

    found = {}
    for chapter in chapter_names():
        inspected = papermill.inspect_notebook(str(_notebooks() / f"{chapter}.ipynb"))
        if not inspected:
            raise ValueError(f"notebooks/{chapter}.ipynb has no cell tagged 'parameters'")
        try:
            found[chapter] = {
                name: ast.literal_eval(known["default"]) for name, known in inspected.items()
            }
        except ValueError as error:
            raise ValueError(
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
        Parameter → value, of the type of its default.

    Raises
    ------
    UnknownName
        If no chapter has such a parameter.
    ValueError
        If a text is not ``name=value`` or the value is of another type than the default.
    """
    known: dict[str, object] = {}
    for defaults in parameters().values():
        known |= defaults
    settings = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals:
            raise ValueError(f"'{text}' is not a setting; write it as name=value")
        if name in ("source", "quick"):
            raise ValueError(f"'{name}' has its own option: --{name}")
        if name not in known:
            raise UnknownName("parameter", name, set(known) - {"source", "quick"})
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
        raise ValueError(f"{name}={text}: expected a {type(default).__name__} such as {default!r}")
    return value


# ------------------------------------------------------------------------------------- running


def simulate(run: Run) -> bool:
    """
    Make the demonstration ensemble if what it is made from has changed.

    Parameters
    ----------
    run : Run
        The run; a source other than the demonstration needs nothing made.

    Returns
    -------
    bool
        Whether the ensemble was made.
    """
    if run.source != DEMO:
        return False
    folder, stamp = run.folder / "data", run.folder / "stamps" / "data.json"
    inputs = _data_inputs(run)
    known = stamps.read(stamp)
    if known.get("inputs") == inputs and known.get("outputs") == stamps.fingerprint(folder):
        return False
    from mpcf import demo

    stamp.unlink(missing_ok=True)
    start = time.monotonic()
    demo.simulate(folder, quick=run.quick)
    stamps.write(
        stamp,
        inputs=inputs,
        outputs=stamps.fingerprint(folder),
        checksum=stamps.checksum(folder),
        seconds=round(time.monotonic() - start, 1),
    )
    return True


def run_chapters(run: Run, last: str | None = None) -> list[str]:
    """
    Bring the chapters up to date, in order.

    Parameters
    ----------
    run : Run
        Source, size and parameters.
    last : str, optional
        The last chapter wanted, which is executed in any case; by default all that are stale.

    Returns
    -------
    list of str
        The chapters that were executed.

    Raises
    ------
    ChapterFailed
        At the first chapter that stops with an error.
    """
    defaults = parameters()
    done = []
    for chapter, inputs in _inputs(run, defaults).items():
        if chapter == last or not _is_fresh(run, chapter, inputs):
            _run_chapter(run, chapter, inputs, defaults[chapter])
            done.append(chapter)
        if chapter == last:
            break
    return done


def stale_chapters(run: Run) -> list[str]:
    """
    Chapters that a run would execute.

    Parameters
    ----------
    run : Run
        Source, size and parameters.

    Returns
    -------
    list of str
        Their names, in order.
    """
    inputs = _inputs(run, parameters())
    return [chapter for chapter, known in inputs.items() if not _is_fresh(run, chapter, known)]


def provenance(run: Run) -> dict[str, dict]:
    """
    Give what is known of the run behind each chapter, and of its data under ``"data"``.

    Parameters
    ----------
    run : Run
        Source and size.

    Returns
    -------
    dict
        Name → stamp: parameters, seconds, date, commit, versions; for the data their checksum.
    """
    known = {chapter: stamps.read(_stamp(run, chapter)) for chapter in chapter_names()}
    return known | {"data": stamps.read(run.folder / "stamps" / "data.json")}


def _run_chapter(run: Run, chapter: str, inputs: str, defaults: Mapping[str, object]) -> None:
    stamp = _stamp(run, chapter)
    # A shared output that this same step left half done is gone on with, any other made anew.
    if stamps.read(stamp) != {"started": inputs}:
        for name in SHARED_OUTPUTS.get(chapter, ()):
            shutil.rmtree(run.folder / name, ignore_errors=True)
    stamps.write(stamp, started=inputs)
    values = {"source": run.source, "quick": run.quick, **run.settings}
    values = {name: value for name, value in values.items() if name in defaults}
    start = time.monotonic()
    with _results_aside(run, chapter), _progress(run, chapter):
        _execute(run, chapter, values)
    stamps.write(
        stamp,
        inputs=inputs,
        outputs=_outputs(run, chapter),
        parameters={**defaults, **values},
        seconds=round(time.monotonic() - start, 1),
        finished=time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime()),
        commit=stamps.git_commit(),
        versions=stamps.versions(MAIN_PACKAGES),
    )


@contextlib.contextmanager
def _results_aside(run: Run, chapter: str) -> Iterator[None]:
    """Let a chapter write its results anew; if it fails, those of its last good run come back."""
    results, aside = (run.folder / name / chapter for name in ("results", "previous"))
    aside.parent.mkdir(parents=True, exist_ok=True)
    if results.exists() and not aside.exists():  # a run that was killed left them there
        results.rename(aside)
    shutil.rmtree(results, ignore_errors=True)
    try:
        yield
    except BaseException:
        shutil.rmtree(results, ignore_errors=True)
        if aside.exists():
            aside.rename(results)
        raise
    shutil.rmtree(aside, ignore_errors=True)


def _progress(run: Run, chapter: str) -> contextlib.AbstractContextManager[None]:
    """Show how far the yearly data are, while the chapter that makes them runs."""
    if chapter not in SHARED_OUTPUTS:
        return contextlib.nullcontext()
    from mpcf import stream

    return stream.shown(run.folder / "yearly.zarr")


def _execute(run: Run, chapter: str, values: Mapping[str, object]) -> None:
    import nbclient.exceptions
    import nbformat
    import papermill

    source = _notebooks() / f"{chapter}.ipynb"
    final = run.folder / "notebooks" / f"{chapter}.ipynb"
    aside = final.with_name(f".{chapter}.part.ipynb")
    log = run.folder / "logs" / f"{chapter}.txt"
    log.unlink(missing_ok=True)
    final.parent.mkdir(parents=True, exist_ok=True)
    try:
        with _environment(run):
            papermill.execute_notebook(
                str(source),
                str(aside),
                parameters=dict(values),
                kernel_name="python3",
                cwd=str(source.parent),
                progress_bar={"desc": chapter, "mininterval": 0.2 if sys.stderr.isatty() else 20},
                extra_arguments=["--log-level=ERROR"],  # of the kernel
            )
        notebook = nbformat.read(aside, as_version=4)
        _tidy(notebook, values)
        write_atomic(final, nbformat.writes(notebook))
    except papermill.PapermillExecutionError as error:
        traceback = re.sub(r"\x1b\[[0-9;]*m", "", "\n".join(error.traceback))
        write_atomic(log, f"{traceback}\n")
        cell = _source_cell(source, error.cell_index)
        text = f"{error.ename}: {error.evalue}".removesuffix(": ")
        raise ChapterFailed(chapter, cell, text, log) from None
    except nbclient.exceptions.DeadKernelError:
        cell = _source_cell(source, _running_cell(aside))
        raise ChapterFailed(
            chapter, cell, "its Python process died, perhaps for want of memory"
        ) from None
    finally:
        aside.unlink(missing_ok=True)


def _tidy(notebook, values: Mapping[str, object]) -> None:
    """Show the run's parameters where the defaults stood; drop this machine's paths and times."""
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
    """Put values into the assignments of a cell of parameters; its comments stay."""
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
    """Give the cell's number in the source notebook, which lacks the injected cell."""
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
    """Let the kernels find this build folder and the same data, whatever their folder."""
    values = {
        "MPCF_BUILD": str(run.folder.parent),
        "PYDEVD_DISABLE_FILE_VALIDATION": "1",
    }
    for name in {RECORDS_VARIABLE, *_catalogue_variables()}:
        text = os.environ.get(name, "")
        if text and Path(text).exists():
            values[name] = str(Path(text).absolute())
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


# ------------------------------------------------------------------------------------- staleness


def _inputs(run: Run, defaults: Mapping[str, Mapping[str, object]]) -> dict[str, str]:
    """Hash of what goes into each chapter, chained from the data downwards."""
    above = stamps.digest(
        _data_inputs(run) if run.source == DEMO else _source_state(run.source),
        stamps.package_files(PACKAGE, leave_out=LINE_MODULES),
        _entry(run.source),
        [stamps.fingerprint(file) for file in sorted((project_root() / "evidence").glob("*.csv"))],
        stamps.versions(MAIN_PACKAGES),
    )
    inputs = {}
    for chapter, known in defaults.items():
        values = {"source": run.source, "quick": run.quick, **run.settings}
        above = stamps.digest(
            above,
            chapter,
            (_notebooks() / f"{chapter}.ipynb").read_bytes(),
            {name: values.get(name, default) for name, default in known.items()},
            _state_of_records() if chapter == RECORDS_CHAPTER else None,
            *(_state_of_models(values.get("models", ()), run.quick) if "models" in known else ()),
        )
        inputs[chapter] = above
    return inputs


def _data_inputs(run: Run) -> str:
    return stamps.digest(
        stamps.package_files(PACKAGE, only=DATA_MODULES),
        stamps.versions(DATA_PACKAGES),
        {"quick": run.quick},
    )


def _is_fresh(run: Run, chapter: str, inputs: str) -> bool:
    known = stamps.read(_stamp(run, chapter))
    return known.get("inputs") == inputs and known.get("outputs") == _outputs(run, chapter)


def _outputs(run: Run, chapter: str) -> str:
    names = (
        f"results/{chapter}",
        f"notebooks/{chapter}.ipynb",
        *SHARED_OUTPUTS.get(chapter, ()),
    )
    return stamps.digest({name: stamps.fingerprint(run.folder / name) for name in names})


def _state_of_models(models: Iterable[str], quick: bool) -> list[str | None]:
    """State of the entries and yearly datasets of other sources that a chapter compares."""
    folders = [build_dir(model, quick) / "yearly.zarr" for model in models]
    return [*map(_entry, models), *map(stamps.fingerprint, folders)]


def _state_of_records() -> str:
    from mpcf import catalog

    return stamps.digest(_state_of_variable(RECORDS_VARIABLE), *map(_entry, catalog.records()))


def _entry(source: str) -> str:
    """Give what the catalogue says of a source, as text."""
    import yaml

    catalogue = yaml.safe_load((project_root() / "catalog.yml").read_text(encoding="utf-8"))
    return json.dumps(catalogue.get("sources", {}).get(source, {}), default=str, sort_keys=True)


def _source_state(source: str) -> str:
    """State of the files that a catalogue entry names, by path or by environment variable."""
    root, entry = project_root(), _entry(source)
    state = {name: _state_of_variable(name) for name in _variables(entry)}
    for text in _strings(json.loads(entry)):
        path = re.sub(r"\{\{\s*CATALOG_DIR\s*\}\}", str(root), text)
        if "{" not in path and Path(path).is_absolute() and Path(path).exists():
            state[text] = stamps.fingerprint(Path(path))
    return stamps.digest(state)


def _state_of_variable(name: str) -> str:
    text = os.environ.get(name, "")
    return stamps.digest(
        text and str(Path(text).absolute()), stamps.fingerprint(Path(text)) if text else None
    )


def _catalogue_variables() -> set[str]:
    return _variables((project_root() / "catalog.yml").read_text(encoding="utf-8"))


def _variables(text: str) -> set[str]:
    return set(re.findall(r"\benv\(\s*[\"'\\]*(\w+)", text)) - {"HOME", "PATH"}


def _strings(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for part in value.values():
            yield from _strings(part)
    elif isinstance(value, list):
        for part in value:
            yield from _strings(part)


def _notebooks() -> Path:
    return project_root() / "notebooks"


def _stamp(run: Run, chapter: str) -> Path:
    return run.folder / "stamps" / f"{chapter}.json"
