"""What a chapter computes and shows: numbers, sentences, tables, figures and datasets.

A chapter's sentences are made from the numbers that it records, so a page can't show a number
that its run did not compute. ``numbers.json`` of a source holds every number of every chapter.
"""

from __future__ import annotations

import base64
import html
import io
import json
import re
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from mpcf.book.numbers import Number
from mpcf.book.wording import _markdown_table, _table_cell, typeset_unit
from mpcf.errors import MissingFile
from mpcf.folders import build_dir, write_atomic

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr
    from matplotlib.figure import Figure

    from mpcf.data.catalog import Source


WIDE = 7.5
"""Width of a figure, inches, above which its text would be too small on a phone."""
KINDS = ("numbers", "sentences", "figures")


class Chapter:
    """A chapter of the book while it runs.

    Parameters
    ----------
    name : str
        Name of the notebook, such as ``"04-regression"``.
    source : str
        Entry of the catalogue.
    quick : bool
        Whether the small ensemble is used.
    """

    def __init__(self, name: str, *, source: str, quick: bool = False) -> None:
        self.name = name
        self.source_name = source
        self.quick = quick
        self.build = build_dir(source, quick)
        self.folder = self.build / "results" / name
        self._records: dict[str, dict] = {kind: {} for kind in KINDS}

    @cached_property
    def source(self) -> Source:
        """The catalogue's entry: phases, convention, citation, licence."""
        from mpcf.data.catalog import entry

        return entry(self.source_name)

    @cached_property
    def is_synthetic(self) -> bool:
        """Whether the source's entry or its data say that it is synthetic."""
        from mpcf.data.sources import is_synthetic

        return is_synthetic(self.source_name, quick=self.quick)

    def banner(self, others: Sequence[str] = (), *, variants: bool = False) -> None:
        """Show at the top of the page whether its data are synthetic.

        Parameters
        ----------
        others : sequence of str
            Further sources that the page shows.
        variants : bool
            Whether it also shows variants of the demonstration, which are always synthetic.
        """
        beside = [Chapter("", source=name, quick=self.quick) for name in others]
        real = [c for c in (self, *beside) if not c.is_synthetic]
        synthetic = [f"`{c.source_name}`" for c in (self, *beside) if c.is_synthetic]
        synthetic += ["every variant"] if variants else []
        texts = [f"{c.source.description} {c.source.citation}" for c in real]
        if not real:
            text = (
                "**Demonstration data.** Every result on this page comes from the book's own "
                "synthetic ensemble, a reduced physical model. Nothing here is CESM2 output, and "
                "no finding here is a finding about CESM2 or about the Arctic."
            )
        else:
            text = "**Data of this page:** " + " ".join(texts)
        if real and synthetic:
            text += (
                f" **Synthetic:** {', '.join(synthetic)}, made by the book's own reduced physical "
                "model; what is found there is no finding about the Arctic."
            )
        _show_markdown(f"> {text}")

    def read(self, name: str) -> xr.Dataset:
        """Open ``"yearly"`` or another chapter's dataset, such as ``"02-permafrost-thaw/masks"``.

        Raises
        ------
        MissingFile
            If it has not been made; the message says which chapter makes it.
        """
        import xarray as xr

        if name == "yearly":
            path, maker = self.build / "yearly.zarr", "01"
        else:
            path, maker = self.build / "results" / f"{name}.nc", name[:2]
        if not path.exists():
            raise MissingFile(
                f"{path.name} of source '{self.source_name}' is not there; "
                f"make it with: .venv/bin/python -m mpcf run {maker}"
                + (" --quick" if self.quick else "")
                + (f" --source {self.source_name}" if self.source_name != "demo" else "")
            )
        if path.suffix == ".zarr":
            return xr.open_zarr(path, chunks=None)
        with xr.open_dataset(path, engine="netcdf4") as dataset:
            return dataset.load()

    def truth(self, name: str) -> xr.Dataset | None:
        """Open what the source's twins know: ``"effects"``, ``"direct"``, ``"null"`` and more.

        Returns
        -------
        Dataset or None
            See `mpcf.demo.store.TWINS`; None where the source has no twins.
        """
        import xarray as xr

        if self.source.truth is None:
            return None
        folder = Path(self.source.truth.replace("{{ BUILD }}", str(self.build)))
        return xr.open_zarr(folder / f"{name}.zarr", chunks=None).load()

    def save(self, dataset: xr.Dataset, name: str) -> None:
        """Write a result as ``results/<chapter>/<name>.nc``, aside first, then renamed.

        Raises
        ------
        SystemFault
            If the file can't be written.
        """
        dataset.attrs |= {
            "mpcf_source": self.source_name,
            "mpcf_synthetic": str(self.is_synthetic).lower(),
        }
        # by way of memory, since netCDF does not say why it can't write a file
        write_atomic(self.folder / f"{name}.nc", dataset.to_netcdf(engine="netcdf4"))

    def number(self, key: str, number: Number) -> Number:
        """Record a number under ``<chapter>/<key>`` and give it back.

        Raises
        ------
        ValueError
            If another number was recorded under that key.
        """
        full = f"{self.name}/{key}"
        record = number.record()
        if self._records["numbers"].setdefault(full, record) != record:
            raise ValueError(f"two different numbers were recorded as '{full}'")
        return number

    def say(
        self, template: str, *, key: str = "", prefix: str = "", **values: Number | str
    ) -> None:
        """Show a sentence and record its numbers.

        Parameters
        ----------
        template : str
            Markdown with ``{name:.2f}`` where the numbers stand.
        key : str, optional
            Record the sentence itself too, for use on other pages.
        prefix : str, optional
            Stands before the recorded names: ``"truth."`` for what only twins can tell.
        **values : Number or str
            The numbers, each recorded under its name; words that depend on the result.
        """
        for name, value in values.items():
            if isinstance(value, Number):
                self.number(prefix + name, value)
        sentence = template.format(**values)
        if key:
            self._records["sentences"][f"{self.name}/{key}"] = sentence
        _show_markdown(sentence)

    def table(
        self,
        frame: pd.DataFrame,
        *,
        name: str,
        units: Mapping[str, str],
        meaning: str,
        decimals: int = 2,
    ) -> None:
        """Show a table; record each of its numbers as ``<name>_<row>_<column>``, and all as `name`.

        Parameters
        ----------
        frame : DataFrame
            Numbers, with row labels that say what a row is. Text columns are shown as they are.
        name : str
            Prefix of the recorded keys.
        units : mapping of str to str
            Unit of each numeric column.
        meaning : str
            What the table holds.
        decimals : int
            Digits shown after the point.
        """
        import pandas as pd

        shown = frame.astype(object).copy()
        for column in frame.columns:
            if not pd.api.types.is_numeric_dtype(frame[column]):
                continue
            for row in frame.index:
                number = Number(
                    frame.loc[row, column],
                    units[column],
                    f"{meaning}: {row}, {column}",
                    reason="not defined" if pd.isna(frame.loc[row, column]) else "",
                )
                self.number(f"{name}_{_slug(row)}_{_slug(column)}", number)
                shown.loc[row, column] = _table_cell(number, decimals)
        shown.columns = [
            f"{c} ({typeset_unit(units[c])})" if units.get(c, "1") != "1" else str(c)
            for c in frame.columns
        ]
        markdown = _markdown_table(shown)
        self._records["sentences"][f"{self.name}/{name}"] = markdown
        _show_markdown(markdown)

    def figure(self, fig: Figure, name: str, *, caption: str, alt: str) -> None:
        """Save a figure, and show it with its caption and its text for those who can't see it.

        Raises
        ------
        ValueError
            If the caption or the alternative text is empty.
        SystemFault
            If the figure can't be written.
        """
        import matplotlib.pyplot as plt
        from IPython.display import HTML, display

        if not caption.strip() or not alt.strip():
            raise ValueError(f"figure '{name}' needs a caption and an alternative text")
        path = self.folder / f"{name}.png"
        drawn = io.BytesIO()
        fig.savefig(drawn, format="png", dpi=160, bbox_inches="tight", metadata={"Software": None})
        plt.close(fig)
        write_atomic(path, drawn.getvalue())
        wide = bool(fig.get_figwidth() > WIDE)
        self._records["figures"][f"{self.name}/{name}"] = {
            "file": f"{self.name}/{name}.png",
            "caption": caption,
            "alt": alt,
            "wide": wide,
        }
        display(HTML(_figure_html(path, f"{self.name}-{name}", caption, alt, wide=wide)))

    def explore(self, options: Mapping[str, Sequence[Mapping]], name: str, **texts: str) -> None:
        """Show a figure with a menu that works in the page, without a kernel.

        Parameters
        ----------
        options : mapping of str to sequence of mapping
            Plotly traces for each choice of the menu.
        name : str
            Name of the figure.
        **texts : str
            ``question``, ``x_title``, ``y_title``, ``caption`` and ``alt``, see
            `mpcf.figures.explore.menu_figure`.
        """
        from IPython.display import display

        from mpcf.figures.explore import menu_figure

        bundle = menu_figure(options, name=f"{self.name}-{name}", **texts)
        display(bundle, raw=True)

    def finish(self) -> None:
        """Write this chapter's records and merge all chapters' into the source's.

        The last cell of every chapter calls it: a run that stopped midway leaves the numbers of
        the last whole run.
        """
        results = self.folder.parent
        for kind in KINDS:
            write_atomic(self.folder / f"{kind}.json", _json(self._records[kind]))
            merged: dict = {}
            for part in sorted(results.glob(f"*/{kind}.json")):
                merged |= json.loads(part.read_text(encoding="utf-8"))
            write_atomic(results / f"{kind}.json", _json(merged))


def _json(records: dict) -> str:
    return json.dumps(records, indent=1, sort_keys=True, ensure_ascii=False, allow_nan=False) + "\n"


def _slug(label: object) -> str:
    return re.sub(r"[^a-z0-9]+", "_", str(label).lower().replace("−", "minus")).strip("_")


def _show_markdown(text: str) -> None:
    from IPython.display import Markdown, display

    display(Markdown(text))


def _figure_html(path: Path, anchor: str, caption: str, alt: str, *, wide: bool) -> str:
    data = base64.b64encode(path.read_bytes()).decode("ascii")
    image = f'<img src="data:image/png;base64,{data}" alt="{html.escape(alt)}">'
    if wide:  # scrolls sideways within its box on a phone, and by keyboard
        image = f'<div class="mpcf-wide" tabindex="0">{image}</div>'
    return (
        f'<figure class="mpcf-figure" id="{html.escape(anchor)}">{image}'
        f"<figcaption>{html.escape(caption)}</figcaption></figure>"
    )
