"""Short jobs that are killed, starved and fed with damaged files, and how their outcome is told.

A job is forked from a parent that has all modules loaded and compiled, so that a fault costs a
second or two and not ten.
"""

import contextlib
import os
import shutil
import signal
import sys
import time
import traceback
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from spinode import SpinODE, fit, simulate
from spinode.devices.drives import RandomSine
from spinode.devices.protocols import ONE_SKYRMION
from spinode.errors import SpinodeError
from spinode.trajectory import load, save
from spinode.workflow import cli
from spinode.workflow.points import Plan, Point, publish

#: Exit code of a job whose error was not said in a sentence.
INTERNALS = 99


@dataclass
class Row:
    """One kind of fault, and what came of it."""

    fault: str
    tries: int = 0
    lost: list[float] = field(default_factory=list)
    unit: str = "s"
    wrong: int = 0
    overdue: int | None = None
    protected: bool = True  # by a checksum, without which wrong results are to be expected
    messages: Counter = field(default_factory=Counter)

    def add(
        self,
        same: bool,
        message: str = "",
        lost: float | None = None,
        overdue: bool | None = None,
    ) -> None:
        """Count a try: whether the result is the same, what was lost, and if more than may be."""
        self.tries += 1
        self.wrong += not same
        if overdue is not None:
            self.overdue = (self.overdue or 0) + overdue
        if lost is not None:
            self.lost.append(lost)
        if message:
            self.messages[message] += 1

    @property
    def identical(self) -> str:
        return "yes" if not self.wrong else f"no, {self.wrong}"

    @property
    def bounded(self) -> str:
        if self.overdue is None:
            return ""
        return "yes" if not self.overdue else f"no, {self.overdue}"

    @property
    def most_lost(self) -> str:
        if not self.lost:
            return ""
        return f"{max(self.lost):.2g} s" if self.unit == "s" else f"{max(self.lost):g} {self.unit}"

    @property
    def line(self) -> str:
        """The row of a Markdown table."""
        said = "; ".join(f"{text} ({count})" for text, count in self.messages.most_common(4))
        cells = self.fault, self.tries, self.most_lost, self.bounded, self.identical, said
        return f"| {' | '.join(map(str, cells))} |"


@dataclass(frozen=True)
class Job:
    """Something that takes seconds, writes a result into a folder and can be done again.

    Parameters
    ----------
    name : str
    run : callable
        Does it, in the folder that it is given.
    read : callable
        Returns the result from the folder, as something that can be compared.
    checkpoint : str
        Name of the file that the job goes on from.
    """

    name: str
    run: Callable[[Path], None]
    read: Callable[[Path], Any]
    checkpoint: str = "job.checkpoint"


