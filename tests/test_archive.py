"""A profile packed as an RO-Crate, and the check that finds what was changed since."""

import json
import zipfile

import pytest

from spinode.errors import InputError
from spinode.workflow import archive

pytest.importorskip("rocrate", reason="archives need rocrate")


@pytest.fixture
def book(tmp_path, monkeypatch):
    """A small finished workbook."""
    for path, text in {
        "profiles/tiny.yaml": "training: {k: 2}\n",
        "results/tiny/training.json": '{"nrmse": 0.01}\n',
        "figures/tiny/fig2.png": "not really a picture",
        "build/tiny/02_training.ipynb": "{}",
        "build/tiny/book/source/index.md": "left out: what the book is made of",
        "build/tiny/checkpoints/k2.pt": "left out",
        "notebooks/02_training.py": "# %%\n",
        "spinode/neural_ode/__pycache__/x.pyc": "left out",
        "dvc.yaml": "stages: {}\n",
        "README.md": "# book\n",
    }.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_profile_is_packed_and_described(book):
    packed = archive.archive("tiny", "tiny.zip")
    assert archive.verify(packed) == 7
    with zipfile.ZipFile(packed) as held:
        graph = json.loads(held.read("ro-crate-metadata.json"))["@graph"]
    by_id = {one["@id"]: one for one in graph}
    # What RO-Crate 1.2 asks for: the descriptor, its subject, and every file a part of it
    assert by_id["ro-crate-metadata.json"]["conformsTo"]["@id"] == "https://w3id.org/ro/crate/1.2"
    root = by_id[by_id["ro-crate-metadata.json"]["about"]["@id"]]
    assert {"name", "description", "datePublished", "license"} <= root.keys()
    parts = {one["@id"] for one in root["hasPart"]}
    assert {one["@id"] for one in graph if one["@type"] == "File"} == parts
    assert by_id["results/tiny/training.json"]["contentSize"] == "16"
    assert not any("__pycache__" in name for name in parts)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"results/tiny/training.json": b"{}"}, "training.json is not the file that was packed"),
        ({"README.md": None}, "lacks README.md"),
        ({"extra.txt": b"new"}, "holds extra.txt"),
    ],
)
def test_a_changed_archive_is_found_out(book, change, message):
    packed = archive.archive("tiny", "tiny.zip")
    with zipfile.ZipFile(packed) as held:
        contents = {name: held.read(name) for name in held.namelist()} | change
    with zipfile.ZipFile("changed.zip", "w") as changed:
        for name, content in contents.items():
            if content is not None:
                changed.writestr(name, content)
    with pytest.raises(InputError, match=message):
        archive.verify("changed.zip")


def test_what_cannot_be_packed_or_checked_is_said(book):
    with pytest.raises(InputError, match=r"no profiles/none\.yaml"):
        archive.archive("none", "none.zip")
    (book / "build/tiny/02_training.ipynb").unlink()  # only what else lies there is left
    with pytest.raises(InputError, match=r"no build/tiny/\*\.ipynb to pack"):
        archive.archive("tiny", "none.zip")
    with pytest.raises(InputError, match="there is no archive"):
        archive.verify("none.zip")
    (book / "text.zip").write_text("no archive")
    with pytest.raises(InputError, match="not an archive of a profile"):
        archive.verify("text.zip")
