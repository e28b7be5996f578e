"""What can be turned: how a series becomes the drive of a device, and when the device is read.

A series is standardized, ``z``, and drives the device by values held one after the other,

    v(n, j) = static(j) + present(j) z(n) + delayed(j) z(n - delay),

in units of the amplitude that the device's input is normalized by. A `Design` holds these numbers;
`Knobs` draw them from a few. The reservoir of the paper is the design with ``static`` a multiple
of ``present`` and nothing delayed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from numbers import Integral, Real

import numpy as np

from spinode.errors import InputError
from spinode.reservoir.readout import gaussian_mask, multiplex

#: Distributions of a mask's values, all of standard deviation 1.
DISTRIBUTIONS: dict[str, Callable[[np.random.Generator, tuple[int, ...]], np.ndarray]] = {
    "normal": lambda generator, shape: generator.standard_normal(shape),
    "uniform": lambda generator, shape: generator.uniform(-(3**0.5), 3**0.5, shape),
    "binary": lambda generator, shape: generator.choice((-1.0, 1.0), shape),
}


@dataclass(frozen=True, eq=False)
class Design:
    """A reservoir of one device: what drives it and when it is read.

    Parameters
    ----------
    static, present, delayed : array, shape (masks, nodes)
        Held value of each node, and its change with the series and with the delayed series, per
        standard deviation. With several masks, the device gets the series once through each, and
        all its answers are read out together.
    delay : int
        Points between the series and the delayed one.
    hold : float
        How long each value is held (s).
    moment : float
        When a node is read, counted from the start of its hold (s); at most the hold.

    Raises
    ------
    InputError
        If the arrays do not fit or hold NaN, or a number is out of range.
    """

    static: np.ndarray
    present: np.ndarray
    delayed: np.ndarray
    delay: int = 0
    hold: float = 10e-12
    moment: float = 0.0

    def __post_init__(self):
        arrays = {name: np.asarray(getattr(self, name), float) for name in _ARRAYS}
        for name, array in arrays.items():
            if array.ndim != 2 or not array.size or array.shape != arrays["static"].shape:
                raise InputError(
                    f"a design's {name} values have the shape {array.shape}; all three need the "
                    "same, (masks, nodes)."
                )
            if not np.isfinite(array).all():
                raise InputError(f"a design's {name} values hold NaN or infinity.")
            object.__setattr__(self, name, array)
        _whole("delay", self.delay, 0)
        if not 0 < self.hold < np.inf:
            raise InputError(f"hold must be a positive number of seconds, not {self.hold!r}.")
        if not 0 <= self.moment <= self.hold * (1 + 1e-9):
            raise InputError(
                f"a node held for {self.hold:g} s is read between 0 and {self.hold:g} s after its "
                f"start, not at {self.moment!r}."
            )

    @property
    def nodes(self) -> int:
        """Virtual nodes a point, of all masks together."""
        return self.static.size

    @property
    def time_per_point(self) -> float:
        """Time that the device needs for a point, through all masks (s)."""
        return self.nodes * self.hold

    def drive(self, standardized: np.ndarray) -> np.ndarray:
        """Return the held values under a series.

        Parameters
        ----------
        standardized : array, shape (points,)

        Returns
        -------
        array, shape (masks, points, nodes of a mask)
        """
        z = np.asarray(standardized, float)
        past = delayed(z, self.delay)
        return (
            self.static[:, None]
            + z[:, None] * self.present[:, None]
            + past[:, None] * self.delayed[:, None]
        )


_ARRAYS = ("static", "present", "delayed")


def delayed(series: np.ndarray, delay: int) -> np.ndarray:
    """Return ``series[n - delay]``, zero before its beginning."""
    return np.concatenate([np.zeros(delay), series])[: len(series)]


@dataclass(frozen=True)
class Knobs:
    """A few numbers that a design is drawn from.

    Parameters
    ----------
    nodes, masks : int
        Virtual nodes a point, and masks that they belong to.
    hold : float
        How long each value is held (s).
    moment : float
        When a node is read, as a part of the hold, 0 (its start, as in the paper) to 1 (its end).
    strength : float
        Standard deviation over points and nodes of what the series changes, in units of the
        amplitude that the input is normalized by.
    offset : float
        What is added to every held value, in the same unit.
    pedestal : float
        What is added to the standardized series before it is masked.
    delay : int
        Points between the series and the delayed one.
    gain : float
        Weight of the delayed series against the present one.
    own_mask : bool
        Whether the delayed series has a mask of its own.
    distribution : str
        One of `DISTRIBUTIONS`.
    seed : int
        Of the masks.

    Raises
    ------
    InputError
        If a knob is out of range.
    """

    nodes: int = 50
    masks: int = 1
    hold: float = 10e-12
    moment: float = 0.0
    strength: float = 0.2
    offset: float = 0.0
    pedestal: float = 0.0
    delay: int = 0
    gain: float = 0.0
    own_mask: bool = True
    distribution: str = "normal"
    seed: int = 0

    def __post_init__(self):
        for name, least in (("nodes", 1), ("masks", 1), ("delay", 0), ("seed", 0)):
            _whole(name, getattr(self, name), least)
        if self.nodes % self.masks:
            raise InputError(
                f"{self.nodes} nodes cannot be shared by {self.masks} masks; take a multiple."
            )
        for name, low, high in _RANGES:
            value = getattr(self, name)
            if not (isinstance(value, Real) and low <= value <= high):
                raise InputError(f"{name} must lie between {low:g} and {high:g}, not {value!r}.")
        if self.distribution not in DISTRIBUTIONS:
            raise InputError(
                f"there is no distribution {self.distribution!r} of a mask; there are "
                f"{', '.join(DISTRIBUTIONS)}."
            )

    def design(self) -> Design:
        """Draw the design."""
        draw = DISTRIBUTIONS[self.distribution]
        generator = np.random.default_rng(self.seed)
        shape = (self.masks, self.nodes // self.masks)
        present = draw(generator, shape)
        past = draw(generator, shape) if self.own_mask else present
        gain = self.gain if self.delay else 0.0
        unit = self.strength / np.hypot(1, gain)
        return Design(
            static=self.offset + unit * self.pedestal * present,
            present=unit * present,
            delayed=unit * gain * past,
            delay=self.delay,
            hold=self.hold,
            moment=self.moment * self.hold,
        )


# Name, least and largest value of a knob that is a number. A strength of 3 drives any device of
# the paper far outside of what its model has seen.
_RANGES = (
    ("hold", 1e-13, 1e-6),
    ("moment", 0.0, 1.0),
    ("strength", 0.0, 3.0),
    ("offset", -1.0, 1.0),
    ("pedestal", -10.0, 10.0),
    ("gain", -10.0, 10.0),
)


def authors_design(
    series: np.ndarray,
    centre: float,
    deviation: float,
    minimum: float,
    mask: np.ndarray | None = None,
) -> Design:
    """Return the reservoir of the paper: a mask times the series, scaled to a minimum.

    Parameters
    ----------
    series : array, shape (points,)
        As it is; with ``centre`` and ``deviation`` it is standardized.
    centre, deviation : float
        Its mean and standard deviation.
    minimum : float
        Smallest held value: -0.4 for one skyrmion, `devices.protocols.Multiplexing`.
    mask : array, shape (nodes,), optional
        The authors' own by default.
    """
    mask = gaussian_mask() if mask is None else mask
    scaled = mask * (multiplex(series, mask, minimum)[0, 0] / (series[0] * mask[0]))
    present = deviation * scaled[None]
    return Design(centre * scaled[None], present, np.zeros_like(present))


def _whole(name: str, value: object, least: int) -> None:
    if not (isinstance(value, Integral) and value >= least):
        raise InputError(f"{name} must be a whole number of at least {least}, not {value!r}.")
