"""What the live page needs of the models: weights, units, the solver's rule, recorded answers.

All is exported from the package and its model files, so that no number is typed twice.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

from spinode.book import recordings
from spinode.errors import InputError, SpinodeError
from spinode.neural_ode import _solver
from spinode.neural_ode.model import SpinODE
from spinode.neural_ode.shipped import load_model

#: By tab: the file of its model under ``data/<profile>``, the notebook that trains it, and the
#: model that comes with the package and takes its place.
MODELS = {
    "skyrmion": ("training/one_skyrmion_k2.pt", "02_training", "one_skyrmion"),
    "oscillator": ("oscillator/cochlear_k2.pt", "06_oscillator", "oscillator"),
    "material": ("material_parameters/pair.pt", "05_material_parameters", "pair"),
}


def solver_rule() -> dict[str, list]:
    """Return the Butcher tableau of the forecast's solver.

    Returns
    -------
    dict
        ``a`` (4 x 4), ``b`` (4), and ``thirds`` (4): at which third of a sample each stage lies.
    """
    rows = [list(map(float, row)) for row in _solver.A]
    return {"a": rows, "b": list(_solver.B), "thirds": list(_solver.THIRDS)}


def export_model(model: SpinODE) -> dict[str, Any]:
    """Return a model as JSON: weights a row a neuron, and all that turns SI into its units."""
    w1, b1, w2, b2, w3, b3 = (p.detach().cpu().double().numpy() for p in model.f.parameters())
    low, high = model.bounds
    return {
        "k": model.k,
        "width": model.width,
        "step": model.step,
        "spacing": model.sample_spacing,
        "output": asdict(model.output),
        "inputs": [asdict(channel) for channel in model.inputs],
        "trained": {name: list(map(float, span)) for name, span in model.trained_range.items()},
        "bounds": [float(low), float(high)],
        "weights": [part.ravel().tolist() for part in (w1, b1, w2, b2, w3, b3)],
        "rule": solver_rule(),
    }


def script(data: Mapping[str, Any]) -> str:
    """Return ``data`` as a script: a page opened from a file may not fetch JSON."""
    return f"window.SPINODE = {json.dumps(data, separators=(',', ':'), allow_nan=False)};\n"


def models_of(root: Path, profile: str) -> tuple[dict[str, SpinODE], dict[str, str]]:
    """Return the models by tab, and by tab without one the notebook that would train it."""
    models, missing = {}, {}
    for tab, (file, notebook, shipped) in MODELS.items():
        path = root / "data" / profile / file
        for load in (lambda path=path: SpinODE.load(path), lambda name=shipped: load_model(name)):
            with suppress(InputError):
                models[tab] = load()
                break
        else:
            missing[tab] = notebook
    return models, missing


def collect(root: Path, profile: str, cache: Path) -> dict[str, Any]:
    """Return all data of the live page for ``profile``.

    Parameters
    ----------
    root : Path
        Folder of the workbook.
    profile : str
    cache : Path
        Folder that keeps what is simulated for the page.

    Returns
    -------
    dict
        ``models`` by tab, ``missing`` (tab to the notebook that would train its model), and what
        is shown beside them.
    """
    models, missing = models_of(root, profile)
    results = {
        name: json.loads(path.read_text("utf-8"))
        for name in ("speedup", "skyrmion_data", "oscillator")
        if (path := root / "results" / profile / f"{name}.json").is_file()
    }
    data = {
        "models": {tab: export_model(model) for tab, model in models.items()},
        "missing": missing,
        "profile": profile,
        "micromagnetics": _seconds_per_ns(results),
        "noise": input_noise(results.get("oscillator")),
        "breathing": recordings.breathing_points(),
    }
    if "skyrmion" in models:
        published = data["breathing"]["points"]  # the authors' data are here
        cell = 1e-9 if published else results.get("skyrmion_data", {}).get("cell", 2e-9)
        try:
            data |= recordings.recorded(models["skyrmion"], root, profile, cache, cell)
        except SpinodeError as error:
            data["recorded_error"] = str(error)
    return data


def input_noise(oscillator: Mapping[str, Any] | None) -> dict[str, float] | None:
    """Return the noise at the input (V) of the oscillator that the page shows, held by samples.

    Parameters
    ----------
    oscillator : mapping or None
        What ``results/<profile>/oscillator.json`` holds, if it is there.
    """
    return oscillator["noise"]["cochlear"]["input"]["held"] if oscillator else None


def _seconds_per_ns(results: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return how long micromagnetics takes for a nanosecond, and where that was measured."""
    if "speedup" in results:
        found = results["speedup"]
        seconds = found["s_per_ns"]["micromagnetics"]
        return {"seconds": seconds, "where": f"{found['cell_m'] * 1e9:g} nm cells, one thread"}
    if "skyrmion_data" in results:
        found = results["skyrmion_data"]
        seconds = found["seconds_per_ns"]["one_skyrmion"]
        return {"seconds": seconds, "where": f"{found['cell'] * 1e9:g} nm cells"}
    return None


def write(root: Path, profile: str, folder: Path) -> None:
    """Write the live page's data into ``folder``."""
    folder.mkdir(parents=True, exist_ok=True)
    cache = root / "build" / profile / "book" / "recorded"
    cache.mkdir(parents=True, exist_ok=True)
    (folder / "data.js").write_text(script(collect(root, profile, cache)), encoding="utf-8")
