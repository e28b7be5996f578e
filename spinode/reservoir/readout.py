"""Reservoir computing with one device: time multiplexing in, a linear readout out.

Each point of a series is multiplied by a mask, node by node, and each product drives the device
for a while; the device's state at those moments serves as its virtual nodes (Appeltant et al.,
Nat. Commun. 2, 468 (2011); Fig. 3 of the paper). Whoever simulated the states, the readout is the
same.
"""

from __future__ import annotations

from dataclasses import dataclass
from numbers import Integral

import numpy as np
import xarray as xr

from spinode.analysis.metrics import nrmse
from spinode.errors import InputError
from spinode.reservoir.tasks import Task
from spinode.trajectory import alive


def gaussian_mask(nodes: int = 50, seed: int = 3) -> np.ndarray:
    """Return the paper's mask, shape (nodes,): normal numbers of numpy's legacy generator."""
    # RandomState is kept on purpose: seed 3 gives the authors' own mask.
    return np.random.RandomState(seed).randn(nodes)


def multiplex(series: np.ndarray, mask: np.ndarray, minimum: float) -> np.ndarray:
    """Mask a series for one device, scaled to how hard the device may be driven.

    Parameters
    ----------
    series : array, shape (points,)
    mask : array, shape (nodes,)
    minimum : float
        Smallest value of the result, negative: -0.4 (one skyrmion) or -0.25 (four), in units of
        the amplitude that the voltage was trained with.

    Returns
    -------
    array, shape (points, nodes)
    """
    masked = np.multiply.outer(np.asarray(series, float), mask)
    if not (masked.size and np.isfinite(masked).all()):
        raise InputError("cannot mask a series or mask that is empty or holds NaN or infinity.")
    if not (minimum < 0 and masked.min() < 0):
        raise InputError(
            f"cannot scale the masked series to a minimum of {minimum}: both must go below zero."
        )
    return masked * (minimum / masked.min())


def virtual_nodes(trajectory: xr.Dataset, output: str, nodes: int, hold: float) -> np.ndarray:
    """Read the virtual nodes off a trajectory: the state at the start of every hold.

    Parameters
    ----------
    trajectory : Dataset
        Response of the device to a held sequence that starts at time zero.
    output : str
        Variable to read.
    nodes : int
        Virtual nodes a point.
    hold : float
        How long each masked value is held (s), a multiple of the sample spacing.

    Returns
    -------
    array, shape (points, nodes)
        Complete points only.

    Raises
    ------
    InputError
        If the trajectory has no sample at the start of a hold, or not one complete point; or if a
        skyrmion was lost in it.
    """
    alive(trajectory)
    if output not in trajectory:
        raise InputError(f"the trajectory lacks {output!r}; it has {', '.join(trajectory)}.")
    if not (isinstance(nodes, Integral) and nodes >= 1 and hold > 0):
        raise InputError(
            f"{nodes!r} nodes, each held {hold} s: nodes must be a whole number of at least 1 and "
            "the hold positive."
        )
    time = trajectory.time.values
    if len(time) < 2:
        raise InputError("the trajectory ends at once: the forecast broke down; train longer.")
    every = round(hold / (time[1] - time[0]))
    if abs(every * (time[1] - time[0]) - hold) > 1e-3 * hold:
        raise InputError(
            f"the trajectory has a sample every {time[1] - time[0]:g} s, which does not divide "
            f"the hold of {hold:g} s; put it on such a grid with trajectory.resample."
        )
    values = trajectory[output].values[::every]
    points = len(values) // nodes
    if points < 1:
        raise InputError(
            f"the trajectory holds {len(values)} of the {nodes} nodes of its first point; "
            "simulate longer."
        )
    return values[: points * nodes].reshape(points, nodes)


@dataclass(frozen=True)
class Readout:
    """Predictions of a trained readout on points it was not trained on.

    Parameters
    ----------
    points : array of int, shape (test,)
        Which points of the series were tested.
    predictions, targets : array, shape (test, targets)
    labels : array, shape (targets,)
        Those of the task, such as horizons.
    """

    points: np.ndarray
    predictions: np.ndarray
    targets: np.ndarray
    labels: np.ndarray

    @property
    def nrmse(self) -> np.ndarray:
        """NRMSE by target, shape (targets,)."""
        errors = []
        for prediction, target in zip(self.predictions.T, self.targets.T, strict=True):
            known = np.isfinite(target)
            errors.append(nrmse(prediction[known], target[known]))
        return np.array(errors)


