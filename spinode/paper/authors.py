"""The authors' published data: what there is, whether it is here, and how to get it.

Source: github.com/Xing-CHEN18/NeuralODEs_for_physics, MIT licence. Every file is pinned by its
hash; none of them is part of this repository.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from importlib import resources
from pathlib import Path

import numpy as np

from spinode.errors import InputError
from spinode.files import replacing, workbook_root
from spinode.paper.digitized import digitized
from spinode.paper.download import download
from spinode.provenance import depends_on

COMMIT = "503303a3085df2428dbc01f7938b73f45db7a9e6"
_REPOSITORY = f"Xing-CHEN18/NeuralODEs_for_physics/{COMMIT}"

#: Tables, sequences and weights by the names that the notebooks use.
ONE_SKYRMION_TABLE = "Mumax3_simulations/1skyrmion_voltage_train/table.txt"
FOUR_SKYRMIONS_TABLE = "Mumax3_simulations/4skyrmion_voltage_train/table.txt"
PAIR_TABLE = "Mumax3_simulations/1skyrmion_input_PMA_DMI_train/table.txt"
KU_TEST_TABLE = "Mumax3_simulations/1skyrmion_input_PMA_DMI_test/Ku_ext_DMI/table.txt"
D_TEST_TABLE = "Mumax3_simulations/1skyrmion_input_PMA_DMI_test/DMI_ext_Ku/table.txt"
ONE_SKYRMION_MACKEY_GLASS_TABLE = "Mumax3_simulations/1skyrmion_voltage_mackey_glass/table.txt"
FOUR_SKYRMIONS_MACKEY_GLASS_TABLE = "Mumax3_simulations/4skyrmion_voltage_mackey_glass/table.txt"
MACKEY_GLASS_SERIES = "Mackey_Glass_series_prediction_skyrmion/mg.txt"

#: Recordings of the real oscillator by acoustic front end.
RECORDINGS = {
    "cochlear": "Spoken_digit_recog_oscillator/data_experiment/"
    "Cochlear_F_7mA_4482Oe_AVG1_10_10_2016.mat",
    "spectrogram": "Spoken_digit_recog_oscillator/data_experiment/"
    "Spectro_F_6mA_3497Oe_AVG1_03_11_2016.mat",
}
_RATES = "Spoken_digit_recog_oscillator/output/recg_"
#: Published recognition rates by front end and by what recognizes. The experiment with the
#: cochlear front end is published as a plot alone, read off to about 0.002.
RECOGNITION_RATES = {
    "cochlear": {
        "neural_ode": f"{_RATES}node_co_dim2.mat",
        "neural_ode_noise": f"{_RATES}node_noi_co_dim2.mat",
    },
    "spectrogram": {
        "oscillator": f"{_RATES}exp_dim2.mat",
        "neural_ode": f"{_RATES}node_spc_dim2.mat",
        "neural_ode_noise": f"{_RATES}node_noi_spc_dim2.mat",
    },
}
_DIGITIZED_RATES = {"cochlear": "recognition_cochlear"}


@dataclass(frozen=True)
class PublishedFile:
    """One file of the authors' repository, or of another one on GitHub.

    Parameters
    ----------
    path : str
        Path inside the repository, and inside the folder we keep its files in.
    size : int or None
        Bytes, where known.
    digest : str
        ``sha256:...`` of the content, or ``git:...``, its git blob id.
    lfs : bool
        Whether the repository keeps it in Git LFS.
    repository : str
        Owner, name and commit of the repository on GitHub.
    """

    path: str
    size: int | None
    digest: str
    lfs: bool
    repository: str = _REPOSITORY

    @property
    def url(self) -> str:
        """Where the file can be downloaded."""
        return f"{self.mirror}/{self.path}"

    @property
    def mirror(self) -> str:
        """The part of `url` that all files of the repository share, but for those in Git LFS."""
        if self.lfs:
            return f"https://media.githubusercontent.com/media/{self.repository}"
        return f"https://raw.githubusercontent.com/{self.repository}"

    def state(self, folder: Path) -> str:
        """Return ``here``, ``missing`` or ``corrupt`` for this file under ``folder``."""
        path = folder / self.path
        if not path.is_file():
            return "missing"
        return "here" if _digest(path, self.digest.partition(":")[0]) == self.digest else "corrupt"


def _digest(path: Path, kind: str) -> str:
    """Hash a file as ``sha256:...`` or as ``git:...`` (sha1 of its length and content)."""
    if kind == "git":
        hasher = hashlib.sha1(f"blob {path.stat().st_size}\0".encode(), usedforsecurity=False)
    else:
        hasher = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(1 << 20):
            hasher.update(chunk)
    return f"{kind}:{hasher.hexdigest()}"


@cache
def registry() -> tuple[PublishedFile, ...]:
    """Return every file of the authors that the workbook can use."""
    lines = (
        resources.files("spinode.paper")
        .joinpath("authors_files.txt")
        .read_text("utf-8")
        .splitlines()
    )
    files = []
    for line in lines:
        if line.startswith("#"):
            continue
        path, size, digest, *flags = line.split("\t")
        files.append(
            PublishedFile(path, None if size == "-" else int(size), digest, "lfs" in flags)
        )
    return tuple(files)


def folder() -> Path:
    """Return where the authors' files are kept, ``data/published`` in the workbook."""
    return workbook_root() / "data" / "published"


