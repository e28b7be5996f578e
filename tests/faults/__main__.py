"""``make faults``: what is left of a job that was killed, starved of room or fed a damaged file.

Prints a table and ends with an error if any result came out different. ``--tries 0.1`` makes a
tenth of the tries, at least one of each.
"""

import os

os.environ |= dict.fromkeys(("OMP_NUM_THREADS", "NUMBA_NUM_THREADS"), "1")

import argparse
import sys
import tempfile
from pathlib import Path

import damaged
import filled
import jobs
import killed
import numpy as np
from jobs import Row

from spinode import SpinODE
from spinode.micromagnetics.tables import read_table
from spinode.trajectory import load
from spinode.workflow.table import table

TRIES = {
    "simulation": 30,
    "adam": 20,
    "levenberg-marquardt": 20,
    "driver": 10,
    "worker": 10,
    "kernel": 10,
    "pipeline": 6,
    "full": 8,
    "checkpoint": 30,
    "file": 500,
}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--tries", type=float, default=1.0, help="Share of the tries to make.")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", nargs="+", help="Faults whose name contains one of these.")
    arguments = parser.parse_args()
    tries = {name: max(1, round(count * arguments.tries)) for name, count in TRIES.items()}
    random = np.random.default_rng(arguments.seed)
    rows = []

    shown = []

    def show() -> None:
        for one in rows:
            if one.tries and one not in shown:
                shown.append(one)
                print(one.line, flush=True)

    def row(fault: str, unit: str = "s") -> Row | None:
        if arguments.only and not any(one in fault for one in arguments.only):
            return None
        show()
        rows.append(Row(fault, unit=unit))
        return rows[-1]

    print("| fault | tries | lost at most | in the bound | result identical | message |")
    print("| --- | --- | --- | --- | --- | --- |", flush=True)
    with tempfile.TemporaryDirectory() as scratch:
        faults(Path(scratch), row, tries, random)
    show()
    kills = sum(one.tries for one in rows if "SIGKILL" in one.fault)
    wrong = sum(one.wrong for one in rows if one.protected)
    overdue = sum(one.overdue or 0 for one in rows)
    print(f"\n{kills} kills, {wrong} wrong results in all, {overdue} losses over the bound")
    return wrong > 0 or overdue > 0


def faults(scratch: Path, row, tries: dict[str, int], random) -> None:
    """Do all that ``row`` has a row for."""

    def place(name: str) -> Path:
        folder = scratch / name
        folder.mkdir()
        return folder

    warm = place("warm")
    jobs.SIMULATION.run(warm)
    trajectory = load(warm / "run.nc").isel(time=slice(0, None, 2))
    training = jobs.train(trajectory)
    training.run(warm)
    if one := row("SIGKILL of a simulation"):
        killed.checkpointed(one, jobs.SIMULATION, tries["simulation"], place("s"), random)
    if one := row("SIGKILL of a training, Adam"):
        killed.checkpointed(one, training, tries["adam"], place("a"), random, "adam")
    if one := row("SIGKILL of a training, Levenberg-Marquardt"):
        phase = "levenberg-marquardt"
        killed.checkpointed(one, training, tries[phase], place("l"), random, phase)
    parts = {
        one: row(f"SIGKILL of a sweep's {one}", "points") for one in ("driver", "worker", "kernel")
    }
    if all(parts.values()):
        killed.sweep(parts, tries, place("sweep"), random)
    if one := row("SIGKILL of a pipeline", "stages"):
        killed.pipeline(one, tries["pipeline"], place("p"), random)
    for job, size in ((jobs.SIMULATION, 800_000), (training, 60_000)):
        if one := row(f"the disk is full under {job.name}"):
            filled.full(one, job, tries["full"], size, place(f"full {job.name}"), random)
    for job in (jobs.SIMULATION, training):
        if one := row(f"one byte of the checkpoint of {job.name}"):
            damaged.checkpoint(one, job, tries["checkpoint"], place(f"byte {job.name}"), random)
    if one := row("one byte of a model"):
        model = warm / "model.npz"

        def weights():
            SpinODE.load(model).save(warm / "again.npz")
            return (warm / "again.npz").read_bytes()

        damaged.read(one, model, weights, tries["file"], random)
    if one := row("one byte of a trajectory"):
        damaged.read(
            one, warm / "run.nc", lambda: Same(load(warm / "run.nc")), tries["file"], random
        )
    if one := row("one byte of a point of a sweep"):
        folder = place("points")
        for file in jobs.point(folder):
            damaged.read(one, file, lambda: Same(table(folder)), tries["file"] // 2, random)
    if one := row("one byte of a table of MuMax3, a text"):
        one.protected = False
        path = place("mumax3") / "table.txt"
        damaged.read(
            one, jobs.mumax3_table(path), lambda: Same(read_table(path)), tries["file"], random
        )


class Same:
    """A Dataset that is equal to another if all numbers in it are."""

    def __init__(self, dataset):
        self.dataset = dataset

    def __eq__(self, other):
        return self.dataset.equals(other.dataset)


if __name__ == "__main__":
    sys.exit(main())
