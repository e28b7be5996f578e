"""Learn the law of motion of a device: one function for both forms of the Spin-Neural ODE.

The paper's state is the delayed output, and its network learns from short windows that begin at
samples (`training`). A state of its own is whatever explains the samples, so that it can learn from
noisy ones (`identification`). Both are fitted with the same call and forecast with the same call.
"""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from pathlib import Path

import xarray as xr

from spinode.errors import InputError
from spinode.neural_ode.checkpoint import Checkpoint
from spinode.neural_ode.identification import fit_latent
from spinode.neural_ode.latent import LatentODE
from spinode.neural_ode.model import SpinODE
from spinode.neural_ode.training import fit_delays


def fit(
    model: SpinODE | LatentODE,
    trajectory: xr.Dataset | Sequence[xr.Dataset],
    *,
    seed: int = 0,
    checkpoint: str | Path | Checkpoint | None = None,
    progress: bool = True,
    **options,
) -> xr.Dataset:
    """Train ``model`` on ``trajectory``, in place.

    Parameters
    ----------
    model : SpinODE or LatentODE
        From `SpinODE.for_data`, or made by hand.
    trajectory : Dataset, or sequence of them
        Evenly spaced samples of the model's output and inputs; several experiments are a sequence,
        or a Dataset with a dimension ``run``.
    seed : int
        Random seed.
    checkpoint : path, optional
        File that receives the state of the training. If it exists, the training goes on from
        there. It is removed at the end.
    progress : bool
        Show a progress bar.
    **options
        ``inputs``, ``interpolation`` and ``train`` for either form. Of a state of delayed outputs
        those of `training.fit_delays` (``validation``, ``iterations``, ``lm_steps``, ...), of a
        state of its own those of `identification.fit_latent` (``states="auto"``,
        ``width="auto"``, ``ridge="auto"``, ``steps``).

    Returns
    -------
    Dataset
        How the error fell: over ``iteration`` for delayed outputs, over the ``candidate`` models
        that were tried for a state of its own.

    Raises
    ------
    InputError
        If data, model and options do not fit together.
    TrainingDiverged
        If the loss of delayed outputs becomes infinite or very large.
    """
    forms = {SpinODE: fit_delays, LatentODE: fit_latent}
    form = forms[SpinODE if isinstance(model, SpinODE) else LatentODE]
    known = inspect.signature(form).parameters
    for name in options:
        if name in known:
            continue
        if any(name in inspect.signature(one).parameters for one in forms.values()):
            other = "of its own" if form is fit_delays else "of delayed outputs"
            raise InputError(
                f"{name} is an option for a model with a state {other}; leave it out here."
            )
        raise InputError(f"fit has no option {name!r}; there are {', '.join([*known][2:])}.")
    return form(model, trajectory, seed=seed, checkpoint=checkpoint, progress=progress, **options)
