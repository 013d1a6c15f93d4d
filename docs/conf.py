"""How Sphinx builds the documentation; run `make docs`.

Sphinx with furo and MyST: all are maintained, and take each other's current versions. sphinx-gallery is not used: it
would run the examples at each build, which takes minutes and files, and most of them draw nothing. `docs/gallery.md`
shows each with the output that is kept beside it; `tests/test_examples.py` runs them.
"""

import sys
import warnings
from pathlib import Path

import infotorch

sys.path.insert(0, str(Path(__file__).parent))

project = "infotorch"
author = "The infotorch authors"
copyright = "The infotorch authors, Apache-2.0"
release = version = infotorch.__version__

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.napoleon",
    "extensions.mathml",
    "extensions.api_pages",
    "extensions.docstrings",
    "extensions.links",
]
exclude_patterns = ["_build", "extensions"]

# Markdown
myst_enable_extensions = ["dollarmath", "colon_fence"]
myst_heading_anchors = 4

# The API
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_typehints_format = "short"
autodoc_default_options = {"members": True, "show-inheritance": True}
autosummary_generate = False
napoleon_numpy_docstring = False
napoleon_use_rtype = False
napoleon_use_ivar = True
python_use_unqualified_type_names = True
python_maximum_signature_line_length = 88
add_module_names = False
toc_object_entries = False
warnings.simplefilter("ignore")  # what torch says on import is not about the pages

# HTML
html_theme = "furo"
html_title = f"infotorch {release}"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_copy_source = False
html_show_sourcelink = False
html_show_sphinx = False
