"""Compare models from the yearly dataset of each source, for chapter 9."""

from __future__ import annotations

from collections.abc import Iterable

import pandas as pd

from mpcf.book.source_build import SourceBuild
from mpcf.data.needs import needs_of
from mpcf.errors import InvalidChoice
from mpcf.method.models import THIS_SOURCE, moisture_spread
from mpcf.method.moisture import permafrost_region
from mpcf.method.periods import UNTIL_NET_ZERO, periods


def compare(source: str, models: Iterable[str], *, quick: bool = False) -> pd.DataFrame:
    """Return `moisture_spread` of a source and of other models.

    Each is computed over the model's own permafrost region and its own years until net zero.

    Parameters
    ----------
    source : str
        Entry of the catalogue; its ``model`` is called ``"this source"``.
    models : iterable of str
        Other entries, each with a yearly dataset in its build folder.
    quick : bool
        Whether to use the small ensembles.

    Returns
    -------
    DataFrame
        Rows of `moisture_spread`, with a column ``model`` that marks synthetic models.

    Raises
    ------
    UnknownSource
        If the catalogue has no such entry; the message suggests the closest names.
    MissingFile
        If a model has no yearly dataset; the message names the command that creates it.
    InvalidChoice
        If an entry lacks a phase, or a source a variable, that the comparison needs.
    """
    parts = []
    for name in dict.fromkeys([source, *models]):
        build = SourceBuild(name, quick=quick)
        needs = needs_of("09-across-models")
        if absent := [phase for phase in needs.phases if phase not in build.phases]:
            raise InvalidChoice(
                f"source '{name}' has no phases {', '.join(absent)}; set them in catalog.yml, or "
                "leave the source out of the comparison"
            )
        yearly = build.read("yearly").load()
        if absent := [variable for variable in needs.yearly if variable not in yearly]:
            raise InvalidChoice(
                f"source '{name}' lacks {', '.join(absent)}; leave it out of the comparison"
            )
        years = periods(build.phases)[UNTIL_NET_ZERO]
        mark = " (synthetic)" if build.is_synthetic else ""
        part = moisture_spread(yearly, permafrost_region(yearly), years)
        parts.append(part.assign(model=THIS_SOURCE if name == source else name + mark))
    return pd.concat(parts, ignore_index=True)
