"""Spin-Neural ODEs: learn the law of motion of a spintronic device, then forecast it.

device + drive --simulate--> trajectory --train--> Spin-Neural ODE --forecast--> trajectory
--readout--> figure, metric. A room a concept; docs/layout.md is the map.
"""

from importlib import import_module
from typing import Any

__version__ = "0.2.0"

# What a notebook needs most, and where it lives. Loaded at first use, so that importing the
# package, as every command does, takes no time.
HOMES = {
    "SpinODE": "spinode.neural_ode.model",
    "fit": "spinode.neural_ode.training",
    "forecast": "spinode.neural_ode.forecast",
    "load_model": "spinode.neural_ode.shipped",
    "simulate": "spinode.micromagnetics",
}

__all__ = ["SpinODE", "__version__", "fit", "forecast", "load_model", "simulate"]


def __getattr__(name: str) -> Any:
    if name not in HOMES:
        raise AttributeError(f"module 'spinode' has no attribute {name!r}")
    return getattr(import_module(HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *HOMES})
