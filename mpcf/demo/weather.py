"""Local climate and weather: monthly temperature and precipitation of each cell.

They are the sum of three parts: the present climate (station normals, spread by a regression on
geography and by its residuals), the warming pattern (local warming follows global warming), and
internal variability (red noise with a correlation length).
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib.resources import files

import numba
import numpy as np
import shapely
from scipy.linalg import solve_banded
from scipy.signal import lfilter

from mpcf.demo.calendar import DAYS_PER_YEAR
from mpcf.demo.parameters import WEATHER
from mpcf.ground.constants import EARTH_RADIUS, SECONDS_PER_DAY
from mpcf.ground.geography import distance, land

__all__ = ["LocalClimate", "Weather", "climate_at", "daily_insolation", "forcing"]

MONTH_MIDDLE = (np.arange(12) + 0.5) / 12.0
"""Middle of the months, years."""

OBLIQUITY = 23.44
"""Tilt of the Earth's axis, degrees."""

DAYS_FROM_SOLSTICE = 10.0
"""Days from the winter solstice to the new year."""

SOLAR_CONSTANT = 1361.0
"""W m-2 (Kopp and Lean 2011, doi 10.1029/2010GL045777)."""

MIN_AMPLITUDE = 4.0
"""Smallest seasonal amplitude of temperature, K."""

CONTINENTALITY = (8.0, 25.0)
"""Amplitude below which precipitation has no seasonal cycle, and further amplitude over which
its swing grows by 1, K; chosen here."""

KNOTS_FROM = 25.0
"""Southernmost latitude of the lattice that carries the noise, degrees north."""


@dataclass(frozen=True)
class LocalClimate:
    """Climate normals of each cell.

    Attributes
    ----------
    mean : ndarray (cell,)
        Annual mean temperature, °C.
    amplitude : ndarray (cell,)
        Half the difference between July and January, K.
    precipitation : ndarray (cell,)
        Yearly precipitation, mm.
    """

    mean: np.ndarray
    amplitude: np.ndarray
    precipitation: np.ndarray

    def at(self, cells: np.ndarray | slice) -> LocalClimate:
        """Return the normals of some cells."""
        return LocalClimate(self.mean[cells], self.amplitude[cells], self.precipitation[cells])


@dataclass(frozen=True)
class Weather:
    """Monthly forcing of the columns.

    Attributes
    ----------
    temperature : ndarray (cell, month)
        Monthly mean air temperature, °C.
    precipitation : ndarray (cell, month)
        Monthly mean, kg m-2 s-1.
    nodes : ndarray (cell, month + 2)
        Air temperature at mid-month, with a month before and one after: `mid_month_values`.
    """

    temperature: np.ndarray
    precipitation: np.ndarray
    nodes: np.ndarray

    def months(self, first: int, end: int | None = None) -> Weather:
        """Return the months from `first` to before `end`."""
        end = self.temperature.shape[1] if end is None else end
        return Weather(
            self.temperature[:, first:end],
            self.precipitation[:, first:end],
            self.nodes[:, first : end + 2],
        )


def _stations() -> np.ndarray:
    path = files("mpcf.demo").joinpath("stations.csv")
    with path.open() as stream:
        return np.loadtxt(stream, delimiter=",", skiprows=3, usecols=range(1, 7))


def _predictors(lat: np.ndarray, lon: np.ndarray) -> np.ndarray:
    """Return the geographic predictors of climate (place, predictor)."""
    points_lat, points_lon = np.meshgrid(np.arange(30.5, 90), np.arange(-179.5, 180), indexing="ij")
    points_lat, points_lon = points_lat.ravel(), points_lon.ravel()
    shape = land()
    shapely.prepare(shape)
    is_land = shapely.contains_xy(shape, points_lon, points_lat).astype(float)
    far = distance(lat, lon, points_lat, points_lon)
    area = np.cos(np.radians(points_lat))
    west = (lon[:, None] - points_lon) % 360.0 < 180.0

    def share(weight):
        return (weight * area * is_land).sum(axis=1) / (weight * area).sum(axis=1)

    angle = np.radians(lon)
    return np.column_stack(
        [
            np.ones_like(lat),
            (lat - 60.0) / 10.0,
            ((lat - 60.0) / 10.0) ** 2,
            share(far < WEATHER.near),
            share((far < WEATHER.fetch) & west),
            np.cos(2 * (angle - np.radians(100.0))),
            np.cos(angle),
            np.sin(angle),
        ]
    )


