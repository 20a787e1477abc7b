"""Show and record what a chapter computes: numbers, sentences, tables and figures.

A chapter's sentences are made from the numbers that it records, so a page cannot show a number
that its run did not compute. A source's ``numbers.json`` holds the numbers of all its chapters.
"""

from __future__ import annotations

import base64
import html
import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from mpcf.book.numbers import Number
from mpcf.book.source_build import SourceBuild
from mpcf.book.tables import markdown_table, table_cell
from mpcf.book.wording import typeset_unit
from mpcf.folders import write_atomic

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure


WIDE = 7.5
"""Width of a figure, inches, above which its text would be too small on a phone."""
KINDS = ("numbers", "sentences", "figures")
"""Kinds of entries, each with a JSON file of its own."""


class Chapter:
    """A running chapter of the book, which shows results and records them.

    Parameters
    ----------
    name : str
        Name of the notebook, such as ``"04-regression"``.
    build : SourceBuild
        The source that the chapter runs on; the results are recorded in its build folder.
    """

    def __init__(self, name: str, build: SourceBuild) -> None:
        self.name = name
        self.build = build
        self.folder = build.folder / "results" / name
        self._entries: dict[str, dict] = {kind: {} for kind in KINDS}

    def banner(self, others: Sequence[str] = (), *, variants: bool = False) -> None:
        """Show at the top of the page what its data are, and whether they are synthetic.

        Parameters
        ----------
        others : sequence of str
            Other sources that the page shows.
        variants : bool
            Whether the page also shows variants of the demonstration, which are all synthetic.
        """
        shown = [self.build, *(SourceBuild(name, quick=self.build.quick) for name in others)]
        real = [build.entry for build in shown if not build.is_synthetic]
        synthetic = [f"`{build.source}`" for build in shown if build.is_synthetic]
        synthetic += ["every variant"] if variants else []
        texts = [f"{entry.description} {entry.citation}" for entry in real]
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

    def number(self, key: str, number: Number) -> Number:
        """Record a number under ``<chapter>/<key>``.

        Parameters
        ----------
        key : str
            Name of the number within the chapter.
        number : Number
            The number.

        Returns
        -------
        Number
            The same number.

        Raises
        ------
        ValueError
            If another number has been recorded under that key.
        """
        full = f"{self.name}/{key}"
        entry = number.as_entry()
        if self._entries["numbers"].setdefault(full, entry) != entry:
            raise ValueError(f"two different numbers were recorded as '{full}'")
        return number

    def say(
        self, template: str, *, key: str = "", prefix: str = "", **values: Number | str
    ) -> None:
        """Show a sentence and record its numbers.

        Parameters
        ----------
        template : str
            Markdown with placeholders for numbers and words, such as ``{name:.2f}``.
        key : str, optional
            Key under which the sentence itself is recorded, so that other pages can quote it; by
            default it is not recorded.
        prefix : str, optional
            Prefix of the recorded names, such as ``"truth."`` for results known only from twins.
        **values : Number or str
            Values of the placeholders: numbers, each recorded under its name, and words that
            depend on the result.
        """
        for name, value in values.items():
            if isinstance(value, Number):
                self.number(prefix + name, value)
        sentence = template.format(**values)
        if key:
            self._entries["sentences"][f"{self.name}/{key}"] = sentence
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
        """Show a table, and record the table and each of its numbers.

        Parameters
        ----------
        frame : DataFrame
            The table, with row labels that describe the rows. Text columns are shown unchanged.
        name : str
            Key of the table. A number's key is ``<name>_<row>_<column>``.
        units : mapping of str to str
            Unit of each numeric column.
        meaning : str
            What the numbers are.
        decimals : int
            Digits shown after the decimal point.
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
                shown.loc[row, column] = table_cell(number, decimals)
        shown.columns = [
            f"{c} ({typeset_unit(units[c])})" if units.get(c, "1") != "1" else str(c)
            for c in frame.columns
        ]
        markdown = markdown_table(shown)
        self._entries["sentences"][f"{self.name}/{name}"] = markdown
        _show_markdown(markdown)

    def figure(self, fig: Figure, name: str, *, caption: str, alt: str) -> None:
        """Save a figure, and show it with its caption and alternative text.

        Parameters
        ----------
        fig : Figure
            The figure; it is closed.
        name : str
            Name of its file, and of the entry that records it.
        caption : str
            Text below the figure.
        alt : str
            Description of the figure for readers who cannot see it.

        Raises
        ------
        ValueError
            If the caption or the alternative text is empty.
        SystemFault
            If the figure can't be written.
        """
        from IPython.display import HTML, display

        from mpcf.figures.style import save

        if not caption.strip() or not alt.strip():
            raise ValueError(f"figure '{name}' needs a caption and an alternative text")
        path = self.folder / f"{name}.png"
        save(fig, path)
        wide = bool(fig.get_figwidth() > WIDE)
        self._entries["figures"][f"{self.name}/{name}"] = {
            "file": f"{self.name}/{name}.png",
            "caption": caption,
            "alt": alt,
            "wide": wide,
        }
        display(HTML(_figure_html(path, f"{self.name}-{name}", caption, alt, wide=wide)))

    def explore(self, options: Mapping[str, Sequence[Mapping]], name: str, **texts: str) -> None:
        """Show a figure with a menu that works on the page, without a kernel.

        Parameters
        ----------
        options : mapping of str to sequence of mapping
            Plotly traces for each choice in the menu.
        name : str
            Name of the figure.
        **texts : str
            ``question``, ``x_title``, ``y_title``, ``caption`` and ``alt`` of
            `mpcf.figures.explore.menu_figure`.
        """
        from IPython.display import display

        from mpcf.figures.explore import menu_figure

        bundle = menu_figure(options, name=f"{self.name}-{name}", **texts)
        display(bundle, raw=True)

    def finish(self) -> None:
        """Write this chapter's entries, and merge the entries of all chapters of the source.

        Every chapter calls this in its last cell, so that a run that stops midway leaves the
        numbers of the last complete run.
        """
        for kind in KINDS:
            write_atomic(self.folder / f"{kind}.json", _json(self._entries[kind]))
        merge_entries(self.folder.parent)


def merge_entries(results: Path) -> None:
    """Write the entries of all chapters of a source together.

    Parameters
    ----------
    results : Path
        Folder of the results, with a folder for each chapter.

    Raises
    ------
    SystemFault
        If a file can't be written.
    """
    for kind in KINDS:
        merged: dict = {}
        for part in sorted(results.glob(f"*/{kind}.json")):
            merged |= json.loads(part.read_text(encoding="utf-8"))
        write_atomic(results / f"{kind}.json", _json(merged))


def _json(entries: dict) -> str:
    return json.dumps(entries, indent=1, sort_keys=True, ensure_ascii=False, allow_nan=False) + "\n"


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
