"""JupyterLab, as ``make lab`` starts it: its server, and what newcomers meet in a browser."""

import json
import os
import re
import secrets
import shutil
import subprocess
import sys
import time
import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import jupytext
import pytest
import requests
import websocket
from conftest import published_folder
from jupyter_server.services.kernels.connection.base import deserialize_binary_message

from spinode.book import listing
from spinode.workflow.notebooks import section
from spinode.workflow.profiles import load_profile

ROOT = Path(__file__).resolve().parent.parent
# In the order of the pipeline: later ones read what earlier ones have left.
NOTEBOOKS = [
    path.relative_to(ROOT / "notebooks").as_posix()
    for folder in ("", "sweeps", "tutorials")
    for path in sorted((ROOT / "notebooks" / folder).glob("*.py"))
]
CHEAP = ["sweeps/train_one.py", "09_sweep.py", "tutorials/2_neural_odes.py"]
SHORT = """# %% [markdown]
# # Does a sine repeat itself?

# %% tags=["parameters"]
profile = "quick"

# %%
import holoviews as hv

hv.extension.inline = True

# %%
import hvplot.pandas
import numpy as np
import pandas as pd

t = np.linspace(0, 2, 201)
pd.DataFrame({"t": t, "sine": np.sin(2 * np.pi * t)}).hvplot.line(x="t", y="sine")

# %%
print("ran to its", "end")
"""
# Not to wait for ever; no load of a machine makes either that slow.
_START_SECONDS = _CELL_SECONDS = 3600


@dataclass
class Lab:
    """A running server: its address, its token and the workbook it serves."""

    url: str
    token: str
    book: Path
    environment: dict[str, str]

    def ask(self, method: str, path: str, **options) -> requests.Response:
        headers = {"Authorization": f"token {self.token}"}
        answer = requests.request(
            method, f"{self.url}{path}", headers=headers, timeout=_CELL_SECONDS, **options
        )
        assert answer.ok, f"{method} {path}: {answer.status_code} {answer.text[:2000]}"
        return answer

    def open(self, notebook: str) -> dict:
        """Return the notebook that the contents manager makes of a text."""
        options = {"type": "notebook", "content": 1}
        return self.ask("GET", f"api/contents/notebooks/{notebook}", params=options).json()


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    """The server of ``make lab``, over a copy of the workbook."""
    book = tmp_path_factory.mktemp("book")
    for name in ("notebooks", "profiles", "book"):
        shutil.copytree(ROOT / name, book / name)
    (book / "data").mkdir()
    if (published := published_folder()) is not None:
        (book / "data" / "published").symlink_to(published, target_is_directory=True)
    (book / "notebooks" / "00_sine.py").write_text(SHORT)
    listing.write(book)
    own = tmp_path_factory.mktemp("jupyter")
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")])),
        "JUPYTER_CONFIG_DIR": str(own / "config"),
        "JUPYTER_RUNTIME_DIR": str(own / "runtime"),
        "JUPYTER_DATA_DIR": str(own / "data"),
        "JUPYTERLAB_SETTINGS_DIR": str(own / "settings"),
        "JUPYTERLAB_WORKSPACES_DIR": str(own / "workspaces"),
        "IPYTHONDIR": str(own / "ipython"),
    }
    token = secrets.token_hex(16)
    log = own / "server.log"
    with log.open("w") as out:
        server = subprocess.Popen(
            [
                *[sys.executable, "-m", "spinode.workflow.cli", "lab"],
                "--no-browser",
                "--allow-root",
                "--ip=127.0.0.1",
                f"--port={20000 + secrets.randbelow(20000)}",  # taken: the server tries others
                f"--IdentityProvider.token={token}",
            ],
            cwd=book,
            env=environment,
            stdout=out,
            stderr=out,
        )
    try:
        yield Lab(wait_for(server, own / "runtime", log), token, book, environment)
    finally:
        server.terminate()
        try:
            server.wait(30)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()


def wait_for(server: subprocess.Popen, runtime: Path, log: Path) -> str:
    """Return the address of a server once it answers."""
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline and server.poll() is None:
        for found in runtime.glob("jpserver-*.json"):
            try:
                url = json.loads(found.read_text("utf-8"))["url"]
                requests.get(f"{url}api", timeout=5).raise_for_status()
                return url
            except (ValueError, requests.RequestException):
                pass  # half written, or not listening yet
        time.sleep(0.2)
    raise AssertionError(f"the server did not start:\n{log.read_text('utf-8')[-3000:]}")


