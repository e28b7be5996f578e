"""The embedded oscillator: calibration to the authors' trained one, noise, and bad input."""

from dataclasses import replace

import numpy as np
import pytest
import xarray as xr

from spinode.devices.oscillator import WORKING_POINTS, NanoOscillator, simulate_oscillator
from spinode.errors import InputError
from spinode.paper.models import MODELS, import_checkpoint
from spinode.speech import calibration

STEPS = np.array([-0.3, -0.1, 0.1, 0.3])  # V
QUIET = NanoOscillator(noise=0)


def drive(volts):
    volts = np.asarray(volts, float)
    return xr.Dataset({"drive": ("time", volts)}, {"time": 100e-9 * np.arange(volts.size)})


def step_to(volts):
    """Return a drive that rests for 30 samples and then steps to ``volts``."""
    return drive(np.append(np.zeros(30), np.full(70, volts)))


@pytest.fixture(scope="module", params=WORKING_POINTS)
def working_point(request, paper_data):
    """Return an embedded oscillator and the authors' network of the real one, at one setting."""
    published = MODELS[f"oscillator_{request.param}"]
    twin = import_checkpoint(paper_data / published.path, **published.units)
    return WORKING_POINTS[request.param], twin


@pytest.mark.parametrize("name", WORKING_POINTS)
def test_responds_like_the_published_oscillators(name, published_numbers):
    """On a drive that the fit did not see. The real one answers a fifth of a sample late."""
    response = published_numbers["oscillator"][name]
    truth = np.array(response["values"])
    played = calibration.random_drive(800, seed=2)
    device = replace(WORKING_POINTS[name], noise=0.0)
    ours = simulate_oscillator(device, played).voltage.values[:-1:][:: response["every"]]
    assert np.sqrt(np.mean((ours - truth) ** 2)) < 0.27 * truth.std()
    assert np.corrcoef(ours, truth)[0, 1] > 0.96


def test_its_numbers_are_at_the_optimum_of_the_fit(working_point):
    """The response is well determined, its single numbers are not: they trade off."""
    device, twin = working_point
    fitted, left = calibration.fit_response(twin, device)
    played = calibration.random_drive(6000, seed=0)
    truth = calibration.response(twin, played)
    ours = simulate_oscillator(replace(device, noise=0.0), played).voltage.values[:-1]
    assert np.sqrt(np.mean((ours - truth) ** 2)) / truth.std() < left + 0.002
    np.testing.assert_allclose(device.settled(STEPS), fitted.settled(STEPS), rtol=0.06)


def test_fit_finds_an_oscillator_again():
    """A stand-in for a twin whose numbers are known: another embedded oscillator."""
    truth = WORKING_POINTS["spectrogram"]

    def answer(twin, drive):
        return simulate_oscillator(replace(truth, noise=0.0), drive).voltage.values[:-1]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(calibration, "response", answer)
        fitted, left = calibration.fit_response(None, NanoOscillator(), samples=2000)
    assert left < 0.01
    np.testing.assert_allclose(fitted.settled(STEPS), truth.settled(STEPS), rtol=0.03)


def test_thermal_noise_is_set_to_a_deviation():
    device, played = NanoOscillator(), calibration.random_drive(20_000, seed=3)
    strength = calibration.langevin_strength(device, played, 2e-3)
    quiet, noisy = (
        simulate_oscillator(replace(device, noise=noise), played, seed=4).voltage.values
        for noise in (0.0, strength)
    )
    assert np.std(noisy - quiet) == pytest.approx(2e-3, rel=0.05)


def test_noise_is_found_from_the_change_of_rates():
    levels = np.array([0.0, 1.0, 2.0])
    rates = np.array([[0.5, 0.9], [0.6, 0.88], [0.65, 0.8]])
    # published: easier speakers, and the change that half way from 1 to 2 would make
    quiet = np.array([0.8, 0.95])
    level, left = calibration.noise_of_rates(levels, rates, quiet, quiet + np.array([0.125, -0.06]))
    assert level == pytest.approx(1.5, abs=0.01) and left < 1e-3
    with pytest.raises(InputError, match="rise from zero"):
        calibration.noise_of_rates([1.0, 2.0], rates[:2], quiet, quiet)
    with pytest.raises(InputError, match="do not fit 3 levels"):
        calibration.noise_of_rates(levels, rates[:2], quiet, quiet)


def test_settles_where_it_says():
    for volts in STEPS:
        end = simulate_oscillator(QUIET, step_to(volts)).voltage.values[-1]
        assert end == pytest.approx(QUIET.settled(np.array([volts]))[0], abs=1e-5)


def test_rests_at_zero():
    assert np.abs(simulate_oscillator(QUIET, drive(np.zeros(50))).voltage.values).max() < 1e-6


def test_noise_is_that_of_its_definition():
    # Without time to relax, the variance of the amplitude grows by noise^2 t.
    device = NanoOscillator(noise=2.0)
    slow = replace(device, damping_rate=1.0)  # nothing relaxes within a second
    voltage = simulate_oscillator(slow, drive(np.zeros(200_001)), seed=3).voltage.values
    strength = np.sqrt(np.mean(np.diff(voltage) ** 2) / 100e-9)
    assert strength == pytest.approx(2.0, rel=0.01)


def test_same_seed_same_response():
    device, played = NanoOscillator(), step_to(0.1)
    first, again, other = (
        simulate_oscillator(device, played, seed=seed).voltage for seed in (1, 1, 2)
    )
    assert first.identical(again)
    assert not np.allclose(first, other)
    assert first.attrs["units"] == "V"


def test_noisy_mean_follows_the_noise_free_response():
    played = drive(0.08 * np.random.default_rng(0).normal(size=2000))
    quiet = simulate_oscillator(QUIET, played).voltage.values
    noisy = [
        simulate_oscillator(NanoOscillator(), played, seed=seed).voltage.values
        for seed in range(200)
    ]
    spread = np.std(noisy, axis=0).mean()
    assert np.sqrt(np.mean((np.mean(noisy, axis=0) - quiet) ** 2)) < 0.15 * spread


@pytest.mark.parametrize(
    "change, words",
    [
        ({"noise": -1.0}, "noise"),
        ({"gain": 0.0}, "gain"),
        ({"supercriticality": 0.9}, "below the threshold"),
        ({"nonlinear_damping": (-5.0, 0.0, 0.0)}, "larger current"),
    ],
)
def test_refuses_nonsense(change, words):
    with pytest.raises(InputError, match=words):
        replace(QUIET, **change)


def test_refuses_drives_it_cannot_take():
    with pytest.raises(InputError, match="is it in volts"):
        simulate_oscillator(QUIET, drive([0.0, 80.0, 0.0]))
    with pytest.raises(InputError, match="nan V"):
        simulate_oscillator(QUIET, drive([0.0, np.nan, 0.0]))
    with pytest.raises(InputError, match="variable drive"):
        simulate_oscillator(QUIET, drive([0.0, 0.1]).rename(drive="voltage"))
