"""Report progress in writing a yearly store, by this process or another."""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from mpcf.yearly.job import Job

if TYPE_CHECKING:
    from tqdm import tqdm

SECONDS_BETWEEN_LOOKS = 2.0
"""s, interval at which the progress of another process is checked."""


def remaining(path: Path) -> tuple[int, int] | None:
    """Return how many steps of a yearly store are done, whichever process writes it.

    Parameters
    ----------
    path : Path
        The store that `write_yearly` is writing.

    Returns
    -------
    (int, int) or None
        Steps done and steps in total; None if the store is not being written.
    """
    folder = path.with_name(path.name + ".part")
    try:
        steps = json.loads((folder / "plan.json").read_text(encoding="utf-8"))["steps"]
    except (FileNotFoundError, ValueError):
        return None
    return len(list((folder / "done").glob("[!.]*"))), steps


@contextlib.contextmanager
def shown(path: Path) -> Iterator[None]:
    """Show the progress of a yearly store while another process writes it.

    Parameters
    ----------
    path : Path
        The store that `write_yearly` is writing, or will be.

    Yields
    ------
    None
        While a progress bar with the time left follows the writing.
    """
    stop = threading.Event()

    def follow() -> None:
        from tqdm import tqdm

        bar = None
        while not stop.wait(SECONDS_BETWEEN_LOOKS):
            done = remaining(path)
            if done and bar is None:
                bar = tqdm(total=done[1], initial=done[0], desc="monthly to yearly", unit="step")
            if bar is not None:
                bar.update((done[0] if done else bar.total) - bar.n)
        if bar is not None:
            bar.close()

    thread = threading.Thread(target=follow, daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


@contextlib.contextmanager
def progress_bar(job: Job, shown: bool) -> Iterator[tqdm]:
    """Show the progress of the steps that this process performs.

    Parameters
    ----------
    job : Job
        The store that is being written.
    shown : bool
        Whether to show the bar.

    Yields
    ------
    tqdm
        The bar, to be updated after each step.
    """
    from tqdm import tqdm

    done, steps = remaining(job.path)
    with tqdm(
        total=steps, initial=done, desc="monthly to yearly", unit="step", disable=not shown
    ) as bar:
        yield bar
