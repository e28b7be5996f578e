"""Recognizing spoken digits from the states of a reservoir (Fig. 5d and e).

The states of N of the ten utterances of all speakers train one linear map, with bias, from the
nodes at each frame to the ten digits, by least squares. A digit is where the map, summed over the
frames of a recording, is largest. The other utterances are tested, and all choices of N are
averaged.

A least-squares map depends on its data only through sums over frames (Gram matrices), which add up
over utterances: 1,022 choices cost ten sums and 1,022 small systems instead of 1,022
pseudo-inverses. Forming a Gram matrix squares the condition number; so the states of all
utterances are made orthonormal first, which leaves the map's answers as they are.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import combinations

import numpy as np
import xarray as xr
from scipy.linalg import LinAlgError, cho_factor, cho_solve, qr
from threadpoolctl import threadpool_limits

from spinode.errors import InputError


class Readout:
    """Linear maps from states to digits, for any choice of training utterances.

    Parameters
    ----------
    states : object array, shape (speakers, utterances, digits)
        Matrices of shape (nodes, frames); nodes must agree.

    Raises
    ------
    InputError
        If a matrix has other nodes than the first, no frame, or holds NaN.
    """

    def __init__(self, states: np.ndarray):
        _check(states)
        self.shape = states.shape
        speakers, utterances, digits = states.shape
        frames = np.array([matrix.shape[1] for matrix in states.flat]).reshape(states.shape)
        rows = np.concatenate([matrix.T for matrix in states.swapaxes(0, 1).flat])
        rows = np.column_stack([np.ones(len(rows)), rows])
        (triangle,) = qr(rows, mode="r", check_finite=False)
        _, strength, axes = np.linalg.svd(triangle[: rows.shape[1]])
        # The same directions as the pseudo-inverse of all states would leave out.
        kept = strength > strength[0] * max(rows.shape) * np.finfo(float).eps
        rows = rows @ (axes[kept].T / strength[kept])
        ends = np.cumsum(frames.swapaxes(0, 1).ravel())
        sums = np.add.reduceat(rows, np.append(0, ends[:-1]))
        self._sums = sums.reshape(utterances, speakers, digits, -1)
        blocks = np.split(rows, np.cumsum(frames.sum(axis=(0, 2)))[:-1])
        self._grams = np.stack([block.T @ block for block in blocks])
        self._targets = self._sums.sum(axis=1)

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
        tested = np.setdiff1d(np.arange(self.shape[1]), trained)
        chosen = np.isin(np.arange(self.shape[1]), trained).astype(float)
        gram = (chosen @ self._grams.reshape(len(chosen), -1)).reshape(self._grams.shape[1:])
        try:
            factor = cho_factor(gram, overwrite_a=True, check_finite=False)
        except LinAlgError:
            raise InputError(
                f"the utterances {trained} hold too few frames for {self._grams.shape[1]} "
                "independent nodes; train on more utterances or use fewer nodes."
            ) from None
        weights = cho_solve(factor, self._targets[trained].sum(axis=0).T, check_finite=False)
        return tested, self._sums[tested] @ weights


def recognize(states: np.ndarray) -> xr.Dataset:
    """Return the recognition rates for every number of training utterances.

    Parameters
    ----------
    states : object array, shape (speakers, utterances, digits)
        Matrices of shape (nodes, frames).

    Returns
    -------
    Dataset
        Over ``trained`` = 1 .. utterances - 1: ``rate``, the mean over all choices of that many
        utterances; ``spread``, its standard deviation over choices; ``confusion``, the number of
        recordings by ``spoken`` and ``answered`` digit.

    Raises
    ------
    InputError
        As for `Readout`.
    """
    # The systems are too small to gain from threads, which stand in each other's way on a busy
    # machine.
    with threadpool_limits(1, "blas"):
        return _recognize(states)


def _recognize(states: np.ndarray) -> xr.Dataset:
    readout = Readout(states)
    _, utterances, digits = states.shape
    numbers = np.arange(1, utterances)
    rate, spread = np.empty(len(numbers)), np.empty(len(numbers))
    confusion = np.zeros((len(numbers), digits, digits), int)
    for row, number in enumerate(numbers):
        rates = []
        for trained in combinations(range(utterances), number):
            _, scores = readout.scores(trained)
            answers = scores.argmax(axis=-1)
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
