"""The one data model: a trajectory is an xarray.Dataset over ``time``, in SI units.

Dimension ``time`` (s, float64, zero at the start of the drive); the measured output is ``mz`` (1)
or ``voltage`` (V), the inputs are ``Ku`` (J/m3), ``Dind`` (J/m2) or ``drive`` (V). Every variable
carries ``units`` and ``long_name``. This module stores it as netCDF, and
turns it into what a neural ODE trains on: normalized, delay-embedded windows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from numbers import Integral
from pathlib import Path

import h5py
import numpy as np
import xarray as xr

from spinode.errors import InputError
from spinode.files import first_line, replacing

#: Units and descriptions of every variable a trajectory may hold.
VARIABLES = {
    "time": ("s", "time since the start of the drive"),
    "mx": ("1", "mean magnetization along x"),
    "my": ("1", "mean magnetization along y"),
    "mz": ("1", "mean magnetization along z"),
    "voltage": ("V", "oscillation amplitude"),
    "topological_charge": ("1", "topological charge"),
    "Ku": ("J/m3", "uniaxial anisotropy"),
    "Dind": ("J/m2", "interfacial DMI"),
    "drive": ("V", "drive voltage"),
}


def label(dataset: xr.Dataset) -> xr.Dataset:
    """Give the known variables of ``dataset`` their ``units`` and ``long_name``."""
    for name, (units, long_name) in VARIABLES.items():
        if name in dataset.variables:
            dataset[name].attrs.update(units=units, long_name=long_name)
    return dataset


# --- on disk --------------------------------------------------------------------------------


def save(dataset: xr.Dataset, path: str | Path) -> Path:
    """Write ``dataset`` as netCDF4, completely or not at all; return its path.

    Its numbers carry checksums, so that `load` notices a file that was damaged later.

    Raises
    ------
    InputError
        If the folder cannot be written, or a name, a value or an attribute is one that netCDF
        does not hold; then the old file stays.
    """
    with replacing(path) as partial:
        checked = {
            name: {"fletcher32": True}
            for name, variable in dataset.variables.items()
            if variable.size and variable.ndim and variable.dtype.kind in "iufb"
        }
        try:
            dataset.to_netcdf(partial, engine="h5netcdf", encoding=checked)
        except OSError:
            raise
        except Exception as error:  # which one depends on what it is, and on the library
            said = " ".join(str(error).split()).rstrip(".")
            raise InputError(
                f"cannot write {path}: {said:.200}; rename, convert or delete that."
            ) from None
    return Path(path)


def load(path: str | Path) -> xr.Dataset:
    """Read a netCDF trajectory into memory.

    Raises
    ------
    InputError
        If there is no such file, or it is not a netCDF file or a damaged one.
    """
    path = Path(path)
    if not path.exists():
        raise InputError(f"there is no trajectory at {path}.")
    first_line(path)
    try:
        # h5netcdf, where it stumbles, leaves a traceback of its own behind; h5py does not.
        with h5py.File(path, "r") as file:
            file.visititems(lambda _, item: dict(item.attrs) and None)
        return xr.load_dataset(path, engine="h5netcdf")
    except Exception as error:  # a damaged file can make the library say anything
        said = " ".join(str(error).split()).strip("'")
        raise InputError(f"{path} is not a readable netCDF file: {said}.") from None


# --- what a neural ODE trains on ------------------------------------------------------------


@dataclass(frozen=True)
class Channel:
    """One scalar signal and its normalization, ``(value - offset) / scale``.

    Parameters
    ----------
    name : str
        Variable of the trajectory, such as ``mz`` or ``Ku``.
    units : str
        Units of the variable, of ``offset`` and of ``scale``.
    offset, scale : float
        The value that becomes 0, and the distance from it that becomes 1.
    """

    name: str
    units: str
    offset: float = 0.0
    scale: float = 1.0

    def __post_init__(self) -> None:
        if not (np.isfinite(self.offset) and np.isfinite(self.scale) and self.scale > 0):
            raise InputError(
                f"channel {self.name}: offset {self.offset} and scale {self.scale} must be "
                "finite and the scale positive."
            )

    def normalize(self, value):
        """Return ``value`` (in `units`) as the dimensionless number a model sees."""
        return (value - self.offset) / self.scale

    def restore(self, value):
        """Return the normalized ``value`` in `units`."""
        return value * self.scale + self.offset


# A pause of this many usual intervals between samples is a gap: nobody knows what was there.
_GAP = 3.5


def resample(dataset: xr.Dataset, spacing: float, duration: float | None = None) -> xr.Dataset:
    """Put a trajectory on a uniform grid that starts at its first sample.

    A cubic spline through the recorded points: MuMax3 writes a table line at the first solver step
    after each period, up to some 20 fs late, which mere relabelling would turn into noise. A
    variable that is held, in that it mostly repeats its last value, stays held.

    Parameters
    ----------
    dataset : Dataset
        Trajectory over ``time`` (s).
    spacing : float
        Sample spacing (s).
    duration : float, optional
        Length to keep (s), from the first sample; all of it by default.

    Raises
    ------
    InputError
        If ``spacing`` is not positive, ``duration`` is longer than the trajectory, there are fewer
        than two samples, times do not grow, a value is NaN or infinite, or the recording has a
        gap. No value is made up.
    """
    from scipy.interpolate import CubicSpline  # 0.2 s of import that only this function needs

    time = dataset.time.values.astype(float)
    if not 0 < spacing < np.inf:
        raise InputError(f"the sample spacing must be positive, not {spacing} s.")
    _check_times(time)
    length = time[-1] - time[0]
    end = length if duration is None else duration
    if not end >= 0:
        raise InputError(f"a duration cannot be {end} s; give a positive one.")
    # A recorded end may miss the nominal one by the solver's last step.
    if end > length + 0.01 * spacing:
        raise InputError(
            f"the trajectory lasts {length:g} s, shorter than the {end:g} s asked for."
        )
    count = int(np.floor(end / spacing + 0.01)) + 1
    grid = time[0] + spacing * np.arange(count)
    # The sample before each point of the grid, or the one that came late for it.
    usual = np.median(np.diff(time))
    before = np.searchsorted(time, grid + 0.02 * usual, side="right") - 1
    variables = {}
    for name, variable in dataset.data_vars.items():
        if "time" not in variable.dims:
            variables[name] = variable
            continue
        values = np.moveaxis(variable.values, variable.dims.index("time"), 0)
        if not np.isfinite(values).all():
            bad = time[np.flatnonzero(~np.isfinite(values.reshape(len(time), -1)).all(axis=1))[0]]
            raise InputError(
                f"{name} is not a finite number at {bad:g} s; cut the trajectory there."
            )
        resampled = values[before] if _held(values) else CubicSpline(time, values)(grid)
        others = [dimension for dimension in variable.dims if dimension != "time"]
        variables[name] = (["time", *others], resampled, variable.attrs)
    coordinates = {name: one for name, one in dataset.coords.items() if "time" not in one.dims}
    coordinates["time"] = ("time", grid, dataset.time.attrs)
    return xr.Dataset(variables, coordinates, dataset.attrs)


def alive(dataset: xr.Dataset, until: float | None = None) -> xr.Dataset:
    """Return a trajectory that may serve as a reference: no skyrmion was lost in it.

    What a magnet does after that is not the motion of a skyrmion; its error means nothing. A
    simulation says by the attribute ``annihilation`` when one was lost (s); delete that attribute
    to use the rest all the same.

    Parameters
    ----------
    dataset : Dataset
    until : float, optional
        Time of the last sample that is used (s); that of the last by default.

    Raises
    ------
    InputError
        If a skyrmion was lost until then.
    """
    lost = dataset.attrs.get("annihilation")
    end = float(dataset.time[-1]) if until is None else until
    if lost is not None and lost <= end:
        raise InputError(
            f"the trajectory lost a skyrmion at {lost * 1e9:.4g} ns, so it cannot be a reference "
            f"up to {end * 1e9:.4g} ns: cut it before, drive the device less, or delete its "
            "attribute 'annihilation' to use it all the same."
        )
    return dataset


def _check_times(time: np.ndarray) -> None:
    """Refuse times that a curve cannot be drawn through."""
    if len(time) < 2:
        raise InputError(f"a trajectory needs at least two samples, this one has {len(time)}.")
    steps = np.diff(time)
    back = np.flatnonzero(~(steps > 0))  # NaN, too
    if back.size:
        raise InputError(
            f"time goes from {time[back[0]]:g} s to {time[back[0] + 1]:g} s at sample "
            f"{back[0] + 1}; it must grow from sample to sample."
        )
    pause = np.flatnonzero(steps > _GAP * np.median(steps))
    if pause.size:
        raise InputError(
            f"nothing is recorded between {time[pause[0]]:g} s and {time[pause[0] + 1]:g} s, "
            f"where samples are {np.median(steps):.3g} s apart; take what comes before or after."
        )


def _held(values: np.ndarray) -> bool:
    """Whether a signal mostly repeats its last value, as a held input does."""
    same = np.all(values[1:] == values[:-1], axis=tuple(range(1, values.ndim)))
    changes = np.count_nonzero(~same)
    return 0 < changes <= len(same) / 2


def spacing_of(dataset: xr.Dataset) -> float:
    """Return the sample spacing (s) of a uniform trajectory.

    Raises
    ------
    InputError
        If there are fewer than two samples or the grid is not uniform.
    """
    time = dataset.time.values
    if len(time) < 2:
        raise InputError(f"a trajectory needs at least two samples, this one has {len(time)}.")
    steps = np.diff(time)
    spacing = (time[-1] - time[0]) / (len(time) - 1)
    if not np.abs(steps - spacing).max() <= 1e-6 * spacing:  # nor if a time is NaN
        raise InputError(
            f"the samples are not evenly spaced ({steps.min():g} to {steps.max():g} s); "
            "put the trajectory on a grid with trajectory.resample(dataset, spacing)."
        )
    return float(spacing)


def aligned(run: xr.Dataset, truth: xr.Dataset) -> xr.Dataset:
    """Return a forecast at the samples of the truth it is compared with.

    Parameters
    ----------
    run, truth : Dataset
        Over ``time`` (s), of the same spacing.

    Returns
    -------
    Dataset
        ``run`` at the times of ``truth``; NaN where a forecast that blew up has no sample.
    """
    return run.reindex(time=truth.time, method="nearest", tolerance=spacing_of(truth) / 2)


def as_list(records: xr.Dataset | Sequence[xr.Dataset]) -> list[xr.Dataset]:
    """Return one Dataset an experiment.

    Parameters
    ----------
    records : Dataset, or sequence of them
        A dimension ``run`` (as `spinode.forecast` returns it) is taken apart, and the NaN at the
        end of a run that stopped early is cut off; a run of nothing else is left out.
    """
    if not isinstance(records, xr.Dataset | xr.DataArray):
        return [one for record in records for one in as_list(record)]
    if "run" not in records.dims:
        return [records]
    runs = []
    for number in range(records.sizes["run"]):
        run = records.isel(run=number, drop=True)
        variables = [run] if isinstance(run, xr.DataArray) else run.data_vars.values()
        columns = [one.values for one in variables if one.dims == ("time",)]
        known = np.all([np.isfinite(column) for column in columns], axis=0)
        last = np.flatnonzero(known)
        if last.size:
            runs.append(run.isel(time=slice(0, int(last[-1]) + 1)))
    return runs


def delay_embed(values: np.ndarray, k: int) -> np.ndarray:
    """Stack each sample with its ``k - 1`` successors (Takens; Methods, "Neural ODEs").

    Parameters
    ----------
    values : array, shape (samples,)
        Evenly spaced signal.
    k : int
        Embedding dimension, 1 or more.

    Returns
    -------
    array, shape (samples - k + 1, k)
        Row n is ``values[n], ..., values[n + k - 1]``; a read-only view.
    """
    if not (isinstance(k, Integral) and 1 <= k <= len(values)):
        raise InputError(
            f"k must be a whole number between 1 and the {len(values)} samples, not {k!r}."
        )
    return np.lib.stride_tricks.sliding_window_view(values, k)


def windows(states: np.ndarray, starts: np.ndarray, length: int) -> np.ndarray:
    """Cut windows of ``length`` steps out of a delay-embedded trajectory.

    Parameters
    ----------
    states : array, shape (samples, k)
    starts : array of int, shape (batch,)
    length : int
        Steps in a window; it spans ``length + 1`` states.

    Returns
    -------
    array, shape (batch, length + 1, k)
    """
    return states[np.asarray(starts)[:, None] + np.arange(length + 1)]
