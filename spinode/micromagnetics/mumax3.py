"""MuMax3 as an engine: run its script, go on after a kill, read what it leaves.

Vansteenkiste et al., AIP Advances 4, 107133 (2014). `mx3` writes the script, `process` runs the
program.
"""

import json
import re
import shutil
import tempfile
import time as clock
import warnings
from contextlib import suppress
from pathlib import Path

import numpy as np
import xarray as xr
from tqdm import tqdm

from spinode.devices.disks import SkyrmionDisk
from spinode.devices.drives import Drive
from spinode.errors import InputError, SpinodeError
from spinode.files import check_writable, replacing
from spinode.micromagnetics import recording
from spinode.micromagnetics.mx3 import Saved, script, write
from spinode.micromagnetics.ovf import read_ovf
from spinode.micromagnetics.process import attend, check, executable
from spinode.micromagnetics.tables import read_table
from spinode.trajectory import resample

__all__ = ["check", "executable", "load", "read_pictures", "run", "script", "write"]

_STATE_EVERY = 1e-9  # s of simulated time between states to go on from, and at least ...
_STATES = 200  # ... a run's length over this, so that they do not fill the disk


def run(
    device: SkyrmionDisk,
    drive: Drive,
    *,
    spacing: float = 2.5e-12,
    duration: float | None = None,
    snapshots: float | None = None,
    progress: bool = True,
    checkpoint: Path | None = None,
    gpu: int = 0,
    timeout: float | None = None,
    folder: Path | None = None,
) -> xr.Dataset | tuple[xr.Dataset, xr.Dataset]:
    """Run a simulation on MuMax3.

    Parameters
    ----------
    device, drive, spacing, duration, snapshots, progress
        As for `spinode.micromagnetics.embedded.run`.
    checkpoint : Path, optional
        Folder that takes script, output and, every nanosecond or so, the state. A run that finds
        one goes on from its last state, and removes it at the end.
    gpu : int
        Number of the GPU.
    timeout : float, optional
        Longest wall time in s.
    folder : Path, optional
        The same as ``checkpoint``, but stays at the end: a run that finds all of it reads it.

    Returns
    -------
    Dataset or (Dataset, Dataset)
        The trajectory on an even grid, and the snapshots if asked for. MuMax3's rounding may cost
        the last sample and the last snapshot.

    Raises
    ------
    InputError
        When MuMax3 is not installed, a parameter does not fit, or the folder belongs to another
        simulation.
    SpinodeError
        When it has no GPU, stops with an error, runs out of time or leaves half its output. What
        it wrote stays where the message says.
    """
    started = clock.monotonic()
    program = executable()
    plan = recording.Plan.of(drive, spacing, duration, snapshots)
    if folder is not None and checkpoint is not None:
        raise InputError("simulate: give MuMax3 a folder, which stays, or a checkpoint, not both.")
    kept = folder or checkpoint
    home = Path(tempfile.mkdtemp(prefix="spinode-mumax3-") if kept is None else kept)
    _claim(home, recording.describe(device, drive, plan, "mumax3"))
    states = snapshots
    if snapshots is None and kept is not None:
        every = max(_STATE_EVERY, plan.duration / _STATES)
        states = min(spacing * round(every / spacing), plan.duration)
    simulation = device, drive, spacing, plan.duration, states
    relaxed, version = 0.0, "unknown"
    done = _outputs(home)
    if not (done and _end(done, device) >= plan.duration - 1.5 * spacing):
        saved = _last_state(done, device, home)
        name = f"run{len(done) + 1}" if done else "run"
        path = write(home, *simulation, saved=saved, name=name)
        output = home / f"{name}.out"
        try:
            log, relaxed = _drive(program, path, output, plan, device, gpu, progress, timeout)
        except BaseException as error:
            _leave(home, kept is None, error)
            raise
        found = re.search(r"mumax\s*([\d.]+\w*)", log, re.IGNORECASE)
        version = found.group(1) if found else version
        done = [*done, output]
    try:
        table = _whole_table(done, plan)
        time = plan.time[: table.sizes["time"]]
        columns = {name: table[name].values for name in ("mx", "my", "mz", "topological_charge")}
        taken = None
        if snapshots is not None:
            taken = plan.time[plan.picture_rows]
            m = _snapshots(done, device, taken)
            taken = taken[: len(m)]
    except BaseException as error:
        _leave(home, kept is None, error)
        raise
    engine = {"engine": "mumax3", "engine_version": version}
    trajectory = recording.dataset(
        device,
        drive,
        time,
        # The table has the inputs in single precision, and a step of them smeared.
        columns | drive.sample(time),
        wall_time=clock.monotonic() - started,
        relaxation_wall_time=relaxed,
        **engine,
    )
    if folder is None:
        shutil.rmtree(home, ignore_errors=True)
    if taken is None:
        return trajectory
    return trajectory, recording.pictures(device, drive, taken, m, **engine)


