"""JupyterLab for the workbook: opens on the list of notebooks, texts open as notebooks."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import NoReturn

from spinode.errors import InputError
from spinode.files import replacing

#: The page that lists the notebooks.
INDEX = Path("notebooks", "README.md")
# Defaults of this JupyterLab alone; what somebody has chosen in the settings goes before them. An
# editable installation gives them to every JupyterLab of its environment (hatch_build.py).
_SETTINGS = resources.files("spinode.workflow") / "jupyterlab.json"
# The kernel of this environment by its full path: jupytext gives it to a text, which names none,
# only if it can tell that it is this Python. Otherwise JupyterLab asks.
_KERNEL = {
    "argv": [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"],
    "display_name": "Python 3 (spinode)",
    "language": "python",
    "metadata": {"debugger": True},
}


def start(root: Path, page: Path = INDEX, options: Sequence[str] = ()) -> NoReturn:
    """Become JupyterLab over the workbook: whatever stops this process stops it.

    Parameters
    ----------
    root : Path
        Folder of the workbook.
    page : Path
        What is opened first, below ``root``.
    options : sequence of str
        Further options of ``jupyter lab``, such as ``--no-browser``.

    Raises
    ------
    InputError
        If there is no such page.
    """
    if not (root / page).is_file():
        raise InputError(f"there is no {root / page} to open JupyterLab on.")
    address = f"--LabApp.default_url=/lab/tree/{page.as_posix()}"
    command = [sys.executable, "-m", "jupyterlab", str(root), address, *options]
    os.chdir(root)
    os.execve(sys.executable, command, environment(root))


def environment(root: Path, given: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Return the environment variables of JupyterLab; write what they point to under ``build``."""
    folder = root / "build" / "jupyter"
    _write(
        folder / "config" / "labconfig" / "default_setting_overrides.json",
        json.loads(_SETTINGS.read_text("utf-8")),
    )
    _write(folder / "data" / "kernels" / "python3" / "kernel.json", _KERNEL)
    first = {
        "PATH": Path(sys.executable).parent,  # a cell's !spinode is this one
        "JUPYTER_CONFIG_PATH": folder / "config",
        "JUPYTER_PATH": folder / "data",
    }
    added = {
        name: os.pathsep.join(filter(None, [str(path), given.get(name)]))
        for name, path in first.items()
    }
    return {**given, **added}


def _write(path: Path, contents: Mapping) -> None:
    with replacing(path) as partial:
        partial.write_text(json.dumps(contents, indent=2) + "\n", encoding="utf-8")
