"""Neural SDEs, fitted to processes whose transition density is known exactly."""

import numpy as np
import pytest
import xarray as xr

from spinode.devices.learning import OSCILLATOR
from spinode.devices.oscillator import NanoOscillator
from spinode.devices.oscillator import simulate_oscillator as measure
from spinode.errors import InputError
from spinode.neural_ode import model_file, training
from spinode.neural_ode import sde as neural
from spinode.neural_ode.model import SpinODE
from spinode.neural_ode.sde import NeuralSDE, fit, one_step_densities, sample_path

SPACING, RELAXATION, STRENGTH = OSCILLATOR.sample_spacing, 290e-9, 30.0  # s, s, V/sqrt(s)
MEMORY = np.exp(-SPACING / RELAXATION)
SPREAD = STRENGTH * np.sqrt(RELAXATION / 2 * (1 - MEMORY**2))  # of a step, V


def model(k=1, width=16):
    return SpinODE(**OSCILLATOR.units() | {"time_scale": RELAXATION}, k=k, width=width)


def random_drive(samples, seed):
    volts = 0.08 * np.random.default_rng(seed).normal(size=samples)
    return xr.Dataset({"drive": ("time", volts)}, {"time": SPACING * np.arange(samples)})


def expected(volt, before, after):
    """The exact mean of an Ornstein-Uhlenbeck process after a sample of linear drive."""
    share = (1 - MEMORY) * RELAXATION / SPACING
    return MEMORY * volt + before * (share - MEMORY) + after * (1 - share)


def uniform(volt):
    return SPREAD


def uneven(volt):
    return SPREAD * (1 + 0.6 * np.tanh(volt / 0.05))


def process(spread, seed, samples=20_000):
    """Return a recording of the process, and the exact log-likelihood of its every sample."""
    recording = random_drive(samples, seed)
    drive = recording.drive.values
    kicks = np.random.default_rng(seed + 100).normal(size=samples)
    volts, likelihood = np.zeros(samples), np.zeros(samples)
    for n in range(1, samples):
        width = spread(volts[n - 1])
        volts[n] = expected(volts[n - 1], drive[n - 1], drive[n]) + width * kicks[n]
        likelihood[n] = -0.5 * kicks[n] ** 2 - np.log(width) - 0.5 * np.log(2 * np.pi)
    return recording.assign(voltage=("time", volts)), likelihood


def trained(drift, recording):
    train = {"interpolation": "linear", "train": (0, 19_990), "window": 5, "batch": 200}
    training.fit_delays(drift, recording, iterations=400, **train, progress=False)
    sde = NeuralSDE(drift)
    fit(sde, recording, iterations=500, batch=500, learning_rate=5e-3, progress=False)
    return sde


@pytest.fixture(scope="module")
def fitted():
    """Neural SDEs of a process with constant and with uneven noise, by noise and k."""
    found = {}
    for spread, k in ((uniform, 1), (uneven, 1), (uneven, 2)):
        recording, _ = process(spread, seed=1)
        sde = trained(model(k), recording)
        found[spread, k] = sde
    return found


@pytest.mark.parametrize("spread, k", [(uniform, 1), (uneven, 1), (uneven, 2)])
def test_finds_the_transition_density(fitted, spread, k):
    recording, likelihood = process(spread, seed=2)
    found = one_step_densities(fitted[spread, k], recording)
    assert found.time.values[0] == recording.time.values[k]
    volts, drive = recording.voltage.values, recording.drive.values
    mean = expected(volts[k - 1 : -1], drive[k - 1 : -1], drive[k:])
    assert np.std(found["mean"].values - mean) < 0.15 * SPREAD
    ratio = found.deviation.values / spread(volts[k - 1 : -1])
    assert np.sqrt(np.mean((ratio - 1) ** 2)) < 0.05
    # What is lost against the true process, in nats a sample of a recording it never saw.
    lost = likelihood[k:].mean() - found.log_likelihood.values.mean()
    assert -0.002 < lost < 0.005


