"""Open the book's data by name: monthly ensembles and small real records.

``catalog.yml`` says where each source's data are; Intake and intake-xarray open them. Intake
renders templates with plain Jinja and imports any driver that an entry names, so the file is
checked against short lists of what may stand in it before Intake sees it.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from mpcf.data.catalog import (
    _BUILD,
    _TEMPLATE,
    CONVENTIONS,
    Source,
    _intake_source,
    _read_catalogue,
    _urlpath,
    entry,
)
from mpcf.data.phases import PHASES
from mpcf.errors import CatalogError, SourceUnavailable, UnknownSource
from mpcf.folders import project_root

if TYPE_CHECKING:
    import xarray as xr

    from mpcf.data.readers.fields import Piece


QUICK_MEMBERS, QUICK_ROW, QUICK_COLUMN = 4, 8.0, 10.0
"""Members, and degrees between rows and columns, that a quick look at a source keeps."""


def open_source(name: str, *, quick: bool = False) -> xr.Dataset:
    """Open a source as the standard monthly dataset, lazily.

    Parameters
    ----------
    name : str
        Entry of the catalogue, such as ``"demo"``.
    quick : bool, optional
        For a first look. Of data that this book makes, the small ensemble; of any other source
        its first four members, on rows and columns thinned to no finer than 8° by 10°.

    Returns
    -------
    Dataset
        Dims ``member, time, depth, lat, lon``, dask-backed. Its attributes ``mpcf_source`` and
        ``is_synthetic`` (``"true"`` or ``"false"``) say what it is. It is synthetic if the entry
        or the stored attribute ``mpcf_synthetic`` says so. What a reader had to decide stands in
        ``mpcf_notes``, a line each.

    Raises
    ------
    UnknownSource
        If the catalogue has no such source.
    SourceUnavailable
        If the data are not there or can't be read; the message says what to do.
    mpcf.errors.DataError
        If raw model output can't be read in one right way; the message names the file, the
        variable and the member.
    """
    source = entry(name)
    match source.convention:
        case "record":
            raise UnknownSource(
                f"'{name}' is a record, no monthly source: use open_record('{name}')"
            )
        case "standard":
            dataset = _open_standard(name, quick)
        case "cesm":
            dataset = _open_raw(name, lambda: _open_cesm(source))
        case "cmip6":
            dataset = _open_raw(name, lambda: _open_cmip6(source))
        case other:
            raise CatalogError(
                f"entry '{name}' has the convention '{other}'; valid names: "
                + ", ".join(CONVENTIONS)
            )
    if quick and not _is_demo(name):
        dataset = _thin(dataset)
    synthetic = source.is_synthetic or dataset.attrs.get("mpcf_synthetic") == "true"
    return dataset.assign_attrs(mpcf_source=name, is_synthetic=str(synthetic).lower())


def _open_standard(name: str, quick: bool) -> xr.Dataset:
    import xarray as xr

    # time is always cftime, also where it would fit numpy's datetime64
    coder = xr.coders.CFDatetimeCoder(use_cftime=True)
    reader = _intake_source(name, quick=quick).reader
    try:
        dataset = reader.read(chunks={}, decode_times=coder)
    except FileNotFoundError as error:
        raise SourceUnavailable(_why_missing(name, quick, error)) from error
    except (OSError, ValueError, KeyError) as error:
        raise SourceUnavailable(f"the data of '{name}' can't be read: {error}") from error
    return dataset


def _open_raw(name: str, read: Callable[[], Any]) -> Any:
    from mpcf.errors import Unreachable

    try:
        return read()
    except SourceUnavailable:
        raise
    except FileNotFoundError as error:
        raise SourceUnavailable(
            f"the data of '{name}' are not there: {error}; correct its place in catalog.yml, or "
            "the environment variable that names it"
        ) from error
    except Unreachable as error:
        raise SourceUnavailable(_why_unreachable(name, error)) from error
    except OSError as error:
        raise SourceUnavailable(f"the data of '{name}' can't be read: {error}") from error


def _why_unreachable(name: str, error: OSError) -> str:
    """Explain why a remote source failed and what to try."""
    text, cause = f"the data of '{name}' can't be read: {error}", error.__cause__
    if cause is None:
        return text
    if text.endswith(f": {cause}"):
        text = text.removesuffix(f"{cause}")
        while cause.__cause__:
            cause = cause.__cause__
        text += getattr(cause, "strerror", None) or str(cause)
    advice = "see whether this machine reaches that address"
    if template := _TEMPLATE.fullmatch(entry(name).catalogue):
        advice += f", or let {template['variable']} name a catalogue that it reaches"
    return f"{text}; {advice}"


def _open_cesm(source: Source) -> xr.Dataset:
    from mpcf.data.readers import cesm, files

    place, kwargs = _cesm_place(source)
    return cesm.read(files.open_members(place, cesm.is_wanted, kwargs))


def _first_cesm(source: Source) -> Piece:
    from mpcf.data.readers import cesm, files

    place, kwargs = _cesm_place(source)
    member, paths = next(iter(files.member_files(place, cesm.is_wanted).items()))
    return files.open_piece(paths[0], member, kwargs)


def _cesm_place(source: Source) -> tuple[str, dict[str, str]]:
    """Where a source's history files are, and how its entry says that they are opened."""
    from mpcf.data.readers.files import LAYOUT

    template = _TEMPLATE.match(_urlpath(source.name))
    variable = template and template["variable"]
    if variable and not os.environ.get(variable):
        raise SourceUnavailable(
            f"{variable} is not set. To use '{source.name}', set {variable} to the folder of its "
            f"data ({LAYOUT}), to the address of an http listing of such a folder, or to a "
            "manifest (CSV: member, variable, url); and set the phases of "
            f"'{source.name}' in catalog.yml: the first and last year of {', '.join(PHASES)}"
        )
    reader = _intake_source(source.name).reader
    kwargs = {key: value for key, value in reader.kwargs.items() if key == "engine"}
    return reader.kwargs["args"][0].url, kwargs


