"""What a worker of a sweep does: one point, in a process of its own."""

from __future__ import annotations

import errno
import os
import shutil
import socket
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from spinode import provenance
from spinode.errors import InputError
from spinode.workflow.execution import NotebookError, execute
from spinode.workflow.points import Plan, Point, publish
from spinode.workflow.workbook import MissingInput

_THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS")


def compute(plan: Plan, point: Point) -> str:
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
            execute(
                plan.source,
                attempt / f"{plan.source.stem}.ipynb",
                point.parameters,
                root=plan.root,
                log=attempt / "kernel.log",
                environment={provenance.OUTPUTS: str(attempt), **dict.fromkeys(_THREADS, threads)},
                progress_bar=False,
            )
        except NotebookError as failure:
            error = str(failure)
            if failure.kind == MissingInput.__name__:  # no other point has it, either
                raise InputError(failure.reason) from None
            if os.strerror(errno.ENOSPC) in error:
                raise InputError(
                    f"the disk of {plan.folder} is full; make room, and start the same command "
                    "again to go on."
                ) from None
        publish(plan, point, attempt, error, time.monotonic() - started)
    return "failed" if error else "done"


def _check_worker(plan: Plan) -> None:
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
def _scratch(plan: Plan) -> Iterator[Path]:
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


def record_loss(plan: Plan, point: Point) -> None:
    """Record a point that Dask has given up since every worker that took it died."""
    error = "every worker that took this point died: out of memory, or killed from outside."
    with _scratch(plan) as attempt:
        publish(plan, point, attempt, error, 0.0)
