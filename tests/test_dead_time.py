"""Inputs that reach the device late."""

import numpy as np
import pytest
import xarray as xr
from scipy.signal import butter, lfilter

from spinode.neural_ode.dead_time import dead_times
from spinode.neural_ode.identification import identify
from spinode.neural_ode.latent import LatentODE
from spinode.neural_ode.variable_projection import Window

SPACING = 0.5


def heater(late, seed=0, samples=1500):
    """Two lags behind a pipe: the drive, and the noisy output."""
    generator = np.random.default_rng(seed)
    drive = np.repeat(generator.uniform(-1, 1, size=samples // 10), 10)
    arrived = np.concatenate([np.full(late, drive[0]), drive])[:samples]
    clean = lfilter([0.2], [1, -0.8], lfilter([0.1], [1, -0.9], np.tanh(arrived)))
    return drive, clean + 0.03 * clean.std() * generator.normal(size=samples)


def window(drives, output):
    normal = np.stack([(one - one.mean()) / one.std() for one in drives], axis=1)
    stages = np.repeat(normal, 3, axis=0)[: 3 * len(output) - 2]
    return Window(stages, (output - output.mean()) / output.std(), np.ones(len(output)))


def is_near(found, late):
    """What is shifted too far is lost; what is shifted too little, by a few samples, is learned."""
    return max(late - 5, 0) <= found <= late


@pytest.mark.parametrize("late", [0, 12, 40, 110])
def test_a_pipe_is_found(late):
    drive, output = heater(late)
    (found,) = dead_times([window([drive], output)])
    assert is_near(found, late)


@pytest.mark.parametrize("noise", [0.0, 1e-3, 0.05])
def test_a_filter_is_no_pipe(noise):
    """Six lags answer late, too; behind a pipe there is nothing, behind them there is little."""
    generator = np.random.default_rng(1)
    drive = lfilter([0.4], [1, -0.6], generator.normal(size=8000))
    b, a = butter(3, 0.15)
    clean = lfilter(b, a, np.tanh(lfilter(b, a, drive)))
    output = clean + noise * clean.std() * generator.normal(size=drive.size)
    assert dead_times([window([drive], output)]) == (0,)


def test_each_input_has_its_own():
    first, one = heater(30, seed=1)
    second, other = heater(0, seed=2)
    found = dead_times([window([first, second], one + other)])
    assert is_near(found[0], 30) and found[1] == 0


def test_a_model_with_a_dead_time_forecasts_and_is_kept(tmp_path):
    drive, output = heater(40)
    time = SPACING * np.arange(len(drive))
    data = xr.Dataset({"level": ("time", output), "valve": ("time", drive)}, {"time": time})
    early, late = data.isel(time=slice(0, 1000)), data.isel(time=slice(1000, None))
    options = {"states": 2, "width": 0, "progress": False}
    model = identify(early, output="level", inputs="valve", **options)
    assert is_near(model.dead_times[0], 40)
    path = model.save(tmp_path / "heater.pt")
    # What drove it before the start is used where it is given.
    run = LatentODE.load(path).forecast(data[["valve"]], late)
    assert float(run.time[0]) == float(late.time[0])
    np.testing.assert_array_equal(run.valve, late.valve)
    error = float(np.sqrt(((run.level - late.level)[50:] ** 2).mean()) / late.level.std())
    assert error < 0.15  # the lags are linear, the valve is not
    # Where it is not, the samples that it drove count nothing, and the start is soon forgotten.
    without = model.forecast(late[["valve"]], late)
    assert float(abs(without.level - run.level)[100:].max()) < 0.02