@dataclass
class Ran:
    """What the cells of a notebook gave: printed text, and data by MIME type."""

    printed: str = ""
    shown: list[dict] = field(default_factory=list)

    def all(self, mime: str) -> list[str]:
        return [data[mime] for data in self.shown if mime in data]


class Kernel:
    """A kernel of the server, spoken to as JupyterLab does, through a websocket."""

    def __init__(self, lab: Lab, notebook: str, name: str):
        self._lab, self._session = lab, uuid.uuid4().hex
        wanted = {
            "path": f"notebooks/{notebook}",
            "name": notebook,
            "type": "notebook",
            "kernel": {"name": name},
        }
        session = lab.ask("POST", "api/sessions", json=wanted).json()
        self._id, kernel = session["id"], session["kernel"]["id"]
        address = lab.url.replace("http", "ws", 1) + f"api/kernels/{kernel}/channels"
        self._socket = websocket.create_connection(
            f"{address}?session_id={self._session}&token={lab.token}", timeout=_CELL_SECONDS
        )

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._socket.close()
        self._lab.ask("DELETE", f"api/sessions/{self._id}")

    def run(self, source: str, into: Ran) -> None:
        """Execute a cell; an error of it fails the test."""
        header = {
            "msg_id": uuid.uuid4().hex,
            "msg_type": "execute_request",
            "session": self._session,
            "username": "",
            "version": "5.3",
            "date": datetime.now(UTC).isoformat(),
        }
        content = {"code": source, "silent": False, "store_history": True, "allow_stdin": False}
        request = {"header": header, "parent_header": {}, "metadata": {}, "content": content}
        self._socket.send(json.dumps({**request, "channel": "shell", "buffers": []}))
        replied = idle = False
        while not (replied and idle):
            message = self._receive()
            if message["parent_header"].get("msg_id") != header["msg_id"]:
                continue
            kind, content = message["header"]["msg_type"], message["content"]
            if kind == "stream":
                assert "rate exceeded" not in content["text"], content["text"]
                into.printed += content["text"]
            elif kind in ("display_data", "execute_result"):
                into.shown.append(content["data"])
            elif kind == "error":
                raise AssertionError("\n".join([source, *content["traceback"]]))
            elif kind == "execute_reply":
                replied = True
                assert content["status"] == "ok", content
            elif kind == "status":
                idle = idle or content["execution_state"] == "idle"

    def _receive(self) -> dict:
        message = self._socket.recv()
        if isinstance(message, bytes):
            return deserialize_binary_message(message)
        return json.loads(message)


def run_all(lab: Lab, notebook: str) -> Ran:
    """Open a notebook in the server and run it from the top with the smoke profile."""
    opened = lab.open(notebook)["content"]
    given = {"profile": "smoke", **load_profile("smoke").get(section(Path(notebook)), {})}
    ran = Ran()
    with Kernel(lab, notebook, opened["metadata"]["kernelspec"]["name"]) as kernel:
        for cell in opened["cells"]:
            if cell["cell_type"] == "code":
                kernel.run(cell["source"], ran)
            if "parameters" in cell["metadata"].get("tags", ()):
                kernel.run("\n".join(f"{name} = {value!r}" for name, value in given.items()), ran)
    return ran


@pytest.mark.parametrize("notebook", NOTEBOOKS)
def test_text_opens_as_a_notebook(lab, notebook):
    model = lab.open(notebook)
    assert (model["type"], model["format"]) == ("notebook", "json")
    text = jupytext.read(lab.book / "notebooks" / notebook)
    seen = model["content"]["cells"]
    assert [(c["cell_type"], c["source"]) for c in seen] == [
        (c.cell_type, c.source) for c in text.cells
    ]
    tags = [c["metadata"].get("tags", []) for c in seen]
    assert tags == [c.metadata.get("tags", []) for c in text.cells]
    assert tags.count(["parameters"]) == 1


def test_a_text_has_the_kernel_of_this_python(lab):
    """JupyterLab asks for a kernel where a notebook names none."""
    kernel = lab.open("02_training.py")["content"]["metadata"]["kernelspec"]
    found = lab.ask("GET", f"api/kernelspecs/{kernel['name']}").json()
    assert Path(found["spec"]["argv"][0]).samefile(sys.executable)


