"""Files are written whole, whoever else writes them."""

import subprocess
import sys
import threading
from pathlib import Path

import pytest

from spinode.errors import InputError
from spinode.files import replacing

WRITER = """
import sys
from spinode.files import replacing
for number in range(200):
    with replacing(sys.argv[1]) as partial:
        partial.write_text(sys.argv[2] * 50_000)
"""


def test_two_processes_write_one_file(tmp_path):
    """No write fails, and a reader sees one writer's file, whole."""
    path = tmp_path / "folder" / "result.txt"
    writers = [
        subprocess.Popen(
            [sys.executable, "-c", WRITER, path, who],
            cwd=Path(__file__).parent.parent,
            stderr=subprocess.PIPE,
        )
        for who in "ab"
    ]
    seen = set()
    while any(writer.poll() is None for writer in writers):
        if path.exists():
            seen.add(path.read_text())
    for writer in writers:
        assert writer.returncode == 0, writer.communicate()[1].decode()
    assert seen | {path.read_text()} <= {"a" * 50_000, "b" * 50_000}
    assert [one.name for one in path.parent.iterdir()] == ["result.txt"]


def test_two_threads_write_one_file(tmp_path):
    path, both = tmp_path / "result.txt", threading.Barrier(2)

    def write(who):
        with replacing(path) as partial:
            partial.write_text(who)
            both.wait()

    writers = [threading.Thread(target=write, args=(who,)) for who in "ab"]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert path.read_text() in ("a", "b")


def test_a_failed_write_leaves_the_old_file(tmp_path):
    path = tmp_path / "result.txt"
    path.write_text("old")
    with pytest.raises(RuntimeError), replacing(path) as partial:
        partial.write_text("half")
        raise RuntimeError
    assert path.read_text() == "old"
    assert [one.name for one in tmp_path.iterdir()] == ["result.txt"]
    with pytest.raises(InputError, match="cannot write"), replacing(path / "below") as partial:
        partial.write_text("nowhere")