def train_readout(
    states: np.ndarray,
    task: Task,
    *,
    train: int = 5000,
    discard: int = 300,
    ridge: float = 1e-4,
) -> Readout:
    """Train one linear readout a target by ridge regression, and test it on what comes after.

    Parameters
    ----------
    states : array, shape (points, nodes)
        Virtual nodes, in the dimensionless units that ``ridge`` refers to.
    task : Task
        Its first ``points`` are used.
    train : int
        Points to train on.
    discard : int
        Points to skip before, while the device settles.
    ridge : float
        Penalty on the squared weights (not on the bias).

    Returns
    -------
    Readout
        On all points after the training ones.

    Raises
    ------
    InputError
        If no point is left to test on, the states hold NaN, or an argument makes no sense.
    """
    _check_protocol(states, task, discard, ridge)
    if not (isinstance(train, Integral) and train >= 1):
        raise InputError(f"train must be a whole number of at least 1, not {train!r}.")
    points = np.arange(discard + train, len(states))
    if len(points) < 2:
        raise InputError(
            f"{len(states)} points leave nothing to test after {discard} discarded and {train} "
            "trained on; simulate more points or train on fewer."
        )
    weights = _ridge(states[discard : discard + train], task, discard, ridge)
    targets = task.targets[points]
    return Readout(points, _augment(states[points]) @ weights, targets, task.labels)


def cross_validate(
    states: np.ndarray,
    task: Task,
    *,
    folds: int = 5,
    discard: int = 300,
    ridge: float = 1e-4,
) -> np.ndarray:
    """Return the NRMSE by fold and target: each of ``folds`` stretches is tested in turn.

    Parameters
    ----------
    states, task, discard, ridge
        As for `train_readout`.
    folds : int
        Stretches of equal length, 2 or more.

    Returns
    -------
    array, shape (folds, targets)
    """
    _check_protocol(states, task, discard, ridge)
    kept = np.arange(discard, len(states))
    if not (isinstance(folds, Integral) and 2 <= folds <= len(kept) // 2):
        raise InputError(f"{len(kept)} points cannot be cut into {folds!r} folds; take 2 or more.")
    scores = []
    for test in np.array_split(kept, folds):
        rest = np.setdiff1d(kept, test)
        subset = Task(task.name, task.inputs[rest], task.targets[rest], task.labels)
        weights = _ridge(states[rest], subset, 0, ridge)
        prediction = _augment(states[test]) @ weights
        scores.append(Readout(test, prediction, task.targets[test], task.labels).nrmse)
    return np.array(scores)


def _check_protocol(states: np.ndarray, task: Task, discard: int, ridge: float) -> None:
    if np.ndim(states) != 2 or len(states) > len(task.targets):
        raise InputError(
            f"states of shape {np.shape(states)} do not fit a task of {len(task.targets)} points; "
            "give one row of nodes a point."
        )
    if not np.isfinite(states).all():
        raise InputError("the states hold NaN or infinity: the forecast or simulation broke down.")
    if not (isinstance(discard, Integral) and discard >= 0):
        raise InputError(f"discard must be a whole number of at least 0, not {discard!r}.")
    if not 0 < ridge < np.inf:
        raise InputError(f"ridge must be a positive number, not {ridge!r}.")


def _augment(states: np.ndarray) -> np.ndarray:
    return np.column_stack([states, np.ones(len(states))])


def _ridge(states: np.ndarray, task: Task, first: int, ridge: float) -> np.ndarray:
    """Return the weights of all targets at once, shape (nodes + 1, targets)."""
    features = _augment(states)
    targets = task.targets[first : first + len(states)]
    known = np.isfinite(targets).all(axis=1)
    features, targets = features[known], targets[known]
    penalty = ridge * np.eye(features.shape[1])
    penalty[-1, -1] = 0.0
    return np.linalg.solve(features.T @ features + penalty, features.T @ targets)
