"""Published ranges of the quantities that the calibration checks."""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["TARGETS", "Target"]


class Target(NamedTuple):
    """A quantity and its published range.

    Attributes
    ----------
    quantity : str
        Name of the quantity, with its region and years.
    unit : str
        Unit of the range; 1 for pure numbers.
    low, high : float
        Ends of the range.
    source : str
        Publication with its DOI, or a note that the range is our own.
    adjusted : bool
        Whether parameters were adjusted to reach the range.
    """

    quantity: str
    unit: str
    low: float
    high: float
    source: str
    adjusted: bool = False


ACCESS = "ACCESS-ESM1-5 2000-2014 (CMIP6), {}, and Toolik (USDA NRCS), {}"
BURKE = "Burke et al. 2020, doi 10.5194/tc-14-3155-2020"
CESM2 = "95 % of 100-year windows of CESM2's control run (CMIP6)"
CHADBURN = "Chadburn et al. 2017, doi 10.1038/nclimate3262"
FLAT10 = "{} ± 0.1 in CESM2: Sanderson et al. 2025, doi 10.5194/gmd-18-5699-2025"
NRCS = "Toolik 1999-2011 (USDA NRCS), 95 % interval from years drawn with replacement"
REGION = "north of 45° N"

TARGETS = {
    "area": Target(
        f"permafrost area, 2000-2014, {REGION}",
        "1e6 km2",
        12.0,
        17.0,
        "own range; 13.6-19.0 with Tibet: Ran et al. 2022, doi 10.5194/essd-14-865-2022",
        adjusted=True,
    ),
    "area_transient": Target(
        "permafrost area lost per global warming, 2000-2100",
        "1e6 km2 K-1",
        2.0,
        6.0,
        f"own range about {CHADBURN}",
    ),
    "area_stable": Target(
        "permafrost area lost per global warming, by 2280-2300",
        "1e6 km2 K-1",
        2.9,
        5.0,
        f"{CHADBURN}, at stabilisation",
    ),
    "frozen_3m": Target(
        "soil frozen all year, top 3 m, per global warming, 2000-2100",
        "% K-1",
        -40.0,
        -10.0,
        f"{BURKE}, for the next row; CESM2 itself -22.5 (IPCC AR6 WGI, figure 9.22)",
    ),
    "frozen_2m": Target(
        "annual mean frozen soil, top 2 m, per global warming, 2000-2100",
        "% K-1",
        -40.0,
        -10.0,
        BURKE,
    ),
    "active_layer": Target(
        "active layer, 2000-2014, median by area",
        "m",
        0.5,
        1.5,
        "own range; regional means 0.48-1.64: Luo et al. 2016, doi 10.1007/s12665-015-5229-2",
        adjusted=True,
    ),
    "active_layer_trend": Target(
        "active layer, trend 2001-2018",
        "cm decade-1",
        2.8,
        10.4,
        "Alaska: Nyland et al. 2021, doi 10.1080/1088937X.2021.1988000; "
        "mean of the Arctic 8: Strand et al. 2021, doi 10.1002/ppp.2088",
    ),
    "carbon": Target(
        "soil carbon, top 3 m of permafrost cells, 2000-2014",
        "PgC",
        885.0,
        1185.0,
        "1035 ± 150, sporadic permafrost included: Hugelius et al. 2014, "
        "doi 10.5194/bg-11-6573-2014",
        adjusted=True,
    ),
    "gpp": Target(
        f"photosynthesis, 2000-2014, {REGION}", "PgC yr-1", 20.0, 30.0, "own range", adjusted=True
    ),
    "precipitation": Target(
        f"precipitation per local warming, 2000-2100, {REGION}",
        "% K-1",
        3.0,
        6.0,
        "own range about 4.5: Bintanja and Selten 2014, doi 10.1038/nature13259",
        adjusted=True,
    ),
    "warming_100": Target(
        "warming at year 100 of 10 PgC yr-1", "K", 1.80, 2.00, FLAT10.format(1.9)
    ),
    "warming_200": Target(
        "warming 100 years after these emissions end", "K", 1.75, 1.95, FLAT10.format(1.85)
    ),
    "warming_300": Target(
        "warming 200 years after these emissions end", "K", 1.95, 2.15, FLAT10.format(2.05)
    ),
    "global_spread": Target(
        "global temperature of unforced years, standard deviation", "K", 0.09, 0.139, CESM2, True
    ),
    "global_lag_1": Target(
        "global temperature of unforced years, lag-1 correlation", "1", 0.27, 0.65, CESM2, True
    ),
    "air_spread": Target(
        f"monthly air temperature, standard deviation in 2000-2014, {REGION}",
        "K",
        2.2,
        3.1,
        ACCESS.format(2.2, 3.1),
        adjusted=True,
    ),
    "air_lag_1": Target(
        f"monthly air temperature, lag-1 correlation in 2000-2014, {REGION}",
        "1",
        0.05,
        0.21,
        ACCESS.format(0.21, 0.05),
        adjusted=True,
    ),
    "toolik_air_spread": Target(
        "monthly air temperature at Toolik, standard deviation", "K", 2.9, 3.5, NRCS
    ),
    "toolik_air_lag_1": Target(
        "monthly air temperature at Toolik, lag-1 correlation", "1", -0.15, 0.22, NRCS
    ),
    "toolik_soil_spread": Target(
        "monthly soil temperature at Toolik, 0.3 m, standard deviation", "K", 1.5, 2.1, NRCS
    ),
    "toolik_soil_lag_1": Target(
        "monthly soil temperature at Toolik, 0.3 m, lag-1 correlation", "1", 0.48, 0.66, NRCS
    ),
    "toolik_zero_curtain": Target(
        "zero curtain at Toolik, 0.3 m, mean, by monthly means", "d", 19.0, 31.0, NRCS, True
    ),
    "toolik_wetness": Target(
        "liquid water of thawed soil at Toolik, May to September",
        "m3 m-3",
        0.23,
        0.45,
        "means of six probes at 0.1-0.7 m while thawed, Toolik 1999-2011 without 2004 (USDA NRCS)",
    ),
}
"""Ranges that the ensemble is compared with. The test suite recomputes those of CESM2 and of
Toolik from the records."""
