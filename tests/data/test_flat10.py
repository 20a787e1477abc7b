"""CMIP7 runs of flat10MIP, with branded variable names, on a copy of their layout."""

import pytest

from mpcf.data import local_catalogue
from mpcf.yearly.reduction import to_yearly

from . import archive_layouts as layouts
from .test_archives import YEARS, assert_same_years, book, expected, opened, part, set_phases

__all__ = ["book", "expected", "part"]  # fixtures

SECOND = {"flat10_zec": "esm-flat10-zec", "flat10_cdr": "esm-flat10-cdr"}
LEFT_OUT = {"flat10_zec": 1, "flat10_cdr": 0}


@pytest.mark.parametrize("name", SECOND)
def test_flat10_is_read_by_branded_names(book, part, expected, monkeypatch, name):
    """A run without mitigation has no chapter 9."""
    runs = {"esm-flat10": (1850, 1850, 0), SECOND[name]: (1851, 1849 + YEARS, 0)}
    layouts.write_cmip(
        layouts.shifted(part.isel(member=[0]), 1850),
        book / "flat10",
        "NorESM3-LM",
        runs,
        era="CMIP7",
    )
    place, _ = local_catalogue.write_catalogue(book / "flat10")
    monkeypatch.setenv(f"{name.upper()}_CATALOG", str(place))
    phases = {"warming": [1850, 1850], "net-zero": [1851, 1852]}
    if name == "flat10_cdr":
        phases = {"warming": [1850, 1850], "mitigation": [1851, 1851], "net removal": [1852, 1852]}
    set_phases(book, name, phases)
    monthly, findings = opened(name)
    assert len([f for f in findings if f.status != "ok"]) == LEFT_OUT[name]
    assert_same_years(to_yearly(monthly.load()), expected.isel(member=[0]), ["warming"])
