"""A small file system that fills up under a job, and room made again."""

import contextlib
import os
import resource
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import jobs
from jobs import Job, Row


@contextlib.contextmanager
def small(folder: Path, size: int) -> Iterator[bool]:
    """Mount a file system of ``size`` bytes on a folder; yield whether that was allowed."""
    folder.mkdir(parents=True, exist_ok=True)
    mount = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)]
    mounted = os.geteuid() == 0 and not subprocess.run(mount, capture_output=True).returncode
    try:
        yield mounted
    finally:
        if mounted:
            subprocess.run(["umount", "--lazy", str(folder)], check=True)


def full(row: Row, job: Job, tries: int, size: int, scratch: Path, random) -> None:
    """Let a job run out of room at a random size of its files, make room, and let it go on."""
    reference = scratch / "reference"
    assert jobs.finish(job.run, reference)[0] == 0
    expected = job.read(reference)
    for number in range(tries):
        work = scratch / f"full{number}"  # what the job says goes beside it, where there is room
        left = int(random.uniform(0, size))
        with small(work, 8 << 20) as mounted:
            if mounted:
                ballast = work / "ballast"
                ballast.write_bytes(bytes((8 << 20) - 4096 * 4 - left // 4096 * 4096))
                code, said = jobs.finish(job.run, work)
                ballast.unlink()
            else:
                code, said = jobs.finish(_limited(job, left), work)
            half = list(work.rglob("*.partial"))
            whole, last = jobs.finish(job.run, work)
            same = code in (0, 2) and whole == 0 and job.read(work) == expected and not half
            row.add(same, (said.replace(str(work), "...") if code else "") or last)


def _limited(job: Job, size: int):
    """Return the job under a limit of a file's size, for those who may not mount."""

    def run(folder: Path) -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))
        job.run(folder)

    return run
