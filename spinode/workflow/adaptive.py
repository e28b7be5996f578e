"""A search among the points of a grid: which to compute next, from what the others gave.

The grid's best point is found without all of its points. The tree-structured Parzen estimator
(Bergstra et al., NeurIPS 24, 2546 (2011)), in Optuna's implementation, looks at the finished points
and suggests values; the nearest point of the grid that was not taken yet is computed. Nothing is
kept but the points themselves: a search that was killed is rebuilt from their folders.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from spinode.errors import InputError, extra
from spinode.workflow.points import Point
from spinode.workflow.profiles import suggest
from spinode.workflow.table import scalar, table


class Search:
    """Suggests points of a grid, one after another.

    Numbers are taken in their order, by rank; seeds and everything else have none.

    Parameters
    ----------
    points : sequence of Point
        The grid.
    seed : int
        Of the sampler. The first ten points are random.

    Raises
    ------
    InputError
        If Optuna is not installed.
    """

    def __init__(self, points: Sequence[Point], seed: int = 0):
        optuna = extra("design", "optuna", "an adaptive sweep")
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        self._optuna = optuna
        self._points, self._seed = list(points), seed
        values = {
            name: _distinct([point.parameters[name] for point in self._points])
            for name in self._points[0].parameters
        }
        values = {name: known for name, known in values.items() if len(known) > 1}
        self._ranks = np.array(
            [
                [known.index(scalar(point.parameters[name])) for name, known in values.items()]
                for point in self._points
            ],
            dtype=int,
        ).reshape(len(self._points), len(values))
        self._steps = np.array([1 / (len(known) - 1) for known in values.values()])
        self._ordered = np.array([_ordered(name, known) for name, known in values.items()], bool)
        integer = optuna.distributions.IntDistribution
        category = optuna.distributions.CategoricalDistribution
        self._space = {
            name: integer(0, len(known) - 1) if ordered else category(range(len(known)))
            for (name, known), ordered in zip(values.items(), self._ordered, strict=True)
        }

    def suggest(self, values: Mapping[str, float], busy: Collection[str] = ()) -> Point | None:
        """Return the point to compute next, or None if none is left.

        Parameters
        ----------
        values : mapping
            What is minimized, by the name of every point that is finished; not finite for one that
            failed, which counts as the worst.
        busy : collection of str
            Names of the points that are being computed; they count as the worst, too, so that
            workers side by side do not crowd.
        """
        left = [
            number
            for number, point in enumerate(self._points)
            if point.name not in values and point.name not in busy
        ]
        if not left:
            return None
        finite = [value for value in values.values() if math.isfinite(value)]
        worst = max(finite, default=0.0)
        given = {**dict.fromkeys(busy, worst), **values}
        # The sampler's numbers depend on how many points there are, not on when they came.
        sampler = self._optuna.samplers.TPESampler(seed=self._seed + len(given))
        study = self._optuna.create_study(sampler=sampler)
        for point, ranks in zip(self._points, self._ranks, strict=True):
            if point.name in given:
                value = given[point.name]
                study.add_trial(
                    self._optuna.trial.create_trial(
                        params=dict(zip(self._space, ranks.tolist(), strict=True)),
                        distributions=self._space,
                        value=value if math.isfinite(value) else worst,
                    )
                )
        wanted = study.ask(self._space).params
        aim = np.array([wanted[name] for name in self._space], dtype=int)
        apart = np.abs(self._ranks[left] - aim)
        apart[:, ~self._ordered] = apart[:, ~self._ordered] > 0
        distance = (apart * self._steps).sum(axis=1)
        nearest = np.flatnonzero(distance <= distance.min() + 1e-9)
        chosen = np.random.default_rng(self._seed + len(given)).choice(nearest)
        return self._points[left[chosen]]


class Turns:
    """Hands out points of a grid for computation, as many at once as there are workers.

    Parameters
    ----------
    folder : Path
        The sweep's.
    points : sequence of Point
        The grid.
    done : collection of str
        Names of the points that are finished already.
    most : int
        How many points of the grid to finish in all.
    minimize : str
        Name of a metric, as in `spinode.workflow.table.table`.

    Attributes
    ----------
    taken : set of str
        Names of the points that were handed out, or finished before.
    """

    def __init__(
        self,
        folder: Path,
        points: Sequence[Point],
        done: Collection[str],
        most: int,
        minimize: str,
    ):
        self._folder, self._most, self._minimize = folder, most, minimize
        self._search = Search(points)
        self.taken = set(done)

    def next(self, busy: Collection[str], workers: int) -> list[Point]:
        """Return the points to begin with now.

        Parameters
        ----------
        busy : collection of str
            Names of those that are being computed.
        workers : int
            How many can be.

        Raises
        ------
        InputError
            If a finished point has no such metric, or it is not a number.
        """
        room = min(max(workers, 1) - len(busy), self._most - len(self.taken))
        if room <= 0:
            return []
        values, found = self._values(self.taken - set(busy)), []
        while len(found) < room:
            point = self._search.suggest(values, [*busy, *(one.name for one in found)])
            if point is None:
                break
            found.append(point)
            self.taken.add(point.name)
        return found

    def _values(self, finished: Collection[str]) -> dict[str, float]:
        """Return what is minimized by point, NaN for one that failed."""
        if not finished:
            return {}
        rows = table(self._folder)
        rows = rows.sel(point=rows.point.isin(list(finished)))
        failed = rows.point_error.values != ""
        values = np.full(len(failed), np.nan)
        if not failed.all():
            given = rows.get(self._minimize)
            if given is None or given.dtype.kind not in "fiu":
                metrics = [name for name in rows.data_vars if rows[name].dtype.kind in "fiu"]
                raise InputError(
                    f"the points have no number called {self._minimize!r} to minimize; "
                    f"{suggest(self._minimize, map(str, metrics))}"
                )
            values = np.where(failed, np.nan, given.values)
        return dict(zip(rows.point.values.tolist(), values.tolist(), strict=True))


def _distinct(values: Sequence[Any]) -> list[Any]:
    """Return the values that differ, numbers in their order."""
    return sorted({scalar(one) for one in values}, key=lambda one: (str(type(one)), one))


def _ordered(name: str, known: Sequence[Any]) -> bool:
    numbers = all(isinstance(one, int | float) and not isinstance(one, bool) for one in known)
    return numbers and "seed" not in name
