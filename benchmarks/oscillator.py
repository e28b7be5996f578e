"""The noisy oscillator of Fig. 5, learned from 5 ms by both forms, against the noise-free truth.

The embedded oscillator at its two working points, driven by the training drive of notebook 06
(50,000 samples of spoken digits) and answering with its thermal noise. The paper's form is trained
as in that notebook (k = 2, 100 neurons, Adam), the latent one by `identify` with its defaults. Both
then forecast words of five speakers from rest, and are compared with what the oscillator answers
without noise. Five seeds, each with its own noise and its own first weights. Prints one JSON object
on its last line, by working point:

noise        thermal noise (V per root second)
paper_form   NRMSE of each seed to the noise-free answers
latent_form  the same
cpu_minutes  of a training, of all threads, median, of both forms
"""

import argparse
import json
import time

import numpy as np

from spinode.analysis.metrics import nrmse
from spinode.devices.learning import OSCILLATOR
from spinode.neural_ode.identification import identify
from spinode.neural_ode.model import SpinODE
from spinode.neural_ode.training import fit_delays
from spinode.speech import corpora, multiplexing
from spinode.speech.experiment import FRONT_ENDS, experiment

WORDS = [(1, 1, 9), (2, 3, 4), (3, 5, 7), (4, 8, 2), (0, 6, 6)]  # speaker, utterance, digit
ITERATIONS = 6000
REST = 50  # samples without drive, before a word


def paper_form(recording, words, seed):
    """Return what the paper's form forecasts for the words (V)."""
    model = SpinODE(**OSCILLATOR.units(), k=2, width=100, seed=seed)
    options = {"train": OSCILLATOR.train, "iterations": ITERATIONS, "check_every": 300}
    fit_delays(model, recording, interpolation="linear", seed=seed, progress=False, **options)
    return [matrix.ravel(order="F") for matrix in multiplexing.forecast_states(model, words)]


def latent_form(recording, words, seed):
    """Return what the latent form forecasts for the words (V)."""
    model = identify(recording, output="voltage", inputs="drive", seed=seed, progress=False)
    drives = [multiplexing.as_drive([np.zeros((REST, 1)), word]) for word in words]
    return [model.forecast(drive).voltage.values[REST:] for drive in drives]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=5, help="how many, from 0 on")
    parser.add_argument("--only", choices=FRONT_ENDS, action="append")
    arguments = parser.parse_args()
    corpus, result = corpora.corpus(), {}
    for name in arguments.only or FRONT_ENDS:
        bench = experiment(name, corpus)
        chosen = tuple(np.array(WORDS).T)
        truth = [one.ravel(order="F") for one in bench.quiet_answers(chosen)]
        found = {
            "noise": bench.device.noise,
            "paper_form": [],
            "latent_form": [],
            "cpu_minutes": {},
        }
        for form in (paper_form, latent_form):
            spent = []
            for seed in range(arguments.seeds):
                recording = bench.training(seed=seed)
                begin = time.process_time()
                forecasts = form(recording, bench.drives[chosen], seed)
                spent.append((time.process_time() - begin) / 60)
                error = nrmse(np.concatenate(forecasts), np.concatenate(truth))
                found[form.__name__].append(round(float(error), 5))
                print(name, form.__name__, "seed", seed, f"{error:.3%}", flush=True)
            found["cpu_minutes"][form.__name__] = round(float(np.median(spent)), 2)
        result[name] = found
    print(json.dumps({"speech": corpus.name, **result}))


if __name__ == "__main__":
    main()
