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


def worst_stretch(forecast: np.ndarray, target: np.ndarray, length: int) -> tuple[float, int]:
    """Return the largest NRMSE of any stretch of ``length`` samples, and where it begins.

    Stretches follow one another without overlap; a shorter rest at the end is left out.

    Parameters
    ----------
    forecast, target : array, shape (samples,)
        In the same units.
    length : int
        Samples of a stretch.

    Returns
    -------
    (float, int)
        NRMSE, each against its own stretch's standard deviation, and first sample.

    Raises
    ------
    InputError
        If there are fewer samples than a stretch has, or a stretch's target does not vary.
    """
    starts = range(0, len(target) - length + 1, length)
    if not starts:
        raise InputError(f"{len(target)} samples hold no stretch of {length}.")
    errors = [nrmse(forecast[i : i + length], target[i : i + length]) for i in starts]
    worst = int(np.argmax(errors))
    return errors[worst], starts[worst]
