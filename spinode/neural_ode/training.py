"""Train a Spin-Neural ODE on a trajectory.

First, as in the paper (Methods, "Training"), Adam minimizes the mean squared error of forecasts
over short windows of the trajectory, here with a cosine-annealed learning rate. Then, if asked,
Levenberg-Marquardt minimizes that of forecasts over long windows.
"""

from __future__ import annotations

import copy
import hashlib
import json
import operator
import time
import zipfile
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from numbers import Integral, Real
from pathlib import Path

import numpy as np
import torch
import xarray as xr
from threadpoolctl import threadpool_limits
from tqdm import tqdm

from spinode.devices.drives import Drive
from spinode.errors import InputError, SpinodeError
from spinode.files import check_writable, replacing
from spinode.neural_ode import _derivatives, _kernels
from spinode.neural_ode.forecast import cores
from spinode.neural_ode.levenberg_marquardt import LevenbergMarquardt, free_forecast
from spinode.neural_ode.model import SpinODE
from spinode.neural_ode.stages import StageInputs
from spinode.trajectory import delay_embed, spacing_of, windows

GRADIENTS = ("fused", "autograd", "adjoint")
_CHECKPOINT_SECONDS = 5.0
# A loss this many times the first one is divergence, not noise.
_DIVERGED = 100.0
# Windows that one thread takes at a time: their activations just fill a core's cache.
_PART = 25
# Products in a batch through the middle layer above which a GPU is the faster (docs/training.md):
# below, it waits for its launches, and a core's cache holds everything.
_GPU_GAINS = 2_000_000
_BETA1, _BETA2, _EPSILON = 0.9, 0.999, 1e-8  # Adam's own defaults (Kingma and Ba, 2015)


class TrainingDiverged(SpinodeError):
    """The loss became infinite or grew beyond reason; the model holds its best weights.

    Attributes
    ----------
    history : Dataset
        What `fit` would have returned, up to the divergence.
    """

    def __init__(self, message: str, history: xr.Dataset):
        super().__init__(message)
        self.history = history


