"""Every notebook can be a point of a sweep, and finds there what other notebooks have left."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import published_folder

from spinode.workflow import notebooks
from spinode.workflow.notebooks import under_profile
from spinode.workflow.sweep import sweep

ROOT = Path(__file__).resolve().parent.parent
NAMES = [path.stem for path in sorted((ROOT / "notebooks").rglob("*.py")) if "." not in path.stem]
# What a sweep of sweeps would be: it runs one itself, in the workbook's own folder of sweeps.
NAMES.remove("09_sweep")


@pytest.fixture(scope="module")
def book(tmp_path_factory):
    """A copy of the workbook, with the authors' data where they are, to run in."""
    book = tmp_path_factory.mktemp("book")
    for name in ("notebooks", "profiles"):
        shutil.copytree(ROOT / name, book / name)
    shutil.copy(ROOT / "dvc.yaml", book)
    (book / "data").mkdir()
    if published := published_folder():
        (book / "data" / "published").symlink_to(published, target_is_directory=True)
    return book


def folders(book):
    """All that lies in the workbook's own folders."""
    kept = ("data/smoke", "results", "figures")
    return {path for name in kept for path in (book / name).rglob("*") if path.is_file()}


@pytest.mark.long
@pytest.mark.parametrize("name", NAMES)
def test_a_notebook_is_swept(book, name, monkeypatch):
    """In the order of the pipeline: the workbook's own run then leaves what later ones need."""
    monkeypatch.chdir(book)
    monkeypatch.setitem(os.environ, "SPINODE_RUN", "1")
    path = notebooks.find_notebook(name)
    under = {**under_profile(path, "smoke"), "profile": "smoke"}
    chosen = next((one for one in under if one != "profile"), "profile")
    before = folders(book)
    found = sweep(name, {chosen: [under[chosen]]}, profile="smoke", workers=1)
    assert found.point_error.values.tolist() == [""]
    assert folders(book) == before
    command = [sys.executable, "-m", "spinode.workflow.cli", "run", name, "--profile", "smoke"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
