"""How a device is driven: functions of time in SI units that can be sampled anywhere.

Every drive has ``inputs`` (the names of the parameters it drives), ``duration`` (s) and
``sample(time)``, which returns one float64 array per input.
"""

from dataclasses import dataclass
from functools import cached_property
from numbers import Integral, Real
from typing import Protocol

import numpy as np

from spinode.errors import InputError
from spinode.trajectory import VARIABLES

_LARGEST = {"Ku": 1e8, "Dind": 5e-2}

# The paper draws its amplitudes with numpy's legacy generator; 6001 numbers serve both inputs.
_DRAWN = 6001
_EDGE = 1e-6  # of a hold or a period: a time this close to a step belongs to what follows it


class Drive(Protocol):
    """What every drive offers."""

    inputs: tuple[str, ...]
    duration: float

    def sample(self, time: np.ndarray) -> dict[str, np.ndarray]:
        """Return the inputs (SI) at ``time`` (s, zero at the start of the drive)."""


def _check_time(time, duration: float) -> np.ndarray:
    time = np.asarray(time, dtype=float)
    outside = (time < -1e-18) | (time > duration * (1 + 1e-9)) | ~np.isfinite(time)
    if outside.any():
        raise InputError(
            f"Drive: asked for its value at {time[outside].flat[0]:g} s, but it lasts from 0 to "
            f"{duration:g} s; shorten the run or lengthen the sequence."
        )
    return time


def _check_input(where: str, name: str, *values: float) -> None:
    if name not in _LARGEST:
        raise InputError(f"{where}: input {name!r} is unknown; choose one of {list(_LARGEST)}.")
    unit, _ = VARIABLES[name]
    for value in values:
        if not isinstance(value, Real):
            raise InputError(f"{where}: {name} = {value!r} is not a number; give it in {unit}.")
        if not abs(value) <= _LARGEST[name]:
            raise InputError(
                f"{where}: {name} = {value:g} {unit} exceeds {_LARGEST[name]:g} {unit}; "
                "check its unit."
            )


def _check_positive(where: str, **values: float) -> None:
    for name, value in values.items():
        if not (isinstance(value, Real) and 0 < value < np.inf):
            raise InputError(f"{where}: {name} is {value!r} and must be a positive number.")


def _numbers(where: str, values) -> tuple[float, ...]:
    """Return values as a tuple, which keeps a drive immutable and comparable."""
    try:
        return tuple(np.asarray(values, dtype=float).ravel().tolist())
    except (TypeError, ValueError):
        raise InputError(f"{where}: {values!r} are not numbers.") from None


def _step_index(time: np.ndarray, step: float, count: int) -> np.ndarray:
    return np.clip(np.floor(time / step + _EDGE).astype(int), 0, count - 1)


