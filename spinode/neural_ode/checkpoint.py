"""The checkpoint of a training: its state, and what it is the state of.

A training manages its checkpoint: it resumes from it, starts again where the code has changed,
refuses one of other data or settings, and removes it at the end.
"""

from __future__ import annotations

import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np

from spinode.errors import InputError
from spinode.files import check_writable
from spinode.neural_ode import model_file

_SECONDS = 5.0


class CheckpointWarning(UserWarning):
    """A training started again, as its checkpoint was made by other code."""


class Checkpoint:
    """A file that holds the state of a training, or no file at all.

    Parameters
    ----------
    path : path or None
        None keeps nothing.
    kept : bool
        Whether the file outlives the training, as one of several that belong together: whoever
        started them removes it.

    Raises
    ------
    InputError
        If the folder cannot be written.
    """

    def __init__(self, path: str | Path | None, *, kept: bool = False):
        self.path = None if path is None else Path(path)
        self.kept = kept
        self._written = time.monotonic()
        if self.path is not None:
            check_writable(self.path.parent)

    @property
    def is_due(self) -> bool:
        """Whether it is time to write again."""
        return self.path is not None and time.monotonic() - self._written > _SECONDS

    def write(self, code: str, settings: dict[str, Any], state: dict[str, Any]) -> None:
        """Write the state, completely or not at all.

        Parameters
        ----------
        code : str
            Fingerprint of the code (`spinode.provenance.code_version`).
        settings : dict
            What JSON can hold; ``data`` is a fingerprint of the data.
        state : dict
            Arrays, and what JSON can hold.
        """
        if self.path is None:
            return
        arrays = {name: value for name, value in state.items() if isinstance(value, np.ndarray)}
        rest = {name: value for name, value in state.items() if name not in arrays}
        model_file.write(self.path, {"code": code, "settings": settings, "state": rest}, arrays)
        self._written = time.monotonic()

    def read(self, code: str, settings: dict[str, Any]) -> dict[str, Any] | None:
        """Return the state, or None if there is none of this code.

        Raises
        ------
        InputError
            If the file is damaged, or belongs to other settings or data.
        """
        if self.path is None or not self.path.exists():
            return None
        try:
            about, arrays = model_file.contents(self.path)
            theirs, their_code, rest = about["settings"], about["code"], about["state"]
        except (ValueError, KeyError):
            raise InputError(f"{self.path} is not a training checkpoint; delete it.") from None
        if their_code != code:
            warnings.warn(
                f"the training in {self.path} was begun by other code than this; "
                "it starts again from the beginning.",
                CheckpointWarning,
                stacklevel=2,
            )
            return None
        for name, value in settings.items():
            if theirs.get(name) == value:
                continue
            what = (
                "on other data or from other weights"
                if name == "data"
                else f"with {name} = {theirs.get(name)}, not {value}"
            )
            raise InputError(
                f"the training in {self.path} was made {what}; delete it to start again."
            )
        return {**rest, **arrays}

    def end(self) -> None:
        """Remove the file of a training that is over, unless it is kept."""
        if not self.kept:
            self.remove()

    def remove(self) -> None:
        """Remove the file, if there is one."""
        if self.path is not None:
            self.path.unlink(missing_ok=True)
