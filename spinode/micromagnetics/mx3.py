"""MuMax3's scripts: what `mumax3` runs here, and ``spinode mx3`` writes for elsewhere.

The script says the same as those published with the paper, step by step; its sequence of amplitudes
comes from an OVF2 file beside it.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from spinode.devices.disks import SkyrmionDisk
from spinode.devices.drives import Drive, HeldSequence, PulseSequence, RandomSine, RandomSinePair
from spinode.devices.grains import GrainMap
from spinode.errors import InputError
from spinode.files import replacing
from spinode.micromagnetics import recording
from spinode.micromagnetics.grains import regions_of

#: What a script prints when the drive begins: its table is flushed every 5 s only.
DRIVEN = "spinode: the drive begins"

_PARAMETER = {"Ku": "Ku1", "Dind": "Dind"}
# Autosave fires when a multiple of its period is passed, and the rounding of many added periods
# stops short of the last one: a little more makes it pass.
_LITTLE_MORE = 1e-15


@dataclass(frozen=True)
class Saved:
    """A saved state to go on from: its file beside the script, and its time in s from the start."""

    file: str
    time: float


def script(
    device: SkyrmionDisk,
    drive: Drive,
    spacing: float = 2.5e-12,
    duration: float | None = None,
    snapshots: float | None = None,
    saved: Saved | None = None,
) -> tuple[str, dict[str, np.ndarray]]:
    """Return the .mx3 script of a simulation, and the arrays that it loads by file name.

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
    saved : Saved, optional
        State to go on from instead of relaxing.

    Raises
    ------
    InputError
        When a time does not fit, or no script of MuMax3 can drive it so.
    """
    plan = recording.Plan.of(drive, spacing, duration, snapshots)
    parts, sequences = _period(drive, device.relax_time)
    grain_lines, maps = _grain_lines(device) if saved is None else ([], {})
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
    ]
    if saved is None:
        lines += _start_lines(device)
        now = device.relax_time
    else:
        now = saved.time
        lines += [f'm.loadfile("{saved.file}")', f"t = {now!r}"]
    lines.append("")
    if plan.every:
        lines.append(f"autosave(m, {_number(snapshots)})")
    lines += [
        f"tableautosave({_number(spacing)})",
        "TableAdd(ext_topologicalchargelattice)",
        *(f"TableAdd({_PARAMETER[name]}.Region(100))" for name in drive.inputs),
        "",
        f"alpha = {_number(device.alpha)}",
        f"DefRegion(100, {disk}) // the driven region replaces all others",
        f'print("{DRIVEN}")',
        *_loop(parts, now - device.relax_time, plan.duration),
        f"run({_number(_LITTLE_MORE)})",
    ]
    return "\n".join(lines) + "\n", sequences | maps


def _number(value):
    return f"{value:.12g}"


def _start_lines(device):
    """Return the lines that seed skyrmions, relax, and settle at higher damping."""
    lines = ["m = uniform(0, 0, 1)"]
    seed = f"circle({_number(device.skyrmion_diameter)})"
    for x, y in device.skyrmions:
        at = f"Transl({_number(x)}, {_number(y)}, 0)"
        lines.append(f"m.setInShape({seed}.{at}, NeelSkyrmion(1, -1).{at})")
    lines += ["", "relax()"]
    if device.relax_time > 0:
        lines.append(f"run({_number(device.relax_time)})")
    return lines


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


# A period is a list of parts: lines that set the drive, of period i, and how long (s) to run then.


def _period(drive, start):
    """Return the parts of a period, and the sequences that they read."""
    if isinstance(drive, RandomSine):
        sequences = {f"sequence_{drive.input}": drive.amplitudes}
        parts = [(_sine_lines(drive, "a", "i", start), 1 / drive.frequency)]
    elif isinstance(drive, RandomSinePair):
        fast, slow = sorted((drive.first, drive.second), key=lambda one: -one.frequency)
        ratio = round(fast.frequency / slow.frequency)
        if abs(fast.frequency / slow.frequency - ratio) > 1e-9:
            raise InputError(
                f"mumax3: frequencies of {fast.frequency:g} and {slow.frequency:g} Hz have no "
                "whole ratio, which the script needs; change one, or use the embedded engine."
            )
        sequences = {f"sequence_{one.input}": one.amplitudes for one in (fast, slow)}
        lines = [
            *_sine_lines(fast, "a", "i", start),
            *_sine_lines(slow, "b", f"trunc(i/{ratio})", start),
        ]
        parts = [(lines, 1 / fast.frequency)]
    elif isinstance(drive, PulseSequence):
        sequences = {f"sequence_{drive.swept}": np.array(drive.levels)}
        swept, pulsed = _PARAMETER[drive.swept], _PARAMETER[drive.pulsed]
        level = [
            f"level := sequence_{drive.swept}.get(0, i, 0, 0)",
            f"{swept}.SetRegion(100, level)",
        ]
        pulse, rest = (
            f"{pulsed}.SetRegion(100, {_number(value)})" for value in (drive.pulse, drive.rest)
        )
        parts = [
            ([*level, pulse], drive.pulse_duration),
            ([rest], drive.hold - drive.pulse_duration),
        ]
    elif isinstance(drive, HeldSequence):
        sequences = {f"sequence_{drive.input}": np.array(drive.values)}
        offset, amplitude = _number(drive.offset), _number(drive.amplitude)
        lines = [
            f"value := sequence_{drive.input}.get(0, i, 0, 0)",
            f"{_PARAMETER[drive.input]}.SetRegion(100, {offset} + {amplitude}*value)",
        ]
        parts = [(lines, drive.hold)]
    else:
        raise InputError(
            f"mumax3: a {type(drive).__name__} cannot drive MuMax3; use the embedded engine."
        )
    return parts, sequences


def _sine_lines(drive, variable, index, start):
    phase = f"sin(2*pi*{_number(drive.frequency)}*(t-{_number(start)}))"
    amplitude = f"{_number(drive.amplitude)}*{variable}"
    value = f"{_number(drive.offset)} + {amplitude}*{phase}"
    return [
        f"{variable} := sequence_{drive.input}.get(0, {index}, 0, 0)",
        f"{_PARAMETER[drive.input]}.SetRegion(100, {value})",
    ]


def _loop(parts, done, duration):
    """Return the loop over the periods from ``done`` (s into the drive) to ``duration``."""
    period = sum(length for _, length in parts)
    count = int(np.ceil(duration / period - 1e-6))
    first, lines = 0, []
    if done > 0:
        # What is left of the period in which the state was saved, as a loop of one turn.
        first = int(done / period + 1e-9)
        passed, end = done - first * period, 0.0
        lines.append(f"for i := {first}; i < {first + 1}; i++ {{")
        for part, length in parts:
            end += length
            lines += [f"    {line}" for line in part]
            if passed < end:
                lines.append(f"    run({_number(end - max(passed, end - length))})")
        lines.append("}")
        first += 1
    body = []
    for part, length in parts:
        body += [*part, f"run({_number(length)})"]
    return [
        *lines,
        f"for i := {first}; i < {count}; i++ {{",
        *(f"    {line}" for line in body),
        "}",
    ]


def write(folder: Path, *simulation, name: str = "run", **options) -> Path:
    """Write the script and what it loads to ``folder``, each whole; return the script's path.

    Takes what `script` takes, and the script's ``name``.

    Raises
    ------
    InputError
        When the folder cannot be written.
    """
    text, arrays = script(*simulation, **options)
    path = Path(folder) / f"{name}.mx3"
    files = {f"{array}.ovf": _ovf(array, values) for array, values in arrays.items()}
    for file, contents in (files | {path.name: text}).items():
        with replacing(path.with_name(file)) as partial:
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
