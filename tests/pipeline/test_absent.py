"""Chapters that a source cannot feed: left out of a run, and a page in their place."""

import json
import shutil
from pathlib import Path

import nbformat
import numpy as np
import pytest
import xarray as xr
import yaml
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from mpcf.data.needs import CHAPTERS, missing
from mpcf.data.variables import MONTHLY
from mpcf.errors import DataError, SiteError
from mpcf.pipeline import absent, chapters, site, staging
from mpcf.pipeline.runs import Run
from mpcf.yearly.job import HELD

ROOT = Path(__file__).parents[2]
RUN = Run("part")
PARAMETERS = 'source = "demo"\nquick = False'
INDEX = """# The book

{figure-of-run}`06-refreeze-delay/loop`

**Thaw** ([2](../notebooks/02-permafrost-thaw.ipynb)). {sentence}`02-permafrost-thaw/finding`

**Refreezing** ([6](../notebooks/06-refreeze-delay.ipynb)). {sentence}`06-refreeze-delay/finding`

In {number}`06-refreeze-delay/lag|.1f` years.
"""
OWN_DATA = "# Use your own data\n\n## Which chapter needs what\n\n{table-of-needs}\n"
TOC = {
    "format": "jb-book",
    "root": "book/index",
    "chapters": [{"file": f"notebooks/{name}"} for name in CHAPTERS]
    + [{"file": "book/use-your-own-data"}],
}


@pytest.fixture
def book(tmp_path, monkeypatch):
    """Nine stub chapters; returns a function that sets what the source holds."""
    for name in CHAPTERS:
        cells = [
            new_markdown_cell(f"# {name[:2]} · A title\n\nText.", id="a"),
            new_code_cell(PARAMETERS, metadata={"tags": ["parameters"]}, id="b"),
        ]
        kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
        path = tmp_path / "notebooks" / f"{name}.ipynb"
        path.parent.mkdir(exist_ok=True)
        nbformat.write(new_notebook(cells=cells, metadata={"kernelspec": kernel}), path)
    shutil.copytree(ROOT / "book" / "_static", tmp_path / "book" / "_static")
    shutil.copy(ROOT / "book" / "references.bib", tmp_path / "book")
    (tmp_path / "book" / "index.md").write_text(INDEX)
    (tmp_path / "book" / "use-your-own-data.md").write_text(OWN_DATA)
    (tmp_path / "_toc.yml").write_text(yaml.safe_dump(TOC, sort_keys=False))
    shutil.copy(ROOT / "_config.yml", tmp_path)
    (tmp_path / "benchmarks").mkdir()
    shutil.copy(ROOT / "benchmarks" / "results.json", tmp_path / "benchmarks")
    entry = yaml.safe_load((ROOT / "catalog.yml").read_text())["sources"]["demo"]
    entry["args"]["urlpath"] = str(tmp_path / "data.zarr")
    entry["metadata"]["truth"] = None
    held = {}

    def holds(variables, phases, members=4):
        held.update(variables=variables, members=members)
        entry["metadata"]["phases"] = {
            name: [2000 + 50 * i, 2049 + 50 * i] for i, name in enumerate(phases)
        }
        document = {"metadata": {"version": 1}, "sources": {"part": entry}}
        (tmp_path / "catalog.yml").write_text(yaml.safe_dump(document, sort_keys=False))

    def execute(run, chapter, values):
        results = run.folder / "results" / chapter
        results.mkdir(parents=True)
        number = {f"{chapter}/lag": {"value": 4.25, "unit": "years", "meaning": "a lag"}}
        (results / "numbers.json").write_text(json.dumps(number))
        (results / "sentences.json").write_text(json.dumps({f"{chapter}/finding": "It thaws."}))
        (results / "loop.png").write_bytes(b"png")
        figure = {"file": f"{chapter}/loop.png", "caption": "A loop.", "alt": "A loop"}
        (results / "figures.json").write_text(json.dumps({f"{chapter}/loop": figure}))
        absent.merge_entries(results.parent)
        (run.folder / "notebooks").mkdir(exist_ok=True)
        shutil.copy(tmp_path / "notebooks" / f"{chapter}.ipynb", run.folder / "notebooks")
        if chapter == "01-data":
            names = " ".join(held["variables"])
            coords = {"member": np.arange(held["members"])}
            xr.Dataset(coords=coords, attrs={HELD: names}).to_zarr(run.folder / "yearly.zarr")

    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MPCF_BUILD", str(tmp_path / "built"))
    monkeypatch.setattr(chapters, "execute_chapter", execute)
    return holds


def able(variables, phases, members=4):
    return [c for c in CHAPTERS if not missing(c, variables, phases, members)]


def staged(page):
    folder = RUN.folder / "stage"
    shutil.rmtree(folder, ignore_errors=True)
    staging.stage_pages(RUN, folder)
    path = folder / page
    if path.suffix == ".md":
        return path.read_text(encoding="utf-8")
    return "\n\n".join(cell.source for cell in nbformat.read(path, as_version=4).cells)


