"""What an installed package holds."""

import tomllib
from fnmatch import fnmatch
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
DATA = PROJECT["tool"]["setuptools"]["package-data"]


@pytest.mark.parametrize(("package", "pattern"), [(p, x) for p in DATA for x in DATA[p]])
def test_every_pattern_of_data_matches_a_file(package, pattern):
    assert list((ROOT / package.replace(".", "/")).glob(pattern))


def test_every_file_of_the_package_is_shipped():
    """A file that no pattern matches would be missing once the package is installed elsewhere."""
    (found,) = PROJECT["tool"]["setuptools"]["packages"]["find"]["include"]
    packages = {path.parent for path in (ROOT / "mpcf").rglob("__init__.py")}
    assert all(fnmatch(".".join(p.relative_to(ROOT).parts), found) for p in packages)
    code = {path for folder in packages for path in folder.glob("*.py")}
    data = {
        path
        for package, patterns in DATA.items()
        for pattern in patterns
        for path in (ROOT / package.replace(".", "/")).glob(pattern)
    }
    files = {p for p in (ROOT / "mpcf").rglob("*") if p.is_file() and "__pycache__" not in p.parts}
    assert code | data == files
    assert {path.name for path in data} == {
        "land-110m.geojson.gz",
        "stations.csv",
        "co2-emissions-1750-2014.csv",
    }
