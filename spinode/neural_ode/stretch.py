"""A stretch of a trajectory as a Spin-Neural ODE is trained on it: normalized, delay-embedded."""

from __future__ import annotations

import hashlib

import numpy as np
import xarray as xr

from spinode.devices.drives import Drive
from spinode.errors import InputError
from spinode.neural_ode import _kernels
from spinode.neural_ode.levenberg_marquardt import free_forecast
from spinode.neural_ode.model import SpinODE
from spinode.neural_ode.stages import StageInputs
from spinode.trajectory import alive, delay_embed, spacing_of


class Stretch:
    """A stretch of a trajectory as the model sees it.

    Attributes
    ----------
    states : array, shape (steps + 1, k)
        Delay-embedded output, normalized.
    stages : array, shape (3 (steps + k - 1) + 1, inputs)
        Inputs at every third of a sample, normalized.
    steps : int
        Solver steps from the first state to the last.
    ranges : dict
        Smallest and largest value of output and inputs, SI.
    """

    def __init__(
        self,
        name: str,
        samples: tuple[int, int],
        shortest: int,
        model: SpinODE,
        trajectory: xr.Dataset,
        inputs: Drive | None,
        interpolation: str,
    ):
        spacing = spacing_of(trajectory)
        if abs(spacing - model.sample_spacing) > 1e-6 * model.sample_spacing:
            raise InputError(
                f"the model takes samples every {model.sample_spacing:.6g} s but the trajectory "
                f"has them every {spacing:.6g} s; use trajectory.resample."
            )
        if model.output.name not in trajectory:
            raise InputError(f"the trajectory lacks the model's output {model.output.name}.")
        first, stop = samples
        if first < 0 or not first + shortest + model.k <= stop <= trajectory.sizes["time"]:
            raise InputError(
                f"{name} = ({first}, {stop}) must lie within the {trajectory.sizes['time']} "
                f"samples of the trajectory and span at least {shortest + model.k} of them."
            )
        alive(trajectory, until=float(trajectory.time[stop - 1]))
        output = trajectory[model.output.name].values[first:stop].astype(float)
        start = float(trajectory.time[first])
        bad = np.flatnonzero(~np.isfinite(output))
        if bad.size:
            raise InputError(
                f"{model.output.name} is not a number at {start + bad[0] * spacing:.6g} s; "
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
        driven = source.between(0, last)
        self.states = delay_embed(model.output.normalize(output), model.k)
        self.stages = model.normalize_inputs(driven)
        self.steps = len(self.states) - 1
        self.ranges = {model.output.name: (float(output.min()), float(output.max()))}
        for channel, column in zip(model.inputs, driven.T, strict=True):
            self.ranges[channel.name] = (float(column.min()), float(column.max()))

    def free_mse(self, model: SpinODE, weights: np.ndarray) -> float:
        """Return the mean squared error of a forecast of the whole stretch from its start."""
        network = _kernels.padded(_kernels.unpack(weights, model), np.float64)
        outputs = free_forecast(network, model.step, self.states[0], self.stages)
        return float(np.mean((outputs - self.states[:, 0]) ** 2))


def fingerprint(model: SpinODE, *stretches: Stretch) -> str:
    """Return a fingerprint of the data, of the model's shape and of its first weights."""
    digest = hashlib.sha256(repr((model.k, model.step)).encode())
    digest.update(_kernels.pack(model.f.parameters()).tobytes())
    for stretch in stretches:
        digest.update(np.ascontiguousarray(stretch.states).tobytes())
        digest.update(stretch.stages.tobytes())
    return digest.hexdigest()
