"""What is trained on: units and scales of data, and several experiments at once."""

import numpy as np
import pytest
import torch
import xarray as xr
from test_training import FAST, SPACING, duffing_model, oscillator, weights

from spinode.devices.drives import HeldSequence
from spinode.errors import InputError
from spinode.neural_ode import gradients, training
from spinode.neural_ode.forecast import forecast
from spinode.neural_ode.levenberg_marquardt import LevenbergMarquardt
from spinode.neural_ode.model import SpinODE
from spinode.neural_ode.stretch import stretch_of
from spinode.trajectory import Channel


def relaxator(seed, samples=500, scale=1.0):
    """A driven relaxator, v' = (u - v) / 0.7, solved exactly for an input of straight lines."""
    generator = np.random.default_rng(seed)
    u = np.interp(np.arange(samples), 9 * np.arange(60), generator.uniform(-1, 1, 60))
    decay = np.exp(-SPACING / 0.7)
    v = np.zeros(samples)
    for n in range(samples - 1):
        slope = (u[n + 1] - u[n]) / SPACING
        particular = u[n] - 0.7 * slope
        v[n + 1] = u[n + 1] - 0.7 * slope + (v[n] - particular) * decay
    data = xr.Dataset({"voltage": ("time", scale * v), "drive": ("time", scale * u)})
    return data.assign_coords(time=SPACING * np.arange(samples))


def in_millivolts(data, *names):
    return data.assign({name: (1e3 * data[name]).assign_attrs(units="mV") for name in names})


def test_data_in_other_units_train_the_same_weights():
    """Millivolts and nanoseconds are converted, not taken for volts and seconds."""
    data = oscillator()
    plain = duffing_model()
    training.fit_delays(plain, data, **FAST)
    other = in_millivolts(data, "voltage", "drive")
    other = other.assign_coords(time=("time", 1e9 * data.time.values, {"units": "ns"}))
    span = np.round(1e9 * data.time.values).astype("timedelta64[ns]")
    for trajectory in (other, other.assign_coords(time=span)):
        model = duffing_model()
        training.fit_delays(model, trajectory, **FAST)
        np.testing.assert_allclose(weights(model), weights(plain), rtol=0, atol=1e-9)
        low, high = plain.trained_range["voltage"]
        assert model.trained_range["voltage"] == pytest.approx((low, high))


@pytest.mark.parametrize(
    "change, message",
    [
        ({"voltage": "A"}, "voltage is in A but is needed in V"),
        ({"drive": "J/m3"}, "drive is in J/m3 but is needed in V"),
        ({"drive": "arb. u."}, "drive is in arb. u. but is needed in V"),
        ({"time": "V"}, "time is in V but is needed in s"),
    ],
)
def test_units_of_something_else_are_refused(change, message):
    data = oscillator()
    for name, units in change.items():
        data[name].attrs["units"] = units
    with pytest.raises(InputError, match=message):
        training.fit_delays(duffing_model(), data, **FAST)


def test_dates_are_refused():
    data = oscillator()
    dates = np.datetime64("2026-01-01") + np.round(1e9 * data.time.values).astype("timedelta64[ns]")
    with pytest.raises(InputError, match="time holds dates; give seconds"):
        training.fit_delays(duffing_model(), data.assign_coords(time=dates), **FAST)


@pytest.mark.parametrize(
    "name, scale, message",
    [
        (
            "voltage",
            1e-9,
            r"normalized, voltage has .* no training succeeds at; .* scale = .*e-10",
        ),
        ("voltage", 1e6, r"normalized, voltage has mean .* deviation .*e\+05"),
        ("voltage", 1e3, "normalized, voltage has mean .* no training succeeds"),
        ("voltage", 0.0, "voltage never changes"),
        ("drive", 1e-6, "normalized, drive has mean .* no training succeeds"),
        ("drive", 1e6, "normalized, drive has mean .* no training succeeds"),
    ],
)
def test_a_scale_at_which_no_training_succeeds(name, scale, message):
    data = oscillator()
    data[name] = data[name] * scale
    with pytest.raises(InputError, match=message):
        training.fit_delays(duffing_model(), data, **FAST)


def test_counts_of_a_converter_train_as_their_volts_do():
    """Whole numbers lose nothing but their rounding; at a scale of 1 V they are refused."""
    options = FAST | {"train": (0, 400), "iterations": 200}
    counts = relaxator(1, scale=1000.0).round().astype(int)
    errors = []
    for data in (relaxator(1), counts):
        largest = float(abs(data.drive).max())
        output, drive = (Channel(name, "V", scale=largest) for name in ("voltage", "drive"))
        model = SpinODE(output, (drive,), sample_spacing=SPACING, time_scale=1.0, width=10, k=1)
        errors.append(float(training.fit_delays(model, data, **options).train_mse[-1]))
    assert errors[1] == pytest.approx(errors[0], rel=0.02)
    with pytest.raises(InputError, match=r"no training succeeds at; .* scale = \d+ V"):
        training.fit_delays(duffing_model(k=1), counts, **options)


def test_several_trajectories_are_several_experiments():
    """Short runs from several starts teach what each is too short to teach; none is joined."""
    runs = [relaxator(seed, samples=120) for seed in range(6)]
    options = FAST | {"iterations": 400, "batch": 20, "learning_rate": 1e-2}
    del options["train"]
    model = duffing_model(k=1)
    history = training.fit_delays(model, runs, lm_steps=5, lm_window=60, **options)
    assert history.train_mse[-1] < history.train_mse[0]
    unseen = relaxator(99)
    run = forecast(model, unseen, initial=unseen, interpolation="linear")
    error = np.sqrt(np.mean((run.voltage.values - unseen.voltage.values) ** 2))
    assert error < 0.05 * float(unseen.voltage.std())


