"""Check the rendered pages: links, images, error messages, and markers left in the text."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

from mpcf.pipeline.staging import BANNERS

# ------------------------------------------------------------------------------------- checking


def check(folder: Path, expected: list[str]) -> list[str]:
    """
    Check the pages of a rendered site.

    Parameters
    ----------
    folder : Path
        Folder of the site.
    expected : list of str
        Pages that must be there, without suffix.

    Returns
    -------
    list of str
        The faults, each with its page; empty if there are none.
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
    """What the checks need to know about a page."""

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
        """Collect ids, links, images and the files that the page loads."""
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
        """Record the end of code, whose text is not prose."""
        self._literal -= tag in _LITERAL

    def handle_data(self, data: str) -> None:
        """Collect the prose."""
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
