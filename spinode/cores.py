"""The processor cores of this machine, and work spread over them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from distributed import Client


def cores() -> int:
    """Return the number of processor cores this process may use."""
    affinity = getattr(os, "sched_getaffinity", None)  # not on macOS and Windows
    return len(affinity(0)) if affinity else os.cpu_count()


@contextmanager
def local_cluster(workers: int, **options) -> Iterator[Client]:
    """Yield a Dask client of as many processes on this machine; they end with the block.

    A machine that sleeps or is busy for minutes loses no work: a worker that is silent is not
    given up.

    Parameters
    ----------
    workers : int
        Processes, of one thread each.
    **options
        Of ``distributed.LocalCluster``.
    """
    import dask
    import distributed  # half a second that a single training does not need

    with (
        dask.config.set({"distributed.scheduler.worker-ttl": None}),
        distributed.LocalCluster(n_workers=workers, threads_per_worker=1, **options) as cluster,
        distributed.Client(cluster) as client,
    ):
        yield client