@dataclass(frozen=True)
class RandomSine:
    """A sine whose amplitude is drawn anew every period.

    ``offset + amplitude * a[i] * sin(2 pi frequency t)`` in period i, a[i] in [-1, 1].

    Parameters
    ----------
    input : str
        Driven parameter, ``"Ku"`` or ``"Dind"``.
    offset, amplitude : float
        In the unit of the input (J/m3 or J/m2).
    frequency : float
        In Hz.
    periods : int
        Length of the drive.
    seed, start : int
        Without a sequence, a[i] is number ``start + i`` of the 6001 that the legacy generator of
        numpy yields for this seed (seed 6 is the paper's).
    sequence : tuple of float, optional
        The a[i] themselves.

    Raises
    ------
    InputError
        When the sequence is shorter than the periods, or a value is out of range.
    """

    input: str = "Ku"
    offset: float = 8e5
    amplitude: float = 2e5
    frequency: float = 4e9
    periods: int = 600
    seed: int = 6
    start: int = 0
    sequence: tuple[float, ...] | None = None

    def __post_init__(self):
        _check_input("RandomSine", self.input, self.offset, self.amplitude)
        _check_positive("RandomSine", frequency=self.frequency, periods=self.periods)
        if not (isinstance(self.periods, Integral) and self.start >= 0):
            raise InputError(
                f"RandomSine: periods = {self.periods!r} must be a whole number and "
                f"start = {self.start!r} not negative."
            )
        if self.sequence is not None:
            object.__setattr__(self, "sequence", _numbers("RandomSine", self.sequence))
        if len(self.amplitudes) < self.periods:
            raise InputError(
                f"RandomSine: {self.periods} periods need as many amplitudes, the sequence has "
                f"{len(self.amplitudes)}; lengthen it or drive for fewer periods."
            )
        if not np.all(np.abs(self.amplitudes) <= 1):
            raise InputError(
                "RandomSine: the sequence must lie in [-1, 1]; put scale in amplitude."
            )

    @cached_property
    def amplitudes(self) -> np.ndarray:
        """The a[i], shape (periods,)."""
        if self.sequence is not None:
            return np.asarray(self.sequence, dtype=float)[: self.periods]
        # RandomState is kept on purpose: the published sequence comes out of it bit for bit.
        drawn = np.random.RandomState(self.seed).rand(_DRAWN) * 2 - 1
        return drawn[self.start : self.start + self.periods]

    @property
    def inputs(self) -> tuple[str, ...]:
        """Names of the driven parameters."""
        return (self.input,)

    @property
    def duration(self) -> float:
        """Length in s."""
        return self.periods / self.frequency

    def sample(self, time: np.ndarray) -> dict[str, np.ndarray]:
        """Return the input at ``time`` (s)."""
        time = _check_time(time, self.duration)
        a = self.amplitudes[_step_index(time, 1 / self.frequency, self.periods)]
        wave = np.sin(2 * np.pi * self.frequency * time)
        return {self.input: self.offset + self.amplitude * a * wave}


@dataclass(frozen=True)
class RandomSinePair:
    """Two random sines at once, one on the anisotropy and one on the DMI.

    Parameters
    ----------
    first, second : RandomSine
        Drives of equal duration on different inputs.
    """

    first: RandomSine
    second: RandomSine

    def __post_init__(self):
        if self.first.input == self.second.input:
            raise InputError(f"RandomSinePair: both drive {self.first.input}; give one input each.")
        if not np.isclose(self.first.duration, self.second.duration, rtol=1e-9, atol=0):
            raise InputError(
                f"RandomSinePair: one lasts {self.first.duration:g} s, the other "
                f"{self.second.duration:g} s; make them equal through their periods."
            )

    @property
    def inputs(self) -> tuple[str, ...]:
        """Names of the driven parameters."""
        return self.first.inputs + self.second.inputs

    @property
    def duration(self) -> float:
        """Length in s."""
        return self.first.duration

    def sample(self, time: np.ndarray) -> dict[str, np.ndarray]:
        """Return both inputs at ``time`` (s)."""
        return self.first.sample(time) | self.second.sample(time)


