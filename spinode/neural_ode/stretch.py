"""What a Spin-Neural ODE is trained on: stretches of trajectories, normalized, delay-embedded."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import xarray as xr

from spinode.devices.drives import Drive
from spinode.errors import InputError
from spinode.neural_ode import _kernels
from spinode.neural_ode._solver import free_forecast
from spinode.neural_ode.measured import measured
from spinode.neural_ode.model import SpinODE
from spinode.neural_ode.stages import StageInputs
from spinode.trajectory import alive, delay_embed

# Normalized signals outside of these are not learned: the networks' first weights are of order
# 0.1 (measured on a Duffing oscillator and a relaxator: at and beyond each bound an NRMSE of 0.8
# or more after the 2,400 iterations of the default).
_OUTPUT_DEVIATION = (1e-3, 1e2)
_LEAST_INPUT_DEVIATION, _LARGEST_INPUT = 1e-4, 1e4


@dataclass
class Stretch:
    """Stretches of one or of several trajectories, as the model sees them.

    Several lie end to end, with NaN at the seams: no window crosses one.

    Attributes
    ----------
    states : array, shape (rows, k)
        Delay-embedded output, normalized.
    stages : array, shape (3 (rows + k - 2) + 1, inputs)
        Inputs at every third of a sample, normalized; those of row n begin at 3 n.
    pieces : list of (int, int)
        First row of each stretch, and the solver steps from it to its last row.
    ranges : dict
        Smallest and largest value of output and inputs, SI.
    """

    states: np.ndarray
    stages: np.ndarray
    pieces: list[tuple[int, int]]
    ranges: dict[str, tuple[float, float]]

    def draw(self, generator: np.random.Generator, batch: int, window: int) -> np.ndarray:
        """Return the first rows of ``batch`` windows of ``window`` steps, all equally likely."""
        first, steps = np.array(self.pieces).T
        ends = np.cumsum(steps - window + 1)
        number = generator.integers(ends[-1], size=batch)
        piece = np.searchsorted(ends, number, side="right")
        return first[piece] + steps[piece] - window + 1 - (ends[piece] - number)

    def free_mse(self, model: SpinODE, weights: np.ndarray) -> float:
        """Return the mean squared error of forecasts of each whole stretch from its start."""
        network = _kernels.padded(_kernels.unpack(weights, model), np.float64)
        errors = []
        for first, steps in self.pieces:
            stages = self.inputs(first, steps)
            outputs = free_forecast(network, model.step, self.states[first], stages)
            errors.append(outputs - self.states[first : first + steps + 1, 0])
        return float(np.mean(np.concatenate(errors) ** 2))

    def inputs(self, first: int, steps: int) -> np.ndarray:
        """Return the inputs at every third of a sample of ``steps`` steps from row ``first``."""
        k = self.states.shape[1]
        return self.stages[3 * first : 3 * (first + steps + k - 1) + 1]


def stretch_of(
    name: str,
    samples: Sequence[tuple[int, int] | None],
    shortest: int,
    model: SpinODE,
    trajectories: Sequence[xr.Dataset],
    inputs: Sequence[Drive | None],
    interpolation: str,
) -> Stretch:
    """Return the parts of trajectories that a model is trained or validated on.

    Parameters
    ----------
    name : str
        Its name in error messages.
    samples : sequence of (int, int) or None
        Of each trajectory the first sample and the one after the last; None leaves it out.
    shortest : int
        Least number of steps of each.
    model : SpinODE
    trajectories : sequence of Dataset
    inputs : sequence of Drive or None
        What drives each, if it is not its own columns.
    interpolation : str
        How a trajectory's own columns are interpolated.

    Raises
    ------
    InputError
        As `spinode.fit`.
    """
    outputs, driven, pieces, row = [], [], [], 0
    for number, taken in enumerate(samples):
        if taken is None:
            continue
        which = "the trajectory" if len(samples) == 1 else f"trajectory {number}"
        one = _Part(name, which, taken, shortest, model)
        values, columns = one.read(trajectories[number], inputs[number], interpolation)
        outputs.append(values)
        driven.append(columns)
        pieces.append((row, len(values) - model.k))
        row += len(values)
    if not pieces:
        raise InputError(f"{name} leaves out every trajectory; give the samples of one at least.")
    every_output, every_input = np.concatenate(outputs), np.concatenate(driven)
    columns = {model.output.name: every_output}
    columns |= {channel.name: every_input[:, i] for i, channel in enumerate(model.inputs)}
    ranges = {name: (float(one.min()), float(one.max())) for name, one in columns.items()}
    states = [delay_embed(model.output.normalize(one), model.k) for one in outputs]
    stages = [model.normalize_inputs(one) for one in driven]
    return Stretch(_end_to_end(states, model.k - 1), _end_to_end(stages, 2), pieces, ranges)


def _end_to_end(parts: list[np.ndarray], gap: int) -> np.ndarray:
    """Return arrays one after the other, with ``gap`` rows of NaN between two."""
    if len(parts) == 1:
        return parts[0]
    seam = np.full((gap, parts[0].shape[1]), np.nan)
    return np.concatenate([row for part in parts for row in (part, seam)][:-1])


@dataclass
class _Part:
    """What is taken of one trajectory, and its name in error messages."""

    name: str
    which: str
    samples: tuple[int, int]
    shortest: int
    model: SpinODE

    def read(
        self, trajectory: xr.Dataset, inputs: Drive | None, interpolation: str
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return output and inputs at every third of a sample, in the model's units."""
        model, name, (first, stop) = self.model, self.name, self.samples
        trajectory = measured(model, trajectory, self.which)
        length = trajectory.sizes["time"]
        if first < 0 or not first + self.shortest + model.k <= stop <= length:
            raise InputError(
                f"{name} = ({first}, {stop}) must lie within the {length} samples of "
                f"{self.which} and span at least {self.shortest + model.k} of them."
            )
        alive(trajectory, until=float(trajectory.time[stop - 1]))
        output = trajectory[model.output.name].values[first:stop].astype(float)
        start = float(trajectory.time[first])
        bad = np.flatnonzero(~np.isfinite(output))
        if bad.size:
            time = start + bad[0] * model.sample_spacing
            raise InputError(
                f"{model.output.name} is not a number at {time:.6g} s in {self.which}; "
                f"choose {name} before it or repair the trajectory."
            )
        source = StageInputs(
            model,
            trajectory if inputs is None else inputs,
            start=start,
            interpolation=interpolation if inputs is None else None,
        )
        last = len(output) - 1
        if last > source.samples:
            raise InputError(
                f"{name} = ({first}, {stop}) goes on {last - source.samples} samples after the end "
                "of the inputs; give longer inputs or a shorter stretch."
            )
        return output, source.between(0, last)


