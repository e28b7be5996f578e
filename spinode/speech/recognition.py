"""Recognizing spoken digits from the states of a reservoir (Fig. 5d and e).

The states of N of the ten utterances of all speakers train one linear map, with bias, from the
nodes at each frame to the ten digits, by least squares. A digit is where the map, summed over the
frames of a recording, is largest. The other utterances are tested, and all choices of N are
averaged.

A least-squares map depends on its data only through sums over frames (Gram matrices), which add up
over utterances: 1,022 choices cost ten sums and 1,022 small systems instead of 1,022
pseudo-inverses. Forming a Gram matrix squares the condition number; so the states of all
utterances are made orthonormal first, which leaves the map's answers as they are.

Noise in the training states keeps a map from leaning on differences between nodes that are
smaller than the noise. On average it does exactly what a ridge does (C. Bishop, Neural Computation
7, 108, 1995): white noise of standard deviation s adds s^2 for every training frame to the diagonal
of the Gram matrix. So a ridge is named here by the noise that it stands for.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import combinations
from math import comb

import numpy as np
import xarray as xr
from scipy.linalg import qr, solve_triangular
from threadpoolctl import threadpool_limits

from spinode.errors import InputError

# Choices whose maps are solved together: few enough for memory, and enough that threads do not wait
# for each other between small steps.
_AT_ONCE = 32


class DigitReadout:
    """Linear maps from states to digits, for any choice of training utterances.

    Parameters
    ----------
    states : object array, shape (speakers, utterances, digits)
        Matrices of shape (nodes, frames); nodes must agree. The maps are trained on them.
    tested : object array, optional
        Other states of the same recordings, which are tested in place of them: with noise, say,
        where the training had none.
    ridge : float
        Standard deviation of the white noise (in the units of the states) that the ridge stands
        for; zero is the plain pseudo-inverse of the paper.

    Attributes
    ----------
    sums : array, shape (utterances, speakers, digits, columns)
        What is tested, summed over the frames of each recording.

    Raises
    ------
    InputError
        If a matrix has other nodes than the first, no frame, or holds NaN; or ``tested`` is of
        another shape.
    """

    def __init__(self, states: np.ndarray, *, tested: np.ndarray | None = None, ridge: float = 0.0):
        _check(states)
        self.shape = states.shape
        rows, frames = _stacked(states)
        (triangle,) = qr(rows, mode="r", check_finite=False)
        triangle = triangle[: rows.shape[1]]
        if ridge > 0:
            # Directions weaker than the ridge need not be told apart: it keeps them determined.
            penalty = np.eye(rows.shape[1])[1:]  # the bias is free
            triangle = np.vstack([triangle, ridge * np.sqrt(len(rows)) * penalty])
        _, strength, axes = np.linalg.svd(triangle, full_matrices=False)
        # The same directions as the pseudo-inverse of all states would leave out.
        kept = strength > strength[0] * max(rows.shape) * np.finfo(float).eps
        change = axes[kept].T / strength[kept]
        rows = rows @ change
        self._frames = frames.sum(axis=(0, 2))
        self._ridge = ridge**2 * change[1:].T @ change[1:]
        sums = _sums(rows, frames)
        self._targets = sums.sum(axis=1)
        blocks = np.split(rows, np.cumsum(self._frames)[:-1])
        self._grams = np.stack([block.T @ block for block in blocks])
        if tested is not None:
            if tested.shape != states.shape or len(tested.flat[0]) != len(states.flat[0]):
                raise InputError("the tested states must be of the same recordings and nodes.")
            _check(tested)
            rows, frames = _stacked(tested)
            sums = _sums(rows @ change, frames)
        self.sums = sums

    def scores(self, trained: Iterable[int]) -> tuple[np.ndarray, np.ndarray]:
        """Train on some utterances and test on the others.

        Parameters
        ----------
        trained : iterable of int
            Utterances to train on.

        Returns
        -------
        tested : array of int
            The other utterances.
        scores : array, shape (tested, speakers, digits, digits)
            The map summed over the frames of each tested recording; the last axis is the digit
            that is scored.

        Raises
        ------
        InputError
            If the training frames are too few to determine the map.
        """
        trained = sorted(trained)
        chosen = np.isin(np.arange(self.shape[1]), trained)
        return np.flatnonzero(~chosen), self.sums[~chosen] @ self.maps(chosen[None])[0]

    def maps(self, chosen: np.ndarray) -> np.ndarray:
        """Return the maps of several choices of training utterances, solved together.

        Parameters
        ----------
        chosen : array of bool, shape (choices, utterances)

        Returns
        -------
        array, shape (choices, columns, digits)

        Raises
        ------
        InputError
            As `scores`.
        """
        some = chosen.astype(float)
        grams = np.tensordot(some, self._grams, 1)
        grams += (some @ self._frames)[:, None, None] * self._ridge
        targets = np.tensordot(some, self._targets, 1).swapaxes(1, 2)
        try:
            lower = np.linalg.cholesky(grams)
        except np.linalg.LinAlgError:
            if len(chosen) > 1:  # which of them?
                return np.concatenate([self.maps(one[None]) for one in chosen])
            raise InputError(
                f"the utterances {np.flatnonzero(chosen[0]).tolist()} hold too few frames for "
                f"{self._grams.shape[1]} independent nodes; train on more utterances or use fewer "
                "nodes."
            ) from None
        options = {"lower": True, "check_finite": False}
        maps = np.empty_like(targets)
        for number, one in enumerate(lower):
            half = solve_triangular(one, targets[number], **options)
            maps[number] = solve_triangular(one, half, trans=1, **options)
        return maps


def recognize(
    states: np.ndarray,
    *,
    tested: np.ndarray | None = None,
    ridge: float = 0.0,
    numbers: Iterable[int] | None = None,
) -> xr.Dataset:
    """Return the recognition rates for every number of training utterances.

    Parameters
    ----------
    states, tested, ridge
        As for `DigitReadout`.
    numbers : iterable of int, optional
        Numbers of training utterances, 1 to one less than there are; all of them by default.

    Returns
    -------
    Dataset
        Over ``trained`` = 1 .. utterances - 1: ``rate``, the mean over all choices of that many
        utterances; ``spread``, its standard deviation over choices; ``confusion``, the number of
        recordings by ``spoken`` and ``answered`` digit.

    Raises
    ------
    InputError
        As for `DigitReadout`.
    """
    # The systems are too small to gain from threads, which stand in each other's way on a busy
    # machine.
    with threadpool_limits(1, "blas"):
        readout = DigitReadout(states, tested=tested, ridge=ridge)
        _, utterances, _ = states.shape
        return _recognize(readout, np.array(list(numbers or range(1, utterances))))


def _recognize(readout: DigitReadout, numbers: np.ndarray) -> xr.Dataset:
    _, utterances, digits = readout.shape
    rate, spread = np.empty(len(numbers)), np.empty(len(numbers))
    confusion = np.zeros((len(numbers), digits, digits), int)
    for row, number in enumerate(numbers):
        rates = []
        choices = np.zeros((comb(utterances, number), utterances), bool)
        for choice, trained in zip(choices, combinations(range(utterances), number), strict=True):
            choice[list(trained)] = True
        for some in np.array_split(choices, -(-len(choices) // _AT_ONCE)):
            for chosen, weights in zip(some, readout.maps(some), strict=True):
                answers = (readout.sums[~chosen] @ weights).argmax(axis=-1)
                spoken = np.broadcast_to(np.arange(digits), answers.shape)
                np.add.at(confusion[row], (spoken.ravel(), answers.ravel()), 1)
                rates.append(np.mean(answers == spoken))
        rate[row], spread[row] = np.mean(rates), np.std(rates)
    return xr.Dataset(
        {
            "rate": ("trained", rate, {"long_name": "recognition rate"}),
            "spread": ("trained", spread, {"long_name": "standard deviation over choices"}),
            "confusion": (("trained", "spoken", "answered"), confusion),
        },
        {"trained": numbers, "spoken": np.arange(digits), "answered": np.arange(digits)},
    )


def _stacked(states: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return all frames as rows (1, states), utterance by utterance, and the frames of each."""
    frames = np.array([matrix.shape[1] for matrix in states.flat]).reshape(states.shape)
    rows = np.concatenate([matrix.T for matrix in states.swapaxes(0, 1).flat])
    return np.column_stack([np.ones(len(rows)), rows]), frames


def _sums(rows: np.ndarray, frames: np.ndarray) -> np.ndarray:
    """Sum rows over the frames of each recording: (utterances, speakers, digits, columns)."""
    speakers, utterances, digits = frames.shape
    ends = np.cumsum(frames.swapaxes(0, 1).ravel())
    sums = np.add.reduceat(rows, np.append(0, ends[:-1]))
    return sums.reshape(utterances, speakers, digits, -1)


def _check(states: np.ndarray) -> None:
    nodes = len(states.flat[0])
    for index in np.ndindex(states.shape):
        matrix = states[index]
        if matrix.ndim != 2 or len(matrix) != nodes or matrix.shape[1] < 1:
            raise InputError(
                f"the states of recording {index} have shape {matrix.shape}; every recording "
                f"needs {nodes} nodes and at least one frame."
            )
        if not np.isfinite(matrix).all():
            raise InputError(f"the states of recording {index} hold NaN or infinity.")
