"""An unfinished yearly store on disk: its empty arrays, and which steps remain."""

from __future__ import annotations

import hashlib
import json
import shutil
from functools import cached_property
from pathlib import Path

import numpy as np
import xarray as xr

from mpcf import closure
from mpcf.data.variables import MONTHLY
from mpcf.folders import write_atomic
from mpcf.ground.constants import FREEZING_POINT
from mpcf.yearly import reduction
from mpcf.yearly.plan import plan, step_name, variables_read
from mpcf.yearly.reduction import GRID, SERIES, result_shapes
from mpcf.yearly.steps import Layout, take_band, take_block

HELD = "mpcf_variables"
"""Attribute of the yearly dataset that names the monthly variables of its source."""

BOUNDS = ("time_bnds", "depth_bnds")
"""Bounds of months and of soil layers; the latter only where the source has layers."""


class Job:
    """An unfinished yearly store on disk."""

    def __init__(self, monthly: xr.Dataset, folder: Path, memory: int) -> None:
        known = [name for name in BOUNDS if name in monthly]
        bounds = {name: monthly[name].compute() for name in known}
        self.monthly, self.folder = monthly.assign(bounds), folder
        self.plan = plan(self.monthly, memory)
        self.store = folder / "yearly.zarr"
        self.year, self.days = reduction.year_lengths(self.monthly)
        self.layout = Layout(
            result_shapes(self.monthly),
            {"year": self.year}
            | {dim: monthly[dim].values for dim in ("depth",) if dim in monthly.dims},
        )

    @property
    def path(self) -> Path:
        """Path of the finished store."""
        return self.folder.with_name(self.folder.name.removesuffix(".part"))

    @cached_property
    def key(self) -> str:
        """Hash of everything that determines what is written: data, code, blocks."""
        from dask.base import tokenize

        # the calendar as numbers, since date objects are slow to hash
        data = self.monthly.drop_vars(["time", "time_bnds"])
        whole = hashlib.sha256(tokenize(data, self.year, self.days).encode())
        whole.update(repr(self.plan).encode())
        code = closure.reached(["from mpcf.yearly.stream import write_yearly"])
        whole.update(closure.digest(code).encode())
        return whole.hexdigest()

    @cached_property
    def steps(self) -> int:
        """Number of blocks and bands."""
        plan = self.plan
        return plan.members * (len(plan.years) * len(plan.rows) + len(plan.bands))

    def prepare(self) -> None:
        """Keep the folder if it belongs to this job, otherwise start afresh."""
        plan = self.folder / "plan.json"
        mine = json.dumps({"key": self.key, "steps": self.steps})
        if read_text(plan) != mine:
            shutil.rmtree(self.folder, ignore_errors=True)
            for name in ("parts", "done"):
                (self.folder / name).mkdir(parents=True)
            write_atomic(plan, mine)
        for stray in self.folder.glob("*/.*.tmp"):
            stray.unlink()
        if not self.store.exists():
            aside = self.folder / "yearly.zarr.tmp"
            shutil.rmtree(aside, ignore_errors=True)
            self._template().to_zarr(
                aside, mode="w", zarr_format=2, consolidated=True, compute=False
            )
            aside.rename(self.store)

    def _template(self) -> xr.Dataset:
        """Return the yearly dataset without its values: names, sizes, chunks, attributes."""
        import dask.array

        sample = reduction.to_yearly(made_up_sample(self.monthly))
        grid = [name for name in GRID if name in self.monthly]
        out = self.monthly[grid].reset_coords(drop=True).load(scheduler="synchronous")
        out = out.assign_coords(
            {
                name: self.monthly[name]
                for name in ("member", "depth", "lat", "lon")
                if name in self.monthly.dims
            }
            | {"year": self.year, "season": sample["season"], "top": sample["top"]}
        ).drop_encoding()  # a source in another Zarr format has encodings that cannot be written
        high, wide = self.plan.bands[0][1], self.plan.bands[0][3]
        sizes = dict(out.sizes)
        chunk = sizes | {"member": 1, "lat": high, "lon": wide}
        yearly_values = {}
        for name, values in sample.data_vars.items():
            if "year" in values.dims:
                shape = [sizes[dim] for dim in values.dims]
                chunks = tuple(chunk[dim] for dim in values.dims)
                empty = dask.array.zeros(shape, dtype="float32", chunks=chunks)
                yearly_values[name] = values.dims, empty, values.attrs, {"chunks": chunks}
        held = " ".join(name for name in MONTHLY if name in self.monthly)
        return out.assign(yearly_values).assign_attrs(self.monthly.attrs | {HELD: held})

    def todo(self) -> list[tuple]:
        """Return the steps that can be taken now: blocks, or bands whose blocks are all done."""
        steps = []
        for member in range(self.plan.members):
            missing = [step for step in self.plan.blocks(member) if not self.is_done(step)]
            steps += missing or self.following(("block", member))
        return steps

    def following(self, step: tuple) -> list[tuple]:
        """Return the steps that this one makes possible; delete parts no longer needed."""
        member = step[1]
        bands = [join for join in self.plan.joins(member) if not self.is_done(join)]
        if step[0] == "band":
            if not bands:
                for block in self.plan.blocks(member):
                    (self.folder / "parts" / f"{step_name(block)}.npy").unlink(missing_ok=True)
            return []
        if all(self.is_done(block) for block in self.plan.blocks(member)):
            return bands
        return []

    def is_done(self, step: tuple) -> bool:
        """Check whether a step is done."""
        return (self.folder / "done" / step_name(step)).exists()

    def call(self, step: tuple) -> tuple:
        """Return the function that performs a step, and its arguments."""
        # a slice, since dask copies what a list selects
        member = slice(step[1], step[1] + 1)
        if step[0] == "block":
            _, _, (first, last), (upper, lower) = step
            names = [*variables_read(self.monthly), *BOUNDS]
            block = self.monthly[[name for name in names if name in self.monthly]].isel(
                member=member, time=slice(12 * first, 12 * last), lat=slice(upper, lower)
            )
            return take_block, block, self.folder, step, self.plan.years_at_once
        series, names = None, [name for name in SERIES if name in self.monthly]
        if names and step[2] == self.plan.bands[0]:
            series = self.monthly[[*names, "time_bnds"]].isel(member=member)
        return take_band, series, self.folder, step, self.plan, self.layout


def read_text(path: Path) -> str | None:
    """Return the content of a file; None if there is no such file."""
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return None


def made_up_sample(monthly: xr.Dataset) -> xr.Dataset:
    """Return two years of one cell of the source, its values replaced by the freezing point."""
    small = monthly.isel(member=[0], time=slice(0, 24), lat=[0], lon=[0])
    known = (*BOUNDS, *GRID)
    made_up = {
        name: (values.dims, np.full(values.shape, FREEZING_POINT, "float32"), values.attrs)
        for name, values in small.data_vars.items()
        if name not in known
    }
    return small[[name for name in known if name in small]].assign(made_up)
