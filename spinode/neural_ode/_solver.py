"""The one solver of Spin-Neural ODEs: the 3/8 rule, which torchdiffeq calls ``rk4``.

A fourth-order Runge-Kutta method (Kutta 1901) whose stages lie at 0, 1/3, 2/3 and 1 of a step, so
that an input sampled at every third of a sample serves all stages, and an input delayed by j
samples is the same array 3 j places on.

The tableau is the data. The steps below are the same rule written out, for PyTorch and for
compiled loops, each with as few operations as it takes; a test holds them against the tableau.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from numba import njit

from spinode.neural_ode._kernels import COMPILE, evaluate, evaluate_batch

#: Butcher tableau: what stage i takes of the slopes before it, and what a step takes of all four.
A = ((0, 0, 0, 0), (1 / 3, 0, 0, 0), (-1 / 3, 1, 0, 0), (1, -1, 1, 0))
B = (1 / 8, 3 / 8, 3 / 8, 1 / 8)
#: Where the stages lie, in thirds of a step.
THIRDS = (0, 1, 2, 3)


def torch_step(
    slope: Callable[[int, torch.Tensor], torch.Tensor], state: torch.Tensor, step: float
) -> torch.Tensor:
    """Return the state one step later.

    Parameters
    ----------
    slope : callable
        Of the number of a stage and the state there.
    state : Tensor
    step : float
    """
    k1 = slope(0, state)
    k2 = slope(1, state + step / 3 * k1)
    k3 = slope(2, state + step * (k2 - k1 / 3))
    k4 = slope(3, state + step * (k1 - k2 + k3))
    return state + step / 8 * (k1 + 3 * (k2 + k3) + k4)


def delayed_inputs(stages: np.ndarray, k: int) -> np.ndarray:
    """Stack inputs with their delays by whole samples.

    Parameters
    ----------
    stages : array, shape (3 (steps + k - 1) + 1, inputs)
        Inputs at every third of a sample.
    k : int
        Embedding dimension.

    Returns
    -------
    array, shape (3 steps + 1, inputs * k)
        Row m: each input's delays side by side, at third m of a sample.
    """
    rows = len(stages) - 3 * (k - 1)
    delays = np.stack([stages[3 * j : 3 * j + rows] for j in range(k)], axis=-1)
    return delays.reshape(rows, -1)


@njit(**COMPILE, forceinline=True)
def stage_state(stage, state, step, slopes, out):
    """State at which ``stage`` of the 3/8 rule evaluates f, given the slopes of those before."""
    for i in range(state.size):
        if stage == 0:
            out[i] = state[i]
        elif stage == 1:
            out[i] = state[i] + step / 3 * slopes[0, i]
        elif stage == 2:
            out[i] = state[i] + step * slopes[1, i] - step / 3 * slopes[0, i]
        else:
            out[i] = state[i] + step * (slopes[0, i] - slopes[1, i] + slopes[2, i])


@njit(**COMPILE, forceinline=True)
def advance(state, step, slopes):
    """Complete a step of the 3/8 rule from its four slopes."""
    for i in range(state.size):
        state[i] += step / 8 * (slopes[0, i] + 3 * (slopes[1, i] + slopes[2, i]) + slopes[3, i])


@njit(**COMPILE, forceinline=True)
def stage_inputs(stages, n, stage, k, out):
    """Every input's k delays at ``stage`` of step ``n``."""
    for q in range(stages.shape[1]):
        for j in range(k):
            out[q * k + j] = stages[3 * (n + j) + stage, q]


@njit(**COMPILE)
def stage_adjoint(stage, step, g, back, out):
    """Back-propagate to a stage's slope, from the step's end ``g`` and later stages ``back``."""
    for i in range(g.size):
        if stage == 3:
            out[i] = step / 8 * g[i]
        elif stage == 2:
            out[i] = 3 * step / 8 * g[i] + step * back[3, i]
        elif stage == 1:
            out[i] = 3 * step / 8 * g[i] - step * back[3, i] + step * back[2, i]
        else:
            out[i] = step / 8 * g[i] + step * back[3, i] + step / 3 * (back[1, i] - back[2, i])


