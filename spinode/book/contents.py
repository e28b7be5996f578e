"""What is in the book, and in which order: ``book/contents.yaml`` and the notebooks' folders."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path

from spinode.errors import InputError


@dataclass(frozen=True)
class Chapter:
    """A notebook of the book.

    Parameters
    ----------
    text : Path
        Its text, ``notebooks/**/*.py``.
    executed : Path
        The executed notebook; it may be missing.
    page : str
        Name of its page, such as ``notebooks/02_training``.
    code : {"open", "folded"}
        How the code is shown to a reader who has not chosen yet.
    """

    text: Path
    executed: Path
    page: str
    code: str

    @property
    def title(self) -> str:
        """First heading of the notebook."""
        return title_of(self.text)


@dataclass(frozen=True)
class Part:
    """A part of the book: a caption, and either notebooks or pages."""

    caption: str
    chapters: tuple[Chapter, ...] = ()
    pages: tuple[str, ...] = ()


def title_of(text: Path) -> str:
    """Return the first heading of a notebook's text, or its name."""
    found = re.search(r"^# # (.+)$", text.read_text("utf-8"), re.MULTILINE)
    return found.group(1).strip() if found else text.stem


def duration_of(executed: Path, result: Path | None = None) -> str:
    """Return how long a notebook took: as it was executed here, or else as its result says.

    Empty if neither is there, or the notebook did not run to its end.
    """
    seconds = None
    if executed.is_file():
        run = json.loads(executed.read_text("utf-8"))["metadata"].get("papermill", {})
        seconds = None if run.get("exception") else run.get("duration")
    elif result and result.is_file():
        seconds = json.loads(result.read_text("utf-8")).get("provenance", {}).get("duration_s")
    if not seconds:
        return ""
    return f"{seconds:.0f} s" if seconds < 90 else f"{seconds / 60:.1f} min"


def read_contents(root: Path, profile: str) -> list[Part]:
    """Return the parts of the book of ``profile``.

    A part of ``book/contents.yaml`` names a folder of notebooks, all of which are taken in the
    order of their numbers, or pages; ``rest`` names a folder whose other pages follow.

    Raises
    ------
    InputError
        If there is no such file, or a folder that it names is not there.
    """
    from ruamel.yaml import YAML

    path = root / "book" / "contents.yaml"
    if not path.is_file():
        raise InputError(f"there is no {path}: the book is made in a clone of the repository.")
    parts = []
    given = YAML(typ="safe").load(path.read_text("utf-8"))
    named = {page for part in given for page in part.get("pages", ())}
    for part in given:
        chapters = ()
        if "notebooks" in part:
            folder = root / part["notebooks"]
            if not folder.is_dir():
                raise InputError(f"{path} names the folder {folder}, which does not exist.")
            chapters = tuple(
                Chapter(
                    text=text,
                    executed=root / "build" / profile / f"{text.stem}.ipynb",
                    page=str(text.relative_to(root).with_suffix("")),
                    code=part["code"],
                )
                for text in sorted(folder.glob("[0-9]*.py"), key=_number)
            )
        pages = list(part.get("pages", ()))
        if "rest" in part:
            others = sorted((root / part["rest"]).glob("*.md"))
            pages += [
                name for page in others if (name := f"{part['rest']}/{page.stem}") not in named
            ]
        parts.append(Part(part["caption"], chapters, tuple(pages)))
    return parts


def _number(text: Path) -> tuple[int, str]:
    return int(re.match(r"\d+", text.name).group()), text.name
