"""Devices that integrate: what is measured keeps its place when nothing drives it."""

import numpy as np
import pytest
import xarray as xr

from spinode.neural_ode import linear
from spinode.neural_ode.dead_time import dead_times
from spinode.neural_ode.identification import identify
from spinode.neural_ode.latent import LatentODE
from spinode.neural_ode.state_space import Shape, simulate
from spinode.neural_ode.variable_projection import Window

SPACING, SAMPLES, TRAIN = 1e-3, 7000, 5000


@pytest.fixture(scope="module")
def carriage():
    """A carriage with dry friction, moved from place to place by a controller: force and place."""
    generator = np.random.default_rng(4)
    goals = np.repeat(generator.uniform(-1, 1, size=SAMPLES // 500), 500)
    place = speed = goal = 0.0
    force, path = np.empty(SAMPLES), np.empty(SAMPLES)
    for n in range(SAMPLES):
        goal += (goals[n] - goal) / 60
        path[n] = place
        force[n] = np.clip(8 * (goal - place) - 6 * speed, -2, 2)
        for _ in range(10):
            slope = (force[n] - 1.5 * speed - 0.2 * np.tanh(speed / 0.02)) / 60
            place, speed = place + speed / 200, speed + slope / 10
    noisy = path + 1e-3 * path.std() * generator.normal(size=SAMPLES)
    data = {"place": ("time", noisy), "force": ("time", force)}
    return xr.Dataset(data, {"time": SPACING * np.arange(SAMPLES)})


@pytest.fixture(scope="module")
def model(carriage):
    early = carriage.isel(time=slice(0, TRAIN))
    return identify(
        early, output="place", inputs="force", states=2, width=8, ridge=1e-7,
        interpolation="held", progress=False,
    )  # fmt: skip


def test_a_carriage_is_forecast(carriage, model):
    """A place that a force alone gives, for two seconds: friction decides where it stops."""
    late = carriage.isel(time=slice(TRAIN, None))
    run = model.forecast(late[["force"]], late)
    left = (run.place - late.place)[model.start_samples :]
    assert model.shape.integrating
    assert float(np.sqrt((left**2).mean()) / late.place.std()) < 0.02


def test_an_integral_keeps_what_it_has(carriage, model, tmp_path):
    """No slope depends on it: a start that lies elsewhere stays elsewhere, by as much."""
    path = model.save(tmp_path / "carriage.npz")
    loaded = LatentODE.load(path)
    assert loaded.shape.integrating
    late = carriage.isel(time=slice(TRAIN, None))
    beside = late.assign(place=late.place + 0.25)
    runs = [loaded.forecast(late[["force"]], one).place for one in (late, beside)]
    np.testing.assert_allclose(runs[1] - runs[0], 0.25, atol=1e-3)


def test_no_dead_time_is_seen_in_what_drifts(carriage):
    """Without an integral a simulation drifts, and inputs that come late can hide how far."""
    drive, output = carriage.force.values, carriage.place.values
    stages = np.repeat((drive - drive.mean()) / drive.std(), 3)[: 3 * SAMPLES - 2, None]
    record = Window(stages, (output - output.mean()) / output.std(), np.ones(SAMPLES))
    assert dead_times([record]) == (0,)


@pytest.mark.parametrize("noise", [0.0, 1e-3, 5e-3, 2e-2])
def test_noise_that_hides_the_beginning_of_a_move_is_no_dead_time(noise):
    """A mass under forces that are held for 40 samples: in one it moves less than the noise."""
    generator = np.random.default_rng(7)
    force = 2 * np.repeat(generator.uniform(-1, 1, size=105), 40)
    speed, path = 0.0, np.zeros(force.size)
    for n in range(force.size - 1):
        speed += 0.01 * (force[n] - speed - 0.3 * np.tanh(speed / 0.02))
        path[n + 1] = path[n] + 0.01 * speed
    path += noise * path.std() * generator.normal(size=path.size)
    stages = np.repeat((force - force.mean()) / force.std(), 3)[: 3 * path.size - 2, None]
    record = Window(stages, (path - path.mean()) / path.std(), np.ones(path.size))
    assert dead_times([record]) == (0,)


def test_the_slowest_mode_becomes_an_integral():
    """Of a model that has one already the output stays; the other modes keep their rates."""
    shape = Shape(3, 1)
    generator = np.random.default_rng(0)
    rates = np.array([[0.0, 0.0, 0.0], [0.0, -0.1, 0.7], [0.0, -0.7, -0.1]])
    turned = generator.normal(size=(3, 3))
    slope = turned @ rates @ np.linalg.inv(turned)
    wf = np.concatenate([slope, generator.normal(size=(3, 2))], axis=1)
    weights = shape.pack(wf=wf, co=generator.normal(size=5))
    stages = generator.normal(size=(3 * 99 + 1, 1))
    before, _ = simulate(shape, weights, 0.5, np.zeros(3), stages)
    pinned, new = linear.integrating(shape, weights)
    after, _ = simulate(pinned, new, 0.5, np.zeros(3), stages)
    np.testing.assert_allclose(after, before, atol=1e-9)
    slope = pinned.unpack(new)[1][:, :3]
    assert not slope[:, 0].any()
    found = np.sort_complex(np.linalg.eigvals(slope))
    np.testing.assert_allclose(found, [-0.1 - 0.7j, -0.1 + 0.7j, 0.0], atol=1e-9)


@pytest.mark.parametrize("slopes", [[[-0.1, 0.7], [-0.7, -0.1]], [[-0.1, 1.0], [0.0, -0.1]]])
def test_without_a_slow_mode_an_integral_takes_the_place_of_a_state(slopes):
    """All modes swing, or two are one: there is none to be made slower."""
    shape = Shape(2, 1)
    wf = np.concatenate([slopes, [[0.2, 0.0], [0.4, 0.0]]], axis=1)
    pinned, new = linear.integrating(shape, shape.pack(wf=wf, co=np.ones(4)))
    slope = pinned.unpack(new)[1]
    assert not slope[0].any() and not slope[:, 0].any()
    assert np.isfinite(simulate(pinned, new, 1.0, np.ones(2), np.ones((31, 1)))[0]).all()


def test_new_neurons_do_not_see_an_integral():
    shape = Shape(2, 1, integrating=True)
    wider, weights = shape.widened(shape.pack(), 4, 0, seed=0)
    w1 = wider.unpack(weights)[0]
    assert not w1[0].any() and w1[1:].all()
    assert not wider.unpack(wider.free().astype(float))[0][0].any()
