#!/usr/bin/env bash
# intake-esm 2025.12.12: a catalogue's table is taken from the working directory if one is there.
#
# Expected from memory: a relative 'catalog_file' is relative to the catalogue's own JSON file, as
# the published catalogues use it.
# Seen: it is looked for in the working directory first. If a file of that name is there, as when one
# works beside another catalogue (both names are usually catalog.csv), its rows are read instead:
# other data, without an error or a warning. Only otherwise the table beside the JSON file is read.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/python" -m pip install --quiet --disable-pip-version-check intake-esm==2025.12.12
cd "$work"
"$work/venv/bin/python" - <<'PYTHON' || { echo "the behaviour has changed" >&2; exit 1; }
import json
import os
import warnings
from importlib.metadata import version
from pathlib import Path

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # of the packages while they are imported
    import intake_esm

print("intake-esm", version("intake-esm"))
for folder, member in (("archive", "r1i1p1f1"), ("desk", "r9i1p1f1")):
    Path(folder).mkdir()
    Path(folder, "catalog.csv").write_text(f"variable_id,member_id,path\ntsl,{member},tsl.nc\n")
document = {
    "esmcat_version": "0.1.0",
    "id": "archive",
    "catalog_file": "catalog.csv",
    "attributes": [{"column_name": "variable_id"}, {"column_name": "member_id"}],
    "assets": {"column_name": "path", "format": "netcdf"},
}
catalogue = Path("archive", "catalog.json").absolute()
catalogue.write_text(json.dumps(document))
found = {}
for folder in (".", "desk"):
    os.chdir(folder)
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        found[folder] = intake_esm.esm_datastore(str(catalogue)).df["member_id"].tolist()
print("members, from elsewhere:", found["."], "; from beside another table:", found["desk"])
assert found == {".": ["r1i1p1f1"], "desk": ["r9i1p1f1"]}, found
PYTHON
