"""What a simulation records, whichever engine runs it: sampling plan, Datasets, provenance."""

import hashlib
import json
from dataclasses import dataclass, fields, is_dataclass
from numbers import Real

import numpy as np
import xarray as xr

from spinode.devices.disks import SkyrmionDisk
from spinode.devices.drives import Drive
from spinode.errors import InputError
from spinode.trajectory import label

#: Format of the progress bar of every engine, in simulated ns.
BAR = "{desc} {percentage:3.0f}% |{bar}| {n:.2f}/{total:.2f} ns [{elapsed}<{remaining}]"

_LONG = 100  # numbers in a sequence beyond which its hash stands for it


@dataclass(frozen=True)
class Plan:
    """When a simulation records.

    Parameters
    ----------
    spacing, duration : float
        Time between samples, and length, in s.
    every : int
        Samples between pictures of m; 0 for no pictures.
    """

    spacing: float
    duration: float
    every: int

    @classmethod
    def of(
        cls, drive: Drive, spacing: float, duration: float | None, snapshots: float | None
    ) -> "Plan":
        """Return the plan for a drive; ``snapshots`` is the time between pictures in s or None.

        Raises
        ------
        InputError
            When a time is not a number or not a multiple of the spacing, or the drive is shorter
            than the run.
        """
        times = {"spacing": spacing, "duration": duration, "snapshots": snapshots}
        for name, value in times.items():
            if not (isinstance(value, Real) or (value is None and name != "spacing")):
                raise InputError(f"simulate: {name} is {value!r}; give a number of seconds.")
        if not 1e-14 <= spacing <= 1e-9:
            raise InputError(
                f"simulate: a spacing of {spacing:g} s is not between 1e-14 and 1e-9 s."
            )
        duration = drive.duration if duration is None else duration
        if not 0 < duration <= drive.duration * (1 + 1e-9):
            raise InputError(
                f"simulate: a run of {duration:g} s does not fit the drive, which lasts "
                f"{drive.duration:g} s; shorten the run or lengthen the drive."
            )
        for name, value in (("duration", duration), ("snapshots", snapshots)):
            if value is not None:
                count = value / spacing
                if count < 0.5 or abs(count - round(count)) > 1e-6 * max(count, 1):
                    raise InputError(
                        f"simulate: {name} of {value:g} s is not a multiple of the spacing of "
                        f"{spacing:g} s; {max(round(count), 1) * spacing:g} s would be."
                    )
        return cls(spacing, duration, 0 if snapshots is None else round(snapshots / spacing))

    @property
    def time(self) -> np.ndarray:
        """Times of all samples in s."""
        return self.spacing * np.arange(round(self.duration / self.spacing) + 1)

    @property
    def picture_rows(self) -> np.ndarray:
        """Indices of the samples at which a picture is taken."""
        rows = np.arange(len(self.time))
        return rows[:: self.every] if self.every else rows[:0]


def describe(*objects) -> str:
    """Return dataclasses as JSON, a long sequence as its length and SHA-256."""

    def plain(value):
        if is_dataclass(value):
            parameters = {field.name: plain(getattr(value, field.name)) for field in fields(value)}
            return {"type": type(value).__name__, **parameters}
        if isinstance(value, tuple | list):
            if len(value) > _LONG:
                data = np.asarray(value, dtype=float).tobytes()
                return {"count": len(value), "sha256": hashlib.sha256(data).hexdigest()}
            return [plain(item) for item in value]
        return value

    values = [plain(value) for value in objects]
    return json.dumps(values[0] if len(values) == 1 else values)


def annihilation(charge: np.ndarray) -> int | None:
    """Return the index of the first sample with fewer skyrmions than at the start, or None."""
    count = np.abs(np.round(charge))
    lost = np.flatnonzero(count < count[0])
    return int(lost[0]) if lost.size else None


def dataset(
    device: SkyrmionDisk,
    drive: Drive,
    time: np.ndarray,
    columns: dict[str, np.ndarray],
    *,
    engine: str,
    engine_version: str,
    wall_time: float,
    relaxation_wall_time: float,
) -> xr.Dataset:
    """Return the trajectory: ``columns`` over ``time`` (s) with units and provenance.

    Attributes ``wall_time`` and, the part of it before the drive began, ``relaxation_wall_time``
    are in s. Attribute ``annihilation`` is the time in s at which a skyrmion was lost, if one was.
    """
    result = label(
        xr.Dataset(
            {name: ("time", values) for name, values in columns.items()},
            coords={"time": time},
            attrs=_provenance(device, drive, engine, engine_version)
            | {"wall_time": wall_time, "relaxation_wall_time": relaxation_wall_time},
        )
    )
    if "topological_charge" in columns:
        lost = annihilation(columns["topological_charge"])
        if lost is not None:
            result.attrs["annihilation"] = float(time[lost])
    return result


def pictures(
    device: SkyrmionDisk,
    drive: Drive,
    time: np.ndarray,
    m: np.ndarray,
    *,
    engine: str,
    engine_version: str,
) -> xr.Dataset:
    """Return snapshots ``m``, shape (times, 3, ny, nx), as a Dataset over time, y, x, component."""
    x = (np.arange(device.cells) - (device.cells - 1) / 2) * device.cell
    position = {"units": "m", "long_name": "distance from the centre of the disk"}
    return label(
        xr.Dataset(
            {
                "m": (
                    ("time", "y", "x", "component"),
                    np.moveaxis(m, 1, -1),
                    {"units": "1", "long_name": "magnetization"},
                )
            },
            coords={
                "time": time,
                "y": ("y", x, position),
                "x": ("x", x, position),
                "component": ["x", "y", "z"],
            },
            attrs=_provenance(device, drive, engine, engine_version),
        )
    )


def _provenance(device, drive, engine, engine_version):
    seeds = [part.seed for part in _parts(device, drive) if hasattr(part, "seed")]
    attributes = {
        "device": describe(device),
        "drive": describe(drive),
        "engine": engine,
        "engine_version": engine_version,
        "cell_size": device.cell,
    }
    return attributes | ({"seed": seeds} if seeds else {})


def _parts(*objects):
    for value in objects:
        if is_dataclass(value):
            yield value
            yield from _parts(*(getattr(value, field.name) for field in fields(value)))
