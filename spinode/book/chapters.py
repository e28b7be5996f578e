"""From an executed notebook to a chapter: what a reader needs, light enough for a page."""

from __future__ import annotations

import base64
import html
import io
import re
from collections.abc import Mapping
from pathlib import Path

import nbformat

from spinode.book.contents import Chapter
from spinode.book.interactive import plot_html

# Pictures wider than this (pixels) are drawn smaller: a page shows them half as wide.
_WIDTH = 1500
_PROGRESS = re.compile(r"\d+%\s*\||it/s\]|\[\d\d:\d\d<|Executing:")
# Cells of these tags are left out: what papermill says above a notebook that failed (its traceback
# stays where it happened), and links to other notebooks, of which the book has its own.
_LEFT_OUT = {"papermill-error-cell-tag", "navigation"}
_NOT_RUN = """:::{{admonition}} Not run yet
:class: warning

This chapter is the text alone: the notebook has not been executed under the profile *{profile}*.
`spinode run {name} --profile {profile}` does it.
:::"""


def chapter(
    one: Chapter, profile: str, pictures: Path, descriptions: Mapping[str, str] | None = None
) -> tuple[nbformat.NotebookNode, bool]:
    """Return a chapter's notebook as the book shows it, and whether it had run to its end.

    Parameters
    ----------
    one : Chapter
    profile : str
        Profile the notebook was executed under.
    pictures : Path
        Folder that receives its pictures, ``figures/<page>`` beside the pages.
    descriptions : mapping of str to str, optional
        What figures show, by the stems of their files, for those who cannot see them. Of a picture
        that is not among them, the heading and the sentence above it are given.
    """
    executed = one.executed.is_file()
    if executed:
        node = nbformat.read(one.executed, as_version=4)
    else:
        import jupytext

        node = jupytext.read(one.text)
        note = nbformat.v4.new_markdown_cell(_NOT_RUN.format(profile=profile, name=one.text.stem))
        node.cells.insert(1, note)
    node.metadata = nbformat.from_dict(
        {
            "kernelspec": {"name": "python3", "language": "python", "display_name": "Python 3"},
            "language_info": {"name": "python"},
            "mystnb": {"execution_mode": "off"},
        }
    )
    node.cells = [
        cell for cell in node.cells if not _LEFT_OUT.intersection(cell.metadata.get("tags", ()))
    ]
    executed = executed and not any(
        output.output_type == "error" for cell in node.cells for output in cell.get("outputs", ())
    )
    node.cells = _with_parameters(node.cells)
    writer = _Outputs(one, pictures, descriptions or {})
    for cell in node.cells:
        if cell.cell_type == "markdown":
            writer.read(cell.source)
            cell.source = _solutions(cell.source)
        elif cell.cell_type == "code":
            # What JupyterLab shows folded, plumbing, is folded here even where code is open.
            plumbing = cell.metadata.get("jupyter", {}).get("source_hidden", False)
            tag = "hide-cell" if plumbing else "hide-input"
            writer.code = cell.source
            cell.metadata = nbformat.from_dict({"tags": [tag]})
            cell.outputs = [
                kept for output in cell.get("outputs", ()) if (kept := writer.output(output))
            ]
    node.cells.insert(1, _bar(one))
    for number, cell in enumerate(node.cells):  # the same at every building: Sphinx sees no change
        cell.id = f"cell-{number}"
    node.nbformat_minor = max(node.nbformat_minor, 5)  # which has ids
    return node, executed


def _with_parameters(cells: list) -> list:
    """Return ``cells`` with the values a profile has set in the place of the defaults."""
    injected = [c for c in cells if "injected-parameters" in c.metadata.get("tags", ())]
    assignment = re.compile(r"^(\w+) = (.+)$", re.MULTILINE)
    values = dict(assignment.findall(injected[0].source)) if injected else {}
    for cell in cells:
        if "parameters" in cell.metadata.get("tags", ()):
            cell.source = assignment.sub(
                lambda m: f"{m[1]} = {values.get(m[1], m[2])}", cell.source
            )
    return [cell for cell in cells if cell not in injected]


