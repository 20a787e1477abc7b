"""The demonstration ensemble: a reduced permafrost model run from CO2 emissions and a seed."""

from __future__ import annotations

import os

__all__ = ["simulate"]


def simulate(
    folder: str | os.PathLike[str], *, quick: bool = False, seed: int = 20480, progress: bool = True
) -> None:
    """Make the demonstration ensemble and its twins: see `mpcf.demo.store.simulate`."""
    from mpcf.demo.store import simulate as run

    run(folder, quick=quick, seed=seed, progress=progress)
