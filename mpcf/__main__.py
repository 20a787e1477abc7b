"""Command line of the book: ``python -m mpcf``."""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import json
import os
import sys
import textwrap
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from mpcf import folders
from mpcf.data import catalog, sources
from mpcf.errors import (
    BookError,
    DataError,
    InvalidChoice,
    SiteError,
    SourceUnavailable,
    faults_at,
    system_fault,
)
from mpcf.folders import SCHEDULER_VARIABLE
from mpcf.pipeline import absent, chapters, contents, freshness, page_checks, runs, site

if TYPE_CHECKING:
    import xarray as xr

    from mpcf.data import checks


LAYOUTS = ("cesm", "cmip6")
"""Layouts of raw model output that can be written."""

INTERRUPTED = 130
"""Exit status after Ctrl+C, by shell convention: 128 plus the signal's number."""


def main(arguments: Sequence[str] | None = None) -> int:
    """
    Run a command.

    Parameters
    ----------
    arguments : sequence of str, optional
        The command line without the program's name; by default this process's own.

    Returns
    -------
    int
        Exit status: 0 if all went well, 1 after an error that the user can fix, 130 after Ctrl+C.
    """
    options = _parser().parse_args(arguments)
    if getattr(options, "scheduler", None):
        os.environ[SCHEDULER_VARIABLE] = options.scheduler  # the chapters' processes inherit it
    try:
        return options.command(options) or 0
    except BookError as error:
        return _fail(error)
    except OSError as error:
        if fault := system_fault(error):
            return _fail(fault)
        raise
    except KeyboardInterrupt:
        print("\nstopped", file=sys.stderr)
        return INTERRUPTED


def _fail(error: BookError) -> int:
    print(f"error: {error}", file=sys.stderr)
    return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m mpcf", description=_DESCRIPTION)
    commands = parser.add_subparsers(metavar="command", required=True)

    def command(name: str, function, text: str, *parts: argparse.ArgumentParser):
        added = commands.add_parser(name, help=text, description=text, parents=parts)
        added.set_defaults(command=function)
        return added

    size = argparse.ArgumentParser(add_help=False)
    size.add_argument(
        "--quick", action="store_true", help="use the small ensemble, for a first look"
    )
    source = argparse.ArgumentParser(add_help=False)
    source.add_argument("--source", default=runs.DEMO, help="entry of the catalogue")
    settings = argparse.ArgumentParser(add_help=False)
    settings.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="a parameter of the notebooks; may be given several times",
    )
    # papermill's spelling, which is answered with the right one
    settings.add_argument("-p", nargs=2, action="append", default=[], help=argparse.SUPPRESS)
    cluster = argparse.ArgumentParser(add_help=False)
    cluster.add_argument(
        "--scheduler",
        metavar="ADDRESS",
        help="a Dask scheduler, such as tcp://10.0.0.1:8786, whose workers make the yearly data; "
        f"by default the one named by {SCHEDULER_VARIABLE}, or else this machine alone",
    )
    parts = (size, source, settings, cluster)
    command("book", _book, "make the data, chapters and site that are stale", *parts)
    run = command("run", _run, "run a chapter, after whatever it needs", *parts)
    run.add_argument("chapter", help="its number or name, such as 04")
    command("simulate", _simulate, "make the demonstration ensemble", size)
    page = command(
        "site", _site, "make the site from chapters that are up to date", size, source, settings
    )
    page.add_argument("--check", action="store_true", help="only check the existing pages")
    served = command("serve", _serve, "serve the site to this machine alone", size, source)
    served.add_argument("--port", type=int, default=8000)
    check = command("check", _check, "check a source, and report every finding", size)
    check.add_argument("source", help="entry of the catalogue")
    check.add_argument("--json", action="store_true", help="print JSON")
    exported = command(
        "export", _export, "write the demonstration ensemble as raw model output", size
    )
    exported.add_argument("--layout", required=True, choices=LAYOUTS, help="of which models")
    exported.add_argument("folder", type=Path, help="a new folder")
    local = command(
        "catalogue", _catalogue, "write the intake-esm catalogue of a folder with files of CMIP"
    )
    local.add_argument("folder", type=Path, help="a folder with files of CMIP6 or CMIP7 below")
    command("sources", _sources, "list the entries of the catalogue")
    command("golden", _golden, "make the quick run's numbers the reference of the tests")
    return parser


_DESCRIPTION = "Moisture-amplified Permafrost Carbon Feedback: run and render the book."


def _chosen(options: argparse.Namespace) -> runs.Run:
    """Return the run that the options describe, after checking all names in them."""
    if options.p:
        known = {k: v for defaults in runs.parameters().values() for k, v in defaults.items()}
        texts = [runs.spelling(name, value, known.get(name, "")) for name, value in options.p]
        raise InvalidChoice(f"there is no option -p; write {' '.join(texts)}")
    settings = runs.read_settings(options.set)
    for name in (options.source, *settings.get("models", ())):
        catalog.entry(name)
    return runs.Run(options.source, options.quick, settings)


def _book(options: argparse.Namespace) -> None:
    run = _chosen(options)
    contents.check_contents()
    with _at_work(run):
        _bring_up_to_date(run)
        rendered = site.build(run)
    _say("site" if rendered else "site, unchanged", run.folder / "html" / "index.html")


def _run(options: argparse.Namespace) -> None:
    chapter = runs.find_chapter(options.chapter)
    run = _chosen(options)
    with _at_work(run):
        _bring_up_to_date(run, chapter)
    _say("executed notebook", run.folder / "notebooks" / f"{chapter}.ipynb")
    _say("results", run.folder / "results" / chapter)