def fit(
    model: SpinODE,
    trajectory: xr.Dataset,
    *,
    inputs: Drive | None = None,
    interpolation: str = "cubic",
    train: tuple[int, int],
    validation: tuple[int, int] | None = None,
    iterations: int = 2400,
    batch: int = 50,
    window: int = 20,
    learning_rate: float = 5e-3,
    final_learning_rate: float = 1e-5,
    lm_steps: int = 0,
    lm_window: int = 1000,
    lm_stride: int = 4,
    weight_decay: float = 0.0,
    target_mse: float | None = None,
    patience: int | None = None,
    check_every: int = 100,
    gradient: str | None = None,
    device: str = "auto",
    seed: int = 0,
    checkpoint: str | Path | None = None,
    progress: bool = True,
) -> xr.Dataset:
    """Train ``model`` on ``trajectory``; leave it with the best weights.

    Best are the weights with the smallest mean squared error of a free forecast over the whole
    validation stretch, or over the training stretch if there is none.

    Parameters
    ----------
    model : SpinODE
        Trained in place; its `trained_range` is set.
    trajectory : Dataset
        Evenly spaced samples of the model's output (and of its inputs, unless ``inputs``) at the
        model's sample spacing.
    inputs : Drive, optional
        The inputs as functions of time. By default the trajectory's own columns.
    interpolation : {"held", "linear", "cubic"}
        How the trajectory's own inputs go on between its samples.
    train, validation : (int, int)
        First sample of the stretch, and the one after its last.
    iterations : int
        Steps of Adam.
    batch, window : int
        Windows in a batch, and solver steps in a window.
    learning_rate, final_learning_rate : float
        Annealed from the one to the other along half a cosine; equal values keep it constant.
    lm_steps : int
        Steps of Levenberg-Marquardt after Adam, on long windows that cover the whole stretch. For
        data without noise, as the windows start from single samples. The time of a step grows as
        the square of the number of weights.
    lm_window : int
        Solver steps in such a window, roughly.
    lm_stride : int
        One in so many samples enters the sum of squares; an oversampled signal loses
        nothing by it.
    weight_decay : float
        What Levenberg-Marquardt minimizes is the mean squared error (normalized units) plus this
        times the sum of all squared weights. Adam has none.
    target_mse : float, optional
        Stop once the free forecast over the training stretch is this good (normalized units).
    patience : int, optional
        End Adam, and end Levenberg-Marquardt, when so many checks in a row brought no better
        weights.
    check_every : int
        Steps of Adam between two free forecasts; each step of
        Levenberg-Marquardt is followed by one.
    gradient : {"fused", "autograd", "adjoint"}, optional
        Back-propagation through the solver, by compiled loops in float32 or by PyTorch in the
        model's own precision; or torchdiffeq's adjoint method, as in the paper. By default
        ``fused``, which is the CPU's, and ``autograd`` on a GPU.
    device : str
        Where Adam's gradient is computed. ``auto`` is CUDA where there is one, unless the batch
        and the network are so small that a CPU is faster.
    seed : int
        Seed of the choice of windows.
    checkpoint : path, optional
        File that receives the state of the training every few seconds. If it exists, the training
        goes on from there, and ends at the same weights as one that was never interrupted.
    progress : bool
        Show a progress bar with the loss and the time left.

    Returns
    -------
    Dataset
        Over ``iteration`` (those with a free forecast; Levenberg-Marquardt counts on from Adam's
        last):
        ``loss`` (what is minimized, for Adam the mean since the last check), ``train_mse``,
        ``validation_mse`` if there is such a stretch (all in normalized units squared), and
        ``seconds`` since the start.

    Raises
    ------
    InputError
        If data and model disagree in inputs or sampling, the data hold NaN, a stretch does not
        fit, or the checkpoint belongs to another training.
    TrainingDiverged
        If the loss becomes infinite or very large.
    """
    settings = {
        "train": _stretch("train", train),
        "validation": None if validation is None else _stretch("validation", validation),
        "iterations": iterations,
        "batch": batch,
        "window": window,
        "learning_rate": learning_rate,
        "final_learning_rate": final_learning_rate,
        "lm_steps": lm_steps,
        "lm_window": lm_window,
        "lm_stride": lm_stride,
        "weight_decay": weight_decay,
        "target_mse": target_mse,
        "patience": patience,
        "check_every": check_every,
        "seed": _whole("seed", seed, 0),
    }
    _check(settings)
    work = settings["batch"] * model.width**2
    where, gradient = _place(device, gradient, work)
    settings["gradient"] = gradient
    sources = (model, trajectory, inputs, interpolation)
    stretches = {"train_mse": _Stretch("train", settings["train"], window, *sources)}
    if validation is not None:
        stretches["validation_mse"] = _Stretch("validation", settings["validation"], 1, *sources)
    settings["data"] = _digest(model, *stretches.values())

    training = _Training(model, stretches, settings, checkpoint)
    try:
        with tqdm(total=iterations, desc="train", disable=not progress) as bar:
            training.adam(_gradient(model, stretches["train_mse"], gradient, where), bar)
        with tqdm(
            total=lm_steps, desc="Levenberg-Marquardt", disable=not (progress and lm_steps)
        ) as bar:
            training.levenberg_marquardt(bar)
    finally:
        _kernels.store(model, training.state.best)
        model.trained_range = stretches["train_mse"].ranges
    training.remove_checkpoint()
    return training.history()


