"""The experiment of Fig. 5: speech played to an oscillator through an acoustic front end.

The device is the real one, if the authors' recordings were fetched, else the embedded oscillator at
the working point of that front end.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import xarray as xr

from spinode.devices.learning import OSCILLATOR
from spinode.devices.oscillator import WORKING_POINTS, NanoOscillator, simulate_oscillator
from spinode.speech import multiplexing
from spinode.speech.cochlea import cochleagram, spectrogram
from spinode.speech.corpora import Corpus

#: The acoustic front ends of the paper.
FRONT_ENDS = {"cochlear": cochleagram, "spectrogram": spectrogram}

_TRAINED_DIGITS = 9  # the digits 0 to 8 of the first speaker's first utterance


@dataclass(frozen=True, eq=False)
class Experiment:
    """What is played to a device, and its answers.

    Parameters
    ----------
    channels, drives : object array, shape (speakers, utterances, digits)
        Acoustic channels, (channels, frames), and the drive, (nodes, frames) in V.
    device : NanoOscillator or None
        The embedded oscillator, or None where the real one was recorded.
    recorded : object array or None
        What the real one answered, (nodes, frames) in V.
    """

    channels: np.ndarray
    drives: np.ndarray
    device: NanoOscillator | None
    recorded: np.ndarray | None

    @property
    def source(self) -> str:
        """The device that answers, in words."""
        if self.device is None:
            return "recordings of the real oscillator, published by the authors"
        return "embedded stochastic oscillator, simulated"

    def answers(self, chosen=..., *, seed: int = 1) -> np.ndarray:
        """Return the noisy answers to some drives: the recordings, or simulated ones.

        Parameters
        ----------
        chosen : index
            Which of the drives; all of them by default.
        seed : int
            Seed of the embedded oscillator's noise.
        """
        if self.device is None:
            return self.recorded[chosen]
        return multiplexing.measure(self.device, self.drives[chosen], seed=seed)

    def quiet_answers(self, chosen=...) -> np.ndarray | None:
        """Return what the embedded oscillator answers without noise; None for the real one."""
        if self.device is None:
            return None
        return multiplexing.measure(replace(self.device, noise=0.0), self.drives[chosen])

    def training_drive(self, samples: int = OSCILLATOR.train[1]) -> xr.Dataset:
        """Return the drive of the paper's training: the first 5 ms of one utterance's digits."""
        words = list(self.drives[0, 0, :_TRAINED_DIGITS])
        return multiplexing.as_drive(words).isel(time=slice(0, samples))

    def training(self, samples: int = OSCILLATOR.train[1], *, seed: int = 0) -> xr.Dataset:
        """Return the noisy answer to `training_drive`."""
        drive = self.training_drive(samples)
        if self.device is None:
            words = list(self.recorded[0, 0, :_TRAINED_DIGITS])
            return multiplexing.as_trajectory(words, drive)
        return simulate_oscillator(self.device, drive, seed=seed)


def experiment(front_end: str, corpus: Corpus, utterances: int = 10) -> Experiment:
    """Return the experiment with a front end of `FRONT_ENDS` and the speech of ``corpus``.

    Parameters
    ----------
    front_end : {"cochlear", "spectrogram"}
    corpus : Corpus
        The recordings of the real oscillator have speech of their own, the paper's.
    utterances : int
        How many utterances of each speaker and digit.
    """
    channels = multiplexing.features(corpus, FRONT_ENDS[front_end])[:, :utterances]
    session = multiplexing.recorded_session(front_end)
    if session:
        return Experiment(
            channels, session.drives[:, :utterances], None, session.states[:, :utterances]
        )
    weights = multiplexing.mask(len(channels[0, 0, 0]))
    drives = multiplexing.drives(channels, weights)
    return Experiment(channels, drives, WORKING_POINTS[front_end], None)
