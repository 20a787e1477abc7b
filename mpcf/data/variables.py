"""The table of all variables, monthly and yearly: names, units, dimensions and signs."""

from __future__ import annotations

from collections.abc import Container
from dataclasses import dataclass

MAX_AREA_ERROR = 0.05
"""Largest relative error of the summed cell area."""

MIN_DEPTH = 3.0
"""m; the soil layers must reach at least this deep."""


@dataclass(frozen=True)
class Variable:
    """
    A variable of the standard monthly dataset.

    Attributes
    ----------
    name : str
        CMIP6 short name.
    long_name : str
        Description in words.
    units : str
        Units in the standard dataset.
    dims : tuple of str
        Dimensions in the standard dataset.
    positive : str
        Direction in which a flux is counted positive; empty for states.
    standard_name : str
        Standard name of the CF conventions; empty where it is not written.
    cesm : tuple of str
        Names in CESM2 history files, whose sum the variable is; empty where there is none.
    table : str
        CMIP6 table that holds it; ``mpcf`` is this book's own, for series that CMIP6 has no table
        for.
    required : bool
        Whether some chapter needs it (`mpcf.data.needs`), so that its absence is told.
    """

    name: str
    long_name: str
    units: str
    dims: tuple[str, ...]
    positive: str = ""
    standard_name: str = ""
    cesm: tuple[str, ...] = ()
    table: str = ""
    required: bool = True


_MAP = ("lat", "lon")
_SERIES = ("member", "time")
_SURFACE = ("member", "time", "lat", "lon")
_PROFILE = ("member", "time", "depth", "lat", "lon")
_FLUX = "kg m-2 s-1"

MONTHLY: dict[str, Variable] = {
    v.name: v
    for v in (
        Variable(
            "gpp",
            "carbon fixed by photosynthesis",
            _FLUX,
            _SURFACE,
            positive="into land",
            standard_name="gross_primary_productivity_of_biomass_expressed_as_carbon",
            cesm=("GPP",),
            table="Lmon",
        ),
        Variable(
            "ra",
            "carbon released by plants",
            _FLUX,
            _SURFACE,
            positive="out of land",
            standard_name="surface_upward_mass_flux_of_carbon_dioxide_expressed_as_carbon"
            "_due_to_plant_respiration",
            cesm=("AR",),
            table="Lmon",
        ),
        Variable(
            "rh",
            "carbon released by microbes",
            _FLUX,
            _SURFACE,
            positive="out of land",
            standard_name="surface_upward_mass_flux_of_carbon_dioxide_expressed_as_carbon"
            "_due_to_heterotrophic_respiration",
            cesm=("HR",),
            table="Lmon",
        ),
        Variable(
            "tas",
            "near-surface air temperature",
            "K",
            _SURFACE,
            standard_name="air_temperature",
            cesm=("TSA",),
            table="Amon",
        ),
        Variable(
            "pr",
            "precipitation",
            _FLUX,
            _SURFACE,
            positive="onto land",
            standard_name="precipitation_flux",
            cesm=("RAIN", "SNOW"),
            table="Amon",
        ),
        Variable(
            "tsl",
            "soil temperature",
            "K",
            _PROFILE,
            standard_name="soil_temperature",
            cesm=("TSOI",),
            table="Lmon",
        ),
        Variable(
            "mrsll",
            "liquid water in the soil layer",
            "kg m-2",
            _PROFILE,
            standard_name="liquid_water_content_of_soil_layer",
            cesm=("SOILLIQ",),
            table="Emon",
        ),
        Variable(
            "mrsfl",
            "ice in the soil layer",
            "kg m-2",
            _PROFILE,
            standard_name="frozen_water_content_of_soil_layer",
            cesm=("SOILICE",),
            table="Emon",
        ),
        Variable(
            "snd",
            "snow depth",
            "m",
            _SURFACE,
            standard_name="surface_snow_thickness",
            cesm=("SNOWDP",),
            table="LImon",
        ),
        Variable(
            "co2",
            "mole fraction of CO2 in dry air",
            "ppm",
            _SERIES,
            standard_name="mole_fraction_of_carbon_dioxide_in_air",
            cesm=("co2vmr",),
            table="mpcf",
            required=False,
        ),
        Variable(
            "warming",
            "global-mean warming above 1850-1900",
            "K",
            _SERIES,
            cesm=("warming",),  # written by this book's own export, not by CESM
            table="mpcf",
            required=False,
        ),
        Variable(
            "sftlf",
            "share of the cell that is land",
            "%",
            _MAP,
            standard_name="land_area_fraction",
            cesm=("landfrac",),
            table="fx",
        ),
        Variable(
            "sftgif",
            "share of the cell that is ice sheet",
            "%",
            _MAP,
            standard_name="land_ice_area_fraction",
            table="fx",
            required=False,
        ),
        Variable(
            "areacella",
            "area of the cell",
            "m2",
            _MAP,
            standard_name="cell_area",
            cesm=("area",),
            table="fx",
        ),
        Variable(
            "cSoil",
            "soil carbon",
            "kg m-2",
            _SURFACE,
            standard_name="soil_mass_content_of_carbon",
            cesm=("TOTSOMC",),
            table="Emon",
            required=False,
        ),
        Variable(
            "cVeg",
            "carbon in plants",
            "kg m-2",
            _SURFACE,
            standard_name="vegetation_carbon_content",
            cesm=("TOTVEGC",),
            table="Lmon",
            required=False,
        ),
    )
}
"""Variables of the standard monthly dataset, by name."""

