"""Files of which one byte is changed: noticed, or without effect."""

import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jobs
import watch
from jobs import Job, Row

from spinode.errors import SpinodeError


def flip(content: bytes, random) -> bytes:
    """Return the content with one byte changed."""
    changed = bytearray(content)
    changed[random.integers(len(content))] ^= int(random.integers(1, 256))
    return bytes(changed)


def read(row: Row, path: Path, reader: Callable[[], Any], tries: int, random) -> None:
    """Read a file of which one byte is changed; every other error than a sentence is wrong."""
    content = path.read_bytes()
    expected = reader()
    try:
        for _ in range(tries):
            path.write_bytes(flip(content, random))
            try:
                row.add(reader() == expected)
            except SpinodeError as error:
                row.add(True, plain(str(error), path))
            except Exception as error:
                row.add(False, f"{type(error).__name__}: {error}")
    finally:
        path.write_bytes(content)


def checkpoint(row: Row, job: Job, tries: int, scratch: Path, random) -> None:
    """Let a job go on from a checkpoint of which one byte is changed."""
    reference = scratch / "reference"
    assert jobs.finish(job.run, reference)[0] == 0
    expected = job.read(reference)
    folder = scratch / "damaged"
    saved = folder / job.checkpoint
    folder.mkdir()
    content = None
    while content is None:
        pid = jobs.start(job.run, folder)
        if jobs.wait_for(saved.exists, pid):
            time.sleep(4 * watch.INTERVAL)
            jobs.kill(pid)
        jobs.end(pid)
        content = saved.read_bytes() if saved.exists() else None
    for _ in range(tries):
        saved.write_bytes(flip(content, random))
        code, said = jobs.finish(job.run, folder)
        refused = code == 2 and saved.exists()
        row.add(refused or (code == 0 and job.read(folder) == expected), plain(said, saved))


def plain(message: str, path: Path) -> str:
    """Return a message without what differs from try to try."""
    short = message.replace(str(path), path.name)
    return re.sub(r"\((?!delete).*?\)(?=;|\.|$)", "(...)", short)
