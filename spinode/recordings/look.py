"""A look at a recording before anything is learned: sampling, drive, noise and steadiness."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import xarray as xr
from scipy import signal

from spinode.trajectory import spacing_of

# A segment of the averaged spectra, in samples at most; shorter recordings are cut in eight.
_SEGMENT = 1024


@dataclass(frozen=True)
class Look:
    """What a recording shows at first sight.

    Parameters
    ----------
    samples : int
    sample_spacing : float
        (s)
    bandwidth : float
        Frequency below which 99 % of the output's power lies (Hz).
    samples_per_cycle : float
        Samples in a period at that frequency.
    linear_bound : float
        NRMSE that the best linear model of the inputs cannot undercut: what is incoherent with
        them, noise and nonlinearity together.
    noise : float
        Standard deviation of the noise (units of the output), estimated from what lies above the
        bandwidth; an upper bound where the signal itself reaches there.
    drift : float
        Largest difference of the means of four quarters, over the standard deviation.
    ranges : dict of str to (float, float)
        Smallest and largest value by column.
    frequency, coherence : array
        Frequencies (Hz) and the multiple coherence of the output with the inputs.
    warnings : list of str
        What a careful experimenter would ask about.
    """

    samples: int
    sample_spacing: float
    bandwidth: float
    samples_per_cycle: float
    linear_bound: float
    noise: float
    drift: float
    ranges: dict[str, tuple[float, float]]
    frequency: np.ndarray
    coherence: np.ndarray
    warnings: list[str]


def look(recording: xr.Dataset, *, output: str, inputs: Sequence[str]) -> Look:
    """Look at sampling, drive, noise and steadiness of a recording.

    Spectra are averaged over windowed segments (Welch 1967); the multiple coherence is that of
    Bendat and Piersol, *Random Data*, chapter 7.

    Parameters
    ----------
    recording : Dataset
        As from `spinode.recordings.readers.read_recording`.
    output, inputs : str
        Its variables.

    Raises
    ------
    InputError
        If the samples are not evenly spaced.
    """
    spacing = spacing_of(recording)
    out = _filled(recording[output].values)
    drives = np.stack([recording[name].values for name in inputs])
    length = min(_SEGMENT, max(len(out) // 8, 16))
    frequency, power, coherence = _spectra(out, drives, 1 / spacing, length)
    total = np.cumsum(power)
    bandwidth = float(frequency[np.searchsorted(total, 0.99 * total[-1])]) or float(frequency[1])
    bound = float(np.sqrt(np.sum((1 - coherence) * power) / np.sum(power)))
    # White noise has the same power at every frequency; the quietest tenth shows it.
    floor = np.quantile(power[1:], 0.1)
    noise = float(np.sqrt(floor * (frequency[-1] - frequency[0])))
    quarters = [part.mean() for part in np.array_split(out, 4)]
    drift = float(np.ptp(quarters) / out.std())
    per_cycle = 1 / (bandwidth * spacing)
    return Look(
        samples=len(out),
        sample_spacing=spacing,
        bandwidth=bandwidth,
        samples_per_cycle=per_cycle,
        linear_bound=bound,
        noise=noise,
        drift=drift,
        ranges={
            name: (float(np.nanmin(recording[name])), float(np.nanmax(recording[name])))
            for name in (output, *inputs)
        },
        frequency=frequency,
        coherence=coherence,
        warnings=_doubts(recording, output, inputs, per_cycle, drift, bound),
    )


def _filled(values: np.ndarray) -> np.ndarray:
    """Return a signal whose missing samples are joined by lines, for spectra only."""
    known = np.isfinite(values)
    return np.interp(np.arange(len(values)), np.flatnonzero(known), values[known])


def _spectra(
    out: np.ndarray, drives: np.ndarray, rate: float, length: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return frequencies, power of the output, and its multiple coherence with the drives."""
    options = {"fs": rate, "nperseg": length, "detrend": "constant"}
    frequency, power = signal.welch(out, **options)
    count = len(drives)
    mutual = np.empty((len(frequency), count, count), complex)
    across = np.empty((len(frequency), count), complex)
    for i in range(count):
        across[:, i] = signal.csd(drives[i], out, **options)[1]
        for j in range(count):
            mutual[:, i, j] = signal.csd(drives[i], drives[j], **options)[1]
    gain = np.einsum("fij,fj->fi", np.linalg.pinv(mutual, hermitian=True), across)
    explained = np.real(np.einsum("fi,fi->f", across.conj(), gain))
    with np.errstate(divide="ignore", invalid="ignore"):
        coherence = np.where(power > 0, explained / power, 0.0)
    return frequency, power, np.clip(np.nan_to_num(coherence), 0, 1)


def _doubts(recording, output, inputs, per_cycle, drift, bound) -> list[str]:
    """Return sentences on what may spoil a model of this recording."""
    doubts = []
    missing = int((~np.isfinite(recording[output].values)).sum())
    if missing:
        doubts.append(f"{missing} samples of {output} are missing; they count nothing.")
    if per_cycle < 4:
        doubts.append(
            f"{output} has power up to {per_cycle:.1f} samples a cycle: it may be sampled too "
            "slowly, or be mostly noise."
        )
    if per_cycle > 200:
        doubts.append(
            f"{output} is oversampled, {per_cycle:.0f} samples a cycle: fewer would say as much."
        )
    if drift > 1:
        doubts.append(
            f"the mean of {output} wanders by {drift:.1f} standard deviations between the quarters "
            "of the recording: the device, or its drive, is not steady, or it integrates."
        )
    values = _filled(recording[output].values)
    for side, extreme in (("smallest", values.min()), ("largest", values.max())):
        part = np.mean(values == extreme)
        if part > 0.01:
            doubts.append(
                f"{part:.0%} of {output} sits at its {side} value: is the instrument saturated?"
            )
    for name in inputs:
        levels = len(np.unique(recording[name].values))
        if levels == 2:
            doubts.append(
                f"{name} takes two values only: how the device answers to others is not known."
            )
    if bound > 0.9:
        doubts.append(
            f"only {1 - bound**2:.0%} of the power of {output} goes along with the inputs: is the "
            "right input named, and at the right time?"
        )
    return doubts