def climate_at(lat: np.ndarray, lon: np.ndarray, stations: np.ndarray | None = None):
    """Return the climate of 1981-2010: ridge regression on geography, plus station residuals.

    Parameters
    ----------
    lat, lon : ndarray (place,)
        Degrees.
    stations : ndarray (station, 6), optional
        Latitude, longitude, annual mean, January and July temperature (°C), precipitation (mm).

    Returns
    -------
    LocalClimate
        Normals of the places.
    """
    stations = _stations() if stations is None else stations
    at_lat, at_lon = stations[:, 0], stations[:, 1]
    targets = np.column_stack(
        [stations[:, 2], 0.5 * (stations[:, 4] - stations[:, 3]), np.log(stations[:, 5])]
    )
    x_station, x_place = _predictors(at_lat, at_lon), _predictors(lat, lon)
    penalty = np.diag([0.0] + [WEATHER.ridge] * (x_station.shape[1] - 1))
    coefficients = np.linalg.solve(x_station.T @ x_station + penalty, x_station.T @ targets)
    residual = targets - x_station @ coefficients
    # Gaussian weights, and a background that pulls the residual to zero far from all stations.
    weight = np.exp(-0.5 * (distance(lat, lon, at_lat, at_lon) / WEATHER.station_reach) ** 2)
    near = weight @ residual / (weight.sum(axis=1, keepdims=True) + WEATHER.station_background)
    value = x_place @ coefficients + near
    return LocalClimate(value[:, 0], np.clip(value[:, 1], MIN_AMPLITUDE, None), np.exp(value[:, 2]))


def amplification(lat: np.ndarray) -> np.ndarray:
    """Return local warming per global warming.

    Parameters
    ----------
    lat : ndarray (cell,)
        Degrees.

    Returns
    -------
    ndarray (cell, 12)
        K K-1, by calendar month.

    Examples
    --------
    >>> amplification(np.array([70.0])).round(1)[0, [0, 6]]
    array([3.2, 1.6])
    """
    annual = np.interp(lat, WEATHER.amplification_lat, WEATHER.amplification)
    season = 1.0 + WEATHER.winter_amplification * np.cos(2 * np.pi * (MONTH_MIDDLE - 0.5 / 12))
    return annual[:, None] * season


def daily_insolation(lat: np.ndarray, days: np.ndarray) -> np.ndarray:
    """Return the daily-mean insolation at the top of the atmosphere.

    Parameters
    ----------
    lat : ndarray (cell,)
        Degrees.
    days : ndarray (day,)
        Days since the start of a 365-day year.

    Returns
    -------
    ndarray (cell, day)
        W m-2.

    References
    ----------
    Hartmann 1994, Global Physical Climatology, section 2.7 (circular orbit).
    """
    angle = 2 * np.pi * (days + DAYS_FROM_SOLSTICE) / DAYS_PER_YEAR
    declination = np.radians(-OBLIQUITY) * np.cos(angle)
    phi = np.radians(lat)[:, None]
    hour = np.arccos(np.clip(-np.tan(phi) * np.tan(declination), -1.0, 1.0))
    return (
        SOLAR_CONSTANT
        / np.pi
        * (
            hour * np.sin(phi) * np.sin(declination)
            + np.cos(phi) * np.cos(declination) * np.sin(hour)
        )
    )


def _knots(spacing: float) -> tuple[np.ndarray, np.ndarray]:
    """Return lat and lon of a Fibonacci lattice north of 25° N, about `spacing` (m) apart."""
    count = round(4 * np.pi * EARTH_RADIUS**2 / spacing**2)
    index = np.arange(count) + 0.5
    lat = np.degrees(np.arcsin(1.0 - 2.0 * index / count))
    lon = (index * 180.0 * (3.0 - np.sqrt(5.0))) % 360.0
    return lat[lat > KNOTS_FROM], lon[lat > KNOTS_FROM]


@numba.njit(parallel=True, cache=True, nogil=True)
def _mix(weights: np.ndarray, knots: np.ndarray) -> np.ndarray:
    """Return `knots` (knot, time) summed by `weights` (cell, knot), always in the same order."""
    cells, times = weights.shape[0], knots.shape[1]
    out = np.zeros((cells, times))
    for cell in numba.prange(cells):
        for knot in range(weights.shape[1]):
            w = weights[cell, knot]
            if w != 0.0:
                for time in range(times):
                    out[cell, time] += w * knots[knot, time]
    return out