MAPS = tuple(v.name for v in MONTHLY.values() if v.dims == _MAP)
"""Variables that do not change in time."""

SOIL_WATER = ("mrsll", "mrsfl")
"""Liquid water and ice by layer, which a reader may have to derive from the total."""


@dataclass(frozen=True)
class YearlyVariable:
    """
    A variable of the yearly dataset.

    Attributes
    ----------
    name : str
        Name in the yearly dataset.
    long_name : str
        Description in words.
    units : str
        Units in the yearly dataset.
    needs : tuple of str
        Monthly variables that it is computed from; it is there if the source has all of them.
    """

    name: str
    long_name: str
    units: str
    needs: tuple[str, ...]

    @property
    def attrs(self) -> dict[str, str]:
        """Attributes of the variable in a dataset."""
        return {"long_name": self.long_name, "units": self.units}


_SOIL = ("tsl", *SOIL_WATER)

YEARLY: dict[str, YearlyVariable] = {
    v.name: v
    for v in (
        *(
            YearlyVariable(name, MONTHLY[name].long_name, "gC m-2 yr-1", (name,))
            for name in ("gpp", "ra", "rh")
        ),
        *(
            YearlyVariable(name, MONTHLY[name].long_name, MONTHLY[name].units, (name,))
            for name in ("cSoil", "co2", "warming")
        ),
        YearlyVariable("temperature", "air temperature", "degC", ("tas",)),
        YearlyVariable("precipitation", "precipitation", "mm", ("pr",)),
        YearlyVariable("soil_liquid", "liquid soil water", "kg m-2", ("mrsll",)),
        YearlyVariable("soil_water", "liquid and frozen soil water", "kg m-2", SOIL_WATER),
        YearlyVariable("tsl_max", "warmest month", "degC", ("tsl",)),
        YearlyVariable("tsl_min", "coldest month", "degC", ("tsl",)),
        YearlyVariable("thaw_depth", "deepest seasonal thaw", "m", ("tsl",)),
        YearlyVariable("frozen_depth", "soil of the top 3 m frozen all year", "m", ("tsl",)),
        YearlyVariable(
            "thaw_wetness",
            "wetness of the thawed layer, May to September",
            "m3 m-3",
            ("tsl", "mrsll"),
        ),
        YearlyVariable(
            "latent_heat",
            "latent heat of the top 3 m in September, above ice at 0 °C",
            "J m-2",
            _SOIL,
        ),
        YearlyVariable(
            "sensible_heat",
            "sensible heat of the top 3 m in September, above ice at 0 °C",
            "J m-2",
            _SOIL,
        ),
        YearlyVariable("snow", "mean snow depth, January to March", "m", ("snd",)),
        YearlyVariable("permafrost", "permafrost: a node frozen for 24 months", "1", ("tsl",)),
        YearlyVariable(
            "permafrost_at", "permafrost: layer nearest 2 m frozen all year", "1", ("tsl",)
        ),
        YearlyVariable("alt", "active layer thickness", "m", ("tsl",)),
        YearlyVariable("talik", "talik above ground that stays frozen", "1", ("tsl",)),
        YearlyVariable(
            "zero_curtain", "zero curtain near 0.3 m, from monthly means", "days", ("tsl",)
        ),
    )
}
"""Variables of the yearly dataset, by name, each with what it is computed from."""


def can_be_made(name: str, monthly: Container[str]) -> bool:
    """
    Return whether a source can give a variable of the yearly dataset.

    Parameters
    ----------
    name : str
        Name in `YEARLY`.
    monthly : container of str
        Monthly variables of the source.

    Returns
    -------
    bool
        Whether they include all that it is computed from.

    Examples
    --------
    >>> can_be_made("soil_liquid", ["mrsll"]), can_be_made("soil_water", ["mrsll"])
    (True, False)
    """
    return all(part in monthly for part in YEARLY[name].needs)
