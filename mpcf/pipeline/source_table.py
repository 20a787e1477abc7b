"""The table of what each source can feed, from the catalogue and the chapters' needs."""

from __future__ import annotations

import re

from mpcf.book.tables import markdown_table
from mpcf.data.catalog import EnsembleSource, read_catalogue
from mpcf.data.needs import CHAPTERS, missing
from mpcf.data.phases import PHASES
from mpcf.data.variables import MONTHLY

_DOI = re.compile(r"doi (10\.[^\s,;)]+)")


def feeds(source: EnsembleSource) -> tuple[list[str], list[str]]:
    """
    Return which chapters a source can feed by its entry, and which it cannot.

    Parameters
    ----------
    source : EnsembleSource
        Its entry. Variables count as present unless it ``lacks`` them, and phases that are not set
        count as there.

    Returns
    -------
    able : list of str
        Names of the chapters that it can feed, in order.
    unable : list of str
        Names of the others.

    Examples
    --------
    >>> from mpcf.data.catalog import entry
    >>> feeds(entry("flat10_zec"))[1]
    ['09-across-models']
    """
    monthly = [name for name in MONTHLY if name not in source.lacks]
    phases = source.phases or PHASES
    members = max((needs.members for needs in CHAPTERS.values()), default=1)
    unable = [chapter for chapter in CHAPTERS if missing(chapter, monthly, phases, members)]
    return [chapter for chapter in CHAPTERS if chapter not in unable], unable


def table_of_sources() -> str:
    """
    Return the sources of the catalogue as a table in Markdown.

    Returns
    -------
    str
        A row for each: phases with their years, chapters that it can feed, and citation.
    """
    import pandas as pd

    rows = {}
    for name, source in read_catalogue().items():
        if not isinstance(source, EnsembleSource):
            continue
        able, unable = feeds(source)
        years = [f"{phase} {first}–{last}" for phase, (first, last) in source.phases.items()]
        rows[f"`{name}`"] = {
            "phases": ", ".join(years) or "yours to set",
            "chapters": "all" if not unable else ", ".join(map(_number, able)),
            "citation": _DOI.sub(r"[doi](https://doi.org/\1)", source.citation),
        }
    return markdown_table(pd.DataFrame.from_dict(rows, "index").rename_axis("source"))


def _number(chapter: str) -> str:
    return f"[{chapter[:2].lstrip('0')}](../notebooks/{chapter}.ipynb)"
