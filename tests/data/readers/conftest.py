"""The small ensemble, and what was exported from it, once in a session."""

import json

import pandas as pd
import pytest

from mpcf.data.export import export
from mpcf.data.readers import cesm, cmip6_catalogue, files

from .cesm_files import copies
from .helpers import PHASES, make_ensemble


@pytest.fixture(scope="session")
def ensemble():
    return make_ensemble()


@pytest.fixture(scope="session")
def cesm_folder(ensemble, tmp_path_factory):
    folder = tmp_path_factory.mktemp("exported") / "cesm"
    export(ensemble, folder, "cesm", PHASES, years=3)
    return folder


@pytest.fixture(scope="session")
def cmip6_folder(ensemble, tmp_path_factory):
    folder = tmp_path_factory.mktemp("exported") / "cmip6"
    export(ensemble, folder, "cmip6", PHASES)
    return folder


@pytest.fixture(scope="session")
def stored_cesm(cesm_folder):
    members = files.open_members(str(cesm_folder), cesm.is_wanted)
    return {m: {p.path: p.raw.load() for p in pieces} for m, pieces in members.items()}


@pytest.fixture(scope="session")
def stored_cmip6(cmip6_folder):
    runs, fixed, _ = cmip6_catalogue.open_runs(
        str(cmip6_folder / "catalog.json"), None, ["demo"], []
    )
    members = {m: {p.path: p.raw.load() for p in pieces} for m, pieces in runs.items()}
    return members, {p.path: p.raw.load() for p in fixed}


@pytest.fixture
def catalogue(cmip6_folder, tmp_path):
    """Return a function that writes a catalogue of the exported stores and of changed ones."""

    def write(change=lambda table: table, **top):
        table = pd.read_csv(cmip6_folder / "catalog.csv").drop(columns="dcpp_init_year")
        table["zstore"] = [f"{cmip6_folder}/{path}" for path in table["zstore"]]
        change(table.assign(version=20200101)).to_csv(tmp_path / "catalog.csv", index=False)
        document = json.loads((cmip6_folder / "catalog.json").read_text()) | top
        (tmp_path / "catalog.json").write_text(json.dumps(document))
        return str(tmp_path / "catalog.json")

    write.folder, write.stores = tmp_path, cmip6_folder
    return write


@pytest.fixture
def cesm_files(stored_cesm):
    """Return the files of one CESM run, to be changed."""
    return {"001": copies(stored_cesm)["001"]}


@pytest.fixture
def one(ensemble):
    """Return what these files hold."""
    return ensemble.isel(member=[0])
