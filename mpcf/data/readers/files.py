"""Find and open files: in folders, http listings and manifests, or by OPeNDAP."""

from __future__ import annotations

import csv
import io
import os
import re
import warnings
from collections.abc import Callable, Mapping, Sequence
from html.parser import HTMLParser
from pathlib import Path, PurePosixPath
from urllib.parse import unquote, urljoin, urlsplit

from mpcf.data.readers.choice import only_members
from mpcf.data.readers.fields import Piece
from mpcf.data.readers.fills import decode
from mpcf.data.readers.netcdf_classic import check_whole
from mpcf.errors import DataError, Unreachable
from mpcf.folders import files_below

LAYOUT = "a folder per member, in it CESM history files CASE.clm2.h0.VARIABLE.YYYYMM-YYYYMM.nc"

ARCHIVE = ("lnd", "atm")
"""Folders of CESM's archive of a run: a folder that holds one of them is a member itself."""
COPIES = ("rest", "logs")
"""Folders of such an archive that hold copies of its last months, or none."""

UNPACK = {"gz": "gunzip", "bz2": "bunzip2", "zst": "unzstd", "xz": "unxz"}
"""Ending of a compressed file → command that unpacks it."""

MAX_LINKS = 1_000_000
"""Maximum number of links in a listing; one with more is circular."""

_SECONDS = (10, 60)
_MANIFEST = ("member", "variable", "url")


def is_remote(place: str) -> bool:
    """
    Check whether a place is on the network.

    Parameters
    ----------
    place : str
        Path or address.

    Returns
    -------
    bool
        Whether it begins with ``http://`` or ``https://``.

    Examples
    --------
    >>> is_remote("https://example.org/data"), is_remote("/data")
    (True, False)
    """
    return place.startswith(("http://", "https://"))


def member_files(place: str, is_wanted: Callable[[str], bool]) -> dict[str, list[str]]:
    """
    Return the files of each member.

    Parameters
    ----------
    place : str
        A folder with a folder per member, the address of an http listing of such a folder, or a
        manifest: a CSV file with the columns member, variable, url. A folder that is the archive of
        a run (``lnd``, ``atm``, ``rest``) is its only member.
    is_wanted : callable
        Whether a file may be needed, by its name; all files of a manifest are.

    Returns
    -------
    dict of str to list of str
        Member → its files, sorted.

    Raises
    ------
    DataError
        If the layout is not this one; the message says what is expected.
    FileNotFoundError
        If there is no such folder or file.
    Unreachable
        If an address gives no answer.
    """
    if _is_manifest(place):
        found = _read_manifest(place)
    elif is_remote(place):
        found = _as_runs(_listing(place.rstrip("/") + "/", is_wanted), place)
    else:
        found = _as_runs(_folder(Path(place).expanduser(), is_wanted), place)
    if not found:
        raise DataError(f"{place} holds no history files; expected {LAYOUT}")
    if empty := [name for name, files in found.items() if not files]:
        raise DataError(
            f"'{empty[0]}' in {place} holds no history files that the book can use; complete it, "
            "or move it elsewhere if it is not a member"
        )
    return {name: sorted(found[name]) for name in sorted(found, key=natural_order)}


def input_places(place: str, is_wanted: Callable[[str], bool]) -> list[str]:
    """
    Return what the members are read from, without using the network.

    Parameters
    ----------
    place : str
        See `member_files`.
    is_wanted : callable
        See `member_files`.

    Returns
    -------
    list of str
        The files of `member_files`, and the manifest that names them; for a listing or manifest on
        the network, only its address.

    Raises
    ------
    DataError
        If the layout is not that of `member_files`.
    FileNotFoundError
        If there is no such folder or file.
    """
    if is_remote(place):
        return [place]
    found = [path for paths in member_files(place, is_wanted).values() for path in paths]
    return [place, *found] if _is_manifest(place) else found


def _is_manifest(place: str) -> bool:
    return urlsplit(place).path.lower().endswith(".csv")


