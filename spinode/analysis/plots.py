"""Figure helpers: matplotlib for files, hvplot for reading inside a notebook."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import xarray as xr

from spinode.analysis.looks import LOOKS
from spinode.files import replacing

#: The colour of every thing by its identifier; see `spinode.analysis.looks`.
COLORS = {name: look.color for name, look in LOOKS.items()}


def label(name: str) -> str:
    """Return what a legend calls ``name``: its look's label, or the name itself."""
    return LOOKS[name].label if name in LOOKS else name


def use_style() -> None:
    """Give matplotlib figures the workbook's style, and tables and Datasets ``.hvplot``.

    Interactive plots carry Bokeh's code with them, so that they work without a network.
    """
    plt.style.use("spinode.analysis.spinode")
    import holoviews as hv

    hv.extension.inline = True
    import hvplot.pandas
    import hvplot.xarray  # noqa: F401


def save_figure(figure: plt.Figure, path: Path) -> Path:
    """Write ``figure`` as PNG, completely or not at all; return the path."""
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
        Datasets by identifier (`spinode.analysis.looks`) or by any label. The first of several
        is drawn wide, as the reference the others are laid over.
    variable : str
    span : (start, stop), optional
        Part of the time axis (s).
    """
    symbol, unit, scale = _AXES.get(variable, (variable, "", 1.0))
    for order, (name, dataset) in enumerate(trajectories.items()):
        reference = order == 0 and len(trajectories) > 1
        part = dataset if span is None else dataset.sel(time=slice(*span))
        ax.plot(
            part.time * 1e9,
            part[variable] * scale,
            **(LOOKS[name].line if name in LOOKS else {"label": name}),
            linewidth=2.6 if reference else 1.2,
            alpha=0.45 if reference else 1.0,
        )
    ax.set_xlabel("time (ns)")
    ax.set_ylabel(f"{symbol} ({unit})" if unit else symbol)
    ax.margins(x=0)


def magnetization(ax: plt.Axes, m: xr.DataArray):
    """Draw a picture of the magnetization: m_z in shades, its part in the plane as arrows.

    Parameters
    ----------
    ax : Axes
    m : DataArray
        Over ``y``, ``x`` (m) and ``component``; zero outside the disk.

    Returns
    -------
    AxesImage
        For a colour bar.
    """
    x = m.x.values * 1e9
    outside = (abs(m) ** 2).sum("component") < 0.5
    mz = m.sel(component="z").where(~outside)
    extent = (x[0], x[-1], x[0], x[-1])
    image = ax.imshow(mz, origin="lower", extent=extent, vmin=-1, vmax=1)
    every = max(1, len(x) // 16)  # so many arrows along a side
    part = m[::every, ::every]
    horizontal, vertical = (part.sel(component=name) for name in ("x", "y"))
    ax.quiver(x[::every], x[::every], horizontal, vertical, scale=18, width=4e-3)
    ax.set(xlabel="x (nm)", ylabel="y (nm)")
    return image


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
        Datasets by identifier or label.
    variable : str
    **options
        Passed on to ``hvplot.line``.
    """
    curves = []
    for name, dataset in trajectories.items():
        values = dataset[variable]
        curve = xr.DataArray(
            values.values,
            coords={"time_ns": dataset.time.values * 1e9},
            dims="time_ns",
            name=label(name),
        ).hvplot.line(
            x="time_ns",
            label=label(name),
            xlabel="time (ns)",
            ylabel=f"{variable} ({values.attrs['units']})",
            **{"color": COLORS.get(name), "width": 850, "height": 300, **options},
        )
        curves.append(curve)
    overlay = curves[0]
    for curve in curves[1:]:
        overlay = overlay * curve
    return overlay


def loss_curves(ax: plt.Axes, histories: Mapping[str, xr.Dataset], claim: float) -> None:
    """Draw training histories, full-trajectory MSE against time, beside the paper's threshold.

    Time, since a step of Levenberg-Marquardt takes as long as hundreds of Adam's.

    Parameters
    ----------
    ax : Axes
    histories : mapping
        What `spinode.fit` returns, by identifier (`spinode.analysis.looks`).
    claim : float
        Mean squared error at which the authors stop their training, in normalized units.
    """
    for name, history in histories.items():
        ax.semilogy(history.seconds, np.asarray(history.train_mse), **LOOKS[name].line)
    ax.axhline(claim, color="0.5", linestyle="--", linewidth=1)
    ax.annotate(
        "paper stops ", (1, claim), xycoords=("axes fraction", "data"), ha="right", va="bottom"
    )
    ax.set_xlabel("time of training (s)")
    ax.set_ylabel("full-trajectory MSE")
