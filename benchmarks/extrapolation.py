"""A stiffening device driven harder than in its training, without touching a test.

The Silverbox's official training samples are cut into pieces of 500. The calmer half of the pieces
is learned by `identify` with its defaults; the tallest tenth, up to 1.4 times as tall, is simulated
from the input and the first 50 samples of the output. What neurons should do beyond a training is
decided by this, so that no test sample decides it. Prints one JSON object on its last line:

reach     tallest output of the tallest tenth, over that of the calmer half
error_mv  root mean square error on the tallest tenth (mV), of each seed
growing   whether every other neuron grows in what was chosen, of each seed
"""

import argparse
import json
import warnings
from pathlib import Path

import numpy as np

from spinode.neural_ode.forecast import ForecastWarning
from spinode.neural_ode.identification import identify
from spinode.recordings import published

ROOT = Path(__file__).resolve().parent.parent
PIECE = 500


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    beside = ROOT.parent / "shared" / "system-identification"
    parser.add_argument(
        "--from", dest="data", type=Path, default=beside if beside.is_dir() else None
    )
    parser.add_argument("--seeds", type=int, default=2, help="how many, from 0 on")
    arguments = parser.parse_args()
    train = published.load("silverbox", arguments.data).train
    last = train.sizes["time"] - PIECE
    pieces = [train.isel(time=slice(i, i + PIECE)) for i in range(0, last, PIECE)]
    peaks = np.array([float(np.abs(one.y - train.y.mean()).max()) for one in pieces])
    order = np.argsort(peaks)
    half, tenth = len(pieces) // 2, len(pieces) // 10
    calm, tall = [pieces[i] for i in sorted(order[:half])], [pieces[i] for i in order[-tenth:]]
    errors, growing = [], []
    for seed in range(arguments.seeds):
        model = identify(calm, output="y", inputs="u", seed=seed)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ForecastWarning)
            found = [published.error(published.simulate(model, one), one) for one in tall]
        errors.append(round(1e3 * float(np.sqrt(np.mean(np.square(found)))), 3))
        growing.append(model.shape.growing)
        print(f"seed {seed}: {errors[-1]:.3f} mV", flush=True)
    reach = float(peaks[order[-1]] / peaks[order[half - 1]])
    print(json.dumps({"reach": round(reach, 2), "error_mv": errors, "growing": growing}))


if __name__ == "__main__":
    main()
