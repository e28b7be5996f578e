"""Sweeps on real schedulers and workers, and what is left when some of them are killed."""

import json
import os
import re
import resource
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from html import unescape
from pathlib import Path
from urllib.parse import unquote

import numpy as np
import pytest

from spinode import provenance
from spinode.errors import InputError
from spinode.workflow import cli
from spinode.workflow.grid import Block, Grid, parse_values, read_grid
from spinode.workflow.page import write_page
from spinode.workflow.points import Plan, Point, publish
from spinode.workflow.sweep import sweep
from spinode.workflow.table import arranged, table

# Ends a test that would wait for ever (s); no load of the machine is that high.
_PATIENCE = 3600
# Says that it runs, waits or fails if told to, and reads data of another notebook.
NOTEBOOK = """\
# %% tags=["parameters"]
profile = "quick"
count = 0
step = 0.5
waits = False
fails = False

# %%
import os
import time
from pathlib import Path

from spinode.workflow.workbook import outputs

out = outputs(profile)
with open("ran.txt", "a") as file:
    print(count, os.getppid(), os.getpid(), file=file)
while waits and not Path("go").exists():
    time.sleep(0.05)
assert not fails or Path("cured").exists(), "that is too far"
base = int(out.input("base.txt").read_text())
metrics = {"sum": base + count, "count": -count, "threads": os.environ["NUMBA_NUM_THREADS"]}
out.write_metrics("demo", {"nested": metrics, "count": -count, "shape": [1, 2]})
(out.data / "trajectory.txt").write_text("data")
"""


@pytest.fixture
def book(tmp_path, monkeypatch):
    for name in ("notebooks", "profiles", "data/quick"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "notebooks" / "01_demo.py").write_text(NOTEBOOK)
    (tmp_path / "profiles" / "quick.yaml").write_text("demo: {step: 2}\n")
    (tmp_path / "data" / "quick" / "base.txt").write_text("100")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def cluster():
    started = Cluster()
    started.start()
    yield started
    started.kill()


class Cluster:
    """A scheduler and two workers, all processes of their own."""

    def __init__(self, environment=None):
        self.environment = {**os.environ, **(environment or {})}
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.address = f"tcp://127.0.0.1:{self.port}"

    def start(self):
        self.processes = [
            self._process("scheduler", "--host", "127.0.0.1", "--port", str(self.port)),
            *(self._process("worker", self.address, "--nthreads", "1") for _ in range(2)),
        ]

    def _process(self, kind, *arguments):
        module = f"distributed.cli.dask_{kind}"
        command = [sys.executable, "-m", module, *arguments, "--dashboard-address", "127.0.0.1:0"]
        return subprocess.Popen(
            command, stderr=subprocess.DEVNULL, env=self.environment, start_new_session=True
        )

    def kill(self):
        for process in self.processes:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def start(*arguments):
    command = [sys.executable, "-m", "spinode.workflow.cli", *arguments]
    return subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def finish(process):
    stdout, stderr = process.communicate(timeout=_PATIENCE)
    return process.returncode, stdout, stderr


def ran():
    """Return (count, worker, kernel) of every execution so far."""
    path = Path("ran.txt")
    lines = path.read_text().splitlines() if path.exists() else []
    return [tuple(map(int, line.split())) for line in lines]


def times():
    return Counter(count for count, *_ in ran())


def wait_until(condition):
    """Wait for as long as a busy machine may take; what never comes ends the test all the same."""
    deadline = time.monotonic() + _PATIENCE
    while not condition():
        assert time.monotonic() < deadline, "waited for too long"
        time.sleep(0.1)


