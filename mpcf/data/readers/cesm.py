"""Read CESM history files, of its land model CLM and its atmosphere, as the standard dataset.

A file holds either one variable for many months (``CASE.clm2.h0.VARIABLE.YYYYMM-YYYYMM.nc``) or
many variables for one (``CASE.clm2.h0.YYYY-MM.nc``).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath

import numpy as np
import xarray as xr

from mpcf.data.readers.assembly import Run, assemble, check_absent, check_alike, soil_water
from mpcf.data.readers.cesm_co2 import NAMES, read_co2
from mpcf.data.readers.cesm_maps import check_same_land, land_piece, read_edges, read_maps
from mpcf.data.readers.fields import Piece, check_layers, layer_edges, own_attributes, series
from mpcf.data.readers.fixed_maps import check_grids
from mpcf.data.readers.loading import load
from mpcf.data.readers.months import Months
from mpcf.data.readers.soil_layers import (
    LIQUID_FORMULA,
    ice_beside_liquid,
    liquid_beside_ice,
    liquid_from_total,
)
from mpcf.data.readers.units import conversion
from mpcf.data.variables import MAPS, MONTHLY, SOIL_WATER
from mpcf.errors import DataError
from mpcf.ground.constants import WATER_DENSITY

RAIN = MONTHLY["pr"].cesm
WATER = (*(MONTHLY[name].cesm[0] for name in SOIL_WATER), "H2OSOI")
"""Liquid water and ice by layer, and total water, from which either can be derived."""

SINGLE = {
    v.name: v.cesm[0]
    for v in MONTHLY.values()
    if len(v.cesm) == 1 and v.name not in (*MAPS, *SOIL_WATER)
}
"""Standard name → the one CESM variable that holds it."""

INSTEAD = {
    "gpp": ("FATES_GPP",),
    "ra": ("FATES_AUTORESP",),
    "rh": ("FATES_HET_RESP",),
    "cVeg": ("FATES_VEGC",),
    "snd": ("SNOW_DEPTH",),
}
"""Standard name → CESM variables that are read where the one of `SINGLE` is not there."""

REMARKS = {
    "SNOW_DEPTH": "snd is SNOW_DEPTH, the depth of the part of a cell that snow covers, for want "
    "of SNOWDP, the mean over the land that snd is in CMIP6: it is larger where the cover is "
    "patchy, and not comparable with the snd of another source",
}
"""What a reader of the book should know if a variable is used."""

NO_RAIN = 1e-8
"""kg m-2 s-1, about 0.3 mm a year: less in the wettest month of all cells is no precipitation."""
FIXED = ("area", "landfrac", "PCT_LANDUNIT", "DZSOI")
WANTED = (
    *SINGLE.values(),
    *(name for names in INSTEAD.values() for name in names),
    *NAMES,
    *RAIN,
    *WATER,
    *FIXED,
)

_SERIES_NAME = re.compile(r"\.(?P<variable>\w+)\.\d{6}-\d{6}\.nc$")
_OURS = r"clm\d?|ctsm|elm|cam\d?|eam|mpcf"
_OTHERS = (
    r"mosart|rtm|mizuroute|cice\d?|pop|mom6?|ww3|cism|cpl|drv|d(?:atm|lnd|ocn|ice|rof|wav|glc)"
)
_STREAM = re.compile(rf"\.(?:(?P<ours>{_OURS})|{_OTHERS})(?:_\d{{4}})?\.(?P<stream>[a-z]\w*)(?=\.)")
_OTHER_STREAM = re.compile(r"\.(?:h(?!0a?\.)\d\w*|r[hs]?\d?[ai]?)\.")


def is_wanted(path: str) -> bool:
    """
    Return whether the reader may need a file, by its name.

    Parameters
    ----------
    path : str
        Path or address.

    Returns
    -------
    bool
        False for streams other than the monthly h0 of land and atmosphere, for restarts, and for
        time series of variables not needed.

    Examples
    --------
    >>> [is_wanted(f"CASE.clm2.{rest}.nc") for rest in ("h0.GPP.200001-200012", "h0.2000-01")]
    [True, True]
    >>> [is_wanted(f"CASE.clm2.{rest}.nc") for rest in ("h1.GPP.200001-200012", "r.2000-01")]
    [False, False]
    >>> is_wanted("CASE.clm2.h0.TLAI.200001-200012.nc"), is_wanted("CASE.clm2.rh0a.2006-01.nc")
    (False, False)
    >>> is_wanted("b.e21.r001.clm2.h0.GPP.200001-200012.nc")
    True
    """
    name = PurePosixPath(path).name
    if not name.endswith(".nc"):
        return False
    # a case may be called anything, so the last component and stream of the name count
    if streams := list(_STREAM.finditer(name)):
        if not streams[-1]["ours"] or streams[-1]["stream"] not in ("h0", "h0a"):
            return False
    elif _OTHER_STREAM.search(name):
        return False
    found = _SERIES_NAME.search(name)
    return found is None or found["variable"] in WANTED


def read(members: Mapping[str, Sequence[Piece]]) -> xr.Dataset:
    """
    Read an ensemble of CESM runs.

    Parameters
    ----------
    members : mapping of str to sequence of Piece
        Each member's files, opened without decoding times.

    Returns
    -------
    Dataset
        The standard monthly dataset, lazy.

    Raises
    ------
    DataError
        If a variable is missing in some members or something is ambiguous; the message names
        the variable, the member and the file.
    """
    notes: list[str] = []
    check_absent({member: _absent(pieces) for member, pieces in members.items()}, notes)
    runs = [_run(member, pieces, notes) for member, pieces in members.items()]
    check_alike(runs)
    grid = runs[0].grid
    maps = read_maps(next(iter(members.values())), grid, notes)
    for pieces in members.values():
        check_same_land(land_piece(pieces, grid), maps["sftlf"])
    every = [piece for pieces in members.values() for piece in pieces]
    return assemble(runs, maps, notes, own_attributes(every))


def _having(pieces: Sequence[Piece], name: str) -> list[Piece]:
    """Return the files with a variable; if some hold it alone, only those."""
    found = [piece for piece in pieces if name in piece]
    own = [p for p in found if (m := _SERIES_NAME.search(p.path)) and m["variable"] == name]
    return own or found


def _source_of(pieces: Sequence[Piece], name: str) -> str | None:
    """Return the first of the CESM variables for a standard one that the files have."""
    names = (SINGLE[name], *INSTEAD.get(name, ()))
    return next((raw for raw in names if _having(pieces, raw)), None)


def _absent(pieces: Sequence[Piece]) -> list[str]:
    """Return what a member lacks of the variables that some chapter needs."""
    needed = [v.name for v in MONTHLY.values() if v.required and v.name in SINGLE]
    absent = [SINGLE[name] for name in needed if _source_of(pieces, name) is None]
    absent += [name for name in RAIN if not _having(pieces, name)]
    liquid, ice, total = (bool(_having(pieces, name)) for name in WATER)
    absent += [] if liquid or total else [WATER[0]]
    return absent + ([] if ice or total else [WATER[1]])


def _run(member: str, pieces: Sequence[Piece], notes: list[str]) -> Run:
    layered = [(name, file) for name in ("TSOI", *WATER) for file in _having(pieces, name)]
    surface = [SINGLE[v.name] for v in MONTHLY.values() if v.required and v.name in SINGLE]
    on_map = [file for name in (*surface, *RAIN) for file in _having(pieces, name)]
    if not layered and not on_map:
        raise DataError(
            f"member {member} has no variable that the book can use, such as TSOI or GPP; put the "
            "files CASE.clm2.h0.TSOI.YYYYMM-YYYYMM.nc (and so on) into its folder"
        )
    grid = (layered[0][1] if layered else on_map[0]).grid
    nodes = edges = np.array([])
    if layered:
        nodes, edges = layer_edges(layered[0][1], layered[0][0])
    run = Run(member, grid, {}, {}, nodes, edges, {})
    for name in SINGLE:
        if name != "co2" and (raw := _source_of(pieces, name)) is not None:
            _add(run, name, raw, _having(pieces, raw), notes)
    if (co2 := read_co2(lambda raw: _having(pieces, raw), run.grid, member, notes)) is not None:
        run.values["co2"], run.months["co2"], run.origin["co2"] = co2
    parts = {name: _having(pieces, name) for name in RAIN}
    if all(parts.values()):
        check_grids(parts, run.grid)
        rain, snow = _rain_and_snow(parts, notes)
        run.values["pr"], run.months["pr"], run.months["SNOW"] = rain[0] + snow[0], rain[1], snow[1]
        run.origin["pr"] = " + ".join(RAIN)
    if run.depth_edges is None:
        run.depth_edges = read_edges(nodes, pieces)
        run.nodes = nodes[: run.depth_edges.size - 1]
        if "tsl" in run.values:
            run.values["tsl"] = run.values["tsl"].isel(depth=slice(0, run.nodes.size))
    _add_water(run, {name: files for name in WATER if (files := _having(pieces, name))}, notes)
    return run


def _add(run: Run, name: str, raw: str, files: Sequence[Piece], notes: list[str]) -> None:
    """Add a variable to a run; an optional one that can't be read is left out, with a note."""
    variable = MONTHLY[name]
    try:
        check_grids({raw: files}, run.grid)
        run.values[name], run.months[name] = series(
            files, raw, variable.units, notes=notes, repeats=True
        )
    except DataError as error:
        if variable.required:
            raise
        notes.append(f"{name} is left out: {error}")
        return
    run.origin[name] = f"{raw} ({files[0].raw[raw].attrs.get('units')})"
    if raw in REMARKS:
        notes.append(REMARKS[raw])


