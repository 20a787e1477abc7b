"""Run the book's stale chapters in order, with papermill.

A chapter's stamp holds a hash of all its inputs (the modules that its notebook reaches, the
source's entry in the catalogue, the notebook, its parameters, and the inputs of the chapter before
it) and a hash of its outputs. A chapter is run again if either hash no longer matches: it was
edited, something that it depends on has changed, or its results were changed by hand.
"""

from __future__ import annotations

import contextlib
import shutil
import time
from collections.abc import Iterator, Mapping

from mpcf.errors import DataError, faults_at
from mpcf.pipeline import absent, stamps
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
    Make the demonstration ensemble, if its inputs have changed.

    Parameters
    ----------
    run : Run
        The run; nothing is made for a source other than the demonstration.

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
        The last chapter to run, which is executed even if up to date; by default, all stale
        chapters are executed.

    Returns
    -------
    list of str
        The chapters that were executed; those that the source cannot feed are left out.

    Raises
    ------
    ChapterFailed
        If a chapter stops with an error; the chapters after it are not run.
    DataError
        If the source cannot feed the last one.
    """
    defaults = parameters()
    done = []
    without = {}
    for number, (chapter, inputs) in enumerate(chapter_inputs(run, defaults)):
        if number == 1:  # the first chapter makes the data by which the others are judged
            without = absent.left_out(run)
        if chapter in without:
            absent.clear(run, chapter)
            if chapter == last:
                raise DataError(
                    f"chapter {chapter} can't run on source '{run.source}', which lacks "
                    f"{without[chapter]}; its page in the book says where that could come from"
                )
            continue
        if chapter == last or not is_fresh(run, chapter, inputs):
            _run_chapter(run, chapter, inputs, defaults[chapter])
            done.append(chapter)
        if chapter == last:
            break
    return done


def stale_chapters(run: Run) -> list[str]:
    """
    Return the chapters that a run would execute.

    Parameters
    ----------
    run : Run
        Source, size and parameters.

    Returns
    -------
    list of str
        Their names, in order.
    """
    without = absent.left_out(run)
    return [
        chapter
        for chapter, known in chapter_inputs(run, parameters())
        if (
            absent.has_outputs(run, chapter)
            if chapter in without
            else not is_fresh(run, chapter, known)
        )
    ]


def provenance(run: Run) -> dict[str, dict]:
    """
    Return what is known about the last run of each chapter, and about its data.

    Parameters
    ----------
    run : Run
        Source and size.

    Returns
    -------
    dict
        Chapter → stamp with parameters, duration, date, commit and versions; ``"data"`` → stamp
        with the checksum of the data.
    """
    known = {chapter: stamps.read(stamp_path(run, chapter)) for chapter in chapter_names()}
    return known | {"data": stamps.read(run.folder / "stamps" / "data.json")}


def _run_chapter(run: Run, chapter: str, inputs: str, defaults: Mapping[str, object]) -> None:
    stamp = stamp_path(run, chapter)
    # A half-written shared output is resumed if its inputs are the same, and deleted otherwise.
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
    """Let a chapter write new results, and restore the previous ones if it fails."""
    results, aside = (run.folder / name / chapter for name in ("results", "previous"))
    aside.parent.mkdir(parents=True, exist_ok=True)
    if results.exists() and not aside.exists():  # a killed run leaves them aside
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
    """Show the progress of the yearly dataset while the chapter that makes it runs."""
    if chapter not in SHARED_OUTPUTS:
        return contextlib.nullcontext()
    from mpcf.yearly import progress

    return progress.shown(run.folder / "yearly.zarr")
