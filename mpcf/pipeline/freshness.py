"""What makes a chapter or the data stale."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from mpcf import closure
from mpcf.data import catalog
from mpcf.data.places import RECORDS_VARIABLE, is_address
from mpcf.data.sources import input_files
from mpcf.errors import DataError
from mpcf.folders import build_dir, project_root
from mpcf.pipeline import stamps
from mpcf.pipeline.runs import DEMO, Run, notebooks_folder

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
# Outputs that a chapter writes outside its own folder in results/.
SHARED_OUTPUTS = {"01-data": ("yearly.zarr", "yearly.zarr.part")}
# The chapter whose results depend on the records too, and the variable that names their folder.
RECORDS_CHAPTER = "07-reality-check"


# ------------------------------------------------------------------------------------- staleness


def chapter_inputs(
    run: Run, defaults: Mapping[str, Mapping[str, object]], root: Path = closure.ROOT
) -> Iterator[tuple[str, str]]:
    """Yield each chapter with the hash of its inputs, chained from the data downwards.

    Data on a network may change unnoticed, so the outputs of a chapter that reads such data are
    inputs of later chapters. Run a chapter before requesting the next one.

    Parameters
    ----------
    run : Run
        Source, size and parameters.
    defaults : mapping of str to mapping
        Chapter → its parameters with their defaults.
    root : Path, optional
        Folder of the package.

    Yields
    ------
    chapter, inputs : str
        Its name, and the hash.
    """
    above = stamps.digest(
        data_inputs(run, root) if run.source == DEMO else _state_of(run.source, run.quick),
        _entry(run.source),
        [stamps.fingerprint(file) for file in sorted((project_root() / "evidence").glob("*.csv"))],
        stamps.versions(MAIN_PACKAGES),
    )
    is_watched = not unwatched(run)
    for chapter, known in defaults.items():
        values = {"source": run.source, "quick": run.quick, **run.settings}
        above = stamps.digest(
            above,
            chapter,
            (notebooks_folder() / f"{chapter}.ipynb").read_bytes(),
            closure.digest(closure.reached(_code_of(chapter), root), root),
            {name: values.get(name, default) for name, default in known.items()},
            _state_of_records() if chapter == RECORDS_CHAPTER else None,
            *(_state_of_models(values.get("models", ()), run.quick) if "models" in known else ()),
        )
        yield chapter, above
        if chapter in SHARED_OUTPUTS and not is_watched:
            above = stamps.digest(above, stamps.read(stamp_path(run, chapter)).get("outputs"))


def unwatched(run: Run) -> list[str]:
    """Return the addresses that a run reads, where stamps cannot detect changes.

    Parameters
    ----------
    run : Run
        Source and size.

    Returns
    -------
    list of str
        Empty for a source that is entirely on this machine, or that cannot be read at all.
    """
    if run.source == DEMO:
        return []
    try:
        return [place for place in input_files(run.source, quick=run.quick) if is_address(place)]
    except (DataError, OSError):
        return []


def _code_of(chapter: str) -> list[str]:
    notebook = json.loads((notebooks_folder() / f"{chapter}.ipynb").read_text(encoding="utf-8"))
    return ["".join(c["source"]) for c in notebook["cells"] if c["cell_type"] == "code"]


def data_inputs(run: Run, root: Path = closure.ROOT) -> str:
    """Return the hash of the demonstration ensemble's inputs: code, packages, size."""
    return stamps.digest(
        closure.digest(closure.reached(["from mpcf.demo.store import simulate"], root), root),
        stamps.versions(DATA_PACKAGES),
        {"quick": run.quick},
    )


def is_fresh(run: Run, chapter: str, inputs: str) -> bool:
    """Check that a chapter was run with these inputs, and that its outputs are unchanged."""
    known = stamps.read(stamp_path(run, chapter))
    return known.get("inputs") == inputs and known.get("outputs") == outputs_hash(run, chapter)


def outputs_hash(run: Run, chapter: str) -> str:
    """Return the hash of a chapter's outputs."""
    names = (
        f"results/{chapter}",
        f"notebooks/{chapter}.ipynb",
        *SHARED_OUTPUTS.get(chapter, ()),
    )
    return stamps.digest({name: stamps.fingerprint(run.folder / name) for name in names})


def _state_of_models(models: Iterable[str], quick: bool) -> list[dict | str | None]:
    """Return the state of the entries and yearly datasets of other sources in a comparison."""
    folders = [build_dir(model, quick) / "yearly.zarr" for model in models]
    return [*map(_entry, models), *map(stamps.fingerprint, folders)]


def _state_of_records() -> str:
    """Return the state of the records; a downloaded one is identified by its entry's checksum."""
    names = catalog.records()
    own = bool(os.environ.get(RECORDS_VARIABLE))
    return stamps.digest([_state_of(name) for name in names] if own else None, *map(_entry, names))


def _entry(source: str) -> dict:
    """Return a source's entry in the catalogue; empty if there is none."""
    known = catalog.read_catalogue().get(source)
    return known.model_dump(mode="json") if known else {}


def _state_of(source: str, quick: bool = False) -> str:
    """Return the state of a source's files, or the reason why it cannot be read."""
    try:
        return stamps.digest(stamps.states(input_files(source, quick=quick)))
    except (DataError, OSError) as error:
        return str(error)


def stamp_path(run: Run, chapter: str) -> Path:
    """Return the file of a chapter's stamp."""
    return run.folder / "stamps" / f"{chapter}.json"
