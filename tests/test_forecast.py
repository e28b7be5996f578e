"""Forecasting against independent solvers, and what it says about bad input."""

import numpy as np
import pytest
import torch
import torchdiffeq
import xarray as xr
from scipy.integrate import solve_ivp

from spinode.devices.protocols import ONE_SKYRMION
from spinode.errors import InputError
from spinode.micromagnetics.tables import read_table
from spinode.neural_ode.forecast import ForecastWarning, forecast
from spinode.neural_ode.model import SpinODE
from spinode.trajectory import Channel, delay_embed

SPACING = 5e-12
FREQUENCY = 4e9


class Sine:
    """Ku = 8e5 + 2e5 sin(2 pi f t), and a slower Dind."""

    inputs = ("Ku", "Dind")
    duration = 1e-6

    def sample(self, time):
        phase = 2 * np.pi * FREQUENCY * np.asarray(time)
        return {"Ku": 8e5 + 2e5 * np.sin(phase), "Dind": 3e-3 + 4e-4 * np.cos(0.3 * phase)}


def sine_model(k=2, width=50, inputs=1, dtype=torch.float64, spacing=SPACING):
    units = ONE_SKYRMION.learning.units(0.77)
    units["inputs"] += (Channel("Dind", "J/m2", 3e-3, 4e-4),)
    units |= {"inputs": units["inputs"][:inputs], "sample_spacing": spacing}
    model = SpinODE(
        **units,
        k=k,
        width=width,
        seed=1,
        dtype=dtype,
    )
    with torch.no_grad():  # strong enough to be nonlinear, damped enough to stay bounded
        for parameter in model.parameters():
            parameter.mul_(2.0)
        model.f[4].weight[:, :].mul_(0.5)
        model.f[4].bias.zero_()
    return model


def initial(model):
    return 0.77 + 0.02 * np.arange(1, model.k + 1)


def torch_forecast(model, steps):
    """The same forecast by torchdiffeq, with the drive as a function of the carried time."""
    drive = Sine()
    names = [channel.name for channel in model.inputs]

    def slope(time, state):
        seconds = time.item() * model.time_scale
        delays = seconds + model.sample_spacing * np.arange(model.k)
        values = drive.sample(delays)
        stacked = model.normalize_inputs(np.stack([values[name] for name in names], axis=-1))
        return model(state, torch.as_tensor(stacked.T.reshape(-1), dtype=state.dtype))

    state = torch.as_tensor(model.output.normalize(initial(model)))
    times = torch.arange(steps + 1, dtype=torch.float64) * model.step
    with torch.no_grad():
        states = torchdiffeq.odeint(slope, state, times, method="rk4")
    return model.output.restore(states[:, 0].numpy())


def test_equals_torchdiffeq_over_10_000_steps():
    model = sine_model()
    ours = forecast(model, Sine(), initial=initial(model), duration=10_000 * SPACING)
    theirs = torch_forecast(model, 9_999)
    assert np.ptp(theirs) > 0.01
    assert np.abs(ours.mz.values[:10_000] - theirs).max() < 1e-10


@pytest.mark.parametrize("k, width, inputs", [(1, 7, 1), (3, 64, 2), (2, 33, 2)])
def test_any_size_equals_torchdiffeq(k, width, inputs):
    model = sine_model(k, width, inputs)
    ours = forecast(model, Sine(), initial=initial(model), duration=200 * SPACING)
    assert np.abs(ours.mz.values[:190] - torch_forecast(model, 189)).max() < 1e-12


def test_float32_follows_float64():
    double, single = sine_model(), sine_model(dtype=torch.float32)
    single.load_state_dict(double.state_dict())
    runs = [
        forecast(m, Sine(), initial=initial(m), duration=500 * SPACING) for m in (double, single)
    ]
    assert 0 < np.abs(runs[0].mz - runs[1].mz).max() < 1e-4


def test_fourth_order_towards_an_independent_solver():
    """Halving the step divides the error to scipy's DOP853 by about 16."""
    duration = 60 * SPACING
    errors = []
    for spacing in (2 * SPACING, SPACING):
        # The same right-hand side at both spacings: k = 1 has no delays.
        model = sine_model(k=1, spacing=spacing)
        drive = Sine()

        def slope(time, state, model=model, drive=drive):
            e = model.inputs[0].normalize(drive.sample(np.array([time * 2e-10]))["Ku"])
            with torch.no_grad():
                return model(torch.as_tensor(state), torch.as_tensor(e)).numpy()

        truth = solve_ivp(
            slope,
            (0, duration / 2e-10),
            model.output.normalize(initial(model)),
            method="DOP853",
            rtol=1e-13,
            atol=1e-14,
        ).y[0, -1]
        ours = forecast(model, drive, initial=initial(model), duration=duration)
        errors.append(abs(model.output.normalize(ours.mz.values[-1]) - truth))
    assert 10 < errors[0] / errors[1] < 24


