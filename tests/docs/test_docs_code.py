"""All Python code in the READMEs and the docs runs."""

from __future__ import annotations

import os
import re
import shlex
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from prepared_processes import run

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = [ROOT / "README.md", *sorted(DOCS.glob("*.md"))]
TWINS = [
    (ROOT / "README.md", ROOT / "README.zh-CN.md"),
    *((DOCS / page.name, page) for page in sorted((DOCS / "zh").glob("*.md"))),
]
FENCE = re.compile(
    r"^```(\w+)(?: name=(\S+))?(?: needs=(\S+))?\n(.*?)^```", re.MULTILINE | re.DOTALL
)


def blocks_of(page):
    """Language, file name and text of the code of a page that can run here."""
    found = FENCE.findall(page.read_text(encoding="utf-8"))
    return [(a, name, text) for a, name, needs, text in found if not needs or find_spec(needs)]


def run_command(command):
    """The exit code and output of a `mainspring` command in the current directory."""
    words = shlex.split(command)
    assert words[0] == "mainspring"
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src"), "NO_COLOR": "1"}
    done = run([sys.executable, "-m", *words], capture_output=True, text=True, env=environment)
    return done.stdout + done.stderr


def matches(shown, printed):
    """Whether the lines of a page are what was printed; `...` stands for any lines."""
    pattern = "\n".join(
        r"(?:.*\n)*?.*" if line == "..." else re.escape(line) for line in shown.split("\n")
    )
    return re.fullmatch(pattern, printed.strip("\n")) is not None


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_the_code_of_a_page_runs(page, tmp_path, monkeypatch, capsys):
    """Named blocks become files beside each other; commands print what the page shows."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    before = set(sys.modules)
    blocks = blocks_of(page)
    for language, name, text in blocks:
        if name:
            (tmp_path / name).write_text(text, encoding="utf-8")
        assert language != "console" or text.startswith("$ ")
    for language, name, text in blocks:
        if language == "python" and not name:
            names = {"__name__": "docs"}
            exec(compile(text, f"{page.name} block", "exec"), names)
            assert names.keys() - {"__name__", "__builtins__"}
        elif language == "console":
            for part in re.split(r"^\$ ", text, flags=re.MULTILINE)[1:]:
                command, _, shown = part.partition("\n")
                printed = run_command(command)
                assert matches(shown.strip("\n"), printed), f"$ {command}\n{printed}"
    for module in set(sys.modules) - before:
        if str(tmp_path) in (getattr(sys.modules[module], "__file__", None) or ""):
            del sys.modules[module]
    capsys.readouterr()


def test_named_configs_of_the_docs_load(tmp_path, monkeypatch):
    """Files of a page that describe a run are read whole, also those that no block runs."""
    from mainspring.config import Config

    for page in PAGES:
        folder = tmp_path / page.stem
        folder.mkdir()
        monkeypatch.chdir(folder)
        monkeypatch.syspath_prepend(folder)
        names = [name for _, name, text in blocks_of(page) if name]
        for _, name, text in blocks_of(page):
            if name:
                (folder / name).write_text(text, encoding="utf-8")
        for name in names:
            text = (folder / name).read_text(encoding="utf-8")
            if "train_dataloader" in text and "mistake" not in name:
                assert Config.fromfile(name, import_custom_modules=False).to_dict()


@pytest.mark.parametrize(
    "page",
    [*PAGES, *(page for _, page in TWINS), *sorted((ROOT / "examples").rglob("*.md"))],
    ids=lambda page: str(page.relative_to(ROOT)),
)
def test_links_lead_to_files(page):
    for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8")):
        if "://" not in target:
            assert (page.parent / target).exists(), target


@pytest.mark.parametrize("pair", TWINS, ids=lambda pair: pair[1].name)
def test_a_chinese_page_shows_the_code_of_its_english_twin(pair):
    english, chinese = (
        [(*names, re.sub(r"\s*#.*", "", text)) for *names, text in blocks_of(page)] for page in pair
    )
    assert chinese == english


# Its Chinese page leads to the English one, whose tables are generated and all names.
UNTRANSLATED = "mmengine-names.md"


@pytest.mark.parametrize(
    "pair",
    [pair for pair in TWINS if pair[1].name != UNTRANSLATED],
    ids=lambda pair: pair[1].name,
)
def test_a_chinese_page_says_what_its_english_twin_says(pair):
    """What only one of them says shows in the names it mentions, its links, rows and items."""
    english, chinese = (FENCE.sub("", page.read_text(encoding="utf-8")) for page in pair)
    for kind, expression in (
        ("names", r"`([^`\n]+)`"),
        ("pages", r"\]\((?:docs/)?(?:zh/)?([a-z-]+\.md)"),
    ):
        shown, in_chinese = (set(re.findall(expression, page)) for page in (english, chinese))
        assert in_chinese == shown, kind
    for start in ("#", "|", "- "):
        shown, in_chinese = (page.count(f"\n{start}") for page in (english, chinese))
        assert in_chinese == shown, f"lines that begin with {start!r}"


def test_the_docs_list_the_hook_points_of_the_table():
    from mainspring.hooks.points import HOOK_POINTS

    page = (ROOT / "docs" / "hooks.md").read_text(encoding="utf-8")
    rows = [
        f"| `{point.name}` | {', '.join(f'`{name}`' for name in point.arguments)} | {point.when} |"
        for point in HOOK_POINTS
    ]
    assert "\n".join(rows) in page
