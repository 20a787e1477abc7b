"""The catalogue: what it opens, and what it refuses."""

import hashlib
import re
import shutil
import socket
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
import yaml

from mpcf import errors
from mpcf.book import chapter
from mpcf.book.source_build import SourceBuild
from mpcf.data import catalog, records, sources
from mpcf.data.catalog_faults import ESM_DRIVER
from mpcf.errors import DataError
from mpcf.folders import build_dir

ROOT = Path(__file__).parents[2]


@pytest.fixture
def book(tmp_path, monkeypatch):
    """Return a folder with the book's catalogue, in which no data are."""
    shutil.copy(ROOT / "catalog.yml", tmp_path)
    monkeypatch.chdir(tmp_path)
    for variable in ("MPCF_BUILD", "REALDATA_ROOT", "IRCC_DATA"):
        monkeypatch.delenv(variable, raising=False)
    return tmp_path


def write_catalogue(book, **entries):
    text = yaml.safe_dump({"metadata": {"version": 1}, "sources": entries}, sort_keys=False)
    (book / "catalog.yml").write_text(text)


def an_entry(**changes):
    entry = {
        "driver": "zarr",
        "description": "A test ensemble.",
        "args": {"urlpath": "{{ BUILD }}/data/monthly.zarr"},
        "metadata": {
            "convention": "standard",
            "phases": {"warming": [1, 2], "mitigation": [3, 4], "net-zero": [5, 6]},
            "citation": "nobody",
            "licence": "none",
            "is_synthetic": False,
            "truth": None,
        },
    }
    return entry | changes


def ensemble(**attrs):
    tas = xr.DataArray([[270.0, 271.0, 272.0], [280.0, 281.0, 282.0]], dims=("member", "time"))
    return xr.Dataset({"tas": tas}, {"member": [1, 2]}, attrs).chunk(member=1)


def write_store(path, **attrs):
    path.parent.mkdir(parents=True)
    ensemble(**attrs).to_zarr(path, zarr_format=2, consolidated=True)


# ------------------------------------------------------------------------------- what is opened


def test_the_catalogue_holds_the_sources_and_records(book):
    archives = ["koven", "noresm_bell", "flat10_zec", "flat10_cdr", "cesm2_le", "ssp534over"]
    assert catalog.sources() == ["demo", "ircc", "cmip6", *archives]
    assert catalog.records() == ["clm_cn", "toolik"]


def test_the_demo_says_what_it_is(book):
    demo = catalog.entry("demo")
    assert demo.is_synthetic
    assert demo.phases["warming"] == (2000, 2050)
    assert demo.phases["net-zero"] == (2117, 2300)


def test_the_years_of_an_unpublished_experiment_are_not_invented(book):
    assert catalog.entry("ircc").phases == {}


def test_two_members_read_are_two_different_members(book):
    write_store(build_dir("demo") / "data" / "monthly.zarr")
    opened = sources.open_source("demo")
    assert opened.tas.chunks is not None
    assert opened.sel(member=1).tas.values.tolist() == [270.0, 271.0, 272.0]
    assert opened.sel(member=2).tas.values.tolist() == [280.0, 281.0, 282.0]


def test_members_of_a_netcdf_entry_are_different_too(book):
    path = book / "ensemble.nc"
    ensemble().to_netcdf(path, engine="netcdf4")
    args = {"urlpath": str(path), "xarray_kwargs": {"engine": "netcdf4"}}
    write_catalogue(book, mine=an_entry(driver="netcdf", args=args))
    opened = sources.open_source("mine")
    assert opened.tas.chunks is not None
    assert not np.array_equal(opened.tas.sel(member=1), opened.tas.sel(member=2))


def test_quick_and_full_are_two_stores(book):
    write_store(build_dir("demo", quick=True) / "data" / "monthly.zarr", size="small")
    assert sources.open_source("demo", quick=True).attrs["size"] == "small"
    with pytest.raises(errors.SourceUnavailable):
        sources.open_source("demo")


