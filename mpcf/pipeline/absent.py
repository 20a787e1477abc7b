"""Chapters that a source cannot feed: which they are, and the page that stands in their place."""

from __future__ import annotations

import json
import re
import shutil
from typing import TYPE_CHECKING

from mpcf.book.chapter import merge_entries
from mpcf.data import catalog
from mpcf.data.needs import Missing, how_to_set, missing, where_from
from mpcf.data.variables import MONTHLY
from mpcf.errors import SiteError
from mpcf.pipeline.runs import Run, chapter_names, notebooks_folder
from mpcf.yearly.job import HELD

if TYPE_CHECKING:
    import xarray as xr

NEEDS_PAGE = "../book/use-your-own-data.md#which-chapter-needs-what"


def left_out(run: Run) -> dict[str, Missing]:
    """
    Return the chapters that a run leaves out, by its source's phases and yearly dataset.

    Parameters
    ----------
    run : Run
        Source and size. Before chapter 1 has made the yearly dataset, only phases count.

    Returns
    -------
    dict of str to Missing
        Chapter → what the source lacks, in the order of the chapters.
    """
    entry = catalog.read_catalogue().get(run.source)
    phases = entry.phases if entry else {}
    yearly = _yearly(run)
    found = {}
    for chapter in chapter_names():
        if yearly is None:
            lacks = missing(chapter, MONTHLY, phases, members=10**6)
        else:
            names = yearly.attrs[HELD].split()
            lacks = missing(chapter, names, phases, yearly.sizes["member"])
        if lacks:
            found[chapter] = lacks
    return found


def _yearly(run: Run) -> xr.Dataset | None:
    import xarray as xr

    try:
        found = xr.open_zarr(run.folder / "yearly.zarr", chunks=None)
    except (OSError, ValueError, KeyError):  # not made yet, or damaged: then chapter 1 is stale
        return None
    return found if HELD in found.attrs else None


def has_outputs(run: Run, chapter: str) -> bool:
    """Return whether anything of an earlier run of a chapter is there."""
    return any(path.exists() for path in _outputs(run, chapter))


def clear(run: Run, chapter: str) -> None:
    """
    Remove what an earlier run of a chapter left, so that no page shows its numbers.

    Parameters
    ----------
    run : Run
        Source and size.
    chapter : str
        A chapter that is left out.
    """
    if not has_outputs(run, chapter):
        return
    for path in _outputs(run, chapter):
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
    merge_entries(run.folder / "results")


def _outputs(run: Run, chapter: str):
    yield run.folder / "stamps" / f"{chapter}.json"
    yield run.folder / "notebooks" / f"{chapter}.ipynb"
    yield run.folder / "results" / chapter


def page(run: Run, lacks: Missing):
    """
    Return the page of a chapter that is left out.

    Parameters
    ----------
    run : Run
        Source and size.
    lacks : Missing
        The chapter, and what the source lacks for it.

    Returns
    -------
    NotebookNode
        A notebook of text alone, with the chapter's title, so that its address stays.

    Raises
    ------
    SiteError
        If the chapter has no title.
    """
    import nbformat

    path = notebooks_folder() / f"{lacks.chapter}.ipynb"
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    title = re.search(r"^# .+$", "".join(cells[0]["source"]), re.MULTILINE)
    if title is None:
        raise SiteError(f"notebooks/{path.name} has no title; begin it with '# Title'")
    rows = [(f"{MONTHLY[name].long_name} (`{name}`)", where_from(name)) for name in lacks.monthly]
    rows += [(f"phase *{phase}*", how_to_set(phase)) for phase in lacks.phases]
    if lacks.members:
        rows.append((f"{lacks.members} members", "more runs of the same experiment"))
    text = (
        "## Not available from this source\n\n"
        f"This chapter was left out, since the source `{run.source}` lacks {lacks}.\n\n"
        "| missing | where it could come from |\n|:--|:--|\n"
        + "\n".join(f"| {what} | {where} |" for what, where in rows)
        + "\n\nOnce the source holds what is missing, the same command makes this chapter too. "
        f"[Which chapter needs what]({NEEDS_PAGE})."
    )
    notebook = nbformat.v4.new_notebook(
        cells=[
            nbformat.v4.new_markdown_cell(title[0], id="title"),
            nbformat.v4.new_markdown_cell(text, id="left-out"),
        ]
    )
    notebook.metadata["kernelspec"] = {
        "name": "python3",
        "display_name": "Python 3 (ipykernel)",
        "language": "python",
    }
    return notebook
