"""Time multiplexing: one oscillator plays 400 neurons, one after the other.

A frame of acoustic channels, times a random mask of +-1, becomes 400 voltages that drive the
oscillator for 100 ns each; its 400 responses are the states of 400 virtual nodes. After
J. Torrejon et al., Nature 547, 428 (2017).
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import xarray as xr

from spinode.devices.oscillator import NanoOscillator, simulate_oscillator
from spinode.errors import InputError
from spinode.neural_ode.forecast import ForecastWarning, forecast
from spinode.neural_ode.model import SpinODE
from spinode.neural_ode.noise import NoisyDrive
from spinode.neural_ode.sde import NeuralSDE, sample_path
from spinode.paper import authors
from spinode.speech.corpora import RATE, Corpus
from spinode.trajectory import label

#: Virtual nodes, and how long each is driven (s).
NODES = 400
NODE_TIME = 100e-9
#: Standard deviation of the drive over a whole corpus (V): the range of the real oscillator.
DRIVE_SPREAD = 0.08
#: Where the drive is cut off (V), as by a generator's range: rare peaks beyond five standard
#: deviations, of which the spectrogram has some, would go beyond anything recorded of the device.
DRIVE_LIMIT = 0.4
# Recordings whose forecasts share matrix products.
_TOGETHER = 64


def features(corpus: Corpus, front_end: Callable[[np.ndarray, float], np.ndarray]) -> np.ndarray:
    """Return the acoustic channels of every sound, an object array of (channels, frames).

    Parameters
    ----------
    corpus : Corpus
    front_end : callable
        `spinode.speech.cochlea.cochleagram` or `spinode.speech.cochlea.spectrogram`.
    """
    return _each(lambda sound: front_end(sound, RATE), corpus.sounds)


def mask(channels: int, *, seed: int = 0, nodes: int = NODES) -> np.ndarray:
    """Return a random mask of +1 and -1, shape (nodes, channels)."""
    return np.random.default_rng(seed).choice([-1.0, 1.0], size=(nodes, channels))


def drives(
    channels: np.ndarray,
    weights: np.ndarray,
    spread: float = DRIVE_SPREAD,
    limit: float = DRIVE_LIMIT,
) -> np.ndarray:
    """Return the voltages that play ``channels`` to an oscillator.

    One factor scales the whole corpus, so that loud and quiet frames keep their proportion.

    Parameters
    ----------
    channels : object array
        From `features`.
    weights : array, shape (nodes, channels)
        From `mask`.
    spread : float
        Standard deviation of all voltages (V), before they are cut off.
    limit : float
        Largest voltage of either sign (V).

    Returns
    -------
    object array
        Each a (nodes, frames) array in V.
    """
    masked = _each(lambda values: weights @ values, channels)
    everything = np.concatenate([matrix.ravel() for matrix in masked.flat])
    scale = spread / everything.std()
    return _each(lambda matrix: np.clip(scale * matrix, -limit, limit), masked)


def as_drive(matrices: np.ndarray | list[np.ndarray]) -> xr.Dataset:
    """Play one (nodes, frames) matrix, or several one after the other, node by node.

    Returns
    -------
    Dataset
        ``drive`` (V) over ``time`` (s), a sample every `NODE_TIME`.
    """
    if isinstance(matrices, np.ndarray):
        matrices = [matrices]
    return _trajectory(np.concatenate([matrix.ravel(order="F") for matrix in matrices]))


def _trajectory(volts: np.ndarray) -> xr.Dataset:
    time = NODE_TIME * np.arange(volts.size)
    return label(xr.Dataset({"drive": ("time", volts)}, {"time": time}))


def as_trajectory(states: np.ndarray | list[np.ndarray], drive: xr.Dataset) -> xr.Dataset:
    """Join the states that a device answered to ``drive`` with, as the response over time.

    Returns
    -------
    Dataset
        ``voltage`` and ``drive`` (V) over the ``time`` of ``drive``.
    """
    if isinstance(states, np.ndarray):
        states = [states]
    volts = np.concatenate([matrix.ravel(order="F") for matrix in states])
    return label(drive.assign(voltage=("time", volts[: drive.sizes["time"]])))


def as_states(voltage: np.ndarray, nodes: int) -> np.ndarray:
    """Return the samples of a response as states, shape (nodes, frames)."""
    return np.asarray(voltage).reshape((nodes, -1), order="F")


def measure(device: NanoOscillator, played: np.ndarray, *, seed: int = 0) -> np.ndarray:
    """Return the states of the embedded oscillator under every drive of an object array.

    Each drive begins with the oscillator at rest and has noise of its own.
    """
    seeds = np.random.SeedSequence(seed).generate_state(played.size).reshape(played.shape)

    def respond(index):
        run = simulate_oscillator(device, as_drive(played[index]), seed=int(seeds[index]))
        return as_states(run.voltage.values, len(played[index]))

    return _each_index(respond, played.shape)


def forecast_states(
    model: SpinODE,
    played: np.ndarray,
    *,
    noise: float = 0.0,
    shape: str = "joined",
    seed: int = 0,
) -> np.ndarray:
    """Return the states that a trained model forecasts for every drive of an object array.

    Parameters
    ----------
    model : SpinODE
        Of an oscillator; each forecast begins at rest.
    played : object array
        Drives of shape (nodes, frames) in V.
    noise : float
        Standard deviation of Gaussian noise on the drive (V), a new value every sample: the
        paper's way to let a deterministic model answer as a noisy device does.
    shape : {"joined", "held"}
        Noise that is added to the samples and joined by lines as they are (the paper's), or held
        for a sample (`NoisyDrive`).
    seed : int
        Seed of that noise.

    Raises
    ------
    InputError
        If a forecast leaves the range of outputs that the model was trained in, or the shape of
        the noise has another name.

    Warns
    -----
    ForecastWarning
        Once, if recordings drive the oscillator beyond what the model was trained with.
    """
    if shape not in ("joined", "held"):
        raise InputError(f"noise is 'joined' or 'held', not {shape!r}.")
    _warn_of_untrained(model, played)
    # Single precision halves the time and errs by far less than the noise.
    model = deepcopy(model).float()
    seeds = np.random.SeedSequence(seed).generate_state(played.size).reshape(played.shape)
    states = np.empty(played.shape, dtype=object)
    by_length = sorted(np.ndindex(played.shape), key=lambda index: played[index].size)
    for first in range(0, len(by_length), _TOGETHER):
        group = by_length[first : first + _TOGETHER]
        # The drive goes on at zero: to the end of the longest, and so that no state is read off
        # the delayed outputs.
        length = played[group[-1]].size + model.k - 1
        drives = [as_drive([played[i], np.zeros((1, length - played[i].size))]) for i in group]
        if noise > 0:
            drives = [
                _noisy(d, noise, shape, seed=seeds[i]) for i, d in zip(group, drives, strict=True)
            ]
        with warnings.catch_warnings():
            # Said once for all recordings; noise may reach a little further.
            warnings.simplefilter("ignore", ForecastWarning)
            runs = forecast(
                model,
                drives,
                initial=[np.zeros(model.k)] * len(group),
                interpolation=None if noise > 0 and shape == "held" else "linear",
            )
        for index, voltage in zip(group, runs.voltage.values, strict=True):
            voltage = voltage[: played[index].size]
            if np.isnan(voltage[-1]):
                raise InputError(
                    f"the forecast of recording {index} left the range the model was trained in; "
                    "train it longer or drive it less."
                )
            states[index] = as_states(voltage, len(played[index]))
    return states


def _noisy(drive: xr.Dataset, noise: float, shape: str, seed: int) -> xr.Dataset | NoisyDrive:
    if shape == "held":
        return NoisyDrive(drive, noise, seed=seed)
    kicks = np.random.default_rng(seed).standard_normal(drive.sizes["time"])
    return drive.assign(drive=drive.drive + noise * kicks)


def simulate_states(sde: NeuralSDE, played: np.ndarray, *, seed: int = 0) -> np.ndarray:
    """Return the states that a neural SDE simulates for every drive of an object array.

    Parameters
    ----------
    sde : NeuralSDE
        Of an oscillator; each simulation begins at rest and has noise of its own.
    played : object array
        Drives of shape (nodes, frames) in V.
    seed : int
        Seed of the noise.

    Raises
    ------
    InputError
        If a simulation leaves the range of outputs that the model was trained in.

    Warns
    -----
    ForecastWarning
        As `forecast_states`.
    """
    sde = deepcopy(sde).float()
    seeds = np.random.SeedSequence(seed).generate_state(played.size).reshape(played.shape)
    rest = np.zeros(sde.drift.k)

    def respond(index):
        drive = as_drive(played[index])
        try:
            run = sample_path(sde, drive, initial=rest, seed=int(seeds[index]))
        except InputError as error:
            raise InputError(f"recording {index}: {error}") from None
        return as_states(run.voltage.values, len(played[index]))

    _warn_of_untrained(sde.drift, played)
    return _each_index(respond, played.shape)


def _warn_of_untrained(model: SpinODE, played: np.ndarray) -> None:
    """Warn once if any recording is played louder than what the model was trained on."""
    low, high = model.trained_range.get("drive", (-np.inf, np.inf))
    outside = sum(bool(matrix.min() < low or matrix.max() > high) for matrix in played.flat)
    if outside:
        warnings.warn(
            f"{outside} of {played.size} recordings drive the oscillator beyond the {low:.3g} to "
            f"{high:.3g} V it was trained with: there the forecast extrapolates.",
            ForecastWarning,
            stacklevel=3,
        )


def _each(function, array: np.ndarray) -> np.ndarray:
    return _each_index(lambda index: function(array[index]), array.shape)


def _each_index(function, shape: tuple[int, ...]) -> np.ndarray:
    """Return an object array of ``function(index)``; compiled functions run side by side."""
    result = np.empty(shape, dtype=object)
    with ThreadPoolExecutor() as pool:
        indices = list(np.ndindex(shape))
        for index, value in zip(indices, pool.map(function, indices), strict=True):
            result[index] = value
    return result


# --- the authors' recordings ----------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Session:
    """What was played to a real oscillator and what it answered.

    Parameters
    ----------
    drives, states : object array, shape (speakers, utterances, digits)
        Matrices of shape (nodes, frames) in V.
    """

    drives: np.ndarray
    states: np.ndarray


def recorded_session(front_end: str) -> Session | None:
    """Return the authors' measurement with ``cochlear`` or ``spectrogram``, or None if not here."""
    path = authors.locate(authors.RECORDINGS[front_end])
    return None if path is None else read_session(path)


def read_session(path: Path) -> Session:
    """Read a measurement from the authors' MATLAB file.

    Parameters
    ----------
    path : path
        MATLAB 5 to 7 file with the cell arrays ``spokenDB_2D_in`` (drive) and ``spokenDB_2D``
        (response), speakers x utterances x digits, each cell nodes x frames in V.

    Raises
    ------
    InputError
        If the file is of another version or layout, or holds NaN.
    """
    import scipy.io

    try:
        contents = scipy.io.loadmat(path)
    except NotImplementedError:
        raise InputError(
            f"{path} is a MATLAB 7.3 file; save it again in MATLAB with the option '-v7'."
        ) from None
    except FileNotFoundError:
        raise InputError(f"{path} is not a readable MATLAB file: it is not there.") from None
    except Exception:
        # A damaged file leads SciPy into errors of any kind, whose words say little.
        raise InputError(
            f"{path} is not a readable MATLAB file: it is damaged, cut short, or something else; "
            "fetch it again."
        ) from None
    cells = []
    for name in ("spokenDB_2D_in", "spokenDB_2D"):
        if name not in contents:
            raise InputError(f"{path} lacks the cell array {name}; it holds {_listed(contents)}.")
        array = contents[name]
        if array.dtype != object or array.ndim != 3:
            raise InputError(
                f"{path}: {name} must be a cell array of speakers x utterances x digits, not "
                f"{array.dtype} of shape {array.shape}."
            )
        cells.append(_numbers(array, name, path))
    played, states = cells
    if played.shape != states.shape:
        raise InputError(
            f"{path}: drive and response differ in shape, {played.shape} and {states.shape}."
        )
    nodes = len(played[0, 0, 0])
    for index in np.ndindex(played.shape):
        drive, state = played[index], states[index]
        if drive.ndim != 2 or drive.shape != state.shape or len(drive) != nodes:
            raise InputError(
                f"{path}: cell {index} holds a drive of shape {drive.shape} and a response of "
                f"shape {state.shape}; both must be {nodes} nodes x the same frames."
            )
        if not (np.isfinite(drive).all() and np.isfinite(state).all()):
            raise InputError(f"{path}: cell {index} holds NaN or infinity; repair it.")
    return Session(played, states)


def _numbers(array: np.ndarray, name: str, path: Path) -> np.ndarray:
    """Return a cell array with every cell as real numbers."""
    numbers = np.empty(array.shape, dtype=object)
    for index in np.ndindex(array.shape):
        cell = np.asarray(array[index])
        if cell.dtype.kind not in "fiu":
            raise InputError(
                f"{path} is not a readable MATLAB file: cell {index} of {name} holds "
                f"{_KINDS.get(cell.dtype.kind, cell.dtype)}, not real numbers."
            )
        numbers[index] = cell.astype(float)
    return numbers


_KINDS = {
    "U": "text",
    "O": "cells",
    "V": "a structure",
    "c": "complex numbers",
    "b": "truth values",
}


def _listed(contents: dict) -> str:
    return ", ".join(name for name in contents if not name.startswith("__")) or "nothing"
