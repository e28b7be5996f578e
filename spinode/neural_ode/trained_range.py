"""A forecast that leaves what its model was trained on says so."""

from __future__ import annotations

import warnings

import numpy as np

# An input may leave its trained range by this part of its width without a warning.
_INPUT_MARGIN = 0.02


class ForecastWarning(UserWarning):
    """A forecast was cut short, or rests on inputs unlike those in training."""


def warn_of_untrained(model, name: str, column: np.ndarray) -> None:
    """Warn if an input (SI, NaN where there is none) leaves the range it had in training."""
    if name not in model.trained_range or np.isnan(column).all():
        return
    low, high = model.trained_range[name]
    margin = _INPUT_MARGIN * (high - low)
    least, most = np.nanmin(column), np.nanmax(column)
    if least < low - margin or most > high + margin:
        warnings.warn(
            f"{name} ranges from {least:.6g} to {most:.6g} in the forecast but "
            f"from {low:.6g} to {high:.6g} in the training: the forecast extrapolates.",
            ForecastWarning,
            stacklevel=4,
        )