def test_last_samples_are_the_delayed_outputs():
    model = sine_model(k=3)
    run = forecast(model, Sine(), initial=initial(model), duration=100 * SPACING)
    longer = forecast(model, Sine(), initial=initial(model), duration=110 * SPACING)
    assert run.sizes["time"] == 101
    np.testing.assert_array_equal(run.mz[:99], longer.mz[:99])
    np.testing.assert_allclose(run.time, SPACING * np.arange(101), rtol=1e-12)
    np.testing.assert_allclose(run.Ku, Sine().sample(run.time.values)["Ku"], rtol=1e-12)


def test_kept_samples_of_a_long_run():
    """More steps than one chunk, every 7th kept."""
    model = sine_model(width=8)
    options = {"initial": initial(model), "duration": 70_001 * SPACING}
    every = forecast(model, Sine(), **options)
    some = forecast(model, Sine(), every=7, **options)
    xr.testing.assert_allclose(some.drop_attrs(), every.isel(time=slice(0, None, 7)).drop_attrs())


def sampled(model, step, count):
    time = step * np.arange(count)
    values = Sine().sample(time)
    return xr.Dataset(
        {c.name: ("time", values[c.name]) for c in model.inputs}, coords={"time": time}
    )


def test_cubic_samples_come_close_to_the_drive():
    model = sine_model(inputs=2)
    samples = sampled(model, SPACING, 401)
    ours = forecast(model, samples, initial=initial(model), interpolation="cubic")
    truth = forecast(model, Sine(), initial=initial(model), duration=400 * SPACING)
    assert ours.sizes == truth.sizes
    assert np.abs(ours.mz - truth.mz).max() < 1e-6
    linear = forecast(model, samples, initial=initial(model), interpolation="linear")
    assert 1e-6 < np.abs(linear.mz - truth.mz).max() < 1e-2


def test_held_samples_equal_steps_by_hand():
    """Each value held two samples; a stage at the end of a hold already sees the next value."""
    model = sine_model()
    samples = sampled(model, 2 * SPACING, 51)
    ours = forecast(model, samples, initial=initial(model), interpolation="held")
    held = np.repeat(samples.Ku.values, 6)  # at every third of a sample
    held = torch.as_tensor(model.inputs[0].normalize(held))
    state = torch.as_tensor(model.output.normalize(initial(model)))
    h = model.step
    with torch.no_grad():
        for n in range(90):
            assert abs(model.output.normalize(ours.mz.values[n]) - state[0].item()) < 1e-12

            def f(y, stage, n=n):
                return model(y, held[[3 * n + stage, 3 * n + stage + 3]])

            k1 = f(state, 0)
            k2 = f(state + h / 3 * k1, 1)
            k3 = f(state + h * (k2 - k1 / 3), 2)
            k4 = f(state + h * (k1 - k2 + k3), 3)
            state = state + h / 8 * (k1 + 3 * k2 + 3 * k3 + k4)


def test_start_in_the_middle_of_a_trajectory():
    model = sine_model()
    whole = forecast(model, Sine(), initial=initial(model), duration=300 * SPACING)
    later = forecast(
        model, Sine(), initial=whole.isel(time=slice(100, None)), duration=100 * SPACING
    )
    assert later.time[0] == whole.time[100]
    # The delayed output is a state of its own: it agrees with the next sample only roughly.
    np.testing.assert_array_equal(later.mz[0], whole.mz[100])
    np.testing.assert_allclose(later.Ku, whole.Ku[100:201], rtol=1e-12)


def test_several_runs_equal_single_ones():
    model = sine_model()
    starts = [initial(model), initial(model) + 0.01, initial(model) - 0.01]
    runs = forecast(model, [Sine()] * 3, initial=starts, duration=50 * SPACING)
    assert runs.mz.dims == ("run", "time")
    for number, start in enumerate(starts):
        single = forecast(model, Sine(), initial=start, duration=50 * SPACING)
        np.testing.assert_allclose(runs.mz[number], single.mz, rtol=0, atol=1e-13)


def test_stops_where_it_leaves_the_trained_region():
    model = sine_model()
    with torch.no_grad():
        model.f[4].bias.fill_(1.0)  # a steady climb
    model.trained_range = {"mz": (0.6, 0.9)}
    with pytest.warns(ForecastWarning, match=r"was stopped at .* s, where it left") as caught:
        run = forecast(model, Sine(), initial=initial(model), duration=1000 * SPACING)
    assert 10 < run.sizes["time"] < 900
    assert run.mz.values.max() < 0.9 + 0.15 + 1e-9
    assert f"stopped at {run.time.values[-1] + SPACING:.6g} s" in str(caught[0].message)
    # Among several runs only the one is stopped, for good; the others go on.
    below = initial(model) - 0.1
    with pytest.warns(ForecastWarning, match="forecast 1 of mz was stopped"):
        runs = forecast(
            model,
            [Sine()] * 3,
            initial=[below, initial(model), below],
            duration=(run.sizes["time"] + 4) * SPACING,
        )
    np.testing.assert_allclose(runs.mz[1, : run.sizes["time"]], run.mz, rtol=0, atol=1e-13)
    assert np.isnan(runs.mz[1, run.sizes["time"] :]).all()
    assert np.isfinite(runs.mz[[0, 2]]).all()


