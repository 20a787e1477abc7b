#!/usr/bin/env bash
# cf-xarray 0.11.3 with pint 0.25.3: the unit 'deg C' is taken for an angle times a temperature.
#
# Expected from memory: 'deg C' is one of the usual spellings of the degree Celsius in files of this
# field, so the registry that cf-xarray prepares for CF units converts it to kelvin by adding 273.15,
# or refuses it.
# Seen: it is parsed as a degree of arc times a difference of one degree Celsius. As an angle has no
# dimension, the conversion to kelvin succeeds without an error or a warning, with the factor pi/180:
# 10 'deg C' become 0.17 K, and 10 'degC' 283.15 K. 'degrees_celsius' is refused.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/python" -m pip install --quiet --disable-pip-version-check \
  cf-xarray==0.11.3 pint==0.25.3 xarray numpy
"$work/venv/bin/python" - <<'PYTHON' || { echo "the behaviour has changed" >&2; exit 1; }
import math
import warnings
from importlib.metadata import version

from cf_xarray.units import units

print("cf-xarray", version("cf-xarray"), "pint", version("pint"))
with warnings.catch_warnings():
    warnings.simplefilter("error")
    parsed = units.parse_units("deg C")
    found = (1.0 * parsed).to("K").magnitude
print("'deg C' is", parsed, "; 1 'deg C' in K:", found)
assert math.isclose(found, math.pi / 180), found
right = units.Quantity(10.0, "degC").to("K").magnitude
print("10 'degC' in K:", right)
assert math.isclose(right, 283.15), right
try:
    units.parse_units("degrees_celsius")
except Exception as error:
    print("'degrees_celsius':", type(error).__name__)
else:
    raise AssertionError("'degrees_celsius' is a unit now")
PYTHON
