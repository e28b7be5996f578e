"""Frequencies of signals whose frequency is known."""

import numpy as np
import pytest

from spinode.analysis.spectra import PADDED, peak_frequency, ringing_frequency, spectrum
from spinode.errors import InputError

SPACING = 5e-12
TIME = SPACING * np.arange(600)


@pytest.mark.parametrize("frequency", [5.03e9, 9.87e9, 14.4e9])
@pytest.mark.parametrize("decay", [0.5e-9, 2e-9, 20e-9])
def test_damped_sine(frequency, decay):
    signal = 0.9 + 0.003 * np.exp(-TIME / decay) * np.sin(2 * np.pi * frequency * TIME + 0.4)
    bin_width = 1 / (PADDED * SPACING)
    assert peak_frequency(signal, SPACING) == pytest.approx(frequency, abs=bin_width)
    assert ringing_frequency(signal, SPACING) == pytest.approx(frequency, rel=1e-5)


@pytest.mark.parametrize("drift", [0.0, 0.005, 0.02, 0.05, -0.2])
def test_ringing_on_a_drift(drift):
    """A decay of 2 GHz on a drift up to twenty times its size."""
    signal = (
        0.7 + drift * TIME / TIME[-1] + 0.01 * np.exp(-TIME / 1e-9) * np.cos(4e9 * np.pi * TIME)
    )
    assert ringing_frequency(signal, SPACING) == pytest.approx(2e9, rel=1e-4)


def test_noise_shifts_the_fit_little():
    signal = np.exp(-TIME / 1e-9) * np.cos(2 * np.pi * 9e9 * TIME)
    noisy = signal + 0.05 * np.random.default_rng(0).standard_normal(600)
    assert ringing_frequency(noisy, SPACING) == pytest.approx(9e9, abs=0.02e9)


def test_bins_are_the_paper_s():
    frequencies, _ = spectrum(np.sin(TIME * 1e10), SPACING)
    assert frequencies[1] == pytest.approx(0.1953e9, rel=1e-3)


def test_nan_is_refused():
    with pytest.raises(InputError, match="NaN"):
        spectrum(np.full(600, np.nan), SPACING)
