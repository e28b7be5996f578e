"""The acoustic front ends."""

import numpy as np
import pytest

from spinode.errors import InputError
from spinode.speech.cochlea import center_frequencies, cochleagram, spectrogram

RATE = 12_500


def sound(seed=0, level=0.1):
    time = np.arange(RATE // 2) / RATE
    tone = np.sin(2 * np.pi * (300 + 4000 * time) * time)
    return level * (tone + 0.3 * np.random.default_rng(seed).normal(size=time.size))


def test_channels_of_the_paper():
    ear, spectrum = cochleagram(sound(), RATE), spectrogram(sound(), RATE)
    assert ear.shape == (78, 48)
    assert spectrum.shape == (65, 48)
    assert len(center_frequencies(RATE)) == 78
    assert ear.min() >= 0 and spectrum.min() >= 0


@pytest.mark.parametrize("level", [0.01, 0.3])
@pytest.mark.parametrize("rate, frame", [(12_500, 128), (8000, 100), (16_000, 2)])
def test_ear_agrees_with_the_lyon_package(rate, frame, level):
    calc = pytest.importorskip("lyon.calc", reason="the package lyon is not installed")
    heard = sound(level=level)[:3000]
    theirs = calc.LyonCalc().lyon_passive_ear(heard, rate, frame).T
    ours = cochleagram(heard, rate, frame)
    assert np.abs(ours - theirs).max() < 1e-4 * theirs.max()


@pytest.mark.parametrize("frequency", [250.0, 1000.0, 3000.0])
def test_a_tone_excites_its_place(frequency):
    tone = 0.1 * np.sin(2 * np.pi * frequency * np.arange(RATE) / RATE)
    place = center_frequencies(RATE)[cochleagram(tone, RATE)[:, -1].argmax()]
    assert place == pytest.approx(frequency, rel=0.15)
    bin_width = RATE / 128
    assert spectrogram(tone, RATE).mean(axis=1).argmax() * bin_width == pytest.approx(
        frequency, abs=bin_width / 2
    )


def test_spectrogram_shows_the_amplitude_of_a_tone():
    tone = 0.2 * np.cos(2 * np.pi * 10 * RATE / 128 * np.arange(1280) / RATE)
    assert spectrogram(tone, RATE)[10].mean() == pytest.approx(0.1)


def test_gain_control_compresses():
    quiet, loud = (cochleagram(sound(level=level), RATE).mean() for level in (0.0003, 0.003))
    assert 1 < loud / quiet < 5  # for a ratio of 10


@pytest.mark.parametrize("front_end", [cochleagram, spectrogram])
def test_refuses_what_is_no_sound(front_end):
    with pytest.raises(InputError, match="one channel"):
        front_end(np.zeros((100, 2)), RATE)
    with pytest.raises(InputError, match="shorter than a frame"):
        front_end(np.zeros(100), RATE)
    with pytest.raises(InputError, match="NaN"):
        front_end(np.full(1000, np.nan), RATE)
    with pytest.raises(InputError, match="rate"):
        front_end(sound(), -1)
