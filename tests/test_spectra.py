"""Frequencies of signals whose frequency is known."""

import numpy as np
import pytest
import xarray as xr

from spinode.analysis.spectra import bin_width, breathing, peak_frequency, ringing, spectrum
from spinode.devices.drives import PulseSequence
from spinode.errors import InputError

SPACING = 5e-12
TIME = SPACING * np.arange(600)


@pytest.mark.parametrize("frequency", [5.03e9, 9.87e9, 14.4e9])
@pytest.mark.parametrize("decay", [0.5e-9, 2e-9, 20e-9])
def test_damped_sine(frequency, decay):
    signal = 0.9 + 0.003 * np.exp(-TIME / decay) * np.sin(2 * np.pi * frequency * TIME + 0.4)
    assert peak_frequency(signal, SPACING) == pytest.approx(frequency, abs=bin_width(SPACING))
    found = ringing(signal, SPACING)
    assert found.frequency == pytest.approx(frequency, rel=1e-5)
    assert found.rate == pytest.approx(1 / decay, rel=1e-3)
    assert found.amplitude == pytest.approx(0.003, rel=1e-3)


@pytest.mark.parametrize("drift", [0.0, 0.005, 0.02, 0.05, -0.2])
def test_ringing_on_a_drift(drift):
    """A decay of 2 GHz on a drift up to twenty times its size."""
    signal = (
        0.7 + drift * TIME / TIME[-1] + 0.01 * np.exp(-TIME / 1e-9) * np.cos(4e9 * np.pi * TIME)
    )
    assert ringing(signal, SPACING).frequency == pytest.approx(2e9, rel=1e-4)


def test_noise_shifts_the_fit_little():
    signal = np.exp(-TIME / 1e-9) * np.cos(2 * np.pi * 9e9 * TIME)
    noisy = signal + 0.05 * np.random.default_rng(0).standard_normal(600)
    assert ringing(noisy, SPACING).frequency == pytest.approx(9e9, abs=0.02e9)


def test_bins_are_the_paper_s():
    frequencies, _ = spectrum(np.sin(TIME * 1e10), SPACING)
    assert frequencies[1] == pytest.approx(0.1953e9, rel=1e-3)
    assert bin_width(SPACING) == frequencies[1]


DRIVE = PulseSequence("Ku", (7.5e5, 8.0e5, 8.5e5), "Dind", pulse=3.1e-3, rest=3.0e-3)


@pytest.fixture
def staircase():
    """A device that rings at 10, 11 and 12 GHz on the three steps of `DRIVE`, after each pulse."""
    step, sample = np.divmod(np.arange(2400), 800)
    time, since = SPACING * np.arange(2400), SPACING * (sample - 200)
    frequency = 10e9 + 1e9 * step
    ringing = 0.01 * np.exp(-since / 1e-9) * np.cos(2 * np.pi * frequency * since)
    return xr.Dataset({"mz": ("time", np.where(since < 0, 0.9, 0.9 + ringing))}, {"time": time})


def test_a_staircase_rings_at_each_step(staircase):
    found = breathing(staircase, DRIVE)
    assert list(found.index) == list(DRIVE.levels)
    np.testing.assert_allclose(found["fit"], [10e9, 11e9, 12e9], rtol=1e-4)
    np.testing.assert_allclose(found["bin"], [10e9, 11e9, 12e9], atol=bin_width(SPACING))
    np.testing.assert_allclose(found["rate"], 1e9, rtol=1e-2)


def test_a_forecast_that_stopped_has_no_frequency_afterwards(staircase):
    found = breathing(staircase.isel(time=slice(0, 1500)), DRIVE)
    assert found["fit"].notna().tolist() == [True, False, False]


def test_an_empty_magnet_does_not_breathe(staircase):
    """A skyrmion that was lost during the first pulse leaves nothing to measure."""
    staircase.attrs["annihilation"] = 30e-12
    with pytest.raises(InputError, match=r"lost a skyrmion at 0\.03 ns"):
        breathing(staircase, DRIVE)


def test_nan_is_refused():
    with pytest.raises(InputError, match="NaN"):
        spectrum(np.full(600, np.nan), SPACING)
