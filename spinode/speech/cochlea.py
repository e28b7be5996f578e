"""Sound to acoustic channels: Lyon's passive ear, and the spectrogram.

Both turn a recording into one column of non-negative channel values a frame.

References
----------
R. F. Lyon, "A computational model of filtering, detection, and compression in the cochlea", ICASSP
1982; M. Slaney, "Lyon's Cochlear Model", Apple Technical Report 13 (1988), whose equations and
constants this follows.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from numba import njit
from scipy.signal.windows import hann

from spinode.errors import InputError

_EAR_Q = 8.0  # quality of the filters at high frequencies
_STEP_FACTOR = 0.25  # of a bandwidth between the centres of two channels
_BREAK = 1000.0  # Hz: below it the bandwidth stops shrinking with the centre frequency
_ZERO_OFFSET = 1.5  # how far above the pole the zero of a section lies, in steps
_SHARPNESS = 5.0  # of the zero, relative to the pole
_PREEMPHASIS_CORNER = 300.0  # Hz
_DECIMATION_TAU = 3.0  # time constant of the smoothing before decimation, in frames
# Automatic gain control: targets and time constants (s) of its four stages.
_AGC = ((0.0032, 0.64), (0.0016, 0.16), (0.0008, 0.04), (0.0004, 0.01))
_AGC_LIMIT = 0.9


def cochleagram(sound: np.ndarray, rate: float, frame: int = 128) -> np.ndarray:
    """Return the firing rates along the cochlea (Lyon's passive ear with gain control).

    Parameters
    ----------
    sound : array, shape (samples,)
        Pressure, at most 1 in magnitude; the gain control makes the result depend on its level.
    rate : float
        Samples per second.
    frame : int
        Samples in a frame, of which the last is kept.

    Returns
    -------
    array, shape (channels, samples // frame)
        From the highest centre frequency to the lowest; 78 channels at 12.5 kHz.

    Raises
    ------
    InputError
        If the sound is not one channel of finite samples and at least one frame long.
    """
    sound = _checked(sound, rate, frame)
    epsilon = _epsilon(frame * _DECIMATION_TAU / rate, rate)
    smoothing = np.array([0.0, 0.0, 1.0, -2 * (1 - epsilon), (1 - epsilon) ** 2])
    _set_gain(smoothing, 1.0, 0.0, rate)
    control = np.array([(target, _epsilon(tau, rate)) for target, tau in _AGC])
    # The first two sections are the outer and middle ear, not channels.
    return _passive_ear(sound, _sections(rate), control, smoothing, frame)[2:]


def spectrogram(sound: np.ndarray, rate: float, frame: int = 128) -> np.ndarray:
    """Return the magnitude of the short-time Fourier transform, one Hann window a frame.

    Parameters
    ----------
    sound : array, shape (samples,)
    rate : float
        Samples per second.
    frame : int
        Samples in a frame and in a window.

    Returns
    -------
    array, shape (frame // 2 + 1, samples // frame)
        From zero frequency up; 65 channels for the default frame.

    Raises
    ------
    InputError
        As for `cochleagram`.
    """
    sound = _checked(sound, rate, frame)
    window = hann(frame, sym=False)
    frames = sound[: len(sound) // frame * frame].reshape(-1, frame)
    return np.abs(np.fft.rfft(frames * window)).T / window.sum()


def center_frequencies(rate: float) -> np.ndarray:
    """Return the centre frequencies (Hz) of the channels of `cochleagram`, highest first.

    Equation for the spacing of channels in Slaney (1988): each lies a quarter of its bandwidth
    ``sqrt(f^2 + 1000^2) / 8`` below the one before.
    """
    top = rate / 2
    width = np.hypot(top, _BREAK) / _EAR_Q * _STEP_FACTOR
    top += width * (1 - _ZERO_OFFSET)
    # The cascade ends where the quality of a pole would fall below 1/2.
    low = _BREAK / np.sqrt(4 * _EAR_Q**2 - 1)
    highest, lowest = (f + np.hypot(f, _BREAK) for f in (top, low))
    count = int(np.floor(_EAR_Q / _STEP_FACTOR * np.log(highest / lowest)))
    scale = highest * np.exp(-np.arange(1, count + 1) * _STEP_FACTOR / _EAR_Q)
    return (scale - _BREAK**2 / scale) / 2


def _checked(sound, rate: float, frame: int) -> np.ndarray:
    sound = np.ascontiguousarray(sound, dtype=float)
    if sound.ndim != 1:
        raise InputError(
            f"a sound is one channel of samples, not an array of shape {sound.shape}; "
            "mix or choose a channel."
        )
    if not (rate > 0 and frame >= 2):
        raise InputError(f"rate {rate!r} and frame {frame!r} must be positive, frame at least 2.")
    if len(sound) < frame:
        raise InputError(f"a sound of {len(sound)} samples is shorter than a frame of {frame}.")
    if not np.isfinite(sound).all():
        raise InputError("the sound holds NaN or infinity.")
    return sound


def _epsilon(tau: float, rate: float) -> float:
    """Return the weight of a new sample in an average over ``tau`` (s)."""
    return 1 - np.exp(-1 / (tau * rate))


def _second_order(frequency, quality, rate: float) -> np.ndarray:
    """Return the coefficients (1, b1, b2) of poles or zeros at ``frequency`` (Hz)."""
    decay = np.exp(-np.pi * frequency / rate / quality)
    angle = 2 * np.pi * frequency / rate * np.sqrt(1 - 1 / (4 * quality**2))
    return np.array([np.ones_like(decay), -2 * decay * np.cos(angle), decay**2])


def _set_gain(section: np.ndarray, gain: float, frequency: float, rate: float) -> None:
    """Scale the numerator of ``section`` to the given gain at ``frequency`` (Hz)."""
    z = np.exp(2j * np.pi * frequency / rate)
    a0, a1, a2, b1, b2 = section
    section[:3] *= gain / abs((a0 * z**2 + a1 * z + a2) / (z**2 + b1 * z + b2))


@cache
def _sections(rate: float) -> np.ndarray:
    """Return the second-order sections (a0, a1, a2, b1, b2) of the cascade, shape (sections, 5)."""
    center = center_frequencies(rate)
    width = np.hypot(center, _BREAK) / _EAR_Q
    zero = center + width * _STEP_FACTOR * _ZERO_OFFSET
    poles = _second_order(center, center / width, rate)
    zeros = _second_order(zero, _SHARPNESS * zero / width, rate)
    cascade = np.vstack([zeros, poles[1:]]).T.copy()
    gains = np.append(center[0] / center[1], center[:-1] / center[1:])
    for section, gain in zip(cascade, gains, strict=True):
        _set_gain(section, gain, 0.0, rate)
    top = rate / 2
    top -= np.hypot(top, _BREAK) / _EAR_Q * _STEP_FACTOR * (_ZERO_OFFSET - 1)
    outer = np.array([0, 1, -np.exp(-2 * np.pi * _PREEMPHASIS_CORNER / rate), 0, 0])
    top_poles = _second_order(top, center[0] / width[0], rate)
    middle = np.array([1, 0, -1, *top_poles[1:]])
    for section in (outer, middle):
        _set_gain(section, 1.0, rate / 4, rate)
    return np.vstack([outer, middle, cascade])


@njit(cache=True, nogil=True)
def _passive_ear(sound, sections, control, smoothing, frame):
    """Cascade, half-wave rectifier, gain control, channel differences, smoothing, decimation."""
    channels, stages = len(sections), len(control)
    frames = sound.size // frame
    result = np.zeros((channels, frames))
    z1, z2 = np.zeros(channels), np.zeros(channels)
    s1, s2 = np.zeros(channels), np.zeros(channels)
    gain = np.zeros((stages, channels))
    fired = np.zeros(channels)
    for n in range(frames * frame):
        value = sound[n]
        for c in range(channels):
            a0, a1, a2, b1, b2 = sections[c]
            passed = z1[c] + a0 * value
            z1[c] = z2[c] + a1 * value - b1 * passed
            z2[c] = a2 * value - b2 * passed
            value = passed
            fired[c] = max(passed, 0.0)
        if n % frame == 0:
            # Slaney's toolbox silences the outer and middle ear at the start of each frame.
            fired[0] = fired[1] = 0.0
        for s in range(stages):
            target, epsilon = control[s]
            before = gain[s, 0]
            for c in range(channels):
                here = gain[s, c]
                after = gain[s, min(c + 1, channels - 1)]
                fired[c] = abs(fired[c] * (1.0 - here))
                # A channel's gain is averaged with its neighbours'.
                new = fired[c] * epsilon / target + (1.0 - epsilon) / 3 * (before + here + after)
                gain[s, c] = min(new, _AGC_LIMIT)
                before = here
        for c in range(channels):
            value = fired[0] if c == 0 else max(fired[c - 1] - fired[c], 0.0)
            smooth = s1[c] + smoothing[0] * value
            s1[c] = s2[c] + smoothing[1] * value - smoothing[3] * smooth
            s2[c] = smoothing[2] * value - smoothing[4] * smooth
            if (n + 1) % frame == 0:
                result[c, n // frame] = smooth
    return result
