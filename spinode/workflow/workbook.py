"""Running the notebooks: jupytext text in, executed notebook and its outputs out."""

from __future__ import annotations

import ast
import difflib
import json
import math
import os
import sys
import tempfile
from collections.abc import Iterable, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from spinode import provenance
from spinode.errors import InputError, SpinodeError
from spinode.files import check_writable, replacing, workbook_root
from spinode.workflow.executed import tidy

# Defaults that stand for a value of another type.
_ANY = (None, "auto")
# Set in the kernels of `run`, whose outputs are the workbook's.
_RUN = "SPINODE_RUN"
# How long (s) a kernel may take to start or to answer: it may share its core with many others.
_PATIENCE = 300

# --- what a notebook writes -----------------------------------------------------------------


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

    def input(self, name: str, optional: bool = False) -> Path:
        """Return where another notebook has left ``name``: numbers in its results, else its data.

        What was left beside this notebook's own outputs comes first. A sweep runs its points anew
        once that file has changed.

        Parameters
        ----------
        name : str
            Such as ``one_skyrmion.nc`` or ``training/one_skyrmion_k2.pt``, in
            ``data/<profile>``; ``training.json`` (or any .json or .csv), in
            ``results/<profile>``.
        optional : bool
            Whether the notebook can do without; then the path may lead nowhere.

        Raises
        ------
        InputError
            If it is missing; says which notebook makes it.
        """
        numbers = Path(name).suffix in (".json", ".csv")
        own = (self.results if numbers else self.data) / name
        root, profile = self.inputs.parent.parent, self.inputs.name
        shared = (root / "results" / profile if numbers else self.inputs) / name
        path = own if own.exists() else shared
        files = sorted(path.rglob("*")) if path.is_dir() else [path]
        for file in files:
            provenance.depends_on(file)
        if not (optional or path.exists()):
            raise InputError(f"there is no {path}; {_maker(root, shared, profile)}")
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
    if not own and not os.environ.get(_RUN):
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


# --- names ----------------------------------------------------------------------------------


def find_notebook(name: str) -> Path:
    """Return the text of a notebook by path, file name or name (``02_training``, ``training``).

    Raises
    ------
    InputError
        If there is none; the nearest name is suggested.
    """
    given = Path(name)
    if given.suffix in (".py", ".ipynb"):
        if given.is_file():
            return given.resolve()
        if len(given.parts) > 1:
            raise InputError(f"there is no notebook {name}.")
    folder = workbook_root() / "notebooks"
    texts = (path for path in sorted(folder.rglob("*.py")) if path.parent.name[0] != ".")
    notebooks = {path.stem: path for path in texts}  # without JupyterLab's checkpoints
    stem = given.name.removesuffix(".py").removesuffix(".ipynb")
    for candidate, path in notebooks.items():
        if stem in (candidate, section(path)):
            return path
    raise InputError(f"there is no notebook {name!r} in {folder}; {_suggest(stem, notebooks)}")


def section(notebook: Path) -> str:
    """Return the key of a notebook's parameters in a profile: its name without the number."""
    number, _, rest = notebook.stem.partition("_")
    return rest if number.isdigit() else notebook.stem


def load_profile(profile: str) -> dict[str, dict[str, Any]]:
    """Return the parameters of every notebook under ``profile``.

    Raises
    ------
    InputError
        If there is no such profile, or its file cannot be read; the nearest name is suggested.
    """
    folder = workbook_root() / "profiles"
    path = folder / f"{profile}.yaml"
    if not path.is_file():
        names = [file.stem for file in sorted(folder.glob("*.yaml"))]
        raise InputError(f"there is no profile {profile!r}; {_suggest(profile, names)}")
    contents = read_yaml(path)
    sections = {} if contents is None else contents
    if isinstance(sections, dict):
        sections = {name: {} if values is None else values for name, values in sections.items()}
    if not isinstance(sections, dict) or not all(isinstance(v, dict) for v in sections.values()):
        raise InputError(f"{path} must hold, by notebook, parameters and their values.")
    return sections


def read_yaml(path: Path) -> Any:
    """Return what a file of YAML 1.2 holds.

    Raises
    ------
    InputError
        If it cannot be read or is no YAML.
    """
    from ruamel.yaml import YAMLError

    try:
        return _yaml().load(path.read_text("utf-8"))
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}.") from None
    except UnicodeDecodeError:
        raise InputError(f"{path} is not text; it should be a file of YAML.") from None
    except YAMLError as error:
        raise InputError(f"{path} is not valid YAML: {' '.join(str(error).split())}") from None


