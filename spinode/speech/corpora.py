"""Spoken digits: recordings of several speakers behind one interface, at one rate and level.

Two corpora: the Free Spoken Digit Dataset, fetched with ``spinode fetch fsdd``, and digits spoken
by the espeak-ng synthesizer, which need no download. Both hold ten utterances of the ten digits by
each of five speakers, as the paper's recordings do.
"""

from __future__ import annotations

import ctypes
import shutil
import tempfile
import warnings
from dataclasses import dataclass
from functools import cache
from importlib import resources
from math import gcd
from pathlib import Path

import numpy as np
from scipy.io import wavfile
from scipy.signal import resample_poly

from spinode.errors import InputError
from spinode.files import workbook_root
from spinode.paper.authors import PublishedFile

#: Sampling rate of every sound of a corpus (Hz), that of the paper's recordings.
RATE = 12_500
#: Root-mean-square level of every sound of a corpus, where 1 is full scale: quiet speech,
#: at which the gain control of `spinode.speech.cochlea` works in its middle range.
LEVEL = 0.003
DIGITS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")

_UTTERANCES = 10
_FSDD_RATE = 8000
_FSDD_REPOSITORY = "Jakobovski/free-spoken-digit-dataset/26eb9aaf76e81b692f806f9140c2d2777410d7a1"
# This many samples in a row at full scale are the flat top of a wave that was too loud.
_CLIPPED_RUN = 4
# Espeak-ng voices that differ in accent and in timbre, with the pitch (0 to 99) natural to each.
_VOICES = {
    "en-us": 50,
    "en-gb-scotland+m3": 40,
    "en-us+f3": 60,
    "en-029+m7": 35,
    "en-gb-x-rp+f2": 65,
}
_TRIM = 0.02  # of the peak: quieter is the silence around a synthesized word


@dataclass(frozen=True, eq=False)
class Corpus:
    """Spoken digits.

    Parameters
    ----------
    name, credit : str
        Its name, and its authors and licence.
    speakers : tuple of str
    sounds : object array, shape (speakers, utterances, digits)
        Each a float64 array of samples at `RATE` and with an rms of `LEVEL`.
    """

    name: str
    credit: str
    speakers: tuple[str, ...]
    sounds: np.ndarray


def corpus() -> Corpus:
    """Return the Free Spoken Digit Dataset if it was fetched, else synthesized digits."""
    if (folder() / "recordings").is_dir():
        return free_spoken_digits()
    return synthesized_digits()


# --- the Free Spoken Digit Dataset ----------------------------------------------------------


@cache
def registry() -> tuple[PublishedFile, ...]:
    """Return the files of the Free Spoken Digit Dataset that the workbook uses, with hashes."""
    lines = (
        resources.files("spinode.speech").joinpath("fsdd_files.txt").read_text("utf-8").splitlines()
    )
    rows = [line.split("\t") for line in lines if not line.startswith("#")]
    return tuple(
        PublishedFile(path, int(size), digest, False, repository=_FSDD_REPOSITORY)
        for path, size, digest in rows
    )


def folder() -> Path:
    """Return where the Free Spoken Digit Dataset is kept, ``data/fsdd`` in the workbook."""
    return workbook_root() / "data" / "fsdd"


def free_spoken_digits(where: Path | None = None) -> Corpus:
    """Read the Free Spoken Digit Dataset: five speakers, ten utterances of each digit.

    Parameters
    ----------
    where : path, optional
        Folder that holds ``recordings/{digit}_{speaker}_{utterance}.wav``; `folder` by default.

    Raises
    ------
    InputError
        If a recording is missing or is not one channel at 8 kHz of unclipped sound.
    """
    where = where or folder()
    names = [Path(file.path).stem.split("_") for file in registry()]
    speakers = tuple(sorted({speaker for _, speaker, _ in names}))
    sounds = np.empty((len(speakers), _UTTERANCES, len(DIGITS)), dtype=object)
    paths = {tuple(name): where / file.path for name, file in zip(names, registry(), strict=True)}
    missing = [path.name for path in paths.values() if not path.is_file()]
    if missing:
        raise InputError(
            f"{where} lacks {len(missing)} of {len(paths)} recordings, the first {missing[0]}; "
            "get them with 'spinode fetch fsdd' and leave their names as they are."
        )
    for (digit, speaker, utterance), path in paths.items():
        sound = read_wav(path, _FSDD_RATE)
        sounds[speakers.index(speaker), int(utterance), int(digit)] = _level(sound, _FSDD_RATE)
    credit = "Free Spoken Digit Dataset, Zohar Jackson et al., CC BY-SA 4.0"
    return Corpus("Free Spoken Digit Dataset", credit, speakers, sounds)


