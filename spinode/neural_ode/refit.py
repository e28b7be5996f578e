"""More data for a trained model: Levenberg-Marquardt goes on over several recordings at once.

Where a model is asked about what it was not trained on, new data are recorded there, and it learns
old and new together: its forecasts start anew in every window, and no window spans two recordings.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from numbers import Integral

import numpy as np
import xarray as xr
from threadpoolctl import threadpool_limits
from tqdm import tqdm

from spinode.devices.drives import Drive
from spinode.errors import InputError
from spinode.neural_ode import _kernels
from spinode.neural_ode.levenberg_marquardt import LevenbergMarquardt
from spinode.neural_ode.model import SpinODE
from spinode.neural_ode.stretch import stretch_of


@dataclass(frozen=True)
class Recorded:
    """A recording to learn from.

    Parameters
    ----------
    trajectory : Dataset
        Samples of the model's output at its spacing.
    drive : Drive
        What drove it, from the trajectory's time zero on.
    samples : (int, int)
        First sample to learn from, and the one after the last.
    """

    trajectory: xr.Dataset
    drive: Drive
    samples: tuple[int, int]


def refit(
    model: SpinODE,
    recordings: Sequence[Recorded],
    *,
    steps: int = 10,
    window: int = 1000,
    stride: int = 4,
    progress: bool = False,
) -> tuple[SpinODE, np.ndarray]:
    """Train a copy of a trained model further, on several recordings.

    Parameters
    ----------
    model : SpinODE
        Stays as it is.
    recordings : sequence of Recorded
        What it was trained on, and what is new; every sample counts alike.
    steps : int
        Of Levenberg-Marquardt. It ends before if there are no better weights.
    window, stride : int
        As ``lm_window`` and ``lm_stride`` of `fit`; a shorter recording is one window.
    progress : bool
        Show a progress bar.

    Returns
    -------
    SpinODE
        Its trained range spans all recordings.
    array
        Mean squared error over all windows (normalized units), before and after every step.

    Raises
    ------
    InputError
        If there is no recording, or one does not fit the model.
    """
    if not recordings:
        raise InputError("a refit needs at least one recording.")
    if not (isinstance(steps, Integral) and steps >= 1):
        raise InputError(f"steps must be a whole number of at least 1, not {steps!r}.")
    stretch = stretch_of(
        "samples",
        [one.samples for one in recordings],
        stride,
        model,
        [one.trajectory for one in recordings],
        [one.drive for one in recordings],
        "cubic",
    )
    solver = LevenbergMarquardt(model, stretch, window=window, stride=stride)
    weights = _kernels.pack(model.f.parameters())
    errors = [solver.error(weights)]
    with threadpool_limits(1, "blas"):  # as `fit`: faster on a busy machine, and repeatable
        for _ in tqdm(range(steps), desc="Levenberg-Marquardt", disable=not progress):
            better = solver.step(weights)
            if better is None:
                break
            weights, error = better
            errors.append(error)
    refitted = copy.deepcopy(model)
    _kernels.store(refitted, weights)
    for name in refitted.trained_range:
        spans = model.trained_range[name], stretch.ranges[name]
        refitted.trained_range[name] = (
            min(low for low, _ in spans),
            max(high for _, high in spans),
        )
    return refitted, np.array(errors)
