"""The book: built from a small workbook, and read in a real browser."""

import base64
import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("myst_nb", reason="no Sphinx: .[book]")

from spinode.book import interactive, site
from spinode.book.contents import read_contents
from spinode.errors import InputError
from spinode.files import workbook_root
from spinode.workflow.execution import execute

ROOT = Path(__file__).resolve().parent.parent
INDEX = (ROOT / "book" / "pages" / "index.md").read_text("utf-8")
NOTEBOOK = """# %% [markdown]
# # Does a sine repeat itself?
#
# It does, $\\sin(t + 2\\pi) = \\sin t$, and a picture shows it.

# %% tags=["parameters"]
periods = 3

# %%
import holoviews as hv

hv.extension.inline = True

# %%
import hvplot.pandas
import numpy as np
import pandas as pd
from matplotlib import pyplot as plt

t = np.linspace(0, periods, 20_001)
wave = pd.DataFrame({"t": t, "sine": np.sin(2 * np.pi * t)})
wave.hvplot.line(x="t", y="sine", xlabel="time (s)", ylabel="sine (1)", width=850, height=250)

# %% [markdown]
# ## A slider
#
# How fast does it turn?

# %%
waves = pd.concat([wave[::200].assign(sine=np.sin(f * wave.t[::200]), f=f) for f in (1, 2, 3)])
waves.hvplot.line(x="t", y="sine", groupby="f", dynamic=False, width=600, height=200)

# %%
figure, ax = plt.subplots()  # shown above as fig2_training.png
ax.plot(t, wave.sine)
plt.show()
wave.head(2)
"""


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A book of two notebooks, one of them executed, and what its building said."""
    root = tmp_path_factory.mktemp("workbook")
    for name in ("notebooks", "profiles", "figures/quick", "results", "spinode"):
        (root / name).mkdir(parents=True)
    shutil.copytree(ROOT / "book", root / "book")
    shutil.copytree(ROOT / "docs", root / "docs")
    shutil.copytree(ROOT / "figures", root / "figures", dirs_exist_ok=True)
    shutil.copytree(ROOT / "results" / "quick", root / "results" / "quick")
    # Links of the front page and of docs/ must lead somewhere: all texts, the first one short.
    shutil.copytree(ROOT / "notebooks", root / "notebooks", dirs_exist_ok=True)
    text = root / "notebooks" / "00_sine.py"
    text.write_text(NOTEBOOK)
    (root / "build" / "quick").mkdir(parents=True)
    execute(text, root / "build" / "quick" / "00_sine.ipynb", {"periods": 2}, root=root)
    said = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(site.live, "write", _without_recordings)
        return site.build(root, "quick", root / "out", said.append), root


def _without_recordings(root, profile, folder):
    """Write the live page's models alone: simulations would take too long here."""
    live = site.live
    models, missing = live.models_of(root, profile)
    data = {"models": {tab: live.export_model(model) for tab, model in models.items()}}
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "data.js").write_text(live.script({**data, "missing": missing, "breathing": {}}))


def _pages(folder):
    return sorted(path for path in folder.rglob("*.html") if "_static" not in path.parts)


def test_the_book_is_built_without_a_warning(made):
    book, _ = made
    assert book.warnings == ()
    assert "02_training" in book.missing and "00_sine" not in book.missing
    for name in ("index", "live", "claims", "notebooks/00_sine", "docs/glossary", "search"):
        assert (book.folder / f"{name}.html").is_file(), name


def test_pages_are_light_and_ask_no_server(made):
    book, _ = made
    for page in _pages(book.folder):
        text = page.read_text("utf-8")
        assert len(text) < 2_000_000, page
        for tag in re.findall(r"<(?:script|link|img|iframe|audio|source)\b[^>]*>", text):
            assert not re.search(r'(?:src|href)="(?:https?:)?//', tag), (page.name, tag)
    first = (book.folder / "index.html").read_text("utf-8")
    loaded = re.findall(r'<(?:script|img)[^>]*src="([^"?#]+)', first)
    loaded += re.findall(r'<link rel="stylesheet"[^>]*href="([^"?#]+)', first)
    size = len(first) + sum((book.folder / name).stat().st_size for name in loaded)
    assert size < 500_000