def alive(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


# --- whatever happens -----------------------------------------------------------------------


def test_killed_worker_and_failing_point(book, cluster):
    (book / "points.yaml").write_text(
        "points: [{count: 0, waits: true}, {count: 1}, {count: 2, fails: true}, {count: 3}]"
    )
    command = ("sweep", "demo", "--grid", "points.yaml", "--scheduler", cluster.address)
    driver = start(*command)
    wait_until(lambda: times()[0] == 1)
    _, worker, kernel = next(run for run in ran() if run[0] == 0)
    os.kill(worker, signal.SIGKILL)
    wait_until(lambda: times()[0] == 2)
    wait_until(lambda: not alive(kernel))
    (book / "go").touch()
    code, _, stderr = finish(driver)
    assert code == 1
    assert "1 of 4 points failed" in stderr
    assert times() == {0: 2, 1: 1, 2: 1, 3: 1}

    found = table("sweeps/quick/01_demo")
    assert found.to_dataframe().set_index("count")["nested.sum"].dropna().to_dict() == {
        0: 100,
        1: 101,
        3: 103,
    }
    (failed,) = found.point[found["count"] == 2].values
    assert "AssertionError: that is too far" in str(found.point_error.sel(point=failed).item())
    assert "that is too far" in Path(f"sweeps/quick/01_demo/{failed}/01_demo.ipynb").read_text()
    assert not Path("sweeps/quick/01_demo/.attempts").exists()

    # The same command runs the failed point only.
    (book / "cured").touch()
    code, _, stderr = finish(start(*command))
    assert code == 0, stderr
    assert times() == {0: 2, 1: 1, 2: 2, 3: 1}


@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGINT])
def test_ended_driver(book, end):
    command = ("sweep", "demo", "-p", "count", "0:4", "-p", "waits", "false,false,true,true")
    command = (*command, "--zip", "--workers", "2")
    driver = start(*command)
    wait_until(lambda: times()[2] and times()[3])
    if end == signal.SIGINT:
        code, _, stderr = finish(start(*command))
        assert code == 2
        assert re.search(r"another sweep is writing to .*/01_demo; wait for it", stderr)
        assert len(stderr.splitlines()) == 1
    os.killpg(driver.pid, end)
    code, _, stderr = finish(driver)
    if end == signal.SIGINT:
        assert code == 130
        assert stderr.strip().splitlines()[-1].startswith("spinode: interrupted; start the same")
        assert "Traceback" not in stderr
    wait_until(lambda: not any(alive(pid) for _, *pids in ran() for pid in pids))

    (book / "go").touch()
    code, stdout, stderr = finish(start(*command))
    assert code == 0, stderr
    assert "4 points, 2 of them done before" in stdout
    assert times() == {0: 1, 1: 1, 2: 2, 3: 2}


def test_restarted_scheduler(book, cluster):
    command = ("sweep", "demo", "-p", "count", "0:4", "-p", "waits", "false,false,true,true")
    driver = start(*command, "--zip", "--scheduler", cluster.address)
    wait_until(lambda: times()[2] and times()[3])
    cluster.kill()
    (book / "go").touch()
    cluster.start()
    code, _, stderr = finish(driver)
    assert code == 0, stderr
    assert times() == {0: 1, 1: 1, 2: 2, 3: 2}


def test_what_makes_a_point_run_again(book, cluster):
    def again():
        before = len(ran())
        sweep("demo", {"count": [1, 2]}, scheduler=cluster.address)
        return len(ran()) - before

    assert again() == 2
    assert again() == 0
    base = book / "data" / "quick" / "base.txt"
    base.write_text("200")
    assert again() == 2
    (book / "data" / "quick" / "other.txt").write_text("not read by this notebook")
    (book / "profiles" / "quick.yaml").write_text("demo: {step: 2.0}\nother: {step: 3}\n")
    assert again() == 0
    (book / "notebooks" / "01_demo.py").write_text(NOTEBOOK + "# A remark.\n")
    assert again() == 2

    found = table("sweeps/quick/01_demo")
    assert found.sizes["point"] == 2
    assert found["nested.sum"].values.tolist() == [201, 202]
    assert found["step"].values.tolist() == [2.0, 2.0]
    assert found["count"].values.tolist() == [1, 2]
    assert found["result.count"].values.tolist() == [-1, -2]
    assert found["nested.threads"].values.tolist() == [1, 1]
    assert found["shape"].values.tolist() == ["[1, 2]", "[1, 2]"]
    folder = Path("sweeps/quick/01_demo") / str(found.point.values[0])
    assert (folder / "data" / "trajectory.txt").read_text() == "data"
    assert not Path("results").exists()

    # A sweep answers for its own points, not for those of others into the same folder.
    assert sweep("demo", {"count": [2]}, scheduler=cluster.address)["count"].values.tolist() == [2]
    assert table("sweeps/quick/01_demo").sizes["point"] == 2


