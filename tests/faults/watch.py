"""What a job did last, written where its parent can read it after the job was killed.

A job may write its checkpoint at certain moments only: between two samples of a simulation, two
iterations of a training. It must do so at the first of them that comes an interval after the last
writing; so at its death at most one such moment may have come by with the checkpoint due.
"""

import mmap
import time
from types import SimpleNamespace

import numpy as np

from spinode.micromagnetics import embedded
from spinode.neural_ode import checkpoint, descent, training

#: How often (s) jobs write their checkpoints here; the package's own intervals are longer.
INTERVAL = 0.1
embedded._CHECKPOINT_EVERY = INTERVAL
checkpoint._SECONDS = INTERVAL

# Shared with the processes that are forked from this one.
_shared = np.frombuffer(mmap.mmap(-1, 6 * 8))
PHASES = ("adam", "levenberg-marquardt")
_WROTE, _WROTE_CPU, _BEFORE, _LAST, _PHASE, _COUNT = range(6)


def reset() -> None:
    """Forget what an earlier job did."""
    _shared[:] = np.nan
    _shared[_COUNT] = 0


def phase() -> str | None:
    """Return the phase of the training that looked last, or None if none has."""
    return None if np.isnan(_shared[_PHASE]) else PHASES[int(_shared[_PHASE])]


def lost(usage) -> float:
    """Return the work in s of the processor that the dead job had done since it wrote last."""
    since = _shared[_WROTE_CPU]
    return usage.ru_utime + usage.ru_stime - (0.0 if np.isnan(since) else since)


def wrote_once() -> bool:
    """Whether the dead job has written a checkpoint."""
    return _shared[_COUNT] > 0


def overdue() -> bool:
    """Whether the dead job once passed by with its checkpoint due, and went on without writing."""
    return bool(_shared[_BEFORE] - _shared[_WROTE] > INTERVAL)


def _looked(now: float) -> None:
    _shared[_BEFORE] = _shared[_LAST]
    _shared[_LAST] = now


def _wrote(now: float) -> None:
    _shared[_WROTE], _shared[_WROTE_CPU] = now, time.process_time()
    _shared[_BEFORE] = _shared[_LAST] = np.nan


# --- the engine: it asks its clock at its start, after relaxing, and when it may write -------

_written = _relaxed = False


def _monotonic() -> float:
    global _written, _relaxed
    now = time.monotonic()
    if _written or np.isnan(_shared[_WROTE]):
        _wrote(now)
    elif not _relaxed:
        _looked(now)
    _written = _relaxed = False
    return now


def _write_arrays(*args, **arrays) -> None:
    global _written
    _real_write_arrays(*args, **arrays)
    _shared[_COUNT] += 1
    _written = True


def _relax(*args):
    global _relaxed
    m = _real_relax(*args)
    _relaxed = True
    return m


_real_write_arrays, _real_relax = embedded.write_arrays, embedded.relax
embedded.write_arrays, embedded.relax = _write_arrays, _relax
embedded.clock = SimpleNamespace(monotonic=_monotonic)


# --- a training -----------------------------------------------------------------------------


class _Checkpoint(checkpoint.Checkpoint):
    def __init__(self, *args, **options):
        super().__init__(*args, **options)
        _wrote(self._written)

    def write(self, *args):
        super().write(*args)
        _shared[_COUNT] += 1
        _wrote(self._written)


class _Training(descent.Training):
    def _save_now_and_then(self):
        if self.state.phase in PHASES:
            _shared[_PHASE] = PHASES.index(self.state.phase)
        _looked(time.monotonic())
        super()._save_now_and_then()


training.Checkpoint, training.Training = _Checkpoint, _Training
