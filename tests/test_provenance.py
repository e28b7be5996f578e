"""What every result says of its making."""

import json
import subprocess
import sys

import nbformat
import numpy as np
import pytest

import spinode
from spinode import provenance

NOTEBOOK = """\
# %% tags=["parameters"]
profile = "quick"
seed = 3
widths = [1, 2]

# %%
from spinode.workflow.workbook import outputs

outputs(profile).write_metrics("made", {"error": 0.1})
"""


def git(folder, *arguments):
    who = ("-c", "user.name=a", "-c", "user.email=a@b.c")
    command = ["git", *who, *arguments]
    return subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True).stdout


@pytest.fixture
def book(tmp_path, monkeypatch):
    """A workbook of one notebook, committed."""
    for name, text in {
        "notebooks/01_made.py": NOTEBOOK,
        "profiles/quick.yaml": "made: {widths: [5]}\n",
        "results/quick/made.json": "{}\n",
    }.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    git(tmp_path, "init", "--quiet")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "--quiet", "-m", "a workbook")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_results_and_notebooks_say_what_made_them(book):
    command = [sys.executable, "-m", "spinode.workflow.cli", "run", "01_made", "-p", "seed", "7"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    result = json.loads((book / "results" / "quick" / "made.json").read_text())["provenance"]
    node = nbformat.read(book / "build" / "quick" / "01_made.ipynb", as_version=4)
    whole = node.metadata["spinode"]
    for record in (result, whole):
        assert record["notebook"] == "01_made"
        assert record["commit"] == git(book, "rev-parse", "HEAD").strip()
        assert record["dirty"] is False
        assert record["profile"] == "quick"
        assert record["parameters"] == {"profile": "quick", "seed": 7, "widths": [5]}
        assert record["seeds"] == {"seed": 7}
        assert record["versions"]["numpy"] == np.__version__
        assert record["versions"]["spinode"] == spinode.__version__
        assert record["machine"]["cores"] >= 1
        assert record["started"].endswith("Z")
    assert 0 <= result["duration_s"] <= whole["duration_s"]


def test_what_a_run_makes_leaves_a_checkout_clean_and_an_edit_does_not(book):
    (book / "results" / "quick" / "made.json").write_text("other numbers")
    (book / "notes.txt").write_text("not tracked")
    assert provenance.begin(book)["dirty"] is False
    (book / "notebooks" / "01_made.py").write_text(NOTEBOOK + "\n")
    assert provenance.begin(book)["dirty"] is True


def test_outside_of_a_repository_there_is_no_commit(tmp_path, monkeypatch):
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    record = provenance.begin(tmp_path)
    assert record["commit"] is None
    assert record["dirty"] is None
    json.dumps(record)


def test_cells_run_by_hand_have_no_parameters(book, monkeypatch):
    monkeypatch.delenv(provenance.RECORD, raising=False)
    record = provenance.current(book)
    assert record["notebook"] is record["parameters"] is record["duration_s"] is None
    assert record["commit"]