def fit_seeds(
    model: SpinODE,
    trajectory: xr.Dataset,
    seeds: Sequence[int],
    *,
    client=None,
    checkpoint: str | Path | None = None,
    progress: bool = True,
    **options,
) -> list[tuple[SpinODE, xr.Dataset]]:
    """Train the same model from several seeds, in parallel processes of one core each.

    Parameters
    ----------
    model : SpinODE
        Left as it is; every training starts from a copy with weights drawn anew.
    trajectory : Dataset
        As for `fit`.
    seeds : sequence of int
        Each the seed of the first weights and of the choice of windows.
    client : dask.distributed.Client, optional
        Dask cluster to train on; by default this machine's cores. In a script this needs the
        usual ``if __name__ == "__main__":``.
    checkpoint : path, optional
        As for `fit`; the seed is appended to the name.
    progress : bool
        Show a bar of finished trainings.
    **options
        Further arguments of `fit`.

    Returns
    -------
    list of (SpinODE, Dataset)
        Model and history of each seed, in the order of ``seeds``.

    Raises
    ------
    InputError, TrainingDiverged
        As `fit`, for the first seed that fails.
    """
    import distributed  # half a second that a single training does not need

    if client is None:
        with (
            distributed.LocalCluster(
                n_workers=min(len(seeds), cores()), threads_per_worker=1, dashboard_address=None
            ) as cluster,
            distributed.Client(cluster) as own,
        ):
            return fit_seeds(
                model,
                trajectory,
                seeds,
                client=own,
                checkpoint=checkpoint,
                progress=progress,
                **options,
            )
    data = client.scatter(trajectory)
    trainings = [
        client.submit(_fit_seed, model, data, seed, checkpoint, options, pure=False)
        for seed in seeds
    ]
    finished = distributed.as_completed(trainings, loop=client.loop)
    for training in tqdm(finished, desc="seeds", total=len(seeds), disable=not progress):
        training.result()  # raises what the training raised
    return [training.result() for training in trainings]


def _fit_seed(model, trajectory, seed, checkpoint, options) -> tuple[SpinODE, xr.Dataset]:
    """Train a copy of ``model``, its weights drawn anew."""
    model = copy.deepcopy(model)
    model.draw_weights(seed)
    if checkpoint is not None:
        checkpoint = Path(checkpoint)
        checkpoint = checkpoint.with_stem(f"{checkpoint.stem}_seed{seed}")
    history = fit(model, trajectory, seed=seed, checkpoint=checkpoint, progress=False, **options)
    return model, history


# --- the data -------------------------------------------------------------------------------


class _Stretch:
    """A stretch of a trajectory as the model sees it.

    Attributes
    ----------
    states : array, shape (steps + 1, k)
        Delay-embedded output, normalized.
    stages : array, shape (3 (steps + k - 1) + 1, inputs)
        Inputs at every third of a sample, normalized.
    steps : int
        Solver steps from the first state to the last.
    ranges : dict
        Smallest and largest value of output and inputs, SI.
    """

    def __init__(
        self,
        name: str,
        samples: tuple[int, int],
        shortest: int,
        model: SpinODE,
        trajectory: xr.Dataset,
        inputs: Drive | None,
        interpolation: str,
    ):
        spacing = spacing_of(trajectory)
        if abs(spacing - model.sample_spacing) > 1e-6 * model.sample_spacing:
            raise InputError(
                f"the model takes samples every {model.sample_spacing:.6g} s but the trajectory "
                f"has them every {spacing:.6g} s; use trajectory.resample."
            )
        if model.output.name not in trajectory:
            raise InputError(f"the trajectory lacks the model's output {model.output.name}.")
        first, stop = samples
        if first < 0 or not first + shortest + model.k <= stop <= trajectory.sizes["time"]:
            raise InputError(
                f"{name} = ({first}, {stop}) must lie within the {trajectory.sizes['time']} "
                f"samples of the trajectory and span at least {shortest + model.k} of them."
            )
        output = trajectory[model.output.name].values[first:stop].astype(float)
        start = float(trajectory.time[first])
        bad = np.flatnonzero(~np.isfinite(output))
        if bad.size:
            raise InputError(
                f"{model.output.name} is not a number at {start + bad[0] * spacing:.6g} s; "
                f"choose {name} before it or repair the trajectory."
            )
        source = StageInputs(
            model,
            trajectory if inputs is None else inputs,
            start=start,
            interpolation=interpolation if inputs is None else None,
        )
        last = len(output) - 1
        if last > source.samples:
            raise InputError(
                f"{name} = ({first}, {stop}) goes on {last - source.samples} samples after the end "
                "of the inputs; give longer inputs or a shorter stretch."
            )
        driven = source.between(0, last)
        self.states = delay_embed(model.output.normalize(output), model.k)
        self.stages = model.normalize_inputs(driven)
        self.steps = len(self.states) - 1
        self.ranges = {model.output.name: (float(output.min()), float(output.max()))}
        for channel, column in zip(model.inputs, driven.T, strict=True):
            self.ranges[channel.name] = (float(column.min()), float(column.max()))

    def free_mse(self, model: SpinODE, weights: np.ndarray) -> float:
        """Return the mean squared error of a forecast of the whole stretch from its start."""
        network = _kernels.padded(_kernels.unpack(weights, model), np.float64)
        outputs = free_forecast(network, model.step, self.states[0], self.stages)
        return float(np.mean((outputs - self.states[:, 0]) ** 2))


