"""Fit the numbers of the embedded oscillator anew (see spinode/speech/calibration.py).

Needs the authors' files and the Free Spoken Digit Dataset (`spinode fetch paper`, `spinode fetch
fsdd`). For each front end: the response of the authors' network fitted by the amplitude equation,
the error on a drive that the fit did not see, the noise at the network's input that changes the
recognition rates as the authors' noise did (median and range of five seeds), and the thermal noise
that moves the oscillator as much. Prints one JSON object on its last line. Ten minutes.
"""

import json
from dataclasses import asdict, replace

import numpy as np

from spinode.devices.oscillator import WORKING_POINTS, simulate_oscillator
from spinode.paper import authors
from spinode.paper.models import MODELS
from spinode.speech import calibration, corpora, multiplexing
from spinode.speech.cochlea import cochleagram, spectrogram
from spinode.speech.recognition import recognize

SEEDS = range(5)
# V; around the noise that each front end needs.
LEVELS = {"cochlear": (0.5e-3, 1e-3, 1.5e-3), "spectrogram": (10e-3, 15e-3, 20e-3)}


def rates_under_noise(twin, played, levels, seed=0):
    """Return a twin's recognition rates with noise joined by lines on its drive, (levels, N)."""
    runs = (multiplexing.forecast_states(twin, played, noise=one, seed=seed) for one in levels)
    return np.array([recognize(states).rate.values for states in runs])


def main() -> None:
    corpus = corpora.free_spoken_digits()
    result = {}
    for name, front_end in (("cochlear", cochleagram), ("spectrogram", spectrogram)):
        twin = MODELS[f"oscillator_{name}"].load()
        device, fitted = calibration.fit_response(twin, WORKING_POINTS["cochlear"])
        other = calibration.random_drive(20_000, seed=1)
        truth = calibration.response(twin, other)
        ours = simulate_oscillator(replace(device, noise=0.0), other).voltage.values[:-1]
        channels = multiplexing.features(corpus, front_end)
        played = multiplexing.drives(channels, multiplexing.mask(len(channels[0, 0, 0])))
        published = authors.recognition_rates(name)
        quiet = rates_under_noise(twin, played, [0.0])
        found = []
        for seed in SEEDS:
            noisy = rates_under_noise(twin, played, LEVELS[name], seed=seed)
            found.append(
                calibration.noise_of_rates(
                    (0.0, *LEVELS[name]),
                    np.vstack([quiet, noisy]),
                    published["neural_ode"],
                    published["neural_ode_noise"],
                )
            )
            print(f"{name}, seed {seed}: {found[-1]}", flush=True)
        needed, left = np.array(found).T
        deviation = calibration.deviation_of_input_noise(twin, other, float(np.median(needed)))
        strength = calibration.langevin_strength(device, other, deviation)
        result[name] = {
            "device": asdict(replace(device, noise=strength)),
            "response_nrmse": {
                "fitted": fitted,
                "other_drive": float(np.sqrt(np.mean((ours - truth) ** 2)) / truth.std()),
            },
            "input_noise": {
                "median": float(np.median(needed)),
                "range": [float(needed.min()), float(needed.max())],
                "rms_of_changes_left": float(np.median(left)),
            },
            "output_noise": deviation,
        }
    print(json.dumps(result))


if __name__ == "__main__":
    main()