def check_scales(model: SpinODE, stretch: Stretch) -> None:
    """Refuse signals that no network learns at the scales of the model's channels.

    Raises
    ------
    InputError
        If one is far from the order of 1 when it is normalized, or the output never changes.
    """
    signals = (stretch.states[:, 0], *stretch.stages.T)
    for channel, signal in zip((model.output, *model.inputs), signals, strict=True):
        values = signal[np.isfinite(signal)]  # all but the seams
        mean, deviation, largest = values.mean(), values.std(), np.abs(values).max()
        changes = np.ptp(values) > 1e-9 * max(largest, abs(channel.offset) / channel.scale)
        if channel is model.output:
            if not changes:
                raise InputError(f"{channel.name} never changes; there is nothing to learn.")
            least, most = _OUTPUT_DEVIATION
            fits = least < deviation < most
        else:
            least = _LEAST_INPUT_DEVIATION if changes else 0.0
            fits = deviation >= least and largest <= _LARGEST_INPUT
        if not fits:
            scale = channel.scale * (deviation if changes else abs(mean))
            raise InputError(
                f"normalized, {channel.name} has mean {mean:.3g} and standard deviation "
                f"{deviation:.3g}, which no training succeeds at; give its channel offset = "
                f"{channel.restore(mean):.3g} and scale = {scale:.3g} {channel.units}."
            )


def fingerprint(model: SpinODE, *stretches: Stretch) -> str:
    """Return a fingerprint of the data, of the model's shape and of its first weights."""
    digest = hashlib.sha256(repr((model.k, model.step)).encode())
    digest.update(_kernels.pack(model.f.parameters()).tobytes())
    for stretch in stretches:
        digest.update(repr(stretch.pieces).encode())
        digest.update(np.ascontiguousarray(stretch.states).tobytes())
        digest.update(stretch.stages.tobytes())
    return digest.hexdigest()
