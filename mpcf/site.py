"""Make the site: stage the executed chapters and the prose, render them, check the pages.

The stage mirrors the tree of the sources, so that edit and launch links lead to files that exist.
The site is rendered aside, checked, and only then put into its place.
"""

from __future__ import annotations

import html
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from html.parser import HTMLParser
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote, urlsplit

from mpcf import chapters, speed, stamps
from mpcf.build import project_root, replace_dir, restore_dir, write_atomic
from mpcf.chapters import Run

COSTS = "benchmarks/results/yearly.json"
INPUTS = ("_config.yml", "_toc.yml", "book", COSTS)
PACKAGES = ("jupyter-book", "myst-nb", "pydata-sphinx-theme", "sphinx", "sphinx-book-theme")
SHOWN_PACKAGES = ("numpy", "xarray", "statsmodels", "numba", "papermill", "jupyter-book")
# How the banner that a chapter shows of itself begins (mpcf.results.Chapter.banner).
BANNERS = ("**Demonstration data", "**Data of this page")

_MARKER = re.compile(r"\{(number|sentence|figure-of-run)\}`([^`\n]+)`")
_TABLE_MARKER = re.compile(
    r"^(?:```\{table-of-(parameters|costs)\}\n```|\{table-of-(parameters|costs)\})[ \t]*$",
    re.MULTILINE,
)
_TITLE = re.compile(r"^# .+$", re.MULTILINE)


class SiteError(RuntimeError):
    """The site can't be made, or a page of it is wrong; the message says which and why."""


def build(run: Run) -> bool:
    """
    Make the site of a run, if something that it is made from has changed.

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
        If a chapter is stale, a marker's key is unknown, the rendering warns or a page is wrong.
        The last good site stays.
    """
    if stale := chapters.stale_chapters(run):
        raise SiteError(
            f"chapters not up to date: {', '.join(stale)} (never run with these options, or "
            "something that they depend on has changed since they began); run the book again"
        )
    check_contents()
    final, stamp = run.folder / "html", run.folder / "stamps" / "site.json"
    restore_dir(final)
    inputs = _inputs(run)
    if stamps.read(stamp) == {"inputs": inputs, "outputs": stamps.fingerprint(final)}:
        return False
    stage, rendered = run.folder / "stage", run.folder / "render"
    for folder in (stage, rendered):
        shutil.rmtree(folder, ignore_errors=True)
    _stage(run, stage)
    made = _render(stage, rendered)
    (made / "results").mkdir()
    shutil.copy(run.folder / "results" / "numbers.json", made / "results")
    if problems := check(made, pages(stage / "_toc.yml")):
        raise SiteError("the site has faults:\n  " + "\n  ".join(problems))
    stamp.unlink(missing_ok=True)
    replace_dir(made, final)
    stamps.write(stamp, inputs=inputs, outputs=stamps.fingerprint(final))
    shutil.rmtree(rendered)
    return True


def server(run: Run, port: int) -> ThreadingHTTPServer:
    """
    Open a web server on a run's site, for this machine alone.

    Parameters
    ----------
    run : Run
        A run whose site was made.
    port : int
        Where it listens, 1 to 65535.

    Returns
    -------
    ThreadingHTTPServer
        The server, which has yet to be told to serve.

    Raises
    ------
    SiteError
        If there is no site, or the port can't be used; the message says what to do.
    """
    folder = run.folder / "html"
    if not (folder / "index.html").is_file():
        how = f" SOURCE={run.source}" if run.source != chapters.DEMO else ""
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


def check_contents() -> None:
    """
    Check that every page of the table of contents has a source, before anything long is run.

    Raises
    ------
    SiteError
        If one has none, or a chapter is not in the table.
    """
    root = project_root()
    named = pages(root / "_toc.yml")
    for page in named:
        if not any((root / f"{page}{suffix}").is_file() for suffix in (".md", ".ipynb")):
            raise SiteError(f"_toc.yml names {page}, but there is no {page}.md or {page}.ipynb")
    for chapter in chapters.chapter_names():
        if f"notebooks/{chapter}" not in named:
            raise SiteError(f"_toc.yml does not name notebooks/{chapter}")


