"""Other ways to forecast a driven signal, for comparison with the Spin-Neural ODE.

Each learns from the training stretch of a trajectory and then forecasts freely, from the start of
that stretch to the end of the trajectory, given the inputs and its own outputs alone. All work on
samples: unlike a neural ODE they know the inputs only there.
"""

from __future__ import annotations

from contextlib import contextmanager

import numpy as np
import torch
import xarray as xr
from scipy.linalg import lstsq
from torch import nn
from tqdm import tqdm

from spinode.errors import InputError, extra
from spinode.neural_ode.model import SpinODE


def linear_arx(
    model: SpinODE, trajectory: xr.Dataset, train: tuple[int, int], *, order: int = 20
) -> xr.Dataset:
    """Forecast by linear autoregression on the last outputs and inputs (ARX), by least squares.

    Parameters
    ----------
    model : SpinODE
        Names the output and the inputs and normalizes them; it is not evaluated.
    trajectory : Dataset
        Evenly spaced samples of the output and the inputs.
    train : (int, int)
        First sample of the training stretch, and the one after its last.
    order : int
        Number of past outputs, and of past inputs, that enter.

    Returns
    -------
    Dataset
        The output (SI) over ``time``, from the start of training on; its first ``order`` samples
        are the trajectory's own.

    Raises
    ------
    InputError
        If the training stretch does not lie in the trajectory or is too short.
    """
    signal, inputs = _columns(model, trajectory, train, 2 * order)
    length = train[1] - train[0]

    def features(past, driven):
        return np.concatenate((past[-order:], driven[-order:].ravel(), [1.0]))

    rows = [features(signal[: n + 1], inputs[: n + 2]) for n in range(order - 1, length - 1)]
    weights, *_ = lstsq(np.array(rows), signal[order:length])
    ours = np.empty_like(signal)
    ours[:order] = signal[:order]
    for n in range(order - 1, len(signal) - 1):
        ours[n + 1] = features(ours[: n + 1], inputs[: n + 2]) @ weights
        if not abs(ours[n + 1]) < _BOUND:
            ours[n + 1 :] = np.nan
            break
    return _dataset(model, trajectory, train, ours)


def nvar(
    model: SpinODE,
    trajectory: xr.Dataset,
    train: tuple[int, int],
    *,
    delays: int = 5,
    strides: int = 4,
    order: int = 2,
    ridge: float = 1e-3,
) -> xr.Dataset:
    """Forecast by next-generation reservoir computing (reservoirpy's NVAR node).

    Polynomials of delayed outputs and inputs give, by ridge regression, the change of the output
    to the next sample (Gauthier et al., Nat. Commun. 12, 5564, 2021).

    Parameters
    ----------
    model, trajectory, train
        As for `linear_arx`.
    delays, strides : int
        Number of delays, and samples from one to the next.
    order : int
        Degree of the polynomials.
    ridge : float
        Penalty, relative to the number of training samples. Much smaller ones let the free
        forecast of the skyrmion blow up.

    Returns
    -------
    Dataset
        As of `linear_arx`.
    """
    signal, inputs = _columns(model, trajectory, train, 2 * delays * strides)
    length, warm = train[1] - train[0], delays * strides
    node = reservoirpy_nodes().NVAR(delay=delays, strides=strides, order=order)
    both = np.column_stack((signal[:-1], inputs[1:]))  # the next input is known already
    features = np.column_stack((node.run(both[: length - 1]), np.ones(length - 1)))[warm:]
    change = np.diff(signal[:length])[warm:]
    squares = features.T @ features + ridge * len(features) * np.eye(features.shape[1])
    weights = np.linalg.solve(squares, features.T @ change)
    node.reset()
    node.run(both[:warm])
    ours = np.empty_like(signal)
    ours[: warm + 1] = signal[: warm + 1]
    for n in range(warm, len(signal) - 1):
        row = node.step(np.concatenate(([ours[n]], inputs[n + 1])))
        ours[n + 1] = ours[n] + np.append(row, 1.0) @ weights
        if not abs(ours[n + 1]) < _BOUND:
            ours[n + 1 :] = np.nan
            break
    return _dataset(model, trajectory, train, ours)