def read_wav(path: Path, rate: int) -> np.ndarray:
    """Read one channel of 16-bit sound.

    Parameters
    ----------
    path : path
    rate : int
        The sampling rate it must have (Hz).

    Returns
    -------
    array, shape (samples,)
        1 is full scale.

    Raises
    ------
    InputError
        If it is not such a file, or cut short, or silent, or clipped.
    """
    try:
        with warnings.catch_warnings():
            # A file that ends before its header says is a warning to SciPy; chunks of other
            # programs (titles, cue points) do not matter here.
            warnings.simplefilter("error", wavfile.WavFileWarning)
            warnings.filterwarnings("ignore", "Chunk", wavfile.WavFileWarning)
            found, samples = wavfile.read(path)
    except FileNotFoundError:
        raise InputError(f"there is no recording {path}.") from None
    except Exception:
        # A broken header leads SciPy into errors of any kind (scipy#16698), whose words say little.
        raise InputError(
            f"{path} is not a readable WAV file: its header is damaged or it is cut short; "
            "export it again as 16-bit PCM."
        ) from None
    if found != rate:
        raise InputError(f"{path} is sampled at {found} Hz, not {rate} Hz; resample it.")
    if samples.ndim != 1:
        raise InputError(f"{path} has {samples.shape[1]} channels; mix it down to one.")
    if samples.dtype != np.int16:
        raise InputError(f"{path} holds {samples.dtype} samples; save it as 16-bit PCM.")
    samples = samples.astype(int)  # differences of 16-bit numbers overflow
    if not samples.size or np.ptp(samples) < 16:
        raise InputError(f"{path} is silent; record it again or leave it out.")
    full = np.abs(samples) >= 32767
    runs = np.convolve(full, np.ones(_CLIPPED_RUN, int), "valid")
    if runs.size and runs.max() == _CLIPPED_RUN:
        raise InputError(f"{path} is clipped (flat tops at full scale); record it less loud.")
    return samples / 32768.0


def _level(sound: np.ndarray, rate: int) -> np.ndarray:
    """Bring ``sound`` to `RATE` and `LEVEL`."""
    common = gcd(RATE, rate)
    sound = resample_poly(sound - sound.mean(), RATE // common, rate // common)
    return LEVEL / np.sqrt(np.mean(sound**2)) * sound


# --- espeak-ng ------------------------------------------------------------------------------


def synthesized_digits(seed: int = 0) -> Corpus:
    """Return digits spoken by espeak-ng: five voices, ten utterances of varied pitch and rate.

    Parameters
    ----------
    seed : int
        Seed of the variation; the same seed gives the same sounds.

    Raises
    ------
    InputError
        If the package espeakng-loader, which brings the synthesizer, is missing.
    """
    generator = np.random.default_rng(seed)
    speak = _espeak()
    sounds = np.empty((len(_VOICES), _UTTERANCES, len(DIGITS)), dtype=object)
    for speaker, (voice, pitch) in enumerate(_VOICES.items()):
        for utterance in range(_UTTERANCES):
            for digit, word in enumerate(DIGITS):
                rate, sound = speak(
                    word,
                    voice,
                    pace=round(generator.normal(165, 20)),
                    pitch=round(np.clip(generator.normal(pitch, 6), 0, 99)),
                    melody=round(np.clip(generator.normal(50, 20), 0, 99)),
                )
                loud = np.flatnonzero(np.abs(sound) > _TRIM * np.abs(sound).max())
                sounds[speaker, utterance, digit] = _level(sound[loud[0] : loud[-1] + 1], rate)
    return Corpus("espeak-ng", "spoken by espeak-ng (GPL-3.0)", tuple(_VOICES), sounds)


# Constants of espeak-ng's speak_lib.h.
_SYNCHRONOUS, _RATE_PARAMETER, _PITCH_PARAMETER, _RANGE_PARAMETER = 2, 1, 3, 4
_POSITION_CHARACTER, _UTF8 = 1, 1


def _espeak():
    """Return a function that speaks a word and gives its rate (Hz) and samples."""
    try:
        import espeakng_loader
    except ModuleNotFoundError:
        raise InputError(
            "there is no speech here: fetch recorded digits with 'spinode fetch fsdd', or install "
            "the synthesizer espeak-ng (GPL) with 'pip install \"spinode[speech]\"'."
        ) from None
    # The synthesizer's melody goes on from word to word and cannot be reset; a copy of the library
    # starts afresh, so that the same seed speaks the same way.
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as scratch:
        try:
            library = ctypes.CDLL(shutil.copy(espeakng_loader.get_library_path(), scratch))
        except OSError as error:
            raise InputError(
                f"the synthesizer of espeakng-loader does not load ({error}); fetch recorded "
                "digits with 'spinode fetch fsdd'."
            ) from None
    data = espeakng_loader.get_data_path().encode()
    rate = library.espeak_Initialize(_SYNCHRONOUS, 0, data, 0)
    if rate <= 0:
        raise InputError("espeak-ng cannot read its voices; reinstall espeakng-loader.")
    chunks: list[np.ndarray] = []

    @ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.c_void_p)
    def receive(samples, count, _events):
        if samples and count > 0:
            chunks.append(np.ctypeslib.as_array(samples, (count,)).copy())
        return 0

    library.espeak_SetSynthCallback(receive)
    library.espeak_Synth.argtypes = [
        ctypes.c_char_p,
        ctypes.c_size_t,
        ctypes.c_uint,
        ctypes.c_int,
        ctypes.c_uint,
        ctypes.c_uint,
        ctypes.c_void_p,
        ctypes.c_void_p,
    ]

    def speak(word: str, voice: str, *, pace: int, pitch: int, melody: int):
        if library.espeak_SetVoiceByName(voice.encode()) != 0:
            raise InputError(f"espeak-ng has no voice {voice}; update espeakng-loader.")
        library.espeak_SetParameter(_RATE_PARAMETER, pace, 0)
        library.espeak_SetParameter(_PITCH_PARAMETER, pitch, 0)
        library.espeak_SetParameter(_RANGE_PARAMETER, melody, 0)
        library.espeak_ng_SetRandSeed(ctypes.c_long(1))  # breath is noise
        chunks.clear()
        text = word.encode()
        library.espeak_Synth(text, len(text) + 1, 0, _POSITION_CHARACTER, 0, _UTF8, None, None)
        return rate, np.concatenate(chunks) / 32768.0

    # The library calls ``receive`` for as long as ``speak`` lives: keep it alive as long.
    speak.receive = receive
    return speak
