"""Running a notebook: jupytext text in, executed notebook and its outputs out."""

from __future__ import annotations

import json
import os
import sys
import tempfile
from collections.abc import Mapping
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

from spinode import provenance
from spinode.errors import InputError, SpinodeError
from spinode.files import check_writable, exclusive, workbook_root
from spinode.workflow.executed import tidy
from spinode.workflow.notebooks import (
    check_parameters,
    defaults,
    find_notebook,
    outputs_name,
    read,
    section,
)
from spinode.workflow.profiles import load_profile
from spinode.workflow.workbook import RUN

# How long (s) a kernel may take to start or to answer: it may share its core with many others.
_PATIENCE = 300
# The logger of the kernel's sockets does not know of the kernel's level.
_SOCKETS_ARE_SILENT = "__import__('logging').getLogger('tornado.general').disabled = True"
# Characters in the address of a socket (macOS has the fewest).
_LONGEST_SOCKET = 103


class NotebookError(SpinodeError):
    """A cell of a notebook failed; says which and why.

    Parameters
    ----------
    message : str
    kind, reason : str, optional
        Name and message of the exception that the cell raised.
    """

    def __init__(self, message: str, kind: str | None = None, reason: str = ""):
        super().__init__(message)
        self.kind, self.reason = kind, reason


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
        The executed notebook, ``build/<profile>/<name>.ipynb``. One that does not lie in the
        workbook's ``notebooks/`` leaves all its outputs beside it, in a folder of its own under
        ``build/elsewhere/<profile>``.

    Raises
    ------
    InputError
        Before anything is written: unknown notebook, profile or parameter, a value of the wrong
        type, or another run of the same notebook under the same profile at the same time.
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
    environment = {}
    if outputs_name(path) != path.stem:  # a file from elsewhere, which may have any name
        own = root / "build" / "elsewhere" / profile / outputs_name(path)
        print(f"{path} is not one of the workbook's notebooks: its outputs go to {own}")
        target, environment = own / target.name, {provenance.OUTPUTS: str(own)}
    check_writable(target.parent)
    busy = (
        f"another run of {path.stem} under the profile {profile!r} is going on; wait for its end, "
        "or stop it."
    )
    try:
        with exclusive(target.parent / ".locks" / f"{path.stem}.lock", busy):
            execute(
                path,
                target,
                parameters,
                root=root,
                profile=profile,
                environment=environment,
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
    node = read(notebook)
    values = {**defaults(notebook), **parameters}
    record = provenance.begin(root, notebook.stem, profile or values.get("profile"), values)
    environment = {provenance.RECORD: json.dumps(record), **(environment or {})}
    import nbformat
    import papermill
    from nbclient.exceptions import CellTimeoutError, DeadKernelError
    from papermill.exceptions import PapermillExecutionError

    with (
        tempfile.TemporaryDirectory(dir=_scratch()) as scratch,
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
            raise NotebookError(_failure(notebook, error), error.ename, error.evalue) from None
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


def _scratch() -> str:
    """Return a folder for temporary files whose name leaves room for the address of a socket."""
    usual = tempfile.gettempdir()
    return "/tmp" if len(usual) > _LONGEST_SOCKET - 40 and os.access("/tmp", os.W_OK) else usual


@contextmanager
def _kernel(scratch: Path, root: Path, environment: Mapping[str, str], stderr):
    """Yield the manager of a kernel that runs in ``root`` until the block is left."""
    from jupyter_client.manager import KernelManager

    # Sockets in a private folder, where the system has them, not TCP ports: kernels that start
    # at the same moment would take each other's.
    fits = len(str(scratch)) < _LONGEST_SOCKET - len("/kernel.json-ipc-1")
    manager = KernelManager(
        kernel_name="python3",
        transport="tcp" if sys.platform == "win32" or not fits else "ipc",
        connection_file=str(scratch / "kernel.json"),
    )
    manager.client_class = "jupyter_client.asynchronous.AsyncKernelClient"  # nbclient awaits it
    manager.start_kernel(
        cwd=str(root),
        env={**os.environ, RUN: "1", **environment},
        stderr=stderr,
        # A kernel that is interrupted and ended at once logs a traceback of its own sockets;
        # errors of cells come another way.
        extra_arguments=["--log-level=CRITICAL", f"--IPKernelApp.exec_lines={_SOCKETS_ARE_SILENT}"],
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
