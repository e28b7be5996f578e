"""The gradient that Adam descends: that of the error of forecasts over short windows.

By compiled loops on the CPU, by PyTorch on either, or by torchdiffeq's adjoint method.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch

from spinode.errors import InputError
from spinode.neural_ode import _derivatives, _kernels
from spinode.neural_ode._solver import THIRDS, delayed_inputs, torch_step
from spinode.neural_ode.model import SpinODE
from spinode.neural_ode.stretch import Stretch
from spinode.trajectory import windows

GRADIENTS = ("fused", "autograd", "adjoint")
# Windows that one thread takes at a time: their activations just fill a core's cache.
_PART = 25
# Products in a batch through the middle layer above which a GPU is the faster (docs/training.md):
# below, it waits for its launches, and a core's cache holds everything.
_GPU_GAINS = 2_000_000


def place(device: str, gradient: str | None, work: int) -> tuple[torch.device, str]:
    """Return where the gradient is computed, and how."""
    if gradient is not None and gradient not in GRADIENTS:
        raise InputError(f"gradient must be one of {', '.join(GRADIENTS)}, not {gradient!r}.")
    if device == "auto":
        gains = torch.cuda.is_available() and (work >= _GPU_GAINS or gradient is not None)
        device = "cuda" if gains and gradient != "fused" else "cpu"
    try:
        where = torch.device(device)
    except RuntimeError:
        raise InputError(
            f"PyTorch has no device {device!r}; use 'auto', 'cpu' or 'cuda'."
        ) from None
    if where.type == "cuda" and (where.index or 0) >= torch.cuda.device_count():
        raise InputError(
            f"device is {device} but PyTorch sees no such CUDA device; use 'auto' or 'cpu'."
        )
    if gradient is None:
        gradient = "fused" if where.type == "cpu" else "autograd"
    if gradient == "fused" and where.type != "cpu":
        raise InputError(f"gradient 'fused' is for the CPU; with device {device} use 'autograd'.")
    return where, gradient


def gradient_of(
    model: SpinODE, stretch: Stretch, gradient: str, device: torch.device
) -> Callable[[np.ndarray, np.ndarray, int], tuple[float, np.ndarray]]:
    """Return a function of (weights, starts, window) that gives the loss and its gradient."""
    if gradient == "fused":
        return fused(model, stretch)
    return by_torch(model, stretch, gradient, device)


def fused(model: SpinODE, stretch: Stretch, dtype=np.float32) -> Callable:
    """Back-propagate in compiled loops, parts of the batch side by side in threads."""
    states, stages = stretch.states.astype(dtype), stretch.stages.astype(dtype)
    step = dtype(model.step)
    pool = ThreadPoolExecutor(torch.get_num_threads())

    def part(network, size, starts, window):
        slope = np.zeros(size, dtype)
        total = _derivatives.window_gradient(
            network, step, states, stages, starts, window, _kernels.unpack(slope, model)
        )
        return total, slope

    def loss_and_gradient(weights, starts, window):
        network = _kernels.unpack(weights.astype(dtype), model)
        # The parts do not depend on the number of threads, so neither does the sum.
        parts = [starts[i : i + _PART] for i in range(0, len(starts), _PART)]
        done = list(pool.map(lambda some: part(network, weights.size, some, window), parts))
        scale = 1 / (len(starts) * window * model.k)
        loss = scale * sum(total for total, _ in done)
        return loss, scale * sum(slope.astype(float) for _, slope in done)

    return loss_and_gradient


def by_torch(model: SpinODE, stretch: Stretch, gradient: str, device: torch.device) -> Callable:
    """Back-propagate by PyTorch, or integrate the adjoint equation by torchdiffeq."""
    model = copy.deepcopy(model).to(device)
    parameters = tuple(model.parameters())
    dtype = parameters[0].dtype
    k, step = model.k, model.step
    delayed = delayed_inputs(stretch.stages, k)
    delayed = torch.as_tensor(delayed, dtype=dtype, device=device)

    def slope(state, row):
        return model(state, delayed[row])

    def compute(truth, first):
        window = len(truth) - 1
        if gradient == "adjoint":
            ours = _adjoint_solve(slope, first, truth[0], window, step, parameters)
        else:
            ours = _solve(slope, first, truth[0], window, step)
        loss = torch.mean((ours[1:] - truth[1:]) ** 2)
        return loss.detach(), *torch.autograd.grad(loss, parameters)

    if device.type == "cuda" and gradient == "autograd":
        compute = _recorded(compute)

    def loss_and_gradient(weights, starts, window):
        _kernels.store(model, weights)
        truth = windows(stretch.states, starts, window)
        truth = torch.as_tensor(truth, dtype=dtype, device=device).movedim(1, 0)
        loss, *slopes = compute(truth, torch.as_tensor(3 * starts, device=device))
        return loss.item(), _kernels.pack(slopes)

    return loss_and_gradient


def _recorded(compute: Callable) -> Callable:
    """Have a GPU repeat a computation as one CUDA graph instead of thousands of launches.

    ``compute`` takes and returns tensors. What it reads besides may change in value, but not in
    place or shape.
    """
    graphs = {}

    def record(values):
        given = [value.clone() for value in values]
        graph, stream = torch.cuda.CUDAGraph(), torch.cuda.Stream()
        # Libraries set themselves up at a first call, which a graph cannot record.
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            compute(*given)
        torch.cuda.current_stream().wait_stream(stream)
        with torch.cuda.graph(graph):
            results = compute(*given)
        return given, graph, results

    def replay(*values):
        shapes = tuple(value.shape for value in values)
        with torch.cuda.device(values[0].device):
            if shapes not in graphs:
                graphs[shapes] = record(values)
            given, graph, results = graphs[shapes]
            for mine, value in zip(given, values, strict=True):
                mine.copy_(value)
            graph.replay()
            return results

    return replay


def _solve(slope, row, state, window, step):
    """Integrate; ``row`` is each window's first row of inputs."""
    states = [state]
    for n in range(window):
        at = row + 3 * n
        state = torch_step(lambda stage, y, at=at: slope(y, at + THIRDS[stage]), state, step)
        states.append(state)
    return torch.stack(states)


def _adjoint_solve(slope, row, state, window, step, parameters):
    """Integrate by torchdiffeq, whose adjoint method gives the gradient."""
    import torchdiffeq  # half a second, for scipy.integrate, that other gradients do not need

    thirds = torch.arange(window + 1, dtype=state.dtype, device=state.device) * 3

    def at(time, y):
        # Time counted in thirds of a sample is a whole number at every stage.
        return slope(y, row + round(time.item())) * (step / 3)

    return torchdiffeq.odeint_adjoint(
        at, state, thirds, method="rk4", adjoint_params=tuple(parameters)
    )
