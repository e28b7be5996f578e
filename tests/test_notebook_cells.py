"""Notebooks are to be read: short cells, and prose before each thing that is done."""

from pathlib import Path

import jupytext
import pytest

ROOT = Path(__file__).resolve().parent.parent
NOTEBOOKS = sorted(
    path
    for path in (ROOT / "notebooks").rglob("*.py")
    if ".ipynb_checkpoints" not in path.parts  # which JupyterLab leaves
)
LONGEST = 30  # lines of code in a cell


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_no_cell_is_longer_than_a_screen(path):
    cells = jupytext.read(path).cells
    long = [
        cell.source.splitlines()[0]
        for cell in cells
        if cell.cell_type == "code"
        and len([line for line in cell.source.splitlines() if line.strip()]) > LONGEST
    ]
    assert not long, f"cells over {LONGEST} lines begin with {long}"


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_begins_with_words(path):
    first = jupytext.read(path).cells[0]
    assert first.cell_type == "markdown"
    assert first.source.startswith("# ")
