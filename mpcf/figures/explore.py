"""Figures that a reader can explore on the page, without a kernel or a network."""

from __future__ import annotations

import html
import json
import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import xarray as xr


SCRIPT = "../_static/plotly/plotly-basic.min.js"
"""Address of the book's copy of Plotly, relative to a chapter's page."""

FONT = "DejaVu Sans, Segoe UI, Helvetica, sans-serif"


def menu_figure(
    options: Mapping[str, Sequence[Mapping]],
    *,
    name: str,
    question: str,
    x_title: str,
    y_title: str,
    caption: str,
    alt: str,
) -> dict[str, object]:
    """Return a figure with a menu, as outputs for the page and for JupyterLab.

    Parameters
    ----------
    options : mapping of str to sequence of mapping
        Plotly traces for each choice in the menu, the same number for each and in the same order.
    name : str
        Identifier on the page.
    question : str
        Label of the menu.
    x_title, y_title : str
        Titles of the axes, with units.
    caption : str
        Text below the figure.
    alt : str
        Description of the figure for readers who cannot see it.

    Returns
    -------
    dict
        Output by MIME type: HTML with a native menu for the page, Plotly JSON for JupyterLab.

    Raises
    ------
    ValueError
        If the choices do not all have the same number of traces.
    """
    counts = {len(traces) for traces in options.values()}
    if len(counts) != 1:
        raise ValueError(f"every choice needs the same number of traces, not {sorted(counts)}")
    size = counts.pop()
    layout = {
        "xaxis": {"title": {"text": x_title}, "automargin": True},
        "yaxis": {"title": {"text": y_title}, "automargin": True, "zerolinecolor": "#444"},
        "font": {"family": FONT, "size": 13},
        "paper_bgcolor": "#ffffff",
        "plot_bgcolor": "#ffffff",
        "margin": {"l": 60, "r": 16, "t": 10, "b": 10},
        "legend": {"orientation": "h", "y": -0.25},
        "height": 420,
        "hovermode": "x unified",
        "barmode": "group",
    }
    choices = list(options)
    traces = [
        dict(trace) | {"visible": choice == choices[0]}
        for choice in choices
        for trace in options[choice]
    ]
    buttons = [
        {
            "label": choice,
            "method": "restyle",
            "args": ["visible", [i // size == c for i in range(len(traces))]],
        }
        for c, choice in enumerate(choices)
    ]
    in_lab = layout | {"updatemenus": [{"buttons": buttons, "x": 1, "y": 1.15, "xanchor": "right"}]}
    return {
        "application/vnd.plotly.v1+json": {"data": traces, "layout": in_lab},
        "text/html": _page_html(choices, traces, size, layout, name, question, caption, alt),
    }


def _page_html(
    choices: list[str],
    traces: list[dict],
    size: int,
    layout: dict,
    name: str,
    question: str,
    caption: str,
    alt: str,
) -> str:
    items = "".join(f"<option value={i}>{html.escape(c)}</option>" for i, c in enumerate(choices))
    # "</" inside the data could end the script
    data, frame = (json.dumps(part).replace("</", "<\\/") for part in (traces, layout))
    return f"""<figure class="mpcf-figure mpcf-explore" id="{html.escape(name)}">
<label>{html.escape(question)} <select>{items}</select></label>
<div role="img" aria-label="{html.escape(alt)}"></div>
<figcaption>{html.escape(caption)}</figcaption>
<script src="{SCRIPT}"></script>
<script>
(() => {{
  const figure = document.getElementById({json.dumps(name)});
  const plot = figure.querySelector("div"), menu = figure.querySelector("select");
  const traces = {data};
  Plotly.newPlot(plot, traces, {frame}, {{responsive: true, displayModeBar: false}});
  menu.addEventListener("change", () => Plotly.restyle(
    plot, "visible", traces.map((_, i) => Math.floor(i / {size}) === Number(menu.value))));
}})();
</script></figure>"""


def line_trace(values: xr.DataArray, *, name: str, colour: str) -> dict[str, object]:
    """Return a line over the years, for `menu_figure`.

    Parameters
    ----------
    values : DataArray (year)
        Any unit.
    name : str
        Name in the legend.
    colour : str
        Colour of the line.

    Returns
    -------
    dict
        A Plotly trace.

    Examples
    --------
    >>> import xarray as xr
    >>> water = xr.DataArray([1.234, 2.0], {"year": [2015, 2016]}, "year")
    >>> line_trace(water, name="liquid", colour="#0072B2")["y"]
    [1.23, 2.0]
    """
    return {
        "type": "scatter",
        "mode": "lines",
        "name": name,
        "line": {"color": colour},
        "x": values["year"].values.tolist(),
        "y": values.values.round(2).tolist(),
    }


def bar_trace(found: xr.Dataset, *, name: str, colour: str) -> dict[str, object]:
    """Return bars by period with their intervals, for `menu_figure`.

    Parameters
    ----------
    found : Dataset (period)
        ``estimate`` and ``high``, any unit; an unknown bound draws no interval.
    name : str
        Name in the legend.
    colour : str
        Colour of the bars.

    Returns
    -------
    dict
        A Plotly trace.

    Examples
    --------
    >>> import xarray as xr
    >>> found = xr.Dataset({"estimate": ("period", [1.0]), "high": ("period", [1.5])})
    >>> bar_trace(found.assign_coords(period=["warming"]), name="moisture", colour="b")["error_y"]
    {'array': [0.5], 'thickness': 1}
    """
    half = (found["high"] - found["estimate"]).values.round(3).tolist()
    return {
        "type": "bar",
        "name": name,
        "x": found["period"].values.tolist(),
        "marker": {"color": colour},
        "y": found["estimate"].values.round(3).tolist(),
        "error_y": {"array": [e if math.isfinite(e) else None for e in half], "thickness": 1},
    }
