"""The points of a sweep as they lie on the disk: a folder each, complete or not there.

A point works in a scratch folder that becomes its own in one step, once all of it is there. So
nothing that ends a worker, the scheduler or the driver can leave half a point.
"""

from __future__ import annotations

import hashlib
import json
import re
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from spinode import provenance
from spinode.errors import InputError
from spinode.workflow import notebooks
from spinode.workflow.grid import Grid

_RECORD = "point.json"


@dataclass(frozen=True)
class Plan:
    """What all points of a sweep share: all that a worker has to know beside the point.

    Attributes
    ----------
    root, folder : Path
        The workbook and the sweep; workers see both, on a cluster by a shared file system.
    notebook : str
        Name of the copy of the notebook's text in the folder, so that edits during a sweep wait
        for the next one.
    code : str
        See `spinode.provenance.code_version`.
    """

    root: Path
    folder: Path
    notebook: str
    code: str

    @property
    def source(self) -> Path:
        """The notebook's text."""
        return self.folder / self.notebook

    @property
    def attempts(self) -> Path:
        """Where points lie until they are finished."""
        return self.folder / ".attempts"

    def is_done(self, point: Point) -> bool:
        """Whether the point has succeeded, with this code and the data as they are now."""
        folder = self.folder / point.name
        try:
            record = read_record(folder)
        except InputError:  # damaged: it is computed again
            return False
        return (
            record is not None
            and record["error"] is None
            and record["code"] == self.code
            and all(provenance.digest(self.root / p) == d for p, d in record["inputs"].items())
            and all(provenance.digest(folder / p) == d for p, d in record["results"].items())
        )


@dataclass(frozen=True)
class Point:
    """One point: all parameters of the notebook, and the name of its folder."""

    name: str
    parameters: Mapping[str, Any]


def points_of(notebook: Path, grid: Grid, profile: str) -> list[Point]:
    """Return the points of a grid: what it does not name comes from profile and notebook."""
    known = notebooks.defaults(notebook)
    base = notebooks.under_profile(notebook, profile)
    if "profile" in known:
        base["profile"] = profile
    points = {}  # by name: two blocks of a grid may meet in a point
    for given in grid:
        parameters = base | notebooks.check_parameters(notebook, known, given)
        changed = [f"{k}={v}" for k, v in parameters.items() if v != known[k]]
        label = re.sub(r"[^\w.=,+-]+", "_", ",".join(changed))[:80] or "defaults"
        name = f"{label}-{_checksum(parameters)[:10]}"
        points[name] = Point(name, parameters)
    return list(points.values())


def read_record(folder: Path) -> dict[str, Any] | None:
    """Return the record of a point by its folder, or None if there is none.

    Raises
    ------
    InputError
        If it is damaged.
    """
    try:
        record = json.loads((folder / _RECORD).read_text("utf-8"))
        if record.pop("sha256") == _checksum(record):
            return record
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (ValueError, AttributeError, KeyError):
        pass
    raise InputError(damaged(folder / _RECORD))


def damaged(path: Path) -> str:
    """Say that a file of a point is not as its worker left it."""
    return f"{path} is damaged; the same sweep, started again, computes that point anew."


def _checksum(values: Mapping[str, Any]) -> str:
    text = json.dumps(values, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()


def records(folder: Path) -> dict[Path, dict[str, Any]]:
    """Return the records of the points of a sweep by their folders."""
    found = {path.parent: read_record(path.parent) for path in sorted(folder.glob(f"*/{_RECORD}"))}
    return {path: record for path, record in found.items() if record is not None}


def publish(plan: Plan, point: Point, attempt: Path, error: str | None, seconds: float) -> None:
    """Complete ``attempt`` by its record and make it the point's folder."""
    results = sorted((attempt / "results").glob("*.json"))
    record = {
        "parameters": json.loads(json.dumps(point.parameters, default=str)),
        "error": error,
        "seconds": round(seconds, 3),
        "code": plan.code,
        "inputs": provenance.take_notes(attempt, plan.root),
        "results": {f"results/{one.name}": provenance.digest(one) for one in results},
    }
    text = json.dumps(record | {"sha256": _checksum(record)}, indent=2)
    (attempt / _RECORD).write_text(text + "\n", encoding="utf-8")
    folder = plan.folder / point.name
    if plan.is_done(point):
        return  # another worker was faster
    with suppress(FileNotFoundError):  # what an earlier version or a failure has left
        folder.replace(Path(tempfile.mkdtemp(dir=plan.attempts), "old"))
    attempt.replace(folder)
