"""Running notebooks from the command line, and what is said when that cannot be done."""

import json
import re
import signal
import subprocess
import sys
import time

import jupytext
import nbformat
import pytest

from spinode import trajectory
from spinode.errors import InputError
from spinode.micromagnetics.ovf import read_ovf
from spinode.workflow import execution, notebooks, workbook
from spinode.workflow.profiles import parse_value

NOTEBOOK = """\
# %% [markdown]
# # A question

# %% tags=["parameters"]
profile = "quick"
count = 2
step = 0.5
name = None
levels = [1.0, 2.5]

# %%
from tqdm import tqdm

from spinode.workflow.workbook import outputs

print("counted to", count * step)
list(tqdm(range(3), mininterval=0))
assert count < 9, "that is too far"
outputs(profile).write_metrics("demo", {"count": count, "step": step, "name": name})
"""


@pytest.fixture
def book(tmp_path, monkeypatch):
    (tmp_path / "notebooks").mkdir()
    (tmp_path / "profiles").mkdir()
    (tmp_path / "notebooks" / "01_demo.py").write_text(NOTEBOOK)
    (tmp_path / "profiles" / "quick.yaml").write_text("demo: {count: 3}\n")
    (tmp_path / "profiles" / "empty.yaml").write_text("")
    (tmp_path / "profiles" / "list.yaml").write_text("- count: 3\n")
    (tmp_path / "profiles" / "flat.yaml").write_text("count: 3\n")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def spinode(*arguments):
    command = [sys.executable, "-m", "spinode.workflow.cli", *arguments]
    return subprocess.run(command, capture_output=True, text=True)


def test_run_takes_parameters_from_notebook_profile_and_command_line(book):
    done = spinode("run", "01_demo", "-p", "step", "2")
    assert done.returncode == 0, done.stderr
    assert "counted to 6.0" in done.stdout  # output comes as the cells run
    metrics = json.loads((book / "results" / "quick" / "demo.json").read_text())
    record = metrics.pop("provenance")
    assert metrics == {"count": 3, "step": 2.0, "name": None}
    assert record["parameters"]["step"] == 2.0
    node = nbformat.read(book / "build" / "quick" / "01_demo.ipynb", as_version=4)
    printed, bar, _ = node.cells[-1].outputs
    assert printed.text == "counted to 6.0\n"
    assert bar.text.startswith("100%")  # in its last state alone
    assert bar.text.count("\n") == 1

    done = spinode("run", str(book / "notebooks" / "01_demo.py"), "--profile", "empty")
    assert done.returncode == 0, done.stderr
    assert json.loads((book / "results" / "empty" / "demo.json").read_text())["count"] == 2


def test_a_file_from_elsewhere_leaves_the_workbooks_results_alone(book, tmp_path_factory):
    """It runs, of whatever name; so does a second of that name, each to a place of its own."""
    assert spinode("run", "demo").returncode == 0
    kept = {path: path.read_bytes() for path in book.rglob("*") if path.is_file()}
    places = set()
    for number in (5, 6):
        other = tmp_path_factory.mktemp("other") / "01_demo.py"
        other.write_text(NOTEBOOK.replace('"count": count', f'"count": {number}'))
        done = spinode("run", str(other))
        assert done.returncode == 0, done.stderr
        assert f"{other} is not one of the workbook's notebooks" in done.stdout
        (place,) = {path.parent for path in book.rglob("build/**/01_demo.ipynb")} - {
            book / "build/quick",
            *places,
        }
        places.add(place)
        assert json.loads((place / "results/demo.json").read_text())["count"] == number
    assert {path: path.read_bytes() for path in kept} == kept


def test_failing_cell_is_shown_and_the_partial_notebook_kept(book):
    done = spinode("run", "demo", "-p", "count", "9")
    assert done.returncode == 1
    assert "failed in cell 3" in done.stderr
    assert "AssertionError: that is too far" in done.stderr
    assert "Traceback" not in done.stderr
    partial = nbformat.read(book / "build" / "quick" / "01_demo.ipynb", as_version=4)
    assert any("counted to" in str(cell.get("outputs")) for cell in partial.cells)
    assert not (book / "results" / "quick" / "demo.json").exists()


