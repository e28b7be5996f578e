"""Units of data against those of a model: converted to the right value, or refused."""

import numpy as np
import pytest
import xarray as xr
from test_training import FAST, SPACING, duffing_model, oscillator

from spinode.errors import InputError
from spinode.neural_ode import noise, training
from spinode.neural_ode.forecast import forecast
from spinode.neural_ode.identification import identify
from spinode.neural_ode.model import SpinODE
from spinode.trajectory import Channel
from spinode.units import in_units

NANOSECONDS = {"units": "ns"}


def recording(samples=300):
    data = oscillator(samples)
    for name in ("voltage", "drive"):
        data[name].attrs["units"] = "V"
    return data


def scaled(data, units, factor, *names):
    """The same recording, written down in other units."""
    return data.assign({n: (factor * data[n]).assign_attrs(units=units) for n in names})


@pytest.mark.parametrize(
    "theirs, ours, factor",
    [
        ("mV", "V", 1e-3),
        ("kV", "V", 1e3),
        ("µV", "V", 1e-6),
        ("kJ/m3", "J/m3", 1e3),
        ("J/m^3", "J/m3", 1.0),
        ("MJ m-3", "J/m3", 1e6),
        ("erg/cm3", "J/m3", 0.1),
        ("mJ/m2", "J/m2", 1e-3),
        ("%", "1", 1e-2),
        ("mT", "T", 1e-3),
    ],
)
def test_factors(theirs, ours, factor):
    data = xr.Dataset({"x": ("time", [2.0, -1.0], {"units": theirs})}, {"time": [0.0, 1.0]})
    converted = in_units(data, {"x": ours})
    np.testing.assert_allclose(converted.x, [2 * factor, -factor], rtol=1e-14)
    assert converted.x.attrs["units"] == ours
    assert data.x.attrs["units"] == theirs  # the caller's own stays


def test_what_has_no_units_is_taken_as_it_is():
    data = xr.Dataset({"x": ("time", [2.0, -1.0])}, {"time": [0.0, 1.0]})
    assert in_units(data, {"x": "V", "y": "T"}).identical(data)
    data.x.attrs["units"] = "V"
    assert in_units(data, {"x": ""}).identical(data)


@pytest.mark.parametrize("theirs", ["A", "arb. u.", "10 V", "V (peak)", "days since 2000-01-01"])
def test_units_of_something_else(theirs):
    data = xr.Dataset({"x": ("time", [2.0, -1.0], {"units": theirs})}, {"time": [0.0, 1.0]})
    with pytest.raises(InputError, match=r"x is in .* but is needed in V; convert it"):
        in_units(data, {"x": "V"})


def test_forecasts_of_a_drive_in_other_units():
    """Millivolts, kilovolts within the trained range, nanoseconds and a DataArray: one forecast."""
    model, data = duffing_model(), recording()
    truth = forecast(model, data, initial=data, interpolation="cubic")
    nanoseconds = data.assign_coords(time=("time", 1e9 * data.time.values, NANOSECONDS))
    millivolts = scaled(data, "mV", 1e3, "drive")
    for inputs in (millivolts, scaled(data, "kV", 1e-3, "drive"), nanoseconds, millivolts.drive):
        for initial in (data, scaled(data, "mV", 1e3, "voltage"), nanoseconds.voltage):
            run = forecast(model, inputs, initial=initial, interpolation="cubic")
            np.testing.assert_allclose(run.voltage, truth.voltage, rtol=0, atol=1e-9)
            np.testing.assert_allclose(run.time, truth.time, rtol=1e-12)
            np.testing.assert_allclose(run.drive, truth.drive, rtol=0, atol=1e-12)
            assert run.drive.attrs["units"] == run.voltage.attrs["units"] == "V"


