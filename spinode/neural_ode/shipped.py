"""Trained models that come with the package, each with a card that says where it is from.

>>> from spinode import load_model
>>> load_model("one_skyrmion").output.name
'mz'
"""

from __future__ import annotations

import difflib
import json
from importlib import resources
from pathlib import Path
from typing import Any

from spinode.errors import InputError
from spinode.neural_ode import latent, model_file
from spinode.neural_ode.latent import LatentODE
from spinode.neural_ode.model import SpinODE

_FOLDER = resources.files("spinode.neural_ode") / "models"


def names() -> tuple[str, ...]:
    """Return the names of the models that come with the package."""
    files = (one.name for one in _FOLDER.iterdir())
    return tuple(sorted(name.removesuffix(".json") for name in files if name.endswith(".json")))


def load_model(name: str | Path) -> SpinODE | LatentODE:
    """Return a trained model by name, or one of either form from its file.

    Its weights are read as plain numbers; nothing in the file is executed.

    Parameters
    ----------
    name : str or path
        One of `names`, or a file that `save` wrote.

    Raises
    ------
    InputError
        If there is no such model.
    """
    if isinstance(name, Path) or str(name).endswith(".npz"):
        kind = model_file.kind(name)
        return (LatentODE if kind == latent.FORMAT else SpinODE).load(name)
    with resources.as_file(_FOLDER / f"{_known(name)}.npz") as path:
        return SpinODE.load(path)


def card(name: str) -> dict[str, Any]:
    """Return what is known of a model: what it learned from, its seed, range and errors.

    Returns
    -------
    dict
        ``title``, ``learned_from``, ``profile``, ``seed``, ``errors`` (by name), ``trained_range``
        (SI, by channel), ``first_samples`` (of the device at rest, where a forecast may begin, SI),
        ``commit`` (of the code that trained it) and ``sha256`` (of the weights' file).

    Raises
    ------
    InputError
        If there is no such model.
    """
    return json.loads((_FOLDER / f"{_known(name)}.json").read_text("utf-8"))


def folder() -> Path:
    """Return where the models lie in a checkout."""
    return Path(str(_FOLDER))


def _known(name: str) -> str:
    if name not in names():
        near = difflib.get_close_matches(str(name), names(), 1)
        hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(names())}."
        raise InputError(f"no model {name!r} comes with the package; {hint}")
    return name
