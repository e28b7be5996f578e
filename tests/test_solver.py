"""The 3/8 rule: its tableau by theory, and every way it is written out by the tableau."""

import numpy as np
import pytest
import torch

from spinode.neural_ode import _sensitivities, _solver
from spinode.neural_ode._solver import THIRDS, A, B

STEP = 0.37


@pytest.fixture
def slopes():
    return np.random.default_rng(0).standard_normal((4, 3))


def test_the_tableau_is_of_fourth_order():
    """The eight conditions of Butcher (Hairer, Norsett and Wanner, "Solving ODEs I", II.2)."""
    a, b = np.array(A, float), np.array(B)
    c = a.sum(axis=1)
    np.testing.assert_allclose(c, np.array(THIRDS) / 3, rtol=1e-15)
    assert np.all(np.triu(a) == 0)  # explicit
    for measured, expected in (
        (b.sum(), 1),
        (b @ c, 1 / 2),
        (b @ c**2, 1 / 3),
        (b @ a @ c, 1 / 6),
        (b @ c**3, 1 / 4),
        ((b * c) @ a @ c, 1 / 8),
        (b @ a @ c**2, 1 / 12),
        (b @ a @ a @ c, 1 / 24),
    ):
        assert measured == pytest.approx(expected, rel=1e-14)


def by_tableau(slope, state, step):
    """A step of any explicit Runge-Kutta method."""
    slopes = []
    for stage, row in enumerate(A):
        at = state + step * sum(a * k for a, k in zip(row, slopes, strict=False))
        slopes.append(slope(stage, at))
    return state + step * sum(b * k for b, k in zip(B, slopes, strict=True))


def test_the_step_of_pytorch():
    def slope(stage, y):
        return torch.sin(y + stage) - 0.3 * y**2

    state = torch.linspace(-1, 1, 5, dtype=torch.float64)
    ours = _solver.torch_step(slope, state, STEP)
    torch.testing.assert_close(ours, by_tableau(slope, state, STEP), rtol=0, atol=1e-15)


def test_the_compiled_step(slopes):
    state = np.array([0.3, -1.0, 2.0])
    for stage, row in enumerate(np.array(A, float)):
        out = np.zeros(3)
        _solver.stage_state(stage, state, STEP, slopes, out)
        np.testing.assert_allclose(out, state + STEP * row @ slopes, rtol=0, atol=1e-15)
        _sensitivities._stage(stage, 3, state, STEP, slopes, out)
        np.testing.assert_allclose(out, state + STEP * row @ slopes, rtol=0, atol=1e-15)
    ended = state.copy()
    _solver.advance(ended, STEP, slopes)
    np.testing.assert_allclose(ended, state + STEP * np.array(B) @ slopes, rtol=0, atol=1e-15)


def test_the_compiled_adjoint(slopes):
    """The derivative by a stage's slope is that of the end and of every later stage by it."""
    end, back = np.array([1.0, -0.5, 0.2]), slopes
    for stage in range(4):
        out = np.zeros(3)
        _solver.stage_adjoint(stage, STEP, end, back, out)
        later = sum(A[after][stage] * back[after] for after in range(stage + 1, 4))
        np.testing.assert_allclose(out, STEP * (B[stage] * end + later), rtol=0, atol=1e-15)


def test_delayed_inputs_are_those_of_the_compiled_loops():
    k, inputs, steps = 3, 2, 5
    stages = np.random.default_rng(1).standard_normal((3 * (steps + k - 1) + 1, inputs))
    delayed = _solver.delayed_inputs(stages, k)
    assert delayed.shape == (3 * steps + 1, inputs * k)
    out = np.zeros(inputs * k)
    for n in range(steps):
        for stage in range(4):
            _solver.stage_inputs(stages, n, stage, k, out)
            np.testing.assert_array_equal(out, delayed[3 * n + stage])
            assert out[1] == stages[3 * (n + 1) + stage, 0]