def test_a_change_of_the_build_folder_is_noticed(book, monkeypatch):
    for name in ("one", "two"):
        monkeypatch.setenv("MPCF_BUILD", str(book / name))
        write_store(build_dir("demo") / "data" / "monthly.zarr", folder=name)
        assert sources.open_source("demo").attrs["folder"] == name


def test_an_environment_variable_names_a_store_and_its_change_is_noticed(book, monkeypatch):
    write_catalogue(book, mine=an_entry(args={"urlpath": "{{ env(MY_DATA) }}/monthly.zarr"}))
    for name in ("one", "two"):
        write_store(book / name / "monthly.zarr", folder=name)
        monkeypatch.setenv("MY_DATA", str(book / name))
        assert sources.open_source("mine").attrs["folder"] == name


@pytest.mark.parametrize(("declared", "stored"), [(True, {}), (False, {"mpcf_synthetic": "true"})])
def test_data_are_synthetic_if_the_entry_or_the_file_says_so(book, declared, stored):
    metadata = an_entry()["metadata"] | {"is_synthetic": declared}
    write_catalogue(book, mine=an_entry(metadata=metadata))
    write_store(build_dir("mine") / "data" / "monthly.zarr", **stored)
    opened = sources.open_source("mine")
    assert opened.attrs["is_synthetic"] == "true"
    assert opened.attrs["mpcf_source"] == "mine"
    assert sources.is_synthetic("mine")


@pytest.mark.parametrize(
    ("stored", "begins"),
    [({"mpcf_synthetic": "true"}, "> **Demonstration data."), ({}, "> **Data of this page:**")],
)
def test_a_chapters_banner_follows_the_data_too(book, monkeypatch, stored, begins):
    metadata = an_entry()["metadata"] | {"is_synthetic": False}
    write_catalogue(book, mine=an_entry(metadata=metadata))
    write_store(build_dir("mine") / "data" / "monthly.zarr", **stored)
    shown = []
    monkeypatch.setattr(chapter, "_show_markdown", shown.append)
    chapter.Chapter("01-data", SourceBuild("mine")).banner()
    assert shown[0].startswith(begins)


def test_a_banner_names_real_and_synthetic_sources_of_one_page(book, monkeypatch):
    for name in ("mine", "made"):
        write_store(build_dir(name) / "data" / "monthly.zarr")
    write_catalogue(
        book,
        mine=an_entry(metadata=an_entry()["metadata"] | {"is_synthetic": False}),
        made=an_entry(metadata=an_entry()["metadata"] | {"is_synthetic": True}),
    )
    shown = []
    monkeypatch.setattr(chapter, "_show_markdown", shown.append)
    chapter.Chapter("09", SourceBuild("mine")).banner(["made"])
    chapter.Chapter("09", SourceBuild("made")).banner(["mine"])
    chapter.Chapter("09", SourceBuild("mine")).banner(variants=True)
    chapter.Chapter("09", SourceBuild("made")).banner(variants=True)
    assert ["**Synthetic:** `made`," in text for text in shown] == [True, True, False, False]
    assert "**Synthetic:** every variant," in shown[2]
    assert shown[3].startswith("> **Demonstration data.**")


# --------------------------------------------------------------------------- places and templates


def spellings(name):
    return [f"{{{{{left}{name}{right}}}}}" for left in ("", " ") for right in ("", " ")]


FOLDERS = [
    *((text, "_build/mine") for text in spellings("BUILD")),
    *((text, "") for text in spellings("CATALOG_DIR")),
    *((text, "mine") for text in (*spellings("env(MY_DATA)"), "{{ env( MY_DATA ) }}")),
]


@pytest.mark.parametrize(("template", "folder"), FOLDERS)
def test_every_spelling_of_a_template_leads_to_the_data(book, monkeypatch, template, folder):
    monkeypatch.setenv("MY_DATA", str(book / "mine"))
    write_store(book / folder / "data" / "monthly.zarr")
    write_catalogue(book, mine=an_entry(args={"urlpath": f"{template}/data/monthly.zarr"}))
    assert sources.open_source("mine").sizes["member"] == 2