def parse_value(text: str, like: Any = None) -> Any:
    """Read a command-line value as YAML 1.2 does: 3, 1e-3, true, [0, 1], or a string.

    Parameters
    ----------
    text : str
    like : optional
        The parameter's default. Where it is a string, so is the value, whatever it holds:
        commas, brackets and ``#`` too, or a number. Quotes around all of it are taken off.
    """
    from ruamel.yaml import YAMLError

    try:
        value = _yaml().load(text)
    except YAMLError:
        return text
    if isinstance(value, str) or (isinstance(like, str) and like not in _ANY):
        quoted = text[:1] in ("'", '"') and text[:1] == text[-1:] and isinstance(value, str)
        return value if quoted else text
    return value


def _yaml():
    """Return a reader of YAML 1.2, as DVC's is: 1.1, PyYAML's, takes 8e5 for a string."""
    from ruamel.yaml import YAML

    return YAML(typ="safe")


def _suggest(name: str, known: Iterable[str]) -> str:
    known = list(known)
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.4)
    if near:
        return f"did you mean {near[0]!r}?"
    return f"there is {', '.join(known) or 'none'}."


# --- parameters -----------------------------------------------------------------------------


def defaults(notebook: Path) -> dict[str, Any]:
    """Return the parameters of a notebook and their defaults.

    Parameters
    ----------
    notebook : path
        Its text.

    Raises
    ------
    InputError
        If it has no cell tagged ``parameters``, or one whose values are not literals.
    """
    node = _read(notebook)
    cells = [cell for cell in node.cells if "parameters" in cell.metadata.get("tags", ())]
    if len(cells) != 1:
        raise InputError(
            f"{notebook} has {len(cells)} cells tagged 'parameters'; give it exactly one."
        )
    try:
        statements = ast.parse(cells[0].source).body
    except SyntaxError as error:
        raise InputError(
            f"{notebook}: line {error.lineno} of the parameters cell is no Python ({error.msg})."
        ) from None
    found = {}
    for statement in statements:
        try:
            (target,) = statement.targets
            found[target.id] = ast.literal_eval(statement.value)
        except (AttributeError, ValueError):
            raise InputError(
                f"{notebook}: the parameters cell holds {ast.unparse(statement)!r}; "
                "keep to lines of the form 'name = literal'."
            ) from None
    return found


def _read(notebook: Path):
    # jsonschema, behind all notebook libraries, else takes two seconds to build the grammar of
    # a kind of address that no notebook holds.
    sys.modules.setdefault("rfc3987_syntax", None)
    import jupytext

    node = jupytext.read(notebook)
    kernel = {"name": "python3", "language": "python", "display_name": "Python 3"}
    node.metadata.setdefault("kernelspec", kernel)
    return node


def check_parameters(
    notebook: Path, known: Mapping[str, Any], given: Mapping[str, Any]
) -> dict[str, Any]:
    """Return ``given`` with the types of the defaults in ``known``.

    A whole number stands for a float, anything for a default of None or "auto". What a list holds
    must be of the types that the default holds.

    Raises
    ------
    InputError
        If a name is unknown (the nearest is suggested) or a value of another type.
    """
    checked = {}
    for name, value in given.items():
        if name not in known:
            raise InputError(
                f"notebook {notebook.stem} has no parameter {name!r}; {_suggest(name, known)}"
            )
        default = known[name]
        if isinstance(default, float) and type(value) is int:
            value = float(value)
        if isinstance(default, list) and isinstance(value, list) and default:
            if all(isinstance(one, float) for one in default):
                value = [float(one) if type(one) is int else one for one in value]
            kinds = {type(one) for one in default}
            unfit = any(type(one) not in kinds for one in value)
        else:
            unfit = default not in _ANY and type(value) is not type(default)
        if unfit:
            raise InputError(
                f"parameter {name} of notebook {notebook.stem} takes a value of type "
                f"{type(default).__name__} like {default!r}, not {value!r}."
            )
        checked[name] = value
    return checked


# --- running --------------------------------------------------------------------------------


class NotebookError(SpinodeError):
    """A cell of a notebook failed; says which and why."""


