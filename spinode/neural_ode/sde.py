"""A neural SDE: a Spin-Neural ODE for what a noisy device does, and a network for how noisy it is.

A device with noise of its own is a stochastic differential equation. Seen once a sample, and k
samples back, it is a random recursion for the newest sample m(t + k d):

    m(t + k d) = F(y, e) + s(y, e) xi,    y = (m(t), ..., m(t + (k - 1) d)),

with F the last component of one solver step of the Spin-Neural ODE (the drift), s > 0 a small
network (the diffusion) and xi standard normal. Only the newest sample is new: the others move up
one place as they are, noise included. Noise on all k delayed outputs would give one moment several
values. So the likelihood of a recording is the product of its one-step densities, and what is
simulated is exactly what was fitted.

The noise comes in over a whole sample and in part relaxes again before it is seen, so that s
depends on the spacing d. `strength` allows for it: it is that of the white noise, in units of the
output per root second.

References
----------
X. Li et al., AISTATS 2020 (neural SDEs); L. Manneschi et al., Nat. Commun. 16, 9192 (2025) (those
of noisy nanomagnetic devices).
"""

from __future__ import annotations

from copy import deepcopy
from pathlib import Path

import numpy as np
import torch
import xarray as xr
from numba import njit
from threadpoolctl import threadpool_limits
from torch import nn
from tqdm import tqdm

from spinode.errors import InputError
from spinode.neural_ode import _kernels, _solver, model_file
from spinode.neural_ode.measured import in_units_of, measured
from spinode.neural_ode.model import SpinODE
from spinode.neural_ode.noise import expectations, kick_variance, one_step, transitions
from spinode.neural_ode.stages import StageInputs
from spinode.trajectory import label

_FORMAT = "spinode diffusion 2"
_CHUNK = 200_000  # steps between two looks at the inputs: some 30 MB


