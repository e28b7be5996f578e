"""MuMax3 as an engine: write its script, run it as a subprocess, read what it leaves.

Vansteenkiste et al., AIP Advances 4, 107133 (2014). The script says the same as those published
with the paper, step by step; its sequence of amplitudes comes from an OVF2 file beside it.
"""

import os
import re
import shutil
import subprocess
import tempfile
import threading
import time as clock
from collections import deque
from pathlib import Path

import numpy as np
import xarray as xr
from tqdm import tqdm

from spinode.devices.disks import SkyrmionDisk
from spinode.devices.drives import Drive, HeldSequence, PulseSequence, RandomSine, RandomSinePair
from spinode.devices.grains import GrainMap
from spinode.errors import InputError, SpinodeError
from spinode.files import replacing
from spinode.micromagnetics import recording
from spinode.micromagnetics.grains import regions_of
from spinode.micromagnetics.ovf import read_ovf
from spinode.micromagnetics.tables import read_table
from spinode.trajectory import resample

_PARAMETER = {"Ku": "Ku1", "Dind": "Dind"}
_POLL = 0.2  # s between looks at the process
_PATIENCE = 5.0  # s a process may take to end once it is asked to

# --- the script -----------------------------------------------------------------------------


def script(
    device: SkyrmionDisk,
    drive: Drive,
    spacing: float = 2.5e-12,
    duration: float | None = None,
    snapshots: float | None = None,
) -> tuple[str, dict[str, np.ndarray]]:
    """Return the .mx3 script of a simulation, and the sequences that it loads by file name.

    Parameters
    ----------
    device, drive
        What is driven, and how.
    spacing : float
        Time between lines of the table in s.
    duration : float, optional
        In s; the whole drive by default. MuMax3 runs whole periods, hence maybe longer.
    snapshots : float, optional
        Time between saved m in s.

    Raises
    ------
    InputError
        When a time does not fit, or the drive cannot be told to MuMax3.
    """
    plan = recording.Plan.of(drive, spacing, duration, snapshots)
    loop, sequences = _drive_loop(drive, device.relax_time, plan.duration)
    grain_lines, maps = _grain_lines(device)
    disk = f"circle({_number(device.diameter)})"
    lines = [
        f"SetGridsize({device.cells}, {device.cells}, 1)",
        f"SetCellsize({_number(device.cell)}, {_number(device.cell)}, {_number(device.thickness)})",
        f"SetGeom({disk})",
        *(f'{name} := loadfile("{name}.ovf")' for name in sequences),
        "",
        f"Msat  = {_number(device.Msat)}",
        f"Aex   = {_number(device.Aex)}",
        f"alpha = {_number(device.relax_alpha)}",
        "anisU = vector(0, 0, 1)",
        f"Ku1   = {_number(device.Ku)}",
        f"Dind  = {_number(device.Dind)}",
        *grain_lines,
        "",
        "m = uniform(0, 0, 1)",
    ]
    seed = f"circle({_number(device.skyrmion_diameter)})"
    for x, y in device.skyrmions:
        at = f"Transl({_number(x)}, {_number(y)}, 0)"
        lines.append(f"m.setInShape({seed}.{at}, NeelSkyrmion(1, -1).{at})")
    lines += ["", "relax()"]
    if device.relax_time > 0:
        lines.append(f"run({_number(device.relax_time)})")
    lines.append("")
    if plan.every:
        lines.append(f"autosave(m, {_number(snapshots)})")
    lines += [
        f"tableautosave({_number(spacing)})",
        "TableAdd(ext_topologicalcharge)",
        *(f"TableAdd({_PARAMETER[name]}.Region(100))" for name in drive.inputs),
        "",
        f"alpha = {_number(device.alpha)}",
        f"DefRegion(100, {disk}) // the driven region replaces all others",
        *loop,
    ]
    return "\n".join(lines) + "\n", sequences | maps


def _number(value):
    return f"{value:.12g}"


def _grain_lines(device):
    """Return the lines that make the grains, and the maps that they load by file name."""
    grains = device.grains
    if grains is None:
        return [], {}
    if isinstance(grains, GrainMap) and grains.recipe is None:
        return _map_lines(device, grains)
    grains = getattr(grains, "recipe", grains)
    tilt, spread = _number(grains.tilt), _number(grains.spread)
    ku, dind = _number(device.Ku), _number(device.Dind)
    return [
        "",
        f"ext_makegrains({_number(grains.size)}, {grains.regions}, {grains.seed})",
        f"randSeed({grains.parameter_seed})",
        f"for i := 0; i < {grains.regions}; i++ {{",
        f"    AnisU.SetRegion(i, vector({tilt}*(rand()-0.5), {tilt}*(rand()-0.5), 1))",
        f"    Ku1.SetRegion(i, {ku} + randNorm()*{spread}*{ku})",
        f"    Dind.SetRegion(i, {dind} + randNorm()*{spread}*{dind})",
        "}",
    ], {}


