"""One folder of compiled kernels for each version of the sources that are compiled.

numba keys its cache by the file that holds a kernel, not by the files that this one imports, so
an edit in one of those would leave a stale kernel. A folder named by the hash of all of them
can't be stale.
"""

from __future__ import annotations

import hashlib
import os
import re
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parent
USES_NUMBA = re.compile(r"^(?:from|import) numba\b", re.MULTILINE)
IMPORT = re.compile(r"^\s*(?:from|import) (mpcf[\w.]*)(?: import ([\w, ]+))?", re.MULTILINE)


def compiled_sources() -> list[Path]:
    """Return the files of this package that use numba, and those that these import."""
    texts = {path: path.read_text() for path in sorted(ROOT.rglob("*.py"))}
    found = {path for path, text in texts.items() if USES_NUMBA.search(text)}
    todo = list(found)
    while todo:
        for module, names in IMPORT.findall(texts[todo.pop()]):
            parts = [module, *(f"{module}.{name.strip()}" for name in names.split(",") if name)]
            for part in parts:
                path = ROOT.parent / (part.replace(".", "/") + ".py")
                if path in texts and path not in found:
                    found.add(path)
                    todo.append(path)
    return sorted(found)


def set_folder() -> None:
    """Point numba at the folder of these sources, unless the user chose one."""
    if "NUMBA_CACHE_DIR" in os.environ or "numba" in sys.modules:
        return
    digest = hashlib.sha256()
    for path in compiled_sources():
        digest.update(path.relative_to(ROOT).as_posix().encode())
        digest.update(path.read_bytes())
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    folder = Path(base) / "mpcf" / "numba" / digest.hexdigest()[:16]
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:  # no home that can be written
        folder = Path(tempfile.gettempdir()) / "mpcf-numba" / digest.hexdigest()[:16]
    os.environ["NUMBA_CACHE_DIR"] = str(folder)
