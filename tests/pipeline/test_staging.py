"""Markers, the repository's address, and the checks of a page, each with a fault planted."""

import json

import pytest
import yaml

from mpcf.errors import SiteError
from mpcf.pipeline import contents, measurements, page_checks, reference, staging, stamps

from .conftest import ROOT

ENTRIES = {
    "numbers": {
        "04-regression/b": {"value": -0.0409, "unit": "1", "meaning": "coefficient"},
        "04-regression/gap": {"value": None, "unit": "1", "meaning": "gap", "reason": "none"},
    },
    "sentences": {"05-feedback/claim_b": "Moisture **lowers** uptake."},
    "figures": {
        "05-feedback/bars": {
            "file": "05-feedback/bars.png",
            "caption": "Bars.",
            "alt": 'Bars: "moisture"\nis longest',
        }
    },
}


def fill(text):
    return staging.fill(text, "book/a.md", ENTRIES)


def test_markers_are_replaced():
    assert fill("b = {number}`04-regression/b|.2f`") == "b = −0.04"
    assert fill("{number}`04-regression/gap`") == "unknown"
    assert fill("{sentence}`05-feedback/claim_b`") == "Moisture **lowers** uptake."


def test_figure_comes_with_caption_and_alternative_text():
    text = fill("{figure-of-run}`05-feedback/bars`")
    assert ":::{figure} /figures/05-feedback/bars.png" in text
    assert r':alt: "Bars: \"moisture\" is longest"' in text
    assert "\nBars.\n" in text


def test_code_is_left_as_it_is():
    text = "```text\n{number}`04-regression/x`\n```\n{number}`04-regression/b|.1f`\n"
    assert fill(text) == "```text\n{number}`04-regression/x`\n```\n−0.0\n"


def test_markers_inside_directives_are_replaced():
    marker = "{number}`04-regression/b|.2f`"
    text = f"```{{note}}\n{marker}\n```\n{marker}\n```\n{marker}\n```\n"
    assert fill(text) == f"```{{note}}\n−0.04\n```\n−0.04\n```\n{marker}\n```\n"


def test_table_of_parameters_is_put_in():
    text = fill("```{table-of-parameters}\n```\nafter")
    assert text.startswith("**")
    assert "\n|:--|" in text
    assert text.endswith("|\nafter")


def test_table_of_costs_is_what_was_measured_last(monkeypatch, tmp_path):
    (tmp_path / "catalog.yml").touch()
    monkeypatch.chdir(tmp_path)
    assert fill("{table-of-costs}\nafter").startswith("Nothing has been measured yet")
    kept = {
        "machine": {"processor": "Abacus", "cores": 3},
        "measured": [{"what": "plain read", "value": 0.1234, "unit": "GB s-1", "goal": ">= 70"}],
        "costs": [{"processors": 1, "time (h)": 20.04}, {"processors": 8, "time (h)": 2.505}],
    }
    file = tmp_path / staging.COSTS
    file.parent.mkdir(parents=True)
    file.write_text(json.dumps(kept), encoding="utf-8")
    text = fill("{table-of-costs}\nafter")
    assert "Abacus, with 3 cores" in text
    assert "| plain read | 0.123 GB s⁻¹ | ≥ 70 GB s⁻¹ |" in text
    assert "| processors | time (h) |\n|:--|--:|\n| 1 | 20 |\n| 8 | 2.5 |\nafter" in text


@pytest.mark.parametrize(
    ("marker", "message"),
    [
        ("{number}`04-regression/bb`", r"book/a\.md: .* no number .* did you mean 04-regression/b"),
        ("{sentence}`x`", r"book/a\.md: the run recorded no sentence 'x'"),
        ("{figure-of-run}`x`", r"book/a\.md: the run recorded no figure-of-run 'x'"),
        ("{number}`04-regression/b|.2z`", r"book/a\.md: .*\.2z"),
    ],
)
def test_unknown_key_stops_with_key_and_page(marker, message):
    with pytest.raises(SiteError, match=message):
        fill(marker)


@pytest.mark.parametrize(
    ("given", "address"),
    [
        ("https://github.com/group/book.git", "https://github.com/group/book"),
        ("git@github.com:group/book.git", "https://github.com/group/book"),
        ("https://name:secret@example.org/group/book", "https://example.org/group/book"),
        ("/srv/git/book.git", ""),
        ("file:///srv/git/book", ""),
        ("", ""),
    ],
)
def test_repository_address(monkeypatch, given, address):
    monkeypatch.delenv("MPCF_REPOSITORY_URL", raising=False)
    monkeypatch.setattr(stamps, "git", lambda *arguments: given)
    assert staging.repository_url() == address


