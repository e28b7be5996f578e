"""The front page: the paper's story in five pictures, and how well it was reproduced."""

from __future__ import annotations

import html
import re
from pathlib import Path

from spinode.book.contents import Chapter, Part
from spinode.paper import comparison

_WIDTH = 1000
_PICTURE = re.compile(r"\{\{picture (\S+): (.+?)\}\}")
# Columns of the comparison that the page shows, and what it calls them.
_HEADS = {
    "figure": "Fig.",
    "label": "quantity",
    "paper": "paper",
    "profile": "profile",
    "ours": "here",
    "verdict": "verdict",
    "computed_from": "computed from",
}


def write(root: Path, profile: str, parts: list[Part], source: Path, pictures: Path) -> None:
    """Write ``index.md`` and ``claims.md`` into ``source``, their pictures into ``pictures``.

    ``book/pages/index.md`` is the text; in it ``{{picture NAME: ALT}}`` stands for a figure of
    the profile, ``{{contents}}`` for the list of chapters, ``{{counts}}`` for how many numbers of
    the paper were reproduced and ``{{profile}}`` for the profile.
    """
    table = comparison.compare(root, _profiles(root))
    text = (source / "index.md").read_text("utf-8")
    folder = root / "figures" / profile
    text = _PICTURE.sub(lambda m: _picture(folder, m[1], m[2], pictures), text)
    text = text.replace("{{counts}}", comparison.counts(table)).replace("{{profile}}", profile)
    text = text.replace("{{claims}}", claims_html(comparison.main_claims(table)))
    text = text.replace("{{contents}}", _contents(parts)) + _toctrees(parts)
    (source / "index.md").write_text(text, encoding="utf-8")
    page = (source / "claims.md").read_text("utf-8")
    page = page.replace("{{claims}}", claims_html(table)).replace(
        "{{counts}}", comparison.counts(table)
    )
    (source / "claims.md").write_text(page, encoding="utf-8")


def descriptions(root: Path) -> dict[str, str]:
    """Return what the figures of the first page show, by the stems of their files."""
    return dict(_PICTURE.findall((root / "book" / "pages" / "index.md").read_text("utf-8")))


def _profiles(root: Path) -> list[str]:
    return [name for name in comparison.PROFILES if (root / "results" / name).is_dir()]


def claims_html(table) -> str:
    """Return the table of claims with a badge a verdict."""
    head = "".join(f'<th scope="col">{html.escape(name)}</th>' for name in _HEADS.values())
    rows = []
    for row in table[list(_HEADS)].to_dict("records"):
        cells = []
        for name, value in row.items():
            text = _symbols(html.escape(str(value)))
            if name == "verdict":
                kind = str(value).partition(":")[0]
                rest = _symbols(html.escape(str(value).partition(":")[2]))
                badge = kind.replace(" ", "-") or "shown"
                text = f'<span class="verdict verdict-{badge}">{kind}</span>{rest}'
            cells.append(f"<td>{text}</td>")
        rows.append(f"<tr>{''.join(cells)}</tr>")
    return (
        '<div class="book-table claims" tabindex="0" role="region" '
        'aria-label="The paper\'s numbers beside ours">'
        f"<table><thead><tr>{head}</tr></thead><tbody>{''.join(rows)}</tbody></table></div>"
    )


def _symbols(text: str) -> str:
    """Return short formulas as HTML: the front page needs no MathJax."""
    return re.sub(r"\$(\w)(?:_(\w))?\$", _symbol, text)


def _symbol(match: re.Match) -> str:
    below = f"<sub>{match[2]}</sub>" if match[2] else ""
    return f"<i>{match[1]}</i>{below}"


def _picture(folder: Path, name: str, alt: str, pictures: Path) -> str:
    from PIL import Image

    path = folder / f"{name}.png"
    if not path.is_file():
        return f'<p class="book-missing">(<code>{name}</code> has not been drawn yet.)</p>'
    image = Image.open(path)
    size = (_WIDTH, round(image.height * _WIDTH / image.width))
    pictures.mkdir(parents=True, exist_ok=True)
    image.resize(size).convert("RGB").save(pictures / f"{name}.webp", quality=55, method=6)
    return (
        f'<img class="book-picture" src="pictures/{name}.webp" loading="lazy" '
        f'width="{size[0]}" height="{size[1]}" alt="{html.escape(alt, quote=True)}">'
    )


def _question(one: Chapter) -> str:
    return html.escape(one.title)


def _contents(parts: list[Part]) -> str:
    """Return the lists of chapters for the front page."""
    lines = []
    for part in parts:
        if part.chapters:
            items = "".join(
                f'<li><a href="{one.page}.html">{_question(one)}</a></li>' for one in part.chapters
            )
            lines.append(
                f'<div class="contents-part"><p class="contents-caption">'
                f"{html.escape(part.caption)}</p><ol>{items}</ol></div>"
            )
    return f'<div class="book-contents">{"".join(lines)}</div>'


def _toctrees(parts: list[Part]) -> str:
    trees = []
    for part in parts:
        names = [one.page for one in part.chapters] or list(part.pages)
        head = f"```{{toctree}}\n:hidden:\n:caption: {part.caption}\n"
        trees.append("\n".join(["", head, *names, "```", ""]))
    return "".join(trees)
