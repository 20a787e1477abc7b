"""The small ensemble, and what was exported from it, once in a session."""

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
    runs, fixed = cmip6_catalogue.open_runs(str(cmip6_folder / "catalog.json"), None, ["demo"], [])
    members = {m: {p.path: p.raw.load() for p in pieces} for m, pieces in runs.items()}
    return members, {p.path: p.raw.load() for p in fixed}


@pytest.fixture
def cesm_files(stored_cesm):
    """Return the files of one CESM run, to be changed."""
    return {"001": copies(stored_cesm)["001"]}


@pytest.fixture
def one(ensemble):
    """Return what these files hold."""
    return ensemble.isel(member=[0])
