"""The documentation holds what it says: its code runs, its links and commands exist."""

import ast
import inspect
import json
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from ruamel.yaml import YAML

from spinode import trajectory
from spinode.book import listing
from spinode.devices.disks import SkyrmionDisk
from spinode.devices.drives import RandomSine
from spinode.errors import InputError
from spinode.micromagnetics import mumax3, simulate
from spinode.workflow import notebooks
from spinode.workflow.cli import app

ROOT = Path(__file__).resolve().parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
by_name = {"ids": lambda page: page.name}


def blocks(page, language):
    """The fenced blocks of a page in one language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", page.read_text(), re.MULTILINE | re.DOTALL)


def run(page, namespace):
    """Execute the Python blocks of a page in order."""
    for block in blocks(page, "python"):
        exec(compile(block, page.name, "exec"), namespace)
    return namespace


@pytest.fixture
def book(tmp_path, monkeypatch):
    """An empty workbook to work in."""
    (tmp_path / "notebooks").mkdir()
    (tmp_path / "profiles").mkdir()
    monkeypatch.chdir(tmp_path)
    return tmp_path


# --- code -----------------------------------------------------------------------------------


def test_the_examples_of_extending_run(book):
    page = ROOT / "docs" / "extending.md"
    found = run(page, {"__name__": "example"})
    assert found["run"].attrs["engine"] == "embedded"
    assert found["run"].sizes["time"] == 21
    assert "SetGridsize(30, 30, 1)" in found["script"]
    # At rest the energy Ku (1 - mz^2) - Msat B mx is least where mx = Msat B / (2 Ku)
    resting = found["swing"](
        found["Macrospin"](alpha=0.5), RandomSine(amplitude=0, periods=40), 5e-12, 8e-9
    )
    mx = 580e3 * 0.5 / (2 * 8e5)
    assert float(resting.mz[-1]) == pytest.approx(np.sqrt(1 - mx**2), abs=1e-4)
    assert found["ahead"].sizes["time"] > 1
    with pytest.raises(InputError, match="a Chirp cannot drive MuMax3"):
        mumax3.script(found["SMALL"].device, found["Chirp"]())
    held = found["held"]
    np.testing.assert_allclose(held.sample(5e-12 * 7)["Ku"], found["chirp"].sample(5e-12 * 7)["Ku"])


def test_the_notebook_of_extending_runs_from_the_command_line(book):
    page = ROOT / "docs" / "extending.md"
    text = blocks(page, "python")[-1]
    profile, stage = (YAML(typ="safe").load(block) for block in blocks(page, "yaml"))
    notebook = book / "notebooks" / "10_drive.py"
    notebook.write_text(text)
    (book / "profiles" / "smoke.yaml").write_text(blocks(page, "yaml")[0])
    notebooks.check_parameters(notebook, notebooks.defaults(notebook), profile["drive"])
    done = subprocess.run(
        [sys.executable, "-m", "spinode.workflow.cli", "run", "10_drive", "--profile", "smoke"],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    stage = stage["drive"]
    assert stage["cmd"] == f"spinode run notebooks/{notebook.name} --profile ${{item.profile}}"
    assert stage["deps"][0] == f"notebooks/{notebook.name}"
    assert all((ROOT / dependency).exists() for dependency in stage["deps"][1:])
    for written in [*stage["metrics"], *stage["plots"]]:
        ((name, _),) = written.items()
        assert (book / name.replace("${item.profile}", "smoke")).is_file()
    largest = json.loads((book / "results" / "smoke" / "drive.json").read_text())["largest_Ku"]
    # The first amplitude of seed 6 is larger than the second, and the sine reaches 1.
    assert largest == pytest.approx(8e5 + 2e5 * 0.78572030, rel=1e-4)


def test_the_examples_of_data_run(book, capsys):
    device = SkyrmionDisk(diameter=60e-9, cell=2e-9, relax_time=0.0)
    simulated = simulate(device, RandomSine(), engine="embedded", duration=25e-12, progress=False)
    trajectory.save(simulated, book / "data" / "quick" / "one_skyrmion.nc")
    run(ROOT / "docs" / "data.md", {})
    said = capsys.readouterr().out
    assert "11 samples every 2.5e-12 s" in said
    assert "drive of 200000 J/m3" in said
    # The table of variables and the list of attributes are complete.
    page = (ROOT / "docs" / "data.md").read_text()
    for name, (units, _) in trajectory.VARIABLES.items():
        assert re.search(rf"^\|[^|]*`{name}`[^|]*\| {re.escape(units)} \|", page, re.MULTILINE)
    for name in simulated.attrs:
        assert f"`{name}`" in page


@pytest.mark.parametrize("page", PAGES, **by_name)
def test_calls_in_examples_have_arguments_that_exist(page):
    """Of every page, those that would run for minutes included."""
    for block in blocks(page, "python"):
        tree = ast.parse(block)
        names = {}
        for node in tree.body:
            if isinstance(node, ast.Import | ast.ImportFrom):
                exec(ast.unparse(node), names)
        for node in ast.walk(tree):
            if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Name)):
                continue
            function = names.get(node.func.id)
            starred = any(isinstance(one, ast.Starred) for one in node.args)
            unpacked = starred or any(word.arg is None for word in node.keywords)
            # Exceptions have no signature to look at.
            raised = isinstance(function, type) and issubclass(function, Exception)
            if function is None or unpacked or raised:
                continue
            given = {word.arg: None for word in node.keywords}
            inspect.signature(function).bind(*node.args, **given)


# --- links ----------------------------------------------------------------------------------


@pytest.mark.parametrize("page", PAGES, **by_name)
def test_links_point_to_files(page):
    text = re.sub(r"^```.*?^```$", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if not re.match(r"[a-z]+:", target):
            assert (page.parent / target.partition("#")[0]).exists(), target


@pytest.mark.parametrize("page", PAGES, **by_name)
def test_named_tests_exist(page):
    for file, name in re.findall(r"(tests/test_\w+\.py)(?:::(\w+))?", page.read_text()):
        assert (ROOT / file).is_file(), file
        assert not name or f"def {name}(" in (ROOT / file).read_text(), f"{file}::{name}"


# --- commands -------------------------------------------------------------------------------


def commands(page):
    """Every ``spinode ...`` of a page: lines of consoles and inline code."""
    text = page.read_text()
    consoles = "\n".join(blocks(page, "console")).replace("\\\n", " ")
    lines = re.findall(r"^\w*\$ +(?:\S*/)?(spinode .*)$", consoles, re.MULTILINE)
    prose = re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL)
    inline = re.findall(r"`(?:\S*/)?(spinode\s[^`]*)`", prose)
    return [" ".join(one.split("#")[0].split()) for one in lines + inline]


@pytest.mark.parametrize("page", PAGES, **by_name)
def test_commands_exist_with_their_options(page):
    for line in commands(page):
        _, name, *arguments = shlex.split(line.replace("...", ""))
        assert name in app.commands, line
        known = {flag for one in app.commands[name].params for flag in one.opts}
        used = {one.strip("[]").split("=")[0] for one in arguments if one.startswith(("-", "[-"))}
        assert used <= known, line


def test_commands_are_found_at_all():
    found = {line.split()[1] for page in PAGES for line in commands(page)}
    assert found >= {"run", "sweep", "table", "fetch", "engines", "mx3", "import-mumax3"}
    assert CliRunner().invoke(app, ["nonsense"]).exit_code == 2


def test_badges_say_what_is_so():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    badges = {
        path.stem: re.search('aria-label="(.+?)"', path.read_text()).group(1)
        for path in (ROOT / "docs" / "badges").glob("*.svg")
    }
    assert badges["licence"] == f"licence: {project['license']}"
    first, last = re.match(r">=3\.(\d+),<3\.(\d+)", project["requires-python"]).groups()
    assert badges["python"] == f"python: 3.{first} to 3.{int(last) - 1}"
    assert badges["paper"].removeprefix("paper: ") in (ROOT / "CITATION.cff").read_text()


def test_the_list_of_notebooks_is_that_of_the_notebooks(tmp_path):
    """Fails when a notebook or its title has changed: run 'spinode readme'."""
    for name in ("notebooks", "figures"):
        shutil.copytree(ROOT / name, tmp_path / name)
    shutil.copytree(ROOT / "book", tmp_path / "book")
    texts = {path: path.read_text() for path in tmp_path.glob("notebooks/**/[0-9]*.py")}
    listed = (tmp_path / "notebooks" / "README.md").read_text()
    assert listing.write(tmp_path).read_text() == listed
    assert {path: path.read_text() for path in texts} == texts  # each leads to the next
    links = re.findall(r"\]\(([^)]+)\)", listed) + re.findall(r'src="([^"]+)"', listed)
    assert len(links) > 20
    assert all((ROOT / "notebooks" / link).exists() for link in links)


def test_no_docstring_holds_bars_that_the_reference_takes_for_a_substitution():
    """``|c|`` outside of a literal is a name to Sphinx, and a warning in the book."""
    found = []
    for path in sorted((ROOT / "spinode").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if not isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef):
                continue
            text = re.sub(r"``.*?``", "", ast.get_docstring(node) or "", flags=re.S)
            lines = [line for line in text.splitlines() if not line.startswith("    ")]
            found += [(path.name, line) for line in lines if re.search(r"\|\w+\|", line)]
    assert not found
