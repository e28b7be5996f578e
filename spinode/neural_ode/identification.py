"""Learn a driven device from a short noisy record: `identify`.

From the best linear model (`linear`) by Levenberg-Marquardt over windows (`variable_projection`)
to a latent Spin-Neural ODE (`latent`), its size and ridge chosen on held-out pieces of the records
(`choice`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr
from threadpoolctl import threadpool_limits

from spinode.devices.drives import Drive
from spinode.errors import InputError
from spinode.neural_ode import for_data
from spinode.neural_ode import records as recordings
from spinode.neural_ode.choice import Choice
from spinode.neural_ode.dead_time import dead_times
from spinode.neural_ode.latent import LatentODE
from spinode.neural_ode.measured import in_units_of, measured
from spinode.neural_ode.pilots import Candidate
from spinode.neural_ode.records import Record
from spinode.neural_ode.stages import INTERPOLATIONS, one_drive_each
from spinode.neural_ode.variable_projection import Window
from spinode.trajectory import as_list

#: Most Levenberg-Marquardt steps of the last training; the held-out pieces end most sooner.
STEPS = 400


def identify(
    records: Record | Sequence[Record],
    *,
    output: str,
    inputs: str | Sequence[str],
    validation: Record | Sequence[Record] | None = None,
    states: int | str = "auto",
    width: int | str = "auto",
    ridge: float | str = "auto",
    interpolation: str = "auto",
    steps: int = STEPS,
    starts: int = 1,
    seed: int = 0,
    checkpoint: str | Path | None = None,
    progress: bool = True,
) -> LatentODE:
    """Learn a latent Spin-Neural ODE from measured records, in one call.

    Whatever is left at ``"auto"`` is chosen by free simulation of pieces of the records that were
    held out of the fit, or of other records. Scales, time scale and burn-in come from the data.

    Parameters
    ----------
    records : Dataset, (Dataset, Drive), or sequence of them
        Evenly spaced samples over ``time`` (s), all with the same spacing. A dimension ``run``
        counts as several records. NaN in the output is a missing sample. With a drive, the inputs
        are known at any time, and nothing is interpolated between their samples.
    output : str
        Variable of the measured output.
    inputs : str or sequence of str
        Variables that drive the device.
    validation : as records, optional
        Records that choose, and end the training, instead of held-out pieces: all of the records
        is then learned from. Let them hold what forecasts should be good at.
    states : int or "auto"
        Length of the state.
    width : int or "auto"
        Neurons of the hidden layer; 0 for a linear model. Every other one grows
        (`spinode.neural_ode.state_space.neurons`). At "auto" saturating ones are taken instead
        where they do better, or where the model that grows is not bounded.
    ridge : float or "auto"
        What the squares of the weights out of the neurons add to the mean squared error of the
        normalized output.
    interpolation : {"auto", "held", "linear", "cubic"}
        How the inputs are interpolated between their samples.
    steps : int
        Most Levenberg-Marquardt steps of the last training, on windows of 1000 samples (and as
        many on each of two longer ones, if the model has an integral).
    starts : int
        How many last trainings there are, each from other weights into the neurons; the one that
        does best on what was held out is kept. Records of up to 4000 samples start five times.
    seed : int
        Random seed, of the weights into the neurons.
    checkpoint : path, optional
        File that receives the state of the training. If it exists, the training goes on from it;
        if spinode's code has changed since, it starts again, with a `CheckpointWarning`. It is
        removed at the end.
    progress : bool
        Show a progress bar.

    Returns
    -------
    LatentODE
        With ``forecast(inputs, first_samples)``, ``save`` and ``load``; its ``choices`` say what
        was tried.

    Raises
    ------
    InputError
        If the records cannot be learned from, or an option makes no sense.

    Examples
    --------
    >>> model = identify(recording, output="voltage", inputs="drive")  # doctest: +SKIP
    >>> run = model.forecast(new_drive, first_samples=recording_there)  # doctest: +SKIP
    """
    options = {"states": states, "width": width, "ridge": ridge, "interpolation": interpolation}
    with threadpool_limits(1, "blas"):
        model, choice = _search(
            records, output, inputs, options, seed, steps, checkpoint, progress, validation, starts
        )
        learned = choice.finish(model)
    choice.end()
    return learned


def fit_latent(
    model: LatentODE,
    trajectory: xr.Dataset | Sequence[xr.Dataset],
    *,
    inputs: Drive | Sequence[Drive] | None = None,
    interpolation: str | None = None,
    train: tuple[int, int] | None = None,
    states: int | str = "auto",
    width: int | str = "auto",
    ridge: float | str = "auto",
    steps: int = STEPS,
    seed: int = 0,
    checkpoint: str | Path | None = None,
    progress: bool = True,
) -> xr.Dataset:
    """Train a model with a state of its own, in place; `spinode.fit` calls it.

    Parameters
    ----------
    model : LatentODE
        Names output and inputs and their units; everything else is found.
    trajectory : Dataset, or sequence of them
    inputs : Drive, or a sequence of them, optional
        The inputs as functions of time, where the trajectory has no columns of them.
    interpolation : {"held", "linear", "cubic"}, optional
        By default it is chosen.
    train : (int, int), optional
        First sample to learn from, and the one after the last; by default all.
    states, width, ridge, steps, seed, checkpoint, progress
        As of `identify`.

    Returns
    -------
    Dataset
        Over ``candidate``: ``states``, ``width``, ``ridge``, ``interpolation``, the held-out
        ``error`` and ``typical`` error of it (normalized), and whether it was ``chosen``.
    """
    records = [in_units_of(model, one, model.output.name) for one in as_list(trajectory)]
    names = [channel.name for channel in model.inputs]
    if train is not None:
        first, stop = train
        records = [one.isel(time=slice(first, stop)) for one in records]
    if inputs is not None:
        records = list(zip(records, one_drive_each(inputs, len(records)), strict=True))
    learned = identify(
        records, output=model.output.name, inputs=names, states=states, width=width, ridge=ridge,
        interpolation=interpolation or "auto", steps=steps, seed=seed, checkpoint=checkpoint,
        progress=progress,
    )  # fmt: skip
    vars(model).update(vars(learned))
    return pd.DataFrame(learned.choices).rename_axis("candidate").to_xarray()


def linear_and_network(
    records: xr.Dataset | Sequence[xr.Dataset],
    *,
    output: str,
    inputs: str | Sequence[str],
    validation: Record | Sequence[Record] | None = None,
    states: int | str = "auto",
    interpolation: str = "auto",
    steps: int = STEPS,
    seed: int = 0,
    checkpoint: str | Path | None = None,
    progress: bool = True,
) -> tuple[LatentODE, LatentODE]:
    """Learn the best linear model and the best network, in one search.

    The network's search begins with that of the linear model. Parameters as in `identify`.

    Returns
    -------
    linear, network : LatentODE
    """
    options = {"states": states, "width": "auto", "ridge": "auto", "interpolation": interpolation}
    with threadpool_limits(1, "blas"):
        model, choice = _search(
            records, output, inputs, options, seed, steps, checkpoint, progress, validation
        )
        learned = choice.finish(model, choice.linear), choice.finish(model)
    choice.end()
    return learned


def _search(
    records, output, inputs, options, seed, steps, checkpoint, progress, validation=None, starts=1
) -> tuple[LatentODE, Choice]:
    """Return a model without weights, and what was found for it."""
    inputs = [inputs] if isinstance(inputs, str) else list(inputs)
    states, width = options["states"], options["width"]
    ridge, interpolation = options["ridge"], options["interpolation"]
    _check("states", states, 1)
    _check("width", width, 0)
    if not _is_whole(starts, 1):
        raise InputError(f"starts must be a whole number from 1, not {starts!r}.")
    if ridge != "auto" and not (isinstance(ridge, int | float) and ridge >= 0):
        raise InputError(f"ridge must be 'auto' or a number of at least 0, not {ridge!r}.")
    if interpolation not in ("auto", *INTERPOLATIONS):
        raise InputError(
            f"interpolation must be one of auto, {', '.join(INTERPOLATIONS)}, "
            f"not {interpolation!r}."
        )
    data, drives = recordings.with_drives(records, inputs)
    model, data = for_data.latent(data, output, inputs)
    if interpolation == "auto":
        held = all(recordings.is_held(one, name) for one in data for name in inputs)
        known = None not in drives  # at any time: nothing is interpolated but a forecast's inputs
        interpolation = "held" if held else "cubic" if known else None
    wanted = Candidate(
        states=None if states == "auto" else states,
        width=None if width == "auto" else width,
        ridge=None if ridge == "auto" else float(ridge),
        interpolation=interpolation,
    )
    plain = _windows(model, data, drives)("held")
    model = replace(model, dead_times=dead_times(plain))
    choice = Choice(
        _windows(model, data, drives),
        wanted,
        validation=None if validation is None else _validation(model, validation),
        seed=seed,
        steps=steps,
        starts=starts,
        checkpoint=checkpoint,
        progress=progress,
    )
    choice.search()
    return model, choice


def _validation(model: LatentODE, given: Record | Sequence[Record]) -> Callable:
    """Return what gives the records to choose by, for an interpolation."""
    names = [channel.name for channel in model.inputs]
    data, drives = recordings.with_drives(given, names)
    data = [measured(model, one, "a record of validation") for one in data]
    recordings.check(data, model.output.name, names)
    return _windows(model, data, drives)


def _windows(
    model: LatentODE, data: list[xr.Dataset], drives: list[Drive | None]
) -> Callable[[str], list[Window]]:
    """Return what gives records as the model sees them, for an interpolation."""
    pairs = list(zip(data, drives, strict=True))
    return lambda how: [recordings.window(model, one, how, drive) for one, drive in pairs]


def _check(name: str, value, least: int) -> None:
    if value != "auto" and not _is_whole(value, least):
        raise InputError(f"{name} must be 'auto' or a whole number from {least}, not {value!r}.")


def _is_whole(value, least: int) -> bool:
    return isinstance(value, int | np.integer) and not isinstance(value, bool) and value >= least
