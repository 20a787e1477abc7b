"""The demonstration ensemble: a reduced permafrost model run from CO2 emissions and a seed."""

from __future__ import annotations

import os

__all__ = ["simulate"]


def simulate(
    path: str | os.PathLike[str], *, quick: bool = False, seed: int = 20480, progress: bool = True
) -> None:
    """Make the demonstration ensemble: see `mpcf.demo.experiment.simulate`."""
    from mpcf.demo.experiment import simulate as run

    run(path, quick=quick, seed=seed, progress=progress)