def _simulate(options: argparse.Namespace) -> None:
    run = runs.Run(quick=options.quick)
    with _at_work(run):
        made = chapters.simulate(run)
    _say("data" if made else "data, unchanged", run.folder / "data")


def _site(options: argparse.Namespace) -> None:
    run = _chosen(options)
    folder = run.folder / "html"
    if not options.check:
        with _at_work(run):
            site.build(run)
    elif problems := page_checks.check(folder, contents.pages(folders.project_root() / "_toc.yml")):
        raise SiteError(f"faults in {folder}:\n  " + "\n  ".join(problems))
    _say("site, checked", folder / "index.html")


def _serve(options: argparse.Namespace) -> None:
    catalog.entry(options.source)
    run = runs.Run(options.source, options.quick)
    with site.server(run, options.port) as server:
        print(f"http://127.0.0.1:{options.port}/ is the site; stop it with Ctrl+C", flush=True)
        with contextlib.suppress(KeyboardInterrupt):
            server.serve_forever()


def _check(options: argparse.Namespace) -> int:
    from mpcf.data import checks

    source = catalog.entry(options.source)
    try:
        monthly = sources.open_source(source.name, quick=options.quick)
        findings = checks.examine(monthly, source)
        findings += checks.chapters(monthly, source)
        findings.append(_check_yearly(monthly, folders.build_dir(source.name, options.quick)))
    except (SourceUnavailable, DataError) as error:
        findings = [checks.Finding("reading", "error", str(error))]
    faults = sum(finding.status == "error" for finding in findings)
    if options.json:
        rows = [dataclasses.asdict(finding) for finding in findings]
        print(json.dumps({"source": options.source, "errors": faults, "checks": rows}, indent=1))
        return 1 if faults else 0
    for finding in findings:
        lines = _wrap(finding.found)
        print(f"{finding.status:<8}{finding.check:<11}{lines[0]}")
        for line in lines[1:]:
            print(f"{'':<19}{line}")
    found = f"{faults} error{'s'[: faults > 1]}" if faults else "nothing wrong was found"
    print(f"{options.source}: {found}")
    return 1 if faults else 0


def _check_yearly(monthly: xr.Dataset, folder: Path) -> checks.Finding:
    """Check all years, using the yearly dataset that chapter 1 makes."""
    import xarray as xr

    from mpcf.data import checks, yearly_checks

    path = folder / "yearly.zarr"
    if not path.exists():
        text = "chapter 1, which reads all years, checks the values of the years between"
        return checks.Finding("years", "note", text)
    made = datetime.fromtimestamp(path.stat().st_mtime).strftime("%Y-%m-%d %H:%M")
    whole = f" (yearly dataset of {made}; chapter 1 makes a new one if the data change)"
    try:
        return checks.Finding(
            "years", "ok", yearly_checks.check_yearly(xr.open_zarr(path), monthly) + whole
        )
    except DataError as error:
        return checks.Finding("years", "error", str(error) + whole)


def _wrap(text: str) -> list[str]:
    """Break a text into lines, but never within a path or an address."""
    return textwrap.wrap(text, 76, break_long_words=False, break_on_hyphens=False) or [""]


def _export(options: argparse.Namespace) -> None:
    from mpcf.data.export import export

    run = runs.Run(quick=options.quick)
    with _at_work(run):
        chapters.simulate(run)
        monthly = sources.open_source(run.source, quick=run.quick)
        phases = catalog.entry(run.source).phases
        export(monthly, options.folder, options.layout, phases)
    _say("exported data", options.folder)
    _say("its entry for catalog.yml", options.folder / "catalog-entry.yml")


def _catalogue(options: argparse.Namespace) -> None:
    from mpcf.data.local_catalogue import write_catalogue

    try:
        path, count = write_catalogue(options.folder)
    except FileNotFoundError as error:
        raise SourceUnavailable(str(error)) from error
    _say(f"catalogue of {count} files", path)


def _sources(options: argparse.Namespace) -> None:
    for kind, names in (("sources", catalog.sources()), ("records", catalog.records())):
        print(f"{kind}:")
        for name in names:
            print(f"  {name:<16}{catalog.entry(name).description}")
    _say("catalogue", folders.project_root() / "catalog.yml")


def _golden(options: argparse.Namespace) -> None:
    run = runs.Run(quick=True)
    with _at_work(run):
        _bring_up_to_date(run)
        golden = folders.project_root() / "tests" / "golden" / "numbers.json"
        text = (run.folder / "results" / "numbers.json").read_text(encoding="utf-8")
        folders.write_atomic(golden, text)
    _say("golden numbers", golden)


@contextlib.contextmanager
def _at_work(run: runs.Run) -> Iterator[None]:
    """Lock a run's folder; name it in errors that do not say where they occurred."""
    with folders.lock(run.folder), faults_at(run.folder):
        yield


def _bring_up_to_date(run: runs.Run, last: str | None = None) -> None:
    if chapters.simulate(run):
        _say("data", run.folder / "data")
    if places := freshness.unwatched(run):
        more = f" and {len(places) - 1} more" if len(places) > 1 else ""
        again = f".venv/bin/python -m mpcf run 01 --source {run.source}"
        again += " --quick" if run.quick else ""
        print(f"not watched for changes: {places[0]}{more}; to read it again: {again}")
    done = chapters.run_chapters(run, last)
    print(f"chapters executed: {', '.join(done)}" if done else "chapters: all up to date")
    for chapter, lacks in absent.left_out(run).items():
        print(f"chapter left out: {chapter}, since the source lacks {lacks}")


def _say(what: str, path: Path) -> None:
    """Print the path of a result, relative if it is inside the working directory."""
    shown = os.path.relpath(path)
    print(f"{what}: {path if shown.startswith('..') else shown}")


if __name__ == "__main__":
    sys.exit(main())
