"""The page that a sweep leaves: its table, sortable, and the way to every point's notebook."""

from __future__ import annotations

from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

from spinode.files import replacing
from spinode.workflow.table import arranged

if TYPE_CHECKING:
    import xarray as xr

# Nothing is asked of any other server: style and code are in the page.
_PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>
body {{ font: 15px/1.5 system-ui, sans-serif; margin: 2rem; color: #222; background: #fff; }}
table {{ border-collapse: collapse; font-variant-numeric: tabular-nums; }}
th, td {{ padding: 0.25rem 0.7rem; border-bottom: 1px solid #ccc; text-align: right; }}
th button {{ font: inherit; font-weight: 600; border: 0; background: none; cursor: pointer; }}
th[aria-sort=ascending] button::after {{ content: " \\2191"; }}
th[aria-sort=descending] button::after {{ content: " \\2193"; }}
.failed {{ background: #fdecea; }}
pre {{ white-space: pre-wrap; text-align: left; margin: 0; }}
</style>
</head>
<body>
<h1>{title}</h1>
<p>{count} points, {failed} of them failed. A click on a heading sorts. Notebooks open in
JupyterLab; <a href="table.nc">table.nc</a> has all of the table for xarray.</p>
<table>
<thead><tr>{heads}</tr></thead>
<tbody>
{rows}
</tbody>
</table>
<script>
const value = (row, i) => row.cells[i].dataset.value;
document.querySelectorAll("th button").forEach((button, i) => button.onclick = () => {{
  const head = button.parentNode, body = document.querySelector("tbody");
  const down = head.getAttribute("aria-sort") === "ascending";
  document.querySelectorAll("th").forEach(one => one.removeAttribute("aria-sort"));
  head.setAttribute("aria-sort", down ? "descending" : "ascending");
  const compare = (a, b) => a === "" || b === "" ? (a === "") - (b === "")
    : (down ? -1 : 1) * (isNaN(a - b) ? a.localeCompare(b) : a - b);
  body.append(...[...body.rows].sort((a, b) => compare(value(a, i), value(b, i))));
}});
</script>
</body>
</html>
"""


def write_page(points: xr.Dataset, folder: Path, notebook: str) -> Path:
    """Write ``index.html`` into the folder of a sweep; return its path.

    Parameters
    ----------
    points : Dataset
        As `spinode.workflow.table.table` returns them.
    folder : Path
    notebook : str
        Name of the notebook that was swept.
    """
    frame = arranged(points)
    errors = points.point_error.values
    heads = [*map(str, frame.columns), "notebook", "error"]
    rows = []
    for name, error, (_, values) in zip(points.point.values, errors, frame.iterrows(), strict=True):
        cells = [_cell(value) for value in values]
        link = f"{name}/{notebook}.ipynb"
        there = (folder / link).exists()
        cells.append(
            f'<td data-value=""><a href="{escape(link)}">open</a></td>' if there else _cell("")
        )
        cells.append(f'<td data-value="{escape(error[:80])}"><pre>{escape(error)}</pre></td>')
        rows.append(f"<tr{' class=failed' if error else ''}>{''.join(cells)}</tr>")
    page = _PAGE.format(
        title=f"Sweep of {escape(notebook)}",
        count=len(errors),
        failed=int((errors != "").sum()),
        heads="".join(f"<th><button>{escape(one)}</button></th>" for one in heads),
        rows="\n".join(rows),
    )
    path = folder / "index.html"
    with replacing(path) as partial:
        partial.write_text(page, encoding="utf-8")
    return path


def _cell(value) -> str:
    """Return a cell: to be read rounded, to be sorted in full, empty for what is missing."""
    if isinstance(value, float):
        exact = "" if value != value else repr(float(value))
        return f'<td data-value="{exact}">{"" if value != value else f"{value:.6g}"}</td>'
    return f'<td data-value="{escape(str(value))}">{escape(str(value))}</td>'
