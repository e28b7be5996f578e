"""How late an input reaches the output: a pipe, a belt, a cable, a protocol.

A state space needs many states to hold what is under way, and a shift of the input none. So the
dead time of each input is looked for first: the shift with which a small linear model predicts the
next sample best.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from spinode.neural_ode import linear
from spinode.neural_ode.variable_projection import Window

# A dead time is believed where a model of this order, that sees its inputs so late, predicts better
# by this factor. Few lags make it sharp, and a prediction does not drift, as a simulation may.
_ORDER, _BETTER = 3, 0.97
# Two shifts are told apart by a difference of this in log-likelihood.
_LIKELY = 5
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
    return tuple(found)


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
