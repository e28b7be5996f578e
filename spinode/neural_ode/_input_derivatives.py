"""Compiled derivative of a forecast with respect to what drives it.

Back-propagation through the 3/8 rule of `spinode.neural_ode._solver`, exact step by step. Only
the states are kept on the way forward; the network is evaluated anew on the way back, so that
memory grows by k numbers a step and a derivative costs about three forecasts.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from spinode.neural_ode._kernels import COMPILE, SUM, _matvec, dot, evaluate
from spinode.neural_ode._solver import advance, stage_adjoint, stage_inputs, stage_state


@njit(**COMPILE)
def trace(network, step, states, stages, low, high):
    """Forecast from ``states[0]`` and keep every state; stop if the first output leaves a range.

    Parameters
    ----------
    network : tuple of arrays
        From `kernels.padded`.
    step : float
        Sample spacing in the model's time.
    states : array, shape (steps + 1, k)
        Its first row is where to begin; receives the state after each step.
    stages : array, shape (3 (steps + k - 1) + 1, inputs)
        Inputs at every third of a sample.
    low, high : float
        Range of the first output beyond which to stop.

    Returns
    -------
    int
        Steps taken; fewer than asked if the output left the range or is not a number.
    """
    steps, k = states.shape[0] - 1, states.shape[1]
    x = np.zeros(network[0].shape[0])
    h1, h2 = np.zeros_like(network[1]), np.zeros_like(network[3])
    slopes = np.zeros((4, k))
    for n in range(steps):
        for i in range(k):
            states[n + 1, i] = states[n, i]
        for stage in range(4):
            stage_state(stage, states[n], step, slopes, x)
            stage_inputs(stages, n, stage, k, x[k:])
            evaluate(network, x, h1, h2, slopes[stage])
        advance(states[n + 1], step, slopes)
        if not low <= states[n + 1, 0] <= high:
            return n
    return steps


@njit(**SUM)
def input_gradient(network, step, states, stages, by_output, by_stages):
    """Carry the derivative of a loss by every output sample back to every input.

    Parameters
    ----------
    network, step, states, stages
        As `trace` took and left them.
    by_output : array, shape (steps + k,)
        Derivative of the loss by each sample of the output; the last k samples are the last state.
    by_stages : array, as ``stages``
        The derivative by each input at each third of a sample is added to it.
    """
    w1, b1, w2, _, w3, _ = network
    steps, k = states.shape[0] - 1, states.shape[1]
    columns, n = w1.shape[0], b1.size
    senders = np.ascontiguousarray(w2.T)
    nothing = np.zeros(n)
    x, h1, h2 = np.zeros((4, columns)), np.zeros((4, n)), np.zeros((4, n))
    slopes, back = np.zeros((4, k)), np.zeros((4, columns))
    d3, d2, d1 = np.zeros(k), np.zeros(n), np.zeros(n)
    g = by_output[steps:].copy()
    for m in range(steps - 1, -1, -1):
        for stage in range(4):
            stage_state(stage, states[m], step, slopes, x[stage])
            stage_inputs(stages, m, stage, k, x[stage, k:])
            evaluate(network, x[stage], h1[stage], h2[stage], slopes[stage])
        for stage in range(3, -1, -1):
            stage_adjoint(stage, step, g, back, d3)
            _matvec(w3, nothing, d3, d2)
            for a in range(n):
                d2[a] *= 1 - h2[stage, a] ** 2
            _matvec(senders, nothing, d2, d1)
            for a in range(n):
                d1[a] *= 1 - h1[stage, a] ** 2
            for j in range(columns):
                back[stage, j] = dot(w1[j], d1)
            for q in range(stages.shape[1]):
                for j in range(k):
                    by_stages[3 * (m + j) + stage, q] += back[stage, k + q * k + j]
        for i in range(k):
            g[i] += back[0, i] + back[1, i] + back[2, i] + back[3, i]
        g[0] += by_output[m]