@pytest.mark.parametrize(("template", "folder"), FOLDERS)
def test_every_spelling_of_a_template_leads_to_the_twins(book, monkeypatch, template, folder):
    monkeypatch.setenv("MY_DATA", str(book / "mine"))
    write_store(book / folder / "twins" / "effects.zarr")
    metadata = an_entry()["metadata"] | {"truth": f"{template}/twins"}
    write_catalogue(book, mine=an_entry(metadata=metadata))
    assert "tas" in SourceBuild("mine").truth("effects")


@pytest.mark.parametrize(("template", "folder"), FOLDERS)
@pytest.mark.parametrize("key", ["obj", "catalogue"])
def test_every_spelling_of_a_template_leads_to_a_catalogue(
    book, monkeypatch, template, folder, key
):
    monkeypatch.setenv("MY_DATA", str(book / "mine"))
    places = {"obj": "/nowhere/catalog.json", "catalogue": None} | {key: f"{template}/x.json"}
    write_catalogue(book, mine=a_cmip6_entry(**places))
    found = re.escape(str(book / folder / "x.json"))
    with pytest.raises(errors.SourceUnavailable, match=f"no catalogue {found}"):
        sources.open_source("mine")


def a_cmip6_entry(obj, catalogue):
    metadata = {"convention": "cmip6", "experiments": ["demo"], "catalogue": catalogue}
    return an_entry(
        driver=ESM_DRIVER, args={"obj": obj}, metadata=an_entry()["metadata"] | metadata
    )


def test_a_catalogue_of_an_unset_variable_leaves_the_entrys_own(book, monkeypatch):
    monkeypatch.delenv("MY_CATALOGUE", raising=False)
    write_catalogue(book, mine=a_cmip6_entry("own.json", "{{env(MY_CATALOGUE)}}"))
    with pytest.raises(errors.SourceUnavailable, match=f"no catalogue {book}/own.json"):
        sources.open_source("mine")


@pytest.mark.parametrize("convention", ["standard", "cesm", "cmip6", "record"])
def test_an_unset_variable_is_named_with_what_to_set(book, monkeypatch, convention):
    monkeypatch.delenv("MY_DATA", raising=False)
    place = "{{env(MY_DATA)}}/data"
    metadata = an_entry()["metadata"] | {"convention": convention}
    changes = {"args": {"urlpath": place}}
    if convention == "cmip6":
        metadata["experiments"] = ["demo"]
        changes = {"args": {"obj": place}, "driver": ESM_DRIVER}
    elif convention == "record":
        metadata |= {"url": "http://127.0.0.1:9", "sha256": "0"}
    write_catalogue(book, mine=an_entry(metadata=metadata, **changes))
    read = records.open_record if convention == "record" else sources.open_source
    with pytest.raises(errors.SourceUnavailable, match=r"^MY_DATA is not set.*set MY_DATA to "):
        read("mine")


def test_twins_of_an_unset_variable_name_it(book, monkeypatch):
    monkeypatch.delenv("MY_TWINS", raising=False)
    metadata = an_entry()["metadata"] | {"truth": "{{ env(MY_TWINS) }}/twins"}
    write_catalogue(book, mine=an_entry(metadata=metadata))
    with pytest.raises(errors.SourceUnavailable, match="MY_TWINS is not set"):
        SourceBuild("mine").truth("effects")


def test_the_home_folder_is_understood(book, monkeypatch):
    monkeypatch.setenv("HOME", str(book / "home"))
    monkeypatch.setenv("MY_DATA", "~/data")
    write_store(book / "home" / "data" / "monthly.zarr")
    for place in ("{{ env(MY_DATA) }}/monthly.zarr", "~/data/monthly.zarr"):
        write_catalogue(book, mine=an_entry(args={"urlpath": place}))
        assert sources.open_source("mine").sizes["member"] == 2


def test_a_path_that_is_not_whole_starts_at_the_catalogue(book, monkeypatch):
    write_store(book / "data" / "monthly.zarr")
    write_catalogue(book, mine=an_entry(args={"urlpath": "data/monthly.zarr"}))
    (book / "notebooks").mkdir()
    monkeypatch.chdir(book / "notebooks")
    assert sources.open_source("mine").sizes["member"] == 2


