#!/usr/bin/env bash
# yac 3.21.0 (Python wheel): imports only where an MPI library is installed, which nothing declares.
#
# Expected from memory: a wheel for manylinux brings the libraries that it needs, and what it needs
# beyond them is in its metadata. Its metadata ask for numpy alone, and mpi4py only for the extra
# 'full'. So 'pip install yac' gives a package that can compute conservative weights.
# Seen: 'import yac' fails with 'libmpi.so.40: cannot open shared object file' after printing 'Your
# PYTHONPATH probably points to the source directory of yac/python', which is not the cause. The
# wheel brings netCDF and HDF5, but not Open MPI.
set -euo pipefail
if ldconfig -p 2>/dev/null | grep -q 'libmpi\.so\.40'; then
  echo "this machine has Open MPI: nothing to see" >&2
  exit 0
fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/python" -m pip install --quiet --disable-pip-version-check yac==3.21.0
"$work/venv/bin/python" - <<'PYTHON' || { echo "the behaviour has changed" >&2; exit 1; }
from importlib.metadata import requires, version

needed = [text for text in requires("yac") if "extra ==" not in text]
print("yac", version("yac"), "requires", needed)
assert needed == ["numpy"], needed
try:
    import yac  # noqa: F401
except ImportError as error:
    print("import yac:", error)
    assert "libmpi.so.40" in str(error), error
else:
    raise AssertionError("yac imports now")
PYTHON
