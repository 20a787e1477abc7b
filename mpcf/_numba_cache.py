"""One folder of compiled kernels for each version of the package's sources.

numba keys its cache by the file that holds a kernel, not by the files that the kernel imports,
so an edit elsewhere would leave a stale kernel. A folder named by the hash of all sources can't
be stale.
"""

from __future__ import annotations

import hashlib
import os
import sys
from pathlib import Path


def sources_hash() -> str:
    """Return a short hash of the sources of this package."""
    digest = hashlib.sha256()
    root = Path(__file__).parent
    for path in sorted(root.rglob("*.py")):
        digest.update(path.relative_to(root).as_posix().encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def set_folder() -> None:
    """Point numba at this version's folder, unless the user chose one or numba is loaded."""
    if "NUMBA_CACHE_DIR" in os.environ or "numba" in sys.modules:
        return
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    os.environ["NUMBA_CACHE_DIR"] = str(Path(base) / "mpcf" / "numba" / sources_hash())
