"""A profile in one file that can be deposited as it is: an RO-Crate (version 1.2)."""

from __future__ import annotations

import hashlib
import json
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import spinode
from spinode.errors import InputError, extra
from spinode.files import replacing, workbook_root

_METADATA = "ro-crate-metadata.json"
_PAPER = "https://doi.org/10.1038/s41467-022-28571-7"
_LICENSE = "https://spdx.org/licenses/MIT"

# What of a profile is packed, relative to the workbook, and what each is, in words.
_PARTS = {
    "results/{profile}": "numbers, as the notebooks measured them",
    "figures/{profile}": "figures, as the notebooks drew them",
    "build/{profile}/*.ipynb": "executed notebooks with all their outputs",
    "profiles/{profile}.yaml": "every parameter of the profile",
    "notebooks": "the notebooks as text",
    "spinode": "the package, with the trained models that ship",
    "dvc.yaml": "the pipeline",
    "dvc.lock": "hashes of everything that went in and came out",
    "constraints.txt": "the version of every package",
    "pyproject.toml": "what the package needs",
    "hatch_build.py": "what an installation of the workbook adds to it",
    "README.md": "how to run it",
    "CITATION.cff": "how to cite it",
    "LICENSE": "the licence",
}
_MEDIA = {
    ".json": "application/json",
    ".csv": "text/csv",
    ".png": "image/png",
    ".svg": "image/svg+xml",
    ".ipynb": "application/x-ipynb+json",
    ".md": "text/markdown",
    ".py": "text/x-python",
    ".yaml": "application/yaml",
}


def archive(profile: str, target: str | Path) -> Path:
    """Pack a finished profile as a zipped RO-Crate; return its path.

    Results, figures, executed notebooks, models, pipeline, lock and the paper's claims go in, each
    with its size and SHA-256.

    Parameters
    ----------
    profile : str
        Name of a file of ``profiles/``.
    target : path
        The ``.zip`` to write, completely or not at all.

    Raises
    ------
    InputError
        If the profile does not exist or has no results yet.
    """
    rocrate = extra("archive", "rocrate.rocrate", "an archive")
    root = workbook_root()
    finished = f"profiles/{profile}.yaml", f"results/{profile}", f"build/{profile}/*.ipynb"
    for needed in finished:
        if not any(root.glob(needed)):
            raise InputError(
                f"there is no {needed} to pack; run 'make PROFILE={profile} paper' first."
            )
    crate = rocrate.ROCrate(version="1.2")
    crate.name = f"spinode {spinode.__version__}, profile {profile}"
    crate.description = (
        "Forecasting the outcome of spintronic experiments with Neural Ordinary Differential "
        f"Equations, regenerated: results, figures, executed notebooks and models of {profile}."
    )
    crate.license = _LICENSE
    crate.root_dataset["citation"] = {"@id": _PAPER}
    crate.root_dataset["version"] = spinode.__version__
    for path, about in _files(root, profile):
        properties: dict[str, Any] = {
            "name": path.name,
            "description": about,
            "contentSize": str(path.stat().st_size),
            "sha256": _sha256(path.read_bytes()),
        }
        if path.suffix in _MEDIA:
            properties["encodingFormat"] = _MEDIA[path.suffix]
        crate.add_file(path, path.relative_to(root).as_posix(), properties=properties)
    with tempfile.TemporaryDirectory() as scratch, replacing(target) as partial:
        packed = Path(crate.write_zip(Path(scratch) / "crate.zip"))
        partial.write_bytes(packed.read_bytes())
    return Path(target)


def verify(path: str | Path) -> int:
    """Check that an archive holds what its metadata say; return the number of its files.

    Raises
    ------
    InputError
        If it is not such an archive, or for the first file that is missing, changed or not listed.
    """
    try:
        with zipfile.ZipFile(path) as packed:
            graph = json.loads(packed.read(_METADATA))["@graph"]
            listed = {one["@id"]: one for one in graph if one.get("@type") == "File"}
            held = {name for name in packed.namelist() if not name.endswith("/")} - {_METADATA}
            for name, one in listed.items():
                if name not in held:
                    raise InputError(f"{path} lacks {name}, which its metadata list.")
                if _sha256(packed.read(name)) != one.get("sha256"):
                    raise InputError(f"{path}: {name} is not the file that was packed.")
            if extra := sorted(held - set(listed)):
                raise InputError(f"{path} holds {extra[0]}, which its metadata do not list.")
    except FileNotFoundError:
        raise InputError(f"there is no archive at {path}.") from None
    except (OSError, KeyError, ValueError, TypeError, zipfile.BadZipFile) as error:
        raise InputError(
            f"{path} is not an archive of a profile, or is damaged ({error})."
        ) from None
    return len(listed)


def _files(root: Path, profile: str) -> Iterator[tuple[Path, str]]:
    """Yield every file to pack and what it is."""
    for pattern, about in _PARTS.items():
        for part in sorted(root.glob(pattern.format(profile=profile))):
            for path in sorted(part.rglob("*")) if part.is_dir() else (part,):
                folders = path.relative_to(root).parts[:-1]
                hidden = any(one.startswith((".", "__")) for one in folders)
                if path.is_file() and not hidden and path.suffix not in {".partial", ".pyc"}:
                    yield path, about


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