def _claim(home, identity):
    """Make the folder of a run, or see that it belongs to this one."""
    check_writable(home)
    record = home / "simulation.json"
    if record.exists():
        if json.loads(record.read_text()) != identity:
            raise InputError(
                f"{home} holds the output of another simulation: its device, drive or times "
                "differ; name another folder, or delete it."
            )
    elif _outputs(home):
        raise InputError(
            f"{home} holds MuMax3 output of unknown origin; read it with 'spinode import-mumax3', "
            "and name another folder for this run."
        )
    else:
        with replacing(record) as partial:
            partial.write_text(json.dumps(identity))


def _leave(home, temporary, error):
    """Tell of an unfinished run's output; remove a temporary folder that holds none."""
    if not any(_rows(output) for output in _outputs(home)):
        if temporary:
            shutil.rmtree(home, ignore_errors=True)
        return
    kept = f"what MuMax3 wrote is kept in {home}"
    if isinstance(error, SpinodeError):
        error.args = (f"{str(error).rstrip('.')}; {kept}; folder={str(home)!r} goes on from it.",)
    else:
        warnings.warn(f"interrupted: {kept}; folder={str(home)!r} goes on from it.", stacklevel=3)


def _outputs(home):
    """Return the output folders of all attempts that wrote a table, in order."""
    found = [path.parent for path in Path(home).glob("run*.out/table.txt")]
    return sorted(found, key=lambda path: int(path.stem.removeprefix("run") or 1))


def _rows(output):
    """Return the whole rows of a table, maybe cut short by a kill, as lines with their ends."""
    try:
        lines = (output / "table.txt").read_bytes().splitlines(keepends=True)
    except OSError:
        return []
    return [line for line in lines[1:] if line.endswith(b"\n")]


def _first_and_last(table):
    """Return the first and last time (s) that a table has come to, or None."""
    try:
        with table.open("rb") as file:
            file.readline()
            first = file.readline().split(b"\t")
            file.seek(max(file.tell() - len(b"\t".join(first)), table.stat().st_size - 4096))
            last = file.read().split(b"\n")[-2].split(b"\t")
        return float(first[0]), float(last[0])
    except (OSError, ValueError, IndexError):
        return None  # not there yet, or not a whole line


def _end(outputs, device):
    """Return how far into the drive (s) the last attempt came."""
    reached = _first_and_last(outputs[-1] / "table.txt")
    return -1.0 if reached is None else reached[1] - device.relax_time


def _last_state(outputs, device, home):
    """Return the last whole m that was saved during the drive, or None."""
    for output in reversed(outputs):
        for file in reversed(_series(output, "m")):
            with suppress(InputError):  # cut short by a kill
                time = read_ovf(file).attrs.get("time", 0.0)
                if time > device.relax_time:
                    return Saved(file.relative_to(home).as_posix(), time)
    if outputs:
        warnings.warn(
            f"{home} holds a run without a saved state: it starts again from the beginning, and "
            "what it wrote stays there.",
            stacklevel=3,
        )
    return None


def _drive(program, path, output, plan, device, gpu, progress, timeout):
    """Run MuMax3 on a script, with a bar; return what it printed and when (s) it drove."""
    command = [program, "-gpu", str(gpu), "-http", "", "-o", str(output), str(path)]
    with tqdm(
        total=plan.duration * 1e9, desc="MuMax3", disable=not progress, bar_format=recording.BAR
    ) as bar:

        def watch():
            reached = _first_and_last(output / "table.txt")
            if reached is not None:
                ahead = min(max(reached[1] - device.relax_time, 0.0), plan.duration)
                bar.n = ahead * 1e9
                bar.update(0)

        def late():
            return (
                f"{bar.n:.2f} of {bar.total:.2f} ns into the drive; raise the timeout or shorten "
                "the run."
            )

        return attend(command, path.parent, watch, late, timeout)


def _whole_table(outputs, plan):
    """Return the attempts' tables as one, on the plan's grid, or say that it is not whole."""
    parts = []
    for output in outputs:
        rows = _rows(output)
        if rows:
            table = read_table(output / "table.txt", rows=len(rows))
            absolute = table.assign_coords(time=table.time + table.attrs["start_time"])
            # A later attempt took up from a state that an earlier one had left behind.
            parts = [part.sel(time=part.time < float(absolute.time[0])) for part in parts]
            parts.append(absolute)
    if not parts:
        raise SpinodeError("MuMax3 ended without writing a table; is the disk full?")
    table = xr.concat(parts, "time", combine_attrs="override") if len(parts) > 1 else parts[0]
    table = table.assign_coords(time=table.time - float(table.time[0]))
    end = float(table.time[-1])
    if end < plan.duration - 1.5 * plan.spacing:
        raise SpinodeError(
            f"MuMax3's table ends {end:g} s into a drive of {plan.duration:g} s; is the disk full?"
        )
    # Rounding costs MuMax3 the last row of many runs: a sample less is no reason to lose the rest.
    return resample(table, plan.spacing, min(plan.duration, end))


