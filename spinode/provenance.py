"""What a result depends on: the notebook's text, the code it imports and the files it reads.

A sweep keeps this with every point, and computes a point again only when some of it has changed.
"""

from __future__ import annotations

import ast
import hashlib
import os
from functools import lru_cache
from pathlib import Path

from spinode import HOMES

#: Environment variable that names the folder a notebook writes to instead of the workbook's.
OUTPUTS = "SPINODE_OUTPUTS"

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