def pages(toc: Path) -> list[str]:
    """
    Pages that a table of contents names.

    Parameters
    ----------
    toc : Path
        Path of a ``_toc.yml``.

    Returns
    -------
    list of str
        Their paths without suffix, the root first.
    """
    import yaml

    def files(part: object) -> Iterator[str]:
        if isinstance(part, Mapping):
            if "file" in part:
                yield part["file"]
            part = list(part.values())
        if isinstance(part, list):
            for value in part:
                yield from files(value)

    contents = yaml.safe_load(toc.read_text(encoding="utf-8"))
    return [contents["root"], *files(contents)]


# ------------------------------------------------------------------------------------- staging


def _stage(run: Run, stage: Path) -> None:
    import nbformat

    root, results = project_root(), run.folder / "results"
    records = {
        kind: stamps.read(results / f"{kind}.json") for kind in ("numbers", "sentences", "figures")
    }
    known, banner = chapters.provenance(run), _raw(_banner(run))
    shutil.copytree(root / "book", stage / "book", ignore=shutil.ignore_patterns(".*"))
    shutil.copy(root / "_toc.yml", stage)
    write_atomic(stage / "_config.yml", _config(root))
    for record in records["figures"].values():
        target = stage / "figures" / record["file"]
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(results / record["file"], target)
    for kind, found in speed.records(speed.results_file(), stage / "figures").items():
        records[kind] |= found
    for page in pages(root / "_toc.yml"):
        executed, prose = run.folder / f"{page}.ipynb", stage / f"{page}.md"
        if executed.is_file():
            footer = _raw(_footer(run, known, executed.stem))
            notebook = nbformat.read(executed, as_version=4)
            _complete(notebook, banner, footer)
            notebook.cells = join_hidden(notebook.cells)
            write_atomic(stage / f"{page}.ipynb", nbformat.writes(notebook))
        else:
            text = fill(prose.read_text(encoding="utf-8"), f"{page}.md", records)
            text = _after_title(text, banner, f"{page}.md")
            write_atomic(prose, f"{text}\n\n{_raw(_footer(run, known))}\n")


def fill(text: str, page: str, records: Mapping[str, Mapping]) -> str:
    """
    Put the run's numbers, sentences and figures in the place of a page's markers.

    Parameters
    ----------
    text : str
        A page in MyST Markdown. Code blocks are left as they are.
    page : str
        Its path, for messages.
    records : mapping
        ``"numbers"``, ``"sentences"`` and ``"figures"``, each from key to record.

    Returns
    -------
    str
        The page as this run fills it.

    Raises
    ------
    SiteError
        If a key is not among the records, or a number can't be written in the form asked for.

    Examples
    --------
    >>> area = {"value": 14.26, "unit": "1e6 km2", "meaning": "permafrost area"}
    >>> fill("{number}`02-thaw/area|.1f` million km²", "a.md", {"numbers": {"02-thaw/area": area}})
    '14.3 million km²'
    """

    def one(match: re.Match) -> str:
        kind = match[1]
        key, _, form = match[2].partition("|")
        known = records["figures" if kind == "figure-of-run" else f"{kind}s"]
        if key not in known:
            hint = chapters.nearest(key, known) if known else "it recorded none"
            raise SiteError(f"{page}: the run recorded no {kind} '{key}'; {hint}")
        if kind == "number":
            return _number(known[key]["value"], form or ".3g", f"{page}: {match[0]}")
        return known[key] if kind == "sentence" else _figure(key, known[key])

    def table(match: re.Match) -> str:
        return _TABLES[match[1] or match[2]]()

    def prose(part: str) -> str:
        return _TABLE_MARKER.sub(table, _MARKER.sub(one, part))

    return "".join(part if code else prose(part) for code, part in _code_and_prose(text))


def _code_and_prose(text: str) -> Iterator[tuple[bool, str]]:
    """Split a page into code blocks (True) and the rest (False); a directive is no code."""
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


def _figure(key: str, record: Mapping[str, str]) -> str:
    alt = json.dumps(" ".join(record["alt"].split()), ensure_ascii=False)
    name = key.replace("/", "-")
    wide = ":figclass: mpcf-wide\n" if record.get("wide") else ""
    return (
        f"\n:::{{figure}} /figures/{record['file']}\n:alt: {alt}\n:name: {name}\n{wide}\n"
        f"{' '.join(record['caption'].split())}\n:::\n"
    )


