"""The ensemble on disk, in Zarr: the standard monthly dataset, and yearly data of its twins."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mpcf.data.variables import MONTHLY, YEARLY
from mpcf.demo.calendar import MONTH_DAYS
from mpcf.demo.experiment import (
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
from mpcf.demo.records import YEARS_BEFORE_OUTPUT
from mpcf.demo.soil import LAYER_EDGES, SOIL_LAYERS, node_depth, soil_layers
from mpcf.demo.twins import Twins
from mpcf.demo.worlds import CAUSES, HELD, MEANINGS, NULL_WORLDS, PARTS
from mpcf.folders import replace_dir
from mpcf.ground.constants import FREEZING_POINT
from mpcf.ground.geography import Grid, grid

__all__ = ["simulate", "write"]

MONTHS_BEFORE = 12 * YEARS_BEFORE_OUTPUT
"""Months of a member's own weather before the first stored month."""

MONTHS_PER_CHUNK = 12 * 43
"""Months per chunk of layered variables: seven chunks, about 18 MB each before compression."""

_LAND_MEAN = "area: mean where land time: mean"
_END_OF_MONTH = "time: point"


@dataclass(frozen=True)
class Encoding:
    """How a monthly variable is stored: CF ``cell_methods``, and bits kept of the mantissa's 23."""

    cell_methods: str
    keepbits: int


ENCODINGS = {
    "gpp": Encoding(_LAND_MEAN, 14),
    "ra": Encoding(_LAND_MEAN, 14),
    "rh": Encoding(_LAND_MEAN, 14),
    "tas": Encoding(_LAND_MEAN, 15),
    "pr": Encoding(_LAND_MEAN, 12),
    "snd": Encoding(_LAND_MEAN, 10),
    "cSoil": Encoding(_END_OF_MONTH, 20),
    "cVeg": Encoding(_END_OF_MONTH, 16),
    "tsl": Encoding(_LAND_MEAN, 15),
    "mrsll": Encoding(_LAND_MEAN, 11),
    "mrsfl": Encoding(_LAND_MEAN, 11),
    "co2": Encoding("time: mean", 23),
    "warming": Encoding("time: mean", 23),
}
"""Encodings by standard name."""

TWIN_KEEPBITS = 14

_LONG_NAMES = {"cSoil": "carbon in litter and soil"}
"""Long names of variables that hold more than the standard ones."""


def round_bits(values: np.ndarray, keepbits: int) -> np.ndarray:
    """
    Return float32 values rounded to a number of mantissa bits, ties to even.

    Parameters
    ----------
    values : ndarray of float32
        The values; not changed.
    keepbits : int
        Bits kept of the mantissa's 23, at least 1.

    Returns
    -------
    ndarray of float32
        The rounded values, which compress better.

    Examples
    --------
    >>> round_bits(np.array([273.15], np.float32), 14)
    array([273.15625], dtype=float32)
    """
    from numcodecs import BitRound

    return BitRound(keepbits).encode(values).view(np.float32)


def _values(member: Member) -> Iterator[tuple[str, np.ndarray]]:
    """Yield the values of a member by variable, cells first, from 1985 on."""
    monthly, fluxes = member.monthly, member.fluxes
    yield "gpp", fluxes.gpp
    yield "ra", fluxes.ra
    yield "rh", fluxes.rh
    yield "tas", monthly.air + np.float32(FREEZING_POINT)
    yield "pr", monthly.precipitation
    yield "snd", monthly.snow_depth
    yield "cSoil", fluxes.soil
    yield "cVeg", fluxes.plants
    yield "tsl", monthly.temperature + np.float32(FREEZING_POINT)
    yield "mrsll", monthly.liquid
    yield "mrsfl", monthly.ice
    yield "co2", np.repeat(member.co2, 12)[None]
    yield "warming", np.repeat(member.warming, 12)[None]


def _compressor():
    from numcodecs import Blosc

    return Blosc(cname="zstd", clevel=1, shuffle=Blosc.BITSHUFFLE)


