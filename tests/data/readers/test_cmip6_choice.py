"""Which stores of a CMIP6 catalogue are read: versions, order, overlap, maps, members."""

from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mpcf.data.readers import cmip6, cmip6_catalogue
from mpcf.data.readers.cmip6_table import _age, read_table
from mpcf.data.readers.fields import Piece
from mpcf.errors import DataError

from .helpers import assert_same

OLD, NEW = 20190101, 20200101
"""Versions; that of the fixture `catalogue` is the newer."""


def rows(table, name, member=None):
    return table[(table.variable_id == name) & ((table.member_id == member) | (member is None))]


def altered(table, folder, name, function, label, **changes):
    """Write altered copies of a variable's stores; return their rows."""
    found = []
    for _, row in rows(table, name).iterrows():
        raw = xr.open_zarr(row.zstore, decode_times=False, chunks=None).load().drop_encoding()
        path = f"{folder}/{label}/{row.variable_id}/{row.member_id}"
        raw = function(raw)
        raw.to_zarr(path, zarr_format=2, consolidated=True)
        found.append(row.to_dict() | {"zstore": path} | changes)
    return pd.DataFrame(found)


def scale(name, factor):
    return lambda raw: raw.assign({name: (raw[name] * factor).assign_attrs(raw[name].attrs)})


def read(place, experiments=("demo",), members=()):
    return cmip6.read(*cmip6_catalogue.open_runs(place, None, experiments, members))


def notes(found):
    return found.attrs.get("mpcf_notes", "")


# ------------------------------------------------------------------------------ versions


@pytest.mark.parametrize("first", [False, True])
@pytest.mark.parametrize("name", ["sftlf", "gpp"])
def test_the_newest_version_is_read_and_noted(catalogue, ensemble, name, first):
    def add(table):
        old = altered(table, catalogue.folder, name, scale(name, 0.5), "old", version=OLD)
        return pd.concat([old, table] if first else [table, old])

    found = read(catalogue(add))
    assert_same(found, ensemble)
    assert f"the newest was read: {name} ({NEW}, not {OLD})" in notes(found)


@given(
    st.lists(
        st.sampled_from(["", "v20180305", "v20191108", "20200101", "20200101.0", "latest"]),
        min_size=1,
        max_size=4,
        unique_by=lambda text: text.removesuffix(".0"),
    )
)
@settings(max_examples=30)
def test_versions_are_compared_as_dates_whatever_their_spelling(texts):
    """In the order of the list above, 'latest' is the newest and no version the oldest."""
    order = ["", "v20180305", "v20191108", "20200101", "latest"]
    plain = [text.removesuffix(".0") for text in texts]
    table = pd.DataFrame({"version": plain}).assign(**dict.fromkeys(cmip6_catalogue._DATASET, "x"))
    table["age"] = [sorted(set(plain), key=_age).index(text) for text in plain]
    kept = cmip6_catalogue._newest(table)
    assert list(kept["version"]) == [max(plain, key=order.index)]


def test_versions_written_with_a_v_and_as_numbers_are_one_column(catalogue):
    def mix(table):
        version = ["v20191108" if i % 2 else "20200101" for i in range(len(table))]
        none = table.assign(version=None, zstore=table["zstore"] + "_none")
        return pd.concat([table.assign(version=version), none])

    table = read_table(catalogue(mix))
    assert table.groupby("version")["age"].first().to_dict() == {
        "": 0, "v20191108": 1, "20200101": 2
    }  # fmt: skip


def test_a_new_version_of_some_years_is_not_completed_by_the_old(catalogue):
    def add(table):
        later = altered(
            table, catalogue.folder, "tas", lambda raw: raw.isel(time=slice(24, None)), "part"
        )
        old = rows(table, "tas").assign(version=OLD)
        return pd.concat([table[table.variable_id != "tas"], old, later])

    with pytest.raises(DataError, match=rf"2002-01 to 2003-12 .*tas \({NEW}, not {OLD}\)"):
        read(catalogue(add))


# ---------------------------------------------------------------- order of files and experiments


def pieces_of(stored, cuts, order, experiment=lambda part: "demo"):
    """Cut each store at the given months, and put the files in any order."""
    members = {}
    for member, own in stored[0].items():
        members[member] = []
        for path, raw in own.items():
            edges = [0, *cuts, raw.sizes["time"]]
            parts = [raw.isel(time=slice(*pair)) for pair in pairwise(edges)]
            for i in order(len(parts)):
                members[member].append(Piece(f"{path}/{i}", member, parts[i], experiment(i)))
    return members, [Piece(p, "r1i1p1f1", raw, "demo") for p, raw in stored[1].items()]


