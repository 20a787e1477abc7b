#!/usr/bin/env bash
# xarray 2026.9.0 with numbagg 0.9.6: without numbagg there is no ffill, though bottleneck is there.
#
# Expected from memory: xarray uses bottleneck where it is installed (use_bottleneck is on), and
# numbagg in preference to it; set_options(use_numbagg=False), set because numbagg compiles for
# seconds in each process, leaves ffill and bfill to bottleneck.
# Seen: use_bottleneck is off by default, and only the two options are asked whether ffill is allowed.
# Where numbagg was never installed, ffill takes bottleneck, because use_numbagg is on; with
# set_options(use_numbagg=False) it raises a RuntimeError, whether numbagg is installed or not. It
# works with use_bottleneck=True beside it.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/python" -m pip install --quiet --disable-pip-version-check \
  xarray==2026.9.0 bottleneck==1.6.0
cat > "$work/fill.py" <<'PYTHON'
from importlib.metadata import version
from importlib.util import find_spec

import numpy as np
import xarray as xr

has_numbagg = find_spec("numbagg") is not None
print("xarray", version("xarray"), "bottleneck", version("bottleneck"), "numbagg", has_numbagg)
gaps = xr.DataArray([1.0, np.nan, 3.0], dims="time")
print("use_bottleneck by default:", xr.get_options()["use_bottleneck"])
assert xr.get_options()["use_bottleneck"] is False
assert gaps.ffill("time").values.tolist() == [1.0, 1.0, 3.0]
with xr.set_options(use_numbagg=False, use_bottleneck=True):
    assert gaps.ffill("time").values.tolist() == [1.0, 1.0, 3.0]
try:
    with xr.set_options(use_numbagg=False):
        gaps.ffill("time")
except RuntimeError as error:
    print("use_numbagg=False:", error)
else:
    raise AssertionError("ffill works without numbagg")
PYTHON
"$work/venv/bin/python" "$work/fill.py" || { echo "the behaviour has changed" >&2; exit 1; }
"$work/venv/bin/python" -m pip install --quiet --disable-pip-version-check numbagg==0.9.6
"$work/venv/bin/python" "$work/fill.py" || { echo "the behaviour has changed" >&2; exit 1; }
