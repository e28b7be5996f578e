"""Executed notebooks, as they are kept: printed lines joined, plots without their library, signed.

HoloViews puts all of Bokeh and Panel, 3 MB of scripts, twice into the cell that loads it. What is
kept asks the Jupyter server for them instead, where Panel's extension serves them from its own
package, without a network; a viewer other than JupyterLab gets them from their public addresses.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from spinode.files import replacing

_LOADS = ("application/vnd.holoviews_load.v0+json", "application/javascript")
_SCRIPT = re.compile(
    r"function\(Bokeh\) \{\s*/\* BEGIN (\S+) \*/.*?/\* END \1 \*/\s*\},?\n?", re.DOTALL
)
_NO_URLS = "const js_urls = [];"
# The page of JupyterLab says below which address its server is.
_URLS = """const lab = document.getElementById("jupyter-config-data");
  const server = lab && JSON.parse(lab.textContent).baseUrl + "panel-preview/static/";
  const js_urls = %s.map(([local, remote]) => lab ? server + local : remote);"""


def tidy(target: Path, record: Mapping[str, Any]) -> None:
    """Join what the cells of an executed notebook printed, lighten its plots, and sign it.

    Of a progress bar one line is left, not thousands. The signature lets JupyterLab show the plots
    at once. In linear time; nbclient's own way of joining takes quadratic time over long lines.

    Parameters
    ----------
    target : Path
        The executed notebook; it is replaced.
    record : mapping
        What made it, kept in its metadata; see `spinode.provenance`.
    """
    import nbformat
    from nbformat.sign import NotebookNotary

    node = nbformat.read(target, as_version=4)
    node.metadata["spinode"] = dict(record)
    for cell in node.cells:
        if "outputs" in cell:
            cell.outputs = _joined(cell.outputs)
            for one in cell.outputs:
                _lighten(one.get("data", {}))
    with replacing(target) as partial:
        nbformat.write(node, partial)
    with suppress(Exception):  # without a place for signatures the plots wait for a click
        NotebookNotary().sign(node)


def _joined(outputs: list) -> list:
    """Return the outputs of a cell with printed pieces joined; a bar is the last of its states."""
    joined: list = []
    for one in outputs:
        last = joined[-1] if joined else None
        printed = one.output_type == "stream"
        if printed and last and last.output_type == "stream" and last.name == one.name:
            last.text += one.text
        else:
            joined.append(one)
    for one in joined:
        if one.output_type == "stream" and "\r" in one.text:
            lines = one.text.replace("\r\n", "\n").split("\n")
            one.text = "\n".join(line.rstrip("\r").rpartition("\r")[2] for line in lines)
    return joined


def _lighten(data: dict) -> None:
    """Put the addresses of Bokeh's and Panel's scripts in the place of the scripts."""
    for kind in _LOADS:
        code = data.get(kind, "")
        names = _SCRIPT.findall(code)
        if names and _NO_URLS in code:
            urls = _URLS % json.dumps([_address(name) for name in names])
            data[kind] = _SCRIPT.sub("", code).replace(_NO_URLS, urls)


def _address(script: str) -> tuple[str, str]:
    """Return where a script is below Panel's part of a Jupyter server, and in public."""
    import bokeh
    import panel

    if script == "panel.min.js":
        return (
            f"extensions/panel/{script}",
            f"https://cdn.holoviz.org/panel/{panel.__version__}/dist/{script}",
        )
    stem = script.removesuffix(".min.js")
    release = "https://cdn.bokeh.org/bokeh/release"
    return f"js/{script}", f"{release}/{stem}-{bokeh.__version__}.min.js"
