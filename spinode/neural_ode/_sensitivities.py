"""Compiled loops of the Spin-Neural ODE with a state of its own, and its exact sensitivities.

With the regressor z = (x, e, 1) of n states, m inputs and a one, and h neurons::

    t = s(z @ w1)               w1: (n + m + 1, h)
    dx/dt = wf @ (t, z)         wf: (n, h + n + m + 1), the columns W2, A, B, b
    y = co @ (t_o, z)           co: (h_o + n + m + 1), the columns of the output network, C, D, c
    t_o = s(z @ wo)             wo: (n + m + 1, h_o)

Neurons saturate, s(v) = tanh(v); or, with ``growing``, those of 1, 3, 5, ... grow instead, s(v) = v
sqrt(1 + v^2) - v, a cube where v is small and a square where it is large. A network of the first
kind alone bends back to a line beyond what it was trained on, where a spring goes on to stiffen.

The solver is the 3/8 rule of `_solver`; the input is given at every third of a sample. Everything
is dimensionless. The sensitivity S of the state by weights and first state is carried along:
S+ = F S + G, where F is the derivative of a step by the state and G that by the weights.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from spinode.neural_ode._kernels import COMPILE, dot, tanh_inplace
from spinode.neural_ode._solver import advance

# The state is given up for lost beyond this many of its own standard deviations.
_LOST = 1e3


@njit(**COMPILE, forceinline=True)
def _hidden(weights, growing, z, t, gain):
    """``t = s(z @ weights)`` and its derivative by what enters the neurons, ``gain``."""
    t[:] = 0.0
    for q in range(weights.shape[0]):
        value = z[q]
        for j in range(weights.shape[1]):
            t[j] += weights[q, j] * value
    gain[:] = t
    tanh_inplace(t)
    for j in range(t.size):
        v = gain[j]
        gain[j] = 1 - t[j] * t[j]
        if growing and j % 2 == 1:
            root = np.sqrt(1 + v * v)
            t[j] = v * (root - 1)
            gain[j] = (1 + 2 * v * v) / root - 1


@njit(**COMPILE, forceinline=True)
def _stage(i, n, x, step, slopes, z):
    """State at which stage ``i`` of the 3/8 rule looks, into the first places of ``z``."""
    for r in range(n):
        if i == 0:
            z[r] = x[r]
        elif i == 1:
            z[r] = x[r] + step / 3 * slopes[0, r]
        elif i == 2:
            z[r] = x[r] + step * (slopes[1, r] - slopes[0, r] / 3)
        else:
            z[r] = x[r] + step * (slopes[0, r] - slopes[1, r] + slopes[2, r])


@njit(**COMPILE)
def simulate(w1, wf, wo, co, growing, step, first, stages, outputs, states):
    """Integrate from ``first`` through all of ``stages``.

    Parameters
    ----------
    w1, wf, wo, co : arrays
    growing : bool
        See the module's text.
    step : float
        Sample spacing in the model's time.
    first : array, shape (n,)
        State at the first sample.
    stages : array, shape (3 (samples - 1) + 1, m)
        Inputs at every third of a sample.
    outputs : array, shape (samples,)
        Receives the output; NaN from where the state was lost.
    states : array, shape (samples, n) or (0, n)
        Receives the states, if there is room.
    """
    n, columns, h, ho = wf.shape[0], w1.shape[0], w1.shape[1], wo.shape[1]
    m = columns - n - 1
    x = first.copy()
    phi, psi = np.ones(h + columns), np.ones(ho + columns)
    t, z, to = phi[:h], phi[h:], psi[:ho]
    gain, out_gain = np.empty(h), np.empty(ho)
    slopes = np.zeros((4, n))
    samples = outputs.size
    for k in range(samples):
        if not np.abs(x).max() < _LOST:
            outputs[k:] = np.nan
            if states.shape[0] > 0:
                states[k:] = np.nan
            return
        if states.shape[0] > 0:
            states[k] = x
        z[:n] = x
        for q in range(m):
            z[n + q] = stages[3 * k, q]
        if ho > 0:
            _hidden(wo, growing, z, to, out_gain)
        psi[ho:] = z
        outputs[k] = dot(co, psi)
        if k == samples - 1:
            return
        for i in range(4):
            _stage(i, n, x, step, slopes, z)
            for q in range(m):
                z[n + q] = stages[3 * k + i, q]
            if h > 0:
                _hidden(w1, growing, z, t, gain)
            for r in range(n):
                slopes[i, r] = dot(wf[r], phi)
        advance(x, step, slopes)


@njit(**COMPILE, forceinline=True)
def _product(a, b, out):
    """``out = a @ b`` for small square matrices."""
    n = a.shape[0]
    for r in range(n):
        for s in range(n):
            total = 0.0
            for k in range(n):
                total += a[r, k] * b[k, s]
            out[r, s] = total


@njit(**COMPILE)
def _carry(f, old, new, width):
    """Set ``new = f @ old`` for a small square ``f`` and long rows."""
    n = f.shape[0]
    for r in range(n):
        f0 = f[r, 0]
        row, out = old[0], new[r]
        for p in range(width):
            out[p] = f0 * row[p]
        s = 1
        while s + 2 < n:
            f0, f1, f2 = f[r, s], f[r, s + 1], f[r, s + 2]
            row0, row1, row2 = old[s], old[s + 1], old[s + 2]
            for p in range(width):
                out[p] += f0 * row0[p] + f1 * row1[p] + f2 * row2[p]
            s += 3
        while s < n:
            f0 = f[r, s]
            row = old[s]
            for p in range(width):
                out[p] += f0 * row[p]
            s += 1


@njit(**COMPILE)
def _outer4(a0, a1, a2, a3, rows, out):
    """``out += a0 rows[0] + a1 rows[1] + a2 rows[2] + a3 rows[3]``."""
    for j in range(out.size):
        out[j] += a0 * rows[0, j] + a1 * rows[1, j] + a2 * rows[2, j] + a3 * rows[3, j]


@njit(**COMPILE)
def window_rows(w1, wf, wo, co, growing, step, first, stages, truth, weights, rows):
    """Fill the rows of the Jacobian of the residuals of one window, and the residuals.

    Parameters
    ----------
    w1, wf, wo, co, growing, step, first, stages
        As for `simulate`.
    truth, weights : array, shape (samples,)
        Measured output, and the square root of what each sample counts: 0 where it is missing.
    rows : array, shape (samples, columns)
        Receives the derivatives by w1, wf, wo, co and the first state, in this order and each in
        C order, and in the last column the residual.

    Returns
    -------
    bool
        Whether the state stayed finite; if not, ``rows`` are of no use.
    """
    n, columns, h, ho = wf.shape[0], w1.shape[0], w1.shape[1], wo.shape[1]
    m, features = columns - n - 1, h + columns
    hidden, dynamic = columns * h, columns * h + n * features
    out_hidden = columns * ho
    last = dynamic + out_hidden + ho + columns
    width = dynamic + n
    x = first.copy()
    phi, psi = np.ones((4, features)), np.ones(ho + columns)
    to = psi[:ho]
    slopes, gain = np.zeros((4, n)), np.zeros((4, h))
    jac, adjoint = np.zeros((4, n, n)), np.zeros((4, n, n))
    product, f = np.zeros((n, n)), np.zeros((n, n))
    through = np.zeros((4, h))
    c, out_gain, co_gain = np.zeros(n), np.zeros(ho), np.zeros(ho)
    both = np.zeros((2, n, width))
    now = 0
    for r in range(n):
        both[now, r, dynamic + r] = 1.0
    samples = truth.size
    for k in range(samples):
        if not np.abs(x).max() < _LOST:
            return False
        z = psi[ho:]
        z[:n] = x
        for q in range(m):
            z[n + q] = stages[3 * k, q]
        if weights[k] == 0.0:
            rows[k] = 0.0
        else:
            if ho > 0:
                _hidden(wo, growing, z, to, out_gain)
            row = rows[k]
            for j in range(ho):
                co_gain[j] = co[j] * out_gain[j]
            for r in range(n):
                c[r] = co[ho + r]
                for j in range(ho):
                    c[r] += co_gain[j] * wo[r, j]
            scale = weights[k]
            row[:last] = 0.0
            row[last:] = 0.0
            for r in range(n):
                value = scale * c[r]
                source = both[now, r]
                for p in range(dynamic):
                    row[p] += value * source[p]
                for s in range(n):
                    row[last + s] += value * source[dynamic + s]
            for q in range(columns):
                for j in range(ho):
                    row[dynamic + q * ho + j] = scale * z[q] * co_gain[j]
            for j in range(ho + columns):
                row[dynamic + out_hidden + j] = scale * psi[j]
            row[last + n] = scale * (dot(co, psi) - truth[k])
        if k == samples - 1:
            return True
        for i in range(4):
            z = phi[i, h:]
            _stage(i, n, x, step, slopes, z)
            for q in range(m):
                z[n + q] = stages[3 * k + i, q]
            t = phi[i, :h]
            if h > 0:
                _hidden(w1, growing, z, t, gain[i])
            for r in range(n):
                slopes[i, r] = dot(wf[r], phi[i])
            for r in range(n):
                for j in range(h):
                    through[0, j] = wf[r, j] * gain[i, j]
                for s in range(n):
                    jac[i, r, s] = wf[r, h + s]
                    if h > 0:
                        jac[i, r, s] += dot(through[0], w1[s])
        advance(x, step, slopes)
        # How far the slope at each stage moves the end of the step.
        for r in range(n):
            for s in range(n):
                adjoint[3, r, s] = step / 8 * (r == s)
        _product(adjoint[3], jac[3], product)
        for r in range(n):
            for s in range(n):
                adjoint[2, r, s] = 3 * step / 8 * (r == s) + step * product[r, s]
                adjoint[1, r, s] = 3 * step / 8 * (r == s) - step * product[r, s]
                adjoint[0, r, s] = step / 8 * (r == s) + step * product[r, s]
                f[r, s] = (r == s) + product[r, s]
        _product(adjoint[2], jac[2], product)
        for r in range(n):
            for s in range(n):
                adjoint[1, r, s] += step * product[r, s]
                adjoint[0, r, s] -= step / 3 * product[r, s]
                f[r, s] += product[r, s]
        _product(adjoint[1], jac[1], product)
        for r in range(n):
            for s in range(n):
                adjoint[0, r, s] += step / 3 * product[r, s]
                f[r, s] += product[r, s]
        _product(adjoint[0], jac[0], product)
        for r in range(n):
            for s in range(n):
                f[r, s] += product[r, s]
        new = both[1 - now]
        _carry(f, both[now], new, width)
        for r in range(n):
            out = new[r]
            if h > 0:
                for i in range(4):
                    for j in range(h):
                        total = 0.0
                        for s in range(n):
                            total += adjoint[i, r, s] * wf[s, j]
                        through[i, j] = total * gain[i, j]
                for q in range(columns):
                    _outer4(
                        phi[0, h + q],
                        phi[1, h + q],
                        phi[2, h + q],
                        phi[3, h + q],
                        through,
                        out[q * h : (q + 1) * h],
                    )
            for s in range(n):
                at = hidden + s * features
                _outer4(
                    adjoint[0, r, s],
                    adjoint[1, r, s],
                    adjoint[2, r, s],
                    adjoint[3, r, s],
                    phi,
                    out[at : at + features],
                )
        now = 1 - now
    return True