def gru(
    model: SpinODE,
    trajectory: xr.Dataset,
    train: tuple[int, int],
    *,
    width: int = 30,
    iterations: int = 1500,
    batch: int = 50,
    window: int = 300,
    learning_rate: float = 1e-2,
    seed: int = 0,
    progress: bool = True,
) -> xr.Dataset:
    """Forecast by a gated recurrent network driven by the inputs.

    At width 30 it has as many weights as the paper's neural ODE. Its memory fills from the inputs
    alone, so that the first third of every training window does not count.

    Parameters
    ----------
    model, trajectory, train
        As for `linear_arx`.
    width : int
        Hidden units.
    iterations, batch, window : int
        Steps of Adam, windows in a batch, samples in a window.
    learning_rate : float
        Annealed to zero along half a cosine.
    seed : int
        Seed of weights and windows.
    progress : bool
        Show a progress bar.

    Returns
    -------
    Dataset
        As of `linear_arx`.
    """
    signal, inputs = _columns(model, trajectory, train, window)
    length, skipped = train[1] - train[0], window // 3
    generator = np.random.default_rng(seed)
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        recurrent, readout = nn.GRU(inputs.shape[1], width, batch_first=True), nn.Linear(width, 1)
    optimizer = torch.optim.Adam([*recurrent.parameters(), *readout.parameters()], learning_rate)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, iterations)
    truth = torch.as_tensor(signal, dtype=torch.float32)
    driven = torch.as_tensor(inputs, dtype=torch.float32)
    with _one_thread():
        for _ in tqdm(range(iterations), desc="GRU", disable=not progress):
            starts = generator.integers(length - window + 1, size=batch)
            index = torch.as_tensor(starts[:, None] + np.arange(window))
            optimizer.zero_grad()
            outputs = readout(recurrent(driven[index])[0])[..., 0]
            nn.functional.mse_loss(outputs[:, skipped:], truth[index][:, skipped:]).backward()
            optimizer.step()
            schedule.step()
    with torch.no_grad():
        ours = readout(recurrent(driven[None])[0])[0, :, 0].double().numpy()
    return _dataset(model, trajectory, train, ours)


@contextmanager
def _one_thread():
    """Keep PyTorch to one thread: for so small a network others only wait, on a busy machine long.

    Measured with two busy cores: 22 s an iteration of two threads, 0.06 s of one.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


# Normalized outputs beyond this are a forecast that has blown up.
_BOUND = 1e3


def _columns(model, trajectory, train, shortest) -> tuple[np.ndarray, np.ndarray]:
    """Return the normalized output and inputs from the start of training on."""
    first, stop = train
    if first < 0 or not first + shortest <= stop <= trajectory.sizes["time"]:
        raise InputError(
            f"train = ({first}, {stop}) must lie within the {trajectory.sizes['time']} samples "
            f"of the trajectory and span at least {shortest} of them."
        )
    rest = trajectory.isel(time=slice(first, None))
    inputs = np.stack([rest[channel.name].values for channel in model.inputs], axis=-1)
    signal = model.output.normalize(rest[model.output.name].values.astype(float))
    return signal, model.normalize_inputs(inputs)


def _dataset(model, trajectory, train, ours) -> xr.Dataset:
    """Return a forecast as a trajectory in SI units."""
    rest = trajectory[[model.output.name]].isel(time=slice(train[0], None))
    return rest.assign({model.output.name: ("time", model.output.restore(ours))})


def reservoirpy_nodes():
    """Return reservoirpy's module of nodes, which takes seconds to import.

    Raises
    ------
    InputError
        If the package is not here: only baselines need it.
    """
    return extra("baselines", "reservoirpy.nodes", "this baseline")
