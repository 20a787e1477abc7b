"""Compare sources: what chapter 9 computes from the yearly dataset of each."""

from __future__ import annotations

from collections.abc import Iterable

import pandas as pd

from mpcf.errors import InvalidChoice
from mpcf.method.models import THIS_SOURCE, moisture_spread
from mpcf.method.moisture import permafrost_region
from mpcf.method.periods import UNTIL_NET_ZERO, periods


def compare(source: str, models: Iterable[str], *, quick: bool = False) -> pd.DataFrame:
    """`moisture_spread` of a source and of other models, each over its own permafrost and years.

    Parameters
    ----------
    source : str
        Entry of the catalogue; its ``model`` is called ``"this source"``.
    models : iterable of str
        Further entries, each of which has its yearly dataset in the build folder.
    quick : bool
        Whether the small builds are meant.

    Returns
    -------
    DataFrame
        Rows of `moisture_spread`, with a column ``model``; synthetic models are marked as such.

    Raises
    ------
    UnknownSource
        If the catalogue has no such entry; the message names the nearest ones.
    MissingFile
        If a model has no yearly dataset; the message says which command makes it.
    InvalidChoice
        If an entry has no phases.
    """
    from mpcf.book.chapter import Chapter
    from mpcf.data.catalog import entry

    parts = []
    for name in dict.fromkeys([source, *models]):
        phases = entry(name).phases
        if not phases:
            raise InvalidChoice(f"source '{name}' has no phases; set them in catalog.yml")
        chapter = Chapter("", source=name, quick=quick)
        yearly = chapter.read("yearly").load()
        years = periods(phases)[UNTIL_NET_ZERO]
        mark = " (synthetic)" if chapter.is_synthetic else ""
        part = moisture_spread(yearly, permafrost_region(yearly), years)
        parts.append(part.assign(model=THIS_SOURCE if name == source else name + mark))
    return pd.concat(parts, ignore_index=True)
