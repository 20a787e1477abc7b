"""Local climate and internal variability."""

import numpy as np
import pytest

from mpcf.demo import weather
from mpcf.ground.geography import distance, grid


@pytest.mark.parametrize(
    "name, lat, lon, mean",
    [
        ("Yakutsk", 62.0, 129.7, -8.8),
        ("Utqiagvik", 71.3, -156.8, -11.2),
        ("Fairbanks", 64.8, -147.7, -2.4),
        ("Moscow", 55.8, 37.6, 5.8),
        ("Churchill", 58.7, -94.1, -6.5),
    ],
)
def test_climate_of_known_stations(name, lat, lon, mean):
    found = weather.climate_at(np.array([lat]), np.array([lon]))
    assert found.mean[0] == pytest.approx(mean, abs=2.0), name


def test_a_station_left_out_is_predicted_to_two_kelvin():
    stations = weather._stations()
    errors = []
    for index in range(0, len(stations), 5):
        lat, lon, mean = stations[index, :3]
        others = np.delete(stations, index, axis=0)
        found = weather.climate_at(np.array([lat]), np.array([lon]), others)
        errors.append(found.mean[0] - mean)
    assert np.sqrt(np.mean(np.square(errors))) < 2.5


def test_noise_has_the_stated_variance_persistence_and_length():
    lat, lon = np.array([60.0, 60.0, 75.0]), np.array([0.0, 20.0, 150.0])
    noise = weather.red_noise(np.random.default_rng(4), lat, lon, 40000, 1.8e6, 0.3)
    np.testing.assert_allclose(noise.std(axis=1), 1.0, atol=0.03)
    lagged = (noise[:, 1:] * noise[:, :-1]).mean(axis=1)
    np.testing.assert_allclose(lagged, 0.3, atol=0.03)
    far = distance(lat[:1], lon[:1], lat[1:2], lon[1:2])[0, 0]
    together = (noise[0] * noise[1]).mean()
    assert together == pytest.approx(np.exp(-((far / 1.8e6) ** 2)), abs=0.06)
    assert abs((noise[0] * noise[2]).mean()) < 0.1


def test_insolation_in_polar_night_and_day():
    june, december = weather.daily_insolation(np.array([75.0]), np.array([171.5, 354.5]))[0]
    assert december == 0.0
    assert june == pytest.approx(520.0, abs=25.0)


def test_warming_is_amplified_and_increases_precipitation():
    where = grid(8.0, 10.0)
    lat, lon = where.cell_lat, where.cell_lon
    normals = weather.climate_at(lat, lon)
    cold = weather.forcing(lat, lon, normals, np.zeros(20), 0.0, np.random.default_rng(1))
    warm = weather.forcing(lat, lon, normals, np.ones(20), 0.0, np.random.default_rng(1))
    change = (warm.temperature - cold.temperature).mean(axis=1)
    assert change.min() > 1.4 and change.max() < 2.6
    wetter = warm.precipitation.mean() / cold.precipitation.mean()
    assert 1.05 < wetter < 1.13
