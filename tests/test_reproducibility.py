"""What is the same bit for bit when it is done again, and how near the rest comes.

Everything is computed in processes of their own, with one core and one thread and with all cores
and two threads; `docs/reproducibility.md` names these tests as its evidence.
"""

import os
import re
import subprocess
import sys
import tomllib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import xarray as xr
from ruamel.yaml import YAML

from spinode import trajectory
from spinode.devices.drives import RandomSine
from spinode.devices.oscillator import NanoOscillator
from spinode.devices.protocols import ONE_SKYRMION
from spinode.micromagnetics import simulate
from spinode.neural_ode import _kernels
from spinode.neural_ode.forecast import forecast
from spinode.neural_ode.gradients import GRADIENTS
from spinode.neural_ode.learning import fit
from spinode.neural_ode.model import SpinODE
from spinode.reservoir.readout import gaussian_mask, train_readout
from spinode.reservoir.tasks import mackey_glass, mackey_glass_series
from spinode.speech.cochlea import cochleagram
from spinode.speech.corpora import Corpus, synthesized_digits
from spinode.speech.multiplexing import drives, features, mask, measure
from spinode.speech.recognition import recognize
from spinode.trajectory import Channel
from spinode.workflow import notebooks

ROOT = Path(__file__).resolve().parent.parent
SPACING = 5e-12
DRIVES = [RandomSine(start=10 * number, periods=60) for number in range(3)]


def skyrmion(dtype=torch.float64):
    """A model of a damped resonance near 10 GHz, strong enough to bend it."""
    model = SpinODE(
        **ONE_SKYRMION.learning.units(0.77),
        seed=1,
        dtype=dtype,
    )
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(2.0)
        model.f[4].weight.mul_(0.5)
        model.f[4].bias.zero_()
    return model


def start(model):
    return np.full(model.k, model.output.offset)


def trained(signal, gradient):
    """Weights after a short training: for the compiled gradient, both of its phases."""
    short = {"iterations": 300, "lm_steps": 5} if gradient == "fused" else {"iterations": 3}
    model = skyrmion()
    fit(
        model,
        signal,
        inputs=DRIVES[0],
        train=(0, 1000),
        gradient=gradient,
        device="cpu",
        progress=False,
        **short,
    )
    return _kernels.pack(model.parameters())


def joined(matrices):
    return np.concatenate([matrix.ravel() for matrix in matrices.flat])


def compute():
    """One small result of every kind, by name."""
    device = replace(ONE_SKYRMION.device, cell=2e-9, relax_time=0.0)
    run = simulate(device, DRIVES[0], engine="embedded", duration=0.2e-9, progress=False)
    found = {f"simulated {name}": run[name].values for name in run.data_vars}

    model = skyrmion()
    options = {"duration": 10e-9}
    alone = [forecast(model, one, initial=start(model), **options) for one in DRIVES]
    several = forecast(model, DRIVES, initial=[start(model)] * len(DRIVES), **options)
    single = skyrmion(torch.float32)
    found["forecast"] = np.stack([one.mz.values for one in alone])
    found["forecast float32"] = forecast(single, DRIVES[0], initial=start(single)).mz.values
    found["forecasts side by side"] = several.mz.values

    signal = alone[0]
    noise = np.random.default_rng(0).normal(0, 1e-3, signal.sizes["time"])
    signal = signal.assign(mz=signal.mz + noise)
    for gradient in GRADIENTS:
        found[f"trained {gradient}"] = trained(signal, gradient)

    found["series"] = mackey_glass_series(500)
    states = np.random.default_rng(1).normal(size=(500, 50))
    task = mackey_glass(found["series"], np.arange(20))
    found["readout"] = train_readout(states, task, train=200, discard=0).predictions

    spoken = synthesized_digits()
    found["speech"] = joined(spoken.sounds)
    few = Corpus("", "", spoken.speakers, spoken.sounds[:1, :4])
    played = drives(features(few, cochleagram), mask(78, nodes=20))
    answers = measure(NanoOscillator(), played)
    found["played"], found["oscillator"] = joined(played), joined(answers)
    found["recognition"] = recognize(answers).rate.values
    return found


