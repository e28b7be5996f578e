"""A forecast that torch can differentiate by what drives it."""

import numpy as np
import pytest
import torch

from spinode import SpinODE, forecast, load_model
from spinode.devices.drives import HeldSequence
from spinode.errors import InputError
from spinode.neural_ode.held import LeftRange, held_forecast
from spinode.trajectory import Channel


@pytest.fixture(scope="module")
def twin():
    return load_model("one_skyrmion")


@pytest.mark.parametrize("every", [1, 2, 3])
def test_it_is_the_forecast(twin, every):
    values = np.random.default_rng(0).uniform(-0.4, 0.4, 60)
    drive = HeldSequence(values, hold=every * twin.sample_spacing)
    expected = forecast(twin, drive, initial=np.full(twin.k, twin.output.offset)).mz.values
    found = held_forecast(twin, torch.from_numpy(values), every).numpy()
    np.testing.assert_allclose(found, twin.output.normalize(expected), atol=1e-12)


@pytest.mark.parametrize("k", [1, 2, 3])
def test_the_derivative_is_that_of_finite_differences(k):
    model = SpinODE(
        Channel("y", "1"), (Channel("u", "1"),), sample_spacing=1.0, time_scale=8.0, k=k, seed=k
    )
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(4)  # far from linear
    values = torch.from_numpy(np.random.default_rng(k).uniform(-1, 1, 12)).requires_grad_()
    # torch's own check: central differences by every value, of every sample
    assert torch.autograd.gradcheck(
        lambda v: held_forecast(model, v, 2), values, eps=1e-5, atol=1e-8, rtol=1e-6
    )


def test_bad_input(twin):
    values = torch.zeros(5, dtype=torch.float64)
    with pytest.raises(InputError, match="finite"):
        held_forecast(twin, values + torch.nan, 2)
    with pytest.raises(InputError, match="every must be a whole number"):
        held_forecast(twin, values, 0)
    with pytest.raises(InputError, match="one input"):
        held_forecast(load_model("material_parameters"), values, 2)
    with pytest.raises(LeftRange, match="mz left the range"):
        held_forecast(twin, values - 30, 50)
