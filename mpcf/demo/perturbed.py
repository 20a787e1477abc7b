"""Perturbed physics: drawn parameter sets, to test methods on columns not used to develop them."""

from __future__ import annotations

from dataclasses import replace

from scipy.stats import qmc

from mpcf.demo.parameters import CARBON, SOIL, Physics

__all__ = ["RANGES", "draw"]

RANGES = {
    "percolation_time": (3.0, 20.0),
    "bottom_time": (40.0, 400.0),
    "lateral_time": (150.0, 2400.0),
    "priestley_taylor": (0.45, 0.9),
    "snow_density": (220.0, 380.0),
    "plant_waterlogging": (0.1, 0.9),
    "microbe_waterlogging": (0.2, 0.9),
    "waterlogged": (0.65, 0.9),
    "q10": (1.5, 3.0),
}
"""Bounds of the drawn parameters: drainage, evaporation, snow, waterlogging and Q10."""


def draw(count: int = 16, seed: int = 1) -> list[Physics]:
    """Return sets of parameters drawn by Latin hypercube, which covers each range evenly.

    The conductivity of snow is proportional to the square of its density (close to Yen 1981).

    Parameters
    ----------
    count : int
        Number of sets.
    seed : int
        Seed of the draw.

    Returns
    -------
    list of Physics
        All other parameters as in the demonstration.

    Examples
    --------
    >>> one, two = draw(2)
    >>> one.carbon.q10 != two.carbon.q10
    True
    """
    unit = qmc.LatinHypercube(len(RANGES), rng=seed).random(count)
    values = qmc.scale(unit, *zip(*RANGES.values(), strict=True))
    sets = []
    for row in values:
        chosen = dict(zip(RANGES, map(float, row), strict=True))
        dense = chosen["snow_density"] / SOIL.snow_density
        chosen["snow_conductivity"] = SOIL.snow_conductivity * dense**2
        of_soil, of_carbon = (
            {name: value for name, value in chosen.items() if name in group.__dataclass_fields__}
            for group in (SOIL, CARBON)
        )
        sets.append(Physics(replace(SOIL, **of_soil), replace(CARBON, **of_carbon)))
    return sets
