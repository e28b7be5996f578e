"""Forecast what a device does: a trained Spin-Neural ODE, compiled, over any length of time."""

from __future__ import annotations

import functools
import warnings
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from numbers import Integral, Real

import numpy as np
import xarray as xr
from tqdm import tqdm

from spinode.cores import cores
from spinode.devices.drives import Drive
from spinode.errors import InputError
from spinode.neural_ode import _kernels, _solver
from spinode.neural_ode.initial_state import fit_delays, rest_of_delays
from spinode.neural_ode.latent import LatentODE
from spinode.neural_ode.measured import in_units_of, measured
from spinode.neural_ode.model import SpinODE
from spinode.neural_ode.stages import StageInputs
from spinode.neural_ode.trained_range import ForecastWarning, warn_of_untrained
from spinode.trajectory import as_list, label

# Steps, of all runs together, between two looks at the clock: half a second and some 30 MB.
_CHUNK = 200_000


def forecast(
    model: SpinODE | LatentODE,
    inputs: Drive | xr.Dataset | xr.DataArray | Sequence[Drive | xr.Dataset | xr.DataArray],
    *,
    initial: np.ndarray | xr.Dataset | xr.DataArray | Sequence | None = None,
    start_samples: int | None = None,
    duration: float | None = None,
    start: float | None = None,
    interpolation: str | None = None,
    every: int = 1,
    band: float | None = None,
    progress: bool = False,
) -> xr.Dataset:
    """Integrate a trained model under given inputs.

    The solver is the fourth-order 3/8 rule at the model's sample spacing (torchdiffeq's ``rk4``),
    in the precision of the model's weights. The last k - 1 samples are read off the delayed
    outputs, so that the forecast reaches exactly as far as its inputs.

    Parameters
    ----------
    model : SpinODE or LatentODE
        Trained model.
    inputs : Drive, Dataset, DataArray, or sequence of them
        What drives the device: a function of time (`spinode.devices.drives`), or evenly spaced
        samples of the model's inputs over ``time``, other units than the model's converted. A
        sequence, or a Dataset with a dimension ``run``, is forecast in parallel.
    initial : array, Dataset, DataArray, or sequence of them, optional
        The first samples of the output in the model's units, or a trajectory that begins with
        them. Left out, the device is at rest under its first input.
    start_samples : int, optional
        How many first samples the state to start from is fitted to. By default a state of delayed
        outputs is exactly its k samples, or is fitted to all of a longer array; a state of its own
        is fitted to as many as the model says.
    duration : float, optional
        Length of the forecast (s), by default as far as the inputs reach.
    start : float, optional
        Time of the first sample (s), by default that of ``initial`` if it is a Dataset, else 0.
    interpolation : {"held", "linear", "cubic"}, optional
        How sampled inputs are interpolated; by default as in training.
    every : int
        Keep every ``every``-th sample; memory grows only with what is kept.
    band : float, optional
        Fraction of measured samples, say 0.9, that a band around the forecast should contain:
        ``<output>_low`` and ``<output>_high``. Of models with a state of their own.
    progress : bool
        Show a progress bar.

    Returns
    -------
    Dataset
        The output and the inputs over ``time``, in the model's units; with a leading dimension
        ``run`` if ``inputs`` is a sequence. A run stops where its output leaves the trained range
        by more than half the width of it, or becomes infinite; a `ForecastWarning` says when. A
        single forecast then ends there, among several its rest is NaN.

    Raises
    ------
    InputError
        If the inputs end before the forecast, hold NaN or do not fit the model, units measure
        something else, or ``initial`` is too short or not at the model's spacing.
    """
    if not (isinstance(every, Integral) and every >= 1):
        raise InputError(f"every must be a whole number of at least 1, not {every!r}.")
    if start_samples is not None and not (
        isinstance(start_samples, Integral) and start_samples >= model.k
    ):
        raise InputError(
            f"start_samples must be a whole number of at least {model.k}, not {start_samples!r}."
        )
    inputs, initial = _runs_of(inputs), _runs_of(initial)
    single = not isinstance(inputs, Sequence)
    if single:
        inputs, initial = [inputs], [initial]
    elif initial is None:
        initial = [None] * len(inputs)
    elif not isinstance(initial, Sequence | np.ndarray):
        raise InputError(f"{len(inputs)} inputs need as many initial states, not a single one.")
    elif not len(inputs) == len(initial) > 0:
        raise InputError(f"{len(inputs)} inputs need as many initial states, not {len(initial)}.")
    for name, value in (("duration", duration), ("start", start)):
        if value is not None and not (isinstance(value, Real) and np.isfinite(value)):
            raise InputError(f"{name} must be a finite number of seconds, not {value!r}.")
    if not isinstance(model, SpinODE):
        options = {"duration": duration, "start": start, "interpolation": interpolation}
        options |= {"every": every, "band": band, "start_samples": start_samples}
        return model.forecast(
            *((inputs[0], initial[0]) if single else (inputs, initial)), **options
        )
    if band is not None:
        raise InputError(
            "only models with a state of their own have a band, not those of delayed outputs."
        )
    begun = [
        _first_samples(model, *one, start, start_samples)
        for one in zip(initial, inputs, strict=True)
    ]
    if len({time for _, time in begun}) > 1:
        raise InputError("runs that are forecast together must start at the same time; give start.")
    start = begun[0][1]
    sources = [
        StageInputs(
            model,
            one,
            start=start,
            interpolation=(interpolation or model.interpolation)
            if isinstance(one, xr.Dataset | xr.DataArray)
            else interpolation,
        )
        for one in inputs
    ]
    samples = _samples(model, sources, duration)
    states = [
        _first_state(model, values, source, samples)
        for (values, _), source in zip(begun, sources, strict=True)
    ]
    with tqdm(total=samples, desc="forecast", unit="sample", disable=not progress) as bar:
        runs = _Runs(model, sources, np.stack(states), samples, every)
        runs.integrate(bar)
    for number, taken in enumerate(runs.taken):
        if taken < runs.steps:
            warnings.warn(
                f"{'the forecast' if single else f'forecast {number}'} of {model.output.name} was "
                f"stopped at {start + taken * model.sample_spacing:.6g} s, where it left the "
                "range the model was trained in; what comes before is returned.",
                ForecastWarning,
                stacklevel=2,
            )
    for channel, column in zip(model.inputs, np.moveaxis(runs.driven, -1, 0), strict=True):
        warn_of_untrained(model, channel.name, column)
    return runs.dataset(start, single)