def locate(path: str) -> Path | None:
    """Return where the published file ``path`` lies, or None if it was not fetched.

    Raises
    ------
    InputError
        If the file is there but is not the one the authors published.
    """
    file = next(file for file in registry() if file.path == path)
    depends_on(folder() / path)
    state = file.state(folder())
    if state == "corrupt":
        raise InputError(
            f"{folder() / path} is not the file the authors published (its hash differs); "
            "delete it and run 'spinode fetch paper'."
        )
    return folder() / path if state == "here" else None


def fetch(
    source: Path | None = None,
    destination: Path | None = None,
    report: Callable[[PublishedFile, str], None] = lambda file, outcome: None,
    files: tuple[PublishedFile, ...] | None = None,
    mirror: str | None = None,
) -> dict[str, list[PublishedFile]]:
    """Copy or download files, verify each, and keep the good ones.

    A download that was cut off goes on where it was, from ``.partial`` in the destination.

    Parameters
    ----------
    source : path, optional
        A local copy of the repository (or of a part of it). Without one the files are
        downloaded from GitHub.
    destination : path, optional
        Where to put them; `folder` by default.
    report : callable
        Called with each file and its outcome as it comes: ``here`` (already verified),
        ``fetched``, ``missing`` (not in ``source``) or ``corrupt``.
    files : tuple of PublishedFile, optional
        What to fetch; the authors' files by default.
    mirror : str, optional
        Address of a folder that holds the files under their paths, to download from instead of
        GitHub.

    Returns
    -------
    dict
        The files by outcome.

    Raises
    ------
    InputError
        If ``source`` is not a folder.
    SpinodeError
        If the server cannot be reached; files fetched before stay.
    """
    destination = destination or folder()
    if source is not None and not source.is_dir():
        raise InputError(f"there is no folder {source} to fetch from.")
    outcomes: dict[str, list[PublishedFile]] = {}
    for file in registry() if files is None else files:
        outcome = file.state(destination)
        if outcome != "here":
            if source is None:
                outcome = _download(file, destination, mirror)
            else:
                outcome = _copy(file, source, destination)
        outcomes.setdefault(outcome, []).append(file)
        report(file, outcome)
    return outcomes


def _copy(file: PublishedFile, source: Path, destination: Path) -> str:
    state = file.state(source)
    if state != "here":
        return state
    with replacing(destination / file.path) as partial:
        shutil.copyfile(source / file.path, partial)
    return "fetched"


def _download(file: PublishedFile, destination: Path, mirror: str | None) -> str:
    url = f"{mirror.rstrip('/')}/{file.path}" if mirror else file.url
    kind = file.digest.partition(":")[0]
    partial = destination / ".partial" / file.digest.replace(":", "-")
    resumed = partial.is_file()
    download(url, partial, file.size)
    good = _digest(partial, kind) == file.digest
    if resumed and not good:  # what was there was no part of it, or was sent once more
        partial.unlink()
        download(url, partial, file.size)
        good = _digest(partial, kind) == file.digest
    if good:
        with replacing(destination / file.path) as whole:
            partial.replace(whole)
    else:
        partial.unlink()
    with suppress(OSError):  # others may lie there
        partial.parent.rmdir()
    return "fetched" if good else "corrupt"


def recognition_rates(front_end: str) -> dict[str, np.ndarray]:
    """Return the published recognition rates that were fetched, and those read off a plot.

    Parameters
    ----------
    front_end : {"cochlear", "spectrogram"}

    Returns
    -------
    dict of array, shape (9,)
        Rates for 1 to 9 training utterances by what recognizes: ``oscillator`` (the experiment),
        ``neural_ode``, ``neural_ode_noise``.
    """
    from scipy.io import loadmat

    rates = {}
    if front_end in _DIGITIZED_RATES:
        rates["oscillator"] = digitized(_DIGITIZED_RATES[front_end]).oscillator.to_numpy()
    for name, path in RECOGNITION_RATES[front_end].items():
        if where := locate(path):
            rates[name] = loadmat(where)["accuracy_ts_all"][0]
    return rates
