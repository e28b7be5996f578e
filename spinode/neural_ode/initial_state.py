"""The state that a forecast starts from, fitted to the first samples of a record."""

from __future__ import annotations

import numpy as np
from scipy.optimize import least_squares

from spinode.errors import InputError
from spinode.neural_ode import _kernels, _sensitivities
from spinode.neural_ode._solver import free_forecast
from spinode.neural_ode.state_space import Shape

_STEPS = 50
# The pull to the guess, in samples a state: it decides only what the samples leave open.
_PULL = 1e-4
# Where the state is lost from the guess: how many others are tried, and how far from it they lie.
_TRIES, _REACH = 20, 0.1
#: How many first samples a start is fitted to by default.
START_SAMPLES = 50
# Samples of rest before a forecast that knows nothing of its start.
REST = 5000


def fit_state(
    shape: Shape,
    weights: np.ndarray,
    step: float,
    stages: np.ndarray,
    truth: np.ndarray,
    guess: np.ndarray,
) -> np.ndarray:
    """Return the first state from which a latent model comes closest to the first samples.

    Levenberg-Marquardt on the first state alone. A model may be sound along the paths that it has
    learned and lose a state beside them; where the guess is lost, half of the samples are fitted
    first, and then other guesses are tried, in a fixed order, until one lasts.

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
    network, n = shape.network(weights), shape.states
    counts = np.isfinite(truth).astype(float)
    known = np.where(counts > 0, truth, 0.0)
    rows = np.empty((len(truth), shape.weights + n + 1))

    def linearize(state):
        if not _sensitivities.window_rows(*network, step, state, stages, known, counts, rows):
            return None
        slopes, residual = rows[:, -n - 1 : -1].copy(), rows[:, -1].copy()
        error = residual @ residual + _PULL * np.sum((state - guess) ** 2)
        return slopes, residual, error

    def descended(state):
        damping, growth, now = 1e-3, 2.0, linearize(state)
        for _ in range(0 if now is None else _STEPS):
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
        return state, now is not None

    state, lasts = descended(guess.copy())
    if not lasts and len(truth) > 2 * n:
        half = truth[: len(truth) // 2]
        state, lasts = descended(fit_state(shape, weights, step, stages, half, guess))
    generator, tries = np.random.default_rng(0), 0
    while not lasts and tries < _TRIES:
        state, lasts = descended(guess + _REACH * generator.normal(size=n))
        tries += 1
    return state if lasts else guess.copy()


def fit_delays(model, stages: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Return the first delayed outputs from which a model comes closest to the first samples.

    Parameters
    ----------
    model : SpinODE
    stages : array, shape (3 (samples - 1) + 1, inputs)
        Inputs at every third of a sample, normalized.
    truth : array, shape (samples,) or longer
        Output, normalized; more than k samples.

    Returns
    -------
    array, shape (k,)
    """
    network = _network(model)
    guess = truth[: model.k].astype(float)
    truth = truth[: (len(stages) - 1) // 3 + 2 - model.k]

    def residual(state):
        error = free_forecast(network, model.step, state, stages) - truth
        error = np.nan_to_num(error, nan=1e3)
        return np.append(error, np.sqrt(_PULL) * (state - guess))

    return least_squares(residual, guess, method="lm", max_nfev=50 * (model.k + 1)).x


def rest_of_delays(model, drive: np.ndarray) -> np.ndarray:
    """Return the delayed outputs after a long time under a constant (normalized) input.

    Raises
    ------
    InputError
        If the model does not come to rest under it.
    """
    low, high = model.bounds
    stages = np.tile(drive, (3 * (REST + model.k - 1) + 1, 1))
    outputs = free_forecast(_network(model), model.step, np.zeros(model.k), stages)
    last = outputs[-model.k :]
    steady = np.ptp(outputs[-REST // 10 :]) < 0.01 * min(high - low, 1e3)
    if not (np.isfinite(last).all() and low <= last[-1] <= high and steady):
        raise InputError(
            f"the model does not come to rest under its first input; give the first {model.k} or "
            f"more samples of {model.output.name} as initial."
        )
    return last


def _network(model) -> tuple:
    weights = _kernels.pack(model.f.parameters())
    return _kernels.padded(_kernels.unpack(weights, model), np.float64)
