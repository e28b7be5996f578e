"""From data to a forecast in a few lines, for both forms, with nothing guessed."""

import numpy as np
import pytest
import xarray as xr
from scipy import signal

from spinode import SpinODE, fit, forecast, load_model
from spinode.errors import InputError
from spinode.neural_ode.latent import LatentODE

NOISE = 0.03


def resonator(samples=3000, seed=0, noise=NOISE, runs=1):
    """A driven resonator (V, us) whose drive saturates, with noise; and its clean output."""
    generator = np.random.default_rng(seed)
    drive = 40 * signal.lfilter([0.2], [1, -0.8], generator.normal(size=samples))
    clean = 2e-3 * signal.lfilter([0.02, 0.01], [1, -1.85, 0.9], np.tanh(drive / 30)) + 5e-3
    noisy = clean + noise * clean.std() * generator.normal(size=samples)
    run = xr.Dataset(
        {
            "drive": ("time", drive, {"units": "mV"}),
            "v": ("time", noisy, {"units": "V"}),
            "clean": ("time", clean, {"units": "V"}),
        },
        {"time": ("time", 3.0 * np.arange(samples) + 40, {"units": "us"})},
    )
    return run


def error(run, truth, skip=50):
    left = (run.v.values - truth.clean.values)[skip:]
    return float(np.sqrt(np.mean(left**2)) / truth.clean.values.std())


@pytest.fixture(scope="module")
def learned():
    recording = resonator()
    model = SpinODE.for_data(recording, output="v", inputs="drive")
    history = fit(model, recording, train=(0, 2000), states="auto", width=8, progress=False)
    return recording, model, history


def test_a_newcomers_resonator_in_four_lines(learned):
    """With 3 % of noise the clean output is forecast to less than that, nothing being guessed."""
    recording, model, history = learned
    later = recording.isel(time=slice(2000, None))
    assert error(forecast(model, later, initial=later), later) < NOISE / 2
    assert int(history.chosen.sum()) == 1
    assert set(history.data_vars) >= {"states", "width", "ridge", "interpolation", "typical"}


def test_a_model_of_either_form_comes_back_from_its_file(learned, tmp_path):
    recording, model, _ = learned
    path = model.save(tmp_path / "own.npz")
    again = load_model(path)
    assert isinstance(again, LatentODE)
    drive = recording[["drive"]].isel(time=slice(0, 300))
    np.testing.assert_array_equal(forecast(again, drive).v, forecast(model, drive).v)
    other = SpinODE.for_data(recording, output="v", inputs="drive", state="delays", k=2)
    other.save(tmp_path / "delays.npz")
    assert isinstance(load_model(tmp_path / "delays.npz"), SpinODE)


def test_forecasts_of_both_forms_take_the_same_arguments(learned):
    recording, model, _ = learned
    later = recording.isel(time=slice(2000, 2600))
    runs = forecast(model, [later, later], initial=[later, later], every=3, band=0.9)
    assert runs.v.dims == ("run", "time")
    assert runs.sizes["time"] == 200
    assert bool((runs.v_low < runs.v).all())
    few = forecast(model, later, initial=later, start_samples=20, duration=300e-6)
    assert few.sizes["time"] == 101


def test_delayed_outputs_learn_with_the_same_lines():
    """On clean data the paper's form, its scales, time scale and order from the data."""
    recording = resonator(noise=0.0)
    model = SpinODE.for_data(recording, output="v", inputs="drive", state="delays")
    assert model.output.scale == pytest.approx(float(recording.v.std()))
    assert 2 <= model.k <= 4
    fit(model, recording, train=(0, 2000), iterations=1000, progress=False)
    later = recording.isel(time=slice(2000, None))
    assert error(forecast(model, later, initial=later), later) < 0.1


def rotor():
    """dx/dt = -x + e exactly, as delayed outputs would have it, k = 1."""
    import torch

    model = SpinODE.for_data(resonator(600), output="v", inputs="drive", state="delays", k=1)
    with torch.no_grad():
        for parameter in model.f.parameters():
            parameter.zero_()
        # A small argument keeps tanh linear.
        model.f[0].weight[0] = torch.tensor([-1e-4, 1e-4])
        model.f[2].weight[0, 0] = 1.0
        model.f[4].weight[0, 0] = 1e4
    return model


def test_a_start_from_many_noisy_samples_is_better_than_from_one():
    """The start of dx/dt = -x + e, from one sample of noise 0.3 and from a fit to forty."""
    model = rotor()
    drive = resonator(600)[["drive"]]
    truth = forecast(model, drive, initial=[model.output.restore(2.0)], start=40e-6)
    generator = np.random.default_rng(2)
    noise = 0.3 * model.output.scale * generator.normal(size=(100, 40))
    fits, single = [], []
    for one in noise:
        measured = truth.v.values[:40] + one
        fits.append(forecast(model, drive, initial=measured, start=40e-6).v.values[0])
        single.append(measured[0])
    spread = np.std(fits) / model.output.scale
    # Least squares: the free response exp(-t) gathers the samples' information.
    response = np.exp(-model.step * np.arange(40))
    assert spread == pytest.approx(0.3 / np.sqrt(np.sum(response**2)), rel=0.2)
    assert np.std(single) / model.output.scale > 2 * spread


def test_a_start_from_rest_is_the_steady_state():
    model = rotor()
    drive = resonator(600)[["drive"]]
    first = model.inputs[0].normalize(1e-3 * float(drive.drive[0]) * 1e3)
    run = forecast(model, drive)
    assert model.output.normalize(float(run.v[0])) == pytest.approx(first, abs=1e-3)


def test_what_does_not_go_together_gets_one_sentence(learned):
    recording, model, _ = learned
    with pytest.raises(InputError, match="validation is an option for a model with a state of del"):
        fit(model, recording, validation=(0, 10))
    with pytest.raises(InputError, match="fit has no option 'speed'"):
        fit(model, recording, speed=3)
    delayed = SpinODE.for_data(recording, output="v", inputs="drive", state="delays", k=2)
    with pytest.raises(InputError, match="states is an option for a model with a state of its own"):
        fit(delayed, recording, states="auto")
    with pytest.raises(InputError, match="only models with a state of their own have a band"):
        forecast(delayed, recording, initial=recording, band=0.9)
    blank = SpinODE.for_data(recording, output="v", inputs="drive")
    with pytest.raises(InputError, match="has learned nothing yet"):
        forecast(blank, recording)
    with pytest.raises(InputError, match="state must be 'own' or 'delays'"):
        SpinODE.for_data(recording, output="v", inputs="drive", state="both")
    with pytest.raises(InputError, match="lacks w"):
        SpinODE.for_data(recording, output="w", inputs="drive")
