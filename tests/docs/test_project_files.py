"""The files around the source say what is true of it."""

from __future__ import annotations

import re
import sys
import tomllib
from pathlib import Path

import pytest
import yaml

from mainspring.version import __version__

ROOT = Path(__file__).parents[2]
INDEX, CHINESE_INDEX = (
    (ROOT / folder / "index.md").read_text(encoding="utf-8") for folder in ("docs", "docs/zh")
)
ENTRY = re.compile(r"^\| \[(.+?)\]\((.+?)\) \| (.+) \|$", re.MULTILINE)


def read(name):
    return (ROOT / name).read_text(encoding="utf-8")


def test_the_index_lists_every_page():
    listed = {page for _, page, _ in ENTRY.findall(INDEX)}
    assert listed == {path.name for path in (ROOT / "docs").glob("*.md")} - {"index.md"}


def test_every_page_has_a_chinese_twin_at_the_same_place_of_the_index():
    english, chinese = (
        {page.name for page in (ROOT / folder).glob("*.md")} for folder in ("docs", "docs/zh")
    )
    assert chinese == english

    def sections(index):
        return [[page for _, page, _ in ENTRY.findall(section)] for section in index.split("\n## ")]

    assert sections(CHINESE_INDEX) == sections(INDEX)


def test_llms_txt_lists_what_the_index_lists():
    listed = re.findall(r"^- \[(.+?)\]\(docs/(.+?)\): (.+)$", read("llms.txt"), re.MULTILINE)
    assert listed == ENTRY.findall(INDEX)


def test_links_of_the_files_at_the_top_lead_somewhere():
    for path in [*ROOT.glob("*.md"), ROOT / "llms.txt"]:
        for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", path.read_text(encoding="utf-8")):
            assert "://" in target or (ROOT / target).exists(), f"{path.name}: {target}"


def test_anchors_of_links_between_pages_are_headings():
    for path in [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]:
        for target, anchor in re.findall(
            r"\]\(([^)#:]*\.md)?#([^)]+)\)", path.read_text(encoding="utf-8")
        ):
            page = (path.parent / target) if target else path
            headings = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
            slugs = {
                re.sub(r"[^\w\- ]", "", one).strip().lower().replace(" ", "-") for one in headings
            }
            assert anchor in slugs, f"{path.name}: {target}#{anchor}"


def test_the_citation_has_the_version():
    citation = yaml.safe_load(read("CITATION.cff"))
    assert citation["version"] == __version__
    settings = tomllib.loads(read("pyproject.toml"))["project"]
    assert citation["license"] == settings["license"]
    assert citation["title"] == settings["name"]


def test_a_release_needs_a_section_of_the_changelog(monkeypatch):
    monkeypatch.setattr(sys, "path", [str(ROOT / "scripts"), *sys.path])
    import release_notes

    with pytest.raises(SystemExit, match=r"has version .+, not 99\.0"):
        release_notes.notes("99.0")
    released = f"## {__version__}" in read("CHANGELOG.md")
    if not released:
        with pytest.raises(SystemExit, match="has no section"):
            release_notes.notes(__version__)
    else:
        assert release_notes.notes(__version__)


def test_the_release_publishes_without_a_stored_secret():
    text = read(".github/workflows/release.yml")
    jobs = yaml.safe_load(text)["jobs"]
    assert list(jobs) == ["build", "rehearse", "try", "publish"]
    assert jobs["publish"]["needs"] == "try"
    assert "secrets." not in text
    assert {"id-token"} <= jobs["publish"]["permissions"].keys()


@pytest.mark.parametrize("page", ["README.md", "README.zh-CN.md"])
def test_the_figures_of_the_readme_are_those_of_the_measurement(page):
    engines = ["mainspring", "MMEngine", "Ignite", "Lightning", "Accelerate", "HF Trainer"]
    places: list[int] = []
    rows: list[list[str]] = []
    for line in read("docs/performance.md").splitlines():
        row = [cell.strip() for cell in line.split("|")[1:-1]]
        if "bare loop" in row:
            places = [row.index(engine) for engine in engines if engine in row]
        elif not row:
            places = []  # the table is over
        elif len(places) == len(engines):
            rows.append([row[place].split(" (")[0] for place in places])
    shown = read(page).replace("是", "yes").replace("否", "no")
    table = re.findall(r"^\| .+? \| (.+(?: \| .+){5}) \|$", shown, re.MULTILINE)
    assert len(table) == 6
    for cells in table:
        assert cells.split(" | ") in rows


def test_templates_are_yaml():
    for path in (ROOT / ".github" / "ISSUE_TEMPLATE").glob("*.yml"):
        assert yaml.safe_load(path.read_text(encoding="utf-8"))
    assert yaml.safe_load(read(".pre-commit-config.yaml"))["repos"]


def test_python_versions_agree():
    settings = tomllib.loads(read("pyproject.toml"))["project"]
    classified = re.findall(r"Python :: (3\.\d+)", " ".join(settings["classifiers"]))
    assert settings["requires-python"] == f">={classified[0]}"