@given(
    st.sets(st.integers(1, 47), min_size=1, max_size=3),
    st.randoms(use_true_random=False),
)
@settings(max_examples=3)
def test_files_of_an_experiment_may_be_listed_in_any_order(ensemble, stored_cmip6, cuts, random):
    def shuffled(count):
        return random.sample(range(count), count)

    assert_same(cmip6.read(*pieces_of(stored_cmip6, sorted(cuts), shuffled)), ensemble)


def test_each_experiment_ends_where_the_next_begins(ensemble, stored_cmip6):
    """A later experiment branches off before the end of the one before it."""
    members, fixed = pieces_of(stored_cmip6, [24], range, experiment=("hist", "demo").__getitem__)
    for pieces in members.values():
        for i in range(0, len(pieces), 2):
            path = pieces[i].path.removesuffix("/0")
            name = path.split("/")[-3]
            early = stored_cmip6[0][pieces[i].member][path].isel(time=slice(0, 36)).copy(deep=True)
            early[name][24:] = -12345.0
            pieces[i] = Piece(path, pieces[i].member, early, "hist")
    assert_same(cmip6.read(members, fixed), ensemble)


@pytest.mark.parametrize("start", [0, 12, 35])
def test_overlapping_files_of_one_experiment_are_refused(stored_cmip6, start):
    members, fixed = pieces_of(stored_cmip6, [36], range)
    member, pieces = next(iter(members.items()))
    whole = stored_cmip6[0][member]
    path = next(p for p in whole if "/tas/" in p)
    pieces.append(Piece("again.nc", member, whole[path].isel(time=slice(start, None)), "demo"))
    with pytest.raises(DataError, match=r"tas of member r1i1p1f1 occurs twice: .* the catalogue"):
        cmip6.read(members, fixed)


def test_a_catalogue_of_netcdf_files_in_any_order(catalogue, ensemble):
    def to_files(table):
        found = []
        for _, row in table.iterrows():
            raw = xr.open_zarr(row.zstore, decode_times=False, chunks=None).load().drop_encoding()
            parts = {"": raw}
            if "time" in raw.dims:
                parts = {
                    "_200201-200312": raw.isel(time=slice(24, None)),
                    "_200001-200112": raw.isel(time=slice(0, 24)),
                }
            for span, part in parts.items():
                path = catalogue.folder / f"{row.variable_id}_{row.member_id}{span}.nc"
                part.to_netcdf(path)
                found.append(row.to_dict() | {"zstore": f"file://{path}"})
        return pd.DataFrame(found)

    assets = {"column_name": "zstore", "format": "netcdf"}
    assert_same(read(catalogue(to_files, assets=assets)), ensemble)


# ----------------------------------------------------------------------------------- maps


def elsewhere(catalogue, **moved):
    """Move the maps to other experiments (value: factor of the land fraction)."""

    def change(table):
        fixed = table[table.table_id == "fx"]
        found = [table[table.table_id != "fx"]]
        for experiment, factor in moved.items():
            land = altered(fixed, catalogue.folder, "sftlf", scale("sftlf", factor), experiment)
            others = fixed[fixed.variable_id != "sftlf"]
            found.append(pd.concat([land, others]).assign(experiment_id=experiment))
        return pd.concat(found)

    return catalogue(change)


@pytest.mark.parametrize(
    ("moved", "taken"),
    [
        ({"piControl": 1.0, "lgm": 0.5}, "piControl"),
        ({"historical": 1.0, "piControl": 0.5, "amip": 0.5}, "historical"),
        ({"abrupt-4xCO2": 1.0, "lgm": 0.5}, "abrupt-4xCO2"),
    ],
)
def test_maps_of_the_nearest_experiment_are_taken_and_noted(catalogue, ensemble, moved, taken):
    found = read(elsewhere(catalogue, **moved))
    assert_same(found, ensemble)
    assert f"come from {taken} of member r1i1p1f1: the runs that are read have none" in notes(found)


def test_the_parent_comes_before_the_historical_experiment(catalogue, ensemble):
    place = elsewhere(catalogue, **{"historical": 0.5, "esm-1pct": 1.0})
    table = pd.read_csv(catalogue.folder / "catalog.csv")
    own = table[table.table_id != "fx"].iloc[[0]]

    def with_parent(raw):
        return raw.assign_attrs(parent_experiment_id="esm-1pct")

    name = own["variable_id"].iloc[0]
    changed = altered(own, catalogue.folder, name, with_parent, "child")
    table.loc[own.index, "zstore"] = changed["zstore"].values
    table.to_csv(catalogue.folder / "catalog.csv", index=False)
    found = read(place)
    assert_same(found, ensemble)
    assert "come from esm-1pct" in notes(found)


def test_maps_of_another_age_are_not_taken(catalogue):
    with pytest.raises(DataError, match=r"'sftlf' .* is missing"):
        read(elsewhere(catalogue, lgm=0.5))


