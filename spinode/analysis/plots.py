"""Figure helpers: matplotlib for files, hvplot for reading inside a notebook."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import xarray as xr

from spinode.files import replacing

#: Colour-blind safe (Okabe and Ito, 2008); one colour a role, the same in every figure.
COLORS = {
    "micromagnetics": "#000000",
    "published": "#56B4E9",
    "neural ODE": "#0072B2",
    "four skyrmions": "#009E73",
    "four skyrmions, micromagnetics": "#CC79A7",
    "echo-state network": "#E69F00",
    "bare input": "#999999",
    "k = 1": "#D55E00",
    "k = 2": "#0072B2",
    "k = 3": "#009E73",
    "k = 4": "#CC79A7",
    "drive": "#999999",
    "measured": "#000000",
    "input noise, held": "#D55E00",
    "input noise, joined": "#E69F00",
    "neural SDE": "#009E73",
}

_STYLE = {
    "figure.constrained_layout.use": True,
    "figure.dpi": 110,
    "savefig.dpi": 160,
    "font.size": 10,
    "axes.titlesize": 10,
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "legend.frameon": False,
    "legend.fontsize": 9,
    "lines.linewidth": 1.4,
}


def use_style() -> None:
    """Give matplotlib figures the workbook's style, and tables and Datasets ``.hvplot``.

    Interactive pictures bring Bokeh's code along, so that they show without a network.
    """
    mpl.rcParams.update(_STYLE)
    import holoviews as hv

    hv.extension.inline = True
    import hvplot.pandas
    import hvplot.xarray  # noqa: F401


def save_figure(figure: plt.Figure, path: Path) -> Path:
    """Write ``figure`` as PNG, whole or not at all; return the path."""
    with replacing(path) as partial:
        figure.savefig(partial, format="png", bbox_inches="tight")
    return path


def lines(
    ax: plt.Axes,
    trajectories: Mapping[str, xr.Dataset],
    variable: str,
    span: tuple[float, float] | None = None,
) -> None:
    """Draw one variable of several trajectories against time.

    Parameters
    ----------
    ax : Axes
    trajectories : mapping
        Datasets by label; a label among `COLORS` takes that colour. The first of several is drawn
        wide, as the reference the others are laid over.
    variable : str
    span : (start, stop), optional
        Part of the time axis (s).
    """
    symbol, unit, scale = _AXES.get(variable, (variable, "", 1.0))
    for order, (label, dataset) in enumerate(trajectories.items()):
        reference = order == 0 and len(trajectories) > 1
        part = dataset if span is None else dataset.sel(time=slice(*span))
        ax.plot(
            part.time * 1e9,
            part[variable] * scale,
            color=COLORS.get(label),
            label=label,
            linewidth=2.6 if reference else 1.2,
            alpha=0.45 if reference else 1.0,
        )
    ax.set_xlabel("time (ns)")
    ax.set_ylabel(f"{symbol} ({unit})" if unit else symbol)
    ax.margins(x=0)


# Symbol, unit on the axis, and how many of it an SI unit is.
_AXES = {
    "mz": ("$m_z$", "", 1.0),
    "Ku": ("$K_u$", "MJ/m$^3$", 1e-6),
    "Dind": ("$D$", "mJ/m$^2$", 1e3),
    "voltage": ("voltage", "mV", 1e3),
    "drive": ("drive", "mV", 1e3),
}


def interactive(trajectories: Mapping[str, xr.Dataset], variable: str, **options):
    """Return an hvplot overlay of one variable of several trajectories, to zoom and pan.

    Parameters
    ----------
    trajectories : mapping
        Datasets by label.
    variable : str
    **options
        Passed on to ``hvplot.line``.
    """
    curves = []
    for label, dataset in trajectories.items():
        values = dataset[variable]
        curve = xr.DataArray(
            values.values,
            coords={"time_ns": dataset.time.values * 1e9},
            dims="time_ns",
            name=label,
        ).hvplot.line(
            x="time_ns",
            label=label,
            xlabel="time (ns)",
            ylabel=f"{variable} ({values.attrs['units']})",
            color=COLORS.get(label),
            **{"width": 850, "height": 300, **options},
        )
        curves.append(curve)
    overlay = curves[0]
    for curve in curves[1:]:
        overlay = overlay * curve
    return overlay


def loss_curves(ax: plt.Axes, histories: Mapping[str, xr.Dataset], claim: float) -> None:
    """Draw training histories (full-trajectory MSE against iteration) beside the paper's claim.

    Parameters
    ----------
    ax : Axes
    histories : mapping
        What `spinode.neural_ode.training.fit` returns, by label.
    claim : float
        Mean squared error that the paper reaches, in normalized units.
    """
    for label, history in histories.items():
        ax.semilogy(
            history.iteration, np.asarray(history.train_mse), color=COLORS.get(label), label=label
        )
    ax.axhline(claim, color="0.5", linestyle="--", linewidth=1)
    ax.annotate(
        " paper, k = 2", (0, claim), xycoords=("axes fraction", "data"), ha="left", va="top"
    )
    ax.set_xlabel("training iteration")
    ax.set_ylabel("full-trajectory MSE")