def _digest(model: SpinODE, *stretches: _Stretch) -> str:
    """Return a fingerprint of the data, of the model's shape and of its first weights."""
    fingerprint = hashlib.sha256(repr((model.k, model.step)).encode())
    fingerprint.update(_kernels.pack(model.f.parameters()).tobytes())
    for stretch in stretches:
        fingerprint.update(np.ascontiguousarray(stretch.states).tobytes())
        fingerprint.update(stretch.stages.tobytes())
    return fingerprint.hexdigest()


# --- the optimizers -------------------------------------------------------------------------


@dataclass
class _State:
    """Everything that changes during a training: what a checkpoint holds."""

    weights: np.ndarray
    best: np.ndarray
    moment1: np.ndarray
    moment2: np.ndarray
    generator: dict
    phase: str = "adam"
    iteration: int = 0
    adam_steps: int = 0
    first_loss: float | None = None
    losses: list[float] = field(default_factory=list)
    checks: list[dict[str, float]] = field(default_factory=list)
    best_iteration: int = 0
    best_error: float = np.inf
    stale: int = 0
    damping: float = 1e-3
    growth: float = 2.0
    seconds: float = 0.0


class _Training:
    """A training that can be stopped and taken up again between any two of its steps."""

    def __init__(
        self,
        model: SpinODE,
        stretches: dict[str, _Stretch],
        settings: dict,
        checkpoint: str | Path | None,
    ):
        self._model = model
        self._stretches = stretches
        self._settings = settings
        self._checkpoint = None if checkpoint is None else Path(checkpoint)
        self._generator = np.random.default_rng(settings["seed"])
        first = _kernels.pack(model.f.parameters())
        zeros = np.zeros_like(first)
        self.state = _State(first, first, zeros, zeros, self._generator.bit_generator.state)
        if self._checkpoint is not None:
            check_writable(self._checkpoint.parent)
            if self._checkpoint.exists():
                self._restore()
        self._saved = self._counted = time.monotonic()

    def adam(self, loss_and_gradient: Callable, bar: tqdm) -> None:
        """Minimize the error over short windows by Adam (Kingma and Ba, 2015)."""
        state, settings = self.state, self._settings
        stretch = self._stretches["train_mse"]
        bar.update(state.adam_steps)
        while state.phase == "adam":
            n, last = state.iteration, settings["iterations"]
            if (n % settings["check_every"] == 0 or n == last) and (
                self._check(float(np.mean(state.losses or np.nan)), bar) or n == last
            ):
                state.phase, state.stale = "levenberg-marquardt", 0
                state.weights = state.best
                return
            starts = self._generator.integers(
                stretch.steps - settings["window"] + 1, size=settings["batch"]
            )
            loss, slope = loss_and_gradient(state.weights, starts, settings["window"])
            if state.first_loss is None:
                state.first_loss = loss
            if not loss <= _DIVERGED * state.first_loss:
                raise TrainingDiverged(
                    f"training diverged at iteration {n}: the loss went from "
                    f"{state.first_loss:.3g} to {loss:.3g}; the best weights, of iteration "
                    f"{state.best_iteration}, are kept; try a lower learning rate.",
                    self.history(),
                )
            high, low = settings["learning_rate"], settings["final_learning_rate"]
            rate = low + (high - low) * 0.5 * (1 + np.cos(np.pi * n / last))
            state.iteration = state.adam_steps = n + 1
            state.losses.append(loss)
            state.moment1 = state.moment1 + (1 - _BETA1) * (slope - state.moment1)
            state.moment2 = state.moment2 + (1 - _BETA2) * (slope**2 - state.moment2)
            mean = state.moment1 / (1 - _BETA1 ** (n + 1))
            spread = np.sqrt(state.moment2 / (1 - _BETA2 ** (n + 1)))
            state.weights = state.weights - rate * mean / (spread + _EPSILON)
            state.generator = self._generator.bit_generator.state
            bar.update()
            self._save_now_and_then()

    def levenberg_marquardt(self, bar: tqdm) -> None:
        """Minimize the error over long windows by Levenberg-Marquardt."""
        state, stretch = self.state, self._stretches["train_mse"]
        bar.update(state.iteration - state.adam_steps)
        solver = LevenbergMarquardt(
            self._model,
            stretch.states,
            stretch.stages,
            window=self._settings["lm_window"],
            stride=self._settings["lm_stride"],
            weight_decay=self._settings["weight_decay"],
            damping=state.damping,
            growth=state.growth,
        )
        while state.phase == "levenberg-marquardt":
            if state.iteration - state.adam_steps == self._settings["lm_steps"]:
                break
            # One thread: a second gains little here, loses tenfold on a machine that is busy, and
            # would make the result depend on the number of cores.
            with threadpool_limits(1, "blas"):
                better = solver.step(state.weights)
            if better is None:
                break  # a minimum, as far as rounding lets it be seen
            state.weights, loss = better
            state.damping, state.growth = solver.damping, solver.growth
            state.iteration += 1
            bar.update()
            if self._check(loss, bar):
                break
            self._save_now_and_then()
        state.phase = "done"

    def _check(self, loss: float, bar: tqdm) -> bool:
        """Record the free forecasts' errors; return whether this phase of training is over."""
        state, settings = self.state, self._settings
        self._count_time()
        errors = {
            name: one.free_mse(self._model, state.weights) for name, one in self._stretches.items()
        }
        row = {"iteration": state.iteration, "loss": loss, **errors, "seconds": state.seconds}
        state.checks.append(row)
        state.losses = []
        score = list(errors)[-1]
        bar.set_postfix(loss=f"{loss:.2e}", **{score: f"{errors[score]:.2e}"})
        state.stale += 1
        if errors[score] < state.best_error:
            state.best, state.best_error = state.weights, errors[score]
            state.best_iteration, state.stale = state.iteration, 0
        if settings["target_mse"] is not None and errors["train_mse"] <= settings["target_mse"]:
            state.phase = "done"
            return True
        return settings["patience"] is not None and state.stale >= settings["patience"]

    def history(self) -> xr.Dataset:
        """Return the recorded checks as a Dataset over ``iteration``."""
        checks = self.state.checks
        history = xr.Dataset(
            {
                name: ("iteration", [row[name] for row in checks])
                for name in ("loss", *self._stretches, "seconds")
            },
            {"iteration": [row["iteration"] for row in checks]},
            {"best_iteration": self.state.best_iteration, "adam_steps": self.state.adam_steps},
        )
        history.seconds.attrs["units"] = "s"
        return history

    # -- interruption and resumption

    def _count_time(self) -> None:
        now = time.monotonic()
        self.state.seconds += now - self._counted
        self._counted = now

    def _save_now_and_then(self) -> None:
        if time.monotonic() - self._saved > _CHECKPOINT_SECONDS:
            self.save()

    def save(self) -> None:
        """Write the state and the settings to the checkpoint, whole or not at all."""
        if self._checkpoint is None:
            return
        self._count_time()
        arrays = {name: v for name, v in vars(self.state).items() if isinstance(v, np.ndarray)}
        rest = {name: v for name, v in vars(self.state).items() if name not in arrays}
        text = json.dumps({"settings": self._settings, "state": rest})
        with replacing(self._checkpoint) as partial, partial.open("wb") as file:
            np.savez(file, text=text, **arrays)
        self._saved = time.monotonic()

    def remove_checkpoint(self) -> None:
        """Remove the checkpoint of a training that is over."""
        if self._checkpoint is not None:
            self._checkpoint.unlink(missing_ok=True)

    def _restore(self) -> None:
        """Take over the checkpoint, which must have been made with the same settings."""
        path = self._checkpoint
        try:
            with np.load(path) as contents:
                arrays = {name: contents[name] for name in contents.files}
            text = json.loads(str(arrays.pop("text")))
            state = _State(**arrays, **text["state"])
        except (OSError, EOFError, ValueError, KeyError, TypeError, zipfile.BadZipFile):
            raise InputError(f"{path} is no training checkpoint; delete it.") from None
        for name, value in self._settings.items():
            theirs = text["settings"].get(name)
            if theirs != value:
                what = (
                    "on other data or from other weights"
                    if name == "data"
                    else f"with {name} = {theirs}, not {value}"
                )
                raise InputError(
                    f"the training in {path} was made {what}; delete it to start again."
                )
        self.state = state
        self._generator.bit_generator.state = state.generator


