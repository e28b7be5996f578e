"""Interactive plots of an executed notebook, as small as a screen needs, without their scripts.

A notebook holds each Bokeh plot as JSON beside a script of its own, and all of Bokeh in its import
cell. The book has Bokeh once; of each plot it keeps the figure, with fewer points, and of a slider
the frames, which ``book/static/book.js`` shows.
"""

from __future__ import annotations

import base64
import copy
import gzip
import html
import json
import re
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import numpy as np

# Points of a curve that a screen can tell apart: two a pixel, and room to zoom.
_POINTS = 2400
# Frames of a slider take this much of a page at most (characters of JSON).
_FRAMES_SIZE = 450_000
_DOCUMENT = re.compile(r"docs_json = (\{.*?\});\s*\n", re.DOTALL)
_LAYOUTS = ("GridPlot", "GridBox", "Figure")


def plot_html(output: str, fallback: str) -> str | None:
    """Return the book's HTML for a notebook's output, or None if that is not a Bokeh plot.

    Parameters
    ----------
    output : str
        The ``text/html`` of the output.
    fallback : str
        What the plot is about, for those who cannot see it; its axes and curves are added.
    """
    found = _DOCUMENT.search(output)
    if not found:
        return None
    (document,) = json.loads(found.group(1)).values()
    layouts = [item for root in document["roots"] for item in _outermost(root)]
    if not layouts:
        return None
    root = _self_contained(layouts[0], document["roots"])
    for item in _objects(root):
        _adapt(item)
    _thin(root)
    text = json.dumps(root)
    defs = [one for one in document.get("defs", ()) if f'"{one["name"]}"' in text]
    data: dict[str, Any] = {
        "doc": {"version": document["version"], "title": "", "roots": [root], "defs": defs},
        "root": root["id"],
    }
    frames = _frames(document["roots"], {item["id"] for item in _objects(root)})
    if frames:
        data["frames"] = frames
    payload = json.dumps(data, separators=(",", ":")).replace("</", "<\\/")
    label = html.escape(f"{fallback}. {describe(root)}".strip(), quote=True)
    return (
        f'<div class="book-plot" role="group" aria-label="Interactive plot: {label}">'
        f'<script type="application/json">{payload}</script></div>'
    )


def describe(root: dict) -> str:
    """Say what a plot shows: its axes, curves and colour bar."""
    words = []
    for item in _objects(root):
        attributes = item.get("attributes", {})
        if item["name"] == "Figure":
            axes = [
                axis["attributes"].get("axis_label")
                for side in ("left", "below")
                for axis in attributes.get(side, ())
                if isinstance(axis, dict) and "attributes" in axis
            ]
            axes = [axis for axis in axes if axis]
            if len(axes) == 2:
                words.append(f"{axes[0]} against {axes[1]}")
        elif item["name"] == "LegendItem":
            label = attributes.get("label", {})
            value = label.get("value") if isinstance(label, dict) else label
            if value:
                words.append(str(value))
    return "; ".join(dict.fromkeys(words)) + ("." if words else "")


def _objects(node: Any) -> Iterator[dict]:
    """Yield every model that is spelled out in ``node``."""
    if isinstance(node, dict):
        if "attributes" in node and "name" in node:
            yield node
        for value in node.values():
            yield from _objects(value)
    elif isinstance(node, list):
        for value in node:
            yield from _objects(value)


def _outermost(node: Any) -> Iterator[dict]:
    """Yield the plots of a document that lie in no other plot."""
    if isinstance(node, dict) and node.get("name") in _LAYOUTS and "attributes" in node:
        yield node
    elif isinstance(node, dict | list):
        for value in node.values() if isinstance(node, dict) else node:
            yield from _outermost(value)


def _self_contained(root: dict, document: list) -> dict:
    """Return a copy of ``root`` in which a model is spelled out at its first mention."""
    known = {item["id"]: item for item in _objects(document)}
    seen = set()

    def resolve(node):
        if isinstance(node, list):
            return [resolve(value) for value in node]
        if not isinstance(node, dict):
            return node
        if "id" in node and (set(node) == {"id"} or "attributes" in node):
            if node["id"] in seen or node["id"] not in known:
                return {"id": node["id"]}
            seen.add(node["id"])
            node = known[node["id"]]
            return {key: resolve(value) for key, value in node.items()}
        return {key: resolve(value) for key, value in node.items()}

    return resolve(copy.deepcopy(root))


def _adapt(item: dict) -> None:
    """Let a model fit a narrow screen, and request nothing."""
    attributes = item["attributes"]
    attributes.pop("stylesheets", None)  # Panel's, from its server
    if item["name"] == "Figure" and attributes.get("width") and not attributes.get("frame_width"):
        attributes["max_width"] = attributes.pop("width")
        attributes["sizing_mode"] = "stretch_width"
        attributes.setdefault("height", 300)
    elif item["name"] in ("GridPlot", "GridBox"):
        attributes["sizing_mode"] = "stretch_width"
    if item["name"] == "Toolbar":
        attributes["logo"] = None