@pytest.mark.parametrize("template", spellings("BUILD"))
def test_data_that_the_book_made_small_are_not_thinned_again(book, template):
    store = build_dir("mine", quick=True) / "data" / "monthly.zarr"
    store.parent.mkdir(parents=True)
    many = xr.Dataset({"tas": (("member", "time"), np.zeros((6, 1)))}, {"member": range(6)})
    many.to_zarr(store, zarr_format=2, consolidated=True)
    write_catalogue(book, mine=an_entry(args={"urlpath": f"{template}/data/monthly.zarr"}))
    assert sources.open_source("mine", quick=True).sizes["member"] == 6


# ------------------------------------------------------------------------- what is not there


def test_an_unknown_name_is_answered_with_the_closest(book):
    with pytest.raises(errors.UnknownSource, match="did you mean demo"):
        sources.open_source("demmo")
    with pytest.raises(errors.UnknownSource, match="did you mean toolik"):
        records.open_record("tolik")
    with pytest.raises(
        errors.UnknownSource, match=r"valid names: demo, ircc, cmip6, koven, .*, clm_cn"
    ):
        catalog.entry("xyz")


def test_records_and_sources_are_not_confused(book):
    with pytest.raises(errors.UnknownSource, match="open_record"):
        sources.open_source("toolik")
    with pytest.raises(errors.UnknownSource, match="clm_cn, toolik"):
        records.open_record("demo")


@pytest.mark.parametrize(
    ("quick", "command"), [(False, r"mpcf simulate \("), (True, "mpcf simulate --quick")]
)
def test_a_missing_store_names_the_command_that_makes_it(book, quick, command):
    with pytest.raises(errors.SourceUnavailable, match=command):
        sources.open_source("demo", quick=quick)


def test_a_store_that_is_no_store_is_named(book):
    path = build_dir("demo") / "data" / "monthly.zarr"
    path.mkdir(parents=True)
    (path / "zarr.json").write_text('{"zarr_format": 3, "node_type"')
    with pytest.raises(errors.SourceUnavailable, match="can't be read"):
        sources.open_source("demo")


def test_ircc_says_what_to_set(book, monkeypatch):
    with pytest.raises(errors.SourceUnavailable) as unset:
        sources.open_source("ircc")
    for words in ("IRCC_DATA is not set", "a folder per member", ".clm2.h0.", "phases"):
        assert words in str(unset.value)
    monkeypatch.setenv("IRCC_DATA", str(book / "nowhere"))
    with pytest.raises(errors.SourceUnavailable, match=r"there is no folder .*nowhere"):
        sources.open_source("ircc")


def test_a_folder_that_is_laid_out_otherwise_is_answered_with_the_layout(book, monkeypatch):
    monkeypatch.setenv("IRCC_DATA", str(book))
    with pytest.raises(DataError, match="holds no history files; expected a folder per member"):
        sources.open_source("ircc")


def test_a_catalogue_out_of_reach_is_answered_with_cause_and_advice(book, monkeypatch):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{free.getsockname()[1]}/catalogue.json"
    monkeypatch.setenv("CMIP6_CATALOG", address)
    with pytest.raises(errors.SourceUnavailable) as lost:
        sources.open_source("cmip6")
    assert str(lost.value).count(address) == 1
    for words in ("Connect call failed", "set CMIP6_CATALOG to"):
        assert words in str(lost.value)


def test_an_unknown_convention_is_refused(book):
    metadata = an_entry()["metadata"] | {"convention": "cmip7"}
    write_catalogue(book, mine=an_entry(metadata=metadata))
    with pytest.raises(errors.CatalogError, match="valid names: standard, cesm, cmip6"):
        sources.open_source("mine")


