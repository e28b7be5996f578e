"""Corpora of spoken digits, time multiplexing, and the authors' recordings."""

import hashlib
import shutil
import struct
import sys
from dataclasses import replace

import numpy as np
import pytest
from click.testing import CliRunner
from scipy.io import savemat, wavfile

from spinode.devices.learning import OSCILLATOR
from spinode.devices.oscillator import NanoOscillator
from spinode.errors import InputError
from spinode.neural_ode.forecast import ForecastWarning, forecast
from spinode.neural_ode.model import SpinODE
from spinode.neural_ode.sde import NeuralSDE, sample_path
from spinode.paper import authors
from spinode.speech import corpora, multiplexing
from spinode.speech.cochlea import cochleagram, spectrogram
from spinode.speech.multiplexing import as_drive, as_states, drives, features, mask, read_session
from spinode.workflow.cli import app


@pytest.fixture(scope="module")
def fsdd_folder(tmp_path_factory):
    """Files as the Free Spoken Digit Dataset has them, of noise, and known by their own hashes."""
    folder, generator = tmp_path_factory.mktemp("fsdd"), np.random.default_rng(0)
    (folder / "recordings").mkdir()
    files = []
    for file in corpora.registry():
        sound = np.clip(3000 * generator.normal(size=generator.integers(1000, 9000)), -3e4, 3e4)
        wavfile.write(folder / file.path, 8000, sound.astype(np.int16))
        digest = hashlib.sha256((folder / file.path).read_bytes()).hexdigest()
        files.append(replace(file, size=None, digest=f"sha256:{digest}"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(corpora, "registry", lambda: tuple(files))
        yield folder


@pytest.fixture(scope="module")
def synthesized():
    pytest.importorskip("espeakng_loader")
    return corpora.synthesized_digits(seed=1)


@pytest.fixture
def copied(fsdd_folder, tmp_path):
    shutil.copytree(fsdd_folder / "recordings", tmp_path / "recordings")
    return tmp_path


def check_corpus(corpus):
    assert corpus.sounds.shape == (5, 10, 10)
    assert len(set(corpus.speakers)) == 5
    for sound in corpus.sounds.flat:
        assert sound.ndim == 1
        assert 0.1 < len(sound) / corpora.RATE < 1.5
        assert np.sqrt(np.mean(sound**2)) == pytest.approx(corpora.LEVEL)


# --- corpora --------------------------------------------------------------------------------


def test_free_spoken_digits(fsdd_folder):
    corpus = corpora.free_spoken_digits(fsdd_folder)
    check_corpus(corpus)
    assert corpus.speakers == ("george", "jackson", "lucas", "nicolas", "theo")
    # utterance 4 of digit 7 by theo, found by its length
    rate, original = wavfile.read(fsdd_folder / "recordings" / "7_theo_4.wav")
    assert len(corpus.sounds[4, 4, 7]) == -(-len(original) * corpora.RATE // rate)


def test_fetch_verifies_every_recording(fsdd_folder, tmp_path):
    outcomes = authors.fetch(fsdd_folder, tmp_path, files=corpora.registry())
    assert {name: len(files) for name, files in outcomes.items()} == {"fetched": 500}
    damaged = tmp_path / "recordings" / "0_george_0.wav"
    damaged.write_bytes(damaged.read_bytes()[:-2] + b"xx")
    outcomes = authors.fetch(tmp_path, tmp_path / "again", files=corpora.registry())
    assert [file.path for file in outcomes["corrupt"]] == ["recordings/0_george_0.wav"]
    assert "Jakobovski" in corpora.registry()[0].url


def test_fetch_from_the_command_line(fsdd_folder, tmp_path, monkeypatch):
    (tmp_path / "notebooks").mkdir()
    (tmp_path / "profiles").mkdir()
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(app, ["fetch", "fsdd", "--from", str(fsdd_folder)])
    assert result.exit_code == 0
    assert "500 fetched" in result.output
    assert corpora.corpus().name == "Free Spoken Digit Dataset"
    (tmp_path / "data" / "fsdd" / "recordings" / "0_george_0.wav").write_bytes(b"")
    result = CliRunner().invoke(app, ["fetch", "fsdd", "--from", str(tmp_path / "nowhere")])
    assert isinstance(result.exception, InputError)


def test_synthesized_digits(synthesized):
    check_corpus(synthesized)
    seven, again = synthesized.sounds[0, 0, 7], synthesized.sounds[0, 1, 7]
    assert len(seven) != len(again) or not np.allclose(seven, again)


def test_synthesis_is_seeded(synthesized):
    repeated, other = corpora.synthesized_digits(seed=1), corpora.synthesized_digits(seed=2)
    pairs = list(zip(synthesized.sounds.flat, repeated.sounds.flat, strict=True))
    assert all(np.array_equal(a, b) for a, b in pairs)
    assert any(
        len(a) != len(b) for a, b in zip(repeated.sounds.flat, other.sounds.flat, strict=True)
    )


def test_absent_speech_is_said_in_one_line(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "espeakng_loader", None)
    monkeypatch.setattr(corpora, "folder", lambda: tmp_path)
    with pytest.raises(InputError, match=r"spinode fetch fsdd.*spinode\[speech\]") as told:
        corpora.corpus()
    assert "\n" not in str(told.value)


def test_missing_and_renamed_recordings_are_named(copied):
    (copied / "recordings" / "3_lucas_5.wav").rename(copied / "recordings" / "lucas_3_5.wav")
    with pytest.raises(InputError, match=r"lacks 1 of 500 recordings, the first 3_lucas_5\.wav"):
        corpora.free_spoken_digits(copied)


@pytest.mark.parametrize(
    "rate, samples, words",
    [
        (16_000, np.arange(-500, 500, dtype=np.int16), "16000 Hz, not 8000 Hz"),
        (8000, np.ones((500, 2), np.int16), "2 channels"),
        (8000, np.zeros(500, np.int16), "silent"),
        (8000, np.zeros(0, np.int16), "silent"),
        (8000, np.linspace(-1, 1, 500, dtype=np.float32), "16-bit"),
        (8000, np.clip(np.arange(-40_000, 40_000, 160), -32_768, 32_767).astype(np.int16), "clip"),
    ],
)
def test_bad_recordings_are_refused_by_name(copied, rate, samples, words):
    wavfile.write(copied / "recordings" / "3_lucas_5.wav", rate, samples)
    with pytest.raises(InputError, match=rf"3_lucas_5\.wav .*{words}"):
        corpora.free_spoken_digits(copied)


def test_what_is_no_wav_file_is_refused(copied):
    (copied / "recordings" / "3_lucas_5.wav").write_bytes(b"not a recording")
    with pytest.raises(InputError, match=r"3_lucas_5\.wav is not a readable WAV"):
        corpora.free_spoken_digits(copied)


def riff(
    channels=1, *, size=8036, form=b"WAVEfmt ", announced=8000, kept=8000, until=None, label=b"data"
):
    """Return a WAV file of 0.5 s at 8 kHz, with faults in its header or its length."""
    header = struct.pack("<HHIIHH", 1, channels, 8000, 16000, 2, 16)
    samples = (3000 * np.sin(np.arange(4000) / 5)).astype("<i2").tobytes()[:kept]
    data = label + struct.pack("<I", announced) + samples
    return (b"RIFF" + struct.pack("<I", size) + form + struct.pack("<I", 16) + header + data)[
        :until
    ]


BROKEN_WAV = {
    "header cut before the size of the data": riff(until=40),
    "no channel": riff(channels=0),
    "format cut short": riff(until=30),
    "no data": riff(size=28, until=36),
    "size 0 of a stream that was never closed": riff(size=0, announced=0),
    "half of the samples": riff(kept=4000),
    "half a sample": riff(kept=3999),
    "empty": b"",
}


@pytest.mark.parametrize("fault", BROKEN_WAV)
def test_broken_wav_files_are_refused_in_one_sentence(tmp_path, fault):
    path = tmp_path / "seven.wav"
    path.write_bytes(BROKEN_WAV[fault])
    with pytest.raises(InputError, match=r"seven\.wav is not a readable WAV file") as told:
        corpora.read_wav(path, 8000)
    assert "\n" not in str(told.value)


def test_whole_wav_files_are_read(tmp_path):
    path = tmp_path / "seven.wav"
    path.write_bytes(riff())
    assert len(corpora.read_wav(path, 8000)) == 4000
    # A recorder's notes behind the sound are not ours to read.
    path.write_bytes(riff(size=8036 + 12) + b"note" + struct.pack("<I", 4) + b"cafe")
    assert len(corpora.read_wav(path, 8000)) == 4000
    with pytest.raises(InputError, match="no recording"):
        corpora.read_wav(tmp_path / "eight.wav", 8000)


# --- time multiplexing ----------------------------------------------------------------------


def test_mask_is_balanced_signs():
    weights = mask(78, seed=3)
    assert weights.shape == (400, 78)
    assert set(np.unique(weights)) == {-1.0, 1.0}
    assert abs(weights.mean()) < 0.02
    assert np.array_equal(weights, mask(78, seed=3))
    assert not np.array_equal(weights, mask(78, seed=4))


@pytest.mark.parametrize("front_end, channels", [(cochleagram, 78), (spectrogram, 65)])
def test_drives_have_the_spread_asked_for(synthesized, front_end, channels):
    few = corpora.Corpus("", "", ("one",), synthesized.sounds[:1, :2, :3])
    heard = features(few, front_end)
    played = drives(heard, mask(channels), spread=0.05, limit=np.inf)
    everything = np.concatenate([matrix.ravel() for matrix in played.flat])
    assert everything.std() == pytest.approx(0.05)
    # one factor for all: the mask can be taken off again
    recovered = np.linalg.lstsq(mask(channels), played[0, 1, 2], rcond=None)[0]
    ratio = recovered.sum() / heard[0, 1, 2].sum()
    np.testing.assert_allclose(recovered, ratio * heard[0, 1, 2], atol=1e-12)
    assert played[0, 0, 0].shape == (400, heard[0, 0, 0].shape[1])
    cut = drives(heard, mask(channels), spread=0.05, limit=0.1)
    np.testing.assert_array_equal(cut[0, 1, 2], np.clip(played[0, 1, 2], -0.1, 0.1))


def test_nodes_are_played_one_after_the_other():
    matrix = np.arange(12.0).reshape(4, 3) / 100
    drive = as_drive(matrix)
    np.testing.assert_allclose(drive.drive.values[:5] * 100, [0, 3, 6, 9, 1])
    assert drive.time.values[1] == pytest.approx(100e-9)
    assert np.array_equal(as_states(drive.drive.values, 4), matrix)
    assert as_drive([matrix, matrix]).sizes["time"] == 24


def test_measured_states_have_noise_of_their_own():
    played = np.empty((2,), dtype=object)
    played[:] = [np.zeros((10, 5)), np.zeros((10, 5))]
    first, second = multiplexing.measure(NanoOscillator(), played, seed=1)
    assert first.shape == (10, 5)
    assert not np.allclose(first, second)
    again = multiplexing.measure(NanoOscillator(), played, seed=1)
    assert np.array_equal(first, again[0])


@pytest.fixture
def small_model():
    return SpinODE(**OSCILLATOR.units(), width=8)


def drives_of_different_lengths():
    generator = np.random.default_rng(0)
    played = np.empty((2, 3), dtype=object)
    for frames, index in enumerate(np.ndindex(played.shape), start=3):
        played[index] = 0.1 * generator.normal(size=(20, frames))
    return played


def test_forecasts_side_by_side_are_those_one_by_one(small_model):
    played = drives_of_different_lengths()
    states = multiplexing.forecast_states(small_model, played)
    for index in np.ndindex(played.shape):
        drive = as_drive([played[index], np.zeros((1, 1))])
        alone = forecast(small_model, drive, initial=np.zeros(2), interpolation="linear")
        expected = as_states(alone.voltage.values[:-1], 20)
        np.testing.assert_allclose(states[index], expected, atol=1e-6)
        assert np.abs(expected).max() > 1e-3


def test_noise_at_the_input_is_seeded_and_differs_between_recordings(small_model):
    silent = np.empty((2,), dtype=object)
    silent[:] = [np.zeros((20, 4)), np.zeros((20, 4))]
    first, second = multiplexing.forecast_states(small_model, silent, noise=0.01, seed=1)
    again = multiplexing.forecast_states(small_model, silent, noise=0.01, seed=1)
    assert not np.allclose(first, second)
    assert np.array_equal(first, again[0])
    quiet = multiplexing.forecast_states(small_model, silent)
    assert np.array_equal(quiet[0], quiet[1])


def test_drives_beyond_the_trained_range_are_told_of_once(small_model):
    small_model.trained_range = {"voltage": (-9, 9), "drive": (-0.01, 0.01)}
    with pytest.warns(ForecastWarning, match="6 of 6 recordings .* -0.01 to 0.01 V") as told:
        multiplexing.forecast_states(small_model, drives_of_different_lengths())
    assert len(told) == 1


def test_simulations_side_by_side_are_those_one_by_one(small_model):
    played = drives_of_different_lengths()
    sde = NeuralSDE(small_model)
    states = multiplexing.simulate_states(sde, played, seed=1)
    seeds = np.random.SeedSequence(1).generate_state(6).reshape(2, 3)
    for index in np.ndindex(played.shape):
        alone = sample_path(
            NeuralSDE(small_model).float(),
            as_drive(played[index]),
            initial=np.zeros(2),
            seed=int(seeds[index]),
        )
        np.testing.assert_allclose(states[index], as_states(alone.voltage.values, 20))
    small_model.trained_range = {"voltage": (-1e-6, 1e-6), "drive": (-1, 1)}
    with pytest.raises(InputError, match=r"recording \(0, 0\): the simulation left the range"):
        multiplexing.simulate_states(NeuralSDE(small_model), played[:, :1])


def test_forecast_that_leaves_the_trained_range_is_refused(small_model):
    small_model.trained_range = {"voltage": (-1e-6, 1e-6), "drive": (-1, 1)}
    with pytest.raises(InputError, match=r"recording \(0, 0\) left the range"):
        multiplexing.forecast_states(small_model, drives_of_different_lengths()[:, :1])


# --- the authors' recordings ----------------------------------------------------------------


def cells(frames=3, shape=(5, 10, 10), nodes=400):
    generator = np.random.default_rng(0)
    array = np.empty(shape, dtype=object)
    for index in np.ndindex(shape):
        array[index] = generator.normal(size=(nodes, frames))
    return array


def test_reads_the_layout_of_the_authors(tmp_path):
    played, states = cells(), cells()
    targets = cells(nodes=10)
    path = tmp_path / "Cochlear.mat"
    savemat(path, {"spokenDB_2D_in": played, "spokenDB_2D": states, "targets": targets})
    session = read_session(path)
    assert session.drives.shape == session.states.shape == (5, 10, 10)
    assert np.array_equal(session.states[4, 9, 3], states[4, 9, 3])
    assert np.array_equal(session.drives[0, 0, 0], played[0, 0, 0])


@pytest.mark.parametrize(
    "contents, words",
    [
        ({"spokenDB_2D": cells(1, (1, 2, 3))}, "lacks the cell array spokenDB_2D_in"),
        ({"spokenDB_2D_in": np.eye(3), "spokenDB_2D": np.eye(3)}, "must be a cell array"),
        (
            {"spokenDB_2D_in": cells(1, (1, 2, 3)), "spokenDB_2D": cells(1, (1, 2, 4))},
            "differ in shape",
        ),
        (
            {"spokenDB_2D_in": cells(1, (1, 2, 3)), "spokenDB_2D": cells(2, (1, 2, 3))},
            r"cell \(0, 0, 0\)",
        ),
    ],
)
def test_other_layouts_are_refused(tmp_path, contents, words):
    path = tmp_path / "Cochlear.mat"
    savemat(path, contents)
    with pytest.raises(InputError, match=rf"Cochlear\.mat.*{words}"):
        read_session(path)


def damaged_mat(path, fault):
    """Write a MATLAB file of recordings that is broken in one way."""
    played, states = cells(1, (1, 2, 3)), cells(1, (1, 2, 3))
    if fault == "text":
        played[0, 0, 0] = "n/a"
    elif fault == "cells in a cell":
        played[0, 0, 0] = cells(1, (1, 2))
    elif fault == "complex":
        states[0, 0, 1] = states[0, 0, 1] * 1j
    savemat(
        path, {"spokenDB_2D_in": played, "spokenDB_2D": states}, do_compression=fault == "a bit"
    )
    whole = bytearray(path.read_bytes())
    if fault == "a bit":
        whole[len(whole) // 2] ^= 4
    ends = {"empty": 0, "cut in header": 100, "cut": len(whole) // 2}
    if fault == "web":
        whole = b"<!DOCTYPE html><html><body>404</body></html>"
    path.write_bytes(whole[: ends.get(fault)])


BROKEN_MAT = ["text", "cells in a cell", "complex", "a bit", "empty", "cut in header", "cut", "web"]


@pytest.mark.parametrize("fault", BROKEN_MAT)
def test_broken_recordings_are_refused_in_one_sentence(tmp_path, fault):
    path = tmp_path / "Cochlear.mat"
    damaged_mat(path, fault)
    with pytest.raises(InputError, match=r"Cochlear\.mat is not a readable MATLAB file") as told:
        read_session(path)
    assert "\n" not in str(told.value)


def test_unreadable_recordings_are_refused(tmp_path):
    path = tmp_path / "Cochlear.mat"
    with pytest.raises(InputError, match="not a readable MATLAB"):
        read_session(path)
    path.write_bytes(b"MATLAB 7.3 MAT-file".ljust(124) + b"\x00\x02IM" + bytes(512))
    with pytest.raises(InputError, match=r"'-v7'"):
        read_session(path)
    states = cells(1, (1, 2, 3))
    states[0, 1, 2][5, 0] = np.nan
    savemat(path, {"spokenDB_2D_in": cells(1, (1, 2, 3)), "spokenDB_2D": states})
    with pytest.raises(InputError, match=r"cell \(0, 1, 2\) holds NaN"):
        read_session(path)