def decode(array: dict) -> np.ndarray:
    """Return an array of Bokeh's JSON."""
    data = array["array"]
    raw = base64.b64decode(data["data"] if isinstance(data, dict) else data)
    if raw[:2] == b"\x1f\x8b":
        raw = gzip.decompress(raw)
    order = "<" if array.get("order", "little") == "little" else ">"
    kind = np.dtype(array["dtype"]).newbyteorder(order)
    return np.frombuffer(raw, kind).reshape(array["shape"])


def encode(values: np.ndarray) -> dict:
    """Return ``values`` as an array of Bokeh's JSON, in single precision."""
    if values.dtype.kind == "f":
        values = values.astype("<f4")
    raw = gzip.compress(np.ascontiguousarray(values).tobytes(), mtime=0)
    return {
        "type": "ndarray",
        "array": {"type": "bytes", "data": base64.b64encode(raw).decode("ascii")},
        "shape": list(values.shape),
        "dtype": str(values.dtype),
        "order": "little",
    }


def thinned(x: np.ndarray, points: int = _POINTS) -> np.ndarray:
    """Return which samples of ``x`` to keep: the extremes of as many stretches as a screen shows.

    Returns
    -------
    array of int
        Indices in order; the first and the last sample are among them.
    """
    if len(x) <= points:
        return np.arange(len(x))
    edges = np.linspace(0, len(x), points // 2 + 1).astype(int)
    kept = [0, len(x) - 1]
    for start, stop in pairwise(edges):
        part = x[start:stop]
        if len(part) and np.isfinite(part).any():
            kept += [start + int(np.nanargmin(part)), start + int(np.nanargmax(part))]
    return np.unique(kept)


def _is_array(value: Any) -> bool:
    return isinstance(value, dict) and value.get("type") == "ndarray"


def _thin(root: dict) -> None:
    """Thin the columns of every source that only a line draws; store all as single precision."""
    drawn: dict[str, list[dict]] = {}
    for item in _objects(root):
        if item["name"] == "GlyphRenderer":
            source = item["attributes"].get("data_source", {})
            drawn.setdefault(source.get("id", ""), []).append(item["attributes"].get("glyph", {}))
    for item in _objects(root):
        if item["name"] == "ColumnDataSource":
            _thin_data(item["attributes"].get("data"), drawn.get(item["id"], []))


def _thin_data(data: Any, glyphs: list[dict]) -> None:
    entries = data.get("entries", []) if isinstance(data, dict) else []
    arrays = [entry for entry in entries if _is_array(entry[1])]
    columns = {}
    for entry in arrays:
        if entry[1]["dtype"] != "object" and isinstance(entry[1]["array"], dict):
            columns[entry[0]] = decode(entry[1])
    names = {
        glyph["attributes"]["y"]["field"]
        for glyph in glyphs
        if glyph.get("name") == "Line" and isinstance(glyph["attributes"].get("y"), dict)
    }
    kept = None
    if glyphs and all(glyph.get("name") == "Line" for glyph in glyphs):
        line = [columns[name] for name in names if name in columns]
        whole = all(len(columns.get(entry[0], ())) == len(line[0]) for entry in entries if line)
        if line and whole and line[0].ndim == 1:
            kept = np.unique(np.concatenate([thinned(one) for one in line]))
    for entry in arrays:
        if entry[0] in columns:
            values = columns[entry[0]]
            entry[1] = encode(values if kept is None else values[kept])
    for entry in entries:
        if isinstance(entry[1], list) and entry[1] and _is_array(entry[1][0]):  # images
            entry[1] = [encode(decode(one)) if _is_array(one) else one for one in entry[1]]


def _frames(roots: list, shown: set[str]) -> dict | None:
    """Return the frames of a slider: its name, their labels, and what each changes."""
    state = [item for item in _objects(roots) if item["name"].endswith("state.State")]
    sliders = [item for item in _objects(roots) if item["name"] in ("Slider", "DiscreteSlider")]
    if not state or len(sliders) != 1:
        return None
    changes = {}
    for position, message in state[0]["attributes"]["state"].get("entries", ()):
        if not isinstance(message, dict) or "entries" not in message:
            return None
        content = json.loads(dict(message["entries"])["content"])
        events = [event for event in content["events"] if event["model"]["id"] in shown]
        changes[position] = [event for event in events if event.get("attr") != "hold_render"]
    labels = re.search(r"labels = (\[.*?\])\n", json.dumps(sliders[0]).replace("\\n", "\n"))
    names = re.findall(r"'([^']*)'", labels.group(1)) if labels else []
    texts = [re.sub(r"<[^>]+>", "", name) for name in names]
    positions = sorted(changes)
    for events in changes.values():
        for event in events:
            if event["kind"] == "ColumnDataChanged":
                _thin_data(event["data"], [])
    size = sum(len(json.dumps(events)) for events in changes.values())
    every = max(1, -(-size // _FRAMES_SIZE))
    positions = positions[::every]
    return {
        "labels": [texts[p] if p < len(texts) else str(p) for p in positions],
        "changes": [changes[p] for p in positions],
    }