@njit(**COMPILE)
def integrate(network, step, state, stages, low, high, every, first, kept):
    """Carry ``state`` through the whole of ``stages``; stop if its first output leaves a range.

    Parameters
    ----------
    network : tuple of arrays
        From `unpack` or `padded`.
    step : float
        Sample spacing in the model's time.
    state : array, shape (k,)
        Delayed outputs; holds the last good state on return.
    stages : array, shape (3 (steps + k - 1) + 1, inputs)
        Inputs at every third of a sample.
    low, high : float
        Range of the first output beyond which to stop.
    every, first : int
        Keep the first output before each step whose number, counted from ``first``, is a multiple
        of ``every``.
    kept : array
        Receives the kept outputs, one after the other.

    Returns
    -------
    int
        Steps taken; fewer than asked if the output left the range or is not a number.
    """
    k = state.size
    steps = (stages.shape[0] - 1) // 3 - (k - 1)
    x = np.zeros(network[0].shape[0], state.dtype)
    h1, h2 = np.zeros_like(network[1]), np.zeros_like(network[3])
    slopes = np.zeros((4, k), state.dtype)
    count = 0
    for n in range(steps):
        if not low <= state[0] <= high:
            return n
        if (first + n) % every == 0:
            kept[count] = state[0]
            count += 1
        for stage in range(4):
            stage_state(stage, state, step, slopes, x)
            stage_inputs(stages, n, stage, k, x[k:])
            evaluate(network, x, h1, h2, slopes[stage])
        advance(state, step, slopes)
    return steps


@njit(**COMPILE)
def integrate_batch(network, step, states, stages, low, high, every, first, kept, taken):
    """Carry many ``states`` side by side; each counts the steps it takes inside the range.

    Parameters
    ----------
    network, step, low, high, every, first
        As for `integrate`.
    states : array, shape (runs, k)
        Delayed outputs; hold the last states on return.
    stages : array, shape (runs, 3 (steps + k - 1) + 1, inputs)
        Inputs at every third of a sample.
    kept : array, shape (runs, samples)
        Receives the kept outputs.
    taken : array of int, shape (runs,)
        Steps taken so far; grows no more once the first output has left the range.
    """
    runs, k = states.shape
    steps = (stages.shape[1] - 1) // 3 - (k - 1)
    w1, b1 = network[0], network[1]
    x = np.zeros((runs, w1.shape[0]), states.dtype)
    h1, h2 = np.zeros((runs, b1.size), states.dtype), np.zeros((runs, b1.size), states.dtype)
    slopes = np.zeros((4, runs, k), states.dtype)
    count = 0
    for n in range(steps):
        for b in range(runs):
            if taken[b] == first + n and low <= states[b, 0] <= high:
                taken[b] += 1
        if (first + n) % every == 0:
            for b in range(runs):
                kept[b, count] = states[b, 0]
            count += 1
        for stage in range(4):
            for b in range(runs):
                stage_state(stage, states[b], step, slopes[:, b], x[b])
                stage_inputs(stages[b], n, stage, k, x[b, k:])
            evaluate_batch(network, x, h1, h2, slopes[stage])
        for b in range(runs):
            advance(states[b], step, slopes[:, b])


def free_forecast(network, step: float, initial: np.ndarray, stages: np.ndarray) -> np.ndarray:
    """Return the first output at every sample of a forecast; NaN where it has blown up.

    Parameters
    ----------
    network : tuple of arrays
        From `_kernels.padded`.
    step : float
        Sample spacing in the model's time.
    initial : array, shape (k,)
        First state, normalized.
    stages : array, shape (3 (steps + k - 1) + 1, inputs)
        Inputs at every third of a sample, normalized.

    Returns
    -------
    array, shape (steps + 1,)
    """
    state = initial.copy()
    steps = (len(stages) - 1) // 3 - (state.size - 1)
    outputs = np.full(steps + 1, np.nan)
    taken = integrate(network, step, state, stages, -1e6, 1e6, 1, 0, outputs)
    if taken == steps:
        outputs[-1] = state[0]
    return outputs
