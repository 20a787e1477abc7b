"""Explorable figures: one output for the page, one for JupyterLab, nothing from elsewhere."""

import json
import re

import numpy as np
import pytest
import xarray as xr

from mpcf.figures.explore import SCRIPT, bar_trace, line_trace, menu_figure

TEXTS = {
    "name": "03-depths",
    "question": "Depth:",
    "x_title": "year",
    "y_title": "kg m⁻²",
    "caption": "Soil <water>.",
    "alt": 'A "chart".',
}


def line(name, values):
    return {"type": "scatter", "name": name, "x": [1, 2], "y": values}


def test_only_the_first_choice_is_visible_at_first():
    options = {
        "0.1 m": [line("a", [1, 2]), line("b", [3, 4])],
        "1 m": [line("a", [5, 6]), line("b", [7, 8])],
    }
    bundle = menu_figure(options, **TEXTS)
    plotly = bundle["application/vnd.plotly.v1+json"]
    assert [t["visible"] for t in plotly["data"]] == [True, True, False, False]
    (menu,) = plotly["layout"]["updatemenus"]
    assert [b["args"][1] for b in menu["buttons"]] == [
        [True, True, False, False],
        [False, False, True, True],
    ]
    json.dumps(plotly)


def test_page_escapes_text_and_loads_only_what_is_shipped():
    page = menu_figure({"</script>": [line("</script><b>", [1, 2])]}, **TEXTS)["text/html"]
    assert re.findall(r'src="([^"]*)"', page) == [SCRIPT]
    assert page.count("</script>") == 2 and "<b>" not in page.replace("<\\/script><b>", "")
    assert "Soil &lt;water&gt;." in page and 'aria-label="A &quot;chart&quot;."' in page


def test_choices_of_unequal_size_are_refused():
    with pytest.raises(ValueError, match=r"\[1, 2\]"):
        menu_figure({"a": [line("a", [1, 2])], "b": [line("a", [1, 2])] * 2}, **TEXTS)


def test_an_unknown_bound_draws_no_interval_and_is_valid_json():
    period = {"period": ["warming", "net-zero"]}
    middle = xr.DataArray([1.0, 2.0], period, ("period",))
    found = xr.Dataset({"estimate": middle, "high": middle + np.array([0.5, np.nan])})
    trace = bar_trace(found, name="moisture", colour="#0072B2")
    assert trace["x"] == ["warming", "net-zero"] and trace["y"] == [1.0, 2.0]
    assert trace["error_y"]["array"] == [0.5, None]
    assert trace["marker"] == {"color": "#0072B2"}
    json.dumps(trace, allow_nan=False)


def test_a_line_goes_by_year_in_its_colour():
    water = xr.DataArray([1.234, 5.678], {"year": [2000, 2001]}, ("year",))
    trace = line_trace(water, name="liquid water", colour="#0072B2")
    assert (trace["x"], trace["y"]) == ([2000, 2001], [1.23, 5.68])
    assert trace["name"] == "liquid water" and trace["line"] == {"color": "#0072B2"}
