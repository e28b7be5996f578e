"""A search among the points of a grid: which to compute next, from what the others gave.

The grid's best point is found without all of its points. The tree-structured Parzen estimator
(Bergstra et al., NeurIPS 24, 2546 (2011)), as Optuna has it, looks at the finished points and
suggests values; the nearest point of the grid that was not taken yet is computed. Nothing is kept
but the points themselves: a search that was killed is made again from their folders.
"""

from __future__ import annotations

import json
import math
from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from spinode.errors import InputError

if TYPE_CHECKING:
    from spinode.workflow.points import Point


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
        try:
            import optuna
        except ModuleNotFoundError:
            raise InputError(
                "an adaptive sweep needs the package optuna: pip install 'spinode[design]'."
            ) from None
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
                [known.index(_key(point.parameters[name])) for name, known in values.items()]
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


def _key(value: Any) -> Any:
    """Return what stands for a value that may be a list."""
    return json.dumps(value) if isinstance(value, list | dict) else value


def _distinct(values: Sequence[Any]) -> list[Any]:
    """Return the values that differ, numbers in their order."""
    return sorted({_key(one) for one in values}, key=lambda one: (str(type(one)), one))


def _ordered(name: str, known: Sequence[Any]) -> bool:
    numbers = all(isinstance(one, int | float) and not isinstance(one, bool) for one in known)
    return numbers and "seed" not in name