def test_what_the_sockets_of_a_kernel_log_is_not_shown(book):
    logs = "import logging\n\nlogging.getLogger('tornado.general').error('it broke')\nprint("
    (book / "notebooks" / "01_demo.py").write_text(NOTEBOOK.replace("print(", logs, 1))
    done = spinode("run", "demo")
    assert done.returncode == 0, done.stderr
    assert "counted to" in done.stdout
    assert "it broke" not in done.stdout + done.stderr


def test_an_interrupt_ends_the_kernel_and_says_so_in_one_line(book):
    waits = NOTEBOOK.replace("print(", "import time\n\nprint(").replace(
        "assert count", 'open("begun", "w").close()\ntime.sleep(3600)\nassert count'
    )
    (book / "notebooks" / "01_demo.py").write_text(waits)
    with (book / "errors").open("w") as errors:
        process = subprocess.Popen(
            [sys.executable, "-m", "spinode.workflow.cli", "run", "demo"],
            stdout=subprocess.DEVNULL,
            stderr=errors,
        )
        while not (book / "begun").exists():
            assert process.poll() is None
            time.sleep(0.1)
        process.send_signal(signal.SIGINT)
        assert process.wait() == 130
    said = (book / "errors").read_text()
    assert said.endswith("spinode: interrupted; start the same command again to go on.\n")
    assert "Traceback" not in said
    assert not (book / "results" / "quick" / "demo.json").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["run", "02_demo"], "there is no notebook '02_demo' in .*; did you mean '01_demo'"),
        (["run", "demo", "--profile", "quik"], "no profile 'quik'; did you mean 'quick'"),
        (["run", "demo", "-p", "cuont", "3"], "no parameter 'cuont'; did you mean 'count'"),
        (["run", "demo", "-p", "count", "many"], "type int like 2, not 'many'"),
        (["run", "demo", "-p", "count", "1.5"], "type int like 2, not 1.5"),
        (["run", "demo", "-p", "count", "true"], "type int like 2, not True"),
        (["run", "demo", "-p", "levels", "[1, two]"], r"like \[1.0, 2.5\], not \[1.0, 'two'\]"),
        (["run", "demo", "-p", "profile", "empty"], "cannot write as another; use --profile"),
        (["run", "demo", "--profile", "list"], "must hold, by notebook, parameters"),
        (["run", "demo", "--profile", "flat"], "must hold, by notebook, parameters"),
        (["fetch", "papers"], "nothing called 'papers' can be fetched; did you mean 'paper'"),
        (["fetch", "papers", "--list"], "nothing called 'papers' can be fetched"),
        (["fetch"], "say what to fetch"),
        (["fetch", "paper", "--from", "nowhere"], "no folder nowhere"),
        (["check"], "not a git repository"),
        (["mx3", "one_skyrmon"], "no run 'one_skyrmon'; did you mean 'one_skyrmion'"),
        (["import-mumax3", "nowhere"], "nowhere holds 0 MuMax3 tables"),
    ],
)
def test_bad_input_is_one_sentence_and_writes_nothing(book, arguments, message):
    before = sorted(book.rglob("*"))
    done = spinode(*arguments)
    assert done.returncode == 2
    lines = done.stderr.strip().splitlines()
    assert len(lines) == 1
    assert re.search(message, lines[0])
    assert sorted(book.rglob("*")) == before


def test_unwritable_output_folder(book):
    (book / "build").write_text("a file in the way")
    done = spinode("run", "demo")
    assert done.returncode == 2
    assert "cannot write to" in done.stderr
    assert not (book / "results").exists()


def test_outside_a_workbook(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match="does not lie in a spinode workbook"):
        notebooks.find_notebook("02_training")


def test_kernel_that_does_not_answer_is_no_unwritable_file(book, monkeypatch):
    import papermill
    from nbclient.exceptions import CellTimeoutError

    def late(*arguments, **options):
        raise CellTimeoutError("Timeout waiting for IOPub output.")

    monkeypatch.setattr(papermill, "execute_notebook", late)
    with pytest.raises(execution.NotebookError, match="did not answer for 300 s"):
        execution.run("demo")


