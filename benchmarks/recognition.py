"""How long 500 spoken digits take: forecasts of width 100, and all 1,022 splits of the readout.

Reads the Free Spoken Digit Dataset if it was fetched, else lets espeak-ng speak. Prints one JSON
object on its last line: ``forecast_s`` for one forecast of all recordings, ``readout_s`` for three
sources by two front ends, ``score_difference`` to the plain pseudo-inverse on a sample of splits.
"""

import json
import time

import numpy as np

from spinode.devices.learning import OSCILLATOR
from spinode.devices.oscillator import NanoOscillator
from spinode.neural_ode.model import SpinODE
from spinode.speech import corpora, multiplexing
from spinode.speech.cochlea import cochleagram, spectrogram
from spinode.speech.recognition import DigitReadout, recognize

SAMPLE_OF_SPLITS = [(0,), (3, 7), (0, 1, 2, 3, 4), (0, 1, 2, 4, 5, 6, 7, 8, 9)]


def plain_scores(states: np.ndarray, trained: tuple[int, ...]) -> np.ndarray:
    """Return the scores of `DigitReadout.scores` by the pseudo-inverse of all training frames."""
    speakers, utterances, digits = states.shape
    rows, targets = [], []
    for index in np.ndindex(states.shape):
        if index[1] in trained:
            rows.append(states[index].T)
            targets.append(np.tile(np.eye(digits)[index[2]], (states[index].shape[1], 1)))
    rows = np.vstack(rows)
    weights = np.linalg.pinv(np.column_stack([np.ones(len(rows)), rows])) @ np.vstack(targets)
    tested = [u for u in range(utterances) if u not in trained]
    scores = np.empty((len(tested), speakers, digits, digits))
    for i, s, d in np.ndindex(scores.shape[:3]):
        scores[i, s, d] = (weights[0] + states[s, tested[i], d].T @ weights[1:]).sum(axis=0)
    return scores


def main() -> None:
    corpus = corpora.corpus()
    print(f"{corpus.name}, {corpus.sounds.size} recordings")
    # Forecasts take the same time whatever the weights are.
    model = SpinODE(**OSCILLATOR.units(), width=100)
    readout, difference = 0.0, 0.0
    for front_end in (cochleagram, spectrogram):
        channels = multiplexing.features(corpus, front_end)
        played = multiplexing.drives(channels, multiplexing.mask(len(channels[0, 0, 0])))
        if front_end is cochleagram:
            multiplexing.forecast_states(model, played[:1, :1, :2])  # compile
            started = time.perf_counter()
            multiplexing.forecast_states(model, played)
            forecasting = time.perf_counter() - started
            steps = sum(matrix.size for matrix in played.flat)
            print(f"{steps / 1e6:.1f} million steps of width 100 in {forecasting:.1f} s")
        for noise in (0.0, 1.0, 3.0):
            states = multiplexing.measure(NanoOscillator(noise=noise), played)
            started = time.perf_counter()
            rates = recognize(states).rate.values
            readout += time.perf_counter() - started
            print(f"{front_end.__name__}, noise {noise} V/sqrt(s): {rates.round(3)}")
        fast = DigitReadout(states)
        for trained in SAMPLE_OF_SPLITS:
            ours, plain = fast.scores(trained)[1], plain_scores(states, trained)
            difference = max(difference, float(np.abs(ours - plain).max()))
    result = {"readout_s": readout, "forecast_s": forecasting, "score_difference": difference}
    print(json.dumps({name: float(f"{value:.3g}") for name, value in result.items()}))


if __name__ == "__main__":
    main()
