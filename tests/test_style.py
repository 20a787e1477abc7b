"""The sources pass the checks that the pre-commit hooks run."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
MODULES = sorted(str(path) for path in (ROOT / "mpcf").rglob("*.py"))


@pytest.mark.parametrize(
    "arguments",
    [
        ("ruff", "check", "."),
        ("ruff", "format", "--check", "."),
        ("numpydoc", "lint", *MODULES),
    ],
    ids=["ruff check", "ruff format", "numpydoc"],
)
def test_sources_pass(arguments):
    done = subprocess.run(
        [sys.executable, "-m", *arguments], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
