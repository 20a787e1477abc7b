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

from mpcf.data.readers.assembly import Run, assemble, check_absent, soil_water
from mpcf.data.readers.fields import Piece, check_layers, layer_edges, own_attributes, series
from mpcf.data.readers.fixed_maps import cell_areas, check_grids, check_land, whole_map
from mpcf.data.readers.loading import load
from mpcf.data.readers.months import Months
from mpcf.data.readers.soil_layers import clm_thickness
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

NO_RAIN = 1e-8
"""kg m-2 s-1, about 0.3 mm a year: less in the wettest month of all cells is no precipitation."""
FIXED = ("area", "landfrac", "PCT_LANDUNIT", "DZSOI")
WANTED = (*SINGLE.values(), *RAIN, *WATER, *FIXED)

_SERIES_NAME = re.compile(r"\.(?P<variable>\w+)\.\d{6}-\d{6}\.nc$")
_OTHER_STREAM = re.compile(r"\.h(?!0a?\.)\d\w*\.")


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
        False for streams other than the monthly h0, and for time series of variables not needed.

    Examples
    --------
    >>> [is_wanted(f"CASE.clm2.{rest}.nc") for rest in ("h0.GPP.200001-200012", "h0.2000-01")]
    [True, True]
    >>> [is_wanted(f"CASE.clm2.{rest}.nc") for rest in ("h1.GPP.200001-200012", "r.2000-01")]
    [False, False]
    >>> is_wanted("CASE.clm2.h0.TLAI.200001-200012.nc")
    False
    """
    name = PurePosixPath(path).name
    if not name.endswith(".nc") or _OTHER_STREAM.search(name) or re.search(r"\.r[hs]?\d*\.", name):
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
    first = next(iter(members.values()))
    maps = _maps(first, notes)
    for member, pieces in members.items():
        other = _find(pieces, "landfrac")
        if not np.allclose(
            whole_map(other, "landfrac", "%", absent="1").fillna(0), maps["sftlf"], atol=1e-2
        ):
            raise DataError(
                f"'landfrac' of member {member} ({other.path}) differs from that of the others"
            )
    every = [piece for pieces in members.values() for piece in pieces]
    return assemble(runs, maps, notes, own_attributes(every))


def _having(pieces: Sequence[Piece], name: str) -> list[Piece]:
    """Return the files with a variable; if some hold it alone, only those."""
    found = [piece for piece in pieces if name in piece]
    own = [p for p in found if (m := _SERIES_NAME.search(p.path)) and m["variable"] == name]
    return own or found


def _find(pieces: Sequence[Piece], name: str) -> Piece:
    for piece in pieces:
        if name in piece:
            return piece
    raise DataError(
        f"'{name}' is in no file of member {pieces[0].member}; every CLM history file holds it"
    )


def _absent(pieces: Sequence[Piece]) -> list[str]:
    """Return what a member lacks of the variables that some chapter needs."""
    needed = [SINGLE[v.name] for v in MONTHLY.values() if v.required and v.name in SINGLE]
    absent = [name for name in (*needed, *RAIN) if not _having(pieces, name)]
    liquid, ice, total = (bool(_having(pieces, name)) for name in WATER)
    absent += [] if liquid or total else [WATER[0]]
    return absent + ([] if ice or total else [WATER[1]])


def _run(member: str, pieces: Sequence[Piece], notes: list[str]) -> Run:
    values, months, origin = {}, {}, {}
    for name, raw in SINGLE.items():
        if files := _having(pieces, raw):
            values[name], months[name] = series(files, raw, MONTHLY[name].units)
            origin[name] = f"{raw} ({files[0].raw[raw].attrs.get('units')})"
    if all(_having(pieces, name) for name in RAIN):
        rain, snow = _rain_and_snow({name: _having(pieces, name) for name in RAIN})
        values["pr"], months["pr"], months["SNOW"] = rain[0] + snow[0], rain[1], snow[1]
        origin["pr"] = " + ".join(RAIN)

    layered = [(name, file) for name in ("TSOI", *WATER) for file in _having(pieces, name)]
    nodes = edges = np.array([])
    if layered:
        nodes, edges = layer_edges(layered[0][1], layered[0][0])
        if edges is None:
            edges = _edges(nodes, pieces)
    on_map = [file for name in (*SINGLE.values(), *RAIN) for file in _having(pieces, name)]
    if not layered and not on_map:
        raise DataError(
            f"member {member} has no variable that the book can use, such as TSOI or GPP; put the "
            "files CASE.clm2.h0.TSOI.YYYYMM-YYYYMM.nc (and so on) into its folder"
        )
    grid = (layered[0][1] if layered else on_map[0]).grid
    run = Run(member, grid, values, months, nodes, edges, origin)
    water = {}
    for name in WATER:
        if files := _having(pieces, name):
            if name == "H2OSOI" and {"SOILLIQ", "SOILICE"} <= set(water):
                continue
            unit = "1" if name == "H2OSOI" else "kg m-2"
            water[name], months[name] = series(files, name, unit)
            check_layers(layer_edges(files[0], name)[0], nodes, files[0].where(name))
    total = water.get("H2OSOI")
    if total is not None:
        count = total.sizes["depth"]
        thickness = xr.DataArray(np.diff(edges)[:count].astype("float32"), dims="depth")
        total = total * thickness * np.float32(WATER_DENSITY)
    soil_water(run, water.get("SOILLIQ"), water.get("SOILICE"), total, notes)
    for name in SOIL_WATER:
        if name in run.values:
            origin[name] = " and ".join(water)
    maps = [SINGLE[n] for n in SINGLE if MONTHLY[n].required]
    check_grids({name: _having(pieces, name) for name in (*maps, *RAIN, *water)}, run.grid)
    return run


def _rain_and_snow(
    files: Mapping[str, Sequence[Piece]],
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
    parts = [series(pieces, name, unit) for name, pieces in files.items()]
    for (values, months), (name, pieces) in zip(parts, files.items(), strict=True):
        most = float(load(values.isel(time=slice(0, 12))).max())
        if most < NO_RAIN:
            raise DataError(
                f"{pieces[0].where(name)} is at most {most:.2g} {unit} in the first twelve months "
                f"of {months}, which is practically nothing; look at its units"
            )
    return parts


def _edges(nodes: np.ndarray, pieces: Sequence[Piece]) -> np.ndarray:
    """Return the edges of the layers: from DZSOI if a file has it, otherwise as known for CLM."""
    for piece in pieces:
        if "DZSOI" in piece:
            values = np.asarray(piece.raw["DZSOI"].values, dtype=float)
            values = np.where(np.abs(values) < 1e3, values, np.nan).reshape(values.shape[0], -1)
            thickness = np.nanmedian(values, axis=1)
            break
    else:
        thickness = clm_thickness(nodes)
    if thickness is None or thickness.shape != nodes.shape or not (thickness > 0).all():
        raise DataError(
            f"the soil layers with nodes at {', '.join(f'{z:.3g}' for z in nodes)} m are neither "
            "CLM5's nor CLM4.5's; put a history file that holds DZSOI next to the others"
        )
    return np.concatenate([[0.0], np.cumsum(thickness)])


def _maps(pieces: Sequence[Piece], notes: list[str]) -> dict[str, xr.DataArray]:
    land_file = _find(pieces, "landfrac")
    land = whole_map(land_file, "landfrac", "%", absent="1").fillna(0.0)
    check_land(land, land_file.where("landfrac"))
    area_file = next((piece for piece in pieces if "area" in piece), None)
    area = whole_map(area_file, "area", "m2") if area_file else None
    maps = {"sftlf": land, "areacella": cell_areas(area, land_file.grid, notes)}
    if (ice := _ice(pieces)) is not None:
        maps["sftgif"] = (ice.fillna(0.0) * land / 100.0).assign_attrs(ice.attrs)
    else:
        notes.append(
            "there is no PCT_LANDUNIT in the files: ice sheets are left out only where the model "
            "has no soil"
        )
    return maps


def _ice(pieces: Sequence[Piece]) -> xr.DataArray | None:
    """Return the share of the land that is ice; attributes of the file number the land units."""
    piece = next((p for p in pieces if "PCT_LANDUNIT" in p), None)
    if piece is None:
        return None
    kinds = [int(v) - 1 for k, v in piece.raw.attrs.items() if k.startswith("ltype_landice")]
    shares = piece.raw["PCT_LANDUNIT"]
    if "ltype" not in shares.dims or not kinds or max(kinds) >= shares.sizes["ltype"]:
        return None
    maps = [
        whole_map(
            Piece(piece.path, piece.member, piece.raw.assign(PCT_LANDUNIT=shares.isel(ltype=kind))),
            "PCT_LANDUNIT",
            "%",
        )
        for kind in kinds
    ]
    return sum(maps[1:], maps[0]).assign_attrs(original="PCT_LANDUNIT")
