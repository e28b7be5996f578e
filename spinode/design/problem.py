"""What a design is asked: a task, which of its points are trained on, and how well it is solved."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from spinode.errors import InputError
from spinode.reservoir.readout import train_readout
from spinode.reservoir.tasks import Task


@dataclass(frozen=True)
class Problem:
    """A task, cut into points to settle, to train the readout on, and to judge by.

    Parameters
    ----------
    task : Task
    discard, train : int
        Points to settle and points to train on; all that follow judge.
    ridge : float
        Penalty of the readout.

    Raises
    ------
    InputError
        If no points are left to judge by, or the series does not change.
    """

    task: Task
    discard: int
    train: int
    ridge: float = 1e-4

    def __post_init__(self):
        if not (self.discard >= 0 < self.train and self.discard + self.train < self.points - 1):
            raise InputError(
                f"{self.points} points leave none to judge by after {self.discard} to settle and "
                f"{self.train} to train on."
            )
        if not (np.isfinite(self.deviation) and self.deviation > 0):
            raise InputError("the series does not change, or holds NaN; give one that varies.")

    @property
    def points(self) -> int:
        """Points of the series."""
        return len(self.task.inputs)

    @cached_property
    def centre(self) -> float:
        """Mean of the series up to the last point of training."""
        return float(self.task.inputs[: self.discard + self.train].mean())

    @cached_property
    def deviation(self) -> float:
        """Standard deviation of the series up to the last point of training."""
        return float(self.task.inputs[: self.discard + self.train].std())

    @property
    def standardized(self) -> np.ndarray:
        """The series with mean 0 and standard deviation 1, shape (points,)."""
        return (self.task.inputs - self.centre) / self.deviation

    def nrmse(self, states: np.ndarray) -> np.ndarray:
        """Return the NRMSE of the readout on the judging points, by target of the task.

        Parameters
        ----------
        states : array, shape (points, nodes)
            Dimensionless. Fewer points than the problem has are judged as far as they go.
        """
        readout = train_readout(
            states, self.task, train=self.train, discard=self.discard, ridge=self.ridge
        )
        return readout.nrmse

    def loss(self, states: np.ndarray) -> float:
        """Return what a search minimizes.

        The mean over targets of log10 NRMSE. Of the task `tasks.memory`, the negative memory
        capacity: its far delays, of which nothing is known, are not to be weighed like near ones.
        """
        nrmse = self.nrmse(states)
        if self.task.name == "memory":
            return -float(np.clip(1 - nrmse**2, 0, None).sum())
        return float(np.log10(nrmse).mean())
