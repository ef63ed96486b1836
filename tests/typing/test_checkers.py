"""What mypy and basedpyright say about configs: nothing about right ones, and every planted mistake.

A line with a mistake ends in ``# error: word``; both checkers report that line, and a message has
the word. ``# error(mypy): word`` and ``# error(pyright): word`` are for one of them.
"""

from __future__ import annotations

import importlib.util
import json
import os
import re
import subprocess
import sys
import tempfile
from collections import defaultdict
from pathlib import Path

import pytest

import mainspring

HERE = Path(__file__).parent
SOURCES = Path(mainspring.__file__).parents[1]
GOOD, BAD = sorted(HERE.glob("good/*.py")), sorted(HERE.glob("bad/*.py"))
MARK = re.compile(r"# error(?:\((mypy|pyright)\))?: ([^#\n]+)")

Place = tuple[str, int]
Reports = dict[Place, list[str]]


def planted(checker: str) -> dict[Place, str]:
    """The lines with mistakes that a checker reports, and a word of the message."""
    return {
        (path.name, number): word.strip()
        for path in BAD
        for number, line in enumerate(path.read_text().splitlines(), 1)
        for only, word in MARK.findall(line)
        if only in ("", checker)
    }


def run_mypy() -> Reports:
    # A file with a hyphen in its name is no module.
    files = [path for path in (HERE / "zoo.py", *GOOD, *BAD) if "-" not in path.name]
    done = subprocess.run(
        [
            *(sys.executable, "-m", "mypy", "--config-file=", "--strict", "--output=json"),
            *("--namespace-packages", "--explicit-package-bases", "--follow-imports=silent"),
            *("--cache-dir", str(Path(tempfile.gettempdir()) / "mainspring-typing-mypy")),
            *map(str, files),
        ],
        env=os.environ | {"MYPYPATH": f"{SOURCES}{os.pathsep}{HERE}"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode in (0, 1), done.stdout + done.stderr
    reports: Reports = defaultdict(list)
    for line in done.stdout.splitlines():
        report = json.loads(line)
        if report["severity"] == "error":
            reports[Path(report["file"]).name, report["line"]].append(report["message"])
    return reports


def run_basedpyright(tmp_path: Path) -> Reports:
    settings = {
        "include": [str(HERE / "zoo.py"), str(HERE / "good"), str(HERE / "bad")],
        "extraPaths": [str(SOURCES), str(HERE)],
        "typeCheckingMode": "standard",
    }
    config = tmp_path / "pyrightconfig.json"
    config.write_text(json.dumps(settings))
    done = subprocess.run(
        [
            *(sys.executable, "-m", "basedpyright", "--outputjson"),
            *("--project", str(config), "--pythonpath", sys.executable),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode in (0, 1), done.stdout + done.stderr
    answer = json.loads(done.stdout)
    assert answer["summary"]["filesAnalyzed"] == len(GOOD) + len(BAD) + 1
    reports: Reports = defaultdict(list)
    for report in answer["generalDiagnostics"]:
        place = Path(report["file"]).name, report["range"]["start"]["line"] + 1
        reports[place].append(report["message"])
    return reports


def differences(reports: Reports, mistakes: dict[Place, str]) -> list[str]:
    lines = []
    for place in sorted(reports.keys() | mistakes.keys()):
        where = f"{place[0]}:{place[1]}"
        messages = reports.get(place, [])
        if place not in mistakes:
            lines += [f"{where}: not planted: {message}" for message in messages]
        elif not messages:
            lines.append(f"{where}: not reported: {mistakes[place]}")
        elif not any(mistakes[place] in message for message in messages):
            lines.append(f"{where}: no {mistakes[place]!r} in {messages}")
    return lines


def needs(package: str) -> pytest.MarkDecorator:
    missing = importlib.util.find_spec(package) is None
    return pytest.mark.skipif(missing, reason=f"{package} is not installed")


@needs("mypy")
def test_mypy_reports_exactly_the_planted_mistakes() -> None:
    assert differences(run_mypy(), planted("mypy")) == []


@needs("basedpyright")
def test_basedpyright_reports_exactly_the_planted_mistakes(tmp_path: Path) -> None:
    assert differences(run_basedpyright(tmp_path), planted("pyright")) == []


def test_the_mistakes_cover_every_way_of_being_wrong() -> None:
    assert len(planted("mypy")) == len(planted("pyright")) >= 60