def test_strength_is_that_of_the_white_noise(fitted):
    strength = one_step_densities(fitted[uniform, 1], process(uniform, seed=2)[0]).strength
    assert strength.attrs["units"] == "V s-0.5"
    assert float(strength.mean()) == pytest.approx(STRENGTH, rel=0.03)
    assert float(strength.std()) < 0.05 * STRENGTH


def test_simulates_the_process(fitted):
    silence = random_drive(100_000, 0) * 0
    volts = sample_path(fitted[uniform, 1], silence, initial=[0.0], seed=3).voltage.values[100:]
    assert volts.std() == pytest.approx(STRENGTH * np.sqrt(RELAXATION / 2), rel=0.05)
    assert np.corrcoef(volts[1:], volts[:-1])[0, 1] == pytest.approx(MEMORY, abs=0.02)


@pytest.mark.parametrize("k", [1, 2])
def test_simulation_and_likelihood_are_one_model(fitted, k, monkeypatch):
    """The deviations from what was expected are the random numbers that were drawn."""
    monkeypatch.setattr(neural, "_CHUNK", 300)
    sde = fitted[uneven, k]
    run = sample_path(sde, random_drive(1000, 4), initial=np.full(k, 0.01), seed=5)
    found = one_step_densities(sde, run)
    drawn = (run.voltage.values[k:] - found["mean"].values) / found.deviation.values
    np.testing.assert_allclose(
        drawn[:300], np.random.default_rng(5).standard_normal(300), atol=1e-8
    )
    assert np.abs(drawn.mean()) < 0.15 and drawn.std() == pytest.approx(1, abs=0.1)
    again = sample_path(sde, random_drive(1000, 4), initial=np.full(k, 0.01), seed=5)
    assert run.identical(again)
    quiet = sample_path(sde, random_drive(1000, 4), initial=np.full(k, 0.01), seed=None)
    means = one_step_densities(sde, quiet)["mean"].values
    np.testing.assert_allclose(quiet.voltage.values[k:], means, atol=1e-12)


def test_noise_of_the_embedded_oscillator_is_constant():
    device = NanoOscillator(noise=4.0)
    heard, other = (measure(device, random_drive(20_000, seed), seed=seed) for seed in (1, 2))
    strength = one_step_densities(trained(model(k=2, width=24), heard), other).strength.values
    assert strength.mean() == pytest.approx(4.0, rel=0.1)
    assert strength.std() < 0.1 * 4.0


def test_save_and_load(fitted, tmp_path):
    sde = fitted[uneven, 2]
    loaded = NeuralSDE.load(sde.save(tmp_path / "sde"))
    drive = random_drive(50, 0)
    first, second = (sample_path(one, drive, initial=np.zeros(2), seed=1) for one in (sde, loaded))
    assert first.identical(second)
    model_file.write(tmp_path / "sde" / "diffusion.pt", {"format": "something else"}, {})
    with pytest.raises(InputError, match=r"diffusion\.pt is not in this version's format"):
        NeuralSDE.load(tmp_path / "sde")
    (tmp_path / "sde" / "diffusion.pt").unlink()
    with pytest.raises(InputError, match="train it first"):
        NeuralSDE.load(tmp_path / "sde")


def test_refuses_what_it_cannot_use(fitted):
    sde = fitted[uneven, 2]
    recording, _ = process(uneven, seed=1, samples=50)
    with pytest.raises(InputError, match="lacks the model's output voltage"):
        fit(sde, recording.drop_vars("voltage"))
    with pytest.raises(InputError, match="add drive"):
        fit(sde, recording.drop_vars("drive"))
    with pytest.raises(InputError, match="voltage holds NaN"):
        fit(sde, recording.assign(voltage=recording.voltage.where(recording.time > 3e-7)))
    with pytest.raises(InputError, match="starts from 2 samples, not 1"):
        sample_path(sde, recording, initial=[0.0])
    narrow = NeuralSDE(sde.drift)
    narrow.drift.trained_range = {"voltage": (-1e-3, 1e-3)}
    with pytest.raises(InputError, match=r"left the range .* at .* s; train it longer"):
        sample_path(narrow, recording, initial=[0.0, 0.0])
