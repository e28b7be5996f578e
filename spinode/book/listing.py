"""The list of the notebooks, ``notebooks/README.md``, and what leads from one to the next.

GitHub shows the list below its folder, JupyterLab opens on it. All of it is read from the
notebooks: titles, what they need or show, pictures, and how long they took.
"""

from __future__ import annotations

import html
import os
import re
import textwrap
from pathlib import Path

from spinode.book.contents import Chapter, Part, duration_of, read_contents
from spinode.files import replacing

_HEAD = """# The notebooks

Double click one to open it, and run it with *Run > Run All Cells*. Cells that you run by hand write
to `build/interactive/`, so that no result of the workbook is lost. `spinode book` shows all of them
executed, without a kernel. Times are those of the *quick* profile, each measured from start to end
on two cores, some of them beside other work.
"""
_TAG = "navigation"
_CELL = re.compile(rf'\n# %% \[markdown\] tags=\["{_TAG}"\]\n(?:#.*\n)+')
_TIME = re.compile(r"\]\(([\w/]+\.py)\).*\| ([^|]+) \|\s*$", re.MULTILINE)


def write(root: Path, profile: str = "quick") -> Path:
    """Write the list of the notebooks, and the last cell of each; return the list's path.

    Parameters
    ----------
    root : Path
        Folder of the workbook.
    profile : str
        Executed notebooks of ``build/<profile>`` tell how long they took; of the others, what the
        list said before is kept. Pictures are those of ``figures/<profile>``.
    """
    parts = [part for part in read_contents(root, profile) if part.chapters]
    path = root / "notebooks" / "README.md"
    before = dict(_TIME.findall(path.read_text("utf-8"))) if path.is_file() else {}
    text = _HEAD + "".join(_section(root, profile, part, before) for part in parts)
    with replacing(path) as partial:
        partial.write_text(text, encoding="utf-8")
    lead([one for part in parts for one in part.chapters], path)
    return path


def _section(root: Path, profile: str, part: Part, before: dict[str, str]) -> str:
    lines = ["", f"## {part.caption}", "", "| notebook | | time |", "| --- | --- | --- |"]
    for one in part.chapters:
        name = one.text.relative_to(root / "notebooks").as_posix()
        picture = _picture(root, profile, one)
        alt = html.escape(f"The figure of: {one.title.replace('*', '')}", quote=True)
        shown = f'<img src="../{picture}" width="220" alt="{alt}">' if picture else ""
        about = "<br>".join(filter(None, [f"**[{one.title}]({name})**", _about(one)]))
        lines.append(f"| {about} | {shown} | {duration_of(one.executed) or before.get(name, '')} |")
    return "\n".join(lines) + "\n"


def _about(one: Chapter) -> str:
    """Return the paragraph in italics below the title, which says what a notebook is about."""
    found = re.search(r"^# \*(.+?)\*$", one.text.read_text("utf-8"), re.MULTILINE | re.DOTALL)
    return re.sub(r"\s*\n# ", " ", found[1]) if found else ""


def _picture(root: Path, profile: str, one: Chapter) -> str:
    """Return the first figure of a notebook that is there, below ``root``."""
    for name in re.findall(r"\w+\.png", one.text.read_text("utf-8")):
        path = Path("figures", profile, name)
        if (root / path).is_file():
            return path.as_posix()
    return ""


def lead(chapters: list[Chapter], listing: Path) -> None:
    """Give each notebook a last cell that leads to the one before, the list and the next."""
    for number, one in enumerate(chapters):
        before = chapters[number - 1] if number else None
        after = chapters[number + 1] if number + 1 < len(chapters) else None
        links = [
            f"[Before: {before.title}]({_way(one, before.text)})" if before else "",
            f"[All notebooks]({_way(one, listing)})",
            f"[Next: {after.title}]({_way(one, after.text)})" if after else "",
        ]
        cell = textwrap.fill(
            " | ".join(filter(None, links)),
            width=98,
            initial_indent="# ",
            subsequent_indent="# ",
            break_long_words=False,
            break_on_hyphens=False,
        )
        text = _CELL.sub("", one.text.read_text("utf-8")).rstrip("\n")
        text = f'{text}\n\n# %% [markdown] tags=["{_TAG}"]\n{cell}\n'
        if text != one.text.read_text("utf-8"):
            with replacing(one.text) as partial:
                partial.write_text(text, encoding="utf-8")


def _way(one: Chapter, to: Path) -> str:
    return Path(os.path.relpath(to, one.text.parent)).as_posix()
