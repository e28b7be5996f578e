"""The package on its own: built as a wheel, used outside the repository."""

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import spinode

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="module")
def elsewhere(tmp_path_factory):
    """A folder outside the repository, and an environment that finds the built wheel only."""
    pytest.importorskip("build", reason="wheels are built by the package build")
    folder = tmp_path_factory.mktemp("elsewhere")
    subprocess.run(
        [sys.executable, "-m", "build", "--wheel", "--no-isolation", "-o", str(folder), str(ROOT)],
        check=True,
        capture_output=True,
    )
    (wheel,) = folder.glob("*.whl")
    subprocess.run(
        [sys.executable, "-m", "zipfile", "-e", str(wheel), str(folder / "site")], check=True
    )
    (folder / "work").mkdir()
    return folder / "work", {**os.environ, "PYTHONPATH": str(folder / "site")}


def run(elsewhere, *arguments):
    folder, environment = elsewhere
    return subprocess.run(
        [sys.executable, *arguments], cwd=folder, env=environment, capture_output=True, text=True
    )


def test_a_forecast_and_a_fit_work_outside_the_repository(elsewhere):
    code = """
import numpy as np, spinode, warnings
from spinode import SpinODE, fit, forecast, load_model
from spinode.devices.protocols import ONE_SKYRMION
assert "site" in spinode.__file__
model = load_model("one_skyrmion")
run = forecast(model, ONE_SKYRMION.drive, initial=[model.output.offset] * model.k, duration=2e-9)
again = SpinODE(**ONE_SKYRMION.learning.units(run), k=2, width=4)
history = fit(again, run, inputs=ONE_SKYRMION.drive, train=(0, 300), iterations=10, progress=False)
assert np.isfinite(history.train_mse).all()
"""
    done = run(elsewhere, "-c", code)
    assert done.returncode == 0, done.stderr


def test_commands_that_need_no_workbook_work_and_others_say_so(elsewhere):
    command = ("-m", "spinode.workflow.cli")
    assert "one_skyrmion" in run(elsewhere, *command, "models").stdout
    assert run(elsewhere, *command, "mx3", "one_skyrmion", "--out", "job").returncode == 0
    refused = run(elsewhere, *command, "run", "02_training")
    assert refused.returncode == 2
    assert len(refused.stderr.strip().splitlines()) == 1
    assert "does not lie in a spinode workbook" in refused.stderr


def test_versions_agree():
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    assert spinode.__version__ == version
    assert f"version: {version}\n" in (ROOT / "CITATION.cff").read_text()
    assert re.search(r"^## ([\d.]+)$", (ROOT / "CHANGELOG.md").read_text(), re.M)[1] == version