def test_inner_links_and_anchors_lead_somewhere(made):
    book, _ = made
    texts = {page.resolve(): page.read_text("utf-8") for page in _pages(book.folder)}
    broken = []
    for page, text in texts.items():
        for link in re.findall(r'<a\b[^>]*href="([^"]+)"', text):
            target, _, anchor = link.partition("#")
            if re.match(r"[a-z]+:", target):
                continue
            file = (page.parent / target.partition("?")[0]).resolve() if target else page
            if not file.exists() or (anchor and f'id="{anchor}"' not in texts.get(file, "")):
                broken.append((page.name, link))
    assert not broken


def test_every_picture_says_what_it_shows(made):
    book, _ = made
    for page in _pages(book.folder):
        for tag in re.findall(r"<img\b[^>]*>", page.read_text("utf-8")):
            assert len(re.search(r'alt="([^"]*)"', tag).group(1)) > 10, (page.name, tag)
    sine = (book.folder / "notebooks" / "00_sine.html").read_text("utf-8")
    assert "sine (1) against time (s)" in sine
    # A figure of the first page says here what it says there.
    (known,) = re.findall(r"\{\{picture fig2_training: (.+?)\}\}", INDEX)
    assert f'alt="{known}"' in sine


def test_parameters_are_those_it_was_executed_with(made):
    book, _ = made
    text = re.sub(r"<[^>]+>", "", (book.folder / "notebooks/00_sine.html").read_text("utf-8"))
    assert "periods = 2" in text and "periods = 3" not in text


def test_a_folder_that_holds_something_else_is_refused(made, tmp_path):
    _, root = made
    (tmp_path / "thesis.tex").write_text("years of work")
    with pytest.raises(InputError, match="holds no book"):
        site.build(root, "quick", tmp_path)
    assert (tmp_path / "thesis.tex").read_text() == "years of work"


def test_the_contents_take_notebooks_in_the_order_of_their_numbers(tmp_path):
    (tmp_path / "book").mkdir()
    (tmp_path / "book" / "contents.yaml").write_text("[{caption: A, notebooks: n, code: open}]")
    (tmp_path / "n").mkdir()
    for name in ("10_ten.py", "9_nine.py", "notes.py"):
        (tmp_path / "n" / name).write_text("# %% [markdown]\n# # Title of it\n")
    (part,) = read_contents(tmp_path, "quick")
    assert [one.text.name for one in part.chapters] == ["9_nine.py", "10_ten.py"]
    assert part.chapters[0].title == "Title of it"


def test_a_thinned_curve_keeps_its_extremes():
    x = np.sin(np.linspace(0, 3000, 50_000))
    x[31_234] = 7.0  # a spike of one sample
    kept = interactive.thinned(x)
    assert len(kept) <= 2402 and kept[0] == 0 and kept[-1] == len(x) - 1
    assert x[kept].max() == 7.0 and x[kept].min() == x.min()
    assert (np.diff(kept) > 0).all()


def test_arrays_survive_in_single_precision():
    values = np.linspace(-1, 3, 12).reshape(3, 4)
    np.testing.assert_allclose(interactive.decode(interactive.encode(values)), values, rtol=1e-7)
    raw = {"array": {"data": base64.b64encode(values.tobytes()).decode()}, "dtype": "float64"}
    np.testing.assert_array_equal(interactive.decode({**raw, "shape": [3, 4]}), values)


# --- in a browser ---------------------------------------------------------------------------


# Not to wait for ever (ms); no load of a machine makes a page that slow.
_PATIENCE = 600_000
# Fonts and formulas are there, and the page has been drawn twice since.
_SETTLED = """async () => {
  await document.fonts.ready;
  await window.MathJax?.startup?.promise;
  for (let frame = 0; frame < 2; frame++) await new Promise(requestAnimationFrame);
}"""


def _visit(browser, path, query="", **options):
    """Open a page; return it, and the list that errors and outer requests are added to."""
    context = browser.new_context(**options)
    page, complaints = context.new_page(), []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("console", lambda m: complaints.append(m.text) if m.type == "error" else None)
    page.on("requestfailed", lambda request: complaints.append(f"not found: {request.url}"))
    page.on(
        "request",
        lambda request: (
            None
            if request.url.startswith(("file:", "data:", "blob:"))
            else complaints.append(f"asks for {request.url}")
        ),
    )
    page.set_default_timeout(_PATIENCE)
    page.goto(path.as_uri() + query)
    page.evaluate(_SETTLED)
    return page, complaints


