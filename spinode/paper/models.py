"""The authors' trained models: read into a `SpinODE`, with the units that their files leave out."""

from __future__ import annotations

import pickle
import struct
from dataclasses import dataclass
from pathlib import Path

import torch

from spinode.devices.learning import OSCILLATOR, Learning
from spinode.devices.protocols import FOUR_SKYRMIONS, ONE_SKYRMION, PAIR
from spinode.errors import InputError
from spinode.neural_ode.model import SpinODE
from spinode.paper.authors import locate
from spinode.trajectory import Channel


@dataclass(frozen=True)
class PublishedModel:
    """One of the authors' trained models: its file, and the units the file leaves out.

    Parameters
    ----------
    path : str
        Path of the checkpoint inside their repository.
    learning : Learning
        Channels, spacing and unit of time.
    rest : float
        Output at rest (SI), which is its zero: for a skyrmion the first mz of the trajectory
        that the model was trained on.
    """

    path: str
    learning: Learning
    rest: float = 0.0

    @property
    def here(self) -> bool:
        """Whether the file was fetched."""
        return locate(self.path) is not None

    @property
    def units(self) -> dict:
        """What `import_checkpoint` needs to know."""
        return self.learning.units(self.rest)

    def load(self) -> SpinODE:
        """Return the trained model.

        Raises
        ------
        InputError
            If the file was not fetched, or is not such a checkpoint.
        """
        path = locate(self.path)
        if path is None:
            raise InputError(
                f"the authors' weights {self.path} are not here; run 'spinode fetch paper'."
            )
        return import_checkpoint(path, **self.units)


_WEIGHTS = "NeuralODEs/Mumax_skyrmion_model/output"
_PAIR_WEIGHTS = "NeuralODEs/Mumax_parameters_model_tr_ts/output"

#: The published models by name (Methods, "Training").
MODELS = {
    "one_skyrmion": PublishedModel(
        f"{_WEIGHTS}/params_1skyrmion_voltage.pkl", ONE_SKYRMION.learning, rest=0.7680944
    ),
    # Their table is not at hand; MuMax3 relaxes their script to this mz.
    "four_skyrmions": PublishedModel(
        f"{_WEIGHTS}/params_4skyrmion_voltage.pkl", FOUR_SKYRMIONS.learning, rest=0.7707946
    ),
    "pair": PublishedModel(
        f"{_PAIR_WEIGHTS}/params_1skyr_dim2_N50_2dt_ext_Ku_D_dc1000_Tr10000_tf50.pkl",
        PAIR.learning,
        rest=0.9325028,
    ),
    # A second training of the pair, which the authors also publish.
    "pair_second": PublishedModel(
        f"{_PAIR_WEIGHTS}/params_ext_Ku_D_dim2_st6_sn6.pkl", PAIR.learning, rest=0.9325028
    ),
    "oscillator_cochlear": PublishedModel(
        "NeuralODEs/Experiment_oscillator_model/output/params_co_dim2.pkl", OSCILLATOR
    ),
    "oscillator_spectrogram": PublishedModel(
        "NeuralODEs/Experiment_oscillator_model/output/params_spc_dim2.pkl", OSCILLATOR
    ),
}


def import_checkpoint(
    path: Path,
    output: Channel,
    inputs: tuple[Channel, ...],
    *,
    sample_spacing: float,
    time_scale: float,
) -> SpinODE:
    """Read a checkpoint of the authors' training script into a `SpinODE`.

    Their keys ``ext0.0``, ``ext0.3`` and ``ext0.6`` hold the three linear layers of f;
    ``ext1.*`` is unused. Only tensors are unpickled (``weights_only=True``).

    Parameters
    ----------
    path : path
    output, inputs : Channel, tuple of Channel
        Names and normalization, which the file does not hold.
    sample_spacing, time_scale : float
        Sample spacing and unit of model time (s).

    Raises
    ------
    InputError
        If the file is not such a checkpoint, or its shapes do not fit the number of inputs.
    """
    try:
        state = torch.load(path, weights_only=True, map_location="cpu")["model_state_dict"]
        layers = [(state[f"ext0.{i}.weight"], state[f"ext0.{i}.bias"]) for i in (0, 3, 6)]
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror or error}.") from None
    except KeyError as error:
        raise InputError(
            f"{path} is not a checkpoint of the authors' scripts: it lacks {error}."
        ) from None
    except (RuntimeError, EOFError, IndexError, TypeError, struct.error, pickle.UnpicklingError):
        # PyTorch's own words advise to unpickle it without weights_only: never do that.
        raise InputError(
            f"{path} is not a checkpoint of the authors' scripts, or a damaged one; fetch it again."
        ) from None
    first, last = layers[0][0], layers[2][0]
    k, width = last.shape
    if first.shape != (width, k * (1 + len(inputs))):
        raise InputError(
            f"{path} has {first.shape[1]} input columns for k = {k}, which "
            f"{len(inputs)} input(s) do not fill; name its inputs."
        )
    model = SpinODE(
        output,
        inputs,
        sample_spacing=sample_spacing,
        time_scale=time_scale,
        k=k,
        width=width,
        dtype=first.dtype,
    )
    with torch.no_grad():
        for linear, (weight, bias) in zip(model.f[::2], layers, strict=True):
            linear.weight.copy_(weight)
            linear.bias.copy_(bias)
    return model