def test_missing_dependency_is_named(book):
    hide = (
        "import sys; sys.modules['jupytext'] = None; from spinode.workflow.cli import main; main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", hide, "run", "demo"], capture_output=True, text=True
    )
    assert done.returncode == 2
    assert "the package jupytext is missing; install with 'make install'" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("cell", "message"),
    [
        ("x = [i for i in range(3)]", "name = literal"),
        ("x = ", "line 1 of the parameters cell is not Python"),
        ("", "0 cells tagged 'parameters'"),
    ],
)
def test_notebooks_keep_their_parameters_plain(book, cell, message):
    tag = '# %% tags=["parameters"]\n' if cell else "# %%\n"
    (book / "notebooks" / "02_bad.py").write_text(tag + cell + "\n")
    with pytest.raises(InputError, match=message):
        notebooks.defaults(book / "notebooks" / "02_bad.py")


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("3", 3),
        ("1e-3", 1e-3),
        ("8e5", 8e5),
        ("true", True),
        ("[0, 1]", [0, 1]),
        ("Ku", "Ku"),
        ("", None),
    ],
)
def test_command_line_values(text, value):
    assert parse_value(text) == value
    assert type(parse_value(text)) is type(value)


def test_mumax3_script_goes_out_and_its_table_comes_back(book):
    printed = spinode("mx3", "one_skyrmion")
    assert printed.returncode == 0
    assert "SetGridsize(80, 80, 1)" in printed.stdout
    assert "sequence_Ku.ovf" in printed.stderr
    written = spinode("mx3", "one_skyrmion", "--out", "cluster")
    assert (book / "cluster" / "run.mx3").read_text() == printed.stdout
    assert (book / "cluster" / "sequence_Ku.ovf").is_file()
    assert written.returncode == 0

    (book / "run.out").mkdir()
    header = "# t (s)\tmx ()\tmy ()\tmz ()\tKu1.region100 (J/m3)\n"
    rows = [f"{1e-9 + n * 2.5e-12}\t0\t0\t{0.77 + 1e-4 * n}\t800000\n" for n in range(100)]
    (book / "run.out" / "table.txt").write_text(header + "".join(rows))
    done = spinode("import-mumax3", "run.out", "--to", "run.nc")
    assert done.returncode == 0, done.stderr
    assert trajectory.load(book / "run.nc").sizes["time"] == 100


def test_reservoir_runs_go_out_with_their_masked_series(book):
    done = spinode("mx3", "mackey_glass_four_skyrmions", "--out", "cluster")
    assert done.returncode == 0, done.stderr
    sequence = read_ovf(book / "cluster" / "sequence_Ku.ovf")
    assert sequence.size == 10_000 * 50
    assert float(sequence.min()) == pytest.approx(-0.25)
    assert "i < 500000" in (book / "cluster" / "run.mx3").read_text()


def test_engines_says_what_is_missing(book):
    done = spinode("engines")
    assert done.returncode == 0
    assert "embedded  available" in done.stdout
    assert "mumax3" in done.stdout


# --- what was named runs, and what was given is taken ---------------------------------------


def test_the_file_that_was_named_runs_or_nothing(book, tmp_path_factory):
    elsewhere = tmp_path_factory.mktemp("elsewhere") / "01_demo.ipynb"
    own = NOTEBOOK.replace("counted to", "elsewhere counted to")
    jupytext.write(jupytext.reads(own, "py:percent"), elsewhere)
    assert notebooks.find_notebook(str(elsewhere)) == elsewhere
    with pytest.raises(InputError, match=r"there is no notebook .*/02_demo\.py"):
        notebooks.find_notebook(str(elsewhere.with_name("02_demo.py")))
    done = spinode("run", str(elsewhere))
    assert done.returncode == 0, done.stderr
    assert "elsewhere counted to" in done.stdout


@pytest.mark.parametrize(
    ("text", "like", "value"),
    [
        ("a, b", "x", "a, b"),
        ("[draft", "x", "[draft"),
        ("[draft]", "x", "[draft]"),
        ("run #3", "x", "run #3"),
        ("a: b", "x", "a: b"),
        ("3", "x", "3"),
        ("'3'", "x", "3"),
        ("run #3", None, "run #3"),
        ("#3", None, "#3"),
        ("3 #4", None, "3 #4"),
        ("[a, b] #c", None, "[a, b] #c"),
        ('["#a", "b #c"]', None, ["#a", "b #c"]),
        ("2020-01-01", None, "2020-01-01"),
        ('["a, b", "c #d"]', ["x"], ["a, b", "c #d"]),
        ("3", 1, 3),
    ],
)
def test_strings_hold_what_was_typed(text, like, value):
    assert parse_value(text, like) == value


