"""The recognition protocol against the plain pseudo-inverse."""

from itertools import combinations

import numpy as np
import pytest

from spinode.errors import InputError
from spinode.speech.recognition import DigitReadout, recognize


def reservoir(nodes=30, speakers=3, utterances=5, digits=4, noise=0.5, seed=0, frames=(15, 30)):
    """Return made-up states: a direction of its own for every digit, and noise."""
    generator = np.random.default_rng(seed)
    directions = generator.normal(size=(digits, nodes))
    # a dependent and a nearly dependent node, as real reservoirs have them
    states = np.empty((speakers, utterances, digits), dtype=object)
    for index in np.ndindex(states.shape):
        size = nodes, generator.integers(*frames)
        values = directions[index[2]][:, None] + noise * generator.normal(size=size)
        values[1] = values[0]
        values[3] = values[2] + 1e-6 * values[3]
        states[index] = values
    return states


def plain(states, trained, tested_states=None, ridge=0.0):
    """Recognize as the authors do: pseudo-inverse of the training states; or with a ridge."""
    speakers, utterances, digits = states.shape
    rows, targets = [], []
    for index in np.ndindex(states.shape):
        if index[1] in trained:
            rows.append(states[index].T)
            targets.append(np.tile(np.eye(digits)[index[2]], (states[index].shape[1], 1)))
    rows = np.vstack(rows)
    rows, targets = np.column_stack([np.ones(len(rows)), rows]), np.vstack(targets)
    if ridge:
        penalty = len(rows) * ridge**2 * np.diag([0.0, *np.ones(rows.shape[1] - 1)])
        weights = np.linalg.solve(rows.T @ rows + penalty, rows.T @ targets)
    else:
        weights = np.linalg.pinv(rows) @ targets
    states = states if tested_states is None else tested_states
    tested = [u for u in range(utterances) if u not in trained]
    scores = np.empty((len(tested), speakers, digits, digits))
    for i, u in enumerate(tested):
        for s in range(speakers):
            for d in range(digits):
                frames = states[s, u, d].T
                scores[i, s, d] = (weights[0] + frames @ weights[1:]).sum(axis=0)
    return scores


@pytest.mark.parametrize("trained", [(0,), (2, 4), (0, 1, 3), (0, 1, 2, 3)])
def test_scores_are_those_of_the_pseudo_inverse(trained):
    states = reservoir()
    tested, scores = DigitReadout(states).scores(trained)
    assert sorted([*tested, *trained]) == list(range(5))
    np.testing.assert_allclose(scores, plain(states, trained), atol=1e-9)


@pytest.mark.parametrize("ridge", [0.0, 0.03, 1.0])
def test_scores_with_a_ridge_and_on_other_states(ridge):
    states, others = reservoir(), reservoir(noise=0.8, seed=1)
    readout = DigitReadout(states, tested=others, ridge=ridge)
    for trained in ((0,), (0, 1, 3)):
        _, scores = readout.scores(trained)
        np.testing.assert_allclose(scores, plain(states, trained, others, ridge), atol=1e-8)
    with pytest.raises(InputError, match="same recordings"):
        DigitReadout(states, tested=others[:2])


def test_a_ridge_does_what_noise_in_the_training_does():
    """The mean map of many noisy trainings is that of one training with a ridge (Bishop 1995)."""
    states = reservoir(frames=(400, 500))
    generator = np.random.default_rng(0)
    noisy = []
    for _ in range(10):
        disturbed = np.empty_like(states)
        for index in np.ndindex(states.shape):
            disturbed[index] = states[index] + 0.5 * generator.normal(size=states[index].shape)
        noisy.append(DigitReadout(disturbed, tested=states).scores((0, 1))[1])
    ridge, bare = (DigitReadout(states, ridge=r).scores((0, 1))[1] for r in (0.5, 0.0))
    difference = np.abs(np.mean(noisy, axis=0) - ridge).mean()
    assert difference < 0.1 * np.abs(bare - ridge).mean()


def test_only_the_numbers_asked_for():
    states = reservoir()
    some, every = recognize(states, numbers=(1, 4)), recognize(states)
    assert some.trained.values.tolist() == [1, 4]
    assert some.rate.values.tolist() == every.rate.sel(trained=[1, 4]).values.tolist()


def test_rates_are_means_over_all_choices():
    states = reservoir(noise=12.0)
    result = recognize(states)
    digits = np.arange(4)
    for number in (1, 2, 4):
        rates = [
            np.mean(plain(states, trained).argmax(axis=-1) == digits)
            for trained in combinations(range(5), number)
        ]
        found = result.sel(trained=number)
        assert found.rate.item() == pytest.approx(np.mean(rates))
        assert found.spread.item() == pytest.approx(np.std(rates))
        confusion = found.confusion.values
        assert confusion.sum() == len(rates) * (5 - number) * 3 * 4
        assert np.trace(confusion) / confusion.sum() == pytest.approx(np.mean(rates))
    assert 0.3 < result.rate.min() < result.rate.max() < 1


def test_digits_that_differ_are_told_apart():
    assert recognize(reservoir(noise=0.1)).rate.min() == 1


def test_shuffled_digits_are_not_recognized():
    states = reservoir(noise=0.1, utterances=8, seed=1)
    generator = np.random.default_rng(0)
    for speaker, utterance in np.ndindex(states.shape[:2]):
        states[speaker, utterance] = generator.permutation(states[speaker, utterance])
    assert recognize(states).rate.max() < 0.45  # chance is 1/4


def test_bad_states():
    states = reservoir()
    states[1, 2, 3] = states[1, 2, 3][:-1]
    with pytest.raises(InputError, match=r"recording \(1, 2, 3\) have shape"):
        DigitReadout(states)
    states = reservoir()
    states[0, 0, 1][0, 0] = np.nan
    with pytest.raises(InputError, match="NaN"):
        DigitReadout(states)
    few = reservoir(nodes=300)
    with pytest.raises(InputError, match="too few frames"):
        DigitReadout(few).scores((0,))
