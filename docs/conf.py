"""Settings of the documentation's site: `make docs` builds it, without a network, and refuses a broken link."""

project = "Winnow"
author = "The Winnow authors"
copyright = author
extensions = ["myst_parser"]
exclude_patterns = ["conf.py", "reference/*.txt"]
source_suffix = {".md": "markdown"}
html_theme = "furo"
html_title = "Winnow"
html_copy_source = False
html_show_sourcelink = False
# Links to headings, as forges have them: `page.md#a-heading` is checked.
myst_heading_anchors = 4
nitpicky = True
