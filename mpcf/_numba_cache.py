"""Keep compiled kernels in a separate folder for each version of their sources.

numba keys its cache on the file that defines a kernel, not on the files which that file imports, so
an edit in one of those would leave a stale kernel in use. A folder named after the hash of all of
them cannot be stale.
"""

from __future__ import annotations

import os
import re
import sys
import tempfile
from pathlib import Path

from mpcf import closure

USES_NUMBA = re.compile(r"^(?:from|import) numba\b", re.MULTILINE)


def compiled_sources(root: Path = closure.ROOT) -> list[Path]:
    """Return the modules of the package that use numba, and those that they import.

    Parameters
    ----------
    root : Path, optional
        Folder of the package.

    Returns
    -------
    list of Path
        Python files, sorted.
    """
    texts = {path: path.read_text(encoding="utf-8") for path in sorted(root.rglob("*.py"))}
    users = [path for path, text in texts.items() if USES_NUMBA.search(text)]
    found = {*users, *closure.reached([texts[path] for path in users], root)}
    return sorted(path for path in found if path.suffix == ".py")


def set_folder() -> None:
    """Point numba at the folder of these sources, unless the user chose one."""
    if "NUMBA_CACHE_DIR" in os.environ or "numba" in sys.modules:
        return
    name = closure.digest(compiled_sources())[:16]
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    folder = Path(base) / "mpcf" / "numba" / name
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:  # no writable home folder
        folder = Path(tempfile.gettempdir()) / "mpcf-numba" / name
    os.environ["NUMBA_CACHE_DIR"] = str(folder)
