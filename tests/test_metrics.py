"""The normalized error."""

import numpy as np
import pytest

from spinode.analysis.metrics import nrmse, worst_stretch
from spinode.errors import InputError


def test_forecasting_the_mean_scores_one_and_the_truth_zero():
    target = np.sin(np.linspace(0, 20, 1000))
    assert nrmse(np.full(1000, target.mean()), target) == pytest.approx(1.0)
    assert nrmse(target, target) == 0.0
    # an error of a tenth of the amplitude at right angles to the signal
    assert nrmse(1e3 * (target + 0.1 * target), 1e3 * target) == pytest.approx(0.1, rel=0.05)


def test_unfinished_forecast_is_infinitely_wrong():
    assert nrmse([1.0, np.nan], [1.0, 2.0]) == np.inf


def test_what_cannot_be_compared():
    with pytest.raises(InputError, match="same samples"):
        nrmse(np.zeros(3), np.zeros(4))
    with pytest.raises(InputError, match="does not vary"):
        nrmse(np.zeros(3), np.ones(3))


def test_the_worst_stretch_is_where_the_burst_is():
    target = np.sin(2 * np.pi * np.arange(1000) / 100)  # whole periods in each stretch
    forecast = target.copy()
    forecast[630:640] += np.sqrt(0.5)  # as large as the standard deviation, for 10 of 100 samples
    error, start = worst_stretch(forecast, target, 100)
    assert start == 600
    assert error == pytest.approx(np.sqrt(0.1))


def test_a_stretch_longer_than_the_samples():
    with pytest.raises(InputError, match="no stretch of 10"):
        worst_stretch(np.zeros(9), np.arange(9.0), 10)
