"""The experiment: spin-up, members, and the standard monthly dataset in Zarr."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mpcf.build import replace_dir
from mpcf.demo import carbon as carbon_rooms
from mpcf.demo import column, weather
from mpcf.demo.climate import global_climate
from mpcf.demo.parameters import CLIMATE, SCENARIO
from mpcf.geography import Grid, grid

__all__ = ["FULL", "PHASES", "QUICK", "Member", "Size", "members", "simulate", "write"]

SEED = 20480
FIRST_YEAR = 2000
PHASES = {"warming": (2000, 2050), "mitigation": (2051, 2116), "net-zero": (2117, 2300)}
"""Phases by emissions: rise, fall, none (inclusive years)."""
SPIN_UP = 100
"""Years of unforced climate before 1850; the last 50 set the carbon at rest."""
APART = 1985
"""First year in which members have their own weather."""


@dataclass(frozen=True)
class Size:
    """Members and grid of an ensemble."""

    members: int
    dlat: float
    dlon: float


FULL = Size(8, 4.0, 5.0)
QUICK = Size(4, 8.0, 10.0)


@dataclass(frozen=True)
class Member:
    """One member from 2000 on: column (cell, month[, layer]), carbon, CO2, warming (year,)."""

    monthly: column.Monthly
    fluxes: carbon_rooms.Fluxes
    co2: np.ndarray
    warming: np.ndarray


def _since(monthly: object, months: int) -> object:
    """Return the fields of a record without its first `months`."""
    return type(monthly)(
        *(getattr(monthly, name)[:, months:] for name in type(monthly).__dataclass_fields__)
    )


def members(where: Grid, count: int, seed: int = SEED) -> Iterator[Member]:
    """Run the ensemble, one member after the other.

    All share a spin-up and the years 1850-1984; from 1985 on each has its own weather.

    Parameters
    ----------
    where : Grid
    count : int
        Number of members.
    seed : int

    Yields
    ------
    Member
    """
    lat, lon = where.cell_lat, where.cell_lon
    streams = np.random.SeedSequence(seed).spawn(count + 1)
    fair_seeds = [int(stream.generate_state(1)[0]) for stream in streams[1:]]
    planet = global_climate(fair_seeds)
    calm = global_climate()
    normals = weather.climate_at(lat, lon)
    normals_warming = float(calm.warming[0, (calm.years >= 1981) & (calm.years <= 2010)].mean())
    sunshine = weather.daily_insolation(lat, np.arange(column.STEPS) * 5.0 + 2.5)
    light = carbon_rooms.monthly_light(lat)

    # Spin-up and the years that all members share.
    shared = (calm.years >= 1850) & (calm.years < APART)
    path = np.concatenate([np.zeros(SPIN_UP), calm.warming[0, shared]])
    air = weather.forcing(
        lat, lon, normals, path, normals_warming, np.random.default_rng(streams[0])
    )
    columns = column.new_columns(air.temperature[:, : 12 * SPIN_UP].mean(axis=1))
    record = column.advance(
        columns, weather.mid_month_values(air.temperature), air.precipitation, sunshine
    )
    rest = column.Monthly(
        *(
            getattr(record, name)[:, 12 * (SPIN_UP - 50) : 12 * SPIN_UP]
            for name in column.Monthly.__dataclass_fields__
        )
    )
    reference = {"co2_reference": CLIMATE.co2_preindustrial}
    co2 = calm.co2[0]
    carbon = carbon_rooms.equilibrium(rest, co2[shared][0], light, **reference)
    carbon_rooms.live(carbon, _since(record, 12 * SPIN_UP), co2[shared], light, **reference)
    del record, rest

    own = planet.years >= APART
    skip = 12 * (FIRST_YEAR - APART)
    for member in range(count):
        rng = np.random.default_rng(streams[1 + member])
        air = weather.forcing(lat, lon, normals, planet.warming[member, own], normals_warming, rng)
        monthly = column.advance(
            columns.copy(),
            weather.mid_month_values(air.temperature),
            air.precipitation,
            sunshine,
        )
        fluxes = carbon_rooms.live(
            carbon.copy(), monthly, planet.co2[member, own], light, **reference
        )
        kept = planet.years >= FIRST_YEAR
        yield Member(
            _since(monthly, skip),
            _since(fluxes, skip),
            planet.co2[member, kept],
            planet.warming[member, kept],
        )


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
    "cVeg": ("flat", "carbon in plants", "kg m-2", "time: point", 20),
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
    """Values of a member by variable, cells first."""
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
    yield "co2", np.repeat(member.co2, 12)
    yield "warming", np.repeat(member.warming, 12)


def _fill(group, where: Grid, size: Size, seed: int, months: int):
    """Create the arrays of the dataset with coordinates and attributes."""
    from numcodecs import Blosc

    packed = Blosc(cname="zstd", clevel=1, shuffle=Blosc.BITSHUFFLE)
    depth = carbon_rooms.middle(column.soil())
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
            "history": f"made by mpcf.demo.simulate with seed {seed}",
            "references": "book/model-card.md",
            "Conventions": "CF-1.11",
            "mpcf_synthetic": "true",
            "seed": seed,
            "phases": {name: list(years) for name, years in PHASES.items()},
        }
    )


def simulate(
    path: str | os.PathLike[str],
    *,
    quick: bool = False,
    seed: int = SEED,
    progress: bool = True,
) -> None:
    """Make the demonstration ensemble and write it as a Zarr store.

    The store is written beside `path` and put in its place when it is whole. The same seed gives
    the same bytes, whatever the number of threads.

    Parameters
    ----------
    path : path
        Of the store, e.g. ``monthly.zarr``.
    quick : bool
        Four members on a coarse grid, for tests and a first look.
    seed : int
    progress : bool
        Show a progress bar.
    """
    write(path, QUICK if quick else FULL, seed=seed, progress=progress)


def write(path: str | os.PathLike[str], size: Size, *, seed: int, progress: bool = False) -> None:
    """Run an ensemble of any size and write it member by member: see `simulate`."""
    import zarr
    from tqdm import tqdm

    where = grid(size.dlat, size.dlon)
    months = 12 * (SCENARIO.last_year - FIRST_YEAR + 1)
    final = Path(path)
    aside = final.with_name(final.name + ".part")
    final.parent.mkdir(parents=True, exist_ok=True)
    shutil.rmtree(aside, ignore_errors=True)
    group = zarr.open_group(aside, mode="w", zarr_format=2)
    _fill(group, where, size, seed, months)

    label = {"desc": "demonstration ensemble", "unit": "member", "disable": not progress}

    def store(index: int, member: Member) -> None:
        for name, values in _values(member):
            kind, bits = VARIABLES[name][0], VARIABLES[name][4]
            _write(group[name], index, kind, round_bits(values.astype(np.float32), bits), where)
        bar.update()

    # One member is written while the next one runs.
    with tqdm(total=size.members, **label) as bar, ThreadPoolExecutor(1) as writer:
        before = None
        for index, member in enumerate(members(where, size.members, seed)):
            if before is not None:
                before.result()
            before = writer.submit(store, index, member)
        before.result()
    zarr.consolidate_metadata(aside)
    replace_dir(aside, final)


def _write(array, index: int, kind: str, values: np.ndarray, where: Grid) -> None:
    """Write one variable of one member, chunk by chunk, sea as NaN."""
    if kind == "series":
        array[index] = values
        return
    rows, columns = np.nonzero(where.soil)
    step = array.chunks[1]
    for start in range(0, values.shape[1], step):
        part = values[:, start : start + step]
        block = np.full((*part.shape[1:], *where.soil.shape), np.nan, np.float32)
        block[..., rows, columns] = np.moveaxis(part, 0, -1)
        array[index, start : start + step] = block
