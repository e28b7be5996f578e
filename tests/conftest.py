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


def published_folder() -> Path | None:
    """Return where the authors' files are: beside the repository, or fetched into it; else None."""
    for folder in (ROOT.parent / "shared" / "paper-data", ROOT / "data" / "published"):
        if (folder / "Mumax3_simulations").is_dir():
            return folder
    return None


@pytest.fixture(scope="session")
def paper_data() -> Path:
    """Folder of the authors' published files."""
    return published_folder()


def pytest_collection_modifyitems(config, items):
    """Without the authors' files, one test is skipped for all that compare with them."""
    if published_folder() is not None:
        return
    needing = [item for item in items if "paper_data" in item.fixturenames]
    names = sorted({item.originalname for item in needing})
    for item in needing[:1]:
        reason = f"{len(needing)} tests compare with the authors' data ('spinode fetch paper'): "
        item.add_marker(pytest.mark.skip(reason=reason + ", ".join(names)))
    items[:] = [item for item in items if item not in needing[1:]]
    config.hook.pytest_deselected(items=needing[1:])


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
