"""The one table of variables: names, units, signs, and the constants that convert them."""

from __future__ import annotations

from dataclasses import dataclass

AREA_TOLERANCE = 0.05
"""Largest relative error of the summed cell area."""

MIN_DEPTH = 3.0
"""m; soil layers have to reach it."""


@dataclass(frozen=True)
class Variable:
    """A variable of the standard monthly dataset.

    Attributes
    ----------
    name : str
        CMIP6 short name.
    long_name : str
        What it is, in words.
    units : str
        Units in the standard dataset.
    dims : tuple of str
        Dimensions in the standard dataset.
    positive : str
        Direction in which a flux is counted positive; empty for states.
    cesm : str
        Name in CESM2 history files; empty where there is none.
    required : bool
        Whether every source must hold it.
    """

    name: str
    long_name: str
    units: str
    dims: tuple[str, ...]
    positive: str = ""
    cesm: str = ""
    required: bool = True


_MAP = ("lat", "lon")
_SERIES = ("member", "time", "lat", "lon")
_PROFILE = ("member", "time", "depth", "lat", "lon")

MONTHLY: dict[str, Variable] = {
    v.name: v
    for v in (
        Variable("gpp", "gross primary production", "kg m-2 s-1", _SERIES, "into land", "GPP"),
        Variable("ra", "autotrophic respiration", "kg m-2 s-1", _SERIES, "out of land", "AR"),
        Variable("rh", "heterotrophic respiration", "kg m-2 s-1", _SERIES, "out of land", "HR"),
        Variable("tas", "air temperature at 2 m", "K", _SERIES, cesm="TSA"),
        Variable("pr", "precipitation", "kg m-2 s-1", _SERIES, "onto land", "RAIN + SNOW"),
        Variable("tsl", "soil temperature", "K", _PROFILE, cesm="TSOI"),
        Variable("mrsll", "liquid water in a soil layer", "kg m-2", _PROFILE, cesm="SOILLIQ"),
        Variable("mrsfl", "ice in a soil layer", "kg m-2", _PROFILE, cesm="SOILICE"),
        Variable("snd", "snow depth", "m", _SERIES, cesm="SNOW_DEPTH"),
        Variable("co2", "CO2 in the air", "ppm", ("member", "time"), required=False),
        Variable(
            "warming", "global warming above 1850–1900", "K", ("member", "time"), required=False
        ),
        Variable("sftlf", "land fraction", "%", _MAP, cesm="landfrac"),
        Variable("sftgif", "ice sheet fraction", "%", _MAP, required=False),
        Variable("areacella", "area of the grid cell", "m2", _MAP, cesm="area"),
        Variable("cSoil", "soil carbon", "kg m-2", _SERIES, cesm="TOTSOMC", required=False),
        Variable("cVeg", "carbon in plants", "kg m-2", _SERIES, cesm="TOTVEGC", required=False),
    )
}
"""Variables of the standard monthly dataset, by name."""