def test_worker_with_another_version(book, tmp_path):
    package = Path(provenance.__file__).parent
    other = tmp_path / "other" / "spinode"
    shutil.copytree(package, other, ignore=shutil.ignore_patterns("__pycache__"))
    newer = other / "workflow" / "workbook.py"
    newer.write_text(newer.read_text() + "# Newer.\n")
    cluster = Cluster({"PYTHONPATH": str(other.parent)})
    cluster.start()
    try:
        driver = start("sweep", "demo", "-p", "count", "0:3", "--scheduler", cluster.address)
        code, _, stderr = finish(driver)
    finally:
        cluster.kill()
    assert code == 2
    assert "has another version of spinode" in stderr.splitlines()[-1]
    assert not ran()


def test_a_missing_input_is_told_before_a_worker_starts(book, monkeypatch, capsys):
    """Where it shows in the notebook's text; else the first point that misses it ends the sweep."""
    (book / "dvc.yaml").write_text(
        "stages:\n  base:\n    cmd: spinode run notebooks/00_base.py --profile ${item.profile}\n"
        "    outs: ['data/${item.profile}/base.txt', 'data/${item.profile}/more.txt']\n"
    )
    (book / "data" / "quick" / "base.txt").unlink()
    monkeypatch.setattr("spinode.workflow.sweep._cluster", None)
    assert main(monkeypatch, "sweep", "demo", "-p", "count", "0:9") == 2
    said = capsys.readouterr().err
    assert "base.txt; notebook 00_base makes it: run 'spinode run 00_base --profile quick'" in said
    assert not Path("sweeps").exists()


def test_an_input_missing_by_condition_ends_the_sweep(book):
    (book / "notebooks" / "01_demo.py").write_text(
        NOTEBOOK.replace("base = int(", 'if count >= 0:\n    out.input("more.txt")\nbase = int(')
    )
    code, _, stderr = finish(start("sweep", "demo", "-p", "count", "0:20", "--workers", "1"))
    assert code == 2
    assert "more.txt; run the notebook that makes it first" in stderr.splitlines()[-1]
    assert len(ran()) < 20


def test_full_disk_stops_the_sweep(book):
    (book / "notebooks" / "02_full.py").write_text(
        '# %% tags=["parameters"]\ncount = 0\n\n'
        "# %%\nimport errno, os\nraise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))\n"
    )
    code, _, stderr = finish(start("sweep", "02_full", "-p", "count", "0:9", "--workers", "1"))
    assert code == 2
    assert re.search(r"the disk of .*/02_full is full; make room", stderr.splitlines()[-1])
    assert "Traceback" not in stderr
    assert not list(Path("sweeps/quick/02_full").glob("*/point.json"))


@pytest.mark.long
def test_a_hundred_trivial_points_cost_at_most_ten_minutes_of_a_processor(book):
    """Time of processors, not of a clock: the machine may have other things to do."""
    before = spent_by_children()
    code, _, stderr = finish(start("sweep", "demo", "-p", "count", "0:100", "--workers", "2"))
    assert code == 0, stderr
    assert spent_by_children() - before < 600
    assert len(times()) == 100


