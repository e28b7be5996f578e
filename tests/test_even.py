"""Outputs that show the size of what moves and not its sign."""

import numpy as np
import pytest
import xarray as xr

from spinode.neural_ode import even
from spinode.neural_ode.identification import identify
from spinode.neural_ode.variable_projection import Window

SPACING, SAMPLES, TRAIN = 0.02, 600, 420


def pulley(shows, seed):
    """A record of a pulley on a spring behind a slow motor: its clean speed, and what is shown."""
    generator = np.random.default_rng(seed)
    sign = generator.choice([-1.0, 1.0], size=SAMPLES // 6)
    size = generator.choice([0.5, 1.0, 1.5], size=SAMPLES // 50)
    drive = np.repeat(sign, 6) * np.repeat(size, 50)
    motor = angle = speed = 0.0
    path = []
    for volt in drive:
        path.append(angle)
        for _ in range(20):
            motor, angle, speed = (
                motor + (1.5 * volt - motor) / 240,
                angle + speed / 20,
                speed + (0.12 * (motor - angle) - 0.15 * speed) / 20,
            )
    clean = shows(np.array(path))
    noisy = clean + 0.02 * clean.std() * generator.normal(size=SAMPLES)
    time = SPACING * np.arange(SAMPLES)
    data = {"speed": ("time", noisy), "volt": ("time", drive)}
    return xr.Dataset(data, {"time": time}), clean, np.array(path)


def window(record):
    drive, speed = record.volt.values, record.speed.values
    stages = np.repeat(drive / drive.std(), 3)[: 3 * SAMPLES - 2, None]
    return Window(stages, (speed - speed.mean()) / speed.std(), np.ones(SAMPLES))


@pytest.mark.parametrize("shows", [np.abs, np.square])
def test_the_sign_is_found(shows):
    record, _, path = pulley(shows, seed=1)
    (found,) = even.signed([window(record)])
    moving = np.abs(path) > 0.3 * path.std()
    agree = np.mean(np.sign(found)[moving] == np.sign(path)[moving])
    assert max(agree, 1 - agree) > 0.9


def test_an_output_with_a_sign_is_left_alone():
    for shows in (np.positive, np.tanh, np.exp, lambda x: np.maximum(x, 0)):
        assert even.signed([window(pulley(shows, seed=2)[0])]) is None


def test_a_counted_speed_is_forecast():
    record, clean, _ = pulley(np.abs, seed=1)
    early = record.isel(time=slice(0, TRAIN))
    late = record.isel(time=slice(TRAIN, None))
    model = identify(early, output="speed", inputs="volt", states=4, progress=False)
    assert model.shape.output_width > 0
    error = (model.forecast(late[["volt"]], late).speed - clean[TRAIN:])[50:]
    assert float(np.sqrt((error**2).mean())) < 0.1 * clean.std()
    linear = identify(early, output="speed", inputs="volt", states=4, width=0, progress=False)
    error = (linear.forecast(late[["volt"]], late).speed - clean[TRAIN:])[50:]
    assert float(np.sqrt((error**2).mean())) > 0.5 * clean.std()
