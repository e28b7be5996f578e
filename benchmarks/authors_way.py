"""The peer of both benchmarks: torchdiffeq used as in the authors' published code.

``odeint`` and ``odeint_adjoint`` with method "rk4" in float64; time is carried along as a last
component of the state, and the input is computed from it with PyTorch operations.
"""

import torch
import torchdiffeq
from torch import nn

from spinode.devices.protocols import ONE_SKYRMION
from spinode.neural_ode.model import SpinODE

SPACING = ONE_SKYRMION.learning.sample_spacing
TIME_SCALE = ONE_SKYRMION.learning.time_scale


def skyrmion_model(seed=0, offset=0.7680944, dtype=torch.float64, width=50) -> SpinODE:
    return SpinODE(
        **ONE_SKYRMION.learning.units(offset),
        width=width,
        seed=seed,
        dtype=dtype,
    )


class AuthorsWay(nn.Module):
    """dy/dt for a state (..., k + 1) whose last component is time."""

    def __init__(self, model: SpinODE):
        super().__init__()
        self.model = model
        drive = ONE_SKYRMION.drive
        self.frequency = drive.frequency * TIME_SCALE
        self.amplitudes = torch.as_tensor(drive.amplitudes)

    def input(self, time):
        """Return the normalized input at a time in the model's units."""
        period = (time * self.frequency + 1e-6).long()
        wave = torch.sin(2 * torch.pi * self.frequency * time)
        return self.amplitudes[period] * wave

    def forward(self, _, state):
        """Return the slope of the state and of the time it carries."""
        time = state[..., -1:]
        delays = [self.input(time + j * self.model.step) for j in range(self.model.k)]
        slope = self.model(state[..., :-1], torch.cat(delays, dim=-1))
        return torch.cat((slope, torch.ones_like(time)), dim=-1)

    def forecast(self, initial, steps):
        """Return outputs (steps + 1,) from a first state (k,) at time 0."""
        times = torch.arange(steps + 1, dtype=torch.float64) * self.model.step
        state = torch.cat((torch.as_tensor(initial), torch.zeros(1)))
        with torch.no_grad():
            return torchdiffeq.odeint(self, state, times, method="rk4")[:, 0].numpy()

    def train_step(self, optimizer, truth, starts):
        """Take one iteration of Adam on windows ``truth``, shape (windows, steps + 1, k)."""
        optimizer.zero_grad()
        times = torch.arange(truth.shape[1], dtype=torch.float64) * self.model.step
        first = torch.cat((truth[:, 0], starts[:, None] * self.model.step), dim=-1)
        ours = torchdiffeq.odeint_adjoint(self, first, times, method="rk4")
        loss = torch.mean((ours[1:, :, :-1].movedim(0, 1) - truth[:, 1:]) ** 2)
        loss.backward()
        optimizer.step()
