"""Fetching and verifying the authors' data."""

import hashlib
import subprocess

import pytest

from spinode.errors import InputError, SpinodeError
from spinode.paper import authors
from spinode.paper.models import import_checkpoint
from spinode.trajectory import Channel


def test_registry_lists_everything_once():
    paths = [file.path for file in authors.registry()]
    assert len(paths) == len(set(paths)) == 31
    assert authors.ONE_SKYRMION_TABLE in paths
    assert sum(file.lfs for file in authors.registry()) == 2


@pytest.fixture
def copy(tmp_path, monkeypatch):
    """A local copy of a repository of two files; of a third it has none."""
    contents = {"a/table.txt": b"0 1\n", "b/weights.pkl": bytes(range(256)), "b/absent.pkl": b"?"}
    files = [
        authors.PublishedFile(path, len(one), f"sha256:{hashlib.sha256(one).hexdigest()}", False)
        for path, one in contents.items()
    ]
    monkeypatch.setattr(authors, "registry", lambda: tuple(files))
    for path in ("a/table.txt", "b/weights.pkl"):
        (tmp_path / "copy" / path).parent.mkdir(parents=True)
        (tmp_path / "copy" / path).write_bytes(contents[path])
    return tmp_path / "copy"


def test_fetch_from_a_local_copy_verifies_and_keeps(copy, tmp_path):
    outcomes = authors.fetch(copy, tmp_path / "kept")
    assert [file.path for file in outcomes["fetched"]] == ["a/table.txt", "b/weights.pkl"]
    assert [file.path for file in outcomes["missing"]] == ["b/absent.pkl"]
    for file in outcomes["fetched"]:
        assert (tmp_path / "kept" / file.path).read_bytes() == (copy / file.path).read_bytes()
        assert file.state(tmp_path / "kept") == "here"
    again = authors.fetch(copy, tmp_path / "kept")
    assert again["here"] == outcomes["fetched"]


def test_corrupt_file_is_refused(copy, tmp_path):
    path = copy / "b/weights.pkl"
    path.write_bytes(path.read_bytes()[:-1] + b"0")
    outcomes = authors.fetch(copy, tmp_path / "kept")
    assert [file.path for file in outcomes["corrupt"]] == ["b/weights.pkl"]
    assert not (tmp_path / "kept" / "b/weights.pkl").exists()


def test_git_blob_ids_are_git_s_own(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"spin\n" * 1000)
    blob = subprocess.run(
        ["git", "hash-object", "--no-filters", str(path)],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.strip()
    file = authors.PublishedFile("file", None, f"git:{blob}", False)
    assert file.state(tmp_path) == "here"
    path.write_bytes(b"spun\n" * 1000)
    assert file.state(tmp_path) == "corrupt"


def test_download_without_a_network_is_one_sentence(tmp_path, monkeypatch):
    # a closed local port stands for an unreachable server
    monkeypatch.setattr(authors.PublishedFile, "url", property(lambda self: "http://127.0.0.1:9/x"))
    with pytest.raises(SpinodeError, match=r"cannot download .* --from DIR"):
        authors.fetch(None, tmp_path)
    assert not list(tmp_path.iterdir())


def test_source_that_is_no_folder(tmp_path):
    with pytest.raises(InputError, match="no folder"):
        authors.fetch(tmp_path / "nowhere", tmp_path)


@pytest.mark.parametrize("content", [None, b"", b"version https://git-lfs.github.com/spec/v1\n"])
def test_what_is_no_checkpoint_is_refused_in_one_sentence(tmp_path, content):
    path = tmp_path / "params.pkl"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(InputError, match=r"params\.pkl") as caught:
        import_checkpoint(path, Channel("mz", "1"), (), sample_spacing=1.0, time_scale=1.0)
    assert "\n" not in str(caught.value)
    assert "set to `False`" not in str(caught.value)  # PyTorch's advice to run what a file holds