def _bar(one: Chapter):
    """Return the cell below the title: the choice of code folded or open."""
    name = one.text.name
    return nbformat.v4.new_markdown_cell(
        f'<div class="book-bar" data-code="{one.code}" data-page="{one.text.parent.name}">'
        f'<button type="button" class="book-code-toggle" aria-pressed="false">Show the code'
        f"</button> <span>Made by <code>{html.escape(name)}</code></span></div>"
    )


def _solutions(text: str) -> str:
    """Set a solution apart by blank lines, so that Markdown inside is read as such."""
    return re.sub(r"(<details>.*?</summary>)\n(?!\n)", r"\1\n\n", text)


class _Outputs:
    """Rewrites the outputs of one notebook; knows what the text before a picture was about."""

    def __init__(self, one: Chapter, pictures: Path, descriptions: Mapping[str, str]):
        self._descriptions, self.code = descriptions, ""
        self._folder = pictures / one.page
        self._link = "../" * one.page.count("/") + f"pictures/{one.page}"
        self._title = one.title
        self._heading, self._said, self._count = one.title, "", 0

    def read(self, source: str) -> None:
        """Take note of the last heading and of the last sentence before a picture."""
        for line in source.splitlines():
            if line.startswith("#"):
                self._heading = line.lstrip("# ").strip()
        paragraphs = [p for p in source.split("\n\n") if p.strip() and p[0] not in "#$>|<*`"]
        self._said = _plain(paragraphs[-1]) if paragraphs else ""

    @property
    def _about(self) -> str:
        heading = self._title if self._heading == "The figure" else self._heading
        return _plain(heading) + (f": {self._said}" if self._said else "")

    def output(self, output) -> nbformat.NotebookNode | None:
        """Return an output as the book shows it, or None if it is nothing for a reader."""
        if output.output_type == "stream":
            return None if output.name == "stderr" else _without_progress(output)
        if output.output_type == "error":
            return output
        data = output.data
        if not data or any("holoviews_load" in kind for kind in data):
            return None
        if "image/png" in data:
            return _html(self._picture(output))
        text = data.get("text/html")
        if text is None:
            return output if set(data) & {"text/markdown", "text/plain", "text/latex"} else None
        if plot := plot_html(text, self._about):
            return _html(plot)
        if "holoviews_exec" in "".join(data) or "<script" in text or _load_style(text):
            return None
        if "<table" in text:
            return _html(f'<div class="book-table" tabindex="0">{_without_styles(text)}</div>')
        return _html(text)

    def _picture(self, output) -> str:
        """Write a picture beside the page; return its HTML."""
        from PIL import Image

        raw = output.data["image/png"]
        image = Image.open(io.BytesIO(base64.b64decode(raw)))
        if image.width > _WIDTH:
            image = image.resize((_WIDTH, round(image.height * _WIDTH / image.width)))
        self._count += 1
        self._folder.mkdir(parents=True, exist_ok=True)
        image.convert("RGB").save(self._folder / f"{self._count}.webp", quality=88, method=4)
        said = output.get("metadata", {}).get("image/png", {})
        known = [text for name, text in self._descriptions.items() if name in self.code]
        alt = said.get("alt") or (known[0] if known else f"Figure. {self._about}")
        return (
            f'<img class="book-picture" src="{self._link}/{self._count}.webp" loading="lazy" '
            f'width="{image.width}" height="{image.height}" alt="{html.escape(alt, quote=True)}">'
        )


def _html(text: str) -> nbformat.NotebookNode:
    return nbformat.v4.new_output("display_data", {"text/html": text})


def _load_style(text: str) -> bool:
    """Whether an output only loads a logo or style sheet of HoloViews."""
    return "<style>" in text and "<table" not in text and "<audio" not in text


def _without_styles(text: str) -> str:
    return re.sub(r"<style.*?</style>", "", text, flags=re.DOTALL)


def _without_progress(output):
    lines = [line for line in output.text.splitlines() if not _PROGRESS.search(line)]
    if not any(line.strip() for line in lines):
        return None
    return nbformat.v4.new_output("stream", name="stdout", text="\n".join(lines) + "\n")


def _plain(text: str) -> str:
    """Return Markdown as words: no formulas' dollars, no markup; the last sentence or two."""
    text = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", " ".join(text.split()))
    text = re.sub(r"[*`$\\{}]|_(?=\b)", "", text)
    sentences = re.split(r"(?<=[.:?!])\s+", text)
    return " ".join(sentences[:2])[:240]
