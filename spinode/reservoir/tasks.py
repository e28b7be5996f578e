"""What a reservoir is asked to do: an input series, and targets to read out of its states."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.integrate import solve_ivp

from spinode.errors import InputError

_TAU = 17.0
_TRANSIENT = 1000.0  # units of time that a series needs to forget how it began


@dataclass(frozen=True)
class Task:
    """One series in, one or more series out.

    Parameters
    ----------
    name : str
    inputs : array, shape (points,)
        The series that drives the reservoir, dimensionless.
    targets : array, shape (points, targets)
        What to read out while point n drives it; NaN where there is nothing to ask.
    labels : array, shape (targets,)
        What tells the targets apart: the horizon, the delay.
    """

    name: str
    inputs: np.ndarray
    targets: np.ndarray
    labels: np.ndarray


def mackey_glass_series(
    points: int,
    history: Callable[[np.ndarray], np.ndarray] | None = None,
    seed: int = 0,
) -> np.ndarray:
    """Integrate ``dx/dt = 0.2 x(t - 17) / (1 + x(t - 17)^10) - 0.1 x`` by the method of steps.

    Over each stretch of length 17 the delayed term is the solution of the stretch before, so that
    an ordinary integrator (Dormand and Prince, order 8) is enough.

    Parameters
    ----------
    points : int
        Samples to return, one a unit of time.
    history : callable, optional
        x(t) for -17 <= t <= 0. By default a constant drawn from [1.1, 1.3] with ``seed``, of
        whose transient the first 1000 units of time are dropped.
    seed : int

    Returns
    -------
    array, shape (points,)
        x(0), x(1), ..., counted from the end of what is dropped.

    References
    ----------
    M. C. Mackey and L. Glass, Science 197, 287 (1977).
    """
    if points < 1:
        raise InputError(f"a Mackey-Glass series needs at least one point, not {points}.")
    start = 0.0
    if history is None:
        constant = np.random.default_rng(seed).uniform(1.1, 1.3)
        start = _TRANSIENT

        def history(time):
            return np.full_like(time, constant, dtype=float)

    wanted = start + np.arange(points)
    series = np.empty(points)
    delayed, x, time = history, float(history(np.zeros(1))[0]), 0.0
    while time <= wanted[-1]:
        solution = solve_ivp(
            lambda t, x, past=delayed: 0.2 * (p := past(t - _TAU)) / (1 + p**10) - 0.1 * x,
            (time, time + _TAU),
            [x],
            method="DOP853",
            dense_output=True,
            rtol=1e-7,
            atol=1e-9,
        )
        here = (wanted >= time) & (wanted < time + _TAU)
        if here.any():
            series[here] = solution.sol(wanted[here])[0]
        delayed = lambda t, sol=solution.sol: sol(t)[0]  # noqa: E731
        x, time = float(solution.y[0, -1]), time + _TAU
    return series


def mackey_glass(series: np.ndarray, horizons: np.ndarray) -> Task:
    """Predict a chaotic series: read x(n + H) while x(n) drives the reservoir (Fig. 3).

    Parameters
    ----------
    series : array, shape (points,)
        One sample a unit of time, such as `mackey_glass_series` gives.
    horizons : array of int
        The H to predict at once, 0 or more.
    """
    return Task("mackey_glass", series, _shifted(series, -np.asarray(horizons)), horizons)


def narma10(points: int, seed: int = 0) -> Task:
    """Follow a nonlinear moving average of order 10, driven by uniform noise in [0, 0.5].

    ``y(n+1) = 0.3 y(n) + 0.05 y(n) sum_{i=0..9} y(n-i) + 1.5 u(n-9) u(n) + 0.1``.

    References
    ----------
    A. F. Atiya and A. G. Parlos, IEEE Trans. Neural Netw. 11, 697 (2000).
    """
    if points < 11:
        raise InputError(f"NARMA-10 looks ten points back: it needs more than {points} points.")
    u = np.random.default_rng(seed).uniform(0, 0.5, points)
    y = np.zeros(points)
    for n in range(9, points - 1):
        y[n + 1] = 0.3 * y[n] + 0.05 * y[n] * y[n - 9 : n + 1].sum() + 1.5 * u[n - 9] * u[n] + 0.1
    return Task("narma10", u, y[:, None], np.array([10]))


def memory(points: int, delays: np.ndarray, seed: int = 0) -> Task:
    """Remember uniform noise: read u(n - d) while u(n) drives the reservoir.

    The memory capacity is the sum over the delays d of ``1 - NRMSE^2``.

    References
    ----------
    H. Jaeger, GMD Report 152 (2001).
    """
    u = np.random.default_rng(seed).uniform(-1, 1, points)
    return Task("memory", u, _shifted(u, np.asarray(delays)), delays)


def _shifted(series: np.ndarray, delays: np.ndarray) -> np.ndarray:
    """Return the columns series[n - delay]; NaN where that lies outside."""
    if np.abs(delays).max(initial=0) >= len(series):
        raise InputError(
            f"a task looks {np.abs(delays).max()} points away, but the series has {len(series)}; "
            "make it longer, or look less far."
        )
    columns = np.full((len(series), len(delays)), np.nan)
    for column, delay in zip(columns.T, delays, strict=True):
        if delay >= 0:
            column[delay:] = series[: len(series) - delay]
        else:
            column[:delay] = series[-delay:]
    return columns
