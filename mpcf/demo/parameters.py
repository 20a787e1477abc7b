"""Every parameter of the demonstration ensemble, with its unit, its meaning and its source.

The code reads these values and the model card shows `table()`, so the two cannot differ.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd


__all__ = [
    "CARBON",
    "CLIMATE",
    "PHYSICS",
    "SCENARIO",
    "SOIL",
    "WEATHER",
    "CarbonParameters",
    "ClimateParameters",
    "Physics",
    "ScenarioParameters",
    "SoilParameters",
    "WeatherParameters",
    "table",
]


def _p(value: Any, unit: str, meaning: str, source: str) -> Any:
    """Return the field of a parameter with its unit, meaning and source."""
    return field(default=value, metadata={"unit": unit, "meaning": meaning, "source": source})


OURS = "chosen here"
ACCESS = "ACCESS-ESM1-5, land north of 45° N, 2000-2014 (CMIP6 historical r1i1p1f1)"
TOOLIK = "Toolik 1998-2011 (USDA NRCS)"
CTSM = "CLM5 technical note (Lawrence et al. 2019, doi 10.1029/2018MS001583)"


@dataclass(frozen=True)
class ScenarioParameters:
    """Future emissions; history is Nicholls et al. 2020."""

    start_year: int = _p(2015, "year", "first year of the scenario", "SSP5-8.5")
    start_emissions: float = _p(10.7, "PgC yr-1", "CO2 emissions in that year", "SSP5-8.5")
    peak_year: int = _p(2050, "year", "year in which emissions peak", OURS)
    peak_emissions: float = _p(22.7, "PgC yr-1", "CO2 emissions in that year", "SSP5-8.5")
    max_removal: float = _p(
        6.0, "PgC yr-1", "final net removal of CO2 in the second scenario", OURS
    )
    last_year: int = _p(2300, "year", "last year", OURS)


@dataclass(frozen=True)
class ClimateParameters:
    """Parameters of FaIR, with CO2 alone."""

    r0: float = _p(40.70, "yr", "time-integrated airborne fraction, unperturbed", "fit to CESM2")
    r_uptake: float = _p(0.010665, "yr PgC-1", "its change with carbon taken up", "fit to CESM2")
    r_temperature: float = _p(1.2786, "yr K-1", "its change with warming", "fit to CESM2")
    r_airborne: float = _p(0.004211, "yr PgC-1", "its change with airborne carbon", "fit to CESM2")
    iirf_max: float = _p(97.0, "yr", "its upper limit", "FaIR")
    co2_preindustrial: float = _p(278.3, "ppm", "CO2 in 1750", "FaIR")
    forcing_2co2: float = _p(3.557, "W m-2", "forcing of doubled CO2", "fit to CESM2")
    heat_capacity: tuple[float, ...] = _p(
        (2.0, 17.64, 103.6),
        "W yr m-2 K-1",
        "heat capacity of the three boxes",
        "fit to CESM2; the first to its abrupt-4xCO2 run's first 10 years and its control run",
    )
    heat_transfer: tuple[float, ...] = _p(
        (0.776, 2.165, 0.856), "W m-2 K-1", "climate feedback and exchange", "fit to CESM2"
    )
    efficacy: float = _p(1.97, "1", "efficacy of deep-ocean heat uptake", "fit to CESM2")
    forcing_autocorrelation: float = _p(2.3, "yr-1", "decay of stochastic forcing", OURS)
    forcing_noise: float = _p(0.47, "W m-2", "size of stochastic forcing", "CESM2 control run")
    surface_noise: float = _p(0.47, "W m-2", "size of stochastic surface heating", "same")


@dataclass(frozen=True)
class WeatherParameters:
    """Local climate, its change and its variability."""

    near: float = _p(4.0e5, "m", "radius of the land fraction that marks the coast", OURS)
    fetch: float = _p(1.2e6, "m", "radius of the upwind land fraction", OURS)
    ridge: float = _p(0.5, "1", "ridge penalty of the regression on geography", OURS)
    station_reach: float = _p(5.0e5, "m", "length scale of a station's residual", OURS)
    station_background: float = _p(0.3, "1", "weight of a zero residual", OURS)
    coldest: float = _p(0.045, "yr", "coldest time of the year", "mid-January")
    amplification_lat: tuple[float, ...] = _p(
        (45.0, 50.0, 60.0, 70.0, 80.0), "degrees_north", "latitudes of the next row", OURS
    )
    amplification: tuple[float, ...] = _p(
        (1.5, 1.6, 2.0, 2.4, 2.5), "K K-1", "local per global warming", "size of CMIP6 models"
    )
    winter_amplification: float = _p(0.35, "1", "its swing from summer to winter", OURS)
    noise_winter: float = _p(
        3.2,
        "K",
        "standard deviation of monthly means, January",
        f"between {ACCESS} (2.8) and {TOOLIK} (3.9)",
    )
    noise_summer: float = _p(
        1.7,
        "K",
        "standard deviation of monthly means, July",
        f"between {ACCESS} (1.5) and {TOOLIK} (2.1)",
    )
    month_persistence: float = _p(
        0.2, "1", "correlation from month to month", f"{ACCESS} (0.21); {TOOLIK} 0.1"
    )
    year_share: float = _p(
        0.1,
        "1",
        "ratio of year-to-year to monthly noise",
        f"yearly standard deviation of {ACCESS} (0.8 K) and {TOOLIK} (0.9 K)",
    )
    year_persistence: float = _p(0.6, "1", "correlation from year to year", OURS)
    temperature_length: float = _p(1.5e6, "m", "correlation length of temperature", ACCESS)
    precipitation_length: float = _p(7.0e5, "m", "correlation length of precipitation", OURS)
    precipitation_noise: float = _p(0.48, "1", "standard deviation of its logarithm", ACCESS)
    precipitation_per_kelvin: float = _p(
        0.045,
        "K-1",
        "growth of precipitation per local warming",
        "Bintanja and Selten 2014, doi 10.1038/nature13259",
    )
    summer_rain: float = _p(0.75, "1", "largest swing of precipitation over the year", OURS)


@dataclass(frozen=True)
class SoilParameters:
    """Heat and water of the column."""

    step: float = _p(5.0, "d", "time step", OURS)
    tolerance: float = _p(1e-2, "K", "largest last correction of Newton's method", OURS)
    organic_scale: float = _p(0.25, "m", "e-folding depth of the organic fraction", OURS)
    porosity_mineral: float = _p(0.45, "m3 m-3", "porosity of mineral soil", CTSM)
    porosity_organic: float = _p(0.80, "m3 m-3", "porosity of organic soil", CTSM)
    capacity_mineral: float = _p(2.1e6, "J m-3 K-1", "heat capacity of mineral solids", CTSM)
    capacity_organic: float = _p(2.5e6, "J m-3 K-1", "heat capacity of organic solids", CTSM)
    capacity_water: float = _p(4188.0, "J kg-1 K-1", "heat capacity of water", CTSM)
    capacity_ice: float = _p(2117.0, "J kg-1 K-1", "heat capacity of ice", CTSM)
    latent_heat: float = _p(3.337e5, "J kg-1", "latent heat of fusion", CTSM)
    conductivity_mineral: float = _p(2.9, "W m-1 K-1", "conductivity of mineral solids", CTSM)
    conductivity_organic: float = _p(0.25, "W m-1 K-1", "conductivity of organic solids", CTSM)
    dry_mineral: float = _p(0.25, "W m-1 K-1", "conductivity of dry mineral soil", CTSM)
    dry_organic: float = _p(0.06, "W m-1 K-1", "conductivity of dry organic soil", CTSM)
    conductivity_water: float = _p(0.57, "W m-1 K-1", "conductivity of water", CTSM)
    conductivity_ice: float = _p(2.29, "W m-1 K-1", "conductivity of ice", CTSM)
    conductivity_rock: float = _p(3.0, "W m-1 K-1", "conductivity of the rock below", CTSM)
    capacity_rock: float = _p(2.0e6, "J m-3 K-1", "heat capacity of the rock below", CTSM)
    freezing_range: float = _p(
        0.25, "K", "liquid share is 1/(1 - T/range) below 0 °C", "between sand and clay; ours"
    )
    ice_content: float = _p(
        0.95, "1", "saturation of frozen ground with ice before the spin-up", "ice-rich; ours"
    )
    geothermal: float = _p(0.05, "W m-2", "geothermal heat flux", "continental mean")
    snow_density: float = _p(300.0, "kg m-3", "density of wind-packed snow", OURS)
    snow_conductivity: float = _p(
        0.30, "W m-1 K-1", "conductivity of snow", "Jordan 1991 at this density; calibrated"
    )
    snow_range: float = _p(4.0, "K", "range about +1 °C over which snow turns to rain", OURS)
    degree_day_factor: float = _p(4.0, "kg m-2 d-1 K-1", "snow melt per degree-day", "Hock 2003")
    max_snow: float = _p(600.0, "kg m-2", "snow above which the excess leaves as ice flow", OURS)
    surface_resistance: float = _p(
        0.15, "m2 K W-1", "resistance of litter, moss and still air", OURS
    )
    albedo: float = _p(0.18, "1", "albedo of the snow-free surface", OURS)
    transmissivity: float = _p(0.45, "1", "transmissivity of the atmosphere for sunlight", OURS)
    longwave: float = _p(60.0, "W m-2", "net longwave loss", OURS)
    priestley_taylor: float = _p(
        0.6,
        "1",
        "potential evaporation per equilibrium evaporation",
        "1.26 over wet soil; calibrated to the zero curtain at Toolik",
    )
    vaporisation: float = _p(2.5e6, "J kg-1", "latent heat of vaporisation", CTSM)
    root_scale: float = _p(0.20, "m", "e-folding depth of roots", OURS)
    wilting: float = _p(0.15, "1", "liquid saturation at the wilting point", OURS)
    stress_free: float = _p(
        0.50, "1", "liquid saturation above which plants have enough water", OURS
    )
    field_capacity: float = _p(0.75, "1", "saturation above which water drains", OURS)
    percolation_time: float = _p(7.0, "d", "time scale of drainage to the layer below", OURS)
    bottom_time: float = _p(120.0, "d", "time scale of drainage out of the bottom", OURS)
    lateral_time: float = _p(600.0, "d", "time scale of drainage to the side", OURS)
    capillary_time: float = _p(80.0, "d", "time scale of capillary rise", OURS)
    infiltration: float = _p(1.0e-3, "kg m-2 s-1", "infiltration into ice-free soil", OURS)
    ice_impedance: float = _p(
        6.0, "1", "flow in icy soil is reduced by 10^(-this · ice share)", CTSM
    )


@dataclass(frozen=True)
class CarbonParameters:
    """Plants, litter and soil carbon."""

    light_use: float = _p(
        1.2e-9, "kg J-1", "carbon per absorbed light, unstressed", "calibrated to Arctic GPP"
    )
    light_share: float = _p(0.5, "1", "photosynthetic share of sunlight", "textbook")
    max_cover: float = _p(0.95, "1", "largest share of light that leaves absorb", OURS)
    half_cover: float = _p(
        1500.0, "K d", "thawing degree-days at which they absorb half of that", OURS
    )
    cover_memory: float = _p(10.0, "yr", "time scale on which leaf cover follows climate", OURS)
    unlimited_temperature: float = _p(
        12.0, "°C", "temperature from which cold does not limit photosynthesis", OURS
    )
    co2_response: float = _p(
        0.4,
        "1",
        "GPP grows by this times ln(CO2/CO2 in 1750)",
        "0.6 in Norby et al. 2005, doi 10.1073/pnas.0509478102, less where nutrients are short",
    )
    plant_waterlogging: float = _p(0.5, "1", "share of GPP lost where roots are waterlogged", OURS)
    respired_share: float = _p(
        0.5, "1", "share of GPP respired by plants before warming", "Waring et al. 1998; ours"
    )
    growth_share: float = _p(0.25, "1", "share of GPP respired for growth", OURS)
    maintenance_q10: float = _p(
        2.0,
        "1",
        "factor by which maintenance respiration grows per 10 K",
        "about 2: Ryan 1991, doi 10.2307/1941808",
    )
    plant_time: float = _p(10.0, "yr", "mean lifetime of plant carbon", OURS)
    fast_rate: float = _p(1.0, "yr-1", "decay of litter at 10 °C, moist", OURS)
    to_slow: float = _p(0.45, "1", "share of decayed litter that becomes slow soil carbon", OURS)
    q10: float = _p(
        2.0, "1", "factor by which decay grows per 10 K", "Davidson and Janssens 2006; ours"
    )
    depth_scale: float = _p(1.5, "m", "e-folding depth of decay", "Koven et al. 2013; ours")
    min_water_potential: float = _p(-10.0, "MPa", "water potential at which decay stops", OURS)
    max_water_potential: float = _p(-0.005, "MPa", "water potential at saturation", OURS)
    retention: float = _p(6.0, "1", "exponent of the retention curve", "Clapp and Hornberger 1978")
    waterlogged: float = _p(0.8, "1", "liquid saturation above which air is lacking", OURS)
    microbe_waterlogging: float = _p(0.65, "1", "share of decay lost at saturation", OURS)
    slow_surface: float = _p(40.0, "kg m-3", "slow carbon at the surface", "calibrated to 1035 PgC")
    slow_scale: float = _p(0.5, "m", "its e-folding depth", "Hugelius et al. 2014; ours")
    slow_frozen: float = _p(
        13.0, "kg m-3", "slow carbon throughout frozen ground", "calibrated to 1035 PgC"
    )


SCENARIO = ScenarioParameters()
CLIMATE = ClimateParameters()
WEATHER = WeatherParameters()
SOIL = SoilParameters()
CARBON = CarbonParameters()


@dataclass(frozen=True)
class Physics:
    """Parameters of the columns: soil and carbon.

    Attributes
    ----------
    soil : SoilParameters
        Heat and water.
    carbon : CarbonParameters
        Plants, litter and soil carbon.
    """

    soil: SoilParameters = SOIL
    carbon: CarbonParameters = CARBON


PHYSICS = Physics()

GROUPS = {
    "emissions": SCENARIO,
    "climate": CLIMATE,
    "weather": WEATHER,
    "soil": SOIL,
    "carbon": CARBON,
}


def table() -> pd.DataFrame:
    """Return all parameters as a table, for the model card.

    Returns
    -------
    pandas.DataFrame
        Columns: group, parameter, value, unit, meaning, source.

    Examples
    --------
    >>> table().set_index("parameter").loc["latent_heat", "unit"]
    'J kg-1'
    """
    import pandas as pd

    rows = []
    for group, parameters in GROUPS.items():
        for entry in fields(parameters):
            value = getattr(parameters, entry.name)
            many = value if isinstance(value, tuple) else (value,)
            rows.append(
                {
                    "group": group,
                    "parameter": entry.name,
                    "value": ", ".join(f"{number:g}" for number in many),
                    **{key: entry.metadata[key] for key in ("unit", "meaning", "source")},
                }
            )
    return pd.DataFrame(rows)