def natural_order(name: str) -> list[tuple[int, str]]:
    """
    Return the key that sorts names by the numbers in them.

    Parameters
    ----------
    name : str
        Such as the name of a member.

    Returns
    -------
    list of (int, str)
        Key for `sorted`.

    Examples
    --------
    >>> sorted(["r10i1p1f1", "r9i1p1f1"], key=natural_order)
    ['r9i1p1f1', 'r10i1p1f1']
    """
    parts = re.split(r"(\d+)", name)
    return [(int(p), "") if p.isdigit() else (0, p) for p in parts]


def _folder(root: Path, is_wanted: Callable[[str], bool]) -> dict[str, list[str]]:
    if not root.is_dir():
        raise FileNotFoundError(f"there is no folder {root}")
    if loose := sorted(p.name for p in root.glob("*.nc")):
        raise DataError(
            f"{root} holds {loose[0]}{' and other files' if len(loose) > 1 else ''} outside a "
            f"member's folder; expected {LAYOUT} (for a single run, one such folder)"
        )
    return {
        folder.name: _wanted_below(folder, is_wanted)
        for folder in root.iterdir()
        if folder.is_dir() and not folder.name.startswith(".")
    }


def _as_runs(found: dict[str, list[str]], place: str) -> dict[str, list[str]]:
    """Return the parts of an archive of one run as its member; members as they are."""
    if not set(ARCHIVE) & set(found):
        return found
    name = urlsplit(place).path if is_remote(place) else str(Path(place).expanduser().absolute())
    parts = [paths for part, paths in found.items() if part not in COPIES]
    return {PurePosixPath(name).name or "1": [path for paths in parts for path in paths]}


def _wanted_below(folder: Path, is_wanted: Callable[[str], bool]) -> list[str]:
    """Return a member's files; copies beside its restarts are left out."""
    paths = [
        path for path in files_below(folder) if not _is_copied(str(Path(path).relative_to(folder)))
    ]
    _check_unpacked(paths, is_wanted)
    return [p for p in paths if p.endswith(".nc") and is_wanted(p) and os.path.isfile(p)]


def _is_copied(path: str) -> bool:
    """Check whether a file of a member lies beside restarts: CESM copies its last months there."""
    return bool(set(COPIES) & set(path.split("/")[:-1]))


def _check_unpacked(paths: Sequence[str], is_wanted: Callable[[str], bool]) -> None:
    known = set(paths)
    for path in paths:
        whole, _, kind = path.rpartition(".")
        if kind in UNPACK and whole.endswith(".nc") and is_wanted(whole) and whole not in known:
            raise DataError(f"{path} is compressed as a whole; unpack it first: {UNPACK[kind]}")


