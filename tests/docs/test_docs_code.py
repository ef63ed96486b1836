"""All Python code in the READMEs and the docs runs."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", ROOT / "README.zh-CN.md", *sorted((ROOT / "docs").glob("*.md"))]
BLOCKS = [
    pytest.param(block, id=f"{page.name}-{number}")
    for page in PAGES
    for number, block in enumerate(
        re.findall(
            r"^```python\n(.*?)^```", page.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL
        )
    )
]


@pytest.mark.parametrize("block", BLOCKS)
def test_a_block_of_the_docs_runs(block, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    names = {"__name__": "docs"}
    exec(compile(block, "docs block", "exec"), names)
    assert names.keys() - {"__name__", "__builtins__"}
    capsys.readouterr()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_to_files(page):
    for target in re.findall(r"\]\(([^)#]+)\)", page.read_text(encoding="utf-8")):
        if "://" not in target:
            assert (page.parent / target).exists(), target


def test_both_readmes_show_the_same_code():
    english, chinese = (
        re.findall(
            r"^```\w+\n(.*?)^```",
            (ROOT / name).read_text(encoding="utf-8"),
            re.MULTILINE | re.DOTALL,
        )
        for name in ("README.md", "README.zh-CN.md")
    )
    without_comments = [
        [re.sub(r"\s*#.*", "", block) for block in blocks] for blocks in (english, chinese)
    ]
    assert without_comments[0] == without_comments[1]


def test_the_docs_list_the_hook_points_of_the_table():
    from mainspring.hooks.points import HOOK_POINTS

    page = (ROOT / "docs" / "hooks.md").read_text(encoding="utf-8")
    rows = [
        f"| `{point.name}` | {', '.join(f'`{name}`' for name in point.arguments)} | {point.when} |"
        for point in HOOK_POINTS
    ]
    assert "\n".join(rows) in page