def _table_of_parameters() -> str:
    """Write the demonstration's parameters as Markdown, a table for each group."""
    from mpcf.demo import parameters
    from mpcf.results import typeset_unit

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
    blocks = []
    for group, rows in frame.groupby("group", sort=False):
        part = rows.drop(columns="group")
        lines = [list(part.columns), ["---"] * part.shape[1], *part.to_numpy().tolist()]
        cells = (" | ".join(cell.replace("|", "\\|") for cell in line) for line in lines)
        blocks.append(f"**{group.capitalize()}**\n\n" + "\n".join(f"| {line} |" for line in cells))
    return "\n\n".join(blocks)


def _table_of_costs() -> str:
    return speed.costs(project_root() / COSTS)


_TABLES = {"parameters": _table_of_parameters, "costs": _table_of_costs}


def _complete(notebook, banner: str, footer: str) -> None:
    """Add the banner, unless the chapter shows one, and the footer; keep what a page can show."""
    import nbformat

    def cell(name: str, text: str):
        return nbformat.v4.new_markdown_cell(text, id=f"site-{name}")

    outputs = [
        output.get("data", {}) for known in notebook.cells for output in known.get("outputs", [])
    ]
    for data in outputs:
        if "text/html" in data:  # of the same figure; Plotly's own is for JupyterLab
            data.pop("application/vnd.plotly.v1+json", None)
    shown = [data.get("text/markdown", "") for data in outputs]
    if not any(text.lstrip("> ").startswith(BANNERS) for text in shown):
        notebook.cells.insert(1, cell("banner", banner))
    notebook.cells.append(cell("footer", footer))


def join_hidden(cells: Sequence) -> list:
    """Join hidden cells that only prepare with the hidden one after them.

    A row of folded sources with nothing between them would tell a reader nothing.

    Parameters
    ----------
    cells : sequence of notebook cells
        Executed.

    Returns
    -------
    list of notebook cells
        With the sources of joined cells one below the other.
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
    """Tell a hidden cell that shows nothing."""
    return bool(_hidden_by(cell)) and not cell.get("outputs")


def _after_title(text: str, banner: str, page: str) -> str:
    title = _TITLE.search(text)
    if not title:
        raise SiteError(f"{page} has no title; begin it with '# Title'")
    return f"{text[: title.end()]}\n\n{banner}\n{text[title.end() :]}"


def _raw(markup: str) -> str:
    return f"```{{raw}} html\n{markup}\n```"


def _banner(run: Run) -> str:
    from mpcf import catalog

    entry = catalog.entry(run.source)
    if catalog.is_synthetic(run.source, quick=run.quick):
        text = (
            "<strong>Demonstration data.</strong> Results of the run that this site shows come "
            "from the book’s own synthetic ensemble, a reduced physical model. They are not CESM2 "
            "output, and no finding here is a finding about CESM2 or about the Arctic."
        )
    else:
        text = f"<strong>Data of this site:</strong> {html.escape(entry.description)}"
    return f'<aside class="mpcf-banner" aria-label="Data"><p>{text}</p></aside>'


def _footer(run: Run, known: Mapping[str, Mapping], chapter: str = "") -> str:
    """Where the page's results come from; of the whole run, or of one chapter."""
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
        f'{rows}<div><dt>Numbers</dt><dd><a href="../results/numbers.json">all numbers of this '
        "run (JSON)</a></dd></div></dl></aside>"
    )


def _config(root: Path) -> str:
    """_config.yml with the repository's address and buttons, where there is an address."""
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
    Public address of the repository: ``MPCF_REPOSITORY_URL``, otherwise the git origin.

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
        [stamps.fingerprint(Path(module.__file__)) for module in (sys.modules[__name__], speed)],
        stamps.fingerprint(speed.results_file()),
        chapters.provenance(run),
        stamps.versions(PACKAGES),
        repository_url(),
    )


# ------------------------------------------------------------------------------------ rendering


def _render(stage: Path, rendered: Path) -> Path:
    """Run Jupyter Book; a warning is an error."""
    program = "from jupyter_book.cli.main import main; main()"  # there is no -m jupyter_book
    command = [sys.executable, "-c", program, "build", str(stage)]
    options = ["--path-output", str(rendered), "-W", "-n", "--keep-going", "--quiet"]
    environment = os.environ | {"PYTHONWARNINGS": "ignore", "NO_COLOR": "1"}
    done = subprocess.run(
        command + options, env=environment, capture_output=True, text=True, check=False
    )
    if done.returncode:
        plain = re.sub(r"\x1b\[[0-9;]*m", "", done.stdout + done.stderr)
        said = [line for line in plain.splitlines() if line.strip()]
        faults = [line for line in said if "WARNING" in line or "ERROR" in line] or said[-30:]
        raise SiteError("Jupyter Book could not render the site:\n  " + "\n  ".join(faults))
    return rendered / "_build" / "html"


