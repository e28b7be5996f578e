"""What a reservoir can do, whatever the task: capacities and rank of its states.

All take the states that a reservoir went through, one row a point, and the random input that drove
it. No readout has to be trained: the best one is a projection.

References
----------
- H. Jaeger, GMD Report 152 (2001): memory capacity.
- J. Dambre, D. Verstraeten, B. Schrauwen, S. Massar, Sci. Rep. 2, 514 (2012): information
  processing capacity.
- R. Legenstein and W. Maass, Neural Networks 20, 323 (2007): kernel rank.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import combinations
from math import comb
from numbers import Integral

import numpy as np
import pandas as pd
from scipy.special import eval_legendre
from scipy.stats import chi2

from spinode.errors import InputError

# A direction of the states with less than this part of the largest one's extent is rounding.
_ROUNDING = 1e-9
# How rarely a target that the states know nothing of is given a capacity (Dambre et al.).
_FALSE_ALARMS = 1e-4
_MOST_TERMS = 100_000

#: Longest delay of the terms of each total degree that `processing_capacity` looks at.
WINDOWS = {1: 60, 2: 25, 3: 12, 4: 7}


def memory_capacity(
    states: np.ndarray, inputs: np.ndarray, *, longest: int = 60, discard: int = 100
) -> pd.Series:
    """Return how well each past input can be read off the states by one linear readout.

    Parameters
    ----------
    states : array, shape (points, nodes)
    inputs : array, shape (points,)
        Independent numbers that drove it, such as `tasks.memory` draws.
    longest : int
        Longest delay to ask for.
    discard : int
        Points to skip, while the reservoir settles.

    Returns
    -------
    Series
        Capacity, 0 to 1, by ``delay``. Its sum is the linear memory capacity, at most the number
        of nodes. What chance gives, as over few points, counts as 0.

    Raises
    ------
    InputError
        If there are fewer points than nodes to tell apart, or the states or inputs hold NaN.
    """
    states, inputs, first = _checked(states, inputs, longest, discard)
    delays = np.arange(longest + 1)
    targets = np.stack([inputs[first - d : len(inputs) - d] for d in delays], axis=1)
    values = _capacities(_directions(states[first:]), targets)
    return pd.Series(values, pd.Index(delays, name="delay"), name="capacity")


def processing_capacity(
    states: np.ndarray,
    inputs: np.ndarray,
    *,
    windows: Mapping[int, int] = WINDOWS,
    discard: int = 100,
) -> pd.DataFrame:
    """Return which functions of past inputs can be read off the states (Dambre et al. 2012).

    The functions are all products of normalized Legendre polynomials of single past inputs,
    orthogonal under uniform input, up to a total degree and a delay.

    Parameters
    ----------
    states : array, shape (points, nodes)
    inputs : array, shape (points,)
        Independent, uniform in [-1, 1].
    windows : mapping of int to int
        Longest delay by total degree.
    discard : int
        Points to skip, while the reservoir settles.

    Returns
    -------
    DataFrame
        A row a function: ``degree`` (total), ``delays`` and ``powers`` (tuples), ``capacity``.
        ``groupby("degree").capacity.sum()`` splits the capacity into memory (degree 1) and
        nonlinearity; its total is at most the number of nodes, and reaches it if the reservoir
        forgets how it began, its nodes are independent, and the windows reach far enough.

    Raises
    ------
    InputError
        As `memory_capacity`; also if the inputs leave [-1, 1] or the windows ask for too much.
    """
    terms = sum(comb(longest + degree, degree) for degree, longest in windows.items())
    if terms > _MOST_TERMS:
        raise InputError(f"the windows {dict(windows)} hold {terms} functions; shorten them.")
    states, inputs, first = _checked(states, inputs, max(windows.values()), discard)
    if not np.abs(inputs).max() <= 1:
        raise InputError("the inputs must be uniform in [-1, 1], as those of tasks.memory.")
    directions = _directions(states[first:])
    rows = np.arange(first, len(inputs))
    polynomials = {
        power: np.sqrt(2 * power + 1) * eval_legendre(power, inputs)
        for power in range(1, max(windows) + 1)
    }
    found = []
    for degree, longest in windows.items():
        for delays, powers in _products(degree, longest):
            target = np.ones(len(rows))
            for delay, power in zip(delays, powers, strict=True):
                target = target * polynomials[power][rows - delay]
            (value,) = _capacities(directions, target[:, None])
            found.append((degree, delays, powers, value))
    return pd.DataFrame(found, columns=["degree", "delays", "powers", "capacity"])


def kernel_rank(states: np.ndarray, *, resolution: float = 1e-3, discard: int = 100) -> int:
    """Return how many independent views of its input the reservoir gives (Legenstein and Maass).

    The rank of the states under random input, counting directions whose extent is at least
    ``resolution`` of the largest one's: what a readout of that precision can use.

    Parameters
    ----------
    states : array, shape (points, nodes)
    resolution : float
        Between 0 and 1.
    discard : int
        Points to skip, while the reservoir settles.
    """
    if not 0 < resolution < 1:
        raise InputError(f"resolution must lie between 0 and 1, not {resolution!r}.")
    states, _, first = _checked(states, np.zeros(len(states)), 0, discard)
    extents = np.linalg.svd(states[first:] - states[first:].mean(axis=0), compute_uv=False)
    return int(np.count_nonzero(extents > resolution * extents[0])) if extents[0] > 0 else 0


def _products(degree: int, longest: int) -> Iterator[tuple[tuple[int, ...], tuple[int, ...]]]:
    """Yield delays and powers of every product of a total degree over delays up to ``longest``."""
    for factors in range(1, degree + 1):
        for delays in combinations(range(longest + 1), factors):
            # The powers are the parts of the degree: cuts between its ones.
            for cuts in combinations(range(1, degree), factors - 1):
                yield delays, tuple(int(p) for p in np.diff((0, *cuts, degree)))


def _checked(states, inputs, longest, discard) -> tuple[np.ndarray, np.ndarray, int]:
    """Return states and inputs as arrays, and the first point whose whole past is known."""
    states, inputs = np.asarray(states, float), np.asarray(inputs, float)
    if states.ndim != 2 or inputs.shape != states.shape[:1]:
        raise InputError(
            f"states of shape {states.shape} need as many inputs as they have rows, "
            f"not {inputs.shape}."
        )
    for name, value in (("longest", longest), ("discard", discard)):
        if not (isinstance(value, Integral) and value >= 0):
            raise InputError(f"{name} must be a whole number of at least 0, not {value!r}.")
    if not (np.isfinite(states).all() and np.isfinite(inputs).all()):
        raise InputError("the states or inputs hold NaN or infinity: the simulation broke down.")
    first = max(longest, discard)
    if len(states) - first <= 2 * states.shape[1]:
        raise InputError(
            f"{len(states)} points, of which {first} are skipped, are too few for "
            f"{states.shape[1]} nodes; simulate at least {first + 2 * states.shape[1] + 1}."
        )
    return states, inputs, first


def _directions(states: np.ndarray) -> np.ndarray:
    """Return an orthonormal basis of what the centred states span, shape (points, rank)."""
    basis, extents, _ = np.linalg.svd(states - states.mean(axis=0), full_matrices=False)
    return basis[:, extents > _ROUNDING * extents[0]] if extents[0] > 0 else basis[:, :0]


def _capacities(directions: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """Return the part of each target's variance that the best linear readout explains.

    What the states hold nothing of still gets rank / points on average, as chi-squared with
    ``rank`` degrees of freedom; like Dambre et al., twice its 1e-4 quantile counts as nothing.
    """
    centred = targets - targets.mean(axis=0)
    explained = np.sum((directions.T @ centred) ** 2, axis=0) / np.sum(centred**2, axis=0)
    points, rank = directions.shape
    chance = 2 * chi2.isf(_FALSE_ALARMS, rank) / points if rank else 0.0
    return np.where(explained > chance, explained, 0.0)
