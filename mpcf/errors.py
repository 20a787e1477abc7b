"""Errors that a user can fix; the command line reduces these, and no others, to one line.

Each derives from `BookError` and from the built-in error that it is a kind of. Any other exception
is a bug in the book and keeps its traceback.
"""

from __future__ import annotations

import contextlib
import difflib
import errno
import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

MAX_NAMES = 20
"""Maximum number of valid names listed in a message."""


class BookError(Exception):
    """What is wrong, where, and what to do about it."""

    def __str__(self) -> str:
        """Return the plain message, even where the built-in class would quote it."""
        return str(self.args[0]) if self.args else ""


# ---------------------------------------------------------------------------- what was asked for


class InvalidChoice(BookError, ValueError):
    """A setting, name or option has a value that is not allowed."""


class UnknownName(BookError, LookupError):
    """
    Unknown name; the message suggests the closest valid ones.

    Parameters
    ----------
    kind : str
        What is named: "chapter", "parameter".
    name : str
        The name that was given.
    valid : iterable of str
        The valid names.
    """

    def __init__(self, kind: str, name: str, valid: Iterable[str]) -> None:
        super().__init__(f"unknown {kind} '{name}'; {suggestion(name, valid)}")


class MissingFile(BookError, FileNotFoundError):
    """A file or folder is missing; the message says what creates it or where to run the book."""


# ------------------------------------------------------------------------------ catalogue and data


class CatalogError(BookError, ValueError):
    """``catalog.yml`` holds something that is wrong or not allowed."""


class UnknownSource(BookError, LookupError):
    """No entry of the catalogue has this name."""


class SourceUnavailable(BookError, OSError):
    """A source is in the catalogue, but its data can't be opened here."""


class RecordUnavailable(SourceUnavailable):
    """A real record is neither on this machine nor within reach of its network."""


class RecordChanged(BookError, ValueError):
    """A record's file is not the one that the catalogue describes."""


class DataError(BookError, ValueError):
    """A dataset is not what the book needs."""


class Unreachable(BookError, OSError):
    """A network address gave no answer, or one that cannot be used."""


class YearlyStopped(BookError, RuntimeError):
    """The yearly dataset could not be finished; completed steps are kept for the next run."""


# ------------------------------------------------------------------------------------ the pipeline


class BuildLocked(BookError, RuntimeError):
    """Another build is running in the same folder."""


class NotebookError(BookError, ValueError):
    """A source notebook can't be read, or its cell of parameters is missing or wrong."""


class ChapterFailed(BookError, RuntimeError):
    """
    A chapter stopped with an error; nothing below it was run.

    Parameters
    ----------
    chapter : str
        Name of the chapter.
    cell : int
        Number of the cell in the source notebook, counted from 1 over cells of every kind.
    error : str
        Kind and message of the error.
    log : Path, optional
        File with the full traceback.
    """

    def __init__(self, chapter: str, cell: int, error: str, log: Path | None = None) -> None:
        self.chapter, self.cell, self.error, self.log = chapter, cell, error, log
        where = f" (traceback: {log})" if log else ""
        super().__init__(f"chapter {chapter} failed in cell {cell}: {error}{where}")


class SiteError(BookError, RuntimeError):
    """The site can't be made, or a page of it is wrong; the message says which and why."""


# ---------------------------------------------------------------------------- the operating system


class SystemFault(BookError, OSError):
    """The operating system refused to read or write; the message names the path and a remedy."""


_NO_SPACE = "free some space, or build on another disk with MPCF_BUILD=<folder>; then run it again"
_NO_PERMISSION = "make it readable and writable for you, or build elsewhere: MPCF_BUILD=<folder>"
_IN_THE_WAY = "move what is there out of the way, or build elsewhere with MPCF_BUILD=<folder>"
_REMEDIES = {
    errno.ENOSPC: _NO_SPACE,
    errno.EDQUOT: _NO_SPACE,
    errno.EFBIG: _NO_SPACE,
    errno.EACCES: _NO_PERMISSION,
    errno.EPERM: _NO_PERMISSION,
    errno.EROFS: _NO_PERMISSION,
    errno.ENOTDIR: _IN_THE_WAY,
    errno.EISDIR: _IN_THE_WAY,
    errno.EEXIST: _IN_THE_WAY,
    errno.ENOTEMPTY: _IN_THE_WAY,
    errno.ENAMETOOLONG: "choose a shorter path: MPCF_BUILD=<folder>",
    errno.EMFILE: "allow more open files (ulimit -n) and run it again",
    errno.ENFILE: "close other programs' files and run it again",
    errno.EIO: "look at the disk or the network drive, then run it again",
    errno.ESTALE: "look at the network drive, then run it again",
}


