"""Tasks, time multiplexing and readout."""

import numpy as np
import pytest
import xarray as xr
from scipy.interpolate import CubicSpline

from spinode.errors import InputError
from spinode.reservoir import readout, tasks


def test_mackey_glass_goes_on_as_the_published_series_does(published_numbers):
    published = np.array(published_numbers["mackey_glass"])
    before = CubicSpline(np.arange(-40, 160), published)
    ours = tasks.mackey_glass_series(160, history=before)
    # six published digits make the history; chaos multiplies their rounding
    np.testing.assert_allclose(ours[:20], published[40:60], atol=1e-4)
    np.testing.assert_allclose(ours, published[40:], atol=1e-3)


def test_mackey_glass_has_the_known_range_and_seeds():
    a, b = (tasks.mackey_glass_series(400, seed=seed) for seed in (1, 2))
    for series in (a, b):
        assert 0.35 < series.min() < 0.6
        assert 1.1 < series.max() < 1.4
    assert abs(a - b).max() > 0.1
    np.testing.assert_array_equal(a, tasks.mackey_glass_series(400, seed=1))


def test_targets_are_the_shifted_series():
    task = tasks.mackey_glass(np.arange(10.0), np.array([0, 3]))
    np.testing.assert_array_equal(task.targets[:7, 1], np.arange(3.0, 10.0))
    assert np.isnan(task.targets[7:, 1]).all()
    recall = tasks.memory(10, np.array([2]), seed=1)
    np.testing.assert_array_equal(recall.targets[2:, 0], recall.inputs[:-2])


def test_narma10_obeys_its_definition():
    task = tasks.narma10(500, seed=3)
    u, y = task.inputs, task.targets[:, 0]
    n = 321
    history = sum(y[n - i] for i in range(10))
    expected = 0.3 * y[n] + 0.05 * y[n] * history + 1.5 * u[n - 9] * u[n] + 0.1
    assert y[n + 1] == pytest.approx(expected, rel=1e-12)
    assert np.isfinite(y).all()


def test_mask_is_the_documented_one():
    mask = readout.gaussian_mask()
    assert mask.shape == (50,)
    # numpy's documented legacy stream: seed 3 starts so in every version
    np.testing.assert_allclose(mask[:3], [1.78862847, 0.43650985, 0.09649747], atol=1e-8)


def test_multiplexing_and_virtual_nodes_are_inverse():
    series, mask = np.array([0.5, 1.0, 2.0]), np.array([1.0, -2.0])
    masked = readout.multiplex(series, mask, minimum=-0.4)
    np.testing.assert_allclose(masked, [[0.05, -0.1], [0.1, -0.2], [0.2, -0.4]])
    # a device that repeats its drive, sampled twice a hold
    held = np.repeat(masked.ravel(), 2)
    time = 5e-12 * np.arange(held.size)
    response = xr.Dataset({"mz": ("time", held)}, {"time": time})
    np.testing.assert_allclose(readout.virtual_nodes(response, "mz", 2, 10e-12), masked)
    # an unfinished point is left out
    part = response.isel(time=slice(0, 11))
    assert readout.virtual_nodes(part, "mz", 2, 10e-12).shape == (3, 2)


def echo_network(inputs, nodes=60, radius=0.9, seed=0):
    rng = np.random.default_rng(seed)
    coupling = rng.standard_normal((nodes, nodes))
    coupling *= radius / abs(np.linalg.eigvals(coupling)).max()
    entry = rng.uniform(-1, 1, nodes)
    states, x = np.empty((len(inputs), nodes)), np.zeros(nodes)
    for n, u in enumerate(inputs):
        states[n] = x = coupling @ x + entry * u
    return states


def test_linear_reservoir_remembers_as_much_as_it_has_nodes():
    """A linear network of N nodes has memory capacity N (Jaeger 2001, proposition 2)."""
    nodes, delays = 10, np.arange(30)
    rng = np.random.default_rng(1)
    task = tasks.memory(6000, delays)
    cycle = np.roll(np.eye(nodes), 1, axis=0) * 0.95
    states, x = np.empty((6000, nodes)), np.zeros(nodes)
    entry = rng.uniform(0.5, 1, nodes)
    for n, u in enumerate(task.inputs):
        states[n] = x = cycle @ x + entry * u
    result = readout.train_readout(states, task, train=4000, discard=100, ridge=1e-10)
    capacity = np.sum(1 - result.nrmse**2)
    assert capacity == pytest.approx(nodes, abs=0.4)