@pytest.mark.parametrize(
    ("variables", "phases"),
    [
        (list(MONTHLY), ["warming"]),
        (["tas", "pr", "mrsll", "snd"], ["warming", "mitigation", "net-zero"]),
        (["tsl", "mrsll", "mrsfl"], ["warming", "net removal"]),
        (list(MONTHLY), ["warming", "mitigation", "net-zero"]),
    ],
)
def test_only_the_chapters_that_can_run_do(book, variables, phases):
    book(variables, phases)
    expected = able(variables, phases)
    assert chapters.run_chapters(RUN) == expected
    assert list(absent.left_out(RUN)) == [c for c in CHAPTERS if c not in expected]
    assert chapters.stale_chapters(RUN) == []
    assert chapters.run_chapters(RUN) == []


def test_too_few_members_leave_a_chapter_out(book, monkeypatch):
    from mpcf.data.needs import Needs

    monkeypatch.setitem(CHAPTERS, "08-robustness", Needs(members=4))
    book(list(MONTHLY), ["warming", "mitigation", "net-zero"], members=3)
    assert "08-robustness" not in chapters.run_chapters(RUN)
    assert "| 4 members | more runs" in staged("notebooks/08-robustness.ipynb")


def test_a_chapter_that_is_asked_for_says_why_it_cannot_run(book):
    book(list(MONTHLY), ["warming"])
    words = "06-refreeze-delay can't run on source 'part', which lacks the phase 'net-zero' or"
    with pytest.raises(DataError, match=words):
        chapters.run_chapters(RUN, last="06-refreeze-delay")


def test_the_page_says_what_is_missing_and_where_it_could_come_from(book):
    book(["tsl", "tas"], ["warming"])
    chapters.run_chapters(RUN)
    page = staged("notebooks/06-refreeze-delay.ipynb")
    assert page.startswith("# 06 · A title\n")
    assert "source `part` lacks liquid water in the soil layer (mrsll), " in page
    row = "| ice in the soil layer (`mrsfl`) | CESM2: SOILICE, or H2OSOI for all water; CMIP6: "
    assert row in page
    assert "set 'net-zero' or 'net removal' in the entry's phases" in page
    assert "mpcf-banner" in page and "mpcf-provenance" in page
    assert "Text." not in page


def test_other_pages_say_plainly_what_is_not_available(book):
    book(list(MONTHLY), ["warming"])
    chapters.run_chapters(RUN)
    text = staged("book/index.md")
    assert "It thaws." in text
    lacks = "which lacks the phase 'net-zero' or 'net removal'.*"
    assert f"*The figure is not available from this source, {lacks}" in text
    assert (
        "**Refreezing** ([6](../notebooks/06-refreeze-delay.ipynb)). "
        f"*Not available from this source, {lacks}" in text
    )
    assert "In (not available from this source) years." in text


def test_numbers_of_an_earlier_run_are_gone(book):
    phases = ["warming", "mitigation", "net-zero"]
    book(list(MONTHLY), phases)
    chapters.run_chapters(RUN)
    assert "In 4.2 years." in staged("book/index.md")
    book(list(MONTHLY), phases[:2])
    assert chapters.stale_chapters(RUN) == list(CHAPTERS)
    assert chapters.run_chapters(RUN) == [c for c in CHAPTERS if c[:2] != "06"]
    numbers = json.loads((RUN.folder / "results" / "numbers.json").read_text())
    assert "06-refreeze-delay/lag" not in numbers and "05-feedback-attribution/lag" in numbers
    assert not absent.has_outputs(RUN, "06-refreeze-delay")
    assert "In (not available from this source) years." in staged("book/index.md")


def test_a_wrong_key_of_a_chapter_that_ran_is_still_an_error():
    lacks = {"06-refreeze-delay": missing("06-refreeze-delay", [], [], 1)}
    entries = {"numbers": {"02-thaw/area": {"value": 1.0}}, "sentences": {}, "figures": {}}
    with pytest.raises(SiteError, match="did you mean 02-thaw/area"):
        staging.fill("{number}`02-thaw/are`", "a.md", entries, lacks)
    with pytest.raises(SiteError, match="recorded no sentence"):
        staging.fill("{sentence}`06-refreeze/finding`", "a.md", entries, lacks)


def test_the_table_of_needs_has_every_chapter():
    text = staging.fill("{table-of-needs}", "a.md", {})
    assert text.count("\n| [") == len(CHAPTERS)
    assert (
        "| [6](../notebooks/06-refreeze-delay.ipynb) | `tas`, `tsl`, `mrsll`, `mrsfl`, `snd` | "
        "warming, net-zero or net removal | 1 |" in text
    )


def test_a_book_with_a_chapter_left_out_renders(book, monkeypatch):
    """The whole way through Jupyter Book, whose warnings are errors, and the page checks."""
    book(list(MONTHLY), ["warming"])
    monkeypatch.setattr(staging.reference, "used_section", lambda code: "")
    chapters.run_chapters(RUN)
    assert site.build(RUN)
    html = RUN.folder / "html"
    page = (html / "notebooks" / "06-refreeze-delay.html").read_text(encoding="utf-8")
    assert "Not available from this source" in page
    assert "use-your-own-data.html#which-chapter-needs-what" in page
    assert "It thaws." in (html / "book" / "index.html").read_text(encoding="utf-8")
    assert not site.build(RUN), "nothing has changed"
