"""Lay out chapters and prose for Jupyter Book: computed numbers, banners, links, footers."""

from __future__ import annotations

import html
import json
import os
import re
import shutil
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from urllib.parse import urlsplit

from mpcf.book.tables import markdown_table
from mpcf.book.wording import typeset_unit
from mpcf.data.needs import CHAPTERS, Missing, needs_of
from mpcf.errors import SiteError, suggestion
from mpcf.folders import project_root, write_atomic
from mpcf.pipeline import absent, chapters, measurements, reference, stamps
from mpcf.pipeline.contents import pages
from mpcf.pipeline.runs import Run
from mpcf.pipeline.source_table import table_of_sources

COSTS = "benchmarks/results/yearly.json"

SHOWN_PACKAGES = ("numpy", "xarray", "statsmodels", "numba", "papermill", "jupyter-book")

BANNERS = ("**Demonstration data", "**Data of this page")
"""Possible beginnings of the banner that a chapter shows itself, see
`mpcf.book.chapter.Chapter.banner`."""

_MARKER = re.compile(r"\{(number|sentence|figure-of-run|modules-of)\}`([^`\n]+)`")
_NAMES = "parameters|costs|needs|sources"
_TABLE_MARKER = re.compile(
    rf"^(?:```\{{table-of-({_NAMES})\}}\n```|\{{table-of-({_NAMES})\}})[ \t]*$", re.MULTILINE
)
_TITLE = re.compile(r"^# .+$", re.MULTILINE)


# ------------------------------------------------------------------------------------- staging


def stage_pages(run: Run, stage: Path) -> None:
    """Write a run's pages in the form that Jupyter Book expects.

    Parameters
    ----------
    run : Run
        A run whose chapters are all up to date.
    stage : Path
        Folder to write, with the same subfolders as the sources.

    Raises
    ------
    SiteError
        If a page asks for a number, sentence or figure that the run did not record.
    """
    import nbformat

    root, results = project_root(), run.folder / "results"
    entries = {
        kind: stamps.read(results / f"{kind}.json") for kind in ("numbers", "sentences", "figures")
    }
    known, banner = chapters.provenance(run), _raw(_banner(run))
    shutil.copytree(root / "book", stage / "book", ignore=shutil.ignore_patterns(".*"))
    shutil.copy(root / "_toc.yml", stage)
    write_atomic(stage / "_config.yml", _config(root))
    for figure in entries["figures"].values():
        target = stage / "figures" / figure["file"]
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(results / figure["file"], target)
    for kind, found in measurements.entries(measurements.results_file(), stage / "figures").items():
        entries[kind] |= found
    without = absent.left_out(run)
    for page in pages(root / "_toc.yml"):
        executed, prose = run.folder / f"{page}.ipynb", stage / f"{page}.md"
        if executed.stem in without:
            notebook = absent.page(run, without[executed.stem])
            _complete(notebook, banner, _raw(_footer(run, known, page)))
            write_atomic(stage / f"{page}.ipynb", nbformat.writes(notebook))
        elif executed.is_file():
            footer = _raw(_footer(run, known, page, executed.stem))
            notebook = nbformat.read(executed, as_version=4)
            _complete(notebook, banner, footer)
            notebook.cells = join_hidden(notebook.cells)
            write_atomic(stage / f"{page}.ipynb", nbformat.writes(notebook))
        else:
            text = fill(prose.read_text(encoding="utf-8"), f"{page}.md", entries, without)
            text = _after_title(text, banner, f"{page}.md")
            write_atomic(prose, f"{text}\n\n{_raw(_footer(run, known, page))}\n")


def fill(
    text: str,
    page: str,
    entries: Mapping[str, Mapping],
    without: Mapping[str, Missing] | None = None,
) -> str:
    """
    Replace a page's markers with the run's numbers, sentences, figures and tables.

    Parameters
    ----------
    text : str
        A page in MyST Markdown. Code blocks stay unchanged.
    page : str
        Path of the page, for messages.
    entries : mapping
        ``"numbers"``, ``"sentences"`` and ``"figures"``, each key → entry.
    without : mapping of str to Missing, optional
        Chapters that the run leaves out; their markers become a statement that says so.

    Returns
    -------
    str
        The page without markers.

    Raises
    ------
    SiteError
        If there is no entry for a key, or a number cannot be formatted as the marker asks.

    Examples
    --------
    >>> area = {"value": 14.26, "unit": "1e6 km2", "meaning": "permafrost area"}
    >>> fill("{number}`02-thaw/area|.1f` million km²", "a.md", {"numbers": {"02-thaw/area": area}})
    '14.3 million km²'
    """

    def one(match: re.Match) -> str:
        kind = match[1]
        key, _, form = match[2].partition("|")
        if kind == "modules-of":
            return reference.sections(key)
        known = entries["figures" if kind == "figure-of-run" else f"{kind}s"]
        if key not in known:
            if lacks := (without or {}).get(key.partition("/")[0]):
                return _not_available(kind, lacks)
            hint = suggestion(key, known) if known else "it recorded none"
            raise SiteError(f"{page}: the run recorded no {kind} '{key}'; {hint}")
        if kind == "number":
            return _number(known[key]["value"], form or ".3g", f"{page}: {match[0]}")
        return known[key] if kind == "sentence" else _figure(key, known[key])

    def table(match: re.Match) -> str:
        return _TABLES[match[1] or match[2]]()

    def prose(part: str) -> str:
        return _TABLE_MARKER.sub(table, _MARKER.sub(one, part))

    return "".join(part if code else prose(part) for code, part in _code_and_prose(text))


