"""What a result depends on, and what made it.

The first is the notebook's text, the code it imports and the files it reads; a sweep keeps it with
every point, and computes a point again only when some of it has changed. The second is a record
for readers: commit, parameters, versions, machine and time.
"""

from __future__ import annotations

import ast
import hashlib
import json
import os
import platform
import subprocess
import time
from collections.abc import Mapping
from contextlib import suppress
from functools import lru_cache
from importlib import metadata
from pathlib import Path
from typing import Any

from spinode import HOMES, __version__

#: Environment variable that names the folder a notebook writes to instead of the workbook's.
OUTPUTS = "SPINODE_OUTPUTS"

#: Environment variable by which a notebook that is executed knows its record, as JSON.
RECORD = "SPINODE_RECORD"

# Packages whose version can change a number; constraints.txt has all the others.
_COMPUTING = ("llvmlite", "numba", "numpy", "rocket-fft", "scipy", "torch", "xarray")
# What running the pipeline itself changes in a checkout.
_MADE = (":!results", ":!figures", ":!dvc.lock")

_PACKAGE = Path(__file__).parent
_NOTES = "inputs.txt"


def code_version(source: str) -> str:
    """Return a fingerprint of Python source and of the spinode modules that it imports.

    Modules count that are imported directly or by another one that counts, inside functions too,
    so that work on one part of the package leaves results of the others valid. So do the tables
    that lie beside a module and are named in it.

    Parameters
    ----------
    source : str
        Text of a notebook.
    """
    fingerprint = hashlib.sha256(source.encode())
    for path in sorted(package_files(source)):
        fingerprint.update(path.relative_to(_PACKAGE).as_posix().encode())
        fingerprint.update(path.read_bytes())
    return fingerprint.hexdigest()


def package_files(source: str) -> set[Path]:
    """Return the `modules` of Python ``source`` and the tables beside them that they name."""
    found = modules(source)
    named = set()
    for path in found:
        text = path.read_text("utf-8")
        tables = (one for one in path.parent.iterdir() if one.is_file() and one.suffix != ".py")
        named |= {one for one in tables if f'"{one.name}"' in text}
    return found | named


def modules(source: str) -> set[Path]:
    """Return the files of spinode that Python ``source`` imports, directly or not."""
    found: set[Path] = set()
    sources = [source]
    while sources:
        for node in ast.walk(ast.parse(sources.pop())):
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and node.module:
                names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
                if node.module == _PACKAGE.name:  # loaded at first use: not in its source
                    names += [HOMES[alias.name] for alias in node.names if alias.name in HOMES]
            else:
                continue
            for name in names:
                package, *parts = name.split(".")
                if package != _PACKAGE.name:
                    continue
                # Importing a module runs the __init__ of every package above it.
                inits = [
                    _PACKAGE.joinpath(*parts[:n], "__init__.py") for n in range(len(parts) + 1)
                ]
                for path in (*inits, _PACKAGE.joinpath(*parts).with_suffix(".py")):
                    if path.is_file() and path not in found:
                        found.add(path)
                        sources.append(path.read_text("utf-8"))
    return found


def depends_on(path: Path) -> None:
    """Note that the notebook now running under a sweep depends on the file ``path``.

    A file that is not there is noted as well: a result without it differs from one with it.
    """
    folder = os.environ.get(OUTPUTS)
    if folder:
        with Path(folder, _NOTES).open("a", encoding="utf-8") as notes:
            notes.write(f"{path}\n")


def take_notes(folder: Path, root: Path) -> dict[str, str | None]:
    """Return, and remove, what `depends_on` has noted in ``folder``.

    Returns
    -------
    dict
        `digest` by path, relative to the workbook's ``root``.
    """
    notes = folder / _NOTES
    if not notes.is_file():
        return {}
    paths = sorted(set(notes.read_text("utf-8").splitlines()))
    notes.unlink()
    return {os.path.relpath(path, root): digest(Path(path)) for path in paths}


def digest(path: Path) -> str | None:
    """Return the SHA-256 of a file, or None if there is no such file."""
    try:
        stat = path.stat()
    except FileNotFoundError:
        return None
    return _digest(path, stat.st_size, stat.st_mtime_ns)


@lru_cache(maxsize=1024)
def _digest(path: Path, size: int, changed: int) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def begin(
    root: Path,
    notebook: str | None = None,
    profile: str | None = None,
    parameters: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Return what is known of a run at its start; `finished` completes it.

    Parameters
    ----------
    root : Path
        The workbook.
    notebook : str, optional
        Name of the notebook; None where cells are run by hand.
    profile : str, optional
        Name of the profile it runs under.
    parameters : mapping, optional
        All of its parameters and their values.

    Returns
    -------
    dict
        What JSON can hold: ``notebook``; ``commit`` and ``dirty``, whether tracked files other
        than results, figures and the lock differ from it (both None outside of a git repository);
        ``profile``, ``parameters`` and, of these, the ``seeds`` (None where not known);
        ``versions``, ``machine`` and ``started`` (seconds since 1970).
    """
    commit = _git(root, "rev-parse", "HEAD")
    changed = _git(root, "status", "--porcelain", "--untracked-files=no", "--", ".", *_MADE)
    values = None if parameters is None else dict(parameters)
    return {
        "notebook": notebook,
        "commit": commit,
        "dirty": None if changed is None else bool(changed),
        "profile": profile,
        "parameters": values,
        "seeds": values and {name: one for name, one in values.items() if "seed" in name},
        "versions": _versions(),
        "machine": _machine(),
        "started": time.time(),
    }


def finished(record: Mapping[str, Any]) -> dict[str, Any]:
    """Return the record of a run up to now: ``started`` as a date, ``duration_s`` beside it."""
    started = record["started"]
    date = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(started))
    return {**record, "started": date, "duration_s": round(time.time() - started, 1)}


def current(root: Path) -> dict[str, Any]:
    """Return, from within a notebook, the record of its run up to now.

    Of cells that are run by hand neither notebook nor parameters nor duration are known.
    """
    text = os.environ.get(RECORD)
    return finished(json.loads(text)) if text else {**finished(begin(root)), "duration_s": None}


def _git(root: Path, *arguments: str) -> str | None:
    """Return what git says, or None where there is no git or no repository."""
    try:
        done = subprocess.run(
            ["git", *arguments], cwd=root, capture_output=True, text=True, timeout=60, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None


@lru_cache(maxsize=1)
def _versions() -> dict[str, str]:
    found = {"python": platform.python_version(), "spinode": __version__}
    for name in _COMPUTING:
        with suppress(metadata.PackageNotFoundError):  # some are optional
            found[name] = metadata.version(name)
    return found


@lru_cache(maxsize=1)
def _machine() -> dict[str, Any]:
    """Return the kind of machine this is, without a name that would identify its owner."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return {"system": platform.system(), "processor": _processor(), "cores": cores}


def _processor() -> str:
    """Return the processor's model where the system tells, else its architecture."""
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
    except OSError:
        lines = []
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return f"{platform.machine()}{f', {models[0]}' if models else ''}"
