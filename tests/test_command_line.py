"""What the commands print, and how make and git use them."""

import re
import shutil
import socket
import subprocess
import threading
from pathlib import Path
from urllib.request import urlopen

import pytest

from mpcf import __main__
from mpcf.pipeline import runs, site
from mpcf.pipeline.runs import Run

ROOT = Path(__file__).parents[1]


@pytest.fixture
def book(tmp_path, monkeypatch):
    """Return the build folder of a book in which nothing is made."""
    shutil.copy(ROOT / "catalog.yml", tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MPCF_BUILD", str(tmp_path / "built"))
    monkeypatch.delenv("IRCC_DATA", raising=False)
    return tmp_path / "built"


@pytest.fixture
def made(book):
    """Return the build folder of a book whose site is one page."""
    (book / "demo" / "html").mkdir(parents=True)
    (book / "demo" / "html" / "index.html").write_text("a page")
    return book


def free_port():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]


def refused(capsys, *arguments):
    assert __main__.main(["serve", *arguments]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    return line


def test_site_is_served(made):
    port = free_port()
    with site.server(Run(), port) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        with urlopen(f"http://127.0.0.1:{port}/index.html", timeout=10) as answer:
            assert answer.read() == b"a page"
        server.shutdown()


def test_port_in_use_names_another(made, capsys):
    with site.server(Run(), port := free_port()):
        line = refused(capsys, "--port", str(port))
    assert f"port {port} can't be used (Address already in use)" in line
    assert line.endswith("make PORT=8000 serve")


@pytest.mark.parametrize("port", ["0", "65536", "99999"])
def test_port_out_of_range_is_refused(made, capsys, port):
    assert refused(capsys, "--port", port).startswith(f"error: there is no port {port}; ")


def test_site_that_is_not_made_names_what_makes_it(book, capsys):
    assert refused(capsys).endswith("make it with: make book")
    line = refused(capsys, "--source", "ircc", "--quick")
    assert line.endswith("make it with: make book SOURCE=ircc QUICK=1")
    assert "did you mean ircc" in refused(capsys, "--source", "irrc")


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ("--set models=[a]", "expected a list such as []; write --set \"models=['a']\""),
        ("--set models=a,b", "write --set \"models=['a', 'b']\""),
        ("--set models=['a']", "the catalogue has no entry 'a'"),
        ("-p models a", "there is no option -p; write --set \"models=['a']\""),
        ("-p depth 1.0 -p uptake nep", "write --set depth=1.0 --set uptake=nep"),
    ],
)
def test_a_setting_in_another_spelling_is_answered_with_the_right_one(
    book, capsys, monkeypatch, given, text
):
    defaults = {"models": [], "depth": 3.0, "uptake": "nep"}
    monkeypatch.setattr(runs, "parameters", lambda: {"09-across-models": defaults})
    assert __main__.main(["book", *given.split(" ")]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert text in line


def test_one_error_is_one_error(book, capsys):
    assert __main__.main(["check", "ircc"]) == 1
    assert capsys.readouterr().out.splitlines()[-1] == "ircc: 1 error"


@pytest.mark.skipif(not shutil.which("make"), reason="there is no make")
@pytest.mark.parametrize(("setting", "quick"), [("1", True), ("0", False), ("", False)])
def test_make_takes_quick_by_its_value(setting, quick):
    command = ["make", "-n", "-C", str(ROOT), "book", f"QUICK={setting}"]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert ("--quick" in said) == quick
    assert "-m mpcf book --source demo" in said


@pytest.mark.skipif(not (ROOT / ".git").exists(), reason="there is no git repository")
def test_git_ignores_the_folders_that_the_pages_tell_to_make():
    pages = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "book").glob("*.md"))
    folders = re.findall(r"mpcf export .* (\S+)\n|simulate\(\"([^\"]+)\"", pages)
    names = sorted({exported or simulated for exported, simulated in folders})
    assert names == ["exported-cesm", "exported-cmip6", "my-data"]
    command = ["git", "-C", str(ROOT), "check-ignore", *(f"{name}/x.nc" for name in names)]
    ignored = subprocess.run(command, capture_output=True, text=True, check=False).stdout
    assert len(ignored.split()) == len(names)
