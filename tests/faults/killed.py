"""Processes that are killed at random moments, and the same command given again."""

import json
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import jobs
import watch
from jobs import Job, Row

from spinode.workflow.table import table

_SWEEP = ("sweep", "demo", "-p", "count", "0:6", "--workers", "2")


def checkpointed(
    row: Row, job: Job, tries: int, scratch: Path, random, phase: str | None = None
) -> None:
    """Kill a job at some moment, or in one phase of a training, and let it go on.

    What is lost is the work that it had done since its last checkpoint, or else its start.
    """
    reference = scratch / "reference"
    reference.mkdir()
    watch.reset()
    pid = jobs.start(job.run, reference)
    jobs.wait_for(partial(_is_in, phase), pid)
    started = time.monotonic()
    assert jobs.end(pid) == 0 and not Path(f"{reference}.log").read_text()
    lasts = time.monotonic() - started  # in the phase, and in those behind it
    expected = job.read(reference)
    number = 0
    while number < tries:
        folder = scratch / f"kill{number}"
        folder.mkdir()
        watch.reset()
        pid = jobs.start(job.run, folder)
        jobs.wait_for(partial(_is_in, phase), pid)
        time.sleep(lasts * random.uniform())
        jobs.kill(pid)
        code, usage = jobs.end_and_usage(pid)
        if code != 0 and watch.phase() == phase:  # it was not faster
            number += 1
            # An end, too, removes the checkpoint; then the result was about to be written.
            over = watch.wrote_once() and not (folder / job.checkpoint).exists()
            lost, overdue = watch.lost(usage), watch.overdue()
            code, said = jobs.finish(job.run, folder)
            same = code == 0 and job.read(folder) == expected and not left_over(folder)
            message = "(it had just ended: all of it is done again)" if over else ""
            row.add(same, said if code else message, None if over else lost, overdue)
        jobs.remove(folder)


def _is_in(phase: str | None) -> bool:
    return phase is None or watch.phase() == phase


def left_over(folder: Path) -> list[Path]:
    """Return checkpoints that are still there; half-written files are told from whole ones."""
    return list(folder.glob("*.checkpoint"))


def _ran(book: Path) -> list[tuple[int, int, int]]:
    path = book / "ran.txt"
    lines = path.read_text().splitlines() if path.exists() else []
    return [tuple(map(int, line.split())) for line in lines]


def _more(book: Path, count: int) -> bool:
    return len(_ran(book)) > count


def _points(book: Path) -> dict[int, float]:
    found = table(book / "sweeps" / "quick" / "01_demo")
    assert not any(found.point_error.values)
    return dict(zip(found["count"].values.tolist(), found["sum"].values.tolist(), strict=True))


def _done(book: Path) -> set[int]:
    """Return which points have succeeded."""
    folder = book / "sweeps" / "quick" / "01_demo"
    records = [json.loads(path.read_text()) for path in folder.glob("*/point.json")]
    return {one["parameters"]["count"] for one in records if one["error"] is None}


