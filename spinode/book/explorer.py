"""A trained model with sliders, inside JupyterLab: ``spinode explore MODEL``."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr

from spinode.errors import InputError
from spinode.files import replacing
from spinode.neural_ode.forecast import ForecastWarning, forecast
from spinode.neural_ode.model import SpinODE
from spinode.neural_ode.shipped import load_model

SHAPES = ("hold", "sine", "steps", "noise")
_SAMPLES = 1000


def find_model(name: str) -> SpinODE:
    """Return the model in the file ``name``, or the one of that name that is shipped."""
    return SpinODE.load(name) if Path(name).suffix == ".pt" else load_model(name)


def drive(
    model: SpinODE, levels: dict[str, float], shape: str, amplitude: float, period: float
) -> xr.Dataset:
    """Return a drive of the model's inputs, sampled: the first of them varies, the rest is held.

    Parameters
    ----------
    model : SpinODE
    levels : dict of str to float
        Mean of each input (SI).
    shape : {"hold", "sine", "steps", "noise"}
    amplitude : float
        Of the first input (SI).
    period : float
        Samples in a period; noise is drawn anew eight times in it.
    """
    if shape not in SHAPES:
        raise InputError(f"a drive is one of {', '.join(SHAPES)}, not {shape!r}.")
    n = np.arange(_SAMPLES + model.k)
    waves = {
        "hold": lambda: np.zeros(n.size),
        "sine": lambda: np.sin(2 * np.pi * n / period),
        "steps": lambda: np.where(n // period % 2 == 0, 1.0, -1.0),
        "noise": lambda: np.clip(
            np.random.default_rng(0).normal(0, 0.5, n.size)[(8 * n // period).astype(int)], -1, 1
        ),
    }
    values = {name: np.full(n.size, level) for name, level in levels.items()}
    values[model.inputs[0].name] = values[model.inputs[0].name] + amplitude * waves[shape]()
    return xr.Dataset(
        {name: ("time", column) for name, column in values.items()},
        {"time": model.sample_spacing * n},
    )


def answer(model: SpinODE, inputs: xr.Dataset) -> tuple[xr.Dataset, str]:
    """Return the forecast from rest under ``inputs``, and what `forecast` warns of."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", ForecastWarning)
        run = forecast(
            model,
            inputs,
            initial=np.full(model.k, model.output.offset),
            interpolation="linear",
        )
    return run, " ".join(str(one.message) for one in caught)


def explorer(name: str):
    """Return a Panel with sliders for every input of a model, and its forecast below.

    Parameters
    ----------
    name : str
        A model's file (``.pt``), or the name of a shipped model.
    """
    import holoviews as hv
    import panel as pn

    pn.extension(inline=True)
    import hvplot.pandas  # noqa: F401

    model = find_model(name)
    first = model.inputs[0]
    spans = {
        one.name: model.trained_range.get(
            one.name, (one.offset - one.scale, one.offset + one.scale)
        )
        for one in model.inputs
    }
    sliders = {
        one: pn.widgets.FloatSlider(
            name=f"{one}, mean",
            start=low - 0.3 * (high - low),
            end=high + 0.3 * (high - low),
            step=(high - low) / 200,
            value=(low + high) / 2,
        )
        for one, (low, high) in spans.items()
    }
    half = (spans[first.name][1] - spans[first.name][0]) / 2
    shape = pn.widgets.Select(name="drive", options=list(SHAPES), value="sine")
    amplitude = pn.widgets.FloatSlider(
        name=f"amplitude of {first.name}", start=0, end=1.3 * half, step=half / 100, value=half / 2
    )
    period = pn.widgets.FloatSlider(name="period (samples)", start=4, end=400, value=50)

    @pn.depends(shape, amplitude, period, **sliders)
    def draw(shape, amplitude, period, **levels):
        inputs = drive(model, levels, shape, amplitude, period)
        run, said = answer(model, inputs)
        curves = [
            pd.DataFrame({"time (ns)": run.time * 1e9, column: run[column]}).hvplot.line(
                x="time (ns)", y=column, width=850, height=220, shared_axes=False
            )
            for column in (first.name, model.output.name)
        ]
        note = said or "Inside of the range of its training data."
        return pn.Column(hv.Layout(curves).cols(1), pn.pane.Alert(note, alert_type=_kind(said)))

    return pn.Column(pn.Row(shape, amplitude, period), *sliders.values(), draw)


def _kind(said: str) -> str:
    return "warning" if said else "success"


def write_notebook(name: str, folder: Path) -> Path:
    """Write a notebook that opens the explorer of a model; return its path.

    Raises
    ------
    InputError
        If there is no such model.
    """
    import nbformat

    find_model(name)
    given = str(Path(name).resolve()) if Path(name).suffix == ".pt" else name
    cells = [
        nbformat.v4.new_markdown_cell(f"# {Path(name).stem}\n\nRun the cell, move the sliders."),
        nbformat.v4.new_code_cell(
            f"from spinode.book.explorer import explorer\n\nexplorer({given!r})"
        ),
    ]
    path = folder / f"explore_{Path(name).stem}.ipynb"
    kernel = {"kernelspec": {"name": "python3", "language": "python", "display_name": "Python 3"}}
    with replacing(path) as partial:
        nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata=kernel), partial)
    return path