class _Runs:
    """Forecasts side by side.

    Attributes
    ----------
    taken : array of int, shape (runs,)
        Steps each has taken inside the trained range.
    kept : array, shape (runs, samples)
        Kept outputs, normalized; NaN after a run was stopped.
    driven : array, shape (runs, samples, inputs)
        Inputs at the kept samples, SI.
    """

    def __init__(self, model, sources, states, samples, every):
        self._model, self._sources, self._states = model, sources, states
        self._samples, self._every = samples, every
        self.steps = samples - (model.k - 1)
        count = len(sources)
        self.taken = np.zeros(count, np.int64)
        self.kept = np.full((count, samples // every + 1), np.nan, states.dtype)
        self.driven = np.full((*self.kept.shape, len(model.inputs)), np.nan)

    def integrate(self, bar: tqdm) -> None:
        """Go through the inputs, a stretch at a time, until the end or until all have stopped."""
        weights = _kernels.pack(self._model.f.parameters())
        network = _kernels.unpack(weights, self._model)
        network = _kernels.padded(network, self._states.dtype)
        chunk = max(_CHUNK // len(self._sources), 1)
        groups = np.array_split(np.arange(len(self._sources)), min(cores(), len(self._sources)))
        with ThreadPoolExecutor(len(groups)) as pool:
            for first in range(0, self.steps, chunk):
                last = min(first + chunk, self.steps)
                stretch = functools.partial(self._advance, network, first, last)
                list(pool.map(stretch, groups))
                bar.update(last - first)
                if (self.taken < last).all():
                    break
        # The last state holds the last k samples.
        tail = np.arange(-self.steps % self._every, self._model.k, self._every)
        for run in np.flatnonzero(self.taken == self.steps):
            values = self._sources[run].between(self.steps, self._samples)[::3]
            self.kept[run, self.kept.shape[1] - len(tail) :] = self._states[run, tail]
            self.driven[run, self.kept.shape[1] - len(tail) :] = values[tail]
        bar.update(self._samples - self.steps)

    def _advance(self, network: tuple, first: int, last: int, runs: np.ndarray) -> None:
        """Take some of the runs from step ``first`` to step ``last``."""
        model, every, dtype = self._model, self._every, self._states.dtype.type
        kept = slice(-(-first // every), -(-last // every))
        values = [self._sources[run].between(first, last + model.k - 1) for run in runs]
        self.driven[runs, kept] = [
            v[: 3 * (last - first) : 3][-first % every :: every] for v in values
        ]
        stages = np.stack([model.normalize_inputs(v) for v in values]).astype(dtype)
        low, high = map(dtype, model.bounds)
        step = dtype(model.step)
        outputs = np.full((len(runs), kept.stop - kept.start), np.nan, dtype)
        states, taken = self._states[runs], self.taken[runs]
        if len(runs) > 1:
            _solver.integrate_batch(
                network, step, states, stages, low, high, every, first, outputs, taken
            )
        elif taken[0] == first:
            taken += _solver.integrate(
                network, step, states[0], stages[0], low, high, every, first, outputs[0]
            )
        self._states[runs], self.taken[runs], self.kept[runs, kept] = states, taken, outputs

    def dataset(self, start: float, single: bool) -> xr.Dataset:
        """Return the runs as a trajectory."""
        model = self._model
        good = -(-self.taken // self._every)
        good[self.taken == self.steps] = self.kept.shape[1]
        self.kept[np.arange(self.kept.shape[1]) >= good[:, None]] = np.nan
        variables = {model.output.name: model.output.restore(self.kept.astype(float))}
        for i, channel in enumerate(model.inputs):
            variables[channel.name] = self.driven[..., i]
        time = start + self._every * model.sample_spacing * np.arange(self.kept.shape[1])
        attributes = {"source": "forecast", "k": model.k, "width": model.width}
        dataset = label(
            xr.Dataset(
                {name: (("run", "time"), values) for name, values in variables.items()},
                {"time": time},
                attributes,
            )
        )
        for channel in (model.output, *model.inputs):
            if channel.units:
                dataset[channel.name].attrs["units"] = channel.units
        return dataset.isel(run=0, time=slice(0, good[0])) if single else dataset


def _runs_of(given):
    """Return a Dataset with a dimension ``run`` as a list, everything else as it is."""
    has_runs = isinstance(given, xr.Dataset | xr.DataArray) and "run" in given.dims
    return as_list(given) if has_runs else given


def _first_samples(model, initial, driven, start, start_samples) -> tuple[np.ndarray | None, float]:
    """Return the normalized first samples and their time (s); None at rest."""
    name, k = model.output.name, model.k
    if initial is None:
        sampled = isinstance(driven, xr.Dataset | xr.DataArray)
        begins = float(in_units_of(model, driven, model.inputs[0].name).time[0]) if sampled else 0.0
        return None, begins if start is None else start
    if isinstance(initial, xr.Dataset | xr.DataArray):
        initial = measured(model, initial, "the initial trajectory")
        start = float(initial.time[0]) if start is None else start
        offset = round((start - float(initial.time[0])) / model.sample_spacing)
        if offset < 0:
            raise InputError(
                f"the initial trajectory begins at {float(initial.time[0]):.6g} s, after the start "
                f"at {start:.6g} s; start later."
            )
        values = initial[name].values[offset : offset + (start_samples or k)]
    else:
        start = 0.0 if start is None else start
        values = np.atleast_1d(np.asarray(initial, float))[:start_samples]
    if values.ndim != 1 or len(values) < k:
        raise InputError(
            f"a model with k = {k} starts from {k} samples of {name}, not {values.size}."
        )
    if not np.isfinite(values).all():
        raise InputError(f"the initial samples of {name} hold NaN or infinity.")
    return model.output.normalize(values.astype(float)), start


def _first_state(model, values, source, samples) -> np.ndarray:
    """Return the state that a forecast starts from, in the precision of the weights."""
    if values is None:
        state = rest_of_delays(model, model.normalize_inputs(source.between(0, 0))[0])
    elif len(values) == model.k:
        state = values
    else:
        stages = model.normalize_inputs(source.between(0, min(len(values) - 1, samples)))
        state = fit_delays(model, stages, values)
    return state.astype(next(model.parameters()).detach().cpu().numpy().dtype)


def _samples(model: SpinODE, sources: list[StageInputs], duration: float | None) -> int:
    """Return the number of the last sample of a forecast of ``duration`` (s)."""
    reached = min(source.samples for source in sources)
    if duration is None:
        samples = reached
    else:
        samples = round(duration / model.sample_spacing)
        if samples > reached:
            raise InputError(
                f"the inputs last {reached * model.sample_spacing:.6g} s but the forecast "
                f"{duration:.6g} s; give longer inputs or a shorter duration."
            )
    if samples < model.k - 1 or samples < 0:
        raise InputError(
            f"a forecast with k = {model.k} spans at least {model.k} samples, "
            f"not {max(samples + 1, 0)}; give longer inputs or a longer duration."
        )
    return samples
