"""A learned latent Spin-Neural ODE: its units, its forecasts and its file."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
import xarray as xr
from scipy.stats import norm

from spinode.devices.drives import Drive
from spinode.errors import InputError
from spinode.neural_ode import _sensitivities, model_file
from spinode.neural_ode.dead_time import delayed_stages
from spinode.neural_ode.initial_state import REST, START_SAMPLES, fit_state
from spinode.neural_ode.measured import in_units_of, measured
from spinode.neural_ode.stages import StageInputs
from spinode.neural_ode.state_space import Shape, simulate
from spinode.neural_ode.trained_range import ForecastWarning, warn_of_untrained
from spinode.trajectory import Channel, label

#: What its files call themselves.
FORMAT = "spinode latent model 3"


@dataclass
class LatentODE:
    """A Spin-Neural ODE with a state of its own, dx/dt = A x + B e + b + W2 s(W1 [x; e] + b1).

    Made by `spinode.neural_ode.identification.identify`. Its neurons saturate, or every other one
    grows (`spinode.neural_ode.state_space.neurons`).

    Attributes
    ----------
    output : Channel
    inputs : tuple of Channel
    sample_spacing : float
        Spacing of the samples (s).
    time_scale : float
        Seconds in one unit of the model's time.
    shape : Shape
        Number of states, inputs and neurons.
    weights : array
        All weights, see `Shape.unpack`.
    interpolation : {"held", "linear", "cubic"}
        How inputs are interpolated, in training and by default in forecasts.
    start_samples : int
        Samples that a start is fitted to by default.
    dead_times : tuple of int
        Samples by which each input reaches the device late; empty for none.
    trained_range : dict of str to (float, float)
        Smallest and largest value (SI) of output and inputs in the training data.
    noise : float
        Root mean square (normalized) of what held-out data leave unexplained.
    covariance : array or None
        Of the weights, from the curvature of the training error.
    choices : list of dict
        What was tried for order, width and ridge, and the held-out error of each (normalized).
    """

    output: Channel
    inputs: tuple[Channel, ...]
    sample_spacing: float
    time_scale: float
    shape: Shape
    weights: np.ndarray
    interpolation: str = "linear"
    start_samples: int = START_SAMPLES
    dead_times: tuple[int, ...] = ()
    trained_range: dict = field(default_factory=dict)
    noise: float = 0.0
    covariance: np.ndarray | None = None
    choices: list[dict] = field(default_factory=list)

    @property
    def step(self) -> float:
        """One sample in the model's dimensionless time."""
        return self.sample_spacing / self.time_scale

    @property
    def k(self) -> int:
        """Samples that a forecast must at least be started from."""
        return 1

    @property
    def states(self) -> int:
        """Number of states."""
        return self.shape.states

    @property
    def width(self) -> int:
        """Neurons in the hidden layer."""
        return self.shape.width

    def normalize_inputs(self, values: np.ndarray) -> np.ndarray:
        """Return inputs, shape (..., inputs) in SI units, as the model sees them."""
        columns = [channel.normalize(values[..., i]) for i, channel in enumerate(self.inputs)]
        return np.stack(columns, axis=-1)

    def stages(self, driven: np.ndarray) -> np.ndarray:
        """Return what drives the state at every third of a sample, from inputs in SI units.

        Normalized and late by the dead times; an input is held before its first value.
        """
        stages = self.normalize_inputs(driven)
        if any(self.dead_times):
            stages = delayed_stages(stages, self.dead_times)
        return np.ascontiguousarray(stages)

    def forecast(
        self,
        inputs: Drive | xr.Dataset | Sequence[Drive | xr.Dataset],
        first_samples: xr.Dataset | np.ndarray | Sequence | None = None,
        *,
        interpolation: str | None = None,
        duration: float | None = None,
        band: float | None = None,
        start: float | None = None,
        start_samples: int | None = None,
        every: int = 1,
    ) -> xr.Dataset:
        """Integrate the model under given inputs.

        Parameters
        ----------
        inputs : Drive, Dataset, or sequence of them
            What drives the device. With dead times, inputs from before the start are used where
            they are given; else the first ones are taken to have been there before.
        first_samples : Dataset, array, or sequence of them, optional
            The first samples of the output (SI), any number of them, NaN where missing: the state
            to start from is fitted to them. Of a Dataset the first `start_samples` samples. Left
            out, the device is at rest under its first input.
        interpolation : {"held", "linear", "cubic"}, optional
            How sampled inputs are interpolated; by default as in training.
        duration : float, optional
            Length of the forecast (s), by default as far as the inputs reach.
        band : float, optional
            Fraction of measured samples, say 0.9, that a band around the forecast should contain.
        start : float, optional
            Time of the first sample (s), by default that of ``first_samples`` or of the inputs.
        start_samples : int, optional
            How many of the first samples to use.
        every : int
            Keep every ``every``-th sample.

        Returns
        -------
        Dataset
            Output and inputs over ``time`` in SI units; with ``band`` also ``<output>_low`` and
            ``<output>_high``. With a dimension ``run`` if ``inputs`` is a sequence. NaN, and a
            `ForecastWarning`, from where the state grew without bound.

        Raises
        ------
        InputError
            If inputs or first samples do not fit the model.
        """
        if isinstance(inputs, Sequence):
            firsts = [None] * len(inputs) if first_samples is None else first_samples
            if len(firsts) != len(inputs):
                raise InputError(f"{len(inputs)} inputs need as many starts, not {len(firsts)}.")
            options = {"interpolation": interpolation, "duration": duration, "band": band}
            options |= {"start": start, "start_samples": start_samples, "every": every}
            runs = [
                self.forecast(one, first, **options)
                for one, first in zip(inputs, firsts, strict=True)
            ]
            return xr.concat(runs, "run", join="outer")
        if band is not None and not 0 < band < 1:
            raise InputError(f"band must be a fraction between 0 and 1, not {band!r}.")
        if not self.weights.any():
            raise InputError("the model has learned nothing yet; fit it first.")
        truth, start = self._first_samples(first_samples, start, start_samples)
        sampled = isinstance(inputs, xr.Dataset | xr.DataArray)
        if sampled:
            inputs = in_units_of(self, inputs, unnamed=self.inputs[0].name)
        if start is None:
            start = float(inputs.time[0]) if sampled else 0.0
        if sampled:
            interpolation = interpolation or self.interpolation
        source = StageInputs(self, inputs, start=start, interpolation=interpolation)
        last = source.samples
        if duration is not None:
            last = round(duration / self.sample_spacing)
            if not 0 <= last <= source.samples:
                raise InputError(
                    f"the inputs last {source.samples * self.sample_spacing:.6g} s but the "
                    f"forecast {duration:.6g} s; give longer inputs or a shorter duration."
                )
        begins = float(inputs.time[0]) if sampled else 0.0
        known = int((start - begins) / self.sample_spacing + 1e-6)
        ahead = min(max(self.dead_times, default=0), known)
        driven = source.between(-ahead, last)
        stages = self.stages(driven)[3 * ahead :]
        driven = driven[3 * ahead :]
        if truth is None:
            first = self.rest(stages[0])
        else:
            truth = truth[: last + 1]
            unknown = max(self.dead_times, default=0) - ahead  # inputs, from before the start
            if np.isfinite(truth[unknown:]).any():
                truth[:unknown] = np.nan
            first = fit_state(
                self.shape, self.weights, self.step, stages, truth, self.rest(stages[0])
            )
        outputs, _ = simulate(self.shape, self.weights, self.step, first, stages)
        self._warn(driven, outputs, start)
        variables = {self.output.name: ("time", self.output.restore(outputs))}
        for i, channel in enumerate(self.inputs):
            variables[channel.name] = ("time", driven[::3, i])
        if band is not None:
            half = norm.ppf(0.5 + band / 2) * self.deviation(first, stages)
            for name, side in (("low", -half), ("high", half)):
                values = self.output.restore(outputs + side)
                variables[f"{self.output.name}_{name}"] = ("time", values)
        time = start + self.sample_spacing * np.arange(last + 1)
        attributes = {"source": "forecast", "states": self.states, "width": self.width}
        run = label(xr.Dataset(variables, {"time": time}, attributes))
        for one in (self.output, *self.inputs):
            run[one.name].attrs["units"] = one.units
        return run.isel(time=slice(None, None, every)) if every > 1 else run

    def deviation(self, first: np.ndarray, stages: np.ndarray) -> np.ndarray:
        """Return the standard deviation (normalized) of measured samples around a forecast.

        That of the weights, carried through the model's sensitivities, and the `noise`.
        """
        samples, n = (len(stages) - 1) // 3 + 1, self.shape.states
        variance = np.full(samples, self.noise**2)
        if self.covariance is not None:
            rows = np.empty((samples, self.shape.weights + n + 1))
            alive = _sensitivities.window_rows(
                *self.shape.network(self.weights),
                self.step,
                first,
                stages,
                np.zeros(samples),
                np.ones(samples),
                rows,
            )
            if alive:
                slopes = rows[:, : self.shape.weights]
                variance += np.sum((slopes @ self.covariance) * slopes, axis=1)
        return np.sqrt(variance)

    def rest(self, drive: np.ndarray) -> np.ndarray:
        """Return the state after a long time under a constant (normalized) input.

        An integral has no rest: it is in the middle of what was learned.
        """
        stages = np.tile(np.asarray(drive, float), (3 * (REST - 1) + 1, 1))
        _, states = simulate(self.shape, self.weights, self.step, np.zeros(self.states), stages)
        last = states[-1] if np.isfinite(states[-1]).all() else np.zeros(self.states)
        if self.shape.integrating:
            last[0] = 0.0
        return last

    def _first_samples(
        self, given, start: float | None, count: int | None
    ) -> tuple[np.ndarray | None, float | None]:
        """Return the normalized first samples, and their time (s) if it is known."""
        name = self.output.name
        if given is None:
            return None, start
        if isinstance(given, xr.Dataset | xr.DataArray):
            given = measured(self, given, "the initial trajectory")
            begins = float(given.time[0])
            start = begins if start is None else start
            offset = round((start - begins) / self.sample_spacing)
            if offset < 0:
                raise InputError(
                    f"the initial trajectory begins at {begins:.6g} s, after the start at "
                    f"{start:.6g} s; start later."
                )
            count = count or self.start_samples + max(self.dead_times, default=0)
            values = given[name].values[offset : offset + count]
        else:
            values = np.atleast_1d(np.asarray(given, float))[:count]
        if values.ndim != 1 or not np.isfinite(values).any():
            raise InputError(f"the first samples of {name} hold no number to start from.")
        return self.output.normalize(values.astype(float)), start

    def _warn(self, driven: np.ndarray, outputs: np.ndarray, start: float) -> None:
        lost = np.flatnonzero(~np.isfinite(outputs))
        if lost.size:
            warnings.warn(
                f"the forecast of {self.output.name} grew without bound at "
                f"{start + lost[0] * self.sample_spacing:.6g} s; what comes before is kept.",
                ForecastWarning,
                stacklevel=3,
            )
        for channel, column in zip(self.inputs, driven.T, strict=True):
            warn_of_untrained(self, channel.name, column)

    def save(self, path: str | Path) -> Path:
        """Write the model with its units to ``path`` (`model_file`), completely or not at all."""
        about = {
            "format": FORMAT,
            "output": asdict(self.output),
            "inputs": [asdict(channel) for channel in self.inputs],
            "shape": asdict(self.shape),
        }
        about |= {name: getattr(self, name) for name in _PLAIN}
        arrays = {"weights": self.weights}
        if self.covariance is not None:
            arrays["covariance"] = self.covariance
        return model_file.write(path, about, arrays)

    @classmethod
    def load(cls, path: str | Path) -> LatentODE:
        """Read a model written by `save`.

        Raises
        ------
        InputError
            If there is no such file or it is not such a model.
        """
        about, arrays = model_file.read(path, FORMAT)
        try:
            model = cls(
                output=Channel(**about["output"]),
                inputs=tuple(Channel(**channel) for channel in about["inputs"]),
                shape=Shape(**about["shape"]),
                weights=arrays["weights"],
                covariance=arrays.get("covariance"),
                **{name: about[name] for name in _PLAIN},
            )
        except (KeyError, TypeError):
            raise InputError(f"{path} is damaged; train the model again.") from None
        model.dead_times = tuple(model.dead_times)
        model.trained_range = {name: tuple(span) for name, span in model.trained_range.items()}
        return model


_PLAIN = (
    "sample_spacing",
    "time_scale",
    "interpolation",
    "start_samples",
    "dead_times",
    "trained_range",
    "noise",
    "choices",
)
