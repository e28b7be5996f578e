"""Sweeps: one notebook over a grid of parameters, on Dask.

Every point is an execution of its own, in a folder of its own: it works in a scratch folder that
becomes the point's folder in one step once all of it is there. So nothing that ends a worker, the
scheduler or the driver can leave half a point, and whatever is done stays done.
"""

from __future__ import annotations

import errno
import hashlib
import json
import logging
import os
import re
import shutil
import socket
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from spinode import provenance
from spinode.errors import InputError, SpinodeError
from spinode.files import replacing, workbook_root
from spinode.workflow import workbook
from spinode.workflow.grid import Block, Grid

if TYPE_CHECKING:  # every worker would import it for nothing
    import xarray as xr

_MANY = 1000
# Kernel start and imports: what the cheapest point takes (s).
_OVERHEAD = 5.0
_CONNECT_SECONDS = 10
_RECORD = "point.json"
# Ctrl-C reaches all processes of a terminal; the driver alone answers, by ending its workers.
_NO_INTERRUPT = "import signal; signal.signal(signal.SIGINT, signal.SIG_IGN)"
_THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS")


@dataclass(frozen=True)
class _Plan:
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

    def is_done(self, point: _Point) -> bool:
        """Whether the point has succeeded, with this code and the data as they are now."""
        record = _read_record(self.folder / point.name)
        return (
            record is not None
            and record["error"] is None
            and record["code"] == self.code
            and all(provenance.digest(self.root / p) == d for p, d in record["inputs"].items())
        )


@dataclass(frozen=True)
class _Point:
    """One point: all parameters of the notebook, and the name of its folder."""

    name: str
    parameters: Mapping[str, Any]


def sweep(
    notebook: str | Path,
    grid: Grid | Mapping[str, Sequence[Any]],
    *,
    profile: str = "quick",
    workers: int | None = None,
    scheduler: str | None = None,
    out: str | Path | None = None,
    yes: bool = False,
) -> xr.Dataset:
    """Execute a notebook at every point of a grid; points already done are not run again.

    A point is done if it has succeeded with the same parameters, the same text of the notebook,
    the same spinode modules behind it and the same input data. A point that fails keeps its
    notebook and its error and does not stop the others; the next sweep tries it again.

    Parameters
    ----------
    notebook : str or path
        See `spinode.workflow.workbook.find_notebook`.
    grid : Grid or mapping
        The points. A mapping of values by parameter stands for their product.
    profile : str
        Gives the parameters that the grid does not.
    workers : int, optional
        Processes of a local cluster, by default one a core. They share the cores evenly.
    scheduler : str, optional
        Address of a running Dask scheduler to use instead, such as ``tcp://host:8786``. Its
        workers must have the same spinode and see the workbook at the same path. A point takes
        as many threads as the ``OMP_NUM_THREADS`` of its worker, by default one.
    out : path, optional
        Folder of the sweep, by default ``sweeps/<profile>/<notebook>``.
    yes : bool
        Do not refuse more than a thousand points.

    Returns
    -------
    Dataset
        The points of the grid, as in the `table` of the folder. That one, which also has the
        points of earlier sweeps into the folder, is written to its ``table.nc``.

    Raises
    ------
    InputError
        If the notebook, profile, a parameter or its value cannot be used; if the grid is empty
        or very large; if the scheduler does not answer or a worker cannot take part; if another
        sweep is writing to the folder, or it cannot be written.
    SpinodeError
        If the scheduler goes away for good.

    Examples
    --------
    >>> sweep("training", {"width": [10, 20], "seed": range(5)})  # doctest: +SKIP
    """
    path = workbook.find_notebook(str(notebook))
    grid = grid if isinstance(grid, Grid) else Grid(Block(product=grid))
    root = workbook_root()
    folder = Path(out or root / "sweeps" / profile / path.stem).resolve()
    if grid.count > _MANY and not yes:
        _refuse(grid.count, folder)
    points = _points(path, grid, profile)
    source = path.read_text("utf-8")
    plan = _Plan(root, folder, path.name, provenance.code_version(source))

    with _cluster(workers, scheduler) as client, _lock(folder):
        with replacing(plan.source) as partial:
            partial.write_text(source, encoding="utf-8")
        left = [point for point in points if not plan.is_done(point)]
        print(
            f"{len(points)} points, {len(points) - len(left)} of them done before; "
            f"results in {folder}; dashboard at {client.dashboard_link}",
            flush=True,
        )
        _Progress(client, plan, done=len(points) - len(left), total=len(points)).run(left)
        shutil.rmtree(plan.attempts, ignore_errors=True)  # of killed workers
        found = table(folder)
        with replacing(folder / "table.nc") as partial:
            found.to_netcdf(partial, engine="h5netcdf")
    return found.sel(point=found.point.isin([point.name for point in points]))