def spent_by_children():
    """Seconds that processors gave to processes that this one has waited for, and to theirs."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


# --- what is asked for ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("1,2,3", [1, 2, 3]),
        ("0:3", [0, 1, 2]),
        ("10:31:10", [10, 20, 30]),
        ("1e-3, 0.5", [1e-3, 0.5]),
        ("[1],[1, 2]", [[1], [1, 2]]),
        ("Ku", ["Ku"]),
        ("", []),
        ("[[1, 2], [3]],[4]", [[[1, 2], [3]], [4]]),
        ("'a, b',c", ["a, b", "c"]),
    ],
)
def test_values_of_a_parameter(text, values):
    assert list(parse_values(text)) == values


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("run #3,run #4", ["run #3", "run #4"]),
        ("'a, b','c #d'", ["a, b", "c #d"]),
        ("[draft],final", ["[draft]", "final"]),
        ("[draft,final", ["[draft", "final"]),
        ("it's,3,0:5", ["it's", "3", "0:5"]),
    ],
)
def test_values_of_a_parameter_that_is_a_text(text, values):
    assert parse_values(text, like="x") == values


def test_grid_file(tmp_path):
    path = tmp_path / "grid.yaml"
    path.write_text(
        "- product: {k: [1, 2], seed: '0:2'}\n"
        "  zip: {width: [10, 20], rate: [1e-3, 1e-2]}\n"
        "- points: [{k: 3}, {k: 1, seed: 0, width: 10, rate: 0.001}]\n"
    )
    points = list(read_grid(path))
    assert len(points) == 9  # 2 x 2 x 2, and one of the two listed, since the other is there
    assert {"k": 2, "seed": 1, "width": 20, "rate": 0.01} in points
    assert points[-1] == {"k": 3}

    points = list(read_grid(path, Block(product={"k": [5], "seed": [7, 8]})))
    assert {point["k"] for point in points} == {5}
    assert len(points) == 6  # the two rows of `zip` and the row without, for either seed
    assert Grid(Block(product={"a": range(10**12), "b": range(10**12)})).count == 10**24


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is empty"),
        ("[]", "is empty"),
        ("product: {k: []}", "parameter k is given no value"),
        ("product: {k: 5}", "quoted range such as '0:5'"),
        ("products: {k: [1]}", "a block has 'product' and 'zip'"),
        ("product: [k]", "a block has 'product' and 'zip'"),
        ("points: [1]", "lists the point 1"),
        ("points: []", r"holds points: \[\]"),
        ("zip: {a: [1, 2], b: [1]}", "must be equally many, not 2 of a, 1 of b"),
        ("{product: {a: [1]}, points: [{a: 1}]}", "gives parameter a twice"),
        ("{", "is not valid YAML"),
    ],
)
def test_bad_grid_files(tmp_path, text, message):
    path = tmp_path / "grid.yaml"
    path.write_text(text)
    with pytest.raises(InputError, match=message):
        read_grid(path)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["demo", "-p", "cuont", "1,2"], "no parameter 'cuont'; did you mean 'count'"),
        (["demo", "-p", "count", "1,two"], "type int like 0, not 'two'"),
        (["demo", "-p", "count", "0:0"], "grid is empty: parameter count is given no value"),
        (["demo", "-p", "count", "0:2,7"], "range 0:2 cannot stand in the list"),
        (["demo"], "the grid is empty; give -p"),
        (["demo", "--grid", "none.yaml"], "cannot read none.yaml"),
        (["demo", "-p", "count", "0:1000000"], "1,000,000 points, some 1,389 hours .* say --yes"),
        (["dmo", "-p", "count", "1"], "there is no notebook 'dmo'"),
        (["demo", "-p", "count", "1", "--profile", "quik"], "did you mean 'quick'"),
        (["demo", "-p", "count", "1", "--scheduler", "tcp://127.0.0.1:1"], "no Dask scheduler"),
        (["demo", "-p", "count", "1", "--scheduler", "here"], "no Dask scheduler answers at here"),
        (
            ["demo", "-p", "count", "1", "--scheduler", "tcp://127.0.0.1:1", "--workers", "2"],
            "not both",
        ),
    ],
)
def test_bad_input_is_one_sentence_and_writes_nothing(
    book, monkeypatch, capsys, arguments, message
):
    monkeypatch.setattr("spinode.workflow.sweep._CONNECT_SECONDS", 1)
    before = sorted(book.rglob("*"))
    assert main(monkeypatch, "sweep", *arguments) == 2
    said = capsys.readouterr().err.strip()
    assert len(said.splitlines()) == 1
    assert re.search(message, said)
    assert sorted(book.rglob("*")) == before


def main(monkeypatch, *arguments):
    monkeypatch.setattr(sys, "argv", ["spinode", *arguments])
    with pytest.raises(SystemExit) as end:
        cli.main()
    return end.value.code


def test_what_is_no_address_is_one_line_and_needs_no_wait(book):
    command = [sys.executable, "-m", "spinode.workflow.cli", "sweep", "demo", "-p", "count", "1"]
    done = subprocess.run(
        [*command, "--scheduler", "here"], capture_output=True, text=True, timeout=_PATIENCE
    )
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1


def test_folder_that_cannot_be_written(book, monkeypatch, capsys):
    (book / "file").touch()
    arguments = ("-p", "count", "1", "--workers", "1", "--out", "file/inside")
    assert main(monkeypatch, "sweep", "demo", *arguments) == 2
    assert re.search("cannot write to .*/file/inside: Not a directory", capsys.readouterr().err)


def test_table_of_no_sweep(book, monkeypatch, capsys):
    assert main(monkeypatch, "table", "notebooks") == 2
    assert "notebooks holds no finished point of a sweep" in capsys.readouterr().err


def keep(folder, parameters, metrics, error=None):
    """Leave a point as a worker does."""
    plan = Plan(folder.parent, folder, "01_demo.py", "code")
    plan.attempts.mkdir(parents=True, exist_ok=True)
    name = ",".join(f"{name}={value}" for name, value in parameters.items() if name != "step")
    attempt = plan.attempts / name
    (attempt / "results").mkdir(parents=True)
    if metrics is not None:
        (attempt / "results" / "demo.json").write_text(json.dumps(metrics))
    publish(plan, Point(name, parameters), attempt, error, 2.5)
    return folder / name


def test_a_damaged_point_is_told_and_computed_again(book):
    folder = keep(book / "sweep", {"count": 0, "step": 1.0}, {"error": 0.25})
    plan, point = Plan(book, book / "sweep", "01_demo.py", "code"), Point(folder.name, {})
    assert plan.is_done(point)
    for name in ("point.json", "results/demo.json"):
        path = folder / name
        content = path.read_text()
        for damaged in (content.replace("2.5", "2.6").replace("0.25", "0.35"), content[:-20]):
            path.write_text(damaged)
            assert not plan.is_done(point)
            with pytest.raises(InputError, match=f"{name} is damaged"):
                table("sweep")
        path.write_text(content)
    assert table("sweep").error.item() == 0.25


def test_means_over_seeds_columns_and_order(book, capsys):
    values = {(1, 0): 0.5, (1, 1): 0.7, (2, 0): 0.1, (2, 1): 0.3, (2, 2): 0.2}
    for (k, seed), value in values.items():
        keep(book / "sweep", {"k": k, "seed": seed, "step": 1.0}, {"nrmse": value, "who": "me"})
    keep(book / "sweep", {"k": 1, "seed": 2, "step": 1.0}, None, "it broke")
    by_k = arranged(table("sweep"), over="seed")
    assert by_k.k.tolist() == [1, 2]
    assert by_k.points.tolist() == [2, 3]
    np.testing.assert_allclose(by_k.nrmse, [0.6, 0.2])
    np.testing.assert_allclose(by_k.nrmse_std, [np.std([0.5, 0.7], ddof=1), 0.1])
    by_seed = arranged(table("sweep"), over="k", sort="-nrmse")
    assert by_seed.seed.tolist() == [1, 0, 2]

    cli.app(
        ["table", "sweep", "--columns", "k,seed,nrmse", "--sort", "nrmse", "--csv"],
        standalone_mode=False,
    )
    lines = capsys.readouterr().out.splitlines()
    assert lines[:3] == ["k,seed,nrmse", "2,0,0.1", "2,2,0.2"]
    with pytest.raises(InputError, match="no column 'nrms'; did you mean 'nrmse'"):
        cli.app(["table", "sweep", "--sort", "nrms"], standalone_mode=False)


def test_a_page_has_the_table_and_the_way_to_the_notebooks(book):
    for count, (k, value) in enumerate({"<1>": 0.5, "2": 0.25}.items()):
        folder = keep(book / "sweep", {"count": count, "k": k, "step": 1.0}, {"nrmse": value})
        (folder / "01_demo.ipynb").write_text("{}")
    keep(book / "sweep", {"count": 2, "k": "3", "step": 1.0}, None, "it <broke>")
    path = write_page(table("sweep"), book / "sweep", "01_demo")
    page = path.read_text()
    assert not re.search(r"(src|href)=.?(https?:)?//", page)
    assert "&lt;1&gt;" in page
    assert "it &lt;broke&gt;" in page
    links = [unescape(link) for link in re.findall(r'<a href="([^"]*ipynb)"', page)]
    assert len(links) == 2
    assert all((path.parent / unquote(link)).is_file() for link in links)


def test_a_click_sorts_the_page(book, browser):
    for count, value in enumerate([0.5, 10.0, 9.0]):
        keep(book / "sweep", {"count": count, "step": 1.0}, {"nrmse": value})
    path = write_page(table("sweep"), book / "sweep", "01_demo")
    tab = browser.new_page()
    tab.goto(path.as_uri())
    for order in (["0.5", "9", "10"], ["10", "9", "0.5"]):
        tab.get_by_role("button", name="nrmse").click()
        assert tab.locator("tbody tr td:nth-child(3)").all_inner_texts() == order
    tab.close()


def test_table_is_written_and_printed(book, capsys):
    import xarray as xr

    metrics = {"nrmse": {"k = 2": 0.01}, "source": "here", "diverged": None}
    keep(book / "sweep", {"count": 0, "step": 1.0}, metrics)
    keep(book / "sweep", {"count": 1, "step": 1.0}, None, "it broke")
    cli.app(["table", "sweep"], standalone_mode=False)
    assert capsys.readouterr().out == (
        " count  point_seconds  nrmse.k = 2 source  diverged\n"
        "     0            2.5         0.01   here       NaN\n"
        "     1            2.5          NaN              NaN\n"
        "\nfailed: count=1\nit broke\n"
    )
    table("sweep").to_netcdf("table.nc", engine="h5netcdf")
    with xr.open_dataset("table.nc", engine="h5netcdf") as found:
        assert found.point_error.values.tolist() == ["", "it broke"]
        assert found.source.values.tolist() == ["here", ""]


# --- versions -------------------------------------------------------------------------------


def test_code_version_follows_the_imports(monkeypatch, tmp_path):
    package = tmp_path / "spinode"
    (package / "part").mkdir(parents=True)
    for name, text in {
        "__init__": "",
        "a": "from spinode.b import x",
        "b": "def x():\n    import spinode.part.c",
        "lonely": "",
        "part/__init__": "",
        "part/c": "",
    }.items():
        (package / f"{name}.py").write_text(text)
    monkeypatch.setattr(provenance, "_PACKAGE", package)
    source = "import numpy\nfrom spinode import a\n"
    version = provenance.code_version(source)
    assert provenance.code_version(source + "# A remark.\n") != version
    (package / "lonely.py").write_text("y = 1")
    assert provenance.code_version(source) == version
    for name in ("__init__", "a", "b", "part/__init__", "part/c"):
        before = provenance.code_version(source)
        path = package / f"{name}.py"
        path.write_text(path.read_text() + "\n# A remark.\n")
        assert provenance.code_version(source) != before