def test_readout_equals_scikit_learn_s_formula_and_beats_the_bare_input():
    series = tasks.mackey_glass_series(1500, seed=4)
    task = tasks.mackey_glass(series, np.array([1, 5, 20]))
    states = np.tanh(echo_network(series))
    found = readout.train_readout(states, task, train=900, discard=100, ridge=1e-6)
    bare = readout.train_readout(series[:, None], task, train=900, discard=100, ridge=1e-6)
    assert (found.nrmse < 0.5 * bare.nrmse).all()
    # independent solution: least squares of the system with the penalty as extra rows
    rows = slice(100, 1000)
    centred = states[rows] - states[rows].mean(0)
    goal = task.targets[rows] - task.targets[rows].mean(0)
    stacked = np.vstack([centred, np.sqrt(1e-6) * np.eye(60)])
    weights = np.linalg.lstsq(stacked, np.vstack([goal, np.zeros((60, 3))]), rcond=None)[0]
    expected = (states[1000:] - states[rows].mean(0)) @ weights + task.targets[rows].mean(0)
    np.testing.assert_allclose(found.predictions, expected, atol=1e-6)


def test_cross_validation_tests_every_fold():
    series = tasks.mackey_glass_series(900, seed=4)
    task = tasks.mackey_glass(series, np.array([1, 5]))
    scores = readout.cross_validate(np.tanh(echo_network(series)), task, folds=4, discard=100)
    assert scores.shape == (4, 2)
    assert (scores < 0.5).all()


def test_bad_input():
    task = tasks.mackey_glass(np.ones(10), np.array([1]))
    with pytest.raises(InputError, match="nothing to test"):
        readout.train_readout(np.zeros((10, 2)), task, train=9, discard=1)
    with pytest.raises(InputError, match="NaN"):
        readout.train_readout(np.full((10, 2), np.nan), task, train=4, discard=1)
    for options, message in (
        ({"train": 0}, "train must be"),
        ({"discard": -1}, "discard must be"),
        ({"ridge": 0.0}, "ridge must be a positive number"),
    ):
        with pytest.raises(InputError, match=message):
            readout.train_readout(np.zeros((10, 2)), task, **({"train": 4, "discard": 1} | options))
    with pytest.raises(InputError, match="do not fit a task of 10 points"):
        readout.train_readout(np.zeros((11, 2)), task, train=4, discard=1)
    with pytest.raises(InputError, match="do not fit a task of 10 points"):
        readout.cross_validate(np.zeros((11, 2)), task, folds=2, discard=0)
    with pytest.raises(InputError, match="empty or holds NaN"):
        readout.multiplex(np.array([1.0, np.nan]), np.array([-1.0, 1.0]), -0.4)
    with pytest.raises(InputError, match="folds"):
        readout.cross_validate(np.zeros((10, 2)), task, folds=1, discard=0)
    with pytest.raises(InputError, match="below zero"):
        readout.multiplex(np.ones(3), np.ones(2), -0.4)
    response = xr.Dataset({"mz": ("time", np.zeros(9))}, {"time": 4e-12 * np.arange(9)})
    with pytest.raises(InputError, match="lacks 'voltage'; it has mz"):
        readout.virtual_nodes(response, "voltage", 2, 8e-12)
    with pytest.raises(InputError, match="nodes must be a whole number"):
        readout.virtual_nodes(response, "mz", 0, 8e-12)
    with pytest.raises(InputError, match="does not divide"):
        readout.virtual_nodes(response, "mz", 2, 10e-12)
    with pytest.raises(InputError, match="simulate longer"):
        readout.virtual_nodes(response, "mz", 20, 8e-12)
    with pytest.raises(InputError, match="looks 40 points away, but the series has 30"):
        tasks.memory(30, np.arange(41))
    with pytest.raises(InputError, match="needs more than 3 points"):
        tasks.narma10(3)
