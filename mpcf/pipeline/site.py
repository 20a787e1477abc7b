"""Make the site: stage the executed chapters and the prose, render them, check the pages.

The stage has the same folders as the sources, so that edit and launch links point to files that
exist. The site is rendered in a folder of its own, checked, and only then moved into place.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from mpcf import closure
from mpcf.errors import SiteError, faults_at, system_fault
from mpcf.folders import project_root, replace_dir, restore_dir
from mpcf.pipeline import absent, chapters, measurements, runs, stamps
from mpcf.pipeline.contents import check_contents, pages
from mpcf.pipeline.page_checks import check
from mpcf.pipeline.runs import Run
from mpcf.pipeline.staging import COSTS, repository_url, stage_pages

INPUTS = ("_config.yml", "_toc.yml", "book", COSTS)
PACKAGES = ("jupyter-book", "myst-nb", "pydata-sphinx-theme", "sphinx", "sphinx-book-theme")


def build(run: Run) -> bool:
    """
    Make the site of a run, if its inputs have changed.

    Parameters
    ----------
    run : Run
        A run whose chapters are all up to date.

    Returns
    -------
    bool
        Whether the site was made.

    Raises
    ------
    SiteError
        If a chapter is stale, a marker's key is unknown, rendering gives a warning or a page has a
        fault. The last good site stays in place.
    SystemFault
        If the pages can't be written.
    """
    if stale := chapters.stale_chapters(run):
        raise SiteError(
            f"chapters not up to date: {', '.join(stale)} (never run with these options, or "
            "something that they depend on has changed since they started); run the book again"
        )
    check_contents()
    final, stamp = run.folder / "html", run.folder / "stamps" / "site.json"
    restore_dir(final)
    inputs = _inputs(run)
    if stamps.read(stamp) == {"inputs": inputs, "outputs": stamps.fingerprint(final)}:
        return False
    for folder in ("stage", "render"):
        shutil.rmtree(run.folder / folder, ignore_errors=True)
    own = str(os.getpid())  # the renderer of a run that was killed may still be writing
    stage, rendered = run.folder / "stage" / own, run.folder / "render" / own
    with faults_at(stage):
        stage_pages(run, stage)
    made = _render(stage, rendered)
    with faults_at(made):
        (made / "results").mkdir()
        shutil.copy(run.folder / "results" / "numbers.json", made / "results")
    if problems := check(made, pages(stage / "_toc.yml")):
        raise SiteError("the site has faults:\n  " + "\n  ".join(problems))
    stamp.unlink(missing_ok=True)
    replace_dir(made, final)
    stamps.write(stamp, inputs=inputs, outputs=stamps.fingerprint(final))
    shutil.rmtree(rendered.parent, ignore_errors=True)
    return True


def server(run: Run, port: int) -> ThreadingHTTPServer:
    """
    Return a web server for a run's site that only this machine can reach.

    Parameters
    ----------
    run : Run
        A run whose site has been made.
    port : int
        Port to listen on, 1 to 65535.

    Returns
    -------
    ThreadingHTTPServer
        The server, not yet serving.

    Raises
    ------
    SiteError
        If there is no site or the port cannot be used; the message says what to do.
    """
    folder = run.folder / "html"
    if not (folder / "index.html").is_file():
        how = f" SOURCE={run.source}" if run.source != runs.DEMO else ""
        how += " QUICK=1" if run.quick else ""
        raise SiteError(f"there is no site in {folder} yet; make it with: make book{how}")
    if not 0 < port < 2**16:
        raise SiteError(f"there is no port {port}; choose one below 65536: make PORT=8001 serve")
    handler = partial(SimpleHTTPRequestHandler, directory=str(folder))
    try:
        return ThreadingHTTPServer(("127.0.0.1", port), handler)
    except OSError as error:
        other = 8001 if port == 8000 else 8000
        raise SiteError(
            f"port {port} can't be used ({error.strerror}); choose another: make PORT={other} serve"
        ) from error


def _inputs(run: Run) -> str:
    root = project_root()
    outputs = (
        "notebooks",
        "results/numbers.json",
        "results/sentences.json",
        "results/figures.json",
    )
    return stamps.digest(
        {name: stamps.fingerprint(root / name) for name in INPUTS},
        {name: stamps.fingerprint(run.folder / name) for name in outputs},
        closure.digest(sorted(closure.ROOT.rglob("*.py"))),  # all modules are in the API reference
        stamps.fingerprint(measurements.results_file()),
        chapters.provenance(run),
        {chapter: str(lacks) for chapter, lacks in absent.left_out(run).items()},
        stamps.versions(PACKAGES),
        repository_url(),
    )


# ------------------------------------------------------------------------------------ rendering


def _render(stage: Path, rendered: Path) -> Path:
    """Run Jupyter Book, with warnings treated as errors."""
    program = "from jupyter_book.cli.main import main; main()"  # there is no -m jupyter_book
    command = [sys.executable, "-c", program, "build", str(stage)]
    options = ["--path-output", str(rendered), "-W", "-n", "--keep-going", "--quiet"]
    environment = os.environ | {"PYTHONWARNINGS": "ignore", "NO_COLOR": "1"}
    done = subprocess.run(
        command + options, env=environment, capture_output=True, text=True, check=False
    )
    if done.returncode:
        plain = re.sub(r"\x1b\[[0-9;]*m", "", done.stdout + done.stderr)
        if fault := system_fault(plain, rendered):
            raise fault
        said = [line for line in plain.splitlines() if line.strip()]
        faults = [line for line in said if "WARNING" in line or "ERROR" in line] or said[-30:]
        raise SiteError("Jupyter Book could not render the site:\n  " + "\n  ".join(faults))
    return rendered / "_build" / "html"
