"""Build the book: gather its sources in one folder, have Sphinx make pages, bring the scripts."""

from __future__ import annotations

import contextlib
import filecmp
import io
import os
import re
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from spinode.book import api, front, live
from spinode.book.chapters import chapter
from spinode.book.contents import Part, read_contents
from spinode.errors import InputError, SpinodeError, extra

# Sphinx reads and writes in so many processes; more hardly help, since each reads the whole book.
_PROCESSES = min(os.cpu_count() or 1, 4)
_LINK = re.compile(r"(\]\()([^)#\s]+)([^)]*\))")
_MATHJAX = (
    "MathJax.js",
    "config/TeX-AMS-MML_HTMLorMML-full.js",
    "fonts/HTML-CSS/STIX-Web/woff",
    "jax/output/HTML-CSS",
    "jax/element",
    "extensions/TeX",
)
_BLANK_FONT = ""","@font-face":{"font-family":"MathJax_Blank",src:"url('about:blank')"}"""
_CAPTION = '<p class="caption" role="heading"'
_BOKEH = ("bokeh.min.js", "bokeh-gl.min.js")


@dataclass(frozen=True)
class Book:
    """A book that was built.

    Attributes
    ----------
    folder : Path
        Where its pages are; ``index.html`` is the first.
    missing : tuple of str
        Notebooks that had not been executed: their chapters are text alone.
    warnings : tuple of str
        What Sphinx complained of.
    """

    folder: Path
    missing: tuple[str, ...]
    warnings: tuple[str, ...]


def build(root: Path, profile: str, out: Path, say: Callable[[str], None] = print) -> Book:
    """Build the book of ``profile`` into ``out``.

    Parameters
    ----------
    root : Path
        Folder of the workbook.
    profile : str
        Its notebooks are taken from ``build/<profile>``, its figures and numbers from
        ``figures/<profile>`` and ``results/<profile>``.
    out : Path
        Folder of the site; what an earlier book left there is replaced.
    say : callable
        Called with a line on what is being done.

    Raises
    ------
    InputError
        If ``out`` holds something else than a book, or the workbook is not complete.
    SpinodeError
        If Sphinx fails.
    """
    sphinx = extra("book", "sphinx.cmd.build", "the book")
    if out.exists() and any(out.iterdir()) and not (out / ".spinode-book").exists():
        raise InputError(f"{out} is not empty and holds no book; give --out another folder.")
    work = root / "build" / profile / "book"
    staged, source = work / "staged", work / "source"
    shutil.rmtree(staged, ignore_errors=True)
    staged.mkdir(parents=True)
    parts = read_contents(root, profile)
    missing = _stage(root, profile, parts, staged, work)
    say(f"{_count(parts)} chapters" + (f", {len(missing)} not executed" if missing else ""))

    warnings, pages, read = work / "warnings.txt", work / "html", work / "doctrees"
    if _update(source, staged):  # a page is gone
        _forget(read, pages)
    os.environ["SPINODE_BOOK_PROFILE"] = profile
    with contextlib.redirect_stdout(io.StringIO()) as log:
        folders = ["-c", root / "book", "-d", read, "-w", warnings, source, pages]
        code = sphinx.build_main(["-b", "html", "-q", "-j", str(_PROCESSES), *map(str, folders)])
    if code:
        _forget(read, pages)
        raise SpinodeError(f"Sphinx could not build the book: {log.getvalue().strip()[-2000:]}")
    _give_captions_a_level(pages)
    _bring_scripts(pages)
    for name in ("pictures", "live-data"):
        shutil.rmtree(pages / name, ignore_errors=True)
        if (work / name).is_dir():
            shutil.copytree(work / name, pages / name)
    (pages / ".spinode-book").write_text(f"{profile}\n")
    shutil.rmtree(out, ignore_errors=True)
    shutil.copytree(pages, out)
    found = warnings.read_text("utf-8").splitlines() if warnings.exists() else []
    if found:  # they are to be said again until they are mended
        _forget(read, pages)
    return Book(out, tuple(missing), tuple(dict.fromkeys(line for line in found if line.strip())))


