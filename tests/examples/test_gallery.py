"""Every example trains, on less data, and draws its picture; its README shows one."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[2] / "examples"
FEWER = [
    f"{loader}_dataloader.dataset.count={count}" for loader, count in (("train", 32), ("val", 8))
]
SMALL = {
    "detection": ["epochs=1", *FEWER],
    "digits": ["epochs=1"],
    "distillation": ["epochs=1"],
    "finetuning": ["epochs=1"],
    "gan": ["epochs=1"],
    "language": ["iterations=60", "train_cfg.val_interval=60", *FEWER],
    "segmentation": ["epochs=1", *FEWER],
    "tabular": ["epochs=2"],
}


@pytest.fixture
def train_module(monkeypatch):
    """The program, whose examples are imported anew and forgotten afterwards."""
    known = set(sys.modules)
    monkeypatch.setattr(sys, "path", [str(EXAMPLES), *sys.path])
    import train

    yield train
    for name in set(sys.modules) - known:
        if (getattr(sys.modules[name], "__file__", None) or "").startswith(str(EXAMPLES)):
            del sys.modules[name]


def test_the_gallery_is_complete():
    assert sorted(SMALL) == sorted(path.parent.name for path in EXAMPLES.glob("*/config.py"))
    overview = (EXAMPLES / "README.md").read_text(encoding="utf-8")
    for name in SMALL:
        page = (EXAMPLES / name / "README.md").read_text(encoding="utf-8")
        assert "](result.png)" in page
        assert f"({name}/README.md)" in overview
        assert (EXAMPLES / name / "result.png").stat().st_size < 90_000


def test_the_cookbook_counts_the_lines(monkeypatch):
    monkeypatch.syspath_prepend(EXAMPLES.parent / "scripts")
    from code_budget import code_lines

    page = (EXAMPLES.parent / "docs" / "cookbook.md").read_text(encoding="utf-8")
    for name in SMALL:
        config = len(code_lines(EXAMPLES / name / "config.py"))
        others = set((EXAMPLES / name).glob("*.py")) - {EXAMPLES / name / "config.py"}
        rest = sum(len(code_lines(path)) for path in others if path.name != "train.py")
        assert f"examples/{name}/README.md) | {config} | {rest} |" in page


@pytest.mark.parametrize("name", sorted(SMALL))
def test_an_example_trains_and_draws(name, train_module, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    runner = train_module.train(name, SMALL[name], str(tmp_path / "run"))
    train_module.draw(name, runner.model, "result.png")
    assert (tmp_path / "result.png").stat().st_size > 1000
    assert list((tmp_path / "run").glob("*.pth"))
