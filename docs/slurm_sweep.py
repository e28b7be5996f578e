"""A sweep whose workers are SLURM jobs. Needs `pip install dask-jobqueue`.

Run it where it may stay for hours (a login node under tmux, or a small job of its own), in the
workbook's folder on a file system that the compute nodes share: `python docs/slurm_sweep.py`.
"""

from pathlib import Path

from dask_jobqueue import SLURMCluster

from spinode.workflow.grid import read_grid
from spinode.workflow.sweep import sweep

if __name__ == "__main__":
    with SLURMCluster(
        queue="short",  # your partition
        cores=8,  # of a job; each runs one point at a time, on one thread
        processes=8,
        memory="16 GB",
        walltime="02:00:00",
        # A worker takes no new point in the last minutes of its job; a point cut off all the same
        # runs again elsewhere.
        worker_extra_args=["--lifetime", "105m", "--lifetime-stagger", "10m"],
        log_directory="build/slurm",
    ) as cluster:
        cluster.scale(jobs=20)  # they are cancelled at the end of the block
        table = sweep(
            "train_one",
            read_grid(Path("profiles/sweeps/one_skyrmion.yaml")),
            profile="paper",
            scheduler=cluster.scheduler_address,
        )
    print(table)
