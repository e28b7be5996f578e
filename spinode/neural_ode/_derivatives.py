"""Compiled derivatives of forecasts with respect to the weights of a Spin-Neural ODE.

Both go through the 3/8 rule of `spinode.neural_ode._solver` exactly, step by step; nothing is
approximated.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from spinode.neural_ode._kernels import (
    COMPILE,
    SUM,
    _matvec,
    dot,
    evaluate,
    evaluate_batch,
    multiply,
)
from spinode.neural_ode._solver import advance, stage_adjoint, stage_inputs, stage_state


@njit(**COMPILE)
def _through_tanh(h, d):
    for b in range(h.shape[0]):
        for i in range(h.shape[1]):
            d[b, i] *= 1 - h[b, i] * h[b, i]


@njit(**COMPILE)
def _add_layer(fed, d, weights, biases, product):
    """Add the gradient of one layer, which was fed ``fed`` and whose sums have derivative ``d``."""
    np.dot(fed.T, d, product)
    for j in range(weights.shape[0]):
        for i in range(weights.shape[1]):
            weights[j, i] += product[j, i]
    for b in range(d.shape[0]):
        for i in range(d.shape[1]):
            biases[i] += d[b, i]


@njit(**COMPILE)
def window_gradient(network, step, states, stages, starts, window, gradient):
    """Sum of squared errors over windows, and its gradient by back-propagation.

    Parameters
    ----------
    network : tuple of arrays
        From `kernels.unpack`, all of one type, which the computation takes over.
    step : float
        Sample spacing in the model's time.
    states : array, shape (samples, k)
        Delay-embedded output; row n is both where a window may start and what it should reach.
    stages : array, shape (3 (samples + k - 2) + 1, inputs)
        Inputs at every third of a sample.
    starts : array of int, shape (windows,)
        First sample of each window.
    window : int
        Steps in a window.
    gradient : tuple of arrays
        Of the shapes of ``network``; the gradient is added to them.

    Returns
    -------
    float
        Sum over windows, steps and delays of the squared error.
    """
    w1, b1, w2, _, w3, b3 = network
    g1, c1, g2, c2, g3, c3 = gradient
    count, k, columns, n = starts.size, b3.size, w1.shape[0], b1.size
    kind = b1.dtype
    x = np.empty((window * 4, count, columns), kind)
    h1, h2 = np.empty((window * 4, count, n), kind), np.empty((window * 4, count, n), kind)
    slopes = np.zeros((4, count, k), kind)
    errors = np.empty((window, count, k), kind)
    state = np.empty((count, k), kind)
    total = 0.0
    for b in range(count):
        for i in range(k):
            state[b, i] = states[starts[b], i]
    for m in range(window):
        for stage in range(4):
            at = 4 * m + stage
            for b in range(count):
                stage_state(stage, state[b], step, slopes[:, b], x[at, b])
                stage_inputs(stages, starts[b] + m, stage, k, x[at, b, k:])
            evaluate_batch(network, x[at], h1[at], h2[at], slopes[stage])
        for b in range(count):
            advance(state[b], step, slopes[:, b])
            for i in range(k):
                errors[m, b, i] = state[b, i] - states[starts[b] + m + 1, i]
                total += errors[m, b, i] ** 2

    senders1, senders2 = np.ascontiguousarray(w1.T), np.ascontiguousarray(w2.T)
    g = np.zeros((count, k), kind)  # derivative by the state
    back = np.zeros((4, count, columns), kind)  # by what each stage fed into the network
    d3, d2, d1 = np.empty((count, k), kind), np.empty((count, n), kind), np.empty((count, n), kind)
    p1, p2, p3 = np.empty((columns, n), kind), np.empty((n, n), kind), np.empty((n, k), kind)
    for m in range(window - 1, -1, -1):
        for b in range(count):
            for i in range(k):
                g[b, i] += 2 * errors[m, b, i]
        for stage in range(3, -1, -1):
            at = 4 * m + stage
            for b in range(count):
                stage_adjoint(stage, step, g[b], back[:, b], d3[b])
            multiply(d3, w3, d2)
            _through_tanh(h2[at], d2)
            multiply(d2, senders2, d1)
            _through_tanh(h1[at], d1)
            multiply(d1, senders1, back[stage])
            _add_layer(x[at], d1, g1, c1, p1)
            _add_layer(h1[at], d2, g2, c2, p2)
            _add_layer(h2[at], d3, g3.T, c3, p3)
        for stage in range(4):
            for b in range(count):
                for i in range(k):
                    g[b, i] += back[stage, b, i]
    return total


@njit(**SUM)
def _add_outer(left, right, total):
    """Add ``sum_s left[s] x right[s]`` over the four stages, flattened, to ``total``."""
    n = right.shape[1]
    for j in range(left.shape[1]):
        l0, l1, l2, l3 = left[0, j], left[1, j], left[2, j], left[3, j]
        row = total[j * n : (j + 1) * n]
        for i in range(n):
            row[i] += l0 * right[0, i] + l1 * right[1, i] + l2 * right[2, i] + l3 * right[3, i]


@njit(**COMPILE)
def _copy(source, target):
    for i in range(source.size):
        target[i] = source[i]


@njit(**SUM)
def sensitivities(network, step, state, stages, sensitivity, outputs, rows):
    """Forecast, and the derivative of each forecast sample by every weight.

    Forward mode: the sensitivity S of the state obeys ``S <- A S + B`` from step to step, where A,
    the derivative by the state before, and B, that by the weights within the step, come from
    back-propagating each component of the new state through the step.

    Parameters
    ----------
    network, step
        As for `window_gradient`.
    state : array, shape (k,)
        Holds the last state on return.
    stages : array, shape (3 (steps + k - 1) + 1, inputs)
        Inputs at every third of a sample.
    sensitivity : array, shape (k, weights)
        That of ``state``; that of the last state on return.
    outputs : array, shape (steps,)
        Receives the first output after each step.
    rows : array, shape (kept, weights)
        Receives its derivative by the weights, in the order of `kernels.pack`, after every
        (steps // kept)-th step.
    """
    w1, b1, w2, _, w3, b3 = network
    k, columns, n = b3.size, w1.shape[0], b1.size
    end1 = columns * n
    end2 = end1 + n + n * n
    end3 = end2 + n + k * n
    senders = np.ascontiguousarray(w2.T)
    nothing, zeros = np.zeros(n), np.zeros(sensitivity.shape[1])
    ones = np.ones((4, 1))
    x, h1, h2 = np.zeros((4, columns)), np.zeros((4, n)), np.zeros((4, n))
    slopes, back = np.zeros((4, k)), np.zeros((4, k))
    d3, d2, d1 = np.zeros((4, k)), np.zeros((4, n)), np.zeros((4, n))
    g = np.zeros(k)
    stride = outputs.size // rows.shape[0]
    old, new = sensitivity.copy(), sensitivity.copy()
    for m in range(outputs.size):
        for stage in range(4):
            stage_state(stage, state, step, slopes, x[stage])
            stage_inputs(stages, m, stage, k, x[stage, k:])
            evaluate(network, x[stage], h1[stage], h2[stage], slopes[stage])
        advance(state, step, slopes)
        for i in range(k):
            for j in range(k):
                g[j] = i == j
            for stage in range(3, -1, -1):
                stage_adjoint(stage, step, g, back, d3[stage])
                _matvec(w3, nothing, d3[stage], d2[stage])
                for a in range(n):
                    d2[stage, a] *= 1 - h2[stage, a] ** 2
                _matvec(senders, nothing, d2[stage], d1[stage])
                for a in range(n):
                    d1[stage, a] *= 1 - h1[stage, a] ** 2
                for j in range(k):
                    back[stage, j] = dot(w1[j], d1[stage])
                if stage == 0:
                    for j in range(k):
                        g[j] += back[0, j] + back[1, j] + back[2, j] + back[3, j]
            row = new[i]
            _matvec(old, zeros, g, row)
            _add_outer(x, d1, row[:end1])
            _add_outer(ones, d1, row[end1 : end1 + n])
            _add_outer(h1, d2, row[end1 + n : end2])
            _add_outer(ones, d2, row[end2 : end2 + n])
            _add_outer(d3, h2, row[end2 + n : end3])
            _add_outer(ones, d3, row[end3:])
        old, new = new, old
        outputs[m] = state[0]
        if (m + 1) % stride == 0:
            _copy(old[0], rows[m // stride])
    for i in range(k):
        _copy(old[i], sensitivity[i])