def _snapshots(outputs, device, times):
    """Return the saved m nearest to ``times`` (s into the drive), shape (times, 3, ny, nx)."""
    saved = {}
    for file in (file for output in outputs for file in _series(output, "m")):
        with suppress(InputError):  # cut short by a kill
            m = read_ovf(file)
            saved[m.attrs.get("time", 0.0) - device.relax_time] = np.moveaxis(m.values[0], -1, 0)
    if not saved:
        raise SpinodeError("MuMax3 saved no picture; is the disk full?")
    at = np.array(sorted(saved))
    near = [int(np.abs(at - time).argmin()) for time in times]
    apart = np.abs(at[near] - times)
    good = apart < 0.1 * (times[1] - times[0] if len(times) > 1 else 1e-12)
    if not good[:-1].all() or not (good[-1] or len(times) > 1):
        missing = times[np.argmin(good)]
        raise SpinodeError(f"MuMax3 saved no picture {missing:g} s into the drive; disk full?")
    return np.stack([saved[at[one]] for one, there in zip(near, good, strict=True) if there])


# --- output from elsewhere ------------------------------------------------------------------


def _series(folder, name):
    """Return the pictures ``name``000000.ovf, ... of a folder by number."""
    found = {}
    for file in Path(folder).glob(f"{name}*.ovf"):
        number = re.fullmatch(re.escape(name) + r"(\d+)", file.stem)
        if number:
            found[int(number.group(1))] = file
    return [found[number] for number in sorted(found)]


def load(folder: Path, series: str = "m") -> tuple[xr.Dataset, xr.DataArray | None]:
    """Read the output folder of a MuMax3 run made elsewhere.

    Parameters
    ----------
    folder : Path
        Holds ``table.txt``, or a single ``*.out`` folder that does.
    series : str
        Name of the pictures: ``m`` for m000000.ovf, m000001.ovf, ...

    Returns
    -------
    Dataset
        The table, at MuMax3's own times.
    DataArray or None
        The pictures: see `read_pictures`.

    Raises
    ------
    InputError
        When there is no table or it cannot be read.
    """
    folder = Path(folder)
    tables = [*folder.glob("table.txt"), *folder.glob("*.out/table.txt")]
    if len(tables) != 1:
        raise InputError(
            f"{folder} holds {len(tables)} MuMax3 tables (table.txt or *.out/table.txt); "
            "name a folder with one."
        )
    table = read_table(tables[0])
    return table, read_pictures(tables[0].parent, series, table.attrs["start_time"])


def read_pictures(folder: Path, series: str = "m", start: float = 0.0) -> xr.DataArray | None:
    """Read a series of pictures in the order of their numbers.

    Parameters
    ----------
    folder : Path
    series : str
        Their name before the number.
    start : float
        MuMax3's time (s) that is to be zero.

    Returns
    -------
    DataArray or None
        Over ``picture``, ``z`` where there are several layers, ``y``, ``x``, ``component``, with
        the ``time`` (s) of every picture where their files tell; None when there are none.

    Raises
    ------
    InputError
        When a file cannot be read, or their grids differ.
    """
    files = _series(folder, series)
    if not files:
        return None
    pictures = [read_ovf(file) for file in files]
    first = pictures[0]
    for file, picture in zip(files, pictures, strict=True):
        same = picture.shape == first.shape and all(
            np.allclose(picture[axis], first[axis], rtol=1e-6, atol=1e-15) for axis in "xyz"
        )
        if not same:
            raise InputError(
                f"{file} has another grid, {picture.shape[2]} x {picture.shape[1]} x "
                f"{picture.shape[0]} cells, than {files[0].name}, {first.shape[2]} x "
                f"{first.shape[1]} x {first.shape[0]}, or other cells; keep a series in a folder."
            )
    joined = xr.concat(pictures, "picture", coords="minimal", join="override", compat="override")
    joined = joined.assign_coords(picture=[int(file.stem[len(series) :]) for file in files])
    joined.attrs.pop("time", None)
    times = [picture.attrs.get("time") for picture in pictures]
    if None not in times:
        told = {"units": "s", "long_name": "time since the start of the table"}
        joined = joined.assign_coords(time=("picture", np.array(times) - start, told))
    return joined.squeeze("z", drop=True) if joined.sizes["z"] == 1 else joined
