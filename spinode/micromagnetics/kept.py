"""A simulation that is kept: run once, read ever after.

Days of micromagnetics should not be lost because a notebook runs again. A kept trajectory serves
every shorter run of the same device under a drive that begins in the same way.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import xarray as xr

import spinode
from spinode.devices.disks import SkyrmionDisk
from spinode.devices.drives import Drive
from spinode.micromagnetics import simulate
from spinode.micromagnetics.embedded import PRECISION
from spinode.micromagnetics.recording import describe
from spinode.trajectory import load, save


def simulate_once(
    path: str | Path, device: SkyrmionDisk, drive: Drive, *, spacing: float, **options
) -> xr.Dataset:
    """Return the trajectory kept at ``path`` if it is this one, else simulate it and keep it.

    A simulation that is cut off goes on from its checkpoint, which lies beside ``path``.

    Parameters
    ----------
    path : path
        netCDF file. What it holds is taken if device, version, spacing, precision and driven
        inputs are the same for as long as ``drive`` lasts; any other is replaced.
    device, drive, spacing
        As for `simulate`; the whole drive is run.
    **options
        Passed on to `simulate`.

    Returns
    -------
    Dataset
        As of `simulate`, exactly as long as the drive.
    """
    path = Path(path)
    kept = _kept(path, device, drive, spacing, options.get("precision", PRECISION))
    if kept is not None:
        return kept
    path.parent.mkdir(parents=True, exist_ok=True)
    checkpoint = path.with_suffix(".checkpoint")
    run = simulate(device, drive, spacing=spacing, checkpoint=checkpoint, **options)
    save(run, path)
    return run


def _kept(
    path: Path, device: SkyrmionDisk, drive: Drive, spacing: float, precision: str
) -> xr.Dataset | None:
    """Return what ``path`` holds of this simulation, or None if it holds another or too little."""
    if not path.exists():
        return None
    run = load(path)
    same = run.attrs.get("device") == describe(device)
    same &= run.attrs.get("precision", precision) == precision  # MuMax3 has one only
    if not same or run.attrs.get("engine_version") != spinode.__version__:
        return None
    count = round(drive.duration / spacing) + 1
    time = spacing * np.arange(count)
    if run.sizes["time"] < count or np.abs(run.time.values[:count] - time).max() > 1e-3 * spacing:
        return None
    part = run.isel(time=slice(0, count))
    # The last sample of a longer run already belongs to what it was driven with next.
    driven = drive.sample(time[:-1])
    for name, values in driven.items():
        if name not in part or not np.allclose(part[name].values[:-1], values, rtol=1e-9):
            return None
    if part.attrs.get("annihilation", 0.0) > time[-1]:
        del part.attrs["annihilation"]
    return part
