"""Learn a device from recordings, and measure how well: a linear model beside a network."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from spinode.errors import InputError
from spinode.neural_ode.identification import linear_and_network
from spinode.neural_ode.latent import LatentODE
from spinode.recordings.look import Look, look
from spinode.recordings.residuals import ResidualTest, residual_test

#: Part of a recording that is learned from, unless told otherwise; the rest is held out.
TRAIN = (0.0, 0.7)
_FEWEST_HELD_OUT = 40


@dataclass(frozen=True)
class Score:
    """A free simulation of held-out data.

    Parameters
    ----------
    rmse : float
        Root mean square error, in the output's SI unit.
    nrmse : float
        The same over the standard deviation of the held-out output.
    fit : float
        ``1 - nrmse``, the field's fit, 1 for a perfect model; often given in percent.
    residuals : ResidualTest
    """

    rmse: float
    nrmse: float
    residuals: ResidualTest

    @property
    def fit(self) -> float:
        """Part of the output's standard deviation that is explained."""
        return 1 - self.nrmse


@dataclass(frozen=True)
class Study:
    """What was learned from recordings, and how good it is.

    Parameters
    ----------
    output : str
    inputs : tuple of str
    train, held_out : list of Dataset
    validation : list of Dataset
        Other recordings that chose between models; none where pieces of ``train`` did.
    seen : Look
        At the first recording's training part.
    models : dict of str to LatentODE
        ``linear`` and ``network``.
    forecasts : dict of str to list of Dataset
        Free simulation of every held-out stretch, by model.
    scores : dict of str to Score
    beyond : dict of str to float
        Part of the held-out samples at which an input lies outside its trained range.
    """

    output: str
    inputs: tuple[str, ...]
    train: list[xr.Dataset]
    held_out: list[xr.Dataset]
    validation: list[xr.Dataset]
    seen: Look
    models: dict[str, LatentODE]
    forecasts: dict[str, list[xr.Dataset]]
    scores: dict[str, Score]
    beyond: dict[str, float]

    @property
    def units(self) -> str:
        """Unit of the output."""
        return self.train[0][self.output].attrs.get("units", "1")

    @property
    def dead_times(self) -> dict[str, float]:
        """How late each input reaches the output (s)."""
        late = self.models["network"].dead_times or [0] * len(self.inputs)
        return {
            name: samples * self.seen.sample_spacing
            for name, samples in zip(self.inputs, late, strict=True)
        }

    @property
    def warnings(self) -> list[str]:
        """What is odd about the recordings, and about what was learned from them."""
        network, linear = (self.scores[name].nrmse for name in ("network", "linear"))
        doubts = []
        if not network < 1:
            doubts.append(
                "the network forecasts the held-out samples no better than their mean would "
                f"(NRMSE {network:.0%}): do not use it. The output may not be a function of the "
                "past of this input alone, or the recording is too short."
            )
        elif not network < linear:
            doubts.append(
                "the network forecasts the held-out samples no better than the linear model does "
                f"(NRMSE {network:.1%} and {linear:.1%})."
            )
        return [*self.seen.warnings, *doubts]

    def numbers(self) -> dict[str, Any]:
        """Return everything measured, ready for JSON."""
        model = self.models["network"]
        return {
            "recordings": [one.attrs.get("source", "") for one in self.train],
            "recordings_to_choose_by": [one.attrs.get("source", "") for one in self.validation],
            "samples_train": sum(one.sizes["time"] for one in self.train),
            "samples_held_out": sum(one.sizes["time"] for one in self.held_out),
            "sample_spacing_s": self.seen.sample_spacing,
            "bandwidth_hz": self.seen.bandwidth,
            "linear_bound_nrmse": self.seen.linear_bound,
            "noise": self.seen.noise,
            "units": self.units,
            "warnings": self.warnings,
            "states": model.states,
            "width": model.width,
            "output_width": model.shape.output_width,
            "integrating": model.shape.integrating,
            "dead_times_s": self.dead_times,
            "weights": model.shape.weights,
            "interpolation": model.interpolation,
            "choices": model.choices,
            "models": {
                name: {
                    "rmse": score.rmse,
                    "nrmse": score.nrmse,
                    "fit": score.fit,
                    "residuals_white": score.residuals.white,
                    "residuals_independent_of_input": score.residuals.independent,
                }
                for name, score in self.scores.items()
            },
            "held_out_beyond_trained_range": self.beyond,
        }


