"""The first minute: a forecast beside the micromagnetics that it stands in for."""

from __future__ import annotations

import time as clock
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import xarray as xr

from spinode.analysis import plots
from spinode.analysis.metrics import nrmse
from spinode.devices.drives import HeldSequence
from spinode.devices.protocols import ONE_SKYRMION, mackey_glass_protocol
from spinode.files import check_writable, replacing
from spinode.micromagnetics import simulate
from spinode.micromagnetics.relaxation import relax
from spinode.neural_ode.forecast import forecast
from spinode.neural_ode.shipped import load_model
from spinode.reservoir import readout, tasks


@dataclass(frozen=True)
class Demo:
    """What the first minute found.

    Parameters
    ----------
    points : int
        Points of the Mackey-Glass series that were forecast.
    forecast_seconds, micromagnetics_seconds : float
        Time per nanosecond of the device, each in one thread, side by side on this machine.
    simulated : float
        Length of the micromagnetic run (s).
    error : float
        NRMSE of the forecast to micromagnetics over that run.
    figure : Path
        Where the picture lies.
    """

    points: int
    forecast_seconds: float
    micromagnetics_seconds: float
    simulated: float
    error: float
    figure: Path

    @property
    def ratio(self) -> float:
        """How many times faster the forecast is."""
        return self.micromagnetics_seconds / self.forecast_seconds


def demo(
    figure: str | Path, *, points: int = 1000, simulated: float = 20e-9, progress: bool = True
) -> Demo:
    """Forecast a skyrmion reservoir with the model that ships, and check it by micromagnetics.

    Parameters
    ----------
    figure : path
        Where to write the picture.
    points : int
        Points of the Mackey-Glass series; 50 virtual nodes of 10 ps each.
    simulated : float
        How much of it the embedded engine simulates now, on its 1 nm mesh (s).
    progress : bool
        Show the engine's progress bar.

    Raises
    ------
    InputError
        If the picture cannot be written.
    """
    check_writable(Path(figure).absolute().parent)  # before two minutes of work
    model = load_model("one_skyrmion")
    series = tasks.mackey_glass_series(points)
    mask = readout.gaussian_mask(ONE_SKYRMION.reservoir.nodes)
    run = mackey_glass_protocol(ONE_SKYRMION, series[:, None] * mask)
    shown = HeldSequence(run.drive.values[: round(simulated / run.drive.hold)], hold=run.drive.hold)

    # The first time both have to be compiled: one is while the other computes. What is timed
    # below comes after.
    with ThreadPoolExecutor(1) as beside:
        resting = beside.submit(relax, run.device)
        forecast(model, shown, initial=[model.output.offset] * model.k)
        resting.result()  # and remembered: `simulate` begins there
    truth = simulate(
        run.device, shown, engine="embedded", spacing=model.sample_spacing, progress=progress
    )
    first = truth.mz.values[: model.k]
    start = clock.perf_counter()
    ahead = forecast(model, run.drive, initial=first)
    seconds = clock.perf_counter() - start

    both = min(truth.sizes["time"], ahead.sizes["time"])
    error = nrmse(ahead.mz.values[:both], truth.mz.values[:both])
    return Demo(
        points,
        seconds / (float(ahead.time[-1]) * 1e9),
        (truth.attrs["wall_time"] - truth.attrs["relaxation_wall_time"])
        / (float(truth.time[-1]) * 1e9),
        simulated,
        error,
        _draw(truth, ahead.isel(time=slice(both)), error, Path(figure)),
    )


def _draw(truth: xr.Dataset, ahead: xr.Dataset, error: float, path: Path) -> Path:
    """Draw drive and answer, and return the picture's path."""
    import matplotlib.pyplot as plt

    with plt.rc_context():
        plots.use_style()
        figure, axes = plt.subplots(3, 1, figsize=(7, 5.5), layout="constrained")
        last = slice(float(truth.time[-1]) - 1e-9, None)
        axes[0].plot(ahead.time * 1e9, ahead.Ku / 1e6, color="0.3", linewidth=0.5)
        for axis, part in ((axes[1], slice(None)), (axes[2], last)):
            mine, its = ahead.sel(time=part), truth.sel(time=part)
            axis.plot(its.time * 1e9, its.mz, color="0.65", linewidth=3, label="micromagnetics")
            axis.plot(mine.time * 1e9, mine.mz, linewidth=0.9, label="neural ODE")
            axis.set(xlabel="time (ns)", ylabel="$m_z$")
            axis.margins(x=0)
        axes[0].set(
            ylabel="$K_u$ (MJ/m$^3$)", title="a skyrmion, driven by a masked chaotic series"
        )
        axes[0].margins(x=0)
        axes[2].set_title(f"its last nanosecond; NRMSE over the whole run {error:.1%}")
        axes[2].legend(loc="upper left", bbox_to_anchor=(1, 1))
        with replacing(path) as partial:
            figure.savefig(partial, format="png", dpi=150)
        plt.close(figure)
    return path