class _Links(HTMLParser):
    """Collect the targets of a page's links."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list) -> None:
        """Keep the target of a link."""
        self.found += [value for name, value in attrs if tag == "a" and name == "href" and value]


def _listing(root: str, is_wanted: Callable[[str], bool]) -> dict[str, list[str]]:
    """Follow an http listing downwards, never outside its root."""
    files: dict[str, list[str]] = {}
    todo, seen = [root], {root}
    while todo:
        folder = todo.pop()
        for link in _Links(_get(folder).text).found:
            url = urljoin(folder, link.split("#")[0].split("?")[0])
            if not url.startswith(root) or url in seen or "/../" in unquote(url):
                continue
            seen.add(url)
            if len(seen) > MAX_LINKS:
                raise DataError(f"the listing {root} has more than {MAX_LINKS} links")
            member, slash, _ = unquote(url[len(root) :]).partition("/")
            if slash:
                files.setdefault(member, [])
            if url.endswith("/"):
                todo.append(url)
            elif url.endswith(".nc") and not slash:
                raise DataError(f"{url} lies outside a member's folder; expected {LAYOUT}")
            elif slash and not _is_copied(unquote(url[len(root) :])):
                files[member].append(url)
    for member, found in files.items():
        _check_unpacked(found, lambda url: is_wanted(unquote(url)))
        files[member] = [url for url in found if is_wanted(unquote(url))]
    return files


def _read_manifest(place: str) -> dict[str, list[str]]:
    if is_remote(place):
        text = _get(place).text
    else:
        path = Path(place).expanduser()
        if not path.is_file():
            raise FileNotFoundError(f"there is no manifest {path}")
        text = path.read_text(encoding="utf-8-sig", errors="replace")
    rows = csv.DictReader(io.StringIO(text))
    if not set(_MANIFEST) <= set(rows.fieldnames or ()):
        raise DataError(f"{place} needs a first line with the columns {', '.join(_MANIFEST)}")
    files: dict[str, list[str]] = {}
    for row in rows:
        member, _, url = ((row[name] or "").strip() for name in _MANIFEST)
        if not member or not url:
            raise DataError(f"{place}, line {rows.line_num}: member or url is empty")
        if is_remote(url):
            target = url
        elif is_remote(place) or "://" in url or ".." in Path(url).parts:
            raise DataError(f"{place}, line {rows.line_num}: '{url}' is not a place to read from")
        else:
            beside = Path(place).expanduser().absolute().parent
            target = str(beside / Path(url).expanduser())
        files.setdefault(member, []).append(target)
    return files


def _get(url: str, **kwargs):
    import requests

    try:
        answer = requests.get(url, timeout=_SECONDS, **kwargs)
        answer.raise_for_status()
    except requests.RequestException as error:
        raise Unreachable(f"{url} can't be reached ({type(error).__name__}: {error})") from error
    return answer


def open_piece(path: str, member: str, xarray_kwargs: Mapping | None = None) -> Piece:
    """
    Return a file opened through intake-xarray: lazy, with times not decoded.

    Parameters
    ----------
    path : str
        Path or address of an OPeNDAP dataset or a netCDF file, on this machine or on a server that
        serves parts of files.
    member : str
        Member that it belongs to.
    xarray_kwargs : mapping, optional
        For netCDF, by default ``{"engine": "netcdf4"}``.

    Returns
    -------
    Piece
        The open file.

    Raises
    ------
    DataError
        If the file is damaged or cut short.
    Unreachable
        If its address gives no answer.
    """
    import intake_xarray

    if not is_remote(path):
        check_whole(Path(path))
        kwargs = {"engine": "netcdf4", **(xarray_kwargs or {})}
        source = intake_xarray.NetCDFSource(path, xarray_kwargs=kwargs, path_as_pattern=False)
    elif _is_opendap(path):
        source = intake_xarray.OpenDapSource(path, engine="pydap")
    else:
        _check_serves_parts(path)
        # NetCDFSource would hand the library an open file, which can't read netCDF-4 from one
        source = intake_xarray.OpenDapSource(f"{path}#mode=bytes", engine="netcdf4")
    raw_only = {"decode_times": False, "decode_coords": False, "mask_and_scale": False}
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="PyDAP was unable to determine")
            raw = source.reader.read(chunks=None, cache=False, **raw_only)
    except FileNotFoundError:
        raise
    except Exception as error:  # the libraries below raise nearly everything
        raise DataError(
            f"{path} (member {member}) can't be opened: {error}; it may be damaged or cut short: "
            "get it again"
        ) from error
    return Piece(path, member, decode(raw, None, f"member {member} ({path})"))


def _is_opendap(url: str) -> bool:
    """Check by asking for the dataset's description, which only an OPeNDAP server has."""
    import requests

    try:
        answer = requests.get(f"{url}.dds", timeout=_SECONDS)
    except requests.RequestException as error:
        raise Unreachable(f"{url} can't be reached ({type(error).__name__})") from error
    return answer.ok and answer.text.lstrip().startswith("Dataset")


def _check_serves_parts(url: str) -> None:
    answer = _get(url, headers={"Range": "bytes=0-3"}, stream=True)
    answer.close()
    if answer.status_code != 206:
        raise Unreachable(
            f"the server of {url} serves only whole files; download them (wget -r -np {url}) and "
            "name the folder instead of the address"
        )


def open_members(
    place: str,
    is_wanted: Callable[[str], bool],
    xarray_kwargs: Mapping | None = None,
    members: Sequence[str] = (),
) -> dict[str, list[Piece]]:
    """
    Return all files of the members, opened.

    Parameters
    ----------
    place : str
        See `member_files`.
    is_wanted : callable
        See `member_files`.
    xarray_kwargs : mapping, optional
        See `open_piece`.
    members : sequence of str, optional
        The members to open; by default all.

    Returns
    -------
    dict of str to list of Piece
        Member → its open files.
    """
    return {
        member: [open_piece(path, member, xarray_kwargs) for path in paths]
        for member, paths in only_members(member_files(place, is_wanted), members).items()
    }