def test_a_quick_look_takes_fewer_members_rows_and_columns(book):
    lat, lon = np.arange(46.0, 86.0, 2.0), np.arange(-179.0, 180.0, 2.0)
    tas = xr.DataArray(np.zeros((6, 1, 20, 180)), dims=("member", "time", "lat", "lon"))
    area = xr.DataArray(np.ones((20, 180)), dims=("lat", "lon"), attrs={"units": "m2"})
    fine = xr.Dataset({"tas": tas, "areacella": area}, {"lat": lat, "lon": lon})
    path = book / "fine.zarr"
    fine.assign_coords(member=range(6)).to_zarr(path, zarr_format=2, consolidated=True)
    write_catalogue(book, mine=an_entry(args={"urlpath": str(path)}))
    quick = sources.open_source("mine", quick=True)
    assert dict(quick.sizes) == {"member": 4, "time": 1, "lat": 5, "lon": 36}
    assert (quick["areacella"] == 20.0).all()
    assert quick["areacella"].attrs == {"units": "m2"}
    assert "every 4. row and 5. column" in quick.attrs["mpcf_notes"]
    assert "mpcf_notes" not in sources.open_source("mine").attrs


# --------------------------------------------------------------------------------- what is refused


@pytest.mark.parametrize("name", ["../demo", "/etc/passwd", "demo/..", "", "{{ env(HOME) }}"])
def test_a_name_is_only_a_name(book, name):
    with pytest.raises(errors.UnknownSource):
        sources.open_source(name)


@pytest.mark.parametrize(
    "urlpath",
    [
        "{{ shell('touch pwned') }}",
        "{{ client_shell('touch pwned') }}",
        "{{ ''.__class__.__mro__[1].__subclasses__() }}",
        "{% for x in y %}{% endfor %}",
        "{# note #}",
        "http://example.org/{{ env(HOME) }}",
        "{{ BUILD }}/{{ env(HOME) }}",
        "{{ BUILD }}/../../etc",
        "../other/monthly.zarr",
        "data\\..\\other.zarr",
        ["a.zarr", "b.zarr"],
    ],
)
def test_a_hostile_place_is_refused(book, urlpath):
    write_catalogue(book, mine=an_entry(args={"urlpath": urlpath}))
    with pytest.raises(errors.CatalogError):
        sources.open_source("mine")
    assert not (book / "pwned").exists()


def test_a_template_hidden_elsewhere_is_refused(book):
    write_catalogue(book, mine=an_entry(description="{{ shell('touch pwned') }}"))
    with pytest.raises(errors.CatalogError, match="template"):
        catalog.entry("mine")


@pytest.mark.parametrize(
    "text",
    [
        "sources:\n  x: !!python/object/apply:os.system ['touch pwned']\n",
        "sources:\n  x: !template '{{ shell(1) }}'\n",
        "sources:\n  x: {}\n  x: {}\n",
        "sources: [1, 2]\n",
        "version: 2\nentries: {}\n",
        "plugins: {source: [{module: os}]}\nsources: {}\n",
        "metadata: {parameters: {x: {default: 1}}}\nsources: {}\n",
        "just words",
        "",
    ],
)
def test_a_catalogue_that_is_more_than_plain_entries_is_refused(book, text):
    (book / "catalog.yml").write_text(text)
    with pytest.raises(errors.CatalogError):
        catalog.sources()
    assert not (book / "pwned").exists()


@pytest.mark.parametrize(
    "changes",
    [
        {"driver": "os.system"},
        {"driver": ESM_DRIVER},
        {"metadata": an_entry()["metadata"] | {"experiments": "historical"}},
        {"driver": ["zarr", "csv"]},
        {"parameters": {"member": {"default": "001"}}},
        {"args": {}},
        {"metadata": {"convention": "standard"}},
        {"metadata": an_entry()["metadata"] | {"licens": "x"}},
    ],
)
def test_a_malformed_entry_is_refused(book, changes):
    write_catalogue(book, mine=an_entry(**changes))
    with pytest.raises(errors.CatalogError, match="mine"):
        catalog.entry("mine")


