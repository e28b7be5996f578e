"""A skyrmion learned from a noisy signal: the error of the forecast to the clean one.

The authors' published table of one skyrmion at 5 ps (``spinode fetch paper``, or ``--data DIR``).
Gaussian noise of 10 % and of 3 % of the signal's standard deviation is added to the 10,000 training
samples from 1500 on (``numpy.random.default_rng(seed)``, seeds 0 to 4). `identify` chooses all by
itself. The model forecasts freely from a state fitted to the first noisy samples; NRMSE on samples
11,500 to 20,000 against the clean signal. Prints one JSON object on its last line:

nrmse_10, nrmse_3              median of the seeds
nrmse_10_seeds, nrmse_3_seeds  of each
coverage_10, coverage_3        part of noisy held-out samples inside of the 90 % band, of each
weights                        number of weights, of each
minutes, cpu_minutes           of a training, median, from the table to the error
"""

import argparse
import json
import time
from pathlib import Path

import numpy as np

from spinode import trajectory
from spinode.analysis.metrics import nrmse
from spinode.devices.protocols import ONE_SKYRMION
from spinode.micromagnetics.tables import read_table
from spinode.neural_ode.identification import identify

ROOT = Path(__file__).resolve().parent.parent
TABLE = Path("Mumax3_simulations", "1skyrmion_voltage_train", "table.txt")
TRAIN, HELD_OUT = (1500, 11_500), (11_500, 20_000)
SPACING = 5e-12


def signal(folder):
    """Return the published trajectory with its drive, from the first training sample on."""
    end = HELD_OUT[1] * SPACING
    data = trajectory.resample(read_table(folder / TABLE), SPACING, end)[["mz"]]
    drive = ONE_SKYRMION.drive.sample(data.time.values)
    return data.assign(Ku=("time", np.asarray(drive["Ku"]))).isel(time=slice(TRAIN[0], HELD_OUT[1]))


def measure(folder, noise, seed):
    """Return error, coverage, weights, minutes and minutes of all threads."""
    begin, cpu = time.perf_counter(), time.process_time()
    data = signal(folder)
    clean = data.mz.values
    samples, split = TRAIN[1] - TRAIN[0], HELD_OUT[0] - TRAIN[0]
    generator = np.random.default_rng(seed)
    noisy = clean + noise * clean[:samples].std() * generator.normal(size=clean.size)
    record = data.assign(mz=("time", noisy)).isel(time=slice(0, samples))
    model = identify(record, output="mz", inputs="Ku", seed=seed)
    run = model.forecast(data[["Ku"]], record, band=0.9)
    error = nrmse(run.mz.values[split:], clean[split:])
    inside = (noisy >= run.mz_low.values) & (noisy <= run.mz_high.values)
    minutes = ((time.perf_counter() - begin) / 60, (time.process_time() - cpu) / 60)
    print(f"noise {noise:.0%}, seed {seed}: {error:.2%}, {minutes[0]:.2f} minutes")
    return float(error), float(inside[split:].mean()), model.shape.weights, *minutes


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    beside = ROOT.parent / "shared" / "paper-data"
    found = [path for path in (ROOT / "data/published", beside) if (path / TABLE).exists()]
    parser.add_argument("--data", type=Path, default=found[0] if found else beside)
    parser.add_argument("--seeds", type=int, default=5)
    arguments = parser.parse_args()
    result, minutes, cpu, weights = {}, [], [], []
    for name, noise in (("10", 0.1), ("3", 0.03)):
        runs = [measure(arguments.data, noise, seed) for seed in range(arguments.seeds)]
        errors, inside, sizes, wall, threads = map(list, zip(*runs, strict=True))
        result[f"nrmse_{name}"] = float(np.median(errors))
        result[f"nrmse_{name}_seeds"] = [round(one, 5) for one in errors]
        result[f"coverage_{name}"] = [round(one, 3) for one in inside]
        minutes, cpu, weights = minutes + wall, cpu + threads, weights + sizes
    result["minutes"] = round(float(np.median(minutes)), 2)
    result["cpu_minutes"] = round(float(np.median(cpu)), 2)
    result["weights"] = weights
    print(json.dumps(result))


if __name__ == "__main__":
    main()
