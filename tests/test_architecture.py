"""What the contributor's pages name is there: paths, modules, functions and tests."""

import importlib
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGES = ("README.md", "CONTRIBUTING.md", "SECURITY.md", "book/architecture.md", "book/api/index.md")
QUOTED = re.compile(r"(?<!`)`([^`\n]+)`(?!`)")
PATH = re.compile(
    r"(mpcf|tests|book|notebooks|evidence|benchmarks)/[\w./-]+|\.?\w[\w-]*\.(md|yml|toml)"
)
NAME = re.compile(r"mpcf(\.\w+)+")
TEST = re.compile(r"test_\w+")


def missing(text):
    """Return what a page names in backticks and what is not in the repository."""
    tests = "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / "tests").rglob("*.py"))
    found = []
    for quoted in [word for part in QUOTED.findall(text) for word in part.split()]:
        if NAME.fullmatch(quoted) and not resolves(quoted):
            found.append(quoted)
        elif PATH.fullmatch(quoted) and not (ROOT / quoted).exists():
            found.append(quoted)
        elif TEST.fullmatch(quoted) and f"def {quoted}(" not in tests:
            found.append(quoted)
    return found


def resolves(name):
    parts = name.split(".")
    for count in range(len(parts), 0, -1):
        try:
            found = importlib.import_module(".".join(parts[:count]))
        except ModuleNotFoundError:
            continue
        for part in parts[count:]:
            found = getattr(found, part, None)
        return found is not None
    return False


@pytest.mark.parametrize("page", PAGES)
def test_everything_that_a_page_names_is_there(page):
    assert missing((ROOT / page).read_text(encoding="utf-8")) == []


@pytest.mark.parametrize(
    "name",
    [
        "mpcf/method/none.py",
        "none.md",
        "mpcf.method.none",
        "mpcf.method.regression.none",
        "test_none",
    ],
)
def test_a_name_that_leads_nowhere_is_found(name):
    assert missing(f"`mpcf/errors.py`, `mpcf.errors.BookError` and `{name}`") == [name]


@pytest.mark.parametrize("page", ["CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md"])
def test_links_between_the_pages_of_the_repository_lead_somewhere(page):
    links = re.findall(r"\]\(([^)#]+)[^)]*\)", (ROOT / page).read_text(encoding="utf-8"))
    assert [link for link in links if "://" not in link and not (ROOT / link).exists()] == []
