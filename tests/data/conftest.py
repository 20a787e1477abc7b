"""Where the real records are."""

import os
from pathlib import Path

import pytest

from mpcf import errors
from mpcf.data import records

ROOT = Path(__file__).parents[2]


@pytest.fixture
def real_records(monkeypatch):
    """Return the folder of the real records, which may be absent; work beside the catalogue."""
    folder = os.environ.get("REALDATA_ROOT") or str(ROOT.parent / "shared" / "realdata")
    monkeypatch.setenv("REALDATA_ROOT", folder)
    monkeypatch.chdir(ROOT)
    return Path(folder)


@pytest.fixture
def record(real_records):
    """Return a function that opens a real record, or skips where there is none."""

    def open_tidy(name):
        try:
            return records.TIDY[name](records.open_record(name))
        except errors.RecordUnavailable as error:
            pytest.skip(f"no copy of the record: {error}")

    return open_tidy
