#!/usr/bin/env bash
# xclim 0.62.0: monthly rates stamped in mid-month, as in CMIP6, become wrong monthly amounts.
#
# Expected from memory: from such stamps xarray infers no frequency, so rate2amount refuses them with
# the error that its documentation describes, unless sampling_rate_from_coord=True is given.
# Seen: no error, no warning. xarray.infer_freq returns None instead of raising, and rate2amount takes
# the distance to the next stamp for the length of the month. In the calendar noleap January has 29.5
# days instead of 31 (-4.8 %) and February 29.5 instead of 28 (+5.4 %). The same rates stamped at the
# beginning of each month give the right amounts.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/python" -m pip install --quiet --disable-pip-version-check \
  xclim==0.62.0 xarray==2026.9.0 cftime
"$work/venv/bin/python" - <<'PYTHON' || { echo "the behaviour has changed" >&2; exit 1; }
import warnings
from importlib.metadata import version

import numpy as np
import xarray as xr

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # of the packages while they are imported
    from xclim.core.units import rate2amount

print("xclim", version("xclim"), "xarray", version("xarray"))
edges = xr.date_range("2001-01-01", periods=13, freq="MS", calendar="noleap", use_cftime=True).values
length = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]


def amounts(stamps):
    """Return monthly amounts of one kilogram per square metre and day."""
    rate = xr.DataArray(
        np.full(12, 1 / 86400), {"time": stamps}, "time", "pr", {"units": "kg m-2 s-1"}
    )
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        return rate2amount(rate, out_units="kg m-2").values


right = amounts(edges[:-1])
print("stamps at the beginning:", right.round(1))
np.testing.assert_allclose(right, length)
found = amounts(edges[:-1] + (edges[1:] - edges[:-1]) / 2)
print("stamps in the middle:   ", found.round(1))
np.testing.assert_allclose(found[:3], [29.5, 29.5, 30.5])
PYTHON
