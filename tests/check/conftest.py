"""A config in which everything is right, and ways to spoil it."""

from __future__ import annotations

import sys
import textwrap
from pathlib import Path

import pytest

from mainspring.check import check_config
from mainspring.config import Config
from mainspring.registry import DATASETS, MODELS, TRANSFORMS

sys.path.insert(0, str(Path(__file__).parent / "modules"))

import check_parts
from check_configs import RECORDED


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture(autouse=True)
def registered(monkeypatch):
    """For these tests alone, because others register such names, too."""
    parts = {"Net": MODELS, "Backbone": MODELS, "Points": DATASETS, "Resize": TRANSFORMS}
    for name, registry in parts.items():
        monkeypatch.setitem(registry.module_dict, name, getattr(check_parts, name))


@pytest.fixture
def write(folder):
    def write(name, text):
        path = folder / name
        path.write_text(textwrap.dedent(text))
        return path

    return write


@pytest.fixture
def problems_of(write):
    """The problems of a config text as (severity, place, message, help)."""

    def problems_of(text, name="config.py", overrides=(), **options):
        write(name, text)
        found = check_config(Config.fromfile(name, overrides=overrides), **options)
        return [
            (
                problem.severity,
                None
                if problem.location is None
                else f"{problem.location.line}:{problem.location.column}"
                if problem.location.line
                else str(problem.location),
                problem.message,
                problem.help,
            )
            for problem in found
        ]

    return problems_of


@pytest.fixture
def spoilt(problems_of):
    """The problems of the right config with one line replaced, or one added."""

    def spoilt(line, **options):
        name = line.partition(" = ")[0]
        lines = RECORDED.split("\n")
        places = [index for index, old in enumerate(lines) if old.startswith(f"{name} = ")]
        if places:
            lines[places[0]] = line
        else:
            lines.append(line)
        number = places[0] + 1 if places else len(lines)
        found = problems_of("\n".join(lines), **options)
        # Problems of the line that was replaced are told by their column alone.
        return [
            (severity, place and place.replace(f"{number}:", ""), message, help_line)
            for severity, place, message, help_line in found
        ]

    return spoilt
