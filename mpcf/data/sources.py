"""Open the book's data by name: monthly ensembles and small real records.

``catalog.yml`` says where each source's data are; Intake and intake-xarray open them.
"""

from __future__ import annotations

import glob
import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from mpcf.data.catalog import (
    CesmSource,
    CesmStoresSource,
    Cmip6Source,
    RecordSource,
    Source,
    data_place,
    entry,
    intake_source,
)
from mpcf.data.places import is_address, is_built, resolve, variable
from mpcf.errors import SourceUnavailable, UnknownSource

if TYPE_CHECKING:
    import xarray as xr

    from mpcf.data.readers.fields import Piece


QUICK_MEMBERS, QUICK_ROW, QUICK_COLUMN = 4, 8.0, 10.0
"""Members kept in a quick look at a source, and degrees between its rows and columns."""


def open_source(name: str, *, quick: bool = False) -> xr.Dataset:
    """Open a source as the standard monthly dataset, lazily.

    Parameters
    ----------
    name : str
        Entry of the catalogue, such as ``"demo"``.
    quick : bool, optional
        For a first look: the small ensemble if this book makes the data, otherwise the first four
        members, on rows and columns thinned to no finer than 8° by 10°.

    Returns
    -------
    Dataset
        Dims ``member, time, depth, lat, lon``, dask-backed. Its attributes ``mpcf_source`` and
        ``is_synthetic`` (``"true"`` or ``"false"``) say what it is. It is synthetic if the entry or
        the stored attribute ``mpcf_synthetic`` says so. Decisions of the reader are in
        ``mpcf_notes``, one per line.

    Raises
    ------
    UnknownSource
        If the catalogue has no such source.
    SourceUnavailable
        If the data are missing or cannot be read; the message says what to do.
    mpcf.errors.DataError
        If raw model output cannot be read unambiguously; the message names the file, the variable
        and the member.
    """
    from mpcf.data.readers import choice

    source = entry(name)
    match source:
        case RecordSource():
            raise UnknownSource(
                f"'{name}' is a record, not a monthly source: use open_record('{name}')"
            )
        case CesmSource():
            dataset = _open_raw(source, lambda: _open_cesm(source))
        case Cmip6Source():
            dataset = _open_raw(source, lambda: _open_cmip6(source))
        case CesmStoresSource():
            dataset = _open_raw(source, lambda: _open_cesm_stores(source))
        case _:
            dataset = _open_standard(source, quick)
    choice.check_years(dataset, source.years)
    if quick and not _is_made_here(source):
        dataset = _thin(dataset)
    synthetic = source.is_synthetic or dataset.attrs.get("mpcf_synthetic") == "true"
    return dataset.assign_attrs(mpcf_source=name, is_synthetic=str(synthetic).lower())


def _open_standard(source: Source, quick: bool) -> xr.Dataset:
    import xarray as xr

    # time is always cftime, also where it would fit numpy's datetime64
    coder = xr.coders.CFDatetimeCoder(use_cftime=True)
    reader = intake_source(source, quick=quick).reader
    try:
        dataset = reader.read(chunks={}, decode_times=coder)
    except FileNotFoundError as error:
        raise SourceUnavailable(_why_missing(source, quick, error)) from error
    except (OSError, ValueError, KeyError) as error:
        raise SourceUnavailable(f"the data of '{source.name}' can't be read: {error}") from error
    return _only_named(dataset, source)


def _only_named(dataset: xr.Dataset, source: Source) -> xr.Dataset:
    """Return the members and the years of a dataset that its entry names."""
    import numpy as np

    from mpcf.data.readers.choice import only_members

    if source.members:
        names = {str(member): place for place, member in enumerate(dataset["member"].values)}
        dataset = dataset.isel(member=list(only_members(names, source.members).values()))
    if source.years:
        first, last = source.years
        year = np.asarray(dataset.indexes["time"].year)
        dataset = dataset.isel(time=np.flatnonzero((first <= year) & (year <= last)))
    return dataset


def _open_raw(source: Source, read: Callable[[], Any]) -> Any:
    from mpcf.errors import Unreachable

    try:
        return read()
    except SourceUnavailable:
        raise
    except FileNotFoundError as error:
        raise SourceUnavailable(
            f"the data of '{source.name}' are not there: {error}; correct its place in "
            "catalog.yml, or the environment variable that names it"
        ) from error
    except Unreachable as error:
        raise SourceUnavailable(_why_unreachable(source, error)) from error
    except OSError as error:
        raise SourceUnavailable(f"the data of '{source.name}' can't be read: {error}") from error