def test_the_settings_are_ones_that_jupyterlab_has(lab):
    """A setting that is gone from its schema would do nothing, without a word."""
    from spinode.workflow.lab import _SETTINGS

    for plugin, wanted in json.loads(_SETTINGS.read_text("utf-8")).items():
        schema = lab.ask("GET", f"lab/api/settings/{plugin}").json()["schema"]["properties"]
        assert {name: schema[name]["default"] for name in wanted} == wanted


@pytest.mark.parametrize("notebook", CHEAP)
def test_runs_in_the_kernel(lab, notebook):
    ran = run_all(lab, notebook)
    # By hand: not over the workbook's own results
    results = lab.book / "build" / "interactive" / "smoke" / "results"
    assert not (lab.book / "results").exists()
    if notebook == "sweeps/train_one.py":
        assert json.loads((results / "train_one.json").read_text())["nrmse_trained"] < 1.2
        return
    if notebook == "09_sweep.py":
        found = json.loads((results / "sweep.json").read_text())
        assert (found["points"], found["failed"]) == (2, 0)
        return
    assert re.search(r"NRMSE from an unseen start: [\d.]+%", ran.printed)
    # Pictures: every one arrives, and so does the code that draws them, whole, not by address.
    assert len(ran.all("application/vnd.holoviews_exec.v0+json")) >= 5
    loaded = ran.all("application/vnd.holoviews_load.v0+json")
    assert max(map(len, loaded)) > 1e6
    assert not any("cdn.bokeh.org/bokeh/release/bokeh" in code for code in loaded)


@pytest.mark.long
@pytest.mark.parametrize("notebook", NOTEBOOKS)
def test_runs_from_the_top(lab, notebook):
    run_all(lab, notebook)


# --- in a browser ---------------------------------------------------------------------------


@pytest.fixture
def tab(lab, browser):
    """A page of the browser, with JupyterLab as it opens, and the scripts it asked for outside."""
    page = browser.new_context(viewport={"width": 1300, "height": 900}).new_page()
    page.set_default_timeout(1000 * _START_SECONDS)
    page.outside = []
    page.on(
        "request",
        lambda request: (
            None
            if request.resource_type != "script" or request.url.startswith((lab.url, "blob:"))
            else page.outside.append(request.url)
        ),
    )
    yield page
    page.context.close()


def test_a_newcomer_goes_from_the_list_to_a_notebook_and_runs_it(lab, tab):
    tab.goto(f"{lab.url}?token={lab.token}")
    first = tab.locator(".jp-MarkdownViewer a", has_text="Does a sine repeat itself?")
    first.wait_for()  # it opens on the list
    first.click()
    tab.locator(".jp-NotebookPanel").wait_for()
    tab.locator("#jp-main-statusbar", has_text="Python 3 (spinode) | Idle").wait_for()
    # Nobody asks for a kernel, or whether news are wanted.
    assert tab.locator(".jp-Dialog").count() == 0
    assert tab.locator(".Toastify__toast").count() == 0
    tab.locator(".jp-Notebook h1", has_text="Does a sine repeat itself?").click()
    tab.get_by_role("menuitem", name="Run", exact=True).click()
    tab.get_by_role("menuitem", name="Run All Cells", exact=True).click()
    tab.locator(".jp-OutputArea-output", has_text="ran to its end").wait_for()
    tab.locator(".bk-Figure").first.wait_for(state="attached")
    assert tab.locator(".jp-Dialog").count() == 0
    # It leads on to the others.
    tab.locator(".jp-Notebook a", has_text="Next: What is a skyrmion").wait_for(state="attached")


def test_an_executed_notebook_is_light_and_shows_its_plots_at_once(lab, tab):
    subprocess.run(
        [sys.executable, "-m", "spinode.workflow.cli", "run", "00_sine", "--profile", "smoke"],
        cwd=lab.book,
        env=lab.environment,
        check=True,
        capture_output=True,
    )
    executed = lab.book / "build" / "smoke" / "00_sine.ipynb"
    assert executed.stat().st_size < 600_000
    tab.goto(f"{lab.url}lab/tree/build/smoke/00_sine.ipynb?reset&token={lab.token}")
    tab.locator(".bk-Figure").first.wait_for(state="attached")
    assert not tab.outside
