"""Micromagnetics: skyrmion disks under time-dependent anisotropy and DMI.

`simulate` runs a device and its drive on MuMax3 where there is one, else on the embedded engine,
which integrates the same equations on the same lattice.
"""

import inspect
from dataclasses import dataclass

import xarray as xr

import spinode
from spinode.devices.disks import SkyrmionDisk
from spinode.devices.drives import Drive
from spinode.errors import InputError
from spinode.micromagnetics import embedded, mumax3

__all__ = ["Availability", "available_engines", "simulate"]

_ENGINES = {"mumax3": mumax3.run, "embedded": embedded.run}


@dataclass(frozen=True)
class Availability:
    """Whether an engine can run here, and where it is or why not."""

    engine: str
    available: bool
    detail: str


def available_engines() -> list[Availability]:
    """Return what each engine can do on this machine, the preferred one first."""
    try:
        gpu_engine = Availability("mumax3", True, mumax3.check())
    except InputError as error:
        gpu_engine = Availability("mumax3", False, str(error))
    return [gpu_engine, Availability("embedded", True, f"spinode {spinode.__version__}, CPU")]


def simulate(
    device: SkyrmionDisk, drive: Drive, engine: str = "auto", **options
) -> xr.Dataset | tuple[xr.Dataset, xr.Dataset]:
    """Relax a device, drive it and record its magnetization.

    Parameters
    ----------
    device : SkyrmionDisk
        What is simulated.
    drive : Drive
        How it is driven.
    engine : {"auto", "mumax3", "embedded"}
        "auto" is MuMax3 where it can run, else the embedded engine.
    **options
        ``spacing``, ``duration``, ``snapshots``, ``progress`` and those of the engine alone: see
        `spinode.micromagnetics.embedded.run` and `spinode.micromagnetics.mumax3.run`.

    Returns
    -------
    Dataset or (Dataset, Dataset)
        Over ``time`` (s, zero at the start of the drive): ``mx``, ``my``, ``mz``,
        ``topological_charge`` and the driven inputs; provenance in the attributes. With
        ``snapshots``, a second Dataset of m over ``time``, ``y``, ``x``, ``component``.

    Raises
    ------
    InputError
        When device or drive are none, the engine or an option does not exist, or an option's
        value cannot be used.
    SpinodeError
        When the engine fails.

    Examples
    --------
    >>> from spinode.devices.protocols import ONE_SKYRMION as run
    >>> trajectory = simulate(run.device, run.drive, duration=1e-9)  # doctest: +SKIP
    """
    if not isinstance(device, SkyrmionDisk):
        raise InputError(
            f"simulate: {device!r:.80} is not a SkyrmionDisk; see spinode.devices.disks."
        )
    if not hasattr(drive, "sample"):
        raise InputError(f"simulate: {drive!r:.80} is not a drive; see spinode.devices.drives.")
    if engine == "auto":
        engine = next(one.engine for one in available_engines() if one.available)
    if engine not in _ENGINES:
        raise InputError(
            f"simulate: engine {engine!r} is unknown; choose auto, mumax3 or embedded."
        )
    run = _ENGINES[engine]
    known = list(inspect.signature(run).parameters)[2:]
    for name in options:
        if name not in known:
            raise InputError(f"simulate: engine {engine} has no option {name!r}; it has {known}.")
    return run(device, drive, **options)
