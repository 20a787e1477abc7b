"""Ridge: the long-hand solution, least squares without penalty, predictors that are alike."""

import numpy as np
import pytest
import xarray as xr

from mpcf.method import shrinkage
from mpcf.method.regression import coefficients, transform
from mpcf.method.shrinkage import ridge_coefficients


def world(noise, alike, seed=0):
    rng = np.random.default_rng(seed)
    dims, shape = ("member", "year", "cell"), (6, 40, 5)
    one = rng.normal(size=shape)
    two = alike * one + np.sqrt(1 - alike**2) * rng.normal(size=shape)
    x = xr.DataArray(np.stack([one, 10 * two]), dims=("predictor", *dims))
    x = x.assign_coords(predictor=["moisture", "temperature"])
    y = 2 * one + noise * rng.normal(size=shape)
    return xr.DataArray(y[None], {"flux": ["nep"]}, ("flux", *dims)), x


def test_coefficients_are_those_of_the_normal_equations_with_the_chosen_penalty():
    y, x = world(noise=3.0, alike=0.95)
    found = ridge_coefficients(y, x)
    penalty = found.attrs["penalty"]
    for cell in range(5):
        left = transform(y, "raw trend").isel(cell=cell).values.reshape(-1)
        right = transform(x, "raw trend").isel(cell=cell).values.reshape(2, -1).T
        spread = np.sqrt((right**2).mean(axis=0))
        z, n = right / spread, len(left)
        by_hand = np.linalg.solve(z.T @ z / n + penalty * np.eye(2), z.T @ left / n) / spread
        np.testing.assert_allclose(found.isel(flux=0, cell=cell), by_hand, rtol=1e-9)


def test_without_a_penalty_it_is_least_squares(monkeypatch):
    monkeypatch.setattr(shrinkage, "PENALTIES", (0.0,))
    y, x = world(noise=1.0, alike=0.5)
    plain = coefficients(y, x, "raw trend").transpose("flux", "predictor", "cell")
    np.testing.assert_allclose(ridge_coefficients(y, x), plain, rtol=1e-9)


def test_nearly_equal_predictors_are_penalised_and_clear_ones_are_not():
    assert ridge_coefficients(*world(noise=8.0, alike=0.999)).attrs["penalty"] > 0
    assert ridge_coefficients(*world(noise=0.1, alike=0.0)).attrs["penalty"] == 0.0


def test_a_constant_predictor_and_a_gap_are_not_fitted():
    y, x = world(noise=1.0, alike=0.0)
    x[0, :, :, 1] = 7.0
    y[0, 2, 3, 2] = np.nan
    found = ridge_coefficients(y, x)
    assert found.isel(cell=[1, 2]).isnull().all() and found.isel(cell=[0, 3, 4]).notnull().all()
    assert ridge_coefficients(y.isel(member=[0]), x.isel(member=[0])).attrs["penalty"] == 0.0


@pytest.mark.parametrize("estimator", ["year effects", "first differences", "decadal band"])
def test_every_estimator_can_be_shrunk(estimator):
    y, x = world(noise=0.5, alike=0.3)
    x = x.assign_coords(year=np.arange(40))
    y = y.assign_coords(year=np.arange(40))
    found = ridge_coefficients(y, x, estimator).sel(predictor="moisture")
    np.testing.assert_allclose(found, 2.0, atol=0.5)