def test_a_run_dimension_is_a_list_of_trajectories():
    """In either order of dimensions, with the padding of runs that ended early cut off."""
    runs = [relaxator(1), relaxator(2, samples=300)]
    padded = xr.concat(runs, "run", join="outer")
    options = FAST | {"iterations": 20}
    del options["train"]
    trained = []
    for trajectory in (runs, padded, padded.transpose("time", "run")):
        model = duffing_model()
        training.fit_delays(model, trajectory, **options)
        trained.append(weights(model))
    np.testing.assert_array_equal(trained[0], trained[1])
    np.testing.assert_array_equal(trained[0], trained[2])


def test_forecasts_can_be_trained_on():
    teacher, data = duffing_model(k=1), relaxator(1)
    teacher.trained_range = {"voltage": (-100.0, 100.0)}
    taught = forecast(
        teacher, [data, relaxator(2)], initial=[np.zeros(1)] * 2, interpolation="cubic"
    )
    assert taught.voltage.dims == ("run", "time")
    model = duffing_model(k=1)
    history = training.fit_delays(model, taught, **(FAST | {"iterations": 1}))
    assert history.train_mse[0] < 1e-20  # the same weights: the teacher itself


def test_no_window_crosses_a_seam():
    """Every window is drawn, and all are whole, for stretches of unequal length."""
    model = duffing_model(k=3)
    runs = [relaxator(1, samples=40), relaxator(2, samples=25), relaxator(3, samples=60)]
    samples = [(3, 40), None, (0, 17)]
    stretch = stretch_of("train", samples, 10, model, runs, [None] * 3, "cubic")
    assert stretch.pieces == [(0, 34), (37, 14)]
    drawn = stretch.draw(np.random.default_rng(0), 4000, 10)
    whole = [*range(25), *range(37, 42)]
    assert sorted(set(drawn.tolist())) == whole
    assert np.bincount(drawn)[whole].min() > 80  # of 133 expected
    for first in whole:
        assert np.isfinite(stretch.states[first : first + 11]).all()
        assert np.isfinite(stretch.inputs(first, 10)).all()
    for before in (25, 36):
        window = stretch.states[before : before + 11], stretch.inputs(before, 10)
        assert not all(np.isfinite(one).all() for one in window)
    second = relaxator(3, samples=60)
    np.testing.assert_array_equal(stretch.states[37], second.voltage.values[:3])
    driven = stretch.stages[3 * 37 :: 3, 0]
    np.testing.assert_allclose(driven, second.drive.values[:17], rtol=0, atol=1e-12)


@pytest.mark.parametrize("gradient", gradients.GRADIENTS)
def test_the_gradient_over_several_is_the_sum_over_each(gradient):
    model = duffing_model(k=2, seed=3)
    runs, cpu = [relaxator(1, samples=60), relaxator(2, samples=60)], torch.device("cpu")
    both = stretch_of("train", [(0, 60)] * 2, 8, model, runs, [None] * 2, "cubic")
    each = [stretch_of("train", [(0, 60)], 8, model, [run], [None], "cubic") for run in runs]
    at, starts = weights(model), np.array([0, 20, 50])
    parts = [gradients.gradient_of(model, one, gradient, cpu)(at, starts, 8) for one in each]
    joined = gradients.gradient_of(model, both, gradient, cpu)
    loss, slope = joined(at, np.concatenate([starts, starts + 60]), 8)
    assert loss == pytest.approx(np.mean([one for one, _ in parts]), rel=1e-5)
    expected = np.mean([one for _, one in parts], axis=0)
    np.testing.assert_allclose(slope, expected, rtol=0, atol=1e-5 * np.abs(expected).max())


def test_levenberg_marquardt_over_several_descends_the_sum_over_each():
    model = duffing_model(k=2, seed=3)
    runs = [relaxator(1, samples=102), relaxator(2, samples=62)]
    both = stretch_of("train", [(0, 102), (0, 62)], 8, model, runs, [None] * 2, "cubic")
    each = [
        stretch_of("train", [(0, len(run.time))], 8, model, [run], [None], "cubic") for run in runs
    ]
    joined, *alone = (LevenbergMarquardt(model, one, window=50, stride=2) for one in (both, *each))
    at, shares = weights(model), np.array([100, 60]) / 160
    for ours, *theirs in zip(
        joined._normal_equations(at), *(one._normal_equations(at) for one in alone), strict=True
    ):
        expected = sum(share * part for share, part in zip(shares, theirs, strict=True))
        np.testing.assert_allclose(ours, expected, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize(
    "options, message",
    [
        ({"train": [(0, 100)]}, "train has 1 pairs for 2 trajectories"),
        ({"train": [None, None]}, "train leaves out every trajectory"),
        ({"train": [(0, 100), (0, 900)]}, "500 samples of trajectory 1"),
        ({"inputs": [HeldSequence((0.0,) * 100, input="Ku", hold=0.1)]}, "as many drives, not 1"),
    ],
)
def test_several_trajectories_with_bad_arguments(options, message):
    with pytest.raises(InputError, match=message):
        training.fit_delays(duffing_model(), [relaxator(1), relaxator(2)], **(FAST | options))
