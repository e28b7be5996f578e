"""Every notebook runs from the top under the smoke profile, in the order of the pipeline."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from conftest import published_folder

ROOT = Path(__file__).resolve().parent.parent


# Without the authors' data, and with them where they are; then the first takes long.
PUBLISHED = published_folder()
VARIANTS = [pytest.param("embedded", marks=pytest.mark.long if PUBLISHED else ())]
if PUBLISHED:
    VARIANTS.insert(0, "published")


@pytest.fixture(scope="module", params=VARIANTS)
def book(tmp_path_factory, request):
    """A copy of the workbook to run in, with the authors' data or without."""
    book = tmp_path_factory.mktemp(request.param)
    shutil.copytree(ROOT / "notebooks", book / "notebooks")
    shutil.copytree(ROOT / "profiles", book / "profiles")
    (book / "data").mkdir()
    if request.param == "published":
        (book / "data" / "published").symlink_to(PUBLISHED, target_is_directory=True)
    return book


def run(book, notebook, *options):
    command = ["run", notebook, "--profile", "smoke", *options]
    done = subprocess.run(
        [sys.executable, "-m", "spinode.workflow.cli", *command],
        cwd=book,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    node = nbformat.read(book / "build" / "smoke" / f"{notebook}.ipynb", as_version=4)
    assert node.metadata["spinode"]["parameters"]["profile"] == "smoke"


def printed(book, notebook, pattern):
    """Return the numbers that ``pattern`` finds in what an executed notebook printed."""
    cells = nbformat.read(book / "build" / "smoke" / f"{notebook}.ipynb", as_version=4).cells
    outputs = [output for cell in cells for output in cell.get("outputs", ())]
    text = "".join(output.text for output in outputs if output.output_type == "stream")
    return [float(number) for number in re.search(pattern, text).groups()]


def metrics(book, name):
    found = json.loads((book / "results" / "smoke" / f"{name}.json").read_text())
    assert found["provenance"]["profile"] == "smoke"
    return found


def published(book):
    """Whether the book has the authors' data."""
    return (book / "data" / "published").exists()


def needs(book, *results):
    for name in results:
        if not (book / "results" / "smoke" / f"{name}.json").exists():
            pytest.skip(f"needs the result of the notebook {name}")


def test_skyrmion_data(book):
    run(book, "01_skyrmion_data")
    found = metrics(book, "skyrmion_data")
    # MuMax3's relaxed mz is 0.76809 on cells of 1 nm
    assert found["mz_at_rest"]["one_skyrmion"] == pytest.approx(0.768, abs=0.005)
    assert found["topological_charge"]["four_skyrmions"] == pytest.approx(-4, abs=0.4)


def test_training(book):
    run(book, "02_training")
    assert (book / "figures" / "smoke" / "fig2_training.png").stat().st_size > 10_000
    errors = metrics(book, "training")["nrmse"]
    # However briefly we trained, the authors' weights are good.
    if published(book):
        assert errors["published"]["training"][0] < 0.05
    assert max(errors["k2"]["training"]) < 1.0


def test_mackey_glass(book):
    needs(book, "skyrmion_data", "training")
    run(book, "03_mackey_glass")
    found = metrics(book, "mackey_glass")
    scores = found["nrmse"]
    bare = scores["references"]["bare_input"]
    if published(book):
        assert scores["one_skyrmion"]["published"]["h1"] < 0.3 * bare["h1"]
    # One skyrmion forgets a changed voltage, and so does its twin.
    for who in ("micromagnetics", "neural_ode"):
        assert found["lyapunov_a_point"]["one_skyrmion"][who]["exponent"] < -0.1
    twin = "published" if published(book) else "neural_ode"
    assert 1 < found["measures"][f"one_skyrmion_{twin}"]["memory_capacity"] < 10


def test_speedup(book):
    needs(book, "training")
    run(book, "04_speedup")
    found = metrics(book, "speedup")
    assert found["largest_difference_mz"] < 1e-10
    assert found["compiled_over_torchdiffeq"] > 10
    assert found["speedup_over_micromagnetics"]["neural_ode"] > 20


def test_material_parameters(book):
    needs(book, "skyrmion_data")
    run(book, "05_material_parameters")
    errors = metrics(book, "material_parameters")["frequency_error_ghz"]
    assert set(errors) >= {"ku_embedded", "d_embedded"}
    if published(book):
        # the authors' weights, on the published test: 0.047 GHz
        assert errors["ku_published"]["published"]["bin_mean"] == pytest.approx(0.047, abs=0.002)


def test_oscillator(book):
    run(book, "06_oscillator")
    assert metrics(book, "oscillator")["nrmse"]
    assert (book / "figures" / "smoke" / "fig5_oscillator.png").stat().st_size > 10_000


def test_spoken_digits(book):
    needs(book, "oscillator")
    run(book, "07_spoken_digits")
    assert metrics(book, "spoken_digits")
    assert (book / "figures" / "smoke" / "fig5_recognition.png").stat().st_size > 10_000


def test_design(book):
    needs(book, "skyrmion_data")
    run(book, "12_design")
    found = metrics(book, "design")
    # what no reservoir of so many nodes can exceed, and what every one of these does: forget
    for name, measures in found["measures"].items():
        assert 0 < measures["capacity"] <= found["nodes"], name
        assert measures["kernel_rank"] <= found["nodes"]
        assert measures["lyapunov_a_point"] < 0
    # driven harder, a design goes farther beyond what its twin knows, until the twin is lost
    excess = [row["excess"] for row in found["edge"] if row["excess"] is not None]
    assert excess == sorted(excess)
    assert (book / "figures" / "smoke" / "design.png").stat().st_size > 10_000


def test_tutorial_skyrmion(book):
    run(book, "1_from_spin_to_skyrmion")
    name = "1_from_spin_to_skyrmion"
    (difference,) = printed(book, name, r"exact m_z: (\S+)")
    assert difference < 1e-8
    # 10.5 GHz from a ring-down of two nanoseconds; here half of one tells it roughly
    (breathing,) = printed(book, name, r"breathing frequency: (\S+) GHz")
    assert breathing == pytest.approx(10.5, abs=0.7)


def test_tutorial_neural_odes(book):
    run(book, "2_neural_odes")
    (driven,) = printed(book, "2_neural_odes", r"NRMSE from 200 s on: (\S+)%")
    assert driven < 60


def test_tutorial_delays(book):
    run(book, "3_delays")
    # The van der Pol oscillator has two dimensions, whatever was trained.
    one, two = printed(book, "3_delays", r"1 +(\S+)\n2 +(\S+)\n")
    assert one > 0.5
    assert two < 0.01


def test_tutorial_reservoirs(book):
    run(book, "4_reservoirs")
    # An echo-state network remembers more than a skyrmion, and no more than it has nodes.
    pattern = r"'echo-state network': 'memory capacity (\S+)', 'skyrmion': 'memory capacity (\S+)'"
    network, skyrmion = printed(book, "4_reservoirs", pattern)
    assert 0.5 < skyrmion < network < 50


def test_tutorial_noise(book):
    run(book, "5_noise")
    estimate, true = printed(book, "5_noise", r"estimated (\S+) \+- \S+ V/sqrt\(s\), true (\S+)")
    assert estimate == pytest.approx(true, rel=0.05)


def test_report(book):
    needs(book, "skyrmion_data", "training", "mackey_glass", "speedup", "material_parameters")
    run(book, "08_paper_against_workbook")
    report = (book / "results" / "smoke" / "report.md").read_text()
    assert "one skyrmion, k = 2: MSE of the full training trajectory" in report


def test_sweep(book):
    run(book, "09_sweep")
    metrics = json.loads((book / "results" / "smoke" / "sweep.json").read_text())
    assert (metrics["points"], metrics["failed"]) == (2, 0)
    assert (book / "figures" / "smoke" / "sweep.png").stat().st_size > 10_000
    assert len(list((book / "sweeps" / "smoke" / "train_one").glob("*/train_one.ipynb"))) == 2


def test_real_devices(book):
    folder = ROOT.parent / "shared" / "system-identification"
    if not folder.is_dir():
        pytest.skip("the benchmarks' files are not here")
    run(book, "11_real_devices", "-p", "folder", str(folder))
    # Better than the best linear model, whose published error is 0.588 V.
    assert metrics(book, "real_devices")["error_v"]["tanks"][0] < 0.588


def test_real_devices_that_are_not_there(book, tmp_path):
    run(book, "11_real_devices", "-p", "folder", str(tmp_path))
    assert metrics(book, "real_devices")["error_v"] == {}
