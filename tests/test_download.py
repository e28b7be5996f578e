"""Downloads from a web server of our own: whole, cut off and gone on with, refused."""

import http.server
import re
import threading

import pytest
from click.testing import CliRunner

from spinode.errors import SpinodeError
from spinode.paper import authors, download
from spinode.workflow.cli import app

CONTENT = bytes(range(256)) * 400
HALF = len(CONTENT) // 2


class Server(http.server.BaseHTTPRequestHandler):
    """Serves CONTENT: by parts, unless told otherwise; ``breaks`` cuts the next answer off."""

    ranges, breaks, content = True, False, CONTENT
    asked = ()

    def do_GET(self):
        part = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        first = int(part[1]) if part and self.ranges else 0
        self.asked.append((self.path, first))
        if first >= len(self.content):
            self.send_error(416)
            return
        self.send_response(206 if first else 200)
        self.send_header("Content-Length", str(len(self.content) - first))
        self.end_headers()
        cut, type(self).breaks = self.breaks, False
        self.wfile.write(self.content[first : HALF if cut else None])

    do_HEAD = do_GET

    def log_message(self, *_):
        pass


@pytest.fixture
def server():
    handler = type("OneTest", (Server,), {"asked": []})
    web = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=web.serve_forever, daemon=True).start()
    handler.address = f"http://127.0.0.1:{web.server_port}/copy"
    yield handler
    web.shutdown()
    web.server_close()


@pytest.fixture
def file(tmp_path):
    """A published file of the same content, of a size that is known."""
    (tmp_path / "original").write_bytes(CONTENT)
    return authors.PublishedFile(
        "a/table.txt", len(CONTENT), authors._digest(tmp_path / "original", "sha256"), False
    )


def fetch(file, folder, server):
    return authors.fetch(None, folder, files=(file,), mirror=server.address)


def test_a_download_that_was_cut_off_goes_on_where_it_was(server, file, tmp_path):
    server.breaks = True
    with pytest.raises(SpinodeError, match=r"cannot download .* that came are kept; the same goes"):
        fetch(file, tmp_path / "kept", server)
    assert not (tmp_path / "kept" / file.path).exists()
    assert fetch(file, tmp_path / "kept", server) == {"fetched": [file]}
    assert server.asked == [("/copy/a/table.txt", 0), ("/copy/a/table.txt", HALF)]
    assert (tmp_path / "kept" / file.path).read_bytes() == CONTENT
    assert [one.name for one in (tmp_path / "kept").iterdir()] == ["a"]


def test_a_server_that_knows_no_parts_costs_a_second_download(server, file, tmp_path):
    server.ranges, server.breaks = False, True
    with pytest.raises(SpinodeError):
        fetch(file, tmp_path, server)
    assert fetch(file, tmp_path, server) == {"fetched": [file]}
    assert (tmp_path / file.path).read_bytes() == CONTENT


@pytest.mark.parametrize("size", [None, len(CONTENT)])
def test_a_part_that_is_already_whole_is_taken(server, file, tmp_path, size):
    """The process was killed between the last byte and the check."""
    file = authors.PublishedFile(file.path, size, file.digest, False)
    partial = tmp_path / ".partial" / file.digest.replace(":", "-")
    partial.parent.mkdir()
    partial.write_bytes(CONTENT)
    assert fetch(file, tmp_path, server) == {"fetched": [file]}
    assert (tmp_path / file.path).read_bytes() == CONTENT


def test_what_is_not_the_published_file_is_refused_and_not_kept(server, file, tmp_path):
    server.content = CONTENT[:-1] + b"x"
    assert fetch(file, tmp_path / "kept", server) == {"corrupt": [file]}
    assert list((tmp_path / "kept").iterdir()) == []


def test_the_command_names_where_it_downloads_from(server, file, tmp_path, monkeypatch):
    for folder in ("notebooks", "profiles"):
        (tmp_path / folder).mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(authors, "registry", lambda: (file,))
    done = CliRunner().invoke(app, ["fetch", "paper", "--mirror", server.address])
    assert f"1 files from {server.address}" in done.output
    assert "1 fetched" in done.output
    assert (tmp_path / "data" / "published" / file.path).read_bytes() == CONTENT
    assert file.mirror.startswith("https://raw.githubusercontent.com/Xing-CHEN18/")


def test_whether_there_is_internet(server):
    assert download.reachable(server.address)
    assert not download.reachable("http://127.0.0.1:9/x")
