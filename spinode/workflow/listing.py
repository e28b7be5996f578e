"""What is said of a notebook before it runs: its title, its parameters, how long it took."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from spinode.files import workbook_root
from spinode.workflow.notebooks import check_parameters, defaults, section
from spinode.workflow.profiles import load_profile


def title(notebook: Path) -> str:
    """Return the heading of a notebook's text."""
    for line in notebook.read_text("utf-8").splitlines():
        if line.startswith("# # "):
            return line.removeprefix("# # ")
    return ""


def parameters(notebook: Path, profile: str) -> dict[str, Any]:
    """Return a notebook's parameters under a profile."""
    known = defaults(notebook)
    chosen = load_profile(profile).get(section(notebook), {})
    return known | check_parameters(notebook, known, chosen)


def duration(notebook: Path, profile: str) -> str:
    """Return how long the notebook took when it last ran under a profile; empty if not known."""
    root = workbook_root()
    executed = root / "build" / profile / f"{notebook.stem}.ipynb"
    results = root / "results" / profile / f"{section(notebook)}.json"
    record = _read(executed).get("metadata", {}).get("spinode") or _read(results).get("provenance")
    seconds = (record or {}).get("duration_s")
    if seconds is None:
        return ""
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} min"


def _read(path: Path) -> Mapping[str, Any]:
    try:
        return json.loads(path.read_text("utf-8"))
    except (OSError, ValueError):
        return {}
