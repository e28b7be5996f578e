"""The signal of a device of the paper that a neural ODE learns from: MuMax3's or our own."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, fields, is_dataclass, replace
from pathlib import Path

import xarray as xr

from spinode.devices.drives import Drive
from spinode.devices.protocols import FOUR_SKYRMIONS, ONE_SKYRMION, PAIR, Protocol
from spinode.errors import InputError
from spinode.micromagnetics.tables import read_table
from spinode.paper import authors
from spinode.trajectory import alive, load, resample

#: The authors' table of each training run, by the protocol's name.
TABLES = {
    ONE_SKYRMION.name: authors.ONE_SKYRMION_TABLE,
    FOUR_SKYRMIONS.name: authors.FOUR_SKYRMIONS_TABLE,
    PAIR.name: authors.PAIR_TABLE,
}


@dataclass(frozen=True)
class Recording:
    """What a neural ODE learns from.

    Parameters
    ----------
    source : str
        Who simulated it, for people.
    signal : Dataset
        Output and inputs at every sample of the protocol's `Learning`.
    drive : Drive
        The inputs as a function of time, with the amplitudes that were used.
    """

    source: str
    signal: xr.Dataset
    drive: Drive


def recording(
    protocol: Protocol,
    simulated: Callable[[str], Path],
    *,
    published: bool = True,
    samples: int | None = None,
) -> Recording:
    """Return the training run of a device: published if it was fetched, else simulated here.

    Parameters
    ----------
    protocol : Protocol
        One that the paper trains on.
    simulated : callable
        Takes a file name, returns where the trajectory of notebook 01 lies: ``outputs().input``.
    published : bool
        Whether to prefer the authors' table.
    samples : int, optional
        Number of the last sample to keep, if the run is that long.

    Raises
    ------
    InputError
        If the paper does not train on it, there is no such run, or a skyrmion was lost in it.
    """
    if protocol.learning is None:
        raise InputError(f"the paper does not train on {protocol.name!r}: it has no learning.")
    table = authors.locate(TABLES[protocol.name]) if published else None
    if table:
        source, run, drive = "MuMax3, published by the authors", read_table(table), protocol.drive
    else:
        run = load(simulated(f"{protocol.name}.nc"))
        source = f"{run.attrs['engine']} engine, notebook 01"
        drive = as_described(protocol.drive, json.loads(run.attrs["drive"]))
    spacing, end = protocol.learning.sample_spacing, float(run.time[-1])
    if samples is not None:
        end = min(end, spacing * samples)
    return Recording(source, alive(resample(run, spacing, end)), drive)


def as_described(drive: Drive, description: dict) -> Drive:
    """Return ``drive`` with the numbers that a simulation says it was driven with.

    A trajectory's attribute ``drive`` describes its drive. A long sequence is described by its
    hash alone: then that of ``drive`` stays.
    """
    changes = {}
    for field in fields(drive):
        value, described = getattr(drive, field.name), description[field.name]
        if is_dataclass(value):
            changes[field.name] = as_described(value, described)
        elif not isinstance(described, dict):
            changes[field.name] = tuple(described) if isinstance(described, list) else described
    return replace(drive, **changes)