def sweep(rows: dict[str, Row], tries: dict[str, int], scratch: Path, random) -> None:
    """Kill a sweep's driver, then workers and kernels while it runs; what is lost are points.

    A point is lost if it was done before the kill and is run again.
    """
    expected = {count: 100 + count for count in range(6)}
    while rows["driver"].tries < tries["driver"]:
        book = jobs.workbook(scratch / f"driver{rows['driver'].tries}")
        pid = jobs.start(jobs.spinode(*_SWEEP), book)
        time.sleep(random.uniform(0, 9))
        done, before = _done(book), len(_ran(book))
        jobs.kill(pid)
        if jobs.end(pid) == 0:  # it was faster
            jobs.remove(book)
            continue
        code, said = jobs.finish(jobs.spinode(*_SWEEP), book)
        again = {count for count, *_ in _ran(book)[before:]} & done
        same = code == 0 and _points(book) == expected
        rows["driver"].add(same, "" if code == 0 else said, len(again))
        jobs.remove(book)
    left = {"worker": tries["worker"], "kernel": tries["kernel"]}
    number = 0
    while any(left.values()):
        number += 1
        book = jobs.workbook(scratch / f"victims{number}")
        pid, aimed = jobs.start(jobs.spinode(*_SWEEP), book), []
        while jobs.wait_for(partial(_more, book, len(aimed)), pid):
            _, worker, kernel = _ran(book)[-1]
            kind = str(random.choice([one for one, count in left.items() if count] or ["none"]))
            if kind == "none" or len(aimed) > 6:
                break
            time.sleep(random.uniform(0, 0.6))
            done, before = _done(book), len(_ran(book))
            jobs.kill(worker if kind == "worker" else kernel)
            left[kind] -= 1
            aimed.append((kind, done, before))
        code = jobs.end(pid)
        said = Path(f"{book}.log").read_text().strip().splitlines()[-1]
        again = code
        while again == 1:  # a point whose kernel was killed has failed: the same command goes on
            again, _ = jobs.finish(jobs.spinode(*_SWEEP), book)
        same = again == 0 and _points(book) == expected
        for kind, done, before in aimed:
            repeated = {count for count, *_ in _ran(book)[before:]} & done
            rows[kind].add(same, said if code else "", len(repeated))
        jobs.remove(book)


def pipeline(row: Row, tries: int, scratch: Path, random) -> None:
    """Kill ``dvc repro``, the notebook it runs or that one's kernel; what is lost are stages."""
    while row.tries < tries:
        book = jobs.workbook(scratch / f"pipeline{row.tries}")
        dvc = [sys.executable, "-m", "dvc"]
        quiet = {"cwd": book, "check": True, "capture_output": True}
        subprocess.run(["git", "init", "--quiet"], **quiet)
        subprocess.run([*dvc, "init", "--quiet"], **quiet)
        process = subprocess.Popen(
            [*dvc, "repro"], cwd=book, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        time.sleep(random.uniform(0.5, 12))
        if process.poll() is not None:  # it was faster
            jobs.remove(book)
            continue
        victims = [process.pid, *_children(process.pid)]
        jobs.kill(random.choice(victims))
        time.sleep(0.1)
        jobs.kill(process.pid)
        process.wait()
        stages = _stages(book)
        again = subprocess.run([*dvc, "repro"], cwd=book, capture_output=True, text=True)
        tries_again = 0
        said = ""
        while again.returncode and tries_again < 60:
            said = again.stderr.strip().splitlines()[-1]
            tries_again += 1
            time.sleep(1)
            again = subprocess.run([*dvc, "repro"], cwd=book, capture_output=True, text=True)
        repeated = sum(f"Running stage '{name}'" in again.stdout for name in stages)
        made = [_metrics(book / "results" / "quick" / f"{one}.json") for one in ("demo", "after")]
        same = again.returncode == 0 and made == [{"sum": 103}, {"double": 206}]
        row.add(same, said, repeated)
        jobs.remove(book)


def _metrics(path: Path) -> dict[str, float]:
    """Return the numbers in a file of results, without what tells when they were made."""
    if not path.exists():
        return {}
    return {name: one for name, one in json.loads(path.read_text()).items() if name != "provenance"}


def _stages(book: Path) -> set[str]:
    """Return the stages whose results the pipeline has recorded."""
    lock = book / "dvc.lock"
    text = lock.read_text() if lock.exists() else ""
    return {name for name in ("demo", "after") if f"\n  {name}:" in text}


def _children(pid: int) -> list[int]:
    """Return the processes that a process has started, and those that they have."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            parent = int(path.read_text().rpartition(")")[2].split()[1])
        except (FileNotFoundError, ProcessLookupError):
            continue
        if parent == pid:
            found += [int(path.parent.name), *_children(int(path.parent.name))]
    return found
