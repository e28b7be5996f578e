"""The breathing frequency of a device, read off its ringing after a pulse."""

from __future__ import annotations

import numpy as np
from scipy.optimize import least_squares

from spinode.errors import InputError

#: Zero-padded length of the paper's spectra: bins of 0.195 GHz at 5 ps.
PADDED = 1024


def spectrum(signal: np.ndarray, spacing: float, padded: int = PADDED) -> tuple:
    """Return the amplitude spectrum of a signal, its mean removed and zeros appended.

    Parameters
    ----------
    signal : array, shape (samples,)
    spacing : float
        Sample spacing (s).
    padded : int
        Length after padding.

    Returns
    -------
    frequencies : array, shape (padded // 2 + 1,)
        In Hz.
    amplitudes : array, same shape
    """
    signal = np.asarray(signal, float)
    if not np.isfinite(signal).all() or len(signal) < 8:
        raise InputError("a spectrum needs at least 8 samples without NaN; check the forecast.")
    amplitudes = np.abs(np.fft.rfft(signal - signal.mean(), max(padded, len(signal))))
    return np.fft.rfftfreq(max(padded, len(signal)), spacing), amplitudes


def peak_frequency(signal: np.ndarray, spacing: float) -> float:
    """Return the frequency (Hz) of the largest bin, the paper's rule (Fig. 4f-g)."""
    frequencies, amplitudes = spectrum(signal, spacing)
    return float(frequencies[np.argmax(amplitudes)])


def ringing_frequency(signal: np.ndarray, spacing: float) -> float:
    """Return the frequency (Hz) of the damped sine that fits the signal best.

    ``c + s t + exp(-t / tau) (a cos(2 pi f t) + b sin(2 pi f t))`` by nonlinear least squares in
    (f, 1/tau); the rest is linear. It resolves far below one bin of the spectrum.
    """
    signal = np.asarray(signal, float)
    time = spacing * np.arange(len(signal))
    # A drift leaks into the lowest bins, where it would pass for the largest.
    trend = np.polynomial.Polynomial.fit(time, signal, 1)
    start = peak_frequency(signal - trend(time), spacing)
    length = time[-1]

    def residual(parameters):
        frequency, rate = parameters[0] * start, parameters[1] / length
        envelope = np.exp(-rate * time)
        phase = 2 * np.pi * frequency * time
        basis = np.stack(
            [np.ones_like(time), time / length, envelope * np.cos(phase), envelope * np.sin(phase)],
            axis=1,
        )
        coefficients = np.linalg.lstsq(basis, signal, rcond=None)[0]
        return basis @ coefficients - signal

    found = least_squares(
        residual, [1.0, 1.0], bounds=([0.7, -2.0], [1.3, 60.0]), x_scale=[0.01, 1.0], ftol=1e-10
    )
    return float(found.x[0] * start)