def _whole(name: str, value, least: int) -> int:
    """Return a whole number of at least ``least`` as JSON can hold it, numpy's included."""
    if not (isinstance(value, Integral) and value >= least):
        raise InputError(f"{name} must be a whole number of at least {least}, not {value!r}.")
    return int(value)


def _stretch(name: str, samples) -> list[int]:
    """Return the first sample of a stretch and the one after its last."""
    try:
        first, stop = map(operator.index, samples)
    except (TypeError, ValueError):
        raise InputError(
            f"{name} must be two whole numbers, the first sample and the one after the last, "
            f"not {samples!r}."
        ) from None
    return [first, stop]


def _check(settings: dict) -> None:
    """Raise an InputError for the first setting that makes no sense; make counts plain."""
    least = {"iterations": 1, "batch": 1, "window": 1, "check_every": 1, "lm_steps": 0}
    least |= {"lm_window": 1, "lm_stride": 1}
    least |= {} if settings["patience"] is None else {"patience": 1}
    for name, bound in least.items():
        settings[name] = _whole(name, settings[name], bound)
    for name in ("learning_rate", "final_learning_rate"):
        if not (isinstance(settings[name], Real) and settings[name] > 0):
            raise InputError(f"{name} must be a positive number, not {settings[name]!r}.")
        settings[name] = float(settings[name])
    decay = settings["weight_decay"]
    if not (isinstance(decay, Real) and decay >= 0):
        raise InputError(f"weight_decay must be a number of at least 0, not {decay!r}.")
    settings["weight_decay"] = float(decay)


