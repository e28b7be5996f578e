"""How many processor cores work may be spread over."""

from __future__ import annotations

import os


def cores() -> int:
    """Return the number of processor cores this process may use."""
    affinity = getattr(os, "sched_getaffinity", None)  # not on macOS and Windows
    return len(affinity(0)) if affinity else os.cpu_count()
