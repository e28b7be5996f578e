"""Three devices that others measured: free simulation of their official tests.

The protocol, written down before the last run (docs/identification.md): `identify` with its
defaults is given the official training samples alone and chooses everything on pieces of them; the
model then simulates each official test from its input and the first 50 samples of its output, and
the root mean square error behind those 50 samples is reported. No test sample enters the training
or the choice of anything.

``--from DIR`` is a folder of local copies (`spinode.recordings.published.load`); without one, the
package ``nonlinear-benchmarks`` downloads. Prints one JSON object on its last line; errors are
medians over the seeds.

silverbox_mv           [multisine, arrow, arrow without extrapolation], mV
wiener_hammerstein_mv  mV
tanks_v                V
seeds                  errors of each seed (V), by device and test
minutes                of each, from the file to the errors, on all cores, median
cpu_minutes            of each, all threads together, median
weights                number of weights of each, by seed
chosen                 states, width, ridge and interpolation of each, first seed
held_out_rms           of the pieces of the training that chose, in V, first seed
coverage               part of the test samples inside of the 90 % band, first seed
"""

import argparse
import json
import time
import warnings
from pathlib import Path

import numpy as np

from spinode.neural_ode.forecast import ForecastWarning
from spinode.neural_ode.identification import identify
from spinode.recordings import published

ROOT = Path(__file__).resolve().parent.parent


def measure(name, folder, seed):
    """Return the model of a device, its errors, its bands' coverage and its minutes."""
    begin, cpu = time.perf_counter(), time.process_time()
    device = published.load(name, folder)
    model = identify(device.train, output="y", inputs="u", seed=seed)
    errors, inside = {}, {}
    for which, test in device.tests.items():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ForecastWarning)
            run = published.simulate(model, test)
        errors[which] = published.error(run, test)
        held = ((test.y >= run.y_low) & (test.y <= run.y_high))[published.START :]
        inside[which] = round(float(held.mean()), 3)
    minutes = (time.perf_counter() - begin) / 60, (time.process_time() - cpu) / 60
    print(name, "seed", seed, errors, f"{minutes[0]:.2f} minutes", flush=True)
    return model, errors, inside, minutes


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    beside = ROOT.parent / "shared" / "system-identification"
    parser.add_argument(
        "--from", dest="data", type=Path, default=beside if beside.is_dir() else None
    )
    parser.add_argument("--only", choices=published.DEVICES, action="append")
    parser.add_argument("--seeds", type=int, default=5, help="how many, from 0 on")
    arguments = parser.parse_args()
    result = {
        name: {}
        for name in (
            "seeds", "minutes", "cpu_minutes", "weights", "chosen", "held_out_rms", "coverage",
        )
    }  # fmt: skip
    for name in arguments.only or published.DEVICES:
        runs = [measure(name, arguments.data, seed) for seed in range(arguments.seeds)]
        models, errors, inside, minutes = zip(*runs, strict=True)
        result["seeds"][name] = {which: [one[which] for one in errors] for which in errors[0]}
        wall, cpu = np.median(minutes, axis=0).round(2)
        result["minutes"][name], result["cpu_minutes"][name] = float(wall), float(cpu)
        result["weights"][name] = [model.shape.weights for model in models]
        result["chosen"][name] = next(row for row in models[0].choices if row["chosen"])
        result["coverage"][name] = inside[0]
        result["held_out_rms"][name] = models[0].noise * models[0].output.scale
        medians = [float(np.median(values)) for values in result["seeds"][name].values()]
        if name == "silverbox":
            result["silverbox_mv"] = [round(1e3 * one, 4) for one in medians]
        elif name == "tanks":
            result["tanks_v"] = round(medians[0], 4)
        else:
            result["wiener_hammerstein_mv"] = round(1e3 * medians[0], 4)
    print(json.dumps(result))


if __name__ == "__main__":
    main()
