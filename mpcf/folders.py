"""Build folders: where they are, how they are locked, and atomic writes into them."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import uuid
from collections.abc import Iterator
from pathlib import Path

from mpcf.errors import BuildLocked, InvalidChoice, MissingFile, faults_at

SCHEDULER_VARIABLE = "DASK_SCHEDULER_ADDRESS"
"""Environment variable with the address of the Dask cluster to use; Dask reads it too."""

_SOURCE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*")


def project_root() -> Path:
    """
    Return the book's folder: the closest parent of the working directory with a catalog.yml.

    Returns
    -------
    Path
        Absolute path of the folder.

    Raises
    ------
    MissingFile
        If neither the working directory nor one of its parents holds catalog.yml.
    """
    here = Path.cwd()
    for folder in (here, *here.parents):
        if (folder / "catalog.yml").is_file():
            return folder
    raise MissingFile(
        f"no catalog.yml in {here} or in a folder above it; run this inside the book's folder"
    )


def build_dir(source: str, quick: bool = False) -> Path:
    """
    Return the build folder of a source, without creating it.

    Parameters
    ----------
    source : str
        Name of a catalogue entry.
    quick : bool, optional
        Whether the small ensemble is meant, which has a folder of its own.

    Returns
    -------
    Path
        ``$MPCF_BUILD/<source>[-quick]``; without that variable, ``_build`` in the book's folder.

    Raises
    ------
    InvalidChoice
        If the name could point outside the build folder or be mistaken for a quick run's.
    """
    if not _SOURCE_NAME.fullmatch(source) or source.endswith("-quick"):
        raise InvalidChoice(
            f"source {source!r} can't name a folder; a name has letters, digits, '-' and '_', "
            "starts with a letter or digit and does not end with '-quick'"
        )
    base = os.environ.get("MPCF_BUILD")
    parent = Path(base).expanduser().absolute() if base else project_root() / "_build"
    return parent / (f"{source}-quick" if quick else source)


@contextlib.contextmanager
def lock(folder: Path) -> Iterator[None]:
    """
    Lock a folder against other builds, until the block or the process ends.

    Parameters
    ----------
    folder : Path
        The build folder; created if missing.

    Yields
    ------
    None
        While the lock is held.

    Raises
    ------
    BuildLocked
        At once, if another process holds the lock.
    SystemFault
        If the folder can't be made or written.
    """
    import filelock

    folder = Path(folder)
    held = filelock.FileLock(folder / ".lock", timeout=0)
    try:
        with faults_at(folder):
            folder.mkdir(parents=True, exist_ok=True)
            held.acquire()
    except filelock.Timeout:
        raise BuildLocked(
            f"another build is running in {folder}; wait for it to finish, or build elsewhere "
            "with MPCF_BUILD=<folder>"
        ) from None
    try:
        yield
    finally:
        held.release()


def files_below(folder: Path | str) -> Iterator[str]:
    """
    Yield the files in a folder and its subfolders; links are followed, but never in a loop.

    Parameters
    ----------
    folder : Path or str
        The folder.

    Yields
    ------
    str
        Path of a file; a folder that several links point to is entered once.
    """
    seen = set()
    for where, inner, names in os.walk(folder, followlinks=True):
        state = os.stat(where)
        if (state.st_dev, state.st_ino) in seen:
            inner.clear()
            continue
        seen.add((state.st_dev, state.st_ino))
        inner.sort()
        yield from (os.path.join(where, name) for name in sorted(names))


def write_atomic(path: Path, content: str | bytes | memoryview) -> None:
    """
    Write a file so that it is either complete or left as it was.

    Parameters
    ----------
    path : Path
        File to write; its folder is created if missing.
    content : str, bytes or memoryview
        The file's content; text is written in UTF-8.

    Raises
    ------
    SystemFault
        If the file can't be written; the message names it and a remedy.
    """
    path = Path(path)
    data = content.encode("utf-8") if isinstance(content, str) else content
    aside = path.with_name(f".{path.name}.{uuid.uuid4().hex}.tmp")
    with faults_at(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with open(aside, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            os.replace(aside, path)
        finally:
            aside.unlink(missing_ok=True)


def replace_dir(tmp: Path, final: Path) -> None:
    """
    Replace a folder with a finished one.

    Parameters
    ----------
    tmp : Path
        The finished folder, on the same disk; it no longer exists afterwards.
    final : Path
        Its destination. What was there is removed once the new folder is in place.

    Raises
    ------
    SystemFault
        If the folders can't be renamed; the message names one and a remedy.
    """
    tmp, final = Path(tmp), Path(final)
    old = _old(final)
    with faults_at(final):
        final.parent.mkdir(parents=True, exist_ok=True)
        restore_dir(final)
        if final.exists():
            final.rename(old)
        tmp.rename(final)
    shutil.rmtree(old, ignore_errors=True)


def restore_dir(final: Path) -> None:
    """
    Restore the last good folder if `mpcf.folders.replace_dir` was killed halfway.

    Parameters
    ----------
    final : Path
        The folder's path.
    """
    old = _old(Path(final))
    if old.exists() and not Path(final).exists():
        old.rename(final)
    shutil.rmtree(old, ignore_errors=True)


def _old(final: Path) -> Path:
    return final.with_name(f".{final.name}.old")
