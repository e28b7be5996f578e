"""Files of models: numpy's ``.npz``, arrays and a description in JSON that nothing can execute."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from spinode.errors import InputError
from spinode.files import read_arrays, replacing


def write(path: str | Path, about: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> Path:
    """Write a model, whole or not at all; return its path.

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
        np.savez(file, description=json.dumps(about, default=float), **arrays)
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
    try:
        arrays = read_arrays(path)
        about = json.loads(str(arrays.pop("description")))
    except FileNotFoundError:
        raise InputError(f"there is no model at {path}; train it first.") from None
    except (InputError, ValueError, KeyError, AttributeError):
        raise InputError(f"{path} is no saved model; train the model again.") from None
    if not isinstance(about, dict) or about.get("format") != kind:
        raise InputError(f"{path} is not in this version's format ({kind}); train the model again.")
    return about, arrays
