"""The ensemble on disk: the standard monthly dataset, and the twins by year, in Zarr."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from mpcf.demo import carbon as carbon_pools
from mpcf.demo import column
from mpcf.demo.experiment import (
    APART,
    FIRST_YEAR,
    FULL,
    PHASES,
    QUICK,
    SEED,
    Experiment,
    Member,
    Size,
)
from mpcf.demo.parameters import SCENARIO
from mpcf.demo.twins import CAUSES, HELD, MEANINGS, THERMAL, Twins
from mpcf.folders import replace_dir
from mpcf.ground.geography import Grid, grid

__all__ = ["simulate", "write"]

MONTHS_BEFORE = 12 * (FIRST_YEAR - APART)

# name: (dims, long_name, units, standard cell_methods, kept bits of 23)
MEAN = "area: mean where land time: mean"
VARIABLES = {
    "gpp": ("flat", "carbon fixed by photosynthesis", "kg m-2 s-1", MEAN, 14),
    "ra": ("flat", "carbon released by plants", "kg m-2 s-1", MEAN, 14),
    "rh": ("flat", "carbon released by microbes", "kg m-2 s-1", MEAN, 14),
    "tas": ("flat", "near-surface air temperature", "K", MEAN, 15),
    "pr": ("flat", "precipitation", "kg m-2 s-1", MEAN, 12),
    "snd": ("flat", "snow depth", "m", MEAN, 10),
    "cSoil": ("flat", "carbon in litter and soil", "kg m-2", "time: point", 20),
    "cVeg": ("flat", "carbon in plants", "kg m-2", "time: point", 16),
    "tsl": ("deep", "soil temperature", "K", MEAN, 15),
    "mrsll": ("deep", "liquid water in the soil layer", "kg m-2", MEAN, 11),
    "mrsfl": ("deep", "ice in the soil layer", "kg m-2", MEAN, 11),
    "co2": ("series", "mole fraction of CO2 in dry air", "ppm", "time: mean", 23),
    "warming": ("series", "global-mean warming above 1850-1900", "K", "time: mean", 23),
}
STANDARD_NAMES = {
    "gpp": "gross_primary_productivity_of_biomass_expressed_as_carbon",
    "tas": "air_temperature",
    "pr": "precipitation_flux",
    "snd": "surface_snow_thickness",
    "tsl": "soil_temperature",
}


def round_bits(values: np.ndarray, bits: int) -> np.ndarray:
    """Round float32 values to `bits` of mantissa, to nearest even, in place.

    Examples
    --------
    >>> round_bits(np.array([273.15], np.float32), 14)
    array([273.15625], dtype=float32)
    """
    if bits >= 23:
        return values
    raw = values.view(np.uint32)
    drop = 23 - bits
    raw += ((raw >> drop) & 1) + np.uint32((1 << (drop - 1)) - 1)
    raw &= np.uint32(0xFFFFFFFF << drop & 0xFFFFFFFF)
    return values


def _values(member: Member) -> Iterator[tuple[str, np.ndarray]]:
    """Values of a member by variable, cells first, from 1985 on."""
    monthly, fluxes = member.monthly, member.fluxes
    yield "gpp", fluxes.gpp
    yield "ra", fluxes.ra
    yield "rh", fluxes.rh
    yield "tas", monthly.air + np.float32(273.15)
    yield "pr", monthly.precipitation
    yield "snd", monthly.snow_depth
    yield "cSoil", fluxes.soil
    yield "cVeg", fluxes.plants
    yield "tsl", monthly.temperature + np.float32(273.15)
    yield "mrsll", monthly.liquid
    yield "mrsfl", monthly.ice
    yield "co2", np.repeat(member.co2, 12)[None]
    yield "warming", np.repeat(member.warming, 12)[None]


def _packed():
    from numcodecs import Blosc

    return Blosc(cname="zstd", clevel=1, shuffle=Blosc.BITSHUFFLE)


def _fill(group, where: Grid, size: Size, seed: int, months: int):
    """Create the arrays of the dataset with coordinates and attributes."""
    packed = _packed()
    depth = carbon_pools.middle(column.soil())
    edges = np.concatenate([[0.0], np.cumsum(column.THICKNESS[: column.WET_LAYERS])])
    month_edges = np.concatenate([[0], np.cumsum(np.tile(column.MONTH_DAYS, months // 12))])
    rows, columns = where.soil.shape

    def add(name, data, dims, **attributes):
        array = group.create_array(
            name,
            data=np.ascontiguousarray(data),
            chunks=data.shape,
            compressors=packed,
            fill_value=None,  # xarray reads a fill value as missing, and 0 is a valid time
        )
        array.attrs.update({"_ARRAY_DIMENSIONS": list(dims), **attributes})

    calendar = {"units": f"days since {FIRST_YEAR}-01-01", "calendar": "noleap"}
    add("member", np.arange(1, size.members + 1), ["member"], long_name="ensemble member")
    add(
        "time",
        0.5 * (month_edges[:-1] + month_edges[1:]),
        ["time"],
        long_name="middle of the month",
        standard_name="time",
        axis="T",
        bounds="time_bnds",
        **calendar,
    )
    add(
        "time_bnds",
        np.column_stack([month_edges[:-1], month_edges[1:]]).astype(float),
        ["time", "bnds"],
        **calendar,
    )
    add(
        "depth",
        depth,
        ["depth"],
        long_name="depth of the middle of the layer",
        standard_name="depth",
        units="m",
        positive="down",
        axis="Z",
        bounds="depth_bnds",
    )
    add("depth_bnds", np.column_stack([edges[:-1], edges[1:]]), ["depth", "bnds"], units="m")
    for name, label, axis in (("lat", "latitude", "Y"), ("lon", "longitude", "X")):
        units = "degrees_north" if name == "lat" else "degrees_east"
        attributes = {"long_name": label, "standard_name": label, "units": units, "axis": axis}
        add(name, getattr(where, name), [name], bounds=f"{name}_bnds", **attributes)
        add(f"{name}_bnds", getattr(where, f"{name}_bounds"), [name, "bnds"], units=units)
    for name, data, label, units in (
        ("areacella", where.area, "area of the cell", "m2"),
        ("sftlf", 100.0 * where.land_fraction, "share of the cell that is land", "%"),
        ("sftgif", 100.0 * where.ice_fraction, "share of the cell that is ice sheet", "%"),
    ):
        add(name, data.astype(np.float32), ["lat", "lon"], long_name=label, units=units)
    layers = column.WET_LAYERS
    shapes = {
        "flat": (["member", "time", "lat", "lon"], (months, rows, columns)),
        "deep": (["member", "time", "depth", "lat", "lon"], (months, layers, rows, columns)),
        "series": (["member", "time"], (months,)),
    }
    # Layered variables in seven pieces of 43 years, about 18 MB each before compression.
    pieces = {"deep": 12 * 43}
    for name, (kind, label, units, methods, _bits) in VARIABLES.items():
        dims, shape = shapes[kind]
        array = group.create_array(
            name,
            shape=(size.members, *shape),
            chunks=(1, pieces.get(kind, months), *shape[1:]),
            dtype="float32",
            compressors=packed,
            fill_value=np.nan,
        )
        extra = {"standard_name": STANDARD_NAMES[name]} if name in STANDARD_NAMES else {}
        array.attrs.update(
            {
                "_ARRAY_DIMENSIONS": dims,
                "long_name": label,
                "units": units,
                "cell_methods": methods,
                **extra,
            }
        )
    group.attrs.update(
        {
            "title": "Demonstration ensemble of the Moisture-amplified Permafrost Carbon Feedback",
            "institution": "synthetic",
            "source": "mpcf.demo: FaIR climate, reduced soil column and carbon model",
            "history": f"made by mpcf.demo.store.simulate with seed {seed}",
            "references": "book/model-card.md",
            "Conventions": "CF-1.11",
            "mpcf_synthetic": "true",
            "seed": seed,
            "phases": {name: list(years) for name, years in PHASES.items()},
        }
    )


def simulate(
    folder: str | os.PathLike[str],
    *,
    quick: bool = False,
    seed: int = SEED,
    progress: bool = True,
) -> None:
    """Make the demonstration ensemble: ``monthly.zarr``, and its twins in ``twins/``.

    All is written beside `folder` and put in its place when it is whole. The same seed gives the
    same bytes, whatever the number of threads.

    Parameters
    ----------
    folder : path
        Where the stores are put.
    quick : bool
        Four members on a coarse grid, for tests and a first look.
    seed : int
    progress : bool
        Show a progress bar.
    """
    write(folder, QUICK if quick else FULL, seed=seed, progress=progress)


def write(folder: str | os.PathLike[str], size: Size, *, seed: int, progress: bool = False) -> None:
    """Run an ensemble of any size and write it member by member: see `simulate`."""
    import zarr
    from tqdm import tqdm

    where = grid(size.dlat, size.dlon)
    final = Path(folder)
    aside = final.with_name(final.name + ".part")
    shutil.rmtree(aside, ignore_errors=True)
    aside.mkdir(parents=True)
    monthly = zarr.open_group(aside / "monthly.zarr", mode="w", zarr_format=2)
    _fill(monthly, where, size, seed, 12 * (SCENARIO.last_year - FIRST_YEAR + 1))
    with_twins = min(size.twins, size.members)

    label = {"desc": "demonstration ensemble", "unit": "step", "disable": not progress}
    # One member is written while the next one runs.
    steps = 1 + size.members + with_twins + (with_twins > 0)
    with tqdm(total=steps, **label) as bar, ThreadPoolExecutor(1) as writer:
        experiment = Experiment(where, size.members, seed=seed)
        bar.update()
        twins = Twins(experiment) if with_twins else None
        stores = _twin_stores(aside / "twins", where, size, with_twins, seed) if twins else {}
        bar.update(with_twins > 0)
        waiting = []
        for index in range(size.members):
            member = experiment.member(index)
            bar.update()
            for task in waiting:
                task.result()
            waiting = [writer.submit(_write_member, monthly, index, member, where)]
            if index < with_twins:
                member = member.at(twins.cells)  # the whole is dropped once it is written
                found = twins.member(index, member)
                bar.update()
                waiting.append(
                    writer.submit(_write_twins, stores, index, found, twins.cells, where)
                )
        for task in waiting:
            task.result()
    for store in (monthly, *stores.values()):
        zarr.consolidate_metadata(store.store)
    replace_dir(aside, final)


def _write_member(group, index: int, member: Member, where: Grid) -> None:
    for name, values in _values(member):
        kind, bits = VARIABLES[name][0], VARIABLES[name][4]
        kept = values[:, MONTHS_BEFORE:].astype(np.float32)
        _write(group[name], index, kind, round_bits(kept, bits), where)


def _write(array, index: int, kind: str, values: np.ndarray, where: Grid) -> None:
    """Write one variable of one member, chunk by chunk, sea as NaN."""
    if kind == "series":
        array[index] = values[0]
        return
    step = array.chunks[1]
    for start in range(0, values.shape[1], step):
        part = np.moveaxis(values[:, start : start + step], 0, -1)
        array[index, start : start + step] = _on_map(part, slice(None), where)


def _on_map(values: np.ndarray, cells: np.ndarray | slice, where: Grid) -> np.ndarray:
    """Put cells (..., cell) on the grid, NaN elsewhere."""
    rows, columns = (place[cells] for place in np.nonzero(where.soil))
    block = np.full((*values.shape[:-1], *where.soil.shape), np.nan, np.float32)
    block[..., rows, columns] = values
    return block


TWINS = {
    "direct": (
        {"meaning": MEANINGS, "held": (*HELD, "moisture everywhere")},
        "Yearly carbon fluxes where the carbon equations see some causes at rest",
    ),
    "effects": (
        {"meaning": MEANINGS, "cause": CAUSES},
        "Effects of each cause's change on carbon fluxes: Shapley values, and instantaneous ones",
    ),
    "null": (
        {"meaning": MEANINGS},
        "Yearly carbon fluxes where moisture has no effect on them",
    ),
    "columns": (
        {"held": THERMAL},
        "Yearly columns where conduction sees the water of the rest run",
    ),
    "recovery": (
        {"held": ("none", "thermal")},
        "Yearly columns of the second scenario, with net removal of CO2",
    ),
}
"""Stores of the twins: each one's dimensions before ``member``, and its title."""

