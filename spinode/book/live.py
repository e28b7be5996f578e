"""What the live page needs of the models: weights, units, recorded answers, as a script."""

from __future__ import annotations

from pathlib import Path


def write(root: Path, profile: str, source: Path, folder: Path) -> None:
    """Write the live page's data into ``folder``."""
