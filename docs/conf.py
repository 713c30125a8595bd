"""The documentation's settings; `make docs` builds it."""

import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parent)]

import generate  # noqa: E402
from sphinx.application import Sphinx  # noqa: E402

import nnbench  # noqa: E402

OPTIONS = "Options, of the command line:"

project = "nnbench"
release = version = nnbench.__version__
copyright = "nnbench's authors, MIT licence"  # noqa: A001

extensions = [*("myst_nb", "sphinx.ext.autodoc", "sphinx_design", "sphinx_copybutton")]
# The last two are included by other pages.
exclude_patterns = ["_build", "_runs", "real", "ledger", "_made/cli.md", "_made/phases.md"]
nitpicky = True
# Types of other packages, and what the package does not hand on, have no page here.
nitpick_ignore_regex = [("py:.*", ".*")]

myst_enable_extensions = ["colon_fence", "deflist", "attrs_inline"]
myst_heading_anchors = 4
# The lesson comes with its outputs; the tests run it.
nb_execution_mode = "off"
nb_render_markdown_format = "myst"

default_role = "literal"
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_typehints_format = "short"

html_theme = "pydata_sphinx_theme"
html_title = "nnbench"
html_static_path = ["_static"]
html_css_files = ["nnbench.css"]
html_show_sourcelink = False
html_copy_source = False
html_theme_options = {
    "logo": {"text": "nnbench"},
    "navbar_end": ["theme-switcher"],
    "navbar_align": "left",
    "header_links_before_dropdown": 6,
    "show_nav_level": 1,
    "secondary_sidebar_items": ["page-toc"],
    "footer_start": ["copyright"],
    "footer_end": [],
    "back_to_top_button": False,
}
html_sidebars = {
    name: [] for name in ("index", "start", "questions", "_made/lesson", "_made/ledger")
}
copybutton_prompt_text = "$ "
copybutton_only_copy_prompt_lines = True


def list_options(
    app: object, what: str, name: str, thing: object, options: object, lines: list[str]
) -> None:
    """Make a list of the options that a docstring of `nnbench.api` tells, one a line."""
    if OPTIONS not in lines:
        return
    begin = lines.index(OPTIONS) + 1
    told = [line.strip().partition(":") for line in lines[begin:] if line.strip()]
    lines[begin:] = ["", *(f"- **{option}**:{text}" for option, _, text in told)]


def setup(app: Sphinx) -> None:
    """Called by Sphinx."""
    app.connect("autodoc-process-docstring", list_options)


generate.write(HERE / "_made")
