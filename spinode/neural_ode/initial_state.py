"""The state that a forecast starts from, fitted to the first samples of a record."""

from __future__ import annotations

import numpy as np

from spinode.neural_ode import _sensitivities
from spinode.neural_ode.state_space import Shape

_STEPS = 50
# The pull to the guess, in samples a state: it decides only what the samples leave open.
_PULL = 1e-4


def fit_state(
    shape: Shape,
    weights: np.ndarray,
    step: float,
    stages: np.ndarray,
    truth: np.ndarray,
    guess: np.ndarray,
) -> np.ndarray:
    """Return the first state from which a latent model comes closest to the first samples.

    Levenberg-Marquardt on the first state alone.

    Parameters
    ----------
    shape, weights, step
        The model.
    stages : array, shape (3 (samples - 1) + 1 or more, inputs)
        Inputs at every third of a sample, normalized.
    truth : array, shape (samples,)
        Output, normalized; NaN where it is missing.
    guess : array, shape (n,)
        What is left open by the samples stays here.

    Returns
    -------
    array, shape (n,)
    """
    network, n = shape.unpack(weights), shape.states
    counts = np.isfinite(truth).astype(float)
    truth = np.where(counts > 0, truth, 0.0)
    rows = np.empty((len(truth), shape.weights + n + 1))

    def linearize(state):
        if not _sensitivities.window_rows(*network, step, state, stages, truth, counts, rows):
            return None
        slopes, residual = rows[:, -n - 1 : -1].copy(), rows[:, -1].copy()
        error = residual @ residual + _PULL * np.sum((state - guess) ** 2)
        return slopes, residual, error

    state, damping, growth = guess.copy(), 1e-3, 2.0
    now = linearize(state)
    if now is None:
        return state
    for _ in range(_STEPS):
        slopes, residual, error = now
        curvature = slopes.T @ slopes + _PULL * np.eye(n)
        gradient = slopes.T @ residual + _PULL * (state - guess)
        change = -np.linalg.solve(curvature + damping * np.diag(np.diag(curvature)), gradient)
        then = linearize(state + change)
        if then is not None and then[2] <= error:
            state, now = state + change, then
            damping, growth = max(damping / 5, 1e-12), 2.0
            if error - then[2] <= 1e-9 * error:
                break
        else:
            damping *= growth
            growth *= 2
            if damping > 1e8:
                break
    return state
