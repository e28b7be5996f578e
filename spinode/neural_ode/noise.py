"""How noisy a device is: estimated from what a trained model leaves unexplained.

A trained model predicts each sample from the measured ones just before it. What is left over a
single step is the noise that entered during that step, since the noise of earlier steps is in the
measured state already, and the model's error. The error depends on state and input alone: what a
cubic polynomial of them can predict of the residuals is taken for it and removed.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations_with_replacement

import numpy as np
import torch
import xarray as xr
from threadpoolctl import threadpool_limits

from spinode.errors import InputError
from spinode.neural_ode._solver import delayed_inputs, torch_step
from spinode.neural_ode.measured import measured
from spinode.neural_ode.model import SpinODE
from spinode.neural_ode.stages import StageInputs
from spinode.trajectory import delay_embed, spacing_of

_BLOCKS = 50  # into which the residuals are cut to see how far their mean is uncertain
_SHORTEST = 1000  # samples; fewer say little beside the terms of the polynomial
_ROWS = 20_000  # evaluated at once


@dataclass(frozen=True)
class Estimate:
    """A number with its uncertainty.

    Parameters
    ----------
    value, error : float
        Estimate and standard error, in the same units.
    """

    value: float
    error: float

    def __str__(self) -> str:
        digits = max(0, 1 - int(np.floor(np.log10(self.error)))) if self.error > 0 else 3
        return f"{self.value:.{digits}f} +- {self.error:.{digits}f}"


def one_step_residuals(model: SpinODE, trajectory: xr.Dataset) -> xr.Dataset:
    """Forecast every sample from the k before it, and compare.

    Parameters
    ----------
    model : SpinODE
        Trained model.
    trajectory : Dataset
        Evenly spaced samples of the model's output and inputs; inputs are linear in between.

    Returns
    -------
    Dataset
        Over ``time``: ``residual``, measured minus forecast (units of the output), without the
        part that state and input predict, and ``memory``, the derivative of the prediction (the
        forecast and that part) by the last sample before it. If the model has one input, also
        ``input_noise_held`` and ``input_noise_joined``: how much the sample varies (standard
        deviation, given the k before it, to first order) for unit noise at the input, as of
        `NoisyDrive`, or added to the samples and joined by lines as they are.

    Raises
    ------
    InputError
        If the trajectory is too short or does not fit the model.
    """
    k, scale, units = model.k, model.output.scale, model.output.units
    trajectory = measured(model, trajectory)
    states, driven, last = transitions(model, trajectory)
    if len(last) < _SHORTEST - k:
        raise InputError(
            f"noise is estimated from at least {_SHORTEST} samples, not {len(last) + k}."
        )
    forecasts, memory, pull = expectations(model, states, driven)
    known = np.column_stack([states, driven[0], driven[3][:, -1]])
    residual, slope = _unpredictable(scale * (last - forecasts), known, column=k - 1)
    variables = {
        "residual": ("time", residual, {"units": units}),
        "memory": ("time", memory + slope / scale, {"units": "1"}),
    }
    if len(model.inputs) == 1:
        (channel,) = model.inputs
        for shape in _SHAPES:
            deviation = _deviation_of_input_noise(pull, shape) * scale / channel.scale
            per_input = {"units": f"{units}/({channel.units})"}
            variables[f"input_noise_{shape}"] = "time", deviation, per_input
    return xr.Dataset(variables, {"time": trajectory.time.values[k:]})


def _unpredictable(
    residual: np.ndarray, known: np.ndarray, column: int = 0
) -> tuple[np.ndarray, np.ndarray]:
    """Take from ``residual`` what a cubic polynomial of ``known`` (samples, variables) predicts.

    Return what is left, and the derivative of the polynomial by one of the variables.
    """
    mean, deviation = known.mean(axis=0), known.std(axis=0)
    known = (known - mean) / deviation
    terms = _cubic(known)
    weights = np.linalg.solve(terms.T @ terms, terms.T @ residual)
    shift = np.zeros(known.shape[1])
    shift[column] = 1e-3
    slope = (_cubic(known + shift) - _cubic(known - shift)) @ weights / (2e-3 * deviation[column])
    # The fit absorbs some of the noise: as many degrees of freedom as it has terms.
    share = (len(terms) - terms.shape[1]) / len(terms)
    return (residual - terms @ weights) / np.sqrt(share), slope


def _cubic(known: np.ndarray) -> np.ndarray:
    """Return all products of up to three variables, shape (samples, terms)."""
    products = [np.ones(len(known))]
    for degree in (1, 2, 3):
        for factors in combinations_with_replacement(known.T, degree):
            products.append(np.prod(factors, axis=0))
    return np.column_stack(products)


def transitions(
    model: SpinODE, trajectory: xr.Dataset
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Cut a trajectory into single steps: where each starts, what drives it, what comes out.

    Parameters
    ----------
    model : SpinODE
    trajectory : Dataset
        As for `one_step_residuals`.

    Returns
    -------
    states : array, shape (steps, k)
        Normalized delayed outputs before each step.
    driven : array, shape (4, steps, n_inputs * k)
        Normalized delayed inputs at the four stages of each step.
    last : array, shape (steps,)
        The sample that each step adds to the state, normalized.

    Raises
    ------
    InputError
        If the trajectory does not fit the model.
    """
    k = model.k
    trajectory = measured(model, trajectory)
    output = model.output.normalize(trajectory[model.output.name].values.astype(float))
    if len(output) <= k:
        raise InputError(f"a step of a model with k = {k} takes {k + 1} samples; give more.")
    if not np.isfinite(output).all():
        raise InputError(f"the trajectory's {model.output.name} holds NaN; cut or repair it.")
    source = StageInputs(model, trajectory, start=float(trajectory.time[0]), interpolation="linear")
    thirds = model.normalize_inputs(source.between(0, len(output) - 1))
    delayed = delayed_inputs(thirds, k)
    steps = len(output) - k
    driven = np.stack([delayed[stage : stage + 3 * steps : 3] for stage in range(4)])
    return delay_embed(output, k)[:-1], driven, output[k:]


