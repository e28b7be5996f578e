"""Spin-Neural ODEs: learn the law of motion of a spintronic device, then forecast it.

device + drive --simulate--> trajectory --train--> Spin-Neural ODE --forecast--> trajectory
--readout--> figure, metric. A room a concept; docs/layout.md is the map.
"""

import os
import tempfile
from importlib import import_module
from pathlib import Path
from typing import Any

__version__ = "0.2.0"

# What a notebook needs most, and where it lives. Loaded at first use, so that importing the
# package, as every command does, takes no time.
HOMES = {
    "SpinODE": "spinode.neural_ode.model",
    "fit": "spinode.neural_ode.learning",
    "forecast": "spinode.neural_ode.forecast",
    "load_model": "spinode.neural_ode.shipped",
    "simulate": "spinode.micromagnetics",
}

__all__ = ["SpinODE", "__version__", "fit", "forecast", "load_model", "simulate"]


def _keep_compiled_code() -> None:
    """Give numba a folder where it can write neither beside this package nor in the home.

    So it is in a container or a batch job with an installation that is read-only. The folder is
    this user's alone: what lies there is executed.
    """
    if os.environ.get("NUMBA_CACHE_DIR") or os.name == "nt":
        return
    # A user without a home has no ~: then the name stays as it is, as it does for numba.
    home = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")  # noqa: PTH111
    for folder in (Path(__file__).parent, Path(home).absolute()):
        if os.access(next(one for one in (folder, *folder.parents) if one.exists()), os.W_OK):
            return
    try:
        folder = Path(tempfile.gettempdir(), f"spinode-{os.getuid()}")
        folder.mkdir(mode=0o700, exist_ok=True)
        if folder.stat().st_uid != os.getuid():
            folder = Path(tempfile.mkdtemp(prefix="spinode-"))
    except OSError:  # nowhere at all: numba says so
        return
    os.environ["NUMBA_CACHE_DIR"] = str(folder)
    os.environ.setdefault("MPLCONFIGDIR", str(folder))  # matplotlib wants one, too


_keep_compiled_code()


def __getattr__(name: str) -> Any:
    if name not in HOMES:
        raise AttributeError(f"module 'spinode' has no attribute {name!r}")
    return getattr(import_module(HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *HOMES})
