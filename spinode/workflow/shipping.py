"""How trained models get into the package: taken from a finished profile, with a card each."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from pathlib import Path

from spinode.errors import InputError
from spinode.files import replacing, workbook_root
from spinode.neural_ode import shipped
from spinode.neural_ode.model import SpinODE
from spinode.provenance import begin, digest


@dataclass(frozen=True)
class Recipe:
    """Where a notebook leaves a model, and what its card says of it.

    Parameters
    ----------
    title : str
        What the model stands for.
    stage : str
        Stage of the pipeline, and name of the notebook's results.
    file : str
        Path under ``data/<profile>/``.
    """

    title: str
    stage: str
    file: str


#: Models that ship, by name.
RECIPES = {
    "one_skyrmion": Recipe(
        "one skyrmion in an 80 nm disk, driven by voltage-controlled anisotropy (Fig. 2)",
        "training",
        "training/one_skyrmion_k2.pt",
    ),
    "four_skyrmions": Recipe(
        "four skyrmions in a 120 nm disk with grains, driven alike (Fig. 2)",
        "training",
        "training/four_skyrmions_k2.pt",
    ),
    "material_parameters": Recipe(
        "one skyrmion in a 100 nm disk, anisotropy and DMI as inputs (Fig. 4)",
        "material_parameters",
        "material_parameters/pair.pt",
    ),
    "oscillator": Recipe(
        "the noisy spin-torque nano-oscillator, by its mean response (Fig. 5)",
        "oscillator",
        "oscillator/cochlear_k2.pt",
    ),
}


def ship(profile: str) -> list[Path]:
    """Copy the models of a finished ``profile`` into the package, and write their cards.

    Returns
    -------
    list of Path
        The cards.

    Raises
    ------
    InputError
        If a model or the results that its card needs are missing.
    """
    root = workbook_root()
    commit = begin(root)["commit"]
    target = shipped.folder()
    target.mkdir(exist_ok=True)
    cards = []
    for name, recipe in RECIPES.items():
        source = root / "data" / profile / recipe.file
        results = root / "results" / profile / f"{recipe.stage}.json"
        for path in (source, results):
            if not path.is_file():
                raise InputError(f"there is no {path}; run 'dvc repro report@{profile}' first.")
        model = SpinODE.load(source)
        measured = json.loads(results.read_text("utf-8"))
        with replacing(target / f"{name}.npz") as partial:
            shutil.copyfile(source, partial)
        about = {
            "title": recipe.title,
            "profile": profile,
            "notebook": recipe.stage,
            "commit": commit,
            "k": model.k,
            "width": model.width,
            "sample_spacing_s": model.sample_spacing,
            "units": {one.name: one.units for one in (model.output, *model.inputs)},
            "trained_range": model.trained_range,
            "sha256": digest(target / f"{name}.npz"),
            "results": measured,
        }
        with replacing(target / f"{name}.json") as partial:
            partial.write_text(json.dumps(about, indent=1) + "\n", "utf-8")
        cards.append(target / f"{name}.json")
    return cards
