"""Levenberg-Marquardt over windows whose first states are free and projected out.

The record is cut into windows. The first state of each is unknown, as the samples are noisy and
the state is more than they show; it is fitted along with the weights. As a first state touches its
own window only, it is eliminated from the normal equations (Golub and Pereyra 1973; the Schur
complement), and a step costs little more than one for the weights alone:

    (H - sum_w C_w' K_w C_w + damping) d = -(g - sum_w C_w' K_w g_w),  K_w = inverse(H_w + damping)
    dx_w = -K_w (g_w + C_w d)

The damping follows the gain ratio (Nielsen 1999; see `levenberg_marquardt`). To a bent step is
added half of its bend, geodesic acceleration (Transtrum and Sethna 2012, arXiv:1201.5885): what the
same equations give for the second derivative of the residuals along the step. The errors of such
fits have narrow, curved valleys, where straight steps must be short. Bent steps get much farther,
which is wanted where other records say when to stop: on short or noisy records that are learned
alone, they fit more of the noise.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
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
# Of geodesic acceleration: the part of a step after which the bend is measured, and the most that
# the bend may be of a step, twice its length by the step's (both as in the reference).
_AHEAD, _MOST_BEND = 0.1, 0.75
# Bytes of derivatives that are kept from one use to the next; larger ones are computed again.
_KEPT = 2**29


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
    bent : bool
        Whether steps follow the bend of the residuals.
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
        bent: bool = False,
    ):
        self.shape, self.step, self.windows = shape, step, list(windows)
        self.ridge, self.free = ridge, np.flatnonzero(free)
        self.damping, self.growth, self._bent = damping, 2.0, bent
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
        total = sum(
            self._map(lambda part: float(np.sum(self._residuals(part, weights, firsts) ** 2)))
        )
        total = total / self.samples + float(self.ridge @ weights**2)
        return total if np.isfinite(total) else np.inf

    def _residuals(self, part: list[int], weights: np.ndarray, firsts: np.ndarray) -> np.ndarray:
        """Return the residuals of a part's windows, one after the other; 0 for missing samples."""
        network, nowhere = self.shape.network(weights), np.empty((0, self.shape.states))
        found = []
        for number in part:
            window = self.windows[number]
            outputs = np.empty(len(window))
            _sensitivities.simulate(
                *network, self.step, firsts[number], window.stages, outputs, nowhere
            )
            found.append(window.counts * (outputs - window.truth))
        return np.concatenate(found)

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
            (weights,), ``gw`` (windows, n) and ``error``, over the free weights; and ``rows``, the
            derivatives behind them by part, if they are few. None if a state was lost.
        """
        n = self.shape.states
        size = 8 * (len(self.free) + n + 1) * sum(len(window) for window in self.windows)
        kept = {}

        def part(numbers):
            rows = self._rows(numbers, weights, firsts)
            if rows is None:
                return None
            if self._bent and size <= _KEPT:
                kept[numbers[0]] = rows
            own = [rows[a:b, -n - 1 : -1].T @ rows[a:b] for a, b in self._edges(numbers)]
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
            "rows": kept,
        }

    def _edges(self, part: list[int]) -> Iterator[tuple[int, int]]:
        """Return first and last row of each window of a part."""
        lengths = [len(self.windows[number]) for number in part]
        return itertools.pairwise(np.cumsum([0, *lengths]))

    def _rows(self, part: list[int], weights: np.ndarray, firsts: np.ndarray) -> np.ndarray | None:
        """Return the derivatives of a part's residuals, and the residuals as the last column.

        Derivatives by the free weights, then by a window's first state. None if a state was lost.
        """
        network, n, total = self.shape.network(weights), self.shape.states, self.shape.weights
        edges = list(self._edges(part))
        rows = np.empty((edges[-1][1], total + n + 1))
        for (a, b), number in zip(edges, part, strict=True):
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
        if len(self.free) == total:
            return rows
        return rows[:, np.append(self.free, np.arange(total, total + n + 1))]

    def _bend(self, kept, weights, firsts, change, shift) -> tuple[np.ndarray, np.ndarray] | None:
        """Return how the residuals bend along a step, as a gradient.

        Returns
        -------
        (array, array) or None
            The second derivative of the residuals along the step, times their derivatives by the
            weights and by each window's first state. None if a state was lost.
        """
        p, n = len(self.free), self.shape.states
        ahead = weights.copy()
        ahead[self.free] += _AHEAD * change

        def part(numbers):
            rows = kept.get(numbers[0])
            if rows is None:
                rows = self._rows(numbers, weights, firsts)
            bend = self._residuals(numbers, ahead, firsts + _AHEAD * shift) - rows[:, -1]
            bend = bend / _AHEAD - rows[:, :p] @ change
            own = []
            for (a, b), number in zip(self._edges(numbers), numbers, strict=True):
                entering = rows[a:b, p : p + n]
                bend[a:b] -= entering @ shift[number]
                own.append(entering.T @ bend[a:b])
            return rows[:, :p].T @ bend, np.stack(own)

        parts = self._map(part)
        scale = 2 / (_AHEAD * self.samples)
        by_weights = scale * sum(one for one, _ in parts)
        if not np.isfinite(by_weights).all():
            return None
        return by_weights, scale * np.concatenate([own for _, own in parts])

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
        c = normal["c"].reshape(count * n, p)
        diagonal = np.diag(normal["h"])
        self.scales = np.maximum(self.scales, diagonal)
        scales = np.maximum(self.scales, 1e-6 * self.scales.max())
        prior = 1e-6 / count

        def length(change, shift):
            return np.sqrt(scales @ change**2 + np.sum(shift**2) / count)

        while self.damping < _MOST_DAMPING:
            own = normal["hw"] + np.eye(n) * (prior + self.damping / count)
            inverse = np.linalg.inv(own)
            kc = (inverse @ normal["c"]).reshape(count * n, p)
            reduced = normal["h"] - c.T @ kc
            reduced[np.diag_indices(p)] += self.damping * scales
            better = None
            try:
                factor = cho_factor(reduced, lower=True, overwrite_a=True)
            except (LinAlgError, ValueError):
                pass
            else:

                def solve(g, gw, factor=factor, inverse=inverse, kc=kc):
                    kg = np.einsum("wij,wj->wi", inverse, gw)
                    change = -cho_solve(factor, g - c.T @ kg.ravel())
                    return change, -kg - (kc @ change).reshape(count, n)

                change, shift = solve(normal["g"], normal["gw"])
                expected = change @ (self.damping * scales * change - normal["g"]) + np.sum(
                    shift * ((prior + self.damping / count) * shift - normal["gw"])
                )
                bend, bends_little = None, True
                if self._bent:
                    bend = self._bend(normal["rows"], weights, firsts, change, shift)
                if bend is not None:
                    turn, veer = solve(*bend)
                    bends_little = 2 * length(turn, veer) <= _MOST_BEND * length(change, shift)
                    change, shift = change + turn / 2, shift + veer / 2
                if bends_little and expected > 0:
                    better = self._moved(weights, firsts, change, shift)
            gain = 0.0 if better is None else (normal["error"] - better[2]) / expected
            if gain > 0:
                self.damping = max(self.damping * max(0.2, 1 - (2 * gain - 1) ** 3), _LEAST_DAMPING)
                self.growth = 2.0
                return better
            self.damping *= self.growth
            self.growth *= 2
        return None

    def _moved(self, weights, firsts, change, shift) -> tuple[np.ndarray, np.ndarray, float]:
        """Return weights and first states after a step, and their error."""
        weights, firsts = weights.copy(), firsts + shift
        weights[self.free] += change
        return weights, firsts, self.error(weights, firsts)

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