def _why_unreachable(source: Source, error: OSError) -> str:
    """Explain why a remote source failed and what to try."""
    text, cause = f"the data of '{source.name}' can't be read: {error}", error.__cause__
    if cause is None:
        return text
    if text.endswith(f": {cause}"):
        text = text.removesuffix(f"{cause}")
        while cause.__cause__:
            cause = cause.__cause__
        text += getattr(cause, "strerror", None) or str(cause)
    advice = "check that this machine can reach that address"
    if isinstance(source, Cmip6Source) and (name := variable(source.catalogue or "")):
        advice += f", or set {name} to a catalogue that it can reach"
    return f"{text}; {advice}"


def _open_cesm(source: CesmSource) -> xr.Dataset:
    from mpcf.data.readers import cesm, choice, files

    place, kwargs = _cesm_place(source), _cesm_kwargs(source)
    members = files.open_members(place, cesm.is_wanted, kwargs, source.members)
    return cesm.read(choice.only_years(members, source.years))


def _first_cesm(source: CesmSource) -> Piece:
    from mpcf.data.readers import cesm, files

    found = files.member_files(_cesm_place(source), cesm.is_wanted)
    member, paths = next(iter(found.items()))
    return files.open_piece(paths[0], member, _cesm_kwargs(source))


def _cesm_place(source: CesmSource) -> str:
    from mpcf.data.readers.files import LAYOUT

    meaning = (
        f"the folder of its data ({LAYOUT}), to the address of an http listing of such a "
        "folder, or to a manifest (CSV: member, variable, url)"
    )
    if not source.phases:
        meaning += (
            f"; and set the phases of '{source.name}' in catalog.yml: the first and last year of "
            "warming, and of mitigation, net-zero and net removal where the run has them"
        )
    return data_place(source, meaning=meaning + _about(source))


def _about(source: Source) -> str:
    """Say what a source is and where it is published, if its entry knows."""
    if not source.published:
        return ""
    return f". What it is: {source.description.rstrip('.')}. Published at {source.published}"


def _cesm_kwargs(source: CesmSource) -> dict[str, Any]:
    return {key: value for key, value in source.args.xarray_kwargs.items() if key == "engine"}


def _open_cmip6(source: Cmip6Source) -> xr.Dataset:
    from mpcf.data.readers import choice, cmip6, cmip6_catalogue

    members, fixed, decided = cmip6_catalogue.open_runs(*_cmip6_runs(source))
    return cmip6.read(choice.only_years(members, source.years), fixed, decided)


def _first_cmip6(source: Cmip6Source) -> Piece:
    from mpcf.data.readers import cmip6_catalogue

    return cmip6_catalogue.open_one(*_cmip6_runs(source))


def _cmip6_runs(source: Cmip6Source) -> tuple[str, str | None, tuple[str, ...], tuple[str, ...]]:
    """Return the address of a source's catalogue, and which of its runs are meant."""
    text = source.args.obj
    if other := source.catalogue:
        named = variable(other)
        text = other if named is None or os.environ.get(named) else text
    meaning = (
        "an intake-esm catalogue (json) of your copy; python -m mpcf catalogue FOLDER writes that "
        f"of a folder with files of CMIP6 or CMIP7{_about(source)}"
    )
    place = resolve(text, source.name, meaning=meaning)
    return place, source.model, source.experiments, source.members


def _open_cesm_stores(source: CesmStoresSource) -> xr.Dataset:
    from mpcf.data.readers import cesm, cesm_stores, choice

    members = cesm_stores.open_members(*_cesm_stores(source), source.members)
    return cesm.read(choice.only_years(members, source.years))


def _cesm_stores(source: CesmStoresSource) -> tuple[str, str, tuple[str, ...], str]:
    """Return where a source's catalogue and maps are, and which of its stores are meant."""
    meaning = f"the path or address of its intake-esm catalogue (json){_about(source)}"
    place = resolve(source.args.obj, source.name, meaning=meaning)
    meaning = "a CLM history file of the same grid, which has area and landfrac: the stores do not"
    return (
        place,
        resolve(source.maps, source.name, meaning=meaning),
        source.experiments,
        source.forcing,
    )


