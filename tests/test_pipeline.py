"""The pipeline: its stages fit the notebooks and profiles, and its data can be shared."""

import ast
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from spinode.devices import protocols
from spinode.paper.claims import claims
from spinode.workflow import notebooks, pipeline
from spinode.workflow.profiles import load_profile

ROOT = Path(__file__).resolve().parent.parent
NOTEBOOKS = sorted((ROOT / "notebooks").rglob("*.py"))
PIPELINE = YAML(typ="safe").load(ROOT / "dvc.yaml")


@pytest.mark.parametrize("profile", ["smoke", "quick", "paper"])
def test_profiles_name_parameters_that_exist_and_have_their_type(profile, monkeypatch):
    monkeypatch.chdir(ROOT)
    sections = load_profile(profile)
    known = {notebooks.section(path): path for path in NOTEBOOKS}
    assert set(sections) <= set(known)
    for name, values in sections.items():
        notebooks.check_parameters(known[name], notebooks.defaults(known[name]), values)


def test_defaults_are_the_quick_profile(monkeypatch):
    monkeypatch.chdir(ROOT)
    quick = load_profile("quick")
    for path in NOTEBOOKS:
        defaults = notebooks.defaults(path)
        assert defaults.get("profile", "quick") == "quick"
        for name, value in quick.get(notebooks.section(path), {}).items():
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


@pytest.mark.parametrize("name", PIPELINE["stages"])
def test_a_stage_lists_exactly_the_modules_that_its_notebooks_import(name):
    listed = PIPELINE["stages"][name]["deps"]
    notebooks = [ROOT / one for one in listed if one.startswith("notebooks/")]
    modules = [one for one in listed if one.startswith("spinode/")]
    assert modules == pipeline.dependencies(notebooks), "run 'make pipeline'"


def test_a_pipeline_is_renewed_after_an_import_has_changed(tmp_path):
    (tmp_path / "notebooks").mkdir()
    (tmp_path / "notebooks" / "01_one.py").write_text("from spinode.speech import cochlea\n")
    text = (
        "stages:\n  one:\n    cmd: spinode run notebooks/01_one.py\n    deps:\n"
        "      - notebooks/01_one.py\n      - spinode/devices/drives.py\n      - data/published\n"
        "    outs:\n      - data/quick/one\n"
    )
    after = pipeline.renewed(text, tmp_path)
    deps = YAML(typ="safe").load(after)["stages"]["one"]["deps"]
    assert deps[0] == "notebooks/01_one.py"
    assert "spinode/speech/cochlea.py" in deps
    assert "spinode/devices/drives.py" not in deps
    assert deps[-1] == "data/published"
    assert after.endswith("    outs:\n      - data/quick/one\n")
    assert pipeline.renewed(after, tmp_path) == after


def imported(path):
    """Packages that a text of Python imports, inside functions too."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module.partition(".")[0]


# Packages whose distribution has another name.
DISTRIBUTIONS = {
    "IPython": "ipython",
    "PIL": "pillow",
    "axe_playwright_python": "axe-playwright-python",
    "ruamel": "ruamel.yaml",
    "websocket": "websocket-client",
}


@pytest.mark.parametrize(
    ("folder", "extras"),
    [
        ("spinode", ["archive", "baselines", "book", "design", "devices", "speech"]),
        ("notebooks", []),
        ("benchmarks", ["bench"]),
        ("tests", ["test", "baselines", "book", "browser"]),
    ],
)
def test_what_is_imported_is_declared(folder, extras):
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = list(project["dependencies"])
    for extra in extras:
        wanted += project["optional-dependencies"].get(extra, [])
    declared = {canonical(re.match(r"[\w.-]+", one)[0]) for one in wanted}
    texts = list((ROOT / folder).rglob("*.py"))
    own = {"spinode", *(path.stem for path in texts), *sys.stdlib_module_names}
    for path in texts:
        for name in set(imported(path)) - own:
            assert canonical(DISTRIBUTIONS.get(name, name)) in declared, f"{path}: {name}"


def canonical(name):
    return re.sub(r"[-_.]+", "-", name).lower()


def asked_for(notebook):
    """Beginnings of the names that a notebook asks `outputs(profile).input` for."""
    for call in ast.walk(ast.parse(notebook.read_text("utf-8"))):
        if not isinstance(call, ast.Call):
            continue
        name = getattr(call.func, "attr", getattr(call.func, "id", ""))
        if name == "input" and call.args:
            first = call.args[0]
            parts = first.values if isinstance(first, ast.JoinedStr) else [first]
            yield parts[0].value
        if name == "recording":  # a published run, or else the one that this asks for
            yield f"{getattr(protocols, call.args[0].id).name}.nc"


def claimed():
    """Names of results that the paper's claims are compared with."""
    for claim in claims():
        yield claim.key.partition(".")[0]
        yield from (key.partition(".")[0] for key in re.findall(r"{(\w+\.[^}:]+)}", claim.data))


def made():
    """What all stages leave."""
    for stage in PIPELINE["stages"].values():
        for kind in ("outs", "metrics"):
            for one in stage.get(kind, ()):
                yield next(iter(one)) if isinstance(one, dict) else one


#: Results that benchmarks store.
BENCHMARKS = {path.stem for path in (ROOT / "results").glob("*.json")}


@pytest.mark.parametrize("name", PIPELINE["stages"])
def test_a_stage_lists_exactly_the_data_that_its_notebooks_read(name):
    listed = {one for one in PIPELINE["stages"][name]["deps"] if one.startswith(("data", "result"))}
    modules = {one for one in PIPELINE["stages"][name]["deps"] if one.startswith("spinode/")}
    notebooks_ = [one for one in PIPELINE["stages"][name]["deps"] if one.startswith("notebooks/")]
    needed = set()
    for notebook in notebooks_:
        for asked in asked_for(ROOT / notebook):
            kind = "results" if asked.endswith((".json", ".csv")) else "data"
            path = f"{kind}/${{item.profile}}/{asked}"
            needed.add(next(one for one in made() if path == one or path.startswith(f"{one}/")))
    if "spinode/paper/comparison.py" in modules:
        # A benchmark is measured once, not in every profile.
        folders = {result: "results/" for result in claimed() if result in BENCHMARKS}
        needed |= {
            f"{folders.get(result, 'results/${item.profile}/')}{result}.json"
            for result in claimed()
        }
    # A notebook that can look for published data depends on their being there.
    folders = {"paper/authors.py": "data/published", "speech/corpora.py": "data/fsdd"}
    needed |= {data for module, data in folders.items() if f"spinode/{module}" in modules}
    assert listed == needed