def test_forecasts_of_something_else_are_refused():
    model, data = duffing_model(), recording()
    amperes = scaled(data, "A", 1.0, "drive")
    with pytest.raises(InputError, match="drive is in A but is needed in V"):
        forecast(model, amperes, initial=data, interpolation="cubic")
    with pytest.raises(InputError, match="drive is in A but is needed in V"):
        forecast(model, amperes.drive, initial=data, interpolation="cubic")
    with pytest.raises(InputError, match="voltage is in T but is needed in V"):
        forecast(model, data, initial=scaled(data, "T", 1, "voltage"), interpolation="cubic")
    with pytest.raises(InputError, match="time is in m but is needed in s"):
        forecast(
            model,
            data.assign_coords(time=("time", data.time.values, {"units": "m"})),
            initial=data,
            interpolation="cubic",
        )
    with pytest.raises(InputError, match=r"inputs must be a drive, or a Dataset .* not ndarray"):
        forecast(model, data.drive.values, initial=data)
    with pytest.raises(InputError, match="voltage has the dimensions time, run"):
        pair = xr.concat([data, data], "run").transpose("time", "run")
        forecast(model, [pair], initial=[data], interpolation="cubic")


def test_a_model_in_millivolts_forecasts_millivolts():
    """Its output is labelled in the units it is in, whatever the name usually stands for."""
    data = scaled(recording(), "mV", 1e3, "voltage", "drive")
    model = SpinODE(
        Channel("voltage", "mV", 0.0, 1e3),
        (Channel("drive", "mV", 0.0, 1e3),),
        sample_spacing=SPACING,
        time_scale=1.0,
        width=10,
    )
    training.fit_delays(model, data, **(FAST | {"train": (0, 300)}))
    run = forecast(model, data, initial=data, interpolation="cubic")
    assert run.voltage.attrs["units"] == run.drive.attrs["units"] == "mV"
    np.testing.assert_allclose(run.drive, data.drive, atol=1e-9)
    volts = duffing_model()
    training.fit_delays(volts, recording(), **(FAST | {"train": (0, 300)}))
    same = forecast(volts, data, initial=data, interpolation="cubic")
    np.testing.assert_allclose(run.voltage, 1e3 * same.voltage, rtol=0, atol=1e-5)


def test_runs_are_forecast_as_a_list_is():
    model, data = duffing_model(), recording()
    runs = [data, data.isel(time=slice(0, 200))]
    expected = forecast(model, runs, initial=runs, interpolation="cubic", duration=15.0)
    padded = xr.concat(runs, "run", join="outer")
    ours = forecast(model, padded, initial=padded, interpolation="cubic", duration=15.0)
    xr.testing.assert_identical(ours, expected)


def test_noise_of_a_recording_in_millivolts():
    model, data = duffing_model(), recording(1100)
    data["voltage"] = data.voltage + 0.01 * np.random.default_rng(0).standard_normal(1100)
    data.voltage.attrs["units"] = "V"
    ours = noise.one_step_residuals(model, scaled(data, "mV", 1e3, "voltage", "drive"))
    truth = noise.one_step_residuals(model, data)
    # Millivolts taken for volts would be a thousand times as much.
    assert float(ours.residual.std()) == pytest.approx(float(truth.residual.std()), rel=0.02)
    with pytest.raises(InputError, match=r"samples every 0.1 s but the trajectory has them"):
        noise.one_step_residuals(model, data.assign_coords(time=2 * data.time))


def test_a_latent_model_reads_other_units():
    data = recording(600)
    options = {"output": "voltage", "inputs": "drive", "states": 2, "width": 0, "progress": False}
    options |= {"interpolation": "cubic"}
    model = identify(data, **options)
    truth = model.forecast(data, first_samples=data)
    other = scaled(data, "mV", 1e3, "voltage", "drive")
    other = other.assign_coords(time=("time", 1e9 * data.time.values, NANOSECONDS))
    run = model.forecast(other, first_samples=other)
    np.testing.assert_allclose(run.voltage, truth.voltage, rtol=0, atol=1e-8)
    assert run.voltage.attrs["units"] == "V"
    again = identify([data.isel(time=slice(0, 300)), other.isel(time=slice(300, 600))], **options)
    assert again.output.units == "V"
    assert again.output.scale == pytest.approx(float(data.voltage.std()))
    with pytest.raises(InputError, match="voltage is in A but is needed in V"):
        identify([data, scaled(data, "A", 1.0, "voltage")], **options)
