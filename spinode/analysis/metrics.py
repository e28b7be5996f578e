"""How well a forecast agrees with the truth."""

from __future__ import annotations

import numpy as np

from spinode.errors import InputError


def nrmse(forecast: np.ndarray, target: np.ndarray) -> float:
    """Return the root-mean-square error over the standard deviation of the target.

    Parameters
    ----------
    forecast, target : array, shape (samples,)
        In the same units. A forecast that has stopped early is padded with NaN, and its NRMSE
        is infinite: what was not forecast was not forecast well.

    Raises
    ------
    InputError
        If the shapes differ or the target does not vary.
    """
    forecast, target = np.asarray(forecast, float), np.asarray(target, float)
    if forecast.shape != target.shape:
        raise InputError(
            f"a forecast of shape {forecast.shape} cannot be compared with a target of shape "
            f"{target.shape}; cut both to the same samples."
        )
    spread = target.std()
    if not spread > 0:
        raise InputError("the target does not vary, so that its NRMSE is undefined.")
    error = np.sqrt(np.mean((forecast - target) ** 2)) / spread
    return float(error) if np.isfinite(error) else float("inf")