def _not_available(kind: str, lacks: Missing) -> str:
    """Return what stands in place of a marker whose chapter is left out."""
    if kind == "number":
        return "(not available from this source)"
    what = "The figure is not" if kind == "figure-of-run" else "Not"
    return f"*{what} available from this source, which lacks {lacks}.*"


def _code_and_prose(text: str) -> Iterator[tuple[bool, str]]:
    """Split a page into code blocks (True) and the rest (False); directives are not code."""
    code, directives, part = "", [], ""
    for line in text.splitlines(keepends=True):
        opening = re.match(r"(`{3,}|~{3,})(.*)", line.strip())
        if code:
            part += line
            if line.strip() == code:
                yield True, part
                code, part = "", ""
        elif opening and opening[2].startswith("{"):
            directives.append(opening[1])
            part += line
        elif directives and line.strip() == directives[-1]:
            directives.pop()
            part += line
        elif opening and "`" not in opening[2]:
            yield False, part
            code, part = opening[1], line
        else:
            part += line
    yield bool(code), part


def _number(value: float | None, form: str, where: str) -> str:
    if value is None:
        return "unknown"
    try:
        return format(value, form).replace("-", "−")
    except ValueError as error:
        raise SiteError(f"{where}: {error}") from None


def _figure(key: str, figure: Mapping[str, str]) -> str:
    alt = json.dumps(" ".join(figure["alt"].split()), ensure_ascii=False)
    name = key.replace("/", "-")
    wide = ":figclass: mpcf-wide\n" if figure.get("wide") else ""
    return (
        f"\n:::{{figure}} /figures/{figure['file']}\n:alt: {alt}\n:name: {name}\n{wide}\n"
        f"{' '.join(figure['caption'].split())}\n:::\n"
    )


def _table_of_parameters() -> str:
    """Format the demonstration's parameters as a table for each group."""
    from mpcf.demo import parameters

    frame = parameters.table().astype(str)
    units = (
        frame.pop("unit")
        .map(typeset_unit)
        .str.replace(" ", "\u00a0")
        .replace({"1": "", "year": ""})
    )
    frame["value"] = (frame["value"] + "\u00a0" + units).str.rstrip("\u00a0")
    links = r"[doi](https://doi.org/\1)"
    frame["source"] = frame["source"].str.replace(r"doi (10\.[^\s,;)]+)", links, regex=True)
    frame = frame.set_index(frame.columns.drop("group")[0])
    return "\n\n".join(
        f"**{group.capitalize()}**\n\n{markdown_table(rows.drop(columns='group'))}"
        for group, rows in frame.groupby("group", sort=False)
    )


def _table_of_costs() -> str:
    return measurements.costs(project_root() / COSTS)


def _table_of_needs() -> str:
    """Format what each chapter needs of a source."""
    import pandas as pd

    rows = {}
    for chapter in CHAPTERS:
        needs = needs_of(chapter)
        phases = [*needs.phases, *([" or ".join(needs.one_of)] if needs.one_of else [])]
        rows[f"[{chapter[:2].lstrip('0')}](../notebooks/{chapter}.ipynb)"] = {
            "variables": ", ".join(f"`{name}`" for name in needs.monthly) or "any",
            "phases": ", ".join(phases) or "any",
            "members": str(needs.members),
        }
    return markdown_table(pd.DataFrame.from_dict(rows, "index").rename_axis("chapter"))


_TABLES = {
    "parameters": _table_of_parameters,
    "costs": _table_of_costs,
    "needs": _table_of_needs,
    "sources": table_of_sources,
}


def _complete(notebook, banner: str, footer: str) -> None:
    """Add banner (unless the chapter has one), links and footer; keep what a page can show."""
    import nbformat

    def cell(name: str, text: str):
        return nbformat.v4.new_markdown_cell(text, id=f"site-{name}")

    outputs = [
        output.get("data", {}) for known in notebook.cells for output in known.get("outputs", [])
    ]
    for data in outputs:
        if "text/html" in data:  # shows the same figure
            data.pop("application/vnd.plotly.v1+json", None)
    shown = [data.get("text/markdown", "") for data in outputs]
    if not any(text.lstrip("> ").startswith(BANNERS) for text in shown):
        notebook.cells.insert(1, cell("banner", banner))
    code = [known["source"] for known in notebook.cells if known["cell_type"] == "code"]
    if used := reference.used_section(code):
        notebook.cells.append(cell("functions", used))
    notebook.cells.append(cell("footer", footer))


