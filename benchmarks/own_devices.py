"""Fifteen devices of our own making, as a user's files: `spinode learn` on each, as it stands.

Each is physics integrated at a fine step, with noise on what is measured, in a file such as an
instrument or a spreadsheet writes it. The command is told the columns' names and nothing else.
The held-out 30 % is scored against the measured, noisy output, so
that no model can be better than ``noise``. Prints one JSON object on its last line, by device:

network, linear  NRMSE of free simulation of the held-out part
noise            what a perfect model would have
minutes          of the command, from the file to the report, on all cores
chosen           states, width, interpolation
"""

import argparse
import json
import tempfile
import time
from pathlib import Path

import numba
import numpy as np
import pandas as pd
from click.testing import CliRunner

from spinode.workflow.cli import app

FINE = 20


# --- drives -----------------------------------------------------------------------------------


def multisine(generator, samples, cycles):
    """Return a sum of sines below ``cycles`` periods a sample, of unit standard deviation."""
    size = 2 * samples
    spectrum = np.zeros(size // 2 + 1, complex)
    last = int(cycles * size)
    spectrum[1:last] = np.exp(2j * np.pi * generator.uniform(size=last - 1))
    wave = np.fft.irfft(spectrum, size)[:samples]
    return wave / wave.std()


def steps(generator, samples, hold):
    """Return random levels from -1 to 1, each held."""
    levels = generator.uniform(-1, 1, size=samples // hold + 1)
    return np.repeat(levels, hold)[:samples]


@numba.njit(cache=True)
def integrate(slope, first, drive, held, spacing, fine):
    """Integrate x' = slope(x, e) by Heun's rule; the drive is held or a line between samples."""
    states = np.empty((len(drive), len(first)))
    x = first.copy()
    h = spacing / fine
    for n in range(len(drive)):
        states[n] = x
        if n + 1 == len(drive):
            break
        for i in range(fine):
            a = drive[n] if held else drive[n] + (drive[n + 1] - drive[n]) * i / fine
            b = drive[n] if held else drive[n] + (drive[n + 1] - drive[n]) * (i + 1) / fine
            k1 = slope(x, a)
            k2 = slope(x + h * k1, b)
            x = x + 0.5 * h * (k1 + k2)
    return states


# --- devices ----------------------------------------------------------------------------------


@numba.njit
def _amplifier(x, e):
    # A saturating stage, whose gain sags as its supply is loaded.
    y = np.empty(3)
    y[0] = (np.tanh(2 * e[0] * (1 - 0.4 * x[2])) - x[0]) / 3
    y[1] = (x[0] - x[1]) / 1.5
    y[2] = (abs(x[0]) - x[2]) / 60
    return y


@numba.njit
def _motor(x, e):
    # Armature current and speed; the field, and so the torque, is driven too. Friction.
    y = np.empty(2)
    field = 1 + 0.5 * e[1]
    y[0] = (e[0] - x[0] - 0.8 * field * x[1]) / 2
    y[1] = (field * x[0] - 0.1 * x[1] - 0.15 * np.tanh(x[1] / 0.03)) / 15
    return y


@numba.njit
def _exchanger(x, e):
    # Two cells of coolant whose flow is the drive: bilinear.
    y = np.empty(2)
    y[0] = e[0] * (0.0 - x[0]) / 20 + (1 - x[0]) / 25
    y[1] = e[0] * (x[0] - x[1]) / 20 + (1 - x[1]) / 40
    return y


@numba.njit
def _duffing(x, e):
    y = np.empty(2)
    y[0] = x[1]
    y[1] = -0.08 * x[1] - 0.15 * x[0] - 0.05 * x[0] ** 3 + 0.06 * e[0]
    return y


@numba.njit
def _tanks(x, e):
    # The upper tank runs over at 10, partly into the lower one.
    y = np.empty(2)
    out = 0.12 * np.sqrt(max(x[0], 0.0))
    over = max(x[0] - 10, 0.0)
    y[0] = -out + 0.1 * e[0] - over
    y[1] = out + 0.4 * over - 0.14 * np.sqrt(max(x[1], 0.0)) - max(x[1] - 10, 0.0)
    return y


@numba.njit
def _hysteresis(x, e):
    # Bouc and Wen: a mass on a spring with hysteresis.
    y = np.empty(3)
    y[0] = x[1]
    y[1] = -0.1 * x[1] - 0.25 * x[0] - 0.4 * x[2] + e[0]
    y[2] = x[1] - 0.8 * abs(x[1]) * x[2] + 0.9 * x[1] * abs(x[2])
    return y


@numba.njit
def _drives(x, e):
    # Two motors on a belt: a pulley on a spring, of which a tachometer shows the speed's size.
    y = np.empty(3)
    y[0] = (1.5 * e[0] - x[0]) / 12
    y[1] = x[2]
    y[2] = 0.12 * (x[0] - x[1]) - 0.15 * x[2]
    return y


@numba.njit
def _slide(x, e):
    # A carriage with friction, held by its drive's own feedback on the position.
    y = np.empty(2)
    y[0] = x[1]
    y[1] = (e[0] - 1.2 * x[1] - 0.4 * np.tanh(x[1] / 0.02)) / 8
    return y


@numba.njit
def _axis(x, e):
    y = np.empty(2)
    y[0] = x[1] / 30
    y[1] = (e[0] - 1.2 * x[1] - 0.3 * np.tanh(x[1] / 0.01) - 0.1) / 60
    return y


@numba.njit
def _diode(x, e):
    # A rectifier with a smoothing capacitor: current flows one way.
    y = np.empty(1)
    y[0] = 0.3 * np.log1p(np.exp((e[0] - x[0]) / 0.1)) * 0.1 - x[0] / 40
    return y


@numba.njit
def _junction(x, e):
    # The free layer of a tunnel junction: a macrospin whose anisotropy a voltage changes, under a
    # field along x and z. Landau-Lifshitz-Gilbert, time in units of 1 / (gamma H).
    h_x, h_z, damping = 0.35, (0.4 * e[0] - 0.5) * x[2] + 0.5, 0.06
    c_x, c_y, c_z = x[1] * h_z, x[2] * h_x - x[0] * h_z, -x[1] * h_x
    rate = -0.35 / (1 + damping**2)
    y = np.empty(3)
    y[0] = rate * (c_x + damping * (x[1] * c_z - x[2] * c_y))
    y[1] = rate * (c_y + damping * (x[2] * c_x - x[0] * c_z))
    y[2] = rate * (c_z + damping * (x[0] * c_y - x[1] * c_x))
    return y


@numba.njit
def _cell(x, e):
    # A battery: its charge, and two overvoltages.
    y = np.empty(3)
    y[0] = -e[0] / 4000
    y[1] = (e[0] * (1 + 0.5 * abs(x[1])) - x[1]) / 30
    y[2] = (e[0] - x[2]) / 300
    return y


def device(name):
    """Return records (drives, clean output), spacing (s), and the noise's part, of a device."""
    rng = np.random.default_rng(sum(map(ord, name)))
    if name == "amplifier":
        drive = 0.8 * multisine(rng, 20_000, 0.1)[:, None]
        x = integrate(_amplifier, np.zeros(3), drive, False, 1.0, FINE)
        return [(drive, x[:, 1])], 1e-6, 0.05
    if name == "motor":
        drive = np.stack([steps(rng, 6000, 40), steps(rng, 6000, 150)], axis=1)
        x = integrate(_motor, np.zeros(2), drive, True, 1.0, FINE)
        return [(drive, x[:, 1])], 2e-3, 0.03
    if name == "exchanger":
        flow = 1 + 0.8 * steps(rng, 4000, 25)[:, None]
        late = np.concatenate([np.full((12, 1), flow[0, 0]), flow[:-12]])
        x = integrate(_exchanger, np.full(2, 0.5), late, True, 1.0, FINE)
        return [(flow, x[:, 1])], 60.0, 0.03
    if name == "duffing":
        drive = 2.5 * multisine(rng, 20_000, 0.12)[:, None]
        x = integrate(_duffing, np.zeros(2), drive, False, 1.0, FINE)
        return [(drive, x[:, 0])], 1e-9, 0.1
    if name == "tanks":
        records = []
        for samples in (900, 500, 700):
            drive = 4.2 + 1.6 * multisine(rng, samples, 0.02)[:, None]
            drive = np.maximum(drive, 0)
            x = integrate(_tanks, np.array([5.0, 5.0]), drive, True, 1.0, FINE)
            records.append((drive, x[:, 1]))
        return records, 4.0, 0.01
    if name == "hysteresis":
        drive = 0.35 * multisine(rng, 8192, 0.15)[:, None]
        x = integrate(_hysteresis, np.zeros(3), drive, False, 1.0, FINE)
        return [(drive, x[:, 0])], 1 / 750, 0.01
    if name == "drives":
        drive = np.where(steps(rng, 600, 6) > 0, 1.0, -1.0)[:, None] * (0.5 + rng.uniform())
        drive = drive * np.repeat(rng.choice([0.4, 1.0], size=12), 50)[:, None]
        x = integrate(_drives, np.zeros(3), drive, True, 1.0, FINE)
        return [(drive, np.abs(x[:, 1]))], 0.02, 0.02
    if name == "slide":
        # The loop is closed while it is recorded: the force depends on the position.
        samples, x, goal = 20_000, np.zeros(2), 3 * multisine(rng, 20_000, 0.003)
        drive, path = np.empty((samples, 1)), np.empty(samples)
        for n in range(samples):
            path[n] = x[0]
            drive[n] = np.clip(0.5 * (goal[n] - x[0]) - 1.0 * x[1] + 0.1 * rng.normal(), -3, 3)
            x = integrate(_slide, x, np.stack([drive[n], drive[n]]), True, 1.0, FINE)[1]
        return [(drive, path)], 1e-3, 0.003
    if name == "diode":
        drive = 1.2 * multisine(rng, 10_000, 0.03)[:, None]
        x = integrate(_diode, np.zeros(1), drive, False, 1.0, FINE)
        return [(drive, x[:, 0])], 1e-4, 0.02
    if name == "late":
        # A linear lag behind a pipe of 40 samples, and a valve that sticks at its ends.
        drive = 1.5 * multisine(rng, 5000, 0.04)[:, None]
        late = np.concatenate([np.zeros((40, 1)), drive[:-40]])
        x = integrate(_amplifier, np.zeros(3), np.tanh(late), False, 1.0, FINE)
        return [(drive, x[:, 1])], 0.5, 0.03
    if name == "resonator":
        drive = steps(rng, 3000, 5)[:, None]
        x = integrate(_duffing, np.zeros(2), 4 * drive, True, 1.0, FINE)
        return [(drive, x[:, 0])], 2e-7, 0.03
    if name == "few":
        drive = steps(rng, 260, 4)[:, None]
        x = integrate(_motor, np.zeros(2), np.hstack([drive, 0 * drive]), True, 1.0, FINE)
        return [(drive, x[:, 1])], 0.1, 0.02
    if name == "axis":
        # A linear axis that a controller moves from place to place, with dry friction and a slope.
        samples, x, goal = 20_000, np.zeros(2), 0.0
        goals = steps(rng, samples, 1000)
        drive, path = np.empty((samples, 1)), np.empty(samples)
        for n in range(samples):
            goal += (goals[n] - goal) / 150
            path[n] = x[0]
            drive[n] = np.clip(4 * (goal - x[0]) - 6 * x[1], -3, 3)
            x = integrate(_axis, x, np.stack([drive[n], drive[n]]), True, 1.0, FINE)[1]
        return [(drive, path)], 1e-3, 0.0003
    if name == "junction":
        drive = 0.6 * multisine(rng, 12_000, 0.08)[:, None]
        x = integrate(_junction, np.array([0.6, 0.0, 0.8]), drive, False, 1.0, FINE)
        return [(drive, x[:, 2])], 2e-11, 0.05
    if name == "cell":
        current = np.where(steps(rng, 10_000, 60) > 0.2, 1.0, -0.55)
        drive = current * np.repeat(rng.choice([0.3, 1.0, 1.6], size=167), 60)[:10_000]
        x = integrate(_cell, np.array([0.6, 0.0, 0.0]), drive[:, None], True, 1.0, FINE)
        full = x[:, 0]
        open_circuit = 3.2 + 0.8 * full + 0.15 * np.tanh(8 * (full - 0.3))
        voltage = open_circuit + 0.2 * np.exp(-20 * full) - 0.05 * drive
        return [(drive[:, None], voltage - 0.04 * x[:, 1] - 0.06 * x[:, 2])], 1.0, 0.01
    raise KeyError(name)


# --- files ------------------------------------------------------------------------------------


def write(name, folder):
    """Write a device's recordings as a user would have them; return the command's arguments."""
    records, spacing, part = device(name)
    rng = np.random.default_rng(1)
    clean = np.concatenate([one for _, one in records])
    noise = part * clean.std()
    paths, arguments = [], None
    for number, (drive, output) in enumerate(records):
        noisy = output + noise * rng.normal(size=len(output))
        time_s = spacing * np.arange(len(noisy))
        path = folder / f"{name}{number if len(records) > 1 else ''}.csv"
        arguments = WRITERS[name](path, time_s, drive, noisy, rng)
        paths.append(str(path))
    return paths + arguments, records, noise


def _table(path, columns, **options):
    options = {"index": False, **options}
    pd.DataFrame(columns).to_csv(path, **options)


def _excel(path, time, drive, out, rng):
    columns = {"Zeit [µs]": 1e6 * time + 17, "Eingang [mV]": 1e3 * drive[:, 0], "Ausgang [V]": out}
    _table(path, columns, sep=";", decimal=",", encoding="utf-8-sig", float_format="%.6g")
    return ["--time", "Zeit [µs]", "--input", "Eingang [mV]", "--output", "Ausgang [V]"]


def _motor_file(path, time, drive, out, rng):
    columns = {"t": time, "U armature (V)": 24 * drive[:, 0], "I_field_mA": 300 * drive[:, 1],
               "Speed (rpm)": 1500 * out}  # fmt: skip
    _table(path, columns, sep="\t", float_format="%.5g")
    return ["--time", "t", "--input", "U armature (V)", "--input", "I_field_mA",
            "--output", "Speed (rpm)"]  # fmt: skip


def _exchanger_file(path, time, drive, out, rng):
    when = pd.Timestamp("2024-03-01 08:00:00") + pd.to_timedelta(time, unit="s")
    columns = {"timestamp": when.strftime("%Y-%m-%d %H:%M:%S"), "flow [l/min]": 12 * drive[:, 0],
               "T_out [°C]": 20 + 60 * out}  # fmt: skip
    _table(path, columns, encoding="cp1252", float_format="%.2f")
    return ["--time", "timestamp", "--input", "flow [l/min]", "--output", "T_out [°C]"]


def _duffing_file(path, time, drive, out, rng):
    # Times in nanoseconds, rounded to a tenth, that start late.
    columns = {"time_ns": np.round(1e9 * time + 1e6, 1), "i_in_nA": 3.0 * drive[:, 0],
               "V_out_fV": out}  # fmt: skip
    _table(path, columns, float_format="%.7g")
    return ["--time", "time_ns", "--input", "i_in_nA", "--output", "V_out_fV"]


def _tanks_file(path, time, drive, out, rng):
    columns = {"uEst": drive[:, 0], "yEst": out, "comment": ["ok"] * len(out)}
    _table(path, columns)
    return ["--sample-time", "4", "--input", "uEst", "--output", "yEst"]


def _scope_file(path, time, drive, out, rng):
    # An oscilloscope's: lines about itself, names, a line of units.
    rows = "".join(
        f"{t:.9f},{u:.5f},{y:.6e}\n" for t, u, y in zip(time, drive[:, 0], out, strict=True)
    )
    path.write_text(
        "Model,MSO-X 2024\nSerial Number,12345\nRecord Length,8192\n\nTime,Force,Position\ns,N,mm\n"
        + rows
    )
    return ["--time", "Time", "--input", "Force", "--output", "Position"]


def _plain_file(path, time, drive, out, rng):
    _table(path, {" u ": drive[:, 0], " z ": out})
    return ["--sample-time", "0.02", "--input", "u", "--output", "z"]


def _slide_file(path, time, drive, out, rng):
    # Jitter of the clock, and a few lost outputs.
    out = np.where(rng.uniform(size=len(out)) < 0.01, np.nan, out)
    jitter = 0.1 * (time[1] - time[0]) * rng.uniform(-1, 1, size=len(time))
    _table(path, {"Time (ms)": 1e3 * (time + jitter), "force/N": drive[:, 0], "x (mm)": out})
    return ["--time", "Time (ms)", "--input", "force/N", "--output", "x (mm)"]


def _blank_file(path, time, drive, out, rng):
    _table(path, {"t_s": time, "vin": 1e9 * drive[:, 0] + 5e9, "vout": 1e-12 * out}, sep=" ")
    return ["--time", "t_s", "--input", "vin", "--output", "vout"]


def _late_file(path, time, drive, out, rng):
    # Minutes and seconds, and a sample left out here and there: the clock goes on.
    _table(path, {"t [min]": time / 60, "valve [%]": 50 + 25 * drive[:, 0], "level": out})
    return ["--time", "t [min]", "--input", "valve [%]", "--output", "level"]


def _resonator_file(path, time, drive, out, rng):
    _table(path, {"time_us": 1e6 * time, "drive_mV": 100 * drive[:, 0], "v_mV": 3.3 + 5 * out})
    return ["--time", "time_us", "--input", "drive_mV", "--output", "v_mV"]


def _few_file(path, time, drive, out, rng):
    _table(path, {"t": time, "u": drive[:, 0], "y": out})
    return ["--time", "t", "--input", "u", "--output", "y"]


def _axis_file(path, time, drive, out, rng):
    columns = {"t (ms)": 1e3 * time, "U (V)": 3 * drive[:, 0], "q (m)": 0.1 * out}
    _table(path, columns, float_format="%.8g")
    return ["--time", "t (ms)", "--input", "U (V)", "--output", "q (m)"]


def _junction_file(path, time, drive, out, rng):
    _table(path, {"t_ns": 1e9 * time, "bias_mV": 500 * drive[:, 0], "R_ohm": 1200 - 300 * out})
    return ["--time", "t_ns", "--input", "bias_mV", "--output", "R_ohm"]


def _cell_file(path, time, drive, out, rng):
    _table(path, {"Time [s]": time, "I [A]": drive[:, 0], "U [V]": out}, float_format="%.5f")
    return ["--time", "Time [s]", "--input", "I [A]", "--output", "U [V]"]


WRITERS = {
    "amplifier": _excel,
    "motor": _motor_file,
    "exchanger": _exchanger_file,
    "duffing": _duffing_file,
    "tanks": _tanks_file,
    "hysteresis": _scope_file,
    "drives": _plain_file,
    "slide": _slide_file,
    "diode": _blank_file,
    "late": _late_file,
    "resonator": _resonator_file,
    "few": _few_file,
    "axis": _axis_file,
    "junction": _junction_file,
    "cell": _cell_file,
}


# --- measuring --------------------------------------------------------------------------------


def measure(name, folder):
    arguments, records, noise = write(name, folder)
    begin = time.perf_counter()
    out = folder / f"{name}_learned"
    done = CliRunner().invoke(app, ["learn", *arguments, "--out", str(out)])
    minutes = (time.perf_counter() - begin) / 60
    if done.exit_code:
        return {"failed": str(done.exception)}
    report = json.loads((out / "report.json").read_text())
    held = np.concatenate([y[round(0.7 * len(y)) :] for _, y in records])
    return {
        "network": round(report["models"]["network"]["nrmse"], 4),
        "linear": round(report["models"]["linear"]["nrmse"], 4),
        "noise": round(float(noise / np.hypot(held.std(), noise)), 4),
        "minutes": round(minutes, 2),
        "chosen": [report[one] for one in ("states", "width", "interpolation")],
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", choices=WRITERS, action="append")
    parser.add_argument("--folder", type=Path)
    arguments = parser.parse_args()
    result = {}
    with tempfile.TemporaryDirectory() as scratch:
        for name in arguments.only or WRITERS:
            folder = arguments.folder or Path(scratch)
            folder.mkdir(parents=True, exist_ok=True)
            result[name] = measure(name, folder)
            print(name, result[name], flush=True)
    print(json.dumps(result))


if __name__ == "__main__":
    main()
