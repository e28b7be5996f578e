"""The notebooks of the workbook: how they are found, and the parameters that they have."""

from __future__ import annotations

import ast
import hashlib
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from spinode.errors import InputError
from spinode.files import workbook_root
from spinode.workflow.profiles import ANY, load_profile, suggest


def find_notebook(name: str) -> Path:
    """Return the text of a notebook by path, file name or name (``02_training``, ``training``).

    Raises
    ------
    InputError
        If there is none; the nearest name is suggested.
    """
    given = Path(name)
    if given.suffix in (".py", ".ipynb"):
        if given.is_file():
            return given.resolve()
        if len(given.parts) > 1:
            raise InputError(f"there is no notebook {name}.")
    folder = workbook_root() / "notebooks"
    notebooks = {path.stem: path for path in all_notebooks()}
    stem = given.name.removesuffix(".py").removesuffix(".ipynb")
    for candidate, path in notebooks.items():
        if stem in (candidate, section(path)):
            return path
    raise InputError(f"there is no notebook {name!r} in {folder}; {suggest(stem, notebooks)}")


def all_notebooks() -> list[Path]:
    """Return the texts of all notebooks, those of subfolders last, without JupyterLab's copies."""
    folder = workbook_root() / "notebooks"
    texts = (path for path in folder.rglob("*.py") if path.parent.name[0] != ".")
    return sorted(texts, key=lambda path: (path.parent != folder, path))


def outputs_name(notebook: Path) -> str:
    """Return what the outputs of a notebook are called: its name, if it is the workbook's.

    That of a file from elsewhere ends in a fingerprint of its path, so that it cannot be taken for
    a notebook of the workbook, or for a file of the same name in a third folder.
    """
    notebook = notebook.resolve()
    if notebook.is_relative_to((workbook_root() / "notebooks").resolve()):
        return notebook.stem
    return f"{notebook.stem}-{hashlib.sha256(str(notebook).encode()).hexdigest()[:8]}"


def section(notebook: Path) -> str:
    """Return the key of a notebook's parameters in a profile: its name without the number."""
    number, _, rest = notebook.stem.partition("_")
    return rest if number.isdigit() else notebook.stem


def defaults(notebook: Path) -> dict[str, Any]:
    """Return the parameters of a notebook and their defaults.

    Parameters
    ----------
    notebook : path
        Its text.

    Raises
    ------
    InputError
        If it has no cell tagged ``parameters``, or one whose values are not literals.
    """
    node = read(notebook)
    cells = [cell for cell in node.cells if "parameters" in cell.metadata.get("tags", ())]
    if len(cells) != 1:
        raise InputError(
            f"{notebook} has {len(cells)} cells tagged 'parameters'; give it exactly one."
        )
    try:
        statements = ast.parse(cells[0].source).body
    except SyntaxError as error:
        raise InputError(
            f"{notebook}: line {error.lineno} of the parameters cell is not Python ({error.msg})."
        ) from None
    found = {}
    for statement in statements:
        try:
            (target,) = statement.targets
            found[target.id] = ast.literal_eval(statement.value)
        except (AttributeError, ValueError):
            raise InputError(
                f"{notebook}: the parameters cell holds {ast.unparse(statement)!r}; "
                "keep to lines of the form 'name = literal'."
            ) from None
    return found


def read(notebook: Path):
    """Return a notebook's text as a notebook of nbformat, for a Python kernel."""
    # jsonschema, behind all notebook libraries, else takes two seconds to build the grammar of
    # a kind of address that no notebook holds.
    sys.modules.setdefault("rfc3987_syntax", None)
    import jupytext

    node = jupytext.read(notebook)
    kernel = {"name": "python3", "language": "python", "display_name": "Python 3"}
    node.metadata.setdefault("kernelspec", kernel)
    return node


def under_profile(notebook: Path, profile: str) -> dict[str, Any]:
    """Return all parameters of a notebook: its defaults, and what the profile says instead."""
    known = defaults(notebook)
    chosen = load_profile(profile).get(section(notebook), {})
    return known | check_parameters(notebook, known, chosen)


def check_parameters(
    notebook: Path, known: Mapping[str, Any], given: Mapping[str, Any]
) -> dict[str, Any]:
    """Return ``given`` with the types of the defaults in ``known``.

    A whole number stands for a float, anything for a default of None or "auto". What a list holds
    must be of the types that the default holds.

    Raises
    ------
    InputError
        If a name is unknown (the nearest is suggested) or a value of another type.
    """
    checked = {}
    for name, value in given.items():
        if name not in known:
            raise InputError(
                f"notebook {notebook.stem} has no parameter {name!r}; {suggest(name, known)}"
            )
        default = known[name]
        if isinstance(default, float) and type(value) is int:
            value = float(value)
        if isinstance(default, list) and isinstance(value, list) and default:
            if all(isinstance(one, float) for one in default):
                value = [float(one) if type(one) is int else one for one in value]
            kinds = {type(one) for one in default}
            unfit = any(type(one) not in kinds for one in value)
        else:
            unfit = default not in ANY and type(value) is not type(default)
        if unfit:
            raise InputError(
                f"parameter {name} of notebook {notebook.stem} takes a value of type "
                f"{type(default).__name__} like {default!r}, not {value!r}."
            )
        checked[name] = value
    return checked