@dataclass(frozen=True)
class PulseSequence:
    """One parameter climbs a staircase; at the start of every step a pulse on the other rings it.

    Parameters
    ----------
    swept : str
        ``"Ku"`` or ``"Dind"``: takes the value ``levels[i]`` during step i.
    levels : tuple of float
        In the unit of ``swept``.
    pulsed : str
        The other parameter: ``pulse`` for the first ``pulse_duration`` of a step, then ``rest``.
    pulse, rest : float
        In the unit of ``pulsed``.
    hold, pulse_duration : float
        Length of a step and of its pulse in s.
    """

    swept: str
    levels: tuple[float, ...]
    pulsed: str
    pulse: float
    rest: float
    hold: float = 4e-9
    pulse_duration: float = 1e-9

    def __post_init__(self):
        object.__setattr__(self, "levels", _numbers("PulseSequence", self.levels))
        if not self.levels:
            raise InputError("PulseSequence: levels is empty; give at least one value to hold.")
        _check_input("PulseSequence", self.swept, *self.levels)
        _check_input("PulseSequence", self.pulsed, self.pulse, self.rest)
        _check_positive("PulseSequence", hold=self.hold, pulse_duration=self.pulse_duration)
        if self.swept == self.pulsed:
            raise InputError(f"PulseSequence: {self.swept} cannot be both swept and pulsed.")
        if self.pulse_duration >= self.hold:
            raise InputError(
                f"PulseSequence: a pulse of {self.pulse_duration:g} s fills the step of "
                f"{self.hold:g} s; shorten it so that the ringing can be heard."
            )

    @property
    def inputs(self) -> tuple[str, ...]:
        """Names of the driven parameters, anisotropy first."""
        return ("Ku", "Dind")

    @property
    def duration(self) -> float:
        """Length in s."""
        return len(self.levels) * self.hold

    def sample(self, time: np.ndarray) -> dict[str, np.ndarray]:
        """Return both inputs at ``time`` (s)."""
        time = _check_time(time, self.duration)
        step = _step_index(time, self.hold, len(self.levels))
        ringing = time - step * self.hold < self.pulse_duration - _EDGE * self.hold
        values = {
            self.swept: np.asarray(self.levels, dtype=float)[step],
            self.pulsed: np.where(ringing, self.pulse, self.rest),
        }
        return {name: values[name] for name in self.inputs}


@dataclass(frozen=True)
class HeldSequence:
    """A sequence of values, each held for the same time: ``offset + amplitude * values[i]``.

    Parameters
    ----------
    values : tuple of float
        Dimensionless; for a reservoir, the masked series node by node.
    input : str
        Driven parameter, ``"Ku"`` or ``"Dind"``.
    offset, amplitude : float
        In the unit of the input.
    hold : float
        Time per value in s.
    """

    values: tuple[float, ...]
    input: str = "Ku"
    offset: float = 8e5
    amplitude: float = 2e5
    hold: float = 10e-12

    def __post_init__(self):
        object.__setattr__(self, "values", _numbers("HeldSequence", self.values))
        if not self.values:
            raise InputError("HeldSequence: values is empty; give at least one value to hold.")
        if not np.isfinite(self.values).all():
            raise InputError("HeldSequence: values holds a NaN or infinity; remove it.")
        extremes = (min(self.values), max(self.values))
        _check_input(
            "HeldSequence", self.input, *(self.offset + self.amplitude * v for v in extremes)
        )
        _check_positive("HeldSequence", hold=self.hold)

    @property
    def inputs(self) -> tuple[str, ...]:
        """Names of the driven parameters."""
        return (self.input,)

    @property
    def duration(self) -> float:
        """Length in s."""
        return len(self.values) * self.hold

    @cached_property
    def levels(self) -> np.ndarray:
        """The held values in the unit of the input, shape (values,)."""
        return self.offset + self.amplitude * np.array(self.values)

    def sample(self, time: np.ndarray) -> dict[str, np.ndarray]:
        """Return the input at ``time`` (s)."""
        time = _check_time(time, self.duration)
        return {self.input: self.levels[_step_index(time, self.hold, len(self.values))]}


@dataclass(frozen=True)
class Stretch:
    """A stretch of another drive, with a clock of its own.

    Parameters
    ----------
    drive : Drive
    start, duration : float
        Where in the drive it begins, and how long it lasts, in s.
    """

    drive: Drive
    start: float
    duration: float

    def __post_init__(self):
        stop = self.start + self.duration
        if not (0 <= self.start < stop <= self.drive.duration * (1 + 1e-9)):
            raise InputError(
                f"Stretch: {self.start:g} to {stop:g} s is not within the drive, which lasts "
                f"{self.drive.duration:g} s."
            )

    @property
    def inputs(self) -> tuple[str, ...]:
        """Names of the driven parameters."""
        return self.drive.inputs

    def sample(self, time: np.ndarray) -> dict[str, np.ndarray]:
        """Return the inputs at ``time`` (s, from the start of the stretch)."""
        return self.drive.sample(self.start + _check_time(time, self.duration))