def start(job: Callable[[Path], None], folder: Path) -> int:
    """Fork a process that does a job in a folder; return its number."""
    sys.stdout.flush()
    sys.stderr.flush()
    pid = os.fork()
    if pid:
        return pid
    code = INTERNALS
    try:
        os.setsid()
        log = os.open(folder.parent / f"{folder.name}.log", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(log, 1)
        os.dup2(log, 2)
        os.chdir(folder)
        job(folder)
        code = 0
    except SpinodeError as error:
        print(error, file=sys.stderr)
        code = 2
    except SystemExit as end:
        code = end.code or 0
    except BaseException:
        traceback.print_exc()
    finally:
        with contextlib.suppress(OSError):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(code)


def end(pid: int) -> int:
    """Wait for a process; return its exit code."""
    return end_and_usage(pid)[0]


def end_and_usage(pid: int):
    """Wait for a process; return its exit code and what it used of the processor."""
    _, status, usage = os.wait4(pid, 0)
    return os.waitstatus_to_exitcode(status), usage


def finish(job: Callable[[Path], None], folder: Path) -> tuple[int, str]:
    """Do a job in a process of its own; return its exit code and the last line that it said."""
    folder.mkdir(parents=True, exist_ok=True)
    code = end(start(job, folder))
    lines = Path(f"{folder}.log").read_text("utf-8", errors="replace").strip().splitlines()
    return code, lines[-1] if lines else ""


def spinode(*arguments: str) -> Callable[[Path], None]:
    """Return a job that is a call of the command ``spinode``."""

    def run(_: Path) -> None:
        sys.argv = ["spinode", *arguments]
        cli.main()

    return run


# --- what is computed -----------------------------------------------------------------------

_DEVICE = replace(ONE_SKYRMION.device, cell=2e-9)
_DRIVE = RandomSine(periods=8)
_WALL_TIMES = ("wall_time", "relaxation_wall_time")


def _simulate(folder: Path) -> None:
    run, pictures = simulate(
        _DEVICE,
        _DRIVE,
        engine="embedded",
        snapshots=0.25e-9,
        progress=False,
        checkpoint=folder / "job.checkpoint",
    )
    save(pictures, folder / "pictures.nc")
    save(run, folder / "run.nc")


def read_simulation(folder: Path) -> dict[str, bytes]:
    found = {}
    for name in ("run", "pictures"):
        for variable, values in load(folder / f"{name}.nc").variables.items():
            found[f"{name}.{variable}"] = np.ascontiguousarray(values.values).tobytes()
    return found


SIMULATION = Job("a simulation", _simulate, read_simulation)


def train(trajectory, iterations: int = 2400, steps: int = 24) -> Job:
    """Return a training by Adam, then Levenberg-Marquardt; each takes a second or two."""

    def run(folder: Path) -> None:
        model = SpinODE(**ONE_SKYRMION.learning.units(trajectory), k=2, width=10, seed=1)
        fit(
            model,
            trajectory,
            inputs=_DRIVE,
            train=(0, 300),
            validation=(300, 400),
            iterations=iterations,
            lm_steps=steps,
            lm_window=100,
            progress=False,
            checkpoint=folder / "job.checkpoint",
        )
        model.save(folder / "model.npz")

    return Job("a training", run, lambda folder: (folder / "model.npz").read_bytes())


# --- notebooks ------------------------------------------------------------------------------

_NOTEBOOK = """\
# %% tags=["parameters"]
profile = "quick"
count = 0

# %%
import os
import time
from pathlib import Path

from spinode.workflow.workbook import outputs

out = outputs(profile)
with open("ran.txt", "a") as file:
    print(count, os.getppid(), os.getpid(), file=file)
base = int(out.input("base.txt").read_text())
time.sleep(0.3)
out.write_metrics("demo", {"sum": base + count})
(out.data / "demo.txt").write_text(str(base + count))
"""

_AFTER = """\
# %% tags=["parameters"]
profile = "quick"

# %%
import time

from spinode.workflow.workbook import outputs

out = outputs(profile)
before = int(out.input("demo.txt").read_text())
time.sleep(0.3)
out.write_metrics("after", {"double": 2 * before})
"""

_PIPELINE = """\
stages:
  demo:
    cmd: {python} -m spinode.workflow.cli run notebooks/01_demo.py
    deps: [notebooks/01_demo.py]
    outs: [data/quick/demo.txt]
    metrics: [results/quick/demo.json: {{cache: false}}]
  after:
    cmd: {python} -m spinode.workflow.cli run notebooks/02_after.py
    deps: [notebooks/02_after.py, data/quick/demo.txt]
    metrics: [results/quick/after.json: {{cache: false}}]
"""


def workbook(folder: Path) -> Path:
    """Make a workbook of two notebooks and a pipeline."""
    for name in ("notebooks", "profiles", "data/quick"):
        (folder / name).mkdir(parents=True)
    (folder / "notebooks" / "01_demo.py").write_text(_NOTEBOOK)
    (folder / "notebooks" / "02_after.py").write_text(_AFTER)
    (folder / "profiles" / "quick.yaml").write_text("demo: {count: 3}\n")
    (folder / "data" / "quick" / "base.txt").write_text("100")
    (folder / "dvc.yaml").write_text(_PIPELINE.format(python=sys.executable))
    return folder


def point(folder: Path) -> list[Path]:
    """Leave a point of a sweep as a worker does; return its files that the table is made from."""
    plan = Plan(folder, folder, "01_demo.py", "code")
    attempt = plan.attempts / "count=3"
    (attempt / "results").mkdir(parents=True)
    (attempt / "results" / "demo.json").write_text('{"sum": 103.25, "error": {"k = 2": 0.125}}')
    publish(plan, Point("count=3", {"count": 3, "step": 0.5}), attempt, None, 2.5)
    return [folder / "count=3" / name for name in ("point.json", "results/demo.json")]


def mumax3_table(path: Path) -> Path:
    """Write a table of 50 rows as MuMax3 does."""
    rows = [f"{n * 5e-12:g}\t0\t0\t{0.7 + 0.001 * n:.7g}\t{8e5 + n:g}\n" for n in range(50)]
    header = "# t (s)\tmx ()\tmy ()\tmz ()\tKu1.region1 (J/m3)\n"
    path.write_text(header + "".join(rows))
    return path


def wait_for(condition: Callable[[], Any], pid: int) -> bool:
    """Wait until something holds, or the process has ended; return whether it holds."""
    while not condition():
        if os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT):
            return False
        time.sleep(0.02)
    return True


def kill(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


def remove(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
