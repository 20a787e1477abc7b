"""The build folder: where it is, one build at a time, whole files."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from mpcf import folders


@pytest.fixture
def book(tmp_path, monkeypatch):
    (tmp_path / "catalog.yml").touch()
    (tmp_path / "notebooks").mkdir()
    monkeypatch.delenv("MPCF_BUILD", raising=False)
    monkeypatch.chdir(tmp_path / "notebooks")
    return tmp_path


def test_build_folder_is_beside_the_nearest_catalogue(book):
    assert folders.project_root() == book
    assert folders.build_dir("demo") == book / "_build" / "demo"
    assert folders.build_dir("demo", quick=True) == book / "_build" / "demo-quick"
    assert not (book / "_build").exists()


def test_variable_moves_the_build_folder(book, monkeypatch):
    monkeypatch.setenv("MPCF_BUILD", "elsewhere")
    assert folders.build_dir("demo") == Path.cwd() / "elsewhere" / "demo"


def test_outside_a_book_the_error_says_what_to_do(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(FileNotFoundError, match=r"no catalog\.yml .* run this inside"):
        folders.project_root()


@pytest.mark.parametrize("name", ["../demo", "a/b", "", ".", "$(rm -rf x)", "demo-quick"])
def test_names_that_lead_elsewhere_are_refused(book, name):
    with pytest.raises(ValueError, match="can't name a folder"):
        folders.build_dir(name)


HOLD = """
import sys
from mpcf import folders
with folders.lock(sys.argv[1]):
    print("held", flush=True)
    sys.stdin.readline()
"""


def test_second_build_is_refused_at_once_and_a_killed_one_leaves_no_lock(tmp_path):
    command = [sys.executable, "-c", HOLD, str(tmp_path / "demo")]
    first = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        assert first.stdout.readline() == "held\n"
        second = subprocess.run(command, capture_output=True, text=True, timeout=60, input="")
        assert second.returncode == 1
        assert "another build is running" in second.stderr
    finally:
        first.send_signal(signal.SIGKILL)
        first.communicate()
    with folders.lock(tmp_path / "demo"):
        pass


WRITE = """
import sys
from mpcf import folders
for number in range(10**9):
    folders.write_atomic(sys.argv[1], f"{number}\\n" * 50_000)
"""


def test_file_is_whole_after_a_kill(tmp_path):
    path = tmp_path / "numbers.json"
    writer = subprocess.Popen([sys.executable, "-c", WRITE, str(path)])
    try:
        while not path.exists():
            assert writer.poll() is None
        writer.kill()
    finally:
        writer.kill()
        writer.wait()
    lines = path.read_text().splitlines()
    assert len(lines) == 50_000
    assert len(set(lines)) == 1


def test_failed_write_leaves_the_old_file_and_nothing_beside_it(tmp_path):
    path = tmp_path / "numbers.json"
    folders.write_atomic(path, "old")
    with pytest.raises(UnicodeEncodeError):
        folders.write_atomic(path, "\ud800")
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["numbers.json"]


def folder(path, text):
    path.mkdir()
    (path / "index.html").write_text(text)
    return path


def test_finished_folder_takes_the_place_of_the_old_one(tmp_path):
    final = folder(tmp_path / "html", "old")
    folders.replace_dir(folder(tmp_path / "new", "new"), final)
    assert (final / "index.html").read_text() == "new"
    assert os.listdir(tmp_path) == ["html"]


def test_kill_between_the_two_renames_is_repaired(tmp_path):
    final = folder(tmp_path / "html", "old")
    final.rename(tmp_path / ".html.old")
    folders.restore_dir(final)
    assert (final / "index.html").read_text() == "old"
    folders.replace_dir(folder(tmp_path / "new", "new"), final)
    assert (final / "index.html").read_text() == "new"
