"""Sweeps: one notebook over a grid of parameters, on Dask.

Every point is executed on its own, in a folder of its own; whatever is done stays done.
"""

from __future__ import annotations

import logging
import shutil
import time
from collections.abc import Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from spinode import provenance
from spinode.cores import local_cluster
from spinode.errors import InputError, SpinodeError
from spinode.files import exclusive, replacing, workbook_root
from spinode.workflow.adaptive import Turns
from spinode.workflow.grid import Block, Grid
from spinode.workflow.notebooks import find_notebook, outputs_name
from spinode.workflow.page import write_page
from spinode.workflow.points import Plan, Point, points_of, records
from spinode.workflow.table import table
from spinode.workflow.workbook import check_inputs
from spinode.workflow.worker import compute, record_loss

if TYPE_CHECKING:
    import xarray as xr

_MANY = 1000
# Kernel start and imports: what the cheapest point takes (s).
_OVERHEAD = 5.0
_CONNECT_SECONDS = 10
# Ctrl-C reaches all processes of a terminal; the driver alone answers, by ending its workers.
_NO_INTERRUPT = "import signal; signal.signal(signal.SIGINT, signal.SIG_IGN)"


def sweep(
    notebook: str | Path,
    grid: Grid | Mapping[str, Sequence[Any]],
    *,
    profile: str = "quick",
    workers: int | None = None,
    scheduler: str | None = None,
    out: str | Path | None = None,
    yes: bool = False,
    adaptive: int | None = None,
    minimize: str | None = None,
) -> xr.Dataset:
    """Execute a notebook at every point of a grid; points already done are not run again.

    A point is done if it has succeeded with the same parameters, the same text of the notebook,
    the same spinode modules behind it and the same input data. A point that fails keeps its
    notebook and its error and does not stop the others; the next sweep tries it again.

    Parameters
    ----------
    notebook : str or path
        See `spinode.workflow.notebooks.find_notebook`.
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
    adaptive : int, optional
        Finish only so many points of the grid, those done before among them, and choose each by
        what the others gave; see `spinode.workflow.adaptive`.
    minimize : str, optional
        What an adaptive sweep looks for: the name of a metric, as in the table.

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
    path = find_notebook(str(notebook))
    grid = grid if isinstance(grid, Grid) else Grid(Block(product=grid))
    root = workbook_root()
    folder = Path(out or root / "sweeps" / profile / outputs_name(path)).resolve()
    if (adaptive is None) != (minimize is None):
        raise InputError("an adaptive sweep takes a number of points and a metric to minimize.")
    most = grid.count if adaptive is None else min(adaptive, grid.count)
    if most > _MANY and not yes:
        _refuse(most, folder)
    points = points_of(path, grid, profile)
    source = path.read_text("utf-8")
    plan = Plan(root, folder, path.name, provenance.code_version(source))

    check_inputs(path, profile)
    busy = (
        f"another sweep is writing to {folder}; wait for it, or choose another folder with --out."
    )
    with _cluster(workers, scheduler) as client, exclusive(folder / ".lock", busy):
        with replacing(plan.source) as partial:
            partial.write_text(source, encoding="utf-8")
        done = {point.name for point in points if plan.is_done(point)}
        total = len(points) if adaptive is None else max(min(adaptive, len(points)), len(done))
        print(
            f"{total} points, {len(done)} of them done before; "
            f"results in {folder}; dashboard at {client.dashboard_link}",
            flush=True,
        )
        progress, names = _Progress(client, plan, len(done), total), {p.name for p in points}
        if adaptive is None:
            progress.run([point for point in points if point.name not in done])
        else:
            turns = Turns(folder, points, done, total, minimize)
            names = turns.taken
            progress.run([], turns)
        shutil.rmtree(plan.attempts, ignore_errors=True)  # of killed workers
        found = table(folder)
        with replacing(folder / "table.nc") as partial:
            found.to_netcdf(partial, engine="h5netcdf")
        print(f"page: {write_page(found, folder, path.stem)}")
    return found.sel(point=found.point.isin(list(names)))


def _refuse(count: int, folder: Path) -> None:
    """Refuse a large grid, with an estimate of the time it takes."""
    spent = [record["seconds"] for record in records(folder).values()]
    if spent:
        seconds, basis = sum(spent) / len(spent), "as in this folder"
    else:
        seconds, basis = _OVERHEAD, "for starting the notebook alone"
    raise InputError(
        f"the grid has {count:,} points, some {count * seconds / 3600:,.0f} hours of one worker at "
        f"{seconds:.0f} s a point {basis}; say --yes to run it."
    )


@contextmanager
def _cluster(workers: int | None, scheduler: str | None):
    """Yield a Dask client: of ``scheduler``, or of a local cluster that ends with the block."""
    from dask.system import CPU_COUNT
    from distributed import Client
    from distributed.comm import resolve_address

    if scheduler:
        if workers:
            raise InputError("give a number of workers or a scheduler, not both.")
        try:
            # Given something that is not an address, a client leaves a traceback at exit.
            resolve_address(scheduler)
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
    with local_cluster(
        workers,
        dashboard_address="127.0.0.1:0",
        env={"OMP_NUM_THREADS": max(1, CPU_COUNT // workers)},
        preload=[_NO_INTERRUPT],
        silence_logs=logging.CRITICAL,
    ) as client:
        yield client


class _Progress:
    """Has points computed and shows how far that is."""

    def __init__(self, client, plan: Plan, done: int, total: int):
        from tqdm import tqdm

        self.client, self.plan = client, plan
        self.failed = self.submitted = 0
        self.bar = tqdm(
            desc="sweep",
            unit="point",
            initial=done,
            total=total,
            smoothing=0,
            mininterval=1,
            miniters=0,
        )

    def run(self, points: list[Point], turns: Turns | None = None) -> None:
        """Return when all of ``points``, and all that ``turns`` adds, are done or have failed."""
        waiting, pending = list(points), {}
        try:
            while True:
                if turns:
                    busy = {point.name for point in (*waiting, *pending.values())}
                    waiting += turns.next(busy, len(self.workers()))
                pending |= {self.submit(point): point for point in waiting}
                if not pending:
                    return
                waiting = []
                for future in [one for one in pending if one.status != "pending"]:
                    point = pending.pop(future)
                    if future.status in ("cancelled", "lost"):  # with the scheduler
                        waiting.append(point)
                    else:
                        self.settle(future, point)
                self.show()
                time.sleep(0.2)
        finally:
            self.bar.close()

    def submit(self, point: Point):
        """Return the future of a point."""
        if self.client.status == "closed":
            raise SpinodeError(
                f"the scheduler is gone; {self.bar.n} of {self.bar.total} points are done, and "
                "the same command goes on from there."
            )
        # Its name on the dashboard; the number tells a second attempt from the first.
        self.submitted += 1
        name = f"{Path(self.plan.notebook).stem}-{point.name}-{self.submitted}-{time.time():.0f}"
        return self.client.submit(compute, self.plan, point, pure=False, key=name)

    def settle(self, future, point: Point) -> None:
        """Count a point that has ended; raise what ends the sweep."""
        from distributed import KilledWorker

        error = future.exception()
        if isinstance(error, KilledWorker):
            record_loss(self.plan, point)
        elif isinstance(error, InputError):
            raise error
        elif error is not None:
            raise InputError(
                f"a worker cannot run points ({type(error).__name__}: {error}); install the same "
                "spinode and dependencies there, restart it, and start the same command again."
            )
        self.failed += error is not None or future.result() == "failed"
        self.bar.update()

    def workers(self) -> dict:
        """Return what the scheduler knows of its workers, by address."""
        return self.client.scheduler_info(n_workers=-1)["workers"]

    def show(self) -> None:
        """Bring the display up to date."""
        workers = self.workers().values()
        running = sum(w["metrics"]["task_counts"].get("executing", 0) for w in workers)
        state = {"workers": len(workers), "running": running, "failed": self.failed}
        self.bar.set_postfix(state, refresh=False)
        self.bar.update(0)
