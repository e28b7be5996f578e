"""An output that shows the size of what moves and not its sign: a speed counted, a power, a square.

Such an output is not correlated with the drive, so that no linear model finds the dynamics behind
it. Given its sign, one does. The sign is found as the phase of a wave is from its intensity:
guess it, fit a linear model, take the model's sign, and so on (Gerchberg and Saxton, Optik 35, 237
(1972)), from the best guesses that a quadratic form of the past drive makes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from scipy.signal import lfilter

from spinode.neural_ode.state_space import Shape, neurons, simulate
from spinode.neural_ode.variable_projection import Window

# Rates, a sample, of the filters through which the past drive is seen.
_RATES = (0.5, 0.2, 0.08, 0.03, 0.012)
# An output counts as even where a linear model explains less than the first of its variance, and
# squares and products explain the second part more.
_LINEAR, _MORE = 0.4, 0.3
_ROUNDS, _GUESSES = 100, 3
# So many samples are enough to decide by.
_MOST = 20_000
_RIDGE = 1e-6
_FOLDS = 5
# What counts as zero of the output: so many of its samples may be below, for their noise.
_LOWEST = 0.01
#: Neurons between state and output.
NEURONS = 8


def signed(records: Sequence[Window]) -> list[np.ndarray] | None:
    """Return the outputs with a sign, from zero on, one a record; None if the output is not even.

    The first `_MOST` measured samples decide; the sign is found for all.
    """
    past = np.concatenate([_past(record) for record in records])
    truth = np.concatenate([record.truth for record in records])
    good = np.concatenate([record.counts for record in records]) > 0
    used = np.flatnonzero(good)[:_MOST]
    rows, shown = past[used], truth[used]
    plain = _explained(rows, shown)
    if plain > _LINEAR:
        return None
    pairs = np.triu_indices(past.shape[1])
    products = rows[:, pairs[0]] * rows[:, pairs[1]]
    if _explained(products, shown) < plain + _MORE:
        return None
    size = np.maximum(truth - np.quantile(shown, _LOWEST), 0.0)
    best, least = None, np.inf
    for guess in _guesses(products, size[used] ** 2, pairs):
        sign = np.sign(past @ guess)
        for _ in range(_ROUNDS):
            found = past @ _solve(rows, (sign * size)[used])
            if np.array_equal(np.sign(found), sign):
                break
            sign = np.sign(found)
        error = float(np.mean((np.abs(found) - size)[used] ** 2))
        if error < least:
            best, least = sign, error
    edges = np.cumsum([len(record) for record in records])[:-1]
    return np.split(best * size, edges)


def with_output(
    shape: Shape, weights: np.ndarray, step: float, records: Sequence[Window]
) -> tuple[Shape, np.ndarray]:
    """Return a linear model of the signed output with a network that makes it the measured one.

    Parameters
    ----------
    shape, weights, step
        The linear model.
    records : sequence of Window
        As measured, without a sign.
    """
    w1, wf, _, co = shape.unpack(weights)
    runs = []
    for record in records:
        states = simulate(shape, weights, step, np.zeros(shape.states), record.stages)[1]
        runs.append(np.column_stack([states, record.stages[::3], np.ones(len(record))]))
    features, good = np.concatenate(runs), np.concatenate([one.counts for one in records]) > 0
    moving = features @ co
    width = np.std(moving) / 2
    entering = np.repeat(co[:, None], NEURONS, axis=1)
    entering[-1] -= np.quantile(moving, np.linspace(0.05, 0.95, NEURONS))
    entering /= width
    rows = np.concatenate([neurons(features @ entering, shape.growing), features], axis=1)[good]
    truth = np.concatenate([one.truth for one in records])[good]
    new = replace(shape, output_width=NEURONS)
    return new, new.pack(w1, wf, entering, _solve(rows, truth))


def _past(record: Window) -> np.ndarray:
    """Return the past drive, filtered, the drive, and ones, shape (samples, features)."""
    drive = record.stages[::3]
    filtered = [lfilter([rate], [1, rate - 1], drive, axis=0) for rate in _RATES]
    return np.concatenate([*filtered, drive, np.ones((len(drive), 1))], axis=1)


def _solve(rows: np.ndarray, target: np.ndarray) -> np.ndarray:
    gram = rows.T @ rows
    gram[np.diag_indices(len(gram))] += _RIDGE * np.trace(gram) / len(gram)
    return np.linalg.solve(gram, rows.T @ target)


def _explained(rows: np.ndarray, target: np.ndarray) -> float:
    """Return which part of the variance is explained, by blocks that were left out of the fit."""
    fold = np.arange(len(target)) * _FOLDS // len(target)
    left = 0.0
    for one in range(_FOLDS):
        apart = fold == one
        found = rows[apart] @ _solve(rows[~apart], target[~apart])
        left += float(np.sum((found - target[apart]) ** 2))
    return 1 - left / float(np.sum((target - target.mean()) ** 2))


def _guesses(products: np.ndarray, square: np.ndarray, pairs) -> list[np.ndarray]:
    """Return the directions in which a quadratic form fitted to the squared output is largest."""
    size = pairs[0].max() + 1
    form = np.zeros((size, size))
    form[pairs] = _solve(products, square)
    values, vectors = np.linalg.eigh(form + form.T)
    return list(vectors[:, np.argsort(-np.abs(values))[:_GUESSES]].T)