def test_pages_open_without_errors_and_fit_a_phone(made, browser):
    book, _ = made
    wrong = {}
    for page in _pages(book.folder):
        if page.name == "genindex.html":
            continue
        tab, complaints = _visit(browser, page, viewport={"width": 390, "height": 800})
        if tab.evaluate("document.documentElement.scrollWidth") > 392:
            complaints.append("wider than a phone")
        if complaints:
            wrong[page.name] = complaints
        tab.context.close()
    assert not wrong


def test_an_interactive_plot_is_drawn_and_its_slider_moves_it(made, browser):
    book, _ = made
    tab, complaints = _visit(browser, book.folder / "notebooks" / "00_sine.html")
    for plot in tab.locator(".book-plot").all():
        plot.scroll_into_view_if_needed()
    tab.wait_for_function("document.querySelectorAll('.book-plot[data-drawn=yes]').length == 2")
    curve = """() => {
      const plot = document.querySelectorAll('.book-plot')[1].plot;
      return Array.from(plot.renderers[0].data_source.data.sine);
    }"""
    before = tab.evaluate(curve)
    slider = tab.locator(".book-slider input")
    slider.focus()
    slider.press("End")
    after = tab.evaluate(curve)
    assert tab.locator(".book-slider output").inner_text() == "f: 3"
    t = np.linspace(0, 2, 20_001)[::200]
    np.testing.assert_allclose(before, np.sin(t), atol=1e-6)
    np.testing.assert_allclose(after, np.sin(3 * t), atol=1e-6)
    assert not complaints
    tab.context.close()


def test_the_code_is_folded_or_open_at_the_readers_choice(made, browser):
    book, _ = made
    tab, _ = _visit(browser, book.folder / "notebooks" / "00_sine.html")
    opened = "document.querySelectorAll('details.hide[open]').length"
    assert tab.evaluate(opened) == 0
    tab.get_by_role("button", name="Show the code").click()
    assert tab.evaluate(opened) > 2
    tab.reload()
    assert tab.evaluate(opened) > 2  # remembered
    tab.context.close()


def test_the_search_finds_a_word(made, browser):
    book, _ = made
    tab, complaints = _visit(browser, book.folder / "search.html", "?q=anisotropy")
    tab.wait_for_selector("#search-results li a")
    assert not complaints
    tab.context.close()


def test_the_live_page_runs_and_says_when_the_drive_leaves_the_range(made, browser):
    book, _ = made
    tab, complaints = _visit(browser, book.folder / "live.html")
    tab.wait_for_function("SpinPlayers.skyrmion.samples > 50")
    tab.wait_for_function(
        "/inside/.test(document.querySelector('#panel-skyrmion .live-status').textContent)"
    )
    tab.locator("#panel-skyrmion .live-hand").focus()
    tab.keyboard.press("End")
    tab.wait_for_function(
        "/outside|Stopped/.test(document.querySelector('#panel-skyrmion .live-status').textContent)"
    )
    assert not complaints
    tab.context.close()


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_an_accessibility_checker_finds_nothing_serious(theme, made, browser):
    axe_package = pytest.importorskip("axe_playwright_python", reason="no axe: .[browser]")
    axe = next(Path(axe_package.__file__).parent.rglob("axe.min.js"))
    book, _ = made
    found = {}
    for name in ("index", "live", "claims", "notebooks/00_sine", "docs/glossary"):
        tab, _ = _visit(browser, book.folder / f"{name}.html", color_scheme=theme)
        tab.add_script_tag(path=axe)
        result = tab.evaluate(
            "axe.run(document, {runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa']})"
        )
        serious = [
            (one["id"], [node["html"][:120] for node in one["nodes"][:3]])
            for one in result["violations"]
            if one["impact"] in ("serious", "critical")
        ]
        if serious:
            found[name] = serious
        tab.context.close()
    assert not found, json.dumps(found, indent=1)


# --- the whole book -------------------------------------------------------------------------


@pytest.mark.long
def test_the_whole_book_of_this_workbook(browser, tmp_path, monkeypatch):
    """All chapters as they are executed here, with the reference of the package."""
    monkeypatch.chdir(ROOT)
    book = site.build(workbook_root(), "quick", tmp_path / "book")
    assert book.warnings == ()
    wrong = {}
    for page in _pages(book.folder):
        if page.stat().st_size > 2_000_000:
            wrong[page.name] = ["too large"]
        tab, complaints = _visit(browser, page)
        if complaints:
            wrong[page.name] = complaints
        tab.context.close()
    assert not wrong
