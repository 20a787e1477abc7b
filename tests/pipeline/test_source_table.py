"""The table of what each source can feed."""

from mpcf.data import catalog
from mpcf.data.needs import CHAPTERS
from mpcf.pipeline.source_table import feeds, table_of_sources
from mpcf.pipeline.staging import fill


def test_a_source_feeds_what_its_phases_and_variables_allow():
    able, unable = feeds(catalog.entry("cesm2_le"))
    assert able == ["01-data", "07-reality-check"]
    assert sorted(able + unable) == sorted(CHAPTERS)
    assert feeds(catalog.entry("flat10_zec"))[1] == ["09-across-models"]
    assert feeds(catalog.entry("koven"))[1] == []


def test_every_source_has_a_row_with_its_phases_and_citation():
    rows = {row.split("`")[1]: row for row in table_of_sources().splitlines()[2:]}
    assert list(rows) == catalog.sources()
    assert "net removal 151–300" in rows["koven"]
    assert "(https://doi.org/10.1088/1748-9326/acab1a)" in rows["koven"]
    assert "yours to set" in rows["ssp534over"]


def test_the_marker_becomes_the_table():
    page = fill("```{table-of-sources}\n```\n", "sources.md", {})
    assert page.startswith("| source | phases | chapters | citation |")
