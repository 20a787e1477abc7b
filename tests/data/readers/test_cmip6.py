"""CMIP6 stores and their catalogue: read right, chosen right, refused by name."""

import json

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from mpcf.data.checks import examine
from mpcf.data.readers import cmip6, cmip6_catalogue
from mpcf.data.readers.fields import Piece
from mpcf.data.readers.soil_layers import LIQUID_FORMULA
from mpcf.errors import DataError

from .helpers import assert_same


@pytest.fixture
def stores(stored_cmip6):
    """Return each member's stores and the maps, to be changed."""
    members, fixed = stored_cmip6
    copied = {m: {p: raw.copy(deep=True) for p, raw in own.items()} for m, own in members.items()}
    return copied, {p: raw.copy(deep=True) for p, raw in fixed.items()}


def read(stores):
    members, fixed = stores
    return cmip6.read(
        {m: [Piece(p, m, raw) for p, raw in own.items()] for m, own in members.items()},
        [Piece(p, "fx", raw) for p, raw in fixed.items()],
    )


def take(stores, name, member):
    return next(p for p in stores[0][member] if f"/{name}/" in p)


def replace(stores, name, function):
    for own in stores[0].values():
        for path in [p for p in own if f"/{name}/" in p]:
            own[path] = function(own[path])


def test_what_was_exported_is_read_back_exactly(ensemble, stored_cmip6):
    found = read(stored_cmip6)
    assert_same(found, ensemble)
    assert found.attrs["mpcf_synthetic"] == "true"
    assert found.attrs["mpcf_members"] == "1 = r1i1p1f1, 2 = r2i1p1f1"
    assert {finding.status for finding in examine(found)} == {"ok"}


def as_total(stores, *, keep=()):
    for own in stores[0].values():
        liquid = own[next(p for p in own if "/mrsll/" in p)]
        ice = own[next(p for p in own if "/mrsfl/" in p)]
        total = (liquid["mrsll"] + ice["mrsfl"]).assign_attrs(units="kg m-2")
        for name in {"mrsll", "mrsfl"} - set(keep):
            del own[next(p for p in own if f"/{name}/" in p)]
        own["/Emon/mrsol/"] = liquid.drop_vars("mrsll").assign(mrsol=total)


@pytest.mark.parametrize("keep", ["mrsll", "mrsfl"])
def test_total_water_beside_one_of_its_parts_gives_the_other(ensemble, stores, keep):
    as_total(stores, keep=[keep])
    found = read(stores)
    for name in ("mrsll", "mrsfl"):
        np.testing.assert_allclose(found[name], ensemble[name], rtol=1e-4, atol=1e-4)
    assert "mpcf_notes" not in found.attrs


def test_total_water_alone_is_separated_by_temperature_and_noted(ensemble, stores):
    as_total(stores)
    found = read(stores)
    assert LIQUID_FORMULA in found.attrs["mpcf_notes"]
    total = ensemble["mrsll"] + ensemble["mrsfl"]
    np.testing.assert_allclose(found["mrsll"] + found["mrsfl"], total, rtol=1e-4)
    assert float(found["mrsfl"].where(ensemble["tsl"] >= 273.15).max()) == 0.0


@pytest.mark.parametrize("name", ["mrsos", "mrso"])
def test_the_top_10_cm_or_the_column_alone_is_no_water_by_layer(stores, name):
    for own in stores[0].values():
        own["x"] = own.pop(next(p for p in own if "/mrsll/" in p)).rename(mrsll=name)
        del own[next(p for p in own if "/mrsfl/" in p)]
    found = read(stores)
    assert not {"mrsll", "mrsfl"} & set(found)
    assert "do not resolve layers" in found.attrs["mpcf_notes"]


def test_each_experiment_ends_where_the_next_begins(ensemble, stores):
    """A later experiment branches off before the end of the one before it."""
    for own in stores[0].values():
        for path in list(own):
            whole = own.pop(path)
            early = whole.isel(time=slice(0, 36)).copy(deep=True)
            name = path.split("/")[-3]
            early[name][24:] = -12345.0
            own[f"{path}/1"] = early
            own[f"{path}/2"] = whole.isel(time=slice(24, None))
    assert_same(read(stores), ensemble)


def test_a_later_experiment_that_does_not_join_is_refused(stores):
    own = stores[0]["r2i1p1f1"]
    path = take(stores, "gpp", "r2i1p1f1")
    whole = own.pop(path)
    own["a"], own["b"] = whole.isel(time=slice(0, 12)), whole.isel(time=slice(24, None))
    with pytest.raises(DataError, match="gpp of member r2i1p1f1 has no months between"):
        read(stores)


def test_layers_without_bounds_are_refused(stores):
    for name in ("tsl", "mrsll", "mrsfl"):
        replace(stores, name, lambda raw: raw.drop_vars("depth_bnds"))
    with pytest.raises(DataError, match=r"tsl of member r1i1p1f1 .* has no bounds of its layers"):
        read(stores)


