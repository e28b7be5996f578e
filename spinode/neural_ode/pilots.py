"""Small trainings that candidates are compared by: pilots, on a part of the records.

Each is fitted to a part of the records and simulates held-out pieces, from a state fitted to their
first samples, which are not scored. Short records are cut four ways, and each pilot starts several
times, as there are many local minima; the start that fits its own part best counts.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from spinode.cores import cores
from spinode.neural_ode import even, linear, records
from spinode.neural_ode.latent_training import HeldOut, Trained, train
from spinode.neural_ode.state_space import Shape, simulate
from spinode.neural_ode.variable_projection import Window

# Records of no more samples than this are cross-validated; of longer ones a part is held out.
SHORT = 4000
# Each of the folds holds out two blocks, so that a rare event rarely lies in both.
_FOLDS, _BLOCKS, _SHORT_STARTS, _LAST_STARTS = 4, 8, 3, 5
_LONG_BLOCKS, _LONG_EVERY = 18, 6
_SHORTEST_BLOCK = 60
# Of longer records, so many samples are enough to choose by.
_PILOT, _PILOT_HELD = 16_000, 6000
#: Samples in a window of the last training.
WINDOW = 1000
# A drift shows in long windows only: those of the stages of a training with an integral.
_DRIFTING = (WINDOW, 4 * WINDOW, 20 * WINDOW)
_SHORT_WINDOW, _STEPS, _SHORT_STEPS = 225, 25, 60
# The length of a block (samples) whose residuals are one piece of evidence.
_EVIDENCE = 30
# Length of what goes into a neuron at the start: it bends little, and training bends it further.
_REACH = 0.3
_ORDERS = (6, 12, 24, 48, 96)
_LINEAR_STARTS, _LINEAR_STEPS = 4, 25
# A drive so much stronger may not take an output further than so many times its largest.
_STRONGER, _FARTHEST = 1.25, 3


@dataclass(frozen=True)
class Candidate:
    """What is to be chosen; None where it is open."""

    states: int | None = None
    width: int | None = None
    ridge: float | None = None
    interpolation: str | None = None
    output_width: int = 0  # more than 0 where the output does not show a sign
    growing: bool = True
    integrating: bool = False

    def shape(self, inputs: int) -> Shape:
        """Return the shape of its model of so many inputs."""
        return Shape(
            self.states, inputs, self.width, self.output_width, self.growing, self.integrating
        )


@dataclass
class Tried:
    """How a candidate did.

    Attributes
    ----------
    squares : array
        Squared residuals of all held-out pieces.
    models : array, shape (splits x starts, 1 + weights)
        Step and weights of each.
    """

    squares: np.ndarray
    models: np.ndarray

    @property
    def error(self) -> float:
        """Root mean square of the residuals."""
        return float(np.sqrt(self.squares.mean()))

    @property
    def blocks(self) -> np.ndarray:
        """Logarithm of the root mean square of each stretch of residuals.

        The mean of these is the typical error. It does not hang on the few stretches where a
        device does what it did nowhere else, as the mean square of a short record does.
        """
        count = max(len(self.squares) // _EVIDENCE, 4)
        means = [part.mean() for part in np.array_split(self.squares, count)]
        return np.log(np.maximum(means, 1e-300)) / 2

    @property
    def typical(self) -> float:
        """The typical error, of `blocks`."""
        return float(np.exp(self.blocks.mean()))


class Pilots:
    """The splits of the records, and the pilots trained on them.

    Parameters
    ----------
    windows : callable
        Gives the records, a list of Window, for an interpolation.
    seed : int
        Of the weights into new neurons.
    validation : callable, optional
        Gives records to score on, instead of pieces of those to learn from.
    """

    def __init__(
        self,
        windows: Callable[[str], list[Window]],
        seed: int,
        validation: Callable[[str], list[Window]] | None = None,
    ):
        self._windows, self._seed, self._validation = windows, seed, validation
        self._cache: dict[str, list[Window]] = {}
        self._signed: dict[str, list[Window]] = {}
        self._arx: dict[tuple, list] = {}
        self._linear: dict[tuple, tuple] = {}
        #: Samples that a start is fitted to, and how long the device remembers.
        self.burn_in = self.lasting = 50

    def records(self, interpolation: str, signed: bool = False) -> list[Window]:
        """Return the whole records; ``signed`` with a sign given to an output that has none."""
        if interpolation not in self._cache:
            self._cache[interpolation] = self._windows(interpolation)
        if not (signed and self.is_even):
            return self._cache[interpolation]
        if interpolation not in self._signed:
            self._signed[interpolation] = [
                replace(record, truth=own)
                for record, own in zip(self._cache[interpolation], self._signs, strict=True)
            ]
        return self._signed[interpolation]

    @property
    def is_even(self) -> bool:
        """Whether the output shows the size of what moves and not its sign."""
        return self._signs is not None

    @cached_property
    def _signs(self) -> list[np.ndarray] | None:
        # From samples alone, which are the same for any interpolation.
        return even.signed(self.records("held"))

    @cached_property
    def drifts(self) -> bool:
        """Whether the device may integrate: one state alone remembers for longer than a window."""
        shape, weights, step = self.linear_model(1, "held", None)
        rate = abs(float(shape.unpack(weights)[1][0, 0])) * step
        shortest = min(len(record) for record in self.records("held"))
        return not self.is_even and 3 / max(rate, 1e-9) > min(WINDOW, shortest)

    @property
    def validated(self) -> bool:
        """Whether other records than those to learn from are scored on."""
        return self._validation is not None

    def is_short(self, interpolation: str) -> bool:
        """Return whether the records are cross-validated."""
        return (
            not self.validated
            and sum(len(record) for record in self.records(interpolation)) <= SHORT
        )

    def long_split(
        self, interpolation: str, signed: bool = False
    ) -> tuple[list[Window], list[Window]]:
        """Return what is fitted and what is scored on, of records that are not cross-validated."""
        data = self.records(interpolation, signed)
        if self.validated:
            return data, self._validation(interpolation)
        # A drift shows late: one long piece of a record then.
        blocks = _LONG_EVERY if self.drifts else _LONG_BLOCKS
        return records.hold_out(data, blocks, _LONG_EVERY, _LONG_EVERY // 2)

    def splits(
        self, interpolation: str, signed: bool = False
    ) -> list[tuple[list[Window], list[Window]]]:
        """Return pairs of what pilots are fitted to and what they are scored on."""
        if self.is_short(interpolation):
            data = self.records(interpolation, signed)
            shortest = min(len(record) for record in data)
            blocks = _BLOCKS if shortest >= _BLOCKS * _SHORTEST_BLOCK else _FOLDS
            return [records.hold_out(data, blocks, _FOLDS, first) for first in range(_FOLDS)]
        fitted, held = self.long_split(interpolation, signed)
        length = _DRIFTING[1] if self.drifts else WINDOW
        pieces = max(length, 4 * self.burn_in)
        return [
            (records.thinned(fitted, length, _PILOT), records.thinned(held, pieces, _PILOT_HELD))
        ]

    def linear_model(
        self, states: int, interpolation: str, split: int | None, signed: bool = False
    ) -> tuple[Shape, np.ndarray, float]:
        """Return shape, weights and step of the best linear model of a split, or of everything."""
        key = (states, interpolation, split, signed)
        if key not in self._linear:
            fitted = self.records(interpolation, signed)
            if split is not None:
                fitted = self.splits(interpolation, signed)[split][0]
            if key[1:] not in self._arx:
                longest = max(len(record) for record in fitted)
                inputs = fitted[0].stages.shape[1]
                orders = [o for o in _ORDERS if o * (1 + inputs) * 4 < longest] or [2]
                self._arx[key[1:]] = linear.arx(fitted, orders)
            shape, starts = linear.initial(fitted, states, self._arx[key[1:]], feedthrough=True)
            plan = ((WINDOW, _LINEAR_STEPS),)
            trials = [
                train(shape, w, 1.0, fitted, None, plan=plan, ridge=0.0)
                for w in starts[:_LINEAR_STARTS]
            ]
            weights = _sound(shape, fitted, starts, trials)
            self._linear[key] = linear.retimed(shape, weights)
        return self._linear[key]

    def integrating_model(
        self, states: int, interpolation: str, split: int | None
    ) -> tuple[Shape, np.ndarray, float]:
        """Return the best linear model with an integral in it, as `linear_model` does."""
        key = (states, interpolation, split, "integrating")
        if key not in self._linear:
            shape, weights, step = self.linear_model(states, interpolation, split)
            fitted = self.records(interpolation)
            if split is not None:
                fitted = self.splits(interpolation)[split][0]
            shape, weights = linear.integrating(shape, weights)
            free, found = HeldOut(fitted, self.burn_in), [weights]
            for length in _DRIFTING:
                plan = ((length, _LINEAR_STEPS),)
                done = train(shape, found[-1], step, fitted, None, plan=plan, ridge=0.0)
                found.append(done.weights)
            weights = min(found, key=lambda one: free.squares(shape, one, step).mean())
            self._linear[key] = shape, weights, step
        return self._linear[key]

    def remember(self, candidate: Candidate) -> None:
        """Set burn-in and memory from the slowest mode of a linear model."""
        shape, weights, step = self.linear_model(candidate.states, candidate.interpolation, 0)
        slope = shape.unpack(weights)[1][:, : shape.states]
        slowest = np.abs(np.linalg.eigvals(slope).real).min() * step
        shortest = min(len(h) for _, held in self.splits(candidate.interpolation) for h in held)
        self.lasting = 3 / max(slowest, 1e-4)
        self.burn_in = int(np.clip(self.lasting, 30, max(shortest // 4, 10)))

    def linear_pilot(self, candidate: Candidate) -> Tried:
        """Return the best linear model of each split."""
        squares, models = [], []
        for number, (_, held) in enumerate(self.splits(candidate.interpolation)):
            model = self.integrating_model if candidate.integrating else self.linear_model
            shape, weights, step = model(candidate.states, candidate.interpolation, number)
            squares.append(HeldOut(held, self.burn_in).squares(shape, weights, step))
            models.append(np.append(step, weights))
        return Tried(np.concatenate(squares), np.stack(models))

    def pilot(
        self, candidate: Candidate, before: tuple[Candidate, Tried] | None, again: int = 0
    ) -> Tried:
        """Train a candidate on each split, from each start.

        Parameters
        ----------
        candidate : Candidate
        before : (Candidate, Tried), optional
            A pilot of as many states to go on from, with no more neurons. By default the best
            linear models.
        again : int
            Draws other first weights of the neurons.
        """
        how = candidate.interpolation
        splits, short = self.splits(how), self.is_short(how)
        starts = _SHORT_STARTS if short else 1
        plan = self.plan(candidate)
        if before is not None:
            plan = plan[-1:] if short else ((WINDOW, _STEPS),)
            if candidate.integrating:
                plan = tuple((length, _STEPS) for length in _DRIFTING)
        inputs = self.records(how)[0].stages.shape[1]

        def one(number: int, start: int) -> tuple[Trained, float]:
            fitted, held = splits[number]
            if before is None:
                shape, weights, step = self._first(candidate, number)
            else:
                step, *weights = before[1].models[number * starts + start]
                shape = replace(candidate, width=before[0].width).shape(inputs)
            shape, weights = self._widened(shape, np.array(weights), candidate, start + again)
            scored = HeldOut(held, self.burn_in)
            done = train(
                shape, weights, step, fitted, None if short else scored,
                plan=plan, ridge=candidate.ridge, bent=self.validated,
            )  # fmt: skip
            if short:
                done.squares.append(scored.squares(shape, done.weights, step))
            return done, step

        if before is None:
            for number in range(len(splits)):
                self._first(candidate, number)
        jobs = list(itertools.product(range(len(splits)), range(starts)))
        with ThreadPoolExecutor(min(cores(), len(jobs))) as pool:
            done = list(pool.map(lambda job: one(*job), jobs))
        best = [
            min(done[first : first + starts], key=lambda one: one[0].error)[0]
            for first in range(0, len(done), starts)
        ]
        squares = [min(one.squares, key=np.mean) for one in best]
        models = [np.append(step, one.weights) for one, step in done]
        return Tried(np.concatenate(squares), np.stack(models))

    def starts(self, candidate: Candidate) -> list[tuple[np.ndarray, float]]:
        """Return weights and steps of all starts of a short record's last training."""
        shape, weights, step = self._first(candidate, None)
        if candidate.width == 0:
            return [(weights, step)]
        return [
            (self._widened(shape, weights, candidate, start)[1], step)
            for start in range(_LAST_STARTS)
        ]

    def _first(self, candidate: Candidate, split: int | None) -> tuple[Shape, np.ndarray, float]:
        """Return the linear model that a candidate starts from, with its network at the output."""
        how, without_sign = candidate.interpolation, candidate.output_width > 0
        if candidate.integrating:
            shape, weights, step = self.integrating_model(candidate.states, how, split)
            return replace(shape, growing=candidate.growing), weights, step
        shape, weights, step = self.linear_model(candidate.states, how, split, without_sign)
        shape = replace(shape, growing=candidate.growing)
        if without_sign:
            fitted = self.records(how) if split is None else self.splits(how)[split][0]
            shape, weights = even.with_output(shape, weights, step, fitted)
        return shape, weights, step

    def _widened(
        self, shape: Shape, weights: np.ndarray, candidate: Candidate, start: int
    ) -> tuple[Shape, np.ndarray]:
        seed = self._seed + 1000 * start
        return shape.widened(weights, candidate.width, candidate.output_width, seed, _REACH)

    def is_bounded(self, candidate: Candidate, done: Trained, step: float) -> bool:
        """Return whether a model's output stays within bounds under drives a quarter stronger.

        The records are simulated from the middle of its states, with their inputs farther from
        their means. A model that is lost there may be lost under another drive that is no stronger
        than theirs.
        """
        middle = done.firsts.mean(axis=0)
        for record in self.records(candidate.interpolation):
            mean = record.stages.mean(axis=0)
            stages = mean + _STRONGER * (record.stages - mean)
            shape = candidate.shape(stages.shape[1])
            outputs, _ = simulate(shape, done.weights, step, middle, stages)
            # Written so that NaN, of an output that was lost, is out of bounds.
            if not np.abs(outputs).max() <= _FARTHEST * np.abs(record.truth).max():
                return False
        return True

    def windows(self, candidate: Candidate) -> list[int]:
        """Return samples in a window of the stages of the last training."""
        return list(_DRIFTING) if candidate.integrating else [WINDOW]

    def plan(self, candidate: Candidate) -> tuple[tuple[int, int], ...]:
        """Return windows and steps of a training that begins with a linear model."""
        short = self.is_short(candidate.interpolation)
        # A window must be long enough that its first state does not explain it.
        length = max(4 * self.lasting, _SHORT_WINDOW)
        last = _SHORT_STEPS if short else _STEPS
        longer = [(one, _STEPS) for one in _DRIFTING[1:]] if candidate.integrating else []
        if length <= WINDOW / 2:
            return ((int(length), _STEPS), (WINDOW, last), *longer)
        return ((WINDOW, _STEPS + last), *longer)


def _sound(
    shape: Shape, fitted: list[Window], starts: list[np.ndarray], trials: list[Trained]
) -> np.ndarray:
    """Return the best weights of linear trainings that also simulate whole records.

    The free first state of a window can hide that a model is unstable: a training whose free
    simulation of what it was fitted to is worse than that of its own start is left out.
    """
    free = HeldOut(fitted, 50)

    def error(weights: np.ndarray) -> float:
        return float(free.squares(shape, weights, 1.0).mean())

    for done, start in sorted(zip(trials, starts, strict=False), key=lambda one: one[0].error):
        after = error(done.weights)
        if np.isfinite(after) and after <= error(start):
            return done.weights
    return min(starts, key=error)
