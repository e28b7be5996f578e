"""Executed notebooks as they are kept: joined, light, and signed."""

import nbformat
import pytest
from nbformat.sign import NotebookNotary

from spinode.workflow.executed import tidy

LOADS = "application/vnd.holoviews_load.v0+json"


@pytest.fixture
def kept(tmp_path, monkeypatch):
    """A function that tidies a notebook of one cell with these outputs, and reads it again."""
    monkeypatch.setenv("JUPYTER_DATA_DIR", str(tmp_path / "data"))

    def keep(*outputs):
        path = tmp_path / "executed.ipynb"
        cell = nbformat.v4.new_code_cell("1", outputs=list(outputs))
        nbformat.write(nbformat.v4.new_notebook(cells=[cell]), path)
        tidy(path, {"spinode": "0"})
        return nbformat.read(path, as_version=4)

    return keep


def stream(text):
    return nbformat.v4.new_output("stream", name="stdout", text=text)


def test_pieces_are_joined_and_a_bar_is_one_line(kept):
    node = kept(stream("a\n1%\r"), stream("2%\r3%\n"), stream("b\n"))
    (output,) = node.cells[0].outputs
    assert output.text == "a\n3%\nb\n"
    assert node.metadata.spinode == {"spinode": "0"}


def test_it_is_signed(kept):
    node = kept(stream("a\n"))
    assert NotebookNotary().check_signature(node)
    node.cells[0].outputs[0].text = "b\n"
    assert not NotebookNotary().check_signature(node)


def test_scripts_are_named_where_holoviews_put_them_whole(kept, monkeypatch):
    """What HoloViews writes here and now: another version of it may need another `tidy`."""
    from panel.io.notebook import load_notebook

    shown = []
    monkeypatch.setattr(
        "IPython.display.publish_display_data", lambda data, **_: shown.append(data)
    )
    load_notebook(inline=True)
    whole = next(data for data in shown if len(data.get(LOADS, "")) > 1e6)
    light = kept(nbformat.v4.new_output("display_data", dict(whole))).cells[0].outputs[0].data
    assert all(len(text) < 100_000 for text in light.values())
    assert "function load_libs" in light[LOADS]  # what loads them is left
    for script in ("js/bokeh.min.js", "js/bokeh-widgets.min.js", "extensions/panel/panel.min.js"):
        assert f'"{script}"' in light[LOADS]