def test_deeper_temperature_is_dropped(ensemble, stores):
    def deepen(raw):
        more = raw.isel(depth=[-1])
        more = more.assign_coords(depth=("depth", [6.0], raw["depth"].attrs))
        more["depth_bnds"] = (("depth", "bnds"), [[3.47, 9.0]])
        return xr.concat([raw, more], "depth", data_vars="minimal")

    replace(stores, "tsl", deepen)
    assert_same(read(stores), ensemble)


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        ("areacella", "computed from the grid"),
        ("sftgif", "there is no sftgif"),
    ],
)
def test_a_map_that_is_missing_is_noted(stores, fault, message):
    del stores[1][next(p for p in stores[1] if f"/{fault}/" in p)]
    assert message in read(stores).attrs["mpcf_notes"]


def test_without_a_land_fraction_nothing_is_read(stores):
    del stores[1][next(p for p in stores[1] if "/sftlf/" in p)]
    with pytest.raises(DataError, match=r"'sftlf' .* is missing on the grid"):
        read(stores)


# -------------------------------------------------------------------------- the catalogue


def test_the_first_model_that_has_everything_is_taken(ensemble, cmip6_folder):
    runs, fixed = cmip6_catalogue.open_runs(str(cmip6_folder / "catalog.json"), None, ["demo"], [])
    assert_same(cmip6.read(runs, fixed), ensemble)


def another(folder, tmp_path, change):
    """Write a changed catalogue of the same stores."""
    table = pd.read_csv(folder / "catalog.csv")
    table["zstore"] = [f"{folder}/{path}" for path in table["zstore"]]
    change(table).to_csv(tmp_path / "catalog.csv", index=False)
    (tmp_path / "catalog.json").write_text((folder / "catalog.json").read_text())
    return str(tmp_path / "catalog.json")


def test_a_model_that_lacks_a_variable_is_skipped(cmip6_folder, tmp_path):
    def add(table):
        poor = table[table["variable_id"] != "rh"].assign(source_id="A-model")
        return pd.concat([poor, table])

    place = another(cmip6_folder, tmp_path, add)
    runs, _ = cmip6_catalogue.open_runs(place, None, ["demo"], [])
    assert "/MPCF-demo/" in runs["r1i1p1f1"][0].path
    runs, fixed = cmip6_catalogue.open_runs(place, "A-model", ["demo"], [])
    found = cmip6.read(runs, fixed)
    assert "rh" not in found and "ra" in found
    assert "not in the files: rh; chapters that need it are left out" in found.attrs["mpcf_notes"]


def test_a_member_that_is_not_complete_is_left_out_or_refused_if_named(cmip6_folder, tmp_path):
    def drop(table):
        return table[~((table["variable_id"] == "tsl") & (table["member_id"] == "r1i1p1f1"))]

    place = another(cmip6_folder, tmp_path, drop)
    runs, _ = cmip6_catalogue.open_runs(place, None, ["demo"], [])
    assert list(runs) == ["r2i1p1f1"]
    with pytest.raises(DataError, match="r1i1p1f1 lacks tsl"):
        cmip6_catalogue.open_runs(place, None, ["demo"], ["r1i1p1f1"])


def test_an_experiment_that_nobody_ran_is_answered(cmip6_folder):
    with pytest.raises(DataError, match=r"no model .* esm-hist .*no such experiment"):
        cmip6_catalogue.open_runs(str(cmip6_folder / "catalog.json"), None, ["esm-hist"], [])


def test_of_two_versions_the_newer_is_read(cmip6_folder, tmp_path):
    def add(table):
        old = table.assign(version=19990101, zstore="/nowhere")
        return pd.concat([old, table, old])

    runs, _ = cmip6_catalogue.open_runs(another(cmip6_folder, tmp_path, add), None, ["demo"], [])
    assert len(runs) == 2


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: t.drop(columns="member_id"), "has no column member_id|no catalogue"),
        (lambda t: t.assign(zstore="/nowhere"), "/nowhere .* can't be opened"),
        (lambda t: t.assign(zstore="../../etc"), "contains a path with"),
    ],
)
def test_a_catalogue_that_leads_nowhere_is_refused(cmip6_folder, tmp_path, change, message):
    place = another(cmip6_folder, tmp_path, change)
    with pytest.raises(DataError, match=message):
        cmip6_catalogue.open_runs(place, None, ["demo"], [])


@pytest.mark.parametrize("text", ["", "{}", "[1]", json.dumps({"id": "x"})])
def test_a_file_that_is_no_catalogue_is_refused(tmp_path, text):
    (tmp_path / "catalog.json").write_text(text)
    with pytest.raises(DataError, match="is not an intake-esm catalogue"):
        cmip6_catalogue.open_runs(str(tmp_path / "catalog.json"), None, ["demo"], [])
