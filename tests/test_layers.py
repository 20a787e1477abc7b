"""The layout of the package: a floor imports only from below, and there is no circle."""

import ast
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

from mpcf import closure

FLOORS = [
    "errors closure folders _numba_cache __init__",
    "ground",
    "data.variables data.phases",
    "data.readers",
    "data",
    "yearly",
    "demo",
    "method",
    "figures",
    "book",
    "pipeline",
    "__main__",
]
"""From the lowest up; the longest name that fits a module counts."""

MODULES = sorted(closure.ROOT.rglob("*.py"))


def name_of(path, root=closure.ROOT):
    """Return the dotted name of a module without the package's."""
    return ".".join(path.relative_to(root).with_suffix("").parts).removesuffix(".__init__")


def floor_of(name):
    level = {part: number for number, line in enumerate(FLOORS) for part in line.split()}
    parts = name.split(".")
    known = [".".join(parts[:count]) for count in range(len(parts), 0, -1)]
    return next(level[part] for part in known if part in level)


def upward(root=closure.ROOT):
    """Return the imports that lead to a higher floor."""
    return [
        f"{name_of(path, root)} -> {name_of(other, root)}"
        for path in sorted(root.rglob("*.py"))
        for other in closure.imported_files(path, root)
        if floor_of(name_of(other, root)) > floor_of(name_of(path, root))
    ]


def test_a_floor_imports_only_from_below():
    assert upward() == []


def test_an_upward_import_is_found(tmp_path):
    root = tmp_path / "mpcf"
    for name, text in {
        "ground/thaw.py": "def melt():\n    from mpcf.pipeline import site\n",
        "pipeline/site.py": "import mpcf.ground.thaw\n",
    }.items():
        (root / name).parent.mkdir(parents=True)
        (root / name).write_text(text)
    assert upward(root) == ["ground.thaw -> pipeline.site"]


def test_no_modules_import_each_other_in_a_circle():
    graph = {path: closure.imported_files(path) for path in MODULES}
    assert set(TopologicalSorter(graph).static_order()) >= set(graph)  # raises CycleError


def test_the_top_of_the_package_stays_small():
    assert len([path for path in MODULES if path.parent == closure.ROOT]) <= 6


@pytest.mark.parametrize("path", [p for p in MODULES if p.name == "__init__.py"], ids=name_of)
def test_an_init_only_passes_names_on(path):
    """So that a closure may leave out packages that a path merely passes through."""
    *body, last = ast.parse(path.read_text(encoding="utf-8")).body
    plain = (ast.Expr, ast.Import, ast.ImportFrom, ast.Assign)
    assert all(isinstance(statement, plain) for statement in [*body, last])


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_a_long_module_says_why(path):
    lines = path.read_text(encoding="utf-8").splitlines()
    head = " ".join(lines[:25])
    assert len(lines) <= 500 or "one module" in head, "split it, or say why it is one module"


def test_tests_mirror_the_package():
    tests = Path(__file__).parent
    folders = {p.relative_to(closure.ROOT) for p in closure.ROOT.rglob("*") if p.is_dir()}
    own = {p.relative_to(tests) for p in tests.rglob("*") if p.is_dir()}
    names = {"__pycache__", "golden"}
    assert {p for p in own if not names & set(p.parts)} <= folders