@pytest.mark.parametrize(
    "truth", ["{{ BUILD }}/../twins", "../twins", "x/{{ BUILD }}", "{{ shell('x') }}", ["a"], ""]
)
def test_the_place_of_the_twins_obeys_the_rules_of_places(book, truth):
    write_catalogue(book, mine=an_entry(metadata=an_entry()["metadata"] | {"truth": truth}))
    with pytest.raises(errors.CatalogError, match="mine"):
        catalog.entry("mine")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"is_synthetic": "no"}, "'is_synthetic' must be true or false, without quotes, not 'no'"),
        ({"is_synthetic": 1}, "'is_synthetic' must be true or false"),
        ({"citation": 2019}, "'citation' must be a text, not 2019"),
        ({"experiments": []}, "metadata can't hold 'experiments'"),
        ({"members": [1]}, "'members' must be a text, not 1"),
        ({"years": [2100, 2015]}, "'years': [2100, 2015] are no years; write the first and"),
        ({"years": "2015-2100"}, "'years': '2015-2100' are no years"),
        ({"driver": "zarr"}, "metadata can't hold 'driver'"),
        ({7: "x"}, "a key must be a text, not 7"),
        ({"convention": "record"}, "it lacks 'url'; it lacks 'sha256'"),
    ],
)
def test_a_wrong_value_is_named_with_file_entry_and_key(book, changes, words):
    write_catalogue(book, mine=an_entry(metadata=an_entry()["metadata"] | changes))
    with pytest.raises(errors.CatalogError) as refused:
        catalog.entry("mine")
    assert str(refused.value).startswith(f"entry 'mine' of {book / 'catalog.yml'}: {words}")
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("convention", catalog.CONVENTIONS)
@pytest.mark.parametrize("kept", [["convention"], ["convention", "licence"], None])
def test_an_incomplete_entry_is_answered_with_what_it_lacks_and_a_whole_one(book, convention, kept):
    entry = an_entry(metadata={"convention": convention, "licence": "none"})
    del entry["description"]
    if kept is None:
        del entry["metadata"]
    else:
        entry["metadata"] = {key: entry["metadata"][key] for key in kept}
    write_catalogue(book, mine=entry)
    with pytest.raises(errors.CatalogError) as refused:
        catalog.entry("mine")
    text, _, whole = str(refused.value).partition("a whole entry: ")
    if kept is None:
        assert "must have driver, description, args, metadata" in text
    else:
        assert all(f"lacks '{key}'" in text for key in ("description", "citation"))
        assert ("lacks 'licence'" in text) == ("licence" not in kept)
    write_catalogue(book, **yaml.safe_load(whole))
    assert catalog.entry("mine").convention == (convention if kept else "cesm")


def test_a_misspelt_key_is_answered_with_the_closest(book):
    metadata = an_entry()["metadata"]
    metadata["conventoin"] = metadata.pop("convention")
    write_catalogue(book, mine=an_entry(metadata=metadata))
    with pytest.raises(errors.CatalogError, match="'conventoin'; did you mean convention"):
        catalog.entry("mine")


@pytest.mark.parametrize("place", ["{{ env(MY_DATA) }}", "{{ BUILD }}/data"])
def test_a_template_without_quotes_is_answered_with_quotes(book, place):
    (book / "catalog.yml").write_text(
        f"sources:\n  x:\n    args:\n      urlpath: {place}  # here\n"
    )
    with pytest.raises(errors.CatalogError) as refused:
        catalog.sources()
    assert str(refused.value).endswith(
        f'line 4: a text that begins with a template must be quoted: urlpath: "{place}"'
    )


@pytest.mark.parametrize(
    "phases",
    [
        {"warming": [1, 2], "mitigation": [4, 5], "net-zero": [6, 7]},
        {"warming": [1, 2], "mitigation": [2, 5], "net-zero": [6, 7]},
        {"warming": [2, 1], "mitigation": [3, 5], "net-zero": [6, 7]},
        {"mitigation": [1, 2], "net-zero": [3, 5]},
        {"warming": [1, 2], "mitigation": None, "net-zero": [3, 5]},
        {"up": [1, 2], "down": [3, 5], "zero": [6, 7]},
        {"warming": [1], "mitigation": [2, 5], "net-zero": [6, 7]},
        {"warming": "1-2", "mitigation": [3, 5], "net-zero": [6, 7]},
        [1, 2],
    ],
)
def test_phases_that_do_not_follow_on_each_other_are_refused(book, phases):
    write_catalogue(book, mine=an_entry(metadata=an_entry()["metadata"] | {"phases": phases}))
    with pytest.raises(
        errors.CatalogError, match=r"phases of 'mine'.*last year of 'warming'.*net-zero"
    ):
        catalog.entry("mine")


