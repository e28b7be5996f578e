"""The paper's way of forecasting, by torchdiffeq: the yardstick for our own `forecast`."""

from __future__ import annotations

import numpy as np
import torch
import xarray as xr

from spinode.neural_ode.model import SpinODE
from spinode.neural_ode.stages import Drive, StageInputs
from spinode.trajectory import label


def torchdiffeq_forecast(
    model: SpinODE,
    inputs: Drive | xr.Dataset,
    *,
    initial: np.ndarray,
    steps: int,
) -> xr.Dataset:
    """Forecast with ``torchdiffeq.odeint(..., method="rk4")``, as the authors' scripts do.

    Time is carried along as a last component of the state, and every delay of the input is a
    function of it: here a look-up in samples at every stage of the solver.

    Parameters
    ----------
    model : SpinODE
    inputs : Drive or Dataset
        As for `spinode.forecast.forecast`.
    initial : array, shape (k,)
        First k samples of the output (SI).
    steps : int
        Solver steps, one a sample.

    Returns
    -------
    Dataset
        The output over ``time`` (s), ``steps + 1`` samples.
    """
    import torchdiffeq

    k = model.k
    dtype = next(model.parameters()).dtype
    source = StageInputs(model, inputs)
    values = model.normalize_inputs(source.between(0, steps + k - 1))
    thirds = torch.as_tensor(values, dtype=dtype)

    def driven(time):
        return thirds[torch.round(time * (3 / model.step)).long()]

    def slope(_, state):
        time = state[-1:]
        delays = torch.cat([driven(time + j * model.step) for j in range(k)])
        return torch.cat((model(state[:-1], delays.T.reshape(-1)), torch.ones_like(time)))

    first = np.append(model.output.normalize(np.asarray(initial, float)), 0.0)
    state = torch.as_tensor(first, dtype=dtype)
    times = torch.arange(steps + 1, dtype=torch.float64) * model.step
    with torch.no_grad():
        states = torchdiffeq.odeint(slope, state, times, method="rk4")
    output = model.output.restore(states[:, 0].numpy().astype(float))
    return label(
        xr.Dataset(
            {model.output.name: ("time", output)},
            {"time": model.sample_spacing * np.arange(steps + 1)},
            {"source": "torchdiffeq"},
        )
    )
