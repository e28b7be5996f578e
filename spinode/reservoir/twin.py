"""A trained model in place of the device: its virtual nodes under a masked series."""

from __future__ import annotations

import warnings

import numpy as np

from spinode.devices.drives import HeldSequence
from spinode.errors import InputError
from spinode.neural_ode.forecast import ForecastWarning, forecast
from spinode.neural_ode.model import SpinODE
from spinode.reservoir.readout import virtual_nodes


def twin_states(
    model: SpinODE,
    masked: np.ndarray,
    *,
    hold: float = 10e-12,
    drive=None,
    progress: bool = False,
) -> np.ndarray | None:
    """Return the virtual nodes that a model forecasts from rest, one row a point.

    Parameters
    ----------
    model : SpinODE
        With one input, normalized by the amplitude that the masked series refers to.
    masked : array, shape (points, nodes)
        Masked series, such as `readout.multiplex` gives.
    hold : float
        How long each value is held (s), a multiple of the model's samples.
    drive : Drive, optional
        What drives the model in place of the held values.
    progress : bool
        Show a progress bar.

    Returns
    -------
    array of shape (points, nodes), or None
        In the model's dimensionless units, which a ridge penalty refers to. None if the forecast
        left the range that the model was trained in, and so is of no use.
    """
    masked = np.asarray(masked, float)
    if masked.ndim != 2:
        raise InputError(f"a masked series has one row a point, not the shape {masked.shape}.")
    every = round(hold / model.sample_spacing)
    if every < 1 or abs(every * model.sample_spacing - hold) > 1e-6 * hold:
        raise InputError(
            f"a hold of {hold:g} s is not a multiple of the model's samples of "
            f"{model.sample_spacing:g} s."
        )
    if drive is None:
        drive = HeldSequence(masked, hold=hold)
    rest = np.full(model.k, model.output.offset)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ForecastWarning)  # told by the result
        run = forecast(model, drive, initial=rest, every=every, progress=progress)
    if run.sizes["time"] < masked.size:
        return None
    return model.output.normalize(virtual_nodes(run, model.output.name, masked.shape[1], hold))