def expectations(
    model: SpinODE, states: np.ndarray, driven: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the last sample that the model expects after each step, and what it depends on.

    Parameters
    ----------
    model : SpinODE
    states, driven : array
        From `transitions`.

    Returns
    -------
    forecasts, memory : array, shape (steps,)
        The expected sample, normalized, and its derivative by the last sample before it.
    pull : array, shape of ``driven``
        Its derivatives by the inputs at the four stages of the step.
    """
    dtype = next(model.parameters()).dtype
    forecasts, memory, pull = np.empty(len(states)), np.empty(len(states)), np.empty(driven.shape)
    # Threads gain little on matrices of this size, and on a busy machine wait for one another.
    with threadpool_limits(1, "openmp"):
        for first in range(0, len(states), _ROWS):
            here = slice(first, first + _ROWS)
            state = torch.tensor(states[here], dtype=dtype, requires_grad=True)
            played = torch.tensor(driven[:, here], dtype=dtype, requires_grad=True)
            last = one_step(model, state, played)[:, -1]
            slopes = torch.autograd.grad(last.sum(), (state, played))
            forecasts[here] = last.detach().numpy()
            memory[here] = slopes[0][:, -1].numpy()
            pull[:, here] = slopes[1].numpy()
    return forecasts, memory, pull


def one_step(model: SpinODE, state: torch.Tensor, driven: torch.Tensor) -> torch.Tensor:
    """Return the state one step later (3/8 rule), given the inputs at its four stages."""
    return torch_step(lambda stage, y: model(y, driven[stage]), state, model.step)


def langevin_strength(steps: xr.Dataset) -> Estimate:
    """Estimate the strength of the Langevin noise of a device, by maximum likelihood.

    If white noise of strength s drives the output, and a deviation relaxes by the factor a
    ("memory") in a sample spacing d, a one-step residual is Gaussian with the variance
    ``s**2 d (1 - a**2) / (-2 log a)``, independent of the others; the likelihood of all residuals
    is largest where s**2 is the mean of their squares over these weights.

    Parameters
    ----------
    steps : Dataset
        From `one_step_residuals`.

    Returns
    -------
    Estimate
        In the units of the output per root second. The standard error comes from the means of 50
        blocks of residuals, so that it also holds if they are not quite independent; the error of
        the model itself is not part of it.
    """
    return _root_mean(
        steps.residual.values**2 / kick_variance(steps.memory.values, spacing_of(steps))
    )


def _root_mean(square: np.ndarray) -> Estimate:
    """Return the root of the mean, with the standard error from the means of blocks."""
    means = np.array([block.mean() for block in np.array_split(square, _BLOCKS)])
    root = np.sqrt(square.mean())
    return Estimate(float(root), float(means.std(ddof=1) / np.sqrt(_BLOCKS) / (2 * root)))


def kick_variance(memory: np.ndarray, spacing: float) -> np.ndarray:
    """Return the variance (s) of a step's noise for unit strength.

    Parameters
    ----------
    memory : array
        By what factor a deviation relaxes in a step.
    spacing : float
        Length of the step (s).
    """
    decay = -np.log(np.clip(memory, 1e-3, 1 - 1e-6))
    return spacing * -np.expm1(-2 * decay) / (2 * decay)


class NoisyDrive:
    """A sampled input, linear between its samples, with white noise: a new value every sample.

    Noise that is added to the samples, and so joined by lines as the input is, lacks the fast part
    of a device's thermal noise. Here each value is held for a sample instead.

    Parameters
    ----------
    inputs : Dataset
        Evenly spaced samples of one input over ``time``, from zero on.
    noise : float
        Standard deviation of the noise, in the units of the input.
    seed : int
        Seed of the noise.

    Attributes
    ----------
    inputs : tuple of str
    duration : float
        As of every drive (`spinode.devices.drives.Drive`).
    """

    def __init__(self, inputs: xr.Dataset, noise: float, *, seed: int = 0):
        (self._name,) = self.inputs = tuple(inputs.data_vars)
        self._time, self._values = inputs.time.values, inputs[self._name].values
        self._spacing = spacing_of(inputs)
        self.duration = float(self._time[-1])
        self._noise = noise * np.random.default_rng(seed).standard_normal(self._time.size)

    def sample(self, time: np.ndarray) -> dict[str, np.ndarray]:
        """Return the input at ``time`` (s)."""
        # A millionth of a sample absorbs the rounding of times.
        held = np.floor(np.asarray(time) / self._spacing + 1e-6).astype(int)
        held = np.clip(held, 0, self._time.size - 1)
        return {self._name: np.interp(time, self._time, self._values) + self._noise[held]}


# What one noise value adds to the input at the four stages of the step it begins with, and of the
# step before.
_SHAPES = {
    "held": ((1, 1, 1, 0), (0, 0, 0, 1)),
    "joined": ((1, 2 / 3, 1 / 3, 0), (0, 1 / 3, 2 / 3, 1)),
}


def _deviation_of_input_noise(pull: np.ndarray, shape: str) -> np.ndarray:
    """Return how much unit noise at the one input makes every next sample vary, normalized.

    ``pull`` is that of `expectations`.
    """
    k = pull.shape[-1]
    variance = np.zeros(pull.shape[1])
    for value in range(k + 1):
        change = np.zeros((4, k))
        for delay, part in zip((value, value - 1), _SHAPES[shape], strict=True):
            if 0 <= delay < k:
                change[:, delay] += part
        variance += np.einsum("sk,snk->n", change, pull) ** 2
    return np.sqrt(variance)


def input_noise_strength(steps: xr.Dataset, shape: str) -> Estimate:
    """Estimate the noise at the input that explains a recording, by maximum likelihood.

    Parameters
    ----------
    steps : Dataset
        From `one_step_residuals`, of a model with one input.
    shape : {"held", "joined"}
        Noise as of `NoisyDrive`, or added to the samples and joined by lines as they are.

    Returns
    -------
    Estimate
        Standard deviation of the noise, in the units of the input, with its standard error.
    """
    return _root_mean((steps.residual.values / steps[f"input_noise_{shape}"].values) ** 2)
