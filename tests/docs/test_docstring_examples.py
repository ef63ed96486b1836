"""The examples in docstrings do what they show."""

from __future__ import annotations

import doctest
import importlib
import inspect
import logging
from pathlib import Path

import pytest
import torch

import mainspring.registry.root
import mainspring.runner
import mainspring.visualization
from mainspring.registry import Registry

SOURCE = Path(__file__).parents[2] / "src"
FILES = sorted(path for path in SOURCE.rglob("*.py") if ">>> " in path.read_text("utf-8"))


NAMES = {"torch": torch, "nn": torch.nn}
"""What examples need not import."""


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_examples(path, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(logging.root.manager, "disable", logging.INFO)  # log lines bear the time
    module = importlib.import_module(".".join(path.relative_to(SOURCE).with_suffix("").parts))
    options = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
    failed, tried = doctest.testmod(module, extraglobs=NAMES, optionflags=options)
    assert tried
    assert not failed


def of_ours():
    """The classes of ours that a config names."""
    registries = vars(mainspring.registry.root).values()
    built = {
        built
        for registry in registries
        if isinstance(registry, Registry)
        for built in registry.module_dict.values()
        if inspect.isclass(built)
        if built.__module__.startswith("mainspring.") and "_strategy" not in built.__module__
    }
    return sorted(built, key=lambda each: each.__qualname__)


@pytest.mark.parametrize("built", of_ours(), ids=lambda built: built.__name__)
def test_what_a_config_names_shows_how(built):
    # Twins, such as the schedulers of learning rate and momentum, show it in their common base.
    texts = [base.__dict__.get("__doc__") or "" for base in built.__mro__]
    shown = [text for text in texts[: len(texts) - 1] if "Example:" in text and ">>> " in text]
    assert shown, f"{built.__name__} has no example"
