"""Run the book's chapters in order through papermill, and only those that are stale.

A chapter's stamp holds the hash of all that went in (the package, the source's entry of the
catalogue, the notebook, its parameters and the stamp of the chapter above) and the hash of what
came out. A chapter whose two hashes still hold is not run again; one that was edited, or run by
hand with another result, is.
"""

from __future__ import annotations

import contextlib
import shutil
import time
from collections.abc import Iterator, Mapping

from mpcf.errors import faults_at
from mpcf.pipeline import stamps
from mpcf.pipeline.execution import execute_chapter
from mpcf.pipeline.freshness import (
    MAIN_PACKAGES,
    SHARED_OUTPUTS,
    chapter_inputs,
    data_inputs,
    is_fresh,
    outputs_hash,
    stamp_path,
)
from mpcf.pipeline.runs import DEMO, Run, chapter_names, parameters

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
    inputs = data_inputs(run)
    known = stamps.read(stamp)
    if known.get("inputs") == inputs and known.get("outputs") == stamps.fingerprint(folder):
        return False
    from mpcf.demo import store

    stamp.unlink(missing_ok=True)
    start = time.monotonic()
    with faults_at(folder):
        store.simulate(folder, quick=run.quick)
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
    for chapter, inputs in chapter_inputs(run, defaults).items():
        if chapter == last or not is_fresh(run, chapter, inputs):
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
    inputs = chapter_inputs(run, parameters())
    return [chapter for chapter, known in inputs.items() if not is_fresh(run, chapter, known)]


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
    known = {chapter: stamps.read(stamp_path(run, chapter)) for chapter in chapter_names()}
    return known | {"data": stamps.read(run.folder / "stamps" / "data.json")}


def _run_chapter(run: Run, chapter: str, inputs: str, defaults: Mapping[str, object]) -> None:
    stamp = stamp_path(run, chapter)
    # Resume a half-written shared output of the same inputs; delete any other.
    if stamps.read(stamp) != {"started": inputs}:
        for name in SHARED_OUTPUTS.get(chapter, ()):
            shutil.rmtree(run.folder / name, ignore_errors=True)
    stamps.write(stamp, started=inputs)
    values = {"source": run.source, "quick": run.quick, **run.settings}
    values = {name: value for name, value in values.items() if name in defaults}
    start = time.monotonic()
    with _results_aside(run, chapter), _progress(run, chapter):
        execute_chapter(run, chapter, values)
    stamps.write(
        stamp,
        inputs=inputs,
        outputs=outputs_hash(run, chapter),
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
    from mpcf.yearly import stream

    return stream.shown(run.folder / "yearly.zarr")
