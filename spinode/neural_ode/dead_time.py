"""How late an input reaches the output: a pipe, a belt, a cable, a protocol.

A state space needs many states to hold what is under way, and a shift of the input none. So the
dead time of each input is looked for first: the shift with which a small linear model predicts the
next sample best, if what came in between says nothing. Behind filters the answer comes late, too,
but its first, small beginning is there.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from spinode.neural_ode import linear
from spinode.neural_ode.variable_projection import Window

# A dead time is believed where a model of this order, that sees its inputs so late, predicts better
# by this factor. Few lags make it sharp, and a prediction does not drift, as a simulation may.
_ORDER, _BETTER = 3, 0.97
# Two models are told apart by a difference of this in log-likelihood.
_LIKELY = 5
# A model of this order says whether inputs that came later than the shift matter.
_FULL = 8
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
        if found[number] < _SHORTEST:
            found[number] = 0
    return tuple(found)


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
