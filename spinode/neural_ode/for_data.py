"""An untrained model for measured data: scales, time scale and order are those of the data."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import xarray as xr
from scipy import signal

from spinode.neural_ode import linear, records
from spinode.neural_ode.latent import LatentODE
from spinode.neural_ode.model import SpinODE
from spinode.neural_ode.state_space import Shape
from spinode.trajectory import as_list

# A period of the output in the model's time: that of the paper's skyrmion.
_PERIOD = 1.25
_MOST_DELAYS = 8
# More delays must simulate better by this factor.
_BETTER = 1.1


def latent(
    given: xr.Dataset | Sequence[xr.Dataset], output: str, inputs: str | Sequence[str]
) -> tuple[LatentODE, list[xr.Dataset]]:
    """Return a model with a state of its own, still without weights, and records in its units.

    Output and inputs are brought to zero mean and unit standard deviation. Its time scale and size
    are found in training.
    """
    inputs = [inputs] if isinstance(inputs, str) else list(inputs)
    data = records.in_common_units(as_list(given), [output, *inputs])
    spacing = records.check(data, output, inputs)
    shape = Shape(1, len(inputs))
    model = LatentODE(
        output=records.channel(data, output),
        inputs=tuple(records.channel(data, name) for name in inputs),
        sample_spacing=spacing,
        time_scale=spacing,
        shape=shape,
        weights=np.zeros(shape.weights),
        trained_range=records.trained_range(data, [output, *inputs]),
    )
    return model, data


def delayed(
    given: xr.Dataset | Sequence[xr.Dataset],
    output: str,
    inputs: str | Sequence[str],
    *,
    k: int | str,
    width: int,
    seed: int,
) -> SpinODE:
    """Return a model whose state is delayed outputs, with weights that are drawn.

    A mean period of the output takes 1.25 units of its time. ``k`` of "auto" is the least number
    of delays with which a linear autoregressive model simulates the last fifth of the data about
    as well as with any, up to eight.
    """
    like, data = latent(given, output, inputs)
    held = all(records.is_held(one, channel.name) for one in data for channel in like.inputs)
    how = "held" if held else "cubic"
    windows = [records.window(like, one, how) for one in data]
    model = SpinODE(
        like.output,
        like.inputs,
        sample_spacing=like.sample_spacing,
        time_scale=like.sample_spacing * _samples_per_period(windows) / _PERIOD,
        k=_delays(windows) if k == "auto" else k,
        width=width,
        seed=seed,
    )
    model.interpolation = how
    return model


def _samples_per_period(windows) -> float:
    """Return the samples in a period at the mean frequency of the output's power."""
    longest = max(windows, key=len)
    values = longest.truth - longest.truth.mean()
    frequency, power = signal.welch(values, nperseg=min(len(values), 1024))
    return float(np.clip(power.sum() / max(frequency @ power, 1e-12), 4, len(values)))


def _delays(windows) -> int:
    errors = linear.simulation_errors(windows, range(1, _MOST_DELAYS + 1))
    if not np.isfinite(errors).any():
        return 2
    return int(np.flatnonzero(errors <= _BETTER * errors.min())[0]) + 1
