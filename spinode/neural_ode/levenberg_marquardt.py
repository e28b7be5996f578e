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
from spinode.neural_ode.model import SpinODE

_MOST_DAMPING = 1e6
_QUICKEST_RELIEF = 0.2


class LevenbergMarquardt:
    """Minimize the mean squared error of forecasts over long windows, laid end to end.

    Parameters
    ----------
    model : SpinODE
        Gives the shape of the network and the step.
    states : array, shape (samples, k)
        Delay-embedded output, normalized.
    stages : array, shape (3 (samples + k - 2) + 1, inputs)
        Inputs at every third of a sample, normalized.
    window : int
        Steps in a window, roughly: the windows are of equal length and fill the stretch.
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
        If the stretch is shorter than one ``stride``.
    """

    def __init__(
        self,
        model: SpinODE,
        states: np.ndarray,
        stages: np.ndarray,
        *,
        window: int,
        stride: int,
        weight_decay: float = 0.0,
        damping: float = 1e-3,
        growth: float = 2.0,
    ):
        self._model = model
        self._states = states
        self._stages = stages
        self._stride = stride
        self._decay = weight_decay
        steps = len(states) - 1
        self._length = steps // max(round(steps / window), 1) // stride * stride
        if self._length == 0:
            raise InputError(
                f"windows of {window} steps on a stretch of {steps} hold no sample if one in "
                f"{stride} counts; lower lm_stride."
            )
        self._starts = range(0, steps - self._length + 1, self._length)
        self._samples = len(self._starts) * (self._length // stride)
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
                new_error = self._error(weights + change)
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
        outputs = np.empty(self._length)
        rows = np.empty((self._length // self._stride, weights.size))
        for start in self._starts:
            _derivatives.sensitivities(
                network,
                self._model.step,
                self._states[start].copy(),
                self._window_inputs(start),
                np.zeros((self._model.k, weights.size)),
                outputs,
                rows,
            )
            residual = (outputs - self._truth(start))[self._stride - 1 :: self._stride]
            # The rows in C order are the columns in Fortran's, and nothing is copied.
            curvature = blas.dsyrk(1.0, rows.T, beta=1.0, c=curvature, lower=True, overwrite_c=True)
            gradient += residual @ rows
            error += residual @ residual
        curvature /= self._samples
        curvature[np.diag_indices(weights.size)] += self._decay
        gradient = gradient / self._samples + self._decay * weights
        return curvature, gradient, error / self._samples + self._penalty(weights)

    def _error(self, weights: np.ndarray) -> float:
        """Return what is minimized: the forecasts' mean squared error, and the weights' penalty."""
        network = _kernels.padded(_kernels.unpack(weights, self._model), np.float64)
        error = 0.0
        for start in self._starts:
            outputs = free_forecast(
                network, self._model.step, self._states[start], self._window_inputs(start)
            )
            residual = (outputs[1:] - self._truth(start))[self._stride - 1 :: self._stride]
            error += residual @ residual
        return error / self._samples + self._penalty(weights)

    def _penalty(self, weights: np.ndarray) -> float:
        return self._decay * float(weights @ weights)

    def _window_inputs(self, start: int) -> np.ndarray:
        return self._stages[3 * start : 3 * (start + self._length + self._model.k - 1) + 1]

    def _truth(self, start: int) -> np.ndarray:
        return self._states[start + 1 : start + self._length + 1, 0]


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
    taken = _kernels.integrate(network, step, state, stages, -1e6, 1e6, 1, 0, outputs)
    if taken == steps:
        outputs[-1] = state[0]
    return outputs
