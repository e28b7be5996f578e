"""The simulations of Chen et al., Nat. Commun. 13, 1016 (2022), each a device and its drive.

>>> from spinode.devices.protocols import ONE_SKYRMION
>>> ONE_SKYRMION.device.cells, ONE_SKYRMION.drive.duration
(80, 1.5e-07)
"""

from dataclasses import dataclass

import numpy as np

from spinode.devices.disks import SkyrmionDisk
from spinode.devices.drives import Drive, HeldSequence, PulseSequence, RandomSine, RandomSinePair
from spinode.devices.grains import published_grains
from spinode.errors import InputError


@dataclass(frozen=True)
class Protocol:
    """A simulation as the paper ran it.

    Parameters
    ----------
    name : str
        Short name, used for files and on the command line.
    device : SkyrmionDisk
        What is simulated.
    drive : Drive
        How it is driven.
    spacing : float
        Time between rows of the table in s.
    """

    name: str
    device: SkyrmionDisk
    drive: Drive
    spacing: float


_FOUR = SkyrmionDisk(
    diameter=120e-9,
    skyrmions=((30e-9, 0.0), (-30e-9, 0.0), (0.0, 30e-9), (0.0, -30e-9)),
    grains=published_grains(),
)

ONE_SKYRMION = Protocol("one_skyrmion", SkyrmionDisk(), RandomSine(), spacing=2.5e-12)

FOUR_SKYRMIONS = Protocol("four_skyrmions", _FOUR, RandomSine(), spacing=2.5e-12)

PAIR = Protocol(
    "pair",
    SkyrmionDisk(diameter=100e-9, Dind=3.0e-3),
    RandomSinePair(
        RandomSine("Ku", offset=8e5, amplitude=0.5e5),
        RandomSine(
            "Dind", offset=3.0e-3, amplitude=0.4e-3, frequency=0.4e9, periods=60, start=3000
        ),
    ),
    spacing=5e-12,
)

# The published scripts of both tests relax the device at the first level of the sweep.
KU_TEST = Protocol(
    "ku_test",
    SkyrmionDisk(diameter=100e-9, Ku=7.5e5, Dind=3.0e-3),
    PulseSequence(
        swept="Ku",
        levels=tuple(7.5e5 + 0.05e5 * i for i in range(21)),
        pulsed="Dind",
        pulse=3.1e-3,
        rest=3.0e-3,
    ),
    spacing=5e-12,
)

D_TEST = Protocol(
    "d_test",
    SkyrmionDisk(diameter=100e-9, Dind=2.6e-3),
    PulseSequence(
        swept="Dind",
        levels=tuple(2.6e-3 + 0.05e-3 * i for i in range(16)),
        pulsed="Ku",
        pulse=8.4e5,
        rest=8e5,
    ),
    spacing=5e-12,
)

# Smallest value of the scaled masked series: how hard each device can be driven and survive.
_MACKEY_GLASS_MINIMUM = {ONE_SKYRMION.name: -0.4, FOUR_SKYRMIONS.name: -0.25}


def mackey_glass(trained: Protocol, masked: np.ndarray) -> Protocol:
    """Return the reservoir run of a device: a masked Mackey-Glass series, each value held 10 ps.

    Parameters
    ----------
    trained : Protocol
        `ONE_SKYRMION` or `FOUR_SKYRMIONS`, the device that serves as the reservoir.
    masked : ndarray
        Masked series of any shape, read node by node within a sample (C order); it is scaled so
        that its minimum is -0.4 (one skyrmion) or -0.25 (four).

    Raises
    ------
    InputError
        When the protocol is not one of the two, or the series never becomes negative.
    """
    if trained.name not in _MACKEY_GLASS_MINIMUM:
        raise InputError(
            f"mackey_glass: {trained.name!r} is not a reservoir of the paper; "
            f"use one of {sorted(_MACKEY_GLASS_MINIMUM)}."
        )
    masked = np.asarray(masked, dtype=float)
    if not masked.size or not masked.min() < 0:
        raise InputError(
            "mackey_glass: the masked series must have a negative minimum to scale by."
        )
    scale = _MACKEY_GLASS_MINIMUM[trained.name] / masked.min()
    name = f"mackey_glass_{trained.name}"
    return Protocol(name, trained.device, HeldSequence(tuple(scale * masked.ravel())), 2.5e-12)


PROTOCOLS = {p.name: p for p in (ONE_SKYRMION, FOUR_SKYRMIONS, PAIR, KU_TEST, D_TEST)}
