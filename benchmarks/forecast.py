"""A forecast step, against torchdiffeq used the authors' way, measured side by side.

k = 2, width 50, float64. Every figure includes everything a user waits for: sampling the drive,
normalization, the Dataset that is returned. The first calls, which compile, come before.

Prints one JSON object on its last line:

us_per_step         a single forecast, one thread
authors_us_per_step the authors' way, one thread
speedup             their ratio
batch_us_per_step   a hundred forecasts at once on all cores, per trajectory and step
max_abs_error       largest difference to torchdiffeq over 10,000 steps, normalized units
floor_us            the network's multiplications and additions at the core's measured peak
"""

import json
import os
import time

os.environ["OPENBLAS_NUM_THREADS"] = "1"  # before numpy is imported

import numpy as np
import torch
from authors_way import SPACING, AuthorsWay, skyrmion_model

from spinode.cores import cores
from spinode.devices.protocols import ONE_SKYRMION
from spinode.neural_ode.forecast import forecast

ROUNDS = 7
STEPS, BATCH, BATCH_STEPS, AUTHORS_STEPS = 28_000, 100, 2_000, 500
torch.set_num_threads(1)


def seconds(function, *arguments, **options):
    start = time.perf_counter()
    function(*arguments, **options)
    return time.perf_counter() - start


def floor_us(model):
    """Time of one step's arithmetic at the rate of a large matrix product on one core."""
    a = np.ones((600, 600))
    rate = max(2 * 600**3 / seconds(np.dot, a, a) for _ in range(20))
    operations = 4 * sum(2 * layer.weight.numel() for layer in model.f if hasattr(layer, "weight"))
    return 1e6 * operations / rate


def main():
    model = skyrmion_model()
    drive = ONE_SKYRMION.drive
    authors = AuthorsWay(model)
    initial = model.output.restore(np.array([0.0, 0.01]))
    starts = [initial + 1e-4 * i for i in range(BATCH)]

    def ours(steps):
        return forecast(model, drive, initial=initial, duration=steps * SPACING)

    def batch():
        forecast(model, [drive] * BATCH, initial=starts, duration=BATCH_STEPS * SPACING)

    truth = authors.forecast(model.output.normalize(initial), 9_999)
    error = model.output.normalize(ours(10_000).mz.values[:10_000]) - truth
    batch()
    rows = [
        (
            seconds(ours, STEPS) / STEPS,
            seconds(authors.forecast, model.output.normalize(initial), AUTHORS_STEPS)
            / AUTHORS_STEPS,
            seconds(batch) / (BATCH * BATCH_STEPS),
            floor_us(model),
        )
        for _ in range(ROUNDS)
    ]
    single, peer, many, floor = np.median(rows, axis=0)
    for row in rows:
        print(
            "us a step: single {:.2f}, authors {:.0f}, batch {:.2f}".format(
                *(1e6 * value for value in row[:3])
            )
        )
    print(
        json.dumps(
            {
                "us_per_step": round(1e6 * single, 3),
                "authors_us_per_step": round(1e6 * peer, 1),
                "speedup": round(peer / single, 1),
                "batch_us_per_step": round(1e6 * many, 3),
                "max_abs_error": float(np.abs(error).max()),
                "floor_us": round(floor, 3),
                "cores": cores(),
            }
        )
    )


if __name__ == "__main__":
    main()
