"""The noise of a device, estimated from recordings whose noise is known."""

from dataclasses import replace

import numpy as np
import pytest
import xarray as xr

from spinode.devices.learning import OSCILLATOR
from spinode.devices.oscillator import NanoOscillator, simulate_oscillator
from spinode.errors import InputError
from spinode.neural_ode.forecast import forecast
from spinode.neural_ode.learning import fit
from spinode.neural_ode.model import SpinODE
from spinode.neural_ode.noise import (
    NoisyDrive,
    input_noise_strength,
    langevin_strength,
    one_step_residuals,
)

DEVICE = NanoOscillator(noise=4.0)


@pytest.fixture(scope="module")
def drive():
    volts = 0.05 * np.random.default_rng(0).normal(size=20_001)
    return xr.Dataset({"drive": ("time", volts)}, {"time": 100e-9 * np.arange(volts.size)})


@pytest.fixture(scope="module")
def model(drive):
    """Return a model that was trained on a noisy recording, not to perfection."""
    model = SpinODE(**OSCILLATOR.units(), width=32)
    recorded = simulate_oscillator(DEVICE, drive, seed=1)
    fit(model, recorded, interpolation="linear", train=(0, 20_000), iterations=1500, progress=False)
    return model


@pytest.mark.parametrize("level", [2.0, 4.0, 8.0])
def test_estimates_the_noise_of_a_recording(model, drive, level):
    recorded = simulate_oscillator(replace(DEVICE, noise=level), drive, seed=2)
    estimate = langevin_strength(one_step_residuals(model, recorded))
    assert estimate.value == pytest.approx(level, rel=0.1)
    assert 0.002 < estimate.error / level < 0.03  # 1/sqrt(2 x 20,000) = 0.005 if all is Gaussian


def test_residuals_of_a_noisy_recording_are_white(model, drive):
    recorded = simulate_oscillator(DEVICE, drive, seed=3)
    residual = one_step_residuals(model, recorded).residual.values
    for lag in (1, 2, 3):
        assert abs(np.corrcoef(residual[lag:], residual[:-lag])[0, 1]) < 0.05


def test_input_noise_gives_the_spread_of_the_device(model, drive):
    steps = one_step_residuals(model, simulate_oscillator(DEVICE, drive, seed=4))
    level = input_noise_strength(steps, "held").value
    start = {"initial": np.zeros(2)}
    quiet = forecast(model, drive, interpolation="linear", **start).voltage.values
    noisy = forecast(model, NoisyDrive(drive, level, seed=5), **start).voltage.values
    measured = [simulate_oscillator(DEVICE, drive, seed=seed).voltage.values for seed in (6, 7)]
    spread = np.std(measured[0] - measured[1]) / np.sqrt(2)
    assert np.std(noisy - quiet) == pytest.approx(spread, rel=0.15)


def test_refuses_short_recordings(model, drive):
    with pytest.raises(InputError, match="at least 1000 samples"):
        one_step_residuals(model, simulate_oscillator(DEVICE, drive.isel(time=slice(0, 500))))


@pytest.mark.parametrize("shape", ["held", "joined"])
def test_spread_of_input_noise_is_that_of_samples(model, drive, shape):
    """One step from the same states under many draws of the noise."""
    recorded = simulate_oscillator(DEVICE, drive.isel(time=slice(0, 1200)), seed=8)
    spread = one_step_residuals(model, recorded)[f"input_noise_{shape}"].values
    level, chosen = 1e-3, np.arange(100, 1100, 250)
    for n in chosen:
        piece = recorded.isel(time=slice(n, n + 3)).assign_coords(time=100e-9 * np.arange(3))
        disturbed = []
        for seed in range(150):
            if shape == "held":
                disturbed.append(NoisyDrive(piece[["drive"]], level, seed=seed))
            else:
                kicks = level * np.random.default_rng(seed).standard_normal(3)
                disturbed.append(piece.assign(drive=piece.drive + kicks))
        options = {} if shape == "held" else {"interpolation": "linear"}
        initial = [piece.voltage.values[:2]] * 150
        outcomes = forecast(model, disturbed, initial=initial, **options).voltage.values[:, 2]
        # Drawn from 150: a standard error of 6 %.
        assert np.std(outcomes) / level == pytest.approx(spread[n], rel=0.25)


@pytest.mark.filterwarnings("ignore::spinode.neural_ode.forecast.ForecastWarning")
def test_input_noise_is_found_again(model, drive):
    """A recording made by the model itself, with held noise at its input."""
    noisy = forecast(model, NoisyDrive(drive, 0.01, seed=9), initial=np.zeros(2))
    steps = one_step_residuals(model, noisy.assign(drive=drive.drive))
    estimate = input_noise_strength(steps, "held")
    assert estimate.value == pytest.approx(0.01, rel=0.1)


def test_noisy_drive_holds_a_value_for_a_sample(drive):
    noisy = NoisyDrive(drive, 0.01, seed=1)
    thirds = 100e-9 / 3 * np.arange(3 * 1000)
    added = noisy.sample(thirds)["drive"] - np.interp(thirds, drive.time, drive.drive)
    held = added.reshape(-1, 3)
    np.testing.assert_allclose(held, held[:, :1] * np.ones(3), atol=1e-15)
    assert held[:, 0].std() == pytest.approx(0.01, rel=0.1)
    assert abs(np.corrcoef(held[1:, 0], held[:-1, 0])[0, 1]) < 0.1
