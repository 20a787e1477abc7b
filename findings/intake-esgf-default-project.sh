#!/usr/bin/env bash
# intake-esgf 2026.9.28: a search that names no project finds CMIP7 alone, and knows no member_id.
#
# Expected from memory: CMIP6 is the project of intake-esgf's examples and the default of its
# catalogue, so a search for experiment_id="esm-bell-1000PgC" or table_id="Lmon" looks into CMIP6 and
# needs no 'project'; projects differ in their vocabulary, but a model's run is a member_id in each.
# Seen: since 2026.9.4 the configuration has 'default_project: CMIP7', which is added to every search
# without one. Facets of CMIP6 alone (table_id, member_id) are then asked of CMIP7, where a variable is
# variable_id with variable_branding_suffix (in the files' own attributes it is branding_suffix), and
# the run is variant_label. In the versions that still install on Python 3.11 (2025.10.22) the default
# is CMIP6: the same line finds other data on another Python.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export HOME="$work"
for python in python3.14 python3.13 python3.12; do
  "$python" -c "" 2>/dev/null && break
done  # it needs 3.12 or newer
"$python" -m venv "$work/venv"
"$work/venv/bin/python" -m pip install --quiet --disable-pip-version-check intake-esgf==2026.9.28
"$work/venv/bin/python" - <<'PYTHON' || { echo "the behaviour has changed" >&2; exit 1; }
from importlib.metadata import version

import pandas as pd

import intake_esgf
from intake_esgf import ESGFCatalog
from intake_esgf.projects import projects

print("intake-esgf", version("intake-esgf"), "default:", intake_esgf.conf["default_project"])
assert intake_esgf.conf["default_project"] == "CMIP7"
asked = []


class Index:
    """Stands in for the servers: notes what it is asked for and finds nothing."""

    def search(self, **facets):
        asked.append(facets)
        return pd.DataFrame([])


catalogue = ESGFCatalog()
catalogue.indices = [Index()]
try:
    catalogue.search(experiment_id="esm-bell-1000PgC", table_id="Lmon", quiet=True)
except Exception as error:
    print("nothing found:", type(error).__name__)
print("asked:", asked[0])
assert asked[0]["project"] == "CMIP7" and asked[0]["table_id"] == "Lmon"
new, old = projects["cmip7"], projects["cmip6"]
print("CMIP6:", old.variant_facet(), "; CMIP7:", new.variant_facet(), new.master_id_facets())
assert (old.variant_facet(), new.variant_facet()) == ("member_id", "variant_label")
assert "variable_branding_suffix" in new.master_id_facets()
assert "branding_suffix" not in new.master_id_facets()
PYTHON