# ------------------------------------------------------------------------------------- checking


def check(folder: Path, expected: list[str]) -> list[str]:
    """
    Check the pages of a rendered site.

    Parameters
    ----------
    folder : Path
        The site's ``html`` folder.
    expected : list of str
        Pages that must be there, without suffix.

    Returns
    -------
    list of str
        What is wrong, each with its page; empty if nothing is.
    """
    problems = [f"{page}: the page is missing" for page in expected if not _page(folder, page)]
    read = {page: _read_page(_page(folder, page)) for page in expected if _page(folder, page)}
    for page, content in read.items():
        problems += [f"{page}: {problem}" for problem in _faults(folder, page, content)]
    for sheet in sorted(folder.rglob("*.css")):
        for address in re.findall(
            r"(?:@import|url\()\s*[\"']?((?:https?:)?//[^\s\"')]+)", _text(sheet)
        ):
            problems.append(f"{sheet.relative_to(folder)}: needs {address}")
    return problems


class _Page(HTMLParser):
    """What a check needs of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.ids: set[str] = set()
        self.links: list[str] = []
        self.resources: list[str] = []
        self.images: list[tuple[str, str]] = []
        self.classes: set[str] = set()
        self.text: list[str] = []
        self._literal = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Collect ids, links, images and what the page loads."""
        known = {name: value or "" for name, value in attrs}
        self.ids |= {known[name] for name in ("id", "name") if name in known}
        self.classes |= set(known.get("class", "").split())
        self._literal += tag in _LITERAL
        if tag == "a" and "href" in known:
            self.links.append(known["href"])
        if tag == "img":
            self.images.append((known.get("src", ""), known.get("alt", "")))
        if tag in ("script", "img", "iframe", "source", "video", "audio", "embed"):
            self.resources.append(known.get("src", ""))
        if tag == "link" and known.get("rel") not in _HARMLESS_LINKS:
            self.resources.append(known.get("href", ""))

    def handle_endtag(self, tag: str) -> None:
        """Leave code, whose text is not prose."""
        self._literal -= tag in _LITERAL

    def handle_data(self, data: str) -> None:
        """Keep the prose."""
        if not self._literal:
            self.text.append(data)


_LITERAL = ("pre", "code", "script", "style")
_HARMLESS_LINKS = ("canonical", "next", "prev", "search", "index", "author", "license")


def _faults(folder: Path, page: str, content: _Page) -> Iterator[str]:
    prose = " ".join("".join(content.text).split())
    if content.classes & {"traceback"} or "Traceback (most recent call last)" in prose:
        yield "shows a traceback"
    if content.classes & {"system-message", "problematic"}:
        yield "shows a message of the renderer"
    for marker in re.findall(r"\{[a-z][a-z:-]*\}`[^`]*`|\{table-of-[a-z]+\}", prose):
        yield f"the marker {marker} was not replaced"
    if not content.classes & {"mpcf-provenance"}:
        yield "has no footer"
    if not content.classes & {"mpcf-banner"} and not any(b.strip("*") in prose for b in BANNERS):
        yield "has no banner"
    for source, alternative in content.images:
        if not alternative.strip():
            yield f"the image {source[:60]} has no alternative text"
    for address in content.resources:
        if re.match(r"(?:https?:)?//", address):
            yield f"needs {address}"
    for address in (*content.links, *content.resources):
        if problem := _dead(folder, page, content, address):
            yield problem


def _dead(folder: Path, page: str, content: _Page, address: str) -> str:
    parts = urlsplit(address)
    if parts.scheme or parts.netloc or address in ("", "#"):
        return ""
    target = (folder / page).parent / unquote(parts.path)
    if not parts.path:
        ids = content.ids
    elif not target.exists():
        return f"the link {address} leads nowhere"
    elif parts.fragment and target.suffix == ".html":
        ids = _read_page(target).ids
    else:
        return ""
    if parts.fragment and unquote(parts.fragment) not in ids:
        return f"the link {address} leads to no place on its page"
    return ""


def _page(folder: Path, page: str) -> Path | None:
    path = folder / f"{page}.html"
    return path if path.is_file() else None


def _read_page(path: Path) -> _Page:
    content = _Page()
    content.feed(_text(path))
    return content


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8")
