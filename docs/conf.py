"""The site: the Markdown in this folder, its Chinese twin in `zh`, a reference from docstrings.

`make docs` runs Sphinx once for each language, with this file for both. The links of `index.md`
are the navigation, and the reference is part of the English half. What is made here is ignored by
git: the pages are Markdown that reads as well without Sphinx.
"""

import builtins
import re
import sys
from importlib import import_module
from itertools import groupby
from pathlib import Path
from typing import Any

from mainspring.version import __version__

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "scripts"))
IN_CHINESE = tags.has("chinese")  # type: ignore[name-defined]  # noqa: F821 - Sphinx gives it

project = "mainspring"
author = "The mainspring authors"
copyright = author  # noqa: A001 - the name that Sphinx reads
version = release = __version__
language = "zh_CN" if IN_CHINESE else "en"

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
exclude_patterns = ["_build", "zh"]
templates_path = [str(HERE / "_templates")]
html_theme = "furo"
html_title = "mainspring"
html_show_sourcelink = False
html_copy_source = False
html_static_path = [str(HERE / "images"), str(HERE / "_static")]
html_css_files = ["tables.css"]
html_theme_options = {"footer_icons": []}
html_sidebars = {
    "**": [
        "sidebar/brand.html",
        "sidebar/search.html",
        "languages.html",
        "sidebar/scroll-start.html",
        "sidebar/navigation.html",
        "sidebar/scroll-end.html",
    ]
}

myst_heading_anchors = 4
highlight_language = "none"
pygments_style = "friendly"
pygments_dark_style = "monokai"

default_role = "code"  # docstrings write names in single backquotes
autodoc_member_order = "alphabetical"
autodoc_typehints = "signature"
autodoc_default_options = {"members": True, "imported-members": True, "show-inheritance": True}

REFERENCE = (
    *("runner", "config", "model", "dataset", "evaluator", "optim", "hooks", "visualization"),
    *("logging", "checkpoint", "structures", "registry", "infer", "hub", "analysis", "dist"),
    *("device", "fileio", "tools.profiling", "testing", "utils", "errors"),
)
"""Packages that programs import from, in the order of the navigation."""


def write_reference(app: Any) -> None:
    """A page for each public package: the names in its `__all__`, with their docstrings."""
    if IN_CHINESE:
        return
    folder = HERE / "reference"
    folder.mkdir(exist_ok=True)
    for name in REFERENCE:
        title = f"mainspring.{name}"
        package = import_module(title)
        others = [
            member
            for member in package.__all__
            if not getattr(getattr(package, member), "__module__", title).startswith(title)
        ]
        page = f"{title}\n{'=' * len(title)}\n\n.. automodule:: {title}\n"
        if others:  # they have their entry where they come from
            page += f"   :exclude-members: {', '.join(others)}\n"
        (folder / f"{name}.rst").write_text(page, encoding="utf-8")
    (folder / "messages.md").write_text(_list_of_messages(), encoding="utf-8")


def _list_of_messages() -> str:
    from message_list import messages

    page = "# All messages\n\nFrom the source; `...` stands for names, values and places.\n"
    known = sorted({one for one in messages() if one.error not in dir(builtins)})
    for error, group in groupby(known, key=lambda one: one.error):
        page += f"\n## {error}\n\n| message | what to do | from |\n|---|---|---|\n"
        for one in group:
            cells = (f"`` {one.text} ``", one.help and f"`` {one.help} ``", one.package)
            page += "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |\n"
    return page


def prepare(app: Any, name: str, source: list[str]) -> None:
    """Make the links of the index the navigation; links that leave the site become text."""
    text = source[0]
    if name == "index":
        for section in re.split(r"^## ", text, flags=re.MULTILINE)[1:]:
            title, _, rows = section.partition("\n")
            text += _tree(title, re.findall(r"\]\(([\w-]+)\.md\)", rows))
        if not IN_CHINESE:
            pages = [f"{one} <reference/{one}>" for one in (*REFERENCE, "messages")]
            text += _tree("Reference", pages)
    source[0] = re.sub(r"(?<!!)\[([^\]]+)\]\((\.\./[^)]*)\)", _outside, text)


def _outside(link: re.Match[str]) -> str:
    """Text for a link to the repository; of a Chinese page, a link to the English half."""
    page = re.fullmatch(r"\.\./([\w-]+)\.md(#.*)?", link[2])
    if IN_CHINESE and page:
        return f'<a href="../{page[1]}.html{page[2] or ""}">{link[1]}</a>'
    return link[1]


def _tree(title: str, pages: list[str]) -> str:
    listed = "\n".join(dict.fromkeys(pages))
    return f"\n\n```{{toctree}}\n:hidden:\n:caption: {title}\n\n{listed}\n```\n"


def setup(app: Any) -> None:
    """Sphinx calls this."""
    app.connect("builder-inited", write_reference)
    app.connect("source-read", prepare)
