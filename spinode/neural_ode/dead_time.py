"""How late an input reaches the output: a pipe, a belt, a cable, a protocol.

A state space needs many states to hold what is under way, and a shift of the input none. So the
dead time of each input is looked for first: the shift with which a small linear model simulates
best.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from spinode.neural_ode import linear
from spinode.neural_ode.variable_projection import Window

# A dead time is believed where the best of these orders simulates better by this factor ...
_ORDERS, _BETTER = (2, 4, 8), 0.8
# ... and is the least with which a model of this order does about as well as with any.
_SHARP, _AS_WELL = 3, 1.01
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
    coarse = sorted({0, *np.geomspace(1, max(longest, 1), 20).round().astype(int)})
    for number in range(len(found)):

        def error(shift: int, orders: Sequence[int], number=number) -> float:
            shifts = [*found[:number], int(shift), *found[number + 1 :]]
            return min(linear.simulation_errors([late(one, shifts) for one in records], orders))

        rough = [error(shift, _ORDERS) for shift in coarse]
        if not min(rough) < _BETTER * min(rough[0], 1.0):
            continue
        sharp = np.array([error(shift, (_SHARP,)) for shift in coarse])
        best = int(np.argmin(sharp))
        near = range(coarse[max(best - 2, 0)], coarse[min(best + 1, len(coarse) - 1)] + 1)
        sharp = np.array([error(shift, (_SHARP,)) for shift in near])
        # One sample less: what is shifted too far is lost, what is not is learned.
        first = near[int(np.flatnonzero(sharp <= _AS_WELL * sharp.min())[0])]
        found[number] = max(first - 1, 0)
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
