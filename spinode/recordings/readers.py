"""A recording in a file of any common kind, as a trajectory in SI units."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import xarray as xr

from spinode.errors import InputError
from spinode.files import first_line
from spinode.recordings.tables import read_table
from spinode.recordings.units import is_unit, of_column, to_si

# Times may miss an even grid by this part of a sample before they are put on one by interpolation,
# and by that part before they are refused: what lies between samples is then not known.
_EVEN, _UNEVEN = 1e-3, 0.5
_FEWEST = 50
_TEXT = {".csv", ".tsv", ".txt", ".dat"}
_HDF5 = {".h5", ".hdf5", ".hdf", ".nc", ".netcdf"}


def read_recording(
    path: str | Path,
    *,
    output: str | None,
    inputs: Sequence[str],
    time: str | None = None,
    sample_time: float | None = None,
    units: Mapping[str, str] | None = None,
) -> xr.Dataset:
    """Read a driven device's recording.

    Parameters
    ----------
    path : path
        Text with a header line (``.csv``, ``.tsv``, ``.txt``, ``.dat``; a MuMax3 table too),
        netCDF or HDF5 (``.nc``, ``.h5``, ``.hdf5``), MATLAB (``.mat``) or numpy (``.npz``).
    output, inputs : str
        Columns by name; an output of None where there is none, only a drive. A unit may stand in
        the name: ``v_mV``, ``v (mV)``, ``v [mV]``.
    time : str, optional
        Column of times, evenly spaced but for jitter. Left out, ``sample_time`` must be given.
    sample_time : float, optional
        Spacing of the samples (s).
    units : mapping, optional
        Units by column, where names do not tell them.

    Returns
    -------
    Dataset
        Over ``time`` (s, from zero), the columns by their names without units, in SI units. A
        missing output is NaN.

    Raises
    ------
    InputError
        If the file cannot be read, a column is missing, constant, or of unknown unit, an input
        is missing somewhere, or times jump, repeat or run backwards.
    """
    path = Path(path)
    columns = _columns(path)
    signals = [*([output] if output else []), *inputs]
    wanted = [*signals, *([time] if time else [])]
    if not inputs:
        raise InputError("name at least one input column.")
    if len(set(wanted)) < len(wanted):
        raise InputError(f"a column can be only one of time, input and output: {wanted}.")
    called = {name: _called(path, columns, name) for name in wanted}
    found = {name: columns[called[name]].astype(float) for name in wanted}
    lengths = {name: len(values) for name, values in found.items()}
    if len(set(lengths.values())) > 1:
        raise InputError(f"{path}: columns differ in length: {lengths}.")
    samples = len(found[inputs[0]])
    if output and samples < _FEWEST:
        raise InputError(
            f"{path} holds {samples} samples; at least {_FEWEST} are needed to learn anything."
        )
    data, kinds = {}, {}
    for name, values in found.items():
        short, own = of_column(called[name])
        unit = (units or {}).get(name, (units or {}).get(short, own))
        if unit is None or (unit == own and name != time and not is_unit(unit)):
            factor, kinds[name] = 1.0, unit or "1"  # counts, or whatever the file calls it
        else:
            factor, kinds[name] = to_si(unit)
        data[name] = factor * values
    if time and kinds[time] not in ("s", "1"):
        raise InputError(f"{path}: the time column {time} is in {kinds[time]}, not in seconds.")
    for name in signals if output else ():
        _check_values(path, name, data[name], missing_allowed=name == output)
    names = {name: of_column(called[name])[0] for name in signals}
    if "time" in names.values() or len(set(names.values())) < len(names):
        names = {name: name for name in names}  # only their units tell the columns apart
    if time is None:
        if sample_time is None:
            raise InputError(
                f"{path}: name the time column, or give the sample time; the columns are "
                f"{', '.join(columns)}."
            )
        _check_sample_time(sample_time)
        grid = sample_time * np.arange(samples)
    else:
        grid, data = _even(path, time, data, signals)
    return xr.Dataset(
        {names[name]: ("time", data[name], {"units": kinds[name]}) for name in names},
        {"time": ("time", grid, {"units": "s"})},
        {"source": path.name},
    )


def _columns(path: Path) -> dict[str, np.ndarray]:
    """Return every column of numbers in a file."""
    suffix = path.suffix.lower()
    first_line(path)  # says so if there is no such file, or only a pointer to it
    try:
        if suffix in _TEXT:
            columns = read_table(path)
        elif suffix in _HDF5:
            columns = _hdf5(path)
        elif suffix == ".mat":
            columns = _matlab(path)
        elif suffix == ".npz":
            with np.load(path, allow_pickle=False) as contents:
                columns = {name: contents[name] for name in contents.files}
        else:
            raise InputError(
                f"{path}: files of kind {suffix or 'without a suffix'} are not read; use "
                "csv, tsv, nc, h5, mat or npz."
            )
    except (OSError, ValueError, KeyError, NotImplementedError, TypeError) as error:
        if isinstance(error, InputError):
            raise
        said = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise InputError(f"{path} cannot be read as {suffix}: {said}.") from None
    columns = {
        name: np.squeeze(values)
        for name, values in columns.items()
        if getattr(values, "dtype", None) is not None and values.dtype.kind in "fiub"
    }
    columns = {name: values for name, values in columns.items() if values.ndim == 1}
    if not columns:
        raise InputError(f"{path} holds no column of numbers.")
    return columns


def _hdf5(path: Path) -> dict[str, np.ndarray]:
    """Read every dataset, by its path without the leading slash."""
    import h5py

    columns: dict[str, np.ndarray] = {}
    with h5py.File(path) as file:
        file.visititems(
            lambda name, one: (
                columns.update({name: one[()]})
                if isinstance(one, h5py.Dataset) and one.dtype.kind in "fiub"
                else None
            )
        )
    return columns


def _matlab(path: Path) -> dict[str, np.ndarray]:
    """Read variables and fields of structures, these as ``structure.field``."""
    import scipy.io

    try:
        contents = scipy.io.loadmat(path, squeeze_me=True, struct_as_record=True)
    except scipy.io.matlab.MatReadError as error:
        raise InputError(f"{path} cannot be read as .mat: {error}.") from None
    except NotImplementedError:  # version 7.3 is HDF5
        return {name.replace("/", "."): values for name, values in _hdf5(path).items()}
    columns = {}

    def collect(name: str, value) -> None:
        value = np.asarray(value)
        if value.dtype.names:
            for field in value.dtype.names:
                collect(f"{name}.{field}", value[field].item() if value.size == 1 else value[field])
        else:
            columns[name] = value

    for name, value in contents.items():
        if not name.startswith("__"):
            collect(name, value)
    return columns


def _called(path: Path, columns: Mapping[str, np.ndarray], name: str) -> str:
    """Return what a file calls a column: as asked for, or with its unit if that is unambiguous."""
    if name in columns:
        return name
    short = [one for one in columns if of_column(one)[0] == name]
    if len(short) == 1:
        return short[0]
    near = difflib.get_close_matches(name, columns, 1)
    hint = f"did you mean {near[0]}?" if near else f"it has {', '.join(list(columns)[:20])}."
    raise InputError(f"{path} has no column {name!r}; {hint}")


def _check_values(path: Path, name: str, values: np.ndarray, missing_allowed: bool) -> None:
    bad = np.flatnonzero(~np.isfinite(values))
    if bad.size and not missing_allowed:
        raise InputError(
            f"{path}: the input {name} is missing or not a number at sample {bad[0]} "
            f"(of {len(values)}); cut the recording there, or repair it."
        )
    if bad.size > 0.5 * len(values):
        raise InputError(f"{path}: more than half of {name} is missing.")
    if np.ptp(values[np.isfinite(values)]) == 0:
        what = "nothing can be learned from it" if not missing_allowed else "there is no response"
        raise InputError(f"{path}: {name} never changes; {what}.")


def _check_sample_time(sample_time: float) -> None:
    if not (np.isfinite(sample_time) and sample_time > 0):
        raise InputError(
            f"the sample time must be a positive number of seconds, not {sample_time}."
        )


def _even(
    path: Path, name: str, data: Mapping[str, np.ndarray], columns: Sequence[str]
) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Return an even grid of times from zero, and the columns on it."""
    time = data[name]
    bad = np.flatnonzero(~np.isfinite(time))
    if bad.size:
        raise InputError(f"{path}: the time {name} is not a number at sample {bad[0]}.")
    steps = np.diff(time)
    back = np.flatnonzero(steps <= 0)
    if back.size:
        raise InputError(
            f"{path}: the time {name} repeats or runs backwards after sample {back[0]} "
            f"({time[back[0]]:g} s to {time[back[0] + 1]:g} s); were two recordings joined? "
            "Give them as separate files."
        )
    # Rounded times: the spacing is that of the whole, if the grid fits; gaps show against the
    # median step.
    typical = float(np.median(steps))
    gap = np.flatnonzero(steps > 1.5 * typical)
    if gap.size:
        raise InputError(
            f"{path}: the time {name} jumps after sample {gap[0]}, from {time[gap[0]]:g} s to "
            f"{time[gap[0] + 1]:g} s, where samples come every {typical:g} s; cut the recording "
            "there into two files."
        )
    spacing = (time[-1] - time[0]) / (len(time) - 1)
    grid = spacing * np.arange(len(time))
    jitter = np.abs(time - time[0] - grid).max() / spacing
    if jitter > _UNEVEN:
        raise InputError(
            f"{path}: samples are not evenly spaced ({steps.min():g} to {steps.max():g} s); "
            "resample the recording on an even grid, knowing what lies between its samples."
        )
    kept = {}
    for column in columns:
        values = data[column]
        if jitter > _EVEN:
            known = np.isfinite(values)
            moved = np.interp(grid, (time - time[0])[known], values[known])
            moved[~known] = np.nan
            values = moved
        kept[column] = values
    return grid, kept