TWIN_BITS = 14
UNITS = {
    **dict.fromkeys(("gpp", "ra", "rh", *(f"{v}_instant" for v in ("gpp", "ra", "rh"))),
                    "gC m-2 yr-1"),
    **dict.fromkeys(("frozen_depth", "thaw_depth", "alt"), "m"),
    **dict.fromkeys(("latent_heat", "sensible_heat"), "J m-2"),
    **dict.fromkeys(("soil_liquid", "soil_water"), "kg m-2"),
    "cSoil": "kg m-2",
    "permafrost": "1",
    "zero_curtain": "days",
    "temperature": "degC",
    "co2": "ppm",
    "warming": "K",
}  # fmt: skip


def _twin_stores(folder: Path, where: Grid, size: Size, members: int, seed: int) -> dict:
    """Create the groups of the twins with their coordinates; variables come with the data."""
    import zarr

    stores = {}
    years = np.arange(FIRST_YEAR, SCENARIO.last_year + 1)
    for name, (lead, title) in TWINS.items():
        group = zarr.open_group(folder / f"{name}.zarr", mode="w", zarr_format=2)
        coords = {**lead, "member": np.arange(1, members + 1), "year": years}
        coords |= {"lat": where.lat, "lon": where.lon}
        for dim, values in coords.items():
            values = np.array(values)
            array = group.create_array(dim, data=values, chunks=values.shape, fill_value=None)
            array.attrs["_ARRAY_DIMENSIONS"] = [dim]
        group.attrs.update({"title": title, "mpcf_synthetic": "true", "seed": seed})
        stores[name] = group
    return stores


def _write_twins(stores: dict, index: int, found: dict, cells: np.ndarray, where: Grid) -> None:
    """Write the twins of one member."""
    for name, variables in found.items():
        group = stores[name]
        lead = list(TWINS[name][0])
        members = group["member"].size
        for variable, values in variables.items():
            series = variable in ("co2", "warming")
            block = values if series else _on_map(values, cells, where)
            block = round_bits(np.ascontiguousarray(block, np.float32), TWIN_BITS)
            dims = ["year"] if series else [*lead, "year", "lat", "lon"]
            if index == 0:
                at = dims.index("year")
                shape = (*block.shape[:at], members, *block.shape[at:])
                array = group.create_array(
                    variable,
                    shape=shape,
                    chunks=(*[1] * (at + 1), *block.shape[at:]),
                    dtype="float32",
                    compressors=_packed(),
                    fill_value=np.nan,
                )
                dims.insert(at, "member")
                array.attrs.update({"_ARRAY_DIMENSIONS": dims, "units": UNITS[variable]})
            where_member = (slice(None),) * (block.ndim - (1 if series else 3)) + (index,)
            group[variable][where_member] = block