# --- the gradient ---------------------------------------------------------------------------


def _place(device: str, gradient: str | None, work: int) -> tuple[torch.device, str]:
    """Return where the gradient is computed, and how."""
    if gradient is not None and gradient not in GRADIENTS:
        raise InputError(f"gradient must be one of {', '.join(GRADIENTS)}, not {gradient!r}.")
    if device == "auto":
        gains = torch.cuda.is_available() and (work >= _GPU_GAINS or gradient is not None)
        device = "cuda" if gains and gradient != "fused" else "cpu"
    try:
        where = torch.device(device)
    except RuntimeError:
        raise InputError(
            f"PyTorch knows no device {device!r}; use 'auto', 'cpu' or 'cuda'."
        ) from None
    if where.type == "cuda" and (where.index or 0) >= torch.cuda.device_count():
        raise InputError(
            f"device is {device} but PyTorch sees no such CUDA device; use 'auto' or 'cpu'."
        )
    if gradient is None:
        gradient = "fused" if where.type == "cpu" else "autograd"
    if gradient == "fused" and where.type != "cpu":
        raise InputError(f"gradient 'fused' is the CPU's; with device {device} use 'autograd'.")
    return where, gradient


def _gradient(
    model: SpinODE, stretch: _Stretch, gradient: str, device: torch.device
) -> Callable[[np.ndarray, np.ndarray, int], tuple[float, np.ndarray]]:
    """Return a function of (weights, starts, window) that gives the loss and its gradient."""
    if gradient == "fused":
        return _fused_gradient(model, stretch)
    return _torch_gradient(model, stretch, gradient, device)


def _fused_gradient(model: SpinODE, stretch: _Stretch, dtype=np.float32) -> Callable:
    """Back-propagate in compiled loops, parts of the batch side by side in threads."""
    states, stages = stretch.states.astype(dtype), stretch.stages.astype(dtype)
    step = dtype(model.step)
    pool = ThreadPoolExecutor(torch.get_num_threads())

    def part(network, size, starts, window):
        slope = np.zeros(size, dtype)
        total = _derivatives.window_gradient(
            network, step, states, stages, starts, window, _kernels.unpack(slope, model)
        )
        return total, slope

    def loss_and_gradient(weights, starts, window):
        network = _kernels.unpack(weights.astype(dtype), model)
        # The parts do not depend on the number of threads, so neither does the sum.
        parts = [starts[i : i + _PART] for i in range(0, len(starts), _PART)]
        done = list(pool.map(lambda some: part(network, weights.size, some, window), parts))
        scale = 1 / (len(starts) * window * model.k)
        loss = scale * sum(total for total, _ in done)
        return loss, scale * sum(slope.astype(float) for _, slope in done)

    return loss_and_gradient


