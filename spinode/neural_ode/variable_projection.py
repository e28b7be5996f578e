"""Levenberg-Marquardt over windows whose first states are free and projected out.

The record is cut into windows. The first state of each is unknown, as the samples are noisy and
the state is more than they show; it is fitted along with the weights. As a first state touches its
own window only, it is eliminated from the normal equations (Golub and Pereyra 1973; the Schur
complement), and a step costs little more than one for the weights alone:

    (H - sum_w C_w' K_w C_w + damping) d = -(g - sum_w C_w' K_w g_w),  K_w = inverse(H_w + damping)
    dx_w = -K_w (g_w + C_w d)

The damping follows the gain ratio (Nielsen 1999; see `levenberg_marquardt`).
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from scipy.linalg import LinAlgError, cho_factor, cho_solve

from spinode.cores import cores
from spinode.neural_ode import _sensitivities
from spinode.neural_ode.state_space import Shape

# Samples that one thread takes at a time; their rows are multiplied at once.
_PART = 2000
_MOST_DAMPING = 1e8
_LEAST_DAMPING = 1e-12


@dataclass(frozen=True)
class Window:
    """A stretch of a record, dimensionless.

    Attributes
    ----------
    stages : array, shape (3 (samples - 1) + 1, inputs)
        Inputs at every third of a sample.
    truth : array, shape (samples,)
        The measured output, any number where it is missing.
    counts : array, shape (samples,)
        1 for a sample that counts, 0 for one that is missing.
    """

    stages: np.ndarray
    truth: np.ndarray
    counts: np.ndarray

    def __len__(self) -> int:
        return len(self.truth)

    def cut(self, first: int, stop: int) -> Window:
        """Return the part from sample ``first`` to that before ``stop``."""
        return Window(
            self.stages[3 * first : 3 * (stop - 1) + 1],
            self.truth[first:stop],
            self.counts[first:stop],
        )


def tile(records: Sequence[Window], length: int) -> list[tuple[int, int, int]]:
    """Return (record, first sample, stop) of windows of about ``length`` that cover the records."""
    tiles = []
    for number, record in enumerate(records):
        count = max(round(len(record) / length), 1)
        edges = np.linspace(0, len(record), count + 1).round().astype(int)
        tiles += [(number, int(a), int(b)) for a, b in itertools.pairwise(edges)]
    return tiles


class VariableProjection:
    """Minimize the mean squared error over windows, plus a ridge on the weights.

    Parameters
    ----------
    shape : Shape
    step : float
        Sample spacing in the model's time.
    windows : sequence of Window
    ridge : array, shape (weights,)
        What the square of each weight adds to the mean squared error.
    free : array of bool, shape (weights,)
        Weights to fit; the others stay.
    damping : float
        Relative to the diagonal of the curvature.
    """

    def __init__(
        self,
        shape: Shape,
        step: float,
        windows: Sequence[Window],
        *,
        ridge: np.ndarray,
        free: np.ndarray,
        damping: float = 1e-2,
    ):
        self.shape, self.step, self.windows = shape, step, list(windows)
        self.ridge, self.free = ridge, np.flatnonzero(free)
        self.damping, self.growth = damping, 2.0
        self.samples = sum(float(w.counts.sum()) for w in self.windows)
        self.scales = np.zeros(len(self.free))
        self._parts = []
        size = _PART
        for number, window in enumerate(self.windows):
            if size >= _PART:
                self._parts.append([])
                size = 0
            self._parts[-1].append(number)
            size += len(window)

    def error(self, weights: np.ndarray, firsts: np.ndarray) -> float:
        """Return mean squared error plus ridge; infinite where the state is lost."""
        network = self.shape.network(weights)
        nowhere = np.empty((0, self.shape.states))

        def part(numbers):
            total = 0.0
            for number in numbers:
                window = self.windows[number]
                outputs = np.empty(len(window))
                _sensitivities.simulate(
                    *network, self.step, firsts[number], window.stages, outputs, nowhere
                )
                total += float(np.sum(window.counts * (outputs - window.truth) ** 2))
            return total

        total = sum(self._map(part))
        total = total / self.samples + float(self.ridge @ weights**2)
        return total if np.isfinite(total) else np.inf

    def trajectories(self, weights: np.ndarray, firsts: np.ndarray) -> list[np.ndarray]:
        """Return the states of every window, each of shape (samples, n)."""
        network = self.shape.network(weights)

        def one(window, first):
            states = np.empty((len(window), self.shape.states))
            outputs = np.empty(len(window))
            _sensitivities.simulate(*network, self.step, first, window.stages, outputs, states)
            return states

        return [one(w, first) for w, first in zip(self.windows, firsts, strict=True)]

    def normal_equations(self, weights: np.ndarray, firsts: np.ndarray) -> dict | None:
        """Return the curvature of the mean squared error, in blocks, and its gradient.

        Returns
        -------
        dict or None
            ``h`` (weights, weights), ``c`` (windows, n, weights), ``hw`` (windows, n, n), ``g``
            (weights,), ``gw`` (windows, n) and ``error``, over the free weights. None if a state
            was lost.
        """
        network, n = self.shape.network(weights), self.shape.states
        total = self.shape.weights
        columns = np.append(self.free, np.arange(total, total + n + 1))
        every = len(columns) == total + n + 1

        def part(numbers):
            lengths = [len(self.windows[number]) for number in numbers]
            ends = np.cumsum([0, *lengths])
            rows = np.empty((ends[-1], total + n + 1))
            for a, b, number in zip(ends, ends[1:], numbers, strict=False):
                window = self.windows[number]
                if not _sensitivities.window_rows(
                    *network,
                    self.step,
                    firsts[number],
                    window.stages,
                    window.truth,
                    window.counts,
                    rows[a:b],
                ):
                    return None
            if not every:
                rows = rows[:, columns]
            pairs = itertools.pairwise(ends)
            own = [rows[a:b, -n - 1 : -1].T @ rows[a:b] for a, b in pairs]
            return rows.T @ rows, np.stack(own)

        parts = self._map(part)
        if any(one is None for one in parts):
            return None
        p = len(self.free)
        gram = sum(gram for gram, _ in parts) / self.samples
        own = np.concatenate([own for _, own in parts]) / self.samples
        ridge = self.ridge[self.free]
        return {
            "h": gram[:p, :p] + np.diag(ridge),
            "g": gram[:p, -1] + ridge * weights[self.free],
            "c": own[:, :, :p],
            "hw": own[:, :, p:-1],
            "gw": own[:, :, -1],
            "error": float(gram[-1, -1] + self.ridge @ weights**2),
        }

    def step_once(
        self, weights: np.ndarray, firsts: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, float] | None:
        """Return better weights and first states, and their error; None if there are none.

        The matrices are small: leave BLAS one thread (`threadpoolctl.threadpool_limits`).
        """
        normal = self.normal_equations(weights, firsts)
        if normal is None:
            return None
        count, n, p = normal["c"].shape
        diagonal = np.diag(normal["h"])
        self.scales = np.maximum(self.scales, diagonal)
        scales = np.maximum(self.scales, 1e-6 * self.scales.max())
        prior = 1e-6 / count
        while self.damping < _MOST_DAMPING:
            own = normal["hw"] + np.eye(n) * (prior + self.damping / count)
            inverse = np.linalg.inv(own)
            kc = (inverse @ normal["c"]).reshape(count * n, p)
            kg = np.einsum("wij,wj->wi", inverse, normal["gw"])
            c = normal["c"].reshape(count * n, p)
            reduced = normal["h"] - c.T @ kc
            reduced[np.diag_indices(p)] += self.damping * scales
            gradient = normal["g"] - c.T @ kg.ravel()
            gain = 0.0
            try:
                factor = cho_factor(reduced, lower=True, overwrite_a=True)
            except (LinAlgError, ValueError):
                pass
            else:
                change = -cho_solve(factor, gradient)
                shift = -kg - (kc @ change).reshape(count, n)
                new, moved = weights.copy(), firsts + shift
                new[self.free] += change
                error = self.error(new, moved)
                expected = change @ (self.damping * scales * change - normal["g"]) + np.sum(
                    shift * ((prior + self.damping / count) * shift - normal["gw"])
                )
                gain = (normal["error"] - error) / expected if expected > 0 else 0.0
            if gain > 0:
                self.damping = max(self.damping * max(0.2, 1 - (2 * gain - 1) ** 3), _LEAST_DAMPING)
                self.growth = 2.0
                return new, moved, error
            self.damping *= self.growth
            self.growth *= 2
        return None

    def covariance(
        self, weights: np.ndarray, firsts: np.ndarray, noise: float
    ) -> np.ndarray | None:
        """Return the covariance of all weights, from the curvature with first states projected out.

        Parameters
        ----------
        weights, firsts
            Where the training ended.
        noise : float
            Standard deviation (normalized) of a sample's residual.

        Returns
        -------
        array, shape (weights, weights), or None
            Directions that change no output, such as a change of the state's coordinates, are
            left out. None if a state was lost.
        """
        normal = self.normal_equations(weights, firsts)
        if normal is None:
            return None
        count, n, p = normal["c"].shape
        own = normal["hw"] + np.eye(n) * 1e-6 / count
        c = normal["c"].reshape(count * n, p)
        reduced = normal["h"] - c.T @ (np.linalg.inv(own) @ normal["c"]).reshape(count * n, p)
        scale = np.sqrt(np.maximum(np.diag(normal["h"]), 1e-300))
        values, vectors = np.linalg.eigh(reduced / np.outer(scale, scale))
        good = values > 1e-9 * values.max()
        vectors = vectors[:, good] / scale[:, None]
        full = np.zeros((self.shape.weights, self.shape.weights))
        full[np.ix_(self.free, self.free)] = (vectors / values[good]) @ vectors.T
        return full * noise**2 / self.samples

    def _map(self, function) -> list:
        """Apply a function to every part, the parts side by side."""
        if len(self._parts) == 1:
            return [function(self._parts[0])]
        with ThreadPoolExecutor(min(cores(), len(self._parts))) as pool:
            return list(pool.map(function, self._parts))