def page(body, head=""):
    return (
        f"<html><head>{head}</head><body><aside class='mpcf-banner'></aside>{body}"
        "<aside class='mpcf-provenance'></aside></body></html>"
    )


def faults(tmp_path, body, head=""):
    (tmp_path / "a.html").write_text(page(body, head), encoding="utf-8")
    return page_checks.check(tmp_path, ["a"])


def test_good_page_has_no_fault(tmp_path):
    (tmp_path / "x.png").touch()
    body = '<h1 id="t">T</h1><img src="x.png" alt="a line"><a href="#t">t</a><pre>{number}`x`</pre>'
    assert faults(tmp_path, body) == []


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("<div class='output traceback'>x</div>", "shows a traceback"),
        ("<p>Traceback (most recent call last)</p>", "shows a traceback"),
        ("<span class='problematic'>x</span>", "shows a message of the renderer"),
        ("<p>{number}`04-regression/b`</p>", "{number}`04-regression/b` was not replaced"),
        ("<p>{table-of-parameters}</p>", "{table-of-parameters} was not replaced"),
        ("<p>{table-of-costs}</p>", "{table-of-costs} was not replaced"),
        ("<img src='data:image/png;base64,AA' alt=' '>", "has no alternative text"),
        ("<a href='b.html'>b</a>", "the link b.html leads nowhere"),
        ("<a href='#b'>b</a>", "the link #b leads to no place on its page"),
        ("<script src='https://example.org/a.js'></script>", "needs https://example.org/a.js"),
        ("<script src='//example.org/a.js'></script>", "needs //example.org/a.js"),
    ],
)
def test_fault_is_named_with_its_page(tmp_path, body, message):
    (problem,) = faults(tmp_path, body)
    assert problem.startswith("a: ")
    assert message in problem


def test_missing_page_and_far_fonts_are_faults(tmp_path):
    (tmp_path / "a.css").write_text("@font-face {src: url('https://example.org/a.woff2')}")
    assert page_checks.check(tmp_path, ["a"]) == [
        "a: the page is missing",
        "a.css: needs https://example.org/a.woff2",
    ]


def test_far_style_sheet_is_a_fault(tmp_path):
    head = "<link rel='stylesheet' href='https://example.org/a.css'>"
    assert faults(tmp_path, "", head) == ["a: needs https://example.org/a.css"]


def test_hidden_cells_that_only_prepare_are_shown_with_the_next():
    def cell(source, *tags, shows=()):
        return {"source": source, "outputs": list(shows), "metadata": {"tags": list(tags)}}

    cells = [
        cell("a"),
        cell("b", "hide-input"),
        cell("c", "hide-input"),
        cell("d", "hide-input", shows=["figure"]),
        cell("e", "hide-input"),
        cell("f"),
        cell("g", "hide-input"),
        cell("h", "hide-cell", shows=["solution"]),
        cell("i", "hide-cell", shows=["more"]),
    ]
    joined = staging.join_hidden(cells)
    sources = ["a", "b\n\nc\n\nd", "e", "f", "g", "h", "i"]
    assert [c["source"] for c in joined] == sources
    assert joined[1]["outputs"] == ["figure"]


def test_a_page_of_the_api_reference_has_a_section_for_each_module():
    text = fill("# Soil\n\n{modules-of}`ground`")
    assert "## mpcf.ground.thaw\n\n```{eval-rst}\n.. automodule:: mpcf.ground.thaw\n" in text
    assert text.count("automodule") == len(reference.modules("ground"))
    with pytest.raises(SiteError, match=r"mpcf\.cellar, but there is no such module"):
        fill("{modules-of}`cellar`")


def test_the_api_reference_shows_every_public_part_of_the_package():
    pages = [page for page in contents.pages(ROOT / "_toc.yml") if page.startswith("book/api/")]
    text = "".join((ROOT / f"{page}.md").read_text(encoding="utf-8") for page in pages)
    parts = {path.stem for path in (ROOT / "mpcf").iterdir() if not path.name.startswith("_")}
    assert set(staging._MARKER.findall(text)) == {("modules-of", part) for part in parts}


CODE = [
    "import numpy as np\nfrom mpcf.data import open_source\nfrom mpcf.figures.style import COLOURS",
    "from mpcf.method import regression as r\nr.fit(y, x), r.MIN_MEMBERS, r.none, COLOURS.items()",
    "from mpcf.demo.parameters import Physics, table",
]


