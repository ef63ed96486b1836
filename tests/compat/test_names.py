"""Every path and public name of MMEngine 0.10.7, under both names, is one object."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from prepared_processes import run

NAMES = json.loads((Path(__file__).parents[2] / "scripts" / "mmengine_names.json").read_text())


WALK = """
import importlib, json, sys, warnings
import mainspring.compat.mmengine

warnings.simplefilter("ignore")
found = {}
for path, names in json.load(sys.stdin).items():
    problems = found[path] = []
    try:
        theirs = importlib.import_module(f"mmengine.{path}".rstrip("."))
        ours = importlib.import_module(f"mainspring.{path}".rstrip("."))
    except ImportError as error:
        problems.append(f"{path}: {error}")
        continue
    if path not in ("", "version") and theirs is not ours:
        problems.append(f"{path} is two modules")
    parent = sys.modules[f"mmengine.{path}".rpartition(".")[0]] if path else None
    if path and getattr(parent, path.rpartition(".")[2]) is not theirs:
        problems.append(f"{path} is no attribute of its package")
    for name in names.split():
        if not hasattr(theirs, name):
            problems.append(f"{name} is missing")
        elif name not in ("__version__", "version_info", "parse_version_info"):
            if getattr(ours, name) is not getattr(theirs, name):
                problems.append(f"{name} is two objects")
print(json.dumps(found))
"""


@pytest.fixture(scope="module")
def walked():
    words = [sys.executable, "-c", WALK]
    result = run(words, input=json.dumps(NAMES), capture_output=True, text=True, timeout=150)
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout)


@pytest.mark.parametrize("path", NAMES)
def test_every_name_is_one_object(walked, path):
    assert walked[path] == []


def test_the_page_of_names_is_up_to_date():
    script = Path(__file__).parents[2] / "scripts" / "mmengine_page.py"
    result = run([sys.executable, str(script), "--check"], capture_output=True, text=True)
    assert result.returncode == 0, result.stdout + result.stderr


def test_no_name_is_missing():
    page = (Path(__file__).parents[2] / "docs" / "mmengine-names.md").read_text()
    assert ", 0 missing." in page


HIDDEN = """
from pathlib import Path
import mainspring
from mainspring.compat.mmengine.homes import HOMES
root = Path(mainspring.__file__).parent
for path, homes in HOMES.items():
    if root.joinpath(*path.split(".")).with_suffix(".py").exists() and path not in homes:
        print(path)
"""


def test_no_path_of_ours_is_hidden_by_another():
    result = run([sys.executable, "-c", HIDDEN], capture_output=True, text=True)
    assert result.stdout.split() == ["version"], result.stderr
