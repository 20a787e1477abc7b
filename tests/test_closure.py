"""The files that an import reaches, on a small package."""

import pytest

from mpcf import closure

FILES = {
    "__init__.py": "",
    "errors.py": "",
    "ground/__init__.py": "from mpcf.ground.land import area",
    "ground/land.py": "area = 1",
    "ground/land.json": "{}",
    "ground/.hidden": "",
    "ground/thaw.py": "def melt():\n    from mpcf.ground import heat\n    import mpcf.errors\n",
    "ground/heat.py": "import numpy\n",
    "typed.py": (
        "import typing\nfrom typing import TYPE_CHECKING\n"
        "if TYPE_CHECKING:\n    from mpcf.ground import heat\n"
        "if typing.TYPE_CHECKING:\n    import mpcf.errors\n"
        "else:\n    import mpcf.other\n"
    ),
    "other.py": "if not TYPE_CHECKING:\n    import mpcf.last\n",
    "last.py": "",
}


@pytest.fixture
def root(tmp_path):
    root = tmp_path / "mpcf"
    for name, text in FILES.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root


def reached(root, *sources):
    return [path.relative_to(root).as_posix() for path in closure.reached(sources, root)]


def test_imports_inside_a_function_count(root):
    found = reached(root, "from mpcf.ground.thaw import melt")
    assert found == ["errors.py", "ground/heat.py", "ground/land.json", "ground/thaw.py"]


def test_imports_for_types_alone_do_not_count(root):
    assert "ground/heat.py" not in reached(root, "import mpcf.typed")
    assert "errors.py" not in reached(root, "import mpcf.typed")


def test_what_stands_in_the_place_of_imports_for_types_counts(root):
    assert reached(root, "import mpcf.typed") == ["last.py", "other.py", "typed.py"]


def test_data_beside_a_reached_module_count_but_not_those_of_other_folders(root):
    assert reached(root, "import mpcf.ground.heat") == ["ground/heat.py", "ground/land.json"]
    assert reached(root, "import mpcf.errors") == ["errors.py"]


def test_a_name_taken_from_a_package_counts_its_init(root):
    found = reached(root, "from mpcf.ground import area")
    assert found == ["ground/__init__.py", "ground/land.json", "ground/land.py"]


def test_other_packages_and_code_without_imports_reach_nothing(root):
    assert reached(root, "import numpy", "1 + 1", "from . import x") == []


def test_an_edit_of_a_module_is_noticed_in_the_same_process(root):
    assert reached(root, "import mpcf.errors") == ["errors.py"]
    (root / "errors.py").write_text("import mpcf.other\n")
    assert reached(root, "import mpcf.errors") == ["errors.py", "last.py", "other.py"]


def test_the_digest_changes_with_content_and_place_alone(root):
    path = root / "ground" / "heat.py"
    before = closure.digest([path], root)
    path.touch()
    assert closure.digest([path], root) == before
    moved = path.rename(root / "heat.py")
    assert closure.digest([moved], root) != before
    path = moved.rename(path)
    path.write_text("import numpy  # a word\n")
    assert closure.digest([path], root) != before
