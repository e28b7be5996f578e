"""Fixtures shared by all tests."""

import signal
from pathlib import Path

import pytest

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
