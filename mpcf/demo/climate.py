"""Global climate: from CO2 emissions to CO2 and warming, with the FaIR model.

FaIR 2.2 (Leach et al. 2021, doi 10.5194/gmd-14-3007-2021) runs with CO2 alone, and with a carbon
cycle and a three-box energy balance tuned to CESM2. Its stochastic terms (Cummins et al. 2020,
doi 10.1175/JCLI-D-19-0589.1) give each member its year-to-year variability; because the carbon
cycle responds to temperature, CO2 differs between members too.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

import numpy as np

from mpcf.demo.parameters import CLIMATE, SCENARIO, ClimateParameters

__all__ = ["GlobalClimate", "emissions", "global_climate", "internal_variability", "run_fair"]

PGC_TO_GTCO2 = 44.009 / 12.011
"""GtCO2 PgC-1: ratio of the molar masses of CO2 and carbon."""

MYHRE = 5.35
"""Forcing per logarithm of the CO2 ratio in FaIR, W m-2 (Myhre et al. 1998)."""

BASE_YEARS = (1850, 1900)
"""First and last year of the reference period for warming."""


@dataclass(frozen=True)
class GlobalClimate:
    """Global climate by member and calendar year.

    Attributes
    ----------
    years : ndarray (year,) of int
        Calendar years.
    co2 : ndarray (member, year)
        Mole fraction of CO2 in dry air, ppm.
    warming : ndarray (member, year)
        Global-mean temperature above the 1850-1900 mean, K.
    """

    years: np.ndarray
    co2: np.ndarray
    warming: np.ndarray


def emissions(minimum: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    """Return the CO2 emissions of the scenario from 1750 on.

    They are historical to 2014 (Nicholls et al. 2020, doi 10.5194/gmd-13-5175-2020), rise
    linearly from 2015 to the peak, as in SSP5-8.5, fall at the same rate to `minimum`, and stay
    there.

    Parameters
    ----------
    minimum : float
        Lowest future emissions, PgC yr-1; negative for net removal.

    Returns
    -------
    years : ndarray (year,) of int
        Calendar years.
    emissions : ndarray (year,)
        PgC yr-1.

    Examples
    --------
    >>> years, co2 = emissions()
    >>> [float(co2[years == year].round(2)[0]) for year in (2015, 2050, 2116, 2117, 2300)]
    [10.7, 22.7, 0.07, 0.0, 0.0]
    """
    path = files("mpcf.demo").joinpath("co2-emissions-1750-2014.csv")
    with path.open() as stream:
        known = np.loadtxt(stream, delimiter=",", comments="#", skiprows=3)
    s = SCENARIO
    slope = (s.peak_emissions - s.start_emissions) / (s.peak_year - s.start_year)
    future = np.arange(s.start_year, s.last_year + 1)
    rise = s.start_emissions + slope * (future - s.start_year)
    fall = s.peak_emissions - slope * (future - s.peak_year)
    path_ahead = np.clip(np.where(future <= s.peak_year, rise, fall), minimum, None)
    years = np.concatenate([known[:, 0].astype(int), future])
    return years, np.concatenate([known[:, 1], path_ahead])


def run_fair(
    years: np.ndarray,
    emissions: np.ndarray,
    seeds: Sequence[int] | None = None,
    parameters: ClimateParameters = CLIMATE,
) -> tuple[np.ndarray, np.ndarray]:
    """Return the CO2 and temperature that FaIR simulates for CO2 emissions.

    Parameters
    ----------
    years : ndarray (year,) of int
        Consecutive years.
    emissions : ndarray (year,)
        PgC yr-1.
    seeds : sequence of int, optional
        One for each member, for its internal variability; None: one member without it.
    parameters : ClimateParameters
        Parameters of FaIR.

    Returns
    -------
    co2 : ndarray (member, year)
        Yearly mean, ppm.
    temperature : ndarray (member, year)
        Yearly mean above the unforced state, K.
    """
    from fair import FAIR
    from fair.interface import fill, initialise

    p = parameters
    members = [str(member) for member in range(len(seeds or [0]))]
    # FaIR's logarithmic forcing is scaled to that of doubled CO2.
    model = FAIR(ghg_method="myhre1998", iirf_max=p.iirf_max)
    model.define_time(int(years[0]), int(years[-1]) + 1, 1)
    model.define_scenarios(["scenario"])
    model.define_configs(members)
    properties = {
        "type": "co2",
        "input_mode": "emissions",
        "greenhouse_gas": True,
        "aerosol_chemistry_from_emissions": False,
        "aerosol_chemistry_from_concentration": False,
    }
    model.define_species(["CO2"], {"CO2": properties})
    model.allocate()
    model.fill_species_configs()
    for name, value in {
        "iirf_0": p.r0,
        "iirf_airborne": p.r_airborne / PGC_TO_GTCO2,
        "iirf_uptake": p.r_uptake / PGC_TO_GTCO2,
        "iirf_temperature": p.r_temperature,
        "baseline_concentration": p.co2_preindustrial,
        "forcing_reference_concentration": p.co2_preindustrial,
        "tropospheric_adjustment": 0.0,
        "forcing_scale": p.forcing_2co2 / (MYHRE * np.log(2.0)),
    }.items():
        fill(model.species_configs[name], value, specie="CO2")
    for name, value in {
        "ocean_heat_capacity": np.array(p.heat_capacity),
        "ocean_heat_transfer": np.array(p.heat_transfer),
        "deep_ocean_efficacy": p.efficacy,
        "gamma_autocorrelation": p.forcing_autocorrelation,
        "sigma_eta": p.forcing_noise,
        "sigma_xi": p.surface_noise,
        "forcing_4co2": 2 * p.forcing_2co2,
        "stochastic_run": seeds is not None,
        "use_seed": seeds is not None,
    }.items():
        fill(model.climate_configs[name], value)
    for member, seed in zip(members, seeds or [0], strict=True):
        fill(model.climate_configs["seed"], seed, config=member)
    fill(model.emissions, emissions[:, None, None] * PGC_TO_GTCO2, specie="CO2")
    initialise(model.concentration, p.co2_preindustrial)
    for start in (model.forcing, model.temperature, model.airborne_emissions):
        initialise(start, 0.0)
    initialise(model.cumulative_emissions, 0.0)
    model.run(progress=False)

    # FaIR gives values at the start and end of each year; their mean is the year's.
    def yearly(bounds):
        return 0.5 * (bounds[:-1] + bounds[1:]).T

    co2 = yearly(model.concentration.sel(scenario="scenario", specie="CO2").values)
    temperature = yearly(model.temperature.sel(scenario="scenario", layer=0).values)
    return co2, temperature


@cache
def global_climate(seeds: tuple[int, ...] | None = None, *, minimum: float = 0.0) -> GlobalClimate:
    """Return CO2 and warming of the scenario by member.

    Parameters
    ----------
    seeds : tuple of int, optional
        One for each member; None: one member without internal variability.
    minimum : float
        Lowest future emissions, PgC yr-1: see `emissions`.

    Returns
    -------
    GlobalClimate
        The same object for the same arguments; it must not be changed.
    """
    years, pgc = emissions(minimum)
    co2, temperature = run_fair(years, pgc, seeds)
    # All members share the base of the run without variability.
    return GlobalClimate(years, co2, temperature - _base_temperature())


@cache
def _base_temperature() -> float:
    """Return the temperature of 1850-1900 above the unforced state, K."""
    years, pgc = emissions()
    first, last = BASE_YEARS
    before = years <= last
    temperature = run_fair(years[before], pgc[before])[1]
    return float(temperature[0, years[before] >= first].mean())


@cache
def internal_variability(seeds: tuple[int, ...]) -> np.ndarray:
    """Return the global temperature of the members without emissions.

    Parameters
    ----------
    seeds : tuple of int
        One for each member.

    Returns
    -------
    ndarray (member, year)
        K, about zero, for the years of `emissions`; it must not be changed.
    """
    years, pgc = emissions()
    return run_fair(years, np.zeros_like(pgc), seeds)[1]
