"""The Spin-Neural ODE: dy/dt = f_theta(y, e) over delayed outputs y and inputs e.

``y(t) = (m(t), m(t + d), ..., m(t + (k - 1) d))`` holds the measured output and its next samples,
``e(t)`` the inputs stacked in the same way; d is the sample spacing. The delays stand in for the
hidden variables of the device (Takens' theorem). Equations 2 to 4 of the paper.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch
from torch import nn

from spinode.errors import InputError
from spinode.neural_ode import model_file
from spinode.trajectory import Channel

_FORMAT = "spinode model 2"
# A forecast may leave the trained range of the output by this part of its width on either side.
_MARGIN = 0.5


class SpinODE(nn.Module):
    """A neural ODE that knows its own units.

    Weights and biases are drawn from N(0, 0.1^2), as in the paper.

    Parameters
    ----------
    output : Channel
        The measured output and its normalization.
    inputs : sequence of Channel
        The driving inputs, in the order of the columns of the first layer.
    sample_spacing : float
        Spacing d of samples and delays (s).
    time_scale : float
        Seconds in one unit of the model's dimensionless time.
    k : int
        Embedding dimension: how many successive samples make a state, 1 or more.
    width : int
        Neurons in each of the two hidden layers.
    seed : int
        Seed of the initial weights.
    dtype : torch.dtype
        float64 or float32.

    Attributes
    ----------
    f : torch.nn.Sequential
        Linear, tanh, Linear, tanh, Linear.
    trained_range : dict of str to (float, float)
        Smallest and largest value (SI) of the output and of each input in the training data;
        empty before training. Saved with the model.
    interpolation : {"held", "linear", "cubic"}
        How sampled inputs are interpolated unless `fit` or `forecast` is given another way; `fit`
        stores the one it used.
    """

    def __init__(
        self,
        output: Channel,
        inputs: tuple[Channel, ...],
        *,
        sample_spacing: float,
        time_scale: float,
        k: int = 2,
        width: int = 50,
        seed: int = 0,
        dtype: torch.dtype = torch.float64,
    ):
        super().__init__()
        for name, value in (("k", k), ("width", width)):
            if not (isinstance(value, int) and value >= 1):
                raise InputError(f"{name} must be a whole number of at least 1, not {value!r}.")
        for name, value in (("sample_spacing", sample_spacing), ("time_scale", time_scale)):
            if not value > 0:
                raise InputError(f"{name} must be a positive number of seconds, not {value!r}.")
        self.output = output
        self.inputs = tuple(inputs)
        self.sample_spacing = float(sample_spacing)
        self.time_scale = float(time_scale)
        self.k = k
        self.width = width
        self.trained_range: dict[str, tuple[float, float]] = {}
        self.interpolation = "cubic"
        columns = k * (1 + len(self.inputs))
        self.f = nn.Sequential(
            nn.Linear(columns, width, dtype=dtype),
            nn.Tanh(),
            nn.Linear(width, width, dtype=dtype),
            nn.Tanh(),
            nn.Linear(width, k, dtype=dtype),
        )
        self.draw_weights(seed)

    @staticmethod
    def for_data(
        records,
        *,
        output: str,
        inputs: str | Sequence[str],
        state: str = "own",
        k: int | str = "auto",
        width: int = 50,
        seed: int = 0,
    ):
        """Return an untrained model for measured data, whose scales come from the data.

        Parameters
        ----------
        records : Dataset, or sequence of them
            Evenly spaced samples over ``time`` (s); several experiments as a sequence or along a
            dimension ``run``.
        output : str
            Variable of the measured output.
        inputs : str or sequence of str
            Variables that drive the device.
        state : {"own", "delays"}
            A state of its own, for what was measured (`LatentODE`): noise does not enter it, a
            missing output is NaN, and `fit` finds its length. Or the paper's delayed outputs.
        k, width, seed : int
            Of delayed outputs their number ("auto": from the data), the neurons, and the seed of
            the first weights.

        Returns
        -------
        SpinODE or LatentODE
            For `spinode.fit`, then `spinode.forecast`.

        Raises
        ------
        InputError
            If a variable is missing or never changes, or the samples are not evenly spaced.
        """
        from spinode.neural_ode import for_data  # which makes this class's models

        if state == "own":
            return for_data.latent(records, output, inputs)[0]
        if state == "delays":
            return for_data.delayed(records, output, inputs, k=k, width=width, seed=seed)
        raise InputError(f"state must be 'own' or 'delays', not {state!r}.")

    def draw_weights(self, seed: int) -> None:
        """Draw all weights and biases anew from N(0, 0.1^2)."""
        generator = torch.Generator().manual_seed(seed)
        with torch.no_grad():
            for parameter in self.parameters():
                parameter.normal_(0.0, 0.1, generator=generator)

    @property
    def step(self) -> float:
        """One sample in the model's dimensionless time."""
        return self.sample_spacing / self.time_scale

    @property
    def bounds(self) -> tuple[float, float]:
        """Range of the normalized output beyond which a forecast is stopped.

        It is the trained range, widened by half its width on either side; if that is unknown, it
        only catches what blows up.
        """
        if self.output.name not in self.trained_range:
            return -1e6, 1e6
        low, high = map(self.output.normalize, self.trained_range[self.output.name])
        return low - _MARGIN * (high - low), high + _MARGIN * (high - low)

    def forward(self, state: torch.Tensor, inputs: torch.Tensor) -> torch.Tensor:
        """Return the time derivative of the state.

        Parameters
        ----------
        state : Tensor, shape (..., k)
            Delayed outputs, normalized.
        inputs : Tensor, shape (..., n_inputs * k)
            Each input's delays side by side (Ku, Ku+d, D, D+d), normalized.

        Returns
        -------
        Tensor, shape (..., k)
        """
        return self.f(torch.cat((state, inputs), dim=-1))

    def normalize_inputs(self, values: np.ndarray) -> np.ndarray:
        """Return inputs as the model sees them.

        Parameters
        ----------
        values : array, shape (..., n_inputs)
            In SI units, in the order of `inputs`.
        """
        columns = [channel.normalize(values[..., i]) for i, channel in enumerate(self.inputs)]
        return np.stack(columns, axis=-1)

    def save(self, path: str | Path) -> Path:
        """Write the model with its units to ``path`` (`model_file`), completely or not at all."""
        description = {
            "format": _FORMAT,
            "output": asdict(self.output),
            "inputs": [asdict(channel) for channel in self.inputs],
            "sample_spacing": self.sample_spacing,
            "time_scale": self.time_scale,
            "k": self.k,
            "width": self.width,
            "trained_range": self.trained_range,
            "interpolation": self.interpolation,
        }
        weights = {name: one.cpu().numpy() for name, one in self.f.state_dict().items()}
        return model_file.write(path, description, weights)

    @classmethod
    def load(cls, path: str | Path) -> SpinODE:
        """Read a model written by `save`; nothing that stands in the file is executed.

        Raises
        ------
        InputError
            If there is no such file or it is not such a model.
        """
        about, weights = model_file.read(path, _FORMAT)
        try:
            model = cls(
                Channel(**about["output"]),
                tuple(Channel(**channel) for channel in about["inputs"]),
                sample_spacing=about["sample_spacing"],
                time_scale=about["time_scale"],
                k=about["k"],
                width=about["width"],
                dtype=torch.as_tensor(weights["0.weight"]).dtype,
            )
            model.f.load_state_dict({name: torch.as_tensor(one) for name, one in weights.items()})
        except (KeyError, TypeError, RuntimeError):
            raise InputError(f"{path} is damaged; train the model again.") from None
        model.trained_range = {name: tuple(span) for name, span in about["trained_range"].items()}
        model.interpolation = about.get("interpolation", "cubic")
        return model
