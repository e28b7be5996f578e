"""How the authors' forecast looks up its input, and what that does to Fig. 3.

Their script carries time along as a last component of the state, adds one step after the other to
it, and finds the held value at a time by floor division, ``time // hold``. A time that should lie
at the start of a hold comes out a rounding error early or late. When it is early, the stage of the
solver there, and the delayed input a sample before it, see the hold that has just ended. How often
depends on how the quotient is rounded:

- ``"truncated"``, as PyTorch did when the paper was written: the quotient is rounded to the nearest
  double, then cut off; 5 of 100 stages at the start of a hold see the wrong one.
- ``"floored"``, as PyTorch does since 1.13: the exact quotient is rounded down; 50 of 100.

`spinode.neural_ode.forecast` counts whole thirds of a sample instead, which no rounding can upset.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch

from spinode.devices.drives import HeldSequence
from spinode.errors import InputError
from spinode.neural_ode.model import SpinODE

DIVISIONS = ("truncated", "floored")
_DELAYED = "{}_delayed_by_{}"


class AccumulatedLookup:
    """A held sequence as the authors' script finds it, at the stages of the solver.

    Every delay of the input is an input of its own, since each is looked up for itself.

    Parameters
    ----------
    drive : HeldSequence
    model : SpinODE
        Its one input, sample spacing, unit of time and delays.
    division : {"truncated", "floored"}
        How the quotient of time and hold is rounded; see above.

    Attributes
    ----------
    inputs : tuple of str
        The input and its delays, ``Ku``, ``Ku_delayed_by_1``, ...
    duration : float
        In s.
    """

    def __init__(self, drive: HeldSequence, model: SpinODE, division: str = "truncated"):
        if division not in DIVISIONS:
            raise InputError(f"division must be one of {DIVISIONS}, not {division!r}.")
        (channel,) = model.inputs
        self.inputs = (
            channel.name,
            *(_DELAYED.format(channel.name, j) for j in range(1, model.k)),
        )
        self.duration = drive.duration
        self._third = model.sample_spacing / 3
        samples = round(drive.duration / model.sample_spacing) + model.k
        step = round(model.step, 12)  # their 0.025 to the last bit, on which the look-up depends
        stages = stage_times(samples, step)
        hold = step * round(drive.hold / model.sample_spacing)
        levels = np.append(drive.levels, channel.offset)  # theirs ends in a zero
        self._values = {}
        for j, name in enumerate(self.inputs):
            index = divide(stages + j * step, hold, division)
            self._values[name] = levels[np.minimum(index, levels.size - 1)]

    def sample(self, time: np.ndarray) -> dict[str, np.ndarray]:
        """Return the inputs (SI) at ``time`` (s), a multiple of a third of a sample."""
        index = np.rint(np.asarray(time) / self._third).astype(np.int64)
        return {name: values[index] for name, values in self._values.items()}


def stage_times(samples: int, step: float) -> np.ndarray:
    """Return the time that the script carries at every third of a sample, shape (3 samples,).

    Differences of a grid are added one by one; its slope is one, so that a stage lies a third or
    two of the step further. In the model's unit of time.
    """
    steps = np.diff(step * np.arange(samples + 1))
    carried = np.concatenate(([0.0], np.cumsum(steps)))[:-1]
    thirds = (np.zeros(samples), steps * (1 / 3), steps * (1 - 1 / 3))
    return (carried[:, None] + np.stack(thirds, axis=1)).ravel()


def divide(time: np.ndarray, hold: float, division: str) -> np.ndarray:
    """Return ``time // hold`` as whole numbers, as either version of PyTorch divides."""
    if division == "truncated":
        return np.trunc(time / hold).astype(np.int64)
    return np.floor_divide(time, hold).astype(np.int64)


def with_delays_as_inputs(model: SpinODE) -> SpinODE:
    """Return the same model with every delay of its one input as an input of its own.

    Its forecast under an `AccumulatedLookup` is the authors' forecast.

    Raises
    ------
    InputError
        If the model has several inputs.
    """
    if len(model.inputs) != 1:
        raise InputError(f"the authors' look-up is for one input, not {len(model.inputs)}.")
    (channel,), k = model.inputs, model.k
    delayed = [replace(channel, name=_DELAYED.format(channel.name, j)) for j in range(1, k)]
    twin = SpinODE(
        model.output,
        (channel, *delayed),
        sample_spacing=model.sample_spacing,
        time_scale=model.time_scale,
        k=k,
        width=model.width,
        dtype=next(model.parameters()).dtype,
    )
    with torch.no_grad():
        for ours, theirs in zip(twin.parameters(), model.parameters(), strict=True):
            if ours.shape == theirs.shape:
                ours.copy_(theirs)
        first, weights = twin.f[0].weight, model.f[0].weight
        first.zero_()
        first[:, :k] = weights[:, :k]
        # A column of an input has its k delays; of each only the first is used.
        first[:, k::k] = weights[:, k:]
    twin.trained_range = dict(model.trained_range)
    return twin
