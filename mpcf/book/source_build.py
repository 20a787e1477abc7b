"""A source and what the book has built from it: what the chapters read and write."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from mpcf.errors import MissingFile
from mpcf.folders import build_dir, write_atomic

if TYPE_CHECKING:
    import xarray as xr

    from mpcf.data.catalog import Source


class SourceBuild:
    """A source of the catalogue and the folder that holds what was built from it.

    Parameters
    ----------
    source : str
        Name of the source's entry in the catalogue.
    quick : bool
        Whether the small ensemble is used.

    Attributes
    ----------
    folder : Path
        The build folder. Chapters write into its subfolder ``results``.

    Raises
    ------
    InvalidChoice
        If the name cannot name a folder.
    """

    def __init__(self, source: str, *, quick: bool = False) -> None:
        self.source = source
        self.quick = quick
        self.folder = build_dir(source, quick)

    @cached_property
    def entry(self) -> Source:
        """The catalogue's entry: description, phases, convention, citation, licence."""
        from mpcf.data.catalog import entry

        return entry(self.source)

    @property
    def phases(self) -> dict[str, tuple[int, int]]:
        """First and last year of each phase of the experiment, inclusive."""
        return self.entry.phases

    @cached_property
    def is_synthetic(self) -> bool:
        """Whether the catalogue's entry or the data themselves say that they are synthetic."""
        from mpcf.data.sources import is_synthetic

        return is_synthetic(self.source, quick=self.quick)

    def read(self, name: str) -> xr.Dataset:
        """Open the yearly dataset, or a dataset that a chapter has saved.

        Parameters
        ----------
        name : str
            ``"yearly"``, or chapter and dataset, such as ``"02-permafrost-thaw/region"``.

        Returns
        -------
        Dataset
            The yearly dataset is read as it is used; any other is in memory.

        Raises
        ------
        MissingFile
            If it does not exist yet; the message names the command that creates it.
        """
        import xarray as xr

        if name == "yearly":
            path, maker = self.folder / "yearly.zarr", "01"
        else:
            path, maker = self._result(name), name[:2]
        if not path.exists():
            raise MissingFile(
                f"there is no {path.name} of source '{self.source}' yet; "
                f"make it with: .venv/bin/python -m mpcf run {maker}"
                + (" --quick" if self.quick else "")
                + (f" --source {self.source}" if self.source != "demo" else "")
            )
        if path.suffix == ".zarr":
            return xr.open_zarr(path, chunks=None)
        with xr.open_dataset(path, engine="netcdf4") as dataset:
            return dataset.load()

    def save(self, dataset: xr.Dataset, name: str) -> None:
        """Write a chapter's dataset atomically, for later chapters to read.

        Parameters
        ----------
        dataset : Dataset
            The result; its attributes will name the source and say whether it is synthetic.
        name : str
            Chapter and dataset, such as ``"02-permafrost-thaw/region"``.

        Raises
        ------
        SystemFault
            If the file can't be written.
        """
        dataset.attrs |= {
            "mpcf_source": self.source,
            "mpcf_synthetic": str(self.is_synthetic).lower(),
        }
        # via memory, since netCDF does not say why it cannot write a file
        write_atomic(self._result(name), dataset.to_netcdf(engine="netcdf4"))

    def truth(self, name: str) -> xr.Dataset | None:
        """Open a dataset computed from the twins of a synthetic source.

        Parameters
        ----------
        name : str
            A dataset of `mpcf.demo.store.TWINS`, such as ``"effects"``.

        Returns
        -------
        Dataset or None
            None if the source has no twins.

        Raises
        ------
        SourceUnavailable
            If the twins' folder begins with an environment variable that is not set.
        """
        import xarray as xr

        from mpcf.data.places import resolve

        if self.entry.truth is None:
            return None
        folder = resolve(self.entry.truth, self.source, quick=self.quick)
        return xr.open_zarr(f"{folder}/{name}.zarr", chunks=None).load()

    def _result(self, name: str) -> Path:
        return self.folder / "results" / f"{name}.nc"
