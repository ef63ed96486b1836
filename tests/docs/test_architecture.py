"""The page on the architecture names files and layers that are there, in the order of CI's contract."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "src" / "mainspring"
PAGE = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")


def test_every_file_that_is_named_is_there():
    named = re.findall(r"`([\w/]+/(?:[\w]+\.py)?)`", PAGE)
    assert len(named) > 30
    assert [name for name in named if not (SOURCE / name).exists()] == []


def test_the_table_has_the_layers_of_the_contract_in_their_order():
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    (contract,) = (
        one for one in settings["tool"]["importlinter"]["contracts"] if one["type"] == "layers"
    )
    layers = re.findall(r"mainspring\.(\w+)", " ".join(contract["layers"]))
    rows = re.findall(r"^\| (`.+?) \|", PAGE.split("## The way of a config")[0], re.MULTILINE)
    shown = re.findall(r"`(\w+)`", " ".join(rows))
    packages = {path.parent.name for path in SOURCE.glob("*/__init__.py")}
    assert packages <= set(shown)
    in_contract = [name for name in layers if name in shown]
    assert in_contract == sorted(in_contract, key=shown.index)


def test_every_package_says_what_it_is():
    for path in SOURCE.rglob("__init__.py"):
        first = path.read_text(encoding="utf-8").split("\n", 1)[0]
        assert re.fullmatch(r'""".+[.:](""")?', first), f"{path}: {first}"


def test_nothing_reaches_another_layer_through_a_string():
    """An import that is written as text hides from the contract on layers."""
    hidden = re.compile(r"""(?:import_module|__import__)\(\s*[rf]?["'](?:mainspring|\.)""")
    for path in SOURCE.rglob("*.py"):
        assert not hidden.search(path.read_text(encoding="utf-8")), path
