#!/usr/bin/env bash
# uxarray 2026.10.0: cells of a latitude-longitude grid get the area of great-circle polygons.
#
# Expected from memory: Grid.from_structured knows that the cells are bounded by parallels, so
# face_areas are those of the model: R² (sin φ2 − sin φ1) (λ2 − λ1).
# Seen: the parallels are replaced by great circles through the corners. The sum over the globe is
# right, so the usual check passes, but rows of 9° by 10° are between 0.50 % too small, next to the
# poles, and 0.25 % too large, at the equator; all of the land north of 45° N together is 0.31 % too
# small. Permafrost areas and carbon sums inherit this.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/python" -m pip install --quiet --disable-pip-version-check \
  uxarray==2026.10.0 xarray==2026.9.0
"$work/venv/bin/python" - <<'PYTHON' || { echo "the behaviour has changed" >&2; exit 1; }
import warnings
from importlib.metadata import version

import numpy as np

warnings.simplefilter("ignore")
import uxarray

print("uxarray", version("uxarray"))
lat, lon = np.linspace(-85.5, 85.5, 20), np.arange(5.0, 360.0, 10.0)
areas = uxarray.Grid.from_structured(lon=lon, lat=lat).face_areas.values.reshape(20, 36)
height = np.sin(np.radians(lat + 4.5)) - np.sin(np.radians(lat - 4.5))
exact = np.repeat((height * np.radians(10.0))[:, None], 36, axis=1)
print("sum over the globe / 4 pi:", areas.sum() / (4 * np.pi))
np.testing.assert_allclose(areas.sum(), 4 * np.pi, rtol=1e-6)
wrong = 100 * (areas / exact - 1)
print("% by row, south to north:", wrong[:, 0].round(2))
np.testing.assert_allclose(wrong[[0, 9, 10, -1], 0], [-0.50, 0.25, 0.25, -0.50], atol=0.01)
north = 100 * (areas[lat > 45].sum() / exact[lat > 45].sum() - 1)
print("north of 45° N together, %:", round(north, 2))
PYTHON
