"""Training, against torchdiffeq's adjoint method used the authors' way, measured side by side.

k = 2, width 50; an iteration is one step of Adam on 50 windows of 20 samples. The data are the
authors' published table of one skyrmion (``spinode fetch paper``, or ``--data FOLDER``), samples
1500 to 11,500 for training; without them only the iteration is measured, on noise.

Prints one JSON object on its last line:

ms_per_iteration          of `spinode.fit`
authors_ms_per_iteration  of the authors' way
speedup                   their ratio
first_call_s              a call of `fit` for one iteration in a process without compiled code
first_process_s           that process, start to end: Python's imports and reading the table, too
seconds_to_1e-3           a fresh process without compiled code, from the table to a mean squared
                          error of 1e-3 over the training stretch, start to end
heldout_nrmse             on samples 11,500 to 19,000, forecast freely from the training start:
                          median of the seeds
heldout_nrmse_seeds       of each seed
farthest_nrmse_seeds      of each seed, on samples 0 to 20,000 forecast from sample 0: none diverges
seconds_per_seed          wall time of a training, one core each, all cores at once

With ``--gpu``, and a CUDA device, it measures only where that gains:

gpu    ms of an iteration by width and windows in a batch, on the CPU's cores and on the GPU
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from authors_way import SPACING, AuthorsWay, skyrmion_model

from spinode import trajectory
from spinode.analysis.metrics import nrmse
from spinode.devices.protocols import ONE_SKYRMION
from spinode.micromagnetics.tables import read_table
from spinode.neural_ode.forecast import forecast
from spinode.neural_ode.learning import fit
from spinode.neural_ode.seeds import fit_seeds
from spinode.trajectory import delay_embed, windows

TRAIN, HELD_OUT, END = (1500, 11_500), slice(11_500, 19_000), 20_000
WINDOWS, WINDOW = 50, 20
SIZES = [(50, 50), (50, 500), (50, 5000), (200, 50), (200, 500), (500, 50)]
ROUNDS, OURS, AUTHORS = 7, 100, 4
TABLE = Path("Mumax3_simulations", "1skyrmion_voltage_train", "table.txt")
ROOT = Path(__file__).resolve().parent.parent


def signal(folder):
    """Return the published trajectory on its grid, or noise of the same length."""
    if folder is not None:
        table = read_table(folder / TABLE)
        return trajectory.resample(table, SPACING, END * SPACING)
    time = SPACING * np.arange(END + 1)
    noise = 0.77 + 0.1 * np.random.default_rng(0).standard_normal(time.size)
    return trajectory.xr.Dataset({"mz": ("time", noise)}, {"time": time})


def train(data, **options):
    model = skyrmion_model()
    options = {"inputs": ONE_SKYRMION.drive, "train": TRAIN, "progress": False} | options
    return model, fit(model, data, **options)


def authors_iterations(data, count):
    """Return the seconds that iterations of the authors' way take."""
    model = AuthorsWay(skyrmion_model())
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    states = delay_embed(model.model.output.normalize(data.mz.values), 2)
    generator = np.random.default_rng(0)
    elapsed = []
    for _ in range(count):
        starts = generator.integers(*TRAIN, size=WINDOWS)
        truth = torch.as_tensor(windows(states, starts, WINDOW - 1))
        begin = time.perf_counter()
        model.train_step(optimizer, truth, torch.as_tensor(starts))
        elapsed.append(time.perf_counter() - begin)
    return elapsed


def iteration_times(data):
    """Return the median seconds of an iteration, ours and the authors', in alternation."""
    train(data, iterations=1)
    ours, theirs = [], []
    for _ in range(ROUNDS):
        begin = time.perf_counter()
        train(data, iterations=OURS, check_every=OURS)
        ours.append((time.perf_counter() - begin) / OURS)
        theirs += authors_iterations(data, AUTHORS)
        print(f"ms an iteration: {1e3 * ours[-1]:.2f}, authors {1e3 * theirs[-1]:.1f}")
    return np.median(ours), np.median(theirs)


