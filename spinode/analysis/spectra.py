"""The breathing frequency of a device, read off its ringing after a pulse."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
import xarray as xr
from scipy.optimize import least_squares

from spinode.errors import InputError
from spinode.trajectory import alive, spacing_of

#: Zero-padded length of the paper's spectra: bins of 0.195 GHz at 5 ps.
PADDED = 1024
# Samples of a step, after its pulse, that the paper takes the spectrum of.
_RINGING = 600


def spectrum(signal: np.ndarray, spacing: float) -> tuple:
    """Return the amplitude spectrum of a signal, its mean removed and zeros appended.

    Parameters
    ----------
    signal : array, shape (samples,)
    spacing : float
        Sample spacing (s).

    Returns
    -------
    frequencies : array, shape (PADDED // 2 + 1,)
        In Hz; more where the signal itself is longer than that.
    amplitudes : array, same shape
    """
    signal = np.asarray(signal, float)
    if not np.isfinite(signal).all() or len(signal) < 8:
        raise InputError("a spectrum needs at least 8 samples without NaN; check the forecast.")
    length = max(PADDED, len(signal))
    amplitudes = np.abs(np.fft.rfft(signal - signal.mean(), length))
    return np.fft.rfftfreq(length, spacing), amplitudes


def peak_frequency(signal: np.ndarray, spacing: float) -> float:
    """Return the frequency (Hz) of the largest bin, the paper's rule (Fig. 4f-g)."""
    frequencies, amplitudes = spectrum(signal, spacing)
    return float(frequencies[np.argmax(amplitudes)])


def bin_width(spacing: float) -> float:
    """Return the distance between bins of the paper's spectra (Hz), the resolution of its rule."""
    return 1 / (PADDED * spacing)


@dataclass(frozen=True)
class Ringing:
    """A damped sine: ``amplitude exp(-rate t) cos(2 pi frequency t + phase)``, on a drift.

    Parameters
    ----------
    frequency : float
        In Hz.
    rate : float
        Of the decay (1/s).
    amplitude : float
        At the first sample, in the signal's unit.
    """

    frequency: float
    rate: float
    amplitude: float


def ringing(signal: np.ndarray, spacing: float) -> Ringing:
    """Return the damped sine that fits the signal best.

    ``c + s t + exp(-rate t) (a cos(2 pi f t) + b sin(2 pi f t))`` by nonlinear least squares in
    (f, rate); the others are linear. Its frequency resolves far below one bin of the spectrum.

    Parameters
    ----------
    signal : array, shape (samples,)
    spacing : float
        Sample spacing (s).
    """
    signal = np.asarray(signal, float)
    time = spacing * np.arange(len(signal))
    # A drift leaks into the lowest bins, where it would pass for the largest.
    trend = np.polynomial.Polynomial.fit(time, signal, 1)
    start = peak_frequency(signal - trend(time), spacing)
    length = time[-1]

    def fitted(parameters):
        frequency, rate = parameters[0] * start, parameters[1] / length
        envelope = np.exp(-rate * time)
        phase = 2 * np.pi * frequency * time
        basis = np.stack(
            [np.ones_like(time), time / length, envelope * np.cos(phase), envelope * np.sin(phase)],
            axis=1,
        )
        coefficients = np.linalg.lstsq(basis, signal, rcond=None)[0]
        return basis @ coefficients - signal, coefficients

    found = least_squares(
        lambda parameters: fitted(parameters)[0],
        [1.0, 1.0],
        bounds=([0.7, -2.0], [1.3, 60.0]),
        x_scale=[0.01, 1.0],
        ftol=1e-10,
    )
    amplitude = np.hypot(*fitted(found.x)[1][2:])
    return Ringing(float(found.x[0] * start), float(found.x[1] / length), float(amplitude))


def breathing(run: xr.Dataset, drive) -> pd.DataFrame:
    """Return how a device rings after the pulse at each step of a staircase (Fig. 4f-g).

    Parameters
    ----------
    run : Dataset
        Response to ``drive``, sampled evenly. One in which a skyrmion was lost is refused.
    drive : PulseSequence
        Its levels, the length of a step and of the pulse that begins it.

    Returns
    -------
    DataFrame
        Indexed by level: ``bin``, the largest bin of the spectrum (Hz), the paper's rule; and of
        the damped sine that fits best, ``fit``, its frequency (Hz), ``rate`` of decay (1/s) and
        ``amplitude``. Samples of a step beyond those that the paper takes are left out. NaN at
        levels that a forecast did not reach.
    """
    values = alive(run).mz.values
    spacing = spacing_of(run)
    step, pulse = round(drive.hold / spacing), round(drive.pulse_duration / spacing)
    rows = []
    for first in range(0, step * len(drive.levels), step):
        whole = values[first : first + step]
        if len(whole) < step - 1:  # a run may lack the sample that ends it
            rows.append((np.nan,) * 4)
            continue
        signal = whole[pulse:][:_RINGING]
        sine = ringing(signal, spacing)
        rows.append((peak_frequency(signal, spacing), sine.frequency, sine.rate, sine.amplitude))
    index = pd.Index(drive.levels, name=drive.swept)
    return pd.DataFrame(rows, index, columns=["bin", "fit", "rate", "amplitude"])
