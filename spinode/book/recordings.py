"""What the live page shows beside the neural ODE: recorded micromagnetics and pictures."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from spinode.analysis.spectra import peak_frequency
from spinode.devices.drives import Drive, HeldSequence
from spinode.devices.protocols import D_TEST, KU_TEST, ONE_SKYRMION, mackey_glass_protocol
from spinode.micromagnetics import simulate
from spinode.micromagnetics.tables import read_table
from spinode.neural_ode.model import SpinODE
from spinode.neural_ode.stages import StageInputs
from spinode.paper import authors
from spinode.reservoir import readout, tasks
from spinode.trajectory import load, resample, save

# Steps of K_u that take m_z through its range, in units of the drive's amplitude, 0.25 ns each.
_STEPS = (0.6, -0.5, 0.3, -0.8, 0.9, -0.2, 0.7, -0.6)
_HOLD = 250e-12
_PICTURES = 24


def recorded(model: SpinODE, root: Path, profile: str, cache: Path, cell: float) -> dict[str, Any]:
    """Return the recorded drives with the answers of micromagnetics, and pictures by m_z.

    Parameters
    ----------
    model : SpinODE
        The model of one skyrmion.
    root : Path
        Folder of the workbook.
    profile : str
        Whose trajectory is taken where the authors' table is not here.
    cache : Path
        Folder that keeps what was simulated for the page.
    cell : float
        Edge of the cells (m), that of the model's training data.

    Returns
    -------
    dict
        ``drives``: by name, see `_recording`; ``pictures``: see `pictures_of`.
    """
    device = replace(ONE_SKYRMION.device, cell=cell)
    amplitude = 2e5 if cell < 1.5e-9 else 1.2e5  # coarse cells hold a skyrmion less well
    steps = HeldSequence(_STEPS, amplitude=amplitude, hold=_HOLD)
    masked = np.multiply.outer(tasks.mackey_glass_series(3), readout.gaussian_mask())
    glass = mackey_glass_protocol(ONE_SKYRMION, masked).drive
    with ThreadPoolExecutor(2) as pool:
        both = list(
            pool.map(
                lambda job: _simulated(cache, *job),
                [("steps", device, steps, 25e-12), ("mackey_glass", device, glass, None)],
            )
        )
    (stepped, seen), (answer, _) = both
    source = f"embedded engine, {cell * 1e9:g} nm cells"
    drives = {
        "steps of voltage": _recording(model, steps, stepped, source),
        "a masked Mackey-Glass series": _recording(model, glass, answer, source),
    }
    held_out = _held_out(model, root, profile)
    return {"drives": {**held_out, **drives}, "pictures": pictures_of(seen.m, stepped)}


def _simulated(cache: Path, name: str, device, drive: Drive, snapshots: float | None):
    """Return a simulation, from the cache if it is there."""
    stem = f"{name}_{device.cell * 1e9:g}nm"
    table, pictures = cache / f"{stem}.nc", cache / f"{stem}_pictures.nc"
    if not table.is_file() or (snapshots and not pictures.is_file()):
        options = {"snapshots": snapshots} if snapshots else {}
        done = simulate(device, drive, engine="embedded", spacing=5e-12, progress=False, **options)
        run, fields = done if snapshots else (done, None)
        save(run, table)
        if snapshots:
            save(fields, pictures)
    return load(table), xr.load_dataset(pictures, engine="h5netcdf") if snapshots else None


def _held_out(model: SpinODE, root: Path, profile: str) -> dict[str, Any]:
    """Return 10 ns that the model has not seen of the paper's random sine."""
    first = ONE_SKYRMION.learning.held_out[0]
    spacing, drive = model.sample_spacing, ONE_SKYRMION.drive
    table = authors.locate(authors.ONE_SKYRMION_TABLE)
    if not table:
        return {}
    signal = resample(read_table(table), spacing, spacing * (first + 2000))
    part = signal.isel(time=slice(first, None))
    name = "the paper's random sine, never seen in training"
    return {name: _recording(model, drive, part, "MuMax3, published by Chen et al. (MIT licence)")}


def _recording(model: SpinODE, drive: Drive, run: xr.Dataset, source: str) -> dict[str, Any]:
    """Return a drive at every third of a sample (SI) and the answer at every sample."""
    start = float(run.time[0])
    stages = StageInputs(model, drive, start=start)
    count = min(stages.samples, run.sizes["time"] - 1)
    return {
        "source": source,
        "inputs": [float(f"{v:.7g}") for v in stages.between(0, count)[:, 0]],
        "answer": [float(f"{v:.6g}") for v in run[model.output.name].values[: count + 1]],
    }


def pictures_of(m: xr.DataArray, run: xr.Dataset) -> dict[str, Any]:
    """Return pictures of m_z(x, y), ordered by the mean m_z at which each was taken.

    Parameters
    ----------
    m : DataArray
        Snapshots over ``time``, ``y``, ``x``, ``component``.
    run : Dataset
        The same run's table.

    Returns
    -------
    dict
        ``size`` (cells a side), ``mz`` (mean of each picture) and ``cells``: m_z of each as
        0 to 254, 255 outside of the disk, row by row.
    """
    fields = m.sel(component="z").values
    outside = (m.values[0] ** 2).sum(-1) < 0.5
    every = max(1, fields.shape[1] // 40)
    fields, outside = fields[:, ::every, ::every], outside[::every, ::every]
    mean = run.mz.sel(time=m.time, method="nearest").values
    order = np.argsort(mean)
    levels = np.linspace(mean.min(), mean.max(), _PICTURES)
    chosen = sorted({int(order[np.abs(mean[order] - level).argmin()]) for level in levels})
    chosen = sorted(chosen, key=lambda i: mean[i])
    cells = np.clip(np.rint((fields[chosen] + 1) * 127), 0, 254).astype(int)
    cells[:, outside] = 255
    return {
        "size": int(cells.shape[1]),
        "mz": [float(f"{mean[i]:.6g}") for i in chosen],
        "cells": cells.reshape(len(chosen), -1).tolist(),
    }


def breathing_points() -> dict[str, list[list[float]]]:
    """Return the published breathing frequencies: rows of K_u (J/m3), D (J/m2), f (GHz)."""
    points = []
    for protocol, path in ((KU_TEST, authors.KU_TEST_TABLE), (D_TEST, authors.D_TEST_TABLE)):
        table = authors.locate(path)
        if not table:
            continue
        drive, spacing = protocol.drive, protocol.spacing
        mz = resample(read_table(table), spacing).mz.values
        step = round(drive.hold / spacing)
        for i, level in enumerate(drive.levels):
            ringing = mz[step * i + round(drive.pulse_duration / spacing) : step * (i + 1)][:600]
            pair = {drive.swept: level, drive.pulsed: drive.rest}
            points.append([pair["Ku"], pair["Dind"], peak_frequency(ringing, spacing) / 1e9])
    return {"points": points, "source": "MuMax3, published by Chen et al. (MIT licence)"}