# --- the points -----------------------------------------------------------------------------


def _points(notebook: Path, grid: Grid, profile: str) -> list[_Point]:
    known = workbook.defaults(notebook)
    chosen = workbook.load_profile(profile).get(workbook.section(notebook), {})
    base = known | workbook.check_parameters(notebook, known, chosen)
    if "profile" in known:
        base["profile"] = profile
    points = {}  # by name: two blocks of a grid may meet in a point
    for given in grid:
        parameters = base | workbook.check_parameters(notebook, known, given)
        changed = [f"{k}={v}" for k, v in parameters.items() if v != known[k]]
        label = re.sub(r"[^\w.=,+-]+", "_", ",".join(changed))[:80] or "defaults"
        text = json.dumps(parameters, sort_keys=True, default=str)
        digest = hashlib.sha256(text.encode()).hexdigest()[:10]
        name = f"{label}-{digest}"
        points[name] = _Point(name, parameters)
    return list(points.values())


def _refuse(count: int, folder: Path) -> None:
    """Ask for a confirmation of a large grid, with an estimate of the time it takes."""
    spent = [record["seconds"] for record in _records(folder).values()]
    if spent:
        seconds, basis = sum(spent) / len(spent), "as in this folder"
    else:
        seconds, basis = _OVERHEAD, "for starting the notebook alone"
    raise InputError(
        f"the grid has {count:,} points, some {count * seconds / 3600:,.0f} hours of one worker at "
        f"{seconds:.0f} s a point {basis}; say --yes to run it."
    )