def test_a_long_line_costs_no_time(book):
    (book / "notebooks" / "02_long.py").write_text(
        '# %% tags=["parameters"]\nprofile = "quick"\n\n# %%\nprint("x" * 2_000_000)\n'
    )
    done = spinode("run", "02_long")
    assert done.returncode == 0, done.stderr
    node = nbformat.read(book / "build" / "quick" / "02_long.ipynb", as_version=4)
    assert sum(len(one.text) for one in node.cells[-1].outputs) == 2_000_001
    (bar,) = node.cells[-1].outputs
    assert bar.name == "stdout"


def test_a_missing_input_names_the_notebook_that_makes_it(book):
    (book / "dvc.yaml").write_text(
        "stages:\n  demo:\n    cmd: spinode run notebooks/01_demo.py --profile ${item.profile}\n"
        "    outs: ['data/${item.profile}/demo']\n"
        "    metrics: [{'results/${item.profile}/demo.json': {cache: false}}]\n"
    )
    out = workbook.outputs("quick")
    for name in ("demo/model.pt", "demo.json"):
        with pytest.raises(InputError, match="run 'spinode run 01_demo --profile quick' first"):
            out.input(name)
    with pytest.raises(InputError, match="run the notebook that makes it first"):
        out.input("other.nc")
    written = out.write_metrics("demo", {"count": 1})
    assert out.input("demo.json") == written


def test_two_runs_at_once_of_one_notebook(book):
    """The second says so and touches nothing; a run that was killed leaves no lock behind."""
    waits = NOTEBOOK.replace("print(", "import time\n\nprint(").replace(
        "assert count",
        "from pathlib import Path\n"
        'Path("begun").touch()\nwhile not Path("go").exists():\n    time.sleep(0.1)\n'
        "assert count",
    )
    (book / "notebooks" / "01_demo.py").write_text(waits)
    command = [sys.executable, "-m", "spinode.workflow.cli", "run", "demo", "-p", "step", "7"]
    first = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while not (book / "begun").exists():
        assert first.poll() is None
        time.sleep(0.1)
    second = spinode("run", "demo", "-p", "step", "2")
    assert second.returncode == 2
    said = "another run of 01_demo under the profile 'quick' is going on; wait for its end"
    assert said in second.stderr
    assert len(second.stderr.splitlines()) == 1
    first.kill()
    first.wait()
    (book / "go").touch()
    done = spinode("run", "demo", "-p", "step", "2")
    assert done.returncode == 0, done.stderr
    assert json.loads((book / "results" / "quick" / "demo.json").read_text())["step"] == 2.0


def test_a_long_folder_for_temporary_files(book, monkeypatch):
    """A socket's address has at most some hundred characters."""
    long = book / ("long" * 30)
    long.mkdir()
    monkeypatch.setenv("TMPDIR", str(long))
    done = spinode("run", "demo")
    assert done.returncode == 0, done.stderr
    assert "counted to" in done.stdout


def test_the_list_says_what_notebooks_show_and_take(book):
    listed = spinode("list").stdout
    assert re.search(r"^01_demo +A question$", listed, re.MULTILINE)
    assert spinode("run", "demo").returncode == 0
    assert re.search(r"^01_demo +\d+ s +A question$", spinode("list").stdout, re.MULTILINE)
    shown = spinode("list", "demo").stdout
    assert "  count = 3\n" in shown  # the profile's
    assert "  levels = [1.0, 2.5]\n" in shown


def test_help_lines_are_whole_and_there_is_a_version(book):
    commands = spinode("--help").stdout.partition("Commands:")[2]
    assert commands
    assert "..." not in commands
    assert re.fullmatch(r"spinode, version \d+\.\d+\.\d+\n", spinode("--version").stdout)


def test_cells_run_by_hand_leave_results_alone(book, monkeypatch, capsys):
    monkeypatch.delenv("SPINODE_RUN", raising=False)
    out = workbook.outputs("quick")
    written = out.write_metrics("demo", {"count": 1})
    assert written == book / "build" / "interactive" / "quick" / "results" / "demo.json"
    assert not (book / "results").exists()
    assert f"outputs go to {book}" in capsys.readouterr().out
    # What was made by hand is found by the next notebook, and so is the workbook's own.
    (book / "data" / "quick" / "model.pt").touch()
    assert out.input("model.pt") == book / "data" / "quick" / "model.pt"
    monkeypatch.setenv("SPINODE_RUN", "1")
    assert workbook.outputs("quick").results == book / "results" / "quick"
