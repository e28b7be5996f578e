"""The pipeline: its stages fit the notebooks and profiles, and its data can be shared."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from spinode import provenance
from spinode.workflow import workbook

ROOT = Path(__file__).resolve().parent.parent
NOTEBOOKS = sorted((ROOT / "notebooks").rglob("*.py"))
PIPELINE = YAML(typ="safe").load(ROOT / "dvc.yaml")


@pytest.mark.parametrize("profile", ["smoke", "quick", "paper"])
def test_profiles_name_parameters_that_exist_and_have_their_type(profile, monkeypatch):
    monkeypatch.chdir(ROOT)
    sections = workbook.load_profile(profile)
    known = {workbook.section(path): path for path in NOTEBOOKS}
    assert set(sections) <= set(known)
    for name, values in sections.items():
        workbook.check_parameters(known[name], workbook.defaults(known[name]), values)


def test_defaults_are_the_quick_profile(monkeypatch):
    monkeypatch.chdir(ROOT)
    quick = workbook.load_profile("quick")
    for path in NOTEBOOKS:
        defaults = workbook.defaults(path)
        assert defaults.get("profile", "quick") == "quick"
        for name, value in quick.get(workbook.section(path), {}).items():
            assert defaults[name] == value, f"{path.stem}: {name}"


def test_every_stage_runs_a_notebook_and_depends_on_it():
    for name, stage in PIPELINE["stages"].items():
        notebook = stage["cmd"].split()[2]
        assert stage["cmd"] == f"spinode run {notebook} --profile ${{item.profile}}", name
        assert notebook in stage["deps"], name
        for dependency in stage["deps"]:
            if "$" not in dependency:
                assert (ROOT / dependency).exists(), f"{name}: {dependency}"


def dvc(*arguments, cwd):
    done = subprocess.run(
        [sys.executable, "-m", "dvc", *arguments], cwd=cwd, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_data_go_to_a_remote_and_come_back(tmp_path):
    book = tmp_path / "book"
    shutil.copytree(ROOT / ".dvc", book / ".dvc", ignore=shutil.ignore_patterns("cache", "tmp"))
    for name in (".dvcignore", ".gitignore"):
        shutil.copy(ROOT / name, book)
    (book / "dvc.yaml").write_text(
        "stages:\n  make:\n    cmd: mkdir -p data/quick && echo 42 > data/quick/answer\n"
        "    outs: [data/quick/answer]\n"
    )
    subprocess.run(["git", "init", "--quiet", str(book)], check=True)
    dvc("repro", "--quiet", cwd=book)
    assert "up to date" in dvc("repro", cwd=book)
    dvc("remote", "add", "--quiet", "--default", "storage", str(tmp_path / "storage"), cwd=book)
    dvc("push", "--quiet", cwd=book)

    shutil.rmtree(book / ".dvc" / "cache")
    shutil.rmtree(book / "data")
    dvc("pull", "--quiet", cwd=book)
    assert (book / "data" / "quick" / "answer").read_text() == "42\n"
    # DVC's data never show up in git
    status = subprocess.run(
        ["git", "status", "--porcelain", "data"], cwd=book, capture_output=True, text=True
    )
    assert status.stdout == ""


# Modules that neither compute nor change a result: where files lie, how notebooks run, what they
# say and draw. `authors` only says which published file is which; the files are dependencies.
HARMLESS = {"errors", "files", "authors", "looks", "plots", "provenance", "workbook"}


@pytest.mark.parametrize("name", PIPELINE["stages"])
def test_stages_depend_on_the_modules_that_compute_their_results(name):
    stage = PIPELINE["stages"][name]
    notebooks = [ROOT / one for one in stage["deps"] if one.startswith("notebooks/")]
    source = "\n".join(path.read_text() for path in notebooks)
    package = Path(provenance.__file__).parent
    needed = {path.relative_to(package) for path in provenance.modules(source)}
    computing = {
        "spinode/micromagnetics" if path.parts[0] == "micromagnetics" else f"spinode/{path}"
        for path in needed
        if path.name != "__init__.py" and path.stem not in HARMLESS
    }
    listed = {one for one in stage["deps"] if one.startswith("spinode/")}
    assert computing <= listed, f"stage {name} of dvc.yaml lacks {sorted(computing - listed)}"
