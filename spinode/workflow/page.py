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
tr:has(pre) {{ background: #fdecea; }}
pre {{ white-space: pre-wrap; text-align: left; margin: 0; }}
</style>
</head>
<body>
<h1>{title}</h1>
<p>{count} points, {failed} of them failed. A click on a heading sorts. Notebooks open in
JupyterLab; <a href="table.nc">table.nc</a> has all of the table for xarray.</p>
{table}
<script>
const value = (row, i) => row.cells[i].textContent;
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
    import pandas as pd

    frame = arranged(points).map(lambda one: escape(one) if isinstance(one, str) else one)
    links = [f"{name}/{notebook}.ipynb" for name in points.point.values]
    added = {
        "notebook": [
            f'<a href="{escape(link)}">open</a>' if (folder / link).exists() else ""
            for link in links
        ],
        "error": [f"<pre>{escape(one)}</pre>" if one else "" for one in points.point_error.values],
    }
    for head, cells in added.items():  # a metric may have such a name, too
        frame.insert(len(frame.columns), head, cells, allow_duplicates=True)
    frame.columns = [f"<button>{escape(str(name))}</button>" for name in frame]
    with pd.option_context("display.max_colwidth", None):
        table = frame.to_html(
            index=False, escape=False, border=0, na_rep="", float_format="{:.6g}".format
        )
    page = _PAGE.format(
        title=f"Sweep of {escape(notebook)}",
        count=len(frame),
        failed=int((points.point_error != "").sum()),
        table=table,
    )
    path = folder / "index.html"
    with replacing(path) as partial:
        partial.write_text(page, encoding="utf-8")
    return path
