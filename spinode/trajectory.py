"""The one data model: a trajectory is an xarray.Dataset over ``time``, in SI units.

Dimension ``time`` (s, float64, zero at the start of the drive); the measured output is ``mz`` (1)
or ``voltage`` (V), the inputs are ``Ku`` (J/m3), ``Dind`` (J/m2) or ``drive`` (V). Every variable
carries ``units`` and ``long_name``. This module reads MuMax3's files into that form, stores it as
netCDF, and turns it into what a neural ODE trains on: normalized, delay-embedded windows.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from numbers import Integral
from pathlib import Path

import numpy as np
import xarray as xr

from spinode.errors import InputError
from spinode.files import replacing

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

# MuMax3 names a material parameter after its variable in the engine.
_MUMAX3_NAMES = {"Ku1": "Ku", "Dind": "Dind", "ext_topologicalcharge": "topological_charge"}


def label(dataset: xr.Dataset) -> xr.Dataset:
    """Give the known variables of ``dataset`` their ``units`` and ``long_name``."""
    for name, (units, long_name) in VARIABLES.items():
        if name in dataset.variables:
            dataset[name].attrs.update(units=units, long_name=long_name)
    return dataset


# --- MuMax3's files -------------------------------------------------------------------------


def read_table(path: str | Path) -> xr.Dataset:
    """Read a MuMax3 ``table.txt`` as a trajectory.

    Parameters
    ----------
    path : path
        Tab-separated table whose header line starts with ``# t (s)``.

    Returns
    -------
    Dataset
        Variables ``mx``, ``my``, ``mz`` and every further column over ``time`` (s), which is
        shifted to start at zero. Times are those of the solver's own steps, a few femtoseconds
        after the multiples of the table period: `resample` puts them on a uniform grid.

    Raises
    ------
    InputError
        If the file is missing, a Git LFS pointer, cut short, lacks a column, or holds NaN or
        times that do not grow.
    """
    path = Path(path)
    header = _first_line(path)
    if not header.startswith("# t (s)"):
        raise InputError(
            f"{path} is no MuMax3 table: its first line should start with '# t (s)' "
            f"but reads {header[:60]!r}."
        )
    columns = [_column_name(column) for column in header[2:].split("\t")]
    missing = {"mx", "my", "mz"} - set(columns)
    if missing:
        raise InputError(
            f"{path} lacks the column(s) {', '.join(sorted(missing))}; "
            "save the table with MuMax3's default columns."
        )
    values = _numbers(path, len(columns))
    data = dict(zip(columns, values.T, strict=True))
    for name, column in data.items():
        bad = np.flatnonzero(~np.isfinite(column))
        if bad.size:
            raise InputError(
                f"{path}, line {bad[0] + 2}: {name} is {column[bad[0]]}; "
                "the simulation broke down there, cut the table before that line."
            )
    time = data.pop("time")
    back = np.flatnonzero(np.diff(time) <= 0)
    if back.size:
        raise InputError(
            f"{path}, line {back[0] + 3}: time goes from {time[back[0]]:g} s to "
            f"{time[back[0] + 1]:g} s; it must grow from line to line (were two tables joined?)."
        )
    return label(
        xr.Dataset(
            {name: ("time", column) for name, column in data.items()},
            coords={"time": time - time[0]},
            attrs={"engine": "mumax3", "source": path.name, "start_time": time[0]},
        )
    )


def read_ovf(path: str | Path) -> xr.DataArray:
    """Read one segment of an OVF 2.0 file (text, or binary of 4 or 8 bytes).

    Parameters
    ----------
    path : path
        File written by MuMax3, OOMMF or `spinode.micromagnetics`.

    Returns
    -------
    DataArray
        Shape (znodes, ynodes, xnodes, valuedim), float64; dimensions ``z``, ``y``, ``x`` (cell
        centres, m) and ``component``; attributes ``title``, ``units``.

    Raises
    ------
    InputError
        If the file is missing, not OVF 2.0, cut short, or its binary control number is wrong.
    """
    path = Path(path)
    _first_line(path)
    raw = path.read_bytes()
    begin = raw.find(b"# Begin: Data")
    if not raw.startswith(b"# OOMMF OVF 2.0") or begin < 0:
        raise InputError(f"{path} is no OVF 2.0 file with a data section; export it as OVF2.")
    header = {}
    for line in raw[:begin].decode("latin-1").splitlines():
        key, colon, value = line.lstrip("# ").partition(":")
        if colon:
            header[key.strip().lower()] = value.strip()
    try:
        shape = tuple(int(header[key]) for key in ("znodes", "ynodes", "xnodes", "valuedim"))
        step = [float(header[f"{axis}stepsize"]) for axis in "zyx"]
        base = [float(header[f"{axis}base"]) for axis in "zyx"]
    except (KeyError, ValueError) as error:
        raise InputError(f"{path}: the OVF header lacks a readable {error}.") from None
    data_line, _, body = raw[begin:].partition(b"\n")
    kind = data_line.decode("latin-1").removeprefix("# Begin: Data").strip().lower()
    values = _ovf_values(path, kind, body, int(np.prod(shape)))
    coordinates = {
        axis: (axis, origin + width * np.arange(count), {"units": "m"})
        for axis, origin, width, count in zip("zyx", base, step, shape, strict=False)
    }
    return xr.DataArray(
        values.reshape(shape),
        dims=("z", "y", "x", "component"),
        coords=coordinates,
        attrs={"title": header.get("title", ""), "units": header.get("valueunits", "")},
    )


def _first_line(path: Path) -> str:
    """Return the first line of ``path``, refusing what cannot hold data at all."""
    try:
        with path.open("rb") as file:
            line = file.readline(4096).decode("latin-1").rstrip("\r\n")
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror or error}.") from None
    if line.startswith("version https://git-lfs"):
        raise InputError(
            f"{path} is a Git LFS pointer, not the data: fetch it with 'git lfs pull' in the "
            "repository it comes from, or with 'spinode fetch paper'."
        )
    return line


def _column_name(column: str) -> str:
    """Return our name of a MuMax3 column such as ``Ku1.region100 (J/m3)``."""
    name = column.split(" (")[0].strip()
    name = name.split(".region")[0]
    return "time" if name == "t" else _MUMAX3_NAMES.get(name, name)


def _numbers(path: Path, width: int) -> np.ndarray:
    """Read the tab-separated numbers under the header as (rows, width)."""
    text = path.read_bytes()
    try:
        with warnings.catch_warnings(action="ignore"):  # an empty table is told of below
            values = np.loadtxt(path, delimiter="\t", ndmin=2)
    except ValueError:
        values = None
    if values is not None and len(values) and values.shape[1] == width and text.endswith(b"\n"):
        return values
    lines = text.decode("latin-1").split("\n")
    for number, line in enumerate(lines[1:], start=2):
        fields = line.split("\t")
        last = number >= len(lines) - 1
        if len(fields) != width and not (last and not line):
            what = "is cut short" if last else "is damaged"
            raise InputError(
                f"{path} {what}: line {number} holds {len(fields)} of {width} columns; "
                "copy the table again, or delete the line to use what comes before it."
            )
        for field in fields:
            if field and not _is_number(field):
                raise InputError(f"{path}, line {number}: {field[:40]!r} is not a number.")
    if len(lines) < 3:
        raise InputError(f"{path} holds a header and no data; run the simulation again.")
    raise InputError(
        f"{path} is cut short: its last line, {len(lines)}, does not end; "
        "copy the table again, or delete the line to use what comes before it."
    )


def _is_number(field: str) -> bool:
    try:
        float(field)
    except ValueError:
        return False
    return True


def _ovf_values(path: Path, kind: str, body: bytes, count: int) -> np.ndarray:
    """Read ``count`` numbers of an OVF data section of ``kind`` as float64."""
    if kind == "text":
        words = body.split(b"# End:")[0].split()
        if len(words) != count:
            raise InputError(
                f"{path} holds {len(words)} numbers where its header announces {count}; "
                "the file is cut short or damaged, copy it again."
            )
        try:
            return np.array(words, dtype=np.float64)
        except ValueError as error:
            raise InputError(f"{path} is damaged ({error}); copy it again.") from None
    layouts = {"binary 4": ("<f4", 1234567.0), "binary 8": ("<f8", 123456789012345.0)}
    if kind not in layouts:
        raise InputError(f"{path}: unknown OVF data format {kind!r}; use text or binary 4 or 8.")
    dtype, control = layouts[kind]
    size = np.dtype(dtype).itemsize
    if len(body) < size * (count + 1):
        raise InputError(
            f"{path} is cut short: {len(body) // size - 1} of {count} numbers; copy it again."
        )
    values = np.frombuffer(body, dtype, count + 1)
    if values[0] != control:
        raise InputError(
            f"{path}: the control number is {values[0]:g}, not {control:g}; "
            "the file is damaged or not little-endian OVF 2.0."
        )
    return values[1:].astype(np.float64)


# --- on disk --------------------------------------------------------------------------------


def save(dataset: xr.Dataset, path: str | Path) -> Path:
    """Write ``dataset`` as netCDF4, whole or not at all; return its path.

    Raises
    ------
    InputError
        If the folder cannot be written.
    """
    with replacing(path) as partial:
        dataset.to_netcdf(partial, engine="h5netcdf")
    return Path(path)


def load(path: str | Path) -> xr.Dataset:
    """Read a netCDF trajectory into memory.

    Raises
    ------
    InputError
        If there is no such file or it is no netCDF file.
    """
    path = Path(path)
    if not path.exists():
        raise InputError(f"there is no trajectory at {path}.")
    _first_line(path)
    try:
        return xr.load_dataset(path, engine="h5netcdf")
    except (OSError, ValueError) as error:
        raise InputError(f"{path} is no readable netCDF file: {error}.") from None


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


def resample(dataset: xr.Dataset, spacing: float, duration: float | None = None) -> xr.Dataset:
    """Put a trajectory on the uniform grid 0, ``spacing``, 2 ``spacing``, ...

    A cubic spline through the recorded points: MuMax3 writes a table line at the first solver
    step after each period, up to some 20 fs late, which a plain relabelling would take as noise.

    Parameters
    ----------
    dataset : Dataset
        Trajectory over ``time`` (s).
    spacing : float
        Sample spacing (s).
    duration : float, optional
        Length to keep (s); all of it by default.

    Raises
    ------
    InputError
        If ``spacing`` is not positive, or ``duration`` is longer than the trajectory.
    """
    from scipy.interpolate import CubicSpline  # 0.2 s of import that only this function needs

    time = dataset.time.values
    if not spacing > 0:
        raise InputError(f"the sample spacing must be positive, not {spacing} s.")
    end = time[-1] if duration is None else duration
    if not end >= 0:
        raise InputError(f"a duration cannot be {end} s; give a positive one.")
    # A recorded end may miss the nominal one by the solver's last step.
    if end > time[-1] + 0.01 * spacing:
        raise InputError(
            f"the trajectory lasts {time[-1]:g} s, shorter than the {end:g} s asked for."
        )
    grid = spacing * np.arange(int(np.floor(end / spacing + 0.01)) + 1)
    variables = {
        name: ("time", CubicSpline(time, variable.values)(grid), variable.attrs)
        for name, variable in dataset.data_vars.items()
    }
    return xr.Dataset(variables, {"time": ("time", grid, dataset.time.attrs)}, dataset.attrs)


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


def delay_embed(values: np.ndarray, k: int) -> np.ndarray:
    """Stack each sample with its ``k - 1`` successors (Takens; Methods, "Neural ODEs").

    Parameters
    ----------
    values : array, shape (samples,)
        Evenly spaced signal.
    k : int
        Number of delays, 1 or more.

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
