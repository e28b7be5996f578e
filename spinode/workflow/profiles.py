"""Profiles, and values as they are typed: YAML 1.2 throughout."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from spinode.errors import InputError
from spinode.files import workbook_root

#: Defaults of a parameter that stand for a value of another type.
ANY = (None, "auto")


def load_profile(profile: str) -> dict[str, dict[str, Any]]:
    """Return the parameters of every notebook under ``profile``.

    Raises
    ------
    InputError
        If there is no such profile, or its file cannot be read; the nearest name is suggested.
    """
    folder = workbook_root() / "profiles"
    path = folder / f"{profile}.yaml"
    if not path.is_file():
        names = [file.stem for file in sorted(folder.glob("*.yaml"))]
        raise InputError(f"there is no profile {profile!r}; {suggest(profile, names)}")
    contents = read_yaml(path)
    sections = {} if contents is None else contents
    if isinstance(sections, dict):
        sections = {name: {} if values is None else values for name, values in sections.items()}
    if not isinstance(sections, dict) or not all(isinstance(v, dict) for v in sections.values()):
        raise InputError(f"{path} must hold, by notebook, parameters and their values.")
    return sections


def read_yaml(path: Path) -> Any:
    """Return what a file of YAML 1.2 holds.

    Raises
    ------
    InputError
        If it cannot be read or is not YAML.
    """
    from ruamel.yaml import YAMLError

    try:
        return _yaml().load(path.read_text("utf-8"))
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}.") from None
    except UnicodeDecodeError:
        raise InputError(f"{path} is not text; it should be a file of YAML.") from None
    except YAMLError as error:
        raise InputError(f"{path} is not valid YAML: {' '.join(str(error).split())}") from None


# What a parameter can be. YAML's dates are texts.
_KINDS = (str, bool, int, float, list, dict, type(None))


def parse_value(text: str, like: Any = None) -> Any:
    """Read a command-line value as YAML 1.2 does: 3, 1e-3, true, [0, 1], or a string.

    Parameters
    ----------
    text : str
    like : optional
        The parameter's default. Where it is a string, so is the value, whatever it holds:
        commas, brackets and ``#`` too, or a number. Quotes around all of it are taken off.
        Nothing is a comment.
    """
    from ruamel.yaml import YAMLError

    try:
        value = _yaml().load(text)
    except YAMLError:
        return text
    if _ends_in_comment(text, value) or not isinstance(value, _KINDS):
        return text
    if isinstance(value, str) or (isinstance(like, str) and like not in ANY):
        quoted = text[:1] in ("'", '"') and text[:1] == text[-1:] and isinstance(value, str)
        return value if quoted else text
    return value


def _ends_in_comment(text: str, value: Any) -> bool:
    """Whether YAML took the end of a text for a comment: then so is what is added to it."""
    from ruamel.yaml import YAMLError

    try:
        return "#" in text and _yaml().load(text + "]") == value
    except YAMLError:
        return False


def _yaml():
    """Return a reader of YAML 1.2, as DVC's is: 1.1, PyYAML's, takes 8e5 for a string."""
    from ruamel.yaml import YAML

    return YAML(typ="safe")


def suggest(name: str, known: Iterable[str]) -> str:
    """Return the nearest of the known names as a question, or all of them as a list."""
    known = list(known)
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.4)
    if near:
        return f"did you mean {near[0]!r}?"
    return f"there is {', '.join(known) or 'none'}."
