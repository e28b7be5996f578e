"""How late an input reaches the output: a pipe, a belt, a cable, a protocol.

A state space needs many states to hold what is under way, and a shift of the input none. So the
dead time of each input is looked for first: the shift with which a small linear model predicts the
next sample best, if what came in between says nothing. Behind filters the answer comes late, too,
but its first, small beginning is there. A linear model fitted to whole windows must agree.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from spinode.neural_ode import linear
from spinode.neural_ode.latent_training import train
from spinode.neural_ode.variable_projection import Window

# A dead time is believed where a model of this order, that sees its inputs so late, predicts better
# by this factor. Few lags make it sharp, and a prediction does not drift, as a simulation may.
_ORDER, _BETTER = 3, 0.97
# Two models are told apart by a difference of this in log-likelihood.
_LIKELY = 5
# A model of this order says whether inputs that came later than the shift matter.
_FULL = 8
# The linear models that have the last word: orders of their starts, samples in a window, steps.
_ORDERS, _WINDOW, _STEPS = (6, 12, 24), 1000, 25
# A device drifts whose slowest mode does not settle, in so many time constants, in a window.
_SETTLES, _MUCH_BETTER = 3, 0.8
_SHORTEST = 4  # fewer samples the states learn
_LONGEST, _PART = 200, 10  # samples, and as a part of the shortest record
_SAMPLES = 20_000  # of a record are enough


def dead_times(records: Sequence[Window]) -> tuple[int, ...]:
    """Return the dead time of each input, in samples; mostly 0.

    Parameters
    ----------
    records : sequence of Window
        Normalized to zero mean and unit standard deviation.
    """
    records = [one.cut(0, min(len(one), _SAMPLES)) for one in records]
    found = [0] * records[0].stages.shape[1]
    longest = min(_LONGEST, min(map(len, records)) // _PART)
    coarse = range(0, longest + 1, _ORDER)  # a model sees so many inputs: none is missed
    for number in range(len(found)):

        def error(shift: int, number=number) -> float:
            shifts = [*found[:number], shift, *found[number + 1 :]]
            return linear.prediction_error([late(one, shifts) for one in records], _ORDER)

        rough = np.array([error(shift) for shift in coarse])
        if not rough.min() < _BETTER * rough[0]:
            continue
        best = coarse[int(np.argmin(rough))]
        near = range(max(best - _ORDER, 0), min(best + _ORDER, longest) + 1)
        fine = np.array([error(shift) for shift in near])
        # The least that is as likely, less one sample: what is shifted too far is lost.
        likely = fine <= fine.min() * (1 + _LIKELY / sum(map(len, records)))
        found[number] = max(near[int(np.flatnonzero(likely)[0])] - 1, 0)
        while found[number] and _misses(records, found, number):
            found[number] -= 1
        without = [*found[:number], 0, *found[number + 1 :]]
        if found[number] < _SHORTEST or not _agrees(records, found, without):
            found[number] = 0
    return tuple(found)


def _agrees(records: Sequence[Window], shifts: Sequence[int], without: Sequence[int]) -> bool:
    """Return whether linear models that are fitted to whole windows are better with the shifts.

    What integrates moves little in a sample, and noise hides the beginning of its answer from a
    prediction one sample ahead. There a model of whole windows must be much better.
    """
    error, _ = _fitted(records, shifts)
    least, slowest = _fitted(records, without)
    drifts = slowest * min(_WINDOW, min(map(len, records))) < _SETTLES
    return error < (_MUCH_BETTER if drifts else _BETTER) * least


def _fitted(records: Sequence[Window], shifts: Sequence[int]) -> tuple[float, float]:
    """Return error and slowest rate, a sample, of a linear model of two states."""
    data = [late(one, shifts) for one in records]
    orders = [order for order in _ORDERS if 10 * order < min(map(len, data))]
    shape, starts = linear.initial(data, 2, linear.arx(data, orders or [2]), feedthrough=True)
    plan = ((_WINDOW, _STEPS),)
    trained = [train(shape, one, 1.0, data, None, plan=plan, ridge=0.0) for one in starts[:4]]
    best = min(trained, key=lambda one: one.error)
    rates = np.linalg.eigvals(shape.unpack(best.weights)[1][:, :2])
    return best.error, float(np.abs(rates.real).min())


def _misses(records: Sequence[Window], shifts: Sequence[int], number: int) -> bool:
    """Return whether values of an input that its shift leaves out help to predict the output."""
    between = range(0, shifts[number], _FULL + 1)
    more = [
        replace(one, stages=one.stages[:, [*range(len(shifts)), *[number] * len(between)]])
        for one in records
    ]
    less = linear.prediction_error([late(one, shifts) for one in records], _FULL)
    full = linear.prediction_error([late(one, [*shifts, *between]) for one in more], _FULL)
    more_weights = len(between) * (_FULL + 1)
    return less > full * (1 + (more_weights + _LIKELY) / sum(map(len, records)))


def late(record: Window, shifts: Sequence[int]) -> Window:
    """Return a record whose inputs come later; samples whose input is unknown do not count."""
    counts = record.counts.copy()
    counts[: max(shifts)] = 0.0
    return Window(delayed_stages(record.stages, shifts), record.truth, counts)


def delayed_stages(stages: np.ndarray, shifts: Sequence[int]) -> np.ndarray:
    """Return inputs at thirds of a sample, shape (thirds, inputs), each later by whole samples.

    Before its first value an input is held.
    """
    columns = [
        np.concatenate([np.repeat(column[:1], 3 * shift), column])[: len(column)]
        for column, shift in zip(stages.T, shifts, strict=True)
    ]
    return np.column_stack(columns)
