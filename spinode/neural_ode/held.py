"""A forecast under held values, as a function that torch can differentiate.

The compiled forecast, with the derivative of all its samples by every value that drives it: what
a search for better inputs needs, and what `spinode.neural_ode.training` has for the weights.
"""

from __future__ import annotations

from numbers import Integral

import numpy as np
import torch

from spinode.errors import InputError, SpinodeError
from spinode.neural_ode import _input_derivatives, _kernels
from spinode.neural_ode.model import SpinODE


class LeftRange(SpinodeError):
    """A forecast left the range of the output that its model was trained in."""


def held_forecast(model: SpinODE, values: torch.Tensor, every: int) -> torch.Tensor:
    """Forecast from rest under a sequence of held values, with its derivative by them.

    Parameters
    ----------
    model : SpinODE
        With one input, and weights in float64.
    values : Tensor, shape (holds,)
        Normalized as the model's input, float64.
    every : int
        Samples of the model for which each value is held.

    Returns
    -------
    Tensor, shape (holds * every + 1,)
        The output at every sample, normalized, from the one at which the first value sets in.

    Raises
    ------
    InputError
        If the model has more than one input or other weights, or the values are not a sequence of
        finite numbers that lasts for at least ``k`` samples.
    LeftRange
        If the output leaves the trained range by more than half its width, as `forecast` stops.
    """
    if len(model.inputs) != 1 or next(model.parameters()).dtype != torch.float64:
        raise InputError(
            f"held values drive a model of one input in float64, not one of {len(model.inputs)} in "
            f"{next(model.parameters()).dtype}."
        )
    if not (isinstance(every, Integral) and every >= 1):
        raise InputError(f"every must be a whole number of at least 1, not {every!r}.")
    if values.ndim != 1 or not torch.isfinite(values).all() or len(values) * every < model.k:
        raise InputError(
            f"held values must be at least {model.k} samples long and finite; there are "
            f"{tuple(values.shape)} values, each for {every}."
        )
    return _Held.apply(values.double(), model, int(every))


class _Held(torch.autograd.Function):
    """The forecast, and its derivative by the values."""

    @staticmethod
    def forward(ctx, values, model, every):
        held = values.detach().numpy()
        stages = np.append(np.repeat(held, 3 * every), held[-1])[:, None]
        states = np.zeros((held.size * every - model.k + 2, model.k))
        weights = _kernels.pack(model.f.parameters())
        network = _kernels.padded(_kernels.unpack(weights, model), np.float64)
        low, high = model.bounds
        taken = _input_derivatives.trace(network, model.step, states, stages, low, high)
        if taken < len(states) - 1:
            raise LeftRange(
                f"the forecast of {model.output.name} left the range the model was trained in "
                f"after {taken * model.sample_spacing:.6g} s; drive it less hard."
            )
        ctx.kept = network, model.step, states, stages, every
        return torch.from_numpy(np.append(states[:-1, 0], states[-1]))

    @staticmethod
    def backward(ctx, by_output):
        network, step, states, stages, every = ctx.kept
        by_stages = np.zeros_like(stages)
        _input_derivatives.input_gradient(
            network, step, states, stages, by_output.double().contiguous().numpy(), by_stages
        )
        by_values = by_stages[:-1].reshape(-1, 3 * every).sum(axis=1)
        by_values[-1] += by_stages[-1, 0]
        return torch.from_numpy(by_values), None, None