def _map_lines(device, grains):
    lines = ["", 'regions.LoadFile("regions.ovf")']
    for i, (ku, dind, axis) in enumerate(zip(grains.Ku, grains.Dind, grains.axis, strict=True)):
        lines += [
            f"AnisU.SetRegion({i}, vector({', '.join(map(_number, axis))}))",
            f"Ku1.SetRegion({i}, {_number(ku)})",
            f"Dind.SetRegion({i}, {_number(dind)})",
        ]
    return lines, {"regions": regions_of(device, grains)}


def _drive_loop(drive, start, duration):
    """Return the loop over periods, and its sequences."""
    if isinstance(drive, RandomSine):
        period = 1 / drive.frequency
        body = [*_sine_lines(drive, "a", "i", start), f"run({_number(period)})"]
        sequences = {f"sequence_{drive.input}": drive.amplitudes}
    elif isinstance(drive, RandomSinePair):
        fast, slow = sorted((drive.first, drive.second), key=lambda one: -one.frequency)
        ratio = round(fast.frequency / slow.frequency)
        if abs(fast.frequency / slow.frequency - ratio) > 1e-9:
            raise InputError(
                f"mumax3: frequencies of {fast.frequency:g} and {slow.frequency:g} Hz have no "
                "whole ratio, which the script needs; change one, or use the embedded engine."
            )
        period = 1 / fast.frequency
        body = [
            *_sine_lines(fast, "a", "i", start),
            *_sine_lines(slow, "b", f"trunc(i/{ratio})", start),
            f"run({_number(period)})",
        ]
        sequences = {f"sequence_{one.input}": one.amplitudes for one in (fast, slow)}
    elif isinstance(drive, PulseSequence):
        period = drive.hold
        swept, pulsed = _PARAMETER[drive.swept], _PARAMETER[drive.pulsed]
        body = [
            f"level := sequence_{drive.swept}.get(0, i, 0, 0)",
            f"{swept}.SetRegion(100, level)",
            f"{pulsed}.SetRegion(100, {_number(drive.pulse)})",
            f"run({_number(drive.pulse_duration)})",
            f"{pulsed}.SetRegion(100, {_number(drive.rest)})",
            f"run({_number(drive.hold - drive.pulse_duration)})",
        ]
        sequences = {f"sequence_{drive.swept}": np.array(drive.levels)}
    elif isinstance(drive, HeldSequence):
        period = drive.hold
        name = f"sequence_{drive.input}"
        offset, amplitude = _number(drive.offset), _number(drive.amplitude)
        body = [
            f"value := {name}.get(0, i, 0, 0)",
            f"{_PARAMETER[drive.input]}.SetRegion(100, {offset} + {amplitude}*value)",
            f"run({_number(period)})",
        ]
        sequences = {name: np.array(drive.values)}
    else:
        raise InputError(
            f"mumax3: a {type(drive).__name__} cannot be told to MuMax3; use the embedded engine."
        )
    count = int(np.ceil(duration / period - 1e-6))
    loop = [f"for i := 0; i < {count}; i++ {{", *(f"    {line}" for line in body), "}"]
    return loop, sequences


def _sine_lines(drive, variable, index, start):
    phase = f"sin(2*pi*{_number(drive.frequency)}*(t-{_number(start)}))"
    amplitude = f"{_number(drive.amplitude)}*{variable}"
    value = f"{_number(drive.offset)} + {amplitude}*{phase}"
    return [
        f"{variable} := sequence_{drive.input}.get(0, {index}, 0, 0)",
        f"{_PARAMETER[drive.input]}.SetRegion(100, {value})",
    ]


def write(folder: Path, *simulation, **options) -> Path:
    """Write the script and its sequences to ``folder``, each whole; return the script's path.

    Takes what `script` takes.

    Raises
    ------
    InputError
        When the folder cannot be written.
    """
    text, sequences = script(*simulation, **options)
    path = Path(folder) / "run.mx3"
    files = {f"{name}.ovf": _ovf(name, values) for name, values in sequences.items()}
    for name, contents in (files | {path.name: text}).items():
        with replacing(path.with_name(name)) as partial:
            partial.write_text(contents)
    return path