# How Python prints an operating system error, for instance in another process's output.
_WRITTEN = re.compile(r"\[Errno (\d+)\][^\n:']*(?:: '([^'\n]+)')?(?: -> '([^'\n]+)')?")
# All that NumPy reports when a disk is full.
_CUT_SHORT = re.compile(r"\d+ requested and \d+ written")


def system_fault(error: OSError | str, path: Path | str | None = None) -> SystemFault | None:
    """
    Return an error of the operating system as one that the command line can show.

    Parameters
    ----------
    error : OSError or str
        The exception, or what another process printed about it.
    path : Path or str, optional
        The file that was read or written, in case the error does not name it.

    Returns
    -------
    SystemFault or None
        None if a user cannot fix it: it is then a bug in the book.

    Examples
    --------
    >>> print(system_fault(OSError(errno.ENOSPC, "No space left on device"), "data"))
    data: No space left on device; free some space, or build on another disk with
    MPCF_BUILD=<folder>; then run it again
    """
    if isinstance(error, BookError):
        return None
    number = getattr(error, "errno", None)
    named = [getattr(error, name, None) for name in ("filename", "filename2")]
    if number is None and (written := _WRITTEN.search(str(error))):
        number, *named = int(written[1]), *written.groups()[1:]
    elif number is None and _CUT_SHORT.search(str(error)):
        number = errno.ENOSPC
    source, target = named
    where = target or source or path
    if number not in _REMEDIES or where is None:
        return None
    remedy = _REMEDIES[number]
    if remedy in (_NO_PERMISSION, _IN_THE_WAY):  # the wanted path may not exist
        where = next(filter(os.path.lexists, (where, *Path(where).parents)))
    return SystemFault(f"{where}: {os.strerror(number)}; {remedy}")


@contextlib.contextmanager
def faults_at(path: Path) -> Iterator[None]:
    """
    Add a path to operating system errors, which name none when the disk is full.

    Parameters
    ----------
    path : Path
        File or folder that is written inside the block.

    Yields
    ------
    None
        For the block.

    Raises
    ------
    SystemFault
        If the disk is full, a permission is missing or something is in the way.
    """
    try:
        yield
    except OSError as error:
        if fault := system_fault(error, path):
            raise fault from error
        raise


def closest(name: object, valid: Iterable[object]) -> list[str]:
    """
    Return the valid names that a name may have been meant to be.

    Parameters
    ----------
    name : object
        The name that was given.
    valid : iterable of object
        The names that there are.

    Returns
    -------
    list of str
        Three at most, the closest first.

    Examples
    --------
    >>> closest("uptke", ["depth", "uptake"])
    ['uptake']
    """
    return difflib.get_close_matches(str(name), map(str, valid), n=3, cutoff=0.5)


def suggestion(name: object, valid: Iterable[str]) -> str:
    """
    Return the end of an error message: the valid names closest to a name, or all if none is close.

    Parameters
    ----------
    name : object
        The name that was given.
    valid : iterable of str
        The names that there are.

    Returns
    -------
    str
        Such as ``"did you mean uptake?"``.

    Examples
    --------
    >>> suggestion("uptke", ["uptake", "depth"])
    'did you mean uptake?'
    >>> suggestion("x", ["uptake", "depth"])
    'valid names: uptake, depth'
    """
    valid = list(valid)
    if near := closest(name, valid):
        return f"did you mean {' or '.join(near)}?"
    more = f" and {len(valid) - MAX_NAMES} more" if len(valid) > MAX_NAMES else ""
    return f"valid names: {', '.join(valid[:MAX_NAMES])}{more}"