class NeuralSDE(nn.Module):
    """A Spin-Neural ODE with state-dependent noise.

    Parameters
    ----------
    drift : SpinODE
        Trained model; copied, as `fit` goes on to train it.
    width : int
        Neurons in each of the two hidden layers of the diffusion network.
    seed : int
        Seed of its initial weights.

    Attributes
    ----------
    drift : SpinODE
        Only the last of its slopes is used, as the delayed outputs are known. Do not forecast
        with it; use `sample_path` without noise.
    diffusion : torch.nn.Sequential
        Linear, tanh, Linear, tanh, Linear: from the state, its inputs, and the newest inputs one
        sample later, to the logarithm of s, normalized. Neurons of tanh keep it within bounds.
    """

    def __init__(self, drift: SpinODE, *, width: int = 16, seed: int = 0):
        super().__init__()
        self.drift = deepcopy(drift)
        columns = drift.k * (1 + len(drift.inputs)) + len(drift.inputs)
        dtype = next(drift.parameters()).dtype
        self.diffusion = nn.Sequential(
            nn.Linear(columns, width, dtype=dtype),
            nn.Tanh(),
            nn.Linear(width, width, dtype=dtype),
            nn.Tanh(),
            nn.Linear(width, 1, dtype=dtype),
        )
        generator = torch.Generator().manual_seed(seed)
        with torch.no_grad():
            for parameter in self.diffusion.parameters():
                parameter.normal_(0.0, 0.1, generator=generator)

    def forward(
        self, states: torch.Tensor, driven: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return mean and logarithm of the standard deviation of the next sample, normalized.

        Parameters
        ----------
        states, driven : Tensor
            As from `spinode.neural_ode.noise.transitions`.
        """
        mean = one_step(self.drift, states, driven)[:, -1]
        newest = driven[3][:, self.drift.k - 1 :: self.drift.k]
        seen = torch.cat((states, driven[0], newest), dim=-1)
        return mean, self.diffusion(seen)[:, 0]

    def save(self, folder: str | Path) -> Path:
        """Write ``drift.pt`` and ``diffusion.pt`` into ``folder``."""
        folder = Path(folder)
        self.drift.save(folder / "drift.pt")
        weights = {name: one.cpu().numpy() for name, one in self.diffusion.state_dict().items()}
        model_file.write(folder / "diffusion.pt", {"format": _FORMAT}, weights)
        return folder

    @classmethod
    def load(cls, folder: str | Path) -> NeuralSDE:
        """Read what `save` wrote.

        Raises
        ------
        InputError
            If it is not there, or the file holds something else.
        """
        drift = SpinODE.load(Path(folder) / "drift.pt")
        _, weights = model_file.read(Path(folder) / "diffusion.pt", _FORMAT)
        sde = cls(drift, width=len(weights["0.bias"]))
        tensors = {name: torch.as_tensor(one) for name, one in weights.items()}
        sde.diffusion.load_state_dict(tensors)
        return sde


def fit(
    sde: NeuralSDE,
    trajectory: xr.Dataset,
    *,
    iterations: int = 1500,
    batch: int = 1000,
    learning_rate: float = 2e-3,
    seed: int = 0,
    progress: bool = True,
) -> xr.Dataset:
    """Fit drift and diffusion to a recording, by maximum likelihood of its single steps.

    The diffusion network starts at one constant level, that of what the drift leaves unexplained.

    Parameters
    ----------
    sde : NeuralSDE
        Fitted in place.
    trajectory : Dataset
        Evenly spaced samples of the output and the inputs; inputs are linear in between.
    iterations, batch : int
        Steps of Adam, and single steps of the recording in each.
    learning_rate : float
        Annealed to zero along half a cosine.
    seed : int
        Seed of the choice of steps.
    progress : bool
        Show a progress bar.

    Returns
    -------
    Dataset
        ``log_likelihood`` (nats a sample, of the normalized output) of each batch, over
        ``iteration``.

    Raises
    ------
    InputError
        If the trajectory does not fit the model or holds NaN.
    """
    states, driven, last = transitions(sde.drift, trajectory)
    dtype = next(sde.parameters()).dtype
    unexplained = last - expectations(sde.drift, states, driven)[0]
    with torch.no_grad():
        sde.diffusion[-1].weight.zero_()
        sde.diffusion[-1].bias.fill_(float(np.log(unexplained.std())))
    states, driven, last = (torch.tensor(array, dtype=dtype) for array in (states, driven, last))
    generator = torch.Generator().manual_seed(seed)
    optimizer = torch.optim.Adam(sde.parameters(), lr=learning_rate)
    annealing = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, iterations)
    likelihood = np.empty(iterations)
    bar = tqdm(total=iterations, desc="noise", unit="it", disable=not progress)
    # Threads gain little on matrices of this size, and on a busy machine wait for one another.
    with threadpool_limits(1, "openmp"), bar:
        for iteration in range(iterations):
            rows = torch.randint(len(last), (batch,), generator=generator)
            mean, log_deviation = sde(states[rows], driven[:, rows])
            loss = -_log_density(last[rows], mean, log_deviation).mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            annealing.step()
            likelihood[iteration] = -loss.item()
            bar.update()
    return xr.Dataset(
        {"log_likelihood": ("iteration", likelihood)}, {"iteration": np.arange(iterations)}
    )


def _log_density(value, mean, log_deviation):
    """Return the logarithm of a normal density."""
    deviation = (value - mean) * torch.exp(-log_deviation)
    return -0.5 * deviation**2 - log_deviation - 0.5 * np.log(2 * np.pi)


def one_step_densities(sde: NeuralSDE, trajectory: xr.Dataset) -> xr.Dataset:
    """Return what the model expects of every sample of a recording, given the k before it.

    Parameters
    ----------
    sde : NeuralSDE
    trajectory : Dataset
        As for `fit`.

    Returns
    -------
    Dataset
        Over ``time``: ``mean`` and standard ``deviation`` of the sample, in units of the output;
        ``strength`` of the white noise, in units of the output per root second;
        ``log_likelihood`` of what was measured (nats, for a density per unit of the output).

    Raises
    ------
    InputError
        As for `fit`.
    """
    model = sde.drift
    trajectory = measured(model, trajectory)
    states, driven, last = transitions(model, trajectory)
    dtype = next(sde.parameters()).dtype
    inputs = (torch.tensor(array, dtype=dtype) for array in (states, driven))
    with torch.no_grad():
        mean, log_deviation = sde(*inputs)
        density = _log_density(torch.tensor(last, dtype=dtype), mean, log_deviation)
    _, memory, _ = expectations(model, states, driven)
    scale, units = model.output.scale, model.output.units
    deviation = scale * np.exp(log_deviation.numpy())
    strength = deviation / np.sqrt(kick_variance(memory, model.sample_spacing))
    return xr.Dataset(
        {
            "mean": ("time", model.output.restore(mean.numpy()), {"units": units}),
            "deviation": ("time", deviation, {"units": units}),
            "strength": ("time", strength, {"units": f"{units} s-0.5"}),
            "log_likelihood": ("time", density.numpy() - np.log(scale), {"units": "1"}),
        },
        {"time": trajectory.time.values[model.k :]},
    )


def sample_path(
    sde: NeuralSDE,
    inputs: xr.Dataset,
    *,
    initial: np.ndarray,
    seed: int | None = 0,
) -> xr.Dataset:
    """Simulate the model's answer to given inputs, noise included.

    Parameters
    ----------
    sde : NeuralSDE
        Fitted model; its loops run in the precision of its weights.
    inputs : Dataset
        Evenly spaced samples of the model's inputs over ``time``, linear in between.
    initial : array, shape (k,)
        The first k samples of the output, in SI units.
    seed : int or None
        Seed of the noise; None leaves the noise out.

    Returns
    -------
    Dataset
        Output and inputs over ``time``, as far as the inputs reach, in SI units.

    Raises
    ------
    InputError
        If the inputs do not fit the model, or the output leaves the range it had in training by
        more than half the width of it.
    """
    model = sde.drift
    inputs = in_units_of(model, inputs, unnamed=model.inputs[0].name)
    k, spacing, start = model.k, model.sample_spacing, float(inputs.time[0])
    dtype = next(sde.parameters()).detach().numpy().dtype.type
    state = model.output.normalize(np.asarray(initial, float)).astype(dtype)
    if state.shape != (k,):
        raise InputError(f"a model with k = {k} starts from {k} samples, not {state.size}.")
    source = StageInputs(model, inputs, start=start, interpolation="linear")
    output = np.empty(source.samples + 1, dtype)
    if output.size < k:
        raise InputError(f"a simulation with k = {k} spans at least {k} samples; give more inputs.")
    output[:k] = state
    networks = [_kernels.padded(_layers(net), dtype) for net in (model.f, sde.diffusion)]
    generator = np.random.default_rng(seed)
    low, high = map(dtype, model.bounds)
    for first in range(0, output.size - k, _CHUNK):
        last = min(first + _CHUNK, output.size - k)
        stages = model.normalize_inputs(source.between(first, last + k - 1)).astype(dtype)
        kicks = np.zeros(last - first, dtype)
        if seed is not None:
            generator.standard_normal(dtype=dtype, out=kicks)
        kept = output[first + k : last + k]
        taken = _integrate(*networks, dtype(model.step), state, stages, kicks, low, high, kept)
        if taken < len(kept):
            raise InputError(
                f"the simulation left the range that the model was trained in at "
                f"{start + (first + taken + k) * spacing:.6g} s; train it longer or drive it less."
            )
    driven = source.between(0, source.samples)[::3]
    variables = {model.output.name: ("time", model.output.restore(output.astype(float)))}
    for channel, column in zip(model.inputs, driven.T, strict=True):
        variables[channel.name] = ("time", column)
    time = start + spacing * np.arange(output.size)
    return label(xr.Dataset(variables, {"time": time}, {"source": "neural SDE", "k": k}))


def _layers(network: nn.Sequential) -> tuple[np.ndarray, ...]:
    """Return weights and biases as the compiled loops read them (`_kernels.unpack`)."""
    w1, b1, w2, b2, w3, b3 = (p.detach().cpu().numpy() for p in network.parameters())
    return w1.T, b1, w2.T, b2, w3, b3


@njit(**_kernels.COMPILE)
def _integrate(drift, diffusion, step, state, stages, kicks, low, high, kept):
    """Fill ``kept`` with the samples that follow ``state``; return how many are in range.

    ``stages`` holds the inputs at every third of a sample, as for `_solver.integrate`; ``kicks``
    are standard normal.
    """
    k, driven = state.size, stages.shape[1]
    x = np.zeros(drift[0].shape[0], state.dtype)
    h1, h2 = np.zeros_like(drift[1]), np.zeros_like(drift[3])
    slopes = np.zeros((4, k), state.dtype)
    seen = np.zeros(diffusion[0].shape[0], state.dtype)
    g1, g2 = np.zeros_like(diffusion[1]), np.zeros_like(diffusion[3])
    log_deviation, newest = np.zeros(1, state.dtype), np.zeros(1, state.dtype)
    for n in range(kept.size):
        for stage in range(4):
            _solver.stage_state(stage, state, step, slopes, x)
            _solver.stage_inputs(stages, n, stage, k, x[k:])
            _kernels.evaluate(drift, x, h1, h2, slopes[stage])
            if stage == 0:
                seen[: x.size] = x
        for q in range(driven):
            seen[x.size + q] = stages[3 * (n + k), q]
        _kernels.evaluate(diffusion, seen, g1, g2, log_deviation)
        newest[0] = state[k - 1]
        for i in range(k - 1):
            state[i] = state[i + 1]
        _solver.advance(newest, step, slopes[:, k - 1 :])
        state[k - 1] = newest[0] + np.exp(log_deviation[0]) * kicks[n]
        if not low <= state[k - 1] <= high:
            return n
        kept[n] = state[k - 1]
    return kept.size