def start_process(path, threads, affinity, **environment):
    """Compute in a process of its own, restricted to some cores where the system can do that."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), **environment}
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        environment[name] = str(threads)
    environment["OMP_WAIT_POLICY"] = "passive"  # on a busy machine, spinning takes minutes
    command = [sys.executable, __file__, path, ",".join(map(str, affinity))]
    return subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True)


def results_of(process, path):
    _, errors = process.communicate()
    assert process.returncode == 0, errors
    return dict(np.load(path))


@pytest.fixture(scope="module")
def twice(tmp_path_factory):
    """The results of a process with one core and thread, and of one with all cores and two."""
    pytest.importorskip("espeakng_loader")
    folder = tmp_path_factory.mktemp("results")
    cores = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
    runs = {"one": (1, cores[:1]), "all": (2, cores)}
    started = {
        name: start_process(folder / f"{name}.npz", *options) for name, options in runs.items()
    }
    return [results_of(process, folder / f"{name}.npz") for name, process in started.items()]


def equal(twice, *names):
    for name in names:
        one, other = (results[name] for results in twice)
        assert np.isfinite(one).all() and np.ptp(one) > 0, name
        np.testing.assert_array_equal(one, other, err_msg=name)


# --- bit for bit, whatever the number of cores and threads ----------------------------------


def test_simulations_are_repeated_bit_for_bit(twice):
    equal(twice, *(f"simulated {name}" for name in ("mx", "my", "mz", "topological_charge", "Ku")))


def test_a_forecast_is_repeated_bit_for_bit(twice):
    equal(twice, "forecast", "forecast float32")


@pytest.mark.parametrize("gradient", GRADIENTS)
def test_a_training_is_repeated_bit_for_bit(twice, gradient):
    equal(twice, f"trained {gradient}")


def test_speech_and_the_oscillator_are_repeated_bit_for_bit(twice):
    equal(twice, "speech", "oscillator", "recognition")


def test_files_are_the_same_byte_for_byte(tmp_path):
    model = skyrmion()
    run = forecast(model, DRIVES[0], initial=start(model), duration=1e-9)
    for name, write in (("run.nc", lambda path: trajectory.save(run, path)), ("f.pt", model.save)):
        contents = [write(tmp_path / folder / name).read_bytes() for folder in ("a", "b")]
        assert contents[0] == contents[1], name
    xr.testing.assert_identical(trajectory.load(tmp_path / "a" / "run.nc"), run)


# --- to rounding ----------------------------------------------------------------------------


def test_forecasts_side_by_side_differ_by_rounding(twice):
    """How many share a matrix product depends on the cores; the order of its sums does, too."""
    for results in twice:
        difference = np.abs(results["forecasts side by side"] - results["forecast"])
        assert difference.max() < 1e-13
    assert np.abs(twice[0]["forecasts side by side"] - twice[1]["forecasts side by side"]).max() < (
        1e-13
    )


def test_readout_and_drives_differ_by_rounding(twice):
    """Both are large matrix products, which the linear algebra library cuts up among threads."""
    for name in ("readout", "played"):
        one, other = (results[name] for results in twice)
        assert np.abs(one - other).max() < 1e-12 * np.abs(one).max()


# --- the same on every machine --------------------------------------------------------------


def test_seeds_give_these_numbers():
    """Pinned: another version of NumPy or PyTorch may draw others from the same seed."""
    assert RandomSine().amplitudes[:2] == pytest.approx([0.78572030, -0.33604039], abs=1e-7)
    assert gaussian_mask()[:2] == pytest.approx([1.7886285, 0.4365099], abs=1e-7)
    assert mask(78)[0, :12].tolist() == [1, 1, 1, -1, -1, -1, -1, -1, -1, 1, 1, 1]
    model = SpinODE(
        Channel("mz", "1"), (Channel("Ku", "J/m3"),), sample_spacing=1.0, time_scale=1.0, seed=0
    )
    first = _kernels.pack(model.parameters())[:3]
    assert first == pytest.approx([-0.231041180, -0.088402500, -0.129562714], abs=1e-8)


@pytest.mark.long
def test_another_processor_differs_by_little(twice, tmp_path):
    """This one without its AVX-512 units, if it has some: other sums, the same results."""
    path = tmp_path / "other.npz"
    older = {
        "NUMBA_CPU_NAME": "haswell",
        "NUMBA_CACHE_DIR": str(tmp_path),
        "OPENBLAS_CORETYPE": "Haswell",
        "ATEN_CPU_CAPABILITY": "avx2",
        "NPY_DISABLE_CPU_FEATURES": "X86_V4 AVX512_ICL",
    }
    other = results_of(start_process(path, 1, [], **older), path)
    here = twice[0]
    np.testing.assert_array_equal(other["speech"], here["speech"])
    for name, largest in (
        ("simulated mz", 1e-13),
        ("forecast", 1e-13),
        ("forecast float32", 1e-4),
        ("trained autograd", 1e-12),
        ("trained fused", 1e-4),
        ("series", 1e-7),
        ("played", 1e-9),
        ("oscillator", 1e-9),
    ):
        assert np.abs(other[name] - here[name]).max() < largest, name


# --- versions and the pipeline --------------------------------------------------------------


def test_every_dependency_is_pinned():
    pins = (ROOT / "constraints.txt").read_text()
    pinned = {canonical(name) for name in re.findall(r"^([\w.-]+)==", pins, re.MULTILINE)}
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    wanted = [*project["dependencies"], *extras["test"], *extras["lint"]]
    assert {canonical(re.match(r"[\w.-]+", one)[0]) for one in wanted} <= pinned


def canonical(name):
    return re.sub(r"[-_.]+", "-", name).lower()


def test_a_stage_follows_its_own_parameters_alone():
    pipeline = YAML(typ="safe").load(ROOT / "dvc.yaml")
    for name, stage in pipeline["stages"].items():
        section = notebooks.section(Path(stage["cmd"].split()[2]))
        for watched in stage.get("params", []):
            ((file, sections),) = watched.items()
            assert file == "profiles/${item.profile}.yaml", name
            assert sections[0] == section, name


if __name__ == "__main__":
    if cores := [int(core) for core in sys.argv[2].split(",") if core]:
        os.sched_setaffinity(0, cores)
    np.savez(sys.argv[1], **compute())
