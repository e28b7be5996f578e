"""Levenberg-Marquardt on long forecasts.

Adam on short windows finds the law of motion roughly; what counts in the end is a forecast over
thousands of samples. That is a least-squares problem in a few thousand weights, whose Jacobian
costs little more than the forecast itself (`_derivatives.sensitivities`), so Gauss-Newton steps are
affordable, and each does the work of thousands of gradient steps. The damping follows the gain
ratio (Nielsen 1999; Madsen, Nielsen and Tingleff, "Methods for non-linear least squares problems",
2004, algorithm 3.16).

Only the first of the delayed outputs is compared with the data. The others are then free to drift
into better hidden variables than plain delays, and many windows, each started from the data, keep
them close enough that a forecast may start anywhere.
"""

from __future__ import annotations

import numpy as np
from scipy.linalg import LinAlgError, blas, cho_factor, cho_solve

from spinode.errors import InputError
from spinode.neural_ode import _derivatives, _kernels
from spinode.neural_ode._solver import free_forecast
from spinode.neural_ode.model import SpinODE
from spinode.neural_ode.stretch import Stretch

_MOST_DAMPING = 1e6
_QUICKEST_RELIEF = 0.2


class LevenbergMarquardt:
    """Minimize the mean squared error of forecasts over long windows, laid end to end.

    Parameters
    ----------
    model : SpinODE
        Gives the shape of the network and the step.
    stretch : Stretch
        The data.
    window : int
        Steps in a window, roughly: the windows of a trajectory are of equal length and fill it.
    stride : int
        One in so many samples enters the sum of squares.
    weight_decay : float
        Times the sum of all squared weights, it is added to the mean squared error.
    damping : float
        What is added to the diagonal of the curvature of the mean squared error.
    growth : float
        Factor by which the damping grows when a step fails.

    Raises
    ------
    InputError
        If every stretch is shorter than one ``stride``.
    """

    def __init__(
        self,
        model: SpinODE,
        stretch: Stretch,
        *,
        window: int,
        stride: int,
        weight_decay: float = 0.0,
        damping: float = 1e-3,
        growth: float = 2.0,
    ):
        self._model = model
        self._stretch = stretch
        self._stride = stride
        self._decay = weight_decay
        #: First row and steps of each window.
        self._windows: list[tuple[int, int]] = []
        for first, steps in stretch.pieces:
            length = steps // max(round(steps / window), 1) // stride * stride
            if length > 0:
                starts = range(first, first + steps - length + 1, length)
                self._windows += [(start, length) for start in starts]
        if not self._windows:
            raise InputError(
                f"windows of {window} steps on a stretch of {max(s for _, s in stretch.pieces)} "
                f"hold no sample if one in {stride} counts; lower lm_stride."
            )
        self._samples = sum(length // stride for _, length in self._windows)
        self.damping = damping
        self.growth = growth

    def step(self, weights: np.ndarray) -> tuple[np.ndarray, float] | None:
        """Return better weights and what is minimized there, or None if there are none.

        Parameters
        ----------
        weights : array
            In the order of `_kernels.pack`, float64.
        """
        curvature, gradient, error = self._normal_equations(weights)
        diagonal = np.diag_indices(weights.size)
        while self.damping < _MOST_DAMPING:
            damped = curvature.copy(order="F")
            damped[diagonal] += self.damping
            try:
                factor = cho_factor(damped, lower=True, overwrite_a=True, check_finite=False)
                change = -cho_solve(factor, gradient, check_finite=False)
            except LinAlgError:  # rounding made it indefinite
                gain = 0.0
            else:
                new_error = self.error(weights + change)
                expected = change @ (self.damping * change - gradient)
                gain = (error - new_error) / expected
            if gain > 0:
                self.damping *= max(_QUICKEST_RELIEF, 1 - (2 * gain - 1) ** 3)
                self.growth = 2.0
                return weights + change, new_error
            self.damping *= self.growth
            self.growth *= 2
        return None

    def _normal_equations(self, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray, float]:
        """Return curvature (lower triangle), half the gradient, and value of what is minimized.

        Without weight decay these are J^T J, J^T r and r^T r, each over the number of samples.
        """
        network = _kernels.unpack(weights, self._model)
        curvature = np.zeros((weights.size, weights.size), order="F")
        gradient = np.zeros(weights.size)
        error = 0.0
        longest = max(length for _, length in self._windows)
        all_outputs = np.empty(longest)
        all_rows = np.empty((longest // self._stride, weights.size))
        for start, length in self._windows:
            outputs, rows = all_outputs[:length], all_rows[: length // self._stride]
            _derivatives.sensitivities(
                network,
                self._model.step,
                self._stretch.states[start].copy(),
                self._stretch.inputs(start, length),
                np.zeros((self._model.k, weights.size)),
                outputs,
                rows,
            )
            residual = (outputs - self._truth(start, length))[self._stride - 1 :: self._stride]
            # The rows in C order are the columns in Fortran's, and nothing is copied.
            curvature = blas.dsyrk(1.0, rows.T, beta=1.0, c=curvature, lower=True, overwrite_c=True)
            gradient += residual @ rows
            error += residual @ residual
        curvature /= self._samples
        curvature[np.diag_indices(weights.size)] += self._decay
        gradient = gradient / self._samples + self._decay * weights
        return curvature, gradient, error / self._samples + self._penalty(weights)

    def error(self, weights: np.ndarray) -> float:
        """Return what is minimized: the forecasts' mean squared error, and the weights' penalty."""
        network = _kernels.padded(_kernels.unpack(weights, self._model), np.float64)
        error = 0.0
        for start, length in self._windows:
            initial, inputs = self._stretch.states[start], self._stretch.inputs(start, length)
            outputs = free_forecast(network, self._model.step, initial, inputs)
            residual = (outputs[1:] - self._truth(start, length))[self._stride - 1 :: self._stride]
            error += residual @ residual
        return error / self._samples + self._penalty(weights)

    def _penalty(self, weights: np.ndarray) -> float:
        return self._decay * float(weights @ weights)

    def _truth(self, start: int, length: int) -> np.ndarray:
        return self._stretch.states[start + 1 : start + length + 1, 0]
