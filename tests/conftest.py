"""Fixtures shared by all tests."""

import json
import os
import shutil
import signal
from importlib.util import find_spec
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
    """Folder of the authors' published files, for what a few of their numbers cannot show."""
    folder = published_folder()
    if folder is None:
        pytest.skip("the authors' files are not here; get them with 'spinode fetch paper'")
    return folder


@pytest.fixture(scope="session")
def published_numbers() -> dict:
    """Single numbers of the authors' files, so that a clone without these is held to them, too."""
    return json.loads(Path(__file__).with_name("published_numbers.json").read_text("utf-8"))


def chromium() -> str | None:
    """Return Debian's Chromium or the one that SPINODE_CHROMIUM names, or None."""
    if find_spec("playwright") is None:
        return None
    return os.environ.get("SPINODE_CHROMIUM") or shutil.which("chromium")


def pytest_collection_modifyitems(config, items):
    """Where there is no browser, one test is skipped for all that need one."""
    needing = [item for item in items if "browser" in item.fixturenames]
    if chromium() or not needing:
        return
    names = ", ".join(sorted({item.originalname for item in needing}))
    what = "Chromium and playwright ('.[browser]', SPINODE_CHROMIUM)"
    reason = f"{len(needing)} tests need {what}, which are not here: {names}"
    needing[0].add_marker(pytest.mark.skip(reason=reason))
    items[:] = [item for item in items if item not in needing[1:]]
    config.hook.pytest_deselected(items=needing[1:])


@pytest.fixture(scope="session")
def browser():
    """A headless Chromium, Debian's or the one that SPINODE_CHROMIUM names."""
    from playwright import sync_api as playwright

    path = chromium()
    quiet = ("background-networking", "component-update", "sync", "quic", "gpu")
    flags = ["--no-sandbox", "--no-first-run", *(f"--disable-{name}" for name in quiet)]
    with playwright.sync_playwright() as session:
        opened = session.chromium.launch(executable_path=path, args=flags)
        yield opened
        opened.close()