def test_maps_that_are_equally_near_and_differ_are_refused(catalogue):
    with pytest.raises(DataError, match=r"sftlf of .* differ by up to 31.2 % in a cell"):
        read(elsewhere(catalogue, amip=1.0, **{"abrupt-4xCO2": 0.5}))


def test_a_map_of_a_member_that_is_not_read_gives_way(catalogue, ensemble):
    def add(table):
        other = altered(table, catalogue.folder, "sftlf", scale("sftlf", 0.5), "r9")
        return pd.concat([other.assign(member_id="r9i1p1f1"), table])

    assert_same(read(catalogue(add)), ensemble)


# -------------------------------------------------------------------------------- members


def renamed(table, old, new):
    return table.assign(member_id=table["member_id"].replace(old, new))


def test_members_of_another_physics_are_left_out_and_noted(catalogue, ensemble):
    place = catalogue(lambda table: renamed(table, "r2i1p1f1", "r1i1p2f1"))
    found = read(place)
    assert_same(found, ensemble.isel(member=[0]))
    assert "only members of p1f1 were read; r1i1p2f1 have other physics" in notes(found)
    both = read(place, members=("r1i1p1f1", "r1i1p2f1"))
    assert both.sizes["member"] == 2
    assert "differ in physics or forcing (p1f1, p2f1)" in notes(both)


def test_the_largest_ensemble_of_one_physics_is_taken():
    complete = dict.fromkeys(["r1i1p1f1", "r1i1p1f2", "r2i1p1f2", "r1i2p1f2"], "gn")
    kept, said = cmip6_catalogue._one_ensemble(complete, named=False)
    assert list(kept) == ["r1i1p1f2", "r2i1p1f2", "r1i2p1f2"]
    assert "r1i1p1f1" in said[0]


@given(st.randoms(use_true_random=False))
@settings(max_examples=10, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_the_choice_does_not_depend_on_the_order_of_the_rows(catalogue, random):
    """With versions, physics, grids and maps of other experiments beside what is to be read."""

    def beside(table):
        fixed = table[table.table_id == "fx"].assign(member_id="r7i1p1f1")
        extra = [
            table.assign(version="v20190101", zstore=table["zstore"] + "_old"),
            table.assign(version=None, zstore=table["zstore"] + "_older"),
            renamed(table[table.member_id == "r2i1p1f1"], "r2i1p1f1", "r1i1p2f1"),
            table.assign(grid_label="gr", zstore=table["zstore"] + "_gr"),
            table.assign(source_id="Z-model"),
            *(
                fixed.assign(experiment_id=name, zstore=f"/{name}/" + fixed["variable_id"])
                for name in ("lgm", "piControl", "historical", "demo")
            ),
        ]
        whole = pd.concat([*extra, table.assign(version="20200101")], ignore_index=True)
        return whole.iloc[random.sample(range(len(whole)), len(whole))]

    place = catalogue(beside)
    table = pd.read_csv(catalogue.folder / "catalog.csv")
    chosen = cmip6_catalogue._select(place, None, ["demo"], [])
    assert list(chosen.members) == ["r1i1p1f1", "r2i1p1f1"]
    for member, found in chosen.members.items():
        names = table.loc[(table.member_id == member) & (table.table_id != "fx"), "variable_id"]
        assert sorted(found["variable_id"]) == sorted(set(names))
        assert not found["path"].str.contains("_old|_gr").any()
    maps = cmip6_catalogue._nearest(chosen.maps, ["demo"], list(chosen.members), "piControl")
    assert sorted(maps["variable_id"]) == ["areacella", "sftgif", "sftlf"]
    assert maps["path"].str.startswith(str(catalogue.stores)).all()


# ------------------------------------------------------------------- what a catalogue lacks


@pytest.mark.parametrize(
    ("model", "experiments", "message"),
    [
        (None, ["esm-hist"], r"It has no experiment esm-hist; valid names: demo"),
        ("MPCF-dmo", ["demo"], r"It has no model MPCF-dmo; did you mean MPCF-demo\?"),
        ("MPCF-demo", ["dem"], r"MPCF-demo has no experiment dem; did you mean demo\?"),
    ],
)
def test_what_there_is_is_said(catalogue, model, experiments, message):
    with pytest.raises(DataError, match=message):
        cmip6_catalogue.open_runs(catalogue(), model, experiments, [])


def test_every_optional_variable_that_is_not_there_is_noted(catalogue, ensemble):
    absent = ("cSoil", "cVeg", "co2mass", "warming")
    found = read(catalogue(lambda table: table[~table.variable_id.isin(absent)]))
    for name in ("cSoil", "cVeg", "co2", "warming"):
        assert f"there is no {name} (" in notes(found)
    np.testing.assert_array_equal(found["gpp"], ensemble["gpp"])
