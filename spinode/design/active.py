"""Active learning: new data where a search has ended, for a twin that was not trained there."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass

import xarray as xr

from spinode.devices.drives import Drive
from spinode.errors import InputError
from spinode.neural_ode.learning import fit
from spinode.neural_ode.model import SpinODE


@dataclass(frozen=True)
class Recorded:
    """A recording to learn from.

    Parameters
    ----------
    trajectory : Dataset
        Samples of the model's output at its spacing.
    drive : Drive
        What drove it, from the trajectory's time zero on.
    samples : (int, int), optional
        First sample to learn from, and the one after the last; all by default.
    """

    trajectory: xr.Dataset
    drive: Drive
    samples: tuple[int, int] | None = None


def learn_on(
    model: SpinODE, recordings: Sequence[Recorded], *, steps: int = 10, progress: bool = False
) -> tuple[SpinODE, xr.Dataset]:
    """Train a copy of a trained model further, on old and new recordings together.

    Levenberg-Marquardt goes on from the model's weights; the best ones are those with the least
    error of free forecasts of all recordings.

    Parameters
    ----------
    model : SpinODE
        Stays as it is.
    recordings : sequence of Recorded
        What it was trained on, so that it does not forget, and what is new.
    steps : int
        Of Levenberg-Marquardt.
    progress : bool
        Show a progress bar.

    Returns
    -------
    SpinODE
        Its trained range is that of the recordings.
    Dataset
        As of `fit`.

    Raises
    ------
    InputError
        If there is no recording, or one does not fit the model.
    """
    if not recordings:
        raise InputError("there is nothing to learn on: give what was recorded, old and new.")
    better = copy.deepcopy(model)
    history = fit(
        better,
        [one.trajectory for one in recordings],
        inputs=[one.drive for one in recordings],
        train=[one.samples or (0, one.trajectory.sizes["time"]) for one in recordings],
        iterations=0,
        lm_steps=steps,
        progress=progress,
    )
    return better, history
