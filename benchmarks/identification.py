"""Three devices that others measured: free simulation of their official tests.

The protocol, written down before the last run: `identify` with its defaults is given the official
training samples alone and chooses everything on pieces of them; the model then simulates each
official test from its input and the first 50 samples of its output, and the root mean square error
behind those 50 samples is reported. No test sample enters the training or the choice of anything.

``--data DIR`` is a folder with ``silverbox``, ``cascaded-tanks`` and ``wiener-hammerstein`` (the
files of nonlinearbenchmark.org). Prints one JSON object on its last line:

silverbox_mv           [multisine, arrow, arrow without extrapolation], mV
wiener_hammerstein_mv  mV
tanks_v                V
minutes                of each, from the file to the errors, on all cores
cpu_minutes            of each, all threads together
weights                number of weights of each
chosen                 states, width, ridge and interpolation of each
held_out_rms           of the pieces of the training that chose, in V
coverage               part of the test samples inside of the 90 % band, for each test
"""

import argparse
import json
import time
import warnings
from pathlib import Path

import h5py
import numpy as np
import xarray as xr

from spinode.neural_ode.forecast import ForecastWarning
from spinode.neural_ode.identification import identify

ROOT = Path(__file__).resolve().parent.parent
START = 50


def record(drive, output, spacing):
    """Return a record of a device."""
    time = spacing * np.arange(len(drive))
    return xr.Dataset({"u": ("time", drive), "y": ("time", output)}, {"time": time})


def silverbox(folder):
    """Return the training record and the three tests, by the official split."""
    table = np.genfromtxt(folder / "silverbox/SNLS80mV.csv", delimiter=",", skip_header=1)
    u, y = table[:, 0], table[:, 1]
    stretches = [(40650, 105712), (105712, 127400), (100, 40575), (100, 32100)]
    train, *tests = [record(u[a:b], y[a:b], 1 / 610.35) for a, b in stretches]
    return train, tests


def tanks(folder):
    """Return the training record and the test, by the official columns."""
    path = folder / "cascaded-tanks/dataBenchmark.csv"
    columns = np.genfromtxt(path, delimiter=",", skip_header=1).T
    return record(columns[0], columns[2], 4.0), [record(columns[1], columns[3], 4.0)]


def wiener_hammerstein(folder):
    """Return the training record and the test, by the official split of the joined files."""
    columns = {"u": [], "y": []}
    for part in ("train", "valid", "test"):
        path = folder / f"wiener-hammerstein/WienerHammerstein_{part}.hdf5"
        with h5py.File(path) as file:
            for name, parts in columns.items():
                parts.append(np.ravel(file[name]))
    u, y = (np.concatenate(columns[name]) for name in ("u", "y"))
    stretches = [(5200, 105200), (105200, 184000)]
    train, *tests = [record(u[a:b], y[a:b], 1 / 51200) for a, b in stretches]
    return train, tests


BENCHMARKS = {
    "silverbox": silverbox,
    "wiener_hammerstein": wiener_hammerstein,
    "tanks": tanks,
}


def simulate(model, test):
    """Return the error behind the first samples, and the part of samples inside of the band."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ForecastWarning)
        run = model.forecast(test[["u"]], test.isel(time=slice(0, START)), band=0.9)
    error = float(np.sqrt(((run.y - test.y)[START:] ** 2).mean()))
    inside = ((test.y >= run.y_low) & (test.y <= run.y_high))[START:]
    return error, float(inside.mean())


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    beside = ROOT.parent / "shared" / "system-identification"
    parser.add_argument("--data", type=Path, default=beside)
    parser.add_argument("--only", choices=BENCHMARKS, action="append")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    result = {
        name: {}
        for name in ("minutes", "cpu_minutes", "weights", "chosen", "held_out_rms", "coverage")
    }
    for name in arguments.only or BENCHMARKS:
        begin, cpu = time.perf_counter(), time.process_time()
        train, tests = BENCHMARKS[name](arguments.data)
        model = identify(train, output="y", inputs="u", seed=arguments.seed)
        errors, inside = zip(*[simulate(model, test) for test in tests], strict=True)
        result["minutes"][name] = round((time.perf_counter() - begin) / 60, 2)
        result["cpu_minutes"][name] = round((time.process_time() - cpu) / 60, 2)
        result["weights"][name] = model.shape.weights
        result["chosen"][name] = next(row for row in model.choices if row["chosen"])
        result["coverage"][name] = [round(one, 3) for one in inside]
        result["held_out_rms"][name] = model.noise * model.output.scale
        if name == "silverbox":
            result["silverbox_mv"] = [round(1e3 * error, 4) for error in errors]
        elif name == "tanks":
            result["tanks_v"] = round(errors[0], 4)
        else:
            result["wiener_hammerstein_mv"] = round(1e3 * errors[0], 4)
        print(name, errors, result["minutes"][name], "minutes")
    print(json.dumps(result))


if __name__ == "__main__":
    main()