def learn(
    recordings: xr.Dataset | Sequence[xr.Dataset],
    *,
    output: str,
    inputs: Sequence[str],
    validation: xr.Dataset | Sequence[xr.Dataset] = (),
    train: tuple[float, float] = TRAIN,
    interpolation: str = "auto",
    states: int | str = "auto",
    seed: int = 0,
    checkpoint: str | Path | None = None,
    progress: bool = True,
) -> Study:
    """Learn from a part of each recording, and forecast the rest of it.

    Held-out data are used for no choice. A forecast starts from a state fitted to the first samples
    of the held-out stretch (`LatentODE.start_samples`, and dead times more); they are not scored.

    Parameters
    ----------
    recordings : Dataset or sequence of them
        As from `spinode.recordings.readers.read_recording`, all with one sample spacing.
    output, inputs : str
        Variables of the recordings.
    validation : Dataset or sequence of them
        Recordings to choose between models by, and to end the training, instead of pieces that
        are held out of the others. Nothing is fitted to them, and no score is of them.
    train : (float, float)
        Part of each recording to learn from: two fractions, or two sample numbers. What comes
        after is held out, or what comes before if nothing does.
    interpolation : {"auto", "held", "linear", "cubic"}
        How inputs are interpolated between their samples.
    states : int or "auto"
        Length of the model's state.
    seed : int
        Random seed of the training.
    checkpoint : path, optional
        File from which an interrupted training resumes.
    progress : bool
        Show progress bars.

    Raises
    ------
    InputError
        If the recordings cannot be learned from, or the stretch leaves nothing to test on.
    """
    if isinstance(recordings, xr.Dataset):
        recordings = [recordings]
    validation = [validation] if isinstance(validation, xr.Dataset) else list(validation)
    pairs = [_split(one, train) for one in recordings]
    learned, held_out = [one for one, _ in pairs], [one for _, one in pairs]
    seen = look(learned[0], output=output, inputs=inputs)
    options = {
        "output": output,
        "inputs": list(inputs),
        "interpolation": interpolation,
        "states": states,
        "seed": seed,
        "progress": progress,
    }
    linear, network = linear_and_network(
        learned, validation=validation or None, checkpoint=checkpoint, **options
    )
    models = {"linear": linear, "network": network}
    forecasts = {
        name: [
            model.forecast(_with_drive_before(model, whole, one, inputs), one)
            for whole, one in zip(recordings, held_out, strict=True)
        ]
        for name, model in models.items()
    }
    scores = {
        name: _score(held_out, runs, output, inputs, _started(models[name]))
        for name, runs in forecasts.items()
    }
    return Study(
        output,
        tuple(inputs),
        learned,
        held_out,
        validation,
        seen,
        models,
        forecasts,
        scores,
        _beyond(models["network"], held_out, inputs),
    )


def _split(recording: xr.Dataset, train: tuple[float, float]) -> tuple[xr.Dataset, xr.Dataset]:
    """Return what is learned from and what is held out."""
    count = recording.sizes["time"]
    fractions = max(train) <= 1
    first, stop = (round(one * count) if fractions else int(one) for one in train)
    if not 0 <= first < stop <= count:
        raise InputError(
            f"train = {train[0]:g}:{train[1]:g} must be two fractions of a recording or two of its "
            f"{count} samples, the first the smaller."
        )
    rest = slice(stop, None) if count - stop >= first else slice(0, first)
    held_out = recording.isel(time=rest)
    if held_out.sizes["time"] < _FEWEST_HELD_OUT:
        raise InputError(
            f"train = {train[0]:g}:{train[1]:g} leaves {held_out.sizes['time']} samples to test "
            f"on; at least {_FEWEST_HELD_OUT} are needed."
        )
    return recording.isel(time=slice(first, stop)), held_out


def _started(model: LatentODE) -> int:
    """Return how many first samples a forecast's start is fitted to."""
    return model.start_samples + max(model.dead_times, default=0)


def _with_drive_before(
    model: LatentODE, recording: xr.Dataset, held_out: xr.Dataset, inputs: Sequence[str]
) -> xr.Dataset:
    """Return the inputs of a held-out stretch and, as far as they act late, of what came before."""
    first = int(np.searchsorted(recording.time.values, held_out.time.values[0]))
    late = min(max(model.dead_times, default=0), first)
    stretch = slice(first - late, first + held_out.sizes["time"])
    return recording[list(inputs)].isel(time=stretch)


def _score(held_out, runs, output, inputs, started) -> Score:
    """Compare forecasts with what was measured, after the samples that they were started from."""
    started = min(started, *(one.sizes["time"] // 2 for one in held_out))
    left, truth, drives = [], [], []
    for measured, run in zip(held_out, runs, strict=True):
        count = min(measured.sizes["time"], run.sizes["time"])
        part = slice(started, count)
        truth.append(measured[output].values[part])
        left.append(truth[-1] - run[output].values[part])
        drives.append(np.stack([measured[name].values[part] for name in inputs]))
    error, signal, driven = np.concatenate(left), np.concatenate(truth), np.hstack(drives)
    rmse = float(np.sqrt(np.nanmean(error**2))) if np.isfinite(error).any() else float("inf")
    longest = min(50, len(error) // 10)
    return Score(rmse, rmse / float(np.nanstd(signal)), residual_test(error, driven, longest))


def _beyond(model: LatentODE, held_out, inputs) -> dict[str, float]:
    """Return how often each input leaves the range it was trained in."""
    parts = {}
    for name in inputs:
        low, high = model.trained_range[name]
        values = np.concatenate([one[name].values for one in held_out])
        parts[name] = float(np.mean((values < low) | (values > high)))
    return parts