def fresh(folder, **options):
    """Return the seconds of a new process that compiles and trains, and of its call of `fit`."""
    with tempfile.TemporaryDirectory() as cache:
        command = [sys.executable, __file__, "--train", json.dumps(options)]
        command += [] if folder is None else ["--data", str(folder)]
        environment = os.environ | {"NUMBA_CACHE_DIR": cache}
        begin = time.perf_counter()
        done = subprocess.run(command, env=environment, check=True, stdout=subprocess.PIPE)
        return time.perf_counter() - begin, float(done.stdout)


def accuracy(data, seeds, lm_steps):
    """Return the errors of models trained from several seeds, and the seconds each took."""
    trained = fit_seeds(
        skyrmion_model(),
        data,
        range(seeds),
        inputs=ONE_SKYRMION.drive,
        train=TRAIN,
        lm_steps=lm_steps,
    )
    held_out, whole, seconds = [], [], []
    for model, history in trained:
        errors = []
        for start, stretch in ((TRAIN[0], HELD_OUT), (0, slice(0, END + 1))):
            run = forecast(
                model,
                ONE_SKYRMION.drive,
                initial=data.isel(time=slice(start, None)),
                duration=(END - start) * SPACING,
            )
            run = run.mz.reindex(time=data.time, method="nearest", tolerance=SPACING / 10)
            errors.append(nrmse(run.values[stretch], data.mz.values[stretch]))
        held_out.append(errors[0])
        whole.append(errors[1])
        seconds.append(float(history.seconds[-1]))
        print(f"held out {errors[0]:.2%}, from 0 to 100 ns {errors[1]:.2%}, {seconds[-1]:.0f} s")
    return held_out, whole, seconds


def gpu_times(data):
    """Return the ms of an iteration for several sizes, by width and windows in a batch."""
    times = {}
    for width, batch in SIZES:
        row = {}
        for device in ("cpu", "cuda"):
            model = skyrmion_model(width=width)
            history = fit(
                model,
                data,
                inputs=ONE_SKYRMION.drive,
                train=(1500, 2000),  # short, as free forecasts of it count, too
                batch=batch,
                iterations=100,
                check_every=20,
                learning_rate=1e-3,
                device=device,
                progress=False,
            )
            # Not the first twenty, which compile or record.
            rounds = np.diff(history.seconds.values[1:]) / 20
            row[device] = round(1e3 * float(np.median(rounds)), 2)
        times[f"{width} x {batch}"] = row
        print(f"width {width}, {batch} windows: {row}")
    return times


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    beside = ROOT.parent / "shared" / "paper-data"
    found = [path for path in (ROOT / "data/published", beside) if (path / TABLE).exists()]
    parser.add_argument("--data", type=Path, default=found[0] if found else None)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--lm-steps", type=int, default=40)
    parser.add_argument("--train", type=json.loads, help="only train, with these options of fit")
    parser.add_argument("--gpu", action="store_true", help="only compare the CPU with a GPU")
    arguments = parser.parse_args()
    data = signal(arguments.data)
    if arguments.gpu:
        if not torch.cuda.is_available():
            parser.error("--gpu needs a CUDA device, and PyTorch sees none")
        print(json.dumps({"device": torch.cuda.get_device_name(), "gpu": gpu_times(data)}))
        return
    if arguments.train is not None:
        begin = time.perf_counter()
        train(data, **arguments.train)
        print(time.perf_counter() - begin)
        return
    result = {}
    ours, theirs = iteration_times(data)
    result["ms_per_iteration"] = round(1e3 * ours, 3)
    result["authors_ms_per_iteration"] = round(1e3 * theirs, 1)
    result["speedup"] = round(theirs / ours, 1)
    process, call = fresh(arguments.data, iterations=1)
    result |= {"first_call_s": round(call, 1), "first_process_s": round(process, 1)}
    if arguments.data is not None:
        process, _ = fresh(arguments.data, lm_steps=40, target_mse=1e-3)
        result["seconds_to_1e-3"] = round(process, 1)
        held_out, whole, seconds = accuracy(data, arguments.seeds, arguments.lm_steps)
        result["heldout_nrmse"] = float(np.median(held_out))
        result["heldout_nrmse_seeds"] = held_out
        result["farthest_nrmse_seeds"] = whole
        result["seconds_per_seed"] = seconds
    print(json.dumps(result))


if __name__ == "__main__":
    main()