def _read_record(folder: Path) -> dict[str, Any] | None:
    try:
        return json.loads((folder / _RECORD).read_text("utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        return None


def _records(folder: Path) -> dict[Path, dict[str, Any]]:
    """Return the records of the points of a sweep by their folders."""
    found = {path.parent: _read_record(path.parent) for path in sorted(folder.glob(f"*/{_RECORD}"))}
    return {path: record for path, record in found.items() if record is not None}


# --- the driver -----------------------------------------------------------------------------


@contextmanager
def _cluster(workers: int | None, scheduler: str | None):
    """Yield a Dask client: of ``scheduler``, or of a local cluster that ends with the block."""
    from dask.system import CPU_COUNT
    from distributed import Client, LocalCluster
    from distributed.comm import resolve_address

    if scheduler:
        if workers:
            raise InputError("give a number of workers or a scheduler, not both.")
        try:
            resolve_address(scheduler)  # of what is no address a client makes a traceback at exit
            # A client that fails to connect would otherwise stay the default one of the process.
            client = Client(scheduler, timeout=_CONNECT_SECONDS, set_as_default=False)
        except (OSError, ValueError):
            raise InputError(
                f"no Dask scheduler answers at {scheduler}; start one with 'dask scheduler', or "
                "leave --scheduler out to use this machine."
            ) from None
        with client:
            yield client
        return
    workers = workers or CPU_COUNT
    threads = max(1, CPU_COUNT // workers)
    with (
        LocalCluster(
            n_workers=workers,
            threads_per_worker=1,
            dashboard_address="127.0.0.1:0",
            env={"OMP_NUM_THREADS": threads},
            preload=[_NO_INTERRUPT],
            silence_logs=logging.CRITICAL,
        ) as cluster,
        Client(cluster) as client,
    ):
        yield client


@contextmanager
def _lock(folder: Path) -> Iterator[None]:
    """Hold the folder of a sweep; the lock ends with this process, however that ends."""
    from filelock import FileLock, Timeout

    lock = FileLock(folder / ".lock", timeout=0)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock.acquire()
    except Timeout:
        raise InputError(
            f"another sweep is writing to {folder}; wait for it, or choose another folder "
            "with --out."
        ) from None
    except OSError as error:
        raise InputError(f"cannot write to {folder}: {error.strerror or error}.") from None
    try:
        yield
    finally:
        lock.release()


class _Progress:
    """Has points computed and shows how far that is."""

    def __init__(self, client, plan: _Plan, done: int, total: int):
        from tqdm import tqdm

        self.client, self.plan = client, plan
        self.failed = 0
        self.bar = tqdm(
            desc="sweep",
            unit="point",
            initial=done,
            total=total,
            smoothing=0,
            mininterval=1,
            miniters=0,
        )

    def run(self, points: list[_Point]) -> None:
        """Return when all of ``points`` are done or have failed."""
        from distributed import as_completed

        pending = {self.submit(point): point for point in points}
        completed = as_completed(pending, loop=self.client.loop)
        try:
            while pending:
                for future in completed.next_batch(block=False):
                    point = pending.pop(future)
                    if future.status in ("cancelled", "lost"):  # with the scheduler
                        again = self.submit(point)
                        pending[again] = point
                        completed.add(again)
                    else:
                        self.settle(future, point)
                self.show()
                time.sleep(0.2)
        finally:
            self.bar.close()

    def submit(self, point: _Point):
        """Return the future of a point."""
        if self.client.status == "closed":
            raise SpinodeError(
                f"the scheduler is gone; {self.bar.n} of {self.bar.total} points are done, and "
                "the same command goes on from there."
            )
        return self.client.submit(_compute, self.plan, point, pure=False)

    def settle(self, future, point: _Point) -> None:
        """Take in the end of a point."""
        from distributed import KilledWorker

        error = future.exception()
        if isinstance(error, KilledWorker):
            _record_loss(self.plan, point)
        elif isinstance(error, InputError):
            raise error
        elif error is not None:
            raise InputError(
                f"a worker cannot run points ({type(error).__name__}: {error}); install the same "
                "spinode and dependencies there, restart it, and start the same command again."
            )
        self.failed += error is not None or future.result() == "failed"
        self.bar.update()

    def show(self) -> None:
        """Bring the display up to date."""
        workers = self.client.scheduler_info(n_workers=-1)["workers"].values()
        running = sum(w["metrics"]["task_counts"].get("executing", 0) for w in workers)
        state = {"workers": len(workers), "running": running, "failed": self.failed}
        self.bar.set_postfix(state, refresh=False)
        self.bar.update(0)


def _record_loss(plan: _Plan, point: _Point) -> None:
    """Record a point that Dask has given up since every worker that took it died."""
    plan.attempts.mkdir(exist_ok=True)
    attempt = Path(tempfile.mkdtemp(dir=plan.attempts))
    error = "every worker that took this point died: out of memory, or killed from outside."
    _publish(plan, point, attempt, error, 0.0)


# --- the workers ----------------------------------------------------------------------------


def _compute(plan: _Plan, point: _Point) -> str:
    """Run a point on a worker; return ``done`` or ``failed``.

    Raises
    ------
    InputError
        If this worker can run none of the sweep's points.
    """
    _check_worker(plan)
    if plan.is_done(point):  # by a worker that its driver had lost
        return "done"
    started = time.monotonic()
    threads = os.environ.get("OMP_NUM_THREADS", "1")
    with _scratch(plan) as attempt:
        error = None
        try:
            workbook.execute(
                plan.source,
                attempt / f"{plan.source.stem}.ipynb",
                point.parameters,
                root=plan.root,
                log=attempt / "kernel.log",
                environment={provenance.OUTPUTS: str(attempt), **dict.fromkeys(_THREADS, threads)},
                progress_bar=False,
            )
        except workbook.NotebookError as failure:
            error = str(failure)
            if os.strerror(errno.ENOSPC) in error:
                raise InputError(
                    f"the disk of {plan.folder} is full; make room, and start the same command "
                    "again to go on."
                ) from None
        _publish(plan, point, attempt, error, time.monotonic() - started)
    return "failed" if error else "done"


def _check_worker(plan: _Plan) -> None:
    host = socket.gethostname()
    try:
        source = plan.source.read_text("utf-8")
    except OSError:
        raise InputError(
            f"the worker on {host} does not see {plan.folder}; sweep into a folder that it shares "
            "with this machine."
        ) from None
    if provenance.code_version(source) != plan.code:
        raise InputError(
            f"the worker on {host} has another version of spinode, in {Path(__file__).parent}, or "
            "it was edited since the sweep began; install the same one and start again."
        )


@contextmanager
def _scratch(plan: _Plan) -> Iterator[Path]:
    """Yield a folder for one attempt at a point; it is gone after the block."""
    attempt = None
    try:
        plan.attempts.mkdir(exist_ok=True)
        attempt = Path(tempfile.mkdtemp(dir=plan.attempts))
        yield attempt
    except OSError as error:
        raise InputError(f"cannot write to {plan.folder}: {error.strerror or error}.") from None
    finally:
        if attempt:
            shutil.rmtree(attempt, ignore_errors=True)


def _publish(plan: _Plan, point: _Point, attempt: Path, error: str | None, seconds: float) -> None:
    """Complete ``attempt`` by its record and make it the point's folder."""
    record = {
        "parameters": dict(point.parameters),
        "error": error,
        "seconds": round(seconds, 3),
        "code": plan.code,
        "inputs": provenance.take_notes(attempt, plan.root),
    }
    text = json.dumps(record, indent=2, default=str)
    (attempt / _RECORD).write_text(text + "\n", encoding="utf-8")
    folder = plan.folder / point.name
    if plan.is_done(point):
        return  # another worker was faster
    with suppress(FileNotFoundError):  # what an earlier version or a failure has left
        folder.replace(Path(tempfile.mkdtemp(dir=plan.attempts), "old"))
    attempt.replace(folder)


# --- the table ------------------------------------------------------------------------------


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

    records = _records(Path(folder))
    if not records:
        raise InputError(f"{folder} holds no finished point of a sweep.")
    rows = {}
    parameters = set()
    for path, record in records.items():
        parameters |= record["parameters"].keys()
        row = {name: _cell(value) for name, value in record["parameters"].items()}
        row |= {"point_error": record["error"] or "", "point_seconds": record["seconds"]}
        for name, value in _metrics(path / "results").items():
            row[f"result.{name}" if name in row else name] = value
        rows[path.name] = row
    frame = pd.DataFrame.from_dict(rows, orient="index").rename_axis("point")
    for name in frame.select_dtypes(exclude=["number", "bool"]):
        # A metric that some points lack or have no finite value of; None is no netCDF value.
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


def _metrics(folder: Path) -> dict[str, Any]:
    files = sorted(folder.glob("*.json"))
    found = {}
    for path in files:
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
            flat[prefix + name] = _cell(value)
    return flat


def _cell(value: Any) -> Any:
    return json.dumps(value) if isinstance(value, list | dict) else value