def _ovf(title, values):
    """Return a sequence, one value a cell along x, or a map of y and x as OVF2 text."""
    rows = np.atleast_2d(values)
    header = {
        "Title": title,
        "meshtype": "rectangular",
        "meshunit": "m",
        **{f"{axis}min": 0 for axis in "xyz"},
        "xmax": rows.shape[1],
        "ymax": len(rows),
        "zmax": 1,
        "valuedim": 1,
        "valuelabels": title,
        "valueunits": 1,
        **{f"{axis}base": 0.5 for axis in "xyz"},
        "xnodes": rows.shape[1],
        "ynodes": len(rows),
        "znodes": 1,
        **{f"{axis}stepsize": 1 for axis in "xyz"},
    }
    lines = ["# OOMMF OVF 2.0", "# Segment count: 1", "# Begin: Segment", "# Begin: Header"]
    lines += [f"# {key}: {value}" for key, value in header.items()]
    lines += ["# End: Header", "# Begin: Data Text", *map(repr, rows.ravel().tolist())]
    lines += ["# End: Data Text", "# End: Segment"]
    return "\n".join(lines) + "\n"


# --- the process ----------------------------------------------------------------------------


def executable() -> str:
    """Return the path of mumax3: ``SPINODE_MUMAX3`` if set, else what PATH has.

    Raises
    ------
    InputError
        When there is none.
    """
    named = os.environ.get("SPINODE_MUMAX3")
    found = shutil.which(named or "mumax3")
    if found:
        return found
    if named:
        raise InputError(f"SPINODE_MUMAX3 is {named!r}, which is no executable file; correct it.")
    raise InputError(
        "MuMax3 is not installed here: put mumax3 on PATH, name it in SPINODE_MUMAX3, or use "
        "engine='embedded'."
    )


def check() -> str:
    """Return the path of a MuMax3 that finds its GPU.

    Raises
    ------
    InputError
        When there is none, or it cannot use a GPU.
    """
    command = [executable(), "-test"]
    try:
        tested = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise InputError(f"{command[0]} cannot be run: {error}.") from None
    if tested.returncode:
        raise InputError(str(_explain(tested.returncode, tested.stderr + tested.stdout)))
    return command[0]


def run(
    device: SkyrmionDisk,
    drive: Drive,
    *,
    spacing: float = 2.5e-12,
    duration: float | None = None,
    snapshots: float | None = None,
    progress: bool = True,
    gpu: int = 0,
    timeout: float | None = None,
    folder: Path | None = None,
) -> xr.Dataset | tuple[xr.Dataset, xr.Dataset]:
    """Run a simulation on MuMax3.

    Parameters
    ----------
    device, drive, spacing, duration, snapshots, progress
        As for `spinode.micromagnetics.embedded.run`.
    gpu : int
        Number of the GPU.
    timeout : float, optional
        Longest wall time in s.
    folder : Path, optional
        Where script and output go and stay; by default a temporary folder.

    Returns
    -------
    Dataset or (Dataset, Dataset)
        The trajectory on an even grid, and the snapshots if asked for.

    Raises
    ------
    InputError
        When MuMax3 is not installed or a parameter does not fit.
    SpinodeError
        When it has no GPU, stops with an error, runs out of time or leaves half its output.
    """
    started = clock.monotonic()
    program = executable()
    plan = recording.Plan.of(drive, spacing, duration, snapshots)
    with tempfile.TemporaryDirectory(prefix="spinode-mumax3-") as temporary:
        home = Path(temporary if folder is None else folder)
        path = write(home, device, drive, spacing, plan.duration, snapshots)
        output = home / "run.out"
        shutil.rmtree(output, ignore_errors=True)
        command = [program, "-f", "-gpu", str(gpu), "-http", "", "-o", str(output), str(path)]
        with tqdm(
            total=plan.duration * 1e9,
            desc="MuMax3",
            disable=not progress,
            bar_format=recording.BAR,
        ) as bar:
            log, relaxed = _attend(command, home, output / "table.txt", bar, timeout)
        table = _complete_table(output / "table.txt", plan)
        version = re.search(r"mumax\s*([\d.]+\w*)", log, re.IGNORECASE)
        engine = {"engine": "mumax3", "engine_version": version.group(1) if version else "unknown"}
        columns = {name: table[name].values for name in ("mx", "my", "mz", "topological_charge")}
        trajectory = recording.dataset(
            device,
            drive,
            plan.time,
            # The table has the inputs in single precision, and a step of them smeared.
            columns | drive.sample(plan.time),
            wall_time=clock.monotonic() - started,
            relaxation_wall_time=relaxed,
            **engine,
        )
        if snapshots is None:
            return trajectory
        times = plan.time[plan.picture_rows]
        m = _pictures(output, len(times))
        return trajectory, recording.pictures(device, drive, times, m, **engine)


