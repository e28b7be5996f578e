"""Each baseline forecasts a system it can represent, and none sees the future."""

import sys

import numpy as np
import pytest
import xarray as xr

from spinode.analysis import baselines
from spinode.errors import InputError
from spinode.neural_ode.model import SpinODE
from spinode.trajectory import Channel

TRAIN = (50, 850)


def filtered(samples=1200):
    """A stable second-order linear filter of a smooth random drive, in closed form of samples."""
    drive = np.convolve(np.random.default_rng(0).standard_normal(samples), np.ones(5) / 5, "same")
    x = np.zeros(samples)
    for n in range(2, samples):
        x[n] = 1.6 * x[n - 1] - 0.7 * x[n - 2] + 0.2 * drive[n]
    return xr.Dataset(
        {"voltage": ("time", x), "drive": ("time", drive)}, {"time": 0.1 * np.arange(samples)}
    )


def model():
    return SpinODE(
        Channel("voltage", "V"), (Channel("drive", "V"),), sample_spacing=0.1, time_scale=1.0
    )


@pytest.mark.parametrize(
    "baseline, options, largest",
    [
        (baselines.linear_arx, {"order": 4}, 1e-9),
        (baselines.nvar, {"delays": 3, "strides": 1, "ridge": 1e-12}, 1e-4),
        (
            baselines.gru,
            {"width": 8, "iterations": 250, "batch": 16, "window": 60, "progress": False},
            0.3,
        ),
    ],
)
def test_learns_a_linear_filter(baseline, options, largest):
    data = filtered()
    run = baseline(model(), data, TRAIN, **options)
    assert run.sizes["time"] == 1150
    held_out = slice(800, None)
    truth = data.voltage.values[50:][held_out]
    error = np.sqrt(np.mean((run.voltage.values[held_out] - truth) ** 2)) / truth.std()
    assert error < largest
    # What comes after the training stretch is not looked at.
    hidden = data.copy(deep=True)
    hidden.voltage[TRAIN[1] :] = 0.0
    again = baseline(model(), hidden, TRAIN, **options)
    np.testing.assert_array_equal(again.voltage, run.voltage)


def test_training_stretch_must_fit():
    with pytest.raises(InputError, match="must lie within the 1200 samples"):
        baselines.linear_arx(model(), filtered(), (50, 1201))


def test_an_absent_package_is_said_in_one_line(monkeypatch):
    monkeypatch.setitem(sys.modules, "reservoirpy", None)
    with pytest.raises(InputError, match=r"spinode\[baselines\]"):
        baselines.reservoirpy_nodes()