def _torch_gradient(
    model: SpinODE, stretch: _Stretch, gradient: str, device: torch.device
) -> Callable:
    """Back-propagate by PyTorch, or integrate the adjoint equation by torchdiffeq."""
    model = copy.deepcopy(model).to(device)
    parameters = tuple(model.parameters())
    dtype = parameters[0].dtype
    k, step = model.k, model.step
    # Row m: every input's delays at third m of a sample.
    rows = len(stretch.stages) - 3 * (k - 1)
    delayed = np.stack([stretch.stages[3 * j : 3 * j + rows] for j in range(k)], axis=-1)
    delayed = torch.as_tensor(delayed.reshape(rows, -1), dtype=dtype, device=device)

    def slope(state, row):
        return model(state, delayed[row])

    def compute(truth, first):
        window = len(truth) - 1
        if gradient == "adjoint":
            ours = _adjoint_solve(slope, first, truth[0], window, step, parameters)
        else:
            ours = _solve(slope, first, truth[0], window, step)
        loss = torch.mean((ours[1:] - truth[1:]) ** 2)
        return loss.detach(), *torch.autograd.grad(loss, parameters)

    if device.type == "cuda" and gradient == "autograd":
        compute = _recorded(compute)

    def loss_and_gradient(weights, starts, window):
        _kernels.store(model, weights)
        truth = windows(stretch.states, starts, window)
        truth = torch.as_tensor(truth, dtype=dtype, device=device).movedim(1, 0)
        loss, *slopes = compute(truth, torch.as_tensor(3 * starts, device=device))
        return loss.item(), _kernels.pack(slopes)

    return loss_and_gradient


def _recorded(compute: Callable) -> Callable:
    """Have a GPU repeat a computation as one CUDA graph instead of thousands of launches.

    ``compute`` takes and returns tensors. What it reads besides may change in value, but not in
    place or shape.
    """
    graphs = {}

    def record(values):
        given = [value.clone() for value in values]
        graph, stream = torch.cuda.CUDAGraph(), torch.cuda.Stream()
        # Libraries set themselves up at a first call, which a graph cannot record.
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            compute(*given)
        torch.cuda.current_stream().wait_stream(stream)
        with torch.cuda.graph(graph):
            results = compute(*given)
        return given, graph, results

    def replay(*values):
        shapes = tuple(value.shape for value in values)
        with torch.cuda.device(values[0].device):
            if shapes not in graphs:
                graphs[shapes] = record(values)
            given, graph, results = graphs[shapes]
            for mine, value in zip(given, values, strict=True):
                mine.copy_(value)
            graph.replay()
            return results

    return replay


def _solve(slope, row, state, window, step):
    """Integrate by the 3/8 rule; ``row`` is each window's first row of inputs."""
    states = [state]
    for n in range(window):
        k1 = slope(state, row + 3 * n)
        k2 = slope(state + step / 3 * k1, row + 3 * n + 1)
        k3 = slope(state + step * (k2 - k1 / 3), row + 3 * n + 2)
        k4 = slope(state + step * (k1 - k2 + k3), row + 3 * n + 3)
        state = state + step / 8 * (k1 + 3 * (k2 + k3) + k4)
        states.append(state)
    return torch.stack(states)


def _adjoint_solve(slope, row, state, window, step, parameters):
    """Integrate by torchdiffeq, whose adjoint method gives the gradient."""
    import torchdiffeq  # half a second, for scipy.integrate, that other gradients do not need

    thirds = torch.arange(window + 1, dtype=state.dtype, device=state.device) * 3

    def at(time, y):
        # Time counted in thirds of a sample is a whole number at every stage.
        return slope(y, row + round(time.item())) * (step / 3)

    return torchdiffeq.odeint_adjoint(
        at, state, thirds, method="rk4", adjoint_params=tuple(parameters)
    )