def test_not_a_number_stops_too():
    model = sine_model()
    with torch.no_grad():
        model.f[4].weight.fill_(np.inf)
    with pytest.warns(ForecastWarning, match="stopped"):
        run = forecast(model, Sine(), initial=initial(model), duration=1000 * SPACING)
    assert np.isfinite(run.mz).all()


def test_warns_of_untrained_inputs(tmp_path):
    model = sine_model()
    model.trained_range = {"Ku": (7e5, 9e5)}
    model = SpinODE.load(model.save(tmp_path / "model.pt"))
    with pytest.warns(ForecastWarning, match=r"Ku ranges .* but from 700000 to 900000 in the tr"):
        forecast(model, Sine(), initial=initial(model), duration=200 * SPACING)


@pytest.mark.parametrize(
    "options, message",
    [
        ({"initial": [0.77]}, "starts from 2 samples of mz, not 1"),
        ({"initial": [0.77, np.nan]}, "hold NaN"),
        ({"duration": 2e-6}, "the inputs last 1e-06 s but the forecast 2e-06 s"),
        ({"duration": 0.0}, "spans at least 2 samples, not 1"),
        ({"duration": np.nan}, "duration must be a finite number of seconds"),
        ({"duration": "1 ns"}, "duration must be a finite number of seconds"),
        ({"start": np.inf}, "start must be a finite number of seconds"),
        ({"every": 0}, "every must be a whole number"),
        ({"interpolation": "held"}, "leave out interpolation"),
    ],
)
def test_bad_arguments(options, message):
    model = sine_model()
    arguments = {"initial": initial(model), "duration": 1e-9} | options
    with pytest.raises(InputError, match=message):
        forecast(model, Sine(), **arguments)


def test_bad_samples():
    model = sine_model()
    good = sampled(model, SPACING, 50)
    start = {"initial": initial(model), "interpolation": "cubic"}
    with pytest.raises(InputError, match="interpolation must be one of"):
        forecast(model, good, initial=initial(model), interpolation="nearest")
    with pytest.raises(InputError, match="add Ku"):
        forecast(model, good.rename(Ku="K"), **start)
    with pytest.raises(InputError, match="Ku is not a number at 5e-11 s"):
        forecast(model, good.where(good.time != good.time[10]), **start)
    with pytest.raises(InputError, match="begin at 5e-12 s, after the start"):
        forecast(model, good.isel(time=slice(1, None)), **start)
    with pytest.raises(InputError, match="do not fit the model's samples"):
        forecast(
            model,
            good.assign_coords(time=good.time * 1.2),
            initial=initial(model),
            interpolation="held",
        )
    late = xr.Dataset({"mz": ("time", np.full(40, 0.77))}, {"time": SPACING * np.arange(10, 50)})
    with pytest.raises(InputError, match="begins at 5e-11 s, after the start at 0 s"):
        forecast(model, good, initial=late, start=0.0, interpolation="cubic")
    coarse = xr.Dataset({"mz": ("time", delay_embed(np.ones(5), 1)[:, 0])})
    coarse = coarse.assign_coords(time=2 * SPACING * np.arange(5))
    with pytest.raises(InputError, match=r"every 5e-12 s but the initial trajectory .* 1e-11 s"):
        forecast(model, good, initial=coarse, interpolation="cubic")


def test_the_published_weights(paper_data):
    """The authors' one-skyrmion model forecasts MuMax3 as well as they report."""
    from spinode import trajectory

    table = paper_data / "Mumax3_simulations" / "1skyrmion_voltage_train" / "table.txt"
    recorded = trajectory.resample(read_table(table), SPACING, 108e-9)
    weights = torch.load(
        paper_data / "NeuralODEs/Mumax_skyrmion_model/output/params_1skyrmion_voltage.pkl",
        weights_only=True,
    )["model_state_dict"]
    model = SpinODE(**ONE_SKYRMION.learning.units(recorded))
    for theirs, ours in ((0, 0), (3, 2), (6, 4)):
        model.f[ours].weight.data.copy_(weights[f"ext0.{theirs}.weight"])
        model.f[ours].bias.data.copy_(weights[f"ext0.{theirs}.bias"])
    run = forecast(
        model,
        recorded,
        initial=recorded.isel(time=slice(1500, None)),
        interpolation="cubic",
    )
    error = run.mz.values - recorded.mz.values[1500:]
    for stretch, published in ((slice(0, 10_000), 0.028), (slice(10_000, 20_000), 0.033)):
        truth = recorded.mz.values[1500:][stretch]
        nrmse = np.sqrt(np.mean(error[stretch] ** 2)) / np.std(truth)
        assert nrmse == pytest.approx(published, abs=5e-4)