def test_functions_that_a_chapter_uses_are_those_it_imports_or_calls_through_a_module():
    assert reference.used_functions(CODE) == [
        "mpcf.data.sources.open_source",
        "mpcf.demo.parameters.Physics",
        "mpcf.demo.parameters.table",
        "mpcf.method.regression.fit",
    ]


def test_a_chapter_ends_with_links_to_the_functions_it_uses():
    text = reference.used_section(CODE)
    assert text.startswith(f"## {reference.USED}\n")
    links = "{py:obj}`Physics <mpcf.demo.parameters.Physics>`, "
    assert "{py:mod}`mpcf.demo.parameters`\n: " + links in text
    assert reference.used_section(["import numpy as np"]) == ""


def test_page_without_banner_or_footer_is_a_fault(tmp_path):
    (tmp_path / "a.html").write_text("<p>text</p>")
    assert page_checks.check(tmp_path, ["a"]) == ["a: has no footer", "a: has no banner"]


@pytest.mark.parametrize("url", ["https://github.com/group/book", ""])
def test_buttons_are_there_only_with_an_address(monkeypatch, url):
    monkeypatch.setattr(staging, "repository_url", lambda: url)
    config = yaml.safe_load(staging._config(ROOT))
    assert config.get("repository", {}).get("url", "") == url
    assert bool(config["html"].get("use_edit_page_button")) == bool(url)
    assert bool(config["launch_buttons"].get("binderhub_url")) == bool(url)
    # Without it the theme's own options would replace those of the buttons.
    assert config["sphinx"]["recursive_update"] is True


def measured(seconds):
    """Measurements where ours took `seconds`, the bound is 1 s and every other way takes 150 s."""
    times = {}
    for task, rival, _ in measurements.GOALS:
        ours = "mpcf, Gram matrices" if rival == "mpcf, refits" else "mpcf"
        for method in ("a loop", rival or "a loop", ours):
            times[task, method] = seconds if method == ours else 150.0
    size = {"cells": 5_000, "years": 500, "predictors": 4, "cells_timed": 5_000, "note": ""}
    rows = [
        {"task": task, "method": method, "seconds": took, "bound_seconds": 1.0, "times_bound": took}
        for (task, method), took in times.items()
    ]
    rows = [row | size for row in rows]
    rows.append({"task": "memory", "method": "mpcf", "bytes": 3, "input_bytes": 2})
    machine = {"processor": "Abacus", "processor_model": "7", "cores": 3, "threads": 2}
    machine |= {"python": "3.11", "versions": {"numpy": "9.8.7"}}
    return {"machine": machine, "rows": rows}


def page_on_speed(tmp_path, known):
    file = tmp_path / "results.json"
    file.write_text(json.dumps(known), encoding="utf-8")
    entries = measurements.entries(file, tmp_path) | {"numbers": {}}
    return staging.fill(
        (ROOT / "book" / "benchmarks.md").read_text(), "book/benchmarks.md", entries
    )


def test_page_on_speed_takes_everything_from_the_file(tmp_path):
    text = page_on_speed(tmp_path, measured(0.06))
    assert "Abacus, model 7, 3 cores, 2 threads" in text
    assert "| active layer | ≤ 1.5 × the bound | 0.06 × | yes |" in text
    assert "≥ 50 × faster than statsmodels loop, HAC | 2,500 × | yes |" in text
    assert "≥ 3,000 × faster than refits | 2,500 × | **no** |" in text
    assert "4 of the 6 goals are met." in text
    assert "- **1000 draws of members.**" in text
    assert "- **Active layer.**" not in text
    assert "holds 1.5 to 1.5 times" in text
    assert "it takes 0.06 to 0.06 times as long as the dashed line" in text
    assert (tmp_path / "benchmarks" / "sizes.png").stat().st_size > 10_000


def test_page_on_speed_says_what_was_missed(tmp_path):
    text = page_on_speed(tmp_path, measured(4.5))
    assert "None of the 6 goals are met." in text
    assert "| permafrost mask | ≤ 3 × the bound | 4.5 × | **no** |" in text
    for task in measurements.LIMITS:
        assert f"- **{task[0].upper()}{task[1:]}.**" in text


def test_kept_measurements_fill_the_page(tmp_path):
    text = page_on_speed(tmp_path, json.loads(measurements.results_file().read_text()))
    for task in {task for task, _, _ in measurements.GOALS}:
        assert f"**{task[0].upper()}{task[1:]}**," in text
    assert "{" not in text.replace("{figure}", "")
    assert "nan" not in text
