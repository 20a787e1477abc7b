"""The two kinds of steps, blocks and bands, and the files through which they communicate."""

from __future__ import annotations

import uuid
from collections import defaultdict
from dataclasses import dataclass
from itertools import pairwise
from math import prod
from pathlib import Path

import numpy as np
import xarray as xr

from mpcf.yearly.neighbours import NEEDS_NEIGHBOUR_YEARS, join_years
from mpcf.yearly.plan import Plan, step_name
from mpcf.yearly.reduction import member_series, reduce_to_planes


@dataclass(frozen=True)
class Layout:
    """Order of the results in a block's file, (year, plane, lat, lon)."""

    shapes: dict[str, dict[str, int]]
    coords: dict[str, np.ndarray]

    @property
    def planes(self) -> dict[str, slice]:
        """Planes of each result."""
        ends = np.cumsum([0, *(prod(shape.values()) for shape in self.shapes.values())])
        return {name: slice(*pair) for name, pair in zip(self.shapes, pairwise(ends), strict=True)}

    def pieces(self) -> list[list[str]]:
        """Return the results in groups to be read together; one group at a time saves memory."""
        pieces = defaultdict(list)
        for name, shape in self.shapes.items():
            pieces["joined" if name in NEEDS_NEIGHBOUR_YEARS else tuple(shape)].append(name)
        return list(pieces.values())

    def read(self, names: list[str], folder: Path, step: tuple, plan: Plan) -> xr.Dataset:
        """Return some results of a band, all years."""
        _, member, (top, bottom, left, right) = step
        years, cells = plan.years[-1][1], (bottom - top, right - left)
        data = {
            name: np.empty((years, *self.shapes[name].values(), *cells), "float32")
            for name in names
        }
        for block in plan.blocks(member):
            _, _, (first, last), (upper, lower) = block
            a, b = max(upper, top), min(lower, bottom)
            if a < b:
                path = folder / "parts" / f"{step_name(block)}.npy"
                part = np.load(path, mmap_mode="r")[:, :, a - upper : b - upper, left:right]
                for name, values in data.items():
                    out = values[first:last, ..., a - top : b - top, :]
                    out[...] = part[:, self.planes[name]].reshape(out.shape)
        variables = {
            name: (("year", *self.shapes[name], "lat", "lon"), values)
            for name, values in data.items()
        }
        return xr.Dataset(variables, self.coords).expand_dims("member")


def take_block(monthly: xr.Dataset, folder: Path, step: tuple, years_at_once: int) -> None:
    """Reduce a block and write the result to one file.

    Parameters
    ----------
    monthly : Dataset
        The block.
    folder : Path
        Folder of the unfinished store.
    step : tuple
        Which block it is.
    years_at_once : int
        Years of a layered variable that are read at a time.
    """
    _check_shared(folder)
    (planes,) = reduce_to_planes(monthly, years_at_once=years_at_once)
    name = step_name(step)
    aside = folder / "parts" / f".{name}.{uuid.uuid4().hex}.tmp"
    try:
        with open(aside, "wb") as file:
            np.save(file, planes)
        aside.replace(folder / "parts" / f"{name}.npy")
    finally:
        aside.unlink(missing_ok=True)
    _mark_done(folder, name)


def take_band(
    series: xr.Dataset | None, folder: Path, step: tuple, plan: Plan, layout: Layout
) -> None:
    """Join a member's blocks in a band of cells and write them into the store.

    Parameters
    ----------
    series : Dataset or None
        Monthly variables without a grid, to be written with this band.
    folder : Path
        Folder of the unfinished store.
    step : tuple
        Which band it is.
    plan : Plan
        How the ensemble is divided.
    layout : Layout
        Order of the results in a block's file.
    """
    import zarr

    _check_shared(folder)
    _, member, (top, bottom, left, right) = step
    group = zarr.open_group(folder / "yearly.zarr", mode="r+", zarr_format=2)
    for names in layout.pieces():
        for name, values in join_years(layout.read(names, folder, step, plan)).items():
            group[name][member : member + 1, ..., top:bottom, left:right] = values.values
    if series is not None:
        for name, values in member_series(series).data_vars.items():
            group[name][member : member + 1] = values.values
    _mark_done(folder, step_name(step))


def _mark_done(folder: Path, name: str) -> None:
    """Mark a step as done."""
    (folder / "done" / name).touch()


def _check_shared(folder: Path) -> None:
    if not (folder / "plan.json").is_file():
        raise FileNotFoundError(
            f"this worker can't see {folder}; the build folder must be on a file system that all "
            "workers share, under the same path"
        )