# ---------------------------------------------------------------------------------- records


TABLE = "codes\ncodes\ncodes\nyear,value\n1999,0.5\n2000,0.7\n"
SHA256 = hashlib.sha256(TABLE.encode()).hexdigest()


@pytest.fixture
def record(book):
    """Return a function that writes a record's entry; its file is served from this machine."""
    served = book / "served"
    served.mkdir()
    (served / "table.csv").write_text(TABLE)
    handler = partial(SimpleHTTPRequestHandler, directory=str(served))
    handler.log_message = lambda *_: None
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()

    port = server.server_port

    def write(sha256=SHA256, port=port):
        metadata = an_entry()["metadata"] | {
            "convention": "record",
            "phases": {},
            "url": f"http://127.0.0.1:{port}/table.csv",
            "sha256": sha256,
        }
        args = {"urlpath": "{{ RECORDS }}/folder/table.csv", "header": 3}
        write_catalogue(book, table=an_entry(driver="csv", args=args, metadata=metadata))

    yield write
    server.shutdown()
    server.server_close()


def test_a_record_is_downloaded_once_into_the_build_folder(book, record):
    record()
    assert records.open_record("table").value.tolist() == [0.5, 0.7]
    assert (book / "_build" / "records" / "folder" / "table.csv").read_text() == TABLE
    (book / "served" / "table.csv").unlink()
    assert records.open_record("table").year.tolist() == [1999, 2000]


def test_a_download_that_is_not_the_record_is_refused(book, record):
    record(sha256="0" * 64)
    with pytest.raises(errors.RecordChanged, match="table"):
        records.open_record("table")
    assert not (book / "_build" / "records" / "folder" / "table.csv").exists()


def test_a_damaged_copy_is_downloaded_again(book, record):
    record()
    copy = book / "_build" / "records" / "folder" / "table.csv"
    copy.parent.mkdir(parents=True)
    copy.write_text("half a fi")
    assert records.open_record("table").value.tolist() == [0.5, 0.7]


def test_a_lost_network_says_what_to_set(book, record):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    record(port=port)
    with pytest.raises(errors.RecordUnavailable, match=r"REALDATA_ROOT.*folder/table\.csv"):
        records.open_record("table")


def test_a_missing_page_counts_as_out_of_reach(book, record):
    record()
    (book / "served" / "table.csv").unlink()
    with pytest.raises(errors.RecordUnavailable, match="HTTPError"):
        records.open_record("table")


def test_a_local_copy_is_taken_where_realdata_root_names_one(book, record, monkeypatch):
    record()
    monkeypatch.setenv("REALDATA_ROOT", str(book / "mine"))
    with pytest.raises(errors.RecordUnavailable, match=r"mine/folder/table\.csv"):
        records.open_record("table")
    (book / "mine" / "folder").mkdir(parents=True)
    shutil.copy(book / "served" / "table.csv", book / "mine" / "folder")
    assert records.open_record("table").value.tolist() == [0.5, 0.7]
    assert not (book / "_build").exists()


def test_a_local_copy_with_another_checksum_is_an_error_that_names_both(book, record, monkeypatch):
    record()
    monkeypatch.setenv("REALDATA_ROOT", str(book))
    (book / "folder").mkdir()
    (book / "folder" / "table.csv").write_text(TABLE + "2001,70\n")
    found = hashlib.sha256((TABLE + "2001,70\n").encode()).hexdigest()
    with pytest.raises(errors.RecordChanged) as changed:
        records.open_record("table")
    assert found in str(changed.value)
    assert SHA256 in str(changed.value)
