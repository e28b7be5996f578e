"""Sphinx configuration of the book; `spinode.book.site` gathers the sources and runs Sphinx."""

import os
from importlib.metadata import version as _version

project = "spinode"
author = "The spinode maintainers"
release = version = _version("spinode")
profile = os.environ.get("SPINODE_BOOK_PROFILE", "quick")
html_title = "spinode"

extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx.ext.mathjax",
    "sphinx_copybutton",
]
exclude_patterns = []

# Pages: Markdown as GitHub reads it, with formulas and admonitions; outputs are the notebooks' own.
myst_enable_extensions = ["dollarmath", "colon_fence", "deflist", "attrs_inline"]
myst_heading_anchors = 4
myst_dmath_double_inline = True
nb_execution_mode = "off"
nb_merge_streams = True
nb_code_prompt_show = "Show the code"
nb_code_prompt_hide = "Hide the code"

# The reference.
autodoc_typehints = "none"
autodoc_default_options = {"show-inheritance": False}
napoleon_google_docstring = False
napoleon_use_ivar = True
napoleon_use_rtype = False
add_module_names = False
# Types such as "inputs : tuple" name no one attribute of one class.
suppress_warnings = ["ref.python"]
default_role = "code"  # docstrings name things of their own module in single backticks


def setup(app):
    """Let docstrings write absolute values, |c|, which reStructuredText takes for substitutions."""

    def escape(app, what, name, obj, options, lines):
        lines[:] = [line if "``" in line else line.replace("|", r"\|") for line in lines]

    app.connect("autodoc-process-docstring", escape)


# Everything comes from the book's own folder.
html_theme = "furo"
html_static_path = ["static"]
html_css_files = ["book.css"]
html_js_files = [("book.js", {"defer": "defer"})]
html_copy_source = False
html_show_sourcelink = False
html_show_sphinx = False
html_show_copyright = False
html_show_search_summary = False  # would fetch pages, which a browser refuses on file://
html_last_updated_fmt = ""
html_favicon = "static/favicon.svg"
pygments_style = "a11y-high-contrast-light"
pygments_dark_style = "a11y-high-contrast-dark"
html_theme_options = {
    "navigation_with_keys": True,
    "light_css_variables": {
        "color-brand-primary": "#00598f",
        "color-brand-content": "#00598f",
        "color-brand-visited": "#6b3d8f",
    },
    "dark_css_variables": {
        "color-brand-primary": "#7cc4f5",
        "color-brand-content": "#7cc4f5",
        "color-brand-visited": "#c8a6e8",
    },
}
mathjax_path = "mathjax/MathJax.js"
mathjax2_config = {
    "config": ["TeX-AMS-MML_HTMLorMML-full.js"],
    "tex2jax": {
        "inlineMath": [["\\(", "\\)"]],
        "displayMath": [["\\[", "\\]"]],
        "processClass": "tex2jax_process|mathjax_process|math|output_area",
        "ignoreClass": ".*",
    },
    "HTML-CSS": {"availableFonts": [], "webFont": "STIX-Web", "imageFont": None},
    "showMathMenu": False,
    "messageStyle": "none",
}
copybutton_selector = "div.cell_input div.highlight pre, div.highlight-console pre"
