"""Pages of the API reference: one a room, in the order of ``docs/layout.md``."""

from __future__ import annotations

import re
from pathlib import Path

_ROW = re.compile(r"^\| `(\w+)(?:\.py|/)?` \| (.*?) \|", re.MULTILINE)


def write(root: Path, folder: Path) -> None:
    """Write the reference's sources into ``folder``."""
    folder.mkdir(parents=True, exist_ok=True)
    rooms = [
        (room, what)
        for room, what in _ROW.findall((root / "docs" / "layout.md").read_text("utf-8"))
        if (root / "spinode" / room).is_dir() or (root / "spinode" / f"{room}.py").is_file()
    ]
    index = [
        _heading("API reference", "="),
        "The package room by room, in the order in which they build on one another. Four names ",
        "are at the top, ``from spinode import SpinODE, fit, forecast, simulate``.\n",
        ".. toctree::\n   :maxdepth: 1\n",
        *(f"   {room}" for room, _ in rooms),
    ]
    (folder / "index.rst").write_text("\n".join(index) + "\n", encoding="utf-8")
    for room, what in rooms:
        modules = _modules(root / "spinode", room)
        text = [_heading(f"spinode.{room}", "="), _literals(f"{what[:1].upper()}{what[1:]}.\n")]
        for module in modules:
            if len(modules) > 1:
                text.append(_heading(module.removeprefix(f"spinode.{room}.") or module, "-"))
            text.append(f".. automodule:: {module}\n   :members:\n   :member-order: bysource\n")
        (folder / f"{room}.rst").write_text("\n".join(text), encoding="utf-8")


def _modules(package: Path, room: str) -> list[str]:
    """Return the public modules of a room that hold something."""
    folder = package / room
    if not folder.is_dir():
        return [f"spinode.{room}"]
    names = [f"spinode.{room}"] if "def " in (folder / "__init__.py").read_text("utf-8") else []
    return names + [
        f"spinode.{room}.{path.stem}"
        for path in sorted(folder.glob("*.py"))
        if not path.stem.startswith("_")
    ]


def _heading(text: str, line: str) -> str:
    return f"{text}\n{line * len(text)}\n"


def _literals(text: str) -> str:
    """Return Markdown's literals as those of reStructuredText."""
    return re.sub(r"(?<!`)`([^`]+)`(?!`)", r"``\1``", text)
