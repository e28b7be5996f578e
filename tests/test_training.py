"""Training: the gradient, the repeatability, the checkpoint, and what it says about bad input."""

import os
import shutil
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import distributed
import numpy as np
import pytest
import torch
import xarray as xr
from scipy.integrate import solve_ivp

from spinode import provenance
from spinode.devices.drives import HeldSequence
from spinode.errors import InputError
from spinode.neural_ode import _derivatives, _kernels, descent, gradients, model_file, training
from spinode.neural_ode import checkpoint as checkpoints
from spinode.neural_ode._solver import free_forecast
from spinode.neural_ode.forecast import forecast
from spinode.neural_ode.levenberg_marquardt import LevenbergMarquardt
from spinode.neural_ode.model import SpinODE
from spinode.neural_ode.seeds import fit_seeds
from spinode.neural_ode.stretch import stretch_of
from spinode.trajectory import Channel

ROOT = Path(__file__).resolve().parent.parent
SPACING = 0.1


def oscillator(samples=600):
    """A damped Duffing oscillator, x'' = -x - 0.3 x' - 0.5 x^3 + e(t), in seconds and volts."""

    def e(t):
        return np.sin(0.9 * t) + 0.7 * np.sin(2.3 * t + 1)

    time = SPACING * np.arange(samples)
    x = solve_ivp(
        lambda t, y: [y[1], -y[0] - 0.3 * y[1] - 0.5 * y[0] ** 3 + e(t)],
        (0, time[-1]),
        [0.5, 0.0],
        t_eval=time,
        rtol=1e-10,
        atol=1e-12,
    ).y[0]
    return xr.Dataset({"voltage": ("time", x), "drive": ("time", e(time))}, {"time": time})


def duffing_model(k=2, width=10, seed=0, dtype=torch.float64):
    return SpinODE(
        Channel("voltage", "V", 0.0, 1.0),
        (Channel("drive", "V", 0.0, 1.0),),
        sample_spacing=SPACING,
        time_scale=1.0,
        k=k,
        width=width,
        seed=seed,
        dtype=dtype,
    )


FAST = {
    "train": (0, 400),
    "iterations": 60,
    "batch": 8,
    "window": 10,
    "check_every": 20,
    "progress": False,
}


def weights(model):
    return _kernels.pack(model.parameters())


def measured(model, gradient, window=12):
    """Loss and gradient at the model's weights, over fixed windows."""
    stretch = stretch_of("train", [(0, 400)], window, model, [oscillator()], [None], "cubic")
    if gradient == "fused":
        measure = gradients.fused(model, stretch, np.float64)
    else:
        measure = gradients.by_torch(model, stretch, gradient, torch.device("cpu"))
    starts = np.array([0, 5, 77, 250, 386])
    return measure, starts, window


@pytest.mark.parametrize("gradient", gradients.GRADIENTS)
def test_gradient_equals_finite_differences(gradient):
    model = duffing_model(seed=4)
    measure, starts, window = measured(model, gradient)
    at = weights(model)
    _, slope = measure(at, starts, window)
    # The adjoint method solves the backward equation with the solver's own error.
    tolerance = 1e-6 if gradient == "adjoint" else 1e-8
    for i in np.random.default_rng(0).integers(at.size, size=12):
        ahead, behind = at.copy(), at.copy()
        ahead[i] += 1e-5
        behind[i] -= 1e-5
        numeric = (measure(ahead, starts, window)[0] - measure(behind, starts, window)[0]) / 2e-5
        assert slope[i] == pytest.approx(numeric, abs=tolerance)


def test_gradients_agree():
    """Compiled loops in float32 and float64, PyTorch and the adjoint method."""
    model = duffing_model(k=3, width=17, seed=2)
    stretch = stretch_of("train", [(0, 400)], 9, model, [oscillator()], [None], "cubic")
    starts = np.arange(60) * 6
    at = weights(model)
    cpu = torch.device("cpu")
    loss, truth = gradients.by_torch(model, stretch, "autograd", cpu)(at, starts, 9)
    for measure, tolerance in (
        (gradients.fused(model, stretch, np.float64), 1e-13),
        (gradients.fused(model, stretch), 1e-6),
        (gradients.by_torch(model, stretch, "adjoint", cpu), 1e-9),
    ):
        other_loss, other = measure(at, starts, 9)
        assert other_loss == pytest.approx(loss, rel=10 * tolerance)
        np.testing.assert_allclose(other, truth, rtol=0, atol=tolerance * np.abs(truth).max())


