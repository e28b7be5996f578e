"""Files of models: numpy's ``.npz``, arrays and a description in JSON that nothing can execute."""

from __future__ import annotations

import json
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from spinode.errors import InputError
from spinode.files import replacing

# What zipfile raises for an archive with a wrong byte: one may ask for a password (RuntimeError).
_BROKEN = (zipfile.BadZipFile, RuntimeError, zlib.error)


def write(path: str | Path, about: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> Path:
    """Write a model, completely or not at all; return its path.

    Parameters
    ----------
    path : path
    about : mapping
        What JSON can hold; ``format`` names the kind of file and its version.
    arrays : mapping of str to array
        Weights, by names other than ``description``.

    Raises
    ------
    InputError
        If the file cannot be written.
    """
    with replacing(path) as partial, partial.open("wb") as file:
        # The names are kept, too: one flipped bit can hide an array from a reader of the archive.
        description = json.dumps({**about, "arrays": sorted(arrays)}, default=float)
        np.savez(file, description=description, **arrays)
    return Path(path)


def read(path: str | Path, kind: str) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Return what `write` was given; nothing that stands in the file is executed.

    Parameters
    ----------
    path : path
    kind : str
        The ``format`` that the file must have.

    Raises
    ------
    InputError
        If there is no such file, or it is not of that kind.
    """
    path = Path(path)
    if not path.exists():
        raise InputError(f"there is no model at {path}; train it first.")
    try:
        about, arrays = contents(path)
    except ValueError:
        raise InputError(f"{path} is not a saved model; train the model again.") from None
    if about.get("format") != kind:
        raise InputError(f"{path} is not in this version's format ({kind}); train the model again.")
    return about, arrays


def kind(path: str | Path) -> str | None:
    """Return the ``format`` of a model's file; None if it is not one."""
    try:
        return contents(path)[0].get("format")
    except ValueError:
        return None


def contents(path: str | Path) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Return description and arrays of any file of `write`.

    Raises
    ------
    ValueError
        If the file is damaged, or is not one of them.
    """
    try:
        with np.load(path, allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in archive.files}
        about = json.loads(str(arrays.pop("description")))
        named = about.pop("arrays", None)
    except (OSError, EOFError, KeyError, AttributeError, TypeError, *_BROKEN) as error:
        raise ValueError(str(error)) from None
    if named is not None and named != sorted(arrays):
        raise ValueError("arrays are missing")
    return about, arrays
