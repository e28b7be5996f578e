"""MuMax3's tables, as trajectories."""

from __future__ import annotations

import re
import warnings
from collections import Counter
from contextlib import suppress
from pathlib import Path

import numpy as np
import xarray as xr

from spinode.errors import InputError
from spinode.files import first_line
from spinode.trajectory import VARIABLES, label

# MuMax3 names a material parameter after its variable in the engine. It has two topological
# charges: Berg and Luescher's on the lattice, which is ours, and one by finite differences.
_MUMAX3_NAMES = {
    "Ku1": "Ku",
    "Dind": "Dind",
    "ext_topologicalchargelattice": "topological_charge",
    "ext_topologicalcharge": "topological_charge",
}


def read_table(path: str | Path, rows: int | None = None) -> xr.Dataset:
    """Read a MuMax3 ``table.txt`` as a trajectory.

    Parameters
    ----------
    path : path
        Tab-separated table whose header line starts with ``# t (s)``. Where tables were joined,
        the rows under a further header are read by its columns.
    rows : int, optional
        Rows to read; by default all, of which the last must be whole.

    Returns
    -------
    Dataset
        Variables ``mx``, ``my``, ``mz`` and every further column over ``time`` (s), which is
        shifted to start at zero. Times are those of the solver's own steps, a few femtoseconds
        after the multiples of the table period: `resample` puts them on a uniform grid.
        ``Ku1``, ``Dind`` and the topological charge take our names, also by region if there is one
        only: ``Ku1.region100`` is ``Ku``, unless another region has a column, too. A name that is
        taken or that netCDF refuses is changed; ``long_name`` has MuMax3's, ``units`` those of the
        header.

    Raises
    ------
    InputError
        If the file is missing, a Git LFS pointer, cut short, lacks a column, has headers that do
        not fit together, or holds NaN or times that do not grow.
    """
    path = Path(path)
    header = first_line(path)
    if not header.startswith("# t (s)"):
        raise InputError(
            f"{path} is no MuMax3 table: its first line should start with '# t (s)' "
            f"but reads {header[:60]!r}."
        )
    columns = _columns(header)
    missing = {"mx", "my", "mz"} - set(columns)
    if missing:
        raise InputError(
            f"{path} lacks the column(s) {', '.join(sorted(missing))}; "
            "save the table with MuMax3's default columns."
        )
    lines = path.read_bytes().decode("latin-1").splitlines(keepends=True)
    if rows is not None:
        lines = lines[: 1 + rows]
    values = _numbers(path, lines, columns)
    for column, name in zip(values.T, columns, strict=True):
        bad = np.flatnonzero(~np.isfinite(column))
        if bad.size:
            raise InputError(
                f"{path}, line {_line_of(lines, bad[0])}: {name} is {column[bad[0]]}; "
                "the simulation broke down there, cut the table before that line."
            )
    time, *others = values.T
    back = np.flatnonzero(np.diff(time) <= 0)
    if back.size:
        raise InputError(
            f"{path}, line {_line_of(lines, back[0] + 1)}: time goes from {time[back[0]]:g} s to "
            f"{time[back[0] + 1]:g} s; it must grow from line to line (were two tables joined?)."
        )
    named = list(columns.items())[1:]
    table = label(
        xr.Dataset(
            {name: ("time", column) for (name, _), column in zip(named, others, strict=True)},
            coords={"time": time - time[0]},
            attrs={"engine": "mumax3", "source": path.name, "start_time": time[0]},
        )
    )
    for name, (original, units) in named:
        if name not in VARIABLES or original == "ext_topologicalcharge":
            table[name].attrs["long_name"] = original
        if units:
            table[name].attrs["units"] = units
        else:
            table[name].attrs.setdefault("units", "1")
    return table


def _columns(header: str) -> dict[str, tuple[str, str]]:
    """Return the columns of a header: our name of each, MuMax3's name, its units."""
    parsed = []
    with suppress(UnicodeDecodeError):  # what MuMax3 writes is UTF-8
        header = header.encode("latin-1").decode("utf-8")
    for column in header.lstrip("# ").split("\t"):
        name, units = re.fullmatch(r"(.*?)(?:\s*\(([^()]*)\))?\s*", column.strip()).groups()
        parsed.append((name, units or ""))
    wanted = [_MUMAX3_NAMES.get(name.split(".region")[0]) for name, _ in parsed]
    shared = Counter(wanted)
    columns = {}
    for number, ((name, units), ours) in enumerate(zip(parsed, wanted, strict=True)):
        if number == 0:
            ours = "time"
        elif ours is None or (shared[ours] > 1 and name != "ext_topologicalchargelattice"):
            ours = re.sub(r"[/\x00-\x1f\x7f]", "_", name).strip(".") or f"column {number + 1}"
        free, again = ours, 1
        while free in columns:
            again += 1
            free = f"{ours}_{again}"
        columns[free] = name.replace("\x00", "_"), units
    return columns


def _numbers(path: Path, lines: list[str], columns: dict) -> np.ndarray:
    """Read the numbers under the header, and under further ones, as (rows, columns)."""
    headers = [n for n, line in enumerate(lines) if line.startswith("#")]
    order, parts = list(columns), []
    for start, stop in zip(headers, [*headers[1:], len(lines)], strict=True):
        found = _columns(lines[start].rstrip("\r\n"))
        if found != columns and sorted(found.items()) != sorted(columns.items()):
            other = [f"{n} ({u})" for n, u in {*found.values()} ^ {*columns.values()}]
            raise InputError(
                f"{path}, line {start + 1}: a second header has other columns than the first "
                f"({', '.join(sorted(other)) or 'twice the same'}); split the file there."
            )
        values = _block(path, lines, start + 1, stop, len(found))
        parts.append(values[:, [list(found).index(name) for name in order]])
    values = np.concatenate(parts)
    if not len(values):
        raise InputError(f"{path} holds a header and no data; run the simulation again.")
    return values


def _line_of(lines: list[str], row: int) -> int:
    """Return the number of the line that holds a row."""
    return [n for n, line in enumerate(lines, start=1) if not line.startswith("#")][row]


def _block(path: Path, lines: list[str], start: int, stop: int, width: int) -> np.ndarray:
    """Read the rows of lines ``start`` to ``stop``, tab-separated, as (rows, width)."""
    block = lines[start:stop]
    if not block:
        return np.empty((0, width))
    try:
        with warnings.catch_warnings(action="ignore"):  # an empty block is refused below
            values = np.loadtxt(block, delimiter="\t", ndmin=2, comments=None)
    except ValueError:
        values = np.empty((0, 0))
    # Blank lines are skipped by numpy, here they are damage.
    if values.shape == (len(block), width) and block[-1].endswith("\n"):
        return values
    for number, line in enumerate(block, start=start + 1):
        fields = line.rstrip("\r\n").split("\t")
        last = number == len(lines)
        if len(fields) != width:
            what = "is cut short" if last else "is damaged"
            raise InputError(
                f"{path} {what}: line {number} holds {len(fields)} of {width} columns; "
                "copy the table again, or delete the line to use what comes before it."
            )
        for field in fields:
            if not _is_number(field):
                raise InputError(f"{path}, line {number}: {field[:40]!r} is not a number.")
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
