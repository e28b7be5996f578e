"""``make faults`` in a reduced form: whatever is killed, starved or damaged, no result is wrong."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


@pytest.mark.long
def test_no_fault_leaves_a_wrong_result():
    command = [sys.executable, ROOT / "tests" / "faults", "--tries", "0.1"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"^\d+ kills, 0 wrong results in all, 0 losses", done.stdout, re.MULTILINE)