def _open_cmip6(source: Source) -> xr.Dataset:
    from mpcf.data.readers import cmip6, cmip6_catalogue

    return cmip6.read(*cmip6_catalogue.open_runs(*_cmip6_runs(source)))


def _first_cmip6(source: Source) -> Piece:
    from mpcf.data.readers import cmip6_catalogue

    return cmip6_catalogue.open_one(*_cmip6_runs(source))


def _cmip6_runs(source: Source) -> tuple[str, str | None, tuple[str, ...], tuple[str, ...]]:
    """Address of a source's catalogue, and which runs of it are meant."""
    if not source.experiments:
        raise CatalogError(f"entry '{source.name}' needs 'experiments' in its metadata")
    place = _read_catalogue()[source.name]["args"]["obj"]
    if template := _TEMPLATE.fullmatch(source.catalogue):
        place = os.environ.get(template["variable"] or "") or place
    place = place.replace("{{ CATALOG_DIR }}", str(project_root()))
    if template := _TEMPLATE.match(place):
        place = os.environ.get(template["variable"] or "", "") + place[template.end() :]
    return place, source.model, source.experiments, source.members


def _has_synthetic_mark(piece: Piece) -> bool:
    from mpcf.data.readers.fields import own_attributes

    return "mpcf_synthetic" in own_attributes([piece])


def _is_demo(name: str) -> bool:
    arguments = _read_catalogue()[name]["args"]
    return arguments.get("urlpath", "").startswith(_BUILD)


def _thin(dataset: xr.Dataset) -> xr.Dataset:
    """Keep the first members, and rows and columns that are not closer than those of a quick run.

    A cell that is kept stands for its block of neighbours and has the area of all of them.
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
    """Check whether a source is synthetic: its entry says so, or its data do.

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
    # of raw output one file tells, and opening all of them would take long
    if source.convention == "cesm":
        return _open_raw(name, lambda: _has_synthetic_mark(_first_cesm(source)))
    if source.convention == "cmip6":
        return _open_raw(name, lambda: _has_synthetic_mark(_first_cmip6(source)))
    return open_source(name, quick=quick).attrs["is_synthetic"] == "true"


def _why_missing(name: str, quick: bool, error: FileNotFoundError) -> str:
    reason = f"the data of '{name}' are not there ({error})"
    if _is_demo(name):
        command = ".venv/bin/python -m mpcf simulate" + (" --quick" if quick else "")
        return f"{reason}; make them with: {command} (make book does it too)"
    return f"{reason}; correct its urlpath in catalog.yml"