def _update(source: Path, staged: Path) -> bool:
    """Make ``source`` hold what ``staged`` does; return whether something is there no longer.

    Files that are the same are left alone, so that Sphinx reads anew only what has changed.
    """
    wanted = {path.relative_to(staged) for path in staged.rglob("*") if path.is_file()}
    had = {path.relative_to(source) for path in source.rglob("*") if path.is_file()}
    for name in had - wanted:
        (source / name).unlink()
    for name in wanted:
        new, old = staged / name, source / name
        if name not in had or not filecmp.cmp(new, old, shallow=False):
            old.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(new, old)
    return bool(had - wanted)


def _forget(*folders: Path) -> None:
    """Remove what Sphinx keeps from one building to the next."""
    for folder in folders:
        shutil.rmtree(folder, ignore_errors=True)


def _count(parts: list[Part]) -> int:
    return sum(len(part.chapters) for part in parts)


def _stage(root: Path, profile: str, parts: list[Part], source: Path, work: Path) -> list[str]:
    """Write all sources of the book into ``source``; return what was not executed."""
    import nbformat

    for name in ("pictures", "live-data"):
        shutil.rmtree(work / name, ignore_errors=True)
        (work / name).mkdir(parents=True)
    shutil.copytree(root / "book" / "pages", source, dirs_exist_ok=True)
    shutil.copytree(root / "docs", source / "docs")
    missing, shown = [], front.descriptions(root)
    for part in parts:
        for one in part.chapters:
            node, executed = chapter(one, profile, work / "pictures", shown)
            if not executed:
                missing.append(one.text.stem)
            target = source / f"{one.page}.ipynb"
            target.parent.mkdir(parents=True, exist_ok=True)
            nbformat.write(node, target)
    front.write(root, profile, parts, source, work / "pictures")
    api.write(root, source / "api")
    live.write(root, profile, work / "live-data")
    for page in source.rglob("*.md"):
        _mend_links(page, root, source)
    return missing


def _mend_links(page: Path, root: Path, source: Path) -> None:
    """Copy what a page links to; name the text of a notebook without its ending."""

    def mend(match: re.Match) -> str:
        before, target, after = match.groups()
        if ":" in target or target.startswith("#"):
            return match.group()
        target = target.replace("book/pages/", "")  # which are the book's own folder
        linked = (page.parent / target).resolve()
        if linked.exists():
            return f"{before}{target}{after}"
        original = (root / page.relative_to(source)).parent / target
        if original.suffix == ".py" and linked.with_suffix(".ipynb").exists():
            return f"{before}{target.removesuffix('.py')}.ipynb{after}"
        if original.is_file():
            linked.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(original, linked)
        return match.group()

    text = page.read_text("utf-8")
    page.write_text(_LINK.sub(mend, text), encoding="utf-8")


def _give_captions_a_level(pages: Path) -> None:
    """Give the captions in the sidebar, headings to a screen reader, their level."""
    for page in pages.rglob("*.html"):
        text = page.read_text("utf-8")
        mended = text.replace(f"{_CAPTION}>", f'{_CAPTION} aria-level="2">')
        if mended != text:  # not, if Sphinx has left a page as it was
            page.write_text(mended, encoding="utf-8")


def _bring_scripts(pages: Path) -> None:
    """Copy MathJax and BokehJS out of their Python packages."""
    import bokeh
    import jupyter_server_mathjax

    mathjax = Path(jupyter_server_mathjax.__file__).parent / "static"
    for name in _MATHJAX:
        origin, target = mathjax / name, pages / "_static" / "mathjax" / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if origin.is_dir():
            shutil.copytree(origin, target, dirs_exist_ok=True)
        elif origin.is_file():
            text = origin.read_text("utf-8")
            # An empty font by name, which a browser would go and ask for.
            target.write_text(text.replace(_BLANK_FONT, ""), encoding="utf-8")
    scripts = Path(bokeh.__file__).parent / "server" / "static" / "js"
    for name in _BOKEH:
        shutil.copy(scripts / name, pages / "_static" / name)