def input_files(name: str, *, quick: bool = False) -> list[str]:
    """Return what a source or record is read from, without opening data or using a network.

    Parameters
    ----------
    name : str
        Entry of the catalogue.
    quick : bool, optional
        Whether the small demonstration ensemble is meant.

    Returns
    -------
    list of str
        Files, Zarr stores and folders as absolute paths, which need not exist, and addresses of
        what is on a network. The files are those that the source's reader opens, a manifest or
        catalogue that names them, and the folder of the twins.

    Raises
    ------
    UnknownSource
        If the catalogue has no such entry.
    SourceUnavailable
        If an environment variable is not set, or there is no such folder, manifest or catalogue.
    mpcf.errors.DataError
        If their layout is not one that the reader accepts.
    """
    source = entry(name)
    if isinstance(source, CesmSource):
        found = _open_raw(source, lambda: _cesm_inputs(source))
    elif isinstance(source, Cmip6Source):
        found = _open_raw(source, lambda: _cmip6_inputs(source))
    elif isinstance(source, CesmStoresSource):
        found = _open_raw(source, lambda: _cesm_stores_inputs(source))
    else:
        place = data_place(source, quick=quick)
        # Intake takes a path with these characters for a pattern
        is_pattern = not is_address(place) and glob.has_magic(place)
        found = sorted(glob.glob(place, recursive=True)) if is_pattern else [place]
    return found if source.truth is None else [*found, resolve(source.truth, name, quick=quick)]


def _cesm_inputs(source: CesmSource) -> list[str]:
    from mpcf.data.readers import cesm, files

    return files.input_places(_cesm_place(source), cesm.is_wanted)


def _cmip6_inputs(source: Cmip6Source) -> list[str]:
    from mpcf.data.readers import cmip6_catalogue

    return cmip6_catalogue.input_places(*_cmip6_runs(source))


def _cesm_stores_inputs(source: CesmStoresSource) -> list[str]:
    from mpcf.data.readers import cesm_stores

    return cesm_stores.input_places(*_cesm_stores(source))


def _has_synthetic_mark(piece: Piece) -> bool:
    from mpcf.data.readers.fields import own_attributes

    return "mpcf_synthetic" in own_attributes([piece])


def _is_made_here(source: Source) -> bool:
    """Check whether the book makes a source's data, and so a small ensemble for a quick look."""
    return not isinstance(source, (Cmip6Source, CesmStoresSource)) and is_built(source.args.urlpath)


def _thin(dataset: xr.Dataset) -> xr.Dataset:
    """Keep the first members, and rows and columns no closer together than those of a quick run.

    A cell that is kept represents its block of neighbours and has the area of all of them.
    """
    import numpy as np

    members = dataset.isel(member=slice(0, QUICK_MEMBERS))
    step = {
        dim: max(round(apart / abs(float(np.median(np.diff(members[dim].values))))), 1)
        for dim, apart in (("lat", QUICK_ROW), ("lon", QUICK_COLUMN))
    }
    if max(step.values()) == 1:
        return members
    middle = {d: slice(n // 2, members.sizes[d] // n * n, n) for d, n in step.items()}
    thin = members.isel(middle)
    whole = members["areacella"].transpose("lat", "lon").values
    rows, columns = (thin.sizes[d] * n for d, n in step.items())
    blocks = whole[:rows, :columns].reshape(thin.sizes["lat"], step["lat"], -1, step["lon"])
    area = thin["areacella"].transpose("lat", "lon").copy(data=blocks.sum(axis=(1, 3)))
    note = f"a quick look: every {step['lat']}. row and {step['lon']}. column"
    notes = [*dataset.attrs.get("mpcf_notes", "").splitlines(), note]
    return thin.assign(areacella=area).assign_attrs(mpcf_notes="\n".join(notes))


def is_synthetic(name: str, *, quick: bool = False) -> bool:
    """Check whether a source is synthetic, by its entry or its data.

    Exported demonstration data keep their mark, whatever an entry claims.

    Parameters
    ----------
    name : str
        Entry of the catalogue.
    quick : bool, optional
        Whether the small demonstration ensemble is meant.

    Returns
    -------
    bool
        Whether its results must be marked as synthetic.
    """
    source = entry(name)
    if source.is_synthetic:
        return True
    # one file of raw output is enough, and opening all of them would take long
    if isinstance(source, CesmSource):
        return _open_raw(source, lambda: _has_synthetic_mark(_first_cesm(source)))
    if isinstance(source, Cmip6Source):
        return _open_raw(source, lambda: _has_synthetic_mark(_first_cmip6(source)))
    return open_source(name, quick=quick).attrs["is_synthetic"] == "true"


def _why_missing(source: Source, quick: bool, error: FileNotFoundError) -> str:
    reason = f"the data of '{source.name}' are not there ({error})"
    if _is_made_here(source):
        command = ".venv/bin/python -m mpcf simulate" + (" --quick" if quick else "")
        return f"{reason}; make them with: {command} (make book does it too)"
    return f"{reason}; correct its urlpath in catalog.yml"
