"""MuMax3's tables, as trajectories."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import xarray as xr

from spinode.errors import InputError
from spinode.files import first_line
from spinode.trajectory import label

# MuMax3 names a material parameter after its variable in the engine.
_MUMAX3_NAMES = {"Ku1": "Ku", "Dind": "Dind", "ext_topologicalcharge": "topological_charge"}


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
    header = first_line(path)
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
