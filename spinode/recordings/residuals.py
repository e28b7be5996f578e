"""What a forecast leaves over: only noise, or what a better model would have known."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from spinode.errors import InputError


@dataclass(frozen=True)
class ResidualTest:
    """Correlations of what is left over, beside those of white noise.

    Parameters
    ----------
    lags : array of int
        From 0, in samples.
    auto : array
        Autocorrelation of the residuals, 1 at lag 0.
    cross : array, shape (inputs, lags)
        Correlation of the residuals with each input so many samples before.
    bound : float
        What 99 % of the correlations of white noise stay below.
    """

    lags: np.ndarray
    auto: np.ndarray
    cross: np.ndarray
    bound: float

    @property
    def white(self) -> float:
        """Part of the autocorrelations beyond lag 0 within the bound; 0.99 for white noise."""
        return float(np.mean(np.abs(self.auto[1:]) <= self.bound))

    @property
    def independent(self) -> float:
        """Part of the correlations with the inputs within the bound."""
        return float(np.mean(np.abs(self.cross) <= self.bound))


def residual_test(residuals: np.ndarray, inputs: np.ndarray, longest: int = 50) -> ResidualTest:
    """Correlate residuals with themselves and with the inputs (Ljung 1999, section 16.6).

    Residuals correlated with the input hold dynamics that the model lacks. Residuals correlated
    only with themselves hold coloured noise, which a model of the device need not know.

    Parameters
    ----------
    residuals : array, shape (samples,)
        Measured output minus forecast; NaN is left out.
    inputs : array, shape (inputs, samples)
    longest : int
        Largest lag in samples.

    Raises
    ------
    InputError
        If there are fewer than ten times as many samples as lags, or the residuals vanish.
    """
    if residuals.size < 10 * longest:
        raise InputError(
            f"residual tests over {longest} lags need {10 * longest} samples, not {residuals.size}."
        )
    error = _standard(residuals)
    drives = np.stack([_standard(one) for one in np.atleast_2d(inputs)])
    count = len(error)
    lags = np.arange(longest + 1)
    auto = np.array([error[lag:] @ error[: count - lag] for lag in lags]) / count
    cross = np.stack(
        [[error[lag:] @ drive[: count - lag] / count for lag in lags] for drive in drives]
    )
    return ResidualTest(lags, auto, cross, 2.576 / np.sqrt(count))


def _standard(values: np.ndarray) -> np.ndarray:
    known = np.isfinite(values)
    scale = values[known].std()
    if not scale > 0:
        raise InputError("what is left over, or an input, never changes: there is nothing to test.")
    return np.where(known, (values - values[known].mean()) / scale, 0.0)