def test_sensitivities_equal_finite_differences():
    model = duffing_model(k=3, width=9, seed=2)
    stretch = stretch_of("train", [(0, 100)], 1, model, [oscillator()], [None], "cubic")
    at = weights(model)
    steps, stride = 96, 4
    rows, outputs = np.empty((steps // stride, at.size)), np.empty(steps)
    state, sensitivity = stretch.states[0].copy(), np.zeros((3, at.size))
    _derivatives.sensitivities(
        _kernels.unpack(at, model), model.step, state, stretch.stages, sensitivity, outputs, rows
    )

    def forecast_with(weights):
        network = _kernels.padded(_kernels.unpack(weights, model), np.float64)
        return free_forecast(network, model.step, stretch.states[0], stretch.stages)[1:97]

    np.testing.assert_allclose(outputs, forecast_with(at), rtol=0, atol=1e-13)
    for i in range(0, at.size, 7):
        nudge = 1e-5 * (np.arange(at.size) == i)
        numeric = (forecast_with(at + nudge) - forecast_with(at - nudge)) / 2e-5
        np.testing.assert_allclose(rows[:, i], numeric[stride - 1 :: stride], rtol=0, atol=1e-8)


def test_levenberg_marquardt_descends_and_beats_adam():
    data = oscillator()
    plain, refined = duffing_model(), duffing_model()
    options = FAST | {"iterations": 300, "learning_rate": 1e-2}
    before = training.fit_delays(plain, data, **options)
    after = training.fit_delays(refined, data, lm_steps=15, **options)
    steps = after.sel(iteration=slice(301, None))
    assert steps.sizes["iteration"] == 15
    assert (np.diff(steps.loss) < 0).all()
    assert after.train_mse[-1] < 0.02 * before.train_mse[-1]
    # One window as long as the stretch: what is minimized is the error of the free forecast,
    # at every fourth sample.
    assert steps.loss[-1] == pytest.approx(float(steps.train_mse[-1]), rel=0.2)


def test_weight_decay_keeps_the_weights_of_levenberg_marquardt_small():
    model = duffing_model()
    stretch = stretch_of("train", [(0, 300)], 1, model, [oscillator()], [None], "cubic")

    def end(decay, steps=8):
        solver = LevenbergMarquardt(model, stretch, window=300, stride=1, weight_decay=decay)
        at, values = weights(model), []
        for _ in range(steps):
            if (better := solver.step(at)) is None:
                break  # a minimum
            at, value = better
            values.append(value)
        assert (np.diff(values) < 0).all()
        network = _kernels.padded(_kernels.unpack(at, model), np.float64)
        ours = free_forecast(network, model.step, stretch.states[0], stretch.stages)
        error = np.mean((ours - stretch.states[:, 0])[1:] ** 2)
        assert value == pytest.approx(error + decay * at @ at)
        return at @ at

    assert end(1e4) < 1e-3 * end(0.1) < end(0.0)


def test_patience_ends_each_phase():
    options = FAST | {"iterations": 2000, "learning_rate": 1e-12, "final_learning_rate": 1e-12}
    history = training.fit_delays(duffing_model(), oscillator(), patience=2, **options)
    assert history.attrs["adam_steps"] < 2000


def test_without_adam_the_weights_are_gone_on_from():
    model = duffing_model()
    before = [one.detach().clone() for one in model.f.parameters()]
    history = training.fit_delays(model, oscillator(), **FAST | {"iterations": 0, "lm_steps": 0})
    assert history.attrs["adam_steps"] == 0
    for old, new in zip(before, model.f.parameters(), strict=True):
        assert (old == new).all()
    better = training.fit_delays(model, oscillator(), **FAST | {"iterations": 0, "lm_steps": 2})
    assert better.train_mse[-1] < history.train_mse[0]


def test_learns_to_forecast_what_it_has_not_seen():
    data = oscillator()
    model = duffing_model()
    options = FAST | {"iterations": 1000, "learning_rate": 1e-2, "validation": (400, 500)}
    history = training.fit_delays(model, data, lm_steps=20, **options)
    assert history.loss[-1] < 1e-2 * history.loss[1]
    held_out = data.isel(time=slice(500, 600))
    run = forecast(model, held_out, initial=held_out, interpolation="cubic")
    error = np.sqrt(np.mean((run.voltage.values - held_out.voltage.values) ** 2))
    assert error < 0.2 * held_out.voltage.values.std()
    low, high = model.trained_range["voltage"]
    assert low == data.voltage[:400].values.min() and high == data.voltage[:400].values.max()


def test_best_weights_are_those_of_the_smallest_validation_error():
    data = oscillator()
    model = duffing_model()
    history = training.fit_delays(model, data, validation=(400, 500), **FAST)
    best = int(history.validation_mse.values.argmin())
    assert history.attrs["best_iteration"] == history.iteration[best]
    stretch = stretch_of("validation", [(400, 500)], 1, model, [data], [None], "cubic")
    assert stretch.free_mse(model, weights(model)) == history.validation_mse[best]


def test_seeds_make_runs_repeatable():
    def train(seed):
        model = duffing_model()
        training.fit_delays(model, oscillator(), seed=seed, **FAST)
        return weights(model)

    np.testing.assert_array_equal(train(1), train(1))
    assert np.abs(train(1) - train(2)).max() > 1e-4


def test_seeds_in_parallel_equal_single_trainings(tmp_path, monkeypatch):
    """On a cluster that gives up no worker, however long the machine sleeps or is busy."""
    patience = []

    class Cluster(distributed.LocalCluster):
        def __enter__(self):
            patience.append(self.scheduler.worker_ttl)
            return super().__enter__()

    monkeypatch.setattr(distributed, "LocalCluster", Cluster)
    data = oscillator()
    trained = fit_seeds(
        duffing_model(), data, [3, 4], checkpoint=tmp_path / "train.checkpoint", **FAST
    )
    for (parallel, history), seed in zip(trained, (3, 4), strict=True):
        alone = duffing_model(seed=seed)
        expected = training.fit_delays(alone, data, seed=seed, **FAST)
        np.testing.assert_allclose(weights(parallel), weights(alone), rtol=0, atol=1e-12)
        np.testing.assert_allclose(history.loss, expected.loss, rtol=1e-9)
    assert not list(tmp_path.iterdir())  # done, so no longer needed
    assert patience == [None]


def test_target_ends_the_training_early():
    options = FAST | {"iterations": 10_000, "lm_steps": 5}
    history = training.fit_delays(duffing_model(), oscillator(), target_mse=1e3, **options)
    assert history.iteration.values.tolist() == [0]


SCRIPT = """
    import sys
    sys.path[:0] = [{tests!r}, {root!r}]
    import numpy as np
    import test_training as t
    from spinode.neural_ode import checkpoint, training
    checkpoint._SECONDS = 0.05
    model = t.duffing_model()
    arguments = t.FAST | {{"iterations": 1500, "lm_steps": 60, "validation": (400, 500)}}
    path = sys.argv[1] if len(sys.argv) > 2 else None
    history = training.fit_delays(model, t.oscillator(), checkpoint=path, **arguments)
    np.savez(sys.argv[-1], weights=t.weights(model), mse=history.validation_mse, loss=history.loss)
"""


def phase_in(checkpoint):
    if not checkpoint.exists():
        return None
    return model_file.contents(checkpoint)[0]["state"]["phase"]


@pytest.mark.parametrize(
    "kill, phase", [(signal.SIGKILL, "adam"), (signal.SIGINT, "levenberg-marquardt")]
)
def test_a_killed_training_goes_on_to_the_same_weights(tmp_path, kill, phase):
    """Killed while Adam runs, and interrupted during Levenberg-Marquardt."""
    script = tmp_path / "train.py"
    script.write_text(textwrap.dedent(SCRIPT).format(tests=str(ROOT / "tests"), root=str(ROOT)))
    checkpoint = tmp_path / "train.checkpoint"

    def start(*arguments):
        return subprocess.Popen(
            [sys.executable, script, *arguments], stderr=subprocess.PIPE, env=os.environ
        )

    killed = start(checkpoint, tmp_path / "killed.npz")
    while phase_in(checkpoint) != phase:
        assert killed.poll() is None, killed.stderr.read().decode()
        time.sleep(0.01)
    killed.send_signal(kill)
    assert killed.wait() != 0
    assert not (tmp_path / "killed.npz").exists()
    assert phase_in(checkpoint) == phase
    for arguments in ((checkpoint, tmp_path / "resumed.npz"), (tmp_path / "straight.npz",)):
        process = start(*arguments)
        _, errors = process.communicate()
        assert process.returncode == 0, errors.decode()
    resumed, straight = (np.load(tmp_path / f"{name}.npz") for name in ("resumed", "straight"))
    for name in ("weights", "mse", "loss"):
        np.testing.assert_array_equal(resumed[name], straight[name])


def interrupt(monkeypatch, checkpoint, after=30, model=None, **options):
    """Start a training and stop it as Ctrl-C does, its checkpoint up to date."""
    measure = gradients.gradient_of
    calls = iter(range(after))

    def limited(*arguments):
        computed = measure(*arguments)

        def loss_and_gradient(*where):
            if next(calls, None) is None:
                raise KeyboardInterrupt
            return computed(*where)

        return loss_and_gradient

    with monkeypatch.context() as patch:
        patch.setattr(checkpoints, "_SECONDS", 0.0)
        patch.setattr(gradients, "gradient_of", limited)
        with pytest.raises(KeyboardInterrupt):
            training.fit_delays(
                model or duffing_model(), oscillator(), checkpoint=checkpoint, **(FAST | options)
            )


def test_a_checkpoint_of_another_training_is_refused(tmp_path, monkeypatch):
    checkpoint = tmp_path / "train.checkpoint"
    interrupt(monkeypatch, checkpoint)
    with pytest.raises(InputError, match=r"made with seed = 0, not 3; delete it"):
        training.fit_delays(duffing_model(), oscillator(), checkpoint=checkpoint, seed=3, **FAST)
    with pytest.raises(InputError, match="other data or from other weights"):
        training.fit_delays(duffing_model(seed=8), oscillator(), checkpoint=checkpoint, **FAST)
    resumed, straight = duffing_model(), duffing_model()
    training.fit_delays(resumed, oscillator(), checkpoint=checkpoint, **FAST)
    assert not checkpoint.exists()
    training.fit_delays(straight, oscillator(), **FAST)
    np.testing.assert_array_equal(weights(resumed), weights(straight))
    checkpoint.write_bytes(b"half a file")
    with pytest.raises(InputError, match="is not a training checkpoint; delete it"):
        training.fit_delays(duffing_model(), oscillator(), checkpoint=checkpoint, **FAST)


def edited(text, old, new):
    assert text.count(old) == 1
    return text.replace(old, new)


def test_the_code_of_a_training_is_what_it_imports(tmp_path, monkeypatch):
    """An edit of the solver counts, one of the neural SDE does not."""
    copy = tmp_path / "spinode"
    shutil.copytree(ROOT / "spinode", copy, ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(provenance, "_PACKAGE", copy)

    def code():
        return provenance.code_version("import spinode.neural_ode.training")

    assert code() == training._CODE
    for name, counts in (("sde.py", False), ("descent.py", True)):
        path = copy / "neural_ode" / name
        path.write_text(path.read_text() + "\n# An edit.\n")
        assert (code() != training._CODE) == counts


def test_a_checkpoint_of_other_code_is_not_gone_on_from(tmp_path, monkeypatch):
    checkpoint = tmp_path / "train.checkpoint"
    interrupt(monkeypatch, checkpoint)
    monkeypatch.setattr(training, "_CODE", "that of an edited file")
    again, straight = duffing_model(), duffing_model()
    with pytest.warns(checkpoints.CheckpointWarning, match="begun by other code than this"):
        history = training.fit_delays(again, oscillator(), checkpoint=checkpoint, **FAST)
    training.fit_delays(straight, oscillator(), **FAST)
    np.testing.assert_array_equal(weights(again), weights(straight))
    assert history.iteration[0] == 0
    assert not checkpoint.exists()


SELF_KILLED = """
    import os, sys, signal
    sys.path[:0] = [{tests!r}, {root!r}]
    import numpy as np
    import test_training as t
    from spinode.neural_ode import checkpoint, gradients, training
    assert training.__file__.startswith({root!r})
    checkpoint._SECONDS = 0.0
    die_at = int(sys.argv[1])
    calls, gradient_of = 0, gradients.gradient_of

    def counted(*arguments):
        computed = gradient_of(*arguments)

        def loss_and_gradient(*where):
            global calls
            if calls == die_at:
                os.kill(os.getpid(), signal.SIGKILL)
            calls += 1
            return computed(*where)

        return loss_and_gradient

    gradients.gradient_of = counted
"""


def run_script(path, *arguments, **environment):
    return subprocess.run(
        [sys.executable, path, *map(str, arguments)],
        capture_output=True,
        text=True,
        env=os.environ | environment,
    )


@pytest.mark.long
def test_a_training_whose_code_was_edited_starts_again(tmp_path):
    """Killed, edited, and started again: the weights are those of the edited code alone."""
    copy = tmp_path / "copy"
    shutil.copytree(
        ROOT / "spinode", copy / "spinode", ignore=shutil.ignore_patterns("__pycache__")
    )
    script = tmp_path / "train.py"
    text = (
        SELF_KILLED
        + """
    model = t.duffing_model()
    options = t.FAST | {{"iterations": 40, "gradient": "autograd"}}
    path = None if sys.argv[2] == "none" else sys.argv[2]
    training.fit_delays(model, t.oscillator(), checkpoint=path, **options)
    np.save(sys.argv[3], t.weights(model))
    """
    )
    script.write_text(textwrap.dedent(text).format(tests=str(ROOT / "tests"), root=str(copy)))
    where = {"PYTHONPATH": str(copy), "NUMBA_CACHE_DIR": str(tmp_path / "compiled")}
    checkpoint = tmp_path / "train.checkpoint"

    def train(die_at, checkpoint, name):
        return run_script(script, die_at, checkpoint, tmp_path / name, **where)

    assert train(30, checkpoint, "killed.npy").returncode == -signal.SIGKILL
    assert checkpoint.exists()
    assert train(-1, "none", "before.npy").returncode == 0
    path = copy / "spinode" / "neural_ode" / "descent.py"
    path.write_text(edited(path.read_text(), "0.9, 0.999, 1e-8", "0.8, 0.999, 1e-8"))
    resumed, straight = train(-1, checkpoint, "resumed.npy"), train(-1, "none", "straight.npy")
    assert resumed.returncode == straight.returncode == 0, resumed.stderr + straight.stderr
    assert resumed.stderr.count("CheckpointWarning: the training in") == 1
    assert "begun by other code than this; it starts again" in resumed.stderr
    assert "CheckpointWarning" not in straight.stderr
    assert not checkpoint.exists()
    before, after, expected = (
        np.load(tmp_path / f"{name}.npy") for name in ("before", "resumed", "straight")
    )
    np.testing.assert_array_equal(after, expected)
    assert np.abs(before - expected).max() > 1e-4


def test_a_kill_between_seeds_retrains_none_that_had_finished(tmp_path):
    """Killed in the second of three seeds: the first is not trained again, the second goes on."""
    script = tmp_path / "train.py"
    text = (
        SELF_KILLED
        + """
    import distributed
    from spinode.neural_ode.seeds import fit_seeds
    options = t.FAST | {{"iterations": 40}}
    with (
        distributed.LocalCluster(
            n_workers=1, threads_per_worker=1, processes=False, dashboard_address=None
        ) as cluster,
        distributed.Client(cluster) as client,
    ):
        trained = fit_seeds(
            t.duffing_model(), t.oscillator(), [3, 4, 5], client=client,
            checkpoint=sys.argv[2], **options,
        )
    print("gradients", calls)
    np.save(sys.argv[3], [t.weights(model) for model, _ in trained])
    """
    )
    script.write_text(textwrap.dedent(text).format(tests=str(ROOT / "tests"), root=str(ROOT)))
    checkpoint = tmp_path / "kept" / "train.checkpoint"
    killed = run_script(script, 60, checkpoint, tmp_path / "killed.npy")
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    phases = sorted(str(phase_in(path)) for path in checkpoint.parent.glob("*.checkpoint"))
    assert phases == ["adam", "done"]
    resumed = run_script(script, -1, checkpoint, tmp_path / "resumed.npy")
    assert resumed.returncode == 0, resumed.stderr
    # 20 of the second seed and 40 of the third; the kill cost one, not yet written.
    assert int(resumed.stdout.split()[-1]) in (60, 61)
    assert not list(checkpoint.parent.iterdir())
    for seed, ours in zip((3, 4, 5), np.load(tmp_path / "resumed.npy"), strict=True):
        alone = duffing_model(seed=seed)
        training.fit_delays(alone, oscillator(), seed=seed, **(FAST | {"iterations": 40}))
        np.testing.assert_allclose(ours, weights(alone), rtol=0, atol=1e-12)


def test_a_wrong_byte_in_a_checkpoint_is_found(tmp_path, monkeypatch):
    """Refused in one sentence wherever it is, or without effect."""
    checkpoint, settings = checkpoints.Checkpoint(tmp_path / "checkpoint"), {"seed": 0}
    state = {"weights": np.arange(3.0), "phase": "adam", "best_error": np.inf}
    checkpoint.write("code", settings, state)
    whole = checkpoint.path.read_bytes()
    refused = 0
    for place in range(len(whole)):
        broken = bytearray(whole)
        broken[place] ^= 1 << place % 8
        checkpoint.path.write_bytes(broken)
        try:
            found = checkpoint.read("code", settings)
        except InputError as error:
            assert "is not a training checkpoint; delete it" in str(error)
            refused += 1
        else:
            assert found.pop("weights").tolist() == [0, 1, 2]
            assert found == {"phase": "adam", "best_error": np.inf}
    assert refused > 0.8 * len(whole)


def test_a_diverged_training_leaves_no_checkpoint(tmp_path):
    checkpoint = tmp_path / "train.checkpoint"
    options = FAST | {"learning_rate": 1e4, "check_every": 1}
    with pytest.raises(descent.TrainingDiverged):
        training.fit_delays(duffing_model(), oscillator(), checkpoint=checkpoint, **options)
    assert not checkpoint.exists()


def test_an_empty_checkpoint_and_one_that_cannot_be_written_are_told_at_once(tmp_path):
    (tmp_path / "empty").touch()
    with pytest.raises(InputError, match="is not a training checkpoint; delete it"):
        training.fit_delays(duffing_model(), oscillator(), checkpoint=tmp_path / "empty", **FAST)
    model = duffing_model()
    before = weights(model)
    with pytest.raises(InputError, match=r"cannot write to .*empty"):
        training.fit_delays(model, oscillator(), checkpoint=tmp_path / "empty" / "file", **FAST)
    np.testing.assert_array_equal(weights(model), before)


def test_numbers_of_numpy_can_be_kept_in_a_checkpoint(tmp_path, monkeypatch):
    counts = {"train": tuple(np.array([0, 300])), "seed": np.int64(1), "batch": np.int64(4)}
    checkpoint = tmp_path / "train.checkpoint"
    interrupt(monkeypatch, checkpoint, **counts)
    training.fit_delays(duffing_model(), oscillator(), checkpoint=checkpoint, **(FAST | counts))


def test_inputs_that_end_within_the_stretch():
    short = HeldSequence((0.0,) * 100, input="Ku", hold=0.1)
    model = SpinODE(
        Channel("voltage", "V"), (Channel("Ku", "J/m3"),), sample_spacing=0.1, time_scale=1.0
    )
    with pytest.raises(InputError, match="goes on 199 samples after the end of the inputs"):
        training.fit_delays(model, oscillator(), inputs=short, **(FAST | {"train": (0, 300)}))


def test_divergence_says_when_and_keeps_the_best():
    model = duffing_model()
    with pytest.raises(descent.TrainingDiverged, match=r"diverged at iteration \d+") as caught:
        training.fit_delays(
            model, oscillator(), **(FAST | {"learning_rate": 1e4, "check_every": 1})
        )
    history = caught.value.history
    assert history.train_mse.min() < history.train_mse[-1]
    assert np.isfinite(weights(model)).all()
    assert (
        caught.value.history.attrs["best_iteration"]
        == history.iteration[int(history.train_mse.values.argmin())]
    )


@pytest.mark.parametrize(
    "options, message",
    [
        ({"train": (0, 601)}, r"train = \(0, 601\) must lie within the 600 samples"),
        ({"validation": (590, 591)}, "span at least 3"),
        ({"batch": 0}, "batch must be a whole number"),
        ({"learning_rate": 0.0}, "learning_rate must be a positive number"),
        ({"learning_rate": "1e-3"}, "learning_rate must be a positive number"),
        ({"seed": -1}, "seed must be a whole number of at least 0"),
        ({"train": 300}, "train must be two whole numbers"),
        ({"train": (0, 300.5)}, "train must be two whole numbers"),
        ({"device": "gpu"}, "PyTorch has no device 'gpu'"),
        ({"device": "cuda:99"}, "PyTorch sees no such CUDA device"),
        ({"lm_steps": -1}, "lm_steps must be a whole number of at least 0"),
        ({"lm_steps": 1, "lm_stride": 900}, "lower lm_stride"),
        ({"weight_decay": -1e-3}, "weight_decay must be a number of at least 0"),
        ({"gradient": "magic"}, "gradient must be one of"),
        ({"interpolation": "wobbly"}, "interpolation must be one of"),
    ],
)
def test_bad_arguments(options, message):
    with pytest.raises(InputError, match=message):
        training.fit_delays(duffing_model(), oscillator(), **(FAST | options))


def test_bad_data():
    data = oscillator()
    hole = data.assign(voltage=data.voltage.where(data.time != data.time[20]))
    with pytest.raises(InputError, match="voltage is not a number at 2 s"):
        training.fit_delays(duffing_model(), hole, **FAST)
    with pytest.raises(InputError, match="lacks the model's output voltage"):
        training.fit_delays(duffing_model(), data.rename(voltage="mz"), **FAST)
    with pytest.raises(InputError, match="add drive"):
        training.fit_delays(duffing_model(), data.drop_vars("drive"), **FAST)
    with pytest.raises(InputError, match=r"samples every 0.1 s but the trajectory .* 0.2 s"):
        training.fit_delays(duffing_model(), data.isel(time=slice(0, None, 2)), **FAST)


@pytest.mark.skipif(torch.cuda.is_available(), reason="needs a machine without CUDA")
def test_cuda_where_there_is_none():
    with pytest.raises(InputError, match="sees no such CUDA device"):
        training.fit_delays(duffing_model(), oscillator(), device="cuda", **FAST)


@pytest.mark.parametrize(
    "gradient, batch, width, place",
    [
        (None, 50, 50, "cpu fused"),
        (None, 50, 200, "cuda autograd"),
        (None, 5000, 50, "cuda autograd"),
        ("fused", 5000, 50, "cpu fused"),
        ("adjoint", 50, 50, "cuda adjoint"),
    ],
)
def test_auto_takes_a_gpu_where_it_gains(monkeypatch, gradient, batch, width, place):
    for gpus in (0, 1):
        monkeypatch.setattr(torch.cuda, "is_available", lambda gpus=gpus: gpus > 0)
        monkeypatch.setattr(torch.cuda, "device_count", lambda gpus=gpus: gpus)
        where, how = gradients.place("auto", gradient, batch * width**2)
        assert f"{where} {how}" == (place if gpus else f"cpu {gradient or 'fused'}")
    with pytest.raises(InputError, match="'fused' is for the CPU; with device cuda use 'autograd'"):
        gradients.place("cuda", "fused", batch * width**2)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_cuda_gives_the_gradient_of_the_cpu():
    """At several weights, as a recorded graph must read them anew; for two shapes of a batch."""
    model = duffing_model(k=3, width=17, seed=2)
    stretch = stretch_of("train", [(0, 400)], 9, model, [oscillator()], [None], "cubic")
    generator = np.random.default_rng(0)
    for gradient in ("autograd", "adjoint"):
        cpu, cuda = (
            gradients.by_torch(model, stretch, gradient, torch.device(name))
            for name in ("cpu", "cuda")
        )
        for windows, window in ((60, 9), (60, 9), (7, 4)):
            at = weights(model) + 0.1 * generator.standard_normal(weights(model).size)
            starts = generator.integers(300, size=windows)
            loss, slope = cpu(at, starts, window)
            other_loss, other = cuda(at, starts, window)
            assert other_loss == pytest.approx(loss, rel=1e-12)
            np.testing.assert_allclose(other, slope, rtol=0, atol=1e-12 * np.abs(slope).max())


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_training_on_cuda_follows_that_on_the_cpu():
    on_cpu, on_cuda = duffing_model(), duffing_model()
    first = training.fit_delays(on_cpu, oscillator(), device="cpu", gradient="autograd", **FAST)
    second = training.fit_delays(on_cuda, oscillator(), device="cuda", **FAST)
    np.testing.assert_allclose(second.loss[1:], first.loss[1:], rtol=1e-8)
    assert next(on_cuda.parameters()).device.type == "cpu"