def _attend(command, folder, table, bar, timeout):
    """Run ``command`` to its end, moving ``bar`` on; return its output and when (s) it drove."""
    started = clock.monotonic()
    relaxed = 0.0
    recent = deque(maxlen=2000)
    try:
        process = subprocess.Popen(
            command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
    except OSError as error:
        raise SpinodeError(f"{command[0]} cannot be run: {error.strerror or error}.") from None
    reader = threading.Thread(target=lambda: recent.extend(process.stdout), daemon=True)
    reader.start()
    try:
        while process.poll() is None:
            clock.sleep(_POLL)
            reached = _reached(table) * 1e9
            if not reached:
                relaxed = clock.monotonic() - started
            bar.update(reached - bar.n)
            if timeout is not None and clock.monotonic() - started > timeout:
                raise SpinodeError(
                    f"MuMax3 was stopped after {timeout:g} s, {reached:.2f} of {bar.total:.2f} ns "
                    "into the drive; raise the timeout or shorten the run."
                )
    finally:
        # Whatever ended the wait, an interrupt from the keyboard included, leave nothing running.
        if process.poll() is None:
            process.terminate()
            try:
                process.wait(_PATIENCE)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        reader.join()
        process.stdout.close()
    log = "".join(recent)
    if process.returncode:
        raise _explain(process.returncode, log)
    bar.update(_reached(table) * 1e9 - bar.n)
    return log, relaxed


def _reached(table):
    """Return how far into the drive (s) the table has come."""
    try:
        with table.open("rb") as file:
            file.readline()
            first = file.readline().split(b"\t")
            file.seek(max(file.tell(), table.stat().st_size - 4096))
            last = file.read().split(b"\n")[-2].split(b"\t")
        return float(last[0]) - float(first[0])
    except (OSError, ValueError, IndexError):
        return 0.0  # not there yet, or not a whole line


def _explain(code, log):
    """Return the error that MuMax3's output tells of."""
    lines = [line.strip(" /\t\r") for line in log.splitlines() if line.strip(" /\t\r")]
    last = lines[-1] if lines else "it printed nothing"
    for line in lines:
        if re.search(r"no space left|disk quota", line, re.IGNORECASE):
            return SpinodeError(f"The disk is full, says MuMax3 ({line}); make room and run again.")
    for line in lines:
        if re.search(r"libcuda|libcurand|libcufft|CUDA_ERROR|no cuda|nvidia", line, re.IGNORECASE):
            return SpinodeError(
                f"MuMax3 finds no NVIDIA GPU or driver ({line}); use engine='embedded' here."
            )
    for line in lines:
        if re.search(r"\bline \d+", line):
            return SpinodeError(f"MuMax3 refuses the script: {line}.")
    return SpinodeError(f"MuMax3 stopped with code {code}; its last words: {last}.")


def _complete_table(path, plan):
    """Return the table on the plan's grid, or say that it is not whole."""
    if not path.exists():
        raise SpinodeError("MuMax3 ended without writing a table; is the disk full?")
    table = read_table(path)
    end = float(table.time[-1])
    if end < plan.duration - 0.5 * plan.spacing:
        raise SpinodeError(
            f"MuMax3's table ends {end:g} s into a drive of {plan.duration:g} s; is the disk full?"
        )
    return resample(table, plan.spacing, plan.duration)


def _pictures(output, count):
    """Return the first ``count`` saved m, shape (count, 3, ny, nx)."""
    files = sorted(output.glob("m[0-9]*.ovf"))
    if len(files) < count:
        raise SpinodeError(f"MuMax3 saved {len(files)} of {count} pictures; is the disk full?")
    return np.stack([np.moveaxis(read_ovf(file).values[0], -1, 0) for file in files[:count]])


def load(folder: Path) -> tuple[xr.Dataset, xr.DataArray | None]:
    """Read the output folder of a MuMax3 run made elsewhere.

    Parameters
    ----------
    folder : Path
        Holds ``table.txt``, or a single ``*.out`` folder that does.

    Returns
    -------
    Dataset
        The table, at MuMax3's own times.
    DataArray or None
        The saved m over ``picture``, ``y``, ``x``, ``component``.

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
    files = sorted(tables[0].parent.glob("m[0-9]*.ovf"))
    pictures = [read_ovf(file).isel(z=0) for file in files]
    return read_table(tables[0]), xr.concat(pictures, "picture") if pictures else None
