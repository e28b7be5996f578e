"""What came out of a sweep: the table of its points."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from spinode import provenance
from spinode.errors import InputError
from spinode.workflow.points import damaged, records
from spinode.workflow.profiles import suggest

if TYPE_CHECKING:  # every worker would import it for nothing
    import pandas as pd
    import xarray as xr


def table(folder: str | Path) -> xr.Dataset:
    """Return the parameters and metrics of every point in the folder of a sweep.

    Parameters
    ----------
    folder : path

    Returns
    -------
    Dataset
        Over ``point`` (names of the points' folders): the notebook's parameters as coordinates;
        ``point_error`` (empty where a point has succeeded), ``point_seconds`` (all it took), and
        what the notebook has given to ``write_metrics``, nested names joined by dots. A metric
        with the name of a parameter is called ``result.<name>``; if the notebook has written
        several files of metrics, their names come first. Parameters that are lists are JSON texts.

    Raises
    ------
    InputError
        If the folder holds no point.
    """
    import pandas as pd
    import xarray as xr

    found = records(Path(folder))
    if not found:
        raise InputError(f"{folder} holds no finished point of a sweep.")
    rows = {}
    parameters = set()
    for path, record in found.items():
        parameters |= record["parameters"].keys()
        row = {name: scalar(value) for name, value in record["parameters"].items()}
        row |= {"point_error": record["error"] or "", "point_seconds": record["seconds"]}
        for name, value in _metrics(path / "results", record["results"]).items():
            row[f"result.{name}" if name in row else name] = value
        rows[path.name] = row
    frame = pd.DataFrame.from_dict(rows, orient="index").rename_axis("point")
    for name in frame.select_dtypes(exclude=["number", "bool"]):
        # A metric that some points lack or have no finite value of; None is not a netCDF value.
        numbers = pd.to_numeric(frame[name], errors="coerce")
        missing = frame[name].isna()
        frame[name] = (
            frame[name].mask(missing, "").astype(str)
            if (numbers.isna() & ~missing).any()
            else numbers
        )
    frame = frame.sort_values([name for name in frame if name in parameters])
    found = xr.Dataset.from_dataframe(frame).set_coords(sorted(parameters))
    found.point_seconds.attrs["units"] = "s"
    return found


def arranged(
    points: xr.Dataset,
    columns: Sequence[str] | None = None,
    sort: str | None = None,
    over: str | None = None,
) -> pd.DataFrame:
    """Return the points of a sweep as a frame to be read.

    Parameters
    ----------
    points : Dataset
        As `table` returns them.
    columns : sequence of str, optional
        Names of parameters and metrics. By default the parameters that differ, and all metrics.
    sort : str, optional
        Column to sort by, upwards; ``-name``, downwards.
    over : str, optional
        A parameter, such as ``seed``: one row for all points that differ in it alone, with
        ``points``, their number, the mean of every metric that is a number, and its standard
        deviation (that of a sample, empty for a single point) as ``<name>_std``. Points that
        have failed are left out.

    Raises
    ------
    InputError
        If there is no such column; the nearest is suggested.
    """
    frame = points.to_dataframe().reset_index()
    parameters = [str(name) for name in points.coords if name != "point"]
    varied = [name for name in parameters if frame[name].astype(str).nunique() > 1]
    metrics = [str(name) for name in points.data_vars if name != "point_error"]
    _check_names([over] if over else [], parameters)
    if over:
        varied = [name for name in varied if name != over]
        numbers = [name for name in metrics if frame[name].dtype.kind in "fiu"]
        groups = frame[frame.point_error == ""].groupby(varied or (lambda _: 0), sort=False)
        frame = groups.size().to_frame("points")
        for name in numbers:
            frame[name], frame[f"{name}_std"] = groups[name].mean(), groups[name].std()
        metrics = list(frame)
        frame = frame.reset_index(drop=not varied)
    if sort:
        _check_names([sort.removeprefix("-")], frame)
        frame = frame.sort_values(
            sort.removeprefix("-"), ascending=not sort.startswith("-"), kind="stable"
        )
    _check_names(columns or [], frame)
    return frame[list(columns) if columns else [*varied, *metrics]]


def as_text(points: xr.Dataset, *, csv: bool = False, **options: Any) -> str:
    """Return the points of a sweep as lines, and the errors of those that have failed.

    Parameters
    ----------
    points : Dataset
        As `table` returns them.
    csv : bool
        Whether to return comma-separated values, without the errors.
    **options
        Passed on to `arranged`.
    """
    frame = arranged(points, **options)
    if csv:
        return frame.to_csv(index=False).rstrip("\n")
    failed = points.where(points.point_error != "", drop=True)
    errors = (
        f"\n\nfailed: {point}\n{error}"
        for point, error in zip(failed.point.values, failed.point_error.values, strict=True)
    )
    return frame.to_string(index=False) + "".join(errors)


def _check_names(wanted: Sequence[str], known: Sequence[str]) -> None:
    for name in wanted:
        if name not in known:
            raise InputError(f"the table has no column {name!r}; {suggest(name, map(str, known))}")


def _metrics(folder: Path, digests: Mapping[str, str]) -> dict[str, Any]:
    files = sorted(folder.glob("*.json"))
    found = {}
    for path in files:
        if provenance.digest(path) != digests.get(f"results/{path.name}"):
            raise InputError(damaged(path))
        metrics = json.loads(path.read_text("utf-8"))
        metrics.pop("provenance", None)  # point.json has what differs among the points
        found |= _flat(metrics, f"{path.stem}." if len(files) > 1 else "")
    return found


def _flat(values: Mapping[str, Any], prefix: str) -> dict[str, Any]:
    flat = {}
    for name, value in values.items():
        if isinstance(value, dict):
            flat |= _flat(value, f"{prefix}{name}.")
        else:
            flat[prefix + name] = scalar(value)
    return flat


def scalar(value: Any) -> Any:
    """Return what stands in a table for a value: of a list or mapping, its JSON."""
    return json.dumps(value) if isinstance(value, list | dict) else value
