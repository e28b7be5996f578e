"""The mumax3 program: find it, run it so that it never outlives its caller, explain its end."""

import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time as clock
from collections import deque
from collections.abc import Callable
from pathlib import Path

from spinode.errors import InputError, SpinodeError
from spinode.micromagnetics.mx3 import DRIVEN

_POLL = 0.2  # s between looks at the process
_PATIENCE = 5.0  # s a process may take to end once it is asked to

# A program that is started through these lines dies with the one that started them, even by
# SIGKILL: Linux sends it the signal that PR_SET_PDEATHSIG, 1, names.
_DIES_WITH_PARENT = """
import ctypes, os, signal, sys
if sys.platform == "linux":
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)
    if os.getppid() != int(sys.argv[1]):
        sys.exit("the caller is gone")
os.execv(sys.argv[2], sys.argv[2:])
"""


def executable() -> str:
    """Return the path of mumax3: ``SPINODE_MUMAX3`` if set, else what PATH has.

    Raises
    ------
    InputError
        When there is none.
    """
    named = os.environ.get("SPINODE_MUMAX3")
    found = shutil.which(named or "mumax3")
    if found:
        return found
    if named:
        raise InputError(
            f"SPINODE_MUMAX3 is {named!r}, which is not an executable file; correct it."
        )
    raise InputError(
        "MuMax3 is not installed here: put mumax3 on PATH, name it in SPINODE_MUMAX3, or use "
        "engine='embedded'."
    )


def check() -> str:
    """Return the path of a MuMax3 that finds its GPU.

    Raises
    ------
    InputError
        When there is none, or it cannot use a GPU.
    """
    command = [executable(), "-test"]
    try:
        tested = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise InputError(f"{command[0]} cannot be run: {error}.") from None
    if tested.returncode:
        raise InputError(str(explain(tested.returncode, tested.stderr + tested.stdout)))
    return command[0]


def attend(
    command: list[str],
    folder: Path,
    watch: Callable[[], object],
    late: Callable[[], str],
    timeout: float | None,
) -> tuple[str, float]:
    """Run ``command`` in ``folder`` to its end.

    Parameters
    ----------
    command : list of str
    folder : Path
    watch : function
        Called a few times a second.
    late : function
        Says how far it came, should ``timeout`` (s) pass.
    timeout : float or None

    Returns
    -------
    str, float
        What it printed last, and when the drive began: s after the start, 0 if it never said so.

    Raises
    ------
    SpinodeError
        When the program cannot be run, fails, or takes too long. Nothing is left running, whatever
        ended the wait.
    """
    started = clock.monotonic()
    recent = deque(maxlen=2000)
    driven = [0.0]

    def listen():
        for line in process.stdout:
            recent.append(line)
            if DRIVEN in line and not driven[0]:
                driven[0] = clock.monotonic() - started

    try:
        process = subprocess.Popen(
            [sys.executable, "-c", _DIES_WITH_PARENT, str(os.getpid()), *command],
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            start_new_session=True,  # a group of its own, to be ended as a whole
        )
    except OSError as error:
        raise SpinodeError(f"{command[0]} cannot be run: {error.strerror or error}.") from None
    reader = threading.Thread(target=listen, daemon=True)
    reader.start()
    try:
        while process.poll() is None:
            clock.sleep(_POLL)
            watch()
            if timeout is not None and clock.monotonic() - started > timeout:
                raise SpinodeError(f"MuMax3 was stopped after {timeout:g} s, {late()}")
    finally:
        _end(process)
        reader.join(_PATIENCE)
        process.stdout.close()
    log = "".join(recent)
    if process.returncode:
        raise explain(process.returncode, log)
    watch()
    return log, driven[0]


def _end(process):
    """End a process that still runs, and all that it started."""
    if process.poll() is not None:
        return
    for kind in ("SIGTERM", "SIGKILL"):
        try:
            os.killpg(process.pid, getattr(signal, kind))
        except (AttributeError, OSError):  # no groups on this system
            process.terminate() if kind == "SIGTERM" else process.kill()
        try:
            process.wait(_PATIENCE)
        except subprocess.TimeoutExpired:
            continue
        return


_KNOWN = (
    (r"no space left|disk quota", "The disk is full, says MuMax3 ({}); make room and run again."),
    (
        r"OUT_OF_MEMORY|out of memory",
        "The GPU has too little free memory for MuMax3 ({}); end what else uses it, or take "
        "coarser cells.",
    ),
    (
        r"INVALID_DEVICE",
        "MuMax3 finds no GPU of that number ({}); 'nvidia-smi -L' lists those there are.",
    ),
    (
        r"NO_DEVICE|NOT_INITIALIZED|INSUFFICIENT_DRIVER|STUB_LIBRARY|lib(cuda|curand|cufft)|no cuda"
        r"|nvidia.*(not found|fail)",
        "MuMax3 finds no NVIDIA GPU or driver ({}); use engine='embedded' here.",
    ),
    (
        r"CUDA_ERROR|CUFFT_|CURAND_",
        "The GPU failed MuMax3 ({}); run again, and if it repeats use another GPU or "
        "engine='embedded'.",
    ),
    (r"\bline \d+|\.mx3:\d+", "MuMax3 refuses the script: {}."),
)


def explain(code: int, log: str) -> SpinodeError:
    """Return the error that MuMax3 printed, in one sentence."""
    lines = [line.strip(" /*\t\r") for line in log.splitlines() if line.strip(" /*\t\r")]
    # Go prints a panic, then the stack: what comes after the first of these is not a message.
    stack = next((n for n, line in enumerate(lines) if re.match(r"goroutine \d+", line)), None)
    lines = lines[:stack]
    # MuMax3 echoes what it executes: a word of the script is not an error.
    told = [_without_sources(line) for line in lines]
    for pattern, sentence in _KNOWN:
        for line in told:
            if re.search(pattern, line, re.IGNORECASE) and not line.startswith("using"):
                return SpinodeError(sentence.format(line.rstrip(".")))
    panic = [line for line in told if line.startswith("panic:")]
    last = (panic or [line for line in told if line] or ["it printed nothing"])[-1]
    if code < 0:
        return SpinodeError(f"MuMax3 was ended by signal {-code}; its last words: {last}.")
    return SpinodeError(f"MuMax3 stopped with code {code}; its last words: {last}.")


def _without_sources(line):
    """Return a line without places in MuMax3's own Go files."""
    return re.sub(r"\s*[\[(]?\S*\.go:\d+[\])]?:?", "", line).strip()