def join_hidden(cells: Sequence) -> list:
    """Join each hidden cell without output with the hidden cell after it.

    Several folded cells in a row, with nothing between them, do not help the reader.

    Parameters
    ----------
    cells : sequence of notebook cells
        Cells of an executed notebook.

    Returns
    -------
    list of notebook cells
        The sources of joined cells follow one another.
    """
    joined: list = []
    for cell in cells:
        before = joined[-1] if joined else {}
        if _silent(before) and _hidden_by(before) == _hidden_by(cell):
            cell["source"] = f"{joined.pop()['source']}\n\n{cell['source']}"
        joined.append(cell)
    return joined


def _hidden_by(cell) -> frozenset[str]:
    tags = cell.get("metadata", {}).get("tags", ())
    return frozenset(tags) & {"hide-input", "hide-cell"}


def _silent(cell) -> bool:
    """Check whether a cell is hidden and has no output."""
    return bool(_hidden_by(cell)) and not cell.get("outputs")


def _after_title(text: str, banner: str, page: str) -> str:
    title = _TITLE.search(text)
    if not title:
        raise SiteError(f"{page} has no title; begin it with '# Title'")
    return f"{text[: title.end()]}\n\n{banner}\n{text[title.end() :]}"


def _raw(markup: str) -> str:
    return f"```{{raw}} html\n{markup}\n```"


def _banner(run: Run) -> str:
    from mpcf.data import catalog, sources

    entry = catalog.entry(run.source)
    if sources.is_synthetic(run.source, quick=run.quick):
        text = (
            "<strong>Demonstration data.</strong> Results of the run that this site shows come "
            "from the book’s own synthetic ensemble, a reduced physical model. They are not CESM2 "
            "output, and no finding here is a finding about CESM2 or about the Arctic."
        )
    else:
        text = f"<strong>Data of this site:</strong> {html.escape(entry.description)}"
    return f'<aside class="mpcf-banner" aria-label="Data"><p>{text}</p></aside>'


def _footer(run: Run, known: Mapping[str, Mapping], page: str, chapter: str = "") -> str:
    """Format the provenance of a page's results: from one chapter, or from the whole run."""
    runs = [stamp for name, stamp in known.items() if name != "data" and stamp]
    stamp = known.get(chapter) or max(runs, key=lambda one: one["finished"])
    seconds = stamp["seconds"] if chapter else sum(one["seconds"] for one in runs)
    values: dict[str, object] = {}
    for one in [stamp] if chapter else runs:
        values |= one["parameters"]
    checksum = known["data"].get("checksum", "")
    versions = stamp["versions"]
    lines = {
        "Source": run.source + (" (quick: the small ensemble)" if run.quick else ""),
        "Data checksum": f"sha256 {checksum[:16]}" if checksum else "not known for this source",
        "Parameters": ", ".join(f"{name} = {value}" for name, value in values.items()),
        "Git commit": (stamp["commit"] if chapter else stamps.git_commit()) or "not in git",
        "Versions": ", ".join(f"{p} {versions[p]}" for p in SHOWN_PACKAGES if p in versions),
        "Run": f"{stamp['finished']}, took {seconds:.0f} s",
    }
    rows = "".join(
        f"<div><dt>{html.escape(term)}</dt><dd>{html.escape(text)}</dd></div>"
        for term, text in lines.items()
    )
    return (
        '<aside class="mpcf-provenance" aria-label="Provenance of this page"><dl>'
        f'{rows}<div><dt>Numbers</dt><dd><a href="{"../" * page.count("/")}results/numbers.json">'
        "all numbers of this run (JSON)</a></dd></div></dl></aside>"
    )


def _config(root: Path) -> str:
    """Return ``_config.yml``, with the repository's address and buttons if it has one."""
    import yaml

    config = yaml.safe_load((root / "_config.yml").read_text(encoding="utf-8"))
    url = repository_url()
    if url:
        branch = stamps.git("rev-parse", "--abbrev-ref", "HEAD")
        config["repository"] = {"url": url, "branch": "main" if branch in ("", "HEAD") else branch}
        config["html"] |= {"use_repository_button": True, "use_edit_page_button": True}
        if urlsplit(url).hostname == "github.com":
            config["launch_buttons"]["binderhub_url"] = "https://mybinder.org"
    return yaml.safe_dump(config, sort_keys=False, allow_unicode=True)


def repository_url() -> str:
    """
    Return the public address of the repository: ``MPCF_REPOSITORY_URL``, or else git's origin.

    Returns
    -------
    str
        An https address without credentials; empty if there is none.
    """
    url = os.environ.get("MPCF_REPOSITORY_URL") or stamps.git("remote", "get-url", "origin")
    if ssh := re.fullmatch(r"(?:ssh://)?git@([\w.-]+)[:/](.+)", url):
        url = f"https://{ssh[1]}/{ssh[2]}"
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        return ""
    return f"https://{parts.hostname}{parts.path}".removesuffix("/").removesuffix(".git")
