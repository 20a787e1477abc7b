"""What a chapter computes and shows: numbers, sentences, tables, figures and datasets.

A chapter's sentences are made from the numbers that it records, so a page can't show a number
that its run did not compute. ``numbers.json`` of a source holds every number of every chapter.
"""

from __future__ import annotations

import base64
import html
import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from mpcf.build import build_dir, write_atomic

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr
    from matplotlib.figure import Figure

    from mpcf.catalog import Source

SIGNIFICANT_DIGITS = 8
WIDE = 7.5
"""Width of a figure, inches, above which its text would be too small on a phone."""
KINDS = ("numbers", "sentences", "figures")


@dataclass(frozen=True)
class Number:
    """A number with its unit and meaning.

    Attributes
    ----------
    value : float or int
        The value. NaN stands for *can't be told* and needs a `reason`.
    unit : str
        Its unit; ``"1"`` for a pure number.
    meaning : str
        What it is, in words that stand alone.
    reason : str, optional
        Why there is no value.

    Raises
    ------
    ValueError
        If the value is not finite and no reason is given, or it is infinite.

    Examples
    --------
    >>> Number(14.77, "1e6 km2", "permafrost area").record()
    {'value': 14.77, 'unit': '1e6 km2', 'meaning': 'permafrost area'}
    """

    value: float
    unit: str
    meaning: str
    reason: str = ""

    def __post_init__(self) -> None:
        """Turn array scalars into plain numbers and refuse silent gaps."""
        value = self.value
        value = value.item() if hasattr(value, "item") else value
        object.__setattr__(self, "value", value)
        if math.isinf(value) or (math.isnan(value) and not self.reason):
            raise ValueError(
                f"the number '{self.meaning}' is {value}; give a finite value, or NaN with a reason"
            )

    def record(self) -> dict:
        """Give the number as ``numbers.json`` holds it, rounded to 8 significant digits."""
        value: float | int | None = self.value
        if isinstance(value, float):
            value = None if math.isnan(value) else float(f"{value:.{SIGNIFICANT_DIGITS}g}")
        record = {"value": value, "unit": self.unit, "meaning": self.meaning}
        return record | ({"reason": self.reason} if value is None else {})

    def __format__(self, spec: str) -> str:
        """Format the value, with a true minus sign; NaN becomes 'unknown'."""
        if isinstance(self.value, float) and math.isnan(self.value):
            return "unknown"
        return format(self.value, spec).replace("-", "−")


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
        from mpcf.catalog import entry

        return entry(self.source_name)

    @cached_property
    def is_synthetic(self) -> bool:
        """Whether the source's entry or its data say that it is synthetic."""
        from mpcf.catalog import is_synthetic

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
        FileNotFoundError
            If it has not been made; the message says which chapter makes it.
        """
        import xarray as xr

        if name == "yearly":
            path, maker = self.build / "yearly.zarr", "01"
        else:
            path, maker = self.build / "results" / f"{name}.nc", name[:2]
        if not path.exists():
            raise FileNotFoundError(
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
        """Write a result as ``results/<chapter>/<name>.nc``, aside first, then renamed."""
        self.folder.mkdir(parents=True, exist_ok=True)
        path = self.folder / f"{name}.nc"
        aside = path.with_suffix(".nc.part")
        dataset.attrs |= {
            "mpcf_source": self.source_name,
            "mpcf_synthetic": str(self.is_synthetic).lower(),
        }
        dataset.to_netcdf(aside, engine="netcdf4")
        aside.replace(path)

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
        """
        import matplotlib.pyplot as plt
        from IPython.display import HTML, display

        if not caption.strip() or not alt.strip():
            raise ValueError(f"figure '{name}' needs a caption and an alternative text")
        self.folder.mkdir(parents=True, exist_ok=True)
        path = self.folder / f"{name}.png"
        fig.savefig(path, dpi=160, bbox_inches="tight", metadata={"Software": None})
        plt.close(fig)
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
            `mpcf.explore.menu_figure`.
        """
        from IPython.display import display

        from mpcf.explore import menu_figure

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


def interval(
    name: str,
    values: tuple[float, float, float],
    unit: str,
    meaning: str,
    reason: str = "there are too few members for an interval",
) -> dict[str, Number]:
    """Name an estimate and the bounds of its 95 % interval, for `Chapter.say`.

    Parameters
    ----------
    name : str
        Key of the estimate; its bounds are ``<name>_low`` and ``<name>_high``.
    values : tuple of float
        Estimate, lower and upper bound; NaN where a bound can't be given.
    unit : str
        Their unit.
    meaning : str
        What the estimate is.
    reason : str
        Why a value is NaN.

    Returns
    -------
    dict of str to Number
        The three numbers.

    Examples
    --------
    >>> numbers = interval("slope", (2.0, 1.0, 3.0), "K", "slope")
    >>> "{slope:.1f} ({slope_low:.1f} to {slope_high:.1f})".format(**numbers)
    '2.0 (1.0 to 3.0)'
    """
    bound = "{} bound of the 95 % interval: " + meaning
    return {
        name: Number(values[0], unit, meaning, reason),
        f"{name}_low": Number(values[1], unit, bound.format("lower"), reason),
        f"{name}_high": Number(values[2], unit, bound.format("upper"), reason),
    }


def with_bounds(
    name: str,
    values: tuple[float, float, float],
    spec: str,
    unit: str = "",
    reason: str = "too few members for an interval",
) -> str:
    """Word an estimate with its interval, or say that there is none, for `Chapter.say`.

    Parameters
    ----------
    name : str
        Key of the estimate, as for `interval`.
    values : tuple of float
        Estimate, lower and upper bound; NaN where a bound can't be given.
    spec : str
        Format of the numbers.
    unit : str
        Their unit, in words; none for a pure number.
    reason : str
        Why a bound is NaN.

    Returns
    -------
    str
        Part of a template.

    Examples
    --------
    >>> with_bounds("wait", (4.2, 1.0, 7.4), ".1f", "years")
    '{wait:.1f} years (95 % interval {wait_low:.1f} to {wait_high:.1f})'
    >>> with_bounds("wait", (4.2, float("nan"), float("nan")), ".1f", "years")
    '{wait:.1f} years (too few members for an interval)'
    """
    bounds = f"95 % interval {{{name}_low:{spec}}} to {{{name}_high:{spec}}}"
    bounds = bounds if math.isfinite(values[1]) else reason
    return " ".join(filter(None, (f"{{{name}:{spec}}}", unit, f"({bounds})")))


def change_word(low: float, high: float) -> str:
    """Word a change by its interval.

    Parameters
    ----------
    low, high : float
        Bounds of the interval; NaN where it can't be given.

    Returns
    -------
    str
        ``"rises"``, ``"falls"`` or ``"shows no change that can be told from zero"``; without an
        interval ``"changes, by chance or not"``.

    Examples
    --------
    >>> change_word(-2.0, -1.0), change_word(float("nan"), float("nan"))
    ('falls', 'changes, by chance or not')
    """
    if math.isnan(low):
        return "changes, by chance or not"
    if low > 0:
        return "rises"
    return "falls" if high < 0 else "shows no change that can be told from zero"


def typeset_unit(unit: str) -> str:
    """Write a unit as readers expect it.

    Parameters
    ----------
    unit : str
        Such as ``"gC m-2 yr-1"``.

    Returns
    -------
    str
        With raised exponents.

    Examples
    --------
    >>> typeset_unit("gC m-2 yr-1 per kg m-2"), typeset_unit("1e6 km2")
    ('gC m⁻² yr⁻¹ per kg m⁻²', '10⁶ km²')
    """
    unit = re.sub(r"\b1e(\d+)", r"10\1", unit)
    raised = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
    return re.sub(
        r"(?<=[A-Za-z])-?\d+|(?<=\b10)\d+", lambda power: power[0].translate(raised), unit
    )


def _json(records: dict) -> str:
    return json.dumps(records, indent=1, sort_keys=True, ensure_ascii=False, allow_nan=False) + "\n"


def _slug(label: object) -> str:
    return re.sub(r"[^a-z0-9]+", "_", str(label).lower().replace("−", "minus")).strip("_")


def _table_cell(number: Number, decimals: int) -> str:
    """Write a number for a table; one that would read as zero keeps its first digit."""
    if isinstance(number.value, int):
        return f"{number:d}"
    text = f"{number:.{decimals}f}"
    return f"{number:.1g}" if number.value and not text.strip("−0.") else text


def _show_markdown(text: str) -> None:
    from IPython.display import Markdown, display

    display(Markdown(text))


_READS_AS_NUMBER = re.compile(r"[+−-]?[\d.]+(e[+−-]?\d+)?|unknown|")


def _markdown_table(frame: pd.DataFrame) -> str:
    head = [str(frame.index.name or ""), *map(str, frame.columns)]
    # words to the left, numbers to the right
    words = frame.map(lambda cell: not _READS_AS_NUMBER.fullmatch(str(cell).strip("*"))).any()
    marks = "".join("|:--" if wordy else "|--:" for wordy in words)
    lines = ["| " + " | ".join(head) + " |", f"|:--{marks}|"]
    lines += [f"| {row} | " + " | ".join(map(str, frame.loc[row])) + " |" for row in frame.index]
    return "\n".join(lines)


def _figure_html(path: Path, anchor: str, caption: str, alt: str, *, wide: bool) -> str:
    data = base64.b64encode(path.read_bytes()).decode("ascii")
    image = f'<img src="data:image/png;base64,{data}" alt="{html.escape(alt)}">'
    if wide:  # scrolls sideways within its box on a phone, and by keyboard
        image = f'<div class="mpcf-wide" tabindex="0">{image}</div>'
    return (
        f'<figure class="mpcf-figure" id="{html.escape(anchor)}">{image}'
        f"<figcaption>{html.escape(caption)}</figcaption></figure>"
    )
