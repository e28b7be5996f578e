"""Recordings of a device as a latent model sees them: normalized, several, with gaps.

A missing sample of the output is NaN and has no weight. Inputs must be complete.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np
import xarray as xr

from spinode.devices.drives import Drive
from spinode.errors import InputError
from spinode.neural_ode.measured import in_units_of
from spinode.neural_ode.stages import StageInputs
from spinode.neural_ode.variable_projection import Window
from spinode.trajectory import Channel, as_list, label, spacing_of
from spinode.units import in_units

_FEWEST = 50

#: Samples of output and inputs; or samples of the output, and the inputs as functions of time.
Record = xr.Dataset | tuple[xr.Dataset, Drive]


def with_drives(
    given: Record | Sequence[Record], inputs: Sequence[str]
) -> tuple[list[xr.Dataset], list[Drive | None]]:
    """Return records with columns of their inputs, and the drive of each, None where it has none.

    Raises
    ------
    InputError
        If a drive lacks an input, or is over before its record.
    """
    single = isinstance(given, xr.Dataset | xr.DataArray) or _has_drive(given)
    given = [given] if single else list(given)
    data, drives = [], []
    for one in given:
        if not _has_drive(one):
            runs = as_list(one)
            data += runs
            drives += [None] * len(runs)
            continue
        record, drive = in_units(one[0], {}), one[1]
        if "time" not in record.coords:
            raise InputError(f"record {len(data)} has no time; give it a coordinate of seconds.")
        missing = [name for name in inputs if name not in drive.inputs]
        if missing:
            raise InputError(
                f"the drive of record {len(data)} lacks {', '.join(missing)}; it has "
                f"{', '.join(drive.inputs)}."
            )
        values = drive.sample(record.time.values)
        columns = {name: ("time", np.asarray(values[name], float)) for name in inputs}
        data.append(label(record.drop_vars(inputs, errors="ignore").assign(columns)))
        drives.append(drive)
    return data, drives


def _has_drive(one) -> bool:
    return isinstance(one, tuple) and len(one) == 2 and hasattr(one[1], "duration")


def in_common_units(records: list[xr.Dataset], names: Sequence[str]) -> list[xr.Dataset]:
    """Return records with time in seconds, and variables in the units of the first record.

    Raises
    ------
    InputError
        If the units of a record measure something else.
    """
    units = {
        name: str(records[0][name].attrs.get("units", ""))
        for name in names
        if records and name in records[0]
    }
    return [in_units(record, units) for record in records]


def check(records: list[xr.Dataset], output: str, inputs: Sequence[str]) -> float:
    """Return the common sample spacing (s) of the records.

    Raises
    ------
    InputError
        If a record lacks a column, is too short, has an input that is not a number, an output
        without numbers or that never changes, or a spacing of its own.
    """
    if not records:
        raise InputError("there is no record to learn from; give one Dataset or several.")
    if not inputs:
        raise InputError("name at least one input; a device that nothing drives has no forecast.")
    spacing = None
    for number, record in enumerate(records):
        which = "the record" if len(records) == 1 else f"record {number}"
        missing = [name for name in (output, *inputs) if name not in record]
        if missing:
            raise InputError(
                f"{which} lacks {', '.join(missing)}; it has {', '.join(map(str, record))}."
            )
        if record.sizes.get("time", 0) < _FEWEST:
            raise InputError(
                f"{which} has {record.sizes.get('time', 0)} samples; at least {_FEWEST} are needed."
            )
        own = spacing_of(record)
        spacing = own if spacing is None else spacing
        if abs(own - spacing) > 1e-6 * spacing:
            raise InputError(
                f"{which} is sampled every {own:.6g} s and the first every {spacing:.6g} s; "
                "bring them to one spacing with trajectory.resample."
            )
        for name in inputs:
            bad = np.flatnonzero(~np.isfinite(record[name].values))
            if bad.size:
                raise InputError(
                    f"the input {name} of {which} is not a number at "
                    f"{float(record.time[bad[0]]):.6g} s; cut or repair it there."
                )
    for name in (output, *inputs):
        values = np.concatenate([record[name].values.astype(float) for record in records])
        values = values[np.isfinite(values)]
        if values.size < _FEWEST:
            raise InputError(f"{name} has only {values.size} samples that are numbers.")
        if np.ptp(values) <= 1e-12 * max(np.abs(values).max(), 1e-300):
            raise InputError(f"{name} never changes: there is nothing to learn from it.")
    return spacing


def channel(records: list[xr.Dataset], name: str) -> Channel:
    """Return the channel that brings ``name`` to zero mean and unit standard deviation."""
    values = np.concatenate([record[name].values.astype(float) for record in records])
    values = values[np.isfinite(values)]
    units = str(records[0][name].attrs.get("units", ""))
    return Channel(name, units, offset=float(values.mean()), scale=float(values.std()))


def trained_range(records: list[xr.Dataset], names: Sequence[str]) -> dict:
    """Return the smallest and largest value of each variable."""
    ranges = {}
    for name in names:
        values = np.concatenate([record[name].values.astype(float) for record in records])
        ranges[name] = (float(np.nanmin(values)), float(np.nanmax(values)))
    return ranges


def window(model, record: xr.Dataset, interpolation: str, drive: Drive | None = None) -> Window:
    """Return a record as a model with these channels and this spacing sees it.

    Parameters
    ----------
    model : LatentODE
        Gives ``inputs``, ``output`` and ``sample_spacing``.
    record : Dataset
    interpolation : {"held", "linear", "cubic"}
        How the record's own inputs go on between their samples.
    drive : Drive, optional
        The inputs at any time (SI), instead.
    """
    record = in_units_of(model, record, unnamed=model.output.name)
    source = StageInputs(
        model,
        record if drive is None else drive,
        start=float(record.time[0]),
        interpolation=interpolation if drive is None else None,
    )
    samples = record.sizes["time"]
    stages = model.stages(source.between(0, samples - 1))
    truth = model.output.normalize(record[model.output.name].values.astype(float))
    counts = np.isfinite(truth).astype(float)
    counts[: max(model.dead_times, default=0)] = 0.0  # what drove them is not known
    return Window(stages, np.where(counts > 0, truth, 0.0), counts)


def is_held(record: xr.Dataset, name: str) -> bool:
    """Return whether an input moves in jumps, each value held for several samples."""
    return float(np.mean(np.diff(record[name].values) == 0)) > 0.4


def hold_out(
    records: Sequence[Window], blocks: int, every: int, first: int
) -> tuple[list[Window], list[Window]]:
    """Split each record into ``blocks`` and keep every ``every``-th, from ``first`` on, apart.

    Returns
    -------
    fitted, held : list of Window
        Neighbouring blocks that stay are not cut apart.
    """
    fitted, held = [], []
    for record in records:
        edges = np.linspace(0, len(record), blocks + 1).round().astype(int)
        start = 0
        for block in range(blocks):
            if block % every != first:
                continue
            a, b = int(edges[block]), int(edges[block + 1])
            if a > start:
                fitted.append(record.cut(start, a))
            held.append(record.cut(a, b))
            start = b
        if start < len(record):
            fitted.append(record.cut(start, len(record)))
    return fitted, held


def thinned(records: Sequence[Window], length: int, samples: int) -> list[Window]:
    """Return pieces of ``length`` spread evenly over the records, ``samples`` in all."""
    pieces = []
    for record in records:
        count = max(len(record) // length, 1)
        edges = np.linspace(0, len(record), count + 1).round().astype(int)
        pieces += [record.cut(int(a), int(b)) for a, b in itertools.pairwise(edges)]
    total = sum(len(piece) for piece in pieces)
    if total <= samples:
        return list(records)
    kept = np.linspace(0, len(pieces) - 1, max(samples * len(pieces) // total, 1))
    return [pieces[i] for i in sorted(set(kept.round().astype(int)))]
