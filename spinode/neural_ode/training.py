"""Train a Spin-Neural ODE on one trajectory or on several.

First, as in the paper (Methods, "Training"), Adam minimizes the mean squared error of forecasts
over short windows of the trajectory, here with a cosine-annealed learning rate. Then, if asked,
Levenberg-Marquardt minimizes that of forecasts over long windows.
"""

from __future__ import annotations

import operator
from collections.abc import Sequence
from numbers import Integral, Real
from pathlib import Path

import xarray as xr
from tqdm import tqdm

from spinode.devices.drives import Drive
from spinode.errors import InputError
from spinode.neural_ode import _kernels, gradients
from spinode.neural_ode.checkpoint import Checkpoint
from spinode.neural_ode.descent import Training, TrainingDiverged
from spinode.neural_ode.model import SpinODE
from spinode.neural_ode.stages import one_drive_each
from spinode.neural_ode.stretch import check_scales, fingerprint, stretch_of
from spinode.provenance import code_version
from spinode.trajectory import as_list

# Of the code that is loaded: a file may be edited while a notebook runs.
_CODE = code_version(f"import {__name__}")

#: First sample of a stretch, and the one after its last.
Samples = tuple[int, int]


def fit_delays(
    model: SpinODE,
    trajectory: xr.Dataset | Sequence[xr.Dataset],
    *,
    inputs: Drive | Sequence[Drive] | None = None,
    interpolation: str | None = None,
    train: Samples | Sequence[Samples | None] | None = None,
    validation: Samples | Sequence[Samples | None] | None = None,
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
    checkpoint: str | Path | Checkpoint | None = None,
    progress: bool = True,
) -> xr.Dataset:
    """Train a model whose state is delayed outputs; leave it with the best weights.

    `spinode.fit` calls it.

    The best weights are those with the smallest mean squared error of a free forecast over the
    whole validation stretch, or over the training stretch if there is none.

    Parameters
    ----------
    model : SpinODE
        Trained in place; its `trained_range` is set.
    trajectory : Dataset, or sequence of them
        Evenly spaced samples of the model's output (and of its inputs, unless ``inputs``) at the
        model's sample spacing. Other units than the model's are converted. Several experiments
        are a sequence, or a Dataset with a dimension ``run``, as `spinode.forecast` returns it;
        no window goes from one to the next.
    inputs : Drive, optional
        The inputs as functions of time, of several trajectories one each. By default the
        trajectory's own columns.
    interpolation : {"held", "linear", "cubic"}, optional
        How the trajectory's own inputs are interpolated; by default as the model says, which is
        "cubic" unless the data chose. Forecasts have the same default.
    train, validation : (int, int), or sequence of them
        First sample of the stretch, and the one after its last. Of several trajectories in each,
        or one pair a trajectory, None for one that is left out. By default all samples are
        trained on, and none is for validation.
    iterations : int
        Steps of Adam; with none, Levenberg-Marquardt goes on from the model's own weights.
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
        ``fused`` on a CPU, and ``autograd`` on a GPU.
    device : str
        Where Adam's gradient is computed. ``auto`` is CUDA where there is one, unless the batch
        and the network are so small that a CPU is faster.
    seed : int
        Seed of the choice of windows.
    checkpoint : path, optional
        File that receives the state of the training every few seconds. If it exists, the training
        goes on from there, and ends at the same weights as one that was never interrupted; if
        spinode's code has changed since, it starts again, with a `CheckpointWarning`. The file is
        removed at the end.
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
        If data and model disagree in inputs, units or sampling, the data hold NaN or lie far
        from 1 when they are normalized, a stretch does not fit, or the checkpoint is damaged or
        belongs to other data or settings.
    TrainingDiverged
        If the loss becomes infinite or very large.
    """
    interpolation = interpolation or model.interpolation
    trajectories = as_list(trajectory)
    if not trajectories:
        raise InputError("there is no trajectory to learn from; give one Dataset or several.")
    settings = {
        "train": [[0, one.sizes["time"]] for one in trajectories]
        if train is None
        else _stretches("train", train, len(trajectories)),
        "validation": None
        if validation is None
        else _stretches("validation", validation, len(trajectories)),
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
    where, gradient = gradients.place(device, gradient, work)
    settings["gradient"] = gradient
    sources = (model, trajectories, one_drive_each(inputs, len(trajectories)), interpolation)
    stretches = {"train_mse": stretch_of("train", settings["train"], window, *sources)}
    check_scales(model, stretches["train_mse"])
    if validation is not None:
        stretches["validation_mse"] = stretch_of("validation", settings["validation"], 1, *sources)
    settings["data"] = fingerprint(model, *stretches.values())

    if not isinstance(checkpoint, Checkpoint):
        checkpoint = Checkpoint(checkpoint)
    training = Training(model, stretches, settings, _CODE, checkpoint)
    loss_and_gradient = gradients.gradient_of(model, stretches["train_mse"], gradient, where)
    try:
        with tqdm(total=iterations, desc="train", disable=not progress) as bar:
            training.adam(loss_and_gradient, bar)
        with tqdm(
            total=lm_steps, desc="Levenberg-Marquardt", disable=not (progress and lm_steps)
        ) as bar:
            training.levenberg_marquardt(bar)
    except TrainingDiverged:
        checkpoint.end()  # it would only diverge again
        raise
    finally:
        _kernels.store(model, training.state.best)
        model.trained_range = stretches["train_mse"].ranges
        model.interpolation = interpolation
    checkpoint.end()
    return training.history()


def _whole(name: str, value, least: int) -> int:
    """Return a whole number of at least ``least`` as JSON can hold it, numpy's included."""
    if not (isinstance(value, Integral) and value >= least):
        raise InputError(f"{name} must be a whole number of at least {least}, not {value!r}.")
    return int(value)


def _stretches(name: str, samples, trajectories: int) -> list[list[int] | None]:
    """Return a pair of numbers, or None, for each trajectory."""
    try:
        if any(one is None or isinstance(one, Sequence) for one in samples):
            pairs = [None if one is None else _pair(one) for one in samples]
        else:
            pairs = [_pair(samples)] * trajectories
    except (TypeError, ValueError):
        raise InputError(
            f"{name} must be two whole numbers, the first sample and the one after the last, "
            f"or such a pair for each trajectory, not {samples!r}."
        ) from None
    if len(pairs) != trajectories:
        raise InputError(
            f"{name} has {len(pairs)} pairs for {trajectories} trajectories; give one each, None "
            "for one that is left out."
        )
    return pairs


def _pair(samples) -> list[int]:
    first, stop = map(operator.index, samples)
    return [first, stop]


def _check(settings: dict) -> None:
    """Raise an InputError for the first setting that makes no sense; make counts plain."""
    least = {"iterations": 0, "batch": 1, "window": 1, "check_every": 1, "lm_steps": 0}
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
