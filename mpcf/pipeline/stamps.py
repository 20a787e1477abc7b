"""Stamps: hashes of a step's inputs and outputs, which take seconds to check."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import subprocess
from collections.abc import Iterable
from importlib import metadata
from pathlib import Path

from mpcf.folders import files_below, project_root, write_atomic

LARGE_FILE = 16 * 2**20
"""Size in bytes above which a file is identified by size and modification time, not by content."""


def read(path: Path) -> dict:
    """
    Read a stamp.

    Parameters
    ----------
    path : Path
        Its file.

    Returns
    -------
    dict
        Its values; empty if there is no readable stamp.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return {}


def write(path: Path, **values: object) -> None:
    """
    Write a stamp atomically.

    Parameters
    ----------
    path : Path
        Its file.
    **values : object
        Its values, which must be representable in JSON.
    """
    write_atomic(path, json.dumps(values, indent=1, sort_keys=True) + "\n")


def fingerprint(path: Path) -> str | None:
    """
    Return the hash of a file or folder.

    Small files count by content; large ones and Zarr stores by size and modification time.

    Parameters
    ----------
    path : Path
        The file or folder.

    Returns
    -------
    str or None
        Its hash; None if it does not exist.
    """
    if not path.exists():
        return None
    base = path.parent
    return digest(
        {
            file.relative_to(base).as_posix(): (
                (stat.st_size, stat.st_mtime_ns)
                if (stat := file.stat()).st_size > LARGE_FILE
                or any(part.endswith(".zarr") for part in file.relative_to(base).parts)
                else hashlib.sha256(file.read_bytes()).hexdigest()
            )
            for file in _walk(path)
        }
    )


def checksum(path: Path) -> str:
    """
    Return the sha256 of the names and contents of all files in a folder.

    Parameters
    ----------
    path : Path
        The folder.

    Returns
    -------
    str
        The checksum as hexadecimal digits.
    """
    whole = hashlib.sha256()
    for file in _walk(path):
        whole.update(file.relative_to(path).as_posix().encode() + b"\0")
        with open(file, "rb") as content:
            whole.update(hashlib.file_digest(content, "sha256").digest())
    return whole.hexdigest()


def states(places: Iterable[str]) -> list[list]:
    """
    Return the state of files, from which changes can be detected, without opening any.

    Parameters
    ----------
    places : iterable of str
        Absolute paths of files and folders, and addresses.

    Returns
    -------
    list of list
        Path, size in bytes and time of change in ns of each file and of each file of a folder,
        links followed; path and None where there is nothing; an address alone, since changes there
        cannot be detected.
    """
    found: list[list] = []
    for place in places:
        if "://" in place:
            found.append([place])
        elif os.path.isdir(place):
            found += map(_state, files_below(place))
        else:
            found.append(_state(place))
    return found


def _state(path: str) -> list:
    try:
        known = os.stat(path)
    except OSError:
        return [path, None]
    return [path, known.st_size, known.st_mtime_ns]


def _walk(path: Path) -> list[Path]:
    return [path] if path.is_file() else sorted(map(Path, files_below(path)))


def digest(*parts: object) -> str:
    """
    Return the hash of plain values.

    Parameters
    ----------
    *parts : object
        Bytes, or values that can be represented in JSON.

    Returns
    -------
    str
        Their sha256.
    """
    whole = hashlib.sha256()
    for part in parts:
        data = part if isinstance(part, bytes) else json.dumps(part, sort_keys=True).encode()
        whole.update(hashlib.sha256(data).digest())
    return whole.hexdigest()


def git_commit() -> str:
    """
    Return the git commit of the book's sources.

    Returns
    -------
    str
        Twelve digits, followed by ``+ changes`` if files differ from the commit; empty outside
        a git repository.
    """
    commit = git("rev-parse", "--short=12", "HEAD")
    return f"{commit} + changes" if commit and git("status", "--porcelain") else commit


def git(*arguments: str) -> str:
    """
    Run git in the book's folder, and return its output.

    Parameters
    ----------
    *arguments : str
        Arguments of git.

    Returns
    -------
    str
        What git printed; empty if it failed or is not installed.
    """
    try:
        done = subprocess.run(
            ["git", "-C", str(project_root()), *arguments],
            capture_output=True,
            text=True,
            check=False,
        )
    except FileNotFoundError:
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


def versions(packages: Iterable[str]) -> dict[str, str]:
    """
    Return the versions of installed packages.

    Parameters
    ----------
    packages : iterable of str
        Their names; packages that are not installed are left out.

    Returns
    -------
    dict
        Name → version.
    """
    found = {}
    for name in packages:
        with contextlib.suppress(metadata.PackageNotFoundError):
            found[name] = metadata.version(name)
    return found