def _fill(group, where: Grid, size: Size, seed: int, months: int):
    """Create the arrays of the dataset with coordinates and attributes."""
    compressor = _compressor()
    depth = node_depth(soil_layers())
    month_edges = np.concatenate([[0], np.cumsum(np.tile(MONTH_DAYS, months // 12))])

    def add(name, data, dims, **attributes):
        array = group.create_array(
            name,
            data=np.ascontiguousarray(data),
            chunks=data.shape,
            compressors=compressor,
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
    add(
        "depth_bnds",
        np.column_stack([LAYER_EDGES[:-1], LAYER_EDGES[1:]]),
        ["depth", "bnds"],
        units="m",
    )
    for name, label, axis in (("lat", "latitude", "Y"), ("lon", "longitude", "X")):
        units = "degrees_north" if name == "lat" else "degrees_east"
        attributes = {"long_name": label, "standard_name": label, "units": units, "axis": axis}
        add(name, getattr(where, name), [name], bounds=f"{name}_bnds", **attributes)
        add(f"{name}_bnds", getattr(where, f"{name}_bounds"), [name, "bnds"], units=units)
    for name, data in (
        ("areacella", where.area),
        ("sftlf", 100.0 * where.land_fraction),
        ("sftgif", 100.0 * where.ice_fraction),
    ):
        variable = MONTHLY[name]
        attributes = {"long_name": variable.long_name, "units": variable.units}
        add(name, data.astype(np.float32), variable.dims, **attributes)
    sizes = dict(zip(("lat", "lon"), where.soil.shape, strict=True))
    sizes |= {"member": size.members, "time": months, "depth": SOIL_LAYERS}
    for name, encoding in ENCODINGS.items():
        variable = MONTHLY[name]
        chunks = sizes | {"member": 1}
        if "depth" in variable.dims:
            chunks["time"] = MONTHS_PER_CHUNK
        array = group.create_array(
            name,
            shape=tuple(sizes[dim] for dim in variable.dims),
            chunks=tuple(chunks[dim] for dim in variable.dims),
            dtype="float32",
            compressors=compressor,
            fill_value=np.nan,
        )
        attributes = {
            "_ARRAY_DIMENSIONS": list(variable.dims),
            "long_name": _LONG_NAMES.get(name, variable.long_name),
            "units": variable.units,
            "cell_methods": encoding.cell_methods,
        }
        if variable.standard_name:
            attributes["standard_name"] = variable.standard_name
        array.attrs.update(attributes)
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
            "phases": json.dumps(PHASES),
        }
    )


def simulate(
    folder: str | os.PathLike[str],
    *,
    quick: bool = False,
    seed: int = SEED,
    progress: bool = True,
) -> None:
    """Write the demonstration ensemble: ``monthly.zarr``, and its twins in ``twins/``.

    Everything is written to a temporary folder, which replaces `folder` once it is complete. The
    same seed gives the same bytes, whatever the number of threads.

    Parameters
    ----------
    folder : path
        Folder of the stores.
    quick : bool
        Whether to make four members on a coarse grid, for tests and a first look.
    seed : int
        Seed of all weather.
    progress : bool
        Whether to show a progress bar.
    """
    write(folder, QUICK if quick else FULL, seed=seed, progress=progress)


def write(folder: str | os.PathLike[str], size: Size, *, seed: int, progress: bool = False) -> None:
    """Write an ensemble of any size, member by member.

    Parameters
    ----------
    folder : path
        Folder of the stores.
    size : Size
        Members, grid, and number of members that have twins.
    seed : int
        Seed of all weather.
    progress : bool
        Whether to show a progress bar.

    See Also
    --------
    simulate : Write the book's ensemble.
    """
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
    # Each member is written while the next one runs.
    paired = max(min(size.paired, size.members), with_twins) if with_twins else 0
    steps = 1 + size.members + paired + (with_twins > 0)
    with tqdm(total=steps, **label) as bar, ThreadPoolExecutor(1) as writer:
        experiment = Experiment(where, size.members, seed=seed)
        bar.update()
        twins = Twins(experiment) if with_twins else None
        counts = dict.fromkeys(TWINS, with_twins) | dict.fromkeys(PAIRED, paired)
        stores = _twin_stores(aside / "twins", where, counts, seed) if twins else {}
        bar.update(with_twins > 0)
        waiting = []
        for index in range(size.members):
            member = experiment.member(index)
            bar.update()
            for task in waiting:
                task.result()
            waiting = [writer.submit(_write_member, monthly, index, member, where)]
            if index < paired:
                member = member.at(twins.cells)  # frees the whole member once it is written
                found = twins.member(index, member, carbon=index < with_twins)
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
    """Write the months of one member from 2000 on."""
    for name, values in _values(member):
        _write(group[name], index, name, values[:, MONTHS_BEFORE:], where)


def _write(array, index: int, name: str, values: np.ndarray, where: Grid) -> None:
    """Write one variable of one member, chunk by chunk, sea as NaN."""
    keepbits = ENCODINGS[name].keepbits
    if "lat" not in MONTHLY[name].dims:
        array[index] = round_bits(values[0].astype(np.float32), keepbits)
        return
    step = array.chunks[1]
    for start in range(0, values.shape[1], step):
        part = np.moveaxis(values[:, start : start + step].astype(np.float32), 0, -1)
        array[index, start : start + step] = _on_map(round_bits(part, keepbits), slice(None), where)


def _on_map(values: np.ndarray, cells: np.ndarray | slice, where: Grid) -> np.ndarray:
    """Return cells (..., cell) on the grid, with NaN elsewhere."""
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
    "parts": (
        {"part": PARTS},
        "Instantaneous effects of the parts of liquid water: depth of thaw, and wetness",
    ),
    "null": (
        {"without": tuple(NULL_WORLDS)},
        "Yearly carbon fluxes on which one input has no effect",
    ),
    "columns": (
        {"held": ("latent", "conduction")},
        "Yearly columns where heat is stored in, or conducted by, the water of the rest run",
    ),
    "thermal": (
        {},
        "Yearly columns where heat is stored in and conducted by the water of the rest run",
    ),
    "recovery": (
        {"held": ("none", "thermal")},
        "Yearly columns of the second scenario, with net removal of CO2",
    ),
}
"""Stores of the twins: each one's dimensions before ``member``, and its title."""

PAIRED = ("thermal", "recovery")
"""Stores that hold `Size.paired` members; the others hold `Size.twins`."""


def _twin_units(variable: str) -> str:
    """Return the units of a twin's variable; fluxes may be instantaneous effects."""
    return YEARLY[variable.removesuffix("_instant")].units


def _twin_stores(folder: Path, where: Grid, members: dict[str, int], seed: int) -> dict:
    """Create the groups of the twins with their coordinates; variables follow with the data."""
    import zarr

    stores = {}
    years = np.arange(FIRST_YEAR, SCENARIO.last_year + 1)
    for name, (lead, title) in TWINS.items():
        group = zarr.open_group(folder / f"{name}.zarr", mode="w", zarr_format=2)
        coords = {**lead, "member": np.arange(1, members[name] + 1), "year": years}
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
            block = round_bits(np.ascontiguousarray(block, np.float32), TWIN_KEEPBITS)
            dims = ["year"] if series else [*lead, "year", "lat", "lon"]
            if index == 0:
                at = dims.index("year")
                shape = (*block.shape[:at], members, *block.shape[at:])
                array = group.create_array(
                    variable,
                    shape=shape,
                    chunks=(*[1] * (at + 1), *block.shape[at:]),
                    dtype="float32",
                    compressors=_compressor(),
                    fill_value=np.nan,
                )
                dims.insert(at, "member")
                array.attrs.update({"_ARRAY_DIMENSIONS": dims, "units": _twin_units(variable)})
            where_member = (slice(None),) * (block.ndim - (1 if series else 3)) + (index,)
            group[variable][where_member] = block
