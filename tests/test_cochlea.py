"""The acoustic front ends."""

from pathlib import Path

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


def chirp(rate, level):
    """Return 3,000 samples made of sines alone, which any machine computes alike."""
    time = np.arange(3000) / rate
    tone = np.sin(2 * np.pi * (300 + 4000 * time) * time)
    return level * (tone + 0.3 * np.sin(2 * np.pi * 1234.5 * time) * np.sin(2 * np.pi * 3 * time))


LYON = np.loadtxt(
    Path(__file__).parent / "lyon_passive_ear.csv", delimiter=",", comments=("#", "rate")
)


@pytest.mark.parametrize("case", sorted(set(map(tuple, LYON[:, :3]))))
def test_ear_agrees_with_the_auditory_toolbox(case):
    rate, frame, level = case
    rows = LYON[(LYON[:, :3] == case).all(axis=1)]
    ours = cochleagram(chirp(rate, level), rate, int(frame))
    found = ours[rows[:, 3].astype(int), rows[:, 4].astype(int)]
    assert len(rows) >= 14
    np.testing.assert_allclose(found, rows[:, 5], rtol=1e-4, atol=1e-4 * rows[:, 5].max())


def test_channels_of_slaneys_report():
    """86 channels at 16 kHz (Auditory Toolbox, DesignLyonFilters), 78 at 12.5 kHz (Torrejon)."""
    assert len(center_frequencies(16_000)) == 86
    assert len(center_frequencies(12_500)) == 78


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
