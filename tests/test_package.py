"""What a wheel of the package holds."""

import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
DATA = PROJECT["tool"]["setuptools"]["package-data"]


@pytest.mark.parametrize(("package", "pattern"), [(p, x) for p in DATA for x in DATA[p]])
def test_every_pattern_of_data_matches_a_file(package, pattern):
    assert list((ROOT / package.replace(".", "/")).glob(pattern))


def test_a_wheel_holds_every_file_of_the_package(tmp_path):
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "mpcf", tmp_path / "mpcf", ignore=ignored)
    for name in (
        "pyproject.toml",
        PROJECT["project"]["readme"],
        *PROJECT["project"]["license-files"],
    ):
        shutil.copy(ROOT / name, tmp_path)
    files = {p.relative_to(tmp_path).as_posix() for p in tmp_path.rglob("mpcf/**/*") if p.is_file()}
    code = "from setuptools import build_meta; build_meta.build_wheel('dist')"
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, check=True, capture_output=True)
    (wheel,) = (tmp_path / "dist").iterdir()
    held = set(zipfile.ZipFile(wheel).namelist())
    assert {name for name in held if name.startswith("mpcf/")} == files
    assert {
        "mpcf/ground/land-110m.geojson.gz",
        "mpcf/demo/stations.csv",
        "mpcf/demo/co2-emissions-1750-2014.csv",
    } <= held