def _add_water(run: Run, files: Mapping[str, Sequence[Piece]], notes: list[str]) -> None:
    """Add liquid water and ice to a run, from two of SOILLIQ, SOILICE and H2OSOI, or the last."""
    water: dict[str, xr.DataArray] = {}
    for name, pieces in files.items():
        if name == "H2OSOI" and {"SOILLIQ", "SOILICE"} <= set(water):
            continue
        check_grids({name: pieces}, run.grid)
        unit = "1" if name == "H2OSOI" else "kg m-2"
        values, run.months[name] = series(pieces, name, unit, notes=notes, repeats=True)
        found = layer_edges(pieces[0], name)[0][: run.nodes.size]
        check_layers(found, run.nodes, pieces[0].where(name))
        water[name] = values.isel(depth=slice(0, found.size))
    count = min((values.sizes["depth"] for values in water.values()), default=0)
    cut = {name: values.isel(depth=slice(0, count)) for name, values in water.items()}
    liquid, ice, total = cut.get("SOILLIQ"), cut.get("SOILICE"), None
    if (share := cut.get("H2OSOI")) is not None:
        thickness = xr.DataArray(np.diff(run.depth_edges)[:count].astype("float32"), dims="depth")
        volume = share * thickness
        total = volume * np.float32(WATER_DENSITY)
        if liquid is None and ice is None and "tsl" in run.values:
            temperature = run.values["tsl"].isel(depth=slice(0, count))
            liquid = liquid_from_total(total, temperature, thickness)
            notes.append(LIQUID_FORMULA)
        if liquid is None and ice is not None:
            liquid = liquid_beside_ice(volume, ice)
        elif ice is None and liquid is not None:
            ice = ice_beside_liquid(volume, liquid)
    soil_water(run, liquid, ice, total, notes)
    for name in SOIL_WATER:
        if name in run.values:
            run.origin[name] = " and ".join(water)


