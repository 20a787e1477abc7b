"""What makes a chapter or the data stale."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from mpcf import closure
from mpcf.data.catalog import RECORDS_VARIABLE
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
# Outputs that a chapter writes beside its own folder in results/.
SHARED_OUTPUTS = {"01-data": ("yearly.zarr", "yearly.zarr.part")}
# The chapter whose results depend on the records too, and the variable that names their folder.
RECORDS_CHAPTER = "07-reality-check"


# ------------------------------------------------------------------------------------- staleness


def chapter_inputs(run: Run, defaults: Mapping[str, Mapping[str, object]]) -> dict[str, str]:
    """Hash of what goes into each chapter, chained from the data downwards."""
    above = stamps.digest(
        data_inputs(run) if run.source == DEMO else _source_state(run.source),
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
            (notebooks_folder() / f"{chapter}.ipynb").read_bytes(),
            closure.digest(closure.reached(_code_of(chapter))),
            {name: values.get(name, default) for name, default in known.items()},
            _state_of_records() if chapter == RECORDS_CHAPTER else None,
            *(_state_of_models(values.get("models", ()), run.quick) if "models" in known else ()),
        )
        inputs[chapter] = above
    return inputs


def _code_of(chapter: str) -> list[str]:
    notebook = json.loads((notebooks_folder() / f"{chapter}.ipynb").read_text(encoding="utf-8"))
    return ["".join(c["source"]) for c in notebook["cells"] if c["cell_type"] == "code"]


def data_inputs(run: Run) -> str:
    """Return the hash of what the demonstration ensemble is made from: code, packages, size."""
    return stamps.digest(
        closure.digest(closure.reached(["from mpcf.demo.store import simulate"])),
        stamps.versions(DATA_PACKAGES),
        {"quick": run.quick},
    )


def is_fresh(run: Run, chapter: str, inputs: str) -> bool:
    """Check that a chapter was run with these inputs, and that its outputs are still those."""
    known = stamps.read(stamp_path(run, chapter))
    return known.get("inputs") == inputs and known.get("outputs") == outputs_hash(run, chapter)


def outputs_hash(run: Run, chapter: str) -> str:
    """Return the hash of what a chapter wrote."""
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
    from mpcf.data import catalog

    return stamps.digest(_state_of_variable(RECORDS_VARIABLE), *map(_entry, catalog.records()))


def _entry(source: str) -> str:
    """Return what the catalogue says of a source, as text."""
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


def stamp_path(run: Run, chapter: str) -> Path:
    """Return the file of a chapter's stamp."""
    return run.folder / "stamps" / f"{chapter}.json"
