"""A trained model learns on, from several recordings at once."""

import copy
from dataclasses import replace

import numpy as np
import pytest
import torch

from spinode import SpinODE, forecast
from spinode.devices.drives import HeldSequence
from spinode.errors import InputError
from spinode.neural_ode.refit import Recorded, refit
from spinode.trajectory import Channel


@pytest.fixture(scope="module")
def teacher():
    """A law of motion that a model of its shape can learn exactly; one sample is its state."""
    model = SpinODE(
        Channel("y", "1"),
        (Channel("Ku", "J/m3", scale=1.0),),
        sample_spacing=1.0,
        time_scale=10.0,
        k=1,
        width=6,
        seed=1,
    )
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(5)
        model.f[-1].weight.mul_(0.3)
    return model


def record(model, seed, strength, holds=60):
    values = np.random.default_rng(seed).uniform(-strength, strength, holds)
    drive = HeldSequence(values, offset=0.0, amplitude=1.0, hold=10.0)
    run = forecast(model, drive, initial=np.zeros(1))
    return Recorded(run, drive, (0, run.sizes["time"]))


def error(model, recorded):
    model = copy.deepcopy(model)
    model.trained_range = {}  # or the forecast would stop outside
    run = forecast(model, recorded.drive, initial=np.zeros(1))
    return float(np.sqrt(np.mean((run.y.values - recorded.trajectory.y.values) ** 2)))


def test_it_learns_the_new_and_keeps_the_old(teacher):
    gentle, strong = record(teacher, 1, 0.3), record(teacher, 2, 1.5)
    student = copy.deepcopy(teacher)
    generator = torch.Generator().manual_seed(3)
    with torch.no_grad():
        for parameter in student.parameters():
            parameter.add_(0.02 * torch.randn(parameter.shape, generator=generator).double())
    student.trained_range = {"y": (-0.1, 0.1), "Ku": (-0.3, 0.3)}
    before = {name: parameter.clone() for name, parameter in student.named_parameters()}
    found, errors = refit(student, [gentle, strong], steps=15, window=200)
    assert (np.diff(errors) < 0).all()
    for seen in (gentle, strong, record(teacher, 9, 1.0)):
        assert error(found, seen) < 0.1 * error(student, seen)
    # the model that was given stays; the range of the new one spans both recordings
    assert all(torch.equal(before[name], one) for name, one in student.named_parameters())
    assert student.trained_range["Ku"] == (-0.3, 0.3)
    levels = strong.drive.levels
    assert found.trained_range["Ku"] == (levels.min(), levels.max())


def test_no_window_spans_two_recordings(teacher):
    """What the teacher did, in two recordings with a jump between them, leaves nothing to learn."""
    _, errors = refit(teacher, [record(teacher, 1, 0.3), record(teacher, 2, 1.5)], steps=1)
    assert errors.max() < 1e-20


def test_bad_input(teacher):
    with pytest.raises(InputError, match="at least one recording"):
        refit(teacher, [])
    with pytest.raises(InputError, match="steps must be a whole number"):
        refit(teacher, [record(teacher, 1, 0.3)], steps=0)
    with pytest.raises(InputError, match=r"samples = \(0, 700\) must lie within the 601"):
        refit(teacher, [replace(record(teacher, 1, 0.3), samples=(0, 700))])
