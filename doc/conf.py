"""How Sphinx builds the documentation."""

import os
import sys
from pathlib import Path

# Of the gallery, whose examples start worker processes, and of all figures.
os.environ.setdefault("OMP_NUM_THREADS", "1")

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))

import api_pages  # noqa: E402
import compatibility_page  # noqa: E402
import costs_page  # noqa: E402
import peers_page  # noqa: E402

import sklearn_mia  # noqa: E402
from sklearn_mia._links import DOC_URL, SOURCE_URL  # noqa: E402

project = "sklearn_mia"
author = "The sklearn_mia developers"
copyright = author
version = release = sklearn_mia.__version__

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "numpydoc",
    "sphinx_gallery.gen_gallery",
    "sphinx_copybutton",
    "mathml",
]
exclude_patterns = ["_build", "auto_examples/*.ipynb"]
templates_path = ["_templates"]
default_role = "literal"
suppress_warnings = ["config.cache"]  # the gallery's settings hold a function

# A link that leads nowhere is an error, of names of this package at least.
nitpicky = True
nitpick_ignore_regex = [
    # Pages of other packages are not looked up: a build needs no network.
    (r"py:.*", r"(sklearn|numpy|scipy|pandas|matplotlib|joblib|polars)\..*"),
]

# By name: a build that goes on from an earlier one would look at its pages alone.
autosummary_generate = [f"api/{name}.rst" for name in api_pages.OF_USERS]
autosummary_ignore_module_all = False
autodoc_typehints = "none"
numpydoc_show_class_members = False
numpydoc_attributes_as_param_list = True

api_pages.write(HERE / "api")
compatibility_page.write(HERE / "compatibility.rst")
costs_page.write(HERE / "costs.rst")
peers_page.write(HERE / "peers.rst")

sphinx_gallery_conf = {
    "examples_dirs": "../examples",
    "gallery_dirs": "auto_examples",
    "filename_pattern": r"/plot_",
    "within_subsection_order": "gallery_order.ReadingOrder",
    "backreferences_dir": "api/examples",
    "doc_module": ("sklearn_mia",),
    "abort_on_example_error": True,
    "remove_config_comments": True,
    "show_memory": False,
    "min_reported_time": 60,
    "plot_gallery": "True",
    "download_all_examples": False,
    # A report is shown as in a notebook.
    "capture_repr": ("_repr_html_", "__repr__"),
    "show_signature": False,
}

html_math_renderer = "mathml"
html_theme = "pydata_sphinx_theme"
html_title = "sklearn_mia"
html_baseurl = DOC_URL
html_static_path = ["_static"]
html_css_files = ["custom.css"]
html_show_sourcelink = False
html_theme_options = {
    "github_url": SOURCE_URL,
    "header_links_before_dropdown": 7,
    "navbar_align": "left",
    # On a line with the links.
    "navbar_persistent": [],
    "navbar_end": ["search-button", "theme-switcher", "navbar-icon-links"],
    "show_prev_next": False,
    "show_toc_level": 2,
    "secondary_sidebar_items": ["page-toc"],
    "footer_start": ["copyright"],
    "footer_end": [],
    "pygments_light_style": "a11y-high-contrast-light",
    "pygments_dark_style": "a11y-high-contrast-dark",
}
html_sidebars = {"index": [], "officers": [], "glossary": []}


def setup(app):
    """Leave out what others document: methods of scikit-learn's base classes."""
    app.connect("autodoc-skip-member", api_pages.skip_member)