def red_noise(
    rng: np.random.Generator,
    lat: np.ndarray,
    lon: np.ndarray,
    steps: int,
    length: float,
    persistence: float,
) -> np.ndarray:
    """Return Gaussian noise of unit variance, AR(1) in time and correlated in space.

    White noise at the knots of a lattice is smoothed by a Gaussian kernel (process convolution,
    Higdon 2002), so that the correlation over a distance d is exp(-(d/length)²).

    Parameters
    ----------
    rng : numpy.random.Generator
        Source of the white noise.
    lat, lon : ndarray (cell,)
        Degrees.
    steps : int
        Length of the series.
    length : float
        Correlation length, m.
    persistence : float
        Correlation from one step to the next.

    Returns
    -------
    ndarray (cell, step)
        Of standard deviation 1.
    """
    sigma = 0.5 * length
    knot_lat, knot_lon = _knots(sigma)
    far = distance(lat, lon, knot_lat, knot_lon)
    weights = np.where(far < 3.0 * sigma, np.exp(-0.5 * (far / sigma) ** 2), 0.0)
    weights /= np.sqrt((weights**2).sum(axis=1, keepdims=True))
    white = rng.standard_normal((knot_lat.size, steps))
    white[:, 1:] *= np.sqrt(1.0 - persistence**2)
    red = lfilter([1.0], [1.0, -persistence], white, axis=1)
    return _mix(weights, red)


def forcing(
    lat: np.ndarray,
    lon: np.ndarray,
    normals: LocalClimate,
    warming: np.ndarray,
    normals_warming: float,
    rng: np.random.Generator,
) -> Weather:
    """Return monthly temperature and precipitation of the cells.

    Temperature is normal - A cos(2π(t - t0)) + amplification · (warming - warming of the
    normals) + noise. Precipitation is lognormal about its normal, which grows with local
    warming.

    Parameters
    ----------
    lat, lon : ndarray (cell,)
        Degrees.
    normals : LocalClimate
        From `climate_at`.
    warming : ndarray (year,)
        Global-mean warming, K.
    normals_warming : float
        Its mean over the years of the station normals, K.
    rng : numpy.random.Generator
        Source of the noise.

    Returns
    -------
    Weather
        Of 12 months for each year of `warming`.
    """
    p = WEATHER
    years, cells = warming.size, lat.size
    cycle = np.cos(2 * np.pi * (MONTH_MIDDLE - p.coldest))
    local = amplification(lat)[:, None, :] * (warming - normals_warming)[None, :, None]
    noise = red_noise(rng, lat, lon, 12 * years, p.temperature_length, p.month_persistence)
    slow = red_noise(rng, lat, lon, years, p.temperature_length, p.year_persistence)
    # Standard deviation by month, largest in January.
    season = 0.5 * (p.noise_winter + p.noise_summer) + 0.5 * (
        p.noise_winter - p.noise_summer
    ) * np.cos(2 * np.pi * (MONTH_MIDDLE - p.coldest))
    noise = noise.reshape(cells, years, 12) + p.year_share * slow[:, :, None]
    temperature = (
        normals.mean[:, None, None]
        - normals.amplitude[:, None, None] * cycle
        + local
        + season * noise
    )
    wet = red_noise(rng, lat, lon, 12 * years, p.precipitation_length, 0.0)
    wet = wet.reshape(cells, years, 12)
    threshold, span = CONTINENTALITY
    swing = np.clip((normals.amplitude - threshold) / span, 0.0, p.summer_rain)[:, None, None]
    precipitation = (
        normals.precipitation[:, None, None]
        / (DAYS_PER_YEAR * SECONDS_PER_DAY)
        * (1.0 - swing * cycle)
        * np.exp(np.log1p(p.precipitation_per_kelvin) * local)
        * np.exp(p.precipitation_noise * wet - 0.5 * p.precipitation_noise**2)
    )
    temperature = temperature.reshape(cells, -1)
    return Weather(temperature, precipitation.reshape(cells, -1), mid_month_values(temperature))


def mid_month_values(monthly: np.ndarray) -> np.ndarray:
    """Return mid-month values whose linear interpolation has the given monthly means.

    Interpolating the monthly means themselves would cut off the peaks of the year. For months
    of equal length, the mean of a month is 1/8, 6/8 and 1/8 of the values of the month before, of
    the month itself and of the month after.

    Parameters
    ----------
    monthly : ndarray (cell, month)
        Monthly means, any unit.

    Returns
    -------
    ndarray (cell, month + 2)
        In the same unit, with one value before and one after.

    Examples
    --------
    >>> mid_month_values(np.array([[1.0, 1.0, 1.0]])).round(6)
    array([[1., 1., 1., 1., 1.]])
    """
    padded = np.pad(monthly, ((0, 0), (1, 1)), mode="edge")
    count = padded.shape[1]
    bands = np.empty((3, count))
    bands[0], bands[1], bands[2] = 0.125, 0.75, 0.125
    bands[1, 0] = bands[1, -1] = 0.875
    return np.ascontiguousarray(solve_banded((1, 1), bands, padded.T).T)