def run(
    notebook: str | Path,
    profile: str = "quick",
    overrides: Mapping[str, Any] | None = None,
) -> Path:
    """Execute a notebook from its text under a profile.

    Cells' output is shown as it comes. The parameters are the notebook's defaults, then the
    profile's, then ``overrides``.

    Parameters
    ----------
    notebook : str or path
        See `find_notebook`.
    profile : str
        Name of a file in ``profiles/``.
    overrides : mapping, optional
        Values by parameter name.

    Returns
    -------
    Path
        The executed notebook, ``build/<profile>/<name>.ipynb``.

    Raises
    ------
    InputError
        Before anything is written: unknown notebook, profile or parameter, or a value of the
        wrong type.
    NotebookError
        If a cell fails; the partial notebook is kept.
    """
    path = find_notebook(str(notebook))
    chosen = load_profile(profile).get(section(path), {})
    known = defaults(path)
    if "profile" in known and (overrides or {}).get("profile", profile) != profile:
        raise InputError(
            f"a run under the profile {profile!r} cannot write as another; use --profile."
        )
    parameters = check_parameters(path, known, {**chosen, **(overrides or {})})
    if "profile" in known:
        parameters.setdefault("profile", profile)

    root = workbook_root()
    target = root / "build" / profile / f"{path.stem}.ipynb"
    check_writable(target.parent)
    try:
        execute(
            path,
            target,
            parameters,
            root=root,
            profile=profile,
            stdout_file=sys.stdout,
            stderr_file=sys.stderr,
        )
    except NotebookError as error:
        raise NotebookError(f"{error}\n  what ran is kept in {target}") from None
    return target


def execute(
    notebook: Path,
    target: Path,
    parameters: Mapping[str, Any],
    *,
    root: Path,
    profile: str | None = None,
    environment: Mapping[str, str] | None = None,
    log: Path | None = None,
    **options: Any,
) -> None:
    """Execute the text ``notebook``; what has run is in ``target``, also after a failure.

    Parameters
    ----------
    notebook, target : Path
        Text to execute, and executed notebook to write.
    parameters : mapping
        Values by parameter name.
    root : Path
        Folder of the workbook, where the notebook runs.
    profile : str, optional
        What the record of the run calls the profile, if no parameter of that name does.
    environment : mapping, optional
        Environment variables of the kernel, beside those of this process.
    log : Path, optional
        Receives what the kernel writes outside of cells, by default this process's stderr.
    **options
        Passed on to ``papermill.execute_notebook``.

    Raises
    ------
    NotebookError
        If a cell fails or the kernel dies.
    InputError
        If ``target`` cannot be written.
    """
    node = _read(notebook)
    values = {**defaults(notebook), **parameters}
    record = provenance.begin(root, notebook.stem, profile or values.get("profile"), values)
    environment = {provenance.RECORD: json.dumps(record), **(environment or {})}
    import nbformat
    import papermill
    from nbclient.exceptions import CellTimeoutError, DeadKernelError
    from papermill.exceptions import PapermillExecutionError

    with (
        tempfile.TemporaryDirectory() as scratch,
        log.open("w") if log else nullcontext() as stderr,
        _kernel(Path(scratch), root, environment, stderr) as kernel,
    ):
        source = Path(scratch) / target.name
        nbformat.write(node, source)
        try:
            papermill.execute_notebook(
                source,
                target,
                parameters=parameters,
                km=kernel,
                start_timeout=_PATIENCE,
                iopub_timeout=_PATIENCE,
                **options,
            )
        except PapermillExecutionError as error:
            raise NotebookError(_failure(notebook, error)) from None
        except DeadKernelError:
            raise NotebookError(
                f"{notebook.name}: its kernel died, out of memory or killed from outside."
            ) from None
        except CellTimeoutError:  # an OSError, too
            raise NotebookError(
                f"{notebook.name}: its kernel did not answer for {_PATIENCE} s; the machine is too "
                "busy."
            ) from None
        except OSError as error:
            raise InputError(f"cannot write {target}: {error.strerror or error}.") from None
        finally:
            if target.is_file():
                tidy(target, provenance.finished(record))


@contextmanager
def _kernel(scratch: Path, root: Path, environment: Mapping[str, str], stderr):
    """Yield the manager of a kernel that runs in ``root`` until the block is left."""
    from jupyter_client.manager import KernelManager

    # Sockets in a private folder, where the system has them, not TCP ports: kernels that start
    # at the same moment would take each other's.
    manager = KernelManager(
        kernel_name="python3",
        transport="tcp" if sys.platform == "win32" else "ipc",
        connection_file=str(scratch / "kernel.json"),
    )
    manager.client_class = "jupyter_client.asynchronous.AsyncKernelClient"  # nbclient awaits it
    manager.start_kernel(
        cwd=str(root),
        env={**os.environ, _RUN: "1", **environment},
        stderr=stderr,
        # A kernel that is interrupted and ended at once logs a traceback of its own sockets;
        # errors of cells come another way.
        extra_arguments=["--log-level=CRITICAL"],
    )
    try:
        yield manager
    finally:
        manager.shutdown_kernel()


def _failure(notebook: Path, error) -> str:
    """Say in a few lines which cell failed and why."""
    lines = error.source.strip().splitlines()
    shown = "\n".join(f"    {line}" for line in lines[:8]) + ("\n    ..." if lines[8:] else "")
    return (
        f"{notebook.name} failed in cell {error.cell_index}:\n{shown}\n"
        f"  {error.ename}: {error.evalue}"
    )
