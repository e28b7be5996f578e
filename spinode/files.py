"""Where the workbook's files lie, and how they are written."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from spinode.errors import InputError

if TYPE_CHECKING:
    import numpy as np


@contextmanager
def replacing(path: str | Path) -> Iterator[Path]:
    """Yield a path to write to, which takes the place of ``path`` once the block has succeeded.

    A reader sees the old file or the new one, never half of either, whenever the writer is
    killed, and however many write at once: each has a partial file of its own, and the last to
    finish stays. The folder is made if need be.

    Raises
    ------
    InputError
        If the folder or file cannot be written.
    """
    path = Path(path)
    # No two writers share one, neither threads nor processes, on one machine or on several.
    partial = path.with_name(f"{path.name}.{uuid.uuid4().hex[:12]}.partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield partial
        partial.replace(path)
    except OSError as error:
        raise InputError(f"cannot write {path}: {error.strerror or error}.") from None
    finally:
        with suppress(OSError):
            partial.unlink()


def write_arrays(path: str | Path, **arrays) -> None:
    """Write arrays as a ``.npz`` file, completely or not at all.

    Raises
    ------
    InputError
        If the folder or file cannot be written.
    """
    import numpy as np

    with replacing(path) as partial, partial.open("wb") as file:
        np.savez(file, names=sorted(arrays), **arrays)


def read_arrays(path: str | Path) -> dict[str, np.ndarray]:
    """Return what `write_arrays` was given; nothing that stands in the file is executed.

    Raises
    ------
    InputError
        If it is another file, or a damaged one: every array has a checksum, and all their names
        are kept, since one wrong bit can hide an array.
    """
    import numpy as np

    try:
        with np.load(path, allow_pickle=False) as contents:
            arrays = {name: contents[name] for name in contents.files}
        names = arrays.pop("names").tolist()
    except Exception as error:  # a damaged file can make the library say anything
        said = " ".join(str(error).split()) or type(error).__name__
        raise InputError(f"{path} cannot be read ({said}).") from None
    if names != sorted(arrays):
        raise InputError(f"{path} cannot be read (it lacks some of {', '.join(names)}).")
    return arrays


@contextmanager
def exclusive(path: Path, busy: str) -> Iterator[None]:
    """Hold the lock file ``path``; it is free again when this process ends, however that is.

    Raises
    ------
    InputError
        ``busy``, if another process holds it; or if it cannot be written.
    """
    from filelock import FileLock, Timeout

    lock = FileLock(path, timeout=0)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock.acquire()
    except Timeout:
        raise InputError(busy) from None
    except OSError as error:
        raise InputError(f"cannot write to {path.parent}: {error.strerror or error}.") from None
    try:
        yield
    finally:
        lock.release()


def check_writable(folder: Path) -> None:
    """Make ``folder`` and see that a long job will be able to write there, before it starts.

    Raises
    ------
    InputError
        If it cannot be made or is read-only.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"cannot write to {folder}: {error.strerror or error}.") from None
    if not os.access(folder, os.W_OK):
        raise InputError(f"cannot write to {folder}: it is read-only.")


def first_line(path: Path) -> str:
    """Return the first line of ``path``, refusing what cannot hold data at all."""
    try:
        with path.open("rb") as file:
            line = file.readline(1 << 20).decode("latin-1").rstrip("\r\n")
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror or error}.") from None
    if line.startswith("version https://git-lfs"):
        raise InputError(
            f"{path} is a Git LFS pointer, not the data: fetch it with 'git lfs pull' in the "
            "repository it comes from, or with 'spinode fetch paper'."
        )
    return line


def workbook_root() -> Path:
    """Return the folder of the workbook that the working directory lies in.

    It is the nearest one upwards that holds ``notebooks`` and ``profiles``.

    Raises
    ------
    InputError
        If there is none.
    """
    here = Path.cwd()
    for folder in (here, *here.parents):
        if (folder / "notebooks").is_dir() and (folder / "profiles").is_dir():
            return folder
    raise InputError(
        f"{here} does not lie in a spinode workbook (a folder with notebooks/ and profiles/); "
        "go to your clone of the repository."
    )
