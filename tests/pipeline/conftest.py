"""The quick book, built once a session by the command line, and a browser to look at it."""

import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
ARGUMENTS = [
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
]
CHAPTERS = sorted(path.stem for path in (ROOT / "notebooks").glob("*.ipynb"))


@dataclass
class Book:
    """A quick book in a build folder of its own."""

    parent: Path
    said: dict[str, str] = field(default_factory=dict)

    @property
    def folder(self):
        return self.parent / "demo-quick"

    def start(self):
        return subprocess.Popen(
            [sys.executable, "-m", "mpcf", "book", "--quick"],
            cwd=ROOT,
            env=os.environ | {"MPCF_BUILD": str(self.parent)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def make(self):
        run = self.start()
        out, error = run.communicate(timeout=1200)
        if run.returncode:
            pytest.fail(f"{out}{error[error.rfind('error: ') :]}", pytrace=False)
        return out

    def kill_when(self, happened):
        """Start a build and kill it, with SIGKILL, as soon as something has happened."""
        run = self.start()
        try:
            while not happened():
                assert run.poll() is None, run.communicate()
                time.sleep(0.05)
        finally:
            run.send_signal(signal.SIGKILL)
            run.communicate()


@pytest.fixture(scope="session")
def book(tmp_path_factory):
    """The quick book, built by a run that was killed in chapter 3 and one that resumed."""
    book = Book(tmp_path_factory.mktemp("build"))
    book.kill_when((book.folder / "stamps" / "03-moisture-trends.json").is_file)
    assert not (book.folder / "html").exists()
    book.said["after the kill"] = book.make()
    book.said["again"] = book.make()
    return book


@pytest.fixture(scope="session")
def html(request):
    """Folder of the site to look at: MPCF_SITE, or the quick book's."""
    named = os.environ.get("MPCF_SITE")
    return Path(named).absolute() if named else request.getfixturevalue("book").folder / "html"


@pytest.fixture(scope="session")
def browser():
    sync_api = pytest.importorskip("playwright.sync_api")
    program = next(filter(None, map(shutil.which, BROWSERS)), None)
    if program is None:
        message = f"no browser found; looked for {', '.join(BROWSERS)}"
        if os.environ.get("MPCF_REQUIRE_BROWSER"):
            pytest.fail(message)
        pytest.skip(message)
    with sync_api.sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=program, args=ARGUMENTS)
        yield started
        started.close()
