"""Errors say which part of the config they come from."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from mainspring.errors import ConfigError, Location, MetricError
from mainspring.evaluator import BaseMetric
from mainspring.hooks import Hook
from mainspring.runner import Runner
from mainspring.runner.failures.error_places import building, path_of


class LocatedConfig(dict):
    def locate(self, path):
        return Location("run.py", 7) if path == "model" else None


def test_a_foreign_error_keeps_its_type_and_gains_a_note():
    with pytest.raises(ZeroDivisionError) as caught, building(LocatedConfig(model={}), "model"):
        1 / 0
    assert caught.value.__notes__ == ["while building model (run.py:7)"]


def test_our_error_gains_path_and_place():
    with pytest.raises(ConfigError) as caught, building(LocatedConfig(model={}), "model"):
        raise ConfigError("no such thing")
    assert caught.value.config_path == "model"
    assert str(caught.value).startswith("run.py:7: no such thing")


def test_the_innermost_dict_that_failed_gives_the_path():
    inner = {"type": "Head"}
    cfg = LocatedConfig(model={"type": "Net", "heads": [{"type": "Head"}, inner]})
    error = TypeError("boom")
    error.__mainspring_spec__ = inner
    with pytest.raises(TypeError), building(cfg, "model"):
        raise error
    assert error.__notes__ == ["while building model.heads.1 (run.py:7)"]


def test_the_innermost_section_wins():
    error = ValueError()
    with pytest.raises(ValueError), building({}, "outer"), building({}, "inner"):  # noqa: PT011
        raise error
    assert error.__notes__ == ["while building inner"]


@given(
    st.recursive(
        st.integers(),
        lambda inner: (
            st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3)
        ),
    )
)
def test_every_found_path_leads_back(tree):
    def nodes(value, path=""):
        if isinstance(value, dict):
            yield path, value
            for key, item in value.items():
                yield from nodes(item, f"{path}.{key}" if path else key)
        elif isinstance(value, list):
            for index, item in enumerate(value):
                yield from nodes(item, f"{path}.{index}" if path else str(index))

    for path, node in nodes(tree):
        assert path_of(tree, node) == path


CONFIG = """from torch import nn
from torch.optim import SGD
from mainspring.config import later
from mainspring.model import Supervised
from mainspring.optim import OptimWrapper
from mainspring.runner import ByEpoch
from test_error_places import POINTS, Refuses

model = Supervised(nn.Linear(2, 2), nn.CrossEntropyLoss())
train_dataloader = POINTS
optim_wrapper = OptimWrapper(later(SGD)(lr=0.1))
train_cfg = ByEpoch(max_epochs=1)
custom_hooks = [Refuses(at="{point}")]
"""

POINTS = [(torch.zeros(2, 2), torch.zeros(2, dtype=torch.long))]


class Refuses(Hook):
    """Finds late that it does not go with something else."""

    def __init__(self, at):
        def refuse(runner, *_, **__):
            raise ConfigError("these two do not go together", config_path="custom_hooks.0")

        setattr(self, at, refuse)


@pytest.mark.parametrize("point", ["before_run", "before_train", "after_train_iter"])
def test_what_is_refused_late_is_refused_with_its_place(point, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(Path(__file__).parent))
    Path("run.py").write_text(CONFIG.replace("{point}", point))
    with pytest.raises(ConfigError) as caught:
        Runner.from_cfg("run.py").train()
    assert str(caught.value).startswith("run.py:13:17: these two do not go together")


class Mine(BaseMetric):
    """A metric whose names are known when it is computed."""

    def process(self, data_batch, data_samples):
        self.results += data_samples

    def compute_metrics(self, results):
        return {"mine": 1.0}


@pytest.mark.parametrize(
    ("hooks", "path"),
    [
        ("custom_hooks = [CheckpointHook(save_best='acc')]", "custom_hooks.0.save_best"),
        (
            "default_hooks = dict(stop=EarlyStoppingHook(monitor='acc', strict=True))",
            "default_hooks.stop.monitor",
        ),
    ],
)
def test_who_asks_for_a_metric_that_nobody_gives_is_named(hooks, path, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(Path(__file__).parent))
    text = CONFIG.replace("POINTS, Refuses", "POINTS, Mine").partition("custom_hooks")[0]
    text += f"from mainspring.hooks import CheckpointHook, EarlyStoppingHook\n{hooks}\n"
    Path("run.py").write_text(f"{text}val_dataloader = POINTS\nval_evaluator = Mine()\n")
    with pytest.raises(MetricError, match="acc") as caught:
        Runner.from_cfg("run.py").train()
    assert str(caught.value).startswith("run.py:14:")
    assert caught.value.config_path == path
