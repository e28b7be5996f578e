"""Who answers for the device: its twin, in a blink, or micromagnetics, which has the last word."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from spinode.design.active import Recorded
from spinode.design.knobs import Design
from spinode.devices.disks import SkyrmionDisk
from spinode.devices.drives import HeldSequence
from spinode.errors import InputError, SpinodeError
from spinode.micromagnetics.kept import simulate_once
from spinode.neural_ode.held import held_forecast
from spinode.neural_ode.model import SpinODE

# The in-plane moment of a skyrmion that stays at the centre grows by less than the first factor,
# that of one that left it by more than the second.
_STAYS, _LEFT = 5.0, 100.0
# An exactly symmetric run has no in-plane moment, and nothing grows from it.
_ROUNDING = 1e-9


class SkyrmionLost(SpinodeError):
    """A design that the device does not survive."""


@dataclass(frozen=True)
class Answer:
    """How a device answered.

    Parameters
    ----------
    states : array, shape (points, nodes)
        Virtual nodes of all masks, normalized as the output of the twin.
    excess : float
        How far drive or output went beyond what the twin was trained on, as a part of the trained
        width; 0 inside.
    recordings : tuple of Recorded
        What micromagnetics recorded, one a mask: more to train the twin on.
    wandering : float
        By what factor the in-plane moment grew from the first quarter of the run to the last: about
        1 where the skyrmion stays at the centre, far more where the drive makes it leave.
    """

    states: np.ndarray
    excess: float
    recordings: tuple[Recorded, ...] = ()
    wandering: float = 1.0

    @property
    def stays(self) -> bool:
        """Whether the skyrmion stays at the centre."""
        return self.wandering < _STAYS

    @property
    def left(self) -> bool:
        """Whether the skyrmion left the centre for good."""
        return self.wandering > _LEFT


def ask_twin(model: SpinODE, design: Design, standardized: np.ndarray) -> Answer:
    """Return what the twin forecasts from rest.

    Parameters
    ----------
    model : SpinODE
        With one input.
    design : Design
    standardized : array, shape (points,)
        The series, `Problem.standardized`.

    Raises
    ------
    InputError
        If hold or moment is not a multiple of the model's samples.
    LeftRange
        If the forecast left the trained range far behind.
    """
    answers = [play(model, values, design) for values in design.drive(standardized)]
    states = np.concatenate([one.states for one in answers], axis=1)
    return Answer(states, max(one.excess for one in answers))


def play(model: SpinODE, values: np.ndarray, design: Design) -> Answer:
    """Return what the twin forecasts from rest under held values, read as a design says.

    Parameters
    ----------
    model, design
        As for `ask_twin`.
    values : array, shape (points, nodes)
        Normalized, of one mask.
    """
    every, moment = samples_of(design, model.sample_spacing)
    output = held_forecast(model, torch.from_numpy(values.ravel()), every).numpy()
    excess = float(beyond(model, values, output))
    return Answer(read(output, values.shape, every, moment), excess)


def ask_micromagnetics(
    model: SpinODE,
    device: SkyrmionDisk,
    design: Design,
    standardized: np.ndarray,
    path: Path,
    *,
    progress: bool = False,
) -> Answer:
    """Return what the device does by micromagnetics, from rest.

    Parameters
    ----------
    model : SpinODE
        In whose units the states are given, and whose trained range the excess refers to.
    device : SkyrmionDisk
    design, standardized
        As for `ask_twin`.
    path : Path
        netCDF file that keeps the run (``_2`` and so on is added for further masks); a run that
        was cut off goes on.

    Raises
    ------
    SkyrmionLost
        If the skyrmion did not survive.
    """
    every, moment = samples_of(design, model.sample_spacing)
    channel = model.inputs[0]
    states, recordings, excess, wandering = [], [], 0.0, 0.0
    for number, values in enumerate(design.drive(standardized), 1):
        drive = HeldSequence(
            values, channel.name, offset=channel.offset, amplitude=channel.scale, hold=design.hold
        )
        file = path if number == 1 else path.with_stem(f"{path.stem}_{number}")
        run = simulate_once(file, device, drive, spacing=model.sample_spacing, progress=progress)
        if "annihilation" in run.attrs:
            raise SkyrmionLost(
                f"the skyrmion was lost {run.attrs['annihilation']:g} s into {file.name}; drive it "
                "less hard."
            )
        recordings.append(Recorded(run, drive))
        output = model.output.normalize(run[model.output.name].values)
        states.append(read(output, values.shape, every, moment))
        excess = max(excess, float(beyond(model, values, output)))
        aside = np.hypot(run.mx.values, run.my.values)
        first, *_, last = np.array_split(aside, 4)
        wandering = max(wandering, float(last.max() / max(first.max(), _ROUNDING)))
    return Answer(np.concatenate(states, axis=1), excess, tuple(recordings), wandering)


def samples_of(design: Design, spacing: float) -> tuple[int, int]:
    """Return hold and moment of a design in samples of ``spacing`` (s).

    Raises
    ------
    InputError
        If one is not a multiple of it.
    """
    counts = []
    for name in ("hold", "moment"):
        value = getattr(design, name)
        count = round(value / spacing)
        if abs(count * spacing - value) > 1e-6 * spacing or (name == "hold" and count < 1):
            raise InputError(
                f"a {name} of {value:g} s is not a multiple of the model's spacing, {spacing:g} s."
            )
        counts.append(count)
    return counts[0], counts[1]


def read(output, shape: tuple[int, int], every: int, moment: int):
    """Return the virtual nodes (points, nodes) of an output at every sample."""
    return output[moment : moment + shape[0] * shape[1] * every : every].reshape(shape)


def beyond(model: SpinODE, values, output):
    """Return how far drive or output leave the trained range, as a part of its width.

    Of tensors it can be differentiated.
    """
    farthest = 0.0
    for channel, reached in ((model.inputs[0], values), (model.output, output)):
        if channel.name not in model.trained_range:
            raise InputError(
                f"the range of {channel.name} that the model was trained in is unknown: train it "
                "with spinode.fit."
            )
        low, high = map(channel.normalize, model.trained_range[channel.name])
        over = max(low - reached.min(), reached.max() - high) / (high - low)
        farthest = max(farthest, over)
    return farthest