def _rain_and_snow(
    files: Mapping[str, Sequence[Piece]], notes: list[str]
) -> list[tuple[xr.DataArray, Months]]:
    """Read the two parts of precipitation; a wrong unit in one hardly shows in their sum."""
    unit = MONTHLY["pr"].units
    factors = {}
    for name, pieces in files.items():
        for piece in pieces:
            found = piece.raw[name].attrs.get("units")
            factors.setdefault(conversion(found, unit, piece.where(name)).factor, (piece, name))
    if len(factors) > 1:
        stated = [
            f"{p.where(name)} has '{p.raw[name].attrs['units']}'" for p, name in factors.values()
        ]
        raise DataError(
            f"units of {' and '.join(files)} differ: {', '.join(stated)}; correct the attribute "
            "'units' of the files where it is wrong"
        )
    parts = [
        series(pieces, name, unit, notes=notes, repeats=True) for name, pieces in files.items()
    ]
    for (values, months), (name, pieces) in zip(parts, files.items(), strict=True):
        most = float(load(values.isel(time=slice(0, 12))).max())
        if most < NO_RAIN:
            raise DataError(
                f"{pieces[0].where(name)} is at most {most:.2g} {unit} in the first twelve months "
                f"of {months}, which is practically nothing; look at its units"
            )
    return parts
