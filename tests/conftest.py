"""Fixtures shared by all tests."""

import os
import shutil
import signal
from pathlib import Path

import hypothesis
import pytest

# An example may take long on a busy machine.
hypothesis.settings.register_profile("patient", deadline=None)
hypothesis.settings.load_profile("patient")
# A shell that runs the tests in the background has them, and all that they start, ignore Ctrl-C.
signal.signal(signal.SIGINT, signal.default_int_handler)

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def paper_data() -> Path:
    """Folder of the authors' published files: beside the repository, or fetched into it."""
    for folder in (ROOT.parent / "shared" / "paper-data", ROOT / "data" / "published"):
        if (folder / "Mumax3_simulations").is_dir():
            return folder
    pytest.skip("the authors' data are not here: run 'spinode fetch paper'")


@pytest.fixture(scope="session")
def browser():
    """A headless Chromium, Debian's or the one that SPINODE_CHROMIUM names."""
    playwright = pytest.importorskip("playwright.sync_api", reason="no playwright: .[browser]")
    path = os.environ.get("SPINODE_CHROMIUM") or shutil.which("chromium")
    if not path:
        pytest.skip("no chromium here: name one by SPINODE_CHROMIUM")
    quiet = ("background-networking", "component-update", "sync", "quic", "gpu")
    flags = ["--no-sandbox", "--no-first-run", *(f"--disable-{name}" for name in quiet)]
    with playwright.sync_playwright() as session:
        chromium = session.chromium.launch(executable_path=path, args=flags)
        yield chromium
        chromium.close()
