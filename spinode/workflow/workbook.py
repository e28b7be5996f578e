"""What a notebook writes, and where it finds what another one has left."""

from __future__ import annotations

import ast
import json
import math
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from spinode import provenance
from spinode.errors import InputError
from spinode.files import check_writable, replacing, workbook_root
from spinode.workflow.profiles import read_yaml

#: Environment variable that is set in the kernels of ``spinode run``, whose outputs are the
#: workbook's.
RUN = "SPINODE_RUN"


class MissingInput(InputError):
    """What another notebook should have left is not there; says which one makes it."""


@dataclass(frozen=True)
class Outputs:
    """Folders that a notebook writes to under one profile.

    Parameters
    ----------
    data : Path
        Trajectories and models, ``data/<profile>``; tracked by DVC.
    figures : Path
        Pictures for readers, ``figures/<profile>``; small, in git.
    results : Path
        Numbers, ``results/<profile>``; small, in git.
    checkpoints : Path
        Where long jobs keep what they need to resume, ``build/<profile>/checkpoints``.
    inputs : Path
        Where `input` looks: the workbook's ``data/<profile>``, also in a sweep, whose points
        have all their other folders to themselves.
    """

    data: Path
    figures: Path
    results: Path
    checkpoints: Path
    inputs: Path

    def input(self, name: str) -> Path:
        """Return where another notebook has left ``name``: numbers in its results, else its data.

        What was left beside this notebook's own outputs comes first. A sweep computes its points
        again once that file has changed.

        Parameters
        ----------
        name : str
            Such as ``one_skyrmion.nc`` or ``training/one_skyrmion_k2.pt``, in
            ``data/<profile>``; ``training.json`` (or any .json or .csv), in
            ``results/<profile>``.

        Raises
        ------
        MissingInput
            If it is missing; says which notebook makes it.
        """
        numbers = _holds_numbers(name)
        own = (self.results if numbers else self.data) / name
        root, profile = self.inputs.parent.parent, self.inputs.name
        shared = (root / "results" / profile if numbers else self.inputs) / name
        path = own if own.exists() else shared
        files = sorted(path.rglob("*")) if path.is_dir() else [path]
        for file in files:
            provenance.depends_on(file)
        if not path.exists():
            raise MissingInput(f"there is no {path}; {_maker(root, shared, profile)}")
        return path

    def write_metrics(self, name: str, metrics: Mapping[str, Any]) -> Path:
        """Write ``metrics`` to ``results/<profile>/<name>.json``; return the path.

        A number that is not finite, such as the error of a forecast that blew up, becomes null.
        The file's ``provenance`` says what made it, see `spinode.provenance.begin`.
        """
        path = self.results / f"{name}.json"
        record = provenance.current(self.inputs.parent.parent)
        text = json.dumps(_finite({**metrics, "provenance": record}), indent=2, allow_nan=False)
        with replacing(path) as partial:
            partial.write_text(text + "\n", encoding="utf-8")
        return path


def check_inputs(notebook: Path, profile: str) -> None:
    """Check that the inputs that a notebook needs in any case are there.

    These are the plain names that it gives to `Outputs.input` at the top of a cell, not under a
    condition; others are only noticed when they are asked for.

    Raises
    ------
    MissingInput
        For the first that is missing; says which notebook makes it.
    """
    root = workbook_root()
    for statement in ast.parse(notebook.read_text("utf-8")).body:
        if not isinstance(statement, ast.Assign | ast.AnnAssign | ast.Expr) or not statement.value:
            continue
        for name in _asked_for(statement.value):
            kind = "results" if _holds_numbers(name) else "data"
            path = root / kind / profile / name
            if not path.exists():
                raise MissingInput(f"there is no {path}; {_maker(root, path, profile)}")


def _asked_for(node: ast.AST) -> Iterator[str]:
    """Yield the names that an expression asks for in any case."""
    if isinstance(node, ast.IfExp | ast.BoolOp | ast.Lambda | ast.ListComp | ast.DictComp):
        return
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        alone = len(node.args) == 1 and not node.keywords and node.func.attr == "input"
        if alone and isinstance(node.args[0], ast.Constant) and isinstance(node.args[0].value, str):
            yield node.args[0].value
    for child in ast.iter_child_nodes(node):
        yield from _asked_for(child)


def _holds_numbers(name: str) -> bool:
    """Whether a name is one of results, not of data."""
    return Path(name).suffix in (".json", ".csv")


def _maker(root: Path, path: Path, profile: str) -> str:
    """Say which notebook makes ``path``, by what the pipeline's stages leave."""
    pipeline = root / "dvc.yaml"
    stages = read_yaml(pipeline)["stages"] if pipeline.is_file() else {}
    for stage in stages.values():
        left = [*stage.get("outs", ()), *stage.get("metrics", ()), *stage.get("plots", ())]
        for one in left:
            named = next(iter(one)) if isinstance(one, dict) else one
            if path.is_relative_to(root / named.replace("${item.profile}", profile)):
                notebook = Path(stage["cmd"].split()[2]).stem
                return (
                    f"notebook {notebook} makes it: run 'spinode run {notebook} --profile "
                    f"{profile}' first."
                )
    return "run the notebook that makes it first."


def _finite(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    value = value.item() if hasattr(value, "item") else value  # a scalar of numpy's
    return None if isinstance(value, float) and not math.isfinite(value) else value


def outputs(profile: str) -> Outputs:
    """Return (and make) the folders that a notebook writes to under ``profile``.

    Those of the workbook under `run`, those of its point in a sweep. Cells that are run by hand,
    in JupyterLab, write to ``build/interactive/<profile>``, so that playing changes no committed
    figure or result; the environment variable ``SPINODE_RUN=1`` makes them write as `run` does.

    Raises
    ------
    InputError
        If they cannot be made.
    """
    root = workbook_root()
    inputs = root / "data" / profile
    own = os.environ.get(provenance.OUTPUTS)
    if not own and not os.environ.get(RUN):
        own = root / "build" / "interactive" / profile
        print(f"run by hand: outputs go to {own}")
    if own:
        names = ("data", "figures", "results", "checkpoints")
        folders = Outputs(**{name: Path(own, name) for name in names}, inputs=inputs)
    else:
        folders = Outputs(
            data=inputs,
            figures=root / "figures" / profile,
            results=root / "results" / profile,
            checkpoints=root / "build" / profile / "checkpoints",
            inputs=inputs,
        )
    for folder in vars(folders).values():
        check_writable(folder)
    return folders
