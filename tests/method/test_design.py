"""One regression, one contribution: planted coefficients come back, whatever else is fitted."""

import numpy as np
import pytest
import xarray as xr

from mpcf.method.design import Design, petagrams, region_cells, summed_change
from mpcf.method.periods import Period

YEARS = np.arange(2000, 2040)
LATE = Period(2020, 2039)


def planted(extra=()):
    """Two fluxes with coefficients −3 and 2, and 1 and 0, on two predictors of five cells."""
    rng = np.random.default_rng(0)
    coords = {"predictor": ["moisture", "snow"], "member": range(3), "year": YEARS}
    shape = [len(v) for v in coords.values()]
    x = rng.normal(size=(*shape, 5)) + np.linspace(0, 2, YEARS.size)[:, None]
    x = xr.DataArray(x, coords, (*coords, "cell"))
    if extra:
        x = xr.concat([x, 10 * x], xr.Variable("meaning", list(extra)))
    b = xr.DataArray(
        [[-3.0, 2.0], [1.0, 0.0]],
        {"flux": ["nep", "gpp"], "predictor": coords["predictor"]},
        ("flux", "predictor"),
    )
    one = x.isel(meaning=0, drop=True) if extra else x
    return (b * one).sum("predictor"), x, b


@pytest.mark.parametrize("estimator", ["raw trend", "year effects", "first differences"])
def test_contribution_is_the_coefficient_times_the_change_since_the_base_period(estimator):
    y, x, b = planted()
    change = x.mean("member") - x.sel(year=slice(2000, 2014)).mean(("member", "year"))
    wanted = b * change.sel(year=slice(2020, 2039)).sum("year")
    design = Design(y, x, estimator)
    found = design.contributions(LATE)
    np.testing.assert_allclose(found.transpose(*wanted.dims), wanted, rtol=1e-8, atol=1e-9)
    whole = found.sum("predictor")
    np.testing.assert_allclose(whole.transpose("flux", "cell"), design.response_change(LATE))
    yearly = design.yearly_contributions(LATE)
    assert yearly["year"].values.tolist() == list(range(2020, 2040))
    by_year = yearly.mean("member").sum("year").transpose(*found.dims)
    np.testing.assert_allclose(by_year, found, rtol=1e-8, atol=1e-9)


def test_further_dimensions_are_kept():
    y, x, _ = planted(extra=("liquid", "total"))
    found = Design(y, x, "raw trend").contributions(LATE)
    assert set(found.dims) == {"flux", "meaning", "predictor", "cell"}
    # a coefficient of a tenth, times ten times the change
    one, ten = (found.sel(meaning=m) for m in ("liquid", "total"))
    np.testing.assert_allclose(one, ten, rtol=1e-8, atol=1e-9)


def test_only_years_of_the_response_up_to_the_end_are_fitted():
    y, x, b = planted()
    wrong = y.copy()
    wrong.loc[{"year": slice(2030, None)}] = 1e6
    early = Design(wrong, x, "raw trend").coefficients(Period(2000, 2029))
    np.testing.assert_allclose(early, b.broadcast_like(early), rtol=1e-8, atol=1e-9)
    wrong.loc[{"year": slice(None, 2019)}] = 1e6
    kept = Design(wrong.sel(year=slice(2020, 2029)), x, "raw trend")
    found = kept.coefficients(Period(2020, 2029))
    np.testing.assert_allclose(found, b.broadcast_like(found), rtol=1e-8, atol=1e-9)


def test_a_reference_replaces_the_base_period():
    y, x, b = planted()
    held = x - 1.0
    found = Design(y, x, "raw trend", reference=held).contributions(LATE)
    np.testing.assert_allclose(found, (20 * b).broadcast_like(found), rtol=1e-8, atol=1e-9)
    assert abs(summed_change(x, LATE, x)).max() < 1e-12


def test_cells_of_a_region_keep_their_area_and_values():
    region = xr.DataArray([[0.0, 2.0], [3.0, 0.0]], {"lat": [60, 70], "lon": [0, 90]})
    fields = xr.Dataset({"a": 2 * region, "b": ("member", [1.0, 2.0])})
    area, cells = region_cells(region, fields)
    assert area.values.tolist() == [2, 3] and cells["a"].values.tolist() == [4, 6]
    assert cells["b"].dims == ("member",)
    with pytest.raises(ValueError):
        region_cells(region, region.assign_coords(lat=[61, 70]))


def test_carbon_is_unknown_where_no_cell_has_a_value():
    area = xr.DataArray([1e15, 2e15], dims="cell")
    density = xr.DataArray([[1.0, np.nan], [np.nan, np.nan]], dims=("flux", "cell"))
    one, none = petagrams(density, area).values
    assert one == 1.0 and np.isnan(none)
