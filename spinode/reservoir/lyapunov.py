"""Does a driven device forget how it began? Its largest Lyapunov exponent, with an error.

Two copies of a device get the same input, except for one value that was changed a little. How their
states come apart, or together again, is the conditional Lyapunov exponent of the driven device:
below zero it forgets, as a reservoir must; above zero a change of one value, however small, alters
everything that follows, and to a readout that is noise.

One change is an anecdote, so several sizes are tried on several inputs: while the distance is
small its growth does not depend on the size, and the inputs tell how sure the number is.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from spinode.errors import InputError

_FEWEST = 4  # points that make a slope
# Points after the change that do not count, while it turns into the direction that grows.
_SKIPPED = 1
# Distance, relative to the spread of the states, at which the size of the attractor ends growth.
_CEILING = 0.1


@dataclass(frozen=True)
class Lyapunov:
    """The largest conditional Lyapunov exponent of a driven device.

    Parameters
    ----------
    exponent, error : float
        Mean over the inputs and its standard error, per point. NaN if no distance stayed between
        floor and ceiling long enough.
    slopes : array, shape (inputs, sizes)
        Growth of each single pair; the columns should agree.
    distances : array, shape (inputs, sizes, points)
        Root mean square over the nodes, over the standard deviation of the reference's states.
    """

    exponent: float
    error: float
    slopes: np.ndarray
    distances: np.ndarray

    @property
    def forgets(self) -> bool | None:
        """Whether it forgets how it began; None if zero lies within two standard errors."""
        if not abs(self.exponent) > 2 * self.error:
            return None
        return self.exponent < 0


def lyapunov_exponent(
    run: Callable[[np.ndarray], np.ndarray],
    inputs: Sequence[np.ndarray],
    *,
    sizes: Sequence[float] = (1e-4, 1e-3, 1e-2),
    at: int = 0,
    floor: float = 1e-9,
    workers: int = 1,
) -> Lyapunov:
    """Change one value of each input by several sizes, and see how the states come apart.

    Parameters
    ----------
    run : callable
        Takes an input, shape (points, ...), from the start of the device on, and returns its
        states, shape (points, nodes): a neural ODE, the micromagnetic engine, a map.
    inputs : sequence of array
        At least two, better five: other series, other masks.
    sizes : sequence of float
        What is added to the first value of point ``at``, in the input's unit.
    at : int
        Which point is changed; later ones let the device settle first.
    floor : float
        Distance, relative to the spread of the states, below which lies rounding; from there to
        a tenth of the spread growth is exponential.
    workers : int
        Runs side by side.

    Returns
    -------
    Lyapunov

    Raises
    ------
    InputError
        If there is only one input, a size is zero, or a run does not return states.
    """
    inputs = [np.asarray(one, float) for one in inputs]
    if len(inputs) < 2 or not len(sizes):
        raise InputError(
            f"{len(inputs)} inputs and {len(sizes)} sizes give no error: take at least two inputs, "
            "better five, and three sizes."
        )
    if not all(np.isfinite(size) and size != 0 for size in sizes):
        raise InputError(f"sizes {tuple(sizes)} must be finite and not zero.")
    if not all(0 <= at < len(one) for one in inputs):
        raise InputError(f"point {at} does not lie in every input; the shortest is shorter.")
    played = [one for given in inputs for one in (given, *(_changed(given, at, s) for s in sizes))]
    with ThreadPoolExecutor(workers) as pool:
        answers = list(pool.map(run, played))
    for given, answer in zip(played, answers, strict=True):
        if np.ndim(answer) != 2 or len(answer) != len(given) or not np.isfinite(answer).all():
            raise InputError(
                f"a run over {len(given)} points returned an array of shape {np.shape(answer)} in "
                "place of finite states (points, nodes)."
            )
    shortest = min(map(len, inputs)) - at
    distances = np.empty((len(inputs), len(sizes), shortest))
    for i in range(len(inputs)):
        reference, *others = answers[i * (1 + len(sizes)) : (i + 1) * (1 + len(sizes))]
        spread = reference[at:].std()
        for j, other in enumerate(others):
            apart = np.sqrt(np.mean((other - reference) ** 2, axis=1))[at : at + shortest]
            distances[i, j] = apart / spread
    slopes = np.array([[_slope(d, floor) for d in row] for row in distances])
    return Lyapunov(*_mean_and_error(slopes), slopes, distances)


def _changed(values: np.ndarray, at: int, size: float) -> np.ndarray:
    """Return a copy of the input with the first value of point ``at`` changed."""
    copy = values.copy()
    copy.reshape(len(copy), -1)[at, 0] += size
    return copy


def _slope(distance: np.ndarray, floor: float) -> float:
    """Return the growth of log distance a point, up to where it leaves floor and ceiling."""
    distance = distance[_SKIPPED:]
    outside = np.flatnonzero(~((distance > floor) & (distance < _CEILING)))
    stop = outside[0] if outside.size else len(distance)
    if stop < _FEWEST:
        return np.nan
    return float(np.polyfit(_SKIPPED + np.arange(stop), np.log(distance[:stop]), 1)[0])


def _mean_and_error(slopes: np.ndarray) -> tuple[float, float]:
    """Return the mean over inputs of the mean over sizes, and its standard error."""
    means = np.array(
        [row[np.isfinite(row)].mean() if np.isfinite(row).any() else np.nan for row in slopes]
    )
    known = means[np.isfinite(means)]
    if known.size < 2:
        return np.nan, np.nan
    return float(known.mean()), float(known.std(ddof=1) / np.sqrt(known.size))
