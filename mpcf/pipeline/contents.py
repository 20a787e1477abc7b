"""The pages that ``_toc.yml`` names."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from mpcf.errors import MissingFile, SiteError
from mpcf.folders import project_root
from mpcf.pipeline import runs


def check_contents() -> None:
    """
    Check that the table of contents names every chapter, and only pages that exist.

    This is fast, so it is done before anything slow.

    Raises
    ------
    SiteError
        If a page has no source, or a chapter is missing from the table.
    """
    root = project_root()
    named = pages(root / "_toc.yml")
    for page in named:
        if not any((root / f"{page}{suffix}").is_file() for suffix in (".md", ".ipynb")):
            raise SiteError(f"_toc.yml names {page}, but there is no {page}.md or {page}.ipynb")
    for chapter in runs.chapter_names():
        if f"notebooks/{chapter}" not in named:
            raise SiteError(f"_toc.yml does not name notebooks/{chapter}")


def pages(toc: Path) -> list[str]:
    """
    Read the pages that a table of contents names.

    Parameters
    ----------
    toc : Path
        Path of a ``_toc.yml``.

    Returns
    -------
    list of str
        Their paths without suffix, the root first.

    Raises
    ------
    MissingFile
        If there is no such file.
    SiteError
        If it is not a table of contents.
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

    if not toc.is_file():
        raise MissingFile(f"there is no {toc}; it lists the pages of the site")
    try:
        contents = yaml.safe_load(toc.read_text(encoding="utf-8"))
    except yaml.YAMLError as error:
        raise SiteError(f"{toc} is not YAML: {' '.join(str(error).split())}") from error
    if not isinstance(contents, Mapping) or "root" not in contents:
        raise SiteError(f"{toc} names no root, the first page of the site")
    return [contents["root"], *files(contents)]
