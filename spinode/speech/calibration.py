"""How the embedded oscillator got its numbers: fitted to the authors' networks and published rates.

The real oscillator's recordings must be downloaded, but two networks that the authors trained on
them are small: digital twins of the device at its two working points, one for each acoustic front
end. `fit_response` gives the amplitude equation of `spinode.devices.oscillator` their response. The
twins have no noise. How much the device has can be seen in the published recognition rates:
`noise_of_rates` finds the noise at a twin's input that changes the rates of our speakers as the
authors' noise changed those of theirs, and `langevin_strength` the thermal noise that makes the
embedded oscillator fluctuate as much. ``benchmarks/calibrate_oscillator.py`` does all of it and
prints the numbers that `spinode.devices.oscillator.WORKING_POINTS` holds.

Fitted are seven numbers of the response and one of the noise for each working point. Neither the
measured recognition rates nor any network trained in this workbook enter.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import xarray as xr
from scipy.optimize import least_squares

from spinode.devices.learning import OSCILLATOR
from spinode.devices.oscillator import NanoOscillator, simulate_oscillator
from spinode.errors import InputError
from spinode.neural_ode.forecast import forecast
from spinode.neural_ode.model import SpinODE
from spinode.speech.multiplexing import DRIVE_LIMIT, DRIVE_SPREAD

# Between start and a solution, least squares may try what no oscillator can be.
_FAR = 100.0


def random_drive(samples: int, seed: int) -> xr.Dataset:
    """Return a drive like that of speech: white, of its spread, and as rich in large values.

    Laplace-distributed, with standard deviation `DRIVE_SPREAD`, cut off at `DRIVE_LIMIT`.
    """
    volts = np.random.default_rng(seed).laplace(0.0, DRIVE_SPREAD / np.sqrt(2), samples)
    time = OSCILLATOR.sample_spacing * np.arange(samples)
    return xr.Dataset(
        {"drive": ("time", np.clip(volts, -DRIVE_LIMIT, DRIVE_LIMIT))}, {"time": time}
    )


def response(twin: SpinODE, drive: xr.Dataset) -> np.ndarray:
    """Return what a twin at rest answers to ``drive``, in V: a sample less than the drive has."""
    run = forecast(twin, drive, initial=np.zeros(twin.k), interpolation="linear")
    # The last sample is read off a delayed output.
    return run.voltage.values[:-1]


def fit_response(
    twin: SpinODE, start: NanoOscillator, *, samples: int = 6000
) -> tuple[NanoOscillator, float]:
    """Fit the amplitude equation, noise apart, to the response of a twin.

    Parameters
    ----------
    twin : SpinODE
        The authors' network.
    start : NanoOscillator
        Where to start from; its noise is kept.
    samples : int
        Length of the `random_drive`.

    Returns
    -------
    device : NanoOscillator
        Fitted damping rate, nonlinear damping, supercriticality, its change per volt, and gain.
    nrmse : float
        Root mean square difference of the responses over the standard deviation of the twin's.
    """
    drive = random_drive(samples, seed=0)
    target = response(twin, drive)

    def difference(numbers):
        try:
            run = simulate_oscillator(_device(numbers, replace(start, noise=0.0)), drive)
        except InputError:
            return np.full(target.size, _FAR)
        return np.nan_to_num((run.voltage.values[:-1] - target) / target.std(), nan=_FAR)

    found = least_squares(difference, _numbers(start), x_scale=_SCALES, diff_step=1e-4)
    return _device(found.x, start), float(np.sqrt(np.mean(found.fun**2)))


# Steps of the numbers below that change a response by about as much.
_SCALES = np.array([1, 1, 10, 20, 0.3, 0.3, 0.3])


def _numbers(device: NanoOscillator) -> np.ndarray:
    """Return a device as numbers that least squares may change freely."""
    positive = (
        device.supercriticality - 1,
        device.supercriticality_per_volt,
        device.gain,
    )
    return np.array([np.log(device.damping_rate), *device.nonlinear_damping, *np.log(positive)])


def _device(numbers: np.ndarray, device: NanoOscillator) -> NanoOscillator:
    """Return ``device`` with the `_numbers` given."""
    above, per_volt, gain = np.exp(np.clip(numbers[4:], -20, 5))
    return replace(
        device,
        damping_rate=float(np.exp(np.clip(numbers[0], 0, 25))),
        nonlinear_damping=tuple(map(float, numbers[1:4])),
        supercriticality=float(1 + above),
        supercriticality_per_volt=float(per_volt),
        gain=float(gain),
    )


def noise_of_rates(
    levels: Sequence[float],
    rates: np.ndarray,
    published_quiet: np.ndarray,
    published_noisy: np.ndarray,
) -> tuple[float, float]:
    """Find the noise that changes recognition rates as the authors' noise changed theirs.

    Other speakers are easier or harder to tell apart, so what is compared is not the rates but how
    much noise changes them.

    Parameters
    ----------
    levels : sequence of float
        Noise levels in rising order, the first of them zero.
    rates : array, shape (levels, N)
        Recognition rates of a twin at each level, over the number of training utterances.
    published_quiet, published_noisy : array, shape (N,)
        Published rates without and with noise.

    Returns
    -------
    level : float
        Of least squared difference of the changes, linear between the levels given.
    difference : float
        Root mean square of what is left.

    Raises
    ------
    InputError
        If the levels do not rise from zero, or the numbers of rates disagree.
    """
    levels, rates = np.asarray(levels, float), np.asarray(rates, float)
    change = np.asarray(published_noisy) - np.asarray(published_quiet)
    if levels[0] != 0 or np.any(np.diff(levels) <= 0):
        raise InputError(f"noise levels must rise from zero, not be {levels.tolist()}.")
    if rates.shape != (len(levels), len(change)):
        raise InputError(
            f"rates of shape {rates.shape} do not fit {len(levels)} levels and {len(change)} "
            "published numbers."
        )
    fine = np.linspace(0, levels[-1], 2001)
    ours = np.column_stack([np.interp(fine, levels, column - column[0]) for column in rates.T])
    left = np.sqrt(np.mean((ours - change) ** 2, axis=1))
    return float(fine[left.argmin()]), float(left.min())


def deviation_of_input_noise(twin: SpinODE, drive: xr.Dataset, level: float) -> float:
    """Return how far (V rms) noise on the samples of ``drive`` moves a twin's response.

    Parameters
    ----------
    twin : SpinODE
    drive : Dataset
    level : float
        Standard deviation of the noise (V); it is joined by lines, as in the paper.
    """
    noise = np.random.default_rng(0).normal(0.0, level, drive.sizes["time"])
    noisy = drive.assign(drive=drive.drive + noise)
    return float(np.std(response(twin, noisy) - response(twin, drive)))


def langevin_strength(device: NanoOscillator, drive: xr.Dataset, deviation: float) -> float:
    """Return the thermal noise (V per root second) that moves a response by ``deviation`` (V rms).

    To first order: a weak noise, and its deviation scaled.
    """
    weak = 0.1
    quiet, noisy = (
        simulate_oscillator(replace(device, noise=noise), drive).voltage.values
        for noise in (0.0, weak)
    )
    return weak * deviation / float(np.std(noisy - quiet))
