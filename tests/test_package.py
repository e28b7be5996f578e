"""The package on its own: built as a wheel, used outside the repository."""

import os
import re
import shutil
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
    folder = elsewhere[0] / "job.out"
    folder.mkdir()
    rows = [f"{i * 5e-12}\t0.0\t0.0\t{0.7 + 0.01 * i}" for i in range(5)]
    header = "# t (s)\tmx ()\tmy ()\tmz ()"
    (folder / "table.txt").write_text("\n".join([header, *rows]) + "\n")
    said = run(elsewhere, *command, "import-mumax3", "job.out").stdout
    assert said.startswith("5 samples of ")
    assert (elsewhere[0] / "job.out.nc").is_file()
    refused = run(elsewhere, *command, "run", "02_training")
    assert refused.returncode == 2
    assert len(refused.stderr.strip().splitlines()) == 1
    assert "does not lie in a spinode workbook" in refused.stderr


@pytest.mark.parametrize("kind", ["editable", "standard"])
def test_the_workbook_alone_changes_what_jupyterlab_does(kind, tmp_path):
    """Its texts open as notebooks, whoever starts JupyterLab; a wheel leaves JupyterLab alone."""
    wheel = pytest.importorskip("hatchling.builders.wheel", reason="hatchling is not here")
    from jupyter_server.services.config import ConfigManager

    builder = wheel.WheelBuilder(str(ROOT))
    data = builder.get_default_build_data()
    for hook in builder.get_build_hooks(str(tmp_path)).values():
        hook.initialize(kind, data)
    for source, target in data["shared_data"].items():
        (tmp_path / target).parent.mkdir(parents=True)
        shutil.copy(ROOT / source, tmp_path / target)
    found = ConfigManager(read_config_path=[str(tmp_path / "etc/jupyter/labconfig")])
    plugins = found.get("default_setting_overrides")
    if kind == "standard":
        assert not plugins
        return
    viewers = plugins["@jupyterlab/docmanager-extension:plugin"]["defaultViewers"]
    assert viewers["python"] == "Jupytext Notebook"


def test_versions_agree():
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    assert spinode.__version__ == version
    assert f"version: {version}\n" in (ROOT / "CITATION.cff").read_text()
    assert re.search(r"^## ([\d.]+)$", (ROOT / "CHANGELOG.md").read_text(), re.M)[1] == version


@pytest.fixture
def read_only(tmp_path):
    """The package and a home where nothing can be written, as in a container."""
    folder = tmp_path / "read-only"
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "spinode", folder / "spinode", ignore=ignored)
    (folder / "home").mkdir()
    if os.geteuid():
        for path in (folder, *folder.rglob("*")):
            path.chmod(path.stat().st_mode & ~0o222)
        yield folder
        for path in (folder, *folder.rglob("*")):
            path.chmod(path.stat().st_mode | 0o200)
        return
    mount = [["mount", "--bind", folder, folder], ["mount", "-o", "remount,ro,bind", folder]]
    for command in mount:  # what is not writable at all is writable for root
        if subprocess.run(command, capture_output=True).returncode:
            pytest.skip("root may not mount here, and can write everywhere else")
    yield folder
    subprocess.run(["umount", folder], check=True)


def test_a_notebook_runs_where_neither_package_nor_home_can_be_written(read_only, tmp_path):
    book = tmp_path / "book"
    for name in ("notebooks", "profiles"):
        (book / name).mkdir(parents=True)
    (book / "profiles" / "quick.yaml").write_text("")
    (book / "notebooks" / "01_demo.py").write_text(
        '# %% tags=["parameters"]\nprofile = "quick"\n\n# %%\n'
        "from matplotlib import pyplot\n\n"
        "import numpy as np\n"
        "from spinode.micromagnetics.skyrmion import topological_charge\n"  # compiled, and kept
        "from spinode.workflow.workbook import outputs\n\n"
        "m = np.ones((3, 8, 8)) / np.sqrt(3)\n"
        'outputs(profile).write_metrics("demo", {"x": topological_charge(m, m[0] > 0)})\n'
    )
    (tmp_path / "tmp").mkdir()
    places = {"HOME": read_only / "home", "TMPDIR": tmp_path / "tmp", "PYTHONPATH": read_only}
    kept = {name: value for name, value in os.environ.items() if not name.startswith("XDG_")}
    for name in ("NUMBA_CACHE_DIR", "MPLCONFIGDIR"):
        kept.pop(name, None)
    done = subprocess.run(
        [sys.executable, "-m", "spinode.workflow.cli", "run", "01_demo"],
        cwd=book,
        env=kept | {name: str(value) for name, value in places.items()},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    assert "atplotlib" not in done.stderr  # it has a folder, too, and no reason to warn
    assert (book / "results" / "quick" / "demo.json").is_file()
